//! How a session begins: what is offered, each extension only where it holds, and
//! the name of the protocol that is spoken from there on.

use jiff::{SignedDuration, Timestamp};

use super::Session;
use crate::{auth, desk::Role, reply::Reply};

/// What the client began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greeting {
    /// HELO: no extensions.
    Plain,
    /// EHLO or LHLO.
    Extended,
}

impl Session {
    /// The protocol in the words of a `Received:` line (RFC 3848, RFC 6531 4.3).
    pub fn protocol(&self) -> &'static str {
        let utf8 = self.transaction.as_ref().is_some_and(|begun| begun.mail.smtputf8);
        let words = match (utf8, self.peer.role == Role::Lmtp) {
            (false, false) if !self.extended => return "SMTP",
            (false, false) => ["ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA"],
            (false, true) => ["LMTP", "LMTPA", "LMTPS", "LMTPSA"],
            (true, false) => ["UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA"],
            (true, true) => ["UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS", "UTF8LMTPSA"],
        };
        match (self.peer.tls, self.peer.identity.is_some()) {
            (false, false) => words[0],
            (false, true) => words[1],
            (true, false) => words[2],
            (true, true) => words[3],
        }
    }

    /// A greeting begins anew (RFC 5321 4.1.4).
    pub(super) fn hello(&mut self, name: String, greeting: Greeting) {
        self.peer.helo = name;
        self.extended = greeting == Greeting::Extended;
        self.forget();
        let mut lines = vec![self.hostname.clone()];
        if self.extended {
            lines.extend(self.offers());
        }
        self.send(&Reply::plain(250, lines.join("\n")));
    }

    fn offers(&self) -> Vec<String> {
        let limits = &self.limits;
        let mut offers = vec!["PIPELINING".to_owned()];
        offers.push(format!("SIZE {}", limits.max_message_bytes));
        let always =
            ["8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "CHUNKING", "BINARYMIME"];
        offers.extend(always.map(String::from));
        if self.offers_tls && !self.peer.tls {
            offers.push("STARTTLS".to_owned());
        }
        if self.takes_logins() && self.peer.tls {
            offers.push(format!("AUTH {}", auth::OFFERED));
        }
        if let Some(least) = limits.min_deliver_by_s {
            offers.push(format!("DELIVERBY {least}"));
        }
        if self.holds_mail() {
            let until = self.latest_release().strftime("%Y-%m-%dT%H:%M:%SZ");
            offers.push(format!("FUTURERELEASE {} {until}", limits.max_hold_s));
        }
        offers.push("MT-PRIORITY MIXER".to_owned());
        let (mails, rcpts) = (limits.max_messages, limits.max_recipients);
        offers.push(format!("LIMITS MAILMAX={mails} RCPTMAX={rcpts}"));
        offers
    }

    /// Whether this is the submission service (RFC 6409), where people log in.
    pub(super) fn takes_logins(&self) -> bool {
        matches!(self.peer.role, Role::Submission | Role::Submissions)
    }

    /// Whether a release in the future may be asked for: on the submission service
    /// alone (RFC 4865 4.2).
    pub(super) fn holds_mail(&self) -> bool {
        self.takes_logins() && self.limits.max_hold_s > 0
    }

    /// The latest moment that a mail may be held until.
    pub(super) fn latest_release(&self) -> Timestamp {
        let longest = SignedDuration::from_secs(i64::from(self.limits.max_hold_s));
        self.now.saturating_add(longest).unwrap_or(Timestamp::MAX)
    }
}
