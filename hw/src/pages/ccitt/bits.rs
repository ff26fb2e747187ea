//! Reading and writing bits, the highest bit of a byte first. Reading past the
//! end gives zeros and never fails: the decoder asks [`Reader::at_end`].

/// Reads bits.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// In bits; never beyond the end by more than one code.
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `count` bits (1 to 32) without taking them.
    #[inline]
    pub(super) fn peek(&self, count: u32) -> u32 {
        let byte = self.at / 8;
        let word = match self.bytes.get(byte..byte + 8) {
            Some(eight) => u64::from_be_bytes(eight.try_into().expect("the slice has eight bytes")),
            None => {
                let rest = self.bytes.get(byte..).unwrap_or_default();
                rest.iter().enumerate().fold(0, |word, (i, b)| word | u64::from(*b) << (56 - 8 * i))
            }
        };
        ((word << (self.at % 8)) >> (64 - count)) as u32
    }

    #[inline]
    pub(super) fn skip(&mut self, count: u32) {
        self.at += count as usize;
    }

    pub(super) fn bit(&mut self) -> bool {
        let bit = self.peek(1) == 1;
        self.skip(1);
        bit
    }

    pub(super) fn at_end(&self) -> bool {
        self.at >= self.bytes.len() * 8
    }

    /// To the start of the next byte, unless at one.
    pub(super) fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }

    /// How many zeros come before the next one; `None` when no one comes any more.
    pub(super) fn zeros(&self) -> Option<u32> {
        let mut zeros = 0_usize;
        let head = self.peek(8 - (self.at % 8) as u32);
        let width = 8 - self.at % 8;
        if self.at_end() {
            return None;
        }
        if head != 0 {
            return Some(head.leading_zeros() - (32 - width as u32));
        }
        zeros += width;
        for byte in &self.bytes[self.at / 8 + 1..] {
            if *byte != 0 {
                zeros += byte.leading_zeros() as usize;
                return u32::try_from(zeros).ok();
            }
            zeros += 8;
        }
        None
    }
}

/// Collects bits.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    word: u64,
    used: u32,
}

impl Writer {
    /// Appends the lowest `count` bits (at most 24) of `bits`.
    #[inline]
    pub(super) fn put(&mut self, bits: u32, count: u32) {
        self.word |= u64::from(bits) << (64 - self.used - count);
        self.used += count;
        if self.used >= 32 {
            self.bytes.extend_from_slice(&((self.word >> 32) as u32).to_be_bytes());
            self.word <<= 32;
            self.used -= 32;
        }
    }

    /// Fills up with zeros so that the code of `count` bits that follows ends at a byte.
    pub(super) fn align_for(&mut self, count: u32) {
        let over = (self.used + count) % 8;
        if over != 0 {
            self.put(0, 8 - over);
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let left = self.used.div_ceil(8) as usize;
        self.bytes.extend_from_slice(&self.word.to_be_bytes()[..left]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::default();
        for i in 1..=24_u32 {
            writer.put((0xA5_5A5A ^ i) & ((1 << i) - 1), i);
        }
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        for i in 1..=24_u32 {
            assert_eq!(reader.peek(i), (0xA5_5A5A ^ i) & ((1 << i) - 1));
            reader.skip(i);
        }
    }

    #[test]
    fn counts_zeros_from_anywhere() {
        let bytes = [0b0001_0000, 0, 0b0000_0100, 0];
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.zeros(), Some(3));
        reader.skip(4);
        assert_eq!(reader.zeros(), Some(17));
        reader.skip(18);
        assert_eq!(reader.zeros(), None);
    }
}
