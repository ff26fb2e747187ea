//! A search: where it begins, what of it somebody may see, and within which limits. It
//! has a copy of the phone book and the time until which it may go on, and waits for
//! nothing.
//!
//! What somebody may not see is not gone through at all: the book leads to what is theirs
//! (`postfax_domain::book`). So it is neither found nor counted, and takes none of their
//! time; its name leads nowhere, as any other name does.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use postfax_domain::{
    authority::Who,
    book::{Column, Entry, EntryId, MAX_FOUND},
};

use super::{
    ber::{self, Done},
    dn::Name,
    filter::Truth,
    frame::{Scope, Search},
    object::{Object, Seen, View, entry_uuid},
    plan::{Cover, cover},
    schema::{self, Attribute, Code, KINDS, Kind},
};

/// So often it is looked whether a search has to end, in entries.
const LOOK_EVERY: usize = 16;
/// What is quick. A filter may have thousands of parts, and is not then.
pub(super) const QUICK: Duration = Duration::from_millis(100);

/// How far a search may go to be complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As far as it is quick.
    Fast,
    /// Through everything that somebody may see.
    Whole,
}

/// What bounds one search.
pub(super) struct Bounds {
    /// Most entries.
    pub(super) entries: usize,
    pub(super) until: Instant,
    /// How long the fast way may take before the whole book is gone through.
    pub(super) quick: Duration,
    /// The client wants it no more.
    pub(super) abandoned: Arc<AtomicBool>,
}

/// What a search has found.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) objects: Vec<Object>,
    pub(super) done: Done,
}

impl Found {
    pub(super) fn nothing(done: Done) -> Self {
        Self { objects: Vec::new(), done }
    }
}

/// What a name leads to, for the one who looks. Not every name is led to fast.
pub(super) fn locate(view: &View, name: &Name) -> Option<Object> {
    if name.0.is_empty() {
        return Some(Object::Root);
    }
    if Name::read(schema::SUBSCHEMA).as_ref() == Some(name) {
        return Some(Object::Subschema);
    }
    let (book, parts) = name.below(&view.place.base_name)?.split_last().unzip();
    let Some(book) = book else { return Some(Object::Base) };
    if !book.only("ou").is_some_and(|folder| folder.eq_ignore_ascii_case("book")) {
        return None;
    }
    match parts? {
        [] => Some(Object::Book),
        [part] => {
            let uid = part.value("uid")?;
            match (part.len(), part.value("entryuuid")) {
                (1, _) => by_uid(view, uid).map(Object::Entry),
                (2, Some(uuid)) => {
                    let is_it =
                        |e: &&Arc<Entry>| e.uid == uid && entry_uuid(e).eq_ignore_ascii_case(uuid);
                    let visible = view.book.visible(&view.setup, &view.who);
                    let found = visible.into_iter().map(|(_, entry)| entry).find(is_it);
                    found.map(|entry| Object::Entry(entry.clone()))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// As it is written, or as those write it who change the case of names.
fn by_uid(view: &View, uid: &str) -> Option<Arc<Entry>> {
    let find = |uid: &str| view.book.by_uid(&view.setup, &view.who, uid);
    let found = find(uid).or_else(|| find(&uid.to_lowercase()));
    found.or_else(|| find(&uid.to_uppercase())).map(|seen| seen.entry.clone())
}

/// How far a name leads that leads nowhere (RFC 4511 4.1.9): no further for what is hidden
/// than for what is not there.
pub(super) fn nothing_there(view: &View, name: &Name) -> Done {
    let below = name.below(&view.place.base_name);
    let in_book = |parts: &[super::dn::Part]| {
        let folder = parts.last().and_then(|part| part.only("ou"));
        parts.len() > 1 && folder.is_some_and(|folder| folder.eq_ignore_ascii_case("book"))
    };
    let matched = match below {
        Some(parts) if in_book(parts) => view.place.book.clone(),
        Some(_) => view.place.base.clone(),
        None => String::new(),
    };
    Done { matched, ..Done::new(Code::NoSuchObject, "there is nothing of that name") }
}

/// Searches; none where it would have to go further than it may.
pub(super) fn search(view: &View, asked: &Search, bounds: &Bounds, way: Way) -> Option<Found> {
    let Some(name) = Name::read(&asked.base) else {
        let words = "the base of the search is no name (RFC 4514)";
        return Some(Found::nothing(Done::new(Code::InvalidDnSyntax, words)));
    };
    if asked.scope == Scope::Unknown {
        let words = "the scope is none of base, one and sub";
        return Some(Found::nothing(Done::new(Code::ProtocolError, words)));
    }
    // Whoever has not logged in learns what this is, and no name of anybody.
    let public = name.0.is_empty() && asked.scope == Scope::Base
        || Name::read(schema::SUBSCHEMA).as_ref() == Some(&name);
    if view.who == Who::Stranger && !public {
        let words = "log in first: bind with the name and the mail password of a client";
        return Some(Found::nothing(Done::new(Code::InsufficientAccessRights, words)));
    }
    let is_quick = name.0.first().is_none_or(|part| part.len() == 1);
    if way == Way::Fast && !is_quick {
        return None;
    }
    let Some(object) = locate(view, &name) else {
        return Some(Found::nothing(nothing_there(view, &name)));
    };
    let quick_until = (way == Way::Fast).then(|| Instant::now() + bounds.quick);
    let (found, seen) = (Vec::new(), HashSet::new());
    let mut hunt = Hunt { view, asked, bounds, quick_until, found, seen, looked: 0 };
    let ended = match hunt.go(&object, way) {
        Ok(Complete::Yes) => Done::well(),
        Ok(Complete::No) | Err(End::NotQuick) => return None,
        Err(End::Size) => {
            hunt.found.truncate(bounds.entries);
            Done::new(Code::SizeLimitExceeded, "there is more: narrow the search, or ask for pages")
        }
        Err(End::Time) => Done::new(Code::TimeLimitExceeded, "it took too long"),
    };
    Some(Found { objects: hunt.found, done: ended })
}

enum Complete {
    Yes,
    No,
}

/// Why a search ends early.
enum End {
    Size,
    Time,
    /// It has to be done the other way.
    NotQuick,
}

struct Hunt<'a> {
    view: &'a View,
    asked: &'a Search,
    bounds: &'a Bounds,
    /// Set where it has to be quick.
    quick_until: Option<Instant>,
    found: Vec<Object>,
    seen: HashSet<EntryId>,
    looked: usize,
}

impl Hunt<'_> {
    fn go(&mut self, base: &Object, way: Way) -> Result<Complete, End> {
        use Scope::{Base, One, Sub};
        let (objects, entries): (&[Object], bool) = match (base, self.asked.scope) {
            (Object::Root, Sub) => (&[Object::Base, Object::Book], true),
            (Object::Root, One) => (&[Object::Base], false),
            (Object::Base, Sub) => (&[Object::Base, Object::Book], true),
            (Object::Base, One) => (&[Object::Book], false),
            (Object::Book, Sub) => (&[Object::Book], true),
            (Object::Book, One) => (&[], true),
            (Object::Subschema | Object::Entry(_), One) => (&[], false),
            (object, Base | Sub | Scope::Unknown) => (std::slice::from_ref(object), false),
        };
        for object in objects {
            self.look(object.clone())?;
        }
        if entries { self.entries(way) } else { Ok(Complete::Yes) }
    }

    /// What the book finds first, as that is what people mean, and then the rest: of that
    /// only what has the words where the filter asks for them.
    fn entries(&mut self, way: Way) -> Result<Complete, End> {
        if let Cover::Found(texts) = cover(&self.asked.filter, &self.view.setup.domain) {
            let mut cut_off = Vec::new();
            for found in &texts {
                if !self.find(found.0)? {
                    cut_off.push(found);
                }
            }
            for (text, columns) in cut_off {
                self.each(text, columns)?;
            }
            return Ok(Complete::Yes);
        }
        if self.find("")? {
            return Ok(Complete::Yes);
        }
        if way == Way::Fast {
            return Ok(Complete::No);
        }
        self.each("", &[Column::Name].into())?;
        Ok(Complete::Yes)
    }

    /// Looks at everything with these words in one of these columns.
    fn each(&mut self, text: &str, columns: &BTreeSet<Column>) -> Result<(), End> {
        let view = self.view;
        view.book.each(&view.setup, &view.who, text, columns, |entry| self.meet(entry))
    }

    /// Looks at what the book finds; whether that is all there is.
    fn find(&mut self, text: &str) -> Result<bool, End> {
        let view = self.view;
        let found = view.book.find(&view.setup, &view.who, text, MAX_FOUND);
        for one in &found {
            self.meet(one.entry)?;
        }
        Ok(found.len() < MAX_FOUND)
    }

    fn meet(&mut self, entry: &Arc<Entry>) -> Result<(), End> {
        if self.seen.insert(entry.id) { self.look(Object::Entry(entry.clone())) } else { Ok(()) }
    }

    fn look(&mut self, object: Object) -> Result<(), End> {
        self.looked += 1;
        if self.looked.is_multiple_of(LOOK_EVERY) {
            let now = Instant::now();
            if self.quick_until.is_some_and(|until| now >= until) {
                return Err(End::NotQuick);
            }
            if now >= self.bounds.until || self.bounds.abandoned.load(Ordering::Relaxed) {
                return Err(End::Time);
            }
        }
        let seen = Seen { object: &object, view: self.view };
        if self.asked.filter.holds(&seen) != Truth::True {
            return Ok(());
        }
        self.found.push(object);
        if self.found.len() > self.bounds.entries { Err(End::Size) } else { Ok(()) }
    }
}

/// Which attributes are shown (RFC 4511 4.5.1.8, RFC 3673).
pub(super) struct Selection {
    kinds: Vec<&'static Kind>,
    types_only: bool,
}

impl Selection {
    pub(super) fn of(asked: &Search) -> Self {
        let names = &asked.attributes;
        let user = names.is_empty() || names.iter().any(|name| name == "*");
        let operational = names.iter().any(|name| name == "+");
        let named: Vec<Attribute> =
            names.iter().filter_map(|name| schema::kind(name)).map(|kind| kind.attribute).collect();
        let is_shown = |kind: &&Kind| {
            (if kind.operational { operational } else { user }) || named.contains(&kind.attribute)
        };
        Self { kinds: KINDS.iter().filter(is_shown).collect(), types_only: asked.types_only }
    }

    /// Writes an entry of an answer.
    pub(super) fn write(&self, out: &mut Vec<u8>, id: u32, seen: &Seen<'_>) {
        let mut attributes: Vec<ber::Attribute> = Vec::new();
        for kind in &self.kinds {
            let mut values = seen.values(kind.attribute);
            if values.is_empty() {
                continue;
            }
            if self.types_only {
                values.clear();
            }
            attributes.push((kind.names[0], values));
        }
        ber::entry(out, id, &seen.name(), &attributes);
    }
}
