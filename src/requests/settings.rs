//! Questions about the settings of fax servers, and their answers.
//!
//! Registering waits a while for the server, so that most askers learn at once whether
//! it took what they wrote.

#[cfg(test)]
pub(crate) mod fake;
mod field;
pub(crate) mod text;

use std::{collections::BTreeMap, time::Duration};

use postfax_domain::{
    audit::Asker,
    names::ServerName,
    settings::{Change, Fate, Held, Name, State, Value, Version},
    supervisor::{
        Answer, AskSettings as Wanted, Request, SettingsRefusal, SettingsRequest, Sheet,
        no_such_version,
    },
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout_at};

pub(crate) use field::{Field, FieldKind};

use super::{
    Code, Problem, Reply,
    answer::{Desk, unexpected},
};

/// How long an asker waits for the server to take new settings.
pub(crate) const WAIT: Duration = Duration::from_secs(20);
/// Shortest time between two looks at whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A question. On the wire: `{"ask":"settings","do":"get","server":"london-1"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
// A `version` that is misspelt must not be passed over: it guards what others have set.
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum AskSettings {
    /// What is registered, and what became of it? Answered by [`Told::Sheet`].
    Get {
        /// The server.
        server: ServerName,
    },
    /// Set these. Answered by [`Told::Registered`].
    Set {
        /// The server.
        server: ServerName,
        /// The version that the author has seen; refused when there is a newer one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
        /// What to set; null to set it no longer.
        set: BTreeMap<Name, Option<Value>>,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Set what stands in this text, and nothing else. Answered by [`Told::Registered`].
    SetText {
        /// The server.
        server: ServerName,
        /// As above; else the text says it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
        /// A text such as [`Shown::text`].
        text: String,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Which versions are there? Answered by [`Told::History`].
    History {
        /// The server.
        server: ServerName,
    },
    /// Where do two of them differ? Answered by [`Told::Diff`].
    Diff {
        /// The server.
        server: ServerName,
        /// The one version; the newest when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<u64>,
        /// The other; absent it is the newest, or what the server holds when both are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<u64>,
    },
    /// Register an old version again. Answered by [`Told::Registered`].
    Rollback {
        /// The server.
        server: ServerName,
        /// The old version.
        to: u64,
        /// The version that the author has seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Register what the server holds. Answered by [`Told::Registered`].
    Adopt {
        /// The server.
        server: ServerName,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Bring what is registered to the server again. Answered by [`Told::Registered`].
    Push {
        /// The server.
        server: ServerName,
    },
}

impl AskSettings {
    /// The server that it is about.
    pub(super) fn server(&self) -> &ServerName {
        match self {
            Self::Get { server }
            | Self::Set { server, .. }
            | Self::SetText { server, .. }
            | Self::History { server }
            | Self::Diff { server, .. }
            | Self::Rollback { server, .. }
            | Self::Adopt { server, .. }
            | Self::Push { server } => server,
        }
    }

    /// Whether it changes anything.
    pub(super) fn changes(&self) -> bool {
        !matches!(self, Self::Get { .. } | Self::History { .. } | Self::Diff { .. })
    }

    /// What the audit log calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Get { .. } => "settings.get",
            Self::Set { .. } | Self::SetText { .. } => "settings.set",
            Self::History { .. } => "settings.history",
            Self::Diff { .. } => "settings.diff",
            Self::Rollback { .. } => "settings.rollback",
            Self::Adopt { .. } => "settings.adopt",
            Self::Push { .. } => "settings.push",
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Told {
    /// What is registered.
    Sheet(Shown),
    /// All versions that are kept, newest first.
    History(Vec<Entry>),
    /// Where two differ.
    Diff(Differences),
    /// What was registered or pushed, and what has become of it so far.
    Registered(Registered),
}

/// What is registered for a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    /// The server.
    pub(crate) server: ServerName,
    /// The newest version.
    pub(crate) version: Version,
    /// What became of it.
    pub(crate) state: State,
    /// What the server said last.
    pub(crate) held: Held,
    /// The same as TOML with comments, to be edited and sent back.
    pub(crate) text: String,
    /// What can be set; empty when the server has left the configuration.
    #[serde(default)]
    pub(crate) keys: Vec<Field>,
}

/// One version, and what it changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Its number.
    pub(crate) number: u64,
    /// Who registered it.
    pub(crate) author: Asker,
    /// When.
    pub(crate) at: Timestamp,
    /// Why.
    pub(crate) reason: String,
    /// From the version before it; empty for the oldest that is kept.
    pub(crate) changes: Vec<Change>,
    /// What became of it.
    pub(crate) fate: Fate,
}

/// Where two versions differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Differences {
    /// The server.
    pub(crate) server: ServerName,
    /// The one.
    pub(crate) from: Side,
    /// The other.
    pub(crate) to: Side,
    /// From the one to the other.
    pub(crate) changes: Vec<Change>,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Side {
    /// A version.
    Version(u64),
    /// What the server holds.
    Held,
}

/// What was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registered {
    /// The server.
    pub(crate) server: ServerName,
    /// The version.
    pub(crate) version: u64,
    /// What became of it so far.
    pub(crate) state: State,
    /// What it changed: before, after. Empty when it was only pushed again.
    pub(crate) changes: Vec<Change>,
}

/// Answers one question.
pub(super) async fn answer(desk: &mut Desk<'_>, question: AskSettings) -> Result<Reply, Problem> {
    let told = match question {
        AskSettings::Get { server } => {
            let sheet = ask(desk, &server, Wanted::Get).await?;
            Told::Sheet(shown(&sheet))
        }
        AskSettings::History { server } => {
            Told::History(history(&ask(desk, &server, Wanted::Get).await?))
        }
        AskSettings::Diff { server, from, to } => {
            let sheet = ask(desk, &server, Wanted::Get).await?;
            Told::Diff(differences(&sheet, from, to).map_err(refused)?)
        }
        AskSettings::Set { server, version: base, set, reason } => {
            let changes = set.into_iter().collect();
            let wanted = Wanted::Register { base, changes, reason };
            change(desk, &server, wanted).await?
        }
        AskSettings::SetText { server, version, text, reason } => {
            let sheet = ask(desk, &server, Wanted::Get).await?;
            let wanted = edited(&sheet, version, &text, reason)?;
            change(desk, &server, wanted).await?
        }
        AskSettings::Rollback { server, to, version: base, reason } => {
            change(desk, &server, Wanted::Rollback { base, to, reason }).await?
        }
        AskSettings::Adopt { server, reason } => {
            change(desk, &server, Wanted::Adopt { reason }).await?
        }
        AskSettings::Push { server } => change(desk, &server, Wanted::Push).await?,
    };
    Ok(Reply::Settings(Box::new(told)))
}

async fn ask(desk: &Desk<'_>, server: &ServerName, what: Wanted) -> Result<Sheet, Problem> {
    let request = request(desk, server, what);
    sheet(desk.ask(request).await?)
}

async fn order(desk: &mut Desk<'_>, server: &ServerName, what: Wanted) -> Result<Sheet, Problem> {
    let request = request(desk, server, what);
    sheet(desk.order(request).await?)
}

fn request(desk: &Desk<'_>, server: &ServerName, what: Wanted) -> Request {
    let by = desk.asker.clone();
    Request::Settings(Box::new(SettingsRequest { server: server.clone(), by, what }))
}

fn sheet(answer: Answer) -> Result<Sheet, Problem> {
    match answer {
        Answer::Settings(sheet) => Ok(*sheet),
        Answer::NotSet(refusal) => Err(refused(refusal)),
        other => Err(unexpected(&other)),
    }
}

fn refused(refusal: SettingsRefusal) -> Problem {
    let code = match &refusal {
        SettingsRefusal::Stale { current, .. } => {
            return Problem::stale(*current, refusal.to_string());
        }
        SettingsRefusal::UnknownServer(_) | SettingsRefusal::NoSuchVersion { .. } => {
            Code::NoSuchServer
        }
        SettingsRefusal::NoSchema(_)
        | SettingsRefusal::NotRead(_)
        | SettingsRefusal::Drifted { .. }
        | SettingsRefusal::Same(_) => Code::WrongState,
        SettingsRefusal::Bad(_) | SettingsRefusal::LongReason => Code::BadRequest,
    };
    Problem::new(code, refusal.to_string())
}

/// Has something changed, and waits for the server to have it.
async fn change(desk: &mut Desk<'_>, server: &ServerName, wanted: Wanted) -> Result<Told, Problem> {
    let deadline = Instant::now() + WAIT;
    let mut changes = desk.daemon.changes();
    let only_pushed = matches!(wanted, Wanted::Push);
    let mut sheet = order(desk, server, wanted).await?;
    let mut registered = registered(&sheet, only_pushed);
    while sheet.record.is_pending() && timeout_at(deadline, changes.changed()).await.is_ok() {
        sleep(LOOK_EVERY).await;
        changes.borrow_and_update();
        // Who may set something may know what became of it.
        let Ok(now) = ask(desk, server, Wanted::Get).await else { break };
        sheet = now;
        if sheet.record.latest().number != registered.version {
            break;
        }
        registered.state = sheet.record.state().clone();
    }
    Ok(Told::Registered(registered))
}

fn registered(sheet: &Sheet, only_pushed: bool) -> Registered {
    let latest = sheet.record.latest();
    let before = latest.number.checked_sub(1).and_then(|number| sheet.record.version(number));
    let changes = match before.filter(|_| !only_pushed) {
        Some(before) => before.settings.differences(&latest.settings),
        None => Vec::new(),
    };
    let (version, state) = (latest.number, sheet.record.state().clone());
    Registered { server: sheet.server.clone(), version, state, changes }
}

fn shown(sheet: &Sheet) -> Shown {
    Shown {
        server: sheet.server.clone(),
        version: sheet.record.latest().clone(),
        state: sheet.record.state().clone(),
        held: sheet.record.held().clone(),
        text: text::print(sheet),
        keys: sheet.schema.map_or_else(Vec::new, |s| s.keys.iter().map(Field::from).collect()),
    }
}

fn history(sheet: &Sheet) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut before: Option<&Version> = None;
    for version in sheet.record.versions() {
        let changes = before.map(|before| before.settings.differences(&version.settings));
        entries.push(Entry {
            number: version.number,
            author: version.author.clone(),
            at: version.at,
            reason: version.reason.clone(),
            changes: changes.unwrap_or_default(),
            fate: sheet.record.fate(version.number),
        });
        before = Some(version);
    }
    entries.reverse();
    entries
}

fn differences(
    sheet: &Sheet,
    from: Option<u64>,
    to: Option<u64>,
) -> Result<Differences, SettingsRefusal> {
    let (record, server) = (&sheet.record, &sheet.server);
    let newest = record.latest().number;
    let version =
        |number| record.version(number).ok_or_else(|| no_such_version(record, server, number));
    let one = version(from.unwrap_or(newest))?;
    let (side, other) = match (from, to) {
        (None, None) => (Side::Held, &record.held().settings),
        (_, to) => {
            let other = version(to.unwrap_or(newest))?;
            (Side::Version(other.number), &other.settings)
        }
    };
    Ok(Differences {
        server: server.clone(),
        from: Side::Version(one.number),
        to: side,
        changes: one.settings.differences(other),
    })
}

/// What an edited text wants changed.
fn edited(
    sheet: &Sheet,
    version: Option<u64>,
    text: &str,
    reason: String,
) -> Result<Wanted, Problem> {
    let bad = |why: String| Problem::new(Code::BadRequest, why);
    let edited = text::parse(text).map_err(|why| bad(why.to_string()))?;
    if let Some(other) = edited.server.filter(|other| *other != sheet.server) {
        let message = format!("the text has the settings of {other}, not of {}", sheet.server);
        return Err(bad(message));
    }
    let Some(base) = version.or(edited.version) else {
        return Err(bad("the text does not say which version it was: version = ...".into()));
    };
    let latest = sheet.record.latest();
    let settings = match sheet.schema {
        // A text says "3" where the schema has 3: that is no change.
        Some(schema) => {
            let typed = |(name, value): (Name, Value)| {
                let read = schema.read(&name, &value.to_string()).unwrap_or(value);
                (name, read)
            };
            edited.settings.0.into_iter().map(typed).collect()
        }
        None => edited.settings.0,
    };
    let changes = latest.settings.differences(&postfax_domain::settings::Settings(settings));
    let changes = changes.into_iter().map(|change| (change.name, change.to)).collect();
    Ok(Wanted::Register { base: Some(base), changes, reason })
}

#[cfg(test)]
mod tests;
