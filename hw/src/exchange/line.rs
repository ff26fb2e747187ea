//! A telephone line: what passes over it, and how long that takes. It knows nothing of
//! what is at its ends.

use std::collections::VecDeque;

use crate::spandsp::{Block, SILENCE};

/// How long the line takes in each direction: with none, Class 1 software races.
const LINE_DELAY: usize = 4;
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
