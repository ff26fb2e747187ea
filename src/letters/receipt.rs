//! The receipt: a delivery status notification (RFC 3464) with a part for people
//! and a picture of page one; or, where that was asked for, a disposition
//! notification (RFC 8098). One receipt is about one recipient.

use std::path::PathBuf;

use postfax_domain::{
    destination::{Destination, FaxAddress, Mailbox},
    job::Job,
    names::JobId,
    notice::{Happened, Report},
    outcome::Outcome,
};
use postfax_gateway::{
    compose::{Attachment, Delimiters, Head, Source},
    dsn::{self, Action, Original, RecipientReport, Typed},
    mdn::{Disposition, Notification},
    message,
};

use super::{
    LetterError, Written, message_id, reply_to,
    story::{Story, server, total},
    zoned,
};
use crate::{
    config::{Config, Phrase},
    daemon::Context,
    store::Mail,
};

/// Octets of a mail that is returned whole: a receipt that the relay finds too large
/// tells nobody anything, and many a relay takes 10 MB.
const MAX_RETURNED_BYTES: u64 = 5 << 20;
/// What RFC 3463 calls the time that is over; of what is only delayed, and of what failed.
const OVERDUE: &str = "4.4.7";
const EXPIRED: &str = "5.4.7";
/// Arrived, but something of it was lost on the way.
const WITH_LOSS: &str = "2.6.4";
/// Still tried, for no cause that has a better number.
const DELAYED: &str = "4.0.0";

pub(super) async fn write(
    context: &Context,
    config: &Config,
    (of, report): (JobId, Report),
    job: &Job,
    to: &Mailbox,
    path: PathBuf,
) -> Result<Written, LetterError> {
    let fax = context.reader.job(of).await?.ok_or(LetterError::Forgotten(of))?;
    let (Some(sent), Destination::Fax(address)) = (fax.sender(), &fax.destination) else {
        return Err(LetterError::Forgotten(of));
    };
    let story = Story::new(config, &fax, sent, address, report).looked_up(&context.book.load());
    let mut head = Head {
        from: message::Mailbox {
            name: Some(story.words.word(Phrase::ReceiptSender)),
            address: config.delivery.from.clone(),
        },
        to: message::Mailbox { name: None, address: to.address.clone() },
        subject: story.subject(),
        date: zoned(config, job.created),
        message_id: message_id(context, config, job),
        in_reply_to: sent.message_id.clone(),
        language: Some(story.words.tag().to_owned()),
        headers: match report {
            // The answer to a disposition goes to the fax machine that it speaks for.
            Report::Disposition => Vec::new(),
            Report::End | Report::Late | Report::Overdue => vec![reply_to(config, of)],
        },
    };
    let picture = picture(context, &fax, &head.message_id).await;
    let page = story.page();
    let html = picture.as_ref().and_then(|one| Some(page.html(one.content_id.as_deref()?)));
    let (text, inline) = (page.text(), picture.into_iter().collect());
    let writing = if report == Report::Disposition {
        head.from =
            message::Mailbox { name: None, address: address.final_recipient(&config.setup.domain) };
        let notification = notification(&story, head, text, html, inline);
        tokio::task::spawn_blocking(move || notification.write_body(&path))
    } else {
        let original = original(context, &story).await?;
        let report = dsn::Report { original, ..delivery_report(&story, head, text, html, inline) };
        tokio::task::spawn_blocking(move || report.write_body(&path))
    };
    let body = writing.await.map_err(|bug| LetterError::Bug(bug.to_string()))??;
    // Nothing is ever told about a receipt (RFC 3464 2, RFC 5321 4.5.5).
    Ok(Written { body, from: None, to: to.address.clone() })
}

pub(super) fn delivery_report(
    story: &Story<'_>,
    head: Head,
    text: String,
    html: Option<String>,
    inline: Vec<Attachment>,
) -> dsn::Report {
    let (config, sent) = (story.config, story.sent);
    dsn::Report {
        head,
        reporting_mta: config.hostname.clone(),
        envelope_id: sent.envelope_id.clone(),
        // We speak for ourselves, whatever a fax server told us (RFC 3464 2.2.3).
        gateway: None,
        received_from: None,
        arrival: Some(zoned(config, story.fax.created)),
        deliver_by: sent.deliver_by.map(|by| zoned(config, by.at)),
        future_release: sent.release.as_ref().map(|release| release.asked.clone()),
        recipients: vec![recipient(story)],
        text,
        html,
        inline,
        original: Original::None,
        delimiters: Delimiters::Random,
    }
}

pub(super) fn notification(
    story: &Story<'_>,
    head: Head,
    text: String,
    html: Option<String>,
    inline: Vec<Attachment>,
) -> Notification {
    let (status, comment) = status(story);
    let disposition = match story.is_failure() {
        true => Disposition::Failed(format!("{status} {}", comment.unwrap_or_default())),
        false => Disposition::Dispatched,
    };
    Notification {
        head,
        reporting_agent: (story.config.hostname.clone(), "Postfax".to_owned()),
        original_recipient: original_recipient(story),
        final_recipient: story.to.final_recipient(&story.config.setup.domain),
        // Without one nobody may be told (RFC 8098 2.1).
        original_message_id: story.sent.message_id.clone().unwrap_or_default(),
        disposition,
        text,
        html,
        inline,
        delimiters: Delimiters::Random,
    }
}

/// ORCPT; without one the alias or the list that was written, by which the sender knows
/// the recipient (RFC 3461 5.2.7).
fn original_recipient(story: &Story<'_>) -> Option<Typed> {
    match &story.sent.original_recipient {
        Some((kind, address)) => Some(Typed::new(kind.clone(), address.clone())),
        None if story.to.named.is_some() => Some(Typed::new("rfc822", story.to.as_written.clone())),
        None => None,
    }
}

fn recipient(story: &Story<'_>) -> RecipientReport {
    let (fax, to): (&Job, &FaxAddress) = (story.fax, story.to);
    let action = action(story.happened);
    let (status, status_comment) = status(story);
    let last = fax.attempts.last();
    let by = last.and_then(server);
    let said = last.and_then(|attempt| attempt.ended.as_ref()).map(|end| end.said.clone());
    let diagnostic = said.filter(|said| !said.is_empty());
    let spoken = last.map(|attempt| attempt.ended.as_ref().map_or(attempt.started, |end| end.at));
    RecipientReport {
        original_recipient: original_recipient(story),
        final_recipient: to.final_recipient(&story.config.setup.domain),
        action,
        status,
        status_comment,
        remote_mta: Some(Typed::new("x-fax", to.number.to_string())),
        diagnostic: diagnostic
            .filter(|_| matches!(action, Action::Failed | Action::Delayed))
            .map(|said| Typed::new("x-t30", said))
            .or_else(|| fax.trouble.clone().map(|words| Typed::new("x-postfax", words))),
        last_attempt: spoken.map(|at| zoned(story.config, at)),
        will_retry_until: story.is_delay().then(|| zoned(story.config, fax.expires)),
        final_log_id: Some(match &by {
            Some(server) => format!("{}@{server}", fax.id),
            None => fax.id.to_string(),
        }),
        extensions: extensions(fax, by),
    }
}

fn extensions(fax: &Job, server: Option<String>) -> Vec<(String, String)> {
    let last = fax.attempts.last();
    let ledger = last.map(|attempt| &attempt.ledger);
    let attempts = last.map_or(0, |attempt| attempt.number);
    let known = [
        ("X-Fax-Pages", Some(format!("{}/{}", fax.confirmed, total(fax)))),
        ("X-Fax-Remote-ID", ledger.and_then(|ledger| ledger.remote_id.clone())),
        ("X-Fax-Speed", ledger.and_then(|ledger| ledger.bit_rate).map(|rate| rate.to_string())),
        ("X-Fax-Duration", ledger.map(|ledger| ledger.duration.as_secs().to_string())),
        ("X-Fax-Attempts", Some(attempts.to_string())),
        ("X-Fax-Server", server),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// RFC 3464 2.3.3.
fn action(happened: Happened) -> Action {
    match happened {
        Happened::Delivered | Happened::Coarser => Action::Delivered,
        Happened::Relayed => Action::Relayed,
        Happened::Late | Happened::Overdue => Action::Delayed,
        Happened::Failed | Happened::Partly | Happened::Expired | Happened::Cancelled => {
            Action::Failed
        }
    }
}

/// The code of RFC 3463 with its comment, which is for machines and administrators
/// and so in English: that of the last cause, even when it is only given up for the
/// number of its tries (RFC 3464 2.3.3).
fn status(story: &Story<'_>) -> (String, Option<String>) {
    let cause = story.cause();
    let (code, comment) = match story.happened {
        Happened::Delivered => (Outcome::Delivered.row().status, Some(Outcome::Delivered.text())),
        Happened::Coarser => (WITH_LOSS, Some("delivered in a coarser resolution")),
        Happened::Relayed => (Outcome::Relayed.row().status, Some(Outcome::Relayed.text())),
        Happened::Overdue => (OVERDUE, Some("later than asked for")),
        Happened::Expired => (EXPIRED, Some("delivery time expired")),
        // What is still tried has not failed for good.
        Happened::Late => match cause.map(Outcome::row) {
            Some(row) if row.status.starts_with('4') => (row.status, Some(row.text)),
            _ => (DELAYED, cause.map(Outcome::text)),
        },
        Happened::Failed | Happened::Partly | Happened::Cancelled => {
            let row = cause.unwrap_or(Outcome::Unknown).row();
            (row.status, Some(row.text))
        }
    };
    (code.to_owned(), comment.map(str::to_owned))
}

async fn picture(context: &Context, fax: &Job, message_id: &str) -> Option<Attachment> {
    // What is sent first is what its sender knows it by.
    let document = fax.documents().next()?;
    let tiff = context.reader.documents.document(&document.digest);
    let drawing = tokio::task::spawn_blocking(move || postfax_hw::pages::preview::png(&tiff, 0));
    // The receipt matters more than its picture.
    let png = drawing.await.ok()?.ok()?;
    Some(super::first_page(png, message_id))
}

/// RET (RFC 3461 4.3): the whole message only with a failure, and only when it was
/// asked for; else its header fields.
async fn original(context: &Context, story: &Story<'_>) -> Result<Original, LetterError> {
    let (source, bytes) = match context.reader.mail(&story.sent.message).await? {
        None => return Ok(Original::None),
        Some(Mail::File(path)) => {
            let bytes = tokio::fs::metadata(&path).await.map_or(0, |kept| kept.len());
            (Source::File(path), bytes)
        }
        Some(Mail::Row(body)) => (Source::Bytes(body.clone()), body.len() as u64),
    };
    Ok(match returns_whole(story, bytes) {
        true => Original::Full(source),
        false => Original::Headers(source),
    })
}

pub(super) fn returns_whole(story: &Story<'_>, mail_bytes: u64) -> bool {
    story.is_failure() && story.sent.return_mail && mail_bytes <= MAX_RETURNED_BYTES
}
