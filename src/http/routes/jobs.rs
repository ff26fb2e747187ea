//! Jobs: listed, shown, stopped, tried, held, changed; and received faxes that nobody has
//! got.

use axum::{
    Json,
    extract::State,
    http::Uri,
    response::{IntoResponse as _, Response},
};
use postfax_domain::names::{ClientName, JobId};

use super::{Bodies, Conflicts, Refusals, paged};
use crate::{
    http::{
        Shared,
        ask::{ask, change, unexpected},
        body::{Asked, Body, Key, Keyed, Of, moment},
        door::Caller,
        problem::{Code, Problem},
        view::{Alteration, Assignment, Done, Filter, JobList, JobRow, JobStory, Part, next},
    },
    requests::{Ask, AskAlter, AskInbound, AskJobs, Reply, Summary},
};

/// The jobs that the asker sees, newest first; `Link` leads to the next page (RFC 8288).
#[utoipa::path(get, path = "/v1/jobs", params(Filter), tag = "jobs",
    responses((status = 200, description = "A page of jobs.", body = JobList,
        headers(("Link" = String, description = "The next page, `rel=\"next\"`."))), Refusals))]
pub(super) async fn jobs(
    State(shared): State<Shared>,
    uri: Uri,
    caller: Caller,
    Asked(filter): Asked<Filter>,
) -> Result<Response, Problem> {
    let limit = filter.limit;
    let asked = AskJobs {
        state: filter.state,
        kind: filter.kind,
        client: filter.client,
        number: filter.number,
        limit,
        before: filter.before.map(JobId),
    };
    match ask(&shared, &caller, Ask::Jobs(asked)).await? {
        Reply::Jobs(jobs) => Ok(listed(&uri, limit, &jobs)),
        _ => Err(unexpected()),
    }
}

fn listed(uri: &Uri, limit: Option<u32>, jobs: &[Summary]) -> Response {
    let next = next(limit, jobs.len(), jobs.last().map(|job| job.job.0));
    let jobs = jobs.iter().map(JobRow::from).collect();
    paged(uri, next, JobList { jobs, next })
}

/// One job and all that is known of it.
#[utoipa::path(get, path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = u64, Path, description = "The job.")),
    responses((status = 200, description = "The job.", body = JobStory), Refusals))]
pub(super) async fn job(
    State(shared): State<Shared>,
    caller: Caller,
    Of(job): Of,
) -> Result<Json<JobStory>, Problem> {
    match ask(&shared, &caller, Ask::Show { job }).await? {
        Reply::Job(story) => Ok(Json(JobStory::new(&story.job, &story.receipts))),
        _ => Err(unexpected()),
    }
}

/// Stops a job, and the call if one is under way.
#[utoipa::path(post, path = "/v1/jobs/{id}/cancel", tag = "jobs",
    params(("id" = u64, Path, description = "The job."), Keyed),
    responses((status = 200, description = "It is stopped.", body = Done), Refusals, Conflicts))]
pub(super) async fn cancel(
    State(shared): State<Shared>,
    caller: Caller,
    Of(job): Of,
    key: Key,
) -> Response {
    change(&shared, &caller, key, Ask::Cancel { job }).await
}

/// Tries a waiting job now, or sends one that is over again, as a new job.
#[utoipa::path(post, path = "/v1/jobs/{id}/retry", tag = "jobs",
    params(("id" = u64, Path, description = "The job."), Keyed),
    responses((status = 200, description = "It is tried.", body = Done), Refusals, Conflicts))]
pub(super) async fn retry(
    State(shared): State<Shared>,
    caller: Caller,
    Of(job): Of,
    key: Key,
) -> Response {
    change(&shared, &caller, key, Ask::Retry { job }).await
}

/// Has a fax that waits called only when it is released.
#[utoipa::path(post, path = "/v1/jobs/{id}/hold", tag = "jobs",
    params(("id" = u64, Path, description = "The job."), Keyed),
    responses((status = 200, description = "It is on hold.", body = Done), Refusals, Conflicts))]
pub(super) async fn hold(
    State(shared): State<Shared>,
    caller: Caller,
    Of(job): Of,
    key: Key,
) -> Response {
    change(&shared, &caller, key, Ask::Hold { job }).await
}

/// Lets a fax go that is on hold.
#[utoipa::path(post, path = "/v1/jobs/{id}/release", tag = "jobs",
    params(("id" = u64, Path, description = "The job."), Keyed),
    responses((status = 200, description = "It may be called.", body = Done),
        Refusals, Conflicts))]
pub(super) async fn release(
    State(shared): State<Shared>,
    caller: Caller,
    Of(job): Of,
    key: Key,
) -> Response {
    change(&shared, &caller, key, Ask::Release { job }).await
}

/// Changes a fax that waits: its priority, its times, its number.
#[utoipa::path(patch, path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = u64, Path, description = "The job."), Keyed),
    request_body = Alteration,
    responses((status = 200, description = "It is as it was asked to be.", body = Done),
        Refusals, Conflicts, Bodies))]
pub(super) async fn alter(
    State(shared): State<Shared>,
    caller: Caller,
    Of(job): Of,
    key: Key,
    Body(to): Body<Alteration>,
) -> Response {
    let altered = || {
        Ok(AskAlter {
            job,
            priority: to.priority,
            tries: to.tries,
            expires: moment("expires", to.expires.as_ref())?,
            due: moment("due", to.due.as_ref())?,
            number: to.number.clone(),
        })
    };
    match altered() {
        Ok(asked) => change(&shared, &caller, key, Ask::Alter(asked)).await,
        Err(problem) => Problem::into_response(problem),
    }
}

/// The received faxes that nobody has got, from servers for which the asker has
/// `inbound.see`.
#[utoipa::path(get, path = "/v1/inbound", params(Part), tag = "inbound",
    responses((status = 200, description = "A page of jobs.", body = JobList,
        headers(("Link" = String, description = "The next page, `rel=\"next\"`."))), Refusals))]
pub(super) async fn inbound(
    State(shared): State<Shared>,
    uri: Uri,
    caller: Caller,
    Asked(Part { limit, before }): Asked<Part>,
) -> Result<Response, Problem> {
    let asked = AskInbound { limit, before: before.map(JobId) };
    match ask(&shared, &caller, Ask::Inbound(asked)).await? {
        Reply::Jobs(jobs) => Ok(listed(&uri, limit, &jobs)),
        _ => Err(unexpected()),
    }
}

/// Gives a received fax that nobody has got to a client.
#[utoipa::path(post, path = "/v1/inbound/{id}/assign", tag = "inbound",
    params(("id" = u64, Path, description = "The job."), Keyed),
    request_body = Assignment,
    responses((status = 200, description = "It goes to the client.", body = Done),
        Refusals, Conflicts, Bodies))]
pub(super) async fn assign(
    State(shared): State<Shared>,
    caller: Caller,
    Of(job): Of,
    key: Key,
    Body(to): Body<Assignment>,
) -> Response {
    match ClientName::new(&to.client) {
        Ok(client) => change(&shared, &caller, key, Ask::Assign { job, client }).await,
        Err(why) => Problem::new(Code::BadRequest, why.to_string()).into_response(),
    }
}
