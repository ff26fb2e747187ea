//! Settings of fax servers, as people see them.

use postfax_domain::settings::{Change, State};

use super::{Paint, View, clean};
use crate::requests::settings::{Differences, Entry, Registered, Side, Told, text::state};

/// The answer to a question about settings.
pub(in crate::cli) fn settings(view: &View, told: &Told) -> String {
    match told {
        // Line by line: a text is made of them.
        Told::Sheet(shown) => shown.text.lines().map(|line| clean(line) + "\n").collect(),
        Told::History(entries) => history(view, entries),
        Told::Diff(diff) => differences(diff),
        Told::Registered(done) => registered(view, done),
    }
}

fn history(view: &View, entries: &[Entry]) -> String {
    let entry = |entry: &Entry| {
        let Entry { number, author, at, reason, changes } = entry;
        let title = view.paint(Paint::Strong, &format!("version {number}"));
        let author = clean(&format!("{} ({} {})", author.who, author.door, author.from));
        let reason = if reason.is_empty() { String::new() } else { format!(": {}", clean(reason)) };
        format!("{title}, {}, by {author}{reason}\n{}", view.moment(*at), listed(changes))
    };
    entries.iter().map(entry).collect()
}

fn differences(diff: &Differences) -> String {
    let side = |side: Side| match side {
        Side::Version(number) => format!("version {number}"),
        Side::Held => "what the server holds".to_owned(),
    };
    let (from, to) = (side(diff.from), side(diff.to));
    if diff.changes.is_empty() {
        return format!("{}: {from} and {to} are the same\n", diff.server);
    }
    format!("{}: from {from} to {to}\n{}", diff.server, listed(&diff.changes))
}

fn registered(view: &View, done: &Registered) -> String {
    let paint = match done.state {
        State::Applied { .. } => Paint::Good,
        State::Pending => Paint::Attention,
        State::Failed { .. } | State::Drifted { .. } => Paint::Bad,
    };
    let became = view.paint(paint, &clean(&state(&done.state)));
    format!(
        "{}: version {} is registered\n{}{became}\n",
        done.server,
        done.version,
        listed(&done.changes)
    )
}

fn listed(changes: &[Change]) -> String {
    changes.iter().map(|change| format!("  {}\n", clean(&change.to_string()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::render::tests::view, requests::samples};

    fn change(from: i64, to: i64) -> Change {
        use postfax_domain::settings::{Name, Value};
        Change {
            name: Name::of_server("max_dials"),
            from: Some(Value::Number(from)),
            to: Some(Value::Number(to)),
        }
    }

    #[test]
    fn what_was_registered_is_said_with_what_became_of_it() {
        let at = samples::at(60);
        for (became, words) in [
            (State::Applied { at }, "The server holds it, since 2026-11-23 09:01 UTC."),
            (State::Pending, "Pending: "),
            (State::Failed { at, why: "n\x1bo".into() }, "09:01 UTC: n\u{fffd}o"),
        ] {
            let server = samples::server("london-1");
            let done =
                Registered { server, version: 3, state: became, changes: vec![change(3, 5)] };
            let shown = settings(&view(), &Told::Registered(done));
            assert!(shown.starts_with("london-1: version 3 is registered\n  max_dials: 3 -> 5\n"));
            assert!(shown.contains(words), "{shown}");
        }
    }

    #[test]
    fn versions_and_differences_are_listed() {
        let author = samples::administrator();
        let entry = Entry {
            number: 2,
            author,
            at: samples::at(60),
            reason: "why".into(),
            changes: vec![change(3, 5)],
        };
        let shown = settings(&view(), &Told::History(vec![entry]));
        assert_eq!(
            shown,
            "version 2, 10:01:00, by the administrator (socket uid 0): why\n  max_dials: 3 -> 5\n"
        );
        let server = || samples::server("london-1");
        let diff = |changes| {
            Told::Diff(Differences {
                server: server(),
                from: Side::Version(2),
                to: Side::Held,
                changes,
            })
        };
        assert_eq!(
            settings(&view(), &diff(vec![change(3, 5)])),
            "london-1: from version 2 to what the server holds\n  max_dials: 3 -> 5\n"
        );
        assert!(settings(&view(), &diff(vec![])).contains("are the same"));
    }
}
