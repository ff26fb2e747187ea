//! An accepted mail becomes jobs: who may send, whom a recipient means, and the
//! pages, all before the mail client is told yes.
//!
//! Why the pages are made before the 250: whatever cannot be faxed is then refused
//! in the dialogue, in words, by name; and the supervisor never holds a job that it
//! could not send. A client waits up to ten minutes for that answer (RFC 5321
//! 4.5.3.2), a page takes a fraction of a second, and the number of converters at
//! work is limited.

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use postfax_domain::{
    destination::FaxAddress,
    document::{Document, Resolution},
    fleet::{self, Denial},
    job::Notify,
    names::ClientName,
    number::Number,
    redacted::Redacted,
    setup::Setup,
    supervisor::{Answer, Recipient, Refusal, Submission},
};
use postfax_gateway::{
    address::{self, Recipient as Meant},
    auth::password::Checker,
    desk::{AuthRefusal, Desk, Envelope, Identity, Mail, Notify as Asked, Peer, Rcpt, Ret, Role},
    message::{Kind as PartKind, Limits, Message, Part, Protection},
    reply::Reply,
};
use postfax_hw::render::{self, RenderError, Source};
use tokio::sync::Semaphore;
use tracing::{info, warn};

use crate::{
    config::{Cidr, Config},
    crash,
    daemon::Context,
};

/// `Received:` fields of a mail that goes round in circles (RFC 5321 6.3).
const MAX_RECEIVED: usize = 100;
/// How long a mail may wait for a converter.
const CONVERTER_WAIT: Duration = Duration::from_secs(240);

/// Decides for one listener.
pub struct FaxDesk {
    context: Arc<Context>,
    /// Hosts that speak for our clients.
    trust: Vec<Cidr>,
    logins: Arc<Checker>,
    converters: Arc<Semaphore>,
}

impl FaxDesk {
    /// A desk for a listener that believes the hosts in `trust`.
    #[must_use]
    pub fn new(
        context: Arc<Context>,
        trust: Vec<Cidr>,
        logins: Arc<Checker>,
        converters: Arc<Semaphore>,
    ) -> Self {
        Self { context, trust, logins, converters }
    }

    fn config(&self) -> Arc<Config> {
        self.context.config.load_full()
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.trust.iter().any(|network| network.contains(address))
    }

    /// The client that a mail is from: who logged in, or whom a trusted host vouches for.
    fn client(&self, setup: &Setup, peer: &Peer, mail: &Mail) -> Result<ClientName, Reply> {
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
        if !self.is_trusted(peer.address) {
            return Err(unauthorised("this host is not trusted to speak for our clients"));
        }
        let from = from.ok_or_else(|| Reply::new(550, (7, 1), "notifications are not faxed"))?;
        let client = setup.client_of(&from).cloned();
        client.ok_or_else(|| unauthorised(&format!("no client has the address {from}")))
    }

    fn recipient_of(
        &self,
        setup: &Setup,
        client: &ClientName,
        rcpt: &Rcpt,
    ) -> Result<Recipient, Reply> {
        let mailbox = &rcpt.mailbox;
        let meant = address::parse(mailbox.local(), mailbox.domain(), &setup.domain)
            .map_err(|bad| bad.reply())?;
        let phone = match meant {
            Meant::Phone(phone) => phone,
            Meant::Alias(alias) => {
                return Err(Reply::new(
                    550,
                    (1, 1),
                    format!("there is no alias {alias} in the phone book"),
                ));
            }
            Meant::Postmaster | Meant::Service(_) => {
                return Err(Reply::new(
                    550,
                    (1, 1),
                    format!("nobody reads mail here: write to {}", setup.postmaster),
                ));
            }
        };
        let number = Number::parse(&phone.text, setup.country)
            .map_err(|bad| Reply::new(553, (1, 3), bad.to_string()))?;
        fleet::permitted(setup, client, &number).map_err(|denial| denied(&denial))?;
        let original = rcpt.orcpt.as_ref().map(|o| (o.kind.clone(), o.address.clone()));
        Ok(Recipient {
            address: FaxAddress {
                number,
                subaddress: phone.subaddress,
                attention: phone.attention,
                as_written: mailbox.to_string(),
            },
            notify: notify(rcpt.notify.as_ref()),
            original,
        })
    }

    async fn take(&self, peer: &Peer, envelope: &Envelope) -> Result<Vec<u64>, Reply> {
        let config = self.config();
        let client = self.client(&config.setup, peer, &envelope.mail)?;
        let recipients = envelope
            .rcpts
            .iter()
            .map(|rcpt| self.recipient_of(&config.setup, &client, rcpt))
            .collect::<Result<Vec<_>, _>>()?;
        let path = envelope.path.clone();
        let read = tokio::task::spawn_blocking(move || Message::read(&path, &Limits::default()));
        let message = read
            .await
            .map_err(|_| Reply::new(451, (3, 0), "the message could not be read"))?
            .map_err(|bad| Reply::new(554, (6, 0), bad.to_string()))?;
        acceptable(&message)?;
        crash::point("pages");
        let document = self.pages(&config, &message).await?;
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
            return_mail: envelope.mail.ret == Some(Ret::Full),
            envelope_id: envelope.mail.envid.clone(),
            recipients,
            document,
            priority: 0,
        };
        crash::point("offer");
        match self.context.submit(submission).await {
            Some(Answer::Accepted(ids)) => Ok(ids.iter().map(|id| id.0).collect()),
            Some(Answer::Refused(refusal)) => Err(refused(&refusal)),
            _ => Err(Reply::new(451, (3, 2), "going down, try again later")),
        }
    }

    /// The pages of a message, durable.
    async fn pages(&self, config: &Config, message: &Message) -> Result<Document, Reply> {
        let documents = &self.context.reader.documents;
        let name = documents.new_name();
        let mut spooled = Spooled(Vec::new());
        let sources = self.sources(message, &name, &mut spooled)?;
        let resolution = resolution(message).unwrap_or(config.convert.resolution);
        let busy = || Reply::new(451, (3, 1), "all converters are busy, try again later");
        let converter = tokio::time::timeout(CONVERTER_WAIT, self.converters.acquire());
        let _converter = converter.await.map_err(|_| busy())?.map_err(|_| busy())?;
        let out = documents.spool(&format!("{name}.tif"));
        let limits = render::Limits {
            memory_bytes: config.convert.memory_mb << 20,
            cpu_s: config.convert.cpu_s,
            wall_s: config.convert.wall_s,
            max_pages: config.setup.limits.max_pages,
            max_input_bytes: config.intake.max_message_bytes,
        };
        let rendered = render::render(&self.context.exe, &sources, resolution, &limits, &out)
            .await
            .map_err(|bad| unconvertible(&bad))?;
        for warning in &rendered.warnings {
            info!(%warning, "a page may not look as it was meant");
        }
        documents.keep_document(&rendered.path, &rendered.digest).map_err(|f| no_room(&f))?;
        Ok(Document {
            digest: rendered.digest,
            pages: rendered.pages,
            resolution,
            bytes: rendered.bytes,
        })
    }

    /// The parts worth faxing: the attachments, or the text when there are none.
    fn sources(
        &self,
        message: &Message,
        name: &str,
        spooled: &mut Spooled,
    ) -> Result<Vec<Source>, Reply> {
        let documents = &self.context.reader.documents;
        let mut sources = Vec::new();
        for part in message.attachments() {
            let bytes = part.bytes();
            let title = title(part);
            let kind = render::Kind::detect(&part.content_type, part.name.as_deref().unwrap_or(""), &bytes)
                .ok_or_else(|| {
                    Reply::new(554, (6, 1), format!("{title} ({}) is not supported: send PDF, TIFF, PNG, JPEG, GIF, WebP, BMP or text", part.content_type))
                })?;
            let path = documents.spool(&format!("{name}.{}", part.number));
            part.write_to(&path).map_err(|failed| no_room(&failed))?;
            spooled.0.push(path.clone());
            sources.push(Source { path, name: title, kind });
        }
        if sources.is_empty() {
            let text = message.text();
            if text.trim().is_empty() {
                return Err(Reply::new(
                    554,
                    (6, 0),
                    "message contains nothing to fax: no attachment and no text",
                ));
            }
            let path = documents.spool(&format!("{name}.txt"));
            std::fs::write(&path, text).map_err(|failed| no_room(&failed))?;
            spooled.0.push(path.clone());
            sources.push(Source { path, name: "the text".into(), kind: render::Kind::Text });
        }
        Ok(sources)
    }
}

/// Files that go when the work is over.
struct Spooled(Vec<PathBuf>);

impl Drop for Spooled {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = std::fs::remove_file(path);
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

    async fn sender(&self, peer: &Peer, mail: &Mail) -> Result<(), Reply> {
        self.client(&self.config().setup, peer, mail).map(drop)
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

    async fn message(&self, peer: &Peer, envelope: Envelope) -> Reply {
        let taken = self.take(peer, &envelope).await;
        match taken {
            Ok(jobs) => {
                crash::point("reply");
                let jobs: Vec<String> = jobs.iter().map(ToString::to_string).collect();
                Reply::new(250, (0, 0), format!("queued as {}", jobs.join(", ")))
            }
            Err(reply) => {
                // A message that was refused is the client's again.
                let _ = std::fs::remove_file(&envelope.path);
                reply
            }
        }
    }
}

fn acceptable(message: &Message) -> Result<(), Reply> {
    if message.received_count() > MAX_RECEIVED {
        return Err(Reply::new(554, (4, 6), "loop detected"));
    }
    if message.is_report() || message.auto_submitted().is_automatic() {
        return Err(Reply::new(550, (7, 1), "automatic answers and reports are not faxed"));
    }
    match message.protection() {
        Protection::Encrypted => {
            Err(Reply::new(554, (6, 1), "the message is encrypted and cannot be read here"))
        }
        _ => Ok(()),
    }
}

fn title(part: &Part) -> String {
    match &part.name {
        Some(name) => name.clone(),
        None if part.kind == PartKind::Attachment => format!("attachment {}", part.number),
        None => format!("part {}", part.number),
    }
}

fn resolution(message: &Message) -> Option<Resolution> {
    match message.header("X-Fax-Resolution")?.trim().to_ascii_lowercase().as_str() {
        "standard" | "98" => Some(Resolution::Standard),
        "fine" | "196" => Some(Resolution::Fine),
        "superfine" | "391" => Some(Resolution::Superfine),
        _ => None,
    }
}

fn notify(asked: Option<&Asked>) -> Notify {
    match asked {
        None => Notify::Unsaid,
        Some(Asked::Never) => Notify::Never,
        Some(Asked::On { success, failure, delay }) => {
            Notify::On { success: *success, failure: *failure, delay: *delay }
        }
    }
}

fn unauthorised(why: &str) -> Reply {
    Reply::new(550, (7, 1), format!("sender not authorised: {why}"))
}

fn no_room(failed: &dyn std::fmt::Display) -> Reply {
    warn!(%failed, "a mail could not be kept");
    Reply::new(452, (3, 1), "insufficient system storage")
}

fn denied(denial: &Denial) -> Reply {
    let text = denial.to_string();
    match denial {
        Denial::Barred { .. } | Denial::NoServerPermitted | Denial::UnknownClient => {
            Reply::new(550, (7, 1), text)
        }
        Denial::NoRoute => Reply::new(550, (4, 4), text),
    }
}

fn refused(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::Denied { denial, .. } => denied(denial),
        Refusal::TooManyPages { .. } => Reply::new(552, (3, 4), refusal.to_string()),
        Refusal::QueueFull => Reply::new(452, (3, 1), refusal.to_string()),
    }
}

fn unconvertible(bad: &RenderError) -> Reply {
    let text = bad.to_string();
    match bad {
        RenderError::Unsupported { .. } | RenderError::Encrypted { .. } => {
            Reply::new(554, (6, 1), text)
        }
        RenderError::TooManyPages { .. } | RenderError::TooLarge => Reply::new(552, (3, 4), text),
        RenderError::Nothing => Reply::new(554, (6, 0), text),
        RenderError::Broken { .. } => Reply::new(554, (6, 5), text),
        _ => Reply::new(451, (6, 5), text),
    }
}
