//! A mail to the postmaster, when something needs a person.

use std::path::PathBuf;

use postfax_domain::{
    destination::Mailbox,
    job::{Alarm, Job, Tried},
    webhook::Trouble,
};
use postfax_gateway::{
    compose::{Automatic, Delimiters, Head, Letter},
    message,
};

use super::{LetterError, Written, message_id, page::Page, words_of, zoned};
use crate::{
    config::{Config, Phrase, Words},
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
    let (subject, page) = said(words, alarm);
    let letter = Letter {
        head: Head {
            from: message::Mailbox {
                name: Some("Postfax".into()),
                address: config.delivery.from.clone(),
            },
            to: message::Mailbox { name: None, address: to.address.clone() },
            subject,
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

/// The subject, and what is under it.
fn said<'w>(words: &'w Words, alarm: &Alarm) -> (String, Page<'w>) {
    let server = match alarm {
        Alarm::Lost(_, server)
        | Alarm::Drifted { server, .. }
        | Alarm::NotSet { server, .. }
        | Alarm::NotRead { server, .. }
        | Alarm::Line { server, .. } => server.to_string(),
        _ => String::new(),
    };
    let (subject, text) = phrases(alarm);
    let hook = match alarm {
        Alarm::Webhook { hook, .. } => hook.as_str(),
        _ => "",
    };
    let line = match alarm {
        Alarm::Line { line, .. } => line.as_str(),
        _ => "",
    };
    let id = alarm.job().map(|id| id.to_string());
    let values = [
        ("job", id.clone().unwrap_or_default()),
        ("server", server),
        ("hook", hook.into()),
        ("line", line.into()),
    ];
    let values = values.each_ref().map(|(slot, value)| (*slot, value.as_str()));
    let mut page = Page::new(words);
    page.paragraph(words.say(text, &values));
    if let Alarm::Drifted { changes, .. } = alarm {
        page.list(Phrase::Changes, changes.iter().map(ToString::to_string));
        page.paragraph(words.say(Phrase::SeeSettings, &values));
    }
    if let Alarm::NotSet { why, .. } | Alarm::NotRead { why, .. } = alarm {
        page.facts([(Phrase::Problem, Some(why.clone()))]);
        page.paragraph(words.say(Phrase::SeeSettings, &values));
    }
    if let Alarm::Line { why, .. } = alarm {
        page.facts([(Phrase::Problem, Some(why.clone()))]);
    }
    if let Alarm::Webhook { .. } = alarm {
        page.paragraph(words.say(Phrase::SeeHooks, &values));
    }
    if id.is_some() {
        page.paragraph(words.say(Phrase::See, &values));
    }
    (words.say(subject, &values), page)
}

/// Its subject, and what it says.
fn phrases(alarm: &Alarm) -> (Phrase, Phrase) {
    match alarm {
        Alarm::Unrouted(_) => (Phrase::UnroutedSubject, Phrase::Unrouted),
        Alarm::Undeliverable(_) => (Phrase::UndeliverableSubject, Phrase::Undeliverable),
        Alarm::Returned(_) => (Phrase::ReturnedSubject, Phrase::Returned),
        Alarm::Lost(..) => (Phrase::LostSubject, Phrase::Lost),
        Alarm::Untold(_) => (Phrase::UntoldSubject, Phrase::Untold),
        Alarm::Drifted { .. } => (Phrase::DriftedSubject, Phrase::Drifted),
        Alarm::NotSet { again: Tried::ByHand, .. } => (Phrase::NotSetSubject, Phrase::NotSet),
        Alarm::NotSet { again: Tried::ByItself, .. } => (Phrase::NotSetSubject, Phrase::NotSetYet),
        Alarm::NotRead { .. } => (Phrase::NotReadSubject, Phrase::NotRead),
        Alarm::Line { .. } => (Phrase::LineSubject, Phrase::Line),
        Alarm::Webhook { trouble: Trouble::GivenUp, .. } => {
            (Phrase::HookGivenUpSubject, Phrase::HookGivenUp)
        }
        Alarm::Webhook { trouble: Trouble::Full, .. } => {
            (Phrase::HookFullSubject, Phrase::HookFull)
        }
        Alarm::Webhook { trouble: Trouble::Gone, .. } => {
            (Phrase::HookGoneSubject, Phrase::HookGone)
        }
        Alarm::Many(_) => (Phrase::ManySubject, Phrase::Many),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use postfax_domain::{
        names::{HookName, JobId, ServerName},
        settings::{Change, Name, Value},
    };

    use super::*;

    #[test]
    fn an_alarm_names_its_job_or_its_server() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/good/minimal.toml");
        let config = crate::config::load(&file).unwrap();
        let server = ServerName::new("london-1").unwrap();
        let name = Name::of_server("max_dials");
        let change = Change { name, from: Some(Value::Number(3)), to: None };
        let not_set = |again| Alarm::NotSet {
            server: server.clone(),
            version: 3,
            why: "550 No such thing".into(),
            again,
        };
        let (by_hand, by_itself) = (not_set(Tried::ByHand), not_set(Tried::ByItself));
        let unread = Alarm::NotRead { server: server.clone(), why: "451 Denied".into() };
        let broken = Alarm::Line {
            server: server.clone(),
            line: "ttyACM0".into(),
            why: "it does not answer AT".into(),
        };
        let drifted = Alarm::Drifted { server, changes: vec![change] };
        let gone = Alarm::Webhook { hook: HookName::new("crm").unwrap(), trouble: Trouble::Gone };
        for (alarm, about, words) in [
            (drifted, "The settings of london-1 were changed", "  max_dials: 3 -> (not set)\n"),
            (by_hand.clone(), "london-1 did not take", "postfax settings push london-1"),
            (by_hand, "london-1", "550 No such thing"),
            (by_itself, "london-1 did not take", "tried again by itself"),
            (unread, "The settings of london-1 cannot be read", "451 Denied"),
            (broken, "Line ttyACM0 of london-1 is out of order", "it does not answer AT"),
            (Alarm::Unrouted(JobId(12)), "(job 12)", "See: postfax show 12"),
            (gone, "The webhook crm wants no more", "postfax webhooks retry crm"),
            (Alarm::Many(Some(JobId(12))), "more alarms", "See: postfax show 12"),
        ] {
            let (subject, page) = said(words_of(&config, None), &alarm);
            assert!(subject.contains(about), "{subject}");
            assert!(page.text().contains(words), "{}", page.text());
        }
        let (_, page) = said(words_of(&config, None), &Alarm::Many(None));
        assert!(!page.text().contains("postfax show"), "{}", page.text());
    }
}
