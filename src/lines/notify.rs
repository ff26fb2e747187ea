//! Tells systemd how we are (`sd_notify(3)`). Without systemd nobody is told.

use std::{
    env,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
    time::Duration,
};

use tracing::warn;

/// We are ready, and others may start that need us.
pub(super) const READY: &str = "READY=1";
/// We end what is under way.
pub(super) const STOPPING: &str = "STOPPING=1";
/// We live.
pub(super) const WATCHDOG: &str = "WATCHDOG=1";
/// We need more time to stop: half a minute from now.
pub(super) const MORE_TIME: &str = "EXTEND_TIMEOUT_USEC=30000000";

/// Says it.
pub(super) fn say(what: &str) {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else { return };
    let sent = UnixDatagram::unbound().and_then(|socket| {
        let address = match path.as_encoded_bytes() {
            // A name that is in no file system.
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(&path)?,
        };
        socket.send_to_addr(what.as_bytes(), &address)
    });
    if let Err(failed) = sent {
        warn!(%failed, "systemd is not told how we are");
    }
}

/// How often systemd wants to hear that we live, at the latest.
pub(super) fn watchdog() -> Option<Duration> {
    let number = |name: &str| env::var(name).ok()?.parse::<u64>().ok();
    let ours = u64::from(std::process::id());
    let every = number("WATCHDOG_USEC").filter(|every| *every > 0)?;
    let meant = number("WATCHDOG_PID").is_none_or(|pid| pid == ours);
    meant.then(|| Duration::from_micros(every) / 2)
}
