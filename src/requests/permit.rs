//! What each question needs of the one who asks: the one table of it. Whether they
//! hold it is decided by [`postfax_domain::authority::check`]; nothing else in here
//! decides.

use postfax_domain::{
    authority::{Missing, Sight, Target, Verb, Who, check},
    fleet::Health,
    job::{Carrier, Job},
    names::{ClientName, JobId, ServerName},
    setup::Setup,
    supervisor::Status,
};

use super::{Ask, AskAlter, Code, Problem};

/// What a question needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing but to be let in: the answer holds what the asker may see.
    Nothing,
    /// A verb on everything.
    Everywhere(Verb),
    /// A verb on a fax server.
    Server(Verb, ServerName),
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
        Ask::Status | Ask::Watch | Ask::Jobs(_) | Ask::Inbound(_) | Ask::Servers => Need::Nothing,
        Ask::Show { job } | Ask::ExplainJob { job } => Need::Job(Verb::JobsSee, *job),
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
            Need::Server(Verb::SettingsWrite, server.clone())
        }
        Ask::Settings(ask) => {
            let verb = if ask.changes() { Verb::SettingsWrite } else { Verb::SettingsRead };
            Need::Server(verb, ask.server().clone())
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
            Self::Server(verb, name) => match setup.servers.contains_key(name) {
                // Only who sees all servers may learn that there is none.
                false => held(*verb, Target::Supervisor),
                true => held(*verb, Target::Server(name)),
            },
            Self::Client(_, name) if *who == Who::Client(name.clone()) => Ok(()),
            Self::Client(verb, name) => held(*verb, Target::Client(name)),
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

/// What is said to one who may not: to one who may not even see it, nothing.
fn unseen(setup: &Setup, who: &Who, job: &Job, refused: Problem) -> Problem {
    if Sight::new(setup, who).job(job) { refused } else { Problem::no_such_job(job.id) }
}

impl From<Missing> for Problem {
    fn from(missing: Missing) -> Self {
        Self::new(Code::NotPermitted, missing.to_string())
    }
}

/// Takes out of a job what the asker may not know: the servers that do not concern it.
pub(super) fn conceal(sight: &Sight<'_>, job: &mut Job) {
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
        if sight.inside(&server.name) {
            continue;
        }
        match &mut server.live.health {
            Health::Up { lines, .. } => lines.clear(),
            Health::Down { why } => why.clear(),
            Health::Unknown => {}
        }
    }
    status.under_way.iter_mut().for_each(|job| conceal(sight, job));
}
