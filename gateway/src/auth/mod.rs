//! Logging in: the AUTH exchanges (RFC 4954) as state machines without a socket,
//! and the checking of passwords in [`password`]. Who a user is stays unknown here.

pub mod password;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::reply::Reply;

/// Longest line of an exchange with its CRLF, in octets (RFC 4954 4, ch. 4.4).
pub const MAX_LINE_BYTES: usize = 12_288;
/// Longest user name and longest password, in octets (RFC 4616 2).
const MAX_CREDENTIAL_BYTES: usize = 255;

/// The mechanisms that are offered, in the words of EHLO.
pub const OFFERED: &str = "PLAIN LOGIN";

/// What a user name and a password are proven with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// Both at once (RFC 4616).
    Plain,
    /// One after the other, as old devices do it (draft-murchison-sasl-login).
    Login,
}

/// An exchange that waits for the client's next line.
#[derive(Debug, PartialEq, Eq)]
pub struct Exchange(Waiting);

#[derive(Debug, PartialEq, Eq)]
enum Waiting {
    Plain,
    LoginUser,
    LoginPassword { user: String },
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the challenge and give the next line to the exchange.
    Challenge(Reply, Exchange),
    /// The client has said all; the desk is to judge.
    Credentials(Credentials),
}

/// A user name and a password, which never shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Why an exchange ended without credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No such mechanism here.
    #[error("this mechanism is not offered, use PLAIN or LOGIN")]
    UnknownMechanism,
    /// The client gave up.
    #[error("authentication cancelled")]
    Cancelled,
    /// What came is not base64.
    #[error("this is not base64")]
    NotBase64,
    /// What came does not fit the mechanism.
    #[error("malformed credentials")]
    Malformed,
    /// One user wants to be taken for another.
    #[error("acting as another user is not supported")]
    OtherIdentity,
}

impl AuthError {
    /// What the client is told (RFC 4954 4, 6).
    pub fn reply(self) -> Reply {
        let (code, status) = match self {
            Self::UnknownMechanism => (504, (5, 4)),
            Self::Cancelled => (501, (7, 0)),
            Self::NotBase64 | Self::Malformed => (501, (5, 2)),
            Self::OtherIdentity => (535, (7, 8)),
        };
        Reply::new(code, status, self.to_string())
    }
}

impl Mechanism {
    /// The mechanism of that name in upper case.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "PLAIN" => Some(Self::Plain),
            "LOGIN" => Some(Self::Login),
            _ => None,
        }
    }
}

impl Exchange {
    /// Starts with what AUTH said.
    pub fn start(mechanism: Mechanism, initial: Option<&str>) -> Result<Step, AuthError> {
        let exchange = match mechanism {
            Mechanism::Plain => Self(Waiting::Plain),
            Mechanism::Login => Self(Waiting::LoginUser),
        };
        match (initial, exchange.0 == Waiting::Plain) {
            (Some("="), _) => exchange.with(String::new()),
            (Some(initial), _) => exchange.next(initial.as_bytes()),
            (None, true) => Ok(Step::Challenge(Reply::plain(334, ""), exchange)),
            (None, false) => {
                Ok(Step::Challenge(Reply::plain(334, STANDARD.encode("Username:")), exchange))
            }
        }
    }

    /// Goes on with the client's next line, given without its CRLF.
    pub fn next(self, line: &[u8]) -> Result<Step, AuthError> {
        if line == b"*" {
            return Err(AuthError::Cancelled);
        }
        let octets = STANDARD.decode(line).map_err(|_| AuthError::NotBase64)?;
        self.with(String::from_utf8(octets).map_err(|_| AuthError::Malformed)?)
    }

    fn with(self, text: String) -> Result<Step, AuthError> {
        match self.0 {
            Waiting::Plain => plain(&text).map(Step::Credentials),
            Waiting::LoginUser => {
                let challenge = Reply::plain(334, STANDARD.encode("Password:"));
                let exchange = Self(Waiting::LoginPassword { user: text });
                Ok(Step::Challenge(challenge, exchange))
            }
            Waiting::LoginPassword { user } => credentials(&user, &text).map(Step::Credentials),
        }
    }
}

/// `[authzid] NUL authcid NUL passwd` (RFC 4616 2).
fn plain(text: &str) -> Result<Credentials, AuthError> {
    let parts: Vec<&str> = text.split('\0').collect();
    let [acting_as, user, password] = parts[..] else {
        return Err(AuthError::Malformed);
    };
    if !acting_as.is_empty() && acting_as != user {
        return Err(AuthError::OtherIdentity);
    }
    credentials(user, password)
}

fn credentials(user: &str, password: &str) -> Result<Credentials, AuthError> {
    let good =
        |text: &str| (1..=MAX_CREDENTIAL_BYTES).contains(&text.len()) && !text.contains('\0');
    match good(user) && good(password) {
        true => Ok(Credentials { user: user.to_owned(), password: password.to_owned() }),
        false => Err(AuthError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anna() -> Step {
        Step::Credentials(Credentials { user: "anna".into(), password: "secret".into() })
    }

    fn challenge(step: Step) -> (String, Exchange) {
        match step {
            Step::Challenge(reply, exchange) => (reply.text(), exchange),
            Step::Credentials(_) => panic!("no challenge"),
        }
    }

    #[test]
    fn plain_at_once_and_in_two_steps() {
        let response = STANDARD.encode("\0anna\0secret");
        assert_eq!(Exchange::start(Mechanism::Plain, Some(&response)), Ok(anna()));
        let (text, exchange) = challenge(Exchange::start(Mechanism::Plain, None).unwrap());
        assert_eq!(text, "");
        assert_eq!(exchange.next(response.as_bytes()), Ok(anna()));
        let same = STANDARD.encode("anna\0anna\0secret");
        assert_eq!(Exchange::start(Mechanism::Plain, Some(&same)), Ok(anna()));
    }

    #[test]
    fn login_with_and_without_the_user_at_once() {
        let (text, exchange) = challenge(Exchange::start(Mechanism::Login, None).unwrap());
        assert_eq!(text, "VXNlcm5hbWU6");
        let (text, exchange) = challenge(exchange.next(b"YW5uYQ==").unwrap());
        assert_eq!(text, "UGFzc3dvcmQ6");
        assert_eq!(exchange.next(b"c2VjcmV0"), Ok(anna()));
        let at_once = Exchange::start(Mechanism::Login, Some("YW5uYQ==")).unwrap();
        assert_eq!(challenge(at_once).1.next(b"c2VjcmV0"), Ok(anna()));
    }

    #[test]
    fn what_is_no_login() {
        for (text, error) in [
            ("anna\0secret", AuthError::Malformed),
            ("\0\0secret", AuthError::Malformed),
            ("\0anna\0", AuthError::Malformed),
            ("\0anna\0sec\0ret", AuthError::Malformed),
            ("otto\0anna\0secret", AuthError::OtherIdentity),
        ] {
            let response = STANDARD.encode(text);
            let refused = Exchange::start(Mechanism::Plain, Some(&response));
            assert_eq!(refused, Err(error), "{text:?}");
        }
        let long = STANDARD.encode(format!("\0{}\0x", "a".repeat(256)));
        assert_eq!(Exchange::start(Mechanism::Plain, Some(&long)), Err(AuthError::Malformed));
        assert_eq!(Exchange::start(Mechanism::Plain, Some("=")), Err(AuthError::Malformed));
        assert_eq!(Exchange::start(Mechanism::Plain, Some("a$")), Err(AuthError::NotBase64));
        let (_, exchange) = challenge(Exchange::start(Mechanism::Login, None).unwrap());
        assert_eq!(exchange.next(b"*"), Err(AuthError::Cancelled));
        let (_, exchange) = challenge(Exchange::start(Mechanism::Login, Some("YW5uYQ==")).unwrap());
        assert_eq!(exchange.next(b""), Err(AuthError::Malformed));
    }
}
