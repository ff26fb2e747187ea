//! What is written into the phone book, and what the audit log says of it. Whatever only
//! reads is answered from a copy, without the supervisor.

use std::sync::Arc;

use super::{Action, Answer, Change, Supervisor};
use crate::{
    audit::Verdict,
    authority::Who,
    book::{self, BadEntry, Entry, Label, Order, Reach, Refused},
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
        match Arc::make_mut(&mut self.book).write_all(&self.setup, who, orders, now) {
            Ok(changes) => {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{Asker, Door, Line},
        book::{Content, EntryId, Owner},
        names::{ClientName, Token},
        supervisor::{Request, Saved, tests::setup},
    };

    const NOW: Timestamp = Timestamp(5000);

    fn content(name: &str, alias: &str) -> Content {
        Content {
            name: name.into(),
            company: String::new(),
            alias: Some(alias.into()),
            note: "not for the log".into(),
            tags: Default::default(),
            reach: Reach::List(Vec::new()),
            kept: String::new(),
        }
    }

    fn anna() -> ClientName {
        ClientName::new("anna").unwrap()
    }

    fn add(name: &str, alias: &str) -> Order {
        let (owner, label) = (Owner::Client(anna()), Label::private());
        Order::Add { uid: name.into(), owner, label, content: content(name, alias) }
    }

    /// Asks as a client, and returns what is saved and answered.
    fn asked(
        supervisor: &mut Supervisor,
        orders: Vec<Order>,
    ) -> (Vec<book::Change>, Option<Line>, Answer) {
        let who = Who::Client(anna());
        let asker = Asker { who: who.clone(), door: Door::Socket, from: "test".into() };
        let line = Line {
            at: Timestamp::default(),
            asker,
            request: "book.import".into(),
            object: String::new(),
            verdict: Verdict::Allowed,
            before: None,
            after: None,
        };
        let mut actions = Vec::new();
        let request = Request::Book { who, orders };
        supervisor.requested(request, line, Token(1), NOW, &mut actions);
        let (mut changes, mut line, mut answer) = (Vec::new(), None, None);
        for action in actions {
            match action {
                Action::Save(Change::Book(change)) => changes.push(*change),
                Action::Save(Change::Audit(saved)) => line = Some(*saved),
                Action::Promise(_, promised) => answer = Some(promised),
                other => panic!("{other:?}"),
            }
        }
        (changes, line, answer.unwrap())
    }

    fn supervisor() -> Supervisor {
        Supervisor::restore(Arc::new(setup()), Saved::default())
    }

    #[test]
    fn all_orders_are_saved_with_one_line_of_the_log() {
        let mut supervisor = supervisor();
        let list = Order::Add {
            uid: "l".into(),
            owner: Owner::Client(anna()),
            label: Label::private(),
            content: Content {
                reach: Reach::List(vec![EntryId::added_by(0), EntryId::added_by(1)]),
                ..content("All", "all")
            },
        };
        let (changes, line, answer) =
            asked(&mut supervisor, vec![add("A", "a"), add("B", "b"), list]);
        assert_eq!(changes.len(), 3);
        let members = changes[2].after.as_ref().map(|list| list.content.reach.clone());
        let ids = vec![changes[0].id, changes[1].id];
        assert_eq!(members, Some(Reach::List(ids)), "what was added before");
        let line = line.unwrap();
        assert_eq!((line.verdict, line.at), (Verdict::Allowed, NOW));
        assert_eq!(line.after.as_deref(), Some("3 added, 0 changed, 0 deleted"));
        assert!(matches!(answer, Answer::Written(written) if written == changes));
        let (_, line, _) = asked(&mut supervisor, vec![add("C", "c")]);
        let after = line.unwrap().after.unwrap();
        assert_eq!(after, "C (c), a list of 0, for private, version 1");
    }

    #[test]
    fn one_bad_order_leaves_nothing_and_nothing_of_it_is_in_the_log() {
        let mut supervisor = supervisor();
        asked(&mut supervisor, vec![add("A", "secret-word")]);
        for (bad, why) in [
            (add("B", "secret-word"), "the alias is that of another entry"),
            (add("B", "secret word"), "it cannot be an alias"),
            (
                Order::Remove { id: EntryId(99), expected: None },
                "there is no such entry in the phone book",
            ),
        ] {
            let before = supervisor.book();
            let (changes, line, answer) = asked(&mut supervisor, vec![add("N", "n"), bad]);
            assert_eq!(changes, []);
            assert!(matches!(answer, Answer::NotWritten(1, _)), "{answer:?}");
            assert_eq!(line.unwrap().verdict, Verdict::Failed(why.into()));
            assert_eq!(supervisor.book().len(), before.len());
        }
        let public =
            Order::Share { id: EntryId(0), expected: None, sharing: book::Sharing::Everyone };
        let (_, line, _) = asked(&mut supervisor, vec![public]);
        assert!(matches!(line.unwrap().verdict, Verdict::Refused(_)), "that needs book.write");
    }
}
