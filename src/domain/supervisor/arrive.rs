//! A fax has arrived: it becomes a job to each client that the routes choose.

use super::{Action, Change, Supervisor};
use crate::{
    destination::{Destination, Mailbox},
    job::{Alarm, Cause, Job, State},
    names::{ClientName, JobId},
    route::{self, Arrival, Routed},
    time::Timestamp,
};

impl Supervisor {
    pub(super) fn arrived(&mut self, fax: Arrival, now: Timestamp, actions: &mut Vec<Action>) {
        let key = (fax.server.clone(), fax.key.clone());
        let release = Action::Release(fax.server.clone(), fax.key.clone());
        if !self.arrivals.insert(key) {
            actions.push(release);
            return;
        }
        actions.push(Action::Save(Change::Arrival(fax.server.clone(), fax.key.clone())));
        let mailboxes = self.mailboxes_for(&fax);
        let nobody = mailboxes.is_empty();
        for to in mailboxes {
            let id = self.next_id();
            self.add(self.fax_in(id, &fax, to, now), actions);
        }
        if nobody {
            let id = self.next_id();
            self.add(self.fax_in(id, &fax, Destination::Unrouted, now), actions);
            self.alarm(Alarm::Unrouted(id), now, actions);
        }
        actions.push(release);
    }

    /// Tries the routes again for every fax that nobody has got.
    pub(super) fn route_held(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let held = self.jobs.values().filter(|job| job.state == State::Held);
        for id in held.map(|job| job.id).collect::<Vec<_>>() {
            self.route_again(id, now, actions);
        }
    }

    /// Tries the routes again for a fax that nobody has got; false when nobody may
    /// get it now either.
    pub(super) fn route_again(
        &mut self,
        id: JobId,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> bool {
        let Some(job) = self.jobs.get(&id) else { return false };
        let Cause::Arrived(fax) = &job.cause else { return false };
        let (fax, was_mailed) = (fax.clone(), !job.attempts.is_empty());
        let mut mailboxes = self.mailboxes_for(&fax).into_iter();
        let Some(to) = mailboxes.next() else { return false };
        let time = self.setup.limits.mail_expire;
        self.change(id, actions, |job| {
            job.redirect(to, now, time);
            true
        });
        // The others have theirs when this one was mailed before.
        for to in mailboxes.filter(|_| !was_mailed) {
            let other = self.next_id();
            self.add(self.fax_in(other, &fax, to, now), actions);
        }
        true
    }

    /// Where the routes want a fax now; nowhere, when nobody with a mailbox may have it.
    fn mailboxes_for(&self, fax: &Arrival) -> Vec<Destination> {
        let to = match route::route(&self.setup, fax) {
            Routed::Route { to, .. } => to,
            Routed::Operator(operator) => vec![operator],
            Routed::Nobody => Vec::new(),
        };
        let mailboxes = to.iter().map(|client| self.mailbox_of(client));
        mailboxes.filter(|to| *to != Destination::Unrouted).collect()
    }

    /// Where the faxes of a client go; nowhere, when it has no mailbox.
    pub(super) fn mailbox_of(&self, client: &ClientName) -> Destination {
        let mailbox = self.setup.clients.get(client).and_then(|c| c.mailbox());
        mailbox.map_or(Destination::Unrouted, |address| {
            Destination::Mailbox(Mailbox {
                address: address.to_owned(),
                client: Some(client.clone()),
            })
        })
    }

    fn fax_in(&self, id: JobId, fax: &Arrival, to: Destination, now: Timestamp) -> Job {
        let cause = Cause::Arrived(Box::new(fax.clone()));
        let document = Some(fax.document.clone());
        Job { document, ..Job::new(id, cause, to, now, self.setup.limits.mail_expire) }
    }
}
