//! Photographs as round dots on lines at 45 degrees: fax machines print them
//! clean, and their runs are long enough to code.

use std::{f64::consts::PI, sync::LazyLock};

use super::photo::{BLOCK, Photos};
use crate::pages::{bitmap::Bitmap, gray::Gray};

/// Side of the pattern in pixels; it holds two dots.
const SIDE: u32 = 8;
/// Fax print is darker than the screen.
const GAMMA: f64 = 0.85;
/// The darkest and lightest part of the photographs that become black and white.
const STRETCH_PERCENT: u64 = 1;
/// Lines an inch at which pixels are nearly square.
const SQUARE: u32 = 196;

/// A pixel is ink when it is darker than the pattern at its place. The levels
/// come from a hill of cosines whose crests are the dots' centres.
static PATTERN: LazyLock<[u8; (SIDE * SIDE) as usize]> = LazyLock::new(|| {
    let height = |i: u32| {
        let (x, y) = (f64::from(i % SIDE) + 0.5, f64::from(i / SIDE) + 0.5);
        (2.0 * PI * (x + y) / f64::from(SIDE)).cos() + (2.0 * PI * (x - y) / f64::from(SIDE)).cos()
    };
    let mut order: Vec<u32> = (0..SIDE * SIDE).collect();
    order.sort_by(|a, b| height(*b).total_cmp(&height(*a)));
    let mut pattern = [0; (SIDE * SIDE) as usize];
    for (rank, place) in order.into_iter().enumerate() {
        // The first place is inked by all but white, the last one by black only.
        pattern[place as usize] = (255 - (rank as u32 * 2 + 1) * 255 / (2 * SIDE * SIDE)) as u8;
    }
    pattern
});

/// Replaces the photographs of `page` by dots.
pub(super) fn draw(gray: &Gray, photos: &Photos, lines_per_inch: u32, page: &mut Bitmap) {
    let tones = tones(gray, photos);
    let mut row = Vec::new();
    for y in 0..gray.height() {
        row.clear();
        row.extend_from_slice(page.row(y));
        let pixels = gray.row(y);
        let line = y * SQUARE / lines_per_inch % SIDE;
        for column in (0..photos.across).filter(|column| photos.contains(*column, y / BLOCK)) {
            for x in column * BLOCK..((column + 1) * BLOCK).min(gray.width()) {
                let (byte, bit) = ((x / 8) as usize, 0x80 >> (x % 8));
                let tone = tones[usize::from(pixels[x as usize])];
                let ink = tone < PATTERN[(line * SIDE + x % SIDE) as usize];
                row[byte] = if ink { row[byte] | bit } else { row[byte] & !bit };
            }
        }
        page.set_row(y, &row);
    }
}

/// What each grey becomes: stretched to the whole range, then lightened.
fn tones(gray: &Gray, photos: &Photos) -> [u8; 256] {
    let mut counts = [0_u64; 256];
    for y in 0..gray.height() {
        for column in (0..photos.across).filter(|column| photos.contains(*column, y / BLOCK)) {
            let end = ((column + 1) * BLOCK).min(gray.width());
            for pixel in &gray.row(y)[(column * BLOCK) as usize..end as usize] {
                counts[usize::from(*pixel)] += 1;
            }
        }
    }
    let cut = counts.iter().sum::<u64>() * STRETCH_PERCENT / 100;
    let beyond_cut = |seen: &mut u64, level: usize| {
        *seen += counts[level];
        Some((level, *seen > cut))
    };
    let found = |(level, beyond): (usize, bool)| beyond.then_some(level);
    let dark = (0..256).scan(0, beyond_cut).find_map(found).unwrap_or(0) as f64;
    let light = (0..256).rev().scan(0, beyond_cut).find_map(found).unwrap_or(255) as f64;
    let range = (light - dark).max(1.0);
    std::array::from_fn(|level| {
        let part = ((level as f64 - dark) / range).clamp(0.0, 1.0);
        (part.powf(GAMMA) * 255.0).round() as u8
    })
}
