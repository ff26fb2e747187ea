//! The sockets of the mail side: accepts connections, bounds their number, and
//! lets each of them be driven by its own task. Decides nothing about mail.

mod census;
mod certificate;
mod connection;
mod handshake;
mod hosts;
mod proxy;
mod received;
mod socket;
mod spool;
pub mod tls;

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, error, info, warn};

pub use crate::session::Limits;
use crate::{
    desk::{Desk, Role},
    reply::Reply,
};
pub use census::{Census, Full, Seat};
use connection::{Connection, Context, Ended};
pub use hosts::Hosts;
pub use socket::Socket;
use socket::{Caller, Stream};

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
    /// Bounds the connections of all listeners that it is given to.
    pub census: Census,
    /// Hosts that pass on the connections of others, and must say so in a header of the
    /// PROXY protocol, version 2, before anything else. Nobody else may send one.
    pub proxies: Hosts,
    /// The users whose processes may connect to a unix socket, by number; empty lets
    /// everyone in who may open it.
    pub users: Vec<u32>,
    /// What handshakes are done with. What is newly sent here counts for new ones.
    pub tls: Option<watch::Receiver<Arc<tls::Keys>>>,
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
    /// For the header of a proxy, which it sends at once.
    pub proxy_s: u64,
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
            proxy_s: 10,
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
            census: Census::new(500, 20),
            proxies: Hosts::default(),
            users: Vec::new(),
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
    listener: impl Into<Socket>,
    role: Role,
    options: Options,
    desk: Arc<dyn Desk>,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    if matches!(role, Role::Submission | Role::Submissions) && options.tls.is_none() {
        return Err(ServeError::NeedsCertificate(role));
    }
    let listener = listener.into();
    let drain = Duration::from_secs(options.timeouts.drain_s);
    let context = Arc::new(Context { role, options, desk });
    let (stage, stages) = watch::channel(Stage::Running);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = told(&mut shutdown) => break,
            Some(ended) = connections.join_next() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, caller)) => match admit(caller, &context.options) {
                    Ok(seat) => {
                        let (context, stages) = (Arc::clone(&context), stages.clone());
                        connections.spawn(attend(stream, caller, seat, context, stages));
                    }
                    Err(reply) => turn_away(stream, caller, role, &reply).await,
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

/// A place, or why there is none. Whose place it is shows later where a proxy calls.
fn admit(caller: Caller, options: &Options) -> Result<Seat, Reply> {
    let users = &options.users;
    if let Some(process) = caller.process
        && !users.is_empty()
        && !users.contains(&process.uid)
    {
        return Err(Reply::new(554, (7, 1), format!("not for processes of uid {}", process.uid)));
    }
    let full = |full: Full| Reply::new(421, (7, 0), full.to_string());
    let mut seat = options.census.admit().map_err(full)?;
    if !is_proxy(caller, options) {
        seat.belongs_to(caller).map_err(full)?;
    }
    Ok(seat)
}

fn is_proxy(caller: Caller, options: &Options) -> bool {
    caller.process.is_none() && options.proxies.contains(caller.address)
}

async fn attend(
    mut stream: Box<dyn Stream>,
    mut caller: Caller,
    mut seat: Seat,
    context: Arc<Context>,
    mut stages: watch::Receiver<Stage>,
) {
    let stages_of_it = stages.clone();
    let open = async {
        if is_proxy(caller, &context.options) {
            caller.address = told_by_proxy(&mut stream, caller, &context.options).await?;
            if let Err(full) = seat.belongs_to(caller) {
                let reply = Reply::new(421, (7, 0), full.to_string());
                turn_away(stream, caller, context.role, &reply).await;
                return Err(Ended::Full(full));
            }
        }
        debug!(address = %caller.address, process = ?caller.process, "connected");
        Connection::open(stream, caller, context, stages_of_it).await
    };
    let opened = tokio::select! {
        opened = open => opened,
        () = reached(&mut stages, Stage::Draining) => Err(Ended::Stopped),
    };
    let address = caller.address;
    match opened {
        Ok(connection) => connection.run().await,
        // Nobody at the other end reads a log of ours but whoever runs the proxy.
        Err(ended @ (Ended::Proxy(_) | Ended::SlowProxy)) => {
            warn!(%address, "connection refused: {ended}");
        }
        Err(ended @ Ended::Handshake(_)) => info!(%address, %ended, "ended before the greeting"),
        Err(ended) => debug!(%address, %ended, "ended before the greeting"),
    }
    debug!(%address, "disconnected");
}

/// Whose connection a proxy passes on.
async fn told_by_proxy(
    stream: &mut Box<dyn Stream>,
    caller: Caller,
    options: &Options,
) -> Result<IpAddr, Ended> {
    let within = Duration::from_secs(options.timeouts.proxy_s);
    let read = async {
        let mut header = Vec::with_capacity(proxy::SIGNATURE.len());
        loop {
            match proxy::parse(&header)? {
                proxy::Progress::Done(proxy::Origin::Client(address)) => return Ok(address),
                proxy::Progress::Done(proxy::Origin::Proxy) => return Ok(caller.address),
                proxy::Progress::Wants(all) => {
                    let missing = u64::try_from(all - header.len()).unwrap_or(u64::MAX);
                    if (&mut *stream).take(missing).read_buf(&mut header).await? == 0 {
                        return Err(Ended::HungUp);
                    }
                }
            }
        }
    };
    timeout(within, read).await.unwrap_or(Err(Ended::SlowProxy))
}

/// Ends when that stage is reached, or when nobody is left to say so.
async fn reached(stages: &mut watch::Receiver<Stage>, stage: Stage) {
    let _either = stages.wait_for(|now| *now >= stage).await;
}

async fn turn_away(mut stream: Box<dyn Stream>, caller: Caller, role: Role, reply: &Reply) {
    warn!(address = %caller.address, process = ?caller.process, why = reply.text(), "connection refused");
    if role != Role::Submissions {
        // Whether it is heard is the client's business.
        let _ = timeout(TURN_AWAY, stream.write_all(&reply.wire())).await;
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        error!(%error, "a connection ended in a bug");
    }
}

#[cfg(test)]
mod tests;
