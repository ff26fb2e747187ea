//! Who is told what, and when, as the supervisor does it; the table itself is tested
//! in [`crate::notice`].

use std::time::Duration;

use super::{
    tests::{NOW, server, setup, submission, up},
    *,
};
use crate::{
    document::PageLedger,
    job::{AttemptEnd, DeliverBy, Notify},
    names::Token,
    notice::Report,
    outcome::Outcome,
};

const NUMBER: &str = "+442071234567";

/// A supervisor with one server that is up, and a fax of anna's on its way.
fn with_fax(change: impl FnOnce(&mut Submission)) -> Supervisor {
    let mut supervisor = Supervisor::restore(Arc::new(setup()), Saved::default());
    supervisor.handle(Event::Health(server("london-1"), up()), NOW);
    let mut mail = submission("anna", NUMBER, "<x@y>");
    change(&mut mail);
    supervisor.handle(Event::Submitted(Box::new(mail), Token(1)), NOW);
    supervisor
}

fn at(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

fn end(supervisor: &mut Supervisor, attempt: u32, outcome: Outcome, seconds: u64) -> Vec<Action> {
    let end = AttemptEnd { at: at(seconds), outcome, said: String::new() };
    let ledger = PageLedger::default();
    supervisor.handle(Event::Ended { job: JobId(1), attempt, ledger, end }, at(seconds))
}

/// What is mailed: reports about the fax, by their kind, and alarms.
fn mailed(actions: &[Action]) -> Vec<Cause> {
    let mail = |action: &Action| match action {
        Action::Carry(job) if job.sender().is_none() => Some(job.cause.clone()),
        _ => None,
    };
    actions.iter().filter_map(mail).collect()
}

fn report(report: Report) -> Cause {
    Cause::Receipt { of: JobId(1), report }
}

#[test]
fn a_fax_that_takes_long_is_reported_once() {
    let mut supervisor = with_fax(|_| {});
    end(&mut supervisor, 1, Outcome::RemoteFull, 1);
    assert_eq!(mailed(&supervisor.handle(Event::Woke, at(3599))), []);
    assert_eq!(supervisor.next_wake(at(3599)), Some(at(3600)));
    assert_eq!(mailed(&supervisor.handle(Event::Woke, at(3600))), [report(Report::Late)]);
    assert_eq!(mailed(&supervisor.handle(Event::Woke, at(7200))), []);
}

#[test]
fn it_is_also_reported_while_a_call_is_under_way_and_after_a_restart() {
    let mut supervisor = with_fax(|_| {});
    let jobs = vec![supervisor.job(JobId(1)).unwrap().clone()];
    assert_eq!(mailed(&supervisor.handle(Event::Woke, at(3600))), [report(Report::Late)]);
    let saved = Saved { jobs, ..Saved::default() };
    let mut restored = Supervisor::restore(Arc::new(setup()), saved);
    assert_eq!(mailed(&restored.handle(Event::Woke, at(4000))), [report(Report::Late)]);
}

#[test]
fn a_time_limit_that_only_warns_warns() {
    let mut supervisor = with_fax(|mail| {
        mail.deliver_by = Some(DeliverBy { at: at(60), give_back: false, trace: false });
    });
    end(&mut supervisor, 1, Outcome::RemoteFull, 1);
    assert_eq!(mailed(&supervisor.handle(Event::Woke, at(60))), [report(Report::Overdue)]);
    assert!(supervisor.job(JobId(1)).is_some(), "it is still tried");
    assert_eq!(mailed(&supervisor.handle(Event::Woke, at(3600))), []);
}

#[test]
fn a_time_limit_that_gives_back_gives_back() {
    let mut supervisor = with_fax(|mail| {
        mail.deliver_by = Some(DeliverBy { at: at(600), give_back: true, trace: false });
    });
    end(&mut supervisor, 1, Outcome::Busy, 1);
    let last = end(&mut supervisor, 1, Outcome::Busy, 2);
    assert_eq!(mailed(&last), [], "an attempt that is over ends nothing");
    supervisor.handle(Event::Woke, at(181));
    // Busy again so late that the next call would come after the time.
    let last = end(&mut supervisor, 2, Outcome::Busy, 500);
    assert_eq!(mailed(&last), [report(Report::End)]);
    assert!(supervisor.job(JobId(1)).is_none());
}

#[test]
fn a_delay_is_no_news_once_the_fax_has_ended() {
    let mut supervisor = with_fax(|_| {});
    supervisor.handle(Event::Woke, at(3600));
    let deferred = AttemptEnd { at: at(3601), outcome: Outcome::MailDeferred, said: "".into() };
    let ledger = PageLedger::default();
    let event = Event::Ended { job: JobId(2), attempt: 1, ledger, end: deferred };
    supervisor.handle(event, at(3601));
    assert!(supervisor.job(JobId(2)).is_some(), "the report waits for the mail server");
    let actions = end(&mut supervisor, 1, Outcome::Delivered, 3602);
    assert_eq!(mailed(&actions), [report(Report::End)]);
    assert!(supervisor.job(JobId(2)).is_none(), "it is withdrawn");
}

#[test]
fn a_loss_that_nobody_can_be_told_of_alarms_the_postmaster() {
    for (outcome, wanted) in [
        (Outcome::NotInService, vec![Cause::Alarm(Alarm::Untold(JobId(1)))]),
        (Outcome::Delivered, vec![]),
        (Outcome::Cancelled, vec![]),
    ] {
        let mut supervisor = with_fax(|mail| mail.reverse_path = None);
        assert_eq!(mailed(&supervisor.handle(Event::Woke, at(3600))), []);
        assert_eq!(mailed(&end(&mut supervisor, 1, outcome, 3601)), wanted, "{outcome:?}");
    }
}

#[test]
fn a_disposition_is_told_to_who_asked_for_nothing_else() {
    let mut supervisor = with_fax(|mail| {
        mail.disposition = true;
        mail.recipients[0].notify = Notify::Never;
    });
    let actions = end(&mut supervisor, 1, Outcome::Delivered, 1);
    assert_eq!(mailed(&actions), [report(Report::Disposition)]);
    let saved = actions.into_iter().find_map(|action| match action {
        Action::Save(Change::Job(job)) if job.id == JobId(1) => Some(job),
        _ => None,
    });
    supervisor.handle(Event::Asked(Request::Again(saved.unwrap()), Token(2)), at(2));
    let delivered = AttemptEnd { at: at(3), outcome: Outcome::Delivered, said: "".into() };
    let ledger = PageLedger::default();
    let event = Event::Ended { job: JobId(3), attempt: 1, ledger, end: delivered };
    assert_eq!(mailed(&supervisor.handle(event, at(3))), [], "one for a mail");
    assert!(supervisor.job(JobId(3)).is_none());
}

#[test]
fn a_row_of_an_earlier_version_can_be_read() {
    let cause: Cause = serde_json::from_str(r#"{"receipt":{"of":7}}"#).unwrap();
    assert_eq!(cause, Cause::Receipt { of: JobId(7), report: Report::End });
    let supervisor = with_fax(|_| {});
    let mut job = serde_json::to_value(supervisor.job(JobId(1)).unwrap()).unwrap();
    for key in ["planned", "delay_report"] {
        job.as_object_mut().unwrap().remove(key).unwrap();
    }
    job["cause"]["sent"].as_object_mut().unwrap().remove("disposition").unwrap();
    let job: Job = serde_json::from_value(job).unwrap();
    assert!(job.planned.is_empty() && job.delay_report.is_none());
}
