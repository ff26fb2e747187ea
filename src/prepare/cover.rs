//! What stands on the cover of one fax: what the address, the phone book, the client and
//! the mail say, in this order. How it is laid out is the template's.

use std::collections::BTreeMap;

use postfax_domain::{destination::FaxAddress, time::Timestamp};
use postfax_gateway::message::Message;
use postfax_hw::pages::cover::{Cover, Field, Written};

use super::{
    contents::Form,
    pages::{Fax, Press},
};
use crate::config::{Config, Words};

/// Longest value of a field, in characters: a subject may be as long as a page.
const MAX_FIELD_CHARS: usize = 300;

/// All that tells one cover of a mail from another: its text and picture are the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Face {
    template: String,
    fields: BTreeMap<Field, String>,
    pages_after: u32,
}

impl Face {
    /// The face of a fax that `pages_after` pages follow.
    pub(super) fn of(press: &Press, fax: &Fax, template: &str, pages_after: u32) -> Self {
        let mut fields = BTreeMap::new();
        for (field, value) in known(press, fax) {
            let value: String = value.trim().chars().take(MAX_FIELD_CHARS).collect();
            if !value.is_empty() {
                fields.insert(field, value);
            }
        }
        Self { template: template.to_owned(), fields, pages_after }
    }

    /// The whole cover, as the child process reads it.
    pub(super) fn written(self, press: &Press, form: Form) -> Vec<u8> {
        let cover = &press.config.cover;
        let language = words_of(&press.config, press).tag();
        let (message, written) = match press.contents.html() {
            Some(html) if form == Form::Written => (html, Written::Html),
            _ => (press.contents.words(), Written::Plain),
        };
        let cover = Cover {
            template: cover.text(&self.template, language).to_owned(),
            logo: cover.logo.clone(),
            fields: self.fields,
            message: message.to_owned(),
            written,
            pages_after: self.pages_after,
        };
        serde_json::to_vec(&cover).expect("a cover can be written as JSON")
    }
}

fn known(press: &Press, fax: &Fax) -> impl Iterator<Item = (Field, String)> {
    let (config, message) = (&press.config, &press.contents.message);
    let letterhead = config.letterheads.get(&press.client).cloned().unwrap_or_default();
    let from = message.from();
    let named = fax.to.named.as_ref();
    let written = from.as_ref().and_then(|from| from.name.clone());
    let from_name = fax.wanted.from.clone().or(written).or(letterhead.full_name);
    let company = named.map(|named| named.company.clone());
    let to_company = fax.wanted.company.clone().or(company);
    let words = words_of(config, press);
    let all = [
        (Field::ToName, to_name(&fax.to, message)),
        (Field::ToCompany, to_company),
        (Field::ToNumber, Some(fax.to.number.spaced())),
        (Field::FromName, from_name.or_else(|| Some(press.client.to_string()))),
        (Field::FromCompany, letterhead.company),
        (Field::FromMail, from.map(|from| from.address)),
        (Field::FromNumber, letterhead.phone.map(|phone| phone.spaced())),
        (Field::Subject, message.subject()),
        (Field::Date, Some(words.moment(&zoned(config, fax.taken)))),
        (Field::Reference, fax.wanted.reference.clone()),
    ];
    all.into_iter().filter_map(|(field, value)| Some((field, value?)))
}

/// Whom the fax is for: as the address says, as the phone book has it, or as the mail
/// program wrote it before the number.
fn to_name(to: &FaxAddress, message: &Message) -> Option<String> {
    let named = || to.named.as_ref().map(|named| named.entry.clone());
    let shown = || {
        let all = ["To", "Cc"].into_iter().flat_map(|field| message.mailboxes(field));
        let mut own = all.filter(|one| one.address.eq_ignore_ascii_case(&to.as_written));
        let name = own.find_map(|one| one.name)?;
        // Programs without a name show the address again.
        let is_name = name.chars().any(char::is_alphabetic) && !name.contains('@');
        is_name.then_some(name)
    };
    to.attention.clone().or_else(named).or_else(shown)
}

fn words_of<'c>(config: &'c Config, press: &Press) -> &'c Words {
    let client = config.setup.clients.get(&press.client);
    let language = client.map_or(&config.letters.language, |client| &client.receive.language);
    config.letters.languages.of(language)
}

fn zoned(config: &Config, at: Timestamp) -> jiff::Zoned {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    at.to_zoned(config.timezone.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use postfax_domain::{book::Owner, destination::Named, number::Number, options::Asked};
    use postfax_gateway::message::Limits;

    use super::*;

    fn to() -> FaxAddress {
        FaxAddress {
            number: Number::try_from("+442079460100".to_owned()).unwrap(),
            subaddress: None,
            attention: None,
            as_written: "+442079460100@fax.example.com".into(),
            named: None,
            asked: Asked::default(),
        }
    }

    #[test]
    fn the_name_is_the_nearest_that_somebody_wrote() {
        let mail = "To: \"Anne Anderson\" <+442079460100@fax.example.com>,\r\n \
                    \"+33@fax.example.com\" <+33140000000@fax.example.com>\r\n\r\nx\r\n";
        let message = Message::parse(mail.into(), &Limits::default()).unwrap();
        assert_eq!(to_name(&to(), &message).as_deref(), Some("Anne Anderson"));
        let named = Named {
            entry: "Acme Ltd".into(),
            company: String::new(),
            list: None,
            owner: Owner::Supervisor,
        };
        let entry = FaxAddress { named: Some(named), ..to() };
        assert_eq!(to_name(&entry, &message).as_deref(), Some("Acme Ltd"));
        let attention = FaxAddress { attention: Some("Sales".into()), ..entry };
        assert_eq!(to_name(&attention, &message).as_deref(), Some("Sales"));
        let number = "+33140000000";
        let other = FaxAddress { as_written: format!("{number}@fax.example.com"), ..to() };
        assert_eq!(to_name(&other, &message), None, "an address is no name");
        assert_eq!(to().number.spaced(), "+44 20 7946 0100");
    }
}
