//! Grey pages: one byte a pixel, 0 is black and 255 white. What a foreign
//! document looks like before it becomes bi-level.

/// Largest grey picture that is taken, in pixels.
pub const MAX_PIXELS: u64 = 256 << 20;
/// Side of the squares in which a page is turned, in pixels.
const TILE: usize = 32;

/// Rec. 709 luma of a colour.
#[must_use]
pub fn luma(red: u8, green: u8, blue: u8) -> u8 {
    let sum = 54 * u32::from(red) + 183 * u32::from(green) + 19 * u32::from(blue);
    ((sum + 128) >> 8) as u8
}

/// A grey that covers white paper in part: `alpha` 0 is paper, 255 the grey.
#[must_use]
pub fn on_white(level: u8, alpha: u8) -> u8 {
    let (level, alpha) = (u32::from(level), u32::from(alpha));
    ((level * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// Grey pixels in rows without gaps.
#[derive(Clone, PartialEq, Eq)]
pub struct Gray {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl std::fmt::Debug for Gray {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gray({} x {})", self.width, self.height)
    }
}

impl Gray {
    /// `None` when the pixels are not `width` times `height`, or none.
    #[must_use]
    pub fn from_pixels(width: u32, height: u32, pixels: Vec<u8>) -> Option<Self> {
        let right = width > 0 && height > 0 && pixels.len() == width as usize * height as usize;
        right.then_some(Self { width, height, pixels })
    }

    /// Pixels a row.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All pixels, row by row.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Row `y`.
    #[must_use]
    pub fn row(&self, y: u32) -> &[u8] {
        &self.pixels[y as usize * self.width as usize..][..self.width as usize]
    }

    /// The pixels themselves, for a crate that wants to own them.
    #[must_use]
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// `count` rows from `first` on, or as many as there are, but at least one.
    #[must_use]
    pub fn rows(&self, first: u32, count: u32) -> Self {
        let first = first.min(self.height - 1);
        let height = count.clamp(1, self.height - first);
        let width = self.width as usize;
        let pixels = &self.pixels[first as usize * width..][..height as usize * width];
        Self { width: self.width, height, pixels: pixels.to_vec() }
    }

    /// A quarter turn to the right.
    #[must_use]
    pub fn turned(&self) -> Self {
        let (width, height) = (self.height, self.width);
        let mut pixels = vec![0; self.pixels.len()];
        // In tiles, or each pixel would be a miss of the cache.
        for top in (0..self.height as usize).step_by(TILE) {
            for left in (0..self.width as usize).step_by(TILE) {
                for y in top..(top + TILE).min(self.height as usize) {
                    for x in left..(left + TILE).min(self.width as usize) {
                        pixels[x * width as usize + (width as usize - 1 - y)] =
                            self.pixels[y * self.width as usize + x];
                    }
                }
            }
        }
        Self { width, height, pixels }
    }

    /// Scaled to another size: averaged where it shrinks, so that thin lines
    /// grow lighter instead of vanishing, and interpolated where it grows.
    #[must_use]
    pub fn scaled(&self, width: u32, height: u32) -> Self {
        if (width, height) == (self.width, self.height) {
            return self.clone();
        }
        let columns = shares(self.width, width);
        let mut narrow = Vec::with_capacity(width as usize * self.height as usize);
        for y in 0..self.height {
            let row = self.row(y);
            narrow.extend(columns.iter().map(|share| {
                let part = &row[share.first..share.first + share.weights.len()];
                let sum: u32 =
                    part.iter().zip(&share.weights).map(|(p, w)| u32::from(*p) * w).sum();
                ((sum + HALF) >> SHIFT) as u8
            }));
        }
        let stride = width as usize;
        let mut pixels = Vec::with_capacity(stride * height as usize);
        let mut sums = vec![0_u32; stride];
        for share in shares(self.height, height) {
            sums.fill(HALF);
            for (i, weight) in share.weights.iter().enumerate() {
                let row = &narrow[(share.first + i) * stride..][..stride];
                for (sum, pixel) in sums.iter_mut().zip(row) {
                    *sum += u32::from(*pixel) * weight;
                }
            }
            pixels.extend(sums.iter().map(|sum| (sum >> SHIFT) as u8));
        }
        Self { width, height, pixels }
    }
}

/// Weights are fractions of 2^16; they fit 32 bits together with a byte.
const SHIFT: u32 = 16;
const HALF: u32 = 1 << (SHIFT - 1);

/// Which old pixels make one new pixel; the weights add up to 2^16.
struct Share {
    first: usize,
    weights: Vec<u32>,
}

fn shares(old: u32, new: u32) -> Vec<Share> {
    let ratio = f64::from(old) / f64::from(new);
    (0..new)
        .map(|i| {
            // A new pixel covers `ratio` old ones; when growing, a window of
            // one old pixel around its centre interpolates.
            let centre = (f64::from(i) + 0.5) * ratio;
            let reach = ratio.max(1.0) / 2.0;
            let from = (centre - reach).max(0.0);
            let to = (centre + reach).min(f64::from(old));
            let first = (from.floor() as usize).min(old as usize - 1);
            let last = (to.ceil() as usize).clamp(first + 1, old as usize);
            let whole = (to - from).max(f64::EPSILON);
            let mut weights: Vec<u32> = (first..last)
                .map(|p| {
                    let overlap = (to.min(p as f64 + 1.0) - from.max(p as f64)).max(0.0);
                    (overlap / whole * f64::from(1_u32 << SHIFT)) as u32
                })
                .collect();
            let sum: u32 = weights.iter().sum();
            let middle = weights.len() / 2;
            weights[middle] += (1 << SHIFT) - sum;
            Share { first, weights }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_grey_stays_flat_at_any_size() {
        let flat = Gray::from_pixels(31, 17, vec![137; 31 * 17]).unwrap();
        for (width, height) in [(7, 5), (31, 40), (100, 3), (1, 1), (30, 16)] {
            let scaled = flat.scaled(width, height);
            assert_eq!(scaled.pixels().len(), (width * height) as usize);
            assert!(scaled.pixels().iter().all(|&p| p == 137), "{width}x{height}");
        }
    }

    #[test]
    fn shrinking_averages() {
        let stripes = Gray::from_pixels(4, 2, vec![0, 255, 0, 255, 0, 255, 0, 255]).unwrap();
        assert_eq!(stripes.scaled(2, 1).pixels(), [128, 128]);
    }

    #[test]
    fn four_turns_are_none() {
        let page = Gray::from_pixels(3, 2, vec![1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(page.turned().pixels(), [4, 1, 5, 2, 6, 3]);
        assert_eq!(page.turned().turned().turned().turned(), page);
    }
}
