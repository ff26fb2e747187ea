//! A telephone line: what passes over it, and how long that takes. It knows nothing of
//! what is at its ends.

use std::collections::VecDeque;

/// How long the line takes in each direction: with none, Class 1 software races.
const LINE_DELAY: usize = 4;
/// Samples of a block: 20 ms at 8,000 samples a second.
pub(super) const BLOCK: usize = 160;
/// One block of audio.
pub(super) type Block = [i16; BLOCK];
/// Silence.
pub(super) const SILENCE: Block = [0; BLOCK];

/// What a modem's program asked the line for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// Dial this, as the program wrote it.
    Dial(String),
    /// Answer the call that rings.
    Answer,
    /// Hang up.
    HangUp,
}

/// What happened on a modem's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum LineEvent {
    /// The telephone rings.
    Ring = 1,
    /// The call that was dialled was answered.
    Connected = 2,
    /// We answered the call that rang.
    Answered = 3,
    /// Busy tone.
    Busy = 4,
    /// No dial tone.
    NoDialTone = 5,
    /// Nobody answered.
    NoAnswer = 6,
    /// The other side is gone.
    HungUp = 7,
}

/// One direction of the line.
#[derive(Debug)]
pub(super) struct Line(VecDeque<Block>);

impl Default for Line {
    fn default() -> Self {
        Self(std::iter::repeat_n(SILENCE, LINE_DELAY).collect())
    }
}

impl Line {
    /// Takes a block in at one end and gives one out at the other.
    pub(super) fn pass(&mut self, block: Block) -> Block {
        self.0.push_back(block);
        self.0.pop_front().unwrap_or(SILENCE)
    }
}
