//! The promises about settings, for drivers that have a schema.

use postfax_domain::settings::{Change, Key, Kind, Level, Name, Schema, Settings, Value};

use super::{Failure, Suite};
use crate::driver::SettingsError;

impl Suite<'_> {
    /// A number of the whole server and one of a line, each with its range.
    fn two_numbers(
        &self,
        schema: &Schema,
        settings: &Settings,
    ) -> Result<[(Name, i64, i64); 2], Failure> {
        let number =
            |key: &&Key, level| key.level == level && matches!(key.kind, Kind::Number { .. });
        let of = |level| {
            let key = schema.keys.iter().find(|key| number(key, level));
            key.ok_or_else(|| self.failure(format!("the schema has no number for {level:?}")))
        };
        let lines = settings.lines();
        let line = lines.first().ok_or_else(|| self.failure("no line has a setting"))?;
        let (server, of_line) = (of(Level::Server)?, of(Level::Line)?);
        let ranged = |name: Name, key: &Key| match key.kind {
            Kind::Number { min, max, .. } => (name, min, max),
            _ => (name, 0, 0),
        };
        Ok([
            ranged(Name::of_server(server.name), server),
            ranged(Name::of_line(line, of_line.name), of_line),
        ])
    }

    async fn holds(&self) -> Result<Settings, Failure> {
        self.within(self.driver.settings(self.bench.safe)).await
    }

    async fn within<T>(
        &self,
        request: impl Future<Output = Result<T, SettingsError>>,
    ) -> Result<T, Failure> {
        let limit = std::time::Duration::from_secs(super::REQUEST_LIMIT_S);
        match tokio::time::timeout(limit, request).await {
            Ok(answer) => answer.map_err(|error| self.failure(error)),
            Err(_) => Err(self.failure("a request took too long")),
        }
    }

    /// Settings are read, and each is one of the schema.
    pub(super) async fn settings_are_read(&self, schema: &Schema) -> Result<(), Failure> {
        let settings = self.holds().await?;
        self.check(!settings.lines().is_empty(), "no line has a setting")?;
        for name in settings.0.keys() {
            schema.key(name).map_err(|error| self.failure(error))?;
        }
        let again = self.holds().await?;
        self.check(again == settings, "it reads otherwise the second time")
    }

    /// A change with one value that cannot be is refused as a whole.
    pub(super) async fn bad_values_are_refused(&self, schema: &Schema) -> Result<(), Failure> {
        let before = self.holds().await?;
        let [(good, _, most), (bad, least, _)] = self.two_numbers(schema, &before)?;
        for (name, value) in [
            (bad.clone(), Value::Number(least - 1)),
            (bad.clone(), Value::Text("many".into())),
            (Name::of_server("no_such_key"), Value::Flag(true)),
            (Name::of_line("no-such-line", &bad.key), Value::Number(least)),
        ] {
            let changes =
                [change(&before, &good, Some(most)), Change { name, from: None, to: Some(value) }];
            match self.driver.set(&changes, self.bench.safe).await {
                Err(SettingsError::Undone(_)) => {}
                other => return Err(self.failure(format!("{}: {other:?}", changes[1].name))),
            }
        }
        let after = self.holds().await?;
        self.check(after == before, format!("{:?}", before.differences(&after)))
    }

    /// What is set is held, and what is unset is not.
    pub(super) async fn settings_are_set(&self, schema: &Schema) -> Result<(), Failure> {
        let before = self.holds().await?;
        let numbers = self.two_numbers(schema, &before)?;
        let set: Vec<Change> =
            numbers.iter().map(|(name, _, most)| change(&before, name, Some(*most))).collect();
        let unset: Vec<Change> =
            numbers.iter().map(|(name, ..)| change(&before, name, None)).collect();
        for changes in [set, unset] {
            let wanted = before.with(changes.iter().map(|c| (c.name.clone(), c.to.clone())));
            let said = self.within(self.driver.set(&changes, self.bench.safe)).await?;
            self.check(said == wanted, format!("{:?}", wanted.differences(&said)))?;
            let holds = self.holds().await?;
            self.check(holds == wanted, format!("{:?}", wanted.differences(&holds)))?;
        }
        let back = self.holds().await?.differences(&before);
        let said = self.within(self.driver.set(&back, self.bench.safe)).await?;
        self.check(said == before, format!("{:?}", before.differences(&said)))
    }
}

fn change(settings: &Settings, name: &Name, to: Option<i64>) -> Change {
    let from = settings.get(name).cloned();
    Change { name: name.clone(), from, to: to.map(Value::Number) }
}
