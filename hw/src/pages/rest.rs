//! What a file of pages is, as far as it must be known without looking at them, and
//! the same pages with half the lines.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use postfax_domain::document::{Digest, Paper, Resolution};
use sha2::{Digest as _, Sha256};

use super::{
    bitmap::{Bitmap, Size},
    sheet,
    tiff::{self, CodedPage, FillOrder, TiffError},
};

/// What a TIFF-F file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Its pages.
    pub pages: u32,
    /// Lines an inch of the first one, to the nearest that fax machines have.
    pub resolution: Resolution,
    /// The narrowest paper that its widest page fits on.
    pub paper: Paper,
}

/// Counts the pages of a file and reads their resolution.
///
/// # Errors
/// [`TiffError`] when it cannot be read.
pub fn inspect(path: &Path) -> Result<Contents, TiffError> {
    let file = tiff::read(path)?;
    let pages = u32::try_from(file.pages().len()).unwrap_or(u32::MAX);
    let resolution = sheet::nearest(file.coded(0)?.density);
    let widths = file.pages().iter().filter_map(|page| Some(page.fax_size()?.width()));
    let paper = sheet::paper(widths.max().unwrap_or(0), resolution);
    Ok(Contents { pages, resolution, paper })
}

/// The SHA-256 of a file, and its size in bytes.
///
/// # Errors
/// What the system says.
pub fn digest(path: &Path) -> io::Result<(Digest, u64)> {
    let mut file = File::open(path)?;
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            break;
        }
        hash.update(&piece[..read]);
        size += read as u64;
    }
    let hex = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((Digest(hex), size))
}

/// Writes the pages at standard resolution: two lines become one that is black
/// wherever one of them is, so that thin strokes stay. Pages that are coarse already
/// stay as they are.
///
/// # Errors
/// [`TiffError`].
pub fn coarsen(path: &Path, out: &Path) -> Result<(), TiffError> {
    let file = tiff::read(path)?;
    let mut pages = Vec::with_capacity(file.pages().len());
    for index in 0..file.pages().len() {
        let coded = file.coded(index)?;
        let steps = (coded.density.y / 98.0).round().max(1.0);
        if steps < 2.0 {
            pages.push(coded);
            continue;
        }
        let page = merged(&coded.decode().page, steps as u32);
        pages.push(CodedPage::mmr(&page, sheet::density(Resolution::Standard)));
    }
    let bytes = tiff::write(&pages, FillOrder::HighestFirst);
    fs::write(out, &bytes).map_err(TiffError::io(out))
}

fn merged(page: &Bitmap, steps: u32) -> Bitmap {
    let lines = page.size().lines().div_ceil(steps);
    let size =
        Size::new(page.size().width(), lines).expect("fewer lines than a page that there is");
    let mut coarse = Bitmap::white(size);
    for y in 0..lines {
        let last = ((y + 1) * steps).min(page.size().lines());
        let mut row = vec![0; size.stride()];
        for from in y * steps..last {
            for (byte, more) in row.iter_mut().zip(page.row(from)) {
                *byte |= more;
            }
        }
        coarse.set_row(y, &row);
    }
    coarse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coarse_pages_have_half_the_lines_and_all_the_ink() {
        let folder = tempfile::tempdir().unwrap();
        let mut page = Bitmap::white(Size::new(1728, 101).unwrap());
        page.set_black(5, 7);
        page.set_black(9, 100);
        let fine = CodedPage::mmr(&page, sheet::density(Resolution::Fine));
        let (from, to) = (folder.path().join("fine.tif"), folder.path().join("coarse.tif"));
        std::fs::write(&from, tiff::write(&[fine], FillOrder::HighestFirst)).unwrap();
        let fine = Contents { pages: 1, resolution: Resolution::Fine, paper: Paper::A4 };
        assert_eq!(inspect(&from).unwrap(), fine);
        coarsen(&from, &to).unwrap();
        assert_eq!(inspect(&to).unwrap(), Contents { resolution: Resolution::Standard, ..fine });
        let coarse = tiff::read(&to).unwrap().decode(0).unwrap().page;
        assert_eq!(coarse.size().lines(), 51);
        assert!(coarse.is_black(5, 3) && coarse.is_black(9, 50));
        assert_eq!(coarse.black_pixels(), 2);
        // Once more changes nothing.
        coarsen(&to, &from).unwrap();
        assert_eq!(tiff::read(&from).unwrap().decode(0).unwrap().page, coarse);
    }

    #[test]
    fn a_digest_is_that_of_the_whole_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"abc").unwrap();
        let (digest, size) = digest(file.path()).unwrap();
        assert_eq!(size, 3);
        assert_eq!(digest.0, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
