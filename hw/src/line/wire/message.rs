//! What the frames say: requests, answers and what comes between, as JSON. Fields that a
//! reader does not know are passed over, so that a version may grow; a new request, answer
//! or outcome is a new version.

use std::{path::PathBuf, time::Duration};

use postfax_domain::{
    document::{PageLedger, Paper, Resolution},
    number::Number,
    outcome::Outcome,
    settings::{Change, Settings},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::frame::{Frame, Kind};
use crate::driver::{
    Call, Condition, DriverError, Ended, Progress, SettingsError, Ticket, Waiting,
};

/// What both sides call the protocol in their first frame.
pub(super) const PROTOCOL: &str = "postfax-line";
/// Longest text of a fault.
const MAX_WORDS: usize = 2000;

/// The first frame of either side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    /// [`PROTOCOL`].
    pub(super) protocol: String,
    /// The oldest version that the sender speaks.
    pub(super) oldest: u32,
    /// The newest one.
    pub(super) newest: u32,
    /// Which side the sender is.
    pub(super) role: Role,
    /// What the sender calls itself.
    pub(super) name: String,
    /// Its program, for the log: `postfax 0.1.0`.
    pub(super) software: String,
    /// What it can do; of the side that is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) able: Option<Able>,
}

/// The two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Role {
    /// Asks.
    Supervisor,
    /// Is asked.
    Lines,
}

/// What the asked side can do ([`crate::driver::Capabilities`]). What can be set is known to
/// both sides by the version of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Able {
    pub(super) confirms: bool,
    pub(super) finds: bool,
    pub(super) cancels: bool,
    pub(super) receives: bool,
    pub(super) batches: bool,
    pub(super) settable: bool,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ask {
    /// How are you?
    Condition,
    /// Take this fax; its document follows.
    Submit(Fax),
    /// Which submission has this tag?
    Find { tag: String },
    /// How does it go on, and how does it end?
    Follow { ticket: Ticket },
    /// Stop it.
    Cancel { ticket: Ticket },
    /// Nobody asks for it again.
    Forget { ticket: Ticket },
    /// Tell when something has arrived, or after so long.
    Arrival { at_most_ms: u64 },
    /// What waits?
    Waiting,
    /// Send this one.
    Fetch { fax: Waiting },
    /// It is durable here.
    Release { fax: Waiting },
    /// What is set?
    Settings,
    /// Set these.
    Set { changes: Vec<Change> },
}

/// A fax to send ([`Call`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fax {
    pub(super) tag: String,
    pub(super) number: Number,
    pub(super) subaddress: Option<String>,
    #[serde(default)]
    pub(super) pages_before: u32,
    pub(super) resolution: Resolution,
    pub(super) paper: Paper,
    pub(super) sender: String,
    pub(super) station_id: Option<String>,
    pub(super) priority: u8,
    pub(super) give_up_after_ms: u64,
}

/// The end of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    /// How many octets it has.
    pub(super) length: u64,
    /// Their SHA-256, 64 hexadecimal digits.
    pub(super) sha256: String,
}

/// How a submission goes on ([`Progress`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Step {
    Dialling,
    Connected,
    Pages(PageLedger),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// It is done.
    Done,
    /// How it is.
    Condition(Condition),
    /// A submission, or that there is none.
    Ticket(Option<Ticket>),
    /// How a submission ended ([`Ended`]).
    Ended { outcome: Outcome, said: String, ledger: PageLedger },
    /// What waits.
    Waiting(Vec<Waiting>),
    /// What is set.
    Settings(Settings),
    /// It was not done.
    Failed(Fault),
    /// Settings were not set.
    NotSet(NotSet),
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Fault {
    /// Not now; nothing was taken.
    Away { why: String },
    /// It may have been done.
    Unsure { why: String },
    /// Understood and refused.
    Refused { reply: String, outcome: Outcome },
    /// It does not have that.
    Gone { what: String },
    /// The document did not come whole; nothing was kept.
    Damaged { why: String },
    /// Its own disk or memory failed.
    Failed { why: String },
}

/// Why settings were not set ([`SettingsError`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum NotSet {
    Away(String),
    Undone(String),
    Hindered(String),
    Broken(String),
}

/// A frame that says this.
pub(super) fn frame(kind: Kind, request: u32, what: &impl Serialize) -> Frame {
    let body = serde_json::to_vec(what).expect("messages hold nothing that JSON has no form for");
    Frame { kind, request, body }
}

/// What a frame says.
pub(super) fn read<T: DeserializeOwned>(frame: &Frame) -> Result<T, String> {
    serde_json::from_slice(&frame.body).map_err(|bad| format!("{:?}: {bad}", frame.kind))
}

impl Fax {
    /// A call, without its pages.
    pub(super) fn of(call: &Call) -> Self {
        Self {
            tag: call.tag.clone(),
            number: call.number.clone(),
            subaddress: call.subaddress.clone(),
            pages_before: call.pages_before,
            resolution: call.resolution,
            paper: call.paper,
            sender: call.sender.clone(),
            station_id: call.station_id.clone(),
            priority: call.priority,
            give_up_after_ms: milliseconds(call.give_up_after),
        }
    }

    /// The call, with its pages here.
    pub(super) fn call(self, pages: PathBuf) -> Call {
        Call {
            tag: self.tag,
            number: self.number,
            subaddress: self.subaddress,
            pages,
            pages_before: self.pages_before,
            resolution: self.resolution,
            paper: self.paper,
            sender: self.sender,
            station_id: self.station_id,
            priority: self.priority,
            give_up_after: Duration::from_millis(self.give_up_after_ms),
        }
    }
}

/// Whole milliseconds; what is longer than any is the longest.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl From<Progress> for Step {
    fn from(progress: Progress) -> Self {
        match progress {
            Progress::Dialling => Self::Dialling,
            Progress::Connected => Self::Connected,
            Progress::Pages(ledger) => Self::Pages(ledger),
        }
    }
}

impl From<Step> for Progress {
    fn from(step: Step) -> Self {
        match step {
            Step::Dialling => Self::Dialling,
            Step::Connected => Self::Connected,
            Step::Pages(ledger) => Self::Pages(ledger),
        }
    }
}

impl From<Ended> for Answer {
    fn from(Ended { outcome, said, ledger }: Ended) -> Self {
        Self::Ended { outcome, said, ledger }
    }
}

/// The first of a text, so that an answer fits its frame.
pub(super) fn words(text: impl ToString) -> String {
    text.to_string().chars().take(MAX_WORDS).collect()
}

impl From<DriverError> for Fault {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::Unreachable { why, .. } => Self::Away { why: words(why) },
            DriverError::Unsure { why, .. } => Self::Unsure { why: words(why) },
            DriverError::Refused { reply, outcome, .. } => {
                Self::Refused { reply: words(reply), outcome }
            }
            DriverError::Gone { what, .. } => Self::Gone { what: words(what) },
            // The path is nobody's business on the other side.
            DriverError::Local { source, .. } => Self::Failed { why: words(source) },
        }
    }
}

impl Fault {
    /// What it means to those who asked this server.
    pub(super) fn error(self, server: String) -> DriverError {
        match self {
            Self::Away { why } => DriverError::Unreachable { server, why },
            Self::Unsure { why } => DriverError::Unsure { server, why },
            Self::Refused { reply, outcome } => DriverError::Refused { server, reply, outcome },
            Self::Gone { what } => DriverError::Gone { server, what },
            Self::Damaged { why: reply } | Self::Failed { why: reply } => {
                DriverError::Refused { server, reply, outcome: Outcome::ServerFault }
            }
        }
    }
}

impl From<SettingsError> for NotSet {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Away(why) => Self::Away(words(why)),
            SettingsError::Undone(why) => Self::Undone(words(why)),
            SettingsError::Hindered(why) => Self::Hindered(words(why)),
            SettingsError::Broken(why) => Self::Broken(words(why)),
        }
    }
}

impl NotSet {
    /// What it means to those who asked this server.
    pub(super) fn error(self, server: String) -> SettingsError {
        match self {
            Self::Away(why) => SettingsError::Away(DriverError::Unreachable { server, why }),
            Self::Undone(why) => SettingsError::Undone(why),
            Self::Hindered(why) => SettingsError::Hindered(why),
            Self::Broken(why) => SettingsError::Broken(why),
        }
    }
}
