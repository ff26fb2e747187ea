//! Webhooks, as far as it is decided who is told what: the events, which of them a
//! change of a job is, and how far the events of a hook have come. Calls nobody.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    authority::{Sight, Target, Verb, Who, check},
    destination::Destination,
    job::{Cause, End, Job, State},
    names::{ClientName, ServerName},
    setup::Setup,
    time::Timestamp,
};

/// Something that others are told of. How a call goes on is none: who wants to watch
/// that follows the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Event {
    /// A fax of a client is durable.
    Accepted,
    /// It is not called before somebody lets it go.
    OnHold,
    /// It may be called again.
    Released,
    /// A received fax is durable and has somebody to go to, or somebody else.
    Arrived,
    /// A received fax has nobody to go to.
    Held,
    /// All of a fax arrived, or the mail with a received one was taken.
    Delivered,
    /// It did not.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// A fax server answers.
    Up,
    /// It does not.
    Down,
    /// The settings of a fax server were changed at the server itself.
    Drifted,
}

/// Every event and its name.
pub const EVENTS: [(&str, Event); 11] = [
    ("job.accepted", Event::Accepted),
    ("job.on-hold", Event::OnHold),
    ("job.released", Event::Released),
    ("job.arrived", Event::Arrived),
    ("job.held", Event::Held),
    ("job.delivered", Event::Delivered),
    ("job.failed", Event::Failed),
    ("job.cancelled", Event::Cancelled),
    ("server.up", Event::Up),
    ("server.down", Event::Down),
    ("server.drifted", Event::Drifted),
];

/// There is no event of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no event \"{0}\"")]
pub struct NoSuchEvent(pub String);

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = EVENTS.iter().find(|(_, event)| event == self);
        f.write_str(known.expect("the list has every event").0)
    }
}

impl FromStr for Event {
    type Err = NoSuchEvent;
    fn from_str(name: &str) -> Result<Self, NoSuchEvent> {
        let known = EVENTS.iter().find(|(known, _)| *known == name);
        known.map(|(_, event)| *event).ok_or_else(|| NoSuchEvent(name.to_owned()))
    }
}

impl TryFrom<String> for Event {
    type Error = NoSuchEvent;
    fn try_from(name: String) -> Result<Self, NoSuchEvent> {
        name.parse()
    }
}

impl From<Event> for String {
    fn from(event: Event) -> Self {
        event.to_string()
    }
}

/// Where a fax stands, as far as others are told. Mails that are no faxes stand nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// It goes out.
    Out {
        /// Whether it waits for somebody to let it go.
        on_hold: bool,
    },
    /// It came in and goes to this client.
    In(Option<ClientName>),
    /// It came in and has nobody to go to.
    Held,
    /// It is over.
    Over(End),
}

impl Stage {
    /// Where this job stands.
    #[must_use]
    pub fn of(job: &Job) -> Option<Self> {
        let goes = match (&job.cause, &job.destination) {
            (Cause::Sent(_), _) => Self::Out { on_hold: job.on_hold },
            (Cause::Arrived(_), Destination::Mailbox(to)) => Self::In(to.client.clone()),
            (Cause::Arrived(_), _) => Self::Held,
            _ => return None,
        };
        Some(match job.state {
            State::Ended { end, .. } => Self::Over(end),
            State::Held => Self::Held,
            State::Preparing { .. } | State::Waiting { .. } | State::Carrying { .. } => goes,
        })
    }
}

/// What a change of a job is to others: `before` is where it stood, if it was there.
#[must_use]
pub fn event(before: Option<&Stage>, after: &Stage) -> Option<Event> {
    if before == Some(after) {
        return None;
    }
    match (before, after) {
        (Some(Stage::Over(_)), Stage::Over(_)) => None,
        (_, Stage::Over(End::Delivered)) => Some(Event::Delivered),
        (_, Stage::Over(End::Failed(_))) => Some(Event::Failed),
        (_, Stage::Over(End::Cancelled)) => Some(Event::Cancelled),
        (_, Stage::Held) => Some(Event::Held),
        (_, Stage::In(_)) => Some(Event::Arrived),
        (Some(Stage::Out { .. }), Stage::Out { on_hold: true }) => Some(Event::OnHold),
        (Some(Stage::Out { .. }), Stage::Out { on_hold: false }) => Some(Event::Released),
        (_, Stage::Out { .. }) => Some(Event::Accepted),
    }
}

/// What an event is about, as it was then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// A job.
    Job(Box<Job>),
    /// A fax server.
    Server(ServerName),
}

/// Who is told, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// It is told what this one may see, and nothing else.
    pub who: Who,
    /// Of these events.
    pub events: BTreeSet<Event>,
    /// Where it is: one that is gone there may be back elsewhere.
    pub url: String,
    /// Most events that wait for it.
    pub max_waiting: u64,
}

impl Hook {
    /// Whether it is told of this.
    #[must_use]
    pub fn wants(&self, setup: &Setup, event: Event, about: &About) -> bool {
        self.events.contains(&event)
            && match (about, event) {
                (About::Job(job), _) => self.sees(setup, job),
                // Settings are seen by those alone who may read them.
                (About::Server(name), Event::Drifted) => {
                    check(setup, &self.who, Verb::SettingsRead, Target::Server(name)).is_ok()
                }
                (About::Server(name), _) => Sight::new(setup, &self.who).server(name),
            }
    }

    /// Whether this job exists for it.
    #[must_use]
    pub fn sees(&self, setup: &Setup, job: &Job) -> bool {
        Sight::new(setup, &self.who).job(job)
    }
}

/// An event in the outbox of a hook.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Counted from 1 for each hook, without gaps, for ever.
    pub sequence: u64,
    /// What has happened.
    pub event: Event,
    /// When.
    pub at: Timestamp,
    /// To what.
    pub about: About,
}

/// How far the events of a hook have come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The last event there was.
    pub last: u64,
    /// Up to this one they were taken, or given up.
    pub settled: u64,
    /// The place that has said that nothing is wanted there any more; until somebody says
    /// otherwise it is told nothing.
    pub gone: Option<String>,
}

impl Standing {
    /// How many events wait.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.last.saturating_sub(self.settled)
    }
}

/// What became of the event that was next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It was taken.
    Taken(u64),
    /// It was tried for as long as it may be.
    GivenUp(u64),
    /// Nothing is wanted at this place any more.
    Gone(String),
}

/// What the postmaster is to know of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// An event was given up; those that follow it may be as well.
    GivenUp,
    /// More events wait than may: the oldest are given up.
    Full,
    /// It does not want to be told anything any more.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;

    #[test]
    fn a_change_is_one_event_or_none() {
        let anna = || Stage::In(ClientName::new("anna").ok());
        let carl = || Stage::In(ClientName::new("carl").ok());
        let (out, hold) = (Stage::Out { on_hold: false }, Stage::Out { on_hold: true });
        let over = Stage::Over;
        let failed = || Stage::Over(End::Failed(Outcome::Busy));
        for (before, after, wanted) in [
            (None, out.clone(), Some(Event::Accepted)),
            (Some(out.clone()), out.clone(), None),
            (Some(out.clone()), hold.clone(), Some(Event::OnHold)),
            (Some(hold.clone()), out.clone(), Some(Event::Released)),
            (Some(hold), over(End::Cancelled), Some(Event::Cancelled)),
            (Some(out.clone()), over(End::Delivered), Some(Event::Delivered)),
            (Some(out), failed(), Some(Event::Failed)),
            (None, anna(), Some(Event::Arrived)),
            (Some(anna()), anna(), None),
            (Some(anna()), carl(), Some(Event::Arrived)),
            (Some(anna()), over(End::Delivered), Some(Event::Delivered)),
            (Some(over(End::Delivered)), carl(), Some(Event::Arrived)),
            (None, Stage::Held, Some(Event::Held)),
            (Some(Stage::Held), anna(), Some(Event::Arrived)),
            (Some(Stage::Held), over(End::Cancelled), Some(Event::Cancelled)),
            (Some(carl()), Stage::Held, Some(Event::Held)),
            (Some(over(End::Delivered)), over(End::Delivered), None),
        ] {
            assert_eq!(event(before.as_ref(), &after), wanted, "{before:?} {after:?}");
        }
    }

    #[test]
    fn events_have_names() {
        for (name, event) in EVENTS {
            assert_eq!((name.parse(), event.to_string().as_str()), (Ok(event), name));
            assert_eq!(serde_json::to_string(&event).unwrap(), format!("\"{name}\""));
        }
        assert!("job.carried".parse::<Event>().is_err());
    }
}
