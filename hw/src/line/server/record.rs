//! What the spool keeps of a fax, as it is written there. Plain values; who writes them,
//! and when, is the matter of others.

use postfax_domain::{
    document::{PageLedger, Paper, Quality, Resolution},
    number::Number,
    outcome::Outcome,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    driver::Call,
    line::Ring,
    t30::{Coding, Remote, Statistics},
};

/// Longest tag, in characters.
const MAX_TAG: usize = 60;

/// A fax to send, as it was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Submission {
    /// Unique for ever.
    pub tag: String,
    /// Whom to call.
    pub number: Number,
    /// T.33 sub-address.
    pub subaddress: Option<String>,
    /// Pages of its document that went out before.
    #[serde(default)]
    pub pages_before: u32,
    /// Dots an inch of the pages.
    pub resolution: Resolution,
    /// The paper of the widest page.
    pub paper: Paper,
    /// Who sends.
    pub sender: String,
    /// The identity that it is sent with, where the job brings one.
    pub station_id: Option<String>,
    /// 0 is the most urgent.
    pub priority: u8,
    /// When it was taken.
    pub submitted: Timestamp,
    /// It is not dialled later than this.
    pub give_up_at: Timestamp,
    /// How many pages it has.
    pub pages: u32,
    /// Size of its file.
    pub bytes: u64,
}

impl Submission {
    /// What was ordered at this moment.
    pub fn new(call: &Call, now: Timestamp, pages: u32, bytes: u64) -> Self {
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
            submitted: now,
            give_up_at: now + call.give_up_after,
            pages,
            bytes,
        }
    }
}

/// Whether a text may be a tag: it becomes the name of a folder.
pub(super) fn is_tag(text: &str) -> bool {
    (1..=MAX_TAG).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b))
}

/// How far a submission has come.
///
/// ```text
/// Queued ─▶ Calling ─▶ Ended
///   ▲          │ the line was not free, or its turn in the call did not come
///   └──────────┘
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// It waits for a line.
    Queued {
        /// It is not to be called any more.
        #[serde(default)]
        cancelled: bool,
    },
    /// It is in a call, alone or with others.
    Calling(Calling),
    /// It is over.
    Ended(End),
}

/// A submission in a call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Calling {
    /// The line.
    pub line: String,
    /// Its turn has come: it is the first of the call, or the one before it is confirmed.
    pub begun: bool,
    /// The other machine has answered.
    pub connected: bool,
    /// The confirmation of a page is awaited.
    pub asked: bool,
    /// Somebody wants it stopped.
    pub cancelled: bool,
    /// The pages that are confirmed.
    pub ledger: PageLedger,
}

/// How a submission ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    /// How.
    pub outcome: Outcome,
    /// In the words of the line.
    pub said: String,
    /// The pages that were confirmed.
    pub ledger: PageLedger,
    /// When.
    pub at: Timestamp,
}

impl State {
    /// What became of a submission of which the server's last life knew this much; `None`
    /// when it is as it was.
    pub fn after_crash(&self, pages: u32, now: Timestamp) -> Option<Self> {
        let ended = |outcome, said: &str, ledger: PageLedger| {
            Some(Self::Ended(End { outcome, said: said.into(), ledger, at: now }))
        };
        match self {
            Self::Ended(_) | Self::Queued { cancelled: false } => None,
            Self::Queued { cancelled: true } => {
                ended(Outcome::Cancelled, "cancelled before it was called", PageLedger::default())
            }
            Self::Calling(at) if !at.begun => Self::Queued { cancelled: at.cancelled }
                .after_crash(pages, now)
                .or(Some(Self::Queued { cancelled: false })),
            Self::Calling(at) => {
                let (outcome, said) = if at.ledger.confirmed >= pages {
                    (Outcome::Delivered, "the line server stopped after the last page")
                } else if at.asked {
                    (Outcome::PageUnconfirmed, "the line server stopped behind a page")
                } else {
                    (Outcome::ServerFault, "the line server stopped during the call")
                };
                ended(outcome, said, at.ledger.clone())
            }
        }
    }
}

/// A call that came in and was to be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ringing {
    pub line: String,
    pub called: Option<String>,
    pub caller: Option<String>,
    pub caller_name: Option<String>,
    pub at: Timestamp,
}

impl Ringing {
    pub fn new(ring: &Ring, at: Timestamp) -> Self {
        Self {
            line: ring.line.clone(),
            called: ring.called.clone(),
            caller: ring.caller.clone(),
            caller_name: ring.caller_name.clone(),
            at,
        }
    }
}

/// How well a call went, for the ledger.
pub(super) fn quality(statistics: &Statistics, remote: &Remote) -> Quality {
    let coding = |coding| match coding {
        Coding::Mh => "MH",
        Coding::Mr => "MR",
        Coding::Mmr => "MMR",
    };
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    let model = format!("{} {}", said(&remote.make), said(&remote.model));
    let model = model.trim();
    Quality {
        carrier: statistics.carrier.map_or("", |carrier| carrier.as_str()).to_owned(),
        ecm: statistics.ecm,
        coding: statistics.coding.map(|c| coding(c).to_owned()),
        resent_frames: statistics.resent_frames,
        bad_lines: statistics.bad_rows,
        remote_model: (!model.is_empty()).then(|| model.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[test]
    fn a_tag_is_the_name_of_one_folder() {
        for (tag, good) in [
            ("fax1.example.com-17.2", true),
            ("", false),
            (".", false),
            ("..", false),
            (".hidden", false),
            ("a/b", false),
            ("a b", false),
            ("ä", false),
            (&"x".repeat(60), true),
            (&"x".repeat(61), false),
        ] {
            assert_eq!(is_tag(tag), good, "{tag}");
        }
    }

    #[test]
    fn what_a_crash_leaves_is_told_truthfully() {
        let calling = |begun, connected, asked, confirmed, cancelled| {
            let ledger = PageLedger { confirmed, ..PageLedger::default() };
            State::Calling(Calling { line: "a".into(), begun, connected, asked, cancelled, ledger })
        };
        let outcome = |state: State| match state.after_crash(3, Timestamp(5)) {
            Some(State::Ended(end)) => Some((end.outcome, end.ledger.confirmed)),
            Some(State::Queued { cancelled: false }) => None,
            other => panic!("{other:?}"),
        };
        use Outcome::{Cancelled, Delivered, PageUnconfirmed, ServerFault};
        for (state, end) in [
            (State::Queued { cancelled: true }, Some((Cancelled, 0))),
            (calling(false, false, false, 0, false), None),
            (calling(false, true, false, 0, false), None),
            (calling(false, true, false, 0, true), Some((Cancelled, 0))),
            (calling(true, false, false, 0, false), Some((ServerFault, 0))),
            (calling(true, true, false, 0, true), Some((ServerFault, 0))),
            (calling(true, true, true, 0, false), Some((PageUnconfirmed, 0))),
            (calling(true, true, false, 1, false), Some((ServerFault, 1))),
            (calling(true, true, true, 2, false), Some((PageUnconfirmed, 2))),
            (calling(true, true, false, 3, false), Some((Delivered, 3))),
        ] {
            assert_eq!(outcome(state.clone()), end, "{state:?}");
        }
        assert_eq!(State::Queued { cancelled: false }.after_crash(3, Timestamp(5)), None);
    }
}
