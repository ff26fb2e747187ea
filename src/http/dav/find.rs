//! PROPFIND (RFC 4918 9.1): what is where, and what it is like. PROPPATCH, which changes
//! nothing here (9.2).

use axum::http::{HeaderMap, StatusCode};

use super::{
    answer::{Failure, Multistatus},
    look::Look,
    place::{CardName, Place, Shelf},
    props::{self, Asked, Thing},
    xml::{self, DAV, Element, Name},
};

/// How deep a request goes (RFC 4918 10.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Zero,
    One,
    Infinity,
}

/// The header; `None` where there is none.
///
/// # Errors
/// It says something else.
pub(super) fn depth(headers: &HeaderMap) -> Result<Option<Depth>, Failure> {
    let Some(value) = headers.get("depth") else { return Ok(None) };
    match value.to_str().unwrap_or_default().trim() {
        "0" => Ok(Some(Depth::Zero)),
        "1" => Ok(Some(Depth::One)),
        text if text.eq_ignore_ascii_case("infinity") => Ok(Some(Depth::Infinity)),
        _ => Err(Failure::new(StatusCode::BAD_REQUEST, "Depth is 0, 1 or infinity")),
    }
}

/// Whether what is not there is to be passed over (RFC 8144 2.1; `Brief` of others).
pub(super) fn is_minimal(headers: &HeaderMap) -> bool {
    let says = |name: &str, what: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split([',', ';']))
            .any(|one| one.trim().eq_ignore_ascii_case(what))
    };
    says("prefer", "return=minimal") || says("brief", "t")
}

/// Answers PROPFIND.
///
/// # Errors
/// [`Failure`] says what is wrong with the question.
pub(super) fn propfind(
    look: &Look,
    place: Place,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Multistatus, Failure> {
    let depth = depth(headers)?.unwrap_or(Depth::Infinity);
    if depth == Depth::Infinity {
        let words = "ask with Depth: 0 or 1";
        return Err(Failure::condition(DAV, "propfind-finite-depth", words));
    }
    let asked = asked(body)?;
    let mut answer = Multistatus::new(is_minimal(headers));
    for thing in things(look, place, depth)? {
        let path = thing.place.path(&look.client);
        answer.properties(&path, &props::said(look, &thing, &asked));
    }
    Ok(answer)
}

/// Which properties a body asks for; an empty one for the usual.
fn asked(body: &[u8]) -> Result<Asked, Failure> {
    let root = match xml::read(body) {
        Err(xml::BadXml::Empty) => return Ok(Asked::All(Vec::new())),
        read => read?,
    };
    let bad = || Failure::new(StatusCode::BAD_REQUEST, "this is no propfind of RFC 4918 14.20");
    if !root.name.is(DAV, "propfind") {
        return Err(bad());
    }
    asked_by(&root).ok_or_else(bad)
}

/// Which properties an element asks for.
pub(super) fn asked_by(root: &Element) -> Option<Asked> {
    if let Some(prop) = root.child(DAV, "prop") {
        return Some(Asked::Some(names(prop)));
    }
    if root.child(DAV, "propname").is_some() {
        return Some(Asked::Names);
    }
    root.child(DAV, "allprop")?;
    Some(Asked::All(root.child(DAV, "include").map(names).unwrap_or_default()))
}

/// The names of what is in an element, each once.
fn names(element: &Element) -> Vec<Name> {
    let mut seen = std::collections::HashSet::new();
    let all = element.children.iter().map(|child| child.name.clone());
    all.filter(|name| seen.insert(name.clone())).collect()
}

/// A thing and, where that is asked for, what is in it.
fn things(look: &Look, place: Place, depth: Depth) -> Result<Vec<Thing<'_>>, Failure> {
    let plain = |place| Thing { place, entry: None };
    let first = match &place {
        Place::Card(shelf, name) => {
            let entry = look.entry(*shelf, name).ok_or_else(Failure::not_found)?;
            Thing { place: place.clone(), entry: Some(entry) }
        }
        other => plain(other.clone()),
    };
    let mut all = vec![first];
    if depth == Depth::One {
        match place {
            Place::Root => all.extend([Place::Principals, Place::Homes].map(plain)),
            // There are others, of whom nobody is told.
            Place::Principals => all.push(plain(Place::Principal)),
            Place::Homes => all.push(plain(Place::Home)),
            Place::Home => all.extend(Shelf::ALL.map(|shelf| plain(Place::Book(shelf)))),
            Place::Book(shelf) => all.extend(look.entries(shelf).into_iter().map(|entry| {
                let place = Place::Card(shelf, CardName::of(entry));
                Thing { place, entry: Some(entry) }
            })),
            Place::Principal | Place::Card(..) => {}
        }
    }
    Ok(all)
}

/// Answers PROPPATCH: each property is refused, and by name.
///
/// # Errors
/// [`Failure`] says what is wrong with the question, or that there is nothing.
pub(super) fn proppatch(look: &Look, place: Place, body: &[u8]) -> Result<Multistatus, Failure> {
    let root = xml::read(body)?;
    if !root.name.is(DAV, "propertyupdate") {
        let words = "this is no propertyupdate of RFC 4918 14.19";
        return Err(Failure::new(StatusCode::BAD_REQUEST, words));
    }
    let thing = things(look, place, Depth::Zero)?.remove(0);
    let changes = root.children.iter().filter_map(|change| change.child(DAV, "prop"));
    let names: Vec<Name> = changes.flat_map(names).collect();
    let mut answer = Multistatus::new(false);
    answer.unchangeable(&thing.place.path(&look.client), &names);
    Ok(answer)
}
