//! The daemon: builds everything, owns the loop, stops cleanly.
//!
//! ```text
//!  smtp ─ outbound ──┐                        ┌─▶ carry (fax servers, mail relay)
//!  fax servers ──────┤ events ─▶ loop ─▶ acts ├─▶ inbound (let go of received faxes)
//!  carry ────────────┤         supervisor     └─▶ promises (SMTP replies, answers)
//!  requests, clock ──┘           store
//! ```
//!
//! A round of the loop: wait for an event, drain what else has come, let the
//! supervisor handle each, commit all that it wants saved in one transaction, then
//! do the rest in order. While the store cannot commit nothing is promised,
//! carried or let go: the round is tried until it is durable.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use postfax_domain::{
    audit::Line,
    book::Book,
    job::Job,
    names::{JobId, ServerName, Token},
    quota,
    supervisor::{Action, Answer, Change, Event, Request, Submission, Supervisor, TICK},
    time::Timestamp,
};
use postfax_gateway::{
    client::{Courier, RelayError},
    server::tls::TlsError,
    verify::ResolverError,
};
use postfax_hw::{
    driver::Driver,
    render::{self, Renderer},
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    task::JoinSet,
};
use tracing::{error, info, warn};

use crate::{
    carry::Carriers,
    config::Config,
    crash,
    inbound::{self, LineServers, Watchers},
    offramp::Reports,
    post, prepare,
    settings::{self, Keepers},
    store::{Reader, SCRATCH, Store, StoreError},
    webhooks::{self, Hooks},
};

/// Events that may wait for the loop; who brings more waits as well.
const EVENT_QUEUE: usize = 4096;
/// Events of one round.
const ROUND: usize = 512;
/// Pause before a commit that failed is tried again.
const COMMIT_PAUSE: Duration = Duration::from_secs(1);
/// How often finished jobs and their files are looked through.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// How long open work may go on when the daemon is told to stop.
const STOP_GRACE: Duration = Duration::from_secs(20);
/// How often it is looked whether a mail to an off-ramp is still on its way meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// Why the daemon could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A socket to listen on.
    #[error("cannot listen on {what}: {source}")]
    Listen {
        /// Its address.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The DNS.
    #[error(transparent)]
    Dns(#[from] ResolverError),
    /// The mail relay.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// Something of the system.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// The fax servers by name.
pub type Drivers = HashMap<ServerName, Arc<dyn Driver>>;

/// What every part of the daemon shares.
pub struct Context {
    /// The configuration in force.
    pub config: ArcSwap<Config>,
    /// The fax servers.
    pub drivers: ArcSwap<Drivers>,
    /// The connections to those of them that are line servers.
    pub lines: LineServers,
    /// Brings mail to the relay.
    pub courier: ArcSwap<Courier>,
    /// What off-ramps report.
    pub(crate) reports: Arc<Reports>,
    /// Reads what is durable.
    pub reader: Reader,
    /// One for each conversion that may go on.
    pub converters: Semaphore,
    /// This program, for the children that convert documents.
    pub exe: PathBuf,
    /// What makes pages.
    pub renderer: ArcSwap<Renderer>,
    /// The phone book, as far as it is durable.
    pub book: ArcSwap<Book>,
    /// What is wrong with the webhooks.
    pub hooks: webhooks::Board,
    /// Goes up with every round that changed something.
    pub changed: watch::Sender<u64>,
    events: mpsc::Sender<Event>,
    answers: Mutex<HashMap<Token, oneshot::Sender<Answer>>>,
    next_token: AtomicU64,
}

impl Context {
    /// Tells the supervisor what has happened.
    pub async fn tell(&self, event: Event) {
        // The loop outlives everyone who tells; when it is gone the process is.
        let _ = self.events.send(event).await;
    }

    /// Asks the supervisor; `None` when the daemon stops before it answered.
    pub async fn ask(&self, request: Request) -> Option<Answer> {
        self.wait_for(|token| Event::Asked(request, token)).await
    }

    /// Asks the supervisor for a change, with its line of the audit log; `None` when the
    /// daemon stops before it answered.
    pub async fn order(&self, request: Request, line: Line) -> Option<Answer> {
        self.wait_for(|token| Event::Requested(request, Box::new(line), token)).await
    }

    /// Has a line of the audit log saved; `None` when the daemon stops before it was.
    pub async fn note(&self, line: Line) -> Option<Answer> {
        self.wait_for(|token| Event::Noted(Box::new(line), token)).await
    }

    /// Offers a fax; `None` when the daemon stops before it answered.
    pub async fn submit(&self, submission: Submission) -> Option<Answer> {
        self.wait_for(|token| Event::Submitted(Box::new(submission), token)).await
    }

    /// Puts a configuration in force that was checked.
    pub(crate) fn put_in_force(&self, config: Arc<Config>) {
        self.renderer.store(Arc::new(renderer(&config, &self.exe)));
        self.config.store(config);
    }

    /// Where to tell what has happened, for those who need nothing else of this.
    #[must_use]
    pub fn events(&self) -> mpsc::Sender<Event> {
        self.events.clone()
    }

    async fn wait_for(&self, event: impl FnOnce(Token) -> Event) -> Option<Answer> {
        let token = Token(self.next_token.fetch_add(1, Ordering::Relaxed));
        let (answer, answered) = oneshot::channel();
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(token, answer);
        self.tell(event(token)).await;
        answered.await.ok()
    }

    fn answer(&self, token: Token, answer: Answer) {
        let waiting = self.answers.lock().unwrap_or_else(PoisonError::into_inner).remove(&token);
        if let Some(waiting) = waiting {
            // Whoever asked may have gone; what was promised is done all the same.
            let _ = waiting.send(answer);
        }
    }
}

/// The time, read at the edge.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The loop and what it owns.
pub struct Daemon {
    context: Arc<Context>,
    supervisor: Supervisor,
    store: Store,
    events: mpsc::Receiver<Event>,
    carriers: Carriers,
    watchers: Watchers,
    keepers: Keepers,
    hooks: Hooks,
    /// Mails whose pages are being made.
    presses: JoinSet<()>,
    /// Work besides the loop: listeners, doors.
    pub tasks: JoinSet<()>,
    /// True when everyone is to stop.
    pub stop: watch::Sender<bool>,
}

impl Daemon {
    /// Opens the store and takes up what an earlier life left.
    ///
    /// # Errors
    /// [`DaemonError`] says what could not be opened.
    pub async fn open(config: Config) -> Result<Self, DaemonError> {
        let mut store = Store::open(&config.state).await?;
        let saved = store.saved(now(), config.setup.limits.duplicate_window).await?;
        info!(jobs = saved.jobs.len(), "taking up what is not over");
        // Warns where foreign documents cannot be confined.
        render::confinement();
        let supervisor = Supervisor::restore(config.setup.clone(), saved);
        let (events, received) = mpsc::channel(EVENT_QUEUE);
        let exe = std::env::current_exe()
            .map_err(|source| DaemonError::System { what: "finding this program", source })?;
        let reports = Reports::open(config.state.join("offramp"));
        let reader = store.reader();
        let lines = LineServers::new(&config.state);
        lines.change(lines.prepare(&config).map_err(|source| DaemonError::System {
            what: "opening the connections to line servers",
            source,
        })?);
        let drivers = inbound::drivers(&config, &lines, &reports, &reader);
        let context = Arc::new(Context {
            drivers: ArcSwap::from_pointee(drivers),
            lines,
            reports,
            courier: ArcSwap::from_pointee(post::courier(&config)?),
            converters: Semaphore::new(config.convert.parallel),
            renderer: ArcSwap::from_pointee(renderer(&config, &exe)),
            config: ArcSwap::from_pointee(config),
            reader,
            exe,
            book: ArcSwap::new(supervisor.book()),
            hooks: webhooks::Board::default(),
            changed: watch::Sender::new(0),
            events,
            answers: Mutex::default(),
            next_token: AtomicU64::new(1),
        });
        Ok(Self {
            carriers: Carriers::new(context.clone()),
            watchers: Watchers::start(context.clone()),
            keepers: Keepers::start(&context),
            hooks: Hooks::start(context.clone()),
            context,
            supervisor,
            store,
            events: received,
            presses: JoinSet::new(),
            tasks: JoinSet::new(),
            stop: watch::Sender::new(false),
        })
    }

    /// What the parts share.
    #[must_use]
    pub fn context(&self) -> Arc<Context> {
        self.context.clone()
    }

    /// Runs until it is told to stop.
    pub async fn run(mut self) {
        for action in self.supervisor.resume() {
            match action {
                Action::Carry(job) => self.carriers.carry(*job, true),
                other => self.act(other),
            }
        }
        let settable = self.settable();
        self.round(vec![Event::Woke, settable]).await;
        let mut stop = self.stop.subscribe();
        let mut prune = tokio::time::interval(PRUNE_EVERY);
        let mut tick = tokio::time::interval(TICK);
        let mut batch = Vec::with_capacity(ROUND);
        loop {
            let wake = self.supervisor.next_wake(now()).map_or(TICK, |at| at.since(now()));
            tokio::select! {
                () = stopped(&mut stop) => break,
                count = self.events.recv_many(&mut batch, ROUND) => {
                    debug_assert!(count > 0, "the context keeps a sender");
                }
                () = tokio::time::sleep(wake) => batch.push(Event::Woke),
                // However much happens: what is overdue ends.
                _ = tick.tick() => batch.push(Event::Woke),
                _ = prune.tick() => self.prune().await,
            }
            let round = std::mem::take(&mut batch);
            self.round(round).await;
            self.carriers.reap();
            while self.presses.try_join_next().is_some() {}
        }
        self.finish().await;
    }

    /// At which servers something can be set.
    fn settable(&self) -> Event {
        Event::Settable(settings::schemas(&self.context.drivers.load()))
    }

    async fn round(&mut self, mut events: Vec<Event>) {
        let now = now();
        if events.iter().any(|event| matches!(event, Event::Reconfigured(_))) {
            self.watchers = Watchers::start(self.context.clone());
            self.keepers = Keepers::start(&self.context);
            self.hooks.heed();
            events.push(self.settable());
        }
        let (mut changes, mut rest) = (Vec::new(), Vec::new());
        for action in self.supervisor.handle_all(events, now) {
            match action {
                Action::Save(change) => changes.push(change),
                other => rest.push(other),
            }
        }
        // Who only asked, or only took an event, has changed nothing that others watch.
        let is_quiet = |change: &Change| {
            matches!(change, Change::Audit(_) | Change::Webhook { new: None, .. })
        };
        let changed = !changes.iter().all(is_quiet);
        if changed {
            crash::point("commit");
        }
        if !changes.is_empty() {
            self.commit(&changes, now).await;
        }
        if changes.iter().any(|change| matches!(change, Change::Book(_))) {
            self.context.book.store(self.supervisor.book());
        }
        if changed {
            self.context.changed.send_modify(|round| *round += 1);
        }
        for action in rest {
            crash::point(deed(&action));
            self.act(action);
        }
    }

    async fn commit(&mut self, changes: &[Change], now: Timestamp) {
        while let Err(failed) = self.store.commit(changes, now).await {
            error!(%failed, "nothing is promised until the store is well again");
            tokio::time::sleep(COMMIT_PAUSE).await;
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Save(_) => unreachable!("saved before"),
            Action::Promise(token, answer) => self.context.answer(token, answer),
            // Whoever stops begins nothing; the next life carries it on.
            Action::Carry(_) | Action::Prepare(_) | Action::Push { .. } if *self.stop.borrow() => {}
            Action::Carry(job) => self.carriers.carry(*job, false),
            Action::Cancel(job, _) => self.carriers.cancel(job),
            Action::Forget(server, ticket) => self.carriers.forget(server, ticket),
            Action::Prepare(work) => {
                self.presses.spawn(prepare::run(self.context.clone(), *work));
            }
            Action::Release(server, key) => self.watchers.release(&server, key),
            Action::TellAgain(hook) => self.hooks.hurry(&hook),
            Action::Push { server, version, settings, known } => {
                self.keepers.push(&server, settings::Order { version, settings, known });
            }
        }
    }

    async fn prune(&mut self) {
        let config = self.context.config.load_full();
        let kept = Duration::from_secs(u64::from(config.keep_days) * 24 * 3600);
        let oldest = now() - needed(kept, config.setup.limits.duplicate_window);
        match self.store.prune(oldest).await {
            Ok(0) => {}
            Ok(jobs) => info!(jobs, "finished jobs are forgotten"),
            Err(failed) => warn!(%failed, "finished jobs could not be forgotten"),
        }
    }

    /// What arrives while the listeners finish is still handled, and mails that are
    /// being handed over are waited for, since nobody can ask a mail server later what
    /// became of them. Calls are left to the next life.
    async fn finish(mut self) {
        info!("stopping");
        let deadline = tokio::time::Instant::now() + STOP_GRACE;
        let mut batch = Vec::new();
        while !self.tasks.is_empty()
            || !self.carriers.mails.is_empty()
            || self.context.reports.is_sending()
        {
            tokio::select! {
                Some(_) = self.tasks.join_next() => {}
                Some(_) = self.carriers.mails.join_next() => {}
                _ = self.events.recv_many(&mut batch, ROUND) => {
                    let round = std::mem::take(&mut batch);
                    self.round(round).await;
                }
                () = tokio::time::sleep(LOOK), if self.context.reports.is_sending() => {}
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        self.tasks.shutdown().await;
        let _ = tokio::time::timeout_at(deadline, self.hooks.stop()).await;
        // What the last mails and receivers have said is saved as well.
        self.events.close();
        while self.events.recv_many(&mut batch, ROUND).await > 0 {
            let round = std::mem::take(&mut batch);
            self.round(round).await;
        }
        self.carriers.tasks.shutdown().await;
        self.presses.shutdown().await;
        info!("stopped");
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The daemon itself keeps the sender.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// What an action is called where it may be the last.
fn deed(action: &Action) -> &'static str {
    match action {
        Action::Save(_) => "save",
        Action::Promise(..) => "promise",
        Action::Carry(_) => "carry",
        Action::Cancel(..) => "cancel",
        Action::Forget(..) => "let forget",
        Action::Prepare(_) => "prepare",
        Action::Release(..) => "let go",
        Action::TellAgain(_) => "tell again",
        Action::Push { .. } => "push settings",
    }
}

/// The job's name in a log.
#[must_use]
pub fn tag(context: &Context, job: &Job) -> String {
    let attempt = job.under_way().map_or(0, |attempt| attempt.number);
    tag_of(context, job.id, attempt)
}

/// What an attempt is called at its fax server; [`crate::returns`] reads it as well.
#[must_use]
pub fn tag_of(context: &Context, job: JobId, attempt: u32) -> String {
    format!("pf-{}-{job}-{attempt}", context.reader.installation)
}

/// How long jobs are kept at least: by them a new life knows which mails it has taken
/// already, and what is used of the quotas.
fn needed(kept: Duration, duplicate_window: Duration) -> Duration {
    kept.max(duplicate_window).max(quota::DAY)
}

/// What makes pages, with a folder for those who convert documents that a next life empties.
fn renderer(config: &Config, exe: &Path) -> Renderer {
    prepare::renderer(config, exe).with_scratch(config.state.join(SCRATCH))
}

#[cfg(test)]
mod tests {
    use postfax_domain::{
        audit::{Asker, Door},
        authority::Who,
        settings::{Name, Record, State, Value},
        supervisor::{AskSettings, SettingsRequest},
    };

    use super::*;
    use crate::settings::tests::{Fake, Mood, dials};

    /// A daemon on this folder, whose one server is this one.
    async fn begin(state: &std::path::Path, server: &Arc<Fake>) -> (Arc<Context>, JoinSet<()>) {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut config = crate::config::load(&file.join("tests/config/good/minimal.toml")).unwrap();
        config.state = state.to_owned();
        let setup = config.setup.clone();
        let daemon = Daemon::open(config).await.unwrap();
        let context = daemon.context();
        let driver: Arc<dyn Driver> = server.clone();
        let named = |name: &ServerName| (name.clone(), driver.clone());
        context.drivers.store(Arc::new(setup.servers.keys().map(named).collect()));
        let mut life = JoinSet::new();
        life.spawn_local(daemon.run());
        context.tell(Event::Reconfigured(setup)).await;
        (context, life)
    }

    async fn ask(context: &Context, what: AskSettings) -> Option<Record> {
        let server = context.config.load().setup.servers.keys().next().unwrap().clone();
        let by = Asker { who: Who::Administrator, door: Door::Socket, from: "uid 0".into() };
        let request = SettingsRequest { server, by, what };
        match context.ask(Request::Settings(Box::new(request))).await.unwrap() {
            Answer::Settings(sheet) => Some(sheet.record),
            _ => None,
        }
    }

    async fn applied(context: &Context) -> Record {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            match ask(context, AskSettings::Get).await {
                Some(record) if matches!(record.state(), State::Applied { .. }) => return record,
                other if tokio::time::Instant::now() > deadline => panic!("{other:?}"),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    #[tokio::test]
    async fn settings_that_were_promised_reach_their_server_in_another_life() {
        tokio::task::LocalSet::new().run_until(two_lives()).await;
    }

    async fn two_lives() {
        let folder = tempfile::tempdir().unwrap();
        let server = Arc::new(Fake::new(Mood::Well));
        let (context, mut life) = begin(folder.path(), &server).await;
        assert_eq!(applied(&context).await.latest().number, 1);
        server.be(Mood::Away);
        let changes = vec![(Name::of_server("max_dials"), Some(Value::Number(5)))];
        let register = AskSettings::Register { base: Some(1), changes, reason: String::new() };
        let promised = ask(&context, register).await.unwrap();
        life.shutdown().await;
        drop(context);
        assert_eq!(server.holds(), dials(3), "it was away");
        server.be(Mood::Well);
        let (context, _life) = begin(folder.path(), &server).await;
        let record = applied(&context).await;
        assert_eq!(record.latest(), promised.latest());
        assert_eq!(server.holds(), dials(5));
    }

    #[test]
    fn jobs_are_kept_as_long_as_quotas_and_repeated_mails_need_them() {
        let days = |days: u64| Duration::from_secs(days * 24 * 3600);
        for (kept, window, least) in [(0, 0, 1), (0, 2, 2), (30, 2, 30)] {
            assert_eq!(needed(days(kept), days(window)), days(least), "{kept} {window}");
        }
    }
}
