//! Lines of fax servers that do not work: the postmaster hears of each once, when it has
//! lasted for a while.

use std::{collections::BTreeMap, time::Duration};

use crate::{fleet::BrokenLine, job::Alarm, names::ServerName, time::Timestamp};

/// A modem that is being set up again, or a trunk that registers anew, is no news.
const TELL_AFTER: Duration = Duration::from_secs(60);

/// What is broken.
#[derive(Debug, Default)]
pub(super) struct Broken(BTreeMap<(ServerName, String), Since>);

#[derive(Debug)]
struct Since {
    at: Timestamp,
    told: bool,
}

impl Broken {
    /// A server has told how its lines are: what somebody is to be told of now.
    pub(super) fn heed(
        &mut self,
        server: &ServerName,
        lines: &[BrokenLine],
        now: Timestamp,
    ) -> Vec<Alarm> {
        let still = |line: &str| lines.iter().any(|broken| broken.line == line);
        self.0.retain(|(of, line), _| of != server || still(line));
        let mut alarms = Vec::new();
        for BrokenLine { line, why } in lines {
            let key = (server.clone(), line.clone());
            let since = self.0.entry(key).or_insert(Since { at: now, told: false });
            if !since.told && now.since(since.at) >= TELL_AFTER {
                since.told = true;
                let (server, line, why) = (server.clone(), line.clone(), why.clone());
                alarms.push(Alarm::Line { server, line, why });
            }
        }
        alarms
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn a_line_that_stays_broken_is_told_of_once_each_time() {
        let (one, two) = (ServerName::new("one").unwrap(), ServerName::new("two").unwrap());
        let modem = [BrokenLine { line: "modem".into(), why: "does not answer".into() }];
        let mut broken = Broken::default();
        let told = |broken: &mut Broken, server: &ServerName, lines: &[BrokenLine], at: i64| {
            broken.heed(server, lines, Timestamp(at * 1000)).len()
        };
        assert_eq!(told(&mut broken, &one, &modem, 0), 0);
        assert_eq!(told(&mut broken, &one, &[], 30), 0, "it works again");
        assert_eq!(told(&mut broken, &one, &modem, 45), 0);
        assert_eq!(told(&mut broken, &two, &modem, 60), 0, "that of another server");
        assert_eq!(told(&mut broken, &one, &modem, 105), 1);
        assert_eq!(told(&mut broken, &one, &modem, 900), 0, "once");
        assert_eq!(told(&mut broken, &two, &[], 900), 0);
        assert_eq!(told(&mut broken, &one, &[], 1000), 0);
        assert_eq!(told(&mut broken, &one, &modem, 1100), 0);
        assert_eq!(told(&mut broken, &one, &modem, 1160), 1, "again");
    }
}
