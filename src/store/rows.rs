//! Jobs as rows: a few columns to find them by, and the whole job as JSON.

use postfax_domain::{
    destination::Destination,
    job::{Cause, Job, State},
    names::{ClientName, JobId},
    time::Timestamp,
};
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection, sqlite::SqliteRow};

use super::{Reader, StoreError};

/// Jobs that one statement writes; SQLite takes 32,766 values in each.
pub(super) const JOBS_A_STATEMENT: usize = 500;

/// A job's number as SQL has it.
pub(super) fn number(id: JobId) -> i64 {
    i64::try_from(id.0).unwrap_or(i64::MAX)
}

/// A job from its row.
pub(super) fn read_job(row: &SqliteRow) -> Result<Job, StoreError> {
    let body: String = row.get("body");
    serde_json::from_str(&body)
        .map_err(|bad| StoreError::Damaged { id: row.get("id"), why: bad.to_string() })
}

/// A job as its row.
struct Columns<'a> {
    job: &'a Job,
    kind: &'static str,
    state: &'static str,
    client: Option<&'a str>,
    number: Option<String>,
    ended: Option<i64>,
    receipt_of: Option<i64>,
    message: Option<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(job: &'a Job) -> Self {
        let (kind, client, number_of, receipt_of, message) = match &job.cause {
            Cause::Sent(sent) => {
                ("sent", Some(sent.client.as_str()), None, None, Some(sent.message.as_str()))
            }
            Cause::Arrived(fax) => {
                ("arrived", None, fax.caller.as_ref().map(ToString::to_string), None, None)
            }
            Cause::Alarm(_) => ("alarm", None, None, None, None),
            Cause::Forwarded(mail) => ("forwarded", None, None, None, Some(mail.message.as_str())),
            Cause::Answer(_) => ("answer", None, None, None, None),
            Cause::Receipt { of, .. } => ("receipt", None, None, Some(number(*of)), None),
        };
        let (client, number) = match &job.destination {
            Destination::Fax(fax) => (client, Some(fax.number.to_string())),
            Destination::Mailbox(to) => (to.client.as_ref().map(ClientName::as_str), number_of),
            Destination::Unrouted => (client, number_of),
        };
        let (state, ended) = match &job.state {
            State::Preparing { .. } => ("preparing", None),
            State::Waiting { .. } => ("waiting", None),
            State::Carrying { .. } => ("carrying", None),
            State::Held => ("held", None),
            State::Ended { at, .. } => ("ended", Some(at.0)),
        };
        Self { job, kind, state, client, number, ended, receipt_of, message }
    }
}

/// Writes jobs with few statements: a round of many jobs costs hardly more than one of
/// few.
pub(super) async fn save_jobs(
    round: &mut SqliteConnection,
    jobs: &[&Job],
) -> Result<(), sqlx::Error> {
    for some in jobs.chunks(JOBS_A_STATEMENT) {
        save_some(round, some).await?;
    }
    Ok(())
}

async fn save_some(round: &mut SqliteConnection, jobs: &[&Job]) -> Result<(), sqlx::Error> {
    let mut insert = QueryBuilder::<Sqlite>::new(
        "INSERT INTO jobs (id, kind, state, client, number, created, ended, receipt_of, digest, \
                           message, body) ",
    );
    insert.push_values(jobs.iter().map(|job| Columns::of(job)), |mut row, of| {
        let body = serde_json::to_string(of.job).expect("a job can be written as JSON");
        row.push_bind(number(of.job.id))
            .push_bind(of.kind)
            .push_bind(of.state)
            .push_bind(of.client)
            .push_bind(of.number)
            .push_bind(of.job.created.0)
            .push_bind(of.ended)
            .push_bind(of.receipt_of)
            .push_bind(of.job.document.as_ref().map(|document| document.digest.to_string()))
            .push_bind(of.message)
            .push_bind(body);
    });
    insert.push(
        " ON CONFLICT (id) DO UPDATE SET state = excluded.state, client = excluded.client, \
           ended = excluded.ended, digest = excluded.digest, body = excluded.body",
    );
    // Statements of many lengths would only fill the cache.
    insert.build().persistent(jobs.len() == 1).execute(round).await.map(drop)
}

impl Reader {
    /// The newest job since `since` that answers this question of a client's mail.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn answer_to(
        &self,
        client: &ClientName,
        message_id: &str,
        question: &str,
        since: Timestamp,
    ) -> Result<Option<Job>, StoreError> {
        let row = sqlx::query(
            "SELECT id, body FROM jobs WHERE kind = 'answer' AND created >= $1 AND client = $2 \
             AND body ->> '$.cause.answer.message_id' = $3 \
             AND body ->> '$.cause.answer.question' = $4 ORDER BY id DESC LIMIT 1",
        )
        .bind(since.0)
        .bind(client.as_str())
        .bind(message_id)
        .bind(question)
        .fetch_optional(&self.pool)
        .await
        .map_err(|source| self.fail(source))?;
        row.as_ref().map(read_job).transpose()
    }
}
