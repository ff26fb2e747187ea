//! The voice of a SIP call: one T.30 session over G.711 audio in RTP, or over T.38 in
//! UDPTL. It knows neither SIP nor jobs: it is handed a socket that has been agreed on,
//! and tells what it hears.
//!
//! ```text
//!            Player (thread, socket, clock)
//!               │ packets, every 20 ms
//!             Talk (no socket, no clock)
//!        ┌──────┴───────┐
//!   rtp ─ playout     udptl
//!        │              │
//!   FaxTerminal    T38Terminal   (spandsp)
//! ```
//!
//! Everything below the [`Player`] is told the time, so that thousands of calls can be
//! tried in simulated time, with packets lost, late and out of order.

pub(crate) mod bridge;
mod fuzz;
mod g711;
mod ifp;
pub mod impaired;
mod player;
mod playout;
mod rtp;
pub(crate) mod sound;
mod talk;
#[cfg(test)]
mod trials;
mod udptl;
mod watch;
mod wire;

use std::{net::SocketAddr, net::UdpSocket};

#[doc(hidden)]
pub use self::fuzz::fuzz_one;
pub use self::player::Player;
use super::{Ended, Step};

/// Where the media of a call goes, as it was agreed on (SDP).
#[derive(Debug)]
pub struct Flow {
    /// Our side, bound. It may be in blocking mode: the player changes that.
    pub socket: UdpSocket,
    /// The other side, as it named itself. Behind address translation it is found out by
    /// what comes: the first valid source wins, and the named one wins over any other.
    pub remote: SocketAddr,
    /// What is said over it.
    pub kind: Kind,
}

/// How a fax is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As sound.
    Audio(AudioPlan),
    /// As T.38 packets.
    T38(T38Plan),
}

/// G.711 in RTP (RFC 3551 4.5.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioPlan {
    /// How samples are coded.
    pub law: Law,
    /// The payload type: 0 for [`Law::Pcmu`], 8 for [`Law::Pcma`] unless agreed otherwise.
    pub payload_type: u8,
    /// Milliseconds of sound in each packet that we send: 10 to 60. Any is received.
    pub ptime_ms: u8,
}

/// The two laws of G.711.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// mu-law: North America and Japan.
    Pcmu,
    /// A-law: everywhere else.
    Pcma,
}

impl AudioPlan {
    /// A law with its usual payload type, 20 ms a packet.
    #[must_use]
    pub fn new(law: Law) -> Self {
        let payload_type = match law {
            Law::Pcmu => 0,
            Law::Pcma => 8,
        };
        Self { law, payload_type, ptime_ms: 20 }
    }
}

/// T.38 over UDPTL (T.38 annex D.2.3), as it was agreed on: what the *other side* bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct T38Plan {
    /// `T38FaxVersion`: 0 to 3.
    pub version: u8,
    /// `T38MaxBitRate` in bit/s: 2,400 to 14,400.
    pub max_bit_rate: u32,
    /// How many earlier packets each of ours repeats: 1 to 7. There are always some: a
    /// lost packet without them ends many calls.
    pub redundancy: u8,
    /// `T38FaxMaxDatagram` in bytes: the largest UDPTL packet that it takes.
    pub max_datagram: u16,
    /// `T38FaxFillBitRemoval`.
    pub fill_bit_removal: bool,
}

impl Default for T38Plan {
    fn default() -> Self {
        Self {
            version: 0,
            max_bit_rate: 14_400,
            redundancy: 3,
            max_datagram: 400,
            fill_bit_removal: false,
        }
    }
}

/// What a [`Player`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// The first packet of a flow has come. Told once for each flow.
    Heard,
    /// CED, CNG or V.21 was heard from the other side: it is a fax machine, and it is time
    /// to offer T.38. Told once for each flow of audio.
    FaxTone,
    /// A page is over ([`Step::Asked`]) or confirmed ([`Step::Pages`]).
    Step(Step),
    /// Nothing has come from the other side for 30 s (once for each such time).
    Quiet,
    /// The session is over, and nothing more is told. The call is to be hung up.
    Ended(Ended),
}
