//! What a trunk needs of media: sockets for them, and somebody who plays a session over
//! them. The player is a trait so that signalling can be tried without a sound.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use tokio::sync::mpsc;

use super::{
    options::Law,
    sdp::{Agreed, T38_MAX_DATAGRAM},
};
use crate::{
    line::media::{self, AudioPlan, Flow, Happening, Kind, Player, T38Plan},
    t30::Session,
};

/// Somebody who plays sessions.
pub(crate) trait Media: Send + Sync {
    /// Begins one; what happens in it is told.
    fn start(
        &self,
        session: Session,
        flow: Flow,
        limit: Duration,
        tell: mpsc::Sender<Happening>,
    ) -> io::Result<Box<dyn Playing>>;
}

/// A session that is being played. Dropped, it stops.
pub(crate) trait Playing: Send {
    /// Goes on over another flow, from the beginning.
    fn change(&self, flow: Flow);
    /// Goes on where it was: the other side is there now, or codes in another way.
    fn follow(&self, remote: SocketAddr, kind: Kind);
    /// Ends it.
    fn stop(&self);
}

/// The real one.
#[derive(Debug)]
pub(crate) struct Players;

impl Media for Players {
    fn start(
        &self,
        session: Session,
        flow: Flow,
        limit: Duration,
        tell: mpsc::Sender<Happening>,
    ) -> io::Result<Box<dyn Playing>> {
        Ok(Box::new(Player::start(session, flow, limit, tell)?))
    }
}

impl Playing for Player {
    fn change(&self, flow: Flow) {
        Self::change(self, flow);
    }

    fn follow(&self, remote: SocketAddr, kind: Kind) {
        Self::follow(self, remote, kind);
    }

    fn stop(&self) {
        Self::stop(self);
    }
}

/// How many earlier packets each one over UDPTL repeats.
const REDUNDANCY: u8 = 3;

/// What was agreed on, in the words of media.
pub(super) fn kind(agreed: Agreed) -> Kind {
    match agreed {
        Agreed::Audio { coding, ptime_ms } => Kind::Audio(AudioPlan {
            law: match coding.law {
                Law::Pcma => media::Law::Pcma,
                Law::Pcmu => media::Law::Pcmu,
            },
            payload_type: coding.payload_type,
            ptime_ms: u8::try_from(ptime_ms).unwrap_or(20),
        }),
        Agreed::T38(t38) => {
            let most = t38.max_datagram.unwrap_or(T38_MAX_DATAGRAM);
            Kind::T38(T38Plan {
                version: t38.version,
                max_bit_rate: t38.max_bit_rate.clamp(2_400, 14_400),
                redundancy: REDUNDANCY,
                max_datagram: u16::try_from(most).unwrap_or(u16::MAX),
                fill_bit_removal: t38.fill_bit_removal,
            })
        }
    }
}

/// The range of ports for media.
#[derive(Debug)]
pub(super) struct Ports {
    address: IpAddr,
    first: u16,
    count: u16,
    next: AtomicU16,
}

impl Ports {
    /// Ports `first` to `last` of an address. A range without ports takes any.
    pub(super) fn new(address: IpAddr, (first, last): (u16, u16)) -> Self {
        let count = last.checked_sub(first).map_or(0, |more| more.saturating_add(1));
        let count = if first == 0 { 0 } else { count };
        Self { address, first, count, next: AtomicU16::new(0) }
    }

    /// Opens the next free one. Even ones are audio's by custom (RFC 3550 11).
    pub(super) fn open(&self) -> io::Result<UdpSocket> {
        if self.count == 0 {
            return UdpSocket::bind(SocketAddr::new(self.address, 0));
        }
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..self.count.div_ceil(2) {
            let step = self.next.fetch_add(2, Ordering::Relaxed) % self.count;
            let port = (self.first + step).next_multiple_of(2);
            match UdpSocket::bind(SocketAddr::new(self.address, port)) {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn ports_come_from_the_range_until_there_are_none() {
        let ports = Ports::new(Ipv4Addr::LOCALHOST.into(), (41_300, 41_307));
        let open: Vec<UdpSocket> = (0..4).map(|_| ports.open().unwrap()).collect();
        let mut taken: Vec<u16> = open.iter().map(|s| s.local_addr().unwrap().port()).collect();
        taken.sort_unstable();
        assert_eq!(taken, [41_300, 41_302, 41_304, 41_306]);
        ports.open().unwrap_err();
        drop(open);
        ports.open().unwrap();
        assert!(Ports::new(Ipv4Addr::LOCALHOST.into(), (0, 0)).open().is_ok());
    }
}
