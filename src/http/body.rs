//! Reads paths, queries and keys of requests; what cannot be read is a problem like
//! every other.

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::{HeaderMap, request::Parts},
};
use postfax_domain::names::JobId;
use serde::de::DeserializeOwned;

use super::{
    door::Caller,
    problem::{Code, Problem},
};

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
