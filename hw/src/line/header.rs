//! The header line of a page that is sent: when, from whom, to whom, which page; as the
//! law of many countries asks for it (USA: 47 CFR 68.318(d)). It is one line of text drawn
//! by our own fonts, as high as it is on paper whatever the resolution.

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};

use crate::pages::{
    bitmap::{Bitmap, Size},
    tiff::Density,
};

/// Height of the line with the white around it, in lines at 196 an inch: 2.8 mm.
const BAND: f32 = 22.0;
/// Height of the letters, from the lowest to the highest, in the same.
const LETTERS: f32 = 20.0;
/// What the heights count.
const FINE: Density = Density { x: 204.0, y: 196.0 };
/// White at both sides, in parts of the width.
const MARGIN: f32 = 0.02;
/// Coverage from which a pixel is ink; less than half, or thin strokes break.
const INK: f32 = 0.4;
/// Lines of an A4 page at fine: what is as long as that must not get longer.
const A4_LINES: f32 = 2286.0;

/// Where the line is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// Above the page, which grows by it, but not beyond A4 while its last lines are
    /// white.
    #[default]
    Above,
    /// Over the first lines of the page, which are lost.
    Over,
}

/// What the line says of a call, besides the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The local time with its zone.
    pub at: String,
    /// Who sends.
    pub from: String,
    /// The number of the sending machine; empty when it is not known.
    pub from_number: String,
    /// The number that is called.
    pub to: String,
}

impl Header {
    /// The line for page `number` of `pages`: what stands left, and what stands right.
    fn words(&self, number: u32, pages: u32) -> (String, String) {
        let from = format!("{} {}", self.from, self.from_number);
        let left = format!("{}   From: {}   To: {}", self.at, from.trim(), self.to);
        (left, format!("Page {number}/{pages}"))
    }

    /// The page with its line.
    #[must_use]
    pub fn stamp(
        &self,
        page: &Bitmap,
        density: Density,
        place: Place,
        (number, pages): (u32, u32),
    ) -> Bitmap {
        let (left, right) = self.words(number, pages);
        let band_lines = ((BAND * density.y / FINE.y).round() as u32).max(1);
        let size = page.size();
        let grown = match place {
            Place::Above => {
                let spare = spare_lines(page, density, band_lines);
                Size::new(size.width(), size.lines() - spare + band_lines)
            }
            Place::Over => None,
        };
        let shift = if grown.is_some() { band_lines } else { 0 };
        let mut out = Bitmap::white(grown.unwrap_or(size));
        let first = if shift == 0 { band_lines } else { 0 };
        for y in first..size.lines() {
            if y + shift < out.size().lines() {
                out.set_row(y + shift, page.row(y));
            }
        }
        Pen::new(density, size.width()).line(&mut out, &left, &right);
        out
    }
}

/// White lines at the end of a page that give way to the header line, so that it does not
/// become longer than the paper.
fn spare_lines(page: &Bitmap, density: Density, band_lines: u32) -> u32 {
    let longest = A4_LINES * density.y / FINE.y;
    let lines = page.size().lines();
    if ((lines + band_lines) as f32) <= longest {
        return 0;
    }
    let white = (0..lines).rev().take_while(|y| page.row(*y).iter().all(|byte| *byte == 0));
    (white.count() as u32).min(band_lines).min(lines - 1)
}

/// Draws the text.
struct Pen {
    font: FontRef<'static>,
    scale: PxScale,
    base: f32,
    left: f32,
    right: f32,
}

impl Pen {
    fn new(density: Density, width: u32) -> Self {
        let font = FontRef::try_from_slice(dejavu::sans::regular())
            .expect("the font of the binary is sound");
        let (across, down) = (density.x / FINE.x, density.y / FINE.y);
        let scale = PxScale { x: LETTERS * across, y: LETTERS * down };
        let sized = font.as_scaled(scale);
        // The band less the letters, half of it above them.
        let base = (BAND - LETTERS) / 2.0 * down + sized.ascent();
        let margin = width as f32 * MARGIN;
        Self { font, scale, base, left: margin, right: width as f32 - margin }
    }

    /// Both texts; the left one gives way to the right one.
    fn line(&self, page: &mut Bitmap, left: &str, right: &str) {
        let start = (self.right - self.width(right)).max(self.left);
        self.draw(page, right, start, self.right);
        let gap = self.width("  ");
        let room = start - gap - self.left;
        let whole = self.width(left);
        // Letters are made narrower before any of them is lost.
        let narrow = if whole > room { (room / whole).max(0.7) } else { 1.0 };
        let scale = PxScale { x: self.scale.x * narrow, ..self.scale };
        let narrower = Self { scale, font: self.font.clone(), ..*self };
        narrower.draw(page, left, self.left, start - gap);
    }

    fn letter(&self, c: char) -> Option<char> {
        if c.is_control() {
            return None;
        }
        Some(if self.font.glyph_id(c).0 == 0 { '?' } else { c })
    }

    fn width(&self, text: &str) -> f32 {
        let sized = self.font.as_scaled(self.scale);
        let letters = text.chars().filter_map(|c| self.letter(c));
        letters.map(|c| sized.h_advance(sized.glyph_id(c))).sum()
    }

    /// Draws from `x` on, and nothing that would reach beyond `end`.
    fn draw(&self, page: &mut Bitmap, text: &str, mut x: f32, end: f32) {
        let sized = self.font.as_scaled(self.scale);
        for c in text.chars().filter_map(|c| self.letter(c)) {
            let id = self.font.glyph_id(c);
            let next = x + sized.h_advance(id);
            if next > end + 0.5 {
                return;
            }
            // On whole dots: the same letter is the same pixels everywhere.
            let position = point(x.round(), self.base.round());
            if let Some(outline) =
                self.font.outline_glyph(Glyph { id, scale: self.scale, position })
            {
                let corner = outline.px_bounds().min;
                outline.draw(|dx, dy, coverage| {
                    let (x, y) = (dx as i32 + corner.x as i32, dy as i32 + corner.y as i32);
                    let size = page.size();
                    let inside = (0..size.width() as i32).contains(&x)
                        && (0..size.lines() as i32).contains(&y);
                    if coverage >= INK && inside {
                        page.set_black(x as u32, y as u32);
                    }
                });
            }
            x = next;
        }
    }
}

#[cfg(test)]
#[path = "header_tests.rs"]
mod tests;
