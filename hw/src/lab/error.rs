//! Why a laboratory could not be set up.

use std::{
    io,
    net::TcpListener,
    sync::atomic::{AtomicU16, Ordering},
};

use crate::exchange::ExchangeError;

/// Why a laboratory could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The packages are not there.
    #[error("HylaFAX is not installed: apt-get install hylafax-server hylafax-client")]
    NotInstalled,
    /// Namespaces and mounts are the superuser's.
    #[error("real HylaFAX servers run in private mounts, which needs root")]
    NeedsRoot,
    /// A file, folder, port or program was not as it has to be.
    #[error("{what}: {source}")]
    Setup {
        /// What it was about.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// It was started and is of no use.
    #[error("{what} did not get ready: {why}")]
    NotReady {
        /// Which server.
        what: String,
        /// What was still missing, and what it said.
        why: String,
    },
    /// More servers or lines than the numbering scheme has room for.
    #[error("a laboratory has 1 to {servers} servers with 1 to {lines} lines each")]
    Size {
        /// Most servers.
        servers: u32,
        /// Most lines of each.
        lines: u32,
    },
    /// There is no server of that name.
    #[error("the laboratory has no server called {0}")]
    NoSuchServer(String),
    /// The exchange refused.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}

impl LabError {
    pub(super) fn setup(what: impl Into<String>, source: io::Error) -> Self {
        Self::Setup { what: what.into(), source }
    }
}

/// Ports below those that the system gives to whoever asks for any: a port from that
/// range may be taken again before the server that it is meant for has opened it.
const PORTS: std::ops::Range<u16> = 15_000..30_000;
/// Distance between the ports given out: hfaxd uses the one below its own as well.
const PORT_STEP: u16 = 4;

/// A port of 127.0.0.1 that nobody uses at this moment, and that this process has not
/// given to anyone else: two servers of HylaFAX can open the same port, and then each
/// gets a part of the other's clients.
pub(crate) fn free_port() -> Result<u16, LabError> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let steps = (PORTS.end - PORTS.start) / PORT_STEP;
    // Other processes begin somewhere else.
    let first = u16::try_from(std::process::id() % u32::from(steps)).unwrap_or(0);
    for _ in 0..steps {
        let step = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % steps;
        let port = PORTS.start + step * PORT_STEP;
        if [port - 1, port].iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()) {
            return Ok(port);
        }
    }
    let used = std::io::Error::from(std::io::ErrorKind::AddrInUse);
    Err(LabError::setup("127.0.0.1", used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_out_twice() {
        let ports: Vec<u16> = (0..50).map(|_| free_port().unwrap()).collect();
        for (at, port) in ports.iter().enumerate() {
            assert!(!ports[..at].contains(port) && !ports[..at].contains(&(port - 1)), "{port}");
        }
    }
}
