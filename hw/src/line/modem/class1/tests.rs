//! Calls in simulated time: dialogues, modems in software between them and a line, all in
//! one thread, without a port and without waiting.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

use postfax_domain::document::Resolution;

use super::*;
use crate::{
    pages::{
        bitmap::{Bitmap, Size},
        sheet,
        tiff::{CodedPage, FillOrder, read, write},
    },
    spandsp::{Block, FaxTerminal, LineEvent, Request, SILENCE, T31Modem},
    t30::{Coding, Modems, Station},
};

const BLOCK_TIME: Duration = Duration::from_millis(20);
const LINE_DELAY: usize = 4;
/// Longest simulated call.
const MOST_BLOCKS: u32 = 50 * 600;

/// A modem, and the program that drives it.
struct Side {
    modem: T31Modem,
    dialogue: Class1,
    waiting: VecDeque<u8>,
    wrote: bool,
    steps: Vec<Step>,
    ended: Option<Ended>,
}

impl Side {
    fn new(way: Way, session: &Session, now: Instant) -> Self {
        let mut modem = T31Modem::new().unwrap();
        modem.write(b"ATE0V1Q0\r");
        // The one that answers is driven as Class 1.0.
        let class = if session.calling { "1" } else { "1.0" };
        modem.write(format!("AT+FCLASS={class}\r").as_bytes());
        modem.write(b"AT+FAR=1\r");
        let said = String::from_utf8(modem.take_output()).unwrap();
        assert!(!said.contains("ERROR"), "{said}");
        let dialogue = Class1::new(way, session, now).unwrap();
        let (waiting, steps) = Default::default();
        Self { modem, dialogue, waiting, wrote: false, steps, ended: None }
    }

    fn obey(&mut self, outs: Vec<Out>) {
        for out in outs {
            match out {
                Out::Write(bytes) => {
                    self.wrote = true;
                    self.waiting.extend(bytes);
                }
                Out::Step(step) => self.steps.push(step),
                Out::Ended(ended) => self.ended = Some(ended),
            }
        }
    }

    fn run(&mut self, now: Instant) {
        while self.modem.clear_to_send() && !self.waiting.is_empty() {
            let most = self.waiting.len().min(256);
            let piece: Vec<u8> = self.waiting.drain(..most).collect();
            self.modem.write(&piece);
        }
        if self.ended.is_some() {
            return;
        }
        if self.waiting.is_empty() && std::mem::take(&mut self.wrote) {
            let outs = self.dialogue.drained(now);
            self.obey(outs);
        }
        let said = self.modem.take_output();
        if !said.is_empty() {
            let outs = self.dialogue.input(&said, now);
            self.obey(outs);
        }
        if self.ended.is_none() && self.dialogue.deadline().is_some_and(|at| at <= now) {
            let outs = self.dialogue.timeout(now);
            self.obey(outs);
        }
    }
}

/// Who is at the other end.
enum Far {
    Modem(Box<Side>),
    Machine(FaxTerminal),
}

/// A call between a caller's modem and another end; `spoil` may change what is said.
struct Call {
    near: Side,
    far: Far,
    blocks: u32,
    drop_after: Option<u32>,
    dropped: bool,
}

impl Call {
    fn run(&mut self, spoil: &mut dyn FnMut(u32, &mut Block)) {
        let start = Instant::now();
        let (mut there, mut back) = (line(), line());
        let outs = self.near.dialogue.begin(start);
        self.near.obey(outs);
        let mut answered = None;
        while self.near.ended.is_none() || !self.far_is_over() {
            self.blocks += 1;
            assert!(self.blocks < MOST_BLOCKS, "the call does not end");
            let now = start + BLOCK_TIME * self.blocks;
            self.near.run(now);
            for request in self.near.modem.take_requests() {
                if matches!(request, Request::Dial(_)) {
                    self.ring(now);
                }
            }
            if let Far::Modem(far) = &mut self.far {
                far.run(now);
                if far.modem.take_requests().contains(&Request::Answer) {
                    far.modem.happened(LineEvent::Answered);
                    self.near.modem.happened(LineEvent::Connected);
                    answered = Some(self.blocks);
                }
            } else if answered.is_none() && self.blocks > 50 {
                self.near.modem.happened(LineEvent::Connected);
                answered = Some(self.blocks);
            }
            let Some(since) = answered else { continue };
            let drops = self.drop_after.is_some_and(|a| self.blocks - since >= a);
            if self.near.ended.is_some() || drops {
                if !std::mem::replace(&mut self.dropped, true) {
                    self.drop_line();
                }
                if let Far::Machine(machine) = &mut self.far {
                    machine.engine_mut().terminate();
                }
                continue;
            }
            there.push_back(self.near.modem.speak());
            back.push_back(match &mut self.far {
                Far::Modem(far) => far.modem.speak(),
                Far::Machine(machine) => machine.speak(),
            });
            let (mut to, mut from) = (there.pop_front().unwrap(), back.pop_front().unwrap());
            spoil(self.blocks, &mut to);
            spoil(self.blocks, &mut from);
            match &mut self.far {
                Far::Modem(far) => far.modem.hear(to),
                Far::Machine(machine) => machine.hear(to),
            }
            self.near.modem.hear(from);
        }
    }

    fn ring(&mut self, now: Instant) {
        if let Far::Modem(far) = &mut self.far {
            far.modem.happened(LineEvent::Ring);
            let outs = far.dialogue.begin(now);
            far.obey(outs);
        }
    }

    fn drop_line(&mut self) {
        self.near.modem.happened(LineEvent::HungUp);
        if let Far::Modem(far) = &mut self.far {
            far.modem.happened(LineEvent::HungUp);
        }
    }

    fn far_is_over(&self) -> bool {
        match &self.far {
            Far::Modem(far) => far.ended.is_some(),
            Far::Machine(machine) => !machine.engine().is_active(),
        }
    }
}

fn line() -> VecDeque<Block> {
    std::iter::repeat_n(SILENCE, LINE_DELAY).collect()
}

fn page(number: u32) -> Bitmap {
    let mut page = Bitmap::white(Size::new(1728, 300).unwrap());
    for y in 0..300 {
        page.blacken(y, 40 + y, 60 + 2 * y + number);
        page.blacken(y, 1500, 1500 + y % 200 + 1);
    }
    page
}

fn document(folder: &Path, pages: u32) -> PathBuf {
    let density = sheet::density(Resolution::Fine);
    let pages: Vec<_> = (0..pages).map(|n| CodedPage::mmr(&page(n), density)).collect();
    let path = folder.join("sent.tif");
    std::fs::write(&path, write(&pages, FillOrder::HighestFirst)).unwrap();
    path
}

fn assert_arrived(path: &Path, pages: u32) {
    let file = read(path).unwrap();
    assert_eq!(file.pages().len(), pages as usize);
    for at in 0..pages {
        let arrived = file.decode(at as usize).unwrap();
        assert!(arrived.damage.is_none(), "{:?}", arrived.damage);
        assert!(arrived.page == page(at), "other pixels arrived on page {at}");
    }
}

fn station(name: &str, ecm: bool, modems: Modems) -> Station {
    Station { ecm, modems, ..Station::new(name) }
}

fn dial() -> Way {
    Way::Dial("ATDT5551000".into(), Duration::from_secs(60))
}

fn clean(_: u32, _: &mut Block) {}

/// Two dialogues of ours, both over modems in software.
fn between(folder: &Path, ecm: bool, modems: Modems, pages: u32) -> Call {
    let now = Instant::now();
    let sending = Session {
        subaddress: Some("77".into()),
        password: Some("1234".into()),
        ..Session::sending(station("+1 555 1", ecm, modems), document(folder, pages))
    };
    let receiving = Session::receiving(station("+1 555 2", ecm, modems), folder.join("got.tif"));
    let near = Side::new(dial(), &sending, now);
    let far = Side::new(Way::Answer("ATA".into()), &receiving, now);
    Call { near, far: Far::Modem(Box::new(far)), blocks: 0, drop_after: None, dropped: false }
}

#[test]
fn two_of_ours_fax_to_each_other_with_every_modulation() {
    let folder = tempfile::tempdir().unwrap();
    let v27 = Modems { v27ter: true, v29: false, v17: false };
    let v29 = Modems { v29: true, ..v27 };
    for (ecm, modems, rate, coding) in [
        (true, Modems::ALL, 14400, Coding::Mmr),
        (false, Modems::ALL, 14400, Coding::Mr),
        (true, v29, 9600, Coding::Mmr),
        (false, v29, 9600, Coding::Mr),
        (true, v27, 4800, Coding::Mmr),
        (false, v27, 4800, Coding::Mr),
    ] {
        let mut call = between(folder.path(), ecm, modems, 2);
        call.run(&mut clean);
        let sent = call.near.ended.unwrap();
        eprintln!("ecm {ecm} {rate}: {} blocks, {sent:?}", call.blocks);
        assert_eq!((sent.outcome, sent.pages), (Outcome::Delivered, 2), "{rate} {ecm}");
        let statistics = sent.statistics;
        assert_eq!((statistics.bit_rate, statistics.ecm), (rate, ecm));
        assert_eq!(statistics.coding, Some(coding));
        assert_eq!(sent.remote.identity.as_deref(), Some("+1 555 2"));
        let Far::Modem(far) = call.far else { unreachable!() };
        let got = far.ended.unwrap();
        assert_eq!((got.outcome, got.pages), (Outcome::Delivered, 2));
        assert_eq!(got.remote.identity.as_deref(), Some("+1 555 1"));
        assert_eq!(got.remote.subaddress.as_deref(), Some("77"));
        assert_arrived(&folder.path().join("got.tif"), 2);
        let told: Vec<&Step> =
            call.near.steps.iter().filter(|step| !matches!(step, Step::Pages { .. })).collect();
        use Step::{Asked, Connected, Dialling};
        assert_eq!(told, [&Dialling, &Connected, &Asked, &Asked]);
    }
}

/// The line drops in every phase of a call: both ends notice, and nothing is told that was
/// not confirmed.
#[test]
fn a_line_that_drops_ends_the_call_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    for ecm in [true, false] {
        for drop_after in (50..900).step_by(75) {
            let mut call = between(folder.path(), ecm, Modems::ALL, 2);
            call.drop_after = Some(drop_after);
            call.run(&mut clean);
            let Far::Modem(far) = call.far else { unreachable!() };
            let (sent, got) = (call.near.ended.unwrap(), far.ended.unwrap());
            let lasted = call.blocks.saturating_sub(drop_after);
            assert!(lasted < 50 * 90, "{drop_after}: it went on for {lasted} blocks");
            assert!(sent.pages <= got.pages, "{drop_after}: {sent:?} {got:?}");
            let last = call.near.steps.iter().rev().find_map(|step| match step {
                Step::Pages { count, .. } => Some(*count),
                _ => None,
            });
            assert_eq!(last.unwrap_or(0), sent.pages);
            assert_eq!(sent.outcome.is_success(), sent.pages == 2, "{drop_after}: {sent:?}");
        }
    }
}

/// Bursts of noise damage frames: with error correction the pages arrive as they were.
#[test]
fn noise_is_corrected() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = between(folder.path(), true, Modems::ALL, 2);
    let mut state = 3_u32;
    call.run(&mut |at, block| {
        // 40 ms in every two seconds; the commands between the pages are met as well.
        if at % 100 < 2 {
            for sample in block.iter_mut() {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *sample = sample.saturating_add(((state >> 16) as i16) / 8);
            }
        }
    });
    let sent = call.near.ended.unwrap();
    eprintln!("with noise: {} blocks, {sent:?}", call.blocks);
    assert_eq!((sent.outcome, sent.pages), (Outcome::Delivered, 2));
    assert_arrived(&folder.path().join("got.tif"), 2);
}

/// Noise that never ends, and silence, end a call by its own timers.
#[test]
fn a_call_with_nobody_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = between(folder.path(), true, Modems::ALL, 1);
    let answered = 50 * 8;
    call.run(&mut |at, block| {
        if at > answered {
            *block = SILENCE;
        }
    });
    let sent = call.near.ended.unwrap();
    eprintln!("silence: {} blocks, {sent:?}", call.blocks);
    assert!(!sent.outcome.is_success() && sent.pages == 0);
}

/// A machine with audio at the other end: we send to it, and we poll it.
#[test]
fn a_machine_is_sent_to_and_polled() {
    let folder = tempfile::tempdir().unwrap();
    let got = folder.path().join("got.tif");
    let theirs = station("machine", true, Modems::ALL);
    let now = Instant::now();
    let ours = station("ours", true, Modems::ALL);
    let sending = Session::sending(ours.clone(), document(folder.path(), 2));
    let receiving = Session::receiving(theirs.clone(), got.clone());
    let polling = Session { calling: true, ..Session::receiving(ours, got.clone()) };
    let offering =
        Session { calling: false, ..Session::sending(theirs, document(folder.path(), 2)) };
    for (near, far) in [(sending, receiving), (polling, offering)] {
        std::fs::remove_file(&got).ok();
        let far = Far::Machine(FaxTerminal::new(&far).unwrap());
        let near = Side::new(dial(), &near, now);
        let mut call = Call { near, far, blocks: 0, drop_after: None, dropped: false };
        call.run(&mut clean);
        let ended = call.near.ended.unwrap();
        assert_eq!((ended.outcome, ended.pages), (Outcome::Delivered, 2), "{ended:?}");
        assert_eq!(ended.remote.identity.as_deref(), Some("machine"));
        drop(call.far);
        assert_arrived(&got, 2);
    }
}
