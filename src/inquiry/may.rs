//! What a client may ask by mail: about its own jobs always, about others with the
//! verbs that it holds. Where a client may see only its own, a list is of its own.

use postfax_domain::{
    authority::{self, Target, Verb, Who},
    job::Job,
    names::{ClientName, JobId},
    setup::Setup,
};

use crate::requests::{Ask, AskJobs, Code, Daemon, Problem, Reply};

/// What of a question may be asked.
///
/// # Errors
/// [`Problem`] names what is missing.
pub(super) async fn narrowed(
    daemon: &dyn Daemon,
    setup: &Setup,
    who: &Who,
    ask: Ask,
) -> Result<Ask, Problem> {
    match ask {
        Ask::Show { job } | Ask::ExplainJob { job } => {
            about(daemon, setup, who, Verb::JobsSee, job).await.map(|()| ask)
        }
        Ask::Cancel { job } | Ask::Retry { job } => {
            about(daemon, setup, who, Verb::JobsCancel, job).await.map(|()| ask)
        }
        Ask::Jobs(jobs) => list(setup, who, jobs).map(Ask::Jobs),
        Ask::Status | Ask::Explain { .. } => Ok(ask),
        Ask::Watch | Ask::Reload => {
            Err(Problem::new(Code::NotPermitted, "this cannot be asked by mail"))
        }
    }
}

/// An answer without what the one who asked may not see.
pub(super) fn seen(setup: &Setup, who: &Who, mut reply: Reply) -> Reply {
    if let Reply::Status(status) = &mut reply {
        let sees =
            |job: &Job| authority::check(setup, who, Verb::JobsSee, Target::Job(job)).is_ok();
        status.under_way.retain(sees);
    }
    reply
}

async fn about(
    daemon: &dyn Daemon,
    setup: &Setup,
    who: &Who,
    verb: Verb,
    id: JobId,
) -> Result<(), Problem> {
    let failed = |why| Problem::new(Code::Failed, why);
    let job = daemon.job(id).await.map_err(failed)?.ok_or_else(|| Problem::no_such_job(id))?;
    may(setup, who, verb, Target::Job(&job))
}

fn list(setup: &Setup, who: &Who, jobs: AskJobs) -> Result<AskJobs, Problem> {
    let Who::Client(own) = who else { return Ok(jobs) };
    match jobs.client.as_deref().map(ClientName::new) {
        Some(Ok(client)) if client == *own => Ok(jobs),
        Some(Ok(client)) => may(setup, who, Verb::JobsSee, Target::Client(&client)).map(|()| jobs),
        Some(Err(bad)) => Err(Problem::new(Code::BadRequest, bad.to_string())),
        None if may(setup, who, Verb::JobsSee, Target::Supervisor).is_ok() => Ok(jobs),
        None => Ok(AskJobs { client: Some(own.to_string()), ..jobs }),
    }
}

fn may(setup: &Setup, who: &Who, verb: Verb, target: Target<'_>) -> Result<(), Problem> {
    authority::check(setup, who, verb, target)
        .map_err(|missing| Problem::new(Code::NotPermitted, missing.to_string()))
}
