//! TLS 1.3 between two sides that know each other's keys. There is no authority and no name
//! to check: a certificate is as good as the key in it, and the peer proves by its signature
//! of the handshake that it has that key.

use std::{io, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
    version::TLS13,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::key::{Fingerprint, Identity};

/// Whose keys are let in.
pub(super) type Known = Arc<dyn Fn(&Fingerprint) -> bool + Send + Sync>;

/// A key that was not expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has the key {0}, which is not the one that was expected")]
pub(super) struct WrongKey(pub(super) Fingerprint);

/// Lets in who has one of the keys.
struct Pinned {
    known: Known,
    provider: Arc<CryptoProvider>,
}

impl std::fmt::Debug for Pinned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pinned")
    }
}

impl Pinned {
    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let came = Fingerprint::of(certificate)?;
        if (self.known)(&came) {
            return Ok(());
        }
        let wrong = OtherError(Arc::new(WrongKey(came)));
        Err(Error::InvalidCertificate(CertificateError::Other(wrong)))
    }

    fn signed(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Never asked for: only TLS 1.3 is spoken.
fn too_old() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("only TLS 1.3 is spoken".into()))
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(certificate).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(certificate).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

fn pinned(known: Known) -> (Arc<CryptoProvider>, Arc<Pinned>) {
    let provider = Arc::new(ring::default_provider());
    (provider.clone(), Arc::new(Pinned { known, provider }))
}

/// Dials the one that has this key.
pub(super) fn connector(us: &Identity, peer: Fingerprint) -> Result<TlsConnector, Error> {
    let (provider, verifier) = pinned(Arc::new(move |came| *came == peer));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(vec![us.certificate.clone()], us.key.clone_key())?;
    config.enable_sni = false;
    // Each connection proves both keys anew.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Answers those who have one of these keys.
pub(super) fn acceptor(us: &Identity, known: Known) -> Result<TlsAcceptor, Error> {
    let (provider, verifier) = pinned(known);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![us.certificate.clone()], us.key.clone_key())?;
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The key that a handshake failed for.
pub(super) fn wrong_key(error: &io::Error) -> Option<WrongKey> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            other.0.downcast_ref::<WrongKey>().copied()
        }
        _ => None,
    }
}

/// Whether the other side refused our key, which in TLS 1.3 is heard only after the
/// handshake has ended here (RFC 8446 appendix E.5).
pub(super) fn refuses_us(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    matches!(inner, Some(Error::AlertReceived(_)))
}
