//! Coded pages to a TIFF-F file: little endian, each directory before its fractions
//! and its one strip, pages in order (RFC 3949 3, RFC 3249 5.1).

use super::{CleanData, CodedPage, Quality, tag};
use crate::pages::ccitt::{Coding, reverse_bits};

const SHORT: u16 = 3;
const LONG: u16 = 4;
const FRACTION: u16 = 5;
/// Bytes of the header, and so the place of the first directory.
const HEADER: usize = 8;

/// Which bit of a byte comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillOrder {
    /// FillOrder 1: the highest.
    HighestFirst,
    /// FillOrder 2: the lowest, as modems want it.
    LowestFirst,
}

/// The bytes of a file with these pages as they are.
#[must_use]
pub fn write(pages: &[CodedPage], order: FillOrder) -> Vec<u8> {
    put_pages(pages.iter().map(|page| (page, None)), order)
}

/// A page and what was wrong with it.
pub(super) struct Tagged {
    pub(super) page: CodedPage,
    pub(super) quality: Option<Quality>,
}

/// The same with the quality of each page.
pub(super) fn put_all(pages: &[Tagged], order: FillOrder) -> Vec<u8> {
    put_pages(pages.iter().map(|tagged| (&tagged.page, tagged.quality)), order)
}

fn put_pages<'a>(
    pages: impl ExactSizeIterator<Item = (&'a CodedPage, Option<Quality>)>,
    order: FillOrder,
) -> Vec<u8> {
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    debug_assert_eq!(file.len(), HEADER);
    let total = pages.len();
    for (i, (page, quality)) in pages.enumerate() {
        let mut entries = entries(page, (i, total), order);
        entries.extend(quality.into_iter().flat_map(quality_entries));
        put_page(&mut file, page, entries, order, i + 1 == total);
    }
    file
}

/// Number, type, count and value.
type Entry = (u16, u16, u32, u32);

fn put_page(
    file: &mut Vec<u8>,
    page: &CodedPage,
    mut entries: Vec<Entry>,
    order: FillOrder,
    last: bool,
) {
    let start = file.len();
    let fractions = start + 2 + entries.len() * 12 + 4;
    let strip = fractions + 16;
    let end = (strip + page.bytes.len()).next_multiple_of(2);
    for entry in &mut entries {
        match entry.0 {
            tag::X_RESOLUTION => entry.3 = fractions as u32,
            tag::Y_RESOLUTION => entry.3 = fractions as u32 + 8,
            tag::STRIP_OFFSETS => entry.3 = strip as u32,
            _ => {}
        }
    }
    file.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    for (number, kind, count, value) in entries {
        file.extend_from_slice(&number.to_le_bytes());
        file.extend_from_slice(&kind.to_le_bytes());
        file.extend_from_slice(&count.to_le_bytes());
        // A SHORT lies in the first two bytes, which little endian does by itself.
        file.extend_from_slice(&value.to_le_bytes());
    }
    let next = if last { 0 } else { end as u32 };
    file.extend_from_slice(&next.to_le_bytes());
    for dots in [page.density.x, page.density.y] {
        let (above, below) = fraction(dots);
        file.extend_from_slice(&above.to_le_bytes());
        file.extend_from_slice(&below.to_le_bytes());
    }
    file.extend_from_slice(&page.bytes);
    if order == FillOrder::LowestFirst {
        reverse_bits(&mut file[strip..]);
    }
    file.resize(end, 0);
}

/// Ascending; places are filled in later.
fn entries(page: &CodedPage, (index, total): (usize, usize), order: FillOrder) -> Vec<Entry> {
    let (compression, options) = match page.coding {
        Coding::MhRows => (2, None),
        Coding::Mh { aligned } => (3, Some((tag::T4_OPTIONS, t4(aligned, 0)))),
        Coding::Mr { aligned } => (3, Some((tag::T4_OPTIONS, t4(aligned, tag::T4_TWO_DIMENSIONS)))),
        Coding::Mmr => (4, Some((tag::T6_OPTIONS, 0))),
    };
    let fill_order = match order {
        FillOrder::HighestFirst => 1,
        FillOrder::LowestFirst => 2,
    };
    let number = (index.min(0xffff) | total.min(0xffff) << 16) as u32;
    let mut all = vec![
        (tag::NEW_SUBFILE_TYPE, LONG, 1, 2),
        (tag::IMAGE_WIDTH, LONG, 1, page.size.width()),
        (tag::IMAGE_LENGTH, LONG, 1, page.size.lines()),
        (tag::BITS_PER_SAMPLE, SHORT, 1, 1),
        (tag::COMPRESSION, SHORT, 1, compression),
        (tag::PHOTOMETRIC, SHORT, 1, page.inverted.into()),
        (tag::FILL_ORDER, SHORT, 1, fill_order),
        (tag::STRIP_OFFSETS, LONG, 1, 0),
        (tag::SAMPLES_PER_PIXEL, SHORT, 1, 1),
        (tag::ROWS_PER_STRIP, LONG, 1, page.size.lines()),
        (tag::STRIP_BYTE_COUNTS, LONG, 1, page.bytes.len() as u32),
        (tag::X_RESOLUTION, FRACTION, 1, 0),
        (tag::Y_RESOLUTION, FRACTION, 1, 0),
    ];
    all.extend(options.map(|(number, value)| (number, LONG, 1, value)));
    all.push((tag::RESOLUTION_UNIT, SHORT, 1, 2));
    all.push((tag::PAGE_NUMBER, SHORT, 2, number));
    all
}

/// They come after all others.
fn quality_entries(quality: Quality) -> [Entry; 3] {
    let clean = match quality.clean {
        CleanData::Clean => 0,
        CleanData::Regenerated => 1,
        CleanData::Bad => 2,
    };
    [
        (tag::BAD_FAX_LINES, LONG, 1, quality.bad_lines),
        (tag::CLEAN_FAX_DATA, SHORT, 1, clean),
        (tag::CONSECUTIVE_BAD_FAX_LINES, LONG, 1, quality.longest),
    ]
}

fn t4(aligned: bool, two_dimensions: u32) -> u32 {
    two_dimensions | if aligned { tag::T4_ALIGNED } else { 0 }
}

/// Whole dots an inch stay whole.
fn fraction(dots: f32) -> (u32, u32) {
    if dots.fract() == 0.0 { (dots as u32, 1) } else { ((dots * 1000.0) as u32, 1000) }
}
