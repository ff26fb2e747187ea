//! Header fields: where they stand, and their values decoded when asked for.
//! Judges nothing about the message.

use std::ops::Range;

use bytes::Bytes;
use mail_parser::{HeaderValue, parsers::MessageStream};

use super::{Mailbox, body};

/// The header fields of a message or of a part, as slices of the message.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<(String, Bytes)>);

/// A media type or a disposition with its parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Typed {
    /// In lower case: `image/tiff`, `attachment`.
    pub(super) main: String,
    parameters: Vec<(String, String)>,
}

impl Typed {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl Fields {
    /// Reads the fields that begin at `range.start`; returns them and where the
    /// body begins, or nothing when they take more than `limit` octets. A line
    /// that is no field ends them, as an empty one does.
    pub(super) fn read(raw: &Bytes, range: Range<usize>, limit: usize) -> Option<(Self, usize)> {
        let mut found: Vec<(String, Range<usize>)> = Vec::new();
        let mut at = range.start;
        while at < range.end && at - range.start <= limit {
            let next = line_end(&raw[..range.end], at);
            let line = &raw[at..next];
            if matches!(line, b"\r\n" | b"\n") {
                at = next;
                break;
            }
            if matches!(line[0], b' ' | b'\t') {
                match found.last_mut() {
                    Some((_, value)) => value.end = next,
                    None => break,
                }
            } else if let Some(colon) = field_name(line) {
                let name = String::from_utf8_lossy(line[..colon].trim_ascii_end()).into_owned();
                found.push((name, at + colon + 1..next));
            } else if !(found.is_empty() && line.starts_with(b"From ")) {
                break;
            }
            at = next;
        }
        if at - range.start > limit {
            return None;
        }
        let fields = found.into_iter().map(|(name, value)| (name, raw.slice(value))).collect();
        Some((Self(fields), at))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The values of all fields of the name, unfolded but not decoded.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = Vec<u8>> {
        self.0.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| unfold(v))
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.all(name).next().map(|value| decoded(&value))
    }

    /// The value up to the first `;` or comment, in lower case.
    pub(super) fn word(&self, name: &str) -> Option<String> {
        let value = self.text(name)?;
        let word = value.split([';', '(', ' ', '\t']).find(|word| !word.is_empty())?;
        Some(word.to_ascii_lowercase())
    }

    pub(super) fn starting_with(&self, prefix: &str) -> Vec<(String, String)> {
        let begins = |name: &str| {
            name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        };
        let matching = self.0.iter().filter(|(name, _)| begins(name));
        matching.map(|(name, value)| (name.clone(), decoded(&unfold(value)))).collect()
    }

    pub(super) fn mailboxes(&self, name: &str) -> Vec<Mailbox> {
        let mut found = Vec::new();
        for mut value in self.all(name) {
            value.push(b'\n');
            if let HeaderValue::Address(list) = MessageStream::new(&value).parse_address() {
                found.extend(list.iter().filter_map(|one| {
                    let address = one.address.as_ref()?.trim().to_owned();
                    let name = one.name.as_ref().map(|name| printable(name));
                    Some(Mailbox { name: name.filter(|name| !name.is_empty()), address })
                }));
            }
        }
        found
    }

    pub(super) fn date(&self, name: &str) -> Option<jiff::Timestamp> {
        let mut value = self.all(name).next()?;
        value.push(b'\n');
        match MessageStream::new(&value).parse_date() {
            HeaderValue::DateTime(date) if date.is_valid() => {
                jiff::Timestamp::from_second(date.to_timestamp()).ok()
            }
            _ => None,
        }
    }

    pub(super) fn typed(&self, name: &str) -> Option<Typed> {
        let value = self.all(name).next()?;
        let mut value = without_space_after_equals(&value);
        value.push(b'\n');
        let HeaderValue::ContentType(typed) = MessageStream::new(&value).parse_content_type()
        else {
            return None;
        };
        let main = match &typed.c_subtype {
            Some(subtype) => format!("{}/{subtype}", typed.c_type),
            None => typed.c_type.to_string(),
        };
        let attributes = typed.attributes.unwrap_or_default();
        let parameters =
            attributes.into_iter().map(|one| (one.name.into_owned(), decoded_again(&one.value)));
        Some(Typed { main: main.trim().to_ascii_lowercase(), parameters: parameters.collect() })
    }
}

/// Whether a `Received` field says `by host`.
pub(super) fn received_by(value: &[u8], host: &str) -> bool {
    let value = String::from_utf8_lossy(value);
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    words.windows(2).any(|pair| {
        let name = pair[1].trim_end_matches([';', '.']);
        pair[0].eq_ignore_ascii_case("by") && name.eq_ignore_ascii_case(host)
    })
}

/// Where the line that begins at `at` ends, its line end included.
pub(super) fn line_end(raw: &[u8], at: usize) -> usize {
    raw[at..].iter().position(|&octet| octet == b'\n').map_or(raw.len(), |found| at + found + 1)
}

fn field_name(line: &[u8]) -> Option<usize> {
    let colon = line.iter().position(|&octet| octet == b':')?;
    let name = line[..colon].trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(colon)
}

/// The value on one line, in UTF-8 (RFC 6532): octets that are not are Windows
/// letters, which old programs write without saying so.
fn unfold(value: &[u8]) -> Vec<u8> {
    let kept = value.iter().filter(|octet| !matches!(octet, b'\r' | b'\n'));
    let kept = kept.copied().collect::<Vec<u8>>().trim_ascii().to_vec();
    if std::str::from_utf8(&kept).is_ok() {
        kept
    } else {
        body::characters(&kept, None).into_bytes()
    }
}

/// `filename=` folded before its value comes out of unfolding with a space
/// there, and the parser would then lose the value.
fn without_space_after_equals(value: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(value.len() + 1);
    let mut quoted = false;
    let mut escaped = false;
    for &octet in value {
        let after_equals = !quoted && kept.last() == Some(&b'=');
        if after_equals && matches!(octet, b' ' | b'\t') {
            continue;
        }
        if octet == b'"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && octet == b'\\' && !escaped;
        kept.push(octet);
    }
    kept
}

fn decoded(value: &[u8]) -> String {
    let mut line = value.to_vec();
    line.push(b'\n');
    match MessageStream::new(&line).parse_unstructured() {
        HeaderValue::Text(text) => printable(&text),
        HeaderValue::TextList(texts) => printable(&texts.join(" ")),
        _ => String::new(),
    }
}

/// Many clients put encoded words into quoted parameters, which RFC 2047 5
/// forbids and everybody reads.
fn decoded_again(value: &str) -> String {
    if value.contains("=?") { decoded(value.as_bytes()) } else { printable(value) }
}

fn printable(text: &str) -> String {
    let spaced = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    spaced.collect::<String>().trim().to_owned()
}
