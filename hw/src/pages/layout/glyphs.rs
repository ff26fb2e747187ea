//! Glyphs as ink: each is drawn once, with grey edges at the fax's resolution, and cut
//! to black and white. What comes after only copies runs of dots.

use std::collections::HashMap;

use ab_glyph::{Font, FontRef, Glyph, GlyphId, PxScale, point};
use parley::{FontData, fontique::Synthesis};

use crate::pages::bitmap::Bitmap;

/// Coverage from which a pixel is ink; less than half, or thin strokes break.
const INK: f32 = 0.4;
/// How far letters lean that have no slanted form of their own.
const LEAN: f32 = 0.21;
/// Of its size, how much a letter is widened that has no bold form of its own.
const BOLDER: f32 = 0.03;

/// All glyphs that were needed so far.
pub(super) struct Glyphs {
    /// Lines of the fax for one dot across.
    lines_per_dot: f32,
    known: HashMap<Key, u32>,
    stamps: Vec<Stamp>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    font: (u64, u32),
    glyph: u32,
    size_bits: u32,
    bolder: bool,
    leaning: bool,
}

/// Runs of ink: line, first dot, dot after the last; relative to the glyph's origin.
#[derive(Default)]
struct Stamp(Vec<(i16, i16, i16)>);

impl Glyphs {
    pub(super) fn new(lines_per_dot: f32) -> Self {
        Self { lines_per_dot, known: HashMap::new(), stamps: Vec::new() }
    }

    /// The number of a glyph's stamp; `None` when it has no ink. `size` is in dots.
    pub(super) fn stamp(
        &mut self,
        font: &FontData,
        synthesis: Synthesis,
        size: f32,
        glyph: u32,
    ) -> Option<u32> {
        let key = Key {
            font: (font.data.id(), font.index),
            glyph,
            size_bits: size.to_bits(),
            bolder: synthesis.embolden(),
            leaning: synthesis.skew().is_some(),
        };
        let number = match self.known.get(&key) {
            Some(number) => *number,
            None => {
                let stamp = cut(font, &key, size, self.lines_per_dot).unwrap_or_default();
                self.stamps.push(stamp);
                let number = (self.stamps.len() - 1) as u32;
                self.known.insert(key, number);
                number
            }
        };
        (!self.stamps[number as usize].0.is_empty()).then_some(number)
    }

    /// Puts a stamp on the page; what does not fit is cut off.
    pub(super) fn put(&self, number: u32, page: &mut Bitmap, x: i32, base: i32) {
        let lines = page.size().lines() as i32;
        for (dy, start, end) in &self.stamps[number as usize].0 {
            let (y, start) = (base + i32::from(*dy), (x + i32::from(*start)).max(0));
            let end = x + i32::from(*end);
            if (0..lines).contains(&y) && end > start {
                page.blacken(y as u32, start as u32, end as u32);
            }
        }
    }
}

fn cut(font: &FontData, key: &Key, size: f32, lines_per_dot: f32) -> Option<Stamp> {
    let face = FontRef::try_from_slice_and_index(font.data.data(), font.index).ok()?;
    let across = size / face.units_per_em()? * face.height_unscaled();
    let scale = PxScale { x: across, y: across * lines_per_dot };
    let id = GlyphId(u16::try_from(key.glyph).ok()?);
    let outline = face.outline_glyph(Glyph { id, scale, position: point(0.0, 0.0) })?;
    let corner = outline.px_bounds().min;
    let (left, top) = (corner.x as i32, corner.y as i32);
    let widened = if key.bolder { (size * BOLDER).round().max(1.0) as i32 } else { 0 };
    let mut stamp = Stamp::default();
    // The crate draws row by row, from left to right.
    outline.draw(|x, y, coverage| {
        if coverage < INK {
            return;
        }
        let dy = y as i32 + top;
        let lean = if key.leaning { -dy as f32 / lines_per_dot * LEAN } else { 0.0 };
        let start = x as i32 + left + lean.round() as i32;
        let end = start + 1 + widened;
        let run = (dy as i16, start as i16, end as i16);
        match stamp.0.last_mut() {
            Some(last) if last.0 == run.0 && last.2 >= run.1 => last.2 = run.2,
            _ => stamp.0.push(run),
        }
    });
    Some(stamp)
}
