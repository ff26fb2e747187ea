//! The return path of a fax mail: an address that only we can have written, so that a
//! report to it tells of a mail that we sent.
//!
//! ```text
//! fax-return+JOB.ATTEMPT.PROOF@fax.example.com
//! ```
//!
//! The proof is the first half of HMAC-SHA256 over job and attempt under a secret of
//! this installation. Everyone who got the mail knows the address; it is worth no more
//! than a report about that one mail. Reads and writes addresses; acts on none.

use postfax_domain::names::JobId;
use ring::hmac;

use crate::store::Secret;

/// What the local part begins with.
const PREFIX: &str = "fax-return+";
/// Octets of the proof: a forger who may try a million times a second needs longer than
/// the world is old.
const PROOF_BYTES: usize = 12;

/// One delivery of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReturnPath {
    /// The job.
    pub job: JobId,
    /// Its attempt.
    pub attempt: u32,
}

/// An address that claims to be one of these return paths and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this return address was not written here")]
pub struct Forged;

impl ReturnPath {
    /// The address, in the fax domain.
    #[must_use]
    pub fn address(self, secret: &Secret, domain: &str) -> String {
        let Self { job, attempt } = self;
        format!("{PREFIX}{job}.{attempt}.{}@{domain}", self.proof(secret))
    }

    /// The attempt that its tag at a fax server names: it ends in job and attempt.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let mut words = tag.rsplit('-');
        let (attempt, job) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { job: JobId(job), attempt })
    }

    /// The return path that a local part is, if it claims to be one.
    ///
    /// # Errors
    /// [`Forged`]: it claims so and cannot prove it.
    #[must_use]
    pub fn read(local: &str, secret: &Secret) -> Option<Result<Self, Forged>> {
        // Some hosts on the way change the case of addresses.
        let local = local.to_ascii_lowercase();
        let rest = local.strip_prefix(PREFIX)?;
        let mut parts = rest.split('.');
        let mut next = || parts.next().unwrap_or_default();
        let (job, attempt, proof) = (next().parse(), next().parse(), next());
        let (Ok(job), Ok(attempt), None) = (job, attempt, parts.next()) else {
            return Some(Err(Forged));
        };
        let path = Self { job: JobId(job), attempt };
        // The comparison takes as long for a proof that is nearly right.
        let expected = path.proof(secret);
        let differing = expected
            .bytes()
            .zip(proof.bytes())
            .fold(0, |sum, (ours, theirs)| sum | (ours ^ theirs));
        let proven = proof.len() == expected.len() && differing == 0;
        Some(if proven { Ok(path) } else { Err(Forged) })
    }

    fn proof(self, secret: &Secret) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.0.as_bytes());
        let tag = hmac::sign(&key, format!("fax-return {} {}", self.job, self.attempt).as_bytes());
        tag.as_ref()[..PROOF_BYTES].iter().map(|octet| format!("{octet:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_here_is_believed() {
        let secret = Secret("a".repeat(64));
        let path = ReturnPath { job: JobId(4711), attempt: 2 };
        let address = path.address(&secret, "fax.example.com");
        let local = address.strip_suffix("@fax.example.com").unwrap();
        assert!(local.len() <= 64, "RFC 5321 4.5.3.1.1: {local}");
        assert_eq!(ReturnPath::read(local, &secret), Some(Ok(path)));
        assert_eq!(ReturnPath::read(&local.to_uppercase(), &secret), Some(Ok(path)));
        let last = &local[local.len() - 1..];
        let other = if last == "0" { "1" } else { "0" };
        let changed = format!("{}{other}", &local[..local.len() - 1]);
        for forged in [
            "fax-return+".to_owned(),
            "fax-return+4711.2".to_owned(),
            "fax-return+4711.2.".to_owned(),
            local.replace("4711", "4712"),
            local.replace(".2.", ".3."),
            local[..local.len() - 1].to_owned(),
            format!("{local}0"),
            format!("{local}.0"),
            changed,
        ] {
            assert_eq!(ReturnPath::read(&forged, &secret), Some(Err(Forged)), "{forged}");
        }
        assert_eq!(ReturnPath::read(local, &Secret("b".repeat(64))), Some(Err(Forged)));
        for other in ["+4420", "fax", "postmaster", "fax-return"] {
            assert_eq!(ReturnPath::read(other, &secret), None, "{other}");
        }
    }
}
