//! Where mail is handed on to, as the administrator writes it:
//! `smtp://mail.example.com:25`. Opens no connection.

use std::{fmt, path::PathBuf, str::FromStr};

/// The way to the next host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// SMTP over TCP, port 25 unless said.
    Smtp {
        /// Name or address, without brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// SMTP in TLS from the first octet (RFC 8314), port 465 unless said.
    Smtps {
        /// Name or address, without brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// LMTP over TCP (RFC 2033); the port must be said.
    Lmtp {
        /// Name or address, without brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// LMTP over a socket of this machine.
    LmtpUnix(PathBuf),
}

/// Whether the connection is encrypted after it was opened in clear (RFC 3207).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartTls {
    /// Nothing is sent in clear, and the far end must prove its name.
    Required,
    /// Encrypted where it can be; names are not checked, since whoever could
    /// forge one could as well take the offer of STARTTLS away (RFC 7435).
    Opportunistic,
    /// In clear.
    Never,
}

/// Whom to believe when a host proves its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorities {
    /// The authorities that the operating system trusts.
    System,
    /// Those in a PEM file and no other.
    /// One of them may as well be the certificate of the host itself.
    File(PathBuf),
    /// Whoever shows this very certificate, whatever names are in it: the SHA-256 of all
    /// of it. For devices that made their own.
    Pinned([u8; 32]),
    /// Whoever answers: what is sent is hidden from those who only listen.
    Anybody,
}

/// How a login is sent (RFC 4954). The mechanisms that never show the password are not
/// spoken here: lettre has none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// What came before it.
    Login,
}

/// A user of the relay.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password; never printed.
    pub password: String,
    /// The one mechanism to use; without it whatever is offered, PLAIN first.
    pub mechanism: Option<Mechanism>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

/// The next host and how to speak to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// The way there.
    pub route: Route,
    /// Without meaning for `smtps` and `lmtp+unix`.
    pub starttls: StartTls,
    /// Who we are there.
    pub login: Option<Login>,
    /// Whom to believe.
    pub authorities: Authorities,
    /// What we call ourselves in EHLO.
    pub hello_name: String,
}

/// What is wrong with a relay, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// Another scheme or none.
    #[error(
        "a relay begins with smtp://, smtps://, lmtp:// or lmtp+unix://, such as smtp://mail.example.com:25"
    )]
    Scheme,
    /// No host.
    #[error("the relay has no host; write it as {example}")]
    Host {
        /// A relay of the same scheme that is right.
        example: &'static str,
    },
    /// A host with letters that none has.
    #[error(
        "{0:?} is no host name and no address; IPv6 addresses stand in brackets, such as smtp://[2001:db8::25]:25"
    )]
    HostName(String),
    /// No number from 1 to 65535.
    #[error("{0:?} is no port; a port is a number from 1 to 65535")]
    Port(String),
    /// LMTP has no port of its own, and 25 is forbidden (RFC 2033 5).
    #[error("lmtp:// needs a port other than 25, such as lmtp://127.0.0.1:24")]
    LmtpPort,
    /// Not an absolute path.
    #[error("lmtp+unix:// needs the whole path of a socket, such as lmtp+unix:///run/dovecot/lmtp")]
    Path,
    /// Something behind the port.
    #[error("nothing may stand behind the port of a relay, but there is {0:?}")]
    Rest(String),
    /// A password would be sent to whoever listens.
    #[error(
        "a login needs smtps:// or starttls = required, or its password could be read on the way"
    )]
    LoginInClear,
    /// The name for EHLO.
    #[error("{0:?} cannot be the name of this host; write it as in DNS, such as fax.example.com")]
    HelloName(String),
    /// The file of authorities.
    #[error("the certificate authorities in {path} cannot be used: {cause}")]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
}

impl Relay {
    /// Whether several recipients get a verdict each (RFC 2033).
    #[must_use]
    pub fn is_lmtp(&self) -> bool {
        matches!(self.route, Route::Lmtp { .. } | Route::LmtpUnix(_))
    }

    /// The name that the far end must prove, and that a report may call the
    /// remote MTA.
    #[must_use]
    pub fn host(&self) -> &str {
        match &self.route {
            Route::Smtp { host, .. } | Route::Smtps { host, .. } | Route::Lmtp { host, .. } => host,
            Route::LmtpUnix(_) => "localhost",
        }
    }

    /// Checks what the fields say together.
    ///
    /// # Errors
    /// A login that would travel in clear, or a bad name for EHLO.
    pub fn check(&self) -> Result<(), RelayError> {
        let letter = |octet: u8| octet.is_ascii_alphanumeric() || b"-._:[]".contains(&octet);
        if self.hello_name.is_empty() || !self.hello_name.bytes().all(letter) {
            return Err(RelayError::HelloName(self.hello_name.clone()));
        }
        let is_private = match &self.route {
            Route::Smtps { .. } | Route::LmtpUnix(_) => true,
            Route::Smtp { .. } | Route::Lmtp { .. } => self.starttls == StartTls::Required,
        };
        match self.login {
            Some(_) if !is_private => Err(RelayError::LoginInClear),
            _ => Ok(()),
        }
    }
}

/// Reads `smtp://host`, `smtp://host:port`, `smtps://..`, `lmtp://host:port` or
/// `lmtp+unix:///path`. TLS is opportunistic, there is no login, and the name
/// for EHLO is `localhost`: set the fields that should differ.
impl FromStr for Relay {
    type Err = RelayError;

    fn from_str(text: &str) -> Result<Self, RelayError> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(RelayError::Scheme)?;
        let route = match scheme.to_ascii_lowercase().as_str() {
            "smtp" => {
                let (host, port) = host_and_port(rest, "smtp://mail.example.com:25")?;
                Route::Smtp { host, port: port.unwrap_or(25) }
            }
            "smtps" => {
                let (host, port) = host_and_port(rest, "smtps://mail.example.com:465")?;
                Route::Smtps { host, port: port.unwrap_or(465) }
            }
            "lmtp" => {
                let (host, port) = host_and_port(rest, "lmtp://127.0.0.1:24")?;
                let port = port.filter(|port| *port != 25).ok_or(RelayError::LmtpPort)?;
                Route::Lmtp { host, port }
            }
            "lmtp+unix" if rest.len() > 1 && rest.starts_with('/') => {
                Route::LmtpUnix(PathBuf::from(rest))
            }
            "lmtp+unix" => return Err(RelayError::Path),
            _ => return Err(RelayError::Scheme),
        };
        Ok(Self {
            route,
            starttls: StartTls::Opportunistic,
            login: None,
            authorities: Authorities::System,
            hello_name: "localhost".to_owned(),
        })
    }
}

fn host_and_port(text: &str, example: &'static str) -> Result<(String, Option<u16>), RelayError> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let (place, rest) = text.split_at(text.find(['/', '?', '#']).unwrap_or(text.len()));
    if !rest.is_empty() {
        return Err(RelayError::Rest(rest.to_owned()));
    }
    let (host, port) = match place.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, rest)) => {
            let bad = || RelayError::HostName(place.to_owned());
            host.parse::<std::net::Ipv6Addr>().map_err(|_| bad())?;
            match rest {
                "" => (host, None),
                rest => (host, Some(rest.strip_prefix(':').ok_or_else(bad)?)),
            }
        }
        None => match place.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            Some(_) => return Err(RelayError::HostName(place.to_owned())),
            None => (place, None),
        },
    };
    if host.is_empty() {
        return Err(RelayError::Host { example });
    }
    let letter = |octet: u8| octet.is_ascii_alphanumeric() || b"-._:".contains(&octet);
    if !host.bytes().all(letter) {
        return Err(RelayError::HostName(host.to_owned()));
    }
    let number = |text: &str| text.parse().ok().filter(|port| *port != 0);
    let port = port.map(|text| number(text).ok_or_else(|| RelayError::Port(text.to_owned())));
    Ok((host.to_owned(), port.transpose()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_administrators_write() {
        let smtp = |host: &str, port| Route::Smtp { host: host.to_owned(), port };
        let cases = [
            ("smtp://mail.example.com", smtp("mail.example.com", 25)),
            ("SMTP://127.0.0.1:2525/", smtp("127.0.0.1", 2525)),
            ("smtp://[::1]:26", smtp("::1", 26)),
            ("smtps://m", Route::Smtps { host: "m".to_owned(), port: 465 }),
            ("lmtp://m:24", Route::Lmtp { host: "m".to_owned(), port: 24 }),
            ("lmtp+unix:///run/lmtp", Route::LmtpUnix("/run/lmtp".into())),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Relay>().unwrap().route, expected, "{text}");
        }
    }

    #[test]
    fn each_mistake_has_its_words() {
        let cases = [
            ("mail.example.com", "such as smtp://mail.example.com:25"),
            ("http://x", "begins with smtp://"),
            ("smtp://", "has no host; write it as smtp://mail"),
            ("smtp://:25", "has no host"),
            ("smtps://:x", "has no host; write it as smtps://"),
            ("smtp://m:0", "number from 1 to 65535"),
            ("smtp://m:99999", "number from 1 to 65535"),
            ("smtp://::1", "IPv6 addresses stand in brackets"),
            ("smtp://a b", "no host name"),
            ("smtp://user@host", "no host name"),
            ("smtp://m:25/x", "nothing may stand behind the port"),
            ("lmtp://m", "needs a port other than 25"),
            ("lmtp://m:25", "needs a port other than 25"),
            ("lmtp+unix://run/lmtp", "whole path of a socket"),
        ];
        for (text, words) in cases {
            let error = text.parse::<Relay>().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_password_never_travels_in_clear_and_is_never_printed() {
        let mut relay: Relay = "smtp://m".parse().unwrap();
        relay.login =
            Some(Login { user: "u".to_owned(), password: "secret".to_owned(), mechanism: None });
        assert_eq!(relay.check(), Err(RelayError::LoginInClear));
        relay.starttls = StartTls::Required;
        assert_eq!(relay.check(), Ok(()));
        assert!(!format!("{relay:?}").contains("secret"));
        relay.hello_name = "a b".to_owned();
        assert!(matches!(relay.check(), Err(RelayError::HelloName(_))));
    }
}
