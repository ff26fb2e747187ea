//! Pictures inside of text: small, few, and never more than a part of the work.

use super::{
    Full, Galley,
    galley::Ink,
    set::{Frame, Scale, Typesetter},
};
use crate::pages::{
    Look,
    bilevel::bilevel,
    bitmap::Bitmap,
    rasterise::{Refusal, embedded},
    sheet,
    tiff::Density,
};

/// What a pixel of a screen measures, in points.
const SCREEN_PIXEL_PT: f32 = 0.75;
/// Pictures of one document.
const MAX_PICTURES: usize = 200;
/// Pixels of all of them.
const MAX_PIXELS: u64 = 120_000_000;

/// A picture of a document.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    /// The file.
    pub bytes: Vec<u8>,
    /// How wide it is to be, in points, where that is known.
    pub width_pt: Option<f32>,
    /// How high at most.
    pub height_pt: Option<f32>,
    /// Which side it keeps to.
    pub align: super::Align,
    /// What it is called in warnings.
    pub name: String,
}

/// What pictures may still cost, and what was wrong with them.
#[derive(Debug, Default)]
pub(super) struct Budget {
    pictures: usize,
    pixels: u64,
    problems: Vec<String>,
}

impl Budget {
    pub(super) fn problems(&self) -> Vec<String> {
        self.problems.clone()
    }

    fn refuse(&mut self, name: &str, why: &str) {
        const MOST: usize = 5;
        if self.problems.len() < MOST {
            self.problems.push(format!("{name} was left out: {why}"));
        }
    }

    /// What is left of the pixels, if anything is.
    fn spend(&mut self) -> Option<u64> {
        self.pictures += 1;
        let left = MAX_PIXELS.saturating_sub(self.pixels);
        (self.pictures <= MAX_PICTURES && left > 0).then_some(left)
    }
}

impl Picture {
    /// How wide it would like to be, in dots.
    pub(super) fn wanted_width(&self, scale: Scale) -> f32 {
        let natural = || {
            let size = embedded::size(&self.bytes)?;
            Some(size.0 as f32 * SCREEN_PIXEL_PT)
        };
        scale.dots(self.width_pt.or_else(natural).unwrap_or(0.0))
    }
}

impl Typesetter {
    pub(super) fn picture(
        &mut self,
        galley: &mut Galley,
        picture: &Picture,
        frame: &Frame,
    ) -> Result<(), Full> {
        match self.drawn(picture, frame.width) {
            Ok(None) => Ok(()),
            Ok(Some(bitmap)) => {
                let width = bitmap.size().width() as f32;
                let free = (frame.width - width).max(0.0);
                let left = match picture.align {
                    super::Align::Start => 0.0,
                    super::Align::Centre => free / 2.0,
                    super::Align::End => free,
                };
                let height = bitmap.size().lines() as f32 * self.scale.dots_per_in
                    / self.scale.lines_per_in as f32;
                galley.mark(frame.left + left, 0.0, Ink::Picture(galley.pictures.len()));
                galley.pictures.push(bitmap);
                self.close(galley, frame, height, false)
            }
            Err(refusal) => {
                self.pictures.refuse(&picture.name, &refusal.to_string());
                Ok(())
            }
        }
    }

    /// The picture in black and white, as large as it is to be; `None` when it is too
    /// small to be seen, as pictures are that only count who reads a mail.
    fn drawn(&mut self, picture: &Picture, width: f32) -> Result<Option<Bitmap>, Refusal> {
        const TINY_PIXELS: u32 = 4;
        let Some(pixels) = self.pictures.spend() else { return Err(Refusal::TooLarge) };
        let gray = embedded::decode(&picture.bytes, pixels)?;
        self.pictures.pixels += u64::from(gray.width()) * u64::from(gray.height());
        if gray.width() < TINY_PIXELS || gray.height() < TINY_PIXELS {
            return Ok(None);
        }
        let shape = gray.height() as f32 / gray.width() as f32;
        let scale = self.scale;
        let natural = gray.width() as f32 * SCREEN_PIXEL_PT;
        let mut across = scale.dots(picture.width_pt.unwrap_or(natural)).min(width);
        let highest = picture.height_pt.map_or(f32::MAX, |pt| scale.dots(pt));
        across = across.min(highest.min(scale.page_height() * 0.9) / shape);
        let down = across * shape * scale.lines_per_in as f32 / scale.dots_per_in;
        let (across, down) = (across.round() as u32, down.round() as u32);
        if across < TINY_PIXELS || down < 1 {
            return Ok(None);
        }
        let part = gray.scaled(across, down);
        let density = Density { x: scale.dots_per_in, y: scale.lines_per_in as f32 };
        let look = Look { resolution: sheet::nearest(density), ..Look::default() };
        bilevel(&part, look).map(Some).ok_or(Refusal::TooLarge)
    }
}
