//! Both sides against each other over a cable that breaks: at every octet of a whole
//! conversation, with either side gone, with nothing coming any more. What must hold: every
//! fax is taken once, every received one is fetched whole, and nothing is waited for in vain.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cable;
mod cuts;
mod memory;
mod secure;
mod strange;

use std::{sync::Arc, time::Duration};

use super::{Host, Options, Remote, Timing, Versions};
use memory::Memory;

/// Impatient enough for tests.
const QUICK: Timing = Timing {
    handshake: Duration::from_millis(2000),
    alive: Duration::from_millis(100),
    dead: Duration::from_millis(400),
};

/// A driver in memory, the host that serves it, and who asks.
struct Pair {
    memory: Arc<Memory>,
    host: Arc<Host>,
    remote: Arc<Remote>,
    folder: tempfile::TempDir,
}

fn pair() -> Pair {
    let memory = Arc::new(Memory::default());
    let folder = tempfile::tempdir().unwrap();
    let host =
        Host::with(memory.clone(), "branch-1", &folder.path().join("host"), QUICK, Versions::OURS);
    let remote = Remote::new(options(Versions::OURS));
    Pair { memory, host: host.unwrap(), remote, folder }
}

fn options(versions: Versions) -> Options {
    Options {
        timing: QUICK,
        patience: Duration::from_secs(3),
        versions,
        ..Options::new("branch-1", "fax.example.com", memory::ABLE)
    }
}
