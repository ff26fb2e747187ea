//! The phone book as rows: one for each entry, one for each that is gone, and one for each
//! line of history.

use std::collections::BTreeMap;

use postfax_domain::{
    book::{self, Entry, EntryId, Noted, Saved, Stamp, Tombstone},
    supervisor::Change,
};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::{Reader, StoreError};

/// Rows of one statement: SQLite takes 32,766 values.
const ROWS_A_STATEMENT: usize = 1000;

/// What a round has to say of the phone book.
#[derive(Default)]
pub(super) struct Changes<'a> {
    /// Only the last word on each entry is written; `None`: it is gone.
    entries: BTreeMap<EntryId, Option<&'a Entry>>,
    gone: Vec<&'a Tombstone>,
    history: Vec<&'a Noted>,
    last: Option<&'a book::Change>,
}

impl<'a> Changes<'a> {
    pub(super) fn of(changes: &'a [Change]) -> Self {
        let mut of = Self::default();
        for change in changes {
            if let Change::Book(change) = change {
                of.entries.insert(change.id, change.after.as_deref());
                of.gone.extend(&change.tombstone);
                of.history.push(&change.noted);
                of.last = Some(change);
            }
        }
        of
    }

    pub(super) fn is_empty(&self) -> bool {
        self.last.is_none()
    }
}

/// A number as SQL has it.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("the phone book can be written as JSON")
}

pub(super) async fn save(
    round: &mut SqliteConnection,
    changes: &Changes<'_>,
) -> Result<(), sqlx::Error> {
    let Some(last) = changes.last else { return Ok(()) };
    let there: Vec<&Entry> = changes.entries.values().copied().flatten().collect();
    for some in there.chunks(ROWS_A_STATEMENT) {
        let mut insert = QueryBuilder::<Sqlite>::new("INSERT OR REPLACE INTO book (id, body) ");
        insert.push_values(some, |mut row, entry| {
            row.push_bind(number(entry.id.0)).push_bind(json(entry));
        });
        insert.build().execute(&mut *round).await?;
    }
    let gone = changes.entries.iter().filter(|(_, entry)| entry.is_none());
    for (id, _) in gone {
        sqlx::query("DELETE FROM book WHERE id = $1")
            .bind(number(id.0))
            .execute(&mut *round)
            .await?;
    }
    save_gone(round, &changes.gone, last.floor).await?;
    save_history(round, &changes.history).await?;
    sqlx::query(
        "INSERT INTO book_state (one, last, next, floor) VALUES (1, $1, $2, $3) \
         ON CONFLICT (one) DO UPDATE SET last = max(last, excluded.last), \
         next = max(next, excluded.next), floor = max(floor, excluded.floor)",
    )
    .bind(number(last.stamp.0))
    .bind(number(changes.entries.keys().next_back().map_or(0, |id| id.0 + 1)))
    .bind(number(last.floor.0))
    .execute(round)
    .await
    .map(drop)
}

/// What is gone, up to where it is forgotten; the history of an entry is forgotten with it.
async fn save_gone(
    round: &mut SqliteConnection,
    gone: &[&Tombstone],
    floor: Stamp,
) -> Result<(), sqlx::Error> {
    for some in gone.chunks(ROWS_A_STATEMENT) {
        let insert = "INSERT OR REPLACE INTO book_gone (stamp, id, body) ";
        let mut insert = QueryBuilder::<Sqlite>::new(insert);
        insert.push_values(some, |mut row, one| {
            row.push_bind(number(one.stamp.0)).push_bind(number(one.id.0)).push_bind(json(one));
        });
        insert.build().execute(&mut *round).await?;
    }
    sqlx::query(
        "DELETE FROM book_history WHERE id IN (SELECT id FROM book_gone WHERE stamp <= $1) \
         AND id NOT IN (SELECT id FROM book)",
    )
    .bind(number(floor.0))
    .execute(&mut *round)
    .await?;
    sqlx::query("DELETE FROM book_gone WHERE stamp <= $1")
        .bind(number(floor.0))
        .execute(round)
        .await
        .map(drop)
}

async fn save_history(round: &mut SqliteConnection, lines: &[&Noted]) -> Result<(), sqlx::Error> {
    for some in lines.chunks(ROWS_A_STATEMENT) {
        // A round that is tried again may have been written the first time.
        let insert = "INSERT OR REPLACE INTO book_history (id, version, body) ";
        let mut insert = QueryBuilder::<Sqlite>::new(insert);
        insert.push_values(some, |mut row, line| {
            row.push_bind(number(line.id.0)).push_bind(number(line.version)).push_bind(json(line));
        });
        insert.build().execute(&mut *round).await?;
    }
    for line in lines.iter().filter(|line| line.forgets() > 0) {
        sqlx::query("DELETE FROM book_history WHERE id = $1 AND version <= $2")
            .bind(number(line.id.0))
            .bind(number(line.forgets()))
            .execute(&mut *round)
            .await?;
    }
    Ok(())
}

/// The phone book as it was saved.
pub(super) async fn read(
    reader: &mut SqliteConnection,
    fail: impl Fn(sqlx::Error) -> StoreError,
) -> Result<Saved, StoreError> {
    let mut saved = Saved::default();
    let state = sqlx::query("SELECT last, next, floor FROM book_state");
    if let Some(row) = state.fetch_optional(&mut *reader).await.map_err(&fail)? {
        let number = |column: &str| row.get::<i64, _>(column).unsigned_abs();
        saved.last = Stamp(number("last"));
        saved.next = number("next");
        saved.floor = Stamp(number("floor"));
    }
    let entries = sqlx::query_scalar("SELECT body FROM book");
    let entries: Vec<String> = entries.fetch_all(&mut *reader).await.map_err(&fail)?;
    saved.entries = entries.iter().map(|body| parsed(body)).collect::<Result<_, _>>()?;
    let gone = sqlx::query_scalar("SELECT body FROM book_gone");
    let gone: Vec<String> = gone.fetch_all(reader).await.map_err(&fail)?;
    saved.tombstones = gone.iter().map(|body| parsed(body)).collect::<Result<_, _>>()?;
    Ok(saved)
}

fn parsed<T: DeserializeOwned>(body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|bad| StoreError::DamagedBook { why: bad.to_string() })
}

impl Reader {
    /// What was done to an entry of the phone book, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn book_history(&self, id: EntryId) -> Result<Vec<Noted>, StoreError> {
        let lines: Vec<String> =
            sqlx::query_scalar("SELECT body FROM book_history WHERE id = $1 ORDER BY version DESC")
                .bind(number(id.0))
                .fetch_all(&self.pool)
                .await
                .map_err(|source| self.fail(source))?;
        lines.iter().map(|body| parsed(body)).collect()
    }
}
