//! A way for packets that loses, delays, doubles and shuffles them, the same in every run.
//! It is for tests and for the laboratory, and no part of the way that a real fax takes.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How much later an overtaken packet comes.
const OVERTAKEN: Duration = Duration::from_millis(45);

/// What becomes of packets. Shares are of 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Impairment {
    /// How long every packet takes.
    pub delay: Duration,
    /// How much longer it may take; the order is kept.
    pub jitter: Duration,
    /// The share that is lost.
    pub loss: f64,
    /// The share that is overtaken by the next two or so.
    pub reordered: f64,
    /// The share that comes twice.
    pub doubled: f64,
}

impl Impairment {
    /// 20 ms of delay, and nothing else.
    pub const NONE: Self = Self {
        delay: Duration::from_millis(20),
        jitter: Duration::ZERO,
        loss: 0.0,
        reordered: 0.0,
        doubled: 0.0,
    };
}

/// One direction of such a way, in any time.
#[derive(Debug)]
pub struct Hop {
    impairment: Impairment,
    random: u64,
    sent: u64,
    latest: Duration,
    waiting: BinaryHeap<Reverse<(Duration, u64, Vec<u8>)>>,
}

impl Hop {
    /// A way whose accidents follow from `seed`.
    #[must_use]
    pub fn new(impairment: Impairment, seed: u64) -> Self {
        let (sent, latest, waiting) = Default::default();
        Self { impairment, random: seed, sent, latest, waiting }
    }

    /// A number from 0 to 1 (splitmix64).
    fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ mixed >> 31) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Takes a packet in at one end.
    pub fn send(&mut self, packet: &[u8], now: Duration) {
        let Impairment { delay, jitter, loss, reordered, doubled } = self.impairment;
        let copies = if self.random() < doubled { 2 } else { 1 };
        for _ in 0..copies {
            if self.random() < loss {
                continue;
            }
            let mut at = (now + delay + jitter.mul_f64(self.random())).max(self.latest);
            self.latest = at;
            if self.random() < reordered {
                at += OVERTAKEN;
            }
            self.sent += 1;
            self.waiting.push(Reverse((at, self.sent, packet.to_vec())));
        }
    }

    /// Gives the next packet that comes out at the other end by now.
    pub fn receive(&mut self, now: Duration) -> Option<Vec<u8>> {
        let due = self.waiting.peek().is_some_and(|Reverse((at, _, _))| *at <= now);
        due.then(|| self.waiting.pop().map(|Reverse((_, _, packet))| packet)).flatten()
    }
}

/// Such a way between two UDP sockets, in real time. Dropping it closes it.
#[derive(Debug)]
pub struct Impaired {
    ends: [SocketAddr; 2],
    stop: Arc<AtomicBool>,
}

impl Impaired {
    /// A way between two addresses on this machine.
    ///
    /// # Errors
    /// No sockets, or no thread.
    pub fn start(between: [SocketAddr; 2], impairment: Impairment, seed: u64) -> io::Result<Self> {
        let socket = || -> io::Result<UdpSocket> {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let sockets = [socket()?, socket()?];
        let ends = [sockets[0].local_addr()?, sockets[1].local_addr()?];
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let hops = [Hop::new(impairment, seed), Hop::new(impairment, !seed)];
        std::thread::Builder::new()
            .name("impaired".into())
            .spawn(move || relay(&sockets, between, hops, &stopped))?;
        Ok(Self { ends, stop })
    }

    /// Where each of the two ends sends to, and hears the other from.
    #[must_use]
    pub fn ends(&self) -> [SocketAddr; 2] {
        self.ends
    }
}

impl Drop for Impaired {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn relay(
    sockets: &[UdpSocket; 2],
    between: [SocketAddr; 2],
    mut hops: [Hop; 2],
    stop: &AtomicBool,
) {
    let began = Instant::now();
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        let now = began.elapsed();
        for (at, hop) in hops.iter_mut().enumerate() {
            while let Ok((len, _)) = sockets[at].recv_from(&mut buffer) {
                hop.send(&buffer[..len], now);
            }
            while let Some(packet) = hop.receive(now) {
                sockets[1 - at].send_to(&packet, between[1 - at]).ok();
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
