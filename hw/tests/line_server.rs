//! The line server as the supervisor meets it: the suite that every driver passes, with
//! fax machines of the exchange as its lines; and a process of its own that is killed at
//! each of its crash points, and must tell the truth when it is back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use postfax_domain::{
    document::{Paper, Resolution},
    number::{Country, Number},
    outcome::Outcome,
    settings::{Settings, Value},
};
use postfax_hw::{
    conformance::{Bench, suite},
    driver::{Call, Driver, Ticket},
    exchange::{Behaviour, Exchange, Extension, FaxClass, Options as ExchangeOptions},
    line::{
        Desk, Ended, Line, LineSettings, LineState, Order, Ring, Step,
        modem::{ModemLine, ModemOptions},
        server::{Limits as SpoolLimits, LineServer, Options},
    },
    pages::{
        bitmap::{Bitmap, Size},
        same_pixels, sheet,
        tiff::{CodedPage, FillOrder, write},
    },
    t30::{Remote, Statistics},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout},
};

const RESOLUTION: Resolution = Resolution::Fine;
/// How many steps it has for a driver that can do everything, on a full bench.
const STEPS: usize = 12;

/// Whatever the disk of the machine has left, and without a header line.
fn options(spool: &Path, settings: &[(&str, Value)]) -> Options {
    let limits = SpoolLimits { free_bytes: 0, ..SpoolLimits::default() };
    let pairs = settings.iter().map(|(name, value)| (name.parse().unwrap(), value.clone()));
    Options { limits, configured: Settings(pairs.collect()), ..Options::new(spool) }
}

/// Short pages, each with other bars.
fn document(pages: u32, lines: u32) -> Vec<u8> {
    let size = Size::new(1728, lines).unwrap();
    let page = |number: u32| {
        let mut page = Bitmap::white(size);
        for y in (10..lines - 10).filter(|y| (y / (7 + number)).is_multiple_of(3)) {
            page.blacken(y, 60 + y % 200 * number, 900 + y % 150);
        }
        CodedPage::mmr(&page, sheet::density(RESOLUTION))
    };
    write(&(1..=pages).map(page).collect::<Vec<_>>(), FillOrder::HighestFirst)
}

fn number(text: &str) -> Number {
    Number::parse(text, "DE".parse::<Country>().unwrap()).unwrap()
}

// ---- the suite --------------------------------------------------------------------------

/// The numbers of the sender, the receiver, and of two that take no fax.
const NUMBERS: [&str; 4] = ["+493010010001", "+493010010002", "+493010010003", "+493010010004"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_server_keeps_its_promises_with_machines_as_lines() {
    // Slow enough for a call to be stopped.
    let limits = Limits { speed: 20.0, call: Duration::from_secs(60) };
    let machine = |exchange: &Exchange, _: &Path, own: &str| -> Arc<dyn Line> {
        Extension::new("line", 1, exchange.machine(own, 1, own).unwrap())
    };
    conforms(limits, &machine).await;
}

#[ignore = "minutes of real time; cargo test --workspace --test line_server -- --ignored"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_server_keeps_its_promises_with_modems_of_class_1() {
    conforms(REAL, &modem(FaxClass::One)).await;
}

#[ignore = "minutes of real time; cargo test --workspace --test line_server -- --ignored"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_server_keeps_its_promises_with_modems_of_class_2_0() {
    conforms(REAL, &modem(FaxClass::TwoZero)).await;
}

/// How fast machines speak to each other, and how long a call may take.
struct Limits {
    speed: f64,
    call: Duration,
}

/// In real time.
const REAL: Limits = Limits { speed: 1.0, call: Duration::from_secs(180) };

/// A modem of the exchange, driven by our own line.
fn modem(class: FaxClass) -> impl Fn(&Exchange, &Path, &str) -> Arc<dyn Line> {
    move |exchange, folder, own| {
        let device = exchange.modem_of(class, own, None).unwrap();
        let options = ModemOptions::new("line", &device);
        ModemLine::new(ModemOptions { lock_folder: folder.to_owned(), ..options })
    }
}

/// Makes a line of an exchange, with a folder for what it needs and its number.
type MakeLine<'a> = &'a dyn Fn(&Exchange, &Path, &str) -> Arc<dyn Line>;

async fn conforms(limits: Limits, make: MakeLine<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("exchange");
    let exchange = Exchange::start(ExchangeOptions {
        machine_speed: Some(limits.speed),
        ..ExchangeOptions::new(&state)
    })
    .unwrap();
    exchange.number(NUMBERS[2], Behaviour::Busy).unwrap();
    exchange.number(NUMBERS[3], Behaviour::NoAnswer).unwrap();
    let (stop, _) = watch::channel(false);
    let mut running = vec![];
    let mut servers = vec![];
    for (name, own) in [("sender", NUMBERS[0]), ("receiver", NUMBERS[1])] {
        let line = make(&exchange, folder.path(), own);
        let mut changes = line.changes();
        let plain = [("line.line.header_line", Value::Flag(false))];
        let spool = folder.path().join(name);
        let server = LineServer::new(options(&spool, &plain), vec![line.clone()]).unwrap();
        running.push(tokio::spawn(server.clone().run(stop.subscribe())));
        while line.state() != LineState::Ready(0) {
            timeout(Duration::from_secs(20), changes.changed()).await.unwrap().unwrap();
        }
        servers.push(server);
    }
    let pages = folder.path().join("sent.tif");
    fs::write(&pages, document(2, 1100)).unwrap();
    let bench = Bench {
        folder: folder.path(),
        safe: &folder.path().join("safe"),
        run: "conformance",
        pages: &pages,
        page_count: 2,
        resolution: RESOLUTION,
        good: number(NUMBERS[1]),
        busy: Some(number(NUMBERS[2])),
        no_answer: Some(number(NUMBERS[3])),
        receiver: Some(&*servers[1]),
        same_pixels: &|one: &Path, other: &Path| {
            same_pixels(one, other).map_err(|error| error.to_string())
        },
        call_limit: limits.call,
    };
    let begun = Instant::now();
    let done = timeout(limits.call * 5, suite(&*servers[0], &bench)).await;
    let steps = done.expect("the suite ends in time").unwrap_or_else(|failure| panic!("{failure}"));
    eprintln!("{} steps in {:?}", steps.len(), begun.elapsed());
    assert_eq!(steps.len(), STEPS, "a step was left out: {steps:#?}");
    stop.send_replace(true);
    for server in running {
        timeout(Duration::from_secs(20), server).await.unwrap().unwrap();
    }
    exchange.stop();
}

// ---- the process that is killed ---------------------------------------------------------

/// What the process is to do; without it `child` is a test that does nothing.
const ROLE: &str = "POSTFAX_TEST_ROLE";
const FOLDER: &str = "POSTFAX_TEST_FOLDER";
const DIE: &str = "POSTFAX_LINES_DIE_BEFORE";
/// The faxes of a call, and their pages.
const FAXES: [(&str, u32); 2] = [("one", 2), ("two", 1)];
/// A received fax has as many.
const RECEIVED: u32 = 3;

/// A line whose far end is a file: what stands there has happened, whoever dies.
struct Booth {
    folder: PathBuf,
    changes: watch::Sender<()>,
    rings: bool,
}

impl Booth {
    fn happened(&self, what: &str) {
        let path = self.folder.join("far-end");
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(format!("{what}\n").as_bytes()).unwrap();
    }
}

#[async_trait]
impl Line for Booth {
    fn name(&self) -> &str {
        "booth"
    }
    fn channels(&self) -> usize {
        1
    }
    fn state(&self) -> LineState {
        LineState::Ready(0)
    }
    fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
    fn configure(&self, _settings: LineSettings) {}
    async fn run(&self, desk: Arc<dyn Desk>, mut stop: watch::Receiver<bool>) {
        if self.rings {
            let ring = Ring {
                line: "booth".into(),
                called: None,
                caller: Some("+493010010009".into()),
                caller_name: None,
                cadence: None,
            };
            let session = desk.rings(&ring).await.unwrap();
            let into = session.receive.clone().unwrap();
            let whole = document(RECEIVED, 100);
            if std::env::var(DIE).is_ok_and(|point| point == "page") {
                // As much as there may be when the last page has begun.
                let parts = (1..whole.len()).rev().find(|length| {
                    fs::write(&into, &whole[..*length]).unwrap();
                    postfax_hw::pages::count(&into).is_ok_and(|pages| pages < RECEIVED)
                });
                assert!(parts.is_some());
                std::process::abort();
            }
            fs::write(into, whole).unwrap();
            desk.received(&ring, &session, ended(RECEIVED)).await;
        }
        let _ = stop.wait_for(|stop| *stop).await.map(drop);
    }
    async fn place(&self, order: Order) -> Ended {
        let file = order.session.send.clone().unwrap();
        let pages = postfax_hw::pages::count(&file).unwrap();
        let tell = async |step| order.steps.send(step).await.unwrap();
        self.happened("dialled");
        tell(Step::Dialling).await;
        tell(Step::Connected).await;
        for count in 1..=pages {
            tell(Step::Asked).await;
            // A real line would wait for the far end; the server keeps what it was told.
            tokio::time::sleep(Duration::from_millis(30)).await;
            self.happened("confirmed");
            tell(Step::Pages { count, statistics: Statistics::default() }).await;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        ended(pages)
    }
}

fn ended(pages: u32) -> Ended {
    Ended {
        outcome: Outcome::Delivered,
        said: String::new(),
        pages,
        statistics: Statistics::default(),
        remote: Remote::default(),
        duration: Duration::from_secs(10),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let folder = PathBuf::from(std::env::var(FOLDER).unwrap());
    let (changes, _) = watch::channel(());
    let line = Arc::new(Booth { folder: folder.clone(), changes, rings: role == "receive" });
    let plain = [("line.booth.header_line", Value::Flag(false))];
    let server = LineServer::new(options(&folder.join("spool"), &plain), vec![line]).unwrap();
    if role == "send" {
        for (tag, _) in FAXES {
            server.submit(&call(&folder, tag)).await.unwrap();
        }
    }
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(server.clone().run(stopped));
    for (tag, _) in FAXES {
        let said = match server.find(tag).await.unwrap() {
            None => "none".to_owned(),
            Some(ticket) => told(&server, &ticket).await,
        };
        println!("\n{tag}={said}");
    }
    if role == "receive" {
        server.arrival(Duration::from_secs(10)).await;
    }
    for fax in server.waiting().await.unwrap() {
        let whole = if fax.error.is_some() { "cut" } else { "whole" };
        println!("\nfax={} {whole}", fax.pages);
        if role == "receive" {
            server.release(&fax).await.unwrap();
        }
    }
    stop.send_replace(true);
    running.await.unwrap();
}

async fn told(server: &LineServer, ticket: &Ticket) -> String {
    let (tell, mut listen) = mpsc::channel(64);
    let both = async {
        tokio::join!(server.follow(ticket, tell), async { while listen.recv().await.is_some() {} })
    };
    let (ended, ()) = timeout(Duration::from_secs(20), both).await.unwrap();
    let ended = ended.unwrap();
    format!("{} {}", ended.outcome.name(), ended.ledger.confirmed)
}

fn call(folder: &Path, tag: &str) -> Call {
    Call {
        tag: tag.into(),
        number: number("+493010010009"),
        subaddress: None,
        pages: folder.join(format!("{tag}.tif")),
        resolution: RESOLUTION,
        pages_before: 0,
        paper: Paper::A4,
        sender: "anna".into(),
        station_id: None,
        priority: 127,
        give_up_after: Duration::from_secs(60),
    }
}

/// Runs the process, and gives the lines that it printed; `None` when it was killed.
fn life(folder: &Path, role: &str, die: Option<&str>) -> Option<Vec<String>> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact", "--nocapture"]).env(ROLE, role).env(FOLDER, folder);
    command.env_remove(DIE).stdin(Stdio::null());
    if let Some(point) = die {
        command.env(DIE, point);
    }
    let done = command.output().unwrap();
    if done.status.success() {
        let printed = String::from_utf8(done.stdout).unwrap();
        // The frame of the tests prints beside it.
        let said = printed.lines().filter(|line| {
            line.split_once('=').is_some_and(|(what, _)| ["one", "two", "fax"].contains(&what))
        });
        return Some(said.map(str::to_owned).collect());
    }
    let words = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.code().is_none(), "it failed by itself:\n{words}");
    None
}

fn far_end(folder: &Path) -> (usize, usize) {
    let all = fs::read_to_string(folder.join("far-end")).unwrap_or_default();
    let count = |what: &str| all.lines().filter(|line| *line == what).count();
    (count("dialled"), count("confirmed"))
}

#[test]
fn killed_at_any_point_of_sending_it_tells_the_truth() {
    // The point; what is then said of both faxes; and how often was dialled in all.
    let table = [
        ("submit", "none", "none", 0),
        ("staged", "none", "none", 0),
        ("queued", "delivered 2", "none", 1),
        ("call", "delivered 2", "delivered 1", 1),
        ("dialling", "server-fault 0", "delivered 1", 1),
        ("connected", "server-fault 0", "delivered 1", 2),
        ("asked", "server-fault 0", "delivered 1", 2),
        ("confirmed", "page-unconfirmed 0", "delivered 1", 2),
        ("asked#2", "server-fault 1", "delivered 1", 2),
        ("confirmed#2", "page-unconfirmed 1", "delivered 1", 2),
        ("confirmed#3", "delivered 2", "delivered 1", 2),
        ("asked#3", "delivered 2", "server-fault 0", 1),
        ("confirmed#4", "delivered 2", "page-unconfirmed 0", 1),
        ("end", "delivered 2", "delivered 1", 1),
        ("ended", "delivered 2", "delivered 1", 1),
        ("ended#2", "delivered 2", "delivered 1", 1),
    ];
    for (point, one, two, dials) in table {
        let folder = tempfile::tempdir().unwrap();
        for (tag, pages) in FAXES {
            fs::write(folder.path().join(format!("{tag}.tif")), document(pages, 100)).unwrap();
        }
        assert_eq!(life(folder.path(), "send", Some(point)), None, "{point} was not reached");
        let (_, before) = far_end(folder.path());
        let said = life(folder.path(), "look", None).expect("it lives");
        assert_eq!(said, [format!("one={one}"), format!("two={two}")], "{point}");
        let (dialled, confirmed) = far_end(folder.path());
        assert_eq!(dialled, dials, "{point}");
        let told: usize =
            said.iter().filter_map(|s| s.rsplit(' ').next()?.parse::<usize>().ok()).sum();
        assert!(told <= confirmed, "{point}: {told} are told, {confirmed} are ({before} before)");
        // It says the same whenever it is asked.
        assert_eq!(life(folder.path(), "look", None).as_ref(), Some(&said), "{point}");
        assert_eq!(far_end(folder.path()), (dialled, confirmed), "{point}");
    }
}

#[test]
fn killed_at_any_point_of_receiving_it_keeps_what_came() {
    for (point, kept) in [
        ("ring", None),
        ("answer", None),
        ("page", Some("fax=2 cut")),
        ("received", Some("fax=3 cut")),
        ("kept", Some("fax=3 whole")),
        ("release", Some("fax=3 whole")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(life(folder.path(), "receive", Some(point)), None, "{point} was not reached");
        for _ in 0..2 {
            let said = life(folder.path(), "look", None).expect("it lives");
            let faxes: Vec<&str> =
                said.iter().map(String::as_str).filter(|line| line.starts_with("fax")).collect();
            assert_eq!(faxes, kept.into_iter().collect::<Vec<_>>(), "{point}");
        }
    }
}
