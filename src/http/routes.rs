//! What can be asked, each with its description: together they are `/openapi.json`.

use axum::{
    Json, Router,
    extract::State,
    http::{Uri, header},
    middleware,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use postfax_domain::authority::{Target, Verb, Who};
use utoipa::{
    IntoResponses, Modify, OpenApi, ToSchema,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

use super::{
    Shared,
    body::{Asked, Key, Of},
    door::{self, Caller},
    events, faxes,
    guard::{self, Bounds},
    may,
    once::{self, Answer},
    pages,
    problem::Problem,
    view::{Done, ExplanationView, Filter, JobList, JobRow, JobStory, Question, StatusView},
};
use crate::{
    config::HttpLimits,
    requests::{Ask, AskJobs, Reply},
};

/// What every request may be answered with that nobody could do.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) enum Refusals {
    /// The question could not be understood.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(#[to_schema] Problem),
    /// There is no good token.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(#[to_schema] Problem),
    /// The one who asks may not.
    #[response(status = 403, content_type = "application/problem+json")]
    NotPermitted(#[to_schema] Problem),
    /// There is no such job, or it is not for the asker to see.
    #[response(status = 404, content_type = "application/problem+json")]
    NoSuchJob(#[to_schema] Problem),
    /// The path has no such method.
    #[response(status = 405, content_type = "application/problem+json")]
    MethodNotAllowed(#[to_schema] Problem),
    /// Too much of late; `Retry-After` says when to come back.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(#[to_schema] Problem),
    /// Postfax itself failed.
    #[response(status = 500, content_type = "application/problem+json")]
    Failed(#[to_schema] Problem),
    /// It took too long, or there is no room; `Retry-After` says when to come back.
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(#[to_schema] Problem),
}

/// What those that change something may be refused with besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) enum Conflicts {
    /// The state of the job forbids it, or the same request is under way.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(#[to_schema] Problem),
    /// It was understood and cannot be done; or the Idempotency-Key was used for another.
    #[response(status = 422, content_type = "application/problem+json")]
    Refused(#[to_schema] Problem),
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Postfax", description = "A fax gateway: send faxes, follow them, fetch them."),
    modifiers(&Bearer),
    paths(
        health, status, jobs, job, cancel, retry, pages::pages, explain, reload, faxes::send,
        events::events
    ),
    security(("token" = []))
)]
struct Described;

/// Tokens, as `postfax token create` makes them.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("token", scheme);
    }
}

/// All routes, ready to serve.
pub(super) fn router(shared: Shared, limits: &HttpLimits) -> Router {
    let asked = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/jobs", get(jobs))
        .route("/v1/jobs/{id}", get(job))
        .route("/v1/jobs/{id}/cancel", post(cancel))
        .route("/v1/jobs/{id}/retry", post(retry))
        .route("/v1/jobs/{id}/pages", get(pages::pages))
        .route("/v1/explain", get(explain))
        .route("/v1/reload", post(reload))
        .route("/v1/faxes", post(faxes::send))
        .route("/v1/events", get(events::events));
    let description = Described::openapi().to_json().unwrap_or_default();
    let description = move || async move {
        ([(header::CONTENT_TYPE, "application/json")], description).into_response()
    };
    let bounds = Bounds { shared: shared.clone(), start: limits.clone() };
    asked
        .route_layer(middleware::from_fn_with_state(shared.clone(), door::let_in))
        .route("/v1/health", get(health))
        .route("/openapi.json", get(description))
        .fallback(guard::not_found)
        .method_not_allowed_fallback(guard::no_such_method)
        .layer(middleware::from_fn_with_state(bounds, guard::bounded))
        .with_state(shared)
}

/// It is there.
#[derive(serde::Serialize, ToSchema)]
struct Health {
    /// `ok`.
    status: &'static str,
}

/// Whether Postfax runs and its supervisor answers; needs no token.
#[utoipa::path(get, path = "/v1/health", security(()),
    responses((status = 200, description = "It does.", body = Health), Refusals))]
async fn health(State(shared): State<Shared>) -> Result<Json<Health>, Problem> {
    let answered =
        shared.daemon.ask(postfax_domain::supervisor::Request::Status(Who::Administrator)).await;
    answered.map_err(|why| Problem::new(super::problem::Code::Busy, why))?;
    Ok(Json(Health { status: "ok" }))
}

/// How everything is, as far as the asker may know.
#[utoipa::path(get, path = "/v1/status",
    responses((status = 200, description = "The status.", body = StatusView), Refusals))]
async fn status(State(shared): State<Shared>, caller: Caller) -> Result<Json<StatusView>, Problem> {
    let Reply::Status(status) = may::ask(&shared, &caller, Ask::Status).await? else {
        return Err(unexpected());
    };
    let setup = may::setup(&shared);
    let own = setup.clients.get(&caller.client).map(|client| &client.groups);
    let knows = |server: &postfax_domain::supervisor::ServerStatus| {
        let groups = setup.servers.get(&server.name).map(|server| &server.groups);
        let shares = groups.zip(own).is_some_and(|(its, own)| !its.is_disjoint(own));
        let target = Target::Server(&server.name);
        shares || may::permit(&setup, &caller, Verb::JobsSee, target).is_ok()
    };
    let sees_all = may::permit(&setup, &caller, Verb::JobsSee, Target::Supervisor).is_ok();
    let sees = |job: &_| may::sees(&setup, &caller, job);
    Ok(Json(StatusView::new(&status, knows, sees, sees_all)))
}

/// The jobs that the asker sees, newest first; `Link` leads to the next page (RFC 8288).
#[utoipa::path(get, path = "/v1/jobs", params(Filter),
    responses((status = 200, description = "A page of jobs.", body = JobList,
        headers(("Link" = String, description = "The next page, `rel=\"next\"`."))), Refusals))]
async fn jobs(
    State(shared): State<Shared>,
    uri: Uri,
    caller: Caller,
    Asked(filter): Asked<Filter>,
) -> Result<Response, Problem> {
    let ask = AskJobs {
        state: filter.state.map(Into::into),
        kind: filter.kind.map(Into::into),
        client: filter.client,
        number: filter.number,
        limit: filter.limit,
        before: filter.before.map(postfax_domain::names::JobId),
    };
    let listed = may::jobs(&shared, &caller, &ask).await?;
    let next = listed.next.map(|id| id.0);
    let link = next.map(|before| [(header::LINK, link(uri.query(), before))]);
    let jobs = listed.jobs.iter().map(JobRow::from).collect();
    Ok((link, Json(JobList { jobs, next })).into_response())
}

/// The same question, of the jobs before this one.
fn link(query: Option<&str>, before: u64) -> String {
    let asked = query.unwrap_or_default().split('&');
    let others = asked.filter(|part| !part.is_empty() && !part.starts_with("before="));
    let all: Vec<String> = others.map(str::to_owned).chain([format!("before={before}")]).collect();
    format!("</v1/jobs?{}>; rel=\"next\"", all.join("&"))
}

/// One job and all that is known of it.
#[utoipa::path(get, path = "/v1/jobs/{id}",
    params(("id" = u64, Path, description = "The job.")),
    responses((status = 200, description = "The job.", body = JobStory), Refusals))]
async fn job(
    State(shared): State<Shared>,
    caller: Caller,
    Of(job): Of,
) -> Result<Json<JobStory>, Problem> {
    match may::ask(&shared, &caller, Ask::Show { job }).await? {
        Reply::Job(story) => Ok(Json(JobStory::new(&story.job, &story.receipts))),
        _ => Err(unexpected()),
    }
}

/// Stops a job, and the call if one is under way.
#[utoipa::path(post, path = "/v1/jobs/{id}/cancel",
    params(("id" = u64, Path, description = "The job."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key: the same answer.",
            min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    responses((status = 200, description = "It is stopped.", body = Done), Refusals, Conflicts))]
async fn cancel(State(shared): State<Shared>, caller: Caller, Of(job): Of, key: Key) -> Response {
    change(&shared, &caller, key, Ask::Cancel { job }).await
}

/// Tries a waiting job now, or sends one that is over again, as a new job.
#[utoipa::path(post, path = "/v1/jobs/{id}/retry",
    params(("id" = u64, Path, description = "The job."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key: the same answer.",
            min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    responses((status = 200, description = "It is tried.", body = Done), Refusals, Conflicts))]
async fn retry(State(shared): State<Shared>, caller: Caller, Of(job): Of, key: Key) -> Response {
    change(&shared, &caller, key, Ask::Retry { job }).await
}

/// Which servers could, would or did carry a fax, and why.
#[utoipa::path(get, path = "/v1/explain", params(Question),
    responses((status = 200, description = "The reasons.", body = ExplanationView),
        Refusals, Conflicts))]
async fn explain(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(question): Asked<Question>,
) -> Result<Json<ExplanationView>, Problem> {
    let bad = |words: &str| Err(Problem::new(super::problem::Code::BadRequest, words));
    let ask = match question {
        Question { job: Some(id), from: None, to: None, pages: None } => {
            Ask::ExplainJob { job: postfax_domain::names::JobId(id.min(i64::MAX as u64)) }
        }
        Question { job: Some(_), .. } => return bad("with a job, nothing else is said"),
        Question { to: None, .. } => return bad("say which job, or to which number"),
        Question { job: None, from, to: Some(to), pages } => {
            let from = from.unwrap_or_else(|| caller.client.to_string());
            Ask::Explain { from, to, pages: pages.unwrap_or(1) }
        }
    };
    match may::ask(&shared, &caller, ask).await? {
        Reply::Explained(explanation) => Ok(Json((*explanation).into())),
        _ => Err(unexpected()),
    }
}

/// What is to be said of the configuration that is in force now.
#[derive(serde::Serialize, ToSchema)]
struct Reloaded {
    said: String,
}

/// Has Postfax read its configuration again; needs `config.write` at the supervisor.
#[utoipa::path(post, path = "/v1/reload",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key: the same answer.",
        min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    responses((status = 200, description = "It is in force.", body = Reloaded),
        Refusals, Conflicts))]
async fn reload(State(shared): State<Shared>, caller: Caller, key: Key) -> Response {
    change(&shared, &caller, key, Ask::Reload).await
}

/// Asks for something that changes something; once, where it has a key.
async fn change(shared: &Shared, caller: &Caller, Key(key): Key, ask: Ask) -> Response {
    let Some(limits) = shared.context.config.load().http.as_ref().map(|http| http.limits.clone())
    else {
        return unexpected().into_response();
    };
    let print = once::print(&[&serde_json::to_vec(&ask).unwrap_or_default()]);
    let work = async {
        match may::ask(shared, caller, ask).await? {
            Reply::Done(done) => Ok(Answer::ok(&Done::from(done))),
            Reply::Reloaded(said) => Ok(Answer::ok(&Reloaded { said })),
            _ => Err(unexpected()),
        }
    };
    shared.kept.once(&limits, &caller.client, key, print, work).await
}

/// Something else was answered than was asked: a bug, which is told.
fn unexpected() -> Problem {
    Problem::new(super::problem::Code::Failed, "the answer is of another kind, which is a bug")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_the_same_question() {
        for (query, expected) in [
            (None, "</v1/jobs?before=9>; rel=\"next\""),
            (
                Some("limit=2&before=12&state=open"),
                "</v1/jobs?limit=2&state=open&before=9>; rel=\"next\"",
            ),
        ] {
            assert_eq!(link(query, 9), expected);
        }
    }
}
