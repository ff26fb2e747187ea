//! Contacts as text, in and out: vCard, tables (CSV) and LDIF. Bytes come in, cards and
//! findings go out; cards come in, text goes out. This crate knows no fax server, no
//! mail protocol, no number plan, no disk and no clock: what a number is worth and who may
//! see a card is decided by others.
//!
//! | format | read | written | by |
//! |---|---|---|---|
//! | [`vcard`] | 2.1, 3.0, 4.0 | 3.0, 4.0 | vCard MIME Directory Profile (RFC 2426), RFC 6350 |
//! | [`table`] | headings of Postfax, Thunderbird, Outlook, Google | our own | RFC 4180 |
//! | [`ldif`] | content records | content records | RFC 2849, RFC 4519 |
//!
//! Three promises hold for every reader. **Nothing half read**: a card, row or record is
//! in the result whole or it is left out and a [`Finding`] says where and why.
//! **Nothing lost**: what a card has no field for is [kept](Kept) beside it, and stands in
//! its old place, letter by letter, when the card is written in its format again.
//! **Bounded**: every file has the limits below, time is linear in its size, and no bytes
//! make a reader panic.

mod card;
mod encoding;
mod escape;
mod finding;
pub mod ldif;
mod line;
mod losses;
pub mod table;
pub mod vcard;

pub use card::{Book, Card, CardList, Fax, FaxPlace, Kept};
pub use finding::{Finding, Place, Problem, Reading};
pub use line::Line;
pub use losses::{Format, Loss, losses};

/// The largest file that is read.
pub const FILE_BYTES_MOST: usize = 64 * 1024 * 1024;
/// The longest card, row or record, as it stands in the file.
pub const CARD_BYTES_MOST: usize = 256 * 1024;
/// The most cards and lists together in one file.
pub const CARDS_MOST: usize = 200_000;
/// The most findings that are told one by one; the rest is counted.
pub const FINDINGS_MOST: usize = 1000;
