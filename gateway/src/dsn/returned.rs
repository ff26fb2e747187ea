//! The part of a report that returns the message, or its header fields. The message
//! is never changed.
//!
//! Why a returned message may be cut to its header fields: the original cannot
//! be encoded (RFC 2046 5.2.1), so one with lines that no relay takes would
//! keep the whole report from arriving.

use std::{fs::File, io::Read};

use super::{Form, Original};
use crate::compose::{
    ComposeError, Source,
    encode::crlf_text,
    entity::{Content, Entity, each_chunk, unread},
};

/// Octets of header fields that are returned at most.
const MAX_RETURNED_HEADERS_BYTES: usize = 64 << 10;
/// Longest line of a message that is returned whole (RFC 5322 2.1.1).
const MAX_LINE_BYTES: usize = 998;

/// What is known of the message before anything of it is written.
pub(super) struct Returned {
    head: String,
    /// Whether a header field is in UTF-8 (RFC 6532).
    pub(super) is_international: bool,
}

impl Returned {
    pub(super) fn of(original: &Original) -> Result<Self, ComposeError> {
        let (Original::Headers(source) | Original::Full(source)) = original else {
            return Ok(Self { head: String::new(), is_international: false });
        };
        let head = head(source)?;
        // Other octets are of some old character set, and no header field of today.
        let is_international = !head.is_ascii() && std::str::from_utf8(&head).is_ok();
        Ok(Self { head: String::from_utf8_lossy(&head).into_owned(), is_international })
    }

    pub(super) fn part(
        &self,
        original: &Original,
        form: Form,
    ) -> Result<Option<Entity>, ComposeError> {
        match original {
            Original::None => Ok(None),
            Original::Headers(_) => Ok(Some(self.headers(form))),
            Original::Full(source) => match eight_bit_if_fit(source)? {
                Some(eight_bit) => {
                    let content = Content::Message { source: source.clone(), eight_bit };
                    let kind = match form {
                        Form::Ascii => "message/rfc822",
                        Form::International => "message/global",
                    };
                    Ok(Some(Entity::new(kind, content).described("Undelivered message")))
                }
                None => Ok(Some(self.headers(form))),
            },
        }
    }

    fn headers(&self, form: Form) -> Entity {
        let fits = self.head.lines().all(|line| line.len() <= MAX_LINE_BYTES);
        let part = match form {
            Form::International if fits => {
                Entity::new("message/global-headers", Content::Lines(crlf_text(&self.head)))
            }
            // A text may be encoded, and its lines are short then.
            _ => Entity::text("text/rfc822-headers", &self.head),
        };
        part.described("Header fields of the message")
    }
}

/// The header fields of the message, as far as they are returned.
fn head(source: &Source) -> Result<Vec<u8>, ComposeError> {
    let mut text = Vec::new();
    match source {
        Source::Bytes(octets) => {
            text.extend_from_slice(&octets[..octets.len().min(MAX_RETURNED_HEADERS_BYTES)]);
        }
        Source::File(path) => {
            let file = File::open(path).map_err(|cause| unread(path, cause))?;
            let mut file = file.take(MAX_RETURNED_HEADERS_BYTES as u64);
            file.read_to_end(&mut text).map_err(|cause| unread(path, cause))?;
        }
    }
    let mut end = 0;
    for line in text.split_inclusive(|&octet| octet == b'\n') {
        // The last line of a cut is no whole one.
        let cut = end + line.len() == MAX_RETURNED_HEADERS_BYTES && !line.ends_with(b"\n");
        if matches!(line, b"\r\n" | b"\n") || cut {
            break;
        }
        end += line.len();
    }
    text.truncate(end);
    Ok(text)
}

/// Whether the message has octets above 127; nothing when no relay would take
/// it as it is.
fn eight_bit_if_fit(source: &Source) -> Result<Option<bool>, ComposeError> {
    let (mut eight_bit, mut fit, mut line) = (false, true, 0);
    each_chunk(source, |chunk| {
        for &octet in chunk {
            line = if matches!(octet, b'\r' | b'\n') { 0 } else { line + 1 };
            eight_bit |= octet > 0x7f;
            fit &= octet != 0 && line <= MAX_LINE_BYTES;
        }
        Ok(())
    })?;
    Ok(fit.then_some(eight_bit))
}
