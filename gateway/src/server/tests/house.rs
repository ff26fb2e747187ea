//! A server on a loopback socket with a desk that records, and clients that talk to it.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Mutex,
    sync::atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use super::super::*;
use crate::desk::{AuthRefusal, Envelope, Granted, Identity, Mail, Peer, Rcpt, Welcome};

pub(super) const ENVELOPE: &str = "MAIL FROM:<a@b.example>\r\nRCPT TO:<+44@fax.example>\r\n";

/// Takes everything and writes it down.
pub(super) struct Recorder {
    folder: tempfile::TempDir,
    next: AtomicUsize,
    pub(super) messages: Mutex<Vec<(Peer, Envelope)>>,
    takes: Duration,
}

#[async_trait]
impl Desk for Recorder {
    async fn authenticate(
        &self,
        _: &Peer,
        user: &str,
        password: &str,
    ) -> Result<Identity, AuthRefusal> {
        match password {
            "secret" => Ok(Identity(user.to_owned())),
            _ => Err(AuthRefusal::WrongCredentials),
        }
    }

    async fn sender(&self, _: &Peer, _: &Mail) -> Result<Granted, Reply> {
        Ok(Granted::default())
    }

    async fn recipient(&self, _: &Peer, _: &Mail, rcpt: &Rcpt) -> Result<Welcome, Reply> {
        match rcpt.mailbox.local() {
            "bug" => panic!("a bug of the desk"),
            "bad" => Err(Reply::new(550, (1, 1), "no")),
            _ => Ok(Welcome::default()),
        }
    }

    async fn spool(&self, _: &Peer, mail: &Mail) -> Result<PathBuf, Reply> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("m{number}.eml");
        match mail.from.as_ref().is_some_and(|from| from.local() == "nowhere") {
            true => Ok(self.folder.path().join("no-such-folder").join(name)),
            false => Ok(self.folder.path().join(name)),
        }
    }

    async fn message(
        &self,
        peer: &Peer,
        mut envelope: Envelope,
    ) -> Result<Vec<Vec<String>>, Reply> {
        sleep(self.takes).await;
        if let Err(failed) = envelope.settle().await {
            return Err(Reply::new(452, (3, 1), failed.to_string()));
        }
        self.messages.lock().unwrap().push((peer.clone(), envelope));
        Ok(vec![vec!["one".into()]])
    }
}

impl Recorder {
    pub(super) fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path()).unwrap().count()
    }
}

pub(super) struct House {
    pub(super) address: SocketAddr,
    pub(super) desk: Arc<Recorder>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) serving: JoinHandle<Result<(), ServeError>>,
    pub(super) trust: Arc<rustls::ClientConfig>,
    pub(super) certificates: watch::Sender<Arc<tls::Keys>>,
}

impl House {
    pub(super) async fn open(role: Role, change: impl FnOnce(&mut Options)) -> Self {
        Self::with_slow_desk(role, Duration::ZERO, change).await
    }

    pub(super) async fn with_slow_desk(
        role: Role,
        takes: Duration,
        change: impl FnOnce(&mut Options),
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self::behind(listener, address, role, takes, change)
    }

    /// Behind a unix socket.
    pub(super) fn local(
        path: &std::path::Path,
        role: Role,
        change: impl FnOnce(&mut Options),
    ) -> Self {
        let listener = tokio::net::UnixListener::bind(path).unwrap();
        let nowhere = SocketAddr::from(([0; 4], 0));
        Self::behind(listener, nowhere, role, Duration::ZERO, change)
    }

    fn behind(
        listener: impl Into<Socket>,
        address: SocketAddr,
        role: Role,
        takes: Duration,
        change: impl FnOnce(&mut Options),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (config, trust) = certificate();
        let (certificates, receiver) = watch::channel(config);
        let mut options = Options::new("fax.example");
        options.limits.auth_delay_ms = 1;
        options.tls = Some(receiver);
        change(&mut options);
        let next = AtomicUsize::new(0);
        let desk = Arc::new(Recorder { folder, next, messages: Mutex::default(), takes });
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(serve(listener.into(), role, options, desk.clone(), stopped));
        Self { address, desk, stop, serving, trust, certificates }
    }

    pub(super) async fn visit(&self) -> Visitor {
        Visitor(Box::new(TcpStream::connect(self.address).await.unwrap()))
    }

    /// A visitor who was greeted and said EHLO.
    pub(super) async fn guest(&self) -> Visitor {
        let mut guest = self.visit().await;
        guest.hear(220).await;
        guest.ask("EHLO my_printer\r\n", 250).await;
        guest
    }
}

pub(super) fn certificate() -> (Arc<tls::Keys>, Arc<rustls::ClientConfig>) {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["fax.example".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("c"), folder.path().join("k"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (tls::load(&cert, &key, None).unwrap(), Arc::new(client))
}

pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

pub(super) struct Visitor(pub(super) Box<dyn Wire>);

impl Visitor {
    pub(super) async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Reads one reply, however many lines it has.
    pub(super) async fn hear(&mut self, code: u16) -> String {
        let mut reply = Vec::new();
        let read = async {
            loop {
                reply.push(self.0.read_u8().await.unwrap());
                let start = reply[..reply.len() - 1].iter().rposition(|b| *b == b'\n');
                let line = &reply[start.map_or(0, |at| at + 1)..];
                if line.ends_with(b"\r\n") && line.get(3) == Some(&b' ') {
                    break;
                }
            }
        };
        timeout(Duration::from_secs(10), read).await.expect("a reply");
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.starts_with(&code.to_string()), "{code} wanted: {reply}");
        reply
    }

    pub(super) async fn ask(&mut self, text: &str, code: u16) -> String {
        self.say(text).await;
        self.hear(code).await
    }

    /// Whatever comes until the server closes.
    pub(super) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let read = self.0.read_to_end(&mut rest);
        let _reset = timeout(Duration::from_secs(10), read).await.expect("the end");
        String::from_utf8(rest).unwrap()
    }

    pub(super) async fn secure(self, house: &House) -> Self {
        self.try_to_secure(&house.trust).await.unwrap()
    }

    pub(super) async fn try_to_secure(
        self,
        trust: &Arc<rustls::ClientConfig>,
    ) -> std::io::Result<Self> {
        let name = ServerName::try_from("fax.example").unwrap();
        let secured = TlsConnector::from(trust.clone()).connect(name, self.0).await?;
        Ok(Self(Box::new(secured)))
    }
}
