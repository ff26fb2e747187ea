//! What is ordered of the phone book, what a change of it is, and why something is not
//! written. It decides nothing.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    check::BadEntry,
    entry::{Content, Entry, EntryId, Label, MAX_ENTRIES, MAX_OWNED, Noted, Owner, Reach, Stamp},
    reader::Audience,
};
use crate::{authority::Missing, dial::Party};

/// What somebody wants to be written. `expected` is the version that they have seen; it
/// is refused when there is another one meanwhile. `None`: whatever the version is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// A new entry.
    Add {
        /// Names it outside; the edge makes one up where the client brings none.
        uid: String,
        /// Whose it is to be.
        owner: Owner,
        /// Who else may refer to it.
        label: Label,
        /// What it says.
        content: Content,
    },
    /// It is to say something else.
    Change {
        /// Which.
        id: EntryId,
        /// The version that is changed.
        expected: Option<u64>,
        /// What it is to say.
        content: Content,
    },
    /// Others are to see it.
    Share {
        /// Which.
        id: EntryId,
        /// The version that is changed.
        expected: Option<u64>,
        /// Who.
        sharing: Sharing,
    },
    /// It is to be deleted.
    Remove {
        /// Which.
        id: EntryId,
        /// The version that is deleted.
        expected: Option<u64>,
    },
}

/// How a label is to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// These too. What is for everyone is for these alone afterwards.
    With(BTreeSet<Party>),
    /// These no more.
    NotWith(BTreeSet<Party>),
    /// Every client.
    Everyone,
    /// Nobody besides the owner.
    Nobody,
}

/// An entry that is gone, or gone for some who could see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// When it went.
    pub stamp: Stamp,
    /// Its number.
    pub id: EntryId,
    /// What it was called outside.
    pub uid: String,
    /// Whose it was.
    pub owner: Owner,
    /// Those who cannot see it any more.
    pub lost: BTreeSet<Audience>,
}

/// One change of the book, to be saved as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Of which entry.
    pub id: EntryId,
    /// When, in the order of the changes.
    pub stamp: Stamp,
    /// The entry as it was; `None`: it is new.
    pub before: Option<Arc<Entry>>,
    /// The entry as it is; `None`: it is deleted.
    pub after: Option<Arc<Entry>>,
    /// What those are told who cannot see it any more.
    pub tombstone: Option<Tombstone>,
    /// Tombstones up to this one are forgotten.
    pub floor: Stamp,
    /// The line of its history.
    pub noted: Noted,
}

/// Why something is not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is none, for this client.
    #[error("there is no such entry in the phone book")]
    NotThere,
    /// It sees the entry and does not own it.
    #[error("the entry belongs to another client: only its owner changes, shares or deletes it")]
    NotYours,
    /// It is public, and they do not write the public book.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// It was changed since it was read.
    #[error("the entry was changed meanwhile: it is version {now}")]
    Version {
        /// What it is now.
        now: u64,
    },
    /// It cannot be an entry.
    #[error(transparent)]
    Bad(#[from] BadEntry),
    /// The owner has one of this unique identifier.
    #[error("there is an entry with this unique identifier already")]
    UidTaken,
    /// The owner has one of this alias.
    #[error("\"{0}\" is the alias of another entry of the same owner")]
    AliasTaken(String),
    /// A member of a list does not exist for this client.
    #[error("a member of the list is not in the phone book")]
    NoSuchMember,
    /// A list would be a member of itself, by way of others perhaps.
    #[error("the list would hold itself")]
    HoldsItself,
    /// A label that leads nowhere.
    #[error("there is no {0} to share the entry with")]
    NoSuchParty(String),
    /// Nobody can be taken out of everyone.
    #[error("the entry is for everyone: share it with those who are to see it instead")]
    ForEveryone,
    /// It is for an owner that is no client.
    #[error("there is no client \"{0}\" to own the entry")]
    NoSuchOwner(String),
    /// The owner has as many as one may have.
    #[error("one client owns {MAX_OWNED} entries at most")]
    TooManyOwned,
    /// The book has as many as it may have.
    #[error("the phone book holds {MAX_ENTRIES} entries at most")]
    Full,
}

impl Order {
    /// The same with other members of its list.
    pub(super) fn with_members(
        &self,
        of: impl Fn(EntryId) -> Option<EntryId>,
    ) -> Result<Cow<'_, Self>, Refused> {
        let (Self::Add { content, .. } | Self::Change { content, .. }) = self else {
            return Ok(Cow::Borrowed(self));
        };
        let members = content.reach.members();
        if members.iter().all(|member| of(*member) == Some(*member)) {
            return Ok(Cow::Borrowed(self));
        }
        let members: Option<Vec<EntryId>> = members.iter().map(|member| of(*member)).collect();
        let members = members.ok_or(Refused::NoSuchMember)?;
        let mut order = self.clone();
        if let Self::Add { content, .. } | Self::Change { content, .. } = &mut order {
            content.reach = Reach::List(members);
        }
        Ok(Cow::Owned(order))
    }
}

impl Sharing {
    /// The label that comes of it.
    pub(super) fn of(&self, label: &Label) -> Result<Label, Refused> {
        let parties = match label {
            Label::Everyone => None,
            Label::Named(parties) => Some(parties),
        };
        Ok(match (self, parties) {
            (Self::Everyone, _) => Label::Everyone,
            (Self::Nobody, _) => Label::private(),
            (Self::With(new), None) => Label::Named(new.clone()),
            (Self::With(new), Some(old)) => Label::Named(old | new),
            (Self::NotWith(_), None) => return Err(Refused::ForEveryone),
            (Self::NotWith(gone), Some(old)) => Label::Named(old - gone),
        })
    }
}
