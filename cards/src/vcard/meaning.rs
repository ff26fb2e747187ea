//! What the lines of a vCard mean, and the small grammar that needs: names, parameters,
//! parts and escapes (RFC 6350 3.3, 3.4, 4). Changes no line.

use std::collections::HashSet;

use crate::{
    card::{Card, CardList, Fax, FaxPlace, has_digit},
    escape::{plain, values},
    line::{Line, is_one_of},
};

/// A fax number as a mail address: `FAX=+390401234/T33S=12@fax.example.com`
/// (RFC 3191 2, RFC 3192).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaxAddress {
    /// Digits, perhaps with `+` before them.
    pub number: String,
    /// T.33 sub-address; empty for none.
    pub sub_address: String,
    /// Lower or upper case as written.
    pub domain: String,
}

impl FaxAddress {
    /// Reads an address; `None` where it is no fax number.
    pub fn parse(address: &str) -> Option<Self> {
        let (local, domain) = address.trim().rsplit_once('@')?;
        let local = local.trim_matches('"');
        let number = local.get(..4).filter(|key| key.eq_ignore_ascii_case("FAX="))?;
        let mut parts = local[number.len()..].split('/');
        let number = digits(parts.next()?);
        let sub = parts.filter_map(|part| part.split_once('='));
        let mut sub = sub.filter(|(key, _)| key.eq_ignore_ascii_case("T33S")).map(|(_, sub)| sub);
        let sub_address = sub.next_back().unwrap_or_default().to_owned();
        (has_digit(&number) && !domain.is_empty()).then(|| Self {
            number,
            sub_address,
            domain: domain.to_owned(),
        })
    }

    /// The address of a number, `None` where the number is written with anything that is
    /// neither a digit nor a separator (RFC 3191 2: visual separators go).
    pub fn of(fax: &Fax, domain: &str) -> Option<String> {
        let is_dial = |c: char| c.is_ascii_digit() || " +()-./\u{a0}".contains(c);
        let number = digits(&fax.number);
        let is_plain = |sub: &str| sub.chars().all(|c| c.is_ascii_digit() || c == '#' || c == '*');
        if !fax.number.chars().all(is_dial) || number.is_empty() || !is_plain(&fax.sub_address) {
            return None;
        }
        Some(match fax.sub_address.as_str() {
            "" => format!("FAX={number}@{domain}"),
            sub => format!("FAX={number}/T33S={sub}@{domain}"),
        })
    }
}

/// The digits of a number and a `+` at its front.
pub(super) fn digits(number: &str) -> String {
    let plus = number.trim_start().starts_with('+').then_some('+');
    plus.into_iter().chain(number.chars().filter(char::is_ascii_digit)).collect()
}

/// The parts of a head or of a value, cut at semicolons outside of quotes.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == ';' && !quoted
    })
}

/// The name of a property without its group and parameters.
pub(super) fn name_of(line: &Line) -> &str {
    let name = line.head().split(';').next().unwrap_or_default();
    name.rsplit_once('.').map_or(name, |(_, name)| name)
}

/// The group of a property (RFC 6350 3.3), empty for none.
pub(super) fn group_of(line: &Line) -> &str {
    let name = line.head().split(';').next().unwrap_or_default();
    name.rsplit_once('.').map_or("", |(group, _)| group)
}

/// Parameters in their order, quotes and all.
pub(super) fn parameters(head: &str) -> impl Iterator<Item = (&str, &str)> {
    parts(head).skip(1).filter_map(|part| part.split_once('='))
}

/// A parameter without its quotes.
pub(super) fn parameter<'a>(line: &'a Line, wanted: &str) -> Option<&'a str> {
    let mut all = parameters(line.head());
    all.find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value.trim_matches('"'))
}

/// All types in lower case. Inside quotes the comma separates too: `TYPE="work,fax"` is
/// what RFC 6350 6.4.1 shows.
pub(super) fn types(line: &Line) -> Vec<String> {
    let all = parameters(line.head()).filter(|(name, _)| name.eq_ignore_ascii_case("TYPE"));
    let split = all.flat_map(|(_, value)| value.split(','));
    split.map(|one| one.trim_matches(['"', ' ']).to_ascii_lowercase()).collect()
}

fn kind_names(line: &Line) -> bool {
    is_one_of(name_of(line), &["KIND", "X-ADDRESSBOOKSERVER-KIND"])
}

/// What carries the members of a list.
pub(super) const MEMBERS: [&str; 2] = ["MEMBER", "X-ADDRESSBOOKSERVER-MEMBER"];

pub(super) fn is_list(lines: &[Line]) -> bool {
    let kind = lines.iter().find(|line| kind_names(line));
    kind.is_some_and(|line| line.value().trim().eq_ignore_ascii_case("group"))
}

fn first<'a>(lines: &'a [Line], name: &str) -> Option<&'a str> {
    let line = lines.iter().find(|line| name_of(line).eq_ignore_ascii_case(name));
    line.map(Line::value)
}

fn text(lines: &[Line], name: &str) -> String {
    first(lines, name).map(plain).unwrap_or_default()
}

fn part(lines: &[Line], name: &str, separator: char, at: usize) -> String {
    let all = first(lines, name).map(|value| values(value, separator)).unwrap_or_default();
    all.get(at).map(|value| plain(value)).unwrap_or_default()
}

/// A uid without what RFC 4122 3 puts before it.
pub(super) fn without_urn(uid: &str) -> &str {
    const URN: &str = "urn:uuid:";
    let prefix = uid.get(..URN.len()).filter(|prefix| prefix.eq_ignore_ascii_case(URN));
    prefix.map_or(uid, |prefix| &uid[prefix.len()..])
}

fn uid(lines: &[Line]) -> Option<String> {
    let uid = plain(first(lines, "UID")?.trim());
    let uid = without_urn(&uid);
    (!uid.is_empty()).then(|| uid.to_owned())
}

/// The groups whose label (Apple's `X-ABLabel`) says that a number is one of a fax.
pub(super) fn fax_groups(lines: &[Line]) -> HashSet<String> {
    let is_label = |line: &&Line| name_of(line).eq_ignore_ascii_case("X-ABLabel");
    let says_fax = |line: &&Line| line.value().to_lowercase().contains("fax");
    let labels = lines.iter().filter(is_label).filter(says_fax);
    labels.map(|line| group_of(line).to_ascii_lowercase()).collect()
}

/// The fax number of a line, `None` where it has none.
pub(super) fn fax(line: &Line, fax_groups: &HashSet<String>) -> Option<Fax> {
    if !name_of(line).eq_ignore_ascii_case("TEL") {
        return None;
    }
    let types = types(line);
    let group = group_of(line).to_ascii_lowercase();
    let is_labelled = !group.is_empty() && fax_groups.contains(&group);
    if !is_labelled && !types.iter().any(|one| one.ends_with("fax") || one == "facsimile") {
        return None;
    }
    let says = |word: &str| types.iter().any(|one| one.contains(word));
    let place = match (says("work"), says("home")) {
        (true, _) => FaxPlace::Work,
        (false, true) => FaxPlace::Home,
        (false, false) => FaxPlace::Unsaid,
    };
    let text = plain(line.value());
    let number = match text.trim().split_once(':') {
        Some((scheme, number)) if scheme.eq_ignore_ascii_case("tel") => {
            number.split(';').next().unwrap_or_default()
        }
        _ => text.as_str(),
    };
    let number = number.trim().to_owned();
    let sub_address = parameter(line, "X-SUBADDRESS").map(without_carets).unwrap_or_default();
    has_digit(&number).then_some(Fax { number, sub_address, place })
}

/// One type as a parameter.
pub(super) fn type_parameter(one: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let quote = if one.chars().all(is_plain) { "" } else { "\"" };
    format!("TYPE={quote}{one}{quote}")
}

/// Undoes RFC 6868 3.
fn without_carets(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(c) = letters.next() {
        match (c, letters.as_str().chars().next()) {
            ('^', Some('n')) => out.push('\n'),
            ('^', Some('\'')) => out.push('"'),
            ('^', Some('^')) => out.push('^'),
            _ => {
                out.push(c);
                continue;
            }
        }
        letters.next();
    }
    out
}

/// RFC 6868 3, in quotes.
pub(super) fn quoted(value: &str) -> String {
    let value = value.replace('^', "^^").replace('"', "^'").replace(['\n', '\r'], "^n");
    format!("\"{value}\"")
}

pub(super) fn email(line: &Line) -> Option<String> {
    let is_email = name_of(line).eq_ignore_ascii_case("EMAIL");
    is_email.then(|| plain(line.value())).filter(|email| !email.is_empty())
}

pub(super) fn tags(line: &Line) -> Vec<String> {
    let is_tags = name_of(line).eq_ignore_ascii_case("CATEGORIES");
    let all = if is_tags { values(line.value(), ',') } else { Vec::new() };
    all.into_iter().map(plain).filter(|tag| !tag.is_empty()).collect()
}

pub(super) fn member(line: &Line) -> Option<String> {
    let is_member = is_one_of(name_of(line), &MEMBERS);
    is_member.then(|| without_urn(&plain(line.value().trim())).to_owned())
}

/// What the lines say; nothing is made up, and nothing kept.
pub(super) fn card(lines: &[Line]) -> Card {
    let groups = fax_groups(lines);
    Card {
        uid: uid(lines),
        name: text(lines, "FN"),
        family: part(lines, "N", ';', 0),
        given: part(lines, "N", ';', 1),
        company: part(lines, "ORG", ';', 0),
        faxes: lines.iter().filter_map(|line| fax(line, &groups)).collect(),
        alias: part(lines, "NICKNAME", ',', 0),
        note: text(lines, "NOTE"),
        tags: lines.iter().flat_map(tags).collect(),
        emails: lines.iter().filter_map(email).collect(),
        rev: first(lines, "REV").map(plain).filter(|rev| !rev.is_empty()),
        kept: crate::Kept::Nothing,
    }
}

/// As [`card`], of a list.
pub(super) fn list(lines: &[Line]) -> CardList {
    CardList {
        uid: uid(lines),
        name: text(lines, "FN"),
        members: lines.iter().filter_map(member).collect(),
        kept: crate::Kept::Nothing,
    }
}

/// Takes the addresses that fax at this domain out of the lines: they are written anew
/// with the numbers that there are then.
pub(super) fn take_addresses_that_fax(lines: &mut Vec<Line>, domain: &str) -> Vec<Fax> {
    let mut taken = Vec::new();
    lines.retain(|line| {
        let address = email(line).and_then(|email| FaxAddress::parse(&email));
        let Some(address) = address.filter(|a| a.domain.eq_ignore_ascii_case(domain)) else {
            return true;
        };
        let FaxAddress { number, sub_address, .. } = address;
        taken.push(Fax { number, sub_address, place: FaxPlace::Unsaid });
        false
    });
    taken
}
