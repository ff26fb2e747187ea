//! How answers look on the wire: shapes of their own, so that what the core keeps can
//! change without them. Times are RFC 3339 in UTC, words are in kebab case.

mod explain;
mod job;
mod status;

use postfax_domain::{outcome::Outcome, time::Timestamp};

pub(super) use explain::{ExplanationView, Question};
pub(super) use job::{Done, Filter, JobList, JobRow, JobStory, document};
pub(super) use status::StatusView;

/// A moment in UTC (RFC 3339).
fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// An outcome in one word, as configurations write it.
fn word(outcome: Outcome) -> String {
    match serde_json::to_value(outcome) {
        Ok(serde_json::Value::String(word)) => word,
        _ => outcome.text().to_owned(),
    }
}
