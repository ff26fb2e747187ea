//! A call through a Class 1 or 1.0 modem (T.31): the modem makes and hears signals, T.30 is
//! an engine of ours. This joins the two; it has no port and no clock.
//!
//! ```text
//!            ┌── dial, answer ──▶ Opening ──CONNECT──▶ frames, data ──┐
//!   begin ───┘                      ▲  (AT+FTH/FRH/FTM/FRM)           │ OK, NO CARRIER
//!                    reconcile ─── Idle ◀─────────────────────────────┘
//!                                   │ the engine is done        ▲
//!                                   ▼                 Aborting ─┘ (the engine wants another)
//!                                 Ended
//! ```
//!
//! Whatever the engine wants is a pair: what it would say and what it would hear. Each time
//! the modem is in command mode, `reconcile` brings it to that. Every state has a limit in
//! time of its own: noise keeps the engine from ever timing out, and a modem whose line has
//! dropped may say nothing at all.

mod flow;
mod hdlc;
mod hearing;
mod progress;
mod saying;
mod stuffing;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use postfax_domain::outcome::Outcome;

use self::{
    hdlc::{Decoder, Encoder},
    progress::Progress,
    stuffing::Unstuffing,
};
use super::{
    at::Lines,
    dialogue::{Dialogue, Out},
};
use crate::{
    line::call::{Ended, Step},
    spandsp::{BareTerminal, Saying, SetupError, Signal},
    t30::Session,
};

/// How often the engine is told the time.
const TICK: Duration = Duration::from_millis(20);
/// How long a modem may take to answer a command that opens no signal of the far end.
const COMMAND_LIMIT: Duration = Duration::from_secs(5);
/// How long a modem may take until it says `CONNECT` after it has answered: the tone of up
/// to 4 s, and the pauses around it (T.30 4.1).
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// How long a frame may take, with the second of flags before it (T.30 5.4.2.1 has 3 s).
const FRAME_LIMIT: Duration = Duration::from_secs(8);
/// How long the next frame of a burst may be away.
const BURST_LIMIT: Duration = Duration::from_secs(2);
/// How long no data may come while there is a carrier.
const DATA_LIMIT: Duration = Duration::from_secs(6);
/// How long the modem may take no data, and how long it may send what it has.
const SEND_LIMIT: Duration = Duration::from_secs(60);
/// How long the line may not be silent before we speak all the same.
const SILENCE_LIMIT: Duration = Duration::from_secs(1);
/// How long a modem may take to end a reception.
const ABORT_LIMIT: Duration = Duration::from_secs(1);
/// After a refusal: do not ask at once again.
const REFUSED_PAUSE: Duration = Duration::from_millis(60);
/// A network that refuses a call does so within this time after dialling.
const QUICK: Duration = Duration::from_secs(10);
/// So many commands refused in a row: the line is dead.
const MOST_REFUSED: u32 = 4;

/// How a call begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// With this command, whole and without its carriage return, `ATDT0123`; a fax machine
    /// has to be heard within this time.
    Dial(String, Duration),
    /// With this one, `ATA`.
    Answer(String),
}

/// A call through a Class 1 modem.
pub(crate) struct Class1 {
    terminal: BareTerminal,
    way: Way,
    lines: Lines,
    doing: Doing,
    /// When the state has lasted too long.
    limit: Option<Instant>,
    /// What the engine wants to hear.
    hear: Option<Signal>,
    /// What it wants to say.
    say: Saying,
    /// What it wants to say in frames.
    frames: VecDeque<Framed>,
    last: Last,
    /// What a carrier was told to the engine as: frames, or plain bits.
    carrier: Option<bool>,
    refused: u32,
    rings: bool,
    connected: Option<Instant>,
    ticked: Instant,
    progress: Progress,
    out: Vec<Out>,
    over: bool,
}

/// A frame, or the end of them.
#[derive(Debug)]
enum Framed {
    Frame(Vec<u8>),
    End,
}

/// What was on the line before: how long a gap the next signal needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    /// We heard something.
    Heard,
    /// We said something.
    Said,
}

/// What the modem does.
#[derive(Debug)]
enum Doing {
    /// Nothing: it is in command mode.
    Idle,
    /// Nothing, until a short time is over.
    Resting,
    /// It dials, or answers.
    Setup,
    /// It makes or awaits silence; then comes this signal.
    Gap(Signal),
    /// It was told to say this.
    OpeningSay(Signal),
    /// It was told to hear this.
    OpeningHear(Signal),
    /// A frame comes in.
    Frame { frame: Vec<u8>, unstuffing: Unstuffing },
    /// A frame came in; its result does not yet.
    FrameEnded(Vec<u8>),
    /// Data comes in.
    Data { signal: Signal, unstuffing: Unstuffing, decoder: Decoder },
    /// The last data has come in; the result has not.
    DataEnded,
    /// A frame goes out; whether it is the last of its burst.
    FrameOut { last: bool },
    /// Data goes out.
    DataOut { signal: Signal, encoder: Encoder },
    /// The end of the data has gone out.
    DataOutEnded,
    /// It was told to stop hearing; how often it was told.
    Aborting(u32),
    /// Silence that the engine wants.
    Pause,
}

impl Class1 {
    /// A call of this session.
    pub(crate) fn new(way: Way, session: &Session, now: Instant) -> Result<Self, SetupError> {
        let mut call = Self {
            terminal: BareTerminal::new(session)?,
            way,
            lines: Lines::default(),
            doing: Doing::Idle,
            limit: None,
            hear: None,
            say: Saying::Nothing,
            frames: VecDeque::new(),
            last: Last::Nothing,
            carrier: None,
            refused: 0,
            rings: false,
            connected: None,
            ticked: now,
            progress: Progress::default(),
            out: Vec::new(),
            over: false,
        };
        call.listen_to_engine();
        Ok(call)
    }

    fn command(&mut self, command: &str, limit: Duration, now: Instant) {
        self.lines.clear();
        self.out.push(Out::Write(format!("{command}\r").into_bytes()));
        self.limit = Some(now + limit);
    }

    /// Passes the time since the last event on to the engine.
    fn tick(&mut self, now: Instant) {
        if self.connected.is_some() {
            self.terminal.pass(now.saturating_duration_since(self.ticked));
            self.listen_to_engine();
        }
        self.ticked = now;
    }

    /// Everything that is done in one event ends here.
    fn done(&mut self, now: Instant) -> Vec<Out> {
        if let Some(lost) = self.terminal.engine().lost().map(str::to_owned) {
            self.dropped(&lost, now);
        }
        if !self.over {
            self.reconcile(now);
        }
        std::mem::take(&mut self.out)
    }

    /// The call did not come about, or is over.
    fn end(&mut self, ended: Ended) {
        if !self.over {
            self.over = true;
            self.limit = None;
            self.out.push(Out::Ended(ended));
        }
    }

    /// The session is over, or cut: what came of it.
    fn settle(&mut self, said: &str, instead: Option<Outcome>, now: Instant) -> Ended {
        self.terminal.engine_mut().terminate();
        self.listen_to_engine();
        let engine = self.terminal.engine();
        let mut ended = self.progress.ended(engine, said, instead);
        ended.duration =
            self.connected.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        ended
    }

    /// The line has dropped, as far as one can see.
    fn dropped(&mut self, said: &str, now: Instant) {
        let ended = self.settle(said, None, now);
        self.end(ended);
    }

    /// The modem does not do what it should.
    fn stuck(&mut self, said: &str, now: Instant) {
        // What was confirmed counts nevertheless.
        let instead = (!self.progress.met()).then_some(Outcome::ServerFault);
        let mut ended = self.settle(said, instead, now);
        if ended.outcome == Outcome::Disconnected {
            ended.outcome = Outcome::ServerFault;
        }
        self.end(ended);
    }
}

impl Dialogue for Class1 {
    fn begin(&mut self, now: Instant) -> Vec<Out> {
        self.ticked = now;
        self.doing = Doing::Setup;
        match self.way.clone() {
            Way::Dial(command, limit) => {
                self.out.push(Out::Step(Step::Dialling));
                self.command(&command, limit, now);
            }
            Way::Answer(command) => self.command(&command, ANSWER_LIMIT, now),
        }
        self.done(now)
    }

    fn input(&mut self, bytes: &[u8], now: Instant) -> Vec<Out> {
        self.tick(now);
        for byte in bytes {
            if self.over {
                break;
            }
            self.take(*byte, now);
        }
        self.flush_data(now);
        self.done(now)
    }

    fn drained(&mut self, now: Instant) -> Vec<Out> {
        self.tick(now);
        if !self.over && matches!(self.doing, Doing::DataOut { .. }) {
            self.send_data(now);
        }
        self.done(now)
    }

    fn timeout(&mut self, now: Instant) -> Vec<Out> {
        self.tick(now);
        if !self.over && self.limit.is_some_and(|limit| limit <= now) {
            self.limit = None;
            self.too_long(now);
        }
        self.done(now)
    }

    fn stop(&mut self, now: Instant) -> Vec<Out> {
        if !self.over {
            if matches!(self.doing, Doing::Setup) {
                // Any byte gives a call up that is being dialled (V.250 6.3.1).
                self.out.push(Out::Write(b"\r".to_vec()));
            }
            let ended = self.settle("given up", Some(Outcome::Cancelled), now);
            self.end(ended);
        }
        std::mem::take(&mut self.out)
    }

    fn lost(&mut self, now: Instant) -> Ended {
        self.over = true;
        let instead = self.connected.is_none().then_some(Outcome::ServerFault);
        self.settle("cut off", instead, now)
    }

    fn deadline(&self) -> Option<Instant> {
        if self.over {
            return None;
        }
        let tick = self.connected.map(|_| self.ticked + TICK);
        [self.limit, tick].into_iter().flatten().min()
    }
}
