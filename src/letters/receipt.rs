//! The receipt: a delivery status notification (RFC 3464) with a part for people
//! and a picture of page one.

use std::path::PathBuf;

use postfax_domain::{
    destination::{Destination, FaxAddress, Mailbox},
    job::{Attempt, Carrier, End, Job, Sent, State},
    names::JobId,
    outcome::Outcome,
};
use postfax_gateway::{
    compose::{Attachment, Delimiters, Source},
    dsn::{Action, Original, RecipientReport, Report, Typed},
    message,
};

use super::{LetterError, Written, message_id, moment, pages, zoned};
use crate::{config::Config, daemon::Context};

pub(super) async fn write(
    context: &Context,
    config: &Config,
    of: JobId,
    job: &Job,
    to: &Mailbox,
    path: PathBuf,
) -> Result<Written, LetterError> {
    let fax = context.reader.job(of).await?.ok_or(LetterError::Forgotten(of))?;
    let (Some(sent), Destination::Fax(address)) = (fax.sender(), &fax.destination) else {
        return Err(LetterError::Forgotten(of));
    };
    let report = Report {
        from: message::Mailbox { name: Some("Fax".into()), address: config.delivery.from.clone() },
        to: message::Mailbox { name: None, address: to.address.clone() },
        subject: subject(&fax, address),
        date: zoned(config, job.created),
        message_id: message_id(context, config, job),
        in_reply_to: sent.message_id.clone(),
        language: Some("en".into()),
        headers: Vec::new(),
        reporting_mta: config.hostname.clone(),
        envelope_id: sent.envelope_id.clone(),
        arrival: Some(zoned(config, fax.created)),
        recipients: vec![recipient(config, &fax, sent, address)],
        text: text(config, &fax, sent, address),
        html: None,
        inline: picture(context, &fax).await,
        original: original(context, &fax, sent),
        delimiters: Delimiters::Random,
    };
    let file = path.clone();
    let writing = tokio::task::spawn_blocking(move || report.write_file(&file));
    writing.await.map_err(|bug| LetterError::Bug(bug.to_string()))??;
    // Nothing is ever told about a receipt (RFC 3464 2, RFC 5321 4.5.5).
    Ok(Written { path, from: None, to: to.address.clone() })
}

fn end(fax: &Job) -> End {
    match fax.state {
        State::Ended { end, .. } => end,
        _ => End::Failed(Outcome::Unknown),
    }
}

/// The outcome that the receipt is about.
fn cause(fax: &Job) -> Outcome {
    match end(fax) {
        End::Delivered => Outcome::Delivered,
        End::Failed(cause) => cause,
        End::Cancelled => Outcome::Cancelled,
    }
}

fn subject(fax: &Job, to: &FaxAddress) -> String {
    let what = match end(fax) {
        End::Delivered => "Fax delivered",
        End::Failed(_) => "Fax NOT delivered",
        End::Cancelled => "Fax cancelled",
    };
    match fax.sender().and_then(|sent| sent.subject.as_ref()) {
        Some(subject) => format!("{what}: {} ({subject})", to.number),
        None => format!("{what}: {}", to.number),
    }
}

fn total(fax: &Job) -> u32 {
    fax.document.as_ref().map_or(0, |document| document.pages)
}

fn recipient(config: &Config, fax: &Job, sent: &Sent, to: &FaxAddress) -> RecipientReport {
    let cause = cause(fax);
    let last = fax.attempts.last();
    let ledger = last.map(|attempt| &attempt.ledger);
    let said = last.and_then(|a| a.ended.as_ref()).map(|end| end.said.clone());
    let action = if cause == Outcome::Delivered { Action::Delivered } else { Action::Failed };
    let diagnostic = said.filter(|said| !said.is_empty() && action == Action::Failed);
    let extensions = [
        ("X-Fax-Pages", Some(format!("{}/{}", fax.confirmed, total(fax)))),
        ("X-Fax-Remote-ID", ledger.and_then(|ledger| ledger.remote_id.clone())),
        ("X-Fax-Speed", ledger.and_then(|ledger| ledger.bit_rate).map(|rate| rate.to_string())),
        ("X-Fax-Duration", ledger.map(|ledger| ledger.duration.as_secs().to_string())),
        ("X-Fax-Attempts", Some(attempts(fax).to_string())),
        ("X-Fax-Server", last.and_then(server)),
    ];
    RecipientReport {
        original_recipient: sent
            .original_recipient
            .as_ref()
            .map(|(kind, address)| Typed::new(kind.clone(), address.clone())),
        final_recipient: to.as_written.clone(),
        action,
        status: cause.row().status.into(),
        status_comment: Some(cause.text().into()),
        remote_mta: Some(Typed::new("x-fax", to.number.to_string())),
        diagnostic: diagnostic.map(|said| Typed::new("x-t30", said)),
        last_attempt: last.map(|attempt| zoned(config, attempt.started)),
        will_retry_until: None,
        final_log_id: Some(format!("job {}", fax.id)),
        extensions: extensions
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect(),
    }
}

fn server(attempt: &Attempt) -> Option<String> {
    match &attempt.carrier {
        Carrier::Server(server) => Some(server.to_string()),
        Carrier::Mail => None,
    }
}

fn attempts(fax: &Job) -> u32 {
    fax.attempts.last().map_or(0, |attempt| attempt.number)
}

fn text(config: &Config, fax: &Job, sent: &Sent, to: &FaxAddress) -> String {
    let cause = cause(fax);
    let arrived = match (end(fax), fax.confirmed, total(fax)) {
        (End::Delivered, _, all) => {
            format!(
                "Your fax of {} was delivered: the other machine confirmed every page.",
                pages(all)
            )
        }
        (End::Cancelled, 0, _) => "Your fax was cancelled. No page of it was confirmed.".into(),
        (End::Cancelled, some, all) => {
            format!("Your fax was cancelled. {} of {all} had been confirmed.", pages(some))
        }
        (End::Failed(_), 0, _) => {
            format!("Your fax was NOT delivered: {}. No page of it was confirmed.", cause.text())
        }
        (End::Failed(_), some, all) => format!(
            "Your fax was NOT delivered completely: {}. Pages 1 to {some} of {all} were confirmed.",
            cause.text()
        ),
    };
    let mut lines = vec![arrived, String::new()];
    let mut line = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("{name:<12}{value}")));
    };
    let last = fax.attempts.last();
    line("To:", Some(to.number.to_string()));
    line("Attention:", to.attention.clone());
    line("Subject:", sent.subject.clone());
    line("Accepted:", Some(moment(config, fax.created)));
    if let State::Ended { at, .. } = fax.state {
        line("Ended:", Some(moment(config, at)));
    }
    line("Remote:", last.and_then(|attempt| attempt.ledger.remote_id.clone()));
    line("Speed:", last.and_then(|a| a.ledger.bit_rate).map(|rate| format!("{rate} bit/s")));
    line("Job:", Some(fax.id.to_string()));
    lines.extend([String::new(), "Attempts:".into()]);
    lines.extend(fax.attempts.iter().map(|attempt| story(config, attempt)));
    lines.push(String::new());
    lines.join("\n")
}

fn story(config: &Config, attempt: &Attempt) -> String {
    let by = server(attempt).unwrap_or_default();
    let began = moment(config, attempt.started);
    match &attempt.ended {
        None => format!("  {}. {began} by {by}: under way", attempt.number),
        Some(end) => format!(
            "  {}. {began} by {by}: {} ({} confirmed, {} s)",
            attempt.number,
            end.outcome.text(),
            pages(attempt.ledger.confirmed),
            end.at.since(attempt.started).as_secs(),
        ),
    }
}

async fn picture(context: &Context, fax: &Job) -> Vec<Attachment> {
    let Some(document) = &fax.document else { return Vec::new() };
    let tiff = context.reader.documents.document(&document.digest);
    let drawing = tokio::task::spawn_blocking(move || postfax_hw::pages::preview::png(&tiff, 0));
    match drawing.await {
        Ok(Ok(png)) => vec![Attachment {
            name: "page-1.png".into(),
            content_type: "image/png".into(),
            content_id: None,
            source: Source::Bytes(png),
        }],
        // The receipt matters more than its picture.
        _ => Vec::new(),
    }
}

fn original(context: &Context, fax: &Job, sent: &Sent) -> Original {
    let mail = context.reader.documents.mail(&sent.message);
    if !mail.exists() {
        return Original::None;
    }
    match end(fax) {
        End::Failed(_) if sent.return_mail => Original::Full(mail),
        _ => Original::Headers(mail),
    }
}
