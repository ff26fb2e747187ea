//! What is written into the phone book, and what the audit log says of it. Whatever only
//! reads is answered from a copy, without the supervisor.

use std::sync::Arc;

use super::{Action, Answer, Change, Supervisor};
use crate::{
    audit::Verdict,
    authority::Who,
    book::{self, BadEntry, Book, Entry, Label, Order, Reach, Refused},
    dial::Party,
    time::Timestamp,
};

impl Supervisor {
    /// All that is ordered is written, or nothing.
    pub(super) fn write_book(
        &mut self,
        who: &Who,
        orders: &[Order],
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Answer {
        let mut next = Book::clone(&self.book);
        match next.write_all(&self.setup, who, orders, now) {
            Ok(changes) => {
                self.book = Arc::new(next);
                let saves = changes.iter().map(|change| Change::Book(Box::new(change.clone())));
                actions.extend(saves.map(Action::Save));
                Answer::Written(changes)
            }
            Err((at, why)) => Answer::NotWritten(at, why),
        }
    }
}

/// Who may not is refused; all else is a failure.
pub(super) fn verdict(refused: &Refused) -> Verdict {
    match refused {
        Refused::NotYours | Refused::Missing(_) => Verdict::Refused(refused.to_string()),
        // What stands in a file that was imported is not for the log.
        Refused::AliasTaken(_) => Verdict::Failed("the alias is that of another entry".into()),
        Refused::Bad(BadEntry::Alias(_) | BadEntry::Reserved(_)) => {
            Verdict::Failed("it cannot be an alias".into())
        }
        _ => Verdict::Failed(refused.to_string()),
    }
}

/// What was changed, before and after: the entry, or how many of them.
pub(super) fn described(changes: &[book::Change]) -> (Option<String>, Option<String>) {
    let of = |entry: &Option<Arc<Entry>>| entry.as_deref().map(brief);
    match changes {
        [] => (None, None),
        [one] => (of(&one.before), of(&one.after)),
        many => {
            let count = |is: fn(&book::Change) -> bool| many.iter().filter(|c| is(c)).count();
            let added = count(|change| change.before.is_none());
            let deleted = count(|change| change.after.is_none());
            let changed = many.len() - added - deleted;
            (None, Some(format!("{added} added, {changed} changed, {deleted} deleted")))
        }
    }
}

/// An entry in a line.
fn brief(entry: &Entry) -> String {
    let content = &entry.content;
    let reach = match &content.reach {
        Reach::Fax(line) => match &line.subaddress {
            Some(subaddress) => format!("{}/{subaddress}", line.number.as_str()),
            None => line.number.as_str().to_owned(),
        },
        Reach::List(members) => format!("a list of {}", members.len()),
    };
    let label = match &entry.label {
        Label::Everyone => "everyone".to_owned(),
        Label::Named(parties) if parties.is_empty() => "private".to_owned(),
        Label::Named(parties) => parties.iter().map(party).collect::<Vec<_>>().join(" "),
    };
    let alias = content.alias.as_ref().map_or_else(String::new, |alias| format!(" ({alias})"));
    format!("{}{alias}, {reach}, for {label}, version {}", content.name, entry.version)
}

fn party(party: &Party) -> String {
    match party {
        Party::Client(name) => format!("client:{name}"),
        Party::Group(name) => format!("group:{name}"),
    }
}
