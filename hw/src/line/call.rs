//! A call on a line, whatever the line is: what is ordered, what happens meanwhile, and
//! what came of it. This is what the line server and its lines know of each other.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use postfax_domain::{number::Number, outcome::Outcome};
use tokio::sync::{mpsc, watch};

use crate::t30::{Remote, Session, Station, Statistics};

/// A call to place.
#[derive(Debug)]
pub struct Order {
    /// Whom to call. The line knows how its network dials that.
    pub number: Number,
    /// What for.
    pub session: Session,
    /// The longest that the answered call may last, whatever happens in it.
    pub limit: Duration,
    /// Where its steps are told, in order. They are waited for: whoever keeps a ledger
    /// writes it before the next page ends.
    pub steps: mpsc::Sender<Step>,
    /// True: hang up as soon as the protocol lets us, and end as cancelled.
    pub stop: watch::Receiver<bool>,
}

/// Something that happened in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The number is being dialled.
    Dialling,
    /// It rings at the other side, where the network tells.
    Ringing,
    /// It was answered.
    Connected,
    /// A page is over and its confirmation is awaited: from now on it may have arrived.
    Asked,
    /// So many pages are confirmed (sending), or complete here (receiving).
    Pages {
        /// How many.
        count: u32,
        /// What is known so far.
        statistics: Statistics,
    },
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How it ended, for the one who sends. Of a call that came in it says whether the
    /// document is complete: then it is [`Outcome::Delivered`].
    pub outcome: Outcome,
    /// In the words of the line: the hang-up code, the SIP response, the T.30 cause.
    pub said: String,
    /// Pages that the other machine confirmed, or that we did.
    pub pages: u32,
    /// What was counted.
    pub statistics: Statistics,
    /// What the other machine said of itself.
    pub remote: Remote,
    /// How long it lasted since it was answered.
    pub duration: Duration,
}

impl Ended {
    /// A call that did not come about.
    #[must_use]
    pub fn failed(outcome: Outcome, said: impl Into<String>) -> Self {
        Self {
            outcome,
            said: said.into(),
            pages: 0,
            statistics: Statistics::default(),
            remote: Remote::default(),
            duration: Duration::ZERO,
        }
    }
}

/// A call that comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// The line that rings.
    pub line: String,
    /// The number that was called, where the network tells, as it is written there.
    pub called: Option<String>,
    /// The number that calls.
    pub caller: Option<String>,
    /// The name that came with it.
    pub caller_name: Option<String>,
    /// Which of several ring cadences it is (distinctive ring), where the modem tells.
    pub cadence: Option<String>,
}

/// How loud a modem is until a call is through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Speaker {
    /// Not at all.
    #[default]
    Off,
    /// `L0` and the like.
    Quiet,
    /// A little louder.
    Low,
    /// Louder.
    Medium,
    /// As loud as it can.
    High,
}

/// What an administrator sets of a line, as far as the line itself needs it. When and for
/// what it is used is the matter of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineSettings {
    /// Whether the line is used at all; false: [`LineState::Off`] once its last call is
    /// over, with the device let go.
    pub on: bool,
    /// What it calls itself and can do, for a modem that does T.30 by itself. Each
    /// [`Session`] brings one of its own, which counts.
    pub station: Station,
    /// At which ring it answers; 0: never.
    pub rings: u32,
    /// The most calls at one time, where that is less than the line can do.
    pub max_calls: Option<usize>,
    /// How loud it is.
    pub speaker: Speaker,
    /// What a modem is sent after its reset, before anything else; empty: nothing.
    pub init: String,
}

impl LineSettings {
    /// Those of a line of which nothing is set.
    #[must_use]
    pub fn new() -> Self {
        Self {
            on: true,
            station: Station::new(""),
            rings: 1,
            max_calls: None,
            speaker: Speaker::Off,
            init: String::new(),
        }
    }
}

impl Default for LineSettings {
    fn default() -> Self {
        Self::new()
    }
}

/// How a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineState {
    /// It is being set up: the modem is initialised, the trunk registers.
    Starting,
    /// It can be used; so many calls are on it.
    Ready(usize),
    /// An administrator has switched it off.
    Off,
    /// It cannot be used, is tried again by itself, and this is why.
    Failed(String),
}

/// Who decides about calls that come in, and keeps what they bring.
#[async_trait]
pub trait Desk: Send + Sync + 'static {
    /// It rings: how to answer, with the file that is to be made; `None`: not at all.
    async fn rings(&self, ring: &Ring) -> Option<Session>;

    /// An answered call has ended. When this returns, what came is durable.
    async fn received(&self, ring: &Ring, session: &Session, ended: Ended);
}

/// A way into the telephone network: a modem, or a trunk of several channels.
#[async_trait]
pub trait Line: Send + Sync + 'static {
    /// What the administrator calls it (`ttyACM0`, `trunk`).
    fn name(&self) -> &str;

    /// The most calls at one time.
    fn channels(&self) -> usize;

    /// How it is now.
    fn state(&self) -> LineState;

    /// Tells when [`Line::state`] has changed.
    fn changes(&self) -> watch::Receiver<()>;

    /// Takes what is set of it, before [`Line::run`] and at any time later. It returns at
    /// once; a call that goes on keeps what it began with, and the next one has these.
    fn configure(&self, settings: LineSettings);

    /// Keeps the line: sets it up, answers what rings, mends what fails. Ends when `stop`
    /// becomes true and the last call is over.
    async fn run(&self, desk: Arc<dyn Desk>, stop: watch::Receiver<bool>);

    /// Places a call and returns when it is over. A line without a free channel, one that
    /// is being rung, or one that cannot be used, says so at once
    /// ([`Outcome::LinesBusy`], [`Outcome::NoDialTone`], [`Outcome::ServerFault`]).
    async fn place(&self, order: Order) -> Ended;
}

/// Returns when it is to end, or nobody is there any more who could say so.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await.map(drop);
}
