//! Header fields: folded, encoded (RFC 2047, RFC 2231), and safe against
//! values that try to add fields. Knows no bodies.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Zoned;

use super::ComposeError;
use crate::message::Mailbox;

/// Longest line that is written where there is a place to fold.
const LINE_CHARS: usize = 76;
/// Octets of text in one encoded word: 75 characters in all (RFC 2047 2).
const WORD_OCTETS: usize = 42;
/// A word longer than this is encoded, so that no line passes RFC 5322 2.1.1.
const PLAIN_WORD_CHARS: usize = 400;

/// Fields that only the composer writes.
const RESERVED: [&str; 9] = [
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "auto-submitted",
];

/// Header fields as they will stand in the mail.
#[derive(Debug, Default)]
pub(crate) struct Fields(String);

impl Fields {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(crate) fn append(&mut self, others: &Self) {
        self.0 += &others.0;
    }

    /// A value that the program itself chose: ASCII, short.
    pub(crate) fn raw(&mut self, name: &str, value: &str) {
        debug_assert!(value.bytes().all(|octet| (b' '..0x7f).contains(&octet)));
        self.0 += &format!("{name}: {value}\r\n");
    }

    /// An unstructured value from anywhere.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        let value = one_line(value);
        let encoded = if is_plain(&value) { value } else { encoded_words(&value) };
        self.folded(name, &encoded);
    }

    /// A field that the caller named.
    pub(crate) fn added(&mut self, name: &str, value: &str) -> Result<(), ComposeError> {
        let graphic = |octet: u8| octet.is_ascii_graphic() && octet != b':';
        let reserved = RESERVED.iter().any(|one| one.eq_ignore_ascii_case(name));
        if name.is_empty() || name.len() > LINE_CHARS || reserved || !name.bytes().all(graphic) {
            return Err(ComposeError::FieldName(name.to_owned()));
        }
        self.text(name, value);
        Ok(())
    }

    pub(crate) fn date(&mut self, name: &str, date: &Zoned) {
        self.raw(name, &date_text(date));
    }

    pub(crate) fn id(&mut self, name: &'static str, id: &str) -> Result<(), ComposeError> {
        let id = address(name, id)?;
        self.folded(name, &format!("<{id}>"));
        Ok(())
    }

    pub(crate) fn mailbox(&mut self, name: &'static str, to: &Mailbox) -> Result<(), ComposeError> {
        let address = mail_address(name, &to.address)?;
        let shown = to.name.as_deref().map(one_line).filter(|shown| !shown.is_empty());
        let value = match shown {
            None => address.to_owned(),
            Some(shown) => format!("{} <{address}>", phrase(&shown)),
        };
        self.folded(name, &value);
        Ok(())
    }

    /// A value with parameters, such as `Content-Type`.
    pub(crate) fn typed(&mut self, name: &str, main: &str, parameters: &[(&str, String)]) {
        self.0 += &format!("{name}: {}", ascii(main));
        for (key, value) in parameters {
            parameter(&mut self.0, key, &one_line(value));
        }
        self.0 += "\r\n";
    }

    /// Breaks the value at spaces. It is one line of ASCII by now.
    pub(crate) fn folded(&mut self, name: &str, value: &str) {
        self.0 += name;
        self.0 += ":";
        let mut column = name.len() + 1;
        for word in value.split(' ') {
            if column > name.len() + 1 && column + word.len() >= LINE_CHARS && !word.is_empty() {
                self.0 += "\r\n";
                column = 0;
            }
            self.0 += " ";
            self.0 += word;
            column += word.len() + 1;
        }
        self.0 += "\r\n";
    }
}

/// A date with its numeric zone (RFC 5322 3.3).
pub(crate) fn date_text(date: &Zoned) -> String {
    jiff::fmt::rfc2822::to_string(date).expect("every year that a clock shows has four digits")
}

/// The text on one line: controls become spaces, runs of spaces one space.
pub(crate) fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_control() || c == ' ');
    words.filter(|word| !word.is_empty()).collect::<Vec<&str>>().join(" ")
}

/// The text in seven bits, on one line; what does not fit becomes `?`.
pub(crate) fn ascii(text: &str) -> String {
    one_line(text).chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

fn address<'a>(field: &'static str, text: &'a str) -> Result<&'a str, ComposeError> {
    if text.is_ascii() { mail_address(field, text) } else { Err(ComposeError::Address { field }) }
}

/// An address may be in UTF-8, which makes its mail one that only goes where such
/// addresses are known (RFC 6532 3.2).
fn mail_address<'a>(field: &'static str, text: &'a str) -> Result<&'a str, ComposeError> {
    let bad = |c: char| c.is_control() || matches!(c, '<' | '>');
    let spaced = !text.starts_with('"') && text.contains(' ');
    let long = text.len() > PLAIN_WORD_CHARS;
    if text.is_empty() || long || spaced || text.contains(bad) {
        return Err(ComposeError::Address { field });
    }
    Ok(text)
}

fn is_plain(text: &str) -> bool {
    text.is_ascii()
        && !text.contains("=?")
        && text.split(' ').all(|word| word.len() <= PLAIN_WORD_CHARS)
}

fn phrase(name: &str) -> String {
    if !is_plain(name) {
        return encoded_words(name);
    }
    let atom = |c: char| c.is_ascii_alphanumeric() || " !#$%&'*+-/=?^_`{|}~".contains(c);
    if name.chars().all(atom) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Encoded words of at most 75 characters, none with half a character.
fn encoded_words(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut chunk = String::new();
    let mut flush = |chunk: &mut String| {
        if !chunk.is_empty() {
            words.push(encoded_word(chunk));
            chunk.clear();
        }
    };
    for c in text.chars() {
        if chunk.len() + c.len_utf8() > WORD_OCTETS {
            flush(&mut chunk);
        }
        chunk.push(c);
    }
    flush(&mut chunk);
    words.join(" ")
}

fn encoded_word(chunk: &str) -> String {
    let mut quoted = String::new();
    for octet in chunk.bytes() {
        match octet {
            b' ' => quoted.push('_'),
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'*' | b'+' | b'-' | b'/' => {
                quoted.push(char::from(octet));
            }
            _ => quoted += &format!("={octet:02X}"),
        }
    }
    let base64 = STANDARD.encode(chunk);
    if quoted.len() <= base64.len() {
        format!("=?UTF-8?Q?{quoted}?=")
    } else {
        format!("=?UTF-8?B?{base64}?=")
    }
}

/// Writes one parameter on a line of its own, by RFC 2231 where quotes do not do.
fn parameter(out: &mut String, key: &str, value: &str) {
    if value.is_ascii() && value.len() + key.len() < LINE_CHARS - 6 {
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        *out += &format!(";\r\n {key}=\"{quoted}\"");
        return;
    }
    let pieces = percent_pieces(value, LINE_CHARS - key.len() - 20);
    if let [only] = pieces.as_slice() {
        *out += &format!(";\r\n {key}*=UTF-8''{only}");
        return;
    }
    for (index, piece) in pieces.iter().enumerate() {
        let charset = if index == 0 { "UTF-8''" } else { "" };
        *out += &format!(";\r\n {key}*{index}*={charset}{piece}");
    }
}

/// Pieces that hold whole characters, since readers decode them one by one.
fn percent_pieces(value: &str, size: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for c in value.chars() {
        let text: String = match c {
            '0'..='9' | 'a'..='z' | 'A'..='Z' | '-' | '_' | '.' => c.to_string(),
            _ => c.to_string().bytes().map(|octet| format!("%{octet:02X}")).collect(),
        };
        let last = pieces.last_mut().expect("there is always one piece");
        if last.len() + text.len() > size {
            pieces.push(text);
        } else {
            *last += &text;
        }
    }
    pieces
}
