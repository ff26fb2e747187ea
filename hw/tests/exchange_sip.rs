//! A modem, a fax machine and SIP trunks in one telephone exchange: our own Class 1 line and
//! our own trunk call each other through it, and so through a gateway between sound and T.38.
//! And the line server with trunks for lines keeps the promises of every driver.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod peers;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use peers::{MACHINE, OTHER_PROGRAM, PROGRAM, World, density, page};
use postfax_domain::{number::Number, outcome::Outcome, settings::Settings, settings::Value};
use postfax_hw::{
    conformance::{Bench, suite},
    exchange::{Behaviour, Exchange, Options as ExchangeOptions, sip::SipOptions},
    line::{
        Desk, Ended, Line, LineState, Order, Ring,
        modem::{ModemLine, ModemOptions},
        server::{Limits, LineServer, Options},
        sip::{T38Use, Trunk, TrunkOptions},
    },
    pages::{
        same_pixels,
        tiff::{CodedPage, FillOrder, write},
    },
    t30::{Carrier, Session, Station},
};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

const TRUNK: &str = "+15551000077";
const OWN: &str = "+15551000078";
/// How long the whole suite may take in real time.
const SUITE_LIMIT: Duration = Duration::from_secs(15 * 60);

fn number(text: &str) -> Number {
    Number::parse(text, "US".parse().unwrap()).unwrap()
}

/// Takes every fax.
struct Taker(PathBuf, mpsc::Sender<Ended>);

#[async_trait]
impl Desk for Taker {
    async fn rings(&self, _: &Ring) -> Option<Session> {
        Some(Session::receiving(Station::new("+1 555 100 0009"), self.0.clone()))
    }

    async fn received(&self, _: &Ring, _: &Session, ended: Ended) {
        self.1.send(ended).await.unwrap();
    }
}

/// A line that is ready.
struct Ours {
    line: Arc<dyn Line>,
    got: PathBuf,
    received: mpsc::Receiver<Ended>,
    stop: watch::Sender<bool>,
}

impl Ours {
    async fn start(line: Arc<dyn Line>, got: PathBuf) -> Self {
        let (told, received) = mpsc::channel(8);
        let (stop, stopping) = watch::channel(false);
        let (kept, desk) = (Arc::clone(&line), Arc::new(Taker(got.clone(), told)));
        tokio::spawn(async move { kept.run(desk, stopping).await });
        until_ready(&*line).await;
        Self { line, got, received, stop }
    }

    async fn send(&self, to: &str, file: &Path) -> Ended {
        send(&*self.line, to, file).await
    }

    async fn receives(&mut self) -> Ended {
        let ended = self.received.recv().await.unwrap();
        eprintln!("{} received: {ended:?}", self.line.name());
        ended
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        // It may have ended.
        self.stop.send(true).ok();
    }
}

async fn send(line: &dyn Line, to: &str, file: &Path) -> Ended {
    let (steps, _told) = mpsc::channel(64);
    let (_stopper, stop) = watch::channel(false);
    let session = Session::sending(Station::new("+1 555 100 0010"), file.to_owned());
    let limit = Duration::from_secs(150);
    let ended = line.place(Order { number: number(to), session, limit, steps, stop }).await;
    eprintln!("{} sent: {ended:?}", line.name());
    ended
}

async fn until_ready(line: &dyn Line) {
    let mut changes = line.changes();
    while line.state() != LineState::Ready(0) {
        timeout(Duration::from_secs(20), changes.changed()).await.unwrap().unwrap();
    }
}

/// A trunk to the exchange.
fn trunk(server: SocketAddr, own: &str, t38: T38Use) -> Arc<Trunk> {
    Arc::new(
        Trunk::new(TrunkOptions {
            bind: "127.0.0.1:0".parse().unwrap(),
            media_ports: (0, 0),
            caller: Some(own.to_owned()),
            t38,
            offer_t38_after_ms: Some(500),
            ..TrunkOptions::new("trunk", &server.to_string())
        })
        .unwrap(),
    )
}

fn ring(exchange: &Exchange, own: &str, trunk: &Trunk) {
    exchange.sip_number(own, 4, &trunk.address().unwrap().to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modems_and_a_trunk_fax_each_other() {
    let world = World::new(1.0);
    let sent = CodedPage::mmr(&page(), density());
    let sent = world.write("sent.tif", &write(&[sent], FillOrder::HighestFirst));
    let mut modems = vec![];
    for (name, number) in [("calls", PROGRAM), ("answers", OTHER_PROGRAM)] {
        let device = world.exchange.modem(number, None).unwrap();
        let options =
            ModemOptions { lock_folder: world.path(""), ..ModemOptions::new(name, &device) };
        modems.push(Ours::start(ModemLine::new(options), world.path(name)).await);
    }
    let server = world.exchange.sip(SipOptions::default()).unwrap();
    let line = trunk(server, TRUNK, T38Use::Offer);
    let mut sip = Ours::start(line.clone(), world.path("sip.tif")).await;
    ring(&world.exchange, TRUNK, &line);
    let caller = Arc::clone(&sip.line);
    let [calls, answers] = &mut modems[..] else { panic!("two modems") };
    // One that has G.711 alone calls a machine.
    let mut machine = world.machine();
    let plain = Ours::start(trunk(server, OWN, T38Use::Never), world.path("unused.tif")).await;
    let all = tokio::join!(
        calls.send(TRUNK, &sent),
        sip.receives(),
        send(&*caller, OTHER_PROGRAM, &sent),
        answers.receives(),
        plain.send(MACHINE, &sent),
        machine.received(),
    );
    for ended in [&all.0, &all.1, &all.2, &all.3, &all.4] {
        assert_eq!((ended.outcome, ended.pages), (Outcome::Delivered, 1), "{ended:?}");
    }
    for ended in [&all.1, &all.2] {
        assert_eq!(ended.statistics.carrier, Some(Carrier::T38), "{ended:?}");
    }
    assert_eq!(all.4.statistics.carrier, Some(Carrier::G711));
    let fax = all.5.unwrap();
    assert!(fax.caller.ends_with(&OWN[1..]), "{}", fax.caller);
    for got in [&sip.got, &answers.got, &fax.tiff] {
        assert!(same_pixels(&sent, got).unwrap(), "{}", got.display());
    }
}

/// The suite of the drivers, with trunks for the lines of both servers.
async fn promises(t38: T38Use) {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("exchange");
    let exchange = Exchange::start(ExchangeOptions::new(&state)).unwrap();
    // Not in the USA, where every page must have a header line.
    let numbers = ["+493010010001", "+493010010002", "+493010010003", "+493010010004"];
    exchange.number(numbers[2], Behaviour::Busy).unwrap();
    exchange.number(numbers[3], Behaviour::NoAnswer).unwrap();
    let sip = exchange.sip(SipOptions::default()).unwrap();
    let (stop, _) = watch::channel(false);
    let (mut running, mut servers) = (vec![], vec![]);
    for (name, own) in [("sender", numbers[0]), ("receiver", numbers[1])] {
        let line = trunk(sip, own, t38);
        let plain = [("line.trunk.header_line", Value::Flag(false))];
        let pairs = plain.iter().map(|(name, value)| (name.parse().unwrap(), value.clone()));
        let options = Options {
            limits: Limits { free_bytes: 0, ..Limits::default() },
            configured: Settings(pairs.collect()),
            ..Options::new(&folder.path().join(name))
        };
        let server = LineServer::new(options, vec![line.clone()]).unwrap();
        running.push(tokio::spawn(server.clone().run(stop.subscribe())));
        until_ready(&*line).await;
        ring(&exchange, own, &line);
        servers.push(server);
    }
    let pages = folder.path().join("sent.tif");
    let document: Vec<_> = (0..2).map(|_| CodedPage::mmr(&page(), density())).collect();
    fs::write(&pages, write(&document, FillOrder::HighestFirst)).unwrap();
    let bench = Bench {
        folder: folder.path(),
        safe: &folder.path().join("safe"),
        run: "sip",
        pages: &pages,
        page_count: 2,
        resolution: peers::RESOLUTION,
        good: number(numbers[1]),
        busy: Some(number(numbers[2])),
        no_answer: Some(number(numbers[3])),
        receiver: Some(&*servers[1]),
        same_pixels: &|one: &Path, other: &Path| {
            same_pixels(one, other).map_err(|error| error.to_string())
        },
        call_limit: Duration::from_secs(150),
    };
    let done = timeout(SUITE_LIMIT, suite(&*servers[0], &bench)).await;
    let steps = done.expect("the suite ends in time").unwrap_or_else(|failure| panic!("{failure}"));
    eprintln!("{t38:?}: {steps:#?}");
    stop.send_replace(true);
    for server in running {
        timeout(Duration::from_secs(20), server).await.unwrap().unwrap();
    }
    exchange.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "some minutes: cargo test --workspace --test exchange_sip -- --ignored --nocapture"]
async fn the_line_server_keeps_its_promises_over_t38_and_g711() {
    tokio::join!(promises(T38Use::Offer), promises(T38Use::Never));
}

/// Processor time of this process so far, in seconds: utime and stime (proc(5)).
fn cpu_s() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Memory of this process in KiB.
fn memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A trunk calls sixty machines of the exchange at once: SIP, media and T.30 at both ends, and a
/// gateway for each call where it is T.38.
async fn sixty(t38: T38Use) {
    const CALLS: usize = 60;
    let world = World::new(1.0);
    let number = "+15551000002";
    let mut machine = world.exchange.machine(number, 60, number).unwrap();
    let server = world.exchange.sip(SipOptions::default()).unwrap();
    let line = Arc::new(
        Trunk::new(TrunkOptions {
            bind: "127.0.0.1:0".parse().unwrap(),
            media_ports: (0, 0),
            channels: CALLS,
            t38,
            offer_t38_after_ms: Some(500),
            ..TrunkOptions::new("trunk", &server.to_string())
        })
        .unwrap(),
    );
    let ours = Ours::start(line, world.path("unused.tif")).await;
    let sent = CodedPage::mmr(&page(), density());
    let sent = world.write("sent.tif", &write(&[sent], FillOrder::HighestFirst));
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    let (cpu, memory, began) = (cpu_s(), memory_kib(), Instant::now());
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let (line, sent) = (Arc::clone(&ours.line), sent.clone());
            tokio::spawn(async move { send(&*line, number, &sent).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(12)).await;
    let within = memory_kib();
    let (mut delivered, mut carried) = (0, 0);
    for call in calls {
        let ended = call.await.unwrap();
        delivered += usize::from(ended.outcome == Outcome::Delivered);
        let wanted = if t38 == T38Use::Never { Carrier::G711 } else { Carrier::T38 };
        carried += usize::from(ended.statistics.carrier == Some(wanted));
    }
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_s() - cpu);
    let mut equal = 0;
    for _ in 0..delivered {
        let fax = timeout(Duration::from_secs(5), machine.received()).await.unwrap().unwrap();
        equal += usize::from(same_pixels(&sent, &fax.tiff).unwrap());
    }
    println!(
        "{t38:?}: {delivered} of {CALLS} delivered, {equal} equal, {carried} over the wanted media, \
         {wall:.0} s, {cpu:.1} s of processor ({:.2} % of a core for each call, both ends), {} KiB \
         for each call, load before: {}",
        cpu / wall / CALLS as f64 * 100.0,
        within.saturating_sub(memory) / CALLS as u64,
        load.trim(),
    );
    assert_eq!((delivered, equal), (CALLS, CALLS));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute: cargo test --workspace --test exchange_sip sixty -- --ignored --nocapture"]
async fn sixty_sip_calls_at_once() {
    sixty(T38Use::Never).await;
    sixty(T38Use::Offer).await;
}
