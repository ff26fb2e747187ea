//! Results in pages (RFC 2696): what is left of a search, and where to go on. Whatever has
//! gone meanwhile, or is not theirs to see any more, is left out.

use std::collections::VecDeque;

use super::{
    ber::Done,
    filter::Truth,
    frame::Search,
    object::{Object, Seen, View},
    search::Found,
};

/// Most searches of one connection of which pages are left; then the oldest is forgotten.
const MAX_PAGED: usize = 4;

/// The searches of a connection of which pages are left.
#[derive(Default)]
pub(super) struct Pages {
    left: VecDeque<Left>,
    count: u64,
}

struct Left {
    cookie: u64,
    asked: Search,
    objects: VecDeque<Object>,
    /// What is said at the end.
    done: Done,
}

/// One page.
pub(super) struct Turn {
    pub(super) objects: Vec<Object>,
    pub(super) done: Done,
    /// Empty at the last one.
    pub(super) cookie: Vec<u8>,
}

impl Pages {
    /// The first page of what was found, of `size` entries and `most` at most.
    pub(super) fn begin(&mut self, asked: &Search, found: Found, size: u32, most: usize) -> Turn {
        let left = Left {
            cookie: 0,
            asked: asked.clone(),
            objects: found.objects.into(),
            done: found.done,
        };
        self.cut(left, size, most, |object| Some(object))
    }

    /// The next page; none where the search is another one, or forgotten.
    pub(super) fn turn(
        &mut self,
        asked: &Search,
        cookie: &[u8],
        size: u32,
        most: usize,
        view: &View,
    ) -> Option<Turn> {
        let cookie = u64::from_be_bytes(cookie.try_into().ok()?);
        let at = self.left.iter().position(|left| left.cookie == cookie && left.asked == *asked)?;
        let left = self.left.remove(at)?;
        let filter = left.asked.filter.clone();
        Some(self.cut(left, size, most, |object| {
            let Object::Entry(entry) = &object else { return Some(object) };
            let entry = view.book.get(&view.setup, &view.who, entry.id)?.entry.clone();
            let object = Object::Entry(entry);
            let holds = filter.holds(&Seen { object: &object, view });
            (holds == Truth::True).then_some(object)
        }))
    }

    /// A page of what is left; the rest is kept. A size of zero wants no more
    /// (RFC 2696 3).
    fn cut(
        &mut self,
        mut left: Left,
        size: u32,
        most: usize,
        now: impl Fn(Object) -> Option<Object>,
    ) -> Turn {
        let size = usize::try_from(size).unwrap_or(most).min(most);
        let mut objects = Vec::new();
        while objects.len() < size {
            let Some(object) = left.objects.pop_front() else { break };
            objects.extend(now(object));
        }
        if left.objects.is_empty() || size == 0 {
            return Turn { objects, done: left.done, cookie: Vec::new() };
        }
        self.count += 1;
        left.cookie = self.count;
        let cookie = left.cookie.to_be_bytes().to_vec();
        self.left.push_back(left);
        if self.left.len() > MAX_PAGED {
            self.left.pop_front();
        }
        Turn { objects, done: Done::well(), cookie }
    }
}
