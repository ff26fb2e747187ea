//! The one form of everything that goes wrong: a problem document (RFC 9457) with the
//! code that every door uses. Decides nothing but which status a code has.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use postfax_gateway::reply::{Meaning, Reply};
use serde::Serialize;
use utoipa::ToSchema;

use crate::requests;

/// How long a client waits that is told to come back, in seconds.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("60");

/// What went wrong (RFC 9457 3). The type is `about:blank`: what matters is in `code`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The status in words.
    #[schema(example = "Not Found")]
    title: String,
    /// The status.
    #[schema(example = 404, minimum = 400, maximum = 599)]
    status: u16,
    /// What people read: what was wrong, and what would be right.
    #[schema(example = "there is no job 12")]
    detail: String,
    /// What programs read.
    code: Code,
    /// The status by which a mail would have been refused (RFC 3463).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "5.7.1")]
    mail_status: Option<String>,
    /// The newest version, where `If-Match` named another; `ETag` says the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 4, minimum = 0)]
    version: Option<u64>,
    /// All that stands in the way, where it may be much.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
}

/// Kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Code {
    /// There is no such job, or it is not for the asker to see.
    NoSuchJob,
    /// There is no such fax server or no such version of its settings, or it is not for the
    /// asker to see.
    NoSuchServer,
    /// There is no such webhook.
    NoSuchWebhook,
    /// There is no such entry in the phone book, for the asker.
    NoSuchEntry,
    /// It is not in a state in which this could be done.
    WrongState,
    /// `If-Match` names another version than the newest.
    Stale,
    /// It was begun, and nobody knows whether it was done.
    OutcomeUnknown,
    /// A file of Postfax cannot be written.
    ReadOnly,
    /// The question could not be understood.
    BadRequest,
    /// The one who asks may not.
    NotPermitted,
    /// The new configuration is bad; the old one stays in force.
    BadConfiguration,
    /// Too many ask at once, or it took too long.
    Busy,
    /// Postfax itself failed.
    Failed,
    /// There is no good token.
    Unauthenticated,
    /// There is nothing at this path.
    NotFound,
    /// The path has no such method.
    MethodNotAllowed,
    /// None of the forms that are accepted.
    NotAcceptable,
    /// The same request is under way.
    UnderWay,
    /// The key was used for another request.
    KeyUsed,
    /// More than is taken at once.
    TooLarge,
    /// A body of another type.
    UnsupportedMediaType,
    /// What was sent cannot be faxed, or not there.
    Refused,
    /// Too much of late.
    TooMany,
}

impl Code {
    /// Which status it has.
    fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::NotPermitted => StatusCode::FORBIDDEN,
            Self::NoSuchJob
            | Self::NoSuchServer
            | Self::NoSuchWebhook
            | Self::NoSuchEntry
            | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::WrongState | Self::UnderWay | Self::OutcomeUnknown | Self::ReadOnly => {
                StatusCode::CONFLICT
            }
            // RFC 9110 13.1.1.
            Self::Stale => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BadConfiguration | Self::KeyUsed | Self::Refused => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Problem {
    /// A problem of this kind, in these words.
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        let status = code.status();
        let title = status.canonical_reason().unwrap_or("Problem").to_owned();
        let detail = detail.into();
        Self {
            title,
            status: status.as_u16(),
            detail,
            code,
            mail_status: None,
            version: None,
            errors: Vec::new(),
        }
    }

    /// The same, with all that stands in the way.
    pub(super) fn because(self, errors: Vec<String>) -> Self {
        Self { errors, ..self }
    }

    /// The status of the answer.
    pub(super) fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// Whether it leaves open if something was done.
    pub(super) fn leaves_open(&self) -> bool {
        matches!(self.code, Code::Failed | Code::OutcomeUnknown)
    }
}

impl From<requests::Problem> for Problem {
    fn from(problem: requests::Problem) -> Self {
        let code = match problem.code {
            requests::Code::NoSuchJob => Code::NoSuchJob,
            requests::Code::NoSuchServer => Code::NoSuchServer,
            requests::Code::NoSuchWebhook => Code::NoSuchWebhook,
            requests::Code::NoSuchEntry => Code::NoSuchEntry,
            requests::Code::Stale => Code::Stale,
            requests::Code::WrongState => Code::WrongState,
            requests::Code::BadRequest => Code::BadRequest,
            requests::Code::NotPermitted => Code::NotPermitted,
            requests::Code::BadConfiguration => Code::BadConfiguration,
            requests::Code::Busy | requests::Code::Unreachable => Code::Busy,
            requests::Code::ReadOnly => Code::ReadOnly,
            requests::Code::Failed => Code::Failed,
        };
        Self { version: problem.version, ..Self::new(code, problem.message) }
    }
}

/// What a mail would have been refused with (RFC 5321 4.2, RFC 3463).
impl From<&Reply> for Problem {
    fn from(reply: &Reply) -> Self {
        let status = reply.status().map(|s| (s.class, s.subject, s.detail));
        let code = match (reply.meaning(), status) {
            (_, Some((5, 7, _))) => Code::NotPermitted,
            (_, Some((5, 3, 4))) => Code::TooLarge,
            (_, Some((4, 7, _) | (4, 2, 2))) => Code::TooMany,
            (Meaning::Never, _) => Code::Refused,
            _ => Code::Busy,
        };
        let mail_status =
            status.map(|(class, subject, detail)| format!("{class}.{subject}.{detail}"));
        Self { mail_status, ..Self::new(code, reply.text()) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, version) = (self.status(), self.code, self.version);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        let form = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, form);
        if let Some(tag) = version.and_then(tag) {
            headers.insert(header::ETAG, tag);
        }
        match code {
            Code::Unauthenticated => {
                let scheme = HeaderValue::from_static("Bearer realm=\"postfax\"");
                headers.insert(header::WWW_AUTHENTICATE, scheme);
            }
            Code::TooMany | Code::Busy => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER_S);
            }
            _ => {}
        }
        response
    }
}

/// A version as an entity tag (RFC 9110 8.8.3).
pub(super) fn tag(version: u64) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("\"{version}\"")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_mail_have_a_fitting_status() {
        for (code, status, expected) in [
            (550, (7, 1), 403),
            (550, (1, 1), 422),
            (550, (4, 4), 422),
            (552, (3, 4), 413),
            (554, (6, 1), 422),
            (450, (7, 0), 429),
            (452, (2, 2), 429),
            (452, (3, 1), 503),
            (451, (3, 2), 503),
        ] {
            let problem = Problem::from(&Reply::new(code, status, "no"));
            assert_eq!(problem.status, expected, "{code} {status:?}");
            assert!(problem.mail_status.is_some());
        }
    }

    #[test]
    fn it_is_a_problem_document() {
        let response = Problem::new(Code::NoSuchJob, "there is no job 9").into_response();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let response = Problem::new(Code::Unauthenticated, "no").into_response();
        assert!(response.headers().contains_key(header::WWW_AUTHENTICATE));
    }
}
