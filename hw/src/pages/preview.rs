//! A small grey picture of a page, for receipts and mails.

use std::{ops::Range, path::Path};

use image::{
    ExtendedColorType, ImageEncoder,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};

use super::{
    bitmap::Bitmap,
    gray::Gray,
    tiff::{self, Density, File, TiffError},
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
    of(&tiff::read(path)?, index)
}

/// The same of a file that was read.
///
/// # Errors
/// [`TiffError`] when there is no such page. Damaged lines are no error.
pub fn of(file: &File, index: usize) -> Result<Vec<u8>, TiffError> {
    let page = file.decode(index)?.page;
    let small = shrink(&page, file.pages()[index].density);
    let mut bytes = Vec::new();
    // One filter, not the best of five for each row: a page is white where it is not
    // like the row above.
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Up)
        .write_image(small.pixels(), small.width(), small.height(), ExtendedColorType::L8)
        .expect("a grey picture is written to memory");
    Ok(bytes)
}

fn shrink(page: &Bitmap, density: Density) -> Gray {
    let (across, down) = (page.size().width(), page.size().lines());
    let shape = f64::from(down) * f64::from(density.x) / (f64::from(across) * f64::from(density.y));
    let height = ((f64::from(WIDTH) * shape).round() as u32).clamp(1, MAX_HEIGHT);
    if across < WIDTH || down < height {
        return page.to_gray().scaled(WIDTH, height);
    }
    let columns: Vec<u32> = (0..=WIDTH).map(|at| edge(at, across, WIDTH)).collect();
    let mut pixels = Vec::with_capacity((WIDTH * height) as usize);
    for row in 0..height {
        let lines = edge(row, down, height)..edge(row + 1, down, height);
        mean_row(page, lines, &columns, &mut pixels);
    }
    Gray::from_pixels(WIDTH, height, pixels).expect("one byte for each pixel")
}

/// Where the `at`th of `parts` begins.
fn edge(at: u32, whole: u32, parts: u32) -> u32 {
    u32::try_from(u64::from(at) * u64::from(whole) / u64::from(parts)).unwrap_or(whole)
}

/// One row of the picture: the share of white in each field of these lines. Bits are
/// counted by the byte, and empty lines, which are most of a letter, not at all: a
/// picture is drawn for every receipt.
fn mean_row(page: &Bitmap, lines: Range<u32>, columns: &[u32], pixels: &mut Vec<u8>) {
    if lines.clone().all(|y| page.row(y).iter().all(|byte| *byte == 0)) {
        pixels.resize(pixels.len() + WIDTH as usize, u8::MAX);
        return;
    }
    let mut black = [0_u32; WIDTH as usize];
    // How many pixels are black to the left of each byte.
    let mut left = vec![0; page.size().stride() + 1];
    for row in lines.clone().map(|y| page.row(y)) {
        if row.iter().all(|byte| *byte == 0) {
            continue;
        }
        let mut sum = 0;
        for (left, byte) in left[1..].iter_mut().zip(row) {
            sum += byte.count_ones();
            *left = sum;
        }
        let before = |x: u32| {
            let (byte, bits) = ((x / 8) as usize, x % 8);
            let rest = row.get(byte).map_or(0, |byte| (u32::from(*byte) << bits >> 8).count_ones());
            left[byte] + rest
        };
        let mut last = 0;
        for (black, end) in black.iter_mut().zip(&columns[1..]) {
            let next = before(*end);
            *black += next - last;
            last = next;
        }
    }
    let high = lines.end - lines.start;
    for (black, ends) in black.iter().zip(columns.windows(2)) {
        let all = (ends[1] - ends[0]) * high;
        pixels.push(u8::try_from((all - black) * 255 / all).unwrap_or(u8::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::bitmap::Size;

    #[test]
    fn counting_bits_draws_what_averaging_pixels_draws() {
        for (across, down, density) in
            [(1728, 2200, (204.0, 196.0)), (2432, 1100, (204.0, 98.0)), (400, 500, (72.0, 72.0))]
        {
            let mut page = Bitmap::white(Size::new(across, down).unwrap());
            for y in (0..down).filter(|y| y % 100 < 30) {
                for at in 0..12 {
                    let start = (y * 7 + at * across / 12) % (across - 60);
                    page.blacken(y, start, start + 13 + at * 3);
                }
            }
            page.blacken(down - 1, 0, across);
            let drawn = shrink(&page, Density { x: density.0, y: density.1 });
            let slow = page.to_gray().scaled(drawn.width(), drawn.height());
            let pairs = drawn.pixels().iter().zip(slow.pixels());
            let far: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            let mean = far as f64 / drawn.pixels().len() as f64;
            assert!(mean < 12.0, "{across} x {down}: {mean} levels apart on average");
        }
    }

    #[test]
    fn white_is_white_and_black_is_black() {
        let mut page = Bitmap::white(Size::new(1728, 2200).unwrap());
        let density = Density { x: 204.0, y: 196.0 };
        assert!(shrink(&page, density).pixels().iter().all(|level| *level == 255));
        (0..2200).for_each(|y| page.blacken(y, 0, 1728));
        assert!(shrink(&page, density).pixels().iter().all(|level| *level == 0));
        let small = Bitmap::white(Size::new(100, 50).unwrap());
        assert_eq!(shrink(&small, density).width(), WIDTH);
    }
}
