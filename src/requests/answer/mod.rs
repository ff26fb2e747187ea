//! What is answered to each question: whether the asker may, what is done, and the line
//! of the audit log that tells of it. Each kind of object has a file of its own.

mod audit;
mod book;
mod inbound;
mod jobs;
mod servers;
mod webhooks;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use postfax_domain::{
    audit::{Asker, Chain, Entry, Head, Line},
    authority::Sight,
    book::{Book, EntryId, Noted},
    job::Job,
    names::{ClientName, HookName, JobId},
    setup::Setup,
    supervisor::{Answer, Request, Status, Unable},
};
use tokio::sync::watch;

use super::{
    Ask, AskConfig, AskJobs, AuditFilter, Code, Condition, ConfigReply, HookTrouble, JobFilter,
    MAX_JOBS, Problem, Reply, Summary, permit, record,
};

/// Whether somebody may see a job.
pub(crate) type Sees<'a> = dyn Fn(&Job) -> bool + Send + Sync + 'a;

/// What the running Postfax offers to those who ask.
#[async_trait]
pub(crate) trait Daemon: Send + Sync + 'static {
    /// Asks the supervisor. The error says in words why it does not answer: it stops, or
    /// has waited too long for the disk.
    async fn ask(&self, request: Request) -> Result<Answer, String>;

    /// Asks the supervisor for a change, and has it complete the line of the audit log and
    /// save it together with the change.
    async fn order(&self, request: Request, line: Line) -> Result<Answer, String>;

    /// Saves a line of the audit log; it is durable when this returns. Where it is not in
    /// time, it may be saved later.
    async fn note(&self, line: Line) -> Result<(), String>;

    /// The jobs that are meant and that the asker sees, newest first, at most as many as
    /// the filter says; from the store, so that those that are over are among them. When
    /// `only` is given, `sees` includes no jobs but those of this client.
    async fn jobs(
        &self,
        filter: &JobFilter,
        only: Option<&ClientName>,
        sees: &Sees<'_>,
    ) -> Result<Vec<Job>, String>;

    /// One job, over or not.
    async fn job(&self, id: JobId) -> Result<Option<Job>, String>;

    /// The receipts that are about this job, oldest first.
    async fn receipts(&self, of: JobId) -> Result<Vec<Job>, String>;

    /// What is wrong with each webhook at this moment.
    fn hook_troubles(&self) -> BTreeMap<HookName, HookTrouble>;

    /// Lines of the audit log, newest first.
    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<Entry>, String>;

    /// Reads the whole audit log.
    async fn verify_audit(&self, known: Option<&Head>) -> Result<Chain, String>;

    /// Sees or changes the configuration. That the asker may was decided under `setup`,
    /// and a client's change is only made while that is in force; what its change may
    /// say is decided here.
    async fn config(
        &self,
        asker: &Asker,
        setup: &Arc<Setup>,
        ask: AskConfig,
    ) -> Result<ConfigReply, Problem>;

    /// Reads the configuration again. Returns what is to be said of the new one; the
    /// error says, with file and line, why the old one stays in force.
    async fn reload(&self) -> Result<String, String>;

    /// The phone book, as far as it is durable.
    fn book(&self) -> Arc<Book>;

    /// What was done to an entry of the phone book, the newest first.
    async fn book_history(&self, id: EntryId) -> Result<Vec<Noted>, String>;

    /// What is configured.
    fn setup(&self) -> Arc<Setup>;

    /// The client that a user of this host is.
    fn client_of(&self, uid: u32) -> Option<ClientName>;

    /// The most urgent priority that a client gets.
    fn max_priority(&self, client: &ClientName) -> i8;

    /// Changes whenever a job or a server has changed.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// Answers one question, when its line of the audit log is durable. [`Ask::Watch`] is
/// answered once, as [`Ask::Status`] is: to ask again after a change is the door's part.
pub(crate) async fn answer(daemon: &dyn Daemon, asker: &Asker, ask: Ask) -> Reply {
    let line = record::line(asker, &ask);
    let mut desk = Desk { daemon, asker, setup: daemon.setup(), line: Some(line) };
    let reply = desk.answer(ask).await.unwrap_or_else(Reply::Problem);
    // Where the line has gone with a change, the supervisor has saved it.
    let Some(line) = desk.line.take() else { return reply };
    let line = Line { verdict: record::verdict(&reply), ..line };
    match daemon.note(line).await {
        Ok(()) => reply,
        // It may have been done.
        Err(why) if matches!(reply, Reply::Config(_) | Reply::Reloaded(_)) => failed(why).into(),
        Err(why) => Problem::new(Code::Busy, why).into(),
    }
}

/// How everything is for one who watches and was answered before: a watch is one request,
/// however much there is to be seen.
pub(crate) async fn once_more(daemon: &dyn Daemon, asker: &Asker) -> Reply {
    let desk = Desk { daemon, asker, setup: daemon.setup(), line: None };
    let status = desk.status().await.map(|status| Reply::Status(Box::new(status)));
    status.unwrap_or_else(Reply::Problem)
}

/// The jobs that are meant, for one who follows them and was answered before: to follow is
/// one request.
pub(crate) async fn jobs_once_more(
    daemon: &dyn Daemon,
    asker: &Asker,
    ask: &AskJobs,
) -> Result<Vec<Summary>, Problem> {
    Desk { daemon, asker, setup: daemon.setup(), line: None }.listed(ask).await
}

/// Where one question is answered.
pub(super) struct Desk<'a> {
    pub(super) daemon: &'a dyn Daemon,
    pub(super) asker: &'a Asker,
    setup: Arc<Setup>,
    /// What the audit log is to say; gone when the supervisor has it.
    line: Option<Line>,
}

impl Desk<'_> {
    async fn answer(&mut self, ask: Ask) -> Result<Reply, Problem> {
        let need = permit::need(&ask);
        let job = match need.job() {
            Some(id) => self.daemon.job(id).await.map_err(failed)?,
            None => None,
        };
        need.met(&self.setup, &self.asker.who, job.as_ref())?;
        match ask {
            Ask::Status | Ask::Watch => Ok(Reply::Status(Box::new(self.status().await?))),
            Ask::Jobs(ask) => self.listed(&ask).await.map(Reply::Jobs),
            Ask::Follow => {
                let (state, limit) = (Some(Condition::Open), Some(MAX_JOBS));
                let open = AskJobs { state, limit, ..AskJobs::default() };
                self.listed(&open).await.map(Reply::Jobs)
            }
            Ask::Show { job } | Ask::Pages { job } => self.show(job).await,
            Ask::Cancel { job } => self.cancel(job).await,
            Ask::Retry { job } => self.retry(job).await,
            Ask::Hold { job } => self.hold(job).await,
            Ask::Release { job } => self.release(job).await,
            Ask::Alter(ask) => self.alter(&ask).await,
            Ask::Explain { from, to, pages } => self.explain(&from, &to, pages).await,
            Ask::ExplainJob { job } => self.explain_job(job).await,
            Ask::Settings(ask) => super::settings::answer(self, ask).await,
            Ask::Inbound(ask) => self.inbound(&ask).await,
            Ask::Assign { job, client } => self.assign(job, client).await,
            Ask::Servers => self.servers().await,
            Ask::Drain { server } => self.drain(server, true).await,
            Ask::Resume { server } => self.drain(server, false).await,
            Ask::GiveUp { server } => self.give_up(server).await,
            Ask::Book(ask) => self.book(ask).await,
            Ask::Webhooks => self.webhooks().await,
            Ask::RetryWebhook { webhook } => self.retry_webhook(webhook).await,
            Ask::Audit(ask) => self.audit(&ask).await,
            Ask::VerifyAudit { head } => self.verify_audit(head.as_ref()).await,
            Ask::Config(ask) => self.configure(ask).await,
            Ask::Reload => {
                let reloaded = self.daemon.reload().await.map(Reply::Reloaded);
                let bad = |why| Problem::new(Code::BadConfiguration, why);
                reloaded.map_err(|why| bad(why).noted("the files hold a bad configuration"))
            }
        }
    }

    async fn configure(&mut self, ask: AskConfig) -> Result<Reply, Problem> {
        let reply = self.daemon.config(self.asker, &self.setup, ask).await?;
        if let (ConfigReply::Changed { version: Some(version), diff, .. }, Some(line)) =
            (&reply, &mut self.line)
        {
            line.after = Some(record::changed_to(*version, diff));
        }
        Ok(Reply::Config(Box::new(reply)))
    }

    /// What the asker gets to see.
    fn sight(&self) -> Sight<'_> {
        Sight::new(&self.setup, &self.asker.who)
    }

    async fn status(&self) -> Result<Status, Problem> {
        match self.ask(Request::Status(self.asker.who.clone())).await? {
            Answer::Status(mut status) => {
                permit::conceal_status(&self.sight(), &mut status);
                Ok(*status)
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn find(&self, id: JobId) -> Result<Job, Problem> {
        self.daemon.job(id).await.map_err(failed)?.ok_or_else(|| Problem::no_such_job(id))
    }

    /// Asks for something that changes nothing.
    pub(super) async fn ask(&self, request: Request) -> Result<Answer, Problem> {
        self.daemon.ask(request).await.map_err(|why| Problem::new(Code::Busy, why))
    }

    /// Asks for a change; with it goes the line of the audit log.
    pub(super) async fn order(&mut self, request: Request) -> Result<Answer, Problem> {
        let line = self.line.take().expect("a question asks for one change");
        self.daemon.order(request, line).await.map_err(failed)
    }
}

fn failed(why: String) -> Problem {
    Problem::new(Code::Failed, why)
}

/// What an answer that was not hoped for means to people.
fn unable(answer: &Answer) -> Problem {
    let wrong = |message: String| Problem::new(Code::WrongState, message);
    match answer {
        Answer::NoSuchJob(job) => wrong(format!("job {job} is over already")),
        Answer::UnderWay(job) => wrong(format!("job {job} is being carried now")),
        Answer::NobodyMayHave(job) => wrong(format!(
            "job {job} has nobody to go to yet; add a route or an operator, or assign it"
        )),
        Answer::Unable(why @ Unable::NoSuchHook(_)) => {
            Problem::new(Code::NoSuchWebhook, why.to_string())
        }
        Answer::Unable(why) => wrong(why.to_string()),
        Answer::Refused(why) => wrong(why.to_string()),
        Answer::Accepted(_)
        | Answer::Done(_)
        | Answer::Draining { .. }
        | Answer::GaveUp { .. }
        | Answer::Noted
        | Answer::Status(_)
        | Answer::Explained(_)
        | Answer::Afforded(_)
        | Answer::Settings(_)
        | Answer::Hooks(_)
        | Answer::ToldAgain(_)
        | Answer::Written(_)
        | Answer::NotWritten(..)
        | Answer::NotSet(_) => unexpected(answer),
    }
}

/// The supervisor has answered something else than was asked: a bug, which is
/// told to the asker rather than taking the daemon down.
pub(super) fn unexpected(answer: &Answer) -> Problem {
    tracing::error!(?answer, "the supervisor gave an answer to another question");
    Problem::new(Code::Failed, "the supervisor answered another question, which is a bug")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::{Deed, Done, Explanation, Verdict, fake::Fake, samples};
    use postfax_domain::audit;

    async fn told(ask: Ask) -> Reply {
        answer(&Fake::default(), &crate::requests::samples::administrator(), ask).await
    }

    async fn refused(ask: Ask) -> (Code, String) {
        match told(ask).await {
            Reply::Problem(problem) => (problem.code, problem.message),
            other => panic!("{other:?}"),
        }
    }

    fn done(job: u64, what: Deed, new: Option<u64>) -> Reply {
        Reply::Done(Done { job: JobId(job), what, new: new.map(JobId) })
    }

    #[tokio::test]
    async fn what_can_be_done_is_done() {
        let cancel = |job| Ask::Cancel { job: JobId(job) };
        let retry = |job| Ask::Retry { job: JobId(job) };
        assert_eq!(told(cancel(15)).await, done(15, Deed::Cancelling, None));
        assert_eq!(told(retry(14)).await, done(14, Deed::Hurried, None));
        assert_eq!(told(retry(12)).await, done(12, Deed::SentAgain, Some(16)));
    }

    #[tokio::test]
    async fn what_cannot_be_done_is_refused_in_words() {
        let table = [
            (Ask::Cancel { job: JobId(99) }, Code::NoSuchJob, "no job 99"),
            (Ask::Cancel { job: JobId(12) }, Code::WrongState, "over already"),
            (Ask::Retry { job: JobId(99) }, Code::NoSuchJob, "no job 99"),
            (Ask::Retry { job: JobId(15) }, Code::WrongState, "being carried"),
            (Ask::Retry { job: JobId(11) }, Code::WrongState, "nobody to go to"),
            (Ask::Show { job: JobId(99) }, Code::NoSuchJob, "no job 99"),
            (Ask::ExplainJob { job: JobId(13) }, Code::WrongState, "no server to choose"),
            (Ask::Reload, Code::BadConfiguration, "postfax.toml:3"),
            (explain("anna", "12", 1), Code::BadRequest, "\"12\""),
            (explain("a b", "+33140000000", 1), Code::BadRequest, "usable name"),
            (explain("anna", "+33140000000", 0), Code::BadRequest, "1 to"),
        ];
        for (ask, code, words) in table {
            let (found, message) = refused(ask.clone()).await;
            assert_eq!(found, code, "{ask:?}");
            assert!(message.contains(words), "{ask:?}: {message}");
        }
    }

    fn explain(from: &str, to: &str, pages: u32) -> Ask {
        Ask::Explain { from: from.into(), to: to.into(), pages }
    }

    async fn explained(ask: Ask) -> Explanation {
        match told(ask).await {
            Reply::Explained(explanation) => *explanation,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn choices_are_explained_before_and_after() {
        let before = explained(explain("anna", "01 40 00 00 00", 2)).await;
        assert_eq!(before.to.as_str(), "+33140000000");
        assert!(matches!(before.now, Some(Verdict::Permitted(_))));
        let denied = explained(explain("bert", "+33140000000", 2)).await;
        let why = "sender not authorised".to_owned();
        assert_eq!(denied.now, Some(Verdict::Denied { why, rule: None }));
        let after = explained(Ask::ExplainJob { job: JobId(12) }).await;
        assert_eq!(after.past.len(), 2);
        assert_eq!((after.pages, after.now), (4, None));
    }

    #[tokio::test]
    async fn a_story_names_its_receipts() {
        let Reply::Job(story) = told(Ask::Show { job: JobId(12) }).await else { panic!() };
        assert_eq!(story.receipts.len(), 1);
        assert_eq!(story.receipts[0].job, JobId(13));
    }

    #[tokio::test]
    async fn every_request_leaves_one_line() {
        let bert = Asker {
            who: postfax_domain::authority::Who::Client(ClientName::new("bert").unwrap()),
            ..samples::administrator()
        };
        let head = |name: &str| postfax_domain::names::ServerName::new(name).unwrap();
        for (ask, request, object, allowed, refused) in [
            (Ask::Status, "status", "", true, false),
            (Ask::Show { job: JobId(12) }, "jobs.show", "job:12", true, false),
            (Ask::Pages { job: JobId(12) }, "jobs.pages", "job:12", true, false),
            (Ask::Follow, "jobs.follow", "", true, false),
            (Ask::Cancel { job: JobId(15) }, "jobs.cancel", "job:15", true, false),
            (Ask::Cancel { job: JobId(12) }, "jobs.cancel", "job:12", false, false),
            (Ask::Retry { job: JobId(12) }, "jobs.retry", "job:12", true, false),
            (Ask::Reload, "config.reload", "", false, true),
            (Ask::Drain { server: head("paris-1") }, "servers.drain", "server:paris-1", true, true),
            (
                explain("anna", "0140000000", 1),
                "call.explain",
                "client:anna number:0140000000",
                true,
                true,
            ),
        ] {
            let fake = Fake::default();
            answer(&fake, &samples::administrator(), ask.clone()).await;
            let lines = fake.lines();
            assert_eq!(lines.len(), 1, "{ask:?}");
            assert_eq!((lines[0].request.as_str(), lines[0].object.as_str()), (request, object));
            assert_eq!(lines[0].verdict == audit::Verdict::Allowed, allowed, "{ask:?}");
            answer(&fake, &bert, ask.clone()).await;
            let lines = fake.lines();
            assert_eq!(lines.len(), 2, "{ask:?}");
            assert_eq!(lines[1].asker, bert);
            let verdict = &lines[1].verdict;
            assert_eq!(
                matches!(verdict, audit::Verdict::Refused(_)),
                refused,
                "{ask:?}: {verdict:?}"
            );
        }
    }
}
