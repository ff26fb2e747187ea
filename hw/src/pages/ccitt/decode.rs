//! T.4 and T.6 to pages. Whatever the bytes are, the result is a page of the
//! size that was asked for, and a count of what was wrong with it.

use std::ops::Range;

use super::{
    Coding,
    bits::Reader,
    codes::EOL,
    lines::{Line, Painter},
    row::{BadLine, Extension, one_dimension, two_dimensions},
};
use crate::pages::bitmap::{Bitmap, MAX_LINES, MAX_PIXELS, Size};

/// T.4 4.1.4: so many ends of line in a row end the page (RTC).
const RTC: u32 = 6;
/// Zeros that only an EOL has.
const EOL_ZEROS: usize = EOL.length as usize - 1;

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
    /// The first way of coding that is not read; its lines are among the bad ones.
    pub extension: Option<Extension>,
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
    let decoder = Decoder::run(bytes, coding, size);
    Decoded { page: decoder.page, damage: decoder.damage, bad: decoder.bad }
}

/// How many lines there are up to the last one that can be read, where nothing else
/// says it; at most as many as a page may have. `None` when there are none.
#[must_use]
pub fn lines_of(bytes: &[u8], coding: Coding, width: u32) -> Option<u32> {
    let most = u32::try_from(MAX_PIXELS / u64::from(width.max(1))).unwrap_or(MAX_LINES);
    let size = Size::new(width, most.min(MAX_LINES))?;
    let lines = Decoder::run(bytes, coding, size).last_good;
    (lines > 0).then_some(lines)
}

/// Whether the bytes begin with an EOL, as T.4 does and compression 2 does not.
#[must_use]
pub fn starts_with_eol(bytes: &[u8]) -> bool {
    Reader::new(bytes).zeros().is_some_and(|zeros| zeros >= EOL_ZEROS)
}

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
    painter: Painter,
    line: Line,
    above: Line,
    y: u32,
    /// Lines up to the last one that was read.
    last_good: u32,
    /// Bad lines just above.
    stretch: u32,
    damage: Damage,
    bad: Vec<Range<u32>>,
}

impl<'a> Decoder<'a> {
    fn run(bytes: &'a [u8], coding: Coding, size: Size) -> Self {
        let width = size.width();
        let mut decoder = Decoder {
            bits: Reader::new(bytes),
            width,
            page: Bitmap::white(size),
            painter: Painter::new(width),
            line: Line::white(width),
            above: Line::white(width),
            y: 0,
            last_good: 0,
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
        decoder
    }

    fn lines(&self) -> u32 {
        self.page.size().lines()
    }

    fn one_dimension(&mut self) -> Result<(), BadLine> {
        one_dimension(&mut self.bits, &mut self.line, self.width)
    }

    fn two_dimensions(&mut self) -> Result<(), BadLine> {
        two_dimensions(&mut self.bits, &mut self.line, &self.above, self.width)
    }

    fn good_line(&mut self) {
        self.painter.paint(&mut self.page, self.y, &self.line);
        std::mem::swap(&mut self.line, &mut self.above);
        self.stretch = 0;
        self.y += 1;
        self.last_good = self.y;
    }

    /// The line above in place of a bad one: better to read than a white gap.
    fn bad_line(&mut self, why: BadLine) {
        if self.y > 0 {
            self.page.copy_row(self.y - 1, self.y);
        }
        self.refused(why);
        self.damage.bad_lines += 1;
        self.mark(self.y..self.y + 1);
        self.stretch += 1;
        self.damage.longest = self.damage.longest.max(self.stretch);
        self.y += 1;
    }

    /// Nothing from here on can be trusted.
    fn lost(&mut self, why: BadLine) {
        self.refused(why);
        self.damage.bad_lines = self.lines() - self.y;
        self.damage.longest = self.damage.bad_lines;
        self.mark(self.y..self.lines());
    }

    /// Notes where lines are bad; the next of a stretch makes it longer.
    fn mark(&mut self, lines: Range<u32>) {
        match self.bad.last_mut() {
            Some(last) if last.end == lines.start => last.end = lines.end,
            _ if lines.is_empty() => {}
            _ => self.bad.push(lines),
        }
    }

    fn refused(&mut self, why: BadLine) {
        if let BadLine::Extension(extension) = why {
            self.damage.extension.get_or_insert(extension);
        }
    }

    fn ended(&mut self, by_block: bool) {
        self.damage.missing_lines = self.lines() - self.y;
        self.mark(self.y..self.lines());
        self.damage.block_ended = by_block;
    }

    fn is_eofb(&mut self) -> bool {
        self.bits.peek(EOL.length.into()) == usize::from(EOL.bits)
    }

    fn t6(&mut self) {
        while self.y < self.lines() {
            let starts_as_eofb = self.is_eofb();
            if starts_as_eofb || self.bits.zeros().is_none() {
                return self.ended(starts_as_eofb);
            }
            match self.two_dimensions() {
                Ok(()) => self.good_line(),
                Err(why) => return self.lost(why),
            }
        }
        self.damage.block_ended = self.is_eofb();
    }

    fn rows(&mut self) {
        while self.y < self.lines() {
            if self.bits.zeros().is_none() {
                return self.ended(false);
            }
            match self.one_dimension() {
                Ok(()) => self.good_line(),
                // Without ends of line nobody knows where the next line starts.
                Err(why) => return self.lost(why),
            }
            self.bits.align();
        }
    }

    fn t4(&mut self, two_dimensional: bool) {
        // After a bad line of MR the line above is not known until a line
        // comes that needs none.
        let mut above_known = true;
        while self.y < self.lines() {
            let readable = match self.start(two_dimensional) {
                Start::End => return,
                Start::Empty => Err(BadLine::Damaged),
                Start::Bare if two_dimensional => Err(BadLine::Damaged),
                Start::Bare => self.one_dimension(),
                Start::Line if two_dimensional => match self.bits.bit() {
                    true => self.one_dimension(),
                    false if above_known => self.two_dimensions(),
                    false => Err(BadLine::Damaged),
                },
                Start::Line => self.one_dimension(),
            };
            above_known = readable.is_ok();
            match readable {
                Ok(()) => self.good_line(),
                Err(why) => {
                    self.bad_line(why);
                    self.seek_eol();
                }
            }
        }
        let mut ahead = self.bits.clone();
        self.damage.block_ended = take_eol(&mut ahead) && is_eol(&ahead, two_dimensional);
    }

    fn start(&mut self, two_dimensional: bool) -> Start {
        let Some(zeros) = self.bits.zeros() else {
            self.ended(false);
            return Start::End;
        };
        if zeros < EOL_ZEROS {
            return Start::Bare;
        }
        self.bits.pass(zeros + 1);
        if !is_eol(&self.bits, two_dimensional) {
            return Start::Line;
        }
        // One EOL starts a line. Six, or two and nothing more, end the page.
        let mut ahead = self.bits.clone();
        let mut eols = 1;
        while eols < RTC && is_eol(&ahead, two_dimensional) {
            if two_dimensional {
                ahead.bit();
            }
            take_eol(&mut ahead);
            eols += 1;
        }
        if two_dimensional && ahead.peek(1) == 1 {
            ahead.bit();
        }
        if eols == RTC || ahead.zeros().is_none() {
            self.ended(true);
            return Start::End;
        }
        Start::Empty
    }

    /// Stops before the next EOL, or at the end of the data.
    fn seek_eol(&mut self) {
        while let Some(zeros) = self.bits.zeros() {
            if zeros >= EOL_ZEROS {
                return;
            }
            self.bits.pass(zeros + 1);
        }
    }
}

/// Takes an EOL with the fill bits before it, if one is next.
fn take_eol(bits: &mut Reader<'_>) -> bool {
    match bits.zeros() {
        Some(zeros) if zeros >= EOL_ZEROS => {
            bits.pass(zeros + 1);
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
