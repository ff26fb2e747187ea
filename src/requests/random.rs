//! Random sequences of grants, groups and requests, against a small model of the
//! authority that was written from its words and shares no code with it.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeSet;

use postfax_domain::{
    audit::{Asker, Door},
    authority::{Grant, Role, Verb, Who},
    destination::{Destination, Mailbox},
    job::{Cause, Job, State},
    names::{ClientName, GroupName, JobId, RoleName},
    setup::Setup,
};
use proptest::prelude::*;

use super::{
    Ask, AskAudit, AskInbound, AskJobs, Code, Problem, Reply, answer, fake::Fake, samples,
};

const CLIENTS: [&str; 3] = ["anna", "bert", "carl"];
const SERVERS: [&str; 3] = ["london-1", "paris-1", "berlin-1"];
const GROUPS: [&str; 2] = ["london", "paris"];
const VERBS: usize = Verb::ALL.len();

/// Where a grant holds: everywhere, a group, or a server.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Everywhere,
    Group(usize),
    Server(usize),
}

/// The world in numbers.
#[derive(Debug, Clone, Default)]
struct Plan {
    grants: Vec<(usize, usize, At)>,
    of_client: [BTreeSet<usize>; 3],
    of_server: [BTreeSet<usize>; 3],
}

#[derive(Debug, Clone)]
enum Step {
    Grant(usize, usize, At),
    Revoke(usize),
    Join(bool, usize, usize),
    Leave(bool, usize, usize),
    Asks(usize, usize, usize),
}

/// A job: who sends it, who gets it, where it arrived.
#[derive(Debug, Clone, Copy)]
struct Of {
    sender: Option<usize>,
    receiver: Option<usize>,
    server: Option<usize>,
    over: bool,
}

const JOBS: [Of; 6] = [
    Of { sender: Some(0), receiver: None, server: None, over: false },
    Of { sender: Some(1), receiver: None, server: Some(0), over: false },
    Of { sender: Some(2), receiver: None, server: Some(2), over: true },
    Of { sender: None, receiver: Some(1), server: Some(1), over: false },
    Of { sender: None, receiver: None, server: Some(2), over: false },
    Of { sender: None, receiver: None, server: Some(0), over: false },
];

impl Plan {
    /// Whether a client was granted a verb at something that reaches one of these.
    fn may(&self, who: usize, verb: Verb, servers: &[usize], clients: &[usize]) -> bool {
        self.grants.iter().filter(|(to, what, _)| *to == who && Verb::ALL[*what] == verb).any(
            |(_, _, at)| match *at {
                At::Everywhere => true,
                At::Server(server) => servers.contains(&server),
                At::Group(group) => {
                    servers.iter().any(|server| self.of_server[*server].contains(&group))
                        || clients.iter().any(|client| self.of_client[*client].contains(&group))
                }
            },
        )
    }

    fn on_job(&self, who: usize, verb: Verb, job: Of) -> bool {
        let parties: Vec<usize> = job.sender.into_iter().chain(job.receiver).collect();
        let servers: Vec<usize> = job.server.into_iter().collect();
        parties.contains(&who) || self.may(who, verb, &servers, &parties)
    }

    fn knows(&self, who: usize, server: usize) -> bool {
        let shares = self.of_client[who].intersection(&self.of_server[server]).next().is_some();
        let one = [server];
        shares
            || self.may(who, Verb::SettingsRead, &one, &[])
            || self.may(who, Verb::JobsSee, &one, &[])
    }

    fn setup(&self) -> Setup {
        let mut setup = samples::setup();
        let named = |groups: &BTreeSet<usize>| {
            groups.iter().map(|group| GroupName::new(GROUPS[*group]).unwrap()).collect()
        };
        let role = |verb: usize| RoleName::new(&format!("role-{verb}")).unwrap();
        setup.roles =
            (0..VERBS).map(|verb| (role(verb), Role { may: [Verb::ALL[verb]].into() })).collect();
        let any = setup.clients.values().next().unwrap().clone();
        setup.clients.clear();
        for (at, name) in CLIENTS.iter().enumerate() {
            let own = self.grants.iter().filter(|(to, ..)| *to == at);
            let grants = own.map(|(_, verb, scope)| {
                let scope = match scope {
                    At::Everywhere => "supervisor".to_owned(),
                    At::Group(group) => format!("group:{}", GROUPS[*group]),
                    At::Server(server) => format!("server:{}", SERVERS[*server]),
                };
                Grant { role: role(*verb), scope: scope.parse().unwrap() }
            });
            let grants = grants.collect();
            let client = postfax_domain::setup::Client {
                grants,
                groups: named(&self.of_client[at]),
                ..any.clone()
            };
            setup.clients.insert(ClientName::new(name).unwrap(), client);
        }
        for (at, name) in SERVERS.iter().enumerate() {
            let server = setup.servers.get_mut(&samples::server(name)).unwrap();
            server.groups = named(&self.of_server[at]);
        }
        setup
    }
}

fn client(at: usize) -> ClientName {
    ClientName::new(CLIENTS[at]).unwrap()
}

fn jobs() -> Vec<Job> {
    let job = |(at, of): (usize, &Of)| {
        let mut job = match of.sender {
            Some(_) if of.over => samples::delivered(),
            Some(_) if of.server.is_some() => samples::carrying(),
            Some(_) => samples::waiting(),
            None => samples::received(),
        };
        if let (Cause::Sent(sent), Some(sender)) = (&mut job.cause, of.sender) {
            sent.client = client(sender);
        }
        if let (Cause::Arrived(fax), Some(server)) = (&mut job.cause, of.server) {
            fax.server = samples::server(SERVERS[server]);
            job.destination = Destination::Unrouted;
            job.state = State::Held;
        }
        if let Some(receiver) = of.receiver {
            let address = format!("{}@example.com", CLIENTS[receiver]);
            job.destination =
                Destination::Mailbox(Mailbox { address, client: Some(client(receiver)) });
            job.state = State::Waiting { due: samples::START };
        }
        for attempt in &mut job.attempts {
            let server = samples::server(SERVERS[of.server.unwrap()]);
            attempt.carrier = postfax_domain::job::Carrier::Server(server);
        }
        Job { id: JobId(at as u64 + 1), ..job }
    };
    JOBS.iter().enumerate().map(job).rev().collect()
}

/// What should come of a request.
#[derive(Debug, PartialEq)]
enum Should {
    BeAnswered,
    BeRefused,
    FindNothing,
}

/// The request of this kind about this thing, and what the model says of it.
fn asked(plan: &Plan, who: usize, kind: usize, thing: usize) -> (Ask, Should) {
    let (at, of) = (thing % JOBS.len(), JOBS[thing % JOBS.len()]);
    let job = JobId(at as u64 + 1);
    let server = thing % SERVERS.len();
    let name = samples::server(SERVERS[server]);
    let allowed = |yes| if yes { Should::BeAnswered } else { Should::BeRefused };
    let on_job = |held| match (held, plan.on_job(who, Verb::JobsSee, of)) {
        (true, _) => Should::BeAnswered,
        (false, true) => Should::BeRefused,
        (false, false) => Should::FindNothing,
    };
    let everywhere = |verb| plan.may(who, verb, &[], &[]);
    let on_server = |verb| plan.may(who, verb, &[server], &[]);
    match kind {
        0 => (Ask::Show { job }, on_job(plan.on_job(who, Verb::JobsSee, of))),
        1 => (Ask::Cancel { job }, on_job(plan.on_job(who, Verb::JobsCancel, of))),
        2 => (Ask::Hold { job }, on_job(plan.on_job(who, Verb::JobsCancel, of))),
        3 => {
            let held = of.server.filter(|_| of.sender.is_none());
            let servers: Vec<usize> = held.into_iter().collect();
            let may = plan.may(who, Verb::InboundSee, &servers, &[]);
            (Ask::Assign { job, client: client(0) }, on_job(may))
        }
        4 => (Ask::Drain { server: name }, allowed(on_server(Verb::SettingsWrite))),
        5 => (Ask::GiveUp { server: name }, allowed(on_server(Verb::SettingsWrite))),
        6 => {
            let from = thing % CLIENTS.len();
            let may = from == who || plan.may(who, Verb::JobsSee, &[], &[from]);
            let ask =
                Ask::Explain { from: CLIENTS[from].into(), to: "0140000000".into(), pages: 1 };
            (ask, allowed(may))
        }
        7 => (Ask::Audit(AskAudit::default()), allowed(everywhere(Verb::AuditSee))),
        8 => (Ask::Reload, allowed(everywhere(Verb::ConfigWrite))),
        9 => (Ask::Jobs(AskJobs::default()), Should::BeAnswered),
        10 => (Ask::Inbound(AskInbound::default()), Should::BeAnswered),
        11 => (Ask::Pages { job }, on_job(plan.on_job(who, Verb::JobsSee, of))),
        12 => (Ask::Follow, Should::BeAnswered),
        _ => (Ask::ExplainJob { job }, on_job(plan.on_job(who, Verb::JobsSee, of))),
    }
}

/// Holds an answer against the model.
fn hold(plan: &Plan, who: usize, ask: &Ask, should: &Should, reply: &Reply) {
    let came = match reply {
        Reply::Problem(Problem { code: Code::NotPermitted, .. }) => Should::BeRefused,
        Reply::Problem(Problem { code: Code::NoSuchJob, .. }) => Should::FindNothing,
        _ => Should::BeAnswered,
    };
    assert_eq!(came, *should, "{} asks {ask:?} in {plan:?}: {reply:?}", CLIENTS[who]);
    let expected = |keep: &dyn Fn(Of) -> bool| -> Vec<JobId> {
        let kept = JOBS.iter().enumerate().filter(|(_, of)| keep(**of));
        kept.map(|(at, _)| JobId(at as u64 + 1)).rev().collect()
    };
    let found = match reply {
        Reply::Jobs(jobs) => jobs.iter().map(|job| job.job).collect::<Vec<_>>(),
        Reply::Job(story) => {
            for (server, _) in story.job.attempts.iter().flat_map(|a| &a.decision.servers) {
                let at = SERVERS.iter().position(|name| *name == server.as_str()).unwrap();
                let of = JOBS[usize::try_from(story.job.id.0).unwrap() - 1];
                assert!(plan.knows(who, at) || of.server == Some(at), "{server} in {plan:?}");
            }
            return;
        }
        _ => return,
    };
    let model = match ask {
        Ask::Inbound(_) => expected(&|of| {
            let unrouted = of.sender.is_none() && of.receiver.is_none();
            let servers: Vec<usize> = of.server.into_iter().collect();
            unrouted && plan.may(who, Verb::InboundSee, &servers, &[])
        }),
        Ask::Follow => expected(&|of| !of.over && plan.on_job(who, Verb::JobsSee, of)),
        _ => expected(&|of| plan.on_job(who, Verb::JobsSee, of)),
    };
    assert_eq!(found, model, "{} lists in {plan:?}", CLIENTS[who]);
}

fn at() -> impl Strategy<Value = At> {
    prop_oneof![
        1 => Just(At::Everywhere),
        3 => (0..GROUPS.len()).prop_map(At::Group),
        3 => (0..SERVERS.len()).prop_map(At::Server),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3usize, 0..VERBS, at()).prop_map(|(to, verb, at)| Step::Grant(to, verb, at)),
        1 => any::<usize>().prop_map(Step::Revoke),
        2 => (any::<bool>(), 0..3usize, 0..2usize).prop_map(|(c, who, to)| Step::Join(c, who, to)),
        1 => (any::<bool>(), 0..3usize, 0..2usize).prop_map(|(c, who, of)| Step::Leave(c, who, of)),
        8 => (0..3usize, 0..14usize, 0..30usize).prop_map(|(w, kind, what)| Step::Asks(w, kind, what)),
    ]
}

impl Plan {
    /// Changes the world, or asks something of it.
    async fn take(&mut self, step: Step) {
        match step {
            Step::Grant(to, verb, at) => self.grants.push((to, verb, at)),
            Step::Revoke(_) if self.grants.is_empty() => {}
            Step::Revoke(which) => drop(self.grants.swap_remove(which % self.grants.len())),
            Step::Join(true, who, group) => drop(self.of_client[who].insert(group)),
            Step::Join(false, who, group) => drop(self.of_server[who].insert(group)),
            Step::Leave(true, who, group) => drop(self.of_client[who].remove(&group)),
            Step::Leave(false, who, group) => drop(self.of_server[who].remove(&group)),
            Step::Asks(who, kind, thing) => {
                let fake = Fake::with(self.setup()).knowing(jobs());
                let from = "uid 1000".to_owned();
                let asker = Asker { who: Who::Client(client(who)), door: Door::Socket, from };
                let (ask, should) = asked(self, who, kind, thing);
                let reply = answer(&fake, &asker, ask.clone()).await;
                hold(self, who, &ask, &should, &reply);
                assert_eq!(fake.lines().len(), 1, "one line for {ask:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nobody_does_or_sees_what_they_were_not_granted(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut plan = Plan::default();
            for step in steps {
                plan.take(step).await;
            }
        });
    }
}
