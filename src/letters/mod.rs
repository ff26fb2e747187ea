//! What the mails say that Postfax writes: a received fax, a receipt, an alarm, an
//! answer.
//!
//! A letter is written anew for each delivery from what is durable, so that it
//! needs no keeping; its Message-ID is made of the job's number, so that whoever
//! gets it twice can tell.

mod alarm;
mod answer;
mod fax;
mod findings;
mod other;
mod page;
mod reading;
mod receipt;
mod story;

use postfax_domain::{
    destination::Destination,
    job::{Cause, Job},
    names::{ClientName, JobId},
    time::Timestamp,
};
use postfax_gateway::{
    client::Body,
    compose::{Attachment, ComposeError, Source},
};

use crate::{
    config::{Config, Words},
    daemon::Context,
    store::StoreError,
};

/// The end of the year 9998 in UTC.
const LAST_MOMENT_MS: i64 = 253_370_764_799_000;

/// A mail, ready to be delivered.
#[derive(Debug)]
pub struct Written {
    /// The mail itself. The file of a large one is the caller's to remove.
    pub body: Body,
    /// Envelope sender; `None` is the null reverse-path.
    pub from: Option<String>,
    /// Envelope recipient.
    pub to: String,
}

impl Written {
    /// Removes the file of a large one.
    pub async fn forget(self) {
        if let Body::File(path) = self.body {
            let _ = tokio::fs::remove_file(path).await;
        }
    }
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
        Cause::Receipt { of, report } => {
            receipt::write(context, &config, (*of, *report), job, to, path).await
        }
        Cause::Alarm(alarm) => alarm::write(context, &config, alarm, job, to, path).await,
        Cause::Answer(inquiry) => answer::write(context, &config, inquiry, job, to, path).await,
        // The first goes to no mailbox, and the second is written already.
        Cause::Sent(_) | Cause::Forwarded(_) => Err(LetterError::NoMailbox),
    }
}

/// The Message-ID of a job's mail: the same at every delivery.
fn message_id(context: &Context, config: &Config, job: &Job) -> String {
    format!("job-{}.{}@{}", job.id, context.reader.installation, config.setup.domain)
}

/// Where a reply asks about this job: its writer need not name it again.
fn reply_to(config: &Config, job: JobId) -> (String, String) {
    ("Reply-To".to_owned(), format!("jobs+{job}@{}", config.setup.domain))
}

fn zoned(config: &Config, at: Timestamp) -> jiff::Zoned {
    // A mail's date has four digits for its year.
    let at = at.0.clamp(0, LAST_MOMENT_MS);
    let at = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    at.to_zoned(config.timezone.clone())
}

/// The words for a client; those for the postmaster when it is none.
fn words_of<'c>(config: &'c Config, client: Option<&ClientName>) -> &'c Words {
    let client = client.and_then(|name| config.setup.clients.get(name));
    let language = client.map_or(&config.letters.language, |client| &client.receive.language);
    config.letters.languages.of(language)
}

/// The picture of page one, to which the HTML of a mail refers.
fn first_page(png: Vec<u8>, message_id: &str) -> Attachment {
    Attachment {
        name: "page-1.png".into(),
        content_type: "image/png".into(),
        content_id: Some(format!("page-1.{message_id}")),
        source: Source::Bytes(png.into()),
    }
}

#[cfg(test)]
mod tests;
