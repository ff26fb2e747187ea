//! Checks `[http]`: where requests by HTTP come in, what bounds them, and the tokens
//! that say whose they are. Opens no socket and makes no token.

use std::{fmt, net::SocketAddr, path::PathBuf};

use postfax_domain::{names::ClientName, time::Timestamp};
use sha2::{Digest as _, Sha256};

use super::{
    address::Wrong,
    check::Check,
    findings::{Place, Placed},
    raw,
    texts::read_file,
};

/// What every token begins with, so that it is found where it does not belong.
pub(crate) const TOKEN_PREFIX: &str = "postfax_";
/// Longest name of a token in bytes.
const MAX_TOKEN_NAME_BYTES: usize = 64;
/// Most tokens: each request is held against all of them.
const MAX_TOKENS: usize = 10_000;
/// Where a request that may be from another host is never in the clear by mistake.
const HELP_TLS: &str = "add [tls] with certificate and key; or, where a proxy encrypts, \
                        listen on 127.0.0.1; or say tls = false";

/// The door for requests by HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Http {
    /// Where it is.
    pub(crate) address: SocketAddr,
    /// Whether it is encrypted, by the certificate of `[tls]`.
    pub(crate) tls: bool,
    /// Who may come in.
    pub(crate) tokens: Vec<Token>,
    /// Whether address books come in as well.
    pub(crate) carddav: bool,
    /// What bounds it.
    pub(crate) limits: HttpLimits,
}

/// What bounds requests by HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpLimits {
    /// Largest body in octets.
    pub(crate) max_body_bytes: usize,
    /// Most connections at once.
    pub(crate) max_connections: usize,
    /// Most of them that follow events.
    pub(crate) max_event_streams: usize,
    /// Most answers that are kept for one client, to be given again.
    pub(crate) max_kept_answers: usize,
    /// How long they are kept, in seconds.
    pub(crate) keep_answers_s: u64,
    /// Longest wait for the header of a request, in seconds.
    pub(crate) header_timeout_s: u64,
    /// Longest time from the header of a request to its answer, in seconds.
    pub(crate) request_timeout_s: u64,
    /// Largest card that an address book may bring, in octets.
    pub(crate) max_card_bytes: usize,
    /// Largest question of an address book, in octets.
    pub(crate) max_report_bytes: usize,
}

/// What is kept of a token: a line `CLIENT NAME DIGEST CREATED EXPIRES`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// Whose it is.
    pub(crate) client: ClientName,
    /// Which one of theirs.
    pub(crate) name: String,
    /// SHA-256 of it.
    pub(crate) digest: [u8; 32],
    /// When it was made.
    pub(crate) created: Timestamp,
    /// When it ends, if it does.
    pub(crate) expires: Option<Timestamp>,
}

impl Token {
    /// Reads a line of the file of tokens.
    ///
    /// # Errors
    /// What is wrong with it, and never what it holds.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [client, name, digest, created, expires] = fields[..] else {
            return Err(format!("{} fields are no token, which has 5", fields.len()));
        };
        let expires = match expires {
            "never" => None,
            moment => Some(time(moment)?),
        };
        Ok(Self {
            client: ClientName::new(client).map_err(|bad| bad.to_string())?,
            name: token_name(name)?,
            digest: digest_of_hex(digest).ok_or("the third field is no SHA-256")?,
            created: time(created)?,
            expires,
        })
    }

    /// What is kept of a token.
    pub(crate) fn digest(token: &str) -> [u8; 32] {
        Sha256::digest(token.as_bytes()).into()
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, name, digest, created, expires } = self;
        write!(f, "{client} {name} ")?;
        for octet in digest {
            write!(f, "{octet:02x}")?;
        }
        write!(f, " {}", moment(*created))?;
        match expires {
            Some(end) => write!(f, " {}", moment(*end)),
            None => f.write_str(" never"),
        }
    }
}

/// A moment as files have it (RFC 3339).
pub(crate) fn moment(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn time(text: &str) -> Result<Timestamp, String> {
    let moment: jiff::Timestamp = text
        .parse()
        .map_err(|_| format!("\"{text}\" is no moment such as 2030-01-31T08:00:00Z"))?;
    Ok(Timestamp(moment.as_millisecond()))
}

/// What a token may be called.
///
/// # Errors
/// What would be right.
pub(crate) fn token_name(name: &str) -> Result<String, String> {
    let usual = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > MAX_TOKEN_NAME_BYTES || !name.chars().all(usual) {
        let most = MAX_TOKEN_NAME_BYTES;
        return Err(format!("a token's name is 1 to {most} letters, digits, '-', '_' and '.'"));
    }
    Ok(name.to_owned())
}

fn digest_of_hex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 2 * digest.len() || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (octet, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *octet = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(digest)
}

impl Check<'_> {
    /// `[http]`; none without the table.
    pub(super) fn http(&mut self, raw: &raw::Http, tls: &raw::Tls) -> Option<Http> {
        if raw.place.key.is_empty() {
            return None;
        }
        let written = self.required(&raw.address, &raw.place, "address", "\"127.0.0.1:8080\"");
        let address = self.parsed(written, address);
        let tokens = self.tokens(raw);
        let limits = HttpLimits {
            max_body_bytes: self.size(&raw.max_body_bytes, 50 << 20, 1 << 10..=1 << 30),
            max_connections: self.size(&raw.max_connections, 200, 1..=100_000),
            max_event_streams: self.size(&raw.max_event_streams, 50, 1..=100_000),
            max_kept_answers: self.size(&raw.max_kept_answers, 1000, 1..=100_000),
            keep_answers_s: self.count(&raw.keep_answers_s, 24 * 3600, 60..=7 * 24 * 3600),
            header_timeout_s: self.count(&raw.header_timeout_s, 10, 1..=300),
            request_timeout_s: self.count(&raw.request_timeout_s, 120, 1..=3600),
            max_card_bytes: self.size(&raw.max_card_bytes, 256 << 10, 1 << 10..=256 << 10),
            max_report_bytes: self.size(&raw.max_report_bytes, 4 << 20, 1 << 10..=64 << 20),
        };
        // Why it is there unless it is told not to be: who may come in sees there what
        // they see at every door, and people look for it where the rest is.
        let carddav = raw.carddav.given().is_none_or(|flag| flag.value);
        let address = address?;
        let tls = self.encrypts(raw, tls, address, &written?.place);
        Some(Http { address, tls, tokens, carddav, limits })
    }

    /// In the clear only on this host, or when it is said in so many words.
    fn encrypts(
        &mut self,
        raw: &raw::Http,
        tls: &raw::Tls,
        address: SocketAddr,
        place: &Place,
    ) -> bool {
        let said = raw.tls.given();
        let local = address.ip().is_loopback();
        let encrypts = said.map_or(!local, |flag| flag.value);
        if encrypts && tls.place.key.is_empty() {
            let message = match said {
                Some(_) => "there is no certificate to encrypt with",
                None => "whoever is on the way could read the tokens",
            };
            self.findings.error(said.map_or(place, |flag| &flag.place), message, HELP_TLS);
        }
        if let (Some(flag), false, false) = (said, encrypts, local) {
            let message = "the tokens cross the network in the clear";
            let help = "use the certificate of [tls], or listen on 127.0.0.1 behind a proxy";
            self.findings.warn(&flag.place, message, help);
        }
        encrypts
    }

    fn tokens(&mut self, raw: &raw::Http) -> Vec<Token> {
        let Some(file) = raw.tokens_file.given() else { return Vec::new() };
        let path = self.secret_path(file);
        let text = match read_file(&path) {
            Ok(text) => text,
            // No token was made yet.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                let message = format!("{} cannot be read: {error}", path.display());
                self.findings.error(&file.place, message, "have it made by postfax token create");
                return Vec::new();
            }
        };
        let entries = self.entries(&path, &text, masked(&text));
        let tokens: Vec<Token> =
            entries.into_iter().filter_map(|(entry, place)| self.token(entry, &place)).collect();
        if tokens.len() > MAX_TOKENS {
            let message = format!("there are more than {MAX_TOKENS} tokens");
            self.findings.error(&file.place, message, "revoke those that nobody uses");
        }
        tokens
    }

    fn token(&mut self, entry: &str, place: &Place) -> Option<Token> {
        match Token::parse(entry) {
            Ok(token) => {
                let client = Placed { value: token.client.to_string(), place: place.clone() };
                self.client_named(&client).map(|_| token)
            }
            Err(why) => {
                let help = "make a new one with postfax token create, and take this line out";
                self.findings.error(place, why, help);
                None
            }
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| {
        let help = "write an address and a port: 127.0.0.1:8080 or [::]:8443";
        Wrong::new(format!("\"{text}\" is no address to listen on"), help)
    })
}

/// Names stay; digests do not, nor what stands where they should.
fn masked(text: &str) -> String {
    let hide = |c: char| if c.is_ascii_whitespace() { c } else { '*' };
    let mut masked = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        for (field, word) in line.split_inclusive([' ', '\t']).enumerate() {
            match field == 2 || word.trim_end().len() >= 2 * 32 {
                true => masked.extend(word.chars().map(hide)),
                false => masked.push_str(word),
            }
        }
    }
    masked
}

/// The file of tokens that a configuration names, which may not be whole yet.
pub(super) fn declared(raw: &raw::Http, home: &std::path::Path) -> Option<PathBuf> {
    raw.tokens_file.given().map(|file| home.join(&file.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_token_and_back() {
        let digest = "ab".repeat(32);
        for line in [
            format!("anna laptop {digest} 2026-01-31T08:00:00Z never"),
            format!("anna a.b-c_1 {digest} 2026-01-31T08:00:00Z 2026-02-28T08:00:00Z"),
        ] {
            assert_eq!(Token::parse(&line).unwrap().to_string(), line);
        }
        for (line, words) in [
            (String::new(), "0 fields"),
            (format!("anna laptop {digest} 2026-01-31T08:00:00Z"), "4 fields"),
            (format!("anna lap/top {digest} 2026-01-31T08:00:00Z never"), "name"),
            (format!("anna laptop {} 2026-01-31T08:00:00Z never", &digest[2..]), "SHA-256"),
            (format!("anna laptop {digest} yesterday never"), "moment"),
        ] {
            let why = Token::parse(&line).unwrap_err();
            assert!(why.contains(words), "{line}: {why}");
        }
    }

    #[test]
    fn digests_are_never_shown() {
        let digest = "0123456789abcdef".repeat(4);
        let shown = masked(&format!("# ours\nanna laptop {digest} 2026-01-31T08:00:00Z never\n"));
        assert!(
            shown.starts_with("# ours\nanna laptop ****") && !shown.contains("0123"),
            "{shown}"
        );
    }
}
