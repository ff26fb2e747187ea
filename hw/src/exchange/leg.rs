//! One end of a call: a modem, a fax machine of ours, a person, or nobody (any more).

use std::{collections::VecDeque, path::PathBuf};

use tokio::sync::{mpsc, oneshot};

use super::{
    class2::Signal,
    machine::{CallProgress, CallResult, ReceivedFax},
    modem::{Modem, ModemId, Modems},
    noise::Random,
    reject::Rejecter,
    sip::PacketLeg,
};
use crate::{
    spandsp::{Block, FaxTerminal, SILENCE},
    t30::Tally,
};

/// One end of a call.
pub(super) enum Leg {
    /// A modem and its program.
    Modem(ModemId),
    /// A fax machine of ours.
    Fax(Box<FaxLeg>),
    /// A person.
    Voice(Voice),
    /// Someone in SIP.
    Packets(Box<PacketLeg>),
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
            Self::Packets(packets) => packets.speak(),
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
            Self::Packets(packets) => packets.hear(block),
            Self::Voice(_) | Self::Gone => {}
        }
    }

    /// What this end says without audio.
    pub(super) fn take_signals(&mut self, modems: &mut Modems) -> VecDeque<Signal> {
        match self {
            Self::Modem(id) => modems.get_mut(id).map(Modem::take_signals).unwrap_or_default(),
            Self::Fax(_) | Self::Voice(_) | Self::Packets(_) | Self::Gone => VecDeque::new(),
        }
    }

    /// Lets this end hear what was said without audio.
    pub(super) fn hear_signals(&mut self, signals: VecDeque<Signal>, modems: &mut Modems) {
        if let Self::Modem(id) = self
            && let Some(modem) = modems.get_mut(id)
            && !signals.is_empty()
        {
            modem.hear_signals(signals);
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
        for frame in self.terminal.engine_mut().take_frames() {
            if let Some(rejecter) = &mut self.rejecter {
                rejecter.watch(frame);
            }
            if self.tally.count(frame) {
                self.report(CallProgress::Page(self.tally.confirmed));
            }
        }
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
