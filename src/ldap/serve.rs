//! The sockets of the LDAP door: opened and closed as the configuration says, now and at
//! each reload. Bounds how many come in. Knows nothing of what is asked.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use postfax_gateway::server::{Census, Seat};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, error, info, warn};

use super::{
    Shared,
    connection::{Connection, Terms},
    object::Place,
};
use crate::{
    config::{Config, LdapAddress},
    daemon::DaemonError,
};

/// How long to wait when no more connections can be accepted for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How long connections may take to end when the daemon stops.
const DRAIN: Duration = Duration::from_secs(10);
/// Changes that may wait for each other.
const CHANGES: usize = 8;

/// The door, as others change it.
#[derive(Clone)]
pub(crate) struct Door {
    changes: mpsc::Sender<Change>,
    /// What is open, by its address.
    open: Arc<Mutex<BTreeMap<SocketAddr, TcpListener>>>,
}

/// Sockets that are open and not served yet; closed where nothing comes of it.
pub(crate) struct Ready {
    door: Door,
    wanted: Vec<LdapAddress>,
    fresh: Vec<(SocketAddr, TcpListener)>,
}

type Change = Vec<(LdapAddress, TcpListener)>;

impl Door {
    pub(super) fn new() -> (Self, mpsc::Receiver<Change>) {
        let (changes, changed) = mpsc::channel(CHANGES);
        (Self { changes, open: Arc::default() }, changed)
    }

    /// Opens what this configuration has and is not open yet.
    ///
    /// # Errors
    /// [`DaemonError::Listen`] names the address that cannot be had.
    pub(crate) fn prepare(&self, config: &Config) -> Result<Ready, DaemonError> {
        let wanted = config.ldap.as_ref().map_or_else(Vec::new, |ldap| ldap.listen.clone());
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fresh = Vec::new();
        for listen in wanted.iter().filter(|listen| !open.contains_key(&listen.address)) {
            let bind = || {
                let socket = TcpListener::bind(listen.address)?;
                socket.set_nonblocking(true)?;
                Ok(socket)
            };
            let failed = |source| DaemonError::Listen { what: listen.to_string(), source };
            fresh.push((listen.address, bind().map_err(failed)?));
        }
        drop(open);
        Ok(Ready { door: self.clone(), wanted, fresh })
    }
}

impl Ready {
    /// Has the door so from now on: what is not wanted any more is closed, with the
    /// connections through it.
    pub(crate) async fn serve(self) {
        let change = {
            let mut open = self.door.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.extend(self.fresh);
            open.retain(|address, _| self.wanted.iter().any(|listen| listen.address == *address));
            let copy = |listen: &LdapAddress| match open.get(&listen.address)?.try_clone() {
                Ok(socket) => Some((*listen, socket)),
                Err(failed) => {
                    error!(%listen, %failed, "the listener cannot be served");
                    None
                }
            };
            self.wanted.iter().filter_map(copy).collect()
        };
        // Without anybody who hears it, the daemon stops.
        let _ = self.door.changes.send(change).await;
    }
}

/// Keeps the door until the daemon stops.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    changed: mpsc::Receiver<Change>,
    stop: watch::Receiver<bool>,
    served: BTreeMap<LdapAddress, watch::Sender<bool>>,
    serving: JoinSet<()>,
}

impl Keeper {
    pub(super) fn new(
        shared: Arc<Shared>,
        changed: mpsc::Receiver<Change>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { shared, changed, stop, served: BTreeMap::new(), serving: JoinSet::new() }
    }

    pub(super) async fn keep(mut self) {
        loop {
            tokio::select! {
                () = told(&mut self.stop) => break,
                Some(change) = self.changed.recv() => self.change(change),
                Some(ended) = self.serving.join_next() => {
                    if let Err(bug) = ended {
                        error!(%bug, "an LDAP listener ended in a bug");
                    }
                }
            }
        }
        for stop in self.served.values() {
            stop.send_replace(true);
        }
        let _ = timeout(DRAIN, async { while self.serving.join_next().await.is_some() {} }).await;
    }

    fn change(&mut self, change: Change) {
        self.served.retain(|listen, stop| {
            let stays = change.iter().any(|(wanted, _)| wanted == listen);
            if !stays {
                info!(%listen, "no longer listening");
                stop.send_replace(true);
            }
            stays
        });
        for (listen, socket) in change {
            if self.served.contains_key(&listen) {
                continue;
            }
            let socket = match tokio::net::TcpListener::from_std(socket) {
                Ok(socket) => socket,
                Err(failed) => {
                    error!(%listen, %failed, "the listener cannot be served");
                    continue;
                }
            };
            info!(address = %listen, "listening for LDAP");
            let stop = watch::Sender::new(false);
            self.serving.spawn(serve(self.shared.clone(), listen, socket, stop.subscribe()));
            self.served.insert(listen, stop);
        }
    }
}

async fn serve(
    shared: Arc<Shared>,
    listen: LdapAddress,
    socket: tokio::net::TcpListener,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let stopped = stop.clone();
    loop {
        let accepted = tokio::select! {
            () = told(&mut stop) => break,
            accepted = socket.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(failed) => {
                warn!(%failed, "a connection to the LDAP door failed");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some((seat, terms)) = admit(&shared, peer) else { continue };
        let (shared, stop) = (shared.clone(), stopped.clone());
        connections.spawn(async move {
            let connection = Connection::open(shared, stream, peer.ip(), listen.tls, terms).await;
            let ended = match connection {
                Ok(connection) => connection.run(stop).await,
                Err(over) => Err(over),
            };
            if let Err(over) = ended {
                debug!(%peer, %over, "a connection to the LDAP door ended");
            }
            drop(seat);
        });
    }
    drop(socket);
    let _ = timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
}

/// Ends when this is to stop.
pub(super) async fn told(stop: &mut watch::Receiver<bool>) {
    let _either = stop.wait_for(|stop| *stop).await;
}

/// A place, and the terms in force now; none where there is no room.
fn admit(shared: &Shared, peer: SocketAddr) -> Option<(Seat, Terms)> {
    let config = shared.context.config.load();
    let ldap = config.ldap.as_ref()?;
    let limits = &ldap.limits;
    shared.census.limit(limits.max_connections, limits.max_connections_per_address);
    match shared.census.seat(peer.ip()) {
        Ok(seat) => {
            let place = Arc::new(Place::new(&ldap.base));
            Some((seat, Terms { place, limits: limits.clone(), cleartext: ldap.cleartext }))
        }
        Err(full) => {
            debug!(%peer, %full, "the LDAP door is full");
            None
        }
    }
}

/// Nobody is in yet; the limits come with those who do.
pub(super) fn census() -> Census {
    Census::new(0, 0)
}
