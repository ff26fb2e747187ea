//! What is registered for one server: its versions, what became of the newest of them,
//! and what the server said it holds. Pure values and their changes; what is to be
//! done then is the supervisor's part.
//!
//! Numbers of versions have no gaps and grow. Only the newest is ever brought to the
//! server. [`State::Applied`] is only said of settings that were read back and are the
//! registered ones.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{Change, Settings};
use crate::{audit::Asker, time::Timestamp};

/// Most versions of one server that are kept; the oldest are forgotten first.
pub const MAX_VERSIONS: usize = 200;
/// Longest reason for a change.
pub const MAX_REASON_CHARS: usize = 500;
/// Shortest and longest pause before a push that failed is tried again by itself. Between
/// them it is as long as it has been failing, so that each pause is twice the last.
const TRY_AGAIN: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(3600));

/// The settings of a server as they were registered at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Counts from 1, without gaps.
    pub number: u64,
    /// All that is set.
    pub settings: Settings,
    /// Who registered it.
    pub author: Asker,
    /// When.
    pub at: Timestamp,
    /// Why, in the words of the author; may be empty.
    pub reason: String,
}

/// What became of the newest version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The server holds it.
    Applied {
        /// Since when that is known.
        at: Timestamp,
    },
    /// It is to be brought to the server, as soon as that can be reached.
    Pending,
    /// The server did not take it.
    Failed {
        /// Since when.
        at: Timestamp,
        /// Why, in words: what was last.
        why: String,
        /// When it is tried again by itself; `None` when somebody has to do something.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<Timestamp>,
    },
    /// The server held it, and now holds something else.
    Drifted {
        /// When that was noticed.
        at: Timestamp,
        /// From what is registered to what it holds.
        changes: Vec<Change>,
    },
}

/// What a server said it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// All that is set there.
    pub settings: Settings,
    /// The lines that it has, as it names them.
    pub lines: Vec<String>,
    /// When it was read.
    pub at: Timestamp,
}

/// Everything but the versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What became of the newest version.
    pub state: State,
    /// What the server said last.
    pub held: Held,
    /// The drift of which the postmaster was told; empty when there is none.
    pub told: Vec<Change>,
    /// When it was last asked for that the server holds the newest version.
    #[serde(default)]
    pub asked: Timestamp,
    /// The versions that the server is known to have held; only of those that are kept.
    #[serde(default)]
    pub reached: BTreeSet<u64>,
}

/// What is done about settings that were changed at the server itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDrift {
    /// The postmaster is told, and decides.
    #[default]
    Report,
    /// They are registered, as a new version.
    Adopt,
    /// The registered ones are brought to the server again.
    Push,
}

/// Why a version is not at the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotPushed {
    /// Somebody has changed something else at the server since it was read: it was left
    /// as it is.
    Meddled {
        /// What it holds.
        held: Settings,
    },
    /// The server did not take it.
    NotTaken(NotTaken),
}

/// Why a server did not take a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// The server is away: it gets the version when it is back.
    Away,
    /// It did not take it, and would not take it another time either.
    Refused {
        /// Why, in words.
        why: String,
        /// What it holds, where that could be read.
        held: Option<Settings>,
    },
    /// It did not take it now, for a reason that may pass.
    Hindered {
        /// Why, in words.
        why: String,
        /// What it holds, where that could be read.
        held: Option<Settings>,
    },
}

impl From<NotTaken> for NotPushed {
    fn from(why: NotTaken) -> Self {
        Self::NotTaken(why)
    }
}

/// What became of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is the newest; its [`State`] says more.
    Newest,
    /// The server held it, and then came another one.
    Replaced,
    /// Another one came before the server held it: it was never applied.
    Superseded,
}

/// All that is registered for one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    older: VecDeque<Version>,
    latest: Version,
    standing: Standing,
}

impl Record {
    /// The first version: what the server holds.
    #[must_use]
    pub fn adopt(held: Held, by: Asker) -> Self {
        let latest = Version {
            number: 1,
            settings: held.settings.clone(),
            author: by,
            at: held.at,
            reason: "as the server had them".into(),
        };
        let (state, asked) = (State::Applied { at: held.at }, held.at);
        let standing = Standing { state, held, told: vec![], asked, reached: [1].into() };
        Self { older: VecDeque::new(), latest, standing }
    }

    /// What an earlier life has left, the versions in their order; `None` without any.
    #[must_use]
    pub fn restore(versions: Vec<Version>, standing: Standing) -> Option<Self> {
        let mut older = VecDeque::from(versions);
        let latest = older.pop_back()?;
        Some(Self { older, latest, standing })
    }

    /// The newest version.
    #[must_use]
    pub fn latest(&self) -> &Version {
        &self.latest
    }

    /// All versions that are kept, oldest first.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = &Version> {
        self.older.iter().chain([&self.latest])
    }

    /// One version, unless it is forgotten.
    #[must_use]
    pub fn version(&self, number: u64) -> Option<&Version> {
        self.versions().find(|version| version.number == number)
    }

    /// Everything but the versions.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// What became of the newest version.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.standing.state
    }

    /// What the server said last.
    #[must_use]
    pub fn held(&self) -> &Held {
        &self.standing.held
    }

    /// Whether the newest version is to be brought to the server.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.standing.state == State::Pending
    }

    /// What the server may hold although nobody else has set anything there: what it held
    /// last, the newest version, and those before it that may be there in part.
    #[must_use]
    pub fn known(&self) -> Vec<Settings> {
        let reached = self.standing.reached.last().copied().unwrap_or_default();
        let since = self.versions().filter(|version| version.number > reached);
        let ours = since.map(|version| &version.settings).chain([&self.latest.settings]);
        [&self.standing.held.settings].into_iter().chain(ours).cloned().collect()
    }

    /// When a push that failed is tried again by itself, if it is.
    #[must_use]
    pub fn again(&self) -> Option<Timestamp> {
        match self.standing.state {
            State::Failed { again, .. } => again,
            State::Applied { .. } | State::Pending | State::Drifted { .. } => None,
        }
    }

    /// Since when the state is what it is.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        match self.standing.state {
            State::Applied { at } | State::Failed { at, .. } | State::Drifted { at, .. } => at,
            State::Pending => self.standing.asked,
        }
    }

    /// What became of a version that is kept.
    #[must_use]
    pub fn fate(&self, number: u64) -> Fate {
        match self.standing.reached.contains(&number) {
            _ if number == self.latest.number => Fate::Newest,
            true => Fate::Replaced,
            false => Fate::Superseded,
        }
    }

    /// A new version, which the server does not have yet.
    pub fn register(&mut self, settings: Settings, by: Asker, reason: String, now: Timestamp) {
        self.add(settings, by, reason, now);
        self.standing.state = State::Pending;
    }

    /// A new version: what the server holds. While another one may be on its way there,
    /// this one has to follow it.
    pub fn adopt_held(&mut self, by: Asker, reason: String, now: Timestamp) {
        let may_be_followed = self.is_pending() || self.again().is_some();
        self.add(self.standing.held.settings.clone(), by, reason, now);
        match may_be_followed {
            true => self.standing.state = State::Pending,
            false => self.holds_it(now),
        }
    }

    fn add(&mut self, settings: Settings, author: Asker, reason: String, at: Timestamp) {
        let number = self.latest.number + 1;
        let latest = Version { number, settings, author, at, reason };
        self.older.push_back(std::mem::replace(&mut self.latest, latest));
        while self.older.len() >= MAX_VERSIONS {
            self.older.pop_front();
        }
        let oldest = self.older.front().map_or(number, |version| version.number);
        self.standing.reached.retain(|reached| *reached >= oldest);
        self.standing.asked = at;
        self.standing.told.clear();
    }

    /// The newest version is to be brought to the server once more.
    pub fn push_again(&mut self, now: Timestamp) {
        self.standing.state = State::Pending;
        self.standing.asked = now;
    }

    /// The server holds the newest version.
    fn holds_it(&mut self, at: Timestamp) {
        self.standing.state = State::Applied { at };
        self.standing.reached.insert(self.latest.number);
    }

    /// A push of this version has ended. One that is not the newest any more says only
    /// what the server holds.
    pub fn pushed(&mut self, version: u64, end: Result<Settings, NotTaken>, now: Timestamp) {
        let is_newest = version == self.latest.number;
        if !is_newest && !self.is_pending() {
            return;
        }
        let failed = |at, why, again| State::Failed { at, why, again };
        let (held, state) = match end {
            Ok(held) => {
                let pushed = self.version(version).map(|version| &version.settings);
                // One that is forgotten is not the newest: nothing is said of it.
                let changes = pushed.map(|pushed| pushed.differences(&held));
                let state = match changes.as_deref() {
                    Some(changes @ [_, ..]) => failed(now, otherwise(changes), None),
                    _ => State::Applied { at: now },
                };
                if changes.is_some_and(|changes| changes.is_empty()) {
                    self.standing.reached.insert(version);
                }
                (Some(held), state)
            }
            Err(NotTaken::Refused { why, held }) => (held, failed(now, why, None)),
            Err(NotTaken::Hindered { why, held }) => {
                let since = self.again().map_or(now, |_| self.since());
                (held, failed(since, why, Some(next_try(since, now))))
            }
            // Away again: it goes on failing for the reason that is known.
            Err(NotTaken::Away) => match &self.standing.state {
                State::Failed { at, why, again: Some(_) } => {
                    (None, failed(*at, why.clone(), Some(next_try(*at, now))))
                }
                _ => (None, State::Pending),
            },
        };
        if let Some(held) = held {
            self.hold(held, now);
        }
        if is_newest {
            self.standing.state = state;
        }
    }

    fn hold(&mut self, settings: Settings, at: Timestamp) {
        let held = &mut self.standing.held;
        (held.settings, held.at) = (settings, at);
    }

    /// The server was read. Returns what somebody else has set there, when the postmaster
    /// is to be told of it. While a version waits, only what it would overwrite unseen
    /// counts: what was read may be from before it.
    pub fn read_back(&mut self, held: Held, on_drift: OnDrift, by: Asker) -> Option<Vec<Change>> {
        let now = held.at;
        let changes = self.latest.settings.differences(&held.settings);
        let foreign = held.settings.foreign_to(&self.known());
        self.standing.held = held;
        let (waits, drift) = match &self.standing.state {
            State::Pending | State::Failed { again: Some(_), .. } if !foreign.is_empty() => {
                (true, foreign)
            }
            State::Pending => return None,
            state if changes.is_empty() => {
                if !matches!(state, State::Applied { .. }) {
                    self.holds_it(now);
                }
                self.standing.told.clear();
                return None;
            }
            // It was said already that the server does not hold what it should.
            State::Failed { .. } => return None,
            State::Drifted { .. } | State::Applied { .. } => (false, changes),
        };
        self.drifted(&drift, waits, on_drift, by, now);
        let is_news = self.standing.told != drift;
        self.standing.told.clone_from(&drift);
        is_news.then_some(drift)
    }

    fn drifted(
        &mut self,
        drift: &[Change],
        waits: bool,
        on_drift: OnDrift,
        by: Asker,
        now: Timestamp,
    ) {
        match (on_drift, &self.standing.state) {
            (OnDrift::Report, _) if waits => {
                let why = format!("somebody has changed it at the server: {}", listed(drift));
                self.standing.state = State::Failed { at: now, why, again: None };
            }
            (OnDrift::Report, State::Drifted { changes, .. }) if changes == drift => {}
            (OnDrift::Report, _) => {
                self.standing.state = State::Drifted { at: now, changes: drift.to_vec() };
            }
            (OnDrift::Adopt, _) => {
                let set = drift.iter().map(|change| (change.name.clone(), change.to.clone()));
                let both = self.latest.settings.with(set);
                self.add(both, by, "changed at the server".into(), now);
                match waits {
                    true => self.standing.state = State::Pending,
                    false => self.holds_it(now),
                }
            }
            (OnDrift::Push, _) => self.push_again(now),
        }
    }
}

/// When a push is tried again that has been failing since then.
fn next_try(since: Timestamp, now: Timestamp) -> Timestamp {
    now + now.since(since).clamp(TRY_AGAIN.0, TRY_AGAIN.1)
}

fn otherwise(changes: &[Change]) -> String {
    format!("the server took it and holds something else: {}", listed(changes))
}

fn listed(changes: &[Change]) -> String {
    let said: Vec<String> = changes.iter().map(Change::to_string).collect();
    said.join(", ")
}
