//! T.4 and T.6 to pages. Whatever the bytes are, the result is a page of the
//! size that was asked for, and a count of what was wrong with it.

use std::ops::Range;

use super::{
    Coding,
    bits::Reader,
    codes::{BLACK_RUNS, EOL, MODE_BITS, MODES, Mode, RUN_BITS, WHITE_RUNS},
    lines::{Changes, Reference, paint},
};
use crate::pages::bitmap::{Bitmap, Size};

/// T.4 2.4.1.2: so many ends of line in a row end the page (RTC).
const RTC: u32 = 6;
/// Zeros that only an EOL has.
const EOL_ZEROS: u32 = EOL.length as u32 - 1;

/// A decoded page.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The page; lines that could not be read repeat the line above or are white.
    pub page: Bitmap,
    /// What was wrong.
    pub damage: Damage,
    /// Where it was wrong: stretches of lines that could not be read or that the data
    /// ended before, in their order, counted from 0.
    pub bad: Vec<Range<u32>>,
}

/// What was wrong with a coded page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Damage {
    /// Lines that could not be read (TIFF tag BadFaxLines).
    pub bad_lines: u32,
    /// The longest stretch of them (ConsecutiveBadFaxLines).
    pub longest: u32,
    /// Lines that the data ended before.
    pub missing_lines: u32,
    /// Whether RTC or EOFB ended the page; no damage either way.
    pub block_ended: bool,
}

impl Damage {
    /// All lines are what the sender sent.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.lines() == 0
    }

    /// Lines that are not what the sender sent.
    #[must_use]
    pub fn lines(&self) -> u32 {
        self.bad_lines + self.missing_lines
    }
}

/// Decodes a page of exactly this size; bits are taken from the highest of each byte on.
#[must_use]
pub fn decode(bytes: &[u8], coding: Coding, size: Size) -> Decoded {
    let mut decoder = Decoder {
        bits: Reader::new(bytes),
        width: size.width(),
        page: Bitmap::white(size),
        line: Changes::new(),
        above: Changes::new(),
        y: 0,
        stretch: 0,
        damage: Damage::default(),
        bad: Vec::new(),
    };
    match coding {
        Coding::Mmr => decoder.t6(),
        Coding::MhRows => decoder.rows(),
        Coding::Mh { .. } => decoder.t4(false),
        Coding::Mr { .. } => decoder.t4(true),
    }
    Decoded { page: decoder.page, damage: decoder.damage, bad: decoder.bad }
}

/// Whether the bytes begin with an EOL, as T.4 does and compression 2 does not.
#[must_use]
pub fn starts_with_eol(bytes: &[u8]) -> bool {
    Reader::new(bytes).zeros().is_some_and(|zeros| zeros >= EOL_ZEROS)
}

/// The bits are no line of the width.
struct BadLine;

/// What stands where a line should start.
enum Start {
    Line,
    /// Two ends of line with nothing between them.
    Empty,
    /// No EOL, though the one dimension can do without.
    Bare,
    End,
}

struct Decoder<'a> {
    bits: Reader<'a>,
    width: u32,
    page: Bitmap,
    line: Changes,
    above: Changes,
    y: u32,
    stretch: u32,
    damage: Damage,
    bad: Vec<Range<u32>>,
}

impl Decoder<'_> {
    fn lines(&self) -> u32 {
        self.page.size().lines()
    }

    fn good_line(&mut self) {
        paint(&mut self.page, self.y, &self.line);
        std::mem::swap(&mut self.line, &mut self.above);
        self.stretch = 0;
        self.y += 1;
    }

    /// The line above in place of a bad one: better to read than a white gap.
    fn bad_line(&mut self) {
        if self.y > 0 {
            self.page.copy_row(self.y - 1, self.y);
        }
        self.damage.bad_lines += 1;
        self.mark(self.y..self.y + 1);
        self.stretch += 1;
        self.damage.longest = self.damage.longest.max(self.stretch);
        self.y += 1;
    }

    /// Notes where lines are bad; the next of a stretch makes it longer.
    fn mark(&mut self, lines: Range<u32>) {
        match self.bad.last_mut() {
            Some(last) if last.end == lines.start => last.end = lines.end,
            _ if lines.is_empty() => {}
            _ => self.bad.push(lines),
        }
    }

    fn ended(&mut self, by_block: bool) {
        self.damage.missing_lines = self.lines() - self.y;
        self.mark(self.y..self.lines());
        self.damage.block_ended = by_block;
    }

    /// Nothing from here to the end of the page can be trusted.
    fn rest_is_bad(&mut self) {
        let left = self.lines() - self.y;
        self.damage.bad_lines = left;
        self.damage.longest = left;
        self.mark(self.y..self.lines());
    }

    fn t6(&mut self) {
        while self.y < self.lines() {
            let eol = self.bits.peek(EOL.length.into()) == u32::from(EOL.bits);
            if eol || self.bits.at_end() {
                return self.ended(eol);
            }
            if self.two_dimensions().is_err() {
                // Nothing after the first error can be trusted.
                return self.rest_is_bad();
            }
            self.good_line();
        }
        self.damage.block_ended = self.bits.peek(EOL.length.into()) == u32::from(EOL.bits);
    }

    fn rows(&mut self) {
        while self.y < self.lines() {
            if self.bits.at_end() {
                return self.ended(false);
            }
            if self.one_dimension().is_err() {
                // Without ends of line nobody knows where the next line starts.
                return self.rest_is_bad();
            }
            self.bits.align();
            self.good_line();
        }
    }

    fn t4(&mut self, two_dimensional: bool) {
        // After a bad line of MR the line above is not known until a line
        // comes that needs none.
        let mut above_known = true;
        while self.y < self.lines() {
            let readable = match self.start(two_dimensional) {
                Start::End => return,
                Start::Empty => Err(BadLine),
                Start::Bare if two_dimensional => Err(BadLine),
                Start::Bare => self.one_dimension(),
                Start::Line if two_dimensional => match self.bits.bit() {
                    true => self.one_dimension(),
                    false if above_known => self.two_dimensions(),
                    false => Err(BadLine),
                },
                Start::Line => self.one_dimension(),
            };
            above_known = readable.is_ok();
            match readable {
                Ok(()) => self.good_line(),
                Err(BadLine) => {
                    self.bad_line();
                    self.seek_eol();
                }
            }
        }
        let mut ahead = self.bits.clone();
        self.damage.block_ended = take_eol(&mut ahead) && is_eol(&ahead, two_dimensional);
    }

    fn start(&mut self, two_dimensional: bool) -> Start {
        if self.bits.zeros().is_none() {
            self.ended(false);
            return Start::End;
        }
        if !take_eol(&mut self.bits) {
            return Start::Bare;
        }
        // One EOL starts a line. Six, or two and nothing more, end the page.
        let mut ahead = self.bits.clone();
        let mut eols = 1;
        while eols < RTC && is_eol(&ahead, two_dimensional) {
            if two_dimensional {
                ahead.skip(1);
            }
            take_eol(&mut ahead);
            eols += 1;
        }
        let tag_only = two_dimensional && ahead.peek(1) == 1;
        if tag_only && eols > 1 {
            ahead.skip(1);
        }
        if eols == RTC || (eols > 1 && ahead.zeros().is_none()) {
            self.ended(true);
            return Start::End;
        }
        match eols {
            1 => Start::Line,
            _ => Start::Empty,
        }
    }

    /// Stops before the next EOL, or at the end of the data.
    fn seek_eol(&mut self) {
        while let Some(zeros) = self.bits.zeros() {
            if zeros >= EOL_ZEROS {
                return;
            }
            self.bits.skip(zeros + 1);
        }
    }

    /// A change of colour. Two at one place are none: a run of no pixels.
    fn change(&mut self, x: u32) {
        if self.line.last() == Some(&x) {
            self.line.pop();
        } else if x < self.width {
            self.line.push(x);
        }
    }

    fn run(&mut self, black: bool) -> Result<u32, BadLine> {
        let table = if black { &BLACK_RUNS } else { &WHITE_RUNS };
        let mut length = 0;
        loop {
            let (run, bits) = table[self.bits.peek(RUN_BITS) as usize];
            if bits == 0 || self.bits.at_end() {
                return Err(BadLine);
            }
            self.bits.skip(bits.into());
            length += u32::from(run);
            if length > self.width {
                return Err(BadLine);
            }
            if run < 64 {
                return Ok(length);
            }
        }
    }

    fn one_dimension(&mut self) -> Result<(), BadLine> {
        self.line.clear();
        let mut x = 0;
        let mut black = false;
        while x < self.width {
            x += self.run(black)?;
            if x > self.width {
                return Err(BadLine);
            }
            self.change(x);
            black = !black;
        }
        Ok(())
    }

    fn two_dimensions(&mut self) -> Result<(), BadLine> {
        self.line.clear();
        let above = std::mem::take(&mut self.above);
        let read = self.differences(&mut Reference::new(&above, self.width));
        self.above = above;
        read
    }

    fn differences(&mut self, reference: &mut Reference<'_>) -> Result<(), BadLine> {
        let mut a0 = None;
        let mut black = false;
        while a0.is_none_or(|a0| a0 < self.width) {
            let (b1, b2) = reference.b1_b2(a0, black);
            let (mode, bits) = MODES[self.bits.peek(MODE_BITS) as usize].ok_or(BadLine)?;
            if self.bits.at_end() {
                return Err(BadLine);
            }
            self.bits.skip(bits.into());
            match mode {
                Mode::Pass => a0 = Some(b2),
                Mode::Horizontal => {
                    let a1 = a0.unwrap_or(0) + self.run(black)?;
                    let a2 = a1 + self.run(!black)?;
                    if a2 > self.width {
                        return Err(BadLine);
                    }
                    self.change(a1);
                    self.change(a2);
                    a0 = Some(a2);
                }
                Mode::Vertical(away) => {
                    let a1 = b1.checked_add_signed(away.into()).ok_or(BadLine)?;
                    if a1 > self.width || a0.is_some_and(|a0| a1 < a0) {
                        return Err(BadLine);
                    }
                    self.change(a1);
                    a0 = Some(a1);
                    black = !black;
                }
            }
        }
        Ok(())
    }
}

/// Takes an EOL with the fill bits before it, if one is next.
fn take_eol(bits: &mut Reader<'_>) -> bool {
    match bits.zeros() {
        Some(zeros) if zeros >= EOL_ZEROS => {
            bits.skip(zeros + 1);
            true
        }
        _ => false,
    }
}

/// Whether an EOL is next; in MR the tag bit of the EOL before comes first.
fn is_eol(bits: &Reader<'_>, two_dimensional: bool) -> bool {
    let mut ahead = bits.clone();
    (!two_dimensional || ahead.bit()) && ahead.zeros().is_some_and(|zeros| zeros >= EOL_ZEROS)
}
