//! A modem of the exchange: the terminal that its program has, the modem of some class
//! behind it, and the call that it is in. It decides nothing about calls.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    path::Path,
};

use postfax_domain::redacted::Redacted;

use super::{
    class2::{Class2Modem, FaxClass, Signal},
    dialect::{self, Typed},
    terminal::{Input, Terminal},
};
use crate::spandsp::{Block, LineEvent, Request, SILENCE, T31Modem};

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

/// What a modem is within.
enum Brain {
    /// Class 1, by the library, and what its program is typing.
    One(T31Modem, Typed),
    /// Another class.
    Two(Box<Class2Modem>),
}

/// One modem.
pub(super) struct Modem {
    /// The number that it answers on.
    pub(super) number: String,
    /// The call that it is in, or that rings.
    pub(super) call: Option<u64>,
    terminal: Terminal,
    brain: Brain,
    /// The program waits for a result: it wrote something and got none since.
    owes_result: bool,
}

impl Modem {
    /// A modem on hook at a new terminal.
    pub(super) fn new(class: FaxClass, number: &str, link: Option<&Path>) -> io::Result<Self> {
        let brain = match class {
            FaxClass::One => {
                let t31 = T31Modem::new().ok_or(io::ErrorKind::OutOfMemory)?;
                Brain::One(t31, Typed::default())
            }
            class => Brain::Two(Box::new(Class2Modem::new(class))),
        };
        let terminal = Terminal::open(link)?;
        Ok(Self { number: number.to_owned(), call: None, terminal, brain, owes_result: false })
    }

    /// The line between program and modem.
    pub(super) fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// Whether it takes bytes from its program now.
    pub(super) fn listens(&self) -> bool {
        match &self.brain {
            Brain::One(t31, _) => t31.clear_to_send(),
            Brain::Two(modem) => modem.clear_to_send(),
        }
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
                let requests = self.take_requests();
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
        match &mut self.brain {
            Brain::One(t31, _) => t31.set_caller(caller),
            Brain::Two(modem) => modem.set_caller(caller),
        }
        self.tell(LineEvent::Ring);
    }

    /// Goes into a call that has just been answered.
    pub(super) fn connect(&mut self, event: LineEvent) {
        self.terminal.let_go();
        self.tell(event);
    }

    /// Tells what happened to a call that did not come about, or is over.
    pub(super) fn tell(&mut self, event: LineEvent) {
        match &mut self.brain {
            Brain::One(t31, _) => t31.happened(event),
            Brain::Two(modem) => modem.happened(event),
        }
        if event != LineEvent::Ring {
            // It also asks to hang up what is already over.
            self.take_requests();
        }
        self.pass();
        if event == LineEvent::HungUp && self.owes_result && matches!(self.brain, Brain::One(..)) {
            // The library forgets it while the end of a page's carrier is still being sent.
            self.no_carrier();
        }
    }

    /// Tells that there is no way through.
    pub(super) fn no_carrier(&mut self) {
        match &mut self.brain {
            Brain::One(t31, _) => t31.no_carrier(),
            Brain::Two(modem) => modem.no_carrier(),
        }
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
        match &mut self.brain {
            Brain::One(t31, _) => t31.speak(),
            Brain::Two(_) => SILENCE,
        }
    }

    /// Hears the line.
    pub(super) fn hear(&mut self, block: Block) {
        match &mut self.brain {
            Brain::One(t31, _) => t31.hear(block),
            // It hears nothing, but time passes.
            Brain::Two(modem) => modem.tick(),
        }
        self.pass();
    }

    /// What it says to another modem without audio.
    pub(super) fn take_signals(&mut self) -> VecDeque<Signal> {
        match &mut self.brain {
            Brain::One(..) => VecDeque::new(),
            Brain::Two(modem) => modem.take_signals(),
        }
    }

    /// Hears another modem without audio.
    pub(super) fn hear_signals(&mut self, signals: VecDeque<Signal>) {
        if let Brain::Two(modem) = &mut self.brain {
            for signal in signals {
                modem.hear_signal(signal);
            }
            self.pass();
        }
    }

    /// What it asked for while it spoke and heard.
    pub(super) fn take_requests(&mut self) -> Vec<Request> {
        match &mut self.brain {
            Brain::One(t31, _) => t31.take_requests(),
            Brain::Two(modem) => modem.take_requests(),
        }
    }

    /// Gives the modem what the program wrote. In a call that may be a page; outside of one a
    /// command that the library lacks is taken back and said otherwise, without an echo.
    fn give(&mut self, bytes: &[u8]) {
        let (t31, typed) = match &mut self.brain {
            Brain::One(t31, typed) => (t31, typed),
            Brain::Two(modem) => return modem.write(bytes),
        };
        if self.call.is_some() {
            typed.clear();
            t31.write(bytes);
            return;
        }
        for piece in bytes.split_inclusive(|byte| *byte == dialect::END) {
            let line = piece.strip_suffix(&[dialect::END]).unwrap_or(piece);
            typed.push(line);
            t31.write(line);
            if line.len() == piece.len() {
                continue;
            }
            if let Some(correction) = typed.correction() {
                self.terminal.write(&t31.take_output());
                t31.write(&correction);
                t31.take_output();
            }
            typed.clear();
            t31.write(&[dialect::END]);
        }
    }

    fn pass(&mut self) {
        let output = match &mut self.brain {
            Brain::One(t31, _) => t31.take_output(),
            Brain::Two(modem) => modem.take_output(),
        };
        if !output.is_empty() {
            // What only echoes a command ends without a line feed.
            self.owes_result &= !output.ends_with(b"\r\n");
            self.terminal.write(&output);
        }
    }
}
