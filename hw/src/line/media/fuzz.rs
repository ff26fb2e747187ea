//! Hostile packets, for a fuzzer and for the tests: the first octet says at whom they
//! are thrown, and the rest is cut into packets.

use std::time::Duration;

use super::{
    AudioPlan, Kind, Law, T38Plan,
    bridge::Bridge,
    talk::{TICK, Talk},
    udptl,
};
use crate::{
    spandsp::SILENCE,
    t30::{Session, Station},
};

/// Most packets of one input.
const MAX_PACKETS: usize = 200;

/// Throws packets at a session or a gateway. It must come back.
pub fn fuzz_one(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    let packets = packets(rest);
    // T.38 datagrams as they are, or good ones about bad packets.
    let dress: fn(u16, &[u8]) -> Vec<u8> =
        if mode & 1 == 0 { |_, packet| packet.to_vec() } else { datagram };
    match mode >> 1 & 3 {
        0 => talk(Kind::Audio(AudioPlan::new(Law::Pcma)), mode, &packets, rtp),
        1 => talk(
            Kind::T38(T38Plan { version: mode >> 4 & 3, ..T38Plan::default() }),
            mode,
            &packets,
            dress,
        ),
        _ => gateway(&packets, dress),
    }
}

/// Each packet is behind its length.
fn packets(mut data: &[u8]) -> Vec<&[u8]> {
    let mut packets = Vec::new();
    while let Some((len, rest)) = data.split_first() {
        if packets.len() == MAX_PACKETS {
            break;
        }
        let (packet, later) = rest.split_at(usize::from(*len).min(rest.len()));
        packets.push(packet);
        data = later;
    }
    packets
}

fn datagram(sequence: u16, packet: &[u8]) -> Vec<u8> {
    let mut datagram = udptl::Sender::new(1, 1400).wrap(packet);
    datagram[..2].copy_from_slice(&sequence.to_be_bytes());
    datagram
}

/// RTP whose first octets mostly are right.
fn rtp(sequence: u16, packet: &[u8]) -> Vec<u8> {
    let mut bytes = packet.to_vec();
    if !sequence.is_multiple_of(4) && bytes.len() > 12 {
        let timestamp = u32::from(sequence) * 160;
        bytes[..2].copy_from_slice(&[0x80, 8]);
        bytes[4..8].copy_from_slice(&timestamp.to_be_bytes());
        bytes[8..12].fill(1);
    }
    bytes
}

fn talk(kind: Kind, mode: &u8, packets: &[&[u8]], dress: fn(u16, &[u8]) -> Vec<u8>) {
    let file = std::env::temp_dir().join(format!("postfax-fuzz-{}.tif", std::process::id()));
    let mut session = Session::receiving(Station::new("FUZZ"), file);
    session.calling = mode & 8 != 0;
    let Ok(mut talk) = Talk::new(session, kind, Duration::from_secs(60), Duration::ZERO) else {
        return;
    };
    let mut now = Duration::ZERO;
    for (sequence, packet) in (0..).zip(packets) {
        talk.take(&dress(sequence, packet), now);
        talk.tick(now, &mut Vec::new());
        now += TICK;
    }
    talk.stop(now);
}

fn gateway(packets: &[&[u8]], dress: fn(u16, &[u8]) -> Vec<u8>) {
    let Ok(mut bridge) = Bridge::new(&T38Plan::default(), true) else { return };
    let mut now = Duration::ZERO;
    for (sequence, packet) in (0..).zip(packets) {
        bridge.take(&dress(sequence, packet), now);
        let mut out = Vec::new();
        bridge.speak(now, &mut out);
        bridge.hear(SILENCE, &mut out);
        now += TICK;
    }
}
