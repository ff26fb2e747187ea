//! The webhooks: who is told of what happens, and what is wrong with it.

use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::request::Parts,
    response::Response,
};
use postfax_domain::names::HookName;

use super::{Conflicts, Refusals};
use crate::{
    http::{
        Shared,
        ask::{ask, change, unexpected},
        body::{Key, Keyed},
        door::Caller,
        problem::{Code, Problem},
        view::{Hurried, WebhookList},
    },
    requests::{Ask, Reply},
};

/// All webhooks; needs `config.read` at the supervisor.
#[utoipa::path(get, path = "/v1/webhooks", tag = "webhooks",
    responses((status = 200, description = "The webhooks.", body = WebhookList), Refusals))]
pub(super) async fn webhooks(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Json<WebhookList>, Problem> {
    match ask(&shared, &caller, Ask::Webhooks).await? {
        Reply::Webhooks(hooks) => {
            Ok(Json(WebhookList { webhooks: hooks.into_iter().map(Into::into).collect() }))
        }
        _ => Err(unexpected()),
    }
}

/// Tries at once what waits for one; needs `config.write` at the supervisor.
#[utoipa::path(post, path = "/v1/webhooks/{name}/retry", tag = "webhooks",
    operation_id = "retry_webhook",
    params(("name" = String, Path, description = "The webhook.", example = "crm"), Keyed),
    responses((status = 200, description = "It is tried now.", body = Hurried),
        Refusals, Conflicts))]
pub(super) async fn retry(
    State(shared): State<Shared>,
    caller: Caller,
    Named(webhook): Named,
    key: Key,
) -> Response {
    change(&shared, &caller, key, Ask::RetryWebhook { webhook }).await
}

/// The webhook that a path names.
pub(super) struct Named(HookName);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text): Path<String> = Path::from_request_parts(parts, state)
            .await
            .map_err(|why| Problem::new(Code::BadRequest, why.body_text()))?;
        let name = HookName::new(&text);
        name.map(Self).map_err(|why| Problem::new(Code::BadRequest, why.to_string()))
    }
}
