//! Strangers at the local socket: users of this host who are no client. They are refused,
//! and that is put on record, but not so often that they could fill the audit log.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use postfax_domain::{
    audit::{Asker, Door, Line, Verdict},
    authority::Who,
    rate::{Rate, Rates},
    time::Timestamp,
};

use super::super::{Daemon, Problem};

/// What the audit log calls it.
const REQUEST: &str = "connect";
/// Most lines about one user, so that no stranger hides another.
const OF_ONE: Rate = Rate { most: 5, period: Duration::from_secs(3600) };
/// Most lines about all of them.
const OF_ALL: Rate = Rate { most: 60, period: Duration::from_secs(3600) };

/// Who was refused of late.
pub(super) struct Strangers {
    since: Instant,
    refused: Mutex<Refused>,
}

#[derive(Default)]
struct Refused {
    /// By user, and (`None`) of all users together.
    lines: Rates<Option<u32>>,
    /// How many were refused since the last line.
    unwritten: u64,
}

impl Strangers {
    /// Nobody has come yet.
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), refused: Mutex::default() }
    }

    /// Puts on record that this user was refused.
    pub(super) async fn record(&self, daemon: &dyn Daemon, uid: u32, why: &Problem) {
        tracing::warn!(uid, "refused at the control socket");
        let Some(line) = self.line(uid, why, self.since.elapsed()) else { return };
        if let Err(failed) = daemon.note(line).await {
            tracing::warn!(uid, failed, "that was not put on record");
        }
    }

    /// The line of the audit log, unless there were many of late.
    fn line(&self, uid: u32, why: &Problem, passed: Duration) -> Option<Line> {
        let now = Timestamp::default() + passed;
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let rates = [(Some(uid), OF_ONE), (None, OF_ALL)];
        if !rates.iter().all(|(key, rate)| refused.lines.ask(now, key, *rate).is_ok()) {
            refused.unwritten += 1;
            return None;
        }
        for (key, rate) in rates {
            refused.lines.note(now, key, rate);
        }
        let said = match std::mem::take(&mut refused.unwritten) {
            0 => why.message.clone(),
            more => format!("{}; {more} more were refused since the last such line", why.message),
        };
        let from = format!("uid {uid}");
        Some(Line {
            at: Timestamp::default(),
            asker: Asker { who: Who::Stranger, door: Door::Socket, from },
            request: REQUEST.to_owned(),
            object: String::new(),
            verdict: Verdict::Refused(said),
            before: None,
            after: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::Code, *};

    #[test]
    fn whoever_knocks_all_day_fills_no_log() {
        let strangers = Strangers::new();
        let why = Problem::new(Code::NotPermitted, "you are nobody");
        let mut written = Vec::new();
        let mut knock = |uid, seconds| {
            let line = strangers.line(uid, &why, Duration::from_secs(seconds));
            written.extend(line.map(|line| (line.asker.from, line.verdict)));
            written.len()
        };
        // One that does nothing else, and one that comes once.
        let lines = (0..10_000).map(|_| knock(77, 0)).last();
        assert_eq!(lines, Some(5));
        assert_eq!(knock(78, 0), 6);
        // A user may have many numbers (user namespaces).
        let lines = (100_000..110_000).map(|uid| knock(uid, 0)).last();
        assert_eq!(lines, Some(60));
        // In a day: what drains in an hour, an hour long.
        let lines = (0..86_400).map(|second| knock(79, second)).last();
        assert!(lines.is_some_and(|lines| lines <= 60 + 24 * 5 + 5), "{lines:?}");
        let (from, verdict) = &written[5];
        let said = "you are nobody; 9995 more were refused since the last such line";
        assert_eq!((from.as_str(), verdict), ("uid 78", &Verdict::Refused(said.into())));
    }
}
