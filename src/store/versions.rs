//! Versions of the configuration: what it was, who changed it and why. A version is
//! noted before its files are written and counts when they are; one that a crash left
//! in between is settled by what is in the files.
//!
//! Changes are rare and come from one task: each opens a connection of its own, and
//! waits for the writer of the daemon as readers do.

use postfax_domain::time::Timestamp;
use sqlx::{
    Connection, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous},
};

use super::{BUSY_TIMEOUT, Reader, StoreError};

/// Most versions that are kept; the oldest go first.
pub const MAX_VERSIONS: u32 = 200;

/// A version of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Counted from 1; a number is never used again.
    pub number: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// What it says: the texts in a form of their owner.
    pub body: String,
    /// Whether its files are known to be written.
    pub settled: bool,
}

impl Reader {
    /// The versions that are kept, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn versions(&self) -> Result<Vec<Version>, StoreError> {
        let rows = sqlx::query("SELECT * FROM config_versions ORDER BY number DESC")
            .fetch_all(&self.pool)
            .await
            .map_err(|source| self.fail(source))?;
        Ok(rows.iter().map(read).collect())
    }

    /// Notes a version; says its number.
    ///
    /// # Errors
    /// [`StoreError`]; then there is none.
    pub async fn add_version(&self, version: &Version) -> Result<u64, StoreError> {
        let mut writer = self.writer().await?;
        let number = async {
            let mut round = writer.begin_with("BEGIN IMMEDIATE").await?;
            let number = sqlx::query(
                "INSERT INTO config_versions (at, author, reason, body, settled) \
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(version.at.0)
            .bind(&version.author)
            .bind(&version.reason)
            .bind(&version.body)
            .bind(i64::from(version.settled))
            .execute(&mut *round)
            .await?
            .last_insert_rowid();
            sqlx::query("DELETE FROM config_versions WHERE number <= $1")
                .bind(number - i64::from(MAX_VERSIONS))
                .execute(&mut *round)
                .await?;
            round.commit().await?;
            Ok(number.unsigned_abs())
        };
        number.await.map_err(|source| self.fail(source))
    }

    /// Says that the files of a version are written, or, where they never were, that it
    /// is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settle_version(&self, number: u64, written: bool) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        let statement = if written {
            "UPDATE config_versions SET settled = 1 WHERE number = $1"
        } else {
            "DELETE FROM config_versions WHERE number = $1"
        };
        let done = sqlx::query(statement).bind(i64::try_from(number).unwrap_or(i64::MAX));
        done.execute(&mut writer).await.map(drop).map_err(|source| self.fail(source))
    }

    /// A connection for a change that is not of a round of the daemon.
    pub(super) async fn writer(&self) -> Result<SqliteConnection, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        SqliteConnection::connect_with(&options).await.map_err(|source| self.fail(source))
    }
}

fn read(row: &SqliteRow) -> Version {
    Version {
        number: row.get::<i64, _>("number").unsigned_abs(),
        at: Timestamp(row.get("at")),
        author: row.get("author"),
        reason: row.get("reason"),
        body: row.get("body"),
        settled: row.get::<i64, _>("settled") != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn versions_are_counted_settled_and_not_kept_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let reader = store.reader();
        let version = Version {
            number: 0,
            at: Timestamp(5),
            author: "anna".into(),
            reason: "why not".into(),
            body: "x".into(),
            settled: false,
        };
        assert_eq!(reader.add_version(&version).await.unwrap(), 1);
        assert_eq!(reader.add_version(&version).await.unwrap(), 2);
        reader.settle_version(1, true).await.unwrap();
        reader.settle_version(2, false).await.unwrap();
        let all = reader.versions().await.unwrap();
        assert_eq!(all, [Version { number: 1, settled: true, ..version.clone() }]);
        for number in 3..=u64::from(MAX_VERSIONS) + 2 {
            assert_eq!(reader.add_version(&version).await.unwrap(), number, "2 is not used again");
        }
        let all = reader.versions().await.unwrap();
        assert_eq!(all.len(), MAX_VERSIONS as usize);
        assert_eq!(all.last().unwrap().number, 3);
    }
}
