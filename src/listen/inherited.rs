//! The sockets that systemd hands over (`sd_listen_fds(3)`): taken once, when the
//! program starts, and kept to its end, whatever the configuration makes of them.

use std::{collections::BTreeMap, env};

use listenfd::ListenFd;
use tracing::warn;

use super::socket::Bound;

/// What systemd calls a socket whose unit gives it no name.
const NAMELESS: &str = "unknown";

/// Sockets by the names of their units (`FileDescriptorName=`).
#[derive(Debug, Default)]
pub(crate) struct Inherited(BTreeMap<String, Vec<Bound>>);

/// Takes what was handed over. To be called while the program has only one thread: the
/// variables that tell of it are taken from the environment.
pub(crate) fn inherit() -> Inherited {
    // They are meant for the process with this number alone.
    let meant = env::var("LISTEN_PID").is_ok_and(|pid| pid == std::process::id().to_string());
    if !meant {
        return Inherited::default();
    }
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut handed = ListenFd::from_env();
    let mut sockets: BTreeMap<String, Vec<Bound>> = BTreeMap::new();
    for index in 0..handed.len() {
        let name = names.next().filter(|name| !name.is_empty()).unwrap_or(NAMELESS);
        let mut socket = handed.take_tcp_listener(index).ok().flatten().map(Bound::Tcp);
        if socket.is_none() {
            let unix = handed.take_unix_listener(index).ok().flatten();
            socket = unix.map(|unix| Bound::Unix(unix, None));
        }
        match socket {
            Some(socket) => sockets.entry(name.to_owned()).or_default().push(socket),
            None => warn!(name, "systemd hands over what is neither a TCP nor a unix listener"),
        }
    }
    Inherited(sockets)
}

impl Inherited {
    /// Those of that name; empty when there are none.
    pub(super) fn named(&self, name: &str) -> &[Bound] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// All names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
