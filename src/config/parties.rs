//! Checks who takes part: groups, clients with their authority, and whether they can
//! reach each other at all.

use std::collections::{BTreeMap, BTreeSet};

use postfax_domain::{
    authority::{Grant, Role, Scope, Verb},
    names::{BadName, ClientName, GroupName, RoleName, ServerName},
    number::Pattern,
    setup::{Client, Format, Group, Receipts, Receive, Server},
};

use super::{
    Letters,
    address::{self, Wrong},
    check::Check,
    findings::{Place, Placed},
    raw::{self, Raw},
    read::Entry,
};

const FORMATS: &[(&str, Format)] =
    &[("pdf", Format::Pdf), ("tiff", Format::Tiff), ("both", Format::Both)];
const RECEIPTS: &[(&str, Receipts)] =
    &[("always", Receipts::Always), ("failures", Receipts::Failures)];

/// Clients by name, and where each is declared.
type Clients = BTreeMap<ClientName, Client>;

impl Check<'_> {
    pub(super) fn groups(
        &mut self,
        raw: &[raw::Group],
        clients: &Clients,
    ) -> BTreeMap<GroupName, Group> {
        let mut groups = BTreeMap::new();
        for group in raw {
            let name = self.required(&group.name, &group.place, "name", "\"london\"");
            let name = self.named(name, GroupName::new);
            let operator = group.operator.given();
            let named = operator.and_then(|operator| self.client_named(operator));
            if let (Some(written), Some(client), Some(group)) = (operator, &named, &name) {
                self.operator(written, clients.get(client), group);
            }
            if let Some(name) = name {
                let quota = self.quota(&group.quota);
                groups.insert(name, Group { operator: named, quota });
            }
        }
        groups
    }

    fn operator(&mut self, written: &Placed<String>, client: Option<&Client>, group: &GroupName) {
        // A client that could not be read was reported itself.
        let Some(client) = client else { return };
        if !client.groups.contains(group) {
            let message = format!("the operator \"{}\" is not in the group", written.value);
            let help = format!("add \"{group}\" to the groups of the client \"{}\"", written.value);
            self.findings.error(&written.place, message, help);
        }
        self.needs_mailbox(written, client);
    }

    /// Reports a client that is to get faxes and has no address for them.
    pub(super) fn needs_mailbox(&mut self, written: &Placed<String>, client: &Client) {
        if client.mailbox().is_none() && !client.mail.is_empty() {
            let message = format!("\"{}\" has no mailbox, only patterns of senders", written.value);
            let help = format!("add one full address to mail of the client \"{}\"", written.value);
            self.findings.error(&written.place, message, help);
        }
    }

    pub(super) fn clients(
        &mut self,
        raw: &[raw::Client],
        own: &raw::Supervisor,
        letters: &Letters,
    ) -> Clients {
        let own = own.domain.given().map(|domain| domain.value.to_ascii_lowercase());
        let mut owners: Vec<(Pattern, &Placed<String>, &str)> = Vec::new();
        let mut clients = BTreeMap::new();
        for client in raw {
            let name = self.required(&client.name, &client.place, "name", "\"anna\"");
            let mail = self.mail(client, own.as_deref());
            let by = name.map_or("", |name| name.value.as_str());
            for (pattern, written) in &mail {
                self.owned_once(&owners, pattern, written, by);
            }
            owners.extend(mail.iter().map(|(pattern, written)| (pattern.clone(), *written, by)));
            let groups = self.group_list(&client.groups);
            let grants = self.grants(&client.roles);
            let receive = self.receive(&client.receive, letters);
            let receipts = self.choice(client.receipts.given(), RECEIPTS).unwrap_or_default();
            let quota = self.quota(&client.quota);
            if let Some(name) = self.named(name, ClientName::new) {
                let mail = mail.into_iter().map(|(pattern, _)| pattern).collect();
                // Of two with one name, which was reported, the first counts.
                let client = Client { mail, groups, grants, receive, receipts, quota };
                clients.entry(name).or_insert(client);
            }
        }
        clients
    }

    fn mail<'r>(
        &mut self,
        client: &'r raw::Client,
        own: Option<&str>,
    ) -> Vec<(Pattern, &'r Placed<String>)> {
        let example = "[\"anna@example.com\"]";
        let Some(mail) = self.required(&client.mail, &client.place, "mail", example) else {
            return Vec::new();
        };
        if mail.value.is_empty() {
            let help = format!("write mail = {example}");
            self.findings.error(&mail.place, "a client needs an address that it sends from", help);
        }
        let mut patterns = Vec::new();
        for written in &mail.value {
            let Some(pattern) = self.parsed(Some(written), address::mail_pattern) else { continue };
            let host = pattern.as_str().rsplit_once('@').map(|(_, host)| host);
            if host.is_some() && host == own {
                let message =
                    format!("\"{}\" is an address of the fax domain itself", written.value);
                let help = "write the address of the client's own mailbox";
                self.findings.error(&written.place, message, help);
                continue;
            }
            patterns.push((pattern, written));
        }
        patterns
    }

    fn owned_once(
        &mut self,
        owners: &[(Pattern, &Placed<String>, &str)],
        pattern: &Pattern,
        written: &Placed<String>,
        by: &str,
    ) {
        let is_pattern = |pattern: &Pattern| pattern.as_str().contains('*');
        for (other, place, owner) in owners.iter().filter(|(_, _, owner)| *owner != by) {
            let first = self.findings.whereabouts(&place.place);
            if other == pattern {
                let message = format!("\"{}\" belongs to two clients", written.value);
                let help = format!("\"{owner}\" has it at {first}: leave one of the two out");
                self.findings.error(&written.place, message, help);
            } else if is_pattern(other)
                && is_pattern(pattern)
                && (other.matches(pattern.as_str()) || pattern.matches(other.as_str()))
            {
                let message = format!(
                    "\"{}\" and \"{}\" fit the same senders",
                    written.value,
                    other.as_str()
                );
                let help = format!(
                    "the other is of \"{owner}\" at {first}: the first name in the alphabet wins"
                );
                self.findings.warn(&written.place, message, help);
            }
        }
    }

    fn receive(&mut self, raw: &raw::Receive, letters: &Letters) -> Receive {
        let default = Receive::default();
        let language = self.language(raw.language.given(), &letters.languages);
        Receive {
            format: self.choice(raw.format.given(), FORMATS).unwrap_or(default.format),
            language: language.unwrap_or_else(|| letters.language.clone()),
            text: self.text_layer(&raw.text),
            trim: self.trim(&raw.trim),
        }
    }

    fn grants(&mut self, raw: &Entry<Vec<Placed<String>>>) -> Vec<Grant> {
        let list = raw.given().map_or(&[][..], |list| &list.value);
        list.iter().filter_map(|written| self.grant(written)).collect()
    }

    fn grant(&mut self, written: &Placed<String>) -> Option<Grant> {
        let (role, scope) = self.parsed(Some(written), |text| {
            let message = format!("\"{text}\" does not say where the role holds");
            let help = format!("write {text}@group:NAME, {text}@server:NAME or {text}@supervisor");
            text.split_once('@').ok_or_else(|| Wrong::new(message, help)).map(owned)
        })?;
        let part = |value: &str| Placed { value: value.to_owned(), place: written.place.clone() };
        let role = self.role_named(&part(&role));
        let scope = self.parsed(Some(&part(&scope)), |text| {
            let help = "write ROLE@group:NAME, ROLE@server:NAME or ROLE@supervisor";
            text.parse::<Scope>().map_err(|why| Wrong::new(why, help))
        })?;
        match &scope {
            Scope::Server(name) => drop(self.server_named(&part(name.as_str()))?),
            Scope::Group(name) => drop(self.group_named(&part(name.as_str()))?),
            Scope::Supervisor => {}
        }
        Some(Grant { role: role?, scope })
    }

    pub(super) fn roles(&mut self, raw: &[raw::Role]) -> BTreeMap<RoleName, Role> {
        let mut roles = BTreeMap::new();
        for role in raw {
            let name = self.required(&role.name, &role.place, "name", "\"branch-admin\"");
            let name = self.named(name, RoleName::new);
            let may = self.required(&role.may, &role.place, "may", "[\"settings.read\"]");
            let verbs = may.map_or(&[][..], |may| &may.value);
            let may = verbs.iter().filter_map(|verb| self.verb(verb)).collect();
            if let Some(name) = name {
                roles.insert(name, Role { may });
            }
        }
        roles
    }

    fn verb(&mut self, written: &Placed<String>) -> Option<Verb> {
        let verbs: Vec<(&str, Verb)> = Verb::ALL.iter().map(|v| (v.as_str(), *v)).collect();
        self.choice(Some(written), &verbs)
    }

    pub(super) fn group_list(&mut self, raw: &Entry<Vec<Placed<String>>>) -> BTreeSet<GroupName> {
        let list = raw.given().map_or(&[][..], |list| &list.value);
        list.iter().filter_map(|name| self.group_named(name)).collect()
    }

    /// A name that can be used.
    pub(super) fn named<T>(
        &mut self,
        name: Option<&Placed<String>>,
        new: impl FnOnce(&str) -> Result<T, BadName>,
    ) -> Option<T> {
        self.parsed(name, |text| {
            let help = "names are 1 to 64 letters, digits, '-', '_' and '.'";
            new(text).map_err(|bad| Wrong::new(bad.to_string(), help))
        })
    }

    /// Warns of what is set up and can do nothing.
    pub(super) fn members(
        &mut self,
        raw: &Raw,
        clients: &Clients,
        servers: &BTreeMap<ServerName, Server>,
    ) {
        // A mistake elsewhere may be why somebody has no group.
        if self.findings.failed() {
            return;
        }
        let served: BTreeSet<&GroupName> = servers.values().flat_map(|s| &s.groups).collect();
        for client in &raw.client {
            let name = client.name.given().and_then(|name| ClientName::new(&name.value).ok());
            let Some(known) = name.and_then(|name| clients.get(&name)) else { continue };
            if !known.groups.iter().any(|group| served.contains(group)) {
                let place = client.groups.given().map_or(&client.place, |groups| &groups.place);
                let message =
                    "this client shares no group with any server: it can neither send nor receive";
                self.findings.warn(place, message, "put it into a group that a server is in");
            }
        }
        let top = Place::default();
        for (none, what, help) in [
            (raw.listener.is_empty(), "there is no [[listener]]: no mail can come in", "add one"),
            (raw.server.is_empty(), "there is no [[server]]: no fax can go out", "add one"),
            (raw.client.is_empty(), "there is no [[client]]: nobody may send", "add one"),
        ] {
            if none {
                self.findings.warn(&top, what, help);
            }
        }
    }
}

fn owned((a, b): (&str, &str)) -> (String, String) {
    (a.to_owned(), b.to_owned())
}
