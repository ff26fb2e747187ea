//! One command line of the protocol, taken apart: a verb and its arguments, split at
//! spaces, with double quotes around what has spaces in it.

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    /// In upper case.
    pub(super) verb: String,
    pub(super) arguments: Vec<String>,
}

impl Command {
    /// Reads a line without its line end; `None` when a quote does not end or a
    /// control character stands in it.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut words = vec![];
        let mut rest = line.trim_start_matches(' ');
        while !rest.is_empty() {
            let (word, after) = if let Some(quoted) = rest.strip_prefix('"') {
                unquote(quoted)?
            } else {
                let end = rest.find(' ').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            };
            words.push(word);
            rest = after.trim_start_matches(' ');
        }
        if line.chars().any(char::is_control) {
            return None;
        }
        let mut words = words.into_iter();
        let verb = words.next().unwrap_or_default().to_ascii_uppercase();
        Some(Self { verb, arguments: words.collect() })
    }

    /// An argument, or nothing.
    pub(super) fn argument(&self, at: usize) -> Option<&str> {
        self.arguments.get(at).map(String::as_str)
    }
}

/// Reads up to the closing quote. `\"` and `\\` stand for themselves, `\ooo` for the
/// byte with that octal number.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut bytes = vec![];
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((String::from_utf8_lossy(&bytes).into_owned(), &text[at + 1..])),
            '\\' => {
                let digits = text
                    .get(at + 1..at + 4)
                    .filter(|d| d.bytes().all(|b| (b'0'..b'8').contains(&b)));
                if let Some(digits) = digits {
                    bytes.push(u8::from_str_radix(digits, 8).ok()?);
                    chars.nth(2);
                } else {
                    let (_, c) = chars.next()?;
                    bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            c => bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        type Parts = (&'static str, &'static [&'static str]);
        let cases: [(&str, Option<Parts>); 9] = [
            ("noop", Some(("NOOP", &[]))),
            ("JPARM MAXDIALS 1", Some(("JPARM", &["MAXDIALS", "1"]))),
            ("JPARM FROMUSER \"Anna B\"", Some(("JPARM", &["FROMUSER", "Anna B"]))),
            ("JPARM TSI \"\"", Some(("JPARM", &["TSI", ""]))),
            (r#"A "q\"b\\c\101""#, Some(("A", &["q\"b\\cA"]))),
            (r#"A "\303\244""#, Some(("A", &["ä"]))),
            ("A \"open", None),
            ("A \"bad\\", None),
            ("A b\tc", None),
        ];
        for (line, expected) in cases {
            let expected = expected.map(|(verb, arguments)| Command {
                verb: verb.into(),
                arguments: arguments.iter().map(ToString::to_string).collect(),
            });
            assert_eq!(Command::parse(line), expected, "{line}");
        }
        assert_eq!(Command::parse("").unwrap().verb, "");
    }
}
