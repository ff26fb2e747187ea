//! PUT and DELETE of cards (RFC 6352 6.3.2): what is ordered of the phone book, and which
//! precondition was not met. The book decides; each change is told to its end and stands in
//! the audit log.
//!
//! Why a contact without a fax number is refused: it is of no use here, a number that is
//! called by mistake rings at somebody's ear, and a card that were taken and not kept would
//! be lost without a word when the address book reads it again. So nothing is guessed from
//! other numbers: the address book keeps what it has, and says why.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use postfax_cards::vcard::Version;
use postfax_domain::book::{Entry, Label, Order, Owner, Refused};

use super::{
    super::Shared,
    answer::Failure,
    cards::{self, Brought},
    look::Look,
    place::{CardName, Place, Shelf},
    props::etag,
    xml::{CARD, DAV, href},
};
use crate::requests::{self, NotWritten};

/// The condition of a request (RFC 9110 13.1).
#[derive(Debug, PartialEq, Eq)]
enum Condition {
    /// There is none.
    Nothing,
    /// It is to be there, whatever it says.
    There,
    /// It is to be one of these.
    One(Vec<String>),
    /// It is not to be there.
    NotThere,
}

impl Condition {
    fn read(headers: &HeaderMap) -> Self {
        let tags = |name: header::HeaderName| {
            let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
            let tags: Vec<String> = values
                .flat_map(|value| value.split(','))
                .map(|tag| tag.trim().to_owned())
                .collect();
            (!tags.is_empty()).then_some(tags)
        };
        match (tags(header::IF_MATCH), tags(header::IF_NONE_MATCH)) {
            (Some(tags), _) if tags.iter().any(|tag| tag == "*") => Self::There,
            (Some(tags), _) => Self::One(tags),
            (None, Some(tags)) if tags.iter().any(|tag| tag == "*") => Self::NotThere,
            _ => Self::Nothing,
        }
    }

    /// The version that is to be changed, where only that one is.
    fn expected(&self, entry: Option<&Entry>) -> Result<Option<u64>, Failure> {
        let failed = |words: &str| Err(Failure::new(StatusCode::PRECONDITION_FAILED, words));
        match (self, entry) {
            (Self::Nothing, _) | (Self::There, Some(_)) | (Self::NotThere, None) => Ok(None),
            // A weak tag is never the same (RFC 9110 13.1.1).
            (Self::One(tags), Some(entry)) if tags.contains(&etag(entry)) => {
                Ok(Some(entry.version))
            }
            (Self::One(_), Some(_)) => failed("the card was changed meanwhile: read it again"),
            (Self::There | Self::One(_), None) => failed("the card is not there any more"),
            (Self::NotThere, Some(_)) => failed("there is such a card already"),
        }
    }
}

/// A card comes into the place of another, or is new.
///
/// # Errors
/// [`Failure`] names the precondition that was not met.
pub(super) async fn put(
    shared: &Shared,
    look: &Arc<Look>,
    shelf: Shelf,
    name: CardName,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Failure> {
    is_card(headers, body)?;
    let before = look.entry(shelf, &name);
    if let Err((failure, words)) = may_write(look, shelf, &name, before) {
        let (daemon, asker) = (&*shared.daemon, look.asker());
        let noted =
            requests::note_card_refused(daemon, &asker, before.is_none(), &name.uid, words).await;
        noted.map_err(|why| Failure::new(StatusCode::SERVICE_UNAVAILABLE, why))?;
        return Err(failure);
    }
    let expected = Condition::read(headers).expected(before.map(AsRef::as_ref))?;
    let brought = read(look, shelf, &name, before, body).await?;
    let is_new = before.is_none();
    let entry = match before {
        Some(before) if before.content == brought.content => before.clone(),
        Some(before) => {
            let order = Order::Change { id: before.id, expected, content: brought.content };
            ordered(shared, look, shelf, &name, order).await?
        }
        None => {
            let content = brought.content;
            let (uid, owner) = (name.uid.clone(), name.owner.clone());
            // What is made in the public collection is for everyone.
            let label = if owner == Owner::Supervisor { Label::Everyone } else { Label::private() };
            let order = Order::Add { uid, owner, label, content };
            ordered(shared, look, shelf, &name, order).await?
        }
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = if is_new { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    // RFC 6352 6.3.2.3: a tag says that the card stands here letter by letter.
    let is_same = |version| cards::text(look, &entry, version).as_bytes() == body;
    if is_same(Version::V3)
        && let Ok(tag) = HeaderValue::try_from(etag(&entry))
    {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// What the card says. It is read beside the threads that wait for others: a list names
/// thousands, each of which is looked for.
async fn read(
    look: &Arc<Look>,
    shelf: Shelf,
    name: &CardName,
    before: Option<&Arc<Entry>>,
    body: &[u8],
) -> Result<Brought, Failure> {
    let (look, name, before) = (look.clone(), name.clone(), before.cloned());
    let body = body.to_vec();
    let work = move || {
        let bad = |words| Failure::condition(CARD, "valid-address-data", words);
        let brought = cards::read(&look, &body, &name.uid, before.as_ref()).map_err(bad)?;
        is_only_one(&look, shelf, &name, before.as_ref(), &brought)?;
        Ok(brought)
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|bug| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, bug.to_string()))?
}

/// A card goes.
///
/// # Errors
/// [`Failure`] names the precondition that was not met.
pub(super) async fn delete(
    shared: &Shared,
    look: &Arc<Look>,
    shelf: Shelf,
    name: CardName,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let entry = look.entry(shelf, &name).ok_or_else(Failure::not_found)?;
    let expected = Condition::read(headers).expected(Some(entry))?;
    let order = Order::Remove { id: entry.id, expected };
    change(shared, look, shelf, &name, order).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// It is sent as a card (RFC 6352 6.3.2.1); nothing said is a card too.
fn is_card(headers: &HeaderMap, body: &[u8]) -> Result<(), Failure> {
    let words = "cards are text/vcard of version 3.0 or 4.0";
    let unsupported = || Failure::condition(CARD, "supported-address-data", words);
    let Ok(text) = std::str::from_utf8(body) else {
        let words = "cards are in UTF-8";
        return Err(Failure::condition(CARD, "valid-address-data", words));
    };
    if text.lines().any(|line| line.trim_end().eq_ignore_ascii_case("VERSION:2.1")) {
        return Err(unsupported());
    }
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    let known = ["text/vcard", "text/x-vcard", "text/directory"];
    if known.iter().any(|known| kind.trim().eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    Err(unsupported())
}

/// Whether the client may write here at all. The book would say so too; but it would have
/// to be asked with a card that is in order.
fn may_write(
    look: &Look,
    shelf: Shelf,
    name: &CardName,
    before: Option<&Arc<Entry>>,
) -> Result<(), (Failure, &'static str)> {
    let path = |place: Place| place.path(&look.client);
    let is_kept_here = shelf.keeper(&look.client).as_ref() == Some(&name.owner);
    match before {
        Some(before) if !look.may_change(before) => {
            let path = path(Place::Card(shelf, name.clone()));
            let words = "this card is not yours to change";
            Err((Failure::privilege(&path, "write-content", words), words))
        }
        None if !look.may_fill(shelf) || !is_kept_here => {
            let path = path(Place::Book(shelf));
            let words = "no cards can be added to this collection";
            Err((Failure::privilege(&path, "bind", words), words))
        }
        _ => Ok(()),
    }
}

/// `no-uid-conflict`: a card keeps what it calls itself, and no two are called the same.
fn is_only_one(
    look: &Look,
    shelf: Shelf,
    name: &CardName,
    before: Option<&Arc<Entry>>,
    brought: &Brought,
) -> Result<(), Failure> {
    let uid = &brought.uid;
    let is_other = |entry: &&Arc<Entry>| before.is_none_or(|before| before.id != entry.id);
    let other = match before {
        Some(before) if cards::uid_of(before) != *uid => Some(before),
        _ => {
            let same = CardName { owner: name.owner.clone(), uid: uid.clone() };
            let by_name = look.entry(shelf, &same).filter(|entry| cards::uid_of(entry) == *uid);
            let renamed = || cards::renamed(look, shelf, uid);
            by_name.or_else(renamed).filter(is_other)
        }
    };
    let Some(other) = other else { return Ok(()) };
    let mut inside = String::new();
    href(&Place::Card(shelf, CardName::of(other)).path(&look.client), &mut inside);
    let words = "another card has this UID, or this card had another one";
    Err(Failure::condition_with(CARD, "no-uid-conflict", &inside, words))
}

/// Orders a change, and returns the entry as it is then.
async fn ordered(
    shared: &Shared,
    look: &Arc<Look>,
    shelf: Shelf,
    name: &CardName,
    order: Order,
) -> Result<Arc<Entry>, Failure> {
    let change = change(shared, look, shelf, name, order).await?;
    change
        .after
        .ok_or_else(|| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "nothing was written"))
}

/// Orders a change. It is told to its end, also when the client is gone.
async fn change(
    shared: &Shared,
    look: &Arc<Look>,
    shelf: Shelf,
    name: &CardName,
    order: Order,
) -> Result<postfax_domain::book::Change, Failure> {
    let is_new = matches!(order, Order::Add { .. });
    let (daemon, asker, uid) = (shared.daemon.clone(), look.asker(), name.uid.clone());
    let work =
        tokio::spawn(async move { requests::write_card(&*daemon, &asker, order, &uid).await });
    let done = work
        .await
        .map_err(|bug| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, bug.to_string()))?;
    done.map_err(|why| match why {
        NotWritten::Refused(refused) => failure(look, shelf, name, is_new, &refused),
        NotWritten::Failed(why) => Failure::new(StatusCode::SERVICE_UNAVAILABLE, why),
    })
}

/// What a refusal of the book is in the words of CardDAV.
fn failure(look: &Look, shelf: Shelf, name: &CardName, is_new: bool, refused: &Refused) -> Failure {
    let words = refused.to_string();
    let path = Place::Card(shelf, name.clone()).path(&look.client);
    match refused {
        Refused::NotThere => Failure::not_found(),
        Refused::NotYours | Refused::Missing(_) if is_new => {
            Failure::privilege(&Place::Book(shelf).path(&look.client), "bind", words)
        }
        Refused::NotYours | Refused::Missing(_) => {
            Failure::privilege(&path, "write-content", words)
        }
        Refused::Version { .. } => Failure::new(StatusCode::PRECONDITION_FAILED, words),
        Refused::UidTaken => {
            let mut inside = String::new();
            href(&path, &mut inside);
            Failure::condition_with(CARD, "no-uid-conflict", &inside, words)
        }
        // RFC 4331 6, and RFC 4918 11.5.
        Refused::TooManyOwned | Refused::Full => {
            Failure::new(StatusCode::INSUFFICIENT_STORAGE, words)
        }
        Refused::Bad(_) | Refused::AliasTaken(_) | Refused::NoSuchMember | Refused::HoldsItself => {
            Failure::condition(CARD, "valid-address-data", words)
        }
        Refused::NoSuchParty(_) | Refused::ForEveryone | Refused::NoSuchOwner(_) => {
            Failure::condition(DAV, "cannot-modify-protected-property", words)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read() {
        for (name, value, wants) in [
            ("if-match", "*", Condition::There),
            ("if-match", "\"a\", \"b\"", Condition::One(vec!["\"a\"".into(), "\"b\"".into()])),
            ("if-none-match", "*", Condition::NotThere),
            ("if-none-match", "\"a\"", Condition::Nothing),
            ("etag", "\"a\"", Condition::Nothing),
        ] {
            let name = header::HeaderName::from_static(name);
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
            assert_eq!(Condition::read(&headers), wants, "{value}");
        }
    }
}
