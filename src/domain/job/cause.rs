//! Why a job exists, and what its end needs to know of that.

use serde::{Deserialize, Serialize};

use crate::{
    document::Digest,
    names::{ClientName, HookName, JobId, ServerName},
    notice::{DeliverBy, Notify, Release, Report},
    options::Wanted,
    route::Arrival,
    settings::Change,
    webhook::Trouble,
};

/// Why a job exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A client sends a fax.
    Sent(Box<Sent>),
    /// A fax arrived.
    Arrived(Box<Arrival>),
    /// The sender of a job is to know how it goes.
    Receipt {
        /// The job that it is about.
        of: JobId,
        /// What about it.
        #[serde(default)]
        report: Report,
    },
    /// The postmaster is to know something.
    Alarm(Alarm),
    /// Somebody wrote to the postmaster of the fax domain.
    Forwarded(Box<Forwarded>),
    /// A client asked something by mail, and is to have the answer.
    Answer(Box<Inquiry>),
}

/// A mail that asked something, and what it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inquiry {
    /// Who asked.
    pub client: ClientName,
    /// Message-ID of the mail; without one it is never taken for another.
    pub message_id: Option<String>,
    /// Subject of the mail.
    pub subject: Option<String>,
    /// What was asked, as it was understood.
    pub question: String,
    /// The job that it is about, if it is about one.
    pub about: Option<JobId>,
    /// Which of our addresses a reply to the answer goes to.
    #[serde(default)]
    pub topic: InquiryTopic,
    /// What is answered; none while it is being done, so that a crash in between leaves
    /// behind that it was begun.
    pub answer: Option<Answered>,
}

/// What a mail that asked something is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// For people.
    pub text: String,
    /// The same for programs, as JSON, where there is more to it than a sentence.
    pub data: Option<String>,
    /// A file that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<AnsweredFile>,
}

impl Answered {
    /// An answer in words alone.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), data: None, file: None }
    }
}

/// A file that goes with an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredFile {
    /// What it is called.
    pub name: String,
    /// Its media type (RFC 2046).
    pub content_type: String,
    /// What stands in it.
    pub text: String,
}

/// What a mail that asked something was about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InquiryTopic {
    /// Jobs, settings, or anything else.
    #[default]
    Any,
    /// The phone book.
    Book,
}

/// A mail to the postmaster, passed on as it came (RFC 5321 4.5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forwarded {
    /// Its return path; `None` is the null reverse-path.
    pub from: Option<String>,
    /// Names the file that keeps the mail.
    pub message: String,
}

/// Something that an administrator must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alarm {
    /// A received fax has nobody to go to.
    Unrouted(JobId),
    /// A mail could not be delivered.
    Undeliverable(JobId),
    /// A server was lost with a fax that may have been sent.
    Lost(JobId, ServerName),
    /// The mail with a received fax was taken and then came back; somebody else gets it.
    Returned(JobId),
    /// A fax has failed, and its sender left no address for a receipt.
    Untold(JobId),
    /// The settings of a server were changed at the server itself.
    Drifted {
        /// Which server.
        server: ServerName,
        /// The first of the changes, from what is registered to what it holds.
        changes: Vec<Change>,
    },
    /// A server did not take its settings.
    NotSet {
        /// Which server.
        server: ServerName,
        /// Which version of them.
        version: u64,
        /// Why, in words.
        why: String,
        /// Whether it is tried again by itself.
        #[serde(default)]
        again: Tried,
    },
    /// A server is there, and its settings cannot be read.
    NotRead {
        /// Which server.
        server: ServerName,
        /// Why, in words.
        why: String,
    },
    /// A line of a server does not work.
    Line {
        /// Which server.
        server: ServerName,
        /// Its name there.
        line: String,
        /// In the server's words.
        why: String,
    },
    /// Events do not get to somebody who is to be told of them.
    Webhook {
        /// To whom.
        hook: HookName,
        /// Why.
        trouble: Trouble,
    },
    /// There is so much to tell that what follows this (a job, or a server) is not mailed
    /// for a while.
    Many(Option<JobId>),
}

/// Who has to see to it that something is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tried {
    /// Somebody: it is not tried before.
    #[default]
    ByHand,
    /// Nobody: it is tried by itself.
    ByItself,
}

impl Alarm {
    /// The job that it is about; `None` when it is about something else.
    #[must_use]
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::Unrouted(id)
            | Self::Undeliverable(id)
            | Self::Lost(id, _)
            | Self::Returned(id)
            | Self::Untold(id) => Some(*id),
            Self::Many(id) => *id,
            Self::Drifted { .. }
            | Self::NotSet { .. }
            | Self::NotRead { .. }
            | Self::Line { .. }
            | Self::Webhook { .. } => None,
        }
    }
}

/// A fax that a client sends, as far as its receipt needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Who sends.
    pub client: ClientName,
    /// Where receipts go; `None` is the null reverse-path, to which nothing is ever mailed.
    pub reverse_path: Option<String>,
    /// Message-ID of the mail.
    pub message_id: Option<String>,
    /// Subject of the mail.
    pub subject: Option<String>,
    /// Names the file that keeps the mail, for its pages and for the receipt.
    pub message: String,
    /// SHA-256 of what the mail wants to be faxed, whatever its pages will look like.
    pub content: Digest,
    /// RET=FULL: a receipt of a failure returns the whole mail (RFC 3461 4.3).
    pub return_mail: bool,
    /// ENVID, decoded (RFC 3461 4.4).
    pub envelope_id: Option<String>,
    /// ORCPT, as its type and decoded address (RFC 3461 4.2).
    pub original_recipient: Option<(String, String)>,
    /// NOTIFY (RFC 3461 4.1).
    pub notify: Notify,
    /// Whether it asks for a disposition notification that may be sent (RFC 8098 2.1).
    #[serde(default)]
    pub disposition: bool,
    /// When it is to go out, if not at once.
    #[serde(default)]
    pub release: Option<Release>,
    /// By when it is to be there.
    #[serde(default)]
    pub deliver_by: Option<DeliverBy>,
    /// Lists of its mail that did not reach everybody. One fax of a mail bears it, so that
    /// its sender is told once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<Missed>,
    /// What its pages are to be.
    #[serde(default)]
    pub wanted: Wanted,
}

/// A list of the phone book of which some members could not be used: they are gone, or
/// not for the sender to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// The name of the list.
    pub list: String,
    /// How many.
    pub members: usize,
}
