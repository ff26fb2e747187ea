//! Orders: what people have done to faxes that wait, to received faxes that nobody
//! has got, and to fax servers. Who may order what was decided before; what can be
//! done, and across which groups, is decided here.

use std::{sync::Arc, time::Duration};

use super::{
    Action, Answer, Change, DuplicateKey, Refusal, Supervisor, Unable, requests::MAX_AHEAD_DAYS,
};
use crate::{
    destination::Destination,
    fleet::{self, Health},
    job::{Alteration, AttemptEnd, Carrier, Cause, Job, State},
    names::{ClientName, JobId, ServerName},
    number::Number,
    outcome::Outcome,
    quota::Used,
    time::Timestamp,
};

impl Supervisor {
    /// A fax that waits, or why it cannot be held or altered.
    fn waiting_fax(&self, id: JobId) -> Result<&Job, Answer> {
        let job = self.jobs.get(&id).ok_or(Answer::NoSuchJob(id))?;
        match job.state {
            State::Carrying { .. } => Err(Answer::UnderWay(id)),
            _ if job.is_waiting_fax() => Ok(job),
            _ => Err(Answer::Unable(Unable::NoFaxOut(id))),
        }
    }

    pub(super) fn hold(&mut self, id: JobId, actions: &mut Vec<Action>) -> Answer {
        match self.waiting_fax(id) {
            Err(answer) => return answer,
            Ok(job) if job.on_hold => return Answer::Unable(Unable::OnHold(id)),
            Ok(_) => {}
        }
        self.change(id, actions, Job::hold);
        Answer::Done(id)
    }

    pub(super) fn let_go(&mut self, id: JobId, actions: &mut Vec<Action>) -> Answer {
        match self.jobs.get(&id) {
            None => return Answer::NoSuchJob(id),
            Some(job) if !job.on_hold => return Answer::Unable(Unable::NotOnHold(id)),
            Some(_) => {}
        }
        self.change(id, actions, Job::let_go);
        Answer::Done(id)
    }

    pub(super) fn alter(
        &mut self,
        id: JobId,
        mut to: Alteration,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Answer {
        let job = match self.waiting_fax(id) {
            Ok(job) => job.clone(),
            Err(answer) => return answer,
        };
        if let Err(unable) = self.settle_times(&job, &mut to, now) {
            return Answer::Unable(unable);
        }
        if let Some(number) = &to.number
            && let Err(refusal) = self.call_instead(&job, number, now)
        {
            return Answer::Refused(refusal);
        }
        self.change(id, actions, |job| job.alter(&to));
        Answer::Done(id)
    }

    /// A fax that is to go out later is tried for as long as any other, and none for
    /// longer.
    fn settle_times(&self, job: &Job, to: &mut Alteration, now: Timestamp) -> Result<(), Unable> {
        let due = match (to.due, &job.state) {
            (Some(at), _) => at.max(now),
            (None, State::Preparing { due } | State::Waiting { due }) => (*due).max(now),
            (None, _) => now,
        };
        if to.due.is_some() && due > now + Duration::from_secs(MAX_AHEAD_DAYS * 24 * 3600) {
            return Err(Unable::TooFar(job.id));
        }
        let latest = due + self.setup.limits.expire;
        if to.due.is_some() && to.expires.is_none() {
            let by = job.sender().and_then(|sent| sent.deliver_by).filter(|by| by.give_back);
            to.expires = Some(by.map_or(latest, |by| by.at.min(latest)));
        }
        match to.expires {
            Some(at) if at <= due => Err(Unable::TooEarly(job.id)),
            Some(at) if at > latest => {
                Err(Unable::TooLate { job: job.id, most: self.setup.limits.expire })
            }
            _ => Ok(()),
        }
    }

    /// Another number is another fax, for the rules, for the quotas and for whoever
    /// sends the same mail again.
    fn call_instead(&mut self, job: &Job, to: &Number, now: Timestamp) -> Result<(), Refusal> {
        let (Some(sent), Destination::Fax(fax)) = (job.sender(), &job.destination) else {
            return Ok(());
        };
        fleet::permitted(&self.setup, &sent.client, to)
            .map_err(|denial| Refusal::Denied { number: to.clone(), denial })?;
        self.room_for_number(to, now)?;
        let home = self.setup.country;
        let abroad = u32::from(to.is_abroad(home) && !fax.number.is_abroad(home));
        let more = Used { abroad, ..Used::default() };
        self.quotas.admit(&self.setup, &sent.client, more, now).map_err(Refusal::UsedUp)?;
        self.quotas.charge(&self.setup, &sent.client, more, now);
        self.count_fax(to, now);
        if let Some(taken) = DuplicateKey::of_any(job).and_then(|key| self.accepted.remove(&key)) {
            let mut altered = job.clone();
            altered.alter(&Alteration { number: Some(to.clone()), ..Alteration::default() });
            self.accepted.extend(DuplicateKey::of_any(&altered).map(|key| (key, taken)));
        }
        Ok(())
    }

    /// Gives a received fax that nobody has got to a client. Nothing passes between a
    /// client and a server that share no group, whoever orders it.
    pub(super) fn assign(
        &mut self,
        id: JobId,
        client: ClientName,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Answer {
        let Some(job) = self.jobs.get(&id) else { return Answer::NoSuchJob(id) };
        let (State::Held, Cause::Arrived(fax)) = (&job.state, &job.cause) else {
            return Answer::Unable(Unable::NotUnrouted(id));
        };
        let server = fax.server.clone();
        if !self.setup.clients.contains_key(&client) {
            return Answer::Unable(Unable::NoSuchClient(client));
        }
        if !self.setup.share_group(&client, &server) {
            return Answer::Unable(Unable::NoSharedGroup { client, server });
        }
        let to = self.mailbox_of(&client);
        if to == Destination::Unrouted {
            return Answer::Unable(Unable::NoMailbox(client));
        }
        let time = self.setup.limits.mail_expire;
        self.change(id, actions, |job| {
            job.redirect(to, now, time);
            true
        });
        Answer::Done(id)
    }

    /// Gives a server no new work, or new work again. What was configured to be draining
    /// stays so.
    pub(super) fn drain(
        &mut self,
        server: ServerName,
        drained: bool,
        actions: &mut Vec<Action>,
    ) -> Answer {
        if !self.setup.servers.contains_key(&server) {
            return Answer::Unable(Unable::NoSuchServer(server));
        }
        let changed = match drained {
            true => self.drained.insert(server.clone()),
            false => self.drained.remove(&server),
        };
        if changed {
            actions.push(Action::Save(Change::Drained(server.clone(), drained)));
            self.put_in_force();
        }
        let draining = self.setup.servers.get(&server).is_some_and(|server| server.draining);
        Answer::Draining { server, draining }
    }

    /// What is in force is what was configured, and what was drained by order.
    pub(super) fn put_in_force(&mut self) {
        if self.drained.is_empty() {
            self.setup = self.configured.clone();
            return;
        }
        let mut setup = (*self.configured).clone();
        for (name, server) in &mut setup.servers {
            server.draining |= self.drained.contains(name);
        }
        self.setup = Arc::new(setup);
    }

    /// Ends the calls of a server that was lost for good, as lost. Whoever carries them
    /// goes on telling the server to stop, for the case that it comes back.
    pub(super) fn give_up(
        &mut self,
        server: ServerName,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Answer {
        let is_its = |job: &&Job| {
            let carrier = job.under_way().map(|attempt| &attempt.carrier);
            matches!(carrier, Some(Carrier::Server(name)) if *name == server)
        };
        let lost: Vec<Job> = self.jobs.values().filter(is_its).cloned().collect();
        let health = self.fleet.0.get(&server).map(|live| &live.health);
        if matches!(health, Some(Health::Up { .. })) {
            return Answer::Unable(Unable::StillUp(server));
        }
        if lost.is_empty() && !self.setup.servers.contains_key(&server) {
            return Answer::Unable(Unable::NoSuchServer(server));
        }
        for job in &lost {
            let Some(attempt) = job.under_way() else { continue };
            actions.push(Action::Cancel(job.id, attempt.carrier.clone()));
            let said = "the fax server was given up by an administrator".into();
            let end = AttemptEnd { at: now, outcome: Outcome::Unknown, said };
            let mut follows = Vec::new();
            self.ended(job.id, attempt.number, attempt.ledger.clone(), end, &mut follows);
            // The server still has to be told to stop before it may forget.
            follows.retain(|action| !matches!(action, Action::Forget(..)));
            actions.extend(follows);
        }
        Answer::GaveUp { server, jobs: lost.iter().map(|job| job.id).collect() }
    }
}
