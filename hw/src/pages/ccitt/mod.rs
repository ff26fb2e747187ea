//! T.4 (MH, MR) and T.6 (MMR): how pages travel on a telephone line and lie in
//! TIFF-F. Coding and decoding only; files are [`super::tiff`]'s.
//!
//! Why not a crate: what exists codes T.6 only, reads no MR, counts no bad
//! lines, and reports success for damaged data.

mod bits;
mod codes;
mod decode;
mod encode;
mod lines;
mod row;

pub use decode::{Damage, Decoded, decode, lines_of, starts_with_eol};
pub use encode::{End, MinScanTime, Options, encode, encode_with, largest_k};
pub use row::Extension;

/// How the lines of a page are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// MH without ends of line; each line starts at a byte (TIFF compression 2).
    MhRows,
    /// T.4 in one dimension, an EOL before each line.
    Mh {
        /// Fill bits make each EOL end at a byte (T4Options bit 2).
        aligned: bool,
    },
    /// T.4 in two dimensions.
    Mr {
        /// Fill bits make each EOL end at a byte (T4Options bit 2).
        aligned: bool,
    },
    /// T.6.
    Mmr,
}

impl Coding {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::MhRows,
        Self::Mh { aligned: false },
        Self::Mh { aligned: true },
        Self::Mr { aligned: false },
        Self::Mr { aligned: true },
        Self::Mmr,
    ];
}

/// Reverses the bits of each byte: FillOrder 2 to 1 and back.
pub fn reverse_bits(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = byte.reverse_bits();
    }
}

#[cfg(test)]
mod tests;
