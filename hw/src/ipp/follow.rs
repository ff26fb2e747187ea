//! Waits for the end of a job, by looking at it again and again.
//!
//! ```text
//! pending, held, stopped ◀─▶ processing ─▶ completed, aborted, canceled
//!       │ too late: cancelled  │ too long: cancelled  │ transmission still open
//!       └──────────────────────┴──────────────────────┴─▶ a little longer, and no more
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

/// How long a job may be at work after the time when it had to be dialled, in seconds: a
/// device that is slow, with a long document and calls of its own before it.
const LONGEST_S: u64 = 6 * 3600;

/// What has been seen of a job so far.
#[derive(Debug, Default)]
struct Seen {
    /// When it was first seen at work.
    begun: Option<Instant>,
    /// When it was first seen to have ended.
    over: Option<Instant>,
    /// How far it was told.
    told: Told,
    /// When it was cancelled here because it took too long, and what that means for it.
    stopped: Option<(Instant, Outcome)>,
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
            if seen.is_settled(&job, self.options.aftermath) {
                return Ok(self.ended(ticket, &job, &seen));
            }
            if let Some(news) = seen.look(&job, self.options.confirms) {
                // Whoever does not listen has not asked to be told.
                let _ = progress.send(news).await;
            }
            if seen.stopped.is_none()
                && let Some(outcome) = overdue(&job, ticket.until)
            {
                match self.cancel_job(job.id).await {
                    // One that will not be cancelled has no more time either.
                    Ok(()) | Err(DriverError::Refused { .. }) => {}
                    Err(failed) => return Err(failed),
                }
                seen.stopped = Some((Instant::now(), outcome));
            }
            sleep(self.options.follow).await;
        }
    }

    fn ended(&self, ticket: &JobTicket, job: &Job, seen: &Seen) -> Ended {
        let outcome = match self.outcome(job) {
            Outcome::Cancelled => seen.stopped.map_or(Outcome::Cancelled, |(_, meant)| meant),
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

    /// How a job has ended that is over or has no more time: by its transmission where the
    /// device tells that.
    fn outcome(&self, job: &Job) -> Outcome {
        let reasons = || job.reasons.iter().map(String::as_str);
        match (job.transmission, job.state) {
            (Some(Transmission::Completed), _) if self.options.confirms => Outcome::Delivered,
            (None | Some(Transmission::Open), _) if !job.is_over() => Outcome::Unknown,
            (Some(Transmission::Canceled), _) | (None, State::Canceled) => Outcome::Cancelled,
            (Some(Transmission::Open), State::Canceled) => Outcome::Cancelled,
            (Some(Transmission::Aborted), _) | (_, State::Aborted) => {
                causes::aborted(reasons(), &job.words)
            }
            // Completed, and yet not well.
            (None | Some(Transmission::Open), _)
                if job.has("destination-uri-failed") || job.has("job-completed-with-errors") =>
            {
                causes::aborted(reasons(), &job.words)
            }
            _ => Outcome::Relayed,
        }
    }
}

/// What it means for a job to be cancelled now because it takes too long, if it does.
fn overdue(job: &Job, until: u64) -> Option<Outcome> {
    match job.state {
        _ if job.waits() => (now_s() > until).then_some(Outcome::NotDialled),
        State::Processing => (now_s() > until.saturating_add(LONGEST_S)).then_some(Outcome::GaveUp),
        _ => None,
    }
}

impl Seen {
    /// Whether nothing more is to come of a job that is over, or was cancelled here.
    fn is_settled(&mut self, job: &Job, aftermath: Duration) -> bool {
        if !job.is_over() {
            return self.stopped.is_some_and(|(at, _)| at.elapsed() > aftermath);
        }
        let over = *self.over.get_or_insert_with(Instant::now);
        let open = job.state == State::Completed && job.transmission == Some(Transmission::Open);
        !open || over.elapsed() > aftermath
    }

    /// What is new, if anything.
    fn look(&mut self, job: &Job, confirms: bool) -> Option<Progress> {
        if job.waits() {
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
