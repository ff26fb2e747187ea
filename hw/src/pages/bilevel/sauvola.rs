//! Sauvola's threshold: a pixel is ink when it is darker than the mean of its
//! neighbourhood, less where the neighbourhood is flat. Pale text on white
//! paper stays, and grey paper goes.

use postfax_domain::document::Resolution;

use super::like_fine;
use crate::pages::{
    bitmap::{Bitmap, Size},
    gray::Gray,
};

/// Half of the window of 31 by 31 pixels at fine.
const REACH: u32 = 15;
/// How much darker than a flat neighbourhood ink must be.
const K: f32 = 0.1;
/// The largest standard deviation that bytes can have.
const RANGE: f32 = 128.0;
/// Darker than this is ink whatever is around it, so that black areas are not hollow.
const ALWAYS_INK: u8 = 60;
/// A window with no pixel darker than this is paper throughout.
const PAPER: u8 = 250;

/// Half of the window across and down, in pixels.
#[derive(Clone, Copy)]
struct Reach {
    across: usize,
    down: usize,
}

impl Reach {
    fn window(self) -> usize {
        2 * self.across + 1
    }

    fn area(self) -> f32 {
        (self.window() * (2 * self.down + 1)) as f32
    }
}

/// A pixel as it goes into sums: its level, and from bit 32 on its square. The sums of a
/// window fit 32 bits each, so that both are kept by one addition.
static TERMS: [u64; 256] = {
    let mut terms = [0; 256];
    let mut level = 0;
    while level < 256 {
        terms[level] = (level | (level * level) << 32) as u64;
        level += 1;
    }
    terms
};

/// Pixels that are looked at together: where nothing changes nothing is counted.
const CHUNK: usize = 16;

/// Sums over the columns of the window. Outside of the page its edge repeats:
/// as many columns before the first and after the last are copies as the window reaches.
struct Columns {
    reach: Reach,
    sums: Vec<u64>,
}

pub(super) fn threshold(gray: &Gray, size: Size, resolution: Resolution) -> Bitmap {
    let (across, down) = like_fine(REACH, resolution);
    let reach = Reach { across: across as usize, down: down as usize };
    let height = gray.height() as usize;
    let row = |y: isize| gray.row(y.clamp(0, height as isize - 1) as u32);
    let plain: Vec<bool> = (0..gray.height()).map(|y| is_paper(gray.row(y))).collect();
    let mut page = Bitmap::white(size);
    let mut columns = Columns::around_first(gray, reach);
    let mut bits = vec![0; size.stride()];
    let down = reach.down as isize;
    for y in 0..height as isize {
        if !plain[y as usize] {
            threshold_row(row(y), &columns, &mut bits);
            page.set_row(y as u32, &bits);
        }
        columns.slide(row(y - down), row(y + down + 1));
    }
    page
}

impl Columns {
    fn around_first(gray: &Gray, reach: Reach) -> Self {
        let padded = gray.width() as usize + 2 * reach.across;
        let mut columns = Self { reach, sums: vec![0; padded] };
        for y in -(reach.down as isize)..=reach.down as isize {
            let row = gray.row(y.clamp(0, gray.height() as isize - 1) as u32);
            for (sum, pixel) in columns.sums[reach.across..].iter_mut().zip(row) {
                *sum += TERMS[usize::from(*pixel)];
            }
        }
        columns.repeat_edges();
        columns
    }

    fn slide(&mut self, out: &[u8], into: &[u8]) {
        if out == into {
            return;
        }
        let own = &mut self.sums[self.reach.across..][..out.len()];
        let (outs, last_out) = out.as_chunks::<CHUNK>();
        let (intos, last_into) = into.as_chunks::<CHUNK>();
        let (sums, last) = own.as_chunks_mut::<CHUNK>();
        for (sums, (out, into)) in sums.iter_mut().zip(outs.iter().zip(intos)) {
            if out != into {
                replace(sums, out, into);
            }
        }
        replace(last, last_out, last_into);
        self.repeat_edges();
    }

    fn repeat_edges(&mut self) {
        let across = self.reach.across;
        let last = self.sums.len() - across - 1;
        let (first_value, last_value) = (self.sums[across], self.sums[last]);
        self.sums[..across].fill(first_value);
        self.sums[last + 1..].fill(last_value);
    }
}

fn replace(sums: &mut [u64], out: &[u8], into: &[u8]) {
    for (sum, (out, into)) in sums.iter_mut().zip(out.iter().zip(into)) {
        *sum = *sum + TERMS[usize::from(*into)] - TERMS[usize::from(*out)];
    }
}

/// The sums of the window around one pixel of a row. It moves only as far as
/// there are pixels that need it: most are paper or black.
struct Window<'a> {
    columns: &'a Columns,
    at: usize,
    sum: u64,
}

impl<'a> Window<'a> {
    fn new(columns: &'a Columns) -> Self {
        let mut window = Self { columns, at: 0, sum: 0 };
        window.begin(0);
        window
    }

    fn begin(&mut self, x: usize) {
        let window = self.columns.reach.window();
        self.at = x;
        self.sum = self.columns.sums[x..x + window].iter().sum();
    }

    fn move_to(&mut self, x: usize) {
        let window = self.columns.reach.window();
        if x - self.at > window / 2 {
            return self.begin(x);
        }
        let into = &self.columns.sums[self.at + window..x + window];
        for (out, into) in self.columns.sums[self.at..x].iter().zip(into) {
            self.sum = self.sum + into - out;
        }
        self.at = x;
    }
}

/// Whether no pixel can be ink.
fn is_paper(row: &[u8]) -> bool {
    row.chunks(4 * CHUNK).all(|some| some.iter().fold(u8::MAX, |all, one| all.min(*one)) >= PAPER)
}

fn threshold_row(row: &[u8], columns: &Columns, bits: &mut [u8]) {
    let area = columns.reach.area();
    let mut window = Window::new(columns);
    for (i, (eight, byte)) in row.chunks(8).zip(bits).enumerate() {
        *byte = 0;
        if eight == [u8::MAX; 8] {
            continue;
        }
        for (bit, pixel) in eight.iter().enumerate() {
            let ink = *pixel < ALWAYS_INK
                || (*pixel < PAPER && {
                    window.move_to(i * 8 + bit);
                    is_ink(*pixel, window.sum, area)
                });
            *byte |= u8::from(ink) << (7 - bit);
        }
    }
}

/// Whether pixel <= mean * (1 + K * (deviation / RANGE - 1)), without a root.
fn is_ink(pixel: u8, sums: u64, area: f32) -> bool {
    let (sum, square) = (sums as u32, (sums >> 32) as u32);
    let mean = sum as f32 / area;
    let above = f32::from(pixel) - mean * (1.0 - K);
    if above <= 0.0 {
        return true;
    }
    let variance = (square as f32 / area - mean * mean).max(0.0);
    let slack = mean * K / RANGE;
    above * above <= slack * slack * variance
}
