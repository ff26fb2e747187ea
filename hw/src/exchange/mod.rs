//! A telephone exchange in software, for tests, the demo and everyone without a line.
//!
//! Programs that drive fax modems (HylaFAX, efax, mgetty) find Class 1 modems on
//! pseudo-terminals and take them for real ones; numbers ring each other, misbehave
//! on purpose, or are answered by fax machines within this process. It is a world to
//! test in, and no part of the way that a real fax takes.
//!
//! ```text
//!  program ─ terminal ─ modem ─┐                ┌─ modem ─ terminal ─ program
//!                              ├─ call ─ switch ┤
//!            machine ─ leg ────┤                ├─ leg ─ machine, voice, nobody
//!                SIP ─ leg ────┘                └─ leg ─ SIP
//! ```
//!
//! One thread (`engine`) owns all of it. A [`switch`] decides who is reached at a
//! number, a `call` carries audio between two `leg`s on a `clock` of its own, and
//! `crate::spandsp` is the door to the C library that does the signal processing.
//!
//! mgetty 1.2.1 as Debian packages it takes these modems for data modems and cannot fax with
//! them: it is compiled without `CLASS1`, which alone lets `faxlib.c` say `AT+FCLASS=1`, so
//! that with `-C cls1` it tries `AT+FCLASS=2`, is refused, and ends with "not a class 2/2.0
//! fax modem". Built with `CLASS1` from the same source it sends and receives.
//!
//! Why a clock for each call: a Class 1 program keeps T.30's timers in real time and
//! a machine of ours keeps them in audio, so that a mixed call breaks when audio runs
//! faster than real time, while two machines may run hundreds of times faster.

#[cfg(test)]
pub(crate) mod alone;
mod call;
mod class2;
mod clock;
mod dialect;
mod directory;
mod engine;
mod extension;
mod leg;
mod line;
mod machine;
mod modem;
mod noise;
mod reject;
pub mod sip;
mod switch;
mod terminal;
#[cfg(test)]
mod tests;
mod v21;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::broadcast;

pub use self::class2::FaxClass;
pub use self::extension::Extension;
pub use self::machine::{CallProgress, CallResult, Machine, MachineCall, ReceivedFax, Sending};
use self::{
    engine::{Command, Desk, Engine},
    switch::Switch,
};

/// Most events that a subscriber may lag behind before it loses the oldest.
const MAX_EVENTS: usize = 1024;
/// The speeds that make sense.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.1..=100.0;

/// What can go wrong with the exchange.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The folder, the thread or its bell could not be made.
    #[error("the telephone exchange cannot start: {0}")]
    Start(#[source] std::io::Error),
    /// A speed out of range.
    #[error("{0} is no speed for a telephone exchange: use 0.1 to 100")]
    Speed(f64),
    /// A pseudo-terminal or its link could not be made.
    #[error("no terminal for a modem: {0}")]
    Terminal(#[source] std::io::Error),
    /// Not a telephone number.
    #[error("\"{0}\" is no telephone number: use 3 to 20 digits")]
    Number(String),
    /// The number belongs to something else.
    #[error("the number {0} is taken")]
    Taken(String),
    /// A station identity that T.30 cannot carry.
    #[error("\"{0}\" is no station identity: use at most 20 characters of ASCII")]
    StationId(String),
    /// As many lines as an exchange may have.
    #[error("the telephone exchange has no room for another line")]
    Full,
    /// There is no SIP to reach the number by.
    #[error("the telephone exchange has no SIP: open it first")]
    NoSip,
    /// SIP cannot be spoken at that address.
    #[error("no SIP for the telephone exchange: {0}")]
    Sip(#[source] std::io::Error),
    /// It has been stopped.
    #[error("the telephone exchange has stopped")]
    Stopped,
}

/// How an exchange is set up. Times are in audio: the clock's speed divides them.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many times faster than real time calls between two modems run. Calls between
    /// a modem and a machine run at this speed, but never faster than 1.
    pub speed: f64,
    /// The same for calls between two machines; `None`: as fast as possible.
    pub machine_speed: Option<f64>,
    /// A private folder for received TIFF files. It is made where it is missing.
    pub state: PathBuf,
    /// How long a telephone rings before the caller is told that nobody answers.
    pub ringing_limit: Duration,
    /// How long an answered call may last.
    pub call_limit: Duration,
    /// How long a person talks who was called by a fax machine.
    pub voice: Duration,
}

impl Options {
    /// Real time, with `state` as the folder for received faxes.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self {
            speed: 1.0,
            machine_speed: None,
            state: state.to_owned(),
            ringing_limit: Duration::from_secs(40),
            call_limit: Duration::from_secs(30 * 60),
            voice: Duration::from_secs(20),
        }
    }
}

/// How a number behaves that nobody real is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// The line is busy.
    Busy,
    /// It rings until the caller gives up.
    NoAnswer,
    /// Whoever dials it gets no dial tone.
    NoDialTone,
    /// The network has no way through: `NO CARRIER` at once.
    Congested,
    /// A person answers, talks for a while and hangs up.
    Voice,
    /// A fax machine answers, and the line drops so long after.
    DropAfter(Duration),
    /// A fax machine without error correction and with V.29 only, which rejects every page (RTN).
    RejectPages,
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallState {
    /// The number is being dialled.
    Dialling,
    /// It rings.
    Ringing,
    /// Both sides are on the line.
    Connected,
    /// One side has hung up.
    Ending,
}

/// One call that is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallInfo {
    /// Its number in events.
    pub id: u64,
    /// Who calls.
    pub from: String,
    /// Who is called, or what was dialled when no such number is known.
    pub to: String,
    /// Where it stands.
    pub state: CallState,
    /// Since it was dialled, in audio.
    pub duration: Duration,
}

/// What happened to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// Someone dialled.
    Dialled,
    /// It rings for the first time.
    Ringing,
    /// It was answered.
    Answered,
    /// It is over.
    Ended,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which call.
    pub call: u64,
    /// Who calls.
    pub from: String,
    /// Who is called.
    pub to: String,
    /// What happened.
    pub what: Happening,
    /// How long after dialling, in audio.
    pub after: Duration,
}

/// A telephone exchange. Dropping it stops it.
#[derive(Debug)]
pub struct Exchange {
    desk: Desk,
    ids: Arc<AtomicU64>,
    events: broadcast::Sender<Event>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Exchange {
    /// Starts an exchange without any lines.
    ///
    /// # Errors
    /// [`ExchangeError::Start`] or [`ExchangeError::Speed`].
    pub fn start(options: Options) -> Result<Self, ExchangeError> {
        for speed in std::iter::once(options.speed).chain(options.machine_speed) {
            if !SPEEDS.contains(&speed) {
                return Err(ExchangeError::Speed(speed));
            }
        }
        std::fs::create_dir_all(&options.state).map_err(ExchangeError::Start)?;
        let (desk, orders, bell) = engine::desk().map_err(ExchangeError::Start)?;
        let (events, _) = broadcast::channel(MAX_EVENTS);
        let ids = Arc::new(AtomicU64::new(1));
        let (their_ids, their_events) = (Arc::clone(&ids), events.clone());
        let thread = std::thread::Builder::new()
            .name("exchange".into())
            .spawn(move || {
                crate::urgent::keep_time();
                // The C library's objects never leave this thread, so it makes them.
                Engine::new(orders, bell, Switch::new(options, their_ids, their_events)).run();
            })
            .map_err(ExchangeError::Start)?;
        Ok(Self { desk, ids, events, thread: Mutex::new(Some(thread)) })
    }

    /// Adds a Class 1 modem that answers on `number`, and gives the path of its terminal.
    /// Several modems may have one number: the first idle one rings. A symbolic link at
    /// `link` is replaced.
    ///
    /// # Errors
    /// [`ExchangeError::Number`], [`ExchangeError::Taken`], [`ExchangeError::Terminal`],
    /// [`ExchangeError::Full`] or [`ExchangeError::Stopped`].
    pub fn modem(&self, number: &str, link: Option<&Path>) -> Result<PathBuf, ExchangeError> {
        self.modem_of(FaxClass::One, number, link)
    }

    /// Adds a modem of some class. Those of Class 2, 2.0 and 2.1 reach fax machines only at
    /// other modems of these classes: they send no audio.
    ///
    /// # Errors
    /// As [`Exchange::modem`].
    pub fn modem_of(
        &self,
        class: FaxClass,
        number: &str,
        link: Option<&Path>,
    ) -> Result<PathBuf, ExchangeError> {
        let (number, link) = (number.to_owned(), link.map(Path::to_owned));
        self.desk.ask(|reply| Command::AddModem { class, number, link, reply })
    }

    /// Adds a number that behaves in one way, or changes how it behaves.
    ///
    /// # Errors
    /// As [`Exchange::modem`], without terminals.
    pub fn number(&self, number: &str, behaviour: Behaviour) -> Result<(), ExchangeError> {
        let number = number.to_owned();
        self.desk.ask(|reply| Command::AddNumber { number, behaviour, reply })
    }

    /// Adds a fax machine that answers on `number` and may have `lines` calls at one time.
    ///
    /// # Errors
    /// As [`Exchange::modem`], without terminals, and [`ExchangeError::StationId`].
    pub fn machine(
        &self,
        number: &str,
        lines: u32,
        station_id: &str,
    ) -> Result<Machine, ExchangeError> {
        let (name, station_id) = (number.to_owned(), station_id.to_owned());
        let received = self.desk.ask(|reply| Command::AddMachine {
            number: name,
            lines,
            station_id,
            reply,
        })?;
        let (desk, calls) = (self.desk.clone(), Arc::clone(&self.ids));
        Ok(Machine { number: number.to_owned(), desk, calls, received: Some(received) })
    }

    /// Lets SIP reach the exchange's numbers, and gives the address to invite them at. There is
    /// one: opening another closes it.
    ///
    /// # Errors
    /// [`ExchangeError::Sip`] or [`ExchangeError::Stopped`].
    pub fn sip(&self, options: sip::SipOptions) -> Result<SocketAddr, ExchangeError> {
        let (address, rings) = sip::open(options, self.desk.clone(), Arc::clone(&self.ids))
            .map_err(ExchangeError::Sip)?;
        self.desk.send(Command::AddDoor(rings))?;
        Ok(address)
    }

    /// Adds a number that is invited in SIP at `target` (`host:port`), with so many calls at
    /// one time. [`Exchange::sip`] comes first.
    ///
    /// # Errors
    /// As [`Exchange::modem`], without terminals, and [`ExchangeError::NoSip`].
    pub fn sip_number(&self, number: &str, lines: u32, target: &str) -> Result<(), ExchangeError> {
        let (number, target) = (number.to_owned(), target.to_owned());
        self.desk.ask(|reply| Command::AddSipNumber { number, lines, target, reply })
    }

    /// The calls that are going on.
    ///
    /// # Errors
    /// [`ExchangeError::Stopped`].
    pub fn calls(&self) -> Result<Vec<CallInfo>, ExchangeError> {
        self.desk.ask(Command::List)
    }

    /// Everything that happens from now on. Who lags too far behind loses the oldest events.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Ends all calls, removes the terminals and waits until the thread is gone.
    pub fn stop(&self) {
        // It may have stopped already.
        self.desk.send(Command::Stop).ok();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the telephone exchange ended by a panic");
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.stop();
    }
}
