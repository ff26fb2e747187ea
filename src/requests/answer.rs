//! What is answered to each question. Whoever asks has been let in already; the
//! one who asks here is an administrator, who may see and stop everything.

use async_trait::async_trait;
use postfax_domain::{
    audit::Asker,
    destination::Destination,
    fleet::Denial,
    job::{Attempt, Carrier, Job, State},
    names::{ClientName, JobId},
    number::{Country, Number},
    quota::UsedUp,
    supervisor::{Answer, Request, Status},
    time::Timestamp,
};
use tokio::sync::watch;

use super::{
    Ask, AskConfig, AskJobs, Code, ConfigReply, Deed, Done, Explanation, JobFilter, PastChoice,
    Problem, Reply, Story, Summary, Verdict,
};

/// Most pages that can be asked about.
const MAX_PAGES: u32 = 10_000;

/// What the running Postfax offers to those who ask.
#[async_trait]
pub(crate) trait Daemon: Send + Sync + 'static {
    /// Asks the supervisor. The error says in words why it does not answer: it stops.
    async fn ask(&self, request: Request) -> Result<Answer, String>;

    /// The jobs that are meant, newest first, at most as many as the filter says;
    /// from the store, so that those that are over are among them.
    async fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>, String>;

    /// One job, over or not.
    async fn job(&self, id: JobId) -> Result<Option<Job>, String>;

    /// The receipts that are about this job, oldest first.
    async fn receipts(&self, of: JobId) -> Result<Vec<Job>, String>;

    /// Reads the configuration again. Returns what is to be said of the new one; the
    /// error says, with file and line, why the old one stays in force.
    async fn reload(&self) -> Result<String, String>;

    /// Sees or changes the configuration, as far as the asker may.
    async fn config(&self, asker: &Asker, ask: AskConfig) -> Result<ConfigReply, Problem>;

    /// How national numbers are read.
    fn country(&self) -> Country;

    /// Changes whenever a job or a server has changed.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// Answers one question. [`Ask::Watch`] is answered once, as [`Ask::Status`] is:
/// to ask again after a change is the door's part.
pub(crate) async fn answer(daemon: &dyn Daemon, asker: &Asker, ask: Ask) -> Reply {
    let reply = match ask {
        Ask::Status | Ask::Watch => status(daemon).await.map(|s| Reply::Status(Box::new(s))),
        Ask::Jobs(ask) => jobs(daemon, &ask).await,
        Ask::Show { job } => show(daemon, job).await,
        Ask::Cancel { job } => cancel(daemon, job).await,
        Ask::Retry { job } => retry(daemon, job).await,
        Ask::Explain { from, to, pages } => explain(daemon, &from, &to, pages).await,
        Ask::ExplainJob { job } => explain_job(daemon, job).await,
        Ask::Reload => daemon
            .reload()
            .await
            .map(Reply::Reloaded)
            .map_err(|why| Problem::new(Code::BadConfiguration, why)),
        Ask::Config(ask) => {
            daemon.config(asker, ask).await.map(|found| Reply::Config(Box::new(found)))
        }
    };
    reply.unwrap_or_else(Reply::Problem)
}

async fn status(daemon: &dyn Daemon) -> Result<Status, Problem> {
    match ask(daemon, Request::Status).await? {
        Answer::Status(status) => Ok(*status),
        other => Err(unexpected(&other)),
    }
}

async fn jobs(daemon: &dyn Daemon, ask: &AskJobs) -> Result<Reply, Problem> {
    let filter = JobFilter::parse(ask, daemon.country())?;
    let jobs = daemon.jobs(&filter).await.map_err(failed)?;
    Ok(Reply::Jobs(jobs.iter().map(Summary::of).collect()))
}

async fn show(daemon: &dyn Daemon, id: JobId) -> Result<Reply, Problem> {
    let job = find(daemon, id).await?;
    let receipts = daemon.receipts(id).await.map_err(failed)?;
    let receipts = receipts.iter().map(Summary::of).collect();
    Ok(Reply::Job(Box::new(Story { job, receipts })))
}

async fn cancel(daemon: &dyn Daemon, id: JobId) -> Result<Reply, Problem> {
    match ask(daemon, Request::Cancel(id)).await? {
        Answer::Done(job) => {
            // Whether a call has to end first stands in the job, which is durable by now.
            let what = match find(daemon, id).await?.state {
                State::Carrying { .. } => Deed::Cancelling,
                State::Preparing { .. }
                | State::Waiting { .. }
                | State::Held
                | State::Ended { .. } => Deed::Cancelled,
            };
            Ok(Reply::Done(Done { job, what, new: None }))
        }
        Answer::NoSuchJob(_) => {
            find(daemon, id).await?;
            Err(Problem::new(Code::WrongState, format!("job {id} is over already")))
        }
        other => Err(unexpected(&other)),
    }
}

/// A waiting job is hurried, one that is over is sent again as a new one. Which of
/// them it is can change while we look, so the supervisor has the last word.
async fn retry(daemon: &dyn Daemon, id: JobId) -> Result<Reply, Problem> {
    let job = find(daemon, id).await?;
    let (request, what) = match job.state {
        State::Ended { .. } => (Request::Again(Box::new(job)), Deed::SentAgain),
        State::Preparing { .. } | State::Waiting { .. } | State::Carrying { .. } | State::Held => {
            (Request::Retry(id), Deed::Hurried)
        }
    };
    match ask(daemon, request).await? {
        Answer::Done(done) => {
            let new = (what == Deed::SentAgain).then_some(done);
            Ok(Reply::Done(Done { job: id, what, new }))
        }
        Answer::UnderWay(_) => {
            Err(Problem::new(Code::WrongState, format!("job {id} is being carried now")))
        }
        Answer::NobodyMayHave(_) => {
            let message = format!("job {id} has nobody to go to yet; add a route or an operator");
            Err(Problem::new(Code::WrongState, message))
        }
        Answer::NoSuchJob(_) => {
            Err(Problem::new(Code::WrongState, format!("job {id} has just ended; ask again")))
        }
        other => Err(unexpected(&other)),
    }
}

async fn explain(daemon: &dyn Daemon, from: &str, to: &str, pages: u32) -> Result<Reply, Problem> {
    let bad = |why: String| Problem::new(Code::BadRequest, why);
    let from = ClientName::new(from).map_err(|why| bad(why.to_string()))?;
    let to = Number::parse(to, daemon.country()).map_err(|why| bad(format!("\"{to}\": {why}")))?;
    if !(1..=MAX_PAGES).contains(&pages) {
        return Err(bad(format!("the pages must be 1 to {MAX_PAGES}")));
    }
    let now = Some(verdict(daemon, &from, &to, pages).await?);
    let explanation = Explanation { job: None, from, to, pages, past: Vec::new(), now };
    Ok(Reply::Explained(Box::new(explanation)))
}

async fn explain_job(daemon: &dyn Daemon, id: JobId) -> Result<Reply, Problem> {
    let job = find(daemon, id).await?;
    let (Some(sent), Destination::Fax(fax)) = (job.sender(), &job.destination) else {
        let message = format!("job {id} is no fax to a number: there is no server to choose");
        return Err(Problem::new(Code::WrongState, message));
    };
    let pages = job.pages_left().max(1);
    let now = match job.state {
        State::Waiting { .. } => Some(verdict(daemon, &sent.client, &fax.number, pages).await?),
        _ => None,
    };
    let past = job.attempts.iter().filter_map(past_choice).collect();
    let (from, to) = (sent.client.clone(), fax.number.clone());
    let pages = job.document.as_ref().map_or(pages, |document| document.pages);
    Ok(Reply::Explained(Box::new(Explanation { job: Some(id), from, to, pages, past, now })))
}

fn past_choice(attempt: &Attempt) -> Option<PastChoice> {
    matches!(attempt.carrier, Carrier::Server(_)).then(|| PastChoice {
        attempt: attempt.number,
        at: attempt.started,
        decision: attempt.decision.clone(),
    })
}

async fn verdict(
    daemon: &dyn Daemon,
    from: &ClientName,
    to: &Number,
    pages: u32,
) -> Result<Verdict, Problem> {
    let request = Request::Explain { from: from.clone(), to: to.clone(), pages };
    match ask(daemon, request).await? {
        Answer::Explained(Ok(decision)) => Ok(Verdict::Permitted(decision)),
        Answer::Explained(Err(denial)) => {
            let rule = match &denial {
                Denial::Barred { rule, .. } => Some(*rule),
                Denial::NoRoute
                | Denial::NoServerPermitted
                | Denial::OwnNumber(_)
                | Denial::UnknownClient
                | Denial::UsedUp(_) => None,
            };
            let again = match &denial {
                Denial::UsedUp(UsedUp { again: Some(at), .. }) => again_from(*at),
                _ => String::new(),
            };
            Ok(Verdict::Denied { why: format!("{denial}{again}"), rule })
        }
        other => Err(unexpected(&other)),
    }
}

/// When a quota has room again, to the minute and in UTC as all times of answers.
fn again_from(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    format!(", again from {}", moment.strftime("%Y-%m-%d %H:%M UTC"))
}

async fn find(daemon: &dyn Daemon, id: JobId) -> Result<Job, Problem> {
    daemon.job(id).await.map_err(failed)?.ok_or_else(|| Problem::no_such_job(id))
}

async fn ask(daemon: &dyn Daemon, request: Request) -> Result<Answer, Problem> {
    daemon.ask(request).await.map_err(failed)
}

fn failed(why: String) -> Problem {
    Problem::new(Code::Failed, why)
}

/// The supervisor has answered something else than was asked: a bug, which is
/// told to the asker rather than taking the daemon down.
fn unexpected(answer: &Answer) -> Problem {
    let kind = match answer {
        Answer::Accepted(_) => "accepted",
        Answer::Refused(_) => "refused",
        Answer::Done(_) => "done",
        Answer::NoSuchJob(_) => "no such job",
        Answer::UnderWay(_) => "under way",
        Answer::NobodyMayHave(_) => "nobody may have it",
        Answer::Status(_) => "a status",
        Answer::Explained(_) => "an explanation",
    };
    Problem::new(Code::Failed, format!("the supervisor answered \"{kind}\", which is a bug"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::fake::Fake;

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
}
