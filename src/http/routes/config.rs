//! The configuration: what it says, its versions, and changes of it. What is secret is in
//! files of its own, which are not shown here either.

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
        body::{Asked, Body, Key, Keyed, Matched, Number, Seen},
        door::Caller,
        problem::{self, Code, Problem},
        view::{
            Back, ChangedView, Check, Checked, ConfigKey, ConfigVersions, DiffView, FileText,
            FoundView, KeyChanges, Part, Reloaded, TextsView, VersionsAsked, page,
        },
    },
    requests::{Ask, AskConfig, ConfigReply, Reply, Terms},
};

async fn told(shared: &Shared, caller: &Caller, asked: AskConfig) -> Result<ConfigReply, Problem> {
    match ask(shared, caller, Ask::Config(asked)).await? {
        Reply::Config(reply) => Ok(*reply),
        _ => Err(unexpected()),
    }
}

async fn texts(shared: &Shared, caller: &Caller, asked: AskConfig) -> Result<Response, Problem> {
    match told(shared, caller, asked).await? {
        ConfigReply::Texts { version, texts } => {
            let tag = problem::tag(version).map(|tag| [(header::ETAG, tag)]);
            Ok((tag, Json(TextsView::new(version, texts))).into_response())
        }
        _ => Err(unexpected()),
    }
}

/// All that is written; needs `config.read` at the supervisor.
#[utoipa::path(get, operation_id = "config_get",
    path = "/v1/config", tag = "config",
    responses((status = 200, description = "The files.", body = TextsView,
        headers(("ETag" = String, description = "The version, for `If-Match`."))),
        Refusals, Conflicts))]
pub(super) async fn get(State(shared): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    texts(&shared, &caller, AskConfig::Get { key: None }).await
}

/// What is written under a key.
#[utoipa::path(get, operation_id = "config_key",
    path = "/v1/config/keys", params(ConfigKey), tag = "config",
    responses((status = 200, description = "What stands where.", body = FoundView),
        Refusals, Conflicts))]
pub(super) async fn key(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(ConfigKey { key }): Asked<ConfigKey>,
) -> Result<Json<FoundView>, Problem> {
    match told(&shared, &caller, AskConfig::Get { key: Some(key) }).await? {
        ConfigReply::Found { version, found } => Ok(Json(FoundView::new(version, found))),
        _ => Err(unexpected()),
    }
}

/// Changes keys; needs `config.write` at the supervisor. The new configuration is in force
/// with the answer.
#[utoipa::path(patch, operation_id = "config_set",
    path = "/v1/config", params(Keyed, Matched), tag = "config",
    request_body = KeyChanges,
    responses((status = 200, description = "It is in force.", body = ChangedView,
            headers(("ETag" = String, description = "The new version, where there is one."))),
        Refusals, Conflicts, Bodies, Preconditions))]
pub(super) async fn set(
    State(shared): State<Shared>,
    caller: Caller,
    key: Key,
    Seen(version): Seen,
    Body(asked): Body<KeyChanges>,
) -> Response {
    let terms = Terms { reason: asked.reason.clone(), version, dry_run: false };
    let asked = AskConfig::Set { changes: asked.sets(), terms };
    change(&shared, &caller, key, Ask::Config(asked)).await
}

/// Replaces the text of one file.
#[utoipa::path(put, operation_id = "config_replace",
    path = "/v1/config", params(Keyed, Matched), tag = "config",
    request_body = FileText,
    responses((status = 200, description = "It is in force.", body = ChangedView,
            headers(("ETag" = String, description = "The new version, where there is one."))),
        Refusals, Conflicts, Bodies, Preconditions))]
pub(super) async fn replace(
    State(shared): State<Shared>,
    caller: Caller,
    key: Key,
    Seen(version): Seen,
    Body(asked): Body<FileText>,
) -> Response {
    let terms = Terms { reason: asked.reason.clone(), version, dry_run: false };
    let asked = AskConfig::Replace { text: asked.text(), terms };
    change(&shared, &caller, key, Ask::Config(asked)).await
}

/// Says whether a change would be good and what it would change, and changes nothing;
/// needs what the change needs.
#[utoipa::path(post, operation_id = "config_check",
    path = "/v1/config/check", tag = "config",
    request_body = Check,
    responses((status = 200, description = "It would be good.", body = ChangedView),
        Refusals, Conflicts, Bodies))]
pub(super) async fn check(
    State(shared): State<Shared>,
    caller: Caller,
    Body(asked): Body<Check>,
) -> Result<Json<ChangedView>, Problem> {
    let terms = Terms { dry_run: true, ..Terms::default() };
    let asked = match asked.meant() {
        Some(Checked::Keys(changes)) => AskConfig::Set { changes, terms },
        Some(Checked::File(text)) => AskConfig::Replace { text, terms },
        None => {
            let words = "send changes, or a file and its text";
            return Err(Problem::new(Code::BadRequest, words));
        }
    };
    match told(&shared, &caller, asked).await? {
        ConfigReply::Changed { version, diff, said } => {
            Ok(Json(ChangedView { version, diff, said }))
        }
        _ => Err(unexpected()),
    }
}

/// The versions that are kept, newest first.
#[utoipa::path(get, operation_id = "config_history",
    path = "/v1/config/history", params(Part), tag = "config",
    responses((status = 200, description = "A page of versions.", body = ConfigVersions,
        headers(("Link" = String, description = "The next page, `rel=\"next\"`."))),
        Refusals, Conflicts))]
pub(super) async fn history(
    State(shared): State<Shared>,
    uri: Uri,
    caller: Caller,
    Asked(part): Asked<Part>,
) -> Result<Response, Problem> {
    let ConfigReply::History(all) = told(&shared, &caller, AskConfig::History).await? else {
        return Err(unexpected());
    };
    let (versions, next) = page(all, &part, |version| version.number)?;
    let versions = versions.into_iter().map(Into::into).collect();
    Ok(paged(&uri, next, ConfigVersions { versions, next }))
}

/// What a version said.
#[utoipa::path(get, operation_id = "config_version",
    path = "/v1/config/history/{number}", tag = "config",
    params(("number" = u64, Path, description = "The version.", minimum = 1)),
    responses((status = 200, description = "The files.", body = TextsView), Refusals, Conflicts))]
pub(super) async fn version(
    State(shared): State<Shared>,
    caller: Caller,
    Number(number): Number,
) -> Result<Json<TextsView>, Problem> {
    match told(&shared, &caller, AskConfig::Show { number }).await? {
        ConfigReply::Texts { version, texts } => Ok(Json(TextsView::new(version, texts))),
        _ => Err(unexpected()),
    }
}

/// What differs between two versions.
#[utoipa::path(get, operation_id = "config_diff",
    path = "/v1/config/diff", params(VersionsAsked), tag = "config",
    responses((status = 200, description = "The difference.", body = DiffView),
        Refusals, Conflicts))]
pub(super) async fn diff(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(VersionsAsked { from, to }): Asked<VersionsAsked>,
) -> Result<Json<DiffView>, Problem> {
    match told(&shared, &caller, AskConfig::Diff { from, to }).await? {
        ConfigReply::Diff(diff) => Ok(Json(DiffView { diff })),
        _ => Err(unexpected()),
    }
}

/// Makes a new version out of an old one, and puts it in force.
#[utoipa::path(post, operation_id = "config_rollback",
    path = "/v1/config/rollback", params(Keyed, Matched), tag = "config",
    request_body = Back,
    responses((status = 200, description = "It is in force.", body = ChangedView,
            headers(("ETag" = String, description = "The new version, where there is one."))),
        Refusals, Conflicts, Bodies, Preconditions))]
pub(super) async fn rollback(
    State(shared): State<Shared>,
    caller: Caller,
    key: Key,
    Seen(version): Seen,
    Body(Back { to, reason }): Body<Back>,
) -> Response {
    let terms = Terms { reason, version, dry_run: false };
    change(&shared, &caller, key, Ask::Config(AskConfig::Rollback { number: to, terms })).await
}

/// Has Postfax read its configuration again; needs `config.write` at the supervisor.
#[utoipa::path(post, operation_id = "config_reload",
    path = "/v1/reload", params(Keyed), tag = "config",
    responses((status = 200, description = "It is in force.", body = Reloaded),
        Refusals, Conflicts))]
pub(super) async fn reload(State(shared): State<Shared>, caller: Caller, key: Key) -> Response {
    change(&shared, &caller, key, Ask::Reload).await
}
