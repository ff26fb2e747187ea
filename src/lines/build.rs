//! Makes of what is configured what is used: lines, and the server that has them. The only
//! place that knows which kinds of line there are.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use postfax_domain::outcome::Outcome;
use postfax_hw::line::{
    Desk, Ended, Line, LineSettings, LineState, Order,
    server::{LineServer, Options, StartError},
};
use tokio::sync::watch;

use crate::{
    cli::{Exit, Failure, args::Output},
    config::lines::{LineHost, LineSetup, Way},
};

/// The spool in the state folder.
const SPOOL: &str = "spool";

/// The server with all its lines.
///
/// # Errors
/// What cannot be opened or set.
pub(super) fn server(host: &LineHost) -> Result<Arc<LineServer>, StartError> {
    let options = Options {
        name: host.name.clone(),
        timezone: host.timezone.clone(),
        country: Some(host.country),
        configured: host.settings.clone(),
        ..Options::new(&host.state.join(SPOOL))
    };
    LineServer::new(options, host.lines.iter().map(line).collect())
}

fn line(setup: &LineSetup) -> Arc<dyn Line> {
    let what = match &setup.way {
        Way::Modem(_) => "modem",
        Way::Sip(_) => "SIP",
    };
    Arc::new(Missing::new(&setup.name, what))
}

/// Asks a modem what it is.
///
/// # Errors
/// [`Failure`] when it does not answer.
pub(super) fn probe(device: &Path, _: Output) -> Result<Exit, Failure> {
    let words = format!("{} cannot be asked: this program has no modem lines", device.display());
    Err(Failure::new(Exit::No, words))
}

/// A line of a kind that this program was built without: it says so, and takes no call.
struct Missing {
    name: String,
    why: String,
    changes: watch::Sender<()>,
}

impl Missing {
    fn new(name: &str, what: &str) -> Self {
        let why = format!("this program has no {what} lines");
        Self { name: name.to_owned(), why, changes: watch::Sender::new(()) }
    }
}

#[async_trait]
impl Line for Missing {
    fn name(&self) -> &str {
        &self.name
    }

    fn channels(&self) -> usize {
        1
    }

    fn state(&self) -> LineState {
        LineState::Failed(self.why.clone())
    }

    fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    fn configure(&self, _: LineSettings) {}

    async fn run(&self, _: Arc<dyn Desk>, mut stop: watch::Receiver<bool>) {
        // Closed: the server is gone, and we with it.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    async fn place(&self, _: Order) -> Ended {
        Ended::failed(Outcome::ServerFault, self.why.clone())
    }
}
