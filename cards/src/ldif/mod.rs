//! LDIF content records (RFC 2849), as Thunderbird and directories export them.
//!
//! | field | attribute | source |
//! |---|---|---|
//! | `uid` | `entryUUID`, `uid`, or a DN of `uid=…` alone; else the DN as it stands | RFC 4530, RFC 4519 2.39 |
//! | `name` | the first of `cn`, `commonName`, `displayName` | RFC 4519 2.3, RFC 2798 2.3 |
//! | `family`, `given` | `sn` or `surname`, `givenName` | RFC 4519 2.32, 2.12 |
//! | `company` | `o`, `organizationName`, `company` | 2.19 |
//! | `faxes` | `facsimileTelephoneNumber`, `fax`: the number before the first `$` | 2.10, RFC 4517 3.3.11 |
//! | `emails` | `mail`, `rfc822Mailbox`, `mozillaSecondEmail` | RFC 4524 2.16 |
//! | `alias` | `mozillaNickname`, `xmozillanickname` | Thunderbird |
//! | `note` | `description` | RFC 4519 2.5 |
//! | `tags` | `businessCategory` | 2.1 |
//! | `rev` | `modifyTimestamp` | RFC 4512 3.4.4 |
//! | a list | `groupOfNames` with `member`, `groupOfUniqueNames` with `uniqueMember` | RFC 4519 3.5, 3.6 |
//!
//! Everything else is kept: comments alone are not, which belong to no record. An
//! attribute with options (`cn;lang-de`) is another attribute. A record that changes
//! something, and a value that is a URL, are refused: a file that is imported fetches
//! nothing. Sub-addresses and work or home have no attribute.

mod lines;
mod meaning;

use std::collections::{HashMap, HashSet};

use crate::{
    card::{Book, Card, CardList, Kept},
    encoding,
    finding::{Finding, Place, Problem, Reading},
    line::{Draft, Line, fold, is_one_of},
};
use lines::Record;

/// Columns of a physical line, as directories fold.
const LINE_OCTETS_MOST: usize = 76;

/// Reads all records.
pub fn read(bytes: &[u8]) -> Reading {
    let mut reading = Reading::default();
    let Some(text) = encoding::text_of(bytes, &mut reading, |_| false) else { return reading };
    let text = encoding::with_line_ends(text);
    let mut names = HashMap::new();
    for record in lines::records(&text) {
        if reading.is_full() {
            reading.note(Place::line(record.number), Problem::TooManyCards);
            break;
        }
        take(record, &mut names, &mut reading);
    }
    for member in reading.book.lists.iter_mut().flat_map(|list| &mut list.members) {
        let known = names.get(&meaning::same_dn(member)).cloned();
        *member = known.unwrap_or_else(|| meaning::reference_of(member));
    }
    if reading.book == Book::default() && reading.refused == 0 && reading.findings.is_empty() {
        reading.note(Place::file(), Problem::NothingFound("LDIF (dn:)"));
    }
    reading
}

fn take(record: Record, names: &mut HashMap<String, String>, reading: &mut Reading) {
    let Record { number, octets, lines, mut bad } = record;
    if octets > crate::CARD_BYTES_MOST {
        let place = Place::line(number);
        bad = vec![Finding { place, problem: Problem::CardTooLarge(octets) }];
    } else if bad.is_empty() {
        bad.extend(
            meaning::problem(&lines).map(|problem| Finding { place: Place::line(number), problem }),
        );
    }
    if !bad.is_empty() {
        return reading.refuse(bad);
    }
    let dn = lines.first().and_then(meaning::text).unwrap_or_default();
    if names.contains_key(&meaning::same_dn(&dn)) {
        reading.note(Place::line(number), Problem::DoubledDn);
    }
    if meaning::is_list(&lines) {
        let mut list = meaning::list(&lines);
        names.insert(meaning::same_dn(&dn), list.uid.clone().unwrap_or_default());
        list.kept = Kept::Ldif(lines);
        return reading.take_list(list, Place::line(number));
    }
    let mut card = meaning::card(&lines);
    card.name_it();
    if card.name.is_empty() {
        let place = Place::line(number);
        return reading.refuse(vec![Finding { place, problem: Problem::Nameless }]);
    }
    names.insert(meaning::same_dn(&dn), card.reference().to_owned());
    card.kept = Kept::Ldif(lines);
    reading.take_card(card, Place::line(number));
}

/// Writes all cards of a book, then its lists. Lines end with LF.
pub fn write(book: &Book) -> String {
    // RFC 2849, example 1: the first record follows without an empty line, which some
    // readers take for the end of a record.
    let mut out = "version: 1".to_owned();
    let mut names: HashMap<&str, String> = HashMap::new();
    let mut taken: HashSet<String> = HashSet::new();
    let mut name = |kept: &Kept, uid: Option<&str>, name: &str| {
        let mut dn = meaning::dn_of(kept_lines(kept), uid, name);
        // Two cards without a uid may have the same name; no two records have one DN. What
        // stood in a file keeps its own, so that it can be imported where it came from.
        if !taken.insert(meaning::same_dn(&dn)) && kept_lines(kept).is_empty() {
            dn = format!("{dn}+uid={}", taken.len());
            taken.insert(meaning::same_dn(&dn));
        }
        dn
    };
    let cards: Vec<String> =
        book.cards.iter().map(|card| name(&card.kept, card.uid.as_deref(), &card.name)).collect();
    let lists: Vec<String> =
        book.lists.iter().map(|list| name(&list.kept, list.uid.as_deref(), &list.name)).collect();
    for (card, dn) in book.cards.iter().zip(&cards) {
        names.entry(card.reference()).or_insert_with(|| dn.clone());
    }
    for (list, dn) in book.lists.iter().zip(&lists) {
        names.entry(list.uid.as_deref().unwrap_or(&list.name)).or_insert_with(|| dn.clone());
    }
    for (card, dn) in book.cards.iter().zip(&cards) {
        put(dn, card_lines(card), &mut out);
    }
    for (list, dn) in book.lists.iter().zip(&lists) {
        put(dn, list_lines(list, &names), &mut out);
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

fn kept_lines(kept: &Kept) -> &[Line] {
    match kept {
        Kept::Ldif(lines) => lines,
        _ => &[],
    }
}

fn put(dn: &str, mut lines: Vec<Line>, out: &mut String) {
    out.push('\n');
    let is_said = lines.first().and_then(meaning::text).is_some_and(|said| said == dn);
    if !is_said {
        lines.retain(|line| !is_one_of(line.head(), &["dn"]));
        lines.insert(0, meaning::line("dn", dn));
    }
    for line in lines {
        fold(line.text(), LINE_OCTETS_MOST, "\n", out);
    }
}

/// The lines of a record to change, or those that every new one of its kind begins with.
fn draft(kept: &Kept, classes: &[&str]) -> Draft {
    let lines = kept_lines(kept);
    let mut draft = Draft::new(lines, Line::head);
    if lines.is_empty() {
        for class in classes {
            draft.push(meaning::line("objectClass", class));
        }
    }
    draft
}

fn card_lines(card: &Card) -> Vec<Line> {
    let classes =
        ["top", "person", "organizationalPerson", "inetOrgPerson", "mozillaAbPersonAlpha"];
    let mut draft = draft(&card.kept, &classes);
    let was = meaning::card(kept_lines(&card.kept));
    set(&mut draft, &meaning::NAME, &was.name, &card.name);
    set(&mut draft, &meaning::FAMILY, &was.family, &card.family);
    set(&mut draft, &meaning::GIVEN, &was.given, &card.given);
    set(&mut draft, &meaning::COMPANY, &was.company, &card.company);
    set(&mut draft, &meaning::ALIAS, &was.alias, &card.alias);
    let fresh = |name: &'static str| {
        move |value: &String, line: Option<&Line>| {
            meaning::line(line.map_or(name, Line::head), value)
        }
    };
    let faxes: Vec<String> = card.faxes.iter().map(|fax| fax.number.clone()).collect();
    draft.set_all(&faxes, meaning::fax, fresh(meaning::FAX[0]));
    draft.set_all(
        &card.emails,
        |line| meaning::text_in(line, &meaning::EMAIL),
        fresh(meaning::EMAIL[0]),
    );
    set(&mut draft, &meaning::NOTE, &was.note, &card.note);
    draft.set_all(
        &card.tags,
        |line| meaning::text_in(line, &meaning::TAGS),
        fresh(meaning::TAGS[0]),
    );
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    set(&mut draft, &meaning::REV, &text(&was.rev), &text(&card.rev));
    let has_entry_uuid = draft.first(&meaning::ENTRY_UUID).is_some();
    let uid = if has_entry_uuid { meaning::ENTRY_UUID } else { meaning::UID };
    set(&mut draft, &uid, &text(&was.uid), &text(&card.uid));
    draft.into_lines()
}

fn list_lines(list: &CardList, names: &HashMap<&str, String>) -> Vec<Line> {
    let mut draft = draft(&list.kept, &["top", "groupOfNames"]);
    let was = meaning::list(kept_lines(&list.kept));
    set(&mut draft, &meaning::NAME, &was.name, &list.name);
    let members: Vec<String> = list
        .members
        .iter()
        .map(|member| {
            names.get(member.as_str()).cloned().unwrap_or_else(|| meaning::dn_of_reference(member))
        })
        .collect();
    let read = |line: &Line| meaning::text_in(line, &meaning::MEMBER);
    draft.set_all(&members, read, |dn, line| {
        meaning::line(line.map_or(meaning::MEMBER[0], Line::head), dn)
    });
    draft.into_lines()
}

fn set(draft: &mut Draft, names: &[&str], was: &str, is: &str) {
    if was != is {
        draft.set(names, |line| {
            let head = line.map_or(names[0], Line::head);
            (!is.is_empty()).then(|| meaning::line(head, is))
        });
    }
}
