//! What is written into the phone book: an order is judged, and becomes a change that is
//! to be saved. Judging it changes nothing, so that an import can be tried first.
//!
//! ```text
//!  order ─▶ plan ─┬─▶ refused
//!                 └─▶ change ─▶ apply ─▶ the shelves; the store saves what the change says
//! ```

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Book, MAX_TOMBSTONES,
    change::{Change, Order, Refused, Tombstone},
    check::{BadEntry, check_uid},
    entry::{
        Entry, EntryId, Label, MAX_ENTRIES, MAX_OWNED, MAX_PARTIES, Noted, Owner, Stamp, What,
    },
    reader::{Audience, Reader, audiences},
    uid_name,
};
use crate::{authority::Who, dial::Party, setup::Setup, time::Timestamp};

impl Book {
    /// What an order would change. Nothing is changed yet.
    ///
    /// # Errors
    /// [`Refused`] says what stands against it. What the one who orders may not see is
    /// refused like what is not there.
    pub fn plan(
        &self,
        setup: &Setup,
        who: &Who,
        order: &Order,
        now: Timestamp,
    ) -> Result<Change, Refused> {
        let reader = Reader::new(self, setup, who);
        let stamp = Stamp(u64::try_from(now.0).unwrap_or(0).max(self.last.0 + 1));
        let seen = |id: &EntryId| {
            let entry = self.entries.get(id).filter(|entry| reader.rank(entry).is_some());
            entry.ok_or(Refused::NotThere)
        };
        let (before, after, expected, what) = match order {
            Order::Add { uid, owner, label, content } => {
                let (uid, label, content) = (uid.clone(), label.clone(), content.clone());
                let owner = owner.clone();
                let id = self.next;
                let new = Entry { id, uid, version: 1, stamp, owner, label, content };
                (None, Some(new), None, What::Added)
            }
            Order::Change { id, expected, content } => {
                let before = seen(id)?;
                let content = content.clone();
                let version = before.version + 1;
                let after = Entry { content, version, stamp, ..Entry::clone(before) };
                let what = What::Changed(before.content.differs(&after.content));
                (Some(before), Some(after), *expected, what)
            }
            Order::Share { id, expected, sharing } => {
                let before = seen(id)?;
                // Whoever may not change it does not learn how it is labelled either.
                reader
                    .may_write(Some(before), Some(before))
                    .or_else(|refused| reader.may_write(Some(before), None).map_err(|_| refused))?;
                let (label, version) = (sharing.of(&before.label)?, before.version + 1);
                let what = What::Shared(label.clone());
                let after = Entry { label, version, stamp, ..Entry::clone(before) };
                (Some(before), Some(after), *expected, what)
            }
            Order::Remove { id, expected } => (Some(seen(id)?), None, *expected, What::Deleted),
        };
        reader.may_write(before.map(AsRef::as_ref), after.as_ref())?;
        match (before, expected) {
            (Some(before), Some(version)) if version != before.version => {
                return Err(Refused::Version { now: before.version });
            }
            _ => {}
        }
        if let Some(after) = &after {
            self.judge(&reader, before.map(AsRef::as_ref), after)?;
        }
        let (id, version) = match (before, &after) {
            (_, Some(after)) => (after.id, after.version),
            (Some(before), None) => (before.id, before.version + 1),
            (None, None) => return Err(Refused::NotThere),
        };
        let noted = Noted { id, version, at: now, by: who.clone(), what };
        Ok(self.change(stamp, before.cloned(), after.map(Arc::new), noted))
    }

    /// Whether an entry can stand in the book beside the others.
    fn judge(
        &self,
        reader: &Reader<'_>,
        before: Option<&Entry>,
        after: &Entry,
    ) -> Result<(), Refused> {
        after.content.check()?;
        if before.is_none() {
            check_uid(&after.uid)?;
            self.judge_new(reader, after)?;
        }
        if let Label::Named(parties) = &after.label
            && before.is_none_or(|before| before.label != after.label)
        {
            let old = match before.map(|before| &before.label) {
                Some(Label::Named(old)) => old.clone(),
                _ => BTreeSet::new(),
            };
            // Those who were removed from the setup do not stand in the way of others.
            let new: BTreeSet<Party> = parties.difference(&old).cloned().collect();
            if let Some(party) = reader.unknown(&new) {
                return Err(Refused::NoSuchParty(worded(party)));
            }
            if parties.len() > MAX_PARTIES {
                let what = "clients and groups in the label";
                return Err(BadEntry::TooMany { what, max: MAX_PARTIES }.into());
            }
        }
        if let Some(alias) = after.content.alias_key()
            && self.is_taken(after, &alias, |e| e.content.alias_key().as_ref() == Some(&alias))
        {
            return Err(Refused::AliasTaken(after.content.alias.clone().unwrap_or_default()));
        }
        let old = before.map_or(&[][..], |before| before.content.reach.members());
        let members = after.content.reach.members();
        // A member that has gone since may stay, or nobody could change the rest.
        let is_usable = |id: &EntryId| {
            old.contains(id) || self.entries.get(id).is_some_and(|e| reader.rank(e).is_some())
        };
        if !members.iter().all(is_usable) {
            return Err(Refused::NoSuchMember);
        }
        if self.holds_itself(reader, after.id, members) {
            return Err(Refused::HoldsItself);
        }
        Ok(())
    }

    fn judge_new(&self, reader: &Reader<'_>, new: &Entry) -> Result<(), Refused> {
        if self.entries.len() >= MAX_ENTRIES {
            return Err(Refused::Full);
        }
        if let Owner::Client(name) = &new.owner {
            let owner = BTreeSet::from([Party::Client(name.clone())]);
            if reader.unknown(&owner).is_some() {
                return Err(Refused::NoSuchOwner(name.to_string()));
            }
            let shelf = self.shelves.get(&Audience::Owner(name.clone()));
            if shelf.is_some_and(|shelf| shelf.len() >= MAX_OWNED) {
                return Err(Refused::TooManyOwned);
            }
        }
        match self.is_taken(new, &uid_name(&new.uid), |entry| entry.uid == new.uid) {
            true => Err(Refused::UidTaken),
            false => Ok(()),
        }
    }

    /// Whether its owner has another entry that is called so.
    fn is_taken(&self, entry: &Entry, name: &str, is_it: impl Fn(&Entry) -> bool) -> bool {
        let shelves = match &entry.owner {
            Owner::Client(name) => vec![Audience::Owner(name.clone())],
            Owner::Supervisor => vec![Audience::Everyone, Audience::Keepers],
        };
        let shelves = shelves.iter().filter_map(|audience| self.shelves.get(audience));
        let called = shelves.flat_map(|shelf| shelf.called(super::key(name)));
        let others = called.filter(|id| *id != entry.id).filter_map(|id| self.entries.get(&id));
        others.filter(|other| other.owner == entry.owner).any(|other| is_it(other))
    }

    fn change(
        &self,
        stamp: Stamp,
        before: Option<Arc<Entry>>,
        after: Option<Arc<Entry>>,
        noted: Noted,
    ) -> Change {
        let of =
            |entry: &Option<Arc<Entry>>| entry.as_deref().map_or_else(BTreeSet::new, audiences);
        let lost: BTreeSet<Audience> = of(&before).difference(&of(&after)).cloned().collect();
        let tombstone = before.as_ref().filter(|_| !lost.is_empty()).map(|before| Tombstone {
            stamp,
            id: before.id,
            uid: before.uid.clone(),
            owner: before.owner.clone(),
            lost,
        });
        let is_full = tombstone.is_some() && self.tombstones.len() >= MAX_TOMBSTONES;
        let oldest = self.tombstones.keys().next().filter(|_| is_full);
        let floor = oldest.copied().unwrap_or(self.floor);
        Change { id: noted.id, stamp, before, after, tombstone, floor, noted }
    }

    /// Puts a change into the book. It has to be the last that was planned.
    pub fn apply(&mut self, change: &Change) {
        self.last = self.last.max(change.stamp);
        self.next = self.next.max(EntryId(change.id.0 + 1));
        self.replace(change.before.as_ref(), change.after.as_ref(), change.stamp);
        if let Some(tombstone) = &change.tombstone {
            self.tombstones.insert(tombstone.stamp, tombstone.clone());
        }
        self.floor = self.floor.max(change.floor);
        while self.tombstones.get_min().is_some_and(|(stamp, _)| *stamp <= self.floor) {
            self.tombstones = self.tombstones.without_min().1;
        }
    }

    /// Writes what is ordered, and returns what is to be saved.
    ///
    /// # Errors
    /// [`Refused`], as [`Book::plan`]; then nothing has changed.
    pub fn write(
        &mut self,
        setup: &Setup,
        who: &Who,
        order: &Order,
        now: Timestamp,
    ) -> Result<Change, Refused> {
        let change = self.plan(setup, who, order, now)?;
        self.apply(&change);
        Ok(change)
    }

    /// Writes all that is ordered, or nothing. Whoever only wants to know what would change
    /// has a copy write it.
    ///
    /// # Errors
    /// The place of the first order that is refused, counted from 0, and why.
    pub fn write_all(
        &mut self,
        setup: &Setup,
        who: &Who,
        orders: &[Order],
        now: Timestamp,
    ) -> Result<Vec<Change>, (usize, Refused)> {
        let mut next = self.clone();
        let written = next.write_each(setup, who, orders, now);
        let changes = written.map(|(at, written)| written.map_err(|why| (at, why)));
        let changes = changes.collect::<Result<_, _>>()?;
        *self = next;
        Ok(changes)
    }

    /// Everything that stands against these orders, at most `most`: the places of those
    /// that are refused, and why. Those that are not are taken for written.
    #[must_use]
    pub fn refusals(
        &self,
        setup: &Setup,
        who: &Who,
        orders: &[Order],
        now: Timestamp,
        most: usize,
    ) -> Vec<(usize, Refused)> {
        let mut next = self.clone();
        let written = next.write_each(setup, who, orders, now);
        written.filter_map(|(at, written)| Some((at, written.err()?))).take(most).collect()
    }

    /// Writes one after the other, each of which may name what those before it have added.
    fn write_each<'a>(
        &'a mut self,
        setup: &'a Setup,
        who: &'a Who,
        orders: &'a [Order],
        now: Timestamp,
    ) -> impl Iterator<Item = (usize, Result<Change, Refused>)> + 'a {
        let mut added: Vec<Option<EntryId>> = Vec::new();
        orders.iter().enumerate().map(move |(at, order)| {
            let written = order
                .with_members(|member| match member.order() {
                    None => Some(member),
                    Some(order) => added.get(order).copied().flatten(),
                })
                .and_then(|order| self.write(setup, who, &order, now));
            let new = written.as_ref().ok().filter(|change| change.before.is_none());
            added.push(new.map(|change| change.id));
            (at, written)
        })
    }
}

fn worded(party: &Party) -> String {
    match party {
        Party::Client(name) => format!("client \"{name}\""),
        Party::Group(name) => format!("group \"{name}\""),
    }
}
