//! Which pages of a received fax say nothing: blank ones, and those that were sent
//! again because the line had damaged them. It judges; what is left out, and where,
//! is for [`super::received`] to say.
//!
//! Why so careful: a page too many is a nuisance, a page too few is a loss. A blank
//! page has nothing larger than a speck, and a page is the same as the one before
//! only when every line that was not damaged is.

use std::ops::Range;

use super::{bitmap::Bitmap, ccitt::Decoded, tiff::Density};

const INCH_MM: f32 = 25.4;
/// Shadows of the scanner: nothing that is looked at stands so near to an edge.
const EDGE_MM: f32 = 3.0;
/// The line that a fax machine writes above a page begins so near to its top,
const HEADER_TOP_MM: f32 = 10.0;
/// is no higher,
const HEADER_MM: f32 = 6.0;
/// and has so much white below it.
const HEADER_GAP_MM: f32 = 1.0;
/// Black pixels of a line that are more than noise.
const NOISE_PIXELS: u32 = 2;
/// Pixels across a field that is looked at for ink: 2 mm at 204 dots an inch.
const FIELD: u32 = 16;
/// A field has ink when more than one pixel of so many is black: a speck of three by
/// three is none, a full stop is.
const INK_SHARE: u32 = 20;
/// A page of specks is no blank page either: at most one pixel of so many is black.
const SPECK_SHARE: u64 = 500;

/// Pixels of a line that may differ in two readings of it.
const LINE_NOISE: u32 = 3;
/// Lines that may be lost or gained beside the bad ones.
const SLACK_LINES: u32 = 8;
/// So far behind a bad line the copies may still be out of step.
const NEAR_LINES: u32 = 16;
/// How many lines are tried to get into step again, and how many must agree then.
const STEPS: u32 = 8;
const AGREE: u32 = 6;
/// Lines with ink that must agree before two pages are the same.
const MIN_PROOF_LINES: u32 = 40;

/// Whether nothing is on the page but noise and the line that fax machines write above.
#[must_use]
pub fn is_blank(page: &Bitmap, density: Density) -> bool {
    let edge = dots(EDGE_MM, density.x).next_multiple_of(8) as usize / 8;
    let inner = edge..page.size().stride().saturating_sub(edge);
    if inner.is_empty() {
        return page.black_pixels() == 0;
    }
    let body = below_header(page, &inner, density)..bottom(page, density);
    let high = (FIELD as f32 * density.y / density.x).round().max(4.0) as u32;
    let most = high * FIELD / INK_SHARE;
    let mut fields = vec![0; inner.len() / 2 + 1];
    let mut all = 0_u64;
    for (count, y) in body.clone().enumerate() {
        if (count as u32).is_multiple_of(high) {
            fields.fill(0);
        }
        for (at, byte) in page.row(y)[inner.clone()].iter().enumerate() {
            let black = byte.count_ones();
            fields[at / 2] += black;
            all += u64::from(black);
            if fields[at / 2] > most {
                return false;
            }
        }
    }
    all <= (body.len() * inner.len()) as u64 * 8 / SPECK_SHARE
}

fn dots(mm: f32, per_inch: f32) -> u32 {
    (mm / INCH_MM * per_inch).round() as u32
}

fn bottom(page: &Bitmap, density: Density) -> u32 {
    page.size().lines().saturating_sub(dots(EDGE_MM, density.y))
}

/// The first line below the header line; 0 when what stands on top is none.
fn below_header(page: &Bitmap, inner: &Range<usize>, density: Density) -> u32 {
    let written = |y: &u32| {
        let black: u32 = page.row(*y)[inner.clone()].iter().map(|byte| byte.count_ones()).sum();
        black > NOISE_PIXELS
    };
    let lines = page.size().lines();
    let Some(first) = (0..lines.min(dots(HEADER_TOP_MM, density.y))).find(written) else {
        return 0;
    };
    let gap = dots(HEADER_GAP_MM, density.y).max(2);
    let mut end = first;
    for y in first..lines.min(first + dots(HEADER_MM, density.y) + gap) {
        if written(&y) {
            end = y + 1;
        } else if y >= end + gap {
            return end;
        }
    }
    0
}

/// Whether two pages are two readings of one: every line agrees that was damaged in
/// neither of them.
#[must_use]
pub fn is_same(one: &Decoded, other: &Decoded) -> bool {
    let (a, b) = (Side::new(one), Side::new(other));
    let slack = SLACK_LINES + a.damaged + b.damaged;
    let fits = a.page.size().width() == b.page.size().width()
        && a.lines.abs_diff(b.lines) <= slack
        && a.damaged.max(b.damaged) <= a.lines.min(b.lines) / 2;
    fits && walk(&a, &b, slack).is_some_and(|proof| proof >= MIN_PROOF_LINES)
}

/// One of two pages that are compared.
struct Side<'a> {
    page: &'a Bitmap,
    lines: u32,
    damaged: u32,
    bad: &'a [Range<u32>],
}

impl<'a> Side<'a> {
    fn new(decoded: &'a Decoded) -> Self {
        Self {
            page: &decoded.page,
            lines: decoded.page.size().lines(),
            damaged: decoded.damage.lines(),
            bad: &decoded.bad,
        }
    }

    /// Whether a line is bad, or may be: damage that is noticed on one line may have
    /// begun on the one above.
    fn is_bad(&self, y: u32) -> bool {
        self.bad_within(y + 1, 1)
    }

    /// Whether a line is so near to a bad one that the copies may be out of step.
    fn is_near_bad(&self, y: u32) -> bool {
        self.bad_within(y + 2, NEAR_LINES)
    }

    /// Whether a line is bad, or one of so many before it.
    fn bad_within(&self, y: u32, before: u32) -> bool {
        // The first stretch that ends behind where we begin to look.
        let next = self.bad.partition_point(|lines| lines.end + before <= y);
        self.bad.get(next).is_some_and(|lines| lines.start <= y)
    }
}

/// Goes down both pages side by side. The lines with ink that agree; `None` when a
/// line does not that should.
fn walk(a: &Side<'_>, b: &Side<'_>, slack: u32) -> Option<u32> {
    let (mut i, mut j, mut out_of_step, mut proof) = (0, 0, 0, 0);
    // Damage that makes another line of a line is not noticed: there is some wherever
    // there is damage that is.
    let mut strays = a.damaged + b.damaged;
    while i < a.lines && j < b.lines {
        let near = a.is_near_bad(i) || b.is_near_bad(j);
        if alike(a.page.row(i), b.page.row(j)) {
            proof += u32::from(a.page.row(i).iter().any(|byte| *byte != 0));
        } else if agree(a, b, i + 1, j + 1) {
            if !near {
                strays = strays.checked_sub(1)?;
            }
        } else if let Some((more_i, more_j)) = in_step(a, b, i, j).filter(|_| near) {
            out_of_step += more_i + more_j;
            (i, j) = (i + more_i, j + more_j);
            if out_of_step > slack {
                return None;
            }
            continue;
        } else if !a.is_bad(i) && !b.is_bad(j) {
            return None;
        }
        (i, j) = (i + 1, j + 1);
    }
    let left = (a.lines - i).max(b.lines - j) + out_of_step;
    (left <= slack).then_some(proof)
}

/// The fewest lines to pass over on one side so that the next ones agree.
fn in_step(a: &Side<'_>, b: &Side<'_>, i: u32, j: u32) -> Option<(u32, u32)> {
    let fits = |(more_i, more_j): &(u32, u32)| agree(a, b, i + more_i, j + more_j);
    (1..=STEPS).flat_map(|more| [(more, 0), (0, more)]).find(fits)
}

/// Whether some lines from these on are the same.
fn agree(a: &Side<'_>, b: &Side<'_>, i: u32, j: u32) -> bool {
    let same = |ahead| {
        let (i, j) = (i + ahead, j + ahead);
        i < a.lines && j < b.lines && alike(a.page.row(i), b.page.row(j))
    };
    (0..AGREE).all(same)
}

/// Whether two lines are one but for a few pixels.
fn alike(one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    let differ: u32 = one.iter().zip(other).map(|(a, b)| (a ^ b).count_ones()).sum();
    differ <= LINE_NOISE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::{
        bitmap::Size,
        ccitt::{self, Coding},
    };

    const FINE: Density = Density { x: 204.0, y: 196.0 };

    fn sheet() -> Bitmap {
        Bitmap::white(Size::new(1728, 2286).unwrap())
    }

    /// Strokes such as letters have, from line `top` on, `high` lines.
    fn write(page: &mut Bitmap, top: u32, high: u32, until: u32, seed: u32) {
        for y in top..top + high {
            for x in (200..until).filter(|x| (x / 5 + (y / 7) * 3 + seed).is_multiple_of(4)) {
                page.set_black(x, y);
            }
        }
    }

    fn letter(seed: u32) -> Bitmap {
        let mut page = sheet();
        for line in 0..40 {
            write(&mut page, 200 + line * 45, 25, 1500, seed + line % 7);
        }
        page
    }

    /// Specks of one pixel.
    fn noise(page: &mut Bitmap, specks: u32) {
        let mut state = 7_u32;
        for _ in 0..specks {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            page.set_black((state >> 8) % 1728, (state >> 4) % 2286);
        }
    }

    #[test]
    fn blank_is_what_nobody_wrote_on() {
        let with = |draw: &dyn Fn(&mut Bitmap)| {
            let mut page = sheet();
            draw(&mut page);
            is_blank(&page, FINE)
        };
        let header = |page: &mut Bitmap| write(page, 30, 24, 1500, 0);
        assert!(with(&|_| {}));
        assert!(with(&header), "the header line alone");
        assert!(with(&|page| noise(page, 500)), "specks");
        assert!(with(&|page| (0..2286).for_each(|y| page.blacken(y, 0, 9))), "a shadow");
        assert!(
            !with(&|page| {
                header(page);
                write(page, 1100, 24, 240, 0);
            }),
            "two letters"
        );
        assert!(!with(&|page| (900..904).for_each(|y| page.blacken(y, 800, 804))), "a full stop");
        assert!(!with(&|page| write(page, 30, 80, 1500, 0)), "three lines of text on top");
        assert!(!with(&|page| write(page, 300, 24, 1500, 0)), "one line of text further down");
        assert!(!with(&|page| noise(page, 40_000)), "a grey page");
        let mut coarse = Bitmap::white(Size::new(1728, 1143).unwrap());
        write(&mut coarse, 15, 12, 1500, 0);
        assert!(is_blank(&coarse, Density { y: 98.0, ..FINE }));
        write(&mut coarse, 500, 12, 240, 0);
        assert!(!is_blank(&coarse, Density { y: 98.0, ..FINE }));
        let narrow = Bitmap::white(Size::new(20, 20).unwrap());
        assert!(is_blank(&narrow, FINE));
    }

    fn read(page: &Bitmap, damage: impl Fn(&mut Vec<u8>)) -> Decoded {
        let coding = Coding::Mh { aligned: true };
        let mut bytes = ccitt::encode(page, coding);
        damage(&mut bytes);
        ccitt::decode(&bytes, coding, page.size())
    }

    #[test]
    fn a_page_that_came_again_is_the_same_and_another_is_not() {
        let page = letter(0);
        let clean = read(&page, |_| {});
        // One line in a hundred loses some bits.
        let hit = read(&page, |bytes| {
            let every = bytes.len() / 23;
            (0..23).for_each(|hit| bytes[hit * every + every / 2] ^= 0x5a);
        });
        assert!(hit.damage.bad_lines >= 10, "{:?}", hit.damage);
        assert!(is_same(&hit, &clean) && is_same(&clean, &hit) && is_same(&hit, &hit));
        // The line drops: the last third never comes.
        let short = read(&page, |bytes| bytes.truncate(bytes.len() * 2 / 3));
        assert!(short.damage.missing_lines > 100);
        assert!(is_same(&short, &clean));
        let mut noisy = page.clone();
        noise(&mut noisy, 300);
        assert!(is_same(&read(&noisy, |_| {}), &clean), "specks");

        assert!(!is_same(&read(&letter(1), |_| {}), &clean));
        let mut signed = page.clone();
        write(&mut signed, 2100, 14, 212, 0);
        assert!(!is_same(&read(&signed, |_| {}), &clean), "another page number");
        assert!(!is_same(&read(&signed, |_| {}), &hit), "not even when it was damaged");
        let empty = read(&sheet(), |_| {});
        assert!(!is_same(&empty, &empty), "blank pages prove nothing");
        let lost = read(&page, |bytes| bytes.truncate(bytes.len() / 4));
        assert!(!is_same(&lost, &clean), "too little of it came");
    }
}
