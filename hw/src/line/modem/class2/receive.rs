//! Receiving: from answering, or from polling, to the confirmation of the last page.

use std::time::Instant;

use postfax_domain::outcome::Outcome;

use super::{
    CLOSING_S, COMMAND_S, Class2, POST_PAGE_S, State, TRAINING_S,
    answer::{Answer, Next, Verdict},
    document,
    wire::More,
};
use crate::line::{call::Step, modem::dialogue::Out};

/// For the first data after they were asked for.
const TRIGGER_S: u64 = 10;
/// Within a page, between two bytes: fill never lasts so long (T.4 4.1.3: 5 s).
const SILENCE_S: u64 = 30;

impl Class2 {
    /// Answers the call.
    pub(super) fn answer(&mut self, now: Instant) {
        self.command("A");
        self.go(State::Answering, TRAINING_S, now);
    }

    /// Wants the next page, and with that confirms the last one.
    pub(super) fn fetch(&mut self, now: Instant) {
        self.command("+FDR");
        match self.complete {
            true => self.go(State::Closing, CLOSING_S, now),
            false => self.go(State::Fetching, TRAINING_S, now),
        }
    }

    /// While pages are received.
    pub(super) fn heard_receiving(&mut self, answer: &Answer, now: Instant) {
        match (&mut self.state, answer) {
            (State::Answering, Answer::Ok) => self.answered(now),
            (State::Answering, Answer::Connect) => {
                self.fail(Outcome::DataModem, "a data modem called", now);
            }
            (State::Answering | State::Fetching, Answer::Error) => {
                self.fail(Outcome::NoHandshake, "the modem said ERROR", now);
            }
            // Between documents some modems say OK where CONNECT is meant.
            (State::Fetching, Answer::Connect | Answer::Ok) => self.begin_page(now),
            (State::PageReceived { verdict, .. }, Answer::Page(Some(said))) => {
                *verdict = Some(*said);
            }
            (State::PageReceived { next, .. }, Answer::Next(Some(said))) => *next = Some(*said),
            (State::PageReceived { .. }, Answer::Page(None) | Answer::Next(None)) => {
                self.fail(Outcome::ProtocolError, "the modem ended a page unreadably", now);
            }
            (State::PageReceived { verdict, next }, Answer::Ok | Answer::Error) => {
                let modem = verdict.unwrap_or(match answer {
                    Answer::Error => Verdict::Bad,
                    _ => Verdict::Good,
                });
                let next = *next;
                self.judge(modem, next, now);
            }
            (State::Judging, Answer::Ok | Answer::Error) => self.fetch(now),
            _ => {}
        }
    }

    fn answered(&mut self, now: Instant) {
        self.connected(now);
        if self.polling && self.source.is_some() {
            return self.start_page(now);
        }
        if self.agreed.is_none() || self.keeper.is_none() {
            let said = "the call is neither a fax for us nor one who polls";
            return self.fail(Outcome::NoHandshake, said, now);
        }
        self.fetch(now);
    }

    fn begin_page(&mut self, now: Instant) {
        if self.agreed.is_none() {
            let said = "the modem did not say what was agreed";
            return self.fail(Outcome::ProtocolError, said, now);
        }
        self.data.take();
        self.trigger(0, now);
    }

    /// Asks for the data of the page, in one of the ways that modems want.
    pub(super) fn trigger(&mut self, times: usize, now: Instant) {
        let trigger = self.dialect.triggers[times.min(self.dialect.triggers.len() - 1)];
        self.write(vec![trigger]);
        self.go(State::Triggered(times + 1), TRIGGER_S, now);
    }

    /// Takes a byte of a page.
    pub(super) fn data(&mut self, byte: u8, now: Instant) {
        // The rest of the end of a line.
        if self.data.is_empty() && matches!((&self.state, byte), (State::Triggered(_), b'\n')) {
            return;
        }
        match self.data.push(byte) {
            More::Yes => self.go(State::Receiving, SILENCE_S, now),
            More::Ended => {
                self.go(State::PageReceived { verdict: None, next: None }, POST_PAGE_S, now);
            }
            More::TooMuch => {
                self.fail(Outcome::ProtocolError, "a page was larger than any may be", now);
            }
        }
    }

    /// Keeps the page or does not, and sees to it that the modem says so.
    fn judge(&mut self, modem: Verdict, next: Option<Next>, now: Instant) {
        let (Some(next), Some(agreed), Some(keeper)) = (next, self.agreed, &mut self.keeper) else {
            let said = "the modem did not say what comes after a page";
            return self.fail(Outcome::ProtocolError, said, now);
        };
        let page = document::read_page(&self.data.take(), agreed);
        if let Some(page) = &page {
            self.statistics.bad_rows = page.damage.lines();
            self.statistics.longest_bad_run = page.damage.longest;
        }
        let ours = match page.filter(document::Page::is_good) {
            None => Verdict::Bad,
            Some(page) => match keeper.keep(page) {
                Ok(()) => Verdict::Good,
                // It is not confirmed, so that the sender keeps it.
                Err(error) => return self.fail(Outcome::ServerFault, error.to_string(), now),
            },
        };
        if ours.is_good() {
            let count = keeper.pages();
            self.statistics.pages_received = count;
            self.complete = next == Next::Nothing;
            let statistics = self.statistics;
            self.out.push(Out::Step(Step::Pages { count, statistics }));
        }
        if self.stopping && !self.complete {
            return self.fail(Outcome::Cancelled, "cancelled", now);
        }
        if ours.is_good() == modem.is_good() {
            return self.fetch(now);
        }
        let number = if ours.is_good() { 1 } else { 2 };
        self.command(&format!("{}={number}", self.dialect.page));
        self.go(State::Judging, COMMAND_S, now);
    }
}
