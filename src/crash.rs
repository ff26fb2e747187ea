//! Crash points: in a debug build the environment may say before which of its
//! actions the daemon is to be killed, so that the tests can kill it at each of
//! them. A release build has none of this.

/// The variable that says before which crash point, counted from 1, the process
/// kills itself.
#[cfg(debug_assertions)]
const VARIABLE: &str = "POSTFAX_DIE_BEFORE";

/// Kills this process, as `kill -9` would, when it is its turn.
#[cfg(debug_assertions)]
pub fn point(_what: &str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    };
    static TURN: OnceLock<Option<u64>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let turn = TURN.get_or_init(|| std::env::var(VARIABLE).ok()?.parse().ok());
    let Some(turn) = turn else { return };
    if PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *turn {
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Does nothing.
#[cfg(not(debug_assertions))]
pub fn point(_what: &str) {}
