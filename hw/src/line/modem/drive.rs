//! One call: a dialogue, the port, and the limits that hold whatever either of them does.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    dialogue::{Dialogue, Out},
    port::{Port, PortError},
};
use crate::line::call::{Ended, Step};

/// How often it is asked whether the call shall end.
const LOOK: Duration = Duration::from_millis(200);
/// How many bytes are read at once: at 115,200 bit/s less than the engine's tick brings.
const READ: usize = 512;
/// How long a call may last that is never connected, beyond what the dialogue allows.
const SETUP_LIMIT: Duration = Duration::from_secs(5 * 60);

/// What a call needs of its surroundings.
pub(super) struct Surroundings<'a> {
    /// Takes its steps; it may block.
    pub(super) tell: &'a mut dyn FnMut(Step),
    /// Whether the call shall end.
    pub(super) stopped: &'a dyn Fn() -> bool,
    /// How long it may last once it is answered.
    pub(super) limit: Duration,
}

/// Drives a dialogue to its end. The port may be gone afterwards.
pub(super) fn drive(
    port: &mut Port,
    dialogue: &mut dyn Dialogue,
    around: &mut Surroundings<'_>,
) -> (Ended, Result<(), PortError>) {
    let mut call = Call {
        port,
        dialogue,
        waiting: VecDeque::new(),
        wrote: false,
        ended: None,
        cut_at: Instant::now() + SETUP_LIMIT,
        told_to_stop: false,
    };
    let result = call.run(around);
    let now = Instant::now();
    let ended = call.ended.take().unwrap_or_else(|| call.dialogue.lost(now));
    // The last bytes, such as those that give a call up, as far as they go at once.
    if result.is_ok() {
        call.write().ok();
    }
    (ended, result)
}

struct Call<'a> {
    port: &'a mut Port,
    dialogue: &'a mut dyn Dialogue,
    waiting: VecDeque<u8>,
    wrote: bool,
    ended: Option<Ended>,
    cut_at: Instant,
    told_to_stop: bool,
}

impl Call<'_> {
    fn run(&mut self, around: &mut Surroundings<'_>) -> Result<(), PortError> {
        let outs = self.dialogue.begin(Instant::now());
        self.obey(outs, around);
        let mut buffer = [0; READ];
        while self.ended.is_none() {
            self.write()?;
            if self.waiting.is_empty() && std::mem::take(&mut self.wrote) {
                let outs = self.dialogue.drained(Instant::now());
                self.obey(outs, around);
                continue;
            }
            let now = Instant::now();
            if now >= self.cut_at {
                return Ok(());
            }
            if !self.told_to_stop && (around.stopped)() {
                self.told_to_stop = true;
                let outs = self.dialogue.stop(now);
                self.obey(outs, around);
                continue;
            }
            let deadline = self.dialogue.deadline();
            if deadline.is_some_and(|at| at <= now) {
                let outs = self.dialogue.timeout(now);
                self.obey(outs, around);
                continue;
            }
            let until = deadline.map_or(now + LOOK, |at| at.min(now + LOOK)).min(self.cut_at);
            let ready = self.port.wait(!self.waiting.is_empty(), None, Some(until))?;
            if ready.read {
                let count = self.port.read(&mut buffer)?;
                if count > 0 {
                    let outs = self.dialogue.input(&buffer[..count], Instant::now());
                    self.obey(outs, around);
                }
            }
        }
        Ok(())
    }

    fn obey(&mut self, outs: Vec<Out>, around: &mut Surroundings<'_>) {
        for out in outs {
            match out {
                Out::Write(bytes) => {
                    self.wrote = true;
                    self.waiting.extend(bytes);
                }
                Out::Step(step) => {
                    if step == Step::Connected {
                        self.cut_at = Instant::now() + around.limit;
                    }
                    (around.tell)(step);
                }
                Out::Ended(ended) => self.ended = Some(ended),
            }
        }
    }

    fn write(&mut self) -> Result<(), PortError> {
        while !self.waiting.is_empty() {
            let (bytes, _) = self.waiting.as_slices();
            match self.port.write(bytes)? {
                0 => break,
                count => drop(self.waiting.drain(..count)),
            }
        }
        Ok(())
    }
}
