//! REPORT (RFC 3253 3.6): which one it is, and those that hand out cards: many by name, and
//! those that fit (RFC 6352 8.6, 8.7).

use std::{collections::HashSet, sync::Arc};

use axum::http::{HeaderMap, StatusCode};
use postfax_cards::vcard::Version;
use postfax_domain::book::Entry;

use super::{
    answer::{Failure, Multistatus, Said},
    cards,
    find::{Depth, asked_by, depth, is_minimal},
    look::Look,
    place::{CardName, Place, Shelf, path_of},
    principals,
    props::{self, Asked, Thing},
    query::Filter,
    sync,
    xml::{self, CARD, DAV, Element, Name, escape},
};

/// What is asked of each card.
pub(super) struct Wanted {
    asked: Asked,
    /// The text of the card, where it is asked for.
    data: Option<Data>,
}

/// How the text of a card is wanted (RFC 6352 10.4).
struct Data {
    version: Version,
    /// Only these lines; all where there is none.
    lines: Vec<String>,
}

/// An answer, and what is to be noted of it: whose cards were handed out.
pub(super) struct Told {
    pub(super) answer: Multistatus,
    pub(super) read: Option<String>,
}

/// Answers REPORT.
///
/// # Errors
/// [`Failure`] says what is wrong with the question.
pub(super) fn report(
    look: &Look,
    place: &Place,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Told, Failure> {
    let root = xml::read(body)?;
    let is_minimal = is_minimal(headers);
    let silent = |answer| Told { answer, read: None };
    if let Place::Card(shelf, name) = place {
        look.entry(*shelf, name).ok_or_else(Failure::not_found)?;
    }
    match (&*root.name.space, &*root.name.local, place) {
        (CARD, "addressbook-multiget", Place::Book(_) | Place::Card(..)) => {
            multiget(look, &root, is_minimal)
        }
        (CARD, "addressbook-query", Place::Book(shelf)) => {
            let depth = depth(headers)?.unwrap_or(Depth::One);
            query(look, *shelf, None, depth, &root, is_minimal)
        }
        (CARD, "addressbook-query", Place::Card(shelf, name)) => {
            query(look, *shelf, Some(name), Depth::One, &root, is_minimal)
        }
        (DAV, "sync-collection", Place::Book(shelf)) => sync::sync(look, *shelf, &root, is_minimal),
        (DAV, "principal-property-search", _) => {
            principals::search(look, &root, is_minimal).map(silent)
        }
        (DAV, "expand-property", _) => {
            principals::expand(look, place, &root, is_minimal).map(silent)
        }
        _ => {
            let words = "there is no such report here: supported-report-set names those there are";
            Err(Failure::condition(DAV, "supported-report", words))
        }
    }
}

impl Wanted {
    /// Reads what is asked of each card.
    ///
    /// # Errors
    /// A version of vCard that is not known.
    pub(super) fn read(root: &Element) -> Result<Self, Failure> {
        let bad = "the report names no properties: <prop>, <allprop/> or <propname/>";
        let asked = asked_by(root).ok_or_else(|| Failure::new(StatusCode::BAD_REQUEST, bad))?;
        let element = root.child(DAV, "prop").and_then(|prop| prop.child(CARD, "address-data"));
        let data = element.map(Data::read).transpose()?;
        Ok(Self { asked, data })
    }

    /// Whether the cards themselves are handed out.
    pub(super) fn hands_out(&self) -> bool {
        self.data.is_some()
    }

    /// Writes what is asked of one card.
    pub(super) fn say(&self, look: &Look, shelf: Shelf, entry: &Arc<Entry>, to: &mut Multistatus) {
        let place = Place::Card(shelf, CardName::of(entry));
        let path = place.path(&look.client);
        let thing = Thing { place, entry: Some(entry) };
        let mut all: Vec<Said> = props::said(look, &thing, &self.asked);
        if let Some(data) = &self.data {
            let is_data = |said: &&mut Said| said.name.is(CARD, "address-data");
            for said in all.iter_mut().filter(is_data) {
                said.value = Some(data.of(look, entry));
            }
        }
        to.properties(&path, &all);
    }
}

impl Data {
    fn read(element: &Element) -> Result<Self, Failure> {
        let kind = element.attribute("content-type").unwrap_or("text/vcard");
        let version = match (kind, element.attribute("version").unwrap_or("3.0")) {
            ("text/vcard", "3.0") => Version::V3,
            ("text/vcard", "4.0") => Version::V4,
            _ => {
                let words = "cards are text/vcard of version 3.0 or 4.0";
                return Err(Failure::condition(CARD, "supported-address-data", words));
            }
        };
        let lines = element.all(CARD, "prop").filter_map(|prop| prop.attribute("name"));
        let mut lines: Vec<String> = lines.map(str::to_ascii_uppercase).collect();
        if !lines.is_empty() && element.child(CARD, "allprop").is_none() {
            lines.extend(["BEGIN", "VERSION", "END"].map(str::to_owned));
        } else {
            lines.clear();
        }
        Ok(Self { version, lines })
    }

    fn of(&self, look: &Look, entry: &Entry) -> String {
        let text = cards::text(look, entry, self.version);
        let mut out = String::with_capacity(text.len() + text.len() / 4);
        if self.lines.is_empty() {
            escape(&text, &mut out);
            return out;
        }
        let mut is_wanted = false;
        for line in text.split_inclusive('\n') {
            // A line that begins with a space goes on with the last one.
            if !line.starts_with([' ', '\t']) {
                let name = line.split([':', ';']).next().unwrap_or_default();
                let name = name.rsplit('.').next().unwrap_or_default().trim();
                is_wanted = self.lines.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
            }
            if is_wanted {
                escape(line, &mut out);
            }
        }
        out
    }
}

/// Cards by their names, each once however often it is named: a short question is not to
/// have an answer without end. What is not there and what is not theirs are told alike.
fn multiget(look: &Look, root: &Element, is_minimal: bool) -> Result<Told, Failure> {
    let wanted = Wanted::read(root)?;
    let mut answer = Multistatus::new(is_minimal);
    let mut count = 0_usize;
    // A path can be spelt in many ways.
    let (mut asked, mut told) = (HashSet::new(), HashSet::new());
    let paths = root.all(DAV, "href").map(|element| path_of(&element.text));
    for path in paths.filter(|path| asked.insert(*path)) {
        let found = match Place::read(path, &look.client) {
            Some(Place::Card(shelf, name)) => look.entry(shelf, &name).map(|entry| (shelf, entry)),
            _ => None,
        };
        match found {
            Some((_, entry)) if !told.insert(entry.id) => {}
            Some((shelf, entry)) => {
                count += 1;
                wanted.say(look, shelf, entry, &mut answer);
            }
            None => answer.status(path, "404 Not Found", ""),
        }
    }
    let read = (wanted.hands_out() && count > 0).then(|| count.to_string());
    Ok(Told { answer, read })
}

/// Cards that fit.
fn query(
    look: &Look,
    shelf: Shelf,
    only: Option<&CardName>,
    depth: Depth,
    root: &Element,
    is_minimal: bool,
) -> Result<Told, Failure> {
    let wanted = Wanted::read(root)?;
    let filter = root.child(CARD, "filter").map(Filter::read).transpose()?.unwrap_or_default();
    let limit = limit(root, CARD)?;
    let mut answer = Multistatus::new(is_minimal);
    let all = match (only, depth) {
        (Some(name), _) => look.entry(shelf, name).into_iter().collect(),
        (None, Depth::Zero) => Vec::new(),
        (None, _) => look.entries(shelf),
    };
    let fits = |entry: &&Arc<Entry>| {
        filter.is_empty() || filter.fits(&cards::lines(&cards::text(look, entry, Version::V3)))
    };
    let mut fitting = all.into_iter().filter(fits);
    let mut count = 0_usize;
    for entry in fitting.by_ref().take(limit.unwrap_or(usize::MAX)) {
        count += 1;
        wanted.say(look, shelf, entry, &mut answer);
    }
    if fitting.next().is_some() {
        answer.cut_short(&Place::Book(shelf).path(&look.client));
    }
    let read = (wanted.hands_out() && count > 0).then(|| format!("{} {count}", shelf.name()));
    Ok(Told { answer, read })
}

/// How many results the client takes (RFC 6352 10.6, RFC 5323 5.17).
///
/// # Errors
/// It is no number.
pub(super) fn limit(root: &Element, space: &str) -> Result<Option<usize>, Failure> {
    let Some(limit) = root.child(space, "limit") else { return Ok(None) };
    let text = limit.child(space, "nresults").map(|number| number.text.trim());
    let number = text.and_then(|text| text.parse().ok()).filter(|number| *number > 0);
    let bad = || Failure::new(StatusCode::BAD_REQUEST, "a limit has a number of results");
    number.map(Some).ok_or_else(bad)
}

/// The answer to `principal-search-property-set` is of another form (RFC 3744 9.5).
pub(super) fn is_search_property_set(body: &[u8]) -> bool {
    // All other reports are read once.
    const MOST: usize = 4096;
    let wanted = Name::new(DAV, "principal-search-property-set");
    body.len() <= MOST && xml::read(body).is_ok_and(|root| root.name == wanted)
}
