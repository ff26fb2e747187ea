//! A daemon for tests that knows the jobs of the samples and answers as the real
//! one would.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use postfax_domain::{
    audit::{Asker, Chain, Entry, Head, Line},
    authority::Who,
    book::{Book, EntryId, Noted, Order},
    destination::Destination,
    fleet::Denial,
    job::{Job, State},
    names::{ClientName, HookName, JobId},
    setup::Setup,
    supervisor::{Answer, Request, Unable},
    time::Timestamp,
};
use tokio::sync::watch;

use super::{
    AskConfig, AuditFilter, Code, ConfigReply, Daemon, HookTrouble, JobFilter, Problem, Sees,
    samples, settings::fake::settings,
};

/// The user that is anna.
pub(crate) const CLIENT_UID: u32 = 4242;

/// See the head of the file.
pub(crate) struct Fake {
    asked: AtomicUsize,
    changes: watch::Sender<u64>,
    setup: Arc<Setup>,
    lines: Mutex<Vec<Line>>,
    jobs: Vec<Job>,
    book: Mutex<Arc<Book>>,
    history: Mutex<Vec<Noted>>,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            asked: AtomicUsize::new(0),
            changes: watch::Sender::new(0),
            setup: Arc::new(samples::setup()),
            lines: Mutex::default(),
            jobs: Self::all(),
            book: Mutex::default(),
            history: Mutex::default(),
        }
    }
}

impl Fake {
    /// How often the supervisor was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// The same with other rules.
    pub(crate) fn with(setup: Setup) -> Self {
        Self { setup: Arc::new(setup), ..Self::default() }
    }

    /// The same with other jobs, newest first.
    pub(crate) fn knowing(self, jobs: Vec<Job>) -> Self {
        Self { jobs, ..self }
    }

    /// The audit log.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap().clone()
    }

    /// Something has changed.
    pub(crate) fn change(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    /// As the supervisor writes into the phone book.
    fn write(&self, who: &Who, orders: &[Order]) -> Answer {
        let mut book = self.book.lock().unwrap();
        match Arc::make_mut(&mut book).write_all(&self.setup, who, orders, Timestamp::default()) {
            Ok(changes) => {
                let lines = changes.iter().map(|change| change.noted.clone());
                self.history.lock().unwrap().extend(lines);
                Answer::Written(changes)
            }
            Err((at, why)) => Answer::NotWritten(at, why),
        }
    }

    /// Newest first: 15 is under way, 14 waits, 13 and 12 are over, 11 is held.
    fn all() -> Vec<Job> {
        let under_way = Job { id: JobId(15), ..samples::carrying() };
        let held = Job {
            id: JobId(11),
            state: State::Held,
            destination: Destination::Unrouted,
            ..samples::received()
        };
        vec![under_way, samples::received(), samples::receipt(), samples::delivered(), held]
    }
}

#[async_trait]
impl Daemon for Fake {
    async fn ask(&self, request: Request) -> Result<Answer, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let open =
            |id: &JobId| self.jobs.iter().find(|job| job.id == *id && !job.is_ended()).cloned();
        Ok(match request {
            Request::Status(_) => Answer::Status(Box::new(samples::status())),
            Request::Cancel(id) => match open(&id) {
                Some(_) => Answer::Done(id),
                None => Answer::NoSuchJob(id),
            },
            Request::Retry(id) => match open(&id) {
                Some(job) if job.under_way().is_some() => Answer::UnderWay(id),
                Some(job) if job.state == State::Held => Answer::NobodyMayHave(id),
                Some(_) => Answer::Done(id),
                None => Answer::NoSuchJob(id),
            },
            Request::Again(old) if old.is_ended() => Answer::Done(JobId(16)),
            Request::Again(old) => Answer::UnderWay(old.id),
            Request::Explain { from, .. } if from.as_str() == "anna" => {
                Answer::Explained(Ok(samples::decision()))
            }
            Request::Hold(id) | Request::Release(id) | Request::Alter(id, _) => match open(&id) {
                Some(_) => Answer::Done(id),
                None => Answer::NoSuchJob(id),
            },
            Request::Assign { job, .. } => match open(&job) {
                Some(found) if found.state == State::Held => Answer::Done(job),
                _ => Answer::Unable(Unable::NotUnrouted(job)),
            },
            Request::Drain(server, draining) => Answer::Draining { server, draining },
            Request::GiveUp(server) => Answer::GaveUp { server, jobs: vec![JobId(15)] },
            Request::Returned(report) => Answer::Done(report.job.id),
            Request::Answered(id, _) => Answer::Done(id),
            Request::Forward(_) | Request::Inquire { .. } => Answer::Accepted(vec![JobId(16)]),
            Request::Afford { .. } => Answer::Afforded(Ok(())),
            Request::Explain { .. } => Answer::Explained(Err(Denial::UnknownClient)),
            Request::Book { who, orders } => self.write(&who, &orders),
            Request::Hooks => Answer::Hooks(BTreeMap::new()),
            Request::RetryHook(name) => Answer::ToldAgain(name),
            Request::Settings(request) => settings(*request),
        })
    }

    async fn order(&self, request: Request, line: Line) -> Result<Answer, String> {
        let answer = self.ask(request).await?;
        self.lines.lock().unwrap().push(Line { verdict: answer.verdict(), ..line });
        Ok(answer)
    }

    async fn note(&self, line: Line) -> Result<(), String> {
        self.lines.lock().unwrap().push(line);
        Ok(())
    }

    async fn jobs(
        &self,
        filter: &JobFilter,
        only: Option<&ClientName>,
        sees: &Sees<'_>,
    ) -> Result<Vec<Job>, String> {
        let limit = filter.limit as usize;
        let jobs = self.jobs.iter().filter(|job| filter.matches(job) && sees(job)).cloned();
        let jobs: Vec<Job> = jobs.take(limit).collect();
        let own = |job: &Job| {
            let sends = job.sender().is_some_and(|sent| Some(&sent.client) == only);
            sends
                || matches!(&job.destination, Destination::Mailbox(to) if to.client.as_ref() == only)
        };
        assert!(only.is_none() || jobs.iter().all(own), "others were promised to be unseen");
        Ok(jobs)
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, String> {
        Ok(self.jobs.iter().find(|job| job.id == id).cloned())
    }

    async fn receipts(&self, of: JobId) -> Result<Vec<Job>, String> {
        Ok(if of == JobId(12) { vec![samples::receipt()] } else { Vec::new() })
    }

    async fn reload(&self) -> Result<String, String> {
        Err("postfax.toml:3: `domian` is unknown; did you mean `domain`?".into())
    }

    fn hook_troubles(&self) -> BTreeMap<HookName, HookTrouble> {
        BTreeMap::new()
    }

    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<Entry>, String> {
        let entry =
            |(at, line): (usize, Line)| Entry { seq: at as u64 + 1, line, hash: "0".repeat(64) };
        let lines = self.lines().into_iter().enumerate().map(entry);
        Ok(lines.filter(|entry| filter.matches(&entry.line)).collect())
    }

    async fn verify_audit(&self, known: Option<&Head>) -> Result<Chain, String> {
        Ok(Chain { lines: self.lines().len() as u64, head: known.cloned(), broken: None })
    }

    fn book(&self) -> Arc<Book> {
        self.book.lock().unwrap().clone()
    }

    async fn book_history(&self, id: EntryId) -> Result<Vec<Noted>, String> {
        let history = self.history.lock().unwrap();
        Ok(history.iter().rev().filter(|line| line.id == id).cloned().collect())
    }

    fn setup(&self) -> Arc<Setup> {
        self.setup.clone()
    }

    fn client_of(&self, uid: u32) -> Option<ClientName> {
        (uid == CLIENT_UID).then(|| ClientName::new("anna").unwrap())
    }

    fn max_priority(&self, _: &ClientName) -> i8 {
        2
    }

    async fn config(
        &self,
        _: &Asker,
        _: &Arc<Setup>,
        _: AskConfig,
    ) -> Result<ConfigReply, Problem> {
        Err(Problem::new(Code::Failed, "the samples have no configuration"))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
