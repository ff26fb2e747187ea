//! The step from `lines.toml` as it is written to the line server as it is used: what is
//! said of the server as a whole, and what can be set.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use postfax_domain::{
    route::Hours,
    settings::{BadSetting, Name, Settings, Value},
};
use postfax_hw::line::{
    server::SCHEMA,
    wire::{Fingerprint, PORT},
};

use super::{
    super::{
        address::{self, Wrong},
        check::{Check, declared},
        findings::Place,
        read::Entry,
        service::{absolute, timezone},
    },
    LineHost, LineSetup, Meeting, raw,
};

const STATE: &str = "/var/lib/postfax-lines";
const NAME: &str = "lines";
const TIMEZONE: &str = "UTC";
/// How long calls may go on when the line server is told to stop, in seconds, unless the
/// file says otherwise; and the longest.
const STOP_AFTER_S: (u64, u64) = (300, 3600);
/// Longest name of a line server, in characters.
const MAX_NAME: usize = 64;

/// A check of one `lines.toml`.
pub(super) struct LinesCheck<'a> {
    pub(super) check: Check<'a>,
    pub(super) settings: Settings,
}

impl<'a> LinesCheck<'a> {
    pub(super) fn new(check: Check<'a>) -> Self {
        Self { check, settings: Settings::default() }
    }

    /// Checks everything. Nothing comes of it when something is wrong.
    pub(super) fn host(mut self, raw: &raw::Raw) -> Option<LineHost> {
        let of = &raw.lines;
        self.check.needs_table(&of.place, "lines", "country, supervisor, and listen or connect");
        let check = &mut self.check;
        let country = check.required(&of.country, &of.place, "country", "\"GB\"");
        let country = check.parsed(country, address::country);
        check.country = country;
        let name = match of.name.given() {
            Some(name) => check.parsed(Some(name), called),
            None => Some(NAME.to_owned()),
        };
        let state = match of.state.given() {
            Some(path) => check.parsed(Some(path), absolute),
            None => Some(PathBuf::from(STATE)),
        };
        let zone = match of.timezone.given() {
            Some(name) => check.parsed(Some(name), timezone),
            None => timezone(TIMEZONE).ok(),
        };
        let meeting = self.meeting(of);
        let example = "\"sha256:...\", which `postfax lines key --supervisor` prints there";
        let key = self.check.required(&of.supervisor, &of.place, "supervisor", example);
        let key = self.check.parsed(key, fingerprint);
        let stop_after = self.check.count(&of.stop_after_s, STOP_AFTER_S.0, 1..=STOP_AFTER_S.1);
        self.server_settings(of);
        declared(self.check.findings, "line", raw.line.iter().map(|line| &line.name));
        if raw.line.is_empty() && !of.place.key.is_empty() {
            let message = "this line server has no line: no fax goes out or comes in";
            self.check.findings.warn(&of.place, message, "add [[line]]");
        }
        let lines: Vec<LineSetup> = raw.line.iter().filter_map(|line| self.line(line)).collect();
        self.devices(raw);
        Some(LineHost {
            name: name?,
            state: state?,
            country: country?,
            timezone: zone?,
            meeting: meeting?,
            supervisor: key?,
            stop_after: Duration::from_secs(stop_after),
            lines,
            settings: self.settings,
        })
    }

    fn meeting(&mut self, raw: &raw::Lines) -> Option<Meeting> {
        match (&raw.listen, &raw.connect) {
            (Entry::Given(listen), Entry::Given(connect)) => {
                let at = self.check.findings.whereabouts(&listen.place);
                let help = format!(
                    "listen is at {at}: leave it out where the line server dials the supervisor, \
                     and connect where the supervisor dials it"
                );
                self.check.findings.error(&connect.place, "only one of the two sides dials", help);
                None
            }
            (listen, Entry::Absent) => {
                let example = "\"[::]:4580\", or connect = \"HOST\" where the supervisor cannot \
                               reach this line server";
                let listen = self.check.required(listen, &raw.place, "listen", example);
                self.check.parsed(listen, listen_address).map(Meeting::Listen)
            }
            (_, connect) => {
                let (host, port) = self.check.parsed(connect.given(), host_and_port)?;
                Some(Meeting::Connect(host, port))
            }
        }
    }

    fn server_settings(&mut self, raw: &raw::Lines) {
        for (key, entry) in [
            ("max_batch_jobs", &raw.max_batch_jobs),
            ("max_batch_pages", &raw.max_batch_pages),
            ("batch_wait_ms", &raw.batch_wait_ms),
            ("max_send_pages", &raw.max_send_pages),
        ] {
            self.number(Name::of_server(key), entry);
        }
    }

    /// Two lines on one device would each take the other's calls.
    fn devices(&mut self, raw: &raw::Raw) {
        let mut seen: BTreeMap<&str, &Place> = BTreeMap::new();
        for device in raw.line.iter().filter_map(|line| line.device.given()) {
            if let Some(first) = seen.insert(&device.value, &device.place) {
                let first = self.check.findings.whereabouts(first);
                let help = format!("the other line with it is at {first}");
                self.check.findings.error(&device.place, "this device has a line already", help);
            }
        }
    }

    pub(super) fn number(&mut self, name: Name, entry: &Entry<u64>) {
        if let Some(number) = entry.given() {
            let value = Value::Number(i64::try_from(number.value).unwrap_or(i64::MAX));
            self.set(name, value, &number.place);
        }
    }

    pub(super) fn flag(&mut self, name: Name, entry: &Entry<bool>) {
        if let Some(flag) = entry.given() {
            self.set(name, Value::Flag(flag.value), &flag.place);
        }
    }

    pub(super) fn text(&mut self, name: Name, entry: &Entry<String>) {
        if let Some(text) = entry.given() {
            self.set(name, Value::Text(text.value.clone()), &text.place);
        }
    }

    /// What the supervisor could set as well, by the same rules.
    pub(super) fn set(&mut self, name: Name, value: Value, place: &Place) {
        let fault = match (SCHEMA.check(&name, &value), &value) {
            (Err(BadSetting::Unfit { value, wanted, .. }), _) => {
                Some((format!("\"{value}\" cannot be set here"), format!("it must be {wanted}")))
            }
            (Err(other), _) => Some((other.to_string(), "leave it out".to_owned())),
            (Ok(()), Value::Text(text)) if name.key == "hours" => text
                .parse::<Hours>()
                .err()
                .map(|why| (why, "write days and times: Mo-Fr 08:00-18:00, Sa 09:00-12:00".into())),
            (Ok(()), _) => None,
        };
        match fault {
            Some((message, help)) => self.check.findings.error(place, message, help),
            None => drop(self.settings.0.insert(name, value)),
        }
    }
}

fn called(text: &str) -> Result<String, Wrong> {
    let good = (1..=MAX_NAME).contains(&text.chars().count())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let help = format!("write 1 to {MAX_NAME} letters, digits, -, _ and .");
    good.then(|| text.to_owned())
        .ok_or_else(|| Wrong::new(format!("\"{text}\" cannot be a name"), help))
}

/// The fingerprint of a key.
pub(in crate::config) fn fingerprint(text: &str) -> Result<Fingerprint, Wrong> {
    text.parse().map_err(|_| {
        let help = "write sha256: and 64 hexadecimal digits: `postfax lines key` prints that of \
                    a line server, with --supervisor that of the supervisor";
        Wrong::new(format!("\"{text}\" is no fingerprint of a key"), help)
    })
}

/// An address and a port to listen on.
pub(in crate::config) fn listen_address(text: &str) -> Result<SocketAddr, Wrong> {
    let bare = || Some(SocketAddr::new(text.parse().ok()?, PORT));
    text.parse().ok().or_else(bare).ok_or_else(|| {
        let help = format!("write an address and a port: [::]:{PORT} or 10.1.0.6:{PORT}");
        Wrong::new(format!("\"{text}\" is no address to listen on"), help)
    })
}

fn host_and_port(text: &str) -> Result<(String, u16), Wrong> {
    let help = || format!("write a host and a port: fax.example.com:{PORT}");
    let wrong = || Wrong::new(format!("\"{text}\" is no host to connect to"), help());
    if text.contains(['/', '@', ' ']) {
        return Err(wrong());
    }
    let url = address::url(&format!("line://{text}"), &help())?;
    match url.host.is_empty() {
        true => Err(wrong()),
        false => Ok((url.host, url.port.unwrap_or(PORT))),
    }
}
