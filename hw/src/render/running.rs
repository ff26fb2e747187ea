//! A confined process as its parent holds it: started in a group of its own, and gone,
//! whole, when what holds it goes.

use std::{
    io,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
};

use super::{CHILD_ARGUMENT, EXIT_UNCONFINED, RenderError, cell::Cell, error::one_line};

/// What a dying process may say, in bytes.
const MAX_LAST_WORDS_BYTES: u64 = 4096;
/// How long a process that has said its last word may take to go, in seconds.
const MAX_EXIT_S: u64 = 5;

/// A process and all that it started; they go with this.
pub(super) struct Running {
    child: Child,
    group: Option<Pid>,
}

impl Running {
    /// Starts `exe` in a cell. Where that is to become another program, it reads
    /// nothing; else it is fed.
    pub(super) fn start(exe: &Path, cell: &Cell) -> io::Result<Self> {
        let mut command = Command::new(exe);
        command.arg(CHILD_ARGUMENT).arg(serde_json::to_string(cell)?).env_clear();
        match &cell.program {
            None => command.stdin(Stdio::piped()).current_dir("/"),
            Some(program) => command
                .env("HOME", &program.scratch)
                .env("TMPDIR", &program.scratch)
                .env("LC_ALL", "C.UTF-8")
                .env("OMP_THREAD_LIMIT", "1")
                .stdin(Stdio::null())
                .current_dir(&program.scratch),
        };
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(Self { child, group })
    }

    pub(super) fn stdin(&mut self) -> io::Result<ChildStdin> {
        self.child.stdin.take().ok_or_else(no_pipe)
    }

    pub(super) fn stdout(&mut self) -> io::Result<ChildStdout> {
        self.child.stdout.take().ok_or_else(no_pipe)
    }

    pub(super) fn stderr(&mut self) -> io::Result<ChildStderr> {
        self.child.stderr.take().ok_or_else(no_pipe)
    }

    /// How it ended, once it has said all: it is given a moment to go by itself.
    pub(super) async fn gone(&mut self) -> io::Result<ExitStatus> {
        let wait = Duration::from_secs(MAX_EXIT_S);
        match tokio::time::timeout(wait, self.child.wait()).await {
            Ok(status) => status,
            Err(_) => self.end().await,
        }
    }

    /// Ends it and all that it started.
    pub(super) async fn end(&mut self) -> io::Result<ExitStatus> {
        self.kill();
        self.child.wait().await
    }

    fn kill(&self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn no_pipe() -> io::Error {
    io::Error::other("the process has no pipe")
}

/// The start of what a process says of its end, on one line.
pub(super) async fn last_words(from: ChildStderr) -> String {
    let words = up_to(from, MAX_LAST_WORDS_BYTES).await.unwrap_or_default();
    one_line(&String::from_utf8_lossy(&words))
}

/// The start of what comes; the rest is read too, or who says more would wait for ever.
pub(super) async fn up_to(from: impl AsyncRead + Unpin, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut from = from.take(most);
    from.read_to_end(&mut bytes).await?;
    tokio::io::copy(&mut from.into_inner(), &mut tokio::io::sink()).await?;
    Ok(bytes)
}

/// Why a process ended that did not do its work; `None`: it says no, in its own words.
pub(super) fn died(status: ExitStatus, name: &str, words: &str) -> Option<RenderError> {
    use std::os::unix::process::ExitStatusExt;
    let name = name.to_owned();
    let out_of_time = [Signal::XCPU, Signal::KILL].map(Signal::as_raw);
    match (status.signal(), status.code()) {
        (Some(signal), _) if out_of_time.contains(&signal) => Some(RenderError::TimedOut { name }),
        (Some(_), _) => Some(RenderError::Crashed { name }),
        (None, Some(code)) if code == i32::from(EXIT_UNCONFINED) => {
            Some(RenderError::Unconfined(words.to_owned()))
        }
        (None, _) => None,
    }
}
