//! Checks what has to do with the DNS: how it is asked (`[dns]`), and the keys that
//! our mails are signed with and that are published in it (`dkim` of `[delivery]`).

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::Path,
};

use postfax_gateway::{
    sign::{Key, Signer},
    verify,
};

use super::{
    address::{self, Wrong},
    check::Check,
    findings::Placed,
    raw,
};

/// The port of the DNS (RFC 1035 4.2).
const PORT: u16 = 53;
/// Largest file of a key in bytes; RSA of 4096 bits takes 3.3 KiB.
const MAX_KEY_BYTES: u64 = 16 << 10;
/// Most signatures of one mail.
const MAX_KEYS: usize = 4;

impl Check<'_> {
    pub(super) fn dns(&mut self, raw: &raw::Dns) -> verify::Options {
        let nothing = Vec::new();
        let servers = raw.servers.given().map_or(&nothing, |list| &list.value);
        verify::Options {
            servers: servers.iter().filter_map(|at| self.parsed(Some(at), server)).collect(),
            timeout_s: self.count(&raw.timeout_s, 3, 1..=20),
            tries: self.size(&raw.tries, 2, 1..=5),
            cache_entries: self.count(&raw.cache_entries, 4096, 0..=1_000_000),
        }
    }

    pub(super) fn signer(&mut self, raw: &[raw::Dkim]) -> Signer {
        if let Some(surplus) = raw.get(MAX_KEYS) {
            let message = format!("there are more than {MAX_KEYS} keys");
            let help = "keep one RSA key and one Ed25519 key, and the next of each at most";
            self.findings.error(&surplus.place, message, help);
        }
        Signer::new(raw.iter().take(MAX_KEYS).filter_map(|key| self.key(key)).collect())
    }

    fn key(&mut self, raw: &raw::Dkim) -> Option<Key> {
        let at = &raw.place;
        let domain = self.required(&raw.domain, at, "domain", "\"example.com\"");
        let domain = self.parsed(domain, address::domain);
        let name = self.required(&raw.selector, at, "selector", "\"fax1\"");
        let name = self.parsed(name, selector);
        let file = self.required(&raw.key_file, at, "key_file", "\"dkim.pem\"")?;
        let pem = self.pem(file)?;
        match Key::new(&domain?, &name?, &pem) {
            Ok(key) => Some(key),
            Err(why) => {
                let help = "make one: openssl genpkey -algorithm RSA -pkeyopt \
                            rsa_keygen_bits:2048 -out dkim.pem";
                self.findings.error(&file.place, format!("{}: {why}", file.value), help);
                None
            }
        }
    }

    fn pem(&mut self, file: &Placed<String>) -> Option<String> {
        let path = self.secret_path(file);
        match read(&path) {
            Ok(pem) => Some(pem),
            Err(error) => {
                let message = format!("{} cannot be read: {error}", path.display());
                self.findings.error(&file.place, message, "name the PEM file of a private key");
                None
            }
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_KEY_BYTES {
        return Err(io::Error::other("it is too large for a key"));
    }
    fs::read_to_string(path)
}

fn server(text: &str) -> Result<SocketAddr, Wrong> {
    let whole = text.parse().ok();
    let bare = || Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, PORT));
    whole.or_else(bare).filter(|address| address.port() > 0).ok_or_else(|| {
        let help = "write an address, and a port where it is not 53: 127.0.0.1, [::1]:5353";
        Wrong::new(format!("\"{text}\" is no address of a DNS server"), help)
    })
}

/// RFC 6376 3.1: labels of letters, digits and hyphens, with dots between them.
fn selector(text: &str) -> Result<String, Wrong> {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_label = |label: &str| {
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.len() <= 63
    };
    if text.split('.').all(|label| is_label(label) && label.chars().all(is_inner)) {
        return Ok(text.to_ascii_lowercase());
    }
    let help = "write letters, digits and hyphens, such as fax1: the key is published as \
                fax1._domainkey.example.com";
    Err(Wrong::new(format!("\"{text}\" is no selector"), help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_selectors() {
        for (text, expected) in [
            ("127.0.0.1", Some("127.0.0.1:53")),
            ("127.0.0.1:5353", Some("127.0.0.1:5353")),
            ("::1", Some("[::1]:53")),
            ("[::1]:5353", Some("[::1]:5353")),
            ("127.0.0.1:0", None),
            ("dns.example.com", None),
        ] {
            let expected = expected.map(|address| address.parse().unwrap());
            assert_eq!(server(text).ok(), expected, "{text}");
        }
        for (text, good) in [
            ("fax1", true),
            ("a.b", true),
            ("", false),
            ("a..b", false),
            ("-a", false),
            ("a_b", false),
        ] {
            assert_eq!(selector(text).is_ok(), good, "{text}");
        }
    }
}
