//! Entries of the phone book become a file of contacts, and what the file cannot hold is
//! said. Whose entries they are is decided by the one who asks and what they see.

use std::{collections::BTreeMap, sync::Arc};

use postfax_cards::{
    Book as Cards, Card, FaxPlace, Kept, ldif, table,
    vcard::{self, Version},
};
use postfax_domain::{
    authority::Who,
    book::{Book, Content, Entry, Options, Owner, Reach},
    document::Resolution,
    setup::Setup,
};

use super::{BookReply, Exported, FileFormat, contact};

/// The file that was asked for.
pub(crate) fn export(
    book: &Book,
    setup: &Setup,
    who: &Who,
    format: FileFormat,
    what: Exported,
) -> BookReply {
    let own = match who {
        Who::Client(name) => Some(Owner::Client(name.clone())),
        Who::Administrator => Some(Owner::Supervisor),
        Who::Stranger => None,
    };
    let is_meant = |entry: &Entry| what == Exported::Visible || Some(&entry.owner) == own.as_ref();
    let visible = book.visible(setup, who).into_iter().map(|(_, entry)| entry);
    let mut entries: Vec<&Arc<Entry>> = visible.filter(|entry| is_meant(entry)).collect();
    let name = |entry: &Entry| (entry.content.name.to_lowercase(), entry.uid.clone());
    entries.sort_by_cached_key(|entry| name(entry));
    let mut lost: BTreeMap<String, usize> = BTreeMap::new();
    let mut cards = Cards::default();
    for entry in &entries {
        for loss in lost_of(&entry.content, format) {
            *lost.entry(loss).or_default() += 1;
        }
        match &entry.content.reach {
            Reach::Fax(_) => cards.cards.push(card(entry, format, setup)),
            Reach::List(_) => {
                let (members, _) = book.members(setup, who, entry);
                let members = members.iter().map(|member| member.uid.as_str());
                let mut list = contact::write_list(entry, members, setup);
                if !is_vcard(format) {
                    list.kept = Kept::Nothing;
                }
                cards.lists.push(list);
            }
        }
    }
    let text = match format {
        FileFormat::Csv => table::write(&cards, table::Style::default()),
        FileFormat::Vcard3 => vcard::write(&cards, Version::V3, vcard::Options::default()),
        FileFormat::Vcard4 => vcard::write(&cards, Version::V4, vcard::Options::default()),
        FileFormat::Ldif => ldif::write(&cards),
    };
    let count_of = |(what, count): (String, usize)| match count {
        1 => format!("{what} (1 entry)"),
        many => format!("{what} ({many} entries)"),
    };
    let lost = lost.into_iter().map(count_of).collect();
    BookReply::Exported { format, text, count: entries.len(), lost }
}

fn is_vcard(format: FileFormat) -> bool {
    matches!(format, FileFormat::Vcard3 | FileFormat::Vcard4)
}

fn card(entry: &Entry, format: FileFormat, setup: &Setup) -> Card {
    let mut card = contact::write(entry, setup);
    if is_vcard(format) {
        return card;
    }
    // Where places are not told or not heeded, the first number is the one that is meant.
    if let Reach::Fax(line) = &entry.content.reach {
        let is_ours = |fax: &postfax_cards::Fax| fax.number == line.number.as_str();
        let at_work = card.faxes.iter().position(|f| is_ours(f) && f.place == FaxPlace::Work);
        let at = at_work.or_else(|| card.faxes.iter().position(is_ours)).unwrap_or(0);
        card.faxes[..=at].rotate_right(1);
        card.kept = match format {
            FileFormat::Csv => cells(&line.options),
            _ => Kept::Nothing,
        };
    }
    card
}

/// The options as columns of their own.
fn cells(options: &Options) -> Kept {
    let cover = options.cover.map(contact::cover_word);
    let values = [cover, options.resolution.map(Resolution::as_str)];
    let cells = contact::COLUMNS.iter().zip(values);
    let cells = cells.filter_map(|(heading, value)| Some((Arc::from(*heading), value?.to_owned())));
    let cells: Vec<(Arc<str>, String)> = cells.collect();
    if cells.is_empty() { Kept::Nothing } else { Kept::Csv(cells) }
}

/// What of an entry a format cannot hold, in words.
fn lost_of(content: &Content, format: FileFormat) -> Vec<String> {
    let mut lost = Vec::new();
    let (is_csv, is_ldif) = (format == FileFormat::Csv, format == FileFormat::Ldif);
    if is_csv || is_ldif {
        // Names, addresses and numbers have attributes and columns.
        let is_held = |line: &str| {
            let name = line.split([':', ';']).next().unwrap_or_default();
            matches!(name, "N" | "EMAIL" | "NICKNAME") || line.starts_with("TEL;TYPE=fax")
        };
        if content.kept.lines().any(|line| !is_held(line)) {
            lost.push("what only a vCard holds: postal addresses, pictures and the like".into());
        }
    }
    match &content.reach {
        Reach::Fax(line) => {
            if is_ldif && line.options != Options::default() {
                lost.push("cover and resolution".into());
            }
            if is_ldif && line.subaddress.is_some() {
                lost.push("sub-addresses, but for those in the address that faxes".into());
            }
        }
        Reach::List(_) if is_csv || is_ldif => {
            let is_more = content.alias.is_some()
                || !content.company.is_empty()
                || !content.note.is_empty()
                || !content.tags.is_empty();
            if is_more {
                lost.push("what a list says besides its name and members".into());
            }
            if is_csv {
                lost.push(
                    "lists with members that are lists, or in no order but that of names".into(),
                );
            }
        }
        Reach::List(_) => {}
    }
    lost
}
