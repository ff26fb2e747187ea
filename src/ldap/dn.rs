//! Names of entries (RFC 4514): read from text, compared, and written. Knows no entry.

use super::{schema, text};

/// Most parts of a name.
const MAX_PARTS: usize = 32;
/// Longest name that is read, in bytes.
const MAX_NAME_BYTES: usize = 4096;

/// A name: its parts, the nearest first. The root has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Name(pub(super) Vec<Part>);

/// A part of a name: types with their values, in one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part(Vec<Pair>);

/// A type and its value.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// The first name of the type, in small letters.
    kind: String,
    value: String,
    folded: String,
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.folded == other.folded
    }
}
impl Eq for Pair {}

impl Name {
    /// Reads a name; none for what is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_NAME_BYTES {
            return None;
        }
        if text.trim().is_empty() {
            return Some(Self::default());
        }
        let mut parts = Vec::new();
        for part in split(text, ',') {
            let pairs: Option<Vec<Pair>> = split(part, '+').into_iter().map(pair).collect();
            let mut pairs = pairs?;
            pairs.sort_by(|a, b| (&a.kind, &a.folded).cmp(&(&b.kind, &b.folded)));
            parts.push(Part(pairs));
        }
        (parts.len() <= MAX_PARTS).then_some(Self(parts))
    }

    /// What it has below another name; none where it is not below or that name itself.
    pub(super) fn below(&self, other: &Self) -> Option<&[Part]> {
        self.0.strip_suffix(&other.0[..])
    }
}

impl Part {
    /// The value of its only type, when that is called so.
    pub(super) fn only(&self, kind: &str) -> Option<&str> {
        match &self.0[..] {
            [pair] if pair.kind == kind => Some(&pair.value),
            _ => None,
        }
    }

    /// The value of a type, among others.
    pub(super) fn value(&self, kind: &str) -> Option<&str> {
        self.0.iter().find(|pair| pair.kind == kind).map(|pair| pair.value.as_str())
    }

    /// How many types it has.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Parts between separators that are not escaped.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == separator => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn pair(text: &str) -> Option<Pair> {
    let (kind, value) = text.split_once('=')?;
    let kind = kind.trim();
    let is_kind = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if kind.is_empty() || !kind.chars().all(is_kind) {
        return None;
    }
    let kind = schema::kind(kind).map_or(kind, |known| known.names[0]).to_ascii_lowercase();
    let value = unescaped(value)?;
    let folded = text::folded(&value);
    Some(Pair { kind, value, folded })
}

/// RFC 4514 3: `\` and a special letter, or `\` and an octet in two digits. Spaces at the
/// ends are not of the value unless they are escaped.
fn unescaped(text: &str) -> Option<String> {
    let text = text.trim_start();
    // The encoding in hexadecimal digits (RFC 4514 2.4) is for types that nobody knows.
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut end = 0;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            if "\";<>".contains(c) {
                return None;
            }
            octets.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            end = if c == ' ' { end } else { octets.len() };
            continue;
        }
        let first = rest.next()?;
        match first.to_digit(16) {
            Some(high) => octets.push(u8::try_from(high * 16 + rest.next()?.to_digit(16)?).ok()?),
            None if " \"#+,;<=>\\".contains(first) => octets.push(u8::try_from(first).ok()?),
            None => return None,
        }
        end = octets.len();
    }
    octets.truncate(end);
    String::from_utf8(octets).ok()
}

/// A value as it is written in a name (RFC 4514 2.4).
pub(super) fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(value.len());
    for (at, c) in value.chars().enumerate() {
        match c {
            '\0' => out.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => out.extend(['\\', c]),
            ' ' if at == 0 || at == last => out.push_str("\\ "),
            '#' if at == 0 => out.push_str("\\#"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alike_or_not() {
        for (one, other, alike) in [
            ("uid=Anna,ou=clients,dc=a", "UID=anna, OU=Clients , dc=A", true),
            ("cn=a\\,b", "cn=a\\2cb", true),
            ("cn=a+sn=b", "sn=b+cn=a", true),
            ("commonName=a", "2.5.4.3=a", true),
            ("cn=a,dc=b", "cn=a", false),
            ("", " ", true),
        ] {
            let (one, other) = (Name::read(one).unwrap(), Name::read(other).unwrap());
            assert_eq!(one == other, alike, "{one:?} {other:?}");
        }
        for bad in ["anna", "=a", "cn=", "cn=\\", "cn=\\zz", "a b=c", "cn=a,,cn=b", "cn=<"] {
            assert_eq!(Name::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_escaped_is_read_again() {
        for value in ["a", " a b ", "#1", "a,b+c=\"d\";\\<>", "é 東", "x#\u{0}"] {
            let name = Name::read(&format!("uid={},dc=a", escaped(value))).unwrap();
            assert_eq!(name.0[0].only("uid"), Some(value));
            assert_eq!(name.below(&Name::read("dc=A").unwrap()).map(<[Part]>::len), Some(1));
        }
    }
}
