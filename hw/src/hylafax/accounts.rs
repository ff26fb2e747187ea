//! The server's accounting log, `log/xferfaxlog`: one line for each call, sent or
//! received. It remembers jobs that the queues have forgotten, and for faxes that
//! came in it knows the line and the number that was called. Only administrators
//! may read it, and it grows for ever, so only its end is read.

use std::time::Duration;

use super::{queue::said, session::Session, wire::Fault};

/// How much of the end of the log is read, in bytes.
const TAIL_BYTES: u64 = 512 * 1024;
/// What may be added while it is read, in bytes.
const SLACK_BYTES: u64 = 64 * 1024;
const LOG: &str = "/log/xferfaxlog";

/// One call in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    /// Whether it is a fax of ours that was sent.
    pub(super) sent: bool,
    /// The number of the call in the server's logs.
    pub(super) call: String,
    /// The line.
    pub(super) line: String,
    /// The number of the job, or the file of a received fax.
    pub(super) job: String,
    /// The tag of the job.
    pub(super) tag: String,
    /// The number called, as the server writes it.
    pub(super) called: Option<String>,
    /// What the remote machine called itself.
    pub(super) remote_id: Option<String>,
    /// Pages that passed.
    pub(super) pages: u32,
    /// How long the line was up.
    pub(super) connected: Duration,
    /// Empty after success.
    pub(super) reason: String,
}

impl Account {
    fn parse(line: &str) -> Option<Self> {
        let columns: Vec<&str> = line.split('\t').collect();
        let column = |at: usize| columns.get(at).copied().map(|c| c.trim().trim_matches('"'));
        let sent = match column(1)? {
            "SEND" => true,
            "RECV" => false,
            _ => return None,
        };
        Some(Self {
            sent,
            call: column(2)?.to_owned(),
            line: column(3)?.to_owned(),
            job: column(4)?.to_owned(),
            tag: column(5)?.to_owned(),
            called: said(column(7)?),
            remote_id: said(column(8)?),
            pages: column(10)?.parse().ok()?,
            connected: clock(column(12)?)?,
            reason: column(13)?.to_owned(),
        })
    }
}

/// `1:02:03`, `2:03` or `3`.
pub(super) fn clock(text: &str) -> Option<Duration> {
    let mut seconds: u64 = 0;
    for part in text.trim().split(':') {
        let part: u64 = part.parse().ok()?;
        seconds = seconds.checked_mul(60)?.checked_add(part)?;
    }
    Some(Duration::from_secs(seconds))
}

impl Session {
    /// The last calls, oldest first; none where we or the server may not read the log.
    pub(super) async fn accounts(&mut self) -> Result<Vec<Account>, Fault> {
        if !self.is_admin {
            return Ok(Vec::new());
        }
        let size = self.control.ask(&format!("SIZE {LOG}")).await?;
        // A server that has not yet carried a call has no log.
        if !size.is_done() {
            return Ok(Vec::new());
        }
        let size: u64 = size.text().trim().parse().map_err(Fault::broken)?;
        let from = size.saturating_sub(TAIL_BYTES);
        let command = format!("RETR {LOG}");
        let text = match self.receive_end(&command, from, TAIL_BYTES + SLACK_BYTES).await {
            Ok(text) => text,
            // Where a line made it as root, hfaxd cannot read it.
            Err(Fault::Refused(_)) => return Ok(Vec::new()),
            Err(fault) => return Err(fault),
        };
        Ok(text.lines().filter_map(Account::parse).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_log_are_read() {
        let line = "11/23/26 03:16\tSEND\t000000007\tttyFAX0\t42\t\"px-1\"\tanna\t\
            \"+15550101\"\t\"+1 555 101\"\t31456\t3\t1:40\t1:31\t\"\"\t\"\"\t\"\"\t\"\"\t\"gw\"\t\"\"";
        let account = Account::parse(line).unwrap();
        assert!(account.sent);
        assert_eq!((account.job.as_str(), account.tag.as_str()), ("42", "px-1"));
        assert_eq!(account.line, "ttyFAX0");
        assert_eq!(account.remote_id.as_deref(), Some("+1 555 101"));
        assert_eq!((account.pages, account.connected), (3, Duration::from_secs(91)));
        assert_eq!(account.reason, "");
        for bad in ["", "a\tb", "x\tCALL\t1", "0 SEND\t000000007"] {
            assert_eq!(Account::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn clocks_are_read() {
        for (text, seconds) in
            [("1:31", Some(91)), ("0:00:05", Some(5)), ("1:00:00", Some(3600)), ("x", None)]
        {
            assert_eq!(clock(text), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
