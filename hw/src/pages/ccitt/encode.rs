//! Pages to T.4 and T.6.

use postfax_domain::document::Resolution;

use super::{
    Coding,
    bits::Writer,
    codes::{Code, EOL, HORIZONTAL, LONGEST, PASS, RUN_CODES, VERTICAL},
    lines::Line,
};
use crate::pages::bitmap::Bitmap;

/// T.4 4.1.4: so many ends of line in a row end the page (RTC).
const RTC: usize = 6;
/// K where nobody says: the value for fine resolution.
const USUAL_K: u32 = 4;

/// What T.4 leaves open. The default is what TIFF-F wants (RFC 3949 3.4). In T.6 none
/// of it matters: there is neither K nor fill, and EOFB always ends the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// K of MR: one line of at most so many is coded without the line above it, so that
    /// damage does not run down the page. 0 is taken as 1.
    pub k: u32,
    /// What follows the last line.
    pub end: End,
    /// Bits of a line at least, its EOL among them: shorter lines get fill bits.
    pub min_line_bits: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { k: USUAL_K, end: End::Open, min_line_bits: 0 }
    }
}

/// What follows the last line of T.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing, as in TIFF-F: the file says how many lines there are.
    Open,
    /// RTC, six ends of line, as on a telephone line.
    Rtc,
}

/// How long a line takes at least on a telephone line, because the receiver prints it
/// while the next one comes (T.30 table 2, bits 21 to 23).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MinScanTime {
    /// No time at all: the receiver has memory, or corrects errors.
    #[default]
    Ms0,
    /// 5 ms.
    Ms5,
    /// 10 ms.
    Ms10,
    /// 20 ms.
    Ms20,
    /// 40 ms.
    Ms40,
}

impl MinScanTime {
    /// Bits that pass in that time at `bit_rate` bit/s, for [`Options::min_line_bits`].
    #[must_use]
    pub fn bits(self, bit_rate: u32) -> u32 {
        let ms = match self {
            Self::Ms0 => 0,
            Self::Ms5 => 5,
            Self::Ms10 => 10,
            Self::Ms20 => 20,
            Self::Ms40 => 40,
        };
        let bits = (u64::from(bit_rate) * ms).div_ceil(1000);
        u32::try_from(bits).unwrap_or(u32::MAX)
    }
}

/// The largest K that T.4 4.2.2 allows: 2 at standard resolution, 4 at fine, and beyond
/// that in proportion to the lines an inch, up to 8.
#[must_use]
pub fn largest_k(resolution: Resolution) -> u32 {
    match resolution {
        Resolution::Standard => 2,
        Resolution::Fine => 4,
        Resolution::Dots300 => 6,
        Resolution::Superfine | Resolution::Dots400 => 8,
    }
}

/// Codes a page as TIFF-F wants it, white runs first: T.6 ends with EOFB, T.4 has an
/// EOL before each line and no RTC.
#[must_use]
pub fn encode(page: &Bitmap, coding: Coding) -> Vec<u8> {
    encode_with(page, coding, &Options::default())
}

/// Codes a page, white runs first.
#[must_use]
pub fn encode_with(page: &Bitmap, coding: Coding, options: &Options) -> Vec<u8> {
    let width = page.size().width();
    let mut encoder = Encoder {
        out: Writer::with_capacity(page.size().stride() * page.size().lines() as usize / 8),
        width,
        line: Line::white(width),
        above: Line::white(width),
        repeated: false,
    };
    match coding {
        Coding::Mmr => encoder.t6(page),
        Coding::MhRows => encoder.rows(page),
        Coding::Mh { aligned } => encoder.t4(page, None, aligned, options),
        Coding::Mr { aligned } => encoder.t4(page, Some(options.k.max(1)), aligned, options),
    }
    encoder.out.finish()
}

struct Encoder {
    out: Writer,
    width: u32,
    /// The line that is coded.
    line: Line,
    /// The last one before it that is not the same.
    above: Line,
    /// The line is the same as the one above.
    repeated: bool,
}

impl Encoder {
    fn t6(&mut self, page: &Bitmap) {
        let mut row_above: &[u8] = &vec![0; page.size().stride()];
        for row in page.rows() {
            self.next(row, &mut row_above);
            self.two_dimensions();
        }
        put(&mut self.out, EOL);
        put(&mut self.out, EOL);
    }

    fn rows(&mut self, page: &Bitmap) {
        let mut row_above: &[u8] = &[];
        for row in page.rows() {
            self.next(row, &mut row_above);
            self.one_dimension();
            self.out.align_for(0);
        }
    }

    /// Finds the changes of the next row, unless they are those of the one above.
    fn next<'a>(&mut self, row: &'a [u8], above: &mut &'a [u8]) {
        self.repeated = row == *above;
        if !self.repeated {
            std::mem::swap(&mut self.line, &mut self.above);
            self.line.find(row);
            *above = row;
        }
    }

    /// MR where there is a K, else MH.
    fn t4(&mut self, page: &Bitmap, k: Option<u32>, aligned: bool, options: &Options) {
        let mut row_above: &[u8] = &[];
        for (y, row) in page.rows().enumerate() {
            self.end_of_line(aligned);
            let start = self.out.len() - usize::from(EOL.length);
            self.next(row, &mut row_above);
            match k {
                None => self.one_dimension(),
                Some(k) if (y as u32).is_multiple_of(k) => {
                    self.out.put(1, 1);
                    self.one_dimension();
                }
                Some(_) => {
                    self.out.put(0, 1);
                    self.two_dimensions();
                }
            }
            // T.4 4.1.3: fill comes after the data of a line and before the next EOL.
            let missing = (options.min_line_bits as usize).saturating_sub(self.out.len() - start);
            self.out.repeat(false, missing);
        }
        if options.end == End::Rtc {
            self.end_of_line(aligned);
            for eols in 1..=RTC {
                // T.4 4.2.4: in MR each of the six is followed by a one.
                if k.is_some() {
                    self.out.put(1, 1);
                }
                if eols < RTC {
                    put(&mut self.out, EOL);
                }
            }
        }
    }

    /// The EOL ends at a byte; a tag bit after it belongs to the line.
    fn end_of_line(&mut self, aligned: bool) {
        if aligned {
            self.out.align_for(u32::from(EOL.length));
        }
        put(&mut self.out, EOL);
    }

    fn one_dimension(&mut self) {
        let mut from = 0;
        let mut black = false;
        for &change in &self.line.places()[..=self.line.changes()] {
            run(&mut self.out, change - from, black);
            from = change;
            black = !black;
        }
    }

    /// T.6 2.2: each change is coded by how it differs from the line above. `i` is the
    /// place of a1 and `j` that of b1; both are even while white is coded.
    fn two_dimensions(&mut self) {
        if self.repeated {
            // Each change is where the one above it is, and so is the end.
            return self.out.repeat(true, self.line.changes() + 1);
        }
        let (line, above, width) = (self.line.places(), self.above.places(), self.width);
        let out = &mut self.out;
        let (mut i, mut j, mut a0) = (0, 0, 0);
        loop {
            let (a1, b1, b2) = (line[i], above[j], above[j + 1]);
            let right = a1.wrapping_sub(b1).wrapping_add(3);
            if b2 < a1 {
                put(out, PASS);
                a0 = b2;
            } else if right <= 6 {
                put(out, VERTICAL[right as usize]);
                a0 = a1;
                i += 1;
                // The change before b1 has the other colour and may still lie right of a0.
                j = if j > 0 { j - 1 } else { 1 };
            } else {
                let a2 = line[i + 1];
                put(out, HORIZONTAL);
                run(out, a1 - a0, i % 2 == 1);
                run(out, a2 - a1, i % 2 == 0);
                a0 = a2;
                i += 2;
            }
            if a0 >= width {
                return;
            }
            while above[j] <= a0 {
                j += 2;
            }
        }
    }
}

#[inline]
fn put(out: &mut Writer, code: Code) {
    out.put(u32::from(code.bits), u32::from(code.length));
}

/// A run as at most one code of 64s and the one of the rest, put at once.
#[inline]
fn run(out: &mut Writer, mut length: u32, black: bool) {
    let codes = &RUN_CODES[usize::from(black)];
    while length >= LONGEST + 64 {
        put(out, codes[63 + (LONGEST / 64) as usize]);
        length -= LONGEST;
    }
    let rest = codes[(length % 64) as usize];
    if length < 64 {
        return put(out, rest);
    }
    let sixty_fours = codes[63 + (length / 64) as usize];
    out.put(
        u32::from(sixty_fours.bits) << rest.length | u32::from(rest.bits),
        u32::from(sixty_fours.length + rest.length),
    );
}
