//! Who a side is: a key of its own in its state folder, and the fingerprint by which the
//! other side knows it.

use std::{
    fmt, fs, io,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::Path,
    str::FromStr,
};

use rcgen::{CertificateParams, KeyPair};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer},
    server::ParsedCertificate,
};
use sha2::{Digest as _, Sha256};

use super::document::hex;

/// The key in the state folder.
const KEY_FILE: &str = "line.key";
/// What a fingerprint begins with.
const PREFIX: &str = "sha256:";
/// The name in the certificate. Nobody looks at it: the key is what counts.
const SUBJECT: &str = "postfax";
/// Only its owner reads it.
const MODE: u32 = 0o600;

/// The SHA-256 of a public key (SubjectPublicKeyInfo, RFC 5280 4.1.2.7).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// That of the key in a certificate.
    ///
    /// # Errors
    /// When it is no certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, rustls::Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        Ok(Self(Sha256::digest(parsed.subject_public_key_info().as_ref()).into()))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no fingerprint of a key: write sha256: and 64 hexadecimal digits")]
pub struct BadFingerprint;

impl FromStr for Fingerprint {
    type Err = BadFingerprint;
    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        let digits = text.strip_prefix(PREFIX).ok_or(BadFingerprint)?.as_bytes();
        let mut octets = [0; 32];
        if digits.len() != 2 * octets.len() {
            return Err(BadFingerprint);
        }
        let digit = |digit: u8| {
            let value = char::from(digit).to_digit(16).ok_or(BadFingerprint)?;
            u8::try_from(value).map_err(|_| BadFingerprint)
        };
        for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
            *octet = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(octets))
    }
}

/// Our own key and the certificate that carries it.
#[derive(Debug)]
pub struct Identity {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: PrivateKeyDer<'static>,
    fingerprint: Fingerprint,
}

impl Identity {
    /// The key of this state folder; the first time it is made. It belongs to whom the
    /// folder belongs to, whoever has it made.
    ///
    /// # Errors
    /// When it cannot be read or written, or is no key.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(KEY_FILE);
        let pem = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(folder)?;
                fs::read_to_string(&path)?
            }
            read => read?,
        };
        Self::of(&pem).map_err(|bad| {
            let words = format!("{} holds no usable key: {bad}", path.display());
            io::Error::new(io::ErrorKind::InvalidData, words)
        })
    }

    fn of(pem: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let key = KeyPair::from_pem(pem)?;
        let certificate = CertificateParams::new(vec![SUBJECT.to_owned()])?.self_signed(&key)?;
        let certificate = certificate.der().clone();
        let fingerprint = Fingerprint::of(&certificate)?;
        let key = PrivateKeyDer::try_from(key.serialize_der())?;
        Ok(Self { certificate, key, fingerprint })
    }

    /// By which the other side knows us.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

/// Makes a key. Where two do so at once, the first one's stays.
fn make(folder: &Path) -> io::Result<()> {
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(key.serialize_pem().as_bytes())?;
    fs::set_permissions(file.path(), fs::Permissions::from_mode(MODE))?;
    let (ours, theirs) = (file.as_file().metadata()?, fs::metadata(folder)?);
    if (ours.uid(), ours.gid()) != (theirs.uid(), theirs.gid()) {
        chown(file.path(), Some(theirs.uid()), Some(theirs.gid()))?;
    }
    file.as_file().sync_all()?;
    match file.persist_noclobber(folder.join(KEY_FILE)) {
        Err(failed) if failed.error.kind() != io::ErrorKind::AlreadyExists => Err(failed.error),
        _ => fs::File::open(folder)?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = Identity::open(folder.path()).unwrap().fingerprint();
        assert_eq!(Identity::open(folder.path()).unwrap().fingerprint(), first);
        let mode = fs::metadata(folder.path().join(KEY_FILE)).unwrap().mode();
        assert_eq!(mode & 0o777, MODE);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(Identity::open(other.path()).unwrap().fingerprint(), first);
        fs::write(other.path().join(KEY_FILE), "no key").unwrap();
        let failed = Identity::open(other.path()).unwrap_err();
        assert!(failed.to_string().contains("holds no usable key"), "{failed}");
    }

    #[test]
    fn fingerprints_are_read_and_written() {
        let text = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(text.parse::<Fingerprint>().unwrap().to_string(), text);
        let upper = text.to_uppercase().replace("SHA256", "sha256");
        assert_eq!(upper.parse::<Fingerprint>().unwrap().to_string(), text);
        for bad in ["", "sha256:", "sha256:0a", &text[7..], &format!("{text}0a")] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(BadFingerprint), "{bad}");
        }
        assert!(format!("sha256:{}", "0g".repeat(32)).parse::<Fingerprint>().is_err());
        assert!(format!("sha256:{}", "é".repeat(32)).parse::<Fingerprint>().is_err());
    }
}
