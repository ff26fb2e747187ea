//! The settings of the fax servers, as the supervisor keeps them: what can be asked of
//! them, when a version is brought to its server, and what follows from reading one back.
//! Who may ask was decided before.
//!
//! At most one version is on its way to a server at a time, and it is the newest one
//! when it leaves. What is on its way is not durable: a new life begins again with
//! what is pending.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Answer, Change, SettingsStatus, Supervisor, Unread};
use crate::{
    audit::{Asker, Door},
    authority::Who,
    job::{Alarm, Tried},
    names::ServerName,
    settings::{
        BadSetting, Held, MAX_REASON_CHARS, Name, NotPushed, NotTaken, Record, Schema, Settings,
        State, Value, Version,
    },
    time::Timestamp,
    webhook::Event,
};

/// Changes that an alarm lists.
const MAX_CHANGES_TOLD: usize = 20;

/// The servers that can be set, and what is registered for each.
#[derive(Debug, Default)]
pub(super) struct Registry {
    schemas: BTreeMap<ServerName, &'static Schema>,
    records: BTreeMap<ServerName, Record>,
    /// The servers to which a version is on its way.
    pushing: BTreeSet<ServerName>,
    /// The servers that are there and cannot be read.
    unread: BTreeMap<ServerName, Unread>,
}

/// What is asked about the settings of a server.
#[derive(Debug, Clone)]
pub struct SettingsRequest {
    /// Which server.
    pub server: ServerName,
    /// Who asks.
    pub by: Asker,
    /// What.
    pub what: AskSettings,
}

/// What is asked about settings.
#[derive(Debug, Clone)]
pub enum AskSettings {
    /// What is registered, all versions of it.
    Get,
    /// A new version: the one called `base`, which must be the newest, with these changes.
    Register {
        /// The version that the author has seen; `None` says: whatever is newest.
        base: Option<u64>,
        /// What to set, or (`None`) to set no longer.
        changes: Vec<(Name, Option<Value>)>,
        /// Why.
        reason: String,
    },
    /// A new version that is like an old one.
    Rollback {
        /// The version that the author has seen.
        base: Option<u64>,
        /// The old one.
        to: u64,
        /// Why.
        reason: String,
    },
    /// A new version that is like what the server holds.
    Adopt {
        /// Why.
        reason: String,
    },
    /// Bring the newest version to the server again.
    Push,
}

/// What is registered for a server.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// The server.
    pub server: ServerName,
    /// What can be set there; `None` when it has left the configuration.
    pub schema: Option<&'static Schema>,
    /// The versions, and what became of the newest.
    pub record: Record,
}

/// Why nothing was done about settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsRefusal {
    /// No such server.
    #[error("there is no fax server {0}; `postfax status` lists them")]
    UnknownServer(ServerName),
    /// A server of a kind at which nothing can be set.
    #[error("nothing can be set at {0}: its kind has no settings that are known here")]
    NoSchema(ServerName),
    /// It was away since it is known.
    #[error("{0} was not read yet, since it is away: nothing is known of its settings")]
    NotRead(ServerName),
    /// Somebody was faster.
    #[error(
        "version {base} is not the newest: that is {current}, by {author}; look at it and ask again"
    )]
    Stale {
        /// The version that was seen.
        base: u64,
        /// The newest.
        current: u64,
        /// Its author.
        author: Who,
    },
    /// A new version would overwrite what was changed at the server itself.
    #[error(
        "{server} was changed by somebody else ({changes}): \
         `postfax settings adopt {server}` keeps that, `postfax settings push {server}` undoes it; \
         then ask again"
    )]
    Drifted {
        /// The server.
        server: ServerName,
        /// What was changed.
        changes: String,
    },
    /// A setting that cannot be.
    #[error(transparent)]
    Bad(#[from] BadSetting),
    /// It is registered like that.
    #[error("version {0} says that already; `postfax settings push` brings it to the server again")]
    Same(u64),
    /// No such version, or not any more.
    #[error("{server} has no version {version}; it has {first} to {last}")]
    NoSuchVersion {
        /// The server.
        server: ServerName,
        /// What was asked for.
        version: u64,
        /// The oldest that is kept.
        first: u64,
        /// The newest.
        last: u64,
    },
    /// A reason that is a book.
    #[error("the reason is longer than {MAX_REASON_CHARS} characters: say it shorter")]
    LongReason,
}

/// The supervisor as an author.
fn ourselves(server: &ServerName) -> Asker {
    let from = format!("server {server}");
    Asker { who: Who::Administrator, door: Door::Supervisor, from }
}

impl Registry {
    pub(super) fn restore(records: BTreeMap<ServerName, Record>) -> Self {
        Self { records, ..Self::default() }
    }
}

impl Supervisor {
    /// These servers can be set, and no others. Whatever was on its way went with those
    /// who carried it.
    pub(super) fn settable(
        &mut self,
        schemas: BTreeMap<ServerName, &'static Schema>,
        actions: &mut Vec<Action>,
    ) {
        self.settings.pushing.clear();
        self.settings.schemas = schemas;
        let servers: Vec<ServerName> = self.settings.schemas.keys().cloned().collect();
        for server in servers {
            self.push_pending(&server, actions);
        }
    }

    /// Brings the newest version to its server, if it is pending and none is on its way.
    pub(super) fn push_pending(&mut self, server: &ServerName, actions: &mut Vec<Action>) {
        self.push_if(server, Record::is_pending, actions);
    }

    /// A server is back: what failed for a reason that may have passed is tried again.
    pub(super) fn push_to_returned(&mut self, server: &ServerName, actions: &mut Vec<Action>) {
        self.push_if(server, |record| record.again().is_some(), actions);
    }

    /// Tries again what failed and has waited long enough.
    pub(super) fn push_again(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let is_due = |record: &Record| record.again().is_some_and(|at| at <= now);
        let due = self.settings.records.iter().filter(|(_, record)| is_due(record));
        let due: Vec<ServerName> = due.map(|(name, _)| name.clone()).collect();
        for server in due {
            self.push_if(&server, is_due, actions);
        }
    }

    fn push_if(
        &mut self,
        server: &ServerName,
        wanted: impl Fn(&Record) -> bool,
        actions: &mut Vec<Action>,
    ) {
        let settings = &mut self.settings;
        let Some(record) = settings.records.get(server).filter(|record| wanted(record)) else {
            return;
        };
        if settings.schemas.contains_key(server) && settings.pushing.insert(server.clone()) {
            let version = record.latest();
            actions.push(Action::Push {
                server: server.clone(),
                version: version.number,
                settings: version.settings.clone(),
                known: record.known(),
            });
        }
    }

    /// A push has ended; when a newer version was registered meanwhile that one follows.
    pub(super) fn pushed(
        &mut self,
        server: &ServerName,
        version: u64,
        end: Result<Settings, NotPushed>,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        self.settings.pushing.remove(server);
        let Some(record) = self.settings.records.get_mut(server) else { return };
        let end = match end {
            Ok(held) => Ok(held),
            Err(NotPushed::NotTaken(why)) => Err(why),
            Err(NotPushed::Meddled { held }) => {
                let held = Held { settings: held, at: now, ..record.held().clone() };
                return self.read_back(server, held, actions);
            }
        };
        let is_there = end != Err(NotTaken::Away);
        let before = kind_of_failure(record);
        record.pushed(version, end, now);
        actions.push(saved(server, record, false));
        let after = kind_of_failure(record).filter(|after| before.as_ref() != Some(after));
        // Told when it begins to fail, and when it is no longer tried by itself.
        if let (Some(again), State::Failed { why, .. }) = (after, record.state()) {
            let (server, why) = (server.clone(), why.clone());
            let version = record.latest().number;
            self.alarm(Alarm::NotSet { server, version, why, again }, now, actions);
        }
        if is_there {
            self.push_pending(server, actions);
        }
    }

    /// A server was read.
    pub(super) fn read_back(&mut self, server: &ServerName, held: Held, actions: &mut Vec<Action>) {
        let now = held.at;
        self.settings.unread.remove(server);
        let Some(config) = self.setup.servers.get(server) else { return };
        let on_drift = config.on_drift;
        let Some(record) = self.settings.records.get_mut(server) else {
            let record = Record::adopt(held, ourselves(server));
            actions.push(saved(server, &record, true));
            self.settings.records.insert(server.clone(), record);
            return;
        };
        let before = record.standing().clone();
        let newest = record.latest().number;
        let news = record.read_back(held, on_drift, ourselves(server));
        let (is_new, after) = (record.latest().number != newest, record.standing());
        let same_settings =
            before.held.settings == after.held.settings && before.held.lines == after.held.lines;
        // That it was read once more is worth no write.
        if is_new || !same_settings || before.state != after.state || before.told != after.told {
            actions.push(saved(server, record, is_new));
        }
        if let Some(mut changes) = news {
            changes.truncate(MAX_CHANGES_TOLD);
            self.alarm(Alarm::Drifted { server: server.clone(), changes }, now, actions);
            self.note_server(Event::Drifted, server);
        }
        self.push_pending(server, actions);
    }

    /// A server cannot be read: nobody would notice what is changed there. The postmaster is
    /// told once.
    pub(super) fn unreadable(
        &mut self,
        server: &ServerName,
        why: String,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        if let Some(known) = self.settings.unread.get_mut(server) {
            known.why = why;
            return;
        }
        self.settings.unread.insert(server.clone(), Unread { since: now, why: why.clone() });
        self.alarm(Alarm::NotRead { server: server.clone(), why }, now, actions);
    }

    pub(super) fn settings_status(&self, server: &ServerName) -> Option<SettingsStatus> {
        let record = self.settings.records.get(server)?;
        let (version, state) = (record.latest().number, record.state().clone());
        let unread = self.settings.unread.get(server).cloned();
        Some(SettingsStatus { version, state, since: record.since(), unread })
    }

    /// What the audit log says of the newest version: its number and what it changed.
    pub(super) fn registered(&self, server: &ServerName) -> Option<String> {
        let record = self.settings.records.get(server)?;
        let latest = record.latest();
        let mut said = format!("version {}", latest.number);
        let before = latest.number.checked_sub(1).and_then(|number| record.version(number));
        for change in before.map(|b| b.settings.differences(&latest.settings)).unwrap_or_default() {
            said.push_str("; ");
            said.push_str(&change.to_string());
        }
        Some(said)
    }

    pub(super) fn asked_settings(
        &mut self,
        request: SettingsRequest,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Answer {
        let server = request.server.clone();
        match self.about_settings(request, now, actions) {
            Ok(sheet) => {
                self.push_pending(&server, actions);
                Answer::Settings(Box::new(sheet))
            }
            Err(refusal) => Answer::NotSet(refusal),
        }
    }

    fn about_settings(
        &mut self,
        request: SettingsRequest,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Result<Sheet, SettingsRefusal> {
        let SettingsRequest { server, by, what } = request;
        let reads = matches!(what, AskSettings::Get);
        let known = self.setup.servers.contains_key(&server);
        let schema = self.settings.schemas.get(&server).copied().filter(|_| known);
        let record = self.settings.records.get_mut(&server);
        // The history of a server that has left is still there to be read.
        let (record, schema) = match (record, schema) {
            (Some(record), _) if reads => {
                return Ok(Sheet { server, schema, record: record.clone() });
            }
            _ if !known => return Err(SettingsRefusal::UnknownServer(server)),
            (_, None) => return Err(SettingsRefusal::NoSchema(server)),
            (None, Some(_)) => return Err(SettingsRefusal::NotRead(server)),
            (Some(record), Some(schema)) => (record, schema),
        };
        let is_new = change(record, &server, schema, by, what, now)?;
        actions.push(saved(&server, record, is_new));
        Ok(Sheet { server, schema: Some(schema), record: record.clone() })
    }
}

/// Does what was asked; whether that made a new version.
fn change(
    record: &mut Record,
    server: &ServerName,
    schema: &Schema,
    by: Asker,
    what: AskSettings,
    now: Timestamp,
) -> Result<bool, SettingsRefusal> {
    let short = |reason: String| match reason.chars().count() {
        0..=MAX_REASON_CHARS => Ok(reason),
        _ => Err(SettingsRefusal::LongReason),
    };
    match what {
        AskSettings::Get => return Ok(false),
        AskSettings::Push => {
            record.push_again(now);
            return Ok(false);
        }
        AskSettings::Register { base, changes, reason } => {
            seen(record, server, base)?;
            let changes = read(schema, changes)?;
            // Only what is set anew is checked: what the server had may be beyond our schema.
            let set =
                changes.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
            check(record, schema, &Settings(set.collect()))?;
            let settings = record.latest().settings.with(changes);
            differs(record, &settings)?;
            record.register(settings, by, short(reason)?, now);
        }
        AskSettings::Rollback { base, to, reason } => {
            seen(record, server, base)?;
            let old = record.version(to).ok_or_else(|| no_such_version(record, server, to))?;
            let settings = old.settings.clone();
            differs(record, &settings)?;
            let changed = record.latest().settings.differences(&settings).into_iter();
            let set = changed.filter_map(|change| Some((change.name, change.to?)));
            check(record, schema, &Settings(set.collect()))?;
            record.register(settings, by, short(reason)?, now);
        }
        AskSettings::Adopt { reason } => {
            differs(record, &record.held().settings)?;
            record.adopt_held(by, short(reason)?, now);
        }
    }
    Ok(true)
}

/// The values as the schema has them: people and mails write numbers as texts.
fn read(
    schema: &Schema,
    changes: Vec<(Name, Option<Value>)>,
) -> Result<Vec<(Name, Option<Value>)>, BadSetting> {
    let read = |(name, value): (Name, Option<Value>)| match value {
        Some(value) => {
            let value = schema.read(&name, &value.to_string())?;
            Ok((name, Some(value)))
        }
        None => schema.key(&name).map(|_| (name, None)),
    };
    changes.into_iter().map(read).collect()
}

/// Compare and set: nobody overwrites what they have not seen, or what others have done
/// at the server.
fn seen(record: &Record, server: &ServerName, base: Option<u64>) -> Result<(), SettingsRefusal> {
    if let State::Drifted { changes, .. } = record.state() {
        let said: Vec<String> = changes.iter().map(ToString::to_string).collect();
        return Err(SettingsRefusal::Drifted { server: server.clone(), changes: said.join(", ") });
    }
    let Version { number, author, .. } = record.latest();
    match base {
        Some(base) if base != *number => {
            Err(SettingsRefusal::Stale { base, current: *number, author: author.who.clone() })
        }
        _ => Ok(()),
    }
}

fn differs(record: &Record, settings: &Settings) -> Result<(), SettingsRefusal> {
    let latest = record.latest();
    if latest.settings == *settings { Err(SettingsRefusal::Same(latest.number)) } else { Ok(()) }
}

fn check(record: &Record, schema: &Schema, set: &Settings) -> Result<(), SettingsRefusal> {
    let held = record.held();
    let mut lines: Vec<&str> = held.lines.iter().map(String::as_str).collect();
    lines.extend(held.settings.lines());
    lines.sort_unstable();
    lines.dedup();
    Ok(schema.check_all(set, &lines)?)
}

/// The refusal of a version that is not kept.
pub fn no_such_version(record: &Record, server: &ServerName, version: u64) -> SettingsRefusal {
    let last = record.latest().number;
    let first = record.versions().next().map_or(last, |oldest| oldest.number);
    SettingsRefusal::NoSuchVersion { server: server.clone(), version, first, last }
}

/// Who tries again what has failed; `None` when nothing has.
fn kind_of_failure(record: &Record) -> Option<Tried> {
    match record.state() {
        State::Failed { again: Some(_), .. } => Some(Tried::ByItself),
        State::Failed { again: None, .. } => Some(Tried::ByHand),
        State::Applied { .. } | State::Pending | State::Drifted { .. } => None,
    }
}

fn saved(server: &ServerName, record: &Record, is_new: bool) -> Action {
    Action::Save(Change::Settings {
        server: server.clone(),
        new: is_new.then(|| Box::new(record.latest().clone())),
        standing: Box::new(record.standing().clone()),
    })
}
