//! Mails as they came in: large ones are files, small ones are rows that are written
//! with the jobs that name them.
//!
//! Why rows: a file costs an inode, a name in a folder and a sync of its own; a row
//! costs its octets in the one commit of a round.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use postfax_domain::job::{Cause, Job};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{Reader, StoreError};

/// Mails that one statement writes: what it binds is copied.
const MAILS_A_STATEMENT: usize = 50;

/// Mails that are about to be named by a job, and wait for its commit.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Arc<Mutex<HashMap<String, Bytes>>>);

/// A mail that waits for its commit; forgotten when this is dropped.
#[derive(Debug)]
pub struct Held {
    waiting: Waiting,
    name: String,
}

/// A mail as it came in.
#[derive(Debug, Clone)]
pub enum Mail {
    /// A small one.
    Row(Bytes),
    /// A large one.
    File(PathBuf),
}

impl Waiting {
    fn locked(&self) -> MutexGuard<'_, HashMap<String, Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that these jobs name.
    pub(super) fn named_by(&self, jobs: &[&Job]) -> BTreeMap<String, Bytes> {
        let waiting = self.locked();
        let named = |job: &&Job| match &job.cause {
            Cause::Sent(sent) => waiting.get_key_value(&sent.message),
            _ => None,
        };
        let found = jobs.iter().filter_map(named);
        found.map(|(name, body)| (name.clone(), body.clone())).collect()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.waiting.locked().remove(&self.name);
    }
}

/// Writes mails; one that is there already stays as it is.
pub(super) async fn save(
    round: &mut SqliteConnection,
    mails: &BTreeMap<String, Bytes>,
) -> Result<(), sqlx::Error> {
    let mails: Vec<_> = mails.iter().collect();
    for some in mails.chunks(MAILS_A_STATEMENT) {
        let mut insert = QueryBuilder::<Sqlite>::new("INSERT OR IGNORE INTO mails (name, body) ");
        insert.push_values(some, |mut row, (name, body)| {
            row.push_bind(*name).push_bind(&body[..]);
        });
        // Statements of many lengths would only fill the cache.
        insert.build().persistent(some.len() == 1).execute(&mut *round).await?;
    }
    Ok(())
}

impl Reader {
    /// Keeps a small mail until the commit of the first job that names it.
    #[must_use]
    pub fn hold(&self, name: &str, body: Bytes) -> Held {
        self.waiting.locked().insert(name.to_owned(), body);
        Held { waiting: self.waiting.clone(), name: name.to_owned() }
    }

    /// A mail by its name; `None` when it is forgotten.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn mail(&self, name: &str) -> Result<Option<Mail>, StoreError> {
        let body: Option<Vec<u8>> = sqlx::query_scalar("SELECT body FROM mails WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(|source| self.fail(source))?;
        Ok(match body {
            Some(body) => Some(Mail::Row(body.into())),
            None => Some(self.documents.mail(name)).filter(|path| path.exists()).map(Mail::File),
        })
    }
}
