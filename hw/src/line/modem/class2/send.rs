//! Sending: from dialling, or from being polled, to the confirmation of the last page.

use std::time::Instant;

use postfax_domain::outcome::Outcome;

use super::{
    CLOSING_S, COMMAND_S, Class2, DIAL_S, POST_PAGE_S, State, TRAINING_S,
    answer::{Answer, Verdict},
    dialect::PageEnd,
    params::Params,
    wire::{After, DLE, ETX, stuffed},
};
use crate::line::{call::Step, modem::dialogue::Out};

/// For XON after `CONNECT`; then it is taken for said, since some modems never say it.
const XON_S: u64 = 5;
/// For the port to take a piece of a page, which at 2,400 bit/s takes 14 s.
const PIECE_S: u64 = 60;
/// Bytes of a page that are written at once.
const PIECE: usize = 4096;
/// How often a page may be refused.
const MAX_REFUSED: u32 = 3;

impl Class2 {
    /// Dials.
    pub(super) fn dial(&mut self, number: &str, now: Instant) {
        self.out.push(Out::Step(Step::Dialling));
        self.command(&format!("DT{number}"));
        self.go(State::Dialling, DIAL_S, now);
    }

    /// A fax machine is on the line.
    pub(super) fn met(&mut self, now: Instant) {
        self.connected(now);
        match self.state {
            State::Dialling => self.go(State::Identifying, TRAINING_S, now),
            State::Answering => self.go(State::Answering, TRAINING_S, now),
            _ => {}
        }
    }

    /// Before the first page.
    pub(super) fn heard_identifying(&mut self, answer: &Answer, now: Instant) {
        match (&self.state, answer) {
            (_, Answer::Connect) => self.fail(Outcome::DataModem, "a data modem answered", now),
            // All that was said of the other machine may have come without `+FCON`.
            (State::Identifying, Answer::Ok) if self.keeper.is_some() => match self.polling {
                true => self.fetch(now),
                false => {
                    let said = "the remote machine has no document to be polled";
                    self.fail(Outcome::NotReady, said, now);
                }
            },
            (State::Identifying, Answer::Ok) => self.start_page(now),
            (State::Dialling, Answer::Ok | Answer::Error) => {
                self.fail(Outcome::ModemRefused, "the modem did not dial", now);
            }
            (_, Answer::Error) => self.fail(Outcome::NoHandshake, "the modem said ERROR", now),
            _ => {}
        }
    }

    /// Chooses how the next page goes.
    pub(super) fn start_page(&mut self, now: Instant) {
        if self.stopping {
            return self.fail(Outcome::Cancelled, "cancelled", now);
        }
        let Some(source) = &mut self.source else {
            return self.fail(Outcome::PollingOnly, "the remote machine only polls", now);
        };
        let choose = |format| Params::for_page(self.ours, self.theirs, format, self.dialect);
        let chosen = match choose(source.format(self.page)) {
            Some(chosen) => Some(chosen),
            None => match source.coarsen() {
                Ok(true) => choose(source.format(self.page)),
                Ok(false) => None,
                Err(error) => return self.fail(Outcome::BadDocument, error.to_string(), now),
            },
        };
        match chosen {
            None => {
                let said = "the remote machine takes no pages so fine or so wide";
                self.fail(Outcome::FormatRefused, said, now);
            }
            Some(chosen) if self.wanted == Some(chosen) => self.start(now),
            Some(chosen) => {
                self.wanted = Some(chosen);
                let text = chosen.text(self.dialect.hexadecimal);
                self.command(&format!("{}={text}", self.dialect.wanted));
                self.go(State::Choosing, COMMAND_S, now);
            }
        }
    }

    fn start(&mut self, now: Instant) {
        self.command("+FDT");
        self.go(State::Starting, TRAINING_S, now);
    }

    /// While pages are sent.
    pub(super) fn heard_sending(&mut self, answer: &Answer, now: Instant) {
        match (&mut self.state, answer) {
            (State::Choosing, Answer::Ok | Answer::Error) => self.start(now),
            (State::Starting, Answer::Connect) => self.code_page(now),
            (State::Starting, Answer::Error) => {
                self.fail(Outcome::StoppedAnswering, "the modem refused to send a page", now);
            }
            (State::PageSent, Answer::Ok) => self.ask(now),
            (State::PageSent, Answer::Error) => {
                self.fail(Outcome::TransmissionErrors, "the modem could not send a page", now);
            }
            (State::Asked(verdict), Answer::Page(Some(said))) => *verdict = Some(*said),
            (State::Asked(_), Answer::Page(None)) => {
                let said = "the modem told the fate of a page unreadably";
                self.fail(Outcome::PageUnconfirmed, said, now);
            }
            (State::Asked(verdict), Answer::Ok) => {
                let verdict = verdict.unwrap_or(Verdict::Good);
                self.judged(verdict, now);
            }
            // In Class 2.0 an ERROR is all that is said of a page that was refused.
            (State::Asked(verdict), Answer::Error) => {
                let verdict = verdict.unwrap_or(Verdict::Bad);
                self.judged(verdict, now);
            }
            _ => {}
        }
    }

    /// Codes the page as was agreed, and writes it when the modem wants it.
    fn code_page(&mut self, now: Instant) {
        let Some(wanted) = self.wanted else { return };
        // A modem that does not tell took what it was told.
        let agreed = self.agreed.unwrap_or(wanted);
        self.agree(agreed);
        if (agreed.resolution, agreed.width) != (wanted.resolution, wanted.width) {
            // Its carrier is up already: nothing but data would be heard now.
            self.go(State::Sending { data: Vec::new(), at: 0 }, PIECE_S, now);
            let said = "the modem agreed on another resolution or width than it was told";
            return self.fail(Outcome::FormatRefused, said, now);
        }
        let Some(source) = &self.source else { return };
        match source.code(self.page, agreed) {
            Ok(page) => {
                let data = stuffed(&page);
                self.go(State::Holding(data), XON_S, now);
                if !self.dialect.waits_for_xon {
                    self.release(now);
                }
            }
            Err(error) => self.fail(Outcome::BadDocument, error.to_string(), now),
        }
    }

    /// Page data may flow.
    pub(super) fn release(&mut self, now: Instant) {
        if let State::Holding(data) = &mut self.state {
            let data = std::mem::take(data);
            self.go(State::Sending { data, at: 0 }, PIECE_S, now);
            self.send_more(now);
        }
    }

    /// The port takes more.
    pub(super) fn send_more(&mut self, now: Instant) {
        let State::Sending { data, at } = &mut self.state else { return };
        let end = data.len().min(*at + PIECE);
        if *at < end {
            let piece = data[*at..end].to_vec();
            let state = State::Sending { data: std::mem::take(data), at: end };
            self.write(piece);
            return self.go(state, PIECE_S, now);
        }
        match self.dialect.page_end {
            PageEnd::Command => {
                self.write(vec![DLE, ETX]);
                self.go(State::PageSent, POST_PAGE_S, now);
            }
            PageEnd::Character => self.ask(now),
        }
    }

    /// The modem wants no more of this page. It says why in a moment.
    pub(super) fn cut_short(&mut self, now: Instant) {
        self.write(vec![DLE, ETX]);
        self.go(State::PageSent, COMMAND_S, now);
        // What it says is no confirmation: a page of which a part was sent is not asked for.
        self.fail(Outcome::Disconnected, "the modem wanted no more of a page", now);
    }

    /// Asks what becomes of the page: from here on it may have arrived.
    fn ask(&mut self, now: Instant) {
        let after = self.after();
        self.out.push(Out::Step(Step::Asked));
        match self.dialect.page_end {
            PageEnd::Command => self.command(&format!("+FET={}", after.number())),
            PageEnd::Character => self.write(after.end(PageEnd::Character).to_vec()),
        }
        self.go(State::Asked(None), POST_PAGE_S, now);
    }

    /// What comes after this page.
    pub(super) fn after(&self) -> After {
        let Some(source) = &self.source else { return After::Nothing };
        let next = self.page + 1;
        if next >= source.pages() {
            return After::Nothing;
        }
        match source.format(next) == source.format(self.page) {
            true => After::Page,
            false => After::Document,
        }
    }

    fn judged(&mut self, verdict: Verdict, now: Instant) {
        if verdict.is_good() {
            self.confirm();
            return match self.complete {
                true => self.go(State::Closing, CLOSING_S, now),
                false => self.start_page(now),
            };
        }
        self.refused += 1;
        if verdict == Verdict::BadInterrupt {
            return self.fail(Outcome::OperatorInterrupt, "an operator interrupted", now);
        }
        if self.refused >= MAX_REFUSED {
            return self.fail(Outcome::PageRejected, "a page was refused three times", now);
        }
        self.start_page(now);
    }

    /// The page is confirmed.
    pub(super) fn confirm(&mut self) {
        self.complete = self.after() == After::Nothing;
        self.confirmed += 1;
        self.page += 1;
        self.refused = 0;
        self.statistics.pages_sent = self.confirmed;
        let (count, statistics) = (self.confirmed, self.statistics);
        self.out.push(Out::Step(Step::Pages { count, statistics }));
    }
}
