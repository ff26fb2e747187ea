//! HylaFAX servers, over their client protocol (hfaxd, TCP port 4559), as HylaFAX
//! 6.0.7 speaks it.
//!
//! [`wire`] is the control connection and [`transfer`] the data connections of a
//! [`session`]; [`submit`], [`queue`], [`received`], [`lines`] and [`accounts`] say
//! and read what a server keeps; [`trigger`] listens to what it tells by itself,
//! [`follow`] waits for the end of a call and [`causes`] gives it its name;
//! [`settings`] reads and replaces the files that it is configured with.
//!
//! There is one connection for each purpose, so that a long upload holds up no
//! look at a call. The protocol has no encryption: keep it on the host, in a VPN or
//! in a tunnel.

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use postfax_domain::{
    outcome::Outcome,
    settings::{Change, Settings},
};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};

use crate::driver::{
    Call, Capabilities, Condition, Driver, DriverError, Ended, Progress, SettingsError, Ticket,
    Waiting,
};
use session::{Desk, Rights, Session};
use trigger::Trigger;
use wire::{Fault, Reply};

pub use settings::SCHEMA;

mod accounts;
mod causes;
mod follow;
mod lines;
mod nudge;
mod queue;
mod received;
mod session;
mod settings;
mod submit;
#[cfg(test)]
mod tests;
mod transfer;
mod trigger;
mod wire;

/// The port of HylaFAX's client protocol.
pub const PORT: u16 = 4559;
/// How long a kill may go unanswered: the server answers only when the page that is
/// on the line has ended, but has taken the order long before. In seconds.
const KILL_WAIT_S: u64 = 20;

/// Where a server is and how to log in.
#[derive(Clone)]
pub struct Options {
    /// Host name or address.
    pub host: String,
    /// TCP port, usually [`PORT`].
    pub port: u16,
    /// User, as in the server's `hosts.hfaxd`.
    pub user: String,
    /// Password of the user.
    pub password: String,
    /// Password of `ADMIN`. With it received faxes can be fetched and deleted whoever
    /// owns them, and the server's log tells lines, called numbers and calls that
    /// the queues have forgotten.
    pub admin_password: Option<String>,
    /// Whether the server prints its header line (`TagLineFormat`) over the top of
    /// each page. Otherwise the pages go out as they are.
    pub header_line: bool,
    /// How often we look where the server cannot tell us.
    pub poll: Duration,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub reply_timeout: Duration,
}

impl Options {
    /// The usual times, no administrator's password, no header line.
    #[must_use]
    pub fn new(host: &str, port: u16, user: &str, password: &str) -> Self {
        Self {
            host: host.to_owned(),
            port,
            user: user.to_owned(),
            password: password.to_owned(),
            admin_password: None,
            header_line: false,
            poll: Duration::from_secs(3),
            connect_timeout: Duration::from_secs(10),
            reply_timeout: Duration::from_secs(30),
        }
    }

    fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the passwords.
        write!(f, "Options({}@{})", self.user, self.server())
    }
}

/// A HylaFAX server.
#[derive(Debug)]
pub struct Hylafax {
    options: Arc<Options>,
    submitting: Desk,
    following: Desk,
    receiving: Desk,
    trigger: Trigger,
    /// One reads or sets settings at a time.
    editing: Semaphore,
    /// When it last changed a file of settings.
    edited: settings::Edited,
    /// When it has its lines read them.
    orders: settings::Orders,
    /// A fax was coming in when we last looked.
    coming_in: AtomicBool,
    /// The arrivals that the last look has covered.
    covered: AtomicU64,
}

/// Which job, and the tag by which it is known to be ours: a server that was set up
/// anew counts its jobs from 1 again.
#[derive(Debug, Clone, PartialEq, Eq)]
struct JobTicket {
    job: u32,
    tag: Option<String>,
}

impl JobTicket {
    fn write(job: u32, tag: &str) -> Ticket {
        Ticket(format!("{job} {tag}"))
    }

    fn parse(ticket: &Ticket) -> Option<Self> {
        let (job, tag) = match ticket.0.split_once(' ') {
            Some((job, tag)) => (job, Some(tag.to_owned())),
            None => (ticket.0.as_str(), None),
        };
        Some(Self { job: job.parse().ok()?, tag })
    }

    fn is_of(&self, tag: &str) -> bool {
        self.tag.as_deref().is_none_or(|ours| ours == tag)
    }
}

impl Hylafax {
    /// A driver for one server. Nothing is connected before the first request.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let options = Arc::new(options);
        Self {
            submitting: Desk::new(Arc::clone(&options), Rights::User),
            following: Desk::new(Arc::clone(&options), Rights::User),
            receiving: Desk::new(Arc::clone(&options), Rights::Admin),
            trigger: Trigger::new(Arc::clone(&options)),
            editing: Semaphore::new(1),
            edited: settings::Edited::default(),
            orders: settings::Orders::default(),
            coming_in: AtomicBool::new(false),
            covered: AtomicU64::new(0),
            options,
        }
    }

    fn error(&self, fault: Fault) -> DriverError {
        let server = self.options.server();
        match fault {
            Fault::Broken(why) => DriverError::Unreachable { server, why },
            Fault::Refused(reply) => {
                let outcome = meaning(&reply);
                DriverError::Refused { server, reply: reply.to_string(), outcome }
            }
            Fault::Local(path, source) => DriverError::Local { path, source },
        }
    }

    fn gone(&self, what: impl fmt::Display) -> DriverError {
        DriverError::Gone { server: self.options.server(), what: what.to_string() }
    }

    fn ticket(&self, ticket: &Ticket) -> Result<JobTicket, DriverError> {
        JobTicket::parse(ticket).ok_or_else(|| self.gone(format!("a job {:?}", ticket.0)))
    }

    /// The same for faults about a received fax: one that is not there is gone.
    fn about_fax(&self, fax: &Waiting, fault: Fault) -> DriverError {
        match fault {
            Fault::Refused(reply) if reply.says_missing() => self.gone(&fax.name),
            Fault::Refused(reply) => self.error(Fault::Refused(received::explain(reply))),
            fault => self.error(fault),
        }
    }

    /// Whether the job is there and ours.
    async fn is_ours(&self, session: &mut Session, ticket: &JobTicket) -> Result<bool, Fault> {
        let entry = session.entry(ticket.job).await?;
        Ok(entry.is_some_and(|entry| ticket.is_of(&entry.tag)))
    }
}

/// What a refusal means for an attempt.
fn meaning(reply: &Reply) -> Outcome {
    match reply.code {
        530 | 532 => Outcome::ServerMisconfigured,
        400..500 => Outcome::ServerFault,
        _ if reply.says_forbidden() => Outcome::ServerMisconfigured,
        _ => Outcome::ServerRefused,
    }
}

#[async_trait]
impl Driver for Hylafax {
    fn capabilities(&self) -> Capabilities {
        let schema = self.options.admin_password.is_some().then_some(&SCHEMA);
        Capabilities {
            confirms: true,
            finds: true,
            cancels: true,
            receives: true,
            batches: false,
            schema,
        }
    }

    async fn condition(&self) -> Result<Condition, DriverError> {
        let mut session = self.following.borrow().await.map_err(|fault| self.error(fault))?;
        session.condition().await.map_err(|fault| self.error(fault))
    }

    async fn submit(&self, call: &Call) -> Result<Ticket, DriverError> {
        let mut session = self.submitting.borrow().await.map_err(|fault| self.error(fault))?;
        match session.submit(call, self.options.header_line).await {
            Ok(job) => Ok(JobTicket::write(job, &call.tag)),
            Err(submit::Failure::Before(fault)) => Err(self.error(fault)),
            Err(submit::Failure::After(why)) => {
                Err(DriverError::Unsure { server: self.options.server(), why })
            }
        }
    }

    async fn find(&self, tag: &str) -> Result<Option<Ticket>, DriverError> {
        let mut session = self.submitting.borrow().await.map_err(|fault| self.error(fault))?;
        let found = session.find(tag).await.map_err(|fault| self.error(fault))?;
        drop(session);
        if let Some(job) = found {
            return Ok(Some(JobTicket::write(job, tag)));
        }
        let account = self.account(|account| account.sent && account.tag == tag).await;
        let job = account.and_then(|account| account.job.parse().ok());
        Ok(job.map(|job| JobTicket::write(job, tag)))
    }

    async fn follow(
        &self,
        ticket: &Ticket,
        progress: mpsc::Sender<Progress>,
    ) -> Result<Ended, DriverError> {
        let ticket = self.ticket(ticket)?;
        self.watch(&ticket, progress).await.map_err(|fault| self.error(fault))
    }

    async fn cancel(&self, ticket: &Ticket) -> Result<(), DriverError> {
        let ticket = self.ticket(ticket)?;
        let opened = Session::open(&self.options, Rights::User).await;
        let mut session = opened.map_err(|fault| self.error(fault))?;
        let ours = self.is_ours(&mut session, &ticket).await;
        if !ours.map_err(|fault| self.error(fault))? {
            return Err(self.gone(format!("job {}", ticket.job)));
        }
        let order = format!("JKILL {}", ticket.job);
        session.control.tell(&order).await.map_err(|fault| self.error(fault))?;
        let answer = timeout(Duration::from_secs(KILL_WAIT_S), session.control.reply()).await;
        match answer {
            // Ordered, and not yet carried out.
            Err(_) => Ok(()),
            Ok(Err(fault)) => Err(self.error(fault)),
            Ok(Ok(reply)) if reply.is_done() => Ok(()),
            Ok(Ok(reply)) if reply.text().contains("already done") => Ok(()),
            Ok(Ok(reply)) if reply.says_missing() => Err(self.gone(format!("job {}", ticket.job))),
            Ok(Ok(reply)) => Err(self.error(Fault::Refused(reply))),
        }
    }

    async fn forget(&self, ticket: &Ticket) -> Result<(), DriverError> {
        let ticket = self.ticket(ticket)?;
        // An older session may remember the job from before its end.
        let opened = Session::open(&self.options, Rights::User).await;
        let mut session = opened.map_err(|fault| self.error(fault))?;
        let ours = self.is_ours(&mut session, &ticket).await;
        if !ours.map_err(|fault| self.error(fault))? {
            return Ok(());
        }
        match session.control.demand(&format!("JDELE {}", ticket.job)).await {
            Ok(_) => Ok(()),
            Err(Fault::Refused(reply)) if reply.says_missing() => Ok(()),
            Err(fault) => Err(self.error(fault)),
        }
    }

    async fn arrival(&self, at_most: Duration) {
        let mut arrivals = self.trigger.arrivals();
        let told = self.trigger.is_armed() && !self.coming_in.load(Ordering::Relaxed);
        let pause = if told { at_most } else { at_most.min(self.options.poll) };
        let covered = self.covered.load(Ordering::Relaxed);
        // The sender lives as long as we do.
        let _ = timeout(pause, arrivals.wait_for(|count| *count != covered)).await;
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, DriverError> {
        let covered = *self.trigger.arrivals().borrow();
        let mut session = self.receiving.borrow().await.map_err(|fault| self.error(fault))?;
        let listing = session.received().await.map_err(|fault| self.error(fault))?;
        self.coming_in.store(listing.coming_in, Ordering::Relaxed);
        self.covered.store(covered, Ordering::Relaxed);
        Ok(listing.waiting)
    }

    async fn fetch(&self, fax: &Waiting, into: &Path) -> Result<(), DriverError> {
        let mut session = self.receiving.borrow().await.map_err(|fault| self.error(fault))?;
        let fetched = session.fetch(&fax.name, into).await;
        fetched.map_err(|fault| self.about_fax(fax, fault))
    }

    async fn release(&self, fax: &Waiting) -> Result<(), DriverError> {
        let mut session = self.receiving.borrow().await.map_err(|fault| self.error(fault))?;
        session.release(&fax.name).await.map_err(|fault| self.about_fax(fax, fault))
    }

    async fn settings(&self, safe: &Path) -> Result<Settings, SettingsError> {
        self.read_settings(safe).await
    }

    async fn set(&self, changes: &[Change], safe: &Path) -> Result<Settings, SettingsError> {
        self.set_settings(changes, safe).await
    }
}
