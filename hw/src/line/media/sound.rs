//! G.711 in RTP, both ways: packets in and blocks out, blocks in and packets out.

use super::{AudioPlan, playout::Playout, rtp};
use crate::spandsp::Block;

/// Comfort noise (RFC 3389): it keeps the line of time, and is silence to a modem.
const COMFORT_NOISE: u8 = 13;

/// Sound over packets.
pub(crate) struct Sound {
    plan: AudioPlan,
    sender: rtp::Sender,
    playout: Playout,
}

impl Sound {
    /// Sound that begins now.
    pub(crate) fn new(plan: AudioPlan) -> Self {
        Self { plan, sender: rtp::Sender::new(plan), playout: Playout::new(plan.law) }
    }

    /// Takes a packet. False: it is none of this flow.
    pub(crate) fn take(&mut self, packet: &[u8]) -> bool {
        let Some(packet) = rtp::parse(packet) else { return false };
        if packet.payload_type == self.plan.payload_type {
            self.playout.take(&packet);
            return true;
        }
        packet.payload_type == COMFORT_NOISE
    }

    /// What is heard in the next 20 ms.
    pub(crate) fn play(&mut self) -> Block {
        self.playout.play()
    }

    /// Says a block.
    pub(crate) fn send(&mut self, block: &Block, out: &mut Vec<Vec<u8>>) {
        self.sender.send(block, out);
    }
}
