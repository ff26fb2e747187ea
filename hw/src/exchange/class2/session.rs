//! A call of such a modem: what its program is told, and when, and what it tells the other
//! modem. Times are counted in blocks of 20 ms, in audio.

use super::{
    Class2Modem, FaxClass,
    commands::Reply,
    signal::{Params, Signal, common},
};
use crate::spandsp::Request;

const DLE: u8 = 0x10;
const ETX: u8 = 0x03;
const CAN: u8 = 0x18;
const DC1: u8 = 0x11;
const DC2: u8 = 0x12;
const XON: u8 = 0x11;

/// Before DIS: the answer tone.
const GREETING: u32 = 150;
/// DCS and training.
const TRAINING: u32 = 100;
/// A post-page message or its answer.
const MESSAGE: u32 = 40;
/// T1: 35 s.
const T1: u32 = 1750;
/// For the other side, where it is asked again three times.
const THREE_TIMES: u32 = 900;
/// For the program.
const PROGRAM: u32 = 1500;

/// Where a call stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// There is none.
    Idle,
    /// The program dialled.
    Dialling,
    /// It was answered: DIS is awaited.
    Calls,
    /// We answered: DIS is said, and DCS or DTC awaited.
    Answers { greeted: bool },
    /// The program may send pages.
    MaySend,
    /// DCS was said.
    Trains { sent: bool },
    /// The program gives page data. `end`: all of them are here, and what comes after, once
    /// that is known.
    Taking { end: Option<End> },
    /// Class 2: the page has passed, and `+FET` is awaited.
    Passed,
    /// What becomes of the page is awaited.
    Asks { after: u8 },
    /// The program may fetch a page: `agreed` once DCS came.
    MayFetch,
    /// It wants to; DCS and page data are awaited.
    Fetches,
    /// `CONNECT` was said, and the program's sign to begin is awaited. `after`: the page is
    /// over.
    Connected { after: Option<u8> },
    /// Page data are given.
    Gives { after: Option<u8> },
    /// The page was given; what the program thinks of it is awaited.
    Gave { after: u8 },
    /// DCN is awaited.
    Ends,
}

/// How the data of a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// DLE ETX.
    Etx,
    /// What comes after was said with it.
    After(u8),
}

impl Class2Modem {
    pub(super) fn dial(&mut self, number: &str) -> Reply {
        let number = number.trim_start_matches(['T', 'P']);
        self.requests.push(Request::Dial(number.to_owned()));
        self.go(Phase::Dialling);
        Reply::Later
    }

    pub(super) fn answer(&mut self) -> Reply {
        self.requests.push(Request::Answer);
        Reply::Later
    }

    pub(super) fn send_page(&mut self) -> Reply {
        if self.phase != Phase::MaySend {
            return Reply::Error;
        }
        self.agreed = common(self.settings.wanted, self.theirs, false);
        // The program chose one resolution of those that both have.
        self.agreed[0] = self.settings.wanted[0];
        self.go(Phase::Trains { sent: false });
        Reply::Later
    }

    pub(super) fn fetch_page(&mut self) -> Reply {
        match self.phase {
            Phase::MayFetch => {
                if self.settings.polls {
                    let identity = self.settings.identity.clone();
                    let params = self.settings.capabilities;
                    let password = self.settings.password.clone();
                    self.signals.push_back(Signal::Dtc { identity, params, password });
                    self.settings.polls = false;
                } else {
                    self.signals.push_back(Signal::Cfr);
                }
                self.go(Phase::Fetches);
            }
            Phase::Gave { after } => {
                let verdict = self.settings.verdict;
                self.signals.push_back(Signal::Verdict(verdict));
                let done = after == 2 && verdict % 2 == 1;
                self.go(if done { Phase::Ends } else { Phase::Fetches });
            }
            _ => return Reply::Error,
        }
        Reply::Later
    }

    /// `+FET=`: only Class 2 has it.
    pub(super) fn end_page(&mut self, value: &str) -> Reply {
        let Ok(after @ 0..=2) = value.parse::<u8>() else { return Reply::Error };
        if self.phase != Phase::Passed {
            return Reply::Error;
        }
        self.ask(after);
        Reply::Later
    }

    pub(super) fn give_up(&mut self) -> Reply {
        if self.phase != Phase::Idle {
            self.hang_up(2);
            return Reply::Later;
        }
        Reply::Ok
    }

    /// Takes a byte of a page, or the sign that asks for one. False: it is no such thing.
    pub(super) fn takes_data(&mut self, byte: u8) -> bool {
        match &self.phase {
            Phase::Taking { end: None } => {
                self.take_page(byte);
                true
            }
            Phase::Connected { after } if matches!(byte, DC1 | DC2) => {
                let after = *after;
                self.go(Phase::Gives { after });
                true
            }
            // What is left of the end of a command line says nothing here.
            Phase::Connected { .. } | Phase::Gives { .. } => {
                if byte == CAN {
                    self.hang_up(2);
                }
                true
            }
            _ => false,
        }
    }

    fn take_page(&mut self, byte: u8) {
        self.ticks = 0;
        if !std::mem::take(&mut self.escaped) {
            if byte == DLE {
                self.escaped = true;
            } else {
                self.hold(byte);
            }
            return;
        }
        let later = self.class != FaxClass::Two;
        let end = match byte {
            DLE => return self.hold(DLE),
            ETX => End::Etx,
            b',' if later => End::After(0),
            b';' if later => End::After(1),
            b'.' if later => End::After(2),
            CAN => return self.hang_up(2),
            _ => return,
        };
        self.go(Phase::Taking { end: Some(end) });
    }

    fn hold(&mut self, byte: u8) {
        let reversed = self.settings.bit_order & 1 == 1;
        self.held.push_back(if reversed { byte.reverse_bits() } else { byte });
    }

    fn ask(&mut self, after: u8) {
        self.signals.push_back(Signal::PageEnd(after));
        self.go(Phase::Asks { after });
    }

    /// A block of time passes.
    pub(in crate::exchange) fn tick(&mut self) {
        self.ticks += 1;
        match self.phase.clone() {
            Phase::Answers { greeted: false } if self.ticks >= GREETING => {
                self.signals.push_back(Signal::Dis {
                    identity: self.settings.identity.clone(),
                    params: self.settings.capabilities,
                    document: self.settings.has_document,
                });
                self.go(Phase::Answers { greeted: true });
            }
            Phase::Trains { sent: false } if self.ticks >= TRAINING => {
                self.signals.push_back(Signal::Dcs {
                    identity: self.settings.identity.clone(),
                    params: self.agreed,
                    subaddress: self.settings.subaddress.clone(),
                    password: self.settings.password.clone(),
                });
                self.go(Phase::Trains { sent: true });
            }
            Phase::Taking { end } => self.pass(end),
            Phase::Gives { after } => self.give(after),
            _ => self.check_times(),
        }
    }

    fn check_times(&mut self) {
        let (limit, code) = match self.phase {
            Phase::Calls => (T1, 11),
            Phase::Answers { .. } => (T1, 70),
            Phase::MaySend | Phase::Passed => (PROGRAM, 50),
            Phase::Trains { .. } => (THREE_TIMES, 25),
            Phase::Asks { after: 2 } => (THREE_TIMES, 54),
            Phase::Asks { .. } => (THREE_TIMES, 52),
            Phase::MayFetch | Phase::Gave { .. } | Phase::Connected { .. } => (PROGRAM, 90),
            Phase::Fetches => (T1, 73),
            Phase::Ends => (MESSAGE * 5, 0),
            _ => return,
        };
        if self.ticks >= limit {
            self.hang_up(code);
        }
    }

    /// Lets page data pass at the speed of the line.
    fn pass(&mut self, end: Option<End>) {
        let count = self.bytes_a_block().min(self.held.len());
        if count > 0 {
            let piece = self.held.drain(..count).collect();
            self.signals.push_back(Signal::Data(piece));
        }
        match end {
            None if self.ticks >= PROGRAM => self.hang_up(43),
            Some(end) if self.held.is_empty() => match end {
                End::Etx => {
                    self.result("OK");
                    self.go(Phase::Passed);
                }
                End::After(after) => self.ask(after),
            },
            _ => {}
        }
    }

    /// Gives the program what came of a page.
    fn give(&mut self, after: Option<u8>) {
        let rockwell = self.class == FaxClass::Two;
        let reversed = rockwell != (self.settings.bit_order & 1 == 1);
        for byte in std::mem::take(&mut self.held) {
            self.page.push(byte);
            let byte = if reversed { byte.reverse_bits() } else { byte };
            self.output.push(byte);
            if byte == DLE {
                self.output.push(DLE);
            }
        }
        if let Some(after) = after {
            self.output.extend([DLE, ETX]);
            self.settings.verdict = 1;
            let lines = self.lines();
            self.report("+FPTS", "+FPS", &format!("1,{lines},0,0"));
            self.report("+FET", "+FET", &after.to_string());
            self.result("OK");
            self.go(Phase::Gave { after });
        }
    }

    /// Hears the other modem.
    pub(in crate::exchange) fn hear_signal(&mut self, signal: Signal) {
        match (self.phase.clone(), signal) {
            (Phase::Calls, Signal::Dis { identity, params, document }) => {
                self.met(&identity, params, document);
            }
            (Phase::Answers { .. }, Signal::Dcs { identity, params, subaddress, password }) => {
                self.report("+FCON", "+FCO", "");
                self.told(&identity, params, [&subaddress, &password]);
                self.result("OK");
                self.go(Phase::MayFetch);
            }
            (Phase::Answers { .. }, Signal::Dtc { identity, params, password }) => {
                self.polled(&identity, params, &password);
            }
            (Phase::Fetches, Signal::Dcs { identity, params, subaddress, password }) => {
                self.told(&identity, params, [&subaddress, &password]);
                self.signals.push_back(Signal::Cfr);
                self.go(Phase::Fetches);
            }
            (Phase::Trains { sent: true }, Signal::Cfr) => self.trained(),
            (Phase::Fetches, Signal::Data(bytes)) => {
                self.held.extend(bytes);
                self.result("CONNECT");
                self.go(Phase::Connected { after: None });
            }
            // A page without data.
            (Phase::Fetches, Signal::PageEnd(after)) => {
                self.result("CONNECT");
                self.go(Phase::Connected { after: Some(after) });
            }
            (Phase::Connected { .. } | Phase::Gives { .. }, Signal::Data(bytes)) => {
                self.held.extend(bytes);
            }
            (Phase::Connected { .. }, Signal::PageEnd(after)) => {
                self.phase = Phase::Connected { after: Some(after) };
            }
            (Phase::Gives { .. }, Signal::PageEnd(after)) => {
                self.phase = Phase::Gives { after: Some(after) };
            }
            (Phase::Asks { after }, Signal::Verdict(verdict)) => self.judged(after, verdict),
            (_, Signal::Dcn) => self.gone(),
            _ => {}
        }
    }

    fn met(&mut self, identity: &str, params: Params, document: bool) {
        self.theirs = params;
        let text = self.text_of(params);
        self.report("+FCON", "+FCO", "");
        self.report("+FCSI", "+FCI", &format!("\"{identity}\""));
        self.report("+FDIS", "+FIS", &text);
        if document && self.settings.polls {
            self.report("+FPOLL", "+FPO", "");
        }
        self.result("OK");
        let fetches = document && self.settings.polls;
        self.go(if fetches { Phase::MayFetch } else { Phase::MaySend });
    }

    fn told(&mut self, identity: &str, params: Params, [subaddress, password]: [&str; 2]) {
        self.agreed = params;
        self.report("+FTSI", "+FTI", &format!("\"{identity}\""));
        if self.class != FaxClass::Two {
            for (name, text) in [("+FSA", subaddress), ("+FPW", password)] {
                if !text.is_empty() {
                    self.result(&format!("{name}: \"{text}\""));
                }
            }
        }
        let text = self.text_of(params);
        self.report("+FDCS", "+FCS", &text);
    }

    fn polled(&mut self, identity: &str, params: Params, password: &str) {
        self.theirs = params;
        let text = self.text_of(params);
        self.report("+FCON", "+FCO", "");
        self.report("+FCIG", "+FPI", &format!("\"{identity}\""));
        if self.class != FaxClass::Two && !password.is_empty() {
            self.result(&format!("+FPW: \"{password}\""));
        }
        self.report("+FDTC", "+FTC", &text);
        self.result("OK");
        self.go(Phase::MaySend);
    }

    fn trained(&mut self) {
        let text = self.text_of(self.agreed);
        self.report("+FDCS", "+FCS", &text);
        self.result("CONNECT");
        if self.class == FaxClass::Two {
            self.output.push(XON);
        }
        self.escaped = false;
        self.go(Phase::Taking { end: None });
    }

    fn judged(&mut self, after: u8, verdict: u8) {
        self.settings.verdict = verdict;
        let good = verdict % 2 == 1;
        if self.class == FaxClass::Two {
            self.result(&format!("+FPTS: {verdict}"));
        }
        if after == 2 && good {
            return self.hang_up(0);
        }
        let good = good || self.class == FaxClass::Two;
        self.result(if good { "OK" } else { "ERROR" });
        self.go(Phase::MaySend);
    }

    /// The other side is gone, by DCN or without a word.
    pub(super) fn gone(&mut self) {
        let code = match self.phase {
            Phase::Idle => return,
            Phase::Dialling => {
                self.result("NO CARRIER");
                return self.go(Phase::Idle);
            }
            Phase::Calls => 11,
            Phase::MaySend => 22,
            Phase::Trains { .. } => 24,
            Phase::Taking { .. } => 40,
            Phase::Passed | Phase::Asks { .. } => 51,
            Phase::Answers { .. } | Phase::MayFetch | Phase::Fetches => 71,
            Phase::Connected { .. } | Phase::Gave { .. } => 90,
            Phase::Gives { .. } => {
                self.output.extend([DLE, ETX]);
                90
            }
            Phase::Ends => 0,
        };
        self.hang_up(code);
    }

    /// Hangs up and says why.
    fn hang_up(&mut self, code: u8) {
        if self.is_hexadecimal() {
            let (tens, ones) = (code / 10, code % 10);
            self.result(&format!("+FHS: {tens:X}{ones}"));
        } else {
            self.result(&format!("+FHNG: {code}"));
        }
        self.result("OK");
        self.signals.push_back(Signal::Dcn);
        self.requests.push(Request::HangUp);
        self.settings.polls = false;
        self.settings.subaddress.clear();
        self.settings.password.clear();
        self.held.clear();
        self.page.clear();
        self.go(Phase::Idle);
    }
}
