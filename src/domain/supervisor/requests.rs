//! What people ask of the supervisor. Whatever only reads jobs is answered from
//! the store, where everything is that the supervisor has decided.

use serde::{Deserialize, Serialize};

use super::{Action, Refusal, Returned, Supervisor};
use crate::{
    destination::Destination,
    fleet::{Decision, Denial, Live, Need},
    job::{Answered, Cause, Forwarded, Inquiry, Job, State},
    names::{ClientName, JobId, ServerName, Token},
    notice,
    number::Number,
    quota::Used,
    retry::Tries,
    time::Timestamp,
};

/// Something that is asked.
#[derive(Debug, Clone)]
pub enum Request {
    /// How everything is.
    Status,
    /// Stop a job.
    Cancel(JobId),
    /// Try a waiting job at once, and the routes again for a fax that nobody has got.
    Retry(JobId),
    /// Send again what has ended: a new job like the old one.
    Again(Box<Job>),
    /// A report came about a mail that was delivered.
    Returned(Box<Returned>),
    /// Somebody wrote to the postmaster: pass it on.
    Forward(Box<Forwarded>),
    /// A client has asked by mail: the answer is a job, which waits until it is known.
    Inquire {
        /// Where the answer goes.
        to: String,
        /// What was asked, and the answer if it is known.
        inquiry: Box<Inquiry>,
    },
    /// The answer to what was asked by mail is known.
    Answered(JobId, Box<Answered>),
    /// Which server would be chosen.
    Explain {
        /// Who would send.
        from: ClientName,
        /// Whom they would call.
        to: Number,
        /// How many pages.
        pages: u32,
    },
}

/// The answer.
#[derive(Debug, Clone)]
pub enum Answer {
    /// These jobs are durable; they are what was asked to be accepted.
    Accepted(Vec<JobId>),
    /// Not taken.
    Refused(Refusal),
    /// Done as asked, to this job.
    Done(JobId),
    /// There is no such job, or it is over.
    NoSuchJob(JobId),
    /// The job is in the hands of a carrier.
    UnderWay(JobId),
    /// No route leads the received fax to anyone.
    NobodyMayHave(JobId),
    /// How everything is.
    Status(Box<Status>),
    /// Which server would be chosen, or why none.
    Explained(Result<Decision, Denial>),
}

/// How everything is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The servers.
    pub servers: Vec<ServerStatus>,
    /// Faxes whose pages are still to be made.
    pub faxes_preparing: usize,
    /// Faxes that wait.
    pub faxes_waiting: usize,
    /// Faxes with a call under way.
    pub faxes_calling: usize,
    /// Mails that wait.
    pub mails_waiting: usize,
    /// Mails that are being delivered.
    pub mails_under_way: usize,
    /// Received faxes that nobody has got.
    pub unrouted: usize,
    /// Jobs that are under way.
    pub under_way: Vec<Job>,
}

/// How a server is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Its name.
    pub name: ServerName,
    /// How many calls it can place at once.
    pub lines: u32,
    /// Whether it is to get no new work.
    pub draining: bool,
    /// What is known of it.
    pub live: Live,
}

impl Supervisor {
    pub(super) fn asked(
        &mut self,
        request: Request,
        token: Token,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let answer = match request {
            Request::Status => Answer::Status(Box::new(self.status())),
            Request::Cancel(id) => self.cancel(id, now, actions),
            Request::Retry(id) => self.hurry(id, now, actions),
            Request::Again(job) => self.again(*job, now, actions),
            Request::Returned(report) => self.returned(*report, now, actions),
            Request::Forward(mail) => self.forward(*mail, now, actions),
            Request::Inquire { to, inquiry } => self.inquire(to, inquiry, now, actions),
            Request::Answered(id, answer) => self.answered(id, *answer, now, actions),
            Request::Explain { from, to, pages } => {
                let avoid = Default::default();
                let need = Need { from: &from, to: &to, pages, avoid: &avoid };
                let chosen = self.fleet.choose(&self.setup, &need, now);
                let one = Used::by_fax(&to, pages, self.setup.country);
                let room = self.quotas.admit(&self.setup, &from, one, now);
                Answer::Explained(
                    chosen.and_then(|chosen| room.map(|()| chosen).map_err(Denial::UsedUp)),
                )
            }
        };
        actions.push(Action::Promise(token, answer));
    }

    fn cancel(&mut self, id: JobId, now: Timestamp, actions: &mut Vec<Action>) -> Answer {
        let carrier = self.jobs.get(&id).and_then(Job::under_way).map(|a| a.carrier.clone());
        if !self.change(id, actions, |job| job.cancel(now)) {
            return Answer::NoSuchJob(id);
        }
        match carrier {
            Some(carrier) => actions.push(Action::Cancel(id, carrier)),
            None => self.conclude_saved(actions, now),
        }
        Answer::Done(id)
    }

    fn hurry(&mut self, id: JobId, now: Timestamp, actions: &mut Vec<Action>) -> Answer {
        match self.jobs.get(&id).map(|job| job.state.clone()) {
            Some(State::Preparing { .. } | State::Waiting { .. }) => {
                self.change(id, actions, |job| job.hurry(now));
                Answer::Done(id)
            }
            Some(State::Carrying { .. }) => Answer::UnderWay(id),
            Some(State::Held) if self.route_again(id, now, actions) => Answer::Done(id),
            Some(State::Held) => Answer::NobodyMayHave(id),
            _ => Answer::NoSuchJob(id),
        }
    }

    fn again(&mut self, mut old: Job, now: Timestamp, actions: &mut Vec<Action>) -> Answer {
        if !old.is_ended() {
            return Answer::UnderWay(old.id);
        }
        let id = self.next_id();
        let limits = &self.setup.limits;
        let time = if old.sender().is_some() { limits.expire } else { limits.mail_expire };
        // A mail has one disposition notification at most (RFC 8098 2.1).
        if let Cause::Sent(sent) = &mut old.cause {
            sent.disposition = false;
        }
        let planned = old.sender().map(|sent| notice::planned(sent, now, limits.delay_notice));
        let planned = planned.into_iter().flatten().filter(|planned| planned.at > now).collect();
        let job = Job {
            planned,
            delay_report: None,
            id,
            state: match (&old.destination, &old.document, old.sender()) {
                (Destination::Unrouted, ..) => State::Held,
                (_, None, Some(_)) => State::Preparing { due: now },
                _ => State::Waiting { due: now },
            },
            trouble: None,
            created: now,
            expires: now + time,
            tries: Tries::default(),
            avoid: Default::default(),
            attempts: Vec::new(),
            // Pages that arrived need not arrive again, unless all of them did.
            confirmed: if old.pages_left() == 0 { 0 } else { old.confirmed },
            ..old
        };
        let nobody_had_it = job.state == State::Held;
        self.add(job, actions);
        if nobody_had_it {
            self.route_again(id, now, actions);
        }
        Answer::Done(id)
    }

    fn status(&self) -> Status {
        let server = |(name, server): (&ServerName, &crate::setup::Server)| ServerStatus {
            name: name.clone(),
            lines: server.lines,
            draining: server.draining,
            live: self.fleet.0.get(name).cloned().unwrap_or_default(),
        };
        let held = self.jobs.values().filter(|job| job.state == State::Held).count();
        Status {
            servers: self.setup.servers.iter().map(server).collect(),
            faxes_preparing: self.press.backlog(),
            faxes_waiting: self.faxes.len(),
            faxes_calling: self.calling.len(),
            mails_waiting: self.mails.len(),
            mails_under_way: self.mailing,
            unrouted: held,
            under_way: self.jobs.values().filter(|j| j.under_way().is_some()).cloned().collect(),
        }
    }
}
