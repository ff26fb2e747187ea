//! What the lines of a record mean, and how a value becomes a line: base64, DNs
//! (RFC 4514). Changes no line.

use std::borrow::Cow;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    card::{Card, CardList, Fax, Kept, has_digit, plain_line_ends},
    finding::Problem,
    line::{Line, is_one_of},
};

// What each field is read from; it is written as the first.
pub(super) const NAME: [&str; 3] = ["cn", "commonName", "displayName"];
pub(super) const FAMILY: [&str; 2] = ["sn", "surname"];
pub(super) const GIVEN: [&str; 1] = ["givenName"];
pub(super) const COMPANY: [&str; 3] = ["o", "organizationName", "company"];
pub(super) const FAX: [&str; 2] = ["facsimileTelephoneNumber", "fax"];
pub(super) const EMAIL: [&str; 3] = ["mail", "rfc822Mailbox", "mozillaSecondEmail"];
pub(super) const ALIAS: [&str; 2] = ["mozillaNickname", "xmozillanickname"];
pub(super) const NOTE: [&str; 1] = ["description"];
pub(super) const TAGS: [&str; 1] = ["businessCategory"];
pub(super) const REV: [&str; 1] = ["modifyTimestamp"];
pub(super) const UID: [&str; 1] = ["uid"];
/// Where it is, it speaks before `uid`, which is the name that somebody logs in by.
pub(super) const ENTRY_UUID: [&str; 1] = ["entryUUID"];
pub(super) const MEMBER: [&str; 2] = ["member", "uniqueMember"];

/// The octets of a value: text behind `:`, base64 behind `::` (RFC 2849, `value-spec`).
fn octets(line: &Line) -> Result<Cow<'_, [u8]>, Problem> {
    let value = line.value();
    if value.starts_with('<') {
        return Err(Problem::ValueElsewhere);
    }
    match value.strip_prefix(':') {
        Some(coded) => {
            let octets = BASE64_STANDARD.decode(coded.trim());
            octets.map(Cow::Owned).map_err(|_| Problem::BadBase64)
        }
        None => Ok(Cow::Borrowed(value.trim_start_matches(' ').as_bytes())),
    }
}

/// The text of a value; `None` where it is no text, as a picture is none.
pub(super) fn text(line: &Line) -> Option<String> {
    let octets = octets(line).ok()?;
    std::str::from_utf8(&octets).ok().map(plain_line_ends)
}

/// The text of a line that has one of these names; an empty one says nothing.
pub(super) fn text_in(line: &Line, names: &[&str]) -> Option<String> {
    let text = is_one_of(line.head(), names).then(|| text(line)).flatten();
    text.filter(|text| !text.is_empty())
}

fn first(lines: &[Line], names: &[&str]) -> Option<String> {
    let line = lines.iter().find(|line| is_one_of(line.head(), names))?;
    text(line).filter(|text| !text.is_empty())
}

fn is_understood(line: &Line) -> bool {
    let all: [&[&str]; 14] = [
        &NAME,
        &FAMILY,
        &GIVEN,
        &COMPANY,
        &FAX,
        &EMAIL,
        &ALIAS,
        &NOTE,
        &TAGS,
        &REV,
        &UID,
        &ENTRY_UUID,
        &MEMBER,
        &["dn", "objectClass", "changetype"],
    ];
    all.iter().any(|names| is_one_of(line.head(), names))
}

/// Why a record cannot be taken, beyond the form of its lines.
pub(super) fn problem(lines: &[Line]) -> Option<Problem> {
    if !lines.first().is_some_and(|line| is_one_of(line.head(), &["dn"])) {
        return Some(Problem::NoDn);
    }
    for line in lines {
        match octets(line) {
            Err(problem) => return Some(problem),
            Ok(octets) if is_understood(line) && std::str::from_utf8(&octets).is_err() => {
                return Some(Problem::BadCharset("UTF-8".into()));
            }
            Ok(_) => {}
        }
    }
    let change =
        first(lines, &["changetype"]).filter(|change| !change.trim().eq_ignore_ascii_case("add"));
    change.map(|change| Problem::ChangeRecord(change.chars().take(40).collect()))
}

pub(super) fn is_list(lines: &[Line]) -> bool {
    let classes = lines.iter().filter_map(|line| text_in(line, &["objectClass"]));
    classes.into_iter().any(|class| is_one_of(&class, &["groupOfNames", "groupOfUniqueNames"]))
}

/// The number of a fax attribute without the parameters of RFC 4517 3.3.11.
pub(super) fn fax(line: &Line) -> Option<String> {
    let text = text_in(line, &FAX)?;
    let number = text.split('$').next().unwrap_or_default().trim();
    has_digit(number).then(|| number.to_owned())
}

fn uid(lines: &[Line]) -> Option<String> {
    let dn = || lines.first().filter(|line| is_one_of(line.head(), &["dn"])).and_then(text);
    let own = first(lines, &ENTRY_UUID).or_else(|| first(lines, &UID));
    own.or_else(|| dn().map(|dn| reference_of(&dn))).filter(|uid| !uid.is_empty())
}

pub(super) fn card(lines: &[Line]) -> Card {
    let all = |names: &'static [&'static str]| lines.iter().filter_map(|line| text_in(line, names));
    let one = |names: &[&str]| first(lines, names).unwrap_or_default();
    let numbers = lines.iter().filter_map(fax);
    Card {
        uid: uid(lines),
        name: one(&NAME),
        family: one(&FAMILY),
        given: one(&GIVEN),
        company: one(&COMPANY),
        faxes: numbers.map(|number| Fax { number, ..Fax::default() }).collect(),
        alias: one(&ALIAS),
        note: one(&NOTE),
        tags: all(&TAGS).collect(),
        emails: all(&EMAIL).collect(),
        rev: first(lines, &REV),
        kept: Kept::Nothing,
    }
}

/// As [`card`], of a list. Its members are DNs as they stand.
pub(super) fn list(lines: &[Line]) -> CardList {
    CardList {
        uid: uid(lines),
        name: first(lines, &NAME).unwrap_or_default(),
        members: lines.iter().filter_map(|line| text_in(line, &MEMBER)).collect(),
        kept: Kept::Nothing,
    }
}

/// A line with this value, in base64 where it is no `SAFE-STRING` or ends with a space
/// (RFC 2849, notes 4 and 8).
pub(super) fn line(head: &str, value: &str) -> Line {
    let value = plain_line_ends(value);
    let is_plain = value.bytes().all(|byte| matches!(byte, 0x01..=0x7f) && byte != b'\n');
    if is_plain && !value.starts_with([' ', ':', '<']) && !value.ends_with(' ') {
        let space = if value.is_empty() { "" } else { " " };
        return Line::new(head, &format!("{space}{value}"));
    }
    Line::new(head, &format!(": {}", BASE64_STANDARD.encode(&value)))
}

/// Two DNs of one entry give the same: case and spaces behind commas say nothing.
pub(super) fn same_dn(dn: &str) -> String {
    let parts: Vec<String> = dn.split(',').map(|part| part.trim().to_lowercase()).collect();
    parts.join(",")
}

/// What a DN calls its entry: the uid where it is nothing but one, else the DN itself.
pub(super) fn reference_of(dn: &str) -> String {
    let value = dn.get(..4).filter(|start| start.eq_ignore_ascii_case("uid=")).map(|_| &dn[4..]);
    value.and_then(unescaped).unwrap_or_else(|| dn.to_owned())
}

/// The DN of what a list names and the file does not have.
pub(super) fn dn_of_reference(reference: &str) -> String {
    match reference.contains('=') {
        true => reference.to_owned(),
        false => format!("uid={}", escaped(reference)),
    }
}

/// The DN of a record: that of its lines, or one of the uid or, without one, the name.
pub(super) fn dn_of(lines: &[Line], uid: Option<&str>, name: &str) -> String {
    let dn = lines.first().filter(|line| is_one_of(line.head(), &["dn"])).and_then(text);
    dn.unwrap_or_else(|| match uid {
        Some(uid) => format!("uid={}", escaped(uid)),
        None => format!("cn={}", escaped(name)),
    })
}

/// RFC 4514 2.4, and line ends by their octets.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for (at, c) in value.char_indices() {
        let is_last = at + c.len_utf8() == value.len();
        match c {
            ' ' if at == 0 || is_last => out.push_str("\\20"),
            '\n' => out.push_str("\\0a"),
            '\r' => out.push_str("\\0d"),
            '#' if at == 0 => out.push_str("\\#"),
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

/// One value of a DN; `None` where another one comes behind it.
fn unescaped(value: &str) -> Option<String> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    loop {
        let hex = |at: usize| rest.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (rest, hex(1), hex(2)) {
            ([], ..) => return String::from_utf8(out).ok(),
            ([b'\\', _, _, more @ ..], Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                rest = more;
            }
            ([b'\\', c, more @ ..], ..) => {
                out.push(*c);
                rest = more;
            }
            ([b',' | b'+' | b';', ..], ..) => return None,
            ([c, more @ ..], ..) => {
                out.push(*c);
                rest = more;
            }
        }
    }
}
