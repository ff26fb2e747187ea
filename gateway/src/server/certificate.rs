//! Client certificates: which authorities are believed, and what a certificate says.
//!
//! Why a handshake does not fail on a certificate that is not believed: mail servers
//! show the one that they have to everybody who asks, and their mail is welcome by
//! other proofs. So the handshake proves that the client has the key, and the chain
//! is judged when it is over.

use std::{fmt::Write as _, sync::Arc};

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::CryptoProvider,
    server::{
        VerifierBuilderError, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::desk::Certificate;

/// Most names that are taken from one certificate.
const MAX_NAMES: usize = 100;

/// The authorities whose client certificates are believed.
#[derive(Debug)]
pub(super) struct Authorities(Arc<dyn ClientCertVerifier>);

/// Why a certificate is not believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Disbelief {
    /// What TLS says of the chain.
    #[error("{0}")]
    Chain(Error),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// There is none.
    #[error("there is no certificate")]
    Absent,
}

impl Authorities {
    pub(super) fn new(
        roots: RootCertStore,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, VerifierBuilderError> {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        Ok(Self(verifier.allow_unauthenticated().build()?))
    }

    /// What the certificate of a client says, the client's own first in the chain.
    pub(super) fn judge(&self, chain: &[CertificateDer<'_>]) -> Result<Certificate, Disbelief> {
        let (own, others) = chain.split_first().ok_or(Disbelief::Absent)?;
        let now = UnixTime::now();
        self.0.verify_client_cert(own, others, now).map_err(Disbelief::Chain)?;
        read(own)
    }
}

/// During the handshake any certificate will do whose key the client has.
impl ClientCertVerifier for Authorities {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Its fingerprint and its names. Common names are no names of a host or mailbox
/// (RFC 9525 2).
fn read(der: &CertificateDer<'_>) -> Result<Certificate, Disbelief> {
    let unreadable = |why: &dyn std::fmt::Display| Disbelief::Unreadable(why.to_string());
    let (_, parsed) = X509Certificate::from_der(der).map_err(|error| unreadable(&error))?;
    let names = parsed.subject_alternative_name().map_err(|error| unreadable(&error))?;
    let names = names.iter().flat_map(|extension| &extension.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::RFC822Name(name) | GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    let mut fingerprint = String::with_capacity(64);
    for octet in Sha256::digest(der) {
        // A text takes everything.
        let _ = write!(fingerprint, "{octet:02x}");
    }
    Ok(Certificate { fingerprint, names: names.take(MAX_NAMES).collect() })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, Issuer, KeyPair, SanType};
    use rustls::crypto::ring;

    use super::*;

    fn authority() -> (Issuer<'static, KeyPair>, CertificateDer<'static>) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        (Issuer::new(params, key), certificate.der().clone())
    }

    fn believe(root: &CertificateDer<'static>) -> Authorities {
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).unwrap();
        Authorities::new(roots, Arc::new(ring::default_provider())).unwrap()
    }

    #[test]
    fn a_certificate_says_its_names_and_only_authorities_are_believed() {
        let (issuer, root) = authority();
        let mut params = CertificateParams::new(vec!["printer.example.com".to_owned()]).unwrap();
        let mailbox = "anna@example.com".try_into().unwrap();
        params.subject_alt_names.push(SanType::Rfc822Name(mailbox));
        params.subject_alt_names.push(SanType::IpAddress([192, 0, 2, 7].into()));
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &issuer).unwrap();
        let chain = [made.der().clone()];
        let read = believe(&root).judge(&chain).unwrap();
        assert_eq!(read.names, ["printer.example.com", "anna@example.com"]);
        assert_eq!(read.fingerprint.len(), 64);
        assert!(read.fingerprint.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));

        let (_, other) = authority();
        assert!(matches!(believe(&other).judge(&chain), Err(Disbelief::Chain(_))));
        assert!(matches!(believe(&other).judge(&[]), Err(Disbelief::Absent)));
        let garbage = [CertificateDer::from(vec![0x30, 3, 1, 2, 3])];
        assert!(believe(&root).judge(&garbage).is_err());
    }
}
