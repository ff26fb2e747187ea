//! One decision of the supervisor at a time.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    book::Owner,
    destination::{FaxAddress, Mailbox, Named},
    dial::{DialRule, Verdict},
    document::{Digest, Document, PageLedger, Paper, Resolution},
    job::{Alteration, AttemptEnd, Cause, End, Missed, Notify},
    names::{ClientName, GroupName, Token},
    notice::Report,
    number::Pattern,
    options::{Asked, Made, Wanted},
    outcome::Outcome,
    quota::Quota,
    retry::RetryRules,
    route::{Arrival, Route},
    setup::{Client, Group, JobLimits, Receipts, Receive, Server, Setup},
    time::WallClock,
};

pub(super) const NOW: Timestamp = Timestamp(1_700_000_000_000);

pub(super) fn server(name: &str) -> ServerName {
    ServerName::new(name).unwrap()
}

pub(super) fn client(name: &str) -> ClientName {
    ClientName::new(name).unwrap()
}

fn number(text: &str) -> Number {
    Number::try_from(text.to_owned()).unwrap()
}

pub(super) fn document(pages: u32) -> Document {
    Document {
        digest: Digest("d".into()),
        pages,
        resolution: Resolution::Fine,
        paper: Paper::A4,
        bytes: 1000,
    }
}

/// Two groups: anna and ann's server in london, bob in paris, carl in both.
pub(crate) fn setup() -> Setup {
    let group = |name: &str| GroupName::new(name).unwrap();
    let groups = |names: &[&str]| names.iter().map(|name| group(name)).collect();
    let member = |mail: &str, in_groups: &[&str]| Client {
        mail: vec![Pattern::new(mail)],
        groups: groups(in_groups),
        grants: vec![],
        receive: Receive::default(),
        receipts: Receipts::Always,
        quota: Quota::default(),
    };
    let machine = |in_groups: &[&str], lines| Server {
        groups: groups(in_groups),
        numbers: vec![],
        lines,
        draining: false,
        on_drift: Default::default(),
        takes: Default::default(),
        batch: 1,
    };
    let dial = |to: &str, verdict| DialRule { to: Pattern::new(to), from: vec![], verdict };
    Setup {
        domain: "fax.example.com".into(),
        country: "GB".parse().unwrap(),
        postmaster: "it@example.com".into(),
        groups: [
            (group("london"), Group { operator: Some(client("carl")), ..Group::default() }),
            (group("paris"), Group::default()),
        ]
        .into(),
        servers: [
            (server("london-1"), machine(&["london"], 2)),
            (server("london-2"), machine(&["london"], 1)),
            (server("paris-1"), machine(&["paris"], 1)),
        ]
        .into(),
        clients: [
            (client("anna"), member("anna@example.com", &["london"])),
            (client("bob"), member("bob@example.com", &["paris"])),
            (client("carl"), member("carl@example.com", &["london", "paris"])),
        ]
        .into(),
        roles: Default::default(),
        dial: vec![
            dial("+4490*", Verdict::Refuse("premium-rate numbers are barred".into())),
            dial("+33*", Verdict::Via(vec![server("paris-1"), server("london-2")])),
        ],
        routes: vec![Route {
            called: Some(Pattern::new("+442079460100")),
            to: vec![client("anna"), client("bob")],
            ..Route::default()
        }],
        webhooks: Default::default(),
        retry: RetryRules::default(),
        limits: JobLimits::default(),
    }
}

pub(super) fn submission(from: &str, to: &str, message_id: &str) -> Submission {
    Submission {
        client: client(from),
        reverse_path: Some(format!("{from}@example.com")),
        message_id: Some(message_id.into()),
        subject: None,
        message: "m".into(),
        return_mail: false,
        envelope_id: None,
        recipients: vec![Recipient {
            address: FaxAddress {
                number: number(to),
                subaddress: None,
                attention: None,
                as_written: format!("{to}@fax.example.com"),
                named: None,
                asked: Asked::default(),
            },
            notify: Notify::Unsaid,
            original: None,
            wanted: Wanted::default(),
            made: Some(document(3).into()),
        }],
        content: Digest("what is faxed".into()),
        priority: 0,
        disposition: false,
        release: None,
        deliver_by: None,
        missed: Vec::new(),
    }
}

pub(super) fn up() -> Health {
    Health::up("test", vec![])
}

fn supervisor(servers_up: &[&str]) -> Supervisor {
    let mut supervisor = Supervisor::restore(Arc::new(setup()), Saved::default());
    for name in servers_up {
        supervisor.handle(Event::Health(server(name), up()), NOW);
    }
    supervisor
}

fn submit(supervisor: &mut Supervisor, from: &str, to: &str) -> Vec<Action> {
    let id = format!("<{from}-{to}@example.com>");
    supervisor.handle(Event::Submitted(Box::new(submission(from, to, &id)), Token(1)), NOW)
}

fn carried(actions: &[Action]) -> Vec<(JobId, String)> {
    let carrier = |job: &Job| match &job.under_way().unwrap().carrier {
        Carrier::Server(name) => name.to_string(),
        Carrier::Mail => "mail".into(),
    };
    let carry = |action: &Action| match action {
        Action::Carry(job) => Some((job.id, carrier(job))),
        _ => None,
    };
    actions.iter().filter_map(carry).collect()
}

fn end(
    supervisor: &mut Supervisor,
    job: u64,
    attempt: u32,
    confirmed: u32,
    outcome: Outcome,
) -> Vec<Action> {
    let ledger = PageLedger { confirmed, ..PageLedger::default() };
    let end = AttemptEnd { at: NOW, outcome, said: String::new() };
    supervisor.handle(Event::Ended { job: JobId(job), attempt, ledger, end }, NOW)
}

#[test]
fn a_fax_is_saved_before_it_is_promised_and_carried_after() {
    let mut supervisor = supervisor(&["london-1"]);
    let actions = submit(&mut supervisor, "anna", "+442071234567");
    let kinds: Vec<&str> = actions
        .iter()
        .map(|action| match action {
            Action::Save(_) => "save",
            Action::Promise(..) => "promise",
            Action::Carry(_) => "carry",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["save", "promise", "save", "carry"]);
}

#[test]
fn only_servers_of_the_senders_groups_call() {
    let mut supervisor = supervisor(&["paris-1"]);
    assert!(carried(&submit(&mut supervisor, "anna", "+442071234567")).is_empty());
    assert_eq!(carried(&submit(&mut supervisor, "bob", "+442071234568"))[0].1, "paris-1");
}

#[test]
fn a_rule_cannot_lead_out_of_the_group() {
    let mut supervisor = supervisor(&["london-1", "london-2", "paris-1"]);
    // The rule prefers paris-1, which anna may not use.
    assert_eq!(carried(&submit(&mut supervisor, "anna", "+33142685300"))[0].1, "london-2");
    assert_eq!(carried(&submit(&mut supervisor, "carl", "+33142685301"))[0].1, "paris-1");
}

#[test]
fn refusals_name_their_reason() {
    let mut supervisor = supervisor(&["london-1"]);
    let refused = |actions: Vec<Action>| match &actions[..] {
        [Action::Promise(_, Answer::Refused(refusal))] => refusal.to_string(),
        other => panic!("{other:?}"),
    };
    let barred = refused(submit(&mut supervisor, "anna", "+449012345678"));
    assert!(
        barred.ends_with("destination not permitted: premium-rate numbers are barred"),
        "{barred}"
    );
    let mut long = submission("anna", "+442071234567", "<x@y>");
    long.recipients[0].made = Some(document(201).into());
    let event = Event::Submitted(Box::new(long), Token(1));
    assert_eq!(refused(supervisor.handle(event, NOW)), "201 pages, limit 200");
}

#[test]
fn one_number_is_called_once_at_a_time_and_holds_up_no_other() {
    let mut supervisor = supervisor(&["london-1", "london-2"]);
    assert_eq!(carried(&submit(&mut supervisor, "anna", "+442071234567")).len(), 1);
    assert!(carried(&submit(&mut supervisor, "carl", "+442071234567")).is_empty());
    assert_eq!(carried(&submit(&mut supervisor, "anna", "+442071234568")).len(), 1);
    let next = end(&mut supervisor, 1, 1, 3, Outcome::Delivered);
    assert!(carried(&next).iter().any(|(id, _)| *id == JobId(2)));
}

#[test]
fn a_server_that_batches_gets_what_else_is_for_the_number_without_another_line() {
    let mut supervisor = supervisor(&["london-1", "london-2"]);
    let mut setup = (*supervisor.setup).clone();
    for name in ["london-1", "london-2"] {
        let server = setup.servers.get_mut(&server(name)).unwrap();
        (server.lines, server.batch) = (1, 2);
    }
    supervisor.handle(Event::Reconfigured(Arc::new(setup)), NOW);
    let mut mails = 0;
    let mut submit = |supervisor: &mut Supervisor, to: &str| {
        mails += 1;
        let mail = submission("anna", to, &format!("<{mails}@example.com>"));
        carried(&supervisor.handle(Event::Submitted(Box::new(mail), Token(1)), NOW))
    };
    let first = submit(&mut supervisor, "+442071234567");
    let by = first[0].1.clone();
    let second = submit(&mut supervisor, "+442071234567");
    assert_eq!(second, [(JobId(2), by.clone())], "the same server, whose only line is in use");
    assert!(submit(&mut supervisor, "+442071234567").is_empty(), "two at most");
    let other = submit(&mut supervisor, "+442071234568");
    assert!(other.len() == 1 && other[0].1 != by, "the other server has the only free line");
    assert!(submit(&mut supervisor, "+442071234569").is_empty(), "no line");
    // One of two has ended: the third follows it, and the line is still in use.
    let next = carried(&end(&mut supervisor, 1, 1, 3, Outcome::Delivered));
    assert_eq!(next.iter().filter(|(id, _)| *id == JobId(3)).count(), 1);
    assert!(next.iter().all(|(id, _)| *id != JobId(5)), "no line yet");
    end(&mut supervisor, 2, 1, 3, Outcome::Delivered);
    let last = carried(&end(&mut supervisor, 3, 1, 3, Outcome::Delivered));
    assert!(last.iter().any(|(id, _)| *id == JobId(5)), "now there is one");
}

#[test]
fn a_local_fault_moves_at_once_and_a_busy_number_waits() {
    let mut supervisor = supervisor(&["london-1", "london-2"]);
    let first = carried(&submit(&mut supervisor, "anna", "+442071234567"));
    let second = carried(&end(&mut supervisor, 1, 1, 0, Outcome::NoDialTone));
    assert_eq!(second.len(), 1);
    assert_ne!(first[0].1, second[0].1);
    assert!(carried(&end(&mut supervisor, 1, 2, 0, Outcome::Busy)).is_empty());
    assert_eq!(supervisor.next_wake(NOW), Some(NOW + Duration::from_secs(180)));
    let later = supervisor.handle(Event::Woke, NOW + Duration::from_secs(180));
    assert_eq!(carried(&later).len(), 1);
}

#[test]
fn pages_that_no_server_takes_go_out_coarser_and_not_never() {
    let mut supervisor = supervisor(&["london-1", "london-2", "paris-1"]);
    let mut wide = submission("anna", "+442071234567", "<wide@x>");
    let made = Document { paper: Paper::A3, resolution: Resolution::Dots400, ..document(3) };
    wide.recipients[0].made = Some(made.into());
    let actions = supervisor.handle(Event::Submitted(Box::new(wide), Token(1)), NOW);
    assert_eq!(carried(&actions).len(), 1);
    let job = supervisor.jobs.get(&JobId(1)).unwrap();
    assert!(job.coarse);
    assert_eq!(job.shape(), crate::document::Shape::PLAINEST);
}

#[test]
fn a_retry_resumes_at_the_first_unconfirmed_page() {
    let mut supervisor = supervisor(&["london-1"]);
    submit(&mut supervisor, "anna", "+442071234567");
    end(&mut supervisor, 1, 1, 2, Outcome::Disconnected);
    let actions = supervisor.handle(Event::Woke, NOW + Duration::from_secs(60));
    let Some(Action::Carry(job)) = actions.iter().find(|a| matches!(a, Action::Carry(_))) else {
        panic!("{actions:?}")
    };
    assert_eq!(job.under_way().unwrap().first_page, 2);
    assert_eq!(job.pages_left(), 1);
}

#[test]
fn a_budget_that_is_used_up_ends_with_the_last_cause_and_a_receipt() {
    let mut supervisor = supervisor(&["london-1"]);
    submit(&mut supervisor, "anna", "+442071234567");
    end(&mut supervisor, 1, 1, 0, Outcome::DataModem);
    supervisor.handle(Event::Woke, NOW + Duration::from_secs(300));
    let actions = end(&mut supervisor, 1, 2, 0, Outcome::DataModem);
    let saved: Vec<&Job> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Save(Change::Job(job)) => Some(&**job),
            _ => None,
        })
        .collect();
    assert!(matches!(saved[0].state, State::Ended { end: End::Failed(Outcome::DataModem), .. }));
    assert_eq!(saved[1].cause, Cause::Receipt { of: JobId(1), report: Report::End });
    assert_eq!(carried(&actions), [(JobId(2), "mail".to_owned())]);
}

#[test]
fn a_receipt_is_sent_as_notify_says() {
    let on = |success, failure| Notify::On { success, failure, delay: false };
    for (notify, outcome, wanted) in [
        (Notify::Unsaid, Outcome::Delivered, true),
        (Notify::Unsaid, Outcome::BadDialString, true),
        (Notify::Never, Outcome::Delivered, false),
        (Notify::Never, Outcome::BadDialString, false),
        (on(true, false), Outcome::Delivered, true),
        (on(true, false), Outcome::BadDialString, false),
        (on(false, true), Outcome::Delivered, false),
        (on(false, true), Outcome::BadDialString, true),
    ] {
        for null_path in [false, true] {
            let mut supervisor = supervisor(&["london-1"]);
            let mut mail = submission("anna", "+442071234567", "<x@y>");
            mail.recipients[0].notify = notify;
            if null_path {
                mail.reverse_path = None;
            }
            supervisor.handle(Event::Submitted(Box::new(mail), Token(1)), NOW);
            let actions = end(&mut supervisor, 1, 1, 3, outcome);
            let receipts = carried(&actions).len() - alarms(&actions).len();
            assert_eq!(receipts, usize::from(wanted && !null_path), "{notify:?} {outcome:?}");
        }
    }
}

#[test]
fn the_same_mail_is_faxed_once() {
    let mut supervisor = supervisor(&["london-1"]);
    let first = submit(&mut supervisor, "anna", "+442071234567");
    let again = submit(&mut supervisor, "anna", "+442071234567");
    let ids = |actions: &[Action]| {
        actions.iter().find_map(|action| match action {
            Action::Promise(_, Answer::Accepted(ids)) => Some(ids.clone()),
            _ => None,
        })
    };
    assert_eq!(ids(&first), ids(&again));
    assert_eq!(again.len(), 1);
}

#[test]
fn a_list_that_misses_somebody_is_told_of_by_one_new_fax() {
    let mut setup = setup();
    let quota = Quota { calls_a_day: Some(2), ..Quota::default() };
    setup.clients.get_mut(&client("anna")).unwrap().quota = quota;
    let mut supervisor = Supervisor::restore(Arc::new(setup), Saved::default());
    let mut mail = submission("anna", "+442071234567", "list");
    let other = submission("anna", "+442071234568", "list").recipients.remove(0);
    // The second number is named by two lists, and called once.
    mail.recipients.extend([other.clone(), other]);
    mail.missed = vec![Missed { list: "All".into(), members: 2 }];
    let again = mail.clone();
    let actions = supervisor.handle(Event::Submitted(Box::new(mail), Token(1)), NOW);
    assert!(matches!(&actions[..],
        [.., Action::Promise(_, Answer::Accepted(ids))] if *ids == [JobId(1), JobId(2), JobId(2)]));
    let missed = |id| supervisor.job(JobId(id)).unwrap().sender().unwrap().missed.len();
    assert_eq!([missed(1), missed(2)], [1, 0]);
    let actions = supervisor.handle(Event::Submitted(Box::new(again), Token(2)), NOW);
    assert_eq!(actions.len(), 1, "the same mail makes nothing new: {actions:?}");
}

#[test]
fn another_number_is_not_that_of_the_entry() {
    let mut supervisor = supervisor(&[]);
    let mut mail = submission("anna", "+442071234567", "named");
    mail.recipients[0].address.named = Some(Named {
        entry: "Acme".into(),
        company: String::new(),
        list: None,
        owner: Owner::Supervisor,
    });
    supervisor.handle(Event::Submitted(Box::new(mail), Token(1)), NOW);
    let to = |supervisor: &Supervisor| match &supervisor.job(JobId(1)).unwrap().destination {
        Destination::Fax(fax) => fax.shown(),
        other => panic!("{other}"),
    };
    assert_eq!(to(&supervisor), "Acme (+442071234567@fax.example.com, +442071234567)");
    let number = Some(number("+442071234568"));
    let to_other = Alteration { number, ..Alteration::default() };
    supervisor.handle(Event::Asked(Request::Alter(JobId(1), to_other), Token(2)), NOW);
    assert_eq!(to(&supervisor), "+442071234568");
}

pub(super) fn arrival(server_name: &str, called: &str, key: &str) -> Arrival {
    Arrival {
        server: server(server_name),
        key: key.into(),
        line: None,
        called: Some(number(called)),
        caller: None,
        caller_name: None,
        tsi: None,
        subaddress: None,
        codes: Vec::new(),
        document: document(1),
        received: NOW,
        local: WallClock { weekday: 0, minute: 0 },
        duration: Duration::ZERO,
        bit_rate: None,
        error: None,
    }
}

pub(super) fn recipients(actions: &[Action]) -> Vec<String> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Carry(job) => Some(job.destination.to_string()),
            _ => None,
        })
        .collect()
}

pub(super) fn alarms(actions: &[Action]) -> Vec<Alarm> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Carry(job) => match &job.cause {
                Cause::Alarm(alarm) => Some(alarm.clone()),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

#[test]
fn a_fax_goes_where_the_route_says_and_only_inside_the_group() {
    let mut supervisor = supervisor(&[]);
    let arrived = |s: &mut Supervisor, from: &str, called: &str, key: &str| {
        s.handle(Event::Arrived(Box::new(arrival(from, called, key))), NOW)
    };
    // The route names anna and bob; only anna shares a group with the server.
    let actions = arrived(&mut supervisor, "london-1", "+442079460100", "a");
    assert_eq!(recipients(&actions), ["anna@example.com"]);
    assert!(matches!(actions.last(), Some(Action::Carry(_))));
    let release = actions.iter().position(|a| matches!(a, Action::Release(..))).unwrap();
    let save = actions.iter().position(|a| matches!(a, Action::Save(_))).unwrap();
    assert!(save < release);
    // No route: the operator.
    let actions = arrived(&mut supervisor, "london-1", "+442079460199", "b");
    assert_eq!(recipients(&actions), ["carl@example.com"]);
    // No operator: held, with an alarm, and released only since it is durable.
    let actions = arrived(&mut supervisor, "paris-1", "+442079460199", "c");
    assert_eq!(recipients(&actions), ["it@example.com"]);
    assert_eq!(alarms(&actions), [Alarm::Unrouted(JobId(3))]);
    // The same fax once more: only released.
    let actions = arrived(&mut supervisor, "paris-1", "+442079460199", "c");
    assert!(matches!(&actions[..], [Action::Release(..)]));
}

#[test]
fn a_mail_that_is_refused_goes_to_the_operator_and_then_is_held() {
    let mut supervisor = supervisor(&[]);
    let fax = arrival("london-1", "+442079460100", "a");
    supervisor.handle(Event::Arrived(Box::new(fax)), NOW);
    let actions = end(&mut supervisor, 1, 1, 0, Outcome::MailRefused);
    assert_eq!(recipients(&actions), ["carl@example.com"]);
    let actions = end(&mut supervisor, 1, 2, 0, Outcome::MailRefused);
    assert_eq!(recipients(&actions), ["it@example.com"]);
    assert_eq!(alarms(&actions), [Alarm::Undeliverable(JobId(1))]);
    assert_eq!(supervisor.job(JobId(1)).unwrap().state, State::Held);
}

#[test]
fn what_was_under_way_is_carried_on_after_a_restart() {
    let mut first = supervisor(&["london-1"]);
    submit(&mut first, "anna", "+442071234567");
    let job = first.job(JobId(1)).unwrap().clone();
    let saved = Saved { jobs: vec![job], next_job: 2, ..Saved::default() };
    let mut second = Supervisor::restore(Arc::new(setup()), saved);
    assert_eq!(carried(&second.resume()), [(JobId(1), "london-1".to_owned())]);
    // The number is still being called.
    second.handle(Event::Health(server("london-2"), up()), NOW);
    assert!(carried(&submit(&mut second, "carl", "+442071234567")).is_empty());
}

#[test]
fn a_job_under_way_ends_as_its_server_says_also_when_cancelled() {
    for (outcome, expected) in [
        (Outcome::Cancelled, End::Cancelled),
        (Outcome::Delivered, End::Delivered),
        (Outcome::Busy, End::Cancelled),
    ] {
        let mut supervisor = supervisor(&["london-1"]);
        submit(&mut supervisor, "anna", "+442071234567");
        let actions = supervisor.handle(Event::Asked(Request::Cancel(JobId(1)), Token(2)), NOW);
        assert!(actions.iter().any(|a| matches!(a, Action::Cancel(JobId(1), _))));
        let actions = end(&mut supervisor, 1, 1, 0, outcome);
        let Action::Save(Change::Job(job)) = &actions[0] else { panic!("{actions:?}") };
        assert!(matches!(&job.state, State::Ended { end, .. } if *end == expected));
    }
}

#[test]
fn a_waiting_job_expires_with_its_last_cause() {
    let mut supervisor = supervisor(&["london-1"]);
    submit(&mut supervisor, "anna", "+442071234567");
    end(&mut supervisor, 1, 1, 0, Outcome::Busy);
    supervisor.handle(Event::Health(server("london-1"), Health::Down { why: "x".into() }), NOW);
    let actions = supervisor.handle(Event::Woke, NOW + Duration::from_secs(24 * 3600));
    let Action::Save(Change::Job(job)) = &actions[0] else { panic!("{actions:?}") };
    assert!(matches!(job.state, State::Ended { end: End::Failed(Outcome::Busy), .. }));
}

#[test]
fn a_forbidden_job_that_waited_through_a_reload_ends() {
    let mut supervisor = supervisor(&[]);
    submit(&mut supervisor, "anna", "+442071234567");
    let mut changed = setup();
    changed.clients.remove(&client("anna"));
    supervisor.handle(Event::Reconfigured(Arc::new(changed)), NOW);
    let actions = supervisor.handle(Event::Health(server("paris-1"), up()), NOW);
    assert!(matches!(
        &actions[0],
        Action::Save(Change::Job(job))
            if matches!(job.state, State::Ended { end: End::Failed(Outcome::NumberForbidden), .. })
    ));
}

#[test]
fn mailboxes_are_those_of_their_clients() {
    let supervisor = supervisor(&[]);
    assert_eq!(
        supervisor.mailbox_of(&client("anna")),
        Destination::Mailbox(Mailbox {
            address: "anna@example.com".into(),
            client: Some(client("anna"))
        })
    );
    assert_eq!(supervisor.mailbox_of(&client("nobody")), Destination::Unrouted);
}

#[test]
fn a_fax_that_was_lost_with_its_server_has_a_receipt_and_an_alarm() {
    let mut supervisor = supervisor(&["london-1"]);
    submit(&mut supervisor, "anna", "+442071234567");
    let actions = end(&mut supervisor, 1, 1, 0, Outcome::Unknown);
    assert_eq!(recipients(&actions), ["anna@example.com", "it@example.com"]);
    assert_eq!(alarms(&actions), [Alarm::Lost(JobId(1), server("london-1"))]);
}

#[test]
fn a_machine_that_always_sends_the_same_message_id_loses_nothing() {
    let mut supervisor = supervisor(&[]);
    let mut mail = submission("anna", "+442071234567", "<constant@printer>");
    supervisor.handle(Event::Submitted(Box::new(mail.clone()), Token(1)), NOW);
    mail.content = Digest("another text".into());
    let actions = supervisor.handle(Event::Submitted(Box::new(mail), Token(2)), NOW);
    assert!(actions.iter().any(|action| matches!(action, Action::Save(_))));
}

#[test]
fn what_did_not_arrive_may_be_sent_again() {
    for end_it in [
        (|s: &mut Supervisor| end(s, 1, 1, 0, Outcome::BadDialString)) as fn(&mut Supervisor) -> _,
        |s: &mut Supervisor| {
            s.handle(Event::Asked(Request::Cancel(JobId(1)), Token(2)), NOW);
            end(s, 1, 1, 0, Outcome::Cancelled)
        },
    ] {
        let mut supervisor = supervisor(&["london-1"]);
        submit(&mut supervisor, "anna", "+442071234567");
        end_it(&mut supervisor);
        assert_eq!(carried(&submit(&mut supervisor, "anna", "+442071234567")).len(), 1);
    }
}

#[test]
fn a_server_that_did_not_come_to_call_is_not_the_end_of_the_fax() {
    let mut supervisor = supervisor(&["london-1", "london-2"]);
    let first = carried(&submit(&mut supervisor, "anna", "+442071234567"));
    let second = carried(&end(&mut supervisor, 1, 1, 0, Outcome::from_hylafax(325)));
    assert_eq!(second.len(), 1);
    assert_ne!(first[0].1, second[0].1);
}

#[test]
fn a_fax_that_nobody_got_goes_out_when_a_route_is_there() {
    let mut supervisor = supervisor(&[]);
    let fax = arrival("paris-1", "+442079460199", "a");
    supervisor.handle(Event::Arrived(Box::new(fax)), NOW);
    let ask = |s: &mut Supervisor| s.handle(Event::Asked(Request::Retry(JobId(1)), Token(1)), NOW);
    let actions = ask(&mut supervisor);
    assert!(matches!(actions[..], [Action::Promise(_, Answer::NobodyMayHave(_))]));
    let mut changed = setup();
    changed.groups.get_mut(&GroupName::new("paris").unwrap()).unwrap().operator =
        Some(client("bob"));
    let actions = supervisor.handle(Event::Reconfigured(Arc::new(changed)), NOW);
    assert_eq!(recipients(&actions), ["bob@example.com"]);
}

#[test]
fn a_route_that_comes_late_serves_everybody_whom_it_names() {
    let mut supervisor = supervisor(&[]);
    let fax = arrival("paris-1", "+442079460199", "a");
    supervisor.handle(Event::Arrived(Box::new(fax)), NOW);
    let mut changed = setup();
    changed.routes[0] = Route { to: vec![client("carl"), client("bob")], ..Route::default() };
    let actions = supervisor.handle(Event::Reconfigured(Arc::new(changed)), NOW);
    assert_eq!(recipients(&actions), ["carl@example.com", "bob@example.com"]);
    // A fax that was mailed before goes to one: the others had their own.
    let held = end(&mut supervisor, 1, 1, 0, Outcome::MailRefused);
    assert_eq!(alarms(&held), [Alarm::Undeliverable(JobId(1))]);
    let ask = Event::Asked(Request::Retry(JobId(1)), Token(1));
    assert_eq!(recipients(&supervisor.handle(ask, NOW)), ["carl@example.com"]);
}

#[test]
fn a_cancelled_fax_that_nobody_had_is_not_mailed_to_nobody() {
    let mut supervisor = supervisor(&[]);
    let fax = arrival("paris-1", "+442079460199", "a");
    supervisor.handle(Event::Arrived(Box::new(fax)), NOW);
    let job = supervisor.job(JobId(1)).unwrap().clone();
    let ask = Event::Asked(Request::Cancel(JobId(1)), Token(1));
    supervisor.handle(ask, NOW);
    let mut old = job;
    assert!(old.cancel(NOW));
    let again = Event::Asked(Request::Again(Box::new(old.clone())), Token(2));
    assert_eq!(recipients(&supervisor.handle(again, NOW)), Vec::<String>::new());
    assert_eq!(supervisor.job(JobId(3)).unwrap().state, State::Held);
    let mut changed = setup();
    changed.routes[0] = Route { to: vec![client("bob")], ..Route::default() };
    supervisor.handle(Event::Reconfigured(Arc::new(changed)), NOW);
    let again = Event::Asked(Request::Again(Box::new(old)), Token(2));
    assert_eq!(recipients(&supervisor.handle(again, NOW)), ["bob@example.com"]);
}

#[test]
fn a_hundred_faxes_that_nobody_may_have_are_no_hundred_alarms() {
    let mut supervisor = supervisor(&[]);
    let mut mailed = Vec::new();
    for key in 0..100 {
        let fax = arrival("paris-1", "+442079460199", &format!("{key}"));
        for action in supervisor.handle(Event::Arrived(Box::new(fax)), NOW) {
            if let Action::Save(Change::Job(job)) = action
                && let (Cause::Alarm(alarm), []) = (job.cause, &job.attempts[..])
            {
                mailed.push(alarm);
            }
        }
    }
    assert_eq!(mailed.len(), 50);
    assert!(matches!(mailed.last(), Some(Alarm::Many(_))), "{:?}", mailed.last());
}

#[test]
fn an_operator_without_a_mailbox_is_nobody() {
    let mut changed = setup();
    changed.clients.get_mut(&client("carl")).unwrap().mail = vec![Pattern::new("*@example.com")];
    changed.routes.clear();
    let mut supervisor = Supervisor::restore(Arc::new(changed), Saved::default());
    let fax = arrival("london-1", "+442079460199", "a");
    let actions = supervisor.handle(Event::Arrived(Box::new(fax)), NOW);
    assert_eq!(alarms(&actions).len(), 1);
    let ask = Event::Asked(Request::Retry(JobId(1)), Token(1));
    let actions = supervisor.handle(ask, NOW);
    assert!(matches!(actions[..], [Action::Promise(_, Answer::NobodyMayHave(_))]));
}

fn offer(supervisor: &mut Supervisor, message: &str, to: &str) -> Vec<Action> {
    let mut bare = submission("anna", to, &format!("<{message}>"));
    bare.message = message.into();
    bare.recipients[0].made = None;
    supervisor.handle(Event::Submitted(Box::new(bare), Token(0)), NOW)
}

fn made<const N: usize>(message: &str, ids: [u64; N]) -> Event {
    let pages = ids.map(|id| (JobId(id), Made::from(document(2))));
    Event::Prepared { message: message.into(), made: Ok(pages.into()) }
}

fn presses(actions: &[Action]) -> Vec<&str> {
    let mut mails = Vec::new();
    for action in actions {
        if let Action::Prepare(work) = action {
            mails.push(work.message.as_str());
        }
    }
    mails
}

#[test]
fn pages_are_made_of_as_many_mails_as_there_are_converters_and_then_called() {
    let mut supervisor = supervisor(&["london-1"]);
    let mut begun = Vec::new();
    for (mail, to) in [("m1", "+442071234561"), ("m2", "+442071234562"), ("m3", "+442071234563")] {
        let actions = offer(&mut supervisor, mail, to);
        assert!(carried(&actions).is_empty(), "nobody calls without pages");
        begun.extend(presses(&actions).into_iter().map(String::from));
    }
    assert_eq!(begun, ["m1", "m2"]);
    let actions = supervisor.handle(made("m1", [1]), NOW);
    assert_eq!((presses(&actions), carried(&actions).len()), (vec!["m3"], 1));
}

#[test]
fn a_mail_that_makes_no_pages_ends_with_a_receipt_that_says_why() {
    let mut supervisor = supervisor(&["london-1"]);
    offer(&mut supervisor, "m1", "+442071234561");
    let unfit = Unfit { outcome: Outcome::BadDocument, said: "plan.pdf is damaged".into() };
    let actions =
        supervisor.handle(Event::Prepared { message: "m1".into(), made: Err(unfit) }, NOW);
    let saved = |action: &Action| match action {
        Action::Save(Change::Job(job)) => Some((**job).clone()),
        _ => None,
    };
    let jobs: Vec<Job> = actions.iter().filter_map(saved).collect();
    assert_eq!(jobs[0].trouble.as_deref(), Some("plan.pdf is damaged"));
    assert!(jobs[0].is_in_vain());
    assert!(
        jobs.iter().any(|job| matches!(job.cause, Cause::Receipt { of, .. } if of == jobs[0].id))
    );
}

#[test]
fn all_recipients_of_a_mail_share_its_pages() {
    let mut supervisor = supervisor(&["london-1"]);
    let mut bare = submission("anna", "+442071234561", "<x@y>");
    bare.recipients.push(submission("anna", "+442071234562", "<x@y>").recipients.remove(0));
    bare.recipients.iter_mut().for_each(|to| to.made = None);
    let actions = supervisor.handle(Event::Submitted(Box::new(bare), Token(0)), NOW);
    assert_eq!(presses(&actions), ["m"]);
    supervisor.handle(made("m", [1, 2]), NOW);
    for id in [1, 2] {
        assert!(supervisor.job(JobId(id)).unwrap().document.is_some());
    }
}

/// A fax with a cover of one page and two pages of its own, called.
fn covered() -> (Supervisor, Job) {
    let mut supervisor = supervisor(&["london-1"]);
    let mut mail = submission("anna", "+442071234567", "covered");
    mail.recipients[0].made = Some(Made { cover: Some(document(1)), ..document(2).into() });
    mail.recipients[0].wanted.cover = Some("standard".into());
    let actions = supervisor.handle(Event::Submitted(Box::new(mail), Token(1)), NOW);
    assert_eq!(carried(&actions).len(), 1);
    let job = supervisor.job(JobId(1)).unwrap().clone();
    (supervisor, job)
}

#[test]
fn the_cover_counts_as_a_page_until_all_of_them_arrived() {
    let (mut supervisor, job) = covered();
    assert_eq!((job.pages(), job.pages_left()), (3, 3));
    let end = |outcome| AttemptEnd { at: NOW, outcome, said: String::new() };
    let ledger = |confirmed| PageLedger { confirmed, ..PageLedger::default() };
    let lost = Event::Ended {
        job: JobId(1),
        attempt: 1,
        ledger: ledger(9),
        end: end(Outcome::Disconnected),
    };
    supervisor.handle(lost, NOW);
    let job = supervisor.job(JobId(1)).unwrap();
    assert_eq!((job.confirmed, job.pages_left()), (2, 1), "the last page is still to be sent");
    supervisor.handle(Event::Woke, job.due().unwrap());
    let attempt = supervisor.job(JobId(1)).unwrap().under_way().unwrap();
    assert_eq!((attempt.number, attempt.first_page), (2, 2));
}

#[test]
fn the_cover_of_another_number_is_made_anew() {
    let (mut supervisor, _) = covered();
    let busy = AttemptEnd { at: NOW, outcome: Outcome::Busy, said: String::new() };
    let (job, ledger) = (JobId(1), PageLedger::default());
    supervisor.handle(Event::Ended { job, attempt: 1, ledger, end: busy }, NOW);
    let number = Some(number("+442071234568"));
    let to_other = Alteration { number, ..Alteration::default() };
    let actions = supervisor.handle(Event::Asked(Request::Alter(job, to_other), Token(2)), NOW);
    assert_eq!(presses(&actions), ["m"]);
    assert_eq!(supervisor.job(job).unwrap().pages(), 0);
    let of_others = made("m", [7]);
    supervisor.handle(of_others, NOW);
    let still = &supervisor.job(job).unwrap().state;
    assert!(matches!(still, State::Preparing { .. }), "pages of another fax: {still:?}");
}

#[test]
fn a_number_that_is_changed_while_its_cover_is_made_gets_a_cover_of_its_own() {
    let mut supervisor = supervisor(&["london-1"]);
    offer(&mut supervisor, "m1", "+442071234561");
    let number = Some(number("+442071234562"));
    let to_other = Alteration { number, ..Alteration::default() };
    supervisor.handle(Event::Asked(Request::Alter(JobId(1), to_other), Token(2)), NOW);
    let actions = supervisor.handle(made("m1", [1]), NOW);
    assert_eq!((presses(&actions), carried(&actions)), (vec!["m1"], vec![]));
    assert_eq!(carried(&supervisor.handle(made("m1", [1]), NOW)).len(), 1);
}

#[test]
fn pages_of_a_cover_are_charged_and_limited() {
    let mut supervisor = supervisor(&["london-1"]);
    let mut long = submission("anna", "+442071234567", "long");
    long.recipients[0].made = Some(Made { cover: Some(document(1)), ..document(200).into() });
    let refused = supervisor.handle(Event::Submitted(Box::new(long), Token(1)), NOW);
    let too_many = Refusal::TooManyPages { pages: 201, limit: 200 };
    assert!(
        matches!(&refused[..], [Action::Promise(_, Answer::Refused(why))] if *why == too_many),
        "{refused:?}"
    );
}

#[test]
fn a_fax_whose_pages_come_too_late_is_not_called_any_more() {
    let mut supervisor = supervisor(&["london-1"]);
    offer(&mut supervisor, "m1", "+442071234561");
    let late = NOW + JobLimits::default().expire;
    let actions = supervisor.handle(Event::Woke, late);
    let receipt = |action: &Action| matches!(action, Action::Carry(job) if matches!(job.cause, Cause::Receipt { .. }));
    assert!(actions.iter().any(receipt), "its sender is told: {actions:?}");
    assert_eq!(carried(&supervisor.handle(made("m1", [1]), late)), []);
    // Nobody has looked at the clock in between.
    offer(&mut supervisor, "m1", "+442071234562");
    let of_fax = |(_, carrier): &(JobId, String)| carrier != "mail";
    assert!(!carried(&supervisor.handle(made("m1", [2]), late)).iter().any(of_fax));
}

#[test]
fn recipients_that_are_one_number_are_one_fax_that_reports_for_all_of_them() {
    let on = |success, failure| Notify::On { success, failure, delay: false };
    let of = |to: &str, notify, original: Option<&str>| Recipient {
        notify,
        original: original.map(|address| ("rfc822".into(), address.into())),
        ..submission("anna", to, "").recipients.remove(0)
    };
    for message_id in [None, Some("<one@example.com>".to_owned())] {
        let mut supervisor = supervisor(&["london-1"]);
        let missed = vec![Missed { list: "Boards".into(), members: 2 }];
        let recipients = vec![
            of("+13125550100", Notify::Never, Some("boards@fax.example.com")),
            of("+13125550101", Notify::Never, None),
            of("+13125550101", on(true, false), Some("acme@fax.example.com")),
            of("+13125550101", on(false, true), Some("other@fax.example.com")),
        ];
        let mail = Submission {
            message_id: message_id.clone(),
            recipients,
            missed: missed.clone(),
            ..submission("anna", "+13125550100", "")
        };
        let actions = supervisor.handle(Event::Submitted(Box::new(mail), Token(1)), NOW);
        let promised = actions.iter().find_map(|action| match action {
            Action::Promise(_, Answer::Accepted(ids)) => Some(ids.clone()),
            _ => None,
        });
        let ids = promised.unwrap();
        assert_eq!(ids, [1, 2, 2, 2].map(JobId), "{message_id:?}");
        let sent = |id| supervisor.job(JobId(id)).unwrap().sender().unwrap();
        assert_eq!((sent(1).notify, sent(2).notify), (Notify::Never, on(true, true)));
        let original = sent(2).original_recipient.as_ref().unwrap();
        assert_eq!(original.1, "acme@fax.example.com");
        // Whoever wants to hear nothing of the first is told of the list by the second.
        assert!(sent(1).missed.is_empty());
        assert_eq!(sent(2).missed, missed);
    }
}
