//! Fax servers and the audit log as lists.

use postfax_domain::{
    audit::{Chain, Entry, Verdict},
    names::{GroupName, JobId, ServerName},
    number::Number,
};

use super::{
    Paint, View, clean, count, settings,
    status::condition,
    table::{self, number, text},
};
use crate::requests::{Server, Webhook};

/// A table of fax servers.
pub(in crate::cli) fn servers(view: &View, servers: &[Server]) -> String {
    if servers.is_empty() {
        return "no such fax servers\n".into();
    }
    let heading =
        ["SERVER", "HEALTH", "CALLS", "LINES", "DRAINED", "SETTINGS", "GROUPS", "NUMBERS"];
    let rows = servers.iter().map(|server| {
        let (word, paint) = condition(&server.status);
        let drained = match (server.status.drained, server.status.draining) {
            (true, _) => "by order",
            (false, true) => "configured",
            (false, false) => "",
        };
        let groups: Vec<&str> = server.groups.iter().map(GroupName::as_str).collect();
        let numbers: Vec<&str> = server.numbers.iter().map(Number::as_str).collect();
        vec![
            text(server.status.name.as_str()),
            text(word).painted(paint),
            number(server.status.live.busy),
            number(server.status.lines),
            text(drained),
            settings::cell(view, &server.status),
            text(groups.join(" ")),
            text(numbers.join(" ")),
        ]
    });
    let table = table::table(view, "", &heading, rows.collect());
    table + &settings::unsettled(view, servers.iter().map(|server| &server.status))
}

/// How it is with the work of a server now.
pub(in crate::cli) fn draining(server: &ServerName, draining: bool) -> String {
    match draining {
        true => format!("{server} gets no new calls\n"),
        false => format!("{server} gets calls\n"),
    }
}

/// What was at a server that was given up.
pub(in crate::cli) fn gave_up(server: &ServerName, jobs: &[JobId]) -> String {
    let jobs: Vec<String> = jobs.iter().map(ToString::to_string).collect();
    match jobs.is_empty() {
        true => format!("{server} had no calls\n"),
        false => format!("{server} is given up; these jobs were lost: {}\n", jobs.join(", ")),
    }
}

/// A table of webhooks.
pub(in crate::cli) fn webhooks(view: &View, hooks: &[Webhook]) -> String {
    if hooks.is_empty() {
        return "no webhooks\n".into();
    }
    let heading = ["WEBHOOK", "CLIENT", "LAST", "WAITING", "STATE"];
    let rows = hooks.iter().map(|hook| {
        let (state, paint) = match &hook.trouble {
            _ if hook.gone => ("gone".to_owned(), Paint::Bad),
            None => ("well".to_owned(), Paint::Good),
            Some(trouble) => {
                let (failures, why) = (count(trouble.failures, "failure"), clean(&trouble.why));
                let next = view.clock(trouble.next);
                (format!("{failures}: {why}; next try {next}"), Paint::Attention)
            }
        };
        vec![
            text(hook.name.as_str()),
            text(&hook.client),
            number(hook.last),
            number(hook.waiting),
            text(state).painted(Some(paint)),
        ]
    });
    table::table(view, "", &heading, rows.collect())
}

/// A table of lines of the audit log.
pub(in crate::cli) fn audit(view: &View, entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "no such lines\n".into();
    }
    let heading = ["SEQ", "WHEN", "WHO", "FROM", "REQUEST", "ABOUT", "VERDICT"];
    let rows = entries.iter().map(|entry| {
        let line = &entry.line;
        let (said, paint) = match &line.verdict {
            Verdict::Allowed => ("allowed".to_owned(), None),
            Verdict::Refused(why) => (format!("refused: {why}"), Some(Paint::Bad)),
            Verdict::Failed(why) => (format!("failed: {why}"), Some(Paint::Attention)),
        };
        let change = match (&line.before, &line.after) {
            (Some(before), Some(after)) => format!("; was {before}; is {after}"),
            (None, Some(after)) => format!("; {after}"),
            (_, None) => String::new(),
        };
        vec![
            number(entry.seq),
            text(view.moment(line.at)),
            text(line.asker.who.to_string()),
            text(format!("{} {}", line.asker.door, line.asker.from)),
            text(&line.request),
            text(&line.object),
            text(said + &change).painted(paint),
        ]
    });
    table::table(view, "", &heading, rows.collect())
}

/// What was found when the audit log was read.
pub(in crate::cli) fn chain(view: &View, chain: &Chain) -> String {
    let lines = count(chain.lines, "line");
    let head = chain.head.as_ref().map(|head| format!("head {head}\n")).unwrap_or_default();
    match &chain.broken {
        None => format!("{lines}, {}\n{head}", view.paint(Paint::Good, "whole")),
        Some(broken) => {
            let words = format!("line {} does not fit: {}", broken.seq, broken.why);
            format!("{lines} fit; {}\n{head}", view.paint(Paint::Bad, &words))
        }
    }
}
