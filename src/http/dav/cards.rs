//! Entries as the cards that address books get, and back. What a card says as an entry is
//! decided by [`contact`]; here is only what CardDAV adds: a client may call the file of a
//! card otherwise than the card calls itself.

use std::{cell::OnceCell, collections::HashMap, sync::Arc};

use postfax_cards::{
    Book as Cards, Card, CardList, Kept, Line,
    vcard::{self, Version},
};
use postfax_domain::book::{Content, Entry, EntryId, MAX_UID_BYTES, Reach};

use super::{look::Look, place::Shelf};
use crate::requests::book::contact;

/// The line, among those that are kept, that says what the card calls itself where that is
/// not the name of its file. An entry is named by its file: what has gone is told by name
/// (RFC 6578 3.5), when nothing but the name is left.
const OWN_UID: &str = "X-POSTFAX-UID";

/// A card that somebody brought.
#[derive(Debug)]
pub(super) struct Brought {
    /// What it calls itself; as its file is called, where it says nothing.
    pub(super) uid: String,
    pub(super) content: Content,
}

/// What an entry's card calls itself.
pub(super) fn uid_of(entry: &Entry) -> String {
    let mut lines = entry.content.kept.lines();
    let own = lines.find_map(|line| line.strip_prefix(OWN_UID)?.strip_prefix(':'));
    own.map_or_else(|| entry.uid.clone(), unescaped)
}

/// The card of an entry as text.
pub(super) fn text(look: &Look, entry: &Entry, version: Version) -> String {
    let uid = Some(uid_of(entry));
    match &entry.content.reach {
        Reach::Fax(_) => {
            let mut card = contact::write(entry, look.setup());
            (card.uid, card.kept) = (uid, plain(card.kept));
            let mut out = String::new();
            vcard::write_card(&card, version, vcard::Options::default(), &mut out);
            out
        }
        Reach::List(_) => {
            let (members, _) = look.book.members(look.setup(), &look.who, entry);
            let members: Vec<String> = members.into_iter().map(|entry| uid_of(entry)).collect();
            let mut list =
                contact::write_list(entry, members.iter().map(String::as_str), look.setup());
            (list.uid, list.kept) = (uid, plain(list.kept));
            let book = Cards { cards: Vec::new(), lists: vec![list] };
            vcard::write(&book, version, vcard::Options::default())
        }
    }
}

fn plain(kept: Kept) -> Kept {
    match kept {
        Kept::VCard(version, mut lines) => {
            lines.retain(|line| line.head() != OWN_UID);
            Kept::VCard(version, lines)
        }
        other => other,
    }
}

/// All lines of a card as it is written, for those who filter them.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let mut book = vcard::read(text.as_bytes(), vcard::Options::default()).book;
    let kept = match (book.cards.pop(), book.lists.pop()) {
        (Some(card), _) => card.kept,
        (None, Some(list)) => list.kept,
        (None, None) => Kept::Nothing,
    };
    match kept {
        Kept::VCard(_, lines) => lines,
        _ => Vec::new(),
    }
}

/// Reads a card for the file `name`, in the place of the entry `before`.
///
/// # Errors
/// What is wrong with it and what would be right, in words.
pub(super) fn read(
    look: &Look,
    bytes: &[u8],
    name: &str,
    before: Option<&Arc<Entry>>,
) -> Result<Brought, String> {
    let mut reading = vcard::read(bytes, vcard::Options::default());
    if let Some(finding) = reading.findings.iter().find(|found| found.problem.leaves_out()) {
        return Err(finding.to_string());
    }
    let (card, list) = (reading.book.cards.pop(), reading.book.lists.pop());
    let is_one = reading.book.cards.is_empty() && reading.book.lists.is_empty();
    let contact = match (card, list) {
        (Some(card), None) if is_one => of_card(look, &card, before)?,
        (None, Some(list)) if is_one => of_list(look, &list, before)?,
        _ => return Err("there is to be one card, from BEGIN:VCARD to END:VCARD".into()),
    };
    let mut content = contact.content;
    let kept: Vec<&str> = content.kept.lines().filter(|line| !line.starts_with(OWN_UID)).collect();
    content.kept = kept.join("\n");
    let uid = contact.uid.unwrap_or_else(|| name.to_owned());
    if uid.len() > MAX_UID_BYTES || uid.chars().any(char::is_control) {
        return Err(format!("the UID is too long: at most {MAX_UID_BYTES} bytes on one line"));
    }
    if uid != name {
        if !content.kept.is_empty() {
            content.kept.push('\n');
        }
        content.kept.push_str(&format!("{OWN_UID}:{}", escaped(&uid)));
    }
    Ok(Brought { uid, content })
}

fn of_card(
    look: &Look,
    card: &Card,
    before: Option<&Arc<Entry>>,
) -> Result<contact::Contact, String> {
    let mut contact = contact::read(card, look.setup()).map_err(|bad| match bad {
        contact::BadCard::NoFax => "this contact has no fax number: this address book holds those \
             alone that can be faxed. Give it a number of the kind fax, such as \"work fax\", or \
             keep it in another address book"
            .to_owned(),
        bad => bad.to_string(),
    })?;
    // No address book knows the lines of these options, and many drop what they do not know.
    if let (Reach::Fax(now), Some(Reach::Fax(old))) =
        (&mut contact.content.reach, before.map(|entry| &entry.content.reach))
    {
        now.options.cover = now.options.cover.or(old.options.cover);
        now.options.resolution = now.options.resolution.or(old.options.resolution);
    }
    Ok(contact)
}

/// Members that are not in the book are left out; those that the client does not see any
/// more stay, as it cannot have taken them out.
fn of_list(
    look: &Look,
    list: &CardList,
    before: Option<&Arc<Entry>>,
) -> Result<contact::Contact, String> {
    // Gone through once for all members: a list may name thousands that are not there.
    let renamed = OnceCell::new();
    let find = |uid: &str| find(look, uid, renamed.get_or_init(|| all_renamed(look)));
    let (mut contact, _) =
        contact::read_list(list, look.setup(), find).map_err(|bad| bad.to_string())?;
    let old = before.map(|entry| &entry.content.reach);
    if let (Reach::List(now), Some(Reach::List(old))) = (&mut contact.content.reach, old) {
        let hidden = old.iter().filter(|id| {
            look.book.get(look.setup(), &look.who, **id).is_none() && !now.contains(id)
        });
        let hidden: Vec<EntryId> = hidden.copied().collect();
        now.extend(hidden);
    }
    Ok(contact)
}

/// The entry whose card calls itself so, the nearest one.
fn find(look: &Look, uid: &str, renamed: &HashMap<String, EntryId>) -> Option<EntryId> {
    let by_name = look.book.by_uid(look.setup(), &look.who, uid).map(|seen| seen.entry);
    let by_name = by_name.filter(|entry| uid_of(entry) == uid).map(|entry| entry.id);
    by_name.or_else(|| renamed.get(uid).copied())
}

/// The client's own entries whose files are called otherwise than their cards, by what
/// the cards call themselves.
fn all_renamed(look: &Look) -> HashMap<String, EntryId> {
    let mut all = HashMap::new();
    let own = look.entries(Shelf::Own);
    for entry in own.into_iter().filter(|entry| entry.content.kept.contains(OWN_UID)) {
        all.entry(uid_of(entry)).or_insert(entry.id);
    }
    all
}

/// The entry of a collection whose file is called otherwise than its card.
pub(super) fn renamed<'a>(look: &'a Look, shelf: Shelf, uid: &str) -> Option<&'a Arc<Entry>> {
    let is_it = |entry: &&Arc<Entry>| entry.content.kept.contains(OWN_UID) && uid_of(entry) == uid;
    look.entries(shelf).into_iter().find(is_it)
}

/// RFC 6350 3.4.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(',', "\\,").replace(';', "\\;")
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(c) = letters.next() {
        out.push(if c == '\\' { letters.next().unwrap_or(c) } else { c });
    }
    out
}
