//! Signs the mails that we send (DKIM, RFC 6376; Ed25519 by RFC 8463), and says
//! what must be published for that. Whether a mail is signed is decided by others.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mail_auth::{
    common::crypto::{DkimKey, Ed25519Key, RsaKey, Sha256},
    dkim::{DkimSigner, Done},
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};

use crate::client::Body;

/// What is signed. `From` stands here twice, so that a second one that is added on
/// the way breaks the signature (RFC 6376 8.15); so does any other that was not there.
const FIELDS: [&str; 11] = [
    "From",
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
    "Reply-To",
];
/// How much is read at a time, in octets.
const READ_BYTES: usize = 64 << 10;
/// `AlgorithmIdentifier` of RSA in DER (RFC 8017 A.1).
const RSA_ALGORITHM: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no private key in it.
    #[error("it holds no private key as PEM")]
    NotPem,
    /// There is one, of another kind or size.
    #[error("its key is neither RSA of 2048 to 4096 bits nor Ed25519")]
    Unfit,
}

/// Why a mail was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The file.
    #[error("the mail could not be signed: {0}")]
    File(#[from] io::Error),
    /// The mail or the key.
    #[error("the mail could not be signed: {0}")]
    Mail(String),
}

/// A key and the name that it is published by.
pub struct Key {
    signer: DkimSigner<DkimKey, Done>,
    published: Published,
}

/// The TXT record of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// `SELECTOR._domainkey.DOMAIN`
    pub name: String,
    /// `v=DKIM1; k=rsa; p=...`
    pub value: String,
}

/// Signs with all its keys; with none it does nothing.
#[derive(Clone, Default)]
pub struct Signer(Arc<[Key]>);

impl Key {
    /// The key in `pem` (PKCS #8, or PKCS #1 for RSA), published as `selector` of
    /// `domain`.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn new(domain: &str, selector: &str, pem: &str) -> Result<Self, KeyError> {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::NotPem)?;
        let (key, kind, public) = match RsaKey::<Sha256>::from_key_der(der.clone_key()) {
            Ok(key) => {
                let public = public_key_info(&key.public_key());
                (DkimKey::Rsa(key), "rsa", public)
            }
            Err(_) => {
                let key = Ed25519Key::from_pkcs8_maybe_unchecked_der(der.secret_der())
                    .map_err(|_| KeyError::Unfit)?;
                let public = key.public_key();
                (DkimKey::Ed25519(key), "ed25519", public)
            }
        };
        let published = Published {
            name: format!("{selector}._domainkey.{domain}"),
            value: format!("v=DKIM1; k={kind}; p={}", STANDARD.encode(public)),
        };
        let signer = DkimSigner::from_key(key).domain(domain).selector(selector).headers(FIELDS);
        Ok(Self { signer, published })
    }
}

impl Signer {
    /// One that signs with all of `keys`.
    #[must_use]
    pub fn new(keys: Vec<Key>) -> Self {
        Self(keys.into())
    }

    /// What must be in the DNS for the signatures to hold.
    pub fn published(&self) -> impl Iterator<Item = &Published> {
        self.0.iter().map(|key| &key.published)
    }

    /// Whether it signs nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a signature of each key on top of a mail, which has CRLF line ends. Of a mail
    /// in a file the header fields are held in memory, the body is not.
    ///
    /// # Errors
    /// [`SignError`]; the mail is then as it was.
    pub fn sign(&self, mail: &mut Body) -> Result<(), SignError> {
        if self.is_empty() {
            return Ok(());
        }
        match mail {
            Body::Bytes(octets) => {
                let mut signed = self.signatures(&octets[..])?;
                signed.extend_from_slice(octets);
                *octets = signed.into();
                Ok(())
            }
            Body::File(path) => self.sign_file(path),
        }
    }

    fn sign_file(&self, path: &Path) -> Result<(), SignError> {
        let signatures = self.signatures(File::open(path)?)?;
        let signed = path.with_extension("signed");
        let written = (|| {
            let mut out = File::create(&signed)?;
            out.write_all(&signatures)?;
            io::copy(&mut File::open(path)?, &mut out)?;
            fs::rename(&signed, path)
        })();
        if written.is_err() {
            let _ = fs::remove_file(&signed);
        }
        Ok(written?)
    }

    fn signatures(&self, mut mail: impl io::Read) -> Result<Vec<u8>, SignError> {
        let mut streams: Vec<_> = self.0.iter().map(|key| key.signer.sign_streaming()).collect();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let count = match mail.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            for stream in &mut streams {
                stream.write(&buffer[..count]);
            }
        }
        let mut fields = Vec::new();
        for stream in streams {
            let signature = stream.finish().map_err(|bad| SignError::Mail(bad.to_string()))?;
            signature.write(&mut fields, true);
        }
        Ok(fields)
    }
}

/// The keys themselves are not printed.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.published().map(|published| &published.name)).finish()
    }
}

/// `SubjectPublicKeyInfo` of an `RSAPublicKey` (RFC 5280 4.1, RFC 6376 3.6.1).
fn public_key_info(key: &[u8]) -> Vec<u8> {
    let mut bits = vec![0];
    bits.extend_from_slice(key);
    let mut info = RSA_ALGORITHM.to_vec();
    info.extend(der(0x03, &bits));
    der(0x30, &info)
}

/// A DER value with its tag and length.
fn der(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len().to_be_bytes();
    let length = &length[length.iter().take_while(|octet| **octet == 0).count()..];
    let mut all = vec![tag];
    match length {
        [] => all.push(0),
        [short] if *short < 0x80 => all.push(*short),
        long => {
            all.push(0x80 | u8::try_from(long.len()).unwrap_or(u8::MAX >> 1));
            all.extend_from_slice(long);
        }
    }
    all.extend_from_slice(value);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_der() {
        assert_eq!(der(4, &[]), [4, 0]);
        assert_eq!(der(4, &[7; 127])[..2], [4, 127]);
        assert_eq!(der(4, &[7; 128])[..3], [4, 0x81, 128]);
        assert_eq!(der(4, &[7; 294])[..4], [4, 0x82, 1, 38]);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let ec = rcgen::KeyPair::generate().unwrap().serialize_pem();
        for (pem, why) in [("", KeyError::NotPem), ("x", KeyError::NotPem), (&ec, KeyError::Unfit)]
        {
            assert_eq!(Key::new("example.com", "s1", pem).err(), Some(why), "{pem}");
        }
    }

    #[test]
    fn both_kinds_of_keys_sign_and_print_only_their_names() {
        let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
        let key = Key::new("example.com", "e1", &ed25519).unwrap();
        let published = key.published.clone();
        assert_eq!(published.name, "e1._domainkey.example.com");
        assert!(published.value.starts_with("v=DKIM1; k=ed25519; p="), "{published:?}");
        let signer = Signer::new(vec![key]);
        assert_eq!(format!("{signer:?}"), "[\"e1._domainkey.example.com\"]");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.eml");
        let mail = "From: a@example.com\r\nSubject: x\r\n\r\nbody\r\n";
        fs::write(&path, mail).unwrap();
        signer.sign(&mut Body::File(path.clone())).unwrap();
        let signed = fs::read_to_string(&path).unwrap();
        let mut held = Body::Bytes(mail.into());
        signer.sign(&mut held).unwrap();
        let is_same =
            |octets: &[u8]| octets.ends_with(mail.as_bytes()) && octets.len() == signed.len();
        assert!(matches!(held, Body::Bytes(octets) if is_same(&octets)));
        assert!(signed.ends_with(mail) && signed.starts_with("DKIM-Signature: "), "{signed}");
        let unfolded = signed.replace("\r\n\t", "");
        assert!(unfolded.contains("h=Subject:From:From:To:Date"), "{unfolded}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        Signer::default().sign(&mut Body::File("/nowhere".into())).unwrap();
    }
}
