//! Reads a mail: who it is from, what it says about itself, and its parts in
//! the order in which they stand. Nothing in here writes a mail or answers one, and
//! nothing in here knows what a page looks like.
//!
//! # What counts
//!
//! The documents of a message are its [`Message::attachments`] in their order; where
//! there is none, its [`Message::text`] is. To make that true for the mails that
//! programs really send:
//!
//! - A picture to which the HTML body refers (`cid:`) belongs to the body, as the logo
//!   of a signature does, and is no attachment. Where nothing is attached, the body is
//!   the document: then its large pictures follow its words, and where it has no words
//!   at all every picture is an attachment.
//! - A forwarded message (`message/rfc822`) is opened: its words under the head of its
//!   header are one attachment, what was attached to it are the next.
//! - A file that stands uuencoded in the text is an attachment.
//! - A detached signature is nothing. A clear signature is taken off the text.
//! - A `winmail.dat` is opened: what it has attached is attached, messages in it are
//!   forwarded messages, and its body is the text where the mail has none.
//! - What was signed with the contents inside (`smime.p7m`, `contract.pdf.p7m`) is taken
//!   out of its signature.
//! - Visiting cards, appointments, keys and empty texts are nothing beside anything
//!   else; alone they are attachments like any other, the first two read out as words.
//! - Of several forms of one thing (`multipart/alternative`) the plain text is the
//!   text, and the last document is the document. HTML is read where no plain text
//!   says the same.
//! - What cannot be read here ([`Message::protection`]) is said, also when it is in a
//!   forwarded message. What nobody can draw, a broken `winmail.dat` among it, stays an
//!   attachment, so that it is refused by its name and not left out.
//!
//! Why the tree of parts is walked here and not by `mail-parser`: limits must hold
//! while a message is read and not after it has been; values of header fields,
//! character sets and HTML are left to that crate. Parts are slices of the one copy of
//! the file, decoded when somebody asks.

mod body;
mod card;
mod cms;
mod fields;
mod html;
mod part;
mod picture;
mod rtf;
mod rules;
mod tnef;
mod tree;
mod uu;

use std::{fs::File, io::Read, path::Path};

use bytes::Bytes;

pub use part::{Disposition, Kind, Part};

use fields::Fields;

/// What a message may cost. A message beyond a limit is an error that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Octets of the whole message.
    pub max_message_bytes: u64,
    /// Leaf parts, all levels together.
    pub max_parts: usize,
    /// Multiparts within multiparts.
    pub max_depth: usize,
    /// Octets of the header fields of the message and of all its parts.
    pub max_headers_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: 64 << 20,
            max_parts: 500,
            max_depth: 20,
            max_headers_bytes: 512 << 10,
        }
    }
}

/// Why a message could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The file could not be read.
    #[error("the message could not be read: {0}")]
    Read(#[from] std::io::Error),
    /// See [`Limits::max_message_bytes`].
    #[error("the message is larger than {limit} octets")]
    TooLarge {
        /// The limit that was passed.
        limit: u64,
    },
    /// See [`Limits::max_parts`].
    #[error("the message has more than {limit} parts")]
    TooManyParts {
        /// The limit that was passed.
        limit: usize,
    },
    /// See [`Limits::max_depth`].
    #[error("the parts of the message are nested more than {limit} deep")]
    TooDeep {
        /// The limit that was passed.
        limit: usize,
    },
    /// See [`Limits::max_headers_bytes`].
    #[error("the header fields of the message are larger than {limit} octets")]
    HeadersTooLarge {
        /// The limit that was passed.
        limit: usize,
    },
}

/// A name and an address as they stand in a header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name, decoded.
    pub name: Option<String>,
    /// The address as written.
    pub address: String,
}

/// What the message says about the program that made it (RFC 3834 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoSubmitted {
    /// A person: the field is absent or says `no`.
    No,
    /// `auto-generated`.
    Generated,
    /// `auto-replied`.
    Replied,
    /// `auto-notified` (RFC 5436).
    Notified,
    /// Any other word; treat it as automatic.
    Other,
}

impl AutoSubmitted {
    /// Whether nothing may be answered to it automatically.
    #[must_use]
    pub fn is_automatic(self) -> bool {
        self != Self::No
    }
}

/// The old field `Precedence`, where it means that nobody waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precedence {
    /// Absent, or another word.
    Ordinary,
    /// `bulk`.
    Bulk,
    /// `list`.
    List,
    /// `junk`.
    Junk,
}

/// Whether the contents are signed or locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Neither, or a detached signature that leaves the contents readable.
    None,
    /// S/MIME data with the contents inside, as a signature has them or compressed, which
    /// could not be taken out.
    Opaque,
    /// S/MIME or PGP encryption: not readable here.
    Encrypted,
}

impl Protection {
    /// Why the contents cannot be read here, where they cannot.
    #[must_use]
    pub fn why_unreadable(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Encrypted => Some("the message is encrypted and cannot be read here"),
            Self::Opaque => Some(
                "the message is inside its S/MIME signature and cannot be read here: sign it clear",
            ),
        }
    }
}

/// A mail that has been read.
#[derive(Debug, Clone)]
pub struct Message {
    fields: Fields,
    content_type: String,
    protection: Protection,
    /// All leaf parts in the order in which they stand.
    pub parts: Vec<Part>,
}

impl Message {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, or passes one of `limits`.
    pub fn read(path: &Path, limits: &Limits) -> Result<Self, MessageError> {
        let file = File::open(path)?;
        let too_large = || MessageError::TooLarge { limit: limits.max_message_bytes };
        let length = file.metadata()?.len();
        if length > limits.max_message_bytes {
            return Err(too_large());
        }
        let mut raw = Vec::with_capacity(usize::try_from(length).map_err(|_| too_large())?);
        file.take(limits.max_message_bytes + 1).read_to_end(&mut raw)?;
        Self::parse(raw.into(), limits)
    }

    /// Reads a message that is in memory.
    ///
    /// # Errors
    /// The message passes one of `limits`.
    pub fn parse(raw: Bytes, limits: &Limits) -> Result<Self, MessageError> {
        if raw.len() as u64 > limits.max_message_bytes {
            return Err(MessageError::TooLarge { limit: limits.max_message_bytes });
        }
        let tree = tree::read(&raw, limits)?;
        let mut message = Self {
            content_type: tree.content_type,
            protection: tree.protection,
            fields: tree.fields,
            parts: tree.parts,
        };
        if message.protection == Protection::None && message.is_inline_pgp() {
            message.protection = Protection::Encrypted;
        }
        Ok(message)
    }

    /// The subject, decoded.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        self.fields.text("Subject")
    }

    /// The Message-ID without its angle brackets.
    #[must_use]
    pub fn message_id(&self) -> Option<String> {
        let id = self.fields.text("Message-ID")?;
        let id = id.trim().trim_start_matches('<').trim_end_matches('>').trim();
        (!id.is_empty()).then(|| id.to_owned())
    }

    /// The first mailbox of `From`.
    #[must_use]
    pub fn from(&self) -> Option<Mailbox> {
        self.fields.mailboxes("From").into_iter().next()
    }

    /// All mailboxes of the field, groups opened.
    #[must_use]
    pub fn mailboxes(&self, field: &str) -> Vec<Mailbox> {
        self.fields.mailboxes(field)
    }

    /// The moment of `Date`.
    #[must_use]
    pub fn date(&self) -> Option<jiff::Timestamp> {
        self.fields.date("Date")
    }

    /// Whether a program made the message.
    #[must_use]
    pub fn auto_submitted(&self) -> AutoSubmitted {
        match self.fields.word("Auto-Submitted").as_deref() {
            None | Some("no") => AutoSubmitted::No,
            Some("auto-generated") => AutoSubmitted::Generated,
            Some("auto-replied") => AutoSubmitted::Replied,
            Some("auto-notified") => AutoSubmitted::Notified,
            Some(_) => AutoSubmitted::Other,
        }
    }

    /// Whether the message was sent to many.
    #[must_use]
    pub fn precedence(&self) -> Precedence {
        match self.fields.word("Precedence").as_deref() {
            Some("bulk") => Precedence::Bulk,
            Some("list") => Precedence::List,
            Some("junk") => Precedence::Junk,
            _ => Precedence::Ordinary,
        }
    }

    /// Whether a mailing list passed the message on (RFC 2369, RFC 2919).
    #[must_use]
    pub fn is_from_list(&self) -> bool {
        ["List-Id", "List-Post", "List-Unsubscribe", "List-Help"]
            .iter()
            .any(|name| self.fields.has(name))
    }

    /// How many hosts have passed the message on (RFC 5321 6.3).
    #[must_use]
    pub fn received_count(&self) -> usize {
        self.fields.all("Received").count()
    }

    /// How often `host` itself has passed the message on.
    #[must_use]
    pub fn received_by(&self, host: &str) -> usize {
        self.fields.all("Received").filter(|value| fields::received_by(value, host)).count()
    }

    /// How many of its `Received` fields say `by` followed by these words.
    #[must_use]
    pub fn received_naming(&self, words: &str) -> usize {
        let words = format!(" by {words} ").to_ascii_lowercase();
        let says = |value: &Vec<u8>| {
            let value = String::from_utf8_lossy(value);
            let spaced: Vec<&str> = value.split_ascii_whitespace().collect();
            format!(" {} ", spaced.join(" ")).to_ascii_lowercase().contains(&words)
        };
        self.fields.all("Received").filter(says).count()
    }

    /// The value of a field, decoded; the first if there are several.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.fields.text(name)
    }

    /// Names and decoded values of the fields whose names begin with `prefix`,
    /// such as `X-Fax-`, in their order.
    #[must_use]
    pub fn x_headers(&self, prefix: &str) -> Vec<(String, String)> {
        self.fields.starting_with(prefix)
    }

    /// The media type of the whole message in lower case, `multipart/mixed`.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Whether the message is a delivery report or a receipt (RFC 6522).
    #[must_use]
    pub fn is_report(&self) -> bool {
        self.content_type == "multipart/report"
    }

    /// Whether the contents are locked away.
    #[must_use]
    pub fn protection(&self) -> Protection {
        self.protection
    }

    /// What the sender wrote, as text with `\n` line ends: the bodies in their
    /// order, of HTML only its words, and only where no plain text says the same.
    #[must_use]
    pub fn text(&self) -> String {
        rules::words(&self.parts)
    }

    /// The body as HTML, where the sender wrote it as HTML alone and in one piece.
    #[must_use]
    pub fn html(&self) -> Option<String> {
        let mut bodies = self.parts.iter().filter(|part| match part.kind {
            Kind::TextBody => !part.text().trim().is_empty(),
            Kind::HtmlBody => !part.said_better,
            _ => false,
        });
        let body = bodies.next().filter(|body| body.kind == Kind::HtmlBody)?;
        bodies.next().is_none().then(|| body.text())
    }

    /// The parts that the sender attached, in the order of the message: see the
    /// module for what counts as attached.
    pub fn attachments(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.kind == Kind::Attachment)
    }

    /// RFC 9580 6.2: armour at the beginning of a line of the text, or of a file.
    fn is_inline_pgp(&self) -> bool {
        const ARMOUR: &[u8] = b"-----BEGIN PGP MESSAGE-----";
        let opens = |octets: &[u8]| octets.trim_ascii_start().starts_with(ARMOUR);
        self.parts.iter().any(|part| match part.kind {
            Kind::TextBody => part.bytes().split(|octet| *octet == b'\n').any(opens),
            Kind::Attachment => opens(&part.head()),
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests;
