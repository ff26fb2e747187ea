//! The mail that answers a mail that asked something (RFC 3834): to the return path of
//! that mail, in its thread, with the null return path of its own.

use std::path::PathBuf;

use postfax_domain::{
    destination::Mailbox,
    job::{Inquiry, Job},
};
use postfax_gateway::{
    compose::{Attachment, Automatic, Delimiters, Head, Letter, Source},
    message,
};

use super::{LetterError, Written, message_id, reply_to, words_of, zoned};
use crate::{
    config::{Config, Phrase},
    daemon::Context,
};

pub(super) async fn write(
    context: &Context,
    config: &Config,
    inquiry: &Inquiry,
    job: &Job,
    to: &Mailbox,
    path: PathBuf,
) -> Result<Written, LetterError> {
    let words = words_of(config, Some(&inquiry.client));
    let subject = inquiry.subject.as_deref().unwrap_or(&inquiry.question).trim();
    // RFC 5322 3.6.5: one `Re: ` is enough.
    let again = subject.get(..3).is_some_and(|head| head.eq_ignore_ascii_case("re:"));
    let (text, data) = match &inquiry.answer {
        Some(answer) => (answer.text.clone(), answer.data.clone()),
        None => (words.word(Phrase::AnswerUnsure), None),
    };
    let attachment = |json: String| Attachment {
        name: "answer.json".into(),
        content_type: "application/json".into(),
        content_id: None,
        source: Source::Bytes(json.into_bytes().into()),
    };
    let headers = match inquiry.about {
        Some(about) => vec![reply_to(config, about)],
        None => vec![("Reply-To".to_owned(), format!("jobs@{}", config.setup.domain))],
    };
    let letter = Letter {
        head: Head {
            from: message::Mailbox {
                name: Some(words.word(Phrase::ReceiptSender)),
                address: config.delivery.from.clone(),
            },
            to: message::Mailbox { name: None, address: to.address.clone() },
            subject: if again { subject.to_owned() } else { format!("Re: {subject}") },
            date: zoned(config, job.created),
            message_id: message_id(context, config, job),
            in_reply_to: inquiry.message_id.clone(),
            language: Some(words.tag().to_owned()),
            headers,
        },
        automatic: Some(Automatic::Replied),
        text,
        html: None,
        inline: Vec::new(),
        attachments: data.map(attachment).into_iter().collect(),
        delimiters: Delimiters::Random,
    };
    let body = letter.write_body(&path)?;
    // Nobody is told that an answer could not be delivered (RFC 3834 3.3).
    Ok(Written { body, from: None, to: to.address.clone() })
}
