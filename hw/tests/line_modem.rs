//! Our Class 1 line with fax programs by other people at the other end of the telephone
//! line: efax, mgetty, a real HylaFAX; sending to each and receiving from each, in real time.
//! The calls between ours and machines of the exchange are beside the line's code.
//!
//! All of these take turns with whole minutes of real time, and are run by hand:
//! `cargo test --workspace --test line_modem -- --ignored --nocapture`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod peers;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use peers::{OTHER_PROGRAM, PROGRAM, RESOLUTION, World, coded, density, page};
use postfax_domain::{document::Paper, number::Number, outcome::Outcome};
use postfax_hw::{
    driver::{Call, Driver},
    hylafax::{Hylafax as Client, Options as Login},
    lab::{Kind, Lab, Options as LabOptions, hylafax},
    line::{
        Desk, Ended, Line, LineState, Order, Ring,
        modem::{ModemLine, ModemOptions, probe},
    },
    pages::{
        bitmap::Bitmap,
        ccitt::decode,
        tiff::{CodedPage, FillOrder, read, write},
    },
    t30::{Session, Station},
};
use tokio::sync::{mpsc, watch};

const EFAX: &str = "/usr/bin/efax";
/// Most lines of a sender's header.
const HEADER_LINES: usize = 60;
const OURS: &str = "+1 555 100 0009";

/// Takes every fax.
struct Taker(PathBuf, mpsc::Sender<(Ring, Ended)>);

#[async_trait]
impl Desk for Taker {
    async fn rings(&self, _: &Ring) -> Option<Session> {
        Some(Session::receiving(Station::new(OURS), self.0.clone()))
    }

    async fn received(&self, ring: &Ring, _: &Session, ended: Ended) {
        self.1.send((ring.clone(), ended)).await.unwrap();
    }
}

/// Our line at a modem, ready.
struct Ours {
    line: Arc<ModemLine>,
    got: PathBuf,
    received: mpsc::Receiver<(Ring, Ended)>,
    stop: watch::Sender<bool>,
}

impl Ours {
    async fn start(folder: &Path, device: &Path) -> Self {
        let line = ModemLine::new(ModemOptions {
            lock_folder: folder.to_owned(),
            ..ModemOptions::new("ours", device)
        });
        let got = folder.join("ours.tif");
        let (told, received) = mpsc::channel(8);
        let (stop, stopping) = watch::channel(false);
        let (kept, desk) = (Arc::clone(&line), Arc::new(Taker(got.clone(), told)));
        tokio::spawn(async move { kept.run(desk, stopping).await });
        let mut changes = line.changes();
        while line.state() != LineState::Ready(0) {
            changes.changed().await.unwrap();
        }
        Self { line, got, received, stop }
    }

    async fn send(&self, number: &str, file: &Path, ecm: bool) -> Ended {
        let (steps, mut told) = mpsc::channel(64);
        let (_stopper, stop) = watch::channel(false);
        let station = Station { ecm, ..Station::new(OURS) };
        let ended = self
            .line
            .place(Order {
                number: Number::parse(number, "US".parse().unwrap()).unwrap(),
                session: Session::sending(station, file.to_owned()),
                limit: Duration::from_secs(150),
                steps,
                stop,
            })
            .await;
        while let Some(step) = told.recv().await {
            eprintln!("  {step:?}");
        }
        eprintln!("sent: {ended:?}");
        ended
    }

    async fn receives(&mut self) -> Ended {
        let (ring, ended) = self.received.recv().await.unwrap();
        eprintln!("received: {ring:?} {ended:?}");
        ended
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        // It may have ended.
        self.stop.send(true).ok();
    }
}

fn rows(page: &Bitmap) -> Vec<Vec<u8>> {
    page.rows().map(<[u8]>::to_vec).collect()
}

/// So many pages are the one that was sent, below some lines of a header.
fn assert_arrived(path: &Path, pages: usize) {
    let file = read(path).unwrap();
    assert_eq!(file.pages().len(), pages);
    for at in 0..pages {
        let arrived = file.decode(at).unwrap();
        assert!(arrived.damage.is_none(), "{:?}", arrived.damage);
        let (arrived, sent) = (rows(&arrived.page), rows(&page()));
        let above = arrived.len().checked_sub(sent.len()).expect("all lines arrived");
        assert!(above <= HEADER_LINES, "{above} lines above the page");
        assert!(arrived[above..] == sent, "other pixels arrived");
    }
}

fn document(world: &World, pages: usize) -> PathBuf {
    let pages: Vec<_> = (0..pages).map(|_| CodedPage::mmr(&page(), density())).collect();
    world.write("sent.tif", &write(&pages, FillOrder::HighestFirst))
}

fn has_efax() -> bool {
    let there = Path::new(EFAX).exists();
    if !there {
        eprintln!("SKIPPED, NOT TESTED: our Class 1 line with efax: it is not installed");
    }
    there
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute and a half of real time"]
async fn with_efax() {
    if !has_efax() {
        return;
    }
    let world = World::new(1.0);
    let [mine, theirs] = [PROGRAM, OTHER_PROGRAM].map(|n| world.exchange.modem(n, None).unwrap());
    let locks = world.path("");
    let about = probe(&mine).await.unwrap();
    eprintln!("{about}");
    let mut ours = Ours::start(&locks, &mine).await;
    // It sends to us.
    let file = world.write("page.g3", &coded());
    let to = format!("T{PROGRAM}");
    let device = theirs.to_str().unwrap();
    let options = ["-o1", "-v", "ewin", "-l", "+49 30 1234", "-h", " ", "-d", device, "-t", &to];
    let sending = world.run(Path::new(EFAX), &[&options[..], &[file.to_str().unwrap()]].concat());
    let got = ours.receives().await;
    assert_eq!((got.outcome, got.pages), (Outcome::Delivered, 1));
    assert_eq!(got.remote.identity.as_deref(), Some("+49 30 1234"));
    sending.succeeds();
    assert_arrived(&ours.got, 1);
    // We send to it.
    let options = ["-o1", "-v", "ewin", "-l", "+49 30 5678", "-i", "S0=1", "-w", "-r", "got"];
    let answering = world.run(Path::new(EFAX), &[&options[..], &["-d", device]].concat());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let sent = ours.send(OTHER_PROGRAM, &document(&world, 2), true).await;
    assert_eq!((sent.outcome, sent.pages), (Outcome::Delivered, 2));
    assert_eq!(sent.remote.identity.as_deref(), Some("+49 30 5678"));
    answering.succeeds();
    assert_arrived(&world.path("got.001"), 1);
    assert_arrived(&world.path("got.002"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute and a half of real time, and POSTFAX_MGETTY, see exchange_mgetty.rs"]
async fn with_mgetty() {
    let Some(folder) = std::env::var_os("POSTFAX_MGETTY").map(PathBuf::from) else {
        eprintln!("SKIPPED, NOT TESTED: our Class 1 line with mgetty: POSTFAX_MGETTY is not set");
        return;
    };
    let world = World::new(1.0);
    let [mine, theirs] = [PROGRAM, OTHER_PROGRAM].map(|n| world.exchange.modem(n, None).unwrap());
    let device = theirs.strip_prefix("/dev").unwrap().to_str().unwrap().to_owned();
    let mut ours = Ours::start(&world.path(""), &mine).await;
    let file = world.write("page.g3", &coded());
    let arguments = ["-C", "cls1", "-l", &device, PROGRAM, file.to_str().unwrap()];
    let sending = world.run(&folder.join("sendfax"), &arguments);
    let got = ours.receives().await;
    assert_eq!((got.outcome, got.pages), (Outcome::Delivered, 1));
    sending.succeeds();
    assert_arrived(&ours.got, 1);
    let spool = || -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder.join("spool")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    spool().iter().for_each(|old| std::fs::remove_file(old).unwrap());
    let log = folder.join(format!("mgetty.{}.log", device.replace('/', "-")));
    // It may be there from an earlier run.
    std::fs::remove_file(&log).ok();
    let answering = world.run(&folder.join("mgetty"), &["-C", "cls1", "-b", &device]);
    while !std::fs::read_to_string(&log).unwrap_or_default().contains("waiting...") {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let sent = ours.send(OTHER_PROGRAM, &document(&world, 1), true).await;
    assert_eq!((sent.outcome, sent.pages), (Outcome::Delivered, 1));
    answering.succeeds();
    let arrived = decode(&std::fs::read(&spool()[0]).unwrap(), peers::CODING, page().size());
    assert!(arrived.damage.is_none() && arrived.page == page(), "other pixels arrived");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "three minutes of real time, and a HylaFAX"]
async fn with_hylafax() {
    if !(hylafax::installed() && hylafax::permitted()) {
        eprintln!("SKIPPED, NOT TESTED: our Class 1 line with HylaFAX (package, root)");
        return;
    }
    let world = World::new(1.0);
    let mut options = LabOptions::new(world.path("lab"), Kind::Hylafax);
    (options.servers, options.lines, options.answering, options.speed) = (1, 1, 0, 1.0);
    let lab = Lab::start(options).await.unwrap();
    let server = &lab.description().servers[0];
    let theirs = server.numbers[0].clone();
    let mine = lab.exchange().modem("+15551009999", None).unwrap();
    let mut ours = Ours::start(&world.path(""), &mine).await;
    let login = Login::new(&server.host, server.port, &server.user, &server.password);
    let admin_password = Some(server.admin_password.clone());
    let client = Client::new(Login { admin_password, ..login });
    let file = document(&world, 2);
    for ecm in [true, false] {
        let begun = std::time::Instant::now();
        let sent = ours.send(&theirs, &file, ecm).await;
        eprintln!("to HylaFAX, ecm {ecm}: {:?}", begun.elapsed());
        assert_eq!((sent.outcome, sent.pages), (Outcome::Delivered, 2));
        assert_eq!(sent.statistics.ecm, ecm);
        let waiting = loop {
            client.arrival(Duration::from_secs(2)).await;
            if let Some(fax) = client.waiting().await.unwrap().pop() {
                break fax;
            }
        };
        let fetched = world.path("fetched.tif");
        client.fetch(&waiting, &fetched).await.unwrap();
        client.release(&waiting).await.unwrap();
        assert_arrived(&fetched, 2);
    }
    let begun = std::time::Instant::now();
    let call = Call {
        tag: "line-modem".to_owned(),
        number: Number::parse("+15551009999", "US".parse().unwrap()).unwrap(),
        subaddress: None,
        pages: file,
        resolution: RESOLUTION,
        pages_before: 0,
        paper: Paper::A4,
        sender: "test".to_owned(),
        station_id: None,
        priority: 127,
        give_up_after: Duration::from_secs(200),
    };
    let ticket = client.submit(&call).await.unwrap();
    let (tell, mut told) = mpsc::channel(64);
    tokio::spawn(async move { while told.recv().await.is_some() {} });
    let (ended, got) = tokio::join!(client.follow(&ticket, tell), ours.receives());
    eprintln!("from HylaFAX: {:?} {:?}", begun.elapsed(), ended.unwrap().outcome);
    assert_eq!((got.outcome, got.pages), (Outcome::Delivered, 2));
    assert_arrived(&ours.got, 2);
    drop(ours);
    lab.stop().await;
}
