//! What the supervisor's daemon asks of a fax server, whatever its kind.
//!
//! A driver carries one attempt at a time for each call: it is told to submit,
//! it follows until the call has ended, and it reports an [`Outcome`]. It never
//! retries, chooses or gives up by itself: that is decided elsewhere. The server
//! dials **once** for each submission.
//!
//! Sending exactly once rests on [`Driver::find`]: a submission carries a tag
//! that is unique for ever, and after a crash or a broken connection the server
//! is asked for the tag before anything is submitted again.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use postfax_domain::{
    document::{PageLedger, Paper, Resolution},
    number::Number,
    outcome::Outcome,
    settings::{Change, Schema, Settings},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// Why a request to a fax server failed.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// No connection, or it broke, before the server can have taken anything.
    #[error("{server} cannot be reached: {why}")]
    Unreachable {
        /// Where we tried to connect.
        server: String,
        /// What the system said.
        why: String,
    },
    /// The connection broke after the server may have taken the fax: ask with
    /// [`Driver::find`] before anything else.
    #[error("{server} may or may not have taken the fax: {why}")]
    Unsure {
        /// Whom we asked.
        server: String,
        /// What went wrong.
        why: String,
    },
    /// The server understood and refused.
    #[error("{server} refused: {reply}")]
    Refused {
        /// Whom we asked.
        server: String,
        /// What it answered, word for word.
        reply: String,
        /// What that means for the attempt.
        outcome: Outcome,
    },
    /// The server does not know the ticket or file (any more).
    #[error("{server} does not have {what}")]
    Gone {
        /// Whom we asked.
        server: String,
        /// What it does not have.
        what: String,
    },
    /// A file on our side could not be read or written.
    #[error("{path}: {source}")]
    Local {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Why settings were not set.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The server is away, or went away in the middle: what it holds is not known. It is
    /// mended before anything else is read or set there.
    #[error(transparent)]
    Away(DriverError),
    /// It was not done, and the server holds what it held before.
    #[error("{0}; the server holds what it held before")]
    Undone(String),
    /// It was not done for a reason that may pass by itself, and the server holds what it
    /// held before.
    #[error("{0}; the server holds what it held before")]
    Hindered(String),
    /// It was not done, and the server does not hold what it held before.
    #[error("{0}")]
    Broken(String),
}

/// One attempt, as the server gets it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Unique for ever; at most 60 characters of `[A-Za-z0-9.-]`.
    pub tag: String,
    /// Whom to call.
    pub number: Number,
    /// T.33 sub-address.
    pub subaddress: Option<String>,
    /// TIFF-F file with exactly the pages to send.
    pub pages: PathBuf,
    /// Pages of the same document that were confirmed before: a header line counts on.
    pub pages_before: u32,
    /// Dots an inch of the pages.
    pub resolution: Resolution,
    /// The paper of the widest page.
    pub paper: Paper,
    /// Who sends, for the server's own records.
    pub sender: String,
    /// Our station identity (TSI), where the server lets us choose.
    pub station_id: Option<String>,
    /// 0 (most urgent) to 255, as HylaFAX counts.
    pub priority: u8,
    /// The server must not dial later than this long from now.
    pub give_up_after: Duration,
}

/// A submission in the server's own words: HylaFAX's job number and the tag, since a
/// server that was set up anew gives the number again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(pub String);

/// What a call has come to.
#[derive(Debug, Clone)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// The server's own words, for the job's story.
    pub said: String,
    /// The pages that were confirmed.
    pub ledger: PageLedger,
}

/// How a call goes on while it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The server dials.
    Dialling,
    /// The remote machine answered.
    Connected,
    /// Pages confirmed so far.
    Pages(PageLedger),
}

/// A fax that waits at the server to be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Names it at its server, for ever: it is used to recognise what was fetched before.
    pub key: String,
    /// What the server calls it, to fetch and release it.
    pub name: String,
    /// The line that it came in on (`ttyFAX0`), when known.
    pub line: Option<String>,
    /// The number that was called, when known.
    pub called: Option<String>,
    /// The number that called, when known.
    pub caller: Option<String>,
    /// The name that came with it.
    pub caller_name: Option<String>,
    /// What the sending machine calls itself (TSI).
    pub tsi: Option<String>,
    /// T.33 sub-address.
    pub subaddress: Option<String>,
    /// How many pages the server counted.
    pub pages: u32,
    /// When it was received.
    pub received: Timestamp,
    /// How long the call took.
    pub duration: Duration,
    /// Signalling rate in bit/s.
    pub bit_rate: Option<u32>,
    /// What went wrong while receiving, where something did.
    pub error: Option<String>,
}

/// What a kind of server can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// It reports the remote machine's confirmation, so that a receipt may say *delivered*.
    pub confirms: bool,
    /// It can find a submission by its tag.
    pub finds: bool,
    /// It can stop a call.
    pub cancels: bool,
    /// It receives faxes.
    pub receives: bool,
    /// It takes several submissions to one number at a time, calls the number once at a
    /// time by itself, and may send several in one call, each with a ledger of its own.
    pub batches: bool,
    /// What can be set at it, and read back; `None` when nothing can.
    pub schema: Option<&'static Schema>,
}

/// How a server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What the server calls itself.
    pub banner: String,
    /// Its lines and how each of them is, in its own words.
    pub lines: Vec<LineCondition>,
}

/// How one line is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCondition {
    /// The line's name at its server (`ttyFAX0`).
    pub name: String,
    /// The number it answers on, when the server knows.
    pub number: Option<String>,
    /// In the server's words: `Running and idle`.
    pub status: String,
    /// Whether it can place calls.
    pub usable: bool,
    /// It does not work, whatever it is there for, and somebody is to look after it.
    #[serde(default)]
    pub broken: bool,
}

/// One fax server.
#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Whether it drops a submission whose tag it has seen. Where [`Driver::find`] then
    /// answers [`DriverError::Unsure`], the same call may be submitted once more.
    fn drops_duplicates(&self) -> bool {
        false
    }

    /// Asks the server how it is; an error means that it is down.
    async fn condition(&self) -> Result<Condition, DriverError>;

    /// Hands one attempt over. When this returns, the server owns it.
    async fn submit(&self, call: &Call) -> Result<Ticket, DriverError>;

    /// The submission that carries the tag, whether it waits, calls or has ended;
    /// `None` only when the server is certain that it never took one.
    async fn find(&self, tag: &str) -> Result<Option<Ticket>, DriverError>;

    /// Waits until the submission has ended, and tells `progress` meanwhile.
    /// Dropping the future stops the waiting and nothing else.
    /// [`DriverError::Unreachable`] means: ask again later.
    async fn follow(
        &self,
        ticket: &Ticket,
        progress: mpsc::Sender<Progress>,
    ) -> Result<Ended, DriverError>;

    /// Stops a submission; the call in progress as well. [`Driver::follow`] then
    /// reports how it really ended.
    async fn cancel(&self, ticket: &Ticket) -> Result<(), DriverError>;

    /// Lets the server drop its record of a submission that has ended.
    async fn forget(&self, ticket: &Ticket) -> Result<(), DriverError>;

    // ---- what comes in; one that receives nothing leaves all four as they are ----------

    /// Returns when the server has (or may have) something new in
    /// [`Driver::waiting`], or after `at_most`.
    async fn arrival(&self, at_most: Duration) {
        tokio::time::sleep(at_most).await;
    }

    /// The faxes that were received and not yet released; none that is still coming in.
    async fn waiting(&self) -> Result<Vec<Waiting>, DriverError> {
        Ok(Vec::new())
    }

    /// Copies a waiting fax, a TIFF-F, to `into`, and makes it durable there.
    async fn fetch(&self, fax: &Waiting, _into: &Path) -> Result<(), DriverError> {
        Err(receives_nothing(fax))
    }

    /// Lets the server delete a fax that is durable here.
    async fn release(&self, fax: &Waiting) -> Result<(), DriverError> {
        Err(receives_nothing(fax))
    }

    // ---- its settings ------------------------------------------------------------------

    /// What is set at the server now: the keys of [`Capabilities::schema`] that it holds,
    /// for the server and for each of its lines. `safe` is a private folder of this server
    /// for copies of what is being replaced; a copy that an interrupted
    /// [`Driver::set`] has left there is put back first.
    async fn settings(&self, safe: &Path) -> Result<Settings, SettingsError>;

    /// Sets these, and nothing else; all of them or none. The answer is what the server
    /// holds afterwards, read back from it.
    async fn set(&self, changes: &[Change], safe: &Path) -> Result<Settings, SettingsError>;
}

fn receives_nothing(fax: &Waiting) -> DriverError {
    let server = "a fax server that receives nothing".to_owned();
    DriverError::Gone { server, what: fax.name.clone() }
}
