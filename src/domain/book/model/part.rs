//! The model's view of one who synchronises the entries of one rank, a few changes at a time.

use std::collections::BTreeMap;

use super::super::{tests::who, *};
use crate::setup::Setup;

/// What one has of the entries of one rank, by the names that collections give them.
#[derive(Debug, Default, Clone)]
pub(super) struct Part {
    has: BTreeMap<(Owner, String), Stamp>,
    token: Option<SyncToken>,
}

impl Part {
    /// Follows in steps of two changes.
    pub(super) fn follow(&mut self, book: &Book, setup: &Setup, by: &str, rank: Rank) {
        let visible = book.visible(setup, &who(by));
        let name = |entry: &Entry| (entry.owner.clone(), entry.uid.clone());
        let now: BTreeMap<_, _> = visible
            .iter()
            .filter(|(of, _)| *of == rank)
            .map(|(_, entry)| (name(entry), entry.stamp))
            .collect();
        assert_eq!(book.visible_in(setup, &who(by), rank).len(), now.len());
        loop {
            match book.since_in(setup, &who(by), rank, self.token, Some(2)) {
                Err(Stale) => *self = Self::default(),
                Ok(since) => {
                    assert!(since.moved.len() <= 2);
                    for moved in since.moved {
                        match moved {
                            Moved::There(entry) => {
                                self.has.insert(name(entry), entry.stamp);
                            }
                            Moved::Gone { owner, uid } => {
                                self.has.remove(&(owner.clone(), uid.to_owned()));
                            }
                        }
                    }
                    self.token = Some(since.token);
                    if !since.more {
                        assert_eq!(since.token, book.token_in(setup, &who(by), rank));
                        break;
                    }
                }
            }
        }
        assert_eq!(self.has, now, "{by} {rank:?}");
    }
}
