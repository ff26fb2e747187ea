//! The audit log: who has asked for what, and whether it is whole. Needs `audit.see` at
//! the supervisor.

use axum::{Json, extract::State, http::Uri, response::Response};

use super::{Refusals, paged};
use crate::{
    http::{
        Shared,
        ask::{ask, unexpected},
        body::{Asked, moment},
        door::Caller,
        problem::{Code, Problem},
        view::{AuditFilter, AuditList, ChainView, Known, next},
    },
    requests::{Ask, AskAudit, Reply},
};

/// Who has asked for what, newest first; `Link` leads to the next page (RFC 8288).
#[utoipa::path(get, path = "/v1/audit", params(AuditFilter), tag = "audit",
    responses((status = 200, description = "A page of the log.", body = AuditList,
        headers(("Link" = String, description = "The next page, `rel=\"next\"`."))), Refusals))]
pub(super) async fn audit(
    State(shared): State<Shared>,
    uri: Uri,
    caller: Caller,
    Asked(filter): Asked<AuditFilter>,
) -> Result<Response, Problem> {
    let AuditFilter { who, request, since, limit, before } = filter;
    let since = moment("since", since.as_ref())?;
    let asked = AskAudit { who, request, since, limit, before };
    match ask(&shared, &caller, Ask::Audit(asked)).await? {
        Reply::Audit(lines) => {
            let next = next(limit, lines.len(), lines.last().map(|line| line.seq));
            let lines = lines.into_iter().map(Into::into).collect();
            Ok(paged(&uri, next, AuditList { lines, next }))
        }
        _ => Err(unexpected()),
    }
}

/// Reads the whole log and says whether every line fits to the one before.
#[utoipa::path(get, path = "/v1/audit/verify", params(Known), tag = "audit",
    responses((status = 200, description = "What was found.", body = ChainView), Refusals))]
pub(super) async fn verify(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(Known { head }): Asked<Known>,
) -> Result<Json<ChainView>, Problem> {
    let head = head.map(|head| head.parse()).transpose();
    let head = head.map_err(|_| {
        Problem::new(Code::BadRequest, "head is SEQ:HASH, as an earlier answer had it")
    })?;
    match ask(&shared, &caller, Ask::VerifyAudit { head }).await? {
        Reply::Chain(chain) => Ok(Json(chain.into())),
        _ => Err(unexpected()),
    }
}
