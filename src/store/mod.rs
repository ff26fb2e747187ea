//! The store: what is durable. The only files that know SQL.
//!
//! SQLite with a write-ahead log and `synchronous = FULL`: when [`Store::commit`]
//! has returned, its changes survive the loss of power. There is one writer
//! connection, and the daemon commits all changes of a round in one transaction.
//! Documents are files beside the database ([`documents`]); rows only name them.

mod answers;
mod audit;
mod book;
pub mod documents;
mod mails;
mod round;
mod rows;
mod settings;
mod tables;
mod versions;
mod webhooks;

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use postfax_domain::{
    job::Job,
    names::{ClientName, JobId, ServerName},
    quota::{self, Spent},
    supervisor::{Change, DuplicateKey, Saved},
    time::Timestamp,
};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use sqlx::{
    Connection, Row, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use self::{
    answers::{Keyed, Known},
    audit::verify_file,
    documents::SCRATCH,
    mails::Mail,
    versions::Version,
};
use self::{
    documents::Documents,
    round::{delete_ended, write},
    rows::{number, read_job},
};

/// The file of the database, in the folder of the state.
pub const DATABASE: &str = "postfax.db";
/// Connections that only read.
const READERS: u32 = 4;
/// How long the lock of an earlier life may outlive it: as long as it takes a child
/// that it was just starting to become another program.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// How often the lock is tried meanwhile.
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// How long a reader waits for the writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Most jobs that one question may bring back.
pub const MAX_JOBS_LISTED: u32 = 10_000;

/// Why the store could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database.
    #[error("the database {path}: {source}")]
    Database {
        /// Its file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// A file or folder.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another Postfax has the folder.
    #[error("{0} is in use by another Postfax")]
    InUse(PathBuf),
    /// A line of the audit log that this version cannot read.
    #[error("line {seq} of the audit log cannot be read: {why}")]
    Unreadable {
        /// Its number.
        seq: i64,
        /// What is wrong with it.
        why: String,
    },
    /// A row that this version cannot read.
    #[error("job {id} in the database cannot be read: {why}")]
    Damaged {
        /// Its number.
        id: i64,
        /// What is wrong with it.
        why: String,
    },
    /// Events of a webhook that this version cannot read.
    #[error("the events of webhook {hook} in the database cannot be read: {why}")]
    DamagedEvents {
        /// The webhook.
        hook: String,
        /// What is wrong with them.
        why: String,
    },
    /// A phone book that this version cannot read.
    #[error("the phone book in the database cannot be read: {why}")]
    DamagedBook {
        /// What is wrong with it.
        why: String,
    },
    /// Settings that this version cannot read.
    #[error("the settings of {server} in the database cannot be read: {why}")]
    DamagedSettings {
        /// The server.
        server: String,
        /// What is wrong with them.
        why: String,
    },
}

/// Which jobs are asked for.
#[derive(Debug, Clone)]
pub struct Page {
    /// Only jobs that are over, or only those that are not.
    pub ended: Option<bool>,
    /// Only jobs that this client sends or receives.
    pub client: Option<ClientName>,
    /// Only jobs with a smaller number.
    pub before: Option<JobId>,
    /// At most so many.
    pub limit: u32,
}

/// The open store.
pub struct Store {
    path: PathBuf,
    options: SqliteConnectOptions,
    /// None after an error: a connection on which a transaction failed may be in the
    /// middle of it for ever, so it is not used again.
    writer: Option<SqliteConnection>,
    reader: Reader,
    /// Held as long as the store is open.
    _lock: File,
}

/// Reads from the store while the daemon writes; cheap to clone.
#[derive(Clone)]
pub struct Reader {
    path: PathBuf,
    pool: SqlitePool,
    /// Documents and mails.
    pub documents: Documents,
    waiting: mails::Waiting,
    /// Random, made with the database: no other installation has it.
    pub installation: String,
    /// Random, made with the database and told to nobody: return paths are proved by it.
    pub secret: Secret,
}

/// A value that is never printed.
#[derive(Clone)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

impl Store {
    /// Opens the store in the folder `state`, and makes it if there is none.
    ///
    /// Why it is locked: a second daemon by mistake would empty the spool of the first,
    /// and send its faxes once more.
    ///
    /// # Errors
    /// [`StoreError`] names the file and what is wrong with it.
    pub async fn open(state: &Path) -> Result<Self, StoreError> {
        let lock = lock(state).await?;
        let documents = Documents::open(state)?;
        let path = state.join(DATABASE);
        let fail = |source| StoreError::Database { path: path.clone(), source };
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let mut writer = SqliteConnection::connect_with(&options).await.map_err(fail)?;
        tables::migrator()
            .run(&mut writer)
            .await
            .map_err(|bad| fail(sqlx::Error::Migrate(Box::new(bad))))?;
        let installation = once(&mut writer, "installation", 4).await.map_err(fail)?;
        let secret = Secret(once(&mut writer, "secret", 32).await.map_err(fail)?);
        let readers = SqlitePoolOptions::new().max_connections(READERS).min_connections(0);
        let pool = readers.connect_with(options.clone().read_only(true)).await.map_err(fail)?;
        let waiting = mails::Waiting::default();
        let reader = Reader { path: path.clone(), pool, documents, waiting, installation, secret };
        Ok(Self { path, options, writer: Some(writer), reader, _lock: lock })
    }

    /// The reading side.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Makes the changes durable, all or none.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub async fn commit(&mut self, changes: &[Change], now: Timestamp) -> Result<(), StoreError> {
        // What a row names is there before the row is.
        self.reader.documents.sync().await?;
        let mut writer = self.take_writer().await?;
        let committed = write(&mut writer, &self.reader.waiting, changes, now).await;
        self.give_back(writer, committed)
    }

    async fn take_writer(&mut self) -> Result<SqliteConnection, StoreError> {
        match self.writer.take() {
            Some(writer) => Ok(writer),
            None => SqliteConnection::connect_with(&self.options)
                .await
                .map_err(|source| StoreError::Database { path: self.path.clone(), source }),
        }
    }

    fn give_back<T>(
        &mut self,
        writer: SqliteConnection,
        done: Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        match done {
            Ok(done) => {
                self.writer = Some(writer);
                Ok(done)
            }
            Err(source) => Err(StoreError::Database { path: self.path.clone(), source }),
        }
    }

    /// Everything that a new supervisor needs to go on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn saved(
        &mut self,
        now: Timestamp,
        duplicates: Duration,
    ) -> Result<Saved, StoreError> {
        let mut writer = self.take_writer().await?;
        let fail = |source| StoreError::Database { path: self.path.clone(), source };
        let rows = sqlx::query("SELECT id, body FROM jobs WHERE state <> 'ended' ORDER BY id")
            .fetch_all(&mut writer)
            .await
            .map_err(fail)?;
        let jobs = rows.iter().map(read_job).collect::<Result<_, _>>()?;
        let since = (now - duplicates).min(now - quota::DAY);
        let rows = sqlx::query(
            "SELECT id, body FROM jobs WHERE kind = 'sent' AND created >= $1 ORDER BY id",
        )
        .bind(since.0)
        .fetch_all(&mut writer)
        .await
        .map_err(fail)?;
        let (mut accepted, mut spent) = (Vec::new(), Vec::new());
        for row in &rows {
            let job = read_job(row)?;
            if job.created >= now - duplicates {
                accepted.extend(DuplicateKey::of(&job).map(|key| (key, job.id, job.created)));
            }
            spent.extend(Spent::of(&job));
        }
        let last: i64 = sqlx::query_scalar(
            "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'jobs'",
        )
        .fetch_one(&mut writer)
        .await
        .map_err(fail)?;
        let arrivals = arrivals(&mut writer).await.map_err(fail)?;
        let rows: Vec<String> = sqlx::query_scalar("SELECT server FROM drained")
            .fetch_all(&mut writer)
            .await
            .map_err(fail)?;
        let drained = rows.iter().filter_map(|name| ServerName::new(name).ok()).collect();
        let settings = settings::read(&mut writer, fail).await?;
        let webhooks = webhooks::read(&mut writer, fail).await?;
        let book = book::read(&mut writer, fail).await?;
        self.writer = Some(writer);
        let next_job = last.unsigned_abs() + 1;
        Ok(Saved {
            jobs,
            next_job,
            accepted,
            arrivals,
            spent,
            drained,
            settings,
            book,
            webhooks,
            at: now,
        })
    }

    /// Drops jobs that ended before `oldest`, and the files that only they named.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune(&mut self, oldest: Timestamp) -> Result<u64, StoreError> {
        let mut writer = self.take_writer().await?;
        let deleted = delete_ended(&mut writer, oldest).await;
        let (gone, named) = self.give_back(writer, deleted)?;
        self.reader.documents.prune(&named, oldest)?;
        Ok(gone)
    }
}

impl Reader {
    /// One job, whatever its state.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        let row = sqlx::query("SELECT id, body FROM jobs WHERE id = $1")
            .bind(number(id))
            .fetch_optional(&self.pool)
            .await
            .map_err(|source| self.fail(source))?;
        row.as_ref().map(read_job).transpose()
    }

    /// The receipts of a job, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn receipts(&self, of: JobId) -> Result<Vec<Job>, StoreError> {
        let rows = sqlx::query("SELECT id, body FROM jobs WHERE receipt_of = $1 ORDER BY id")
            .bind(number(of))
            .fetch_all(&self.pool)
            .await
            .map_err(|source| self.fail(source))?;
        rows.iter().map(read_job).collect()
    }

    /// The newest jobs of a page, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn jobs(&self, page: &Page) -> Result<Vec<Job>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, body FROM jobs \
             WHERE ($1 IS NULL OR (state = 'ended') = $1) AND id < $2 \
             AND ($4 IS NULL OR client = $4) ORDER BY id DESC LIMIT $3",
        )
        .bind(page.ended.map(i64::from))
        .bind(page.before.map_or(i64::MAX, number))
        .bind(i64::from(page.limit.min(MAX_JOBS_LISTED)))
        .bind(page.client.as_ref().map(ClientName::as_str))
        .fetch_all(&self.pool)
        .await
        .map_err(|source| self.fail(source))?;
        rows.iter().map(read_job).collect()
    }

    fn fail(&self, source: sqlx::Error) -> StoreError {
        StoreError::Database { path: self.path.clone(), source }
    }
}

/// The faxes that were fetched.
async fn arrivals<T: FromIterator<(ServerName, String)>>(
    reader: &mut SqliteConnection,
) -> Result<T, sqlx::Error> {
    let rows = sqlx::query("SELECT server, key FROM arrivals").fetch_all(reader).await?;
    let arrival = |row: &sqlx::sqlite::SqliteRow| {
        Some((ServerName::new(row.get("server")).ok()?, row.get::<String, _>("key")))
    };
    Ok(rows.iter().filter_map(arrival).collect())
}

/// Takes the folder for this process, until it ends, however it ends.
async fn lock(state: &Path) -> Result<File, StoreError> {
    let path = state.join("lock");
    let at = |source| StoreError::File { path: path.clone(), source };
    std::fs::create_dir_all(state).map_err(at)?;
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(at)?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => {
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            Err(Errno::WOULDBLOCK) => return Err(StoreError::InUse(state.to_owned())),
            Err(failed) => return Err(at(failed.into())),
        }
    }
}

/// A random text of so many octets that is made once and then stays.
async fn once(
    writer: &mut SqliteConnection,
    name: &str,
    octets: u8,
) -> Result<String, sqlx::Error> {
    sqlx::query(
        "INSERT INTO meta (key, value) VALUES ($1, lower(hex(randomblob($2)))) \
         ON CONFLICT DO NOTHING",
    )
    .bind(name)
    .bind(i64::from(octets))
    .execute(&mut *writer)
    .await?;
    sqlx::query_scalar("SELECT value FROM meta WHERE key = $1").bind(name).fetch_one(writer).await
}

#[cfg(test)]
mod tests {
    use postfax_domain::{
        destination::Mailbox,
        job::{Alarm, Cause},
    };

    use super::*;

    fn job(id: u64, size: usize) -> Change {
        let to = Mailbox { address: "x".repeat(size), client: None };
        let cause = Cause::Alarm(Alarm::Unrouted(JobId(1)));
        Change::Job(Box::new(Job::mail(JobId(id), cause, to, Timestamp(0), Duration::ZERO)))
    }

    async fn seen_by_others(reader: &Reader) -> usize {
        reader
            .jobs(&Page { ended: None, client: None, before: None, limit: 100 })
            .await
            .unwrap()
            .len()
    }

    #[tokio::test]
    async fn after_a_full_disk_commits_are_durable_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).await.unwrap();
        let reader = store.reader();
        store.commit(&[job(1, 10)], Timestamp(0)).await.unwrap();
        let writer = store.writer.as_mut().unwrap();
        let pages: i64 =
            sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *writer).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}")))
            .execute(&mut *writer)
            .await
            .unwrap();
        assert!(store.commit(&[job(2, 100_000)], Timestamp(0)).await.is_err(), "the disk is full");
        assert_eq!(seen_by_others(&reader).await, 1);
        store.commit(&[job(3, 10)], Timestamp(0)).await.unwrap();
        assert_eq!(seen_by_others(&reader).await, 2, "what was committed is there for everyone");
    }

    #[tokio::test]
    async fn a_number_is_never_given_twice() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).await.unwrap();
        store.commit(&[job(7, 10)], Timestamp(0)).await.unwrap();
        let saved = store.saved(Timestamp(0), Duration::ZERO).await.unwrap();
        assert_eq!((saved.jobs.len(), saved.next_job), (1, 8));
    }
}
