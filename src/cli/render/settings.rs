//! Settings of fax servers, as people see them.

use postfax_domain::{
    settings::{Change, Fate, State},
    supervisor::{ServerStatus, SettingsStatus, Unread},
};

use super::{
    Paint, View, clean,
    table::{Cell, text},
};
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
        let Entry { number, author, at, reason, changes, fate } = entry;
        let title = view.paint(Paint::Strong, &format!("version {number}"));
        let author = clean(&format!("{} ({} {})", author.who, author.door, author.from));
        let reason = if reason.is_empty() { String::new() } else { format!(": {}", clean(reason)) };
        let fate = match fate {
            Fate::Newest | Fate::Replaced => String::new(),
            Fate::Superseded => view.paint(Paint::Attention, " (superseded: never applied)"),
        };
        format!("{title}{fate}, {}, by {author}{reason}\n{}", view.moment(*at), listed(changes))
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
    let (_, paint) = word(&done.state);
    let became = view.paint(paint, &clean(&state(&done.state)));
    format!(
        "{}: version {} is registered\n{}{became}\n",
        done.server,
        done.version,
        listed(&done.changes)
    )
}

/// What became of it, in one word.
fn word(state: &State) -> (&'static str, Paint) {
    match state {
        State::Applied { .. } => ("applied", Paint::Good),
        State::Pending => ("pending", Paint::Attention),
        State::Failed { .. } => ("failed", Paint::Bad),
        State::Drifted { .. } => ("drifted", Paint::Bad),
    }
}

/// The same for a server, where nobody can look as well.
fn standing(settings: &SettingsStatus) -> (&'static str, Paint) {
    match &settings.unread {
        Some(_) => ("unread", Paint::Bad),
        None => word(&settings.state),
    }
}

/// The word for the settings of a server.
pub(super) fn word_of(settings: &SettingsStatus) -> &'static str {
    standing(settings).0
}

/// Whether the server holds what is registered.
pub(super) fn is_applied(settings: &SettingsStatus) -> bool {
    matches!(settings.state, State::Applied { .. }) && settings.unread.is_none()
}

/// How it is with the settings of a server and since when, for a table.
pub(super) fn cell(view: &View, server: &ServerStatus) -> Cell {
    match &server.settings {
        None => text(""),
        Some(settings) => {
            let (word, paint) = standing(settings);
            let since = settings.unread.as_ref().map_or(settings.since, |unread| unread.since);
            text(format!("{word} {}", view.age(since))).painted(paint)
        }
    }
}

/// How it is with the settings of a server, in a line.
pub(super) fn about_settings(server: &ServerStatus, settings: &SettingsStatus) -> String {
    let (name, version) = (&server.name, settings.version);
    match &settings.unread {
        Some(Unread { why, .. }) => {
            format!("settings of {name}, version {version}: they cannot be read: {why}")
        }
        None => format!("settings of {name}, version {version}: {}", state(&settings.state)),
    }
}

/// A line for each server that does not hold what is registered for it.
pub(super) fn unsettled<'a>(
    view: &View,
    servers: impl Iterator<Item = &'a ServerStatus>,
) -> String {
    let line = |server: &ServerStatus| {
        let settings = server.settings.as_ref().filter(|settings| !is_applied(settings))?;
        let (_, paint) = standing(settings);
        Some(view.paint(paint, &clean(&about_settings(server, settings))) + "\n")
    };
    servers.filter_map(line).collect()
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
            (State::Failed { at, why: "n\x1bo".into(), again: None }, "09:01 UTC: n\u{fffd}o"),
            (State::Failed { at, why: "no".into(), again: Some(samples::at(120)) }, "09:02 UTC."),
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
            fate: Fate::Superseded,
        };
        let shown = settings(&view(), &Told::History(vec![entry]));
        assert_eq!(
            shown,
            "version 2 (superseded: never applied), 10:01:00, by the administrator (socket uid 0): why\n  max_dials: 3 -> 5\n"
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
