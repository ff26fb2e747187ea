//! Postfax's own fax server: lines of telephone networks, the calls on them, and the
//! server that keeps what is to be sent and what came in.
//!
//! ```text
//!  supervisor ── remote ══ wire ══ serve ── server ─┬─ spool (durable)
//!              (Driver)   (TLS)   (Driver)          ├─ line: modem ── port ── ☎
//!                                                   └─ line: trunk ── SIP ─── ☎
//! ```
//!
//! `server` is a [`Driver`](crate::driver::Driver), like any fax server; `remote` is the
//! same driver at the far end of an encrypted connection. A [`Line`] places and answers
//! calls and knows neither jobs nor the supervisor; what it does with a call that comes in
//! is decided by a [`Desk`].

mod call;
pub mod header;
pub mod media;
pub mod modem;
mod plan;
pub mod server;
pub mod sip;
pub mod wire;

pub(crate) use self::call::stopped;
pub use self::call::{Desk, Ended, Line, LineSettings, LineState, Order, Ring, Speaker, Step};
pub use self::plan::DialPlan;
