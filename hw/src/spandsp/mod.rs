//! The only door to spandsp, a C library of telephony signal processing: a Class 1
//! fax modem with its AT interpreter ([`T31Modem`]) and fax machines, which are a T.30
//! [`Engine`] behind a front end: audio ([`FaxTerminal`]) or T.38 ([`T38Terminal`]), which
//! a [`Gateway`] joins.
//!
//! ```text
//!  TIFF files ─ Engine (T.30) ─┬─ FaxTerminal ─ blocks of audio ─ Gateway ─┐
//!                              └─ T38Terminal ─ packets of T.38 ───────────┘
//! ```
//!
//! This folder knows nothing of calls, ports or sockets, and holds all `unsafe` code
//! of the project. What keeps it sound: the C objects are opaque and owned by one
//! wrapper each, no wrapper can leave its thread, and the callbacks only touch a
//! record of their own, which the wrapper frees after the C object.
#![expect(unsafe_code, reason = "a C library is called; every block says why it is sound")]

mod class1;
mod fax;
mod gateway;
mod ifp;
mod raw;
mod raw_t38;
mod t30;
mod t31;
mod t38;
mod tones;

pub(crate) use self::{
    class1::{BareTerminal, Heard, Modulation, Saying, Signal, Want},
    fax::FaxTerminal,
    gateway::Gateway,
    ifp::T38Terms,
    t30::{Engine, SetupError},
    t31::{LineEvent, Request, T31Modem},
    t38::T38Terminal,
    tones::FaxTones,
};

/// Samples of a block: 20 ms at 8,000 samples a second.
pub(crate) const BLOCK: usize = 160;
/// One block of audio: linear samples.
pub(crate) type Block = [i16; BLOCK];
/// Silence.
pub(crate) const SILENCE: Block = [0; BLOCK];
