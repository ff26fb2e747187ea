//! Looking up: what completes a few letters, and everything that somebody may see. Only
//! the shelves of the one who asks are read.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use super::{
    Book,
    column::Column,
    entry::{Entry, EntryId, MAX_ALIAS_BYTES, Owner, Reach, as_digits},
    fold,
    reader::{Rank, Reader},
    shelf::{Fit, Query},
};
use crate::{authority::Who, number::Number, setup::Setup};

/// Most entries that one search returns.
pub const MAX_FOUND: usize = 1000;
/// Of what is searched, so many letters are read.
const MAX_QUERY_CHARS: usize = 200;
/// And so many words.
const MAX_QUERY_WORDS: usize = 8;

/// An entry that fits what was searched.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The entry.
    pub entry: &'a Arc<Entry>,
    /// How near it is to the one who searches.
    pub rank: Rank,
    /// How well it fits.
    pub fit: Fit,
}

/// What somebody gets to see of one entry.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The entry. Its label names others, and is for those alone who may change it.
    pub entry: &'a Arc<Entry>,
    /// How near it is to them.
    pub rank: Rank,
    /// Whether they may change it.
    pub may_change: bool,
}

/// What is searched, as it stands on the shelves: a number by its digits, anything else
/// by its words.
fn query(text: &str) -> Query {
    let text: String = text.trim().chars().take(MAX_QUERY_CHARS).collect();
    let digits = as_digits(&text).map(|digits| vec![digits]);
    Query::new(digits.unwrap_or_else(|| {
        let folded = fold::searched(&text);
        folded.split(' ').filter(|w| !w.is_empty()).take(MAX_QUERY_WORDS).map(Into::into).collect()
    }))
}

impl Book {
    /// The entries that fit what `who` searches, at most `limit` of them: their own before
    /// shared before public ones, of each the best fits first, and those by name. All
    /// words have to be in the entry; nothing searched is everything.
    #[must_use]
    pub fn find(&self, setup: &Setup, who: &Who, text: &str, limit: usize) -> Vec<Found<'_>> {
        let (query, limit) = (query(text), limit.min(MAX_FOUND));
        let reader = Reader::new(self, setup, who);
        let mut found: Vec<Found<'_>> = Vec::new();
        let mut seen: HashSet<EntryId> = HashSet::new();
        for rank in [Rank::Own, Rank::Shared, Rank::Public] {
            let left = limit - found.len();
            let shelves = reader.of(rank).filter_map(|audience| self.shelves.get(audience));
            let search = |shelf| Book::search(shelf, &query, left, &seen);
            let mut hits: Vec<_> = shelves.flat_map(search).collect();
            hits.sort_unstable();
            // The same entry may stand on two shelves, then with the same text.
            hits.dedup_by_key(|hit| hit.id);
            for hit in hits.into_iter().take(left) {
                seen.insert(hit.id);
                let entry = self.entries.get(&hit.id);
                found.extend(entry.map(|entry| Found { entry, rank, fit: hit.fit }));
            }
        }
        found
    }

    /// Hands over every entry that `who` may see with all words of a text in one of these
    /// columns: their own before shared before public ones, of each shelf in the order of
    /// the names. One that stands on two shelves comes twice.
    ///
    /// # Errors
    /// That with which `meet` ends it.
    pub fn each<E>(
        &self,
        setup: &Setup,
        who: &Who,
        text: &str,
        columns: &BTreeSet<Column>,
        mut meet: impl FnMut(&Arc<Entry>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (query, reader) = (query(text), Reader::new(self, setup, who));
        for rank in [Rank::Own, Rank::Shared, Rank::Public] {
            for shelf in reader.of(rank).filter_map(|audience| self.shelves.get(audience)) {
                shelf
                    .each(&query, columns, |id| self.entries.get(&id).map_or(Ok(()), &mut meet))?;
            }
        }
        Ok(())
    }

    fn search<'a>(
        shelf: &'a super::shelf::Shelf,
        query: &Query,
        limit: usize,
        seen: &HashSet<EntryId>,
    ) -> Vec<super::shelf::Hit<'a>> {
        shelf.search(query, limit, |id| seen.contains(&id))
    }

    /// Everything that `who` may see: their own before shared before public entries. Each
    /// shelf comes in the order of the names.
    #[must_use]
    pub fn visible(&self, setup: &Setup, who: &Who) -> Vec<(Rank, &Arc<Entry>)> {
        let reader = Reader::new(self, setup, who);
        self.visible_to(&reader)
    }

    pub(super) fn visible_to(&self, reader: &Reader<'_>) -> Vec<(Rank, &Arc<Entry>)> {
        let mut seen = HashSet::new();
        let mut all = Vec::new();
        for rank in [Rank::Own, Rank::Shared, Rank::Public] {
            let shelves = reader.of(rank).filter_map(|audience| self.shelves.get(audience));
            let ids = shelves.flat_map(|shelf| shelf.ids()).filter(|id| seen.insert(*id));
            all.extend(ids.filter_map(|id| Some((rank, self.entries.get(&id)?))));
        }
        all
    }

    /// One entry, if it exists for `who`.
    #[must_use]
    pub fn get(&self, setup: &Setup, who: &Who, id: EntryId) -> Option<Seen<'_>> {
        let reader = Reader::new(self, setup, who);
        let entry = self.entries.get(&id)?;
        let rank = reader.rank(entry)?;
        let may_change = reader.may_write(Some(entry), Some(entry)).is_ok();
        Some(Seen { entry, rank, may_change })
    }

    /// The entry with this unique identifier that is nearest to `who`, if one exists for
    /// them. Two owners may have used the same one.
    #[must_use]
    pub fn by_uid(&self, setup: &Setup, who: &Who, uid: &str) -> Option<Seen<'_>> {
        let reader = Reader::new(self, setup, who);
        let name = super::uid_name(uid);
        let first = self.nearest(&reader, &name, |entry| entry.uid == uid).first()?.id;
        self.get(setup, who, first)
    }

    /// The entry of an owner with this unique identifier, and how near it is to `who`, if
    /// it exists for them.
    #[must_use]
    pub fn by_name(
        &self,
        setup: &Setup,
        who: &Who,
        owner: &Owner,
        uid: &str,
    ) -> Option<(Rank, &Arc<Entry>)> {
        let reader = Reader::new(self, setup, who);
        let key = super::key(&super::uid_name(uid));
        let shelves = reader.all().filter_map(|audience| self.shelves.get(audience));
        let mut called = shelves.flat_map(|shelf| shelf.called(key));
        let is_it = |entry: &&Arc<Entry>| entry.owner == *owner && entry.uid == uid;
        let entry = called.find_map(|id| self.entries.get(&id).filter(is_it))?;
        Some((reader.rank(entry)?, entry))
    }

    /// The entries of this alias that are nearest to `who`. More than one is ambiguous.
    #[must_use]
    pub fn by_alias(&self, setup: &Setup, who: &Who, alias: &str) -> Vec<&Arc<Entry>> {
        if alias.len() > MAX_ALIAS_BYTES {
            return Vec::new();
        }
        let reader = Reader::new(self, setup, who);
        let key = fold::same(alias);
        self.nearest(&reader, &key, |entry| entry.content.alias_key().as_ref() == Some(&key))
    }

    /// The entries of a number that are nearest to `who`: who it is that called, or that
    /// is called.
    #[must_use]
    pub fn by_number(&self, setup: &Setup, who: &Who, number: &Number) -> Vec<&Arc<Entry>> {
        let reader = Reader::new(self, setup, who);
        self.nearest(&reader, number.as_str(), |entry| match &entry.content.reach {
            Reach::Fax(line) => line.number == *number,
            Reach::List(_) => false,
        })
    }

    /// The members of a list that `who` may see, in their order, and how many others it
    /// names: they are gone, or not for `who` to see.
    #[must_use]
    pub fn members(&self, setup: &Setup, who: &Who, list: &Entry) -> (Vec<&Arc<Entry>>, usize) {
        let reader = Reader::new(self, setup, who);
        let named = list.content.reach.members();
        let entries = named.iter().filter_map(|id| self.entries.get(id));
        let seen: Vec<_> = entries.filter(|entry| reader.rank(entry).is_some()).collect();
        let others = named.iter().collect::<BTreeSet<_>>().len() - seen.len();
        (seen, others)
    }
}
