//! The one fallible step from the configuration as it is written to the
//! configuration as it is used. This file has the tools of it: keys that must be
//! there, numbers within bounds, words out of a list, names that lead somewhere.
//! Each tool reports what is wrong and hands back what can be used, so that one
//! mistake does not hide the next.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
};

use postfax_domain::{
    names::{ClientName, GroupName, RoleName, ServerName},
    number::Country,
    setup::Setup,
};

use super::{
    Config,
    address::Wrong,
    findings::{Findings, Place, Placed},
    raw::Raw,
    read::Entry,
    secret::{self, Secret},
    suggest,
};

/// A check of one configuration.
pub(super) struct Check<'a> {
    pub(super) findings: &'a mut Findings,
    /// The folder of the main file; absolute.
    pub(super) home: PathBuf,
    credentials: Option<PathBuf>,
    /// How national numbers are read; absent when that itself is wrong.
    pub(super) country: Option<Country>,
    names: Names,
}

/// Every name that is declared, and where.
#[derive(Debug, Default)]
struct Names {
    groups: BTreeMap<String, Place>,
    servers: BTreeMap<String, Place>,
    clients: BTreeMap<String, Place>,
    roles: BTreeMap<String, Place>,
}

impl<'a> Check<'a> {
    /// Begins with the names, since everything else may use them.
    pub(super) fn new(
        findings: &'a mut Findings,
        home: PathBuf,
        credentials: Option<PathBuf>,
        raw: &Raw,
    ) -> Self {
        let names = Names {
            groups: declared(findings, "group", raw.group.iter().map(|g| &g.name)),
            servers: declared(findings, "server", raw.server.iter().map(|s| &s.name)),
            clients: declared(findings, "client", raw.client.iter().map(|c| &c.name)),
            roles: declared(findings, "role", raw.role.iter().map(|r| &r.name)),
        };
        Self { findings, home, credentials, country: None, names }
    }

    fn needs_tables(&mut self, raw: &Raw) {
        self.needs_table(&raw.supervisor.place, "supervisor", "domain, country and postmaster");
        self.needs_table(&raw.delivery.place, "delivery", "relay and from");
    }

    /// Checks everything. Nothing comes of it when something is wrong.
    pub(super) fn config(mut self, raw: &Raw) -> Option<Config> {
        self.needs_tables(raw);
        self.country = self.country(&raw.supervisor);
        let (supervisor, tls) = (self.supervisor(&raw.supervisor), self.tls(&raw.tls));
        let listeners = self.listeners(&raw.listener, &raw.tls);
        let delivery = self.delivery(&raw.delivery);
        let (dns, http) = (self.dns(&raw.dns), self.http(&raw.http, &raw.tls));
        let ldap = self.ldap(&raw.ldap, &raw.supervisor, &raw.tls);
        let (convert, intake) = (self.convert(&raw.convert), self.intake(&raw.limits));
        let (letters, roles) = (self.letters(&raw.letters), self.roles(&raw.role));
        let (lines_door, retry) = (self.lines_door(&raw.lines), self.retry_rules(&raw.retry));
        let (servers, access) = self.servers(&raw.server, lines_door.is_some());
        let clients = self.clients(&raw.client, &raw.supervisor, &letters);
        let (groups, dial) = (self.groups(&raw.group, &clients), self.dial_rules(&raw.dial));
        let routes = self.routes(&raw.route, &clients, &servers);
        let ((webhooks, reached), received) = (self.webhooks(&raw.webhook), self.received(raw));
        let (cover, letterheads) = self.covers(raw);
        let client_access = self.client_access(&raw.client, &raw.supervisor);
        self.members(raw, &clients, &servers);
        let (supervisor, delivery) = (supervisor?, delivery?);
        let setup = Setup {
            limits: self.job_limits(&raw.limits, delivery.connections, convert.parallel),
            domain: supervisor.domain,
            country: self.country?,
            postmaster: supervisor.postmaster,
            groups,
            servers,
            clients,
            roles,
            dial,
            routes,
            webhooks,
            retry,
        };
        Some(Config {
            setup: Arc::new(setup),
            hostname: supervisor.hostname,
            timezone: supervisor.timezone,
            state: supervisor.state,
            control_socket: supervisor.control_socket,
            listeners,
            tls,
            delivery,
            dns,
            http,
            ldap,
            lines_door,
            webhooks: reached,
            servers: access,
            access: client_access,
            intake,
            convert,
            cover,
            letterheads,
            received,
            keep_days: self.keep_days(&raw.limits),
            read_back: self.read_back(&raw.limits),
            letters,
            warnings: Vec::new(),
            files: Vec::new(),
        })
    }

    pub(super) fn needs_table(&mut self, place: &Place, name: &str, keys: &str) {
        if place.key.is_empty() {
            let place = Place { key: name.into(), ..Place::default() };
            let message = format!("the table [{name}] is missing");
            self.findings.error(&place, message, format!("add [{name}] with {keys}"));
        }
    }

    /// What a key that must be there says.
    pub(super) fn required<'r, T>(
        &mut self,
        entry: &'r Entry<T>,
        table: &Place,
        key: &str,
        example: &str,
    ) -> Option<&'r Placed<T>> {
        // A table that is not there at all was reported as a whole.
        if matches!(entry, Entry::Absent) && !table.key.is_empty() {
            self.missing(table, key, example);
        }
        entry.given()
    }

    /// Reports a key that must be there and is not.
    pub(super) fn missing(&mut self, table: &Place, key: &str, example: &str) {
        let place = Place { key: format!("{}.{key}", table.key).into(), ..table.clone() };
        let message = format!("the key \"{key}\" is missing");
        self.findings.error(&place, message, format!("add {key} = {example}"));
    }

    /// What a text means.
    pub(super) fn parsed<T>(
        &mut self,
        text: Option<&Placed<String>>,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let text = text?;
        match parse(&text.value) {
            Ok(value) => Some(value),
            Err(wrong) => {
                if wrong.secret {
                    self.findings.hide(&text.place);
                }
                self.findings.error(&text.place, wrong.message, wrong.help);
                None
            }
        }
    }

    /// A number within its bounds.
    pub(super) fn count(
        &mut self,
        entry: &Entry<u64>,
        default: u64,
        bounds: RangeInclusive<u64>,
    ) -> u64 {
        let Some(count) = entry.given() else { return default };
        if !bounds.contains(&count.value) {
            let message = format!("{} is out of bounds", count.value);
            let help = format!(
                "write a number from {} to {}; without the key it is {default}",
                bounds.start(),
                bounds.end()
            );
            self.findings.error(&count.place, message, help);
            return default;
        }
        count.value
    }

    /// A number within its bounds, where a machine word is used. Bounds are far below it.
    pub(super) fn size(
        &mut self,
        entry: &Entry<u64>,
        default: u64,
        bounds: RangeInclusive<u64>,
    ) -> usize {
        let count = self.count(entry, default, bounds);
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    /// The same for 32 bits.
    pub(super) fn small(
        &mut self,
        entry: &Entry<u64>,
        default: u64,
        bounds: RangeInclusive<u64>,
    ) -> u32 {
        u32::try_from(self.count(entry, default, bounds)).unwrap_or(u32::MAX)
    }

    /// A word out of a list.
    pub(super) fn choice<T: Copy>(
        &mut self,
        word: Option<&Placed<String>>,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let word = word?;
        let found = choices.iter().find(|(name, _)| *name == word.value);
        if found.is_none() {
            let help = suggest::instead(&word.value, "value", choices.iter().map(|(n, _)| *n));
            self.findings.error(
                &word.place,
                format!("\"{}\" is none of the values", word.value),
                help,
            );
        }
        found.map(|(_, value)| *value)
    }

    pub(super) fn group_named(&mut self, name: &Placed<String>) -> Option<GroupName> {
        known(self.findings, "group", &self.names.groups, name)?;
        GroupName::new(&name.value).ok()
    }

    pub(super) fn server_named(&mut self, name: &Placed<String>) -> Option<ServerName> {
        known(self.findings, "server", &self.names.servers, name)?;
        ServerName::new(&name.value).ok()
    }

    pub(super) fn client_named(&mut self, name: &Placed<String>) -> Option<ClientName> {
        known(self.findings, "client", &self.names.clients, name)?;
        ClientName::new(&name.value).ok()
    }

    pub(super) fn role_named(&mut self, name: &Placed<String>) -> Option<RoleName> {
        known(self.findings, "role", &self.names.roles, name)?;
        RoleName::new(&name.value).ok()
    }

    /// The secret in the file that a key names.
    pub(super) fn secret(&mut self, name: &Entry<String>) -> Option<Secret> {
        let name = name.given()?;
        let path = self.secret_path(name);
        match secret::read(&path) {
            Ok(secret) => Some(secret),
            Err(why) => {
                self.findings.error(&name.place, why, SECRET_HELP);
                None
            }
        }
    }

    /// Where a secrets file is; warns when everyone may read it.
    pub(super) fn secret_path(&mut self, name: &Placed<String>) -> PathBuf {
        let path = secret::locate(&name.value, &self.home, self.credentials.as_deref());
        if secret::is_public(&path) {
            let message = format!("everyone on this host can read {}", path.display());
            let help = format!("chmod o-rwx {}", path.display());
            self.findings.warn(&name.place, message, help);
        }
        path
    }

    /// A file beside the configuration, or anywhere when the path is absolute.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.home.join(Path::new(name))
    }
}

const SECRET_HELP: &str = "name a file of one line, relative to the folder of the configuration \
     or one of $CREDENTIALS_DIRECTORY";

/// The names of one kind of thing, and where they are; reports those that are there twice.
pub(super) fn declared<'r>(
    findings: &mut Findings,
    what: &str,
    names: impl Iterator<Item = &'r Entry<String>>,
) -> BTreeMap<String, Place> {
    let mut all: BTreeMap<String, Place> = BTreeMap::new();
    for name in names.filter_map(Entry::given) {
        if let Some(first) = all.get(&name.value) {
            let message = format!("there is a {what} \"{}\" already", name.value);
            let help = format!(
                "the first is at {}: give this one another name",
                findings.whereabouts(first)
            );
            findings.error(&name.place, message, help);
        } else {
            all.insert(name.value.clone(), name.place.clone());
        }
    }
    all
}

fn known(
    findings: &mut Findings,
    what: &str,
    all: &BTreeMap<String, Place>,
    name: &Placed<String>,
) -> Option<()> {
    if all.contains_key(&name.value) {
        return Some(());
    }
    let help = suggest::instead(&name.value, what, all.keys().map(String::as_str));
    findings.error(&name.place, format!("there is no {what} \"{}\"", name.value), help);
    None
}
