//! What a client asks by mail is answered by mail: a job, durable before the mail that
//! asked is taken. What must not be done twice is noted before it is done, and its
//! answer waits until it is known.

use super::{Action, Answer, Refusal, Supervisor};
use crate::{
    destination::Mailbox,
    job::{Answered, Cause, Inquiry, Job, State},
    names::JobId,
    time::Timestamp,
};

impl Supervisor {
    /// An answer to a mail that asked something is a job like any other.
    pub(super) fn inquire(
        &mut self,
        to: String,
        inquiry: Box<Inquiry>,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Answer {
        if !self.has_room_for_letters() {
            return Answer::Refused(Refusal::QueueFull);
        }
        let time = self.setup.limits.mail_expire;
        let to = Mailbox { address: to, client: Some(inquiry.client.clone()) };
        let is_known = inquiry.answer.is_some();
        let id = self.next_id();
        let mut job = Job::mail(id, Cause::Answer(inquiry), to, now, time);
        if !is_known {
            // Nothing goes out before there is something to say.
            job.state = State::Waiting { due: job.expires };
        }
        self.add(job, actions);
        Answer::Accepted(vec![id])
    }

    /// The first answer counts.
    pub(super) fn answered(
        &mut self,
        id: JobId,
        answer: Answered,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Answer {
        let answers = |job: &mut Job| match &mut job.cause {
            Cause::Answer(inquiry) if inquiry.answer.is_none() => {
                inquiry.answer = Some(answer);
                job.hurry(now)
            }
            _ => false,
        };
        match self.change(id, actions, answers) {
            true => Answer::Done(id),
            false => Answer::NoSuchJob(id),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::sync::Arc;

    use super::{
        super::{
            Event, Request, Saved,
            tests::{NOW, recipients, setup},
        },
        *,
    };
    use crate::{
        job::InquiryTopic,
        names::{ClientName, Token},
    };

    fn inquiry(answer: Option<&str>) -> Request {
        let inquiry = Inquiry {
            client: ClientName::new("anna").unwrap(),
            message_id: None,
            subject: None,
            question: "status".into(),
            about: None,
            topic: InquiryTopic::Any,
            answer: answer.map(Answered::text),
        };
        Request::Inquire { to: "anna@example.com".into(), inquiry: Box::new(inquiry) }
    }

    fn asked(supervisor: &mut Supervisor, request: Request) -> Vec<Action> {
        supervisor.handle(Event::Asked(request, Token(1)), NOW)
    }

    fn answer(id: u64, text: &str) -> Request {
        Request::Answered(JobId(id), Box::new(Answered::text(text)))
    }

    #[test]
    fn an_answer_goes_out_when_it_is_known_and_once() {
        let mut supervisor = Supervisor::restore(Arc::new(setup()), Saved::default());
        let actions = asked(&mut supervisor, inquiry(Some("well")));
        assert_eq!(recipients(&actions), ["anna@example.com"]);
        let actions = asked(&mut supervisor, inquiry(None));
        assert!(recipients(&actions).is_empty(), "{actions:?}");
        let jobs = vec![supervisor.job(JobId(2)).unwrap().clone()];
        let saved = Saved { jobs, next_job: 3, ..Saved::default() };
        let mut supervisor = Supervisor::restore(Arc::new(setup()), saved);
        assert!(recipients(&supervisor.handle(Event::Woke, NOW)).is_empty());
        assert_eq!(recipients(&asked(&mut supervisor, answer(2, "done"))), ["anna@example.com"]);
        let again = asked(&mut supervisor, answer(2, "other"));
        assert!(recipients(&again).is_empty(), "{again:?}");
        let Cause::Answer(kept) = &supervisor.job(JobId(2)).unwrap().cause else { panic!() };
        assert_eq!(kept.answer.as_ref().unwrap().text, "done");
    }

    #[test]
    fn answers_leave_room_for_faxes() {
        let mut setup = setup();
        setup.limits.max_jobs = 2;
        let mut supervisor = Supervisor::restore(Arc::new(setup), Saved::default());
        for taken in [true, false] {
            let actions = asked(&mut supervisor, inquiry(Some("well")));
            let found = actions
                .iter()
                .any(|action| matches!(action, Action::Promise(_, Answer::Accepted(_))));
            assert_eq!(found, taken, "{actions:?}");
        }
    }
}
