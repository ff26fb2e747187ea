//! What can be typed to change jobs and servers, and to read the audit log. Holds no
//! behaviour beyond reading what was typed.

use std::path::PathBuf;

use clap::{Args as Group, Subcommand};
use jiff::{SignedDuration, civil::DateTime, tz::TimeZone};
use postfax_domain::{
    audit::Head,
    names::{ClientName, HookName, JobId, ServerName},
    time::Timestamp,
};

use super::{Output, client, job_id};
use crate::requests::{Ask, AskAlter, AskAudit, AskInbound};

/// What is to be different about a fax.
#[derive(Debug, Group)]
#[group(id = "alterations", multiple = true)]
pub(crate) struct Alter {
    /// The number of the job
    #[arg(value_parser = job_id)]
    job: JobId,
    /// How urgent it is: 0 is ordinary, 9 most urgent, -9 least
    #[arg(long, allow_hyphen_values = true, value_parser = clap::value_parser!(i8).range(-9..=9))]
    priority: Option<i8>,
    /// Give it up after so many more attempts
    #[arg(long, value_name = "COUNT")]
    tries: Option<u32>,
    /// Give it up at this time: '2026-11-24 08:00' or +2h
    #[arg(long, value_name = "TIME", value_parser = when)]
    until: Option<Timestamp>,
    /// Do not call before this time: '2026-11-24 08:00' or +2h
    #[arg(long, value_name = "TIME", value_parser = when)]
    not_before: Option<Timestamp>,
    /// Call this number instead
    #[arg(long, short, value_name = "NUMBER")]
    number: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl From<Alter> for Ask {
    fn from(alter: Alter) -> Self {
        let Alter { job, priority, tries, until, not_before, number, output: _ } = alter;
        Self::Alter(AskAlter { job, priority, tries, expires: until, due: not_before, number })
    }
}

/// Received faxes that nobody has got.
#[derive(Debug, Group)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Inbound {
    #[command(subcommand)]
    command: Option<InboundOrder>,
    #[command(flatten)]
    list: InboundList,
}

#[derive(Debug, Subcommand)]
enum InboundOrder {
    /// List them, newest first
    List(InboundList),
    /// Give one to a client
    Assign {
        /// The number of the job
        #[arg(value_parser = job_id)]
        job: JobId,
        /// Who is to get it; must share a group with the server where it arrived
        #[arg(value_parser = client)]
        client: ClientName,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Group)]
struct InboundList {
    /// At most so many
    #[arg(long, short, value_name = "COUNT")]
    limit: Option<u32>,
    /// Only those older than this job
    #[arg(long, value_name = "JOB", value_parser = job_id)]
    before: Option<JobId>,
    #[command(flatten)]
    output: Output,
}

impl From<Inbound> for (Ask, bool) {
    fn from(inbound: Inbound) -> Self {
        match inbound.command.unwrap_or(InboundOrder::List(inbound.list)) {
            InboundOrder::List(InboundList { limit, before, output }) => {
                (Ask::Inbound(AskInbound { limit, before }), output.json)
            }
            InboundOrder::Assign { job, client, output } => {
                (Ask::Assign { job, client }, output.json)
            }
        }
    }
}

/// The fax servers.
#[derive(Debug, Group)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Servers {
    #[command(subcommand)]
    command: Option<ServersOrder>,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum ServersOrder {
    /// List them
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Give a server no new calls, also after a restart, until it is resumed
    Drain(OneServer),
    /// Give a server new calls again
    Resume(OneServer),
    /// End the calls of a server that is gone for good: their faxes may have been sent
    GiveUp(OneServer),
}

#[derive(Debug, Group)]
struct OneServer {
    /// The name of the server
    #[arg(value_parser = server)]
    server: ServerName,
    #[command(flatten)]
    output: Output,
}

impl From<Servers> for (Ask, bool) {
    fn from(servers: Servers) -> Self {
        match servers.command {
            None => (Ask::Servers, servers.output.json),
            Some(ServersOrder::List { output }) => (Ask::Servers, output.json),
            Some(ServersOrder::Drain(one)) => (Ask::Drain { server: one.server }, one.output.json),
            Some(ServersOrder::Resume(one)) => {
                (Ask::Resume { server: one.server }, one.output.json)
            }
            Some(ServersOrder::GiveUp(one)) => {
                (Ask::GiveUp { server: one.server }, one.output.json)
            }
        }
    }
}

/// The webhooks.
#[derive(Debug, Group)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Webhooks {
    #[command(subcommand)]
    command: Option<WebhooksOrder>,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum WebhooksOrder {
    /// List them
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Try at once what waits for a webhook, also for one that has answered that it is gone
    Retry {
        /// The name of the webhook
        #[arg(value_parser = hook)]
        webhook: HookName,
        #[command(flatten)]
        output: Output,
    },
}

impl From<Webhooks> for (Ask, bool) {
    fn from(webhooks: Webhooks) -> Self {
        match webhooks.command {
            None => (Ask::Webhooks, webhooks.output.json),
            Some(WebhooksOrder::List { output }) => (Ask::Webhooks, output.json),
            Some(WebhooksOrder::Retry { webhook, output }) => {
                (Ask::RetryWebhook { webhook }, output.json)
            }
        }
    }
}

/// The audit log.
#[derive(Debug, Group)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Audit {
    #[command(subcommand)]
    command: Option<AuditOrder>,
    #[command(flatten)]
    list: AuditList,
}

#[derive(Debug, Subcommand)]
enum AuditOrder {
    /// Read all of it and say whether it is whole; exits with 1 when it is not
    Verify(Verify),
}

/// How the audit log is checked.
#[derive(Debug, Clone, Group)]
pub(crate) struct Verify {
    /// The last line that you have noted, as this command prints it
    #[arg(long, value_name = "SEQ:HASH")]
    pub(crate) head: Option<Head>,
    /// Read this database instead of asking the running Postfax
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Group)]
struct AuditList {
    /// Only what this client has asked; 'administrator' for those who hold everything,
    /// 'stranger' for those who are no clients
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Only this request, or requests like this: 'jobs.*'
    #[arg(long, value_name = "REQUEST")]
    request: Option<String>,
    /// Only since this time: '2026-11-24 08:00' or -2h
    #[arg(long, value_name = "TIME", value_parser = when, allow_hyphen_values = true)]
    since: Option<Timestamp>,
    /// At most so many
    #[arg(long, short, value_name = "COUNT")]
    limit: Option<u32>,
    /// Only lines before this one
    #[arg(long, value_name = "SEQ")]
    before: Option<u64>,
    #[command(flatten)]
    output: Output,
}

impl Audit {
    /// How the log is to be checked, if that is what is asked for.
    pub(crate) fn verify(&self) -> Option<&Verify> {
        match &self.command {
            Some(AuditOrder::Verify(verify)) => Some(verify),
            None => None,
        }
    }
}

impl From<Audit> for (Ask, bool) {
    fn from(audit: Audit) -> Self {
        match audit.command {
            Some(AuditOrder::Verify(verify)) => {
                (Ask::VerifyAudit { head: verify.head }, verify.output.json)
            }
            None => {
                let AuditList { who, request, since, limit, before, output } = audit.list;
                (Ask::Audit(AskAudit { who, request, since, limit, before }), output.json)
            }
        }
    }
}

fn server(text: &str) -> Result<ServerName, String> {
    ServerName::new(text).map_err(|bad| bad.to_string())
}

fn hook(text: &str) -> Result<HookName, String> {
    HookName::new(text).map_err(|bad| bad.to_string())
}

/// A moment on the clock of the one who asks, or so long from now.
fn when(text: &str) -> Result<Timestamp, String> {
    time(text, &TimeZone::system())
}

/// A moment on the clock of this zone, or so long from now.
///
/// # Errors
/// Says what would be a time.
pub(crate) fn time(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    let wrong = "write a time such as '2026-11-24 08:00', +2h or -30m";
    let now = jiff::Timestamp::now();
    let at = match text.strip_prefix('+') {
        Some(later) => now.checked_add(later.parse::<SignedDuration>().map_err(|_| wrong)?),
        None => match text.strip_prefix('-') {
            Some(ago) => now.checked_sub(ago.parse::<SignedDuration>().map_err(|_| wrong)?),
            None => {
                let written = text.parse::<DateTime>().map_err(|_| wrong)?;
                written.to_zoned(zone.clone()).map(|zoned| zoned.timestamp())
            }
        },
    };
    at.map(|at| Timestamp(at.as_millisecond())).map_err(|_| wrong.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_the_clock_or_from_now() {
        let now = jiff::Timestamp::now().as_millisecond();
        let minutes = |text| (when(text).unwrap().0 - now + 30_000).div_euclid(60_000);
        assert_eq!((minutes("+2h"), minutes("-3h"), minutes("+1h30m")), (120, -180, 90));
        let day = when("2026-11-24 08:00").unwrap().0 - when("2026-11-23 08:00").unwrap().0;
        assert_eq!(day, 86_400_000);
        for wrong in ["", "+", "tomorrow", "2026-13-01 08:00", "8"] {
            assert!(when(wrong).is_err(), "{wrong}");
        }
    }
}
