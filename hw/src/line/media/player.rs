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
    Flow, Happening, Kind,
    talk::{TICK, Talk},
};
use crate::{line::Ended, t30::Session};

/// A player that lags more than this behind drops the lag.
const MOST_LAG: Duration = Duration::from_millis(500);
/// Most packets that are taken at a time.
const ROUND: usize = 64;
/// Larger datagrams are cut, and then are none of ours.
const MAX_DATAGRAM: usize = 2048;
/// When the other side has moved, packets of its former place may be on their way so long.
const ON_THEIR_WAY: Duration = Duration::from_secs(1);

/// One T.30 session on a thread of its own. Dropping it hangs up.
#[derive(Debug)]
pub struct Player {
    orders: std_mpsc::Sender<Order>,
}

/// What a player is told meanwhile.
#[derive(Debug)]
enum Order {
    Change(Flow),
    Follow(SocketAddr, Kind),
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

    /// The other side is at another address now, or codes its sound in another way: the
    /// session goes on with it. Not for another kind of media.
    pub fn follow(&self, remote: SocketAddr, kind: Kind) {
        // A session that is over follows nobody.
        self.orders.send(Order::Follow(remote, kind)).ok();
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
    /// Where it was before, and until when that place may still be heard.
    left: Option<(SocketAddr, Duration)>,
}

impl Link {
    fn new(flow: &Flow) -> io::Result<Self> {
        flow.socket.set_nonblocking(true)?;
        Ok(Self { named: flow.remote, heard: None, left: None })
    }

    /// It names another place.
    fn follow(&mut self, named: SocketAddr, now: Duration) {
        let before = self.target();
        self.named = named;
        if before != named {
            self.heard = None;
            self.left = Some((before, now + ON_THEIR_WAY));
        }
    }

    /// Whether packets from there may be its. Nobody gets in between once it was heard.
    fn may_be(&self, from: SocketAddr) -> bool {
        from == self.named || self.heard.is_none_or(|heard| heard == from)
    }

    /// Whether a packet from there is the first of where it is now.
    fn begins(&self, from: SocketAddr, now: Duration) -> bool {
        let late = self.left.is_some_and(|(place, until)| place == from && now < until);
        self.heard.is_none() && !late
    }

    /// It is there, as a packet says.
    fn is(&mut self, from: SocketAddr, now: Duration) {
        if self.heard.is_some() || self.begins(from, now) {
            self.heard = Some(from);
        }
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
                Ok(Order::Follow(remote, kind)) => {
                    self.link.follow(remote, now);
                    self.talk.follow(kind);
                }
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
                    if !self.link.may_be(from) {
                        continue;
                    }
                    let begins = self.link.begins(from, now);
                    if begins {
                        self.talk.await_any();
                    }
                    if self.talk.take(&buffer[..len], now) {
                        first |= begins;
                        self.link.is(from, now);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_moved_is_followed() {
        let place = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let (at, later) = (Duration::from_secs, Duration::from_secs(9));
        let mut link = Link { named: place(1), heard: None, left: None };
        link.is(place(2), at(1));
        assert_eq!(link.target(), place(2));
        assert!(!link.may_be(place(3)) && link.may_be(place(1)));
        // It corrects what it said, to where it is heard from.
        link.follow(place(2), at(2));
        assert_eq!((link.target(), link.heard), (place(2), Some(place(2))));
        link.follow(place(3), at(2));
        assert_eq!(link.target(), place(3));
        // What is on its way says nothing of the new place.
        assert!(link.may_be(place(2)) && !link.begins(place(2), at(2)));
        link.is(place(2), at(2));
        assert_eq!(link.target(), place(3));
        // Behind a translation it is heard from elsewhere again.
        assert!(link.begins(place(4), at(2)));
        link.is(place(4), at(2));
        assert!(link.target() == place(4) && !link.may_be(place(2)));
        // One that says so and stays is where it was.
        link.follow(place(5), at(3));
        link.is(place(4), later);
        assert_eq!(link.target(), place(4));
    }
}
