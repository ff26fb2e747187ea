//! The phone book as text.

use super::View;
use crate::requests::BookReply;

/// What was asked of the phone book.
pub(in crate::cli) fn book(_view: &View, reply: &BookReply) -> String {
    format!("{reply:?}\n")
}
