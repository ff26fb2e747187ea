//! Checks `[[webhook]]`: who is told by HTTP of what has happened, where, and by which
//! secret it is proved. Calls nobody.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    path::PathBuf,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hyper::Uri;
use postfax_domain::{
    authority::Who,
    names::HookName,
    webhook::{EVENTS, Event, Hook},
};

use super::{
    address::Wrong,
    check::{Check, declared},
    findings::Placed,
    raw,
    read::Entry,
};

/// Most webhooks: each has a connection of its own.
const MAX_WEBHOOKS: usize = 100;
/// What a secret begins with (Standard Webhooks).
const SECRET_PREFIX: &str = "whsec_";
/// How long a secret is, in octets (Standard Webhooks).
const SECRET_OCTETS: std::ops::RangeInclusive<usize> = 24..=64;
const HELP_URL: &str = "write https://hooks.example.com/fax";
const HELP_SECRET: &str = "make one: echo \"whsec_$(openssl rand -base64 32)\"";
const DAY_S: u64 = 24 * 3600;

/// Somebody who is told, as it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Webhook {
    /// Where it is.
    pub(crate) url: Url,
    /// What proves that we speak; the newest first.
    pub(crate) keys: Vec<Key>,
    /// Whose certificates are believed, instead of those that the system believes.
    pub(crate) ca_file: Option<PathBuf>,
    /// The wait after the first failure.
    pub(crate) retry: Duration,
    /// How long an event is tried.
    pub(crate) give_up: Duration,
}

/// A URL of HTTP, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    /// Whether it is `https`.
    pub(crate) encrypted: bool,
    /// Name or address, without brackets.
    pub(crate) host: String,
    /// Port.
    pub(crate) port: u16,
    /// Host and port as they were written.
    pub(crate) authority: String,
    /// Path and query.
    pub(crate) path: String,
}

impl Url {
    /// Without the path, which may hold what is nobody's business.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.encrypted { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}

/// What a signature is made with. It does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key(Vec<u8>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// Reads a secret as receivers have it: `whsec_` and 24 to 64 octets in Base64.
    ///
    /// # Errors
    /// What is wrong with it, and never what it holds.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let encoded = text.strip_prefix(SECRET_PREFIX);
        let encoded = encoded.ok_or("the secret does not begin with whsec_")?;
        let octets =
            BASE64_STANDARD.decode(encoded).map_err(|_| "what follows whsec_ is no Base64")?;
        if !SECRET_OCTETS.contains(&octets.len()) {
            return Err(format!("the secret has {} octets, not 24 to 64", octets.len()));
        }
        Ok(Self(octets))
    }

    /// The key itself.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.0
    }
}

/// The webhooks, as it is decided what they are told and as they are reached.
pub(super) type Webhooks = (BTreeMap<HookName, Hook>, BTreeMap<HookName, Webhook>);

impl Check<'_> {
    pub(super) fn webhooks(&mut self, raw: &[raw::Webhook]) -> Webhooks {
        declared(self.findings, "webhook", raw.iter().map(|hook| &hook.name));
        if let Some(one) = raw.get(MAX_WEBHOOKS) {
            let message = format!("there are more than {MAX_WEBHOOKS} webhooks");
            self.findings.error(&one.place, message, "let one receiver pass events on to others");
        }
        let (mut hooks, mut reached) = Webhooks::default();
        for hook in raw {
            let name = self.required(&hook.name, &hook.place, "name", "\"crm\"");
            let name = self.named(name, HookName::new);
            if let (Some((decided, access)), Some(name)) = (self.webhook(hook), name) {
                hooks.insert(name.clone(), decided);
                reached.insert(name, access);
            }
        }
        (hooks, reached)
    }

    fn webhook(&mut self, raw: &raw::Webhook) -> Option<(Hook, Webhook)> {
        let clear = raw.cleartext.given().is_some_and(|flag| flag.value);
        let url = self.required(&raw.url, &raw.place, "url", "\"https://hooks.example.com/fax\"");
        let url = self.parsed(url, |text| url_of(text, clear));
        let client = self.required(&raw.client, &raw.place, "client", "\"anna\"");
        let client = client.and_then(|name| self.client_named(name));
        self.required(&raw.secret_file, &raw.place, "secret_file", "\"crm.secret\"");
        let newest = self.signing_key(&raw.secret_file);
        let previous = self.signing_key(&raw.previous_secret_file);
        let events = self.events(&raw.events);
        let ca_file = self.ca_file(&raw.ca_file);
        let max_waiting = self.count(&raw.max_waiting, 10_000, 1..=1_000_000);
        let retry = Duration::from_secs(self.count(&raw.retry_s, 5, 1..=3600));
        let give_up = Duration::from_secs(self.count(&raw.give_up_s, 3 * DAY_S, 1..=30 * DAY_S));
        let (url, who) = (url?, Who::Client(client?));
        let hook = Hook { who, events, url: url.to_string(), max_waiting };
        let keys = [newest?].into_iter().chain(previous).collect();
        Some((hook, Webhook { url, keys, ca_file, retry, give_up }))
    }

    fn signing_key(&mut self, file: &Entry<String>) -> Option<Key> {
        let secret = self.secret(file)?;
        match Key::parse(secret.reveal()) {
            Ok(key) => Some(key),
            Err(why) => {
                let place = &file.given()?.place;
                self.findings.error(place, why, HELP_SECRET);
                None
            }
        }
    }

    /// All of them where none are named.
    fn events(&mut self, names: &Entry<Vec<Placed<String>>>) -> BTreeSet<Event> {
        match names.given() {
            None => EVENTS.iter().map(|(_, event)| *event).collect(),
            Some(list) => {
                list.value.iter().filter_map(|name| self.choice(Some(name), &EVENTS)).collect()
            }
        }
    }
}

/// In the clear only where nobody is on the way, or when it is said in so many words.
fn url_of(text: &str, clear: bool) -> Result<Url, Wrong> {
    let wrong = |message: &str| Wrong::new(message, HELP_URL);
    let uri: Uri = text.parse().map_err(|_| wrong("this is no URL"))?;
    let encrypted = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(wrong("a webhook has a URL of https")),
    };
    let authority = uri.authority().ok_or_else(|| wrong("this URL has no host"))?;
    if authority.as_str().contains('@') {
        let message = "a user must not stand in the URL of a webhook";
        let help = "receivers know us by the signature: leave it out";
        return Err(Wrong { secret: true, ..Wrong::new(message, help) });
    }
    if text.contains('#') {
        return Err(wrong("a part behind # is never sent"));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let behind = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    let port = match (behind, authority.port_u16()) {
        ("", _) if encrypted => 443,
        ("", _) => 80,
        (_, Some(port)) if port > 0 => port,
        _ => return Err(wrong("this URL has no usable port: it must be from 1 to 65535")),
    };
    if host.is_empty() {
        return Err(wrong("this URL has no host"));
    }
    if !encrypted && !clear && !is_near(&host) {
        let message = "whoever is on the way could read what is told there";
        let help = "use https://; or http:// to localhost or a private address; or say \
                    cleartext = true";
        return Err(Wrong::new(message, help));
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(Url { encrypted, host, port, authority: authority.to_string(), path })
}

/// Whether a host is this one or, by its address, of a private network.
fn is_near(host: &str) -> bool {
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_encrypted_or_near() {
        for (text, clear, wanted) in [
            (
                "https://hooks.example.com/fax?x=1",
                false,
                Some(("hooks.example.com", 443, "/fax?x=1")),
            ),
            ("https://hooks.example.com", false, Some(("hooks.example.com", 443, "/"))),
            ("https://hooks.example.com?x", false, Some(("hooks.example.com", 443, "/?x"))),
            ("https://[2001:db8::1]:8443/a", false, Some(("2001:db8::1", 8443, "/a"))),
            ("http://127.0.0.1:8000/a", false, Some(("127.0.0.1", 8000, "/a"))),
            ("http://localhost/", false, Some(("localhost", 80, "/"))),
            ("http://10.1.2.3/", false, Some(("10.1.2.3", 80, "/"))),
            ("http://[fd00::1]/", false, Some(("fd00::1", 80, "/"))),
            ("http://hooks.example.com/", false, None),
            ("http://192.0.2.1/", false, None),
            ("http://169.254.169.254/", false, None),
            ("http://hooks.example.com/", true, Some(("hooks.example.com", 80, "/"))),
            ("ftp://hooks.example.com/", true, None),
            ("file:///etc/passwd", true, None),
            ("https://", true, None),
            ("https://u:p@hooks.example.com/", true, None),
            ("https://hooks.example.com:0/", true, None),
            ("https://hooks.example.com:99999/", true, None),
            ("https://hooks.example.com/a#b", true, None),
            ("hooks.example.com", true, None),
        ] {
            let url = url_of(text, clear).ok();
            let parts = url.as_ref().map(|url| (url.host.as_str(), url.port, url.path.as_str()));
            assert_eq!(parts, wanted, "{text}");
        }
    }

    #[test]
    fn secrets_are_as_receivers_have_them() {
        let encoded = |octets: usize| BASE64_STANDARD.encode(vec![7; octets]);
        for (text, good) in [
            (format!("whsec_{}", encoded(24)), true),
            (format!("whsec_{}", encoded(64)), true),
            (format!("whsec_{}", encoded(23)), false),
            (format!("whsec_{}", encoded(65)), false),
            (encoded(32), false),
            ("whsec_geheim!".to_owned(), false),
        ] {
            let key = Key::parse(&text);
            assert_eq!(key.is_ok(), good, "{text}");
            assert!(!format!("{key:?}").contains("geheim"));
        }
    }
}
