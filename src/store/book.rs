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
    // What has gone in this round already is forgotten with the lines of this round.
    save_history(round, &changes.history).await?;
    save_gone(round, &changes.gone, last.floor).await?;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use postfax_domain::{
        authority::Who,
        book::{Book, Content, Label, MAX_HISTORY, MAX_TOMBSTONES, Order, Owner, Reach},
        retry::RetryRules,
        setup::{JobLimits, Setup},
        time::Timestamp,
    };

    use super::*;
    use crate::store::Store;

    const NOW: Timestamp = Timestamp(1000);

    /// Nobody but the administrator.
    fn setup() -> Setup {
        Setup {
            domain: "fax.example.com".into(),
            country: "GB".parse().unwrap(),
            postmaster: "it@example.com".into(),
            groups: Default::default(),
            servers: Default::default(),
            clients: Default::default(),
            roles: Default::default(),
            dial: Vec::new(),
            routes: Vec::new(),
            webhooks: Default::default(),
            retry: RetryRules::default(),
            limits: JobLimits::default(),
        }
    }

    fn content(name: &str) -> Content {
        Content {
            name: name.into(),
            company: String::new(),
            alias: None,
            note: String::new(),
            tags: Default::default(),
            reach: Reach::List(Vec::new()),
            kept: String::new(),
        }
    }

    fn add(name: &str) -> Order {
        let (owner, label) = (Owner::Supervisor, Label::Everyone);
        Order::Add { uid: name.into(), owner, label, content: content(name) }
    }

    fn write(book: &mut Book, setup: &Setup, orders: &[Order]) -> Vec<Change> {
        let changes = book.write_all(setup, &Who::Administrator, orders, NOW).unwrap();
        changes.into_iter().map(|change| Change::Book(Box::new(change))).collect()
    }

    async fn loaded(store: &mut Store) -> Saved {
        store.saved(NOW, Duration::ZERO).await.unwrap().book
    }

    fn all(book: &Book, setup: &Setup) -> Vec<Entry> {
        let visible = book.visible(setup, &Who::Administrator);
        let mut all: Vec<Entry> = visible.into_iter().map(|(_, e)| Entry::clone(e)).collect();
        all.sort_by_key(|entry| entry.id);
        all
    }

    #[tokio::test]
    async fn a_book_comes_back_also_from_a_round_that_was_tried_twice() {
        let folder = tempfile::tempdir().unwrap();
        let (setup, mut book) = (setup(), Book::default());
        let mut store = Store::open(folder.path()).await.unwrap();
        let change = |at, name: &str| Order::Change {
            id: EntryId(at),
            expected: None,
            content: content(name),
        };
        let gone = |at| Order::Remove { id: EntryId(at), expected: None };
        // In one round an entry is added, changed and deleted, another added and changed.
        for orders in [
            vec![add("a"), add("b"), change(0, "a2"), change(1, "b2"), gone(0)],
            vec![add("c"), change(1, "b3")],
        ] {
            let round = write(&mut book, &setup, &orders);
            for _ in 0..2 {
                store.commit(&round, NOW).await.unwrap();
            }
        }
        let what = |noted: Vec<Noted>| noted.iter().map(|line| line.version).collect::<Vec<_>>();
        let reader = store.reader();
        assert_eq!(what(reader.book_history(EntryId(1)).await.unwrap()), [3, 2, 1]);
        assert_eq!(what(reader.book_history(EntryId(0)).await.unwrap()), [3, 2, 1], "gone as well");
        drop(store);
        let mut store = Store::open(folder.path()).await.unwrap();
        let saved = loaded(&mut store).await;
        assert_eq!(saved.tombstones.len(), 1);
        assert_eq!(saved.next, 3, "no number is given twice");
        let again = Book::load(saved);
        assert_eq!(all(&again, &setup), all(&book, &setup));
        let who = Who::Administrator;
        assert_eq!(again.token(&setup, &who), book.token(&setup, &who));
    }

    #[tokio::test]
    async fn a_history_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let (setup, mut book) = (setup(), Book::default());
        let mut store = Store::open(folder.path()).await.unwrap();
        let change = |at: u64| Order::Change {
            id: EntryId(0),
            expected: None,
            content: content(&format!("n{at}")),
        };
        let orders: Vec<Order> =
            std::iter::once(add("n")).chain((0..MAX_HISTORY + 9).map(change)).collect();
        store.commit(&write(&mut book, &setup, &orders), NOW).await.unwrap();
        let lines = store.reader().book_history(EntryId(0)).await.unwrap();
        assert_eq!(lines.len() as u64, MAX_HISTORY);
        assert_eq!(lines[0].version, MAX_HISTORY + 10, "the newest first");
    }

    #[tokio::test]
    async fn what_has_gone_is_forgotten_with_its_history_from_the_floor_on() {
        let folder = tempfile::tempdir().unwrap();
        let (setup, mut book) = (setup(), Book::default());
        let mut store = Store::open(folder.path()).await.unwrap();
        let many = MAX_TOMBSTONES as u64 + 5;
        let names: Vec<Order> = (0..many).map(|at| add(&format!("n{at}"))).collect();
        store.commit(&write(&mut book, &setup, &names), NOW).await.unwrap();
        let gone: Vec<Order> =
            (0..many).map(|at| Order::Remove { id: EntryId(at), expected: None }).collect();
        store.commit(&write(&mut book, &setup, &gone), NOW).await.unwrap();
        let saved = loaded(&mut store).await;
        assert_eq!((saved.entries.len(), saved.tombstones.len()), (0, MAX_TOMBSTONES));
        assert_eq!(saved.next, many);
        let oldest = saved.tombstones.iter().map(|one| one.stamp).min().unwrap();
        assert!(saved.floor < oldest, "{:?} {oldest:?}", saved.floor);
        let reader = store.reader();
        assert_eq!(reader.book_history(EntryId(4)).await.unwrap(), [], "forgotten");
        assert_eq!(reader.book_history(EntryId(5)).await.unwrap().len(), 2, "remembered");
    }
}
