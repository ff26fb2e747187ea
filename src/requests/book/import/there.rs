//! What is in the book before an import, and which of it the contacts of a file are.

use std::collections::{HashMap, HashSet};

use postfax_domain::book::{Content, Entry, EntryId, Reach};

use crate::requests::book::contact::Contact;

/// The entries of the owner that were there before, by what they are matched by.
#[derive(Default)]
pub(super) struct There<'a> {
    by_uid: HashMap<&'a str, &'a Entry>,
    by_alias: HashMap<String, &'a Entry>,
    by_name: HashMap<Name, Vec<&'a Entry>>,
    pub(super) uids: HashSet<&'a str>,
    taken: HashSet<EntryId>,
}

/// A name in small letters, and the number; a list has none.
pub(super) type Name = (String, Option<String>);

pub(super) fn name_of(content: &Content) -> Name {
    let number = match &content.reach {
        Reach::Fax(line) => Some(line.number.to_string()),
        Reach::List(_) => None,
    };
    (content.name.to_lowercase(), number)
}

fn is_list(content: &Content) -> bool {
    matches!(content.reach, Reach::List(_))
}

impl<'a> There<'a> {
    pub(super) fn of(entries: impl Iterator<Item = &'a Entry>) -> Self {
        let mut there = Self::default();
        for entry in entries {
            there.uids.insert(&entry.uid);
            there.by_uid.insert(&entry.uid, entry);
            if let Some(alias) = entry.content.alias_key() {
                there.by_alias.insert(alias, entry);
            }
            there.by_name.entry(name_of(&entry.content)).or_default().push(entry);
        }
        there
    }

    /// The entries that the contacts of a file are already. Those that are named by their
    /// uid come first, so that no other takes their place.
    pub(super) fn matched(&mut self, contacts: &[&Contact]) -> Vec<Option<&'a Entry>> {
        let mut found: Vec<Option<&'a Entry>> = vec![None; contacts.len()];
        let steps: [fn(&Self, &Contact) -> Option<&'a Entry>; 3] =
            [Self::of_uid, Self::of_alias, Self::of_name];
        for step in steps {
            for (contact, found) in contacts.iter().zip(&mut found) {
                if found.is_none()
                    && let Some(entry) = step(self, contact)
                    && is_list(&entry.content) == is_list(&contact.content)
                    && self.taken.insert(entry.id)
                {
                    *found = Some(entry);
                }
            }
        }
        found
    }

    fn of_uid(&self, contact: &Contact) -> Option<&'a Entry> {
        self.by_uid.get(contact.uid.as_deref()?).copied()
    }

    fn of_alias(&self, contact: &Contact) -> Option<&'a Entry> {
        self.by_alias.get(&contact.content.alias_key()?).copied()
    }

    fn of_name(&self, contact: &Contact) -> Option<&'a Entry> {
        let all = self.by_name.get(&name_of(&contact.content))?;
        all.iter().find(|entry| !self.taken.contains(&entry.id)).copied()
    }
}
