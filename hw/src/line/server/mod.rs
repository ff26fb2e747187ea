//! The line server: keeps what is to be sent, decides which call goes out on which line
//! and when, keeps what comes in, and is asked for all of it as a [`Driver`].
//!
//! ```text
//!            submit ─▶ table ◀───────────── carry ◀─ steps ─ line
//!  Driver ── follow ◀──  │                    ▲                │
//!           waiting ◀─┐  ▼                    │ start          │
//!                     │ spool    pace ─▶ batch┘                │
//!                     └──▲ (disk)                              │
//!                        └───────────────── desk ◀── rings ────┘
//! ```
//!
//! It dials once for each submission; only when it did not come to dialling, or when
//! the turn of a submission in a shared call did not come, is it put back. What it has
//! promised is on disk. It knows nothing of the supervisor and nothing of how a line does
//! what it does.

mod batch;
mod carry;
mod crash;
mod desk;
mod document;
mod driver;
mod keys;
mod pace;
mod record;
mod run;
mod settings;
mod spool;
mod table;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicUsize},
};

use postfax_domain::{number::Country, settings::Settings, time::Timestamp};
use tokio::{
    sync::{Notify, watch},
    task::spawn_blocking,
};
use tracing::warn;

use self::{
    desk::Received,
    settings::{Book, Meaning},
    spool::Spool,
    table::Table,
};
pub use self::{driver::ABLE, keys::SCHEMA, spool::SpoolError};
use super::Line;

/// Most faxes that wait to be sent, unless something else is configured.
const MAX_JOBS: usize = 10_000;
/// Most received faxes that wait to be fetched.
const MAX_RECEIVED: usize = 10_000;
/// What the pages of those that wait to be sent may have in all, in bytes.
const MAX_BYTES: u64 = 8 << 30;
/// What is left free on the disk, in bytes.
const MIN_FREE_BYTES: u64 = 256 << 20;

/// What the spool may hold. Beyond it faxes are refused, and calls are not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Faxes that wait to be sent.
    pub jobs: usize,
    /// Received faxes that wait to be fetched.
    pub received: usize,
    /// The pages of those that wait to be sent, in bytes.
    pub bytes: u64,
    /// What is left free on the disk, in bytes.
    pub free_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            jobs: MAX_JOBS,
            received: MAX_RECEIVED,
            bytes: MAX_BYTES,
            free_bytes: MIN_FREE_BYTES,
        }
    }
}

/// How a line server is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the spool; it is made where it is missing.
    pub spool: PathBuf,
    /// What it calls itself.
    pub name: String,
    /// For hours, and for the time in header lines.
    pub timezone: jiff::tz::TimeZone,
    /// Where it stands: the law asks for a header line in some countries.
    pub country: Option<Country>,
    /// What is configured, by the names of [`SCHEMA`]; what is set later lies over it.
    pub configured: Settings,
    /// What the spool may hold.
    pub limits: Limits,
}

impl Options {
    /// A server with this spool, in the time zone of the machine.
    #[must_use]
    pub fn new(spool: &Path) -> Self {
        Self {
            spool: spool.to_owned(),
            name: "Postfax line server".into(),
            timezone: jiff::tz::TimeZone::system(),
            country: None,
            configured: Settings::default(),
            limits: Limits::default(),
        }
    }
}

/// Why a line server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Two lines have one name, or a name that no setting could have.
    #[error(
        "\"{0}\" cannot be the name of a line: use letters, digits, - and _, and each name once"
    )]
    Name(String),
    /// What is configured cannot be.
    #[error("{0}")]
    Configured(String),
}

/// A fax server of lines of our own.
pub struct LineServer(Arc<Core>);

/// What all parts of the server share.
struct Core {
    options: Options,
    spool: Spool,
    lines: Vec<Arc<dyn Line>>,
    table: Table,
    received: Received,
    book: Mutex<Book>,
    meaning: watch::Sender<Arc<Meaning>>,
    /// Calls of ours on each line.
    placed: Vec<AtomicUsize>,
    /// A line that was rung when it was about to call waits until then.
    pauses: Mutex<Vec<Timestamp>>,
    /// Something may have changed that decides about calls.
    wake: Notify,
    /// Closed once nobody uses any of this. It goes last, after the spool.
    in_use: watch::Sender<()>,
}

/// A panic elsewhere leaves these whole: each change is one assignment.
fn hold<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LineServer {
    /// Opens the spool, brings to an end what a crash has left, and tells the lines what
    /// is set of them. Calls go out and are answered once [`LineServer::run`] runs.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn new(options: Options, lines: Vec<Arc<dyn Line>>) -> Result<Arc<Self>, StartError> {
        let names: Vec<String> = lines.iter().map(|line| line.name().to_owned()).collect();
        for (place, name) in names.iter().enumerate() {
            let setting = format!("line.{name}.on").parse::<postfax_domain::settings::Name>();
            if setting.is_err() || names[..place].contains(name) {
                return Err(StartError::Name(name.clone()));
            }
        }
        // Before the spool is touched.
        let (_, bad) = Book::new(&names, &options.configured, settings::Overlay::new());
        if let Some(bad) = bad.into_iter().next() {
            return Err(StartError::Configured(bad));
        }
        let spool = Spool::open(&options.spool)?;
        let (book, bad) = Book::new(&names, &options.configured, spool.settings()?);
        for why in bad {
            warn!("set earlier, and passed over: {why}");
        }
        let (meaning, _) = watch::channel(Arc::new(book.meaning()));
        let table = Table::load(&spool)?;
        let received = Received::load(&spool)?;
        table.sweep(&spool);
        let core = Core {
            placed: lines.iter().map(|_| AtomicUsize::new(0)).collect(),
            pauses: Mutex::new(vec![Timestamp(0); lines.len()]),
            options,
            spool,
            lines,
            table,
            received,
            book: Mutex::new(book),
            meaning,
            wake: Notify::new(),
            in_use: watch::Sender::new(()),
        };
        core.configure();
        Ok(Arc::new(Self(Arc::new(core))))
    }

    /// Keeps the lines and places calls, until `stop` becomes true and the last call is
    /// over.
    pub async fn run(self: Arc<Self>, stop: watch::Receiver<bool>) {
        run::run(&self.0, stop).await;
    }

    /// Closed once nobody uses this server any more, calls that were cut off included:
    /// then another one can have its spool.
    #[must_use]
    pub fn in_use(&self) -> watch::Receiver<()> {
        self.0.in_use.subscribe()
    }
}

impl Core {
    /// What is set now.
    fn meaning(&self) -> Arc<Meaning> {
        self.meaning.borrow().clone()
    }

    /// Tells the lines what is set of them.
    fn configure(&self) {
        let meaning = self.meaning();
        for (line, own) in self.lines.iter().zip(&meaning.lines) {
            line.configure(own.line.clone());
        }
    }

    /// The local time.
    fn local(&self, at: Timestamp) -> jiff::Zoned {
        let moment = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
        moment.to_zoned(self.options.timezone.clone())
    }
}

/// Does what blocks where it holds up nobody.
async fn off<T: Send + 'static>(
    core: &Arc<Core>,
    work: impl FnOnce(&Core) -> T + Send + 'static,
) -> T {
    let core = core.clone();
    match spawn_blocking(move || work(&core)).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is being shut down, and whoever waits here with it.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests;
