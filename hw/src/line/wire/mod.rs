//! The connection between a supervisor and a line server: one TLS connection on which any
//! [`Driver`](crate::driver::Driver) is asked from far away. `docs/lines-protocol.md` is
//! the protocol in words.
//!
//! ```text
//!   supervisor                                              line server
//!   Remote: Driver ─ asking ─ link ══ frames in TLS ══ link ─ session ─ Host ─▶ a Driver
//!                       ▲                                        ▲
//!                       └──── dial: whoever can reach the other ─┘
//! ```
//!
//! Who dials ([`Dialler`]) and who answers ([`Door`]) is independent of who asks. Each side
//! knows the other by its key ([`Fingerprint`]). A connection may break at any octet: what
//! is asked is asked again, and nothing is lost or done twice.

mod asking;
mod dial;
mod document;
mod door;
mod frame;
mod key;
mod link;
mod message;
mod remote;
mod serve;
mod session;
#[cfg(test)]
mod tests;
mod tls;

pub use self::{
    dial::{Dialler, Peer},
    door::Door,
    key::{BadFingerprint, Fingerprint, Identity},
    link::{Broken, Timing, Versions},
    remote::{Options, Remote},
    serve::Host,
};

/// The port of line servers.
pub const PORT: u16 = 4580;
/// What we say of our program.
const SOFTWARE: &str = concat!("postfax ", env!("CARGO_PKG_VERSION"));

/// Reads octets as a stream of frames and what they say, as either side would; for fuzzing.
#[doc(hidden)]
pub fn fuzz_one(data: &[u8]) {
    use frame::{HEADER, Kind};
    let mut rest = data;
    while let Some((start, after)) = rest.split_first_chunk::<HEADER>() {
        let Ok((kind, request, length)) = frame::header(*start) else { return };
        let Some((body, after)) = after.split_at_checked(length) else { return };
        let frame = frame::Frame { kind, request, body: body.to_vec() };
        match kind {
            Kind::Hello => drop(message::read::<message::Hello>(&frame)),
            Kind::Ask => drop(message::read::<message::Ask>(&frame)),
            Kind::Answer => drop(message::read::<message::Answer>(&frame)),
            Kind::Progress => drop(message::read::<message::Step>(&frame)),
            Kind::End => drop(message::read::<message::End>(&frame)),
            _ => {}
        }
        rest = after;
    }
}
