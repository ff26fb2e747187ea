//! The outboxes of the webhooks as rows: one for each event that waits, and one for each
//! hook with how far its events have come.

use std::collections::BTreeMap;

use postfax_domain::{
    names::HookName,
    supervisor::Change,
    time::Timestamp,
    webhook::{Standing, Told},
};
use sqlx::{Row, SqliteConnection};

use super::{Reader, StoreError};

/// What a round has to say of webhooks.
#[derive(Default)]
pub(super) struct Changes<'a> {
    new: Vec<(&'a HookName, &'a Told)>,
    /// Only the last word on each hook is written.
    standing: BTreeMap<&'a HookName, &'a Standing>,
}

impl<'a> Changes<'a> {
    pub(super) fn of(changes: &'a [Change]) -> Self {
        let mut of = Self::default();
        for change in changes {
            if let Change::Webhook { hook, new, standing } = change {
                of.new.extend(new.iter().map(|told| (hook, &**told)));
                of.standing.insert(hook, standing);
            }
        }
        of
    }

    pub(super) fn is_empty(&self) -> bool {
        self.standing.is_empty()
    }
}

/// A sequence number as SQL has it.
fn number(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

pub(super) async fn save(
    round: &mut SqliteConnection,
    changes: &Changes<'_>,
) -> Result<(), sqlx::Error> {
    for (hook, told) in &changes.new {
        let body = serde_json::to_string(&told.about).expect("a job can be written as JSON");
        // A round that is tried again may have been written the first time.
        sqlx::query(
            "INSERT OR IGNORE INTO webhook_events (hook, sequence, event, at, body) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(hook.as_str())
        .bind(number(told.sequence))
        .bind(told.event.to_string())
        .bind(told.at.0)
        .bind(body)
        .execute(&mut *round)
        .await?;
    }
    for (hook, standing) in &changes.standing {
        let body = serde_json::to_string(standing).expect("a standing can be written as JSON");
        sqlx::query(
            "INSERT INTO webhooks (name, body) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET body = excluded.body",
        )
        .bind(hook.as_str())
        .bind(body)
        .execute(&mut *round)
        .await?;
        sqlx::query("DELETE FROM webhook_events WHERE hook = $1 AND sequence <= $2")
            .bind(hook.as_str())
            .bind(number(standing.settled))
            .execute(&mut *round)
            .await?;
    }
    Ok(())
}

/// How far the events of each hook have come.
pub(super) async fn read(
    reader: &mut SqliteConnection,
    fail: impl Fn(sqlx::Error) -> StoreError,
) -> Result<BTreeMap<HookName, Standing>, StoreError> {
    let rows = sqlx::query("SELECT name, body FROM webhooks");
    let rows = rows.fetch_all(reader).await.map_err(fail)?;
    let mut standings = BTreeMap::new();
    for row in &rows {
        let (name, body): (String, String) = (row.get("name"), row.get("body"));
        let standing = serde_json::from_str(&body).map_err(|bad| damaged(&name, &bad))?;
        if let Ok(name) = HookName::new(&name) {
            standings.insert(name, standing);
        }
    }
    Ok(standings)
}

fn damaged(hook: &str, why: &impl ToString) -> StoreError {
    StoreError::DamagedEvents { hook: hook.to_owned(), why: why.to_string() }
}

impl Reader {
    /// The first event behind `after` that waits for a hook.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_told(&self, hook: &HookName, after: u64) -> Result<Option<Told>, StoreError> {
        let row = sqlx::query(
            "SELECT sequence, event, at, body FROM webhook_events \
             WHERE hook = $1 AND sequence > $2 ORDER BY sequence LIMIT 1",
        )
        .bind(hook.as_str())
        .bind(number(after))
        .fetch_optional(&self.pool)
        .await
        .map_err(|source| self.fail(source))?;
        let Some(row) = row else { return Ok(None) };
        let (event, body): (String, String) = (row.get("event"), row.get("body"));
        let event = event.parse().map_err(|bad| damaged(hook.as_str(), &bad))?;
        let about = serde_json::from_str(&body).map_err(|bad| damaged(hook.as_str(), &bad))?;
        let sequence: i64 = row.get("sequence");
        let at = Timestamp(row.get("at"));
        Ok(Some(Told { sequence: sequence.unsigned_abs(), event, at, about }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use postfax_domain::{
        names::ServerName,
        webhook::{About, Event},
    };

    use super::*;
    use crate::store::Store;

    fn change(hook: &str, sequence: u64, settled: u64) -> Change {
        let about = About::Server(ServerName::new("london-1").unwrap());
        let told = Told { sequence, event: Event::Up, at: Timestamp(7), about };
        Change::Webhook {
            hook: HookName::new(hook).unwrap(),
            new: Some(Box::new(told)),
            standing: Box::new(Standing { last: sequence, settled, gone: None }),
        }
    }

    #[tokio::test]
    async fn events_wait_in_their_order_until_they_are_settled() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).await.unwrap();
        let (a, b) = (HookName::new("a").unwrap(), HookName::new("b").unwrap());
        let round = [change("a", 1, 0), change("b", 1, 0), change("a", 2, 0), change("a", 3, 0)];
        // A round that is tried again changes nothing.
        for _ in 0..2 {
            store.commit(&round, Timestamp(0)).await.unwrap();
        }
        let reader = store.reader();
        let next = async |hook: &HookName, after| {
            reader.next_told(hook, after).await.unwrap().map(|told| told.sequence)
        };
        assert_eq!(
            (next(&a, 0).await, next(&a, 1).await, next(&a, 3).await),
            (Some(1), Some(2), None)
        );
        store.commit(&[change("a", 4, 3)], Timestamp(0)).await.unwrap();
        assert_eq!((next(&a, 0).await, next(&b, 0).await), (Some(4), Some(1)));
        drop(store);
        let mut store = Store::open(folder.path()).await.unwrap();
        let saved = store.saved(Timestamp(0), Duration::ZERO).await.unwrap();
        assert_eq!(saved.webhooks[&a], Standing { last: 4, settled: 3, gone: None });
        assert_eq!(saved.webhooks[&b].waiting(), 1);
    }
}
