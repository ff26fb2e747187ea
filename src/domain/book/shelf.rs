//! A shelf holds what one audience may see, in the order of the names, as text that can be
//! searched from end to end. It knows neither who asks nor what an entry is.
//!
//! ```text
//!  page   \nacme ltd\nacme\n\n442079460100\n02079460100 \nborough hall\n\n\n442079460111 ...
//!  rows   ^0 entry 7                                    ^48 entry 3
//! ```
//!
//! Why text and not an index of letters: eight megabytes for a hundred thousand entries
//! are read in a millisecond or two, whatever is searched, and cost no more than
//! themselves. Why a shelf for each audience: what somebody may not see is not on their
//! shelves, so that it takes none of their time, and time tells nothing of it.

use std::{cmp::Ordering, collections::BTreeSet, sync::Arc};

use imbl::{OrdSet, Vector};
use memchr::memmem::Finder;

use super::{
    column::{self, Column},
    entry::{EntryId, Stamp},
};

/// A page with more text than this is two.
const PAGE_BYTES: usize = 32 * 1024;

/// How well an entry fits what was searched: the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// A field begins with it: the name, the alias, the company, the number, a tag.
    Field,
    /// A word begins with it.
    Word,
    /// It stands within a word.
    Inside,
}

/// An entry that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit<'a> {
    pub fit: Fit,
    pub text: &'a str,
    pub id: EntryId,
}

/// What is searched: one text, and others that have to stand somewhere in the entry too.
#[derive(Debug)]
pub(super) struct Query {
    text: String,
    at_field: Finder<'static>,
    at_word: Finder<'static>,
    anywhere: Finder<'static>,
    besides: Vec<Finder<'static>>,
}

impl Query {
    /// Takes words as they stand on a shelf. The longest is looked for and says how well
    /// an entry fits: it fits the fewest.
    pub(super) fn new(mut words: Vec<String>) -> Self {
        let longest = (0..words.len()).rev().max_by_key(|at| words[*at].len());
        let text = longest.map(|at| words.remove(at)).unwrap_or_default();
        let finder = |text: String| Finder::new(text.as_bytes()).into_owned();
        Self {
            at_field: finder(format!("\n{text}")),
            at_word: finder(format!(" {text}")),
            anywhere: finder(text.clone()),
            besides: words.into_iter().map(finder).collect(),
            text,
        }
    }

    fn words(&self) -> impl Iterator<Item = &Finder<'static>> + Clone {
        [&self.anywhere].into_iter().chain(&self.besides)
    }

    fn is_many(&self) -> bool {
        !self.besides.is_empty()
    }

    /// How well a row fits.
    pub(super) fn fit(&self, row: &str) -> Option<Fit> {
        let row = row.as_bytes();
        if !self.besides.iter().all(|word| word.find(row).is_some()) {
            return None;
        }
        if self.at_field.find(row).is_some() {
            return Some(Fit::Field);
        }
        if self.at_word.find(row).is_some() {
            return Some(Fit::Word);
        }
        self.anywhere.find(row).map(|_| Fit::Inside)
    }
}

/// What one audience may see.
#[derive(Debug, Clone, Default)]
pub(super) struct Shelf {
    pages: Vector<Arc<Page>>,
    /// Hashes of what entries are called by, and which entries those are.
    keys: OrdSet<(u64, EntryId)>,
    rows: usize,
    /// The last change of it.
    pub touched: Stamp,
}

#[derive(Debug, Clone)]
struct Page {
    text: String,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    start: u32,
    id: EntryId,
}

/// A row of a shelf, by its page and its place there.
type Place = (usize, usize);

impl Page {
    fn of(text: &str, id: EntryId) -> Self {
        Self { text: text.to_owned(), rows: vec![Row { start: 0, id }] }
    }

    fn row(&self, at: usize) -> &str {
        let end = self.rows.get(at + 1).map_or(self.text.len(), |next| next.start as usize);
        &self.text[self.rows[at].start as usize..end]
    }

    fn cmp(&self, at: usize, text: &str, id: EntryId) -> Ordering {
        self.row(at).cmp(text).then(self.rows[at].id.cmp(&id))
    }

    /// Where this row is, or where it belongs.
    fn locate(&self, text: &str, id: EntryId) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.rows.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.cmp(middle, text, id) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Ok(middle),
            }
        }
        Err(low)
    }

    /// Hands over each row in which something stands.
    fn each<E>(
        &self,
        finder: &Finder<'_>,
        mut meet: impl FnMut(&str, EntryId) -> Result<(), E>,
    ) -> Result<(), E> {
        let (text, mut at) = (self.text.as_bytes(), 0);
        while let Some(start) = self.rows.get(at).map(|row| row.start as usize) {
            let Some(found) = finder.find(&text[start..]) else { break };
            let is_before = |row: &Row| row.start as usize <= start + found;
            at += self.rows[at + 1..].iter().take_while(|row| is_before(row)).count();
            meet(self.row(at), self.rows[at].id)?;
            at += 1;
        }
        Ok(())
    }

    fn insert(&mut self, at: usize, text: &str, id: EntryId) {
        let start = self.rows.get(at).map_or(self.text.len(), |row| row.start as usize);
        self.text.insert_str(start, text);
        for row in &mut self.rows[at..] {
            row.start += offset(text.len());
        }
        self.rows.insert(at, Row { start: offset(start), id });
    }

    fn remove(&mut self, at: usize) {
        let (start, length) = (self.rows[at].start as usize, self.row(at).len());
        self.text.replace_range(start..start + length, "");
        self.rows.remove(at);
        for row in &mut self.rows[at..] {
            row.start -= offset(length);
        }
    }

    /// Keeps the first half and returns the other.
    fn split(&mut self) -> Self {
        let at = self.rows.len() / 2;
        let start = self.rows[at].start;
        let text = self.text.split_off(start as usize);
        let mut rows = self.rows.split_off(at);
        for row in &mut rows {
            row.start -= start;
        }
        self.text.shrink_to_fit();
        Self { text, rows }
    }
}

/// A place in a page, or the length of a row: both are bounded by the limits of fields.
fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("a page is a few rows longer than PAGE_BYTES at most")
}

impl Shelf {
    /// How many entries it holds.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// The page where a row is or belongs.
    fn page(&self, text: &str, id: EntryId) -> usize {
        let found = self.pages.binary_search_by(|page| page.cmp(0, text, id));
        found.unwrap_or_else(|next| next.saturating_sub(1))
    }

    /// Puts an entry in its place.
    pub(super) fn insert(&mut self, text: &str, id: EntryId, keys: &[u64]) {
        self.keys.extend(keys.iter().map(|key| (*key, id)));
        let page_at = self.page(text, id);
        let is_last = page_at + 1 >= self.pages.len();
        let Some(page) = self.pages.get_mut(page_at).map(Arc::make_mut) else {
            self.pages.push_back(Arc::new(Page::of(text, id)));
            self.rows += 1;
            return;
        };
        let Err(at) = page.locate(text, id) else { return };
        self.rows += 1;
        let is_full = page.text.len() + text.len() > PAGE_BYTES;
        // A book that is read in order fills its pages and leaves no half of one.
        if is_full && is_last && at == page.rows.len() {
            page.text.shrink_to_fit();
            page.rows.shrink_to_fit();
            self.pages.push_back(Arc::new(Page::of(text, id)));
            return;
        }
        page.insert(at, text, id);
        if is_full && page.rows.len() > 1 {
            let half = page.split();
            self.pages.insert(page_at + 1, Arc::new(half));
        }
    }

    /// Takes an entry away. `text` and `keys` are those that it was put there with.
    pub(super) fn remove(&mut self, text: &str, id: EntryId, keys: &[u64]) {
        for key in keys {
            self.keys.remove(&(*key, id));
        }
        let page_at = self.page(text, id);
        let Some(page) = self.pages.get_mut(page_at).map(Arc::make_mut) else { return };
        let Ok(at) = page.locate(text, id) else { return };
        page.remove(at);
        self.rows -= 1;
        if page.rows.is_empty() {
            self.pages.remove(page_at);
        }
    }

    /// Every entry, in the order of the names.
    pub(super) fn ids(&self) -> impl Iterator<Item = EntryId> {
        self.pages.iter().flat_map(|page| page.rows.iter().map(|row| row.id))
    }

    /// The entries that may be called by what has this hash.
    pub(super) fn called(&self, key: u64) -> impl Iterator<Item = EntryId> {
        self.keys.range((key, EntryId(0))..=(key, EntryId(u64::MAX))).map(|(_, id)| *id)
    }

    /// The entries that fit best, at most `limit`, the best first and each fit in the
    /// order of the names; none of those that are to be skipped.
    pub(super) fn search(
        &self,
        query: &Query,
        limit: usize,
        skip: impl Fn(EntryId) -> bool,
    ) -> Vec<Hit<'_>> {
        let mut hits = Vec::new();
        // In one pass everything there is, as long as that is not too much.
        let rarest = self.rarest(query.words());
        let mut next = self.next(rarest, (0, 0));
        while let Some(place) = next.filter(|_| hits.len() < limit) {
            hits.extend(self.hit(query, place).filter(|hit| !skip(hit.id)));
            next = self.next(rarest, (place.0, place.1 + 1));
        }
        // Then there are enough of the worst kind, and what follows has to be better.
        let better = [(Fit::Field, &query.at_field), (Fit::Word, &query.at_word)];
        let rest = next.unwrap_or((self.pages.len(), 0));
        let mut enough = 0;
        for (fit, finder) in better.into_iter().filter(|_| !query.text.is_empty()) {
            enough += hits.iter().filter(|hit| hit.fit == fit).count();
            let among =
                [finder].into_iter().chain([rarest].into_iter().filter(|_| query.is_many()));
            let finder = self.rarest(among);
            let mut next = self.next(finder, rest);
            while let Some(place) = next.filter(|_| enough < limit) {
                let found = self.hit(query, place).filter(|hit| hit.fit == fit && !skip(hit.id));
                enough += usize::from(found.is_some());
                hits.extend(found);
                next = self.next(finder, (place.0, place.1 + 1));
            }
        }
        hits.sort_unstable();
        hits.truncate(limit);
        hits
    }

    /// Hands over every entry with all the words in one of these columns, in the order of
    /// the names. What stands elsewhere in all of them takes little time, and no entry is
    /// looked at for it.
    pub(super) fn each<E>(
        &self,
        query: &Query,
        columns: &BTreeSet<Column>,
        mut meet: impl FnMut(EntryId) -> Result<(), E>,
    ) -> Result<(), E> {
        let rarest = self.rarest(query.words());
        for page in &self.pages {
            page.each(rarest, |row, id| {
                if column::holds(row, columns, query.words()) { meet(id) } else { Ok(()) }
            })?;
        }
        Ok(())
    }

    /// Which of these stands in the fewest places, going by a page of the middle: of
    /// several words the one to look for, and the others are then looked for in few rows.
    fn rarest<'f>(
        &self,
        mut among: impl Iterator<Item = &'f Finder<'static>>,
    ) -> &'f Finder<'static> {
        let first = among.next().expect("there is one to look for");
        let Some(page) = self.pages.get(self.pages.len() / 2) else { return first };
        let count = |finder: &&Finder<'_>| finder.find_iter(page.text.as_bytes()).count();
        match among.next() {
            None => first,
            Some(second) => {
                let all = [first, second].into_iter().chain(among);
                all.min_by_key(count).unwrap_or(first)
            }
        }
    }

    fn hit(&self, query: &Query, (page, row): Place) -> Option<Hit<'_>> {
        let page = &self.pages[page];
        let text = page.row(row);
        query.fit(text).map(|fit| Hit { fit, text, id: page.rows[row].id })
    }

    /// The next row at or after a place in which something stands.
    fn next(&self, finder: &Finder<'_>, (page, row): Place) -> Option<Place> {
        let mut first = Some(row);
        (page..self.pages.len()).find_map(|at| {
            let page = &self.pages[at];
            let row = page.rows.get(first.take().unwrap_or(0))?;
            let start = row.start as usize;
            let found = start + finder.find(&page.text.as_bytes()[start..])?;
            Some((at, page.rows.partition_point(|row| row.start as usize <= found) - 1))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(shelf: &Shelf, words: &[&str], limit: usize) -> Vec<u64> {
        let query = Query::new(words.iter().map(|word| (*word).to_owned()).collect());
        shelf.search(&query, limit, |id| id.0 == 99).iter().map(|hit| hit.id.0).collect()
    }

    #[test]
    fn the_best_come_first_and_then_the_names() {
        let mut shelf = Shelf::default();
        for (id, text) in [
            (1, "\nborough hall\n441"),
            (2, "\nabbey\n442"),
            (3, "\nhall abbey\n443"),
            (4, "\ncrab\n444"),
            (5, "\nzoo\nabbot"),
            (99, "\nabc"),
        ] {
            shelf.insert(text, EntryId(id), &[]);
        }
        for (words, limit, want) in [
            (&["ab"][..], 9, &[2, 5, 3, 4][..]),
            (&["ab"], 2, &[2, 5]),
            (&["ab"], 1, &[2]),
            (&["hall", "ab"], 9, &[3]),
            (&["44"], 2, &[2, 1]),
            (&["x"], 9, &[]),
            (&[], 3, &[2, 1, 4]),
            (&["ab"], 0, &[]),
        ] {
            assert_eq!(found(&shelf, words, limit), want, "{words:?}");
        }
    }

    #[test]
    fn many_pages_are_one_shelf() {
        let mut shelf = Shelf::default();
        let text = |id: u64| format!("\nentry {}\nx{id}", (id * 7919) % 10_000);
        for id in 0..10_000 {
            shelf.insert(&text(id), EntryId(id), &[id % 10]);
        }
        assert!(shelf.pages.len() > 5);
        assert!(shelf.pages.iter().all(|page| page.text.len() <= PAGE_BYTES));
        for id in (0..10_000).filter(|id| id % 3 > 0) {
            shelf.remove(&text(id), EntryId(id), &[id % 10]);
        }
        assert_eq!((shelf.len(), shelf.ids().count()), (3334, 3334));
        assert_eq!(shelf.called(3).count(), 334);
        assert!(shelf.ids().zip(shelf.ids().skip(1)).all(|(a, b)| text(a.0) < text(b.0)));
        assert_eq!(found(&shelf, &["x9999"], 5), [9999]);
        assert_eq!(found(&shelf, &["x9998"], 5), [0; 0]);
        for id in (0..10_000).filter(|id| id % 3 == 0) {
            shelf.remove(&text(id), EntryId(id), &[id % 10]);
        }
        assert!(shelf.pages.is_empty() && shelf.keys.is_empty());
    }
}
