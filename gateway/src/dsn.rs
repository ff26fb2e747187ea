//! Delivery reports: `multipart/report` by RFC 6522, its fields by RFC 3464,
//! with a human part that shows a picture. Writes what it is told; whether a
//! report is due, and in which words, is decided by others.
//!
//! Why a returned message may be cut to its header fields: the original cannot
//! be encoded (RFC 2046 5.2.1), so one with lines that no relay takes would
//! keep the whole report from arriving.

pub mod read;
mod status;

use std::{
    fs::File,
    io::{BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use jiff::Zoned;

use crate::{
    compose::{
        Attachment, Automatic, ComposeError, Delimiters,
        entity::{Boundaries, Content, Entity, each_chunk, unread},
        field::Fields,
        readable,
    },
    message::Mailbox,
};

/// Octets of header fields that are returned at most.
const MAX_RETURNED_HEADERS_BYTES: usize = 64 << 10;
/// Longest line of a message that is returned whole (RFC 5322 2.1.1).
const MAX_LINE_BYTES: usize = 998;

/// What was done for a recipient (RFC 3464 2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Given up.
    Failed,
    /// Still tried.
    Delayed,
    /// The far end confirmed it.
    Delivered,
    /// Handed to somebody who will not report.
    Relayed,
    /// Handed to several others.
    Expanded,
}

/// A value with its registered type, such as `dns` or `x-t30`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// The word before the `;`.
    pub kind: String,
    /// What comes after it.
    pub value: String,
}

impl Typed {
    /// A value of the type `kind`.
    pub fn new(kind: impl Into<String>, value: impl Into<String>) -> Self {
        Self { kind: kind.into(), value: value.into() }
    }
}

/// What became of one recipient (RFC 3464 2.3).
#[derive(Debug, Clone)]
pub struct RecipientReport {
    /// From ORCPT, decoded; absent when the sender gave none.
    pub original_recipient: Option<Typed>,
    /// The address exactly as in RCPT TO.
    pub final_recipient: String,
    /// What was done.
    pub action: Action,
    /// `4.4.1`.
    pub status: String,
    /// Stands in brackets behind the status.
    pub status_comment: Option<String>,
    /// Who was spoken to.
    pub remote_mta: Option<Typed>,
    /// What they said.
    pub diagnostic: Option<Typed>,
    /// When they were last spoken to.
    pub last_attempt: Option<Zoned>,
    /// Only for [`Action::Delayed`].
    pub will_retry_until: Option<Zoned>,
    /// Our own name for the delivery.
    pub final_log_id: Option<String>,
    /// Further fields, in their order.
    pub extensions: Vec<(String, String)>,
}

/// What of the original message is returned (RFC 3461 4.3).
#[derive(Debug, Clone)]
pub enum Original {
    /// Nothing.
    None,
    /// The header fields of the message in the file.
    Headers(PathBuf),
    /// The message in the file; only for failures.
    Full(PathBuf),
}

/// A delivery report to the sender of a message.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whoever reports, such as `Mail Delivery System <postmaster@..>`.
    pub from: Mailbox,
    /// The return path of the message.
    pub to: Mailbox,
    /// `Subject`.
    pub subject: String,
    /// `Date`.
    pub date: Zoned,
    /// `Message-ID` without angle brackets.
    pub message_id: String,
    /// The Message-ID of the message, without angle brackets.
    pub in_reply_to: Option<String>,
    /// A language tag for `Content-Language`, `de`.
    pub language: Option<String>,
    /// Further header fields, in their order.
    pub headers: Vec<(String, String)>,
    /// The name of this host.
    pub reporting_mta: String,
    /// From ENVID, decoded.
    pub envelope_id: Option<String>,
    /// When the message came.
    pub arrival: Option<Zoned>,
    /// At least one.
    pub recipients: Vec<RecipientReport>,
    /// The report in words.
    pub text: String,
    /// The same as HTML.
    pub html: Option<String>,
    /// Pictures to which the HTML refers, or that stand after the text.
    pub inline: Vec<Attachment>,
    /// What is returned.
    pub original: Original,
    /// [`Delimiters::Random`] outside tests.
    pub delimiters: Delimiters,
}

impl Report {
    /// Writes the report as a mail. Send it from the null return path with
    /// `NOTIFY=NEVER` (RFC 3461 6.1).
    ///
    /// # Errors
    /// An address, a status or a field name is bad, a file cannot be read, or
    /// `out` fails.
    pub fn write(&self, out: &mut impl Write) -> Result<(), ComposeError> {
        let mut fields = Fields::default();
        fields.mailbox("From", &self.from)?;
        fields.mailbox("To", &self.to)?;
        fields.text("Subject", &self.subject);
        fields.date("Date", &self.date);
        fields.id("Message-ID", &self.message_id)?;
        // A damaged Message-ID of the original must not hold up its report.
        if let Some(id) = &self.in_reply_to {
            let mut thread = Fields::default();
            if thread.id("In-Reply-To", id).and_then(|()| thread.id("References", id)).is_ok() {
                fields.append(&thread);
            }
        }
        fields.raw("Auto-Submitted", Automatic::Replied.word());
        if let Some(language) = &self.language {
            fields.text("Content-Language", language);
        }
        for (name, value) in &self.headers {
            fields.added(name, value)?;
        }
        fields.raw("MIME-Version", "1.0");
        let body = self.body()?;
        out.write_all(fields.as_bytes())?;
        body.write(out, &mut Boundaries::new(self.delimiters))
    }

    /// Writes the report to a new file and flushes it; making it durable is
    /// left to the caller.
    ///
    /// # Errors
    /// As [`Report::write`].
    pub fn write_file(&self, path: &Path) -> Result<(), ComposeError> {
        let mut file = BufWriter::new(File::create(path)?);
        self.write(&mut file)?;
        Ok(file.flush()?)
    }

    fn body(&self) -> Result<Entity, ComposeError> {
        let fields = Content::Lines(status::fields(self)?);
        let mut parts = vec![
            readable(&self.text, self.html.as_deref(), &self.inline),
            Entity::new("message/delivery-status", fields).described("Delivery report"),
        ];
        parts.extend(match &self.original {
            Original::None => None,
            Original::Headers(path) => Some(returned_headers(path)?),
            Original::Full(path) => Some(match eight_bit_if_fit(path)? {
                Some(eight_bit) => {
                    let content = Content::Message { path: path.clone(), eight_bit };
                    Entity::new("message/rfc822", content).described("Undelivered message")
                }
                None => returned_headers(path)?,
            }),
        });
        let mut body = Entity::new("multipart/report", Content::Parts(parts));
        body.parameter("report-type", "delivery-status");
        Ok(body)
    }
}

fn returned_headers(path: &Path) -> Result<Entity, ComposeError> {
    let file = File::open(path).map_err(|cause| unread(path, cause))?;
    let mut head = Vec::new();
    let limit = MAX_RETURNED_HEADERS_BYTES as u64;
    file.take(limit).read_to_end(&mut head).map_err(|cause| unread(path, cause))?;
    let text = String::from_utf8_lossy(&head).replace("\r\n", "\n");
    let mut fields = text.split("\n\n").next().unwrap_or_default();
    if fields.len() == text.len() && head.len() == MAX_RETURNED_HEADERS_BYTES {
        fields = fields.rsplit_once('\n').map_or("", |(whole, _)| whole);
    }
    Ok(Entity::text("text/rfc822-headers", fields).described("Header fields of the message"))
}

/// Whether the message has octets above 127; nothing when no relay would take
/// it as it is.
fn eight_bit_if_fit(path: &Path) -> Result<Option<bool>, ComposeError> {
    let (mut eight_bit, mut fit, mut line) = (false, true, 0);
    each_chunk(path, |chunk| {
        for &octet in chunk {
            line = if matches!(octet, b'\r' | b'\n') { 0 } else { line + 1 };
            eight_bit |= octet > 0x7f;
            fit &= octet != 0 && line <= MAX_LINE_BYTES;
        }
        Ok(())
    })?;
    Ok(fit.then_some(eight_bit))
}

#[cfg(test)]
mod tests;
