//! The pages in the format that a device takes. Reads files; sends nothing.

use std::{io, path::Path};

use bytes::Bytes;

use super::{printer::Format, raster};
use crate::pages::{
    pdf,
    tiff::{self, TiffError},
};

/// A document as it is sent.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) octets: Bytes,
    pub(super) pages: u32,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum Unmade {
    /// The file could not be read.
    Local(io::Error),
    /// It is no fax.
    Bad(TiffError),
}

impl From<TiffError> for Unmade {
    fn from(bad: TiffError) -> Self {
        match bad {
            TiffError::Io { source, .. } => Self::Local(source),
            bad => Self::Bad(bad),
        }
    }
}

/// Reads and, where needed, codes the pages anew. Blocking.
pub(super) fn make(path: &Path, format: Format) -> Result<Document, Unmade> {
    let file = tiff::read(path)?;
    let pages = file.pages().len() as u32;
    let octets = match format {
        Format::Tiff => file.into_bytes(),
        Format::Pdf => pdf::wrap(&file)?,
        Format::Raster => raster::write(&file)?,
    };
    Ok(Document { octets: octets.into(), pages })
}
