//! A modem of the exchange: the terminal that its program has, the Class 1 modem
//! behind it, and the call that it is in. It decides nothing about calls.

use std::{collections::BTreeMap, io, path::Path};

use postfax_domain::redacted::Redacted;

use super::{
    dialect::{self, Typed},
    terminal::{Input, Terminal},
};
use crate::spandsp::{Block, LineEvent, Request, T31Modem};

/// Most bytes taken from a program at once: the modem stops us when a quarter of its
/// buffer of 4 KiB is left.
const READ: usize = 512;

/// Names a modem.
pub(super) type ModemId = u64;
/// All modems.
pub(super) type Modems = BTreeMap<ModemId, Modem>;

/// What a modem's program did.
#[derive(Debug)]
pub(super) enum Did {
    /// It wrote something.
    Wrote {
        /// What the modem asks of the line for it.
        requests: Vec<Request>,
        /// It would give up a call that is being dialled (V.250 6.3.1).
        gives_up: bool,
    },
    /// It is gone.
    Left,
}

/// One modem.
pub(super) struct Modem {
    /// The number that it answers on.
    pub(super) number: String,
    /// The call that it is in, or that rings.
    pub(super) call: Option<u64>,
    terminal: Terminal,
    t31: T31Modem,
    typed: Typed,
    /// The program waits for a result: it wrote something and got none since.
    owes_result: bool,
}

impl Modem {
    /// A modem on hook at a new terminal.
    pub(super) fn new(number: &str, link: Option<&Path>) -> io::Result<Self> {
        let t31 = T31Modem::new().ok_or(io::ErrorKind::OutOfMemory)?;
        let terminal = Terminal::open(link)?;
        let (number, typed) = (number.to_owned(), Typed::default());
        Ok(Self { number, call: None, terminal, t31, typed, owes_result: false })
    }

    /// The line between program and modem.
    pub(super) fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// Whether it takes bytes from its program now.
    pub(super) fn listens(&self) -> bool {
        self.t31.clear_to_send()
    }

    /// Takes what the program wrote. `None`: nothing.
    pub(super) fn read(&mut self) -> Option<Did> {
        let mut buffer = [0; READ];
        match self.terminal.read(&mut buffer) {
            Input::Nothing => None,
            Input::Closed => Some(Did::Left),
            Input::Bytes(n) => {
                self.give(&buffer[..n]);
                self.owes_result = true;
                self.pass();
                let requests = self.t31.take_requests();
                // The second half of a CR LF gives nothing up.
                let gives_up = requests.is_empty() && buffer[..n].iter().any(|b| *b != b'\n');
                Some(Did::Wrote { requests, gives_up })
            }
        }
    }

    /// Whether the program has dropped DTR.
    pub(super) fn is_dropped(&self) -> bool {
        self.terminal.is_dropped()
    }

    /// The terminal takes more: writes what waits for it.
    pub(super) fn flush(&mut self) {
        self.terminal.flush();
    }

    /// Rings once, showing who calls. Since it shows it each time, each ring is the first one
    /// for the library: it answers by itself with `S0=1`, and never with more.
    pub(super) fn ring(&mut self, caller: &str) {
        self.t31.set_caller(caller);
        self.tell(LineEvent::Ring);
    }

    /// Goes into a call that has just been answered.
    pub(super) fn connect(&mut self, event: LineEvent) {
        self.terminal.let_go();
        self.tell(event);
    }

    /// Tells what happened to a call that did not come about, or is over.
    pub(super) fn tell(&mut self, event: LineEvent) {
        self.t31.happened(event);
        if event != LineEvent::Ring {
            // It also asks to hang up what is already over.
            self.t31.take_requests();
        }
        self.pass();
        if event == LineEvent::HungUp && self.owes_result {
            // The library forgets it while the end of a page's carrier is still being sent.
            self.no_carrier();
        }
    }

    /// Tells that there is no way through.
    pub(super) fn no_carrier(&mut self) {
        self.t31.no_carrier();
        self.pass();
    }

    /// Leaves its call: the terminal stays open for the next program.
    pub(super) fn leave_call(&mut self) {
        self.call = None;
        if let Err(error) = self.terminal.hold() {
            tracing::warn!(modem = %Redacted(&self.number), %error, "terminal not kept open");
        }
    }

    /// Forgets the rings that nobody has read.
    pub(super) fn forget_unread(&mut self) {
        self.terminal.forget_unread();
    }

    /// What it says on the line.
    pub(super) fn speak(&mut self) -> Block {
        self.t31.speak()
    }

    /// Hears the line.
    pub(super) fn hear(&mut self, block: Block) {
        self.t31.hear(block);
        self.pass();
    }

    /// What it asked for while it spoke and heard.
    pub(super) fn take_requests(&mut self) -> Vec<Request> {
        self.t31.take_requests()
    }

    /// Gives the library what the program wrote. In a call that may be a page; outside of one a
    /// command that the library lacks is taken back and said otherwise, without an echo.
    fn give(&mut self, bytes: &[u8]) {
        if self.call.is_some() {
            self.typed.clear();
            self.t31.write(bytes);
            return;
        }
        for piece in bytes.split_inclusive(|byte| *byte == dialect::END) {
            let line = piece.strip_suffix(&[dialect::END]).unwrap_or(piece);
            self.typed.push(line);
            self.t31.write(line);
            if line.len() == piece.len() {
                continue;
            }
            if let Some(correction) = self.typed.correction() {
                self.pass();
                self.t31.write(&correction);
                self.t31.take_output();
            }
            self.typed.clear();
            self.t31.write(&[dialect::END]);
        }
    }

    fn pass(&mut self) {
        let output = self.t31.take_output();
        if !output.is_empty() {
            // What only echoes a command ends without a line feed.
            self.owes_result &= !output.ends_with(b"\r\n");
            self.terminal.write(&output);
        }
    }
}
