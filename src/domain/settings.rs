//! The settings of fax servers: what can be set ([`Schema`]), what is set
//! ([`Settings`]), where two of them differ ([`Change`]), and what is registered for a
//! server ([`Record`]).
//!
//! A setting belongs to the server (`max_dials`) or to one of its lines
//! (`line.ttyFAX0.rings_before_answer`). One that is not set has the server's own
//! default. Nothing in here knows how a kind of server keeps its settings.

mod registry;
mod schema;

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use registry::{
    Fate, Held, MAX_REASON_CHARS, MAX_VERSIONS, NotPushed, NotTaken, OnDrift, Record, Standing,
    State, Version,
};
pub use schema::{BadSetting, Characters, Key, Kind, Level, Schema};

/// Longest name of a line, in bytes.
pub const MAX_LINE_NAME_BYTES: usize = 32;

/// What a setting is called: `max_dials`, or `line.ttyFAX0.rings_before_answer`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name {
    /// The line that it belongs to; `None` for the server as a whole.
    pub line: Option<String>,
    /// The key in the schema.
    pub key: String,
}

/// A text that names no setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" names no setting: write KEY, or line.LINE.KEY for one line")]
pub struct BadSettingName(pub String);

impl Name {
    /// A setting of the whole server.
    #[must_use]
    pub fn of_server(key: &str) -> Self {
        Self { line: None, key: key.to_owned() }
    }

    /// A setting of one line.
    #[must_use]
    pub fn of_line(line: &str, key: &str) -> Self {
        Self { line: Some(line.to_owned()), key: key.to_owned() }
    }
}

impl FromStr for Name {
    type Err = BadSettingName;
    fn from_str(text: &str) -> Result<Self, BadSettingName> {
        let is_key = |key: &str| {
            !key.is_empty()
                && key.bytes().all(|b| b.is_ascii_lowercase() || b"_0123456789".contains(&b))
        };
        let is_line = |line: &str| {
            (1..=MAX_LINE_NAME_BYTES).contains(&line.len())
                && line.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        let bad = || BadSettingName(text.to_owned());
        let (line, key) = match text.strip_prefix("line.") {
            Some(rest) => rest.split_once('.').map(|(l, k)| (Some(l), k)).ok_or_else(bad)?,
            None => (None, text),
        };
        if !is_key(key) || !line.is_none_or(is_line) {
            return Err(bad());
        }
        Ok(Self { line: line.map(str::to_owned), key: key.to_owned() })
    }
}

impl TryFrom<String> for Name {
    type Error = BadSettingName;
    fn try_from(text: String) -> Result<Self, BadSettingName> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.to_string()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.line {
            Some(line) => write!(f, "line.{line}.{}", self.key),
            None => f.write_str(&self.key),
        }
    }
}

/// What a setting is set to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Flag(bool),
    /// A whole number, in the unit of its key.
    Number(i64),
    /// A text, or one of the choices of its key.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(true) => f.write_str("yes"),
            Self::Flag(false) => f.write_str("no"),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// All that is set at one server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(pub BTreeMap<Name, Value>);

/// One setting that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which one.
    pub name: Name,
    /// What it was; `None` when it was not set.
    pub from: Option<Value>,
    /// What it is to be; `None` when it is no longer set.
    pub to: Option<Value>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said =
            |value: &Option<Value>| value.as_ref().map_or("(not set)".into(), Value::to_string);
        write!(f, "{}: {} -> {}", self.name, said(&self.from), said(&self.to))
    }
}

impl Settings {
    /// What one setting is set to.
    #[must_use]
    pub fn get(&self, name: &Name) -> Option<&Value> {
        self.0.get(name)
    }

    /// What has to change for these to become `other`, in the order of the names.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<Change> {
        let names: std::collections::BTreeSet<&Name> =
            self.0.keys().chain(other.0.keys()).collect();
        names
            .into_iter()
            .filter(|name| self.get(name) != other.get(name))
            .map(|name| Change {
                name: name.clone(),
                from: self.get(name).cloned(),
                to: other.get(name).cloned(),
            })
            .collect()
    }

    /// What somebody else has set: what is like it is in none of `known`, the first of
    /// which are the settings that were there.
    #[must_use]
    pub fn foreign_to(&self, known: &[Self]) -> Vec<Change> {
        let ours =
            |change: &Change| known.iter().any(|one| one.get(&change.name) == change.to.as_ref());
        let before = known.first().map(|before| before.differences(self)).unwrap_or_default();
        before.into_iter().filter(|change| !ours(change)).collect()
    }

    /// These settings with some of them set anew, or (`None`) no longer set.
    #[must_use]
    pub fn with(&self, set: impl IntoIterator<Item = (Name, Option<Value>)>) -> Self {
        let mut settings = self.clone();
        for (name, value) in set {
            match value {
                Some(value) => drop(settings.0.insert(name, value)),
                None => drop(settings.0.remove(&name)),
            }
        }
        settings
    }

    /// The lines that have settings, each once, in order.
    #[must_use]
    pub fn lines(&self) -> Vec<&str> {
        let mut lines: Vec<&str> = self.0.keys().filter_map(|name| name.line.as_deref()).collect();
        lines.dedup();
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for text in ["max_dials", "line.ttyFAX0.rings_before_answer"] {
            assert_eq!(text.parse::<Name>().unwrap().to_string(), text);
        }
        let long = format!("line.{}.ecm", "x".repeat(33));
        for bad in ["", "Max", "line.ecm", "line..ecm", "line.a/b.ecm", "line.a.", "a.b", &long] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn differences_say_what_to_change_and_changing_it_leaves_none() {
        let number = |n| Value::Number(n);
        let settings = |list: &[(&str, i64)]| {
            let pair = |(name, n): &(&str, i64)| (name.parse().unwrap(), number(*n));
            Settings(list.iter().map(pair).collect())
        };
        let old = settings(&[("a", 1), ("b", 2), ("line.x.c", 3)]);
        let new = settings(&[("a", 1), ("b", 5), ("line.y.c", 3)]);
        let changes = old.differences(&new);
        let said: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["b: 2 -> 5", "line.x.c: 3 -> (not set)", "line.y.c: (not set) -> 3"]);
        let changed = old.with(changes.into_iter().map(|change| (change.name, change.to)));
        assert_eq!(changed, new);
        assert!(changed.differences(&new).is_empty());
        assert_eq!(new.lines(), ["y"]);
    }
}
