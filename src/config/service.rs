//! Checks the parts of the configuration that are about this host: the
//! supervisor, its listeners, mail out, conversion and limits.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use postfax_domain::{document::Resolution, number::Country, setup::JobLimits};

use super::{
    Convert, Delivery, Intake, Listener, Login, Role, Starttls, Tls, Verify,
    address::{self, Cidr, Relay, Wrong},
    check::Check,
    findings::{Place, Placed},
    raw,
    read::Entry,
};

const STATE: &str = "/var/lib/postfax";
const TIMEZONE: &str = "UTC";
/// Longest path of a socket (`sun_path` without its final zero).
const MAX_SOCKET_PATH_BYTES: usize = 107;
const DAY_S: u64 = 24 * 3600;

const ROLES: &[(&str, Role)] = &[
    ("submission", Role::Submission),
    ("submissions", Role::Submissions),
    ("relay", Role::Relay),
    ("lmtp", Role::Lmtp),
];
const VERIFY: &[(&str, Verify)] = &[("dmarc", Verify::Dmarc)];
const STARTTLS: &[(&str, Starttls)] = &[
    ("required", Starttls::Required),
    ("opportunistic", Starttls::Opportunistic),
    ("never", Starttls::Never),
];
const RESOLUTIONS: &[(&str, Resolution)] = &[
    ("standard", Resolution::Standard),
    ("fine", Resolution::Fine),
    ("superfine", Resolution::Superfine),
];

/// What `[supervisor]` says.
pub(super) struct Supervisor {
    pub(super) domain: String,
    pub(super) hostname: String,
    pub(super) timezone: jiff::tz::TimeZone,
    pub(super) state: PathBuf,
    pub(super) control_socket: PathBuf,
    pub(super) postmaster: String,
}

impl Check<'_> {
    pub(super) fn country(&mut self, raw: &raw::Supervisor) -> Option<Country> {
        let country = self.required(&raw.country, &raw.place, "country", "\"GB\"");
        self.parsed(country, |code| {
            let help = "write the two capital letters of ISO 3166, such as GB, DE or US";
            code.parse().map_err(|why: String| Wrong::new(why, help))
        })
    }

    pub(super) fn supervisor(&mut self, raw: &raw::Supervisor) -> Option<Supervisor> {
        let at = &raw.place;
        let domain = self.required(&raw.domain, at, "domain", "\"fax.example.com\"");
        let domain = self.parsed(domain, address::domain);
        let hostname = self.parsed(raw.hostname.given(), address::domain);
        let postmaster = self.required(&raw.postmaster, at, "postmaster", "\"it@example.com\"");
        let postmaster = self.parsed(postmaster, address::mailbox);
        let timezone = match raw.timezone.given() {
            Some(name) => self.parsed(Some(name), timezone),
            None => timezone(TIMEZONE).ok(),
        };
        let state = match raw.state.given() {
            Some(path) => self.parsed(Some(path), absolute),
            None => Some(STATE.into()),
        };
        let control_socket = match raw.control_socket.given() {
            Some(path) => self.parsed(Some(path), |path| absolute(path).and_then(socket)),
            None => state.as_ref().map(|state: &PathBuf| state.join("control.sock")),
        };
        let domain = domain?;
        Some(Supervisor {
            hostname: hostname.unwrap_or_else(|| domain.clone()),
            domain,
            timezone: timezone?,
            state: state?,
            control_socket: control_socket?,
            postmaster: postmaster?,
        })
    }

    pub(super) fn tls(&mut self, raw: &raw::Tls) -> Option<Tls> {
        let files = [("certificate", &raw.certificate), ("key", &raw.key)];
        if files.iter().all(|(_, file)| matches!(file, Entry::Absent)) && raw.place.key.is_empty() {
            return None;
        }
        let paths = files.map(|(key, file)| {
            let file = self.required(file, &raw.place, key, "\"/etc/postfax/tls/....pem\"")?;
            let path = self.beside(&file.value);
            if let Err(error) = std::fs::File::open(&path) {
                let message = format!("{} cannot be read: {error}", path.display());
                self.findings.error(&file.place, message, "name a PEM file");
            }
            Some(path)
        });
        let [certificate, key] = paths;
        Some(Tls { certificate: certificate?, key: key? })
    }

    pub(super) fn listeners(&mut self, raw: &[raw::Listener], tls: &raw::Tls) -> Vec<Listener> {
        let mut seen: BTreeMap<SocketAddr, &Placed<String>> = BTreeMap::new();
        let mut listeners = Vec::new();
        for listener in raw {
            let address =
                self.required(&listener.address, &listener.place, "address", "\"[::]:587\"");
            let parsed = self.parsed(address, socket_address);
            if let (Some(written), Some(address)) = (address, parsed) {
                // Port 0 is any free port, so two of them differ.
                if let (Some(first), true) = (seen.insert(address, written), address.port() > 0) {
                    let first = self.findings.whereabouts(&first.place);
                    let help = format!("the other is at {first}: use another port");
                    self.findings.error(&written.place, "two listeners have this address", help);
                }
            }
            if let (Some(address), Some(listener)) = (parsed, self.listener(listener, tls, parsed))
            {
                listeners.push(Listener { address, ..listener });
            }
        }
        listeners
    }

    fn listener(
        &mut self,
        raw: &raw::Listener,
        tls: &raw::Tls,
        address: Option<SocketAddr>,
    ) -> Option<Listener> {
        let written = self.required(&raw.role, &raw.place, "role", "\"submission\"");
        let role = self.choice(written, ROLES);
        let nothing = Vec::new();
        let trust = raw.trust.given().map_or(&nothing, |list| &list.value);
        let trust = trust.iter().filter_map(|net| self.parsed(Some(net), Cidr::parse)).collect();
        let verify = raw.verify.given().map_or(&nothing, |list| &list.value);
        let verify = verify.iter().filter_map(|word| self.choice(Some(word), VERIFY)).collect();
        let (role, place) = (role?, &written?.place);
        match role {
            Role::Submission | Role::Submissions => self.takes_logins(raw, place, tls),
            Role::Relay | Role::Lmtp => self.takes_somebody(raw, place, role, address),
        }
        Some(Listener { address: address?, role, trust, verify })
    }

    fn takes_logins(&mut self, raw: &raw::Listener, place: &Place, tls: &raw::Tls) {
        if matches!((&tls.certificate, &tls.key), (Entry::Absent, Entry::Absent)) {
            let message = "mail clients log in only under TLS, and there is no [tls]";
            let help = "add [tls] with certificate = \"...\" and key = \"...\"";
            self.findings.error(place, message, help);
        }
        if names_some(&raw.trust) || names_some(&raw.verify) {
            let message = "mail clients must log in: trust and verify do nothing here";
            let help = "leave trust and verify out, or use the role \"relay\"";
            self.findings.warn(place, message, help);
        }
    }

    fn takes_somebody(
        &mut self,
        raw: &raw::Listener,
        place: &Place,
        role: Role,
        address: Option<SocketAddr>,
    ) {
        // Whoever reaches a loopback address is on this host.
        let local = address.is_some_and(|address| address.ip().to_canonical().is_loopback());
        let vouched = role == Role::Lmtp && local;
        if !names_some(&raw.trust) && !names_some(&raw.verify) && !vouched {
            let message = "nobody could ever send here: no host is trusted and none is verified";
            let help = "add trust = [\"10.1.0.0/16\"] with the networks of your mail servers, \
                        verify = [\"dmarc\"], or both";
            self.findings.error(place, message, help);
        }
    }

    pub(super) fn delivery(&mut self, raw: &raw::Delivery) -> Option<Delivery> {
        let at = &raw.place;
        let relay = self.required(&raw.relay, at, "relay", "\"smtp://mail.example.com:25\"");
        let relay = self.parsed(relay, Relay::parse);
        let from = self.required(&raw.from, at, "from", "\"fax@fax.example.com\"");
        let from = self.parsed(from, address::mailbox);
        let login = self.login(raw);
        let starttls = match raw.starttls.given() {
            Some(word) => self.choice(Some(word), STARTTLS),
            None if matches!(raw.user, Entry::Absent) => Some(Starttls::Opportunistic),
            None => Some(Starttls::Required),
        };
        let clear = matches!(relay, Some(Relay::Smtp { .. } | Relay::Lmtp { .. }));
        if let (Some(user), true) =
            (raw.user.given(), clear && starttls != Some(Starttls::Required))
        {
            let help = "set starttls = \"required\", or use smtps://";
            self.findings.warn(
                &user.place,
                "the password may cross the network in the clear",
                help,
            );
        }
        let connections = self.small(&raw.connections, 8, 1..=1000);
        let signer = self.signer(&raw.dkim);
        let starttls = starttls?;
        Some(Delivery { relay: relay?, from: from?, login, starttls, connections, signer })
    }

    fn login(&mut self, raw: &raw::Delivery) -> Option<Login> {
        match (&raw.user, &raw.password_file) {
            (Entry::Absent, Entry::Given(_)) => self.missing(&raw.place, "user", "\"fax\""),
            (Entry::Given(_), Entry::Absent) => {
                self.missing(&raw.place, "password_file", "\"relay.pw\"");
            }
            _ => {}
        }
        let password = self.secret(&raw.password_file)?;
        Some(Login { user: raw.user.given()?.value.clone(), password })
    }

    pub(super) fn convert(&mut self, raw: &raw::Convert) -> Convert {
        Convert {
            resolution: self.choice(raw.resolution.given(), RESOLUTIONS).unwrap_or_default(),
            memory_mb: self.count(&raw.memory_mb, 1024, 128..=65_536),
            wall_s: self.count(&raw.wall_s, 60, 1..=3600),
            cpu_s: self.count(&raw.cpu_s, 30, 1..=3600),
            parallel: self.size(&raw.parallel, 2, 1..=256),
        }
    }

    pub(super) fn intake(&mut self, raw: &raw::Limits) -> Intake {
        Intake {
            max_message_bytes: self.count(&raw.max_message_bytes, 50 << 20, 64 << 10..=1 << 30),
            max_recipients: self.size(&raw.max_recipients, 200, 1..=10_000),
            max_connections: self.size(&raw.max_connections, 500, 1..=100_000),
            max_connections_per_address: self.size(
                &raw.max_connections_per_address,
                20,
                1..=100_000,
            ),
            max_login_failures: self.small(&raw.max_login_failures, 3, 1..=100),
            command_timeout_s: self.count(&raw.command_timeout_s, 300, 5..=3600),
            data_timeout_s: self.count(&raw.data_timeout_s, 180, 5..=3600),
        }
    }

    pub(super) fn keep_days(&mut self, raw: &raw::Limits) -> u32 {
        self.small(&raw.keep_days, 30, 0..=36_500)
    }

    pub(super) fn job_limits(
        &mut self,
        raw: &raw::Limits,
        mail_lines: u32,
        converters: usize,
    ) -> JobLimits {
        let seconds = Duration::from_secs;
        JobLimits {
            max_pages: self.small(&raw.max_pages, 200, 1..=10_000),
            max_jobs: self.size(&raw.max_jobs, 100_000, 1..=10_000_000),
            expire: seconds(self.count(&raw.expire_s, DAY_S, 60..=30 * DAY_S)),
            mail_expire: seconds(self.count(&raw.mail_expire_s, 5 * DAY_S, 60..=30 * DAY_S)),
            delay_notice: seconds(self.count(&raw.delay_notice_s, 3600, 0..=30 * DAY_S)),
            duplicate_window: seconds(self.count(&raw.duplicate_window_s, DAY_S, 0..=30 * DAY_S)),
            mail_lines,
            converters,
        }
    }
}

/// Whether something was written, right or wrong.
fn names_some(list: &Entry<Vec<Placed<String>>>) -> bool {
    match list {
        Entry::Given(list) => !list.value.is_empty(),
        Entry::Bad => true,
        Entry::Absent => false,
    }
}

fn timezone(name: &str) -> Result<jiff::tz::TimeZone, Wrong> {
    jiff::tz::TimeZone::get(name).map_err(|_| {
        let help = "write a name of the IANA database, such as Europe/London; the package tzdata \
                    must be installed";
        Wrong::new(format!("\"{name}\" is no time zone that this host knows"), help)
    })
}

fn absolute(path: &str) -> Result<PathBuf, Wrong> {
    if Path::new(path).is_absolute() {
        return Ok(path.into());
    }
    Err(Wrong::new(
        format!("\"{path}\" is not an absolute path"),
        format!("begin with a slash: {STATE}"),
    ))
}

fn socket(path: PathBuf) -> Result<PathBuf, Wrong> {
    if path.as_os_str().len() <= MAX_SOCKET_PATH_BYTES {
        return Ok(path);
    }
    let help = format!("choose one of at most {MAX_SOCKET_PATH_BYTES} bytes");
    Err(Wrong::new("the path is too long for a socket", help))
}

fn socket_address(text: &str) -> Result<SocketAddr, Wrong> {
    let help = "write an address and a port: [::]:587, 0.0.0.0:25 or 127.0.0.1:2525";
    let address: SocketAddr = text
        .parse()
        .map_err(|_| Wrong::new(format!("\"{text}\" is no address with a port"), help))?;
    Ok(address)
}
