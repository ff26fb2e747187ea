//! Cards as entries and entries as cards, for every door that has to do with contacts as
//! text. It looks nothing up and writes nothing; who may see an entry is decided before.
//!
//! | an entry has | a card has |
//! |---|---|
//! | name, company, note, tags | `FN`, `ORG`, `NOTE`, `CATEGORIES` |
//! | alias | the first `NICKNAME`, where it reads as an alias |
//! | number, sub-address | the fax at work, else the first fax |
//! | options | `X-POSTFAX-COVER`, `X-POSTFAX-RESOLUTION`; columns `Cover`, `Resolution` |
//! | the address that faxes | the first `EMAIL`; never read back as one of the contact |
//! | `kept` | all other lines, in the spelling of vCard 3.0 |
//!
//! What is kept says nothing that a field says, so that an entry is the same whether it
//! was read once or many times. The line of the fax that is the number of the entry stays
//! among them when its preference, place or label would be lost, with `0` in
//! the place of the number.

mod lines;

use std::collections::HashSet;

use postfax_cards::{
    Book as Cards, Card, CardList, Fax, FaxPlace, Kept, Line as CardLine,
    vcard::{self, Version},
};
use postfax_domain::{
    book::{
        BadEntry, Content, Entry, EntryId, Label, Line, MAX_KEPT_BYTES, Options, Owner, Reach,
        Stamp,
    },
    number::{BadNumber, Number},
    setup::Setup,
};
use postfax_gateway::address::{self, Phone, Recipient};

pub(super) use lines::{COLUMNS, cover_word};
use lines::{
    COVER, NO_NUMBER, OF_LISTS, RESOLUTION, USUAL_FAX, card_of, is_one_of, kept, lines_of, options,
};

/// A card as it would stand in the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contact {
    /// Names it outside, where the card says so.
    pub(crate) uid: Option<String>,
    /// What it says; it can be saved.
    pub(crate) content: Content,
    /// What is left out or read otherwise than it stands there.
    pub(crate) notes: Vec<Note>,
}

/// Something of a card that is not in the entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Note {
    /// A short name that is no alias: the address book keeps it.
    #[error("the nickname \"{0}\" cannot be an alias and is only kept")]
    NoAlias(String),
    /// The card was too large with them.
    #[error("pictures, sounds and keys are left out")]
    Pictures,
    /// An option that is none.
    #[error("\"{value}\" is no {what}: {right}")]
    BadOption {
        /// Of what.
        what: &'static str,
        /// What stood there.
        value: String,
        /// What would be one.
        right: &'static str,
    },
}

/// Why a card cannot be an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadCard {
    /// Nothing to call.
    #[error("there is no fax number")]
    NoFax,
    /// The number cannot be called.
    #[error("the fax number \"{number}\" cannot be used: {why}")]
    Number {
        /// As it stands there.
        number: String,
        /// What is wrong with it.
        why: BadNumber,
    },
    /// Something that an entry cannot hold.
    #[error(transparent)]
    Entry(#[from] BadEntry),
    /// Too much besides the fields.
    #[error(
        "the card has {0} bytes besides what an entry says, at most {MAX_KEPT_BYTES} are kept: \
         shorten or leave out some of its lines"
    )]
    TooLarge(usize),
    /// Its lines cannot be read as lines of a vCard.
    #[error("the card cannot be read as a vCard 3.0")]
    Unreadable,
}

/// What a card says as an entry.
///
/// # Errors
/// [`BadCard`] names what is wrong; [`BadCard::NoFax`] where it has no number at all.
pub(crate) fn read(card: &Card, setup: &Setup) -> Result<Contact, BadCard> {
    let mut rest = card.clone();
    let addresses = take_our_addresses(&mut rest.emails, setup);
    rest.faxes.retain(|fax| fax.number != NO_NUMBER);
    if rest.faxes.is_empty() {
        rest.faxes.extend(addresses.first().map(|phone| Fax {
            number: phone.text.clone(),
            sub_address: phone.subaddress.clone().unwrap_or_default(),
            place: FaxPlace::Work,
        }));
    }
    let at_work = rest.faxes.iter().position(|fax| fax.place == FaxPlace::Work);
    let fax = rest.faxes.get_mut(at_work.unwrap_or(0)).ok_or(BadCard::NoFax)?;
    // Where a table or a record says no place, nothing is lost without its line.
    if fax.place == FaxPlace::Unsaid && !matches!(rest.kept, Kept::VCard(..)) {
        fax.place = FaxPlace::Work;
    }
    let number = number(&fax.number, setup)?;
    let sub_address = std::mem::take(&mut fax.sub_address);
    // A phone drops a parameter that it does not know, and keeps the address.
    let of_address = || {
        let same =
            |phone: &&Phone| Number::parse(&phone.text, setup.country).as_ref() == Ok(&number);
        addresses.iter().filter(same).find_map(|phone| phone.subaddress.clone())
    };
    let subaddress = Some(sub_address).filter(|sub| !sub.is_empty()).or_else(of_address);
    NO_NUMBER.clone_into(&mut fax.number);
    let line = Line { number, subaddress, options: Options::default() };
    finish(card.uid.clone(), rest, Reach::Fax(line), setup)
}

/// What a list of cards says as an entry, and those of its members that `find` does not
/// know. It may have none.
///
/// # Errors
/// [`BadCard`] names what is wrong.
pub(crate) fn read_list(
    list: &CardList,
    setup: &Setup,
    find: impl Fn(&str) -> Option<EntryId>,
) -> Result<(Contact, Vec<String>), BadCard> {
    let (mut members, mut unknown) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for member in &list.members {
        match find(member) {
            // A file may say it twice.
            Some(id) if !seen.insert(id) => {}
            Some(id) => members.push(id),
            None => unknown.push(member.clone()),
        }
    }
    let alone = Cards { cards: Vec::new(), lists: vec![list.clone()] };
    let text = vcard::write(&alone, Version::V3, vcard::Options::default());
    let mut read = vcard::read(text.as_bytes(), vcard::Options::default()).book;
    let written = read.lists.pop().ok_or(BadCard::Unreadable)?;
    let is_of_list = |line: &&CardLine| !is_one_of(line, &OF_LISTS);
    let lines: Vec<&str> =
        lines_of(&written.kept).iter().filter(is_of_list).map(CardLine::text).collect();
    let mut card = card_of(&lines).ok_or(BadCard::Unreadable)?;
    card.name.clone_from(&list.name);
    let contact = finish(list.uid.clone(), card, Reach::List(members), setup)?;
    Ok((contact, unknown))
}

/// The entry as a card.
pub(crate) fn write(entry: &Entry, setup: &Setup) -> Card {
    let content = &entry.content;
    // Each where it stands when it is read again, or kept lines would change their order.
    let mut lines: Vec<&str> = vec!["FN:-"];
    let is_marked = |line: &str| line.ends_with(":0") && line.to_ascii_uppercase().contains("TEL");
    if matches!(content.reach, Reach::Fax(_)) && !content.kept.lines().any(is_marked) {
        lines.push(USUAL_FAX);
    }
    lines.extend(content.kept.lines());
    let options = match &content.reach {
        Reach::Fax(line) => line.options.clone(),
        Reach::List(_) => Options::default(),
    };
    let cover = options.cover.map(|cover| format!("{COVER}:{}", cover_word(cover)));
    let resolution = options.resolution.map(|lines| format!("{RESOLUTION}:{}", lines.as_str()));
    lines.extend(cover.as_deref());
    lines.extend(resolution.as_deref());
    let mut card = card_of(&lines).unwrap_or_default();
    let is_marked = |fax: &&mut Fax| fax.number == NO_NUMBER;
    match (&content.reach, card.faxes.iter_mut().find(is_marked)) {
        (Reach::Fax(line), Some(marked)) => *marked = fax_of(line, marked.place),
        (Reach::Fax(line), None) => card.faxes.insert(0, fax_of(line, FaxPlace::Work)),
        (Reach::List(_), _) => card.faxes.retain(|fax| fax.number != NO_NUMBER),
    }
    card.uid = Some(entry.uid.clone());
    card.name.clone_from(&content.name);
    card.company.clone_from(&content.company);
    if let Some(alias) = &content.alias {
        card.alias.clone_from(alias);
    }
    card.note.clone_from(&content.note);
    card.tags = content.tags.iter().cloned().collect();
    card.rev = Some(rev(entry.stamp));
    card.emails.splice(0..0, addresses(content, setup));
    card
}

/// The entry of a list as a list of cards with these members, each by its unique identifier.
pub(crate) fn write_list<'a>(
    entry: &Entry,
    members: impl Iterator<Item = &'a str>,
    setup: &Setup,
) -> CardList {
    let mut text = String::new();
    let card = write(entry, setup);
    vcard::write_card(&card, Version::V3, vcard::Options::default(), &mut text);
    let text = text.replacen("END:VCARD", "X-ADDRESSBOOKSERVER-KIND:group\r\nEND:VCARD", 1);
    let read = vcard::read(text.as_bytes(), vcard::Options::default());
    let mut list = read.book.lists.into_iter().next().unwrap_or_default();
    list.uid = Some(entry.uid.clone());
    list.name.clone_from(&entry.content.name);
    list.members = members.map(str::to_owned).collect();
    list
}

/// What an entry says as it is when its card was written and read again: what is kept
/// says nothing that a field says by now.
pub(crate) fn settled(content: Content, setup: &Setup) -> Content {
    if content.kept.is_empty() {
        return content;
    }
    let reach = content.reach.clone();
    let owner = Owner::Supervisor;
    let (id, stamp, label) = (EntryId(0), Stamp(0), Label::private());
    let entry = Entry { id, uid: "-".into(), version: 1, stamp, owner, label, content };
    let card = write(&entry, setup);
    let read = match &reach {
        Reach::Fax(_) => read(&card, setup),
        Reach::List(_) => finish(None, card, reach, setup),
    };
    read.map_or(entry.content, |contact| contact.content)
}

/// A sub-address that a phone may drop from the number is in an address as well.
fn addresses(content: &Content, setup: &Setup) -> Vec<String> {
    let mut all: Vec<String> = content.address(&setup.domain).into_iter().collect();
    if let Reach::Fax(line @ Line { subaddress: Some(_), .. }) = &content.reach {
        all.push(line.address(&setup.domain));
    }
    all.dedup();
    all
}

/// Takes the addresses that fax here out of those of a contact, and returns those that
/// are numbers.
fn take_our_addresses(emails: &mut Vec<String>, setup: &Setup) -> Vec<Phone> {
    let mut phones = Vec::new();
    emails.retain(|email| {
        let Some((local, domain)) = email.trim().rsplit_once('@') else { return true };
        match address::parse(local, domain, &setup.domain) {
            Ok(Recipient::Phone(phone)) => phones.push(phone),
            Ok(Recipient::Alias(_)) => {}
            Ok(Recipient::Postmaster | Recipient::Service(_)) | Err(_) => return true,
        }
        false
    });
    phones
}

/// A number as address books have it: with odd spaces and dashes, and the zero in
/// parentheses that is for those who dial inside the country.
pub(crate) fn number(text: &str, setup: &Setup) -> Result<Number, BadCard> {
    let plain = |c: char| match c {
        '\u{a0}' | '\u{2007}' | '\u{2009}' | '\u{202f}' | '\u{2010}'..='\u{2014}' => ' ',
        other => other,
    };
    let plain: String = text.trim().chars().map(plain).collect();
    let dialled = if plain.starts_with('+') { plain.replace("(0)", "") } else { plain };
    let bad = |why| BadCard::Number { number: text.to_owned(), why };
    Number::parse(&dialled, setup.country).map_err(bad)
}

/// Reads the fields, and keeps what they do not say.
fn finish(
    uid: Option<String>,
    mut rest: Card,
    reach: Reach,
    setup: &Setup,
) -> Result<Contact, BadCard> {
    take_our_addresses(&mut rest.emails, setup);
    let mut notes = Vec::new();
    let mut content = Content {
        name: on_a_line(&rest.name),
        company: on_a_line(&std::mem::take(&mut rest.company)),
        alias: None,
        note: note(&std::mem::take(&mut rest.note)),
        tags: std::mem::take(&mut rest.tags).iter().map(|tag| on_a_line(tag)).collect(),
        reach,
        kept: String::new(),
    };
    content.tags.remove("");
    let alias = rest.alias.trim();
    if is_alias(alias) {
        content.alias = Some(alias.to_owned());
        rest.alias.clear();
    } else if !alias.is_empty() {
        notes.push(Note::NoAlias(alias.to_owned()));
    }
    "-".clone_into(&mut rest.name);
    (rest.uid, rest.rev) = (None, None);
    let mut text = String::new();
    vcard::write_card(&rest, Version::V3, vcard::Options::default(), &mut text);
    let read = vcard::read(text.as_bytes(), vcard::Options::default()).book.cards.pop();
    let lines = read.ok_or(BadCard::Unreadable)?.kept;
    if let Reach::Fax(line) = &mut content.reach {
        line.options = options(lines_of(&lines), &rest.kept, &mut notes);
    }
    content.kept = kept(lines_of(&lines), &content.reach, &mut notes)?;
    content.check()?;
    Ok(Contact { uid: uid.filter(|uid| !uid.is_empty()), content, notes })
}

fn fax_of(line: &Line, place: FaxPlace) -> Fax {
    let sub_address = line.subaddress.clone().unwrap_or_default();
    Fax { number: line.number.to_string(), sub_address, place }
}

/// Whether a short name can be an alias: the book itself says so.
fn is_alias(text: &str) -> bool {
    let probe = Content {
        name: "-".into(),
        company: String::new(),
        alias: Some(text.to_owned()),
        note: String::new(),
        tags: Default::default(),
        reach: Reach::List(Vec::new()),
        kept: String::new(),
    };
    probe.check().is_ok()
}

/// A text without what cannot be shown on a line.
fn on_a_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect::<String>().trim().to_owned()
}

fn note(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let shown: String =
        text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    shown.trim().to_owned()
}

/// When it was changed last (RFC 6350 4.3.5).
fn rev(stamp: Stamp) -> String {
    let at = i64::try_from(stamp.0).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests;
