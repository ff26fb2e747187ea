//! Pages there and back, damage, and bytes that mean nothing.

use postfax_domain::document::Resolution;
use proptest::prelude::*;

use super::*;
use crate::pages::bitmap::{Bitmap, Size};

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
        for coding in Coding::ALL {
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
        for coding in Coding::ALL {
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
        for coding in Coding::ALL {
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
    for coding in Coding::ALL {
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

/// Lines that all differ, and a little.
fn slanted(width: u32, lines: u32) -> Bitmap {
    let mut page = Bitmap::white(Size::new(width, lines).unwrap());
    for y in 0..lines {
        page.blacken(y, 20 + y, 40 + 2 * y);
        page.blacken(y, 60 + 2 * y, width - y);
    }
    page
}

fn bits(page: &Bitmap, coding: Coding, options: Options) -> usize {
    let bytes = encode_with(page, coding, &options);
    let decoded = decode(&bytes, coding, page.size());
    assert_eq!(decoded.page, *page, "{coding:?} {options:?}");
    assert!(decoded.damage.is_none(), "{coding:?} {options:?}");
    assert_eq!(decoded.damage.block_ended, options.end == End::Rtc || coding == Coding::Mmr);
    bytes.len() * 8
}

#[test]
fn rtc_is_written_on_request() {
    let page = slanted(1728, 40);
    for (coding, rtc) in
        [(Coding::Mh { aligned: true }, 6 * 12), (Coding::Mr { aligned: true }, 6 * 13)]
    {
        let open = bits(&page, coding, Options::default());
        let ended = bits(&page, coding, Options { end: End::Rtc, ..Options::default() });
        // The first EOL is aligned, and the last byte filled up.
        assert!((rtc - 8..=rtc + 16).contains(&(ended - open)), "{coding:?} {}", ended - open);
    }
    // In T.6 there is no RTC, and no fill either.
    let options = Options { end: End::Rtc, min_line_bits: 900, ..Options::default() };
    assert_eq!(encode_with(&page, Coding::Mmr, &options), encode(&page, Coding::Mmr));
}

#[test]
fn short_lines_are_filled_up_to_the_time_that_the_receiver_needs() {
    for (time, rate, expected) in [
        (MinScanTime::Ms0, 14_400, 0),
        (MinScanTime::Ms5, 14_400, 72),
        (MinScanTime::Ms10, 9_600, 96),
        (MinScanTime::Ms20, 14_400, 288),
        (MinScanTime::Ms40, 2_400, 96),
        (MinScanTime::Ms5, 7_300, 37),
    ] {
        assert_eq!(time.bits(rate), expected, "{time:?}");
    }
    let white = Bitmap::white(Size::new(1728, 40).unwrap());
    for min_line_bits in [72, 96, 288] {
        for coding in [Coding::Mh { aligned: false }, Coding::Mr { aligned: false }] {
            let filled = bits(&white, coding, Options { min_line_bits, ..Options::default() });
            assert_eq!(filled, min_line_bits as usize * 40, "{coding:?}");
        }
    }
}

#[test]
fn k_says_how_many_lines_lean_on_one() {
    let page = slanted(1728, 64);
    let (mh, mr) = (Coding::Mh { aligned: false }, Coding::Mr { aligned: false });
    let alone = bits(&page, mh, Options::default());
    let with = |k| bits(&page, mr, Options { k, ..Options::default() });
    // One tag bit for each line is all that K 1 adds.
    assert_eq!(with(1), alone + 64);
    assert_eq!(with(0), with(1));
    assert!(with(8) < with(4) && with(4) < with(2) && with(2) < with(1));
    assert_eq!(Resolution::ALL.map(largest_k), [2, 4, 8, 6, 8]);
}

#[test]
fn damage_in_mr_ends_at_the_next_line_that_stands_alone() {
    let page = slanted(1728, 12);
    let coding = Coding::Mr { aligned: true };
    let mut bytes = encode(&page, coding);
    let eols: Vec<usize> =
        (0..bytes.len() - 1).filter(|&i| bytes[i] & 0x0f == 0 && bytes[i + 1] == 1).collect();
    assert_eq!(eols.len(), 12);
    // Line 5 leans on line 4; 8 is the next that does not lean.
    bytes[eols[5] + 2] = 0x00;
    let decoded = decode(&bytes, coding, page.size());
    assert_eq!((decoded.damage.bad_lines, decoded.damage.longest), (3, 3));
    for y in 0..12 {
        let expected = if (5..8).contains(&y) { 4 } else { y };
        assert_eq!(decoded.page.row(y), page.row(expected), "line {y}");
    }
}

#[test]
fn ways_of_coding_that_nobody_agreed_on_are_refused_by_name() {
    let size = Size::new(64, 3).unwrap();
    let mh = Coding::Mh { aligned: false };
    for (coding, bytes, expected) in [
        (Coding::Mmr, &[0b0000_0011, 0b1100_0000][..], Extension::Uncompressed),
        (Coding::Mmr, &[0b0000_0010, 0b1100_0000], Extension::Other(3)),
        (Coding::MhRows, &[0b0000_0000, 0b1111_0000], Extension::Uncompressed),
        (mh, &[0, 0b0001_0000, 0b0000_1000], Extension::Other(0)),
    ] {
        let damage = decode(bytes, coding, size).damage;
        assert_eq!(damage.extension, Some(expected), "{coding:?}");
        assert!(damage.bad_lines > 0);
    }
    assert_eq!(Extension::Uncompressed.to_string(), "uncompressed mode");
    assert_eq!(Extension::Other(3).to_string(), "extension 011");
    let sound = decode(&encode(&slanted(1728, 3), Coding::Mmr), Coding::Mmr, size);
    assert_eq!(sound.damage.extension, None);
}

#[test]
fn lines_are_counted_up_to_the_last_good_one() {
    let page = slanted(300, 33);
    for coding in Coding::ALL {
        assert_eq!(lines_of(&encode(&page, coding), coding, 300), Some(33), "{coding:?}");
    }
    assert_eq!(lines_of(&[], Coding::Mmr, 300), None);
    assert_eq!(lines_of(&[0; 50], Coding::Mmr, 300), None);
    // Any number of white lines, a bit each: as many as a page may have.
    assert_eq!(lines_of(&[0xff; 9000], Coding::Mmr, 300), Some(40_000));
}

#[test]
fn steps_of_nothing_in_mmr_are_damage_because_nobody_reads_them_alike() {
    // Two pixels: black from 0 on (VL2), and back to white at 0 (VL2 again).
    let size = Size::new(2, 2).unwrap();
    for bytes in [&[0b0000_1000, 0b0010_1111][..], &[0b0010_0110, 0b1010_0001, 0b1011_1111]] {
        assert_eq!(decode(bytes, Coding::Mmr, size).damage.bad_lines, 2, "{bytes:?}");
    }
    // At the start of a line black from 0 on is sound.
    let mut page = Bitmap::white(size);
    page.blacken(1, 0, 2);
    let decoded = decode(&encode(&page, Coding::Mmr), Coding::Mmr, size);
    assert!(decoded.page == page && decoded.damage.is_none());
}
