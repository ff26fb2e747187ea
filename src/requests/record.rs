//! What the audit log calls a question, and what it is about.

use postfax_domain::{
    audit::{Asker, Line, Verdict},
    names::{JobId, ServerName},
    time::Timestamp,
};

use super::{Ask, AskAlter, BookReply, Code, Reply};

/// The line of a question before it is answered.
pub(super) fn line(asker: &Asker, ask: &Ask) -> Line {
    Line {
        at: Timestamp::default(),
        asker: Asker { from: brief(&asker.from, MAX_FROM), ..asker.clone() },
        request: request(ask).to_owned(),
        object: object(ask),
        verdict: Verdict::Allowed,
        before: None,
        after: None,
    }
}

/// What the log calls it.
fn request(ask: &Ask) -> &'static str {
    match ask {
        Ask::Status => "status",
        Ask::Watch => "status.watch",
        Ask::Jobs(_) => "jobs.list",
        Ask::Show { .. } => "jobs.show",
        Ask::Pages { .. } => "jobs.pages",
        Ask::Follow => "jobs.follow",
        Ask::Cancel { .. } => "jobs.cancel",
        Ask::Retry { .. } => "jobs.retry",
        Ask::Hold { .. } => "jobs.hold",
        Ask::Release { .. } => "jobs.release",
        Ask::Alter(_) => "jobs.alter",
        Ask::Explain { .. } => "call.explain",
        Ask::ExplainJob { .. } => "jobs.explain",
        Ask::Reload => "config.reload",
        Ask::Inbound(_) => "inbound.list",
        Ask::Assign { .. } => "inbound.assign",
        Ask::Servers => "servers.list",
        Ask::Drain { .. } => "servers.drain",
        Ask::Resume { .. } => "servers.resume",
        Ask::GiveUp { .. } => "servers.give-up",
        Ask::Settings(ask) => ask.name(),
        Ask::Config(ask) => ask.name(),
        Ask::Book(ask) => ask.name(),
        Ask::Webhooks => "webhooks.list",
        Ask::RetryWebhook { .. } => "webhooks.retry",
        Ask::Audit(_) => "audit.list",
        Ask::VerifyAudit { .. } => "audit.verify",
    }
}

/// What it is about.
fn object(ask: &Ask) -> String {
    let job = |job: &JobId| format!("job:{job}");
    let server = |server: &ServerName| format!("server:{server}");
    match ask {
        Ask::Show { job: id }
        | Ask::Pages { job: id }
        | Ask::Cancel { job: id }
        | Ask::Retry { job: id }
        | Ask::Hold { job: id }
        | Ask::Release { job: id }
        | Ask::Alter(AskAlter { job: id, .. })
        | Ask::ExplainJob { job: id } => job(id),
        Ask::Assign { job: id, client } => format!("{} client:{client}", job(id)),
        Ask::Explain { from, to, .. } => {
            format!("client:{} number:{}", brief(from, MAX_WRITTEN), brief(to, MAX_WRITTEN))
        }
        Ask::Drain { server: name }
        | Ask::Resume { server: name }
        | Ask::GiveUp { server: name } => server(name),
        Ask::RetryWebhook { webhook } => format!("webhook:{webhook}"),
        Ask::Settings(ask) => server(ask.server()),
        Ask::Book(ask) => {
            ask.entry().map_or_else(String::new, |e| format!("entry:{}", brief(e, MAX_WRITTEN)))
        }
        Ask::Jobs(ask) => ask
            .client
            .as_ref()
            .map_or_else(String::new, |client| format!("client:{}", brief(client, MAX_WRITTEN))),
        Ask::Status
        | Ask::Watch
        | Ask::Follow
        | Ask::Reload
        | Ask::Config(_)
        | Ask::Inbound(_)
        | Ask::Servers
        | Ask::Webhooks
        | Ask::Audit(_)
        | Ask::VerifyAudit { .. } => String::new(),
    }
}

/// As much of what somebody wrote as goes into a line, in characters.
const MAX_WRITTEN: usize = 64;
/// As much of where a request comes from, in characters: a Message-ID of RFC 5322 2.1.1.
const MAX_FROM: usize = 998;
/// As much of why something was not done, in characters: it may quote what was written,
/// and lines are never deleted.
const MAX_WHY: usize = 2000;

/// The beginning of a text.
fn brief(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}

/// What a request is about, as far as it goes into a line.
pub(super) fn brief_object(kind: &str, name: &str) -> String {
    format!("{kind}:{}", brief(name, MAX_WRITTEN))
}

/// What a line says of a new version of the configuration.
pub(crate) fn changed_to(version: u64, diff: &str) -> String {
    format!("version {version}\n{diff}")
}

/// What became of it, by its answer.
pub(super) fn verdict(reply: &Reply) -> Verdict {
    match reply {
        Reply::Problem(problem) if problem.code == Code::NotPermitted => {
            Verdict::Refused(brief(&problem.message, MAX_WHY))
        }
        Reply::Problem(problem) => {
            let why = problem.on_record.as_ref().unwrap_or(&problem.message);
            Verdict::Failed(brief(why, MAX_WHY))
        }
        Reply::Book(reply) => match &**reply {
            // What stands in the file is for the asker alone.
            BookReply::Imported(file) if !file.errors.is_empty() => {
                Verdict::Failed(format!("the file has errors: {}", file.errors.len()))
            }
            _ => Verdict::Allowed,
        },
        _ => Verdict::Allowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::{AskBook, AskJobs, Problem, samples};

    #[test]
    fn nobody_writes_as_much_into_the_log_as_they_like() {
        let much = "\u{e9}".repeat(900_000);
        let asker = Asker { from: much.clone(), ..samples::administrator() };
        let explain = Ask::Explain { from: much.clone(), to: much.clone(), pages: 1 };
        let jobs = Ask::Jobs(AskJobs { client: Some(much.clone()), ..AskJobs::default() });
        let book = Ask::Book(AskBook::Show { entry: much.clone() });
        for ask in [explain, jobs, book] {
            for code in [Code::NotPermitted, Code::BadRequest] {
                let verdict = verdict(&Reply::Problem(Problem::new(code, much.clone())));
                let line = Line { verdict, ..line(&asker, &ask) };
                let bytes = serde_json::to_vec(&line).unwrap().len();
                assert!(bytes < 10_000, "{bytes}");
            }
        }
        assert_eq!(brief("anna", 4), "anna");
    }
}
