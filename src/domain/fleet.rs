//! The fleet: what is known of the fax servers at this moment, and which of them
//! gets the next call.
//!
//! Candidates share a group with the sender, are allowed by the first dial rule
//! that matches, can take the document, are up and not draining, and have a free line. Among them the
//! order of the rule decides where it gives one, else the earliest forecast
//! completion, then the fewest failures of late.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    dial::{self, Verdict},
    document::{Paper, Resolution, Shape},
    names::{ClientName, ServerName},
    number::Number,
    quota::UsedUp,
    setup::{OwnNumbers, Setup, Takes},
    time::Timestamp,
};

/// Seconds from dialling to the first page, before a server was measured.
const CALL_SETUP_S: f64 = 25.0;
/// Seconds a page, before a server was measured.
const PAGE_S: f64 = 18.0;
/// Weight of the newest call in the measured speed.
const NEWEST: f64 = 0.2;

/// How a server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Not heard of yet.
    Unknown,
    /// It answers.
    Up {
        /// What it calls itself.
        banner: String,
        /// Its lines in its own words.
        lines: Vec<String>,
        /// Those of them that do not work.
        #[serde(default)]
        broken: Vec<BrokenLine>,
        /// Whether one of them at least can call.
        #[serde(default = "yes")]
        can_call: bool,
    },
    /// It does not.
    Down {
        /// What was wrong.
        why: String,
    },
}

impl Health {
    /// It answers, and nothing is known against its lines.
    #[must_use]
    pub fn up(banner: &str, lines: Vec<String>) -> Self {
        Self::Up { banner: banner.to_owned(), lines, broken: Vec::new(), can_call: true }
    }

    /// Its lines that do not work, as far as it answers.
    #[must_use]
    pub fn broken(&self) -> &[BrokenLine] {
        match self {
            Self::Up { broken, .. } => broken,
            _ => &[],
        }
    }
}

fn yes() -> bool {
    true
}

/// A line that does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenLine {
    /// Its name at its server.
    pub line: String,
    /// In the server's words.
    pub why: String,
}

/// What is known of one server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// How it is.
    pub health: Health,
    /// Since when.
    pub since: Timestamp,
    /// Calls that it has now.
    pub busy: u32,
    /// Measured seconds a page.
    pub page_s: f64,
    /// Failures of late that were its own; a success halves them.
    pub failures: u32,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            health: Health::Unknown,
            since: Timestamp::default(),
            busy: 0,
            page_s: PAGE_S,
            failures: 0,
        }
    }
}

impl Live {
    /// Learns from a call that sent `pages` in `duration`.
    pub fn measure(&mut self, pages: u32, duration: Duration) {
        self.failures /= 2;
        if pages > 0 {
            let page = (duration.as_secs_f64() / f64::from(pages)).clamp(0.1, 600.0);
            self.page_s = (1.0 - NEWEST) * self.page_s + NEWEST * page;
        }
    }

    fn forecast_s(&self, pages: u32) -> f64 {
        CALL_SETUP_S + f64::from(pages) * self.page_s
    }
}

/// Why nobody may make this call. The words are those of the reply to the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// A dial rule refuses the number.
    #[error("destination not permitted: {reason}")]
    Barred {
        /// What the administrator wrote.
        reason: String,
        /// The rule's place in the configuration.
        rule: usize,
    },
    /// There is no server that could.
    #[error("no fax route to destination")]
    NoRoute,
    /// There are servers, and none that shares a group with the sender.
    #[error("no fax server permitted for this sender")]
    NoServerPermitted,
    /// The number is answered here, and nobody may call it, or no other server may.
    #[error("loop detected: {0} is a number of our own")]
    OwnNumber(Number),
    /// Nobody knows the sender.
    #[error("sender not authorised")]
    UnknownClient,
    /// The sender has used up a quota.
    #[error("{0}")]
    UsedUp(UsedUp),
}

/// The servers that may make a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permitted {
    /// The dial rule that decided, by its place in the configuration.
    pub rule: Option<usize>,
    /// In the order of preference, if there is one.
    pub servers: Vec<ServerName>,
    /// Whether the order is one of preference.
    pub ordered: bool,
}

/// Which servers may call `to` for `from`.
///
/// # Errors
/// [`Denial`] when none may.
pub fn permitted(setup: &Setup, from: &ClientName, to: &Number) -> Result<Permitted, Denial> {
    if !setup.clients.contains_key(from) {
        return Err(Denial::UnknownClient);
    }
    let (rule, servers) = match dial::first_match(setup, from, to) {
        None => (None, setup.servers.keys().cloned().collect::<Vec<_>>()),
        Some((at, rule)) => match &rule.verdict {
            Verdict::Refuse(reason) => {
                return Err(Denial::Barred { reason: reason.clone(), rule: at });
            }
            Verdict::Via(servers) => (Some(at), servers.clone()),
        },
    };
    if servers.is_empty() {
        return Err(Denial::NoRoute);
    }
    let servers: Vec<_> = servers.into_iter().filter(|s| setup.share_group(from, s)).collect();
    if servers.is_empty() {
        return Err(Denial::NoServerPermitted);
    }
    let servers = no_own_number(setup, to, servers)?;
    Ok(Permitted { rule, servers, ordered: rule.is_some() })
}

/// Those of the servers that may call a number which we answer ourselves: a server that
/// calls itself hears the engaged tone, or begins a loop.
fn no_own_number(
    setup: &Setup,
    to: &Number,
    servers: Vec<ServerName>,
) -> Result<Vec<ServerName>, Denial> {
    let answers = |name: &ServerName| setup.servers.get(name).is_some_and(|s| s.answers(to));
    let others: Vec<_> = match setup.limits.own_numbers {
        OwnNumbers::Always => return Ok(servers),
        OwnNumbers::ByOthers => servers.into_iter().filter(|name| !answers(name)).collect(),
        OwnNumbers::Never if setup.is_own_number(to) => Vec::new(),
        OwnNumbers::Never => servers,
    };
    if others.is_empty() { Err(Denial::OwnNumber(to.clone())) } else { Ok(others) }
}

/// The finest resolution, at most the wanted one, that some server takes which may call
/// `to` for `from`. Where nobody may call it is the wanted one: then nothing is sent.
#[must_use]
pub fn finest(setup: &Setup, from: &ClientName, to: &Number, wanted: Resolution) -> Resolution {
    let takers = takers(setup, from, to);
    if takers.is_empty() {
        return wanted;
    }
    // The order of all of them is that of their dots; from the wanted one downwards.
    let coarser = Resolution::ALL.into_iter().rev().skip_while(|one| *one != wanted);
    let taken = |one: &Resolution| takers.iter().any(|takes| takes.resolution(*one));
    coarser.into_iter().find(taken).unwrap_or(Resolution::Standard)
}

/// The widest paper, at most the wanted one, that some server takes which takes this
/// resolution as well and may call `to` for `from`: choose the resolution first, with
/// [`finest`], so that one server takes both.
#[must_use]
pub fn widest(
    setup: &Setup,
    from: &ClientName,
    to: &Number,
    resolution: Resolution,
    wanted: Paper,
) -> Paper {
    let takers = takers(setup, from, to);
    if takers.is_empty() {
        return wanted;
    }
    let fitting = takers.iter().filter(|takes| takes.resolution(resolution));
    fitting.map(|takes| takes.paper).max().unwrap_or_default().min(wanted)
}

/// Whether there are servers that may call `to` for `from`, and none of them takes pages of
/// this shape.
#[must_use]
pub fn is_beyond_all(setup: &Setup, from: &ClientName, to: &Number, shape: Shape) -> bool {
    let takers = takers(setup, from, to);
    !takers.is_empty() && !takers.iter().any(|takes| takes.shape(shape))
}

/// What the servers take that may make a call, up or down.
fn takers<'s>(setup: &'s Setup, from: &ClientName, to: &Number) -> Vec<&'s Takes> {
    let servers = permitted(setup, from, to).map_or_else(|_| Vec::new(), |may| may.servers);
    servers.iter().filter_map(|name| setup.servers.get(name)).map(|server| &server.takes).collect()
}

/// What speaks for or against a server, for one call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It could; the forecast is in seconds.
    Able {
        /// Seconds until the last page is through.
        forecast_s: f64,
        /// Failures of late.
        failures: u32,
    },
    /// It shares no group with the sender.
    NoSharedGroup,
    /// The dial rule does not name it.
    NotInRule,
    /// It cannot be reached.
    Down(String),
    /// Its machines send no pages of this resolution.
    TooFine(Resolution),
    /// Its machines send no pages of this width.
    TooWide(Paper),
    /// It gets no new work.
    Draining,
    /// All its lines are in use.
    NoFreeLine,
    /// Another server is calling the number.
    CalledByAnother,
    /// It failed this job not long ago.
    Avoided {
        /// Until then.
        until: Timestamp,
    },
}

/// Which server was chosen, and what spoke for and against each.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Decision {
    /// The dial rule that decided, by its place in the configuration.
    pub rule: Option<usize>,
    /// Every server and its standing.
    pub servers: Vec<(ServerName, Standing)>,
    /// The one chosen; none when the call has to wait.
    pub chosen: Option<ServerName>,
}

/// What a call needs of the choice.
#[derive(Debug, Clone)]
pub struct Need<'a> {
    /// Who sends.
    pub from: &'a ClientName,
    /// Whom to call.
    pub to: &'a Number,
    /// How many pages.
    pub pages: u32,
    /// What they are like.
    pub shape: Shape,
    /// Servers that failed this job, and until when they are avoided.
    pub avoid: &'a BTreeMap<ServerName, Timestamp>,
    /// The server that is calling the number already: only it may have this as well, and
    /// needs no other line for it.
    pub joins: Option<&'a ServerName>,
}

/// All fax servers, as they are now.
#[derive(Debug, Clone, Default)]
pub struct Fleet(pub BTreeMap<ServerName, Live>);

impl Fleet {
    /// Chooses the server for a call, or says why it has to wait.
    ///
    /// # Errors
    /// [`Denial`] when no server may ever make it.
    pub fn choose(
        &self,
        setup: &Setup,
        need: &Need<'_>,
        now: Timestamp,
    ) -> Result<Decision, Denial> {
        let permitted = permitted(setup, need.from, need.to)?;
        let mut able: Vec<(&ServerName, f64, u32)> = Vec::new();
        for name in &permitted.servers {
            if let Standing::Able { forecast_s, failures } = self.standing(setup, name, need, now) {
                able.push((name, forecast_s, failures));
            }
        }
        if !permitted.ordered {
            able.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.2.cmp(&b.2)).then(a.0.cmp(b.0)));
        }
        let chosen = able.first().map(|(name, ..)| (*name).clone());
        let named: BTreeSet<&ServerName> = permitted.servers.iter().collect();
        let standing = |name: &ServerName| match named.contains(name) {
            true => self.standing(setup, name, need, now),
            false if setup.share_group(need.from, name) => Standing::NotInRule,
            false => Standing::NoSharedGroup,
        };
        let rest = setup.servers.keys().filter(|name| !named.contains(name));
        let servers = permitted.servers.iter().chain(rest).map(|n| (n.clone(), standing(n)));
        Ok(Decision { rule: permitted.rule, servers: servers.collect(), chosen })
    }

    /// Whether any server at all could take a call now; cheap.
    #[must_use]
    pub fn has_free_line(&self, setup: &Setup) -> bool {
        setup.servers.iter().any(|(name, server)| {
            !server.draining
                && self.0.get(name).is_some_and(|live| {
                    matches!(live.health, Health::Up { can_call: true, .. })
                        && live.busy < server.lines
                })
        })
    }

    fn standing(
        &self,
        setup: &Setup,
        name: &ServerName,
        need: &Need<'_>,
        now: Timestamp,
    ) -> Standing {
        let Some(server) = setup.servers.get(name) else { return Standing::NotInRule };
        let unknown = Live::default();
        let live = self.0.get(name).unwrap_or(&unknown);
        match (&live.health, need.avoid.get(name)) {
            _ if !server.takes.resolution(need.shape.resolution) => {
                Standing::TooFine(need.shape.resolution)
            }
            _ if !server.takes.shape(need.shape) => Standing::TooWide(need.shape.paper),
            _ if server.draining => Standing::Draining,
            (Health::Down { why }, _) => Standing::Down(why.clone()),
            (Health::Unknown, _) => Standing::Down("not heard of yet".into()),
            (Health::Up { can_call: false, lines, .. }, _) => {
                Standing::Down(format!("none of its lines can call: {}", lines.join("; ")))
            }
            (_, Some(until)) if *until > now => Standing::Avoided { until: *until },
            _ if need.joins.is_some_and(|calling| calling != name) => Standing::CalledByAnother,
            _ if need.joins.is_none() && live.busy >= server.lines => Standing::NoFreeLine,
            // Every call that it already has makes its line a little less certain.
            _ => Standing::Able {
                forecast_s: live.forecast_s(need.pages) + f64::from(live.busy),
                failures: live.failures,
            },
        }
    }
}

#[cfg(test)]
mod tests;
