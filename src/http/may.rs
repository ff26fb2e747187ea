//! What a caller may ask, and which jobs it sees: the rules are those of
//! [`postfax_domain::authority`]; a job that is not for the asker to see is a job that
//! there is not. Everything else is [`requests::answer`].

use std::sync::Arc;

use postfax_domain::{
    authority::{Target, Verb, Who, check},
    destination::Destination,
    job::Job,
    names::JobId,
    setup::Setup,
};

use super::{
    Shared,
    door::Caller,
    problem::{Code, Problem},
};
use crate::requests::{self, Ask, AskJobs, JobFilter, Reply};

/// Jobs that are read at a time.
const READ_AT_A_TIME: u32 = 500;
/// Most jobs that are looked at for one page; what is older is on the next one.
const MAX_LOOKED_AT: u32 = 20_000;

/// A page of the jobs that the caller sees, newest first.
pub(super) struct Listed {
    pub(super) jobs: Vec<Job>,
    /// The next page has those before this one.
    pub(super) next: Option<JobId>,
}

/// Answers, as far as the caller may ask.
pub(super) async fn ask(shared: &Shared, caller: &Caller, ask: Ask) -> Result<Reply, Problem> {
    let setup = setup(shared);
    match &ask {
        Ask::Show { job } | Ask::ExplainJob { job } => {
            job_seen(shared, caller, *job).await?;
        }
        Ask::Cancel { job } | Ask::Retry { job } => {
            let seen = job_seen(shared, caller, *job).await?;
            permit(&setup, caller, Verb::JobsCancel, Target::Job(&seen))?;
        }
        Ask::Explain { from, .. } if from == caller.client.as_str() => {}
        Ask::Explain { .. } | Ask::Jobs(_) => {
            permit(&setup, caller, Verb::JobsSee, Target::Supervisor)?;
        }
        Ask::Reload => permit(&setup, caller, Verb::ConfigWrite, Target::Supervisor)?,
        // What of it is told is decided where it is shown.
        Ask::Status | Ask::Watch => {}
    }
    match requests::answer(&*shared.daemon, &caller.asker(), ask).await {
        Reply::Problem(problem) => Err(problem.into()),
        reply => Ok(reply),
    }
}

/// One job, if the caller sees it.
pub(super) async fn job_seen(shared: &Shared, caller: &Caller, id: JobId) -> Result<Job, Problem> {
    let found = shared.daemon.job(id).await.map_err(failed)?;
    found
        .filter(|job| sees(&setup(shared), caller, job))
        .ok_or_else(|| requests::Problem::no_such_job(id).into())
}

/// The jobs that are meant and that the caller sees.
pub(super) async fn jobs(
    shared: &Shared,
    caller: &Caller,
    ask: &AskJobs,
) -> Result<Listed, Problem> {
    let setup = setup(shared);
    let asked = JobFilter::parse(ask, shared.daemon.country())?;
    let limit = asked.limit as usize;
    let mut filter = JobFilter { limit: READ_AT_A_TIME, ..asked };
    let mut seen = Vec::new();
    for _ in 0..MAX_LOOKED_AT / READ_AT_A_TIME {
        let page = shared.daemon.jobs(&filter).await.map_err(failed)?;
        let whole = page.len() >= READ_AT_A_TIME as usize;
        filter.before = page.last().map(|job| job.id);
        seen.extend(page.into_iter().filter(|job| sees(&setup, caller, job)));
        if seen.len() > limit {
            seen.truncate(limit);
            let next = seen.last().map(|job| job.id);
            return Ok(Listed { jobs: seen, next });
        }
        if !whole {
            return Ok(Listed { jobs: seen, next: None });
        }
    }
    Ok(Listed { jobs: seen, next: filter.before })
}

/// Whether the caller may see a job.
pub(super) fn sees(setup: &Setup, caller: &Caller, job: &Job) -> bool {
    let verb = match job.destination {
        Destination::Unrouted => Verb::InboundSee,
        Destination::Fax(_) | Destination::Mailbox(_) => Verb::JobsSee,
    };
    check(setup, &who(caller), verb, Target::Job(job)).is_ok()
}

/// Whether the caller may do this.
pub(super) fn permit(
    setup: &Setup,
    caller: &Caller,
    verb: Verb,
    target: Target<'_>,
) -> Result<(), Problem> {
    check(setup, &who(caller), verb, target)
        .map_err(|missing| Problem::new(Code::NotPermitted, missing.to_string()))
}

/// The rules in force.
pub(super) fn setup(shared: &Shared) -> Arc<Setup> {
    shared.context.config.load().setup.clone()
}

fn who(caller: &Caller) -> Who {
    Who::Client(caller.client.clone())
}

fn failed(why: String) -> Problem {
    Problem::new(Code::Failed, why)
}
