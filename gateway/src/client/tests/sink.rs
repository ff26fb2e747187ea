//! A host that takes mail and answers as it is told. Only for tests.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, UnixListener},
    sync::watch,
};
use tokio_rustls::TlsAcceptor;

use super::super::wire::Stream;

/// Closes the connection instead of an answer.
pub(super) const HANG_UP: &str = "(hang up)";
/// Never answers.
pub(super) const SILENCE: &str = "(silence)";

struct Script {
    scheme: String,
    extensions: String,
    rules: Vec<(String, String)>,
    tls: Option<TlsAcceptor>,
    lines: Mutex<Vec<String>>,
    mails: Mutex<Vec<(Vec<String>, String)>>,
    connections: AtomicUsize,
    hang_up: watch::Sender<u32>,
}

pub(super) struct Sink {
    script: Arc<Script>,
    url: String,
    folder: tempfile::TempDir,
}

/// The verbs of the lines.
pub(super) fn lines(lines: &[String]) -> String {
    let verbs: Vec<&str> = lines.iter().map(|line| &line[..line.len().min(4)]).collect();
    verbs.join(" ")
}

impl Sink {
    pub(super) async fn start(scheme: &str, extensions: &str, rules: &[(&str, &str)]) -> Self {
        Self::listen(scheme, extensions, None, rules).await
    }

    pub(super) async fn start_tls(
        scheme: &str,
        extensions: &str,
        name: &str,
        rules: &[(&str, &str)],
    ) -> Self {
        Self::listen(scheme, extensions, Some(name), rules).await
    }

    pub(super) async fn start_unix(path: &Path, extensions: &str, rules: &[(&str, &str)]) -> Self {
        let script = script("lmtp", extensions, None, rules);
        let listener = UnixListener::bind(path).unwrap();
        let shared = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(Box::new(stream), Arc::clone(&shared)));
            }
        });
        let url = format!("lmtp+unix://{}", path.display());
        Self { script, url, folder: tempfile::tempdir().unwrap() }
    }

    async fn listen(
        scheme: &str,
        extensions: &str,
        name: Option<&str>,
        rules: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let acceptor = name.map(|name| acceptor(name, &folder.path().join("ca.pem")));
        let script = script(scheme, extensions, acceptor, rules);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let shared = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                tokio::spawn(talk(Box::new(stream), Arc::clone(&shared)));
            }
        });
        Self { script, url, folder }
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    pub(super) fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.script.lines.lock().unwrap().clone()
    }

    /// Recipients and text of each mail that was accepted.
    pub(super) fn mails(&self) -> Vec<(Vec<String>, String)> {
        self.script.mails.lock().unwrap().clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.script.connections.load(Ordering::Relaxed)
    }

    pub(super) fn hang_up_all(&self) {
        self.script.hang_up.send_modify(|count| *count += 1);
    }
}

fn script(
    scheme: &str,
    extensions: &str,
    tls: Option<TlsAcceptor>,
    rules: &[(&str, &str)],
) -> Arc<Script> {
    let owned = |(on, say): &(&str, &str)| ((*on).to_owned(), (*say).to_owned());
    Arc::new(Script {
        scheme: scheme.to_owned(),
        extensions: extensions.to_owned(),
        rules: rules.iter().map(owned).collect(),
        tls,
        lines: Mutex::default(),
        mails: Mutex::default(),
        connections: AtomicUsize::new(0),
        hang_up: watch::Sender::new(0),
    })
}

fn acceptor(name: &str, authority: &Path) -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    std::fs::write(authority, made.cert.pem()).unwrap();
    let certificate = CertificateDer::from(made.cert);
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// One connection; ends when either side is done.
async fn talk(mut stream: Box<dyn Stream>, script: Arc<Script>) {
    script.connections.fetch_add(1, Ordering::Relaxed);
    let mut hang_up = script.hang_up.subscribe();
    hang_up.mark_unchanged();
    if script.scheme == "smtps" {
        let Some(acceptor) = &script.tls else { return };
        let Ok(encrypted) = acceptor.accept(stream).await else { return };
        stream = Box::new(encrypted);
    }
    tokio::select! {
        _ = hang_up.changed() => {}
        _ = converse(stream, &script) => {}
    }
}

/// The answer to a line by rule, or else the usual one.
fn answer(script: &Script, line: &str, usual: &str) -> String {
    let rule = script.rules.iter().find(|(on, _)| line.starts_with(on.as_str()));
    rule.map_or(usual, |(_, say)| say).to_owned()
}

async fn say(stream: &mut BufReader<Box<dyn Stream>>, text: &str) -> Option<()> {
    match text {
        HANG_UP => None,
        SILENCE => std::future::pending().await,
        text => {
            stream.get_mut().write_all(format!("{text}\r\n").as_bytes()).await.ok()?;
            stream.get_mut().flush().await.ok()
        }
    }
}

async fn converse(stream: Box<dyn Stream>, script: &Script) -> Option<()> {
    let mut stream = BufReader::new(stream);
    say(&mut stream, &answer(script, "greeting", "220 sink")).await?;
    let mut to: Vec<String> = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|count| *count > 0)?;
        let line = line.strip_suffix("\r\n").expect("lines end with CRLF").to_owned();
        script.lines.lock().unwrap().push(line.clone());
        let verb = line.get(..4).unwrap_or(&line);
        match verb {
            "EHLO" | "LHLO" => {
                let more = script.extensions.split('\n').filter(|one| !one.is_empty());
                let more: String = more.map(|one| format!("250-{one}\r\n")).collect();
                let usual = format!("250-sink\r\n{more}250 HELP");
                say(&mut stream, &answer(script, &line, &usual)).await?;
            }
            "STAR" => {
                say(&mut stream, &answer(script, &line, "220 go")).await?;
                if let Some(acceptor) = &script.tls {
                    let encrypted = acceptor.accept(stream.into_inner()).await.ok()?;
                    stream = BufReader::new(Box::new(encrypted));
                }
            }
            "AUTH" if line == "AUTH LOGIN" => {
                for prompt in ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"] {
                    say(&mut stream, prompt).await?;
                    stream.read_line(&mut String::new()).await.ok()?;
                }
                say(&mut stream, "235 2.7.0 ok").await?;
            }
            "RCPT" => {
                let reply = answer(script, &line, "250 2.1.5 ok");
                say(&mut stream, &reply).await?;
                if reply.starts_with("250") {
                    to.push(line[9..].split('>').next()?.to_owned());
                }
            }
            "DATA" if to.is_empty() => say(&mut stream, "554 5.5.1 nobody").await?,
            "DATA" => {
                let reply = answer(script, &line, "354 go");
                say(&mut stream, &reply).await?;
                if reply.starts_with("354") {
                    take(&mut stream, script, std::mem::take(&mut to)).await?;
                }
            }
            "QUIT" => return say(&mut stream, "221 bye").await,
            _ => {
                to.clear();
                say(&mut stream, &answer(script, &line, "250 2.0.0 ok")).await?;
            }
        }
    }
}

async fn take(
    stream: &mut BufReader<Box<dyn Stream>>,
    script: &Script,
    to: Vec<String>,
) -> Option<()> {
    let mut body = Vec::new();
    let reply = answer(script, "in the message", "");
    if !reply.is_empty() {
        stream.read_until(b'\n', &mut body).await.ok()?;
        say(stream, &reply).await?;
        return None;
    }
    while !(body == b".\r\n" || body.ends_with(b"\r\n.\r\n")) {
        stream.take(1 << 20).read_until(b'\n', &mut body).await.ok().filter(|count| *count > 0)?;
    }
    let text = String::from_utf8_lossy(&body).into_owned();
    if script.scheme != "lmtp" {
        let reply = answer(script, ".", "250 2.0.0 taken");
        if reply.starts_with("250 ") {
            script.mails.lock().unwrap().push((to, text));
        }
        return say(stream, &reply).await;
    }
    for address in to {
        say(stream, &answer(script, &format!(".<{address}>"), "250 2.0.0 taken")).await?;
    }
    Some(())
}
