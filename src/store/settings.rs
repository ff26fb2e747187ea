//! The registered settings as rows: one for each version, and one for each server with
//! what became of its newest.

use std::collections::BTreeMap;

use postfax_domain::{
    names::ServerName,
    settings::{MAX_VERSIONS, Record, Standing, Version},
    supervisor::Change,
};
use serde::de::DeserializeOwned;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::StoreError;

/// What a round has to say of settings.
#[derive(Default)]
pub(super) struct Changes<'a> {
    new: Vec<(&'a ServerName, &'a Version)>,
    /// Only the last word on each server is written.
    standing: BTreeMap<&'a ServerName, &'a Standing>,
}

impl<'a> Changes<'a> {
    pub(super) fn of(changes: &'a [Change]) -> Self {
        let mut of = Self::default();
        for change in changes {
            if let Change::Settings { server, new, standing } = change {
                of.new.extend(new.iter().map(|version| (server, &**version)));
                of.standing.insert(server, standing);
            }
        }
        of
    }

    pub(super) fn is_empty(&self) -> bool {
        self.standing.is_empty()
    }
}

pub(super) async fn save(
    round: &mut SqliteConnection,
    changes: &Changes<'_>,
) -> Result<(), sqlx::Error> {
    for (server, version) in &changes.new {
        // A round that is tried again may have been written the first time.
        let number = i64::try_from(version.number).unwrap_or(i64::MAX);
        sqlx::query(
            "INSERT OR IGNORE INTO settings_versions (server, number, body) VALUES ($1, $2, $3)",
        )
        .bind(server.as_str())
        .bind(number)
        .bind(json(version))
        .execute(&mut *round)
        .await?;
        sqlx::query("DELETE FROM settings_versions WHERE server = $1 AND number <= $2")
            .bind(server.as_str())
            .bind(number.saturating_sub(i64::try_from(MAX_VERSIONS).unwrap_or(i64::MAX)))
            .execute(&mut *round)
            .await?;
    }
    for (server, standing) in &changes.standing {
        sqlx::query(
            "INSERT INTO settings_standing (server, body) VALUES ($1, $2) \
             ON CONFLICT (server) DO UPDATE SET body = excluded.body",
        )
        .bind(server.as_str())
        .bind(json(standing))
        .execute(&mut *round)
        .await?;
    }
    Ok(())
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("settings can be written as JSON")
}

/// What is registered for each server.
pub(super) async fn read(
    reader: &mut SqliteConnection,
    fail: impl Fn(sqlx::Error) -> StoreError,
) -> Result<BTreeMap<ServerName, Record>, StoreError> {
    let rows = sqlx::query("SELECT server, body FROM settings_versions ORDER BY server, number");
    let rows = rows.fetch_all(&mut *reader).await.map_err(&fail)?;
    let mut versions: BTreeMap<String, Vec<Version>> = BTreeMap::new();
    for row in &rows {
        let (server, version) = parsed(row)?;
        versions.entry(server).or_default().push(version);
    }
    let rows = sqlx::query("SELECT server, body FROM settings_standing");
    let rows = rows.fetch_all(reader).await.map_err(&fail)?;
    let mut records = BTreeMap::new();
    for row in &rows {
        let (server, standing): (String, Standing) = parsed(row)?;
        let record = Record::restore(versions.remove(&server).unwrap_or_default(), standing);
        if let (Ok(server), Some(record)) = (ServerName::new(&server), record) {
            records.insert(server, record);
        }
    }
    Ok(records)
}

fn parsed<T: DeserializeOwned>(row: &SqliteRow) -> Result<(String, T), StoreError> {
    let (server, body): (String, String) = (row.get("server"), row.get("body"));
    match serde_json::from_str(&body) {
        Ok(value) => Ok((server, value)),
        Err(bad) => Err(StoreError::DamagedSettings { server, why: bad.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use postfax_domain::{
        audit::{Asker, Door},
        authority::Who,
        settings::{Held, Name, Settings, State, Value},
        time::Timestamp,
    };

    use super::*;
    use crate::store::Store;

    fn settings(number: i64) -> Settings {
        Settings([(Name::of_line("ttyFAX0", "rings"), Value::Number(number))].into())
    }

    fn change(server: &str, record: &Record, is_new: bool) -> Change {
        Change::Settings {
            server: ServerName::new(server).unwrap(),
            new: is_new.then(|| Box::new(record.latest().clone())),
            standing: Box::new(record.standing().clone()),
        }
    }

    #[tokio::test]
    async fn what_was_committed_is_there_in_the_next_life_and_old_versions_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let by = Asker { who: Who::Administrator, door: Door::Socket, from: "uid 0".into() };
        let held = Held { settings: settings(0), lines: vec!["ttyFAX0".into()], at: Timestamp(5) };
        let mut record = Record::adopt(held, by.clone());
        let mut store = Store::open(folder.path()).await.unwrap();
        let mut round = vec![change("a", &record, true), change("b", &record, true)];
        for number in 1..=i64::try_from(MAX_VERSIONS).unwrap() + 3 {
            record.register(settings(number), by.clone(), "why".into(), Timestamp(number));
            round.push(change("a", &record, true));
        }
        store.commit(&round, Timestamp(0)).await.unwrap();
        record.pushed(record.latest().number, Ok(record.latest().settings.clone()), Timestamp(9));
        store.commit(&[change("a", &record, false)], Timestamp(0)).await.unwrap();
        drop(store);
        let mut store = Store::open(folder.path()).await.unwrap();
        let saved = store.saved(Timestamp(0), std::time::Duration::ZERO).await.unwrap();
        let restored = &saved.settings[&ServerName::new("a").unwrap()];
        assert_eq!(restored, &record);
        assert_eq!(restored.versions().count(), MAX_VERSIONS);
        assert_eq!(restored.state(), &State::Applied { at: Timestamp(9) });
        assert_eq!(saved.settings.len(), 2);
    }

    #[tokio::test]
    async fn a_version_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let by = Asker { who: Who::Administrator, door: Door::Socket, from: "uid 0".into() };
        let adopted = |number| {
            let held = Held { settings: settings(number), lines: vec![], at: Timestamp(5) };
            Record::adopt(held, by.clone())
        };
        let mut store = Store::open(folder.path()).await.unwrap();
        for number in [1, 1, 2] {
            store.commit(&[change("a", &adopted(number), true)], Timestamp(0)).await.unwrap();
        }
        let saved = store.saved(Timestamp(0), std::time::Duration::ZERO).await.unwrap();
        let record = &saved.settings[&ServerName::new("a").unwrap()];
        assert_eq!(record.latest().settings, settings(1));
    }
}
