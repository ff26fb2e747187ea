//! One end of a call: a modem, a fax machine of ours, a person, or nobody (any more).

use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};

use super::{
    frame::{CFR, EOM, EOP, EOR, Frame, MCF, MPS, PPS, RTN, RTP},
    line::{Block, SILENCE},
    machine::{CallProgress, CallResult, ReceivedFax},
    modem::{ModemId, Modems},
    noise::Random,
    reject::Rejecter,
    spandsp::FaxTerminal,
};

/// One end of a call.
pub(super) enum Leg {
    /// A modem and its program.
    Modem(ModemId),
    /// A fax machine of ours.
    Fax(Box<FaxLeg>),
    /// A person.
    Voice(Voice),
    /// Nobody.
    Gone,
}

impl Leg {
    /// What this end says.
    pub(super) fn speak(&mut self, modems: &mut Modems) -> Block {
        match self {
            Self::Modem(id) => modems.get_mut(id).map_or(SILENCE, |modem| modem.speak()),
            Self::Fax(fax) => fax.speak(),
            Self::Voice(voice) => voice.speak(),
            Self::Gone => SILENCE,
        }
    }

    /// Lets this end hear.
    pub(super) fn hear(&mut self, block: Block, modems: &mut Modems) {
        match self {
            Self::Modem(id) => {
                if let Some(modem) = modems.get_mut(id) {
                    modem.hear(block);
                }
            }
            Self::Fax(fax) => fax.hear(block),
            Self::Voice(_) | Self::Gone => {}
        }
    }
}

/// What a fax machine's call is for.
pub(super) enum Purpose {
    /// To send, and report.
    Send {
        /// Where the result goes.
        result: oneshot::Sender<CallResult>,
        /// Where the progress goes.
        progress: Option<mpsc::Sender<CallProgress>>,
    },
    /// To receive, and hand over.
    Receive(mpsc::Sender<ReceivedFax>),
    /// To receive and throw away.
    Discard,
}

/// A fax machine in a call.
pub(super) struct FaxLeg {
    /// The machine.
    pub(super) terminal: FaxTerminal,
    /// What for.
    pub(super) purpose: Purpose,
    /// The file that it sends or makes.
    pub(super) file: PathBuf,
    /// What it has said and heard.
    pub(super) tally: Tally,
    /// It rejects every page.
    pub(super) rejecter: Option<Rejecter>,
    /// Someone gave the call up.
    pub(super) cancelled: bool,
}

impl FaxLeg {
    /// A machine about to go on the line.
    pub(super) fn new(terminal: FaxTerminal, file: PathBuf, purpose: Purpose) -> Self {
        Self { terminal, purpose, file, tally: Tally::default(), rejecter: None, cancelled: false }
    }

    /// Reports progress to whoever follows this call. One who does not keep up misses some.
    pub(super) fn report(&self, progress: CallProgress) {
        if let Purpose::Send { progress: Some(to), .. } = &self.purpose {
            to.try_send(progress).ok();
        }
    }

    fn speak(&mut self) -> Block {
        let block = self.terminal.speak();
        let Some((instead, next)) = self.rejecter.as_mut().and_then(Rejecter::speak) else {
            return block;
        };
        if let Some(next) = next {
            self.terminal = next;
        }
        instead
    }

    fn hear(&mut self, block: Block) {
        self.terminal.hear(block);
        self.watch();
    }

    fn watch(&mut self) {
        for frame in self.terminal.take_frames() {
            if let Some(rejecter) = &mut self.rejecter {
                rejecter.watch(frame);
            }
            if self.tally.count(frame) {
                self.report(CallProgress::Page(self.tally.confirmed));
            }
        }
    }
}

/// Which pages were confirmed, told from the frames of both directions (T.30 5.3.6.1).
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Tally {
    /// Pages confirmed (MCF or RTP).
    pub(super) confirmed: u32,
    /// How often a page was refused (RTN).
    pub(super) refused: u32,
    /// The confirmed page was the last one.
    pub(super) complete: bool,
    /// The other side is a fax machine: it said something.
    pub(super) met: bool,
    /// A signalling rate was agreed (CFR).
    pub(super) trained: bool,
    asked: Option<u8>,
}

impl Tally {
    /// Takes a frame into account. True when it confirmed one more page.
    fn count(&mut self, frame: Frame) -> bool {
        self.met |= frame.received;
        match frame.fcf {
            CFR => self.trained = true,
            EOM | MPS | EOP => self.asked = Some(frame.fcf),
            // A PPS-NULL ends a block within a page.
            PPS | EOR => self.asked = frame.fcf2.filter(|fcf2| matches!(*fcf2, EOM | MPS | EOP)),
            MCF | RTP => {
                if let Some(asked) = self.asked.take() {
                    self.confirmed += 1;
                    self.complete = asked == EOP;
                    return true;
                }
            }
            RTN => {
                self.asked = None;
                self.refused += 1;
            }
            _ => {}
        }
        false
    }
}

/// Something that no fax machine takes for a fax: noise in the rhythm of syllables.
#[derive(Debug, Default)]
pub(super) struct Voice {
    random: Random,
    said: u32,
    last: i16,
}

impl Voice {
    fn speak(&mut self) -> Block {
        self.said += 1;
        // Words of 0.6 s with pauses of 0.4 s.
        if self.said % 50 >= 30 {
            return SILENCE;
        }
        let mut block = SILENCE;
        for sample in &mut block {
            // Muffled, as a voice is.
            self.last = self.last / 8 * 7 + self.random.sample() / 16;
            *sample = self.last;
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_when_they_are_confirmed() {
        let frame = |received, fcf, fcf2| Frame { received, fcf, fcf2 };
        let mut tally = Tally::default();
        for (frame, confirms) in [
            (frame(true, CFR, None), false),
            (frame(true, MCF, None), false),
            (frame(false, MPS, None), false),
            (frame(false, MPS, None), false),
            (frame(true, MCF, None), true),
            (frame(true, MCF, None), false),
            (frame(false, PPS, Some(0)), false),
            (frame(true, MCF, None), false),
            (frame(false, PPS, Some(EOM)), false),
            (frame(true, RTP, None), true),
            (frame(false, EOP, None), false),
            (frame(true, RTN, None), false),
            (frame(true, MCF, None), false),
            (frame(false, EOP, None), false),
            (frame(true, MCF, None), true),
        ] {
            assert_eq!(tally.count(frame), confirms, "{frame:?}");
        }
        let counted = Tally {
            confirmed: 3,
            refused: 1,
            complete: true,
            met: true,
            trained: true,
            asked: None,
        };
        assert_eq!(tally, counted);
    }
}
