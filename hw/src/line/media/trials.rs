//! Whole calls in simulated time, and some in real time: what arrives over which media
//! with which accidents, and what it costs. The long ones print the tables of
//! `docs/lines-measured.md`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bridge;
mod hostile;
mod real;
mod table;

use std::{path::PathBuf, time::Duration};

use postfax_domain::outcome::Outcome;
use tempfile::TempDir;

use super::{
    impaired::{Hop, Impairment},
    talk::{TICK, Talk},
    *,
};
use crate::{
    line::{Ended, Step},
    pages::{
        self,
        bitmap::{Bitmap, Size},
        tiff::{self, CodedPage, Density, FillOrder},
    },
    t30::{Session, Station},
};

/// The longest that a call may take here.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// A folder with a document in it.
struct Desk {
    folder: TempDir,
    sent: PathBuf,
}

impl Desk {
    /// `lines` lines of text-like dots on each page.
    fn new(pages: u32, lines: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sent = folder.path().join("sent.tif");
        let pages: Vec<CodedPage> = (1..=pages).map(|seed| page(lines, seed.into())).collect();
        std::fs::write(&sent, tiff::write(&pages, FillOrder::HighestFirst)).unwrap();
        Self { folder, sent }
    }

    fn received(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The two sessions of a call.
    fn sessions(&self, ecm: bool) -> [Session; 2] {
        let station = |name| Station { ecm, ..Station::new(name) };
        [
            Session::sending(station("CALLER"), self.sent.clone()),
            Session::receiving(station("CALLED"), self.received("received.tif")),
        ]
    }
}

/// Rows of short strokes, as text has them.
fn page(lines: u32, seed: u64) -> CodedPage {
    let mut bitmap = Bitmap::white(Size::new(1728, lines).unwrap());
    let mut random = seed;
    for y in (0..lines).filter(|y| y % 30 < 12) {
        let mut x = 160;
        while x < 1500 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let stroke = 2 + (random >> 60) as u32;
            bitmap.blacken(y, x, x + stroke);
            x += stroke + 6 + (random >> 56 & 0x1F) as u32;
        }
    }
    CodedPage::mmr(&bitmap, Density { x: 204.0, y: 196.0 })
}

/// What became of a call.
#[derive(Debug)]
struct Report {
    ended: [Ended; 2],
    told: [Vec<Happening>; 2],
    equal: bool,
    lasted: Duration,
}

impl Report {
    fn both(&self, outcome: Outcome) -> bool {
        self.ended.iter().all(|ended| ended.outcome == outcome)
    }
}

/// One call between two of ours, in simulated time. The called one begins when it answers,
/// and the second clock is `drift` parts in a million faster.
struct Call {
    talks: [Talk; 2],
    hops: [Hop; 2],
    drift: f64,
}

impl Call {
    fn new(desk: &Desk, kind: Kind, ecm: bool, impairment: Impairment, seed: u64) -> Self {
        let talks = desk
            .sessions(ecm)
            .map(|session| Talk::new(session, kind, LIMIT, Duration::ZERO).unwrap());
        let hops = [seed, !seed].map(|seed| Hop::new(impairment, seed));
        Self { talks, hops, drift: 0.0 }
    }

    fn run(mut self, desk: &Desk) -> Report {
        let mut told = [Vec::new(), Vec::new()];
        let mut next = [Duration::ZERO, Duration::from_millis(7)];
        let pace = [TICK, TICK.mul_f64(1.0 - self.drift / 1e6)];
        while self.talks.iter().any(|talk| !talk.is_over()) {
            let at = usize::from(next[1] < next[0]);
            let now = next[at];
            step(&mut self.talks[at], &mut self.hops, at, now);
            told[at].extend(self.talks[at].take_happenings());
            next[at] += pace[at];
        }
        report(desk, told, next[0])
    }
}

/// One side's 20 ms: it hears, and says.
fn step(talk: &mut Talk, hops: &mut [Hop; 2], at: usize, now: Duration) {
    while let Some(packet) = hops[1 - at].receive(now) {
        talk.take(&packet, now);
    }
    let mut out = Vec::new();
    talk.tick(now, &mut out);
    for packet in out {
        hops[at].send(&packet, now);
    }
}

fn report(desk: &Desk, told: [Vec<Happening>; 2], lasted: Duration) -> Report {
    let ended = told.each_ref().map(|told| match told.last() {
        Some(Happening::Ended(ended)) => ended.clone(),
        other => panic!("not over: {other:?}"),
    });
    let equal = pages::same_pixels(&desk.sent, &desk.received("received.tif")).unwrap_or(false);
    Report { ended, told, equal, lasted }
}

fn audio() -> Kind {
    Kind::Audio(AudioPlan::new(Law::Pcma))
}

fn t38() -> Kind {
    Kind::T38(T38Plan::default())
}

/// What a call tells of its pages.
fn steps(told: &[Happening]) -> Vec<(bool, u32)> {
    let step = |happening: &Happening| match happening {
        Happening::Step(Step::Asked) => Some((true, 0)),
        Happening::Step(Step::Pages { count, .. }) => Some((false, *count)),
        _ => None,
    };
    told.iter().filter_map(step).collect()
}

#[test]
fn pages_arrive_over_every_kind_of_media() {
    let desk = Desk::new(2, 300);
    let slow = T38Plan { max_bit_rate: 9600, version: 3, ..T38Plan::default() };
    let mu = AudioPlan { ptime_ms: 30, ..AudioPlan::new(Law::Pcmu) };
    for (kind, ecm, bit_rate) in [
        (audio(), true, 14_400),
        (Kind::Audio(mu), false, 14_400),
        (t38(), true, 14_400),
        (t38(), false, 14_400),
        (Kind::T38(slow), true, 9_600),
    ] {
        let report = Call::new(&desk, kind, ecm, Impairment::NONE, 1).run(&desk);
        assert!(report.both(Outcome::Delivered), "{kind:?} {report:?}");
        assert!(report.equal, "{kind:?}");
        let [sent, received] = &report.ended;
        assert_eq!((sent.pages, received.pages), (2, 2));
        assert_eq!((sent.statistics.bit_rate, sent.statistics.ecm), (bit_rate, ecm));
        assert_eq!(sent.remote.identity.as_deref(), Some("CALLED"));
        assert_eq!(received.remote.identity.as_deref(), Some("CALLER"));
        assert_eq!(steps(&report.told[0]), [(true, 0), (false, 1), (true, 0), (false, 2)]);
        assert_eq!(steps(&report.told[1]), [(false, 1), (false, 2)]);
        let tones = |told: &[Happening]| {
            told.iter().filter(|happening| **happening == Happening::FaxTone).count()
        };
        let expected = if matches!(kind, Kind::Audio(_)) { 1 } else { 0 };
        assert_eq!(report.told.each_ref().map(|told| tones(told)), [expected; 2]);
    }
}

#[test]
fn clocks_that_drift_apart_are_followed() {
    // Quartzes differ by a tenth of this.
    for drift in [1000.0, -1000.0] {
        let desk = Desk::new(3, 700);
        let mut call = Call::new(&desk, audio(), false, Impairment::NONE, 1);
        call.drift = drift;
        let report = call.run(&desk);
        assert!(report.both(Outcome::Delivered), "{drift} {report:?}");
        assert!(report.equal, "{drift} {:?}", report.ended);
    }
}
