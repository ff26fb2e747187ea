//! A job in one row, as programs read it: over HTTP, in events and in what webhooks are
//! told. Times are RFC 3339 in UTC, words are in kebab case. Decides nothing.

use postfax_domain::{
    job::{End, Job, State},
    outcome::Outcome,
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Kind, Summary};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum JobState {
    /// Its pages are made, or wait to be.
    Preparing,
    /// For its time, or for a free line.
    Waiting,
    /// A call or a delivery is under way.
    Carrying,
    /// It waits for an administrator.
    Held,
    /// All of it arrived.
    Delivered,
    /// It did not arrive.
    Failed,
    /// Someone stopped it.
    Cancelled,
}

impl JobState {
    /// Whether nothing comes after it.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Delivered | Self::Failed | Self::Cancelled)
    }
}

impl From<&State> for JobState {
    fn from(state: &State) -> Self {
        match state {
            State::Preparing { .. } => Self::Preparing,
            State::Waiting { .. } => Self::Waiting,
            State::Carrying { .. } => Self::Carrying,
            State::Held => Self::Held,
            State::Ended { end: End::Delivered, .. } => Self::Delivered,
            State::Ended { end: End::Failed(_), .. } => Self::Failed,
            State::Ended { end: End::Cancelled, .. } => Self::Cancelled,
        }
    }
}

/// A job in one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct JobRow {
    /// Its number.
    #[schema(example = 12)]
    pub(crate) job: u64,
    kind: Kind,
    pub(crate) state: JobState,
    /// Whether it is not called before it is released.
    on_hold: bool,
    /// A client, the caller of a received fax, or the job that a receipt is about.
    #[schema(example = "anna")]
    from: String,
    /// A number, a mail address, or that nobody gets it yet.
    #[schema(example = "+33140000000")]
    to: String,
    /// The entry of the phone book that the number was meant by, as it was called when the
    /// fax was taken; in lists, and for the sender alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Acme Ltd")]
    name: Option<String>,
    /// Pages in all; 0 when none are made.
    pages: u32,
    /// Pages that the remote machine has confirmed, the call under way included.
    confirmed: u32,
    /// How many attempts there were.
    attempts: u32,
    /// When it was accepted.
    #[schema(format = DateTime)]
    created: String,
    /// How the last attempt that is over has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "busy")]
    outcome: Option<String>,
}

impl From<&Summary> for JobRow {
    fn from(row: &Summary) -> Self {
        Self {
            job: row.job.0,
            kind: row.kind,
            state: JobState::from(&row.state),
            on_hold: row.on_hold,
            from: row.from.clone(),
            to: row.to.clone(),
            name: row.name.clone(),
            pages: row.pages,
            confirmed: row.confirmed,
            attempts: row.attempts,
            created: moment(row.created),
            outcome: row.last.map(word),
        }
    }
}

impl From<&Job> for JobRow {
    fn from(job: &Job) -> Self {
        Self::from(&Summary::of(job))
    }
}

/// A moment in UTC (RFC 3339).
pub(crate) fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// An outcome in one word, as configurations write it.
pub(crate) fn word(outcome: Outcome) -> String {
    match serde_json::to_value(outcome) {
        Ok(serde_json::Value::String(word)) => word,
        _ => outcome.text().to_owned(),
    }
}
