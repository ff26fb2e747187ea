//! Walks the tree of parts and says what each leaf is. Every limit is checked
//! before the memory that it guards is used.

use std::{mem, ops::Range};

use bytes::Bytes;

use super::{
    Limits, MessageError, Protection,
    body::{self, Encoding, Flow},
    cms::{self, Cms},
    fields::{Fields, Typed, line_end},
    part::{Disposition, Kind, Part},
    rules::{self, Head},
    tnef, uu,
};

/// All packed bodies of one message, unpacked, in octets.
const MAX_UNPACKED_BYTES: usize = 16 << 20;
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
        unpack: MAX_UNPACKED_BYTES,
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
    /// Octets that packed bodies may still become.
    unpack: usize,
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
        if place.parent == Parent::Message {
            self.top = Some((fields.clone(), kind.main.clone()));
        }
        let body = body_start..range.end;
        if is_cms(&fields, &kind) && self.signed(&fields, &kind, body.clone(), place)? {
            return Ok(());
        }
        self.note_protection(&kind);
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
        let is_message = matches!(kind.main.as_str(), "message/rfc822" | "message/global");
        if is_message || self.is_mail_file(&fields, &kind, body.clone()) {
            return self.forwarded(&fields, body, place.depth);
        }
        self.leaf(&fields, kind, body, place)
    }

    /// Whether a file of no particular type is a mail by its name and by its header. Drawn
    /// as text, what is attached to it would be a page of Base64.
    fn is_mail_file(&self, fields: &Fields, typed: &Typed, body: Range<usize>) -> bool {
        let name = name_of(fields, typed).unwrap_or_default();
        if typed.main != "application/octet-stream" || !name.to_ascii_lowercase().ends_with(EML) {
            return false;
        }
        let encoding = Encoding::named(fields.word("Content-Transfer-Encoding").as_deref());
        let inner = Bytes::from(body::decoded(&self.raw[body], encoding));
        let all = 0..inner.len();
        Fields::read(&inner, all, self.limits.max_headers_bytes)
            .is_some_and(|(head, _)| head.text("From").is_some())
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
        let start = mem::replace(&mut self.start, self.parts.len());
        let top = self.top.take();
        let walked = self.inside(inner, Place { depth: depth + 1, parent: Parent::Message });
        let first = mem::replace(&mut self.start, start);
        let inner = mem::replace(&mut self.top, top);
        walked?;
        let (fields, _) = inner.expect("the first entity is the message");
        rules::settle(&mut self.parts, first, Some(&Head::of(&fields)));
        Ok(())
    }

    /// Walks an entity that had to be taken out of something.
    fn inside(&mut self, entity: Bytes, place: Place) -> Result<(), MessageError> {
        let length = entity.len();
        let raw = mem::replace(&mut self.raw, entity);
        let walked = self.entity(0..length, place);
        self.raw = raw;
        walked
    }

    /// Takes what was signed out of its signature; false if that cannot be done.
    fn signed(
        &mut self,
        fields: &Fields,
        typed: &Typed,
        body: Range<usize>,
        place: Place,
    ) -> Result<bool, MessageError> {
        let encoding = Encoding::named(fields.word("Content-Transfer-Encoding").as_deref());
        let signed = match cms::read(&body::decoded(&self.raw[body], encoding)) {
            Cms::Signed(signed) => Bytes::from(signed),
            Cms::Enveloped => {
                self.protection = Protection::Encrypted;
                return Ok(false);
            }
            Cms::Other => return Ok(false),
        };
        if place.depth >= self.limits.max_depth {
            return Err(MessageError::TooDeep { limit: self.limits.max_depth });
        }
        let name = name_of(fields, typed).unwrap_or_default();
        let stem = name.len().checked_sub(P7M.len()).and_then(|end| name.get(..end));
        match stem.filter(|stem| stem.contains('.')) {
            // `contract.pdf.p7m` is the contract and its signature.
            Some(stem) => {
                self.add(Part { raw: signed, ..Part::of_file(Some(stem.to_owned())) })?;
            }
            // RFC 8551 3.5.2: an entity with its own header.
            None => self.inside(signed, Place { depth: place.depth + 1, parent: Parent::Mixed })?,
        }
        Ok(true)
    }

    /// Takes a `winmail.dat` apart; false if that cannot be done. Its words are the
    /// sender's where no part before it says the same.
    fn winmail(&mut self, part: &Part, depth: usize) -> Result<bool, MessageError> {
        let octets = Bytes::from(part.bytes().into_owned());
        let Some(message) = self.read_winmail(&octets) else { return Ok(false) };
        let said = !rules::words(&self.parts[self.start..]).is_empty();
        self.outlook(message, said, depth)?;
        Ok(true)
    }

    fn read_winmail(&mut self, octets: &Bytes) -> Option<tnef::Message> {
        tnef::read(octets, &mut self.unpack, self.limits.max_parts)
    }

    /// The parts of a message that Outlook wrote.
    fn outlook(
        &mut self,
        message: tnef::Message,
        said: bool,
        depth: usize,
    ) -> Result<(), MessageError> {
        if depth >= self.limits.max_depth {
            return Err(MessageError::TooDeep { limit: self.limits.max_depth });
        }
        let bodies = [
            (message.text, Kind::TextBody, "text/plain"),
            (message.html, Kind::HtmlBody, "text/html"),
        ];
        for (words, kind, content_type) in bodies {
            if let Some(words) = words {
                let kind = if said { Kind::Alternative } else { kind };
                let page = Part::of_words(String::new(), words);
                self.add(Part { kind, name: None, content_type: content_type.into(), ..page })?;
            }
        }
        for one in message.attachments {
            let name = one.name.as_deref().and_then(file_name);
            let inner = if one.is_message { self.read_winmail(&one.data) } else { None };
            let Some(mut inner) = inner else {
                let content_id = one.content_id.map(|id| bare_id(&id).to_owned());
                let mut part = Part { content_id, raw: one.data, ..Part::of_file(name) };
                if let Some(content_type) = one.content_type {
                    part.content_type = content_type.trim().to_ascii_lowercase();
                }
                self.add(part)?;
                continue;
            };
            let head = Head::from_values(mem::take(&mut inner.head));
            let start = mem::replace(&mut self.start, self.parts.len());
            let walked = self.outlook(inner, false, depth + 1);
            let first = mem::replace(&mut self.start, start);
            walked?;
            rules::settle(&mut self.parts, first, Some(&head));
        }
        Ok(())
    }

    fn add(&mut self, part: Part) -> Result<(), MessageError> {
        if self.parts.len() >= self.limits.max_parts {
            return Err(MessageError::TooManyParts { limit: self.limits.max_parts });
        }
        self.parts.push(part);
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
        let name = name_of(fields, &typed);
        let is_first_leaf = self.parts.len() == self.start;
        let is = |key: &str, word: &str| {
            typed.parameter(key).is_some_and(|value| value.eq_ignore_ascii_case(word))
        };
        let named = name.as_deref().filter(|_| !is_first_leaf);
        let part = Part {
            number: self.parts.len() + 1,
            kind: kind_of(&typed.main, disposition, named, place),
            within: None,
            said_better: false,
            is_text: false,
            disposition,
            name,
            content_id: fields.text("Content-ID").map(|id| bare_id(&id).to_owned()),
            charset: typed.parameter("charset").map(str::to_owned),
            flow: is("format", "flowed").then(|| Flow { delete_space: is("delsp", "yes") }),
            encoding: Encoding::named(fields.word("Content-Transfer-Encoding").as_deref()),
            content_type: typed.main,
            raw: self.raw.slice(body),
        };
        if tnef::is(&part.head()) && self.winmail(&part, place.depth)? {
            return Ok(());
        }
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

/// The ends of the names of signatures with their contents inside.
const P7M: &str = ".p7m";

/// The end of the names of mails that are files.
const EML: &str = ".eml";

/// Whether a part says that it is a CMS structure (RFC 8551 3.2).
fn is_cms(fields: &Fields, typed: &Typed) -> bool {
    match typed.main.as_str() {
        "application/pkcs7-mime" | "application/x-pkcs7-mime" => true,
        "application/octet-stream" => {
            let name = name_of(fields, typed).unwrap_or_default();
            name.to_ascii_lowercase().ends_with(P7M)
        }
        _ => false,
    }
}

fn name_of(fields: &Fields, typed: &Typed) -> Option<String> {
    let disposed = fields.typed("Content-Disposition");
    let name = disposed.as_ref().and_then(|typed| typed.parameter("filename"));
    name.or_else(|| typed.parameter("name")).and_then(file_name)
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
