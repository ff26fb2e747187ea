//! What stands between the network and the SIP stack: datagrams that would harm it are
//! dropped, strangers get no answer, and nobody starts more transactions than a limit.
//! Strangers are all who do not come from an address that may begin something; they are
//! heard in dialogues that stand, whose tags they cannot guess, and what they send there
//! takes nothing from what those may send who are no strangers.
//! Decides about messages only; calls are decided elsewhere.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use rsipstack::{
    platform::net::UdpSocket,
    sip::{HeadersExt as _, Method, Request, SipMessage},
    transaction::endpoint::TransportEventInspector,
    transport::{SipAddr, SipConnection, TransportEvent},
};

/// New transactions of a kind that may begin each second, over a while.
const REQUESTS_PER_S: f64 = 100.0;
/// And at once.
const REQUESTS_AT_ONCE: f64 = 400.0;
/// The most fields of a message.
const MAX_FIELDS: usize = 100;
/// After an error of the socket nothing is read for so long.
const SOCKET_PAUSE: Duration = Duration::from_millis(20);

/// Addresses that begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    bits: u8,
}

impl Net {
    /// Reads `192.0.2.0/24`, `2001:db8::/32` or a single address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse::<IpAddr>().ok()?, Some(bits.parse().ok()?)),
            None => (text.parse::<IpAddr>().ok()?, None),
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { address, bits })
    }

    fn holds(self, address: IpAddr) -> bool {
        let same = |a: u128, b: u128, width: u32| {
            let rest = width - u32::from(self.bits);
            a.checked_shr(rest).unwrap_or(0) == b.checked_shr(rest).unwrap_or(0)
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
            _ => false,
        }
    }
}

impl From<IpAddr> for Net {
    fn from(address: IpAddr) -> Self {
        Self { address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }
}

/// Who may begin something with us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// Everybody who can reach the socket.
    Anyone,
    /// Only those.
    Only(Vec<Net>),
}

impl Allowed {
    pub(super) fn holds(&self, address: IpAddr) -> bool {
        match self {
            Self::Anyone => true,
            Self::Only(nets) => nets.iter().any(|net| net.holds(address)),
        }
    }
}

/// So many of something in a while.
#[derive(Debug)]
struct Bucket {
    left: f64,
    since: Instant,
}

impl Bucket {
    fn new() -> Self {
        Self { left: REQUESTS_AT_ONCE, since: Instant::now() }
    }

    fn take(&mut self, now: Instant) -> bool {
        let grown = now.saturating_duration_since(self.since).as_secs_f64() * REQUESTS_PER_S;
        (self.left, self.since) = ((self.left + grown).min(REQUESTS_AT_ONCE), now);
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }
}

/// Says whether a request belongs to something that stands here.
pub(super) type Standing = Box<dyn Fn(&Request) -> bool + Send + Sync>;

/// Drops what strangers send, and what comes too fast.
pub(super) struct Gate {
    allowed: Arc<RwLock<Allowed>>,
    standing: Standing,
    /// For strangers in a dialogue of ours.
    strangers: Mutex<Bucket>,
    /// For the others' BYE, so that a call can be ended however many begin.
    ends: Mutex<Bucket>,
    /// For all else of the others.
    others: Mutex<Bucket>,
}

impl Gate {
    pub(super) fn new(allowed: Arc<RwLock<Allowed>>, standing: Standing) -> Self {
        let [strangers, ends, others] = [(); 3].map(|()| Mutex::new(Bucket::new()));
        Self { allowed, standing, strangers, ends, others }
    }

    fn lets_in(&self, request: &Request, from: &SipAddr) -> bool {
        let Ok(address) = from.get_socketaddr() else { return false };
        let allowed = self.allowed.read().unwrap_or_else(PoisonError::into_inner);
        let stranger = !allowed.holds(address.ip());
        drop(allowed);
        // What belongs to a dialogue may come from another address than the trunk's.
        if stranger && !(self.standing)(request) {
            tracing::debug!(from = %address, method = %request.method, "SIP from a stranger");
            return false;
        }
        let bucket = match request.method {
            // They find their transaction or come to nothing.
            Method::Ack | Method::Cancel => return true,
            _ if stranger => &self.strangers,
            Method::Bye => &self.ends,
            _ => &self.others,
        };
        bucket.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now())
    }
}

#[async_trait]
impl TransportEventInspector for Gate {
    async fn handle(&self, event: TransportEvent) -> Option<TransportEvent> {
        let in_order = match &event {
            TransportEvent::Incoming(message, _, from) => {
                harmless(message)
                    && match message {
                        SipMessage::Request(request) => self.lets_in(request, from),
                        SipMessage::Response(_) => true,
                    }
            }
            TransportEvent::New(_) | TransportEvent::Closed(_) => true,
        };
        in_order.then_some(event)
    }
}

/// Whether every field that the stack relies on is there and makes sense
/// (RFC 3261 8.1.1).
fn harmless(message: &SipMessage) -> bool {
    let fields = match message {
        SipMessage::Request(request) => request.headers.len(),
        SipMessage::Response(response) => response.headers.len(),
    };
    let cseq = message.cseq_header().ok().is_some_and(|c| c.seq().is_ok() && c.method().is_ok());
    let from = message.from_header().ok().is_some_and(|from| matches!(from.tag(), Ok(Some(_))));
    let to = message.to_header().ok().is_some_and(|to| to.tag().is_ok() && to.uri().is_ok());
    let via = message.via_header().is_ok() && message.top_via_header().is_ok();
    fields <= MAX_FIELDS && cseq && from && to && via && message.call_id_header().is_ok()
}

/// Whether the stack survives to read this datagram. Its reader runs in a task of its own
/// that nobody restarts: what would end it must not get there.
fn readable(datagram: &[u8], from: SocketAddr) -> bool {
    if datagram.iter().all(u8::is_ascii_whitespace) {
        // Keep-alives (RFC 5626 3.5.1), which the stack answers.
        return true;
    }
    let read = catch_unwind(AssertUnwindSafe(|| {
        let message = SipMessage::try_from(datagram).ok()?;
        let udp = rsipstack::sip::Transport::Udp;
        let message = SipConnection::update_msg_received(message, from, udp).ok()?;
        harmless(&message).then_some(())
    }));
    match read {
        Ok(read) => read.is_some(),
        Err(_) => {
            tracing::warn!(%from, "a datagram that the SIP stack cannot bear was dropped");
            false
        }
    }
}

/// What happens to one datagram before the stack sees it.
pub(super) fn fuzz(datagram: &[u8]) {
    readable(datagram, SocketAddr::from(([192, 0, 2, 1], 5060)));
}

/// A UDP socket that gives the stack only what it can read, and that can be closed while
/// others still hold it.
pub(super) struct GuardedSocket(RwLock<Option<Arc<tokio::net::UdpSocket>>>);

impl GuardedSocket {
    pub(super) fn new(socket: tokio::net::UdpSocket) -> Self {
        Self(RwLock::new(Some(Arc::new(socket))))
    }

    /// Frees the port.
    pub(super) fn close(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn open(&self) -> io::Result<Arc<tokio::net::UdpSocket>> {
        let socket = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        socket.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))
    }
}

#[async_trait]
impl UdpSocket for GuardedSocket {
    async fn recv_from(&self, buffer: &mut [u8]) -> rsipstack::Result<(usize, SocketAddr)> {
        loop {
            let Ok(socket) = self.open() else {
                // Closed: the stack is told to stop in another way.
                return std::future::pending().await;
            };
            match socket.recv_from(buffer).await {
                Ok((length, from)) if readable(&buffer[..length], from) => {
                    return Ok((length, from));
                }
                Ok(_) => {}
                // Unreachable receivers of ours are reported here.
                Err(_) => tokio::time::sleep(SOCKET_PAUSE).await,
            }
        }
    }

    async fn send_to(&self, buffer: &[u8], to: SocketAddr) -> rsipstack::Result<usize> {
        Ok(self.open()?.send_to(buffer, to).await?)
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.open()?.local_addr()?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        for (net, address, holds) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("192.0.2.7", "::ffff:192.0.2.7", true),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
        ] {
            let read = Net::parse(net).unwrap();
            assert_eq!(read.holds(address.parse().unwrap()), holds, "{net} {address}");
        }
        for bad in ["", "x", "192.0.2.0/33", "192.0.2.0/", "2001:db8::/129", "192.0.2.0/-1"] {
            assert_eq!(Net::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn so_many_and_no_more() {
        let now = Instant::now();
        let mut bucket = Bucket { left: 2.0, since: now };
        assert!(bucket.take(now) && bucket.take(now) && !bucket.take(now));
        let later = now + Duration::from_millis(15);
        assert!(bucket.take(later) && !bucket.take(later));
        let much_later = now + Duration::from_secs(3_600);
        assert!((0..400).all(|_| bucket.take(much_later)) && !bucket.take(much_later));
    }

    fn request(method: Method, call_id: &str) -> Request {
        let text = format!(
            "{method} sip:1@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
             From: <sip:1@x>;tag=1\r\nTo: <sip:2@x>;tag=2\r\nCall-ID: {call_id}\r\n\
             CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        );
        match SipMessage::try_from(text.as_bytes()).unwrap() {
            SipMessage::Request(request) => request,
            SipMessage::Response(_) => panic!("a response"),
        }
    }

    #[test]
    fn strangers_are_heard_in_dialogues_alone_and_starve_nobody() {
        let allowed = Arc::new(RwLock::new(Allowed::Only(vec![Net::parse("192.0.2.1").unwrap()])));
        let stands = |request: &Request| request.call_id_header().unwrap().value() == "ours";
        let gate = Gate::new(allowed, Box::new(stands));
        let from = |address: &str| SipAddr::from(SocketAddr::new(address.parse().unwrap(), 5060));
        let (peer, stranger) = (from("192.0.2.1"), from("198.51.100.1"));
        let mut passed = 0;
        for _ in 0..2_000 {
            for method in [Method::Bye, Method::Invite, Method::Options, Method::Ack] {
                assert!(!gate.lets_in(&request(method, "invented"), &stranger), "{method}");
            }
            passed += u32::from(gate.lets_in(&request(Method::Bye, "ours"), &stranger));
        }
        assert!((400..1_000).contains(&passed), "{passed}");
        assert!(gate.lets_in(&request(Method::Ack, "ours"), &stranger));
        // The trunk has all that is its own, and ends calls when it cannot begin any more.
        assert!((0..400).all(|_| gate.lets_in(&request(Method::Invite, "new"), &peer)));
        while gate.lets_in(&request(Method::Options, "new"), &peer) {}
        assert!((0..400).all(|_| gate.lets_in(&request(Method::Bye, "new"), &peer)));
        assert!((0..1_000).any(|_| !gate.lets_in(&request(Method::Bye, "new"), &peer)));
    }
}
