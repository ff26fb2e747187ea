//! `sync-collection` (RFC 6578 3.2): what has changed in a collection since a token. What
//! others have, and how much of it changes, shows in no token.

use axum::http::StatusCode;
use postfax_domain::book::Moved;

use super::{
    answer::{Failure, Multistatus},
    look::{Look, token_of, written},
    place::{CardName, Place, Shelf},
    report::{Told, Wanted, limit},
    xml::{DAV, Element},
};

/// Answers `sync-collection`.
///
/// # Errors
/// [`Failure`] says what is wrong with the question, or that all is to be read again.
pub(super) fn sync(
    look: &Look,
    shelf: Shelf,
    root: &Element,
    is_minimal: bool,
) -> Result<Told, Failure> {
    let level = root.child(DAV, "sync-level").map(|level| level.text.trim());
    // Nothing is deeper than one.
    if level.is_some_and(|level| level != "1" && level != "infinite") {
        let words = "sync-level is 1 or infinite";
        return Err(Failure::new(StatusCode::BAD_REQUEST, words));
    }
    let wanted = Wanted::read(root)?;
    let limit = limit(root, DAV)?;
    let stale = || {
        let words = "this token cannot be gone on from: read the whole collection again";
        Failure::condition(DAV, "valid-sync-token", words)
    };
    let token = root.child(DAV, "sync-token").map(|token| token.text.trim());
    let token = match token {
        None | Some("") => None,
        Some(text) => Some(token_of(shelf, text).ok_or_else(stale)?),
    };
    let since = look.book.since_in(look.setup(), &look.who, shelf.rank(), token, limit);
    let since = since.map_err(|_| stale())?;
    if limit.is_some_and(|limit| since.moved.len() > limit) {
        let words = "so few results cannot be gone on from: ask without a limit";
        return Err(Failure::condition(DAV, "number-of-matches-within-limits", words));
    }
    let mut answer = Multistatus::new(is_minimal);
    let mut count = 0_usize;
    for moved in since.moved {
        match moved {
            Moved::There(entry) => {
                count += 1;
                wanted.say(look, shelf, entry, &mut answer);
            }
            Moved::Gone { owner, uid } => {
                let name = CardName { owner: owner.clone(), uid: uid.to_owned() };
                let path = Place::Card(shelf, name).path(&look.client);
                answer.status(&path, "404 Not Found", "");
            }
        }
    }
    if since.more {
        answer.cut_short(&Place::Book(shelf).path(&look.client));
    }
    answer.sync_token(&written(shelf, since.token));
    let read = (wanted.hands_out() && count > 0).then(|| format!("{} {count}", shelf.name()));
    Ok(Told { answer, read })
}
