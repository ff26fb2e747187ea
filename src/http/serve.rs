//! The socket of the HTTP door: accepts connections, bounds their number and their
//! time, and does the TLS handshake. Knows nothing of what is asked.

use std::{convert::Infallible, io, net::IpAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use postfax_gateway::server::tls::Keys;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

use super::{Shared, patient::Patient, routes};
use crate::{
    config::{Http, HttpLimits},
    daemon::DaemonError,
};

/// How long to wait when no more connections can be accepted for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How long requests under way may go on when the daemon stops.
const DRAIN: Duration = Duration::from_secs(10);

/// The open door.
pub(super) struct Server {
    listener: TcpListener,
    router: Router,
    shared: Shared,
    limits: HttpLimits,
    /// Handshakes are done with what is here; without, nothing is encrypted.
    certificate: Option<watch::Receiver<Option<Arc<Keys>>>>,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// [`DaemonError::Listen`] names the address.
    pub(super) async fn bind(
        http: &Http,
        shared: Shared,
        certificate: Option<watch::Receiver<Option<Arc<Keys>>>>,
    ) -> Result<Self, DaemonError> {
        let listener = TcpListener::bind(http.address)
            .await
            .map_err(|source| DaemonError::Listen { what: http.address.to_string(), source })?;
        info!(address = %http.address, tls = http.tls, "listening for HTTP");
        let router = routes::router(shared.clone(), &http.limits);
        Ok(Self { listener, router, shared, limits: http.limits.clone(), certificate })
    }

    /// Serves until the daemon stops, and lets end what is under way then.
    pub(super) async fn run(self) {
        let places = Arc::new(Semaphore::new(self.limits.max_connections));
        let mut connections = JoinSet::new();
        let mut stop = self.shared.stop.clone();
        loop {
            let accepted = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                accepted = self.listener.accept() => accepted,
            };
            while connections.try_join_next().is_some() {}
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(failed) => {
                    warn!(%failed, "a connection to the HTTP door failed");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = places.clone().try_acquire_owned() else {
                debug!(%peer, "the HTTP door is full");
                continue;
            };
            let connection = self.connection(stream, peer.ip());
            connections.spawn(async move {
                if let Err(failed) = connection.await {
                    debug!(%peer, %failed, "a connection to the HTTP door ended");
                }
                drop(place);
            });
        }
        let _ = timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
    }

    /// Drives one connection, with the limits in force when it came.
    fn connection(
        &self,
        stream: TcpStream,
        peer: IpAddr,
    ) -> impl Future<Output = io::Result<()>> + use<> {
        let limits = self.shared.limits(&self.limits);
        let (router, stop) = (self.router.clone(), self.shared.stop.clone());
        let keys = self.certificate.as_ref().map(|keys| keys.borrow().clone());
        async move {
            let patience = Duration::from_secs(limits.header_timeout_s);
            let Some(keys) = keys else {
                return speak(stream, peer, router, patience, stop).await;
            };
            let keys = keys.ok_or_else(|| io::Error::other("there is no certificate"))?;
            let handshake = TlsAcceptor::from(keys.config()).accept(stream);
            let stream = timeout(patience, handshake).await??;
            speak(stream, peer, router, patience, stop).await
        }
    }
}

/// HTTP/1.1 over a stream, until either side has enough.
async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: IpAddr,
    router: Router,
    patience: Duration,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let service = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (mut head, body) = request.into_parts();
        head.extensions.insert(peer);
        let request = Request::from_parts(head, Body::new(body));
        let answering = hyper::service::Service::call(&service, request);
        async move { Ok::<_, Infallible>(answering.await.unwrap_or_else(|never| match never {})) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .serve_connection(TokioIo::new(Patient::new(stream)), service);
    tokio::pin!(connection);
    tokio::select! {
        done = connection.as_mut() => return done.map_err(io::Error::other),
        _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    connection.await.map_err(io::Error::other)
}
