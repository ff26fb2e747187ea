//! Photographs as round dots on lines at 45 degrees: fax machines print them
//! clean, and their runs are long enough to code.

use std::f64::consts::PI;

use postfax_domain::document::Resolution;

use super::{like_fine, photo::Photos};
use crate::pages::{bitmap::Bitmap, gray::Gray};

/// Side of the pattern in pixels at fine; it holds two dots.
const SIDE: u32 = 8;
/// Fax print is darker than the screen.
const GAMMA: f64 = 0.85;
/// The darkest and lightest part of the photographs that become black and white.
const STRETCH_PERCENT: u64 = 1;
/// Black and white are never made of something lighter or darker than these, so that a
/// flat fill neither turns black nor vanishes.
const DARKEST_BLACK: f64 = 64.0;
const LIGHTEST_WHITE: f64 = 224.0;
/// An edge from darker than this to lighter than `LIGHT`, both once they are stretched,
/// belongs to text or a drawing.
const DARK: u8 = 80;
const LIGHT: u8 = 180;
/// Half of the window in which such an edge is looked for, in pixels.
const EDGE: usize = 2;

/// A pixel is ink when it is darker than the pattern at its place. The levels
/// come from a hill of cosines whose crests are the dots' centres; it has as many
/// pixels as keep the dots round and equally large at any resolution.
struct Pattern {
    across: u32,
    down: u32,
    levels: Vec<u8>,
}

impl Pattern {
    fn new(resolution: Resolution) -> Self {
        let (across, down) = like_fine(SIDE, resolution);
        let height = |i: u32| {
            let x = (f64::from(i % across) + 0.5) / f64::from(across);
            let y = (f64::from(i / across) + 0.5) / f64::from(down);
            (2.0 * PI * (x + y)).cos() + (2.0 * PI * (x - y)).cos()
        };
        let places = across * down;
        let mut order: Vec<u32> = (0..places).collect();
        order.sort_by(|a, b| height(*b).total_cmp(&height(*a)));
        let mut levels = vec![0; places as usize];
        for (rank, place) in order.into_iter().enumerate() {
            // The first place is inked by all but white, the last one by black only.
            levels[place as usize] = (255 - (rank as u32 * 2 + 1) * 255 / (2 * places)) as u8;
        }
        Self { across, down, levels }
    }

    fn line(&self, y: u32) -> &[u8] {
        &self.levels[(y % self.down * self.across) as usize..][..self.across as usize]
    }
}

/// Replaces the photographs of `page` by dots.
pub(super) fn draw(gray: &Gray, photos: &Photos, resolution: Resolution, page: &mut Bitmap) {
    let tones = tones(gray, photos);
    let pattern = Pattern::new(resolution);
    for y in 0..gray.height() {
        dots(gray, photos, &tones, &pattern, page, y, |_| true);
    }
}

/// The same, but pixels at a sharp edge between black and white stay as the threshold
/// made them: letters on a photograph stay letters.
pub(super) fn draw_around_text(
    gray: &Gray,
    photos: &Photos,
    resolution: Resolution,
    page: &mut Bitmap,
) {
    let tones = tones(gray, photos);
    let pattern = Pattern::new(resolution);
    let (width, height) = (gray.width() as usize, gray.height() as usize);
    let (mut darkest, mut lightest) = (vec![0; width], vec![0; width]);
    for y in 0..height {
        darkest.copy_from_slice(gray.row(y as u32));
        lightest.copy_from_slice(gray.row(y as u32));
        for near in y.saturating_sub(EDGE)..(y + EDGE + 1).min(height) {
            let row = gray.row(near as u32).iter();
            for ((dark, light), pixel) in darkest.iter_mut().zip(&mut lightest).zip(row) {
                *dark = (*dark).min(*pixel);
                *light = (*light).max(*pixel);
            }
        }
        let grey = |x: usize| {
            let near = x.saturating_sub(EDGE)..(x + EDGE + 1).min(width);
            darkest[near.clone()].iter().all(|dark| tones[usize::from(*dark)] >= DARK)
                || lightest[near].iter().all(|light| tones[usize::from(*light)] <= LIGHT)
        };
        dots(gray, photos, &tones, &pattern, page, y as u32, grey);
    }
}

/// Makes dots of the pixels of a line that are photographs and that `wanted` names.
fn dots(
    gray: &Gray,
    photos: &Photos,
    tones: &[u8; 256],
    pattern: &Pattern,
    page: &mut Bitmap,
    y: u32,
    wanted: impl Fn(usize) -> bool,
) {
    let mut row = page.row(y).to_vec();
    let (pixels, line) = (gray.row(y), pattern.line(y));
    for columns in photos.columns(y) {
        for x in columns.filter(|x| wanted(*x)) {
            let (byte, bit) = (x / 8, 0x80 >> (x % 8));
            let ink = tones[usize::from(pixels[x])] < line[x % line.len()];
            row[byte] = if ink { row[byte] | bit } else { row[byte] & !bit };
        }
    }
    page.set_row(y, &row);
}

/// What each grey becomes: stretched to the whole range, then lightened.
fn tones(gray: &Gray, photos: &Photos) -> [u8; 256] {
    let mut counts = [0_u64; 256];
    for y in 0..gray.height() {
        for columns in photos.columns(y) {
            for pixel in &gray.row(y)[columns] {
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
    let dark = (0..256).scan(0, beyond_cut).find_map(found).unwrap_or(0);
    let dark = (dark as f64).min(DARKEST_BLACK);
    let light = (0..256).rev().scan(0, beyond_cut).find_map(found).unwrap_or(255);
    let light = (light as f64).max(LIGHTEST_WHITE);
    let range = (light - dark).max(1.0);
    std::array::from_fn(|level| {
        let part = ((level as f64 - dark) / range).clamp(0.0, 1.0);
        (part.powf(GAMMA) * 255.0).round() as u8
    })
}
