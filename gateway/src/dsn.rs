//! Delivery reports: `multipart/report` by RFC 6522, its fields by RFC 3464,
//! with a human part that shows a picture. Writes what it is told; whether a
//! report is due, and in which words, is decided by others.

pub mod read;
mod returned;
mod status;

use std::{io::Write, path::Path};

use jiff::Zoned;

use crate::{
    client::Body,
    compose::{
        Attachment, Automatic, ComposeError, Delimiters, Head, Source,
        entity::{Content, Entity},
        readable, write_body,
    },
};
use returned::Returned;

/// Whether a report stays in seven bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The types of RFC 3464.
    Ascii,
    /// Those of RFC 6533, since an address or a header field is in UTF-8.
    International,
}

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
    /// The header fields of the message.
    Headers(Source),
    /// The message; only for failures.
    Full(Source),
}

/// A delivery report to the sender of a message.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whom it is from (`Mail Delivery System <postmaster@..>`) and to (the return
    /// path of the message).
    pub head: Head,
    /// The name of this host.
    pub reporting_mta: String,
    /// From ENVID, decoded.
    pub envelope_id: Option<String>,
    /// The gateway that translated a report of another kind of system into this one,
    /// and only then (RFC 3464 2.2.3).
    pub gateway: Option<Typed>,
    /// Who handed the message over, by the name it gave.
    pub received_from: Option<Typed>,
    /// When the message came; required with `future_release` (RFC 4865 5.1).
    pub arrival: Option<Zoned>,
    /// By when it was to be delivered (RFC 2852 5).
    pub deliver_by: Option<Zoned>,
    /// When it was to go out: `for;3600` or `until;TIME` (RFC 4865 5.1).
    pub future_release: Option<String>,
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
        let original = Returned::of(&self.original)?;
        let body = self.body(&original)?;
        self.head.write(Some(Automatic::Replied), &body, self.delimiters, out)
    }

    /// Writes the report, a large one to a new file at `path`, which is the caller's to
    /// remove.
    ///
    /// # Errors
    /// As [`Report::write`].
    pub fn write_body(&self, path: &Path) -> Result<Body, ComposeError> {
        write_body(path, |out| self.write(out))
    }

    fn body(&self, original: &Returned) -> Result<Entity, ComposeError> {
        // One part beyond ASCII makes all of them so (RFC 6533 3).
        let form = if original.is_international || self.has_international_address() {
            Form::International
        } else {
            Form::Ascii
        };
        let kind = match form {
            Form::Ascii => "message/delivery-status",
            Form::International => "message/global-delivery-status",
        };
        let fields = Content::Lines(status::fields(self, form)?);
        let mut parts = vec![
            readable(&self.text, self.html.as_deref(), &self.inline),
            Entity::new(kind, fields).described("Delivery report"),
        ];
        parts.extend(original.part(&self.original, form)?);
        let mut body = Entity::new("multipart/report", Content::Parts(parts));
        body.parameter("report-type", "delivery-status");
        Ok(body)
    }

    fn has_international_address(&self) -> bool {
        let beyond = |recipient: &RecipientReport| {
            let original = recipient.original_recipient.as_ref();
            !recipient.final_recipient.is_ascii()
                || original.is_some_and(|original| !original.value.is_ascii())
        };
        !self.head.to.address.is_ascii() || self.recipients.iter().any(beyond)
    }
}

#[cfg(test)]
mod tests;
