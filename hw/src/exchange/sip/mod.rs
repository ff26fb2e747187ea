//! The exchange in SIP: whoever invites one of its numbers is connected with it, and
//! numbers of its own ring at other SIP servers. So a trunk, a modem and a machine can be
//! in one call.
//!
//! ```text
//!  SIP ══ agent ── door (thread) ── orders ──▶ switch ── call ── packet leg ══ RTP, UDPTL
//!                       ◀── what the call tells ──┘
//! ```
//!
//! A call with a packet leg never runs faster than real time.

mod door;
mod packets;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};

use postfax_domain::outcome::Outcome;
use tokio::sync::mpsc;

pub(super) use self::{
    door::open,
    packets::{PacketLeg, Told},
};
use crate::line::{
    media::{Flow, Law},
    sip::Allowed,
};

/// What the exchange does about T.38.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SipFax {
    /// It speaks G.711 alone and refuses T.38, as many telephone companies do.
    AudioOnly,
    /// It takes T.38 when it is offered.
    TakesT38,
    /// It also offers T.38 itself soon after a call was answered.
    OffersT38,
}

/// How the exchange is reached in SIP.
#[derive(Debug, Clone)]
pub struct SipOptions {
    /// Where it listens (UDP). Port 0 takes any.
    pub bind: SocketAddr,
    /// Who may call.
    pub allowed: Allowed,
    /// The law of G.711 that it prefers.
    pub law: Law,
    /// What it does about T.38.
    pub fax: SipFax,
}

impl Default for SipOptions {
    fn default() -> Self {
        Self {
            bind: (Ipv4Addr::LOCALHOST, 0).into(),
            allowed: Allowed::Anyone,
            law: Law::Pcma,
            fax: SipFax::TakesT38,
        }
    }
}

/// A call for a number that is reached in SIP.
pub(super) struct Ring {
    pub(super) id: u64,
    pub(super) from: String,
    pub(super) to: String,
    /// `host:port` to invite it at.
    pub(super) target: String,
    /// What the call tells.
    pub(super) told: mpsc::UnboundedReceiver<Told>,
}

/// Which side of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Caller,
    Called,
}

/// What SIP wants of the switch, for a call.
pub(super) enum Order {
    /// Someone calls.
    Calls { from: String, to: String, flow: Flow, tell: mpsc::UnboundedSender<Told> },
    /// The called side has answered.
    Answered(Flow),
    /// The called side cannot be reached.
    Failed(Outcome),
    /// One side goes on over other media.
    Media(Side, Flow),
    /// One side has hung up.
    Left(Side),
}
