//! A telephone that rings: how often, who calls, and when it is time to answer. It has no
//! port and no clock.

use std::time::{Duration, Instant};

use super::at::{Answer, Caller};
use crate::line::call::Ring;

/// A ring that does not follow within this time is another call: cadences have at most
/// 5 s of silence, and modems tell late.
const RING_EVERY: Duration = Duration::from_secs(9);
/// How long after the ring that we would answer the caller's number may come: in many
/// networks it does between the first two rings.
const CALLER_LATE: Duration = Duration::from_millis(2500);
/// Most characters of a text about a caller.
const MAX_TEXT: usize = 60;

/// A call that comes in, as far as the modem has told.
#[derive(Debug)]
pub(super) struct Incoming {
    ring: Ring,
    rings: u32,
    last: Instant,
    /// Nobody wants it: it is let ring.
    pub(super) declined: bool,
    /// It was answered, and is over.
    pub(super) answered: bool,
}

impl Incoming {
    /// The first word of a call on this line.
    pub(super) fn new(line: &str, now: Instant) -> Self {
        let ring = Ring {
            line: line.to_owned(),
            called: None,
            caller: None,
            caller_name: None,
            cadence: None,
        };
        Self { ring, rings: 0, last: now, declined: false, answered: false }
    }

    /// What is known of it.
    pub(super) fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Whether a word of the modem is about a call that comes in.
    pub(super) fn is_about(answer: &Answer) -> bool {
        matches!(answer, Answer::Ring(_) | Answer::Caller(_))
    }

    /// Takes a word of the modem into account.
    pub(super) fn take(&mut self, answer: Answer, now: Instant) {
        self.last = now;
        let ring = &mut self.ring;
        match answer {
            Answer::Ring(cadence) => {
                self.rings += 1;
                if let Some(cadence) = cadence {
                    ring.cadence = Some(short(&cadence));
                }
            }
            Answer::Caller(Caller::Number(number)) => ring.caller = Some(short(&number)),
            Answer::Caller(Caller::Name(name)) => ring.caller_name = Some(short(&name)),
            Answer::Caller(Caller::Called(number)) => ring.called = Some(short(&number)),
            Answer::Caller(Caller::Bell(length)) => {
                let before = ring.cadence.take().filter(|before| !before.contains(&length));
                let all = before.map_or(length.clone(), |before| format!("{before} {length}"));
                ring.cadence = Some(short(&all));
            }
            _ => {}
        }
    }

    /// When there is something to decide, if nothing else comes.
    pub(super) fn due(&self, at_ring: u32, shows_caller: bool) -> Instant {
        if self.declined || at_ring == 0 || self.rings < at_ring {
            return self.last + RING_EVERY;
        }
        let knows = self.ring.caller.is_some() || !shows_caller || self.rings > at_ring;
        if knows { self.last } else { self.last + CALLER_LATE }
    }

    /// Whether it is to be answered, or has ended.
    pub(super) fn verdict(&self, at_ring: u32, shows_caller: bool, now: Instant) -> Verdict {
        if now < self.due(at_ring, shows_caller) {
            return Verdict::Rings;
        }
        if self.declined || at_ring == 0 || self.rings < at_ring {
            return Verdict::Over;
        }
        Verdict::Answer
    }
}

/// What to do about a call that comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Wait.
    Rings,
    /// Answer it now.
    Answer,
    /// Whoever called has given up.
    Over,
}

fn short(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_answered_when_the_caller_is_known() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut call = Incoming::new("modem", start);
        call.take(Answer::of("DRON=11"), start);
        call.take(Answer::of("DROF=20"), start);
        call.take(Answer::of("RING"), start);
        assert_eq!(call.verdict(1, false, at(0)), Verdict::Answer);
        assert_eq!(call.verdict(0, false, at(0)), Verdict::Rings);
        assert_eq!(call.verdict(2, false, at(0)), Verdict::Rings);
        assert_eq!(call.verdict(1, true, at(1000)), Verdict::Rings);
        assert_eq!(call.verdict(1, true, at(2500)), Verdict::Answer);
        call.take(Answer::of("NMBR=12345"), at(1100));
        assert_eq!(call.verdict(1, true, at(1100)), Verdict::Answer);
        assert_eq!(call.ring().caller.as_deref(), Some("12345"));
        assert_eq!(call.ring().cadence.as_deref(), Some("DRON=11 DROF=20"));
        call.take(Answer::of("RING"), at(6000));
        assert_eq!(call.verdict(2, true, at(8500)), Verdict::Answer);
        assert_eq!(call.verdict(3, true, at(14_000)), Verdict::Rings);
        assert_eq!(call.verdict(3, true, at(15_000)), Verdict::Over);
        call.declined = true;
        assert_eq!(call.verdict(2, true, at(15_000)), Verdict::Over);
    }
}
