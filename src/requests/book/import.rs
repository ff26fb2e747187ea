//! A file of contacts becomes orders for the phone book, or everything that stands in the
//! way. It reads a copy of the book and writes nothing: the orders are carried out by the
//! supervisor, all or none.
//!
//! ```text
//!  bytes ─▶ cards ─▶ contacts ─▶ matched by uid, alias, name and number
//!                                   ├─ say the same ─▶ nothing
//!                                   ├─ say more ─────▶ change, of the version that was seen
//!                                   └─ not there ────▶ add
//! ```
//!
//! An import never empties a field: what a file says nothing of stays as it is, as few
//! formats hold everything. What stands in the cells is told to the one who asks and to
//! no log.

mod aliases;
mod merge;
#[cfg(test)]
mod tests;
mod there;

use std::collections::{HashMap, HashSet, VecDeque};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use postfax_cards::{
    CardList, FILE_BYTES_MOST, Finding, Format, Place, Problem as Trouble, Reading,
};
use postfax_cards::{ldif, table, vcard};
use postfax_domain::{
    authority::Who,
    book::{Book, Content, Entry, EntryId, Label, MAX_UID_BYTES, Order, Owner, Reach, Refused},
    setup::Setup,
    time::Timestamp,
};

use super::{
    AskImport, FileFormat, Imported, ImportedEntry,
    contact::{self, BadCard, Contact},
    new_uid, rows, shown,
};
use crate::requests::{Code, Problem};
use merge::merged;
use there::{There, name_of};

/// Most errors, and most notes, that are told one by one.
const MAX_TOLD: usize = 100;

/// What is to be done about a file.
pub(crate) struct Planned {
    /// To be carried out as one.
    pub(crate) orders: Vec<Order>,
    /// Where in the file each order comes from.
    pub(crate) places: Vec<String>,
    /// What would become of it; without errors it can be done.
    pub(crate) imported: Imported,
}

/// What a file would change. `keeper` is whose new entries are to be, and who else may
/// refer to them.
///
/// # Errors
/// [`Code::BadRequest`] where it is no file of contacts, [`Code::NotPermitted`] where `who`
/// may not write what it says.
pub(crate) fn plan(
    book: &Book,
    setup: &Setup,
    who: &Who,
    ask: &AskImport,
    keeper: (&Owner, &Label),
    now: Timestamp,
) -> Result<Planned, Problem> {
    let bad = |message: String| Problem::new(Code::BadRequest, message);
    // Four letters for three octets (RFC 4648 4).
    if ask.file.len() / 4 * 3 > FILE_BYTES_MOST {
        return Err(bad(format!(
            "the file is too large: at most {FILE_BYTES_MOST} bytes are read"
        )));
    }
    let bytes = BASE64_STANDARD.decode(ask.file.as_bytes());
    let bytes = bytes.map_err(|_| bad("the file is not in Base64 (RFC 4648 4)".into()))?;
    let format = match ask.format {
        Some(FileFormat::Csv) => Format::Csv,
        Some(FileFormat::Vcard3 | FileFormat::Vcard4) => Format::VCard,
        Some(FileFormat::Ldif) => Format::Ldif,
        None => Format::of(&bytes).ok_or_else(|| {
            bad("this is no text: export the contacts as vCard, CSV or LDIF".into())
        })?,
    };
    let reading = match format {
        Format::VCard => vcard::read(&bytes, vcard::Options::default()),
        Format::Csv => table::read(&bytes),
        Format::Ldif => ldif::read(&bytes),
    };
    let mut import = Import::new(book, setup, who, format, keeper);
    import.imported.dry_run = ask.dry_run;
    import.judge(&reading);
    import.cards(&reading)?;
    import.lists(&reading)?;
    let placed = (std::mem::take(&mut import.orders), std::mem::take(&mut import.places));
    (import.orders, import.places) = aliases::freed(book, setup, who, placed);
    let refusals = book.refusals(setup, who, &import.orders, now, MAX_TOLD + 1);
    for (at, why) in refusals {
        if matches!(why, Refused::NotYours | Refused::Missing(_)) {
            return Err(Problem::new(Code::NotPermitted, why.to_string()));
        }
        let place = import.places[at].clone();
        import.error(&format!("{place}: {why}"));
    }
    Ok(import.done())
}

/// An import that is being planned.
struct Import<'a> {
    book: &'a Book,
    setup: &'a Setup,
    who: &'a Who,
    format: Format,
    keeper: (&'a Owner, &'a Label),
    there: There<'a>,
    /// What the members of lists call the entries of this file.
    known: HashMap<String, EntryId>,
    /// Cards that were left out.
    passed_over: HashSet<String>,
    orders: Vec<Order>,
    places: Vec<String>,
    imported: Imported,
    more_errors: usize,
}

/// A contact of the file.
struct Row {
    place: String,
    /// What lists call it.
    reference: String,
    contact: Contact,
}

impl<'a> Import<'a> {
    fn new(
        book: &'a Book,
        setup: &'a Setup,
        who: &'a Who,
        format: Format,
        keeper: (&'a Owner, &'a Label),
    ) -> Self {
        let visible = book.visible(setup, who).into_iter().map(|(_, entry)| entry.as_ref());
        let there = There::of(visible.filter(|entry| entry.owner == *keeper.0));
        Self {
            book,
            setup,
            who,
            format,
            keeper,
            there,
            known: HashMap::new(),
            passed_over: HashSet::new(),
            orders: Vec::new(),
            places: Vec::new(),
            imported: Imported::default(),
            more_errors: 0,
        }
    }

    fn error(&mut self, words: &str) {
        match self.imported.errors.len() < MAX_TOLD {
            true => self.imported.errors.push(words.to_owned()),
            false => self.more_errors += 1,
        }
    }

    /// What the reader has to say of the file.
    fn judge(&mut self, reading: &Reading) {
        let mut columns = Vec::new();
        for Finding { place, problem } in &reading.findings {
            let column = place.column.as_deref().unwrap_or_default();
            match problem {
                Trouble::UnknownColumn | Trouble::DoubledColumn => {
                    let is_ours = |ours: &&str| ours.eq_ignore_ascii_case(column);
                    if !contact::COLUMNS.iter().any(is_ours) {
                        columns.push(shown(column));
                    }
                }
                problem if problem.leaves_out() => {
                    self.error(&format!("{place}: {problem}; {}", problem.remedy()));
                }
                problem => {
                    self.imported.notes.push(format!("{place}: {problem}; {}", problem.remedy()));
                }
            }
        }
        self.more_errors += reading.findings_left_out;
        if !reading.is_whole() && self.imported.errors.is_empty() {
            self.error("something of the file cannot be read");
        }
        if !columns.is_empty() {
            let note = "these columns have no place in the phone book and are left out: ";
            self.imported.notes.push(format!("{note}{}", columns.join(", ")));
        }
    }

    fn cards(&mut self, reading: &Reading) -> Result<(), Problem> {
        let (mut rows, mut without) = (Vec::new(), Vec::new());
        for (card, place) in reading.book.cards.iter().zip(&reading.card_places) {
            let place = placed(place, &card.name);
            let reference = card.reference().to_owned();
            match contact::read(card, self.setup) {
                Ok(contact) => rows.push(Row { place, reference, contact }),
                Err(BadCard::NoFax) => {
                    self.passed_over.insert(reference);
                    without.push(place);
                }
                Err(bad) => self.error(&format!("{place}: {bad}")),
            }
        }
        if !without.is_empty() {
            let all = without.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if without.len() > 5 { ", .." } else { "" };
            let note = format!("{} without a fax number, left out: {all}{more}", without.len());
            self.imported.notes.push(note);
        }
        self.tell_notes(&rows);
        let rows = self.once(rows);
        let found = self.there.matched(&rows.iter().map(|row| &row.contact).collect::<Vec<_>>());
        for (row, found) in rows.into_iter().zip(found) {
            let reference = row.reference.clone();
            let id = self.put(row, found)?;
            self.known.entry(reference).or_insert(id);
        }
        Ok(())
    }

    fn tell_notes(&mut self, rows: &[Row]) {
        let notes = rows
            .iter()
            .flat_map(|row| row.contact.notes.iter().map(|note| format!("{}: {note}", row.place)));
        let mut notes: Vec<String> = notes.collect();
        let more = notes.len().saturating_sub(MAX_TOLD);
        notes.truncate(MAX_TOLD);
        if more > 0 {
            notes.push(format!("and {more} more of the kind"));
        }
        self.imported.notes.extend(notes);
    }

    /// Leaves out what the file says twice. Two that have one uid and differ are an error.
    fn once(&mut self, rows: Vec<Row>) -> Vec<Row> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut kept: Vec<Row> = Vec::with_capacity(rows.len());
        for row in rows {
            let content = &row.contact.content;
            let key = match &row.contact.uid {
                Some(uid) => format!("uid:{uid}"),
                None => format!("{:?}", name_of(content)),
            };
            match seen.get(&key).map(|at| &kept[*at]) {
                Some(first) if first.contact.content == *content => {
                    let note = format!("{}: the same as {}, left out", row.place, first.place);
                    if self.imported.notes.len() < 2 * MAX_TOLD {
                        self.imported.notes.push(note);
                    }
                    continue;
                }
                Some(first) if row.contact.uid.is_some() => {
                    let words = format!(
                        "{}: it has the unique identifier of {}; give each its own, or none",
                        row.place, first.place
                    );
                    self.error(&words);
                    continue;
                }
                _ => {}
            }
            seen.entry(key).or_insert(kept.len());
            kept.push(row);
        }
        kept
    }

    /// Orders what is to become of a contact, if anything, and returns which entry it is
    /// or will be.
    fn put(&mut self, row: Row, found: Option<&Entry>) -> Result<EntryId, Problem> {
        let Row { place, contact: Contact { uid, content, .. }, .. } = row;
        let (order, id) = match found {
            Some(entry) => {
                let content = merged(&entry.content, content, self.format, self.setup);
                let fields = entry.content.differs(&content);
                if fields.is_empty() {
                    self.imported.same += 1;
                    return Ok(entry.id);
                }
                let fields = fields.into_iter().map(|field| rows::field_word(field).to_owned());
                self.imported.changed.push(told(&content, fields.collect()));
                let (id, expected) = (entry.id, Some(entry.version));
                (Order::Change { id, expected, content }, id)
            }
            None => {
                let is_good = |uid: &String| {
                    uid.len() <= MAX_UID_BYTES
                        && !uid.chars().any(char::is_control)
                        && !self.there.uids.contains(uid.as_str())
                };
                let no_chance = || Problem::new(Code::Failed, "the system has no random numbers");
                let uid = match uid.filter(is_good) {
                    Some(uid) => uid,
                    None => new_uid().ok_or_else(no_chance)?,
                };
                self.imported.added.push(told(&content, Vec::new()));
                let (owner, label) = (self.keeper.0.clone(), self.keeper.1.clone());
                let id = EntryId::added_by(self.orders.len());
                (Order::Add { uid, owner, label, content }, id)
            }
        };
        self.orders.push(order);
        self.places.push(place);
        Ok(id)
    }

    /// Lists, and which entries they are already.
    fn lists(&mut self, reading: &Reading) -> Result<(), Problem> {
        let lists = &reading.book.lists;
        // What they say without their members is enough to know which there are already.
        let mut contacts: Vec<Option<Contact>> = Vec::new();
        for (list, place) in lists.iter().zip(&reading.list_places) {
            let read = contact::read_list(list, self.setup, |_| None);
            if let Err(bad) = &read {
                self.error(&format!("{}: {bad}", placed(place, &list.name)));
            }
            contacts.push(read.ok().map(|(contact, _)| contact));
        }
        let good: Vec<usize> = (0..lists.len()).filter(|at| contacts[*at].is_some()).collect();
        let found = self.there.matched(&contacts.iter().flatten().collect::<Vec<_>>());
        let left: Vec<(usize, Option<&Entry>)> = good.into_iter().zip(found).collect();
        for (at, entry) in &left {
            if let Some(entry) = entry {
                self.known.insert(called(&lists[*at]).to_owned(), entry.id);
            }
        }
        self.in_turn(reading, &left)
    }

    /// Lists, those first that others hold.
    fn in_turn(
        &mut self,
        reading: &Reading,
        left: &[(usize, Option<&Entry>)],
    ) -> Result<(), Problem> {
        let lists = &reading.book.lists;
        let names: HashMap<&str, usize> =
            lists.iter().enumerate().map(|(at, list)| (called(list), at)).collect();
        // Each waits for those new lists among its members that are still to come.
        let coming: HashMap<usize, Option<&Entry>> = left.iter().copied().collect();
        let mut waits: HashMap<usize, usize> = HashMap::new();
        let mut holders: HashMap<usize, Vec<usize>> = HashMap::new();
        for (at, _) in left {
            let members = lists[*at].members.iter();
            let new = members.filter(|member| !self.known.contains_key(*member));
            let new: HashSet<usize> =
                new.filter_map(|member| names.get(member.as_str()).copied()).collect();
            for member in new.iter().filter(|member| coming.contains_key(member)) {
                holders.entry(*member).or_default().push(*at);
                *waits.entry(*at).or_default() += 1;
            }
        }
        let mut ready: VecDeque<usize> = left.iter().map(|(at, _)| *at).collect();
        ready.retain(|at| !waits.contains_key(at));
        while let Some(at) = ready.pop_front() {
            let place = placed(&reading.list_places[at], &lists[at].name);
            let id = self.list(&lists[at], place, coming.get(&at).copied().flatten())?;
            self.known.entry(called(&lists[at]).to_owned()).or_insert(id);
            for holder in holders.remove(&at).unwrap_or_default() {
                let count = waits.entry(holder).or_default();
                *count -= 1;
                if *count == 0 {
                    waits.remove(&holder);
                    ready.push_back(holder);
                }
            }
        }
        for (at, _) in left.iter().filter(|(at, _)| waits.contains_key(at)) {
            let place = placed(&reading.list_places[*at], &lists[*at].name);
            self.error(&format!("{place}: the list would hold itself"));
        }
        Ok(())
    }

    fn list(
        &mut self,
        list: &CardList,
        place: String,
        found: Option<&Entry>,
    ) -> Result<EntryId, Problem> {
        let find = |member: &str| {
            let there = || self.book.by_uid(self.setup, self.who, member).map(|seen| seen.entry.id);
            self.known.get(member).copied().or_else(there)
        };
        let Ok((mut contact, unknown)) = contact::read_list(list, self.setup, find) else {
            return Ok(EntryId::default());
        };
        let lost: Vec<String> = unknown
            .iter()
            .filter(|one| !self.passed_over.contains(*one))
            .map(|m| shown(m))
            .collect();
        if !lost.is_empty() {
            let some = lost.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
            self.imported.notes.push(format!(
                "{place}: {} neither in the file nor in the phone book, left out: {some}",
                if lost.len() == 1 {
                    "1 member is".into()
                } else {
                    format!("{} members are", lost.len())
                },
            ));
        }
        if let (Reach::List(members), Some(entry)) = (&mut contact.content.reach, found) {
            self.keep_members(members, entry);
        }
        let reference = list.uid.clone().unwrap_or_default();
        self.put(Row { place, reference, contact }, found)
    }

    /// What a file cannot say of the members of a list stays: those that the asker does not
    /// see, in a table all others as well, and the order where it is only that.
    fn keep_members(&self, members: &mut Vec<EntryId>, entry: &Entry) {
        let Reach::List(old) = &entry.content.reach else { return };
        let is_unseen = |id: &EntryId| self.book.get(self.setup, self.who, *id).is_none();
        for id in old {
            if !members.contains(id) && (self.format == Format::Csv || is_unseen(id)) {
                members.push(*id);
            }
        }
        let (new, before): (HashSet<_>, HashSet<_>) =
            (members.iter().collect(), old.iter().collect());
        if new == before {
            members.clone_from(old);
        }
    }

    fn done(mut self) -> Planned {
        if self.more_errors > 0 {
            self.imported.errors.push(format!("and {} more errors", self.more_errors));
        }
        Planned { orders: self.orders, places: self.places, imported: self.imported }
    }
}

/// What lists call a list.
fn called(list: &CardList) -> &str {
    list.uid.as_deref().unwrap_or(&list.name)
}

/// Where something stands, and what it is called there.
fn placed(place: &Place, name: &str) -> String {
    format!("{place} (\"{}\")", shown(name))
}

fn told(content: &Content, fields: Vec<String>) -> ImportedEntry {
    let number = match &content.reach {
        Reach::Fax(line) => Some(line.number.clone()),
        Reach::List(_) => None,
    };
    ImportedEntry { name: content.name.clone(), number, fields }
}
