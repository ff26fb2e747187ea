//! Why a laboratory could not be set up.

use std::{io, net::TcpListener};

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

/// A port of 127.0.0.1 that nobody uses at this moment.
pub(super) fn free_port() -> Result<u16, LabError> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| LabError::setup("127.0.0.1", source))
}
