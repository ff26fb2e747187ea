//! The message in chunks (RFC 3030 2). The octets of a chunk are counted off whatever
//! is wrong with it, so that none of them is ever taken for a command; once a chunk is
//! refused, so are all that follow, until the client says RSET.

use std::sync::Arc;

use super::{Asked, Output, Phase, Question, Session, Wait, body::disk_full};
use crate::{
    command::{Body, Chunk},
    data::{Chunks, Octets, Violation},
    reply::Reply,
};

/// The chunk that comes in.
#[derive(Debug)]
pub(super) struct Piece {
    /// The octets that are still to come.
    pub(super) left: u64,
    /// The octets that were announced.
    bytes: u64,
    last: bool,
    /// What is said at its end, if it has no place here.
    refusal: Option<Reply>,
}

/// A message of which chunks have come.
#[derive(Debug)]
pub(super) struct Pieces {
    checker: Chunks,
    disk_failed: bool,
    /// Why the message is refused.
    failed: Option<Reply>,
}

impl Session {
    pub(super) fn bdat(&mut self, chunk: Chunk) {
        let bounds = self.limits.bounds();
        let begun = self.begun();
        if begun.rcpts.is_empty() {
            return self.skip(chunk, Reply::new(503, (5, 1), "no valid recipients"));
        }
        let octets = match begun.mail.body {
            Body::BinaryMime => Octets::Any,
            Body::SevenBit | Body::EightBitMime => Octets::Text,
        };
        let mail = Arc::clone(&begun.mail);
        let first = begun.pieces.is_none();
        let pieces = begun.pieces.get_or_insert_with(|| Pieces {
            checker: Chunks::new(bounds, octets),
            disk_failed: false,
            failed: None,
        });
        let fits = pieces.checker.has_room_for(chunk.bytes);
        if first && fits {
            self.messages += 1;
            return self.ask(Question::Spool(mail), Asked::SpoolForChunk(chunk));
        }
        if pieces.failed.is_none() && !fits {
            let refusal = self.too_large();
            self.fail(refusal);
        }
        self.receive(chunk, None);
    }

    /// The octets of a chunk that has no place here are read all the same.
    pub(super) fn skip(&mut self, chunk: Chunk, refusal: Reply) {
        self.receive(chunk, Some(refusal));
    }

    /// What the desk says of a place to write the first chunk to.
    pub(super) fn take_spool(&mut self, chunk: Chunk, verdict: Result<(), Reply>) {
        if let Err(refusal) = verdict {
            self.refusals += 1;
            if refusal.closes() || self.refusals > self.limits.max_refusals {
                return self.leave(&refusal);
            }
            self.fail(refusal);
        }
        self.receive(chunk, None);
    }

    fn receive(&mut self, chunk: Chunk, refusal: Option<Reply>) {
        let Chunk { bytes, last } = chunk;
        let refused = refusal.as_ref().or_else(|| self.failure());
        if let Some(refused) = refused {
            let refused = refused.clone();
            self.discarded = self.discarded.saturating_add(bytes);
            if self.discarded > self.limits.max_discard_bytes {
                return self.leave(&refused);
            }
        }
        self.phase = Phase::Chunk(Piece { left: bytes, bytes, last, refusal });
    }

    pub(super) fn take_chunk(&mut self) {
        let Phase::Chunk(piece) = &mut self.phase else { return };
        let pending = self.input.pending();
        let here = usize::try_from(piece.left).unwrap_or(usize::MAX).min(pending.len());
        piece.left -= here as u64;
        let mut body = Vec::new();
        let pieces = self.transaction.as_mut().and_then(|begun| begun.pieces.as_mut());
        if let Some(pieces) = pieces.filter(|_| piece.refusal.is_none())
            && pieces.failed.is_none()
        {
            body.reserve(here);
            pieces.checker.feed(&pending[..here], &mut body);
            if pieces.disk_failed {
                body.clear();
            }
        }
        self.input.consume(here);
        if !body.is_empty() {
            self.outputs.push_back(Output::Write(body));
        }
    }

    /// Answers a chunk, once all of it has come and is written.
    pub(super) fn end_chunk(&mut self) {
        let phase = std::mem::replace(&mut self.phase, Phase::Commands);
        let Phase::Chunk(Piece { bytes, last, refusal, .. }) = phase else { return };
        if let Some(refusal) = refusal {
            return self.complain(refusal);
        }
        let pieces = self.pieces();
        if last {
            pieces.checker.end();
        }
        if pieces.failed.is_none() {
            let (violation, disk_failed) = (pieces.checker.violation(), pieces.disk_failed);
            match violation {
                Some(violation @ Violation::BareLineEnd) => return self.refuse_message(violation),
                Some(violation) => self.fail(self.refusal(violation)),
                None if disk_failed => self.fail(disk_full()),
                None => {}
            }
        }
        match (self.failure().cloned(), last) {
            (Some(refusal), true) => self.end_of_message(&refusal),
            (Some(refusal), false) => self.send(&refusal),
            (None, true) => {
                self.outputs.push_back(Output::Store);
                self.phase = Phase::Storing;
            }
            (None, false) => self.send(&Reply::new(250, (0, 0), format!("{bytes} octets taken"))),
        }
    }

    /// Whether the client is about to send more of a message that is taken so far.
    pub(super) fn is_amid_chunks(&self) -> bool {
        let pieces = self.transaction.as_ref().and_then(|begun| begun.pieces.as_ref());
        pieces.is_some_and(|pieces| pieces.failed.is_none())
    }

    /// What is being waited for inside a chunk.
    pub(super) fn wait_for_chunk(&self) -> Wait {
        let placed = matches!(&self.phase, Phase::Chunk(Piece { refusal: None, .. }));
        if placed && self.is_amid_chunks() { Wait::Body } else { Wait::Refused }
    }

    pub(super) fn chunks_on_full_disk(&mut self) {
        if let Some(pieces) = self.transaction.as_mut().and_then(|begun| begun.pieces.as_mut()) {
            pieces.disk_failed = true;
        }
    }

    fn fail(&mut self, refusal: Reply) {
        self.outputs.push_back(Output::Discard);
        self.pieces().failed = Some(refusal);
    }

    fn failure(&self) -> Option<&Reply> {
        self.transaction.as_ref()?.pieces.as_ref()?.failed.as_ref()
    }

    fn pieces(&mut self) -> &mut Pieces {
        self.begun().pieces.as_mut().expect("only a message in chunks comes here")
    }
}
