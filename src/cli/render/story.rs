//! The story of one job on one page: what it is, and then what happened, in the
//! order in which it happened.

use postfax_domain::{
    destination::{Destination, Named},
    document::{PageLedger, Quality},
    job::{Attempt, Carrier, Cause, End, Job, State},
    options::Stepped,
    route::Arrival,
    time::Timestamp,
};
use postfax_hw::pages::line_time::line_time;

use super::{Paint, View, clean, count, duration, explain, standing, status::carrier};
use crate::requests::{Story, Summary};

/// Everything that is known of a job.
pub(in crate::cli) fn story(view: &View, story: &Story) -> String {
    let mut teller = Teller { view, out: head(view, &story.job), day: String::new() };
    teller.beginning(&story.job);
    for (at, attempt) in story.job.attempts.iter().enumerate() {
        teller
            .gap(at.checked_sub(1).map_or(0, |before| story.job.attempts[before].number), attempt);
        teller.attempt(&story.job, attempt);
    }
    teller.end(&story.job);
    for receipt in &story.receipts {
        teller.receipt(receipt);
    }
    teller.out
}

fn head(view: &View, job: &Job) -> String {
    let (word, paint) = standing(&job.state);
    let word = paint.map_or(word.to_owned(), |paint| view.paint(paint, word));
    let summary = Summary::of(job);
    let what = match &job.cause {
        Cause::Sent(_) => "a fax from",
        Cause::Arrived(_) => "a fax that came in, from",
        Cause::Receipt { .. } => "a receipt for",
        Cause::Alarm(_) => "an alarm about",
        Cause::Forwarded(_) => "a mail for the postmaster from",
        Cause::Answer(_) => "the answer to",
    };
    let title = format!("Job {}: {what} {} to {}", job.id, summary.from, summary.to);
    let mut out = format!("{}, {word}\n", view.paint(Paint::Strong, &clean(&title)));
    for (name, value) in facts(job) {
        out.push_str(&format!("  {name:<11} {}\n", clean(&value)));
    }
    out
}

/// What is worth knowing before the story begins.
fn facts(job: &Job) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut fact = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    if let Some(document) = &job.document {
        let inch = document.resolution.lines_per_inch();
        let coarse = if job.coarse { ", sent coarser" } else { "" };
        let pages = count(job.pages(), "page");
        let cover = job.cover.as_ref().map(|cover| format!(" ({} of them cover)", cover.pages));
        let cover = cover.unwrap_or_default();
        fact("Pages", Some(format!("{pages}{cover}, {inch} lines an inch{coarse}")));
        if job.sender().is_some() {
            let line_s = line_time(job.pages(), job.coded_bytes(), None).as_secs();
            fact("Line time", Some(format!("about {line_s} s")));
        }
        if let Some(Stepped { asked, as_text, line_s, .. }) = &job.remarks.stepped {
            let text = if *as_text { ", pictures as text" } else { "" };
            let asked = asked.as_str();
            fact("Made coarser", Some(format!("{asked} would have taken {line_s} s{text}")));
        }
        for warning in &job.remarks.warnings {
            fact("Warning", Some(warning.clone()));
        }
    }
    if let Destination::Fax(fax) = &job.destination {
        fact("Written as", Some(fax.as_written.clone()));
        fact("Phone book", fax.named.as_ref().map(entry));
        fact("Sub-address", fax.subaddress.clone());
        fact("Attention", fax.attention.clone());
    }
    if let Cause::Sent(sent) = &job.cause {
        for missed in &sent.missed {
            let words = format!("{} of the list {} could not be used", missed.members, missed.list);
            fact("Not reached", Some(words));
        }
        fact("Sender", Some(sent.reverse_path.clone().unwrap_or_else(|| "<>".into())));
        fact("Subject", sent.subject.clone());
        fact("Message-ID", sent.message_id.clone());
    }
    if let Cause::Arrived(fax) = &job.cause {
        fact("Called", fax.called.as_ref().map(ToString::to_string));
        fact("Caller", fax.caller.as_ref().map(ToString::to_string));
        fact("Name", fax.caller_name.clone());
        fact("Station", fax.tsi.clone());
        fact("Sub-address", fax.subaddress.clone());
        fact("Code", (!fax.codes.is_empty()).then(|| fax.codes.join(", ")));
        fact("Trouble", fax.error.clone());
    }
    if job.on_hold && !job.is_ended() {
        fact("On hold", Some("until it is released".into()));
    }
    fact("Tries left", job.tries_left.map(|left| left.to_string()));
    if job.priority != 0 {
        fact("Priority", Some(job.priority.to_string()));
    }
    facts
}

/// The entry that was called, and whose it was.
fn entry(named: &Named) -> String {
    let list = named.list.as_ref().map(|list| format!(", by the list {list}")).unwrap_or_default();
    format!("{}{list} (of {})", named.entry, named.owner)
}

/// Writes down what happened, each line with its time, each day with its date.
struct Teller<'a> {
    view: &'a View,
    out: String,
    day: String,
}

impl Teller<'_> {
    fn beginning(&mut self, job: &Job) {
        let accepted = match &job.cause {
            Cause::Sent(sent) => format!("accepted from {}", sent.client),
            Cause::Arrived(fax) => {
                self.line(fax.received, &arrived(fax));
                "safe here".to_owned()
            }
            Cause::Receipt { of, .. } => format!("written for job {of}"),
            Cause::Alarm(_) => "written for the postmaster".to_owned(),
            Cause::Forwarded(_) => "taken for the postmaster".to_owned(),
            Cause::Answer(inquiry) => format!("asked by {}", inquiry.client),
        };
        let until = self.view.moment(job.expires);
        self.line(job.created, &format!("{accepted}; tried until {until}"));
    }

    /// Long stories lose attempts from their middle; that is said.
    fn gap(&mut self, before: u32, attempt: &Attempt) {
        let lost = attempt.number.saturating_sub(before + 1);
        if lost > 0 {
            self.more(&format!("({} no longer known)", count(lost, "attempt")));
        }
    }

    fn attempt(&mut self, job: &Job, attempt: &Attempt) {
        let mut line = format!("attempt {} by {}", attempt.number, carrier(&attempt.carrier));
        if attempt.first_page > 0 && job.pages() > 0 {
            line += &format!(", from page {} of {}", attempt.first_page + 1, job.pages());
        }
        if let Some(ticket) = &attempt.ticket {
            line += &format!(", which calls it {ticket}");
        }
        self.line(attempt.started, &line);
        if matches!(attempt.carrier, Carrier::Server(_)) {
            self.more(&format!("why: {}", explain::reason(&attempt.decision)));
        }
        match &attempt.ended {
            Some(end) => {
                let paint = if end.outcome.is_success() { Paint::Good } else { Paint::Bad };
                let outcome = self.view.paint(paint, end.outcome.text());
                self.line_painted(end.at, &format!("{outcome} ({})", end.outcome.name()));
                if !end.said.is_empty() {
                    self.more(&format!("it said: {}", end.said));
                }
            }
            None if job.under_way().is_some_and(|now| now.number == attempt.number) => {
                self.line(self.view.now, "under way now");
            }
            None => {}
        }
        let confirmed = ledger(&attempt.ledger);
        if !confirmed.is_empty() {
            self.more(&confirmed);
        }
    }

    fn end(&mut self, job: &Job) {
        match &job.state {
            State::Preparing { .. } => self.line(self.view.now, "waiting for its pages to be made"),
            State::Waiting { due } if *due > self.view.now => {
                self.line(*due, "the next attempt");
            }
            State::Waiting { .. } => self.line(self.view.now, "waiting for a free line"),
            State::Carrying { cancelling: true } => self.more("being cancelled"),
            State::Carrying { cancelling: false } => {}
            State::Held => self.line(self.view.now, "nobody gets it: waiting for an administrator"),
            State::Ended { end, at } => {
                let words = match end {
                    // The last attempt has said so.
                    End::Delivered => return,
                    End::Failed(cause) => {
                        let why = job.trouble.as_deref().unwrap_or_else(|| cause.text());
                        let words = format!("given up: {why}");
                        self.view.paint(Paint::Bad, &words)
                    }
                    End::Cancelled => "cancelled".into(),
                };
                self.line_painted(*at, &words);
            }
        }
    }

    fn receipt(&mut self, receipt: &Summary) {
        let (word, _) = standing(&receipt.state);
        let line = format!("receipt to {} is job {}, {word}", receipt.to, receipt.job);
        self.line(receipt.created, &line);
    }

    fn line(&mut self, at: Timestamp, said: &str) {
        self.line_painted(at, &clean(said));
    }

    fn line_painted(&mut self, at: Timestamp, said: &str) {
        let day = self.view.day(at);
        if day != self.day {
            let heading = self.view.paint(Paint::Dim, &day);
            self.out.push_str(&format!("\n{heading}\n"));
            self.day = day;
        }
        self.out.push_str(&format!("{}  {said}\n", self.view.clock(at)));
    }

    fn more(&mut self, said: &str) {
        self.out.push_str(&format!("          {}\n", clean(said)));
    }
}

fn arrived(fax: &Arrival) -> String {
    let line = fax.line.as_ref().map(|line| format!(", line {line}")).unwrap_or_default();
    let rate = fax.bit_rate.map(|rate| format!(" at {rate} bit/s")).unwrap_or_default();
    format!("received by {}{line}, in {}{rate}", fax.server, duration(fax.duration))
}

/// What a call has confirmed; nothing where there was no call.
fn ledger(ledger: &PageLedger) -> String {
    if *ledger == PageLedger::default() {
        return String::new();
    }
    let mut said = format!("{} confirmed", count(ledger.confirmed, "page"));
    if let Some(remote) = &ledger.remote_id {
        said += &format!(" by \"{remote}\"");
    }
    if let Some(rate) = ledger.bit_rate {
        said += &format!(" at {rate} bit/s");
    }
    said += &format!(" in {}", duration(ledger.duration));
    if let Some(quality) = &ledger.quality {
        said += &format!("; {}", line_of(quality));
    }
    said
}

/// How well it went on the line: `T.38, error correction, MMR, 3 frames sent again`.
fn line_of(quality: &Quality) -> String {
    let mut said = vec![clean(&quality.carrier)];
    if quality.ecm {
        said.push("error correction".to_owned());
    }
    said.extend(quality.coding.as_deref().map(clean));
    if quality.resent_frames > 0 {
        said.push(format!("{} sent again", count(quality.resent_frames, "frame")));
    }
    if quality.bad_lines > 0 {
        said.push(count(quality.bad_lines, "bad line"));
    }
    said.extend(quality.remote_model.as_deref().map(|model| format!("to a {}", clean(model))));
    said.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::render::tests::view, requests::samples};

    #[test]
    fn a_fax_out_from_rcpt_to_receipt() {
        let told =
            Story { job: samples::delivered(), receipts: vec![Summary::of(&samples::receipt())] };
        let expected = "\
Job 12: a fax from anna to +33140000000, delivered
  Pages       4 pages, 196 lines an inch
  Line time   about 103 s
  Written as  0140000000@fax.example.com
  Sender      anna@example.com
  Subject     Offer 4711
  Message-ID  <offer@example.com>

Mon 2026-11-23
10:00:00  accepted from anna; tried until 2026-11-24 10:00:00
10:00:03  attempt 1 by london-1, which calls it 17
          why: dial rule 2 names it next, and paris-1 is down
10:00:47  the line is busy (busy)
          it said: Busy signal detected
10:03:47  attempt 2 by london-1, which calls it 18
          why: dial rule 2 names it next, and paris-1 is down
10:05:00  delivered (delivered)
          4 pages confirmed by \"MUELLER\" at 14400 bit/s in 71 s; T.38, error correction, MMR, 3 frames sent again
10:05:00  receipt to anna@example.com is job 13, delivered
";
        assert_eq!(story(&view(), &told), expected);
    }

    #[test]
    fn a_call_under_way_says_how_far_it_is() {
        let shown = story(&view(), &Story { job: samples::carrying(), receipts: Vec::new() });
        let end = "\
10:10:00  under way now
          2 pages confirmed by \"MUELLER\" at 14400 bit/s in 41 s; T.38, error correction, MMR, 3 frames sent again
";
        assert!(shown.ends_with(end), "{shown}");
    }

    #[test]
    fn a_fax_in_says_where_it_comes_from() {
        let shown = story(&view(), &Story { job: samples::received(), receipts: Vec::new() });
        let head = "Job 14: a fax that came in, from +4930123456 to anna@example.com, waiting\n";
        assert!(shown.starts_with(head), "{shown}");
        let arrival = "10:00:00  received by london-1, line ttyFAX0, in 65 s at 9600 bit/s\n";
        assert!(shown.contains(arrival), "{shown}");
        assert!(shown.contains("  Station     MUELLER\u{fffd}[2J\n"), "{shown}");
    }

    #[test]
    fn a_receipt_says_what_it_is_about() {
        let shown = story(&view(), &Story { job: samples::receipt(), receipts: Vec::new() });
        assert!(shown.starts_with("Job 13: a receipt for job 12 to anna@example.com, delivered\n"));
    }

    #[test]
    fn attempts_that_were_dropped_are_mentioned() {
        let mut job = samples::delivered();
        job.attempts[1].number = 9;
        let shown = story(&view(), &Story { job, receipts: Vec::new() });
        assert!(shown.contains("(7 attempts no longer known)"), "{shown}");
    }
}
