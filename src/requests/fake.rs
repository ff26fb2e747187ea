//! A daemon for tests that knows the jobs of the samples and answers as the real
//! one would.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use postfax_domain::{
    fleet::Denial,
    job::{Job, State},
    names::JobId,
    number::Country,
    supervisor::{Answer, Request},
};
use tokio::sync::watch;

use super::{Daemon, JobFilter, samples};

/// See the head of the file.
pub(crate) struct Fake {
    asked: AtomicUsize,
    changes: watch::Sender<u64>,
}

impl Default for Fake {
    fn default() -> Self {
        Self { asked: AtomicUsize::new(0), changes: watch::Sender::new(0) }
    }
}

impl Fake {
    /// How often the supervisor was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Something has changed.
    pub(crate) fn change(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    /// Newest first: 15 is under way, 14 waits, 13 and 12 are over, 11 is held.
    fn all() -> Vec<Job> {
        let under_way = Job { id: JobId(15), ..samples::carrying() };
        let held =
            Job { id: JobId(11), state: postfax_domain::job::State::Held, ..samples::received() };
        vec![under_way, samples::received(), samples::receipt(), samples::delivered(), held]
    }
}

#[async_trait]
impl Daemon for Fake {
    async fn ask(&self, request: Request) -> Result<Answer, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let open = |id: &JobId| Self::all().into_iter().find(|j| j.id == *id && !j.is_ended());
        Ok(match request {
            Request::Status => Answer::Status(Box::new(samples::status())),
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
            Request::Returned(report) => Answer::Done(report.job.id),
            Request::Answered(id, _) => Answer::Done(id),
            Request::Forward(_) | Request::Inquire { .. } => Answer::Accepted(vec![JobId(16)]),
            Request::Explain { .. } => Answer::Explained(Err(Denial::UnknownClient)),
        })
    }

    async fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>, String> {
        let limit = filter.limit as usize;
        Ok(Self::all().into_iter().filter(|job| filter.matches(job)).take(limit).collect())
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, String> {
        Ok(Self::all().into_iter().find(|job| job.id == id))
    }

    async fn receipts(&self, of: JobId) -> Result<Vec<Job>, String> {
        Ok(if of == JobId(12) { vec![samples::receipt()] } else { Vec::new() })
    }

    async fn reload(&self) -> Result<String, String> {
        Err("postfax.toml:3: `domian` is unknown; did you mean `domain`?".into())
    }

    fn country(&self) -> Country {
        "FR".parse().expect("France is a country")
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
