//! Crash points: in a debug build the environment may say before which of its actions the
//! line server is to be killed, so that the tests can kill it at each of them. A release
//! build has none of this.

/// The variable that names the point: `asked`, or `asked#2` for the second time that it
/// is passed.
#[cfg(debug_assertions)]
const VARIABLE: &str = "POSTFAX_LINES_DIE_BEFORE";

/// Kills this process, as `kill -9` would, when it is its turn.
#[cfg(debug_assertions)]
pub(super) fn point(what: &str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    };
    static TURN: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);
    let turn = TURN.get_or_init(|| {
        let said = std::env::var(VARIABLE).ok()?;
        let (name, time) = said.split_once('#').unwrap_or((&said, "1"));
        Some((name.to_owned(), time.parse().ok()?))
    });
    let Some((name, time)) = turn else { return };
    if name == what && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *time {
        // Past the logger: a test reads there at which points it killed.
        eprintln!("killed before: {what}");
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Does nothing.
#[cfg(not(debug_assertions))]
pub(super) fn point(_what: &str) {}
