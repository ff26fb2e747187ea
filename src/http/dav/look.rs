//! What one client sees of the phone book, as it is at one moment: a whole request is
//! answered from the same copy. It only reads.

use std::sync::Arc;

use postfax_domain::{
    audit::{Asker, Door},
    authority::{Target, Verb, Who, check},
    book::{Book, Entry, SyncToken},
    names::ClientName,
    setup::Setup,
};

use super::{
    super::Shared,
    login::Visitor,
    place::{CardName, Shelf},
};
use crate::config::{Config, HttpLimits, Phrase};

/// Begins every token of synchronisation, which is to be a URI (RFC 6578 6.2).
const TOKEN: &str = "data:,";

/// The eyes of one client.
pub(super) struct Look {
    pub(super) config: Arc<Config>,
    pub(super) book: Arc<Book>,
    pub(super) client: ClientName,
    pub(super) who: Who,
    pub(super) limits: HttpLimits,
    from: String,
}

impl Look {
    pub(super) fn new(shared: &Shared, visitor: &Visitor, limits: HttpLimits) -> Self {
        Self {
            config: shared.context.config.load_full(),
            book: shared.context.book.load_full(),
            client: visitor.client.clone(),
            who: Who::Client(visitor.client.clone()),
            limits,
            from: visitor.address.to_string(),
        }
    }

    pub(super) fn asker(&self) -> Asker {
        Asker { who: self.who.clone(), door: Door::Http, from: self.from.clone() }
    }

    pub(super) fn setup(&self) -> &Setup {
        &self.config.setup
    }

    /// All entries of a collection.
    pub(super) fn entries(&self, shelf: Shelf) -> Vec<&Arc<Entry>> {
        self.book.visible_in(self.setup(), &self.who, shelf.rank())
    }

    /// The entry of this name in a collection.
    pub(super) fn entry(&self, shelf: Shelf, name: &CardName) -> Option<&Arc<Entry>> {
        let found = self.book.by_name(self.setup(), &self.who, &name.owner, &name.uid);
        found.filter(|(rank, _)| *rank == shelf.rank()).map(|(_, entry)| entry)
    }

    /// Whether entries can be made in a collection.
    pub(super) fn may_fill(&self, shelf: Shelf) -> bool {
        match shelf {
            Shelf::Own => true,
            Shelf::Shared => false,
            Shelf::Public => {
                check(self.setup(), &self.who, Verb::BookWrite, Target::Supervisor).is_ok()
            }
        }
    }

    /// Whether an entry can be changed.
    pub(super) fn may_change(&self, entry: &Entry) -> bool {
        let seen = self.book.get(self.setup(), &self.who, entry.id);
        seen.is_some_and(|seen| seen.may_change)
    }

    /// How far a collection has come.
    pub(super) fn token(&self, shelf: Shelf) -> String {
        let token = self.book.token_in(self.setup(), &self.who, shelf.rank());
        written(shelf, token)
    }

    /// What a collection is called, in the language of the client.
    pub(super) fn name(&self, shelf: Shelf) -> String {
        let client = self.setup().clients.get(&self.client);
        let letters = &self.config.letters;
        let language = client.map_or(&letters.language, |client| &client.receive.language);
        letters.languages.of(language).word(match shelf {
            Shelf::Own => Phrase::BookOwn,
            Shelf::Shared => Phrase::BookShared,
            Shelf::Public => Phrase::BookPublic,
        })
    }
}

/// A token as it is given out: one collection's is none of another.
pub(super) fn written(shelf: Shelf, token: SyncToken) -> String {
    format!("{TOKEN}{}-{token}", shelf.name())
}

/// A token that was given out for this collection.
pub(super) fn token_of(shelf: Shelf, text: &str) -> Option<SyncToken> {
    let text = text.trim().strip_prefix(TOKEN)?;
    text.strip_prefix(shelf.name())?.strip_prefix('-')?.parse().ok()
}
