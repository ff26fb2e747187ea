//! Following a call until it is over.
//!
//! ```text
//! waiting --active--> dialling --hint--> connected --pages--> over
//!    |                    |                                     ^
//!    +--------------------+------- state of the job's file -----+
//! ```
//! Each look reads the job's file; hints and the clock only say when to look.

use std::time::Duration;

use postfax_domain::{document::PageLedger, outcome::Outcome};
use tokio::{
    sync::{
        broadcast::{Receiver, error::RecvError},
        mpsc,
    },
    time::{Instant, sleep, timeout_at},
};

use super::{
    Hylafax, JobTicket,
    accounts::Account,
    causes,
    nudge::Patience,
    queue::{Entry, State},
    trigger::{Hint, Step},
    wire::Fault,
};
use crate::driver::{Ended, Progress};

/// Looks at a job that is nowhere before it counts as lost: it is nowhere for a
/// moment while it moves from one queue to the other.
const LOOKS_FOR_LOST: u32 = 3;
/// Pause between these looks, in milliseconds.
const LOST_PAUSE_MS: u64 = 700;
/// How often we look although hints flow, in seconds.
const HEARTBEAT_S: u64 = 15;

/// What has been seen of a call.
#[derive(Debug, Default)]
struct Seen {
    dialling: bool,
    since: Option<Instant>,
    pages: u32,
    /// The cause while the job waited to be dialled again.
    before: Option<Outcome>,
    patience: Patience,
}

impl Hylafax {
    /// Waits for the end of a job.
    pub(super) async fn watch(
        &self,
        ticket: &JobTicket,
        progress: mpsc::Sender<Progress>,
    ) -> Result<Ended, Fault> {
        let mut hints = self.trigger.hints();
        let mut seen = Seen::default();
        let mut lost = 0;
        loop {
            let entry = self.following.borrow().await?.entry(ticket.job).await?;
            match entry.filter(|entry| ticket.is_of(&entry.tag)) {
                None if lost == LOOKS_FOR_LOST => return self.lost(ticket).await,
                None => {
                    lost += 1;
                    sleep(Duration::from_millis(LOST_PAUSE_MS)).await;
                }
                Some(entry) if entry.state.is_over() => return self.over(entry, &seen).await,
                Some(entry) => {
                    lost = 0;
                    seen.look(&entry, &progress);
                    if seen.patience.is_over(entry.state) {
                        self.nudge(ticket).await;
                    }
                    self.pause(ticket.job, &mut hints, &mut seen, &progress).await;
                }
            }
        }
    }

    /// Returns when it is time to look again.
    async fn pause(
        &self,
        job: u32,
        hints: &mut Receiver<Hint>,
        seen: &mut Seen,
        progress: &mpsc::Sender<Progress>,
    ) {
        let poll = self.options.poll;
        let heartbeat = Duration::from_secs(HEARTBEAT_S);
        let hints_do = self.trigger.is_armed() && !seen.patience.counts();
        let pause = if hints_do { poll.max(heartbeat) } else { poll };
        let until = Instant::now() + pause;
        loop {
            match timeout_at(until, hints.recv()).await {
                Ok(Ok(Hint::Job(other, _))) if other != job => {}
                Ok(Ok(Hint::Received)) => {}
                Ok(Ok(Hint::Job(_, step))) => match step {
                    Step::Connected => seen.connect(progress),
                    Step::Pages(pages) => seen.count(pages, progress),
                    Step::Other => return,
                },
                Ok(Ok(Hint::Armed) | Err(RecvError::Lagged(_))) | Err(_) => return,
                Ok(Err(RecvError::Closed)) => sleep(poll).await,
            }
        }
    }

    async fn over(&self, entry: Entry, seen: &Seen) -> Result<Ended, Fault> {
        let account = match &entry.call {
            Some(call) => self.account(|a| a.sent && a.call == *call && a.tag == entry.tag).await,
            None => None,
        };
        let measured = seen.since.map(|since| since.elapsed()).unwrap_or_default();
        let outcome = causes::outcome(&entry, seen.before);
        let said = match (entry.state, entry.status.as_str()) {
            (State::Done, "") => "Job completed".to_owned(),
            (_, status) => format!("{status} (code {:03})", entry.code),
        };
        let ledger = PageLedger {
            confirmed: entry.pages,
            // The rate is also that of a call before this one.
            bit_rate: entry.bit_rate.filter(|_| entry.remote_id.is_some()),
            remote_id: entry.remote_id,
            duration: account.map_or(measured, |account| account.connected),
            quality: None,
        };
        Ok(Ended { outcome, said, ledger })
    }

    /// The job is in no queue: the log may know how it ended.
    async fn lost(&self, ticket: &JobTicket) -> Result<Ended, Fault> {
        let job = ticket.job.to_string();
        let ours = |a: &Account| a.sent && a.job == job && ticket.is_of(&a.tag);
        let Some(account) = self.account(ours).await else {
            return Ok(Ended {
                outcome: Outcome::Unknown,
                said: format!("job {job} is in no queue of the server"),
                ledger: PageLedger::default(),
            });
        };
        let outcome = causes::outcome_of_text(&account.reason, account.pages);
        let said = if account.reason.is_empty() { "in the log" } else { &account.reason };
        Ok(Ended {
            outcome,
            said: said.to_owned(),
            ledger: PageLedger {
                confirmed: account.pages,
                remote_id: account.remote_id,
                bit_rate: None,
                duration: account.connected,
                quality: None,
            },
        })
    }

    /// The last call in the server's log that fits. The log is a help, not a need:
    /// when it cannot be read there is none.
    pub(super) async fn account(&self, fits: impl Fn(&Account) -> bool) -> Option<Account> {
        let mut session = self.receiving.borrow().await.ok()?;
        let accounts = session.accounts().await.ok()?;
        accounts.into_iter().rev().find(|account| fits(account))
    }
}

impl Seen {
    fn look(&mut self, entry: &Entry, progress: &mpsc::Sender<Progress>) {
        match entry.state {
            State::Active => {
                self.dial(progress);
                self.count(entry.pages, progress);
            }
            State::Waiting | State::Ready if entry.dials > 0 && !entry.status.is_empty() => {
                self.before = Some(causes::outcome(entry, None));
            }
            _ => {}
        }
    }

    fn dial(&mut self, progress: &mpsc::Sender<Progress>) {
        if !self.dialling {
            self.dialling = true;
            tell(progress, Progress::Dialling);
        }
    }

    fn connect(&mut self, progress: &mpsc::Sender<Progress>) {
        self.dial(progress);
        if self.since.is_none() {
            self.since = Some(Instant::now());
            tell(progress, Progress::Connected);
        }
    }

    fn count(&mut self, pages: u32, progress: &mpsc::Sender<Progress>) {
        if pages > self.pages {
            self.connect(progress);
            self.pages = pages;
            let duration = self.since.map(|since| since.elapsed()).unwrap_or_default();
            let ledger = PageLedger { confirmed: pages, duration, ..PageLedger::default() };
            tell(progress, Progress::Pages(ledger));
        }
    }
}

/// Nobody has to listen, and a slow listener holds nothing up.
fn tell(progress: &mpsc::Sender<Progress>, step: Progress) {
    let _ = progress.try_send(step);
}
