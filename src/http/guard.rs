//! What surrounds every request: its time, the size of its body, and what is said when
//! something of ours panics or nothing is found.

use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    extract::{DefaultBodyLimit, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use tokio::time::timeout;
use tracing::error;

use super::{
    Shared,
    problem::{Code, Problem},
};
use crate::config::HttpLimits;

/// The limits in force, and those of the start where the table has gone since.
#[derive(Clone)]
pub(super) struct Bounds {
    pub(super) shared: Shared,
    pub(super) start: HttpLimits,
}

/// Bounds a request, whatever it is.
pub(super) async fn bounded(
    State(bounds): State<Bounds>,
    mut request: Request,
    next: Next,
) -> Response {
    let limits = bounds.shared.limits(&bounds.start);
    DefaultBodyLimit::max(limits.max_body_bytes).apply(&mut request);
    let answering = AssertUnwindSafe(next.run(request)).catch_unwind();
    match timeout(Duration::from_secs(limits.request_timeout_s), answering).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            error!("a request over HTTP ended in a bug");
            Problem::new(Code::Failed, "Postfax failed at this request").into_response()
        }
        Err(_) => {
            let words = format!("there was no answer within {} s", limits.request_timeout_s);
            Problem::new(Code::Busy, words).into_response()
        }
    }
}

/// Nothing is at this path.
pub(super) async fn not_found() -> Problem {
    Problem::new(Code::NotFound, "there is nothing here; /openapi.json says what there is")
}

/// Something is at this path, but it has no such method.
pub(super) async fn no_such_method() -> Problem {
    Problem::new(Code::MethodNotAllowed, "this path has other methods; Allow names them")
}
