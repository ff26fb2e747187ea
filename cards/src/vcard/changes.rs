//! The lines of a card to be written: those it was read from, with what has changed since.
//! A field that still says what its line says leaves the line alone.

use std::collections::HashSet;

use super::{FaxAddress, Options, Version, meaning};
use crate::{
    card::{Card, CardList, Fax, FaxPlace},
    escape,
    line::{Draft, Line, is_one_of},
};

pub(super) fn card_lines(
    card: &Card,
    lines: &[Line],
    version: Version,
    options: Options<'_>,
) -> Vec<Line> {
    let was = meaning::card(lines);
    let mut draft = Draft::new(lines, meaning::name_of);
    set_text(&mut draft, "FN", &was.name, &card.name);
    if was.family != card.family || was.given != card.given {
        set_part(&mut draft, "N", ';', 0, &card.family);
        set_part(&mut draft, "N", ';', 1, &card.given);
    }
    // RFC 2426 3.1.2: N must be there; a card of a company has empty parts.
    if version == Version::V3 && draft.first(&["N"]).is_none() {
        let parts = [&card.family, &card.given].map(|text| escape::escaped(text));
        draft.push(Line::new("N", &format!("{};{};;;", parts[0], parts[1])));
    }
    if was.alias != card.alias {
        set_part(&mut draft, "NICKNAME", ',', 0, &card.alias);
    }
    if was.company != card.company {
        set_part(&mut draft, "ORG", ';', 0, &card.company);
    }
    let groups = meaning::fax_groups(lines);
    let fax_line = |fax: &Fax, line: Option<&Line>| fax_line(fax, line, version);
    draft.set_all(&card.faxes, |line| meaning::fax(line, &groups), fax_line);
    let email_line = |email: &String, line: Option<&Line>| {
        let head = if version == Version::V3 { "EMAIL;TYPE=INTERNET" } else { "EMAIL" };
        Line::new(line.map_or(head, Line::head), &escape::escaped(email))
    };
    draft.set_all(&card.emails, meaning::email, email_line);
    set_text(&mut draft, "NOTE", &was.note, &card.note);
    if was.tags != card.tags {
        let tags: Vec<String> = card.tags.iter().map(|tag| escape::escaped(tag)).collect();
        let wanted = if tags.is_empty() { Vec::new() } else { vec![tags.join(",")] };
        let read = |line: &Line| (!meaning::tags(line).is_empty()).then(|| line.value().to_owned());
        draft.set_all(&wanted, read, |tags, line| renewed("CATEGORIES", line, tags));
    }
    set_uid(&mut draft, &was.uid, &card.uid, version);
    let rev = |rev: &Option<String>| rev.clone().unwrap_or_default();
    set_text(&mut draft, "REV", &rev(&was.rev), &rev(&card.rev));
    drop_lonely_labels(&mut draft, lines);
    for address in addresses_that_fax(card, options) {
        let head = if version == Version::V3 { "EMAIL;TYPE=INTERNET" } else { "EMAIL" };
        draft.push(Line::new(head, &escape::escaped(&address)));
    }
    draft.into_lines()
}

fn addresses_that_fax(card: &Card, options: Options<'_>) -> Vec<String> {
    let Some(domain) = options.completion_domain else { return Vec::new() };
    let mut seen: HashSet<String> = card.emails.iter().cloned().collect();
    let all = card.faxes.iter().filter_map(|fax| FaxAddress::of(fax, domain));
    all.filter(|address| seen.insert(address.clone())).collect()
}

pub(super) fn list_lines(list: &CardList, lines: &[Line], version: Version) -> Vec<Line> {
    let was = meaning::list(lines);
    let mut draft = Draft::new(lines, meaning::name_of);
    if !meaning::is_list(lines) {
        let kind = if version == Version::V3 { "X-ADDRESSBOOKSERVER-KIND" } else { "KIND" };
        draft.push(Line::new(kind, "group"));
    }
    set_text(&mut draft, "FN", &was.name, &list.name);
    if version == Version::V3 && draft.first(&["N"]).is_none() {
        draft.push(Line::new("N", &format!("{};;;;", escape::escaped(&list.name))));
    }
    set_uid(&mut draft, &was.uid, &list.uid, version);
    let member_line = |member: &String, line: Option<&Line>| {
        let name = if version == Version::V3 { meaning::MEMBERS[1] } else { meaning::MEMBERS[0] };
        // RFC 6350 6.6.5: a member is a URI.
        let is_uri = ["mailto:", "tel:", "http:", "https:", "urn:"];
        let is_uri = is_uri.iter().any(|scheme| member.to_ascii_lowercase().starts_with(scheme));
        let scheme = if is_uri { "" } else { "urn:uuid:" };
        Line::new(
            line.map_or(name, Line::head),
            &format!("{scheme}{}", member.replace('\\', "\\\\").replace('\n', "\\n")),
        )
    };
    draft.set_all(&list.members, meaning::member, member_line);
    draft.into_lines()
}

/// A line with a new value under its old head, or a new line.
fn renewed(name: &str, line: Option<&Line>, value: &str) -> Line {
    line.map_or_else(|| Line::new(name, value), |line| line.with_value(value))
}

fn set_text(draft: &mut Draft, name: &str, was: &str, is: &str) {
    if was != is {
        let made = |line: Option<&Line>| Some(renewed(name, line, &escape::escaped(is)));
        draft.set(&[name], |line| if is.is_empty() { None } else { made(line) });
    }
}

/// Changes one part of a value of several and leaves the others.
fn set_part(draft: &mut Draft, name: &str, separator: char, at: usize, is: &str) {
    let is = escape::escaped(is);
    draft.set(&[name], |line| {
        let mut parts = line.map(|l| escape::values(l.value(), separator)).unwrap_or_default();
        // RFC 6350 6.2.2: a name has five parts.
        let least = if name == "N" { 5 } else { at + 1 };
        parts.resize(parts.len().max(least), "");
        parts[at] = &is;
        let is_empty = parts.iter().all(|part| part.is_empty());
        (!is_empty).then(|| renewed(name, line, &parts.join(&separator.to_string())))
    });
}

fn set_uid(draft: &mut Draft, was: &Option<String>, is: &Option<String>, version: Version) {
    if was == is {
        return;
    }
    draft.set(&["UID"], |line| {
        let uid = is.as_deref()?;
        // RFC 6350 6.7.6 wants a URI where it can be one, RFC 2426 3.6.7 a text.
        let urn = if version == Version::V4 && is_uuid(uid) { "urn:uuid:" } else { "" };
        let head = line.filter(|line| meaning::parameter(line, "VALUE").is_none());
        Some(renewed("UID", head, &format!("{urn}{}", escape::escaped(uid))))
    });
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// A fax number under the head of the line whose place it takes, where there is one:
/// preference and label stay, types and sub-address follow the number. RFC 6350 6.4.1
/// wants a `tel:` URI, which a number with spaces cannot be.
fn fax_line(fax: &Fax, line: Option<&Line>, version: Version) -> Line {
    let name = line.and_then(|line| meaning::parts(line.head()).next()).unwrap_or("TEL");
    let (mut head, mut types) = (name.to_owned(), vec!["fax".to_owned()]);
    match fax.place {
        FaxPlace::Work => types.insert(0, "work".to_owned()),
        FaxPlace::Home => types.insert(0, "home".to_owned()),
        FaxPlace::Unsaid => {}
    }
    if let Some(line) = line {
        let is_other =
            |one: &String| !["work", "home", "fax"].iter().any(|word| one.contains(word));
        types.extend(meaning::types(line).into_iter().filter(is_other));
        for (name, value) in meaning::parameters(line.head()) {
            if !is_one_of(name, &["TYPE", "VALUE", "X-SUBADDRESS"]) {
                head.push_str(&format!(";{name}={value}"));
            }
        }
    }
    let is_uri = version == Version::V4 && fax.number.strip_prefix('+').is_some_and(is_digits);
    match version {
        Version::V3 => types.iter().for_each(|one| {
            head.push(';');
            head.push_str(&meaning::type_parameter(&one.to_ascii_uppercase()));
        }),
        Version::V4 => head.push_str(&format!(";TYPE=\"{}\"", types.join(","))),
    }
    if !fax.sub_address.is_empty() {
        head.push_str(&format!(";X-SUBADDRESS={}", meaning::quoted(&fax.sub_address)));
    }
    match is_uri {
        true => Line::new(&format!("{head};VALUE=uri"), &format!("tel:{}", fax.number)),
        false => Line::new(&head, &escape::escaped(&fax.number)),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A label of Apple (`item1.X-ABLabel`) goes with the last line that it was the label of.
fn drop_lonely_labels(draft: &mut Draft, lines: &[Line]) {
    let is_label = |line: &Line| {
        meaning::name_of(line).get(..4).is_some_and(|start| start.eq_ignore_ascii_case("X-AB"))
    };
    let groups = |lines: &mut dyn Iterator<Item = &Line>| -> Vec<String> {
        let labelled = lines.filter(|line| !is_label(line) && !meaning::group_of(line).is_empty());
        labelled.map(|line| meaning::group_of(line).to_owned()).collect()
    };
    let before: HashSet<String> = groups(&mut lines.iter()).into_iter().collect();
    let after: HashSet<String> = groups(&mut draft.lines()).into_iter().collect();
    draft.retain(|line| {
        let group = meaning::group_of(line);
        !is_label(line) || !before.contains(group) || after.contains(group)
    });
}
