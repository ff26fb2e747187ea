//! What a contact is here, whatever format it came in: plain text fields, and beside
//! them the lines that it was made of. Nothing here checks a number or looks one up.

use std::sync::Arc;

use crate::line::Line;

/// One contact. An empty text means that it says nothing there. Lines inside a text
/// end with `\n` alone; the writers turn `\r\n` and `\r` into it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Card {
    /// What stays the same when everything else changes (RFC 6350 6.7.6), without
    /// `urn:uuid:` before it. A record of LDIF that has none has its DN here.
    pub uid: Option<String>,
    /// What the contact is called (`FN`, `Display Name`, `cn`). A reader makes it of the
    /// other fields where it is missing; it is empty for nobody who was read.
    pub name: String,
    /// The family name.
    pub family: String,
    /// The given name.
    pub given: String,
    /// The company, without its departments.
    pub company: String,
    /// Where it can be faxed, in the order of the file.
    pub faxes: Vec<Fax>,
    /// The short name (`NICKNAME`, `mozillaNickname`). The first one, where there are more.
    pub alias: String,
    /// Free text.
    pub note: String,
    /// Labels (`CATEGORIES`).
    pub tags: Vec<String>,
    /// Mail addresses as written, in the order of the file.
    pub emails: Vec<String>,
    /// When it changed last, as written (`REV`): mostly `20260131T120000Z`.
    pub rev: Option<String>,
    /// The text it was read from. It is put back when the card is written in the same
    /// format, with only those lines changed whose fields were.
    pub kept: Kept,
}

/// A number that can be faxed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Fax {
    /// The number as somebody wrote it: `+39 040 1234`, `040/1234`. Has a digit when it
    /// was read, and no space at its ends.
    pub number: String,
    /// T.33 sub-address (RFC 3191 `T33S`); empty for none.
    pub sub_address: String,
    /// Whose machine it is.
    pub place: FaxPlace,
}

/// Where a fax machine stands, as far as address books tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum FaxPlace {
    /// Nothing is said.
    #[default]
    Unsaid,
    /// `TYPE=WORK`, `Business Fax`.
    Work,
    /// `TYPE=HOME`, `Home Fax`.
    Home,
}

/// A list of contacts: `KIND:group` (RFC 6350 6.1.4), `groupOfNames` (RFC 4519 3.5), or
/// the column `Lists` of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CardList {
    /// As in [`Card::uid`].
    pub uid: Option<String>,
    /// What the list is called.
    pub name: String,
    /// [`Card::reference`] of each member, or of a list in the list; what the file has
    /// no card for stands as written (a DN, `mailto:…`).
    pub members: Vec<String>,
    /// As in [`Card::kept`].
    pub kept: Kept,
}

/// The text that a card was read from, by its format. A format keeps what it wrote
/// itself; [`crate::losses`] tells what is left behind on the way to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Kept {
    /// The card was made here.
    #[default]
    Nothing,
    /// All lines but `BEGIN`, `VERSION` and `END`, unfolded, in their order. What was
    /// written by vCard 2.1 is in the spelling of 3.0.
    VCard(crate::vcard::Version, Vec<Line>),
    /// All lines of the record, unfolded, the first of them `dn:`.
    Ldif(Vec<Line>),
    /// Cells of columns that have no field, with their headings and in the order of those;
    /// none is empty. A second column of one meaning has ` (again)` behind its heading.
    Csv(Vec<(Arc<str>, String)>),
}

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    /// The contacts in the order of the file.
    pub cards: Vec<Card>,
    /// The lists in the order of the file.
    pub lists: Vec<CardList>,
}

impl Card {
    /// What lists call this card: its uid, or its name where it has none.
    pub fn reference(&self) -> &str {
        self.uid.as_deref().unwrap_or(&self.name)
    }

    /// The card as if it had been made here: without the text it was read from.
    pub fn bare(&self) -> Self {
        Self { kept: Kept::Nothing, ..self.clone() }
    }

    /// Gives a card without a name the best that its other fields offer.
    pub(crate) fn name_it(&mut self) {
        if !self.name.trim().is_empty() {
            return;
        }
        let whole = format!("{} {}", self.given.trim(), self.family.trim());
        let fax = self.faxes.first().map(|fax| fax.number.as_str());
        let others = [&whole, &self.company, &self.alias].map(|text| text.trim());
        let mail = self.emails.first().map(|mail| mail.trim());
        let best = others.into_iter().chain(mail).chain(fax).find(|text| !text.is_empty());
        self.name = best.unwrap_or_default().to_owned();
    }
}

/// Whether a text can be a number at all: it has a digit. More cannot be said of a
/// number that is "as written".
pub(crate) fn has_digit(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_digit())
}

/// A text with `\n` for every kind of line end.
pub(crate) fn plain_line_ends(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}
