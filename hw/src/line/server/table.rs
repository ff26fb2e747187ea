//! All submissions: in memory for those who ask, and in the spool before anyone is told.
//!
//! Every change of a submission goes through [`Table::change`], one at a time, and is on
//! disk before it is seen. Its functions that write block.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use postfax_domain::{document::PageLedger, number::Number, outcome::Outcome, time::Timestamp};
use tokio::sync::watch;
use tracing::{error, warn};

use super::{
    Limits,
    batch::Kin,
    pace::Wanting,
    record::{Calling, End, State, Submission},
    spool::{Entered, Index, Spool, SpoolError, now},
};

/// Most records of submissions that have ended, and that nobody lets go. How old they are
/// does not count: the clock may be wrong.
const MAX_KEPT: usize = 20_000;

/// A call that goes on, as far as those need it who want to stop it.
#[derive(Debug)]
pub(super) struct OnCall {
    /// True: hang up.
    pub stop: watch::Sender<bool>,
    /// Who shares it.
    pub tags: Vec<String>,
    /// Whose turn it is.
    pub current: AtomicUsize,
}

#[derive(Debug)]
struct Job {
    /// Missing only of what is over, and damaged.
    call: Option<Arc<Submission>>,
    state: watch::Sender<State>,
    not_before: Timestamp,
    on: Option<Arc<OnCall>>,
}

/// What came of an attempt to take a submission in.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is durable; it may have been before.
    Kept,
    /// It is there, but whether it would be after a loss of power is not known.
    Unsure(SpoolError),
}

#[derive(Debug)]
pub(super) struct Table {
    jobs: Mutex<Index<Job>>,
    /// Whoever writes holds it: what is seen is what is on disk.
    pen: Mutex<()>,
}

/// A panic elsewhere leaves these whole: each change is one assignment.
fn hold<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Table {
    /// What the spool holds, with what a crash has left brought to an end.
    pub fn load(spool: &Spool) -> Result<Self, SpoolError> {
        let mut jobs = Index::new();
        for kept in spool.submissions()? {
            let (tag, now) = (kept.tag, now());
            let state = match kept.state {
                None => {
                    let lost = damaged(now);
                    spool.tombstone(&tag, &lost)?;
                    lost
                }
                Some(state) => {
                    let pages = kept.call.as_ref().map_or(0, |call| call.pages);
                    match state.after_crash(pages, now) {
                        Some(state) => {
                            spool.write_state(&tag, &state)?;
                            state
                        }
                        None => state,
                    }
                }
            };
            if matches!(state, State::Ended(_)) {
                spool.drop_pages(&tag);
            }
            let call = kept.call.map(Arc::new);
            let (state, _) = watch::channel(state);
            jobs.insert(tag, Job { call, state, not_before: Timestamp(0), on: None });
        }
        Ok(Self { jobs: Mutex::new(jobs), pen: Mutex::new(()) })
    }

    /// Whether there is such a submission.
    pub fn has(&self, tag: &str) -> bool {
        hold(&self.jobs).contains_key(tag)
    }

    /// How far a submission has come, from now on.
    pub fn watch(&self, tag: &str) -> Option<watch::Receiver<State>> {
        hold(&self.jobs).get(tag).map(|job| job.state.subscribe())
    }

    /// Why no more may be kept.
    pub fn full(&self, limits: &Limits, bytes: u64) -> Option<String> {
        let jobs = hold(&self.jobs);
        let open = jobs.values().filter(|job| !matches!(*job.state.borrow(), State::Ended(_)));
        let (mut count, mut sum) = (0, bytes);
        for job in open {
            count += 1;
            sum += job.call.as_ref().map_or(0, |call| call.bytes);
        }
        if count >= limits.jobs {
            return Some(format!("{count} faxes wait to be sent, and no more than that may"));
        }
        (sum > limits.bytes)
            .then(|| format!("the faxes to be sent may have {} bytes in all", limits.bytes))
    }

    /// Makes a staged submission one of these.
    pub fn enter(
        &self,
        spool: &Spool,
        staged: &Path,
        call: Submission,
    ) -> Result<Taken, SpoolError> {
        let _pen = hold(&self.pen);
        let unsure = match spool.enter(staged, &call.tag) {
            Ok(Entered::Before) => return Ok(Taken::Kept),
            Ok(Entered::Now) => None,
            // It stands under its name already: it is ours whether or not that lasts.
            Err(error) if !staged.exists() => Some(error),
            Err(error) => return Err(error),
        };
        let (state, _) = watch::channel(State::Queued { cancelled: false });
        let tag = call.tag.clone();
        let call = Some(Arc::new(call));
        let job = Job { call, state, not_before: Timestamp(0), on: None };
        hold(&self.jobs).insert(tag, job);
        Ok(unsure.map_or(Taken::Kept, Taken::Unsure))
    }

    /// Changes a submission, durably; `None` from `change` leaves it as it is.
    pub fn change(
        &self,
        spool: &Spool,
        tag: &str,
        change: impl FnOnce(&State) -> Option<State>,
    ) -> Result<(), SpoolError> {
        let _pen = hold(&self.pen);
        let Some(state) = self.watch(tag) else { return Ok(()) };
        let Some(new) = change(&state.borrow()) else { return Ok(()) };
        spool.write_state(tag, &new)?;
        self.show(spool, tag, new);
        Ok(())
    }

    /// The same for what has happened whether or not it can be written: a later crash
    /// would tell less, but nothing that is not so.
    pub fn note(&self, spool: &Spool, tag: &str, change: impl FnOnce(&State) -> Option<State>) {
        let _pen = hold(&self.pen);
        let Some(state) = self.watch(tag) else { return };
        let Some(new) = change(&state.borrow()) else { return };
        if let Err(failed) = spool.write_state(tag, &new) {
            error!(tag, %failed, "what has become of a fax cannot be kept");
        }
        self.show(spool, tag, new);
    }

    fn show(&self, spool: &Spool, tag: &str, new: State) {
        let over = matches!(new, State::Ended(_));
        if let Some(job) = hold(&self.jobs).get(tag) {
            job.state.send_replace(new);
        }
        if over {
            spool.drop_pages(tag);
        }
    }

    /// Drops the record of a submission that has ended; false when it has not.
    pub fn forget(&self, spool: &Spool, tag: &str) -> Result<bool, SpoolError> {
        let _pen = hold(&self.pen);
        let Some(state) = self.watch(tag) else { return Ok(true) };
        if !matches!(*state.borrow(), State::Ended(_)) {
            return Ok(false);
        }
        spool.forget(tag)?;
        hold(&self.jobs).remove(tag);
        Ok(true)
    }

    /// Drops the oldest records that nobody has let go.
    pub fn sweep(&self, spool: &Spool) {
        let mut ended: Vec<(Timestamp, String)> = vec![];
        for (tag, job) in &*hold(&self.jobs) {
            if let State::Ended(end) = &*job.state.borrow() {
                ended.push((end.at, tag.clone()));
            }
        }
        ended.sort_unstable();
        let many = ended.len().saturating_sub(MAX_KEPT);
        for (_, tag) in &ended[..many] {
            warn!(tag, "nobody has asked how this fax ended; its record goes");
            if let Err(failed) = self.forget(spool, tag) {
                error!(%failed, "an old record cannot be deleted");
            }
        }
    }

    // ---- for those who place calls --------------------------------------------------

    /// What waits to be called.
    pub fn waiting(&self) -> Vec<Wanting> {
        let jobs = hold(&self.jobs);
        let waits = jobs.iter().filter(|(_, job)| {
            job.on.is_none() && matches!(*job.state.borrow(), State::Queued { cancelled: false })
        });
        let wanting = |(tag, job): (&String, &Job)| {
            let call = job.call.as_deref()?;
            let shape = (call.resolution, call.paper);
            let (subaddress, station) = (call.subaddress.clone(), call.station_id.clone());
            Some(Wanting {
                tag: tag.clone(),
                kin: Kin::new(call.number.clone(), subaddress, station, shape),
                pages: call.pages,
                priority: call.priority,
                since: call.submitted,
                not_before: job.not_before,
                give_up_at: call.give_up_at,
            })
        };
        waits.filter_map(wanting).collect()
    }

    /// The numbers that are being called.
    pub fn calling(&self) -> BTreeSet<Number> {
        let jobs = hold(&self.jobs);
        let on = jobs.values().filter(|job| job.on.is_some());
        on.filter_map(|job| Some(job.call.as_ref()?.number.clone())).collect()
    }

    /// Takes them for a call; those that are not there to be taken any more are left out.
    pub fn claim(&self, tags: Vec<String>) -> (Vec<Arc<Submission>>, Arc<OnCall>) {
        let mut jobs = hold(&self.jobs);
        let free = |tag: &String| {
            let job = jobs.get(tag)?;
            let waits = matches!(*job.state.borrow(), State::Queued { cancelled: false });
            job.call.clone().filter(|_| waits && job.on.is_none())
        };
        let calls: Vec<Arc<Submission>> = tags.iter().filter_map(free).collect();
        let tags: Vec<String> = calls.iter().map(|call| call.tag.clone()).collect();
        let (stop, _) = watch::channel(false);
        let on = Arc::new(OnCall { stop, tags, current: AtomicUsize::new(0) });
        for tag in &on.tags {
            if let Some(job) = jobs.get_mut(tag) {
                job.on = Some(on.clone());
            }
        }
        (calls, on)
    }

    /// Lets one go that was in a call.
    pub fn let_go(&self, tag: &str, not_before: Timestamp) {
        if let Some(job) = hold(&self.jobs).get_mut(tag) {
            job.on = None;
            job.not_before = not_before;
        }
    }

    /// Whether somebody wants it stopped.
    pub fn is_cancelled(&self, tag: &str) -> bool {
        let cancelled = |state: &State| match state {
            State::Queued { cancelled } | State::Calling(Calling { cancelled, .. }) => *cancelled,
            // It was stopped while it was being taken for a call.
            State::Ended(_) => true,
        };
        self.watch(tag).is_some_and(|state| cancelled(&state.borrow()))
    }

    /// Stops a submission, now or when its turn comes.
    pub fn cancel(&self, spool: &Spool, tag: &str) -> Result<(), SpoolError> {
        let on = || hold(&self.jobs).get(tag).and_then(|job| job.on.clone());
        self.change(spool, tag, |state| match state {
            // Whoever has taken it for a call finds it in this state.
            State::Queued { .. } if on().is_some() => Some(State::Queued { cancelled: true }),
            State::Queued { .. } => {
                let ledger = PageLedger::default();
                Some(end(Outcome::Cancelled, "cancelled before it was called", ledger))
            }
            State::Calling(at) => Some(State::Calling(Calling { cancelled: true, ..at.clone() })),
            State::Ended(_) => None,
        })?;
        if let Some(on) = on() {
            let current = on.tags.get(on.current.load(Ordering::SeqCst));
            if current.is_some_and(|current| current == tag) {
                on.stop.send_replace(true);
            }
        }
        Ok(())
    }
}

/// The end of a submission, now.
pub(super) fn end(outcome: Outcome, said: impl Into<String>, ledger: PageLedger) -> State {
    State::Ended(End { outcome, said: said.into(), ledger, at: now() })
}

/// How a submission ends whose record cannot be read: it may have been sent.
fn damaged(now: Timestamp) -> State {
    let said = "its record in the spool of the line server was damaged".to_owned();
    let ledger = PageLedger::default();
    State::Ended(End { outcome: Outcome::Unknown, said, ledger, at: now })
}
