//! Reads paths, queries, bodies, keys and conditions of requests; what cannot be read is
//! a problem like every other.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use postfax_domain::{
    names::{JobId, ServerName},
    time::Timestamp,
};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::{
    door::Caller,
    problem::{Code, Problem},
    view::written_as,
};
use crate::requests::book::FileFormat;

/// The header of idempotent requests.
const KEY: &str = "idempotency-key";
/// Longest key in bytes.
const MAX_KEY_BYTES: usize = 255;
/// The largest number of a job: what a database keeps.
const MAX_JOB: u64 = i64::MAX as u64;

/// The number of a job in a path.
pub(super) struct Of(pub(super) JobId);

impl<S: Send + Sync> FromRequestParts<S> for Of {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let bad = || Problem::new(Code::BadRequest, "a job has a number, such as 12");
        let Path(text): Path<String> =
            Path::from_request_parts(parts, state).await.map_err(|_| bad())?;
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|id| digits && *id <= MAX_JOB);
        number.map(|id| Self(JobId(id))).ok_or_else(bad)
    }
}

/// The number of a version in a path.
pub(super) struct Number(pub(super) u64);

impl<S: Send + Sync> FromRequestParts<S> for Number {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let number = Path::from_request_parts(parts, state).await;
        let number = number.map(|Path(number)| Self(number));
        number.map_err(|_| Problem::new(Code::BadRequest, "a version has a number, such as 12"))
    }
}

/// The name of a fax server in a path.
pub(super) struct At(pub(super) ServerName);

impl<S: Send + Sync> FromRequestParts<S> for At {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text): Path<String> = Path::from_request_parts(parts, state)
            .await
            .map_err(|why| Problem::new(Code::BadRequest, why.body_text()))?;
        let name = ServerName::new(&text);
        name.map(Self).map_err(|why| Problem::new(Code::BadRequest, why.to_string()))
    }
}

/// What an entry of the phone book is called in a path.
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::from_request_parts(parts, state).await;
        let named = named.map(|Path(named)| Self(named));
        named.map_err(|why| Problem::new(Code::BadRequest, why.body_text()))
    }
}

/// The query.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(asked)| Self(asked))
            .map_err(|why| Problem::new(Code::BadRequest, why.body_text()))
    }
}

/// A body of JSON.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let media = media(request.headers()).split(';').next().unwrap_or_default();
        if !media.trim().eq_ignore_ascii_case("application/json") {
            return Err(Problem::new(Code::UnsupportedMediaType, "send it as application/json"));
        }
        let read = serde_json::from_slice(&octets(request, state).await?);
        read.map(Self).map_err(|why| Problem::new(Code::BadRequest, format!("the body: {why}")))
    }
}

/// A body that is a file of contacts.
pub(super) struct File {
    /// What its media type says; `None` where it is to be found out.
    pub(super) format: Option<FileFormat>,
    pub(super) octets: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for File {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let format = written_as(media(request.headers()))?;
        Ok(Self { format, octets: octets(request, state).await? })
    }
}

/// What a body is sent as; empty where that is not said.
fn media(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn octets<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|why| match why.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(Code::TooLarge, "the body is larger than max_body_bytes of [http]")
        }
        _ => Problem::new(Code::BadRequest, why.body_text()),
    })
}

/// A moment as requests write it (RFC 3339).
///
/// # Errors
/// [`Code::BadRequest`] names the field.
pub(super) fn moment(name: &str, text: Option<&String>) -> Result<Option<Timestamp>, Problem> {
    let read =
        |text: &String| text.parse::<jiff::Timestamp>().map(|at| Timestamp(at.as_millisecond()));
    text.map(read).transpose().map_err(|_| {
        let words = format!("{name} is a moment such as 2030-01-31T08:00:00Z");
        Problem::new(Code::BadRequest, words)
    })
}

/// How `Idempotency-Key` is described.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct Keyed {
    /// The same key: the same answer, and done once.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    key: Option<String>,
}

/// How `If-Match` is described.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct Matched {
    /// The version that was seen, as `ETag` had it: nothing is done when there is a newer
    /// one.
    #[param(rename = "If-Match", pattern = "^(\"[0-9]{1,9}\"|[*])$")]
    version: Option<String>,
}

/// The version that the asker has seen (RFC 9110 13.1.1).
pub(super) struct Seen(pub(super) Option<u64>);

/// A version that never was, which the newest is not: what a tag says that is none of ours.
const NEVER: u64 = 0;

impl<S: Sync> FromRequestParts<S> for Seen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        seen(&parts.headers).map(Self)
    }
}

fn seen(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if values.next().is_some() || text.contains(',') {
        return Err(Problem::new(Code::BadRequest, "If-Match names one version, as ETag had it"));
    }
    let tag = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match (text, tag) {
        ("*", _) => Ok(None),
        (_, Some(tag)) => Ok(Some(tag.parse().unwrap_or(NEVER))),
        // A weak one matches nothing here.
        (_, None) if text.starts_with("W/\"") => Ok(Some(NEVER)),
        _ => Err(Problem::new(Code::BadRequest, "If-Match is \"12\", as ETag had it, or *")),
    }
}

/// Who was let in.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::new(Code::Unauthenticated, "send a token"))
    }
}

/// The key by which a request is known that may be sent again.
pub(super) struct Key(pub(super) Option<String>);

impl<S: Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        key(&parts.headers).map(Self)
    }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(KEY) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > MAX_KEY_BYTES {
        let words = format!("Idempotency-Key is 1 to {MAX_KEY_BYTES} printable ASCII characters");
        return Err(Problem::new(Code::BadRequest, words));
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn conditions_name_one_version() {
        let read = |value: &'static str| {
            let value = HeaderValue::from_static(value);
            seen(&HeaderMap::from_iter([(header::IF_MATCH, value)])).ok()
        };
        for (value, version) in [
            ("\"12\"", Some(Some(12))),
            ("*", Some(None)),
            ("\"abc\"", Some(Some(NEVER))),
            ("W/\"12\"", Some(Some(NEVER))),
            ("12", None),
            ("\"1\", \"2\"", None),
        ] {
            assert_eq!(read(value), version, "{value}");
        }
        assert_eq!(seen(&HeaderMap::new()).ok(), Some(None));
    }

    #[test]
    fn keys_are_short_texts() {
        let read = |value: &[u8]| {
            let value = HeaderValue::from_bytes(value).unwrap();
            key(&HeaderMap::from_iter([(axum::http::HeaderName::from_static(KEY), value)]))
        };
        assert_eq!(read(b"abc").unwrap().as_deref(), Some("abc"));
        assert_eq!(key(&HeaderMap::new()).unwrap(), None);
        assert!(read(b"").is_err());
        assert!(read("né".as_bytes()).is_err());
        assert!(read(&[b'x'; 256]).is_err());
    }
}
