//! TIFF-F (RFC 2301, RFC 3949): the file of fax pages. Own reader and writer,
//! because received files use FillOrder 2, MR and odd layouts that image crates
//! do not read. Ordinary colour and grey pictures are the rasteriser's.
//!
//! What is read here may come from anyone who can call us: every offset is
//! checked, nothing loops, and sizes are limited.

mod ifd;
mod layout;
mod profile;
mod quality;
mod read;
mod tag;
mod write;

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    bitmap::{Bitmap, Size},
    ccitt::{self, Coding, Decoded},
};

pub use layout::Unusual;
pub use profile::{NotInProfile, Profile, write_as};
pub use quality::{CleanData, Quality};
pub use read::{File, Page, read};
pub use write::{FillOrder, write};

/// Most pages that a file may have.
pub const MAX_PAGES: usize = 2_000;
/// Largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 256 << 20;

/// Why a TIFF-F could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TiffError {
    /// The file itself.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It does not start like a TIFF.
    #[error("not a TIFF file")]
    NotTiff,
    /// The kind with places of 64 bits, which fax software does not write.
    #[error("a BigTIFF file; an ordinary TIFF file is needed")]
    BigTiff,
    /// Its structure contradicts itself or points outside.
    #[error("damaged TIFF file: {0}")]
    Broken(&'static str),
    /// More than is taken.
    #[error("TIFF file beyond the limits: {0}")]
    TooLarge(&'static str),
    /// A page that is not coded as a fax.
    #[error("page {page} is no fax page: {what}")]
    NotFax {
        /// Counted from 1.
        page: usize,
        /// What it is instead.
        what: Unusual,
    },
    /// There is no such page.
    #[error("the file has {pages} pages")]
    NoSuchPage {
        /// How many it has.
        pages: usize,
    },
}

impl TiffError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// Dots an inch, across and down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Density {
    /// Across.
    pub x: f32,
    /// Down.
    pub y: f32,
}

/// One page as it lies in a file: coded, the highest bit of a byte first.
#[derive(Debug, Clone, PartialEq)]
pub struct CodedPage {
    /// Pixels and lines.
    pub size: Size,
    /// Dots an inch.
    pub density: Density,
    /// How the bytes are coded.
    pub coding: Coding,
    /// Black and white are exchanged (Photometric 1).
    pub inverted: bool,
    /// The lines.
    pub bytes: Vec<u8>,
}

impl CodedPage {
    /// Codes a page as MMR.
    #[must_use]
    pub fn mmr(page: &Bitmap, density: Density) -> Self {
        let bytes = ccitt::encode(page, Coding::Mmr);
        Self { size: page.size(), density, coding: Coding::Mmr, inverted: false, bytes }
    }

    /// The page with black where ink is.
    #[must_use]
    pub fn decode(&self) -> Decoded {
        let mut decoded = ccitt::decode(&self.bytes, self.coding, self.size);
        if self.inverted {
            decoded.page = decoded.page.inverted();
        }
        decoded
    }
}

#[cfg(test)]
mod interop;
#[cfg(test)]
mod tests;
