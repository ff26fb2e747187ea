//! MAIL, RCPT and DATA inside a session, and the desk's verdicts on them.

use std::sync::Arc;

use super::{Asked, Output, Phase, Question, Session, Transaction, terms::welcome};
use crate::{
    command::{CommandError, Mail, Rcpt},
    data::Decoder,
    desk::{Granted, Role, Welcome},
    reply::Reply,
};

impl Session {
    /// What the desk says of a sender.
    ///
    /// Panics if it was not asked.
    pub fn granted(&mut self, verdict: Result<Granted, Reply>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Commands);
        let Phase::Asked(Asked::Sender(mail)) = phase else {
            panic!("the desk was not asked for a sender")
        };
        match verdict {
            Ok(granted) => {
                self.send(&welcome(&mail, granted));
                let rcpts = Vec::new();
                self.transaction =
                    Some(Transaction { mail, granted, rcpts, tried: false, pieces: None });
            }
            Err(refusal) => self.refuse(&refusal),
        }
    }

    /// What the desk says of a recipient.
    ///
    /// Panics if it was not asked.
    pub fn welcomed(&mut self, verdict: Result<Welcome, Reply>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Commands);
        let Phase::Asked(Asked::Recipient(mut rcpt)) = phase else {
            panic!("the desk was not asked for a recipient")
        };
        let welcome = match verdict {
            Ok(welcome) => welcome,
            Err(refusal) => return self.refuse(&refusal),
        };
        let most = self.limits.max_recipients;
        let begun = self.begun();
        let so_far: usize = begun.rcpts.iter().map(|rcpt| rcpt.welcome.count).sum();
        if so_far.saturating_add(welcome.count) > most {
            return self.send(&too_many(most));
        }
        let words = welcome.words.clone();
        rcpt.welcome = welcome;
        begun.rcpts.push(rcpt);
        self.send(&Reply::new(250, (1, 5), words.as_deref().unwrap_or("recipient ok")));
    }

    /// What the desk says of a place to write to.
    ///
    /// Panics if it was not asked.
    pub fn verdict(&mut self, verdict: Result<(), Reply>) {
        let Phase::Asked(asked) = std::mem::replace(&mut self.phase, Phase::Commands) else {
            panic!("the desk was not asked")
        };
        match (asked, verdict) {
            (
                Asked::Login
                | Asked::Keys(_)
                | Asked::Sender(_)
                | Asked::Recipient(_)
                | Asked::Message,
                _,
            ) => panic!("the desk was asked something else"),
            (Asked::SpoolForChunk(chunk), verdict) => self.take_spool(chunk, verdict),
            (_, Err(refusal)) => self.refuse(&refusal),
            (Asked::Spool, Ok(())) => {
                self.send(&Reply::plain(354, "end with <CRLF>.<CRLF>"));
                let decoder = Decoder::new(self.limits.bounds());
                self.phase = Phase::Body { decoder, disk_failed: false };
            }
        }
    }

    pub(super) fn mail(&mut self, mail: Mail) {
        if let Some(refusal) = self.unmet(&mail) {
            return self.complain(refusal);
        }
        if self.messages >= self.limits.max_messages {
            let text = "enough for one connection, please connect again";
            return self.leave(&Reply::new(421, (7, 0), text));
        }
        let mail = Arc::new(mail);
        self.ask(Question::Sender(Arc::clone(&mail)), Asked::Sender(mail));
    }

    pub(super) fn rcpt(&mut self, rcpt: Rcpt) {
        let most = self.limits.max_recipients;
        let begun = self.begun();
        begun.tried = true;
        if rcpt.is_utf8() && !begun.mail.smtputf8 {
            return self.complain(CommandError::Utf8Address.reply());
        }
        if begun.rcpts.iter().map(|rcpt| rcpt.welcome.count).sum::<usize>() >= most {
            return self.send(&too_many(most));
        }
        let mail = Arc::clone(&begun.mail);
        self.ask(Question::Recipient(mail, rcpt.clone()), Asked::Recipient(rcpt));
    }

    pub(super) fn data(&mut self) {
        let lmtp = self.peer.role == Role::Lmtp;
        let begun = self.begun();
        match (begun.rcpts.is_empty(), begun.tried) {
            (true, true) if lmtp => self.complain(Reply::new(503, (5, 1), "no valid recipients")),
            (true, false) => self.complain(Reply::new(503, (5, 1), "say RCPT first")),
            (true, true) => self.complain(Reply::new(554, (5, 1), "no valid recipients")),
            (false, _) => {
                let mail = Arc::clone(&begun.mail);
                self.messages += 1;
                self.ask(Question::Spool(mail), Asked::Spool);
            }
        }
    }

    pub(super) fn begun(&mut self) -> &mut Transaction {
        self.transaction.as_mut().expect("out_of_order lets nothing pass before MAIL")
    }

    pub(super) fn ask(&mut self, question: Question, asked: Asked) {
        self.outputs.push_back(Output::Ask(question));
        self.phase = Phase::Asked(asked);
    }

    /// Passes on a refusal of the desk, and ends the session after too many.
    pub(super) fn refuse(&mut self, refusal: &Reply) {
        self.refusals += 1;
        if refusal.closes() {
            self.leave(refusal);
        } else if self.refusals > self.limits.max_refusals {
            self.leave(&Reply::new(421, (7, 0), "too many refusals"));
        } else {
            self.send(refusal);
        }
    }
}

/// The client sends the rest in another mail; that is no sign of mischief.
fn too_many(most: usize) -> Reply {
    let text = format!("at most {most} recipients, send the others separately");
    Reply::new(452, (5, 3), text)
}
