//! How the configuration looks, and how changes of it are asked for.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::moment;
use crate::{
    config::{Found, Set, Text},
    requests::Line,
};

/// What is to be said of the configuration that is in force now.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Reloaded {
    pub(in crate::http) said: String,
}

/// Which key.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ConfigKey {
    /// The key, as problems name it.
    #[param(example = "client.anna.mail")]
    pub(in crate::http) key: String,
}

/// Which versions are compared.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct VersionsAsked {
    /// The older one.
    #[param(minimum = 1, example = 1)]
    pub(in crate::http) from: u64,
    /// The newer one; the last one when it is absent.
    #[param(minimum = 1)]
    pub(in crate::http) to: Option<u64>,
}

/// All that a version says.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct TextsView {
    /// The version.
    pub(in crate::http) version: u64,
    /// The main file first.
    files: Vec<FileView>,
}

/// One file.
#[derive(Debug, Serialize, ToSchema)]
struct FileView {
    #[schema(example = "/etc/postfax/postfax.toml")]
    file: String,
    /// TOML.
    text: String,
}

impl TextsView {
    pub(in crate::http) fn new(version: u64, texts: Vec<Text>) -> Self {
        let file = |text: Text| FileView { file: text.file.display().to_string(), text: text.text };
        Self { version, files: texts.into_iter().map(file).collect() }
    }
}

/// What stands under a key.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct FoundView {
    /// The last version.
    version: u64,
    /// Where it stands, and what.
    found: Vec<PlaceView>,
}

/// What stands at a place.
#[derive(Debug, Serialize, ToSchema)]
struct PlaceView {
    #[schema(example = "client.anna.mail")]
    key: String,
    file: String,
    /// What is written, in TOML.
    #[schema(example = "[\"anna@example.com\"]")]
    toml: String,
}

impl FoundView {
    pub(in crate::http) fn new(version: u64, found: Vec<Found>) -> Self {
        let place = |found: Found| PlaceView {
            key: found.key,
            file: found.file.display().to_string(),
            toml: found.toml,
        };
        Self { version, found: found.into_iter().map(place).collect() }
    }
}

/// Keys that are to be changed, one after the other.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct KeyChanges {
    /// The keys.
    #[schema(min_items = 1)]
    changes: Vec<KeyChange>,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub(in crate::http) reason: String,
}

/// One key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyChange {
    /// The key, as problems name it.
    #[schema(example = "limits.max_pages")]
    key: String,
    /// What it is to say, in TOML; without it the key goes.
    #[schema(example = "300")]
    value: Option<String>,
}

impl KeyChanges {
    /// The changes.
    pub(in crate::http) fn sets(self) -> Vec<Set> {
        sets(self.changes)
    }
}

fn sets(changes: Vec<KeyChange>) -> Vec<Set> {
    changes.into_iter().map(|KeyChange { key, value }| Set { key, value }).collect()
}

/// The new text of a file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct FileText {
    /// The file, as the configuration names it or relative to its folder.
    #[schema(example = "postfax.toml")]
    file: String,
    /// All that it is to say.
    text: String,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub(in crate::http) reason: String,
}

impl FileText {
    /// The file and its text.
    pub(in crate::http) fn text(self) -> Text {
        Text { file: self.file.into(), text: self.text }
    }
}

/// What is to be checked, and not done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Check {
    /// Keys that would be changed; then no file is named.
    changes: Option<Vec<KeyChange>>,
    /// A file whose text would be replaced.
    file: Option<String>,
    /// That text.
    text: Option<String>,
}

/// What a check is about.
pub(in crate::http) enum Checked {
    /// Keys.
    Keys(Vec<Set>),
    /// A file.
    File(Text),
}

impl Check {
    /// What is meant; `None` when that is not clear.
    pub(in crate::http) fn meant(self) -> Option<Checked> {
        match (self.changes, self.file, self.text) {
            (Some(changes), None, None) => Some(Checked::Keys(sets(changes))),
            (None, Some(file), Some(text)) => Some(Checked::File(Text { file: file.into(), text })),
            _ => None,
        }
    }
}

/// The configuration was changed and is in force, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ChangedView {
    /// The new version; absent when nothing was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) version: Option<u64>,
    /// What differs, as a unified diff.
    pub(in crate::http) diff: String,
    /// What is to be said of it.
    pub(in crate::http) said: String,
}

/// Where two versions differ.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct DiffView {
    /// A unified diff; empty when nothing differs.
    pub(in crate::http) diff: String,
}

/// A page of the versions of the configuration.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ConfigVersions {
    /// Newest first.
    pub(in crate::http) versions: Vec<ConfigVersion>,
    /// The next page is `before` this one; absent where there is none. That page may be
    /// empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) next: Option<u64>,
}

/// A version of the configuration.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ConfigVersion {
    number: u64,
    #[schema(format = DateTime)]
    at: String,
    /// Who made it.
    #[schema(example = "anna")]
    author: String,
    /// Why.
    reason: String,
}

impl From<Line> for ConfigVersion {
    fn from(line: Line) -> Self {
        let Line { number, at, author, reason } = line;
        Self { number, at: moment(at), author, reason }
    }
}
