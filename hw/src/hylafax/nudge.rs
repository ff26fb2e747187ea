//! Jobs that the scheduler has forgotten.
//!
//! Why: the scheduler of HylaFAX 6.0.7 runs at most once a second, and a job that is
//! submitted at the wrong moment of that second waits until something else happens
//! on that server; when nothing does, for ever. A job that could begin, and that
//! nobody has begun for some seconds, is therefore held back and submitted anew,
//! which is the same job and the same single dial. Should its call begin at that very
//! moment, it is stopped long before its first page.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::{
    Hylafax, JobTicket,
    queue::State,
    session::{Rights, Session},
    wire::Fault,
};

/// How long a job may wait for a line before it is submitted anew the first time; each
/// time after that it may wait twice as long. In seconds.
const FIRST_S: u64 = 5;
/// Longest wait, in seconds.
const LONGEST_S: u64 = 600;
/// The scheduler must have come to rest between the two orders, in milliseconds.
const REST_MS: u64 = 2_100;

/// How long a job has waited for a line, and may.
#[derive(Debug, Default)]
pub(super) struct Patience {
    since: Option<Instant>,
    nudges: u32,
}

impl Patience {
    /// Looks at the job; true when it is to be nudged now.
    pub(super) fn is_over(&mut self, state: State) -> bool {
        // Only a nudge that was broken off leaves a job of ours held back.
        if !matches!(state, State::Ready | State::Suspended) {
            self.since = None;
            return false;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        let may = FIRST_S.saturating_mul(1 << self.nudges.min(10)).min(LONGEST_S);
        if since.elapsed() < Duration::from_secs(may) {
            return false;
        }
        self.since = None;
        self.nudges += 1;
        true
    }

    /// Whether the job waits for a line.
    pub(super) fn counts(&self) -> bool {
        self.since.is_some()
    }
}

impl Hylafax {
    /// Submits a job anew that waits for a line. What goes wrong shows at the next look.
    pub(super) async fn nudge(&self, ticket: &JobTicket) {
        info!(server = %self.options.server(), job = ticket.job, "the job waits; submitting it anew");
        if let Err(fault) = self.submit_anew(ticket).await {
            let error = self.error(fault);
            warn!(job = ticket.job, %error, "the job could not be submitted anew");
        }
    }

    async fn submit_anew(&self, ticket: &JobTicket) -> Result<(), Fault> {
        let mut session = Session::open(&self.options, Rights::User).await?;
        let Some(entry) = session.entry(ticket.job).await? else { return Ok(()) };
        if !ticket.is_of(&entry.tag) {
            return Ok(());
        }
        match entry.state {
            State::Ready => {
                session.control.demand(&format!("JSUSP {}", ticket.job)).await?;
                sleep(Duration::from_millis(REST_MS)).await;
            }
            State::Suspended => {}
            State::Waiting | State::Active | State::Done | State::Failed => return Ok(()),
        }
        session.control.demand(&format!("JSUBM {}", ticket.job)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn patience_ends_and_grows() {
        let mut patience = Patience::default();
        assert!(!patience.is_over(State::Ready));
        tokio::time::advance(Duration::from_secs(FIRST_S)).await;
        assert!(patience.is_over(State::Ready));
        assert!(!patience.is_over(State::Ready));
        tokio::time::advance(Duration::from_secs(FIRST_S)).await;
        assert!(!patience.is_over(State::Ready), "the second time it waits longer");
        tokio::time::advance(Duration::from_secs(FIRST_S)).await;
        assert!(patience.is_over(State::Suspended));
        for _ in 0..3 {
            assert!(!patience.is_over(State::Active), "a call is never disturbed");
            tokio::time::advance(Duration::from_secs(LONGEST_S)).await;
        }
        assert!(!patience.counts());
    }
}
