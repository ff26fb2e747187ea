//! Checks how clients show who they are: passwords, certificates, users of this host;
//! and how far each of them may go.

use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
};

use argon2::password_hash::phc::PasswordHash;
use postfax_domain::{names::ClientName, number::Pattern, quota::Quota};
use postfax_gateway::auth::scram::Keys;

use super::{
    Config,
    address::{self, Wrong},
    check::Check,
    findings::{Place, Placed},
    raw,
    read::Entry,
    texts::read_file,
};

/// Where this host keeps the names of its users.
const USERS: &str = "/etc/passwd";
/// Most of anything in a day.
const MAX_A_DAY: u64 = 1_000_000_000;
/// Most urgent priority (RFC 6710 3).
const MAX_PRIORITY: u64 = 9;

/// How a client shows who it is, and how far it may go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    /// What its password is checked by, if it may log in.
    pub(crate) password: Option<Password>,
    /// Its TLS certificates.
    pub(crate) certificates: Vec<Certified>,
    /// The users of this host that it is, by number.
    pub(crate) users: Vec<u32>,
    /// What may stand in `From:` besides its own addresses.
    pub(crate) may_send_as: Vec<Pattern>,
    /// The most urgent priority that it gets (RFC 6710).
    pub(crate) max_priority: i8,
    /// How many mails it may send in a minute, where that differs from others.
    pub(crate) mails_per_minute: Option<u32>,
    /// How many recipients it may name in an hour, likewise.
    pub(crate) recipients_per_hour: Option<u32>,
}

/// What is known of a client that is not set up (any more).
static NOBODY: Access = Access {
    password: None,
    certificates: Vec::new(),
    users: Vec::new(),
    may_send_as: Vec::new(),
    max_priority: 0,
    mails_per_minute: None,
    recipients_per_hour: None,
};

impl Config {
    /// How a client shows who it is, and how far it may go.
    pub(crate) fn access_of(&self, client: &ClientName) -> &Access {
        self.access.get(client).unwrap_or(&NOBODY)
    }
}

/// What is kept of a password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Password {
    /// An Argon2 hash in PHC form.
    pub(crate) hash: String,
    /// The keys by which it can be proven without telling it.
    pub(crate) keys: Option<Keys>,
}

impl Password {
    /// Another number for another password, as long as this process lives.
    pub(crate) fn epoch(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash.hash(&mut hasher);
        hasher.finish()
    }
}

/// How a certificate is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certified {
    /// By the SHA-256 of all of it, 64 lower-case hexadecimal digits.
    Fingerprint(String),
    /// By a name that its authority vouches for, in small letters.
    Name(String),
}

impl Check<'_> {
    /// What clients may do, by name; whoever has none was reported.
    pub(super) fn client_access(
        &mut self,
        raw: &[raw::Client],
        own: &raw::Supervisor,
    ) -> BTreeMap<ClientName, Access> {
        let mut passwords = self.passwords(own);
        let mut certificates = BTreeMap::new();
        let mut users = BTreeMap::new();
        let mut all = BTreeMap::new();
        for client in raw {
            let by = client.name.given().map_or("", |name| name.value.as_str());
            let read = Access {
                password: None,
                certificates: self.of_one(&client.certificates, by, &mut certificates, certified),
                users: self.of_one(&client.users, by, &mut users, user),
                may_send_as: self.patterns(&client.may_send_as),
                max_priority: self.priority(&client.max_priority),
                mails_per_minute: self.rate(&client.max_mails_per_minute),
                recipients_per_hour: self.rate(&client.max_recipients_per_hour),
            };
            if let Ok(name) = ClientName::new(by) {
                let password = passwords.remove(&name);
                all.entry(name).or_insert(Access { password, ..read });
            }
        }
        all
    }

    /// Reads a list whose entries may belong to one client only.
    fn of_one<T: Ord + Clone>(
        &mut self,
        list: &Entry<Vec<Placed<String>>>,
        by: &str,
        owners: &mut BTreeMap<T, String>,
        parse: fn(&str) -> Result<T, Wrong>,
    ) -> Vec<T> {
        let mut read = Vec::new();
        for written in list.given().map_or(&[][..], |list| &list.value) {
            let Some(value) = self.parsed(Some(written), parse) else { continue };
            match owners.insert(value.clone(), by.to_owned()).filter(|owner| owner != by) {
                Some(owner) => {
                    let message = format!("\"{}\" belongs to two clients", written.value);
                    let help = format!("\"{owner}\" has it already: leave one of the two out");
                    self.findings.error(&written.place, message, help);
                }
                None => read.push(value),
            }
        }
        read
    }

    fn patterns(&mut self, list: &Entry<Vec<Placed<String>>>) -> Vec<Pattern> {
        let list = list.given().map_or(&[][..], |list| &list.value);
        list.iter().filter_map(|one| self.parsed(Some(one), address::mail_pattern)).collect()
    }

    fn priority(&mut self, entry: &Entry<u64>) -> i8 {
        i8::try_from(self.count(entry, 0, 0..=MAX_PRIORITY)).unwrap_or(0)
    }

    fn rate(&mut self, entry: &Entry<u64>) -> Option<u32> {
        entry.given()?;
        Some(self.small(entry, 1, 1..=1_000_000))
    }

    pub(super) fn quota(&mut self, raw: &raw::Quota) -> Quota {
        let mut day = |entry: &Entry<u64>| {
            entry.given()?;
            Some(self.small(entry, 0, 0..=MAX_A_DAY))
        };
        Quota {
            pages_a_day: day(&raw.pages_a_day),
            calls_a_day: day(&raw.calls_a_day),
            calls_abroad_a_day: day(&raw.calls_abroad_a_day),
        }
    }

    /// The lines of a secret file that say something, with their places. Where such a
    /// place is shown, `masked` is: the same text with its secrets hidden.
    pub(super) fn entries<'t>(
        &mut self,
        path: &Path,
        text: &'t str,
        masked: String,
    ) -> Vec<(&'t str, Place)> {
        let number = self.findings.text(path, masked);
        let (mut entries, mut start) = (Vec::new(), 0);
        for line in text.split_inclusive('\n') {
            let entry = line.trim_end();
            let place = Place { text: number, span: start..start + entry.len(), key: "".into() };
            start += line.len();
            if !entry.is_empty() && !entry.starts_with('#') {
                entries.push((entry, place));
            }
        }
        entries
    }

    /// Of those who may log in: a line `client:hash` or `client:hash:keys` for each.
    fn passwords(&mut self, raw: &raw::Supervisor) -> BTreeMap<ClientName, Password> {
        let Some(file) = raw.passwords_file.given() else { return BTreeMap::new() };
        let path = self.secret_path(file);
        let text = match read_file(&path) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("{} cannot be read: {error}", path.display());
                let help = "name a file with a line \"client:hash\" for each client that logs in";
                self.findings.error(&file.place, message, help);
                return BTreeMap::new();
            }
        };
        let mut passwords = BTreeMap::new();
        for (entry, place) in self.entries(&path, &text, masked(&text)) {
            let Some((client, password)) = self.password(entry, &place) else { continue };
            if passwords.insert(client, password).is_some() {
                let help = "leave one of the two lines out";
                self.findings.error(&place, "this client has a password already", help);
            }
        }
        passwords
    }

    fn password(&mut self, entry: &str, place: &Place) -> Option<(ClientName, Password)> {
        let Some((client, secrets)) = entry.split_once(':') else {
            self.findings.error(place, "this line has no colon", "write client:hash");
            return None;
        };
        let name = Placed { value: client.to_owned(), place: place.clone() };
        let client = self.client_named(&name);
        let (hash, keys) = match secrets.split_once(':') {
            Some((hash, keys)) => (hash, Some(keys)),
            None => (secrets, None),
        };
        let is_argon2 = |hash: PasswordHash| hash.algorithm.as_str().starts_with("argon2");
        if !PasswordHash::new(hash).is_ok_and(is_argon2) {
            let help = "write an Argon2 hash in PHC form: $argon2id$v=19$...";
            self.findings.error(place, "what follows the colon is no password hash", help);
            return None;
        }
        let keys = match keys.map(str::parse::<Keys>).transpose() {
            Ok(keys) => keys,
            Err(bad) => {
                let help = "set the password again with postfax passwd, or leave the keys out";
                self.findings.error(place, bad.to_string(), help);
                return None;
            }
        };
        Some((client?, Password { hash: hash.to_owned(), keys }))
    }
}

/// `sha256:HEX` as openssl prints it, or `name:NAME`.
fn certified(text: &str) -> Result<Certified, Wrong> {
    let wrong = || {
        let message = format!("\"{text}\" names no certificate");
        let help = "write sha256: and the 64 hexadecimal digits of openssl x509 -fingerprint \
                    -sha256, or name: and a host name or mail address that the certificate is for";
        Wrong::new(message, help)
    };
    match text.split_once(':') {
        Some(("sha256", digits)) => {
            let digits = digits.replace(':', "").to_ascii_lowercase();
            let good = digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            if good { Ok(Certified::Fingerprint(digits)) } else { Err(wrong()) }
        }
        Some(("name", name)) => {
            let good = !name.is_empty() && !name.contains([' ', '*', ',']);
            if good { Ok(Certified::Name(name.to_ascii_lowercase())) } else { Err(wrong()) }
        }
        _ => Err(wrong()),
    }
}

/// The number of a user of this host, named or given.
fn user(text: &str) -> Result<u32, Wrong> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let users = fs::read_to_string(USERS).unwrap_or_default();
    let number = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(text) {
            return None;
        }
        fields.nth(1)?.parse().ok()
    });
    number.ok_or_else(|| {
        let help = format!("write a name of {USERS}, or the number of a user");
        Wrong::new(format!("there is no user \"{text}\" on this host"), help)
    })
}

/// The text with everything but names replaced, so that no hash is ever shown.
fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let entry = line.trim_end();
        let shown = entry.find(':').unwrap_or(0);
        masked.push_str(&entry[..shown]);
        masked.push_str(&"*".repeat(entry.len() - shown));
        masked.push_str(&line[entry.len()..]);
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_known_by_fingerprint_or_name() {
        let digits = "AB:".repeat(31) + "AB";
        let print = Certified::Fingerprint("ab".repeat(32));
        for (text, read) in [
            (format!("sha256:{digits}"), Some(print.clone())),
            (format!("sha256:{}", "ab".repeat(32)), Some(print)),
            ("name:MFP3.example.com".into(), Some(Certified::Name("mfp3.example.com".into()))),
            (format!("sha256:{}", "ab".repeat(31)), None),
            (format!("sha256:{}", "xy".repeat(32)), None),
            ("name:".into(), None),
            ("name:*.example.com".into(), None),
            ("mfp3.example.com".into(), None),
        ] {
            assert_eq!(certified(&text).ok(), read, "{text}");
        }
    }

    #[test]
    fn users_have_numbers() {
        assert_eq!(user("root").unwrap(), 0);
        assert_eq!(user("4711").unwrap(), 4711);
        assert!(user("nobody of this name").unwrap_err().message.contains("no user"));
    }
}
