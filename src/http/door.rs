//! Who asks: a bearer token (RFC 6750 2.1) becomes an [`Asker`], or a refusal that is
//! slowed when an address fails often. A good token is never refused for the failures
//! of others: it has 256 bits of chance, which nobody guesses.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use postfax_domain::{
    audit::{Asker, Door},
    authority::Who,
    names::ClientName,
    time::Timestamp,
};
use postfax_gateway::auth::throttle::{Limits, Throttle, Verdict};
use tracing::warn;

use super::{
    Shared,
    problem::{Code, Problem},
};
use crate::{
    config::{Http, Token},
    daemon::now,
};

/// In this time as many failures are forgotten as are allowed.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Failures are counted by address alone: there is no account without a good token.
const NOBODY: &str = "";

/// Who was let in.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) client: ClientName,
    pub(super) address: IpAddr,
    /// What is kept of the token.
    pub(super) digest: [u8; 32],
}

impl Caller {
    pub(super) fn asker(&self) -> Asker {
        let who = Who::Client(self.client.clone());
        Asker { who, door: Door::Http, from: self.address.to_string() }
    }
}

/// The failures of late.
pub(super) struct Failures(Mutex<Throttle>);

impl Default for Failures {
    fn default() -> Self {
        Self(Mutex::new(Throttle::new(limits(1))))
    }
}

fn limits(per_address: u32) -> Limits {
    Limits { per_address, per_account: u32::MAX, window: WINDOW }
}

impl Failures {
    /// Notes one more, and says how long its answer is to wait.
    fn note(&self, address: IpAddr, most: u32) -> Verdict {
        let mut throttle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        throttle.set_limits(limits(most));
        let verdict = throttle.ask(Instant::now(), address, NOBODY);
        throttle.failed(Instant::now(), address, NOBODY);
        verdict
    }
}

/// Lets in who has a good token, and keeps out everybody else.
pub(super) async fn let_in(
    State(shared): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let address = request.extensions().get::<IpAddr>().copied();
    let address = address.unwrap_or(IpAddr::from([0; 4]));
    match caller(&shared, request.headers(), address) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(why) => refuse(&shared, address, why).await.into_response(),
    }
}

fn caller(shared: &Shared, headers: &HeaderMap, address: IpAddr) -> Result<Caller, &'static str> {
    let config = shared.context.config.load();
    let http = config.http.as_ref().ok_or("there are no tokens")?;
    let token = bearer(headers).ok_or("send Authorization: Bearer and a token")?;
    let found = good(http, Token::digest(token), now()).ok_or("the token is not good")?;
    Ok(Caller { client: found.client.clone(), address, digest: found.digest })
}

/// The token that has this digest, unless it is over. It is held against all of them,
/// so that the time it takes tells nothing.
pub(super) fn good(http: &Http, digest: [u8; 32], now: Timestamp) -> Option<&Token> {
    let mut found = None;
    for token in &http.tokens {
        let differs = token.digest.iter().zip(digest).fold(0, |d, (a, b)| d | (a ^ b));
        if differs == 0 {
            found = Some(token);
        }
    }
    found.filter(|token| token.expires.is_none_or(|end| now < end))
}

/// RFC 6750 2.1; the name of the scheme is in any case (RFC 9110 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

async fn refuse(shared: &Shared, address: IpAddr, why: &str) -> Problem {
    let most = shared.context.config.load().intake.max_login_failures_per_address;
    match shared.failures.note(address, most) {
        Verdict::After(pause) => {
            warn!(%address, why, "refused at the HTTP door");
            tokio::time::sleep(pause).await;
            Problem::new(Code::Unauthenticated, why)
        }
        Verdict::Refused => {
            Problem::new(Code::TooMany, "too many requests without a good token, try again later")
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_is_found_until_it_is_over() {
        let digest = |text: &str| Token::digest(text);
        let token = |secret: &str, expires| Token {
            client: ClientName::new("anna").unwrap(),
            name: "x".into(),
            digest: digest(secret),
            created: Timestamp(0),
            expires,
        };
        let limits = crate::config::HttpLimits {
            max_body_bytes: 1,
            max_connections: 1,
            max_event_streams: 1,
            max_kept_answers: 1,
            keep_answers_s: 1,
            header_timeout_s: 1,
            request_timeout_s: 1,
            max_card_bytes: 1,
            max_report_bytes: 1,
        };
        let tokens = vec![token("one", None), token("two", Some(Timestamp(10)))];
        let address = ([127, 0, 0, 1], 0).into();
        let http = Http { address, tls: false, tokens, carddav: true, limits };
        for (secret, at, is_good) in
            [("one", 99, true), ("two", 9, true), ("two", 10, false), ("three", 0, false)]
        {
            assert_eq!(good(&http, digest(secret), Timestamp(at)).is_some(), is_good, "{secret}");
        }
    }

    #[test]
    fn tokens_are_read_from_the_header() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc", Some("abc")),
            ("Basic abc", None),
            ("abc", None),
        ] {
            let headers =
                HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
            assert_eq!(bearer(&headers), token, "{value}");
        }
    }

    #[test]
    fn who_fails_often_is_slowed_and_then_not_heard() {
        let failures = Failures::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        let all: Vec<Verdict> = (0..8).map(|_| failures.note(address, 6)).collect();
        assert_eq!(all[0], Verdict::After(Duration::ZERO));
        assert!(matches!(all[5], Verdict::After(pause) if pause > Duration::ZERO), "{all:?}");
        assert_eq!(all[7], Verdict::Refused);
    }
}
