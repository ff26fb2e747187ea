//! Reading and writing bits, the highest bit of a byte first. Reading past the
//! end gives zeros and never fails, and no code of T.4 or T.6 is all zeros: so a
//! line that runs into the end is refused by the tables themselves.

/// Bits that [`Reader::fill`] makes ready, at least.
pub(super) const READY: u32 = 32;

/// Reads bits through a word that is filled up eight bytes at a time.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// The byte that is read next; past the end where zeros were given.
    next: usize,
    /// The bits that come next, from the highest on.
    word: u64,
    /// How many of them count.
    left: u32,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, next: 0, word: 0, left: 0 }
    }

    /// Makes [`READY`] bits ready to be looked at and skipped.
    #[inline]
    pub(super) fn fill(&mut self) {
        if self.left < READY {
            let word = match self.bytes.get(self.next..self.next + 8) {
                Some(eight) => u64::from_be_bytes(eight.try_into().expect("it has eight bytes")),
                None => self.tail(),
            };
            self.word |= word >> self.left;
            let taken = (63 - self.left) / 8;
            self.next += taken as usize;
            self.left += taken * 8;
        }
    }

    #[cold]
    fn tail(&self) -> u64 {
        let rest = self.bytes.get(self.next..).unwrap_or_default();
        rest.iter().enumerate().fold(0, |word, (i, b)| word | u64::from(*b) << (56 - 8 * i))
    }

    /// The next `count` bits (1 to [`READY`]) without taking them. They are ready.
    #[inline]
    pub(super) fn look(&self, count: u32) -> usize {
        (self.word >> (64 - count)) as usize
    }

    /// How many ones come next; of those that are ready.
    #[inline]
    pub(super) fn ones(&self) -> u32 {
        self.word.leading_ones().min(self.left)
    }

    /// Takes bits that are ready.
    #[inline]
    pub(super) fn skip(&mut self, count: u32) {
        debug_assert!(count <= self.left);
        self.word <<= count;
        self.left -= count;
    }

    /// The next `count` bits (1 to [`READY`]), ready or not.
    pub(super) fn peek(&mut self, count: u32) -> usize {
        self.fill();
        self.look(count)
    }

    /// Takes the next bit.
    pub(super) fn bit(&mut self) -> bool {
        self.fill();
        let bit = self.look(1) == 1;
        self.skip(1);
        bit
    }

    fn at(&self) -> usize {
        self.next * 8 - self.left as usize
    }

    fn seek(&mut self, at: usize) {
        *self = Self { next: at / 8, word: 0, left: 0, ..*self };
        self.fill();
        self.skip((at % 8) as u32);
    }

    /// To the start of the next byte, unless at one.
    pub(super) fn align(&mut self) {
        self.skip(self.left % 8);
    }

    /// How many zeros come before the next one; `None` when no one comes any more.
    pub(super) fn zeros(&mut self) -> Option<usize> {
        self.fill();
        if self.word != 0 {
            return Some(self.word.leading_zeros() as usize);
        }
        let at = self.at();
        // Everything up to the byte that `left` ends in is zero, so whole bytes do.
        let from = self.next.min(self.bytes.len());
        let more = self.bytes[from..].iter().position(|byte| *byte != 0)?;
        let byte = from + more;
        Some(byte * 8 + self.bytes[byte].leading_zeros() as usize - at)
    }

    /// Takes any number of bits, ready or not.
    pub(super) fn pass(&mut self, count: usize) {
        match u32::try_from(count) {
            Ok(count) if count <= self.left => self.skip(count),
            _ => self.seek(self.at() + count),
        }
    }
}

/// Collects bits.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    /// The last bits, the newest in the lowest.
    word: u64,
    /// How many of them are not among the bytes yet; below 32.
    used: u32,
}

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), word: 0, used: 0 }
    }

    /// Appends the lowest `count` bits (at most 32) of `bits`; all others are zero.
    #[inline]
    pub(super) fn put(&mut self, bits: u32, count: u32) {
        debug_assert!(count == 32 || bits >> count == 0);
        self.word = self.word << count | u64::from(bits);
        self.used += count;
        if self.used >= 32 {
            self.used -= 32;
            let full = (self.word >> self.used) as u32;
            self.bytes.extend_from_slice(&full.to_be_bytes());
        }
    }

    /// Appends `count` bits of one kind.
    pub(super) fn repeat(&mut self, bit: bool, mut count: usize) {
        let bits = if bit { u32::MAX } else { 0 };
        while count >= 32 {
            self.put(bits, 32);
            count -= 32;
        }
        if count > 0 {
            self.put(bits >> (32 - count), count as u32);
        }
    }

    /// Bits so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() * 8 + self.used as usize
    }

    /// Fills up with zeros so that the code of `count` bits that follows ends at a byte.
    pub(super) fn align_for(&mut self, count: u32) {
        let over = (self.used + count) % 8;
        if over != 0 {
            self.put(0, 8 - over);
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.align_for(0);
        let left = (self.used / 8) as usize;
        let last = (self.word as u32).to_be_bytes();
        self.bytes.extend_from_slice(&last[4 - left..]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let pattern = |i: u32| (0x5AA5_5A5A ^ i) & (u32::MAX >> (32 - i));
        let mut writer = Writer::default();
        let mut bits = 0;
        for i in (1..=32).chain((1..=32).rev()) {
            writer.put(pattern(i), i);
            bits += i as usize;
            assert_eq!(writer.len(), bits);
        }
        writer.repeat(true, 77);
        writer.repeat(false, 40);
        writer.repeat(true, 1);
        let bytes = writer.finish();
        assert_eq!(bytes.len(), (bits + 118).div_ceil(8));
        let mut reader = Reader::new(&bytes);
        for i in (1..=32).chain((1..=32).rev()) {
            assert_eq!(reader.peek(i), pattern(i) as usize);
            reader.pass(i as usize);
        }
        for _ in 0..77 {
            assert!(reader.bit());
        }
        assert_eq!(reader.zeros(), Some(40));
        reader.pass(41);
        assert_eq!(reader.zeros(), None);
    }

    #[test]
    fn counts_zeros_from_anywhere() {
        let mut bytes = vec![0b0001_0000, 0, 0b0000_0100];
        bytes.extend([0; 20]);
        bytes.push(0b0010_0000);
        bytes.extend([0; 9]);
        for start in 0..210 {
            let mut reader = Reader::new(&bytes);
            reader.pass(start);
            let one = [3, 21, 186].into_iter().find(|one| *one >= start);
            assert_eq!(reader.zeros(), one.map(|one| one - start), "from {start}");
        }
    }

    #[test]
    fn aligning_stays_where_a_byte_starts() {
        let mut reader = Reader::new(&[0xff, 0x01, 0x80]);
        reader.align();
        assert_eq!(reader.peek(8), 0xff);
        reader.pass(3);
        reader.align();
        assert_eq!(reader.peek(8), 0x01);
        reader.pass(8);
        reader.align();
        assert_eq!(reader.peek(1), 1);
    }
}
