//! The audit log: one line for each request, allowed or refused. What a line says is
//! decided here; the store numbers the lines and chains them by their hashes.

use std::{fmt, str::FromStr};

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
    /// LDAP.
    Ldap,
    /// The supervisor itself, or a signal to it.
    Supervisor,
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Socket => "socket",
            Self::Mail => "mail",
            Self::Http => "http",
            Self::Ldap => "ldap",
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

/// A line as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, counted from 1.
    pub seq: u64,
    /// What it says.
    pub line: Line,
    /// The hash that chains it to the line before, in hexadecimal digits.
    pub hash: String,
}

/// The last line that somebody knows of. Kept elsewhere, it shows whether the end of the
/// log was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for Head {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "write SEQ:HASH, as `postfax audit verify` prints it";
        let (seq, hash) = text.split_once(':').ok_or(wrong)?;
        let seq = seq.parse().map_err(|_| wrong)?;
        let is_hash = hash.len() == HASH_DIGITS && hash.chars().all(|c| c.is_ascii_hexdigit());
        if !is_hash {
            return Err(wrong);
        }
        Ok(Self { seq, hash: hash.to_ascii_lowercase() })
    }
}

/// Hexadecimal digits of a hash: SHA-256.
pub const HASH_DIGITS: usize = 64;

/// What was found when the whole log was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// How many lines fit.
    pub lines: u64,
    /// The last line that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// The first that does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<Broken>,
}

/// A line that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// The number of the line that should be there.
    pub seq: u64,
    /// What is wrong.
    pub why: Misfit,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Misfit {
    /// Lines are missing here.
    #[error("it is missing")]
    Missing,
    /// It was changed, or is not in its place.
    #[error("it was changed, or is not in its place")]
    Changed,
    /// It is another one than the one that is known.
    #[error("it is another line than the one that was noted")]
    Other,
    /// The log ends before the line that is known.
    #[error("the log ends before it: its end was cut off")]
    CutOff,
}
