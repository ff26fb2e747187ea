//! Data between a Class 1 modem and its program: what stands for itself, and `DLE ETX` at
//! the end (T.31).

/// Begins what does not stand for itself.
const DLE: u8 = 0x10;
const ETX: u8 = 0x03;
/// Two `DLE`s in one.
const SUB: u8 = 0x1A;

/// The end of data.
pub(super) const END: [u8; 2] = [DLE, ETX];
/// Ends a reception (T.31: any byte does).
pub(super) const CANCEL: u8 = 0x18;

/// Puts data so that no end is in it.
pub(super) fn stuff(data: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(data.len() + data.len() / 64 + 2);
    for byte in data {
        if *byte == DLE {
            stuffed.push(DLE);
        }
        stuffed.push(*byte);
    }
    stuffed
}

/// Takes the data out again.
#[derive(Debug, Default)]
pub(super) struct Unstuffing {
    shielded: bool,
}

/// What a byte turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// Nothing yet, or nothing that is known.
    None,
    /// A byte of data.
    One(u8),
    /// Two of them.
    Two(u8, u8),
    /// The end.
    End,
}

impl Unstuffing {
    /// Takes the next byte.
    pub(super) fn push(&mut self, byte: u8) -> Piece {
        match (std::mem::take(&mut self.shielded), byte) {
            (false, DLE) => {
                self.shielded = true;
                Piece::None
            }
            (false, byte) => Piece::One(byte),
            (true, DLE) => Piece::One(DLE),
            (true, SUB) => Piece::Two(DLE, DLE),
            (true, ETX) => Piece::End,
            (true, _) => Piece::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_comes_back_and_has_an_end() {
        let data: Vec<u8> = (0..=255).chain([DLE, DLE, ETX, DLE, SUB]).collect();
        let mut stuffed = stuff(&data);
        stuffed.extend(END);
        let mut unstuffing = Unstuffing::default();
        let mut taken = Vec::new();
        let mut ends = 0;
        for byte in stuffed {
            match unstuffing.push(byte) {
                Piece::None => {}
                Piece::One(byte) => taken.push(byte),
                Piece::Two(one, two) => taken.extend([one, two]),
                Piece::End => ends += 1,
            }
        }
        assert_eq!((taken, ends), (data, 1));
        assert_eq!(unstuffing.push(DLE), Piece::None);
        assert_eq!(unstuffing.push(SUB), Piece::Two(DLE, DLE));
    }
}
