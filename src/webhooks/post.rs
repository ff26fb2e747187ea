//! One POST to a receiver, and what came of it. Tries once: when to try again is decided
//! by others. Redirects are not followed: what is signed goes where the administrator said.
//!
//! Why a connection for each: events are rare, and one that was kept open may just have
//! been closed by the other side.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper::{
    Request, StatusCode,
    client::conn::http1,
    header::{CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use postfax_gateway::client::{Authorities, believing};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use super::{pause, sign};
use crate::{config::Webhook, daemon::now};

/// Longest time from the first packet to the head of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for what follows the head.
const REST: Duration = Duration::from_secs(1);
/// Most octets of an answer that are read; nothing in it matters.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// What we call ourselves.
const AGENT: &str = concat!("postfax/", env!("CARGO_PKG_VERSION"));

/// What is sent.
pub(super) struct Post<'a> {
    pub(super) identifier: String,
    pub(super) sequence: u64,
    pub(super) body: &'a [u8],
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was taken.
    Taken,
    /// Nothing is wanted there any more.
    Gone,
    /// Not now: why, and how long the receiver asks to be left alone.
    Later(String, Option<Duration>),
}

/// Sends it once.
pub(super) async fn post(hook: &Webhook, post: &Post<'_>) -> Verdict {
    match timeout(TIMEOUT, exchange(hook, post)).await {
        Ok(Ok(answer)) => {
            // The receiver may still be writing, and a verdict is one whatever follows it.
            let _ = timeout(REST, to_bytes(answer.rest, MAX_ANSWER_BYTES)).await;
            answer.verdict
        }
        Ok(Err(why)) => Verdict::Later(why, None),
        Err(_) => Verdict::Later(format!("no answer within {} s", TIMEOUT.as_secs()), None),
    }
}

/// The head of an answer was read.
struct Answer {
    verdict: Verdict,
    rest: Body,
    /// The connection ends with it.
    _driver: JoinSet<Result<(), hyper::Error>>,
}

async fn exchange(hook: &Webhook, post: &Post<'_>) -> Result<Answer, String> {
    let url = &hook.url;
    let stream = TcpStream::connect((url.host.as_str(), url.port));
    let stream = stream.await.map_err(|bad| format!("cannot connect: {bad}"))?;
    if !url.encrypted {
        return talk(stream, hook, post).await;
    }
    let authorities = match &hook.ca_file {
        Some(file) => Authorities::File(file.clone()),
        None => Authorities::System,
    };
    // Reading many certificates takes a while.
    let tls = tokio::task::spawn_blocking(move || believing(&authorities)).await;
    let tls = tls.map_err(|bug| bug.to_string())?.map_err(|bad| bad.to_string())?;
    let name = ServerName::try_from(url.host.clone()).map_err(|bad| bad.to_string())?;
    let stream = tls.connect(name, stream).await.map_err(|bad| format!("no TLS: {bad}"))?;
    talk(stream, hook, post).await
}

async fn talk<S>(stream: S, hook: &Webhook, post: &Post<'_>) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |bad: hyper::Error| format!("the connection broke: {bad}");
    let request = request(hook, post).map_err(|bad| bad.to_string())?;
    let (mut sender, connection) =
        http1::handshake::<_, Body>(TokioIo::new(stream)).await.map_err(broken)?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let answer = sender.send_request(request).await.map_err(broken)?;
    let (head, rest) = answer.into_parts();
    let wait = head.headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok());
    let verdict = verdict(head.status, wait);
    Ok(Answer { verdict, rest: Body::new(rest), _driver: driver })
}

fn request(hook: &Webhook, post: &Post<'_>) -> Result<Request<Body>, hyper::http::Error> {
    let seconds = now().0 / 1000;
    Request::post(&hook.url.path)
        .header(HOST, &hook.url.authority)
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", &post.identifier)
        .header("webhook-timestamp", seconds)
        .header("webhook-sequence", post.sequence)
        .header(
            "webhook-signature",
            sign::signatures(&hook.keys, &post.identifier, seconds, post.body),
        )
        .body(Body::from(post.body.to_vec()))
}

/// What an answer means. `wait` is its Retry-After, which counts with 429 (RFC 6585 4)
/// and 503 (RFC 9110 15.6.4).
fn verdict(status: StatusCode, wait: Option<&str>) -> Verdict {
    let asks = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let wait = wait.filter(|_| asks);
    let wait = wait.and_then(|wait| pause::asked(wait, jiff::Timestamp::now()));
    match status {
        _ if status.is_success() => Verdict::Taken,
        StatusCode::GONE => Verdict::Gone,
        _ if status.is_redirection() => {
            let words = "redirects are not followed";
            Verdict::Later(format!("it answered {}: {words}", status.as_u16()), None)
        }
        _ => Verdict::Later(format!("it answered {}", status.as_u16()), wait),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::config::HookUrl as Url;

    /// A receiver that says this, and then drop by drop more for longer than we wait.
    async fn dripping(head: &'static str) -> Webhook {
        let receiver = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = receiver.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = receiver.accept().await.unwrap();
            let mut question = [0; 4096];
            let _ = stream.read(&mut question).await;
            let mut said = stream.write_all(head.as_bytes()).await;
            while said.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
                said = stream.write_all(b"x").await;
            }
        });
        let (host, path) = ("127.0.0.1".to_owned(), "/".to_owned());
        let url = Url { encrypted: false, authority: format!("{host}:{port}"), host, port, path };
        let (retry, give_up) = (Duration::from_secs(1), Duration::from_secs(1));
        Webhook { url, keys: Vec::new(), ca_file: None, retry, give_up }
    }

    #[tokio::test]
    async fn an_answer_without_end_is_one() {
        for (head, wanted) in [
            ("HTTP/1.1 200 OK\r\n\r\n", Verdict::Taken),
            ("HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n", Verdict::Taken),
            ("HTTP/1.1 410 Gone\r\n\r\n", Verdict::Gone),
        ] {
            let hook = dripping(head).await;
            let what = Post { identifier: "pf_1_crm_1".into(), sequence: 1, body: b"{}" };
            assert_eq!(post(&hook, &what).await, wanted, "{head}");
        }
    }

    #[test]
    fn answers_are_judged_by_their_status() {
        let later = |words: &str, wait: Option<u64>| {
            Verdict::Later(words.to_owned(), wait.map(Duration::from_secs))
        };
        for (status, wait, wanted) in [
            (200, None, Verdict::Taken),
            (204, Some("60"), Verdict::Taken),
            (410, None, Verdict::Gone),
            (302, None, later("it answered 302: redirects are not followed", None)),
            (400, None, later("it answered 400", None)),
            (404, Some("60"), later("it answered 404", None)),
            (429, Some("60"), later("it answered 429", Some(60))),
            (500, Some("60"), later("it answered 500", None)),
            (503, Some("60"), later("it answered 503", Some(60))),
            (503, Some("99999"), later("it answered 503", Some(3600))),
            (503, None, later("it answered 503", None)),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(verdict(status, wait), wanted, "{status}");
        }
    }
}
