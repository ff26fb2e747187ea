//! A client offers a fax: it is taken whole, or refused whole with the reason.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Answer, DuplicateKey, Supervisor};
use crate::{
    destination::{Destination, FaxAddress},
    document::Digest,
    fleet::{self, Denial},
    job::{Cause, DeliverBy, Job, Missed, Notify, Release, Sent, State},
    names::{ClientName, JobId, Token},
    notice,
    number::Number,
    options::{Made, Wanted},
    quota::{Used, UsedUp},
    time::Timestamp,
};

/// A mail that is to become faxes, durable.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Who sends.
    pub client: ClientName,
    /// Where receipts go; `None` is the null reverse-path.
    pub reverse_path: Option<String>,
    /// Message-ID of the mail.
    pub message_id: Option<String>,
    /// Subject of the mail.
    pub subject: Option<String>,
    /// Names the file that keeps the mail.
    pub message: String,
    /// SHA-256 of what is to be faxed.
    pub content: Digest,
    /// RET=FULL.
    pub return_mail: bool,
    /// ENVID, decoded.
    pub envelope_id: Option<String>,
    /// Who is to get it; at least one.
    pub recipients: Vec<Recipient>,
    /// 0 is ordinary, 9 most urgent, -9 least.
    pub priority: i8,
    /// When it is to go out, if not at once.
    pub release: Option<Release>,
    /// By when it is to be there.
    pub deliver_by: Option<DeliverBy>,
    /// Whether it asks for a disposition notification that may be sent.
    pub disposition: bool,
    /// Lists that do not reach everybody.
    pub missed: Vec<Missed>,
}

/// One recipient of a submission.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// The fax machine.
    pub address: FaxAddress,
    /// NOTIFY.
    pub notify: Notify,
    /// ORCPT, as its type and decoded address.
    pub original: Option<(String, String)>,
    /// What its pages are to be.
    pub wanted: Wanted,
    /// Its pages, durable; none when they are still to be made.
    pub made: Option<Made>,
}

impl Recipient {
    fn pages(&self) -> u32 {
        self.made.as_ref().map_or(0, Made::pages)
    }
}

/// Why a submission is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody may make one of the calls.
    #[error("{number}: {denial}")]
    Denied {
        /// The number.
        number: Number,
        /// Why.
        denial: Denial,
    },
    /// The document has more pages than allowed.
    #[error("{pages} pages, limit {limit}")]
    TooManyPages {
        /// Pages of the document.
        pages: u32,
        /// Pages allowed.
        limit: u32,
    },
    /// The sender has used up a quota.
    #[error("{0}")]
    UsedUp(UsedUp),
    /// More faxes to one number than anybody sends who is no loop.
    #[error("{number} got {limit} faxes within an hour, try again later")]
    TooOften {
        /// The number.
        number: Number,
        /// Faxes allowed in an hour.
        limit: u32,
    },
    /// Too many jobs wait already.
    #[error("too many faxes are waiting, try again later")]
    QueueFull,
}

impl Supervisor {
    /// Whether a submission may be taken.
    ///
    /// # Errors
    /// [`Refusal`] says why not.
    pub fn admit(&self, submission: &Submission) -> Result<(), Refusal> {
        let limits = &self.setup.limits;
        let pages = submission.recipients.iter().map(Recipient::pages).max().unwrap_or(0);
        if pages > limits.max_pages {
            return Err(Refusal::TooManyPages { pages, limit: limits.max_pages });
        }
        if self.jobs.len() + submission.recipients.len() > limits.max_jobs {
            return Err(Refusal::QueueFull);
        }
        for recipient in &submission.recipients {
            let number = &recipient.address.number;
            fleet::permitted(&self.setup, &submission.client, number)
                .map_err(|denial| Refusal::Denied { number: number.clone(), denial })?;
        }
        Ok(())
    }

    pub(super) fn submitted(
        &mut self,
        mut submission: Submission,
        token: Token,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        if let Err(refusal) =
            self.admit(&submission).and_then(|()| self.not_too_often(&submission, now))
        {
            actions.push(Action::Promise(token, Answer::Refused(refusal)));
            return;
        }
        self.forget_old_mails(now);
        if let Err(used_up) = self.charge(&submission, now) {
            let refusal = Refusal::UsedUp(used_up);
            actions.push(Action::Promise(token, Answer::Refused(refusal)));
            return;
        }
        let oldest = now - self.setup.limits.duplicate_window;
        let mut ids = Vec::with_capacity(submission.recipients.len());
        let faxes = once(&submission.recipients);
        // The first fax of the mail bears it whose sender hears of it. A mail that came before
        // was told of then.
        let hears = faxes.values().any(|fax| fax.notify != Notify::Never);
        let mut missed = std::mem::take(&mut submission.missed);
        let mut taken: BTreeMap<Called<'_>, JobId> = BTreeMap::new();
        for recipient in &submission.recipients {
            let called = called(recipient);
            if let Some(id) = taken.get(&called) {
                ids.push(*id);
                continue;
            }
            let key = duplicate_key(&submission, recipient);
            if let Some(id) = key.as_ref().and_then(|key| self.taken_before(key, oldest)) {
                ids.push(id);
                continue;
            }
            self.count_fax(&recipient.address.number, now);
            let id = self.next_id();
            let fax = faxes.get(&called).unwrap_or(recipient);
            let missed = match hears && fax.notify == Notify::Never {
                true => Vec::new(),
                false => std::mem::take(&mut missed),
            };
            self.add(self.job_of(id, &submission, fax, missed, now), actions);
            taken.insert(called, id);
            if let Some(key) = key {
                self.accepted.insert(key, (id, now));
            }
            ids.push(id);
        }
        actions.push(Action::Promise(token, Answer::Accepted(ids)));
    }

    fn taken_before(&self, key: &DuplicateKey, oldest: Timestamp) -> Option<JobId> {
        self.accepted.get(key).filter(|(_, at)| *at >= oldest).map(|(id, _)| *id)
    }

    /// Takes what the new faxes of a mail use from the sender's quota, or nothing of it.
    fn charge(&mut self, mail: &Submission, now: Timestamp) -> Result<(), UsedUp> {
        let oldest = now - self.setup.limits.duplicate_window;
        let is_new = |to: &&Recipient| {
            duplicate_key(mail, to).is_none_or(|key| self.taken_before(&key, oldest).is_none())
        };
        let mut seen = BTreeSet::new();
        let mut wanted = Used::default();
        for to in mail.recipients.iter().filter(is_new) {
            // A number that the same mail names twice is called once.
            if seen.insert(called(to)) {
                // Pages that are still to be made are charged when they are.
                wanted += Used::by_fax(&to.address.number, to.pages(), self.setup.country);
            }
        }
        self.quotas.admit(&self.setup, &mail.client, wanted, now)?;
        self.quotas.charge(&self.setup, &mail.client, wanted, now);
        Ok(())
    }

    fn job_of(
        &self,
        id: JobId,
        mail: &Submission,
        to: &Recipient,
        missed: Vec<Missed>,
        now: Timestamp,
    ) -> Job {
        let sent = Sent {
            client: mail.client.clone(),
            reverse_path: mail.reverse_path.clone(),
            message_id: mail.message_id.clone(),
            subject: mail.subject.clone(),
            message: mail.message.clone(),
            content: mail.content.clone(),
            return_mail: mail.return_mail,
            envelope_id: mail.envelope_id.clone(),
            original_recipient: to.original.clone(),
            notify: to.notify,
            disposition: mail.disposition,
            release: mail.release.clone(),
            deliver_by: mail.deliver_by,
            missed,
            wanted: to.wanted.clone(),
        };
        let address = Destination::Fax(to.address.clone());
        let due = mail.release.as_ref().map_or(now, |release| release.at.max(now));
        let given_back = mail.deliver_by.filter(|by| by.give_back).map(|by| by.at);
        let expires = due + self.setup.limits.expire;
        let planned = notice::planned(&sent, due, self.setup.limits.delay_notice);
        let cause = Cause::Sent(Box::new(sent));
        let mut job = Job {
            planned,
            priority: mail.priority,
            state: State::Preparing { due },
            expires: given_back.map_or(expires, |by| by.min(expires)),
            ..Job::new(id, cause, address, now, self.setup.limits.expire)
        };
        if let Some(made) = &to.made {
            job.prepared(made.clone());
        }
        job
    }

    fn forget_old_mails(&mut self, now: Timestamp) {
        // The whole map is walked only now and then: when it has doubled.
        if self.accepted.len() < self.accepted_walked_at {
            return;
        }
        let oldest = now - self.setup.limits.duplicate_window;
        self.accepted.retain(|_, (_, at)| *at >= oldest);
        self.accepted_walked_at = (self.accepted.len() * 2).max(1024);
    }
}

/// What is called: a machine, and whom it passes the fax to.
type Called<'a> = (&'a Number, Option<&'a str>);

fn called(to: &Recipient) -> Called<'_> {
    (&to.address.number, to.address.subaddress.as_deref())
}

/// The faxes that a mail becomes: what several of its recipients stand for, a list and one
/// of its members say, is one. It is reported for all of them, and as the first one that
/// wants to hear of it was written.
fn once(recipients: &[Recipient]) -> BTreeMap<Called<'_>, Recipient> {
    let mut faxes: BTreeMap<Called<'_>, Recipient> = BTreeMap::new();
    for to in recipients {
        let fax = faxes.entry(called(to)).or_insert_with(|| to.clone());
        if fax.original.is_none() || fax.notify == Notify::Never && to.notify != Notify::Never {
            fax.original.clone_from(&to.original);
        }
        fax.notify = fax.notify.or(to.notify);
    }
    faxes
}

/// A mail without a Message-ID is never taken for another, and neither is one with
/// another content: some machines send the same Message-ID always.
fn duplicate_key(mail: &Submission, to: &Recipient) -> Option<DuplicateKey> {
    Some(DuplicateKey {
        client: mail.client.to_string(),
        message_id: mail.message_id.clone()?,
        content: mail.content.clone(),
        number: to.address.number.clone(),
        subaddress: to.address.subaddress.clone(),
    })
}

impl DuplicateKey {
    /// By what a job that was made from a mail is recognised; none when it did not
    /// arrive, since its sender may well send it again.
    #[must_use]
    pub fn of(job: &Job) -> Option<Self> {
        if job.is_in_vain() { None } else { Self::of_any(job) }
    }

    pub(super) fn of_any(job: &Job) -> Option<Self> {
        let (sent, Destination::Fax(fax)) = (job.sender()?, &job.destination) else { return None };
        Some(Self {
            client: sent.client.to_string(),
            message_id: sent.message_id.clone()?,
            content: sent.content.clone(),
            number: fax.number.clone(),
            subaddress: fax.subaddress.clone(),
        })
    }
}
