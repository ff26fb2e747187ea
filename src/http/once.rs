//! Requests that may be sent again: the same key and the same request get the same
//! answer, and what was asked is done once. In memory is what is under way and what was
//! answered in this life; what changes something is in the store as well, noted as begun
//! before it is done. A fax is recognised in the next life by the Message-ID that its key
//! makes.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use postfax_domain::names::ClientName;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    problem::{self, Code, Problem},
    view::moment,
};
use crate::{
    config::HttpLimits,
    crash,
    daemon::now,
    store::{Known, Reader},
};

pub(super) use crate::store::Keyed as Request;

/// Most answers that are kept for all clients.
const MAX_KEPT: usize = 100_000;

/// What a request does: an answer that can be given again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Answer {
    /// The status in digits.
    pub(super) status: u16,
    pub(super) body: Value,
    /// Where the new thing is.
    pub(super) location: Option<String>,
    /// The version that was made.
    pub(super) version: Option<u64>,
}

impl Answer {
    /// It went well.
    pub(super) fn ok(body: &impl serde::Serialize) -> Self {
        let body = serde_json::to_value(body).unwrap_or_default();
        Self { status: StatusCode::OK.as_u16(), body, location: None, version: None }
    }
}

impl axum::response::IntoResponse for Answer {
    fn into_response(self) -> Response {
        let location = self.location.map(|path| [(header::LOCATION, path)]);
        let tag = self.version.and_then(problem::tag).map(|tag| [(header::ETAG, tag)]);
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        (status, location, tag, Json(self.body)).into_response()
    }
}

/// The answers that were given.
#[derive(Default)]
pub(super) struct Kept(Mutex<Book>);

#[derive(Default)]
struct Book {
    entries: HashMap<Name, Entry>,
    /// The names as they came.
    order: VecDeque<(Instant, Name)>,
    of_client: HashMap<ClientName, usize>,
}

type Name = (ClientName, String);

struct Entry {
    print: [u8; 32],
    /// None while it is under way.
    answer: Option<Answer>,
}

/// A request that is under way; forgotten when it is dropped without an answer.
struct Claim<'k> {
    kept: &'k Kept,
    name: Name,
    done: bool,
}

/// Which request it is.
pub(super) fn print(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

impl Kept {
    /// Does it, unless it was done; without a key it is always done.
    pub(super) async fn once(
        &self,
        limits: &HttpLimits,
        request: Option<&Request>,
        work: impl Future<Output = Result<Answer, Problem>>,
    ) -> Response {
        let Some(Request { client, key, print }) = request else { return said(work.await) };
        let mut claim = match self.claim(limits, (client.clone(), key.clone()), *print) {
            Ok(Ok(claim)) => claim,
            Ok(Err(answer)) => return answer.into_response(),
            Err(problem) => return problem.into_response(),
        };
        let answer = work.await;
        if let Ok(answer) = &answer {
            claim.keep(answer.clone());
        }
        said(answer)
    }

    fn claim(
        &self,
        limits: &HttpLimits,
        name: Name,
        print: [u8; 32],
    ) -> Result<Result<Claim<'_>, Answer>, Problem> {
        let mut book = self.locked();
        book.forget(Duration::from_secs(limits.keep_answers_s));
        if let Some(entry) = book.entries.get(&name) {
            return match &entry.answer {
                _ if entry.print != print => Err(used()),
                None => Err(Problem::new(Code::UnderWay, "the same request is under way")),
                Some(answer) => Ok(Err(answer.clone())),
            };
        }
        let of_client = book.of_client.get(&name.0).copied().unwrap_or(0);
        if of_client >= limits.max_kept_answers || book.entries.len() >= MAX_KEPT {
            return Err(full(of_client));
        }
        *book.of_client.entry(name.0.clone()).or_default() += 1;
        book.order.push_back((Instant::now(), name.clone()));
        book.entries.insert(name.clone(), Entry { print, answer: None });
        Ok(Ok(Claim { kept: self, name, done: false }))
    }

    fn locked(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Forgets what is old, the oldest first.
    fn forget(&mut self, after: Duration) {
        while self.order.front().is_some_and(|(since, _)| since.elapsed() >= after) {
            let Some((_, name)) = self.order.pop_front() else { return };
            self.remove(&name);
        }
    }

    fn remove(&mut self, name: &Name) {
        if self.entries.remove(name).is_none() {
            return;
        }
        if let Some(count) = self.of_client.get_mut(&name.0) {
            *count -= 1;
            if *count == 0 {
                self.of_client.remove(&name.0);
            }
        }
    }
}

impl Claim<'_> {
    fn keep(&mut self, answer: Answer) {
        if let Some(entry) = self.kept.locked().entries.get_mut(&self.name) {
            entry.answer = Some(answer);
        }
        self.done = true;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.done {
            // What was refused may be tried again.
            let mut book = self.kept.locked();
            book.remove(&self.name);
            let name = &self.name;
            book.order.retain(|(_, other)| other != name);
        }
    }
}

/// Does something that is noted in the store: as begun before it is done, and with its
/// answer after that. `place` is where it can be seen whether it was done.
pub(super) async fn lasting(
    reader: &Reader,
    limits: &HttpLimits,
    request: &Request,
    place: &str,
    work: impl Future<Output = Result<Answer, Problem>>,
) -> Result<Answer, Problem> {
    let kept = Duration::from_secs(limits.keep_answers_s);
    let most = u32::try_from(limits.max_kept_answers).unwrap_or(u32::MAX);
    let known = reader.begin(request, now(), kept, most).await;
    let unable = |why: &dyn std::fmt::Display| {
        tracing::warn!(%why, "a request with a key could not be noted");
        Problem::new(Code::Busy, "the key could not be noted; nothing was done")
    };
    match known.map_err(|why| unable(&why))? {
        Known::New => {}
        Known::Other => return Err(used()),
        Known::Full(own) => return Err(full(own as usize)),
        Known::Answered(text) => {
            let unreadable = |why: serde_json::Error| {
                Problem::new(Code::Failed, format!("the answer that was kept: {why}"))
            };
            return serde_json::from_str(&text).map_err(unreadable);
        }
        Known::Begun(at) => {
            let words = format!(
                "this was begun at {}, and nobody knows whether it was done: look at {place} \
                 and into the audit log, and ask again with another key if it was not",
                moment(at)
            );
            return Err(Problem::new(Code::OutcomeUnknown, words));
        }
    }
    crash::point("request begun");
    let answer = work.await;
    crash::point("request done");
    let noted = match &answer {
        Ok(answer) => {
            let text = serde_json::to_string(answer).unwrap_or_default();
            reader.answered(request, Some(&text)).await
        }
        Err(problem) if problem.leaves_open() => Ok(()),
        // What was refused may be tried again.
        Err(_) => reader.answered(request, None).await,
    };
    if let Err(why) = noted {
        tracing::warn!(%why, "the answer to a request with a key could not be noted");
    }
    answer
}

fn used() -> Problem {
    Problem::new(Code::KeyUsed, "this Idempotency-Key was used for another request")
}

fn full(kept: usize) -> Problem {
    let words = format!("{kept} answers are kept for you already: send no key");
    Problem::new(Code::TooMany, words)
}

/// The answer on the wire.
pub(super) fn said(answer: Result<Answer, Problem>) -> Response {
    answer.map_or_else(|problem| problem.into_response(), |answer| answer.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(most: usize) -> HttpLimits {
        HttpLimits {
            max_body_bytes: 1,
            max_connections: 1,
            max_event_streams: 1,
            max_kept_answers: most,
            keep_answers_s: 60,
            header_timeout_s: 1,
            request_timeout_s: 1,
            max_card_bytes: 1,
            max_report_bytes: 1,
        }
    }

    fn anna() -> ClientName {
        ClientName::new("anna").unwrap()
    }

    async fn status(kept: &Kept, most: usize, key: &str, print: u8, says: u32) -> (u16, String) {
        let work = async move { Ok(Answer::ok(&says)) };
        let request = Request { client: anna(), key: key.to_owned(), print: [print; 32] };
        let response = kept.once(&limits(most), Some(&request), work).await;
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_same_is_answered_again_and_another_is_refused() {
        let kept = Kept::default();
        assert_eq!(status(&kept, 2, "a", 1, 1).await, (200, "1".into()));
        assert_eq!(status(&kept, 2, "a", 1, 2).await, (200, "1".into()), "not done again");
        assert_eq!(status(&kept, 2, "a", 2, 3).await.0, 422);
        assert_eq!(status(&kept, 2, "b", 2, 4).await, (200, "4".into()));
        assert_eq!(status(&kept, 2, "c", 2, 5).await.0, 429, "two are kept");
    }

    #[tokio::test]
    async fn what_is_under_way_or_was_refused_is_not_kept() {
        let kept = Kept::default();
        let name = (anna(), "a".to_owned());
        let claim = kept.claim(&limits(9), name, [1; 32]).unwrap().unwrap();
        assert_eq!(status(&kept, 9, "a", 1, 1).await.0, 409);
        drop(claim);
        assert_eq!(status(&kept, 9, "a", 1, 2).await, (200, "2".into()));
        let mut book = kept.locked();
        book.forget(Duration::ZERO);
        assert!(book.entries.is_empty() && book.of_client.is_empty() && book.order.is_empty());
    }
}
