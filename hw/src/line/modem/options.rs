//! What an administrator says of a modem, and how a number is dialled on its line.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::line::DialPlan;

/// A modem on a serial line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModemOptions {
    /// What the line is called: `ttyACM0`.
    pub name: String,
    /// The device: `/dev/ttyACM0`, or a link to it.
    pub device: PathBuf,
    /// Where lock files are, the same folder for all programs that use modems.
    pub lock_folder: PathBuf,
    /// The speed between us and the modem, in bit/s.
    pub speed: u32,
    /// Which class of commands it is driven with; `None`: the best one that it has.
    pub class: Option<Class>,
    /// Commands for this modem, each with its `AT`, sent behind our own. One that is refused
    /// is logged.
    pub init: Vec<String>,
    /// What begins a call: `ATDT`, or `ATDP` on a line without tones.
    pub dial_command: String,
    /// How numbers are dialled.
    pub dial: DialPlan,
    /// How long a call may take from the number to the first word of a fax machine.
    pub answer_limit: Duration,
    /// The longest that a call that came in may last.
    pub call_limit: Duration,
    /// The modem tells fax calls from data calls by itself (`+FAE=1`), which some need to
    /// answer at all.
    pub adaptive: bool,
}

impl ModemOptions {
    /// A modem that is used as most are.
    #[must_use]
    pub fn new(name: &str, device: &Path) -> Self {
        Self {
            name: name.to_owned(),
            device: device.to_owned(),
            lock_folder: PathBuf::from(LOCKS),
            speed: 115_200,
            class: None,
            init: Vec::new(),
            dial_command: "ATDT".to_owned(),
            dial: DialPlan::default(),
            answer_limit: Duration::from_secs(90),
            call_limit: Duration::from_secs(90 * 60),
            adaptive: false,
        }
    }
}

/// Where programs on Linux lock serial lines (FHS 3.0, 5.9).
pub(super) const LOCKS: &str = "/var/lock";

/// A class of fax commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Class {
    /// T.31, as TIA-578 had it: T.30 is ours.
    #[serde(rename = "1")]
    One,
    /// T.31 with its additions: T.30 is ours.
    #[serde(rename = "1.0")]
    OneZero,
    /// A draft of T.32 that many modems follow: T.30 is the modem's.
    #[serde(rename = "2")]
    Two,
    /// T.32: T.30 is the modem's.
    #[serde(rename = "2.0")]
    TwoZero,
    /// T.32 with its additions: T.30 is the modem's.
    #[serde(rename = "2.1")]
    TwoOne,
}

impl Class {
    /// All of them, the best first. With Class 1 it is ours to be right, and where 1.0 is
    /// offered as well it adds nothing that we use.
    pub const BEST: [Self; 5] = [Self::One, Self::OneZero, Self::TwoOne, Self::TwoZero, Self::Two];

    /// As it stands in `AT+FCLASS=`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::OneZero => "1.0",
            Self::Two => "2",
            Self::TwoZero => "2.0",
            Self::TwoOne => "2.1",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A class that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no class of fax modems: use 1, 1.0, 2, 2.0 or 2.1")]
pub struct UnknownClass(String);

impl FromStr for Class {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Self, UnknownClass> {
        let found = Self::BEST.into_iter().find(|class| class.as_str() == text);
        found.ok_or_else(|| UnknownClass(text.to_owned()))
    }
}
