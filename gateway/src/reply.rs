//! What the server says: a code, an enhanced status code and words, made so that
//! no reply can break the protocol whatever text is put into it.
//! Decides nothing.

use std::fmt;

/// Longest reply line with its CRLF, in octets (RFC 5321 4.5.3.1.5).
const MAX_LINE_BYTES: usize = 512;
/// Longest line of text before it is broken, in characters.
const MAX_TEXT_CHARS: usize = 400;
/// Most lines of one reply.
const MAX_LINES: usize = 40;

/// One reply, of one or more lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    status: Option<Status>,
    lines: Vec<String>,
}

/// An enhanced status code (RFC 3463). Its class always equals the first digit
/// of the reply code (RFC 2034 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// 2 success, 4 later, 5 never.
    pub class: u8,
    /// What it is about.
    pub subject: u16,
    /// What exactly.
    pub detail: u16,
}

/// What a reply means to the client (RFC 5321 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// 2xx: done.
    Done,
    /// 3xx: go on.
    GoOn,
    /// 4xx: not now, try again.
    Later,
    /// 5xx: never.
    Never,
}

impl Reply {
    /// A reply with an enhanced status code, whose class is taken from the code.
    /// A line break in the text makes a reply of several lines.
    ///
    /// Panics if the code is not 2xx, 4xx or 5xx: others have no status.
    pub fn new(code: u16, (subject, detail): (u16, u16), text: impl AsRef<str>) -> Self {
        let class = match code {
            200..=299 => 2,
            400..=499 => 4,
            500..=599 => 5,
            _ => panic!("{code} takes no enhanced status code"),
        };
        let status = Some(Status { class, subject, detail });
        Self { code, status, lines: lines_of(text.as_ref()) }
    }

    /// A reply without an enhanced status code: the greeting, EHLO and 3xx
    /// (RFC 2034 4).
    pub(crate) fn plain(code: u16, text: impl AsRef<str>) -> Self {
        Self { code, status: None, lines: lines_of(text.as_ref()) }
    }

    /// The three digits.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code.
    pub fn status(&self) -> Option<Status> {
        self.status
    }

    /// The words, without codes.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// What it means to the client.
    pub fn meaning(&self) -> Meaning {
        match self.code {
            ..=299 => Meaning::Done,
            300..=399 => Meaning::GoOn,
            400..=499 => Meaning::Later,
            _ => Meaning::Never,
        }
    }

    /// Whether the connection ends after it (RFC 5321 3.8).
    pub fn closes(&self) -> bool {
        matches!(self.code, 221 | 421 | 521)
    }

    /// The reply as it is sent, each line with its codes and a CRLF.
    pub fn wire(&self) -> Vec<u8> {
        let mut wire = String::new();
        for (index, line) in self.lines.iter().enumerate() {
            let last = index + 1 == self.lines.len();
            let prefix = self.prefix(last);
            let room = MAX_LINE_BYTES - prefix.len() - 2;
            wire.push_str(&prefix);
            wire.push_str(&line[..line.len().min(room)]);
            wire.push_str("\r\n");
        }
        wire.into_bytes()
    }

    fn prefix(&self, last: bool) -> String {
        let mark = if last { ' ' } else { '-' };
        match self.status {
            Some(status) => format!("{}{mark}{status} ", self.code),
            None => format!("{}{mark}", self.code),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "{} {status} {}", self.code, self.lines.join(" ")),
            None => write!(f, "{} {}", self.code, self.lines.join(" ")),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// Splits a text into lines of printable ASCII. What else is in it becomes "?",
/// so that a file name or an address quoted in a reply cannot forge another one.
fn lines_of(text: &str) -> Vec<String> {
    let clean = |line: &str| -> String {
        let line = line.trim_end();
        line.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
    };
    let lines = text.lines().map(clean).flat_map(|line| broken(&line));
    let mut lines: Vec<String> = lines.take(MAX_LINES).collect();
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// Breaks a line of ASCII at spaces where it is too long.
fn broken(line: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = line;
    while rest.len() > MAX_TEXT_CHARS {
        let at = rest[..MAX_TEXT_CHARS].rfind(' ').filter(|at| *at > 0).unwrap_or(MAX_TEXT_CHARS);
        lines.push(rest[..at].to_owned());
        rest = rest[at..].trim_start();
    }
    lines.push(rest.to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(reply: &Reply) -> String {
        String::from_utf8(reply.wire()).unwrap()
    }

    #[test]
    fn every_line_carries_its_codes() {
        let reply = Reply::new(550, (7, 1), "not permitted\nask the help desk");
        assert_eq!(wire(&reply), "550-5.7.1 not permitted\r\n550 5.7.1 ask the help desk\r\n");
        assert_eq!(reply.meaning(), Meaning::Never);
    }

    #[test]
    fn a_reply_without_status_has_none() {
        assert_eq!(wire(&Reply::plain(334, "")), "334 \r\n");
        assert_eq!(wire(&Reply::plain(220, "fax.example ESMTP")), "220 fax.example ESMTP\r\n");
    }

    #[test]
    fn text_cannot_forge_a_reply() {
        let reply = Reply::new(554, (6, 1), "file \"a\rb\u{0}\u{e9}.doc\" is odd");
        assert_eq!(wire(&reply), "554 5.6.1 file \"a?b??.doc\" is odd\r\n");
        let forged = Reply::new(554, (6, 1), "x\r\n250 2.0.0 queued");
        assert!(wire(&forged).lines().all(|line| line.starts_with("554")));
    }

    #[test]
    fn long_texts_are_broken_into_lines() {
        for text in ["x".repeat(2000), "some words ".repeat(200)] {
            let said = wire(&Reply::new(550, (1, 1), &text));
            let words: String = said.lines().map(|line| &line[10..]).collect();
            assert_eq!(words.replace(' ', ""), text.replace(' ', ""));
            assert!(said.lines().all(|line| line.len() + 2 <= MAX_LINE_BYTES));
            assert!(said.lines().count() >= 5);
        }
        let endless = wire(&Reply::new(550, (1, 1), "x\n".repeat(10_000)));
        assert_eq!(endless.lines().count(), MAX_LINES);
    }
}
