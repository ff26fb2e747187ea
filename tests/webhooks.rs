//! Webhooks through the real program: what has happened is told to a receiver made of
//! Python's http.server, which checks each signature with Python's hmac; in order,
//! gapless, over failures, kills and restarts of either side.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use support::{
    hook::{Hook, SECRETS},
    lab::{Description, Lab, Servers},
    postfax::Postfax,
    sink::Sink,
    wait_for,
};

/// A number that no server of the house answers on.
const FAR: &str = "+12125559999";

/// The configuration of a hook; `more` is added to it.
fn table(name: &str, client: &str, port: u16, more: &str) -> String {
    format!(
        "[[webhook]]\nname = \"{name}\"\nclient = \"{client}\"\nretry_s = 1\n\
         url = \"http://127.0.0.1:{port}/{name}?x=1\"\nsecret_file = \"first.secret\"\n{more}\n"
    )
}

/// Only what happens to jobs.
const JOBS: &str = r#"events = ["job.accepted", "job.on-hold", "job.released", "job.arrived",
"job.held", "job.delivered", "job.failed", "job.cancelled"]"#;

/// A house with hooks that is not running yet.
fn house(servers: &Description, sink: &Sink, hooks: &str) -> Postfax {
    let postfax = Postfax::prepare(servers, sink, hooks);
    for (name, secret) in [("first.secret", SECRETS[0]), ("second.secret", SECRETS[1])] {
        fs::write(postfax.file(name), secret).unwrap();
        fs::set_permissions(postfax.file(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    postfax
}

fn fax(postfax: &Postfax, from: &str, to: &str) {
    let said = postfax.send("-", from, &format!("{to}@fax.example.com"), None);
    assert!(said.accepted, "{}", said.words);
}

fn anna(postfax: &Postfax) {
    fax(postfax, "anna@example.com", FAR);
}

/// Each event once, in the order in which it was heard first. Every signature was good,
/// and whatever came twice was the same.
fn once(heard: &[Value]) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    let mut known: BTreeMap<u64, (String, String)> = BTreeMap::new();
    for one in heard {
        assert_eq!(one["verified"][0], true, "{one}");
        assert_eq!(one["type"], "application/json");
        let apart = one["at"].as_f64().unwrap() - one["timestamp"].as_f64().unwrap();
        assert!((0.0..15.0).contains(&apart), "the timestamp is that of the attempt: {one}");
        let sequence = one["sequence"].as_u64().unwrap();
        assert_eq!(one["body"]["sequence"], sequence);
        let text = |key: &str| one[key].as_str().unwrap().to_owned();
        match known.get(&sequence) {
            Some(before) => assert_eq!(*before, (text("id"), text("text")), "{one}"),
            None => {
                known.insert(sequence, (text("id"), text("text")));
                events.push(one.clone());
            }
        }
    }
    let ids: std::collections::BTreeSet<&String> = known.values().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), known.len(), "no two events have one identifier");
    events
}

fn sequences(events: &[Value]) -> Vec<u64> {
    events.iter().map(|one| one["sequence"].as_u64().unwrap()).collect()
}

fn kinds(events: &[Value]) -> Vec<String> {
    events.iter().map(|one| one["body"]["type"].as_str().unwrap().to_owned()).collect()
}

fn hooks(postfax: &Postfax) -> Value {
    postfax.ask_json(&["webhooks"])["webhooks"].clone()
}

#[test]
fn fifty_faxes_are_told_gapless_and_in_order_through_failures_and_kills() {
    const FAXES: usize = 50;
    let lab = Lab::start(Servers::Stations, 2);
    let (sink, hook) = (Sink::start(), Hook::start());
    let mut postfax = house(&lab.about, &sink, &table("crm", "anna", hook.port, JOBS));
    // It fails three times, and then it accepts.
    hook.next(&["500", "close", "503"]);
    postfax.run();
    postfax.wait_for_servers();
    let to = lab.number_of(1).to_owned();
    for sent in 0..FAXES {
        if sent == 15 || sent == 35 {
            assert!(postfax.kill(), "it was alive");
            postfax.run();
        }
        fax(&postfax, "anna@example.com", &to);
    }
    wait_for("all faxes to be delivered and told", 240, || {
        let taken = once(&hook.taken());
        let kinds = kinds(&taken);
        let of = |wanted: &str| kinds.iter().filter(|kind| *kind == wanted).count();
        (of("job.delivered") == FAXES).then_some(())
    });
    let events = once(&hook.heard());
    let all = u64::try_from(2 * FAXES).unwrap();
    assert_eq!(sequences(&events), (1..=all).collect::<Vec<_>>(), "gapless, and in order");
    assert_eq!(sequences(&once(&hook.taken())), sequences(&events));
    let mut stories: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for event in &events {
        let row = &event["body"]["data"];
        assert_eq!(
            (&row["kind"], &row["from"], &row["to"]),
            (&json!("out"), &json!("anna"), &json!(to))
        );
        let kind = event["body"]["type"].as_str().unwrap().to_owned();
        stories.entry(row["job"].as_u64().unwrap()).or_default().push(kind);
    }
    assert_eq!(stories.len(), FAXES);
    let whole = ["job.accepted", "job.delivered"];
    assert!(stories.values().all(|story| story == &whole), "{stories:?}");
    wait_for("the outbox to be empty", 20, || (hooks(&postfax)[0]["waiting"] == 0).then_some(()));
    assert_eq!(hooks(&postfax)[0]["last"], all);
}

#[test]
fn an_event_leaves_the_outbox_only_when_it_is_known_to_be_taken() {
    let (sink, hook) = (Sink::start(), Hook::start());
    let servers = Description::unreachable();
    let mut postfax = house(&servers, &sink, &table("crm", "anna", hook.port, JOBS));
    postfax.environment(&[("POSTFAX_DIE_BEFORE", "note the post")]);
    postfax.run();
    // It may die before the client has read its 250.
    postfax.send("-", "anna@example.com", &format!("{FAR}@fax.example.com"), None);
    wait_for("the daemon to die", 20, || postfax.has_ended().then_some(()));
    postfax.kill();
    assert_eq!(hook.taken().len(), 1);
    // Dying before it is sent loses nothing either.
    postfax.environment(&[("POSTFAX_DIE_BEFORE", "post")]);
    postfax.spawn();
    wait_for("the daemon to die again", 20, || postfax.has_ended().then_some(()));
    postfax.kill();
    postfax.environment(&[]);
    postfax.run();
    let twice =
        wait_for("the event once more", 20, || Some(hook.taken()).filter(|taken| taken.len() == 2));
    assert_eq!(once(&twice).len(), 1, "the same event, under the same identifier");
    anna(&postfax);
    wait_for("the next", 20, || (hook.taken().len() == 3).then_some(()));
    // Whoever stops in an orderly way repeats nothing.
    postfax.stop();
    postfax.run();
    anna(&postfax);
    wait_for("the last", 20, || (hook.taken().len() == 4).then_some(()));
    assert_eq!(sequences(&hook.taken()), [1, 1, 2, 3]);
}

/// Kills the daemon before one point after the other of a life in which a fax is taken
/// and told, until such a life is lived to its end.
#[test]
fn wherever_the_daemon_dies_a_fax_and_its_event_are_both_there_or_neither() {
    const MOST_POINTS: usize = 60;
    let servers = Description::unreachable();
    let mut died = 0;
    for point in 1.. {
        assert!(point < MOST_POINTS, "this life never ends");
        let (sink, hook) = (Sink::start(), Hook::start());
        let mut postfax = house(&servers, &sink, &table("crm", "anna", hook.port, JOBS));
        postfax.environment(&[("POSTFAX_DIE_BEFORE", &point.to_string())]);
        postfax.spawn();
        let to = format!("{FAR}@fax.example.com");
        let send = |postfax: &Postfax| {
            postfax.send_as("-", "anna@example.com", &to, None, "<one@example.com>", None).accepted
        };
        let is_over = wait_for("the fax to be told, or the death", 30, || {
            let ended = postfax.has_ended();
            (ended || (send(&postfax) && !hook.taken().is_empty())).then_some(!ended)
        });
        // What is noted after it was told is a point as well.
        let is_over = is_over
            && !{
                std::thread::sleep(Duration::from_millis(500));
                postfax.has_ended()
            };
        postfax.kill();
        postfax.environment(&[]);
        postfax.run();
        assert!(send(&postfax), "again, since nobody knows whether it was taken");
        wait_for("the event", 20, || (!hook.taken().is_empty()).then_some(()));
        wait_for("the outbox to be empty", 20, || {
            (hooks(&postfax)[0]["waiting"] == 0).then_some(())
        });
        let events = once(&hook.heard());
        let jobs = postfax.ask_json(&["jobs", "--kind", "out"])["jobs"].clone();
        let ids: Vec<&Value> = jobs.as_array().unwrap().iter().map(|row| &row["job"]).collect();
        let told: Vec<&Value> = events.iter().map(|one| &one["body"]["data"]["job"]).collect();
        assert_eq!((ids.len(), sequences(&events)), (1, vec![1]), "point {point}: {events:?}");
        assert_eq!(told, ids, "point {point}");
        if is_over {
            break;
        }
        died += 1;
    }
    assert!(died >= 6, "only {died} deaths");
    println!("{died} deaths");
}

#[test]
fn a_receiver_that_was_down_gets_everything_in_order() {
    let (sink, mut hook) = (Sink::start(), Hook::prepare());
    let servers = Description::unreachable();
    let mut postfax = house(&servers, &sink, &table("crm", "anna", hook.port, JOBS));
    postfax.run();
    for _ in 0..3 {
        anna(&postfax);
    }
    let shown = wait_for("its trouble to be known", 20, || {
        Some(hooks(&postfax)[0].clone()).filter(|hook| hook["trouble"].is_object())
    });
    assert_eq!(
        (&shown["waiting"], &shown["last"], &shown["gone"]),
        (&json!(3), &json!(3), &json!(false))
    );
    assert!(shown["trouble"]["why"].as_str().unwrap().contains("cannot connect"), "{shown}");
    let words = String::from_utf8(postfax.ask(&["webhooks"]).stdout).unwrap();
    assert!(words.contains("cannot connect") && words.contains("crm"), "{words}");
    hook.run();
    // Nobody has to wait for the next try.
    assert!(postfax.ask(&["webhooks", "retry", "crm"]).status.success());
    wait_for("all of it", 20, || (hook.taken().len() == 3).then_some(()));
    assert_eq!(sequences(&once(&hook.taken())), [1, 2, 3]);
    wait_for("all to be well", 20, || hooks(&postfax)[0].get("trouble").is_none().then_some(()));
    let unknown = postfax.ask(&["webhooks", "retry", "nobody"]);
    assert!(!unknown.status.success());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no webhook"), "{unknown:?}");
}

#[test]
fn nobody_is_told_what_does_not_concern_them() {
    let lab = Lab::start(Servers::Stations, 1);
    let (sink, [ann, bob, paris]) = (Sink::start(), [(); 3].map(|()| Hook::start()));
    let tables = [
        table("ann", "anna", ann.port, JOBS),
        table("bob", "bob", bob.port, ""),
        table("paris", "bob", paris.port, "events = [\"job.arrived\"]"),
    ];
    let mut postfax = house(&lab.about, &sink, &tables.concat());
    postfax.run();
    postfax.wait_for_servers();
    // Anna's fax arrives at the server of the other group, whose routes give it to bob.
    fax(&postfax, "anna@example.com", lab.number_of(1));
    ann.wait("job.delivered", 60);
    bob.wait("job.delivered", 60);
    paris.wait("job.arrived", 60);
    assert_eq!(kinds(&once(&ann.taken())), ["job.accepted", "job.delivered"]);
    let mut told = once(&bob.taken());
    assert_eq!(sequences(&told), (1..=told.len() as u64).collect::<Vec<_>>());
    told.retain(|one| one["body"]["type"] != "server.up");
    assert_eq!(kinds(&told), ["job.arrived", "job.delivered"]);
    assert!(told.iter().all(|one| one["body"]["data"]["kind"] == "in"), "{told:?}");
    let second = &lab.about.servers[1].name;
    let servers: Vec<Value> = once(&bob.taken())
        .into_iter()
        .filter(|one| one["body"]["type"] == "server.up")
        .map(|one| one["body"]["data"].clone())
        .collect();
    assert_eq!(servers, [json!({ "server": second, "state": "up" })], "that of its group alone");
    assert_eq!(
        (kinds(&once(&paris.taken())), sequences(&paris.taken())),
        (vec!["job.arrived".into()], vec![1])
    );
    let rows = postfax.ask_json(&["jobs"])["jobs"].clone();
    let id = ann.taken()[1]["body"]["data"]["job"].clone();
    let row = rows.as_array().unwrap().iter().find(|row| row["job"] == id).unwrap();
    assert_eq!(ann.taken()[1]["body"]["data"]["to"], row["to"], "the row of the list");
}

#[test]
fn orders_are_told_and_two_secrets_sign_twice() {
    let (sink, hook) = (Sink::start(), Hook::start());
    let more = format!("{JOBS}\nprevious_secret_file = \"second.secret\"");
    let servers = Description::unreachable();
    let mut postfax = house(&servers, &sink, &table("crm", "anna", hook.port, &more));
    postfax.run();
    anna(&postfax);
    let id = hook.wait("job.accepted", 20)["body"]["data"]["job"].to_string();
    for order in ["hold", "release", "cancel"] {
        assert!(postfax.ask(&[order, &id]).status.success());
    }
    hook.wait("job.cancelled", 20);
    let events = once(&hook.taken());
    assert_eq!(kinds(&events), ["job.accepted", "job.on-hold", "job.released", "job.cancelled"]);
    for event in &events {
        assert_eq!((&event["signatures"], &event["verified"]), (&json!(2), &json!([true, true])));
        assert_eq!(event["path"], "/crm?x=1");
    }
}

#[test]
fn one_that_is_gone_is_told_nothing_more_until_somebody_asks() {
    let (sink, hook) = (Sink::start(), Hook::start());
    let servers = Description::unreachable();
    let mut postfax = house(&servers, &sink, &table("crm", "anna", hook.port, JOBS));
    hook.next(&["410"]);
    postfax.run();
    anna(&postfax);
    let letter =
        sink.wait("the alarm", "it@example.com", 30, |mail| mail.subject().contains("crm"));
    assert!(letter.text().contains("postfax webhooks retry crm"), "{}", letter.text());
    anna(&postfax);
    wait_for("the event to be counted", 20, || (hooks(&postfax)[0]["last"] == 2).then_some(()));
    assert_eq!(
        (&hooks(&postfax)[0]["gone"], &hooks(&postfax)[0]["waiting"]),
        (&json!(true), &json!(0))
    );
    // It stays gone in another life.
    postfax.stop();
    postfax.run();
    anna(&postfax);
    wait_for("one more", 20, || (hooks(&postfax)[0]["last"] == 3).then_some(()));
    assert_eq!(hook.heard().len(), 1);
    assert!(postfax.ask(&["webhooks", "retry", "crm"]).status.success());
    anna(&postfax);
    wait_for("the next one", 20, || (hook.taken().len() == 1).then_some(()));
    assert_eq!(sequences(&hook.taken()), [4], "the gap shows what was missed");
}

#[test]
fn what_nobody_takes_is_given_up_with_an_alarm_and_the_next_is_sent() {
    let (sink, hook) = (Sink::start(), Hook::start());
    let more = format!("{JOBS}\ngive_up_s = 2");
    let servers = Description::unreachable();
    let mut postfax = house(&servers, &sink, &table("crm", "anna", hook.port, &more));
    hook.always("302 Location: http://127.0.0.1:1/elsewhere");
    postfax.run();
    anna(&postfax);
    let alarm = sink.wait("the alarm", "it@example.com", 60, |mail| mail.subject().contains("crm"));
    assert!(alarm.text().contains("gap"), "{}", alarm.text());
    assert!(hook.heard().iter().all(|one| one["sequence"] == 1), "one at a time");
    assert!(hook.heard().len() >= 2, "it was tried more than once");
    hook.always("200 X-Large: yes");
    anna(&postfax);
    wait_for("the next one", 20, || (hook.taken().len() == 1).then_some(()));
    assert_eq!(sequences(&hook.taken()), [2]);
}

#[test]
fn an_outbox_that_is_full_gives_the_oldest_up() {
    let (sink, hook) = (Sink::start(), Hook::start());
    let more = format!("{JOBS}\nmax_waiting = 3");
    let servers = Description::unreachable();
    let mut postfax = house(&servers, &sink, &table("crm", "anna", hook.port, &more));
    hook.always("500");
    postfax.run();
    for _ in 0..6 {
        anna(&postfax);
    }
    sink.wait("the alarm", "it@example.com", 30, |mail| mail.subject().contains("crm"));
    let shown = hooks(&postfax)[0].clone();
    assert_eq!(
        (&shown["waiting"], &shown["last"], &shown["settled"]),
        (&json!(3), &json!(6), &json!(3))
    );
    hook.always("200");
    assert!(postfax.ask(&["webhooks", "retry", "crm"]).status.success());
    wait_for("the others", 20, || (hook.taken().len() == 3).then_some(()));
    assert_eq!(sequences(&once(&hook.taken())), [4, 5, 6]);
    let alarms = sink.mails().iter().filter(|mail| mail.subject().contains("crm")).count();
    assert_eq!(alarms, 1, "one for each time of trouble");
}

#[test]
fn a_receiver_that_asks_for_time_gets_it_and_one_that_hangs_is_left() {
    let (sink, hook) = (Sink::start(), Hook::start());
    let servers = Description::unreachable();
    let mut postfax = house(&servers, &sink, &table("crm", "anna", hook.port, JOBS));
    hook.next(&["503 Retry-After: 4", "hang"]);
    postfax.run();
    let began = Instant::now();
    anna(&postfax);
    wait_for("it to be taken", 40, || (hook.taken().len() == 1).then_some(()));
    let at: Vec<f64> = hook.heard().iter().map(|one| one["at"].as_f64().unwrap()).collect();
    assert_eq!(at.len(), 3, "{at:?}");
    assert!((4.0..8.0).contains(&(at[1] - at[0])), "as it has asked: {at:?}");
    assert!((10.0..17.0).contains(&(at[2] - at[1])), "10 s for an answer, then 2 s: {at:?}");
    assert!(began.elapsed() < Duration::from_secs(40));
    assert_eq!(once(&hook.heard()).len(), 1, "all under one identifier");
}

#[test]
fn a_reload_adds_changes_and_removes_hooks() {
    let (sink, [first, second]) = (Sink::start(), [(); 2].map(|()| Hook::start()));
    let servers = Description::unreachable();
    let mut postfax = house(&servers, &sink, "");
    let without = fs::read_to_string(postfax.config()).unwrap();
    postfax.run();
    assert_eq!(hooks(&postfax), json!([]));
    anna(&postfax);
    let reload = |postfax: &Postfax, tables: &str| {
        fs::write(postfax.config(), format!("{without}{tables}")).unwrap();
        let done = postfax.ask(&["reload"]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    reload(&postfax, &table("crm", "anna", first.port, JOBS));
    anna(&postfax);
    wait_for("the first", 20, || (first.taken().len() == 1).then_some(()));
    reload(&postfax, &table("crm", "anna", second.port, JOBS));
    anna(&postfax);
    wait_for("the second", 20, || (second.taken().len() == 1).then_some(()));
    // Its secret is another one now.
    let other = table("crm", "anna", second.port, JOBS).replace("first.secret", "second.secret");
    reload(&postfax, &other);
    anna(&postfax);
    let third = wait_for("the third", 20, || second.taken().get(1).cloned());
    assert_eq!(third["verified"], json!([false, true]));
    reload(&postfax, "");
    anna(&postfax);
    assert_eq!(hooks(&postfax), json!([]));
    reload(&postfax, &table("crm", "anna", first.port, JOBS));
    anna(&postfax);
    wait_for("the last", 20, || (first.taken().len() == 2).then_some(()));
    assert_eq!((sequences(&first.taken()), sequences(&second.taken())), (vec![1, 4], vec![2, 3]));
    let bad = table("crm", "nobody", first.port, JOBS);
    fs::write(postfax.config(), format!("{without}{bad}")).unwrap();
    let refused = postfax.ask(&["reload"]);
    assert_eq!(refused.status.code(), Some(78));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("webhook.crm.client"), "{words}");
}

#[test]
fn an_encrypted_receiver_must_be_the_one_that_is_named() {
    let sink = Sink::start();
    let servers = Description::unreachable();
    let mut postfax = house(&servers, &sink, "");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (postfax.file("hook.pem"), postfax.file("hook-key.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let hook = Hook::secured(&certificate, &key);
    let without = fs::read_to_string(postfax.config()).unwrap();
    let by_tls = |more: &str| {
        let plain = table("crm", "anna", hook.port, &format!("{JOBS}\n{more}"));
        plain.replace("http://127.0.0.1", "https://localhost")
    };
    fs::write(postfax.config(), format!("{without}{}", by_tls(""))).unwrap();
    postfax.run();
    anna(&postfax);
    let why = wait_for("its trouble", 20, || {
        hooks(&postfax)[0]["trouble"]["why"].as_str().map(str::to_owned)
    });
    assert!(why.contains("no TLS"), "{why}");
    assert!(hook.heard().is_empty(), "nothing was told to somebody unknown");
    fs::write(postfax.config(), format!("{without}{}", by_tls("ca_file = \"hook.pem\""))).unwrap();
    assert!(postfax.ask(&["reload"]).status.success());
    wait_for("the event", 20, || (hook.taken().len() == 1).then_some(()));
    assert_eq!(once(&hook.taken()).len(), 1);
}
