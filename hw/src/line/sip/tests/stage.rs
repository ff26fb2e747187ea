//! What the tests of trunks play on: trunks on loopback, a desk, and players that only
//! pretend.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use postfax_domain::{number::Number, outcome::Outcome};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

use super::super::{
    play::{Media, Playing},
    *,
};
use crate::{
    line::{
        Desk, Ended, Line, LineState, Order, Ring, Step,
        media::{self, Flow, Happening, Kind},
    },
    t30::{Session, Station},
};

/// How a pretended player behaves over one kind of flow: it says that it is over after a
/// while, and how it went; `None`: it never ends.
pub(super) type Fate = Option<(u64, Outcome)>;

#[derive(Clone, Copy)]
pub(super) struct Plan {
    /// It hears fax tones so long after it began over audio.
    pub(super) tone_ms: Option<u64>,
    pub(super) audio: Fate,
    pub(super) t38: Fate,
    /// It sends packets over T.38.
    pub(super) speaks_t38: bool,
}

pub(super) const WELL: Plan = Plan {
    tone_ms: Some(30),
    audio: Some((600, Outcome::Delivered)),
    t38: Some((200, Outcome::Delivered)),
    speaks_t38: true,
};

/// Pretends, and writes down over what.
pub(super) struct Sim {
    plan: Plan,
    pub(super) log: Arc<Mutex<Vec<&'static str>>>,
}

enum Told {
    Change(Flow),
    Follow(SocketAddr, Kind),
    Stop,
}

struct SimPlayer(mpsc::UnboundedSender<Told>);

impl Playing for SimPlayer {
    fn change(&self, flow: Flow) {
        self.0.send(Told::Change(flow)).ok();
    }

    fn follow(&self, remote: SocketAddr, kind: Kind) {
        self.0.send(Told::Follow(remote, kind)).ok();
    }

    fn stop(&self) {
        self.0.send(Told::Stop).ok();
    }
}

impl Media for Sim {
    fn start(
        &self,
        _: Session,
        flow: Flow,
        _: Duration,
        tell: mpsc::Sender<Happening>,
    ) -> io::Result<Box<dyn Playing>> {
        let (orders, told) = mpsc::unbounded_channel();
        tokio::spawn(pretend(self.plan, flow, Arc::clone(&self.log), told, tell));
        Ok(Box::new(SimPlayer(orders)))
    }
}

async fn after(ms: Option<u64>) {
    match ms {
        Some(ms) => sleep(Duration::from_millis(ms)).await,
        None => std::future::pending().await,
    }
}

async fn pretend(
    plan: Plan,
    mut flow: Flow,
    log: Arc<Mutex<Vec<&'static str>>>,
    mut told: mpsc::UnboundedReceiver<Told>,
    tell: mpsc::Sender<Happening>,
) {
    loop {
        let is_t38 = matches!(flow.kind, Kind::T38(_));
        log.lock().unwrap().push(if is_t38 { "T.38" } else { "G.711" });
        if !is_t38 || plan.speaks_t38 {
            flow.socket.send_to(b"something", flow.remote).ok();
        }
        let fate = if is_t38 { plan.t38 } else { plan.audio };
        let tone = after(plan.tone_ms.filter(|_| !is_t38));
        let over = after(fate.map(|(ms, _)| ms));
        tokio::pin!(tone, over);
        let mut toned = false;
        let next = loop {
            tokio::select! {
                next = told.recv() => match next {
                    Some(Told::Follow(remote, kind)) => {
                        let is_mu = matches!(kind, Kind::Audio(plan) if plan.law == media::Law::Pcmu);
                        log.lock().unwrap().push(if is_mu { "moved, mu-law" } else { "moved" });
                        flow.socket.send_to(b"moved", remote).ok();
                    }
                    next => break next,
                },
                () = &mut tone, if !toned => {
                    toned = true;
                    tell.send(Happening::FaxTone).await.ok();
                }
                () = &mut over => {
                    let outcome = fate.unwrap().1;
                    tell.send(Happening::Ended(Ended::failed(outcome, "pretended"))).await.ok();
                    return;
                }
            }
        };
        match next {
            Some(Told::Change(new)) => flow = new,
            Some(Told::Follow(..) | Told::Stop) | None => {
                let ended = Ended::failed(Outcome::Cancelled, "stopped");
                tell.send(Happening::Ended(ended)).await.ok();
                return;
            }
        }
    }
}

/// Answers so, or not at all.
pub(super) struct TestDesk {
    pub(super) answers: bool,
    pub(super) waits: Duration,
    pub(super) rang: Mutex<Vec<Ring>>,
    pub(super) received: Mutex<Vec<Ended>>,
    pub(super) folder: Option<std::path::PathBuf>,
}

#[async_trait]
impl Desk for TestDesk {
    async fn rings(&self, ring: &Ring) -> Option<Session> {
        let at = {
            let mut rang = self.rang.lock().unwrap();
            rang.push(ring.clone());
            rang.len()
        };
        sleep(self.waits).await;
        let folder = self.folder.clone().unwrap_or_default();
        let file = folder.join(format!("received-{at}.tif"));
        self.answers.then(|| Session::receiving(Station::new("200"), file))
    }

    async fn received(&self, _: &Ring, _: &Session, ended: Ended) {
        self.received.lock().unwrap().push(ended);
    }
}

/// A trunk that runs.
pub(super) struct Stage {
    pub(super) trunk: Arc<Trunk>,
    pub(super) desk: Arc<TestDesk>,
    pub(super) log: Arc<Mutex<Vec<&'static str>>>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

pub(super) fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Options of a trunk on loopback.
pub(super) fn options(name: &str, port: u16, server: u16) -> TrunkOptions {
    TrunkOptions {
        bind: SocketAddr::from(([127, 0, 0, 1], port)),
        media_ports: (0, 0),
        keep_alive_s: 0,
        t38_silence_s: 1,
        ..TrunkOptions::new(name, &format!("127.0.0.1:{server}"))
    }
}

/// Two sets of options that name each other.
pub(super) fn pair() -> (TrunkOptions, TrunkOptions) {
    let (a, b) = (free_port(), free_port());
    (options("a", a, b), options("b", b, a))
}

pub(super) fn desk() -> TestDesk {
    TestDesk {
        answers: true,
        waits: Duration::ZERO,
        rang: Mutex::default(),
        received: Mutex::default(),
        folder: None,
    }
}

impl Stage {
    pub(super) async fn new(options: TrunkOptions, plan: Plan) -> Self {
        Self::with_desk(options, plan, desk()).await
    }

    pub(super) async fn with_desk(options: TrunkOptions, plan: Plan, desk: TestDesk) -> Self {
        let log = Arc::new(Mutex::default());
        let sim = Sim { plan, log: Arc::clone(&log) };
        let trunk = Trunk::with_media(options, Arc::new(sim)).unwrap();
        Self::run(trunk, log, desk).await
    }

    pub(super) async fn run(
        trunk: Trunk,
        log: Arc<Mutex<Vec<&'static str>>>,
        desk: TestDesk,
    ) -> Self {
        let (trunk, desk) = (Arc::new(trunk), Arc::new(desk));
        let (stop, stopped) = watch::channel(false);
        let running = Arc::clone(&trunk);
        let its_desk: Arc<dyn Desk> = Arc::clone(&desk) as Arc<dyn Desk>;
        let task = tokio::spawn(async move { running.run(its_desk, stopped).await });
        let stage = Self { trunk, desk, log, stop, task };
        stage.until(|state| matches!(state, LineState::Ready(_) | LineState::Failed(_))).await;
        stage
    }

    pub(super) async fn until(&self, so: impl Fn(&LineState) -> bool) {
        let mut changes = self.trunk.changes();
        let seen = timeout(Duration::from_secs(8), async {
            while !so(&self.trunk.state()) {
                let _ = timeout(Duration::from_millis(100), changes.changed()).await;
            }
        });
        assert!(seen.await.is_ok(), "{:?}", self.trunk.state());
    }

    /// Places a call.
    pub(super) async fn call(&self, number: &str) -> (Ended, Vec<Step>) {
        self.call_until(number, watch::channel(false).1).await
    }

    pub(super) async fn call_until(
        &self,
        number: &str,
        stop: watch::Receiver<bool>,
    ) -> (Ended, Vec<Step>) {
        let session = Session::sending(Station::new("100"), Path::new("none.tif").into());
        self.send(number, session, stop).await
    }

    pub(super) async fn send(
        &self,
        number: &str,
        session: Session,
        stop: watch::Receiver<bool>,
    ) -> (Ended, Vec<Step>) {
        let (steps, mut told) = mpsc::channel(100);
        let number = Number::try_from(number.to_owned()).unwrap();
        let limit = Duration::from_secs(120);
        let ended = self.trunk.place(Order { number, session, limit, steps, stop }).await;
        let mut all = Vec::new();
        while let Ok(step) = told.try_recv() {
            all.push(step);
        }
        (ended, all)
    }

    pub(super) fn played(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    /// Waits until so many calls were received.
    pub(super) async fn received(&self, count: usize) -> Vec<Ended> {
        let wait = timeout(Duration::from_secs(10), async {
            while self.desk.received.lock().unwrap().len() < count {
                sleep(Duration::from_millis(20)).await;
            }
        });
        wait.await.unwrap();
        self.desk.received.lock().unwrap().clone()
    }

    pub(super) async fn end(self) {
        self.stop.send_replace(true);
        timeout(Duration::from_secs(10), self.task).await.unwrap().unwrap();
    }
}
