//! What waits and may begin, begins.

use std::{collections::HashSet, time::Duration};

use super::{
    Action, Supervisor,
    calling::Calls,
    ended::{reroute, to_operator},
};
use crate::{
    destination::Destination,
    dial,
    document::Shape,
    fleet::{self, Decision, Denial, Need},
    job::{Carrier, Cause, Job},
    names::{ClientName, JobId},
    number::Number,
    outcome::Outcome,
    time::Timestamp,
};

impl Supervisor {
    /// Begins every job that is due and for which there is a carrier.
    pub(super) fn dispatch(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        self.dispatch_pages(actions);
        self.dispatch_faxes(now, actions);
        // A fax that was refused leaves a receipt behind.
        self.dispatch_mails(now, actions);
    }

    /// Ends the jobs that waited longer than they may.
    pub(super) fn expire_overdue(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let waiting =
            self.faxes.iter().map(|(.., id)| id).chain(self.mails.iter().map(|(_, id)| id));
        // A fax that is too late is not called because its pages were late as well.
        let waiting = waiting.chain(self.press.jobs()).chain(&self.on_hold);
        let overdue: Vec<JobId> =
            waiting.filter(|id| self.jobs[*id].expires <= now).copied().collect();
        let setup = self.setup.clone();
        for id in overdue {
            self.change(id, actions, |job| {
                job.expire(now);
                reroute(job, &setup, now);
                true
            });
            self.conclude_saved(actions, now);
        }
    }

    fn dispatch_mails(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let lines = self.setup.limits.mail_lines as usize;
        while self.mailing < lines {
            let Some((due, id)) = self.mails.first().copied() else { return };
            if due > now {
                return;
            }
            if self.may_have(&self.jobs[&id]) {
                self.begin(id, Carrier::Mail, Decision::default(), now, actions);
                continue;
            }
            let setup = self.setup.clone();
            self.change(id, actions, |job| {
                to_operator(job, &setup, now);
                true
            });
            self.conclude_saved(actions, now);
        }
    }

    /// Whether the client that a mail goes to still shares a group with the server
    /// that its fax came from: the setup may have changed meanwhile.
    fn may_have(&self, job: &Job) -> bool {
        let (Cause::Arrived(fax), Destination::Mailbox(to)) = (&job.cause, &job.destination) else {
            return true;
        };
        to.client.as_ref().is_some_and(|client| self.setup.share_group(client, &fax.server))
    }

    fn dispatch_faxes(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let mut has_free_line = self.fleet.has_free_line(&self.setup);
        if !has_free_line && self.calling.is_empty() {
            return;
        }
        let due: Vec<JobId> = self
            .faxes
            .iter()
            .filter(|(_, due, _)| *due <= now)
            .filter(|(.., id)| match self.called(&self.jobs[id]) {
                Some(call) => self.has_room(call),
                None => has_free_line,
            })
            .map(|(.., id)| *id)
            .collect();
        let mut hopeless = HashSet::new();
        for id in due {
            let job = &self.jobs[&id];
            let kin = self.kin(job);
            let may = match self.called(job) {
                Some(call) => self.has_room(call),
                None => has_free_line && !hopeless.contains(&kin),
            };
            if !may {
                continue;
            }
            if self.is_beyond_all(job) {
                // The setup has changed since the pages were made, or two numbers share them.
                self.change(id, actions, |job| {
                    job.coarsen();
                    true
                });
            }
            match self.decide(&self.jobs[&id], now) {
                Ok(Decision { chosen: Some(server), rule, servers }) => {
                    let chosen = Some(server.clone());
                    let decision = Decision { rule, servers, chosen };
                    self.begin(id, Carrier::Server(server), decision, now, actions);
                    has_free_line = self.fleet.has_free_line(&self.setup);
                }
                Ok(_) => {
                    // Lines only become fewer in here: what no server can take now, none
                    // can take for a job of the same kind.
                    let job = &self.jobs[&id];
                    if job.avoid.is_empty() && self.called(job).is_none() {
                        hopeless.insert(kin);
                    }
                }
                Err(denial) => {
                    self.change(id, actions, |job| {
                        job.refuse(outcome_of(&denial), now);
                        true
                    });
                    self.conclude_saved(actions, now);
                }
            }
        }
    }

    /// Whether no server that may call the number takes pages like these.
    fn is_beyond_all(&self, job: &Job) -> bool {
        let (Some(sent), Destination::Fax(fax)) = (job.sender(), &job.destination) else {
            return false;
        };
        fleet::is_beyond_all(&self.setup, &sent.client, &fax.number, job.shape())
    }

    /// Jobs of the same sender and shape under the same dial rule have the same servers,
    /// except that no server calls itself.
    fn kin(&self, job: &Job) -> Option<Kin> {
        let (Some(sent), Destination::Fax(fax)) = (job.sender(), &job.destination) else {
            return None;
        };
        let rule = dial::first_match(&self.setup, &sent.client, &fax.number).map(|(at, _)| at);
        let own = self.setup.is_own_number(&fax.number).then(|| fax.number.clone());
        Some(Kin { client: sent.client.clone(), rule, own, shape: job.shape() })
    }

    /// The call that the number of a job is in.
    fn called(&self, job: &Job) -> Option<&Calls> {
        match &job.destination {
            Destination::Fax(fax) => self.calling.at(&fax.number),
            _ => None,
        }
    }

    /// Whether the server that calls a number may have one more fax for it.
    fn has_room(&self, call: &Calls) -> bool {
        let batch = self.setup.servers.get(&call.server).map_or(0, |server| server.batch);
        call.jobs.len() < batch
    }

    fn decide(&self, job: &Job, now: Timestamp) -> Result<Decision, Denial> {
        let (Some(sent), Destination::Fax(fax)) = (job.sender(), &job.destination) else {
            return Err(Denial::UnknownClient);
        };
        let need = Need {
            from: &sent.client,
            to: &fax.number,
            pages: job.pages_left(),
            shape: job.shape(),
            avoid: &job.avoid,
            joins: self.called(job).map(|call| &call.server),
        };
        self.fleet.choose(&self.setup, &need, now)
    }

    fn begin(
        &mut self,
        id: JobId,
        carrier: Carrier,
        decision: Decision,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        self.change(id, actions, |job| {
            job.begin(carrier, decision, now);
            true
        });
        actions.push(Action::Carry(Box::new(self.jobs[&id].clone())));
    }
}

/// What jobs have in common that have the same servers.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Kin {
    client: ClientName,
    rule: Option<usize>,
    /// The number, where it is one of our own.
    own: Option<Number>,
    shape: Shape,
}

/// A setup that changed after a fax was accepted may forbid it.
fn outcome_of(denial: &Denial) -> Outcome {
    match denial {
        Denial::Barred { .. }
        | Denial::NoServerPermitted
        | Denial::OwnNumber(_)
        | Denial::UnknownClient
        | Denial::UsedUp(_) => Outcome::NumberForbidden,
        Denial::NoRoute => Outcome::ServerRefused,
    }
}

/// How often the daemon wakes the supervisor when nothing else does.
pub const TICK: Duration = Duration::from_secs(15);
