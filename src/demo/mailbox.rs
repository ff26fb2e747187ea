//! A mail server for three people that keeps what it gets, each in a Maildir of
//! their own: `mail/anna/new/0001.eml`. It listens on 127.0.0.1 alone.

use std::{
    io,
    net::Ipv4Addr,
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
    server::{self, Options},
};
use tokio::{
    fs,
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::setting;

/// Mails that nobody has looked at; more are kept, but not announced.
const MAX_UNSEEN: usize = 256;
/// The people who have a mailbox.
const PEOPLE: [&str; 3] = [setting::SENDER, setting::RECEIVER, setting::POSTMASTER];

/// A mail that has come.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    /// Whose mailbox it is in.
    pub(super) person: &'static str,
    /// Where it lies.
    pub(super) path: PathBuf,
}

/// The running mail server.
pub(super) struct Mailbox {
    /// Its port.
    pub(super) port: u16,
    letters: mpsc::Receiver<Letter>,
    task: JoinHandle<()>,
}

impl Mailbox {
    /// Opens it over `folder`, until `stop` turns true.
    ///
    /// # Errors
    /// A folder cannot be made, or no port is to be had.
    pub(super) async fn open(folder: PathBuf, stop: watch::Receiver<bool>) -> io::Result<Self> {
        fs::create_dir_all(folder.join("tmp")).await?;
        for person in PEOPLE {
            for part in ["tmp", "new", "cur"] {
                fs::create_dir_all(folder.join(person).join(part)).await?;
            }
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (sender, letters) = mpsc::channel(MAX_UNSEEN);
        let desk = Arc::new(Clerk { folder, next: AtomicU64::new(1), letters: sender });
        let mut options = Options::new("mail.example.com");
        options.timeouts.greeting_wait_ms = 0;
        options.timeouts.drain_s = 1;
        // Nobody reports what came too late, so no deadline is taken.
        options.limits.min_deliver_by_s = None;
        let task = tokio::spawn(async move {
            if let Err(failed) = server::serve(listener, Role::Relay, options, desk, stop).await {
                tracing::error!(%failed, "the mailbox ended");
            }
        });
        Ok(Self { port, letters, task })
    }

    /// The next mail; waits for one.
    pub(super) async fn next(&mut self) -> Letter {
        match self.letters.recv().await {
            Some(letter) => letter,
            // The server has ended, so that nothing will ever come.
            None => std::future::pending().await,
        }
    }

    /// Waits until it has ended.
    pub(super) async fn ended(self) {
        let _ = self.task.await;
    }
}

/// Takes mail for everyone who has a mailbox.
struct Clerk {
    folder: PathBuf,
    next: AtomicU64,
    letters: mpsc::Sender<Letter>,
}

impl Clerk {
    fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    async fn keep(&self, from: &Path, rcpts: &[Rcpt]) -> io::Result<()> {
        for rcpt in rcpts {
            let Some(person) = person(rcpt) else { continue };
            let name = format!("{:04}.eml", self.next());
            let path = self.folder.join(person).join("new").join(name);
            fs::hard_link(from, &path).await?;
            let _ = self.letters.try_send(Letter { person, path });
        }
        fs::remove_file(from).await
    }
}

fn person(rcpt: &Rcpt) -> Option<&'static str> {
    let written = format!("{}@{}", rcpt.mailbox.local(), rcpt.mailbox.domain());
    PEOPLE.into_iter().find(|person| setting::address(person) == written)
}

#[async_trait]
impl Desk for Clerk {
    async fn authenticate(&self, _: &Peer, _: &str, _: &str) -> Result<Identity, AuthRefusal> {
        Err(AuthRefusal::Unavailable)
    }

    async fn sender(&self, _: &Peer, _: &Mail) -> Result<Granted, Reply> {
        Ok(Granted::default())
    }

    async fn recipient(&self, _: &Peer, _: &Mail, rcpt: &Rcpt) -> Result<Welcome, Reply> {
        match person(rcpt) {
            Some(_) => Ok(Welcome::default()),
            None => Err(Reply::new(550, (1, 1), "nobody of that name has a mailbox here")),
        }
    }

    async fn spool(&self, _: &Peer, _: &Mail) -> Result<PathBuf, Reply> {
        Ok(self.folder.join("tmp").join(self.next().to_string()))
    }

    async fn message(&self, _: &Peer, mut envelope: Envelope) -> Result<Vec<Vec<String>>, Reply> {
        if let Err(failed) = envelope.settle().await {
            return Err(Reply::new(451, (3, 0), format!("it cannot be kept: {failed}")));
        }
        match self.keep(&envelope.path, &envelope.rcpts).await {
            Ok(()) => Ok(vec![vec!["a letter".into()]]),
            Err(failed) => Err(Reply::new(451, (3, 0), format!("it cannot be kept: {failed}"))),
        }
    }
}
