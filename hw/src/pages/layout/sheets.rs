//! From the galley to pages: how large they are, and what lies where on one.

use postfax_domain::document::{Paper, Resolution};

use super::{
    Full, Galley, MAX_PAGES, Typesetter,
    galley::{Ink, Mark},
};
use crate::pages::{
    bitmap::{Bitmap, Size},
    rasterise::{Refusal, Sink},
    sheet,
};

/// Margins where nothing else is said: those of text pages, in inches.
pub(crate) const MARGIN_IN: f32 = 104.0 / 204.0;
const MM_PER_IN: f32 = 25.4;

/// How long the paper is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Length {
    /// 297 mm.
    #[default]
    A4,
    /// 279.4 mm.
    Letter,
    /// 355.6 mm.
    Legal,
}

impl Length {
    fn mm(self) -> f64 {
        match self {
            Self::A4 => 297.0,
            Self::Letter => 279.4,
            Self::Legal => 355.6,
        }
    }
}

/// The paper, and what of it is printed on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    size: Size,
    lines_per_dot: f32,
    /// Dots left of the text.
    left: f32,
    /// Dots across that text may take.
    pub(crate) width: f32,
    /// Dots down, as long as those across, above the text.
    top: f32,
    /// The same, that text may take.
    height: f32,
}

impl Form {
    /// Paper as wide as A4, with the margins of text pages or others.
    pub(crate) fn new(resolution: Resolution, length: Length, margin_mm: Option<f32>) -> Self {
        let dots = resolution.dots_per_inch() as f32;
        let lines_per_dot = resolution.lines_per_inch() as f32 / dots;
        let width = Paper::A4.pixels(resolution);
        let lines = sheet::lines(resolution, length.mm());
        let size = Size::new(width, lines).expect("a sheet is within the limits");
        let margin = (margin_mm.map_or(MARGIN_IN, |mm| mm / MM_PER_IN) * dots).round();
        // Sides keep to whole bytes, which pictures need.
        let left = (margin / 8.0).round() * 8.0;
        Self {
            size,
            lines_per_dot,
            left,
            width: width as f32 - 2.0 * left,
            top: margin,
            height: lines as f32 / lines_per_dot - 2.0 * margin,
        }
    }
}

impl Typesetter {
    /// Gives the pages of a galley to the sink. Nothing becomes one white page.
    ///
    /// # Errors
    /// [`Refusal::TooManyPages`]
    pub(crate) fn print(
        &self,
        galley: Result<&Galley, Full>,
        form: Form,
        sink: &mut dyn Sink,
    ) -> Result<(), Refusal> {
        let Ok(galley) = galley else {
            // The sink knows the limit, and has words for it.
            sink.announce(MAX_PAGES + 1)?;
            return Err(Refusal::TooLarge);
        };
        let mut leaves = galley.leaves(form.height);
        if leaves.is_empty() {
            leaves.push(0..0);
        }
        sink.announce(leaves.len())?;
        for leaf in leaves {
            sink.page(&self.page(galley, leaf, form));
        }
        Ok(())
    }

    /// How many pages a galley makes, at least 1.
    pub(crate) fn count(&self, galley: &Galley, form: Form) -> usize {
        galley.leaves(form.height).len().max(1)
    }

    fn page(&self, galley: &Galley, leaf: std::ops::Range<usize>, form: Form) -> Bitmap {
        let mut page = Bitmap::white(form.size);
        let strips = &galley.strips[leaf];
        let start = strips.first().map_or(0.0, |strip| strip.top);
        for strip in strips {
            let top = form.top + strip.top - start;
            for mark in &galley.marks[strip.marks.clone()] {
                self.draw(&mut page, galley, form, top, mark);
            }
        }
        page
    }

    fn draw(&self, page: &mut Bitmap, galley: &Galley, form: Form, top: f32, mark: &Mark) {
        let x = (form.left + mark.x).round() as i32;
        let y = ((top + mark.y) * form.lines_per_dot).round() as i32;
        let lines = form.size.lines() as i32;
        match mark.ink {
            Ink::Glyph(stamp) => self.glyphs.put(stamp, page, x, y),
            Ink::Box { width, height } => {
                // As thick wherever it lies between two lines.
                let end = y + (height * form.lines_per_dot).round().max(1.0) as i32;
                let right = (form.left + mark.x + width).round().max(0.0) as u32;
                for line in y.max(0)..end.min(lines) {
                    page.blacken(line as u32, x.max(0) as u32, right);
                }
            }
            Ink::Picture(index) => {
                let left = (x.max(0) as u32) / 8 * 8;
                page.lay(&galley.pictures[index], left, y.max(0) as u32);
            }
        }
    }
}
