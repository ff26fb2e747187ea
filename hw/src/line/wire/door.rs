//! A listener for the other side: answers those whose key is known, and lets strangers take
//! neither time, nor memory, nor room in the log.

use std::{
    collections::{HashMap, HashSet},
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use super::{
    key::{Fingerprint, Identity},
    link::{Broken, Timing},
    remote::Remote,
    serve::Host,
    tls,
};

/// Most connections that have not proved who they are yet, and most of them from one
/// network.
const STRANGERS: (usize, usize) = (64, 8);
/// Places of these that only networks have from which somebody came who is known.
const FOR_KNOWN: usize = 8;
/// Different keys that are named in the log in an hour.
const NAMED: usize = 16;
/// How long a key that was named is not named again.
const NAMED_FOR: Duration = Duration::from_secs(3600);
/// Pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who is behind a key.
#[derive(Clone)]
enum End {
    Asks(Arc<Remote>),
    Asked(Arc<Host>),
}

impl End {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Asks(one), Self::Asks(other)) => Arc::ptr_eq(one, other),
            (Self::Asked(one), Self::Asked(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

/// Somebody who may come in.
struct Guest {
    end: End,
    /// Closed when this is dropped: then the guest has to leave.
    welcome: watch::Sender<()>,
    /// Where it came from last.
    network: Option<IpAddr>,
}

/// Those who may come in, by their keys.
type Guests = Arc<RwLock<HashMap<Fingerprint, Guest>>>;

/// A listener; it ends when this is dropped, and the connections that came by it.
pub struct Door {
    guests: Guests,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Door {
    /// Opens a door that nobody may come in by yet.
    ///
    /// # Errors
    /// When the key cannot be used, or the listener not be asked for its address.
    pub fn open(listener: TcpListener, us: &Identity, timing: Timing) -> io::Result<Self> {
        let guests = Guests::default();
        let known = guests.clone();
        let known = Arc::new(move |key: &Fingerprint| {
            known.read().unwrap_or_else(PoisonError::into_inner).contains_key(key)
        });
        let acceptor = tls::acceptor(us, known).map_err(io::Error::other)?;
        let address = listener.local_addr()?;
        let lobby = Arc::new(Lobby {
            acceptor,
            timing,
            guests: guests.clone(),
            strangers: Mutex::default(),
            named: Mutex::new((HashSet::new(), Instant::now())),
        });
        let task = tokio::spawn(answer(listener, lobby));
        Ok(Self { guests, address, task })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the supervisor with this key, and nobody else, may come in and ask. Who
    /// is in with another one has to leave.
    pub fn admit_asker(&self, key: Fingerprint, host: Arc<Host>) {
        self.admit([(key, End::Asked(host))]);
    }

    /// From now on the line servers with these keys, and nobody else, may come in to be
    /// asked. Those who are in stay; whose key is not among them, or belongs to another
    /// [`Remote`] than before, has to leave.
    pub fn admit_asked(&self, remotes: impl IntoIterator<Item = (Fingerprint, Arc<Remote>)>) {
        self.admit(remotes.into_iter().map(|(key, remote)| (key, End::Asks(remote))));
    }

    fn admit(&self, ends: impl IntoIterator<Item = (Fingerprint, End)>) {
        let mut guests = self.guests.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *guests);
        for (key, end) in ends {
            let same = before.remove(&key).filter(|guest| guest.end.is(&end));
            let new = || Guest { end, welcome: watch::Sender::new(()), network: None };
            guests.insert(key, same.unwrap_or_else(new));
        }
    }
}

/// Where those are who have not proved who they are.
struct Lobby {
    acceptor: TlsAcceptor,
    timing: Timing,
    guests: Guests,
    strangers: Mutex<HashMap<IpAddr, usize>>,
    named: Mutex<(HashSet<Fingerprint>, Instant)>,
}

/// One of them; its place is free when this is dropped.
struct Place(Arc<Lobby>, IpAddr);

impl Drop for Place {
    fn drop(&mut self) {
        let mut strangers = self.0.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = strangers.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                strangers.remove(&self.1);
            }
        }
    }
}

async fn answer(listener: TcpListener, lobby: Arc<Lobby>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(failed) => {
                warn!(%failed, "a connection of a line server could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Whoever finds no room is closed at once, without a word in the log.
        if let Some(place) = lobby.place(from.ip()) {
            connections.spawn(greet(lobby.clone(), stream, from, place));
        }
    }
}

async fn greet(lobby: Arc<Lobby>, stream: TcpStream, from: SocketAddr, place: Place) {
    let _ = stream.set_nodelay(true);
    let shaking = lobby.acceptor.accept(stream);
    let stream = match timeout(lobby.timing.handshake, shaking).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return lobby.refused(&error, from),
        Err(_) => return,
    };
    drop(place);
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let key = certificate.and_then(|certificate| Fingerprint::of(certificate).ok());
    // A reload may have taken it out meanwhile.
    let Some((end, mut welcome)) = key.and_then(|key| lobby.enter(&key, from.ip())) else { return };
    let shown_out = async move {
        let _ = welcome.wait_for(|()| false).await.map(drop);
    };
    let broken = match end {
        End::Asks(remote) => tokio::select! {
            broken = remote.adopt(stream) => broken,
            () = shown_out => Broken::Withdrawn,
        },
        End::Asked(host) => host.serve_until(stream, shown_out).await,
    };
    info!(%from, why = %broken, "a connection has ended");
}

impl Lobby {
    fn place(self: &Arc<Self>, from: IpAddr) -> Option<Place> {
        let from = network(from);
        let known = self.knows(from);
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = strangers.values().sum();
        let of_this = strangers.get(&from).copied().unwrap_or(0);
        let most = if known { STRANGERS.0 } else { STRANGERS.0 - FOR_KNOWN };
        if all >= most || of_this >= STRANGERS.1 {
            return None;
        }
        strangers.insert(from, of_this + 1);
        drop(strangers);
        Some(Place(self.clone(), from))
    }

    /// Whether somebody who may come in came from there.
    fn knows(&self, network: IpAddr) -> bool {
        let guests = self.guests.read().unwrap_or_else(PoisonError::into_inner);
        guests.values().any(|guest| guest.network == Some(network))
    }

    /// Lets in whoever has this key; as long as the second of these is not closed.
    fn enter(&self, key: &Fingerprint, from: IpAddr) -> Option<(End, watch::Receiver<()>)> {
        let mut guests = self.guests.write().unwrap_or_else(PoisonError::into_inner);
        let guest = guests.get_mut(key)?;
        guest.network = Some(network(from));
        Some((guest.end.clone(), guest.welcome.subscribe()))
    }

    /// Names a key that is not known, so that an administrator can let it in: once, and
    /// only so many of them, whoever knocks how often.
    fn refused(&self, error: &io::Error, from: SocketAddr) {
        let Some(wrong) = tls::wrong_key(error) else { return };
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.1.elapsed() >= NAMED_FOR {
            *named = (HashSet::new(), Instant::now());
        }
        if named.0.len() < NAMED && named.0.insert(wrong.0) {
            warn!(%from, key = %wrong.0, "somebody with a key that is not configured was refused");
        }
    }
}

/// What one host may have many addresses of: of IPv6 the first 64 bits (RFC 4291 2.5.4).
fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(bits))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_with_many_addresses_is_one() {
        for (one, other, same) in [
            ("2001:db8:1:2::3", "2001:db8:1:2:ffff::", true),
            ("2001:db8:1:2::3", "2001:db8:1:3::3", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(network(one) == network(other), same, "{one} {other}");
        }
    }
}
