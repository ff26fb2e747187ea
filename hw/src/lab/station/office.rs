//! What the sessions and the lines of one station share: who may log in, the
//! lines and how they are, the spool, and the ways to wake each other.

use std::{
    collections::HashMap,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, broadcast, oneshot};

use super::{
    events::Event,
    format::moment,
    job::{Job, State},
    spool::{Spool, now_s},
};

/// How many events a slow listener may lag behind before it misses some.
const EVENTS: usize = 256;

/// A line of the station.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// `ttyFAX0`
    pub(super) name: String,
    /// E.164
    pub(super) number: String,
}

/// What a line is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Doing {
    Nothing,
    Sending { job: u32 },
    Receiving,
}

impl Doing {
    /// In HylaFAX's words.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Nothing => "Running and idle".to_owned(),
            Self::Sending { job } => format!("Sending job {job}"),
            Self::Receiving => "Receiving facsimile".to_owned(),
        }
    }
}

/// What all parts of a station share.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) user: String,
    pub(super) password: String,
    pub(super) admin_password: String,
    pub(super) station_id: String,
    answering: usize,
    pub(super) lines: Vec<Line>,
    pub(super) spool: Spool,
    /// Wakes the lines: there may be something to do.
    pub(super) work: Notify,
    pub(super) events: broadcast::Sender<Event>,
    doing: Mutex<Vec<Doing>>,
    /// The calls under way, by job, and the way to stop each: the job then becomes
    /// what is sent.
    calls: Mutex<HashMap<u32, oneshot::Sender<State>>>,
    /// Held while a line chooses a job, so that two do not choose the same.
    choosing: Mutex<()>,
}

impl Office {
    pub(super) fn new(options: &super::Options, lines: Vec<Line>, spool: Spool) -> Self {
        Self {
            user: options.user.clone(),
            password: options.password.clone(),
            admin_password: options.admin_password.clone(),
            station_id: options.station_id.clone(),
            answering: options.answering,
            doing: Mutex::new(vec![Doing::Nothing; lines.len()]),
            lines,
            spool,
            work: Notify::new(),
            events: broadcast::Sender::new(EVENTS),
            calls: Mutex::default(),
            choosing: Mutex::default(),
        }
    }

    /// What each line is doing, in their order.
    pub(super) fn doing(&self) -> Vec<Doing> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what a line does from now on.
    pub(super) fn does(&self, line: usize, what: Doing) {
        if let Some(doing) = self.doing.lock().unwrap_or_else(PoisonError::into_inner).get_mut(line)
        {
            *doing = what;
        }
        self.work.notify_waiters();
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<u32, oneshot::Sender<State>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a job's call is over.
    pub(super) fn call_ends(&self, job: u32) {
        self.calls().remove(&job);
    }

    /// Tells the listeners.
    pub(super) fn tell(&self, event: Event) {
        // Nobody listening is the usual case.
        let _ = self.events.send(event);
    }

    /// Takes a job out of the lines' hands. One that waits becomes `state` at once, one
    /// that is in a call is hung up and becomes it when the call is over. `None` when
    /// there is no such job, `false` when it has ended already.
    pub(super) fn withdraw(&self, id: u32, state: State) -> io::Result<Option<bool>> {
        let _choosing = self.choosing.lock().unwrap_or_else(PoisonError::into_inner);
        self.spool.change(id, |job| {
            if job.state.has_ended() {
                return false;
            }
            let call = self.calls().remove(&id);
            match (call.map(|stop| stop.send(state)), state) {
                (Some(Ok(())), _) => {}
                (_, State::Failed) => job.fail(345, "Job aborted by request", now_s()),
                (_, other) => job.state = other,
            }
            true
        })
    }

    /// The next job for a line, the most urgent first, and the end of it that says when
    /// to hang up. The job is active from now on. What has outlived its time is ended
    /// on the way.
    pub(super) fn claim(&self, line: usize) -> io::Result<Option<(Job, oneshot::Receiver<State>)>> {
        if line < self.answering {
            return Ok(None);
        }
        let _choosing = self.choosing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now_s();
        let mut jobs = self.spool.jobs(false);
        jobs.sort_by_key(|job| (job.number("SCHEDPRI"), job.id));
        let busy: Vec<String> = jobs
            .iter()
            .filter(|job| job.state == State::Active)
            .map(|job| job.value("DIALSTRING"))
            .collect();
        let name = &self.lines[line].name;
        for job in jobs {
            let waits = matches!(job.state, State::Pending | State::Sleeping);
            if !waits || job.due_s > now || moment(&job.value("SENDTIME")).is_some_and(|s| s > now)
            {
                continue;
            }
            if job.kill_time_s() < now {
                self.spool.change(job.id, |job| job.fail(325, "Kill time expired", now))?;
                continue;
            }
            let modem = job.value("MODEM");
            if (modem != "any" && modem != *name) || busy.contains(&job.value("DIALSTRING")) {
                continue;
            }
            let call = self.spool.next_call()?;
            return self.spool.change(job.id, |job| {
                job.state = State::Active;
                job.call = Some(call);
                let (stop, stopped) = oneshot::channel();
                self.calls().insert(job.id, stop);
                (job.clone(), stopped)
            });
        }
        Ok(None)
    }
}
