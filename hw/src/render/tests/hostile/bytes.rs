//! What bombs are packed in: Deflate of endless repetition, checksums, PDF objects.

/// Deflate (RFC 1951, fixed codes) of a start whose last 1 or 13 bytes come over and over
/// until there are so many: one part in a hundred and fifty of them.
pub(super) fn deflate(start: &[u8], bytes: u64) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(0b011, 3);
    for byte in start {
        bits.literal(*byte);
    }
    let repeats = bytes.saturating_sub(start.len() as u64) / 258;
    for _ in 0..repeats {
        // The longest match, 258, is code 285: 11000101.
        bits.code(0b1100_0101, 8);
        if start.len() == 1 {
            bits.code(0, 5);
        } else {
            // Code 7 is a distance of 13 to 16, by two bits more.
            bits.code(7, 5);
            bits.put(0, 2);
        }
    }
    bits.code(0, 7);
    bits.bytes()
}

/// The same as a zlib stream (RFC 1950), whose checksum is wrong: nobody gets there.
pub(super) fn zlib(start: &[u8], bytes: u64) -> Vec<u8> {
    [&[0x78, 0x9c][..], &deflate(start, bytes), &[0; 4]].concat()
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    held: u64,
    count: u32,
}

impl Bits {
    /// The lowest bit first.
    fn put(&mut self, bits: u64, count: u32) {
        self.held |= bits << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.held as u8);
            self.held >>= 8;
            self.count -= 8;
        }
    }

    /// A Huffman code comes with its highest bit first.
    fn code(&mut self, code: u64, count: u32) {
        self.put(code.reverse_bits() >> (64 - count), count);
    }

    fn literal(&mut self, byte: u8) {
        match byte {
            0..=143 => self.code(0x30 + u64::from(byte), 8),
            144.. => self.code(0x190 + u64::from(byte - 144), 9),
        }
    }

    fn bytes(mut self) -> Vec<u8> {
        self.put(0, 7);
        self.bytes
    }
}

/// CRC-32 as PNG and ZIP have it.
pub(super) fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

/// A PDF of these objects, counted from 1, the first of which is the catalogue.
pub(super) fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b"%PDF-1.7\n".to_vec();
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file.extend(format!("{} 0 obj\n", index + 1).bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let table = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for offset in offsets {
        file.extend(format!("{offset:010} 00000 n \n").bytes());
    }
    let size = objects.len() + 1;
    file.extend(format!("trailer <</Root 1 0 R/Size {size}>>\nstartxref\n{table}\n%%EOF").bytes());
    file
}

/// A stream with what its dictionary says besides its length.
pub(super) fn stream(dictionary: &str, data: &[u8]) -> Vec<u8> {
    let head = format!("<<{dictionary}/Length {}>>\nstream\n", data.len());
    [head.as_bytes(), data, b"\nendstream"].concat()
}

/// A file of a ZIP archive that is all of it.
pub(super) fn zip(name: &str, packed: &[u8], unpacked: u32) -> Vec<u8> {
    let common = |crc: u32| {
        let mut head = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0];
        for number in [crc, packed.len() as u32, unpacked] {
            head.extend(number.to_le_bytes());
        }
        head.extend((name.len() as u16).to_le_bytes());
        head.extend([0, 0]);
        head
    };
    let mut file = [b"PK\x03\x04", &common(0)[..], name.as_bytes(), packed].concat();
    let directory = file.len() as u32;
    file.extend(
        [&b"PK\x01\x02\x14\0"[..], &common(0), &[0; 10], &[0; 4], name.as_bytes()].concat(),
    );
    let length = file.len() as u32 - directory;
    file.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    file.extend(length.to_le_bytes());
    file.extend(directory.to_le_bytes());
    file.extend([0, 0]);
    file
}
