//! What hostile packets do: nothing that lasts.

use std::time::Instant;

use super::*;

/// Numbers that look random, the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ self.0 >> 33).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        mixed ^ mixed >> 33
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// Damages a packet a little.
fn mutate(packet: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        if packet.is_empty() {
            return;
        }
        let at = random.below(packet.len());
        match random.below(5) {
            0 => packet[at] ^= 1 << random.below(8),
            1 => packet[at] = [0, 0xFF, 0x7F, 0x80][random.below(4)],
            2 => packet.truncate(at),
            3 => packet.insert(at, random.next() as u8),
            _ => drop(packet.remove(at)),
        }
    }
}

#[test]
fn random_and_damaged_packets_crash_nothing() {
    let mut random = Random(7);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1500) {
        let mut input = vec![random.next() as u8];
        for _ in 0..40 {
            let len = random.below(60);
            input.push(len as u8);
            // Mostly the beginning of data, V.21 or a page, and of a field.
            let mut packet = random.bytes(len);
            if len > 4 && random.below(3) > 0 {
                packet[0] = 0xC0 | (random.next() as u8 & 0x1E);
                packet[1] = 1 + random.below(3) as u8;
                packet[2] |= 0x80;
                packet[3..5].copy_from_slice(&[0, random.below(len) as u8]);
            }
            input.extend(packet);
        }
        fuzz_one(&input);
    }
}

/// A call in which every tenth packet is damaged, and some are of nobody's.
fn damaged(desk: &Desk, kind: Kind, seed: u64) -> Duration {
    let mut call = Call::new(desk, kind, seed.is_multiple_of(2), Impairment::NONE, seed);
    let mut random = Random(seed);
    let mut now = Duration::ZERO;
    while call.talks.iter().any(|talk| !talk.is_over()) {
        for at in 0..2 {
            while let Some(mut packet) = call.hops[1 - at].receive(now) {
                if random.below(10) == 0 {
                    mutate(&mut packet, &mut random);
                }
                call.talks[at].take(&packet, now);
            }
            if random.below(20) == 0 {
                let len = random.below(200);
                call.talks[at].take(&random.bytes(len), now);
            }
            let mut out = Vec::new();
            call.talks[at].tick(now, &mut out);
            out.iter().for_each(|packet| call.hops[at].send(packet, now));
        }
        now += TICK;
    }
    now
}

#[test]
fn a_call_with_damaged_packets_ends_within_its_limit() {
    let desk = Desk::new(1, 100);
    for seed in 0..6 {
        for kind in [audio(), t38()] {
            let lasted = damaged(&desk, kind, seed);
            assert!(lasted <= LIMIT + Duration::from_secs(1), "{kind:?} {lasted:?}");
        }
    }
}

#[test]
fn noise_and_silence_end_within_their_limits() {
    let desk = Desk::new(1, 100);
    let mut random = Random(3);
    for (kind, noisy) in [(audio(), true), (audio(), false), (t38(), false)] {
        let [session, _] = desk.sessions(true);
        let mut talk = Talk::new(session, kind, LIMIT, Duration::ZERO).unwrap();
        let mut rtp = super::super::rtp::Sender::new(AudioPlan::new(Law::Pcma));
        let (mut now, mut told) = (Duration::ZERO, Vec::new());
        while !talk.is_over() {
            if noisy {
                let block = std::array::from_fn(|_| (random.next() as i16) / 4);
                let mut out = Vec::new();
                rtp.send(&block, &mut out);
                out.iter().for_each(|packet| assert!(talk.take(packet, now)));
            }
            talk.tick(now, &mut Vec::new());
            told.extend(talk.take_happenings());
            now += TICK;
        }
        assert!(now < Duration::from_secs(100), "{kind:?} {noisy} {now:?}");
        let Some(Happening::Ended(ended)) = told.last() else { panic!("{told:?}") };
        let quiet = told.iter().filter(|happening| **happening == Happening::Quiet).count();
        assert_eq!(quiet, usize::from(!noisy), "{kind:?} {told:?}");
        assert_eq!((ended.outcome, ended.pages), (Outcome::NoFaxMachine, 0), "{ended:?}");
    }
}
