//! QR codes on a page, as texts. Called by the child of [`crate::render`] only: what
//! finds and reads codes is a crate, and pages come from anybody who can call us.
//!
//! Why several looks: a code that was scanned askew, or lost a line, is often found in
//! one of them only; each costs some milliseconds.

use rqrr::PreparedImage;

use super::{bitmap::Bitmap, gray::Gray, tiff::Density};

/// Codes of a page; the rest is not looked at.
pub const MAX_CODES: usize = 8;
/// Characters of a code; what is longer is no key of a route, and is passed over.
pub const MAX_CODE_CHARS: usize = 512;
/// Dots an inch of the first look; modules of codes that survive a fax machine are
/// several of these wide.
const DOTS_PER_INCH: f32 = 204.0;
/// Largest side of a picture that is searched.
const MAX_SIDE: u32 = 4_000;

/// The texts of the codes on the page, from the top to the bottom; each once.
#[must_use]
pub fn read(page: &Bitmap, density: Density) -> Vec<String> {
    let plain = squared(page, density, DOTS_PER_INCH);
    let looks: [&dyn Fn() -> Gray; 4] = [
        &|| smoothed(&plain),
        &|| plain.clone(),
        &|| smoothed(&squared(page, density, DOTS_PER_INCH * 1.5)),
        &|| squared(page, density, DOTS_PER_INCH / 2.0),
    ];
    let mut found: Vec<(i32, String)> = Vec::new();
    for look in looks {
        for (top, text) in search(&look()) {
            if found.len() < MAX_CODES && found.iter().all(|(_, known)| *known != text) {
                found.push((top, text));
            }
        }
    }
    found.sort_by_key(|(top, _)| *top);
    found.into_iter().map(|(_, text)| text).collect()
}

/// The page with as many dots an inch across as down.
fn squared(page: &Bitmap, density: Density, per_inch: f32) -> Gray {
    let side = |dots: u32, density: f32| {
        ((dots as f32 / density * per_inch).round() as u32).clamp(1, MAX_SIDE)
    };
    let size = page.size();
    page.to_gray().scaled(side(size.width(), density.x), side(size.lines(), density.y))
}

/// Each pixel as the mean of its neighbours: noise goes, and edges that a fax machine
/// has frayed become straight.
fn smoothed(picture: &Gray) -> Gray {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let pixels = picture.pixels();
    let mut out = Vec::with_capacity(pixels.len());
    for y in 0..height {
        let rows = [y.saturating_sub(1), y, (y + 1).min(height - 1)];
        for x in 0..width {
            let columns = [x.saturating_sub(1), x, (x + 1).min(width - 1)];
            let sum: u32 = rows
                .iter()
                .map(|y| columns.iter().map(|x| u32::from(pixels[y * width + x])).sum::<u32>())
                .sum();
            out.push(u8::try_from(sum / 9).unwrap_or(u8::MAX));
        }
    }
    Gray::from_pixels(picture.width(), picture.height(), out).expect("one byte for each pixel")
}

/// The codes of a picture, each with the line that it begins on.
fn search(picture: &Gray) -> Vec<(i32, String)> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let pixels = picture.pixels();
    let mut prepared =
        PreparedImage::prepare_from_greyscale(width, height, |x, y| pixels[y * width + x]);
    let read = |grid: rqrr::Grid<_>| {
        let (_, text) = grid.decode().ok()?;
        let top = grid.bounds.iter().map(|corner| corner.y).min().unwrap_or(0);
        let text = text.trim().to_owned();
        let fits = !text.is_empty() && text.chars().count() <= MAX_CODE_CHARS;
        fits.then_some((top, text))
    };
    prepared.detect_grids().into_iter().filter_map(read).collect()
}

#[cfg(test)]
pub(crate) mod tests;
