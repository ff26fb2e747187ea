//! A message that comes in chunks (RFC 3030): its end is counted, not sought, and no
//! dot is stuffed. Its text obeys the rules of any other text all the same, across
//! the borders of chunks, because it may be sent on to somebody who seeks an end.

use super::{Bounds, Tally, Violation};

/// What the octets of a message may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Octets {
    /// Lines, each with its CRLF, and no NUL.
    Text,
    /// Anything (BODY=BINARYMIME, RFC 3030 3).
    Any,
}

/// Checks one message, chunk by chunk.
#[derive(Debug)]
pub struct Chunks {
    tally: Tally,
    octets: Octets,
    /// Whether the last octet was a CR that waits for its LF.
    after_cr: bool,
}

impl Chunks {
    /// Nothing has come yet.
    pub fn new(bounds: Bounds, octets: Octets) -> Self {
        Self { tally: Tally::new(bounds), octets, after_cr: false }
    }

    /// The worst that was found so far.
    pub fn violation(&self) -> Option<Violation> {
        self.tally.violation
    }

    /// Whether the message may grow by so many octets.
    pub fn has_room_for(&self, bytes: u64) -> bool {
        let so_far = self.tally.size + u64::from(self.after_cr);
        so_far.saturating_add(bytes) <= self.tally.bounds.max_message_bytes
    }

    /// Takes octets and appends them to `body`, as long as nothing is wrong with them.
    pub fn feed(&mut self, input: &[u8], body: &mut Vec<u8>) {
        if self.octets == Octets::Any {
            return self.tally.keep_any(input, body);
        }
        let mut rest = input;
        while let Some(&byte) = rest.first() {
            let run = match (std::mem::take(&mut self.after_cr), byte) {
                (true, b'\n') => {
                    self.tally.end_line(body);
                    1
                }
                (false, b'\n') | (true, _) => {
                    self.tally.blame(Violation::BareLineEnd);
                    usize::from(byte == b'\n')
                }
                (false, b'\r') => {
                    self.after_cr = true;
                    1
                }
                (false, 0) => {
                    self.tally.blame(Violation::Nul);
                    1
                }
                (false, _) => self.text(rest, body),
            };
            rest = &rest[run..];
        }
    }

    /// No chunk follows.
    pub fn end(&mut self) {
        if std::mem::take(&mut self.after_cr) {
            self.tally.blame(Violation::BareLineEnd);
        }
    }

    /// Takes the run of ordinary octets at the front of the input.
    fn text(&mut self, input: &[u8], body: &mut Vec<u8>) -> usize {
        let special = |b: &u8| matches!(b, b'\r' | b'\n' | 0);
        let run = input.iter().position(special).unwrap_or(input.len());
        self.tally.keep(&input[..run], body);
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOUNDS: Bounds =
        Bounds { max_message_bytes: 200, max_line_bytes: 50, max_discard_bytes: 0 };

    fn read(octets: Octets, pieces: &[&[u8]]) -> (Vec<u8>, Option<Violation>) {
        let mut chunks = Chunks::new(BOUNDS, octets);
        let mut body = Vec::new();
        for piece in pieces {
            chunks.feed(piece, &mut body);
        }
        chunks.end();
        (body, chunks.violation())
    }

    #[test]
    fn text_is_text() {
        for (input, violation) in [
            (&b"a\r\n.\r\nb\r\n"[..], None),
            (b"no line end", None),
            (b"", None),
            (b"a\nb\r\n", Some(Violation::BareLineEnd)),
            (b"a\rb\r\n", Some(Violation::BareLineEnd)),
            (b"a\r\r\n", Some(Violation::BareLineEnd)),
            (b"a\r", Some(Violation::BareLineEnd)),
            (b"a\0b\r\n", Some(Violation::Nul)),
            (&[b'x'; 51], Some(Violation::LineTooLong)),
        ] {
            for split in 0..=input.len() {
                let read = read(Octets::Text, &[&input[..split], &input[split..]]);
                assert_eq!(read.1, violation, "{input:?} {split}");
                assert!(violation.is_some() || read.0 == input, "{input:?} {split}");
            }
        }
    }

    #[test]
    fn anything_is_kept_as_it_is() {
        let input = [&b"\0\r\n\n\r.\r\n"[..], &[b'x'; 100]].concat();
        assert_eq!(read(Octets::Any, &[&input]), (input, None));
        let large = [b'\r'; 201];
        assert_eq!(read(Octets::Any, &[&large]).1, Some(Violation::TooLarge));
    }

    proptest! {
        #[test]
        fn borders_of_chunks_do_not_matter(
            input in "[a.\r\n]{0,40}|([a.]{0,3}\r\n){0,12}",
            at in any::<prop::sample::Index>(),
        ) {
            let input = input.into_bytes();
            let at = at.index(input.len() + 1);
            let whole = read(Octets::Text, &[&input]);
            let again = read(Octets::Text, &[&input[..at], &input[at..]]);
            prop_assert_eq!(whole.1, again.1);
            if whole.1.is_none() {
                prop_assert_eq!(&whole.0, &input);
                prop_assert_eq!(whole.0, again.0);
            }
        }
    }
}
