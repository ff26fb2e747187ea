//! TIFF files to coded pages.

use std::{fmt, fs, io::Read, ops::Range, path::Path};

use super::{
    CodedPage, Density, MAX_FILE_BYTES, TiffError,
    ifd::{Bytes, Ifd, chain},
    tag,
};
use crate::pages::{
    bitmap::{Bitmap, Size},
    ccitt::{self, Coding, Damage, Decoded, reverse_bits},
};

/// Reads a file from disk.
///
/// # Errors
/// [`TiffError`]; a file that is damaged or made to harm is refused whole.
pub fn read(path: &Path) -> Result<File, TiffError> {
    let file = fs::File::open(path).map_err(TiffError::io(path))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(TiffError::io(path))?;
    File::parse(bytes)
}

/// A TIFF file whose structure is sound: all strips are inside and none overlap.
pub struct File {
    bytes: Vec<u8>,
    pages: Vec<Page>,
}

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

/// A page of a file.
#[derive(Debug, Clone)]
pub struct Page {
    /// Dots an inch; 204 by 196 where the file does not say.
    pub density: Density,
    /// TIFF orientation, 1 to 8; 1 is upright.
    pub orientation: u32,
    /// A small picture of another page, to be passed over.
    pub thumbnail: bool,
    layout: Result<Layout, Unusual>,
}

#[derive(Debug, Clone)]
struct Layout {
    size: Size,
    coding: Coding,
    inverted: bool,
    lowest_bit_first: bool,
    rows_per_strip: u32,
    strips: Vec<Range<usize>>,
}

impl Page {
    /// Pixels and lines, where it is a fax page.
    #[must_use]
    pub fn fax_size(&self) -> Option<Size> {
        self.layout.as_ref().ok().map(|layout| layout.size)
    }
}

impl File {
    /// Takes the bytes of a file.
    ///
    /// # Errors
    /// [`TiffError`]; a file that is damaged or made to harm is refused whole.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, TiffError> {
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(TiffError::TooLarge("too many bytes"));
        }
        let view = Bytes::open(&bytes)?;
        let pages = chain(view)?
            .iter()
            .map(|ifd| page(ifd, view.len()))
            .collect::<Result<Vec<Page>, TiffError>>()?;
        if pages.is_empty() {
            return Err(TiffError::Broken("it has no pages"));
        }
        no_overlap(&pages)?;
        Ok(Self { bytes, pages })
    }

    /// The pages in order.
    #[must_use]
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// The file itself.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Page `index`, counted from 0, with black where ink is.
    ///
    /// # Errors
    /// When there is no such page, or it is no fax page. Damage is no error.
    pub fn decode(&self, index: usize) -> Result<Decoded, TiffError> {
        let (page, layout) = self.fax_page(index)?;
        if layout.strips.len() == 1 {
            return Ok(self.coded_strip(page, layout, 0, layout.size).decode());
        }
        let mut whole = Bitmap::white(layout.size);
        let mut damage = Damage { block_ended: true, ..Damage::default() };
        let mut bad = Vec::new();
        let mut y = 0;
        for i in 0..layout.strips.len() {
            let lines = layout.rows_per_strip.min(layout.size.lines() - y);
            let Some(size) = Size::new(layout.size.width(), lines) else { break };
            let strip = self.coded_strip(page, layout, i, size).decode();
            bad.extend(strip.bad.iter().map(|lines| y + lines.start..y + lines.end));
            for row in strip.page.rows() {
                whole.set_row(y, row);
                y += 1;
            }
            damage.bad_lines += strip.damage.bad_lines;
            damage.missing_lines += strip.damage.missing_lines;
            damage.longest = damage.longest.max(strip.damage.longest);
            damage.block_ended &= strip.damage.block_ended;
        }
        damage.missing_lines += layout.size.lines() - y;
        bad.extend((y < layout.size.lines()).then_some(y..layout.size.lines()));
        Ok(Decoded { page: whole, damage, bad })
    }

    /// Page `index` as it is coded; several strips are coded again as one of MMR.
    ///
    /// # Errors
    /// When there is no such page, or it is no fax page.
    pub fn coded(&self, index: usize) -> Result<CodedPage, TiffError> {
        let (page, layout) = self.fax_page(index)?;
        if layout.strips.len() == 1 {
            return Ok(self.coded_strip(page, layout, 0, layout.size));
        }
        Ok(CodedPage::mmr(&self.decode(index)?.page, page.density))
    }

    fn fax_page(&self, index: usize) -> Result<(&Page, &Layout), TiffError> {
        let pages = self.pages.len();
        let page = self.pages.get(index).ok_or(TiffError::NoSuchPage { pages })?;
        match &page.layout {
            Ok(layout) => Ok((page, layout)),
            Err(what) => Err(TiffError::NotFax { page: index + 1, what: *what }),
        }
    }

    fn coded_strip(&self, page: &Page, layout: &Layout, i: usize, size: Size) -> CodedPage {
        let mut bytes = self.bytes[layout.strips[i].clone()].to_vec();
        if layout.lowest_bit_first {
            reverse_bits(&mut bytes);
        }
        let coding = match layout.coding {
            // Compression 2 has no ends of line, but some write T.4 under its number.
            Coding::MhRows if ccitt::starts_with_eol(&bytes) => Coding::Mh { aligned: false },
            coding => coding,
        };
        CodedPage { size, density: page.density, coding, inverted: layout.inverted, bytes }
    }
}

fn page(ifd: &Ifd<'_>, file_bytes: usize) -> Result<Page, TiffError> {
    let layout = match layout(ifd, file_bytes) {
        Ok(layout) => Ok(layout),
        Err(Odd::Unusual(what)) => Err(what),
        Err(Odd::Broken(error)) => return Err(error),
    };
    Ok(Page {
        density: density(ifd),
        orientation: ifd.number(tag::ORIENTATION).filter(|o| (1..=8).contains(o)).unwrap_or(1),
        thumbnail: ifd.number(tag::NEW_SUBFILE_TYPE).unwrap_or(0) & 1 == 1,
        layout,
    })
}

/// Either no fax page, or no sound file.
enum Odd {
    Unusual(Unusual),
    Broken(TiffError),
}

impl From<TiffError> for Odd {
    fn from(error: TiffError) -> Self {
        Self::Broken(error)
    }
}

fn layout(ifd: &Ifd<'_>, file_bytes: usize) -> Result<Layout, Odd> {
    if ifd.number(tag::BITS_PER_SAMPLE).unwrap_or(1) != 1
        || ifd.number(tag::SAMPLES_PER_PIXEL).unwrap_or(1) != 1
    {
        return Err(Odd::Unusual(Unusual::Colour));
    }
    let coding = coding(ifd).map_err(Odd::Unusual)?;
    let (Some(width), Some(lines)) = (ifd.number(tag::IMAGE_WIDTH), ifd.number(tag::IMAGE_LENGTH))
    else {
        return Err(Odd::Broken(TiffError::Broken("a page has no size")));
    };
    let size =
        Size::new(width, lines).ok_or(TiffError::TooLarge("a page is too large or empty"))?;
    let Some(offsets) = ifd.numbers(tag::STRIP_OFFSETS)? else {
        return Err(Odd::Unusual(Unusual::NoStrips));
    };
    let rows = ifd.number(tag::ROWS_PER_STRIP).filter(|rows| *rows > 0).unwrap_or(lines).min(lines);
    let counts = ifd.numbers(tag::STRIP_BYTE_COUNTS)?;
    let strips = strips(&offsets, counts.as_deref(), file_bytes)?;
    if strips.is_empty() {
        return Err(Odd::Broken(TiffError::Broken("a page has no strips")));
    }
    Ok(Layout {
        size,
        coding,
        inverted: ifd.number(tag::PHOTOMETRIC) == Some(1),
        lowest_bit_first: ifd.number(tag::FILL_ORDER) == Some(2),
        // One strip holds the page, whatever the tag claims.
        rows_per_strip: if strips.len() == 1 { lines } else { rows },
        strips,
    })
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

fn strips(
    offsets: &[u32],
    counts: Option<&[u32]>,
    file_bytes: usize,
) -> Result<Vec<Range<usize>>, TiffError> {
    let whole = |i: usize| match counts {
        Some(counts) => counts.get(i).copied().map(|count| count as usize),
        // A single strip without a length goes to the end of the file.
        None if offsets.len() == 1 => file_bytes.checked_sub(offsets[0] as usize),
        None => None,
    };
    offsets
        .iter()
        .enumerate()
        .map(|(i, offset)| {
            let start = *offset as usize;
            let count = whole(i).ok_or(TiffError::Broken("a strip has no length"))?;
            let end = start.checked_add(count).filter(|end| *end <= file_bytes);
            end.map(|end| start..end).ok_or(TiffError::Broken("a strip is outside the file"))
        })
        .collect()
}

fn no_overlap(pages: &[Page]) -> Result<(), TiffError> {
    let layouts = pages.iter().filter_map(|page| page.layout.as_ref().ok());
    let mut all: Vec<&Range<usize>> =
        layouts.flat_map(|layout| &layout.strips).filter(|strip| !strip.is_empty()).collect();
    all.sort_unstable_by_key(|strip| strip.start);
    match all.windows(2).any(|two| two[1].start < two[0].end) {
        true => Err(TiffError::Broken("strips overlap")),
        false => Ok(()),
    }
}

fn density(ifd: &Ifd<'_>) -> Density {
    // Unit 3 is the centimetre; everything else is taken as the inch.
    let unit = if ifd.number(tag::RESOLUTION_UNIT) == Some(3) { 2.54 } else { 1.0 };
    let side = |tag, otherwise: f32| {
        let dots = ifd.fraction(tag).map(|dots| dots * unit);
        dots.filter(|dots| (20.0..=10_000.0).contains(dots)).unwrap_or(otherwise)
    };
    Density { x: side(tag::X_RESOLUTION, 204.0), y: side(tag::Y_RESOLUTION, 196.0) }
}
