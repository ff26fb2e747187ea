//! One command line, read into a value (RFC 5321 4.1). Knows the grammar and the
//! mistakes of printers that are tolerated; knows no state and no policy.
//!
//! Tolerated: one space after the colon, paths without angle brackets, spaces
//! at the end of a line, host names that are not host names.

mod chunk;
mod params;
mod path;
mod times;
pub mod xtext;

pub use chunk::Chunk;
pub use params::{Body, DeliverBy, Mail, Notify, OriginalRecipient, Rcpt, Release, Ret};
pub use path::Mailbox;

use crate::reply::Reply;

/// Longest name that a client may give itself, in octets.
const MAX_HELO_BYTES: usize = 255;

/// A command that makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// HELO with the client's name for itself.
    Helo(String),
    /// EHLO with the client's name for itself.
    Ehlo(String),
    /// LHLO with the client's name for itself (RFC 2033 4.1).
    Lhlo(String),
    /// MAIL FROM.
    Mail(Mail),
    /// RCPT TO.
    Rcpt(Rcpt),
    /// DATA.
    Data,
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
    /// VRFY, whatever is asked.
    Vrfy,
    /// HELP.
    Help,
    /// STARTTLS.
    StartTls,
    /// AUTH with the mechanism in upper case and the initial response, still in base64.
    Auth {
        /// The mechanism's name in upper case.
        mechanism: String,
        /// The initial response in base64; `=` stands for an empty one.
        initial: Option<String>,
    },
    /// A known verb that is not served here (502).
    Absent,
    /// BDAT: what follows it is not commands (RFC 3030 2).
    Bdat(Chunk),
    /// A request of another protocol, most likely HTTP: whoever sends it is being used.
    Foreign,
}

/// Why a command line makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No such verb.
    #[error("command not recognised")]
    UnknownVerb,
    /// Octets that no command has.
    #[error("commands are printable ASCII")]
    NotAscii,
    /// An address outside ASCII, in a mail that did not say SMTPUTF8.
    #[error("an address outside ASCII needs SMTPUTF8 and is spelled in UTF-8")]
    Utf8Address,
    /// A needed argument is missing or wrong.
    #[error("syntax: {0}")]
    Usage(&'static str),
    /// An argument where none is allowed.
    #[error("{0} takes no argument")]
    NoArgument(&'static str),
    /// The sender's address is malformed.
    #[error("bad sender address: {0}")]
    BadSender(&'static str),
    /// The recipient's address is malformed.
    #[error("bad recipient address: {0}")]
    BadRecipient(&'static str),
    /// A parameter that is malformed or given twice.
    #[error("bad parameter {0}: {1}")]
    BadParameter(String, &'static str),
    /// A priority that is malformed or given twice (RFC 6710 4.1).
    #[error("give MT-PRIORITY once, from -9 to 9")]
    BadPriority,
    /// Nobody can tell how much of what follows is a message.
    #[error("syntax: BDAT octets [LAST]")]
    BadChunk,
    /// A parameter of an extension that was not offered.
    #[error("parameter {0} is not supported")]
    UnknownParameter(String),
}

impl CommandError {
    /// What the client is told.
    pub fn reply(&self) -> Reply {
        let (code, status) = match self {
            Self::UnknownVerb => (500, (5, 1)),
            Self::NotAscii => (500, (5, 2)),
            Self::Utf8Address => (553, (6, 7)),
            Self::Usage(_) | Self::BadPriority => (501, (5, 2)),
            Self::NoArgument(_) | Self::BadParameter(..) | Self::BadChunk => (501, (5, 4)),
            Self::BadSender(_) => (501, (1, 7)),
            Self::BadRecipient(_) => (501, (1, 3)),
            Self::UnknownParameter(_) => (555, (5, 4)),
        };
        Reply::new(code, status, self.to_string())
    }

    /// Whether what comes next might be no command at all, so that nothing of it may
    /// be taken for one.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::BadChunk)
    }
}

/// Reads one line, given without its CRLF.
pub fn parse(line: &[u8]) -> Result<Command, CommandError> {
    if chunk::announces(line) {
        return chunk::parse(line).map(Command::Bdat).ok_or(CommandError::BadChunk);
    }
    let text = text_of(line)?.trim_end_matches([' ', '\t']);
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let alone = |command, name| match rest.is_empty() {
        true => Ok(command),
        false => Err(CommandError::NoArgument(name)),
    };
    match verb.to_ascii_uppercase().as_str() {
        "HELO" => Ok(Command::Helo(helo(rest, "HELO host.name")?)),
        "EHLO" => Ok(Command::Ehlo(helo(rest, "EHLO host.name")?)),
        "LHLO" => Ok(Command::Lhlo(helo(rest, "LHLO host.name")?)),
        "MAIL" => params::mail(rest).map(Command::Mail),
        "RCPT" => params::rcpt(rest).map(Command::Rcpt),
        "DATA" => alone(Command::Data, "DATA"),
        "RSET" => alone(Command::Rset, "RSET"),
        "NOOP" => Ok(Command::Noop),
        "QUIT" => alone(Command::Quit, "QUIT"),
        "VRFY" if rest.is_empty() => Err(CommandError::Usage("VRFY user")),
        "VRFY" => Ok(Command::Vrfy),
        "HELP" => Ok(Command::Help),
        "STARTTLS" => alone(Command::StartTls, "STARTTLS"),
        "AUTH" => auth(rest),
        "EXPN" | "TURN" | "ETRN" | "ATRN" | "SEND" | "SOML" | "SAML" | "BURL" => {
            Ok(Command::Absent)
        }
        "GET" | "POST" | "PUT" | "HEAD" | "OPTIONS" | "CONNECT" | "HOST:" | "USER-AGENT:" => {
            Ok(Command::Foreign)
        }
        _ => Err(CommandError::UnknownVerb),
    }
}

/// The text of a line. Only addresses may be outside ASCII, and they are UTF-8
/// (RFC 6531 3.3).
fn text_of(line: &[u8]) -> Result<&str, CommandError> {
    let has_address = line.get(..5).is_some_and(|verb| {
        [b"MAIL ", b"RCPT ", b"VRFY "].into_iter().any(|known| verb.eq_ignore_ascii_case(known))
    });
    if line.iter().any(|b| (*b < b' ' && *b != b'\t') || *b == 0x7f) {
        return Err(CommandError::NotAscii);
    }
    match std::str::from_utf8(line) {
        Ok(text) if text.is_ascii() || has_address => Ok(text),
        _ if has_address => Err(CommandError::Utf8Address),
        _ => Err(CommandError::NotAscii),
    }
}

/// A name as any device may give it: `my_printer`, an address literal, two words.
/// It is only written down, never trusted.
fn helo(rest: &str, usage: &'static str) -> Result<String, CommandError> {
    let name = rest.trim();
    match name.len() {
        1..=MAX_HELO_BYTES => Ok(name.to_owned()),
        _ => Err(CommandError::Usage(usage)),
    }
}

fn auth(rest: &str) -> Result<Command, CommandError> {
    let mut words = rest.split(' ');
    let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
    let initial = words.next().map(str::to_owned);
    if mechanism.is_empty() || words.next().is_some() {
        return Err(CommandError::Usage("AUTH mechanism [initial-response]"));
    }
    Ok(Command::Auth { mechanism, initial })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn verbs_in_any_case() {
        assert_eq!(parse(b"data"), Ok(Command::Data));
        assert_eq!(parse(b"QuIt "), Ok(Command::Quit));
        assert_eq!(parse(b"NOOP whatever"), Ok(Command::Noop));
        assert_eq!(parse(b"EHLO my_printer"), Ok(Command::Ehlo("my_printer".into())));
        assert_eq!(parse(b"helo [10.0.0.9]"), Ok(Command::Helo("[10.0.0.9]".into())));
        assert_eq!(
            parse(b"auth plain AGE="),
            Ok(Command::Auth { mechanism: "PLAIN".into(), initial: Some("AGE=".into()) })
        );
    }

    #[test]
    fn what_makes_no_sense_is_answered_in_kind() {
        for (line, code) in [
            (&b"FOO"[..], 500),
            (b"", 500),
            (b"DATA now", 501),
            (b"STARTTLS x", 501),
            (b"EHLO", 501),
            (b"EHLO ", 501),
            (b"AUTH", 501),
            (b"AUTH PLAIN a b", 501),
            (b"EHLO caf\xc3\xa9", 500),
            (b"NOOP \x00", 500),
            (b"MAIL FROM:<caf\xc3\xa9@x.example>", 553),
            (b"RCPT TO:<\xe9@x.example>", 553),
            (b"RCPT TO:<\xe9\x00@x.example>", 500),
            (b"LHLO", 501),
            (b"BDAT", 501),
            (b"BDAT x", 501),
            (b"BDAT 5 FIRST", 501),
            (b"BDAT \xe9", 501),
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.reply().code(), code, "{:?}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn addresses_outside_ascii_are_utf8() {
        assert!(parse(b"VRFY caf\xc3\xa9").is_ok());
        let Ok(Command::Rcpt(rcpt)) = parse("RCPT TO:<caf\u{e9}@x.example>".as_bytes()) else {
            panic!("the session says whether it may be")
        };
        assert!(rcpt.is_utf8());
        let Ok(Command::Mail(mail)) = parse("MAIL FROM:<caf\u{e9}@x.example> SMTPUTF8".as_bytes())
        else {
            panic!("it says SMTPUTF8")
        };
        assert_eq!(mail.from.unwrap().local(), "caf\u{e9}");
    }

    #[test]
    fn a_browser_is_not_a_mail_client() {
        assert_eq!(parse(b"POST / HTTP/1.1"), Ok(Command::Foreign));
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&line);
            let _ = parse(&[b"MAIL FROM:", &line[..]].concat());
            let _ = parse(&[b"RCPT TO:<", &line[..]].concat());
            let _ = parse(&[b"MAIL FROM:<a@b> ", &line[..]].concat());
            let _ = parse(&[b"BDAT ", &line[..]].concat());
        }

        #[test]
        fn what_is_read_reads_back_the_same(line in "RCPT TO:<[a-c.\"\\\\@+=/ \\[]{1,12}@[ab.+-]{1,5}>") {
            if let Ok(Command::Rcpt(rcpt)) = parse(line.as_bytes()) {
                let again: Mailbox = rcpt.mailbox.as_written().parse().unwrap();
                prop_assert_eq!(again.as_written(), rcpt.mailbox.as_written());
                prop_assert!(line.contains(rcpt.mailbox.as_written()));
            }
        }
    }
}
