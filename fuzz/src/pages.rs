//! What comes in as pages: coded lines, and files of them.

use postfax_hw::pages::{
    bitmap::Size,
    ccitt::{Coding, Options, decode, encode_with, lines_of},
    tiff::{File, FillOrder, write},
};

/// Coded lines of a width and a length that the first three octets say: a page of that
/// size, which comes back when it is coded in any way.
pub fn codec(octets: &[u8]) {
    let [width, more, lines, coded @ ..] = octets else { return };
    let width = u32::from(*width) | u32::from(*more % 20) << 8;
    let Some(size) = Size::new(width, u32::from(*lines)) else { return };
    for coding in Coding::ALL {
        let read = decode(coded, coding, size);
        assert_eq!(read.page.size(), size);
        assert!(read.damage.lines() <= size.lines());
        assert!(read.damage.longest <= read.damage.bad_lines);
        // It makes room for the longest page that there is: for some of them only.
        if read.damage.is_none() && *more == 7 {
            let measured = lines_of(coded, coding, width).unwrap_or(0);
            assert!(measured >= size.lines(), "{measured} lines");
        }
        let options = Options { k: u32::from(*lines) % 9, ..Options::default() };
        let again = decode(&encode_with(&read.page, coding, &options), coding, size);
        assert_eq!(again.page, read.page, "{coding:?}");
        assert!(again.damage.is_none(), "{coding:?} {:?}", again.damage);
    }
}

/// A file of pages: refused, or all of its fax pages can be read, and written again.
pub fn tiff(octets: &[u8]) {
    for head in [&b""[..], b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"] {
        let Ok(file) = File::parse([head, octets].concat()) else { continue };
        let all: Vec<_> = (0..file.pages().len()).filter_map(|i| file.coded(i).ok()).collect();
        if all.is_empty() {
            continue;
        }
        let again = File::parse(write(&all, FillOrder::LowestFirst)).map(|file| file.pages().len());
        assert!(again.is_ok_and(|pages| pages == all.len()), "written and not read");
        for page in &all {
            assert_eq!(page.decode().page.size(), page.size);
        }
    }
}
