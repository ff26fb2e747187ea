//! A line as the places where its colour changes. The first change is to
//! black, every second one back to white; a change at 0 starts the line black.

use crate::pages::bitmap::Bitmap;

/// So many places after the last change are the end of the line, because T.6
/// looks so far ahead: b1 and b2 of the other colour, and one step of two.
const PADDING: usize = 4;
/// So few changes are painted run by run.
const FEW: usize = 8;

/// The changes of one line, ascending, and after them [`PADDING`] times its end.
#[derive(Debug, Clone)]
pub(super) struct Line {
    width: u32,
    places: Vec<u32>,
    count: usize,
}

impl Line {
    /// A white line.
    pub(super) fn white(width: u32) -> Self {
        // A change at each pixel, one at the end, and the padding.
        Self { width, places: vec![width; width as usize + 1 + PADDING], count: 0 }
    }

    /// The changes with the end after them.
    #[inline]
    pub(super) fn places(&self) -> &[u32] {
        &self.places
    }

    /// Changes before the end.
    pub(super) fn changes(&self) -> usize {
        self.count
    }

    /// The places to write changes to; [`Line::set_count`] must follow.
    #[inline]
    pub(super) fn places_mut(&mut self) -> &mut [u32] {
        &mut self.places
    }

    /// So many of the places are changes; those at the end of the line are none.
    pub(super) fn set_count(&mut self, count: usize) {
        let before_end = |places: &[u32]| places.last().is_some_and(|last| *last >= self.width);
        self.count = count - usize::from(before_end(&self.places[..count]));
        self.places[self.count..self.count + PADDING].fill(self.width);
    }

    /// Finds the changes of a packed row by whole words: the one bits of a row
    /// XORed with itself shifted by one pixel are its changes.
    pub(super) fn find(&mut self, row: &[u8]) {
        let mut before = 0_u64;
        let mut count = 0;
        let (words, rest) = row.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        let all = words.iter().chain((!rest.is_empty()).then_some(&last));
        for (i, bytes) in all.enumerate() {
            let word = u64::from_be_bytes(*bytes);
            let mut edges = word ^ (word >> 1 | before << 63);
            before = word & 1;
            while edges != 0 {
                let place = edges.leading_zeros();
                self.places[count] = i as u32 * 64 + place;
                count += 1;
                edges &= !(1 << (63 - place));
            }
        }
        // What is white after the last pixel may have made a change there.
        self.set_count(count);
    }
}

/// Paints lines on a page. Each change turns over all pixels right of it, within its
/// word at once and in the words after it when all changes are there.
pub(super) struct Painter {
    words: Vec<u64>,
    row: Vec<u8>,
}

impl Painter {
    pub(super) fn new(width: u32) -> Self {
        let words = width as usize / 64 + 1;
        Self { words: vec![0; words], row: vec![0; words * 8] }
    }

    /// Paints row `y`, which is white.
    pub(super) fn paint(&mut self, page: &mut Bitmap, y: u32, line: &Line) {
        if line.count <= FEW {
            for run in line.places[..line.count + line.count % 2].as_chunks::<2>().0 {
                page.blacken(y, run[0], run[1]);
            }
            return;
        }
        self.words.fill(0);
        // The end turns over what a black last run has left behind it.
        for &place in &line.places[..line.count + line.count % 2] {
            self.words[(place / 64) as usize] ^= u64::MAX >> (place % 64);
        }
        let mut turned = 0;
        for (word, bytes) in self.words.iter().zip(self.row.as_chunks_mut::<8>().0) {
            let word = word ^ turned;
            turned = if word & 1 == 1 { u64::MAX } else { 0 };
            *bytes = word.to_be_bytes();
        }
        page.set_row(y, &self.row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::bitmap::Size;

    #[test]
    fn what_is_found_is_painted() {
        for width in [1, 7, 8, 63, 64, 65, 100, 128, 1728] {
            let size = Size::new(width, 1).unwrap();
            for runs in [&[][..], &[0], &[0, 1], &[0, width], &[width - 1], &[1, 2, 3, 64, 65]] {
                let mut page = Bitmap::white(size);
                for run in runs.chunks(2) {
                    page.blacken(0, run[0], run.get(1).copied().unwrap_or(width));
                }
                let mut line = Line::white(width);
                line.find(page.row(0));
                let expected: Vec<u32> = (0..width)
                    .filter(|&x| page.is_black(x, 0) != (x > 0 && page.is_black(x - 1, 0)))
                    .collect();
                assert_eq!(line.places()[..line.changes()], expected, "{width} {runs:?}");
                assert_eq!(line.places()[line.changes()..][..PADDING], [width; PADDING]);
                let mut again = Bitmap::white(size);
                Painter::new(width).paint(&mut again, 0, &line);
                assert_eq!(again, page, "{width} {runs:?}");
            }
        }
    }
}
