//! The rules that hold for every message, however it comes: how large it is, how long
//! its lines are, and the worst that was found in it so far.

/// What bounds one message. All sizes in octets.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Largest message, with its CRLFs and without stuffed dots.
    pub max_message_bytes: u64,
    /// Longest line, with its CRLF.
    pub max_line_bytes: usize,
    /// How much of a message that is refused already is still read.
    pub max_discard_bytes: u64,
}

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// It is larger than allowed.
    TooLarge,
    /// A line is longer than allowed.
    LineTooLong,
    /// It holds a NUL.
    Nul,
    /// It holds a CR or a LF that is not part of a CRLF: the sign of an attempt to
    /// smuggle a second message, and worse than all others.
    BareLineEnd,
}

/// Counts one message.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) bounds: Bounds,
    pub(super) size: u64,
    pub(super) violation: Option<Violation>,
    line: usize,
}

impl Tally {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, size: 0, violation: None, line: 0 }
    }

    /// Takes octets of a line, and gives them on as long as nothing is wrong.
    pub(super) fn keep(&mut self, octets: &[u8], body: &mut Vec<u8>) {
        self.line += octets.len();
        if self.line > self.bounds.max_line_bytes {
            self.blame(Violation::LineTooLong);
        }
        self.keep_any(octets, body);
    }

    /// Takes octets that are in no line.
    pub(super) fn keep_any(&mut self, octets: &[u8], body: &mut Vec<u8>) {
        self.size += octets.len() as u64;
        if self.size > self.bounds.max_message_bytes {
            self.blame(Violation::TooLarge);
        }
        if self.violation.is_none() {
            body.extend_from_slice(octets);
        }
    }

    pub(super) fn end_line(&mut self, body: &mut Vec<u8>) {
        self.keep(b"\r\n", body);
        self.line = 0;
    }

    pub(super) fn blame(&mut self, violation: Violation) {
        self.violation = self.violation.max(Some(violation));
    }
}
