//! The mail that brings a received fax.

use std::{path::PathBuf, sync::Arc};

use postfax_domain::{
    destination::Mailbox,
    job::Job,
    route::Arrival,
    setup::{Format, Receive, TextLayer, Trim},
};
use postfax_gateway::{
    compose::{Attachment, Automatic, Delimiters, Head, Letter, Source},
    message,
};
use postfax_hw::pages::{
    pdf::{About, Moment},
    received::Received,
    tiff::TiffError,
};
use tracing::warn;

use super::{
    LetterError, Written,
    findings::Findings,
    first_page, message_id,
    other::{Line, Other},
    page::Page,
    reading, words_of, zoned,
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
    let calling = fax.calling(config.setup.country);
    let subaddress = None;
    let line = calling.as_ref().map(|number| Line { number, subaddress });
    let find =
        |line| Other::find(&context.book.load(), config, words, to.client.as_ref(), line, job.id);
    let other = line.map(find).unwrap_or_default();
    let receive = client.map_or_else(Receive::default, |client| client.receive.clone());
    let subject = subject(words, fax, &other);
    let about = about(words, fax, &subject);
    let Pages { attachments, preview, findings } =
        pages(context, config, fax, &receive, about, &id).await;
    let page = page(config, words, fax, &other, &findings);
    let html = preview.as_ref().and_then(|one| Some(page.html(one.content_id.as_deref()?)));
    let letter = Letter {
        head: Head {
            from: from(config, words, fax, &other),
            to: message::Mailbox { name: None, address: to.address.clone() },
            subject,
            date: zoned(config, fax.received),
            message_id: id,
            in_reply_to: None,
            language: Some(words.tag().to_owned()),
            headers: headers(config, fax, &findings),
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
    findings: &Findings,
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
        (Phrase::FaxCode, (!fax.codes.is_empty()).then(|| fax.codes.join(", "))),
        (Phrase::Received, Some(words.moment(&zoned(config, fax.received)))),
        (Phrase::Duration, Some(words.count(Phrase::Seconds, fax.duration.as_secs()))),
        (Phrase::LineSpeed, fax.bit_rate.map(|rate| words.count(Phrase::Speed, rate))),
        (Phrase::Server, Some(fax.server.to_string())),
        (Phrase::Problem, fax.error.as_ref().map(problem)),
    ]);
    findings.say(words, &mut page);
    if fax.caller.is_some() {
        page.paragraph(words.word(Phrase::FaxReply));
    }
    other.teach(config, words, &mut page);
    page
}

pub(super) fn headers(
    config: &Config,
    fax: &Arrival,
    findings: &Findings,
) -> Vec<(String, String)> {
    let quality = match (&fax.error, findings.damaged.is_empty()) {
        (Some(_), _) => "errors",
        (None, false) => "damaged",
        (None, true) => "clean",
    };
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
        ("X-Fax-Quality", Some(quality.into())),
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
    headers.extend(fax.codes.iter().map(|code| ("X-Fax-Code".to_owned(), code.clone())));
    headers.extend(findings.headers());
    headers
}

/// What may stand in a comment of a structured field as it is: nothing that would end it
/// (RFC 5322 3.2.2), and nothing that would be encoded, since programs read the field.
fn in_comment(text: &str) -> String {
    let plain = |c: char| (c.is_ascii_graphic() || c == ' ') && !"\"\\()=".contains(c);
    text.chars().take(MAX_TSI_CHARS).map(|c| if plain(c) { c } else { ' ' }).collect()
}

/// What the PDF says of itself: nothing that would differ at another delivery.
fn about(words: &Words, fax: &Arrival, subject: &str) -> About {
    let at = fax.received.0.div_euclid(1000);
    let at = jiff::Timestamp::from_second(at).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    let small = |number: i8| u8::try_from(number).unwrap_or(0);
    let created = u16::try_from(at.year()).ok().map(|year| Moment {
        year,
        month: small(at.month()),
        day: small(at.day()),
        hour: small(at.hour()),
        minute: small(at.minute()),
        second: small(at.second()),
    });
    About {
        title: subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        language: words.tag().to_owned(),
        created,
        id: fax.document.digest.0.clone(),
    }
}

/// The pages as they go into the mail.
struct Pages {
    attachments: Vec<Attachment>,
    preview: Option<Attachment>,
    findings: Findings,
}

/// The pages in the form that the client wants; as they came when our reader does
/// not understand them.
async fn pages(
    context: &Context,
    config: &Config,
    fax: &Arrival,
    receive: &Receive,
    about: About,
    message_id: &str,
) -> Pages {
    let tiff = context.reader.documents.document(&fax.document.digest);
    let name = zoned(config, fax.received).strftime("fax-%Y%m%d-%H%M%S").to_string();
    let as_tiff = Attachment {
        name: format!("{name}.tif"),
        content_type: "image/tiff; application=faxbw".into(),
        content_id: None,
        source: Source::File(tiff.clone()),
    };
    let shown = match show(context, config, fax, receive, about).await {
        Ok(shown) => shown,
        Err(why) => {
            warn!(server = %fax.server, %why, "a received fax goes out as it came");
            let findings = Findings::default();
            return Pages { attachments: vec![as_tiff], preview: None, findings };
        }
    };
    let as_pdf = shown.pdf.map(|pdf| Attachment {
        name: format!("{name}.pdf"),
        content_type: "application/pdf".into(),
        content_id: None,
        source: Source::Bytes(pdf.into()),
    });
    let as_tiff = (receive.format != Format::Pdf).then_some(as_tiff);
    Pages {
        attachments: as_pdf.into_iter().chain(as_tiff).collect(),
        preview: Some(first_page(shown.preview, message_id)),
        findings: shown.findings,
    }
}

/// A fax as it is shown.
struct Shown {
    /// All that is not left out; `None` for who wants none.
    pdf: Option<Vec<u8>>,
    preview: Vec<u8>,
    findings: Findings,
}

async fn show(
    context: &Context,
    config: &Config,
    fax: &Arrival,
    receive: &Receive,
    about: About,
) -> Result<Shown, String> {
    let path = context.reader.documents.document(&fax.document.digest);
    let wants_pdf = receive.format != Format::Tiff;
    let trim = match wants_pdf {
        true => receive.trim.unwrap_or(config.received.trim),
        false => Trim::default(),
    };
    let reading = blocking(move || Received::read(&path, trim));
    let received = Arc::new(reading.await?);
    let mut findings = Findings::of(&received, wants_pdf);
    let text = receive.text.unwrap_or(config.received.text);
    let words = match (wants_pdf, text) {
        (true, TextLayer::Pdf) => {
            let words = reading::words(context, config, &fax.document.digest, &received).await;
            let on_pages = |page: &usize| words.contains_key(page);
            findings.read =
                Some((received.shown().filter(on_pages).count(), received.shown().count()));
            words
        }
        (false, _) | (_, TextLayer::Off) => Arc::default(),
    };
    let drawing = blocking(move || {
        let pdf = wants_pdf.then(|| received.pdf(&about, &words)).transpose()?;
        Ok((pdf, received.preview()?))
    });
    let (pdf, preview) = drawing.await?;
    Ok(Shown { pdf, preview, findings })
}

/// Does what takes long where it holds nobody up.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TiffError> + Send + 'static,
) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|bad| bad.to_string()),
        Err(bug) => Err(bug.to_string()),
    }
}
