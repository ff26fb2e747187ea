//! Calls with real players: pages over G.711 and over T.38, in real time.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use postfax_domain::outcome::Outcome;
use tokio::sync::watch;

use super::{super::*, stage::*};
use crate::{
    line::{Ended, Step},
    pages::{
        bitmap::{Bitmap, Size},
        same_pixels,
        tiff::{self, CodedPage, Density, FillOrder},
    },
    t30::{Session, Station},
};

/// A page of so many lines with a few strokes.
pub(super) fn document(folder: &Path, pages: u32, lines: u32) -> PathBuf {
    let page = |seed: u32| {
        let mut bitmap = Bitmap::white(Size::new(1728, lines).unwrap());
        for y in (0..lines).filter(|y| y % 20 < 8) {
            for x in (160..1500).step_by(37) {
                bitmap.blacken(y, x, x + 3 + (x * (y + seed)) % 11);
            }
        }
        CodedPage::mmr(&bitmap, Density { x: 204.0, y: 196.0 })
    };
    let pages: Vec<CodedPage> = (1..=pages).map(page).collect();
    let file = folder.join("sent.tif");
    std::fs::write(&file, tiff::write(&pages, FillOrder::HighestFirst)).unwrap();
    file
}

async fn stage(options: TrunkOptions, desk: TestDesk) -> Stage {
    Stage::run(Trunk::new(options).unwrap(), Arc::default(), desk).await
}

/// One call of one page. Returns what both sides say.
async fn call(a: TrunkOptions, b: TrunkOptions) -> (Ended, Ended, Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let sent = document(folder.path(), 1, 120);
    let a = stage(a, desk()).await;
    let b = stage(b, TestDesk { folder: Some(folder.path().to_owned()), ..desk() }).await;
    let began = Instant::now();
    let session = Session::sending(Station::new("100"), sent.clone());
    let (ended, steps) = a.send("+44200200", session, watch::channel(false).1).await;
    let received = b.received(1).await.remove(0);
    eprintln!("{:?} {} / {} after {:?}", ended.outcome, ended.said, received.said, began.elapsed());
    assert!(same_pixels(&sent, &folder.path().join("received-1.tif")).unwrap());
    a.end().await;
    b.end().await;
    (ended, received, steps)
}

fn good((ended, received, steps): (Ended, Ended, Vec<Step>), carrier: &str) {
    assert_eq!((ended.outcome, ended.pages), (Outcome::Delivered, 1), "{}", ended.said);
    assert_eq!((received.outcome, received.pages), (Outcome::Delivered, 1), "{}", received.said);
    assert!(ended.said.ends_with(carrier) && received.said.ends_with(carrier), "{}", ended.said);
    assert_eq!(ended.statistics.bit_rate, 14_400);
    let begin = [Step::Dialling, Step::Ringing, Step::Connected, Step::Asked];
    assert_eq!(steps[..4], begin);
    assert!(matches!(steps[4..], [Step::Pages { count: 1, .. }]), "{steps:?}");
    assert!(ended.duration > Duration::from_secs(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_pass_over_t38_and_over_g711() {
    let (t38_a, t38_b) = pair();
    let (mut late_a, mut late_b) = pair();
    (late_a.offer_t38_after_ms, late_b.t38) = (Some(300), T38Use::Take);
    let (audio_a, mut audio_b) = pair();
    audio_b.t38 = T38Use::Never;
    audio_b.law = Law::Pcmu;
    let (t38, late, audio) =
        tokio::join!(call(t38_a, t38_b), call(late_a, late_b), call(audio_a, audio_b));
    good(t38, "over T.38");
    good(late, "over T.38");
    good(audio, "over G.711");
}

/// The most memory that was seen, in KiB.
static MOST: AtomicU64 = AtomicU64::new(0);

/// Processor time of this process so far, and its memory now in KiB.
fn used() -> (Duration, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let rest = stat.rsplit(')').next().unwrap();
    let ticks: u64 =
        rest.split_ascii_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let memory = memory.trim().trim_end_matches(" kB").parse().unwrap();
    (Duration::from_millis(ticks * 10), memory)
}

/// So many calls at once between two trunks. Returns how many were delivered.
async fn many(a: TrunkOptions, b: TrunkOptions, calls: u32, sent: &Path, folder: &Path) -> usize {
    let a = Arc::new(stage(TrunkOptions { channels: 100, ..a }, desk()).await);
    let to = TestDesk { folder: Some(folder.to_owned()), ..desk() };
    let b = stage(TrunkOptions { channels: 100, ..b }, to).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..calls {
        let (a, sent) = (Arc::clone(&a), sent.to_owned());
        tasks.spawn(async move {
            let session = Session::sending(Station::new("100"), sent);
            a.send("+44200200", session, watch::channel(false).1).await.0
        });
    }
    let mut delivered = 0;
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.unwrap();
        match ended.outcome {
            Outcome::Delivered => delivered += 1,
            _ => eprintln!("{:?}: {}", ended.outcome, ended.said),
        }
    }
    let received = b.received(calls as usize).await;
    let complete = received.iter().filter(|ended| ended.outcome == Outcome::Delivered).count();
    for at in 1..=calls {
        let file = folder.join(format!("received-{at}.tif"));
        assert!(same_pixels(sent, &file).unwrap_or(false), "{at}");
    }
    assert_eq!(complete, delivered);
    delivered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures: cargo test --workspace --lib sixty_calls -- --ignored --nocapture"]
async fn sixty_calls_at_once() {
    let kinds = [("T.38", T38Use::Offer), ("G.711", T38Use::Never)];
    for (kind, t38) in kinds {
        let folder = tempfile::tempdir().unwrap();
        let sent = document(folder.path(), 1, 1_100);
        let (mut a, mut b) = pair();
        (a.t38, b.t38) = (t38, t38);
        let (before, began) = (used(), Instant::now());
        let watching = tokio::spawn(async move {
            let mut most = 0;
            loop {
                most = most.max(used().1);
                MOST.store(most, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        let delivered = many(a, b, 60, &sent, folder.path()).await;
        watching.abort();
        let (cpu, wall) = (used().0 - before.0, began.elapsed());
        let most = MOST.load(Ordering::Relaxed);
        eprintln!(
            "{kind}: {delivered} of 60 delivered in {wall:?}; {cpu:?} of processor, {:.1} ms a second \
             and end of a call; {} KiB more memory, {} KiB an end",
            cpu.as_secs_f64() * 1_000.0 / wall.as_secs_f64() / 120.0,
            most - before.1,
            (most - before.1) / 120,
        );
        assert_eq!(delivered, 60);
    }
}
