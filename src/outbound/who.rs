//! Who is sending (a client may send only as itself): who logged in, or whom a
//! trusted host vouches for. The `From:` text alone proves nothing.

use std::net::IpAddr;

use postfax_domain::{names::ClientName, redacted::Redacted, setup::Setup};
use postfax_gateway::{
    desk::{AuthRefusal, Identity, Mail, Peer, Role},
    reply::Reply,
};
use tracing::warn;

use super::{FaxDesk, replies::unauthorised};

impl FaxDesk {
    pub(super) fn is_trusted(&self, address: IpAddr) -> bool {
        self.trust.iter().any(|network| network.contains(address))
    }

    /// The client that a mail is from: who logged in, or whom a trusted host vouches for.
    /// Of a host that must prove it, the client that it claims to speak for.
    pub(super) fn client(
        &self,
        setup: &Setup,
        peer: &Peer,
        mail: &Mail,
    ) -> Result<ClientName, Reply> {
        let from = mail.from.as_ref().map(ToString::to_string);
        if let Some(identity) = &peer.identity {
            let name = setup.clients.keys().find(|name| name.as_str() == identity.0);
            let name = name.ok_or_else(|| unauthorised("this client is not set up any more"))?;
            return match from {
                Some(from) if !setup.clients[name].owns(&from) => Err(unauthorised(&format!(
                    "{name} may send only from its own addresses, and {from} is none"
                ))),
                _ => Ok(name.clone()),
            };
        }
        if peer.role != Role::Relay {
            return Err(Reply::new(530, (7, 0), "authentication required"));
        }
        if !self.is_trusted(peer.address) && self.verifier_of(peer).is_none() {
            return Err(unauthorised("this host is not trusted to speak for our clients"));
        }
        let from = from.ok_or_else(|| Reply::new(550, (7, 1), "notifications are not faxed"))?;
        let client = setup.client_of(&from).cloned();
        client.ok_or_else(|| unauthorised(&format!("no client has the address {from}")))
    }

    pub(super) async fn log_in(
        &self,
        peer: &Peer,
        user: &str,
        password: &str,
    ) -> Result<Identity, AuthRefusal> {
        let config = self.config();
        // People log in with their client's name or with its mail address.
        let name = config
            .setup
            .clients
            .keys()
            .find(|name| name.as_str() == user)
            .or_else(|| config.setup.client_of(user));
        let hash = name.and_then(|name| config.passwords.get(name));
        let right = match hash {
            Some(hash) => self.logins.verify(hash, password).await.map_err(|failed| {
                warn!(%failed, "a login could not be checked");
                AuthRefusal::Unavailable
            })?,
            None => {
                self.logins.verify_nobody(password).await;
                false
            }
        };
        match name {
            Some(name) if right => Ok(Identity(name.to_string())),
            _ => {
                warn!(user = %Redacted(user), address = %peer.address, "failed login");
                Err(AuthRefusal::WrongCredentials)
            }
        }
    }
}
