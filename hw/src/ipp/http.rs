//! One question and its answer by HTTP/1.1 (RFC 8010 4), over TCP or TLS. Follows no
//! redirect: a fax goes where the administrator said.
//!
//! Why a connection for each question: devices close idle ones when they like, and a
//! question that was written to a closing one may or may not have been read.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, StatusCode,
    client::conn::http1,
    header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use super::{
    Options,
    message::{Answer, Question},
};

/// Largest answer, in bytes. Those of large devices have some 200 KB.
const MAX_ANSWER_BYTES: usize = 4 << 20;
/// Slowest link that a document is sent over, in bytes a second.
const SLOWEST: u64 = 10_000;
/// What we call ourselves.
const AGENT: &str = concat!("postfax/", env!("CARGO_PKG_VERSION"), " IPP/2.0");
/// RFC 8011 B.1.2: below this the question was granted.
const FIRST_ERROR: u16 = 0x0100;

/// Why there is no answer that grants the question.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nothing was sent.
    Unreached(String),
    /// It was lost after the question may have been read.
    Broken(String),
    /// HTTP itself said no.
    Http(StatusCode),
    /// The device understood and refused.
    Refused {
        /// RFC 8011 B.1.
        status: u16,
        /// Its words.
        words: String,
    },
}

impl Fault {
    /// Whether the document that followed the question was certainly not taken. A device
    /// in trouble, or a proxy before it, may say so when it has all of it.
    pub(super) fn has_taken_nothing(&self) -> bool {
        match self {
            Self::Unreached(_) => true,
            Self::Broken(_) => false,
            Self::Http(status) => status.is_client_error() || status.is_redirection(),
            Self::Refused { status, .. } => (0x0400..0x0500).contains(status),
        }
    }
}

/// Asks once; a document follows the question.
pub(super) async fn ask(
    options: &Options,
    question: &Question,
    document: &Bytes,
) -> Result<Answer, Fault> {
    let stream = TcpStream::connect((options.host.as_str(), options.port));
    let stream = timeout(options.connect_timeout, stream).await;
    let stream = stream.map_err(|_| Fault::Unreached("no connection in time".into()))?;
    let stream = stream.map_err(|bad| Fault::Unreached(bad.to_string()))?;
    // Else the last packet of a question waits for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let body: Bytes = [&question.octets()[..], document].concat().into();
    let Some(tls) = &options.tls else { return talk(stream, options, body).await };
    let name = ServerName::try_from(options.host.clone());
    let name = name.map_err(|bad| Fault::Unreached(bad.to_string()))?;
    let stream = timeout(options.connect_timeout, tls.connect(name, stream)).await;
    let stream = stream.map_err(|_| Fault::Unreached("no TLS in time".into()))?;
    let stream = stream.map_err(|bad| Fault::Unreached(format!("no TLS: {bad}")))?;
    talk(stream, options, body).await
}

async fn talk<S>(stream: S, options: &Options, body: Bytes) -> Result<Answer, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let upload = Duration::from_secs(body.len() as u64 / SLOWEST);
    let limit = options.reply_timeout + upload;
    match timeout(limit, exchange(stream, options, body)).await {
        Ok(answer) => answer,
        Err(_) => Err(Fault::Broken(format!("no answer within {} s", limit.as_secs()))),
    }
}

async fn exchange<S>(stream: S, options: &Options, body: Bytes) -> Result<Answer, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |bad: hyper::Error| Fault::Broken(format!("the connection broke: {bad}"));
    let request = request(options, body).map_err(|bad| Fault::Unreached(bad.to_string()))?;
    let (mut sender, connection) =
        http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.map_err(broken)?;
    // The connection ends with us.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let (head, rest) = sender.send_request(request).await.map_err(broken)?.into_parts();
    if head.status != StatusCode::OK {
        return Err(Fault::Http(head.status));
    }
    let octets = Limited::new(rest, MAX_ANSWER_BYTES).collect().await;
    let octets = octets.map_err(|bad| Fault::Broken(bad.to_string()))?.to_bytes();
    let answer = Answer::read(&octets).map_err(|bad| Fault::Broken(bad.to_string()))?;
    if answer.status < FIRST_ERROR {
        return Ok(answer);
    }
    let words = answer.words().unwrap_or_default().to_owned();
    Err(Fault::Refused { status: answer.status, words })
}

fn request(options: &Options, body: Bytes) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let mut request = Request::post(options.path())
        .header(HOST, options.authority())
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .header(CONTENT_TYPE, "application/ipp");
    if let Some(password) = &options.password {
        // RFC 7617.
        let login = STANDARD.encode(format!("{}:{password}", options.user));
        request = request.header(AUTHORIZATION, format!("Basic {login}"));
    }
    request.body(Full::new(body))
}
