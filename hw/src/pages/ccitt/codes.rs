//! The code words of T.4 tables 2 and 3 and of T.6 table 1, and the look-up
//! tables made of them when the program is compiled.

/// A code word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) bits: u16,
    pub(super) length: u8,
}

const fn code(text: &str) -> Code {
    let text = text.as_bytes();
    let mut bits = 0;
    let mut i = 0;
    while i < text.len() {
        bits = bits << 1 | (text[i] - b'0') as u16;
        i += 1;
    }
    Code { bits, length: text.len() as u8 }
}

const fn codes<const N: usize>(texts: [&str; N]) -> [Code; N] {
    let mut all = [Code { bits: 0, length: 0 }; N];
    let mut i = 0;
    while i < N {
        all[i] = code(texts[i]);
        i += 1;
    }
    all
}

/// End of line: eleven zeros and a one.
pub(super) const EOL: Code = code("000000000001");
pub(super) const PASS: Code = code("0001");
pub(super) const HORIZONTAL: Code = code("001");
/// Vertical, from three to the left over straight to three to the right.
pub(super) const VERTICAL: [Code; 7] =
    codes(["0000010", "000010", "010", "1", "011", "000011", "0000011"]);

/// Runs of 0 to 63 white pixels, then of 64, 128 and so on to 1728.
#[rustfmt::skip]
const WHITE: [Code; 91] = codes([
    "00110101", "000111", "0111", "1000", "1011", "1100", "1110", "1111",
    "10011", "10100", "00111", "01000", "001000", "000011", "110100", "110101",
    "101010", "101011", "0100111", "0001100", "0001000", "0010111", "0000011", "0000100",
    "0101000", "0101011", "0010011", "0100100", "0011000", "00000010", "00000011", "00011010",
    "00011011", "00010010", "00010011", "00010100", "00010101", "00010110", "00010111", "00101000",
    "00101001", "00101010", "00101011", "00101100", "00101101", "00000100", "00000101", "00001010",
    "00001011", "01010010", "01010011", "01010100", "01010101", "00100100", "00100101", "01011000",
    "01011001", "01011010", "01011011", "01001010", "01001011", "00110010", "00110011", "00110100",
    "11011", "10010", "010111", "0110111", "00110110", "00110111", "01100100", "01100101",
    "01101000", "01100111", "011001100", "011001101", "011010010", "011010011", "011010100",
    "011010101", "011010110", "011010111", "011011000", "011011001", "011011010", "011011011",
    "010011000", "010011001", "010011010", "011000", "010011011",
]);

/// Runs of black pixels, in the same order.
#[rustfmt::skip]
const BLACK: [Code; 91] = codes([
    "0000110111", "010", "11", "10", "011", "0011", "0010", "00011",
    "000101", "000100", "0000100", "0000101", "0000111", "00000100", "00000111", "000011000",
    "0000010111", "0000011000", "0000001000", "00001100111", "00001101000", "00001101100",
    "00000110111", "00000101000", "00000010111", "00000011000", "000011001010", "000011001011",
    "000011001100", "000011001101", "000001101000", "000001101001", "000001101010", "000001101011",
    "000011010010", "000011010011", "000011010100", "000011010101", "000011010110", "000011010111",
    "000001101100", "000001101101", "000011011010", "000011011011", "000001010100", "000001010101",
    "000001010110", "000001010111", "000001100100", "000001100101", "000001010010", "000001010011",
    "000000100100", "000000110111", "000000111000", "000000100111", "000000101000", "000001011000",
    "000001011001", "000000101011", "000000101100", "000001011010", "000001100110", "000001100111",
    "0000001111", "000011001000", "000011001001", "000001011011", "000000110011", "000000110100",
    "000000110101", "0000001101100", "0000001101101", "0000001001010", "0000001001011",
    "0000001001100", "0000001001101", "0000001110010", "0000001110011", "0000001110100",
    "0000001110101", "0000001110110", "0000001110111", "0000001010010", "0000001010011",
    "0000001010100", "0000001010101", "0000001011010", "0000001011011", "0000001100100",
    "0000001100101",
]);

/// Runs of 1792, 1856 and so on to 2560, of either colour.
#[rustfmt::skip]
const LONG: [Code; 13] = codes([
    "00000001000", "00000001100", "00000001101", "000000010010", "000000010011", "000000010100",
    "000000010101", "000000010110", "000000010111", "000000011100", "000000011101", "000000011110",
    "000000011111",
]);

/// Codes of the runs of a colour: 0 to 63, then 64, 128 and so on to [`LONGEST`].
pub(super) type Runs = [Code; RUNS];
const RUNS: usize = 91 + 13;
/// The longest run that one code says; what is longer is said by several.
pub(super) const LONGEST: u32 = 2560;

/// White first, then black.
pub(super) static RUN_CODES: [Runs; 2] = [with_long(&WHITE), with_long(&BLACK)];

const fn with_long(colour: &[Code; 91]) -> Runs {
    let mut all = [Code { bits: 0, length: 0 }; RUNS];
    let mut i = 0;
    while i < RUNS {
        all[i] = if i < 91 { colour[i] } else { LONG[i - 91] };
        i += 1;
    }
    all
}

/// The longest run code, in bits.
pub(super) const RUN_BITS: u32 = 13;
/// The longest mode code, in bits.
pub(super) const MODE_BITS: u32 = 7;

/// What the next [`RUN_BITS`] bits start with: the run in the upper twelve bits
/// and the length of its code in the lower four; 0 where no code fits.
pub(super) type RunTable = [u16; 1 << RUN_BITS];

/// White first, then black.
pub(super) static RUN_TABLES: [RunTable; 2] = [run_table(&WHITE), run_table(&BLACK)];

const fn run_table(colour: &[Code; 91]) -> RunTable {
    let codes = with_long(colour);
    let mut table = [0; 1 << RUN_BITS];
    let mut i = 0;
    while i < RUNS {
        let run = if i < 64 { i } else { (i - 63) * 64 };
        let free = RUN_BITS - codes[i].length as u32;
        let first = (codes[i].bits as usize) << free;
        let mut at = first;
        while at < first + (1 << free) {
            table[at] = (run as u16) << 4 | codes[i].length as u16;
            at += 1;
        }
        i += 1;
    }
    table
}

/// The ways of T.6 to say where the next change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Pass,
    Horizontal,
    Vertical(i8),
    /// No code, or one of an extension.
    None,
}

/// What the next [`MODE_BITS`] bits start with, and the length of the code.
pub(super) static MODES: [(Mode, u8); 1 << MODE_BITS] = modes();

const fn modes() -> [(Mode, u8); 1 << MODE_BITS] {
    let mut table = [(Mode::None, 0); 1 << MODE_BITS];
    let mut i = 0;
    while i < VERTICAL.len() + 2 {
        let (mode, code) = match i {
            7 => (Mode::Pass, PASS),
            8 => (Mode::Horizontal, HORIZONTAL),
            _ => (Mode::Vertical(i as i8 - 3), VERTICAL[i]),
        };
        let free = MODE_BITS - code.length as u32;
        let first = (code.bits as usize) << free;
        let mut at = first;
        while at < first + (1 << free) {
            table[at] = (mode, code.length);
            at += 1;
        }
        i += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_starts_with_another() {
        let modes = VERTICAL.iter().chain([&PASS, &HORIZONTAL, &EOL]);
        let sets = [
            RUN_CODES[0].iter().chain([&EOL]).copied().collect::<Vec<Code>>(),
            RUN_CODES[1].iter().chain([&EOL]).copied().collect(),
            modes.copied().collect(),
        ];
        for all in sets {
            for (i, a) in all.iter().enumerate() {
                for b in &all[i + 1..] {
                    let common = a.length.min(b.length);
                    assert_ne!(a.bits >> (a.length - common), b.bits >> (b.length - common));
                }
            }
        }
    }

    #[test]
    fn nothing_but_zeros_is_no_code() {
        // What follows the end of the data is zeros, and must never be taken for a line.
        assert!(RUN_TABLES.iter().all(|table| table[0] == 0));
        assert_eq!(MODES[0].0, Mode::None);
    }
}
