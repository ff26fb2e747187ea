//! SCRAM-SHA-256 and its bound form -PLUS, seen from the server (RFC 5802, RFC 7677,
//! RFC 9266): the client proves that it has a password, and we that we know of it,
//! without the password ever being told. A state machine without a socket, and the
//! keys that are kept instead of a password.
//!
//! ```text
//!  client-first ─▶ First ──keys of the user──▶ Final ─▶ client-final ─▶ Verdict
//! ```

use std::{fmt, num::NonZeroU32, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    digest, hmac, pbkdf2,
    rand::{SecureRandom, SystemRandom},
};

use super::{AuthError, MAX_CREDENTIAL_BYTES, Offer, password::PasswordError};

/// Rounds of PBKDF2 of new keys: they cost whoever guesses about as much as an
/// Argon2 check does, and a small client a fraction of a second.
pub const ITERATIONS: u32 = 100_000;
/// Fewest rounds of keys that are taken (RFC 7677 4).
pub const MIN_ITERATIONS: u32 = 4096;
/// Most rounds, since the client has to do them all.
pub const MAX_ITERATIONS: u32 = 10_000_000;
/// Length of a new salt, in octets.
const SALT_BYTES: usize = 16;
/// Longest salt of keys that are taken, in octets.
const MAX_SALT_BYTES: usize = 64;
/// Randomness of our part of a nonce, in octets.
const NONCE_BYTES: usize = 18;
/// Longest nonce of a client, in octets.
const MAX_NONCE_BYTES: usize = 256;
/// Octets of SHA-256.
const HASH_BYTES: usize = 32;
/// How keys begin in a file (RFC 5803 2).
const SCHEME: &str = "SCRAM-SHA-256";
/// The only channel binding (RFC 9266 3).
const BINDING: &str = "tls-exporter";

type Hash = [u8; HASH_BYTES];

/// What is kept of a password: enough to check a proof, not to make one (RFC 5802 3).
/// In a file, `SCRAM-SHA-256$ROUNDS:SALT$STOREDKEY:SERVERKEY` (RFC 5803 2).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Keys {
    salt: Vec<u8>,
    iterations: u32,
    stored: Hash,
    server: Hash,
}

/// Text that holds no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "these are no SCRAM keys: they look like {SCHEME}$100000:SALT$STOREDKEY:SERVERKEY, with \
         {MIN_ITERATIONS} rounds or more"
)]
pub struct BadKeys;

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

impl Keys {
    /// New keys for a password, with a salt of their own. Takes tens of milliseconds.
    pub fn new(password: &str) -> Result<Self, PasswordError> {
        let mut salt = vec![0; SALT_BYTES];
        random(&mut salt)?;
        Ok(Self::derived(password, salt, ITERATIONS))
    }

    /// Keys for a user that does not exist: nobody has their password, and they are the
    /// same each time, so that asking tells nobody who exists (RFC 5802 9).
    pub fn of_nobody(secret: &[u8], user: &str) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let part = |what: &str| sign_with(&secret, format!("{what}\0{user}").as_bytes());
        let salt = part("salt")[..SALT_BYTES].to_vec();
        let (stored, server) = (part("stored"), part("server"));
        Self { salt, iterations: ITERATIONS, stored, server }
    }

    /// RFC 5802 3.
    fn derived(password: &str, salt: Vec<u8>, iterations: u32) -> Self {
        let rounds = NonZeroU32::new(iterations).expect("there is at least one round");
        let mut salted = [0; HASH_BYTES];
        let password = super::prepared(password);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password.as_bytes(), &mut salted);
        let stored = hash(&sign(&salted, b"Client Key"));
        let server = sign(&salted, b"Server Key");
        Self { salt, iterations, stored, server }
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [&self.salt[..], &self.stored, &self.server].map(|octets| STANDARD.encode(octets));
        write!(f, "{SCHEME}${}:{salt}${stored}:{server}", self.iterations)
    }
}

impl FromStr for Keys {
    type Err = BadKeys;

    fn from_str(text: &str) -> Result<Self, BadKeys> {
        let parts: Vec<&str> = text.split(['$', ':']).collect();
        let [SCHEME, rounds, salt, stored, server] = parts[..] else { return Err(BadKeys) };
        let octets = |text: &str| STANDARD.decode(text).map_err(|_| BadKeys);
        let hash = |text: &str| octets(text)?.try_into().map_err(|_| BadKeys);
        let keys = Self {
            salt: octets(salt)?,
            iterations: rounds.parse().map_err(|_| BadKeys)?,
            stored: hash(stored)?,
            server: hash(server)?,
        };
        let good = (MIN_ITERATIONS..=MAX_ITERATIONS).contains(&keys.iterations)
            && (1..=MAX_SALT_BYTES).contains(&keys.salt.len());
        if good { Ok(keys) } else { Err(BadKeys) }
    }
}

/// Our part of a nonce: new for every exchange (RFC 5802 5.1).
pub fn nonce() -> Result<String, PasswordError> {
    let mut octets = [0; NONCE_BYTES];
    random(&mut octets)?;
    Ok(STANDARD.encode(octets))
}

/// A client that has said who it is; the keys of that user are wanted.
#[derive(Debug, PartialEq, Eq)]
pub struct First {
    user: String,
    nonce: String,
    /// What the proof is about so far: client-first-message-bare.
    bare: String,
    /// What `c=` of the next message must say.
    channel: Vec<u8>,
}

impl First {
    /// Reads client-first-message (RFC 5802 7).
    pub(super) fn read(text: &str, bound: bool, offer: &Offer) -> Result<Self, AuthError> {
        let mut parts = text.splitn(3, ',');
        let (Some(flag), Some(acting_as), Some(bare)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(AuthError::Malformed);
        };
        let mut channel = text.as_bytes()[..text.len() - bare.len()].to_vec();
        match (flag, bound, &offer.exporter) {
            ("n", false, _) | ("y", false, None) => {}
            // It could, and was made to believe that we cannot (RFC 5802 6).
            ("y", false, Some(_)) => return Err(AuthError::Downgraded),
            (flag, true, Some(exporter)) if flag.strip_prefix("p=") == Some(BINDING) => {
                channel.extend(exporter);
            }
            (flag, true, _) if flag.starts_with("p=") => return Err(AuthError::OtherBinding),
            _ => return Err(AuthError::Malformed),
        }
        // An extension that must be understood (`m=`) is none of ours.
        let mut fields = bare.split(',');
        let user = field(fields.next(), "n=").and_then(unescaped);
        let nonce = field(fields.next(), "r=").filter(|nonce| is_nonce(nonce));
        let (Some(user), Some(nonce)) = (user, nonce) else { return Err(AuthError::Malformed) };
        let same = |name: &str| unescaped(name).as_deref() == Some(user.as_str());
        if !acting_as.is_empty() && !field(Some(acting_as), "a=").is_some_and(same) {
            return Err(AuthError::OtherIdentity);
        }
        Ok(Self { nonce: nonce.to_owned(), bare: bare.to_owned(), channel, user })
    }

    /// Who the client says that it is.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// server-first-message, and what is to come then.
    pub(super) fn challenge(self, keys: Keys, ours: &str) -> (String, Final) {
        let nonce = format!("{}{ours}", self.nonce);
        let salt = STANDARD.encode(&keys.salt);
        let said = format!("r={nonce},s={salt},i={}", keys.iterations);
        let before = format!("{},{said}", self.bare);
        let channel = STANDARD.encode(&self.channel);
        (said, Final { user: self.user, keys, nonce, channel, before })
    }
}

/// A client that was given its challenge.
#[derive(Debug, PartialEq, Eq)]
pub struct Final {
    user: String,
    keys: Keys,
    nonce: String,
    channel: String,
    before: String,
}

/// What a proof is worth.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The client has the password; server-final-message shows that we know of it.
    Proven { user: String, answer: String },
    /// It has not.
    Wrong { user: String },
}

impl Final {
    /// Reads client-final-message and checks it.
    pub(super) fn read(self, text: &str) -> Result<Verdict, AuthError> {
        let (without, proof) = text.rsplit_once(",p=").ok_or(AuthError::Malformed)?;
        let proof = STANDARD.decode(proof).map_err(|_| AuthError::Malformed)?;
        let mut fields = without.split(',');
        let channel = field(fields.next(), "c=").ok_or(AuthError::Malformed)?;
        let nonce = field(fields.next(), "r=").ok_or(AuthError::Malformed)?;
        let Self { user, keys, .. } = self;
        if channel != self.channel || nonce != self.nonce || proof.len() != HASH_BYTES {
            return Ok(Verdict::Wrong { user });
        }
        let about = format!("{},{without}", self.before);
        let signature = sign(&keys.stored, about.as_bytes());
        let client_key: Vec<u8> = proof.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        if !equal(&hash(&client_key), &keys.stored) {
            return Ok(Verdict::Wrong { user });
        }
        let answer = format!("v={}", STANDARD.encode(sign(&keys.server, about.as_bytes())));
        Ok(Verdict::Proven { user, answer })
    }
}

fn field<'a>(field: Option<&'a str>, name: &str) -> Option<&'a str> {
    field?.strip_prefix(name)
}

/// `=2C` and `=3D` stand for a comma and an equals sign (RFC 5802 5.1).
fn unescaped(name: &str) -> Option<String> {
    let mut parts = name.split('=');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (sign, rest) = [("2C", ','), ("3D", '=')]
            .iter()
            .find_map(|(code, sign)| Some((*sign, part.strip_prefix(code)?)))?;
        plain.push(sign);
        plain.push_str(rest);
    }
    let good = (1..=MAX_CREDENTIAL_BYTES).contains(&plain.len()) && !plain.contains('\0');
    good.then_some(plain)
}

fn is_nonce(text: &str) -> bool {
    (1..=MAX_NONCE_BYTES).contains(&text.len())
        && text.bytes().all(|octet| octet.is_ascii_graphic())
}

fn random(octets: &mut [u8]) -> Result<(), PasswordError> {
    let failed = |_| PasswordError::CannotHash("the system gives no random octets".to_owned());
    SystemRandom::new().fill(octets).map_err(failed)
}

fn sign(key: &[u8], text: &[u8]) -> Hash {
    sign_with(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
}

fn sign_with(key: &hmac::Key, text: &[u8]) -> Hash {
    hmac::sign(key, text).as_ref().try_into().expect("SHA-256 has 32 octets")
}

fn hash(octets: &[u8]) -> Hash {
    digest::digest(&digest::SHA256, octets).as_ref().try_into().expect("SHA-256 has 32 octets")
}

/// Compares in a time that does not tell where the difference is.
fn equal(a: &Hash, b: &Hash) -> bool {
    a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT_NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const OURS: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const EXPORTER: [u8; 32] = [7; 32];

    fn offer(exporter: Option<[u8; 32]>) -> Offer {
        Offer { scram: true, exporter, certificate: false }
    }

    fn pencil() -> Keys {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        Keys::derived("pencil", salt, 4096)
    }

    /// What an honest client says last.
    fn answer(keys: &Keys, password: &str, bare: &str, first: &str, channel: &[u8]) -> String {
        let rounds = NonZeroU32::new(keys.iterations).unwrap();
        let mut salted = [0; HASH_BYTES];
        let salt = &keys.salt;
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, password.as_bytes(), &mut salted);
        let key = sign(&salted, b"Client Key");
        let nonce = first.split(',').next().unwrap();
        let without = format!("c={},{nonce}", STANDARD.encode(channel));
        let signature = sign(&hash(&key), format!("{bare},{first},{without}").as_bytes());
        let proof: Vec<u8> = key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        format!("{without},p={}", STANDARD.encode(proof))
    }

    #[test]
    fn the_example_of_the_standard() {
        let text = format!("n,,n=user,r={CLIENT_NONCE}");
        let first = First::read(&text, false, &offer(None)).unwrap();
        assert_eq!(first.user(), "user");
        let (said, last) = first.challenge(pencil(), OURS);
        let nonce = format!("{CLIENT_NONCE}{OURS}");
        assert_eq!(said, format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
        let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let answer = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".to_owned();
        let verdict = last.read(&format!("c=biws,r={nonce},p={proof}"));
        assert_eq!(verdict, Ok(Verdict::Proven { user: "user".into(), answer }));
    }

    #[test]
    fn what_is_bound_is_bound_to_this_channel() {
        let header = "p=tls-exporter,,";
        let bare = format!("n=user,r={CLIENT_NONCE}");
        for (bound_to, password, right) in
            [(EXPORTER, "pencil", true), ([8; 32], "pencil", false), (EXPORTER, "Pencil", false)]
        {
            let text = format!("{header}{bare}");
            let first = First::read(&text, true, &offer(Some(EXPORTER))).unwrap();
            let (said, last) = first.challenge(pencil(), OURS);
            let channel = [header.as_bytes(), &bound_to].concat();
            let text = answer(&pencil(), password, &bare, &said, &channel);
            let verdict = last.read(&text).unwrap();
            assert_eq!(matches!(verdict, Verdict::Proven { .. }), right, "{password} {verdict:?}");
        }
    }

    #[test]
    fn what_no_client_may_begin_with() {
        use AuthError::*;
        for (text, bound, exporter, error) in [
            ("y,,n=user,r=abc", false, true, Downgraded),
            ("n,,n=user,r=abc", true, true, Malformed),
            ("y,,n=user,r=abc", true, true, Malformed),
            ("p=tls-exporter,,n=user,r=abc", false, true, Malformed),
            ("p=tls-unique,,n=user,r=abc", true, true, OtherBinding),
            ("p=tls-exporter,,n=user,r=abc", true, false, OtherBinding),
            ("n,a=otto,n=user,r=abc", false, false, OtherIdentity),
            ("n,,m=x,n=user,r=abc", false, false, Malformed),
            ("n,,n=us=er,r=abc", false, false, Malformed),
            ("n,,n=,r=abc", false, false, Malformed),
            ("n,,n=user,r=", false, false, Malformed),
            ("n,,n=user", false, false, Malformed),
            ("n,,r=abc,n=user", false, false, Malformed),
            ("user", false, false, Malformed),
            ("", false, false, Malformed),
        ] {
            let offer = offer(exporter.then_some(EXPORTER));
            assert_eq!(First::read(text, bound, &offer), Err(error), "{text}");
        }
        let escaped = First::read("y,a=a=2Cb=3D,n=a=2Cb=3D,r=abc", false, &offer(None)).unwrap();
        assert_eq!(escaped.user(), "a,b=");
    }

    #[test]
    fn what_is_no_proof() {
        let wrong = Ok(Verdict::Wrong { user: "user".into() });
        let good = "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let nonce = format!("r={CLIENT_NONCE}{OURS}");
        for (text, verdict) in [
            (format!("c=biws,{nonce},p=AAAA"), wrong),
            (format!("c=eSws,{nonce},{good}"), Ok(Verdict::Wrong { user: "user".into() })),
            (format!("c=biws,{nonce}x,{good}"), Ok(Verdict::Wrong { user: "user".into() })),
            (format!("c=biws,{nonce},x=y,{good}"), Ok(Verdict::Wrong { user: "user".into() })),
            (format!("c=biws,{nonce}"), Err(AuthError::Malformed)),
            (format!("{nonce},c=biws,{good}"), Err(AuthError::Malformed)),
            (format!("c=biws,{nonce},p=!"), Err(AuthError::Malformed)),
        ] {
            let first = format!("n,,n=user,r={CLIENT_NONCE}");
            let first = First::read(&first, false, &offer(None)).unwrap();
            let (_, last) = first.challenge(pencil(), OURS);
            assert_eq!(last.read(&text), verdict, "{text}");
        }
    }

    #[test]
    fn keys_are_written_and_read() {
        let keys = Keys::new("pencil").unwrap();
        let text = keys.to_string();
        assert!(text.starts_with("SCRAM-SHA-256$100000:"), "{text}");
        assert_eq!(text.parse(), Ok(keys.clone()));
        assert_ne!(Keys::new("pencil").unwrap(), keys, "salted");
        assert_eq!(format!("{keys:?}"), "Keys(..)");
        for bad in [
            "",
            "SCRAM-SHA-256",
            &text.replace("100000", "4095"),
            &text.replace("100000", "10000001"),
            &text.replace("SHA-256", "SHA-1"),
            &text[..text.len() - 4],
            &format!("{text}:"),
        ] {
            assert_eq!(bad.parse::<Keys>(), Err(BadKeys), "{bad}");
        }
    }

    #[test]
    fn nobody_is_somebody_else_for_each_name() {
        let secret = b"of this installation";
        let nobody = Keys::of_nobody(secret, "otto");
        assert_eq!(nobody, Keys::of_nobody(secret, "otto"), "the same each time");
        assert_ne!(nobody.salt, Keys::of_nobody(secret, "anna").salt);
        assert_ne!(nobody.salt, Keys::of_nobody(b"of another", "otto").salt);
        let known = Keys::new("x").unwrap();
        assert_eq!((nobody.salt.len(), nobody.iterations), (known.salt.len(), known.iterations));
    }

    #[test]
    fn a_password_is_prepared() {
        // RFC 4013 3: a soft hyphen is nothing, a Roman numeral is its letters.
        let salt = vec![1; 16];
        let keys = |password| Keys::derived(password, salt.clone(), MIN_ITERATIONS);
        assert_eq!(keys("I\u{ad}X"), keys("\u{2168}"));
        // What may not be prepared is taken as it is.
        assert_ne!(keys("a\u{7}"), keys("a"));
    }
}
