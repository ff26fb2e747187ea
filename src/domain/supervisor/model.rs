//! The supervisor under random sequences of events, against what must never happen.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use proptest::prelude::*;

use super::{
    tests::{NOW, client, document, server, setup, submission, up},
    *,
};
use crate::{
    document::PageLedger,
    job::{AttemptEnd, Cause, End},
    names::Token,
    options::Made,
    outcome::{Outcome, TABLE},
    route::Arrival,
    setup::Setup,
    time::WallClock,
};

const CLIENTS: [&str; 3] = ["anna", "bob", "carl"];
const SERVERS: [&str; 3] = ["london-1", "london-2", "paris-1"];

#[derive(Debug, Clone)]
enum Step {
    Submit { from: usize, to: u32, mail: u32, pages: bool },
    Make { which: usize, fit: bool },
    Up(usize),
    Down(usize),
    End { which: usize, outcome: usize, confirmed: u32 },
    Stale { job: u64, attempt: u32 },
    Arrive { from: usize, key: u32 },
    Cancel(u64),
    Retry(u64),
    Hold(u64),
    Release(u64),
    Alter { job: u64, priority: i8, to: Option<u32>, tries: Option<u32>, later: Option<u64> },
    Assign { job: u64, to: usize },
    Drain(usize, bool),
    GiveUp(usize),
    Later(u64),
    Restart,
    Narrow,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3usize, 0..4u32, 0..1000u32, any::<bool>())
            .prop_map(|(from, to, mail, pages)| Step::Submit { from, to, mail, pages }),
        3 => (0..3usize, any::<bool>()).prop_map(|(which, fit)| Step::Make { which, fit }),
        2 => (0..3usize).prop_map(Step::Up),
        1 => (0..3usize).prop_map(Step::Down),
        6 => (0..8usize, 0..TABLE.len(), 0..5u32)
            .prop_map(|(which, outcome, confirmed)| Step::End { which, outcome, confirmed }),
        1 => (0..10u64, 0..4u32).prop_map(|(job, attempt)| Step::Stale { job, attempt }),
        1 => (0..3usize, 0..5u32).prop_map(|(from, key)| Step::Arrive { from, key }),
        1 => (1..20u64).prop_map(Step::Cancel),
        1 => (1..20u64).prop_map(Step::Retry),
        1 => (1..20u64).prop_map(Step::Hold),
        1 => (1..20u64).prop_map(Step::Release),
        1 => (1..20u64, -9..10i8, prop::option::of(0..4u32), prop::option::of(1..4u32),
              prop::option::of(0..9000u64))
            .prop_map(|(job, priority, to, tries, later)| {
                Step::Alter { job, priority, to, tries, later }
            }),
        1 => (1..20u64, 0..3usize).prop_map(|(job, to)| Step::Assign { job, to }),
        1 => (0..3usize, any::<bool>()).prop_map(|(which, on)| Step::Drain(which, on)),
        1 => (0..3usize).prop_map(Step::GiveUp),
        3 => (1..4000u64).prop_map(Step::Later),
        1 => Just(Step::Restart),
        1 => Just(Step::Narrow),
    ]
}

/// The world around the supervisor: a store, carriers, and what was seen of them.
struct World {
    setup: Arc<Setup>,
    supervisor: Supervisor,
    now: Timestamp,
    store: BTreeMap<JobId, Job>,
    arrivals: BTreeSet<(ServerName, String)>,
    under_way: BTreeMap<JobId, Job>,
    presses: BTreeMap<String, Vec<JobId>>,
    delivered: BTreeSet<JobId>,
    promised: BTreeSet<JobId>,
    drained: BTreeSet<ServerName>,
}

impl World {
    fn new() -> Self {
        let mut setup = setup();
        // One of the three takes batches.
        setup.servers.get_mut(&ServerName::new("london-2").unwrap()).unwrap().batch = 2;
        let setup = Arc::new(setup);
        Self {
            supervisor: Supervisor::restore(setup.clone(), Saved::default()),
            setup,
            now: NOW,
            store: BTreeMap::new(),
            arrivals: BTreeSet::new(),
            under_way: BTreeMap::new(),
            presses: BTreeMap::new(),
            delivered: BTreeSet::new(),
            promised: BTreeSet::new(),
            drained: BTreeSet::new(),
        }
    }

    fn event(&mut self, event: Event) {
        let actions = self.supervisor.handle(event, self.now);
        self.act(actions);
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Save(Change::Job(job)) => self.save(*job),
                Action::Save(Change::Arrival(server, key)) => {
                    assert!(self.arrivals.insert((server, key)), "a fax arrives once");
                }
                Action::Save(Change::Drained(server, true)) => drop(self.drained.insert(server)),
                Action::Save(Change::Drained(server, false)) => drop(self.drained.remove(&server)),
                // What was given up is out of our hands, whatever it does.
                Action::Promise(_, Answer::GaveUp { jobs, .. }) => {
                    self.under_way.retain(|id, _| !jobs.contains(id));
                }
                Action::Promise(_, Answer::Accepted(ids)) => {
                    for id in ids {
                        assert!(self.store.contains_key(&id), "promised before it was saved");
                        self.promised.insert(id);
                    }
                }
                Action::Carry(job) => self.carry(*job),
                Action::Prepare(work) => {
                    let orders = work.orders.iter().map(|order| order.job).collect();
                    let twice = self.presses.insert(work.message, orders);
                    assert!(twice.is_none(), "the pages of a mail are made twice");
                    assert!(self.presses.len() <= self.setup.limits.converters);
                }
                Action::Release(server, key) => {
                    assert!(self.arrivals.contains(&(server, key)), "released before saved");
                }
                _ => {}
            }
        }
    }

    fn save(&mut self, job: Job) {
        if let Some(old) = self.store.get(&job.id) {
            assert!(!old.is_ended(), "job {} changed after its end", job.id);
        }
        self.store.insert(job.id, job);
    }

    fn carry(&mut self, job: Job) {
        let attempt = job.under_way().expect("a carried job is under way").clone();
        assert_eq!(self.store[&job.id], job, "carried before it was saved");
        assert!(!self.delivered.contains(&job.id), "sent twice");
        assert!(!self.under_way.contains_key(&job.id), "two attempts at a time");
        if let (Destination::Fax(to), Carrier::Server(by)) = (&job.destination, &attempt.carrier) {
            assert!(job.document.is_some(), "called without pages");
            assert!(!job.on_hold, "called while on hold");
            assert!(!self.drained.contains(by), "called by a server that is drained");
            let mut together = 1;
            let mut numbers = BTreeSet::new();
            for other in self.under_way.values() {
                let Destination::Fax(fax) = &other.destination else { continue };
                let carrier = &other.under_way().unwrap().carrier;
                if fax.number == to.number {
                    together += 1;
                    assert_eq!(carrier, &attempt.carrier, "two servers call one number");
                } else if matches!(carrier, Carrier::Server(name) if name == by) {
                    numbers.insert(&fax.number);
                }
            }
            let server = &self.setup.servers[by];
            assert!(together <= server.batch, "{together} calls to one number");
            assert!(numbers.len() < server.lines as usize, "more calls than lines");
            let from = &job.sender().unwrap().client;
            assert!(self.setup.share_group(from, by), "across groups");
        }
        if let (Cause::Arrived(fax), Destination::Mailbox(to)) = (&job.cause, &job.destination) {
            assert!(self.setup.share_group(to.client.as_ref().unwrap(), &fax.server));
        }
        self.under_way.insert(job.id, job);
    }

    fn end(&mut self, job: &Job, outcome: Outcome, confirmed: u32) {
        let attempt = job.under_way().unwrap().number;
        self.under_way.remove(&job.id);
        if outcome.is_success() {
            assert!(self.delivered.insert(job.id));
        }
        let ledger = PageLedger { confirmed, ..PageLedger::default() };
        let end = AttemptEnd { at: self.now, outcome, said: String::new() };
        self.event(Event::Ended { job: job.id, attempt, ledger, end });
    }

    fn make(&mut self, message: String, fit: bool) {
        let orders: Vec<JobId> = self.presses.remove(&message).unwrap_or_default();
        let said = "it is a picture of nothing".into();
        let made = match fit {
            // Every other fax has a cover.
            true => Ok(orders.into_iter().map(|id| (id, made(id.0 % 2 == 0))).collect()),
            false => Err(Unfit { outcome: Outcome::BadDocument, said }),
        };
        self.event(Event::Prepared { message, made });
    }

    fn restart(&mut self) {
        self.presses.clear();
        let jobs: Vec<Job> = self.store.values().filter(|job| !job.is_ended()).cloned().collect();
        let keys =
            self.store.values().filter_map(|j| Some((DuplicateKey::of(j)?, j.id, j.created)));
        let saved = Saved {
            jobs,
            next_job: self.store.keys().last().map_or(1, |id| id.0 + 1),
            accepted: keys.collect(),
            arrivals: self.arrivals.iter().cloned().collect(),
            drained: self.drained.clone(),
            ..Saved::default()
        };
        self.supervisor = Supervisor::restore(self.setup.clone(), saved);
        // Whoever carried still does; nothing else is carried on.
        let before = std::mem::take(&mut self.under_way);
        for action in self.supervisor.resume() {
            if let Action::Carry(job) = action {
                self.under_way.insert(job.id, *job);
            }
        }
        let same_attempt = |job: &Job| job.under_way().unwrap().number;
        assert_eq!(
            before.values().map(same_attempt).collect::<Vec<_>>(),
            self.under_way.values().map(same_attempt).collect::<Vec<_>>(),
            "what was under way is carried on"
        );
        self.event(Event::Woke);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Submit { from, to, mail, pages } => {
                let to = format!("+44207946010{to}");
                let mut offer = submission(CLIENTS[from], &to, &format!("<{mail}@example.com>"));
                offer.message = format!("m{}", mail % 7);
                if !pages {
                    offer.recipients[0].made = None;
                }
                self.event(Event::Submitted(Box::new(offer), Token(0)));
            }
            Step::Make { which, fit } => {
                if let Some(mail) = self.presses.keys().nth(which).cloned() {
                    self.make(mail, fit);
                }
            }
            Step::Up(which) => self.event(Event::Health(server(SERVERS[which]), up())),
            Step::Down(which) => {
                let down = Health::Down { why: "test".into() };
                self.event(Event::Health(server(SERVERS[which]), down));
            }
            Step::End { which, outcome, confirmed } => {
                let Some(job) = self.under_way.values().nth(which).cloned() else { return };
                let outcome = TABLE[outcome].outcome;
                self.end(&job, outcome, confirmed);
            }
            Step::Stale { job, attempt } => self.stale(JobId(job), attempt),
            Step::Arrive { from, key } => {
                self.event(Event::Arrived(Box::new(arrival(from, key, self.now))))
            }
            Step::Cancel(id) => self.event(Event::Asked(Request::Cancel(JobId(id)), Token(0))),
            Step::Retry(id) => self.event(Event::Asked(Request::Retry(JobId(id)), Token(0))),
            Step::Hold(id) => self.ask(Request::Hold(JobId(id))),
            Step::Release(id) => self.ask(Request::Release(JobId(id))),
            Step::Alter { job, priority, to, tries, later } => {
                let number = to.map(|to| format!("+44207946010{to}"));
                let alteration = crate::job::Alteration {
                    priority: Some(priority),
                    number: number.map(|number| Number::try_from(number).unwrap()),
                    tries,
                    due: later.map(|later| self.now + Duration::from_secs(later)),
                    expires: None,
                };
                self.ask(Request::Alter(JobId(job), alteration));
            }
            Step::Assign { job, to } => {
                let client = client(CLIENTS[to]);
                self.ask(Request::Assign { job: JobId(job), client });
            }
            Step::Drain(which, on) => self.ask(Request::Drain(server(SERVERS[which]), on)),
            Step::GiveUp(which) => self.ask(Request::GiveUp(server(SERVERS[which]))),
            Step::Later(seconds) => {
                self.now = self.now + Duration::from_secs(seconds);
                self.event(Event::Woke);
            }
            Step::Restart => self.restart(),
            Step::Narrow => self.narrow(),
        }
    }

    fn ask(&mut self, request: Request) {
        self.event(Event::Asked(request, Token(0)));
    }

    /// A report about an attempt that is not the one under way changes nothing.
    fn stale(&mut self, job: JobId, attempt: u32) {
        let current = self.under_way.get(&job).map(|job| job.under_way().unwrap().number);
        if current == Some(attempt) {
            return;
        }
        let before = self.store.get(&job).cloned();
        let end = AttemptEnd { at: self.now, outcome: Outcome::Busy, said: String::new() };
        self.event(Event::Ended { job, attempt, ledger: PageLedger::default(), end });
        let unchanged =
            before.is_none_or(|before| self.store[&job] == before || before.due().is_some());
        assert!(unchanged);
    }

    /// The administrator takes a client out of its group.
    fn narrow(&mut self) {
        let mut changed = (*self.setup).clone();
        changed.clients.remove(&client("anna"));
        self.setup = Arc::new(changed);
        self.event(Event::Reconfigured(self.setup.clone()));
    }

    /// Lets the world go on until nothing waits any more.
    fn drain(&mut self) {
        for which in 0..3 {
            self.step(Step::Up(which));
            self.step(Step::Drain(which, false));
        }
        for id in self.store.keys().copied().collect::<Vec<_>>() {
            self.ask(Request::Release(id));
        }
        for _ in 0..10_000 {
            if let Some(mail) = self.presses.keys().next().cloned() {
                self.make(mail, true);
                continue;
            }
            let Some(job) = self.under_way.values().next().cloned() else {
                let Some(at) = self.supervisor.next_wake(self.now) else { break };
                self.now = at;
                self.event(Event::Woke);
                continue;
            };
            let success = match job.destination {
                Destination::Fax(_) => Outcome::Delivered,
                _ => Outcome::MailAccepted,
            };
            self.end(&job, success, 3);
        }
        for job in self.store.values() {
            let over = job.is_ended() || job.state == State::Held;
            assert!(over, "job {} never ends: {:?}", job.id, job.state);
            assert!(job.confirmed <= job.pages(), "job {}", job.id);
            assert!(!delivered_fax(job) || job.pages_left() == 0, "job {}", job.id);
            let unfit = job.trouble.is_some() && job.document.is_none();
            assert!(!unfit || job.attempts.is_empty(), "called without pages");
            let delivered = matches!(job.state, State::Ended { end: End::Delivered, .. });
            assert_eq!(delivered, self.delivered.contains(&job.id), "job {}", job.id);
        }
        for id in &self.promised {
            assert!(self.store[id].is_ended());
        }
    }
}

fn made(covered: bool) -> Made {
    Made { cover: covered.then(|| document(1)), ..document(3).into() }
}

fn delivered_fax(job: &Job) -> bool {
    let is_fax = matches!(job.destination, Destination::Fax(_));
    is_fax && matches!(job.state, State::Ended { end: End::Delivered, .. })
}

fn arrival(from: usize, key: u32, now: Timestamp) -> Arrival {
    Arrival {
        server: server(SERVERS[from]),
        key: key.to_string(),
        line: None,
        called: Some(Number::try_from("+442079460100".to_owned()).unwrap()),
        caller: None,
        caller_name: None,
        tsi: None,
        subaddress: None,
        codes: Vec::new(),
        document: document(1),
        received: now,
        local: WallClock { weekday: 0, minute: 0 },
        duration: Duration::ZERO,
        bit_rate: None,
        error: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_is_lost_or_sent_twice_or_across(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.drain();
    }
}
