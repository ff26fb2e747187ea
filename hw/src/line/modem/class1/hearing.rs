//! What comes in: frames of V.21, plain bits of pages and training, and pages in frames.

use std::time::Instant;

use super::{
    Class1, DATA_LIMIT, Doing, FRAME_LIMIT,
    hdlc::{self, Decoder},
    stuffing::{Piece, Unstuffing},
};
use crate::{
    line::modem::at::Answer,
    spandsp::{Heard, Modulation, Signal},
};

/// Longest frame of V.21 that is kept, in bytes (T.30 5.4.2.1 lets none be over 3 s).
const MAX_FRAME: usize = 300;
/// Shortest frame that says anything: address, control, and the command.
const MIN_FRAME: usize = 3;
/// Set in the second byte of the last frame of a burst (T.30 5.3.5).
const FINAL: u8 = 0x10;

impl Class1 {
    /// Takes a byte of the modem.
    pub(super) fn take(&mut self, byte: u8, now: Instant) {
        match &mut self.doing {
            // The carrier went before a frame came: a result in words, where a frame would
            // begin with its address of eight ones.
            Doing::Frame { frame, .. } if frame.is_empty() && matches!(byte, b'\r' | b'\n') => {
                self.doing = Doing::FrameEnded(Vec::new());
            }
            Doing::Frame { frame, unstuffing } => match unstuffing.push(byte) {
                Piece::None => {}
                Piece::One(byte) => keep(frame, &[byte]),
                Piece::Two(one, two) => keep(frame, &[one, two]),
                Piece::End => {
                    let frame = std::mem::take(frame);
                    self.doing = Doing::FrameEnded(frame);
                    self.limit = Some(now + FRAME_LIMIT);
                }
            },
            Doing::Data { signal, unstuffing, decoder } => {
                let signal = *signal;
                let mut frames = Vec::new();
                let bytes: &[u8] = match unstuffing.push(byte) {
                    Piece::None => &[],
                    Piece::One(byte) => &[byte],
                    Piece::Two(one, two) => &[one, two],
                    Piece::End => {
                        self.doing = Doing::DataEnded;
                        self.limit = Some(now + DATA_LIMIT);
                        return;
                    }
                };
                self.limit = Some(now + DATA_LIMIT);
                if signal.framed {
                    bytes.iter().for_each(|byte| decoder.push(*byte, &mut frames));
                    for frame in frames {
                        self.terminal.frame(&frame.bytes, frame.good);
                        self.listen_to_engine();
                    }
                } else {
                    self.terminal.put(bytes);
                }
            }
            _ => {
                if let Some(line) = self.lines.push(byte) {
                    self.line(&line, now);
                }
            }
        }
    }

    /// What plain bits have brought the engine to.
    pub(super) fn flush_data(&mut self, _now: Instant) {
        self.listen_to_engine();
    }

    pub(super) fn opened_hear(
        &mut self,
        signal: Signal,
        answer: &Answer,
        line: &str,
        now: Instant,
    ) {
        match answer {
            Answer::Connect(_) if signal.modulation == Modulation::V21 => self.hear_frames(now),
            Answer::Connect(_) => {
                self.refused = 0;
                self.carrier_up(signal.framed);
                if signal.framed {
                    self.heard(Heard::CarrierUp, true);
                }
                self.heard(Heard::Trained, signal.framed);
                if signal.framed {
                    self.heard(Heard::Framing, true);
                }
                let (unstuffing, decoder) = (Unstuffing::default(), Decoder::default());
                self.doing = Doing::Data { signal, unstuffing, decoder };
                self.limit = Some(now + DATA_LIMIT);
            }
            // V.21 where a page was awaited: a command is repeated.
            Answer::WrongSignal | Answer::FramesInstead => {
                self.refused = 0;
                let v21 = Signal {
                    modulation: Modulation::V21,
                    bit_rate: 300,
                    short: false,
                    framed: true,
                };
                self.carrier = Some(true);
                if *answer == Answer::WrongSignal {
                    self.open_hear(v21, now);
                } else {
                    self.doing = Doing::OpeningHear(v21);
                }
            }
            Answer::NoCarrier | Answer::Ok => {
                self.limit = None;
                if self.carrier.is_some() {
                    self.carrier_down();
                } else {
                    self.doing = Doing::Resting;
                    self.limit = Some(now + super::REFUSED_PAUSE);
                }
            }
            Answer::Error => {
                if self.is_refused(line, now) {
                    self.carrier_down();
                }
            }
            _ => self.doing = Doing::OpeningHear(signal),
        }
    }

    pub(super) fn frame_ended(&mut self, mut frame: Vec<u8>, answer: &Answer) {
        let good = match answer {
            Answer::Ok => true,
            Answer::Error | Answer::NoCarrier => false,
            _ => {
                self.doing = Doing::FrameEnded(frame);
                return;
            }
        };
        self.limit = None;
        // Modems give the check sequence with the frame (T.31); one that does not is known
        // by a frame that is good without it.
        if !good || hdlc::is_good(&frame) {
            frame.truncate(frame.len().saturating_sub(2));
        }
        let last = good && frame.get(1).is_some_and(|control| control & FINAL != 0);
        if frame.len() >= MIN_FRAME {
            self.terminal.frame(&frame, good);
            self.listen_to_engine();
        }
        if last || *answer == Answer::NoCarrier {
            self.carrier_down();
        }
    }

    pub(super) fn data_ended(&mut self, answer: &Answer) {
        match answer {
            Answer::NoCarrier | Answer::Ok | Answer::Error => {
                self.limit = None;
                self.carrier_down();
            }
            _ => self.doing = Doing::DataEnded,
        }
    }
}

fn keep(frame: &mut Vec<u8>, bytes: &[u8]) {
    if frame.len() < MAX_FRAME {
        frame.extend(bytes);
    }
}
