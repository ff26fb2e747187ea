//! The end of a call that is packets: sound in RTP, or T.38 by way of a gateway. How it
//! came about is the matter of the [`door`](super::door).

use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use tokio::sync::mpsc;

use super::super::clock::BLOCK_TIME;
use crate::{
    line::media::{Flow, Kind, bridge::Bridge, sound::Sound},
    spandsp::{Block, SILENCE},
};

/// Most packets that are taken in the time of a block.
const ROUND: usize = 64;
/// Larger datagrams are none of ours.
const MAX_DATAGRAM: usize = 2048;

/// What the call tells its side in SIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::exchange) enum Told {
    /// It rings at the other number.
    Ringing,
    /// It was answered there.
    Answered,
    /// It did not come about.
    Failed(postfax_domain::outcome::Outcome),
    /// It is over.
    Over,
}

/// One end of a call, in packets.
pub(in crate::exchange) struct PacketLeg {
    media: Option<Media>,
    tell: mpsc::UnboundedSender<Told>,
    now: Duration,
    answered: bool,
}

struct Media {
    socket: UdpSocket,
    named: SocketAddr,
    heard: Option<SocketAddr>,
    carrier: Carrier,
}

enum Carrier {
    Sound(Box<Sound>),
    T38(Box<Bridge>),
}

impl PacketLeg {
    /// One without media yet.
    pub(in crate::exchange) fn new(tell: mpsc::UnboundedSender<Told>) -> Self {
        Self { media: None, tell, now: Duration::ZERO, answered: false }
    }

    /// Goes on over this flow. Without a gateway there is silence.
    pub(in crate::exchange) fn carry(&mut self, flow: Flow) {
        let carrier = match flow.kind {
            Kind::Audio(plan) => Some(Carrier::Sound(Box::new(Sound::new(plan)))),
            Kind::T38(plan) => Bridge::new(&plan, true).ok().map(|b| Carrier::T38(Box::new(b))),
        };
        let ready = flow.socket.set_nonblocking(true).is_ok();
        self.media = carrier.filter(|_| ready).map(|carrier| Media {
            socket: flow.socket,
            named: flow.remote,
            heard: None,
            carrier,
        });
    }

    /// The side in SIP has answered, perhaps before the exchange lets it ring.
    pub(in crate::exchange) fn answer(&mut self, flow: Flow) {
        self.answered = true;
        self.carry(flow);
    }

    /// Whether it has.
    pub(in crate::exchange) fn is_answered(&self) -> bool {
        self.answered
    }

    /// Tells its side in SIP. A side that is gone needs to know no more.
    pub(in crate::exchange) fn tell(&self, told: Told) {
        self.tell.send(told).ok();
    }

    /// What comes from there.
    pub(in crate::exchange) fn speak(&mut self) -> Block {
        self.now += BLOCK_TIME;
        match &mut self.media {
            Some(media) => media.speak(self.now),
            None => SILENCE,
        }
    }

    /// What goes there.
    pub(in crate::exchange) fn hear(&mut self, block: Block) {
        if let Some(media) = &mut self.media {
            media.hear(block);
        }
    }
}

impl Media {
    fn speak(&mut self, now: Duration) -> Block {
        let mut buffer = [0; MAX_DATAGRAM];
        for _ in 0..ROUND {
            let Ok((len, from)) = self.socket.recv_from(&mut buffer) else { break };
            // The first valid source wins, and the named one over any other.
            if from != self.named && self.heard.is_some_and(|heard| heard != from) {
                continue;
            }
            let taken = match &mut self.carrier {
                Carrier::Sound(sound) => sound.take(&buffer[..len]),
                Carrier::T38(bridge) => bridge.take(&buffer[..len], now),
            };
            if taken {
                self.heard = Some(from);
            }
        }
        match &mut self.carrier {
            Carrier::Sound(sound) => sound.play(),
            Carrier::T38(bridge) => {
                let mut out = Vec::new();
                let block = bridge.speak(now, &mut out);
                self.send(&out);
                block
            }
        }
    }

    fn hear(&mut self, block: Block) {
        let mut out = Vec::new();
        match &mut self.carrier {
            Carrier::Sound(sound) => sound.send(&block, &mut out),
            Carrier::T38(bridge) => bridge.hear(block, &mut out),
        }
        self.send(&out);
    }

    fn send(&self, packets: &[Vec<u8>]) {
        for packet in packets {
            // What the network does not take is lost, as on its way.
            self.socket.send_to(packet, self.heard.unwrap_or(self.named)).ok();
        }
    }
}
