//! Properties: which there are where, and what they say. All are live, and none can be
//! changed by a client.

use std::{fmt::Write as _, sync::Arc};

use postfax_cards::vcard::Version;
use postfax_domain::book::Entry;

use super::{
    answer::Said,
    cards,
    look::Look,
    place::{Place, Shelf},
    xml::{CARD, DAV, Name, SERVER, escape, href},
};

/// A thing that has properties.
#[derive(Debug, Clone)]
pub(super) struct Thing<'a> {
    pub(super) place: Place,
    /// Of a card.
    pub(super) entry: Option<&'a Arc<Entry>>,
}

/// Which properties are asked for (RFC 4918 14.20).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// Those of RFC 4918, and these.
    All(Vec<Name>),
    /// Only what there is.
    Names,
    /// These.
    Some(Vec<Name>),
}

/// What every thing has.
const COMMON: [&str; 7] = [
    "resourcetype",
    "owner",
    "current-user-principal",
    "current-user-privilege-set",
    "supported-privilege-set",
    "principal-collection-set",
    "supported-report-set",
];

const OF_CARDS: [&str; 4] = ["getetag", "getcontenttype", "getcontentlength", "getlastmodified"];

/// What is asked of a book beyond the common.
const OF_BOOKS: [Name; 8] = [
    Name::new(DAV, "displayname"),
    Name::new(DAV, "sync-token"),
    Name::new(SERVER, "getctag"),
    Name::new(CARD, "addressbook-description"),
    Name::new(CARD, "supported-address-data"),
    Name::new(CARD, "supported-collation-set"),
    Name::new(CARD, "max-resource-size"),
    Name::new(DAV, "getcontenttype"),
];

const OF_PRINCIPALS: [Name; 6] = [
    Name::new(DAV, "displayname"),
    Name::new(DAV, "principal-URL"),
    Name::new(DAV, "alternate-URI-set"),
    Name::new(DAV, "group-member-set"),
    Name::new(DAV, "group-membership"),
    Name::new(CARD, "addressbook-home-set"),
];

/// Those that RFC 4918 15 has, which `allprop` asks for.
const USUAL: [&str; 6] = [
    "displayname",
    "getcontentlength",
    "getcontenttype",
    "getetag",
    "getlastmodified",
    "resourcetype",
];

/// The names of all properties of a thing.
fn names(thing: &Thing<'_>) -> Vec<Name> {
    let own = match &thing.place {
        Place::Book(_) => OF_BOOKS.to_vec(),
        Place::Principal => OF_PRINCIPALS.to_vec(),
        Place::Card(..) => OF_CARDS.iter().map(|local| Name::new(DAV, local)).collect(),
        Place::Root => {
            vec![Name::new(DAV, "displayname"), Name::new(CARD, "addressbook-home-set")]
        }
        Place::Principals | Place::Homes | Place::Home => vec![Name::new(DAV, "displayname")],
    };
    COMMON.iter().map(|local| Name::new(DAV, local)).chain(own).collect()
}

/// What is said of a thing.
pub(super) fn said(look: &Look, thing: &Thing<'_>, asked: &Asked) -> Vec<Said> {
    let of = |name: Name| Said { value: value(look, thing, &name), name };
    match asked {
        Asked::Names => {
            let said = |name| Said { name, value: Some(String::new()) };
            names(thing).into_iter().map(said).collect()
        }
        Asked::All(more) => {
            let is_usual = |name: &Name| name.space == DAV && USUAL.contains(&&*name.local);
            let usual = names(thing).into_iter().filter(is_usual);
            usual.chain(more.iter().cloned()).map(of).collect()
        }
        Asked::Some(names) => names.iter().cloned().map(of).collect(),
    }
}

/// The value of a property as XML; `None` where a thing has no such property.
pub(super) fn value(look: &Look, thing: &Thing<'_>, name: &Name) -> Option<String> {
    let client = &look.client;
    let one_href = |place: Place| {
        let mut out = String::new();
        href(&place.path(client), &mut out);
        Some(out)
    };
    match (&*name.space, &*name.local, &thing.place) {
        (DAV, "resourcetype", place) => Some(kind(place).to_owned()),
        (DAV, "current-user-principal" | "owner", _) => one_href(Place::Principal),
        (DAV, "principal-collection-set", _) => one_href(Place::Principals),
        (DAV, "current-user-privilege-set", _) => Some(privileges(look, thing)),
        (DAV, "supported-privilege-set", _) => Some(SUPPORTED_PRIVILEGES.to_owned()),
        (DAV, "supported-report-set", place) => Some(reports(place)),
        (DAV, "displayname", place) => match place {
            Place::Card(..) => None,
            Place::Book(shelf) => Some(text(&look.name(*shelf))),
            Place::Principal | Place::Home => Some(text(client.as_str())),
            Place::Root | Place::Principals | Place::Homes => Some("Postfax".to_owned()),
        },
        (CARD, "addressbook-home-set", Place::Principal | Place::Root) => one_href(Place::Home),
        (DAV, "principal-URL", Place::Principal) => one_href(Place::Principal),
        (DAV, "alternate-URI-set" | "group-member-set" | "group-membership", Place::Principal) => {
            Some(String::new())
        }
        (_, _, Place::Book(shelf)) => of_book(look, *shelf, name),
        (DAV, local, Place::Card(..)) => of_card(look, thing.entry?, local),
        _ => None,
    }
}

fn of_book(look: &Look, shelf: Shelf, name: &Name) -> Option<String> {
    Some(match (&*name.space, &*name.local) {
        (DAV, "sync-token") | (SERVER, "getctag") => text(&look.token(shelf)),
        (DAV, "getcontenttype") => "text/vcard".to_owned(),
        (CARD, "addressbook-description") => {
            text(&format!("{} ({})", look.name(shelf), look.setup().domain))
        }
        (CARD, "supported-address-data") => SUPPORTED_DATA.to_owned(),
        (CARD, "supported-collation-set") => SUPPORTED_COLLATIONS.to_owned(),
        (CARD, "max-resource-size") => look.limits.max_card_bytes.to_string(),
        _ => return None,
    })
}

fn of_card(look: &Look, entry: &Entry, local: &str) -> Option<String> {
    Some(match local {
        "getetag" => text(&etag(entry)),
        "getcontenttype" => "text/vcard; charset=utf-8".to_owned(),
        "getcontentlength" => cards::text(look, entry, Version::V3).len().to_string(),
        "getlastmodified" => last_modified(entry),
        _ => return None,
    })
}

/// As it stands in headers and properties (RFC 9110 8.8.3).
pub(super) fn etag(entry: &Entry) -> String {
    format!("\"{}\"", entry.etag())
}

/// When it was changed (RFC 9110 5.6.7).
pub(super) fn last_modified(entry: &Entry) -> String {
    let at = i64::try_from(entry.stamp.0).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn text(plain: &str) -> String {
    let mut out = String::new();
    escape(plain, &mut out);
    out
}

fn kind(place: &Place) -> &'static str {
    match place {
        Place::Root | Place::Principals | Place::Homes | Place::Home => "<d:collection/>",
        Place::Principal => "<d:collection/><d:principal/>",
        Place::Book(_) => "<d:collection/><card:addressbook/>",
        Place::Card(..) => "",
    }
}

/// What the client may do with a thing (RFC 3744 5.4). Address books show a collection
/// as read-only by this.
fn privileges(look: &Look, thing: &Thing<'_>) -> String {
    let mut all = vec!["read", "read-current-user-privilege-set"];
    match (&thing.place, thing.entry) {
        (Place::Book(shelf), _) if look.may_fill(*shelf) => {
            all.extend(["write", "write-content", "write-properties", "bind", "unbind"]);
        }
        (Place::Card(..), Some(entry)) if look.may_change(entry) => {
            all.extend(["write", "write-content", "write-properties"]);
        }
        _ => {}
    }
    all.iter().fold(String::new(), |mut out, name| {
        let _ = write!(out, "<d:privilege><d:{name}/></d:privilege>");
        out
    })
}

const SUPPORTED_PRIVILEGES: &str = "<d:supported-privilege><d:privilege><d:all/></d:privilege>\
    <d:abstract/><d:description>everything</d:description>\
    <d:supported-privilege><d:privilege><d:read/></d:privilege>\
    <d:description>read</d:description>\
    <d:supported-privilege><d:privilege><d:read-current-user-privilege-set/></d:privilege>\
    <d:description>read what one may</d:description></d:supported-privilege>\
    </d:supported-privilege>\
    <d:supported-privilege><d:privilege><d:write/></d:privilege>\
    <d:description>change</d:description>\
    <d:supported-privilege><d:privilege><d:write-content/></d:privilege>\
    <d:description>change cards</d:description></d:supported-privilege>\
    <d:supported-privilege><d:privilege><d:write-properties/></d:privilege>\
    <d:description>change properties</d:description></d:supported-privilege>\
    <d:supported-privilege><d:privilege><d:bind/></d:privilege>\
    <d:description>add cards</d:description></d:supported-privilege>\
    <d:supported-privilege><d:privilege><d:unbind/></d:privilege>\
    <d:description>delete cards</d:description></d:supported-privilege>\
    </d:supported-privilege></d:supported-privilege>";

const SUPPORTED_DATA: &str = "<card:address-data-type content-type=\"text/vcard\" version=\"3.0\"/>\
     <card:address-data-type content-type=\"text/vcard\" version=\"4.0\"/>";

const SUPPORTED_COLLATIONS: &str = "<card:supported-collation>i;ascii-casemap</card:supported-collation>\
     <card:supported-collation>i;octet</card:supported-collation>\
     <card:supported-collation>i;unicode-casemap</card:supported-collation>";

/// Which reports can be asked for (RFC 3253 3.1.5).
fn reports(place: &Place) -> String {
    let of_books = ["card:addressbook-multiget", "card:addressbook-query"];
    let mut all: Vec<&str> =
        vec!["d:expand-property", "d:principal-property-search", "d:principal-search-property-set"];
    match place {
        Place::Book(_) => all.extend(of_books.into_iter().chain(["d:sync-collection"])),
        Place::Card(..) => all.extend(of_books),
        _ => {}
    }
    all.iter().fold(String::new(), |mut out, name| {
        let _ =
            write!(out, "<d:supported-report><d:report><{name}/></d:report></d:supported-report>");
        out
    })
}
