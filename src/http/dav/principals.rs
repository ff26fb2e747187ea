//! What iOS and macOS ask about principals (RFC 3744 9.4, 9.5; RFC 3253 3.8). There is one
//! principal for each client: itself.

use axum::http::StatusCode;

use super::{
    answer::{Failure, Multistatus, Said},
    look::Look,
    place::{Place, path_of},
    props::{self, Asked, Thing},
    xml::{self, DAV, Element, HEAD, Name, SPACES},
};

/// How deep properties are expanded.
const MAX_EXPANDED: usize = 4;
/// And how many things at most: what is expanded names things that can be expanded.
const MAX_THINGS: usize = 100;

/// The property of a principal that can be searched.
pub(super) fn search_property_set() -> String {
    format!(
        "{HEAD}<d:principal-search-property-set{SPACES}><d:principal-search-property>\
         <d:prop><d:displayname/></d:prop><d:description xml:lang=\"en\">Name</d:description>\
         </d:principal-search-property></d:principal-search-property-set>\n"
    )
}

/// Answers `principal-property-search`: with the client itself, if it fits.
///
/// # Errors
/// [`Failure`] says what is wrong with the question.
pub(super) fn search(
    look: &Look,
    root: &Element,
    is_minimal: bool,
) -> Result<Multistatus, Failure> {
    let name = look.client.as_str().to_lowercase();
    let mut searches = root.all(DAV, "property-search").peekable();
    if searches.peek().is_none() {
        let words = "the report names nothing to search";
        return Err(Failure::new(StatusCode::BAD_REQUEST, words));
    }
    let is_any = root.attribute("test") == Some("anyof");
    let fits = |search: &Element| {
        let wanted = search.child(DAV, "match").map_or("", |wanted| wanted.text.trim());
        let by_name =
            search.child(DAV, "prop").is_some_and(|prop| prop.child(DAV, "displayname").is_some());
        by_name && name.contains(&wanted.to_lowercase())
    };
    let found = if is_any { searches.any(fits) } else { searches.all(fits) };
    let mut answer = Multistatus::new(is_minimal);
    if found {
        // Without properties, those of the principal's name.
        let asked = super::find::asked_by(root);
        let asked = asked.unwrap_or_else(|| Asked::Some(vec![Name::new(DAV, "displayname")]));
        let thing = Thing { place: Place::Principal, entry: None };
        let path = thing.place.path(&look.client);
        answer.properties(&path, &props::said(look, &thing, &asked));
    }
    Ok(answer)
}

/// Answers `expand-property`: properties that name things are answered with those things.
///
/// # Errors
/// [`Failure`] says what is wrong with the question.
pub(super) fn expand(
    look: &Look,
    place: &Place,
    root: &Element,
    is_minimal: bool,
) -> Result<Multistatus, Failure> {
    let entry = match place {
        Place::Card(shelf, name) => look.entry(*shelf, name),
        _ => None,
    };
    let thing = Thing { place: place.clone(), entry };
    let mut left = MAX_THINGS;
    let said = expanded(look, &thing, root, MAX_EXPANDED, &mut left);
    let mut answer = Multistatus::new(is_minimal);
    answer.properties(&place.path(&look.client), &said);
    Ok(answer)
}

fn expanded(
    look: &Look,
    thing: &Thing<'_>,
    asked: &Element,
    depth: usize,
    left: &mut usize,
) -> Vec<Said> {
    let mut all = Vec::new();
    for property in asked.all(DAV, "property") {
        let Some(local) = property.attribute("name") else { continue };
        let space = property.attribute("namespace").unwrap_or(DAV);
        let name = Name { space: space.to_owned().into(), local: local.to_owned().into() };
        // Its name becomes one of an element.
        if !is_name(local) {
            continue;
        }
        let mut value = props::value(look, thing, &name);
        if property.child(DAV, "property").is_some() && depth > 0 {
            value = value.map(|value| followed(look, &value, property, depth, left));
        }
        all.push(Said { name, value });
    }
    all
}

/// The things that a value names, each with what is asked of it.
fn followed(look: &Look, value: &str, asked: &Element, depth: usize, left: &mut usize) -> String {
    let wrapped = format!("<d:prop{SPACES}>{value}</d:prop>");
    let Ok(tree) = xml::read(wrapped.as_bytes()) else { return value.to_owned() };
    let mut out = String::new();
    for href in tree.all(DAV, "href") {
        let place = Place::read(path_of(&href.text), &look.client);
        let Some(place) = place.filter(|_| *left > 0) else { continue };
        *left -= 1;
        let path = place.path(&look.client);
        let thing = Thing { place, entry: None };
        let said = expanded(look, &thing, asked, depth - 1, left);
        out.push_str(&Multistatus::response(&path, &said));
    }
    out
}

/// Whether a text can be the name of an element, as far as we write one.
fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(is_part)
}
