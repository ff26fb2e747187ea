//! The loop of the line server: it looks at what waits, lets `pace` decide, and starts
//! the calls. It owns the tasks of lines and calls, and ends when they have.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use postfax_domain::{
    document::PageLedger,
    outcome::Outcome,
    time::{Timestamp, WallClock},
};
use tokio::{sync::watch, task::JoinSet};
use tracing::{error, info};

use super::{
    Core, carry,
    desk::Reception,
    hold, off,
    pace::{Moment, Way, plan},
    record::State,
    spool::now,
    table::end,
};
use crate::line::{Line, LineState, stopped};

/// The longest pause in which nothing is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How often old records are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// How long a line rests whose task has ended though nobody asked for it.
const LINE_REST: Duration = Duration::from_secs(30);

/// Runs until `stop` becomes true, or nobody is there any more to make it true.
pub(super) async fn run(core: &Arc<Core>, stop: watch::Receiver<bool>) {
    let mut lines = JoinSet::new();
    let mut watchers = JoinSet::new();
    for line in &core.lines {
        lines.spawn(keep(core.clone(), line.clone(), stop.clone()));
        watchers.spawn(heed(core.clone(), line.clone()));
    }
    let mut stopping = stop.clone();
    let mut calls = JoinSet::new();
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    sweep.tick().await;
    let mut open = true;
    loop {
        let wake = if open { start_calls(core, &mut calls).await } else { None };
        if !open && calls.is_empty() {
            break;
        }
        let pause = wake.map_or(LOOK_AGAIN, |at| at.since(now()).min(LOOK_AGAIN));
        tokio::select! {
            () = core.wake.notified() => {}
            // A call that is over has a line and a number to give back.
            Some(_) = calls.join_next() => {}
            () = tokio::time::sleep(pause) => {}
            _ = sweep.tick() => off(core, |core| core.table.sweep(&core.spool)).await,
            () = stopped(&mut stopping), if open => open = false,
        }
    }
    while lines.join_next().await.is_some() {}
    watchers.shutdown().await;
}

/// Keeps a line. One whose task ends, or fails by a bug, is started again.
async fn keep(core: Arc<Core>, line: Arc<dyn Line>, stop: watch::Receiver<bool>) {
    let mut stopping = stop.clone();
    loop {
        let desk = Arc::new(Reception(core.clone()));
        let (kept, until) = (line.clone(), stop.clone());
        let mut running = JoinSet::new();
        running.spawn(async move { kept.run(desk, until).await });
        let ended = running.join_next().await;
        if *stopping.borrow() || stopping.has_changed().is_err() {
            return;
        }
        match ended {
            Some(Err(bug)) => error!(line = line.name(), %bug, "a line has failed"),
            _ => error!(line = line.name(), "a line has ended by itself"),
        }
        tokio::select! {
            () = tokio::time::sleep(LINE_REST) => {}
            () = stopped(&mut stopping) => return,
        }
    }
}

/// Wakes the loop when the state of a line has changed.
async fn heed(core: Arc<Core>, line: Arc<dyn Line>) {
    let mut changes = line.changes();
    while changes.changed().await.is_ok() {
        core.wake.notify_one();
    }
}

/// Starts what can start now, and says when to look again.
async fn start_calls(core: &Arc<Core>, calls: &mut JoinSet<()>) -> Option<Timestamp> {
    let moment = core.moment();
    let waiting = core.table.waiting();
    let batch = core.meaning().batch;
    let plan = plan(&waiting, &core.ways(), &core.table.calling(), batch, moment);
    for tag in plan.expired {
        info!(tag, "it was not dialled in its time");
        off(core, move |core| core.expire(&tag)).await;
    }
    for start in plan.start {
        let (jobs, on) = core.table.claim(start.tags);
        if !jobs.is_empty() {
            core.placed[start.line].fetch_add(1, Ordering::SeqCst);
            calls.spawn(carry::carry(core.clone(), start.line, jobs, on));
        }
    }
    plan.wake
}

impl Core {
    fn moment(&self) -> Moment {
        let now = now();
        let local = self.local(now);
        let weekday = local.weekday().to_monday_zero_offset().unsigned_abs();
        let minute =
            u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        Moment { now, wall: WallClock { weekday, minute } }
    }

    /// How the lines are.
    fn ways(&self) -> Vec<Way> {
        let meaning = self.meaning();
        let pauses = hold(&self.pauses).clone();
        let way = |place: usize| {
            let (line, own) = (&self.lines[place], &meaning.lines[place]);
            let ours = self.placed[place].load(Ordering::SeqCst);
            let (ready, calls) = match line.state() {
                LineState::Ready(calls) => (own.line.on, calls.max(ours)),
                _ => (false, ours),
            };
            let channels = line.channels();
            Way {
                ready,
                direction: own.direction,
                hours: own.hours.clone(),
                channels: own.line.max_calls.map_or(channels, |most| most.min(channels)),
                calls,
                reserved: own.reserved,
                priority: own.priority,
                not_before: pauses[place],
            }
        };
        (0..self.lines.len()).map(way).collect()
    }

    fn expire(&self, tag: &str) {
        self.table.note(&self.spool, tag, |state| match state {
            State::Queued { .. } => {
                let said = "the line server did not come to call in the time that it had";
                Some(end(Outcome::NotDialled, said, PageLedger::default()))
            }
            _ => None,
        });
    }
}
