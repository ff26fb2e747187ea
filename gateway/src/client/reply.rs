//! What the far end said. The grammar of replies is read by lettre.

use std::fmt;

use lettre::transport::smtp::response::Response;

/// A whole reply (RFC 5321 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Three digits, 200 to 559.
    pub code: u16,
    /// The enhanced status `d.d.d` (RFC 2034), if the reply begins with one.
    pub status: Option<String>,
    /// The lines without code and status.
    pub lines: Vec<String>,
}

/// What a reply asks for, by its first digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Done,
    GoOn,
    Later,
    Never,
}

impl Reply {
    /// What we would have been told, had we asked.
    pub(super) fn own(code: u16, status: &str, text: impl Into<String>) -> Self {
        Self { code, status: Some(status.to_owned()), lines: vec![text.into()] }
    }

    /// Reads a reply with all its lines; nothing if it is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let response: Response = text.parse().ok()?;
        let code = response.code().to_string().parse().ok()?;
        let status = response.first_word().filter(|word| is_status(word, code)).map(str::to_owned);
        let bare = |line: &str| {
            let rest = status.as_deref().and_then(|status| line.strip_prefix(status));
            rest.unwrap_or(line).trim().to_owned()
        };
        let lines = response.message().map(bare).collect();
        Some(Self { code, status, lines })
    }

    pub(super) fn class(&self) -> Class {
        match self.code {
            ..300 => Class::Done,
            300..400 => Class::GoOn,
            400..500 => Class::Later,
            500.. => Class::Never,
        }
    }

    /// The far end says goodbye (RFC 5321 3.8).
    pub(super) fn is_goodbye(&self) -> bool {
        matches!(self.code, 421 | 521)
    }

    /// A refusal of us and not of the mail: the login or its lack (RFC 4954 6).
    pub(super) fn is_about_us(&self) -> bool {
        matches!(self.code, 530 | 534 | 535 | 538)
    }
}

/// One line, as `Diagnostic-Code: smtp` wants it.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        let status = self.status.iter();
        for word in status.chain(&self.lines).filter(|word| !word.is_empty()) {
            write!(f, " {word}")?;
        }
        Ok(())
    }
}

fn is_status(word: &str, code: u16) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let number =
        |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(number) && parts[0] == (code / 100).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_as_they_come() {
        let reply = Reply::read("550-5.1.1 No such\r\n550 5.1.1 user here\r\n").unwrap();
        assert_eq!((reply.code, reply.status.as_deref()), (550, Some("5.1.1")));
        assert_eq!(reply.lines, ["No such", "user here"]);
        assert_eq!(reply.to_string(), "550 5.1.1 No such user here");
        assert_eq!(Reply::read("250 2.1 x\r\n").unwrap().status, None);
        assert_eq!(Reply::read("250 5.1.1 x\r\n").unwrap().status, None);
        for bad in ["hello\r\n", "25 x\r\n", "250-x\r\n550 y\r\n", "999 x\r\n", ""] {
            assert_eq!(Reply::read(bad), None, "{bad}");
        }
    }
}
