//! The seam between what a modem is told and the port that it is told through.
//!
//! A [`Dialogue`] is one call with one modem, from `ATD` or `ATA` to its end: Class 1 with a
//! T.30 engine of ours, or Class 2 where the modem has one. It knows bytes and time and
//! nothing else. The driver owns the port: it writes, waits, and hangs up afterwards,
//! whatever the dialogue has come to.

use std::time::Instant;

use crate::line::call::{Ended, Step};

/// What a dialogue wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Out {
    /// Write these bytes, behind those that wait already.
    Write(Vec<u8>),
    /// Tell whoever ordered the call.
    Step(Step),
    /// The call is over; nothing follows. [`Outcome::LinesBusy`] says that the modem gave
    /// `RING` instead of dialling, [`Outcome::ServerFault`] that it has to be reset.
    ///
    /// [`Outcome::LinesBusy`]: postfax_domain::outcome::Outcome::LinesBusy
    /// [`Outcome::ServerFault`]: postfax_domain::outcome::Outcome::ServerFault
    Ended(Ended),
}

/// One call with one modem that is idle, in the right class, with echo off and results in
/// words.
pub(crate) trait Dialogue {
    /// Begins.
    fn begin(&mut self, now: Instant) -> Vec<Out>;

    /// The modem wrote.
    fn input(&mut self, bytes: &[u8], now: Instant) -> Vec<Out>;

    /// The port has taken all that was to be written.
    fn drained(&mut self, now: Instant) -> Vec<Out>;

    /// The time of [`Dialogue::deadline`] has come.
    fn timeout(&mut self, now: Instant) -> Vec<Out>;

    /// Someone wants the call to end as soon as the protocol lets us: as cancelled.
    fn stop(&mut self, now: Instant) -> Vec<Out>;

    /// The port is gone, or the call has lasted as long as any call may: what came of it, now.
    fn lost(&mut self, now: Instant) -> Ended;

    /// When it wants [`Dialogue::timeout`], unless something else happens before.
    fn deadline(&self) -> Option<Instant>;
}
