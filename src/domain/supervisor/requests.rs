//! What people ask of the supervisor. Whatever only reads jobs is answered from
//! the store, where everything is that the supervisor has decided.

use std::{collections::BTreeMap, ops::Add as _, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Action, Refusal, Returned, Supervisor,
    settings::{SettingsRefusal, SettingsRequest, Sheet},
};
use crate::{
    authority::{Sight, Who},
    book,
    destination::Destination,
    document::Shape,
    fleet::{Decision, Denial, Live, Need},
    job::{Alteration, Answered, Cause, Forwarded, Inquiry, Job, State},
    names::{ClientName, HookName, JobId, ServerName},
    notice,
    number::Number,
    quota::{Used, UsedUp},
    retry::Tries,
    settings,
    time::Timestamp,
    webhook::Standing,
};

/// Most days that a fax can be put off.
pub(super) const MAX_AHEAD_DAYS: u64 = 30;

/// Something that is asked.
#[derive(Debug, Clone)]
pub enum Request {
    /// How everything is that this one may see.
    Status(Who),
    /// Stop a job.
    Cancel(JobId),
    /// Try a waiting job at once, and the routes again for a fax that nobody has got.
    Retry(JobId),
    /// Send again what has ended: a new job like the old one.
    Again(Box<Job>),
    /// Call a fax that waits only when it is let go.
    Hold(JobId),
    /// Let a fax go that is on hold.
    Release(JobId),
    /// Change a fax that waits.
    Alter(JobId, Alteration),
    /// Give a received fax that nobody has got to a client.
    Assign {
        /// The job.
        job: JobId,
        /// Who is to get it.
        client: ClientName,
    },
    /// Give a server no new work (true), or new work again.
    Drain(ServerName, bool),
    /// End the calls of a server that was lost for good.
    GiveUp(ServerName),
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
    /// Whether the quotas of a client have room for a page to each of these.
    Afford {
        /// Who would send.
        from: ClientName,
        /// Whom they would call.
        to: Vec<Number>,
    },
    /// Something about the settings of a server.
    Settings(Box<SettingsRequest>),
    /// Write into the phone book: all of these, or nothing.
    Book {
        /// Who orders it.
        who: Who,
        /// What is ordered, in this order.
        orders: Vec<book::Order>,
    },
    /// How far the events of each hook have come.
    Hooks,
    /// Try at once what waits for a hook, also for one that was gone.
    RetryHook(HookName),
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
    /// It cannot be done, for this reason.
    Unable(Unable),
    /// How it is with the work of a server now.
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
    /// The line of the audit log is durable.
    Noted,
    /// How everything is.
    Status(Box<Status>),
    /// Which server would be chosen, or why none.
    Explained(Result<Decision, Denial>),
    /// Whether the quotas have room.
    Afforded(Result<(), UsedUp>),
    /// What is registered for a server, after what was asked was done.
    Settings(Box<Sheet>),
    /// How far the events of each hook have come.
    Hooks(BTreeMap<HookName, Standing>),
    /// What waits for this hook is tried.
    ToldAgain(HookName),
    /// These entries of the phone book have changed.
    Written(Vec<book::Change>),
    /// Nothing was written into the phone book: the order at this place, from 0, is refused.
    NotWritten(usize, book::Refused),
    /// Nothing was done about settings.
    NotSet(SettingsRefusal),
}

/// Why an order cannot be carried out. The words are for whoever gave it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unable {
    /// Only a fax to a number that waits can be held or altered.
    #[error("job {0} is no fax that waits to be sent")]
    NoFaxOut(JobId),
    /// It is on hold.
    #[error("job {0} is on hold; let it go with release")]
    OnHold(JobId),
    /// It is not on hold.
    #[error("job {0} is not on hold")]
    NotOnHold(JobId),
    /// Its time would be over before it begins.
    #[error("job {0} would be given up before it may go out")]
    TooEarly(JobId),
    /// It would go out too late.
    #[error("job {0} cannot be put off for more than {MAX_AHEAD_DAYS} days")]
    TooFar(JobId),
    /// It would be tried for longer than any fax is.
    #[error("job {job} would be tried for too long: {} s are the most", most.as_secs())]
    TooLate {
        /// The job.
        job: JobId,
        /// How long a fax is tried at most.
        most: Duration,
    },
    /// Only a received fax that nobody has got can be given to somebody.
    #[error("job {0} is no received fax that nobody has got")]
    NotUnrouted(JobId),
    /// Nobody is called so.
    #[error("there is no client \"{0}\"")]
    NoSuchClient(ClientName),
    /// Nothing passes between them.
    #[error("{client} shares no group with {server}, where the fax arrived")]
    NoSharedGroup {
        /// Who should get the fax.
        client: ClientName,
        /// Where it arrived.
        server: ServerName,
    },
    /// It has only patterns of senders.
    #[error("{0} has no mailbox")]
    NoMailbox(ClientName),
    /// No server is called so.
    #[error("there is no fax server \"{0}\"")]
    NoSuchServer(ServerName),
    /// No hook is called so.
    #[error("there is no webhook \"{0}\"")]
    NoSuchHook(HookName),
    /// A server that answers is not lost.
    #[error("{0} answers: drain it, and cancel its jobs")]
    StillUp(ServerName),
}

/// How everything is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The servers.
    pub servers: Vec<ServerStatus>,
    /// Faxes whose pages are still to be made.
    pub faxes_preparing: usize,
    /// Faxes that wait.
    pub faxes_waiting: usize,
    /// Those of them that wait to be let go.
    #[serde(default)]
    pub faxes_on_hold: usize,
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
    /// Whether that was ordered, and not only configured.
    #[serde(default)]
    pub drained: bool,
    /// What is known of it.
    pub live: Live,
    /// How it is with its settings; absent when none are registered, or when the asker
    /// may not read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<SettingsStatus>,
}

/// How it is with the registered settings of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsStatus {
    /// The newest version.
    pub version: u64,
    /// What became of it.
    pub state: settings::State,
    /// Since when.
    pub since: Timestamp,
    /// Why what the server holds is not known any more, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<Unread>,
}

/// Settings that cannot be read, although their server is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// Since when.
    pub since: Timestamp,
    /// Why, in words: what was last.
    pub why: String,
}

impl Supervisor {
    pub(super) fn asked(
        &mut self,
        request: Request,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Answer {
        match request {
            Request::Status(who) => Answer::Status(Box::new(self.status(&who))),
            Request::Cancel(id) => self.cancel(id, now, actions),
            Request::Retry(id) => self.hurry(id, now, actions),
            Request::Again(job) => self.again(*job, now, actions),
            Request::Hold(id) => self.hold(id, actions),
            Request::Release(id) => self.let_go(id, actions),
            Request::Alter(id, to) => self.alter(id, to, now, actions),
            Request::Assign { job, client } => self.assign(job, client, now, actions),
            Request::Drain(server, drained) => self.drain(server, drained, actions),
            Request::GiveUp(server) => self.give_up(server, now, actions),
            Request::Returned(report) => self.returned(*report, now, actions),
            Request::Forward(mail) => self.forward(*mail, now, actions),
            Request::Book { who, orders } => self.write_book(&who, &orders, now, actions),
            Request::Hooks => Answer::Hooks(self.standings()),
            Request::RetryHook(name) => self.retry_hook(name, actions),
            Request::Settings(request) => self.asked_settings(*request, now, actions),
            Request::Inquire { to, inquiry } => self.inquire(to, inquiry, now, actions),
            Request::Answered(id, answer) => self.answered(id, *answer, now, actions),
            Request::Afford { from, to } => {
                let one = |to| Used::by_fax(to, 1, self.setup.country);
                let wanted = to.iter().map(one).fold(Used::default(), Used::add);
                Answer::Afforded(self.quotas.admit(&self.setup, &from, wanted, now))
            }
            Request::Explain { from, to, pages } => {
                let avoid = Default::default();
                // Pages that are not made yet are made so that some server takes them.
                let shape = Shape::PLAINEST;
                let need = Need { from: &from, to: &to, pages, shape, avoid: &avoid, joins: None };
                let chosen = self.fleet.choose(&self.setup, &need, now);
                let one = Used::by_fax(&to, pages, self.setup.country);
                let room = self.quotas.admit(&self.setup, &from, one, now);
                Answer::Explained(
                    chosen.and_then(|chosen| room.map(|()| chosen).map_err(Denial::UsedUp)),
                )
            }
        }
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
            _ if self.jobs.get(&id).is_some_and(|job| job.on_hold) => {
                Answer::Unable(Unable::OnHold(id))
            }
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
            // Of what its list missed its sender was told.
            sent.missed.clear();
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
            on_hold: false,
            tries_left: None,
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

    /// A client sees the servers that concern it, and counts and calls of jobs that it
    /// may see.
    fn status(&self, who: &Who) -> Status {
        let sight = Sight::new(&self.setup, who);
        let server = |(name, server): (&ServerName, &crate::setup::Server)| ServerStatus {
            name: name.clone(),
            lines: server.lines,
            draining: server.draining,
            drained: self.drained.contains(name),
            live: self.fleet.0.get(name).cloned().unwrap_or_default(),
            settings: self.settings_status(name),
        };
        let servers = self.setup.servers.iter().filter(|(name, _)| sight.server(name));
        let mut status = Status { servers: servers.map(server).collect(), ..Status::default() };
        for job in self.jobs.values().filter(|job| sight.job(job)) {
            let is_fax = matches!(job.destination, Destination::Fax(_));
            let count = match (&job.state, is_fax) {
                (State::Preparing { .. }, _) => &mut status.faxes_preparing,
                (State::Waiting { .. }, true) => &mut status.faxes_waiting,
                (State::Waiting { .. }, false) => &mut status.mails_waiting,
                (State::Carrying { .. }, true) => &mut status.faxes_calling,
                (State::Carrying { .. }, false) => &mut status.mails_under_way,
                (State::Held, _) => &mut status.unrouted,
                (State::Ended { .. }, _) => continue,
            };
            *count += 1;
            status.faxes_on_hold += usize::from(job.on_hold);
            if job.under_way().is_some() {
                status.under_way.push(job.clone());
            }
        }
        status
    }
}
