//! Handing a fax over, and finding it again.
//!
//! Sending exactly once: until `JSUBM` is written nothing can have been taken, and
//! every failure says so. After that only a reply tells; when it does not come, what
//! was not delivered is thrown away, so that it cannot take effect later, and the
//! caller has to ask for the tag.

use std::time::Duration;

use postfax_domain::document::{Paper, Resolution};
use tokio::time::sleep;

use super::{
    queue::{Entry, State},
    session::Session,
    wire::{Fault, Reply, quoted},
};
use crate::driver::Call;

/// The longest value of a parameter, in octets.
const MAX_VALUE_OCTETS: usize = 200;
/// The longest time to live that the protocol can say, in minutes.
const MAX_LIFE_MIN: u64 = 99 * 24 * 60;
/// How long the server may still be busy with a command whose connection broke, in
/// seconds. A file that was written but not scheduled stays as it is for longer.
const SETTLE_S: u64 = 2;

/// Why a submission failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server has nothing.
    Before(Fault),
    /// The server may have it.
    After(String),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Before(fault)
    }
}

impl Session {
    /// Uploads the pages and submits a job that dials once; its number.
    pub(super) async fn submit(&mut self, call: &Call, header_line: bool) -> Result<u32, Failure> {
        // What was half made, and our own link to the upload, which a user may not
        // delete, is forgotten by the server with the session.
        self.stale = true;
        let job = self.make_job(call, header_line).await?;
        let reply = match self.control.ask("JSUBM").await {
            Ok(reply) => reply,
            Err(fault) => {
                self.control.forget_unsent();
                sleep(Duration::from_secs(SETTLE_S)).await;
                return Err(Failure::After(fault.to_string()));
            }
        };
        if !reply.is_done() {
            return Err(self.withdraw(job, reply).await);
        }
        Ok(job)
    }

    async fn make_job(&mut self, call: &Call, header_line: bool) -> Result<u32, Fault> {
        let upload = self.store_temporary(&call.pages).await?;
        let reply = self.control.demand("JNEW").await?;
        let job = new_job(&reply).ok_or_else(|| Fault::broken("the server gave no job number"))?;
        for command in parameters(call, header_line) {
            self.control.demand(&command).await?;
        }
        self.control
            .demand(&format!("JPARM DOCUMENT {}", quoted(&upload, MAX_VALUE_OCTETS)))
            .await?;
        Ok(job)
    }

    /// The server refused the submission, but a job that its scheduler did not take
    /// lies in the queue and would go out one day: it has to be deleted.
    async fn withdraw(&mut self, job: u32, reply: Reply) -> Failure {
        match self.control.ask(&format!("JDELE {job}")).await {
            Ok(deleted) if deleted.is_done() || deleted.says_missing() => {
                Failure::Before(Fault::Refused(reply))
            }
            _ => Failure::After(format!("it refused the job ({reply}) and kept it")),
        }
    }

    /// The job that carries a tag, in the queues.
    pub(super) async fn find(&mut self, tag: &str) -> Result<Option<u32>, Fault> {
        // In this order: a job moves from the first to the second.
        for folder in ["sendq", "doneq"] {
            let rows = self.queue(folder).await?;
            for row in rows.iter().rev().filter(|row| row.tag == tag) {
                if row.state != State::Suspended || !self.clear_away(row.job).await? {
                    return Ok(Some(row.job));
                }
            }
        }
        Ok(None)
    }

    /// Deletes a job whose submission broke after the server wrote its file and
    /// before its scheduler heard of it; whether it was one.
    async fn clear_away(&mut self, job: u32) -> Result<bool, Fault> {
        for _ in 0..2 {
            match self.entry(job).await? {
                None => return Ok(true),
                Some(entry) if is_stillborn(&entry) => {}
                Some(_) => return Ok(false),
            }
            sleep(Duration::from_secs(SETTLE_S)).await;
        }
        let reply = self.control.ask(&format!("JDELE {job}")).await?;
        Ok(reply.is_done() || reply.says_missing())
    }
}

fn is_stillborn(entry: &Entry) -> bool {
    entry.state == State::Suspended && entry.dials == 0 && entry.call.is_none()
}

/// `New job created: jobid: 42 groupid: 42.`
fn new_job(reply: &Reply) -> Option<u32> {
    reply.text().split_once("jobid: ")?.1.split_whitespace().next()?.parse().ok()
}

/// Everything about a job except its document.
fn parameters(call: &Call, header_line: bool) -> Vec<String> {
    let text =
        |name: &str, value: &str| format!("JPARM {name} {}", quoted(value, MAX_VALUE_OCTETS));
    let sender = if call.sender.trim().is_empty() { "postfax" } else { &call.sender };
    let minutes = (call.give_up_after.as_secs() / 60).clamp(1, MAX_LIFE_MIN);
    let life = format!("{:02}{:02}{:02}", minutes / 1440, minutes / 60 % 24, minutes % 60);
    let mut all = vec![
        text("FROMUSER", sender),
        text("NOTIFYADDR", sender),
        text("NOTIFY", "none"),
        text("JOBINFO", &call.tag),
        text("DIALSTRING", call.number.as_str()),
        text("EXTERNAL", call.number.as_str()),
        text("MODEM", "any"),
        // The time to live counts from the time to send.
        "JPARM SENDTIME NOW".to_owned(),
        format!("JPARM LASTTIME {life}"),
        "JPARM MAXDIALS 1".to_owned(),
        "JPARM MAXTRIES 1".to_owned(),
        format!("JPARM SCHEDPRI {}", call.priority),
        format!("JPARM VRES {}", call.resolution.lines_per_inch()),
        text("PAGECHOP", "none"),
        text("DATAFORMAT", "G4"),
    ];
    if !header_line {
        // `NO` would mean the server's own line; what prints none is an empty one.
        all.extend(["JPARM USETAGLINE YES".to_owned(), text("TAGLINE", "")]);
    }
    all.extend(sheet(call));
    all.extend(call.station_id.as_deref().map(|id| text("TSI", id)));
    all.extend(call.subaddress.as_deref().map(|address| text("SUBADDR", address)));
    all
}

/// How large and how fine the pages are.
///
/// HylaFAX draws pages again, by way of PostScript, that are not as it means to send them.
/// The width chooses one of three lines, 215, 255 or 303 mm: up to 230, up to 270, above.
/// The length is the most that it lets pass, up to 300 as A4, up to 380 as B4, above
/// without end, and never more than the remote machine takes. Without USEXVRES it sends
/// 98 or 196 lines an inch, by VRES; with it, the most that both the modem and what it
/// knows of the remote machine have: that is worth it only for pages that are finer.
fn sheet(call: &Call) -> Vec<String> {
    let (width_mm, length_mm) = match call.paper {
        Paper::A4 => (209, LEGAL_MM),
        Paper::B4 => (255, B4_MM),
        Paper::A3 => (303, A3_MM),
    };
    let mut all =
        vec![format!("JPARM PAGEWIDTH {width_mm}"), format!("JPARM PAGELENGTH {length_mm}")];
    match call.resolution {
        Resolution::Standard | Resolution::Fine => {}
        Resolution::Superfine | Resolution::Dots300 | Resolution::Dots400 => {
            all.push("JPARM USEXVRES YES".to_owned());
        }
    }
    all
}

/// Lengths of the longest sheets, as HylaFAX takes them, in whole millimetres.
const LEGAL_MM: u32 = 355;
const B4_MM: u32 = 364;
const A3_MM: u32 = 420;

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call {
            tag: "px-1-2.3".into(),
            number: "+15550101".to_owned().try_into().unwrap(),
            subaddress: Some("4312".into()),
            pages: "x.tif".into(),
            pages_before: 0,
            resolution: Resolution::Fine,
            paper: Paper::A4,
            sender: "anna\"\r\nJKILL 1".into(),
            station_id: None,
            priority: 127,
            give_up_after: Duration::from_secs(3 * 86_400 + 2 * 3_600 + 119),
        }
    }

    #[test]
    fn a_job_dials_once_and_says_nothing_to_its_sender() {
        let all = parameters(&call(), false);
        for line in [
            "JPARM MAXDIALS 1",
            "JPARM MAXTRIES 1",
            "JPARM NOTIFY \"none\"",
            "JPARM JOBINFO \"px-1-2.3\"",
            "JPARM DIALSTRING \"+15550101\"",
            "JPARM LASTTIME 030201",
            "JPARM VRES 196",
            "JPARM USETAGLINE YES",
            "JPARM TAGLINE \"\"",
            "JPARM SUBADDR \"4312\"",
            "JPARM FROMUSER \"anna'  JKILL 1\"",
        ] {
            assert!(all.iter().any(|is| is == line), "{line} in {all:?}");
        }
        assert!(!all.iter().any(|line| line.contains("TSI") || line.contains("USEXVRES")));
        assert!(all.iter().all(|line| !line.contains(['\r', '\n'])));
    }

    #[test]
    fn the_server_hears_how_large_and_fine_the_pages_are() {
        for (paper, resolution, lines, finer) in [
            (
                Paper::A4,
                Resolution::Standard,
                ["VRES 98", "PAGEWIDTH 209", "PAGELENGTH 355"],
                false,
            ),
            (Paper::A4, Resolution::Fine, ["VRES 196", "PAGEWIDTH 209", "PAGELENGTH 355"], false),
            (
                Paper::B4,
                Resolution::Superfine,
                ["VRES 391", "PAGEWIDTH 255", "PAGELENGTH 364"],
                true,
            ),
            (Paper::A3, Resolution::Dots300, ["VRES 300", "PAGEWIDTH 303", "PAGELENGTH 420"], true),
            (Paper::A3, Resolution::Dots400, ["VRES 400", "PAGEWIDTH 303", "PAGELENGTH 420"], true),
        ] {
            let all = parameters(&Call { paper, resolution, ..call() }, true);
            for line in lines.map(|line| format!("JPARM {line}")) {
                assert!(all.contains(&line), "{line} in {all:?}");
            }
            assert_eq!(all.iter().any(|line| line == "JPARM USEXVRES YES"), finer);
        }
    }

    #[test]
    fn times_to_live_are_at_least_a_minute() {
        let hurried = Call { give_up_after: Duration::ZERO, sender: " ".into(), ..call() };
        let all = parameters(&hurried, true);
        assert!(all.iter().any(|line| line == "JPARM LASTTIME 000001"));
        assert!(!all.iter().any(|line| line.contains("TAGLINE")));
        assert!(all.iter().any(|line| line == "JPARM FROMUSER \"postfax\""));
        let patient = Call { give_up_after: Duration::MAX, ..call() };
        assert!(parameters(&patient, true).iter().any(|line| line == "JPARM LASTTIME 990000"));
    }
}
