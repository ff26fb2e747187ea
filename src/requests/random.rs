//! Random sequences of grants, roles, groups, requests and changes by clients, against a
//! small model of the authority that was written from its words and shares no code with
//! it.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod questions;

use std::collections::BTreeSet;

use postfax_domain::{
    audit::{Asker, Door},
    authority::{Grant, Role, Verb, Who, excess},
    destination::{Destination, Mailbox},
    fleet::Health,
    job::{Cause, Job, State},
    names::{ClientName, GroupName, JobId, RoleName},
    setup::Setup,
    supervisor::ServerStatus,
};
use proptest::prelude::*;

use self::questions::{KINDS, asked};
use super::{Ask, Code, Problem, Reply, answer, fake::Fake, samples};

const CLIENTS: [&str; 3] = ["anna", "bert", "carl"];
const SERVERS: [&str; 3] = ["london-1", "paris-1", "berlin-1"];
const GROUPS: [&str; 2] = ["london", "paris"];
const VERBS: usize = Verb::ALL.len();
/// A server that is not configured, after those that are.
const NOWHERE: usize = SERVERS.len();

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
    /// To whom, which role, where.
    grants: Vec<(usize, usize, At)>,
    /// Each role has the verb of its number, and these: role and verb.
    also: BTreeSet<(usize, usize)>,
    of_client: [BTreeSet<usize>; 3],
    of_server: [BTreeSet<usize>; 3],
}

/// Something that may be allowed: a scope as it is granted, or one thing in it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Reach {
    Of(At),
    Client(usize),
}

#[derive(Debug, Clone)]
enum Step {
    Grant(usize, usize, At),
    Revoke(usize),
    Join(bool, usize, usize),
    Leave(bool, usize, usize),
    Widen(usize, usize),
    Narrow(usize),
    Asks(usize, usize, usize),
    /// A client changes the configuration, by one of the others.
    Changes(usize, Box<Step>),
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
        self.granted(who, verb).any(|at| match at {
            At::Everywhere => true,
            At::Server(server) => servers.contains(&server),
            At::Group(group) => {
                let of = |server: &usize| self.of_server.get(*server);
                servers.iter().filter_map(of).any(|groups| groups.contains(&group))
                    || clients.iter().any(|client| self.of_client[*client].contains(&group))
            }
        })
    }

    /// Where a client was granted a verb.
    fn granted(&self, who: usize, verb: Verb) -> impl Iterator<Item = At> {
        let has = move |role: usize, verb: Verb| {
            Verb::ALL[role] == verb
                || self.also.iter().any(|(of, more)| *of == role && Verb::ALL[*more] == verb)
        };
        let own = self.grants.iter().filter(move |(to, role, _)| *to == who && has(*role, verb));
        own.map(|(.., at)| *at)
    }

    /// Whether a client may do something to all that this reaches.
    fn covers(&self, who: usize, verb: Verb, reach: Reach) -> bool {
        match reach {
            Reach::Of(At::Server(server)) => self.may(who, verb, &[server], &[]),
            Reach::Client(client) => self.may(who, verb, &[], &[client]),
            // What is in a group may be more tomorrow.
            Reach::Of(at) => self.granted(who, verb).any(|own| own == At::Everywhere || own == at),
        }
    }

    /// What clients could do after a change that they cannot do now, and that its author
    /// cannot do either.
    fn beyond(&self, new: &Self, author: usize) -> Vec<(usize, Verb, Reach)> {
        let groups = (0..GROUPS.len()).map(|group| Reach::Of(At::Group(group)));
        let servers = (0..SERVERS.len()).map(|server| Reach::Of(At::Server(server)));
        let clients = (0..CLIENTS.len()).map(Reach::Client);
        let all = [Reach::Of(At::Everywhere)].into_iter().chain(groups).chain(servers);
        let all: Vec<Reach> = all.chain(clients).collect();
        let mut beyond = Vec::new();
        for who in 0..CLIENTS.len() {
            for (verb, reach) in Verb::ALL.iter().flat_map(|verb| all.iter().map(|r| (*verb, *r))) {
                let gains = new.covers(who, verb, reach) && !self.covers(who, verb, reach);
                if gains && !self.covers(author, verb, reach) {
                    beyond.push((who, verb, reach));
                }
            }
        }
        beyond
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
        let verbs = |of: usize| {
            let also = self.also.iter().filter(move |(role, _)| *role == of);
            also.map(|(_, verb)| Verb::ALL[*verb]).chain([Verb::ALL[of]])
        };
        setup.roles = (0..VERBS).map(|of| (role(of), Role { may: verbs(of).collect() })).collect();
        let any = setup.clients.values().next().unwrap().clone();
        setup.clients.clear();
        for (at, name) in CLIENTS.iter().enumerate() {
            let own = self.grants.iter().filter(|(to, ..)| *to == at);
            let grants = own.map(|(_, verb, scope)| Grant {
                role: role(*verb),
                scope: written(Reach::Of(*scope)).parse().unwrap(),
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

/// As refusals write it.
fn written(reach: Reach) -> String {
    match reach {
        Reach::Of(At::Everywhere) => "supervisor".to_owned(),
        Reach::Of(At::Group(group)) => format!("group:{}", GROUPS[group]),
        Reach::Of(At::Server(server)) => format!("server:{}", SERVERS[server]),
        Reach::Client(client) => format!("client:{}", CLIENTS[client]),
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
        Reply::Status(status) => return concealed(plan, who, &status.servers),
        Reply::Servers(servers) => {
            let servers: Vec<_> = servers.iter().map(|server| server.status.clone()).collect();
            return concealed(plan, who, &servers);
        }
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

/// What a server says of its lines and how it is set is for those who may know.
fn concealed(plan: &Plan, who: usize, servers: &[ServerStatus]) {
    for server in servers {
        let at = [SERVERS.iter().position(|name| *name == server.name.as_str()).unwrap()];
        let reads = plan.may(who, Verb::SettingsRead, &at, &[]);
        assert_eq!(server.settings.is_some(), reads, "{} in {plan:?}", server.name);
        let knows = reads || plan.may(who, Verb::JobsSee, &at, &[]);
        if let Health::Up { lines, .. } = &server.live.health {
            assert_eq!(!lines.is_empty(), knows, "{} in {plan:?}", server.name);
        }
    }
}

fn at() -> impl Strategy<Value = At> {
    prop_oneof![
        1 => Just(At::Everywhere),
        3 => (0..GROUPS.len()).prop_map(At::Group),
        3 => (0..SERVERS.len()).prop_map(At::Server),
    ]
}

/// A change of what is configured.
fn change() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3usize, 0..VERBS, at()).prop_map(|(to, role, at)| Step::Grant(to, role, at)),
        2 => any::<usize>().prop_map(Step::Revoke),
        4 => (any::<bool>(), 0..3usize, 0..2usize).prop_map(|(c, who, to)| Step::Join(c, who, to)),
        2 => (any::<bool>(), 0..3usize, 0..2usize).prop_map(|(c, who, of)| Step::Leave(c, who, of)),
        2 => (0..VERBS, 0..VERBS).prop_map(|(role, verb)| Step::Widen(role, verb)),
        1 => any::<usize>().prop_map(Step::Narrow),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => change(),
        8 => (0..3usize, 0..KINDS, 0..60usize).prop_map(|(w, kind, what)| Step::Asks(w, kind, what)),
        3 => (0..3usize, change()).prop_map(|(who, step)| Step::Changes(who, Box::new(step))),
    ]
}

impl Plan {
    /// Changes the world, or asks something of it.
    async fn take(&mut self, step: Step) {
        match step {
            Step::Asks(who, kind, thing) => {
                let fake = Fake::with(self.setup()).knowing(jobs());
                let from = "uid 1000".to_owned();
                let asker = Asker { who: Who::Client(client(who)), door: Door::Socket, from };
                let (ask, should) = asked(self, who, kind, thing);
                let reply = answer(&fake, &asker, ask.clone()).await;
                hold(self, who, &ask, &should, &reply);
                assert_eq!(fake.lines().len(), 1, "one line for {ask:?}");
            }
            Step::Changes(author, step) => {
                let mut new = self.clone();
                new.alter(&step);
                let beyond = self.beyond(&new, author);
                let found = excess(&self.setup(), &new.setup(), &Who::Client(client(author)));
                match found {
                    None => assert!(beyond.is_empty(), "{step:?} in {self:?} gives {beyond:?}"),
                    Some(one) => {
                        let known = |(to, verb, reach): &(usize, Verb, Reach)| {
                            (client(*to), *verb, written(*reach))
                                == (one.to.clone(), one.verb, one.reach.clone())
                        };
                        assert!(beyond.iter().any(known), "{one} in {self:?}: {beyond:?}");
                    }
                }
                if beyond.is_empty() {
                    *self = new;
                }
            }
            other => self.alter(&other),
        }
    }

    fn alter(&mut self, step: &Step) {
        match *step {
            Step::Grant(to, role, at) => self.grants.push((to, role, at)),
            Step::Revoke(_) if self.grants.is_empty() => {}
            Step::Revoke(which) => drop(self.grants.swap_remove(which % self.grants.len())),
            Step::Join(true, who, group) => drop(self.of_client[who].insert(group)),
            Step::Join(false, who, group) => drop(self.of_server[who].insert(group)),
            Step::Leave(true, who, group) => drop(self.of_client[who].remove(&group)),
            Step::Leave(false, who, group) => drop(self.of_server[who].remove(&group)),
            Step::Widen(role, verb) => drop(self.also.insert((role, verb))),
            Step::Narrow(which) => {
                let one = self.also.iter().nth(which % self.also.len().max(1)).copied();
                self.also.retain(|other| Some(*other) != one);
            }
            Step::Asks(..) | Step::Changes(..) => unreachable!("no change by itself"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nobody_does_or_sees_what_they_were_not_granted(steps in prop::collection::vec(step(), 1..60)) {
        // Nobody waits for a server that takes no settings.
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut plan = Plan::default();
            for step in steps {
                plan.take(step).await;
            }
        });
    }
}
