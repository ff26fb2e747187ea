//! What has changed for somebody since they last looked (RFC 6578 3.2): the tokens that
//! say when that was, and what they are then told.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::Arc,
};

use super::{
    Book,
    change::Tombstone,
    entry::{Entry, Stamp},
    reader::{Rank, Reader},
};
use crate::{authority::Who, setup::Setup};

/// How far somebody has seen the book: the last change on their shelves, and which shelves
/// those were. What others change does not change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncToken {
    stamp: Stamp,
    shelves: u64,
}

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no token of the phone book")]
pub struct NoSuchToken;

/// The token cannot be continued from: everything has to be read again (RFC 6578 3.2,
/// `valid-sync-token`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too much has changed since this token: read everything again")]
pub struct Stale;

/// What has changed for somebody.
#[derive(Debug)]
pub struct Since<'a> {
    /// What is new or says something else.
    pub changed: Vec<(Rank, &'a Arc<Entry>)>,
    /// What is gone, or not theirs to see any more.
    pub gone: Vec<&'a Tombstone>,
    /// Where to go on from.
    pub token: SyncToken,
}

impl fmt::Display for SyncToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.stamp.0, self.shelves)
    }
}

impl FromStr for SyncToken {
    type Err = NoSuchToken;
    fn from_str(text: &str) -> Result<Self, NoSuchToken> {
        let (stamp, shelves) = text.split_once('-').ok_or(NoSuchToken)?;
        let stamp = Stamp(stamp.parse().map_err(|_| NoSuchToken)?);
        let shelves = u64::from_str_radix(shelves, 16).map_err(|_| NoSuchToken)?;
        Ok(Self { stamp, shelves })
    }
}

impl Book {
    /// How far the book has come for `who`: the same as long as nothing changes that they
    /// see (CTag).
    #[must_use]
    pub fn token(&self, setup: &Setup, who: &Who) -> SyncToken {
        let reader = Reader::new(self, setup, who);
        self.token_of(&reader)
    }

    fn token_of(&self, reader: &Reader<'_>) -> SyncToken {
        let shelves = reader.all().filter_map(|audience| self.shelves.get(audience));
        let touched = shelves.map(|shelf| shelf.touched).max().unwrap_or_default();
        SyncToken { stamp: touched.max(self.floor), shelves: reader.digest() }
    }

    /// What has changed for `who` since a token.
    ///
    /// # Errors
    /// [`Stale`] when that cannot be said: they are in other groups now, or what went since
    /// is forgotten.
    pub fn since(&self, setup: &Setup, who: &Who, token: SyncToken) -> Result<Since<'_>, Stale> {
        let reader = Reader::new(self, setup, who);
        let now = self.token_of(&reader);
        if token.shelves != now.shelves || token.stamp < self.floor || token.stamp > now.stamp {
            return Err(Stale);
        }
        if token == now {
            return Ok(Since { changed: Vec::new(), gone: Vec::new(), token: now });
        }
        let mut changed = self.visible_to(&reader);
        changed.retain(|(_, entry)| entry.stamp > token.stamp);
        let there: BTreeSet<_> = changed.iter().map(|(_, e)| (&e.owner, &e.uid)).collect();
        let went = self.tombstones.range(Stamp(token.stamp.0 + 1)..).map(|(_, one)| one);
        let is_gone = |one: &&Tombstone| {
            let seen = self.entries.get(&one.id).is_some_and(|e| reader.rank(e).is_some());
            reader.sees_any(&one.lost) && !seen && !there.contains(&(&one.owner, &one.uid))
        };
        // Each entry once, however often it went.
        let gone: BTreeMap<_, _> = went.filter(is_gone).map(|one| (one.id, one)).collect();
        let gone = gone.into_values().collect();
        Ok(Since { changed, gone, token: now })
    }
}
