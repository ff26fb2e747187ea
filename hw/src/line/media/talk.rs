//! One T.30 session over media, without a socket and without a clock: it is handed
//! packets and told the time, and says what to send and what has happened.

use std::time::Duration;

use postfax_domain::outcome::Outcome;

use super::{
    Happening, Kind,
    watch::{Excess, Watch},
    wire::Wire,
};
use crate::{
    line::{Ended, Step},
    spandsp::SetupError,
    t30::{self, Carrier, Session, Statistics, Tally},
};

/// How much time passes in a step.
pub(super) const TICK: Duration = Duration::from_millis(20);
/// How long the media go on after the end, so that the last frame (DCN) gets there.
const TAIL: Duration = Duration::from_millis(500);
/// How often the last packet is sent again meanwhile.
const REPEAT: Duration = Duration::from_millis(100);

/// A session.
pub(super) struct Talk {
    session: Session,
    kind: Kind,
    wire: Wire,
    tally: Tally,
    watch: Watch,
    phase: Phase,
    tone_told: bool,
    happened: Vec<Happening>,
}

enum Phase {
    Going,
    Tail { until: Duration, repeat: Duration, ended: Box<Ended> },
    Over,
}

/// Why a session ends.
enum End {
    /// T.30 did what it does.
    ByItself,
    Excess(Excess),
    Stopped,
    Changed,
    Setup(SetupError),
}

impl Talk {
    /// A session that begins now.
    pub(super) fn new(
        session: Session,
        kind: Kind,
        limit: Duration,
        now: Duration,
    ) -> Result<Self, SetupError> {
        Ok(Self {
            wire: Wire::new(&session, kind)?,
            session,
            kind,
            tally: Tally::default(),
            watch: Watch::new(limit, now),
            phase: Phase::Going,
            tone_told: false,
            happened: Vec::new(),
        })
    }

    /// Takes a packet. False: it is none of the kind that was agreed on.
    pub(super) fn take(&mut self, packet: &[u8], now: Duration) -> bool {
        let taken = self.wire.take(packet, now);
        if taken {
            self.watch.hear(now);
            self.count(now);
        }
        taken
    }

    /// Lets [`TICK`] pass, and gives the packets to send.
    pub(super) fn tick(&mut self, now: Duration, out: &mut Vec<Vec<u8>>) {
        if self.is_over() {
            return;
        }
        if self.wire.pass(now, out) {
            self.tell_tone();
        }
        self.count(now);
        if let Phase::Tail { until, repeat, ended } = &mut self.phase {
            if now >= *repeat {
                *repeat = now + REPEAT;
                self.wire.repeat(out);
            }
            if now >= *until {
                self.happened.push(Happening::Ended((**ended).clone()));
                self.phase = Phase::Over;
            }
            return;
        }
        let talks = matches!(self.kind, Kind::Audio(_));
        if self.watch.is_quiet(talks, now) {
            self.happened.push(Happening::Quiet);
        }
        if !self.wire.engine().is_active() {
            self.end(&End::ByItself, now);
        } else if let Some(excess) = self.watch.excess(talks, now) {
            self.end(&End::Excess(excess), now);
        }
    }

    /// Goes on over other media: the session begins anew.
    pub(super) fn change(&mut self, kind: Kind, now: Duration) {
        if !matches!(self.phase, Phase::Going) {
            return;
        }
        // What was sent must not be sent again: the rest is for another call.
        if self.tally.confirmed > 0 || self.tally.is_asked() {
            return self.end(&End::Changed, now);
        }
        // The file of the old engine is closed before the new one opens it.
        self.wire.engine_mut().terminate();
        match Wire::new(&self.session, kind) {
            Ok(wire) => {
                (self.wire, self.kind, self.tone_told) = (wire, kind, false);
                let met = self.tally.met;
                self.tally = Tally::default();
                self.tally.met = met;
                self.watch.restart(now);
            }
            Err(error) => self.end(&End::Setup(error), now),
        }
    }

    /// Goes on over media of the same kind, of which some terms are others now.
    pub(super) fn follow(&mut self, kind: Kind) {
        self.wire.follow(kind);
    }

    /// What comes next may begin anywhere: somebody else sends it.
    pub(super) fn await_any(&mut self) {
        self.wire.await_any();
    }

    /// Hangs up.
    pub(super) fn stop(&mut self, now: Duration) {
        if matches!(self.phase, Phase::Going) {
            self.end(&End::Stopped, now);
        }
    }

    /// Whether its end has been told.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// What has happened since the last time.
    pub(super) fn take_happenings(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happened)
    }

    fn tell_tone(&mut self) {
        if matches!(self.kind, Kind::Audio(_)) && !self.tone_told {
            self.tone_told = true;
            self.happened.push(Happening::FaxTone);
        }
    }

    /// Takes the frames that passed into account.
    fn count(&mut self, now: Duration) {
        for frame in self.wire.engine_mut().take_frames() {
            self.watch.frame(frame, now);
            if frame.received {
                self.tell_tone();
            }
            let asked = self.tally.is_asked();
            if self.tally.count(frame) {
                let statistics = self.statistics();
                let count = self.tally.confirmed;
                self.happened.push(Happening::Step(Step::Pages { count, statistics }));
            } else if !frame.received && !asked && self.tally.is_asked() {
                self.happened.push(Happening::Step(Step::Asked));
            }
        }
    }

    fn statistics(&self) -> Statistics {
        let carrier = match self.kind {
            Kind::Audio(_) => Carrier::G711,
            Kind::T38(_) => Carrier::T38,
        };
        Statistics { carrier: Some(carrier), ..self.wire.engine().statistics() }
    }

    fn end(&mut self, end: &End, now: Duration) {
        let by_itself = matches!(end, End::ByItself);
        let engine = self.wire.engine_mut();
        engine.terminate();
        let said = match end {
            End::ByItself => engine.said().unwrap_or_default(),
            End::Excess(excess) => excess.to_string(),
            End::Stopped => "hung up on demand".to_owned(),
            End::Changed => "the other side changed the media after a page was sent".to_owned(),
            End::Setup(error) => error.to_string(),
        };
        let ended = Ended {
            outcome: match end {
                _ if self.tally.complete => Outcome::Delivered,
                End::Stopped => Outcome::Cancelled,
                End::Setup(_) => Outcome::ServerFault,
                _ => t30::sent(engine.completion(), &self.tally),
            },
            said,
            pages: self.tally.confirmed,
            remote: engine.remote(),
            statistics: self.statistics(),
            duration: self.watch.lasted(now),
        };
        // Whoever is cut off gets no farewell.
        let until = if by_itself { now + TAIL } else { now };
        self.phase = Phase::Tail { until, repeat: now, ended: Box::new(ended) };
    }
}
