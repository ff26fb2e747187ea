//! What came in and was not used yet, and the command lines in it. A line ends
//! with CRLF and nothing else (RFC 5321 2.3.8).

/// How much of a line that is too long is thrown away before giving up, in octets.
const MAX_SKIPPED_BYTES: usize = 65_536;

/// Octets that wait to be used.
#[derive(Debug, Default)]
pub(super) struct Input {
    octets: Vec<u8>,
    used: usize,
    scanned: usize,
    skipped: Option<usize>,
}

/// What is at the front of the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A part of a line, or nothing.
    Part,
    /// A line, without its CRLF.
    Whole(Vec<u8>),
    /// A line that was too long; it is gone.
    TooLong,
    /// A line that never ends.
    Endless,
    /// A CR or a LF that is not part of a CRLF.
    Bare,
}

impl Input {
    pub(super) fn push(&mut self, octets: &[u8]) {
        self.octets.drain(..self.used);
        self.scanned -= self.used;
        self.used = 0;
        self.octets.extend_from_slice(octets);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.used == self.octets.len()
    }

    /// Whether the front of a line is here, or was thrown away.
    pub(super) fn has_begun(&self) -> bool {
        !self.is_empty() || self.skipped.is_some()
    }

    pub(super) fn pending(&self) -> &[u8] {
        &self.octets[self.used..]
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.used += count;
        self.scanned = self.used;
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes one line of at most `max` octets with its CRLF.
    pub(super) fn line(&mut self, max: usize) -> Line {
        let unscanned = &self.octets[self.scanned..];
        let Some(at) = unscanned.iter().position(|b| matches!(b, b'\r' | b'\n')) else {
            self.scanned = self.octets.len();
            return self.part(max);
        };
        self.scanned += at;
        match (self.octets[self.scanned], self.octets.get(self.scanned + 1)) {
            (b'\r', Some(b'\n')) => self.whole(max),
            (b'\r', None) => self.part(max),
            _ => Line::Bare,
        }
    }

    fn whole(&mut self, max: usize) -> Line {
        let line = self.octets[self.used..self.scanned].to_vec();
        self.consume(line.len() + 2);
        match self.skipped.take() {
            None if line.len() + 2 <= max => Line::Whole(line),
            _ => Line::TooLong,
        }
    }

    fn part(&mut self, max: usize) -> Line {
        let length = self.scanned - self.used;
        if length > max || self.skipped.is_some() {
            let skipped = self.skipped.unwrap_or(0) + length;
            self.skipped = Some(skipped);
            self.used = self.scanned;
            if skipped > MAX_SKIPPED_BYTES {
                return Line::Endless;
            }
        }
        Line::Part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<Line> {
        let mut input = Input::default();
        let mut lines = Vec::new();
        for piece in pieces {
            input.push(piece);
            loop {
                match input.line(10) {
                    Line::Part => break,
                    line @ (Line::Bare | Line::Endless) => {
                        lines.push(line);
                        return lines;
                    }
                    line => lines.push(line),
                }
            }
        }
        lines
    }

    #[test]
    fn lines_whatever_the_split() {
        let text = b"NOOP\r\n\r\nQUIT\r\n0123456789abc\r\nRSET\r\nx\ny\r\n";
        let whole = lines(&[text]);
        let word = |word: &str| Line::Whole(word.as_bytes().to_vec());
        let expected =
            [word("NOOP"), word(""), word("QUIT"), Line::TooLong, word("RSET"), Line::Bare];
        assert_eq!(whole, expected);
        for split in 0..text.len() {
            assert_eq!(lines(&[&text[..split], &text[split..]]), whole, "{split}");
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(lines(&single), whole);
    }

    #[test]
    fn bare_line_ends() {
        for text in [&b"\n"[..], b"NOOP\n", b"a\rb\r\n", b"a\r\r\n", b"\r\r"] {
            assert_eq!(lines(&[text]), [Line::Bare], "{text:?}");
        }
    }

    #[test]
    fn an_endless_line_is_given_up() {
        let chunk = [b'x'; 1000];
        let pieces = vec![&chunk[..]; 100];
        assert_eq!(lines(&pieces), [Line::Endless]);
    }
}
