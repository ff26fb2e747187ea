//! vCard: 2.1 is read, 3.0 (RFC 2426) and 4.0 (RFC 6350) are read and written.
//!
//! What is understood, and everything else stands as it stood:
//!
//! | field | property | source |
//! |---|---|---|
//! | `uid` | `UID`, without `urn:uuid:` | RFC 6350 6.7.6 |
//! | `name` | the first `FN` | 6.2.1 |
//! | `family`, `given` | the first two parts of `N` | 6.2.2 |
//! | `company` | the first part of `ORG` | 6.6.4 |
//! | `faxes` | `TEL` with a type that ends with `fax`, or with a label (`X-ABLabel` of the same group, Apple) that has `fax` in it; text or `tel:` | 6.4.1 |
//! | `sub_address` | parameter `X-SUBADDRESS` of such a `TEL` | ours |
//! | `emails` | `EMAIL` | 6.4.2 |
//! | `alias` | the first value of `NICKNAME` | 6.2.3 |
//! | `note` | the first `NOTE` | 6.7.2 |
//! | `tags` | all `CATEGORIES` | 6.7.1 |
//! | `rev` | `REV` | 6.7.4 |
//! | a list | `KIND:group` with `MEMBER`, or `X-ADDRESSBOOKSERVER-KIND` with `-MEMBER` (Apple) | 6.1.4, 6.6.5 |
//!
//! **Addresses that fax.** While a name is typed, mail programs complete addresses, not
//! numbers. With [`Options::completion_domain`] each fax number is written a second time
//! as `EMAIL:FAX=+390401234@domain` (RFC 3191 2), and such an address is read as the fax
//! number that it is: a number that somebody adds to a contact in this form is a number
//! like any other.

mod changes;
mod convert;
mod lines;
mod meaning;

use crate::{
    card::{Book, Card, Kept},
    encoding,
    finding::{Place, Problem, Reading},
    line::{Line, fold},
};

pub use meaning::FaxAddress;

/// Octets of a physical line, its end not counted (RFC 6350 3.2).
const LINE_OCTETS_MOST: usize = 75;

/// Which vCard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Version {
    /// RFC 2426. What CardDAV servers must speak (RFC 6352 3), and the widest understood.
    #[default]
    V3,
    /// RFC 6350.
    V4,
}

/// How cards are read and written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options<'a> {
    /// The domain whose addresses fax, like `fax.example.com`.
    pub completion_domain: Option<&'a str>,
}

/// Reads one or more cards.
pub fn read(bytes: &[u8], options: Options<'_>) -> Reading {
    let mut reading = Reading::default();
    if let Some(text) = encoding::text_of(bytes, &mut reading, |_| false) {
        let text = encoding::with_line_ends(text);
        lines::read(&text, options, &mut reading);
        let is_empty = reading.book == Book::default() && reading.refused == 0;
        if is_empty && reading.findings.iter().all(|found| found.place.line == 0) {
            reading.note(Place::file(), Problem::NothingFound("a vCard (BEGIN:VCARD)"));
        }
    }
    reading
}

/// Writes all cards of a book, then its lists. Lines end with CRLF.
pub fn write(book: &Book, version: Version, options: Options<'_>) -> String {
    let mut out = String::new();
    for card in &book.cards {
        write_card(card, version, options, &mut out);
    }
    for list in &book.lists {
        let was = kept_lines(&list.kept, version);
        finish(changes::list_lines(list, was.1, version), was.0, version, &mut out);
    }
    out
}

/// Writes one card, as a CardDAV server keeps and serves it.
pub fn write_card(card: &Card, version: Version, options: Options<'_>, out: &mut String) {
    let (was, lines) = kept_lines(&card.kept, version);
    finish(changes::card_lines(card, lines, version, options), was, version, out);
}

/// The lines to begin with and the version they are in.
fn kept_lines(kept: &Kept, version: Version) -> (Version, &[Line]) {
    match kept {
        Kept::VCard(version, lines) => (*version, lines),
        _ => (version, &[]),
    }
}

fn finish(lines: Vec<Line>, from: Version, to: Version, out: &mut String) {
    out.push_str("BEGIN:VCARD\r\n");
    out.push_str(match to {
        Version::V3 => "VERSION:3.0\r\n",
        Version::V4 => "VERSION:4.0\r\n",
    });
    for line in convert::convert(lines, from, to) {
        fold(line.text(), LINE_OCTETS_MOST, "\r\n", out);
    }
    out.push_str("END:VCARD\r\n");
}
