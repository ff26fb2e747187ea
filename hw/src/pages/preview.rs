//! A small grey picture of a page, for receipts and mails.

use std::path::Path;

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use super::{
    gray::Gray,
    tiff::{self, Density, TiffError},
};

/// Pixels across.
const WIDTH: u32 = 400;
/// Most pixels down: a page that is absurdly long is squeezed.
const MAX_HEIGHT: u32 = 4 * WIDTH;

/// Page `index`, counted from 0, as a PNG 400 pixels wide.
///
/// # Errors
/// [`TiffError`] when the file cannot be read or has no such page. Damaged lines are no error.
pub fn png(path: &Path, index: usize) -> Result<Vec<u8>, TiffError> {
    let file = tiff::read(path)?;
    let page = file.decode(index)?.page;
    let small = shrink(&page.to_gray(), file.pages()[index].density);
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(small.pixels(), small.width(), small.height(), ExtendedColorType::L8)
        .expect("a grey picture is written to memory");
    Ok(bytes)
}

fn shrink(page: &Gray, density: Density) -> Gray {
    let shape = f64::from(page.height()) * f64::from(density.x)
        / (f64::from(page.width()) * f64::from(density.y));
    let height = (f64::from(WIDTH) * shape).round();
    page.scaled(WIDTH, (height as u32).clamp(1, MAX_HEIGHT))
}
