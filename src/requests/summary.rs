//! A job in one row, for lists.

use postfax_domain::{
    destination::Destination,
    job::{Alarm, Cause, Job, State},
    names::JobId,
    outcome::Outcome,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// What a job is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A client sends a fax
    Out,
    /// A fax has arrived
    In,
    /// A sender is told what became of a fax
    Receipt,
    /// The postmaster is told of something
    Alarm,
    /// Somebody wrote to the postmaster
    Forward,
    /// A client asked something by mail
    Answer,
}

impl Kind {
    /// What this job is.
    pub(crate) fn of(job: &Job) -> Self {
        match job.cause {
            Cause::Sent(_) => Self::Out,
            Cause::Arrived(_) => Self::In,
            Cause::Receipt { .. } => Self::Receipt,
            Cause::Alarm(_) => Self::Alarm,
            Cause::Forwarded(_) => Self::Forward,
            Cause::Answer(_) => Self::Answer,
        }
    }
}

/// A job in one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The job.
    pub(crate) job: JobId,
    /// What it is.
    pub(crate) kind: Kind,
    /// Where it stands.
    pub(crate) state: State,
    /// Whether it is not called before it is released.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) on_hold: bool,
    /// A client, the caller of a received fax, or the job that a receipt is about.
    pub(crate) from: String,
    /// A number, a mail address, or that nobody gets it yet.
    pub(crate) to: String,
    /// The entry of the phone book that a number was meant by; for the sender, whose book it
    /// is, and for administrators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Pages in all; 0 when it has none.
    pub(crate) pages: u32,
    /// Pages that the remote machine has confirmed, the call under way included.
    pub(crate) confirmed: u32,
    /// How many attempts there were.
    pub(crate) attempts: u32,
    /// When it was accepted.
    pub(crate) created: Timestamp,
    /// How the last attempt that is over has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<Outcome>,
}

impl Summary {
    /// The row of this job.
    pub(crate) fn of(job: &Job) -> Self {
        Self {
            job: job.id,
            kind: Kind::of(job),
            state: job.state.clone(),
            on_hold: job.on_hold && !job.is_ended(),
            from: origin(job),
            to: job.destination.to_string(),
            name: None,
            pages: job.pages(),
            confirmed: confirmed(job),
            attempts: job.attempts.last().map_or(0, |attempt| attempt.number),
            created: job.created,
            last: job.last_outcome(),
        }
    }
}

impl Summary {
    /// The row of this job for one who may see in it what its sender called it.
    pub(crate) fn named(job: &Job) -> Self {
        let name = match &job.destination {
            Destination::Fax(fax) => fax.named.as_ref().map(|named| named.entry.clone()),
            Destination::Mailbox(_) | Destination::Unrouted => None,
        };
        Self { name, ..Self::of(job) }
    }
}

/// Where a job comes from.
fn origin(job: &Job) -> String {
    match &job.cause {
        Cause::Sent(sent) => sent.client.to_string(),
        Cause::Arrived(fax) => match (&fax.caller, &fax.tsi) {
            (Some(caller), _) => caller.to_string(),
            (None, Some(tsi)) => tsi.clone(),
            (None, None) => "(withheld)".into(),
        },
        Cause::Receipt { of, .. } => format!("job {of}"),
        Cause::Alarm(
            Alarm::Drifted { server, .. }
            | Alarm::NotSet { server, .. }
            | Alarm::NotRead { server, .. }
            | Alarm::Line { server, .. },
        ) => {
            format!("server {server}")
        }
        Cause::Alarm(Alarm::Webhook { hook, .. }) => format!("webhook {hook}"),
        Cause::Alarm(alarm) => alarm.job().map_or_else(String::new, |id| format!("job {id}")),
        Cause::Forwarded(mail) => mail.from.clone().unwrap_or_else(|| "<>".into()),
        Cause::Answer(inquiry) => format!("\"{}\"", inquiry.question),
    }
}

/// Pages that the remote machine has confirmed, those of the call under way included.
pub(crate) fn confirmed(job: &Job) -> u32 {
    let pages = job.pages();
    let now = job.under_way().map_or(0, |attempt| attempt.first_page + attempt.ledger.confirmed);
    job.confirmed.max(now).min(pages)
}
