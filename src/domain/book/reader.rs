//! The eyes of one who asks the phone book: which shelves are theirs, and what they may
//! change. The only place where that is decided; who is in which group is read from the
//! setup each time somebody asks.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use serde::{Deserialize, Serialize};

use super::{
    Book,
    change::Refused,
    entry::{Entry, Label, Owner},
};
use crate::{
    authority::{Target, Verb, Who, check},
    dial::Party,
    names::ClientName,
    setup::Setup,
};

/// Those who see the same shelf.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// Every client.
    Everyone,
    /// Those who write the public book, of its entries that are not for everyone.
    Keepers,
    /// The owner.
    Owner(ClientName),
    /// Whom an owner has named.
    Named(Party),
}

/// How near an entry is to the one who asks: the nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rank {
    /// It is theirs.
    Own,
    /// Its label names them, or a group that they are in.
    Shared,
    /// Its label is everyone, or they keep it.
    Public,
}

/// On which shelves an entry stands.
pub(super) fn audiences(entry: &Entry) -> BTreeSet<Audience> {
    let mut all = match &entry.label {
        Label::Everyone => BTreeSet::from([Audience::Everyone]),
        Label::Named(parties) => parties.iter().cloned().map(Audience::Named).collect(),
    };
    match (&entry.owner, &entry.label) {
        (Owner::Client(name), _) => drop(all.insert(Audience::Owner(name.clone()))),
        (Owner::Supervisor, Label::Named(_)) => drop(all.insert(Audience::Keepers)),
        (Owner::Supervisor, Label::Everyone) => {}
    }
    all
}

/// One who asks.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    setup: &'a Setup,
    who: &'a Who,
    shelves: BTreeMap<Audience, Rank>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(book: &Book, setup: &'a Setup, who: &'a Who) -> Self {
        let mut reader = Self { setup, who, shelves: BTreeMap::new() };
        reader.shelves = match who {
            Who::Stranger => BTreeMap::new(),
            Who::Administrator => {
                let is_of_one = |audience: &&Audience| !matches!(audience, Audience::Named(_));
                let all = book.shelves.keys().filter(is_of_one);
                all.map(|audience| (audience.clone(), Rank::Public)).collect()
            }
            Who::Client(name) => reader.shelves_of(name),
        };
        reader
    }

    /// A client that is no more in the setup has no shelves, not even its own.
    fn shelves_of(&self, name: &ClientName) -> BTreeMap<Audience, Rank> {
        let Some(client) = self.setup.clients.get(name) else { return BTreeMap::new() };
        let named = |party| (Audience::Named(party), Rank::Shared);
        let groups = client.groups.iter().cloned().map(Party::Group).map(named);
        let mut shelves: BTreeMap<_, _> = groups.collect();
        shelves.extend([
            (Audience::Owner(name.clone()), Rank::Own),
            named(Party::Client(name.clone())),
            (Audience::Everyone, Rank::Public),
        ]);
        if self.is_keeper() {
            shelves.insert(Audience::Keepers, Rank::Public);
        }
        shelves
    }

    /// Their shelves of one rank.
    pub(super) fn of(&self, rank: Rank) -> impl Iterator<Item = &Audience> {
        self.shelves.iter().filter(move |(_, of)| **of == rank).map(|(audience, _)| audience)
    }

    /// All their shelves.
    pub(super) fn all(&self) -> impl Iterator<Item = &Audience> {
        self.shelves.keys()
    }

    /// How near an entry is to them; `None`: it does not exist for them.
    pub(super) fn rank(&self, entry: &Entry) -> Option<Rank> {
        audiences(entry).iter().filter_map(|audience| self.shelves.get(audience)).min().copied()
    }

    /// Whether they see any shelf of these.
    pub(super) fn sees_any(&self, audiences: &BTreeSet<Audience>) -> bool {
        // An administrator sees what is named by its owner's shelf.
        audiences.iter().any(|audience| self.shelves.contains_key(audience))
    }

    /// Names the set of their shelves, so that it shows when it is another one.
    pub(super) fn digest(&self) -> u64 {
        if *self.who == Who::Administrator {
            return 0;
        }
        let mut hasher = DefaultHasher::new();
        self.shelves.keys().for_each(|audience| audience.hash(&mut hasher));
        hasher.finish()
    }

    /// Whether they write the public book: the one place where the verb is asked for.
    fn keeps(&self) -> Result<(), Refused> {
        Ok(check(self.setup, self.who, Verb::BookWrite, Target::Supervisor)?)
    }

    fn is_keeper(&self) -> bool {
        self.keeps().is_ok()
    }

    /// Whether they may bring an entry from what it was to what it is to be. They see it.
    ///
    /// What everybody sees is changed by those who write the public book alone, whoever
    /// owns it: an alias for everyone is one that all others send to. Its owner may always
    /// take it back.
    pub(super) fn may_write(
        &self,
        before: Option<&Entry>,
        after: Option<&Entry>,
    ) -> Result<(), Refused> {
        let Some(owner) = before.or(after).map(|entry| &entry.owner) else { return Ok(()) };
        let is_public =
            *owner == Owner::Supervisor || after.is_some_and(|e| e.label == Label::Everyone);
        match (self.who, owner) {
            (Who::Administrator, _) => Ok(()),
            (Who::Client(who), Owner::Client(owner)) if who != owner => Err(Refused::NotYours),
            (Who::Stranger, _) => Err(Refused::NotYours),
            _ if is_public => self.keeps(),
            _ => Ok(()),
        }
    }

    /// The first of the parties that nobody is.
    pub(super) fn unknown<'p>(&self, parties: &'p BTreeSet<Party>) -> Option<&'p Party> {
        parties.iter().find(|party| match party {
            Party::Client(name) => !self.setup.clients.contains_key(name),
            Party::Group(name) => !self.setup.groups.contains_key(name),
        })
    }
}
