//! What can be set at a fax server, as those who ask are told it.

use postfax_domain::settings::{Key, Kind, Level};
use serde::{Deserialize, Serialize};

/// One thing that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Field {
    /// What it is called.
    pub(crate) name: String,
    /// Whether each line has its own: `line.LINE.NAME`.
    pub(crate) of_line: bool,
    /// What it can be set to.
    pub(crate) kind: FieldKind,
    /// The same in words.
    pub(crate) wanted: String,
    /// What the server does when it is not set, in words.
    pub(crate) default: String,
    /// What it is for.
    pub(crate) about: String,
}

/// What a key can be set to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FieldKind {
    /// Yes or no.
    Flag,
    /// A whole number.
    Number {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
        /// What it counts; may be empty.
        unit: String,
    },
    /// A text.
    Text {
        /// Most characters.
        max_chars: usize,
    },
    /// One of these words.
    Choice(Vec<String>),
}

impl From<&Key> for Field {
    fn from(key: &Key) -> Self {
        let kind = match key.kind {
            Kind::Flag => FieldKind::Flag,
            Kind::Number { min, max, unit } => FieldKind::Number { min, max, unit: unit.into() },
            Kind::Text { max_chars, .. } => FieldKind::Text { max_chars },
            Kind::Choice(words) => {
                FieldKind::Choice(words.iter().map(|word| (*word).to_owned()).collect())
            }
        };
        Self {
            name: key.name.into(),
            of_line: key.level == Level::Line,
            kind,
            wanted: key.kind.wanted(),
            default: key.default.into(),
            about: key.about.into(),
        }
    }
}
