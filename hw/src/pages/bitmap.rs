//! Bi-level pages: one bit a pixel, in rows of packed bytes, 1 is black.
//!
//! Bits after the last pixel of a row are always white, so that rows can be
//! searched by whole words. It knows neither files nor codings.

use super::gray::Gray;

/// Widest line that is taken, in pixels: twice A3 at 400 dots an inch.
pub const MAX_WIDTH: u32 = 9_728;
/// Longest page that is taken, in lines.
pub const MAX_LINES: u32 = 40_000;
/// Largest page that is taken, in pixels: 8 MiB of bits.
pub const MAX_PIXELS: u64 = 64 << 20;

/// The size of a page that is within the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    width: u32,
    lines: u32,
}

impl Size {
    /// `None` when a side is zero or the page is beyond the limits.
    #[must_use]
    pub fn new(width: u32, lines: u32) -> Option<Self> {
        let fits = (1..=MAX_WIDTH).contains(&width)
            && (1..=MAX_LINES).contains(&lines)
            && u64::from(width) * u64::from(lines) <= MAX_PIXELS;
        fits.then_some(Self { width, lines })
    }

    /// Pixels a line.
    #[must_use]
    pub fn width(self) -> u32 {
        self.width
    }

    /// Lines of the page.
    #[must_use]
    pub fn lines(self) -> u32 {
        self.lines
    }

    /// Bytes a row.
    #[must_use]
    pub fn stride(self) -> usize {
        self.width.div_ceil(8) as usize
    }
}

/// One page.
#[derive(Clone, PartialEq, Eq)]
pub struct Bitmap {
    size: Size,
    bits: Vec<u8>,
}

impl std::fmt::Debug for Bitmap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bitmap({} x {})", self.size.width, self.size.lines)
    }
}

impl Bitmap {
    /// An empty page.
    #[must_use]
    pub fn white(size: Size) -> Self {
        Self { size, bits: vec![0; size.stride() * size.lines as usize] }
    }

    /// Its size.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// Line `y`, the leftmost pixel in the highest bit of the first byte.
    #[must_use]
    pub fn row(&self, y: u32) -> &[u8] {
        let stride = self.size.stride();
        &self.bits[y as usize * stride..][..stride]
    }

    /// All rows in order.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.bits.chunks_exact(self.size.stride())
    }

    /// Whether the pixel is black.
    #[must_use]
    pub fn is_black(&self, x: u32, y: u32) -> bool {
        self.row(y)[(x / 8) as usize] & (0x80 >> (x % 8)) != 0
    }

    /// Makes one pixel black.
    pub fn set_black(&mut self, x: u32, y: u32) {
        debug_assert!(x < self.size.width);
        let stride = self.size.stride();
        self.bits[y as usize * stride + (x / 8) as usize] |= 0x80 >> (x % 8);
    }

    /// Makes the pixels from `start` up to but not including `end` black.
    pub fn blacken(&mut self, y: u32, start: u32, end: u32) {
        let end = end.min(self.size.width);
        if start >= end {
            return;
        }
        let stride = self.size.stride();
        let row = &mut self.bits[y as usize * stride..][..stride];
        let (first, last) = ((start / 8) as usize, ((end - 1) / 8) as usize);
        let head = 0xff_u8 >> (start % 8);
        let tail = 0xff_u8 << (7 - (end - 1) % 8);
        if first == last {
            row[first] |= head & tail;
        } else {
            row[first] |= head;
            row[first + 1..last].fill(0xff);
            row[last] |= tail;
        }
    }

    /// Copies line `from` over line `to`.
    pub fn copy_row(&mut self, from: u32, to: u32) {
        let stride = self.size.stride();
        let start = from as usize * stride;
        self.bits.copy_within(start..start + stride, to as usize * stride);
    }

    /// Replaces line `y`; bits after the last pixel are ignored.
    pub fn set_row(&mut self, y: u32, row: &[u8]) {
        let stride = self.size.stride();
        let own = &mut self.bits[y as usize * stride..][..stride];
        let taken = row.len().min(stride);
        own[..taken].copy_from_slice(&row[..taken]);
        own[taken..].fill(0);
        let spare = stride as u32 * 8 - self.size.width;
        own[stride - 1] &= 0xff << spare;
    }

    /// Lays `other` with its upper left corner at (`left`, `top`), where `left` is
    /// a multiple of 8; what does not fit is cut.
    pub fn lay(&mut self, other: &Self, left: u32, top: u32) {
        debug_assert!(left.is_multiple_of(8));
        let stride = self.size.stride();
        let lines = (top..self.size.lines).zip(other.rows());
        for (y, row) in lines {
            let own = &mut self.bits[y as usize * stride..][..stride];
            for (to, from) in own.iter_mut().skip((left / 8) as usize).zip(row) {
                *to |= from;
            }
            let spare = stride as u32 * 8 - self.size.width;
            own[stride - 1] &= 0xff << spare;
        }
    }

    /// Black becomes white and white black.
    #[must_use]
    pub fn inverted(mut self) -> Self {
        let stride = self.size.stride();
        let spare = stride as u32 * 8 - self.size.width;
        for row in self.bits.chunks_exact_mut(stride) {
            for byte in row.iter_mut() {
                *byte = !*byte;
            }
            row[stride - 1] &= 0xff << spare;
        }
        self
    }

    /// Each line `times` times, for a coarser page on a finer grid.
    /// `None` when it would be beyond the limits.
    #[must_use]
    pub fn lines_repeated(&self, times: u32) -> Option<Self> {
        let size = Size::new(self.size.width, self.size.lines.checked_mul(times)?)?;
        let mut bits = Vec::with_capacity(size.stride() * size.lines as usize);
        for row in self.rows() {
            for _ in 0..times {
                bits.extend_from_slice(row);
            }
        }
        Some(Self { size, bits })
    }

    /// The same page in grey: black is 0, white 255.
    #[must_use]
    pub fn to_gray(&self) -> Gray {
        let mut pixels = Vec::with_capacity(self.size.width as usize * self.size.lines as usize);
        for row in self.rows() {
            let line = row.iter().flat_map(|byte| {
                (0..8).map(move |bit| if byte & (0x80 >> bit) == 0 { 255 } else { 0 })
            });
            pixels.extend(line.take(self.size.width as usize));
        }
        Gray::from_pixels(self.size.width, self.size.lines, pixels)
            .expect("one byte was pushed for each pixel")
    }

    /// How many pixels are black.
    #[must_use]
    pub fn black_pixels(&self) -> u64 {
        self.bits.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blackens_exactly_the_run() {
        for (start, end) in [(0, 1), (3, 5), (0, 8), (7, 9), (5, 30), (8, 16), (0, 37), (36, 37)] {
            let mut page = Bitmap::white(Size::new(37, 2).unwrap());
            page.blacken(1, start, end);
            let black: Vec<u32> = (0..37).filter(|&x| page.is_black(x, 1)).collect();
            assert_eq!(black, (start..end).collect::<Vec<_>>());
            assert_eq!(page.black_pixels(), u64::from(end - start), "padding or row 0 touched");
        }
    }

    #[test]
    fn what_is_laid_keeps_its_place_and_is_cut_at_the_edge() {
        let mut sheet = Bitmap::white(Size::new(37, 4).unwrap());
        let black = Bitmap::white(Size::new(9, 3).unwrap()).inverted();
        sheet.lay(&black, 8, 2);
        assert_eq!(sheet.black_pixels(), 18);
        assert!(sheet.is_black(8, 2) && sheet.is_black(16, 3) && !sheet.is_black(17, 2));
        sheet.lay(&black, 32, 0);
        assert_eq!(sheet.black_pixels(), 18 + 15);
    }

    #[test]
    fn inversion_leaves_the_padding_white() {
        let page = Bitmap::white(Size::new(37, 3).unwrap()).inverted();
        assert_eq!(page.black_pixels(), 37 * 3);
        assert_eq!(page.inverted().black_pixels(), 0);
    }

    #[test]
    fn absurd_sizes_are_refused() {
        for (width, lines) in [(0, 1), (1, 0), (MAX_WIDTH + 1, 1), (1, MAX_LINES + 1)] {
            assert_eq!(Size::new(width, lines), None);
        }
        assert_eq!(Size::new(MAX_WIDTH, MAX_LINES), None);
    }
}
