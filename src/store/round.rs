//! The changes of a round, in one transaction; and what is forgotten.

use std::collections::{BTreeMap, HashSet};

use postfax_domain::{job::Job, names::JobId, supervisor::Change, time::Timestamp};
use sqlx::{Connection, Row, SqliteConnection};

use super::{
    audit, book, mails,
    rows::{JOBS_A_STATEMENT, save_jobs},
    settings, webhooks,
};

/// Writes all changes in one transaction.
pub(super) async fn write(
    writer: &mut SqliteConnection,
    waiting: &mails::Waiting,
    changes: &[Change],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    // Only the last word on each job is written.
    let mut jobs: BTreeMap<JobId, &Job> = BTreeMap::new();
    let (mut others, mut lines) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::Job(job) => drop(jobs.insert(job.id, job)),
            Change::Audit(line) => lines.push(&**line),
            Change::Settings { .. } | Change::Webhook { .. } | Change::Book(_) => {}
            other => others.push(other),
        }
    }
    let jobs: Vec<&Job> = jobs.into_values().collect();
    let mails = waiting.named_by(&jobs);
    let settings = settings::Changes::of(changes);
    let webhooks = webhooks::Changes::of(changes);
    let book = book::Changes::of(changes);
    let only_jobs = others.is_empty()
        && lines.is_empty()
        && mails.is_empty()
        && settings.is_empty()
        && webhooks.is_empty()
        && book.is_empty();
    if only_jobs && jobs.len() <= JOBS_A_STATEMENT {
        // One statement is a transaction by itself.
        return save_jobs(writer, &jobs).await;
    }
    let mut round = Connection::begin(writer).await?;
    for other in others {
        save_other(&mut round, other, now).await?;
    }
    mails::save(&mut round, &mails).await?;
    settings::save(&mut round, &settings).await?;
    webhooks::save(&mut round, &webhooks).await?;
    book::save(&mut round, &book).await?;
    save_jobs(&mut round, &jobs).await?;
    audit::append(&mut round, &lines).await?;
    round.commit().await
}

/// Writes what is neither a job nor a line of the audit log.
async fn save_other(
    round: &mut SqliteConnection,
    change: &Change,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    match change {
        Change::Arrival(server, key) => {
            sqlx::query("INSERT OR IGNORE INTO arrivals (server, key, at) VALUES ($1, $2, $3)")
                .bind(server.as_str())
                .bind(key)
                .bind(now.0)
        }
        Change::Drained(server, true) => {
            sqlx::query("INSERT OR IGNORE INTO drained (server, at) VALUES ($1, $2)")
                .bind(server.as_str())
                .bind(now.0)
        }
        Change::Drained(server, false) => {
            sqlx::query("DELETE FROM drained WHERE server = $1").bind(server.as_str())
        }
        Change::Job(_)
        | Change::Audit(_)
        | Change::Book(_)
        | Change::Settings { .. }
        | Change::Webhook { .. } => unreachable!("written apart"),
    }
    .execute(round)
    .await
    .map(drop)
}

/// Deletes the jobs that ended before `oldest`, and says how many they were and which
/// files the others name. A job that a receipt will tell of is kept until it has.
pub(super) async fn delete_ended(
    writer: &mut SqliteConnection,
    oldest: Timestamp,
) -> Result<(u64, HashSet<String>), sqlx::Error> {
    let gone = sqlx::query(
        "DELETE FROM jobs WHERE state = 'ended' AND ended < $1 AND id NOT IN \
         (SELECT receipt_of FROM jobs WHERE state <> 'ended' AND receipt_of IS NOT NULL)",
    )
    .bind(oldest.0)
    .execute(&mut *writer)
    .await?
    .rows_affected();
    sqlx::query(
        "DELETE FROM mails WHERE name NOT IN \
         (SELECT message FROM jobs WHERE message IS NOT NULL)",
    )
    .execute(&mut *writer)
    .await?;
    let rows = sqlx::query("SELECT digest, message, body ->> '$.cover.digest' AS cover FROM jobs")
        .fetch_all(&mut *writer)
        .await?;
    let named = rows.iter().flat_map(|row| {
        ["digest", "message", "cover"].map(|file| row.get::<Option<String>, _>(file))
    });
    Ok((gone, named.flatten().collect()))
}
