//! Agents and trunks against each other over loopback, and against strangers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agents;
mod hostile;
mod real;
mod registrar;
mod stage;
mod strange;
mod trunks;
