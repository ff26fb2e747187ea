//! The configuration in the words of requests: what can be asked about it and what is
//! answered.

use postfax_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{Found, Set, Text};

/// A question about the configuration.
/// On the wire: `{"ask":"config","config":"get","key":"limits"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "config", rename_all = "kebab-case")]
pub(crate) enum AskConfig {
    /// What is written? Answered by [`ConfigReply::Found`], or by [`ConfigReply::Texts`]
    /// without a key.
    Get {
        /// The key, such as `client.anna.mail`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// Change keys. Answered by [`ConfigReply::Changed`].
    Set {
        /// The keys and what they are to say, one after the other.
        changes: Vec<Set>,
        /// On what terms.
        #[serde(flatten)]
        terms: Terms,
    },
    /// Replace the whole text of one file. Answered by [`ConfigReply::Changed`].
    Replace {
        /// The file and its new text.
        #[serde(flatten)]
        text: Text,
        /// On what terms.
        #[serde(flatten)]
        terms: Terms,
    },
    /// Which versions are there? Answered by [`ConfigReply::History`].
    History,
    /// What did a version say? Answered by [`ConfigReply::Texts`].
    Show {
        /// Its number.
        number: u64,
    },
    /// What differs between two versions? Answered by [`ConfigReply::Diff`].
    Diff {
        /// The older one.
        from: u64,
        /// The newer one; the last one when it is absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<u64>,
    },
    /// Make a new version out of an old one. Answered by [`ConfigReply::Changed`].
    Rollback {
        /// The old one.
        number: u64,
        /// On what terms.
        #[serde(flatten)]
        terms: Terms,
    },
}

impl AskConfig {
    /// Whether it changes anything, or would.
    pub(crate) fn changes(&self) -> bool {
        matches!(self, Self::Set { .. } | Self::Replace { .. } | Self::Rollback { .. })
    }

    /// What the audit log calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Get { .. } => "config.get",
            Self::Set { .. } => "config.set",
            Self::Replace { .. } => "config.replace",
            Self::History => "config.history",
            Self::Show { .. } => "config.show",
            Self::Diff { .. } => "config.diff",
            Self::Rollback { .. } => "config.rollback",
        }
    }
}

/// On what terms something is changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
    /// Only if this is still the last version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<u64>,
    /// Check it, say what would be changed, and change nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) dry_run: bool,
}

/// An answer about the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ConfigReply {
    /// What is written under a key.
    Found {
        /// The last version.
        version: u64,
        /// What stands where.
        found: Vec<Found>,
    },
    /// All that a version says.
    Texts {
        /// The version.
        version: u64,
        /// The main file first.
        texts: Vec<Text>,
    },
    /// It was changed and is in force, or would be.
    Changed {
        /// The new version; absent when nothing was changed.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
        /// What differs, as a unified diff.
        diff: String,
        /// What is to be said of it.
        said: String,
    },
    /// The versions that are kept, newest first.
    History(Vec<Line>),
    /// What differs, as a unified diff.
    Diff(String),
}

/// A version, without what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Its number.
    pub(crate) number: u64,
    /// When it was made.
    pub(crate) at: Timestamp,
    /// Who made it.
    pub(crate) author: String,
    /// Why.
    pub(crate) reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::Ask;

    #[test]
    fn the_words_on_the_wire_are_these() {
        let set = Set { key: "limits.max_pages".into(), value: Some("7".into()) };
        let terms = Terms { reason: "why".into(), version: Some(3), dry_run: true };
        for (ask, line) in [
            (AskConfig::Get { key: None }, r#"{"ask":"config","config":"get"}"#),
            (
                AskConfig::Set { changes: vec![set], terms },
                r#"{"ask":"config","config":"set","changes":[{"key":"limits.max_pages","value":"7"}],"reason":"why","version":3,"dry_run":true}"#,
            ),
            (
                AskConfig::Rollback { number: 2, terms: Terms::default() },
                r#"{"ask":"config","config":"rollback","number":2}"#,
            ),
        ] {
            let ask = Ask::Config(ask);
            assert_eq!(serde_json::to_string(&ask).unwrap(), line);
            assert_eq!(serde_json::from_str::<Ask>(line).unwrap(), ask);
        }
    }
}
