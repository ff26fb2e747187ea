//! How a call ends: what the modem said, or did not say in time, as an outcome.
//!
//! Nothing is decided here of how a call goes on.

use std::time::{Duration, Instant};

use postfax_domain::outcome::Outcome;

use super::{
    COMMAND_S, Class2, State,
    answer::Failure,
    codes,
    wire::{After, CAN, DLE, ETX},
};
use crate::line::{call::Ended, modem::dialogue::Out};

impl Class2 {
    /// `BUSY` and its like.
    pub(super) fn failed(&mut self, failure: Failure) {
        let outcome = match (&self.state, failure) {
            (State::Aborting(_), _) => return self.aborted(),
            (State::Closing, _) => return self.end(Outcome::Delivered, ""),
            (State::Dialling, Failure::Busy) => Outcome::Busy,
            (State::Dialling, Failure::NoAnswer) => Outcome::NoAnswer,
            (State::Dialling, Failure::NoDialTone) => Outcome::NoDialTone,
            (State::Dialling, Failure::Refused) => Outcome::ModemRefused,
            (State::Dialling | State::Answering, Failure::NoCarrier) => Outcome::NoFaxMachine,
            (State::Asked(_), _) => Outcome::PageUnconfirmed,
            _ if self.since.is_none() => Outcome::NoFaxMachine,
            _ => Outcome::Disconnected,
        };
        let words = match failure {
            Failure::NoCarrier => "the modem said NO CARRIER",
            Failure::Busy => "the modem said BUSY",
            Failure::NoAnswer => "the modem said NO ANSWER",
            Failure::NoDialTone => "the modem said NO DIALTONE",
            Failure::Refused => "the modem does not call this number now",
        };
        self.end(outcome, words);
    }

    /// The modem hung up by itself.
    pub(super) fn hung_up(&mut self, code: Option<u8>) {
        // Before our own command could come to anything it may tell of the last call.
        if matches!(self.state, State::SettingUp(_) | State::Over) {
            return;
        }
        if let State::Aborting(_) = self.state {
            return self.aborted();
        }
        let Some(code) = code else {
            return self.end(Outcome::ProtocolError, "the modem hung up and said why unreadably");
        };
        // It may tell what becomes of the last page, or only that all ended well.
        if let State::Asked(verdict) = self.state {
            match verdict {
                Some(verdict) if verdict.is_good() => self.confirm(),
                None if code == 0 && self.after() == After::Nothing => self.confirm(),
                _ => {}
            }
        }
        let outcome = match (&self.state, code) {
            (State::Dialling, 0) => Outcome::NoFaxMachine,
            _ => codes::outcome(code),
        };
        self.end(outcome, codes::words(code));
    }

    /// Ends the call: the modem is told, and its answer awaited for a moment.
    pub(super) fn fail(&mut self, outcome: Outcome, said: impl Into<String>, now: Instant) {
        let in_data = matches!(self.state, State::Sending { .. });
        let in_page = matches!(self.state, State::Triggered(_) | State::Receiving);
        if matches!(self.state, State::SettingUp(_) | State::Dialling | State::Over) {
            return self.end(outcome, said);
        }
        let ended = Box::new(self.ending(outcome, said.into(), now));
        if in_data {
            // Within the data of a page nothing else is heard as a command.
            let last = if self.dialect.hexadecimal { CAN } else { ETX };
            self.write(vec![DLE, last]);
        } else if in_page {
            self.write(vec![CAN]);
        }
        self.command(self.dialect.abort);
        self.go(State::Aborting(ended), COMMAND_S, now);
    }

    pub(super) fn aborted(&mut self) {
        if let State::Aborting(ended) = std::mem::replace(&mut self.state, State::Over) {
            self.deadline = None;
            self.out.push(Out::Ended(*ended));
        }
    }

    /// The call is over.
    pub(super) fn end(&mut self, outcome: Outcome, said: impl Into<String>) {
        let ended = self.ending(outcome, said.into(), self.now);
        self.state = State::Over;
        self.deadline = None;
        self.out.push(Out::Ended(ended));
    }

    /// What came of it, from all that is known.
    pub(super) fn ending(&self, outcome: Outcome, said: String, now: Instant) -> Ended {
        let sends = self.source.is_some() && (self.dial.is_some() || self.polling);
        let outcome = match outcome {
            _ if self.complete => Outcome::Delivered,
            _ if self.stopping => Outcome::Cancelled,
            outcome if outcome.is_success() => Outcome::Disconnected,
            outcome
                if sends && self.refused > 0 && !matches!(outcome, Outcome::OperatorInterrupt) =>
            {
                Outcome::PageRejected
            }
            outcome => outcome,
        };
        let pages = match &self.keeper {
            Some(keeper) if !sends => keeper.pages(),
            _ => self.confirmed,
        };
        Ended {
            outcome,
            said: if outcome.is_success() { String::new() } else { said },
            pages,
            statistics: self.statistics,
            remote: self.remote.clone(),
            duration: self.since.map_or(Duration::ZERO, |since| now.duration_since(since)),
        }
    }

    /// Nothing came in time.
    pub(super) fn late(&mut self, now: Instant) {
        if self.since.is_some_and(|since| now >= since + self.limit)
            && !matches!(self.state, State::Aborting(_) | State::Closing)
        {
            return self.fail(Outcome::ProtocolError, "the call lasted longer than any may", now);
        }
        let (outcome, what) = match self.state {
            State::Over => return,
            State::Aborting(_) => return self.aborted(),
            State::Closing => return self.end(Outcome::Delivered, ""),
            State::Holding(_) => return self.release(now),
            State::Triggered(times) if times < self.dialect.triggers.len() => {
                return self.trigger(times, now);
            }
            State::SettingUp(_) => (Outcome::ServerFault, "a command"),
            State::Dialling => (Outcome::NoFaxMachine, "the call"),
            State::Identifying => (Outcome::NoHandshake, "the identification"),
            State::Answering => (Outcome::NoHandshake, "the answer"),
            State::Choosing | State::Starting => (Outcome::StoppedAnswering, "the start of a page"),
            State::Sending { .. } | State::PageSent => (Outcome::ServerFault, "page data"),
            State::Asked(_) => (Outcome::PageUnconfirmed, "the end of a page"),
            State::Fetching | State::Triggered(_) => (Outcome::Disconnected, "a page"),
            State::Receiving => (Outcome::Disconnected, "more of a page"),
            State::PageReceived { .. } | State::Judging => {
                (Outcome::Disconnected, "the end of a received page")
            }
        };
        self.fail(outcome, format!("the modem was silent for too long: {what}"), now);
    }
}
