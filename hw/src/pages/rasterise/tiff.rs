//! TIFF: fax pages pass pixel for pixel, all other pages are pictures.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, metadata::Orientation};
use postfax_domain::document::Resolution;
use tiff::{
    ColorType, TiffError as PictureError,
    decoder::{Decoder, DecodingResult},
};

use super::{Refusal, Sink, lay, picture::to_gray};
use crate::pages::{
    bitmap::Bitmap,
    gray,
    sheet::{Inches, WIDTH, a4},
    tiff::{Density, File, Page, TiffError},
};

/// More damaged lines than this and the page is refused, not repaired.
const MAX_DAMAGE_PERCENT: u32 = 5;
/// Fax pages as long as so many A4 sheets keep their length.
const MAX_A4_SHEETS: u32 = 2;

pub(super) fn draw(
    bytes: Vec<u8>,
    resolution: Resolution,
    sink: &mut dyn Sink,
) -> Result<(), Refusal> {
    let file = File::parse(bytes.clone()).map_err(refusal)?;
    let wanted: Vec<usize> =
        (0..file.pages().len()).filter(|&i| !file.pages()[i].thumbnail).collect();
    if wanted.is_empty() {
        return Err(Refusal::Broken("it has no pages".into()));
    }
    sink.announce(wanted.len())?;
    for index in wanted {
        let page = &file.pages()[index];
        let bitmap = match page.fax_size() {
            Some(_) => fax_page(&file, index, resolution, sink)?,
            None => picture_page(&bytes, index, page, resolution)?,
        };
        sink.page(&bitmap);
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

fn fax_page(
    file: &File,
    index: usize,
    resolution: Resolution,
    sink: &mut dyn Sink,
) -> Result<Bitmap, Refusal> {
    let page = &file.pages()[index];
    let decoded = file.decode(index).map_err(refusal)?;
    let damaged = decoded.damage.lines();
    if damaged * 100 > decoded.page.size().lines() * MAX_DAMAGE_PERCENT {
        return Err(Refusal::Broken(format!("page {} is damaged", index + 1)));
    }
    if damaged > 0 {
        sink.warn(format!("page {} has {damaged} damaged lines", index + 1));
    }
    if let Some(times) = repeats(page, &decoded.page, resolution) {
        return match times {
            1 => Ok(decoded.page),
            _ => decoded.page.lines_repeated(times).ok_or(Refusal::TooLarge),
        };
    }
    let gray = decoded.page.to_gray();
    let picture = GrayImage::from_raw(gray.width(), gray.height(), gray.into_pixels())
        .expect("a grey page has a byte for each pixel");
    oriented(DynamicImage::ImageLuma8(picture), page, resolution)
}

/// How often each line of a page that is on a fax's grid is repeated on the
/// grid of `resolution`; `None` when the page is not on a fax's grid, or finer.
fn repeats(page: &Page, bitmap: &Bitmap, resolution: Resolution) -> Option<u32> {
    let near = |dots: f32, wanted: u32| (dots - wanted as f32).abs() <= wanted as f32 * 0.03;
    let fits = bitmap.size().width() == WIDTH && page.orientation == 1 && near(page.density.x, 204);
    if !fits {
        return None;
    }
    let wanted = resolution.lines_per_inch();
    let times = [(391, 1), (196, 2), (98, 4)]
        .into_iter()
        .find_map(|(lines, of_finest)| near(page.density.y, lines).then_some(of_finest))?;
    let target = match wanted {
        391 => 1,
        196 => 2,
        _ => 4,
    };
    let times = (times >= target).then_some(times / target)?;
    (bitmap.size().lines() * times <= MAX_A4_SHEETS * a4(resolution)).then_some(times)
}

fn oriented(
    mut picture: DynamicImage,
    page: &Page,
    resolution: Resolution,
) -> Result<Bitmap, Refusal> {
    let mut density = page.density;
    // TIFF counts orientations as EXIF does, 1 to 8.
    if let Some(orientation) = Orientation::from_exif(page.orientation as u8) {
        picture.apply_orientation(orientation);
    }
    if page.orientation >= 5 {
        density = Density { x: density.y, y: density.x };
    }
    let size = Inches {
        width: f64::from(picture.width()) / f64::from(density.x),
        height: f64::from(picture.height()) / f64::from(density.y),
    };
    lay(&to_gray(picture)?, size, resolution)
}

fn picture_page(
    bytes: &[u8],
    index: usize,
    page: &Page,
    resolution: Resolution,
) -> Result<Bitmap, Refusal> {
    let broken = |error: PictureError| match error {
        PictureError::LimitsExceeded => Refusal::TooLarge,
        PictureError::UnsupportedError(what) => Refusal::Unsupported(what.to_string()),
        other => Refusal::Broken(other.to_string()),
    };
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(broken)?;
    decoder.seek_to_image(index).map_err(broken)?;
    let (width, height) = decoder.dimensions().map_err(broken)?;
    if u64::from(width) * u64::from(height) > gray::MAX_PIXELS {
        return Err(Refusal::TooLarge);
    }
    let colour = decoder.colortype().map_err(broken)?;
    let samples = match decoder.read_image().map_err(broken)? {
        DecodingResult::U8(samples) => samples,
        DecodingResult::U16(samples) => samples.into_iter().map(|s| (s >> 8) as u8).collect(),
        _ => return Err(Refusal::Unsupported(format!("TIFF samples of {colour:?}"))),
    };
    let pixels = levels(colour, &samples, width as usize)
        .ok_or_else(|| Refusal::Unsupported(format!("TIFF colours of {colour:?}")))?;
    let picture = GrayImage::from_raw(width, height, pixels)
        .ok_or_else(|| Refusal::Broken("a page has too few pixels".into()))?;
    oriented(DynamicImage::ImageLuma8(picture), page, resolution)
}

/// Grey levels of samples; `None` for kinds of colour that cannot be read.
fn levels(colour: ColorType, samples: &[u8], width: usize) -> Option<Vec<u8>> {
    let luma = |r: u8, g: u8, b: u8| {
        ((54 * u32::from(r) + 183 * u32::from(g) + 19 * u32::from(b) + 128) >> 8) as u8
    };
    let on_white = |level: u8, alpha: u8| {
        let (level, alpha) = (u32::from(level), u32::from(alpha));
        ((level * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    Some(match colour {
        ColorType::Gray(8 | 16) => samples.to_vec(),
        ColorType::Gray(1) => samples
            .chunks(width.div_ceil(8))
            .flat_map(|row| {
                let bit = |x: usize| row.get(x / 8).is_some_and(|b| b & (0x80 >> (x % 8)) != 0);
                (0..width).map(move |x| if bit(x) { 255 } else { 0 })
            })
            .collect(),
        ColorType::GrayA(8 | 16) => samples.chunks_exact(2).map(|p| on_white(p[0], p[1])).collect(),
        ColorType::RGB(8 | 16) => samples.chunks_exact(3).map(|p| luma(p[0], p[1], p[2])).collect(),
        ColorType::RGBA(8 | 16) => {
            samples.chunks_exact(4).map(|p| on_white(luma(p[0], p[1], p[2]), p[3])).collect()
        }
        ColorType::CMYK(8 | 16) => samples
            .chunks_exact(4)
            .map(|p| {
                let part = |ink: u8| (u32::from(255 - ink) * u32::from(255 - p[3]) / 255) as u8;
                luma(part(p[0]), part(p[1]), part(p[2]))
            })
            .collect(),
        // The luma comes first of each pixel.
        ColorType::YCbCr(8) => samples.chunks_exact(3).map(|p| p[0]).collect(),
        _ => return None,
    })
}
