//! Entries as answers show them: to whom the label and the history go is decided here and
//! nowhere else. Changes nothing.

use postfax_domain::{
    book::{Entry, Field, Label, Noted, Owner, Rank, Reach, What},
    dial::Party,
    setup::Setup,
};

use super::{EntryRow, HistoryLine, Member};

/// An entry as a row of an answer, for one who may or may not change it.
pub(crate) fn row(entry: &Entry, rank: Rank, may_change: bool, setup: &Setup) -> EntryRow {
    let content = &entry.content;
    let line = match &content.reach {
        Reach::Fax(line) => Some(line),
        Reach::List(_) => None,
    };
    EntryRow {
        uid: entry.uid.clone(),
        version: entry.version,
        rank,
        owner: match &entry.owner {
            Owner::Client(name) => Some(name.clone()),
            Owner::Supervisor => None,
        },
        label: may_change.then(|| entry.label.clone()),
        may_change,
        name: content.name.clone(),
        company: content.company.clone(),
        alias: content.alias.clone(),
        address: content.address(&setup.domain).unwrap_or_default(),
        number: line.map(|line| line.number.clone()),
        subaddress: line.and_then(|line| line.subaddress.clone()),
        note: content.note.clone(),
        tags: content.tags.clone(),
        cover: line.and_then(|line| line.options.cover),
        resolution: line.and_then(|line| line.options.resolution),
        members: match &content.reach {
            Reach::Fax(_) => None,
            Reach::List(members) => Some(members.len()),
        },
    }
}

/// A member of a list.
pub(crate) fn member(entry: &Entry) -> Member {
    let number = match &entry.content.reach {
        Reach::Fax(line) => Some(line.number.clone()),
        Reach::List(_) => None,
    };
    Member { uid: entry.uid.clone(), name: entry.content.name.clone(), number }
}

/// A line of history in words.
pub(crate) fn history(noted: &Noted) -> HistoryLine {
    let what = match &noted.what {
        What::Added => "added".to_owned(),
        What::Changed(fields) if fields.is_empty() => "saved again".to_owned(),
        What::Changed(fields) => {
            let fields: Vec<&str> = fields.iter().map(|field| field_word(*field)).collect();
            format!("changed: {}", fields.join(", "))
        }
        What::Shared(label) => format!("now for {}", label_words(label)),
        What::Deleted => "deleted".to_owned(),
    };
    HistoryLine { version: noted.version, at: noted.at, by: noted.by.to_string(), what }
}

/// What a field is called.
pub(crate) fn field_word(field: Field) -> &'static str {
    match field {
        Field::Name => "name",
        Field::Company => "company",
        Field::Alias => "alias",
        Field::Note => "note",
        Field::Tags => "tags",
        Field::Reach => "number or members",
        Field::Kept => "other lines of its card",
    }
}

/// Whom an entry is for: `everyone`, `its owner alone`, `client:bert group:sales`.
pub(crate) fn label_words(label: &Label) -> String {
    let word = |party: &Party| match party {
        Party::Client(name) => format!("client:{name}"),
        Party::Group(name) => format!("group:{name}"),
    };
    match label {
        Label::Everyone => "everyone".to_owned(),
        Label::Named(parties) if parties.is_empty() => "its owner alone".to_owned(),
        Label::Named(parties) => parties.iter().map(word).collect::<Vec<_>>().join(" "),
    }
}
