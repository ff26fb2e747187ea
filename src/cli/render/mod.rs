//! How answers look to people: plain text, aligned, with colours only where a
//! terminal shows them. Pure: text comes out, nothing is printed here.
//!
//! Words that came from outside (a remote machine's name, a server's banner, a
//! subject) lose their control characters on the way, so that no stranger ever
//! writes escape sequences to an administrator's terminal.

mod book;
mod configuration;
mod explain;
mod jobs;
mod lists;
mod settings;
mod status;
mod story;
pub(super) mod table;

use std::time::Duration;

pub(super) use book::book;
pub(super) use configuration::configuration;
pub(super) use explain::explanation;
use jiff::{fmt::strtime, tz::TimeZone};
pub(super) use jobs::jobs;
pub(super) use lists::{audit, chain, draining, gave_up, servers, webhooks};
use postfax_domain::{
    job::{End, State},
    time::Timestamp,
};
pub(super) use settings::settings;
pub(super) use status::{changes, status};
pub(super) use story::story;

use crate::requests::{Deed, Done};

/// What the rendering needs to know of the one who looks.
pub(super) struct View {
    /// The time.
    pub(super) now: Timestamp,
    /// Where the one who looks is.
    pub(super) zone: TimeZone,
    /// Whether colours are shown.
    pub(super) colour: bool,
    /// Columns of the terminal; lines are cut there. `None` cuts nothing.
    pub(super) width: Option<usize>,
}

/// What a colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Paint {
    Good,
    Bad,
    Attention,
    Dim,
    Strong,
}

impl View {
    fn paint(&self, paint: Paint, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Good => "32",
            Paint::Bad => "31",
            Paint::Attention => "33",
            Paint::Dim => "2",
            Paint::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// The time of day, `10:00:02`, in the zone of the one who looks.
    fn clock(&self, at: Timestamp) -> String {
        self.format("%H:%M:%S", at)
    }

    /// The day, `Mon 2026-11-23`.
    fn day(&self, at: Timestamp) -> String {
        self.format("%a %Y-%m-%d", at)
    }

    /// The time of day, with its date unless that is today's.
    fn moment(&self, at: Timestamp) -> String {
        if self.day(at) == self.day(self.now) {
            self.clock(at)
        } else {
            self.format("%Y-%m-%d %H:%M:%S", at)
        }
    }

    fn format(&self, format: &str, at: Timestamp) -> String {
        let Ok(instant) = jiff::Timestamp::from_millisecond(at.0) else { return "never".into() };
        strtime::format(format, &instant.to_zoned(self.zone.clone()))
            .unwrap_or_else(|_| instant.to_string())
    }

    /// How long ago, in one unit: `41 min`.
    fn age(&self, at: Timestamp) -> String {
        duration(self.now.since(at))
    }
}

/// The time of day of the one who looks.
pub(super) fn clock(view: &View) -> String {
    view.clock(view.now)
}

/// What was done to a job, as a sentence.
pub(super) fn done(done: &Done) -> String {
    let Done { job, what, new } = done;
    match (what, new) {
        (Deed::Cancelled, _) => format!("job {job} is cancelled\n"),
        (Deed::Cancelling, _) => format!("job {job} is being cancelled: its call has to end\n"),
        (Deed::Hurried, _) => format!("job {job} is tried now\n"),
        (Deed::SentAgain, Some(new)) => format!("job {job} is sent again, as job {new}\n"),
        (Deed::OnHold, _) => format!("job {job} is on hold\n"),
        (Deed::Released, _) => format!("job {job} is released\n"),
        (Deed::Altered, _) => format!("job {job} is altered\n"),
        (Deed::Assigned, _) => format!("job {job} goes to the client\n"),
        (Deed::SentAgain, None) => format!("job {job} is sent again\n"),
    }
}

/// A duration in the largest unit that it fills: `7 s`, `41 min`, `3 h`, `12 d`.
fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Where a job stands, in a word, and how that is to be taken.
fn standing(state: &State) -> (&'static str, Option<Paint>) {
    match state {
        State::Preparing { .. } => ("preparing", None),
        State::Waiting { .. } => ("waiting", None),
        State::Carrying { cancelling: false } => ("carrying", Some(Paint::Attention)),
        State::Carrying { cancelling: true } => ("cancelling", Some(Paint::Attention)),
        State::Held => ("held", Some(Paint::Bad)),
        State::Ended { end: End::Delivered, .. } => ("delivered", Some(Paint::Good)),
        State::Ended { end: End::Failed(_), .. } => ("failed", Some(Paint::Bad)),
        State::Ended { end: End::Cancelled, .. } => ("cancelled", Some(Paint::Dim)),
    }
}

/// Foreign text without anything that a terminal would obey or that turns the
/// direction of writing.
pub(super) fn clean(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c }).collect()
}

/// `1 page`, `4 pages`.
fn count(count: impl Into<u64>, noun: &str) -> String {
    match count.into() {
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::samples;

    /// Ten past nine on the day of the samples, an hour east of Greenwich.
    pub(super) fn view() -> View {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        View { now: samples::at(600), zone, colour: false, width: None }
    }

    #[test]
    fn times_are_those_of_the_one_who_looks() {
        assert_eq!(view().clock(samples::START), "10:00:00");
        assert_eq!(view().day(samples::START), "Mon 2026-11-23");
        assert_eq!(view().moment(samples::at(90)), "10:01:30");
        assert_eq!(view().moment(samples::at(86_400)), "2026-11-24 10:00:00");
        assert_eq!(view().moment(Timestamp::NEVER), "never");
    }

    #[test]
    fn durations_have_one_unit() {
        for (seconds, text) in
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_800, "2 d")]
        {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn colours_are_only_where_they_are_wanted() {
        assert_eq!(view().paint(Paint::Bad, "x"), "x");
        let colourful = View { colour: true, ..view() };
        assert_eq!(colourful.paint(Paint::Bad, "x"), "\x1b[31mx\x1b[0m");
    }

    #[test]
    fn strangers_cannot_write_escapes() {
        assert_eq!(clean("a\x1b[2Jb\n\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}c");
    }

    #[test]
    fn deeds_are_sentences() {
        use postfax_domain::names::JobId;
        let again = Done { job: JobId(12), what: Deed::SentAgain, new: Some(JobId(15)) };
        assert_eq!(done(&again), "job 12 is sent again, as job 15\n");
    }
}
