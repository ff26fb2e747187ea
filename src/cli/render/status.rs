//! How everything is: on one screen, or as lines that say what has changed.

use postfax_domain::{
    fleet::Health,
    job::{Carrier, Job},
    names::JobId,
    supervisor::{ServerStatus, Status},
};

use super::{
    Paint, View, count,
    settings::{about_settings, cell, is_applied, unsettled, word_of},
    table::{self, Cell, number, text},
};
use crate::requests::{Summary, confirmed};

/// Width of a full progress bar.
const BAR: u32 = 10;

/// Everything on one screen.
pub(in crate::cli) fn status(view: &View, status: &Status) -> String {
    let mut out = queue(view, status);
    out.push('\n');
    if status.servers.is_empty() {
        out.push_str("No fax server is set up.\n");
    } else {
        out.push_str(&servers(view, &status.servers));
        out.push_str(&unsettled(view, status.servers.iter()));
    }
    if !status.under_way.is_empty() {
        out.push('\n');
        out.push_str(&under_way(view, &status.under_way));
    }
    out
}

/// What has changed since `before`, one line for each change. Before the first
/// status, everything has.
pub(in crate::cli) fn changes(view: &View, before: Option<&Status>, now: &Status) -> Vec<String> {
    let mut lines = Vec::new();
    for server in &now.servers {
        let earlier = before.and_then(|b| b.servers.iter().find(|s| s.name == server.name));
        let word = condition(server).0;
        if earlier.map(|e| condition(e).0) != Some(word) {
            lines.push(sentence(format!("{} is {word}", server.name), &says(server)));
        }
        if let Some(settings) = &server.settings
            && earlier.and_then(|e| e.settings.as_ref()).map(word_of) != Some(word_of(settings))
            && (earlier.is_some() || !is_applied(settings))
        {
            lines.push(super::clean(&about_settings(server, settings)));
        }
    }
    let earlier = |id: JobId| before.and_then(|b| b.under_way.iter().find(|j| j.id == id));
    for job in &now.under_way {
        if earlier(job.id).map(step) != Some(step(job)) {
            lines.push(call(job));
        }
    }
    for job in before.map_or(&[][..], |b| &b.under_way) {
        if !now.under_way.iter().any(|other| other.id == job.id) {
            lines.push(format!("job {} is no longer under way", job.id));
        }
    }
    if before.map(numbers) != Some(numbers(now)) {
        lines.push(numbers(now));
    }
    lines.into_iter().map(|line| format!("{} {line}", view.clock(view.now))).collect()
}

fn sentence(said: String, why: &str) -> String {
    if why.is_empty() { said } else { format!("{said}: {}", super::clean(why)) }
}

fn queue(view: &View, status: &Status) -> String {
    let mut line = numbers(status);
    if status.unrouted > 0 {
        let unrouted = count(status.unrouted as u64, "received job");
        line.push_str("; ");
        line.push_str(&view.paint(Paint::Bad, &format!("{unrouted} that nobody gets")));
    }
    line.push('\n');
    line
}

fn numbers(status: &Status) -> String {
    let preparing = match status.faxes_preparing {
        0 => String::new(),
        some => format!("{some} without pages yet, "),
    };
    let held = match status.faxes_on_hold {
        0 => String::new(),
        some => format!(" ({some} of them on hold)"),
    };
    format!(
        "faxes: {preparing}{} waiting{held}, {} calling; mails: {} waiting, {} under way",
        status.faxes_waiting, status.faxes_calling, status.mails_waiting, status.mails_under_way,
    )
}

pub(super) fn condition(server: &ServerStatus) -> (&'static str, Paint) {
    match (&server.live.health, server.draining) {
        (Health::Unknown, _) => ("unknown", Paint::Attention),
        (Health::Down { .. }, true) => ("down, draining", Paint::Bad),
        (Health::Down { .. }, false) => ("down", Paint::Bad),
        (Health::Up { .. }, true) => ("draining", Paint::Attention),
        (Health::Up { can_call: false, .. }, false) => ("cannot call", Paint::Bad),
        (Health::Up { broken, .. }, false) if !broken.is_empty() => ("up", Paint::Attention),
        (Health::Up { .. }, false) => ("up", Paint::Good),
    }
}

fn says(server: &ServerStatus) -> String {
    match &server.live.health {
        Health::Unknown => "not heard of yet".into(),
        Health::Down { why } => why.clone(),
        Health::Up { banner, lines, .. } if lines.is_empty() => banner.clone(),
        Health::Up { banner, lines, .. } => format!("{banner}; {}", lines.join("; ")),
    }
}

fn servers(view: &View, servers: &[ServerStatus]) -> String {
    let heading =
        ["SERVER", "HEALTH", "SINCE", "CALLS", "LINES", "S/PAGE", "FAILED", "SETTINGS", "SAYS"];
    let row = |server: &ServerStatus| -> Vec<Cell> {
        let (word, paint) = condition(server);
        let since = match server.live.health {
            Health::Unknown => String::new(),
            _ => view.age(server.live.since),
        };
        vec![
            text(server.name.as_str()),
            text(word).painted(paint),
            text(since),
            number(server.live.busy),
            number(server.lines),
            number(format!("{:.1}", server.live.page_s)),
            number(server.live.failures),
            cell(view, server),
            text(says(server)),
        ]
    };
    table::table(view, "", &heading, servers.iter().map(row).collect())
}

fn under_way(view: &View, jobs: &[Job]) -> String {
    let heading = ["JOB", "FROM", "TO", "BY", "PAGES", "FOR", "SPEED", "REMOTE"];
    let rows = jobs.iter().filter_map(|job| {
        let attempt = job.under_way()?;
        let summary = Summary::of(job);
        let speed = attempt.ledger.bit_rate.map(|rate| rate.to_string()).unwrap_or_default();
        Some(vec![
            number(job.id),
            text(summary.from),
            text(summary.to),
            text(carrier(&attempt.carrier)),
            text(bar(confirmed(job), summary.pages)),
            text(view.age(attempt.started)),
            number(speed),
            text(attempt.ledger.remote_id.as_deref().unwrap_or("")),
        ])
    });
    table::table(view, "", &heading, rows.collect())
}

/// Who carries it, in a word.
pub(super) fn carrier(carrier: &Carrier) -> &str {
    match carrier {
        Carrier::Server(server) => server.as_str(),
        Carrier::Mail => "mail relay",
    }
}

/// `[#####-----] 2/4`; nothing for what has no pages.
fn bar(done: u32, all: u32) -> String {
    if all == 0 {
        return String::new();
    }
    let full = (u64::from(done.min(all)) * u64::from(BAR) / u64::from(all)) as usize;
    let empty = BAR as usize - full;
    format!("[{}{}] {done}/{all}", "#".repeat(full), "-".repeat(empty))
}

/// What of a call is worth a line when it changes.
fn step(job: &Job) -> (u32, u32) {
    (job.under_way().map_or(0, |attempt| attempt.number), confirmed(job))
}

fn call(job: &Job) -> String {
    let summary = Summary::of(job);
    let by = job.under_way().map_or("", |attempt| carrier(&attempt.carrier));
    let pages = match (summary.confirmed, summary.pages) {
        (_, 0) => String::new(),
        (done, all) => format!(", page {done} of {all} confirmed"),
    };
    let line = format!(
        "job {} from {} to {} by {by}, attempt {}{pages}",
        job.id, summary.from, summary.to, summary.attempts
    );
    super::clean(&line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::render::tests::view, requests::samples};

    #[test]
    fn everything_fits_on_one_screen() {
        let shown = status(&view(), &samples::status());
        let expected = "\
faxes: 3 waiting, 1 calling; mails: 2 waiting, 0 under way; 1 received job that nobody gets

SERVER    HEALTH          SINCE   CALLS  LINES  S/PAGE  FAILED  SETTINGS        SAYS
london-1  up              10 min      1      4    18.0       0  applied 10 min  HylaFAX (tm) Version 6.0.7; ttyFAX0: Running and idle
paris-1   down, draining  10 min      0      4    18.0       0  failed 9 min    connection refused
settings of paris-1, version 3: The server did not take it, 2026-11-23 09:01 UTC: the disk is full. It is tried again by itself, 2026-11-23 09:03 UTC.

JOB  FROM  TO            BY        PAGES             FOR    SPEED  REMOTE
 12  anna  +33140000000  london-1  [#####-----] 2/4  6 min  14400  MUELLER
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn an_empty_house_says_so() {
        let nothing = Status { servers: Vec::new(), under_way: Vec::new(), ..samples::status() };
        assert!(status(&view(), &nothing).contains("No fax server is set up."));
    }

    #[test]
    fn a_fax_on_hold_is_counted_once() {
        let held = Status { faxes_on_hold: 2, ..samples::status() };
        assert!(status(&view(), &held).starts_with("faxes: 3 waiting (2 of them on hold), 1 "));
    }

    #[test]
    fn changes_are_lines() {
        let first = samples::status();
        let lines = changes(&view(), None, &first);
        assert_eq!(lines.len(), 5, "{lines:?}");
        assert_eq!(lines[1], "10:10:00 paris-1 is down, draining: connection refused");
        assert!(lines[2].contains(" settings of paris-1, version 3: "), "{}", lines[2]);
        assert_eq!(
            lines[3],
            "10:10:00 job 12 from anna to +33140000000 by london-1, attempt 2, page 2 of 4 confirmed"
        );
        assert!(changes(&view(), Some(&first), &first).is_empty());

        let mut second = first.clone();
        second.servers[1].live.health = Health::up("back", Vec::new());
        second.servers[1].draining = false;
        second.under_way.clear();
        let lines = changes(&view(), Some(&first), &second);
        assert_eq!(
            lines,
            ["10:10:00 paris-1 is up: back", "10:10:00 job 12 is no longer under way"]
        );
    }

    #[test]
    fn bars_are_full_at_the_end_only() {
        assert_eq!(bar(0, 3), "[----------] 0/3");
        assert_eq!(bar(2, 3), "[######----] 2/3");
        assert_eq!(bar(3, 3), "[##########] 3/3");
        assert_eq!(bar(0, 0), "");
    }
}
