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

pub use decode::{Damage, Decoded, decode, starts_with_eol};
pub use encode::encode;

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

/// Reverses the bits of each byte: FillOrder 2 to 1 and back.
pub fn reverse_bits(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = byte.reverse_bits();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pages::bitmap::{Bitmap, Size};

    const CODINGS: [Coding; 6] = [
        Coding::MhRows,
        Coding::Mh { aligned: false },
        Coding::Mh { aligned: true },
        Coding::Mr { aligned: false },
        Coding::Mr { aligned: true },
        Coding::Mmr,
    ];

    /// Rows made of runs, because random bits have no long ones.
    fn page() -> impl Strategy<Value = Bitmap> {
        let run = prop_oneof![4 => 0..12_u32, 2 => 0..200_u32, 1 => 0..4000_u32];
        let row = (any::<bool>(), prop::collection::vec(run, 0..40));
        (1..3000_u32, prop::collection::vec(row, 1..12)).prop_map(|(width, rows)| {
            let mut page = Bitmap::white(Size::new(width, rows.len() as u32).unwrap());
            for (y, (copies, runs)) in rows.into_iter().enumerate() {
                let y = y as u32;
                if copies && y > 0 {
                    page.copy_row(y - 1, y);
                }
                let mut x = 0;
                for (i, run) in runs.into_iter().enumerate() {
                    if i % 2 == 1 {
                        page.blacken(y, x.min(width), (x + run).min(width));
                    }
                    x = (x + run).min(width);
                }
            }
            page
        })
    }

    proptest! {
        #[test]
        fn every_page_comes_back(page in page()) {
            for coding in CODINGS {
                let decoded = decode(&encode(&page, coding), coding, page.size());
                prop_assert_eq!(&decoded.page, &page, "{:?}", coding);
                prop_assert!(decoded.damage.is_none(), "{:?} {:?}", coding, decoded.damage);
            }
        }

        #[test]
        fn any_bytes_make_a_page(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            width in 1..3000_u32,
            lines in 1..300_u32,
        ) {
            let size = Size::new(width, lines).unwrap();
            for coding in CODINGS {
                let decoded = decode(&bytes, coding, size);
                prop_assert_eq!(decoded.page.size(), size);
                let again = decode(&encode(&decoded.page, coding), coding, size);
                prop_assert_eq!(again.page, decoded.page, "padding is not white");
            }
        }

        #[test]
        fn a_flipped_bit_costs_lines_and_never_more_than_the_page(
            page in page(), at in any::<prop::sample::Index>(), bit in 0..8_u8,
        ) {
            for coding in CODINGS {
                let mut bytes = encode(&page, coding);
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
                let decoded = decode(&bytes, coding, page.size());
                prop_assert!(decoded.damage.lines() <= page.size().lines());
                let marked: u32 = decoded.bad.iter().map(|lines| lines.end - lines.start).sum();
                prop_assert_eq!(marked, decoded.damage.lines(), "{:?}", decoded.bad);
            }
        }
    }

    #[test]
    fn a_bad_line_costs_one_line_in_mh() {
        let size = Size::new(1728, 5).unwrap();
        let mut page = Bitmap::white(size);
        for y in 0..5 {
            page.blacken(y, 100 + y, 200);
        }
        let coding = Coding::Mh { aligned: true };
        let mut bytes = encode(&page, coding);
        let eols: Vec<usize> =
            (0..bytes.len() - 1).filter(|&i| bytes[i] & 0x0f == 0 && bytes[i + 1] == 1).collect();
        assert_eq!(eols.len(), 5);
        // After the third EOL eight zeros and a one: no code begins like that.
        bytes[eols[2] + 2..eols[2] + 4].copy_from_slice(&[0x00, 0xff]);
        let decoded = decode(&bytes, coding, size);
        assert_eq!(decoded.damage.bad_lines, 1);
        assert_eq!(decoded.damage.longest, 1);
        assert_eq!(decoded.bad, vec![2..3]);
        assert_eq!(decoded.page.row(2), page.row(1), "repeats the line above");
        assert_eq!(decoded.page.row(4), page.row(4));
    }

    #[test]
    fn a_short_page_is_missing_lines() {
        let size = Size::new(1728, 100).unwrap();
        let short = Bitmap::white(Size::new(1728, 60).unwrap());
        for coding in CODINGS {
            let decoded = decode(&encode(&short, coding), coding, size);
            assert_eq!(decoded.damage.missing_lines, 40, "{coding:?}");
            assert_eq!(decoded.damage.bad_lines, 0, "{coding:?}");
        }
    }

    #[test]
    fn five_ends_of_line_do_not_end_the_page_and_six_do() {
        let size = Size::new(64, 9).unwrap();
        let eols = |count: usize| {
            let mut all = Vec::new();
            for _ in 0..count {
                all.extend_from_slice(&[0x00, 0x01]);
            }
            // A white line of 64, 0 pixels (11011 00110101), filled up with zeros.
            all.extend_from_slice(&[0b1101_1001, 0b1010_1000, 0x00, 0x01]);
            all.extend_from_slice(&[0b1101_1001, 0b1010_1000]);
            all
        };
        let coding = Coding::Mh { aligned: true };
        let five = decode(&eols(5), coding, size);
        assert_eq!((five.damage.bad_lines, five.damage.missing_lines), (4, 3));
        let six = decode(&eols(6), coding, size);
        assert_eq!((six.damage.bad_lines, six.damage.missing_lines), (0, 9));
        assert!(six.damage.block_ended);
    }
}
