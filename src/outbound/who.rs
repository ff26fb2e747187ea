//! Who is sending (a client may send only as itself): who logged in, showed a
//! certificate or is a user of this host; or whom a trusted host vouches for. The
//! `From:` text alone proves nothing, and must not say anything else.

use std::net::IpAddr;

use postfax_domain::names::ClientName;
use postfax_gateway::{
    desk::{Granted, Mail, Peer, Role},
    message::Message,
    reply::Reply,
};

use super::{
    FaxDesk,
    door::{What, Whose},
    logins::{self, Login},
    replies::unauthorised,
};
use crate::{config::Config, daemon::now};

impl FaxDesk {
    fn is_trusted(&self, address: IpAddr) -> bool {
        self.trust.iter().any(|network| network.contains(address))
    }

    /// The client that a mail is from: who showed who it is, or whom a trusted host
    /// vouches for.
    pub(super) fn client(
        &self,
        config: &Config,
        peer: &Peer,
        mail: &Mail,
    ) -> Result<ClientName, Reply> {
        let setup = &config.setup;
        let from = mail.from.as_ref().map(ToString::to_string);
        if let Some(name) = shown(config, peer)? {
            return match from {
                Some(from) if !setup.clients[name].owns(&from) => Err(unauthorised(&format!(
                    "{name} may send only from its own addresses, and {from} is none"
                ))),
                _ => Ok(name.clone()),
            };
        }
        if matches!(peer.role, Role::Submission | Role::Submissions) {
            return Err(Reply::new(530, (7, 0), "authentication required"));
        }
        if !self.is_trusted(peer.address) && !is_here(peer) {
            return Err(unauthorised("this host is not trusted to speak for our clients"));
        }
        let from = from.ok_or_else(|| Reply::new(550, (7, 1), "notifications are not faxed"))?;
        let client = setup.client_of(&from).cloned();
        client.ok_or_else(|| unauthorised(&format!("no client has the address {from}")))
    }

    /// Whether a mail may come now, and what its sender is granted.
    pub(super) fn admit(&self, peer: &Peer, mail: &Mail) -> Result<Granted, Reply> {
        let config = self.config();
        let client = self.client(&config, peer, mail)?;
        self.count(&config, peer, &client, What::Mail)?;
        let most = config.access.get(&client).map_or(0, |access| access.max_priority);
        Ok(Granted { priority: mail.priority.unwrap_or(0).min(most) })
    }

    /// Takes one more from what a client may send in a while.
    pub(super) fn count(
        &self,
        config: &Config,
        peer: &Peer,
        client: &ClientName,
        what: What,
    ) -> Result<(), Reply> {
        let access = config.access.get(client).cloned().unwrap_or_default();
        // A mail server brings the mails of all clients, and has no limit of its own.
        let counts = !self.is_trusted(peer.address) && peer.process.is_none() && !is_here(peer);
        let address = counts.then_some(peer.address);
        let whose = Whose { client, access: &access, address };
        self.door.take(&config.intake, &whose, what, now())
    }
}

/// Who a peer has shown to be; `None` when it showed nothing.
fn shown<'a>(config: &'a Config, peer: &Peer) -> Result<Option<&'a ClientName>, Reply> {
    if let Some(identity) = &peer.identity {
        let login = Login::of(identity);
        let known =
            |login: &Login| config.setup.clients.keys().find(|name| name.as_str() == login.client);
        let (Some(login), Some(name)) = (&login, login.as_ref().and_then(known)) else {
            return Err(unauthorised("this client is not set up any more"));
        };
        return match login.still_holds(config, name, peer) {
            true => Ok(Some(name)),
            false => Err(Reply::new(421, (7, 0), "your login has changed, log in again")),
        };
    }
    if let Some(process) = peer.process {
        let is = |name: &&ClientName| config.access[*name].users.contains(&process.uid);
        if let Some(name) = config.access.keys().find(is) {
            return Ok(Some(name));
        }
    }
    let certificate = peer.certificate.as_ref();
    Ok(certificate.and_then(|shown| logins::certified(config, shown)))
}

/// A mail server that hands over by LMTP on this host: who may open its socket, or
/// reach its loopback address, speaks for our clients.
fn is_here(peer: &Peer) -> bool {
    let local = peer.process.is_some() || peer.address.to_canonical().is_loopback();
    peer.role == Role::Lmtp && local
}

/// Whether what a mail says of its sender is true, where a client has shown who it is.
/// Any name may stand before the address.
pub(super) fn says_the_truth(
    config: &Config,
    peer: &Peer,
    client: &ClientName,
    message: &Message,
) -> Result<(), Reply> {
    if shown(config, peer)?.is_none() {
        return Ok(());
    }
    let own = config.setup.clients.get(client);
    let others = config.access.get(client).map_or(&[][..], |access| &access.may_send_as);
    let may = |address: &str| {
        own.is_some_and(|own| own.owns(address))
            || others.iter().any(|pattern| pattern.matches(address))
    };
    match message.mailboxes("From").iter().find(|mailbox| !may(&mailbox.address)) {
        None => Ok(()),
        Some(mailbox) => Err(unauthorised(&format!(
            "{client} may not send as {}, which is in From:",
            mailbox.address
        ))),
    }
}
