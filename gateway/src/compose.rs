//! Writes a mail: header fields, texts, pictures, attachments (RFC 5322, RFC
//! 2045). Always CRLF, never a bare CR or LF, seven bits unless the original of
//! a report has eight; nothing from outside can add a header field. Does not
//! decide what is said.
//!
//! Attachments are streamed from their files. `mail-builder` is not used: it
//! holds all contents in memory, puts encoded words between quotes where RFC
//! 2047 5 forbids them, and lets a bare CR pass.

mod draft;
pub(crate) mod encode;
pub(crate) mod entity;
pub(crate) mod field;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use jiff::Zoned;

use crate::{client::Body, message::Mailbox};
pub(crate) use draft::write_body;
use entity::{Boundaries, Content, Entity};
use field::Fields;

/// Why a mail could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// An address that would end its field or add to it.
    #[error("the address in {field} is empty or has a character that no address has")]
    Address {
        /// The header field.
        field: &'static str,
    },
    /// A field name of other characters than RFC 5322 2.2 allows, or a field
    /// that the composer writes itself.
    #[error("{0:?} cannot be the name of an added header field")]
    FieldName(String),
    /// Not `d.d.d` as in RFC 3463.
    #[error("{0:?} is no status code such as 4.4.1")]
    Status(String),
    /// An attachment or the original could not be read.
    #[error("{path} could not be read: {cause}")]
    Source {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The mail could not be written.
    #[error("the mail could not be written: {0}")]
    Write(#[from] io::Error),
}

/// Which program wrote the mail, in the words of RFC 3834 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Automatic {
    /// Made of itself, such as a fax that arrived.
    Generated,
    /// An answer to a mail, such as a report.
    Replied,
}

impl Automatic {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Generated => "auto-generated",
            Self::Replied => "auto-replied",
        }
    }
}

/// Where the octets of an attachment are.
#[derive(Debug, Clone)]
pub enum Source {
    /// In memory.
    Bytes(Bytes),
    /// In a file, which is read while the mail is written.
    File(PathBuf),
}

/// A document or a picture that goes with a mail.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// The file name that the reader sees.
    pub name: String,
    /// `application/pdf`; parameters may follow after `;`.
    pub content_type: String,
    /// What `cid:` in the HTML refers to, without angle brackets.
    pub content_id: Option<String>,
    /// The octets.
    pub source: Source,
}

/// How the delimiters of parts are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delimiters {
    /// Not to be guessed by whoever wrote a quoted message.
    #[default]
    Random,
    /// Always the same, for comparison with a file.
    Seeded(u64),
}

/// What every mail of ours says of itself.
#[derive(Debug, Clone)]
pub struct Head {
    /// `From`.
    pub from: Mailbox,
    /// `To`.
    pub to: Mailbox,
    /// `Subject`; control characters become spaces.
    pub subject: String,
    /// `Date`.
    pub date: Zoned,
    /// `Message-ID` without angle brackets.
    pub message_id: String,
    /// `In-Reply-To` and `References`, without angle brackets; left out when no
    /// such field can hold it.
    pub in_reply_to: Option<String>,
    /// A language tag for `Content-Language`, `de`.
    pub language: Option<String>,
    /// Further fields, in their order.
    pub headers: Vec<(String, String)>,
}

impl Head {
    fn fields(&self, automatic: Option<Automatic>) -> Result<Fields, ComposeError> {
        let mut fields = Fields::default();
        fields.mailbox("From", &self.from)?;
        fields.mailbox("To", &self.to)?;
        fields.text("Subject", &self.subject);
        fields.date("Date", &self.date);
        fields.id("Message-ID", &self.message_id)?;
        // A damaged Message-ID of a mail must not hold up the answer to it.
        if let Some(id) = &self.in_reply_to {
            let mut thread = Fields::default();
            if thread.id("In-Reply-To", id).and_then(|()| thread.id("References", id)).is_ok() {
                fields.append(&thread);
            }
        }
        if let Some(automatic) = automatic {
            fields.raw("Auto-Submitted", automatic.word());
        }
        if let Some(language) = &self.language {
            fields.text("Content-Language", language);
        }
        for (name, value) in &self.headers {
            fields.added(name, value)?;
        }
        fields.raw("MIME-Version", "1.0");
        Ok(fields)
    }

    /// Writes a whole mail: this, then the body.
    pub(crate) fn write(
        &self,
        automatic: Option<Automatic>,
        body: &Entity,
        delimiters: Delimiters,
        out: &mut impl Write,
    ) -> Result<(), ComposeError> {
        out.write_all(self.fields(automatic)?.as_bytes())?;
        body.write(out, &mut Boundaries::new(delimiters))
    }
}

/// A mail to one reader.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Whom it is from and to, and what it is about.
    pub head: Head,
    /// `Auto-Submitted`.
    pub automatic: Option<Automatic>,
    /// The text, any line ends; with none at all, one document is all of the mail.
    pub text: String,
    /// The same as HTML.
    pub html: Option<String>,
    /// Pictures to which the HTML refers; shown after the text without one.
    pub inline: Vec<Attachment>,
    /// Documents.
    pub attachments: Vec<Attachment>,
    /// [`Delimiters::Random`] outside tests.
    pub delimiters: Delimiters,
}

impl Letter {
    /// Writes the mail.
    ///
    /// # Errors
    /// An address or a field name is bad, a file cannot be read, or `out` fails.
    pub fn write(&self, out: &mut impl Write) -> Result<(), ComposeError> {
        self.head.write(self.automatic, &self.body(), self.delimiters, out)
    }

    /// Writes the mail, a large one to a new file at `path`, which is the caller's to
    /// remove.
    ///
    /// # Errors
    /// As [`Letter::write`].
    pub fn write_body(&self, path: &Path) -> Result<Body, ComposeError> {
        write_body(path, |out| self.write(out))
    }

    fn body(&self) -> Entity {
        let is_silent = self.text.is_empty() && self.html.is_none() && self.inline.is_empty();
        if let ([only], true) = (&self.attachments[..], is_silent) {
            // A fax machine would print a text as well (RFC 3965 2.2.2).
            return Entity::file("attachment", only);
        }
        let readable = readable(&self.text, self.html.as_deref(), &self.inline);
        if self.attachments.is_empty() {
            return readable;
        }
        let attached = self.attachments.iter().map(|one| Entity::file("attachment", one));
        let parts = std::iter::once(readable).chain(attached).collect();
        Entity::new("multipart/mixed", Content::Parts(parts))
    }
}

/// The text, with its HTML form and its pictures where there are any.
pub(crate) fn readable(text: &str, html: Option<&str>, inline: &[Attachment]) -> Entity {
    let pictures = || inline.iter().map(|one| Entity::file("inline", one));
    let plain = Entity::text("text/plain", text);
    match html {
        None if inline.is_empty() => plain,
        None => {
            let parts = std::iter::once(plain).chain(pictures()).collect();
            Entity::new("multipart/mixed", Content::Parts(parts))
        }
        Some(html) => {
            let mut page = Entity::text("text/html", html);
            if !inline.is_empty() {
                let parts = std::iter::once(page).chain(pictures()).collect();
                page = Entity::new("multipart/related", Content::Parts(parts));
                page.parameter("type", "text/html");
            }
            Entity::new("multipart/alternative", Content::Parts(vec![plain, page]))
        }
    }
}

#[cfg(test)]
mod tests;
