//! What makes a fax machine reject every page, and wait to be sent it again.
//!
//! Why it is done from outside: the library judges pages by itself, noise loud enough to
//! spoil any page also breaks the carrier of some, and after an RTN for the last page the
//! library hangs up, while the machines that people have listen again. So where the
//! machine is about to confirm a page, an RTN is said in its place, and a new machine
//! takes over that was run through its greeting off the line and listens for a command.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

use super::{noise::is_silent, v21};
use crate::{
    spandsp::{BLOCK, Block, FaxTerminal, SILENCE},
    t30::{
        Modems, Session, Station,
        frame::{DIS, Frame, MCF, RTN, RTP},
    },
};

/// Blocks of silence before the RTN: 80 ms (T.30 5.3.2.1 asks for 75).
const PAUSE_BLOCKS: usize = 4;
/// Blocks of silence that end a greeting.
const GREETED_BLOCKS: u32 = 12;
/// A greeting is over after so many blocks (20 s) at the latest.
const GREETING_BLOCKS: u32 = 1000;

/// A machine whose pages are rejected. It knows few speeds, since senders try each of them
/// before they give up, and that takes minutes.
pub(super) fn machine(station_id: &str, file: &Path) -> Option<FaxTerminal> {
    let modems = Modems { v27ter: false, v29: true, v17: false };
    let station = Station { ecm: false, modems, ..Station::new(station_id) };
    FaxTerminal::new(&Session::receiving(station, file.to_owned())).ok()
}

/// Rejects pages.
#[derive(Debug)]
pub(super) struct Rejecter {
    station_id: String,
    file: PathBuf,
    /// What is said instead of what the machine says.
    instead: VecDeque<Block>,
}

impl Rejecter {
    /// One for a machine of this identity, which writes to this file.
    pub(super) fn new(station_id: &str, file: PathBuf) -> Self {
        Self { station_id: station_id.to_owned(), file, instead: VecDeque::new() }
    }

    /// Sees a frame pass.
    pub(super) fn watch(&mut self, frame: Frame) {
        if !frame.received && matches!(frame.fcf, MCF | RTP | RTN) && self.instead.is_empty() {
            self.instead.extend([SILENCE; PAUSE_BLOCKS]);
            self.instead.extend(blocks(&v21::frame(RTN)));
        }
    }

    /// Gives what is said in place of the machine, and with its last block the machine that
    /// goes on.
    pub(super) fn speak(&mut self) -> Option<(Block, Option<FaxTerminal>)> {
        let block = self.instead.pop_front()?;
        let next = if self.instead.is_empty() { self.greeted() } else { None };
        Some((block, next))
    }

    /// A machine that has just said its DIS and listens.
    fn greeted(&self) -> Option<FaxTerminal> {
        let mut machine = machine(&self.station_id, &self.file)?;
        let (mut identified, mut pause) = (false, 0);
        for _ in 0..GREETING_BLOCKS {
            let silent = is_silent(&machine.speak());
            machine.hear(SILENCE);
            identified |= machine.engine_mut().take_frames().iter().any(|frame| frame.fcf == DIS);
            // Between the queueing of the frame and its preamble there is silence as well.
            pause = if silent && identified { pause + 1 } else { 0 };
            if pause > GREETED_BLOCKS {
                break;
            }
        }
        Some(machine)
    }
}

fn blocks(samples: &[i16]) -> impl Iterator<Item = Block> + '_ {
    samples.chunks(BLOCK).map(|chunk| {
        let mut block = SILENCE;
        block[..chunk.len()].copy_from_slice(chunk);
        block
    })
}
