//! A gateway between a line of sound and a far end that speaks T.38 in UDPTL: without a
//! socket and without a clock, as [`talk`](super::talk).

use std::time::Duration;

use super::{T38Plan, ifp, udptl, wire::wrap};
use crate::spandsp::{Block, Gateway, SetupError};

/// A gateway for one call.
pub(crate) struct Bridge {
    gateway: Gateway,
    sender: udptl::Sender,
    receiver: udptl::Receiver,
    version: u8,
}

impl Bridge {
    /// A gateway that goes between two machines now.
    pub(crate) fn new(plan: &T38Plan, ecm: bool) -> Result<Self, SetupError> {
        Ok(Self {
            gateway: Gateway::new(&plan.terms(), ecm)?,
            sender: udptl::Sender::new(plan.redundancy, plan.max_datagram),
            receiver: udptl::Receiver::default(),
            version: plan.version,
        })
    }

    /// Takes a packet. False: it is none.
    pub(crate) fn take(&mut self, packet: &[u8], now: Duration) -> bool {
        let Some(datagram) = udptl::parse(packet) else { return false };
        let mut ready = Vec::new();
        self.receiver.take(&datagram, now, &mut ready);
        self.receive(ready);
        true
    }

    /// Lets 20 ms pass: what it says on the line.
    pub(crate) fn speak(&mut self, now: Duration, out: &mut Vec<Vec<u8>>) -> Block {
        let mut ready = Vec::new();
        self.receiver.wait(now, &mut ready);
        self.receive(ready);
        let block = self.gateway.speak();
        self.send(out);
        block
    }

    /// Takes what is said on the line.
    pub(crate) fn hear(&mut self, block: Block, out: &mut Vec<Vec<u8>>) {
        self.gateway.hear(block);
        self.send(out);
    }

    fn send(&mut self, out: &mut Vec<Vec<u8>>) {
        for packet in self.gateway.take_packets() {
            wrap(&mut self.sender, &packet.bytes, packet.times, out);
        }
    }

    fn receive(&mut self, packets: Vec<(u16, Vec<u8>)>) {
        for (sequence, packet) in packets {
            if let Some(len) = ifp::whole(&packet, self.version) {
                self.gateway.receive(&packet[..len], sequence);
            }
        }
    }
}
