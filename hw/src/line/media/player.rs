//! The thread that plays one session over its socket, in real time.
//!
//! It wakes every 20 ms by an absolute clock, takes what has come and sends what is due.
//! After a delay it catches up, unless that was so long that the far end has given up
//! on it anyhow.

use std::{
    collections::VecDeque,
    io,
    net::{SocketAddr, UdpSocket},
    sync::mpsc as std_mpsc,
    time::{Duration, Instant},
};

use postfax_domain::outcome::Outcome;
use tokio::sync::mpsc;

use super::{
    Flow, Happening,
    talk::{TICK, Talk},
};
use crate::{line::Ended, t30::Session};

/// A player that lags more than this behind drops the lag.
const MOST_LAG: Duration = Duration::from_millis(500);
/// Most packets that are taken at a time.
const ROUND: usize = 64;
/// Larger datagrams are cut, and then are none of ours.
const MAX_DATAGRAM: usize = 2048;

/// One T.30 session on a thread of its own. Dropping it hangs up.
#[derive(Debug)]
pub struct Player {
    orders: std_mpsc::Sender<Order>,
}

/// What a player is told meanwhile.
#[derive(Debug)]
enum Order {
    Change(Flow),
    Stop,
}

impl Player {
    /// Starts a session over a flow. It ends by itself after `limit` at the latest, and
    /// tells [`Happening::Ended`] last, whatever happens. What is told waits for whoever
    /// listens and keeps its order; only the end is waited for.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(
        session: Session,
        flow: Flow,
        limit: Duration,
        tell: mpsc::Sender<Happening>,
    ) -> io::Result<Self> {
        let (orders, told) = std_mpsc::channel();
        let link = Link::new(&flow)?;
        std::thread::Builder::new().name("fax-call".into()).spawn(move || {
            crate::urgent::keep_time();
            // The C library's objects never leave this thread, so it makes them.
            match Talk::new(session, flow.kind, limit, Duration::ZERO) {
                Ok(talk) => Thread { talk, link, socket: flow.socket, told, tell }.run(),
                Err(error) => {
                    let ended = Ended::failed(Outcome::ServerFault, error.to_string());
                    tell.blocking_send(Happening::Ended(ended)).ok();
                }
            }
        })?;
        Ok(Self { orders })
    }

    /// Goes on over another flow, such as T.38 in place of audio: the session starts anew,
    /// as both sides do at a re-INVITE. Where pages have been confirmed already, it ends
    /// instead with what was sent.
    pub fn change(&self, flow: Flow) {
        // A session that is over cannot be changed any more.
        self.orders.send(Order::Change(flow)).ok();
    }

    /// Hangs up: the session ends as cancelled, unless it was over.
    pub fn stop(&self) {
        self.orders.send(Order::Stop).ok();
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Who the other side is.
#[derive(Debug)]
struct Link {
    named: SocketAddr,
    /// Where it was heard from.
    heard: Option<SocketAddr>,
}

impl Link {
    fn new(flow: &Flow) -> io::Result<Self> {
        flow.socket.set_nonblocking(true)?;
        Ok(Self { named: flow.remote, heard: None })
    }

    /// Whether packets from there may be its. Nobody gets in between once it was heard.
    fn may_be(&self, from: SocketAddr) -> bool {
        from == self.named || self.heard.is_none_or(|heard| heard == from)
    }

    /// It is there. True: for the first time.
    fn is(&mut self, from: SocketAddr) -> bool {
        self.heard.replace(from).is_none()
    }

    fn target(&self) -> SocketAddr {
        self.heard.unwrap_or(self.named)
    }
}

struct Thread {
    talk: Talk,
    link: Link,
    socket: UdpSocket,
    told: std_mpsc::Receiver<Order>,
    tell: mpsc::Sender<Happening>,
}

impl Thread {
    fn run(mut self) {
        let began = Instant::now();
        let mut next = began;
        let mut pending = VecDeque::new();
        let mut out = Vec::new();
        while !self.talk.is_over() {
            let now = began.elapsed();
            self.obey(now);
            if self.take(now) {
                pending.push_back(Happening::Heard);
            }
            self.talk.tick(now, &mut out);
            for packet in out.drain(..) {
                // What the network does not take is lost, as on its way.
                self.socket.send_to(&packet, self.link.target()).ok();
            }
            pending.extend(self.talk.take_happenings());
            self.tell(&mut pending, now);
            next += TICK;
            let lag = Instant::now().saturating_duration_since(next);
            if lag > MOST_LAG {
                next += lag;
            }
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        for happening in pending {
            // Nobody may be left to be told.
            self.tell.blocking_send(happening).ok();
        }
    }

    fn obey(&mut self, now: Duration) {
        loop {
            match self.told.try_recv() {
                Ok(Order::Change(flow)) => match Link::new(&flow) {
                    Ok(link) => {
                        (self.link, self.socket) = (link, flow.socket);
                        self.talk.change(flow.kind, now);
                    }
                    Err(_) => self.talk.stop(now),
                },
                Ok(Order::Stop) => self.talk.stop(now),
                Err(_) => return,
            }
        }
    }

    /// Takes what came. True: it was the first of a flow.
    fn take(&mut self, now: Duration) -> bool {
        let mut buffer = [0; MAX_DATAGRAM];
        let mut first = false;
        for _ in 0..ROUND {
            match self.socket.recv_from(&mut buffer) {
                Ok((len, from)) => {
                    if self.link.may_be(from) && self.talk.take(&buffer[..len], now) {
                        first |= self.link.is(from);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The far end refused a packet of ours, or a signal came.
                Err(_) => {}
            }
        }
        first
    }

    /// Tells what can be told without waiting: the line does not wait either.
    fn tell(&mut self, pending: &mut VecDeque<Happening>, now: Duration) {
        while let Some(happening) = pending.pop_front() {
            match self.tell.try_send(happening) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(happening)) => {
                    pending.push_front(happening);
                    return;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => self.talk.stop(now),
            }
        }
    }
}
