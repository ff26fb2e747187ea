//! A modem, a fax machine and SIP trunks in one telephone exchange: our own Class 1 line and
//! our own trunk call each other through it, and so through a gateway between sound and T.38.
//! And the line server with trunks for lines keeps the promises of every driver.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod peers;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use peers::{PROGRAM, World, density, page};
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
        let (steps, _told) = mpsc::channel(64);
        let (_stopper, stop) = watch::channel(false);
        let session = Session::sending(Station::new("+1 555 100 0010"), file.to_owned());
        let limit = Duration::from_secs(150);
        let ended =
            self.line.place(Order { number: number(to), session, limit, steps, stop }).await;
        eprintln!("{} sent: {ended:?}", self.line.name());
        ended
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

async fn until_ready(line: &dyn Line) {
    let mut changes = line.changes();
    while line.state() != LineState::Ready(0) {
        timeout(Duration::from_secs(20), changes.changed()).await.unwrap().unwrap();
    }
}

/// A trunk to the exchange, and its number there.
async fn trunk(exchange: &Exchange, own: &str, t38: T38Use) -> Arc<Trunk> {
    let server = exchange.sip(SipOptions::default()).unwrap();
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
async fn a_modem_and_a_trunk_fax_each_other() {
    let world = World::new(1.0);
    let device = world.exchange.modem(PROGRAM, None).unwrap();
    let pages: Vec<_> = (0..2).map(|_| CodedPage::mmr(&page(), density())).collect();
    let sent = world.write("sent.tif", &write(&pages, FillOrder::HighestFirst));
    let options =
        ModemOptions { lock_folder: world.path(""), ..ModemOptions::new("modem", &device) };
    let mut modem = Ours::start(ModemLine::new(options), world.path("modem.tif")).await;
    let line = trunk(&world.exchange, TRUNK, T38Use::Offer).await;
    let mut sip = Ours::start(line.clone(), world.path("sip.tif")).await;
    ring(&world.exchange, TRUNK, &line);
    // From the modem to the trunk.
    let (there, got) = tokio::join!(modem.send(TRUNK, &sent), sip.receives());
    assert_eq!((there.outcome, there.pages), (Outcome::Delivered, 2));
    assert_eq!((got.outcome, got.pages), (Outcome::Delivered, 2));
    assert_eq!(got.statistics.carrier, Some(Carrier::T38));
    assert!(same_pixels(&sent, &sip.got).unwrap());
    // And back, when the modem is idle again.
    until_ready(&*modem.line).await;
    let (there, got) = tokio::join!(sip.send(PROGRAM, &sent), modem.receives());
    assert_eq!((there.outcome, there.pages), (Outcome::Delivered, 2));
    assert_eq!((got.outcome, got.pages), (Outcome::Delivered, 2));
    assert!(same_pixels(&sent, &modem.got).unwrap());
}

/// The suite of the drivers, with trunks for the lines of both servers.
async fn promises(t38: T38Use) {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("exchange");
    let exchange = Exchange::start(ExchangeOptions::new(&state)).unwrap();
    let numbers = ["+15551000001", "+15551000002", "+15551000003", "+15551000004"];
    exchange.number(numbers[2], Behaviour::Busy).unwrap();
    exchange.number(numbers[3], Behaviour::NoAnswer).unwrap();
    let (stop, _) = watch::channel(false);
    let (mut running, mut servers) = (vec![], vec![]);
    for (name, own) in [("sender", numbers[0]), ("receiver", numbers[1])] {
        let line = trunk(&exchange, own, t38).await;
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
