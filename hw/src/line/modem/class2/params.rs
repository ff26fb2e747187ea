//! The eight numbers by which modems speak of sessions (SP-2388-A 8.5, T.32 table 21): what
//! they can, what the other machine can, and what was agreed.

use postfax_domain::document::{Paper, Resolution};

use super::dialect::Dialect;
use crate::{
    pages::{ccitt::MinScanTime, sheet, tiff::Density},
    t30::{Coding, Station},
};

/// How many there are.
const COUNT: usize = 8;
/// Speeds in bit/s, by the number that stands for them.
const RATES: [u32; 14] =
    [2400, 4800, 7200, 9600, 12000, 14400, 16800, 19200, 21600, 24000, 26400, 28800, 31200, 33600];
/// The fastest that needs no V.34.
const V17: u8 = 5;
const V29: u8 = 3;
const V27TER: u8 = 1;
/// The bits of finer resolutions in Classes 2.0 and 2.1; no bit is R8 at 98 lines.
const R8_FINE: u8 = 0x01;
const R8_SUPERFINE: u8 = 0x02;
const R16: u8 = 0x04;
const INCH_300: u8 = 0x40;
/// Pages of any length.
const UNLIMITED: u8 = 2;

/// The parameters of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Params {
    /// VR: the resolution; a number in Class 2, bits in the others.
    pub(super) resolution: u8,
    /// BR: the speed.
    pub(super) rate: u8,
    /// WD: the width of the paper.
    pub(super) width: u8,
    /// LN: the length of the paper.
    pub(super) length: u8,
    /// DF: the best coding.
    pub(super) coding: u8,
    /// EC: error correction.
    pub(super) ecm: u8,
    /// BF: transfer of files.
    pub(super) files: u8,
    /// ST: the least time of a line.
    pub(super) line_time: u8,
}

impl Params {
    /// Reads what follows `+FDIS:` and its like. What is missing at the end is 0, as modems
    /// leave it out; what is no number makes the whole unreadable.
    pub(super) fn parse(text: &str, hexadecimal: bool) -> Option<Self> {
        let radix = if hexadecimal { 16 } else { 10 };
        let mut values = [0; COUNT];
        let mut some = false;
        for (value, part) in values.iter_mut().zip(text.split(',')) {
            let part = part.trim().trim_matches('"');
            if part.is_empty() {
                continue;
            }
            *value = u8::from_str_radix(part, radix).ok()?;
            some = true;
        }
        // A speed of Class 2.0 that is none may have been written in decimal.
        if hexadecimal && usize::from(values[1]) >= RATES.len() {
            values[1] = text.split(',').nth(1)?.trim().parse().ok()?;
        }
        (some && usize::from(values[1]) < RATES.len()).then(|| Self::of(values))
    }

    fn of([resolution, rate, width, length, coding, ecm, files, line_time]: [u8; COUNT]) -> Self {
        Self { resolution, rate, width, length, coding, ecm, files, line_time }
    }

    fn values(self) -> [u8; COUNT] {
        let Self { resolution, rate, width, length, coding, ecm, files, line_time } = self;
        [resolution, rate, width, length, coding, ecm, files, line_time]
    }

    /// The most that a station wants a modem to do.
    pub(super) fn of_station(station: &Station, dialect: &Dialect) -> Self {
        let modems = station.modems;
        let finest = match (dialect.hexadecimal, station.finest) {
            (_, Resolution::Standard) => 0,
            (false, _) | (_, Resolution::Fine) => R8_FINE,
            (true, Resolution::Superfine) => R8_FINE | R8_SUPERFINE,
            (true, Resolution::Dots300) => R8_FINE | R8_SUPERFINE | INCH_300,
            (true, Resolution::Dots400) => R8_FINE | R8_SUPERFINE | INCH_300 | R16,
        };
        Self {
            resolution: finest,
            rate: match (modems.v17, modems.v29) {
                (true, _) => V17,
                (false, true) => V29,
                (false, false) => V27TER,
            },
            width: paper_code(station.widest),
            length: UNLIMITED,
            // T.6 needs error correction (T.30 table 2, bit 31).
            coding: if station.ecm { 3 } else { 1 },
            ecm: if station.ecm { dialect.ecm } else { 0 },
            files: 0,
            line_time: 0,
        }
    }

    /// The same, no more than a modem said that it can.
    pub(super) fn within(self, ranges: &Ranges, dialect: &Dialect) -> Self {
        let mut values = self.values();
        for (at, (value, range)) in values.iter_mut().zip(&ranges.0).enumerate() {
            let bits = at == 0 && dialect.hexadecimal;
            let wanted = *value;
            let fits = |less: &u8| range.has(*less) && (!bits || less & !wanted == 0);
            *value = (0..=wanted).rev().find(fits).unwrap_or(0);
        }
        let mut params = Self::of(values);
        if params.ecm == 0 {
            params.coding = params.coding.min(1);
        }
        params
    }

    /// How to send a page of this format to a machine that can do `remote`, as well as both
    /// sides can. `None`: it cannot take pages so fine or so wide.
    pub(super) fn for_page(
        ours: Self,
        remote: Self,
        (resolution, paper): (Resolution, Paper),
        dialect: &Dialect,
    ) -> Option<Self> {
        let code = resolution_code(resolution, dialect)?;
        let both = |has: u8| match dialect.hexadecimal {
            true => has & code == code,
            false => has >= code,
        };
        let width = paper_code(paper);
        if !both(remote.resolution) || !both(ours.resolution) || width > remote.width.min(2) {
            return None;
        }
        let ecm = if remote.ecm > 0 { ours.ecm.min(remote.ecm) } else { 0 };
        let best = ours.coding.min(remote.coding);
        let coding = match best {
            3 if ecm > 0 => 3,
            0 => 0,
            _ => 1,
        };
        Some(Self {
            resolution: code,
            rate: ours.rate.min(remote.rate),
            width,
            length: remote.length.min(UNLIMITED),
            coding,
            ecm,
            files: 0,
            line_time: remote.line_time,
        })
    }

    /// As a command has them.
    pub(super) fn text(self, hexadecimal: bool) -> String {
        let texts = self.values().map(|value| match hexadecimal {
            true => format!("{value:X}"),
            false => value.to_string(),
        });
        texts.join(",")
    }

    /// Bit/s.
    pub(super) fn bit_rate(self) -> u32 {
        RATES.get(usize::from(self.rate)).copied().unwrap_or(0)
    }

    /// How pages are coded.
    pub(super) fn coding(self) -> Coding {
        match self.coding {
            0 => Coding::Mh,
            1 | 2 => Coding::Mr,
            _ => Coding::Mmr,
        }
    }

    /// What a page has: dots an inch, pixels of a line. `None` for what no fax has.
    pub(super) fn page(self) -> Option<(Density, u32)> {
        let paper = match self.width {
            0 => Paper::A4,
            1 => Paper::B4,
            2 => Paper::A3,
            _ => return None,
        };
        let of = |resolution| (sheet::density(resolution), paper.pixels(resolution));
        let inches = |y| (Density { x: 200.0, y }, paper.pixels(Resolution::Fine));
        Some(match self.resolution {
            0 => of(Resolution::Standard),
            R8_FINE => of(Resolution::Fine),
            R8_SUPERFINE => of(Resolution::Superfine),
            R16 => (Density { x: 408.0, y: 391.0 }, paper.pixels(Resolution::Dots400)),
            0x08 => inches(100.0),
            0x10 => inches(200.0),
            0x20 => inches(400.0),
            INCH_300 => of(Resolution::Dots300),
            _ => return None,
        })
    }

    /// How long a line takes at least (T.30 table 2): at standard resolution some machines
    /// want twice the time.
    pub(super) fn min_scan_time(self) -> MinScanTime {
        use MinScanTime::{Ms0, Ms5, Ms10, Ms20, Ms40};
        let (standard, finer) = match self.line_time {
            0 => (Ms0, Ms0),
            1 => (Ms5, Ms5),
            2 => (Ms10, Ms5),
            3 => (Ms10, Ms10),
            4 => (Ms20, Ms10),
            5 => (Ms20, Ms20),
            6 => (Ms40, Ms20),
            _ => (Ms40, Ms40),
        };
        if self.resolution == 0 { standard } else { finer }
    }
}

fn paper_code(paper: Paper) -> u8 {
    match paper {
        Paper::A4 => 0,
        Paper::B4 => 1,
        Paper::A3 => 2,
    }
}

fn resolution_code(resolution: Resolution, dialect: &Dialect) -> Option<u8> {
    Some(match resolution {
        Resolution::Standard => 0,
        Resolution::Fine => R8_FINE,
        _ if !dialect.hexadecimal => return None,
        Resolution::Superfine => R8_SUPERFINE,
        Resolution::Dots300 => INCH_300,
        Resolution::Dots400 => R16,
    })
}

/// What a modem can, as it answers `+FDCC=?`: `(0,1),(0-5),(0-2),...`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ranges([Range; COUNT]);

/// The values of one parameter, as bits; a modem that does not say has them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range([u64; 4]);

impl Default for Range {
    fn default() -> Self {
        Self([u64::MAX; 4])
    }
}

impl Range {
    fn has(&self, value: u8) -> bool {
        self.0[usize::from(value / 64)] >> (value % 64) & 1 == 1
    }

    fn parse(text: &str, radix: u32) -> Option<Self> {
        let mut range = Self([0; 4]);
        for part in text.split(',') {
            let number = |text: &str| u8::from_str_radix(text.trim(), radix).ok();
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            for value in number(first)?..=number(last)? {
                range.0[usize::from(value / 64)] |= 1 << (value % 64);
            }
        }
        Some(range)
    }
}

impl Ranges {
    /// Reads an answer to `+FDCC=?` or `+FCC=?`.
    pub(super) fn parse(text: &str, hexadecimal: bool) -> Option<Self> {
        let mut ranges = Self::default();
        let mut rest = text.trim();
        if !rest.starts_with('(') {
            rest = rest.strip_prefix('+')?.split_once(':')?.1.trim();
        }
        let mut found = false;
        for range in &mut ranges.0 {
            rest = rest.trim_start_matches([',', ' ']);
            if rest.is_empty() {
                break;
            }
            // A single value may stand without brackets.
            let (inner, next) = match rest.strip_prefix('(') {
                Some(inner) => inner.split_once(')')?,
                None => rest.split_once(',').unwrap_or((rest, "")),
            };
            *range = Range::parse(inner, if hexadecimal { 16 } else { 10 })?;
            (rest, found) = (next, true);
        }
        found.then_some(ranges)
    }
}
