//! Crash points: in a debug build the environment may say before which of its
//! actions the daemon is to be killed, so that the tests can kill it at each of
//! them. A release build has none of this.
//!
//! A point stands before everything that the outside can see or that changes what
//! is on disk, and after it, where our own note of it comes later.

/// The variable that says before which crash point the process kills itself: the
/// number of the point, counted from 1 over all of them, or the name of one.
#[cfg(debug_assertions)]
const VARIABLE: &str = "POSTFAX_DIE_BEFORE";

/// Kills this process, as `kill -9` would, when it is its turn.
#[cfg(debug_assertions)]
pub fn point(what: &str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    };
    static TURN: OnceLock<Option<String>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let Some(turn) = TURN.get_or_init(|| std::env::var(VARIABLE).ok()) else { return };
    let number = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if *turn == what || turn.parse() == Ok(number) {
        // Into the log, past the logger: a test reads there at which points it killed.
        eprintln!("killed before: {what}");
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Does nothing.
#[cfg(not(debug_assertions))]
pub fn point(_what: &str) {}
