//! What can be asked, each with its description: together they are `/openapi.json`.

mod audit;
mod config;
mod jobs;
mod servers;
mod settings;
mod webhooks;

use axum::{
    Json, Router,
    extract::State,
    http::{Uri, header},
    middleware,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use postfax_domain::authority::Who;
use serde::Serialize;
use utoipa::{
    IntoResponses, Modify, OpenApi, ToSchema,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

use super::{
    Shared,
    ask::{ask, unexpected},
    body::Asked,
    dav,
    door::{self, Caller},
    events, faxes,
    guard::{self, Bounds},
    pages,
    problem::{Code, Problem},
    view::{ExplanationView, Question, StatusView},
};
use crate::{
    config::HttpLimits,
    requests::{Ask, Reply},
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
    /// There is no such thing, or it is not for the asker to see.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(#[to_schema] Problem),
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
    /// The state of things forbids it, the same request is under way, or nobody knows
    /// whether it was done.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(#[to_schema] Problem),
    /// It was understood and cannot be done; or the Idempotency-Key was used for another.
    #[response(status = 422, content_type = "application/problem+json")]
    Refused(#[to_schema] Problem),
}

/// What those that have a body may be refused with besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) enum Bodies {
    /// It is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] Problem),
    /// It is of another type.
    #[response(status = 415, content_type = "application/problem+json")]
    UnsupportedMediaType(#[to_schema] Problem),
}

/// What those may be refused with besides that have a condition.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) enum Preconditions {
    /// There is a newer version than `If-Match` says; `ETag` and `version` name it.
    #[response(status = 412, content_type = "application/problem+json")]
    Stale(#[to_schema] Problem),
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Postfax", description = "A fax gateway: send faxes, follow them, fetch them; \
        supervise fax servers."),
    modifiers(&Bearer),
    paths(
        health, status, explain, faxes::send, events::events, pages::pages,
        jobs::jobs, jobs::job, jobs::alter, jobs::cancel, jobs::retry, jobs::hold, jobs::release,
        jobs::inbound, jobs::assign,
        servers::servers, servers::server, servers::drain, servers::resume, servers::give_up,
        settings::get, settings::set, settings::replace, settings::schema, settings::history,
        settings::diff, settings::rollback, settings::adopt, settings::push,
        config::get, config::set, config::replace, config::key, config::check, config::history,
        config::version, config::diff, config::rollback, config::reload,
        audit::audit, audit::verify, webhooks::webhooks, webhooks::retry
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
        .route("/v1/explain", get(explain))
        .route("/v1/faxes", post(faxes::send))
        .route("/v1/events", get(events::events))
        .merge(of_jobs())
        .merge(of_servers())
        .merge(of_the_supervisor());
    let description = Described::openapi().to_json().unwrap_or_default();
    let description = move || async move {
        ([(header::CONTENT_TYPE, "application/json")], description).into_response()
    };
    let bounds = Bounds { shared: shared.clone(), start: limits.clone() };
    asked
        .route_layer(middleware::from_fn_with_state(shared.clone(), door::let_in))
        .route("/v1/health", get(health))
        .route("/openapi.json", get(description))
        .merge(dav::routes())
        .fallback(guard::not_found)
        .method_not_allowed_fallback(guard::no_such_method)
        .layer(middleware::from_fn_with_state(bounds, guard::bounded))
        .with_state(shared)
}

fn of_jobs() -> Router<Shared> {
    Router::new()
        .route("/v1/jobs", get(jobs::jobs))
        .route("/v1/jobs/{id}", get(jobs::job).patch(jobs::alter))
        .route("/v1/jobs/{id}/pages", get(pages::pages))
        .route("/v1/jobs/{id}/cancel", post(jobs::cancel))
        .route("/v1/jobs/{id}/retry", post(jobs::retry))
        .route("/v1/jobs/{id}/hold", post(jobs::hold))
        .route("/v1/jobs/{id}/release", post(jobs::release))
        .route("/v1/inbound", get(jobs::inbound))
        .route("/v1/inbound/{id}/assign", post(jobs::assign))
}

fn of_servers() -> Router<Shared> {
    let set = get(settings::get).patch(settings::set).put(settings::replace);
    Router::new()
        .route("/v1/servers", get(servers::servers))
        .route("/v1/servers/{name}", get(servers::server))
        .route("/v1/servers/{name}/drain", post(servers::drain))
        .route("/v1/servers/{name}/resume", post(servers::resume))
        .route("/v1/servers/{name}/give-up", post(servers::give_up))
        .route("/v1/servers/{name}/settings", set)
        .route("/v1/servers/{name}/settings/schema", get(settings::schema))
        .route("/v1/servers/{name}/settings/history", get(settings::history))
        .route("/v1/servers/{name}/settings/diff", get(settings::diff))
        .route("/v1/servers/{name}/settings/rollback", post(settings::rollback))
        .route("/v1/servers/{name}/settings/adopt", post(settings::adopt))
        .route("/v1/servers/{name}/settings/push", post(settings::push))
}

fn of_the_supervisor() -> Router<Shared> {
    Router::new()
        .route("/v1/config", get(config::get).patch(config::set).put(config::replace))
        .route("/v1/config/keys", get(config::key))
        .route("/v1/config/check", post(config::check))
        .route("/v1/config/history", get(config::history))
        .route("/v1/config/history/{number}", get(config::version))
        .route("/v1/config/diff", get(config::diff))
        .route("/v1/config/rollback", post(config::rollback))
        .route("/v1/reload", post(config::reload))
        .route("/v1/audit", get(audit::audit))
        .route("/v1/audit/verify", get(audit::verify))
        .route("/v1/webhooks", get(webhooks::webhooks))
        .route("/v1/webhooks/{name}/retry", post(webhooks::retry))
}

/// It is there.
#[derive(Serialize, ToSchema)]
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
    answered.map_err(|why| Problem::new(Code::Busy, why))?;
    Ok(Json(Health { status: "ok" }))
}

/// How everything is, as far as the asker may know.
#[utoipa::path(get, path = "/v1/status",
    responses((status = 200, description = "The status.", body = StatusView), Refusals))]
async fn status(State(shared): State<Shared>, caller: Caller) -> Result<Json<StatusView>, Problem> {
    match ask(&shared, &caller, Ask::Status).await? {
        Reply::Status(status) => Ok(Json(StatusView::from(&*status))),
        _ => Err(unexpected()),
    }
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
    let bad = |words: &str| Err(Problem::new(Code::BadRequest, words));
    let asked = match question {
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
    match ask(&shared, &caller, asked).await? {
        Reply::Explained(explanation) => Ok(Json((*explanation).into())),
        _ => Err(unexpected()),
    }
}

/// A page of a list, with the way to the next one (RFC 8288).
fn paged(uri: &Uri, next: Option<u64>, page: impl Serialize) -> Response {
    let link = next.map(|before| [(header::LINK, link(uri, before))]);
    (link, Json(page)).into_response()
}

/// The same question, of what is before this one.
fn link(uri: &Uri, before: u64) -> String {
    let asked = uri.query().unwrap_or_default().split('&');
    let others = asked.filter(|part| !part.is_empty() && !part.starts_with("before="));
    let all: Vec<String> = others.map(str::to_owned).chain([format!("before={before}")]).collect();
    format!("<{}?{}>; rel=\"next\"", uri.path(), all.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_the_same_question() {
        for (asked, expected) in [
            ("/v1/audit", "</v1/audit?before=9>; rel=\"next\""),
            (
                "/v1/jobs?limit=2&before=12&state=open",
                "</v1/jobs?limit=2&state=open&before=9>; rel=\"next\"",
            ),
        ] {
            assert_eq!(link(&Uri::from_static(asked), 9), expected);
        }
    }
}
