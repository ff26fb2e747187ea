//! From the text of a file to the lines of each record: unfolding, comments, the version.
//! Knows no attribute but `dn` and `version`.

use crate::{
    finding::{Finding, Place, Problem},
    line::Line,
};

/// A record as it stands in the file.
pub(super) struct Record {
    /// Of its first line.
    pub number: usize,
    /// Its physical size.
    pub octets: usize,
    pub lines: Vec<Line>,
    pub bad: Vec<Finding>,
}

struct Records<'a> {
    rest: &'a str,
    number: usize,
}

/// Records are divided by empty lines (RFC 2849, `SEP`).
pub(super) fn records(text: &str) -> impl Iterator<Item = Record> {
    Records { rest: text, number: 0 }
}

impl<'a> Records<'a> {
    fn physical(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        self.number += 1;
        Some(line.strip_suffix('\r').unwrap_or(line))
    }

    /// A line with those that begin with a space behind it (RFC 2849, note 2).
    fn logical(&mut self) -> Option<(usize, String)> {
        let mut text = self.physical()?.to_owned();
        let number = self.number;
        while self.rest.starts_with(' ') && !text.is_empty() {
            text.push_str(&self.physical().unwrap_or_default()[1..]);
        }
        Some((number, text))
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let mut record = Record { number: 0, octets: 0, lines: Vec::new(), bad: Vec::new() };
        loop {
            let before = self.rest.len();
            let Some((number, text)) = self.logical() else {
                return (record.number != 0).then_some(record);
            };
            if text.is_empty() && record.number != 0 {
                return Some(record);
            }
            let is_version = record.number == 0
                && text.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("version:"));
            if text.is_empty() || text.starts_with('#') || is_version {
                continue;
            }
            if record.number == 0 {
                record.number = number;
            }
            record.octets += before - self.rest.len();
            if record.octets > crate::CARD_BYTES_MOST {
                record.lines.clear();
                continue;
            }
            match line(text) {
                Ok(line) => record.lines.push(line),
                Err(problem) => record.bad.push(Finding { place: Place::line(number), problem }),
            }
        }
    }
}

fn line(text: String) -> Result<Line, Problem> {
    let colon = text.find(':').ok_or(Problem::NoColon)?;
    let line = Line::split_at(text, colon).ok_or(Problem::NoColon)?;
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || "-.;_".contains(c);
    match !line.head().is_empty() && line.head().chars().all(is_of_a_name) {
        true => Ok(line),
        false => Err(Problem::BadName(line.head().chars().take(40).collect())),
    }
}
