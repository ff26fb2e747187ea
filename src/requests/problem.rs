//! Why something was not done: a kind for programs, words for people.

use postfax_domain::names::JobId;
use serde::{Deserialize, Serialize};

use super::Reply;

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Problem {
    /// What kind of problem it is.
    pub(crate) code: Code,
    /// What people read.
    pub(crate) message: String,
    /// The newest version, where the asker has not seen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<u64>,
    /// What the audit log says of it, where the message shows what stands in a file: that
    /// may be a secret at a wrong place, and lines are never deleted.
    #[serde(skip)]
    pub(crate) on_record: Option<String>,
}

/// Kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Code {
    /// There is no such job.
    NoSuchJob,
    /// There is no such fax server, or no such version of its settings.
    NoSuchServer,
    /// There is no such entry in the phone book, for this asker.
    NoSuchEntry,
    /// There is no such webhook.
    NoSuchWebhook,
    /// The job is not in a state in which this could be done.
    WrongState,
    /// Somebody was faster: there is a newer version than the one that the asker has seen.
    Stale,
    /// The question could not be understood.
    BadRequest,
    /// The one who asks may not.
    NotPermitted,
    /// The new configuration is bad; the old one stays in force.
    BadConfiguration,
    /// A file of ours cannot be written.
    ReadOnly,
    /// Too many ask at once, or it took too long.
    Busy,
    /// No running Postfax could be asked; only the asker's own side says so.
    Unreachable,
    /// Postfax itself failed.
    Failed,
}

impl Problem {
    /// A problem of this kind, in these words.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), version: None, on_record: None }
    }

    /// The same, of which the audit log says this.
    pub(crate) fn noted(self, on_record: impl Into<String>) -> Self {
        Self { on_record: Some(on_record.into()), ..self }
    }

    /// There is a newer version than the one that was seen.
    pub(crate) fn stale(newest: u64, message: impl Into<String>) -> Self {
        Self { version: Some(newest), ..Self::new(Code::Stale, message) }
    }

    /// There is no such job.
    pub(crate) fn no_such_job(job: JobId) -> Self {
        Self::new(Code::NoSuchJob, format!("there is no job {job}"))
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}
