//! The HTTP door: what can be asked of Postfax, and faxes, by HTTP/1.1 and JSON, with a
//! description (OpenAPI 3.1) that is generated from this code. It decides who asks, by
//! a token, and how questions and answers look; what is answered is decided behind it.
//!
//! ```text
//!  socket ─▶ serve ─▶ door ─▶ routes ─▶ ask ─▶ once ─▶ requests ─▶ daemon
//!                             events, pages ─▶ ask     the documents of the store
//!                             faxes ─▶ once ──▶ the desk of the mail doors
//!                     dav ─▶ the phone book, for address books
//! ```
//!
//! A fax by HTTP is a mail that we write ourselves: the desk that decides about mails
//! decides about it, so that no rule is here a second time.

mod ask;
mod body;
mod dav;
mod door;
mod events;
mod faxes;
mod form;
mod guard;
mod once;
mod pages;
mod patient;
mod problem;
mod routes;
mod serve;
mod view;

use std::sync::Arc;

use postfax_domain::job::Job;
use postfax_gateway::desk::Desk;
use tokio::sync::watch;

use crate::{
    config::{Http, HttpLimits},
    daemon::{Context, Daemon, DaemonError},
    listen::Doors,
    outbound::FaxDesk,
    requests,
};

/// What every request has before it.
#[derive(Clone)]
struct Shared(Arc<Inner>);

struct Inner {
    context: Arc<Context>,
    daemon: Arc<dyn requests::Daemon>,
    /// Decides about faxes as about mails.
    desk: Arc<dyn Desk>,
    /// Checks passwords as for mails.
    passwords: FaxDesk,
    failures: door::Failures,
    kept: once::Kept,
    /// Those who follow events.
    streams: events::Streams,
    stop: watch::Receiver<bool>,
}

impl std::ops::Deref for Shared {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Shared {
    /// The limits in force; those of the start where the table has gone since.
    fn limits(&self, start: &HttpLimits) -> HttpLimits {
        let config = self.context.config.load();
        config.http.as_ref().map_or_else(|| start.clone(), |http| http.limits.clone())
    }
}

/// A job in one row, as every answer has it.
pub(crate) fn job_row(job: &Job) -> impl serde::Serialize {
    view::JobRow::from(job)
}

/// Opens the door, where the configuration has one.
///
/// # Errors
/// [`DaemonError::Listen`] names the address.
pub(crate) async fn open(
    daemon: &mut Daemon,
    http: Option<&Http>,
    asked: Arc<dyn requests::Daemon>,
    doors: &Doors,
) -> Result<(), DaemonError> {
    let Some(http) = http else { return Ok(()) };
    let shared = Shared(Arc::new(Inner {
        context: daemon.context(),
        daemon: asked,
        desk: Arc::new(doors.desk()),
        passwords: doors.desk(),
        failures: door::Failures::default(),
        kept: once::Kept::default(),
        streams: events::Streams::new(http.limits.max_event_streams),
        stop: daemon.stop.subscribe(),
    }));
    let certificate = http.tls.then(|| doors.certificate());
    let server = serve::Server::bind(http, shared, certificate).await?;
    daemon.tasks.spawn(server.run());
    Ok(())
}
