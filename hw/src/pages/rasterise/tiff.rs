//! TIFF: fax pages pass pixel for pixel, all other pages are pictures.

use ::tiff::{decoder::Decoder, tags::Tag};
use image::{GrayImage, metadata::Orientation};
use std::io::Cursor;

use super::{Refusal, Sink, density, picture::lay_upright, tiff_picture};
use crate::pages::{
    Look,
    bitmap::Bitmap,
    sheet::{self, a4},
    tiff::{Density, File, Page, TiffError},
};

/// More damaged lines than this and the page is refused, not repaired.
const MAX_DAMAGE_PERCENT: u32 = 5;
/// Fax pages as long as so many A4 sheets keep their length.
const MAX_A4_SHEETS: u32 = 2;
/// NewSubfileType: the page is a mask for another one (TIFF 6.0 section 8).
const MASK: u32 = 1 << 2;

pub(super) fn draw(bytes: Vec<u8>, look: Look, sink: &mut dyn Sink) -> Result<(), Refusal> {
    if bytes.get(..4).is_some_and(|start| start == b"II+\0" || start == b"MM\0+") {
        return Err(Refusal::Unsupported("it is a BigTIFF; save it as an ordinary one".into()));
    }
    let file = File::parse(bytes.clone()).map_err(refusal)?;
    let wanted: Vec<usize> = (0..file.pages().len())
        .filter(|&i| !file.pages()[i].thumbnail && !is_mask(&bytes, i))
        .collect();
    if wanted.is_empty() {
        return Err(Refusal::Broken("it has no pages".into()));
    }
    sink.announce(wanted.len())?;
    for index in wanted {
        let page = &file.pages()[index];
        if page.fax_size().is_some() {
            fax_page(&file, index, look, sink)?;
        } else {
            let (picture, claimed) = tiff_picture::read(&bytes, index)?;
            lay_page(picture, page, claimed.unwrap_or(page.density), look, sink)?;
        }
    }
    Ok(())
}

fn refusal(error: TiffError) -> Refusal {
    match error {
        TiffError::TooLarge(_) => Refusal::TooLarge,
        TiffError::NotFax { .. } => Refusal::Unsupported(error.to_string()),
        other => Refusal::Broken(other.to_string()),
    }
}

fn is_mask(bytes: &[u8], index: usize) -> bool {
    let Ok(mut decoder) = Decoder::new(Cursor::new(bytes)) else { return false };
    let _ = decoder.seek_to_image(index);
    let kind = decoder.find_tag_unsigned::<u32>(Tag::NewSubfileType);
    kind.ok().flatten().unwrap_or(0) & MASK != 0
}

fn fax_page(file: &File, index: usize, look: Look, sink: &mut dyn Sink) -> Result<(), Refusal> {
    let page = &file.pages()[index];
    let decoded = file.decode(index).map_err(refusal)?;
    let damaged = decoded.damage.lines();
    if damaged * 100 > decoded.page.size().lines() * MAX_DAMAGE_PERCENT {
        return Err(Refusal::Broken(format!("page {} is damaged", index + 1)));
    }
    if damaged > 0 {
        sink.warn(format!("page {} has {damaged} damaged lines", index + 1));
    }
    if let Some(times) = repeats(page, &decoded.page, look) {
        match times {
            1 => sink.page(&decoded.page),
            _ => sink.page(&decoded.page.lines_repeated(times).ok_or(Refusal::TooLarge)?),
        }
        return Ok(());
    }
    let gray = decoded.page.to_gray();
    let picture = GrayImage::from_raw(gray.width(), gray.height(), gray.into_pixels())
        .ok_or_else(|| Refusal::Broken("a page has no pixels".into()))?;
    lay_page(picture, page, page.density, look, sink)
}

/// How often each line of a page that is on a fax's grid is repeated on the
/// grid of `look`; `None` when the page is not on a fax's grid, too wide, or finer.
fn repeats(page: &Page, bitmap: &Bitmap, look: Look) -> Option<u32> {
    let resolution = look.resolution;
    let near = |dots: f32, wanted: u32| (dots - wanted as f32).abs() <= wanted as f32 * 0.03;
    let (width, lines) = (bitmap.size().width(), bitmap.size().lines());
    let paper = sheet::paper(width, resolution);
    let fits = width == paper.pixels(resolution)
        && paper <= look.paper
        && page.orientation == 1
        && near(page.density.x, resolution.dots_per_inch());
    if !fits {
        return None;
    }
    let wanted = resolution.lines_per_inch();
    let times = (1..=4).find(|times| near(page.density.y * *times as f32, wanted))?;
    (lines * times <= MAX_A4_SHEETS * a4(resolution)).then_some(times)
}

fn lay_page(
    picture: GrayImage,
    page: &Page,
    density: Density,
    look: Look,
    sink: &mut dyn Sink,
) -> Result<(), Refusal> {
    // TIFF counts orientations as EXIF does, 1 to 8.
    let orientation = Orientation::from_exif(page.orientation as u8);
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    lay_upright(picture, orientation, density::claimed(density.x, density.y), look, sink)
}
