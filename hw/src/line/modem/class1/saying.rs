//! What goes out: frames of V.21, plain bits of pages and training, and pages in frames.

use std::time::Instant;

use super::{
    Class1, Doing, FRAME_LIMIT, Framed, Last, SEND_LIMIT,
    hdlc::Encoder,
    stuffing::{END, stuff},
};
use crate::{
    line::modem::{at::Answer, dialogue::Out},
    spandsp::{Modulation, Saying, Signal},
};

/// How many bytes of a page go to the port at once.
const PIECE: usize = 512;
/// Set in the second byte of the last frame of a burst (T.30 5.3.5).
const FINAL: u8 = 0x10;
/// Flags before the first frame of a page last a fifth of a second (T.30 annex A).
const PREAMBLE: u32 = 5;
/// Flags behind the last one: the modem may cut the end of what it sends.
const TRAILER: usize = 8;

impl Class1 {
    pub(super) fn opened_say(&mut self, signal: Signal, answer: Answer, line: &str, now: Instant) {
        match answer {
            Answer::Connect(_) => {
                self.refused = 0;
                if signal.modulation == Modulation::V21 {
                    self.send_frame(now);
                } else {
                    let mut encoder = Encoder::default();
                    encoder.flags((signal.bit_rate / (8 * PREAMBLE)) as usize);
                    self.doing = Doing::DataOut { signal, encoder };
                    self.send_data(now);
                }
            }
            Answer::Error | Answer::NoCarrier | Answer::WrongSignal => {
                self.is_refused(line, now);
            }
            // A late result of something before.
            _ => self.doing = Doing::OpeningSay(signal),
        }
    }

    /// Sends the next frame of V.21; the modem waits for it.
    pub(super) fn send_frame(&mut self, now: Instant) {
        let Some(Framed::Frame(frame)) = self.frames.pop_front() else {
            // The engine has nothing to say: the modem gives up by itself.
            self.doing = Doing::FrameOut { last: true };
            self.out.push(Out::Write(END.to_vec()));
            self.limit = Some(now + FRAME_LIMIT);
            return;
        };
        let last = frame.get(1).is_some_and(|control| control & FINAL != 0);
        let mut bytes = stuff(&frame);
        bytes.extend(END);
        self.out.push(Out::Write(bytes));
        self.doing = Doing::FrameOut { last };
        self.limit = Some(now + FRAME_LIMIT);
    }

    pub(super) fn frame_out(&mut self, last: bool, answer: &Answer, line: &str, now: Instant) {
        match answer {
            Answer::Connect(_) if !last => {
                self.step_complete();
                self.send_frame(now);
            }
            Answer::Ok => {
                self.limit = None;
                self.last = Last::Said;
                self.step_complete();
                self.end_frames();
            }
            Answer::Error | Answer::NoCarrier => self.dropped(line, now),
            _ => self.doing = Doing::FrameOut { last },
        }
    }

    /// The modem has ended the signal behind the last frame by itself.
    fn end_frames(&mut self) {
        while matches!(self.frames.front(), Some(Framed::End)) {
            self.frames.pop_front();
            self.step_complete();
        }
    }

    /// Sends the next piece of a page, or of training.
    pub(super) fn send_data(&mut self, now: Instant) {
        let Doing::DataOut { signal, mut encoder } =
            std::mem::replace(&mut self.doing, Doing::DataOutEnded)
        else {
            return;
        };
        let (mut bytes, ended) = if signal.framed {
            let ended = self.fill(signal, &mut encoder);
            (stuff(&encoder.take()), ended)
        } else {
            let (bytes, ended) = self.terminal.get(PIECE);
            (stuff(&bytes), ended)
        };
        if ended {
            bytes.extend(END);
        } else {
            self.doing = Doing::DataOut { signal, encoder };
        }
        self.out.push(Out::Write(bytes));
        self.limit = Some(now + SEND_LIMIT);
    }

    /// Puts frames into the encoder; true when those were the last.
    fn fill(&mut self, signal: Signal, encoder: &mut Encoder) -> bool {
        while encoder.len() < PIECE {
            match self.frames.pop_front() {
                Some(Framed::Frame(frame)) => {
                    encoder.frame(&frame);
                    self.step_complete();
                }
                Some(Framed::End) => {
                    encoder.flags(TRAILER);
                    return true;
                }
                // The engine has gone elsewhere meanwhile.
                None if self.say != Saying::Signal(signal) => return true,
                None => encoder.flags(1),
            }
        }
        false
    }
}
