//! Finds the parts of a page that are photographs: blocks with many smooth
//! middle greys. Text has few: its greys are edges.

use crate::pages::gray::Gray;

/// Side of a block in pixels.
pub(super) const BLOCK: u32 = 32;
/// A block is photographic when more than this share of it is smooth and grey.
const SHARE_PERCENT: u32 = 30;
/// Neighbours of a smooth pixel differ by at most this.
const SMOOTH: u8 = 20;
/// Greys between ink and paper, once the paper is white.
const MIDDLE: std::ops::RangeInclusive<u32> = 24..=222;
/// Fewer blocks than this are shading, a stamp or dirt.
const MIN_BLOCKS: usize = 12;

/// Which blocks of a page are photographs, and the level of its paper.
pub(super) struct Photos {
    pub(super) across: u32,
    pub(super) down: u32,
    blocks: Vec<bool>,
}

impl Photos {
    pub(super) fn contains(&self, column: u32, row: u32) -> bool {
        self.blocks[(row * self.across + column) as usize]
    }
}

/// `None` when there is none, which is nearly always.
pub(super) fn find(gray: &Gray) -> Option<Photos> {
    let (across, down) = (gray.width().div_ceil(BLOCK), gray.height().div_ceil(BLOCK));
    let paper = u32::from(paper(gray));
    let blocks: Vec<bool> = (0..down)
        .flat_map(|row| (0..across).map(move |column| (column, row)))
        .map(|(column, row)| is_photographic(gray, column * BLOCK, row * BLOCK, paper))
        .collect();
    if blocks.iter().filter(|block| **block).count() < MIN_BLOCKS {
        return None;
    }
    let mut photos = Photos { across, down, blocks };
    // Opened against specks, closed against gaps, then without holes.
    photos.grow(false);
    photos.grow(true);
    photos.grow(true);
    photos.grow(false);
    photos.fill_holes();
    (photos.blocks.iter().filter(|block| **block).count() >= MIN_BLOCKS).then_some(photos)
}

/// The level of the paper: the commonest of the bright half.
fn paper(gray: &Gray) -> u8 {
    let mut counts = [0_u32; 256];
    // Every seventh pixel is enough, and seven divides no usual width.
    for pixel in gray.pixels().iter().step_by(7) {
        counts[usize::from(*pixel)] += 1;
    }
    let brightest = (128..256).max_by_key(|level| counts[*level]).unwrap_or(255);
    brightest as u8
}

fn is_photographic(gray: &Gray, left: u32, top: u32, paper: u32) -> bool {
    let right = (left + BLOCK).min(gray.width());
    let bottom = (top + BLOCK).min(gray.height());
    let mut smooth = 0;
    for y in top..bottom {
        let row = &gray.row(y)[left as usize..right as usize];
        let below = &gray.row((y + 1).min(gray.height() - 1))[left as usize..right as usize];
        let pairs = row.iter().zip(&row[1..]).zip(below);
        smooth += pairs
            .filter(|((here, next), under)| {
                MIDDLE.contains(&(u32::from(**here) * 255 / paper))
                    && here.abs_diff(**next) <= SMOOTH
                    && here.abs_diff(**under) <= SMOOTH
            })
            .count() as u32;
    }
    smooth * 100 > SHARE_PERCENT * (right - left) * (bottom - top)
}

impl Photos {
    /// Grows the photographs by a block on each side, or shrinks them.
    fn grow(&mut self, wider: bool) {
        let before = self.blocks.clone();
        let (across, down) = (self.across as i64, self.down as i64);
        for row in 0..down {
            for column in 0..across {
                let mut around =
                    (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy))).map(|(dx, dy)| {
                        let (x, y) =
                            ((column + dx).clamp(0, across - 1), (row + dy).clamp(0, down - 1));
                        before[(y * across + x) as usize]
                    });
                let new = if wider { around.any(|b| b) } else { around.all(|b| b) };
                self.blocks[(row * across + column) as usize] = new;
            }
        }
    }

    /// What cannot be reached from the edge of the page belongs to the photograph around it.
    fn fill_holes(&mut self) {
        let (across, down) = (self.across as usize, self.down as usize);
        let mut outside = vec![false; self.blocks.len()];
        let edge = (0..across * down).filter(|i| {
            let (column, row) = (i % across, i / across);
            column == 0 || row == 0 || column + 1 == across || row + 1 == down
        });
        let mut open: Vec<usize> = edge.filter(|i| !self.blocks[*i]).collect();
        while let Some(i) = open.pop() {
            if std::mem::replace(&mut outside[i], true) {
                continue;
            }
            let (column, row) = (i % across, i / across);
            let left = (column > 0).then(|| i - 1);
            let right = (column + 1 < across).then(|| i + 1);
            let above = (row > 0).then(|| i - across);
            let below = (row + 1 < down).then(|| i + across);
            let next = [left, right, above, below].into_iter().flatten();
            open.extend(next.filter(|j| !self.blocks[*j] && !outside[*j]));
        }
        for (block, outside) in self.blocks.iter_mut().zip(outside) {
            *block = !outside;
        }
    }
}
