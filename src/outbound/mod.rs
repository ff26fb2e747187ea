//! An accepted mail becomes jobs: who may send, whom a recipient means, and what is
//! to be faxed. The pages are made before the client is told yes while a converter is
//! idle, and later when all are busy; `prepare` says why.

mod claim;
mod fit;
mod meant;
mod replies;
mod who;

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use postfax_domain::{
    job::{DeliverBy, Release},
    supervisor::{Answer, Submission},
    time::Timestamp,
};
use postfax_gateway::{
    auth::password::Checker,
    desk::{self, AuthRefusal, Desk, Envelope, Granted, Identity, Mail, Peer, Rcpt, Ret},
    mdn,
    reply::Reply,
    verify::Verifier,
};

use crate::{
    config::{Cidr, Config, Mdn},
    crash,
    daemon::{Context, now},
    prepare::{self, Contents, Trouble},
};
use fit::acceptable;
use replies::{no_room, refused, unfit};

/// Decides for one listener.
pub struct FaxDesk {
    context: Arc<Context>,
    /// Hosts that speak for our clients.
    trust: Vec<Cidr>,
    /// Checks what all other hosts bring; without it they are refused.
    verifier: Option<Arc<Verifier>>,
    logins: Arc<Checker>,
}

impl FaxDesk {
    /// A desk for a listener that believes the hosts in `trust`.
    #[must_use]
    pub fn new(context: Arc<Context>, trust: Vec<Cidr>, logins: Arc<Checker>) -> Self {
        Self { context, trust, verifier: None, logins }
    }

    fn config(&self) -> Arc<Config> {
        self.context.config.load_full()
    }

    async fn take(&self, peer: &Peer, envelope: &Envelope) -> Result<Vec<u64>, Reply> {
        let config = self.config();
        let client = self.client(&config.setup, peer, &envelope.mail)?;
        let recipients = envelope
            .rcpts
            .iter()
            .map(|rcpt| self.recipient_of(&config.setup, &client, rcpt))
            .collect::<Result<Vec<_>, _>>()?;
        self.prove(&config.setup, peer, envelope, &client).await?;
        let path = envelope.path.clone();
        let reading = tokio::task::spawn_blocking(move || Contents::read(&path));
        let read = reading.await.unwrap_or(Err(Trouble::Bug));
        let contents = Arc::new(read.map_err(|trouble| unfit(&trouble))?);
        let message = &contents.message;
        acceptable(message)?;
        crash::point("pages");
        let document = match self.context.converters.try_acquire() {
            Ok(_converter) => {
                let made = prepare::pages(&self.context, &config, &contents).await;
                Some(made.map_err(|trouble| unfit(&trouble))?)
            }
            Err(_) => None,
        };
        crash::point("keep mail");
        let name = self.context.reader.documents.new_name();
        self.context
            .reader
            .documents
            .keep_mail(&envelope.path, &name)
            .map_err(|failed| no_room(&failed))?;
        let submission = Submission {
            client,
            reverse_path: envelope.mail.from.as_ref().map(ToString::to_string),
            message_id: message.message_id(),
            subject: message.subject(),
            message: name,
            content: contents.digest.clone(),
            return_mail: envelope.mail.ret == Some(Ret::Full),
            envelope_id: envelope.mail.envid.clone(),
            recipients,
            document,
            priority: envelope.granted.priority,
            release: envelope.mail.release.as_ref().map(|asked| release(asked, now())),
            deliver_by: envelope.mail.deliver_by.map(|asked| deliver_by(asked, now())),
            disposition: config.letters.mdn == Mdn::OnRequest
                && mdn::may_be_sent(message, envelope.mail.from.as_ref()),
        };
        crash::point("offer");
        match self.context.submit(submission).await {
            Some(Answer::Accepted(ids)) => Ok(ids.iter().map(|id| id.0).collect()),
            Some(Answer::Refused(refusal)) => Err(refused(&refusal)),
            _ => Err(Reply::new(451, (3, 2), "going down, try again later")),
        }
    }
}

#[async_trait]
impl Desk for FaxDesk {
    async fn authenticate(
        &self,
        peer: &Peer,
        user: &str,
        password: &str,
    ) -> Result<Identity, AuthRefusal> {
        self.log_in(peer, user, password).await
    }

    async fn sender(&self, peer: &Peer, mail: &Mail) -> Result<Granted, Reply> {
        self.client(&self.config().setup, peer, mail)?;
        self.look_ahead(peer, mail);
        Ok(Granted { priority: mail.priority.unwrap_or(0) })
    }

    async fn recipient(&self, peer: &Peer, mail: &Mail, rcpt: &Rcpt) -> Result<(), Reply> {
        let config = self.config();
        let client = self.client(&config.setup, peer, mail)?;
        self.recipient_of(&config.setup, &client, rcpt).map(drop)
    }

    async fn spool(&self, _peer: &Peer, _mail: &Mail) -> Result<PathBuf, Reply> {
        let documents = &self.context.reader.documents;
        Ok(documents.spool(&format!("{}.eml", documents.new_name())))
    }

    async fn message(&self, peer: &Peer, envelope: Envelope) -> Result<Vec<String>, Reply> {
        match self.take(peer, &envelope).await {
            Ok(jobs) => {
                crash::point("reply");
                Ok(jobs.iter().map(ToString::to_string).collect())
            }
            Err(reply) => {
                // A message that was refused is the client's again.
                let _ = std::fs::remove_file(&envelope.path);
                Err(reply)
            }
        }
    }
}

/// RFC 4865 5.1: the moment, and the words that the receipt repeats.
fn release(asked: &desk::Release, now: Timestamp) -> Release {
    match asked {
        desk::Release::For(seconds) => Release {
            at: now + Duration::from_secs(u64::from(*seconds)),
            asked: format!("for;{seconds}"),
        },
        desk::Release::Until(moment) => {
            Release { at: Timestamp(moment.as_millisecond()), asked: format!("until;{moment}") }
        }
    }
}

fn deliver_by(asked: desk::DeliverBy, now: Timestamp) -> DeliverBy {
    let at = Timestamp(now.0.saturating_add(asked.seconds.saturating_mul(1000)));
    DeliverBy { at, give_back: asked.give_back, trace: asked.trace }
}
