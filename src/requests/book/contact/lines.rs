//! The lines of a vCard that an entry keeps, in one spelling. Which fields an entry has is
//! not known here, but for the names of the lines that say them.

use std::collections::BTreeSet;

use postfax_cards::{Card, Kept, Line as CardLine, vcard};
use postfax_domain::{
    book::{MAX_KEPT_BYTES, Options, Reach},
    document::Resolution,
};

use super::{BadCard, Note, on_a_line};

/// Stands in what is kept where the number of the entry stands in the card.
pub(super) const NO_NUMBER: &str = "0";
/// The line of a fax that says no more than an entry without any line of it.
pub(super) const USUAL_FAX: &str = "TEL;TYPE=fax;TYPE=work:0";
/// Properties that are only pictures and the like, left out where a card is too large.
const PICTURES: [&str; 4] = ["PHOTO", "LOGO", "SOUND", "KEY"];
/// Properties that an entry says by itself, or that are another's every time.
const SAID: [&str; 9] = [
    "FN",
    "UID",
    "REV",
    "PRODID",
    "CATEGORIES",
    "KIND",
    "X-ADDRESSBOOKSERVER-KIND",
    COVER,
    RESOLUTION,
];
/// What makes a list of a card.
pub(super) const OF_LISTS: [&str; 4] =
    ["KIND", "MEMBER", "X-ADDRESSBOOKSERVER-KIND", "X-ADDRESSBOOKSERVER-MEMBER"];
/// Of these a card has one: a second one would speak when the first one is gone.
const SINGLE: [&str; 4] = ["N", "NICKNAME", "ORG", "NOTE"];
pub(super) const COVER: &str = "X-POSTFAX-COVER";
pub(super) const RESOLUTION: &str = "X-POSTFAX-RESOLUTION";
/// The same as columns of a table.
pub(in crate::requests::book) const COLUMNS: [&str; 2] = ["Cover", "Resolution"];

/// The lines that say something that no field says.
pub(super) fn kept(
    lines: &[CardLine],
    reach: &Reach,
    notes: &mut Vec<Note>,
) -> Result<String, BadCard> {
    let first_of = |name: &str| lines.iter().position(|line| is_one_of(line, &[name]));
    let firsts = SINGLE.map(first_of);
    let is_list = matches!(reach, Reach::List(_));
    let is_spare = |at: usize, line: &CardLine| {
        let is_second = is_one_of(line, &SINGLE) && !firsts.contains(&Some(at));
        // What is called as a whole has no parts of a name.
        is_second || is_list && is_one_of(line, &["N"])
    };
    let lines = lines.iter().enumerate().filter(|(at, line)| !is_spare(*at, line));
    let says_something = |line: &&CardLine| {
        let is_empty = line.value().chars().all(|c| matches!(c, ';' | ',' | ' '));
        !is_one_of(line, &SAID) && !is_empty
    };
    let lines = lines.map(|(_, line)| line).filter(says_something).map(|line| (line, spelt(line)));
    let lines: Vec<(&CardLine, String)> = lines.filter(|(_, text)| text != USUAL_FAX).collect();
    let all = lines.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
    if all.len() <= MAX_KEPT_BYTES {
        return Ok(all);
    }
    let without = lines.iter().filter(|(line, _)| !is_one_of(line, &PICTURES));
    let without = without.map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
    if without.len() > MAX_KEPT_BYTES {
        return Err(BadCard::TooLarge(without.len()));
    }
    notes.push(Note::Pictures);
    Ok(without)
}

/// A line with its types in one spelling, whichever version of vCard it came through:
/// their order says nothing, nor does their case (RFC 6350 5).
fn spelt(line: &CardLine) -> String {
    let is_plain = |c: &char| !c.is_control() || *c == '\t';
    let (mut head, mut types) = (String::new(), BTreeSet::new());
    let mut is_quoted = false;
    let parts = line.head().split(|c| {
        is_quoted ^= c == '"';
        c == ';' && !is_quoted
    });
    for (at, part) in parts.enumerate() {
        match part.split_once('=').map(|(name, value)| (name.to_ascii_uppercase(), value)) {
            Some((name, value)) if name == "TYPE" => {
                let all = value.split(',').map(|one| one.trim_matches(['"', ' ']));
                types.extend(all.filter(|one| !one.is_empty()).map(str::to_ascii_lowercase));
            }
            Some((name, _)) if name == "PREF" => drop(types.insert("pref".into())),
            _ if at == 0 => head.push_str(part),
            _ => head.extend([";", part]),
        }
    }
    for one in types {
        let is_token = one.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        let quote = if is_token { "" } else { "\"" };
        head.push_str(&format!(";TYPE={quote}{one}{quote}"));
    }
    head.chars().chain([':']).chain(line.value().chars()).filter(is_plain).collect()
}

pub(super) fn options(lines: &[CardLine], cells: &Kept, notes: &mut Vec<Note>) -> Options {
    let of_line = |name: &str| {
        let line = lines.iter().find(|line| is_one_of(line, &[name]));
        line.map(|line| line.value().trim().to_ascii_lowercase())
    };
    let of_cell = |heading: &str| {
        let Kept::Csv(cells) = cells else { return None };
        let cell = cells.iter().find(|(name, _)| name.eq_ignore_ascii_case(heading));
        cell.map(|(_, cell)| cell.trim().to_ascii_lowercase())
    };
    let mut bad = |what, value: String, right| {
        notes.push(Note::BadOption { what, value: on_a_line(&value), right });
    };
    let mut options = Options::default();
    match of_line(COVER).or_else(|| of_cell(COLUMNS[0])).as_deref() {
        None | Some("") => {}
        Some("yes") => options.cover = Some(true),
        Some("no") => options.cover = Some(false),
        Some(other) => bad("cover", other.to_owned(), "write yes or no"),
    }
    match of_line(RESOLUTION).or_else(|| of_cell(COLUMNS[1])).as_deref() {
        None | Some("") => {}
        Some(word) => match Resolution::named(word) {
            Some(resolution) => options.resolution = Some(resolution),
            None => bad("resolution", word.to_owned(), RESOLUTION_WORDS),
        },
    }
    options
}

/// What a resolution may be.
const RESOLUTION_WORDS: &str = "write standard, fine, superfine, 300x300 or 400x400";

/// How a card says whether a cover goes first.
pub(in crate::requests::book) fn cover_word(cover: bool) -> &'static str {
    if cover { "yes" } else { "no" }
}

/// Lines as a card.
pub(super) fn card_of(lines: &[&str]) -> Option<Card> {
    let text = format!("BEGIN:VCARD\r\nVERSION:3.0\r\n{}\r\nEND:VCARD\r\n", lines.join("\r\n"));
    vcard::read(text.as_bytes(), vcard::Options::default()).book.cards.pop()
}

/// The lines of a card.
pub(super) fn lines_of(kept: &Kept) -> &[CardLine] {
    match kept {
        Kept::VCard(_, lines) => lines,
        _ => &[],
    }
}

/// Whether a line has one of these names, its group aside (RFC 6350 3.3).
pub(super) fn is_one_of(line: &CardLine, names: &[&str]) -> bool {
    let name = line.head().split(';').next().unwrap_or_default();
    let name = name.rsplit_once('.').map_or(name, |(_, name)| name);
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}
