//! The fax servers: listed, shown, given no work, given up.

use axum::{Json, extract::State, response::Response};

use super::{Conflicts, Refusals};
use crate::{
    http::{
        Shared,
        ask::{ask, change, unexpected},
        body::{At, Key, Keyed},
        door::Caller,
        problem::{Code, Problem},
        view::{Draining, GivenUp, ServerDetail, ServerList},
    },
    requests::{Ask, Reply, Server},
};

async fn known(shared: &Shared, caller: &Caller) -> Result<Vec<Server>, Problem> {
    match ask(shared, caller, Ask::Servers).await? {
        Reply::Servers(servers) => Ok(servers),
        _ => Err(unexpected()),
    }
}

/// The fax servers that the asker may know of: those that it shares a group with, and
/// those that it was granted something at.
#[utoipa::path(get, path = "/v1/servers", tag = "servers",
    responses((status = 200, description = "The servers.", body = ServerList), Refusals))]
pub(super) async fn servers(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Json<ServerList>, Problem> {
    let servers = known(&shared, &caller).await?;
    Ok(Json(ServerList { servers: servers.iter().map(ServerDetail::from).collect() }))
}

/// One of them.
#[utoipa::path(get, path = "/v1/servers/{name}", tag = "servers",
    params(("name" = String, Path, description = "The server.", example = "london-1")),
    responses((status = 200, description = "The server.", body = ServerDetail), Refusals))]
pub(super) async fn server(
    State(shared): State<Shared>,
    caller: Caller,
    At(name): At,
) -> Result<Json<ServerDetail>, Problem> {
    let servers = known(&shared, &caller).await?;
    let server = servers.iter().find(|server| server.status.name == name);
    server.map(|server| Json(ServerDetail::from(server))).ok_or_else(|| {
        let words = format!("there is no fax server {name}; GET /v1/servers lists them");
        Problem::new(Code::NoSuchServer, words)
    })
}

/// Gives a fax server no new work; needs `settings.write` there.
#[utoipa::path(post, path = "/v1/servers/{name}/drain", tag = "servers",
    params(("name" = String, Path, description = "The server.", example = "london-1"), Keyed),
    responses((status = 200, description = "It gets no new work.", body = Draining),
        Refusals, Conflicts))]
pub(super) async fn drain(
    State(shared): State<Shared>,
    caller: Caller,
    At(server): At,
    key: Key,
) -> Response {
    change(&shared, &caller, key, Ask::Drain { server }).await
}

/// Gives it new work again; needs `settings.write` there.
#[utoipa::path(post, path = "/v1/servers/{name}/resume", tag = "servers",
    params(("name" = String, Path, description = "The server.", example = "london-1"), Keyed),
    responses((status = 200, description = "It gets new work.", body = Draining),
        Refusals, Conflicts))]
pub(super) async fn resume(
    State(shared): State<Shared>,
    caller: Caller,
    At(server): At,
    key: Key,
) -> Response {
    change(&shared, &caller, key, Ask::Resume { server }).await
}

/// Ends the calls of a fax server that was lost for good; needs `settings.write` there.
#[utoipa::path(post, path = "/v1/servers/{name}/give-up", tag = "servers",
    params(("name" = String, Path, description = "The server.", example = "london-1"), Keyed),
    responses((status = 200, description = "These jobs have ended.", body = GivenUp),
        Refusals, Conflicts))]
pub(super) async fn give_up(
    State(shared): State<Shared>,
    caller: Caller,
    At(server): At,
    key: Key,
) -> Response {
    change(&shared, &caller, key, Ask::GiveUp { server }).await
}
