//! SIP lines: trunks of the telephone network over the Internet Protocol.
//!
//! ```text
//!  trunk ── call ──┬── leg ── agent ══ guard ══ SIP (UDP, TCP, TLS)
//!    │   (one each)├── sdp
//!  memory          └── player ══════════════════ RTP or UDPTL
//! ```
//!
//! An [`Agent`] speaks SIP and knows no fax; a [`Trunk`] is a [`Line`](super::Line) on it.
//! Media are in clear: whoever needs them secret protects the network below (the SIP
//! stack has no SRTP). Nothing here decides what a call is for.

mod agent;
mod call;
mod causes;
mod guard;
mod leg;
mod memory;
mod numbers;
mod options;
mod play;
pub mod sdp;
#[cfg(test)]
mod tests;
mod trace;
mod trunk;

pub use self::{
    agent::{
        Account, Agent, AgentError, AgentOptions, Allowed, Incoming, Invitation, Login, Net,
        Refused, Registered, T1,
    },
    causes::Cause,
    leg::{Calling, Event, Leg, Offer, Progress},
    memory::{Known, Memory},
    options::{
        CalledFrom, EXPIRES_S, Law, RegistrationOptions, T38Use, TlsOptions, Transport,
        TrunkOptions,
    },
    trace::Traces,
    trunk::{Trunk, TrunkError},
};

/// Gives arbitrary bytes to everything here that reads what a stranger may have sent.
#[doc(hidden)]
pub fn fuzz_one(data: &[u8]) {
    if let Ok(read) = sdp::parse(data) {
        let taste = sdp::Taste {
            t38: true,
            audio: true,
            t38_first: true,
            law: Law::Pcma,
            max_bit_rate: 14_400,
        };
        if let Some(choice) = read.choose(taste) {
            let address = std::net::Ipv4Addr::LOCALHOST.into();
            let local = sdp::Local { id: 1, version: 1, address, port: 1 };
            // What we answer is a description again, if perhaps a long one.
            let again = sdp::parse(sdp::answer(local, &read, &choice).as_bytes());
            assert!(matches!(again, Ok(_) | Err(sdp::SdpError::TooLong)), "{again:?}");
        }
    }
    let _ = causes::q850(&String::from_utf8_lossy(data));
    guard::fuzz(data);
}

/// A number that nobody can guess.
fn random() -> u32 {
    let mut octets = [0; 4];
    // Where the system has no randomness left, a guess does no more harm than a dropped call.
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut octets);
    u32::from_le_bytes(octets)
}
