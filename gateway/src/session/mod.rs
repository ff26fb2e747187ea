//! One SMTP connection as a state machine without a socket (RFC 5321). It is fed
//! octets and answers; it says what to send, what to ask the desk, what to write.
//! It does no I/O, reads no clock and decides nothing that the desk decides.
//!
//! ```text
//!  Greeting ─▶ Commands ◀──────────────────────────────┐
//!               │ AUTH ─▶ Login ─▶ Asked(desk) ────────┤
//!               │ STARTTLS ─▶ Securing ────────────────┤ (all is forgotten)
//!               │ MAIL, RCPT ─▶ Asked(desk) ───────────┤
//!               │ DATA ─▶ Asked(desk) ─▶ Body ─▶ Storing ─▶ Asked(desk)
//!               │ BDAT ─▶ Asked(desk) ─▶ Chunk ─┬─ LAST ─▶ Storing ─▶ Asked(desk)
//!               │                               └─▶ Commands
//!               ▼
//!              Over          (from everywhere: QUIT, 421, a breach of the protocol)
//! ```
//!
//! The caller loops: [`Session::poll`], do what it says, give back what it asked
//! for. It tells the moment with every poll. `Read` comes only when all input is used up, and the caller flushes what it
//! was given to send before it reads (RFC 2920 3.2).

mod body;
mod chunks;
mod hello;
mod input;
mod limits;
mod login;
mod order;
mod terms;
mod transaction;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use jiff::Timestamp;

pub use limits::Limits;

use crate::{
    auth,
    auth::{Credentials, Exchange},
    command::{self, Chunk, Command, Mail, Rcpt},
    data::Decoder,
    desk::{Certificate, Granted, Peer, Role},
    reply::Reply,
};
use chunks::{Piece, Pieces};
use hello::Greeting;
use input::{Input, Line};

/// Longest command line other than AUTH with its CRLF, in octets. RFC 3461 5.4
/// asks for 1036 and more.
const MAX_COMMAND_BYTES: usize = 4096;

/// Octets of the keying material that a login is bound to (RFC 9266 3).
pub const EXPORTER_BYTES: usize = 32;

/// What a TLS handshake has brought.
#[derive(Debug, Clone, Default)]
pub struct Secured {
    /// The client's certificate, verified.
    pub certificate: Option<Certificate>,
    /// `tls-exporter` (RFC 9266): bound logins are offered only where it is there.
    pub exporter: Option<[u8; EXPORTER_BYTES]>,
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    hostname: String,
    offers_tls: bool,
    peer: Peer,
    /// What a login may be bound to.
    exporter: Option<[u8; EXPORTER_BYTES]>,
    extended: bool,
    /// The moment of the last poll.
    now: Timestamp,
    input: Input,
    phase: Phase,
    outputs: VecDeque<Output>,
    transaction: Option<Transaction>,
    messages: u32,
    idle_commands: u32,
    errors: u32,
    refusals: u32,
    auth_failures: u32,
    /// How much of refused chunks was read since the last message, in octets.
    discarded: u64,
}

/// What the caller is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send these octets.
    Send(Vec<u8>),
    /// Wait this long.
    Pause(Duration),
    /// Ask the desk, and give its answer to the method that the question names.
    Ask(Question),
    /// Do the TLS handshake as the server, then call [`Session::secured`].
    Secure,
    /// Append these octets to the spool file; on failure call [`Session::disk_failed`].
    Write(Vec<u8>),
    /// The message is whole: make it durable and call [`Session::stored`].
    Store,
    /// Remove the spool file: its message is refused.
    Discard,
    /// Send what is to be sent, read some octets, call [`Session::feed`].
    Read(Wait),
    /// Send what is to be sent and close.
    Close,
}

/// What is being waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The first octet of a command: the session is idle.
    Command,
    /// The rest of a command line.
    RestOfLine,
    /// More of a message.
    Body,
    /// More of what was announced as a message and is thrown away.
    Refused,
}

/// What the desk is asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Question {
    /// Answer with [`Session::authenticated`].
    Authenticate(Credentials),
    /// Answer with [`Session::granted`].
    Sender(Arc<Mail>),
    /// Answer with [`Session::verdict`].
    Recipient(Arc<Mail>, Rcpt),
    /// Where to write; open that file and answer with [`Session::verdict`].
    Spool(Arc<Mail>),
    /// The spool file is durable: answer with [`Session::finished`].
    Message(Arc<Mail>, Vec<Rcpt>),
}

#[derive(Debug)]
enum Phase {
    Greeting,
    Commands,
    Login(Exchange),
    Securing,
    Asked(Asked),
    Body { decoder: Decoder, disk_failed: bool },
    Chunk(Piece),
    Storing,
    Over,
}

#[derive(Debug)]
enum Asked {
    Login,
    Sender(Arc<Mail>),
    Recipient(Rcpt),
    Spool,
    SpoolForChunk(Chunk),
    Message,
}

#[derive(Debug)]
struct Transaction {
    mail: Arc<Mail>,
    granted: Granted,
    rcpts: Vec<Rcpt>,
    tried: bool,
    /// The message, if it comes in chunks.
    pieces: Option<Pieces>,
}

impl Session {
    /// A connection that was just accepted. `offers_tls` says whether a handshake
    /// could be done; one that was done already is told by [`Session::encrypted`].
    pub fn new(limits: Limits, hostname: &str, peer: Peer, offers_tls: bool) -> Self {
        Self {
            limits,
            hostname: hostname.to_owned(),
            offers_tls,
            peer,
            exporter: None,
            extended: false,
            now: Timestamp::UNIX_EPOCH,
            input: Input::default(),
            phase: Phase::Greeting,
            outputs: VecDeque::new(),
            transaction: None,
            messages: 0,
            idle_commands: 0,
            errors: 0,
            refusals: 0,
            auth_failures: 0,
            discarded: 0,
        }
    }

    /// Greets the client, or turns it away if it talked before (RFC 5321 4.3.1).
    pub fn greet(&mut self) {
        if self.input.is_empty() {
            self.phase = Phase::Commands;
            let spoken = if self.peer.role == Role::Lmtp { "LMTP" } else { "ESMTP" };
            self.send(&Reply::plain(220, format!("{} {spoken} Postfax", self.hostname)));
        } else {
            self.leave(&Reply::plain(554, "you talked before you were greeted"));
        }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What the desk granted the sender of the mail.
    pub fn grants(&self) -> Granted {
        self.transaction.as_ref().map(|transaction| transaction.granted).unwrap_or_default()
    }

    /// The recipients so far.
    pub fn recipients(&self) -> &[Rcpt] {
        self.transaction.as_ref().map_or(&[], |transaction| &transaction.rcpts)
    }

    /// Takes octets that came in. After the end of a session they are ignored.
    pub fn feed(&mut self, octets: &[u8]) {
        if !matches!(self.phase, Phase::Over) {
            self.input.push(octets);
        }
    }

    /// What to do next, at this moment.
    ///
    /// Panics if an answer is outstanding: the caller is to give it first.
    pub fn poll(&mut self, now: Timestamp) -> Output {
        self.now = now;
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return output;
            }
            match self.phase {
                Phase::Over => return Output::Close,
                Phase::Body { .. } if self.input.is_empty() => return Output::Read(Wait::Body),
                Phase::Body { .. } => self.take_body(),
                Phase::Chunk(Piece { left: 0, .. }) => self.end_chunk(),
                Phase::Chunk(_) if self.input.is_empty() => {
                    return Output::Read(self.wait_for_chunk());
                }
                Phase::Chunk(_) => self.take_chunk(),
                Phase::Commands | Phase::Login(_) => {
                    if let Some(wait) = self.take_line() {
                        return Output::Read(wait);
                    }
                }
                Phase::Greeting | Phase::Securing | Phase::Asked(_) | Phase::Storing => {
                    panic!("the session waits for an answer: {:?}", self.phase)
                }
            }
        }
    }

    /// The connection was encrypted before its first octet (RFC 8314 3.3).
    pub fn encrypted(&mut self, secured: Secured) {
        self.peer.tls = true;
        self.peer.certificate = secured.certificate;
        self.exporter = secured.exporter;
    }

    /// The TLS handshake is done: both sides forget everything (RFC 3207 4.2).
    pub fn secured(&mut self, secured: Secured) {
        assert!(matches!(self.phase, Phase::Securing), "no handshake was asked for");
        self.encrypted(secured);
        self.input.clear();
        self.transaction = None;
        self.peer.identity = None;
        self.peer.helo.clear();
        self.extended = false;
        self.phase = Phase::Commands;
    }

    /// The client said nothing for too long.
    pub fn timed_out(&mut self) {
        self.leave(&Reply::new(421, (4, 2), "you said nothing for too long"));
    }

    /// The server goes down.
    pub fn shut_down(&mut self) {
        self.leave(&Reply::new(421, (3, 2), "the server goes down, try again soon"));
    }

    fn take_line(&mut self) -> Option<Wait> {
        let login = matches!(self.phase, Phase::Login(_));
        let verb = self.input.pending().get(..5);
        let long = login || verb.is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
        let max = if long { auth::MAX_LINE_BYTES } else { MAX_COMMAND_BYTES };
        match self.input.line(max) {
            Line::Part if self.input.has_begun() => return Some(Wait::RestOfLine),
            Line::Part if self.is_amid_chunks() => return Some(Wait::Body),
            Line::Part => return Some(Wait::Command),
            Line::Whole(line) if login => self.take_login_line(&line),
            Line::Whole(line) => self.take_command(&line),
            Line::TooLong if login => {
                self.phase = Phase::Commands;
                self.complain(Reply::new(500, (5, 6), "line too long"));
            }
            Line::TooLong => self.complain(Reply::new(500, (5, 2), "line too long")),
            Line::Endless => self.leave(&Reply::new(500, (5, 2), "line too long")),
            Line::Bare => {
                let text = "a line ends with <CR><LF>; bare <CR> or <LF> not allowed";
                self.leave(&Reply::new(521, (5, 2), text));
            }
        }
        None
    }

    fn take_command(&mut self, line: &[u8]) {
        let command = match command::parse(line) {
            Ok(command) => command,
            Err(error) if error.is_fatal() => return self.leave(&error.reply()),
            Err(error) => return self.complain(error.reply()),
        };
        if self.breaks_pipelining(&command) {
            let text = "this command is the last of its group: wait for the reply";
            return self.leave(&Reply::new(554, (5, 1), text));
        }
        if let Some(refusal) = self.out_of_order(&command) {
            return match command {
                Command::Bdat(chunk) => self.skip(chunk, refusal),
                _ => self.complain(refusal),
            };
        }
        if self.idles(&command) {
            return self.leave(&Reply::new(421, (7, 0), "too many commands without a message"));
        }
        match command {
            Command::Helo(name) => self.hello(name, Greeting::Plain),
            Command::Ehlo(name) | Command::Lhlo(name) => self.hello(name, Greeting::Extended),
            Command::Mail(mail) => self.mail(mail),
            Command::Rcpt(rcpt) => self.rcpt(rcpt),
            Command::Data => self.data(),
            Command::Rset => {
                self.forget();
                self.send(&Reply::new(250, (0, 0), "forgotten"));
            }
            Command::Noop => self.send(&Reply::new(250, (0, 0), "fine")),
            Command::Help => self.send(&Reply::new(214, (0, 0), "mail a fax to NUMBER@domain")),
            Command::Vrfy => self.send(&Reply::new(252, (0, 0), "try RCPT to find out")),
            Command::StartTls => {
                self.send(&Reply::new(220, (0, 0), "go ahead"));
                self.outputs.push_back(Output::Secure);
                self.phase = Phase::Securing;
            }
            Command::Auth { mechanism, initial } => self.auth(&mechanism, initial.as_deref()),
            Command::Quit => self.leave(&Reply::new(221, (0, 0), "goodbye")),
            Command::Absent => self.complain(Reply::new(502, (5, 1), "not served here")),
            Command::Bdat(chunk) => self.bdat(chunk),
            Command::Foreign => self.leave(&Reply::new(500, (5, 1), "this is a mail server")),
        }
    }

    /// Ends the transaction, and what has come of its message.
    fn forget(&mut self) {
        if self.transaction.take().is_some_and(|transaction| transaction.pieces.is_some()) {
            self.outputs.push_back(Output::Discard);
        }
    }

    fn send(&mut self, reply: &Reply) {
        self.outputs.push_back(Output::Send(reply.wire()));
    }

    /// Sends a last reply and ends the session.
    fn leave(&mut self, reply: &Reply) {
        self.send(reply);
        self.end();
    }

    fn end(&mut self) {
        self.transaction = None;
        self.input.clear();
        self.phase = Phase::Over;
    }

    /// Answers a mistake of the client, and ends the session after too many.
    fn complain(&mut self, reply: Reply) {
        self.errors += 1;
        if self.errors > self.limits.max_errors {
            self.leave(&Reply::new(421, (7, 0), "too many errors"));
        } else {
            self.send(&reply);
        }
    }
}

#[cfg(test)]
mod tests;
