//! What a file of pages is, as far as it must be known without looking at them, and
//! the same pages as the plainest machine takes them.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use postfax_domain::document::{Digest, Paper, Resolution};
use sha2::{Digest as _, Sha256};

use super::{
    Look,
    bilevel::bilevel,
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

/// Writes the pages as every machine takes them: A4 at standard resolution, which is all
/// that a machine must have (T.30 table 2). Pages that are so already stay as they are.
///
/// Of A4 pages at fine two lines become one that is black wherever one of them is, so that
/// thin strokes stay. What is finer or wider is drawn again, smaller, as any picture would
/// be: thin strokes grow light and are found by the threshold, and photographs get dots
/// that fit the new grid, where merged lines would be black all over.
///
/// # Errors
/// [`TiffError`].
pub fn coarsen(path: &Path, out: &Path) -> Result<(), TiffError> {
    let file = tiff::read(path)?;
    let mut pages = Vec::with_capacity(file.pages().len());
    for index in 0..file.pages().len() {
        let coded = file.coded(index)?;
        let is_a4 = coded.size.width() <= Paper::A4.pixels(Resolution::Standard);
        let page = match sheet::nearest(coded.density) {
            Resolution::Standard if is_a4 => {
                pages.push(coded);
                continue;
            }
            Resolution::Fine if is_a4 => merged(&coded.decode().page, 2),
            _ => redrawn(&coded)?,
        };
        pages.push(CodedPage::mmr(&page, sheet::density(Resolution::Standard)));
    }
    let bytes = tiff::write(&pages, FillOrder::HighestFirst);
    fs::write(out, &bytes).map_err(TiffError::io(out))
}

/// The page at standard resolution, no wider than A4 and, where it had to shrink for
/// that, no longer; in the middle of its lines.
fn redrawn(coded: &CodedPage) -> Result<Bitmap, TiffError> {
    let look = Look { resolution: Resolution::Standard, ..Look::default() };
    let (width, length) = (Paper::A4.pixels(look.resolution), sheet::longest(look.resolution));
    let density = sheet::density(look.resolution);
    // What the page would measure at the new density, and how much that is too large.
    let across = coded.size.width() as f32 * density.x / coded.density.x;
    let per_mm = |resolution| sheet::lines_per_mm(resolution) as f32;
    let before = sheet::nearest(coded.density);
    let down = coded.size.lines() as f32 * per_mm(look.resolution) / per_mm(before);
    let (a4, widest) = (sheet::a4(look.resolution) as f32, width as f32);
    // Two percent more than the sheet, as 300 dots an inch have, are squeezed and not shrunk.
    let is_wide = across > widest * 1.025;
    let longest = if is_wide { a4 } else { length as f32 };
    let scale =
        if is_wide { (widest / across).min(longest / down) } else { (longest / down).min(1.0) };
    let shrunk = |dots: f32| ((dots * scale).round() as u32).max(1);
    let (across, down) = (shrunk(across).min(width), shrunk(down));
    let gray = coded.decode().page.to_gray().scaled(across, down);
    let small = bilevel(&gray, look).ok_or(TiffError::TooLarge("a page"))?;
    let size = Size::new(width, down).ok_or(TiffError::TooLarge("a page"))?;
    let mut page = Bitmap::white(size);
    page.lay(&small, (width - across) / 16 * 8, 0);
    Ok(page)
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
    fn wide_and_fine_pages_become_pages_that_every_machine_takes() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("fine.tif"), folder.path().join("coarse.tif"));
        for (paper, resolution, mm, lines) in [
            (Paper::A4, Resolution::Superfine, 297.0, 1143),
            (Paper::A4, Resolution::Dots300, 297.0, 1143),
            (Paper::A4, Resolution::Dots400, 279.4, 1076),
            (Paper::B4, Resolution::Fine, 353.0, 1143),
            (Paper::A3, Resolution::Standard, 420.0, 1143),
            (Paper::A3, Resolution::Dots400, 420.0, 1126),
        ] {
            let high = sheet::lines(resolution, mm);
            let wide = paper.pixels(resolution);
            let mut page = Bitmap::white(Size::new(wide, high).unwrap());
            // A thin frame, a thin line across the middle, and a grey field.
            for y in 0..high {
                page.set_black(wide / 8, y);
                page.set_black(wide - wide / 8, y);
                for x in (wide / 4..wide / 2).filter(|x| y > high / 2 && (x / 2 + y / 2) % 2 == 0) {
                    page.set_black(x, y);
                }
            }
            page.blacken(high / 4, wide / 8, wide - wide / 8);
            let coded = CodedPage::mmr(&page, sheet::density(resolution));
            std::fs::write(&from, tiff::write(&[coded], FillOrder::HighestFirst)).unwrap();
            coarsen(&from, &to).unwrap();
            let plainest =
                Contents { pages: 1, resolution: Resolution::Standard, paper: Paper::A4 };
            assert_eq!(inspect(&to).unwrap(), plainest, "{paper:?} {resolution:?}");
            let coarse = tiff::read(&to).unwrap().decode(0).unwrap().page;
            let size = coarse.size();
            assert_eq!(size.width(), 1728);
            assert!(size.lines().abs_diff(lines) <= 2, "{paper:?} {resolution:?} {}", size.lines());
            // The strokes are there, and the field is grey: neither white nor black.
            let row = |y: u32| (0..1728).filter(|&x| coarse.is_black(x, y)).count();
            let (above, field) = (row(size.lines() / 8), row(size.lines() * 3 / 4));
            assert!((2..=8).contains(&above), "{paper:?} {resolution:?}: {above}");
            let across = (size.lines() / 4 - 3..size.lines() / 4 + 3).map(row).max().unwrap();
            assert!(across > 900, "{paper:?} {resolution:?}: {across}");
            assert!((60..420).contains(&field), "{paper:?} {resolution:?}: {field}");
        }
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
