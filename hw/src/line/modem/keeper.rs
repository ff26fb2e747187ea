//! The thread that keeps one modem: it opens the port, sets the modem up, answers what
//! rings, places what is ordered, and mends what fails, with growing pauses.
//!
//! ```text
//!  Off ◀── switched off ── Starting ──▶ Ready(0) ◀──▶ Ready(1)
//!                             ▲            │ no answer, unplugged
//!                             └─ a pause ─ Failed(why)
//! ```
//!
//! Why a thread: Class 1 leaves T.30's gaps of 75 ms to us, and its engine is a C object
//! that stays where it was made.

use std::{
    io::Read,
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{Arc, mpsc as std_mpsc},
    time::{Duration, Instant},
};

use postfax_domain::{outcome::Outcome, redacted::Redacted};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::{
    runtime::Handle,
    sync::{oneshot, watch},
};

use super::{
    about::About,
    at::Answer,
    care::{self, Trouble},
    class1::{Class1, Way},
    class2::{self, Class2},
    dialogue::Dialogue,
    drive::{Surroundings, drive},
    incoming::{Incoming, Verdict},
    options::{Class, ModemOptions},
    port::{Port, PortError},
    shared::Shared,
    talk::{SHORT, Talk},
};
use crate::{
    line::call::{Desk, Ended, LineSettings, LineState, Order, Step},
    t30::Session,
};

/// Pauses between attempts to mend a modem.
const PAUSES_S: [u64; 7] = [1, 2, 5, 15, 30, 60, 180];
/// How often an idle modem is asked whether it lives.
const CHECK_EVERY: Duration = Duration::from_secs(5 * 60);
/// A modem that was well for so long begins with short pauses again.
const WELL: Duration = Duration::from_secs(10 * 60);

/// What the thread is told.
pub(super) enum Command {
    /// Place this call.
    Place(Box<Order>, oneshot::Sender<Ended>),
    /// Something has been set, or it is time to stop.
    Look,
}

/// The thread's own.
pub(super) struct Keeper {
    pub(super) options: ModemOptions,
    pub(super) shared: Arc<Shared>,
    pub(super) desk: Arc<dyn Desk>,
    pub(super) runtime: Handle,
    pub(super) commands: std_mpsc::Receiver<Command>,
    pub(super) bell: UnixStream,
    pub(super) stop: watch::Receiver<bool>,
    /// Closed when nobody waits for the end of the line any more: its call is cut off.
    /// Whoever waits is told by the end of this.
    pub(super) kept: oneshot::Sender<()>,
}

/// Why a modem is not kept any longer for now.
enum Leave {
    /// It is time to stop, or something was set.
    Told,
    /// It does not do as it should.
    Trouble(Trouble),
}

impl From<Trouble> for Leave {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<PortError> for Leave {
    fn from(error: PortError) -> Self {
        Self::Trouble(error.into())
    }
}

/// A modem that works.
struct Live {
    talk: Talk,
    about: About,
    class: Class,
    settings: LineSettings,
}

impl Keeper {
    /// Keeps the modem until it is time to stop.
    pub(super) fn run(mut self) {
        let mut failures = 0;
        while !self.is_stopped() {
            let settings = self.shared.settings();
            if !settings.on {
                self.shared.set(LineState::Off);
                self.sleep(None);
                continue;
            }
            if failures == 0 {
                self.shared.set(LineState::Starting);
            }
            let begun = Instant::now();
            let Err(leave) = self.keep(settings) else { continue };
            let Leave::Trouble(trouble) = leave else { continue };
            if begun.elapsed() > WELL {
                failures = 0;
            }
            let why = trouble.to_string();
            let pause = PAUSES_S[failures.min(PAUSES_S.len() - 1)];
            failures += 1;
            tracing::warn!(
                line = self.options.name,
                why,
                pause_s = pause,
                "the modem is out of service"
            );
            self.shared.set(LineState::Failed(why));
            self.sleep(Some(Instant::now() + Duration::from_secs(pause)));
        }
        self.shared.set(LineState::Off);
        self.refuse_orders();
    }

    fn is_stopped(&self) -> bool {
        // Whoever could say so is gone: so are we.
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// Sets the modem up and keeps it.
    fn keep(&mut self, settings: LineSettings) -> Result<(), Leave> {
        let options = &self.options;
        let port = Port::open(&options.device, options.speed, &options.lock_folder)
            .map_err(Trouble::from)?;
        let mut talk = Talk::new(port);
        care::wake(&mut talk)?;
        let (about, class) = care::set_up(&mut talk, options, &settings, None)?;
        tracing::info!(line = options.name, class = %class, model = ?about.model, "the modem is ready");
        let mut live = Live { talk, about, class, settings };
        self.shared.set(LineState::Ready(0));
        loop {
            match self.serve(&mut live) {
                Err(Leave::Told) if self.is_stopped() || !self.shared.settings().on => {
                    live.talk.port.drop_dtr().ok();
                    return Err(Leave::Told);
                }
                // What was set acts between calls.
                Err(Leave::Told) => {
                    live.settings = self.shared.settings();
                    let known = live.about.clone();
                    care::set_up(&mut live.talk, &self.options, &live.settings, Some(&known))?;
                }
                other => return other,
            }
        }
    }

    /// Waits for rings and orders.
    fn serve(&mut self, live: &mut Live) -> Result<(), Leave> {
        let mut incoming: Option<Incoming> = None;
        let mut check = Instant::now() + CHECK_EVERY;
        loop {
            for answer in live.talk.unasked()? {
                if Incoming::is_about(&answer) {
                    let now = Instant::now();
                    let call =
                        incoming.get_or_insert_with(|| Incoming::new(&self.options.name, now));
                    call.take(answer, now);
                    self.shared.set(LineState::Ready(1));
                }
            }
            if let Some(call) = &mut incoming {
                self.ring(live, call)?;
                if call.rings_no_more(live) {
                    incoming = None;
                    self.shared.set(LineState::Ready(0));
                }
            }
            let free = incoming.is_none();
            match self.commands.try_recv() {
                Ok(Command::Place(order, reply)) if free => {
                    incoming = self.place(live, *order, reply)?;
                    check = Instant::now() + CHECK_EVERY;
                    continue;
                }
                Ok(Command::Place(_, reply)) => {
                    reply.send(Ended::failed(Outcome::LinesBusy, "it rings")).ok();
                    continue;
                }
                Ok(Command::Look) | Err(_) => {}
            }
            if free && (self.is_stopped() || live.settings != self.shared.settings()) {
                return Err(Leave::Told);
            }
            if free && Instant::now() >= check {
                check = Instant::now() + CHECK_EVERY;
                if !live.talk.ask("AT", SHORT)?.is_ok() {
                    care::wake(&mut live.talk)?;
                    return Err(Leave::Told);
                }
            }
            let due = incoming.as_ref().map(|call| call.due_of(live)).unwrap_or(check);
            let ready = live.talk.port.wait(false, Some(self.bell.as_fd()), Some(due))?;
            if ready.bell {
                self.hush();
            }
        }
    }

    /// Answers a call that comes in when it is time.
    fn ring(&mut self, live: &mut Live, call: &mut Incoming) -> Result<(), Leave> {
        if call.verdict_of(live) != Verdict::Answer {
            return Ok(());
        }
        let ring = call.ring().clone();
        call.declined = true;
        let Some(session) = self.runtime.block_on(self.desk.rings(&ring)) else {
            return Ok(());
        };
        call.answered = true;
        let (ended, after) = self.conduct(live, &Job::Answer, &session, self.options.call_limit);
        tracing::info!(line = self.options.name, outcome = ?ended.outcome, pages = ended.pages, "received");
        self.runtime.block_on(self.desk.received(&ring, &session, ended));
        after
    }

    /// Places a call. A call that came in at that moment is given back.
    fn place(
        &mut self,
        live: &mut Live,
        order: Order,
        reply: oneshot::Sender<Ended>,
    ) -> Result<Option<Incoming>, Leave> {
        let number = self.options.dial.dial(&order.number, "");
        tracing::debug!(line = self.options.name, number = %Redacted(&number), "dials");
        let (session, limit) = (order.session.clone(), order.limit);
        let (ended, after) =
            self.conduct(live, &Job::Dial(number, Box::new(order)), &session, limit);
        let glare = ended.outcome == Outcome::LinesBusy && after.is_ok();
        if !glare {
            self.shared.set(LineState::Ready(0));
        }
        // Whoever ordered it may be gone.
        reply.send(ended).ok();
        after?;
        let now = Instant::now();
        let mut call = Incoming::new(&self.options.name, now);
        call.take(Answer::Ring(None), now);
        Ok(glare.then_some(call))
    }

    /// One call, and what is needed for the next.
    fn conduct(
        &self,
        live: &mut Live,
        job: &Job,
        session: &Session,
        limit: Duration,
    ) -> (Ended, Result<(), Leave>) {
        self.shared.set(LineState::Ready(1));
        let mut session = session.clone();
        session.station.modems = live.about.limit(session.station.modems);
        let mut dialogue = match self.dialogue(live, job, &session) {
            Ok(dialogue) => dialogue,
            Err(ended) => return (*ended, Ok(())),
        };
        let mut tell = |step: Step| {
            if let Job::Dial(_, order) = job {
                // The one who ordered may be gone; the call goes on nevertheless.
                order.steps.blocking_send(step).ok();
            }
        };
        let stopped = || match job {
            Job::Dial(_, order) => *order.stop.borrow() || self.kept.is_closed(),
            Job::Answer => self.kept.is_closed(),
        };
        let mut around = Surroundings { tell: &mut tell, stopped: &stopped, limit };
        let (ended, result) = drive(&mut live.talk.port, dialogue.as_mut(), &mut around);
        drop(dialogue);
        let after = match result {
            Err(error) => Err(error.into()),
            // The other call is still there; the modem is on hook.
            Ok(()) if ended.outcome == Outcome::LinesBusy => Ok(()),
            Ok(()) => care::hang_up(&mut live.talk, &self.options, live.class).map_err(Leave::from),
        };
        (ended, after)
    }

    fn dialogue(
        &self,
        live: &Live,
        job: &Job,
        session: &Session,
    ) -> Result<Box<dyn Dialogue>, Box<Ended>> {
        match live.class {
            Class::One | Class::OneZero => {
                let way = match job {
                    Job::Dial(number, _) => Way::Dial(
                        format!("{}{number}", self.options.dial_command),
                        self.options.answer_limit,
                    ),
                    Job::Answer => Way::Answer("ATA".to_owned()),
                };
                let call = Class1::new(way, session, Instant::now()).map_err(|error| {
                    Box::new(Ended::failed(Outcome::ServerFault, error.to_string()))
                })?;
                Ok(Box::new(call))
            }
            Class::Two => self.dialogue_2(class2::Class::Two, job, session),
            Class::TwoZero => self.dialogue_2(class2::Class::TwoZero, job, session),
            Class::TwoOne => self.dialogue_2(class2::Class::TwoOne, job, session),
        }
    }

    fn dialogue_2(
        &self,
        class: class2::Class,
        job: &Job,
        session: &Session,
    ) -> Result<Box<dyn Dialogue>, Box<Ended>> {
        let session = session.clone();
        let call = match job {
            Job::Dial(number, order) => Class2::calling(class, session, number, order.limit),
            Job::Answer => Class2::answering(class, session, self.options.call_limit),
        };
        let call = call.map_err(|cannot| Ended::failed(cannot.outcome, cannot.said));
        Ok(Box::new(call.map_err(Box::new)?))
    }

    /// Sleeps until a time, or until it is told something. Orders are refused meanwhile.
    fn sleep(&mut self, until: Option<Instant>) {
        let timeout = until.map(|until| {
            let left = until.saturating_duration_since(Instant::now());
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() }
        });
        let mut fds = [PollFd::new(&self.bell, PollFlags::IN)];
        // An interrupted sleep is a short one.
        poll(&mut fds, timeout.as_ref()).ok();
        self.hush();
        self.refuse_orders();
    }

    fn refuse_orders(&self) {
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Place(_, reply) = command {
                reply.send(self.shared.refusal()).ok();
            }
        }
    }

    fn hush(&mut self) {
        let mut rings = [0; 64];
        while matches!(self.bell.read(&mut rings), Ok(count) if count > 0) {}
    }
}

/// What a call is for.
enum Job {
    Dial(String, Box<Order>),
    Answer,
}

impl Incoming {
    fn verdict_of(&self, live: &Live) -> Verdict {
        self.verdict(live.settings.rings, live.about.caller_id.is_some(), Instant::now())
    }

    fn due_of(&self, live: &Live) -> Instant {
        self.due(live.settings.rings, live.about.caller_id.is_some())
    }

    fn rings_no_more(&self, live: &Live) -> bool {
        self.answered || self.verdict_of(live) == Verdict::Over
    }
}
