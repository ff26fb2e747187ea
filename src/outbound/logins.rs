//! Logging in: a user name and its proof become a client, or a refusal that does not
//! tell which of the two was wrong.

use std::{fmt, net::IpAddr};

use postfax_domain::{names::ClientName, setup::Setup};
use postfax_gateway::{
    auth::{Proof, prepared, scram::Keys},
    desk::{AuthRefusal, Certificate, Identity, Peer, Role},
};
use tracing::warn;

use super::FaxDesk;
use crate::config::{Certified, Config, Password};

/// Who logged in, and by what: when that changes, the login counts no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) client: String,
    by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The password of this epoch.
    Password(u64),
    Certificate,
    /// A token, which was looked at for this one request.
    Token,
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.by {
            By::Password(epoch) => write!(f, "{} {epoch}", self.client),
            By::Certificate => write!(f, "{} certificate", self.client),
            By::Token => write!(f, "{} token", self.client),
        }
    }
}

impl Login {
    /// As it was written into the identity of a session.
    pub(super) fn of(identity: &Identity) -> Option<Self> {
        let (client, by) = identity.0.split_once(' ')?;
        let by = match by {
            "certificate" => By::Certificate,
            "token" => By::Token,
            epoch => By::Password(epoch.parse().ok()?),
        };
        Some(Self { client: client.to_owned(), by })
    }

    /// Whether what was right then is right now.
    pub(super) fn still_holds(&self, config: &Config, client: &ClientName, peer: &Peer) -> bool {
        match self.by {
            By::Password(epoch) => password_of(config, client).is_some_and(|p| p.epoch() == epoch),
            By::Certificate => peer
                .certificate
                .as_ref()
                .is_some_and(|shown| certified(config, shown) == Some(client)),
            By::Token => true,
        }
    }
}

impl FaxDesk {
    /// The client that logs in with a password at another door, from this address.
    ///
    /// # Errors
    /// [`AuthRefusal`], as for a mail client: failures are counted and slowed together.
    pub(crate) async fn client_by_password(
        &self,
        address: IpAddr,
        user: &str,
        password: &str,
    ) -> Result<ClientName, AuthRefusal> {
        let peer = Peer { tls: true, ..Peer::new(Role::Submission, address) };
        let identity = self.log_in(&peer, user, password).await?;
        let login = Login::of(&identity).ok_or(AuthRefusal::WrongCredentials)?;
        ClientName::new(&login.client).map_err(|_| AuthRefusal::WrongCredentials)
    }

    pub(super) async fn log_in(
        &self,
        peer: &Peer,
        user: &str,
        told: &str,
    ) -> Result<Identity, AuthRefusal> {
        let config = self.config();
        let name = named(&config.setup, user);
        let account = account(name, user);
        self.wait_for_turn(&config, peer, &account).await?;
        let password = name.and_then(|name| password_of(&config, name));
        // Other forms of the same letters are the same password (RFC 4013); old hashes
        // may be of the letters as they were typed.
        let prepared = prepared(told);
        let mut right = self.is_right(password, &prepared).await?;
        if !right && prepared != told {
            right = self.is_right(password, told).await?;
        }
        match (name, password) {
            (Some(name), Some(password)) if right => {
                self.door.login_succeeded(peer.address, &account);
                let by = By::Password(password.epoch());
                Ok(Identity(Login { client: name.to_string(), by }.to_string()))
            }
            _ => {
                self.door.login_failed(peer.address, &account);
                Err(AuthRefusal::WrongCredentials)
            }
        }
    }

    /// Takes as long for a client that there is not.
    async fn is_right(&self, known: Option<&Password>, told: &str) -> Result<bool, AuthRefusal> {
        let checker = &self.door.checker;
        let Some(known) = known else {
            checker.verify_nobody(told).await;
            return Ok(false);
        };
        checker.verify(&known.hash, told).await.map_err(|failed| {
            warn!(%failed, "a login could not be checked");
            AuthRefusal::Unavailable
        })
    }

    /// Whether anybody's password can be proven without telling it.
    pub(super) fn some_have_keys(&self) -> bool {
        let config = self.config();
        let mut passwords = config.access.values().filter_map(|access| access.password.as_ref());
        passwords.any(|password| password.keys.is_some())
    }

    pub(super) async fn keys_of(&self, peer: &Peer, user: &str) -> Result<Keys, AuthRefusal> {
        let config = self.config();
        let name = named(&config.setup, user);
        let account = account(name, user);
        self.wait_for_turn(&config, peer, &account).await?;
        let nobody = Keys::of_nobody(self.context.reader.secret.0.as_bytes(), &as_known(user));
        let keys = name.and_then(|name| password_of(&config, name)?.keys.clone());
        Ok(keys.unwrap_or(nobody))
    }

    pub(super) fn judge(&self, peer: &Peer, proof: &Proof) -> Result<Identity, AuthRefusal> {
        let config = self.config();
        let wrong = AuthRefusal::WrongCredentials;
        match proof {
            Proof::Password { user } => {
                let name = named(&config.setup, user).ok_or(wrong)?;
                let password = password_of(&config, name).ok_or(wrong)?;
                self.door.login_succeeded(peer.address, &account(Some(name), user));
                let by = By::Password(password.epoch());
                Ok(Identity(Login { client: name.to_string(), by }.to_string()))
            }
            Proof::WrongPassword { user } => {
                let account = account(named(&config.setup, user), user);
                self.door.login_failed(peer.address, &account);
                Err(wrong)
            }
            Proof::Certificate { acting_as } => {
                let shown = peer.certificate.as_ref().ok_or(wrong)?;
                let name = certified(&config, shown).ok_or(wrong)?;
                let other = |user: &String| named(&config.setup, user) != Some(name);
                if acting_as.as_ref().is_some_and(other) {
                    return Err(wrong);
                }
                let by = By::Certificate;
                Ok(Identity(Login { client: name.to_string(), by }.to_string()))
            }
        }
    }

    /// Who failed often waits, and is refused in the end.
    async fn wait_for_turn(
        &self,
        config: &Config,
        peer: &Peer,
        account: &str,
    ) -> Result<(), AuthRefusal> {
        let pause = self.door.patience(&config.intake, peer.address, account);
        tokio::time::sleep(pause.ok_or(AuthRefusal::TooManyTries)?).await;
        Ok(())
    }
}

/// A client that another door let in by a token.
#[must_use]
pub fn by_token(client: &ClientName) -> Identity {
    Identity(Login { client: client.to_string(), by: By::Token }.to_string())
}

/// People log in with their client's name or with its mail address.
fn named<'a>(setup: &'a Setup, user: &str) -> Option<&'a ClientName> {
    let by_name = setup.clients.keys().find(|name| name.as_str() == user);
    by_name.or_else(|| setup.client_of(user))
}

/// One spelling for all that would mean one client, and for no others: else the salts of
/// two spellings of a name would tell whether there is such a client.
fn as_known(user: &str) -> String {
    if user.contains('@') { user.to_ascii_lowercase() } else { user.to_owned() }
}

/// What failures are counted under: one name for all ways to write a client.
fn account(client: Option<&ClientName>, user: &str) -> String {
    client.map_or_else(|| user.to_lowercase(), ToString::to_string)
}

fn password_of<'a>(config: &'a Config, client: &ClientName) -> Option<&'a Password> {
    config.access_of(client).password.as_ref()
}

/// The client that a certificate belongs to; its fingerprint counts before its names.
pub(super) fn certified<'a>(config: &'a Config, shown: &Certificate) -> Option<&'a ClientName> {
    let owner = |wanted: &Certified| {
        let owns = |name: &&ClientName| config.access[*name].certificates.contains(wanted);
        config.access.keys().find(owns)
    };
    let print = Certified::Fingerprint(shown.fingerprint.to_ascii_lowercase());
    let mut names = shown.names.iter();
    owner(&print)
        .or_else(|| names.find_map(|name| owner(&Certified::Name(name.to_ascii_lowercase()))))
}
