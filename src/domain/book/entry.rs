//! The values of the phone book and what makes one of them good. Knows nobody who asks.
//!
//! A list is an entry whose reach is other entries: both are named, owned, labelled,
//! found and versioned alike, and a client that may not see one may not see the other.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::{column, fold};
use crate::{
    authority::Who,
    dial::Party,
    document::Resolution,
    names::ClientName,
    number::{MAX_DIGITS, Number},
    time::Timestamp,
};

/// Most entries of a book.
pub const MAX_ENTRIES: usize = 200_000;
/// Most entries that one client may own.
pub const MAX_OWNED: usize = 10_000;
/// Longest name or company, in bytes.
pub const MAX_NAME_BYTES: usize = 200;
/// Longest alias, in bytes: what the local part of an address may hold (RFC 5321 4.5.3.1.1).
pub const MAX_ALIAS_BYTES: usize = 64;
/// Longest unique identifier, in bytes.
pub const MAX_UID_BYTES: usize = 200;
/// Longest note, in bytes.
pub const MAX_NOTE_BYTES: usize = 2000;
/// The most that is kept of a vCard besides what an entry says.
pub const MAX_KEPT_BYTES: usize = 8 << 10;
/// Longest tag, in bytes.
pub const MAX_TAG_BYTES: usize = 64;
/// Most tags of an entry.
pub const MAX_TAGS: usize = 20;
/// Most digits of a sub-address: what fits the T.30 SUB frame.
pub const MAX_SUBADDRESS_DIGITS: usize = 20;
/// Most members of a list.
pub const MAX_MEMBERS: usize = 1000;
/// Most clients and groups that a label names.
pub const MAX_PARTIES: usize = 100;

/// The number of an entry, never used again. It counts what everybody has written, so it
/// is for the store: clients are shown the unique identifier.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct EntryId(pub u64);

/// Above it are no numbers of entries: what stands there means entries that are yet to be.
const YET_TO_BE: u64 = u64::MAX / 2;

impl EntryId {
    /// Among the members of a list in [`Book::write_all`](super::Book::write_all): the entry
    /// that the order at this place adds, counted from 0. It has no number before.
    #[must_use]
    pub fn added_by(order: usize) -> Self {
        Self(u64::MAX - order as u64)
    }

    /// The place of the order that adds it; none where it is in the book.
    #[must_use]
    pub fn order(self) -> Option<usize> {
        let is_meant = self.0 > YET_TO_BE;
        is_meant.then(|| usize::try_from(u64::MAX - self.0).unwrap_or(usize::MAX))
    }
}

/// When something was changed, in the order of the changes: the milliseconds of the
/// clock, or one more than the last. A plain count would tell how much others have
/// changed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Stamp(pub u64);

/// Whose entry it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// A client.
    Client(ClientName),
    /// Nobody's: it is kept by those who may write the public book.
    Supervisor,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(name) => name.fmt(f),
            Self::Supervisor => f.write_str("the supervisor"),
        }
    }
}

/// Who may refer to an entry, besides its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Label {
    /// Every client.
    Everyone,
    /// These clients, and those who are in these groups when they ask. None: it is private.
    Named(BTreeSet<Party>),
}

impl Label {
    /// Nobody but the owner.
    #[must_use]
    pub fn private() -> Self {
        Self::Named(BTreeSet::new())
    }
}

/// What the owner writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Of a person, a place or a list.
    pub name: String,
    /// Empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub company: String,
    /// What stands before the `@` of the fax domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Where its faxes go.
    pub reach: Reach,
    /// The lines of its vCard that nothing above says, a line each (RFC 6350 3.3); they are
    /// kept for the address book that it came from, and neither searched nor shown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kept: String,
}

/// Where the faxes of an entry go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// To a fax machine.
    Fax(Line),
    /// To what these entries reach, in this order.
    List(Vec<EntryId>),
}

/// A fax machine in the book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The number.
    pub number: Number,
    /// The T.33 sub-address: 1 to 20 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subaddress: Option<String>,
    /// How faxes go there when the sender says nothing else.
    #[serde(default)]
    pub options: Options,
}

/// How faxes are sent when the sender says nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Whether a cover goes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<bool>,
    /// Lines an inch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
}

/// A phone-book record: a fax machine or a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number in the store.
    pub id: EntryId,
    /// Names it outside (RFC 6350 6.7.6), once for each owner.
    pub uid: String,
    /// Counted from 1 with every change.
    pub version: u64,
    /// Its last change.
    pub stamp: Stamp,
    /// Whose it is.
    pub owner: Owner,
    /// Who else may refer to it.
    pub label: Label,
    /// What it says.
    pub content: Content,
}

impl Entry {
    /// Another one whenever something of it is (RFC 9110 8.8.3), also when it was deleted
    /// and another entry came in its place.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("{:x}", self.stamp.0)
    }
}

/// What one change was: a line of the history of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// Of which entry.
    pub id: EntryId,
    /// The version that it made; of a deletion, the one that would have followed.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub by: Who,
    /// What was done.
    pub what: What,
}

/// How many lines of history an entry keeps.
pub const MAX_HISTORY: u64 = 50;

impl Noted {
    /// The lines of the entry up to this version are forgotten when this one is saved.
    #[must_use]
    pub fn forgets(&self) -> u64 {
        self.version.saturating_sub(MAX_HISTORY)
    }
}

/// What was done to an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It is new.
    Added,
    /// It says something else: in these fields.
    Changed(Vec<Field>),
    /// Others may refer to it than before: these.
    Shared(Label),
    /// It is gone.
    Deleted,
}

/// A field of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// Its name.
    Name,
    /// Its company.
    Company,
    /// Its alias.
    Alias,
    /// Its note.
    Note,
    /// Its tags.
    Tags,
    /// Its number, or the members of a list.
    Reach,
    /// What else its vCard says.
    Kept,
}

impl Content {
    /// The fields that say something else there.
    #[must_use]
    pub fn differs(&self, other: &Self) -> Vec<Field> {
        let fields = [
            (Field::Name, self.name != other.name),
            (Field::Company, self.company != other.company),
            (Field::Alias, self.alias != other.alias),
            (Field::Note, self.note != other.note),
            (Field::Tags, self.tags != other.tags),
            (Field::Reach, self.reach != other.reach),
            (Field::Kept, self.kept != other.kept),
        ];
        fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect()
    }

    /// The alias as it is compared: two that are equal here are the same to a sender.
    #[must_use]
    pub fn alias_key(&self) -> Option<String> {
        self.alias.as_deref().map(fold::same)
    }

    /// The alias, where it can stand before the `@` without quotes (RFC 5321 4.1.2).
    #[must_use]
    pub fn alias_of_address(&self) -> Option<&str> {
        let is_plain = |alias: &&str| {
            alias.is_ascii()
                && !alias.starts_with('.')
                && !alias.ends_with('.')
                && !alias.contains("..")
        };
        self.alias.as_deref().filter(is_plain)
    }

    /// The address that faxes to it: the alias where mail can carry it, else the number. Of a
    /// list without such an alias there is none.
    #[must_use]
    pub fn address(&self, domain: &str) -> Option<String> {
        match (self.alias_of_address(), &self.reach) {
            (Some(alias), _) => Some(format!("{alias}@{domain}")),
            (None, Reach::Fax(line)) => Some(line.address(domain)),
            (None, Reach::List(_)) => None,
        }
    }

    /// What is searched: the row of a shelf.
    pub(super) fn searched(&self) -> String {
        let alias = fold::searched(self.alias.as_deref().unwrap_or_default());
        let (alias, other_alias) = match self.alias_of_address() {
            Some(_) => (alias, String::new()),
            None => (String::new(), alias),
        };
        let mut other = Vec::new();
        if let Reach::Fax(line) = &self.reach {
            other.push(line.number.as_str()[1..].to_owned());
            other.push(line.number.national_digits().unwrap_or_default());
            // It is part of the address, and so of what people search for.
            other.push(line.subaddress.clone().unwrap_or_default());
        }
        other.extend(self.tags.iter().map(|tag| fold::searched(tag)));
        other.push(other_alias);
        column::row(&fold::searched(&self.name), &alias, &fold::searched(&self.company), &other)
    }
}

impl Line {
    /// The number as an address of the fax domain (RFC 3191 2, RFC 3192 4.1).
    #[must_use]
    pub fn address(&self, domain: &str) -> String {
        match &self.subaddress {
            Some(subaddress) => format!("{}/T33S={subaddress}@{domain}", self.number),
            None => format!("{}@{domain}", self.number),
        }
    }
}

impl Reach {
    /// The entries that it names.
    pub(super) fn members(&self) -> &[EntryId] {
        match self {
            Self::Fax(_) => &[],
            Self::List(members) => members,
        }
    }
}

/// Digits of what somebody searches, if it is a number as people write them.
pub(super) fn as_digits(text: &str) -> Option<String> {
    let is_part = |c: char| c.is_ascii_digit() || " +-./()".contains(c);
    if !text.chars().all(is_part) {
        return None;
    }
    // +44 (0)20: the zero is for those who dial inside the country.
    let text = text.replace("(0)", "");
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = match digits.strip_prefix("00") {
        Some(abroad) if !abroad.is_empty() => abroad.to_owned(),
        _ => digits,
    };
    (1..=MAX_DIGITS + 5).contains(&digits.len()).then_some(digits)
}
