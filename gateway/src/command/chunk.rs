//! BDAT (RFC 3030 2): how many octets of a message follow the line. Whoever reads it
//! wrong takes a message for commands, so it is read by itself, before all else.

/// Most digits of a size; more cannot be meant.
const MAX_DIGITS: usize = 18;

/// A piece of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// How many octets follow the line.
    pub bytes: u64,
    /// Whether the message ends with it.
    pub last: bool,
}

/// Whether this is a BDAT, be it well formed or not.
pub(super) fn announces(line: &[u8]) -> bool {
    let verb = line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT"));
    verb && line.get(4).is_none_or(|b| matches!(b, b' ' | b'\t'))
}

/// Reads `BDAT SP 1*DIGIT [SP "LAST"]`.
pub(super) fn parse(line: &[u8]) -> Option<Chunk> {
    let text = std::str::from_utf8(line).ok()?.trim_end_matches([' ', '\t']);
    let mut words = text.split(' ').skip(1);
    let digits = words.next()?;
    let good =
        (1..=MAX_DIGITS).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return None,
    };
    match words.next() {
        None if good => Some(Chunk { bytes: digits.parse().ok()?, last }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (line, bytes, last) in [
            ("BDAT 0", 0, false),
            ("bdat 86 last", 86, true),
            ("BDAT 1000000000 LAST ", 1_000_000_000, true),
            ("BDAT 007", 7, false),
        ] {
            assert!(announces(line.as_bytes()));
            assert_eq!(parse(line.as_bytes()), Some(Chunk { bytes, last }), "{line}");
        }
        for line in [
            "BDAT",
            "BDAT ",
            "BDAT  5",
            "BDAT -5",
            "BDAT +5",
            "BDAT 5LAST",
            "BDAT 5 LAST LAST",
            "BDAT 5 FIRST",
            "BDAT LAST",
            "BDAT 0x5",
            "BDAT 1234567890123456789",
            "BDAT\t5",
        ] {
            assert!(announces(line.as_bytes()));
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
        for line in ["BDATA 5", "BDA", "DATA", ""] {
            assert!(!announces(line.as_bytes()), "{line}");
        }
    }
}
