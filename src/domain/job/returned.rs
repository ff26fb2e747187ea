//! What is heard of a mail after it was delivered: the one way by which a job that has
//! ended goes on.

use super::{End, Job, State};
use crate::{outcome::Outcome, time::Timestamp};

/// Most octets of what an attempt's carrier and later reports have said.
const MAX_SAID_BYTES: usize = 4096;

impl Job {
    /// Notes what a report says of a mail that was delivered.
    pub fn note(&mut self, words: &str) {
        let Some(end) = self.attempts.last_mut().and_then(|last| last.ended.as_mut()) else {
            return;
        };
        if end.said.len() + words.len() < MAX_SAID_BYTES {
            end.said = format!("{}; then {words}", end.said);
        }
    }

    /// The mail of its last attempt was taken, and came back after all: the job ends
    /// as if it had been refused at once. False when it did not end delivered.
    pub fn came_back(&mut self, words: &str, now: Timestamp) -> bool {
        if !matches!(self.state, State::Ended { end: End::Delivered, .. }) {
            return false;
        }
        self.note(words);
        if let Some(end) = self.attempts.last_mut().and_then(|last| last.ended.as_mut()) {
            (end.outcome, end.at) = (Outcome::MailReturned, now);
        }
        self.confirmed = 0;
        self.state = State::Ended { end: End::Failed(Outcome::MailReturned), at: now };
        true
    }
}
