//! What is registered for one server: its versions, what became of the newest of them,
//! and what the server said it holds. Pure values and their changes; what is to be
//! done then is the supervisor's part.
//!
//! Numbers of versions have no gaps and grow. Only the newest is ever brought to the
//! server. [`State::Applied`] is only said of settings that were read back and are the
//! registered ones.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Change, Settings};
use crate::{audit::Asker, time::Timestamp};

/// Most versions of one server that are kept; the oldest are forgotten first.
pub const MAX_VERSIONS: usize = 200;
/// Longest reason for a change.
pub const MAX_REASON_CHARS: usize = 500;

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
        /// When.
        at: Timestamp,
        /// Why, in words.
        why: String,
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
    /// The server is away: it gets the version when it is back.
    Away,
    /// It did not take it.
    Failed {
        /// Why, in words.
        why: String,
        /// What it holds, where that could be read.
        held: Option<Settings>,
    },
}

/// What a read-back has brought to light.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The server holds what is registered, or what is to be pushed decides anyway.
    Nothing,
    /// Something else, of which the postmaster knows.
    KnownDrift,
    /// Something else, of which nobody was told: these changes.
    NewDrift(Vec<Change>),
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
        let state = State::Applied { at: held.at };
        Self { older: VecDeque::new(), latest, standing: Standing { state, held, told: vec![] } }
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

    /// A new version, which the server does not have yet.
    pub fn register(&mut self, settings: Settings, by: Asker, reason: String, now: Timestamp) {
        self.add(settings, by, reason, now);
        self.standing.state = State::Pending;
    }

    /// A new version: what the server holds. While another one may be on its way there,
    /// this one has to follow it.
    pub fn adopt_held(&mut self, by: Asker, reason: String, now: Timestamp) {
        let is_pending = self.is_pending();
        self.add(self.standing.held.settings.clone(), by, reason, now);
        if !is_pending {
            self.standing.state = State::Applied { at: now };
        }
    }

    fn add(&mut self, settings: Settings, author: Asker, reason: String, at: Timestamp) {
        let number = self.latest.number + 1;
        let latest = Version { number, settings, author, at, reason };
        self.older.push_back(std::mem::replace(&mut self.latest, latest));
        while self.older.len() >= MAX_VERSIONS {
            self.older.pop_front();
        }
        self.standing.told.clear();
    }

    /// The newest version is to be brought to the server once more.
    pub fn push_again(&mut self) {
        self.standing.state = State::Pending;
    }

    /// A push of this version has ended. One that is not the newest any more says only
    /// what the server holds.
    pub fn pushed(&mut self, version: u64, end: Result<Settings, NotPushed>, now: Timestamp) {
        if version != self.latest.number && !self.is_pending() {
            return;
        }
        let state = match end {
            Ok(held) => {
                let changes = self.latest.settings.differences(&held);
                self.hold(held, now);
                match changes.is_empty() {
                    true => State::Applied { at: now },
                    false => State::Failed { at: now, why: otherwise(&changes) },
                }
            }
            Err(NotPushed::Away) => State::Pending,
            Err(NotPushed::Failed { why, held }) => {
                if let Some(held) = held {
                    self.hold(held, now);
                }
                State::Failed { at: now, why }
            }
        };
        if version == self.latest.number {
            self.standing.state = state;
        }
    }

    fn hold(&mut self, settings: Settings, at: Timestamp) {
        let held = &mut self.standing.held;
        (held.settings, held.at) = (settings, at);
    }

    /// The server was read. While a version is on its way there is no drift: what was
    /// read may be from before it.
    pub fn read_back(&mut self, held: Held) -> Found {
        let now = held.at;
        let changes = self.latest.settings.differences(&held.settings);
        self.standing.held = held;
        match &self.standing.state {
            State::Pending => return Found::Nothing,
            State::Applied { .. } if changes.is_empty() => {
                self.standing.told.clear();
                return Found::Nothing;
            }
            _ if changes.is_empty() => {
                self.standing.told.clear();
                self.standing.state = State::Applied { at: now };
                return Found::Nothing;
            }
            // It was said already that the server does not hold what it should.
            State::Failed { .. } => return Found::Nothing,
            State::Drifted { changes: known, .. } if *known == changes => {}
            State::Drifted { .. } | State::Applied { .. } => {
                self.standing.state = State::Drifted { at: now, changes: changes.clone() };
            }
        }
        if self.standing.told == changes {
            return Found::KnownDrift;
        }
        self.standing.told.clone_from(&changes);
        Found::NewDrift(changes)
    }
}

fn otherwise(changes: &[Change]) -> String {
    let said: Vec<String> = changes.iter().map(Change::to_string).collect();
    format!("the server took it and holds something else: {}", said.join(", "))
}
