//! A listener for the other side: answers those whose key is known, and lets strangers take
//! neither time, nor memory, nor room in the log.

use std::{
    collections::{HashMap, HashSet},
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use super::{
    key::{Fingerprint, Identity},
    link::Timing,
    remote::Remote,
    serve::Host,
    tls,
};

/// Most connections that have not proved who they are yet, and most of them from one
/// address.
const STRANGERS: (usize, usize) = (64, 8);
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

/// Those who may come in, by their keys.
type Guests = Arc<RwLock<HashMap<Fingerprint, End>>>;

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
        let known = Arc::new(move |key: &Fingerprint| find(&known, key).is_some());
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

    /// From now on the supervisor with this key, and nobody else, may come in and ask.
    pub fn admit_asker(&self, key: Fingerprint, host: Arc<Host>) {
        self.admit(HashMap::from([(key, End::Asked(host))]));
    }

    /// From now on the line servers with these keys, and nobody else, may come in to be
    /// asked. Those who are in stay.
    pub fn admit_asked(&self, remotes: impl IntoIterator<Item = (Fingerprint, Arc<Remote>)>) {
        let end = |(key, remote)| (key, End::Asks(remote));
        self.admit(remotes.into_iter().map(end).collect());
    }

    fn admit(&self, guests: HashMap<Fingerprint, End>) {
        *self.guests.write().unwrap_or_else(PoisonError::into_inner) = guests;
    }
}

fn find(guests: &Guests, key: &Fingerprint) -> Option<End> {
    guests.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
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
    let Some(end) = key.and_then(|key| find(&lobby.guests, &key)) else { return };
    let broken = match end {
        End::Asks(remote) => remote.adopt(stream).await,
        End::Asked(host) => host.serve(stream).await,
    };
    info!(%from, why = %broken, "a connection has ended");
}

impl Lobby {
    fn place(self: &Arc<Self>, from: IpAddr) -> Option<Place> {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = strangers.values().sum();
        let of_this = strangers.get(&from).copied().unwrap_or(0);
        if all >= STRANGERS.0 || of_this >= STRANGERS.1 {
            return None;
        }
        strangers.insert(from, of_this + 1);
        drop(strangers);
        Some(Place(self.clone(), from))
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
