//! One job of the station: its parameters as clients set them, and what became of it.
//!
//! ```text
//!  JNEW ─▶ Suspended ─JSUBM─▶ Pending ─call─▶ Active ─confirmed─▶ Done
//!             ▲                 ▲  │             ├─last dial───▶ Failed
//!             └──────JSUSP──────┼──┴───JKILL─────┼─────────────▶ Failed
//!                               └────Sleeping ◀──┘ dials left
//! ```
//! No clock and no disk here: times are handed in, in seconds since 1970.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Most parameters' values are short; this is what the wire's 512-byte commands allow.
const DEFAULT_LIFE_S: i64 = 3 * 3600;

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum State {
    /// Being made, or held back by its owner.
    Suspended,
    /// Waits for a line.
    Pending,
    /// Waits for its next dial.
    Sleeping,
    /// Its call is under way.
    Active,
    /// All pages were confirmed.
    Done,
    /// It ended otherwise.
    Failed,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Suspended => "SUSPENDED",
            Self::Pending => "PENDING",
            Self::Sleeping => "SLEEPING",
            Self::Active => "ACTIVE",
            Self::Done => "DONE",
            Self::Failed => "FAILED",
        }
    }

    /// The number in HylaFAX's file of a job.
    fn digit(self) -> char {
        match self {
            Self::Suspended => '1',
            Self::Pending => '2',
            Self::Sleeping => '3',
            Self::Active => '6',
            Self::Done => '7',
            Self::Failed => '8',
        }
    }

    /// The letter of `%a` in `JOBFMT`.
    pub(super) fn letter(self) -> char {
        match self {
            Self::Suspended => 'T',
            Self::Pending => 'P',
            Self::Sleeping => 'S',
            Self::Active => 'R',
            Self::Done => 'D',
            Self::Failed => 'F',
        }
    }

    pub(super) fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// What a parameter's value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    YesNo,
    OneOf(&'static [&'static str]),
    /// `NOW`, or `YYYYMMDDHHMM[SS]`.
    Time,
    /// `DDHHMM`.
    Life,
    /// `MMSS`.
    Interval,
    /// Computed from the job; it cannot be set.
    ReadOnly,
}

/// The parameters, in the order of `JPARM` without argument, with their defaults.
const PARAMETERS: &[(&str, Kind, &str)] = &[
    ("SENDTIME", Kind::Time, "NOW"),
    ("LASTTIME", Kind::Life, "000300"),
    ("RETRYTIME", Kind::Interval, "0000"),
    ("STATE", Kind::ReadOnly, ""),
    ("NOTIFY", Kind::OneOf(&["none", "done", "requeue", "done+requeue", "default"]), "none"),
    ("PAGECHOP", Kind::OneOf(&["default", "none", "all", "last"]), "default"),
    ("CHOPTHRESHOLD", Kind::Number, "3"),
    ("DATAFORMAT", Kind::OneOf(&["g31d", "g32d", "g4"]), "G4"),
    ("USEECM", Kind::YesNo, "YES"),
    ("USETAGLINE", Kind::YesNo, "NO"),
    ("USEXVRES", Kind::YesNo, "NO"),
    ("STATUSCODE", Kind::ReadOnly, ""),
    ("STATUS", Kind::ReadOnly, ""),
    ("EXTERNAL", Kind::Text, ""),
    ("DIALSTRING", Kind::Text, ""),
    ("NOTIFYADDR", Kind::Text, ""),
    ("MODEM", Kind::Text, "any"),
    ("TOUSER", Kind::Text, ""),
    ("TOCOMPANY", Kind::Text, ""),
    ("TOLOCATION", Kind::Text, ""),
    ("TOVOICE", Kind::Text, ""),
    ("FROMUSER", Kind::Text, ""),
    ("FROMCOMPANY", Kind::Text, ""),
    ("FROMLOCATION", Kind::Text, ""),
    ("FROMVOICE", Kind::Text, ""),
    ("PASSWD", Kind::Text, ""),
    ("CLIENT", Kind::Text, ""),
    ("FAXNUMBER", Kind::Text, ""),
    ("TSI", Kind::Text, ""),
    ("TAGLINE", Kind::Text, ""),
    ("SUBADDR", Kind::Text, ""),
    ("GROUPID", Kind::ReadOnly, ""),
    ("JOBID", Kind::ReadOnly, ""),
    ("JOBINFO", Kind::Text, ""),
    ("OWNER", Kind::ReadOnly, ""),
    ("DONEOP", Kind::Text, "default"),
    ("COMMID", Kind::ReadOnly, ""),
    ("REGARDING", Kind::Text, ""),
    ("COMMENTS", Kind::Text, ""),
    ("PAGERANGE", Kind::Text, ""),
    ("TOTPAGES", Kind::ReadOnly, ""),
    ("NPAGES", Kind::ReadOnly, ""),
    ("NTRIES", Kind::ReadOnly, ""),
    ("NDIALS", Kind::ReadOnly, ""),
    ("TOTDIALS", Kind::ReadOnly, ""),
    ("MAXDIALS", Kind::Number, "12"),
    ("TOTTRIES", Kind::ReadOnly, ""),
    ("MAXTRIES", Kind::Number, "3"),
    ("PAGEWIDTH", Kind::Number, "0"),
    ("PAGELENGTH", Kind::Number, "0"),
    ("VRES", Kind::Number, "98"),
    ("SCHEDPRI", Kind::Number, "127"),
    ("MINBR", Kind::Number, "0"),
    ("BEGBR", Kind::Number, "13"),
    ("BEGST", Kind::Number, "0"),
];

/// Why a parameter was not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotSet {
    /// There is no such parameter.
    Unknown,
    /// It cannot be set.
    ReadOnly,
    /// The value does not fit.
    BadValue,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) id: u32,
    pub(super) owner: String,
    pub(super) state: State,
    /// Values that a client has set, by the parameter's name.
    parameters: BTreeMap<String, String>,
    /// The file of its pages in `docq`.
    pub(super) document: Option<String>,
    pub(super) total_pages: u32,
    pub(super) pages_sent: u32,
    pub(super) dials: u32,
    pub(super) tries: u32,
    pub(super) status: String,
    pub(super) status_code: u16,
    /// What the remote machine called itself.
    pub(super) remote: String,
    /// Signalling rate of the last call in bit/s.
    pub(super) bit_rate: u32,
    /// Number of the last call, for its log.
    pub(super) call: Option<u32>,
    /// When it may dial next; after the end, when it ended.
    pub(super) due_s: i64,
    /// When it was submitted.
    pub(super) submitted_s: i64,
}

impl Job {
    pub(super) fn new(id: u32, owner: &str) -> Self {
        Self {
            id,
            owner: owner.to_owned(),
            state: State::Suspended,
            parameters: BTreeMap::new(),
            document: None,
            total_pages: 0,
            pages_sent: 0,
            dials: 0,
            tries: 0,
            status: String::new(),
            status_code: 0,
            remote: String::new(),
            bit_rate: 0,
            call: None,
            due_s: 0,
            submitted_s: 0,
        }
    }

    /// The value of a parameter; `None` when there is no such parameter.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let name = name.to_ascii_uppercase();
        let (_, kind, default) = PARAMETERS.iter().find(|(known, _, _)| *known == name)?;
        if *kind == Kind::ReadOnly {
            return Some(self.computed(&name));
        }
        Some(self.parameters.get(&name).map_or(*default, String::as_str).to_owned())
    }

    /// The value of a parameter that is known to be one.
    pub(super) fn value(&self, name: &str) -> String {
        self.get(name).unwrap_or_default()
    }

    /// A numeric parameter; what is set was checked to be a number.
    pub(super) fn number(&self, name: &str) -> u32 {
        self.value(name).parse().unwrap_or(0)
    }

    fn computed(&self, name: &str) -> String {
        match name {
            "STATE" => self.state.name().to_owned(),
            "STATUSCODE" => format!("{:03}", self.status_code),
            "STATUS" => self.status.clone(),
            "GROUPID" | "JOBID" => self.id.to_string(),
            "OWNER" => self.owner.clone(),
            "COMMID" => self.communication(),
            "TOTPAGES" => self.total_pages.to_string(),
            "NPAGES" => self.pages_sent.to_string(),
            "NDIALS" | "TOTDIALS" => self.dials.to_string(),
            "NTRIES" | "TOTTRIES" => self.tries.to_string(),
            _ => String::new(),
        }
    }

    /// The number of the last call as the protocol writes it.
    pub(super) fn communication(&self) -> String {
        self.call.map_or_else(String::new, |call| format!("{call:09}"))
    }

    /// Sets a parameter and returns its name as it is written.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<&'static str, NotSet> {
        let wanted = name.to_ascii_uppercase();
        let (known, kind, _) =
            PARAMETERS.iter().find(|(known, _, _)| *known == wanted).ok_or(NotSet::Unknown)?;
        let lower = value.to_ascii_lowercase();
        let fits = match kind {
            Kind::ReadOnly => return Err(NotSet::ReadOnly),
            Kind::Text => true,
            Kind::Number => value.parse::<u32>().is_ok(),
            Kind::YesNo => lower == "yes" || lower == "no",
            Kind::OneOf(choices) => choices.contains(&lower.as_str()),
            Kind::Time => lower == "now" || (is_digits(value) && matches!(value.len(), 12 | 14)),
            Kind::Life => is_digits(value) && value.len() == 6,
            Kind::Interval => is_digits(value) && value.len() == 4,
        };
        if !fits {
            return Err(NotSet::BadValue);
        }
        self.parameters.insert((*known).to_owned(), value.to_owned());
        Ok(known)
    }

    /// Whether a parameter is written in quotes in the reply that confirms it.
    pub(super) fn is_quoted(name: &str) -> bool {
        PARAMETERS
            .iter()
            .any(|(known, kind, _)| *known == name && matches!(kind, Kind::Text | Kind::OneOf(_)))
            && name != "DATAFORMAT"
    }

    /// All parameters and their values, as `JPARM` alone lists them.
    pub(super) fn listing(&self) -> Vec<(&'static str, String)> {
        PARAMETERS.iter().map(|(name, _, _)| (*name, self.value(name))).collect()
    }

    /// The job as HylaFAX's own file of it reads (`RETR doneq/q42`): there are clients
    /// that take the end of a call from there.
    pub(super) fn file(&self) -> String {
        format!(
            "tts:{}\nkilltime:{}\nstate:{}\nnpages:{}\ntotpages:{}\ntotdials:{}\nmaxdials:{}\n\
             tottries:{}\nmaxtries:{}\nexternal:{}\nnumber:{}\njobid:{}\njobtag:{}\nowner:{}\n\
             signalrate:{} bit/s\ncommid:{}\ncsi:{}\nstatus:{}\nstatuscode:{}\n",
            self.due_s,
            self.kill_time_s(),
            self.state.digit(),
            self.pages_sent,
            self.total_pages,
            self.dials,
            self.number("MAXDIALS"),
            self.tries,
            self.number("MAXTRIES"),
            self.value("EXTERNAL"),
            self.value("DIALSTRING"),
            self.id,
            self.value("JOBINFO"),
            self.owner,
            self.bit_rate,
            self.communication(),
            self.remote,
            self.status,
            self.status_code
        )
    }

    /// The first parameter that a submission may not lack and does.
    pub(super) fn lacks(&self) -> Option<&'static str> {
        ["DIALSTRING", "NOTIFYADDR", "FROMUSER", "MODEM", "CLIENT"]
            .into_iter()
            .find(|name| self.value(name).is_empty())
    }

    /// When the job gives up, in seconds since 1970.
    pub(super) fn kill_time_s(&self) -> i64 {
        let life = self.value("LASTTIME");
        let part = |at: usize| life.get(at..at + 2).and_then(|n| n.parse::<i64>().ok());
        let life_s = match (part(0), part(2), part(4)) {
            (Some(days), Some(hours), Some(minutes)) => ((days * 24 + hours) * 60 + minutes) * 60,
            _ => DEFAULT_LIFE_S,
        };
        self.submitted_s + life_s
    }

    /// Makes it wait for a line.
    pub(super) fn submit(&mut self, now_s: i64) {
        if self.submitted_s == 0 {
            self.submitted_s = now_s;
        }
        self.state = State::Pending;
        self.due_s = now_s;
    }

    /// Ends it with a code of HylaFAX's and its words.
    pub(super) fn fail(&mut self, code: u16, status: impl Into<String>, now_s: i64) {
        self.state = State::Failed;
        self.status_code = code;
        self.status = status.into();
        self.due_s = now_s;
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_checked() {
        let cases = [
            ("maxdials", "1", Ok("MAXDIALS")),
            ("MAXDIALS", "one", Err(NotSet::BadValue)),
            ("LASTTIME", "000010", Ok("LASTTIME")),
            ("LASTTIME", "10", Err(NotSet::BadValue)),
            ("SENDTIME", "NOW", Ok("SENDTIME")),
            ("SENDTIME", "tomorrow", Err(NotSet::BadValue)),
            ("USEECM", "maybe", Err(NotSet::BadValue)),
            ("DATAFORMAT", "ANY", Err(NotSet::BadValue)),
            ("MINBR", "ANY", Err(NotSet::BadValue)),
            ("JOBINFO", "a b", Ok("JOBINFO")),
            ("STATE", "DONE", Err(NotSet::ReadOnly)),
            ("COLOUR", "red", Err(NotSet::Unknown)),
        ];
        for (name, value, expected) in cases {
            assert_eq!(Job::new(1, "x").set(name, value), expected, "{name} {value}");
        }
    }

    #[test]
    fn a_job_says_what_it_lacks_and_when_it_gives_up() {
        let mut job = Job::new(7, "x");
        assert_eq!(job.lacks(), Some("DIALSTRING"));
        for name in ["DIALSTRING", "NOTIFYADDR", "FROMUSER", "CLIENT"] {
            job.set(name, "x").unwrap();
        }
        assert_eq!(job.lacks(), None);
        job.set("LASTTIME", "010203").unwrap();
        job.submit(1000);
        assert_eq!(job.kill_time_s(), 1000 + 86_400 + 2 * 3600 + 3 * 60);
        assert_eq!(job.value("STATE"), "PENDING");
        assert_eq!(job.value("STATUSCODE"), "000");
    }
}
