//! A line server that runs: its lines, its spool, and how the supervisor reaches it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use postfax_hw::line::{
    server::LineServer,
    wire::{Dialler, Door, Host, Identity, Peer, Timing},
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{interval, timeout},
};
use tracing::{info, warn};

use super::{build, notify};
use crate::{
    cli::{Exit, Failure},
    config::lines::{LineHost, Meeting},
};

/// The folder in the state folder for what is on its way to the supervisor or from it.
const WIRE: &str = "wire";
/// How often more time to stop is asked for.
const MORE_TIME_EVERY: Duration = Duration::from_secs(10);
/// How often, and after which pause, an address is tried that is still in use.
const BIND_TRIES: u32 = 10;
const BIND_PAUSE: Duration = Duration::from_millis(100);
/// How long calls that are cut off may take to hang up and keep what they have.
const HANG_UP_LIMIT: Duration = Duration::from_secs(10);

/// A line server that runs.
pub(super) struct Life {
    host: LineHost,
    us: Arc<Identity>,
    asked: Arc<Host>,
    meeting: Met,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
    spool: Spool,
}

/// The spool of a life, which may be in use for a while after its end.
#[derive(Clone)]
pub(super) struct Spool(watch::Receiver<()>);

impl Spool {
    /// Returns when another life can have it.
    pub(super) async fn free(&mut self) {
        let _ = self.0.wait_for(|()| false).await.map(drop);
    }
}

/// How the supervisor reaches it; nobody does any more when this is dropped.
enum Met {
    At(Door),
    By(#[expect(dead_code, reason = "held for what ends with it")] Dialler),
}

impl Life {
    /// Begins.
    pub(super) async fn begin(host: LineHost, us: Arc<Identity>) -> Result<Self, Failure> {
        let server = build::server(&host)?;
        let folder = host.state.join(WIRE);
        let asked = Host::new(server.clone(), &host.name, &folder);
        let asked = asked.map_err(|error| Failure::file(folder.display(), &error))?;
        let meeting = meet(&host, &us, &asked).await?;
        let (stop, stopped) = watch::channel(false);
        let spool = Spool(server.in_use());
        let running = tokio::spawn(LineServer::run(server, stopped));
        Ok(Self { host, us, asked, meeting, stop, running, spool })
    }

    /// What it was begun with.
    pub(super) fn host(&self) -> &LineHost {
        &self.host
    }

    /// Its spool.
    pub(super) fn spool(&self) -> Spool {
        self.spool.clone()
    }

    /// Whether a new file can be put in force while calls go on and lines are kept.
    pub(super) fn keeps_lines(&self, new: &LineHost) -> bool {
        let rest = LineHost {
            meeting: self.host.meeting.clone(),
            supervisor: self.host.supervisor,
            stop_after: self.host.stop_after,
            ..new.clone()
        };
        rest == self.host
    }

    /// Meets the supervisor as another file says.
    pub(super) async fn meet(&mut self, new: LineHost) -> Result<(), Failure> {
        let same = new.meeting == self.host.meeting;
        match &self.meeting {
            Met::At(door) if same => door.admit_asker(new.supervisor, self.asked.clone()),
            Met::By(_) if same && new.supervisor == self.host.supervisor => {}
            _ => self.meeting = meet(&new, &self.us, &self.asked).await?,
        }
        self.host = new;
        Ok(())
    }

    /// Begins no more calls, lets those end that go on, and is over; at the latest after the
    /// time that it has, or when `hurry` ends. What is cut off then has a moment to leave the
    /// spool.
    pub(super) async fn end(self, hurry: impl Future<Output = ()>) {
        let Self { host, asked, meeting, stop, mut running, mut spool, .. } = self;
        info!(limit_s = host.stop_after.as_secs(), "calls under way may come to their end");
        stop.send_replace(true);
        let ending = async {
            let over = tokio::select! {
                over = timeout(host.stop_after, &mut running) => over.is_ok(),
                () = hurry => false,
            };
            if !over {
                warn!("calls that still go on are cut off");
                running.abort();
            }
            drop((meeting, asked));
            if timeout(HANG_UP_LIMIT, spool.free()).await.is_err() {
                warn!("a call that was cut off has not ended yet, and uses the spool");
            }
        };
        let mut more = interval(MORE_TIME_EVERY);
        let asking = async {
            loop {
                more.tick().await;
                notify::say(notify::MORE_TIME);
            }
        };
        tokio::select! {
            () = ending => {}
            () = asking => {}
        }
    }
}

async fn meet(host: &LineHost, us: &Arc<Identity>, asked: &Arc<Host>) -> Result<Met, Failure> {
    match &host.meeting {
        Meeting::Listen(address) => {
            let failed = |error: io::Error| {
                Failure::new(Exit::File, format!("cannot listen on {address}: {error}"))
            };
            let listener = bind(*address).await.map_err(failed)?;
            let door = Door::open(listener, us, Timing::default()).map_err(failed)?;
            door.admit_asker(host.supervisor, asked.clone());
            info!(address = %door.address(), "waiting for the supervisor");
            Ok(Met::At(door))
        }
        Meeting::Connect(name, port) => {
            let peer = Peer { host: name.clone(), port: *port, key: host.supervisor };
            info!(%peer, "dialling the supervisor");
            let dialler = Dialler::asked(us.clone(), peer, Timing::default(), asked.clone());
            Ok(Met::By(dialler))
        }
    }
}

/// Listens; an earlier life of ours may need a moment to leave the address.
async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    for _ in 0..BIND_TRIES {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                tokio::time::sleep(BIND_PAUSE).await;
            }
            bound => return bound,
        }
    }
    TcpListener::bind(address).await
}
