//! Commands that are answered at once: one is written, its answer is read. For modems that
//! have no call.

use std::time::{Duration, Instant};

use super::{
    at::{Answer, Lines},
    port::{Port, PortError},
};

/// How long most commands may take.
pub(super) const SHORT: Duration = Duration::from_secs(2);
/// How long a reset may take.
pub(super) const LONG: Duration = Duration::from_secs(5);
/// Between two commands (V.250 5.4.1 wants a tenth of a second of old modems).
const BETWEEN: Duration = Duration::from_millis(20);
/// Most lines of one answer.
const MAX_LINES: usize = 64;
/// How many bytes are read at once.
const READ: usize = 1024;

/// What a command brought.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// Information, without the echo of the command.
    pub(super) lines: Vec<String>,
    /// How it ended; `None`: not in time.
    pub(super) end: Option<Answer>,
}

impl Reply {
    pub(super) fn is_ok(&self) -> bool {
        self.end == Some(Answer::Ok)
    }
}

/// A modem in command mode.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) port: Port,
    lines: Lines,
    /// It rang while it was spoken to.
    pub(super) rang: bool,
}

impl Talk {
    pub(super) fn new(port: Port) -> Self {
        Self { port, lines: Lines::default(), rang: false }
    }

    /// Gives a command, with its `AT`, and waits for its result.
    pub(super) fn ask(&mut self, command: &str, limit: Duration) -> Result<Reply, PortError> {
        std::thread::sleep(BETWEEN);
        self.lines.clear();
        self.port.write(format!("{command}\r").as_bytes())?;
        let end = Instant::now() + limit;
        let mut reply = Reply::default();
        while let Some(answer) = self.next(end)? {
            match answer {
                Answer::Ring(_) => self.rang = true,
                Answer::Other(line) if line.eq_ignore_ascii_case(command) => {}
                Answer::Other(line) if reply.lines.len() < MAX_LINES => reply.lines.push(line),
                answer if answer.is_final() => {
                    reply.end = Some(answer);
                    break;
                }
                _ => {}
            }
        }
        tracing::trace!(command, ?reply, "asked");
        Ok(reply)
    }

    /// The next line of the modem; `None`: none came in time.
    fn next(&mut self, end: Instant) -> Result<Option<Answer>, PortError> {
        loop {
            let mut byte = [0];
            if self.port.read(&mut byte)? == 1 {
                if let Some(line) = self.lines.push(byte[0]) {
                    return Ok(Some(Answer::of(&line)));
                }
                continue;
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            self.port.wait(false, None, Some(end))?;
        }
    }

    /// What the modem has said by itself by now.
    pub(super) fn unasked(&mut self) -> Result<Vec<Answer>, PortError> {
        let mut answers = Vec::new();
        if std::mem::take(&mut self.rang) {
            answers.push(Answer::Ring(None));
        }
        let mut buffer = [0; READ];
        loop {
            let count = self.port.read(&mut buffer)?;
            if count == 0 || answers.len() >= MAX_LINES {
                return Ok(answers);
            }
            for byte in &buffer[..count] {
                answers.extend(self.lines.push(*byte).map(|line| Answer::of(&line)));
            }
        }
    }
}
