//! XML as far as WebDAV needs it: bodies become a small tree whose names are resolved, and
//! answers become text. Knows no property and no method.
//!
//! Why no entities and no DTD (RFC 4918 20.6): a few bytes of them grow without limit, or
//! fetch something from elsewhere. A body that has any is refused.

use std::{borrow::Cow, fmt::Write as _};

use quick_xml::{
    NsReader,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
    name::ResolveResult,
};

/// WebDAV (RFC 4918 14).
pub(super) const DAV: &str = "DAV:";
/// CardDAV (RFC 6352 10).
pub(super) const CARD: &str = "urn:ietf:params:xml:ns:carddav";
/// What calendar servers agreed on: `getctag`.
pub(super) const SERVER: &str = "http://calendarserver.org/ns/";

/// Elements inside each other, at most.
const MAX_DEPTH: usize = 24;
/// Elements of a body, at most: some ask for all cards of the book by name at once.
const MAX_ELEMENTS: usize = 250_000;
/// Attributes of an element, at most.
const MAX_ATTRIBUTES: usize = 16;

/// A name in its namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub(super) space: Cow<'static, str>,
    pub(super) local: Cow<'static, str>,
}

impl Name {
    pub(super) const fn new(space: &'static str, local: &'static str) -> Self {
        Self { space: Cow::Borrowed(space), local: Cow::Borrowed(local) }
    }

    /// Whether it is this one.
    pub(super) fn is(&self, space: &str, local: &str) -> bool {
        self.space == space && self.local == local
    }
}

/// An element with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: Name,
    /// Those without a namespace.
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Element>,
    /// The text that stands in it, not that of its children.
    pub(super) text: String,
}

impl Element {
    /// Its first child of this name.
    pub(super) fn child(&self, space: &str, local: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name.is(space, local))
    }

    /// All its children of this name.
    pub(super) fn all<'e>(
        &'e self,
        space: &'e str,
        local: &'e str,
    ) -> impl Iterator<Item = &'e Self> {
        self.children.iter().filter(move |child| child.name.is(space, local))
    }

    /// The value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Why a body is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadXml {
    /// Not well-formed, not UTF-8, a prefix that was not declared.
    #[error("the body is no well-formed XML in UTF-8: {0}")]
    Malformed(String),
    /// A DTD, or an entity that is not one of the five.
    #[error("a body may have no DTD and no entities of its own")]
    Entity,
    /// More than anybody needs.
    #[error("the body has too many elements: {MAX_ELEMENTS}, {MAX_DEPTH} inside each other")]
    TooMuch,
    /// Nothing.
    #[error("the body is empty")]
    Empty,
}

fn malformed(why: impl ToString) -> BadXml {
    BadXml::Malformed(why.to_string())
}

/// Reads a body.
///
/// # Errors
/// [`BadXml`] says what would be right.
pub(super) fn read(body: &[u8]) -> Result<Element, BadXml> {
    let text = std::str::from_utf8(body).map_err(malformed)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(BadXml::Empty);
    }
    let mut reader = NsReader::from_str(text);
    let (mut open, mut root, mut count) = (Vec::<Element>::new(), None, 0_usize);
    loop {
        let event = reader.read_event().map_err(malformed)?;
        match event {
            Event::Start(ref start) | Event::Empty(ref start) => {
                count += 1;
                if count > MAX_ELEMENTS || open.len() >= MAX_DEPTH {
                    return Err(BadXml::TooMuch);
                }
                if root.is_some() {
                    return Err(malformed("there is something behind the end"));
                }
                let element = begun(&reader, start)?;
                match event {
                    Event::Start(_) => open.push(element),
                    _ => close(&mut open, &mut root, element),
                }
            }
            Event::End(_) => {
                let element = open.pop().ok_or_else(|| malformed("an end without a beginning"))?;
                close(&mut open, &mut root, element);
            }
            Event::Text(text) => said(&mut open, &text.decode().map_err(malformed)?)?,
            Event::CData(text) => said(&mut open, &text.decode().map_err(malformed)?)?,
            Event::GeneralRef(entity) => {
                let text = match entity.resolve_char_ref().map_err(malformed)? {
                    Some(letter) => letter.to_string(),
                    None => {
                        let name = entity.decode().map_err(malformed)?;
                        resolve_predefined_entity(&name).ok_or(BadXml::Entity)?.to_owned()
                    }
                };
                said(&mut open, &text)?;
            }
            Event::DocType(_) => return Err(BadXml::Entity),
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            Event::Eof => break,
        }
    }
    if !open.is_empty() {
        return Err(malformed("an element has no end"));
    }
    root.ok_or(BadXml::Empty)
}

fn begun(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Element, BadXml> {
    let (space, local) = reader.resolver().resolve_element(start.name());
    let name = Name { space: space_of(&space)?, local: owned(local.as_ref())?.into() };
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(malformed)?;
        if attribute.key.as_namespace_binding().is_some() || attribute.key.prefix().is_some() {
            continue;
        }
        if attributes.len() >= MAX_ATTRIBUTES {
            return Err(BadXml::TooMuch);
        }
        let raw = owned(&attribute.value)?;
        let value = quick_xml::escape::unescape(&raw).map_err(|_| BadXml::Entity)?;
        attributes.push((owned(attribute.key.as_ref())?, value.into_owned()));
    }
    Ok(Element { name, attributes, children: Vec::new(), text: String::new() })
}

fn space_of(space: &ResolveResult<'_>) -> Result<Cow<'static, str>, BadXml> {
    match space {
        ResolveResult::Bound(space) => Ok(match unescaped(owned(space.as_ref())?)? {
            space if space == DAV => DAV.into(),
            space if space == CARD => CARD.into(),
            space if space == SERVER => SERVER.into(),
            space => space.into(),
        }),
        ResolveResult::Unbound => Ok("".into()),
        ResolveResult::Unknown(_) => Err(malformed("a prefix has no namespace")),
    }
}

/// What an attribute says (RFC 4918 has no entities but the five).
fn unescaped(text: String) -> Result<String, BadXml> {
    let plain = quick_xml::escape::unescape(&text).map_err(|_| BadXml::Entity)?;
    Ok(plain.into_owned())
}

fn owned(bytes: &[u8]) -> Result<String, BadXml> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(malformed)
}

fn close(open: &mut [Element], root: &mut Option<Element>, element: Element) {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = Some(element),
    }
}

fn said(open: &mut [Element], text: &str) -> Result<(), BadXml> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(malformed("there is text outside of the elements")),
    }
    Ok(())
}

/// Whether a letter may stand in XML 1.0 (2.2).
fn may_stand(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}') || matches!(c, '\t' | '\n' | '\r')
}

/// Text as it stands between tags, and in quotes. A carriage return is written as a
/// reference: else readers make a line feed of it (XML 1.0 2.11).
pub(super) fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            c if may_stand(c) => out.push(c),
            _ => {}
        }
    }
}

/// What every answer begins with.
pub(super) const HEAD: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";
/// The prefixes that every answer uses.
pub(super) const SPACES: &str = " xmlns:d=\"DAV:\" xmlns:card=\"urn:ietf:params:xml:ns:carddav\" \
                                 xmlns:cs=\"http://calendarserver.org/ns/\"";

/// Writes an element with a body that is XML already; a name of a foreign namespace
/// brings its own declaration.
pub(super) fn write(name: &Name, body: &str, out: &mut String) {
    let prefix = match &*name.space {
        DAV => "d:",
        CARD => "card:",
        SERVER => "cs:",
        "" => "",
        _ => "x:",
    };
    let local = &name.local;
    let _ = write!(out, "<{prefix}{local}");
    if prefix == "x:" {
        out.push_str(" xmlns:x=\"");
        escape(&name.space, out);
        out.push('"');
    }
    match body {
        "" => out.push_str("/>"),
        _ => drop(write!(out, ">{body}</{prefix}{local}>")),
    }
}

/// `<d:href>`.
pub(super) fn href(path: &str, out: &mut String) {
    out.push_str("<d:href>");
    escape(path, out);
    out.push_str("</d:href>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_resolved_and_texts_read() {
        let tree = read(
            "<?xml version=\"1.0\"?><a:propfind xmlns:a='DAV:' xmlns='urn:x'><a:prop><b/>\
             <c:d xmlns:c=\"urn:ietf:params:xml:ns:carddav\" name=\"a&amp;b\" c:x='1'>1 &lt; 2 &#65;\
             <![CDATA[<&>]]></c:d></a:prop></a:propfind>"
                .as_bytes(),
        )
        .unwrap();
        assert!(tree.name.is(DAV, "propfind"));
        let prop = tree.child(DAV, "prop").unwrap();
        assert!(prop.children[0].name.is("urn:x", "b"));
        let card = prop.child(CARD, "d").unwrap();
        assert_eq!(card.attribute("name"), Some("a&b"));
        assert_eq!((card.attributes.len(), card.text.as_str()), (1, "1 < 2 A<&>"));
    }

    #[test]
    fn what_could_hurt_is_refused() {
        let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
        let wide = format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS));
        for (body, wants) in [
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".to_owned(), BadXml::Entity),
            ("<a>&b;</a>".to_owned(), BadXml::Entity),
            ("<a b='&c;'/>".to_owned(), BadXml::Entity),
            (deep(MAX_DEPTH + 1), BadXml::TooMuch),
            (wide, BadXml::TooMuch),
            (" ".to_owned(), BadXml::Empty),
        ] {
            assert_eq!(read(body.as_bytes()).unwrap_err(), wants);
        }
        for body in ["<a>", "<a></b>", "</a>", "<x:a/>", "<a/>b", "<a/><b/>", "a", "<a b=1/>"] {
            assert!(matches!(read(body.as_bytes()), Err(BadXml::Malformed(_))), "{body}");
        }
        assert!(read(&deep(MAX_DEPTH).into_bytes()).is_ok());
        assert!(matches!(read(b"<a>\xff</a>"), Err(BadXml::Malformed(_))));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut out = String::new();
        let mut body = String::new();
        escape("a<b>&\"c\"\r\n\u{1}d", &mut body);
        write(&Name { space: "urn:\"x".into(), local: "odd".into() }, &body, &mut out);
        let tree = read(out.as_bytes()).unwrap();
        assert!(tree.name.is("urn:\"x", "odd"), "{out}");
        assert_eq!(tree.text, "a<b>&\"c\"\r\nd");
    }
}
