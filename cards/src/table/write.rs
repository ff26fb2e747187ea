//! Cards as a table with our own headings.

use std::{collections::HashMap, sync::Arc};

use super::{NUMBERED_MOST, cell};
use crate::{
    card::{Book, Card, FaxPlace, Kept, plain_line_ends},
    escape,
};

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// `,`, `;` or a tab.
    pub separator: u8,
    /// Excel takes a file for Windows-1252 unless it begins with this mark.
    pub byte_order_mark: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { separator: b',', byte_order_mark: true }
    }
}

/// A kept column: its heading, and which of several with that heading.
type Extra = (Arc<str>, usize);

/// Writes all cards as rows. Lines end with CRLF (RFC 4180 2.1).
pub fn write(book: &Book, style: Style) -> String {
    let most = |count: fn(&Card) -> usize| {
        book.cards.iter().map(count).max().unwrap_or(0).clamp(1, NUMBERED_MOST)
    };
    let (faxes, emails) = (most(|card| card.faxes.len()), most(|card| card.emails.len()));
    let extras = extras(book);
    let lists = lists_by_member(book);
    let mut writer = csv::WriterBuilder::new()
        .delimiter(style.separator)
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let mut put = |row: Vec<String>| {
        writer.write_record(row).expect("memory takes rows that are all of one length");
    };
    put(headings(faxes, emails, &extras));
    for card in &book.cards {
        let on: &[&str] = lists.get(card.reference()).map_or(&[], Vec::as_slice);
        let cells = cells(card, on, (faxes, emails), &extras);
        put(cells.iter().map(|text| cell::safe(text).into_owned()).collect());
    }
    let bytes = writer.into_inner().expect("memory does not fail to flush");
    let mark = if style.byte_order_mark { "\u{feff}" } else { "" };
    mark.to_owned() + &String::from_utf8(bytes).expect("rows of text are text")
}

fn headings(faxes: usize, emails: usize, extras: &[Extra]) -> Vec<String> {
    let fixed = ["UID", "Name", "Family Name", "Given Name", "Company", "Alias"];
    let mut all: Vec<String> = fixed.map(str::to_owned).to_vec();
    for at in 1..=faxes {
        all.extend([format!("Fax {at}"), format!("Fax {at} Place")]);
        all.push(format!("Fax {at} Sub-address"));
    }
    all.extend((1..=emails).map(|at| format!("E-mail {at}")));
    all.extend(["Note", "Tags", "Lists", "Changed"].map(str::to_owned));
    all.extend(extras.iter().map(|(heading, _)| heading.to_string()));
    all
}

fn cells(
    card: &Card,
    lists: &[&str],
    (faxes, emails): (usize, usize),
    extras: &[Extra],
) -> Vec<String> {
    let text = |text: &str| plain_line_ends(text);
    let uid = card.uid.clone().unwrap_or_default();
    let mut all = vec![uid, text(&card.name), text(&card.family), text(&card.given)];
    all.extend([text(&card.company), text(&card.alias)]);
    for at in 0..faxes {
        let fax = card.faxes.get(at).cloned().unwrap_or_default();
        let place = match fax.place {
            FaxPlace::Unsaid => "",
            FaxPlace::Work => "work",
            FaxPlace::Home => "home",
        };
        all.extend([fax.number, place.to_owned(), fax.sub_address]);
    }
    all.extend((0..emails).map(|at| card.emails.get(at).cloned().unwrap_or_default()));
    let tags: Vec<&str> = card.tags.iter().map(String::as_str).collect();
    all.extend([text(&card.note), several(&tags), several(lists)]);
    all.push(card.rev.clone().unwrap_or_default());
    let kept: HashMap<Extra, &str> = kept(card).collect();
    all.extend(extras.iter().map(|extra| kept.get(extra).copied().unwrap_or("").to_owned()));
    all
}

fn several(values: &[&str]) -> String {
    let all: Vec<String> = values.iter().map(|value| escape::escaped(value)).collect();
    all.join(";")
}

/// The kept cells of a card, those with the same heading counted.
fn kept(card: &Card) -> impl Iterator<Item = (Extra, &str)> {
    let cells: &[(Arc<str>, String)] = match &card.kept {
        Kept::Csv(cells) => cells,
        _ => &[],
    };
    let mut seen: HashMap<&Arc<str>, usize> = HashMap::new();
    cells.iter().map(move |(heading, cell)| {
        let count = seen.entry(heading).or_default();
        *count += 1;
        ((Arc::clone(heading), *count), cell.as_str())
    })
}

/// All kept columns of the book, in the order in which cards have them.
fn extras(book: &Book) -> Vec<Extra> {
    let (mut all, mut seen) = (Vec::new(), std::collections::HashSet::new());
    for (extra, _) in book.cards.iter().flat_map(kept) {
        if seen.insert(extra.clone()) {
            all.push(extra);
        }
    }
    all
}

fn lists_by_member(book: &Book) -> HashMap<&str, Vec<&str>> {
    let mut all: HashMap<&str, Vec<&str>> = HashMap::new();
    for list in &book.lists {
        for member in &list.members {
            all.entry(member).or_default().push(&list.name);
        }
    }
    all
}
