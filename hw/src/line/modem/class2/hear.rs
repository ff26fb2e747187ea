//! What a modem says, noted where it means the same in every state, and led to the state
//! that it is meant for.

use std::time::Instant;

use postfax_domain::outcome::Outcome;

use super::{
    Class2, Command, State,
    answer::Answer,
    params::{Params, Ranges},
    wire::Piece,
};
use crate::line::{call::Step, modem::dialogue::Out};

impl Class2 {
    /// Takes something whole from the modem.
    pub(super) fn take(&mut self, piece: Piece, now: Instant) {
        match piece {
            Piece::Line(line) => {
                tracing::trace!(line, "modem");
                let answer = Answer::parse(&line, self.dialect.hexadecimal);
                self.heard(answer, now);
            }
            Piece::Xon if matches!(self.state, State::Holding(_)) => self.release(now),
            Piece::Cancel if matches!(self.state, State::Sending { .. }) => self.cut_short(now),
            Piece::Xon | Piece::Cancel => {}
        }
    }

    /// What means the same in every state is noted here, the rest is for the state.
    fn heard(&mut self, answer: Answer, now: Instant) {
        match answer {
            Answer::Identity(text) => {
                self.remote.identity = (!text.is_empty()).then_some(text);
            }
            Answer::SubAddress(text) => {
                self.remote.subaddress = (!text.is_empty()).then_some(text);
            }
            Answer::Password(text) => {
                self.remote.password = (!text.is_empty()).then_some(text);
            }
            Answer::Fax if self.since.is_none() => self.met(now),
            Answer::Remote(Some(theirs)) => self.theirs = theirs,
            Answer::Polls(theirs) => {
                self.polling = true;
                self.theirs = theirs.unwrap_or_default();
            }
            Answer::HasDocument => self.polling = true,
            Answer::Agreed(Some(agreed)) => self.agree(agreed),
            Answer::Remote(None) | Answer::Agreed(None) => {
                self.fail(Outcome::ProtocolError, "the modem told the session unreadably", now);
            }
            Answer::HungUp(code) => self.hung_up(code),
            Answer::Failed(failure) => self.failed(failure),
            Answer::Other(_) | Answer::Voice | Answer::Fax => {
                self.other(&answer, now);
            }
            Answer::Ringing => {
                if matches!(self.state, State::Dialling)
                    && !self.out.contains(&Out::Step(Step::Ringing))
                {
                    self.out.push(Out::Step(Step::Ringing));
                }
            }
            answer => self.step(&answer, now),
        }
    }

    fn other(&mut self, answer: &Answer, now: Instant) {
        match (&self.state, answer) {
            // A call came in at that moment.
            (State::Dialling | State::SettingUp(_), Answer::Other(line))
                if line == "RING" && self.dial.is_some() =>
            {
                self.end(Outcome::LinesBusy, "a call came in when the modem was to dial");
            }
            (State::SettingUp(Command::AskRanges), Answer::Other(line)) => {
                if let Some(ranges) = Ranges::parse(line, self.dialect.hexadecimal) {
                    self.ranges = ranges;
                }
            }
            (State::Dialling, Answer::Voice) => {
                self.fail(Outcome::NoFaxMachine, "a voice answered", now);
            }
            _ => {}
        }
    }

    pub(super) fn agree(&mut self, agreed: Params) {
        self.agreed = Some(agreed);
        self.statistics.bit_rate = agreed.bit_rate();
        self.statistics.ecm = agreed.ecm > 0;
        self.statistics.coding = Some(agreed.coding());
    }

    /// `OK`, `ERROR`, `CONNECT` and what is said of pages.
    fn step(&mut self, answer: &Answer, now: Instant) {
        match &self.state {
            State::SettingUp(command) => match (answer, command) {
                (Answer::Ok, _) => self.next_command(now),
                (Answer::Error, Command::Must(text)) => {
                    let said = format!("the modem refused AT{text}");
                    self.end(Outcome::ServerFault, said);
                }
                (Answer::Error, _) => self.next_command(now),
                _ => {}
            },
            State::Dialling | State::Identifying => self.heard_identifying(answer, now),
            State::Choosing
            | State::Starting
            | State::Holding(_)
            | State::Sending { .. }
            | State::PageSent
            | State::Asked(_) => self.heard_sending(answer, now),
            State::Answering
            | State::Fetching
            | State::Triggered(_)
            | State::Receiving
            | State::PageReceived { .. }
            | State::Judging => self.heard_receiving(answer, now),
            State::Closing if matches!(answer, Answer::Ok | Answer::Error) => {
                self.end(Outcome::Delivered, "");
            }
            State::Aborting(_) if matches!(answer, Answer::Ok | Answer::Error) => self.aborted(),
            State::Closing | State::Aborting(_) | State::Over => {}
        }
    }
}
