//! T.30 as the rest of the house sees it: what a session is told, what came of it,
//! which frames passed and what they confirmed. How it is done is the matter of
//! `spandsp`, and of modems that do it themselves.

pub(crate) mod frame;
mod outcome;
mod session;
mod tally;

pub use self::session::{Carrier, Coding, MAX_IDENT, Modems, Remote, Session, Station, Statistics};
pub(crate) use self::{outcome::sent, tally::Tally};
