//! What the mails say that Postfax writes: a received fax, a receipt, an alarm.
//!
//! A letter is written anew for each delivery from what is durable, so that it
//! needs no keeping; its Message-ID is made of the job's number, so that whoever
//! gets it twice can tell.

mod alarm;
mod fax;
mod receipt;

use std::path::PathBuf;

use postfax_domain::{
    destination::Destination,
    job::{Cause, Job},
    names::JobId,
    time::Timestamp,
};
use postfax_gateway::compose::ComposeError;

use crate::{config::Config, daemon::Context, store::StoreError};

/// The end of the year 9998 in UTC.
const LAST_MOMENT_MS: i64 = 253_370_764_799_000;

/// A mail, ready to be delivered.
#[derive(Debug)]
pub struct Written {
    /// The mail itself.
    pub path: PathBuf,
    /// Envelope sender; `None` is the null reverse-path.
    pub from: Option<String>,
    /// Envelope recipient.
    pub to: String,
}

/// Why a letter could not be written.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    /// The mail could not be composed.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// What it is about could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it is about is not there any more.
    #[error("job {0} is not known any more")]
    Forgotten(JobId),
    /// It could not be written, for a reason that is ours.
    #[error("the mail could not be written: {0}")]
    Bug(String),
    /// The job does not go to a mailbox.
    #[error("the job has no mailbox")]
    NoMailbox,
}

/// Writes the letter of a job that goes to a mailbox.
///
/// # Errors
/// [`LetterError`].
pub async fn write(context: &Context, job: &Job) -> Result<Written, LetterError> {
    let Destination::Mailbox(to) = &job.destination else { return Err(LetterError::NoMailbox) };
    let documents = &context.reader.documents;
    let path = documents.spool(&format!("{}.out.eml", documents.new_name()));
    let config = context.config.load_full();
    match &job.cause {
        Cause::Arrived(arrival) => fax::write(context, &config, job, arrival, to, path).await,
        Cause::Receipt { of } => receipt::write(context, &config, *of, job, to, path).await,
        Cause::Alarm(alarm) => alarm::write(context, &config, alarm, job, to, path).await,
        // The first goes to no mailbox, and the second is written already.
        Cause::Sent(_) | Cause::Forwarded(_) => Err(LetterError::NoMailbox),
    }
}

/// The Message-ID of a job's mail: the same at every delivery.
fn message_id(context: &Context, config: &Config, job: &Job) -> String {
    format!("job-{}.{}@{}", job.id, context.reader.installation, config.setup.domain)
}

/// A moment as people of the supervisor's time zone write it.
fn moment(config: &Config, at: Timestamp) -> String {
    zoned(config, at).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

fn zoned(config: &Config, at: Timestamp) -> jiff::Zoned {
    // A mail's date has four digits for its year.
    let at = at.0.clamp(0, LAST_MOMENT_MS);
    let at = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    at.to_zoned(config.timezone.clone())
}

/// `1 page`, `2 pages`.
fn pages(count: u32) -> String {
    if count == 1 { "1 page".into() } else { format!("{count} pages") }
}
