//! Pages: foreign documents become canonical bi-level pages, and TIFF-F becomes
//! what mail clients show.
//!
//! ```text
//! PDF, picture, text ─ rasterise ─▶ gray ─ bilevel ─▶ bitmap ─ ccitt ─▶ tiff      (in the child)
//! received TIFF-F ──────────────────────────────────▶ tiff ─▶ pdf, preview        (in the daemon)
//! ```
//!
//! [`rasterise`] is called by the child of [`crate::render`] only. Everything
//! else is written so that any bytes may be given to it.

use std::{fs, path::Path};

use postfax_domain::document::{Paper, Resolution, Tone};
use serde::{Deserialize, Serialize};
use tiff::{CodedPage, FillOrder, TiffError};

pub mod bilevel;
pub mod bitmap;
pub mod ccitt;
pub mod codes;
pub mod cover;
pub mod fonts;
pub mod gray;
pub mod kind;
mod layout;
pub mod line_time;
pub mod pdf;
pub mod png;
pub mod preview;
pub mod rasterise;
pub mod received;
pub mod rest;
pub mod sheet;
pub mod tiff;
pub mod trim;
pub mod words;

/// How the pages of a fax are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Look {
    /// Dots an inch.
    pub resolution: Resolution,
    /// The widest paper that a page may be put on; what is wider is shrunk.
    pub paper: Paper,
    /// How grey becomes black and white.
    pub tone: Tone,
}

/// How many pages a TIFF file has.
///
/// # Errors
/// [`TiffError`] when it cannot be read.
pub fn count(path: &Path) -> Result<u32, TiffError> {
    Ok(tiff::read(path)?.pages().len() as u32)
}

/// Writes the pages from `first` on, counted from 0, to a file of their own and
/// says how many they are: what is left of a fax of which `first` pages were
/// confirmed. Coded pages are copied unchanged.
///
/// # Errors
/// [`TiffError`], also when no page is left.
pub fn cut(path: &Path, first: u32, out: &Path) -> Result<u32, TiffError> {
    join(&[path], first, out)
}

/// The same of several files, one after the other: a cover, and what it covers.
///
/// # Errors
/// [`TiffError`], also when no page is left.
pub fn join(paths: &[&Path], first: u32, out: &Path) -> Result<u32, TiffError> {
    let mut all: Vec<CodedPage> = Vec::new();
    for path in paths {
        let file = tiff::read(path)?;
        for index in 0..file.pages().len() {
            all.push(file.coded(index)?);
        }
    }
    let pages = all.len();
    let left = all.split_off(pages.min(first as usize));
    if left.is_empty() {
        return Err(TiffError::NoSuchPage { pages });
    }
    let bytes = tiff::write(&left, FillOrder::HighestFirst);
    fs::write(out, &bytes).map_err(TiffError::io(out))?;
    Ok(left.len() as u32)
}

/// What a mail client shows of a fax.
#[derive(Debug)]
pub struct Shown {
    /// All pages as PDF.
    pub pdf: Vec<u8>,
    /// Page one as PNG.
    pub preview: Vec<u8>,
}

/// Makes a fax readable for mail clients.
///
/// # Errors
/// [`TiffError`] when it cannot be read. Damaged lines are no error.
pub fn show(path: &Path) -> Result<Shown, TiffError> {
    let file = tiff::read(path)?;
    Ok(Shown { pdf: pdf::wrap(&file)?, preview: preview::of(&file, 0)? })
}

/// Whether two files show the same pages pixel for pixel, however they are coded.
///
/// # Errors
/// [`TiffError`] when one of them cannot be read.
pub fn same_pixels(one: &Path, other: &Path) -> Result<bool, TiffError> {
    let (one, other) = (tiff::read(one)?, tiff::read(other)?);
    if one.pages().len() != other.pages().len() {
        return Ok(false);
    }
    for index in 0..one.pages().len() {
        if one.decode(index)?.page != other.decode(index)?.page {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
