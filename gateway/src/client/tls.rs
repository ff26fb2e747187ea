//! TLS to the relay, and to others that prove their names so, by rustls with ring, 1.2 or
//! later. Opens no connection.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ::ring::digest::{SHA256, digest};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use tokio_rustls::TlsConnector;

use super::relay::{Authorities, Relay, RelayError, Route, StartTls};

/// Where systems keep the authorities that they trust: Debian, Fedora, SUSE.
const SYSTEM_AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

/// What `relay` needs to speak TLS; nothing where it never will.
pub(super) fn connector(relay: &Relay) -> Result<Option<TlsConnector>, RelayError> {
    let checked = match (&relay.route, relay.starttls) {
        (Route::LmtpUnix(_), _) => return Ok(None),
        (Route::Smtps { .. }, _) | (_, StartTls::Required) => {
            relay.authorities != Authorities::Anybody
        }
        (_, StartTls::Opportunistic) => false,
        (_, StartTls::Never) => return Ok(None),
    };
    let nobody = Authorities::Anybody;
    believing(if checked { &relay.authorities } else { &nobody }).map(Some)
}

/// What is needed to speak TLS to whoever is vouched for by `authorities`. The name must
/// be proved unless anybody is believed, or one certificate alone.
///
/// # Errors
/// [`RelayError::Authorities`] names the file that cannot be used.
pub fn believing(authorities: &Authorities) -> Result<TlsConnector, RelayError> {
    let provider = Arc::new(ring::default_provider());
    let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring can do what rustls asks of it");
    let verifier: Arc<dyn ServerCertVerifier> = match authorities {
        Authorities::Anybody => Arc::new(Unnamed { provider, pin: None }),
        Authorities::Pinned(pin) => Arc::new(Unnamed { provider, pin: Some(*pin) }),
        Authorities::System | Authorities::File(_) => {
            Arc::new(Believed::new(believed(authorities)?, authorities, &provider)?)
        }
    };
    let config =
        versions.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The file of the authorities, and what is in it.
fn believed(
    authorities: &Authorities,
) -> Result<(PathBuf, Vec<CertificateDer<'static>>), RelayError> {
    let path = match authorities {
        Authorities::File(path) => path.clone(),
        Authorities::System | Authorities::Pinned(_) | Authorities::Anybody => {
            let found = SYSTEM_AUTHORITIES.iter().map(Path::new).find(|path| path.exists());
            found.map_or_else(|| PathBuf::from(SYSTEM_AUTHORITIES[0]), Path::to_path_buf)
        }
    };
    let unusable = |cause: String| RelayError::Authorities { path: path.clone(), cause };
    let certificates = CertificateDer::pem_file_iter(&path)
        .map_err(|error| unusable(error.to_string()))?
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(error.to_string()))?;
    Ok((path, certificates))
}

/// Believes what authorities have signed for the name; and, where the administrator has
/// named a file, the very certificates in it, for the names that are in them.
#[derive(Debug)]
struct Believed {
    signed: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
}

impl Believed {
    fn new(
        (path, certificates): (PathBuf, Vec<CertificateDer<'static>>),
        authorities: &Authorities,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, RelayError> {
        let unusable = |cause: String| RelayError::Authorities { path: path.clone(), cause };
        let pinned = match authorities {
            Authorities::File(_) => certificates.clone(),
            Authorities::System | Authorities::Pinned(_) | Authorities::Anybody => Vec::new(),
        };
        let mut roots = RootCertStore::empty();
        if roots.add_parsable_certificates(certificates).0 == 0 {
            return Err(unusable("there is no certificate in it".to_owned()));
        }
        let signed =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map_err(|bad| unusable(bad.to_string()))?;
        Ok(Self { signed, pinned })
    }
}

impl ServerCertVerifier for Believed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.pinned.iter().any(|pinned| pinned == end_entity) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.signed.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}

/// Looks at no name. Takes one certificate alone; or, without a pin, any: opportunistic
/// TLS hides the mail from those who only listen, and mail servers commonly show a
/// certificate that they made themselves. Never used where a name must be proved.
#[derive(Debug)]
struct Unnamed {
    provider: Arc<CryptoProvider>,
    /// SHA-256 of the certificate.
    pin: Option<[u8; 32]>,
}

impl ServerCertVerifier for Unnamed {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = digest(&SHA256, shown);
        match &self.pin {
            Some(pin) if found.as_ref() != pin => {
                let hex: String = found.as_ref().iter().map(|b| format!("{b:02x}")).collect();
                Err(Error::General(format!("it shows another certificate: sha256:{hex}")))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
