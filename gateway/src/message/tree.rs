//! Walks the tree of parts and says what each leaf is. Every limit is checked
//! before the memory that it guards is used.

use std::{mem, ops::Range};

use bytes::Bytes;

use super::{
    Limits, MessageError, Protection,
    body::{self, Encoding, Flow},
    fields::{Fields, Typed, line_end},
    part::{Disposition, Kind, Part},
    rules, uu,
};

/// Longest file name that is kept, in characters.
const MAX_NAME_CHARS: usize = 200;

/// A message taken apart.
pub(super) struct Tree {
    pub(super) fields: Fields,
    pub(super) content_type: String,
    pub(super) protection: Protection,
    pub(super) parts: Vec<Part>,
}

/// Takes `raw` apart.
pub(super) fn read(raw: &Bytes, limits: &Limits) -> Result<Tree, MessageError> {
    let mut walk = Walk {
        raw: raw.clone(),
        limits,
        headers_bytes: 0,
        protection: Protection::None,
        parts: Vec::new(),
        start: 0,
        top: None,
    };
    walk.entity(0..raw.len(), Place { depth: 0, parent: Parent::Message })?;
    let (fields, content_type) = walk.top.expect("the first entity is the message");
    let (protection, mut parts) = (walk.protection, walk.parts);
    rules::settle(&mut parts, 0, None);
    for (number, part) in (1..).zip(&mut parts) {
        part.number = number;
    }
    Ok(Tree { fields, content_type, protection, parts })
}

/// The multipart in which a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parent {
    Message,
    Mixed,
    Alternative,
    Digest,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    depth: usize,
    parent: Parent,
}

struct Walk<'a> {
    /// The message that is being walked; a forwarded one while that lasts.
    raw: Bytes,
    limits: &'a Limits,
    headers_bytes: usize,
    protection: Protection,
    parts: Vec<Part>,
    /// How many parts stood before the first one of `raw`.
    start: usize,
    top: Option<(Fields, String)>,
}

impl Walk<'_> {
    fn entity(&mut self, range: Range<usize>, place: Place) -> Result<(), MessageError> {
        let allowed = self.limits.max_headers_bytes - self.headers_bytes;
        let (fields, body_start) = Fields::read(&self.raw, range.clone(), allowed)
            .ok_or(MessageError::HeadersTooLarge { limit: self.limits.max_headers_bytes })?;
        self.headers_bytes += body_start - range.start;
        let fallback = if place.parent == Parent::Digest { "message/rfc822" } else { "text/plain" };
        let mut kind = fields.typed("Content-Type").unwrap_or_default();
        if !kind.main.contains('/') {
            kind.main = fallback.to_owned();
        }
        self.note_protection(&kind);
        if place.parent == Parent::Message {
            self.top = Some((fields.clone(), kind.main.clone()));
        }
        let body = body_start..range.end;
        if let Some(subtype) = kind.main.strip_prefix("multipart/")
            && let Some(boundary) = kind.parameter("boundary").filter(|text| !text.is_empty())
        {
            let parent = match subtype {
                "alternative" => Parent::Alternative,
                "digest" => Parent::Digest,
                _ => Parent::Mixed,
            };
            if self.children(body.clone(), boundary.as_bytes(), parent, place.depth)? {
                return Ok(());
            }
        }
        if matches!(kind.main.as_str(), "message/rfc822" | "message/global") {
            return self.forwarded(&fields, body, place.depth);
        }
        self.leaf(&fields, kind, body, place)
    }

    /// Walks a message within the message: its words and what was attached to it
    /// become attachments of the outer one.
    fn forwarded(
        &mut self,
        fields: &Fields,
        body: Range<usize>,
        depth: usize,
    ) -> Result<(), MessageError> {
        if depth >= self.limits.max_depth {
            return Err(MessageError::TooDeep { limit: self.limits.max_depth });
        }
        // RFC 2046 5.2.1 forbids an encoding here, RFC 6532 3.5 permits it, and
        // some programs never asked.
        let encoding = Encoding::named(fields.word("Content-Transfer-Encoding").as_deref());
        let inner = match encoding {
            Encoding::Identity => self.raw.slice(body),
            _ => body::decoded(&self.raw[body], encoding).into(),
        };
        let length = inner.len();
        let raw = mem::replace(&mut self.raw, inner);
        let start = mem::replace(&mut self.start, self.parts.len());
        let top = self.top.take();
        let walked = self.entity(0..length, Place { depth: depth + 1, parent: Parent::Message });
        self.raw = raw;
        let first = mem::replace(&mut self.start, start);
        let inner = mem::replace(&mut self.top, top);
        walked?;
        let (fields, _) = inner.expect("the first entity is the message");
        rules::settle(&mut self.parts, first, Some(&fields));
        Ok(())
    }

    /// Reads the parts between the delimiters (RFC 2046 5.1.1); false if there
    /// is not one of them.
    fn children(
        &mut self,
        body: Range<usize>,
        boundary: &[u8],
        parent: Parent,
        depth: usize,
    ) -> Result<bool, MessageError> {
        if depth >= self.limits.max_depth {
            return Err(MessageError::TooDeep { limit: self.limits.max_depth });
        }
        let before = self.parts.len();
        let mut open: Option<usize> = None;
        let mut at = body.start;
        while at < body.end {
            let next = line_end(&self.raw[..body.end], at);
            if let Some(closes) = delimiter(&self.raw[at..next], boundary) {
                if let Some(start) = open {
                    let end = before_line_end(&self.raw, start, at);
                    self.entity(start..end, Place { depth: depth + 1, parent })?;
                }
                open = Some(next);
                if closes {
                    open = None;
                    break;
                }
            }
            at = next;
        }
        // A message that was cut off has no closing delimiter.
        if let Some(start) = open.filter(|start| *start < body.end) {
            self.entity(start..body.end, Place { depth: depth + 1, parent })?;
        }
        if parent == Parent::Alternative {
            rules::choose_form(&mut self.parts[before..]);
        }
        Ok(self.parts.len() > before)
    }

    fn leaf(
        &mut self,
        fields: &Fields,
        typed: Typed,
        body: Range<usize>,
        place: Place,
    ) -> Result<(), MessageError> {
        if self.parts.len() >= self.limits.max_parts {
            return Err(MessageError::TooManyParts { limit: self.limits.max_parts });
        }
        let disposed = fields.typed("Content-Disposition");
        let disposition = match disposed.as_ref().map(|typed| typed.main.as_str()) {
            None | Some("") => Disposition::None,
            Some("inline") => Disposition::Inline,
            Some(_) => Disposition::Attachment,
        };
        let name = disposed.as_ref().and_then(|typed| typed.parameter("filename"));
        let name = name.or_else(|| typed.parameter("name")).and_then(file_name);
        let is_first_leaf = self.parts.len() == self.start;
        let is = |key: &str, word: &str| {
            typed.parameter(key).is_some_and(|value| value.eq_ignore_ascii_case(word))
        };
        let named = name.as_deref().filter(|_| !is_first_leaf);
        let part = Part {
            number: self.parts.len() + 1,
            kind: kind_of(&typed.main, disposition, named, place),
            said_better: false,
            disposition,
            name,
            content_id: fields.text("Content-ID").map(|id| bare_id(&id).to_owned()),
            charset: typed.parameter("charset").map(str::to_owned),
            flow: is("format", "flowed").then(|| Flow { delete_space: is("delsp", "yes") }),
            encoding: Encoding::named(fields.word("Content-Transfer-Encoding").as_deref()),
            content_type: typed.main,
            raw: self.raw.slice(body),
        };
        let files = if part.kind == Kind::TextBody { uu::take_files(&part) } else { None };
        match files {
            Some((text, files)) => {
                self.parts.push(text);
                self.parts.extend(files);
            }
            None => self.parts.push(part),
        }
        if self.parts.len() > self.limits.max_parts {
            return Err(MessageError::TooManyParts { limit: self.limits.max_parts });
        }
        Ok(())
    }

    fn note_protection(&mut self, typed: &Typed) {
        let found = match typed.main.as_str() {
            "multipart/encrypted" => Protection::Encrypted,
            "application/pkcs7-mime" | "application/x-pkcs7-mime" => {
                match typed.parameter("smime-type") {
                    Some(kind) if kind.eq_ignore_ascii_case("signed-data") => Protection::Opaque,
                    _ => Protection::Encrypted,
                }
            }
            _ => return,
        };
        self.protection = found;
    }
}

/// `named` is the file name of a part that does not open its message.
fn kind_of(main: &str, disposition: Disposition, named: Option<&str>, place: Place) -> Kind {
    let attached = disposition == Disposition::Attachment;
    match main {
        "application/pkcs7-signature"
        | "application/x-pkcs7-signature"
        | "application/pgp-signature" => Kind::Signature,
        _ if named.is_some_and(|name| name.to_ascii_lowercase().ends_with(".p7s")) => {
            Kind::Signature
        }
        "text/plain" if !attached && named.is_none() => Kind::TextBody,
        "text/html" if !attached && named.is_none() => Kind::HtmlBody,
        _ if place.parent == Parent::Alternative && !attached && main.starts_with("text/") => {
            Kind::Alternative
        }
        _ => Kind::Attachment,
    }
}

/// Whether the line is a delimiter of `boundary`, and whether it is the last.
fn delimiter(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    let (rest, closes) = rest.strip_prefix(b"--").map_or((rest, false), |rest| (rest, true));
    rest.trim_ascii().is_empty().then_some(closes)
}

/// The line end before a delimiter belongs to the delimiter.
fn before_line_end(raw: &[u8], start: usize, at: usize) -> usize {
    let part = &raw[start..at];
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    start + part.strip_suffix(b"\r").unwrap_or(part).len()
}

/// A name that can stand in a folder and in a sentence.
pub(super) fn file_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    let kept = kept.trim();
    (!kept.is_empty() && kept != "." && kept != "..").then(|| kept.to_owned())
}

pub(super) fn bare_id(id: &str) -> &str {
    id.trim().trim_start_matches('<').trim_end_matches('>')
}
