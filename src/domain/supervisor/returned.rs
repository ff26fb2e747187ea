//! Mail that comes to us about our own mail: reports on faxes that were delivered by
//! mail, and letters to the postmaster. A received fax whose mail came back is taken up
//! again, since a fax is delivered only when somebody has it.
//!
//! What is never found here: a mail in answer to a report, other than the alarm to the
//! postmaster; a fax that is taken up twice for one report.

use super::{Action, Answer, Change, Refusal, Supervisor, ended::to_operator};
use crate::{
    destination::{Destination, Mailbox},
    job::{Alarm, Cause, Forwarded, Job, State},
    time::Timestamp,
};

/// A report on a mail of ours.
#[derive(Debug, Clone)]
pub struct Returned {
    /// The job of the mail, as it is in the store.
    pub job: Job,
    /// The attempt that the mail was sent by.
    pub attempt: u32,
    /// What was reported.
    pub said: Said,
}

/// What a report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The mail was not delivered and never will be; in the reporter's words.
    Failed(String),
    /// Anything else that is worth knowing, such as that it takes longer.
    Noted(String),
}

impl Supervisor {
    /// Only the last attempt of a job can come back, and only once: a report on an
    /// earlier one speaks of a mail that somebody else has got since.
    pub(super) fn returned(
        &mut self,
        report: Returned,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Answer {
        let Returned { mut job, attempt, said } = report;
        let id = job.id;
        let is_last = job.attempts.last().is_some_and(|last| last.number == attempt);
        let is_ours = matches!(job.cause, Cause::Arrived(_)) && job.is_ended();
        if !is_last || !is_ours || self.jobs.contains_key(&id) {
            return Answer::Done(id);
        }
        match said {
            Said::Noted(words) => {
                job.note(&words);
                actions.push(Action::Save(Change::Job(Box::new(job))));
            }
            Said::Failed(words) => {
                if !job.came_back(&words, now) {
                    return Answer::Done(id);
                }
                let setup = self.setup.clone();
                to_operator(&mut job, &setup, now);
                let held = job.state == State::Held;
                self.add(job, actions);
                let alarm = if held { Alarm::Undeliverable(id) } else { Alarm::Returned(id) };
                self.alarm(alarm, now, actions);
            }
        }
        Answer::Done(id)
    }

    /// A mail for the postmaster is a job like any other. Anybody may send one, so that
    /// such mails leave half of the room to faxes.
    pub(super) fn forward(
        &mut self,
        mail: Forwarded,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Answer {
        let limits = &self.setup.limits;
        if self.jobs.len() >= limits.max_jobs.div_ceil(2) {
            return Answer::Refused(Refusal::QueueFull);
        }
        let time = limits.mail_expire;
        let to = Mailbox { address: self.setup.postmaster.clone(), client: None };
        let id = self.next_id();
        let cause = Cause::Forwarded(Box::new(mail));
        self.add(Job::new(id, cause, Destination::Mailbox(to), now, time), actions);
        Answer::Accepted(vec![id])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::{
            Event, Request, Saved,
            tests::{NOW, setup, submission},
        },
        *,
    };
    use crate::names::Token;

    fn answer(actions: &[Action]) -> &Answer {
        let answers = actions.iter().find_map(|action| match action {
            Action::Promise(_, answer) => Some(answer),
            _ => None,
        });
        answers.unwrap()
    }

    #[test]
    fn letters_to_the_postmaster_leave_room_for_faxes() {
        let mut setup = setup();
        setup.limits.max_jobs = 4;
        let mut supervisor = Supervisor::restore(Arc::new(setup), Saved::default());
        for taken in [true, true, false] {
            let letter = Forwarded { from: None, message: "m".into() };
            let request = Request::Forward(Box::new(letter));
            let actions = supervisor.handle(Event::Asked(request, Token(1)), NOW);
            assert_eq!(matches!(answer(&actions), Answer::Accepted(_)), taken, "{actions:?}");
        }
        for taken in [true, true, false] {
            let fax = submission("anna", "+442071234567", &supervisor.next_job.to_string());
            let actions = supervisor.handle(Event::Submitted(Box::new(fax), Token(2)), NOW);
            assert_eq!(matches!(answer(&actions), Answer::Accepted(_)), taken, "{actions:?}");
        }
    }
}
