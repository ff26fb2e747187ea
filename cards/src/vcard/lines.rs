//! From the text of a file to the lines of each card: unfolding, `BEGIN` and `END`,
//! versions, and the spellings of vCard 2.1 brought into those of 3.0. What a line means
//! is not known here, but for what is needed to read on.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{Options, Version, meaning};
use crate::{
    card::{Card, Fax, Kept},
    encoding,
    finding::{Finding, Place, Problem, Reading},
    line::Line,
};

/// A logical line and the number of its first physical line.
struct Logical<'a> {
    number: usize,
    octets: usize,
    text: Cow<'a, str>,
}

/// Logical lines: a line that begins with a space or a tab goes on with the one before it
/// (RFC 6350 3.2), and one that ends with `=` in quoted-printable goes on with the next.
struct Unfolded<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Unfolded<'a> {
    fn physical(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        self.number += 1;
        Some(line.strip_suffix('\r').unwrap_or(line))
    }
}

impl<'a> Iterator for Unfolded<'a> {
    type Item = Logical<'a>;

    fn next(&mut self) -> Option<Logical<'a>> {
        let first = self.physical()?;
        let (number, before) = (self.number, self.rest.len());
        let mut text = Cow::Borrowed(first);
        let soft = is_quoted_printable(head_of(first));
        loop {
            if soft && text.ends_with('=') && !self.rest.is_empty() {
                text.to_mut().pop();
                let more = self.physical().unwrap_or_default();
                text.to_mut().push_str(more);
            } else if self.rest.starts_with([' ', '\t']) {
                let more = self.physical().unwrap_or_default();
                text.to_mut().push_str(&more[1..]);
            } else {
                break;
            }
        }
        let octets = first.len() + before - self.rest.len();
        Some(Logical { number, octets, text })
    }
}

fn head_of(line: &str) -> &str {
    line.split(':').next().unwrap_or_default()
}

fn is_quoted_printable(head: &str) -> bool {
    meaning::parts(head).skip(1).any(|part| {
        let (name, value) = part.split_once('=').unwrap_or(("ENCODING", part));
        name.eq_ignore_ascii_case("ENCODING") && is_word(value, "QUOTED-PRINTABLE")
    })
}

/// Whether a value of a parameter is this word, quoted or not.
fn is_word(value: &str, word: &str) -> bool {
    value.trim_matches('"').eq_ignore_ascii_case(word)
}

/// A card that has begun.
struct Open {
    number: usize,
    octets: usize,
    version: Option<Version>,
    lines: Vec<Line>,
    bad: Vec<Finding>,
}

impl Open {
    fn at(number: usize) -> Self {
        let (lines, bad) = (Vec::new(), Vec::new());
        Self { number, octets: 0, version: None, lines, bad }
    }

    fn take(&mut self, logical: &Logical<'_>) {
        self.octets += logical.octets;
        // What is too large is refused anyhow: there is no use in holding all of it.
        if self.octets > crate::CARD_BYTES_MOST {
            self.lines.clear();
            return;
        }
        match self.line_of(&logical.text) {
            Ok(line) => self.lines.extend(line),
            Err(problem) => {
                self.bad.push(Finding { place: Place::line(logical.number), problem });
            }
        }
    }

    /// The line in the spelling of 3.0 or 4.0; `None` for `VERSION`, which is not kept.
    fn line_of(&mut self, text: &str) -> Result<Option<Line>, Problem> {
        let colon = colon_of(text).ok_or(Problem::NoColon)?;
        let line = Line::split_at(text.to_owned(), colon).ok_or(Problem::NoColon)?;
        let name = meaning::name_of(&line);
        let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let is_good =
            meaning::group_of(&line).split('.').all(|part| part.chars().all(is_of_a_name));
        if name.is_empty() || !is_good || !name.chars().all(is_of_a_name) {
            return Err(Problem::BadName(name.chars().take(40).collect()));
        }
        if !meaning::parts(line.head()).skip(1).all(has_good_quotes) {
            return Err(Problem::BadParameter);
        }
        if name.eq_ignore_ascii_case("VERSION") {
            match line.value().trim() {
                "2.1" => self.version = Some(Version::V3),
                "3.0" => self.version = Some(Version::V3),
                "4.0" => self.version = Some(Version::V4),
                other => return Err(Problem::BadVersion(other.chars().take(40).collect())),
            }
            return Ok(None);
        }
        modern(line).map(Some)
    }

    fn close(mut self, options: Options<'_>, reading: &mut Reading) {
        if self.octets > crate::CARD_BYTES_MOST {
            let place = Place::line(self.number);
            self.bad = vec![Finding { place, problem: Problem::CardTooLarge(self.octets) }];
        }
        if !self.bad.is_empty() {
            return reading.refuse(self.bad);
        }
        let number = self.number;
        let mut lines = self.lines;
        if meaning::is_list(&lines) {
            let mut list = meaning::list(&lines);
            list.kept = Kept::VCard(self.version.unwrap_or_default(), lines);
            return reading.take_list(list, Place::line(number));
        }
        let more =
            options.completion_domain.map(|at| meaning::take_addresses_that_fax(&mut lines, at));
        let mut card = meaning::card(&lines);
        join(&mut card, more.unwrap_or_default());
        card.name_it();
        if card.name.is_empty() {
            let place = Place::line(number);
            return reading.refuse(vec![Finding { place, problem: Problem::Nameless }]);
        }
        card.kept = Kept::VCard(self.version.unwrap_or_default(), lines);
        reading.take_card(card, Place::line(number));
    }

    fn break_off(self, reading: &mut Reading) {
        let place = Place::line(self.number);
        reading.refuse(vec![Finding { place, problem: Problem::Unclosed }]);
    }
}

/// Brings addresses that fax together with the numbers of a card. One that says the same
/// as a number is that number. One that has a sub-address more gives it to the number:
/// phones drop parameters that they do not know, and keep addresses. The others are
/// numbers that somebody added.
fn join(card: &mut Card, addresses: Vec<Fax>) {
    let of = |fax: &Fax| (meaning::digits(&fax.number), fax.sub_address.clone());
    let said: HashSet<_> = addresses.iter().map(of).collect();
    let mut known: HashSet<_> = card.faxes.iter().map(of).collect();
    let mut without_sub: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, fax) in card.faxes.iter().enumerate().rev() {
        if fax.sub_address.is_empty() && !said.contains(&of(fax)) {
            without_sub.entry(meaning::digits(&fax.number)).or_default().push(at);
        }
    }
    for address in addresses {
        if !known.insert(of(&address)) {
            continue;
        }
        match without_sub.get_mut(&address.number).and_then(Vec::pop) {
            Some(at) => card.faxes[at].sub_address = address.sub_address,
            None => card.faxes.push(address),
        }
    }
}

pub(super) fn read(text: &str, options: Options<'_>, reading: &mut Reading) {
    let mut open: Option<Open> = None;
    for logical in (Unfolded { rest: text, number: 0 }) {
        let line = logical.text.trim();
        if line.is_empty() {
            continue;
        }
        let place = Place::line(logical.number);
        if line.eq_ignore_ascii_case("BEGIN:VCARD") {
            if let Some(unclosed) = open.take() {
                unclosed.break_off(reading);
            }
            if reading.is_full() {
                return reading.note(place, Problem::TooManyCards);
            }
            open = Some(Open::at(logical.number));
        } else if line.eq_ignore_ascii_case("END:VCARD") {
            match open.take() {
                Some(card) => card.close(options, reading),
                None => reading.note(place, Problem::OutsideCard),
            }
        } else {
            match &mut open {
                Some(card) => card.take(&logical),
                None => reading.note(place, Problem::OutsideCard),
            }
        }
    }
    if let Some(unclosed) = open {
        unclosed.break_off(reading);
    }
}

/// The colon that ends the head: the first one outside of quotes (RFC 6350 3.3).
fn colon_of(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b':' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// Whether quotes stand around whole values of a parameter (RFC 6350 3.3, `param-value`).
fn has_good_quotes(part: &str) -> bool {
    let (name, values) = part.split_once('=').unwrap_or(("", part));
    if name.contains('"') {
        return false;
    }
    let mut quoted = false;
    let mut values = values.split(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    values.all(|value| {
        let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        !inner.unwrap_or(value).contains('"')
    })
}

/// Brings what 2.1 spells otherwise into the spelling of 3.0: quoted-printable and
/// character sets become plain text, `TEL;WORK;FAX` becomes `TEL;TYPE=WORK;TYPE=FAX`,
/// `ENCODING=BASE64` becomes `ENCODING=b`. Some programs write it under 3.0 too.
fn modern(line: Line) -> Result<Line, Problem> {
    let head = line.head();
    let has_old = |part: &str| {
        let part = part.to_ascii_uppercase();
        !part.contains('=') || part.starts_with("ENCODING=") || part.starts_with("CHARSET=")
    };
    if !meaning::parts(head).skip(1).any(has_old) {
        return Ok(line);
    }
    let mut parts = meaning::parts(head);
    let mut made = parts.next().unwrap_or_default().to_owned();
    let (mut charset, mut quoted_printable) = (None, false);
    for part in parts.filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or(("", part));
        let is_encoding = name.is_empty() || name.eq_ignore_ascii_case("ENCODING");
        let is = |word: &str| is_encoding && is_word(value, word);
        if is("QUOTED-PRINTABLE") {
            quoted_printable = true;
        } else if is("BASE64") || (name.is_empty() && is("B")) {
            made.push_str(";ENCODING=b");
        } else if name.eq_ignore_ascii_case("CHARSET") {
            charset = Some(value.trim_matches('"'));
        } else if name.is_empty() {
            made.push_str(&format!(";TYPE={value}"));
        } else if !is("8BIT") && !is("7BIT") {
            made.push_str(&format!(";{part}"));
        }
    }
    if !quoted_printable {
        return Ok(line.with_head(&made));
    }
    let bytes = unquoted(line.value());
    let text = match (charset, String::from_utf8(bytes)) {
        (None, Ok(text)) => text,
        (None, Err(bytes)) => encoding::text_in(bytes.as_bytes(), "windows-1252")?,
        (Some(charset), text) => {
            encoding::text_in(&text.map_or_else(|e| e.into_bytes(), String::into_bytes), charset)?
        }
    };
    // 2.1 has line ends in the text itself; 3.0 escapes them.
    let text = crate::card::plain_line_ends(&text).replace('\n', "\\n");
    Ok(Line::new(&made, &text))
}

/// Undoes quoted-printable (RFC 2045 6.7); what is no `=XX` stands as it is.
fn unquoted(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'=', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

/// Whether a value is base64, for those who make a `data:` of it.
pub(super) fn is_base64(value: &str) -> bool {
    BASE64_STANDARD.decode(value.trim()).is_ok()
}
