//! Checks the parts of the configuration that are about this host: the
//! supervisor, mail out and limits.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use postfax_domain::{
    number::Country,
    setup::{JobLimits, OwnNumbers},
};

use super::{
    Auth, Delivery, Intake, Login, MAX_MESSAGE_BYTES, Starttls,
    address::{self, Relay, Wrong},
    check::Check,
    raw,
    read::Entry,
};

const STATE: &str = "/var/lib/postfax";
const TIMEZONE: &str = "UTC";
/// Longest path of a socket (`sun_path` without its final zero).
const MAX_SOCKET_PATH_BYTES: usize = 107;
const DAY_S: u64 = 24 * 3600;
/// How long a mail may be held: 30 days.
const MAX_HOLD_S: u64 = 30 * 24 * 3600;
/// The longest time that MAIL can say, in seconds (RFC 2852 4, RFC 4865 3).
const LONGEST_S: u64 = 999_999_999;
/// Bounds of what may come in a minute or an hour.
const MANY: RangeInclusive<u64> = 1..=1_000_000;

pub(super) const STARTTLS: &[(&str, Starttls)] = &[
    ("required", Starttls::Required),
    ("opportunistic", Starttls::Opportunistic),
    ("never", Starttls::Never),
];
const AUTHS: &[(&str, Auth)] =
    &[("any", Auth::Any), ("plain", Auth::Plain), ("login", Auth::Login)];
const OWN_NUMBERS: &[(&str, OwnNumbers)] = &[
    ("by-others", OwnNumbers::ByOthers),
    ("never", OwnNumbers::Never),
    ("always", OwnNumbers::Always),
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
        self.parsed(country, address::country)
    }

    pub(super) fn supervisor(&mut self, raw: &raw::Supervisor) -> Option<Supervisor> {
        let at = &raw.place;
        let domain = self.required(&raw.domain, at, "domain", "\"fax.example.com\"");
        let domain = self.parsed(domain, address::domain);
        let hostname = self.parsed(raw.hostname.given(), address::domain);
        let postmaster = self.required(&raw.postmaster, at, "postmaster", "\"it@example.com\"");
        let postmaster = self.parsed(postmaster, |text| {
            let is_ours = text.rsplit_once('@').is_some_and(|(_, host)| {
                domain.as_ref().is_some_and(|domain| domain.eq_ignore_ascii_case(host))
            });
            if is_ours {
                let message = format!("\"{text}\" is an address of the fax domain itself");
                let help = "name a mailbox of your mail server, such as it@example.com: mail to \
                            postmaster of the fax domain is passed on to it";
                return Err(Wrong::new(message, help));
            }
            address::mailbox(text)
        });
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
        let fallback = self.fallback(raw);
        let auth = self.choice(raw.auth.given(), AUTHS);
        let ca_file = self.ca_file(&raw.ca_file);
        let verify = self.verify(raw, starttls);
        Some(Delivery {
            relay: relay?,
            from: from?,
            login,
            starttls: starttls?,
            connections,
            signer,
            fallback,
            auth: auth.unwrap_or(Auth::Any),
            ca_file,
            verify,
            returns: raw.returns.given().is_none_or(|flag| flag.value),
        })
    }

    fn fallback(&mut self, raw: &raw::Delivery) -> Vec<Relay> {
        let nothing = Vec::new();
        let written = raw.fallback.given().map_or(&nothing, |list| &list.value);
        written.iter().filter_map(|url| self.parsed(Some(url), Relay::parse)).collect()
    }

    /// A PEM file of certificates that are believed.
    pub(super) fn ca_file(&mut self, named: &Entry<String>) -> Option<PathBuf> {
        let file = named.given()?;
        let path = self.beside(&file.value);
        if let Err(error) = std::fs::File::open(&path) {
            let message = format!("{} cannot be read: {error}", path.display());
            self.findings.error(&file.place, message, "name a PEM file of certificates");
        }
        Some(path)
    }

    /// Certificates are looked at wherever encryption is required.
    fn verify(&mut self, raw: &raw::Delivery, starttls: Option<Starttls>) -> bool {
        let Some(flag) = raw.verify.given() else { return true };
        if !flag.value && (raw.user.given().is_some() || starttls == Some(Starttls::Required)) {
            let message = "whoever is on the way to the relay can pretend to be it";
            let help = "name its certificate, or the authority that signed it, by ca_file";
            self.findings.warn(&flag.place, message, help);
        }
        flag.value
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

    pub(super) fn intake(&mut self, raw: &raw::Limits) -> Intake {
        Intake {
            max_message_bytes: self.count(
                &raw.max_message_bytes,
                50 << 20,
                64 << 10..=MAX_MESSAGE_BYTES,
            ),
            max_recipients: self.size(&raw.max_recipients, 200, 1..=10_000),
            max_connections: self.size(&raw.max_connections, 500, 1..=100_000),
            max_connections_per_address: self.size(
                &raw.max_connections_per_address,
                20,
                1..=100_000,
            ),
            max_received: self.size(&raw.max_received, 30, 1..=1000),
            max_login_failures: self.small(&raw.max_login_failures, 3, 1..=100),
            max_login_failures_per_address: self.small(
                &raw.max_login_failures_per_address,
                30,
                1..=100_000,
            ),
            max_login_failures_per_account: self.small(
                &raw.max_login_failures_per_account,
                60,
                1..=100_000,
            ),
            max_mails_per_minute: self.small(&raw.max_mails_per_minute, 600, MANY),
            max_recipients_per_hour: self.small(&raw.max_recipients_per_hour, 10_000, MANY),
            max_mails_per_minute_per_address: self.small(
                &raw.max_mails_per_minute_per_address,
                1200,
                MANY,
            ),
            max_recipients_per_hour_per_address: self.small(
                &raw.max_recipients_per_hour_per_address,
                20_000,
                MANY,
            ),
            max_hold_s: self.small(&raw.max_hold_s, MAX_HOLD_S, 0..=LONGEST_S),
            min_deliver_by_s: self.small(&raw.min_deliver_by_s, 60, 1..=LONGEST_S),
            command_timeout_s: self.count(&raw.command_timeout_s, 300, 5..=3600),
            data_timeout_s: self.count(&raw.data_timeout_s, 180, 5..=3600),
        }
    }

    pub(super) fn read_back(&mut self, raw: &raw::Limits) -> Duration {
        Duration::from_secs(self.count(&raw.read_back_s, 300, 1..=DAY_S))
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
            max_per_number: self.small(&raw.max_faxes_per_number_per_h, 1000, 1..=1_000_000),
            own_numbers: self.choice(raw.own_numbers.given(), OWN_NUMBERS).unwrap_or_default(),
        }
    }
}

pub(super) fn timezone(name: &str) -> Result<jiff::tz::TimeZone, Wrong> {
    jiff::tz::TimeZone::get(name).map_err(|_| {
        let help = "write a name of the IANA database, such as Europe/London; the package tzdata \
                    must be installed";
        Wrong::new(format!("\"{name}\" is no time zone that this host knows"), help)
    })
}

pub(super) fn absolute(path: &str) -> Result<PathBuf, Wrong> {
    if Path::new(path).is_absolute() {
        return Ok(path.into());
    }
    Err(Wrong::new(
        format!("\"{path}\" is not an absolute path"),
        format!("begin with a slash: {STATE}"),
    ))
}

pub(super) fn socket(path: PathBuf) -> Result<PathBuf, Wrong> {
    if path.as_os_str().len() <= MAX_SOCKET_PATH_BYTES {
        return Ok(path);
    }
    let help = format!("choose one of at most {MAX_SOCKET_PATH_BYTES} bytes");
    Err(Wrong::new("the path is too long for a socket", help))
}
