//! The mail that answers a mail that asked something (RFC 3834): to the return path of
//! that mail, in its thread, with the null return path of its own.

use std::path::PathBuf;

use postfax_domain::{
    destination::Mailbox,
    job::{Answered, Inquiry, InquiryTopic, Job},
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
    let answer = inquiry.answer.clone();
    let answer = answer.unwrap_or_else(|| Answered::text(words.word(Phrase::AnswerUnsure)));
    let attachment = |name: String, content_type: String, text: String| Attachment {
        name,
        content_type,
        content_id: None,
        source: Source::Bytes(text.into_bytes().into()),
    };
    let data =
        answer.data.map(|json| attachment("answer.json".into(), "application/json".into(), json));
    let file = answer.file.map(|file| attachment(file.name, file.content_type, file.text));
    let topic = |topic| vec![("Reply-To".to_owned(), format!("{topic}@{}", config.setup.domain))];
    let headers = match (inquiry.about, inquiry.topic) {
        (Some(about), _) => vec![reply_to(config, about)],
        (None, InquiryTopic::Book) => topic("book"),
        (None, InquiryTopic::Any) => topic("jobs"),
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
        text: answer.text,
        html: None,
        inline: Vec::new(),
        attachments: file.into_iter().chain(data).collect(),
        delimiters: Delimiters::Random,
    };
    let body = letter.write_body(&path)?;
    // Nobody is told that an answer could not be delivered (RFC 3834 3.3).
    Ok(Written { body, from: None, to: to.address.clone() })
}
