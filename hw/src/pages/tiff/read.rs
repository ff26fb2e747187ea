//! TIFF files to coded pages.

use std::{fs, io::Read, path::Path};

use super::{
    CodedPage, Density, MAX_FILE_BYTES, Quality, TiffError, Unusual,
    ifd::{Bytes, CutOff, Ifd, chain},
    layout::{Draft, Layout, coded_strip, no_overlap, starts},
    tag,
};
use crate::pages::{
    bitmap::{Bitmap, Size},
    ccitt::{Damage, Decoded},
};

/// Most pages of a file that do not say how many lines they have: each must be read
/// through to know it.
const MAX_MEASURED: usize = 500;

/// Reads a file from disk. Of one that is cut off the pages before the cut are kept:
/// what fax servers write may have been interrupted, and will not come again.
///
/// # Errors
/// [`TiffError`]; a file that contradicts itself or is made to harm is refused whole.
pub fn read(path: &Path) -> Result<File, TiffError> {
    let file = fs::File::open(path).map_err(TiffError::io(path))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(TiffError::io(path))?;
    File::build(bytes, CutOff::Kept)
}

/// A TIFF file whose structure is sound: all strips are inside and none overlap.
pub struct File {
    bytes: Vec<u8>,
    pages: Vec<Page>,
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
    /// What the receiver of the fax found wrong with it, where the file says so.
    pub quality: Option<Quality>,
    layout: Result<Layout, Unusual>,
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
    /// [`TiffError`]; a file that is damaged, cut off or made to harm is refused whole.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, TiffError> {
        Self::build(bytes, CutOff::Refused)
    }

    fn build(bytes: Vec<u8>, cut_off: CutOff) -> Result<Self, TiffError> {
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(TiffError::TooLarge("too many bytes"));
        }
        let view = Bytes::open(&bytes)?;
        let ifds = chain(view, cut_off)?;
        if ifds.is_empty() {
            return Err(TiffError::Broken("it has no pages"));
        }
        let starts = starts(&ifds, view.len());
        let drafts = ifds
            .iter()
            .map(|ifd| Draft::read(ifd, &starts))
            .collect::<Result<Vec<Result<Draft, Unusual>>, TiffError>>()?;
        no_overlap(&drafts)?;
        if drafts.iter().flatten().filter(|draft| draft.lines.is_none()).count() > MAX_MEASURED {
            return Err(TiffError::TooLarge("too many pages that do not say their length"));
        }
        let pages = ifds
            .iter()
            .zip(drafts)
            .map(|(ifd, draft)| page(ifd, draft, view))
            .collect::<Result<Vec<Page>, TiffError>>()?;
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
            // More strips than lines hold nothing.
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
        let piece = &self.bytes[layout.strips[i].clone()];
        let (bytes, coding) = coded_strip(piece, layout.coding, layout.bit_order);
        CodedPage { size, density: page.density, coding, inverted: layout.inverted, bytes }
    }
}

fn page(ifd: &Ifd<'_>, draft: Result<Draft, Unusual>, bytes: Bytes<'_>) -> Result<Page, TiffError> {
    Ok(Page {
        density: density(ifd),
        orientation: ifd.number(tag::ORIENTATION).filter(|o| (1..=8).contains(o)).unwrap_or(1),
        thumbnail: ifd.number(tag::NEW_SUBFILE_TYPE).unwrap_or(0) & 1 == 1,
        quality: Quality::read(ifd),
        layout: match draft {
            Ok(draft) => Ok(draft.finish(bytes)?),
            Err(what) => Err(what),
        },
    })
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
