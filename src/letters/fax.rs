//! The mail that brings a received fax.

use std::path::PathBuf;

use postfax_domain::{
    destination::Mailbox,
    job::Job,
    route::Arrival,
    setup::{Client, Format, Receive},
};
use postfax_gateway::{
    compose::{Attachment, Automatic, Delimiters, Letter, Source},
    message,
};
use tracing::warn;

use super::{LetterError, Written, message_id, moment, pages, zoned};
use crate::{config::Config, daemon::Context};

pub(super) async fn write(
    context: &Context,
    config: &Config,
    job: &Job,
    fax: &Arrival,
    to: &Mailbox,
    path: PathBuf,
) -> Result<Written, LetterError> {
    let client = to.client.as_ref().and_then(|name| config.setup.clients.get(name));
    let (attachments, preview, spooled) = attach(context, config, fax, client).await;
    let letter = Letter {
        from: from(config, fax),
        to: message::Mailbox { name: None, address: to.address.clone() },
        subject: subject(fax),
        date: zoned(config, fax.received),
        message_id: message_id(context, config, job),
        in_reply_to: None,
        headers: headers(config, fax),
        automatic: Some(Automatic::Generated),
        text: text(config, fax),
        html: None,
        inline: preview,
        attachments,
        delimiters: Delimiters::Random,
    };
    let file = path.clone();
    let writing = tokio::task::spawn_blocking(move || letter.write_file(&file));
    let written = writing.await;
    if let Some(spooled) = spooled {
        let _ = tokio::fs::remove_file(spooled).await;
    }
    written.map_err(|bug| LetterError::Bug(bug.to_string()))??;
    // Losing a fax matters, so that the mail server may tell us (RFC 5321 4.5.5).
    Ok(Written { path, from: Some(config.delivery.from.clone()), to: to.address.clone() })
}

/// A reply goes back to the caller as a fax (RFC 4160 4.2.3).
fn from(config: &Config, fax: &Arrival) -> message::Mailbox {
    match &fax.caller {
        Some(caller) => message::Mailbox {
            name: Some(format!("Fax {}", who(fax))),
            address: format!("FAX={caller}@{}", config.setup.domain),
        },
        None => message::Mailbox {
            name: Some(format!("Fax {}", who(fax))),
            address: config.delivery.from.clone(),
        },
    }
}

fn who(fax: &Arrival) -> String {
    let named = fax.caller_name.as_ref().or(fax.tsi.as_ref());
    match (&fax.caller, named) {
        (Some(number), Some(name)) => format!("{number} ({name})"),
        (Some(number), None) => number.to_string(),
        (None, Some(name)) => name.clone(),
        (None, None) => "from an unknown number".into(),
    }
}

fn subject(fax: &Arrival) -> String {
    let damaged = if fax.error.is_some() { ", incomplete" } else { "" };
    format!("Fax from {}, {}{damaged}", who(fax), pages(fax.document.pages))
}

fn text(config: &Config, fax: &Arrival) -> String {
    let mut lines = vec![
        format!("A fax has arrived: {}.", pages(fax.document.pages)),
        String::new(),
        format!("From:      {}", who(fax)),
    ];
    let mut line = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("{name:<11}{value}")));
    };
    line("To:", fax.called.as_ref().map(ToString::to_string));
    line("Station:", fax.tsi.clone());
    line("Extension:", fax.subaddress.clone());
    line("Received:", Some(moment(config, fax.received)));
    line("Duration:", Some(format!("{} s", fax.duration.as_secs())));
    line("Speed:", fax.bit_rate.map(|rate| format!("{rate} bit/s")));
    line("Server:", Some(fax.server.to_string()));
    line(
        "Problem:",
        fax.error.as_ref().map(|why| format!("{why}. Pages may be missing or damaged.")),
    );
    if fax.caller.is_some() {
        lines.extend([String::new(), "A reply to this mail goes back as a fax.".into()]);
    }
    lines.push(String::new());
    lines.join("\n")
}

fn headers(config: &Config, fax: &Arrival) -> Vec<(String, String)> {
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
        fax.tsi.as_deref().unwrap_or_default().replace(['"', '\\'], " "),
        config.hostname,
        zoned(config, fax.received).strftime("%a, %d %b %Y %H:%M:%S %z"),
    );
    let mut headers = vec![("Received".to_owned(), received)];
    headers.extend(said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    headers
}

/// The pages in the form that the client wants; as they came when our reader does
/// not understand them.
async fn attach(
    context: &Context,
    config: &Config,
    fax: &Arrival,
    client: Option<&Client>,
) -> (Vec<Attachment>, Vec<Attachment>, Option<PathBuf>) {
    let documents = &context.reader.documents;
    let format = client.map_or_else(Receive::default, |c| c.receive.clone()).format;
    let tiff = documents.document(&fax.document.digest);
    let pdf = documents.spool(&format!("{}.pdf", documents.new_name()));
    let (from, to) = (tiff.clone(), pdf.clone());
    let wrapping = tokio::task::spawn_blocking(move || {
        postfax_hw::pages::pdf::wrap(&from, &to).map_err(|bad| bad.to_string())?;
        postfax_hw::pages::preview::png(&from, 0).map_err(|bad| bad.to_string())
    });
    let wrapped = wrapping.await.unwrap_or_else(|panic| Err(panic.to_string()));
    let name = zoned(config, fax.received).strftime("fax-%Y%m%d-%H%M%S").to_string();
    let as_tiff = Attachment {
        name: format!("{name}.tif"),
        content_type: "image/tiff; application=faxbw".into(),
        content_id: None,
        source: Source::File(tiff),
    };
    let preview = match wrapped {
        Ok(preview) => preview,
        Err(why) => {
            warn!(server = %fax.server, %why, "a received fax goes out as it came");
            return (vec![as_tiff], Vec::new(), None);
        }
    };
    let as_pdf = Attachment {
        name: format!("{name}.pdf"),
        content_type: "application/pdf".into(),
        content_id: None,
        source: Source::File(pdf.clone()),
    };
    let preview = Attachment {
        name: "page-1.png".into(),
        content_type: "image/png".into(),
        content_id: None,
        source: Source::Bytes(preview),
    };
    let attachments = match format {
        Format::Pdf => vec![as_pdf],
        Format::Tiff => vec![as_tiff],
        Format::Both => vec![as_pdf, as_tiff],
    };
    (attachments, vec![preview], Some(pdf))
}
