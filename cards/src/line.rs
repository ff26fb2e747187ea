//! One unfolded line `head:value`, as vCard and LDIF both have it, and a draft of such
//! lines in which a few are changed while all others stay as they are. Knows neither
//! format: what a line is called is told by a function.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::Hash,
};

/// A line of a vCard or an LDIF record after unfolding, letter by letter as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    text: String,
    colon: usize,
}

impl Line {
    /// Splits at a colon whose place is known; `None` where there is no colon.
    pub(crate) fn split_at(text: String, colon: usize) -> Option<Self> {
        (text.as_bytes().get(colon) == Some(&b':')).then_some(Self { text, colon })
    }

    /// Joins a head and a value.
    pub(crate) fn new(head: &str, value: &str) -> Self {
        Self { text: format!("{head}:{value}"), colon: head.len() }
    }

    /// What stands before the colon: name, group, parameters.
    pub fn head(&self) -> &str {
        &self.text[..self.colon]
    }

    /// What stands behind the colon, escapes and all.
    pub fn value(&self) -> &str {
        &self.text[self.colon + 1..]
    }

    /// The whole line, unfolded and without its end.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn with_value(&self, value: &str) -> Self {
        Self::new(self.head(), value)
    }

    pub(crate) fn with_head(&self, head: &str) -> Self {
        Self::new(head, self.value())
    }
}

/// Lines being changed. A line that goes leaves its slot empty, so that what takes its
/// place stands where it stood.
pub(crate) struct Draft {
    slots: Vec<Option<Line>>,
    name_of: fn(&Line) -> &str,
}

impl Draft {
    pub(crate) fn new(lines: &[Line], name_of: fn(&Line) -> &str) -> Self {
        Self { slots: lines.iter().cloned().map(Some).collect(), name_of }
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.slots.iter().flatten()
    }

    pub(crate) fn into_lines(self) -> Vec<Line> {
        self.slots.into_iter().flatten().collect()
    }

    pub(crate) fn first(&self, names: &[&str]) -> Option<&Line> {
        self.lines().find(|line| is_one_of((self.name_of)(line), names))
    }

    pub(crate) fn push(&mut self, line: Line) {
        self.slots.push(Some(line));
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&Line) -> bool) {
        for slot in &mut self.slots {
            if slot.as_ref().is_some_and(|line| !keep(line)) {
                *slot = None;
            }
        }
    }

    /// Puts `make(first line of that name)` in its place, or at the end where there was
    /// none. `None` takes all lines of that name away: else the next one would speak.
    pub(crate) fn set(&mut self, names: &[&str], make: impl FnOnce(Option<&Line>) -> Option<Line>) {
        let made = make(self.first(names));
        let name_of = self.name_of;
        let Some(made) = made else {
            return self.retain(|line| !is_one_of(name_of(line), names));
        };
        let is_it = |slot: &&mut Option<Line>| {
            slot.as_ref().is_some_and(|line| is_one_of(name_of(line), names))
        };
        match self.slots.iter_mut().find(is_it) {
            Some(slot) => *slot = Some(made),
            None => self.push(made),
        }
    }

    /// Makes the entries that `read` sees in the lines equal to `wanted`, in its order.
    /// An entry that stands in a line already takes the line along unchanged; a new
    /// entry takes over a line whose entry is gone, with `make(entry, Some(line))`.
    pub(crate) fn set_all<T: Eq + Hash>(
        &mut self,
        wanted: &[T],
        read: impl Fn(&Line) -> Option<T>,
        make: impl Fn(&T, Option<&Line>) -> Line,
    ) {
        let places: Vec<usize> = (0..self.slots.len())
            .filter(|at| self.slots[*at].as_ref().is_some_and(|line| read(line).is_some()))
            .collect();
        let mut old: Vec<(T, Line)> = Vec::new();
        for at in &places {
            if let Some(line) = self.slots[*at].take()
                && let Some(entry) = read(&line)
            {
                old.push((entry, line));
            }
        }
        if old.len() == wanted.len() && old.iter().zip(wanted).all(|((was, _), want)| was == want) {
            for (at, (_, line)) in places.into_iter().zip(old) {
                self.slots[at] = Some(line);
            }
            return;
        }
        let mut at_hand: HashMap<&T, VecDeque<usize>> = HashMap::new();
        for (at, (was, _)) in old.iter().enumerate() {
            at_hand.entry(was).or_default().push_back(at);
        }
        let same: Vec<Option<usize>> =
            wanted.iter().map(|want| at_hand.get_mut(want)?.pop_front()).collect();
        let is_taken: HashSet<usize> = same.iter().flatten().copied().collect();
        let mut gone = (0..old.len()).filter(|at| !is_taken.contains(at));
        let lines = wanted.iter().zip(same).map(|(want, same)| match same {
            Some(at) => old[at].1.clone(),
            None => make(want, gone.next().map(|at| &old[at].1)),
        });
        let mut places = places.into_iter();
        for line in lines {
            match places.next() {
                Some(at) => self.slots[at] = Some(line),
                None => self.slots.push(Some(line)),
            }
        }
    }
}

pub(crate) fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// A line folded: no physical line is longer than `width` octets, its end not counted,
/// and no character is torn (RFC 6350 3.2, RFC 2849 note 10).
pub(crate) fn fold(line: &str, width: usize, end: &str, out: &mut String) {
    let (mut from, mut used) = (0, 0);
    for (at, c) in line.char_indices() {
        if used + c.len_utf8() > width {
            out.push_str(&line[from..at]);
            out.push_str(end);
            out.push(' ');
            (from, used) = (at, 1);
        }
        used += c.len_utf8();
    }
    out.push_str(&line[from..]);
    out.push_str(end);
}
