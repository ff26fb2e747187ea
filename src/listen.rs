//! Opens the doors to mail: the SMTP listeners and their certificate.

use std::{path::Path, sync::Arc, time::Duration};

use postfax_gateway::{
    auth::password::Checker,
    desk,
    server::{self, Options, tls},
    verify::Verifier,
};
use tokio::{net::TcpListener, sync::watch};
use tracing::{error, info};

use crate::{
    config::{Config, Role, Verify},
    daemon::{Daemon, DaemonError},
    outbound::FaxDesk,
};

/// Password checks at a time; each takes 19 MiB and some 25 ms.
const LOGINS_AT_ONCE: usize = 2;
/// How long a password that was right needs no other check.
const LOGIN_REMEMBERED: Duration = Duration::from_secs(60);

/// Certificates in use; a new one sent here counts for new connections.
pub type Certificate = watch::Sender<Arc<rustls::ServerConfig>>;

/// Opens all SMTP listeners.
///
/// # Errors
/// [`DaemonError`] names the address or the certificate.
pub async fn smtp(
    daemon: &mut Daemon,
    config: &Config,
) -> Result<Option<Certificate>, DaemonError> {
    let certificate = match &config.tls {
        Some(tls) => Some(watch::Sender::new(certificate(&tls.certificate, &tls.key)?)),
        None => None,
    };
    let logins = Arc::new(Checker::new(LOGINS_AT_ONCE, LOGIN_REMEMBERED));
    let verifier = verifier(config)?;
    for listener in &config.listeners {
        let role = match listener.role {
            Role::Submission => desk::Role::Submission,
            Role::Submissions => desk::Role::Submissions,
            Role::Relay => desk::Role::Relay,
            Role::Lmtp => {
                error!(address = %listener.address, "LMTP is not spoken yet");
                continue;
            }
        };
        let what = listener.address.to_string();
        let socket = TcpListener::bind(listener.address)
            .await
            .map_err(|source| DaemonError::Listen { what, source })?;
        let address = socket.local_addr().map_or_else(|_| String::new(), |a| a.to_string());
        info!(%address, role = ?listener.role, "listening");
        let tls = certificate.as_ref().map(watch::Sender::subscribe);
        let mut options = options(config, tls);
        if listener.verify.is_empty() {
            // Whoever logs in or is trusted need not prove its patience.
            options.timeouts.greeting_wait_ms = 0;
        }
        let desk = FaxDesk::new(daemon.context(), listener.trust.clone(), logins.clone())
            .verifying(verifier.clone().filter(|_| listener.verify.contains(&Verify::Dmarc)));
        let stop = daemon.stop.subscribe();
        daemon.tasks.spawn(async move {
            if let Err(failed) = server::serve(socket, role, options, Arc::new(desk), stop).await {
                error!(%address, %failed, "the listener ended");
            }
        });
    }
    Ok(certificate)
}

/// What checks mails of strangers, where a listener takes some.
fn verifier(config: &Config) -> Result<Option<Arc<Verifier>>, DaemonError> {
    if config.listeners.iter().all(|listener| listener.verify.is_empty()) {
        return Ok(None);
    }
    Ok(Some(Arc::new(Verifier::new(&config.dns, &config.hostname)?)))
}

fn options(config: &Config, tls: Option<watch::Receiver<Arc<rustls::ServerConfig>>>) -> Options {
    let intake = &config.intake;
    let mut options = Options::new(&config.hostname);
    options.limits.max_message_bytes = intake.max_message_bytes;
    options.limits.max_recipients = intake.max_recipients;
    options.limits.max_auth_failures = intake.max_login_failures;
    options.timeouts.command_s = intake.command_timeout_s;
    options.timeouts.data_block_s = intake.data_timeout_s;
    options.max_connections = intake.max_connections;
    options.max_connections_per_address = intake.max_connections_per_address;
    options.tls = tls;
    options
}

/// Loads the certificate.
///
/// # Errors
/// [`DaemonError::Tls`] names the file.
pub fn certificate(
    certificate: &Path,
    key: &Path,
) -> Result<Arc<rustls::ServerConfig>, DaemonError> {
    Ok(tls::load(certificate, key)?)
}
