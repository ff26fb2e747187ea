//! What the parts of one message are to each other, once all of them are known: the
//! rules that the module above lists. Knows no limits and reads no tree.

use std::collections::HashSet;

use super::{
    card,
    fields::Fields,
    html,
    part::{Disposition, Kind, Part},
    picture, tree,
};

/// Types that programs add for other programs.
const ACCESSORIES: [&str; 7] = [
    "text/vcard",
    "text/x-vcard",
    "text/directory",
    "text/calendar",
    "application/ics",
    "application/pgp-keys",
    "application/applefile",
];

/// The same by the ends of their names, for programs that know no types.
const ACCESSORY_NAMES: [&str; 3] = [".vcf", ".ics", ".vcs"];

/// What opens the page of a forwarded message.
const HEAD: [&str; 5] = ["From", "Date", "To", "Cc", "Subject"];

/// The head of a message that stands within another.
pub(super) struct Head(Vec<(&'static str, String)>);

impl Head {
    /// Of the fields that a reader wants, those that say something.
    pub(super) fn of(fields: &Fields) -> Self {
        let there = HEAD.iter().filter_map(|name| Some((*name, fields.text(name)?)));
        Self(there.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// Of names and values.
    pub(super) fn from_values(values: Vec<(&'static str, String)>) -> Self {
        Self(values)
    }

    /// What the message is called.
    fn subject(&self) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == "Subject").map(|(_, value)| value.as_str())
    }
}

/// Longest subject that tells where a part stood, in characters.
const MAX_WITHIN_CHARS: usize = 60;

/// Settles what the parts from `start` on are, which are those of one message;
/// `forwarded` is the head of one that stands within another.
pub(super) fn settle(parts: &mut Vec<Part>, start: usize, forwarded: Option<&Head>) {
    let own = &mut parts[start..];
    mark_inline(own);
    let text = words(own);
    let says_something = !text.is_empty();
    mark_accessories(own, says_something);
    own.iter_mut().for_each(spell_out);
    let mut pictures = false;
    if !own.iter().any(|part| part.kind == Kind::Attachment) {
        for part in own.iter_mut().filter(|part| part.kind == Kind::Inline) {
            if !says_something || picture::is_large(&part.head()) {
                part.kind = Kind::Attachment;
                pictures = true;
            }
        }
    }
    if let Some(head) = forwarded {
        let subject = head.subject().map(str::trim).filter(|subject| !subject.is_empty());
        let within: String = subject.unwrap_or("").chars().take(MAX_WITHIN_CHARS).collect();
        // One that stands deeper has been told where.
        let own = parts[start..].iter_mut().filter(|part| part.within.is_none());
        own.for_each(|part| part.within = Some(within.clone()));
    }
    let page = match forwarded {
        Some(head) if says_something => Some(forwarded_page(head, &text)),
        None if says_something && pictures => {
            Some(Part { is_text: true, ..Part::of_words("the text".into(), text) })
        }
        _ => None,
    };
    if let Some(page) = page {
        replace_bodies(parts, start, page, forwarded.is_some());
    }
}

/// What the bodies among `parts` say, one after the other, without the lines that only
/// stand for a picture.
pub(super) fn words(parts: &[Part]) -> String {
    let said = |part: &Part| match part.kind {
        Kind::TextBody => Some(part.text()),
        Kind::HtmlBody if !part.said_better => Some(html::words(&part.text())),
        _ => None,
    };
    let said: Vec<String> = parts.iter().filter_map(said).collect();
    let said = said.join("\n");
    let pictures: Vec<&Part> =
        parts.iter().filter(|part| part.content_type.starts_with("image/")).collect();
    let text: String = if pictures.is_empty() {
        said
    } else {
        said.split_inclusive('\n').filter(|line| !stands_for_one(line, &pictures)).collect()
    };
    let is_blank = |c: char| c.is_whitespace() || c == '\u{fffc}';
    if text.chars().all(is_blank) { String::new() } else { text }
}

/// Whether a line only says where a picture was: `[cid:1@x]` by Outlook, `[image:
/// scan.png]` by Gmail, `<scan.png>` by Apple Mail.
fn stands_for_one(line: &str, pictures: &[&Part]) -> bool {
    let line = line.trim();
    let inside = |open: &str, close: &str| line.strip_prefix(open)?.strip_suffix(close);
    let id = inside("[cid:", "]");
    let name = inside("[image: ", "]").or_else(|| inside("<", ">"));
    pictures.iter().any(|picture| {
        (id.is_some() && id == picture.content_id.as_deref())
            || (name.is_some() && name == picture.name.as_deref())
    })
}

/// Of several forms of one thing: HTML gives way to plain text that says anything, and
/// of documents the last is the best (RFC 2046 5.1.4).
pub(super) fn choose_form(forms: &mut [Part]) {
    let plain = |part: &Part| part.kind == Kind::TextBody && !part.text().trim().is_empty();
    let html = |part: &Part| part.kind == Kind::HtmlBody && !part.said_better;
    if forms.iter().any(html) && forms.iter().any(plain) {
        let html = forms.iter_mut().filter(|part| part.kind == Kind::HtmlBody);
        html.for_each(|part| part.said_better = true);
    }
    let mut documents = forms.iter_mut().rev().filter(|part| {
        part.kind == Kind::Attachment
            && part.disposition == Disposition::None
            && part.name.is_none()
    });
    documents.next();
    documents.for_each(|part| part.kind = Kind::Alternative);
}

/// Pictures to which an HTML body refers (RFC 2392) are no documents of their own.
fn mark_inline(parts: &mut [Part]) {
    let mut referred: HashSet<String> = HashSet::new();
    for html in parts.iter().filter(|part| part.kind == Kind::HtmlBody).map(Part::text) {
        referred.extend(html.split("cid:").skip(1).map(|rest| {
            let end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '>' | ')' | '&');
            without_percents(rest.split(end).next().unwrap_or_default())
        }));
    }
    for part in parts.iter_mut().filter(|part| part.kind == Kind::Attachment) {
        if part.content_id.as_ref().is_some_and(|id| referred.contains(id)) {
            part.kind = Kind::Inline;
        }
    }
}

fn mark_accessories(parts: &mut [Part], says_something: bool) {
    let documents =
        parts.iter().filter(|part| part.kind == Kind::Attachment && !is_accessory(part)).count();
    if documents == 0 && !says_something {
        return;
    }
    let attached = parts.iter_mut().filter(|part| part.kind == Kind::Attachment);
    attached.filter(|part| is_accessory(part)).for_each(|part| part.kind = Kind::Accessory);
}

fn is_accessory(part: &Part) -> bool {
    let name = part.name.as_deref().unwrap_or_default().to_ascii_lowercase();
    // Exchange adds `ATT00001.txt` for the empty line after the last attachment.
    let is_empty = match part.content_type.as_str() {
        "text/plain" => part.encoded_len() < BLANK_BYTES && part.text().trim().is_empty(),
        "text/html" => {
            part.encoded_len() < BLANK_BYTES && html::words(&part.text()).trim().is_empty()
        }
        _ => false,
    };
    is_empty
        || ACCESSORIES.contains(&part.content_type.as_str())
        || ACCESSORY_NAMES.iter().any(|end| name.ends_with(end))
}

/// A text that is longer, in octets, is not looked through for words.
const BLANK_BYTES: usize = 4096;

/// An appointment or a visiting card that is to be faxed is read out.
fn spell_out(part: &mut Part) {
    if part.kind != Kind::Attachment || !is_accessory(part) || part.encoded_len() > CARD_BYTES {
        return;
    }
    let words = card::words(&part.text());
    if !words.is_empty() {
        let name = part.name.take().unwrap_or_else(|| part.content_type.clone());
        let Part { number, within, .. } = part;
        *part = Part { number: *number, within: within.take(), ..Part::of_words(name, words) };
    }
}

/// Cards that are longer, in octets, are not read.
const CARD_BYTES: usize = 4 << 20;

/// The page of a message within a message: who wrote it to whom and when, and what.
fn forwarded_page(head: &Head, text: &str) -> Part {
    let mut page = String::new();
    for (name, value) in &head.0 {
        page += &format!("{name}: {value}\n");
    }
    page.push('\n');
    page.push_str(text);
    let subject = head.subject().unwrap_or_default().replace(['/', '\\'], "-");
    let name = tree::file_name(&subject).unwrap_or_else(|| "forwarded message".into());
    Part::of_words(name, page)
}

/// Puts `page` where the first body from `start` on stands. The bodies of a forwarded
/// message are not those of the outer one.
fn replace_bodies(parts: &mut Vec<Part>, start: usize, page: Part, forwarded: bool) {
    let is_body = |part: &Part| matches!(part.kind, Kind::TextBody | Kind::HtmlBody);
    let first = parts[start..].iter().position(is_body).map_or(start, |at| start + at);
    if forwarded {
        let bodies = parts[start..].iter_mut().filter(|part| is_body(part));
        bodies.for_each(|part| part.kind = Kind::Alternative);
    }
    parts.insert(first, page);
}

fn without_percents(id: &str) -> String {
    let mut octets = Vec::with_capacity(id.len());
    let mut rest = id.as_bytes();
    while let [octet, after @ ..] = rest {
        let pair = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.filter(|_| *octet == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(decoded) => {
                octets.push(decoded);
                rest = &after[2..];
            }
            None => {
                octets.push(*octet);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}
