//! The configuration: read as it is written ([`raw`]), checked once, and from then
//! on held as it is used ([`Config`]). Whoever holds a [`Config`] knows that every
//! name in it leads somewhere and that every value can be used.
//!
//! ```text
//!  postfax.toml, conf.d/*.toml ──read──▶ Raw ──check──▶ Config
//!                                  └────────┴──▶ Problems, all of them at once
//! ```
//!
//! Nothing in here starts or connects anything, and only [`write`] writes.

mod access;
mod accounts;
pub(crate) mod address;
mod check;
mod convert;
mod cover;
mod dns;
mod edit;
mod findings;
mod http;
mod kinds;
mod ldap;
mod letters;
pub(crate) mod lines;
mod listeners;
mod parties;
mod problem;
mod raw;
mod read;
mod received;
mod rights;
mod rules;
mod secret;
mod servers;
mod service;
mod suggest;
mod texts;
mod webhooks;
mod words;
mod write;

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use postfax_domain::{
    names::{ClientName, HookName, ServerName},
    setup::Setup,
};
use postfax_gateway::{sign::Signer, verify};
use postfax_hw::line::wire::Fingerprint;

pub(crate) use access::{Access, Certified, Password};
pub(crate) use address::{Cidr, Relay};
pub(crate) use convert::{Convert, ReplyQuote, Unconfined};
pub(crate) use cover::{Cover, Letterhead};
pub(crate) use edit::{Found, Set, edit, show};
pub(crate) use http::{Http, HttpLimits, TOKEN_PREFIX, Token, moment, token_name};
pub(crate) use kinds::{KindAccess, Profile, Trust};
pub(crate) use ldap::{Ldap, LdapAddress, LdapLimits};
pub(crate) use letters::{Letters, Mdn};
pub(crate) use problem::{Problem, report, summary};
pub(crate) use received::Received;
pub(crate) use rights::{permitted, touchable};
pub(crate) use secret::Secret;
pub(crate) use texts::Text;
#[cfg(test)]
pub(crate) use webhooks::Url as HookUrl;
pub(crate) use webhooks::{Key, Webhook};
#[cfg(test)]
pub(crate) use words::Languages;
pub(crate) use words::{Phrase, Words};
pub(crate) use write::{mend, replace};

use check::Check;
use findings::Findings;
use raw::Raw;
use read::Reader;

/// The largest message that any configuration lets in, in octets.
pub(crate) const MAX_MESSAGE_BYTES: u64 = 1 << 30;

/// The configuration as it is used.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// What the core decides by.
    pub(crate) setup: Arc<Setup>,
    /// What we call ourselves to other mail servers.
    pub(crate) hostname: String,
    /// The time zone of opening hours and of the times in mails.
    pub(crate) timezone: jiff::tz::TimeZone,
    /// The folder of the database and the documents; absolute.
    pub(crate) state: PathBuf,
    /// The socket that the command line talks to; absolute.
    pub(crate) control_socket: PathBuf,
    /// Where mail comes in.
    pub(crate) listeners: Vec<Listener>,
    /// Our certificate; there whenever a listener needs it.
    pub(crate) tls: Option<Tls>,
    /// Where mail goes out.
    pub(crate) delivery: Delivery,
    /// How the DNS is asked.
    pub(crate) dns: verify::Options,
    /// The door for requests by HTTP, if there is one.
    pub(crate) http: Option<Http>,
    /// The door for address books that speak LDAP, if there is one.
    pub(crate) ldap: Option<Ldap>,
    /// Where line servers dial in, if they do.
    pub(crate) lines_door: Option<SocketAddr>,
    /// How each webhook of the setup is reached; it has the same names.
    pub(crate) webhooks: BTreeMap<HookName, Webhook>,
    /// How each server of the setup is reached; it has the same names.
    pub(crate) servers: BTreeMap<ServerName, ServerAccess>,
    /// How each client of the setup shows who it is; it has the same names.
    pub(crate) access: BTreeMap<ClientName, Access>,
    /// What bounds the mails that come in.
    pub(crate) intake: Intake,
    /// How pages are made.
    pub(crate) convert: Convert,
    /// What goes before a fax.
    pub(crate) cover: Cover,
    /// What each client of the setup writes on its faxes; it has the same names.
    pub(crate) letterheads: BTreeMap<ClientName, Letterhead>,
    /// What is made of received faxes.
    pub(crate) received: Received,
    /// What our mails say.
    pub(crate) letters: Letters,
    /// How long jobs that have ended are kept, in days.
    pub(crate) keep_days: u32,
    /// How often the settings of the servers are read back.
    pub(crate) read_back: Duration,
    /// What is probably not what was meant.
    pub(crate) warnings: Vec<Problem>,
    /// The files that this was read from, the main file first.
    pub(crate) files: Vec<PathBuf>,
}

/// A socket that mail comes in by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listener {
    /// Where it is.
    pub(crate) address: Address,
    /// What it is for.
    pub(crate) role: Role,
    /// Hosts that speak for our clients.
    pub(crate) trust: Vec<Cidr>,
    /// How all other hosts prove who sends; empty refuses them.
    pub(crate) verify: Vec<Verify>,
    /// Hosts that pass on the connections of others and say whose they are.
    pub(crate) proxy: Vec<Cidr>,
    /// The users who may connect to a unix socket; empty lets in who may open it.
    pub(crate) users: Vec<u32>,
}

/// Where a listener is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Address {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket that we make.
    Unix(UnixAddress),
    /// The sockets that systemd hands over under this name.
    Systemd(String),
}

/// A unix socket, and who may open it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UnixAddress {
    /// Its path; absolute.
    pub(crate) path: PathBuf,
    /// The bits of its access mode.
    pub(crate) mode: u32,
    /// The user that it belongs to, unless it is we.
    pub(crate) user: Option<u32>,
    /// The group that it belongs to, unless it is ours.
    pub(crate) group: Option<u32>,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(unix) => write!(f, "unix:{}", unix.path.display()),
            Self::Systemd(name) => write!(f, "systemd:{name}"),
        }
    }
}

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    /// Mail clients: STARTTLS and AUTH are required (RFC 6409).
    Submission,
    /// Mail clients, with TLS from the first octet (RFC 8314 3.3).
    Submissions,
    /// Mail servers.
    Relay,
    /// A mail server that hands over by LMTP (RFC 2033).
    Lmtp,
}

/// How a host that nobody vouches for proves who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verify {
    /// The From domain passes DMARC (RFC 7489).
    Dmarc,
}

/// Our certificate, as PEM files; absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tls {
    /// The certificate and its chain.
    pub(crate) certificate: PathBuf,
    /// The private key.
    pub(crate) key: PathBuf,
    /// The authorities whose clients may prove who they are by a certificate.
    pub(crate) client_ca: Option<PathBuf>,
}

/// How mail leaves.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// The mail server that takes it.
    pub(crate) relay: Relay,
    /// The address that faxes and receipts come from.
    pub(crate) from: String,
    /// Who logs in there, and with what.
    pub(crate) login: Option<Login>,
    /// Whether the connection is encrypted by STARTTLS.
    pub(crate) starttls: Starttls,
    /// How many mails are delivered at once.
    pub(crate) connections: u32,
    /// Signs what we send.
    pub(crate) signer: Signer,
    /// The mail servers that are tried in this order when the first is away.
    pub(crate) fallback: Vec<Relay>,
    /// How the login is sent.
    pub(crate) auth: Auth,
    /// Whose certificates are believed, instead of those that the system believes.
    pub(crate) ca_file: Option<PathBuf>,
    /// Whether a mail server must prove its name where encryption is required.
    pub(crate) verify: bool,
    /// Whether fax mails leave with a return path that takes their reports.
    pub(crate) returns: bool,
}

/// How a login is sent to the mail server (RFC 4954).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auth {
    /// Whatever it offers, PLAIN before LOGIN.
    Any,
    /// PLAIN.
    Plain,
    /// LOGIN.
    Login,
}

/// A user name and its password.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    /// The user.
    pub(crate) user: String,
    /// The password.
    pub(crate) password: Secret,
}

/// Whether a connection that begins in the clear is encrypted (RFC 3207).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Starttls {
    /// Or no mail is handed over.
    Required,
    /// If the mail server offers it.
    Opportunistic,
    /// Not at all.
    Never,
}

/// How a fax server is reached.
#[derive(Debug, Clone)]
pub(crate) struct ServerAccess {
    /// What it speaks.
    pub(crate) kind: Kind,
    /// Name or address of the host.
    pub(crate) host: String,
    /// Port.
    pub(crate) port: u16,
    /// What follows the host in the URL, with its slash; empty for most kinds.
    pub(crate) path: String,
    /// Whether the connection is encrypted from its first octet.
    pub(crate) encrypted: bool,
    /// Who logs in; `postfax` when the URL has no user.
    pub(crate) user: String,
    /// Its password, when it has one.
    pub(crate) password: Option<Secret>,
    /// The password that makes an administrator of us, when we are to change settings.
    pub(crate) admin_password: Option<Secret>,
    /// How often we look for received faxes and at its health, in seconds.
    pub(crate) poll_s: u64,
    /// What it calls itself on the line (T.30 TSI and CSI), at most 20 characters.
    pub(crate) station_id: Option<String>,
    /// The key of a line server; there for every one.
    pub(crate) key: Option<Fingerprint>,
    /// Whether a line server dials us; then it has no host.
    pub(crate) dials_in: bool,
    /// What devices with IPP and off-ramps have besides.
    pub(crate) special: KindAccess,
}

/// What a fax server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// The client protocol of HylaFAX.
    Hylafax,
    /// A line server of our own.
    Line,
    /// IPP FaxOut.
    Ipp,
    /// Mail.
    Mail,
}

/// What bounds the mails that come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Intake {
    /// Largest message in octets.
    pub(crate) max_message_bytes: u64,
    /// Most recipients of one message.
    pub(crate) max_recipients: usize,
    /// Most connections at once, over all listeners.
    pub(crate) max_connections: usize,
    /// Most connections at once from one address.
    pub(crate) max_connections_per_address: usize,
    /// Most `Received:` fields of a mail that is not going in circles.
    pub(crate) max_received: usize,
    /// Most failed logins of one connection.
    pub(crate) max_login_failures: u32,
    /// Most failed logins of late from one address.
    pub(crate) max_login_failures_per_address: u32,
    /// Most failed logins of late to one account.
    pub(crate) max_login_failures_per_account: u32,
    /// Most mails of one client in a minute.
    pub(crate) max_mails_per_minute: u32,
    /// Most recipients of one client in an hour.
    pub(crate) max_recipients_per_hour: u32,
    /// Most mails from one address in a minute.
    pub(crate) max_mails_per_minute_per_address: u32,
    /// Most recipients from one address in an hour.
    pub(crate) max_recipients_per_hour_per_address: u32,
    /// How long a mail may ask to be held, in seconds; 0 offers no FUTURERELEASE.
    pub(crate) max_hold_s: u32,
    /// The least time, in seconds, that a mail may have that is to be given back then.
    pub(crate) min_deliver_by_s: u32,
    /// Longest wait for a command, in seconds.
    pub(crate) command_timeout_s: u64,
    /// Longest wait for the next part of a message, in seconds.
    pub(crate) data_timeout_s: u64,
}

/// Reads and checks the configuration: the file, and `conf.d/*.toml` beside it in
/// the order of their names. Secrets are read from the files that it names.
///
/// # Errors
/// Everything that is wrong with it, and the warnings as well.
pub(crate) fn load(path: &Path) -> Result<Config, Vec<Problem>> {
    load_with(path, credentials())
}

/// The same of texts that are not written yet: the main file first.
///
/// # Errors
/// Everything that is wrong with them, and the warnings as well.
pub(crate) fn load_texts(texts: &[Text]) -> Result<Config, Vec<Problem>> {
    judge(texts, credentials(), Findings::default())
}

/// The texts of the configuration as they are now, the main file first.
///
/// # Errors
/// The files that cannot be read.
pub(crate) fn read_texts(path: &Path) -> Result<Vec<Text>, Vec<Problem>> {
    let mut findings = Findings::default();
    let texts = texts::read(path, &mut findings);
    if findings.failed() { Err(findings.finish()) } else { Ok(texts) }
}

fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

fn load_with(path: &Path, credentials: Option<PathBuf>) -> Result<Config, Vec<Problem>> {
    let mut findings = Findings::default();
    let texts = texts::read(path, &mut findings);
    judge(&texts, credentials, findings)
}

fn judge(
    texts: &[Text],
    credentials: Option<PathBuf>,
    mut findings: Findings,
) -> Result<Config, Vec<Problem>> {
    let mut raw = Raw::default();
    let mut complete = !findings.failed();
    for Text { file, text } in texts {
        let number = findings.text(file, text.clone());
        complete &= Reader::read(&mut findings, number, text, &mut raw);
    }
    // What is missing in a half-read configuration may stand in the other half.
    let Some(main) = texts.first().filter(|_| complete) else {
        return Err(findings.finish());
    };
    let files = findings.files();
    let home = main.file.parent().unwrap_or(Path::new(""));
    let home = std::path::absolute(home).unwrap_or_else(|_| home.to_owned());
    let config = Check::new(&mut findings, home, credentials, &raw).config(&raw);
    match config {
        Some(config) if !findings.failed() => {
            Ok(Config { files, warnings: findings.finish(), ..config })
        }
        _ => Err(findings.finish()),
    }
}

/// The names of all clients that are declared, right or wrong, and the file of passwords
/// as it is written; `None` where there is no configuration to be read.
pub(crate) fn declared(path: &Path) -> Option<Declared> {
    let mut findings = Findings::default();
    let mut raw = Raw::default();
    for Text { file, text } in texts::read(path, &mut findings) {
        let number = findings.text(&file, text.clone());
        Reader::read(&mut findings, number, &text, &mut raw);
    }
    if findings.unread() {
        return None;
    }
    let clients = raw.client.iter().filter_map(|client| client.name.given());
    let passwords = raw.supervisor.passwords_file.given();
    let home = path.parent().unwrap_or(Path::new(""));
    Some(Declared {
        clients: clients.map(|name| name.value.clone()).collect(),
        passwords: passwords.map(|file| home.join(&file.value)),
        tokens: http::declared(&raw.http, home),
    })
}

/// What whoever sets passwords needs of a configuration that may not be whole yet.
#[derive(Debug)]
pub(crate) struct Declared {
    /// The names of its clients.
    pub(crate) clients: Vec<String>,
    /// Its file of passwords.
    pub(crate) passwords: Option<PathBuf>,
    /// Its file of tokens.
    pub(crate) tokens: Option<PathBuf>,
}

impl Declared {
    /// What would be right instead of a client that is not there; `None` for one that is.
    pub(crate) fn instead_of(&self, client: &str) -> Option<String> {
        let names = || self.clients.iter().map(String::as_str);
        if names().any(|name| name == client) {
            return None;
        }
        Some(suggest::instead(client, "client", names()))
    }
}

#[cfg(test)]
mod tests;
