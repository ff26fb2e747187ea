//! Tables of contacts: text with separators (RFC 4180), as spreadsheets and address books
//! export them.
//!
//! The separator (`,`, `;` or tab) is the one that the first row has most of; `sep=;`
//! before it, as Excel writes, is heeded. Text is UTF-8, UTF-16 with its mark, Shift_JIS
//! where that gives a Japanese heading that is known, else Windows-1252. Cells are
//! trimmed. A row may be shorter than the headings, as spreadsheets leave it, but not
//! longer. Which headings are known is a table in `headings.rs`.
//!
//! [`write()`] gives one row for each card, with the headings
//! `UID, Name, Family Name, Given Name, Company, Alias, Fax 1, Fax 1 Place,
//! Fax 1 Sub-address, …, E-mail 1, …, Note, Tags, Lists, Changed` and then the columns that
//! cards were read with and have no field. Tags and lists stand in one cell, divided by
//! `;`, with `\` before a `;` or `,` that divides nothing. A list comes back with its name and the
//! cards of the file that are on it, without uid. What a spreadsheet would calculate is
//! marked as text (`cell.rs`).

mod cell;
mod headings;
mod row;
mod write;

use std::{collections::HashMap, sync::Arc};

use crate::{
    card::{CardList, plain_line_ends},
    encoding,
    finding::{Finding, Place, Problem, Reading},
};
use headings::Column;

pub use write::{Style, write};

/// The most columns of a table.
pub const COLUMNS_MOST: usize = 1000;
/// The most fax numbers, and the most addresses, that a row is written with.
pub const NUMBERED_MOST: usize = 100;

/// Reads a table. See the module for what is known and how lists come about.
pub fn read(bytes: &[u8]) -> Reading {
    let mut reading = Reading::default();
    if let Some(text) = encoding::text_of(bytes, &mut reading, has_japanese_headings) {
        // Old Macs end lines with CR alone; then no LF is anywhere.
        match text.contains('\r') && !text.contains('\n') {
            true => read_text(&plain_line_ends(&text), &mut reading),
            false => read_text(&text, &mut reading),
        }
    }
    reading
}

fn first_line(text: &str) -> &str {
    text.trim_start_matches(['\r', '\n']).split(['\r', '\n']).next().unwrap_or_default()
}

fn has_japanese_headings(text: &str) -> bool {
    let line = first_line(text);
    let cells = line.split(char::from(separator_of(line)));
    cells.filter(|cell| !cell.is_ascii()).any(headings::is_known)
}

/// The separator that the headings have most of, outside of quotes.
fn separator_of(line: &str) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in line.bytes() {
        quoted ^= byte == b'"';
        if let Some((_, count)) = counts.iter_mut().find(|(sep, _)| *sep == byte && !quoted) {
            *count += 1;
        }
    }
    // The earlier of two that are equal: a comma where there is one column only.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(separator, _)| *separator)
}

/// `sep=;` in the first line, and what is left of the text behind it.
fn told_separator(text: &str) -> Option<(u8, &str)> {
    let line = first_line(text);
    let told = line.trim_matches('"').strip_prefix("sep=")?.bytes().next()?;
    let rest = &text[text.find(line)? + line.len()..];
    matches!(told, b',' | b';' | b'\t').then_some((told, rest))
}

/// A record and where it stands.
struct Rows<'a> {
    text: &'a str,
    reader: csv::Reader<&'a [u8]>,
    /// Lines before the text, and line ends inside of cells so far.
    lines_before: usize,
    lines_inside: usize,
}

struct Row<'a> {
    cells: csv::StringRecord,
    place: Place,
    raw: &'a str,
}

impl<'a> Rows<'a> {
    fn new(text: &'a str) -> Self {
        let (separator, rest) =
            told_separator(text).unwrap_or_else(|| (separator_of(first_line(text)), text));
        let mut builder = csv::ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(separator);
        let lines_before = text[..text.len() - rest.len()].matches('\n').count();
        let reader = builder.from_reader(rest.as_bytes());
        Self { text: rest, reader, lines_before, lines_inside: 0 }
    }

    fn next(&mut self) -> Option<Row<'a>> {
        let start = self.reader.position().clone();
        let mut cells = csv::StringRecord::new();
        // A slice gives no error of reading, and text that is UTF-8 none of decoding.
        if !self.reader.read_record(&mut cells).unwrap_or(false) {
            return None;
        }
        let at = |position: &csv::Position| {
            usize::try_from(position.byte()).unwrap_or(usize::MAX).min(self.text.len())
        };
        let raw = self.text.get(at(&start)..at(self.reader.position())).unwrap_or_default();
        // The reader passes over empty lines before a record.
        let record = raw.trim_start_matches(['\r', '\n']);
        let skipped = raw[..raw.len() - record.len()].matches('\n').count();
        let line = self.lines_before + usize::try_from(start.line()).unwrap_or(0) + skipped;
        let row = line - self.lines_inside;
        let record = record.trim_end_matches(['\r', '\n']);
        self.lines_inside += record.matches('\n').count();
        Some(Row { cells, place: Place { line, row: Some(row), column: None }, raw: record })
    }
}

fn read_text(text: &str, reading: &mut Reading) {
    let mut rows = Rows::new(text);
    let Some(columns) = columns(&mut rows, reading) else { return };
    let mut lists = HashMap::new();
    while let Some(row) = rows.next() {
        if row.cells.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if reading.is_full() {
            return reading.note(row.place, Problem::TooManyCards);
        }
        match card_of(&row, &columns) {
            Ok(made) => {
                for name in made.lists {
                    let at = *lists.entry(name.clone()).or_insert_with(|| {
                        let list = CardList { name, ..CardList::default() };
                        reading.take_list(list, row.place.clone());
                        reading.book.lists.len() - 1
                    });
                    reading.book.lists[at].members.push(made.card.reference().to_owned());
                }
                reading.take_card(made.card, row.place.clone());
            }
            Err(bad) => reading.refuse(bad),
        }
    }
}

/// The columns of the table with their headings; nothing where there is no use in going on.
fn columns(rows: &mut Rows<'_>, reading: &mut Reading) -> Option<Vec<(Arc<str>, Column)>> {
    let Some(row) = rows.next() else {
        reading.note(Place::file(), Problem::NothingFound("a table"));
        return None;
    };
    let refuse = |problem, reading: &mut Reading| reading.note(row.place.clone(), problem);
    if row.cells.len() > COLUMNS_MOST {
        refuse(Problem::TooManyColumns(row.cells.len()), reading);
        return None;
    }
    if has_odd_quotes(row.raw) {
        refuse(Problem::BadQuotes, reading);
        return None;
    }
    let (mut columns, mut seen) = (Vec::new(), Vec::new());
    for heading in row.cells.iter().map(str::trim) {
        let column = headings::column(heading);
        let place = || Place { column: Some(heading.to_owned()), ..row.place.clone() };
        if column == Column::Unknown {
            if !heading.is_empty() {
                reading.note(place(), Problem::UnknownColumn);
            }
        } else if column.is_single() && seen.contains(&column) {
            reading.note(place(), Problem::DoubledColumn);
            // Under its own heading it would be read as the first one once that is gone.
            columns.push((Arc::from(format!("{heading} (again)")), Column::Unknown));
            continue;
        }
        seen.push(column);
        columns.push((Arc::from(heading), column));
    }
    if seen.iter().all(|column| *column == Column::Unknown) {
        refuse(Problem::NoHeadings, reading);
        return None;
    }
    Some(columns)
}

/// An open quote swallows the rows behind it; such a record has an odd number of them, and
/// one that keeps to RFC 4180 2.5 to 2.7 never has.
fn has_odd_quotes(record: &str) -> bool {
    record.bytes().filter(|byte| *byte == b'"').count() % 2 == 1
}

fn card_of(row: &Row<'_>, columns: &[(Arc<str>, Column)]) -> Result<row::Made, Vec<Finding>> {
    let bad = |problem| Err(vec![Finding { place: row.place.clone(), problem }]);
    if row.raw.len() > crate::CARD_BYTES_MOST {
        return bad(Problem::CardTooLarge(row.raw.len()));
    }
    if has_odd_quotes(row.raw) {
        return bad(Problem::BadQuotes);
    }
    let more = row.cells.iter().skip(columns.len());
    if more.into_iter().any(|cell| !cell.trim().is_empty()) {
        return bad(Problem::TooManyCells { found: row.cells.len(), headings: columns.len() });
    }
    let cells = row.cells.iter().map(|cell| cell::plain(plain_line_ends(cell.trim())));
    row::card(columns.iter().zip(cells), &row.place)
}
