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

    /// Takes another coding, in mid-call.
    pub(crate) fn follow(&mut self, plan: AudioPlan) {
        self.plan = plan;
        self.sender.follow(plan);
        self.playout.follow(plan.law);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{line::media::Law, spandsp::BLOCK};

    #[test]
    fn another_coding_in_mid_call_breaks_no_sound() {
        let [mut one, mut other] =
            [(); 2].map(|()| Sound::new(AudioPlan { ptime_ms: 30, ..AudioPlan::new(Law::Pcma) }));
        let mut heard = Vec::new();
        for at in 0..30 {
            if at == 13 {
                one.follow(AudioPlan { ptime_ms: 30, ..AudioPlan::new(Law::Pcmu) });
                other.follow(AudioPlan::new(Law::Pcmu));
            }
            let mut out = Vec::new();
            one.send(&[1000; BLOCK], &mut out);
            assert!(out.iter().all(|packet| other.take(packet)), "{at}");
            heard.extend(other.play());
        }
        // After the delay at the beginning.
        let near = |sample: &i16| (900..1100).contains(sample);
        assert!(heard[10 * BLOCK..].iter().all(near), "{heard:?}");
    }
}
