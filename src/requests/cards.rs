//! The phone book for doors that bring whole cards: what they order and read, with its line
//! of the audit log. What may be ordered is decided by [`postfax_domain::book`].

use postfax_domain::{
    audit::{Asker, Line, Verdict},
    book::{Change, Order, Refused},
    supervisor::{Answer, Request},
    time::Timestamp,
};

use super::{Daemon, record::brief_object};

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotWritten {
    /// The book has something against it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The supervisor does not answer, or the disk does not; it may have been done.
    #[error("{0}")]
    Failed(String),
}

/// Writes one entry, and its line of the audit log with it; durable when this returns.
///
/// # Errors
/// [`NotWritten`] says why nothing was written.
pub(crate) async fn write_card(
    daemon: &dyn Daemon,
    asker: &Asker,
    order: Order,
    uid: &str,
) -> Result<Change, NotWritten> {
    let name = match &order {
        Order::Add { .. } => "book.add",
        Order::Change { .. } => "book.change",
        Order::Share { .. } => "book.share",
        Order::Remove { .. } => "book.delete",
    };
    let line = line(asker, name, brief_object("entry", uid));
    let request = Request::Book { who: asker.who.clone(), orders: vec![order] };
    match daemon.order(request, line).await.map_err(NotWritten::Failed)? {
        Answer::Written(changes) => {
            let change = changes.into_iter().next();
            change.ok_or_else(|| NotWritten::Failed("nothing was written, which is a bug".into()))
        }
        Answer::NotWritten(_, refused) => Err(refused.into()),
        other => Err(NotWritten::Failed(super::unexpected(&other).message)),
    }
}

/// Notes that cards are read: `of` says which ones.
///
/// # Errors
/// Why the line is not durable; then nothing may be shown.
pub(crate) async fn note_cards_read(
    daemon: &dyn Daemon,
    asker: &Asker,
    of: &str,
) -> Result<(), String> {
    daemon.note(line(asker, "book.find", brief_object("cards", of))).await
}

/// Notes that a card was not taken, as the asker may not write there.
///
/// # Errors
/// Why the line is not durable.
pub(crate) async fn note_card_refused(
    daemon: &dyn Daemon,
    asker: &Asker,
    is_new: bool,
    uid: &str,
    why: &str,
) -> Result<(), String> {
    let request = if is_new { "book.add" } else { "book.change" };
    let line = line(asker, request, brief_object("entry", uid));
    daemon.note(Line { verdict: Verdict::Refused(why.to_owned()), ..line }).await
}

fn line(asker: &Asker, request: &str, object: String) -> Line {
    Line {
        at: Timestamp::default(),
        asker: asker.clone(),
        request: request.to_owned(),
        object,
        verdict: Verdict::Allowed,
        before: None,
        after: None,
    }
}
