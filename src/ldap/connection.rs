//! One connection: messages in, answers out, and the searches that go on meanwhile. It
//! waits for its client only as long as it may, and keeps no more of what comes in than
//! one message. What is found is decided by the search.

mod answers;

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsAcceptor;

use super::{
    Shared,
    ber::{self, Done},
    bind::Login,
    frame::{self, BadMessage, Search},
    object::{Place, View},
    pages::Pages,
    schema::{self, Code},
    search::Found,
    serve::told,
};
use crate::config::LdapLimits;

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a message may take from its first octet to its last.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long nothing may be taken of what is to be written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one who has not logged in may say nothing.
const STRANGER_TIMEOUT: Duration = Duration::from_secs(60);
/// What is read at a time, in octets.
const READ_BYTES: usize = 8 << 10;
/// What is written at a time, in octets.
const WRITE_BYTES: usize = 32 << 10;

/// Both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Over {
    #[error("the client went away")]
    Gone,
    #[error("the client said nothing for too long")]
    Silent,
    #[error("the client does not read")]
    Deaf,
    #[error(transparent)]
    Bad(#[from] BadMessage),
    #[error("the encryption failed: {0}")]
    Tls(io::Error),
}

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// A connection.
pub(super) struct Connection {
    shared: Arc<Shared>,
    place: Arc<Place>,
    limits: LdapLimits,
    /// Whether passwords may come in the clear.
    cleartext: bool,
    peer: IpAddr,
    stream: Box<dyn Stream>,
    encrypted: bool,
    come: BytesMut,
    login: Option<Login>,
    searches: JoinSet<Ended>,
    /// The searches that are waited for, by the numbers of their messages.
    running: HashMap<u32, Running>,
    started: u64,
    pages: Pages,
}

struct Running {
    /// Counted over all searches: a number may be used again.
    serial: u64,
    abandoned: Arc<AtomicBool>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }
}

/// A search that is over.
struct Ended {
    id: u32,
    serial: u64,
    view: Arc<View>,
    asked: Arc<Search>,
    page: Option<u32>,
    found: Found,
}

/// Whether the connection goes on.
#[derive(PartialEq)]
enum Next {
    Go,
    Close,
}

impl Connection {
    /// A connection that begins in the clear, or with a handshake.
    ///
    /// # Errors
    /// [`Over`] when there is no handshake.
    pub(super) async fn open(
        shared: Arc<Shared>,
        stream: tokio::net::TcpStream,
        peer: IpAddr,
        tls: bool,
        terms: Terms,
    ) -> Result<Self, Over> {
        // Answers are small and wait for nothing.
        let _ = stream.set_nodelay(true);
        let mut connection = Self {
            shared,
            place: terms.place,
            limits: terms.limits,
            cleartext: terms.cleartext,
            peer,
            stream: Box::new(stream),
            encrypted: false,
            come: BytesMut::new(),
            login: None,
            searches: JoinSet::new(),
            running: HashMap::new(),
            started: 0,
            pages: Pages::default(),
        };
        if tls {
            connection.encrypt().await?;
        }
        Ok(connection)
    }

    async fn encrypt(&mut self) -> Result<(), Over> {
        let keys = self.shared.certificate.borrow().clone();
        let keys = keys.ok_or_else(|| Over::Tls(io::Error::other("there is no certificate")))?;
        let plain = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        let handshake = TlsAcceptor::from(keys.config()).accept(plain);
        let stream = timeout(HANDSHAKE_TIMEOUT, handshake).await.map_err(|_| Over::Silent)?;
        self.stream = Box::new(stream.map_err(Over::Tls)?);
        self.encrypted = true;
        Ok(())
    }

    /// Serves it to its end.
    ///
    /// # Errors
    /// [`Over`] when it did not end as it should.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), Over> {
        let (mut heard, mut begun) = (Instant::now(), None);
        loop {
            while let Some(length) = self.first().await? {
                let message = self.come.split_to(length);
                if self.answer(&message).await? == Next::Close {
                    return Ok(());
                }
                (heard, begun) = (Instant::now(), None);
            }
            if self.come.is_empty() {
                begun = None;
            } else {
                begun.get_or_insert_with(Instant::now);
            }
            let until = begun.map_or(heard + self.patience(), |begun| begun + MESSAGE_TIMEOUT);
            self.come.reserve(READ_BYTES);
            tokio::select! {
                () = told(&mut stop) => {
                    let done = Done::new(Code::Unavailable, "Postfax is stopping, or this door closes");
                    return self.disconnect(&done).await;
                }
                Some(ended) = self.searches.join_next(), if !self.searches.is_empty() => {
                    // One that was abandoned, or ended in a bug, has no answer.
                    if let Ok(ended) = ended {
                        self.ended(ended).await?;
                    }
                    heard = Instant::now();
                }
                read = timeout_at(until, self.stream.read_buf(&mut self.come)) => match read {
                    Ok(Ok(0)) => return Ok(()),
                    Ok(Ok(_)) => {}
                    Ok(Err(_)) => return Err(Over::Gone),
                    Err(_) if begun.is_none() && !self.running.is_empty() => heard = Instant::now(),
                    Err(_) => {
                        let done = Done::new(Code::Unavailable, "nothing was said for too long");
                        self.disconnect(&done).await?;
                        return Err(Over::Silent);
                    }
                },
            }
        }
    }

    fn patience(&self) -> Duration {
        let patience = Duration::from_secs(self.limits.idle_timeout_s);
        if self.login.is_some() { patience } else { patience.min(STRANGER_TIMEOUT) }
    }

    /// The length of the message that has come whole, if one has.
    async fn first(&mut self) -> Result<Option<usize>, Over> {
        match frame::first(&self.come, self.limits.max_message_bytes) {
            Ok(length) => Ok(length.filter(|length| *length <= self.come.len())),
            Err(bad) => Err(self.give_up(bad).await),
        }
    }

    /// RFC 4511 4.1.1: what cannot be read ends the connection, with a notice.
    async fn give_up(&mut self, bad: BadMessage) -> Over {
        let notice = Done::new(Code::ProtocolError, bad.to_string());
        match self.disconnect(&notice).await {
            Ok(()) => Over::Bad(bad),
            Err(over) => over,
        }
    }

    async fn disconnect(&mut self, why: &Done) -> Result<(), Over> {
        let mut out = Vec::new();
        ber::extended(&mut out, 0, why, Some(schema::DISCONNECTION), None);
        self.send(&out).await?;
        // TLS has a last word of its own.
        let _ = timeout(WRITE_TIMEOUT, self.stream.shutdown()).await;
        Ok(())
    }

    async fn send(&mut self, out: &[u8]) -> Result<(), Over> {
        let writing = async {
            let mut rest = out;
            while rest.has_remaining() {
                // What is taken of it gives more time for the rest.
                let written = timeout(WRITE_TIMEOUT, self.stream.write_buf(&mut rest)).await;
                if written.map_err(|_| Over::Deaf)?? == 0 {
                    return Err(Over::Gone);
                }
            }
            Ok(timeout(WRITE_TIMEOUT, self.stream.flush()).await.map_err(|_| Over::Deaf)??)
        };
        writing.await
    }

    async fn done(&mut self, id: u32, tag: u8, done: &Done) -> Result<Next, Over> {
        let mut out = Vec::new();
        ber::done(&mut out, id, tag, done);
        self.send(&out).await?;
        Ok(Next::Go)
    }
}

/// What a connection is told when it begins.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) place: Arc<Place>,
    pub(super) limits: LdapLimits,
    pub(super) cleartext: bool,
}
