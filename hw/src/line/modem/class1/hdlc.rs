//! HDLC in software, for pages with error correction: a Class 1 modem carries their bits
//! and knows nothing of frames (T.30 annex A, T.31). Bits go lowest first.

/// Longest frame that is kept, in bytes: an ECM frame has 260 and its check sequence 2.
const MAX_FRAME: usize = 300;
const FLAG: u8 = 0x7E;
/// What the check sequence of a good frame leaves, that included (ISO 13239).
const RESIDUE: u16 = 0xF0B8;

/// The check sequence so far.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(
            crc ^ u16::from(*byte),
            |crc: u16, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0x8408 } else { crc >> 1 }
            },
        )
    })
}

/// Whether a frame ends with its own check sequence.
pub(super) fn is_good(frame: &[u8]) -> bool {
    crc(frame) == RESIDUE
}

/// Makes a stream of bits of frames.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    out: Vec<u8>,
    bits: u8,
    count: u32,
    ones: u32,
}

impl Encoder {
    /// So many flags.
    pub(super) fn flags(&mut self, count: usize) {
        for _ in 0..count {
            for at in 0..8 {
                self.push(FLAG >> at & 1);
            }
            self.ones = 0;
        }
    }

    /// A frame, with its check sequence and the flag that ends it.
    pub(super) fn frame(&mut self, frame: &[u8]) {
        let check = (!crc(frame)).to_le_bytes();
        self.ones = 0;
        for byte in frame.iter().chain(&check) {
            for at in 0..8 {
                let bit = byte >> at & 1;
                self.push(bit);
                self.ones = if bit == 1 { self.ones + 1 } else { 0 };
                if self.ones == 5 {
                    self.push(0);
                    self.ones = 0;
                }
            }
        }
        self.flags(1);
    }

    /// How many whole bytes wait.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// The whole bytes so far.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    fn push(&mut self, bit: u8) {
        self.bits |= bit << self.count;
        self.count += 1;
        if self.count == 8 {
            self.out.push(self.bits);
            self.bits = 0;
            self.count = 0;
        }
    }
}

/// A frame that came: its bytes without the check sequence, and whether that was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    pub(super) good: bool,
}

/// Finds frames in a stream of bits.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    frame: Vec<u8>,
    bits: u8,
    count: u32,
    ones: u32,
    /// Between two flags, and no abort since.
    inside: bool,
}

impl Decoder {
    /// Takes a byte of the stream; at most two frames end in it.
    pub(super) fn push(&mut self, byte: u8, frames: &mut Vec<Frame>) {
        for at in 0..8 {
            self.bit(byte >> at & 1, frames);
        }
    }

    fn bit(&mut self, bit: u8, frames: &mut Vec<Frame>) {
        if bit == 1 {
            self.ones += 1;
            match self.ones {
                // A flag is known at the zero behind its six ones; it is in the frame by then.
                ..=6 => self.keep(1),
                _ => self.inside = false,
            }
            return;
        }
        match std::mem::take(&mut self.ones) {
            5 => {}
            6 => self.flag(frames),
            _ => self.keep(0),
        }
    }

    fn keep(&mut self, bit: u8) {
        if !self.inside {
            return;
        }
        self.bits |= bit << self.count;
        self.count += 1;
        if self.count == 8 {
            self.count = 0;
            let byte = std::mem::take(&mut self.bits);
            if self.frame.len() < MAX_FRAME {
                self.frame.push(byte);
            } else {
                self.inside = false;
            }
        }
    }

    fn flag(&mut self, frames: &mut Vec<Frame>) {
        // A zero and six ones of the flag were kept: seven bits more than whole bytes.
        let whole = self.inside && self.count == 7;
        let mut bytes = std::mem::take(&mut self.frame);
        (self.inside, self.bits, self.count) = (true, 0, 0);
        if !whole || bytes.len() < 4 {
            return;
        }
        let good = is_good(&bytes);
        bytes.truncate(bytes.len() - 2);
        frames.push(Frame { bytes, good });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(stream: &[u8]) -> Vec<Frame> {
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        for byte in stream {
            decoder.push(*byte, &mut frames);
        }
        frames
    }

    #[test]
    fn frames_come_back_as_they_were() {
        let sent = [
            vec![0xFF, 0x03, 0x06, 0x00],
            vec![0xFF; 260],
            (0..=255).collect::<Vec<u8>>(),
            vec![0x7E, 0x7D, 0x00, 0xFF, 0x1F, 0xF8],
        ];
        let mut encoder = Encoder::default();
        encoder.flags(10);
        for frame in &sent {
            encoder.frame(frame);
        }
        encoder.flags(3);
        let expected: Vec<Frame> =
            sent.into_iter().map(|bytes| Frame { bytes, good: true }).collect();
        let mut stream = encoder.take();
        assert_eq!(decode(&stream), expected);
        // Shifted by three bits, as a line delivers it.
        let mut shifted = vec![0; stream.len() + 1];
        for (at, byte) in stream.iter().enumerate() {
            shifted[at] |= byte << 3;
            shifted[at + 1] |= byte >> 5;
        }
        assert_eq!(decode(&shifted), expected);
        // In the third frame, behind ten flags and two frames.
        stream[400] ^= 0x10;
        assert_ne!(decode(&stream), expected);
        assert!(decode(&stream).iter().filter(|frame| frame.good).count() >= 2);
    }

    #[test]
    fn any_bits_are_taken() {
        let mut state = 1_u32;
        let noise: Vec<u8> = (0..200_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        assert!(decode(&noise).iter().all(|frame| frame.bytes.len() < MAX_FRAME));
        assert!(decode(&[0xFF; 1000]).is_empty());
        assert!(decode(&[0; 1000]).is_empty());
    }
}
