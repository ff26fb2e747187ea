//! What a call has come to so far: told from the frames that pass, and from how the engine
//! ended.

use std::time::Duration;

use postfax_domain::outcome::Outcome;

use crate::{
    line::call::{Ended, Step},
    spandsp::Engine,
    t30::{
        Carrier, Statistics, Tally,
        frame::{EOM, EOP, Frame, MPS, PPS},
        sent,
    },
};

/// How far a call has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    tally: Tally,
    /// A page is over and not yet answered for.
    asked: bool,
}

impl Progress {
    /// Whether a fax machine is there.
    pub(super) fn met(&self) -> bool {
        self.tally.met
    }

    /// Takes a frame into account; what there is to tell of it.
    pub(super) fn count(&mut self, frame: Frame, engine: &Engine) -> Option<Step> {
        if self.tally.count(frame) {
            self.asked = false;
            let (count, statistics) = (self.tally.confirmed, statistics(engine));
            return Some(Step::Pages { count, statistics });
        }
        if !frame.received && ends_page(frame) {
            // It may be repeated.
            return (!std::mem::replace(&mut self.asked, true)).then_some(Step::Asked);
        }
        if frame.received {
            self.asked = false;
        }
        None
    }

    /// How the call ended; `instead` is a cause that the engine does not know.
    pub(super) fn ended(&self, engine: &Engine, said: &str, instead: Option<Outcome>) -> Ended {
        let completion = engine.completion();
        let outcome = match instead {
            // Nothing that came after the last confirmation takes it back.
            _ if self.tally.complete => Outcome::Delivered,
            Some(outcome) => outcome,
            None => sent(completion, &self.tally),
        };
        let said = match completion {
            Some(code) if said.is_empty() => format!("T.30 engine: {code}"),
            Some(code) if code != 0 => format!("{said} (T.30 engine: {code})"),
            _ => said.to_owned(),
        };
        Ended {
            outcome,
            said,
            pages: self.tally.confirmed,
            statistics: statistics(engine),
            remote: engine.remote(),
            duration: Duration::ZERO,
        }
    }
}

fn statistics(engine: &Engine) -> Statistics {
    Statistics { carrier: Some(Carrier::Modem), ..engine.statistics() }
}

/// Whether a frame asks for a page's confirmation (T.30 5.3.6.1.6, A.4.3).
fn ends_page(frame: Frame) -> bool {
    let ends = |fcf| matches!(fcf, EOM | MPS | EOP);
    ends(frame.fcf) || (frame.fcf == PPS && frame.fcf2.is_some_and(ends))
}
