//! Requests with a line of the audit log: the line is completed with what became of
//! the request, and is saved in the same round as what it has changed.

use super::{Action, Answer, Change, Request, Supervisor, book};
use crate::{
    audit::{Line, Verdict},
    names::{JobId, ServerName, Token},
    time::Timestamp,
};

/// What a request changes.
enum About {
    Job(JobId),
    Server(ServerName),
    Settings(ServerName),
    Nothing,
}

impl Request {
    fn about(&self) -> About {
        match self {
            Self::Cancel(id)
            | Self::Retry(id)
            | Self::Hold(id)
            | Self::Release(id)
            | Self::Alter(id, _)
            | Self::Assign { job: id, .. } => About::Job(*id),
            Self::Again(job) => About::Job(job.id),
            Self::Drain(server, _) | Self::GiveUp(server) => About::Server(server.clone()),
            Self::Settings(request) => About::Settings(request.server.clone()),
            Self::Inquire { .. }
            | Self::Answered(..)
            | Self::Status(_)
            | Self::Returned(_)
            | Self::Forward(_)
            | Self::Explain { .. }
            | Self::Afford { .. }
            | Self::Book { .. }
            | Self::Hooks
            | Self::RetryHook(_) => About::Nothing,
        }
    }
}

impl Answer {
    /// What the audit log says of it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let failed = |why: &str| Verdict::Failed(why.to_owned());
        match self {
            Self::NoSuchJob(_) => failed("there is no such job, or it is over"),
            Self::UnderWay(_) => failed("the job is being carried"),
            Self::NobodyMayHave(_) => failed("nobody may have it"),
            Self::Refused(refusal) => Verdict::Failed(refusal.to_string()),
            Self::Unable(unable) => Verdict::Failed(unable.to_string()),
            Self::Accepted(_)
            | Self::Done(_)
            | Self::Draining { .. }
            | Self::GaveUp { .. }
            | Self::Noted
            | Self::Status(_)
            | Self::Explained(_)
            | Self::Afforded(_)
            | Self::Settings(_)
            | Self::Hooks(_)
            | Self::ToldAgain(_) => Verdict::Allowed,
            Self::Written(_) => Verdict::Allowed,
            Self::NotWritten(_, refused) => book::verdict(refused),
            Self::NotSet(refusal) => Verdict::Failed(refusal.to_string()),
        }
    }
}

impl Supervisor {
    pub(super) fn requested(
        &mut self,
        request: Request,
        line: Line,
        token: Token,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let about = request.about();
        let before = self.described(&about);
        let begin = actions.len();
        let answer = self.asked(request, now, actions);
        let verdict = answer.verdict();
        let (before, after) = match verdict {
            Verdict::Allowed => match &answer {
                Answer::Written(changes) => book::described(changes),
                _ => (before, self.outcome(&about, &answer, &actions[begin..])),
            },
            _ => (None, None),
        };
        let line = Line { at: now, verdict, before, after, ..line };
        actions.push(Action::Save(Change::Audit(Box::new(line))));
        actions.push(Action::Promise(token, answer));
    }

    fn described(&self, about: &About) -> Option<String> {
        match about {
            About::Job(id) => self.jobs.get(id).map(super::Job::brief),
            About::Server(name) => {
                let server = self.setup.servers.get(name)?;
                Some(if server.draining { "draining" } else { "in service" }.into())
            }
            About::Settings(name) => self.registered(name),
            About::Nothing => None,
        }
    }

    fn outcome(&self, about: &About, answer: &Answer, done: &[Action]) -> Option<String> {
        match (about, answer) {
            (About::Job(id), Answer::Done(other)) if id != other => {
                Some(format!("again as job {other}"))
            }
            (About::Job(id), _) => done.iter().rev().find_map(|action| match action {
                Action::Save(Change::Job(job)) if job.id == *id => Some(job.brief()),
                _ => None,
            }),
            (About::Server(_), Answer::GaveUp { jobs, .. }) => {
                let jobs: Vec<String> = jobs.iter().map(ToString::to_string).collect();
                Some(format!("given up: jobs {}", jobs.join(", ")))
            }
            (about, _) => self.described(about),
        }
    }
}
