//! Where the coded lines of a page are in the file, and what they are. As lenient as
//! RFC 3249 5.2.3.1 asks, and bounded: what a file leaves out or says wrong is taken from
//! the data, never from behind the next thing that is in the file.

use std::{fmt, ops::Range};

use super::{
    FillOrder, TiffError,
    ifd::{Bytes, Ifd},
    tag,
};
use crate::pages::{
    bitmap::{MAX_LINES, Size},
    ccitt::{self, Coding, lines_of, reverse_bits},
};

/// Why a page is no fax page, though a TIFF may have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusual {
    /// Another compression, by its number.
    Compression(u32),
    /// Grey or colour.
    Colour,
    /// T.6 or T.4 with its uncompressed mode.
    UncompressedMode,
    /// No strips, or no size.
    NoStrips,
}

impl fmt::Display for Unusual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compression(number) => write!(f, "compression {number}"),
            Self::Colour => f.write_str("grey or colour"),
            Self::UncompressedMode => f.write_str("uncompressed mode"),
            Self::NoStrips => f.write_str("no strips"),
        }
    }
}

/// The coded lines of a page.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) size: Size,
    pub(super) coding: Coding,
    pub(super) inverted: bool,
    pub(super) bit_order: FillOrder,
    pub(super) rows_per_strip: u32,
    pub(super) strips: Vec<Range<usize>>,
}

/// A layout that may not know its lines yet.
#[derive(Debug)]
pub(super) struct Draft {
    width: u32,
    /// `None` where the file does not say, or says what no page can have.
    pub(super) lines: Option<u32>,
    rows_per_strip: Option<u32>,
    coding: Coding,
    inverted: bool,
    bit_order: FillOrder,
    strips: Vec<Range<usize>>,
}

impl Draft {
    /// Reads the tags; `starts` are the places where something of the file starts.
    pub(super) fn read(
        ifd: &Ifd<'_>,
        starts: &[usize],
    ) -> Result<Result<Self, Unusual>, TiffError> {
        let one = |tag| ifd.first(tag).unwrap_or(1) == 1;
        if !one(tag::BITS_PER_SAMPLE) || !one(tag::SAMPLES_PER_PIXEL) {
            return Ok(Err(Unusual::Colour));
        }
        let coding = match coding(ifd) {
            Ok(coding) => coding,
            Err(what) => return Ok(Err(what)),
        };
        let Some(width) = ifd.number(tag::IMAGE_WIDTH) else {
            return Err(TiffError::Broken("a page has no width"));
        };
        if Size::new(width, 1).is_none() {
            return Err(TiffError::TooLarge("a page is too wide or empty"));
        }
        let Some(offsets) = ifd.numbers(tag::STRIP_OFFSETS)? else {
            return Ok(Err(Unusual::NoStrips));
        };
        let counts = ifd.numbers(tag::STRIP_BYTE_COUNTS)?.unwrap_or_default();
        let lines = ifd.number(tag::IMAGE_LENGTH).filter(|lines| (1..=MAX_LINES).contains(lines));
        Ok(Ok(Self {
            width,
            lines,
            rows_per_strip: ifd.number(tag::ROWS_PER_STRIP).filter(|rows| *rows > 0),
            coding,
            inverted: ifd.number(tag::PHOTOMETRIC) == Some(1),
            bit_order: match ifd.number(tag::FILL_ORDER) {
                Some(2) => FillOrder::LowestFirst,
                _ => FillOrder::HighestFirst,
            },
            strips: strips(&offsets, &counts, starts)?,
        }))
    }

    /// Counts the lines where the file does not say how many there are.
    pub(super) fn finish(mut self, bytes: Bytes<'_>) -> Result<Layout, TiffError> {
        const NO_LENGTH: TiffError = TiffError::Broken("a page has no length and no lines");
        let strips = self.strips.len() as u32;
        let lines = match self.lines {
            Some(lines) => lines,
            None => {
                let before = match strips {
                    1 => 0,
                    _ => {
                        let rows = self.rows_per_strip.ok_or(NO_LENGTH)?;
                        rows.checked_mul(strips - 1).ok_or(NO_LENGTH)?
                    }
                };
                let last = bytes.piece(self.strips[self.strips.len() - 1].clone());
                let (last, coding) = coded_strip(last, self.coding, self.bit_order);
                lines_of(&last, coding, self.width).unwrap_or(0).saturating_add(before)
            }
        };
        if lines == 0 {
            return Err(NO_LENGTH);
        }
        let size =
            Size::new(self.width, lines).ok_or(TiffError::TooLarge("a page is too large"))?;
        let rows = match (strips, self.rows_per_strip) {
            // One strip holds the page, whatever the tag claims.
            (1, _) => lines,
            (_, Some(rows)) if rows < lines => rows,
            // Several strips that are said to hold all of it each.
            _ => lines.div_ceil(strips),
        };
        self.strips.truncate(lines.div_ceil(rows) as usize);
        Ok(Layout {
            size,
            coding: self.coding,
            inverted: self.inverted,
            bit_order: self.bit_order,
            rows_per_strip: rows,
            strips: self.strips,
        })
    }
}

/// The bytes of a strip with the highest bit first, and how they are coded.
pub(super) fn coded_strip(piece: &[u8], coding: Coding, bit_order: FillOrder) -> (Vec<u8>, Coding) {
    let mut bytes = piece.to_vec();
    if bit_order == FillOrder::LowestFirst {
        reverse_bits(&mut bytes);
    }
    let coding = match coding {
        // Compression 2 has no ends of line, but some write T.4 under its number.
        Coding::MhRows if ccitt::starts_with_eol(&bytes) => Coding::Mh { aligned: false },
        coding => coding,
    };
    (bytes, coding)
}

fn coding(ifd: &Ifd<'_>) -> Result<Coding, Unusual> {
    let compression = ifd.number(tag::COMPRESSION).unwrap_or(1);
    let options = match compression {
        3 => ifd.number(tag::T4_OPTIONS).unwrap_or(0),
        4 => ifd.number(tag::T6_OPTIONS).unwrap_or(0),
        _ => 0,
    };
    if options & tag::UNCOMPRESSED_MODE != 0 {
        return Err(Unusual::UncompressedMode);
    }
    let aligned = options & tag::T4_ALIGNED != 0;
    match compression {
        2 => Ok(Coding::MhRows),
        3 if options & tag::T4_TWO_DIMENSIONS != 0 => Ok(Coding::Mr { aligned }),
        3 => Ok(Coding::Mh { aligned }),
        4 => Ok(Coding::Mmr),
        other => Err(Unusual::Compression(other)),
    }
}

/// Where something starts: directories, strips and the end of the file, ascending.
pub(super) fn starts(ifds: &[Ifd<'_>], file_bytes: usize) -> Vec<usize> {
    let offsets =
        |ifd: &Ifd<'_>| ifd.numbers(tag::STRIP_OFFSETS).ok().flatten().unwrap_or_default();
    let strips = ifds.iter().flat_map(offsets).map(|offset| offset as usize);
    let mut all: Vec<usize> = strips.chain(ifds.iter().map(|ifd| ifd.at)).collect();
    all.retain(|start| *start < file_bytes);
    all.push(file_bytes);
    all.sort_unstable();
    all
}

/// A strip without a length, or with one that leaves the file, goes on until something
/// else starts.
fn strips(
    offsets: &[u32],
    counts: &[u32],
    starts: &[usize],
) -> Result<Vec<Range<usize>>, TiffError> {
    let file_bytes = starts.last().copied().unwrap_or(0);
    let strip = |(i, offset): (usize, &u32)| {
        let start = *offset as usize;
        if start >= file_bytes {
            return Err(TiffError::Broken("a strip is outside the file"));
        }
        let count = counts.get(i).map_or(0, |count| *count as usize);
        let end = start.saturating_add(count);
        if count > 0 && end <= file_bytes {
            return Ok(start..end);
        }
        let following = starts.partition_point(|other| *other <= start);
        Ok(start..starts.get(following).copied().unwrap_or(file_bytes))
    };
    offsets.iter().enumerate().map(strip).collect()
}

/// RFC 3249 5.2.3.2: a file whose strips overlap is refused.
pub(super) fn no_overlap(drafts: &[Result<Draft, Unusual>]) -> Result<(), TiffError> {
    let mut all: Vec<&Range<usize>> = drafts.iter().flatten().flat_map(|d| &d.strips).collect();
    all.sort_unstable_by_key(|strip| strip.start);
    match all.windows(2).any(|two| two[1].start < two[0].end) {
        true => Err(TiffError::Broken("strips overlap")),
        false => Ok(()),
    }
}
