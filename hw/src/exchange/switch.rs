//! Who has which number, and who is connected to whom. It decides what becomes of
//! a dialled number; time and terminals are the [`engine`](super::engine)'s.

mod sip;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use postfax_domain::{outcome::Outcome, redacted::Redacted};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::{
    Behaviour, CallInfo, CallState, Event, ExchangeError, FaxClass, Happening, Options,
    call::{Call, Fate, Limits, News},
    clock::Clock,
    directory::{Directory, Entry, Subscriber},
    leg::{FaxLeg, Leg, Purpose, Voice},
    machine::{CallProgress, CallResult, MAX_RECEIVED, ReceivedFax},
    modem::{Modem, ModemId, Modems},
    reject::{self, Rejecter},
    sip::Ring,
};
use crate::{
    spandsp::{FaxTerminal, LineEvent, Request},
    t30::{Session, Station},
};

/// Most calls at one time.
const MAX_CALLS: usize = 512;

/// A fax that a machine was told to send.
pub(super) struct Order {
    pub(super) id: u64,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) tiff: PathBuf,
    pub(super) subaddress: Option<String>,
    pub(super) ecm: bool,
    pub(super) progress: Option<mpsc::Sender<CallProgress>>,
}

/// The switch.
pub(super) struct Switch {
    options: Options,
    directory: Directory,
    modems: Modems,
    calls: BTreeMap<u64, Call>,
    /// The way to numbers in SIP.
    door: Option<mpsc::UnboundedSender<Ring>>,
    ids: Arc<AtomicU64>,
    events: broadcast::Sender<Event>,
}

impl Switch {
    /// A switch without any lines.
    pub(super) fn new(
        options: Options,
        ids: Arc<AtomicU64>,
        events: broadcast::Sender<Event>,
    ) -> Self {
        let (directory, modems, calls, door) = Default::default();
        Self { options, directory, modems, calls, door, ids, events }
    }

    pub(super) fn modems(&mut self) -> &mut Modems {
        &mut self.modems
    }

    pub(super) fn add_modem(
        &mut self,
        class: FaxClass,
        number: &str,
        link: Option<&Path>,
    ) -> Result<PathBuf, ExchangeError> {
        let id = self.next_id();
        self.directory.check_group(number)?;
        let modem = Modem::new(class, number, link).map_err(ExchangeError::Terminal)?;
        let path = modem.terminal().path().to_owned();
        self.directory.add_modem(number, id)?;
        self.modems.insert(id, modem);
        Ok(path)
    }

    pub(super) fn add_number(
        &mut self,
        number: &str,
        behaviour: Behaviour,
    ) -> Result<(), ExchangeError> {
        self.directory.add_number(number, behaviour)
    }

    pub(super) fn add_machine(
        &mut self,
        number: &str,
        lines: u32,
        station_id: &str,
    ) -> Result<mpsc::Receiver<ReceivedFax>, ExchangeError> {
        let session = Session::receiving(Station::new(station_id), PathBuf::new());
        if FaxTerminal::new(&session).is_err() {
            return Err(ExchangeError::StationId(station_id.to_owned()));
        }
        let (received, faxes) = mpsc::channel(MAX_RECEIVED);
        let station_id = station_id.to_owned();
        self.directory.add_machine(number, Subscriber::Machine { lines, station_id, received })?;
        Ok(faxes)
    }

    /// What a modem wants of its line.
    pub(super) fn requested(&mut self, id: ModemId, requests: Vec<Request>, gives_up: bool) {
        let Some(modem) = self.modems.get(&id) else { return };
        if let Some(call) = modem.call
            && gives_up
            && self.is_waiting_caller(id, call)
        {
            self.hang_up(id);
            if let Some(modem) = self.modems.get_mut(&id) {
                modem.no_carrier();
            }
        }
        for request in requests {
            match request {
                Request::Dial(number) => self.dial(id, &number),
                Request::Answer => self.answer(id),
                Request::HangUp => self.hang_up(id),
            }
        }
    }

    /// A modem's program closed the terminal or dropped DTR. A call that rings goes on ringing:
    /// programs drop DTR between calls as well.
    pub(super) fn program_left(&mut self, id: ModemId) {
        self.hang_up(id);
        if let Some(modem) = self.modems.get_mut(&id)
            && modem.call.is_none()
        {
            modem.leave_call();
            modem.tell(LineEvent::HungUp);
            modem.forget_unread();
        }
    }

    /// A machine sends. What cannot even be dialled is given back.
    pub(super) fn send(
        &mut self,
        order: Order,
        result: oneshot::Sender<CallResult>,
    ) -> Result<(), (Outcome, oneshot::Sender<CallResult>)> {
        let Some(Entry { number, subscriber: Subscriber::Machine { lines, station_id, .. } }) =
            self.directory.entry(&order.from)
        else {
            return Err((Outcome::ServerMisconfigured, result));
        };
        if self.busy_lines(number) >= *lines as usize || self.calls.len() >= MAX_CALLS {
            return Err((Outcome::LinesBusy, result));
        }
        if std::fs::File::open(&order.tiff).is_err() {
            return Err((Outcome::BadDocument, result));
        }
        let station = Station { ecm: order.ecm, ..Station::new(station_id) };
        let session = Session {
            subaddress: order.subaddress,
            ..Session::sending(station, order.tiff.clone())
        };
        let Ok(terminal) = FaxTerminal::new(&session) else {
            return Err((Outcome::BadDocument, result));
        };
        let purpose = Purpose::Send { result, progress: order.progress };
        let leg = Leg::Fax(Box::new(FaxLeg::new(terminal, order.tiff, purpose)));
        let from = number.clone();
        self.place(order.id, from, leg, &order.to);
        Ok(())
    }

    /// A machine's call is given up.
    pub(super) fn cancel(&mut self, id: u64) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.cancel(&mut self.modems);
            self.bury(id);
        }
    }

    /// What is going on.
    pub(super) fn list(&self) -> Vec<CallInfo> {
        let info = |(id, call): (&u64, &Call)| CallInfo {
            id: *id,
            from: call.from.clone(),
            to: call.to.clone(),
            state: match call {
                call if call.is_ringing() => CallState::Ringing,
                call if call.is_unanswered() => CallState::Dialling,
                call if call.is_connected() => CallState::Connected,
                _ => CallState::Ending,
            },
            duration: call.duration(),
        };
        self.calls.iter().map(info).collect()
    }

    /// When the next call wants its turn.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.calls.values().map(|call| call.clock.next()).min()
    }

    /// Lets every call go on whose time has come.
    pub(super) fn run_calls(&mut self, now: Instant) {
        let ids: Vec<u64> = self.calls.keys().copied().collect();
        for id in ids {
            let due = self.calls.get_mut(&id).map_or(0, |call| call.clock.due(now));
            for _ in 0..due {
                self.step(id);
            }
        }
    }

    fn step(&mut self, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let news = call.step(&mut self.modems);
        let modems = [&call.caller, &call.called].map(|leg| match leg {
            Leg::Modem(modem) => Some(*modem),
            _ => None,
        });
        match news {
            Some(News::Ringing) => self.tell(id, Happening::Ringing),
            Some(News::Answered) => self.tell(id, Happening::Answered),
            None => {}
        }
        for modem in modems.into_iter().flatten() {
            let requests = self.modems.get_mut(&modem).map(Modem::take_requests);
            for request in requests.unwrap_or_default() {
                match request {
                    Request::Answer => self.answer(modem),
                    Request::HangUp => self.hang_up(modem),
                    // A modem in a call does not dial.
                    Request::Dial(_) => {}
                }
            }
        }
        self.bury(id);
    }

    fn dial(&mut self, id: ModemId, number: &str) {
        let Some(modem) = self.modems.get_mut(&id) else { return };
        let from = modem.number.clone();
        if modem.call.is_some() {
            // It rings at the same moment: the program sees that instead.
            modem.ring("");
            return;
        }
        if self.calls.len() >= MAX_CALLS {
            modem.no_carrier();
            return;
        }
        let call = self.next_id();
        self.take_modem(id, call);
        self.place(call, from, Leg::Modem(id), number);
    }

    fn answer(&mut self, id: ModemId) {
        let Some(modem) = self.modems.get_mut(&id) else { return };
        let answered = modem.call.and_then(|call| Some((call, self.calls.get_mut(&call)?)));
        let Some((number, call)) = answered else {
            modem.no_carrier();
            return;
        };
        if matches!(call.called, Leg::Modem(called) if called == id)
            && call.answer(&mut self.modems).is_some()
        {
            self.tell(number, Happening::Answered);
        }
    }

    fn hang_up(&mut self, id: ModemId) {
        let Some(number) = self.modems.get(&id).and_then(|modem| modem.call) else { return };
        let Some(call) = self.calls.get_mut(&number) else { return };
        if matches!(call.caller, Leg::Modem(caller) if caller == id) {
            call.caller_hangs_up(&mut self.modems);
        } else if !call.is_unanswered() {
            // A modem that is on hook cannot hang up a call that only rings.
            call.called_hangs_up(&mut self.modems);
        }
        self.bury(number);
    }

    fn is_waiting_caller(&self, id: ModemId, call: u64) -> bool {
        self.calls.get(&call).is_some_and(|call| {
            call.is_unanswered() && matches!(call.caller, Leg::Modem(caller) if caller == id)
        })
    }

    /// Sets a dialled call up.
    fn place(&mut self, id: u64, from: String, caller: Leg, dialled: &str) {
        let (to, called) = match self.directory.look_up(dialled) {
            Some(found) => (found.number.clone(), self.callee(id, &from, found)),
            None => (dialled.to_owned(), Callee::tone(Outcome::Congestion)),
        };
        if let Leg::Modem(modem) = called.leg {
            self.take_modem(modem, id);
        }
        tracing::debug!(call = id, from = %Redacted(&from), to = %Redacted(&to), fate = ?called.fate, "dialled");
        let modem = |leg: &Leg| matches!(leg, Leg::Modem(_));
        let packets = [&caller, &called.leg].iter().any(|leg| matches!(leg, Leg::Packets(_)));
        let speed = match (modem(&caller), modem(&called.leg)) {
            // Whoever is at the other end of the network keeps real time.
            _ if packets => Some(self.options.speed.min(1.0)),
            (true, true) => Some(self.options.speed),
            (true, false) if called.is_quiet() => Some(self.options.speed),
            (false, false) => self.options.machine_speed,
            _ => Some(self.options.speed.min(1.0)),
        };
        let limits = Limits {
            ringing: self.options.ringing_limit,
            connected: self.options.call_limit,
            voice: self.options.voice,
        };
        let clock = Clock::start(speed, Instant::now());
        let call = Call::new(
            (from, caller),
            (to, called.leg),
            called.fate,
            called.drop_after,
            limits,
            clock,
        );
        self.calls.insert(id, call);
        self.tell(id, Happening::Dialled);
    }

    /// Who takes a call to a registered number.
    fn callee(&self, id: u64, from: &str, Entry { number, subscriber }: &Entry) -> Callee {
        match subscriber {
            Subscriber::Modems(group) => {
                let Some(modem) = self.idle(group) else {
                    return Callee::tone(Outcome::Busy);
                };
                Callee { leg: Leg::Modem(modem), fate: Fate::RingsModem, drop_after: None }
            }
            Subscriber::Machine { lines, .. } | Subscriber::Sip { lines, .. }
                if self.busy_lines(number) >= *lines as usize =>
            {
                Callee::tone(Outcome::Busy)
            }
            Subscriber::Sip { target, .. } => self.beyond(id, from, number, target),
            Subscriber::Machine { station_id, received, .. } => {
                self.fax(id, station_id, Purpose::Receive(received.clone()))
            }
            Subscriber::Behaves(behaviour) => match behaviour {
                Behaviour::Busy => Callee::tone(Outcome::Busy),
                Behaviour::Congested => Callee::tone(Outcome::Congestion),
                Behaviour::NoDialTone => Callee::tone(Outcome::NoDialTone),
                Behaviour::NoAnswer => {
                    Callee { leg: Leg::Gone, fate: Fate::NeverAnswered, drop_after: None }
                }
                Behaviour::Voice => Callee {
                    leg: Leg::Voice(Voice::default()),
                    fate: Fate::Answered,
                    drop_after: None,
                },
                Behaviour::DropAfter(after) => {
                    let mut callee = self.fax(id, number, Purpose::Discard);
                    callee.drop_after = Some(*after);
                    callee
                }
                Behaviour::RejectPages => {
                    let file = self.file(id);
                    let rejecter = Rejecter::new(number, file.clone());
                    let mut callee =
                        Callee::fax(reject::machine(number, &file), file, Purpose::Discard);
                    if let Leg::Fax(fax) = &mut callee.leg {
                        fax.rejecter = Some(rejecter);
                    }
                    callee
                }
            },
        }
    }

    fn fax(&self, id: u64, station_id: &str, purpose: Purpose) -> Callee {
        let file = self.file(id);
        let session = Session::receiving(Station::new(station_id), file.clone());
        Callee::fax(FaxTerminal::new(&session).ok(), file, purpose)
    }

    fn file(&self, id: u64) -> PathBuf {
        self.options.state.join(format!("received-{id}.tif"))
    }

    /// The first modem of a hunt group that is idle. One whose program is just resetting it is
    /// rung only when there is no other.
    fn idle(&self, group: &[ModemId]) -> Option<ModemId> {
        let idle = |id: &&ModemId| self.modems.get(id).is_some_and(|m| m.call.is_none());
        let ready = |id: &&ModemId| self.modems.get(id).is_some_and(|m| !m.is_dropped());
        let mut all = group.iter().filter(idle);
        let first = all.clone().next();
        all.find(ready).or(first).copied()
    }

    fn take_modem(&mut self, id: ModemId, call: u64) {
        if let Some(modem) = self.modems.get_mut(&id) {
            modem.call = Some(call);
        }
    }

    fn busy_lines(&self, number: &str) -> usize {
        self.calls.values().filter(|call| call.from == number || call.to == number).count()
    }

    /// Forgets a call that is over.
    fn bury(&mut self, id: u64) {
        if self.calls.get(&id).is_some_and(Call::is_over) {
            self.tell(id, Happening::Ended);
            self.calls.remove(&id);
        }
    }

    fn tell(&self, id: u64, what: Happening) {
        let Some(call) = self.calls.get(&id) else { return };
        let (from, to) = (call.from.clone(), call.to.clone());
        // Without subscribers nobody is told.
        self.events.send(Event { call: id, from, to, what, after: call.duration() }).ok();
    }

    fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }
}

/// The called side of a call about to be set up.
struct Callee {
    leg: Leg,
    fate: Fate,
    drop_after: Option<std::time::Duration>,
}

impl Callee {
    fn tone(outcome: Outcome) -> Self {
        Self { leg: Leg::Gone, fate: Fate::Tone(outcome), drop_after: None }
    }

    /// Without a machine there is no way through.
    fn fax(machine: Option<FaxTerminal>, file: PathBuf, purpose: Purpose) -> Self {
        match machine {
            Some(terminal) => Self {
                leg: Leg::Fax(Box::new(FaxLeg::new(terminal, file, purpose))),
                fate: Fate::Answered,
                drop_after: None,
            },
            None => Self::tone(Outcome::Congestion),
        }
    }

    /// Nothing that measures time is at the other end.
    fn is_quiet(&self) -> bool {
        !matches!(self.leg, Leg::Fax(_))
    }
}
