//! Registration with a registrar (RFC 3261 10), kept fresh.

use std::{sync::Arc, time::Duration};

use rsipstack::{
    dialog::registration::Registration,
    sip::{StatusCode, typed},
};
use tokio::sync::watch;

use super::{Agent, AgentError, Login, look_up, uri};
use crate::line::sip::{causes::Cause, leg::phrase};

/// The first wait after a registration that failed, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// The longest that one try may take, and the longest for goodbye.
const TRY_LIMIT: Duration = Duration::from_secs(40);
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

/// With whom to register, and as whom.
#[derive(Debug, Clone)]
pub struct Account {
    /// The registrar: `host`, or a domain.
    pub domain: String,
    /// Where it is, where the domain does not say so: `host:port`, looked up anew for each
    /// registration.
    pub server: Option<String>,
    /// The user part of our address.
    pub user: String,
    /// For the digest.
    pub login: Login,
    /// How long to ask for, in seconds.
    pub expires_s: u32,
}

/// How a registration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// No answer yet.
    Not,
    /// It holds.
    Yes,
    /// It does not, and is tried again by itself.
    Refused(String),
}

/// Why a registration failed.
#[derive(Debug)]
pub enum Refused {
    /// The registrar said so.
    By(Cause),
    /// It did not get so far.
    Error(AgentError),
}

impl From<rsipstack::Error> for Refused {
    fn from(error: rsipstack::Error) -> Self {
        Self::Error(error.into())
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::By(cause) => write!(f, "the registrar said {}", cause.said()),
            Self::Error(error) => error.fmt(f),
        }
    }
}

pub(super) async fn once(
    agent: &Agent,
    registration: &mut Registration,
    account: &Account,
    expires_s: u32,
) -> Result<u32, Refused> {
    let transport = match agent.carrier() {
        rsipstack::sip::Transport::Udp => String::new(),
        other => format!(";transport={}", other.to_string().to_ascii_lowercase()),
    };
    let registrar = uri(&format!("sip:{}{transport}", account.domain)).map_err(Refused::Error)?;
    let response = registration.register(registrar, Some(expires_s)).await?;
    match response.status_code {
        StatusCode::OK => Ok(registration.granted_expires.unwrap_or(expires_s)),
        ref status => Err(Refused::By(Cause::of(u16::from(status.clone()), &phrase(&response)))),
    }
}

impl Agent {
    /// What [`Agent::register`] needs from one time to the next.
    #[must_use]
    pub fn registration(&self, account: &Account) -> Registration {
        let login = (&account.login).into();
        let mut registration = Registration::new(Arc::clone(&self.endpoint), Some(login));
        if let Some(credential) = &mut registration.credential {
            // The stack makes our address of the user's name, and the digest of the other.
            credential.auth_username = Some(account.login.user.clone());
            credential.username.clone_from(&account.user);
        }
        registration.contact = Some(typed::Contact {
            display_name: None,
            uri: self.contact(Some(&account.user)),
            params: vec![],
        });
        registration
    }

    /// Registers and keeps the registration fresh until `stop`; then takes it back.
    pub async fn stay_registered(
        self: Arc<Self>,
        account: Account,
        tell: watch::Sender<Registered>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut registration = self.registration(&account);
        let mut retry = RETRY.0;
        loop {
            let tried = self.find_and_register(&mut registration, &account);
            let wait = match tokio::time::timeout(TRY_LIMIT, tried).await {
                Ok(Ok(granted_s)) => {
                    retry = RETRY.0;
                    tell.send_if_modified(|now| std::mem::replace(now, Registered::Yes) != *now);
                    // Early enough for two more tries before it is over.
                    Duration::from_secs(u64::from(granted_s.max(10)) * 3 / 5)
                }
                Ok(Err(refused)) => self.failed(&tell, refused.to_string(), &mut retry),
                Err(_) => self.failed(&tell, "the registrar does not answer".into(), &mut retry),
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stop.wait_for(|stop| *stop) => break,
                () = self.died() => return,
            }
        }
        let goodbye = self.register(&mut registration, &account, 0);
        let _ = tokio::time::timeout(GOODBYE_LIMIT, goodbye).await;
    }

    async fn find_and_register(
        &self,
        registration: &mut Registration,
        account: &Account,
    ) -> Result<u32, Refused> {
        if let Some(server) = &account.server {
            match (look_up(server, self.address().is_ipv4()).await, registration.outbound_proxy) {
                (Ok(address), _) => registration.outbound_proxy = Some(address),
                // It is where it was, as far as anybody knows.
                (Err(_), Some(_)) => {}
                (Err(error), None) => {
                    return Err(Refused::Error(AgentError::Unknown(server.clone(), error)));
                }
            }
        }
        self.register(registration, account, account.expires_s).await
    }

    fn failed(
        &self,
        tell: &watch::Sender<Registered>,
        why: String,
        retry: &mut Duration,
    ) -> Duration {
        tracing::warn!(%why, "not registered with the SIP trunk");
        tell.send_replace(Registered::Refused(why));
        std::mem::replace(retry, (*retry * 2).min(RETRY.1))
    }
}
