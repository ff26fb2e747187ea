//! How the settings of fax servers look, and how changes of them are asked for.

use std::collections::BTreeMap;

use postfax_domain::{
    settings::{Change, Fate, Name, Settings, State, Value},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{moment, who};
use crate::requests::settings::{Differences, Entry, Field, FieldKind, Registered, Shown, Side};

/// What a setting is set to: true or false, a whole number in the unit of its key, or a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub(in crate::http) enum Setting {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text, or one of the choices of its key.
    Text(String),
}

impl From<&Value> for Setting {
    fn from(value: &Value) -> Self {
        match value {
            Value::Flag(flag) => Self::Flag(*flag),
            Value::Number(number) => Self::Number(*number),
            Value::Text(text) => Self::Text(text.clone()),
        }
    }
}

impl From<Setting> for Value {
    fn from(setting: Setting) -> Self {
        match setting {
            Setting::Flag(flag) => Self::Flag(flag),
            Setting::Number(number) => Self::Number(number),
            Setting::Text(text) => Self::Text(text),
        }
    }
}

/// What a setting is to be set to; null when it is to be set no longer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(transparent)]
struct Wish(Option<Setting>);

/// What is to be set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct SettingsAsked {
    /// By name: `max_dials`, or `line.LINE.ecm` for one line; null to set it no longer.
    #[schema(value_type = BTreeMap<String, Wish>, example = json!({"max_dials": 3}))]
    set: BTreeMap<Name, Wish>,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub(in crate::http) reason: String,
}

impl SettingsAsked {
    /// What is to be set.
    pub(in crate::http) fn set(self) -> BTreeMap<Name, Option<Value>> {
        self.set.into_iter().map(|(name, Wish(value))| (name, value.map(Value::from))).collect()
    }
}

/// All that is to be set, as an edited text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct SettingsText {
    /// A text as `GET` has it; what is not in it is set no longer.
    pub(in crate::http) text: String,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub(in crate::http) reason: String,
}

/// Which version is to come back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Back {
    /// The old version.
    #[schema(minimum = 1)]
    pub(in crate::http) to: u64,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub(in crate::http) reason: String,
}

/// Why something is done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Reason {
    /// For the history.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub(in crate::http) reason: String,
}

/// What is compared.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Sides {
    /// The one version; the newest when it is absent.
    #[param(minimum = 1)]
    pub(in crate::http) from: Option<u64>,
    /// The other; absent it is the newest, or what the server holds when both are.
    #[param(minimum = 1)]
    pub(in crate::http) to: Option<u64>,
}

/// What became of a version.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct StateView {
    state: StateWord,
    /// Since when, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    at: Option<String>,
    /// Why the server did not take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// When it is tried again by itself, where it failed and is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    again: Option<String>,
    /// From what is registered to what the server holds, where it drifted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    drift: Vec<ChangeView>,
}

/// The same in a word.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum StateWord {
    /// The server holds it.
    Applied,
    /// It is to be brought to the server, as soon as that can be reached.
    Pending,
    /// The server did not take it.
    Failed,
    /// The server held it, and now holds something else.
    Drifted,
}

impl From<&State> for StateView {
    fn from(state: &State) -> Self {
        let plain = |state, at: Option<&Timestamp>| Self {
            state,
            at: at.map(|at| moment(*at)),
            why: None,
            again: None,
            drift: Vec::new(),
        };
        match state {
            State::Applied { at } => plain(StateWord::Applied, Some(at)),
            State::Pending => plain(StateWord::Pending, None),
            State::Failed { at, why, again } => Self {
                why: Some(why.clone()),
                again: again.map(moment),
                ..plain(StateWord::Failed, Some(at))
            },
            State::Drifted { at, changes } => {
                Self { drift: changes_of(changes), ..plain(StateWord::Drifted, Some(at)) }
            }
        }
    }
}

/// One setting that differs.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ChangeView {
    #[schema(example = "line.ttyFAX0.ecm")]
    name: String,
    /// What it was; absent when it was not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Setting>,
    /// What it is; absent when it is not set any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Setting>,
}

fn changes_of(changes: &[Change]) -> Vec<ChangeView> {
    let view = |change: &Change| ChangeView {
        name: change.name.to_string(),
        from: change.from.as_ref().map(Setting::from),
        to: change.to.as_ref().map(Setting::from),
    };
    changes.iter().map(view).collect()
}

/// What is registered for a server.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SettingsView {
    #[schema(example = "london-1")]
    server: String,
    /// The newest version, which `ETag` names.
    pub(in crate::http) version: u64,
    /// All that is set.
    settings: BTreeMap<String, Setting>,
    /// Who registered it.
    #[schema(example = "anna")]
    author: String,
    #[schema(format = DateTime)]
    at: String,
    /// Why.
    reason: String,
    state: StateView,
    /// What the server said last that it holds.
    held: BTreeMap<String, Setting>,
    /// When it said so.
    #[schema(format = DateTime)]
    held_at: String,
    /// The lines that it has.
    lines: Vec<String>,
    /// The settings as TOML with comments, to be edited and sent back by `PUT`.
    text: String,
}

impl From<Shown> for SettingsView {
    fn from(shown: Shown) -> Self {
        let all = |settings: &Settings| {
            let one = |(name, value): (&Name, &Value)| (name.to_string(), Setting::from(value));
            settings.0.iter().map(one).collect()
        };
        Self {
            server: shown.server.to_string(),
            version: shown.version.number,
            settings: all(&shown.version.settings),
            author: who(&shown.version.author),
            at: moment(shown.version.at),
            reason: shown.version.reason,
            state: StateView::from(&shown.state),
            held: all(&shown.held.settings),
            held_at: moment(shown.held.at),
            lines: shown.held.lines,
            text: shown.text,
        }
    }
}

/// What can be set at a server.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SchemaView {
    /// All keys.
    pub(in crate::http) keys: Vec<FieldView>,
}

/// One thing that can be set.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct FieldView {
    #[schema(example = "max_dials")]
    name: String,
    /// Whether each line has its own: `line.LINE.NAME`.
    of_line: bool,
    /// What it can be set to: `flag`, `number`, `text` or `choice`.
    #[schema(example = "number", pattern = "^(flag|number|text|choice)$")]
    r#type: &'static str,
    /// The same in words.
    wanted: String,
    /// Smallest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<i64>,
    /// Largest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<i64>,
    /// What the number counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    /// Most characters of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_chars: Option<usize>,
    /// The words to choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    choices: Option<Vec<String>>,
    /// What the server does when it is not set.
    default: String,
    /// What it is for.
    about: String,
}

impl From<Field> for FieldView {
    fn from(field: Field) -> Self {
        let mut view = Self {
            name: field.name,
            of_line: field.of_line,
            r#type: "flag",
            wanted: field.wanted,
            minimum: None,
            maximum: None,
            unit: None,
            max_chars: None,
            choices: None,
            default: field.default,
            about: field.about,
        };
        match field.kind {
            FieldKind::Flag => {}
            FieldKind::Number { min, max, unit } => {
                (view.r#type, view.minimum, view.maximum) = ("number", Some(min), Some(max));
                view.unit = Some(unit).filter(|unit| !unit.is_empty());
            }
            FieldKind::Text { max_chars } => {
                (view.r#type, view.max_chars) = ("text", Some(max_chars));
            }
            FieldKind::Choice(words) => (view.r#type, view.choices) = ("choice", Some(words)),
        }
        view
    }
}

/// A page of the versions of a server's settings.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SettingsVersions {
    /// Newest first.
    pub(in crate::http) versions: Vec<SettingsVersion>,
    /// The next page is `before` this one; absent where there is none. That page may be
    /// empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) next: Option<u64>,
}

/// One version, and what it changed.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SettingsVersion {
    number: u64,
    /// Who registered it.
    #[schema(example = "anna")]
    author: String,
    #[schema(format = DateTime)]
    at: String,
    /// Why.
    reason: String,
    /// From the version before it; empty for the oldest that is kept.
    changes: Vec<ChangeView>,
    fate: FateView,
}

/// What became of a version.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum FateView {
    /// It is the newest.
    Newest,
    /// The server held it, and then came another one.
    Replaced,
    /// Another one came before the server held it: it was never applied.
    Superseded,
}

impl From<Fate> for FateView {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Newest => Self::Newest,
            Fate::Replaced => Self::Replaced,
            Fate::Superseded => Self::Superseded,
        }
    }
}

impl From<Entry> for SettingsVersion {
    fn from(entry: Entry) -> Self {
        Self {
            number: entry.number,
            author: who(&entry.author),
            at: moment(entry.at),
            reason: entry.reason,
            changes: changes_of(&entry.changes),
            fate: entry.fate.into(),
        }
    }
}

/// Where two versions differ.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct DifferencesView {
    /// The one version.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    /// The other; absent when it is what the server holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<u64>,
    /// From the one to the other.
    changes: Vec<ChangeView>,
}

impl From<Differences> for DifferencesView {
    fn from(told: Differences) -> Self {
        let number = |side| match side {
            Side::Version(number) => Some(number),
            Side::Held => None,
        };
        let (from, to) = (number(told.from), number(told.to));
        Self { from, to, changes: changes_of(&told.changes) }
    }
}

/// What was registered or pushed, and what became of it so far.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RegisteredView {
    #[schema(example = "london-1")]
    server: String,
    /// The version.
    version: u64,
    state: StateView,
    /// What it changed; empty when it was only pushed again.
    changes: Vec<ChangeView>,
}

impl From<Registered> for RegisteredView {
    fn from(done: Registered) -> Self {
        Self {
            server: done.server.to_string(),
            version: done.version,
            state: StateView::from(&done.state),
            changes: changes_of(&done.changes),
        }
    }
}
