//! Reaches the other side and keeps reaching it: for a line server that the supervisor
//! dials, and for one that dials the supervisor.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::pki_types::{IpAddr, Ipv4Addr, ServerName};
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};
use tokio_rustls::client::TlsStream;
use tracing::{info, warn};

use super::{
    key::{Fingerprint, Identity},
    link::{Broken, Timing},
    remote::Remote,
    serve::Host,
    tls,
};

/// First and longest pause before the other side is dialled again.
const DIAL_AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// A connection that lasted so long was a good one: the next pause is the first again.
const GOOD: Duration = Duration::from_secs(10);

/// Whom to dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Its key.
    pub key: Fingerprint,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Dials until it is dropped.
pub struct Dialler(JoinHandle<()>);

impl Drop for Dialler {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is done with a connection.
#[derive(Clone)]
enum End {
    Asks(Arc<Remote>),
    Asked(Arc<Host>),
}

impl Dialler {
    /// Dials a line server for those who ask it.
    #[must_use]
    pub fn asking(us: Arc<Identity>, peer: Peer, timing: Timing, remote: Arc<Remote>) -> Self {
        Self(tokio::spawn(dial(us, peer, timing, End::Asks(remote))))
    }

    /// Dials a supervisor, to be asked by it.
    #[must_use]
    pub fn asked(us: Arc<Identity>, peer: Peer, timing: Timing, host: Arc<Host>) -> Self {
        Self(tokio::spawn(dial(us, peer, timing, End::Asked(host))))
    }
}

async fn dial(us: Arc<Identity>, peer: Peer, timing: Timing, end: End) {
    let mut pause = DIAL_AGAIN.0;
    let mut said = String::new();
    loop {
        let why = match connect(&us, &peer, timing).await {
            Ok(stream) => {
                let began = Instant::now();
                let broken = match &end {
                    End::Asks(remote) => remote.adopt(stream).await,
                    End::Asked(host) => host.serve(stream).await,
                };
                if began.elapsed() >= GOOD {
                    (pause, said) = (DIAL_AGAIN.0, String::new());
                }
                explained(&broken, &us)
            }
            Err(failed) => failed.to_string(),
        };
        if let End::Asks(remote) = &end {
            remote.note(&why);
        }
        // The same trouble is said once.
        if why != said {
            warn!(%peer, %why, "the other side is not connected; dialling again");
            said = why;
        } else {
            info!(%peer, "dialling again");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(DIAL_AGAIN.1);
    }
}

/// A refusal of our key in words that say what to do.
fn explained(broken: &Broken, us: &Identity) -> String {
    match broken {
        Broken::Io(error) if tls::refuses_us(error) => format!(
            "it does not accept our key {}: that is what must be configured there",
            us.fingerprint()
        ),
        other => other.to_string(),
    }
}

async fn connect(us: &Identity, peer: &Peer, timing: Timing) -> io::Result<TlsStream<TcpStream>> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    let reaching = TcpStream::connect((peer.host.as_str(), peer.port));
    let stream = timeout(timing.handshake, reaching).await.map_err(late)??;
    stream.set_nodelay(true)?;
    let connector = tls::connector(us, peer.key).map_err(io::Error::other)?;
    // Not looked at by anybody, and not sent.
    let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([0, 0, 0, 0])));
    let shaking = timeout(timing.handshake, connector.connect(name, stream)).await.map_err(late)?;
    shaking.map_err(|error| match tls::wrong_key(&error) {
        Some(wrong) => io::Error::new(io::ErrorKind::PermissionDenied, wrong),
        None => error,
    })
}
