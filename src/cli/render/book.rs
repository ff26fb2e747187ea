//! The phone book as text.

use postfax_domain::{
    book::{Label, Rank},
    document::Resolution,
};

use super::{
    Paint, View, clean,
    table::{self, text},
};
use crate::requests::{
    BookReply,
    book::{EntryRow, EntrySheet, Imported, ImportedEntry, rows},
};

/// Most characters of a name or a company in a table.
const MAX_CELL: usize = 32;
/// Entries of a file that are named; the others are counted.
const MAX_NAMED: usize = 20;

/// What was asked of the phone book.
pub(in crate::cli) fn book(view: &View, reply: &BookReply) -> String {
    match reply {
        BookReply::Entries { entries, more } => entries_table(view, entries, *more),
        BookReply::Entry(sheet) => shown(view, sheet),
        BookReply::Deleted { name, .. } => format!("\"{}\" is deleted\n", clean(name)),
        BookReply::Imported(file) => imported(view, file),
        BookReply::Exported { text, .. } => text.clone(),
    }
}

fn entries_table(view: &View, entries: &[EntryRow], more: bool) -> String {
    if entries.is_empty() {
        return "no such entries\n".into();
    }
    let heading = ["NAME", "COMPANY", "ALIAS", "NUMBER", "OWNER", "FOR", "UID"];
    let rows = entries.iter().map(|entry| {
        vec![
            text(short(&entry.name)),
            text(short(&entry.company)),
            text(entry.alias.as_deref().unwrap_or_default()),
            text(reach(entry)),
            text(owner(entry)).painted((entry.rank == Rank::Own).then_some(Paint::Good)),
            text(short(&entry.label.as_ref().map(rows::label_words).unwrap_or_default())),
            text(&entry.uid).painted(Paint::Dim),
        ]
    });
    let table = table::table(view, "", &heading, rows.collect());
    table + if more { "and more: search for more words, or ask with --limit\n" } else { "" }
}

/// As much as fits into a cell.
fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_CELL) {
        Some(_) => text.chars().take(MAX_CELL - 2).chain("..".chars()).collect(),
        None => text.to_owned(),
    }
}

fn reach(entry: &EntryRow) -> String {
    match (&entry.number, &entry.subaddress, entry.members) {
        (Some(number), Some(subaddress), _) => format!("{number}/{subaddress}"),
        (Some(number), None, _) => number.to_string(),
        (None, _, Some(members)) => format!("list of {members}"),
        (None, _, None) => String::new(),
    }
}

fn owner(entry: &EntryRow) -> &str {
    match (entry.rank, &entry.owner) {
        (Rank::Own, _) => "you",
        (_, Some(owner)) => owner.as_str(),
        (_, None) => "nobody",
    }
}

/// An entry, one field to a line.
fn shown(view: &View, sheet: &EntrySheet) -> String {
    let EntrySheet { entry, members, unusable, history } = sheet;
    let mut out = format!("{}\n", view.paint(Paint::Strong, &clean(&entry.name)));
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            out.push_str(&format!("  {name:<12} {}\n", clean(value)));
        }
    };
    field("company", &entry.company);
    field("number", entry.number.as_ref().map_or("", |number| number.as_str()));
    field("sub-address", entry.subaddress.as_deref().unwrap_or_default());
    field("alias", entry.alias.as_deref().unwrap_or_default());
    field("faxes to", &entry.address);
    field("tags", &entry.tags.iter().cloned().collect::<Vec<_>>().join(", "));
    for (at, line) in entry.note.lines().enumerate() {
        field(if at == 0 { "note" } else { "" }, if line.is_empty() { " " } else { line });
    }
    field("cover", entry.cover.map_or("", |cover| if cover { "yes" } else { "no" }));
    field("resolution", entry.resolution.map_or("", Resolution::as_str));
    field("owner", owner(entry));
    field("for", &entry.label.as_ref().map(label).unwrap_or_default());
    field("version", &entry.version.to_string());
    field("uid", &entry.uid);
    if entry.members.is_some() {
        out.push_str("Members\n");
        for member in members {
            let number = member.number.as_ref().map_or("a list", |number| number.as_str());
            out.push_str(&format!("  {number:<16} {}\n", clean(&member.name)));
        }
        if *unusable > 0 {
            out.push_str(&format!("  {unusable} more cannot be used: gone, or not for you\n"));
        }
    }
    if !history.is_empty() {
        out.push_str("History\n");
    }
    for line in history {
        let (when, by) = (view.moment(line.at), clean(&line.by));
        out.push_str(&format!("  {:<4} {when}  {by}  {}\n", line.version, clean(&line.what)));
    }
    out
}

fn label(label: &Label) -> String {
    rows::label_words(label)
}

/// What became of a file.
fn imported(view: &View, file: &Imported) -> String {
    let Imported { dry_run, done, added, changed, same, errors, notes } = file;
    let mut out = String::new();
    for error in errors {
        out.push_str(&format!("{} {}\n", view.paint(Paint::Bad, "error:"), clean(error)));
    }
    for note in notes {
        out.push_str(&format!("{} {}\n", view.paint(Paint::Dim, "note:"), clean(note)));
    }
    for (sign, entries) in [("+", added), ("~", changed)] {
        for entry in entries.iter().take(MAX_NAMED) {
            out.push_str(&format!("{sign} {}\n", named(entry)));
        }
        if entries.len() > MAX_NAMED {
            out.push_str(&format!("{sign} and {} more\n", entries.len() - MAX_NAMED));
        }
    }
    let (added, changed) = (added.len(), changed.len());
    let counts = format!("{added} added, {changed} changed, {same} the same as before");
    let would = counts.replace("added", "to add").replace("changed", "to change");
    out.push_str(&match (errors.is_empty(), *dry_run, *done) {
        (false, _, _) => format!("nothing is imported: {} in the file\n", errors_of(errors.len())),
        (true, true, _) => format!("{would}; nothing is done yet\n"),
        (true, false, true) => format!("{counts}\n"),
        (true, false, false) => format!("{would}; not done\n"),
    });
    out
}

fn errors_of(count: usize) -> String {
    if count == 1 { "1 error".to_owned() } else { format!("{count} errors") }
}

fn named(entry: &ImportedEntry) -> String {
    let number = entry.number.as_ref().map_or("a list", |number| number.as_str());
    let fields = match entry.fields.is_empty() {
        true => String::new(),
        false => format!(": {}", entry.fields.join(", ")),
    };
    format!("{}, {number}{fields}", clean(&entry.name))
}
