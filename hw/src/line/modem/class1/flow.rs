//! What the engine wants, and what the modem is told for it; what the modem's lines mean.

use std::time::Instant;

use postfax_domain::outcome::Outcome;

use super::{
    ABORT_LIMIT, BURST_LIMIT, COMMAND_LIMIT, Class1, Doing, FRAME_LIMIT, Framed, Last,
    MOST_REFUSED, REFUSED_PAUSE, SILENCE_LIMIT, Way,
    stuffing::{CANCEL, Unstuffing},
};
use crate::{
    line::{
        call::{Ended, Step},
        modem::{at::Answer, dialogue::Out},
    },
    spandsp::{Heard, Modulation, Saying, Signal, Want},
};

/// Silence before we speak again, and silence of the other side that we wait for, in
/// hundredths of a second: 75 ms, and the modem takes a little itself (T.30 5.3.2.2).
const GAP: &str = "AT+FTS=7";
const HUSH: &str = "AT+FRS=7";

impl Class1 {
    /// Fetches what the engine wants and what it told.
    pub(super) fn listen_to_engine(&mut self) {
        for want in self.terminal.take_wants() {
            match want {
                Want::Hear(signal) => self.hear = signal,
                Want::Say(saying) => self.say = saying,
                Want::Frame(frame) => self.frames.push_back(Framed::Frame(frame)),
                Want::FramesEnd => self.frames.push_back(Framed::End),
            }
        }
        for frame in self.terminal.engine_mut().take_frames() {
            if let Some(step) = self.progress.count(frame, self.terminal.engine()) {
                self.out.push(Out::Step(step));
            }
        }
    }

    /// Brings the modem to what the engine wants.
    pub(super) fn reconcile(&mut self, now: Instant) {
        match self.doing {
            Doing::Idle => self.go_on(now),
            Doing::OpeningHear(signal) if !self.is_wanted(signal) => self.abort(now),
            // A carrier that is there is waited for, unless the engine has lost patience.
            Doing::Frame { .. } | Doing::Data { .. } if self.say != Saying::Nothing => {
                self.abort(now);
            }
            _ => {}
        }
    }

    fn is_wanted(&self, signal: Signal) -> bool {
        // Frames of V.21 may stand in for a page.
        let stands_in = signal.modulation == Modulation::V21 && self.carrier.is_some();
        self.say == Saying::Nothing && (stands_in || self.hear == Some(signal))
    }

    fn go_on(&mut self, now: Instant) {
        match self.say {
            Saying::Done => {
                let ended = self.settle("", None, now);
                self.end(ended);
            }
            Saying::Pause(time) => {
                self.doing = Doing::Pause;
                self.limit = Some(now + time);
            }
            Saying::Signal(signal) if !signal.framed || !self.frames.is_empty() => {
                self.open_say(signal, now);
            }
            Saying::Nothing => {
                if let Some(signal) = self.hear {
                    self.open_hear(signal, now);
                }
            }
            Saying::Signal(_) | Saying::AnswerTone | Saying::CallingTone => {}
        }
    }

    fn open_say(&mut self, signal: Signal, now: Instant) {
        match std::mem::replace(&mut self.last, Last::Nothing) {
            Last::Nothing => {
                let command = match signal.modulation {
                    Modulation::V21 => "AT+FTH=3".to_owned(),
                    _ => format!("AT+FTM={}", code(signal)),
                };
                self.doing = Doing::OpeningSay(signal);
                self.command(&command, COMMAND_LIMIT, now);
            }
            Last::Said => {
                self.doing = Doing::Gap(signal);
                self.command(GAP, SILENCE_LIMIT, now);
            }
            Last::Heard => {
                self.doing = Doing::Gap(signal);
                self.command(HUSH, SILENCE_LIMIT, now);
            }
        }
    }

    pub(super) fn open_hear(&mut self, signal: Signal, now: Instant) {
        let command = match signal.modulation {
            Modulation::V21 => "AT+FRH=3".to_owned(),
            _ => format!("AT+FRM={}", code(signal)),
        };
        self.doing = Doing::OpeningHear(signal);
        self.command(&command, BURST_LIMIT, now);
        if self.carrier.is_none() {
            // The engine's own timers know how long to wait.
            self.limit = None;
        }
    }

    pub(super) fn abort(&mut self, now: Instant) {
        self.lines.clear();
        self.out.push(Out::Write(vec![CANCEL]));
        self.doing = Doing::Aborting(1);
        self.limit = Some(now + ABORT_LIMIT);
        self.last = Last::Heard;
    }

    /// A state has lasted too long.
    pub(super) fn too_long(&mut self, now: Instant) {
        match self.doing {
            Doing::Idle => {}
            Doing::Resting => self.doing = Doing::Idle,
            Doing::Setup => self.never_connected(now),
            Doing::Gap(_) => {
                // It is not silent: then be it so. A byte ends the waiting.
                self.abort(now);
                self.last = Last::Nothing;
            }
            Doing::OpeningSay(_) => self.stuck("the modem does not answer", now),
            Doing::OpeningHear(_) | Doing::Frame { .. } | Doing::Data { .. } => {
                self.carrier_down();
                self.abort(now);
            }
            Doing::FrameEnded(_) | Doing::DataEnded => {
                self.carrier_down();
                self.doing = Doing::Idle;
            }
            Doing::FrameOut { .. } | Doing::DataOut { .. } | Doing::DataOutEnded => {
                self.stuck("the modem takes no data", now);
            }
            Doing::Aborting(1) => {
                self.command("AT", ABORT_LIMIT, now);
                self.doing = Doing::Aborting(2);
            }
            Doing::Aborting(_) => self.stuck("the modem does not stop listening", now),
            Doing::Pause => {
                self.doing = Doing::Idle;
                self.step_complete();
            }
        }
    }

    fn never_connected(&mut self, now: Instant) {
        let outcome = match self.way {
            Way::Dial(_, _) => {
                self.out.push(Out::Write(b"\r".to_vec()));
                if self.rings { Outcome::NoAnswer } else { Outcome::NoFaxMachine }
            }
            Way::Answer(_) => Outcome::NoHandshake,
        };
        let ended = self.settle("no fax machine was heard in time", Some(outcome), now);
        self.end(ended);
    }

    pub(super) fn step_complete(&mut self) {
        self.terminal.step_complete();
        self.listen_to_engine();
    }

    pub(super) fn heard(&mut self, what: Heard, framed: bool) {
        self.terminal.heard(what, framed);
        self.listen_to_engine();
    }

    pub(super) fn carrier_up(&mut self, framed: bool) {
        self.carrier = Some(framed);
        self.last = Last::Heard;
    }

    pub(super) fn carrier_down(&mut self) {
        if let Some(framed) = self.carrier.take() {
            self.heard(Heard::CarrierDown, framed);
        }
    }

    /// A line of the modem.
    pub(super) fn line(&mut self, line: &str, now: Instant) {
        let answer = Answer::of(line);
        if matches!(answer, Answer::Other(_) | Answer::Caller(_)) {
            return;
        }
        match std::mem::replace(&mut self.doing, Doing::Idle) {
            Doing::Setup => self.set_up(answer, line, now),
            Doing::Gap(signal) => match answer {
                Answer::Ok | Answer::NoCarrier | Answer::Error => {
                    self.last = Last::Nothing;
                    self.limit = None;
                    self.open_say(signal, now);
                }
                _ => self.doing = Doing::Gap(signal),
            },
            Doing::OpeningSay(signal) => self.opened_say(signal, answer, line, now),
            Doing::OpeningHear(signal) => self.opened_hear(signal, &answer, line, now),
            Doing::FrameEnded(frame) => self.frame_ended(frame, &answer),
            Doing::DataEnded => self.data_ended(&answer),
            Doing::FrameOut { last } => self.frame_out(last, &answer, line, now),
            doing @ Doing::DataOut { .. } => match answer {
                Answer::Ok | Answer::Error | Answer::NoCarrier => self.dropped(line, now),
                _ => self.doing = doing,
            },
            Doing::DataOutEnded => match answer {
                Answer::Ok => {
                    self.limit = None;
                    self.last = Last::Said;
                    self.step_complete();
                }
                Answer::Error | Answer::NoCarrier => self.dropped(line, now),
                _ => self.doing = Doing::DataOutEnded,
            },
            Doing::Aborting(times) => match answer {
                Answer::Ok | Answer::Error => {
                    self.limit = None;
                    self.carrier_down();
                }
                _ => self.doing = Doing::Aborting(times),
            },
            doing @ (Doing::Idle | Doing::Resting | Doing::Pause) => self.doing = doing,
            doing @ (Doing::Frame { .. } | Doing::Data { .. }) => self.doing = doing,
        }
    }

    /// The modem refused. A few times that is a matter of the moment, then the line is dead.
    pub(super) fn is_refused(&mut self, line: &str, now: Instant) -> bool {
        self.refused += 1;
        if self.refused >= MOST_REFUSED {
            self.dropped(line, now);
            return false;
        }
        self.doing = Doing::Resting;
        self.limit = Some(now + REFUSED_PAUSE);
        true
    }

    fn set_up(&mut self, answer: Answer, line: &str, now: Instant) {
        let outcome = match answer {
            Answer::Connect(speed) if speed.is_empty() || speed.contains("FAX") => {
                return self.connect(now);
            }
            Answer::Connect(_) => Outcome::DataModem,
            Answer::Ringing => {
                self.doing = Doing::Setup;
                if !std::mem::replace(&mut self.rings, true) {
                    self.out.push(Out::Step(Step::Ringing));
                }
                return;
            }
            Answer::Ring(_) if matches!(self.way, Way::Answer(_)) => {
                self.doing = Doing::Setup;
                return;
            }
            Answer::Ring(_) => Outcome::LinesBusy,
            Answer::Busy => Outcome::Busy,
            Answer::Unanswered => Outcome::NoAnswer,
            Answer::NoDialTone => Outcome::NoDialTone,
            Answer::Refused => Outcome::ModemRefused,
            Answer::NoCarrier => self.no_carrier(now),
            Answer::Error if matches!(self.way, Way::Dial(_, _)) => Outcome::BadDialString,
            Answer::Error => Outcome::Disconnected,
            Answer::Voice | Answer::WrongSignal => Outcome::NoFaxMachine,
            _ => {
                self.doing = Doing::Setup;
                return;
            }
        };
        self.end(Ended::failed(outcome, line));
    }

    /// `NO CARRIER` instead of a connection: the network refuses quickly, a person who says
    /// hello takes time.
    fn no_carrier(&self, now: Instant) -> Outcome {
        let Way::Dial(_, limit) = self.way else { return Outcome::Disconnected };
        let began = self.limit.map_or(now, |end| end - limit);
        if self.rings {
            Outcome::NoAnswer
        } else if now.saturating_duration_since(began) < super::QUICK {
            Outcome::Congestion
        } else {
            Outcome::NoFaxMachine
        }
    }

    fn connect(&mut self, now: Instant) {
        self.connected = Some(now);
        self.ticked = now;
        self.out.push(Out::Step(Step::Connected));
        match self.way {
            // The modem is in `+FRH=3` already, as T.31 has it.
            Way::Dial(_, _) => self.hear_frames(now),
            // And here it is in `+FTH=3`, behind its tone.
            Way::Answer(_) => {
                self.step_complete();
                self.send_frame(now);
            }
        }
    }

    /// Frames of V.21 begin.
    pub(super) fn hear_frames(&mut self, now: Instant) {
        self.refused = 0;
        self.carrier_up(true);
        self.heard(Heard::CarrierUp, true);
        self.heard(Heard::Framing, true);
        let unstuffing = Unstuffing::default();
        self.doing = Doing::Frame { frame: Vec::new(), unstuffing };
        self.limit = Some(now + FRAME_LIMIT);
    }
}

/// The number of a signal of page data (T.31).
fn code(signal: Signal) -> u32 {
    let hundreds = signal.bit_rate / 100;
    match signal.modulation {
        // 72 is V.29: V.17 has the next two numbers, for its long and its short training.
        Modulation::V17 => hundreds + 1 + u32::from(signal.short),
        Modulation::V21 => 3,
        Modulation::V27ter | Modulation::V29 => hundreds,
    }
}
