//! An attempt has ended; and what follows when its job has.

use std::collections::BTreeSet;

use super::{Action, Change, DuplicateKey, Supervisor};
use crate::{
    destination::{Destination, Mailbox},
    document::PageLedger,
    job::{Alarm, AttemptEnd, Carrier, Cause, End, Job, Sent, State},
    names::{ClientName, JobId},
    notice::{self, Happened, Report, Told},
    outcome::{Class, Outcome},
    route,
    setup::{Receipts, Setup},
    time::Timestamp,
};

impl Supervisor {
    pub(super) fn ended(
        &mut self,
        id: JobId,
        attempt: u32,
        ledger: PageLedger,
        end: AttemptEnd,
        actions: &mut Vec<Action>,
    ) {
        let (now, outcome) = (end.at, end.outcome);
        let under_way = self.jobs.get(&id).and_then(Job::under_way);
        let Some((carrier, ticket)) = under_way
            .filter(|current| current.number == attempt)
            .map(|current| (current.carrier.clone(), current.ticket.clone()))
        else {
            return;
        };
        let setup = self.setup.clone();
        self.learn(&carrier, outcome, &ledger);
        self.change(id, actions, |job| {
            job.attempt_ended(attempt, ledger, end, &setup.retry);
            reroute(job, &setup, now);
            true
        });
        self.conclude_saved(actions, now);
        if let Carrier::Server(server) = carrier {
            if outcome == Outcome::Unknown {
                self.alarm(Alarm::Lost(id, server.clone()), now, actions);
            }
            if let Some(ticket) = ticket {
                actions.push(Action::Forget(server, ticket));
            }
        }
    }

    /// What follows from the job that was saved just now: a receipt, an alarm. To be
    /// called right after the change, before anything else is saved.
    pub(super) fn conclude_saved(&mut self, actions: &mut Vec<Action>, now: Timestamp) {
        let saved = actions.iter().rev().find_map(|action| match action {
            Action::Save(Change::Job(job)) => Some(job.clone()),
            _ => None,
        });
        let Some(job) = saved else { return };
        if job.is_in_vain()
            && let Some(key) = DuplicateKey::of_any(&job)
        {
            // Sent again, it is another fax.
            self.accepted.remove(&key);
        }
        match (&job.cause, &job.state) {
            (Cause::Sent(sent), State::Ended { .. }) => {
                self.conclude_fax(&job, sent, now, actions);
            }
            (
                Cause::Receipt { report: Report::End | Report::Disposition, .. },
                State::Ended { end: End::Failed(_), .. },
            ) => {
                self.alarm(Alarm::Undeliverable(job.id), now, actions);
            }
            (Cause::Arrived(_), State::Held)
            | (Cause::Forwarded(_), State::Ended { end: End::Failed(_), .. }) => {
                self.alarm(Alarm::Undeliverable(job.id), now, actions);
            }
            _ => {}
        }
    }

    fn learn(&mut self, carrier: &Carrier, outcome: Outcome, ledger: &PageLedger) {
        let Carrier::Server(server) = carrier else { return };
        let Some(live) = self.fleet.0.get_mut(server) else { return };
        match outcome.class() {
            Class::Done => live.measure(ledger.confirmed, ledger.duration),
            Class::Elsewhere => live.failures = live.failures.saturating_add(1),
            _ => {}
        }
    }

    /// Tells whoever is to know how a fax ended, once.
    fn conclude_fax(&mut self, job: &Job, sent: &Sent, now: Timestamp, actions: &mut Vec<Action>) {
        let happened = Happened::of(job, &self.setup.retry);
        let client = self.setup.clients.get(&sent.client);
        let receipts = client.map_or_else(Receipts::default, |client| client.receipts);
        match notice::told(happened, sent, receipts) {
            Told::Sender(report) => drop(self.receipt(job, report, now, actions)),
            Told::Postmaster => self.alarm(Alarm::Untold(job.id), now, actions),
            Told::Nobody => {}
        }
        // That it takes long is no news any more.
        let stale = job.delay_report.and_then(|id| self.jobs.get(&id));
        if let Some(id) = stale.filter(|report| report.due().is_some()).map(|report| report.id) {
            self.change(id, actions, |report| report.cancel(now));
        }
    }

    /// Tells the senders of what is still tried after a while, each once.
    pub(super) fn report_delays(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let until = (now, JobId(u64::MAX));
        let due: BTreeSet<JobId> = self.planned.range(..=until).map(|(_, id)| *id).collect();
        for id in due {
            let mut planned = None;
            self.change(id, actions, |job| {
                planned = notice::take_due(&mut job.planned, now);
                true
            });
            let Some((report, job)) = planned.zip(self.jobs.get(&id).cloned()) else { continue };
            let told = self.receipt(&job, report, now, actions);
            self.change(id, actions, |job| {
                job.delay_report = told;
                true
            });
        }
    }

    fn receipt(
        &mut self,
        of: &Job,
        report: Report,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Option<JobId> {
        let sent = of.sender()?;
        let address = sent.reverse_path.clone()?;
        let to = Mailbox { address, client: Some(sent.client.clone()) };
        let time = self.setup.limits.mail_expire;
        let id = self.next_id();
        self.add(Job::mail(id, Cause::Receipt { of: of.id, report }, to, now, time), actions);
        Some(id)
    }
}

/// A received fax never ends undelivered: it goes to the operator, and when that
/// fails as well it is held for an administrator.
pub(super) fn reroute(job: &mut Job, setup: &Setup, now: Timestamp) {
    if matches!(job.state, State::Ended { end: End::Failed(_), .. }) {
        to_operator(job, setup, now);
    }
}

/// Takes a received fax from the client that it was meant for and gives it to the
/// operator, or to nobody when it was the operator's.
pub(super) fn to_operator(job: &mut Job, setup: &Setup, now: Timestamp) {
    let Cause::Arrived(fax) = &job.cause else { return };
    let had_it = |name: &ClientName| match &job.destination {
        Destination::Mailbox(mailbox) => mailbox.client.as_ref() == Some(name),
        _ => false,
    };
    let to = route::operator(setup, &fax.server).filter(|operator| !had_it(operator));
    let to = to.and_then(|name| {
        let address = setup.clients.get(&name)?.mailbox()?.to_owned();
        Some(Destination::Mailbox(Mailbox { address, client: Some(name) }))
    });
    job.redirect(to.unwrap_or(Destination::Unrouted), now, setup.limits.mail_expire);
}
