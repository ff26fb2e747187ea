//! What an entry says when a file says something of it as well. It forgets nothing that
//! the file is silent about.

use postfax_cards::Format;
use postfax_domain::{
    book::{Content, Line, Options, Reach},
    number::Number,
    setup::Setup,
};

use crate::requests::book::contact;

/// What is there, with what the file says over it.
pub(super) fn merged(old: &Content, new: Content, format: Format, setup: &Setup) -> Content {
    let said = |new: String, old: &String| if new.is_empty() { old.clone() } else { new };
    let merged = Content {
        name: new.name,
        company: said(new.company, &old.company),
        alias: new.alias.or_else(|| old.alias.clone()),
        note: said(new.note, &old.note),
        tags: if new.tags.is_empty() { old.tags.clone() } else { new.tags },
        reach: match (&old.reach, new.reach) {
            (Reach::Fax(old), Reach::Fax(mut new)) => {
                if format == Format::Csv && is_without_plus(&new.number, &old.number, setup) {
                    new.number = old.number.clone();
                }
                Reach::Fax(line(old, new))
            }
            (_, new) => new,
        },
        kept: match format {
            Format::VCard => said(new.kept, &old.kept),
            Format::Csv | Format::Ldif => kept(&old.kept, &new.kept),
        },
    };
    if merged == *old { merged } else { contact::settled(merged, setup) }
}

/// Whether a number is what the old one reads as when a spreadsheet has saved the table: it
/// takes `+4930901820` for an amount and drops the `+`, and what is left would be read as a
/// number of our country.
fn is_without_plus(new: &Number, old: &Number, setup: &Setup) -> bool {
    let digits = old.as_str().trim_start_matches('+');
    new != old && Number::parse(digits, setup.country).is_ok_and(|read| read == *new)
}

fn line(old: &Line, new: Line) -> Line {
    let same_number = old.number == new.number;
    let old_subaddress = old.subaddress.clone().filter(|_| same_number);
    Line {
        subaddress: new.subaddress.or(old_subaddress),
        number: new.number,
        options: Options {
            cover: new.options.cover.or(old.options.cover),
            resolution: new.options.resolution.or(old.options.resolution),
        },
    }
}

/// The lines of a card with those of a table or a directory, which know neither types nor
/// middle names.
fn kept(old: &str, new: &str) -> String {
    let mut lines: Vec<&str> = old.lines().collect();
    for line in new.lines() {
        let (name, value) = said(line);
        let there = lines.iter().position(|other| {
            let (other_name, other_value) = said(other);
            name == other_name && (is_single(&name) || value == other_value)
        });
        match there {
            None => lines.push(line),
            // A name of more parts than a table has is the same name.
            Some(at) if name == "N" && said(lines[at]).1 != value => lines[at] = line,
            Some(_) => {}
        }
    }
    lines.join("\n")
}

fn is_single(name: &str) -> bool {
    !matches!(name, "TEL" | "EMAIL")
}

/// The name of a line in capitals, and what two lines have to share to be the same.
fn said(line: &str) -> (String, String) {
    let colon = line.find(':').unwrap_or(line.len());
    let (head, value) = (&line[..colon], line.get(colon + 1..).unwrap_or_default());
    let name = head.split(';').next().unwrap_or_default();
    let name = name.rsplit('.').next().unwrap_or_default().to_ascii_uppercase();
    let plain = value.replace('\\', "");
    let value = match name.as_str() {
        "TEL" => plain
            .trim_start_matches(|c: char| c.is_ascii_alphabetic())
            .trim_start_matches(':')
            .split(';')
            .next()
            .unwrap_or_default()
            .chars()
            .filter(|c| c.is_ascii_digit() || *c == '+')
            .collect(),
        "N" => plain.split(';').take(2).collect::<Vec<_>>().join(";"),
        _ => plain,
    };
    (name, value)
}
