//! The heart: events in, actions out.
//!
//! One task of the daemon owns the [`Supervisor`], hands it every event with the
//! time, commits all [`Action::Save`]s of a round in one transaction, and then
//! carries out the other actions in their order. Whatever is promised to the
//! outside stands after the `Save` that makes it true.
//!
//! What is never found here: two calls to one number at a time; a call for a
//! client by a server that shares no group with it; a job that ended twice; an
//! attempt begun before the one before it has ended.

mod accept;
mod arrive;
mod asked;
mod book;
mod broken;
mod calling;
mod caps;
mod dispatch;
mod ended;
mod event;
mod inquire;
mod orders;
mod press;
mod requests;
mod returned;
mod settings;
mod webhooks;

#[cfg(test)]
mod model;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod told;
#[cfg(test)]
pub(crate) use tests::setup as test_setup;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

pub use accept::{Recipient, Refusal, Submission};
pub use dispatch::TICK;
pub use event::{Action, Change, Event};
pub use press::{Order, Unfit, Work};
pub use requests::{Answer, Request, ServerStatus, SettingsStatus, Status, Unable, Unread};
pub use returned::{Returned, Said};
pub use settings::{AskSettings, SettingsRefusal, SettingsRequest, Sheet, no_such_version};

use calling::Calling;
use press::Press;

use crate::{
    book::{self as phone_book, Book},
    destination::{Destination, Mailbox},
    document::Digest,
    fleet::{Fleet, Health},
    job::{Alarm, Carrier, Cause, Job, State},
    names::{HookName, JobId, ServerName},
    number::Number,
    quota::{Ledger, Spent},
    settings::Record,
    setup::Setup,
    time::Timestamp,
    webhook::{self, Stage, Standing},
};

/// What an earlier life of the daemon has left in the store.
#[derive(Debug, Default)]
pub struct Saved {
    /// All jobs that are not over.
    pub jobs: Vec<Job>,
    /// The next number of a job.
    pub next_job: u64,
    /// Mails accepted within the duplicate window.
    pub accepted: Vec<(DuplicateKey, JobId, Timestamp)>,
    /// Faxes that were fetched.
    pub arrivals: Vec<(ServerName, String)>,
    /// What faxes of the last 24 hours have used.
    pub spent: Vec<Spent>,
    /// Servers that somebody has drained.
    pub drained: BTreeSet<ServerName>,
    /// The phone book.
    pub book: phone_book::Saved,
    /// The registered settings.
    pub settings: BTreeMap<ServerName, Record>,
    /// How far the events of each hook have come.
    pub webhooks: BTreeMap<HookName, Standing>,
    /// When it was read.
    pub at: Timestamp,
}

/// By this a mail is recognised that comes a second time (RFC 4161 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DuplicateKey {
    /// Who sends.
    pub client: String,
    /// Message-ID.
    pub message_id: String,
    /// What is sent.
    pub content: Digest,
    /// Where it goes.
    pub number: Number,
    /// T.33 sub-address.
    pub subaddress: Option<String>,
}

/// Decides everything; does nothing.
#[derive(Debug)]
pub struct Supervisor {
    /// What is in force: what was configured, and what was drained by order.
    setup: Arc<Setup>,
    /// What was configured.
    configured: Arc<Setup>,
    /// Servers that somebody has drained.
    drained: BTreeSet<ServerName>,
    fleet: Fleet,
    jobs: BTreeMap<JobId, Job>,
    next_job: u64,
    /// Waiting faxes: most urgent first, then the longest due.
    faxes: BTreeSet<(Reverse<i8>, Timestamp, JobId)>,
    /// Waiting faxes that are on hold.
    on_hold: BTreeSet<JobId>,
    /// Waiting mails: the longest due first.
    mails: BTreeSet<(Timestamp, JobId)>,
    /// When something about a waiting job changes by itself.
    timed: BTreeSet<(Timestamp, JobId)>,
    /// When the sender of a fax is to be told that it is still tried.
    planned: BTreeSet<(Timestamp, JobId)>,
    /// Numbers with a call under way.
    calling: Calling,
    /// Mails under way.
    mailing: usize,
    /// Mails whose pages are to be made.
    press: Press,
    accepted: HashMap<DuplicateKey, (JobId, Timestamp)>,
    accepted_walked_at: usize,
    /// How many faxes were taken for each number of late.
    hourly: caps::Hourly,
    /// Lines that do not work.
    broken: broken::Broken,
    /// How many alarms were mailed of late.
    alarms: caps::Alarms,
    arrivals: HashSet<(ServerName, String)>,
    quotas: Ledger,
    settings: settings::Registry,
    book: Arc<Book>,
    outboxes: webhooks::Outboxes,
}

impl Supervisor {
    /// Begins where an earlier life ended. The first event must be [`Event::Woke`]:
    /// it carries on what was under way.
    #[must_use]
    pub fn restore(setup: Arc<Setup>, saved: Saved) -> Self {
        let quotas = Ledger::restore(&setup, &saved.spent, saved.at);
        let mut supervisor = Self {
            setup: setup.clone(),
            configured: setup,
            drained: saved.drained,
            fleet: Fleet::default(),
            jobs: BTreeMap::new(),
            next_job: saved.next_job.max(1),
            faxes: BTreeSet::new(),
            on_hold: BTreeSet::new(),
            mails: BTreeSet::new(),
            timed: BTreeSet::new(),
            planned: BTreeSet::new(),
            calling: Calling::default(),
            mailing: 0,
            press: Press::default(),
            hourly: caps::Hourly::restore(&saved.accepted),
            broken: broken::Broken::default(),
            alarms: caps::Alarms::default(),
            accepted: saved.accepted.into_iter().map(|(k, id, at)| (k, (id, at))).collect(),
            accepted_walked_at: 0,
            arrivals: saved.arrivals.into_iter().collect(),
            quotas,
            settings: settings::Registry::restore(saved.settings),
            book: Arc::new(Book::load(saved.book)),
            outboxes: webhooks::Outboxes::restore(saved.webhooks),
        };
        supervisor.put_in_force();
        for job in saved.jobs {
            supervisor.next_job = supervisor.next_job.max(job.id.0 + 1);
            supervisor.jobs.insert(job.id, job.clone());
            supervisor.index(&job);
        }
        supervisor
    }

    /// The attempts that an earlier life left under way; the carriers are to be
    /// asked for them.
    #[must_use]
    pub fn resume(&self) -> Vec<Action> {
        let under_way = self.jobs.values().filter(|job| job.under_way().is_some());
        let mut actions = Vec::new();
        for job in under_way {
            actions.push(Action::Carry(Box::new(job.clone())));
            if let (State::Carrying { cancelling: true }, Some(attempt)) =
                (&job.state, job.under_way())
            {
                actions.push(Action::Cancel(job.id, attempt.carrier.clone()));
            }
        }
        actions
    }

    /// Takes what has happened and says what is to be done about it.
    pub fn handle(&mut self, event: Event, now: Timestamp) -> Vec<Action> {
        self.handle_all([event], now)
    }

    /// The same for all events of a round, in their order; what waits is looked
    /// through once for all of them.
    pub fn handle_all(
        &mut self,
        events: impl IntoIterator<Item = Event>,
        now: Timestamp,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        for event in events {
            self.take(event, now, &mut actions);
        }
        // Before the dispatch, for the alarms that may come of it, and after it, for what
        // it has ended.
        self.tell_hooks(now, &mut actions);
        self.dispatch(now, &mut actions);
        self.tell_hooks(now, &mut actions);
        actions
    }

    fn take(&mut self, event: Event, now: Timestamp, actions: &mut Vec<Action>) {
        match event {
            Event::Submitted(submission, token) => {
                self.submitted(*submission, token, now, actions);
            }
            Event::Placed { job, attempt, ticket } => {
                self.change(job, actions, |job| job.place(attempt, &ticket));
            }
            Event::Progress { job, attempt, ledger } => {
                self.change(job, actions, |job| job.progress(attempt, ledger));
            }
            Event::Ended { job, attempt, ledger, end } => {
                self.ended(job, attempt, ledger, end, actions);
            }
            Event::Prepared { message, made } => self.prepared(&message, made, now, actions),
            Event::Arrived(arrival) => self.arrived(*arrival, now, actions),
            Event::Health(server, health) => self.heard(server, health, now, actions),
            Event::Settable(schemas) => self.settable(schemas, actions),
            Event::ReadBack(server, held) => self.read_back(&server, held, actions),
            Event::Unreadable(server, why) => self.unreadable(&server, why, now, actions),
            Event::Pushed(server, version, end) => {
                self.pushed(&server, version, end, now, actions);
            }
            Event::Told(hook, settled) => self.told(&hook, settled, now, actions),
            Event::Asked(request, token) => {
                let answer = self.asked(request, now, actions);
                actions.push(Action::Promise(token, answer));
            }
            Event::Requested(request, line, token) => {
                self.requested(request, *line, token, now, actions);
            }
            Event::Noted(mut line, token) => {
                line.at = now;
                actions.push(Action::Save(Change::Audit(line)));
                actions.push(Action::Promise(token, Answer::Noted));
            }
            Event::Reconfigured(setup) => {
                self.configured = setup;
                self.forget_drained(actions);
                self.put_in_force();
                self.route_held(now, actions);
                self.mind_hooks(actions);
            }
            Event::Woke => {
                self.expire_overdue(now, actions);
                self.report_delays(now, actions);
                self.push_again(now, actions);
                // The configuration may have changed between two lives.
                self.forget_drained(actions);
                self.mind_hooks(actions);
            }
        }
    }

    /// When the supervisor wants to be woken, if nothing happens before.
    #[must_use]
    pub fn next_wake(&self, now: Timestamp) -> Option<Timestamp> {
        // What is due already waits for a line or for a number, not for a time.
        let later = now + Duration::from_millis(1);
        let next = |times: &BTreeSet<(Timestamp, JobId)>| {
            times.range((later, JobId(0))..).next().map(|(at, _)| *at)
        };
        next(&self.timed).into_iter().chain(next(&self.planned)).min()
    }

    /// The phone book as it is now.
    #[must_use]
    pub fn book(&self) -> Arc<Book> {
        self.book.clone()
    }

    /// A job that is not over.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    fn heard(
        &mut self,
        name: ServerName,
        health: Health,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        if !self.setup.servers.contains_key(&name) {
            return;
        }
        let was = self.fleet.0.get(&name).map(|live| &live.health);
        let was_up = matches!(was, Some(Health::Up { .. }));
        if let Health::Up { .. } = health {
            self.push_pending(&name, actions);
            if !was_up {
                self.push_to_returned(&name, actions);
            }
            for alarm in self.broken.heed(&name, health.broken(), now) {
                self.alarm(alarm, now, actions);
            }
        }
        let live = self.fleet.0.entry(name.clone()).or_default();
        let is_new = std::mem::discriminant(&live.health) != std::mem::discriminant(&health);
        if is_new {
            live.since = now;
        }
        live.health = health;
        match &live.health {
            Health::Up { .. } if is_new => self.note_server(webhook::Event::Up, &name),
            Health::Down { .. } if is_new => self.note_server(webhook::Event::Down, &name),
            _ => {}
        }
    }

    fn next_id(&mut self) -> JobId {
        let id = JobId(self.next_job);
        self.next_job += 1;
        id
    }

    /// Changes a job and saves it, if the change says that there was one.
    fn change(
        &mut self,
        id: JobId,
        actions: &mut Vec<Action>,
        change: impl FnOnce(&mut Job) -> bool,
    ) -> bool {
        let Some(mut job) = self.jobs.remove(&id) else { return false };
        self.forget_index(&job);
        let before = Stage::of(&job);
        let changed = change(&mut job);
        if changed {
            self.save(before.as_ref(), &job, actions);
        }
        self.keep(job);
        changed
    }

    /// Tells the postmaster, by a mail that is as durable as any other job.
    fn alarm(&mut self, alarm: Alarm, now: Timestamp, actions: &mut Vec<Action>) {
        let alarm = match self.alarms.take(now) {
            caps::Room::Free => alarm,
            caps::Room::Last => Alarm::Many(alarm.job()),
            caps::Room::None => return,
        };
        let to = Mailbox { address: self.setup.postmaster.clone(), client: None };
        let id = self.next_id();
        let time = self.setup.limits.mail_expire;
        self.add(Job::mail(id, Cause::Alarm(alarm), to, now, time), actions);
    }

    /// Takes in a new job and saves it.
    fn add(&mut self, job: Job, actions: &mut Vec<Action>) {
        self.save(None, &job, actions);
        self.keep(job);
    }

    /// Keeps a job as long as it is not over.
    fn keep(&mut self, job: Job) {
        if !job.is_ended() {
            self.index(&job);
            self.jobs.insert(job.id, job);
        }
    }

    fn index(&mut self, job: &Job) {
        self.planned.extend(job.planned.iter().map(|planned| (planned.at, job.id)));
        self.press.index(job);
        if let Some(due) = job.due() {
            match job.destination {
                Destination::Fax(_) if job.on_hold => self.on_hold.insert(job.id),
                Destination::Fax(_) => self.faxes.insert((Reverse(job.priority), due, job.id)),
                _ => self.mails.insert((due, job.id)),
            };
            if !job.on_hold {
                self.timed.extend(job.moments().map(|at| (at, job.id)));
            }
        }
        match (job.under_way().map(|attempt| &attempt.carrier), &job.destination) {
            (Some(Carrier::Server(server)), Destination::Fax(fax)) => {
                let lines = u32::from(self.calling.begins(&fax.number, server, job.id));
                self.fleet.0.entry(server.clone()).or_default().busy += lines;
            }
            (Some(Carrier::Mail), _) => self.mailing += 1,
            _ => {}
        }
    }

    fn forget_index(&mut self, job: &Job) {
        for planned in &job.planned {
            self.planned.remove(&(planned.at, job.id));
        }
        self.press.forget(job);
        if let Some(due) = job.due() {
            self.on_hold.remove(&job.id);
            self.faxes.remove(&(Reverse(job.priority), due, job.id));
            self.mails.remove(&(due, job.id));
            for at in job.moments() {
                self.timed.remove(&(at, job.id));
            }
        }
        match (job.under_way().map(|attempt| &attempt.carrier), &job.destination) {
            (Some(Carrier::Server(server)), Destination::Fax(fax)) => {
                let lines = u32::from(self.calling.ends(&fax.number, job.id));
                self.fleet.0.entry(server.clone()).or_default().busy -= lines;
            }
            (Some(Carrier::Mail), _) => self.mailing -= 1,
            _ => {}
        }
    }
}
