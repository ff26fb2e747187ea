//! A laboratory: whole fax servers joined to the virtual telephone exchange, for
//! the tests, the demonstration, and everyone who wants to try Postfax without a
//! telephone line. No line of a real telephone network is ever touched.
//!
//! [`hylafax`] runs real HylaFAX servers, [`station`] is a small server of our own that
//! speaks their protocol.

use std::{io, net::TcpListener};

pub mod hylafax;
pub mod station;

/// Why a laboratory could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The packages are not there.
    #[error("HylaFAX is not installed: apt-get install hylafax-server hylafax-client")]
    NotInstalled,
    /// Namespaces and mounts are the superuser's.
    #[error("real HylaFAX servers run in private mounts, which needs root")]
    NeedsRoot,
    /// A file, folder or program was not as it has to be.
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
}

impl LabError {
    fn setup(what: impl Into<String>, source: io::Error) -> Self {
        Self::Setup { what: what.into(), source }
    }
}

/// A port of 127.0.0.1 that nobody uses at this moment.
fn free_port() -> Result<u16, LabError> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| LabError::setup("127.0.0.1", source))
}
