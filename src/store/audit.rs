//! The audit log as rows. Each has the SHA-256 over the hash of the row before it and
//! its own body, so that nothing can be changed, taken out, put in or moved without a
//! hash that no longer fits. Rows are only ever added; nobody prunes them.

use std::path::Path;

use postfax_domain::{
    audit::{Broken, Chain, Entry, HASH_DIGITS, Head, Line, Misfit},
    time::Timestamp,
};
use sha2::{Digest as _, Sha256};
use sqlx::{
    Connection as _, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

use super::{BUSY_TIMEOUT, Reader, StoreError};

/// Rows that are read at a time.
const ROWS_AT_A_TIME: u32 = 1000;

/// The hash before the first line.
fn genesis() -> String {
    "0".repeat(HASH_DIGITS)
}

/// The hash of a line: over the digits of the hash before it, and its body.
fn chained(before: &str, body: &str) -> String {
    let digest = Sha256::new().chain_update(before).chain_update(body).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Adds lines, in their order.
pub(super) async fn append(
    round: &mut SqliteConnection,
    lines: &[&Line],
) -> Result<(), sqlx::Error> {
    if lines.is_empty() {
        return Ok(());
    }
    let last: Option<String> =
        sqlx::query_scalar("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&mut *round)
            .await?;
    let mut hash = last.unwrap_or_else(genesis);
    for line in lines {
        let body = serde_json::to_string(line).expect("a line can be written as JSON");
        hash = chained(&hash, &body);
        sqlx::query("INSERT INTO audit (at, body, hash) VALUES ($1, $2, $3)")
            .bind(line.at.0)
            .bind(body)
            .bind(&hash)
            .execute(&mut *round)
            .await?;
    }
    Ok(())
}

/// A row that is being looked at.
struct Found {
    seq: i64,
    at: i64,
    body: String,
    hash: String,
}

impl Found {
    /// Values of other kinds than ours do not fit, like any other change.
    fn of(row: &SqliteRow) -> Option<Self> {
        Some(Self {
            seq: row.try_get("seq").ok()?,
            at: row.try_get("at").ok()?,
            body: row.try_get("body").ok()?,
            hash: row.try_get("hash").ok()?,
        })
    }

    /// The moment stands twice, so that lines can be found by it.
    fn is_told_rightly(&self) -> bool {
        serde_json::from_str::<Line>(&self.body).is_ok_and(|line| line.at.0 == self.at)
    }
}

/// Reads the whole chain on any connection.
async fn verify(
    connection: &mut SqliteConnection,
    known: Option<&Head>,
) -> Result<Chain, sqlx::Error> {
    let mut chain = Chain::default();
    let (mut hash, mut seq) = (genesis(), 0_i64);
    loop {
        let rows = sqlx::query(
            "SELECT seq, at, body, hash FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2",
        )
        .bind(if seq == 0 { i64::MIN } else { seq })
        .bind(ROWS_AT_A_TIME)
        .fetch_all(&mut *connection)
        .await?;
        for row in &rows {
            seq += 1;
            let next = seq.unsigned_abs();
            let broken = |why| Some(Broken { seq: next, why });
            let Some(found) = Found::of(row) else {
                chain.broken = broken(Misfit::Changed);
                return Ok(chain);
            };
            let fits = chained(&hash, &found.body) == found.hash && found.is_told_rightly();
            let is_known = known.is_none_or(|known| known.seq != next || known.hash == found.hash);
            chain.broken = match (found.seq == seq, fits, is_known) {
                (true, true, true) => None,
                (false, ..) if found.seq > seq => broken(Misfit::Missing),
                (true, true, false) => broken(Misfit::Other),
                _ => broken(Misfit::Changed),
            };
            if chain.broken.is_some() {
                return Ok(chain);
            }
            hash = found.hash;
            chain.lines = next;
            chain.head = Some(Head { seq: next, hash: hash.clone() });
        }
        if rows.is_empty() {
            break;
        }
    }
    if known.is_some_and(|known| known.seq > chain.lines) {
        chain.broken = Some(Broken { seq: chain.lines + 1, why: Misfit::CutOff });
    }
    Ok(chain)
}

/// Reads the whole log of a database that nobody needs to have open, and writes nothing.
///
/// # Errors
/// [`StoreError`] when it cannot be read.
pub async fn verify_file(path: &Path, known: Option<&Head>) -> Result<Chain, StoreError> {
    let fail = |source| StoreError::Database { path: path.to_owned(), source };
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .create_if_missing(false)
        .busy_timeout(BUSY_TIMEOUT);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(fail)?;
    let chain = verify(&mut connection, known).await.map_err(fail)?;
    connection.close().await.map_err(fail)?;
    Ok(chain)
}

impl Reader {
    /// Reads the whole log.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn verify_audit(&self, known: Option<&Head>) -> Result<Chain, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(|source| self.fail(source))?;
        verify(&mut connection, known).await.map_err(|source| self.fail(source))
    }

    /// The newest lines, newest first: those before line `before`, and not older than
    /// `since`; at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit(
        &self,
        since: Timestamp,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let before = before.and_then(|seq| i64::try_from(seq).ok()).unwrap_or(i64::MAX);
        let rows = sqlx::query(
            "SELECT seq, body, hash FROM audit WHERE seq < $1 AND at >= $2 \
             ORDER BY seq DESC LIMIT $3",
        )
        .bind(before)
        .bind(since.0)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(|source| self.fail(source))?;
        rows.iter().map(entry).collect()
    }
}

fn entry(row: &SqliteRow) -> Result<Entry, StoreError> {
    let (seq, body): (i64, String) = (row.get("seq"), row.get("body"));
    let line = serde_json::from_str(&body)
        .map_err(|bad| StoreError::Unreadable { seq, why: bad.to_string() })?;
    Ok(Entry { seq: seq.unsigned_abs(), line, hash: row.get("hash") })
}

#[cfg(test)]
mod tests {
    use postfax_domain::{
        audit::{Asker, Door, Verdict},
        authority::Who,
        supervisor::Change,
    };

    use super::{super::Store, *};

    fn line(object: &str) -> Change {
        let asker = Asker { who: Who::Administrator, door: Door::Socket, from: "uid 0".into() };
        Change::Audit(Box::new(Line {
            at: Timestamp(7),
            asker,
            request: "jobs.cancel".into(),
            object: object.into(),
            verdict: Verdict::Allowed,
            before: None,
            after: None,
        }))
    }

    /// A log of six lines that two lives have written, closed; and its head.
    async fn log() -> (tempfile::TempDir, Head) {
        let folder = tempfile::tempdir().unwrap();
        for life in 0..2 {
            let mut store = Store::open(folder.path()).await.unwrap();
            let one = line(&format!("job:{life}"));
            store.commit(&[one.clone(), one], Timestamp(0)).await.unwrap();
            store.commit(&[line(&format!("job:{life}1"))], Timestamp(0)).await.unwrap();
        }
        let chain = verify_file(&folder.path().join("postfax.db"), None).await.unwrap();
        assert_eq!((chain.lines, &chain.broken), (6, &None));
        (folder, chain.head.unwrap())
    }

    async fn tamper(folder: &Path, statements: &str) {
        let options = SqliteConnectOptions::new().filename(folder.join("postfax.db"));
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        for statement in statements.split(';') {
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }

    #[tokio::test]
    async fn whatever_is_done_to_a_row_is_found() {
        let swap = "UPDATE audit SET seq = 100 WHERE seq = 3;\
                    UPDATE audit SET seq = 3 WHERE seq = 4;\
                    UPDATE audit SET seq = 4 WHERE seq = 100";
        let insert = "UPDATE audit SET seq = seq + 10 WHERE seq > 3;\
                      UPDATE audit SET seq = seq - 9 WHERE seq > 3;\
                      INSERT INTO audit SELECT 4, at, body, hash FROM audit WHERE seq = 3";
        let close = "DELETE FROM audit WHERE seq = 3;\
                     UPDATE audit SET seq = seq - 1 WHERE seq > 3";
        for (tampering, seq, why) in [
            ("UPDATE audit SET body = replace(body, '11', '12') WHERE seq = 6", 6, Misfit::Changed),
            ("UPDATE audit SET body = body || ' ' WHERE seq = 1", 1, Misfit::Changed),
            ("UPDATE audit SET at = 8 WHERE seq = 2", 2, Misfit::Changed),
            ("UPDATE audit SET at = 'x' WHERE seq = 2", 2, Misfit::Changed),
            ("UPDATE audit SET hash = upper(hash) WHERE seq = 5", 5, Misfit::Changed),
            ("UPDATE audit SET seq = 0 WHERE seq = 6", 1, Misfit::Changed),
            ("DELETE FROM audit WHERE seq = 3", 3, Misfit::Missing),
            ("DELETE FROM audit WHERE seq = 1", 1, Misfit::Missing),
            (close, 3, Misfit::Changed),
            (insert, 4, Misfit::Changed),
            (swap, 3, Misfit::Changed),
        ] {
            let (folder, _) = log().await;
            tamper(folder.path(), tampering).await;
            let chain = verify_file(&folder.path().join("postfax.db"), None).await.unwrap();
            assert_eq!(chain.broken, Some(Broken { seq, why }), "{tampering}");
            assert_eq!(chain.lines, seq - 1, "{tampering}");
        }
    }

    #[tokio::test]
    async fn an_end_that_was_cut_off_is_found_by_the_head() {
        let (folder, head) = log().await;
        let file = folder.path().join("postfax.db");
        tamper(folder.path(), "DELETE FROM audit WHERE seq > 4").await;
        let chain = verify_file(&file, None).await.unwrap();
        assert_eq!((chain.lines, &chain.broken), (4, &None), "the rest fits");
        let chain = verify_file(&file, Some(&head)).await.unwrap();
        assert_eq!(chain.broken, Some(Broken { seq: 5, why: Misfit::CutOff }));
        // What is written afterwards leaves the gap, whatever the head.
        let mut store = Store::open(folder.path()).await.unwrap();
        store.commit(&[line("job:9")], Timestamp(0)).await.unwrap();
        let chain = verify_file(&file, None).await.unwrap();
        assert_eq!(chain.broken, Some(Broken { seq: 5, why: Misfit::Missing }));
    }

    #[tokio::test]
    async fn a_log_that_was_written_anew_is_not_the_one_that_was_noted() {
        let (folder, mut head) = log().await;
        let file = folder.path().join("postfax.db");
        assert_eq!(verify_file(&file, Some(&head)).await.unwrap().broken, None);
        head.hash = genesis();
        let chain = verify_file(&file, Some(&head)).await.unwrap();
        assert_eq!(chain.broken, Some(Broken { seq: 6, why: Misfit::Other }));
    }

    #[tokio::test]
    async fn drained_servers_stay_so() {
        let folder = tempfile::tempdir().unwrap();
        let name = |name| postfax_domain::names::ServerName::new(name).unwrap();
        let mut store = Store::open(folder.path()).await.unwrap();
        let drained = |server, on| Change::Drained(name(server), on);
        let all = [drained("a", true), drained("b", true), drained("a", false)];
        store.commit(&all, Timestamp(0)).await.unwrap();
        let saved = store.saved(Timestamp(0), std::time::Duration::ZERO).await.unwrap();
        assert_eq!(saved.drained, [name("b")].into());
    }
}
