//! Checks the rules: where faxes go out, where received ones go, and when a failed
//! one is tried again.

use std::{collections::BTreeMap, time::Duration};

use postfax_domain::{
    dial::{DialRule, Party, Verdict},
    names::{ClientName, ServerName},
    number::Pattern,
    outcome::TABLE,
    retry::{RetryRules, Rule},
    route::{Hours, Route},
    setup::{Client, Server},
};

use super::{
    address::{self, Wrong},
    check::Check,
    findings::Placed,
    raw,
    read::Entry,
    suggest,
};

const LONGEST_DELAY_S: u64 = 7 * 24 * 3600;
const MOST_TRIES: u64 = 1000;

impl Check<'_> {
    pub(super) fn dial_rules(&mut self, raw: &[raw::Dial]) -> Vec<DialRule> {
        let mut rules: Vec<DialRule> = Vec::new();
        for dial in raw {
            let to = self.required(&dial.to, &dial.place, "to", "\"+33*\"");
            let pattern = self.numbers_meant(to);
            let everyone = matches!(dial.from, Entry::Absent);
            let parties = dial.from.given().map_or(&[][..], |list| &list.value);
            let from: Vec<Party> = parties.iter().filter_map(|party| self.party(party)).collect();
            if dial.from.given().is_some_and(|list| list.value.is_empty()) {
                let help = "leave the key out to mean everyone";
                self.findings.error(&dial.place, "from names nobody", help);
            }
            let verdict = self.verdict(dial);
            let (Some(to), Some(pattern), Some(verdict)) = (to, pattern, verdict) else { continue };
            let earlier = rules
                .iter()
                .position(|rule| rule.from.is_empty() && rule.to.matches(pattern.as_str()));
            if let Some(earlier) = earlier {
                let message = format!("rule {} decides before this one ever can", earlier + 1);
                self.findings.warn(
                    &to.place,
                    message,
                    "the first match decides: put this one first",
                );
            }
            // A rule that has lost its senders to a mistake must not mean everyone.
            if everyone || !from.is_empty() {
                rules.push(DialRule { to: pattern, from, verdict });
            }
        }
        rules
    }

    fn verdict(&mut self, raw: &raw::Dial) -> Option<Verdict> {
        match (&raw.via, &raw.refuse) {
            (Entry::Given(via), Entry::Absent) => {
                if via.value.is_empty() {
                    let help = "name servers, or say why with refuse = \"...\"";
                    self.findings.error(&via.place, "via names no server", help);
                }
                let servers = via.value.iter().filter_map(|name| self.server_named(name));
                Some(Verdict::Via(servers.collect()))
            }
            (Entry::Absent, Entry::Given(why)) => {
                if why.value.trim().is_empty() {
                    let help = "write what the sender is to read";
                    self.findings.error(&why.place, "the refusal says nothing", help);
                }
                Some(Verdict::Refuse(why.value.clone()))
            }
            (Entry::Absent, Entry::Absent) => {
                let help = "add via = [\"server\"] or refuse = \"reason\"";
                self.findings.error(&raw.place, "this rule says nothing", help);
                None
            }
            (_, Entry::Given(why)) => {
                let help = "leave one of the two out";
                self.findings.error(&why.place, "this rule has both via and refuse", help);
                None
            }
            _ => None,
        }
    }

    fn party(&mut self, written: &Placed<String>) -> Option<Party> {
        match written.value.strip_prefix("group:") {
            Some(group) => {
                let group = Placed { value: group.to_owned(), place: written.place.clone() };
                self.group_named(&group).map(Party::Group)
            }
            None => self.client_named(written).map(Party::Client),
        }
    }

    pub(super) fn routes(
        &mut self,
        raw: &[raw::Route],
        clients: &BTreeMap<ClientName, Client>,
        servers: &BTreeMap<ServerName, Server>,
    ) -> Vec<Route> {
        raw.iter().map(|route| self.route(route, clients, servers)).collect()
    }

    fn route(
        &mut self,
        raw: &raw::Route,
        clients: &BTreeMap<ClientName, Client>,
        servers: &BTreeMap<ServerName, Server>,
    ) -> Route {
        let text = |entry: &Entry<String>| entry.given().map(|text| Pattern::new(&text.value));
        let server = raw.server.given().and_then(|name| self.server_named(name));
        let group = raw.group.given().and_then(|name| self.group_named(name));
        let written = self.required(&raw.to, &raw.place, "to", "[\"anna\"]");
        let receivers = written.map_or(&[][..], |list| &list.value);
        if written.is_some_and(|list| list.value.is_empty()) {
            let help = "name at least one client";
            self.findings.error(&raw.place, "this route leads to nobody", help);
        }
        let served = |client: &Client| match &server {
            Some(server) => {
                servers.get(server).is_none_or(|s| !s.groups.is_disjoint(&client.groups))
            }
            None => true,
        };
        let mut to = Vec::new();
        for receiver in receivers {
            let Some(name) = self.client_named(receiver) else { continue };
            if let Some(client) = clients.get(&name) {
                self.needs_mailbox(receiver, client);
                if !served(client) {
                    let message = format!(
                        "\"{name}\" shares no group with this server: it gets nothing by this route"
                    );
                    self.findings.warn(&receiver.place, message, "put both into one group");
                }
            }
            to.push(name);
        }
        Route {
            called: self.numbers_meant(raw.called.given()),
            from_number: self.numbers_meant(raw.from_number.given()),
            tsi: text(&raw.tsi),
            subaddress: text(&raw.subaddress),
            code: text(&raw.code),
            server,
            line: text(&raw.line),
            group,
            hours: self.hours(&raw.hours),
            to,
        }
    }

    fn hours(&mut self, raw: &Entry<String>) -> Option<Hours> {
        self.parsed(raw.given(), |text| {
            let help = "days are Mo Tu We Th Fr Sa Su, times are 00:00 to 24:00";
            text.parse().map_err(|why: String| Wrong::new(why, help))
        })
    }

    fn numbers_meant(&mut self, written: Option<&Placed<String>>) -> Option<Pattern> {
        // Without a country a national number cannot be judged.
        let country = self.country?;
        self.parsed(written, |text| address::number_pattern(text, country))
    }

    pub(super) fn retry_rules(&mut self, raw: &BTreeMap<String, raw::Retry>) -> RetryRules {
        let names: Vec<String> = TABLE.iter().map(|row| row.outcome.name()).collect();
        let mut rules = BTreeMap::new();
        for (name, retry) in raw {
            let Some(row) = TABLE.iter().find(|row| row.outcome.name() == *name) else {
                let help = suggest::instead(name, "outcome", names.iter().map(String::as_str));
                self.findings.error(&retry.place, format!("there is no outcome \"{name}\""), help);
                continue;
            };
            let delay = self.count(&retry.delay_s, row.delay_s, 0..=LONGEST_DELAY_S);
            let tries = match retry.tries {
                Entry::Absent => row.tries,
                _ => self.small(&retry.tries, 1, 1..=MOST_TRIES),
            };
            let rule = Rule { delay: Duration::from_secs(delay), tries };
            rules.insert(name.clone(), rule);
        }
        RetryRules(rules)
    }
}
