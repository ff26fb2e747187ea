//! A SIP trunk as a line: it registers or is known by its address, places calls and takes
//! those that come in, as many at once as it has channels.

mod keep;
mod peers;
mod place;
mod take;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use thiserror::Error;
use tokio::sync::watch;

use self::peers::Peers;
use super::{
    agent::{Agent, Allowed},
    call::Terms,
    memory::Memory,
    options::{Transport, TrunkOptions},
    play::{Media, Players, Ports},
    trace::Traces,
};
use crate::line::{Desk, Ended, Line, LineSettings, LineState, Order};

/// Why a trunk cannot be made of its options.
#[derive(Debug, Error)]
pub enum TrunkError {
    /// Nothing is there to call.
    #[error("the trunk `{0}` needs a `server`: its host, with a port where that is not 5060")]
    NoServer(String),
    /// A trunk without channels takes no call.
    #[error("the trunk `{0}` needs at least one of `channels`")]
    NoChannels(String),
    /// Ports that are no range.
    #[error("`media_ports` of the trunk `{0}` must be the first and the last of at least two")]
    NoPorts(String),
    /// A folder.
    #[error("cannot make {0}: {1}")]
    Folder(String, io::Error),
}

/// A SIP trunk.
pub struct Trunk {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    options: TrunkOptions,
    media: Arc<dyn Media>,
    memory: Arc<Memory>,
    traces: Option<Arc<Traces>>,
    settings: watch::Sender<LineSettings>,
    state: Mutex<LineState>,
    changed: watch::Sender<()>,
    /// The agent, with what its calls have in common, while there is one.
    running: Mutex<Option<Running>>,
    busy: AtomicUsize,
    /// Who may call, as last known.
    peers: Mutex<Peers>,
}

/// What calls are placed with.
#[derive(Clone)]
struct Running {
    agent: Arc<Agent>,
    terms: Arc<Terms>,
}

impl Trunk {
    /// Makes a trunk; nothing is opened before [`Line::run`].
    ///
    /// # Errors
    /// [`TrunkError`] names what is wrong with the options.
    pub fn new(options: TrunkOptions) -> Result<Self, TrunkError> {
        Self::with_media(options, Arc::new(Players))
    }

    pub(crate) fn with_media(
        options: TrunkOptions,
        media: Arc<dyn Media>,
    ) -> Result<Self, TrunkError> {
        let name = options.name.clone();
        if options.server.trim().is_empty() {
            return Err(TrunkError::NoServer(name));
        }
        if options.channels == 0 {
            return Err(TrunkError::NoChannels(name));
        }
        if options.media_ports.0 != 0 && options.media_ports.1 <= options.media_ports.0 {
            return Err(TrunkError::NoPorts(name));
        }
        let traces = match &options.trace_folder {
            Some(folder) => Some(
                Traces::new(folder)
                    .map_err(|error| TrunkError::Folder(folder.display().to_string(), error))?,
            ),
            None => None,
        };
        let file = options.state_folder.as_ref().map(|folder| {
            let harmless: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            folder.join(format!("sip-{harmless}.json"))
        });
        let memory = Arc::new(Memory::open(file, options.memory_days));
        Ok(Self {
            inner: Arc::new(Inner {
                options,
                media,
                memory,
                traces,
                settings: watch::Sender::new(LineSettings::new()),
                state: Mutex::new(LineState::Starting),
                changed: watch::Sender::new(()),
                running: Mutex::new(None),
                busy: AtomicUsize::new(0),
                peers: Mutex::default(),
            }),
        })
    }

    #[cfg(test)]
    pub(super) fn busy(&self) -> &AtomicUsize {
        &self.inner.busy
    }

    /// Where its agent listens, while it does.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.inner.running().map(|running| running.agent.address())
    }
}

/// A channel that is in use.
struct Channel(Arc<Inner>);

impl Drop for Channel {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
        self.0.tell();
    }
}

impl Inner {
    fn running(&self) -> Option<Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn channels(&self) -> usize {
        let most = self.settings.borrow().max_calls.unwrap_or(usize::MAX);
        self.options.channels.min(most)
    }

    /// Takes a channel, where one is free.
    fn channel(self: &Arc<Self>) -> Option<Channel> {
        let most = self.channels();
        let taken = self.busy.fetch_update(Ordering::AcqRel, Ordering::Acquire, |busy| {
            (busy < most).then_some(busy + 1)
        });
        taken.ok()?;
        self.tell();
        Some(Channel(Arc::clone(self)))
    }

    fn set_state(&self, state: LineState) {
        let mut now = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *now != state {
            *now = state;
            drop(now);
            self.tell();
        }
    }

    fn state(&self) -> LineState {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match state {
            LineState::Ready(_) => LineState::Ready(self.busy.load(Ordering::Acquire)),
            other => other,
        }
    }

    fn tell(&self) {
        self.changed.send_replace(());
    }

    /// The trunk's host and port, the port that is SIP's by default where none is given.
    fn server(&self) -> String {
        with_port(&self.options.server, self.options.transport)
    }

    /// Looks up who may call. False: some are not known now.
    async fn look_up_peers(&self) -> (Allowed, bool) {
        let known = self.peers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (peers, all_known) = known.look_up(&self.options).await;
        let allowed = peers.allowed();
        *self.peers.lock().unwrap_or_else(PoisonError::into_inner) = peers;
        (allowed, all_known)
    }

    /// Our domain: the host alone.
    fn domain(&self) -> &str {
        self.options.domain.as_deref().unwrap_or_else(|| host(&self.options.server))
    }
}

/// `host` of `host:port`.
fn host(server: &str) -> &str {
    match server.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.ends_with(':') => {
            host
        }
        _ => server,
    }
}

fn with_port(server: &str, transport: Transport) -> String {
    let port = if transport == Transport::Tls { 5061 } else { 5060 };
    match host(server) == server {
        true => format!("{server}:{port}"),
        false => server.to_owned(),
    }
}

/// The address by which the way to `server` leaves this machine.
fn own_address(bind: IpAddr, server: SocketAddr) -> io::Result<IpAddr> {
    if !bind.is_unspecified() {
        return Ok(bind);
    }
    // A connected datagram socket sends nothing, but knows the way.
    let any = match server {
        SocketAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
        SocketAddr::V6(_) => SocketAddr::from(([0_u16; 8], 0)),
    };
    let socket = std::net::UdpSocket::bind(any)?;
    socket.connect(server)?;
    Ok(socket.local_addr()?.ip())
}

#[async_trait]
impl Line for Trunk {
    fn name(&self) -> &str {
        &self.inner.options.name
    }

    fn channels(&self) -> usize {
        self.inner.channels()
    }

    fn state(&self) -> LineState {
        self.inner.state()
    }

    fn changes(&self) -> watch::Receiver<()> {
        self.inner.changed.subscribe()
    }

    fn configure(&self, settings: LineSettings) {
        self.inner.settings.send_replace(settings);
        self.inner.tell();
    }

    async fn run(&self, desk: Arc<dyn Desk>, stop: watch::Receiver<bool>) {
        keep::keep(&self.inner, desk, stop).await;
    }

    async fn place(&self, order: Order) -> Ended {
        place::place(&self.inner, order).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[test]
    fn hosts_and_ports_are_told_apart() {
        for (server, name, full) in [
            ("trunk.example.com", "trunk.example.com", "trunk.example.com:5060"),
            ("trunk.example.com:5080", "trunk.example.com", "trunk.example.com:5080"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.1:5060"),
            ("[2001:db8::1]", "[2001:db8::1]", "[2001:db8::1]:5060"),
            ("[2001:db8::1]:5070", "[2001:db8::1]", "[2001:db8::1]:5070"),
        ] {
            assert_eq!((host(server), with_port(server, Transport::Udp).as_str()), (name, full));
        }
        assert!(with_port("a", Transport::Tls).ends_with(":5061"));
    }

    #[test]
    fn options_that_make_no_trunk_are_refused() {
        let options = |change: fn(&mut TrunkOptions)| {
            let mut options = TrunkOptions::new("t", "192.0.2.1");
            change(&mut options);
            Trunk::new(options)
        };
        assert!(options(|_| {}).is_ok());
        assert!(matches!(options(|o| o.server.clear()), Err(TrunkError::NoServer(_))));
        assert!(matches!(options(|o| o.channels = 0), Err(TrunkError::NoChannels(_))));
        assert!(matches!(options(|o| o.media_ports = (9, 9)), Err(TrunkError::NoPorts(_))));
    }
}
