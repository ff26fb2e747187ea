//! What every kind of fax server must pass: one suite over [`Driver`], run against
//! real servers that are joined to real (or laboratory) lines.
//!
//! It knows no kind of server. What a driver says it cannot do is not asked of it.
//! Each step stands for one promise that the supervisor relies on, and a failure
//! names the promise.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::Duration,
};

use postfax_domain::{
    document::{Paper, Resolution},
    number::Number,
    outcome::Outcome,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::driver::{Call, Driver, DriverError, Ended, Progress, Ticket, Waiting};

mod settings;

/// Steps of progress that may wait to be read.
const PROGRESS_BACKLOG: usize = 64;
/// How long a request that places no call may take, in seconds.
const REQUEST_LIMIT_S: u64 = 30;
/// How long we wait for an arrival before we look again, in seconds.
const ARRIVAL_WAIT_S: u64 = 5;

/// Compares the pixels of two TIFF-F files, without their sender's header lines.
pub type SamePixels<'a> = &'a (dyn Fn(&Path, &Path) -> Result<bool, String> + Sync);

/// Where a driver is tried.
pub struct Bench<'a> {
    /// A private folder for what is fetched.
    pub folder: &'a Path,
    /// Another one, for what the driver keeps of settings that it replaces.
    pub safe: &'a Path,
    /// Makes the tags of this run unlike those of any other.
    pub run: &'a str,
    /// A TIFF-F file to send.
    pub pages: &'a Path,
    /// How many pages it has.
    pub page_count: u32,
    /// Their resolution.
    pub resolution: Resolution,
    /// A number that takes faxes.
    pub good: Number,
    /// A number that is always busy.
    pub busy: Option<Number>,
    /// A number where nobody answers.
    pub no_answer: Option<Number>,
    /// The server that answers at `good`, to see that the pages arrived; it receives
    /// nothing else meanwhile.
    pub receiver: Option<&'a dyn Driver>,
    /// How pages are compared.
    pub same_pixels: SamePixels<'a>,
    /// The longest that one call may take, with what it waits before it.
    pub call_limit: Duration,
}

/// A promise that a driver did not keep.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {why}")]
pub struct Failure {
    /// The promise.
    pub step: &'static str,
    /// What happened instead.
    pub why: String,
}

/// Runs every step that the driver's capabilities and the bench allow; the names of
/// the steps that were run.
///
/// # Errors
/// The first [`Failure`].
pub async fn suite(driver: &dyn Driver, bench: &Bench<'_>) -> Result<Vec<&'static str>, Failure> {
    let able = driver.capabilities();
    let mut run = Suite { driver, bench, step: "", done: Vec::new() };
    run.begin("a server that is up says how it is");
    run.condition().await?;
    if let Some(schema) = able.schema {
        run.begin("what is set is read, of the server and of its lines");
        run.settings_are_read(schema).await?;
        run.begin("what cannot be set is refused before anything changes");
        run.bad_values_are_refused(schema).await?;
        run.begin("what is set is held, and what is unset is not");
        run.settings_are_set(schema).await?;
    }
    if able.finds {
        run.begin("a tag that was never submitted is not found");
        run.unknown_tag().await?;
    }
    run.begin("a fax goes out, and the ledger says so");
    let before = run.received().await?;
    run.success().await?;
    if bench.receiver.is_some() {
        run.begin("what was received is what was sent, and goes when it is let go");
        run.receiving(&before).await?;
    }
    if able.cancels && able.finds {
        run.begin("two submissions are two, and can be stopped before they are called");
        run.two_stopped().await?;
    }
    if able.cancels {
        run.begin("a call that goes on can be stopped");
        run.stop_in_call().await?;
    }
    for (number, outcome) in [(&bench.busy, Outcome::Busy), (&bench.no_answer, Outcome::NoAnswer)] {
        if let Some(number) = number {
            run.begin("a call that fails ends with its cause");
            run.failing(number, outcome).await?;
        }
    }
    run.begin("a submission that the server does not have is gone or unknown");
    run.foreign_ticket().await?;
    run.done.push(run.step);
    Ok(run.done)
}

struct Suite<'a> {
    driver: &'a dyn Driver,
    bench: &'a Bench<'a>,
    step: &'static str,
    done: Vec<&'static str>,
}

impl Suite<'_> {
    fn begin(&mut self, step: &'static str) {
        if !self.step.is_empty() {
            self.done.push(self.step);
        }
        self.step = step;
    }

    fn failure(&self, why: impl std::fmt::Display) -> Failure {
        Failure { step: self.step, why: why.to_string() }
    }

    fn check(&self, holds: bool, why: impl std::fmt::Display) -> Result<(), Failure> {
        if holds { Ok(()) } else { Err(self.failure(why)) }
    }

    /// Awaits a request that places no call.
    async fn ask<T>(
        &self,
        request: impl Future<Output = Result<T, DriverError>>,
    ) -> Result<T, Failure> {
        match timeout(Duration::from_secs(REQUEST_LIMIT_S), request).await {
            Ok(answer) => answer.map_err(|error| self.failure(error)),
            Err(_) => Err(self.failure("a request took too long")),
        }
    }

    fn call(&self, name: &str, number: &Number) -> Call {
        Call {
            tag: format!("{}.{name}", self.bench.run),
            number: number.clone(),
            subaddress: None,
            pages: self.bench.pages.to_owned(),
            pages_before: 0,
            resolution: self.bench.resolution,
            paper: Paper::A4,
            sender: "conformance".to_owned(),
            station_id: None,
            priority: 127,
            give_up_after: self.bench.call_limit,
        }
    }

    /// Follows to the end; `reached` is called at each progress.
    async fn follow(
        &self,
        ticket: &Ticket,
        mut reached: impl FnMut(Progress),
    ) -> Result<Ended, Failure> {
        let (tell, mut told) = mpsc::channel(PROGRESS_BACKLOG);
        let follow = self.driver.follow(ticket, tell);
        let listen = async {
            while let Some(progress) = told.recv().await {
                reached(progress);
            }
        };
        match timeout(self.bench.call_limit, async { tokio::join!(follow, listen) }).await {
            Ok((ended, ())) => ended.map_err(|error| self.failure(error)),
            Err(_) => Err(self.failure("the call did not end in time")),
        }
    }

    async fn condition(&self) -> Result<(), Failure> {
        let condition = self.ask(self.driver.condition()).await?;
        self.check(condition.lines.iter().any(|line| line.usable), "no line can be used")
    }

    async fn unknown_tag(&self) -> Result<(), Failure> {
        let found = self.ask(self.driver.find(&format!("{}.never", self.bench.run))).await?;
        self.check(found.is_none(), format!("found {found:?}"))
    }

    async fn success(&self) -> Result<(), Failure> {
        let call = self.call("good", &self.bench.good);
        let ticket = self.ask(self.driver.submit(&call)).await?;
        self.finds(&call.tag, &ticket).await?;
        let mut pages = Vec::new();
        let ended = self
            .follow(&ticket, |progress| {
                if let Progress::Pages(ledger) = progress {
                    pages.push(ledger.confirmed);
                }
            })
            .await?;
        let confirmed = ended.ledger.confirmed;
        if self.driver.capabilities().confirms {
            self.check(ended.outcome == Outcome::Delivered, format!("{ended:?}"))?;
            self.check(confirmed == self.bench.page_count, format!("{confirmed} pages confirmed"))?;
        } else {
            self.check(ended.outcome == Outcome::Relayed, format!("{ended:?}"))?;
            self.check(confirmed == 0, format!("{confirmed} pages confirmed by nobody"))?;
        }
        // Who sees no call cannot say how long it took.
        let saw = !pages.is_empty();
        self.check(!saw || !ended.ledger.duration.is_zero(), "the call took no time")?;
        self.check(pages.is_sorted(), format!("pages went backwards: {pages:?}"))?;
        self.finds(&call.tag, &ticket).await?;
        // It can be followed again, after a restart of ours for instance.
        let again = self.follow(&ticket, |_| {}).await?;
        self.check(again.outcome == ended.outcome, format!("later it was {again:?}"))?;
        self.ask(self.driver.forget(&ticket)).await?;
        self.ask(self.driver.forget(&ticket)).await
    }

    async fn finds(&self, tag: &str, ticket: &Ticket) -> Result<(), Failure> {
        if !self.driver.capabilities().finds {
            return Ok(());
        }
        let found = self.ask(self.driver.find(tag)).await?;
        self.check(found.as_ref() == Some(ticket), format!("{ticket:?} was found as {found:?}"))
    }

    /// The keys of what the receiver holds.
    async fn received(&self) -> Result<HashSet<String>, Failure> {
        let Some(receiver) = self.bench.receiver else { return Ok(HashSet::new()) };
        let waiting = self.ask(receiver.waiting()).await?;
        Ok(waiting.into_iter().map(|fax| fax.key).collect())
    }

    async fn receiving(&self, before: &HashSet<String>) -> Result<(), Failure> {
        let Some(receiver) = self.bench.receiver else { return Ok(()) };
        let fax = self.new_arrival(receiver, before).await?;
        let pages = fax.pages;
        self.check(pages == self.bench.page_count, format!("{pages} pages were received"))?;
        let into: PathBuf = self.bench.folder.join(format!("{}.tif", self.bench.run));
        self.ask(receiver.fetch(&fax, &into)).await?;
        let same = (self.bench.same_pixels)(self.bench.pages, &into);
        self.check(same.map_err(|why| self.failure(why))?, "other pixels arrived")?;
        let still = self.received().await?;
        self.check(still.contains(&fax.key), "fetching changed its key or let it go")?;
        self.ask(receiver.release(&fax)).await?;
        let after = self.received().await?;
        self.check(!after.contains(&fax.key), "it is still there after its release")?;
        match receiver.release(&fax).await {
            Ok(()) | Err(DriverError::Gone { .. }) => Ok(()),
            Err(error) => Err(self.failure(format!("released again: {error}"))),
        }
    }

    async fn new_arrival(
        &self,
        receiver: &dyn Driver,
        before: &HashSet<String>,
    ) -> Result<Waiting, Failure> {
        let end = Instant::now() + self.bench.call_limit;
        loop {
            let waiting = self.ask(receiver.waiting()).await?;
            if let Some(fax) = waiting.into_iter().find(|fax| !before.contains(&fax.key)) {
                return Ok(fax);
            }
            self.check(Instant::now() < end, "it did not arrive")?;
            receiver.arrival(Duration::from_secs(ARRIVAL_WAIT_S)).await;
        }
    }

    async fn two_stopped(&self) -> Result<(), Failure> {
        let mut tickets = Vec::new();
        for name in ["first", "second"] {
            let call = self.call(name, &self.bench.good);
            let limit = Duration::from_secs(REQUEST_LIMIT_S);
            let ticket = match timeout(limit, self.driver.submit(&call)).await {
                Err(_) => return Err(self.failure("a request took too long")),
                // A server without a queue says so.
                Ok(Err(DriverError::Refused { outcome: Outcome::LinesBusy, .. }))
                    if !tickets.is_empty() =>
                {
                    break;
                }
                Ok(submitted) => submitted.map_err(|error| self.failure(error))?,
            };
            self.finds(&call.tag, &ticket).await?;
            tickets.push(ticket);
        }
        let is_one = tickets.len() == 2 && tickets[0] == tickets[1];
        self.check(!is_one, "both have one ticket")?;
        for ticket in tickets.iter().rev() {
            self.ask(self.driver.cancel(ticket)).await?;
        }
        for ticket in &tickets {
            let ended = self.follow(ticket, |_| {}).await?;
            self.check(ended.outcome == Outcome::Cancelled, format!("{ended:?}"))?;
            self.ask(self.driver.forget(ticket)).await?;
        }
        Ok(())
    }

    async fn stop_in_call(&self) -> Result<(), Failure> {
        let call = self.call("stopped", &self.bench.good);
        let ticket = self.ask(self.driver.submit(&call)).await?;
        let (reach, mut reached) = mpsc::channel(1);
        let ended = self.follow(&ticket, |_| {
            // The first step is what counts.
            let _ = reach.try_send(());
        });
        let stop = async {
            // Closed: it ended before it began.
            if reached.recv().await.is_none() {
                return Err(self.failure("there was no progress to stop"));
            }
            self.ask(self.driver.cancel(&ticket)).await
        };
        let (ended, stopped) = tokio::join!(ended, stop);
        stopped?;
        let ended = ended?;
        self.check(ended.outcome == Outcome::Cancelled, format!("{ended:?}"))?;
        self.ask(self.driver.cancel(&ticket)).await?;
        self.ask(self.driver.forget(&ticket)).await
    }

    async fn failing(&self, number: &Number, outcome: Outcome) -> Result<(), Failure> {
        let call = self.call(&outcome.name(), number);
        let ticket = self.ask(self.driver.submit(&call)).await?;
        let ended = self.follow(&ticket, |_| {}).await?;
        self.check(ended.outcome == outcome, format!("{ended:?}"))?;
        let confirmed = ended.ledger.confirmed;
        self.check(confirmed == 0, format!("{confirmed} pages confirmed"))?;
        self.ask(self.driver.forget(&ticket)).await
    }

    async fn foreign_ticket(&self) -> Result<(), Failure> {
        let ticket = Ticket(format!("999999 {}.foreign", self.bench.run));
        let (tell, _told) = mpsc::channel(PROGRESS_BACKLOG);
        match timeout(self.bench.call_limit, self.driver.follow(&ticket, tell)).await {
            Ok(Ok(ended)) if ended.outcome == Outcome::Unknown => {}
            Ok(Err(DriverError::Gone { .. })) => {}
            Ok(other) => return Err(self.failure(format!("followed: {other:?}"))),
            Err(_) => return Err(self.failure("it was followed for ever")),
        }
        self.ask(self.driver.forget(&ticket)).await
    }
}
