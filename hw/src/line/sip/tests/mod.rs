//! Agents and trunks against each other over loopback, and against strangers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agents;
mod stage;
mod trunks;
