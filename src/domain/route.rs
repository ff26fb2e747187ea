//! Routes: which client receives which fax.
//!
//! The first rule decides whose conditions all hold and which names at least one
//! client that shares a group with the server. Without one it is the operator of
//! the server's group, and without an operator nobody: the fax is kept and an
//! administrator told.

use std::{collections::BTreeSet, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    document::Document,
    names::{ClientName, GroupName, ServerName},
    number::{Country, Number, Pattern},
    setup::Setup,
    time::{Timestamp, WallClock},
};

/// A fax that has arrived, durable here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// The server that answered.
    pub server: ServerName,
    /// Names the fax at its server, for ever.
    pub key: String,
    /// The line that it came in on.
    pub line: Option<String>,
    /// The number that was called.
    pub called: Option<Number>,
    /// The number that called.
    pub caller: Option<Number>,
    /// The name that came with the call.
    pub caller_name: Option<String>,
    /// What the sending machine calls itself.
    pub tsi: Option<String>,
    /// T.33 sub-address.
    pub subaddress: Option<String>,
    /// What codes on its pages say, from the top on.
    #[serde(default)]
    pub codes: Vec<String>,
    /// Its pages.
    pub document: Document,
    /// When it was received.
    pub received: Timestamp,
    /// The same on the wall clock, for opening hours.
    pub local: WallClock,
    /// How long the call took.
    pub duration: Duration,
    /// Signalling rate in bit/s.
    pub bit_rate: Option<u32>,
    /// What went wrong while receiving.
    pub error: Option<String>,
}

/// Fewest digits of what a machine calls itself that is read as its number.
const MIN_TSI_DIGITS: usize = 7;

impl Arrival {
    /// The number at the other end: that of the call, else what the machine calls itself
    /// where that reads as one.
    #[must_use]
    pub fn calling(&self, country: Country) -> Option<Number> {
        self.caller.clone().or_else(|| {
            let tsi = self.tsi.as_deref()?;
            let is_number = tsi.chars().all(|c| c.is_ascii_digit() || " +-./()".contains(c))
                && tsi.bytes().filter(u8::is_ascii_digit).count() >= MIN_TSI_DIGITS;
            is_number.then(|| Number::parse(tsi, country).ok()).flatten()
        })
    }
}

/// One rule; a condition that is absent always holds.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// The number that was called.
    pub called: Option<Pattern>,
    /// The number that called.
    pub from_number: Option<Pattern>,
    /// What the sending machine calls itself.
    pub tsi: Option<Pattern>,
    /// T.33 sub-address.
    pub subaddress: Option<Pattern>,
    /// What a code on its pages says.
    pub code: Option<Pattern>,
    /// The server that answered.
    pub server: Option<ServerName>,
    /// The line that it came in on.
    pub line: Option<Pattern>,
    /// A group that the server serves.
    pub group: Option<GroupName>,
    /// When it was received.
    pub hours: Option<Hours>,
    /// Who gets it.
    pub to: Vec<ClientName>,
}

/// Where a fax goes, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Routed {
    /// A route took it.
    Route {
        /// Its place in the configuration, counted from 1.
        rule: usize,
        /// Who gets the fax.
        to: Vec<ClientName>,
    },
    /// The operator of a group gets it.
    Operator(ClientName),
    /// Nobody may get it.
    Nobody,
}

/// Decides who gets a fax.
#[must_use]
pub fn route(setup: &Setup, fax: &Arrival) -> Routed {
    let may = |client: &&ClientName| {
        setup.share_group(client, &fax.server)
            && setup.clients.get(*client).is_some_and(|c| c.mailbox().is_some())
    };
    for (rule, route) in (1..).zip(&setup.routes) {
        if !holds(setup, route, fax) {
            continue;
        }
        let to: Vec<ClientName> = route.to.iter().filter(may).cloned().collect();
        if !to.is_empty() {
            return Routed::Route { rule, to };
        }
    }
    operator(setup, &fax.server).map_or(Routed::Nobody, Routed::Operator)
}

/// The operator who gets what no route of this server took.
#[must_use]
pub fn operator(setup: &Setup, server: &ServerName) -> Option<ClientName> {
    let groups = &setup.servers.get(server)?.groups;
    groups
        .iter()
        .filter_map(|group| setup.groups.get(group)?.operator.as_ref())
        .find(|operator| setup.share_group(operator, server))
        .cloned()
}

fn holds(setup: &Setup, route: &Route, fax: &Arrival) -> bool {
    let fits = |pattern: &Option<Pattern>, text: Option<&str>| {
        pattern.as_ref().is_none_or(|pattern| text.is_some_and(|text| pattern.matches(text)))
    };
    let coded = |pattern: &Option<Pattern>| {
        let any = |pattern: &Pattern| fax.codes.iter().any(|code| pattern.matches(code));
        pattern.as_ref().is_none_or(any)
    };
    let in_group = |group: &GroupName| {
        setup.servers.get(&fax.server).is_some_and(|server| server.groups.contains(group))
    };
    fits(&route.called, fax.called.as_ref().map(Number::as_str))
        && fits(&route.from_number, fax.caller.as_ref().map(Number::as_str))
        && fits(&route.tsi, fax.tsi.as_deref())
        && fits(&route.subaddress, fax.subaddress.as_deref())
        && fits(&route.line, fax.line.as_deref())
        && coded(&route.code)
        && route.server.as_ref().is_none_or(|server| *server == fax.server)
        && route.group.as_ref().is_none_or(in_group)
        && route.hours.as_ref().is_none_or(|hours| hours.include(fax.local))
}

/// Opening hours: `Mo-Fr 08:00-18:00, Sa 09:00-12:00`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours(Vec<Opening>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Opening {
    days: BTreeSet<u8>,
    from: u16,
    to: u16,
}

const DAYS: [&str; 7] = ["mo", "tu", "we", "th", "fr", "sa", "su"];
const MINUTES_A_DAY: u16 = 24 * 60;

impl Hours {
    /// Whether the moment is inside. The minute that an opening ends with is outside.
    #[must_use]
    pub fn include(&self, at: WallClock) -> bool {
        let yesterday = (at.weekday + 6) % 7;
        self.0.iter().any(|open| {
            if open.from < open.to {
                open.days.contains(&at.weekday) && (open.from..open.to).contains(&at.minute)
            } else {
                // It goes on past midnight, into the next day.
                (open.days.contains(&at.weekday) && at.minute >= open.from)
                    || (open.days.contains(&yesterday) && at.minute < open.to)
            }
        })
    }
}

impl FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("\"{text}\" are no hours: write them as Mo-Fr 08:00-18:00, Sa 09:00-12:00");
        let openings = text.split(',').map(|part| opening(part.trim()).ok_or_else(wrong));
        openings.collect::<Result<Vec<_>, _>>().map(Self)
    }
}

fn opening(text: &str) -> Option<Opening> {
    let (days, hours) = match text.split_once(' ') {
        Some((days, hours)) => (day_range(days)?, hours.trim()),
        None => ((0..7).collect(), text),
    };
    let (from, to) = hours.split_once('-')?;
    let (from, to) = (minute(from)?, minute(to)?);
    (from != to && from < MINUTES_A_DAY).then_some(Opening { days, from, to })
}

fn day_range(text: &str) -> Option<BTreeSet<u8>> {
    let day = |name: &str| {
        let name = name.to_ascii_lowercase();
        DAYS.iter().position(|day| *day == name).and_then(|at| u8::try_from(at).ok())
    };
    match text.split_once('-') {
        None => Some([day(text)?].into()),
        Some((first, last)) => {
            let (first, last) = (day(first)?, day(last)?);
            let length = (last + 7 - first) % 7;
            Some((0..=length).map(|step| (first + step) % 7).collect())
        }
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && (hour < 24 || (hour == 24 && minute == 0))).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_include_what_they_say() {
        let at =
            |weekday, hour: u16, minute: u16| WallClock { weekday, minute: hour * 60 + minute };
        let office: Hours = "Mo-Fr 08:00-18:00, Sa 09:00-12:00".parse().unwrap();
        for (moment, open) in [
            (at(0, 8, 0), true),
            (at(0, 7, 59), false),
            (at(4, 17, 59), true),
            (at(4, 18, 0), false),
            (at(5, 10, 0), true),
            (at(5, 13, 0), false),
            (at(6, 10, 0), false),
        ] {
            assert_eq!(office.include(moment), open, "{moment:?}");
        }
        let night: Hours = "Su-Mo 22:00-06:00".parse().unwrap();
        for (moment, open) in [
            (at(6, 23, 0), true),
            (at(0, 5, 0), true),
            (at(1, 5, 59), true),
            (at(1, 22, 0), false),
            (at(6, 5, 0), false),
        ] {
            assert_eq!(night.include(moment), open, "{moment:?}");
        }
        let late: Hours = "18:00-24:00".parse().unwrap();
        assert!(late.include(at(3, 23, 59)));
    }

    #[test]
    fn hours_that_are_none_are_refused() {
        for bad in
            ["", "Mo", "Mo-Xx 08:00-09:00", "08:00", "25:00-26:00", "08:60-09:00", "08:00-08:00"]
        {
            assert!(bad.parse::<Hours>().is_err(), "{bad}");
        }
    }
}
