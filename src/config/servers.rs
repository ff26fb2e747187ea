//! Checks the fax servers: how each is reached, what it answers on, whom it serves.

use std::{collections::BTreeMap, net::SocketAddr};

use postfax_domain::{
    document::{Paper, Resolution},
    names::ServerName,
    number::Number,
    settings::OnDrift,
    setup::{Server, Takes},
};

use super::{
    Kind, ServerAccess,
    address::{self, Url, Wrong},
    check::Check,
    findings::{Place, Placed},
    lines::{fingerprint, listen_address},
    raw,
    read::Entry,
};

const KINDS: &[(&str, Kind)] =
    &[("hylafax", Kind::Hylafax), ("line", Kind::Line), ("ipp", Kind::Ipp), ("mail", Kind::Mail)];
const ON_DRIFT: &[(&str, OnDrift)] =
    &[("report", OnDrift::Report), ("adopt", OnDrift::Adopt), ("push", OnDrift::Push)];
const PAPERS: &[(&str, Paper)] = &[("a4", Paper::A4), ("b4", Paper::B4), ("a3", Paper::A3)];
/// The user of a server whose URL names none.
const USER: &str = "postfax";
/// How many faxes to one number a line server has at a time, and the most that may be set.
const BATCH: u64 = 8;
const MAX_BATCH: u64 = 100;
/// Mails that an off-ramp has at a time unless said: each waits for its report.
const MAILS: u64 = 10;
/// Most characters of a station identity (T.30 5.3.6.2.4).
const MAX_STATION_ID: usize = 20;

/// A scheme that URLs of a kind may have.
struct Scheme {
    kind: Kind,
    name: &'static str,
    port: u16,
    encrypted: bool,
    example: &'static str,
}

const SCHEMES: &[Scheme] = &[
    scheme(Kind::Hylafax, "hylafax", 4559, false, "hylafax://postfax@10.1.0.5:4559"),
    scheme(Kind::Line, "line", 4580, true, "line://10.1.0.6:4580"),
    scheme(Kind::Ipp, "ipp", 631, false, "ipp://10.1.0.7/ipp/faxout"),
    scheme(Kind::Ipp, "ipps", 631, true, "ipps://10.1.0.7/ipp/faxout"),
    scheme(Kind::Mail, "smtp", 25, false, "smtp://10.1.0.8:25"),
    scheme(Kind::Mail, "smtps", 465, true, "smtps://10.1.0.8:465"),
];

const fn scheme(
    kind: Kind,
    name: &'static str,
    port: u16,
    encrypted: bool,
    example: &'static str,
) -> Scheme {
    Scheme { kind, name, port, encrypted, example }
}

impl Check<'_> {
    pub(super) fn servers(
        &mut self,
        raw: &[raw::Server],
        has_door: bool,
    ) -> (BTreeMap<ServerName, Server>, BTreeMap<ServerName, ServerAccess>) {
        let (mut servers, mut access) = (BTreeMap::new(), BTreeMap::new());
        let (mut answered, mut reached_at) = (BTreeMap::new(), BTreeMap::new());
        let mut keys = BTreeMap::new();
        for server in raw {
            let name = self.required(&server.name, &server.place, "name", "\"london-1\"");
            let name = self.named(name, ServerName::new);
            let groups = self.group_list(&server.groups);
            if groups.is_empty() && !matches!(server.groups, Entry::Bad) {
                let message = "this server is in no group: no client can use it";
                self.findings.warn(&server.place, message, "add groups = [\"...\"]");
            }
            let numbers = self.numbers(server, &mut answered);
            let is_mail = server.kind.given().is_some_and(|kind| kind.value == "mail");
            let lines = self.small(&server.lines, if is_mail { MAILS } else { 1 }, 1..=1000);
            let draining = server.draining.given().is_some_and(|flag| flag.value);
            let on_drift = self.choice(server.on_drift.given(), ON_DRIFT).unwrap_or_default();
            let takes = self.takes(server);
            let reached = self.access(server);
            self.is_reachable_line(server, has_door, &mut keys);
            if let (Some(name), Some(reached)) = (name, reached) {
                if reached.kind == Kind::Hylafax {
                    self.is_another(&name, &server.place, &reached, &mut reached_at);
                }
                let batch = self.batch(server, reached.kind);
                let server = Server { groups, numbers, lines, draining, on_drift, takes, batch };
                servers.insert(name.clone(), server);
                access.insert(name, reached);
            }
        }
        (servers, access)
    }

    /// Only a line server calls a number once at a time by itself.
    fn batch(&mut self, raw: &raw::Server, kind: Kind) -> usize {
        let able = kind == Kind::Line;
        let most = if able { MAX_BATCH } else { 1 };
        let usual = if able { BATCH } else { 1 };
        self.small(&raw.batch, usual, 1..=most) as usize
    }

    fn takes(&mut self, raw: &raw::Server) -> Takes {
        let resolutions = Resolution::ALL.map(|one| (one.as_str(), one));
        let mut takes = Takes::default();
        if let Some(list) = raw.resolutions.given() {
            let named = list.value.iter();
            takes.resolutions =
                named.filter_map(|word| self.choice(Some(word), &resolutions)).collect();
        }
        takes.paper = self.choice(raw.paper.given(), PAPERS).unwrap_or_default();
        takes
    }

    /// Two of the same would fetch the same faxes, and undo each other's settings.
    fn is_another<'r>(
        &mut self,
        name: &ServerName,
        place: &'r Place,
        reached: &ServerAccess,
        all: &mut BTreeMap<(String, u16), (ServerName, &'r Place)>,
    ) {
        let at = (reached.host.to_ascii_lowercase(), reached.port);
        if let Some((other, first)) = all.get(&at) {
            let first = self.findings.whereabouts(first);
            let message = format!(
                "the servers \"{other}\" and \"{name}\" have the same address and port: both \
                 would take the same received faxes, and undo the settings of each other"
            );
            let help = format!("\"{other}\" is at {first}: write each fax server once");
            self.findings.error(place, message, help);
        } else {
            all.insert(at, (name.clone(), place));
        }
    }

    fn numbers<'r>(
        &mut self,
        raw: &'r raw::Server,
        answered: &mut BTreeMap<Number, &'r Placed<String>>,
    ) -> Vec<Number> {
        let list = raw.numbers.given().map_or(&[][..], |list| &list.value);
        let mut numbers = Vec::new();
        for written in list {
            let Some(country) = self.country else { continue };
            let parse = |text: &str| address::number(text, country);
            let Some(number) = self.parsed(Some(written), parse) else { continue };
            if let Some(first) = answered.insert(number.clone(), written) {
                let first = self.findings.whereabouts(&first.place);
                let help =
                    format!("the other is at {first}; right where both are in one hunt group");
                self.findings.warn(&written.place, "two servers answer on this number", help);
            }
            numbers.push(number);
        }
        numbers
    }

    fn access(&mut self, raw: &raw::Server) -> Option<ServerAccess> {
        let kind = self.required(&raw.kind, &raw.place, "kind", "\"hylafax\"");
        let kind = self.choice(kind, KINDS);
        let fitting = |scheme: &&Scheme| kind.is_none_or(|kind| scheme.kind == kind);
        let fitting: Vec<&Scheme> = SCHEMES.iter().filter(fitting).collect();
        let example = fitting.first().map_or("", |scheme| scheme.example);
        let quoted = format!("\"{example}\"");
        let dials_in = raw.dials_in.given().is_some_and(|flag| flag.value);
        let url = match (&raw.url, dials_in && kind == Some(Kind::Line)) {
            (Entry::Absent, true) => Some((Url::default(), SCHEMES.first()?)),
            (url, _) => {
                let url = self.required(url, &raw.place, "url", &quoted);
                self.parsed(url, |text| server_url(text, &fitting, example))
            }
        };
        let password = self.secret(&raw.password_file);
        let admin_password = self.secret(&raw.admin_password_file);
        let poll_s = self.count(&raw.poll_s, 30, 1..=86_400);
        let station_id = self.parsed(raw.station_id.given(), station_id);
        let key = self.parsed(raw.key.given(), fingerprint);
        let (url, scheme) = url?;
        let kind = kind?;
        let special = self.kind_access(raw, kind, &url.host, scheme.encrypted);
        Some(ServerAccess {
            kind,
            host: url.host,
            port: url.port.unwrap_or(scheme.port),
            path: url.path,
            encrypted: scheme.encrypted,
            user: url.user.unwrap_or_else(|| USER.to_owned()),
            password,
            admin_password,
            poll_s,
            station_id,
            key,
            dials_in,
            special,
        })
    }

    /// Where line servers dial in.
    pub(super) fn lines_door(&mut self, raw: &raw::Lines) -> Option<SocketAddr> {
        if raw.place.key.is_empty() {
            return None;
        }
        let listen = self.required(&raw.listen, &raw.place, "listen", "\"[::]:4580\"");
        self.parsed(listen, listen_address)
    }

    /// What only line servers have: a key, each another one, and who dials.
    fn is_reachable_line<'r>(
        &mut self,
        raw: &'r raw::Server,
        has_door: bool,
        keys: &mut BTreeMap<String, &'r Place>,
    ) {
        let is_line = raw.kind.given().is_some_and(|kind| kind.value == "line");
        if !is_line {
            let places = [raw.key.given().map(|key| &key.place), place_of(&raw.dials_in)];
            for place in places.into_iter().flatten() {
                let message = "only a server of kind \"line\" has this key";
                self.findings.error(place, message, "leave it out");
            }
            return;
        }
        let example = "\"sha256:...\", which `postfax lines key` prints on the line server";
        if let Some(key) = self.required(&raw.key, &raw.place, "key", example)
            && let Some(first) = keys.insert(key.value.to_ascii_lowercase(), &key.place)
        {
            let first = self.findings.whereabouts(first);
            let help = format!("the other is at {first}: write each line server once");
            self.findings.error(&key.place, "another server has this key already", help);
        }
        let Some(dials_in) = raw.dials_in.given().filter(|flag| flag.value) else { return };
        if let Some(url) = raw.url.given() {
            let message = "this line server dials in: it is not dialled";
            self.findings.error(&url.place, message, "leave out url, or dials_in");
        }
        if !has_door {
            let message = "there is nowhere to dial in";
            let help = "add [lines] with listen = \"[::]:4580\"";
            self.findings.error(&dials_in.place, message, help);
        }
    }
}

fn place_of<T>(entry: &Entry<T>) -> Option<&Place> {
    entry.given().map(|given| &given.place)
}

fn server_url<'s>(
    text: &str,
    fitting: &[&'s Scheme],
    example: &str,
) -> Result<(Url, &'s Scheme), Wrong> {
    let url = address::url(text, example)?;
    let Some(scheme) = fitting.iter().find(|scheme| scheme.name == url.scheme) else {
        let message = format!("{}:// does not fit the kind of this server", url.scheme);
        return Err(Wrong::new(message, format!("write {example}")));
    };
    if url.host.is_empty() {
        return Err(Wrong::new("this URL names no host", format!("write {example}")));
    }
    if url.path.len() > 1 && scheme.kind != Kind::Ipp {
        let message = "nothing may follow the host and port in this URL";
        return Err(Wrong::new(message, format!("write {example}")));
    }
    Ok((url, scheme))
}

fn station_id(text: &str) -> Result<String, Wrong> {
    let good = (1..=MAX_STATION_ID).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    let help = "write 1 to 20 characters; most machines show only digits, + and spaces";
    let message = || format!("\"{text}\" cannot be sent as a station identity");
    good.then(|| text.to_owned()).ok_or_else(|| Wrong::new(message(), help))
}
