//! Drives one session over one socket: does what the session says, in that order,
//! and bounds how long each step may take. Decides nothing.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
    time::{Instant, sleep, timeout, timeout_at},
};
use tracing::{debug, error, info, warn};

use super::{
    Options, Stage,
    census::Full,
    handshake::{self, Cipher, Encrypted},
    proxy, reached, received,
    socket::{Caller, Stream},
    spool::{Kept, Spool},
};
use crate::{
    auth::{Proof, scram},
    command::{Mail, Rcpt},
    desk::{AuthRefusal, Desk, Envelope, Peer, Role},
    reply::Reply,
    session::{Output, Question, Session, Wait},
};
use postfax_domain::redacted::Redacted;

/// How much is read at a time, in octets.
const READ_BYTES: usize = 16 << 10;
/// How much is read, in octets, and how long, while the last reply is on its way:
/// closing with octets unread would destroy it.
const LINGER_BYTES: usize = 256 << 10;
const LINGER: Duration = Duration::from_secs(1);

/// What all connections of a listener share.
pub(super) struct Context {
    pub(super) role: Role,
    pub(super) options: Options,
    pub(super) desk: Arc<dyn Desk>,
}

/// One connection.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    /// How it is encrypted.
    cipher: Option<Cipher>,
    unsent: Vec<u8>,
    buffer: Box<[u8]>,
    session: Session,
    context: Arc<Context>,
    stages: watch::Receiver<Stage>,
    spool: Option<Spool>,
    stored: Option<Kept>,
    waited_for: Option<Wait>,
    line_until: Instant,
    message_until: Instant,
}

/// Why a connection ends without a goodbye.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the client hung up")]
    HungUp,
    #[error("the client takes no replies")]
    TakesNothing,
    #[error("the server goes down")]
    Stopped,
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    #[error(transparent)]
    Full(Full),
    #[error("its PROXY header cannot be used: {0}")]
    Proxy(#[from] proxy::Bad),
    #[error("its PROXY header took too long")]
    SlowProxy,
    #[error("{0}")]
    Broken(#[from] std::io::Error),
}

impl Connection {
    /// Shakes hands where TLS comes first, and greets.
    pub(super) async fn open(
        mut stream: Box<dyn Stream>,
        caller: Caller,
        context: Arc<Context>,
        stages: watch::Receiver<Stage>,
    ) -> Result<Self, Ended> {
        let options = &context.options;
        let mut peer = Peer::new(context.role, caller.address);
        peer.process = caller.process;
        // What never leaves this host needs no encryption.
        let offers_tls = options.tls.is_some() && caller.process.is_none();
        let mut session = Session::new(options.limits.clone(), &options.hostname, peer, offers_tls);
        let mut cipher = None;
        if context.role == Role::Submissions {
            let encrypted = secure(stream, &context).await?;
            session.encrypted(encrypted.secured);
            (stream, cipher) = (encrypted.stream, Some(encrypted.cipher));
        }
        let mut buffer = vec![0; READ_BYTES].into_boxed_slice();
        let early = Duration::from_millis(options.timeouts.greeting_wait_ms);
        if let Ok(read) = timeout(early, stream.read(&mut buffer)).await {
            match read? {
                0 => return Err(Ended::HungUp),
                count => {
                    if buffer[..count].starts_with(proxy::SIGNATURE) {
                        let address = caller.address;
                        warn!(%address, "a PROXY header from a host that is not to send any");
                    }
                    session.feed(&buffer[..count]);
                }
            }
        }
        session.offer_proofs(context.desk.has_keys());
        session.greet();
        Ok(Self {
            stream,
            cipher,
            unsent: Vec::new(),
            buffer,
            session,
            context,
            stages,
            spool: None,
            stored: None,
            waited_for: None,
            line_until: Instant::now(),
            message_until: Instant::now(),
        })
    }

    /// Runs to the end of the session.
    pub(super) async fn run(mut self) {
        loop {
            match self.step().await {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                Err(ended) => {
                    debug!(address = %self.session.peer().address, %ended, "connection lost");
                    return;
                }
            }
        }
        if self.flush().await.is_ok() {
            self.linger().await;
        }
    }

    async fn step(&mut self) -> Result<ControlFlow<()>, Ended> {
        match self.session.poll(jiff::Timestamp::now()) {
            Output::Send(octets) => {
                self.unsent.extend(octets);
                // A reply ends the line that it answers, and with it that line's time.
                self.waited_for = None;
            }
            Output::Pause(pause) => sleep(pause).await,
            Output::Ask(question) => self.ask(question).await,
            Output::Secure => self.secure().await?,
            Output::Write(octets) => self.write(&octets).await,
            Output::Store => self.store().await,
            Output::Discard => self.spool = None,
            Output::Read(wait) => self.read(wait).await?,
            Output::Close => return Ok(ControlFlow::Break(())),
        }
        Ok(ControlFlow::Continue(()))
    }

    async fn ask(&mut self, question: Question) {
        let desk = Arc::clone(&self.context.desk);
        match question {
            Question::Authenticate(login) => {
                let peer = self.session.peer();
                let answer = desk.authenticate(peer, &login.user, &login.password).await;
                log_login(peer, &login.user, answer.as_ref().err());
                self.session.authenticated(answer);
            }
            Question::Keys(user) => {
                let peer = self.session.peer();
                let keys = desk.keys(peer, &user).await;
                log_login(peer, &user, keys.as_ref().err());
                let nonce = |_| AuthRefusal::Unavailable;
                let fresh = |keys| Ok((keys, scram::nonce().map_err(nonce)?));
                self.session.keys(keys.and_then(fresh));
            }
            Question::Proof(proof) => {
                let peer = self.session.peer();
                let answer = desk.proven(peer, &proof).await;
                log_login(peer, named(&proof), answer.as_ref().err());
                self.session.authenticated(answer);
            }
            Question::Sender(mail) => {
                let verdict = desk.sender(self.session.peer(), &mail).await;
                self.log_refusal("sender", verdict.as_ref().err());
                self.session.granted(verdict);
            }
            Question::Recipient(mail, rcpt) => {
                let verdict = desk.recipient(self.session.peer(), &mail, &rcpt).await;
                self.log_refusal("recipient", verdict.as_ref().err());
                self.session.welcomed(verdict);
            }
            Question::Spool(mail) => {
                let verdict = self.open_spool(&mail).await;
                self.log_refusal("message", verdict.as_ref().err());
                self.session.verdict(verdict);
            }
            Question::Message(mail, rcpts) => self.hand_over(&mail, rcpts).await,
        }
    }

    fn log_refusal(&self, what: &str, refusal: Option<&Reply>) {
        if let Some(refusal) = refusal {
            info!(address = %self.session.peer().address, code = refusal.code(), "{what} refused");
        }
    }

    async fn open_spool(&mut self, mail: &Mail) -> Result<(), Reply> {
        let path = self.context.desk.spool(self.session.peer(), mail).await?;
        let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let trace = received::Trace {
            peer: self.session.peer(),
            hostname: &self.context.options.hostname,
            protocol: self.session.protocol(),
            cipher: self.cipher.as_ref(),
            id: &id,
            rcpts: self.session.recipients(),
            priority: mail.priority.map(|_| self.session.grants().priority),
        };
        let line = received::line(&trace, &jiff::Zoned::now());
        let total = Duration::from_secs(self.context.options.timeouts.data_total_s);
        self.message_until = Instant::now() + total;
        self.spool = Some(Spool::new(path, line.as_bytes()));
        Ok(())
    }

    async fn write(&mut self, octets: &[u8]) {
        let Some(spool) = &mut self.spool else { return };
        if let Err(error) = spool.write(octets).await {
            error!(%error, "cannot write to the spool file");
            self.spool = None;
            self.session.disk_failed();
        }
    }

    async fn store(&mut self) {
        let kept = match self.spool.take() {
            Some(spool) => spool.keep().await.inspect_err(|error| {
                error!(%error, "cannot make a message durable");
            }),
            None => Err(std::io::ErrorKind::StorageFull.into()),
        };
        self.stored = kept.ok();
        self.session.stored(self.stored.is_some());
    }

    /// The desk gets a task of its own: whatever becomes of this connection, what it
    /// began with the message it also ends.
    async fn hand_over(&mut self, mail: &Arc<Mail>, rcpts: Vec<Rcpt>) {
        let Kept { path, held, bytes } =
            self.stored.take().expect("the session asks after it was stored");
        let (peer, count) = (self.session.peer().clone(), rcpts.len());
        let granted = self.session.grants();
        let mail = Mail::clone(mail);
        let envelope = Envelope { mail, granted, rcpts, path, held, bytes };
        let desk = Arc::clone(&self.context.desk);
        let task = tokio::spawn(async move { desk.message(&peer, envelope).await });
        let taken = task.await.unwrap_or_else(|error| {
            error!(%error, "the desk failed on a message");
            Err(Reply::new(451, (3, 0), "internal error, try again later"))
        });
        let address = self.session.peer().address;
        let protocol = self.session.protocol();
        let code = taken.as_ref().map_or_else(Reply::code, |_| 250);
        info!(%address, protocol, bytes, recipients = count, code, "message");
        self.session.finished(taken);
    }

    async fn secure(&mut self) -> Result<(), Ended> {
        self.flush().await?;
        let plain = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        let encrypted = tokio::select! {
            secured = secure(plain, &self.context) => secured?,
            () = reached(&mut self.stages, Stage::Stopping) => return Err(Ended::Stopped),
        };
        self.stream = encrypted.stream;
        self.cipher = Some(encrypted.cipher);
        self.session.secured(encrypted.secured);
        Ok(())
    }

    async fn read(&mut self, wait: Wait) -> Result<(), Ended> {
        self.flush().await?;
        let until = self.deadline(wait);
        let patience = match wait {
            Wait::Command | Wait::Refused => Stage::Draining,
            Wait::RestOfLine | Wait::Body => Stage::Stopping,
        };
        tokio::select! {
            biased;
            () = reached(&mut self.stages, patience) => self.session.shut_down(),
            read = timeout_at(until, self.stream.read(&mut self.buffer)) => match read {
                Err(_) => self.session.timed_out(),
                Ok(Err(error)) => return Err(error.into()),
                Ok(Ok(0)) => return Err(Ended::HungUp),
                Ok(Ok(count)) => self.session.feed(&self.buffer[..count]),
            },
        }
        Ok(())
    }

    /// A whole line has one deadline, so that nobody can hold a place by sending an
    /// octet now and then; so has a whole message.
    fn deadline(&mut self, wait: Wait) -> Instant {
        let timeouts = &self.context.options.timeouts;
        let before = self.waited_for.replace(wait);
        match (before, wait) {
            (_, Wait::Body) => {
                let block = Instant::now() + Duration::from_secs(timeouts.data_block_s);
                block.min(self.message_until)
            }
            (Some(Wait::Command | Wait::RestOfLine), Wait::RestOfLine)
            | (Some(Wait::Refused), Wait::Refused) => self.line_until,
            (_, Wait::Refused) => {
                self.line_until = Instant::now() + Duration::from_secs(timeouts.data_total_s);
                self.line_until
            }
            (_, Wait::Command | Wait::RestOfLine) => {
                self.line_until = Instant::now() + Duration::from_secs(timeouts.command_s);
                self.line_until
            }
        }
    }

    async fn flush(&mut self) -> Result<(), Ended> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        let within = Duration::from_secs(self.context.options.timeouts.send_s);
        let send = async {
            self.stream.write_all(&self.unsent).await?;
            self.stream.flush().await
        };
        // A stop allows one more second, so that a last reply still gets out.
        let stopped = async {
            reached(&mut self.stages, Stage::Stopping).await;
            sleep(LINGER).await;
        };
        tokio::select! {
            sent = timeout(within, send) => sent.map_err(|_| Ended::TakesNothing)??,
            () = stopped => return Err(Ended::Stopped),
        }
        self.unsent.clear();
        Ok(())
    }

    async fn linger(mut self) {
        let drain = async {
            self.stream.shutdown().await?;
            let mut left = LINGER_BYTES;
            while left > 0 {
                match self.stream.read(&mut self.buffer).await? {
                    0 => break,
                    count => left = left.saturating_sub(count),
                }
            }
            std::io::Result::Ok(())
        };
        // The session is over; how the connection dies is of no consequence.
        let _ = timeout(LINGER, drain).await;
    }
}

/// The line that tools which bar addresses read (`docs/logins.md`): all in its text, so
/// that no colour or order of fields comes between.
fn log_login(peer: &Peer, user: &str, refusal: Option<&AuthRefusal>) {
    if let Some(refusal) = refusal {
        let (address, user) = (peer.address.to_canonical(), Redacted(user));
        warn!("login refused: address={address} user={user} reason=\"{refusal}\"");
    }
}

fn named(proof: &Proof) -> &str {
    match proof {
        Proof::Password { user } | Proof::WrongPassword { user } => user,
        Proof::Certificate { acting_as } => acting_as.as_deref().unwrap_or_default(),
    }
}

/// Does the TLS handshake with the certificate of the moment.
async fn secure(stream: Box<dyn Stream>, context: &Context) -> Result<Encrypted, Ended> {
    let options = &context.options;
    let keys = options.tls.as_ref().map(|tls| Arc::clone(&tls.borrow()));
    let keys = keys.expect("TLS is offered only with a certificate");
    let within = Duration::from_secs(options.timeouts.handshake_s);
    handshake::shake(stream, &keys, within).await.map_err(Ended::Handshake)
}
