//! The line server with lines that a test plays: what goes out, what comes back, and what
//! is found after a restart.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, path::PathBuf, time::Duration};

use async_trait::async_trait;
use postfax_domain::{
    document::{Paper, Resolution},
    number::Number,
    outcome::Outcome,
    settings::{Change, Name, Value},
};
use tempfile::TempDir;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

use super::*;
use crate::{
    driver::{Call, Driver, DriverError, Ended as Told, Progress, Ticket},
    line::{Desk, Ended, LineSettings, LineState, Order, Ring, Step},
    pages::{
        bitmap::{Bitmap, Size},
        sheet,
        tiff::{self, CodedPage, FillOrder},
    },
    t30::{Remote, Session, Statistics},
};

mod coming;
mod going;
mod kept;

/// How long a test waits for what must come at once.
const SOON: Duration = Duration::from_secs(10);
/// How long it waits to see that nothing comes.
const A_WHILE: Duration = Duration::from_millis(150);

/// A call that a line was told to place, in the hands of the test.
struct Placed {
    order: Order,
    end: oneshot::Sender<Ended>,
}

impl Placed {
    async fn tell(&self, step: Step) {
        self.order.steps.send(step).await.unwrap();
    }

    async fn pages(&self, count: u32) {
        self.tell(Step::Pages { count, statistics: Statistics::default() }).await;
    }

    fn end(self, outcome: Outcome, pages: u32) {
        let remote = Remote { identity: Some("+44 1".into()), ..Remote::default() };
        let duration = Duration::from_secs(30);
        let statistics = Statistics { bit_rate: 14_400, ..Statistics::default() };
        let said = "as the test says".to_owned();
        let ended = Ended { outcome, said, pages, statistics, remote, duration };
        assert!(self.end.send(ended).is_ok(), "the server has given up its call");
    }

    /// Pages of the file that is to be sent.
    fn count(&self) -> usize {
        let file = self.order.session.send.as_ref().unwrap();
        tiff::read(file).unwrap().pages().len()
    }
}

/// A line that does what the test does.
struct Played {
    name: &'static str,
    channels: usize,
    placed: mpsc::UnboundedSender<Placed>,
    told: mpsc::UnboundedSender<LineSettings>,
    desk: watch::Sender<Option<Arc<dyn Desk>>>,
    changes: watch::Sender<()>,
}

#[async_trait]
impl Line for Played {
    fn name(&self) -> &str {
        self.name
    }
    fn channels(&self) -> usize {
        self.channels
    }
    fn state(&self) -> LineState {
        LineState::Ready(0)
    }
    fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
    fn configure(&self, settings: LineSettings) {
        self.told.send(settings).ok();
    }
    async fn run(&self, desk: Arc<dyn Desk>, mut stop: watch::Receiver<bool>) {
        self.desk.send_replace(Some(desk));
        let _ = stop.wait_for(|stop| *stop).await.map(drop);
    }
    async fn place(&self, order: Order) -> Ended {
        let (end, ended) = oneshot::channel();
        self.placed.send(Placed { order, end }).ok();
        ended.await.expect("the test ends each call")
    }
}

/// What a test holds of a line.
struct Hand {
    line: Arc<Played>,
    placed: mpsc::UnboundedReceiver<Placed>,
    told: mpsc::UnboundedReceiver<LineSettings>,
}

impl Hand {
    fn new(name: &'static str, channels: usize) -> Self {
        let ((placed, calls), (told, settings)) =
            (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let (desk, changes) = (watch::channel(None).0, watch::channel(()).0);
        let line = Arc::new(Played { name, channels, placed, told, desk, changes });
        Self { line, placed: calls, told: settings }
    }

    async fn placed(&mut self) -> Placed {
        timeout(SOON, self.placed.recv()).await.expect("a call is placed").unwrap()
    }

    async fn no_call(&mut self) {
        let placed = timeout(A_WHILE, self.placed.recv()).await;
        assert!(placed.is_err(), "a call is placed");
    }

    async fn desk(&self) -> Arc<dyn Desk> {
        let mut desk = self.line.desk.subscribe();
        timeout(SOON, desk.wait_for(Option::is_some)).await.unwrap().unwrap().clone().unwrap()
    }
}

/// A server that runs.
struct House {
    server: Arc<LineServer>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
    lines: Vec<Arc<Played>>,
}

impl House {
    fn open(options: Options, hands: &[&Hand]) -> Self {
        let lines: Vec<Arc<dyn Line>> = hands.iter().map(|h| h.line.clone() as _).collect();
        let server = LineServer::new(options, lines).unwrap();
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(server.clone().run(stopped));
        let lines = hands.iter().map(|hand| hand.line.clone()).collect();
        Self { server, stop, running, lines }
    }

    /// The server is gone at once, as after a crash.
    async fn crash(self) {
        self.running.abort();
        let _ = self.running.await;
        // Its tasks end when they are next looked at, and let go of the spool.
        let core = Arc::downgrade(&self.server.0);
        drop(self.server);
        for line in &self.lines {
            line.desk.send_replace(None);
        }
        for _ in 0..200 {
            if core.upgrade().is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("something still holds the spool");
    }

    async fn submit(&self, call: &Call) -> Ticket {
        self.server.submit(call).await.unwrap()
    }

    async fn ended(&self, ticket: &Ticket) -> Told {
        let (tell, mut told) = mpsc::channel(64);
        let listen = async { while told.recv().await.is_some() {} };
        let both = async { tokio::join!(self.server.follow(ticket, tell), listen).0 };
        timeout(SOON, both).await.expect("it ends").unwrap()
    }

    fn follow(&self, ticket: &Ticket) -> mpsc::Receiver<Progress> {
        let (tell, told) = mpsc::channel(64);
        let (server, ticket) = (self.server.clone(), ticket.clone());
        tokio::spawn(async move { server.follow(&ticket, tell).await });
        told
    }
}

fn options(folder: &TempDir) -> Options {
    // Whatever the disk of the machine has left.
    let limits = Limits { free_bytes: 0, ..Limits::default() };
    let options = Options {
        timezone: jiff::tz::TimeZone::UTC,
        limits,
        ..Options::new(&folder.path().join("spool"))
    };
    set(options, &[("batch_wait_ms", Value::Number(0))])
}

fn set(mut options: Options, settings: &[(&str, Value)]) -> Options {
    let pairs = settings.iter().map(|(name, value)| (name.parse().unwrap(), value.clone()));
    options.configured.0.extend(pairs);
    options
}

/// A fax of so many small pages to one of a hundred numbers.
fn fax(folder: &TempDir, tag: &str, last: u32, pages: u32) -> Call {
    let page = |number| {
        let mut page = Bitmap::white(Size::new(1728, 60).unwrap());
        page.blacken(number, 0, 100 + number);
        CodedPage::mmr(&page, sheet::density(Resolution::Fine))
    };
    let all: Vec<CodedPage> = (0..pages).map(page).collect();
    let path = folder.path().join(format!("{tag}.tif"));
    fs::write(&path, tiff::write(&all, FillOrder::HighestFirst)).unwrap();
    Call {
        tag: tag.into(),
        number: Number::try_from(format!("+4420794601{last:02}")).unwrap(),
        subaddress: None,
        pages: path,
        pages_before: 0,
        resolution: Resolution::Fine,
        paper: Paper::A4,
        sender: "anna".into(),
        station_id: None,
        priority: 127,
        give_up_after: Duration::from_secs(60),
    }
}
