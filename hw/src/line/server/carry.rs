//! One call from its start to its end: the pages are put together, the line places it,
//! what it confirms is kept page by page, and each submission gets its own end.
//!
//! Before anything is dialled it is on disk that it may be; a confirmed page is on disk
//! before the line is asked for its next step.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use postfax_domain::{
    document::PageLedger,
    outcome::{Class, Outcome},
    redacted::Redacted,
    time::Timestamp,
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tracing::{error, info, warn};

use super::{
    Core,
    batch::{Fate, Went, settle, share},
    crash,
    document::{self, NoDocument, Part},
    hold, off,
    pace::MAX_REST,
    record::{Calling, State, Submission, quality},
    spool::{SpoolError, now},
    table::{OnCall, end},
};
use crate::{
    line::{Ended, Order, Step, header::Header},
    pages::tiff::TiffError,
    t30::{MAX_IDENT, Session, Statistics},
};

/// How long a line rests that was rung when it was about to call.
const GLARE_REST: Duration = Duration::from_secs(5);
/// What an answered call may last beside its pages.
const CALL_SET_UP: Duration = Duration::from_secs(300);
/// What is said, trained and said again for each page.
const PER_PAGE: Duration = Duration::from_secs(90);
/// The least bit/s that pages are sent with (T.30 5.3.6.2.2).
const SLOWEST_BITS_PER_S: u64 = 2400;
/// How much larger a page may become on the line, when it is not sent as MMR.
const RECODED: u64 = 4;
/// What a line may take for its call beside the time that the call has: dialling and
/// ringing.
const RINGING_LIMIT: Duration = Duration::from_secs(300);

/// Carries a call that was claimed, and gives everything back, whatever happens.
pub(super) async fn carry(
    core: Arc<Core>,
    line: usize,
    jobs: Vec<Arc<Submission>>,
    on: Arc<OnCall>,
) {
    let call = InCall { core: core.clone(), line, on: on.clone(), jobs };
    if let Err(bug) = (&mut Task(tokio::spawn(call.carry())).0).await {
        error!(%bug, "a call could not be carried to its end");
        for tag in on.tags.clone() {
            off(&core, move |core| core.abandon(&tag)).await;
        }
    }
    core.placed[line].fetch_sub(1, Ordering::SeqCst);
    core.wake.notify_one();
}

impl Core {
    /// A bug has ended its call: it ends as after a crash.
    fn abandon(&self, tag: &str) {
        self.table.note(&self.spool, tag, |state| state.after_crash(u32::MAX, now()));
        self.table.let_go(tag, now() + MAX_REST);
    }
}

/// A call, and those that share it.
struct InCall {
    core: Arc<Core>,
    line: usize,
    jobs: Vec<Arc<Submission>>,
    on: Arc<OnCall>,
}

/// What has been seen of a call.
struct Seen {
    /// Pages of each that shares it.
    pages: Vec<u32>,
    confirmed: u32,
    asked: bool,
    /// When the turn of each came.
    turns: Vec<Instant>,
}

impl InCall {
    async fn carry(self) {
        let file = self.core.spool.call_file();
        self.carry_with(&file).await;
        // Nobody needs it; the next start deletes what is left.
        let _ = std::fs::remove_file(file);
    }

    async fn carry_with(&self, file: &Path) {
        let parts = self.parts();
        let place = self.core.meaning().lines[self.line].header_place;
        let into = file.to_owned();
        let pages = match off(&self.core, move |_| document::build(&parts, place, &into)).await {
            Ok(pages) => pages,
            Err(NoDocument::Part(_, error @ TiffError::Io { .. }) | NoDocument::File(error)) => {
                error!(%error, "no call: its pages cannot be put together");
                return self.put_back(now() + MAX_REST).await;
            }
            Err(NoDocument::Part(at, error)) => return self.spoiled(at, &error.to_string()).await,
        };
        // Many pages take their time.
        if self.jobs.iter().any(|job| job.give_up_at <= now()) {
            return self.put_back(now()).await;
        }
        if let Err(failed) = self.note_dialling().await {
            error!(%failed, "no call: that it is placed cannot be kept");
            return self.put_back(now() + MAX_REST).await;
        }
        let mut seen = Seen { pages, confirmed: 0, asked: false, turns: vec![] };
        let ended = if self.core.table.is_cancelled(&self.jobs[0].tag) {
            Ended::failed(Outcome::Cancelled, "cancelled before it was called")
        } else {
            self.place(file.to_owned(), &mut seen).await
        };
        self.settle(ended, seen).await;
    }

    /// On disk before anything is dialled; the one that counts as called comes last.
    async fn note_dialling(&self) -> Result<(), SpoolError> {
        let tags = self.on.tags.clone();
        let line = self.core.lines[self.line].name().to_owned();
        let noted = off(&self.core, move |core| {
            crash::point("call");
            for (place, tag) in tags.iter().enumerate().rev() {
                core.table.change(&core.spool, tag, |state| match state {
                    State::Queued { cancelled } => Some(State::Calling(Calling {
                        line: line.clone(),
                        begun: place == 0,
                        cancelled: *cancelled,
                        ..Calling::default()
                    })),
                    _ => None,
                })?;
            }
            crash::point("dialling");
            Ok(())
        });
        noted.await
    }

    /// The pages of each, and its header line.
    fn parts(&self) -> Vec<Part> {
        let meaning = self.core.meaning();
        let own = &meaning.lines[self.line];
        let at = self.core.local(now()).strftime("%Y-%m-%d %H:%M %z").to_string();
        let part = |job: &Arc<Submission>| {
            let has = own.has_header(&job.number, self.core.options.country);
            let identity = || own.line.station.identity.clone();
            let sender = Some(job.sender.clone()).filter(|sender| !sender.is_empty());
            let header = has.then(|| Header {
                at: at.clone(),
                from: own.header_name.clone().or(sender).unwrap_or_else(identity),
                from_number: own.fax_number.clone().unwrap_or_else(identity),
                to: job.number.to_string(),
            });
            Part { pages: self.core.spool.pages(&job.tag), before: job.pages_before, header }
        };
        self.jobs.iter().map(part).collect()
    }

    /// One of them cannot be read: it ends, and the others wait for another call.
    async fn spoiled(&self, at: usize, why: &str) {
        warn!(tag = self.jobs[at].tag, why, "pages that were taken cannot be read any more");
        let (tag, said) = (self.jobs[at].tag.clone(), why.to_owned());
        off(&self.core, move |core| {
            core.table.note(&core.spool, &tag, |state| match state {
                State::Ended(_) => None,
                _ => Some(end(Outcome::BadDocument, said, PageLedger::default())),
            });
        })
        .await;
        self.put_back(now()).await;
    }

    /// Those that have not ended wait as before.
    async fn put_back(&self, not_before: Timestamp) {
        for tag in self.on.tags.clone() {
            off(&self.core, move |core| {
                core.table.note(&core.spool, &tag, |state| match state {
                    State::Calling(Calling { cancelled: true, .. })
                    | State::Queued { cancelled: true } => {
                        let said = "cancelled before it was called";
                        Some(end(Outcome::Cancelled, said, PageLedger::default()))
                    }
                    State::Calling(_) => Some(State::Queued { cancelled: false }),
                    _ => None,
                });
                core.table.let_go(&tag, not_before);
            })
            .await;
        }
    }

    // ---- the call -------------------------------------------------------------------

    /// Places the call and keeps what it tells.
    async fn place(&self, file: PathBuf, seen: &mut Seen) -> Ended {
        let (tell, mut steps) = mpsc::channel(1);
        let limit = self.limit();
        let order = Order {
            number: self.jobs[0].number.clone(),
            session: self.session(file),
            limit,
            steps: tell,
            stop: self.on.stop.subscribe(),
        };
        let line = self.core.lines[self.line].clone();
        info!(line = line.name(), to = %Redacted(&order.number), jobs = self.jobs.len(), "calls");
        let deadline = Instant::now() + limit + RINGING_LIMIT;
        let mut placing = Task(tokio::spawn(async move { line.place(order).await }));
        let ended = loop {
            tokio::select! {
                // What was told before the end is heeded before the end.
                biased;
                Some(step) = steps.recv() => self.heed(step, seen).await,
                ended = timeout_at(deadline, &mut placing.0) => break ended,
            }
        };
        while let Ok(step) = steps.try_recv() {
            self.heed(step, seen).await;
        }
        match ended {
            Ok(Ok(ended)) => ended,
            Ok(Err(bug)) => Ended::failed(Outcome::ServerFault, format!("the line failed: {bug}")),
            Err(_) => Ended::failed(Outcome::ServerFault, "the line did not end its call in time"),
        }
    }

    /// What the line does in the call.
    fn session(&self, file: PathBuf) -> Session {
        let meaning = self.core.meaning();
        let own = &meaning.lines[self.line];
        let mut station = own.line.station.clone();
        if let Some(identity) = self.jobs[0].station_id.as_ref().filter(|_| own.use_job_tsi) {
            let ascii = identity.chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
            station.identity = ascii.take(MAX_IDENT).collect();
        }
        let subaddress = self.jobs[0].subaddress.clone();
        Session { subaddress, ..Session::sending(station, file) }
    }

    /// The longest that it may last: a page that is as slow as pages can be is let through.
    fn limit(&self) -> Duration {
        let pages: u32 = self.jobs.iter().map(|job| job.pages).sum();
        let bytes: u64 = self.jobs.iter().map(|job| job.bytes).sum();
        let slow = bytes.saturating_mul(8 * RECODED) / SLOWEST_BITS_PER_S;
        CALL_SET_UP + PER_PAGE * pages + Duration::from_secs(slow)
    }

    async fn heed(&self, step: Step, seen: &mut Seen) {
        let current = self.on.current.load(Ordering::SeqCst);
        match step {
            Step::Dialling | Step::Ringing => {}
            Step::Connected => {
                seen.turns.push(Instant::now());
                self.note(current, "connected", |at| at.connected = true).await;
            }
            Step::Asked => {
                seen.asked = true;
                self.note(current, "asked", |at| at.asked = true).await;
            }
            Step::Pages { count, statistics } => {
                seen.asked = false;
                // What was confirmed stays confirmed, whatever a line tells later.
                seen.confirmed = seen.confirmed.max(count);
                self.confirmed(current, &statistics, seen).await;
            }
        }
    }

    /// Keeps whose pages are confirmed, and whose turn it is now.
    async fn confirmed(&self, before: usize, statistics: &Statistics, seen: &mut Seen) {
        let (shares, current) = share(&seen.pages, seen.confirmed);
        seen.turns.resize(before + 1, Instant::now());
        for (place, confirmed) in shares.into_iter().enumerate().take(current + 1).skip(before) {
            if place > before {
                seen.turns.push(Instant::now());
            }
            let ledger = PageLedger {
                confirmed,
                bit_rate: Some(statistics.bit_rate).filter(|rate| *rate > 0),
                duration: seen.turns[place].elapsed(),
                remote_id: None,
                quality: None,
            };
            self.note(place, "confirmed", move |at| {
                at.begun = true;
                at.connected = true;
                at.asked = false;
                at.ledger = ledger;
            })
            .await;
        }
        self.on.current.store(current, Ordering::SeqCst);
        let next = self.on.tags.get(current).filter(|_| current > before);
        if next.is_some_and(|tag| self.core.table.is_cancelled(tag)) {
            self.on.stop.send_replace(true);
        }
    }

    /// Keeps something of one of them.
    async fn note(
        &self,
        place: usize,
        point: &'static str,
        change: impl FnOnce(&mut Calling) + Send + 'static,
    ) {
        let Some(tag) = self.on.tags.get(place).cloned() else { return };
        off(&self.core, move |core| {
            crash::point(point);
            core.table.note(&core.spool, &tag, |state| match state {
                State::Calling(at) => {
                    let mut at = at.clone();
                    change(&mut at);
                    Some(State::Calling(at))
                }
                _ => None,
            });
        })
        .await;
    }

    // ---- the end --------------------------------------------------------------------

    /// Each gets its own end.
    async fn settle(&self, ended: Ended, mut seen: Seen) {
        off(&self.core, |_| crash::point("end")).await;
        let confirmed = seen.confirmed.max(ended.pages);
        let line = self.core.lines[self.line].name();
        info!(line, outcome = %ended.outcome.name(), pages = confirmed, "the call is over");
        let cancelled: Vec<bool> =
            self.on.tags.iter().map(|tag| self.core.table.is_cancelled(tag)).collect();
        let went = Went { outcome: ended.outcome, confirmed, asked: seen.asked };
        let fates = settle(&seen.pages, &cancelled, went);
        let (shares, _) = share(&seen.pages, confirmed);
        let rest = self.rest(ended.outcome);
        seen.turns.push(Instant::now());
        let mut spent = Duration::ZERO;
        for (place, fate) in fates.into_iter().enumerate() {
            let tag = self.on.tags[place].clone();
            let new = match fate {
                Fate::Back => State::Queued { cancelled: false },
                Fate::Ended(outcome) => {
                    let ledger = ledger(&ended, shares[place], turn(&seen, place, &ended, spent));
                    spent += ledger.duration;
                    end(outcome, said(outcome, &ended), ledger)
                }
            };
            off(&self.core, move |core| {
                core.table.note(&core.spool, &tag, |state| match (state, &new) {
                    (State::Ended(_), _) => None,
                    // Somebody has just said so.
                    (State::Calling(Calling { cancelled: true, .. }), State::Queued { .. }) => {
                        let said = "cancelled before its turn came";
                        Some(end(Outcome::Cancelled, said, PageLedger::default()))
                    }
                    _ => Some(new),
                });
                core.table.let_go(&tag, rest);
                crash::point("ended");
            })
            .await;
        }
    }

    /// Until when the number is left alone, and the line where it was rung.
    fn rest(&self, outcome: Outcome) -> Timestamp {
        let now = now();
        match outcome.class() {
            Class::Wait => {
                hold(&self.core.pauses)[self.line] = now + GLARE_REST;
                now
            }
            Class::Cancelled | Class::Done => now,
            _ => now + outcome.delay().min(MAX_REST),
        }
    }
}

/// Ends the task when nobody waits for it any more.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How long the line was used for one of those that shared the call.
fn turn(seen: &Seen, place: usize, ended: &Ended, spent: Duration) -> Duration {
    let last = seen.turns.len().saturating_sub(2);
    match (seen.turns.get(place), seen.turns.get(place + 1)) {
        (Some(from), Some(to)) if place < last => *to - *from,
        (Some(_), Some(_)) => ended.duration.saturating_sub(spent),
        _ if place == 0 => ended.duration,
        _ => Duration::ZERO,
    }
}

fn ledger(ended: &Ended, confirmed: u32, duration: Duration) -> PageLedger {
    let answered = !ended.duration.is_zero();
    PageLedger {
        confirmed,
        remote_id: ended.remote.identity.clone(),
        bit_rate: Some(ended.statistics.bit_rate).filter(|rate| *rate > 0),
        duration,
        quality: answered.then(|| quality(&ended.statistics, &ended.remote)),
    }
}

/// The line's words, and ours where they would not fit.
fn said(outcome: Outcome, ended: &Ended) -> String {
    if outcome == ended.outcome || ended.said.is_empty() {
        return ended.said.clone();
    }
    format!("{} (the call: {})", outcome.text(), ended.said)
}
