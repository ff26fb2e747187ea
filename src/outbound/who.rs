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
    pub(super) fn is_trusted(&self, address: IpAddr) -> bool {
        self.trust.iter().any(|network| network.contains(address))
    }

    /// The client that a mail is from: who showed who it is, or whom a trusted host
    /// vouches for. Of a host that must prove it, the client that it claims to speak for.
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
        let vouched = self.is_trusted(peer.address) || is_here(peer);
        if !vouched && self.verifier_of(peer).is_none() {
            return Err(unauthorised("this host is not trusted to speak for our clients"));
        }
        let from = from.ok_or_else(|| Reply::new(550, (7, 1), "notifications are not faxed"))?;
        let client = setup.client_of(&from).cloned();
        client.ok_or_else(|| unauthorised(&format!("no client has the address {from}")))
    }

    /// Whether a peer has shown who it is, so that nobody need vouch for it.
    pub(super) fn is_shown(&self, peer: &Peer) -> bool {
        shown(&self.config(), peer).is_ok_and(|client| client.is_some())
    }

    /// Whether a mail may come now, and what its sender is granted.
    pub(super) fn admit(&self, peer: &Peer, mail: &Mail) -> Result<Granted, Reply> {
        let config = self.config();
        let client = self.client(&config, peer, mail)?;
        self.count(&config, peer, self.known(peer, &client), What::Mail)?;
        Ok(granted(mail.priority, config.access_of(&client).max_priority))
    }

    /// The client whose mail it is, if more than a claim says so: a stranger must not use
    /// up what a client may send.
    pub(super) fn known<'a>(&self, peer: &Peer, client: &'a ClientName) -> Option<&'a ClientName> {
        self.verifier_of(peer).is_none().then_some(client)
    }

    /// Takes one more from what an address, and a client where it is known, may send in a
    /// while.
    pub(super) fn count(
        &self,
        config: &Config,
        peer: &Peer,
        client: Option<&ClientName>,
        what: What,
    ) -> Result<(), Reply> {
        // A mail server brings the mails of all clients, and has no limit of its own.
        let counts = !self.is_trusted(peer.address) && peer.process.is_none() && !is_here(peer);
        let address = counts.then_some(peer.address);
        let client = client.map(|name| (name, config.access_of(name)));
        self.door.take(&config.intake, &Whose { client, address }, what, now())
    }

    /// Takes a mail from what a client may send in a while, whose address was counted
    /// before it was known.
    pub(super) fn count_proven(
        &self,
        config: &Config,
        client: &ClientName,
        recipients: usize,
    ) -> Result<(), Reply> {
        let whose = Whose { client: Some((client, config.access_of(client))), address: None };
        let mut all = [What::Mail, What::Recipients(recipients)].into_iter();
        all.try_for_each(|what| self.door.take(&config.intake, &whose, what, now()))
    }
}

/// Nobody raises a mail above what its client may have (RFC 6710 5).
fn granted(priority: Option<i8>, most: i8) -> Granted {
    Granted { priority: priority.unwrap_or(0).min(most) }
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

/// A mail server on this host that hands over through a unix socket: who may open the
/// socket speaks for our clients. Nobody can pretend that over TCP.
fn is_here(peer: &Peer) -> bool {
    peer.process.is_some() && matches!(peer.role, Role::Lmtp | Role::Relay)
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
    let others = &config.access_of(client).may_send_as;
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

#[cfg(test)]
mod tests {
    use postfax_gateway::desk::{Certificate, Identity, Process};

    use super::*;

    const CONFIG: &str = r#"
[supervisor]
domain = "fax.example.com"
country = "GB"
postmaster = "it@example.com"
[delivery]
relay = "smtp://127.0.0.1:25"
from = "fax@fax.example.com"
[[client]]
name = "mfp"
mail = ["mfp@example.com"]
certificates = ["name:MFP3.example.com"]
[[client]]
name = "printer"
mail = ["printer@example.com"]
certificates = ["sha256:@PRINT@"]
users = ["7"]
"#;

    fn config() -> Config {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("postfax.toml");
        std::fs::write(&file, CONFIG.replace("@PRINT@", &"AB:".repeat(32)[..95])).unwrap();
        crate::config::load(&file).unwrap()
    }

    fn peer(certificate: Option<(&str, &[&str])>, uid: Option<u32>, login: Option<&str>) -> Peer {
        let certificate = certificate.map(|(print, names)| Certificate {
            fingerprint: print.repeat(32),
            names: names.iter().map(ToString::to_string).collect(),
        });
        let identity = login.map(|login| Identity(login.to_owned()));
        let process = uid.map(|uid| Process { uid, gid: 0 });
        let address = IpAddr::from([127, 0, 0, 1]);
        Peer { certificate, identity, process, ..Peer::new(Role::Submission, address) }
    }

    #[test]
    fn certificates_and_users_show_who_a_client_is() {
        let config = config();
        for (peer, who) in [
            (peer(None, None, None), Some(None)),
            (peer(Some(("cd", &["other.example.com"])), None, None), Some(None)),
            (peer(Some(("cd", &["mfp3.example.com"])), None, None), Some(Some("mfp"))),
            (peer(Some(("ab", &[])), None, None), Some(Some("printer"))),
            // The fingerprint says more than a name.
            (peer(Some(("ab", &["mfp3.example.com"])), None, None), Some(Some("printer"))),
            (peer(None, Some(7), None), Some(Some("printer"))),
            (peer(None, Some(8), None), Some(None)),
            (peer(Some(("ab", &[])), None, Some("printer certificate")), Some(Some("printer"))),
            // The login was by a certificate that is not this client's any more.
            (peer(Some(("ab", &[])), None, Some("mfp certificate")), None),
            (peer(None, None, Some("mfp 1")), None),
            (peer(None, None, Some("nobody 1")), None),
        ] {
            let found = shown(&config, &peer).ok();
            assert_eq!(found.map(|name| name.map(ClientName::as_str)), who, "{peer:?}");
        }
    }

    #[test]
    fn only_a_unix_socket_of_a_mail_server_is_here() {
        for (role, address, uid, here) in [
            (Role::Lmtp, [127, 0, 0, 1], None, false),
            (Role::Lmtp, [192, 0, 2, 1], Some(0), true),
            (Role::Lmtp, [192, 0, 2, 1], None, false),
            (Role::Relay, [127, 0, 0, 1], Some(0), true),
            (Role::Submission, [127, 0, 0, 1], Some(0), false),
        ] {
            let process = uid.map(|uid| Process { uid, gid: 0 });
            let peer = Peer { process, ..Peer::new(role, IpAddr::from(address)) };
            assert_eq!(is_here(&peer), here, "{peer:?}");
        }
    }

    #[test]
    fn nobody_raises_a_mail_above_what_it_may_have() {
        for (asked, most, given) in
            [(None, 0, 0), (Some(9), 0, 0), (Some(9), 3, 3), (Some(2), 3, 2), (Some(-9), 3, -9)]
        {
            assert_eq!(granted(asked, most), Granted { priority: given });
        }
    }
}
