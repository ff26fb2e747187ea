//! Jobs: one document to one destination. The only place where a job's state
//! changes.
//!
//! ```text
//!  Preparing ─────────────────── no pages can be made ──────────▶ Ended
//!     │ pages                                                      ▲
//!     ▼      begin                ended: done, never, exhausted    │
//!  Waiting ─────────▶ Carrying ────────────────────────────────────┤
//!     ▲                  │  │                                      │
//!     └──────────────────┘  └─ cancel ─▶ Carrying, cancelling ─────┤
//!       ended: later                                               │
//!  Preparing, Waiting, Held ────────── cancel, expire ─────────────┘
//!
//!  Ended, delivered by mail ── the mail came back ─▶ Waiting for the operator, or Held
//! ```
//!
//! | state | who moves it on | what a crash leaves behind |
//! |---|---|---|
//! | Preparing | whoever makes the pages | the same: they are made anew from the mail |
//! | Waiting | the supervisor, when it is due, not on hold, and a carrier is free | the same |
//! | Carrying | the carrier, by reporting how the attempt ended | the same: the carrier is asked for the attempt's tag before anything is sent again |
//! | Held | an administrator | the same |
//! | Ended | nobody; a received fax whose mail came back is taken up again | the same |
//!
//! **On hold** is no state but a mark on a fax that prepares or waits: its pages are
//! made, its time runs out, and nobody calls until somebody lets it go. **Held** is a
//! received fax that nobody may have.

mod altered;
mod cause;
mod pages;
mod returned;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    destination::{Destination, Mailbox},
    document::{Document, PageLedger},
    fleet::Decision,
    names::{JobId, ServerName},
    notice::Planned,
    options::{Made, Remarks},
    outcome::Outcome,
    retry::{self, Next, RetryRules, Tries},
    time::Timestamp,
};

pub use altered::Alteration;
pub use cause::{
    Alarm, Answered, AnsweredFile, Cause, Forwarded, Inquiry, InquiryTopic, Missed, Sent, Tried,
};

pub use crate::notice::{DeliverBy, Notify, Release};

/// Attempts that a job's story keeps; older ones are dropped from its middle.
const MAX_ATTEMPTS_KEPT: usize = 64;

/// One document to one destination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// Why it exists.
    pub cause: Cause,
    /// Where it goes.
    pub destination: Destination,
    /// What it carries, once its pages are made; a receipt is written when it is
    /// delivered.
    pub document: Option<Document>,
    /// The cover that goes before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<Document>,
    /// What its sender is told of how both were made.
    #[serde(default, skip_serializing_if = "Remarks::is_empty")]
    pub remarks: Remarks,
    /// Why no pages could be made, in words.
    #[serde(default)]
    pub trouble: Option<String>,
    /// Where it stands.
    pub state: State,
    /// When it was accepted.
    pub created: Timestamp,
    /// When we give up.
    pub expires: Timestamp,
    /// 0 is ordinary, 9 most urgent, -9 least (RFC 6710).
    pub priority: i8,
    /// Pages that the remote machine has confirmed, over all attempts.
    pub confirmed: u32,
    /// Whether the pages go out coarser, since the remote machine refused them, or since no
    /// server that may call can take them as they are.
    pub coarse: bool,
    /// How often it has ended in each way.
    pub tries: Tries,
    /// Servers that failed it, and until when they are avoided.
    pub avoid: BTreeMap<ServerName, Timestamp>,
    /// Its story.
    pub attempts: Vec<Attempt>,
    /// What its sender is still to be told while it is tried.
    #[serde(default)]
    pub planned: Vec<Planned>,
    /// The last report that its sender was given meanwhile.
    #[serde(default)]
    pub delay_report: Option<JobId>,
    /// Whether it is not to be called until somebody lets it go.
    #[serde(default)]
    pub on_hold: bool,
    /// After so many more attempts it is given up; none when only its rules say so.
    #[serde(default)]
    pub tries_left: Option<u32>,
}

/// Who carries an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// A fax server.
    Server(ServerName),
    /// The mail relay.
    Mail,
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its pages are made, or wait to be.
    Preparing {
        /// When it may begin with them.
        due: Timestamp,
    },
    /// For its time, or for a carrier.
    Waiting {
        /// Not before this time.
        due: Timestamp,
    },
    /// A carrier has it: the last of its attempts is under way.
    Carrying {
        /// Whether it is to be stopped.
        cancelling: bool,
    },
    /// It waits for an administrator.
    Held,
    /// It is over.
    Ended {
        /// How.
        end: End,
        /// When.
        at: Timestamp,
    },
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// All of it arrived.
    Delivered,
    /// It did not, for this last cause.
    Failed(Outcome),
    /// Someone stopped it.
    Cancelled,
}

/// One try of one carrier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counted from 1, over the whole life of the job.
    pub number: u32,
    /// Who carried it.
    pub carrier: Carrier,
    /// Why this one.
    pub decision: Decision,
    /// When it began.
    pub started: Timestamp,
    /// The first page that this attempt sent, counted from 0 at the cover.
    pub first_page: u32,
    /// The submission in the server's own words, once it has it.
    pub ticket: Option<String>,
    /// When and how it ended.
    pub ended: Option<AttemptEnd>,
    /// What was confirmed in it.
    pub ledger: PageLedger,
}

/// When and how an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEnd {
    /// When.
    pub at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// The carrier's own words.
    pub said: String,
}

impl Job {
    /// A job as it begins: due at once, or held when it goes to nobody yet.
    #[must_use]
    pub fn new(id: JobId, cause: Cause, to: Destination, now: Timestamp, time: Duration) -> Self {
        let state = match to {
            Destination::Unrouted => State::Held,
            Destination::Fax(_) | Destination::Mailbox(_) => State::Waiting { due: now },
        };
        Self {
            id,
            cause,
            destination: to,
            document: None,
            cover: None,
            remarks: Remarks::default(),
            trouble: None,
            state,
            created: now,
            expires: now + time,
            priority: 0,
            confirmed: 0,
            coarse: false,
            tries: Tries::default(),
            avoid: BTreeMap::new(),
            attempts: Vec::new(),
            planned: Vec::new(),
            delay_report: None,
            on_hold: false,
            tries_left: None,
        }
    }

    /// A mail that we write ourselves when it is delivered.
    #[must_use]
    pub fn mail(id: JobId, cause: Cause, to: Mailbox, now: Timestamp, time: Duration) -> Self {
        Self::new(id, cause, Destination::Mailbox(to), now, time)
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended { .. })
    }

    /// Whether it is over and not all of it arrived.
    #[must_use]
    pub fn is_in_vain(&self) -> bool {
        matches!(self.state, State::Ended { end: End::Failed(_) | End::Cancelled, .. })
    }

    /// When it may begin, if it waits.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        match self.state {
            State::Waiting { due } => Some(due),
            _ => None,
        }
    }

    /// When something about a waiting job changes by itself.
    pub fn moments(&self) -> impl Iterator<Item = Timestamp> {
        self.due().into_iter().chain(self.avoid.values().copied())
    }

    /// The attempt that is under way.
    #[must_use]
    pub fn under_way(&self) -> Option<&Attempt> {
        match self.state {
            State::Carrying { .. } => self.attempts.last(),
            _ => None,
        }
    }

    /// The client who sends it, if one does.
    #[must_use]
    pub fn sender(&self) -> Option<&Sent> {
        match &self.cause {
            Cause::Sent(sent) => Some(sent),
            _ => None,
        }
    }

    /// The server that it arrived at, if it did.
    #[must_use]
    pub fn origin(&self) -> Option<&ServerName> {
        match &self.cause {
            Cause::Arrived(fax) => Some(&fax.server),
            _ => None,
        }
    }

    /// What the last attempt ended with.
    #[must_use]
    pub fn last_outcome(&self) -> Option<Outcome> {
        self.attempts.iter().rev().find_map(|a| a.ended.as_ref()).map(|end| end.outcome)
    }

    /// Its pages are made.
    pub fn prepared(&mut self, made: Made) {
        let State::Preparing { due } = self.state else {
            panic!("only a job without pages gets them")
        };
        (self.document, self.cover, self.remarks) = (Some(made.document), made.cover, made.remarks);
        self.state = State::Waiting { due };
    }

    /// No pages can be made of it.
    pub fn unfit(&mut self, outcome: Outcome, said: String, now: Timestamp) {
        assert!(matches!(self.state, State::Preparing { .. }), "only a job without pages is unfit");
        self.trouble = Some(said);
        self.end(End::Failed(outcome), now);
    }

    /// A carrier takes it. It must be waiting.
    pub fn begin(&mut self, carrier: Carrier, decision: Decision, now: Timestamp) {
        assert!(matches!(self.state, State::Waiting { .. }), "only a waiting job begins");
        assert!(!self.on_hold, "a job on hold does not begin");
        if self.attempts.len() >= MAX_ATTEMPTS_KEPT {
            self.attempts.remove(MAX_ATTEMPTS_KEPT / 2);
        }
        let number = self.attempts.last().map_or(1, |last| last.number + 1);
        self.attempts.push(Attempt {
            number,
            carrier,
            decision,
            started: now,
            first_page: self.confirmed,
            ticket: None,
            ended: None,
            ledger: PageLedger::default(),
        });
        self.state = State::Carrying { cancelling: false };
    }

    /// Notes under which ticket the server has the attempt. False when it is not
    /// the attempt that is under way.
    pub fn place(&mut self, attempt: u32, ticket: &str) -> bool {
        let Some(current) = self.current(attempt) else { return false };
        current.ticket = Some(ticket.to_owned());
        true
    }

    /// Notes how far the call is. False when it is not the attempt that is under way.
    pub fn progress(&mut self, attempt: u32, ledger: PageLedger) -> bool {
        let Some(current) = self.current(attempt) else { return false };
        current.ledger = ledger;
        true
    }

    /// The attempt under way has ended: the job ends, or waits for the next one.
    /// False when it is not the attempt that is under way.
    pub fn attempt_ended(
        &mut self,
        attempt: u32,
        ledger: PageLedger,
        end: AttemptEnd,
        rules: &RetryRules,
    ) -> bool {
        let State::Carrying { cancelling } = self.state else { return false };
        let Some(current) = self.current(attempt) else { return false };
        let (outcome, now) = (end.outcome, end.at);
        let carrier = current.carrier.clone();
        let confirmed = current.first_page + ledger.confirmed;
        current.ledger = ledger;
        current.ended = Some(end);
        self.confirm(confirmed, outcome);
        if outcome.is_success() {
            self.end(End::Delivered, now);
        } else if cancelling || outcome == Outcome::Cancelled {
            self.end(End::Cancelled, now);
        } else {
            let tries = self.tries.count(outcome);
            let next = retry::next(rules, outcome, tries, now, self.expires);
            self.follow(next, carrier, outcome, now);
            if self.spend_try() && !self.is_ended() {
                self.end(End::Failed(outcome), now);
            }
        }
        true
    }

    /// Asks for the end of it. A job under way ends when its carrier says so; all
    /// others end now. False when it is over already.
    pub fn cancel(&mut self, now: Timestamp) -> bool {
        match self.state {
            State::Ended { .. } => return false,
            State::Carrying { .. } => self.state = State::Carrying { cancelling: true },
            State::Preparing { .. } | State::Waiting { .. } | State::Held => {
                self.end(End::Cancelled, now);
            }
        }
        true
    }

    /// Ends a job that waits, for a carrier or for its pages, and whose time is over.
    pub fn expire(&mut self, now: Timestamp) {
        let waits = matches!(self.state, State::Preparing { .. } | State::Waiting { .. });
        assert!(waits, "only a waiting job expires");
        let cause = self.last_outcome().unwrap_or(Outcome::Expired);
        self.end(End::Failed(cause), now);
    }

    /// Ends a waiting job that nobody may carry any more.
    pub fn refuse(&mut self, outcome: Outcome, now: Timestamp) {
        assert!(matches!(self.state, State::Waiting { .. }), "only a waiting job is refused");
        self.end(End::Failed(outcome), now);
    }

    /// Lets a waiting job begin at once. False when it does not wait, or is on hold.
    pub fn hurry(&mut self, now: Timestamp) -> bool {
        let (State::Preparing { due } | State::Waiting { due }) = &mut self.state else {
            return false;
        };
        if self.on_hold {
            return false;
        }
        *due = now;
        self.avoid.clear();
        true
    }

    /// Gives a job another destination and lets it wait for a carrier: a mail that
    /// could not be delivered goes to the operator, an unrouted fax to a client.
    pub fn redirect(&mut self, to: Destination, now: Timestamp, time: Duration) {
        self.state = match to {
            Destination::Unrouted => State::Held,
            _ => State::Waiting { due: now },
        };
        self.destination = to;
        self.expires = now + time;
        self.tries = Tries::default();
    }

    fn current(&mut self, attempt: u32) -> Option<&mut Attempt> {
        if !matches!(self.state, State::Carrying { .. }) {
            return None;
        }
        self.attempts.last_mut().filter(|last| last.number == attempt)
    }

    /// Only pages that there are count, and success means all of them.
    fn confirm(&mut self, confirmed: u32, outcome: Outcome) {
        let pages = self.pages();
        // What is left after a failure is at least one page, else nothing could
        // ever tell the remote machine that the document has ended.
        let most = if outcome.is_success() { pages } else { pages.saturating_sub(1) };
        let confirmed = if outcome.is_success() { pages } else { confirmed };
        self.confirmed = self.confirmed.max(confirmed.min(most));
    }

    fn follow(&mut self, next: Next, carrier: Carrier, outcome: Outcome, now: Timestamp) {
        match next {
            Next::Later(due) => self.state = State::Waiting { due },
            Next::Elsewhere(until) => {
                if let Carrier::Server(server) = carrier {
                    self.avoid.insert(server, until);
                }
                self.state = State::Waiting { due: now };
            }
            Next::Reformat => {
                self.coarsen();
                self.state = State::Waiting { due: now };
            }
            Next::Stop => self.end(End::Failed(outcome), now),
        }
    }

    fn end(&mut self, end: End, at: Timestamp) {
        assert!(!self.is_ended(), "a job ends once");
        self.state = State::Ended { end, at };
    }
}
