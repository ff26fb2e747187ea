//! Hands mail to the next host by SMTP or LMTP, over few connections that are
//! used again, and says for each recipient what became of it. Tries once:
//! when to try again is decided by others.
//!
//! ```text
//! connect ─▶ greeting ─▶ EHLO ─▶ [STARTTLS ─▶ EHLO] ─▶ [AUTH] ─▶ idle
//! idle ─▶ MAIL ─▶ RCPT… ─▶ DATA ─▶ message ─▶ verdict ─▶ idle
//! ```
//!
//! Why lettre lends its words but does not lead the conversation: replies and
//! logins are read and written by lettre. Its connection cannot say LHLO, hides
//! which extensions were offered, turns one refused recipient into the failure
//! of the whole mail, keeps octets that came in clear before a TLS handshake,
//! and adds an empty line to each message.
//!
//! Why a lost connection after the final dot is a deferral: the far end may
//! have the mail, and a second copy is better than none (RFC 5321 4.2.5).

mod open;
mod relay;
mod reply;
mod stuffing;
mod tls;
mod transaction;
mod wire;

use std::{
    fmt,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::Semaphore, time::Instant};
use tokio_rustls::TlsConnector;

pub use relay::{Authorities, Login, Mechanism, Relay, RelayError, Route, StartTls};
pub use reply::Reply;
pub use tls::believing;

use open::Session;
use transaction::{After, Measure};

/// Recipients of one transaction; every host takes that many (RFC 5321
/// 4.5.3.1.8). More of them go in further transactions.
const MAX_RECIPIENTS: usize = 100;
/// An idle connection is closed after this time, before common hosts do it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a relay that could not be reached is passed over where there is another.
const AWAY: Duration = Duration::from_secs(30);

/// Where the conversation was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The connection is made.
    Connect,
    /// The far end greets.
    Greeting,
    /// EHLO, HELO or LHLO.
    Hello,
    /// STARTTLS and the handshake.
    StartTls,
    /// AUTH.
    Login,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA.
    Data,
    /// The message is sent; without its end nothing of it is taken (RFC 5321 4.1.1.4).
    Message,
    /// The last of the message is sent, with the dot that ends it.
    End,
    /// The answer to the message.
    Verdict,
    /// RSET or QUIT.
    Farewell,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "while connecting",
            Self::Greeting => "before the greeting",
            Self::Hello => "after EHLO",
            Self::StartTls => "at STARTTLS",
            Self::Login => "at AUTH",
            Self::Sender => "after MAIL FROM",
            Self::Recipient => "after RCPT TO",
            Self::Data => "after DATA",
            Self::Message => "while the message was sent",
            Self::End => "at the end of the message",
            Self::Verdict => "after the end of the message",
            Self::Farewell => "after the message",
        })
    }
}

/// Why a mail is to be tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The far end said so, or said that it does not want us at all.
    #[error("{0}")]
    Said(Reply),
    /// No connection.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The connection was lost.
    #[error("the connection was lost {0}")]
    Closed(Stage),
    /// No answer in the time of RFC 5321 4.5.3.2.
    #[error("no answer {0}")]
    Timeout(Stage),
    /// An answer that is none.
    #[error("an answer that is no SMTP {0}")]
    Garbled(Stage),
    /// The handshake failed, or the name was not proved.
    #[error("no TLS: {0}")]
    Tls(String),
    /// TLS is required and was not offered.
    #[error("the relay does not offer STARTTLS, which is required")]
    TlsNotOffered,
    /// No login that we know was offered.
    #[error("the relay does not offer the login that is set up (AUTH PLAIN or AUTH LOGIN)")]
    LoginNotOffered,
    /// The message could not be read here.
    #[error("the message could not be read: {0}")]
    Message(String),
}

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The far end has the mail.
    Accepted(Reply),
    /// Try again later.
    Deferred(Trouble),
    /// Never try again.
    Refused(Reply),
}

/// When the sender wants to hear of a recipient (RFC 3461 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notify {
    /// Not at all.
    Never,
    /// In the cases that are true; at least one is.
    On {
        /// SUCCESS.
        success: bool,
        /// FAILURE.
        failure: bool,
        /// DELAY.
        delay: bool,
    },
}

/// How much of a mail that fails is returned (RFC 3461 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ret {
    /// All of it.
    Full,
    /// The header fields.
    Headers,
}

/// A recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rcpt {
    /// The address, without angle brackets.
    pub address: String,
    /// Passed on where the far end knows of it.
    pub notify: Option<Notify>,
    /// Type and address of ORCPT, decoded; passed on likewise.
    pub orcpt: Option<(String, String)>,
}

impl Rcpt {
    /// A recipient without wishes.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), notify: None, orcpt: None }
    }
}

/// Where the message is. Any line ends; they are mended on the way.
#[derive(Debug, Clone)]
pub enum Body {
    /// In memory.
    Bytes(Bytes),
    /// In a file.
    File(PathBuf),
}

/// A message with its envelope.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The return path; nothing for reports.
    pub from: Option<String>,
    /// At least one.
    pub recipients: Vec<Rcpt>,
    /// RET, passed on where the far end knows of it.
    pub ret: Option<Ret>,
    /// ENVID, decoded; passed on likewise.
    pub envid: Option<String>,
    /// The message.
    pub body: Body,
}

/// How long each answer may take.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// Name look-up, TCP and TLS.
    pub connect: Duration,
    /// Greeting, EHLO, AUTH, MAIL and RCPT.
    pub command: Duration,
    /// DATA.
    pub data: Duration,
    /// One block of the message.
    pub block: Duration,
    /// The verdict.
    pub verdict: Duration,
}

impl Default for Timeouts {
    /// RFC 5321 4.5.3.2.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(60),
            command: Duration::from_secs(5 * 60),
            data: Duration::from_secs(2 * 60),
            block: Duration::from_secs(3 * 60),
            verdict: Duration::from_secs(10 * 60),
        }
    }
}

/// A relay and what it takes to get there.
struct Way {
    relay: Relay,
    tls: Option<TlsConnector>,
}

/// Brings mail to a relay, or to the next one when that cannot be reached.
pub struct Courier {
    /// At least one, the best first.
    ways: Vec<Way>,
    /// Until when a relay that could not be reached is tried last.
    away: Mutex<Vec<Option<Instant>>>,
    timeouts: Timeouts,
    places: Semaphore,
    idle: Mutex<Vec<(Session, Instant)>>,
}

impl Courier {
    /// A courier that opens at most `max_connections` at a time. Opens none yet.
    ///
    /// # Errors
    /// What the relay's fields say does not go together, or its certificate
    /// authorities cannot be read.
    pub fn new(relay: Relay, max_connections: usize) -> Result<Self, RelayError> {
        Self::to_any(vec![relay], max_connections)
    }

    /// The same to several relays that are as good as each other, in their order: one is
    /// asked only when those before it cannot be reached.
    ///
    /// # Errors
    /// As [`Courier::new`].
    ///
    /// # Panics
    /// There is no relay.
    pub fn to_any(relays: Vec<Relay>, max_connections: usize) -> Result<Self, RelayError> {
        assert!(!relays.is_empty(), "a courier has somewhere to go");
        let way = |relay: Relay| {
            relay.check()?;
            Ok(Way { tls: tls::connector(&relay)?, relay })
        };
        let ways = relays.into_iter().map(way).collect::<Result<Vec<_>, RelayError>>()?;
        Ok(Self {
            away: Mutex::new(vec![None; ways.len()]),
            ways,
            timeouts: Timeouts::default(),
            places: Semaphore::new(max_connections.clamp(1, Semaphore::MAX_PERMITS)),
            idle: Mutex::new(Vec::new()),
        })
    }

    /// The same with other timeouts.
    #[must_use]
    pub fn with_timeouts(self, timeouts: Timeouts) -> Self {
        Self { timeouts, ..self }
    }

    /// Delivers the mail: one result for each recipient, in their order. May
    /// wait for a free connection. Dropping the future drops the connection,
    /// and the far end may have the mail all the same.
    pub async fn deliver(&self, mail: &Mail) -> Vec<(String, Delivery)> {
        let _place = self.places.acquire().await.expect("the semaphore is never closed");
        let all = |delivery: Delivery| {
            let addresses = mail.recipients.iter().map(|rcpt| rcpt.address.clone());
            addresses.map(|address| (address, delivery.clone())).collect()
        };
        let measure = match Measure::of(&mail.body).await {
            Ok(measure) => measure,
            Err(error) => return all(Delivery::Deferred(Trouble::Message(error.to_string()))),
        };
        let mut results = Vec::with_capacity(mail.recipients.len());
        for recipients in mail.recipients.chunks(MAX_RECIPIENTS) {
            let verdicts = self.transact(mail, recipients, measure).await;
            let addresses = recipients.iter().map(|rcpt| rcpt.address.clone());
            results.extend(addresses.zip(verdicts));
        }
        results
    }

    /// Whether a relay can be reached and would take mail from us now. Sends none.
    ///
    /// # Errors
    /// [`Trouble`] says why not.
    pub async fn greet(&self) -> Result<(), Trouble> {
        let _place = self.places.acquire().await.expect("the semaphore is never closed");
        self.open().await?.quit().await;
        Ok(())
    }

    /// Says goodbye on all idle connections.
    pub async fn close(&self) {
        let parked = std::mem::take(&mut *self.parked());
        for (session, _) in parked {
            session.quit().await;
        }
    }

    async fn transact(&self, mail: &Mail, to: &[Rcpt], measure: Measure) -> Vec<Delivery> {
        if let Some(mut session) = self.take_idle() {
            let (verdicts, after) = session.transact(mail, to, measure, &self.timeouts).await;
            // The far end may have hung up while the connection was idle.
            if after != After::Stale {
                self.park(session, after);
                return verdicts;
            }
        }
        match self.open().await {
            Err(trouble) => vec![Delivery::Deferred(trouble); to.len()],
            Ok(mut session) => {
                let (verdicts, after) = session.transact(mail, to, measure, &self.timeouts).await;
                self.park(session, after);
                verdicts
            }
        }
    }

    /// A connection to the first relay that can be reached. What was away a moment ago
    /// is asked last, so that not every mail waits for it.
    async fn open(&self) -> Result<Session, Trouble> {
        let mut order: Vec<usize> = (0..self.ways.len()).collect();
        {
            let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            order.sort_by_key(|place| away[*place].is_some_and(|until| until > now));
        }
        let mut last = None;
        for place in order {
            let Way { relay, tls } = &self.ways[place];
            let opened = Session::open(relay, tls.as_ref(), &self.timeouts).await;
            let until = opened.is_err().then(|| Instant::now() + AWAY);
            self.away.lock().unwrap_or_else(PoisonError::into_inner)[place] = until;
            match opened {
                Ok(session) => return Ok(session),
                Err(trouble) => last = Some(trouble),
            }
        }
        Err(last.expect("a courier has somewhere to go"))
    }

    fn take_idle(&self) -> Option<Session> {
        let mut parked = self.parked();
        parked.retain(|(_, since)| since.elapsed() < IDLE_TIMEOUT);
        parked.pop().map(|(session, _)| session)
    }

    fn park(&self, session: Session, after: After) {
        if after == After::Clean {
            self.parked().push((session, Instant::now()));
        }
    }

    fn parked(&self) -> std::sync::MutexGuard<'_, Vec<(Session, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
