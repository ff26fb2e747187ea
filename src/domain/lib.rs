//! What Postfax decides: numbers, jobs, outcomes, groups, rules, and the
//! [`supervisor::Supervisor`] that turns events into actions.
//!
//! Nothing in here reads a clock, a disk, a network or an environment, starts
//! a task or a thread, or takes a lock: time is an argument, and the edge
//! (`src/`, `gateway`, `hw`) acts.

pub mod audit;
pub mod authority;
pub mod book;
pub mod destination;
pub mod dial;
pub mod document;
pub mod fleet;
pub mod job;
pub mod names;
pub mod notice;
pub mod number;
pub mod options;
pub mod outcome;
pub mod quota;
pub mod rate;
pub mod redacted;
pub mod retry;
pub mod route;
pub mod settings;
pub mod setup;
pub mod supervisor;
pub mod time;
pub mod webhook;
