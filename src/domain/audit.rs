//! The audit log: one line for each request, allowed or refused. What a line says is
//! decided here; the store numbers the lines and chains them by their hashes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{authority::Who, time::Timestamp};

/// By which way a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// The local socket: the command line.
    Socket,
    /// A mail.
    Mail,
    /// HTTP.
    Http,
    /// The supervisor itself, or a signal to it.
    Supervisor,
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Socket => "socket",
            Self::Mail => "mail",
            Self::Http => "http",
            Self::Supervisor => "supervisor",
        })
    }
}

/// Who asks, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// Who it is.
    pub who: Who,
    /// How it came.
    pub door: Door,
    /// Where from: `uid 1000`, a network address, a Message-ID.
    pub from: String,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was done, or answered.
    Allowed,
    /// The asker may not: what was missing.
    Refused(String),
    /// The asker may, and it could not be done: why.
    Failed(String),
}

/// One line of the log, before it has its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When it was decided.
    pub at: Timestamp,
    /// Who asked, and how.
    pub asker: Asker,
    /// What was asked: `settings.set`, `jobs.cancel`.
    pub request: String,
    /// About what: `server:london-1`, `job:12`; empty when about nothing in particular.
    pub object: String,
    /// What became of it.
    pub verdict: Verdict,
    /// What it was before, where something was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it is now, where something was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}
