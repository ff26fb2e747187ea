//! Who is at the other end of a fax, as the phone book of the client knows it who gets
//! the mail; and how they save a number that is not in it. Nothing is said of an entry
//! that this client may not see, and no name is learnt from a fax: what a machine calls
//! itself is anybody's to choose.

use postfax_domain::{
    authority::Who,
    book::{Book, Entry, Reach},
    names::{ClientName, JobId},
    number::Number,
};

use super::page::Page;
use crate::{
    config::{Config, Phrase, Words},
    inquiry,
};

/// Who is at the other end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Other {
    /// What the phone book calls them.
    pub(super) name: Option<String>,
    /// The number, where it is not in the book and can be saved, and the fax that it is
    /// known from.
    unknown: Option<(Number, JobId)>,
}

/// A line of the telephone network.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) number: &'a Number,
    pub(super) subaddress: Option<&'a str>,
}

impl Other {
    /// Looks the line of a fax up, for the client who gets the mail.
    pub(super) fn find(
        book: &Book,
        config: &Config,
        words: &Words,
        client: Option<&ClientName>,
        line: Line<'_>,
        job: JobId,
    ) -> Self {
        // Who is no client has no phone book.
        let Some(client) = client.filter(|name| config.setup.clients.contains_key(*name)) else {
            return Self::default();
        };
        let found = book.by_number(&config.setup, &Who::Client(client.clone()), line.number);
        let is_same = |entry: &&&std::sync::Arc<Entry>| match &entry.content.reach {
            Reach::Fax(known) => known.subaddress.as_deref() == line.subaddress,
            Reach::List(_) => false,
        };
        match found.iter().find(is_same).or(found.first()) {
            Some(entry) => Self { name: Some(called(words, entry)), unknown: None },
            None => Self { name: None, unknown: Some((line.number.clone(), job)) },
        }
    }

    /// Says how the number is saved, if it is not in the book.
    pub(super) fn teach(&self, config: &Config, words: &Words, page: &mut Page<'_>) {
        let Some((number, job)) = &self.unknown else { return };
        let address = format!("{}@{}", inquiry::saves(*job), config.setup.domain);
        let slots = [("number", number.as_str()), ("address", &address)];
        let subject = format!("save {number}");
        page.paragraph_to(words.say(Phrase::BookLearn, &slots), address, &subject);
    }
}

fn called(words: &Words, entry: &Entry) -> String {
    let (name, company) = (entry.content.name.as_str(), entry.content.company.as_str());
    match company.is_empty() || company == name {
        true => name.to_owned(),
        false => words.say(Phrase::BookEntry, &[("name", name), ("company", company)]),
    }
}
