//! Bytes from a modem as lines, or as the data of a page. Nothing that comes can make it
//! grow beyond its limits.

use super::dialect::PageEnd;

/// Longest line in bytes; what is beyond is dropped.
const MAX_LINE: usize = 256;
/// Largest page in bytes: 30 minutes at 33,600 bit/s.
pub(super) const MAX_PAGE: usize = 8 << 20;
pub(super) const DLE: u8 = 0x10;
pub(super) const ETX: u8 = 0x03;
pub(super) const CAN: u8 = 0x18;
const XON: u8 = 0x11;
const SUB: u8 = 0x1A;

/// Something whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A line that is not empty, without its end.
    Line(String),
    /// The modem wants page data.
    Xon,
    /// The modem wants no more page data.
    Cancel,
}

/// Puts lines together.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// Takes a byte.
    pub(super) fn push(&mut self, byte: u8) -> Option<Piece> {
        match byte {
            b'\r' | b'\n' => {
                let line = std::mem::take(&mut self.0);
                let line = String::from_utf8_lossy(&line).trim().to_owned();
                (!line.is_empty()).then_some(Piece::Line(line))
            }
            XON => Some(Piece::Xon),
            CAN => Some(Piece::Cancel),
            // Of other control characters none means anything between lines.
            0..b' ' | 0x7F => None,
            _ => {
                if self.0.len() < MAX_LINE {
                    self.0.push(byte);
                }
                None
            }
        }
    }
}

/// The data of a page as the modem gives it: with DLE before what is no data.
#[derive(Debug, Default)]
pub(super) struct Data {
    bytes: Vec<u8>,
    escaped: bool,
}

/// Where the data of a page stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    /// It goes on.
    Yes,
    /// DLE ETX came.
    Ended,
    /// It is larger than any page.
    TooMuch,
}

impl Data {
    /// Takes a byte.
    pub(super) fn push(&mut self, byte: u8) -> More {
        if self.bytes.len() > MAX_PAGE {
            return More::TooMuch;
        }
        if !std::mem::take(&mut self.escaped) {
            match byte {
                DLE => self.escaped = true,
                _ => self.bytes.push(byte),
            }
            return More::Yes;
        }
        match byte {
            DLE => self.bytes.push(DLE),
            ETX => return More::Ended,
            // T.32 8.4.3: two of them in one.
            SUB => self.bytes.extend([DLE, DLE]),
            // Anything else is a command that we do not know, and no data.
            _ => {}
        }
        More::Yes
    }

    /// Whether nothing has come yet.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.escaped
    }

    /// What came.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.escaped = false;
        std::mem::take(&mut self.bytes)
    }
}

/// What comes after a page, as a sender says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// MPS: another page.
    Page,
    /// EOM: another page of another format.
    Document,
    /// EOP: nothing.
    Nothing,
}

impl After {
    /// The number that `+FET` has for it.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Page => 0,
            Self::Document => 1,
            Self::Nothing => 2,
        }
    }

    /// What ends the data of a page before it.
    pub(super) fn end(self, end: PageEnd) -> [u8; 2] {
        let character = match (end, self) {
            (PageEnd::Command, _) => ETX,
            (PageEnd::Character, Self::Page) => b',',
            (PageEnd::Character, Self::Document) => b';',
            (PageEnd::Character, Self::Nothing) => b'.',
        };
        [DLE, character]
    }
}

/// Doubles every DLE.
pub(super) fn stuffed(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + data.len() / 128 + 2);
    for byte in data {
        out.push(*byte);
        if *byte == DLE {
            out.push(DLE);
        }
    }
    out
}
