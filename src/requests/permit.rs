//! What each question needs of the one who asks: the one table of it. Whether they
//! hold it is decided by [`postfax_domain::authority::check`]; nothing else in here
//! decides.
//!
//! It is decided once for each question, and nobody behind this looks again: not the
//! supervisor, which would need the jobs that are over and the files of the
//! configuration for it. So a new configuration may come into force between the
//! decision and the deed. A deed that was permitted a moment before its grant went is as
//! if it had come that moment earlier: it is short, waits for nothing that the asker
//! could draw out, and the audit log has both. What can wait for long is the turn to
//! change the configuration, and there a client whose permission is of an older one is
//! told to ask again.

use postfax_domain::{
    authority::{Missing, Scope, Sight, Target, Verb, Who, check},
    destination::Destination,
    fleet::Health,
    job::{Carrier, Cause, Job},
    names::{ClientName, JobId, ServerName},
    setup::Setup,
    supervisor::Status,
};

use super::{Ask, AskAlter, Code, Problem, settings::AskSettings};

/// What a question needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing but to be let in: the answer holds what the asker may see.
    Nothing,
    /// A verb on everything.
    Everywhere(Verb),
    /// Verbs on a fax server, all of them.
    Server(&'static [Verb], ServerName),
    /// To be this client, or a verb on it.
    Client(Verb, ClientName),
    /// To be sender or receiver of a job, or a verb on it. For those who may not even
    /// see it there is no such job.
    Job(Verb, JobId),
    /// A verb on the server that a job came from, whoever's it is.
    Origin(Verb, JobId),
}

/// What this question needs.
pub(crate) fn need(ask: &Ask) -> Need {
    match ask {
        Ask::Status | Ask::Watch | Ask::Jobs(_) | Ask::Follow | Ask::Inbound(_) | Ask::Servers => {
            Need::Nothing
        }
        // Each entry says who may see and change it, and the book keeps to that.
        Ask::Book(_) => Need::Nothing,
        Ask::Show { job } | Ask::Pages { job } | Ask::ExplainJob { job } => {
            Need::Job(Verb::JobsSee, *job)
        }
        Ask::Cancel { job }
        | Ask::Retry { job }
        | Ask::Hold { job }
        | Ask::Release { job }
        | Ask::Alter(AskAlter { job, .. }) => Need::Job(Verb::JobsCancel, *job),
        Ask::Assign { job, .. } => Need::Origin(Verb::InboundSee, *job),
        // What is no name is nobody, and is answered so.
        Ask::Explain { from, .. } => match ClientName::new(from) {
            Ok(client) => Need::Client(Verb::JobsSee, client),
            Err(_) => Need::Nothing,
        },
        Ask::Reload => Need::Everywhere(Verb::ConfigWrite),
        Ask::Drain { server } | Ask::Resume { server } | Ask::GiveUp { server } => {
            Need::Server(&[Verb::SettingsWrite], server.clone())
        }
        Ask::Settings(ask) => {
            // An edited text is held against all that is set: its answer tells of that.
            let verbs: &[Verb] = match (ask, ask.changes()) {
                (AskSettings::SetText { .. }, _) => &[Verb::SettingsRead, Verb::SettingsWrite],
                (_, true) => &[Verb::SettingsWrite],
                (_, false) => &[Verb::SettingsRead],
            };
            Need::Server(verbs, ask.server().clone())
        }
        Ask::Webhooks => Need::Everywhere(Verb::ConfigRead),
        Ask::RetryWebhook { .. } => Need::Everywhere(Verb::ConfigWrite),
        Ask::Config(ask) => {
            Need::Everywhere(if ask.changes() { Verb::ConfigWrite } else { Verb::ConfigRead })
        }
        Ask::Audit(_) | Ask::VerifyAudit { .. } => Need::Everywhere(Verb::AuditSee),
    }
}

impl Need {
    /// The job that must be looked at before it can be decided.
    pub(crate) fn job(&self) -> Option<JobId> {
        match self {
            Self::Job(_, id) | Self::Origin(_, id) => Some(*id),
            Self::Nothing | Self::Everywhere(_) | Self::Server(..) | Self::Client(..) => None,
        }
    }

    /// Whether `who` holds it; `job` is the one that [`Need::job`] names, if there is one.
    ///
    /// # Errors
    /// [`Code::NotPermitted`] names the verb and where it is missing; a job that the
    /// asker may not see, like one that there is not, is [`Code::NoSuchJob`].
    pub(crate) fn met(&self, setup: &Setup, who: &Who, job: Option<&Job>) -> Result<(), Problem> {
        let held = |verb, target| check(setup, who, verb, target).map_err(Problem::from);
        match self {
            Self::Nothing => Ok(()),
            Self::Everywhere(verb) => held(*verb, Target::Supervisor),
            Self::Server(verbs, name) => verbs.iter().try_for_each(|verb| {
                check(setup, who, *verb, Target::Server(name)).map_err(|missing| {
                    // Only who sees a server may learn that there is one, and in which groups.
                    let on = format!("{} or {}", Scope::Server(name.clone()), Scope::Supervisor);
                    let is_seen = Sight::new(setup, who).server(name);
                    Problem::from(if is_seen { missing } else { Missing { on, ..missing } })
                })
            }),
            Self::Client(_, name) if *who == Who::Client(name.clone()) => Ok(()),
            Self::Client(verb, name) => {
                let target = Target::Client(name);
                let is_known = held(*verb, target).is_ok() || meets(setup, who, name);
                held(*verb, if is_known { target } else { Target::Supervisor })
            }
            Self::Job(verb, id) => {
                let job = job.ok_or_else(|| Problem::no_such_job(*id))?;
                held(*verb, Target::Job(job)).map_err(|refused| unseen(setup, who, job, refused))
            }
            Self::Origin(verb, id) => {
                let job = job.ok_or_else(|| Problem::no_such_job(*id))?;
                let held = match job.origin() {
                    Some(server) => held(*verb, Target::Server(server)),
                    None => held(*verb, Target::Supervisor),
                };
                held.map_err(|refused| unseen(setup, who, job, refused))
            }
        }
    }
}

/// Whether somebody shares a group with a client, and so may know of it.
fn meets(setup: &Setup, who: &Who, client: &ClientName) -> bool {
    let groups = |name| setup.clients.get(name).map(|client| &client.groups);
    match who {
        Who::Client(own) => {
            let both = groups(own).zip(groups(client));
            both.is_some_and(|(own, theirs)| !own.is_disjoint(theirs))
        }
        Who::Administrator | Who::Stranger => false,
    }
}

/// What is said to one who may not: to one who may not even see it, nothing.
fn unseen(setup: &Setup, who: &Who, job: &Job, refused: Problem) -> Problem {
    if Sight::new(setup, who).job(job) { refused } else { Problem::no_such_job(job.id) }
}

impl From<Missing> for Problem {
    fn from(missing: Missing) -> Self {
        Self::new(Code::NotPermitted, missing.to_string())
    }
}

/// Takes out of a job what the asker may not know: the servers that do not concern it, and
/// the sender's phone book.
pub(super) fn conceal(sight: &Sight<'_>, job: &mut Job) {
    if !sight.names(job) {
        if let Destination::Fax(fax) = &mut job.destination
            && fax.named.take().is_some()
        {
            fax.as_written = fax.number.to_string();
        }
        if let Cause::Sent(sent) = &mut job.cause {
            sent.missed.clear();
        }
    }
    for attempt in &mut job.attempts {
        let carrier = match &attempt.carrier {
            Carrier::Server(name) => Some(name.clone()),
            Carrier::Mail => None,
        };
        let known = |name: &ServerName| Some(name) == carrier.as_ref() || sight.server(name);
        attempt.decision.servers.retain(|(name, _)| known(name));
    }
}

/// Takes out of a status what the asker may not know.
pub(super) fn conceal_status(sight: &Sight<'_>, status: &mut Status) {
    for server in &mut status.servers {
        if !sight.settings(&server.name) {
            server.settings = None;
        }
        if sight.inside(&server.name) {
            continue;
        }
        match &mut server.live.health {
            Health::Up { lines, broken, .. } => {
                lines.clear();
                broken.clear();
            }
            Health::Down { why } => why.clear(),
            Health::Unknown => {}
        }
    }
    status.under_way.iter_mut().for_each(|job| conceal(sight, job));
}

#[cfg(test)]
mod tests {
    use postfax_domain::{
        audit::Asker,
        authority::{Grant, Role},
        names::{HookName, RoleName},
    };

    use super::*;
    use crate::requests::{
        AskAudit, AskBook, AskConfig, AskInbound, AskJobs, Reply, answer,
        book::{Fields, Keeper},
        fake::Fake,
        samples::{self, server},
    };

    /// Who asks: the administrator, anna whose jobs these are, bert of another group, and
    /// eight strangers that hold one verb each.
    const GRANTED: [(&str, &str, &str); 8] = [
        ("seer", "jobs.see", "group:london"),
        ("stopper", "jobs.cancel", "server:london-1"),
        ("setter", "settings.write", "server:london-1"),
        ("sorter", "inbound.see", "server:london-1"),
        ("chief", "config.write", "supervisor"),
        ("auditor", "audit.see", "supervisor"),
        ("reader", "settings.read", "server:london-1"),
        ("viewer", "config.read", "supervisor"),
    ];

    fn setup() -> Setup {
        let mut setup = samples::setup();
        let bert = setup.clients[&ClientName::new("bert").unwrap()].clone();
        for (name, verb, scope) in GRANTED {
            let role = RoleName::new(verb).unwrap();
            setup.roles.insert(role.clone(), Role { may: [verb.parse().unwrap()].into() });
            let grants = vec![Grant { role, scope: scope.parse().unwrap() }];
            let client = postfax_domain::setup::Client { grants, ..bert.clone() };
            setup.clients.insert(ClientName::new(name).unwrap(), client);
        }
        setup
    }

    /// What becomes of it: done or at least permitted, refused, or that there is no such job.
    async fn verdict(who: &Who, ask: &Ask) -> char {
        let asker = Asker { who: who.clone(), ..samples::administrator() };
        match answer(&Fake::with(setup()), &asker, ask.clone()).await {
            Reply::Problem(Problem { code: Code::NotPermitted, message, .. }) => {
                assert!(message.contains(" may not: that needs "), "{message}");
                '-'
            }
            Reply::Problem(Problem { code: Code::NoSuchJob, .. }) => '0',
            _ => '+',
        }
    }

    /// The rows about settings and the configuration, for the same askers.
    fn about_settings() -> [(Ask, &'static str); 12] {
        let (reason, london) = (String::new, || server("london-1"));
        let diff = AskSettings::Diff { server: london(), from: None, to: None };
        let set = AskSettings::Set {
            server: london(),
            version: None,
            set: Default::default(),
            reason: reason(),
        };
        let text = AskSettings::SetText {
            server: london(),
            version: Some(2),
            text: reason(),
            reason: reason(),
        };
        let rollback =
            AskSettings::Rollback { server: london(), to: 1, version: None, reason: reason() };
        let adopt = AskSettings::Adopt { server: london(), reason: reason() };
        let change = AskConfig::Set { changes: Vec::new(), terms: Default::default() };
        [
            (Ask::Settings(AskSettings::Get { server: london() }), "+--------+-"),
            (Ask::Settings(AskSettings::History { server: london() }), "+--------+-"),
            (Ask::Settings(diff), "+--------+-"),
            (Ask::Settings(AskSettings::Get { server: server("nowhere") }), "+----------"),
            (Ask::Settings(set), "+----+-----"),
            (Ask::Settings(text), "+----------"),
            (Ask::Settings(rollback), "+----+-----"),
            (Ask::Settings(adopt), "+----+-----"),
            (Ask::Settings(AskSettings::Push { server: london() }), "+----+-----"),
            (Ask::Config(AskConfig::Get { key: None }), "+---------+"),
            (Ask::Config(AskConfig::History), "+---------+"),
            (Ask::Config(change), "+------+---"),
        ]
    }

    /// The rows about the phone book: each entry says itself who sees and changes it.
    fn about_the_book() -> [(Ask, &'static str); 2] {
        let find = Ask::Book(AskBook::Find { text: String::new(), limit: None });
        let fields = Fields {
            name: Some("Acme".into()),
            number: Some("0140000000".into()),
            ..Fields::default()
        };
        let owner = Some(Keeper::Public);
        let public = Ask::Book(AskBook::Add { fields: Box::new(fields), owner, label: None });
        [(find, "+++++++++++"), (public, "+----------")]
    }

    #[tokio::test]
    async fn every_question_needs_what_the_table_says() {
        let (fax, unrouted) = (JobId(15), JobId(11));
        let explain =
            |from: &str| Ask::Explain { from: from.into(), to: "0140000000".into(), pages: 1 };
        let none = AskAlter {
            job: fax,
            priority: Some(1),
            tries: None,
            expires: None,
            due: None,
            number: None,
        };
        let anna = ClientName::new("anna").unwrap();
        //  administrator, anna, bert, seer, stopper, setter, sorter, chief, auditor, reader, viewer
        let table = [
            (Ask::Status, "+++++++++++"),
            (Ask::Watch, "+++++++++++"),
            (Ask::Jobs(AskJobs::default()), "+++++++++++"),
            (Ask::Inbound(AskInbound::default()), "+++++++++++"),
            (Ask::Servers, "+++++++++++"),
            (Ask::Follow, "+++++++++++"),
            (Ask::Show { job: fax }, "++0+0000000"),
            (Ask::Pages { job: fax }, "++0+0000000"),
            (Ask::Pages { job: unrouted }, "+00+0000000"),
            (Ask::ExplainJob { job: fax }, "++0+0000000"),
            (Ask::Cancel { job: fax }, "++0-+000000"),
            (Ask::Retry { job: fax }, "++0-+000000"),
            (Ask::Hold { job: fax }, "++0-+000000"),
            (Ask::Release { job: fax }, "++0-+000000"),
            (Ask::Alter(none), "++0-+000000"),
            (Ask::Show { job: unrouted }, "+00+0000000"),
            (Ask::Cancel { job: unrouted }, "+00-+000000"),
            (Ask::Assign { job: unrouted, client: anna }, "+00-00+0000"),
            (explain("anna"), "++-+-------"),
            (explain("bert"), "+-+--------"),
            (Ask::Reload, "+------+---"),
            (Ask::Drain { server: server("london-1") }, "+----+-----"),
            (Ask::Resume { server: server("london-1") }, "+----+-----"),
            (Ask::GiveUp { server: server("london-1") }, "+----+-----"),
            (Ask::Drain { server: server("paris-1") }, "+----------"),
            (Ask::Drain { server: server("nowhere") }, "+----------"),
            (Ask::Webhooks, "+---------+"),
            (Ask::RetryWebhook { webhook: HookName::new("crm").unwrap() }, "+------+---"),
            (Ask::Audit(AskAudit::default()), "+-------+--"),
            (Ask::VerifyAudit { head: None }, "+-------+--"),
        ];
        let names = ["anna", "bert"].into_iter().chain(GRANTED.map(|(name, ..)| name));
        let clients = names.map(|name| Who::Client(ClientName::new(name).unwrap()));
        let all: Vec<Who> = std::iter::once(Who::Administrator).chain(clients).collect();
        for (ask, expected) in table.into_iter().chain(about_settings()).chain(about_the_book()) {
            let mut found = String::new();
            for who in &all {
                found.push(verdict(who, &ask).await);
            }
            assert_eq!(found, expected, "{ask:?}");
        }
    }

    #[tokio::test]
    async fn a_refusal_does_not_tell_what_there_is() {
        let explain =
            |from: &str| Ask::Explain { from: from.into(), to: "0140000000".into(), pages: 1 };
        let bert = Who::Client(ClientName::new("bert").unwrap());
        for [there, nowhere] in [
            [Ask::Drain { server: server("london-1") }, Ask::Drain { server: server("nowhere") }],
            [
                Ask::Settings(AskSettings::Get { server: server("london-1") }),
                Ask::Settings(AskSettings::Get { server: server("nowhere") }),
            ],
            [explain("anna"), explain("nobody")],
        ] {
            let mut heard = Vec::new();
            for ask in [there, nowhere] {
                let asker = Asker { who: bert.clone(), ..samples::administrator() };
                let reply = answer(&Fake::with(setup()), &asker, ask).await;
                let Reply::Problem(problem) = reply else { panic!("{reply:?}") };
                let name = |text: &str| text.replace("nowhere", "london-1");
                heard.push(name(&problem.message));
            }
            assert_eq!(heard[0], heard[1]);
        }
    }

    #[tokio::test]
    async fn a_client_sees_what_concerns_it() {
        let fake = Fake::with(setup());
        let as_client = |name: &str| Asker {
            who: Who::Client(ClientName::new(name).unwrap()),
            ..samples::administrator()
        };
        for (name, jobs) in [
            ("anna", &[15, 14, 13, 12][..]),
            ("bert", &[]),
            ("seer", &[15, 14, 13, 12, 11]),
            ("stopper", &[]),
        ] {
            let list = Ask::Jobs(AskJobs::default());
            let Reply::Jobs(found) = answer(&fake, &as_client(name), list).await else { panic!() };
            assert_eq!(found.iter().map(|job| job.job.0).collect::<Vec<_>>(), jobs, "{name}");
        }
        let inbound = Ask::Inbound(AskInbound::default());
        let Reply::Jobs(found) = answer(&fake, &as_client("sorter"), inbound).await else {
            panic!()
        };
        assert_eq!(found.len(), 1);
        let reply = answer(&fake, &as_client("anna"), Ask::Show { job: JobId(12) }).await;
        let Reply::Job(story) = reply else { panic!("{reply:?}") };
        let known = story.job.attempts[0].decision.servers.iter().map(|(name, _)| name.as_str());
        assert_eq!(known.collect::<Vec<_>>(), ["london-1"], "servers of others do not exist");
        let Reply::Status(status) = answer(&fake, &as_client("anna"), Ask::Status).await else {
            panic!()
        };
        let lines = format!("{:?}", status.servers[0].live.health);
        assert!(!lines.contains("ttyFAX0"), "{lines}");
        for (name, sees) in [("anna", false), ("seer", false), ("setter", false), ("reader", true)]
        {
            let reply = answer(&fake, &as_client(name), Ask::Status).await;
            let Reply::Status(status) = reply else { panic!() };
            assert_eq!(status.servers[0].settings.is_some(), sees, "{name}");
            assert_eq!(status.servers[1].settings, None, "{name}");
        }
    }

    #[tokio::test]
    async fn a_client_is_no_more_urgent_than_it_may_be() {
        let fake = Fake::with(setup());
        let who = Who::Client(ClientName::new("anna").unwrap());
        let anna = Asker { who, ..samples::administrator() };
        for (priority, code) in
            [(2, None), (3, Some(Code::NotPermitted)), (10, Some(Code::BadRequest))]
        {
            let ask = AskAlter {
                job: JobId(15),
                priority: Some(priority),
                tries: None,
                expires: None,
                due: None,
                number: None,
            };
            let found = match answer(&fake, &anna, Ask::Alter(ask)).await {
                Reply::Problem(problem) => Some(problem.code),
                _ => None,
            };
            assert_eq!(found, code, "{priority}");
        }
    }
}
