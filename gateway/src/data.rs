//! The end-of-data decoder (RFC 5321 4.1.1.4, 4.5.2): finds the one true end of
//! a message, takes the stuffed dots out, and remembers what was wrong with it.
//! A state machine over octets: it neither reads nor writes, and it never ends a
//! message at anything but CRLF "." CRLF, so that two servers in a row cannot
//! disagree about where a message ends.
//!
//! ```text
//!  LineStart ──"."──▶ Dot ──CR──▶ DotCr ──LF──▶ the end
//!   ▲   │ other        │ other      │ other: a bare CR
//!   │   ▼              ▼            ▼
//!   │  Text ◀──────────┴────────────┘
//!   │   │ CR
//!   └─LF┴ Cr ── other: a bare CR ──▶ Text
//! ```

mod chunks;
mod tally;

pub use chunks::{Chunks, Octets};
use tally::Tally;
pub use tally::{Bounds, Violation};

/// Reads one message.
#[derive(Debug)]
pub struct Decoder {
    tally: Tally,
    state: State,
    discarded: u64,
}

/// How far the decoder has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All input was taken, the end was not seen.
    More,
    /// The end; this many octets of the input belong to the message, the others follow it.
    End(usize),
    /// More was discarded than is bearable: close without looking for the end.
    GiveUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    LineStart,
    Dot,
    DotCr,
    Text,
    Cr,
}

impl Decoder {
    /// A decoder for the octets after the DATA command, whose own CRLF counts as
    /// the first half of an end.
    pub fn new(bounds: Bounds) -> Self {
        Self { tally: Tally::new(bounds), state: State::LineStart, discarded: 0 }
    }

    /// The worst that was found so far.
    pub fn violation(&self) -> Option<Violation> {
        self.tally.violation
    }

    /// The size of the message so far, in octets.
    pub fn size(&self) -> u64 {
        self.tally.size
    }

    /// Takes octets and appends the message's own to `body`, as long as nothing
    /// is wrong with it.
    pub fn feed(&mut self, input: &[u8], body: &mut Vec<u8>) -> Progress {
        let mut at = 0;
        while at < input.len() {
            if self.state == State::Text {
                at += self.text(&input[at..], body);
                if at == input.len() {
                    break;
                }
            }
            let byte = input[at];
            at += 1;
            if self.step(byte, body) {
                return Progress::End(at);
            }
        }
        if self.tally.violation.is_some() {
            self.discarded += input.len() as u64;
        }
        match self.discarded > self.tally.bounds.max_discard_bytes {
            true => Progress::GiveUp,
            false => Progress::More,
        }
    }

    /// Takes the run of ordinary octets at the front of the input.
    fn text(&mut self, input: &[u8], body: &mut Vec<u8>) -> usize {
        let special = |b: &u8| matches!(b, b'\r' | b'\n' | 0);
        let run = input.iter().position(special).unwrap_or(input.len());
        self.tally.keep(&input[..run], body);
        run
    }

    /// Takes one octet; true if it is the last of the message.
    fn step(&mut self, byte: u8, body: &mut Vec<u8>) -> bool {
        match (self.state, byte) {
            (State::DotCr, b'\n') => return true,
            (State::Cr, b'\n') => {
                self.tally.end_line(body);
                self.state = State::LineStart;
                return false;
            }
            (State::DotCr | State::Cr, _) => self.tally.blame(Violation::BareLineEnd),
            _ => {}
        }
        self.state = match (self.state, byte) {
            (State::LineStart, b'.') => State::Dot,
            (State::Dot, b'\r') => State::DotCr,
            (_, b'\r') => State::Cr,
            (_, b'\n') => {
                self.tally.blame(Violation::BareLineEnd);
                State::Text
            }
            (_, 0) => {
                self.tally.blame(Violation::Nul);
                State::Text
            }
            _ => {
                self.tally.keep(&[byte], body);
                State::Text
            }
        };
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOUNDS: Bounds =
        Bounds { max_message_bytes: 1000, max_line_bytes: 100, max_discard_bytes: 5000 };

    /// What a decoder made of an input that was fed in the given pieces.
    #[derive(Debug, PartialEq)]
    struct Read {
        end: Option<usize>,
        body: Vec<u8>,
        violation: Option<Violation>,
    }

    fn read(pieces: &[&[u8]]) -> Read {
        let mut decoder = Decoder::new(BOUNDS);
        let (mut body, mut before) = (Vec::new(), 0);
        for piece in pieces {
            if let Progress::End(taken) = decoder.feed(piece, &mut body) {
                let end = Some(before + taken);
                return Read { end, body, violation: decoder.violation() };
            }
            before += piece.len();
        }
        Read { end: None, body, violation: decoder.violation() }
    }

    /// The same by searching the whole text, as the RFC words it.
    fn reference(input: &[u8]) -> (Option<usize>, Option<Vec<u8>>) {
        let with_command = [b"\r\n", input].concat();
        let end = with_command.windows(5).position(|w| w == b"\r\n.\r\n");
        let text = &with_command[..end.map_or(with_command.len(), |at| at + 2)];
        let bare = (0..text.len()).any(|at| match text[at] {
            b'\n' => at == 0 || text[at - 1] != b'\r',
            b'\r' => text.get(at + 1).is_some_and(|b| *b != b'\n'),
            _ => false,
        });
        let mut body = Vec::new();
        for at in 2..text.len() {
            let stuffed = text[at] == b'.' && text[at - 2..at] == *b"\r\n";
            if !stuffed {
                body.push(text[at]);
            }
        }
        (end.map(|at| at + 3), (!bare).then_some(body))
    }

    #[test]
    fn ordinary_messages() {
        for (input, body) in [
            (&b".\r\n"[..], &b""[..]),
            (b"a\r\n.\r\n", b"a\r\n"),
            (b"..\r\n.\r\n", b".\r\n"),
            (b".a\r\n...\r\n.\r\n", b"a\r\n..\r\n"),
            (b"\r\n\r\n.\r\n", b"\r\n\r\n"),
            (b"a.\r\n.\r\n", b"a.\r\n"),
        ] {
            let read = read(&[input]);
            assert_eq!((read.end, read.violation), (Some(input.len()), None), "{input:?}");
            assert_eq!(read.body, body);
        }
    }

    /// Every way to write "line end, dot, line end" with CR, LF and CRLF and nothing,
    /// split at every position: only one of them ends a message.
    #[test]
    fn every_smuggling_form_at_every_split() {
        let ends: [&[u8]; 8] =
            [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r", b"\n\n", b"\r\0\n"];
        for before in ends {
            for after in ends {
                let forged = b"MAIL FROM:<evil@x>\r\n";
                let head = [b"text", before, b".", after].concat();
                let input = [&head, &forged[..], b"\r\n.\r\n"].concat();
                let whole = read(&[&input]);
                let honest = before.ends_with(b"\r\n") && after == b"\r\n";
                if honest {
                    assert_eq!(whole.end, Some(head.len()), "{before:?} {after:?}");
                } else {
                    let after_dot = before.ends_with(b"\r\n") && after.starts_with(b"\r\n");
                    let expected = if after_dot { 4 + before.len() + 3 } else { input.len() };
                    assert_eq!(whole.end, Some(expected), "{before:?} {after:?}");
                    if !after_dot {
                        assert_eq!(whole.violation, Some(Violation::BareLineEnd));
                    }
                }
                for split in 0..input.len() {
                    assert_eq!(read(&[&input[..split], &input[split..]]), whole);
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_is_remembered() {
        assert_eq!(read(&[b"a\0b\r\n.\r\n"]).violation, Some(Violation::Nul));
        let long = [&[b'x'; 101][..], b"\r\n.\r\n"].concat();
        assert_eq!(read(&[&long]).violation, Some(Violation::LineTooLong));
        let large = [b"0123456789abcdef\r\n".repeat(60), b".\r\n".to_vec()].concat();
        let refused = read(&[&large]);
        assert_eq!(refused.violation, Some(Violation::TooLarge));
        assert_eq!(refused.end, Some(large.len()));
        assert!(refused.body.len() <= 1000);
        let both = [b"\n".to_vec(), large].concat();
        assert_eq!(read(&[&both]).violation, Some(Violation::BareLineEnd));
    }

    #[test]
    fn a_refused_message_is_not_read_for_ever() {
        let mut decoder = Decoder::new(BOUNDS);
        let mut body = Vec::new();
        assert_eq!(decoder.feed(b"\n", &mut body), Progress::More);
        assert_eq!(decoder.feed(&[b'x'; 4000], &mut body), Progress::More);
        assert_eq!(decoder.feed(&[b'x'; 4000], &mut body), Progress::GiveUp);
    }

    #[test]
    fn the_size_counts_crlf_and_not_stuffing() {
        let mut decoder = Decoder::new(BOUNDS);
        decoder.feed(b"..ab\r\n.\r\n", &mut Vec::new());
        assert_eq!(decoder.size(), 5);
    }

    fn octets() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => Just(&b"\r\n"[..]), 3 => Just(&b"."[..]), 2 => Just(&b"\r"[..]),
            2 => Just(&b"\n"[..]), 3 => Just(&b"a"[..]), 1 => Just(&b"\r\n.\r\n"[..]),
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn ends_if_and_only_if_crlf_dot_crlf_whatever_the_split(
            input in octets(),
            splits in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            let mut cuts: Vec<usize> = splits.iter().map(|i| i.index(input.len() + 1)).collect();
            cuts.extend([0, input.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &input[w[0]..w[1]]).collect();
            let read = read(&pieces);
            let (end, body) = reference(&input);
            prop_assert_eq!(read.end, end);
            if end.is_some() {
                prop_assert_eq!(read.violation.is_none(), body.is_some());
                if let Some(body) = body {
                    prop_assert_eq!(read.body, body);
                }
            }
        }
    }
}
