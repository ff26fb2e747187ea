//! The phone book: numbers that clients refer to, each of which sees only what is theirs.
//! It decides who sees, finds, resolves and changes what; it reads no clock and saves
//! nothing itself.
//!
//! ```text
//!               ┌─ shelf of anna ──────┐ own      anna reads these,
//!  entries ─────┤  shelf of her groups ├ shared   and no other shelf
//!  by their     ├─ shelf for everyone ─┘ public   is touched for her
//!  labels       └─ shelf of bob
//! ```
//!
//! Why what a client may not see does not exist for it: an entry stands on the shelf of
//! each audience that its label names, and whoever asks is led to their own shelves first.
//! What stands elsewhere is neither compared nor counted nor waited for. Who is in which
//! group is read from the setup each time, so that nothing is moved when a client is.
//!
//! The supervisor owns the book and writes it ([`Book::write_all`]); those who only read
//! have a copy that is as it was when the last change became durable. The doors read
//! numbers in the country of the setup, make up unique identifiers, show labels to those
//! alone who may change the entry and numbers of entries to nobody, and write `mail` as the
//! alias or the number at the fax domain.

mod change;
mod check;
mod column;
mod entry;
mod find;
mod fold;
#[cfg(test)]
mod model;
mod reader;
mod resolve;
mod shelf;
mod sync;
#[cfg(test)]
mod tests;
mod write;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use imbl::{HashMap, OrdMap};

pub use change::{Change, Order, Refused, Sharing, Tombstone};
pub use check::BadEntry;
pub use column::Column;
pub use entry::{
    Content, Entry, EntryId, Field, Label, Line, MAX_ALIAS_BYTES, MAX_ENTRIES, MAX_HISTORY,
    MAX_KEPT_BYTES, MAX_MEMBERS, MAX_NAME_BYTES, MAX_NOTE_BYTES, MAX_OWNED, MAX_PARTIES,
    MAX_SUBADDRESS_DIGITS, MAX_TAG_BYTES, MAX_TAGS, MAX_UID_BYTES, Noted, Options, Owner, Reach,
    Stamp, What,
};
pub use find::{Found, MAX_FOUND, Seen};
pub use reader::{Audience, Rank};
pub use resolve::{Candidate, MAX_REACHED, Reached, Resolved, Unresolved};
pub use shelf::Fit;
pub use sync::{Moved, NoSuchToken, Since, SinceIn, Stale, SyncToken};

use shelf::Shelf;

/// Most entries that are remembered after they have gone, for those who synchronise.
pub const MAX_TOMBSTONES: usize = 10_000;

/// What an earlier life of the daemon has left in the store.
#[derive(Debug, Default)]
pub struct Saved {
    /// All entries.
    pub entries: Vec<Entry>,
    /// What has gone, since the floor.
    pub tombstones: Vec<Tombstone>,
    /// The last change.
    pub last: Stamp,
    /// The number of the next entry.
    pub next: u64,
    /// What went up to here is forgotten.
    pub floor: Stamp,
}

/// The phone book. A copy shares with the original whatever neither of them changes, so
/// that those who read have one of their own while others write.
#[derive(Debug, Clone, Default)]
pub struct Book {
    entries: HashMap<EntryId, Arc<Entry>>,
    shelves: OrdMap<Audience, Shelf>,
    tombstones: OrdMap<Stamp, Tombstone>,
    last: Stamp,
    next: EntryId,
    floor: Stamp,
}

/// What an entry is called by, as it is looked up on a shelf.
fn key(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// A unique identifier among the names of a shelf: no alias has a colon.
fn uid_name(uid: &str) -> String {
    format!("uid:{uid}")
}

/// Everything that an entry is looked up by as a whole: no alias begins with a plus.
fn keys(entry: &Entry) -> Vec<u64> {
    let alias = entry.content.alias_key();
    let number = match &entry.content.reach {
        Reach::Fax(line) => Some(line.number.to_string()),
        Reach::List(_) => None,
    };
    let names = [Some(uid_name(&entry.uid)), alias, number];
    names.into_iter().flatten().map(|name| key(&name)).collect()
}

impl Book {
    /// The book as it was saved.
    #[must_use]
    pub fn load(saved: Saved) -> Self {
        let mut book = Self { last: saved.last, floor: saved.floor, ..Self::default() };
        let after_last = saved.entries.iter().map(|entry| entry.id.0 + 1).max().unwrap_or(0);
        book.next = EntryId(saved.next.max(after_last));
        let text = |entry: Entry| (entry.content.searched(), entry);
        let mut entries: Vec<(String, Entry)> = saved.entries.into_iter().map(text).collect();
        // In the order of the shelves, which fills their pages one after the other.
        entries.sort_unstable_by(|(a, one), (b, two)| a.cmp(b).then(one.id.cmp(&two.id)));
        for (text, entry) in entries {
            book.last = book.last.max(entry.stamp);
            book.put(&text, Arc::new(entry));
        }
        for tombstone in saved.tombstones {
            book.last = book.last.max(tombstone.stamp);
            for audience in &tombstone.lost {
                book.touch(audience, tombstone.stamp);
            }
            book.tombstones.insert(tombstone.stamp, tombstone);
        }
        book
    }

    /// How many entries there are, of all owners. It is for those alone who run Postfax.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn touch(&mut self, audience: &Audience, stamp: Stamp) -> &mut Shelf {
        let shelf = self.shelves.entry(audience.clone()).or_default();
        shelf.touched = shelf.touched.max(stamp);
        shelf
    }

    fn put(&mut self, text: &str, entry: Arc<Entry>) {
        let keys = keys(&entry);
        for audience in reader::audiences(&entry) {
            self.touch(&audience, entry.stamp).insert(text, entry.id, &keys);
        }
        self.entries.insert(entry.id, entry);
    }

    /// Puts what an entry is now in the place of what it was.
    fn replace(&mut self, old: Option<&Arc<Entry>>, new: Option<&Arc<Entry>>, stamp: Stamp) {
        if let Some(old) = old {
            let (text, keys) = (old.content.searched(), keys(old));
            for audience in reader::audiences(old) {
                self.touch(&audience, stamp).remove(&text, old.id, &keys);
            }
            self.entries.remove(&old.id);
        }
        if let Some(new) = new {
            self.put(&new.content.searched(), new.clone());
        }
    }
}
