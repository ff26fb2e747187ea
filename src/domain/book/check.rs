//! What makes an entry of the phone book one that can be saved. Looks at no other entry.

use std::collections::BTreeSet;

use super::{
    entry::{
        Content, Line, MAX_ALIAS_BYTES, MAX_KEPT_BYTES, MAX_MEMBERS, MAX_NAME_BYTES,
        MAX_NOTE_BYTES, MAX_SUBADDRESS_DIGITS, MAX_TAG_BYTES, MAX_TAGS, MAX_UID_BYTES, Reach,
    },
    fold,
};

/// Names that the fax domain needs for itself.
const RESERVED: [&str; 5] = ["settings", "book", "jobs", "help", "postmaster"];

/// What is wrong with an entry that cannot be saved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEntry {
    /// There has to be something.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// There is too much of it.
    #[error("the {field} is too long: at most {max} bytes")]
    TooLong {
        /// Of what.
        field: &'static str,
        /// How much would do.
        max: usize,
    },
    /// Something that cannot be shown on a line.
    #[error("the {0} holds a control character")]
    Control(&'static str),
    /// It could not be told from a number or from another kind of address.
    #[error(
        "\"{0}\" cannot be an alias: use letters, digits, '.', '_' and '-', beginning with a letter or digit, with at least one letter"
    )]
    Alias(String),
    /// The fax domain uses it for itself.
    #[error("\"{0}\" cannot be an alias: this address answers requests")]
    Reserved(String),
    /// T.33 knows digits.
    #[error("a sub-address is 1 to {MAX_SUBADDRESS_DIGITS} digits")]
    Subaddress,
    /// More than there may be.
    #[error("there are too many {what}: at most {max}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many would do.
        max: usize,
    },
    /// The same entry twice in a list.
    #[error("the list names an entry twice")]
    Twice,
}

fn line(field: &'static str, text: &str, max: usize) -> Result<(), BadEntry> {
    match text {
        _ if text.len() > max => Err(BadEntry::TooLong { field, max }),
        _ if text.chars().any(char::is_control) => Err(BadEntry::Control(field)),
        _ => Ok(()),
    }
}

/// Whether `uid` can name an entry.
pub(super) fn check_uid(uid: &str) -> Result<(), BadEntry> {
    if uid.is_empty() {
        return Err(BadEntry::Empty("unique identifier"));
    }
    line("unique identifier", uid, MAX_UID_BYTES)
}

impl Content {
    /// Whether it can be saved.
    ///
    /// # Errors
    /// [`BadEntry`] names the field and what would be right.
    pub fn check(&self) -> Result<(), BadEntry> {
        if self.name.trim().is_empty() {
            return Err(BadEntry::Empty("name"));
        }
        line("name", &self.name, MAX_NAME_BYTES)?;
        line("company", &self.company, MAX_NAME_BYTES)?;
        if let Some(alias) = &self.alias {
            check_alias(alias)?;
        }
        if self.note.len() > MAX_NOTE_BYTES {
            return Err(BadEntry::TooLong { field: "note", max: MAX_NOTE_BYTES });
        }
        if self.note.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            return Err(BadEntry::Control("note"));
        }
        if self.tags.len() > MAX_TAGS {
            return Err(BadEntry::TooMany { what: "tags", max: MAX_TAGS });
        }
        for tag in &self.tags {
            if tag.trim().is_empty() {
                return Err(BadEntry::Empty("tag"));
            }
            line("tag", tag, MAX_TAG_BYTES)?;
        }
        if self.kept.len() > MAX_KEPT_BYTES {
            return Err(BadEntry::TooLong { field: "rest of the card", max: MAX_KEPT_BYTES });
        }
        if self.kept.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            return Err(BadEntry::Control("rest of the card"));
        }
        self.reach.check()
    }
}

impl Reach {
    fn check(&self) -> Result<(), BadEntry> {
        match self {
            Self::Fax(Line { subaddress: Some(digits), .. }) => {
                let is_number = digits.bytes().all(|b| b.is_ascii_digit());
                let fits = (1..=MAX_SUBADDRESS_DIGITS).contains(&digits.len());
                if is_number && fits { Ok(()) } else { Err(BadEntry::Subaddress) }
            }
            Self::Fax(_) => Ok(()),
            Self::List(members) if members.len() > MAX_MEMBERS => {
                Err(BadEntry::TooMany { what: "members", max: MAX_MEMBERS })
            }
            Self::List(members) => {
                let distinct: BTreeSet<_> = members.iter().collect();
                if distinct.len() == members.len() { Ok(()) } else { Err(BadEntry::Twice) }
            }
        }
    }
}

fn check_alias(alias: &str) -> Result<(), BadEntry> {
    if alias.len() > MAX_ALIAS_BYTES {
        return Err(BadEntry::TooLong { field: "alias", max: MAX_ALIAS_BYTES });
    }
    let key = fold::same(alias);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let reads = key.starts_with(char::is_alphanumeric)
        && key.chars().all(is_part)
        && key.chars().any(char::is_alphabetic);
    if !reads {
        return Err(BadEntry::Alias(alias.to_owned()));
    }
    if RESERVED.contains(&key.as_str()) {
        return Err(BadEntry::Reserved(alias.to_owned()));
    }
    Ok(())
}
