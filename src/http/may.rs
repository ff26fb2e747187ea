//! What a caller may ask is decided by [`requests::answer`]; here is only which jobs it
//! sees where this door reads more of them than an answer tells.

use std::sync::Arc;

use postfax_domain::{
    authority::{Sight, Target, Verb, Who, check},
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

/// A page of the jobs that the caller sees, newest first.
pub(super) struct Listed {
    pub(super) jobs: Vec<Job>,
    /// The next page has those before this one.
    pub(super) next: Option<JobId>,
}

/// Answers, as far as the caller may ask.
pub(super) async fn ask(shared: &Shared, caller: &Caller, ask: Ask) -> Result<Reply, Problem> {
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
    let asked = JobFilter::parse(ask, setup.country)?;
    let limit = asked.limit as usize;
    // One more tells whether there is another page.
    let filter = JobFilter { limit: asked.limit + 1, ..asked };
    let who = who(caller);
    let sight = Sight::new(&setup, &who);
    let sees = |job: &Job| sight.job(job);
    let found = shared.daemon.jobs(&filter, sight.only_of(), &sees).await;
    let mut jobs = found.map_err(failed)?;
    let more = jobs.len() > limit;
    jobs.truncate(limit);
    let next = jobs.last().map(|job| job.id).filter(|_| more);
    Ok(Listed { jobs, next })
}

/// Whether the caller may see a job.
pub(super) fn sees(setup: &Setup, caller: &Caller, job: &Job) -> bool {
    Sight::new(setup, &who(caller)).job(job)
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
