//! A line as the places where its colour changes. The first change is to
//! black, every second one back to white; a change at 0 starts the line black.

use crate::pages::bitmap::Bitmap;

/// Changes of one line, ascending, without the end of the line.
pub(super) type Changes = Vec<u32>;

/// Finds the changes of a packed row by whole words: the one bits of a row
/// XORed with itself shifted by one pixel are its changes.
pub(super) fn find(row: &[u8], width: u32, changes: &mut Changes) {
    changes.clear();
    let mut before = 0_u64;
    for (i, chunk) in row.chunks(8).enumerate() {
        let word = match chunk.try_into() {
            Ok(eight) => u64::from_be_bytes(eight),
            Err(_) => {
                let mut eight = [0; 8];
                eight[..chunk.len()].copy_from_slice(chunk);
                u64::from_be_bytes(eight)
            }
        };
        let mut edges = word ^ (word >> 1 | before << 63);
        before = word & 1;
        while edges != 0 {
            let place = edges.leading_zeros();
            let x = i as u32 * 64 + place;
            if x < width {
                changes.push(x);
            }
            edges &= !(1 << (63 - place));
        }
    }
}

/// Paints the changes on a white row.
pub(super) fn paint(page: &mut Bitmap, y: u32, changes: &[u32]) {
    for run in changes.chunks(2) {
        page.blacken(y, run[0], run.get(1).copied().unwrap_or(page.size().width()));
    }
}

/// Looks for b1 and b2 of T.6 2.2.1 on the reference line while a0 moves right.
pub(super) struct Reference<'a> {
    changes: &'a [u32],
    width: u32,
    next: usize,
}

impl<'a> Reference<'a> {
    pub(super) fn new(changes: &'a [u32], width: u32) -> Self {
        Self { changes, width, next: 0 }
    }

    fn at(&self, i: usize) -> u32 {
        self.changes.get(i).copied().unwrap_or(self.width)
    }

    /// The first change right of `a0` to the colour opposite to `black`, and the
    /// change after it. `a0` is `None` before the first pixel.
    #[inline]
    pub(super) fn b1_b2(&mut self, a0: Option<u32>, black: bool) -> (u32, u32) {
        if let Some(a0) = a0 {
            // a0 never moves left, so what was passed stays passed.
            while self.next < self.changes.len() && self.at(self.next) <= a0 {
                self.next += 1;
            }
        }
        let b1 = self.next + usize::from((self.next % 2 == 1) != black);
        (self.at(b1), self.at(b1 + 1))
    }
}
