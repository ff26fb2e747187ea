//! An accepted mail becomes jobs: who may send, whom a recipient means, and what is
//! to be faxed. The pages are made before the client is told yes while a converter is
//! idle, and later when all are busy; `prepare` says why.

mod alias;
mod asks;
mod claim;
mod door;
mod fit;
mod logins;
mod meant;
mod options;
mod replies;
mod returns;
mod who;

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use postfax_domain::{
    job::{DeliverBy, Release},
    names::ClientName,
    supervisor::{Answer, Recipient, Submission},
    time::Timestamp,
};
use postfax_gateway::{
    auth::{Proof, scram::Keys},
    desk::{self, AuthRefusal, Desk, Envelope, Granted, Identity, Mail, Peer, Rcpt, Ret, Welcome},
    mdn,
    reply::Reply,
    verify::Verifier,
};

use crate::{
    config::{Cidr, Config, Mdn},
    crash,
    daemon::{Context, now},
    inquiry::Inquiries,
    prepare::{self, Contents, Fax, MAX_COVERS_AT_ONCE, Press, Trouble},
    store,
};
use alias::Meant;
pub use door::Door;
use door::What;
use fit::{Loops, acceptable};
pub use logins::by_token;
use meant::{Addressed, recipients};
use replies::{no_room, refused, unfit};
use returns::Special;
use who::says_the_truth;

/// Decides for one listener.
pub struct FaxDesk {
    context: Arc<Context>,
    /// Hosts that speak for our clients.
    trust: Vec<Cidr>,
    /// Checks what all other hosts bring; without it they are refused.
    verifier: Option<Arc<Verifier>>,
    door: Arc<Door>,
    /// Answers mails that ask something.
    inquiries: Arc<Inquiries>,
}

impl FaxDesk {
    /// A desk for a listener that believes the hosts in `trust`.
    #[must_use]
    pub fn new(context: Arc<Context>, trust: Vec<Cidr>, door: Arc<Door>) -> Self {
        Self { context, trust, verifier: None, door, inquiries: Arc::default() }
    }

    fn config(&self) -> Arc<Config> {
        self.context.config.load_full()
    }

    /// The jobs of each recipient, in their order.
    async fn take(&self, peer: &Peer, envelope: &Envelope) -> Result<Vec<Vec<u64>>, Reply> {
        let config = self.config();
        let client = self.client(&config, peer, &envelope.mail)?;
        self.prove(&config.setup, peer, envelope, &client).await?;
        let meant = self.all_meant(&config, peer, &client, &envelope.rcpts)?;
        let room = self.door.room_for(envelope.bytes).await;
        let contents = self.contents(&config, peer, envelope, &client).await?;
        let message = &contents.message;
        let mut recipients = wanted(&config, &client, &contents, &envelope.rcpts, &meant)?;
        crash::point("pages");
        let converter = self.context.converters.try_acquire();
        // Few mails at a time have a converter, and the others are done with soon.
        drop(room);
        if let (Ok(_converter), true) = (converter, soon_made(&recipients)) {
            self.make(&config, &client, &contents, &mut recipients).await?;
        }
        crash::point("keep mail");
        let name = self.context.reader.documents.new_name();
        // Durable with the jobs that name it, or already.
        let _held = match &envelope.held {
            Some(held) => Some(self.context.reader.hold(&name, held.clone())),
            None => {
                let documents = &self.context.reader.documents;
                documents.keep_mail(&envelope.path, &name).map_err(|failed| no_room(&failed))?;
                None
            }
        };
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
            priority: envelope.granted.priority,
            release: envelope.mail.release.as_ref().map(|asked| release(asked, now())),
            deliver_by: envelope.mail.deliver_by.map(|asked| deliver_by(asked, now())),
            disposition: config.letters.mdn == Mdn::OnRequest
                && mdn::may_be_sent(message, envelope.mail.from.as_ref()),
            missed: meant.iter().filter_map(|meant| meant.missed.clone()).collect(),
        };
        drop(contents);
        crash::point("offer");
        match self.context.submit(submission).await {
            Some(Answer::Accepted(ids)) => {
                let mut ids = ids.iter().map(|id| id.0);
                let of = |meant: &Meant| ids.by_ref().take(meant.faxes.len()).collect();
                Ok(meant.iter().map(of).collect())
            }
            Some(Answer::Refused(refusal)) => Err(refused(&refusal, &config.timezone)),
            _ => Err(Reply::new(451, (3, 2), "going down, try again later")),
        }
    }

    /// Makes the pages of all recipients.
    async fn make(
        &self,
        config: &Arc<Config>,
        client: &ClientName,
        contents: &Arc<Contents>,
        recipients: &mut [Recipient],
    ) -> Result<(), Reply> {
        let (context, config) = (self.context.clone(), config.clone());
        let press = Press { context, config, client: client.clone(), contents: contents.clone() };
        let taken = now();
        let fax = |to: &Recipient| Fax { to: to.address.clone(), wanted: to.wanted.clone(), taken };
        let faxes: Vec<Fax> = recipients.iter().map(fax).collect();
        let made = press.pages(&faxes).await.map_err(|trouble| unfit(&trouble))?;
        for (to, made) in recipients.iter_mut().zip(made) {
            to.made = Some(made);
        }
        Ok(())
    }

    /// What of a mail is to be faxed, once nothing in it forbids that.
    async fn contents(
        &self,
        config: &Arc<Config>,
        peer: &Peer,
        envelope: &Envelope,
        client: &ClientName,
    ) -> Result<Arc<Contents>, Reply> {
        let installation = &self.context.reader.installation;
        // To wake another thread takes longer than to read a small mail.
        if let Some(held) = &envelope.held {
            let mail = store::Mail::Row(held.clone());
            return read(config, peer, client, installation, mail);
        }
        let (config, peer, client) = (config.clone(), peer.clone(), client.clone());
        let installation = installation.clone();
        let mail = store::Mail::File(envelope.path.clone());
        let reading =
            tokio::task::spawn_blocking(move || read(&config, &peer, &client, &installation, mail));
        reading.await.unwrap_or_else(|_| Err(unfit(&Trouble::Bug)))
    }
}

/// The recipients of a mail, and what the pages of each are to be.
fn wanted(
    config: &Config,
    client: &ClientName,
    contents: &Contents,
    rcpts: &[Rcpt],
    meant: &[Meant],
) -> Result<Vec<Recipient>, Reply> {
    let header = options::of_header(&config.cover, &contents.message)?;
    let letterhead = config.letterheads.get(client).cloned().unwrap_or_default();
    let words = !contents.words().is_empty();
    let asking = options::Asking { config, client, letterhead: &letterhead, header: &header };
    Ok(recipients(rcpts, meant, |to| options::settled(&asking, to, words)))
}

/// Whether a mail client can wait for the pages: each cover is a page of its own.
fn soon_made(recipients: &[Recipient]) -> bool {
    recipients.iter().filter(|to| to.wanted.cover.is_some()).count() <= MAX_COVERS_AT_ONCE
}

fn read(
    config: &Config,
    peer: &Peer,
    client: &ClientName,
    installation: &str,
    mail: store::Mail,
) -> Result<Arc<Contents>, Reply> {
    let message = prepare::read(mail).map_err(|trouble| unfit(&trouble))?;
    says_the_truth(config, peer, client, &message)?;
    acceptable(&Loops::of(config, installation), &message)?;
    let contents = Contents::of(message, config.convert.reply_quote);
    contents.map(Arc::new).map_err(|trouble| unfit(&trouble))
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

    fn has_keys(&self) -> bool {
        self.some_have_keys()
    }

    async fn keys(&self, peer: &Peer, user: &str) -> Result<Keys, AuthRefusal> {
        self.keys_of(peer, user).await
    }

    async fn proven(&self, peer: &Peer, proof: &Proof) -> Result<Identity, AuthRefusal> {
        self.judge(peer, proof)
    }

    async fn sender(&self, peer: &Peer, mail: &Mail) -> Result<Granted, Reply> {
        let stranger = self.client(&self.config(), peer, mail).is_err();
        if stranger && returns::is_asked_later(peer) {
            // Anybody may write to the postmaster (RFC 5321 4.5.1) and report on our mail,
            // and nobody without end.
            self.count(&self.config(), peer, None, What::Mail)?;
            return Ok(Granted::default());
        }
        let granted = self.admit(peer, mail)?;
        self.look_ahead(peer, mail);
        Ok(granted)
    }

    async fn recipient(&self, peer: &Peer, mail: &Mail, rcpt: &Rcpt) -> Result<Welcome, Reply> {
        let config = self.config();
        match self.special(rcpt).await? {
            Some(Special::Inquiry(_)) => {
                self.may_ask(&config, peer, mail)?;
                return Ok(Welcome::default());
            }
            Some(Special::Postmaster | Special::Return(_)) => {
                self.count(&config, peer, None, What::Recipients(1))?;
                return Ok(Welcome::default());
            }
            None => {}
        }
        let client = self.client(&config, peer, mail)?;
        let welcome = match self.meant(&config, &client, rcpt)? {
            Addressed::Number(fax) => {
                self.has_quota(&config, &client, vec![fax.number]).await?;
                Welcome::default()
            }
            // Its phone book is for the client alone, and this may be anybody.
            Addressed::Alias(_) if self.verifier_of(peer).is_some() => Welcome::default(),
            Addressed::Alias(alias) => {
                let meant = self.named(&config, &client, rcpt, &alias)?;
                let numbers = meant.faxes.iter().map(|fax| fax.number.clone()).collect();
                self.has_quota(&config, &client, numbers).await?;
                meant.welcome()
            }
        };
        let what = What::Recipients(welcome.count);
        self.count(&config, peer, self.known(peer, &client), what)?;
        Ok(welcome)
    }

    async fn spool(&self, _peer: &Peer, mail: &Mail) -> Result<PathBuf, Reply> {
        let documents = &self.context.reader.documents;
        if !documents.has_room_for(mail.size.unwrap_or(0)) {
            return Err(no_room(&"the disk is nearly full"));
        }
        Ok(documents.coming_mail(&documents.new_name()))
    }

    async fn message(
        &self,
        peer: &Peer,
        mut envelope: Envelope,
    ) -> Result<Vec<Vec<String>>, Reply> {
        match self.take_any(peer, &mut envelope).await {
            Ok(jobs) => {
                crash::point("reply");
                let names = |jobs: &Vec<u64>| jobs.iter().map(ToString::to_string).collect();
                Ok(jobs.iter().map(names).collect())
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
