//! Jobs as the server keeps them: rows of its queue listings, to find a tag, and
//! the file of one job, to know how it is.
//!
//! Why the file and not `JPARM`: hfaxd remembers a job and reads it again only when
//! its file is newer by a whole second, so that the last change of a call can be
//! missed for ever. `RETR` of the file always reads the file, and it has what
//! `JPARM` does not tell: the remote machine's name and the signalling rate.

use std::time::Duration;

use tokio::time::sleep;

use super::{session::Session, wire::Fault};

/// Columns of `LIST sendq` and `LIST doneq`. The separator cannot be typed by the
/// people who fill the values.
pub(super) const FORMAT: &str = r#"JOBFMT "%j\037%a\037%J""#;
/// The largest listing, in bytes.
const MAX_LIST_BYTES: u64 = 16 << 20;
/// The largest file of one job, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Looks at a file that cannot be understood before we give up.
const LOOKS: u32 = 4;
/// Pause between these looks, in milliseconds.
const PAUSE_MS: u64 = 250;

pub(super) const SEPARATOR: char = '\u{1f}';

/// How a job is, as far as the scheduler knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Not scheduled: held back, or never submitted to the end.
    Suspended,
    /// It waits: for its time, or another call to the same number.
    Waiting,
    /// It could begin, and waits for a line.
    Ready,
    /// On the line.
    Active,
    /// Over, with success.
    Done,
    /// Over, without.
    Failed,
}

impl State {
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }

    fn from_letter(letter: &str) -> Option<Self> {
        Some(match letter {
            "T" => Self::Suspended,
            "P" | "S" | "B" => Self::Waiting,
            "W" => Self::Ready,
            "R" => Self::Active,
            "D" => Self::Done,
            "F" => Self::Failed,
            _ => return None,
        })
    }

    fn from_digit(digit: &str) -> Option<Self> {
        Some(match digit {
            "1" => Self::Suspended,
            "2" | "3" | "4" => Self::Waiting,
            "5" => Self::Ready,
            "6" => Self::Active,
            "7" => Self::Done,
            "8" => Self::Failed,
            _ => return None,
        })
    }

    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "SUSPENDED" => Self::Suspended,
            "PENDING" | "SLEEPING" | "BLOCKED" => Self::Waiting,
            "READY" => Self::Ready,
            "ACTIVE" => Self::Active,
            "DONE" => Self::Done,
            "FAILED" => Self::Failed,
            _ => return None,
        })
    }
}

/// A row of a queue listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) job: u32,
    pub(super) state: State,
    pub(super) tag: String,
}

impl Row {
    fn parse(line: &str) -> Option<Self> {
        let columns: Vec<&str> = line.split(SEPARATOR).collect();
        let [job, state, tag] = columns[..] else { return None };
        let state = State::from_letter(state)?;
        Some(Self { job: job.trim().parse().ok()?, state, tag: tag.trim().to_owned() })
    }
}

/// One job, as its file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) state: State,
    pub(super) tag: String,
    /// Pages that were confirmed.
    pub(super) pages: u32,
    /// Calls that were dialled.
    pub(super) dials: u32,
    /// `STATUSCODE`.
    pub(super) code: u16,
    /// `STATUS`, in the server's words.
    pub(super) status: String,
    /// What the remote machine called itself.
    pub(super) remote_id: Option<String>,
    /// Signalling rate in bit/s.
    pub(super) bit_rate: Option<u32>,
    /// The number of the last call in the server's logs.
    pub(super) call: Option<String>,
}

impl Entry {
    /// Reads `key:value` lines; a status goes on in the next line after a `\`.
    fn parse(text: &str) -> Option<Self> {
        let mut entry = Self {
            state: State::Suspended,
            tag: String::new(),
            pages: 0,
            dials: 0,
            code: 0,
            status: String::new(),
            remote_id: None,
            bit_rate: None,
            call: None,
        };
        let mut state = None;
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match key {
                "state" => state = State::from_digit(value),
                "jobtag" => value.clone_into(&mut entry.tag),
                "npages" => entry.pages = value.parse().ok()?,
                "totdials" => entry.dials = value.parse().ok()?,
                "statuscode" => entry.code = value.parse().ok()?,
                "status" => {
                    let mut status = value.to_owned();
                    while status.ends_with('\\') {
                        status.pop();
                        status.push(' ');
                        status.push_str(lines.next().unwrap_or("").trim());
                    }
                    entry.status = status;
                }
                "csi" => entry.remote_id = said(value),
                "signalrate" => entry.bit_rate = number_in(value),
                "commid" => entry.call = said(value),
                _ => {}
            }
        }
        entry.state = state?;
        Some(entry)
    }
}

enum Look {
    Is(Entry),
    Nowhere,
    Unreadable,
}

/// What a remote machine calls itself, unless it did not.
pub(super) fn said(value: &str) -> Option<String> {
    let value = value.trim().trim_matches('"').trim();
    (!value.is_empty() && !value.starts_with('<')).then(|| value.to_owned())
}

/// The number that a text begins with: `14400 bit/s`.
fn number_in(text: &str) -> Option<u32> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

impl Session {
    /// All rows of one queue that can be read.
    pub(super) async fn queue(&mut self, folder: &str) -> Result<Vec<Row>, Fault> {
        let text = self.receive_text(&format!("LIST /{folder}"), MAX_LIST_BYTES).await?;
        Ok(text.split("\r\n").filter_map(Row::parse).collect())
    }

    /// The job as its file tells, wherever the server keeps it; `None` when it has
    /// no such job.
    pub(super) async fn entry(&mut self, job: u32) -> Result<Option<Entry>, Fault> {
        for _ in 0..LOOKS {
            match self.look(job).await? {
                Look::Is(entry) => return Ok(Some(entry)),
                Look::Nowhere => return Ok(None),
                // It is being written at this moment.
                Look::Unreadable => sleep(Duration::from_millis(PAUSE_MS)).await,
            }
        }
        Err(Fault::broken("the file of a job cannot be understood"))
    }

    async fn look(&mut self, job: u32) -> Result<Look, Fault> {
        for folder in ["sendq", "doneq"] {
            let command = format!("RETR /{folder}/q{job}");
            match self.receive_text(&command, MAX_FILE_BYTES).await {
                Ok(text) => {
                    return Ok(Entry::parse(&text).map_or(Look::Unreadable, Look::Is));
                }
                Err(Fault::Refused(reply)) if reply.says_missing() => {}
                Err(Fault::Refused(reply)) if reply.says_forbidden() => {
                    let entry = self.entry_by_parameters(job).await?;
                    return Ok(entry.map_or(Look::Nowhere, Look::Is));
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(Look::Nowhere)
    }

    /// The same from `JPARM`, where the file may not be read. The session is not
    /// used again, so that the next look is a fresh one.
    async fn entry_by_parameters(&mut self, job: u32) -> Result<Option<Entry>, Fault> {
        self.stale = true;
        match self.control.demand(&format!("JOB {job}")).await {
            Ok(_) => {}
            Err(Fault::Refused(reply)) if reply.says_missing() => return Ok(None),
            Err(fault) => return Err(fault),
        }
        let mut values = Vec::new();
        for name in ["STATE", "JOBINFO", "NPAGES", "TOTDIALS", "STATUSCODE", "STATUS", "COMMID"] {
            let reply = self.control.demand(&format!("JPARM {name}")).await?;
            values.push(reply.lines.join(" ").trim().to_owned());
        }
        let state = State::from_word(&values[0])
            .ok_or_else(|| Fault::broken("the state of a job is unknown"))?;
        Ok(Some(Entry {
            state,
            tag: values[1].clone(),
            pages: number_in(&values[2]).unwrap_or(0),
            dials: number_in(&values[3]).unwrap_or(0),
            code: values[4].parse().unwrap_or(0),
            status: values[5].clone(),
            remote_id: None,
            bit_rate: None,
            call: said(&values[6]),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read() {
        let row = Row::parse("42\u{1f}P\u{1f}px-1-2.3").unwrap();
        assert_eq!(row, Row { job: 42, state: State::Waiting, tag: "px-1-2.3".into() });
        assert_eq!(Row::parse("7\u{1f}R\u{1f}").unwrap().state, State::Active);
        for bad in ["", "42", "42\u{1f}Z\u{1f}x", "x\u{1f}P\u{1f}x", "1\u{1f}P\u{1f}a\u{1f}b"] {
            assert_eq!(Row::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn files_of_jobs_are_read() {
        let text = "tts:1795403797\nstate:8\nnpages:1\ntotpages:3\ntotdials:1\n\
            jobtag:px-1\nsignalrate:14400\ncsi:+1 555 0101\ncommid:000000007\n\
            status:Busy signal detected;\\\ntoo many attempts to dial\nstatuscode:333\n";
        let entry = Entry::parse(text).unwrap();
        assert_eq!(entry.state, State::Failed);
        assert_eq!((entry.pages, entry.dials, entry.code), (1, 1, 333));
        assert_eq!(entry.tag, "px-1");
        assert_eq!(entry.status, "Busy signal detected; too many attempts to dial");
        assert_eq!(entry.remote_id.as_deref(), Some("+1 555 0101"));
        assert_eq!(entry.bit_rate, Some(14400));
        assert_eq!(entry.call.as_deref(), Some("000000007"));
        for bad in ["", "npages:1\n", "state:9\n", "state:7\nnpages:many\n"] {
            assert_eq!(Entry::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn machines_that_say_nothing_have_no_name() {
        for (value, is) in
            [("<UNSPECIFIED>", None), ("", None), ("\"  \"", None), ("\"x\"", Some("x"))]
        {
            assert_eq!(said(value).as_deref(), is, "{value}");
        }
    }
}
