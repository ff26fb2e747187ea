//! Noise, and whether there is any sound at all. No signal that means something.

use crate::spandsp::{BLOCK, Block};

/// A mean amplitude below this is silence.
const SILENT: i32 = 40;

/// Whether a block holds no signal.
pub(super) fn is_silent(block: &Block) -> bool {
    let loudness: i32 = block.iter().map(|sample| i32::from(*sample).abs()).sum();
    loudness / (BLOCK as i32) < SILENT
}

/// White noise, the same in every run.
#[derive(Debug, Default)]
pub(super) struct Random(u32);

impl Random {
    /// The next sample, at about a quarter of full scale.
    pub(super) fn sample(&mut self) -> i16 {
        // The constants of a full-period generator (Numerical Recipes).
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 18) as i16 - 0x2000
    }
}
