//! One call, block of audio by block of audio.
//!
//! ```text
//!  Dialling ──▶ Ringing ──▶ Connected ──▶ Tail ──▶ over
//!     │            │ nobody answers          ▲ one side hangs up;
//!     ▼            ▼                          the other hears silence first
//!   over: busy, congested, no dial tone
//! ```
//!
//! It counts time in blocks, so that everything scales with the call's clock, and
//! has limits of its own, since noise keeps a fax machine from ever timing out.

use std::time::Duration;

use postfax_domain::outcome::Outcome;

use super::{
    clock::{BLOCK_TIME, Clock, blocks},
    leg::{FaxLeg, Leg, Purpose},
    line::Line,
    machine::{CallProgress, CallResult, ReceivedFax},
    modem::Modems,
    sip::{Side, Told},
};
use crate::{line::media::Flow, spandsp::LineEvent, t30};

/// From dialling to the first ring or tone.
const POST_DIAL: Duration = Duration::from_secs(1);
/// Between two rings.
const RING_EVERY: Duration = Duration::from_secs(5);
/// From the first ring until one of our machines answers.
const ANSWER_AFTER: Duration = Duration::from_secs(2);
/// What the other side still hears after one side has hung up.
const TAIL: Duration = Duration::from_millis(400);
/// The same where one side is in SIP: what it said last is still on its way through a gateway.
const PACKET_TAIL: Duration = Duration::from_secs(2);

/// What becomes of a call once the number is dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It ends with a tone: busy, congested, no dial tone.
    Tone(Outcome),
    /// It rings at a modem, which answers or not.
    RingsModem,
    /// It rings and is answered.
    Answered,
    /// It rings.
    NeverAnswered,
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Dialling,
    Ringing { since: u64 },
    Connected { since: u64 },
    Tail { until: u64 },
    Over,
}

/// Limits of a call, in audio.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How long it may ring.
    pub(super) ringing: Duration,
    /// How long it may last once it is answered.
    pub(super) connected: Duration,
    /// How long a person talks.
    pub(super) voice: Duration,
}

/// What everyone may know of a call's progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// It rings for the first time.
    Ringing,
    /// It was answered.
    Answered,
}

/// A call.
pub(super) struct Call {
    /// The number that calls.
    pub(super) from: String,
    /// The number that is called, or what was dialled when there is none.
    pub(super) to: String,
    /// Its clock.
    pub(super) clock: Clock,
    pub(super) caller: Leg,
    pub(super) called: Leg,
    fate: Fate,
    limits: Limits,
    /// The callee hangs up so long after it answered.
    drop_after: Option<Duration>,
    there: Line,
    back: Line,
    phase: Phase,
    now: u64,
}

impl Call {
    /// A call that has just been dialled.
    pub(super) fn new(
        (from, caller): (String, Leg),
        (to, called): (String, Leg),
        fate: Fate,
        drop_after: Option<Duration>,
        limits: Limits,
        clock: Clock,
    ) -> Self {
        let (there, back) = (Line::default(), Line::default());
        let phase = Phase::Dialling;
        Self {
            from,
            to,
            clock,
            caller,
            called,
            fate,
            limits,
            drop_after,
            there,
            back,
            phase,
            now: 0,
        }
    }

    /// How long it lasts, in audio.
    pub(super) fn duration(&self) -> Duration {
        BLOCK_TIME * u32::try_from(self.now).unwrap_or(u32::MAX)
    }

    /// Whether it has been dialled and not been answered.
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(self.phase, Phase::Dialling | Phase::Ringing { .. })
    }

    /// Whether it rings.
    pub(super) fn is_ringing(&self) -> bool {
        matches!(self.phase, Phase::Ringing { .. })
    }

    /// Whether both sides are on the line.
    pub(super) fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Connected { .. })
    }

    /// Whether nothing is left to do.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Goes on by one block.
    pub(super) fn step(&mut self, modems: &mut Modems) -> Option<News> {
        self.now += 1;
        match self.phase {
            Phase::Dialling if self.now >= blocks(POST_DIAL) => self.dialled(modems),
            Phase::Dialling | Phase::Over => None,
            Phase::Ringing { since } => self.ring(since, modems),
            Phase::Connected { since } => {
                self.talk(modems);
                self.check_limits(since, modems);
                None
            }
            Phase::Tail { until } => {
                self.talk(modems);
                if self.now >= until {
                    self.end(modems);
                }
                None
            }
        }
    }

    /// The callee answers.
    pub(super) fn answer(&mut self, modems: &mut Modems) -> Option<News> {
        if !self.is_ringing() {
            return None;
        }
        self.phase = Phase::Connected { since: self.now };
        for (leg, event) in
            [(&self.called, LineEvent::Answered), (&self.caller, LineEvent::Connected)]
        {
            match leg {
                Leg::Modem(id) => {
                    if let Some(modem) = modems.get_mut(id) {
                        modem.connect(event);
                    }
                }
                Leg::Fax(fax) => fax.report(CallProgress::Connected),
                Leg::Packets(packets) => packets.tell(Told::Answered),
                Leg::Voice(_) | Leg::Gone => {}
            }
        }
        Some(News::Answered)
    }

    /// Someone gives a calling machine's call up.
    pub(super) fn cancel(&mut self, modems: &mut Modems) {
        if let Leg::Fax(fax) = &mut self.caller {
            fax.cancelled = true;
            self.caller_hangs_up(modems);
        }
    }

    /// The calling side hangs up.
    pub(super) fn caller_hangs_up(&mut self, modems: &mut Modems) {
        let leg = std::mem::replace(&mut self.caller, Leg::Gone);
        self.hung_up(leg, modems);
    }

    /// The called side hangs up.
    pub(super) fn called_hangs_up(&mut self, modems: &mut Modems) {
        let leg = std::mem::replace(&mut self.called, Leg::Gone);
        self.hung_up(leg, modems);
    }

    /// One side in SIP goes on over this flow.
    pub(super) fn carry(&mut self, side: Side, flow: Flow) {
        let leg = match side {
            Side::Caller => &mut self.caller,
            Side::Called => &mut self.called,
        };
        if let Leg::Packets(packets) = leg {
            packets.carry(flow);
        }
    }

    /// One side in SIP has hung up. What it said is still heard.
    pub(super) fn packets_end(&mut self, side: Side, modems: &mut Modems) {
        match (self.phase, side) {
            (Phase::Connected { .. }, _) => {
                self.phase = Phase::Tail { until: self.now + blocks(PACKET_TAIL) };
            }
            (_, Side::Caller) => self.caller_hangs_up(modems),
            (_, Side::Called) => self.called_hangs_up(modems),
        }
    }

    fn dialled(&mut self, modems: &mut Modems) -> Option<News> {
        if let Fate::Tone(tone) = self.fate {
            self.fail(tone, modems);
            return None;
        }
        self.phase = Phase::Ringing { since: self.now };
        match &self.caller {
            Leg::Fax(fax) => fax.report(CallProgress::Ringing),
            Leg::Packets(packets) => packets.tell(Told::Ringing),
            Leg::Modem(_) | Leg::Voice(_) | Leg::Gone => {}
        }
        if let Leg::Modem(_) = self.called {
            self.ring(self.now, modems);
        }
        Some(News::Ringing)
    }

    fn ring(&mut self, since: u64, modems: &mut Modems) -> Option<News> {
        let rung = self.now - since;
        if rung >= blocks(self.limits.ringing) {
            self.fail(Outcome::NoAnswer, modems);
        } else if self.fate == Fate::Answered && rung >= blocks(ANSWER_AFTER)
            || matches!(&self.called, Leg::Packets(packets) if packets.is_answered())
        {
            return self.answer(modems);
        } else if let Leg::Modem(id) = self.called
            && rung.is_multiple_of(blocks(RING_EVERY))
            && let Some(modem) = modems.get_mut(&id)
        {
            modem.ring(&self.from);
        }
        None
    }

    /// Carries one block of audio in both directions.
    fn talk(&mut self, modems: &mut Modems) {
        let there = self.there.pass(self.caller.speak(modems));
        let back = self.back.pass(self.called.speak(modems));
        self.called.hear(there, modems);
        self.caller.hear(back, modems);
        // Modems that speak without audio.
        let (there, back) = (self.caller.take_signals(modems), self.called.take_signals(modems));
        self.called.hear_signals(there, modems);
        self.caller.hear_signals(back, modems);
    }

    fn check_limits(&mut self, since: u64, modems: &mut Modems) {
        let lasted = self.now - since;
        let done = |leg: &Leg| matches!(leg, Leg::Fax(fax) if !fax.terminal.engine().is_active());
        if done(&self.caller) {
            self.caller_hangs_up(modems);
        } else if done(&self.called)
            || self.drop_after.is_some_and(|after| lasted >= blocks(after))
            || (matches!(self.called, Leg::Voice(_)) && lasted >= blocks(self.limits.voice))
        {
            self.called_hangs_up(modems);
        } else if lasted >= blocks(self.limits.connected) {
            tracing::warn!("a call was cut: it lasted longer than any may");
            self.end(modems);
        }
    }

    /// One side is off the line. What it was is settled now, the other side after the tail.
    fn hung_up(&mut self, leg: Leg, modems: &mut Modems) {
        if let Leg::Modem(id) = leg {
            if let Some(modem) = modems.get_mut(&id) {
                modem.leave_call();
            }
        } else {
            self.settle(leg, modems);
        }
        match self.phase {
            Phase::Connected { .. } => {
                let packets = |leg: &Leg| matches!(leg, Leg::Packets(_));
                let there = packets(&self.caller) || packets(&self.called);
                let tail = if there { PACKET_TAIL } else { TAIL };
                self.phase = Phase::Tail { until: self.now + blocks(tail) };
            }
            Phase::Tail { .. } => {}
            _ => self.end(modems),
        }
    }

    /// It did not come about: the caller is told why.
    pub(super) fn fail(&mut self, outcome: Outcome, modems: &mut Modems) {
        match std::mem::replace(&mut self.caller, Leg::Gone) {
            Leg::Modem(id) => {
                if let Some(modem) = modems.get_mut(&id) {
                    modem.leave_call();
                    match outcome {
                        Outcome::Busy => modem.tell(LineEvent::Busy),
                        Outcome::NoDialTone => modem.tell(LineEvent::NoDialTone),
                        Outcome::NoAnswer => modem.tell(LineEvent::NoAnswer),
                        _ => modem.no_carrier(),
                    }
                }
            }
            Leg::Fax(fax) => self.report(*fax, Some(outcome)),
            Leg::Packets(packets) => packets.tell(Told::Failed(outcome)),
            Leg::Voice(_) | Leg::Gone => {}
        }
        self.end(modems);
    }

    fn end(&mut self, modems: &mut Modems) {
        for leg in [
            std::mem::replace(&mut self.caller, Leg::Gone),
            std::mem::replace(&mut self.called, Leg::Gone),
        ] {
            self.settle(leg, modems);
        }
        self.phase = Phase::Over;
    }

    /// Tells one side that the call is over, and hands over what came of it.
    fn settle(&mut self, leg: Leg, modems: &mut Modems) {
        let rang = self.is_unanswered();
        match leg {
            Leg::Modem(id) => {
                let Some(modem) = modems.get_mut(&id) else { return };
                modem.leave_call();
                modem.tell(LineEvent::HungUp);
                if rang {
                    modem.forget_unread();
                }
            }
            Leg::Fax(fax) => self.report(*fax, None),
            Leg::Packets(packets) => packets.tell(Told::Over),
            Leg::Voice(_) | Leg::Gone => {}
        }
    }

    fn report(&self, mut fax: FaxLeg, failed: Option<Outcome>) {
        fax.terminal.engine_mut().terminate();
        let engine = fax.terminal.engine();
        let (statistics, remote) = (engine.statistics(), engine.remote());
        let unanswered = self.is_unanswered();
        match fax.purpose {
            Purpose::Send { result, .. } => {
                let outcome = match failed {
                    Some(outcome) => outcome,
                    None if fax.cancelled || unanswered => Outcome::Cancelled,
                    None => t30::sent(engine.completion(), &fax.tally),
                };
                let sent = CallResult {
                    outcome,
                    pages_confirmed: fax.tally.confirmed,
                    remote_id: remote.identity,
                    bit_rate: if fax.tally.trained { statistics.bit_rate } else { 0 },
                    duration: self.duration(),
                };
                // Nobody may be waiting for it.
                result.send(sent).ok();
            }
            Purpose::Receive(to) if statistics.pages_received > 0 && fax.file.exists() => {
                let fax = ReceivedFax {
                    caller: self.from.clone(),
                    called: self.to.clone(),
                    tsi: remote.identity,
                    subaddress: remote.subaddress,
                    pages: statistics.pages_received,
                    bit_rate: if fax.tally.trained { statistics.bit_rate } else { 0 },
                    duration: self.duration(),
                    complete: fax.tally.complete,
                    tiff: fax.file,
                };
                if to.try_send(fax).is_err() {
                    tracing::warn!("a received fax was lost: nobody takes them from the machine");
                }
            }
            Purpose::Receive(_) | Purpose::Discard => {
                // Mostly it was never made.
                std::fs::remove_file(&fax.file).ok();
            }
        }
    }
}
