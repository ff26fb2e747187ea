//! What TLS handshakes are done with, loaded from PEM files: the certificate of the
//! server, and the authorities whose client certificates it believes.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{RootCertStore, ServerConfig, crypto::ring};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};

use super::certificate::Authorities;

/// What handshakes are done with.
#[derive(Debug)]
pub struct Keys {
    pub(super) config: Arc<ServerConfig>,
    /// Whose clients are believed; without, no client is asked for a certificate.
    pub(super) clients: Option<Arc<Authorities>>,
}

impl Keys {
    /// What another server of the same host does its handshakes with.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {why}", path.display())]
    CannotRead {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file holds something else.
    #[error("{} holds no {wanted} in PEM form (-----BEGIN ...-----)", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: Wanted,
    },
    /// The key is locked with a passphrase.
    #[error("{} is locked with a passphrase; store it without one", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The two do not fit, or are of a kind that TLS cannot use.
    #[error("the key {} does not work with the certificate {}: {why}", key.display(), certificate.display())]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What TLS says.
        why: String,
    },
    /// What is there for an authority is none.
    #[error("{} holds a certificate that is no authority's: {why}", path.display())]
    NoAuthority {
        /// The file.
        path: PathBuf,
        /// What TLS says.
        why: String,
    },
}

/// What a PEM file should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A certificate, and those that vouch for it.
    Certificate,
    /// Its private key.
    Key,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::Key => "private key",
        })
    }
}

/// Loads a certificate chain, the server's own first, and its private key. TLS 1.2
/// and 1.3 are spoken with them (RFC 8314 4). With `client_ca`, a file of authorities,
/// clients are asked for a certificate, and need none.
pub fn load(
    certificate: &Path,
    key: &Path,
    client_ca: Option<&Path>,
) -> Result<Arc<Keys>, TlsError> {
    let chain = certificates(certificate)?;
    let private = private_key(key)?;
    let unusable = |error: rustls::Error| TlsError::Unusable {
        certificate: certificate.into(),
        key: key.into(),
        why: error.to_string(),
    };
    // The provider is named: a process may hold several, and then there is no default.
    let provider = Arc::new(ring::default_provider());
    let clients = match client_ca {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            let none = |why: String| TlsError::NoAuthority { path: path.into(), why };
            for authority in certificates(path)? {
                roots.add(authority).map_err(|error| none(error.to_string()))?;
            }
            let clients = Authorities::new(roots, Arc::clone(&provider));
            Some(Arc::new(clients.map_err(|error| none(error.to_string()))?))
        }
        None => None,
    };
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let config = match &clients {
        Some(clients) => config.with_client_cert_verifier(Arc::clone(clients) as _),
        None => config.with_no_client_auth(),
    };
    let config = config.with_single_cert(chain, private).map_err(unusable)?;
    Ok(Arc::new(Keys { config: Arc::new(config), clients }))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(path, Wanted::Certificate, &error))?;
    match chain.is_empty() {
        true => Err(TlsError::Missing { path: path.into(), wanted: Wanted::Certificate }),
        false => Ok(chain),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = read(path)?;
    if pem
        .windows(20)
        .any(|part| part == b"ENCRYPTED PRIVATE KE" || part == b"Proc-Type: 4,ENCRYPT")
    {
        return Err(TlsError::Locked { path: path.into() });
    }
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| wrong(path, Wanted::Key, &error))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path)
        .map_err(|error| TlsError::CannotRead { path: path.into(), why: error.to_string() })
}

fn wrong(path: &Path, wanted: Wanted, error: &pem::Error) -> TlsError {
    match error {
        pem::Error::NoItemsFound => TlsError::Missing { path: path.into(), wanted },
        other => TlsError::CannotRead { path: path.into(), why: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let made = rcgen::generate_simple_self_signed(["fax.example".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["fax.example".to_owned()]).unwrap();
        let certificate = write("cert.pem", &made.cert.pem());
        let key = write("key.pem", &made.signing_key.serialize_pem());
        let alien = write("other.pem", &other.signing_key.serialize_pem());
        let locked = write("locked.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
        let missing = folder.path().join("none.pem");
        assert!(load(&certificate, &key, None).is_ok());
        for (certificate, key, word) in [
            (&missing, &key, "cannot read"),
            (&certificate, &missing, "cannot read"),
            (&key, &key, "holds no certificate"),
            (&certificate, &certificate, "holds no private key"),
            (&certificate, &locked, "passphrase"),
            (&certificate, &alien, "does not work with"),
        ] {
            let error = load(certificate, key, None).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        let garbage =
            write("ca.pem", "-----BEGIN CERTIFICATE-----\nMAMBAgM=\n-----END CERTIFICATE-----\n");
        for (client_ca, word) in
            [(&missing, "cannot read"), (&key, "holds no certificate"), (&garbage, "no authority")]
        {
            let error = load(&certificate, &key, Some(client_ca)).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        assert!(load(&certificate, &key, Some(&certificate)).is_ok());
    }
}
