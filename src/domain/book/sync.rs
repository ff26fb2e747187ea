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
    entry::{Entry, Owner, Stamp},
    reader::{Audience, Rank, Reader},
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

/// What has changed for somebody among the entries of one rank, the oldest change first.
#[derive(Debug)]
pub struct SinceIn<'a> {
    /// What is new, says something else, or is no more of this rank.
    pub moved: Vec<Moved<'a>>,
    /// Where to go on from.
    pub token: SyncToken,
    /// Whether there is more behind it.
    pub more: bool,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy)]
pub enum Moved<'a> {
    /// It is there.
    There(&'a Arc<Entry>),
    /// It is not, or not of this rank any more.
    Gone {
        /// Whose it was.
        owner: &'a Owner,
        /// What it was called outside.
        uid: &'a str,
    },
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
        self.token_of(&reader, reader.all())
    }

    /// How far these shelves of theirs have come. An entry comes to another rank when they
    /// see other shelves, of whatever rank: all of them are in it.
    fn token_of<'a>(
        &self,
        reader: &Reader<'_>,
        shelves: impl Iterator<Item = &'a Audience>,
    ) -> SyncToken {
        let shelves = shelves.filter_map(|audience| self.shelves.get(audience));
        let touched = shelves.map(|shelf| shelf.touched).max().unwrap_or_default();
        SyncToken { stamp: touched.max(self.floor), shelves: reader.digest() }
    }

    /// Whether what has changed between a token and now can be said.
    fn goes_on(&self, token: SyncToken, now: SyncToken) -> bool {
        token.shelves == now.shelves && (self.floor..=now.stamp).contains(&token.stamp)
    }

    /// What has changed for `who` since a token.
    ///
    /// # Errors
    /// [`Stale`] when that cannot be said: they are in other groups now, or what went since
    /// is forgotten.
    pub fn since(&self, setup: &Setup, who: &Who, token: SyncToken) -> Result<Since<'_>, Stale> {
        let reader = Reader::new(self, setup, who);
        let now = self.token_of(&reader, reader.all());
        if !self.goes_on(token, now) {
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

    /// As [`Book::token`], of the entries of one rank alone.
    #[must_use]
    pub fn token_in(&self, setup: &Setup, who: &Who, rank: Rank) -> SyncToken {
        let reader = Reader::new(self, setup, who);
        self.token_of(&reader, reader.of(rank))
    }

    /// All entries of one rank, in the order of the names.
    #[must_use]
    pub fn visible_in(&self, setup: &Setup, who: &Who, rank: Rank) -> Vec<&Arc<Entry>> {
        self.of_rank(&Reader::new(self, setup, who), rank)
    }

    fn of_rank(&self, reader: &Reader<'_>, rank: Rank) -> Vec<&Arc<Entry>> {
        let shelves = reader.of(rank).filter_map(|audience| self.shelves.get(audience));
        let mut ids: Vec<_> = shelves.flat_map(|shelf| shelf.ids()).collect();
        let mut seen = BTreeSet::new();
        if reader.of(rank).nth(1).is_some() {
            ids.retain(|id| seen.insert(*id));
        }
        let entries = ids.into_iter().filter_map(|id| self.entries.get(&id));
        // Some of these are nearer, by another shelf.
        entries.filter(|entry| reader.rank(entry) == Some(rank)).collect()
    }

    /// What has changed among the entries of one rank since a token; without one, all of
    /// them. With a limit about so many, the oldest changes first: more where fewer could
    /// not be gone on from.
    ///
    /// # Errors
    /// [`Stale`], as [`Book::since`].
    pub fn since_in(
        &self,
        setup: &Setup,
        who: &Who,
        rank: Rank,
        token: Option<SyncToken>,
        limit: Option<usize>,
    ) -> Result<SinceIn<'_>, Stale> {
        let reader = Reader::new(self, setup, who);
        let now = self.token_of(&reader, reader.of(rank));
        if token.is_some_and(|token| !self.goes_on(token, now)) {
            return Err(Stale);
        }
        if token == Some(now) {
            return Ok(SinceIn { moved: Vec::new(), token: now, more: false });
        }
        let mut there = self.of_rank(&reader, rank);
        there.retain(|entry| token.is_none_or(|token| entry.stamp > token.stamp));
        let mut moved =
            token.map_or_else(Vec::new, |token| self.went(&reader, rank, token, &there));
        moved.extend(there.into_iter().map(|entry| (entry.stamp, Moved::There(entry))));
        moved.sort_unstable_by_key(|(stamp, _)| *stamp);
        let whole = moved.len();
        let mut cut = limit.unwrap_or(whole).min(whole);
        // What went up to the floor is forgotten: nobody can go on from before it.
        while cut < whole && (cut == 0 || moved[cut - 1].0 < self.floor) {
            cut += 1;
        }
        moved.truncate(cut);
        let last = moved.last().map_or(now.stamp, |(stamp, _)| *stamp);
        let token = if cut < whole { SyncToken { stamp: last, ..now } } else { now };
        let moved = moved.into_iter().map(|(_, moved)| moved).collect();
        Ok(SinceIn { moved, token, more: cut < whole })
    }

    /// What was of this rank after a token, or may have been, and is not any more. To be
    /// told of one that never was there does no harm: it is theirs to see elsewhere.
    fn went<'a>(
        &'a self,
        reader: &Reader<'_>,
        rank: Rank,
        token: SyncToken,
        there: &[&Arc<Entry>],
    ) -> Vec<(Stamp, Moved<'a>)> {
        let shelves: BTreeSet<_> = reader.of(rank).cloned().collect();
        let there: BTreeSet<_> = there.iter().map(|entry| (&entry.owner, &entry.uid)).collect();
        let gone = self.tombstones.range(Stamp(token.stamp.0 + 1)..).map(|(_, one)| one);
        let gone = gone.filter(|one| !one.lost.is_disjoint(&shelves));
        let mut went: BTreeMap<(&Owner, &String), Stamp> =
            gone.map(|one| ((&one.owner, &one.uid), one.stamp)).collect();
        for shelf in shelves.iter().filter_map(|audience| self.shelves.get(audience)) {
            for entry in shelf.ids().filter_map(|id| self.entries.get(&id)) {
                // It came nearer and still stands here.
                let is_new = entry.stamp > token.stamp;
                if is_new && reader.rank(entry).is_some_and(|now| now < rank) {
                    went.insert((&entry.owner, &entry.uid), entry.stamp);
                }
            }
        }
        went.retain(|name, _| !there.contains(name));
        went.into_iter().map(|((owner, uid), at)| (at, Moved::Gone { owner, uid })).collect()
    }
}
