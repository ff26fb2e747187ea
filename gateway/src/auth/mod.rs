//! Logging in: the AUTH exchanges (RFC 4954) as state machines without a socket:
//! passwords that are told ([`password`]) and proven ([`scram`]), certificates, and
//! how often it may fail ([`throttle`]). Who a user is stays unknown here.

pub mod password;
pub mod scram;
pub mod throttle;

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::reply::Reply;
use scram::{First, Keys, Verdict};

/// Longest line of an exchange with its CRLF, in octets (RFC 4954 4, ch. 4.4).
pub const MAX_LINE_BYTES: usize = 12_288;
/// Longest user name and longest password, in octets (RFC 4616 2).
const MAX_CREDENTIAL_BYTES: usize = 255;
/// Octets of the keying material that a login is bound to (RFC 9266 3).
pub const EXPORTER_BYTES: usize = 32;

/// What a user is proven with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// A password that is proven, bound to the connection (RFC 7677, RFC 9266).
    ScramPlus,
    /// A password that is proven (RFC 7677).
    Scram,
    /// The certificate of the connection (RFC 4422 A).
    External,
    /// User name and password at once (RFC 4616).
    Plain,
    /// One after the other, as old devices do it (draft-murchison-sasl-login).
    Login,
}

/// The mechanisms and their names, the best first.
const MECHANISMS: [(Mechanism, &str); 5] = [
    (Mechanism::ScramPlus, "SCRAM-SHA-256-PLUS"),
    (Mechanism::Scram, "SCRAM-SHA-256"),
    (Mechanism::External, "EXTERNAL"),
    (Mechanism::Plain, "PLAIN"),
    (Mechanism::Login, "LOGIN"),
];

/// What a client may choose from on this connection.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// Whether anybody could prove a password.
    pub scram: bool,
    /// What a proof can be bound to.
    pub exporter: Option<[u8; EXPORTER_BYTES]>,
    /// Whether the client has shown a certificate.
    pub certificate: bool,
}

impl Offer {
    /// The names of what is offered, in the words of EHLO.
    pub fn words(&self) -> String {
        let offered = MECHANISMS.iter().filter(|(mechanism, _)| self.holds(*mechanism));
        offered.map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
    }

    /// The mechanism of that name in upper case, if it is offered.
    pub fn named(&self, name: &str) -> Option<Mechanism> {
        let found = MECHANISMS.iter().find(|(_, known)| *known == name)?.0;
        self.holds(found).then_some(found)
    }

    fn holds(&self, mechanism: Mechanism) -> bool {
        match mechanism {
            Mechanism::ScramPlus => self.scram && self.exporter.is_some(),
            Mechanism::Scram => self.scram,
            Mechanism::External => self.certificate,
            Mechanism::Plain | Mechanism::Login => true,
        }
    }
}

/// An exchange that waits for the client's next line.
#[derive(Debug)]
pub struct Exchange(Waiting);

#[derive(Debug)]
enum Waiting {
    Plain,
    LoginUser,
    LoginPassword { user: String },
    ScramFirst { bound: bool, offer: Offer },
    ScramFinal(scram::Final),
    ScramEnd { user: String },
    External,
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// Send the challenge and give the next line to the exchange.
    Challenge(Reply, Exchange),
    /// The client has said all; the desk is to judge.
    Credentials(Credentials),
    /// The desk is to give the keys of the user: go on with [`Exchange::prove`].
    Keys(First),
    /// The client has shown all that it can; the desk is to judge.
    Proof(Proof),
}

/// What a client showed without telling a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// That it has the password of this user.
    Password {
        /// The user name.
        user: String,
    },
    /// That it has not.
    WrongPassword {
        /// The user name.
        user: String,
    },
    /// The certificate of its connection.
    Certificate {
        /// Whom it wants to be taken for, if it says so.
        acting_as: Option<String>,
    },
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
    #[error("this mechanism is not offered")]
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
    /// The client binds to something that this connection has not.
    #[error("a login can only be bound by tls-exporter, over TLS 1.3")]
    OtherBinding,
    /// The client was made to believe that we cannot bind (RFC 5802 6).
    #[error("SCRAM-SHA-256-PLUS was offered, and something hid it from you")]
    Downgraded,
}

impl AuthError {
    /// What the client is told (RFC 4954 4, 6).
    pub fn reply(self) -> Reply {
        let (code, status) = match self {
            Self::UnknownMechanism => (504, (5, 4)),
            Self::Cancelled => (501, (7, 0)),
            Self::NotBase64 | Self::Malformed => (501, (5, 2)),
            Self::OtherIdentity | Self::OtherBinding | Self::Downgraded => (535, (7, 8)),
        };
        Reply::new(code, status, self.to_string())
    }
}

/// A password as it is compared (SASLprep, RFC 4013); one that may not be prepared is
/// taken as it is.
pub fn prepared(password: &str) -> Cow<'_, str> {
    match stringprep::saslprep(password) {
        Ok(prepared) if !prepared.is_empty() => prepared,
        _ => Cow::Borrowed(password),
    }
}

impl Exchange {
    /// Starts with what AUTH said.
    pub fn start(
        mechanism: Mechanism,
        initial: Option<&str>,
        offer: &Offer,
    ) -> Result<Step, AuthError> {
        let scram = |bound| Waiting::ScramFirst { bound, offer: offer.clone() };
        let (waiting, challenge) = match mechanism {
            Mechanism::ScramPlus => (scram(true), ""),
            Mechanism::Scram => (scram(false), ""),
            Mechanism::External => (Waiting::External, ""),
            Mechanism::Plain => (Waiting::Plain, ""),
            Mechanism::Login => (Waiting::LoginUser, "Username:"),
        };
        match initial {
            Some("=") => Self(waiting).with(String::new()),
            Some(initial) => Self(waiting).next(initial.as_bytes()),
            None => Ok(challenged(challenge, waiting)),
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

    /// Goes on with the keys of the user that the client named, and our part of the nonce.
    pub fn prove(first: First, keys: Keys, nonce: &str) -> Step {
        let (challenge, last) = first.challenge(keys, nonce);
        challenged(&challenge, Waiting::ScramFinal(last))
    }

    fn with(self, text: String) -> Result<Step, AuthError> {
        match self.0 {
            Waiting::Plain => plain(&text).map(Step::Credentials),
            Waiting::LoginUser => {
                Ok(challenged("Password:", Waiting::LoginPassword { user: text }))
            }
            Waiting::LoginPassword { user } => credentials(&user, &text).map(Step::Credentials),
            Waiting::ScramFirst { bound, offer } => {
                First::read(&text, bound, &offer).map(Step::Keys)
            }
            Waiting::ScramFinal(last) => Ok(match last.read(&text)? {
                // Our own proof goes in a challenge: 235 has no room (RFC 4954 4).
                Verdict::Proven { user, answer } => challenged(&answer, Waiting::ScramEnd { user }),
                Verdict::Wrong { user } => Step::Proof(Proof::WrongPassword { user }),
            }),
            Waiting::ScramEnd { user } if text.is_empty() => {
                Ok(Step::Proof(Proof::Password { user }))
            }
            Waiting::ScramEnd { .. } => Err(AuthError::Malformed),
            Waiting::External if text.len() > MAX_CREDENTIAL_BYTES => Err(AuthError::Malformed),
            Waiting::External => {
                let acting_as = Some(text).filter(|text| !text.is_empty());
                Ok(Step::Proof(Proof::Certificate { acting_as }))
            }
        }
    }
}

fn challenged(text: &str, waiting: Waiting) -> Step {
    Step::Challenge(Reply::plain(334, STANDARD.encode(text)), Exchange(waiting))
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

    fn start(mechanism: Mechanism, initial: Option<&str>) -> Result<Step, AuthError> {
        Exchange::start(mechanism, initial, &Offer::default())
    }

    /// What an exchange came to, in words.
    fn end(step: Result<Step, AuthError>) -> Result<String, AuthError> {
        Ok(match step? {
            Step::Credentials(Credentials { user, password }) => format!("{user} {password}"),
            Step::Proof(proof) => format!("{proof:?}"),
            Step::Challenge(..) | Step::Keys(_) => panic!("no end"),
        })
    }

    fn anna() -> Result<String, AuthError> {
        Ok("anna secret".to_owned())
    }

    fn challenge(step: Step) -> (String, Exchange) {
        match step {
            Step::Challenge(reply, exchange) => (reply.text(), exchange),
            _ => panic!("no challenge"),
        }
    }

    #[test]
    fn what_is_offered_is_what_holds() {
        let exporter = Some([0; EXPORTER_BYTES]);
        for (scram, exporter, certificate, words) in [
            (false, None, false, "PLAIN LOGIN"),
            (false, exporter, false, "PLAIN LOGIN"),
            (true, None, false, "SCRAM-SHA-256 PLAIN LOGIN"),
            (true, exporter, false, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"),
            (false, None, true, "EXTERNAL PLAIN LOGIN"),
        ] {
            let offer = Offer { scram, exporter, certificate };
            assert_eq!(offer.words(), words);
            for (mechanism, name) in MECHANISMS {
                let offered = words.split(' ').any(|word| word == name);
                assert_eq!(offer.named(name), offered.then_some(mechanism), "{name}");
            }
        }
        assert_eq!(Offer::default().named("CRAM-MD5"), None);
    }

    #[test]
    fn a_certificate_speaks_for_itself() {
        let proof = |name: Option<&str>| {
            let acting_as = name.map(str::to_owned);
            Ok(format!("{:?}", Proof::Certificate { acting_as }))
        };
        assert_eq!(end(start(Mechanism::External, Some("="))), proof(None));
        assert_eq!(end(start(Mechanism::External, Some("YW5uYQ=="))), proof(Some("anna")));
        let (text, exchange) = challenge(start(Mechanism::External, None).unwrap());
        assert_eq!(text, "");
        assert_eq!(end(exchange.next(b"")), proof(None));
    }

    #[test]
    fn a_proof_ends_with_an_empty_line() {
        let end_of = |line: &[u8]| {
            let user = "anna".to_owned();
            end(Exchange(Waiting::ScramEnd { user }).next(line))
        };
        assert_eq!(end_of(b""), Ok(format!("{:?}", Proof::Password { user: "anna".into() })));
        assert_eq!(end_of(b"YQ=="), Err(AuthError::Malformed));
        assert_eq!(end_of(b"*"), Err(AuthError::Cancelled));
    }

    #[test]
    fn plain_at_once_and_in_two_steps() {
        let response = STANDARD.encode("\0anna\0secret");
        assert_eq!(end(start(Mechanism::Plain, Some(&response))), anna());
        let (text, exchange) = challenge(start(Mechanism::Plain, None).unwrap());
        assert_eq!(text, "");
        assert_eq!(end(exchange.next(response.as_bytes())), anna());
        let same = STANDARD.encode("anna\0anna\0secret");
        assert_eq!(end(start(Mechanism::Plain, Some(&same))), anna());
    }

    #[test]
    fn login_with_and_without_the_user_at_once() {
        let (text, exchange) = challenge(start(Mechanism::Login, None).unwrap());
        assert_eq!(text, "VXNlcm5hbWU6");
        let (text, exchange) = challenge(exchange.next(b"YW5uYQ==").unwrap());
        assert_eq!(text, "UGFzc3dvcmQ6");
        assert_eq!(end(exchange.next(b"c2VjcmV0")), anna());
        let at_once = start(Mechanism::Login, Some("YW5uYQ==")).unwrap();
        assert_eq!(end(challenge(at_once).1.next(b"c2VjcmV0")), anna());
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
            let refused = end(start(Mechanism::Plain, Some(&response)));
            assert_eq!(refused, Err(error), "{text:?}");
        }
        let long = STANDARD.encode(format!("\0{}\0x", "a".repeat(256)));
        assert_eq!(end(start(Mechanism::Plain, Some(&long))), Err(AuthError::Malformed));
        assert_eq!(end(start(Mechanism::Plain, Some("="))), Err(AuthError::Malformed));
        assert_eq!(end(start(Mechanism::Plain, Some("a$"))), Err(AuthError::NotBase64));
        let (_, exchange) = challenge(start(Mechanism::Login, None).unwrap());
        assert_eq!(end(exchange.next(b"*")), Err(AuthError::Cancelled));
        let (_, exchange) = challenge(start(Mechanism::Login, Some("YW5uYQ==")).unwrap());
        assert_eq!(end(exchange.next(b"")), Err(AuthError::Malformed));
    }
}
