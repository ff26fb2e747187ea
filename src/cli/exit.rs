//! How a command ends: the number that a script sees, and the words that a
//! person sees. The numbers above 63 are those of `sysexits.h`.

use std::{io, process::ExitCode};

use crate::requests::{Code, Problem};

/// What the process returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done, or so it is.
    Ok = 0,
    /// What was asked for is not so: no such job, nobody may call there.
    No = 1,
    /// The command was written wrongly.
    Usage = 2,
    /// No running Postfax could be reached.
    Unreachable = 69,
    /// Postfax failed.
    Bug = 70,
    /// A file could not be read or written.
    File = 74,
    /// The one who asked may not.
    NotPermitted = 77,
    /// The configuration is bad.
    BadConfiguration = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub(crate) struct Failure {
    /// What the process returns.
    pub(crate) exit: Exit,
    /// What people read.
    pub(crate) words: String,
    /// What they can do about it.
    pub(crate) hint: Option<String>,
    /// What programs read.
    pub(crate) code: Code,
}

impl Failure {
    /// A failure in these words.
    pub(crate) fn new(exit: Exit, words: impl Into<String>) -> Self {
        let code = match exit {
            Exit::Ok | Exit::No => Code::WrongState,
            Exit::Usage => Code::BadRequest,
            Exit::Unreachable => Code::Unreachable,
            Exit::NotPermitted => Code::NotPermitted,
            Exit::BadConfiguration => Code::BadConfiguration,
            Exit::Bug | Exit::File => Code::Failed,
        };
        Self { exit, words: words.into(), hint: None, code }
    }

    /// The same, with advice.
    pub(crate) fn advise(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A file or stream failed: `what` names it.
    pub(crate) fn file(what: impl std::fmt::Display, error: &io::Error) -> Self {
        Self::new(Exit::File, format!("{what}: {error}"))
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let exit = match problem.code {
            Code::NoSuchJob
            | Code::NoSuchServer
            | Code::NoSuchWebhook
            | Code::NoSuchEntry
            | Code::WrongState
            | Code::Stale => Exit::No,
            Code::BadRequest => Exit::Usage,
            Code::NotPermitted => Exit::NotPermitted,
            Code::BadConfiguration => Exit::BadConfiguration,
            Code::Busy | Code::Unreachable => Exit::Unreachable,
            Code::ReadOnly => Exit::File,
            Code::Failed => Exit::Bug,
        };
        Self { code: problem.code, ..Self::new(exit, problem.message) }
    }
}
