//! The sockets of an agent, and its certificates.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use rsipstack::transport::{
    TcpListenerConnection, TlsConfig, TlsListenerConnection, TransportLayer, udp::UdpConnection,
};
use tokio_util::sync::CancellationToken;

use super::{AgentError, AgentOptions};
use crate::line::sip::{
    guard::{Allowed, GuardedSocket},
    options::{TlsOptions, Transport},
};

/// Where Debian and its kin keep the authorities that the system trusts.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Opens what the options say. Returns it with the address at which others reach it.
pub(super) async fn open(
    options: &AgentOptions,
    allowed: &Arc<RwLock<Allowed>>,
    stop: &CancellationToken,
) -> Result<(TransportLayer, SocketAddr), AgentError> {
    let layer = TransportLayer::new(stop.clone());
    if options.transport != Transport::Udp {
        // Strangers hold no connections, for these hold memory. Datagrams are looked at one
        // by one: those of a dialogue may come from anywhere.
        let allowed = Arc::clone(allowed);
        layer.set_whitelist(move |address| {
            let allowed = allowed.read().unwrap_or_else(PoisonError::into_inner);
            std::future::ready(allowed.holds(address))
        });
    }
    let bad = |error| AgentError::Bind(options.bind, error);
    let contact = match options.transport {
        Transport::Udp => {
            let socket = tokio::net::UdpSocket::bind(options.bind).await.map_err(bad)?;
            let port = socket.local_addr().map_err(bad)?.port();
            let contact = SocketAddr::new(options.address, port);
            let guarded = Arc::new(GuardedSocket::new(socket));
            let (closing, stop) = (Arc::clone(&guarded), stop.child_token());
            let stopped = stop.clone();
            // The stack keeps the socket until its last timer has run out; the port is to
            // be free at once.
            tokio::spawn(async move {
                stopped.cancelled().await;
                closing.close();
            });
            let stop = Some(stop);
            let connection = UdpConnection::from_socket(guarded, Some(contact), stop).await?;
            layer.add_transport(connection.into());
            contact
        }
        Transport::Tcp => {
            let (bind, contact) = stream_address(options).map_err(bad)?;
            let listener = TcpListenerConnection::new(bind, Some(contact)).await?;
            layer.add_transport(listener.into());
            contact
        }
        Transport::Tls => {
            let (bind, contact) = stream_address(options).map_err(bad)?;
            let config = certificates(&options.tls)?;
            layer.set_tls_config(config.clone());
            let listener = TlsListenerConnection::new(bind, Some(contact), config).await?;
            layer.add_transport(listener.into());
            contact
        }
    };
    Ok((layer, contact))
}

/// The stack binds later and keeps its errors to itself: so it is tried here first, which
/// also finds a port where none was given.
fn stream_address(options: &AgentOptions) -> io::Result<(SocketAddr, SocketAddr)> {
    let bound = std::net::TcpListener::bind(options.bind)?.local_addr()?;
    Ok((bound, SocketAddr::new(options.address, bound.port())))
}

fn certificates(tls: &TlsOptions) -> Result<TlsConfig, AgentError> {
    // The stack relies on one for the whole process, and would panic without. An error
    // says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| AgentError::File(path.display().to_string(), error))
    };
    let authorities = read(tls.ca_file.as_deref().unwrap_or(Path::new(SYSTEM_AUTHORITIES)))?;
    let (cert, key) = match (&tls.cert_file, &tls.key_file) {
        (Some(cert), Some(key)) => (Some(read(cert)?), Some(read(key)?)),
        (None, None) => (None, None),
        _ => return Err(AgentError::HalfACertificate),
    };
    Ok(TlsConfig {
        client_cert: cert.clone(),
        client_key: key.clone(),
        cert,
        key,
        ca_certs: Some(authorities),
        sni_hostname: tls.server_name.clone(),
    })
}
