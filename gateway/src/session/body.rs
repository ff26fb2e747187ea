//! The message inside a session: from 354 to the one reply that says what became
//! of it. Whatever goes wrong, the message is read to its true end first, so that
//! none of its lines is ever taken for a command.

use std::sync::Arc;

use super::{Asked, Output, Phase, Question, Session};
use crate::{
    data::{Progress, Violation},
    desk::Role,
    reply::Reply,
};

impl Session {
    /// The spool file cannot be written: the rest of the message is only read.
    pub fn disk_failed(&mut self) {
        match &mut self.phase {
            Phase::Body { disk_failed, .. } => *disk_failed = true,
            Phase::Chunk(_) => self.chunks_on_full_disk(),
            _ => {}
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
        let rcpts = transaction.rcpts.clone();
        self.ask(Question::Message(mail, rcpts), Asked::Message);
    }

    /// What the desk says of the message.
    ///
    /// Panics if it was not asked.
    pub fn finished(&mut self, taken: Result<Vec<Vec<String>>, Reply>) {
        assert!(matches!(self.phase, Phase::Asked(Asked::Message)), "no message was given");
        let names = match taken {
            Err(refusal) => return self.end_of_message(&refusal),
            Ok(names) => names,
        };
        self.discarded = 0;
        let all = names.concat().join(", ");
        if self.peer.role != Role::Lmtp {
            return self.end_of_message(&Reply::new(250, (0, 0), format!("queued as {all}")));
        }
        for index in 0..self.recipients().len() {
            let name = names.get(index).map_or_else(|| all.clone(), |own| own.join(", "));
            self.send(&Reply::new(250, (1, 5), format!("queued as {name}")));
        }
        self.transaction = None;
        self.phase = Phase::Commands;
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
                self.break_off(&self.refusal(violation));
            }
            (Progress::End(_), Some(violation)) => self.refuse_message(violation),
            (Progress::End(_), None) => {
                self.outputs.push_back(Output::Store);
                self.phase = Phase::Storing;
            }
        }
    }

    pub(super) fn refuse_message(&mut self, violation: Violation) {
        self.outputs.push_back(Output::Discard);
        let refusal = self.refusal(violation);
        match violation {
            // Whoever sends this may mean the rest as a second message.
            Violation::BareLineEnd => self.break_off(&refusal),
            _ => self.end_of_message(&refusal),
        }
    }

    pub(super) fn refusal(&self, violation: Violation) -> Reply {
        match violation {
            Violation::BareLineEnd => Reply::new(550, (5, 2), "bare <CR> or <LF> not allowed"),
            Violation::Nul => Reply::new(554, (6, 0), "a message holds no NUL octets"),
            Violation::LineTooLong => Reply::new(554, (5, 2), "a line of the message is too long"),
            Violation::TooLarge => self.too_large(),
        }
    }

    /// Refuses a message. LMTP has an answer for each recipient (RFC 2033 4.2).
    pub(super) fn end_of_message(&mut self, reply: &Reply) {
        if reply.closes() {
            return self.leave(reply);
        }
        self.answer_all(reply);
        self.transaction = None;
        self.phase = Phase::Commands;
    }

    /// Refuses a message, and ends the session with it.
    fn break_off(&mut self, reply: &Reply) {
        self.answer_all(reply);
        self.end();
    }

    fn answer_all(&mut self, reply: &Reply) {
        let answers = match self.peer.role {
            Role::Lmtp => self.recipients().len(),
            _ => 1,
        };
        for _ in 0..answers {
            self.send(reply);
        }
    }
}

pub(super) fn disk_full() -> Reply {
    Reply::new(452, (3, 1), "the message cannot be stored at the moment")
}
