//! The suite that every driver passes, run for the HylaFAX driver: against the
//! laboratory's own stations, and against real HylaFAX servers where they can be
//! started. It asserts nothing itself; the suite does.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{path::Path, time::Duration};

use postfax_domain::{
    document::Resolution,
    number::{Country, Number},
};
use postfax_hw::{
    conformance::{Bench, suite},
    hylafax::{Hylafax, Options as Login},
    lab::{Description, Kind, Lab, Options, ServerDescription, hylafax},
    pages::{
        bitmap::{Bitmap, Size},
        same_pixels, sheet,
        tiff::{CodedPage, FillOrder, write},
    },
};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

const RESOLUTION: Resolution = Resolution::Fine;
const PAGES: u32 = 2;
/// How many steps there are for a driver that can do everything, on a full bench.
const STEPS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_driver_keeps_its_promises_with_stations() {
    let limits = Limits { call_s: 60, suite_s: 150 };
    conforms(Kind::Station, 10.0, limits).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_driver_keeps_its_promises_with_real_hylafax() {
    if !(hylafax::installed() && hylafax::permitted()) {
        eprintln!("SKIPPED, NOT TESTED: the driver with real HylaFAX servers (package, root)");
        return;
    }
    let limits = Limits { call_s: 180, suite_s: 540 };
    conforms(Kind::Hylafax, 10.0, limits).await;
}

/// How long things may take, in seconds.
struct Limits {
    call_s: u64,
    suite_s: u64,
}

/// Modems in software keep the times of a telephone line: one test at a time uses them.
static LINES: Mutex<()> = Mutex::const_new(());

async fn conforms(kind: Kind, speed: f64, limits: Limits) {
    let _alone = LINES.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        lines: 1,
        answering: 1,
        speed,
        // Slow enough for a call to be stopped.
        station_speed: Some(20.0),
        ..Options::new(folder.path().join("lab"), kind)
    };
    let lab = Lab::start(options).await.unwrap();
    let about = lab.description();
    let [sender, receiver] = [0, 1].map(|server| driver(&about.servers[server]));
    let pages = folder.path().join("sent.tif");
    std::fs::write(&pages, document()).unwrap();
    let safe = folder.path().join("safe");
    let bench = Bench {
        folder: folder.path(),
        safe: &safe,
        run: "conformance",
        pages: &pages,
        page_count: PAGES,
        resolution: RESOLUTION,
        good: number(&about.servers[1].numbers[0]),
        busy: Some(behaving(about, "busy")),
        no_answer: Some(behaving(about, "no-answer")),
        receiver: Some(&receiver),
        same_pixels: &|one: &Path, other: &Path| {
            same_pixels(one, other).map_err(|error| error.to_string())
        },
        call_limit: Duration::from_secs(limits.call_s),
    };
    let begun = Instant::now();
    let ended = timeout(Duration::from_secs(limits.suite_s), suite(&sender, &bench)).await;
    let steps =
        ended.expect("the suite ends in time").unwrap_or_else(|failure| panic!("{failure}"));
    eprintln!("{kind:?}: {} steps in {:?}: {steps:#?}", steps.len(), begun.elapsed());
    assert_eq!(steps.len(), STEPS, "a step was left out");
    lab.stop().await;
}

fn driver(server: &ServerDescription) -> Hylafax {
    let login = Login::new(&server.host, server.port, &server.user, &server.password);
    Hylafax::new(Login { admin_password: Some(server.admin_password.clone()), ..login })
}

fn number(text: &str) -> Number {
    Number::parse(text, "DE".parse::<Country>().unwrap()).unwrap()
}

fn behaving(about: &Description, behaviour: &str) -> Number {
    let found = about.numbers.iter().find(|number| number.behaviour == behaviour);
    number(&found.expect("the laboratory has such a number").number)
}

/// Fine A4 pages, each with other bars.
fn document() -> Vec<u8> {
    let size = Size::new(1728, sheet::a4(RESOLUTION)).unwrap();
    let page = |number: u32| {
        let mut page = Bitmap::white(size);
        for y in (100..size.lines() - 100).filter(|y| (y / (7 + number)).is_multiple_of(3)) {
            page.blacken(y, 60 + y % 200 * number, 900 + y % 150);
        }
        CodedPage::mmr(&page, sheet::density(RESOLUTION))
    };
    let pages: Vec<CodedPage> = (1..=PAGES).map(page).collect();
    write(&pages, FillOrder::HighestFirst)
}
