//! The message inside a session: from 354 to the one reply that says what became
//! of it. Whatever goes wrong, the message is read to its true end first, so that
//! none of its lines is ever taken for a command.

use std::sync::Arc;

use super::{Asked, Output, Phase, Question, Session};
use crate::{
    data::{Progress, Violation},
    reply::Reply,
};

impl Session {
    /// The spool file cannot be written: the rest of the message is only read.
    pub fn disk_failed(&mut self) {
        if let Phase::Body { disk_failed, .. } = &mut self.phase {
            *disk_failed = true;
        }
    }

    /// Whether the message is durable.
    ///
    /// Panics if that was not asked.
    pub fn stored(&mut self, durable: bool) {
        assert!(matches!(self.phase, Phase::Storing), "nothing is being stored");
        if !durable {
            return self.end_of_message(&disk_full());
        }
        let transaction = self.begun();
        let mail = Arc::clone(&transaction.mail);
        let rcpts = std::mem::take(&mut transaction.rcpts);
        self.ask(Question::Message(mail, rcpts), Asked::Message);
    }

    /// What the desk says of the message.
    ///
    /// Panics if it was not asked.
    pub fn finished(&mut self, taken: Result<Vec<String>, Reply>) {
        assert!(matches!(self.phase, Phase::Asked(Asked::Message)), "no message was given");
        let reply = match taken {
            Ok(names) => Reply::new(250, (0, 0), format!("queued as {}", names.join(", "))),
            Err(refusal) => refusal,
        };
        self.end_of_message(&reply);
    }

    pub(super) fn take_body(&mut self) {
        let Phase::Body { decoder, disk_failed } = &mut self.phase else { return };
        let mut body = Vec::with_capacity(self.input.pending().len());
        let progress = decoder.feed(self.input.pending(), &mut body);
        let (violation, disk_failed) = (decoder.violation(), *disk_failed);
        match progress {
            Progress::End(taken) => self.input.consume(taken),
            Progress::More | Progress::GiveUp => self.input.clear(),
        }
        if violation.is_none() && !disk_failed && !body.is_empty() {
            self.outputs.push_back(Output::Write(body));
        }
        match (progress, violation) {
            (Progress::More, _) => {}
            (Progress::GiveUp, violation) => {
                self.outputs.push_back(Output::Discard);
                let violation = violation.unwrap_or(Violation::TooLarge);
                self.leave(&self.refusal(violation));
            }
            (Progress::End(_), Some(violation)) => self.refuse_message(violation),
            (Progress::End(_), None) => {
                self.outputs.push_back(Output::Store);
                self.phase = Phase::Storing;
            }
        }
    }

    fn refuse_message(&mut self, violation: Violation) {
        self.outputs.push_back(Output::Discard);
        let refusal = self.refusal(violation);
        match violation {
            // Whoever sends this may mean the rest as a second message.
            Violation::BareLineEnd => self.leave(&refusal),
            _ => self.end_of_message(&refusal),
        }
    }

    fn refusal(&self, violation: Violation) -> Reply {
        match violation {
            Violation::BareLineEnd => Reply::new(550, (5, 2), "bare <CR> or <LF> not allowed"),
            Violation::Nul => Reply::new(554, (6, 0), "a message holds no NUL octets"),
            Violation::LineTooLong => Reply::new(554, (5, 2), "a line of the message is too long"),
            Violation::TooLarge => {
                let most = self.limits.max_message_bytes;
                Reply::new(552, (3, 4), format!("a message has at most {most} octets"))
            }
        }
    }

    fn end_of_message(&mut self, reply: &Reply) {
        self.transaction = None;
        match reply.closes() {
            true => self.leave(reply),
            false => {
                self.send(reply);
                self.phase = Phase::Commands;
            }
        }
    }
}

fn disk_full() -> Reply {
    Reply::new(452, (3, 1), "the message cannot be stored at the moment")
}
