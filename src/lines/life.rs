//! A line server that runs: its lines, its spool, and how the supervisor reaches it.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use postfax_hw::line::{
    server::LineServer,
    wire::{Dialler, Door, Host, Identity, Peer, Timing},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};
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

/// How often, and after which pause, it is looked whether the spool is let go of.
const LEAVE_TRIES: u32 = 100;
const LEAVE_PAUSE: Duration = Duration::from_millis(50);

/// A line server that runs.
pub(super) struct Life {
    host: LineHost,
    us: Arc<Identity>,
    asked: Arc<Host>,
    meeting: Met,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
    /// There as long as anybody uses the server, and with it the spool.
    server: Weak<LineServer>,
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
        let left = Arc::downgrade(&server);
        let running = tokio::spawn(LineServer::run(server, stopped));
        Ok(Self { host, us, asked, meeting, stop, running, server: left })
    }

    /// What it was begun with.
    pub(super) fn host(&self) -> &LineHost {
        &self.host
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
    /// time that it has, or when `hurry` ends. Whether it was hurried.
    pub(super) async fn end(self, hurry: impl Future<Output = ()>) -> bool {
        info!(limit_s = self.host.stop_after.as_secs(), "calls under way may come to their end");
        self.stop.send_replace(true);
        let mut running = self.running;
        let ending = async {
            let mut more = tokio::time::interval(MORE_TIME_EVERY);
            loop {
                tokio::select! {
                    _ = &mut running => return,
                    _ = more.tick() => notify::say(notify::MORE_TIME),
                }
            }
        };
        let (over, hurried) = tokio::select! {
            over = timeout(self.host.stop_after, ending) => (over.is_ok(), false),
            () = hurry => (false, true),
        };
        if !over {
            warn!("calls that still go on are cut off");
            running.abort();
        }
        // What is aborted, such as the connection to the supervisor, ends a little later;
        // until then the spool is in use, and the next life would not get it.
        drop((self.meeting, self.asked));
        for _ in 0..LEAVE_TRIES {
            if self.server.strong_count() == 0 {
                break;
            }
            tokio::time::sleep(LEAVE_PAUSE).await;
        }
        hurried
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
