//! A mail to the postmaster, when something needs a person.

use std::path::PathBuf;

use postfax_domain::{
    destination::Mailbox,
    job::{Alarm, Job},
};
use postfax_gateway::{
    compose::{Automatic, Delimiters, Head, Letter},
    message,
};

use super::{LetterError, Written, message_id, page::Page, words_of, zoned};
use crate::{
    config::{Config, Phrase},
    daemon::Context,
};

pub(super) async fn write(
    context: &Context,
    config: &Config,
    alarm: &Alarm,
    job: &Job,
    to: &Mailbox,
    path: PathBuf,
) -> Result<Written, LetterError> {
    let words = words_of(config, None);
    let server = match alarm {
        Alarm::Lost(_, server) | Alarm::Drifted { server, .. } => server.to_string(),
        _ => String::new(),
    };
    let (subject, text) = match alarm {
        Alarm::Unrouted(_) => (Phrase::UnroutedSubject, Phrase::Unrouted),
        Alarm::Undeliverable(_) => (Phrase::UndeliverableSubject, Phrase::Undeliverable),
        Alarm::Returned(_) => (Phrase::ReturnedSubject, Phrase::Returned),
        Alarm::Lost(..) => (Phrase::LostSubject, Phrase::Lost),
        Alarm::Untold(_) => (Phrase::UntoldSubject, Phrase::Untold),
        Alarm::Drifted { .. } => (Phrase::DriftedSubject, Phrase::Drifted),
        Alarm::Many(_) => (Phrase::ManySubject, Phrase::Many),
    };
    let id = alarm.job().map(|id| id.to_string());
    let values = [("job", id.clone().unwrap_or_default()), ("server", server)];
    let values = values.each_ref().map(|(slot, value)| (*slot, value.as_str()));
    let mut page = Page::new(words);
    page.paragraph(words.say(text, &values));
    if let Alarm::Drifted { changes, .. } = alarm {
        page.list(Phrase::Changes, changes.iter().map(ToString::to_string));
        page.paragraph(words.say(Phrase::SeeSettings, &values));
    }
    if id.is_some() {
        page.paragraph(words.say(Phrase::See, &values));
    }
    let letter = Letter {
        head: Head {
            from: message::Mailbox {
                name: Some("Postfax".into()),
                address: config.delivery.from.clone(),
            },
            to: message::Mailbox { name: None, address: to.address.clone() },
            subject: words.say(subject, &values),
            date: zoned(config, job.created),
            message_id: message_id(context, config, job),
            in_reply_to: None,
            language: Some(words.tag().to_owned()),
            headers: Vec::new(),
        },
        automatic: Some(Automatic::Generated),
        text: page.text(),
        html: None,
        inline: Vec::new(),
        attachments: Vec::new(),
        delimiters: Delimiters::Random,
    };
    let body = letter.write_body(&path)?;
    Ok(Written { body, from: None, to: to.address.clone() })
}
