//! The phone book by CardDAV (RFC 6352), at the HTTP door: address books complete our
//! addresses that fax, and change entries. It decides who asks and how cards look; who sees
//! and changes what is decided by [`postfax_domain::book`], and what is changed is noted by
//! [`crate::requests`].
//!
//! ```text
//!  routes ─▶ serve ─▶ login          who asks
//!                     place, look    where, and what is there for them
//!                     find ─▶ props  PROPFIND
//!                     report ─▶ query, sync, principals
//!                     write          PUT, DELETE
//!                     answer, xml    what goes back
//! ```
//!
//! # The collections
//!
//! | path | what is in it |
//! |---|---|
//! | `/dav/books/NAME/own/` | the client's own entries; it may change them |
//! | `/dav/books/NAME/shared/` | what others share with it |
//! | `/dav/books/NAME/public/` | what everybody sees; changed by those who have `book.write` |
//!
//! Why three: two owners may use one unique identifier, and address books show a whole
//! collection as read-only or not. An entry is in one of them, the nearest.
//!
//! Why names are made of the owner and the identifier: they tell nothing of others, are
//! the same for everybody, and are known when an entry has gone.

mod answer;
mod cards;
mod find;
mod login;
mod look;
mod place;
mod principals;
mod props;
mod query;
mod report;
mod serve;
mod sync;
mod write;
mod xml;

pub(super) use serve::routes;
