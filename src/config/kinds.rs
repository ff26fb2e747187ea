//! Checks what only some kinds of fax server have: how devices with IPP and off-ramps by
//! mail prove who they are, and what their word is worth.

use std::path::PathBuf;

use super::{
    Kind, Starttls, address::Wrong, check::Check, findings::Place, raw, read::Entry,
    service::STARTTLS,
};

/// Longest that a report is waited for: a week.
const MAX_REPORT_WITHIN_S: u64 = 7 * 24 * 3600;
/// How long it is waited for unless said: off-ramps try for some hours.
const REPORT_WITHIN_S: u64 = 6 * 3600;
const PROFILES: &[(&str, Profile)] = &[("s", Profile::S), ("f", Profile::F)];
/// Most characters that are dialled before a number.
const MAX_PRE_DIAL: usize = 20;

/// Whose certificate is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trust {
    /// One that the system believes.
    System,
    /// One of a file, or one that an authority of the file signed.
    File(PathBuf),
    /// This one and no other, by its SHA-256.
    Pinned([u8; 32]),
}

/// Which TIFF an off-ramp reads (RFC 3949).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// The least.
    S,
    /// All of fax.
    F,
}

/// What devices with IPP and off-ramps have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KindAccess {
    /// Whose certificate is believed.
    pub(crate) trust: Trust,
    /// Whether its *completed* or *delivered* means that the far machine confirmed.
    pub(crate) confirms: bool,
    /// What is dialled before each number.
    pub(crate) pre_dial: Option<String>,
    /// Whether a connection to an off-ramp is encrypted.
    pub(crate) starttls: Starttls,
    /// The domain of an off-ramp's addresses.
    pub(crate) domain: String,
    /// Which TIFF it reads.
    pub(crate) profile: Profile,
    /// How long its report is waited for, in seconds.
    pub(crate) report_within_s: u64,
    /// Whether it is asked for a disposition notification.
    pub(crate) mdn: bool,
    /// Whether it drops a mail whose Message-ID it has seen.
    pub(crate) drops_duplicates: bool,
}

impl Check<'_> {
    /// Checks the keys of one server that has this kind and is at this host.
    pub(super) fn kind_access(
        &mut self,
        raw: &raw::Server,
        kind: Kind,
        host: &str,
        encrypted: bool,
    ) -> KindAccess {
        self.have_keys_of_kind(raw, kind);
        let ca_file = self.ca_file(&raw.ca_file);
        let pin = self.parsed(raw.pin.given(), pin);
        if let (Some(_), Some(both)) = (&ca_file, raw.pin.given()) {
            let message = "with a pin no authority is asked";
            self.findings.error(&both.place, message, "leave out pin, or ca_file");
        }
        let proved = place(&raw.pin).or(place(&raw.ca_file));
        let starttls = self.choice(raw.starttls.given(), STARTTLS);
        let secret = place(&raw.password_file);
        let starttls = starttls.unwrap_or(match proved.is_some() || secret.is_some() {
            true => Starttls::Required,
            false => Starttls::Opportunistic,
        });
        let open = match kind {
            Kind::Ipp => !encrypted,
            _ => !encrypted && starttls != Starttls::Required,
        };
        let safe = if kind == Kind::Ipp { "write ipps://" } else { "set starttls = \"required\"" };
        if let Some(place) = proved.filter(|_| open) {
            let message = "no certificate is asked for on an open connection";
            self.findings.error(place, message, safe);
        } else if let Some(place) = secret.filter(|_| open) {
            let message = "the password travels in the clear";
            if kind == Kind::Ipp {
                self.findings.warn(place, message, safe);
            } else {
                self.findings.error(place, message, safe);
            }
        }
        let domain = self.parsed(raw.domain.given(), super::address::domain);
        let flag = |entry: &Entry<bool>, default| entry.given().map_or(default, |flag| flag.value);
        KindAccess {
            trust: match (pin, ca_file) {
                (Some(pin), _) => Trust::Pinned(pin),
                (None, Some(file)) => Trust::File(file),
                (None, None) => Trust::System,
            },
            confirms: flag(&raw.confirms, true),
            pre_dial: self.parsed(raw.pre_dial.given(), pre_dial),
            starttls,
            domain: domain.unwrap_or_else(|| literal(host)),
            profile: self.choice(raw.profile.given(), PROFILES).unwrap_or(Profile::S),
            report_within_s: self.count(
                &raw.report_within_s,
                REPORT_WITHIN_S,
                1..=MAX_REPORT_WITHIN_S,
            ),
            mdn: flag(&raw.mdn, false),
            drops_duplicates: flag(&raw.drops_duplicates, false),
        }
    }

    fn have_keys_of_kind(&mut self, raw: &raw::Server, kind: Kind) {
        let both: &[Kind] = &[Kind::Ipp, Kind::Mail];
        let mail: &[Kind] = &[Kind::Mail];
        for (place, kinds, words) in [
            (place(&raw.ca_file), both, "\"ipp\" or \"mail\" has"),
            (place(&raw.pin), both, "\"ipp\" or \"mail\" has"),
            (place(&raw.confirms), both, "\"ipp\" or \"mail\" has"),
            (place(&raw.pre_dial), &[Kind::Ipp], "\"ipp\" has"),
            (place(&raw.starttls), mail, "\"mail\" has"),
            (place(&raw.domain), mail, "\"mail\" has"),
            (place(&raw.profile), mail, "\"mail\" has"),
            (place(&raw.report_within_s), mail, "\"mail\" has"),
            (place(&raw.mdn), mail, "\"mail\" has"),
            (place(&raw.drops_duplicates), mail, "\"mail\" has"),
        ] {
            if let Some(place) = place.filter(|_| !kinds.contains(&kind)) {
                let message = format!("only a server of kind {words} this key");
                self.findings.error(place, message, "leave it out");
            }
        }
    }
}

fn place<T>(entry: &Entry<T>) -> Option<&Place> {
    entry.given().map(|given| &given.place)
}

/// An address of a host as the domain of a mailbox (RFC 5321 4.1.3).
fn literal(host: &str) -> String {
    match host.parse() {
        Ok(std::net::IpAddr::V4(address)) => format!("[{address}]"),
        Ok(std::net::IpAddr::V6(address)) => format!("[IPv6:{address}]"),
        Err(_) => host.to_owned(),
    }
}

/// `sha256:` and 64 hexadecimal digits, with or without colons between them.
fn pin(text: &str) -> Result<[u8; 32], Wrong> {
    let wrong = || {
        let help = "write sha256: and 64 hexadecimal digits, as `openssl x509 -noout -fingerprint \
                    -sha256` prints them";
        Wrong::new(format!("\"{text}\" is no fingerprint of a certificate"), help)
    };
    let digits = text.strip_prefix("sha256:").ok_or_else(wrong)?.replace(':', "");
    let mut pin = [0; 32];
    if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    for (octet, two) in pin.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let two = std::str::from_utf8(two).map_err(|_| wrong())?;
        *octet = u8::from_str_radix(two, 16).map_err(|_| wrong())?;
    }
    Ok(pin)
}

fn pre_dial(text: &str) -> Result<String, Wrong> {
    let good = (1..=MAX_PRE_DIAL).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit() || b"*#,pw".contains(&b));
    let message = || format!("\"{text}\" cannot be dialled before a number");
    let help = "write 1 to 20 of 0-9 * # , p w: \"9\" or \"0,\"";
    good.then(|| text.to_owned()).ok_or_else(|| Wrong::new(message(), help))
}
