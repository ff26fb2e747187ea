//! Devices and print servers that fax by IPP (PWG 5100.15 FaxOut, RFC 8010, RFC 8011).
//!
//! ```text
//!  Create-Job ─▶ note (durable) ─▶ Send-Document ─▶ Get-Job-Attributes … ─▶ ended
//!   no call yet     job number      it may dial        every second
//! ```
//! [`message`] is the encoding, [`http`] one question and its answer; [`printer`] reads
//! what a device is, [`submit`] hands over, [`jobs`] finds and reads jobs, [`follow`]
//! waits for their end and [`causes`] gives it its name; [`settings`] sets what a device
//! lets be set.
//!
//! Why a note: devices forget their jobs when they like. A job without a document is never
//! dialled, so what was not noted before the document was sent was never taken, and what
//! was noted and is not there any more may have been sent.
//!
//! What is told: a fax is delivered when the device reports its transmission as completed
//! (destination-statuses). One that only reports its job as completed has not said that
//! anybody confirmed the pages: that is *relayed*.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use ipp::model::Operation;
use postfax_domain::{
    outcome::Outcome,
    settings::{Change, Settings},
};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use crate::{
    driver::{
        Call, Capabilities, Condition, Driver, DriverError, Ended, Progress, SettingsError, Ticket,
    },
    notes::Notes,
};
use http::Fault;
use message::{Answer, Question};
use printer::Printer;

mod causes;
mod document;
mod follow;
mod http;
mod jobs;
mod message;
mod printer;
mod raster;
mod settings;
mod submit;
#[cfg(test)]
mod tests;

pub use settings::SCHEMA;

/// Reads octets as the answer of a device, and what the driver looks for in one; for
/// fuzzing.
#[doc(hidden)]
pub fn fuzz_one(data: &[u8]) {
    let Ok(answer) = Answer::read(data) else { return };
    let _ = answer.words();
    let _ = Printer::read(&answer);
    jobs::fuzz_one(&answer);
}

/// The port of IPP.
pub const PORT: u16 = 631;
/// The path where FaxOut is by custom.
pub const PATH: &str = "/ipp/faxout";
/// How long what a device has said of itself is relied on.
const FRESH: Duration = Duration::from_secs(300);

/// Where a device is and how to speak to it.
#[derive(Clone)]
pub struct Options {
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port, usually [`PORT`].
    pub port: u16,
    /// The path of its fax service; empty for [`PATH`].
    pub path: String,
    /// How it proves who it is, when it is spoken to under TLS (`ipps`).
    pub tls: Option<TlsConnector>,
    /// Who asks: what the device calls the owner of our jobs.
    pub user: String,
    /// Password of the user (Basic, RFC 7617).
    pub password: Option<String>,
    /// Password of the user for changing settings; without it nothing is set.
    pub admin_password: Option<String>,
    /// Whether *completed* means that the far machine confirmed the pages.
    pub confirms: bool,
    /// What is dialled before each number, such as `9` for an outside line.
    pub pre_dial: Option<String>,
    /// A folder of its own for what must be known after a crash.
    pub notes: PathBuf,
    /// How often a job is looked at while it goes on.
    pub follow: Duration,
    /// How long a connection may take, and a TLS handshake.
    pub connect_timeout: Duration,
    /// How long an answer may take, besides the time to send a document.
    pub reply_timeout: Duration,
    /// How long a job that was stopped may take to end, and a transmission whose job has
    /// ended.
    pub aftermath: Duration,
}

impl Options {
    /// The usual times, no TLS, no password.
    #[must_use]
    pub fn new(host: &str, port: u16, path: &str, notes: impl Into<PathBuf>) -> Self {
        Self {
            host: host.to_owned(),
            port,
            path: path.to_owned(),
            tls: None,
            user: "postfax".to_owned(),
            password: None,
            admin_password: None,
            confirms: true,
            pre_dial: None,
            notes: notes.into(),
            follow: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(10),
            reply_timeout: Duration::from_secs(30),
            aftermath: Duration::from_secs(60),
        }
    }

    fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    fn path(&self) -> &str {
        if self.path.len() > 1 { &self.path } else { PATH }
    }

    /// What the device calls itself (RFC 3510, RFC 7472).
    fn uri(&self) -> String {
        let scheme = if self.tls.is_some() { "ipps" } else { "ipp" };
        format!("{scheme}://{}{}", self.authority(), self.path())
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the passwords.
        write!(f, "Options({})", self.uri())
    }
}

/// A device that faxes by IPP.
#[derive(Debug)]
pub struct Ipp {
    options: Arc<Options>,
    notes: Notes,
    /// What it has said of itself last.
    printer: Mutex<Option<Printer>>,
}

impl Ipp {
    /// A driver for one device. Nothing is connected before the first request.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let notes = Notes::new(&options.notes);
        notes.prune();
        Self { options: Arc::new(options), notes, printer: Mutex::new(None) }
    }

    fn server(&self) -> String {
        self.options.uri()
    }

    fn question(&self, operation: Operation) -> Question {
        Question::new(operation, &self.options.uri(), &self.options.user)
    }

    async fn ask(&self, question: &Question) -> Result<Answer, Fault> {
        http::ask(&self.options, question, &Bytes::new()).await
    }

    /// A fault of a question that takes nothing from us.
    fn error(&self, fault: Fault) -> DriverError {
        let server = self.server();
        match fault {
            Fault::Unreached(why) | Fault::Broken(why) => DriverError::Unreachable { server, why },
            Fault::Http(status) => {
                let reply = match status.as_u16() {
                    401 => format!("{status}: are the user and the password right?"),
                    426 => format!("{status}: it wants TLS, write ipps://"),
                    _ => format!("{status} by HTTP: is the path in the URL right?"),
                };
                DriverError::Refused { server, reply, outcome: causes::http(status) }
            }
            Fault::Refused { status, words } => {
                let reply = format!("{status:#06x} {words}");
                DriverError::Refused { server, reply, outcome: causes::refused(status) }
            }
        }
    }

    /// The same of a question after which it may have our fax.
    fn unsure(&self, fault: Fault) -> DriverError {
        match fault {
            Fault::Broken(why) => DriverError::Unsure { server: self.server(), why },
            fault => self.error(fault),
        }
    }

    fn refusal(&self, reply: impl fmt::Display, outcome: Outcome) -> DriverError {
        DriverError::Refused { server: self.server(), reply: reply.to_string(), outcome }
    }

    fn gone(&self, what: impl fmt::Display) -> DriverError {
        DriverError::Gone { server: self.server(), what: what.to_string() }
    }

    /// What the device says of itself now.
    async fn look(&self) -> Result<Printer, DriverError> {
        let question = printer::question(&self.options.uri(), &self.options.user);
        let answer = self.ask(&question).await.map_err(|fault| self.error(fault))?;
        let printer =
            Printer::read(&answer).map_err(|no| self.refusal(no, Outcome::ServerMisconfigured))?;
        *self.printer.lock().unwrap_or_else(PoisonError::into_inner) = Some(printer.clone());
        Ok(printer)
    }

    /// What it said a moment ago, or says now.
    async fn known(&self) -> Result<Printer, DriverError> {
        let known = self.printer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known.filter(|printer| printer.asked.elapsed() < FRESH) {
            Some(printer) => Ok(printer),
            None => self.look().await,
        }
    }
}

/// Which job, and what must be known of it whatever the device forgets.
#[derive(Debug, Clone, PartialEq, Eq)]
struct JobTicket {
    job: i32,
    /// Pages that were sent; 0 when that is not known.
    pages: u32,
    /// Seconds since 1970 after which it must not dial any more.
    until: u64,
    tag: String,
}

impl JobTicket {
    fn write(&self) -> Ticket {
        Ticket(format!("{} {} {} {}", self.job, self.pages, self.until, self.tag))
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut next = || words.next();
        let (job, pages, until) = (next()?.parse().ok()?, next()?.parse().ok()?, next()?);
        let (until, tag) = (until.parse().ok()?, next()?.to_owned());
        words.next().is_none().then_some(Self { job, pages, until, tag })
    }
}

#[async_trait]
impl Driver for Ipp {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            confirms: self.options.confirms,
            finds: true,
            cancels: true,
            receives: false,
            batches: false,
            schema: self.options.admin_password.is_some().then_some(&SCHEMA),
        }
    }

    async fn condition(&self) -> Result<Condition, DriverError> {
        Ok(self.look().await?.condition)
    }

    async fn submit(&self, call: &Call) -> Result<Ticket, DriverError> {
        self.hand_over(call).await.map(|ticket| ticket.write())
    }

    async fn find(&self, tag: &str) -> Result<Option<Ticket>, DriverError> {
        Ok(self.find_job(tag).await?.map(|ticket| ticket.write()))
    }

    async fn follow(
        &self,
        ticket: &Ticket,
        progress: mpsc::Sender<Progress>,
    ) -> Result<Ended, DriverError> {
        self.watch(&self.ticket(ticket)?, progress).await
    }

    async fn cancel(&self, ticket: &Ticket) -> Result<(), DriverError> {
        let ticket = self.ticket(ticket)?;
        self.job(&ticket).await?;
        self.cancel_job(ticket.job).await
    }

    async fn forget(&self, ticket: &Ticket) -> Result<(), DriverError> {
        // The device forgets by itself.
        match JobTicket::read(&ticket.0) {
            Some(ticket) => self.drop_note(&ticket.tag).await,
            None => Ok(()),
        }
    }

    async fn settings(&self, _safe: &Path) -> Result<Settings, SettingsError> {
        self.read_settings().await
    }

    async fn set(&self, changes: &[Change], _safe: &Path) -> Result<Settings, SettingsError> {
        self.set_settings(changes).await
    }
}
