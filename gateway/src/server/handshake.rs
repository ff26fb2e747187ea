//! The TLS handshake of one connection, and what it has brought. Decides nothing: a
//! client certificate that is not believed is as good as none.

use std::{sync::Arc, time::Duration};

use rustls::{ProtocolVersion, ServerConnection};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::info;

use super::{socket::Stream, tls::Keys};
use crate::{
    desk::Certificate,
    session::{EXPORTER_BYTES, Secured},
};

/// RFC 9266 2.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// A connection after its handshake.
pub(super) struct Encrypted {
    pub(super) stream: Box<dyn Stream>,
    pub(super) secured: Secured,
    pub(super) cipher: Cipher,
}

/// How a connection is encrypted, in the words of the registries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cipher {
    /// Such as `TLSv1.3`.
    pub(super) version: &'static str,
    /// Such as `TLS_AES_256_GCM_SHA384`.
    pub(super) suite: String,
}

/// Shakes hands as the server.
///
/// # Errors
/// What went wrong, in words for a log.
pub(super) async fn shake(
    stream: Box<dyn Stream>,
    keys: &Keys,
    within: Duration,
) -> Result<Encrypted, String> {
    let accepted = TlsAcceptor::from(Arc::clone(&keys.config)).accept(stream);
    let encrypted = match timeout(within, accepted).await {
        Ok(Ok(encrypted)) => encrypted,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err("it took too long".to_owned()),
    };
    let (_, connection) = encrypted.get_ref();
    let secured =
        Secured { certificate: certificate(connection, keys), exporter: exporter(connection) };
    let cipher = cipher(connection);
    Ok(Encrypted { stream: Box::new(encrypted), secured, cipher })
}

fn certificate(connection: &ServerConnection, keys: &Keys) -> Option<Certificate> {
    let chain = connection.peer_certificates()?;
    let judged = keys.clients.as_ref()?.judge(chain);
    judged.inspect_err(|why| info!(%why, "a client certificate is not believed")).ok()
}

/// Why not for TLS 1.2: there it may be used only with the extended master secret (RFC
/// 9266 4.2), and rustls does not tell whether it was.
fn exporter(connection: &ServerConnection) -> Option<[u8; EXPORTER_BYTES]> {
    if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return None;
    }
    connection.export_keying_material([0; EXPORTER_BYTES], EXPORTER_LABEL, Some(b"")).ok()
}

fn cipher(connection: &ServerConnection) -> Cipher {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "TLSv1.2",
    };
    let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
    let suite = suite.and_then(|suite| suite.as_str()).unwrap_or("unknown");
    // The registry has no number in the names of TLS 1.3.
    Cipher { version, suite: suite.replacen("TLS13_", "TLS_", 1) }
}
