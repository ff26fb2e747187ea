//! The jitter buffer: packets that come when they like, heard as one line of time.
//!
//! A modem forgives neither a sample too few nor one too many, so that what is heard
//! keeps to the timestamps: a packet that is lost or late leaves a hole, and the delay is
//! changed in silence only. By that, clocks that drift apart are followed as well.
//!
//! A short hole is filled with the 20 ms before it: they hold whole waves of the carriers of
//! V.21 (1,650 and 1,850 Hz) and V.17 (1,800 Hz) and whole symbols, so that a modem keeps
//! its phase. Measured, twice as many calls survive by that as by spandsp's own `fax_rx_fillin`,
//! which loses the training that it falls into.

use super::{Law, rtp::Packet};
use crate::spandsp::{BLOCK, Block, SILENCE};

/// Samples that are kept: a little more than a second.
const WINDOW: usize = 8192;
/// How long the first packet waits: 60 ms.
const DELAY_BLOCKS: u32 = 3;
/// How long it waits at most.
const MAX_DELAY_BLOCKS: u32 = 15;
/// Over how many blocks it is watched whether everything waits too long: 10 s.
const WATCH_BLOCKS: u32 = 500;
/// How much longer than needed packets may wait.
const SPARE_BLOCKS: u32 = 2;
/// Holes of so many blocks are filled in; longer ones are silence, as the far end may have
/// stopped sending.
const FILL_BLOCKS: u32 = 3;
/// So many points make a new line of time. A packet that comes after its time is worth one,
/// one of another time or speaker four.
const STRAY_POINTS: u8 = 12;
const LATE_POINTS: u8 = 1;
const ALIEN_POINTS: u8 = 4;
/// A mean amplitude below this is silence.
const SILENT: u32 = 40;

/// What came for the time of one block.
struct Heard {
    /// Samples; 0 where there is a hole.
    samples: Block,
    there: [bool; BLOCK],
}

/// The buffer.
pub(super) struct Playout {
    law: Law,
    ring: Box<[i16; WINDOW]>,
    there: Box<[bool; WINDOW]>,
    /// Who speaks; nobody did yet.
    ssrc: Option<u32>,
    /// The timestamp that is heard next.
    next: u32,
    /// The timestamp after the last one that came.
    newest: u32,
    strays: u8,
    hole: u32,
    /// What was heard last.
    last: Block,
    /// Blocks that the buffer has grown by since the beginning.
    grown: u32,
    late: bool,
    watched: u32,
    least_ahead: u32,
}

impl Playout {
    pub(super) fn new(law: Law) -> Self {
        Self {
            law,
            ring: Box::new([0; WINDOW]),
            there: Box::new([false; WINDOW]),
            ssrc: None,
            next: 0,
            newest: 0,
            strays: 0,
            hole: 0,
            last: SILENCE,
            grown: 0,
            late: false,
            watched: 0,
            least_ahead: u32::MAX,
        }
    }

    /// What comes from now on is coded by this law.
    pub(super) fn follow(&mut self, law: Law) {
        self.law = law;
    }

    /// Takes a packet of the law's payload type.
    pub(super) fn take(&mut self, packet: &Packet<'_>) {
        let len = packet.payload.len();
        if len == 0 || len > WINDOW / 2 {
            return;
        }
        // As a difference of two counters that wrap.
        let ahead = packet.timestamp.wrapping_sub(self.next) as i32;
        let points = if self.ssrc != Some(packet.ssrc) {
            if self.ssrc.is_none() { STRAY_POINTS } else { ALIEN_POINTS }
        } else if ahead < -(WINDOW as i32) || ahead > (WINDOW - len) as i32 {
            ALIEN_POINTS
        } else if ahead < 0 {
            self.late = true;
            LATE_POINTS
        } else {
            0
        };
        self.strays = if points == 0 { 0 } else { self.strays.saturating_add(points) };
        if self.strays >= STRAY_POINTS {
            self.begin(packet);
        } else if points > LATE_POINTS {
            return;
        }
        self.keep(packet);
    }

    /// Begins a line of time with this packet.
    fn begin(&mut self, packet: &Packet<'_>) {
        let packet_blocks = packet.payload.len().div_ceil(BLOCK) as u32;
        let delay = DELAY_BLOCKS.max(packet_blocks + 2) + self.grown;
        self.there.fill(false);
        self.ssrc = Some(packet.ssrc);
        self.next = packet.timestamp.wrapping_sub(delay * BLOCK as u32);
        self.newest = packet.timestamp;
        self.strays = 0;
        // What was before is silence, not a hole.
        (self.hole, self.last) = (FILL_BLOCKS, SILENCE);
        (self.watched, self.least_ahead) = (0, u32::MAX);
    }

    fn keep(&mut self, packet: &Packet<'_>) {
        for (at, octet) in packet.payload.iter().enumerate() {
            let timestamp = packet.timestamp.wrapping_add(at as u32);
            let ahead = timestamp.wrapping_sub(self.next) as i32;
            if (0..WINDOW as i32).contains(&ahead) {
                let slot = timestamp as usize % WINDOW;
                self.ring[slot] = self.law.decode(*octet);
                self.there[slot] = true;
            }
        }
        let end = packet.timestamp.wrapping_add(packet.payload.len() as u32);
        if end.wrapping_sub(self.newest) as i32 > 0 {
            self.newest = end;
        }
    }

    /// What is heard next, and its time passes.
    pub(super) fn play(&mut self) -> Block {
        if self.ssrc.is_none() {
            return SILENCE;
        }
        let mut heard = self.peek();
        if self.adjust(&heard) {
            heard = self.peek();
        }
        self.advance();
        let missing = !heard.there.contains(&true);
        self.hole = if missing { self.hole.saturating_add(1) } else { 0 };
        if self.hole > FILL_BLOCKS {
            return SILENCE;
        }
        for at in 0..BLOCK {
            if heard.there[at] {
                self.last[at] = heard.samples[at];
            }
        }
        self.last
    }

    fn peek(&self) -> Heard {
        let mut heard = Heard { samples: SILENCE, there: [false; BLOCK] };
        for at in 0..BLOCK {
            let slot = self.next.wrapping_add(at as u32) as usize % WINDOW;
            heard.there[at] = self.there[slot];
            if heard.there[at] {
                heard.samples[at] = self.ring[slot];
            }
        }
        heard
    }

    fn advance(&mut self) {
        for at in 0..BLOCK {
            self.there[self.next.wrapping_add(at as u32) as usize % WINDOW] = false;
        }
        self.next = self.next.wrapping_add(BLOCK as u32);
    }

    /// Changes the delay where that does no harm. True: a block was left out.
    fn adjust(&mut self, heard: &Heard) -> bool {
        let ahead = (self.newest.wrapping_sub(self.next) as i32).max(0) as u32;
        self.least_ahead = self.least_ahead.min(ahead);
        self.watched += 1;
        if !is_silent(heard) {
            return false;
        }
        if self.late && self.grown + DELAY_BLOCKS < MAX_DELAY_BLOCKS {
            // The same silence is heard once more.
            self.next = self.next.wrapping_sub(BLOCK as u32);
            self.grown += 1;
            self.late = false;
            (self.watched, self.least_ahead) = (0, u32::MAX);
        } else if self.watched >= WATCH_BLOCKS {
            let spare = self.least_ahead / BLOCK as u32;
            (self.watched, self.least_ahead) = (0, u32::MAX);
            if spare > DELAY_BLOCKS + SPARE_BLOCKS {
                self.grown = self.grown.saturating_sub(1);
                self.advance();
                return true;
            }
        }
        false
    }
}

/// Whether a block came whole and holds no signal.
fn is_silent(heard: &Heard) -> bool {
    let loudness: u32 = heard.samples.iter().map(|sample| u32::from(sample.unsigned_abs())).sum();
    !heard.there.contains(&false) && loudness / (BLOCK as u32) < SILENT
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOUD: u8 = 0xAA;
    const QUIET: u8 = 0xD5;

    fn packet(timestamp: u32, ssrc: u32, payload: &[u8]) -> Packet<'_> {
        Packet { payload_type: 8, timestamp, ssrc, payload }
    }

    /// What is heard, a letter for each block: loud or silent.
    fn hear(playout: &mut Playout, blocks: usize) -> String {
        let letter = |heard: Block| if heard[BLOCK - 1] > 1000 { 'L' } else { 's' };
        (0..blocks).map(|_| letter(playout.play())).collect()
    }

    #[test]
    fn packets_are_heard_in_their_order_and_holes_are_filled() {
        let begin = u32::MAX - 500;
        let at = |block: u32| begin.wrapping_add(block * 160);
        for (order, heard) in [
            (vec![0, 1, 2, 3], "sssLLLLLLLss"),
            (vec![0, 2, 1, 3], "sssLLLLLLLss"),
            (vec![0, 0, 1, 3, 3], "sssLLLLLLLss"),
            // A long hole is silence.
            (vec![0, 1], "sssLLLLLssss"),
            (vec![0, 6], "sssLLLLssLLL"),
        ] {
            let mut playout = Playout::new(Law::Pcma);
            assert_eq!(hear(&mut playout, 2), "ss");
            for block in &order {
                playout.take(&packet(at(*block), 1, &[LOUD; 160]));
            }
            assert_eq!(hear(&mut playout, 12), heard, "{order:?}");
        }
    }

    #[test]
    fn packets_of_any_length_make_one_line() {
        let mut playout = Playout::new(Law::Pcma);
        playout.take(&packet(1000, 1, &[LOUD; 240]));
        playout.take(&packet(1240, 1, &[LOUD; 240]));
        playout.take(&packet(1800, 1, &[LOUD; 80]));
        assert_eq!(hear(&mut playout, 14), "ssssLLLLLLLLLs");
    }

    #[test]
    fn another_speaker_needs_more_than_one_packet() {
        let mut playout = Playout::new(Law::Pcma);
        playout.take(&packet(0, 1, &[LOUD; 160]));
        for (number, ssrc) in [(0, 2), (1, 2)] {
            playout.take(&packet(90_000 + number * 160, ssrc, &[QUIET; 160]));
        }
        playout.take(&packet(160, 1, &[LOUD; 160]));
        assert_eq!(hear(&mut playout, 9), "sssLLLLLs");
        for number in 0..3 {
            playout.take(&packet(90_000 + number * 160, 2, &[LOUD; 160]));
        }
        assert_eq!(hear(&mut playout, 4), "sssL");
    }

    #[test]
    fn the_delay_grows_and_shrinks_in_silence_alone() {
        let mut playout = Playout::new(Law::Pcma);
        let mut sent = 0;
        let mut send = |playout: &mut Playout, octet| {
            playout.take(&packet(sent * 160, 1, &[octet; 160]));
            sent += 1;
        };
        send(&mut playout, LOUD);
        // Everything comes 80 ms later from now on, in a signal first.
        assert_eq!(hear(&mut playout, 8), "sssLLLLs");
        for _ in 0..8 {
            send(&mut playout, LOUD);
            assert_eq!(hear(&mut playout, 1), "s");
        }
        assert_eq!(playout.grown, 0);
        // It lasts: the line begins anew.
        for _ in 0..4 {
            send(&mut playout, LOUD);
        }
        assert_eq!(hear(&mut playout, 4), "sssL");
        // Some packets of a pause are late.
        for _ in 0..20 {
            assert_eq!(hear(&mut playout, 1).len(), 1);
            send(&mut playout, QUIET);
            send(&mut playout, QUIET);
            playout.play();
        }
        assert!(playout.grown > 0);
        // A far end that is faster is caught up with.
        for octet in [QUIET; 40] {
            send(&mut playout, octet);
        }
        let ahead = |playout: &Playout| playout.newest.wrapping_sub(playout.next) / 160;
        let before = ahead(&playout);
        for _ in 0..3000 {
            send(&mut playout, QUIET);
            playout.play();
        }
        assert!(ahead(&playout) < before, "{before} {}", ahead(&playout));
    }
}
