//! Waits for the end of a job, by looking at it again and again.
//!
//! ```text
//! pending, held ─▶ processing ─▶ completed, aborted, canceled
//!       │ too late: stopped         │ transmission still open: a little longer
//! ```

use std::time::Duration;

use postfax_domain::{document::PageLedger, outcome::Outcome};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use super::{
    Ipp, JobTicket, causes,
    jobs::{Job, State, Transmission},
    submit::now_s,
};
use crate::driver::{DriverError, Ended, Progress};

/// How long a transmission may stay open after its job has ended.
const AFTERMATH: Duration = Duration::from_secs(60);

/// What has been seen of a job so far.
#[derive(Debug, Default)]
struct Seen {
    /// When it was first seen at work.
    begun: Option<Instant>,
    /// When it was first seen to have ended.
    over: Option<Instant>,
    /// How far it was told.
    told: Told,
    /// It was stopped here because it did not come to be dialled.
    too_late: bool,
}

#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    #[default]
    Nothing,
    Dialling,
    Connected,
    Pages(u32),
}

impl Ipp {
    /// Looks until it has ended.
    pub(super) async fn watch(
        &self,
        ticket: &JobTicket,
        progress: mpsc::Sender<Progress>,
    ) -> Result<Ended, DriverError> {
        let mut seen = Seen::default();
        loop {
            let job = self.job(ticket).await?;
            if job.is_over() && seen.is_settled(&job) {
                return Ok(self.ended(ticket, &job, &seen));
            }
            if let Some(news) = seen.look(&job, self.options.confirms) {
                // Whoever does not listen has not asked to be told.
                let _ = progress.send(news).await;
            }
            let waits = matches!(job.state, State::Pending | State::Held);
            if waits && ticket.until > 0 && now_s() > ticket.until && !seen.too_late {
                self.cancel_job(job.id).await?;
                seen.too_late = true;
            }
            sleep(self.options.follow).await;
        }
    }

    fn ended(&self, ticket: &JobTicket, job: &Job, seen: &Seen) -> Ended {
        let outcome = match self.outcome(job) {
            Outcome::Cancelled if seen.too_late => Outcome::NotDialled,
            outcome => outcome,
        };
        let all = if outcome == Outcome::Delivered { ticket.pages } else { 0 };
        let confirmed = match (outcome, job.images) {
            // What it says of pages is not what the far machine confirmed.
            _ if !self.options.confirms => 0,
            (Outcome::Delivered, Some(images)) => images.max(all),
            (_, images) => images.unwrap_or(all),
        };
        let measured = seen.begun.map(|begun| begun.elapsed()).unwrap_or_default();
        let told = job.took_s.map(|seconds| Duration::from_secs(seconds.into()));
        let duration = told.unwrap_or_default().max(measured);
        let mut said = vec![format!("job-state {}", job.state as i32 + 3), job.reasons.join(", ")];
        said.push(job.words.clone());
        said.retain(|part| !part.is_empty());
        let ledger = PageLedger { confirmed, duration, ..PageLedger::default() };
        Ended { outcome, said: said.join("; "), ledger }
    }

    /// How a job that is over has ended: by its transmission where the device tells that.
    fn outcome(&self, job: &Job) -> Outcome {
        let reasons = || job.reasons.iter().map(String::as_str);
        match (job.transmission, job.state) {
            (Some(Transmission::Completed), _) if self.options.confirms => Outcome::Delivered,
            (Some(Transmission::Canceled), _) | (None, State::Canceled) => Outcome::Cancelled,
            (Some(Transmission::Open), State::Canceled) => Outcome::Cancelled,
            (Some(Transmission::Aborted), _) | (_, State::Aborted) => {
                causes::aborted(reasons(), &job.words)
            }
            // Completed, with trouble that is no transmission's.
            (None, _) if job.has("destination-uri-failed") => {
                causes::aborted(reasons(), &job.words)
            }
            _ => Outcome::Relayed,
        }
    }
}

impl Seen {
    /// Whether nothing more is to come of a job that is over.
    fn is_settled(&mut self, job: &Job) -> bool {
        let over = *self.over.get_or_insert_with(Instant::now);
        let open = job.state == State::Completed && job.transmission == Some(Transmission::Open);
        !open || over.elapsed() > AFTERMATH
    }

    /// What is new, if anything.
    fn look(&mut self, job: &Job, confirms: bool) -> Option<Progress> {
        if matches!(job.state, State::Pending | State::Held) {
            return None;
        }
        let begun = *self.begun.get_or_insert_with(Instant::now);
        let images = job.images.filter(|_| confirms).unwrap_or(0);
        let now = match () {
            () if images > 0 => Told::Pages(images),
            () if job.has("connected-to-destination") || job.has("job-transferring") => {
                Told::Connected
            }
            () => Told::Dialling,
        };
        if now <= self.told {
            return None;
        }
        let news = match now {
            Told::Pages(confirmed) => Progress::Pages(PageLedger {
                confirmed,
                duration: begun.elapsed(),
                ..PageLedger::default()
            }),
            Told::Connected => Progress::Connected,
            _ => Progress::Dialling,
        };
        self.told = now;
        Some(news)
    }
}
