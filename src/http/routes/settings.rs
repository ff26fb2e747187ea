//! The settings of fax servers: what is registered, its versions, and changes of it. A
//! change waits up to 20 s for the server to take it.

use axum::{
    Json,
    extract::State,
    http::{Uri, header},
    response::{IntoResponse as _, Response},
};

use super::{Bodies, Conflicts, Preconditions, Refusals, paged};
use crate::{
    http::{
        Shared,
        ask::{ask, change, unexpected},
        body::{Asked, At, Body, Key, Keyed, Matched, Seen},
        door::Caller,
        problem::{self, Problem},
        view::{
            Back, DifferencesView, FieldView, Part, Reason, RegisteredView, SchemaView,
            SettingsAsked, SettingsText, SettingsVersions, SettingsView, Sides, page,
        },
    },
    requests::{
        Ask, Reply,
        settings::{AskSettings, Shown, Told},
    },
};

async fn told(shared: &Shared, caller: &Caller, asked: AskSettings) -> Result<Told, Problem> {
    match ask(shared, caller, Ask::Settings(asked)).await? {
        Reply::Settings(told) => Ok(*told),
        _ => Err(unexpected()),
    }
}

async fn sheet(shared: &Shared, caller: &Caller, At(server): At) -> Result<Shown, Problem> {
    match told(shared, caller, AskSettings::Get { server }).await? {
        Told::Sheet(shown) => Ok(shown),
        _ => Err(unexpected()),
    }
}

/// What is registered for a server, and what became of it; needs `settings.read` there.
#[utoipa::path(get, operation_id = "settings_get",
    path = "/v1/servers/{name}/settings", tag = "settings",
    params(("name" = String, Path, description = "The server.", example = "london-1")),
    responses((status = 200, description = "The settings.", body = SettingsView,
        headers(("ETag" = String, description = "The version, for `If-Match`."))),
        Refusals, Conflicts))]
pub(super) async fn get(
    State(shared): State<Shared>,
    caller: Caller,
    at: At,
) -> Result<Response, Problem> {
    let view = SettingsView::from(sheet(&shared, &caller, at).await?);
    let tag = problem::tag(view.version).map(|tag| [(header::ETAG, tag)]);
    Ok((tag, Json(view)).into_response())
}

/// What can be set at a server: keys, types, ranges, defaults; needs `settings.read` there.
#[utoipa::path(get, operation_id = "settings_schema",
    path = "/v1/servers/{name}/settings/schema", tag = "settings",
    params(("name" = String, Path, description = "The server.", example = "london-1")),
    responses((status = 200, description = "The keys.", body = SchemaView), Refusals, Conflicts))]
pub(super) async fn schema(
    State(shared): State<Shared>,
    caller: Caller,
    at: At,
) -> Result<Json<SchemaView>, Problem> {
    let keys = sheet(&shared, &caller, at).await?.keys;
    Ok(Json(SchemaView { keys: keys.into_iter().map(FieldView::from).collect() }))
}

/// Sets these, and leaves everything else; needs `settings.write` there.
#[utoipa::path(patch, operation_id = "settings_set",
    path = "/v1/servers/{name}/settings", tag = "settings",
    params(("name" = String, Path, description = "The server.", example = "london-1"),
        Keyed, Matched),
    request_body = SettingsAsked,
    responses((status = 200, description = "They are registered; `state` says whether the server has them.",
            body = RegisteredView,
            headers(("ETag" = String, description = "The new version."))),
        Refusals, Conflicts, Bodies, Preconditions))]
pub(super) async fn set(
    State(shared): State<Shared>,
    caller: Caller,
    At(server): At,
    key: Key,
    Seen(version): Seen,
    Body(asked): Body<SettingsAsked>,
) -> Response {
    let reason = asked.reason.clone();
    let asked = AskSettings::Set { server, version, set: asked.set(), reason };
    change(&shared, &caller, key, Ask::Settings(asked)).await
}

/// Sets what stands in an edited text, and nothing else. Without `If-Match` the version
/// that stands in the text counts.
#[utoipa::path(put, operation_id = "settings_replace",
    path = "/v1/servers/{name}/settings", tag = "settings",
    params(("name" = String, Path, description = "The server.", example = "london-1"),
        Keyed, Matched),
    request_body = SettingsText,
    responses((status = 200, description = "It is registered; `state` says whether the server has it.",
            body = RegisteredView,
            headers(("ETag" = String, description = "The new version."))),
        Refusals, Conflicts, Bodies, Preconditions))]
pub(super) async fn replace(
    State(shared): State<Shared>,
    caller: Caller,
    At(server): At,
    key: Key,
    Seen(version): Seen,
    Body(SettingsText { text, reason }): Body<SettingsText>,
) -> Response {
    let asked = AskSettings::SetText { server, version, text, reason };
    change(&shared, &caller, key, Ask::Settings(asked)).await
}

/// The versions, newest first, and what each of them changed.
#[utoipa::path(get, operation_id = "settings_history",
    path = "/v1/servers/{name}/settings/history", tag = "settings",
    params(("name" = String, Path, description = "The server.", example = "london-1"), Part),
    responses((status = 200, description = "A page of versions.", body = SettingsVersions,
        headers(("Link" = String, description = "The next page, `rel=\"next\"`."))),
        Refusals, Conflicts))]
pub(super) async fn history(
    State(shared): State<Shared>,
    uri: Uri,
    caller: Caller,
    At(server): At,
    Asked(part): Asked<Part>,
) -> Result<Response, Problem> {
    let Told::History(all) = told(&shared, &caller, AskSettings::History { server }).await? else {
        return Err(unexpected());
    };
    let (versions, next) = page(all, &part, |version| version.number)?;
    let versions = versions.into_iter().map(Into::into).collect();
    Ok(paged(&uri, next, SettingsVersions { versions, next }))
}

/// Where two versions differ, or the newest one and what the server holds.
#[utoipa::path(get, operation_id = "settings_diff",
    path = "/v1/servers/{name}/settings/diff", tag = "settings",
    params(("name" = String, Path, description = "The server.", example = "london-1"), Sides),
    responses((status = 200, description = "The differences.", body = DifferencesView),
        Refusals, Conflicts))]
pub(super) async fn diff(
    State(shared): State<Shared>,
    caller: Caller,
    At(server): At,
    Asked(Sides { from, to }): Asked<Sides>,
) -> Result<Json<DifferencesView>, Problem> {
    match told(&shared, &caller, AskSettings::Diff { server, from, to }).await? {
        Told::Diff(differences) => Ok(Json(differences.into())),
        _ => Err(unexpected()),
    }
}

/// Registers an old version again, as a new one.
#[utoipa::path(post, operation_id = "settings_rollback",
    path = "/v1/servers/{name}/settings/rollback", tag = "settings",
    params(("name" = String, Path, description = "The server.", example = "london-1"),
        Keyed, Matched),
    request_body = Back,
    responses((status = 200, description = "It is registered; `state` says whether the server has it.",
            body = RegisteredView,
            headers(("ETag" = String, description = "The new version."))),
        Refusals, Conflicts, Bodies, Preconditions))]
pub(super) async fn rollback(
    State(shared): State<Shared>,
    caller: Caller,
    At(server): At,
    key: Key,
    Seen(version): Seen,
    Body(Back { to, reason }): Body<Back>,
) -> Response {
    let asked = AskSettings::Rollback { server, to, version, reason };
    change(&shared, &caller, key, Ask::Settings(asked)).await
}

/// Registers what the server holds, where that was changed at the server itself.
#[utoipa::path(post, operation_id = "settings_adopt",
    path = "/v1/servers/{name}/settings/adopt", tag = "settings",
    params(("name" = String, Path, description = "The server.", example = "london-1"), Keyed),
    request_body = Reason,
    responses((status = 200, description = "It is registered.", body = RegisteredView,
            headers(("ETag" = String, description = "The new version."))),
        Refusals, Conflicts, Bodies))]
pub(super) async fn adopt(
    State(shared): State<Shared>,
    caller: Caller,
    At(server): At,
    key: Key,
    Body(Reason { reason }): Body<Reason>,
) -> Response {
    change(&shared, &caller, key, Ask::Settings(AskSettings::Adopt { server, reason })).await
}

/// Brings what is registered to the server again.
#[utoipa::path(post, operation_id = "settings_push",
    path = "/v1/servers/{name}/settings/push", tag = "settings",
    params(("name" = String, Path, description = "The server.", example = "london-1"), Keyed),
    responses((status = 200, description = "`state` says whether the server has it.",
            body = RegisteredView,
            headers(("ETag" = String, description = "The version."))),
        Refusals, Conflicts))]
pub(super) async fn push(
    State(shared): State<Shared>,
    caller: Caller,
    At(server): At,
    key: Key,
) -> Response {
    change(&shared, &caller, key, Ask::Settings(AskSettings::Push { server })).await
}
