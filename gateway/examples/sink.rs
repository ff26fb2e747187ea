//! A mail server that takes everything into a folder, to try mail clients against.
//!
//! ```text
//! cargo run -p postfax-gateway --example sink -- FOLDER PORT [ROLE [CERT KEY]]
//! ```
//! ROLE is relay (the default), submission or submissions. The password is "secret"
//! for any user; a recipient whose name starts with "no" is refused.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use postfax_gateway::{
    desk::{AuthRefusal, Desk, Envelope, Granted, Identity, Mail, Peer, Rcpt, Role, Welcome},
    reply::Reply,
    server::{Options, serve, tls},
};
use tokio::{net::TcpListener, sync::watch};

struct Sink {
    folder: PathBuf,
    next: AtomicU64,
}

#[async_trait]
impl Desk for Sink {
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

    async fn sender(&self, peer: &Peer, mail: &Mail) -> Result<Granted, Reply> {
        println!("{peer:?}\n{mail:?}");
        Ok(Granted::default())
    }

    async fn recipient(&self, _: &Peer, _: &Mail, rcpt: &Rcpt) -> Result<Welcome, Reply> {
        println!("{rcpt:?}");
        match rcpt.mailbox.local().starts_with("no") {
            true => Err(Reply::new(550, (1, 1), "nobody of that name")),
            false => Ok(Welcome::default()),
        }
    }

    async fn spool(&self, _: &Peer, _: &Mail) -> Result<PathBuf, Reply> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Ok(self.folder.join(format!("{}-{number}.eml", std::process::id())))
    }

    async fn message(&self, _: &Peer, mut envelope: Envelope) -> Result<Vec<Vec<String>>, Reply> {
        if let Err(failed) = envelope.settle().await {
            return Err(Reply::new(452, (3, 1), failed.to_string()));
        }
        println!("{} octets in {}", envelope.bytes, envelope.path.display());
        Ok(vec![vec![format!("{} octets", envelope.bytes)]])
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, port, rest @ ..] = &arguments[..] else {
        return Err("sink FOLDER PORT [ROLE [CERT KEY]]".into());
    };
    let role = match rest.first().map_or("relay", String::as_str) {
        "relay" => Role::Relay,
        "submission" => Role::Submission,
        "submissions" => Role::Submissions,
        other => return Err(format!("no such role: {other}").into()),
    };
    let mut options = Options::new("sink.example");
    let (_keep, stop) = watch::channel(false);
    let mut certificates = None;
    if let [_, certificate, key] = rest {
        let (sender, receiver) =
            watch::channel(tls::load(Path::new(certificate), Path::new(key), None)?);
        options.tls = Some(receiver);
        certificates = Some(sender);
    }
    let listener = TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
    println!("listening on {}", listener.local_addr()?);
    let sink = Sink { folder: PathBuf::from(folder), next: AtomicU64::new(0) };
    serve(listener, role, options, Arc::new(sink), stop).await?;
    drop(certificates);
    Ok(())
}
