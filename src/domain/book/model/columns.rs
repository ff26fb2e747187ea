//! What is looked for in some columns alone, against the fields of the plain list.

use std::collections::BTreeSet;

use super::{
    super::{Book, Column, Entry, EntryId, Reach, tests::who},
    Model, fields, naive_rank,
};
use crate::setup::Setup;

const ASKED: [&[Column]; 5] = [
    &[Column::Name],
    &[Column::Address],
    &[Column::Name, Column::Address],
    &[Column::Other],
    &[Column::Company],
];

fn column(entry: &Entry, column: Column) -> String {
    let fields = fields(entry);
    let is_fax = matches!(entry.content.reach, Reach::Fax(_));
    let numbers = fields[fields.len() - if is_fax { 2 } else { 0 }..].join("\n");
    match column {
        Column::Name => fields[0].clone(),
        Column::Address if entry.content.alias.is_some() => fields[1].clone(),
        Column::Address | Column::Other => numbers,
        Column::Company => entry.content.company.clone(),
    }
}

/// Holds what one is handed over against the list.
pub(super) fn compare(book: &Book, setup: &Setup, by: &str, model: &Model, text: &str) {
    for asked in ASKED {
        let mut got = BTreeSet::new();
        let every = book.each(setup, &who(by), text, &asked.iter().copied().collect(), |entry| {
            got.insert(entry.id);
            Ok::<_, ()>(())
        });
        assert_eq!(every, Ok(()));
        let holds = |entry: &&Entry| {
            let in_one = |at: &Column| text.split(' ').all(|w| column(entry, *at).contains(w));
            naive_rank(setup, by, entry).is_some() && asked.iter().any(in_one)
        };
        let want: BTreeSet<EntryId> = model.values().filter(holds).map(|entry| entry.id).collect();
        assert_eq!(got, want, "{by} is handed {text} of {asked:?}");
        let mut count = 0;
        let one = book.each(setup, &who(by), text, &asked.iter().copied().collect(), |_| {
            count += 1;
            Err("enough")
        });
        assert_eq!((one.is_err(), count), (!want.is_empty(), usize::from(!want.is_empty())));
    }
}
