//! What the audit log calls a question, and what it is about.

use postfax_domain::{
    audit::{Asker, Line, Verdict},
    names::{JobId, ServerName},
    time::Timestamp,
};

use super::{Ask, AskAlter, Code, Reply};

/// The line of a question before it is answered.
pub(super) fn line(asker: &Asker, ask: &Ask) -> Line {
    Line {
        at: Timestamp::default(),
        asker: asker.clone(),
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
            let to: String = to.chars().take(MAX_WRITTEN).collect();
            format!("client:{from} number:{to}")
        }
        Ask::Drain { server: name }
        | Ask::Resume { server: name }
        | Ask::GiveUp { server: name } => server(name),
        Ask::RetryWebhook { webhook } => format!("webhook:{webhook}"),
        Ask::Settings(ask) => server(ask.server()),
        Ask::Jobs(ask) => ask.client.as_ref().map_or_else(String::new, |client| {
            let client: String = client.chars().take(MAX_WRITTEN).collect();
            format!("client:{client}")
        }),
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

/// As much of what somebody wrote as goes into a line.
const MAX_WRITTEN: usize = 64;

/// What became of it, by its answer.
pub(super) fn verdict(reply: &Reply) -> Verdict {
    match reply {
        Reply::Problem(problem) if problem.code == Code::NotPermitted => {
            Verdict::Refused(problem.message.clone())
        }
        Reply::Problem(problem) => Verdict::Failed(problem.message.clone()),
        _ => Verdict::Allowed,
    }
}
