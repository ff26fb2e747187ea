//! Mail that comes to us about our own mail: reports on faxes that were delivered by
//! mail, and letters to the postmaster. A received fax whose mail came back is taken up
//! again, since a fax is delivered only when somebody has it.
//!
//! What is never found here: a mail in answer to a report, other than the alarm to the
//! postmaster; a fax that is taken up twice for one report.

use super::{Action, Answer, Refusal, Supervisor, ended::to_operator};
use crate::{
    destination::{Destination, Mailbox},
    job::{Alarm, Cause, Forwarded, Job, State},
    time::Timestamp,
    webhook::Stage,
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
    /// earlier one speaks of a mail that somebody else has got since. A mail server may
    /// report before we have noted that it took the mail: then it has to come again.
    pub(super) fn returned(
        &mut self,
        report: Returned,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Answer {
        let Returned { mut job, attempt, said } = report;
        let id = job.id;
        let is_last = job.attempts.last().is_some_and(|last| last.number == attempt);
        let is_ours = matches!(job.cause, Cause::Arrived(_));
        if !is_last || !is_ours {
            return Answer::Done(id);
        }
        match self.jobs.get(&id) {
            Some(live) if live.under_way().is_some_and(|now| now.number == attempt) => {
                return Answer::UnderWay(id);
            }
            // It is tried again anyhow, or somebody else gets it already.
            Some(_) => return Answer::Done(id),
            // It has ended after it was read.
            None if !job.is_ended() => return Answer::UnderWay(id),
            None => {}
        }
        match said {
            Said::Noted(words) => {
                let before = Stage::of(&job);
                job.note(&words);
                self.save(before.as_ref(), &job, actions);
            }
            Said::Failed(words) => {
                let before = Stage::of(&job);
                if !job.came_back(&words, now) {
                    return Answer::Done(id);
                }
                let setup = self.setup.clone();
                to_operator(&mut job, &setup, now);
                let held = job.state == State::Held;
                self.save(before.as_ref(), &job, actions);
                self.keep(job);
                let alarm = if held { Alarm::Undeliverable(id) } else { Alarm::Returned(id) };
                self.alarm(alarm, now, actions);
            }
        }
        Answer::Done(id)
    }

    /// Letters that anybody may cause leave half of the room to faxes.
    pub(super) fn has_room_for_letters(&self) -> bool {
        self.jobs.len() < self.setup.limits.max_jobs.div_ceil(2)
    }

    /// A mail for the postmaster is a job like any other.
    pub(super) fn forward(
        &mut self,
        mail: Forwarded,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Answer {
        if !self.has_room_for_letters() {
            return Answer::Refused(Refusal::QueueFull);
        }
        let time = self.setup.limits.mail_expire;
        let to = Mailbox { address: self.setup.postmaster.clone(), client: None };
        let id = self.next_id();
        let cause = Cause::Forwarded(Box::new(mail));
        self.add(Job::new(id, cause, Destination::Mailbox(to), now, time), actions);
        Answer::Accepted(vec![id])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::sync::Arc;

    use super::{
        super::{
            Change, Event, Saved,
            requests::Request,
            tests::{NOW, alarms, arrival, recipients, setup, submission},
        },
        *,
    };
    use crate::{
        document::PageLedger,
        job::AttemptEnd,
        names::{JobId, Token},
        outcome::Outcome,
    };

    fn ended(supervisor: &mut Supervisor, job: u64, outcome: Outcome) -> Vec<Action> {
        let end = AttemptEnd { at: NOW, outcome, said: String::new() };
        let ledger = PageLedger::default();
        supervisor.handle(Event::Ended { job: JobId(job), attempt: 1, ledger, end }, NOW)
    }

    fn report(supervisor: &mut Supervisor, job: &Job) -> (Vec<Action>, Option<Answer>) {
        let said = Said::Failed("no such user".into());
        let report = Returned { job: job.clone(), attempt: 1, said };
        let asked = Event::Asked(Request::Returned(Box::new(report)), Token(1));
        let actions = supervisor.handle(asked, NOW);
        let answer = actions.iter().find_map(|action| match action {
            Action::Promise(_, answer) => Some(answer.clone()),
            _ => None,
        });
        (actions, answer)
    }

    #[test]
    fn a_report_that_overtakes_the_answer_of_the_mail_server_has_to_come_again() {
        let mut supervisor = Supervisor::restore(Arc::new(setup()), Saved::default());
        let fax = arrival("london-1", "+442079460100", "a");
        supervisor.handle(Event::Arrived(Box::new(fax)), NOW);
        let early = supervisor.job(JobId(1)).unwrap().clone();
        let (actions, answer) = report(&mut supervisor, &early);
        assert!(matches!(answer, Some(Answer::UnderWay(_))), "{answer:?}");
        assert_eq!(actions.len(), 1, "nothing is decided");
        let actions = ended(&mut supervisor, 1, Outcome::MailAccepted);
        let late = actions.into_iter().find_map(|action| match action {
            Action::Save(Change::Job(job)) => Some(*job),
            _ => None,
        });
        // It was read a moment before the mail was noted as taken.
        let (_, answer) = report(&mut supervisor, &early);
        assert!(matches!(answer, Some(Answer::UnderWay(_))), "{answer:?}");
        let (actions, answer) = report(&mut supervisor, &late.unwrap());
        assert!(matches!(answer, Some(Answer::Done(_))), "{answer:?}");
        assert_eq!(recipients(&actions), ["carl@example.com", "it@example.com"]);
    }

    #[test]
    fn a_letter_to_the_postmaster_that_is_lost_is_told_once() {
        let mut supervisor = Supervisor::restore(Arc::new(setup()), Saved::default());
        let mail = Forwarded { from: Some("bob@example.org".into()), message: "m".into() };
        let forward = Event::Asked(Request::Forward(Box::new(mail)), Token(1));
        assert_eq!(recipients(&supervisor.handle(forward, NOW)), ["it@example.com"]);
        let actions = ended(&mut supervisor, 1, Outcome::MailRefused);
        assert_eq!(alarms(&actions), [Alarm::Undeliverable(JobId(1))]);
        // Nobody is told that nobody could be told.
        assert_eq!(alarms(&ended(&mut supervisor, 2, Outcome::MailRefused)), []);
    }

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
