//! Which command may come when (RFC 5321 4.1.4, RFC 2033 4, RFC 3030 2), and what may follow it unasked
//! (RFC 2920 3.1).

use super::Session;
use crate::{
    command::{Body, Chunk, Command},
    desk::Role,
    reply::Reply,
};

impl Session {
    /// Whether something follows a command that must be the last of its group
    /// (RFC 2920 3.1, RFC 3207 4, RFC 4954 4).
    pub(super) fn breaks_pipelining(&self, command: &Command) -> bool {
        let last = matches!(
            command,
            Command::Helo(_)
                | Command::Ehlo(_)
                | Command::Lhlo(_)
                | Command::Data
                | Command::StartTls
                | Command::Auth { .. }
        );
        last && !self.input.is_empty()
    }

    /// Why a command cannot be taken in this state, if so (RFC 5321 4.1.4).
    pub(super) fn out_of_order(&self, command: &Command) -> Option<Reply> {
        let order = |text| Some(Reply::new(503, (5, 1), text));
        let lmtp = self.peer.role == Role::Lmtp;
        let needs_tls = self.peer.role == Role::Submission && !self.peer.tls;
        match command {
            // RFC 2033 4.1: nobody may take one protocol for the other.
            Command::Ehlo(_) | Command::Helo(_) if lmtp => {
                Some(Reply::new(500, (5, 1), "this is LMTP: say LHLO"))
            }
            Command::Lhlo(_) if !lmtp => Some(Reply::new(500, (5, 1), "this is SMTP: say EHLO")),
            Command::Ehlo(_) | Command::Lhlo(_) | Command::Noop | Command::Quit => None,
            Command::StartTls if self.peer.tls => order("TLS is active already"),
            Command::StartTls if !self.offers_tls => Some(Reply::new(502, (5, 1), "no TLS here")),
            Command::StartTls if self.transaction.is_some() => order("not inside a transaction"),
            Command::StartTls => None,
            _ if needs_tls => Some(Reply::new(530, (7, 0), "Must issue a STARTTLS command first")),
            Command::Mail(_)
            | Command::Rcpt(_)
            | Command::Data
            | Command::Bdat(_)
            | Command::Auth { .. }
                if self.peer.helo.is_empty() =>
            {
                order(if lmtp { "say LHLO first" } else { "say EHLO first" })
            }
            Command::Mail(_) if self.needs_login() => {
                Some(Reply::new(530, (7, 0), "Authentication required"))
            }
            Command::Mail(_) if self.transaction.is_some() => order("a sender was given already"),
            Command::Rcpt(_) | Command::Data | Command::Bdat(_) if self.transaction.is_none() => {
                order("say MAIL first")
            }
            Command::Rcpt(_) | Command::Data if self.has_chunks() => {
                order("the message has begun with BDAT: go on with it, or say RSET")
            }
            Command::Data if self.is_binary() => order("a BINARYMIME message comes with BDAT"),
            Command::Auth { .. } if !self.takes_logins() => {
                Some(Reply::new(502, (5, 1), "no logins here, use the submission port"))
            }
            Command::Auth { .. } if self.peer.identity.is_some() => order("you are logged in"),
            Command::Auth { .. } if self.transaction.is_some() => order("not inside a transaction"),
            _ => None,
        }
    }

    fn needs_login(&self) -> bool {
        self.takes_logins() && self.peer.identity.is_none()
    }

    fn has_chunks(&self) -> bool {
        self.transaction.as_ref().is_some_and(|begun| begun.pieces.is_some())
    }

    fn is_binary(&self) -> bool {
        self.transaction.as_ref().is_some_and(|begun| begun.mail.body == Body::BinaryMime)
    }

    /// Counts commands that only keep a connection busy; true once they are too many.
    pub(super) fn idles(&mut self, command: &Command) -> bool {
        match command {
            Command::Noop
            | Command::Rset
            | Command::Vrfy
            | Command::Help
            | Command::Helo(_)
            | Command::Ehlo(_)
            | Command::Lhlo(_)
            | Command::Bdat(Chunk { bytes: 0, last: false }) => self.idle_commands += 1,
            Command::Data | Command::Bdat(Chunk { last: true, .. }) => self.idle_commands = 0,
            _ => {}
        }
        self.idle_commands > self.limits.max_idle_commands
    }
}
