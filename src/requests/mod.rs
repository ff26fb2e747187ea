//! The one set of requests that can be asked of a running Postfax, whatever the
//! door: the words of the question, the words of the answer, and [`answer`],
//! which turns the one into the other by asking the [`Daemon`].
//!
//! A door (the local socket in [`socket`]) carries these values as lines of JSON
//! and says who asks; it decides nothing else. Nothing in here knows a terminal,
//! a mail or a database.
//!
//! ```text
//!   door ── Ask ──▶ answer ── Request, JobFilter ──▶ Daemon
//!   door ◀─ Reply ─ answer ◀─ Answer, jobs ───────── Daemon
//! ```
//!
//! A question has its place in five tables: the variant of [`Ask`], what it needs
//! ([`permit::need`]), what the audit log calls it ([`record`]), who answers it
//! ([`answer`]) and, where nothing here fits, a variant of [`Reply`].

mod answer;
pub(crate) mod book;
mod cards;
mod config;
#[cfg(test)]
pub(crate) mod fake;
mod filter;
mod permit;
mod problem;
#[cfg(test)]
mod random;
mod record;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod settings;
pub(crate) mod socket;
mod summary;

use answer::unexpected;
pub(crate) use answer::{Daemon, Sees, answer, jobs_once_more, once_more};
pub(crate) use book::{AskBook, BookReply};
pub(crate) use cards::{NotWritten, note_card_refused, note_cards_read, write_card};
pub(crate) use config::{AskConfig, ConfigReply, Line, Terms};
pub(crate) use filter::{AuditFilter, Condition, JobFilter, MAX_JOBS};
use postfax_domain::{
    audit::{Chain, Entry, Head},
    fleet::Decision,
    job::Job,
    names::{ClientName, GroupName, HookName, JobId, ServerName},
    number::Number,
    supervisor::{ServerStatus, Status},
    time::Timestamp,
};
pub(crate) use problem::{Code, Problem};
pub(crate) use record::changed_to;
use serde::{Deserialize, Serialize};
pub(crate) use summary::{Kind, Summary, confirmed};

/// Where a running Postfax listens, unless it was told otherwise.
pub(crate) const DEFAULT_SOCKET: &str = "/var/lib/postfax/control.sock";

/// Where systemd has it when other users are to reach it.
pub(crate) const SHARED_SOCKET: &str = "/run/postfax/control.sock";

/// A question. On the wire it is one line of JSON, such as `{"ask":"show","job":12}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub(crate) enum Ask {
    /// How is everything? Answered by [`Reply::Status`].
    Status,
    /// The same, again whenever something has changed, until the connection ends.
    Watch,
    /// Which jobs are there? Answered by [`Reply::Jobs`].
    Jobs(AskJobs),
    /// What is the story of a job? Answered by [`Reply::Job`].
    Show {
        /// The job.
        job: JobId,
    },
    /// What are the pages of a job? Answered by [`Reply::Job`]: it names the document.
    Pages {
        /// The job.
        job: JobId,
    },
    /// Which jobs are not over? Answered by [`Reply::Jobs`], as many as an answer holds,
    /// and by [`jobs_once_more`] whenever something has changed.
    Follow,
    /// Stop a job. Answered by [`Reply::Done`].
    Cancel {
        /// The job.
        job: JobId,
    },
    /// Try a waiting job now, or send one that is over again. Answered by [`Reply::Done`].
    Retry {
        /// The job.
        job: JobId,
    },
    /// Call a fax that waits only when it is released. Answered by [`Reply::Done`].
    Hold {
        /// The job.
        job: JobId,
    },
    /// Let a fax go that is on hold. Answered by [`Reply::Done`].
    Release {
        /// The job.
        job: JobId,
    },
    /// Change a fax that waits. Answered by [`Reply::Done`].
    Alter(AskAlter),
    /// Which server would carry this? Answered by [`Reply::Explained`].
    Explain {
        /// The client who would send.
        from: String,
        /// The number, as a person writes it.
        to: String,
        /// How many pages.
        pages: u32,
    },
    /// Which servers were chosen for a job, and why? Answered by [`Reply::Explained`].
    ExplainJob {
        /// The job.
        job: JobId,
    },
    /// What is, was or is to be set at a fax server? Answered by [`Reply::Settings`].
    Settings(settings::AskSettings),
    /// Read the configuration again. Answered by [`Reply::Reloaded`].
    Reload,
    /// See or change the configuration. Answered by [`Reply::Config`].
    Config(AskConfig),
    /// Which received faxes has nobody got? Answered by [`Reply::Jobs`].
    Inbound(AskInbound),
    /// Give a received fax that nobody has got to a client. Answered by [`Reply::Done`].
    Assign {
        /// The job.
        job: JobId,
        /// Who is to get it.
        client: ClientName,
    },
    /// Which fax servers are there? Answered by [`Reply::Servers`].
    Servers,
    /// Give a fax server no new work. Answered by [`Reply::Draining`].
    Drain {
        /// The server.
        server: ServerName,
    },
    /// Give a fax server new work again. Answered by [`Reply::Draining`].
    Resume {
        /// The server.
        server: ServerName,
    },
    /// End the calls of a fax server that was lost for good. Answered by [`Reply::GaveUp`].
    GiveUp {
        /// The server.
        server: ServerName,
    },
    /// See or change the phone book. Answered by [`Reply::Book`].
    Book(AskBook),
    /// Which webhooks are there? Answered by [`Reply::Webhooks`].
    Webhooks,
    /// Try at once what waits for a webhook. Answered by [`Reply::ToldAgain`].
    RetryWebhook {
        /// The webhook.
        webhook: HookName,
    },
    /// Who has asked for what? Answered by [`Reply::Audit`].
    Audit(AskAudit),
    /// Is the audit log whole? Answered by [`Reply::Chain`].
    VerifyAudit {
        /// The last line that the asker knows of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        head: Option<Head>,
    },
}

/// What is to be different about a fax that waits. Absent means as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskAlter {
    /// The job.
    pub(crate) job: JobId,
    /// 0 is ordinary, 9 most urgent, -9 least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) priority: Option<i8>,
    /// After so many more attempts it is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tries: Option<u32>,
    /// When it is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Timestamp>,
    /// Not before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) due: Option<Timestamp>,
    /// Whom it calls, as a person writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<String>,
}

/// Which received faxes that nobody has got.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AskInbound {
    /// At most so many, newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<u32>,
    /// Only those that are older than this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<JobId>,
}

/// Which lines of the audit log. Absent means any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AskAudit {
    /// Who has asked: a client, `administrator` or `stranger`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) who: Option<String>,
    /// What was asked, or a pattern (`jobs.*`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<String>,
    /// Not before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Timestamp>,
    /// At most so many, newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<u32>,
    /// Only those before this line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<u64>,
}

/// Which jobs are asked for, in the words of the asker. Absent means any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AskJobs {
    /// Where they stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<Condition>,
    /// What they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<Kind>,
    /// The client who sends or receives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<String>,
    /// The number called or calling, as a person writes it, or a pattern (`+33*`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<String>,
    /// At most so many, newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<u32>,
    /// Only those that are older than this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<JobId>,
}

/// An answer. On the wire it is one line of JSON, such as
/// `{"done":{"job":12,"what":"cancelled"}}`; `--json` prints just that line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// How everything is.
    Status(Box<Status>),
    /// Jobs, newest first.
    Jobs(Vec<Summary>),
    /// One job and all that is known of it.
    Job(Box<Story>),
    /// It was done.
    Done(Done),
    /// Which servers, and why.
    Explained(Box<Explanation>),
    /// The settings of a fax server.
    Settings(Box<settings::Told>),
    /// The new configuration is in force; what is to be said of it.
    Reloaded(String),
    /// The fax servers.
    Servers(Vec<Server>),
    /// How it is with the work of a fax server now.
    Draining {
        /// The server.
        server: ServerName,
        /// Whether it gets no new work.
        draining: bool,
    },
    /// These jobs were at the server, and have ended.
    GaveUp {
        /// The server.
        server: ServerName,
        /// The jobs.
        jobs: Vec<JobId>,
    },
    /// The webhooks.
    Webhooks(Vec<Webhook>),
    /// What waits for this webhook is tried at once.
    ToldAgain {
        /// The webhook.
        webhook: HookName,
    },
    /// Lines of the audit log, newest first.
    Audit(Vec<Entry>),
    /// What was found when the audit log was read.
    Chain(Chain),
    /// The configuration, or what became of a change of it.
    Config(Box<ConfigReply>),
    /// The phone book.
    Book(Box<BookReply>),
    /// It was not done.
    Problem(Problem),
}

/// A fax server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Server {
    /// How it is.
    pub(crate) status: ServerStatus,
    /// The groups that it serves.
    pub(crate) groups: Vec<GroupName>,
    /// The numbers that it answers on.
    pub(crate) numbers: Vec<Number>,
}

/// Somebody who is told by HTTP of what has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Webhook {
    /// Its name.
    pub(crate) name: HookName,
    /// It is told what this client may see.
    pub(crate) client: String,
    /// The number of the last event there was; 0 when there was none.
    pub(crate) last: u64,
    /// Up to this one they were taken, or given up.
    pub(crate) settled: u64,
    /// How many wait.
    pub(crate) waiting: u64,
    /// Whether it has answered that nothing is wanted there any more.
    pub(crate) gone: bool,
    /// What is wrong at this moment, if something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<HookTrouble>,
}

/// Why a webhook does not get its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HookTrouble {
    /// How often it has failed in a row.
    pub(crate) failures: u32,
    /// What came of the last attempt.
    pub(crate) why: String,
    /// When that was.
    pub(crate) at: Timestamp,
    /// When it is tried again.
    pub(crate) next: Timestamp,
}

/// What became of a job that something was asked of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done {
    /// The job that was meant.
    pub(crate) job: JobId,
    /// What was done to it.
    pub(crate) what: Deed,
    /// The new job, where one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) new: Option<JobId>,
}

/// What was done to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Deed {
    /// It is stopped.
    Cancelled,
    /// A call is under way: its server was told to stop it.
    Cancelling,
    /// It is tried now.
    Hurried,
    /// It is sent again, as a new job.
    SentAgain,
    /// It is not called before it is released.
    OnHold,
    /// It may be called again.
    Released,
    /// It is as it was asked to be.
    Altered,
    /// It goes to the client.
    Assigned,
}

/// One job and all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Story {
    /// The job.
    pub(crate) job: Job,
    /// The receipts that tell its sender of it, oldest first.
    pub(crate) receipts: Vec<Summary>,
}

/// Which servers could, would or did carry a fax, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Explanation {
    /// The job that it is about; absent when nothing was sent yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<JobId>,
    /// Who sends.
    pub(crate) from: ClientName,
    /// Whom they call.
    pub(crate) to: Number,
    /// How many pages are to be sent.
    pub(crate) pages: u32,
    /// What was decided for each attempt so far.
    pub(crate) past: Vec<PastChoice>,
    /// What would be decided at this moment; absent when nothing is to be decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) now: Option<Verdict>,
}

/// What was decided for one attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PastChoice {
    /// The attempt's number.
    pub(crate) attempt: u32,
    /// When it began.
    pub(crate) at: Timestamp,
    /// The choice.
    pub(crate) decision: Decision,
}

/// What the rules say of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// It may be made, by the server that is chosen, or later when none is.
    Permitted(Decision),
    /// Nobody may make it, for this reason.
    Denied {
        /// The words that a sender reads.
        why: String,
        /// The dial rule that says so, counted from 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        rule: Option<usize>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_on_the_wire_are_these() {
        for (ask, line) in [
            (Ask::Status, r#"{"ask":"status"}"#),
            (Ask::Show { job: JobId(12) }, r#"{"ask":"show","job":12}"#),
            (Ask::ExplainJob { job: JobId(12) }, r#"{"ask":"explain-job","job":12}"#),
            (Ask::Jobs(AskJobs::default()), r#"{"ask":"jobs"}"#),
            (
                Ask::Jobs(AskJobs { state: Some(Condition::Open), ..Default::default() }),
                r#"{"ask":"jobs","state":"open"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&ask).unwrap(), line);
            assert_eq!(serde_json::from_str::<Ask>(line).unwrap(), ask);
        }
        let problem = Reply::from(Problem::no_such_job(JobId(9)));
        let line = r#"{"problem":{"code":"no-such-job","message":"there is no job 9"}}"#;
        assert_eq!(serde_json::to_string(&problem).unwrap(), line);
    }

    #[test]
    fn answers_survive_the_wire() {
        let mut avoiding = samples::delivered();
        avoiding.avoid.insert(samples::server("paris-1"), samples::at(9));
        avoiding.tries.count(postfax_domain::outcome::Outcome::NoAnswer);
        let story =
            Box::new(Story { job: avoiding, receipts: vec![Summary::of(&samples::receipt())] });
        let jobs = [samples::received(), samples::carrying()];
        for reply in [
            Reply::Status(Box::new(samples::status())),
            Reply::Job(story),
            Reply::Jobs(jobs.iter().map(Summary::of).collect()),
            Reply::Reloaded("two servers".into()),
        ] {
            let line = serde_json::to_string(&reply).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Reply>(&line).unwrap(), reply);
        }
    }
}
