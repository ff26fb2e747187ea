//! The registry by hand, case by case, and under random sequences of events against
//! what must never happen.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    authority::{Grant, Role, Scope, Verb},
    fleet::Health,
    names::{HookName, RoleName, Token},
    settings::{Characters, Fate, Key, Kind, Level, MAX_VERSIONS, OnDrift},
    supervisor::{
        Event, Request, Saved,
        tests::{NOW, alarms, client, server, setup, up},
    },
    webhook::{self, Hook},
};

const LONDON: &str = "london-1";

static SCHEMA: Schema = Schema {
    kind: "test",
    keys: &[
        key("max_dials", Level::Server, Kind::Number { min: 1, max: 100, unit: "calls" }),
        key("rings", Level::Line, Kind::Number { min: 1, max: 9, unit: "rings" }),
        key("name", Level::Server, Kind::Text { max_chars: 9, of: Characters::Ascii }),
    ],
};

const fn key(name: &'static str, level: Level, kind: Kind) -> Key {
    Key { name, level, kind, default: "", about: "" }
}

fn dials(number: i64) -> Settings {
    Settings([(Name::of_server("max_dials"), Value::Number(number))].into())
}

fn held(number: i64, at: Timestamp) -> Held {
    Held { settings: dials(number), lines: vec!["ttyFAX0".into()], at }
}

fn asker(who: Who) -> Asker {
    Asker { who, door: Door::Socket, from: "uid 0".into() }
}

fn at(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

fn supervisor(on_drift: OnDrift, saved: Saved) -> Supervisor {
    let mut setup = setup();
    for server in setup.servers.values_mut() {
        server.on_drift = on_drift;
    }
    let mut supervisor = Supervisor::restore(Arc::new(setup), saved);
    supervisor.handle(Event::Settable([(server(LONDON), &SCHEMA)].into()), NOW);
    supervisor
}

/// One whose server was read and holds three dials.
fn adopted(on_drift: OnDrift) -> Supervisor {
    let mut supervisor = supervisor(on_drift, Saved::default());
    supervisor.handle(Event::ReadBack(server(LONDON), held(3, NOW)), NOW);
    supervisor
}

fn ask_as(
    supervisor: &mut Supervisor,
    who: Who,
    name: &str,
    what: AskSettings,
) -> (Vec<Action>, Result<Sheet, String>) {
    let request = SettingsRequest { server: server(name), by: asker(who), what };
    let request = Request::Settings(Box::new(request));
    let actions = supervisor.handle(Event::Asked(request, Token(1)), at(1));
    let answer = actions.iter().find_map(|action| match action {
        Action::Promise(Token(1), Answer::Settings(sheet)) => Some(Ok((**sheet).clone())),
        Action::Promise(Token(1), Answer::NotSet(why)) => Some(Err(why.to_string())),
        _ => None,
    });
    (actions, answer.expect("whoever asks is answered"))
}

fn ask(supervisor: &mut Supervisor, what: AskSettings) -> (Vec<Action>, Result<Sheet, String>) {
    ask_as(supervisor, Who::Administrator, LONDON, what)
}

fn sheet(supervisor: &mut Supervisor) -> Sheet {
    ask(supervisor, AskSettings::Get).1.unwrap()
}

fn register(base: Option<u64>, number: i64) -> AskSettings {
    let changes = vec![(Name::of_server("max_dials"), Some(Value::Number(number)))];
    AskSettings::Register { base, changes, reason: String::new() }
}

fn pushes(actions: &[Action]) -> Vec<(u64, Settings)> {
    let push = |action: &Action| match action {
        Action::Push { version, settings, .. } => Some((*version, settings.clone())),
        _ => None,
    };
    actions.iter().filter_map(push).collect()
}

fn end(supervisor: &mut Supervisor, version: u64, end: Result<Settings, NotTaken>) -> Vec<Action> {
    let end = end.map_err(NotPushed::from);
    supervisor.handle(Event::Pushed(server(LONDON), version, end), at(2))
}

fn failed(why: &str, held: Option<Settings>) -> Result<Settings, NotTaken> {
    Err(NotTaken::Refused { why: why.into(), held })
}

fn hindered(why: &str) -> Result<Settings, NotTaken> {
    Err(NotTaken::Hindered { why: why.into(), held: None })
}

#[test]
fn what_a_server_has_is_its_first_version() {
    let mut supervisor = supervisor(OnDrift::Report, Saved::default());
    let (_, unread) = ask(&mut supervisor, AskSettings::Get);
    assert!(unread.unwrap_err().contains("was not read yet"));
    let actions = supervisor.handle(Event::ReadBack(server(LONDON), held(3, NOW)), NOW);
    assert!(matches!(&actions[..], [Action::Save(Change::Settings { new: Some(_), .. })]));
    let sheet = sheet(&mut supervisor);
    assert_eq!(sheet.record.latest().number, 1);
    assert_eq!(sheet.record.latest().author.door, Door::Supervisor);
    assert_eq!(sheet.record.state(), &State::Applied { at: NOW });
    let again = supervisor.handle(Event::ReadBack(server(LONDON), held(3, at(9))), at(9));
    assert!(again.is_empty(), "nothing new is worth no write: {again:?}");
}

#[test]
fn a_version_is_saved_with_its_promise_and_then_pushed() {
    let mut supervisor = adopted(OnDrift::Report);
    let (actions, answer) = ask(&mut supervisor, register(Some(1), 5));
    assert_eq!(answer.unwrap().record.state(), &State::Pending);
    assert!(
        matches!(&actions[0], Action::Save(Change::Settings { new: Some(v), .. }) if v.number == 2)
    );
    assert_eq!(pushes(&actions), [(2, dials(5))]);
    assert_eq!(pushes(&end(&mut supervisor, 2, Ok(dials(5)))), []);
    assert_eq!(sheet(&mut supervisor).record.state(), &State::Applied { at: at(2) });
}

#[test]
fn a_push_ends_in_one_of_these_ways() {
    let state = |result| {
        let mut supervisor = adopted(OnDrift::Report);
        drop(ask(&mut supervisor, register(None, 5)));
        end(&mut supervisor, 2, result);
        let record = sheet(&mut supervisor).record;
        (record.state().clone(), record.held().settings.clone())
    };
    let fails = |why: &str| State::Failed { at: at(2), why: why.into(), again: None };
    let waits = State::Failed { at: at(2), why: "full".into(), again: Some(at(32)) };
    let otherwise = "the server took it and holds something else: max_dials: 5 -> 4";
    for (result, wanted, holds) in [
        (Ok(dials(5)), State::Applied { at: at(2) }, 5),
        (Ok(dials(4)), fails(otherwise), 4),
        (Err(NotTaken::Away), State::Pending, 3),
        (failed("no", None), fails("no"), 3),
        (failed("half", Some(dials(7))), fails("half"), 7),
        (hindered("full"), waits, 3),
    ] {
        assert_eq!(state(result), (wanted, dials(holds)));
    }
}

#[test]
fn a_server_that_is_away_gets_the_newest_when_it_is_back() {
    let mut supervisor = adopted(OnDrift::Report);
    drop(ask(&mut supervisor, register(None, 5)));
    let heard = |supervisor: &mut Supervisor| {
        pushes(&supervisor.handle(Event::Health(server(LONDON), up()), at(3)))
    };
    assert_eq!(heard(&mut supervisor), [], "one push at a time");
    assert_eq!(pushes(&end(&mut supervisor, 2, Err(NotTaken::Away))), [], "not at once");
    let down = Event::Health(server(LONDON), Health::Down { why: "gone".into() });
    assert_eq!(pushes(&supervisor.handle(down, at(3))), []);
    assert_eq!(heard(&mut supervisor), [(2, dials(5))]);
    let (actions, _) = ask(&mut supervisor, register(Some(2), 6));
    assert_eq!(pushes(&actions), [], "one push at a time");
    assert_eq!(pushes(&end(&mut supervisor, 2, Ok(dials(5)))), [(3, dials(6))]);
    end(&mut supervisor, 3, Ok(dials(6)));
    assert_eq!(sheet(&mut supervisor).record.state(), &State::Applied { at: at(2) });
}

/// A push of version 2 that ends `seconds` after the start, and the alarms of it.
fn end_at(
    supervisor: &mut Supervisor,
    seconds: u64,
    end: Result<Settings, NotTaken>,
) -> Vec<Alarm> {
    let end = end.map_err(NotPushed::from);
    alarms(&supervisor.handle(Event::Pushed(server(LONDON), 2, end), at(seconds)))
}

fn pushed_at(supervisor: &mut Supervisor, seconds: u64) -> usize {
    pushes(&supervisor.handle(Event::Woke, at(seconds))).len()
}

#[test]
fn what_may_pass_is_tried_again_after_pauses_that_grow() {
    let mut supervisor = adopted(OnDrift::Report);
    drop(ask(&mut supervisor, register(None, 5)));
    let mut failed_at = 10;
    for (due, rings) in [(40, 1), (70, 0), (130, 0), (250, 0), (490, 0)] {
        let rung = end_at(&mut supervisor, failed_at, hindered("full"));
        assert_eq!(rung.len(), rings, "at {failed_at}: one alarm for all of it");
        assert_eq!(pushed_at(&mut supervisor, due - 1), 0, "before {due}");
        assert_eq!(pushed_at(&mut supervisor, due), 1, "at {due}");
        assert_eq!(pushed_at(&mut supervisor, due + 1), 0, "one at a time");
        failed_at = due;
    }
    // Away in between changes neither the words nor since when.
    end_at(&mut supervisor, 100_000, Err(NotTaken::Away));
    let status = supervisor.settings_status(&server(LONDON)).unwrap();
    let again = Some(at(100_000 + 3600));
    assert_eq!(status.state, State::Failed { at: at(10), why: "full".into(), again });
    assert_eq!((status.version, status.since), (2, at(10)));
    assert_eq!(pushed_at(&mut supervisor, 103_600), 1);
    end_at(&mut supervisor, 103_601, Ok(dials(5)));
    assert_eq!(sheet(&mut supervisor).record.state(), &State::Applied { at: at(103_601) });
    assert_eq!(pushed_at(&mut supervisor, 200_000), 0);
}

#[test]
fn what_was_refused_waits_for_somebody() {
    let mut supervisor = adopted(OnDrift::Report);
    drop(ask(&mut supervisor, register(None, 5)));
    let told = |again, why: &str| Alarm::NotSet {
        server: server(LONDON),
        version: 2,
        why: why.into(),
        again,
    };
    let hindered = end_at(&mut supervisor, 10, hindered("busy"));
    assert_eq!(hindered, [told(Tried::ByItself, "busy")]);
    assert_eq!(pushed_at(&mut supervisor, 50), 1);
    // That it is no longer tried is told as well.
    let refused = end_at(&mut supervisor, 51, failed("no", None));
    assert_eq!(refused, [told(Tried::ByHand, "no")]);
    let health = |health| Event::Health(server(LONDON), health);
    supervisor.handle(health(Health::Down { why: String::new() }), at(60));
    assert_eq!(pushes(&supervisor.handle(health(up()), at(70))), []);
    assert_eq!(pushed_at(&mut supervisor, 1_000_000), 0);
    assert_eq!(pushes(&ask(&mut supervisor, AskSettings::Push).0), [(2, dials(5))]);
}

#[test]
fn what_may_pass_is_tried_at_every_return_of_the_server() {
    let mut supervisor = adopted(OnDrift::Report);
    drop(ask(&mut supervisor, register(None, 5)));
    end_at(&mut supervisor, 2, hindered("busy"));
    let heard = |supervisor: &mut Supervisor, health, seconds| {
        pushes(&supervisor.handle(Event::Health(server(LONDON), health), at(seconds))).len()
    };
    assert_eq!(heard(&mut supervisor, up(), 3), 1, "it was not heard of before");
    end_at(&mut supervisor, 4, hindered("busy"));
    assert_eq!(heard(&mut supervisor, up(), 5), 0, "it was there all the time");
    heard(&mut supervisor, Health::Down { why: String::new() }, 6);
    assert_eq!(heard(&mut supervisor, up(), 7), 1);
}

#[test]
fn versions_that_the_server_never_had_are_superseded() {
    let mut supervisor = adopted(OnDrift::Report);
    for (number, end_of_push) in
        [(5, Err(NotTaken::Away)), (6, Err(NotTaken::Away)), (7, Ok(dials(7)))]
    {
        drop(ask(&mut supervisor, register(None, number)));
        let version = sheet(&mut supervisor).record.latest().number;
        end(&mut supervisor, version, end_of_push);
    }
    // One that is on its way when the next one comes is there first.
    drop(ask(&mut supervisor, register(None, 8)));
    drop(ask(&mut supervisor, register(None, 9)));
    let fates = |supervisor: &mut Supervisor| {
        let record = sheet(supervisor).record;
        (1..=6).map(|number| record.fate(number)).collect::<Vec<_>>()
    };
    use Fate::{Newest, Replaced, Superseded};
    let expected = [Replaced, Superseded, Superseded, Replaced, Superseded, Newest];
    assert_eq!(fates(&mut supervisor), expected);
    end(&mut supervisor, 5, Ok(dials(8)));
    let expected = [Replaced, Superseded, Superseded, Replaced, Replaced, Newest];
    assert_eq!(fates(&mut supervisor), expected);
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let set = |name: &str, value| AskSettings::Register {
        base: None,
        changes: vec![(name.parse().unwrap(), value)],
        reason: String::new(),
    };
    let back = |to| AskSettings::Rollback { base: None, to, reason: String::new() };
    let talk = |reason: String| AskSettings::Register {
        base: None,
        changes: vec![(Name::of_server("max_dials"), None)],
        reason,
    };
    for (on, what, words) in [
        ("nowhere", AskSettings::Get, "there is no fax server nowhere"),
        ("london-2", AskSettings::Get, "nothing can be set at london-2"),
        (LONDON, register(Some(7), 5), "version 7 is not the newest: that is 1, by the admin"),
        (LONDON, register(Some(1), 500), "a whole number from 1 to 100"),
        (LONDON, register(Some(1), 3), "version 1 says that already"),
        (LONDON, set("max_dials", Some(Value::Text("3".into()))), "version 1 says that already"),
        (LONDON, set("colour", None), "there is no setting colour"),
        (LONDON, set("line.ttyS9.rings", Some(Value::Number(2))), "the lines are ttyFAX0"),
        (LONDON, back(4), "london-1 has no version 4; it has 1 to 1"),
        (LONDON, back(1), "version 1 says that already"),
        (LONDON, AskSettings::Adopt { reason: String::new() }, "version 1 says that already"),
        (LONDON, talk("x".repeat(501)), "longer than 500"),
    ] {
        let mut supervisor = adopted(OnDrift::Report);
        let (actions, answer) = ask_as(&mut supervisor, Who::Administrator, on, what);
        let why = answer.unwrap_err();
        assert!(why.contains(words), "{why}");
        assert_eq!(actions.len(), 1, "nothing is done: {actions:?}");
    }
}

#[test]
fn drift_is_an_event_for_those_who_may_read_settings() {
    let mut setup = setup();
    let role = RoleName::new("reader").unwrap();
    setup.roles.insert(role.clone(), Role { may: [Verb::SettingsRead].into() });
    let scope = Scope::Server(server(LONDON));
    setup.clients.get_mut(&client("anna")).unwrap().grants = vec![Grant { role, scope }];
    let hook = |who: &str| Hook {
        who: Who::Client(client(who)),
        events: [webhook::Event::Drifted].into(),
        url: "https://hooks.example.com/".into(),
        max_waiting: 10,
    };
    // Carl shares the group, and may not read.
    let hooks = ["anna", "carl"].map(|who| (HookName::new(who).unwrap(), hook(who)));
    setup.webhooks = hooks.into();
    let mut supervisor = Supervisor::restore(Arc::new(setup), Saved::default());
    supervisor.handle(Event::Settable([(server(LONDON), &SCHEMA)].into()), NOW);
    supervisor.handle(Event::ReadBack(server(LONDON), held(3, NOW)), NOW);
    let actions = supervisor.handle(Event::ReadBack(server(LONDON), held(9, at(10))), at(10));
    let told = actions.iter().filter_map(|action| match action {
        Action::Save(Change::Webhook { hook, new: Some(told), .. }) => {
            Some((hook.as_str(), told.event))
        }
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [("anna", webhook::Event::Drifted)]);
}

#[test]
fn drift_is_told_once_and_then_done_about_what_was_configured() {
    let drift = |supervisor: &mut Supervisor, number, seconds| {
        supervisor.handle(Event::ReadBack(server(LONDON), held(number, at(seconds))), at(seconds))
    };
    for (on_drift, versions, pushed) in
        [(OnDrift::Report, 1, 0), (OnDrift::Adopt, 2, 0), (OnDrift::Push, 1, 1)]
    {
        let mut supervisor = adopted(on_drift);
        let actions = drift(&mut supervisor, 9, 10);
        let changes = dials(3).differences(&dials(9));
        let told = Alarm::Drifted { server: server(LONDON), changes: changes.clone() };
        assert_eq!(alarms(&actions), [told], "{on_drift:?}");
        assert_eq!(pushes(&actions).len(), pushed, "{on_drift:?}");
        let record = sheet(&mut supervisor).record;
        assert_eq!(record.versions().count(), versions, "{on_drift:?}");
        let state = match on_drift {
            OnDrift::Report => State::Drifted { at: at(10), changes },
            OnDrift::Adopt => State::Applied { at: at(10) },
            OnDrift::Push => State::Pending,
        };
        assert_eq!(record.state(), &state, "{on_drift:?}");
        assert_eq!(alarms(&drift(&mut supervisor, 9, 20)), [], "{on_drift:?}: told once");
    }
    let mut supervisor = adopted(OnDrift::Report);
    drift(&mut supervisor, 9, 10);
    assert_eq!(alarms(&drift(&mut supervisor, 8, 20)).len(), 1, "a new one is told");
    drift(&mut supervisor, 3, 30);
    assert_eq!(sheet(&mut supervisor).record.state(), &State::Applied { at: at(30) });
    assert_eq!(alarms(&drift(&mut supervisor, 8, 40)).len(), 1, "and so is one that comes again");
}

#[test]
fn that_nobody_can_look_is_told_once_and_shown_until_somebody_can() {
    let mut supervisor = adopted(OnDrift::Report);
    let unreadable = |supervisor: &mut Supervisor, why: &str, seconds| {
        let event = Event::Unreadable(server(LONDON), why.into());
        alarms(&supervisor.handle(event, at(seconds)))
    };
    let told = [Alarm::NotRead { server: server(LONDON), why: "denied".into() }];
    assert_eq!(unreadable(&mut supervisor, "denied", 10), told);
    assert_eq!(unreadable(&mut supervisor, "too large", 20), []);
    let unread =
        |supervisor: &Supervisor| supervisor.settings_status(&server(LONDON)).unwrap().unread;
    let known = Unread { since: at(10), why: "too large".into() };
    assert_eq!(unread(&supervisor), Some(known));
    supervisor.handle(Event::ReadBack(server(LONDON), held(3, at(30))), at(30));
    assert_eq!(unread(&supervisor), None);
    assert_eq!(unreadable(&mut supervisor, "denied", 40), told, "and so is the next time");
}

#[test]
fn two_who_fight_over_a_setting_ring_no_bell_at_every_round() {
    let mut supervisor = adopted(OnDrift::Push);
    let mut rung = 0;
    for round in 1..10 {
        let read = Event::ReadBack(server(LONDON), held(9, at(round)));
        let actions = supervisor.handle(read, at(round));
        rung += alarms(&actions).len();
        assert_eq!(pushes(&actions), [(1, dials(3))], "once for each time that it is read");
        end(&mut supervisor, 1, Ok(dials(3)));
    }
    assert_eq!(rung, 1);
}

#[test]
fn what_somebody_else_has_set_is_never_overwritten_unseen() {
    let meddled = |number| {
        let end = Err(NotPushed::Meddled { held: dials(number) });
        Event::Pushed(server(LONDON), 2, end)
    };
    let read = |number, seconds| Event::ReadBack(server(LONDON), held(number, at(seconds)));
    for by_push in [true, false] {
        for (on_drift, newest, pushed) in [
            (OnDrift::Report, (2, dials(5)), vec![]),
            (OnDrift::Adopt, (3, dials(9)), vec![(3, dials(9))]),
            (OnDrift::Push, (2, dials(5)), vec![(2, dials(5))]),
        ] {
            let mut supervisor = adopted(on_drift);
            drop(ask(&mut supervisor, register(None, 5)));
            let actions = if by_push {
                supervisor.handle(meddled(9), at(2))
            } else {
                end(&mut supervisor, 2, Err(NotTaken::Away));
                supervisor.handle(read(9, 10), at(10))
            };
            let changes = dials(3).differences(&dials(9));
            let told = Alarm::Drifted { server: server(LONDON), changes };
            assert_eq!(alarms(&actions), [told], "{on_drift:?} {by_push}");
            assert_eq!(pushes(&actions), pushed, "{on_drift:?} {by_push}");
            let record = sheet(&mut supervisor).record;
            let latest = record.latest();
            assert_eq!((latest.number, latest.settings.clone()), newest, "{on_drift:?}");
            if on_drift == OnDrift::Report {
                let State::Failed { why, again: None, .. } = record.state() else { panic!() };
                assert!(why.ends_with("max_dials: 3 -> 9"), "{why}");
                let (actions, _) = ask(&mut supervisor, AskSettings::Push);
                assert_eq!(pushes(&actions), [(2, dials(5))], "who has read that may");
            }
        }
    }
    // What a push has left half done is our own.
    let mut supervisor = adopted(OnDrift::Report);
    for (version, number) in [(2, 5), (3, 6)] {
        drop(ask(&mut supervisor, register(None, number)));
        end(&mut supervisor, version, Err(NotTaken::Away));
    }
    let actions = supervisor.handle(read(5, 10), at(10));
    assert_eq!((alarms(&actions), pushes(&actions)), (vec![], vec![(3, dials(6))]));
}

#[test]
fn what_was_changed_at_the_server_is_dealt_with_before_it_is_set_anew() {
    let mut supervisor = adopted(OnDrift::Report);
    supervisor.handle(Event::ReadBack(server(LONDON), held(9, at(1))), at(1));
    let back = AskSettings::Rollback { base: None, to: 1, reason: String::new() };
    for what in [register(None, 5), back] {
        let refused = ask(&mut supervisor, what).1.unwrap_err();
        assert!(refused.contains("(max_dials: 3 -> 9)"), "{refused}");
    }
    drop(ask(&mut supervisor, AskSettings::Adopt { reason: String::new() }));
    assert!(ask(&mut supervisor, register(Some(2), 5)).1.is_ok());
}

#[test]
fn drift_is_adopted_or_overwritten_by_hand() {
    for (what, number, pushed) in [
        (AskSettings::Adopt { reason: "better so".into() }, 2, None),
        (AskSettings::Push, 1, Some((1, dials(3)))),
    ] {
        let mut supervisor = adopted(OnDrift::Report);
        supervisor.handle(Event::ReadBack(server(LONDON), held(9, at(1))), at(1));
        let (actions, answer) = ask(&mut supervisor, what);
        assert_eq!(answer.unwrap().record.latest().number, number);
        assert_eq!(pushes(&actions).first().cloned(), pushed);
    }
}

#[test]
fn an_old_version_comes_back_as_a_new_one() {
    let mut supervisor = adopted(OnDrift::Report);
    drop(ask(&mut supervisor, register(None, 5)));
    end(&mut supervisor, 2, Ok(dials(5)));
    let back = AskSettings::Rollback { base: Some(2), to: 1, reason: "worse".into() };
    let (actions, answer) = ask(&mut supervisor, back);
    let record = answer.unwrap().record;
    assert_eq!((record.latest().number, &record.latest().settings), (3, &dials(3)));
    assert_eq!(pushes(&actions), [(3, dials(3))]);
}

#[test]
fn history_is_bounded_and_outlives_the_server() {
    let mut supervisor = adopted(OnDrift::Report);
    for n in 0..MAX_VERSIONS + 5 {
        ask(&mut supervisor, register(None, if n % 2 == 0 { 5 } else { 6 })).1.unwrap();
    }
    let numbers: Vec<u64> =
        sheet(&mut supervisor).record.versions().map(|version| version.number).collect();
    let last = u64::try_from(MAX_VERSIONS).unwrap() + 6;
    assert_eq!(numbers, (7..=last).collect::<Vec<_>>());
    let mut setup = setup();
    setup.servers.remove(&server(LONDON));
    supervisor.handle(Event::Reconfigured(Arc::new(setup)), NOW);
    assert_eq!(sheet(&mut supervisor).record.versions().count(), MAX_VERSIONS);
    let refused = ask(&mut supervisor, register(None, 7)).1.unwrap_err();
    assert!(refused.contains("there is no fax server"), "{refused}");
}

#[derive(Debug, Clone)]
enum Step {
    Register {
        base: u64,
        number: i64,
    },
    Rollback(u64),
    Adopt,
    Push,
    /// Somebody changes it at the server.
    Meddle(i64),
    ReadBack,
    /// What the server does with the push that is under way.
    End(u8),
    Up,
    Down,
    /// Time goes by.
    Later(u64),
    Restart,
    Reload,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12u64, 1..5i64).prop_map(|(base, number)| Step::Register { base, number }),
        1 => (1..12u64).prop_map(Step::Rollback),
        1 => Just(Step::Adopt),
        1 => Just(Step::Push),
        2 => (1..5i64).prop_map(Step::Meddle),
        3 => Just(Step::ReadBack),
        6 => (0..6u8).prop_map(Step::End),
        2 => Just(Step::Up),
        1 => Just(Step::Down),
        2 => (1..5000u64).prop_map(Step::Later),
        1 => Just(Step::Restart),
        1 => Just(Step::Reload),
    ]
}

/// A push: version, what is to be set, what the server may hold.
type Ordered = (u64, Settings, Vec<Settings>);

/// The world around the registry: a store, a server, and what was promised.
struct World {
    supervisor: Supervisor,
    on_drift: OnDrift,
    now: Timestamp,
    store: Vec<Version>,
    standing: Option<crate::settings::Standing>,
    /// What the server really holds.
    server: Settings,
    /// Pushes that were ordered, oldest first.
    ordered: Vec<Ordered>,
    last_pushed: u64,
    promised: Vec<Version>,
    /// The versions that the server took.
    taken: BTreeSet<u64>,
}

impl World {
    fn new(on_drift: OnDrift) -> Self {
        Self {
            supervisor: supervisor(on_drift, Saved::default()),
            on_drift,
            now: NOW,
            store: vec![],
            standing: None,
            server: dials(3),
            ordered: vec![],
            last_pushed: 0,
            promised: vec![],
            taken: BTreeSet::new(),
        }
    }

    fn tell(&mut self, event: Event) {
        self.now = self.now + Duration::from_secs(1);
        for action in self.supervisor.handle(event, self.now) {
            match action {
                Action::Save(Change::Settings { new, standing, .. }) => {
                    if let Some(new) = new {
                        let next = self.store.last().map_or(1, |last| last.number + 1);
                        assert_eq!(new.number, next, "no version is skipped or made anew");
                        self.store.push(*new);
                    }
                    self.standing = Some(*standing);
                }
                Action::Push { version, settings, known, .. } => {
                    let newest = self.store.last().unwrap();
                    assert_eq!(
                        (version, &settings),
                        (newest.number, &newest.settings),
                        "durable first"
                    );
                    assert!(version >= self.last_pushed, "an older version after a newer one");
                    assert!(self.ordered.is_empty(), "two pushes at a time");
                    self.last_pushed = version;
                    self.ordered.push((version, settings, known));
                }
                Action::Promise(_, Answer::Settings(sheet)) => {
                    self.promised.push(sheet.record.latest().clone());
                }
                _ => {}
            }
        }
        self.check();
    }

    fn check(&mut self) {
        for promised in &self.promised {
            assert!(self.store.contains(promised), "promised and lost: {promised:?}");
        }
        self.promised.dedup();
        let Some(record) = self.supervisor.settings.records.get(&server(LONDON)) else {
            assert!(self.store.is_empty());
            return;
        };
        assert_eq!(Some(record.latest()), self.store.last());
        if let State::Applied { .. } = record.state() {
            assert_eq!(record.held().settings, record.latest().settings);
        }
        for version in record.versions().rev().skip(1) {
            let was_there = self.taken.contains(&version.number);
            let fate = record.fate(version.number);
            assert!(!was_there || fate == Fate::Replaced, "{} is {fate:?}", version.number);
        }
        let pushing = self.supervisor.settings.pushing.contains(&server(LONDON));
        assert_eq!(pushing, !self.ordered.is_empty());
        let durable = self.standing.as_ref().unwrap();
        assert_eq!(&durable.state, record.state(), "what is said is durable");
        assert_eq!(durable.held.settings, record.held().settings);
    }

    fn ask(&mut self, what: AskSettings) {
        let request =
            SettingsRequest { server: server(LONDON), by: asker(Who::Administrator), what };
        self.tell(Event::Asked(Request::Settings(Box::new(request)), Token(1)));
    }

    fn live_again(&mut self) {
        self.ordered.clear();
        let record = self
            .standing
            .clone()
            .and_then(|standing| Record::restore(self.store.clone(), standing));
        let settings = record.into_iter().map(|record| (server(LONDON), record)).collect();
        let saved = Saved { settings, ..Saved::default() };
        let mut setup = setup();
        for server in setup.servers.values_mut() {
            server.on_drift = self.on_drift;
        }
        self.supervisor = Supervisor::restore(Arc::new(setup), saved);
    }

    fn reload(&mut self) {
        self.ordered.clear();
        self.tell(Event::Settable([(server(LONDON), &SCHEMA)].into()));
    }

    fn end(&mut self, how: u8) {
        let Some((version, wanted, known)) = self.ordered.pop() else { return };
        let is_foreign = !self.server.foreign_to(&known).is_empty();
        let end = match how {
            0 => Err(NotTaken::Away.into()),
            1 => failed("refused", Some(self.server.clone())).map_err(NotPushed::from),
            2 => failed("broken", None).map_err(NotPushed::from),
            3 => hindered("busy").map_err(NotPushed::from),
            _ if is_foreign => Err(NotPushed::Meddled { held: self.server.clone() }),
            _ => {
                let ours = self.store.iter().any(|version| version.settings == self.server);
                let heard = &self.standing.as_ref().unwrap().held.settings;
                assert!(ours || *heard == self.server, "overwritten unseen: {:?}", self.server);
                self.server = wanted;
                self.taken.insert(version);
                Ok(self.server.clone())
            }
        };
        self.tell(Event::Pushed(server(LONDON), version, end));
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Register { base, number } => {
                let base = (base > 0).then_some(base);
                self.ask(register(base, number));
            }
            Step::Rollback(to) => {
                self.ask(AskSettings::Rollback { base: None, to, reason: String::new() });
            }
            Step::Adopt => self.ask(AskSettings::Adopt { reason: String::new() }),
            Step::Push => self.ask(AskSettings::Push),
            Step::Meddle(number) => self.server = dials(number),
            Step::ReadBack => {
                // One who carries reads nothing meanwhile.
                if self.ordered.is_empty() {
                    let settings = self.server.clone();
                    let at = self.now;
                    let held = Held { settings, lines: vec![], at };
                    self.tell(Event::ReadBack(server(LONDON), held));
                }
            }
            Step::End(how) => self.end(how),
            Step::Up => self.tell(Event::Health(server(LONDON), up())),
            Step::Down => {
                self.tell(Event::Health(server(LONDON), Health::Down { why: String::new() }));
            }
            Step::Later(seconds) => {
                self.now = self.now + Duration::from_secs(seconds);
                self.tell(Event::Woke);
            }
            Step::Restart => {
                self.live_again();
                self.reload();
            }
            Step::Reload => self.reload(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_happens_nothing_is_lost_and_what_is_pending_gets_there(
        on_drift in prop_oneof![
            Just(OnDrift::Report), Just(OnDrift::Adopt), Just(OnDrift::Push)
        ],
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut world = World::new(on_drift);
        world.run(Step::ReadBack);
        for step in steps {
            world.run(step);
        }
        // A server that is there and does what it is told ends up with what is registered.
        if world.ordered.is_empty() {
            world.run(Step::Down);
            world.run(Step::Up);
        }
        while !world.ordered.is_empty() {
            world.run(Step::End(4));
        }
        let record = &world.supervisor.settings.records[&server(LONDON)];
        prop_assert!(!record.is_pending() && record.again().is_none());
    }
}
