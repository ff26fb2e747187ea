//! Sauvola's threshold: a pixel is ink when it is darker than the mean of its
//! neighbourhood, less where the neighbourhood is flat. Pale text on white
//! paper stays, and grey paper goes.

use crate::pages::{
    bitmap::{Bitmap, Size},
    gray::Gray,
};

/// Half of the window of 31 by 31 pixels.
const REACH: usize = 15;
const WINDOW: usize = 2 * REACH + 1;
/// How much darker than a flat neighbourhood ink must be.
const K: f32 = 0.1;
/// The largest standard deviation that bytes can have.
const RANGE: f32 = 128.0;
/// Darker than this is ink whatever is around it, so that black areas are not hollow.
const ALWAYS_INK: u8 = 60;
/// A window with no pixel darker than this is paper throughout.
const PAPER: u8 = 250;

/// Sums over the columns of the window. Outside of the page its edge repeats:
/// `REACH` columns before the first and after the last are copies.
struct Columns {
    sums: Vec<u32>,
    squares: Vec<u32>,
}

pub(super) fn threshold(gray: &Gray, size: Size) -> Bitmap {
    let height = gray.height() as usize;
    let row = |y: isize| gray.row(y.clamp(0, height as isize - 1) as u32);
    let plain: Vec<bool> =
        (0..gray.height()).map(|y| gray.row(y).iter().all(|&p| p >= PAPER)).collect();
    let mut page = Bitmap::white(size);
    let mut columns = Columns::around_first(gray);
    // How many rows of the window have ink at all.
    let inky = |y: isize| usize::from(!plain[y.clamp(0, height as isize - 1) as usize]);
    let reach = REACH as isize;
    let mut inky_rows: usize = (-reach..=reach).map(inky).sum();
    for y in 0..height as isize {
        if inky_rows > 0 && !plain[y as usize] {
            threshold_row(gray.row(y as u32), &columns, y as u32, &mut page);
        }
        columns.slide(row(y - reach), row(y + reach + 1));
        inky_rows = inky_rows + inky(y + reach + 1) - inky(y - reach);
    }
    page
}

impl Columns {
    fn around_first(gray: &Gray) -> Self {
        let padded = gray.width() as usize + 2 * REACH;
        let mut columns = Self { sums: vec![0; padded], squares: vec![0; padded] };
        for y in -(REACH as isize)..=REACH as isize {
            let row = gray.row(y.clamp(0, gray.height() as isize - 1) as u32);
            for (x, pixel) in row.iter().enumerate() {
                let pixel = u32::from(*pixel);
                columns.sums[x + REACH] += pixel;
                columns.squares[x + REACH] += pixel * pixel;
            }
        }
        columns.repeat_edges();
        columns
    }

    fn slide(&mut self, out: &[u8], into: &[u8]) {
        if out == into {
            return;
        }
        let sums = self.sums[REACH..].iter_mut().zip(&mut self.squares[REACH..]);
        for ((sum, square), (out, into)) in sums.zip(out.iter().zip(into)) {
            let (out, into) = (u32::from(*out), u32::from(*into));
            *sum = *sum + into - out;
            *square = *square + into * into - out * out;
        }
        self.repeat_edges();
    }

    fn repeat_edges(&mut self) {
        for all in [&mut self.sums, &mut self.squares] {
            let last = all.len() - REACH - 1;
            let (first_value, last_value) = (all[REACH], all[last]);
            all[..REACH].fill(first_value);
            all[last + 1..].fill(last_value);
        }
    }
}

fn threshold_row(row: &[u8], columns: &Columns, y: u32, page: &mut Bitmap) {
    let mut sum: u32 = columns.sums[..WINDOW - 1].iter().sum();
    let mut square: u32 = columns.squares[..WINDOW - 1].iter().sum();
    // The window of pixel x is the columns from x to x + WINDOW - 1.
    let into = columns.sums[WINDOW - 1..].iter().zip(&columns.squares[WINDOW - 1..]);
    let out = columns.sums.iter().zip(&columns.squares);
    for ((x, pixel), (into, out)) in row.iter().enumerate().zip(into.zip(out)) {
        sum += into.0;
        square += into.1;
        if *pixel < ALWAYS_INK || (*pixel < PAPER && is_ink(*pixel, sum, square)) {
            page.set_black(x as u32, y);
        }
        sum -= out.0;
        square -= out.1;
    }
}

/// Whether pixel <= mean * (1 + K * (deviation / RANGE - 1)), without a root.
fn is_ink(pixel: u8, sum: u32, square: u32) -> bool {
    let area = (WINDOW * WINDOW) as f32;
    let mean = sum as f32 / area;
    let above = f32::from(pixel) - mean * (1.0 - K);
    if above <= 0.0 {
        return true;
    }
    let variance = (square as f32 / area - mean * mean).max(0.0);
    let slack = mean * K / RANGE;
    above * above <= slack * slack * variance
}
