//! What a call came to, for the one who ordered it and for the memory of the trunk.

use std::{sync::Arc, time::SystemTime};

use postfax_domain::{outcome::Outcome, redacted::Redacted};

use super::{Conversation, moves::died_in_phase_b};
use crate::{
    line::{Ended, sip::memory::Known},
    t30::Remote,
};

/// Seconds since 1970.
pub(in crate::line::sip) fn now_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Conversation<'_> {
    /// Remembers something about the other side.
    pub(super) fn learn(&self, known: Option<Known>) {
        let memory = &self.terms.memory;
        if memory.learn(&self.number, known, now_s()) {
            tracing::info!(number = %Redacted(&self.number), ?known, "learnt of a destination");
            let memory = Arc::clone(memory);
            tokio::task::spawn_blocking(move || {
                if let Err(error) = memory.save() {
                    tracing::warn!(%error, "the memory of destinations cannot be written");
                }
            });
        }
    }

    /// Learns from the result, completes it and hangs up.
    pub(super) fn finish(self, mut ended: Ended) -> Ended {
        if self.cancelled {
            ended.outcome = match ended.outcome {
                Outcome::Delivered => Outcome::Delivered,
                _ => Outcome::Cancelled,
            };
        } else if let (Some(cause), Outcome::Cancelled) = (&self.gone, ended.outcome) {
            // The player was stopped since the other side had gone.
            ended.outcome = self.left_in_the_middle(&ended);
            ended.said = cause.said();
        }
        self.learn_from(&ended);
        let carrier = if self.agreed.is_t38() { "T.38" } else { "G.711" };
        ended.said = match ended.said.is_empty() {
            true => format!("over {carrier}"),
            false => format!("{}, over {carrier}", ended.said),
        };
        ended.duration = self.began.elapsed();
        self.note(&format!("{:?}: {}", ended.outcome, ended.said));
        // Q.850 16: as calls normally end; 31: otherwise.
        let cause = if ended.outcome == Outcome::Delivered { 16 } else { 31 };
        self.leg.hang_up(Some(cause));
        ended
    }

    fn left_in_the_middle(&self, ended: &Ended) -> Outcome {
        let unmet = ended.remote == Remote::default() && ended.statistics.bit_rate == 0;
        if self.asked {
            Outcome::PageUnconfirmed
        } else if unmet && ended.pages == 0 {
            Outcome::NoFaxMachine
        } else {
            Outcome::Disconnected
        }
    }

    fn learn_from(&self, ended: &Ended) {
        let nothing_came = ended.pages == 0 && self.pages == 0 && !self.cancelled;
        let poor = matches!(ended.outcome, Outcome::TransmissionErrors | Outcome::PageRejected);
        if ended.outcome == Outcome::Delivered {
            if !self.agreed.is_t38() && self.known == Some(Known::AudioFails) {
                self.learn(None);
            }
        } else if self.agreed.is_t38() {
            if nothing_came && died_in_phase_b(ended.outcome) {
                self.learn(Some(Known::T38Fails));
            }
        } else if nothing_came && self.t38_was_open() {
            // A person who answers is no reason to try T.38.
            let trained_in_vain =
                poor || matches!(ended.outcome, Outcome::CannotTrain | Outcome::StoppedAnswering);
            if trained_in_vain && self.known.is_none() {
                self.learn(Some(Known::AudioFails));
            }
        }
    }
}
