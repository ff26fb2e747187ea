//! Finds the parts of a page that are photographs: blocks with many smooth
//! middle greys. Text has few: its greys are edges.

use std::ops::Range;

use postfax_domain::document::Resolution;

use super::like_fine;
use crate::pages::{bitmap::Bitmap, gray::Gray};

/// Side of a block in pixels at fine.
const BLOCK: u32 = 32;
/// A block is photographic when more than this share of it is smooth and grey.
const SHARE_PERCENT: u32 = 30;
/// Neighbours of a smooth pixel differ by at most this.
const SMOOTH: u8 = 20;
/// Greys between ink and paper, once the paper is white.
const MIDDLE: std::ops::RangeInclusive<u32> = 24..=222;
/// Fewer blocks than this are shading, a stamp or dirt.
const MIN_BLOCKS: usize = 12;

/// Which blocks of a page are photographs.
pub(super) struct Photos {
    grid: Grid,
    blocks: Vec<bool>,
}

/// The blocks of a page.
#[derive(Clone, Copy)]
struct Grid {
    /// Pixels of the page.
    page: (u32, u32),
    /// Pixels of a block.
    block: (u32, u32),
    across: u32,
    down: u32,
}

impl Grid {
    fn new(gray: &Gray, resolution: Resolution) -> Self {
        let (page, block) = ((gray.width(), gray.height()), like_fine(BLOCK, resolution));
        Self { page, block, across: page.0.div_ceil(block.0), down: page.1.div_ceil(block.1) }
    }

    fn columns(&self, column: u32) -> Range<usize> {
        let start = column * self.block.0;
        start as usize..(start + self.block.0).min(self.page.0) as usize
    }

    fn lines(&self, row: u32) -> Range<u32> {
        let start = row * self.block.1;
        start..(start + self.block.1).min(self.page.1)
    }
}

impl Photos {
    /// The whole page.
    pub(super) fn everywhere(gray: &Gray, resolution: Resolution) -> Self {
        let grid = Grid::new(gray, resolution);
        Self { grid, blocks: vec![true; (grid.across * grid.down) as usize] }
    }

    /// The pixels of a line that are photographs.
    pub(super) fn columns(&self, y: u32) -> impl Iterator<Item = Range<usize>> {
        let row = (y / self.grid.block.1 * self.grid.across) as usize;
        let blocks = &self.blocks[row..][..self.grid.across as usize];
        let photographic = (0..).zip(blocks).filter(|(_, photo)| **photo);
        photographic.map(|(column, _)| self.grid.columns(column))
    }
}

/// `None` when there is none, which is nearly always.
/// `ink` is what the threshold makes of the page.
pub(super) fn find(gray: &Gray, ink: &Bitmap, resolution: Resolution) -> Option<Photos> {
    let grid = Grid::new(gray, resolution);
    let paper = match Paper::of(gray, &grid) {
        Some(paper) => paper,
        // A letter under a lamp, whose paper is as dark as its shadows.
        None if is_written(gray, ink, &grid) => return None,
        // A photograph to its edges: what is not white in it is grey.
        None => Paper::white(&grid),
    };
    let blocks: Vec<bool> = (0..grid.down)
        .flat_map(|row| (0..grid.across).map(move |column| (column, row)))
        .map(|(column, row)| is_photographic(gray, &grid, (column, row), &paper))
        .collect();
    if blocks.iter().filter(|block| **block).count() < MIN_BLOCKS {
        return None;
    }
    let mut photos = Photos { grid, blocks };
    // Opened against specks, closed against gaps, then without holes.
    photos.grow(false);
    photos.grow(true);
    photos.grow(true);
    photos.grow(false);
    photos.fill_holes();
    (photos.blocks.iter().filter(|block| **block).count() >= MIN_BLOCKS).then_some(photos)
}

/// The level of the paper, which on scans darkens towards an edge: one level for
/// each column and each row of blocks. A photograph hardly moves them, because
/// only the commonest bright level of a whole column or row counts.
struct Paper {
    columns: Vec<u32>,
    rows: Vec<u32>,
    whole: u32,
}

/// How often each level occurs.
type Counts = [u32; 256];

/// Every third pixel of every third line is enough to know the paper.
const SAMPLE: usize = 3;
/// Levels that count as one, because scanners make noise.
const NOISE: usize = 8;
/// Darker than this is no paper.
const DARKEST: usize = 112;
/// A page of which so much is one exact level never lay on a scanner.
const EXACT_PERCENT: u32 = 30;
/// On such a page, something that is darker than this share of the paper is a fill, unless
/// it covers so much of a column or row: shading behind text.
const FILL_PERCENT: u32 = 88;
const SHADING_PERCENT: u32 = 75;
/// Where less than this is as light as the paper would be, there is no paper in sight; and
/// where paper would be darker than `DULL`, more must be.
const PAPER_PERCENT: u32 = 40;
const DULL: u32 = 170;
const DULL_PERCENT: u32 = 70;
/// How much darker than its level paper may be, and how much lighter.
const DARKER: u32 = 24;
const LIGHTER: u32 = 8;

impl Paper {
    /// `None` where no paper is in sight.
    fn of(gray: &Gray, grid: &Grid) -> Option<Self> {
        let (columns, rows) = counts(gray, grid);
        let mut whole = [0_u32; 256];
        for column in &columns {
            whole.iter_mut().zip(column).for_each(|(sum, count)| *sum += count);
        }
        let all: u32 = whole.iter().sum();
        let exact = (DARKEST..256).find(|level| whole[*level] * 100 >= all * EXACT_PERCENT);
        let level = exact.map_or_else(|| commonest_bright(&whole), |level| level as u32);
        let of = |counts: &Counts| {
            let own = commonest_bright(counts);
            let fill = exact.is_some() && own * 100 < level * FILL_PERCENT;
            match fill && !is_shading(counts, own) {
                true => level,
                false => own,
            }
        };
        let paper = Self {
            columns: columns.iter().map(of).collect(),
            rows: rows.iter().map(of).collect(),
            whole: level,
        };
        (exact.is_some() || paper.is_seen(gray, grid)).then_some(paper)
    }

    fn white(grid: &Grid) -> Self {
        let white = |blocks: u32| vec![255; blocks as usize];
        Self { columns: white(grid.across), rows: white(grid.down), whole: 255 }
    }

    /// Whether enough of the page is as light as its paper.
    fn is_seen(&self, gray: &Gray, grid: &Grid) -> bool {
        let (mut paper, mut all) = (0, 0);
        for y in (0..gray.height()).step_by(SAMPLE) {
            let pixels = gray.row(y);
            for column in 0..grid.across {
                let level = self.level(column, y / grid.block.1);
                let range = level.saturating_sub(DARKER)..=level + LIGHTER;
                let samples = pixels[grid.columns(column)].iter().step_by(SAMPLE);
                all += samples.len() as u32;
                paper += samples.filter(|pixel| range.contains(&u32::from(**pixel))).count() as u32;
            }
        }
        let least = if self.whole < DULL { DULL_PERCENT } else { PAPER_PERCENT };
        paper * 100 >= all * least
    }

    fn level(&self, column: u32, row: u32) -> u32 {
        let level = self.columns[column as usize] * self.rows[row as usize] / self.whole;
        level.clamp(DARKEST as u32, 255)
    }
}

/// A block is written on when so much of it is ink, in percent, and its ink is at most
/// this share of its ground's level. What the threshold finds in photographs is less dark.
const WRITTEN_PERCENT: std::ops::RangeInclusive<u32> = 2..=40;
const INK_PERCENT: u64 = 70;
/// A page is written on when this share of its blocks is.
const WRITTEN_BLOCKS_PERCENT: u32 = 20;

/// Whether strokes on some ground, light or shaded, are what the page shows.
fn is_written(gray: &Gray, ink: &Bitmap, grid: &Grid) -> bool {
    let blocks = (0..grid.down).flat_map(|row| (0..grid.across).map(move |column| (column, row)));
    let written = blocks.filter(|(column, row)| {
        let (columns, lines) = (grid.columns(*column), grid.lines(*row));
        // How many pixels are ground and ink, and the sum of their levels.
        let (mut counts, mut sums) = ([0_u32; 2], [0_u64; 2]);
        for y in lines {
            for x in columns.clone() {
                let of = usize::from(ink.is_black(x as u32, y));
                counts[of] += 1;
                sums[of] += u64::from(gray.row(y)[x]);
            }
        }
        let [ground, inked] = counts;
        WRITTEN_PERCENT.contains(&(inked * 100 / (ground + inked)))
            && sums[1] * u64::from(ground) * 100 <= sums[0] * u64::from(inked) * INK_PERCENT
    });
    written.count() as u32 * 100 >= grid.across * grid.down * WRITTEN_BLOCKS_PERCENT
}

/// The levels of each column and each row of blocks.
fn counts(gray: &Gray, grid: &Grid) -> (Vec<Counts>, Vec<Counts>) {
    let mut columns = vec![[0_u32; 256]; grid.across as usize];
    let mut rows = vec![[0_u32; 256]; grid.down as usize];
    for y in (0..gray.height()).step_by(SAMPLE) {
        let line = &mut rows[(y / grid.block.1) as usize];
        let mut pixels = gray.row(y).iter().step_by(SAMPLE);
        for (column, counts) in columns.iter_mut().enumerate() {
            let samples = grid.columns(column as u32);
            let samples = samples.end.div_ceil(SAMPLE) - samples.start.div_ceil(SAMPLE);
            for pixel in pixels.by_ref().take(samples) {
                counts[usize::from(*pixel)] += 1;
                line[usize::from(*pixel)] += 1;
            }
        }
    }
    (columns, rows)
}

fn commonest_bright(counts: &Counts) -> u32 {
    let around = |level: &usize| counts[*level..(*level + NOISE).min(256)].iter().sum::<u32>();
    let first = (DARKEST..=256 - NOISE).max_by_key(around).unwrap_or(256 - NOISE);
    // The brighter side of the crowd: noise must not become grey.
    (first + NOISE - 1) as u32
}

/// Whether a level, the brighter side of a crowd, covers nearly all.
fn is_shading(counts: &Counts, level: u32) -> bool {
    let crowd = (level as usize + 1 - NOISE)..=level as usize;
    let covered: u32 = counts[crowd].iter().sum();
    covered * 100 >= counts.iter().sum::<u32>() * SHADING_PERCENT
}

fn is_photographic(gray: &Gray, grid: &Grid, at: (u32, u32), paper: &Paper) -> bool {
    let (columns, lines) = (grid.columns(at.0), grid.lines(at.1));
    let area = columns.len() as u32 * lines.len() as u32;
    let last = gray.height() - 1;
    // White paper, which is nearly all of most pages.
    let white = |y| gray.row(y)[columns.clone()].iter().fold(u8::MAX, |all, one| all & one);
    if lines.clone().all(|y| white(y) == u8::MAX) {
        return false;
    }
    let paper = paper.level(at.0, at.1);
    let level = |of_white: u32| (of_white * paper / 255) as u8;
    let (dark, light) = (level(*MIDDLE.start()), level(*MIDDLE.end()));
    // Few middle greys, as text has them, need no neighbours.
    let middle = |y| {
        let row = gray.row(y)[columns.clone()].iter();
        u32::from(row.map(|pixel| u8::from((dark <= *pixel) & (*pixel <= light))).sum::<u8>())
    };
    if lines.clone().map(middle).sum::<u32>() * 100 <= SHARE_PERCENT * area {
        return false;
    }
    let mut smooth = 0;
    for y in lines {
        let row = &gray.row(y)[columns.clone()];
        let below = &gray.row((y + 1).min(last))[columns.clone()];
        let pairs = row.iter().zip(&row[1..]).zip(below);
        // A block is narrower than what eight bits count.
        let row = pairs.map(|((here, next), under)| {
            let middle = (dark <= *here) & (*here <= light);
            let flat = (here.abs_diff(*next) <= SMOOTH) & (here.abs_diff(*under) <= SMOOTH);
            u8::from(middle & flat)
        });
        smooth += u32::from(row.sum::<u8>());
    }
    smooth * 100 > SHARE_PERCENT * area
}

impl Photos {
    /// Grows the photographs by a block on each side, or shrinks them.
    fn grow(&mut self, wider: bool) {
        let before = self.blocks.clone();
        let (across, down) = (self.grid.across as i64, self.grid.down as i64);
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
        let (across, down) = (self.grid.across as usize, self.grid.down as usize);
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
