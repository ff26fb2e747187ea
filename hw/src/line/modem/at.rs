//! What a modem says in command mode: lines, and what they mean (V.250 5.7, T.31, T.32). It
//! knows no call and no port, keeps no more than a line, and takes any bytes.

/// Longest line that is kept, in bytes; what is behind is thrown away.
const MAX_LINE: usize = 400;

/// Cuts what a modem writes into lines, byte by byte, so that what follows a `CONNECT` can
/// be taken as data.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    line: Vec<u8>,
    /// A carriage return came; a line feed, if any, belongs to it.
    ended: bool,
}

impl Lines {
    /// Takes a byte. A line that is complete now, without its end; never an empty one.
    ///
    /// A result in digits ends with its carriage return alone (V.250 5.7.1).
    pub(crate) fn push(&mut self, byte: u8) -> Option<String> {
        match byte {
            b'\n' => self.take(),
            b'\r' if self.is_number() => self.take(),
            b'\r' => {
                let before = if self.ended { self.take() } else { None };
                self.ended = true;
                before
            }
            // Fill, flow control, and what noise makes.
            0..=0x1F | 0x7F => None,
            _ => {
                let before = if self.ended { self.take() } else { None };
                if self.line.len() < MAX_LINE {
                    self.line.push(byte);
                }
                before
            }
        }
    }

    /// Forgets what has come of a line.
    pub(crate) fn clear(&mut self) {
        self.take();
    }

    fn take(&mut self) -> Option<String> {
        self.ended = false;
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        (!line.is_empty()).then_some(line)
    }

    fn is_number(&self) -> bool {
        !self.line.is_empty() && self.line.iter().all(u8::is_ascii_digit)
    }
}

/// A line of a modem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The command is done.
    Ok,
    /// Data follows; what stands behind it, such as the speed of a data connection.
    Connect(String),
    /// It rings; the cadence, where it says one.
    Ring(Option<String>),
    /// No signal, or the line is dead.
    NoCarrier,
    /// The command is refused.
    Error,
    /// No dial tone.
    NoDialTone,
    /// Busy.
    Busy,
    /// Nobody answers.
    Unanswered,
    /// The modem refuses to call this number, for ever or for a while.
    Refused,
    /// It rings at the other side.
    Ringing,
    /// A voice was heard.
    Voice,
    /// Another signal than the one that was awaited (T.31).
    WrongSignal,
    /// Frames of V.21 instead of a page; they follow (T.31, `+FAR`).
    FramesInstead,
    /// Something about the call that comes in.
    Caller(Caller),
    /// Anything else: information, and what nobody knows.
    Other(String),
}

/// What a modem tells of a call that comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The number of the caller; empty when it is withheld.
    Number(String),
    /// The caller's name.
    Name(String),
    /// The number that was called.
    Called(String),
    /// How long the bell is on or off, in tenths of a second, as it stands there.
    Bell(String),
    /// The date or the time, which we know ourselves.
    When,
}

impl Answer {
    /// What a line means.
    pub(crate) fn of(line: &str) -> Self {
        let upper = line.to_ascii_uppercase();
        match upper.as_str() {
            "OK" | "0" => Self::Ok,
            "RING" | "2" => Self::Ring(None),
            "NO CARRIER" | "3" => Self::NoCarrier,
            "ERROR" | "4" => Self::Error,
            "NO DIALTONE" | "NO DIAL TONE" | "6" => Self::NoDialTone,
            "BUSY" | "7" => Self::Busy,
            "NO ANSWER" | "8" => Self::Unanswered,
            "1" => Self::Connect(String::new()),
            "+FCERROR" | "+F4" => Self::WrongSignal,
            "+FRH:3" | "+FRH: 3" => Self::FramesInstead,
            "RINGING" | "RINGBACK" => Self::Ringing,
            "VOICE" => Self::Voice,
            "BLACKLISTED" | "DELAYED" => Self::Refused,
            _ => Self::longer(line, &upper),
        }
    }

    fn longer(line: &str, upper: &str) -> Self {
        if let Some(rest) = upper.strip_prefix("CONNECT") {
            return Self::Connect(rest.trim().to_owned());
        }
        if let Some(cadence) = upper.strip_prefix("RING ") {
            return Self::Ring(Some(cadence.trim().to_owned()));
        }
        // With the time to wait, or the number, behind it.
        if upper.starts_with("BLACKLISTED") || upper.starts_with("DELAYED") {
            return Self::Refused;
        }
        match Caller::of(line) {
            Some(caller) => Self::Caller(caller),
            None => Self::Other(line.to_owned()),
        }
    }

    /// Whether it ends a command that asked for something (V.250 5.7.1).
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Ok
                | Self::Error
                | Self::NoCarrier
                | Self::NoDialTone
                | Self::Busy
                | Self::Unanswered
                | Self::Refused
                | Self::WrongSignal
        )
    }
}

impl Caller {
    /// `NMBR=0123`, `NMBR = 0123`, `CALLER NUMBER: 0123`, as modems have it.
    fn of(line: &str) -> Option<Self> {
        let at = line.find(['=', ':'])?;
        let name = line[..at].trim().to_ascii_uppercase();
        let value = clean(&line[at + 1..]);
        Some(match name.as_str() {
            "NMBR" | "CALLER NUMBER" | "CID" | "CALLER'S NUMBER" => Self::Number(number(&value)),
            "NAME" | "CALLER NAME" => Self::Name(value),
            "NDID" | "DDN_NMBR" | "CALLED NUMBER" => Self::Called(value),
            "DRON" | "DROF" => Self::Bell(format!("{name}={value}")),
            "DATE" | "TIME" => Self::When,
            _ => return None,
        })
    }
}

/// Only what can be printed, without quotes around it.
fn clean(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    text.trim().trim_matches('"').trim().to_owned()
}

/// `P` and `O` (private, out of area) stand where there is no number.
fn number(value: &str) -> String {
    let digits = value.chars().any(|c| c.is_ascii_digit());
    if digits { value.to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut lines = Lines::default();
        bytes.iter().filter_map(|byte| lines.push(*byte)).collect()
    }

    #[test]
    fn lines_end_as_modems_end_them() {
        for (bytes, expected) in [
            (&b"\r\nOK\r\n"[..], &["OK"][..]),
            (b"ATZ\r\r\nOK\r\n", &["ATZ", "OK"]),
            (b"0\r", &["0"]),
            (b"3\r0\r", &["3", "0"]),
            (b"OK\rRING\r\n", &["OK", "RING"]),
            (b"OK", &[]),
            (b"\x11\x13O\x00K\n", &["OK"]),
            (b"\r\n\r\n  \r\n", &[]),
        ] {
            assert_eq!(lines(bytes), expected, "{bytes:?}");
        }
        let long = lines(&[&[b'x'; 10_000][..], b"\r\n"].concat());
        assert_eq!(long[0].len(), MAX_LINE);
    }

    #[test]
    fn what_follows_connect_is_no_line() {
        let mut lines = Lines::default();
        let bytes = b"\r\nCONNECT\r\n\xFF\x13\x80";
        let at = bytes.iter().position(|byte| lines.push(*byte).is_some()).unwrap();
        assert_eq!(&bytes[at + 1..], b"\xFF\x13\x80");
    }

    #[test]
    fn answers_are_known_in_words_and_in_digits() {
        for (line, answer) in [
            ("OK", Answer::Ok),
            ("ok", Answer::Ok),
            ("0", Answer::Ok),
            ("CONNECT", Answer::Connect(String::new())),
            ("CONNECT 33600/ARQ", Answer::Connect("33600/ARQ".into())),
            ("RING", Answer::Ring(None)),
            ("RING B", Answer::Ring(Some("B".into()))),
            ("RINGING", Answer::Ringing),
            ("NO DIAL TONE", Answer::NoDialTone),
            ("NO DIALTONE", Answer::NoDialTone),
            ("7", Answer::Busy),
            ("DELAYED 00:05:00", Answer::Refused),
            ("BLACKLISTED", Answer::Refused),
            ("+FCERROR", Answer::WrongSignal),
            ("+FRH:3", Answer::FramesInstead),
            ("NMBR=+15551000001", Answer::Caller(Caller::Number("+15551000001".into()))),
            ("NMBR = P", Answer::Caller(Caller::Number(String::new()))),
            ("NAME = \"Smith\"", Answer::Caller(Caller::Name("Smith".into()))),
            ("DRON=20", Answer::Caller(Caller::Bell("DRON=20".into()))),
            ("DATE=1124", Answer::Caller(Caller::When)),
            ("NDID=12", Answer::Caller(Caller::Called("12".into()))),
            ("0,1,1.0", Answer::Other("0,1,1.0".into())),
        ] {
            assert_eq!(Answer::of(line), answer, "{line}");
        }
    }
}
