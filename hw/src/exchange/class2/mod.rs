//! Modems of Class 2, 2.0 and 2.1: an AT interpreter, and in place of T.30 in audio
//! messages to another modem of these classes, since the library has no such modem. They
//! ring, are busy and hang up as all subscribers do, but whoever is no such modem hears
//! silence from them, and they from it.
//!
//! ```text
//!  terminal ─ commands ─ Class2Modem ─ signals ─ Class2Modem ─ commands ─ terminal
//! ```
//!
//! It is written from what programs expect of such modems and knows nothing of our own
//! program for them, so that the two can be tested against each other. One trap is built
//! in: a modem of Class 2 gives received pages with the bits of each byte reversed, as
//! the first such modems did by mistake; mgetty and HylaFAX count on it.

mod commands;
mod session;
mod signal;

use std::collections::VecDeque;

pub(super) use self::signal::Signal;
use self::{
    session::Phase,
    signal::{Params, RATES},
};
use crate::{
    pages::ccitt::{Coding, lines_of, reverse_bits},
    spandsp::{LineEvent, Request},
};

/// A class of fax modems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaxClass {
    /// T.30 in the program (T.31).
    One,
    /// T.30 in the modem, by the draft SP-2388-A.
    Two,
    /// The same by EIA-592.
    TwoZero,
    /// The same by ITU-T T.32.
    TwoOne,
}

/// Most bytes of a page that wait for the line before the program has to.
const MAX_HELD: usize = 8192;
/// Longest command line.
const MAX_LINE: usize = 256;

/// What the program has set.
#[derive(Debug, Clone)]
struct Settings {
    /// It is a fax modem now, and no data modem.
    fax: bool,
    echo: bool,
    caller_id: bool,
    /// Rings until it answers by itself; 0: never.
    answer_after: u8,
    identity: String,
    /// What it may do.
    capabilities: Params,
    /// What is wanted in this call.
    wanted: Params,
    /// Bit 0: the bits of page data are reversed.
    bit_order: u8,
    has_document: bool,
    polls: bool,
    subaddress: String,
    password: String,
    /// What becomes of the last page.
    verdict: u8,
}

/// A modem of one of these classes.
pub(super) struct Class2Modem {
    class: FaxClass,
    settings: Settings,
    typed: Vec<u8>,
    output: Vec<u8>,
    requests: Vec<Request>,
    signals: VecDeque<Signal>,
    caller: String,
    rings: u8,
    phase: Phase,
    /// Blocks since the phase began.
    ticks: u32,
    /// Within the data of a page a DLE came.
    escaped: bool,
    /// Page data that wait: for the line, or for the program.
    held: VecDeque<u8>,
    /// The page that is received, as it passed on the line.
    page: Vec<u8>,
    agreed: Params,
    theirs: Params,
}

impl Class2Modem {
    /// A modem on hook.
    pub(super) fn new(class: FaxClass) -> Self {
        let (vr, ec) = if class == FaxClass::Two { (1, 2) } else { (3, 1) };
        let capabilities = [vr, 5, 2, 2, 3, ec, 0, 0];
        let settings = Settings {
            fax: false,
            echo: true,
            caller_id: false,
            answer_after: 0,
            identity: String::new(),
            capabilities,
            wanted: capabilities,
            bit_order: 0,
            has_document: false,
            polls: false,
            subaddress: String::new(),
            password: String::new(),
            verdict: 1,
        };
        Self {
            class,
            settings,
            typed: Vec::new(),
            output: Vec::new(),
            requests: Vec::new(),
            signals: VecDeque::new(),
            caller: String::new(),
            rings: 0,
            phase: Phase::Idle,
            ticks: 0,
            escaped: false,
            held: VecDeque::new(),
            page: Vec::new(),
            agreed: [0; 8],
            theirs: [0; 8],
        }
    }

    /// Takes what the program wrote.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if !self.takes_data(*byte) {
                self.type_in(*byte);
            }
        }
    }

    /// What is to be written to the program.
    pub(super) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// What the program asked for since the last time.
    pub(super) fn take_requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    /// Whether it takes bytes now.
    pub(super) fn clear_to_send(&self) -> bool {
        !matches!(self.phase, Phase::Taking { .. }) || self.held.len() < MAX_HELD
    }

    /// Sets the number that the program is shown with the ring.
    pub(super) fn set_caller(&mut self, number: &str) {
        number.clone_into(&mut self.caller);
    }

    /// Tells the program that the call did not come about.
    pub(super) fn no_carrier(&mut self) {
        self.result("NO CARRIER");
        self.reset();
    }

    /// Tells what happened on the line.
    pub(super) fn happened(&mut self, event: LineEvent) {
        match event {
            LineEvent::Ring => self.ring(),
            LineEvent::Connected | LineEvent::Answered => {
                self.reset();
                self.go(match event {
                    LineEvent::Connected => Phase::Calls,
                    _ => Phase::Answers { greeted: false },
                });
            }
            LineEvent::Busy => self.fails("BUSY"),
            LineEvent::NoDialTone => self.fails("NO DIALTONE"),
            LineEvent::NoAnswer => self.fails("NO ANSWER"),
            LineEvent::HungUp => {
                self.gone();
                self.reset();
            }
        }
    }

    /// What it says to the other modem.
    pub(super) fn take_signals(&mut self) -> VecDeque<Signal> {
        std::mem::take(&mut self.signals)
    }

    fn ring(&mut self) {
        self.rings = self.rings.saturating_add(1);
        self.result("RING");
        if self.settings.caller_id {
            let caller = format!("NMBR={}", self.caller);
            self.result(&caller);
        }
        if self.settings.answer_after > 0 && self.rings >= self.settings.answer_after {
            self.requests.push(Request::Answer);
        }
    }

    fn fails(&mut self, why: &str) {
        self.result(why);
        self.reset();
    }

    fn reset(&mut self) {
        self.go(Phase::Idle);
        self.rings = 0;
        self.held.clear();
        self.signals.clear();
        self.escaped = false;
    }

    fn go(&mut self, phase: Phase) {
        self.phase = phase;
        self.ticks = 0;
    }

    /// Says a line to the program.
    fn result(&mut self, text: &str) {
        self.output.extend_from_slice(format!("\r\n{text}\r\n").as_bytes());
    }

    /// The same line by the names that the classes have for it.
    fn report(&mut self, two: &str, later: &str, value: &str) {
        let name = if self.class == FaxClass::Two { two } else { later };
        let line = if value.is_empty() { name.to_owned() } else { format!("{name}: {value}") };
        self.result(&line);
    }

    fn is_hexadecimal(&self) -> bool {
        self.class != FaxClass::Two
    }

    fn text_of(&self, params: Params) -> String {
        let texts = params.map(|value| match self.is_hexadecimal() {
            true => format!("{value:X}"),
            false => value.to_string(),
        });
        texts.join(",")
    }

    /// Lines of the page that was received, which programs compare with their own count.
    fn lines(&mut self) -> u32 {
        let mut page = std::mem::take(&mut self.page);
        reverse_bits(&mut page);
        let coding = match self.agreed[4] {
            0 => Coding::Mh { aligned: false },
            1 | 2 => Coding::Mr { aligned: false },
            _ => Coding::Mmr,
        };
        let width = [1728, 2048, 2432][usize::from(self.agreed[2]).min(2)];
        lines_of(&page, coding, width).unwrap_or(0)
    }

    /// Bytes that pass in one block of 20 ms.
    fn bytes_a_block(&self) -> usize {
        let rate = RATES[usize::from(self.agreed[1]).min(RATES.len() - 1)];
        (rate / 8 / 50) as usize
    }
}
