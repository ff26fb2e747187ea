//! The codes of one line to its changes. It knows nothing of ends of line.

use super::{
    bits::Reader,
    codes::{MODE_BITS, MODES, Mode, RUN_BITS, RUN_TABLES},
    lines::Line,
};

/// Zeros before the one of an extension code: T.4 4.2.5, T.6 2.3.
const RUN_EXTENSION_ZEROS: u32 = 8;
const MODE_EXTENSION_ZEROS: u32 = 6;
/// The extension that means pixels as they are.
const UNCOMPRESSED: u8 = 0b111;

/// The bits are no line of the width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadLine {
    /// No code, or a line of another length.
    Damaged,
    /// A code that says that what follows is coded in another way.
    Extension(Extension),
}

/// A way of coding that T.4 and T.6 leave to agreement, and that is not read: no fax
/// machine is told that we can, so no sound fax has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// Uncompressed mode (T.4 4.2.5.1, T.6 2.3.1).
    Uncompressed,
    /// Another one, by the three bits of its number.
    Other(u8),
}

impl std::fmt::Display for Extension {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uncompressed => f.write_str("uncompressed mode"),
            Self::Other(number) => write!(f, "extension {number:03b}"),
        }
    }
}

/// What no table knows: an extension, or damage.
#[cold]
fn no_code(bits: &mut Reader<'_>, extension_zeros: u32) -> BadLine {
    if bits.peek(extension_zeros + 1) != 1 {
        return BadLine::Damaged;
    }
    match (bits.peek(extension_zeros + 4) & 0b111) as u8 {
        UNCOMPRESSED => BadLine::Extension(Extension::Uncompressed),
        other => BadLine::Extension(Extension::Other(other)),
    }
}

/// Changes as they are read. Two at one place are none: a run of no pixels.
struct Changes<'a> {
    places: &'a mut [u32],
    count: usize,
}

impl Changes<'_> {
    #[inline]
    fn push(&mut self, x: u32) {
        if self.count > 0 && self.places[self.count - 1] == x {
            self.count -= 1;
        } else {
            self.places[self.count] = x;
            self.count += 1;
        }
    }

    /// The colour of what comes: an odd number of changes means black.
    #[inline]
    fn black(&self) -> usize {
        self.count % 2
    }
}

/// Reads a line that is coded by itself (T.4 4.1.1).
pub(super) fn one_dimension(
    bits: &mut Reader<'_>,
    line: &mut Line,
    width: u32,
) -> Result<(), BadLine> {
    let mut changes = Changes { places: line.places_mut(), count: 0 };
    let (mut x, mut colour) = (0, 0);
    while x < width {
        x += run(bits, colour, width - x)?;
        changes.push(x);
        colour ^= 1;
    }
    let count = changes.count;
    line.set_count(count);
    Ok(())
}

/// A run of at most `most` pixels.
#[inline]
fn run(bits: &mut Reader<'_>, colour: usize, most: u32) -> Result<u32, BadLine> {
    let table = &RUN_TABLES[colour];
    let mut length = 0;
    loop {
        bits.fill();
        let entry = table[bits.look(RUN_BITS)];
        if entry == 0 {
            return Err(no_code(bits, RUN_EXTENSION_ZEROS));
        }
        bits.skip(u32::from(entry & 15));
        let run = u32::from(entry >> 4);
        length += run;
        if length > most {
            return Err(BadLine::Damaged);
        }
        if run < 64 {
            return Ok(length);
        }
    }
}

/// Reads a line that is coded by how it differs from the one above (T.6 2.2). `j` is
/// the place of b1 among the changes above, even while white is read.
pub(super) fn two_dimensions(
    bits: &mut Reader<'_>,
    line: &mut Line,
    above: &Line,
    width: u32,
) -> Result<(), BadLine> {
    let above = above.places();
    let mut changes = Changes { places: line.places_mut(), count: 0 };
    let (mut a0, mut j) = (0, 0);
    while a0 < width {
        bits.fill();
        let ones = bits.ones();
        if ones > 0 {
            // V0 again and again: the changes above, one after the other.
            let mut taken = 0;
            while taken < ones && a0 < width {
                a0 = above[j];
                changes.places[changes.count] = a0;
                changes.count += 1;
                j += 1;
                taken += 1;
            }
            bits.skip(taken);
            continue;
        }
        let (mode, length) = MODES[bits.look(MODE_BITS)];
        bits.skip(u32::from(length));
        match mode {
            Mode::Vertical(away) => {
                let a1 = above[j].wrapping_add_signed(i32::from(away));
                // Left of the line it wraps, and so is right of it as well. T.6 2.2.1: a1
                // is right of a0; other decoders read steps of nothing in several ways.
                let at_start = a0 == 0 && changes.count == 0;
                if a1 < a0 || a1 > width || (a1 == a0 && !at_start) {
                    return Err(BadLine::Damaged);
                }
                changes.push(a1);
                a0 = a1;
                j = if j > 0 { j - 1 } else { 1 };
            }
            Mode::Horizontal => {
                let a1 = a0 + run(bits, changes.black(), width - a0)?;
                let a2 = a1 + run(bits, changes.black() ^ 1, width - a1)?;
                if a2 == a0 {
                    return Err(BadLine::Damaged);
                }
                changes.push(a1);
                changes.push(a2);
                a0 = a2;
            }
            Mode::Pass => a0 = above[j + 1],
            Mode::None => return Err(no_code(bits, MODE_EXTENSION_ZEROS)),
        }
        if a0 < width {
            while above[j] <= a0 {
                j += 2;
            }
        }
    }
    let count = changes.count;
    line.set_count(count);
    Ok(())
}
