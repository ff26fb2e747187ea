//! Modems that do T.30 themselves: Class 2 (SP-2388-A), 2.0 (EIA-592) and 2.1 (T.32). One
//! call as a conversation in AT commands, without the port that it is held over.
//!
//! ```text
//!            ┌─ Dialling ─ Identifying ─▶ Choosing ─ Starting ─ Holding ─ Sending ─ PageSent ─ Asked ─┐
//! SettingUp ─┤                              ▲ next page                                               │
//!            │                              └─────────────────────────────────────────────────────────┤
//!            └─ Answering ─▶ Fetching ─ Triggered ─ Receiving ─ PageReceived ─ Judging ───────────────┤
//!                              ▲ next page                                                            │
//!                              └──────────────────────────────────────────────────────────────────────┴─▶ Closing
//! ```
//!
//! Each state has a limit in time, and whatever a modem says leads on or ends the call.
//! What the modem did not confirm is never told as confirmed: it is the modem that hears
//! MCF, and `+FPTS` or `OK` are all that is known of it.

mod answer;
mod codes;
mod dialect;
mod document;
mod ends;
mod fuzz;
mod hear;
mod params;
mod receive;
mod send;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use postfax_domain::outcome::Outcome;

pub(crate) use self::dialect::Class;
use self::{
    answer::{Next, Verdict},
    dialect::Dialect,
    document::{Keeper, Source},
    params::{Params, Ranges},
    wire::{Data, Lines},
};
use super::dialogue::{Dialogue, Out};
use crate::{
    line::call::{Ended, Step},
    t30::{Carrier, MAX_IDENT, Remote, Session, Statistics},
};

/// For an answer that needs nothing but the modem.
const COMMAND_S: u64 = 10;
/// From dialling to the fax tone.
const DIAL_S: u64 = 100;
/// For identification and training, at all speeds (T.30 T1 and nine times DCS and TCF).
const TRAINING_S: u64 = 90;
/// For the answer to a post-page message: three times T4, and as long as the other side is
/// not ready (T.30 T5, 60 s), behind what the modem still holds of the page.
const POST_PAGE_S: u64 = 180;
/// For the end of a call that has nothing more to say.
const CLOSING_S: u64 = 20;
/// Longest dial string that modems take.
const MAX_DIAL: usize = 40;

/// A command to set the modem up.
enum Command {
    /// Without it the call cannot be.
    Must(String),
    /// A modem may lack it.
    May(String),
    /// Asks what it can.
    AskRanges,
    /// Tells it what it may do, which depends on what it can.
    Restrict,
}

/// Where the conversation stands: what the modem is expected to say.
enum State {
    /// `OK` to a command.
    SettingUp(Command),
    /// `+FCON`.
    Dialling,
    /// `OK`, after all that the other machine said of itself.
    Identifying,
    /// The same for a call that came in.
    Answering,
    /// `OK` to what is wanted for the next page.
    Choosing,
    /// `CONNECT`.
    Starting,
    /// XON.
    Holding(Vec<u8>),
    /// Nothing: the page is being written.
    Sending { data: Vec<u8>, at: usize },
    /// `OK`: the modem has passed the page on.
    PageSent,
    /// What becomes of the page.
    Asked(Option<Verdict>),
    /// `CONNECT`.
    Fetching,
    /// Data, for which was asked so many times.
    Triggered(usize),
    /// More of the page.
    Receiving,
    /// `OK`, after what the modem thinks of the page and what comes next.
    PageReceived { verdict: Option<Verdict>, next: Option<Next> },
    /// `OK` to what we think of it.
    Judging,
    /// That it hung up: all is said.
    Closing,
    /// That it hung up, since we give up.
    Aborting(Box<Ended>),
    /// Nothing.
    Over,
}

/// One call with such a modem.
pub(crate) struct Class2 {
    dialect: &'static Dialect,
    session: Session,
    /// What to dial; `None`: to answer.
    dial: Option<String>,
    limit: Duration,
    /// When it was last spoken to.
    now: Instant,
    state: State,
    deadline: Option<Instant>,
    since: Option<Instant>,
    lines: Lines,
    data: Data,
    commands: VecDeque<Command>,
    ranges: Ranges,
    /// The most that we want.
    ours: Params,
    /// The most that the other machine can.
    theirs: Params,
    /// What the modem was told to want.
    wanted: Option<Params>,
    /// What was agreed.
    agreed: Option<Params>,
    source: Option<Source>,
    keeper: Option<Keeper>,
    /// The other machine has a document, or polls ours.
    polling: bool,
    /// The page that is sent, counted from 0, and how often it was refused.
    page: usize,
    refused: u32,
    confirmed: u32,
    /// The last page of the document was confirmed.
    complete: bool,
    stopping: bool,
    statistics: Statistics,
    remote: Remote,
    out: Vec<Out>,
}

impl Class2 {
    /// A call to `dial`, which follows `ATDT`; it may last for `limit` once it is answered.
    ///
    /// # Errors
    /// [`Cannot`], where such a modem cannot make it.
    pub(crate) fn calling(
        class: Class,
        session: Session,
        dial: &str,
        limit: Duration,
    ) -> Result<Self, Cannot> {
        let dialable =
            |byte: u8| byte.is_ascii_digit() || b"*#,+-.()ABCDTPWabcdtpw!@ ".contains(&byte);
        if dial.is_empty() || dial.len() > MAX_DIAL || !dial.bytes().all(dialable) {
            let said = "a modem dials at most 40 of the characters 0-9 * # , W T P";
            return Err(Cannot::new(Outcome::BadDialString, said));
        }
        if session.send.is_some() == session.receive.is_some() {
            let said = "a modem of this class either sends or polls in one call";
            return Err(Cannot::new(Outcome::FormatUnsendable, said));
        }
        Self::new(class, session, Some(dial.to_owned()), limit)
    }

    /// A call that comes in, to be answered now.
    ///
    /// # Errors
    /// As [`Class2::calling`].
    pub(crate) fn answering(
        class: Class,
        session: Session,
        limit: Duration,
    ) -> Result<Self, Cannot> {
        Self::new(class, session, None, limit)
    }

    fn new(
        class: Class,
        session: Session,
        dial: Option<String>,
        limit: Duration,
    ) -> Result<Self, Cannot> {
        let dialect = class.dialect();
        check_texts(&session, dialect)?;
        let source = match session.send.as_deref().map(Source::open).transpose() {
            Ok(source) => source,
            Err(error) => return Err(Cannot::new(Outcome::BadDocument, error.to_string())),
        };
        let statistics = Statistics { carrier: Some(Carrier::Modem), ..Statistics::default() };
        Ok(Self {
            keeper: session.receive.as_deref().map(Keeper::new),
            ours: Params::of_station(&session.station, dialect),
            dialect,
            session,
            dial,
            limit,
            now: Instant::now(),
            state: State::Over,
            deadline: None,
            since: None,
            lines: Lines::default(),
            data: Data::default(),
            commands: VecDeque::new(),
            ranges: Ranges::default(),
            theirs: Params::default(),
            wanted: None,
            agreed: None,
            source,
            polling: false,
            page: 0,
            refused: 0,
            confirmed: 0,
            complete: false,
            stopping: false,
            statistics,
            remote: Remote::default(),
            out: Vec::new(),
        })
    }

    /// Everything that the modem is told before the call.
    fn setup(&self) -> VecDeque<Command> {
        let (dialect, session) = (self.dialect, &self.session);
        let set = |name: &str, text: &str| format!("{name}=\"{text}\"");
        let mut commands = VecDeque::from([
            Command::May("E0V1Q0".into()),
            Command::Must(format!("+FCLASS={}", dialect.class)),
            Command::Must(set(dialect.identity, &session.station.identity)),
            Command::AskRanges,
            Command::Restrict,
            Command::May(format!("{}=0", dialect.bit_order)),
        ]);
        commands.extend(dialect.extras.iter().map(|extra| Command::May((*extra).to_owned())));
        if self.keeper.is_some() {
            commands.push_back(Command::Must("+FCR=1".into()));
        }
        for (name, text) in
            [("+FSA", &session.subaddress), ("+FPW", &session.password), ("+FPA", &session.poll)]
        {
            if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
                commands.push_back(Command::Must(set(name, text)));
            }
        }
        if self.dial.is_some() && self.keeper.is_some() {
            let name = dialect.polling_identity;
            commands.push_back(Command::May(set(name, &session.station.identity)));
            commands.push_back(Command::Must(format!("{}=1", dialect.wants_poll)));
        }
        if self.dial.is_none() && self.source.is_some() {
            commands.push_back(Command::Must(format!("{}=1", dialect.may_poll)));
        }
        commands
    }

    fn next_command(&mut self, now: Instant) {
        let Some(command) = self.commands.pop_front() else {
            return match self.dial.clone() {
                Some(dial) => self.dial(&dial, now),
                None => self.answer(now),
            };
        };
        let dialect = self.dialect;
        let text = match &command {
            Command::Must(text) | Command::May(text) => text.clone(),
            Command::AskRanges => format!("{}=?", dialect.capabilities),
            Command::Restrict => {
                self.ours = self.ours.within(&self.ranges, dialect);
                format!("{}={}", dialect.capabilities, self.ours.text(dialect.hexadecimal))
            }
        };
        self.command(&text);
        self.go(State::SettingUp(command), COMMAND_S, now);
    }

    /// Writes a command.
    fn command(&mut self, text: &str) {
        self.write(format!("AT{text}\r").into_bytes());
    }

    fn write(&mut self, bytes: Vec<u8>) {
        self.out.push(Out::Write(bytes));
    }

    /// Expects something else from now on, for at most so long.
    fn go(&mut self, state: State, limit_s: u64, now: Instant) {
        self.state = state;
        let limit = now + Duration::from_secs(limit_s);
        let last = self.since.map(|since| since + self.limit);
        self.deadline = Some(last.map_or(limit, |last| limit.min(last)));
    }

    /// The other machine is on the line.
    fn connected(&mut self, now: Instant) {
        if self.since.is_none() {
            self.since = Some(now);
            self.out.push(Out::Step(Step::Connected));
        }
    }

    fn taken(&mut self) -> Vec<Out> {
        std::mem::take(&mut self.out)
    }
}

impl Dialogue for Class2 {
    fn begin(&mut self, now: Instant) -> Vec<Out> {
        self.now = now;
        self.commands = self.setup();
        self.next_command(now);
        self.taken()
    }

    fn input(&mut self, bytes: &[u8], now: Instant) -> Vec<Out> {
        self.now = now;
        for byte in bytes {
            match self.state {
                State::Over => break,
                State::Triggered(_) | State::Receiving => self.data(*byte, now),
                _ => {
                    if let Some(piece) = self.lines.push(*byte) {
                        self.take(piece, now);
                    }
                }
            }
        }
        self.taken()
    }

    fn drained(&mut self, now: Instant) -> Vec<Out> {
        self.now = now;
        if matches!(self.state, State::Sending { .. }) {
            self.send_more(now);
        }
        self.taken()
    }

    fn timeout(&mut self, now: Instant) -> Vec<Out> {
        self.now = now;
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            self.late(now);
        }
        self.taken()
    }

    fn stop(&mut self, now: Instant) -> Vec<Out> {
        self.now = now;
        self.stopping = true;
        match self.state {
            State::SettingUp(_) | State::Dialling => self.end(Outcome::Cancelled, "cancelled"),
            // The answer to what was asked is worth the few seconds, and ends it as well.
            State::PageSent | State::Asked(_) | State::Closing => {}
            State::Aborting(_) | State::Over => {}
            _ => self.fail(Outcome::Cancelled, "cancelled", now),
        }
        self.taken()
    }

    fn lost(&mut self, now: Instant) -> Ended {
        let outcome = match self.state {
            State::Asked(_) => Outcome::PageUnconfirmed,
            _ => Outcome::ServerFault,
        };
        let said = "the modem's port was lost, or the call lasted too long";
        let ended = match std::mem::replace(&mut self.state, State::Over) {
            State::Aborting(ended) => *ended,
            _ => self.ending(outcome, said.into(), now),
        };
        self.deadline = None;
        ended
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

/// A call that such a modem cannot make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cannot {
    /// What that means for the attempt.
    pub(crate) outcome: Outcome,
    /// Why, in words.
    pub(crate) said: String,
}

impl Cannot {
    fn new(outcome: Outcome, said: impl Into<String>) -> Self {
        Self { outcome, said: said.into() }
    }
}

/// Whether all texts can be told to such a modem.
fn check_texts(session: &Session, dialect: &Dialect) -> Result<(), Cannot> {
    let texts = [&session.subaddress, &session.password, &session.poll];
    if !dialect.addresses && texts.iter().any(|text| text.as_ref().is_some_and(|t| !t.is_empty())) {
        let said = "a Class 2 modem has no sub-address, password or selective polling: \
                    use it as Class 2.0 or Class 1";
        return Err(Cannot::new(Outcome::FormatUnsendable, said));
    }
    let fits = |text: &str| {
        text.len() <= MAX_IDENT
            && text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"')
    };
    let identity = Some(&session.station.identity);
    match texts.into_iter().flatten().chain(identity).find(|text| !fits(text)) {
        None => Ok(()),
        Some(_) => {
            let said = "an identity, sub-address or password has more than 20 characters, \
                        quotes, or others than ASCII";
            Err(Cannot::new(Outcome::ServerMisconfigured, said))
        }
    }
}

/// For tests by fuzzing: a call of each kind with a modem that says `data`, the first byte of
/// which chooses the call, while time passes.
#[doc(hidden)]
pub fn fuzz_one(data: &[u8]) {
    fuzz::one(data);
}
