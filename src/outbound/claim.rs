//! What a host must prove that nobody vouches for: that the domain in `From` stands
//! behind the mail (`verify = ["dmarc"]`), and that this `From` and MAIL FROM are
//! addresses of one client. MAIL FROM is only a claim until then: it decides whom the
//! mail may be for, and nothing is faxed before the proof.

use std::sync::Arc;

use postfax_domain::{names::ClientName, setup::Setup};
use postfax_gateway::{
    desk::{Envelope, Mail, Peer, Role},
    reply::Reply,
    verify::{self, Sender, Verifier},
};
use tracing::info;

use super::{
    FaxDesk,
    replies::{no_room, unauthorised},
};

impl FaxDesk {
    /// The same desk, where hosts that are not trusted may prove who sends.
    #[must_use]
    pub fn verifying(mut self, verifier: Option<Arc<Verifier>>) -> Self {
        self.verifier = verifier;
        self
    }

    /// What checks the mails of a peer; `None` when somebody vouches for it, or when
    /// it could prove nothing here.
    pub(super) fn verifier_of(&self, peer: &Peer) -> Option<&Arc<Verifier>> {
        let stranger =
            peer.role == Role::Relay && !self.is_trusted(peer.address) && !self.is_shown(peer);
        self.verifier.as_ref().filter(|_| stranger)
    }

    /// Asks the DNS while the message is on its way.
    pub(super) fn look_ahead(&self, peer: &Peer, mail: &Mail) {
        if let Some(verifier) = self.verifier_of(peer).cloned() {
            let sender = sender(peer, mail);
            tokio::spawn(async move { verifier.spf_ahead(&sender).await });
        }
    }

    /// Holds a message that is here against the client whose address MAIL FROM is, and
    /// writes on top of it what was found.
    pub(super) async fn prove(
        &self,
        setup: &Setup,
        peer: &Peer,
        envelope: &Envelope,
        claimed: &ClientName,
    ) -> Result<(), Reply> {
        let Some(verifier) = self.verifier_of(peer) else { return Ok(()) };
        let sender = sender(peer, &envelope.mail);
        let proof = verifier.message(&envelope.path, &sender).await;
        let evidence = proof.map_err(|doubt| {
            info!(address = %peer.address, client = %claimed, %doubt, "a claim is not proven");
            doubt.reply()
        })?;
        info!(address = %peer.address, client = %claimed, by = ?evidence.dmarc, %evidence, "proven");
        if setup.client_of(&evidence.author) != Some(claimed) {
            return Err(unauthorised(&format!(
                "the From address is not one of {claimed}, whose address MAIL FROM is"
            )));
        }
        let config = self.config();
        self.count_proven(&config, claimed, envelope.rcpts.len())?;
        let (path, hostname) = (envelope.path.clone(), config.hostname.clone());
        let stamp = move || verify::stamp(&path, &hostname, &evidence);
        let stamped = tokio::task::spawn_blocking(stamp).await.map_err(std::io::Error::other);
        stamped.and_then(|stamped| stamped).map_err(|failed| no_room(&failed))
    }
}

fn sender(peer: &Peer, mail: &Mail) -> Sender {
    let from = mail.from.as_ref().map(ToString::to_string);
    Sender { address: peer.address, helo: peer.helo.clone(), from }
}
