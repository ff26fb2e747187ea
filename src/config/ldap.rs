//! Checks `[ldap]`: where the phone book is read by LDAP, what its entries hang below, and
//! what bounds those who read. Opens no socket.

use std::{fmt, net::SocketAddr};

use super::{address::Wrong, check::Check, findings::Place, raw};

/// Where a certificate is needed.
const HELP_TLS: &str = "add [tls] with certificate and key; or, where passwords may cross the \
                        network in the clear, use ldap:// and say cleartext = true";
/// Longest name that entries hang below, in bytes.
const MAX_BASE_BYTES: usize = 255;

/// The door for address books that speak LDAP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ldap {
    /// Where it is, each address once.
    pub(crate) listen: Vec<LdapAddress>,
    /// What the entries hang below: pairs of type and value, the nearest first.
    pub(crate) base: Vec<(String, String)>,
    /// Whether passwords are taken that other hosts send in the clear.
    pub(crate) cleartext: bool,
    /// What bounds it.
    pub(crate) limits: LdapLimits,
}

/// An address of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LdapAddress {
    /// Address and port.
    pub(crate) address: SocketAddr,
    /// Whether it begins with TLS; otherwise TLS can be started (RFC 4511 4.14).
    pub(crate) tls: bool,
}

impl fmt::Display for LdapAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "ldaps" } else { "ldap" }, self.address)
    }
}

/// What bounds those who read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LdapLimits {
    /// Most connections at once.
    pub(crate) max_connections: usize,
    /// Most of them from one address.
    pub(crate) max_connections_per_address: usize,
    /// Largest message in octets.
    pub(crate) max_message_bytes: usize,
    /// Most searches of one connection at once.
    pub(crate) max_searches: usize,
    /// Most entries of one answer, or of one page of it.
    pub(crate) max_entries: usize,
    /// Longest search, in seconds.
    pub(crate) search_timeout_s: u64,
    /// How long a connection may say nothing, in seconds.
    pub(crate) idle_timeout_s: u64,
}

impl Check<'_> {
    /// `[ldap]`; none without the table.
    pub(super) fn ldap(
        &mut self,
        raw: &raw::Ldap,
        supervisor: &raw::Supervisor,
        tls: &raw::Tls,
    ) -> Option<Ldap> {
        if raw.place.key.is_empty() {
            return None;
        }
        let example = "[\"ldap://[::]:389\", \"ldaps://[::]:636\"]";
        let written = self.required(&raw.listen, &raw.place, "listen", example);
        let none = Vec::new();
        let cleartext = raw.cleartext.given().is_some_and(|flag| flag.value);
        let mut listen: Vec<LdapAddress> = Vec::new();
        for url in written.map_or(&none, |list| &list.value) {
            let Some(address) = self.parsed(Some(url), address) else { continue };
            self.guarded(address, cleartext, tls, &url.place);
            if listen.iter().any(|one| one.address == address.address) {
                let message = format!("{} is there twice", address.address);
                self.findings.error(&url.place, message, "name each address once");
            }
            listen.push(address);
        }
        if let Some(list) = written.filter(|list| list.value.is_empty()) {
            self.findings.error(&list.place, "nobody could come in", format!("write {example}"));
        }
        let domain = supervisor.domain.given().map_or("", |domain| &domain.value);
        let base = match raw.base.given() {
            Some(text) => self.parsed(Some(text), base),
            None => Some(base_of(domain)),
        };
        let limits = LdapLimits {
            max_connections: self.size(&raw.max_connections, 200, 1..=100_000),
            max_connections_per_address: self.size(
                &raw.max_connections_per_address,
                20,
                1..=100_000,
            ),
            max_message_bytes: self.size(&raw.max_message_bytes, 64 << 10, 1 << 10..=16 << 20),
            max_searches: self.size(&raw.max_searches, 8, 1..=1000),
            max_entries: self.size(&raw.max_entries, 1000, 1..=200_000),
            search_timeout_s: self.count(&raw.search_timeout_s, 10, 1..=300),
            idle_timeout_s: self.count(&raw.idle_timeout_s, 900, 10..=24 * 3600),
        };
        Some(Ldap { listen, base: base?, cleartext, limits })
    }

    /// Whether a password that comes in there is safe on its way.
    fn guarded(&mut self, address: LdapAddress, cleartext: bool, tls: &raw::Tls, place: &Place) {
        let local = address.address.ip().is_loopback();
        if tls.place.key.is_empty() && (address.tls || !(local || cleartext)) {
            let message = if address.tls {
                "there is no certificate to encrypt with"
            } else {
                "nobody could log in: passwords need encryption, and there is no certificate"
            };
            self.findings.error(place, message, HELP_TLS);
        }
        if cleartext && !address.tls && !local {
            let message = "passwords may cross the network in the clear";
            self.findings.warn(place, message, "leave cleartext out, and have clients use TLS");
        }
    }
}

fn address(text: &str) -> Result<LdapAddress, Wrong> {
    let help = "write ldap:// or ldaps:// with an address and a port: ldap://[::]:389";
    let wrong = || Wrong::new(format!("\"{text}\" is no address to listen on"), help);
    let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
    let tls = match scheme {
        "ldap" => false,
        "ldaps" => true,
        _ => return Err(wrong()),
    };
    let address = rest.trim_end_matches('/').parse().map_err(|_| wrong())?;
    Ok(LdapAddress { address, tls })
}

/// A name without escapes (RFC 4514): more is not needed to hang a phone book below it.
fn base(text: &str) -> Result<Vec<(String, String)>, Wrong> {
    let help = "write types and values with commas between: dc=fax,dc=example,dc=com";
    let wrong = |why: &str| Wrong::new(format!("\"{text}\" {why}"), help);
    if text.len() > MAX_BASE_BYTES {
        return Err(wrong(&format!("is longer than {MAX_BASE_BYTES} bytes")));
    }
    let pair = |part: &str| {
        let (kind, value) = part.split_once('=')?;
        let (kind, value) = (kind.trim().to_ascii_lowercase(), value.trim());
        let known = ["dc", "o", "ou", "c", "l", "st", "cn"].contains(&kind.as_str());
        let plain = |c: char| c.is_alphanumeric() || " -._".contains(c);
        let good = known && !value.is_empty() && value.chars().all(plain);
        good.then(|| (kind, value.to_owned()))
    };
    let pairs: Option<Vec<_>> = text.split(',').map(pair).collect();
    pairs.ok_or_else(|| wrong("is no name that entries can hang below"))
}

/// RFC 2247: each label of the domain is a component.
fn base_of(domain: &str) -> Vec<(String, String)> {
    domain.split('.').map(|label| ("dc".to_owned(), label.to_ascii_lowercase())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_urls() {
        for (text, read) in [
            ("ldap://127.0.0.1:389", Some(("127.0.0.1:389", false))),
            ("ldaps://[::]:636/", Some(("[::]:636", true))),
            ("ldap://localhost:389", None),
            ("127.0.0.1:389", None),
            ("https://127.0.0.1:389", None),
        ] {
            let read = read.map(|(at, tls)| LdapAddress { address: at.parse().unwrap(), tls });
            assert_eq!(address(text).ok(), read, "{text}");
        }
    }

    #[test]
    fn a_base_is_types_and_values() {
        for (text, pairs) in [
            ("dc=fax, DC=example", Some(vec![("dc", "fax"), ("dc", "example")])),
            ("o=Acme Ltd", Some(vec![("o", "Acme Ltd")])),
            ("", None),
            ("dc=", None),
            ("x=1", None),
            ("o=a\\,b", None),
        ] {
            let pairs = pairs.map(|pairs| {
                pairs.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect::<Vec<_>>()
            });
            assert_eq!(base(text).ok(), pairs, "{text}");
        }
        assert_eq!(base_of("Fax.example").len(), 2);
    }
}
