//! The sockets of the mail side: accepts connections, bounds their number, and
//! lets each of them be driven by its own task. Decides nothing about mail.

mod census;
mod connection;
mod received;
mod spool;
pub mod tls;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, error, warn};

pub use crate::session::Limits;
use crate::{
    desk::{Desk, Role},
    reply::Reply,
};
use census::Census;
use connection::{Connection, Context, Ended};

/// How long to wait when no more connections can be accepted for want of
/// descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How long a turned-away client may take to hear why.
const TURN_AWAY: Duration = Duration::from_millis(200);

/// How a listener serves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name in the greeting and in `Received:` lines.
    pub hostname: String,
    /// What bounds one connection.
    pub limits: Limits,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// Most connections at a time.
    pub max_connections: usize,
    /// Most connections at a time from one IPv4 address or one IPv6 /64.
    pub max_connections_per_address: usize,
    /// The certificate. A new one that is sent here counts for new handshakes.
    pub tls: Option<watch::Receiver<Arc<rustls::ServerConfig>>>,
}

/// How long things may take.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// How long to listen for a client that talks before the greeting, in
    /// milliseconds; 0 looks only at what came with the connection.
    pub greeting_wait_ms: u64,
    /// For a whole command line; RFC 5321 4.5.3.2.7 asks for 300.
    pub command_s: u64,
    /// Between two pieces of a message; RFC 5321 4.5.3.2.5 has clients wait 180.
    pub data_block_s: u64,
    /// For a whole message.
    pub data_total_s: u64,
    /// For a TLS handshake.
    pub handshake_s: u64,
    /// For the client to take a reply.
    pub send_s: u64,
    /// For messages under way when the server is told to stop.
    pub drain_s: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            greeting_wait_ms: 20,
            command_s: 300,
            data_block_s: 180,
            data_total_s: 3600,
            handshake_s: 30,
            send_s: 60,
            drain_s: 30,
        }
    }
}

impl Options {
    /// Sane values for a host of that name, without a certificate.
    pub fn new(hostname: &str) -> Self {
        Self {
            hostname: hostname.to_owned(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            max_connections: 500,
            max_connections_per_address: 20,
            tls: None,
        }
    }
}

/// Why a listener cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its role is nothing without TLS.
    #[error("a {0:?} listener needs a certificate")]
    NeedsCertificate(Role),
}

/// What the connections of a listener are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Go on.
    Running,
    /// Finish the message under way, then leave.
    Draining,
    /// Leave at once; only the desk is still waited for.
    Stopping,
}

/// Serves a listener until `shutdown` turns true or its sender is gone; then idle
/// connections are told to come back, messages under way are finished for a while,
/// and every question that the desk was asked is waited for.
pub async fn serve(
    listener: TcpListener,
    role: Role,
    options: Options,
    desk: Arc<dyn Desk>,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    if role != Role::Relay && options.tls.is_none() {
        return Err(ServeError::NeedsCertificate(role));
    }
    let census = Census::new(options.max_connections, options.max_connections_per_address);
    let drain = Duration::from_secs(options.timeouts.drain_s);
    let context = Arc::new(Context { role, options, desk });
    let (stage, stages) = watch::channel(Stage::Running);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = told(&mut shutdown) => break,
            Some(ended) = connections.join_next() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match census.admit(peer.ip()) {
                    Ok(seat) => {
                        let (context, stages) = (Arc::clone(&context), stages.clone());
                        connections.spawn(async move {
                            let _seat = seat;
                            attend(stream, peer, context, stages).await;
                        });
                    }
                    Err(full) => turn_away(stream, peer, role, &full.to_string()).await,
                },
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    stage.send_replace(Stage::Draining);
    let drained = async {
        while let Some(ended) = connections.join_next().await {
            report(ended)
        }
    };
    if timeout(drain, drained).await.is_err() {
        stage.send_replace(Stage::Stopping);
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    }
    Ok(())
}

/// Ends when the value turns true, or when nobody is left to turn it.
async fn told(shutdown: &mut watch::Receiver<bool>) {
    let _either = shutdown.wait_for(|stop| *stop).await;
}

async fn attend(
    stream: TcpStream,
    peer: SocketAddr,
    context: Arc<Context>,
    mut stages: watch::Receiver<Stage>,
) {
    let address = peer.ip().to_canonical();
    // Replies are small and waited for; a stall of 40 ms each would be all that is seen.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%address, %error, "no TCP_NODELAY");
    }
    debug!(%address, "connected");
    let opened = tokio::select! {
        opened = Connection::open(stream, address, context, stages.clone()) => opened,
        () = reached(&mut stages, Stage::Draining) => Err(Ended::Stopped),
    };
    match opened {
        Ok(connection) => connection.run().await,
        Err(ended) => debug!(%address, %ended, "ended before the greeting"),
    }
    debug!(%address, "disconnected");
}

/// Ends when that stage is reached, or when nobody is left to say so.
async fn reached(stages: &mut watch::Receiver<Stage>, stage: Stage) {
    let _either = stages.wait_for(|now| *now >= stage).await;
}

async fn turn_away(mut stream: TcpStream, peer: SocketAddr, role: Role, why: &str) {
    warn!(address = %peer.ip(), why, "connection refused");
    if role != Role::Submissions {
        let reply = Reply::new(421, (7, 0), why).wire();
        // Whether it is heard is the client's business.
        let _ = timeout(TURN_AWAY, stream.write_all(&reply)).await;
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        error!(%error, "a connection ended in a bug");
    }
}

#[cfg(test)]
mod tests;
