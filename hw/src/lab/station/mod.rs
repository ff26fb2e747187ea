//! The station: a small fax server of our own that speaks the part of HylaFAX's
//! client protocol that a driver needs, so that a demonstration runs where nothing
//! is installed. Its lines are fax machines of the exchange.
//!
//! It keeps what it was given: jobs and received faxes are on disk before a client
//! hears of them, and are there again after a restart over the same folder.
//!
//! ```text
//!  client ─▶ connection (sockets) ─▶ session (decides) ─▶ office ◀─ line (calls, receives)
//!                                                           └─▶ spool (disk)
//! ```
//! It is not for production: it knows no line but the exchange's.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinSet,
};

use self::{
    office::{Line, Office},
    spool::Spool,
};
use super::LabError;
use crate::exchange::Machine;

mod command;
mod connection;
mod events;
mod format;
mod job;
mod jobs;
mod line;
mod office;
mod session;
mod spool;
#[cfg(test)]
mod tests;
mod transfers;

/// Most clients at once.
const MAX_CLIENTS: usize = 256;

/// What a station is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its spool. What is in it from an earlier run is kept.
    pub dir: PathBuf,
    /// The port of the client protocol on 127.0.0.1; 0 takes any.
    pub port: u16,
    /// How many of its machines, the first ones, only answer.
    pub answering: usize,
    /// Who may log in.
    pub user: String,
    /// With which password.
    pub password: String,
    /// The password of `ADMIN`.
    pub admin_password: String,
    /// What the server calls itself.
    pub station_id: String,
}

/// A running station. Dropping it stops it.
#[derive(Debug)]
pub struct Station {
    port: u16,
    closing: watch::Sender<bool>,
    lines: JoinSet<(usize, Machine)>,
    door: JoinSet<()>,
}

impl Station {
    /// Opens the spool and the port; `machines` are its lines, `ttyFAX0` and so on.
    ///
    /// # Errors
    /// [`LabError::Setup`] when the folder or the port cannot be used.
    pub async fn start(options: Options, machines: Vec<Machine>) -> Result<Self, LabError> {
        let shown = options.dir.display().to_string();
        let fail = |source| LabError::setup(shown.clone(), source);
        let spool = Spool::open(&options.dir).map_err(fail)?;
        let lines: Vec<Line> = machines
            .iter()
            .enumerate()
            .map(|(at, machine)| Line {
                name: format!("ttyFAX{at}"),
                number: machine.number().to_owned(),
            })
            .collect();
        furnish(&options, &lines, &spool).map_err(fail)?;
        let office = Arc::new(Office::new(&options, lines, spool));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| LabError::setup(address.to_string(), source))?;
        let port = listener
            .local_addr()
            .map_err(|source| LabError::setup(address.to_string(), source))?
            .port();
        let (closing, closed) = watch::channel(false);
        let mut lines = JoinSet::new();
        for (at, machine) in machines.into_iter().enumerate() {
            lines.spawn(line::work(Arc::clone(&office), at, machine, closed.clone()));
        }
        let mut door = JoinSet::new();
        door.spawn(async move {
            if let Err(error) = welcome(listener, office).await {
                tracing::warn!(%error, "the station hears no new clients");
            }
        });
        Ok(Self { port, closing, lines, door })
    }

    /// The port of the client protocol on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it, and gives its machines back in their order. Calls that are under way are
    /// hung up; their jobs wait for another call when the spool is opened again.
    pub async fn stop(mut self) -> Vec<Machine> {
        self.door.shutdown().await;
        self.closing.send_replace(true);
        let mut machines = vec![];
        while let Some(ended) = self.lines.join_next().await {
            machines.extend(ended.ok());
        }
        machines.sort_by_key(|(at, _)| *at);
        machines.into_iter().map(|(_, machine)| machine).collect()
    }
}

/// Makes the configuration files that HylaFAX has too. Clients read and change them; the
/// machines are the exchange's, and stay as they were plugged in.
fn furnish(options: &Options, lines: &[Line], spool: &Spool) -> io::Result<()> {
    let new = |file: &str, text: String| {
        let path = spool.path("etc", file);
        if path.exists() { Ok(()) } else { fs::write(path, text) }
    };
    new("config", "# The scheduler of a laboratory station.\nMaxDials: 12\n".to_owned())?;
    lines.iter().try_for_each(|line| {
        let text = format!(
            "# A line of a laboratory station.\nFAXNumber: \"{}\"\nLocalIdentifier: \"{}\"\n\
             RingsBeforeAnswer: 1\n",
            line.number, options.station_id
        );
        new(&format!("config.{}", line.name), text)
    })
}

async fn welcome(listener: TcpListener, office: Arc<Office>) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(MAX_CLIENTS));
    let mut clients = JoinSet::new();
    loop {
        let seat = Arc::clone(&room).acquire_owned().await.map_err(io::Error::other)?;
        let (stream, peer) = listener.accept().await?;
        // Replies are short and waited for.
        stream.set_nodelay(true)?;
        let office = Arc::clone(&office);
        clients.spawn(async move {
            connection::serve(stream, peer, office).await;
            drop(seat);
        });
        while clients.try_join_next().is_some() {}
    }
}
