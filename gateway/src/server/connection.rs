//! Drives one session over one socket: does what the session says, in that order,
//! and bounds how long each step may take. Decides nothing.

use std::{net::IpAddr, ops::ControlFlow, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::watch,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, error, info, warn};

use super::{Options, Stage, reached, received, spool::Spool};
use crate::{
    command::{Mail, Rcpt},
    desk::{Desk, Envelope, Peer, Role},
    reply::Reply,
    session::{Output, Question, Secured, Session, Wait},
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
    unsent: Vec<u8>,
    buffer: Box<[u8]>,
    session: Session,
    context: Arc<Context>,
    stages: watch::Receiver<Stage>,
    spool: Option<Spool>,
    stored: Option<(PathBuf, u64)>,
    waited_for: Option<Wait>,
    line_until: Instant,
    message_until: Instant,
}

/// Plain or encrypted.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

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
    #[error("{0}")]
    Broken(#[from] std::io::Error),
}

impl Connection {
    /// Shakes hands where TLS comes first, and greets.
    pub(super) async fn open(
        stream: tokio::net::TcpStream,
        address: IpAddr,
        context: Arc<Context>,
        stages: watch::Receiver<Stage>,
    ) -> Result<Self, Ended> {
        let mut stream: Box<dyn Stream> = Box::new(stream);
        let mut secured = None;
        if context.role == Role::Submissions {
            let (encrypted, brought) = secure(stream, &context).await?;
            (stream, secured) = (encrypted, Some(brought));
        }
        let options = &context.options;
        let limits = options.limits.clone();
        let tls = options.tls.is_some();
        let peer = Peer::new(context.role, address);
        let mut session = Session::new(limits, &options.hostname, peer, tls);
        if let Some(secured) = secured {
            session.encrypted(secured);
        }
        let mut buffer = vec![0; READ_BYTES].into_boxed_slice();
        let early = Duration::from_millis(options.timeouts.greeting_wait_ms);
        if let Ok(read) = timeout(early, stream.read(&mut buffer)).await {
            match read? {
                0 => return Err(Ended::HungUp),
                count => session.feed(&buffer[..count]),
            }
        }
        session.greet();
        Ok(Self {
            stream,
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
                if let Err(refusal) = &answer {
                    let user = Redacted(&login.user);
                    warn!(address = %peer.address, %user, %refusal, "login refused");
                }
                self.session.authenticated(answer);
            }
            Question::Sender(mail) => {
                let verdict = desk.sender(self.session.peer(), &mail).await;
                self.log_refusal("sender", verdict.as_ref().err());
                self.session.granted(verdict);
            }
            Question::Recipient(mail, rcpt) => {
                let verdict = desk.recipient(self.session.peer(), &mail, &rcpt).await;
                self.verdict("recipient", verdict);
            }
            Question::Spool(mail) => {
                let verdict = self.open_spool(&mail).await;
                self.verdict("message", verdict);
            }
            Question::Message(mail, rcpts) => self.hand_over(&mail, rcpts).await,
        }
    }

    fn verdict(&mut self, what: &str, verdict: Result<(), Reply>) {
        self.log_refusal(what, verdict.as_ref().err());
        self.session.verdict(verdict);
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
            id: &id,
            rcpts: self.session.recipients(),
        };
        let line = received::line(&trace, &jiff::Zoned::now());
        let total = Duration::from_secs(self.context.options.timeouts.data_total_s);
        self.message_until = Instant::now() + total;
        match Spool::create(path, line.as_bytes()).await {
            Ok(spool) => {
                self.spool = Some(spool);
                Ok(())
            }
            Err(error) => {
                error!(%error, "cannot create a spool file");
                Err(Reply::new(452, (3, 1), "the message cannot be stored at the moment"))
            }
        }
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
        let (path, bytes) = self.stored.take().expect("the session asks after it was stored");
        let (peer, count) = (self.session.peer().clone(), rcpts.len());
        let granted = self.session.grants();
        let envelope = Envelope { mail: Mail::clone(mail), granted, rcpts, path, bytes };
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
        let (encrypted, brought) = tokio::select! {
            secured = secure(plain, &self.context) => secured?,
            () = reached(&mut self.stages, Stage::Stopping) => return Err(Ended::Stopped),
        };
        self.stream = encrypted;
        self.session.secured(brought);
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

/// Does the TLS handshake with the certificate of the moment.
async fn secure(
    stream: Box<dyn Stream>,
    context: &Context,
) -> Result<(Box<dyn Stream>, Secured), Ended> {
    let options = &context.options;
    let config = options.tls.as_ref().map(|tls| Arc::clone(&tls.borrow()));
    let config = config.expect("TLS is offered only with a certificate");
    let within = Duration::from_secs(options.timeouts.handshake_s);
    let handshake = timeout(within, TlsAcceptor::from(config).accept(stream));
    match handshake.await {
        Ok(Ok(encrypted)) => Ok((Box::new(encrypted), Secured::default())),
        Ok(Err(error)) => Err(Ended::Handshake(error.to_string())),
        Err(_) => Err(Ended::Handshake("it took too long".to_owned())),
    }
}
