//! The LDAP door: the phone book for mail clients that complete addresses while somebody
//! types, and for copiers and phones. It is only read here. Who sees what is decided by
//! the book (`postfax_domain::book`), who somebody is by the desk of the mail doors.
//!
//! ```text
//!  socket ─▶ serve ─▶ connection ─▶ frame ─▶ bind ───▶ the desk
//!                          ▲                 search ─▶ plan ─▶ the book
//!                          └── ber ◀─ pages ◀───┘ filter, object
//! ```
//!
//! The tree (RFC 4512): the configured base, `ou=book` below it, and there an entry for
//! each entry of the book, named by its `uid`. `mail` is the address that faxes. Clients
//! log in as `uid=NAME,ou=clients,BASE`; nothing is shown of that folder, as clients do
//! not see each other.
//!
//! Why the audit log has a line for a login and none for a search: a mail client searches
//! with every key that is pressed, and the log is never cut. Who could read the book when
//! is what the log has to say. Some clients log in with every key as well, so a client
//! that logs in again from the same address within ten minutes adds no line; every wrong
//! password does, and the throttle of the mail doors bounds those. Whoever gives no name
//! sees nothing of the book, and nothing is noted of them.
//!
//! Why nobody sees entries without logging in, not even those for everyone: everyone are
//! all clients. A copier is a client too, with a mail password of its own.

mod ber;
mod bind;
mod connection;
mod dn;
mod filter;
mod frame;
mod object;
mod pages;
mod plan;
mod schema;
mod search;
mod serve;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use postfax_gateway::server::{Census, tls::Keys};
use tokio::sync::{Semaphore, watch};

use crate::{
    config::Config,
    daemon::{Context, Daemon, DaemonError},
    listen::Doors,
    outbound::FaxDesk,
};
pub(crate) use serve::Door;

/// Searches at a time that go through everything somebody may see.
const SLOW_AT_ONCE: usize = 2;

/// What all connections share.
struct Shared {
    context: Arc<Context>,
    /// Says who logs in.
    desk: FaxDesk,
    certificate: watch::Receiver<Option<Arc<Keys>>>,
    census: Census,
    noted: bind::Noted,
    slow: Semaphore,
}

/// Opens the door, where the configuration has one, and keeps it for what a reload brings.
///
/// # Errors
/// [`DaemonError::Listen`] names the address.
pub(crate) async fn open(
    daemon: &mut Daemon,
    config: &Config,
    doors: &Doors,
) -> Result<Door, DaemonError> {
    let shared = Arc::new(Shared {
        context: daemon.context(),
        desk: doors.desk(),
        certificate: doors.certificate(),
        census: serve::census(),
        noted: bind::Noted::default(),
        slow: Semaphore::new(SLOW_AT_ONCE),
    });
    let (door, changed) = Door::new();
    let ready = door.prepare(config)?;
    let stop = daemon.stop.subscribe();
    daemon.tasks.spawn(serve::Keeper::new(shared, changed, stop).keep());
    ready.serve().await;
    Ok(door)
}
