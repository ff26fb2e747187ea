//! The pages of a call on their way between TIFF-F and the bytes that a modem takes and
//! gives. Those have the first bit of the line lowest in each byte ("direct", T.32 8.5.3.4).

use std::{
    fs,
    path::{Path, PathBuf},
};

use postfax_domain::document::{Paper, Resolution};
use tempfile::TempDir;

use super::params::Params;
use crate::{
    pages::{
        bitmap::{Bitmap, Size},
        ccitt::{
            Coding as Code, Damage, End, Options, decode, encode_with, largest_k, lines_of,
            reverse_bits,
        },
        rest, sheet,
        tiff::{self, CodedPage, File, FillOrder, TiffError},
    },
    t30::Coding,
};

/// A page that has more bad lines of a hundred is sent back.
const MOST_BAD_PERCENT: u32 = 10;
/// Behind RTC: some receivers (efax) look a few bits ahead, and find RTC only if there are any.
const FILL: u8 = 0;

/// A document to send.
pub(super) struct Source {
    path: PathBuf,
    file: File,
    /// The same document as every machine takes it, once that was needed.
    coarse: Option<TempDir>,
}

impl Source {
    /// Reads a document.
    pub(super) fn open(path: &Path) -> Result<Self, TiffError> {
        let file = tiff::read(path)?;
        for index in 0..file.pages().len() {
            file.coded(index)?;
        }
        Ok(Self { path: path.to_owned(), file, coarse: None })
    }

    /// How many pages it has.
    pub(super) fn pages(&self) -> usize {
        self.file.pages().len()
    }

    /// How fine and how wide a page is.
    pub(super) fn format(&self, index: usize) -> (Resolution, Paper) {
        let page = self.file.pages().get(index);
        let Some((page, size)) = page.and_then(|page| Some((page, page.fax_size()?))) else {
            return (Resolution::Standard, Paper::A4);
        };
        let resolution = sheet::nearest(page.density);
        (resolution, sheet::paper(size.width(), resolution))
    }

    /// Makes every page what all machines take. False: it is that already.
    pub(super) fn coarsen(&mut self) -> Result<bool, TiffError> {
        if self.coarse.is_some() {
            return Ok(false);
        }
        let folder = tempfile::tempdir().map_err(TiffError::io(&self.path))?;
        let path = folder.path().join("coarse.tif");
        rest::coarsen(&self.path, &path)?;
        self.file = tiff::read(&path)?;
        self.coarse = Some(folder);
        Ok(true)
    }

    /// Page `index` as it goes over the line, coded as was agreed.
    pub(super) fn code(&self, index: usize, agreed: Params) -> Result<Vec<u8>, TiffError> {
        let page = self.file.decode(index)?.page;
        let width = agreed.page().map_or(page.size().width(), |(_, width)| width);
        let page = fitted(page, width);
        let (resolution, _) = self.format(index);
        let no_fill = agreed.ecm > 0;
        let min_line_bits =
            if no_fill { 0 } else { agreed.min_scan_time().bits(agreed.bit_rate()) };
        let options = Options { k: largest_k(resolution), end: End::Rtc, min_line_bits };
        let mut bytes = encode_with(&page, code(agreed), &options);
        bytes.push(FILL);
        reverse_bits(&mut bytes);
        Ok(bytes)
    }
}

/// The page on lines of exactly so many pixels.
fn fitted(page: Bitmap, width: u32) -> Bitmap {
    if page.size().width() == width {
        return page;
    }
    let Some(size) = Size::new(width, page.size().lines()) else { return page };
    let mut wider = Bitmap::white(size);
    wider.lay(&page, width.saturating_sub(page.size().width()) / 16 * 8, 0);
    wider
}

fn code(agreed: Params) -> Code {
    match agreed.coding() {
        Coding::Mh => Code::Mh { aligned: false },
        Coding::Mr => Code::Mr { aligned: false },
        Coding::Mmr => Code::Mmr,
    }
}

/// What was received, as a file that grows page by page.
pub(super) struct Keeper {
    path: PathBuf,
    pages: Vec<CodedPage>,
}

/// A page that came, and what is thought of it.
pub(super) struct Page {
    coded: CodedPage,
    /// What is wrong with it.
    pub(super) damage: Damage,
}

impl Page {
    /// Whether it is good enough to be kept.
    pub(super) fn is_good(&self) -> bool {
        self.damage.lines() * 100 <= self.coded.size.lines() * MOST_BAD_PERCENT
    }
}

impl Keeper {
    /// Keeps pages in this file, which is made with the first one.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), pages: Vec::new() }
    }

    /// How many pages are in the file.
    pub(super) fn pages(&self) -> u32 {
        u32::try_from(self.pages.len()).unwrap_or(u32::MAX)
    }

    /// Keeps a page. When this returns, it is in the file.
    pub(super) fn keep(&mut self, page: Page) -> Result<(), TiffError> {
        self.pages.push(page.coded);
        let bytes = tiff::write(&self.pages, FillOrder::HighestFirst);
        // A reader sees the file as it was or as it is, and nothing between.
        let fresh = self.path.with_extension("part");
        let written = fs::write(&fresh, bytes)
            .and_then(|()| fs::File::open(&fresh)?.sync_all())
            .and_then(|()| fs::rename(&fresh, &self.path))
            .and_then(|()| self.path.parent().map_or(Ok(()), |at| fs::File::open(at)?.sync_all()));
        written.map_err(|error| {
            self.pages.pop();
            TiffError::io(&self.path)(error)
        })
    }
}

/// Reads a page as the modem gave it. Modems of Class 2 reverse the bits of what they receive
/// or do not, whatever they are told: the order is taken in which more lines can be read.
/// `None`: there is no line in it.
pub(super) fn read_page(bytes: &[u8], agreed: Params) -> Option<Page> {
    let (density, width) = agreed.page()?;
    let coding = code(agreed);
    let mut reversed = bytes.to_vec();
    reverse_bits(&mut reversed);
    let direct = Reading::of(reversed, coding, width);
    let other = Reading::of(bytes.to_vec(), coding, width);
    let best = match (direct, other) {
        (Some(direct), Some(other)) if other.good_lines() > direct.good_lines() => other,
        (Some(direct), _) => direct,
        (None, other) => other?,
    };
    let Reading { bytes, size, damage } = best;
    let coded = CodedPage { size, density, coding, inverted: false, bytes };
    // What is whole is kept small and without what only a line needs; what is not stays as
    // it came, for whoever repairs it.
    let coded = match damage.is_none() {
        true => CodedPage::mmr(&coded.decode().page, density),
        false => coded,
    };
    Some(Page { coded, damage })
}

/// A page in one order of bits.
struct Reading {
    bytes: Vec<u8>,
    size: Size,
    damage: Damage,
}

impl Reading {
    fn of(bytes: Vec<u8>, coding: Code, width: u32) -> Option<Self> {
        let lines = lines_of(&bytes, coding, width)?;
        let size = Size::new(width, lines)?;
        let damage = decode(&bytes, coding, size).damage;
        Some(Self { bytes, size, damage })
    }

    fn good_lines(&self) -> u32 {
        self.size.lines().saturating_sub(self.damage.lines())
    }
}
