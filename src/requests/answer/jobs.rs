//! Questions about jobs, and orders to them.

use postfax_domain::{
    book::{Reached, Unresolved},
    destination::Destination,
    fleet::Denial,
    job::{Alteration, Attempt, Carrier, Job, State},
    names::{ClientName, JobId},
    number::Number,
    quota::UsedUp,
    supervisor::{Answer, Request},
    time::Timestamp,
};

use super::{
    super::{
        AskAlter, AskJobs, Code, Deed, Done, Explanation, JobFilter, PastChoice, Problem, Reply,
        Story, Summary, Verdict, permit,
    },
    Desk, failed, unable, unexpected,
};
use postfax_domain::authority::Who;

/// Most pages that can be asked about.
const MAX_PAGES: u32 = 10_000;
/// Most urgent priority, and with a minus the least (RFC 6710 3).
const MAX_PRIORITY: i8 = 9;
/// Most members of a list that an answer names.
const MAX_NAMED: usize = 20;
/// Most attempts that can be asked for.
const MAX_TRIES: u32 = 1000;

impl Desk<'_> {
    /// Those that are meant and that the asker sees.
    pub(super) async fn listed(&self, ask: &AskJobs) -> Result<Vec<Summary>, Problem> {
        let filter = JobFilter::parse(ask, self.setup.country)?;
        let sight = self.sight();
        let sees = |job: &Job| sight.job(job);
        let jobs = self.daemon.jobs(&filter, sight.only_of(), &sees).await.map_err(failed)?;
        let row = |job: &Job| match sight.names(job) {
            true => Summary::named(job),
            false => Summary::of(job),
        };
        Ok(jobs.iter().map(row).collect())
    }

    pub(super) async fn show(&self, id: JobId) -> Result<Reply, Problem> {
        let mut job = self.find(id).await?;
        permit::conceal(&self.sight(), &mut job);
        let receipts = self.daemon.receipts(id).await.map_err(failed)?;
        let receipts = receipts.iter().map(Summary::of).collect();
        Ok(Reply::Job(Box::new(Story { job, receipts })))
    }

    pub(super) async fn cancel(&mut self, id: JobId) -> Result<Reply, Problem> {
        match self.order(Request::Cancel(id)).await? {
            Answer::Done(job) => {
                // Whether a call has to end first stands in the job, which is durable by now.
                let what = match self.find(id).await?.state {
                    State::Carrying { .. } => Deed::Cancelling,
                    State::Preparing { .. }
                    | State::Waiting { .. }
                    | State::Held
                    | State::Ended { .. } => Deed::Cancelled,
                };
                Ok(Reply::Done(Done { job, what, new: None }))
            }
            other => Err(unable(&other)),
        }
    }

    /// A waiting job is hurried, one that is over is sent again as a new one. Which of
    /// them it is can change while we look, so the supervisor has the last word.
    pub(super) async fn retry(&mut self, id: JobId) -> Result<Reply, Problem> {
        let job = self.find(id).await?;
        let (request, what) = match job.state {
            State::Ended { .. } => (Request::Again(Box::new(job)), Deed::SentAgain),
            State::Preparing { .. }
            | State::Waiting { .. }
            | State::Carrying { .. }
            | State::Held => (Request::Retry(id), Deed::Hurried),
        };
        match self.order(request).await? {
            Answer::Done(done) => {
                let new = (what == Deed::SentAgain).then_some(done);
                Ok(Reply::Done(Done { job: id, what, new }))
            }
            Answer::NoSuchJob(_) => {
                Err(Problem::new(Code::WrongState, format!("job {id} has just ended; ask again")))
            }
            other => Err(unable(&other)),
        }
    }

    pub(super) async fn hold(&mut self, id: JobId) -> Result<Reply, Problem> {
        self.deed(Request::Hold(id), Deed::OnHold).await
    }

    pub(super) async fn release(&mut self, id: JobId) -> Result<Reply, Problem> {
        self.deed(Request::Release(id), Deed::Released).await
    }

    pub(super) async fn alter(&mut self, ask: &AskAlter) -> Result<Reply, Problem> {
        let to = self.alteration(ask)?;
        self.deed(Request::Alter(ask.job, to), Deed::Altered).await
    }

    /// Has something done to a job.
    pub(super) async fn deed(&mut self, request: Request, what: Deed) -> Result<Reply, Problem> {
        match self.order(request).await? {
            Answer::Done(job) => Ok(Reply::Done(Done { job, what, new: None })),
            other => Err(unable(&other)),
        }
    }

    /// What an alteration means, as far as its words go.
    fn alteration(&self, ask: &AskAlter) -> Result<Alteration, Problem> {
        let bad = |why: String| Problem::new(Code::BadRequest, why);
        let AskAlter { job: _, priority, tries, expires, due, number } = ask;
        if priority.is_some_and(|priority| !(-MAX_PRIORITY..=MAX_PRIORITY).contains(&priority)) {
            return Err(bad(format!("the priority must be -{MAX_PRIORITY} to {MAX_PRIORITY}")));
        }
        if tries.is_some_and(|tries| !(1..=MAX_TRIES).contains(&tries)) {
            return Err(bad(format!("the tries must be 1 to {MAX_TRIES}")));
        }
        if let (Who::Client(client), Some(wanted)) = (&self.asker.who, *priority) {
            let most = self.daemon.max_priority(client);
            if wanted > most {
                let message = format!("{client} may not be more urgent than {most}");
                return Err(Problem::new(Code::NotPermitted, message));
            }
        }
        let read = |text: &String| {
            Number::parse(text, self.setup.country).map_err(|why| bad(format!("\"{text}\": {why}")))
        };
        let number = number.as_ref().map(read).transpose()?;
        let (priority, tries, expires, due) = (*priority, *tries, *expires, *due);
        let to = Alteration { priority, tries, expires, due, number };
        if to.is_nothing() {
            return Err(bad("say what is to be different".into()));
        }
        Ok(to)
    }

    pub(super) async fn explain(&self, from: &str, to: &str, pages: u32) -> Result<Reply, Problem> {
        let bad = |why: String| Problem::new(Code::BadRequest, why);
        let from = ClientName::new(from).map_err(|why| bad(why.to_string()))?;
        let to = match Number::parse(to, self.setup.country) {
            Ok(number) => number,
            Err(why) => match self.called(&from, to) {
                Some(called) => called?,
                None if to.contains(char::is_alphabetic) => {
                    let what = format!("is no number, and no name in the phone book of {from}");
                    return Err(bad(format!("\"{to}\" {what}")));
                }
                None => return Err(bad(format!("\"{to}\": {why}"))),
            },
        };
        if !(1..=MAX_PAGES).contains(&pages) {
            return Err(bad(format!("the pages must be 1 to {MAX_PAGES}")));
        }
        let now = Some(self.verdict(&from, &to, pages).await?);
        let explanation = Explanation { job: None, from, to, pages, past: Vec::new(), now };
        Ok(Reply::Explained(Box::new(explanation)))
    }

    pub(super) async fn explain_job(&self, id: JobId) -> Result<Reply, Problem> {
        let mut job = self.find(id).await?;
        permit::conceal(&self.sight(), &mut job);
        let (Some(sent), Destination::Fax(fax)) = (job.sender(), &job.destination) else {
            let message = format!("job {id} is no fax to a number: there is no server to choose");
            return Err(Problem::new(Code::WrongState, message));
        };
        let pages = job.pages_left().max(1);
        let now = match job.state {
            State::Waiting { .. } => Some(self.verdict(&sent.client, &fax.number, pages).await?),
            _ => None,
        };
        let past = job.attempts.iter().filter_map(past_choice).collect();
        let (from, to) = (sent.client.clone(), fax.number.clone());
        let pages = job.pages().max(pages);
        Ok(Reply::Explained(Box::new(Explanation { job: Some(id), from, to, pages, past, now })))
    }

    /// The number that a client means by a name; `None` when it means nothing by it, or
    /// nothing that the asker may know of.
    fn called(&self, from: &ClientName, word: &str) -> Option<Result<Number, Problem>> {
        let (book, setup) = (self.daemon.book(), &self.setup);
        let bad = |why: String| Some(Err(Problem::new(Code::BadRequest, why)));
        let word = word.trim();
        let resolved = match book.resolve(setup, &Who::Client(from.clone()), word) {
            Ok(resolved) => resolved,
            Err(Unresolved::Unknown(_)) => return None,
            // The candidates are for the client alone.
            Err(why) if self.asker.who == Who::Client(from.clone()) => return bad(why.to_string()),
            Err(_) => return None,
        };
        let sees = |id| book.get(setup, &self.asker.who, id).is_some();
        let reached = &resolved.reached;
        if !sees(resolved.entry.id) || !reached.iter().all(|one| sees(one.id)) {
            return None;
        }
        match &reached[..] {
            [one] => Some(Ok(one.line.number.clone())),
            _ => {
                let one = |one: &Reached| format!("{} ({})", one.name, one.line.number);
                let mut named: Vec<String> = reached.iter().take(MAX_NAMED).map(one).collect();
                if reached.len() > MAX_NAMED {
                    named.push(format!("and {} others", reached.len() - MAX_NAMED));
                }
                let (count, named) = (reached.len(), named.join(", "));
                bad(format!("\"{word}\" is a list of {count}, ask for one of them: {named}"))
            }
        }
    }

    async fn verdict(
        &self,
        from: &ClientName,
        to: &Number,
        pages: u32,
    ) -> Result<Verdict, Problem> {
        let request = Request::Explain { from: from.clone(), to: to.clone(), pages };
        match self.ask(request).await? {
            Answer::Explained(Ok(mut decision)) => {
                let sight = self.sight();
                decision.servers.retain(|(name, _)| sight.server(name));
                Ok(Verdict::Permitted(decision))
            }
            Answer::Explained(Err(denial)) => Ok(denied(&denial)),
            other => Err(unexpected(&other)),
        }
    }
}

fn denied(denial: &Denial) -> Verdict {
    let rule = match denial {
        Denial::Barred { rule, .. } => Some(*rule),
        Denial::NoRoute
        | Denial::NoServerPermitted
        | Denial::OwnNumber(_)
        | Denial::UnknownClient
        | Denial::UsedUp(_) => None,
    };
    let again = match denial {
        Denial::UsedUp(UsedUp { again: Some(at), .. }) => again_from(*at),
        _ => String::new(),
    };
    Verdict::Denied { why: format!("{denial}{again}"), rule }
}

fn past_choice(attempt: &Attempt) -> Option<PastChoice> {
    matches!(attempt.carrier, Carrier::Server(_)).then(|| PastChoice {
        attempt: attempt.number,
        at: attempt.started,
        decision: attempt.decision.clone(),
    })
}

/// When a quota has room again, to the minute and in UTC as all times of answers.
fn again_from(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    format!(", again from {}", moment.strftime("%Y-%m-%d %H:%M UTC"))
}
