//! The side that asks: a [`Driver`](crate::driver::Driver) whose server is at the far end of a connection.
//!
//! A request whose connection breaks is asked again on the next one, as often as that takes
//! within [`Options::patience`]: all of them come to the same when they are done twice. The
//! two that do not are told to whoever asked: a submission (which is
//! [`DriverError::Unsure`] exactly from the moment its last octet may have gone out), and
//! the setting of settings.

mod driver;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, watch},
    time::{Instant, timeout, timeout_at},
};
use tracing::info;

use super::{
    asking::{Link, Request, Unheard},
    document::{self, Failed},
    link::{self, Broken, Joined, Timing, Us, Versions},
    message::{Able, Answer, Ask, Fax, Hello, PROTOCOL, Role},
};
use crate::driver::{Call, Capabilities, DriverError, Progress};
use postfax_domain::outcome::Outcome;

/// Longest wait for an answer that waits for nothing itself.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// What is known of the far side before it is connected.
#[derive(Debug, Clone)]
pub struct Options {
    /// What messages call it.
    pub server: String,
    /// What we call ourselves to it.
    pub name: String,
    /// What a server of this version can do. What it says itself when it connects is
    /// believed where it is less.
    pub able: Capabilities,
    /// How long a request waits for a connection.
    pub patience: Duration,
    /// How patient the connection is.
    pub timing: Timing,
    /// What is spoken.
    pub versions: Versions,
}

impl Options {
    /// The usual ones.
    #[must_use]
    pub fn new(server: &str, name: &str, able: Capabilities) -> Self {
        Self {
            server: server.to_owned(),
            name: name.to_owned(),
            able,
            patience: Duration::from_secs(5),
            timing: Timing::default(),
            versions: Versions::OURS,
        }
    }
}

/// Whether there is a connection.
#[derive(Clone)]
enum State {
    /// None, and why.
    Away(String),
    /// This one.
    Up(Arc<Link>),
}

/// A server at the far end of a connection. Whoever has connected to it hands the
/// connection to [`Remote::adopt`].
pub struct Remote {
    options: Options,
    state: watch::Sender<State>,
    able: Mutex<Capabilities>,
}

impl Remote {
    /// Not connected yet.
    #[must_use]
    pub fn new(options: Options) -> Arc<Self> {
        let state = watch::Sender::new(State::Away("it has not been connected yet".into()));
        let able = Mutex::new(options.able);
        Arc::new(Self { options, state, able })
    }

    /// What messages call it.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.options.server
    }

    /// Whether it is connected now.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(*self.state.borrow(), State::Up(_))
    }

    /// Why it is not connected.
    #[must_use]
    pub fn why_away(&self) -> Option<String> {
        match &*self.state.borrow() {
            State::Up(_) => None,
            State::Away(why) => Some(why.clone()),
        }
    }

    /// Says why it cannot be connected to, for those who ask.
    pub fn note(&self, why: impl std::fmt::Display) {
        self.state.send_if_modified(|state| match state {
            State::Up(_) => false,
            State::Away(said) => {
                *said = why.to_string();
                true
            }
        });
    }

    /// Asks on this connection, whose other side has proved who it is, until it is over or
    /// another one takes its place.
    pub async fn adopt<S>(&self, stream: S) -> Broken
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let us = Us { hello: self.hello(), timing: self.options.timing };
        let joined = match link::join(stream, &us).await {
            Ok(joined) => joined,
            Err(broken) => {
                self.note(&broken);
                return broken;
            }
        };
        let Joined { mut reader, out, writer, peer } = joined;
        let server = &self.options.server;
        info!(%server, peer = %peer.name, software = %peer.software, "a line server is connected");
        if let Some(able) = peer.able {
            self.heard(able);
        }
        let link = Link::new(out);
        // What is asked while this future is dropped must hear of it as well.
        let up = Up { remote: self, link: link.clone() };
        self.state.send_replace(State::Up(link.clone()));
        let mut state = self.state.subscribe();
        let other = |state: &State| !matches!(state, State::Up(now) if Arc::ptr_eq(now, &link));
        let broken = tokio::select! {
            broken = link.run(&mut reader) => broken,
            _ = state.wait_for(other) => Broken::Replaced,
        };
        up.over(&broken);
        drop(writer);
        info!(%server, why = %broken, "a line server is not connected any more");
        broken
    }

    fn hello(&self) -> Hello {
        Hello {
            protocol: PROTOCOL.to_owned(),
            oldest: self.options.versions.oldest,
            newest: self.options.versions.newest,
            role: Role::Supervisor,
            name: self.options.name.clone(),
            software: super::SOFTWARE.to_owned(),
            able: None,
        }
    }

    fn heard(&self, said: Able) {
        let most = self.options.able;
        let able = Capabilities {
            confirms: most.confirms && said.confirms,
            finds: most.finds && said.finds,
            cancels: most.cancels && said.cancels,
            receives: most.receives && said.receives,
            batches: most.batches && said.batches,
            schema: most.schema.filter(|_| said.settable),
        };
        *self.able.lock().unwrap_or_else(PoisonError::into_inner) = able;
    }

    fn unreachable(&self, why: impl Into<String>) -> DriverError {
        DriverError::Unreachable { server: self.options.server.clone(), why: why.into() }
    }

    /// The connection, once there is one; not later than `by`.
    async fn link(&self, by: Instant) -> Result<Arc<Link>, DriverError> {
        let mut state = self.state.subscribe();
        let up = state.wait_for(|state| matches!(state, State::Up(_)));
        if let Ok(Ok(state)) = timeout_at(by, up).await
            && let State::Up(link) = &*state
        {
            return Ok(link.clone());
        }
        match &*self.state.borrow() {
            State::Up(link) => Ok(link.clone()),
            State::Away(why) => Err(self.unreachable(why)),
        }
    }

    /// Asks, on the next connection when one is over; not later than `by`.
    async fn begin(&self, ask: &Ask, by: Instant) -> Result<Request, DriverError> {
        loop {
            let link = self.link(by).await?;
            match link.ask(ask) {
                Some(request) => return Ok(request),
                None => self.let_go(&link),
            }
        }
    }

    /// Asks until an answer comes: again when a connection breaks.
    async fn ask_until(
        &self,
        ask: &Ask,
        limit: Option<Duration>,
        progress: Option<&mpsc::Sender<Progress>>,
    ) -> Result<Answer, DriverError> {
        loop {
            let mut request = self.begin(ask, self.by()).await?;
            if progress.is_some() {
                request.wants_progress();
            }
            let answering = request.answer(progress);
            let answer = match limit {
                Some(limit) => timeout(limit, answering).await.map_err(|_| {
                    self.unreachable(format!("no answer came in {} s", limit.as_secs()))
                })?,
                None => answering.await,
            };
            match self.judged(answer) {
                Ok(answer) => return Ok(answer),
                Err(Lost::Connection) => self.let_go(request.link()),
                Err(Lost::Because(error)) => return Err(error),
            }
        }
    }

    fn by(&self) -> Instant {
        Instant::now() + self.options.patience
    }

    /// Waits for no answer of a connection that is over.
    fn let_go(&self, link: &Arc<Link>) {
        let why = "the connection broke".to_owned();
        self.state.send_if_modified(|state| match state {
            State::Up(now) if Arc::ptr_eq(now, link) => {
                *state = State::Away(why);
                true
            }
            _ => false,
        });
    }

    /// Asks for one answer.
    async fn ask(&self, ask: Ask) -> Result<Answer, DriverError> {
        self.ask_until(&ask, Some(ANSWER_LIMIT), None).await
    }

    fn judged(&self, answer: Result<Answer, Unheard>) -> Result<Answer, Lost> {
        let server = || self.options.server.clone();
        match answer {
            Ok(Answer::Failed(fault)) => Err(Lost::Because(fault.error(server()))),
            Ok(answer) => Ok(answer),
            Err(Unheard::Lost) => Err(Lost::Connection),
            Err(Unheard::Garbled(bad)) => Err(Lost::Because(self.strange(&bad))),
        }
    }

    /// An answer that does not belong to what was asked.
    fn strange(&self, answer: &dyn std::fmt::Debug) -> DriverError {
        let reply: String = format!("a strange answer: {answer:?}").chars().take(300).collect();
        let (server, outcome) = (self.options.server.clone(), Outcome::ServerFault);
        DriverError::Refused { server, reply, outcome }
    }

    async fn done(&self, ask: Ask) -> Result<(), DriverError> {
        match self.ask(ask).await? {
            Answer::Done => Ok(()),
            other => Err(self.strange(&other)),
        }
    }

    /// Hands a fax over on this connection. `whole` tells whether it may have been taken.
    async fn hand_over(
        &self,
        link: &Arc<Link>,
        call: &Call,
        whole: &AtomicBool,
    ) -> Result<Answer, Lost> {
        let ask = Ask::Submit(Fax::of(call));
        let mut request = link.ask(&ask).ok_or(Lost::Connection)?;
        let (out, credit) = (link.out.clone(), request.credit.clone());
        let (pages, number) = (call.pages.clone(), request.number);
        let sending = document::send(&pages, number, &out, &credit, whole);
        tokio::pin!(sending);
        // A server that refuses does so in the middle as well.
        let early = tokio::select! {
            sent = &mut sending => match sent {
                Ok(()) => None,
                Err(Failed::File { path, source }) => {
                    return Err(Lost::Because(DriverError::Local { path, source }));
                }
                Err(_) => return Err(Lost::Connection),
            },
            answer = request.answer(None) => Some(answer),
        };
        let answer = match early {
            Some(answer) => answer,
            None => timeout(ANSWER_LIMIT, request.answer(None)).await.unwrap_or(Err(Unheard::Lost)),
        };
        self.judged(answer)
    }

    /// Receives the document of a request.
    async fn receive(&self, request: &mut Request, into: &Path) -> Result<(), Lost> {
        let (out, number) = (request.link().out.clone(), request.number);
        let mut coming = request.take_document();
        let (server, outcome) = (self.options.server.clone(), Outcome::ServerFault);
        Err(match document::receive(&mut coming, number, &out, into).await {
            Ok(()) => return Ok(()),
            // Its pieces end with the answer as well: one that is refused comes without a
            // document, or with a part of it. Only without an answer the connection is over.
            Err(Failed::Lost) => match self.judged(request.answer(None).await) {
                Ok(other) => Lost::Because(self.strange(&other)),
                Err(lost) => lost,
            },
            Err(Failed::File { path, source }) => {
                Lost::Because(DriverError::Local { path, source })
            }
            Err(Failed::Damaged(reply)) => {
                Lost::Because(DriverError::Refused { server, reply, outcome })
            }
        })
    }
}

/// Why something was not done on one connection.
enum Lost {
    Connection,
    Because(DriverError),
}

/// A connection that is up as long as this is.
struct Up<'a> {
    remote: &'a Remote,
    link: Arc<Link>,
}

impl Up<'_> {
    fn over(&self, why: &Broken) {
        self.link.end();
        self.remote.state.send_if_modified(|state| match state {
            State::Up(now) if Arc::ptr_eq(now, &self.link) => {
                *state = State::Away(why.to_string());
                true
            }
            _ => false,
        });
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        self.over(&Broken::Closed);
    }
}
