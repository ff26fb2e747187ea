//! Checks the lines of `lines.toml`: modems and trunks, how numbers are dialled on them, and
//! what is set of them.

use std::net::{IpAddr, SocketAddr};

use postfax_domain::settings::{MAX_LINE_NAME_BYTES, Name, Value};
use postfax_hw::line::{
    DialPlan,
    modem::{Class, ModemOptions},
    sip::{EXPIRES_S, Law, RegistrationOptions, T38Use, TlsOptions, Transport, TrunkOptions},
};

use super::{
    super::{address::Wrong, read::Entry, service::absolute},
    LineSetup,
    check::LinesCheck,
    raw,
};

/// What a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Modem,
    Sip,
}

const KINDS: &[(&str, Kind)] = &[("modem", Kind::Modem), ("sip", Kind::Sip)];
const CLASSES: &[(&str, Option<Class>)] = &[
    ("auto", None),
    ("1", Some(Class::One)),
    ("1.0", Some(Class::OneZero)),
    ("2", Some(Class::Two)),
    ("2.0", Some(Class::TwoZero)),
    ("2.1", Some(Class::TwoOne)),
];
const TRANSPORTS: &[(&str, Transport)] =
    &[("udp", Transport::Udp), ("tcp", Transport::Tcp), ("tls", Transport::Tls)];
const LAWS: &[(&str, Law)] = &[("pcma", Law::Pcma), ("pcmu", Law::Pcmu)];
const T38S: &[(&str, T38Use)] =
    &[("never", T38Use::Never), ("take", T38Use::Take), ("offer", T38Use::Offer)];

/// Calls at one time on a trunk unless the file says otherwise, and the most.
const CHANNELS: (u64, u64) = (4, 1000);
/// Speeds that a serial port may be set to, in bit/s.
const SPEEDS: [u64; 5] = [19_200, 38_400, 57_600, 115_200, 230_400];
/// Longest prefix of a number.
const MAX_PREFIX: usize = 16;

impl LinesCheck<'_> {
    pub(super) fn line(&mut self, raw: &raw::Line) -> Option<LineSetup> {
        let name = self.check.required(&raw.name, &raw.place, "name", "\"ttyACM0\"");
        let name = self.check.parsed(name, line_name);
        let kind = self.check.required(&raw.kind, &raw.place, "kind", "\"modem\" or \"sip\"");
        let kind = self.check.choice(kind, KINDS);
        let dial = self.dial(raw);
        if let Some(name) = &name {
            self.line_settings(name, raw);
        }
        let kind = kind?;
        self.strange(raw, kind);
        // All of it is checked, whatever else is wrong.
        let name = name.as_deref();
        Some(match kind {
            Kind::Modem => LineSetup::Modem(Box::new(self.modem(name, dial, raw)?)),
            Kind::Sip => LineSetup::Sip(Box::new(self.sip(name, dial, raw)?)),
        })
    }

    /// What can be set from the supervisor as well, by the same names.
    fn line_settings(&mut self, line: &str, raw: &raw::Line) {
        let name = |key: &str| Name::of_line(line, key);
        for (key, entry) in [
            ("on", &raw.on),
            ("use_job_tsi", &raw.use_job_tsi),
            ("ecm", &raw.ecm),
            ("header_line", &raw.header_line),
        ] {
            self.flag(name(key), entry);
        }
        for (key, entry) in [
            ("modem_priority", &raw.modem_priority),
            ("rings_before_answer", &raw.rings_before_answer),
            ("max_calls", &raw.max_calls),
            ("reserved_channels", &raw.reserved_channels),
        ] {
            self.number(name(key), entry);
        }
        for (key, entry) in [
            ("direction", &raw.direction),
            ("hours", &raw.hours),
            ("station_identity", &raw.station_identity),
            ("fax_number", &raw.fax_number),
            ("header_line_place", &raw.header_line_place),
            ("header_name", &raw.header_name),
            ("speaker_volume", &raw.speaker_volume),
            ("init_string", &raw.init_string),
        ] {
            self.text(name(key), entry);
        }
        if let Some(speed) = raw.max_speed.given() {
            self.set(name("max_speed"), Value::Text(speed.value.to_string()), &speed.place);
        }
    }

    /// Keys that only lines of the other kind have.
    fn strange(&mut self, raw: &raw::Line, kind: Kind) {
        fn place<T>(entry: &Entry<T>) -> Option<&super::super::findings::Place> {
            entry.given().map(|given| &given.place)
        }
        let (which, other, places) = match kind {
            Kind::Modem => {
                let texts = [
                    &raw.server,
                    &raw.domain,
                    &raw.listen,
                    &raw.transport,
                    &raw.ca_file,
                    &raw.user,
                    &raw.auth_user,
                    &raw.password_file,
                    &raw.external_address,
                    &raw.media_ports,
                    &raw.caller,
                    &raw.caller_name,
                    &raw.law,
                    &raw.t38,
                    &raw.trace_folder,
                ];
                let counts = [&raw.channels, &raw.max_calls, &raw.reserved_channels];
                let lists = [&raw.numbers, &raw.peers];
                let places = texts.into_iter().filter_map(place);
                let places = places.chain(counts.into_iter().filter_map(place));
                let places: Vec<_> = places.chain(lists.into_iter().filter_map(place)).collect();
                ("modem", "sip", places)
            }
            Kind::Sip => {
                let texts = [&raw.device, &raw.class, &raw.speaker_volume, &raw.init_string];
                let counts = [&raw.speed_bps, &raw.rings_before_answer];
                let places = texts.into_iter().filter_map(place);
                ("sip", "modem", places.chain(counts.into_iter().filter_map(place)).collect())
            }
        };
        for place in places {
            let message = format!("a line of kind \"{which}\" has no such key");
            let help = format!("leave it out, or write kind = \"{other}\"");
            self.check.findings.error(place, message, help);
        }
    }

    fn dial(&mut self, raw: &raw::Line) -> DialPlan {
        let check = &mut self.check;
        DialPlan {
            international_prefix: check.parsed(raw.international_prefix.given(), prefix),
            country_code: check.parsed(raw.country_code.given(), country_code),
            national_prefix: check.parsed(raw.national_prefix.given(), prefix).unwrap_or_default(),
            outside_prefix: check.parsed(raw.outside_prefix.given(), prefix).unwrap_or_default(),
        }
    }

    fn modem(
        &mut self,
        name: Option<&str>,
        dial: DialPlan,
        raw: &raw::Line,
    ) -> Option<ModemOptions> {
        let device = self.check.required(&raw.device, &raw.place, "device", "\"/dev/ttyACM0\"");
        let device = self.check.parsed(device, device_path);
        let class = match raw.class.given() {
            Some(class) => self.check.choice(Some(class), CLASSES),
            None => Some(None),
        };
        let speed_bps = raw.speed_bps.given().and_then(|speed| {
            if !SPEEDS.contains(&speed.value) {
                let message = format!("{} is no speed of a serial port", speed.value);
                let all = SPEEDS.map(|speed| speed.to_string()).join(", ");
                self.check.findings.error(&speed.place, message, format!("write one of {all}"));
            }
            u32::try_from(speed.value).ok()
        });
        let usual = ModemOptions::new(name?, &device?);
        let speed = speed_bps.unwrap_or(usual.speed);
        Some(ModemOptions { class: class?, speed, dial, ..usual })
    }

    fn sip(&mut self, name: Option<&str>, dial: DialPlan, raw: &raw::Line) -> Option<TrunkOptions> {
        let check = &mut self.check;
        let server = check.required(&raw.server, &raw.place, "server", "\"sip.example.net\"");
        let server = check.parsed(server, sip_server);
        let bind = check.parsed(raw.listen.given(), sip_listen);
        let external_address = check.parsed(raw.external_address.given(), |text| {
            let wrong = || Wrong::new(format!("\"{text}\" is no address"), "write 203.0.113.7");
            text.parse::<IpAddr>().map_err(|_| wrong())
        });
        let media_ports = check.parsed(raw.media_ports.given(), ports_of);
        let ca_file = raw.ca_file.given().map(|file| check.beside(&file.value));
        let trace_folder = check.parsed(raw.trace_folder.given(), absolute);
        let list = |entry: &Entry<Vec<super::super::findings::Placed<String>>>| {
            let given = entry.given().map_or(&[][..], |list| &list.value);
            given.iter().map(|text| text.value.clone()).collect()
        };
        let word = |entry: &Entry<String>| entry.given().map(|text| text.value.clone());
        let transport = check.choice(raw.transport.given(), TRANSPORTS).unwrap_or_default();
        let law = check.choice(raw.law.given(), LAWS).unwrap_or_default();
        let t38 = check.choice(raw.t38.given(), T38S).unwrap_or_default();
        let channels = check.size(&raw.channels, CHANNELS.0, 1..=CHANNELS.1);
        let login = self.login(raw)?;
        // What was wrong of the rest is found as well, and then nothing is made of it.
        let usual = TrunkOptions::new(name?, &server?);
        Some(TrunkOptions {
            domain: word(&raw.domain),
            bind: bind.unwrap_or(usual.bind),
            transport,
            tls: TlsOptions { ca_file, ..TlsOptions::default() },
            registrations: login.into_iter().collect(),
            numbers: list(&raw.numbers),
            peers: list(&raw.peers),
            external_address,
            media_ports: media_ports.unwrap_or(usual.media_ports),
            channels,
            caller: word(&raw.caller),
            caller_name: word(&raw.caller_name),
            dial,
            law,
            t38,
            trace_folder,
            ..usual
        })
    }

    /// A user and its password, or neither; nothing when that is wrong.
    fn login(&mut self, raw: &raw::Line) -> Option<Option<RegistrationOptions>> {
        let Some(user) = raw.user.given() else {
            for entry in [&raw.auth_user, &raw.password_file] {
                if let Some(given) = entry.given() {
                    let message = "there is no user that this belongs to";
                    self.check.findings.error(&given.place, message, "add user = \"...\"");
                }
            }
            return Some(None);
        };
        let example = "\"trunk.pw\"";
        self.check.required(&raw.password_file, &raw.place, "password_file", example)?;
        let password = self.check.secret(&raw.password_file)?;
        let auth_user = raw.auth_user.given().map(|name| name.value.clone());
        Some(Some(RegistrationOptions {
            user: user.value.clone(),
            auth_user,
            password: password.reveal().to_owned(),
            expires_s: EXPIRES_S,
        }))
    }
}

fn line_name(text: &str) -> Result<String, Wrong> {
    let good = (1..=MAX_LINE_NAME_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let help = format!("write 1 to {MAX_LINE_NAME_BYTES} letters, digits, - and _");
    let message = || format!("\"{text}\" cannot be the name of a line");
    good.then(|| text.to_owned()).ok_or_else(|| Wrong::new(message(), help))
}

fn device_path(text: &str) -> Result<std::path::PathBuf, Wrong> {
    absolute(text).map_err(|wrong| Wrong::new(wrong.message, "write /dev/ttyACM0"))
}

fn prefix(text: &str) -> Result<String, Wrong> {
    let good = text.len() <= MAX_PREFIX
        && text.bytes().all(|b| b.is_ascii_digit() || b"*#,+w".contains(&b));
    let help = "write digits, * and #, with a comma where the modem is to wait: \"9,\"";
    let message = || format!("\"{text}\" cannot be dialled before a number");
    good.then(|| text.to_owned()).ok_or_else(|| Wrong::new(message(), help))
}

fn country_code(text: &str) -> Result<String, Wrong> {
    let good = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let message = || format!("\"{text}\" is no country code");
    good.then(|| text.to_owned())
        .ok_or_else(|| Wrong::new(message(), "write its digits without a +: \"44\""))
}

fn sip_server(text: &str) -> Result<String, Wrong> {
    let good = !text.is_empty() && !text.contains(['/', '@', ' ', ';']);
    let message = || format!("\"{text}\" is no SIP server");
    let help = "write its host, with a port where it is not the usual one: sip.example.net:5060";
    good.then(|| text.to_owned()).ok_or_else(|| Wrong::new(message(), help))
}

fn sip_listen(text: &str) -> Result<SocketAddr, Wrong> {
    let help = "write an address and a port: 0.0.0.0:5060";
    let message = || format!("\"{text}\" is no address to listen on");
    text.parse().map_err(|_| Wrong::new(message(), help))
}

fn ports_of(text: &str) -> Result<(u16, u16), Wrong> {
    let ports = text.split_once('-').and_then(|(first, last)| {
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first > 0 && first < last).then_some((first, last))
    });
    let message = || format!("\"{text}\" is no range of ports");
    ports.ok_or_else(|| Wrong::new(message(), "write the first and the last one: 20000-20999"))
}
