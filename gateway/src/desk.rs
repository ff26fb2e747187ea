//! The desk: whoever decides what the mail side may not know. What a recipient
//! means, who may send and what becomes of a message is asked here, in the order
//! in which a client tells it.

use std::{
    fmt,
    fs::File,
    io::{self, Write as _},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;

pub use crate::command::{
    Body, DeliverBy, Mail, Mailbox, Notify, OriginalRecipient, Rcpt, Release, Ret,
};
use crate::{
    auth::{Proof, scram::Keys},
    reply::Reply,
};

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Mail clients: STARTTLS and AUTH are required (RFC 6409).
    Submission,
    /// Mail clients, with TLS from the first octet (RFC 8314 3.3).
    Submissions,
    /// Mail servers: no AUTH; the desk decides whom it believes.
    Relay,
    /// A mail server that wants a reply for each recipient (RFC 2033).
    Lmtp,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// The listener that it came to.
    pub role: Role,
    /// What it calls itself: unproven, empty before it said so.
    pub helo: String,
    /// Who logged in.
    pub identity: Option<Identity>,
    /// The certificate that it proved to have the key of.
    pub certificate: Option<Certificate>,
    /// The process at the other end of a unix socket.
    pub process: Option<Process>,
}

impl Peer {
    /// One that has just connected, in the clear, and said nothing.
    pub fn new(role: Role, address: IpAddr) -> Self {
        let (helo, tls) = (String::new(), false);
        Self { address, tls, role, helo, identity: None, certificate: None, process: None }
    }
}

/// A client's TLS certificate, signed by an authority that we were told to believe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of its DER form, 64 lower-case hexadecimal digits.
    pub fingerprint: String,
    /// The mail addresses and host names that it is for (RFC 5280 4.2.1.6).
    pub names: Vec<String>,
}

/// A process on this host, as the kernel tells (`SO_PEERCRED`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// What a sender is granted besides sending.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Granted {
    /// The priority of the mail: what was asked for, or less (RFC 6710 4.1).
    pub priority: i8,
}

/// Who logged in, in the desk's own words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity(pub String);

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why nobody was logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthRefusal {
    /// No such user, or another password: which of them is not told.
    #[error("user name or password is wrong")]
    WrongCredentials,
    /// Too many failures of late; the connection is closed.
    #[error("too many failed logins, try again later")]
    TooManyTries,
    /// It cannot be found out now.
    #[error("logins cannot be checked at the moment")]
    Unavailable,
}

/// What the desk says yes with to a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// How many recipients it stands for, at least 1: a list is more than one.
    pub count: usize,
    /// What the recipient means at this moment, in the desk's own words: it comes back with
    /// the message, so that what was said yes to is what gets it.
    pub memo: Option<Arc<str>>,
    /// What is said with the yes; the usual words when there is nothing to say.
    pub words: Option<String>,
}

impl Default for Welcome {
    fn default() -> Self {
        Self { count: 1, memo: None, words: None }
    }
}

/// A message that arrived whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Who sent it.
    pub mail: Mail,
    /// What the desk granted its sender.
    pub granted: Granted,
    /// Whom it is for: those that the desk said yes to, in their order.
    pub rcpts: Vec<Rcpt>,
    /// Where it lies, on disk for good, with CRLF line ends and a `Received:` line on top;
    /// or would lie, when it is [`held`](Self::held).
    pub path: PathBuf,
    /// The same message in memory, when it is small: then no file was made, and nothing
    /// is durable yet.
    pub held: Option<Bytes>,
    /// Its size in octets.
    pub bytes: u64,
}

impl Envelope {
    /// Writes a message that is held to its file, for good.
    ///
    /// # Errors
    /// What the disk says; then there is no such file.
    pub async fn settle(&mut self) -> io::Result<()> {
        let Some(held) = self.held.clone() else { return Ok(()) };
        let path = self.path.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let mut new = File::options();
            let mut file = new.write(true).create_new(true).mode(0o600).open(&path)?;
            let written = file.write_all(&held).and_then(|()| file.sync_data());
            written.inspect_err(|_| drop(std::fs::remove_file(&path)))
        });
        writing.await.map_err(io::Error::other)??;
        self.held = None;
        Ok(())
    }
}

/// Decides. Every question may take its time, but the client of a mail server
/// waits no longer than a few minutes for each answer (RFC 5321 4.5.3.2).
#[async_trait]
pub trait Desk: Send + Sync + 'static {
    /// Who this is. Asked only under TLS.
    async fn authenticate(
        &self,
        peer: &Peer,
        user: &str,
        password: &str,
    ) -> Result<Identity, AuthRefusal>;

    /// Whether anybody here has keys, so that passwords can be proven without telling
    /// them (RFC 5802).
    fn has_keys(&self) -> bool {
        false
    }

    /// The keys by which this user is known. Who is not known gets keys that nobody can
    /// prove, so that the answer does not tell who is.
    async fn keys(&self, _peer: &Peer, _user: &str) -> Result<Keys, AuthRefusal> {
        Err(AuthRefusal::Unavailable)
    }

    /// Who this is, who proved it or failed to.
    async fn proven(&self, _peer: &Peer, _proof: &Proof) -> Result<Identity, AuthRefusal> {
        Err(AuthRefusal::WrongCredentials)
    }

    /// May this peer send this mail? A refusal is a 4xx or 5xx reply.
    async fn sender(&self, peer: &Peer, mail: &Mail) -> Result<Granted, Reply>;

    /// May this mail go to this recipient? A refusal is a 4xx or 5xx reply.
    async fn recipient(&self, peer: &Peer, mail: &Mail, rcpt: &Rcpt) -> Result<Welcome, Reply>;

    /// Where to write the message that is about to come: a file that does not
    /// exist yet, in a folder that does. If the message does not arrive whole
    /// the file is removed again and the desk hears nothing more of it.
    async fn spool(&self, peer: &Peer, mail: &Mail) -> Result<PathBuf, Reply>;

    /// Takes a message that arrived whole: for each recipient, in their order, the
    /// names that it has here now, or the one refusal for all of them. The file is the
    /// desk's from now on, whatever the answer. It is called once per message and runs
    /// to its end even if the client is gone.
    async fn message(&self, peer: &Peer, envelope: Envelope) -> Result<Vec<Vec<String>>, Reply>;
}
