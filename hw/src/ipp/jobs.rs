//! Jobs of a device: found by the tag that is their name, read, stopped; and the notes
//! about them.

use std::io;

use ipp::{
    model::{DelimiterTag, Operation},
    value::IppValue,
};

use super::{
    Ipp, JobTicket,
    http::Fault,
    message::{Answer, Group, Value},
    submit::now_s,
};
use crate::driver::{DriverError, Ticket};

/// What is asked of a job.
const WANTED: &[&str] = &[
    "job-id",
    "job-name",
    "job-state",
    "job-state-reasons",
    "job-state-message",
    "destination-statuses",
    "time-at-processing",
    "time-at-completed",
];
/// Jobs of one list that are looked at; the newest come first, ended ones at least.
const MOST_JOBS: i32 = 1_000;
/// How long a job may still wait at the device when its note was lost, in seconds.
const UNNOTED_S: u64 = 3600;
/// RFC 8011 B.1.4: not-possible (it has ended), not-found, gone.
const NOT_POSSIBLE: u16 = 0x0404;
const NOT_FOUND: [u16; 2] = [0x0406, 0x0407];

/// job-state (RFC 8011 5.3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Pending,
    Held,
    Processing,
    Stopped,
    Canceled,
    Aborted,
    Completed,
}

/// transmission-status (PWG 5100.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transmission {
    /// It waits, will be tried again, or goes on.
    Open,
    Canceled,
    Aborted,
    Completed,
}

/// One job as the device tells of it.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: i32,
    name: String,
    pub(super) state: State,
    pub(super) reasons: Vec<String>,
    pub(super) words: String,
    pub(super) transmission: Option<Transmission>,
    /// Pages of which the device says that they were sent, when it says so.
    pub(super) images: Option<u32>,
    /// It says that it has not begun with it.
    is_untouched: bool,
    /// Seconds from the beginning to the end, when it tells both.
    pub(super) took_s: Option<u32>,
}

impl Job {
    fn read(group: Group<'_>) -> Option<Self> {
        let state = match group.number("job-state")? {
            3 => State::Pending,
            4 => State::Held,
            5 => State::Processing,
            6 => State::Stopped,
            7 => State::Canceled,
            8 => State::Aborted,
            9 => State::Completed,
            _ => return None,
        };
        let destination = group.collections("destination-statuses").next();
        let transmission = destination.and_then(|one| one.number("transmission-status"));
        let images = destination.and_then(|one| one.number("images-completed"));
        let (begun, over) = (group.number("time-at-processing"), group.number("time-at-completed"));
        Some(Self {
            id: group.number("job-id")?,
            name: group.text("job-name").unwrap_or_default().to_owned(),
            state,
            reasons: group.texts("job-state-reasons").map(str::to_owned).collect(),
            words: group.text("job-state-message").unwrap_or_default().to_owned(),
            transmission: transmission.map(|status| match status {
                7 => Transmission::Canceled,
                8 => Transmission::Aborted,
                9 => Transmission::Completed,
                _ => Transmission::Open,
            }),
            images: images.and_then(|images| u32::try_from(images).ok()),
            is_untouched: group.values("time-at-processing") == [Value::Nothing],
            took_s: over
                .zip(begun)
                .and_then(|(over, begun)| over.checked_sub(begun)?.try_into().ok()),
        })
    }

    pub(super) fn has(&self, reason: &str) -> bool {
        self.reasons.iter().any(|one| one == reason)
    }

    /// Nothing is being done for it.
    pub(super) fn waits(&self) -> bool {
        matches!(self.state, State::Pending | State::Held | State::Stopped)
    }

    pub(super) fn is_over(&self) -> bool {
        self.state >= State::Canceled
    }

    /// Its document has not come whole, so that nothing was dialled.
    fn lacks_document(&self) -> bool {
        !self.is_over() && (self.has("job-data-insufficient") || self.has("job-incoming"))
    }

    /// It ended before anything was done with it.
    fn came_to_nothing(&self) -> bool {
        self.is_over() && self.state != State::Completed && self.is_untouched
    }
}

/// Reads all jobs of an answer; for fuzzing.
pub(super) fn fuzz_one(answer: &Answer) {
    for group in answer.all(DelimiterTag::JobAttributes) {
        let _ = Job::read(group);
    }
}

impl Ipp {
    pub(super) fn ticket(&self, ticket: &Ticket) -> Result<JobTicket, DriverError> {
        JobTicket::read(&ticket.0).ok_or_else(|| self.gone(format!("a job {:?}", ticket.0)))
    }

    /// The job of a ticket as it is now.
    pub(super) async fn job(&self, ticket: &JobTicket) -> Result<Job, DriverError> {
        let mut question = self.question(Operation::GetJobAttributes);
        question.ask("job-id", Ok(IppValue::Integer(ticket.job)));
        question.wanting(WANTED);
        let answer = match self.ask(&question).await {
            Ok(answer) => answer,
            Err(Fault::Refused { status, .. }) if NOT_FOUND.contains(&status) => {
                return Err(self.gone(format!("job {}", ticket.job)));
            }
            Err(fault) => return Err(self.error(fault)),
        };
        // A device that was set up anew counts its jobs from 1 again.
        let job = Job::read(answer.first(DelimiterTag::JobAttributes));
        job.filter(|job| job.name == ticket.tag)
            .ok_or_else(|| self.gone(format!("job {} of ours", ticket.job)))
    }

    /// Stops a job; one that has ended is stopped.
    pub(super) async fn cancel_job(&self, id: i32) -> Result<(), DriverError> {
        let mut question = self.question(Operation::CancelJob);
        question.ask("job-id", Ok(IppValue::Integer(id)));
        match self.ask(&question).await {
            Ok(_) | Err(Fault::Refused { status: NOT_POSSIBLE, .. }) => Ok(()),
            Err(Fault::Refused { status, .. }) if NOT_FOUND.contains(&status) => {
                Err(self.gone(format!("job {id}")))
            }
            Err(fault) => Err(self.error(fault)),
        }
    }

    /// The submission of a tag, if the device may have come to dial for it.
    pub(super) async fn find_job(&self, tag: &str) -> Result<Option<JobTicket>, DriverError> {
        let noted = self.noted(tag).await?.and_then(|text| JobTicket::read(&text));
        if let Some(ticket) = noted {
            return match self.job(&ticket).await {
                Ok(job) if self.is_nothing(&job).await? => {
                    self.drop_note(tag).await?;
                    Ok(None)
                }
                // What it had and has no more may have been sent.
                Ok(_) | Err(DriverError::Gone { .. }) => Ok(Some(ticket)),
                Err(failed) => Err(failed),
            };
        }
        // Without a note no document was sent from here. Yet notes may be lost.
        for which in ["not-completed", "completed"] {
            for job in self.list(which).await?.into_iter().filter(|job| job.name == tag) {
                if !self.is_nothing(&job).await? {
                    let until = now_s() + UNNOTED_S;
                    let ticket = JobTicket { job: job.id, pages: 0, until, tag: tag.to_owned() };
                    self.note(&ticket).await?;
                    return Ok(Some(ticket));
                }
            }
        }
        Ok(None)
    }

    /// Whether a job never was dialled and, from now on, never will be.
    async fn is_nothing(&self, job: &Job) -> Result<bool, DriverError> {
        if !job.lacks_document() {
            return Ok(job.came_to_nothing());
        }
        match self.cancel_job(job.id).await {
            Ok(()) | Err(DriverError::Gone { .. }) => Ok(true),
            Err(failed) => Err(failed),
        }
    }

    async fn list(&self, which: &str) -> Result<Vec<Job>, DriverError> {
        let mut question = self.question(Operation::GetJobs);
        question.ask("which-jobs", IppValue::new_keyword(which));
        question.ask("limit", Ok(IppValue::Integer(MOST_JOBS)));
        question.ask("my-jobs", Ok(IppValue::Boolean(true)));
        question.wanting(WANTED);
        let answer = self.ask(&question).await.map_err(|fault| self.error(fault))?;
        Ok(answer.all(DelimiterTag::JobAttributes).filter_map(Job::read).collect())
    }

    async fn noted(&self, tag: &str) -> Result<Option<String>, DriverError> {
        let (notes, name) = (self.notes.clone(), tag.to_owned());
        self.on_disk(move || notes.get(&name)).await
    }

    /// Makes a ticket durable.
    pub(super) async fn note(&self, ticket: &JobTicket) -> Result<(), DriverError> {
        let (notes, tag, text) = (self.notes.clone(), ticket.tag.clone(), ticket.write().0);
        self.on_disk(move || notes.put(&tag, &text)).await
    }

    pub(super) async fn drop_note(&self, tag: &str) -> Result<(), DriverError> {
        let (notes, tag) = (self.notes.clone(), tag.to_owned());
        self.on_disk(move || notes.remove(&tag)).await
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, DriverError> {
        let local = |source| DriverError::Local { path: self.options.notes.clone(), source };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|bug| local(io::Error::other(bug)))?.map_err(local)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::message::tests::coded, *};

    #[test]
    fn clocks_of_a_device_may_say_anything() {
        for (begun, over, took) in
            [(10, 25, Some(15)), (25, 10, None), (1, i32::MIN, None), (-1, i32::MAX, None)]
        {
            let attributes = [
                ("job-id", IppValue::Integer(7)),
                ("job-state", IppValue::Enum(9)),
                ("time-at-processing", IppValue::Integer(begun)),
                ("time-at-completed", IppValue::Integer(over)),
            ];
            let octets = coded(0, &[(DelimiterTag::JobAttributes, &attributes)]);
            let answer = Answer::read(&octets).unwrap();
            let job = Job::read(answer.first(DelimiterTag::JobAttributes)).unwrap();
            assert_eq!(job.took_s, took, "{begun} {over}");
        }
    }
}
