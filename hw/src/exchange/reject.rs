//! What makes a fax machine reject every page: noise that spoils pages and nothing
//! else, and the patience to be sent them again.
//!
//! Why the machine is renewed after each RTN: the library's own takes new training
//! after an RTN for some pages and hangs up for the last one, while the machines that
//! people have listen again. A new one is run through its greeting off the line, so
//! that it listens for the sender's command as the old one should have.

use std::path::{Path, PathBuf};

use super::{
    frame::{CFR, DIS, Frame, MCF, RTN, RTP},
    line::{Block, SILENCE},
    noise::{Random, is_silent},
    spandsp::{FaxSetup, FaxTerminal},
};

/// Blocks of signal that pass before noise begins: training is 0.3 s (V.29).
const TRAINING_BLOCKS: u32 = 25;
/// Samples of the burst in each block: a third of the rows of even a white page are hit,
/// and a seventh would do.
const BURST: usize = 48;
/// Blocks of silence that end a signal.
const PAUSE_BLOCKS: u32 = 3;
/// A greeting is over after so many blocks (20 s) at the latest.
const GREETING_BLOCKS: u32 = 1000;

/// A machine whose pages are rejected. It knows few speeds, since senders try each of them
/// before they give up, and that takes minutes.
pub(super) fn machine(station_id: &str, file: &Path) -> Option<FaxTerminal> {
    let setup = FaxSetup { station_id, old: true, ..FaxSetup::default() };
    FaxTerminal::new(&setup.with_file(file))
}

/// Rejects pages.
#[derive(Debug)]
pub(super) struct Rejecter {
    station_id: String,
    file: PathBuf,
    random: Random,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Handshakes pass.
    Quiet,
    /// A page may come, after the training: so many blocks of signal were heard.
    Armed(u32),
    /// An RTN is about to be said.
    Refusing,
    /// It is being said; so many blocks of silence followed.
    Refused(u32),
}

impl Rejecter {
    /// One for a machine of this identity, which writes to this file.
    pub(super) fn new(station_id: &str, file: PathBuf) -> Self {
        let (random, state) = (Random::default(), State::Quiet);
        Self { station_id: station_id.to_owned(), file, random, state }
    }

    /// Sees a frame pass.
    pub(super) fn watch(&mut self, frame: Frame) {
        self.state = match frame.fcf {
            CFR | MCF | RTP if !frame.received => State::Armed(0),
            RTN if !frame.received => State::Refusing,
            _ => State::Quiet,
        };
    }

    /// Spoils a block of what comes in, if it is time: short bursts between the training
    /// and the end of a page's carrier.
    pub(super) fn spoil(&mut self, block: &mut Block) {
        let State::Armed(heard) = &mut self.state else { return };
        if is_silent(block) {
            *heard = 0;
            return;
        }
        *heard += 1;
        if *heard > TRAINING_BLOCKS {
            for sample in &mut block[..BURST] {
                *sample = self.random.sample();
            }
        }
    }

    /// Sees a block of what the machine says. Gives a new machine in its place once an RTN
    /// has been said.
    pub(super) fn renew(&mut self, said: &Block) -> Option<FaxTerminal> {
        match (&mut self.state, is_silent(said)) {
            (State::Refusing | State::Refused(_), false) => self.state = State::Refused(0),
            (State::Refused(pause), true) => {
                *pause += 1;
                if *pause >= PAUSE_BLOCKS {
                    self.state = State::Quiet;
                    return self.greeted();
                }
            }
            _ => {}
        }
        None
    }

    /// A machine that has just said its DIS and listens.
    fn greeted(&self) -> Option<FaxTerminal> {
        let mut machine = machine(&self.station_id, &self.file)?;
        let (mut identified, mut pause) = (false, 0);
        for _ in 0..GREETING_BLOCKS {
            let silent = is_silent(&machine.speak());
            machine.hear(SILENCE);
            identified |= machine.take_frames().iter().any(|frame| frame.fcf == DIS);
            // Between the queueing of the frame and its preamble there is silence as well.
            pause = if silent && identified { pause + 1 } else { 0 };
            if pause > 4 * PAUSE_BLOCKS {
                break;
            }
        }
        Some(machine)
    }
}
