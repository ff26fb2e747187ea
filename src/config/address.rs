//! Addresses of hosts, networks, mailboxes and numbers, as a configuration writes
//! them. Each is read by a function that says in words what would be right.

use std::{fmt, net::IpAddr, path::PathBuf};

use postfax_domain::number::{Country, Number, Pattern};

/// What is wrong with a value, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) help: String,
    /// Whether the value holds a secret, and must not be shown.
    pub(super) secret: bool,
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into(), secret: false }
    }
}

/// A network: an address and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cidr {
    address: IpAddr,
    bits: u8,
}

impl Cidr {
    /// Whether the host is in the network. An IPv4 address that came over an IPv6
    /// socket counts as what it is (RFC 4291 2.5.5.2).
    #[must_use]
    pub(crate) fn contains(&self, host: IpAddr) -> bool {
        match (self.address, host.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(host)) => {
                masked(net.to_bits().into(), 32, self.bits)
                    == masked(host.to_bits().into(), 32, self.bits)
            }
            (IpAddr::V6(net), IpAddr::V6(host)) => {
                masked(net.to_bits(), 128, self.bits) == masked(host.to_bits(), 128, self.bits)
            }
            _ => false,
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let wrong = || {
            let message = format!("\"{text}\" is neither an address nor a network");
            Wrong::new(message, "write 10.1.0.5, 10.1.0.0/16, 2001:db8::5 or 2001:db8::/32")
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width {
            return Err(wrong());
        }
        if bits == 0 {
            let message = format!("\"{text}\" trusts the whole Internet to send as our clients");
            return Err(Wrong::new(message, "name the networks of your own mail servers"));
        }
        let network = Self { address, bits }.network();
        if network != address {
            let message = format!("\"{text}\" has bits set behind the first {bits}");
            return Err(Wrong::new(message, format!("write {network}/{bits} or {address}")));
        }
        Ok(Self { address, bits })
    }

    fn network(self) -> IpAddr {
        match self.address {
            IpAddr::V4(net) => {
                let bits = masked(net.to_bits().into(), 32, self.bits);
                IpAddr::V4(u32::try_from(bits).unwrap_or(0).into())
            }
            IpAddr::V6(net) => IpAddr::V6(masked(net.to_bits(), 128, self.bits).into()),
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

fn masked(address: u128, width: u8, bits: u8) -> u128 {
    let dropped = u32::from(width - bits);
    address.checked_shr(dropped).unwrap_or(0).checked_shl(dropped).unwrap_or(0)
}

/// A URL of the form `scheme://user@host:port/path`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) scheme: String,
    pub(super) user: Option<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) path: String,
}

/// Reads a URL; `example` is one that would be right. A password in it is refused.
pub(super) fn url(text: &str, example: &str) -> Result<Url, Wrong> {
    let wrong = |what: &str| Wrong::new(format!("this URL {what}"), format!("write {example}"));
    let (scheme, rest) =
        text.split_once("://").ok_or_else(|| wrong("has no scheme with :// behind it"))?;
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    if user.is_some_and(|user| user.contains(':')) {
        let message = "a password must not stand in a URL";
        let help = "put it into a file and name it with password_file";
        return Err(Wrong { secret: true, ..Wrong::new(message, help) });
    }
    if user == Some("") {
        return Err(wrong("has an empty user"));
    }
    let (host, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
    };
    let port = match port.map(str::parse::<u16>) {
        None => None,
        Some(Ok(port)) if port > 0 => Some(port),
        Some(_) => return Err(wrong("has no usable port: it must be from 1 to 65535")),
    };
    if !path.is_empty() && host.is_empty() {
        return Ok(Url {
            scheme: scheme.into(),
            user: None,
            host: String::new(),
            port,
            path: path.into(),
        });
    }
    if host.parse::<IpAddr>().is_err() && !is_host(host) {
        return Err(wrong("has no usable host"));
    }
    Ok(Url {
        scheme: scheme.to_owned(),
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
        path: path.to_owned(),
    })
}

/// The mail server that our mails are handed to. It prints as a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Relay {
    /// SMTP, encrypted by STARTTLS or not.
    Smtp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// SMTP with TLS from the first octet.
    Smtps {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// LMTP (RFC 2033).
    Lmtp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// LMTP over a socket of this host.
    LmtpUnix(PathBuf),
}

impl Relay {
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let url = url(text, "smtp://mail.example.com:25")?;
        let schemes = "use smtp://, smtps://, lmtp:// or lmtp+unix:///path";
        if url.user.is_some() {
            return Err(Wrong::new("a user must not stand in this URL", "set delivery.user"));
        }
        if url.scheme == "lmtp+unix" {
            if !url.host.is_empty() || url.path.len() < 2 {
                let message = "this URL does not name a socket";
                return Err(Wrong::new(
                    message,
                    "write lmtp+unix:///run/mail/lmtp, with three slashes",
                ));
            }
            return Ok(Self::LmtpUnix(url.path.into()));
        }
        if url.host.is_empty() || url.path.len() > 1 {
            let message = "this URL must name a host and nothing behind it";
            return Err(Wrong::new(message, "write smtp://mail.example.com:25"));
        }
        let (host, port) = (url.host, url.port);
        match url.scheme.as_str() {
            "smtp" => Ok(Self::Smtp { host, port: port.unwrap_or(25) }),
            "smtps" => Ok(Self::Smtps { host, port: port.unwrap_or(465) }),
            "lmtp" => Ok(Self::Lmtp { host, port: port.unwrap_or(24) }),
            other => Err(Wrong::new(format!("mail is not delivered by {other}://"), schemes)),
        }
    }
}

impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Smtp { host, port } => ("smtp", host, port),
            Self::Smtps { host, port } => ("smtps", host, port),
            Self::Lmtp { host, port } => ("lmtp", host, port),
            Self::LmtpUnix(path) => return write!(f, "lmtp+unix://{}", path.display()),
        };
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

/// The name of a host or domain (RFC 1123 2.1).
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// A domain of at least two parts, in lower case.
pub(super) fn domain(text: &str) -> Result<String, Wrong> {
    if is_host(text) && text.contains('.') && text.parse::<IpAddr>().is_err() {
        return Ok(text.to_ascii_lowercase());
    }
    let help = "write a full domain name such as fax.example.com";
    Err(Wrong::new(format!("\"{text}\" is no domain name"), help))
}

/// One mail address, without a name beside it.
pub(super) fn mailbox(text: &str) -> Result<String, Wrong> {
    let good = text
        .rsplit_once('@')
        .is_some_and(|(local, host)| is_local(local) && !local.contains('*') && is_host(host));
    if good {
        return Ok(text.to_owned());
    }
    let help = "write one address such as anna@example.com";
    Err(Wrong::new(format!("\"{text}\" is no mail address"), help))
}

/// A mail address, or a pattern of addresses within one domain.
pub(super) fn mail_pattern(text: &str) -> Result<Pattern, Wrong> {
    if !text.contains('*') {
        return mailbox(text).map(|address| Pattern::new(&address));
    }
    let help = "write *@sales.example.com for every address of a domain, or *@*.example.com for \
                those of the domains below it";
    let wrong = |message: String| Err(Wrong::new(message, help));
    match text.rsplit_once('@') {
        Some((local, host)) if is_local(local) => {
            let host = host.strip_prefix("*.").unwrap_or(host);
            if host.contains('*') || !host.contains('.') {
                return wrong(format!(
                    "\"{text}\" would make senders of foreign domains this client"
                ));
            }
            match is_host(host) {
                true => Ok(Pattern::new(text)),
                false => wrong(format!("\"{text}\" has no usable domain")),
            }
        }
        _ => wrong(format!("\"{text}\" is no pattern of mail addresses")),
    }
}

fn is_local(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && !text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "@<>,;:\"\\()[]".contains(c))
}

/// One number, read in the country.
/// A country by its code.
pub(super) fn country(code: &str) -> Result<Country, Wrong> {
    let help = "write the two capital letters of ISO 3166, such as GB, DE or US";
    code.parse().map_err(|why: String| Wrong::new(why, help))
}

pub(super) fn number(text: &str, country: Country) -> Result<Number, Wrong> {
    Number::parse(text, country).map_err(|bad| {
        Wrong::new(format!("\"{text}\": {bad}"), "write it with its country code: +442079460100")
    })
}

/// Numbers: one that is read in the country, or a pattern such as `+33*`.
pub(super) fn number_pattern(text: &str, country: Country) -> Result<Pattern, Wrong> {
    if !text.contains('*') {
        return number(text, country).map(|number| Pattern::new(number.as_str()));
    }
    let bare: String = text.chars().filter(|c| !"-. ()/".contains(*c)).collect();
    let good = (bare.starts_with('+') || bare.starts_with('*'))
        && bare
            .chars()
            .enumerate()
            .all(|(at, c)| c.is_ascii_digit() || c == '*' || (c == '+' && at == 0));
    if good {
        return Ok(Pattern::new(&bare));
    }
    let message = format!("\"{text}\" is no pattern of numbers");
    Err(Wrong::new(message, "begin with + and the country code, with * for any digits: +33*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_hosts() {
        for (net, host, inside) in [
            ("10.1.0.0/16", "10.1.255.3", true),
            ("10.1.0.0/16", "10.2.0.1", false),
            ("10.1.0.0/16", "::ffff:10.1.0.9", true),
            ("10.1.0.5", "10.1.0.5", true),
            ("10.1.0.5", "10.1.0.6", false),
            ("2001:db8::/32", "2001:db8:1::9", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::1", "::1", true),
            ("::1", "127.0.0.1", false),
        ] {
            let cidr = Cidr::parse(net).unwrap();
            assert_eq!(cidr.contains(host.parse().unwrap()), inside, "{net} {host}");
        }
    }

    #[test]
    fn networks_that_are_none_are_refused() {
        for bad in ["", "10.1.0.0/33", "10.1.0.1/16", "::/0", "0.0.0.0/0", "example.com", "::/129"]
        {
            assert!(Cidr::parse(bad).is_err(), "{bad}");
        }
        assert!(Cidr::parse("10.1.2.3/16").unwrap_err().help.contains("10.1.0.0/16"));
    }

    #[test]
    fn relays_print_as_they_are_read() {
        for (written, printed) in [
            ("smtp://mail.example.com", "smtp://mail.example.com:25"),
            ("smtps://mail.example.com/", "smtps://mail.example.com:465"),
            ("lmtp://[::1]:2003", "lmtp://[::1]:2003"),
            ("lmtp+unix:///run/lmtp", "lmtp+unix:///run/lmtp"),
        ] {
            assert_eq!(Relay::parse(written).unwrap().to_string(), printed);
        }
        for bad in [
            "mail.example.com:25",
            "http://mail.example.com",
            "smtp://",
            "smtp://mail.example.com:0",
            "smtp://mail.example.com:70000",
            "smtp://anna@mail.example.com",
            "smtp://anna:secret@mail.example.com",
            "smtp://mail_example",
            "smtp:///path",
            "lmtp+unix://run/lmtp",
            "lmtp+unix:///",
        ] {
            assert!(Relay::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn mail_patterns_stay_within_a_domain() {
        for good in
            ["anna@example.com", "*@sales.example.com", "fax-*@example.com", "*@*.example.com"]
        {
            assert!(mail_pattern(good).is_ok(), "{good}");
        }
        for bad in [
            "*",
            "*@*",
            "anna",
            "anna@",
            "@x.org",
            "a b@x.org",
            "*@com",
            "*@*.com",
            "a@x*.org",
            "a@b@c",
        ] {
            assert!(mail_pattern(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn number_patterns_are_read_in_the_country() {
        let gb: Country = "GB".parse().unwrap();
        for (written, pattern) in [
            ("+33*", "+33*"),
            ("+44-20*", "+4420*"),
            ("*", "*"),
            ("020 7946 0100", "+442079460100"),
        ] {
            assert_eq!(number_pattern(written, gb).unwrap().as_str(), pattern);
        }
        for bad in ["0033*", "33*", "+33x*", "abc", ""] {
            assert!(number_pattern(bad, gb).is_err(), "{bad}");
        }
    }
}
