//! One T.30 session on one kind of media: packets in and out, a step of 20 ms at a time.
//! What they mean for the call is judged in `talk`.

use std::time::Duration;

use super::{Kind, T38Plan, ifp, sound::Sound, udptl};
use crate::{
    spandsp::{Engine, FaxTerminal, FaxTones, SetupError, T38Terminal, T38Terms},
    t30::{Modems, Session},
};

/// Below it there is no V.17.
const V17_BIT_RATE: u32 = 14_400;

impl T38Plan {
    /// As the C library is told it.
    pub(crate) fn terms(&self) -> T38Terms {
        T38Terms {
            version: self.version.min(3),
            max_bit_rate: self.max_bit_rate,
            max_datagram: self.max_datagram,
            fill_bit_removal: self.fill_bit_removal,
        }
    }
}

/// A fax machine and its media.
pub(super) enum Wire {
    /// Sound in RTP.
    Audio(Box<Audio>),
    /// T.38 in UDPTL.
    T38(Box<T38>),
}

pub(super) struct Audio {
    terminal: FaxTerminal,
    sound: Sound,
    /// Listens until a fax machine was heard.
    tones: Option<FaxTones>,
}

pub(super) struct T38 {
    terminal: T38Terminal,
    sender: udptl::Sender,
    receiver: udptl::Receiver,
    version: u8,
}

impl Wire {
    /// A machine that goes on the line now.
    pub(super) fn new(session: &Session, kind: Kind) -> Result<Self, SetupError> {
        Ok(match kind {
            Kind::Audio(plan) => Self::Audio(Box::new(Audio {
                terminal: FaxTerminal::new(session)?,
                sound: Sound::new(plan),
                tones: FaxTones::new(session.calling),
            })),
            Kind::T38(plan) => {
                let mut session = session.clone();
                if plan.max_bit_rate < V17_BIT_RATE {
                    session.station.modems = Modems { v17: false, ..session.station.modems };
                }
                Self::T38(Box::new(T38 {
                    terminal: T38Terminal::new(&session, &plan.terms())?,
                    sender: udptl::Sender::new(plan.redundancy, plan.max_datagram),
                    receiver: udptl::Receiver::default(),
                    version: plan.version,
                }))
            }
        })
    }

    pub(super) fn engine(&self) -> &Engine {
        match self {
            Self::Audio(audio) => audio.terminal.engine(),
            Self::T38(t38) => t38.terminal.engine(),
        }
    }

    pub(super) fn engine_mut(&mut self) -> &mut Engine {
        match self {
            Self::Audio(audio) => audio.terminal.engine_mut(),
            Self::T38(t38) => t38.terminal.engine_mut(),
        }
    }

    /// Takes what came. False: it is no packet of this kind, and whoever sent it is not the
    /// other side.
    pub(super) fn take(&mut self, packet: &[u8], now: Duration) -> bool {
        match self {
            Self::Audio(audio) => audio.sound.take(packet),
            Self::T38(t38) => t38.take(packet, now),
        }
    }

    /// Codes sound in another way. T.38 goes on as it began.
    pub(super) fn follow(&mut self, kind: Kind) {
        if let (Self::Audio(audio), Kind::Audio(plan)) = (self, kind) {
            audio.sound.follow(plan);
        }
    }

    /// The next packet may have any number. Sound sees by itself that another one speaks.
    pub(super) fn await_any(&mut self) {
        if let Self::T38(t38) = self {
            t38.receiver.await_any();
        }
    }

    /// Lets 20 ms pass. True: a fax machine was heard for the first time.
    pub(super) fn pass(&mut self, now: Duration, out: &mut Vec<Vec<u8>>) -> bool {
        match self {
            Self::Audio(audio) => audio.pass(out),
            Self::T38(t38) => {
                t38.pass(now, out);
                false
            }
        }
    }

    /// Says the last thing again, in case that it was lost.
    pub(super) fn repeat(&self, out: &mut Vec<Vec<u8>>) {
        if let Self::T38(t38) = self {
            out.extend(t38.sender.last().map(<[u8]>::to_vec));
        }
    }
}

impl Audio {
    fn pass(&mut self, out: &mut Vec<Vec<u8>>) -> bool {
        let heard = self.sound.play();
        let tone = self.tones.as_mut().is_some_and(|tones| tones.hear(&heard));
        if tone {
            self.tones = None;
        }
        self.terminal.hear(heard);
        self.sound.send(&self.terminal.speak(), out);
        tone
    }
}

impl T38 {
    fn take(&mut self, packet: &[u8], now: Duration) -> bool {
        let Some(datagram) = udptl::parse(packet) else { return false };
        let mut ready = Vec::new();
        self.receiver.take(&datagram, now, &mut ready);
        self.receive(ready);
        true
    }

    fn pass(&mut self, now: Duration, out: &mut Vec<Vec<u8>>) {
        let mut ready = Vec::new();
        self.receiver.wait(now, &mut ready);
        self.receive(ready);
        self.terminal.pass();
        for ifp in self.terminal.take_packets() {
            wrap(&mut self.sender, &ifp.bytes, ifp.times, out);
        }
    }

    fn receive(&mut self, packets: Vec<(u16, Vec<u8>)>) {
        for (sequence, ifp) in packets {
            if let Some(len) = ifp::whole(&ifp, self.version) {
                self.terminal.receive(&ifp[..len], sequence);
            }
        }
    }
}

/// Wraps a packet. What is to be sent more than once is the same datagram each time.
pub(super) fn wrap(sender: &mut udptl::Sender, ifp: &[u8], times: u8, out: &mut Vec<Vec<u8>>) {
    let datagram = sender.wrap(ifp);
    out.extend(std::iter::repeat_n(datagram, times.clamp(1, 5).into()));
}
