//! An alias becomes the numbers that a fax is sent to: what is the sender's own before
//! what is shared with them before what is public.
//!
//! Why a member that the sender may not see is left out of a list and counted: the owner
//! of a list can put into it what others have shared with its owner, and sharing the list
//! does not share their entries. A member that was deleted counts alike, so that the
//! number tells nothing of who has hidden what; and the sender is told that the list did
//! not reach everybody.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Book,
    entry::{Entry, EntryId, Line, MAX_ALIAS_BYTES, Owner, Reach},
    fold,
    reader::{Rank, Reader},
};
use crate::{authority::Who, setup::Setup};

/// Most fax machines that one list may reach, with all lists that it holds.
pub const MAX_REACHED: usize = 1000;
/// Most entries that are looked at to expand a list.
const MAX_LOOKED_AT: usize = 20 * MAX_REACHED;
/// Most members that are followed, each as often as a list names it: thousands of lists
/// that name each other have millions.
const MAX_FOLLOWED: usize = 100 * MAX_REACHED;

/// What an alias stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The entry or list that was meant.
    pub entry: Arc<Entry>,
    /// Where the faxes go: each number with its sub-address once, in the order of the list.
    pub reached: Vec<Reached>,
    /// How many members could not be used: they are gone, or not for this sender to see.
    pub unusable: usize,
}

/// A fax machine that is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The entry that has it.
    pub id: EntryId,
    /// Its name.
    pub name: String,
    /// Its company; empty where there is none.
    pub company: String,
    /// Where it is, and how faxes go there.
    pub line: Line,
}

/// An entry that may have been meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What it is called outside.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// Its company; empty where there is none.
    pub company: String,
    /// Whose it is.
    pub owner: Owner,
    /// Where its faxes go; none of a list.
    pub line: Option<Line>,
}

/// Why an alias stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// There is none, for this sender.
    #[error("the phone book has no \"{0}\"")]
    Unknown(String),
    /// Several stand equally near.
    #[error("\"{word}\" is {} entries of the phone book: {}", among.len(), named(among))]
    Ambiguous {
        /// What was asked.
        word: String,
        /// Those that it can be, all of which the sender may see.
        among: Vec<Candidate>,
    },
    /// A list without a member that can be used.
    #[error("the list \"{word}\" reaches nobody: {unusable} of its members cannot be used")]
    Nobody {
        /// What was asked.
        word: String,
        /// How many members it has that are gone, or not for this sender to see.
        unusable: usize,
    },
    /// A list that is too long with all that it holds.
    #[error("the list \"{0}\" reaches more than {MAX_REACHED} fax machines: send to its parts")]
    TooMany(String),
}

fn named(among: &[Candidate]) -> String {
    let name = |one: &Candidate| {
        let company = if one.company.is_empty() { "" } else { ", " };
        format!("{}{company}{} (of {})", one.name, one.company, one.owner)
    };
    among.iter().map(name).collect::<Vec<_>>().join("; ")
}

impl Candidate {
    fn of(entry: &Entry) -> Self {
        Self {
            uid: entry.uid.clone(),
            name: entry.content.name.clone(),
            company: entry.content.company.clone(),
            owner: entry.owner.clone(),
            line: match &entry.content.reach {
                Reach::Fax(line) => Some(line.clone()),
                Reach::List(_) => None,
            },
        }
    }
}

impl Book {
    /// What `word` stands for when `who` sends to it. Anything else than an alias that
    /// they may see is unknown, whatever the reason.
    ///
    /// # Errors
    /// [`Unresolved`] says why it stands for nothing.
    pub fn resolve(&self, setup: &Setup, who: &Who, word: &str) -> Result<Resolved, Unresolved> {
        if word.len() > MAX_ALIAS_BYTES {
            return Err(Unresolved::Unknown(word.chars().take(MAX_ALIAS_BYTES).collect()));
        }
        let reader = Reader::new(self, setup, who);
        let key = fold::same(word);
        let found = self.nearest(&reader, &key, |e| e.content.alias_key().as_ref() == Some(&key));
        self.the_one(&reader, &found, word)
    }

    /// What an entry stands for that is named by its unique identifier, which tells apart
    /// what has the same alias.
    ///
    /// # Errors
    /// [`Unresolved`] says why it stands for nothing.
    pub fn resolve_uid(&self, setup: &Setup, who: &Who, uid: &str) -> Result<Resolved, Unresolved> {
        let reader = Reader::new(self, setup, who);
        let found = self.nearest(&reader, &super::uid_name(uid), |entry| entry.uid == uid);
        self.the_one(&reader, &found, uid)
    }

    fn the_one(
        &self,
        reader: &Reader<'_>,
        found: &[&Arc<Entry>],
        word: &str,
    ) -> Result<Resolved, Unresolved> {
        match found {
            [] => Err(Unresolved::Unknown(word.chars().take(MAX_ALIAS_BYTES).collect())),
            [entry] => self.expand(reader, entry, word),
            _ => {
                let among = found.iter().map(|entry| Candidate::of(entry)).collect();
                Err(Unresolved::Ambiguous { word: word.to_owned(), among })
            }
        }
    }

    /// The entries that are called so in the nearest rank that has one.
    pub(super) fn nearest(
        &self,
        reader: &Reader<'_>,
        name: &str,
        is_it: impl Fn(&Entry) -> bool,
    ) -> Vec<&Arc<Entry>> {
        let key = super::key(name);
        for rank in [Rank::Own, Rank::Shared, Rank::Public] {
            let shelves = reader.of(rank).filter_map(|audience| self.shelves.get(audience));
            let ids: BTreeSet<EntryId> = shelves.flat_map(|shelf| shelf.called(key)).collect();
            let entries = ids.iter().filter_map(|id| self.entries.get(id));
            let found: Vec<_> = entries.filter(|entry| is_it(entry)).collect();
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    fn expand(
        &self,
        reader: &Reader<'_>,
        top: &Arc<Entry>,
        word: &str,
    ) -> Result<Resolved, Unresolved> {
        let mut resolved = Resolved { entry: top.clone(), reached: Vec::new(), unusable: 0 };
        let mut numbers = BTreeSet::new();
        // Each entry once: that ends loops, and no member is counted twice.
        let mut seen = BTreeSet::new();
        let mut followed = 0;
        let mut waiting = vec![top.id];
        while let Some(id) = waiting.pop() {
            if !seen.insert(id) {
                continue;
            }
            let Some(entry) = self.entries.get(&id).filter(|e| reader.rank(e).is_some()) else {
                resolved.unusable += 1;
                continue;
            };
            match &entry.content.reach {
                Reach::List(members) => {
                    followed += members.len();
                    waiting.extend(members.iter().rev());
                }
                Reach::Fax(line) => {
                    if numbers.insert((line.number.clone(), line.subaddress.clone())) {
                        let name = entry.content.name.clone();
                        let company = entry.content.company.clone();
                        resolved.reached.push(Reached { id, name, company, line: line.clone() });
                    }
                }
            }
            let is_long = seen.len() > MAX_LOOKED_AT || followed > MAX_FOLLOWED;
            if resolved.reached.len() > MAX_REACHED || is_long {
                return Err(Unresolved::TooMany(word.to_owned()));
            }
        }
        match resolved.reached.is_empty() {
            true => Err(Unresolved::Nobody { word: word.into(), unusable: resolved.unusable }),
            false => Ok(resolved),
        }
    }

    /// Whether a list that gets these members would hold itself, as far as the one who
    /// saves it can see: what they cannot see is guarded when the list is expanded.
    pub(super) fn holds_itself(
        &self,
        reader: &Reader<'_>,
        list: EntryId,
        members: &[EntryId],
    ) -> bool {
        let mut seen = BTreeSet::new();
        let mut followed = 0;
        let mut waiting = members.to_vec();
        while let Some(id) = waiting.pop() {
            if id == list {
                return true;
            }
            if !seen.insert(id) || seen.len() > MAX_LOOKED_AT || followed > MAX_FOLLOWED {
                continue;
            }
            let entry = self.entries.get(&id).filter(|entry| reader.rank(entry).is_some());
            let members = entry.map_or(&[][..], |entry| entry.content.reach.members());
            followed += members.len();
            waiting.extend(members);
        }
        false
    }
}
