//! The press: which mail's pages are made next. They are made once for all jobs of a
//! mail that want them alike; a cover is one job's own.
//!
//! Why a job may wait for its pages: to make them takes a fraction of a second, to
//! take a mail a fraction of a millisecond. When many mails come at once they are
//! taken first (RFC 5321 4.5.3.2.6 wants the final dot answered quickly), and what
//! cannot be made into pages is told in a receipt.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use super::{Action, Supervisor};
use crate::{
    destination::{Destination, FaxAddress},
    job::{Job, State},
    names::{ClientName, JobId},
    options::{Made, Wanted},
    outcome::Outcome,
    quota::Used,
    time::Timestamp,
};

/// Why there are no pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The cause, as a receipt gives it.
    pub outcome: Outcome,
    /// The same in words that name the part of the mail.
    pub said: String,
}

/// A mail whose pages are to be made.
#[derive(Debug, Clone)]
pub struct Work {
    /// Names the mail.
    pub message: String,
    /// Who sent it.
    pub client: ClientName,
    /// Its faxes; at least one.
    pub orders: Vec<Order>,
}

/// One fax of a mail, as far as its pages depend on it.
#[derive(Debug, Clone)]
pub struct Order {
    /// Which one.
    pub job: JobId,
    /// Whom it goes to.
    pub to: FaxAddress,
    /// What its pages are to be.
    pub wanted: Wanted,
    /// When it was taken.
    pub taken: Timestamp,
}

impl Order {
    fn of(job: &Job) -> Option<Self> {
        let (sent, Destination::Fax(to)) = (job.sender()?, &job.destination) else { return None };
        Some(Self { job: job.id, to: to.clone(), wanted: sent.wanted.clone(), taken: job.created })
    }
}

/// Mails without pages, and those whose pages are being made.
#[derive(Debug, Default)]
pub(super) struct Press {
    /// Jobs without pages: most urgent first, then the longest due.
    waiting: BTreeSet<(Reverse<i8>, Timestamp, JobId)>,
    /// The same jobs by their mail.
    mails: HashMap<String, BTreeSet<JobId>>,
    /// Mails whose pages are being made, and where each of the faxes is to go.
    at_work: HashMap<String, HashMap<JobId, FaxAddress>>,
}

impl Press {
    pub(super) fn index(&mut self, job: &Job) {
        if let Some((due, mail)) = unprepared(job) {
            self.waiting.insert((Reverse(job.priority), due, job.id));
            self.mails.entry(mail.to_owned()).or_default().insert(job.id);
        }
    }

    pub(super) fn forget(&mut self, job: &Job) {
        let Some((due, mail)) = unprepared(job) else { return };
        self.waiting.remove(&(Reverse(job.priority), due, job.id));
        if let Some(jobs) = self.mails.get_mut(mail) {
            jobs.remove(&job.id);
            if jobs.is_empty() {
                self.mails.remove(mail);
            }
        }
    }

    /// The jobs without pages.
    pub(super) fn jobs(&self) -> impl Iterator<Item = &JobId> {
        self.waiting.iter().map(|(.., id)| id)
    }
}

/// When a job without pages is due, and the mail that they are made from.
fn unprepared(job: &Job) -> Option<(Timestamp, &str)> {
    match (&job.state, job.sender()) {
        (State::Preparing { due }, Some(sent)) => Some((*due, &sent.message)),
        _ => None,
    }
}

impl Supervisor {
    /// Has the pages made of as many mails as there are converters.
    pub(super) fn dispatch_pages(&mut self, actions: &mut Vec<Action>) {
        let press = &mut self.press;
        let free = self.setup.limits.converters.saturating_sub(press.at_work.len());
        if free == 0 {
            return;
        }
        let mut begun = 0;
        for (.., id) in &press.waiting {
            let sent = self.jobs[id].sender().expect("only a mail has pages to be made");
            let (message, client) = (sent.message.clone(), sent.client.clone());
            if press.at_work.contains_key(&message) {
                continue;
            }
            let faxes = press.mails.get(&message).into_iter().flatten();
            let orders: Vec<Order> = faxes.filter_map(|id| Order::of(&self.jobs[id])).collect();
            let ordered = orders.iter().map(|order| (order.job, order.to.clone())).collect();
            press.at_work.insert(message.clone(), ordered);
            actions.push(Action::Prepare(Box::new(Work { message, client, orders })));
            begun += 1;
            if begun == free {
                return;
            }
        }
    }

    /// The pages of a mail are made, or cannot be.
    pub(super) fn prepared(
        &mut self,
        mail: &str,
        made: Result<BTreeMap<JobId, Made>, Unfit>,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let ordered = self.press.at_work.remove(mail).unwrap_or_default();
        for id in self.press.mails.get(mail).cloned().unwrap_or_default() {
            // It came to the others, or got another number, after the pages were ordered.
            let is_stale = |to: &FaxAddress| ordered.get(&id).is_some_and(|then| then != to);
            let made = match (&made, &self.jobs[&id].destination) {
                (Ok(_), Destination::Fax(to)) if is_stale(to) => continue,
                (Ok(all), _) => match all.get(&id) {
                    Some(made) => self.short_enough(made.clone()),
                    None => continue,
                },
                (Err(unfit), _) => Err(unfit.clone()),
            };
            let made = made.and_then(|made| self.charge_pages(id, made, now));
            self.change(id, actions, |job| {
                match made {
                    _ if job.expires <= now => job.expire(now),
                    Ok(made) => job.prepared(made),
                    Err(unfit) => job.unfit(unfit.outcome, unfit.said, now),
                }
                true
            });
            self.conclude_saved(actions, now);
        }
    }

    /// Takes the pages from the sender's quota, of which the call was taken before.
    fn charge_pages(&mut self, id: JobId, made: Made, now: Timestamp) -> Result<Made, Unfit> {
        let sender = self.jobs[&id].sender().expect("only a mail has pages to be made");
        let client = sender.client.clone();
        let wanted = Used { pages: made.pages(), ..Used::default() };
        match self.quotas.admit(&self.setup, &client, wanted, now) {
            Ok(()) => {
                self.quotas.charge(&self.setup, &client, wanted, now);
                Ok(made)
            }
            Err(used_up) => {
                Err(Unfit { outcome: Outcome::TooManyPages, said: used_up.to_string() })
            }
        }
    }

    fn short_enough(&self, made: Made) -> Result<Made, Unfit> {
        let (pages, limit) = (made.pages(), self.setup.limits.max_pages);
        if pages <= limit {
            return Ok(made);
        }
        let said = format!("{pages} pages, limit {limit}");
        Err(Unfit { outcome: Outcome::TooManyPages, said })
    }
}
