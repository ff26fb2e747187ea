//! Words about the phone book.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use postfax_domain::book::{Label, Sharing};

use super::{
    Asked, Words,
    entry::{self, Draft},
    pieces::pieces,
    too_many,
};
use crate::{
    inquiry::{asked::Save, grammar},
    requests::{
        Ask, AskBook,
        book::{AskImport, Exported, FileFormat, Keeper},
    },
};

fn of(ask: AskBook) -> Asked {
    Asked::Of(Ask::Book(ask))
}

/// `find acme`.
pub(super) fn find(words: &Words<'_>) -> Result<Asked, String> {
    Ok(of(AskBook::Find { text: words.rest.to_owned(), limit: None }))
}

/// `show acme`.
pub(super) fn show(words: &Words<'_>) -> Result<Asked, String> {
    named(words.rest).map(|entry| of(AskBook::Show { entry }))
}

/// `add Acme Ltd +44 20 7946 0100 alias acme`, and fields in the lines below.
pub(super) fn add(words: &Words<'_>) -> Result<Asked, String> {
    let Draft { fields, owner, label } = draft(words)?;
    if fields.name.is_none() {
        return Err("the name is missing".to_owned());
    }
    if fields.number.is_none() && fields.members.is_none() {
        return Err("the number is missing; a list has members instead".to_owned());
    }
    Ok(of(AskBook::Add { fields: Box::new(fields), owner, label }))
}

/// `save Acme Ltd alias acme`, written to the address of a job.
pub(super) fn save(words: &Words<'_>) -> Result<Asked, String> {
    let job = words.known.job.ok_or(
        "the fax is missing of which the number is to be saved: reply to a receipt, or write to \
         the address in the mail of the fax",
    )?;
    let Draft { fields, owner, label } = draft(words)?;
    if fields.name.is_none() {
        return Err("the name is missing".to_owned());
    }
    Ok(Asked::Save(Box::new(Save { job, fields, owner, label })))
}

fn draft(words: &Words<'_>) -> Result<Draft, String> {
    let mut draft = entry::line(words.rest)?;
    entry::lines(&mut draft, words.below())?;
    Ok(draft)
}

/// `change acme number=+44 20 7946 0101`, and fields in the lines below.
pub(super) fn change(words: &Words<'_>) -> Result<Asked, String> {
    let (head, pairs) = pieces(words.rest);
    let entry = named(head)?;
    let mut version = None;
    let mut draft = Draft::default();
    let mut any = false;
    for (key, value) in pairs {
        any = true;
        match key == "version" {
            true => version = Some(number(&value)?),
            false => entry::named(&mut draft, &key, &value)?,
        }
    }
    any |= entry::lines(&mut draft, words.below())?;
    if !any {
        return Err("what is to be different is missing: write FIELD=VALUE".to_owned());
    }
    if draft.label.is_some() || draft.owner.is_some() {
        return Err("who may see an entry is changed by: share".to_owned());
    }
    Ok(of(AskBook::Change { entry, version, fields: Box::new(draft.fields) }))
}

/// `share acme with bert, group sales`; `share acme with everyone`.
pub(super) fn share(words: &Words<'_>) -> Result<Asked, String> {
    let (entry, with, version) = with(words)?;
    let with = with.ok_or("with whom is missing: everyone, bert, group sales")?;
    Ok(of(AskBook::Share { entry, version, with: entry::sharing(&with)? }))
}

/// `unshare acme with bert`; `unshare acme`.
pub(super) fn unshare(words: &Words<'_>) -> Result<Asked, String> {
    let (entry, with, version) = with(words)?;
    let with = match with.map(|with| entry::sharing(&with)).transpose()? {
        None | Some(Sharing::Everyone) => Sharing::Nobody,
        Some(Sharing::With(parties)) => Sharing::NotWith(parties),
        Some(other) => other,
    };
    Ok(of(AskBook::Share { entry, version, with }))
}

/// `delete acme`.
pub(super) fn delete(words: &Words<'_>) -> Result<Asked, String> {
    let (head, version) = versioned(words.rest)?;
    Ok(of(AskBook::Delete { entry: named(head)?, version }))
}

/// `import`, `import dry-run`, `import csv for everyone`: the file that is attached, or
/// what stands in the mail.
pub(super) fn import(words: &Words<'_>) -> Result<Asked, String> {
    let mut ask =
        AskImport { file: String::new(), format: None, owner: None, label: None, dry_run: false };
    let mut rest = words.words.iter();
    while let Some(word) = rest.next() {
        let lower = word.trim_end_matches([',', '.']).to_lowercase();
        match lower.as_str() {
            "dry-run" | "dry" | "try" | "test" | "run" => ask.dry_run = true,
            "everyone" => ask.label = Some(Label::Everyone),
            "public" => ask.owner = Some(Keeper::Public),
            "for" | "with" => {
                let parties: Vec<&str> = rest.by_ref().copied().collect();
                ask.label = Some(match entry::sharing(&parties.join(" "))? {
                    Sharing::Everyone => Label::Everyone,
                    Sharing::With(parties) => Label::Named(parties),
                    Sharing::Nobody | Sharing::NotWith(_) => Label::private(),
                });
            }
            _ => {
                let known = "dry-run, csv, vcard, ldif, for everyone, public";
                let why = || format!("\"{word}\" is none of {known}");
                ask.format = Some(format(&lower).ok_or_else(why)?);
            }
        }
    }
    let file = match (words.known.files, words.known.other_file) {
        ([], Some(name)) => {
            let name = grammar::shown(name);
            let why = "attach one that ends in .csv, .vcf or .ldif; programs for tables and \
                       contacts export them";
            return Err(format!("\"{name}\" is no file of contacts: {why}"));
        }
        ([], None) => words.text_below().into_bytes(),
        ([one], _) => one.bytes.to_vec(),
        ([_, _, ..], _) => return Err("there are several files with contacts: send one".to_owned()),
    };
    if file.iter().all(u8::is_ascii_whitespace) {
        let why = "the file is missing: attach one that is CSV, vCard or LDIF, or write it into \
                   the mail";
        return Err(why.to_owned());
    }
    ask.file = STANDARD.encode(file);
    Ok(of(AskBook::Import(Box::new(ask))))
}

/// `export csv`, `export vcard visible`.
pub(super) fn export(words: &Words<'_>) -> Result<Asked, String> {
    let (mut chosen, mut what) = (None, Exported::Own);
    for word in &words.words {
        let lower = word.trim_end_matches([',', '.']).to_lowercase();
        match (lower.as_str(), format(&lower)) {
            ("visible" | "all" | "everything", _) => what = Exported::Visible,
            ("own" | "mine", _) => what = Exported::Own,
            (_, Some(_)) if chosen.is_some() => return Err(too_many(word)),
            (_, Some(format)) => chosen = Some(format),
            (_, None) => {
                return Err(format!("\"{word}\" is none of csv, vcard, vcard3, ldif, visible"));
            }
        }
    }
    let format = chosen.ok_or("the format is missing: csv, vcard, vcard3 or ldif")?;
    Ok(of(AskBook::Export { format, what }))
}

fn format(word: &str) -> Option<FileFormat> {
    match word {
        "csv" => Some(FileFormat::Csv),
        "vcard" | "vcf" | "vcard4" => Some(FileFormat::Vcard4),
        "vcard3" => Some(FileFormat::Vcard3),
        "ldif" => Some(FileFormat::Ldif),
        _ => None,
    }
}

/// The entry that is meant: all words, since names of files and numbers have spaces.
fn named(text: &str) -> Result<String, String> {
    let text = match text.split_once(char::is_whitespace) {
        Some((first, rest)) if first.eq_ignore_ascii_case("entry") => rest,
        _ => text,
    };
    match entry::plain(text) {
        entry if entry.is_empty() => Err("the entry is missing: its alias or number".to_owned()),
        entry => Ok(entry),
    }
}

fn number(value: &str) -> Result<u64, String> {
    value.parse().map_err(|_| format!("\"{value}\" is no number of a version"))
}

/// What stands before `version=3`, and that version.
fn versioned(text: &str) -> Result<(&str, Option<u64>), String> {
    let (head, pairs) = pieces(text);
    let mut version = None;
    for (key, value) in pairs {
        match key == "version" {
            true => version = Some(number(&value)?),
            false => return Err(format!("\"{key}=\" does not belong here")),
        }
    }
    Ok((head, version))
}

/// The entry, whatever stands behind `with`, and the version.
fn with(words: &Words<'_>) -> Result<(String, Option<String>, Option<u64>), String> {
    let (head, version) = versioned(words.rest)?;
    let words: Vec<&str> = head.split_whitespace().collect();
    let joins = |word: &&str| ["with", "from", "for"].contains(&word.to_lowercase().as_str());
    let at = words.iter().skip(1).position(joins).map(|at| at + 1);
    let (entry, with) = match at {
        Some(at) => (&words[..at], Some(words[at + 1..].join(" "))),
        None => (&words[..], None),
    };
    Ok((named(&entry.join(" "))?, with, version))
}
