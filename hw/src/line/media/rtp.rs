//! RTP (RFC 3550 5.1): packets of G.711, taken apart and put together. When they are
//! heard is the matter of the playout.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
};

use super::AudioPlan;
use crate::spandsp::Block;

/// Version 2.
const VERSION: u8 = 2;
/// Bytes of a header without sources and extension.
const HEADER: usize = 12;
/// Samples in a millisecond, and octets of G.711.
const PER_MS: usize = 8;
/// Milliseconds that a packet of ours may have.
const PTIMES_MS: std::ops::RangeInclusive<u8> = 10..=60;

/// A packet as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    /// What the payload is.
    pub(super) payload_type: u8,
    /// Which sample is the first one.
    pub(super) timestamp: u32,
    /// Who speaks.
    pub(super) ssrc: u32,
    /// One octet for each sample.
    pub(super) payload: &'a [u8],
}

/// Takes a packet apart. `None`: it is none, or one of RTCP.
pub(super) fn parse(bytes: &[u8]) -> Option<Packet<'_>> {
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    let payload_type = header[1] & 0x7F;
    // 64 to 95 with the marker are RTCP on the same port (RFC 5761 4).
    if header[0] >> 6 != VERSION || (64..96).contains(&payload_type) {
        return None;
    }
    let mut payload = rest.get(usize::from(header[0] & 0x0F) * 4..)?;
    if header[0] & 0x10 != 0 {
        let words = u16::from_be_bytes([*payload.get(2)?, *payload.get(3)?]);
        payload = payload.get(4 + usize::from(words) * 4..)?;
    }
    if header[0] & 0x20 != 0 {
        let padding = usize::from(*payload.last()?);
        let len = payload.len().checked_sub(padding)?;
        payload = payload.get(..len).filter(|_| padding > 0)?;
    }
    let long = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|byte| header[at + byte]));
    Some(Packet { payload_type, timestamp: long(4), ssrc: long(8), payload })
}

/// Puts what is said into packets.
#[derive(Debug)]
pub(super) struct Sender {
    plan: AudioPlan,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    waiting: Vec<u8>,
    begun: bool,
}

impl Sender {
    /// One that begins anywhere, as it should (RFC 3550 5.1).
    pub(super) fn new(plan: AudioPlan) -> Self {
        let [a, b] = [(); 2].map(|()| RandomState::new().build_hasher().finish());
        let (ssrc, sequence, timestamp) = (a as u32, b as u16, (b >> 32) as u32);
        Self { plan, ssrc, sequence, timestamp, waiting: Vec::new(), begun: false }
    }

    /// Codes in another way from now on, on the same line of time.
    pub(super) fn follow(&mut self, plan: AudioPlan) {
        let (from, to) = (self.plan.law, plan.law);
        for octet in &mut self.waiting {
            *octet = to.encode(from.decode(*octet));
        }
        self.plan = plan;
    }

    /// Takes a block, and gives the packets that are full.
    pub(super) fn send(&mut self, block: &Block, out: &mut Vec<Vec<u8>>) {
        self.waiting.extend(block.iter().map(|sample| self.plan.law.encode(*sample)));
        let ptime = self.plan.ptime_ms.clamp(*PTIMES_MS.start(), *PTIMES_MS.end());
        let full = usize::from(ptime) * PER_MS;
        while self.waiting.len() >= full {
            let mut packet = Vec::with_capacity(HEADER + full);
            // The first packet of a talk spurt is marked (RFC 3551 4.1).
            let marker = if self.begun { 0 } else { 0x80 };
            packet.extend([VERSION << 6, self.plan.payload_type & 0x7F | marker]);
            packet.extend(self.sequence.to_be_bytes());
            packet.extend(self.timestamp.to_be_bytes());
            packet.extend(self.ssrc.to_be_bytes());
            packet.extend(self.waiting.drain(..full));
            self.sequence = self.sequence.wrapping_add(1);
            self.timestamp = self.timestamp.wrapping_add(full as u32);
            self.begun = true;
            out.push(packet);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{line::media::Law, spandsp::SILENCE};

    #[test]
    fn packets_are_as_long_as_agreed_and_follow_each_other() {
        for (ptime_ms, counts) in [(10, [2, 2, 2]), (20, [1, 1, 1]), (30, [0, 1, 1])] {
            let mut sender = Sender::new(AudioPlan { ptime_ms, ..AudioPlan::new(Law::Pcma) });
            let mut expected = None;
            for count in counts {
                let mut out = Vec::new();
                sender.send(&SILENCE, &mut out);
                assert_eq!(out.len(), count, "{ptime_ms}");
                for bytes in out {
                    let packet = parse(&bytes).unwrap();
                    assert_eq!((packet.payload_type, packet.payload[0]), (8, 0xD5));
                    assert_eq!(packet.payload.len(), usize::from(ptime_ms) * 8);
                    assert_eq!(expected.unwrap_or(packet.timestamp), packet.timestamp);
                    expected = Some(packet.timestamp.wrapping_add(u32::from(ptime_ms) * 8));
                }
            }
        }
    }

    #[test]
    fn sources_extensions_and_padding_are_taken_off() {
        let header = |first: u8| {
            let mut bytes = vec![first, 0x80, 0, 1];
            bytes.extend([0, 0, 0, 2, 0, 0, 0, 3]);
            bytes
        };
        for (first, rest, payload) in [
            (0x80, vec![1, 2], Some(vec![1, 2])),
            (0x81, vec![9, 9, 9, 9, 1], Some(vec![1])),
            (0x90, vec![0, 0, 0, 1, 9, 9, 9, 9, 1], Some(vec![1])),
            (0xA0, vec![1, 0, 0, 3], Some(vec![1])),
            (0x90, vec![0, 0, 0xFF, 0xFF, 1], None),
            (0x8F, vec![0; 59], None),
            (0xA0, vec![1, 200], None),
            (0xA0, vec![1, 0], None),
            (0x40, vec![1], None),
        ] {
            let bytes = [header(first), rest].concat();
            let found = parse(&bytes).map(|packet| packet.payload.to_vec());
            assert_eq!(found, payload, "{first:#x}");
        }
        assert!(parse(&[0x80, 200, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]).is_none(), "RTCP");
        assert!(parse(&[0x80; 11]).is_none());
    }
}
