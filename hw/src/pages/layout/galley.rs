//! The galley: one endless column of strips, each a line of text or something else that
//! is never cut. It is cut to pages between strips.

use super::{MAX_PAGES, set::Scale};
use crate::pages::bitmap::Bitmap;

/// More has come than a fax may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Marks that a galley holds at most; a page of text has about 4,000.
const MAX_MARKS: usize = 8_000_000;

/// A column of strips. All lengths are in dots across.
#[derive(Default)]
pub(crate) struct Galley {
    pub(super) strips: Vec<Strip>,
    pub(super) marks: Vec<Mark>,
    pub(super) pictures: Vec<Bitmap>,
    /// Where the next strip goes.
    pub(super) y: f32,
    /// White that is due before it.
    gap: f32,
    /// It starts a page.
    fresh: bool,
    /// The first mark of the next strip.
    open: usize,
    /// As long as a galley may be.
    longest: f32,
}

/// What is never cut.
pub(super) struct Strip {
    pub(super) top: f32,
    pub(super) height: f32,
    /// It stays on a page with the strip after it.
    pub(super) keep: bool,
    /// It starts a page.
    pub(super) fresh: bool,
    pub(super) marks: std::ops::Range<usize>,
}

/// Ink in a strip.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) x: f32,
    /// From the top of the strip: of a glyph its base line, of all else its upper edge.
    pub(super) y: f32,
    pub(super) ink: Ink,
}

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ink {
    /// A stamp of [`super::glyphs::Glyphs`].
    Glyph(u32),
    /// A black rectangle.
    Box { width: f32, height: f32 },
    /// One of the galley's pictures.
    Picture(usize),
}

impl Galley {
    pub(super) fn new(scale: Scale) -> Self {
        let longest = scale.page_height() * MAX_PAGES as f32;
        Self { longest, ..Self::default() }
    }

    /// White; where two ask for it the larger counts.
    pub(super) fn part(&mut self, white: f32) {
        self.gap = self.gap.max(white);
    }

    /// White in any case, but never more than a page of it.
    pub(super) fn space(&mut self, white: f32) {
        self.gap = (self.gap + white).min(self.longest / MAX_PAGES as f32);
    }

    /// The next strip starts a page.
    pub(super) fn break_page(&mut self) {
        self.fresh = !self.strips.is_empty();
        self.gap = 0.0;
    }

    /// Adds a strip; its marks are those added since the strip before it.
    pub(super) fn close(&mut self, height: f32, keep: bool) -> Result<(), Full> {
        self.settle();
        let marks = std::mem::replace(&mut self.open, self.marks.len())..self.marks.len();
        let fresh = std::mem::take(&mut self.fresh);
        self.strips.push(Strip { top: self.y, height, keep, fresh, marks });
        self.y += height;
        match self.y > self.longest || self.marks.len() > MAX_MARKS {
            true => Err(Full),
            false => Ok(()),
        }
    }

    /// White that was asked for becomes place that is taken.
    pub(super) fn settle(&mut self) {
        self.y += std::mem::take(&mut self.gap);
    }

    /// White that is due before the next strip.
    pub(super) fn due(&self) -> f32 {
        self.gap
    }

    /// White that was asked for is not needed.
    pub(super) fn drop_white(&mut self) {
        self.gap = 0.0;
    }

    /// Sorts the strips from `first` on from top to bottom, when columns stand side by
    /// side among them.
    pub(super) fn put_in_order(&mut self, first: usize) {
        let strips = &mut self.strips[first..];
        strips.sort_by(|one, other| one.top.total_cmp(&other.top));
    }

    pub(super) fn mark(&mut self, x: f32, y: f32, ink: Ink) {
        self.marks.push(Mark { x, y, ink });
    }

    /// Where pages start and which strips they hold, for pages this high.
    pub(super) fn leaves(&self, height: f32) -> Vec<std::ops::Range<usize>> {
        let mut leaves = Vec::new();
        let (mut first, mut at) = (0, 0);
        while at < self.strips.len() {
            let strip = &self.strips[at];
            let bottom = strip.top + strip.height - self.strips[first].top;
            if at > first && (strip.fresh || bottom > height + 0.5) {
                let cut = if strip.fresh { at } else { self.with_its_heading(first, at) };
                leaves.push(first..cut);
                (first, at) = (cut, cut);
            }
            at += 1;
        }
        if first < self.strips.len() {
            leaves.push(first..self.strips.len());
        }
        leaves
    }

    /// Where to cut instead of at `at`, so that no heading ends a page and no line of a
    /// paragraph stands alone.
    fn with_its_heading(&self, first: usize, at: usize) -> usize {
        const MOST: usize = 8;
        let mut cut = at;
        while cut > first + 1 && self.strips[cut - 1].keep && at - cut < MOST {
            cut -= 1;
        }
        if self.strips[cut - 1].keep { at } else { cut }
    }
}
