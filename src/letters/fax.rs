//! The mail that brings a received fax.

use std::path::PathBuf;

use postfax_domain::{
    destination::Mailbox,
    job::Job,
    route::Arrival,
    setup::{Client, Format, Receive},
};
use postfax_gateway::{
    compose::{Attachment, Automatic, Delimiters, Head, Letter, Source},
    message,
};
use tracing::warn;

use super::{
    LetterError, Written, first_page, message_id,
    other::{Line, Other},
    page::Page,
    words_of, zoned,
};
use crate::{
    config::{Config, Phrase, Words},
    daemon::Context,
};

/// Characters of a station's name in `Received`: twice those of T.30 5.3.6.2.4.
const MAX_TSI_CHARS: usize = 40;

pub(super) async fn write(
    context: &Context,
    config: &Config,
    job: &Job,
    fax: &Arrival,
    to: &Mailbox,
    path: PathBuf,
) -> Result<Written, LetterError> {
    let client = to.client.as_ref().and_then(|name| config.setup.clients.get(name));
    let words = words_of(config, to.client.as_ref());
    let id = message_id(context, config, job);
    let (attachments, preview) = attach(context, config, fax, client, &id).await;
    let calling = fax.calling(config.setup.country);
    let subaddress = None;
    let line = calling.as_ref().map(|number| Line { number, subaddress });
    let find =
        |line| Other::find(&context.book.load(), config, words, to.client.as_ref(), line, job.id);
    let other = line.map(find).unwrap_or_default();
    let page = page(config, words, fax, &other);
    let html = preview.as_ref().and_then(|one| Some(page.html(one.content_id.as_deref()?)));
    let letter = Letter {
        head: Head {
            from: from(config, words, fax, &other),
            to: message::Mailbox { name: None, address: to.address.clone() },
            subject: subject(words, fax, &other),
            date: zoned(config, fax.received),
            message_id: id,
            in_reply_to: None,
            language: Some(words.tag().to_owned()),
            headers: headers(config, fax),
        },
        automatic: Some(Automatic::Generated),
        text: page.text(),
        html,
        inline: preview.into_iter().collect(),
        attachments,
        delimiters: Delimiters::Random,
    };
    let writing = tokio::task::spawn_blocking(move || letter.write_body(&path));
    let body = writing.await.map_err(|bug| LetterError::Bug(bug.to_string()))??;
    // Losing a fax matters, so that the mail server may tell us (RFC 5321 4.5.5).
    Ok(Written { body, from: Some(config.delivery.from.clone()), to: to.address.clone() })
}

/// A reply goes back to the caller as a fax (RFC 4160 4.2.3).
fn from(config: &Config, words: &Words, fax: &Arrival, other: &Other) -> message::Mailbox {
    let address = match &fax.caller {
        Some(caller) => format!("FAX={caller}@{}", config.setup.domain),
        None => config.delivery.from.clone(),
    };
    let name = words.say(Phrase::FaxSender, &[("who", &who(words, fax, other))]);
    message::Mailbox { name: Some(name), address }
}

fn who(words: &Words, fax: &Arrival, other: &Other) -> String {
    let named = other.name.as_ref().or(fax.caller_name.as_ref()).or(fax.tsi.as_ref());
    if let (None, Some(name), Some(tsi)) = (&fax.caller, &other.name, &fax.tsi) {
        return words.say(Phrase::Named, &[("number", tsi), ("name", name)]);
    }
    match (&fax.caller, named) {
        (Some(number), Some(name)) => {
            words.say(Phrase::Named, &[("number", number.as_str()), ("name", name)])
        }
        (Some(number), None) => number.to_string(),
        (None, Some(name)) => name.clone(),
        (None, None) => words.word(Phrase::UnknownNumber),
    }
}

pub(super) fn subject(words: &Words, fax: &Arrival, other: &Other) -> String {
    let phrase = match &fax.error {
        Some(_) => Phrase::FaxSubjectIncomplete,
        None => Phrase::FaxSubject,
    };
    let pages = words.pages(fax.document.pages);
    words.say(phrase, &[("who", &who(words, fax, other)), ("pages", &pages)])
}

pub(super) fn page<'w>(
    config: &Config,
    words: &'w Words,
    fax: &Arrival,
    other: &Other,
) -> Page<'w> {
    let mut page = Page::new(words);
    let pages = words.pages(fax.document.pages);
    page.paragraph(words.say(Phrase::FaxArrived, &[("pages", &pages)]));
    let problem = |why: &String| words.say(Phrase::FaxProblem, &[("error", why)]);
    page.facts([
        (Phrase::From, Some(who(words, fax, other))),
        (Phrase::To, fax.called.as_ref().map(ToString::to_string)),
        (Phrase::Station, fax.tsi.clone()),
        (Phrase::Extension, fax.subaddress.clone()),
        (Phrase::Received, Some(words.moment(&zoned(config, fax.received)))),
        (Phrase::Duration, Some(words.count(Phrase::Seconds, fax.duration.as_secs()))),
        (Phrase::LineSpeed, fax.bit_rate.map(|rate| words.count(Phrase::Speed, rate))),
        (Phrase::Server, Some(fax.server.to_string())),
        (Phrase::Problem, fax.error.as_ref().map(problem)),
    ]);
    if fax.caller.is_some() {
        page.paragraph(words.word(Phrase::FaxReply));
    }
    other.teach(config, words, &mut page);
    page
}

pub(super) fn headers(config: &Config, fax: &Arrival) -> Vec<(String, String)> {
    let said = [
        ("X-Fax-Caller", fax.caller.as_ref().map(ToString::to_string)),
        ("X-Fax-Called", fax.called.as_ref().map(ToString::to_string)),
        ("X-Fax-TSI", fax.tsi.clone()),
        ("X-Fax-Subaddress", fax.subaddress.clone()),
        ("X-Fax-Pages", Some(fax.document.pages.to_string())),
        ("X-Fax-Duration", Some(fax.duration.as_secs().to_string())),
        ("X-Fax-Speed", fax.bit_rate.map(|rate| rate.to_string())),
        ("X-Fax-Server", Some(fax.server.to_string())),
        ("X-Fax-Id", Some(format!("{}/{}", fax.server, fax.key))),
        ("X-Fax-Quality", Some(if fax.error.is_some() { "errors" } else { "clean" }.into())),
    ];
    let received = format!(
        "from {} (TSI \"{}\") by {} via PSTN; {}",
        fax.caller.as_ref().map_or("unknown", |n| n.as_str()),
        in_comment(fax.tsi.as_deref().unwrap_or_default()),
        config.hostname,
        zoned(config, fax.received).strftime("%a, %d %b %Y %H:%M:%S %z"),
    );
    let mut headers = vec![("Received".to_owned(), received)];
    headers.extend(said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    headers
}

/// What may stand in a comment of a structured field as it is: nothing that would end it
/// (RFC 5322 3.2.2), and nothing that would be encoded, since programs read the field.
fn in_comment(text: &str) -> String {
    let plain = |c: char| (c.is_ascii_graphic() || c == ' ') && !"\"\\()=".contains(c);
    text.chars().take(MAX_TSI_CHARS).map(|c| if plain(c) { c } else { ' ' }).collect()
}

/// The pages in the form that the client wants; as they came when our reader does
/// not understand them.
async fn attach(
    context: &Context,
    config: &Config,
    fax: &Arrival,
    client: Option<&Client>,
    message_id: &str,
) -> (Vec<Attachment>, Option<Attachment>) {
    let documents = &context.reader.documents;
    let format = client.map_or_else(Receive::default, |c| c.receive.clone()).format;
    let tiff = documents.document(&fax.document.digest);
    let from = tiff.clone();
    let showing = tokio::task::spawn_blocking(move || {
        postfax_hw::pages::show(&from).map_err(|bad| bad.to_string())
    });
    let shown = showing.await.unwrap_or_else(|panic| Err(panic.to_string()));
    let name = zoned(config, fax.received).strftime("fax-%Y%m%d-%H%M%S").to_string();
    let as_tiff = Attachment {
        name: format!("{name}.tif"),
        content_type: "image/tiff; application=faxbw".into(),
        content_id: None,
        source: Source::File(tiff),
    };
    let shown = match shown {
        Ok(shown) => shown,
        Err(why) => {
            warn!(server = %fax.server, %why, "a received fax goes out as it came");
            return (vec![as_tiff], None);
        }
    };
    let as_pdf = Attachment {
        name: format!("{name}.pdf"),
        content_type: "application/pdf".into(),
        content_id: None,
        source: Source::Bytes(shown.pdf.into()),
    };
    let attachments = match format {
        Format::Pdf => vec![as_pdf],
        Format::Tiff => vec![as_tiff],
        Format::Both => vec![as_pdf, as_tiff],
    };
    (attachments, Some(first_page(shown.preview, message_id)))
}
