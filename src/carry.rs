//! Carriers: one task for each attempt under way. It hands the attempt over,
//! follows it, and tells the supervisor how it ended; it decides nothing.
//!
//! An attempt that may have been handed over before (after a crash, or when the
//! connection broke at the wrong moment) is looked up at its server by its tag
//! before anything is submitted.
//!
//! Why once is not enough: a process that was killed may have written its order to
//! the socket a moment before, and the server reads it a moment after we are back.
//! So a first *no* of the server only counts when some time has passed since then.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use postfax_domain::{
    destination::Destination,
    document::PageLedger,
    job::{AttemptEnd, Carrier, Cause, Job},
    names::{JobId, ServerName},
    outcome::Outcome,
    redacted::Redacted,
    supervisor::Event,
};
use postfax_hw::{
    driver::{Call, Driver, DriverError, Ended, Progress, Ticket},
    pages,
};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
};
use tracing::{error, info, warn};

use crate::{
    crash,
    daemon::{Context, now, tag},
    letters, post,
};

/// First and longest pause before a server that is away is asked again.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// How long the order of an earlier life may be on its way to the server's queue.
const SETTLE: Duration = Duration::from_secs(3);
/// A server must not dial later than this after it was given an attempt.
const GIVE_UP_AFTER: Duration = Duration::from_secs(3600);
/// How long after a job's time an attempt may still be looked for at its server.
const LOST_AFTER: Duration = Duration::from_secs(2 * 3600);
/// Progress reports that may wait.
const PROGRESS_QUEUE: usize = 16;

/// All attempts under way.
pub struct Carriers {
    context: Arc<Context>,
    stops: HashMap<JobId, watch::Sender<bool>>,
    /// One task for each attempt at a fax server, and for each record to be dropped.
    pub tasks: JoinSet<()>,
    /// One task for each mail.
    pub mails: JoinSet<()>,
}

/// Ends the task when nobody waits for it any more.
struct Work(JoinHandle<Ended>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Carriers {
    /// Nothing is under way.
    #[must_use]
    pub fn new(context: Arc<Context>) -> Self {
        Self { context, stops: HashMap::new(), tasks: JoinSet::new(), mails: JoinSet::new() }
    }

    /// Carries the attempt under way; `again` when an earlier life may have handed
    /// it over already.
    pub fn carry(&mut self, job: Job, again: bool) {
        self.stops.retain(|_, stop| !stop.is_closed());
        let (stop, stopped) = watch::channel(false);
        self.stops.insert(job.id, stop);
        let context = self.context.clone();
        let attempt = job.under_way().expect("only what is under way is carried").number;
        let is_mail = matches!(job.destination, Destination::Mailbox(_));
        let carried = async move {
            let Some(ended) = carry_out(&context, &job, again, stopped).await else { return };
            crash::point("ended");
            let Ended { outcome, said, ledger } = ended;
            info!(job = %job.id, outcome = %outcome.name(), to = %Redacted(&job.destination), "ended");
            let end = AttemptEnd { at: now(), outcome, said };
            context.tell(Event::Ended { job: job.id, attempt, ledger, end }).await;
        };
        if is_mail {
            self.mails.spawn(carried);
        } else {
            self.tasks.spawn(carried);
        }
    }

    /// Forgets the tasks that have ended.
    pub fn reap(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        while self.mails.try_join_next().is_some() {}
    }

    /// Stops the attempt of a job.
    pub fn cancel(&mut self, job: JobId) {
        if let Some(stop) = self.stops.get(&job) {
            stop.send_replace(true);
        }
    }

    /// Lets a server drop its record of what is durable here.
    pub fn forget(&mut self, server: ServerName, ticket: String) {
        let Some(driver) = self.context.drivers.load().get(&server).cloned() else { return };
        self.tasks.spawn(async move {
            crash::point("forget");
            if let Err(failed) = driver.forget(&Ticket(ticket)).await {
                // It cleans up by itself in time.
                info!(%server, %failed, "the server keeps its record");
            }
        });
    }
}

/// Carries one attempt to its end. A bug on the way must not leave the job under way
/// for ever: a mail is tried again later, and a fax is looked up at its server. None
/// when the daemon ends.
async fn carry_out(
    context: &Arc<Context>,
    job: &Job,
    mut again: bool,
    stopped: watch::Receiver<bool>,
) -> Option<Ended> {
    loop {
        let (context, job, stopped) = (context.clone(), job.clone(), stopped.clone());
        let is_mail = matches!(job.destination, Destination::Mailbox(_));
        let mut work = Work(tokio::spawn(async move {
            match job.under_way().map(|attempt| &attempt.carrier) {
                Some(Carrier::Server(server)) => fax(&context, &job, server, again, stopped).await,
                _ => mail(&context, &job).await,
            }
        }));
        match (&mut work.0).await {
            Ok(ended) => return Some(ended),
            Err(end) if !end.is_panic() => return None,
            Err(bug) if is_mail => {
                error!(%bug, "a mail could not be carried");
                return Some(ended(Outcome::MailDeferred, bug.to_string()));
            }
            Err(bug) => {
                error!(%bug, "a fax could not be followed; asking its server again");
                again = true;
                tokio::time::sleep(ASK_AGAIN.1).await;
            }
        }
    }
}

fn ended(outcome: Outcome, said: impl Into<String>) -> Ended {
    Ended { outcome, said: said.into(), ledger: PageLedger::default() }
}

async fn mail(context: &Context, job: &Job) -> Ended {
    if let Cause::Forwarded(mail) = &job.cause {
        crash::point("deliver");
        let (outcome, said) = post::forward(context, job, mail).await;
        crash::point("delivered");
        return ended(outcome, said);
    }
    let mut letter = match letters::write(context, job).await {
        Ok(letter) => letter,
        Err(failed) => {
            warn!(job = %job.id, %failed, "the mail cannot be written");
            return ended(Outcome::MailDeferred, failed.to_string());
        }
    };
    if let Err(failed) = post::sign(context, &mut letter).await {
        letter.forget().await;
        warn!(job = %job.id, %failed, "the mail stays here");
        return ended(Outcome::MailDeferred, failed.to_string());
    }
    crash::point("deliver");
    let (outcome, said) = post::deliver(context, job, &letter).await;
    crash::point("delivered");
    letter.forget().await;
    ended(outcome, said)
}

/// Whether a server may have an attempt already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// It was never given to it.
    Never,
    /// An earlier life may have given it to it a moment ago.
    Fresh,
    /// It may have been given to it, and whatever was on its way has arrived.
    Settled,
}

/// Pages that were cut out for one attempt; they go when it was handed over.
struct Cut(Option<PathBuf>);

impl Drop for Cut {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// One attempt at one fax server.
struct Errand<'a> {
    context: &'a Context,
    job: &'a Job,
    attempt: u32,
    server: &'a ServerName,
    /// The driver that it began with; a server may be set up anew meanwhile.
    first: Arc<dyn Driver>,
    tag: String,
    stopped: watch::Receiver<bool>,
}

async fn fax(
    context: &Context,
    job: &Job,
    server: &ServerName,
    again: bool,
    stopped: watch::Receiver<bool>,
) -> Ended {
    let Some(driver) = context.drivers.load().get(server).cloned() else {
        let outcome = if again { Outcome::Unknown } else { Outcome::ServerMisconfigured };
        return ended(outcome, format!("{server} is not configured any more"));
    };
    let attempt = job.under_way().expect("only what is under way is carried");
    let tag = tag(context, job);
    let errand =
        Errand { context, job, attempt: attempt.number, server, first: driver, tag, stopped };
    let ticket = match &attempt.ticket {
        Some(ticket) => Ok(Ticket(ticket.clone())),
        None => errand.hand_over(if again { Doubt::Fresh } else { Doubt::Never }).await,
    };
    match ticket {
        Ok(ticket) => errand.follow(&ticket).await,
        Err(ended) => ended,
    }
}

impl Errand<'_> {
    /// The server as it is set up now.
    fn driver(&self) -> Arc<dyn Driver> {
        let drivers = self.context.drivers.load();
        drivers.get(self.server).unwrap_or(&self.first).clone()
    }

    /// Gets the server to own the attempt, exactly once: asks for it, gives it, and begins
    /// anew after a pause for as long as it is not clear who has it.
    async fn hand_over(&self, mut doubt: Doubt) -> Result<Ticket, Ended> {
        let mut pause = ASK_AGAIN.0;
        loop {
            let found = self.find(doubt).await;
            let (stopped, late) = (*self.stopped.borrow(), now() > self.job.expires);
            let handed = match found {
                Ok(Some(ticket)) => Ok(ticket),
                Ok(None) if stopped => {
                    return Err(ended(Outcome::Cancelled, "cancelled before it was handed over"));
                }
                Ok(None) if late => {
                    let said = "its time was over before the server took it";
                    return Err(ended(Outcome::ServerUnreachable, said));
                }
                Ok(None) => {
                    doubt = Doubt::Settled;
                    self.give().await?
                }
                // A refusal of the second leaves it open what became of the first.
                Err(open @ DriverError::Unsure { .. })
                    if self.driver().drops_duplicates() && !stopped && !late =>
                {
                    self.give().await.unwrap_or(Err(open))
                }
                Err(failed) => Err(failed),
            };
            match handed {
                Ok(ticket) => return Ok(self.placed(ticket).await),
                Err(failed) => self.wait_for_server(&failed, &mut pause).await?,
            }
        }
    }

    /// Asks the server for the attempt, when it may have it.
    async fn find(&self, doubt: Doubt) -> Result<Option<Ticket>, DriverError> {
        if doubt == Doubt::Never {
            return Ok(None);
        }
        let found = self.driver().find(&self.tag).await?;
        if found.is_some() || doubt == Doubt::Settled {
            return Ok(found);
        }
        tokio::time::sleep(SETTLE).await;
        self.driver().find(&self.tag).await
    }

    /// Gives it to the server. An error within means that the server may have it.
    async fn give(&self) -> Result<Result<Ticket, DriverError>, Ended> {
        // Only now: an attempt that the server has needs no pages of ours.
        let (call, _cut) = self.call().await?;
        crash::point("submit");
        match self.driver().submit(&call).await {
            Ok(ticket) => {
                crash::point("placed");
                Ok(Ok(ticket))
            }
            Err(unsure @ DriverError::Unsure { .. }) => Ok(Err(unsure)),
            Err(failed) => Err(refused(&failed)),
        }
    }

    async fn call(&self) -> Result<(Call, Cut), Ended> {
        let Destination::Fax(to) = &self.job.destination else {
            return Err(ended(Outcome::BadDocument, "no fax number"));
        };
        let shape = self.job.shape();
        let (pages, cut) = self.pages().await?;
        let config = self.context.config.load();
        let server = self.job.under_way().map(|attempt| &attempt.carrier);
        let access = match server {
            Some(Carrier::Server(name)) => config.servers.get(name),
            _ => None,
        };
        let call = Call {
            tag: self.tag.clone(),
            number: to.number.clone(),
            subaddress: to.subaddress.clone(),
            pages,
            pages_before: self.first_page(),
            resolution: shape.resolution,
            paper: shape.paper,
            sender: self.job.sender().map_or_else(String::new, |sent| sent.client.to_string()),
            station_id: access.and_then(|access| access.station_id.clone()),
            priority: u8::try_from(127 - 14 * i16::from(self.job.priority)).unwrap_or(127),
            give_up_after: GIVE_UP_AFTER,
        };
        Ok((call, cut))
    }

    /// The first page of this attempt; those before it are confirmed.
    fn first_page(&self) -> u32 {
        self.job.under_way().map_or(0, |attempt| attempt.first_page)
    }

    /// The cover and the document as one file, or what is left of them.
    async fn pages(&self) -> Result<(PathBuf, Cut), Ended> {
        let documents = &self.context.reader.documents;
        let of = self.job.documents().map(|document| documents.document(&document.digest));
        let mut whole: Vec<PathBuf> = of.collect();
        let first = self.first_page();
        if let ([_], 0, false) = (&whole[..], first, self.job.coarse) {
            return Ok((whole.remove(0), Cut(None)));
        }
        let path = documents.spool(&format!("{}.tif", self.tag));
        let (into, coarse) = (path.clone(), self.job.coarse);
        let cut = Cut(Some(path.clone()));
        let cutting = tokio::task::spawn_blocking(move || {
            let whole: Vec<&Path> = whole.iter().map(PathBuf::as_path).collect();
            pages::join(&whole, first, &into)?;
            if coarse { pages::rest::coarsen(&into, &into) } else { Ok(()) }
        });
        match cutting.await {
            Ok(Ok(())) => Ok((path, cut)),
            Ok(Err(failed)) => Err(ended(Outcome::LocalTrouble, failed.to_string())),
            Err(bug) => Err(ended(Outcome::LocalTrouble, bug.to_string())),
        }
    }

    async fn placed(&self, ticket: Ticket) -> Ticket {
        let placed =
            Event::Placed { job: self.job.id, attempt: self.attempt, ticket: ticket.0.clone() };
        self.context.tell(placed).await;
        ticket
    }

    async fn follow(&self, ticket: &Ticket) -> Ended {
        let mut pause = ASK_AGAIN.0;
        loop {
            match self.follow_once(ticket).await {
                Ok(ended) => return ended,
                Err(DriverError::Gone { what, .. }) => return ended(Outcome::Unknown, what),
                Err(failed) => {
                    if let Err(lost) = self.wait_for_server(&failed, &mut pause).await {
                        return lost;
                    }
                }
            }
        }
    }

    async fn follow_once(&self, ticket: &Ticket) -> Result<Ended, DriverError> {
        let (progress, mut reports) = mpsc::channel(PROGRESS_QUEUE);
        let driver = self.driver();
        let following = driver.follow(ticket, progress);
        tokio::pin!(following);
        let cancelling = self.cancel_when_stopped(ticket);
        tokio::pin!(cancelling);
        loop {
            tokio::select! {
                ended = &mut following => return ended,
                Some(report) = reports.recv() => self.report(report).await,
                () = &mut cancelling => {}
            }
        }
    }

    async fn report(&self, report: Progress) {
        if let Progress::Pages(ledger) = report {
            let event = Event::Progress { job: self.job.id, attempt: self.attempt, ledger };
            self.context.tell(event).await;
        }
    }

    /// Never returns: once asked to, it goes on asking the server to stop.
    async fn cancel_when_stopped(&self, ticket: &Ticket) {
        let mut stopped = self.stopped.clone();
        if stopped.wait_for(|stopped| *stopped).await.is_err() {
            return std::future::pending().await;
        }
        loop {
            match self.driver().cancel(ticket).await {
                Ok(()) => return std::future::pending().await,
                Err(failed) => {
                    warn!(job = %self.job.id, %failed, "the server does not stop it yet");
                    tokio::time::sleep(ASK_AGAIN.1.min(Duration::from_secs(5))).await;
                }
            }
        }
    }

    /// Waits before the server is asked again; gives up long after the job's time.
    async fn wait_for_server(
        &self,
        failed: &DriverError,
        pause: &mut Duration,
    ) -> Result<(), Ended> {
        if now() > self.job.expires + LOST_AFTER {
            return Err(ended(Outcome::Unknown, failed.to_string()));
        }
        warn!(job = %self.job.id, %failed, "the server may have the fax; asking again");
        tokio::time::sleep(*pause).await;
        *pause = (*pause * 2).min(ASK_AGAIN.1);
        Ok(())
    }
}

/// What a failed submission means, when the server has taken nothing.
fn refused(failed: &DriverError) -> Ended {
    let outcome = match failed {
        DriverError::Refused { outcome, .. } => *outcome,
        DriverError::Local { .. } => Outcome::LocalTrouble,
        DriverError::Unreachable { .. } | DriverError::Unsure { .. } | DriverError::Gone { .. } => {
            Outcome::ServerUnreachable
        }
    };
    ended(outcome, failed.to_string())
}
