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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use postfax_domain::{
        book::{self, Content, Label, Order, Owner},
        time::Timestamp,
    };

    use super::*;
    use crate::config;

    fn number(text: &str) -> Number {
        Number::try_from(text.to_owned()).unwrap()
    }

    fn setup() -> Config {
        config::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/good/minimal.toml"))
            .unwrap()
    }

    fn add(
        name: &str,
        company: &str,
        subaddress: Option<&str>,
        owner: Owner,
        label: Label,
    ) -> Order {
        let line = book::Line {
            number: number("+442079460100"),
            subaddress: subaddress.map(str::to_owned),
            options: book::Options::default(),
        };
        let content = Content {
            name: name.into(),
            company: company.into(),
            alias: None,
            note: String::new(),
            tags: std::collections::BTreeSet::new(),
            reach: Reach::Fax(line),
            kept: String::new(),
        };
        Order::Add { uid: name.into(), owner, label, content }
    }

    fn found(
        config: &Config,
        book: &Book,
        client: Option<&str>,
        subaddress: Option<&str>,
    ) -> Other {
        let words = config.letters.languages.of("en");
        let client = client.map(|name| ClientName::new(name).unwrap());
        let number = number("+442079460100");
        let line = Line { number: &number, subaddress };
        Other::find(book, config, words, client.as_ref(), line, JobId(12))
    }

    #[test]
    fn a_number_is_named_as_the_client_sees_it() {
        let config = setup();
        let client = config.setup.clients.keys().next().unwrap().clone();
        let (anna, own) = (Some(client.as_str()), Owner::Client(client.clone()));
        let mut book = Book::default();
        assert_eq!(
            found(&config, &book, anna, None).unknown,
            Some((number("+442079460100"), JobId(12)))
        );
        assert_eq!(found(&config, &book, None, None), Other::default(), "nobody's book");
        assert_eq!(found(&config, &book, Some("stranger"), None), Other::default());
        let public = add("Fire", "", None, Owner::Supervisor, Label::Everyone);
        let hidden = add("Hidden", "", None, Owner::Supervisor, Label::private());
        let administrator = Who::Administrator;
        book.write_all(&config.setup, &administrator, &[hidden], Timestamp(1)).unwrap();
        assert_eq!(found(&config, &book, anna, None).name, None, "it is not there");
        book.write_all(&config.setup, &administrator, &[public], Timestamp(2)).unwrap();
        assert_eq!(found(&config, &book, anna, None).name.as_deref(), Some("Fire"));
        let orders = [
            add("Acme", "Acme", None, own.clone(), Label::private()),
            add("Anna", "Acme Ltd", Some("12"), own, Label::private()),
        ];
        book.write_all(&config.setup, &Who::Client(client.clone()), &orders, Timestamp(3)).unwrap();
        for (subaddress, name) in
            [(None, "Acme"), (Some("12"), "Anna, Acme Ltd"), (Some("9"), "Acme")]
        {
            let other = found(&config, &book, anna, subaddress);
            assert_eq!((other.name.as_deref(), other.unknown), (Some(name), None));
        }
    }

    #[test]
    fn every_language_says_how_a_number_is_saved() {
        let config = setup();
        let client = config.setup.clients.keys().next().unwrap().clone();
        let other = found(&config, &Book::default(), Some(client.as_str()), None);
        let domain = &config.setup.domain;
        for language in ["en", "de", "fr", "ja"] {
            let words = config.letters.languages.of(language);
            let mut page = Page::new(words);
            other.teach(&config, words, &mut page);
            let (text, html) = (page.text(), page.html("x"));
            let address = format!("book+save.12@{domain}");
            assert!(text.contains("+442079460100") && text.contains(&address), "{text}");
            let link = format!(
                "<a href=\"mailto:{address}?subject=save%20%2B442079460100\">{address}</a>"
            );
            assert!(html.contains(&link), "{html}");
        }
    }
}
