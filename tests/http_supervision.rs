//! Supervision by HTTP, through the real program and real curl: settings of fax servers,
//! servers, jobs, received faxes, the configuration and the audit log; who may not is told
//! which verb is missing, and what has a key is done once, also over a crash.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;

use serde_json::{Value, json};
use support::{
    http::{Heard, House, refused},
    lab::{Description, Lab, Servers},
    wait_for,
};

/// A fax of anna's that waits, since no server can be reached.
fn fax(house: &House) -> u64 {
    let sent = house.send(&house.anna, &["-F", "to=+12125550111", "-F", "text=hello"]);
    assert_eq!(sent.status, 201, "{}", String::from_utf8_lossy(&sent.body));
    sent.json()["jobs"][0]["job"].as_u64().unwrap()
}

fn post(house: &House, token: &str, path: &str) -> Heard {
    house.curl(token, path, &["-X", "POST"])
}

#[track_caller]
fn good(heard: &Heard) -> Value {
    assert_eq!(heard.status, 200, "{}", String::from_utf8_lossy(&heard.body));
    heard.json()
}

#[test]
fn settings_are_registered_and_reach_their_station() {
    let lab = Lab::start(Servers::Stations, 1);
    let house = House::start(&lab.about, "");
    let name = &lab.about.servers[0].name;
    let path = format!("/v1/servers/{name}/settings");
    let first = wait_for("the settings to be read", 60, || {
        let heard = house.curl(&house.chief, &path, &[]);
        (heard.status == 200).then_some(heard)
    });
    assert_eq!((first.header("etag"), first.json()["version"].as_u64()), (Some("\"1\""), Some(1)));
    assert_eq!(first.json()["state"]["state"], "applied");
    let keys = house.get(&house.chief, &format!("{path}/schema"))["keys"].clone();
    let dials = keys.as_array().unwrap().iter().find(|key| key["name"] == "max_dials").unwrap();
    assert_eq!((&dials["type"], &dials["of_line"]), (&json!("number"), &json!(false)), "{dials}");

    let set = |version: &str, value: Value, reason: &str| {
        let body = json!({"set": {"max_dials": value}, "reason": reason});
        let matched = format!("If-Match: {version}");
        house.json(&house.chief, "PATCH", &path, &body, &["-H", &matched])
    };
    let done = set("\"1\"", json!(7), "the carrier blocks more");
    let told = good(&done);
    assert_eq!((done.header("etag"), &told["state"]["state"]), (Some("\"2\""), &json!("applied")));
    assert_eq!(told["changes"][0]["to"], 7);
    let held = fs::read_to_string(lab.about.servers[0].spool.join("etc/config")).unwrap();
    assert!(
        held.lines().any(|line| line.starts_with("MaxDials:") && line.ends_with('7')),
        "{held}"
    );

    // Somebody was faster.
    let late = set("\"1\"", json!(8), "");
    refused(&late, 412, "stale", "version 1 is not the newest");
    assert_eq!((late.header("etag"), &late.json()["version"]), (Some("\"2\""), &json!(2)));
    refused(&set("\"x\"", json!(8), ""), 412, "stale", "not the newest");
    refused(&set("2", json!(8), ""), 400, "bad-request", "If-Match");
    refused(&set("*", json!("many"), ""), 400, "bad-request", "whole number");
    refused(&set("*", json!(1.5), ""), 400, "bad-request", "the body");
    assert_eq!(house.get(&house.chief, &path)["settings"]["max_dials"], 7);

    // An edited text says itself which version it was.
    let text = house.get(&house.chief, &path)["text"].as_str().unwrap().to_owned();
    let edited = json!({"text": text.replace("max_dials = 7", "max_dials = 9")});
    assert_eq!(good(&house.json(&house.chief, "PUT", &path, &edited, &[]))["version"], 3);
    refused(&house.json(&house.chief, "PUT", &path, &edited, &[]), 412, "stale", "version 2");
    versions_of_settings(&house, &path);
    who_may_not_is_told_the_verb(&house, &path);
}

fn versions_of_settings(house: &House, path: &str) {
    let page = house.curl(&house.chief, &format!("{path}/history?limit=2"), &[]);
    let numbers = |heard: &Heard| -> Vec<u64> {
        let versions = heard.json()["versions"].as_array().unwrap().clone();
        versions.iter().map(|version| version["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&page), [3, 2]);
    assert_eq!(page.json()["versions"][1]["reason"], "the carrier blocks more");
    assert_eq!(page.json()["versions"][1]["author"], "chief");
    assert_eq!(page.json()["versions"][1]["fate"], "replaced");
    let next = page.header("link").unwrap();
    let next = next.strip_prefix('<').unwrap().split('>').next().unwrap();
    assert_eq!(numbers(&house.curl(&house.chief, next, &[])), [1]);
    let diff = house.get(&house.chief, &format!("{path}/diff?from=2&to=3"));
    assert_eq!(diff["changes"], json!([{"name": "max_dials", "from": 7, "to": 9}]));
    let diff = house.get(&house.chief, &format!("{path}/diff"));
    assert_eq!((&diff["changes"], diff.get("to")), (&json!([]), None), "the server holds it");
    let rollback = format!("{path}/rollback");
    let back = json!({"to": 2, "reason": "it was better"});
    let stale = house.json(&house.chief, "POST", &rollback, &back, &["-H", "If-Match: \"2\""]);
    refused(&stale, 412, "stale", "version 2");
    let done = house.json(&house.chief, "POST", &rollback, &back, &["-H", "If-Match: \"3\""]);
    assert_eq!((&good(&done)["version"], done.header("etag")), (&json!(4), Some("\"4\"")));
    assert_eq!(house.get(&house.chief, path)["held"]["max_dials"], 7);
    let shown = house.get(&house.chief, path.strip_suffix("/settings").unwrap());
    let settings = &shown["status"]["settings"];
    assert_eq!((&settings["version"], &settings["state"]), (&json!(4), &json!("applied")));
    let gone = json!({"to": 99});
    refused(&house.json(&house.chief, "POST", &rollback, &gone, &[]), 404, "no-such-server", "99");
    let pushed = good(&post(house, &house.chief, &format!("{path}/push")));
    assert_eq!((&pushed["version"], &pushed["state"]["state"]), (&json!(4), &json!("applied")));
    let adopt = house.json(&house.chief, "POST", &format!("{path}/adopt"), &json!({}), &[]);
    refused(&adopt, 409, "wrong-state", "version 4 says that already");
}

fn who_may_not_is_told_the_verb(house: &House, path: &str) {
    let nobodys = "/v1/servers/nowhere/settings";
    for (heard, verb) in [
        (house.curl(&house.anna, path, &[]), "settings.read"),
        (house.curl(&house.anna, &format!("{path}/history"), &[]), "settings.read"),
        (house.curl(&house.anna, &format!("{path}/schema"), &[]), "settings.read"),
        (house.json(&house.anna, "PATCH", path, &json!({"set": {}}), &[]), "settings.write"),
        (post(house, &house.anna, &format!("{path}/push")), "settings.write"),
        (house.curl(&house.anna, nobodys, &[]), "settings.read"),
        (house.curl(&house.anna, "/v1/config", &[]), "config.read"),
        (
            house.json(&house.anna, "PATCH", "/v1/config", &json!({"changes": []}), &[]),
            "config.write",
        ),
        (house.curl(&house.anna, "/v1/audit", &[]), "audit.see"),
        (house.curl(&house.anna, "/v1/audit/verify", &[]), "audit.see"),
    ] {
        refused(&heard, 403, "not-permitted", verb);
    }
    refused(&house.curl(&house.chief, nobodys, &[]), 404, "no-such-server", "nowhere");
}

#[test]
fn jobs_and_servers_do_what_they_are_told() {
    let house = House::start(&Description::unreachable(), "");
    let id = fax(&house);
    let path = format!("/v1/jobs/{id}");
    assert_eq!(good(&post(&house, &house.anna, &format!("{path}/hold")))["what"], "on-hold");
    assert_eq!(house.get(&house.anna, &path)["summary"]["on_hold"], true);
    assert_eq!(house.get(&house.anna, "/v1/jobs?state=on-hold")["jobs"][0]["job"], id);
    let alter = |token: &str, body: Value| house.json(token, "PATCH", &path, &body, &[]);
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let to = json!({"priority": -4, "number": "+12125550133", "expires": soon.to_string()});
    assert_eq!(good(&alter(&house.anna, to))["what"], "altered");
    let altered = house.get(&house.anna, &path);
    let expires = altered["expires"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!((&altered["priority"], expires.as_second()), (&json!(-4), soon.as_second()));
    assert_eq!(altered["summary"]["to"], "+12125550133");
    for (body, words) in [
        (json!({}), "say what is to be different"),
        (json!({"priority": 10}), "-9 to 9"),
        (json!({"expires": "tomorrow"}), "expires is a moment"),
        (json!({"colour": "red"}), "unknown field"),
    ] {
        refused(&alter(&house.anna, body), 400, "bad-request", words);
    }
    refused(&alter(&house.anna, json!({"priority": 9})), 403, "not-permitted", "more urgent");
    refused(&alter(&house.bob, json!({"priority": 0})), 404, "no-such-job", "there is no job");
    let form = house.curl(&house.anna, &path, &["-X", "PATCH", "-d", "priority=1"]);
    refused(&form, 415, "unsupported-media-type", "application/json");
    assert_eq!(good(&post(&house, &house.anna, &format!("{path}/release")))["what"], "released");
    refused(&post(&house, &house.anna, &format!("{path}/release")), 409, "wrong-state", "");

    let names = |token: &str| -> Vec<String> {
        let servers = house.get(token, "/v1/servers")["servers"].as_array().unwrap().clone();
        servers.iter().map(|s| s["status"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((names(&house.anna), names(&house.chief).len()), (vec!["one".to_owned()], 2));
    assert_eq!(house.get(&house.anna, "/v1/servers/one")["groups"], json!(["london"]));
    let unseen = house.curl(&house.anna, "/v1/servers/two", &[]);
    refused(&unseen, 404, "no-such-server", "there is no fax server two");
    let denied = post(&house, &house.anna, "/v1/servers/one/drain");
    refused(&denied, 403, "not-permitted", "settings.write");
    assert_eq!(good(&post(&house, &house.chief, "/v1/servers/one/drain"))["draining"], true);
    assert_eq!(house.get(&house.anna, "/v1/servers/one")["status"]["drained"], true);
    assert_eq!(good(&post(&house, &house.chief, "/v1/servers/one/resume"))["draining"], false);
    assert_eq!(good(&post(&house, &house.chief, "/v1/servers/two/give-up"))["jobs"], json!([]));
    assert_eq!(house.get(&house.chief, "/v1/webhooks"), json!({"webhooks": []}));
    let denied = house.curl(&house.anna, "/v1/webhooks", &[]);
    refused(&denied, 403, "not-permitted", "config.read on supervisor");
    let retried = post(&house, &house.chief, "/v1/webhooks/crm/retry");
    refused(&retried, 404, "no-such-webhook", "crm");
    assert_eq!(house.get(&house.anna, "/v1/status")["queue"]["faxes_waiting"], 1);
    the_log_tells(&house, id);
}

/// Everything above is on record, and is found page by page.
fn the_log_tells(house: &House, id: u64) {
    let pages = house.curl(&house.anna, &format!("/v1/jobs/{id}/pages"), &[]);
    assert!([200, 409].contains(&pages.status), "{}", pages.status);
    let events = std::process::Command::new("curl")
        .args(["-sN", "--max-time", "2", "-H", &format!("Authorization: Bearer {}", house.bob)])
        .arg(format!("{}/v1/events", house.url))
        .output()
        .unwrap();
    assert!(events.stdout.is_empty(), "{}", String::from_utf8_lossy(&events.stdout));
    let (mut path, mut lines) = (Some("/v1/audit?limit=7".to_owned()), Vec::new());
    let mut pages_walked = 0;
    while let Some(page) = path {
        pages_walked += 1;
        let heard = house.curl(&house.chief, &page, &[]);
        lines.extend(good(&heard)["lines"].as_array().unwrap().clone());
        path = heard
            .header("link")
            .map(|link| link.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned());
    }
    let seqs: Vec<u64> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    let newest = seqs.iter().max().copied().unwrap();
    let all: Vec<u64> = (1..=newest).rev().collect();
    assert_eq!(seqs, all, "each line on one page");
    let job = format!("job:{id}");
    for (who, request, object, verdict) in [
        ("anna", "jobs.hold", job.as_str(), "allowed"),
        ("anna", "jobs.alter", &job, "failed"),
        ("anna", "jobs.alter", &job, "refused"),
        ("anna", "jobs.list", "", "allowed"),
        ("anna", "jobs.pages", &job, "allowed"),
        ("bob", "jobs.follow", "", "allowed"),
        ("bob", "jobs.alter", &job, "failed"),
        ("anna", "servers.drain", "server:one", "refused"),
        ("chief", "servers.drain", "server:one", "allowed"),
    ] {
        let told = |line: &&Value| {
            (&line["who"], &line["request"], &line["object"], &line["verdict"])
                == (&json!(who), &json!(request), &json!(object), &json!(verdict))
        };
        let line = lines.iter().find(told);
        let line = line.unwrap_or_else(|| panic!("{who} {request} {object} {verdict}: {lines:#?}"));
        assert_eq!((&line["door"], &line["from"]), (&json!("http"), &json!("127.0.0.1")));
    }
    assert_eq!(lines.iter().filter(|line| line["request"] == "jobs.follow").count(), 1);
    let walk = house.get(&house.chief, "/v1/audit?who=chief&request=audit.list&limit=1000");
    assert_eq!(walk["lines"].as_array().unwrap().len(), pages_walked, "the walk as well");
    let of_bob = house.get(&house.chief, "/v1/audit?who=bob&request=jobs.*");
    assert!(of_bob["lines"].as_array().unwrap().iter().all(|line| line["who"] == "bob"));
    let chain = house.get(&house.chief, "/v1/audit/verify");
    assert_eq!(chain["whole"], true, "{chain}");
    let head = chain["head"].as_str().unwrap();
    assert_eq!(house.get(&house.chief, &format!("/v1/audit/verify?head={head}"))["whole"], true);
    let other = format!("{}:{}", head.split(':').next().unwrap(), "0".repeat(64));
    let chain = house.get(&house.chief, &format!("/v1/audit/verify?head={other}"));
    assert_eq!(chain["whole"], false, "{chain}");
}

#[test]
fn the_configuration_is_changed_and_nobody_locks_everybody_out() {
    let house = House::start(&Description::unreachable(), "");
    let all = house.curl(&house.chief, "/v1/config", &[]);
    let text = good(&all)["files"][0]["text"].as_str().unwrap().to_owned();
    assert_eq!((all.header("etag"), text.contains("[[client]]")), (Some("\"1\""), true));
    // Passwords are in files of their own.
    assert!(text.contains("password_file") && !text.contains("secret\n"), "{text}");
    let found = house.get(&house.chief, "/v1/config/keys?key=client.anna.mail");
    assert_eq!(found["found"][0]["toml"], "[\"anna@example.com\"]", "{found}");
    let nothing = house.curl(&house.chief, "/v1/config/keys?key=limits.max_pages", &[]);
    refused(&nothing, 409, "wrong-state", "nothing is written there");

    let set = |key: &str, value: &str, more: &[&str]| {
        let body = json!({"changes": [{"key": key, "value": value}], "reason": "a test"});
        house.json(&house.chief, "PATCH", "/v1/config", &body, more)
    };
    let check = json!({"changes": [{"key": "limits.max_pages", "value": "7"}]});
    let good_one = good(&house.json(&house.chief, "POST", "/v1/config/check", &check, &[]));
    assert!(good_one["diff"].as_str().unwrap().contains("+max_pages = 7"), "{good_one}");
    let done = set("limits.max_pages", "7", &["-H", "If-Match: \"1\""]);
    assert_eq!((&good(&done)["version"], done.header("etag")), (&json!(2), Some("\"2\"")));
    let late = set("limits.max_pages", "8", &["-H", "If-Match: \"1\""]);
    refused(&late, 412, "stale", "version 2 is the last one");
    assert_eq!((late.header("etag"), &late.json()["version"]), (Some("\"2\""), &json!(2)));
    let bad = set("limits.max_pages", "\"many\"", &[]);
    refused(&bad, 422, "bad-configuration", "limits.max_pages");
    // The only one who may change it cannot give that away, nor take what is not theirs.
    let locked_out = set("client.chief.roles", "[]", &[]);
    refused(&locked_out, 403, "not-permitted", "nobody would hold config.write");
    let taken = set("server.one.password_file", "\"/etc/shadow\"", &[]);
    refused(&taken, 403, "not-permitted", "only an administrator changes");
    assert_eq!(house.get(&house.chief, "/v1/config")["version"], 2);

    let versions = house.get(&house.chief, "/v1/config/history");
    assert_eq!(versions["versions"][0]["reason"], "a test");
    assert_eq!((versions["versions"].as_array().unwrap().len(), versions.get("next")), (2, None));
    let old = house.get(&house.chief, "/v1/config/history/1");
    assert_eq!(old["files"][0]["text"].as_str(), Some(text.as_str()));
    let diff = house.get(&house.chief, "/v1/config/diff?from=1");
    assert!(diff["diff"].as_str().unwrap().contains("+max_pages = 7"), "{diff}");
    let back = house.json(&house.chief, "POST", "/v1/config/rollback", &json!({"to": 1}), &[]);
    assert_eq!(good(&back)["version"], 3);
    let file =
        json!({"file": "postfax.toml", "text": format!("{text}\n[limits]\nmax_pages = 9\n")});
    let replaced = house.json(&house.chief, "PUT", "/v1/config", &file, &["-H", "If-Match: \"3\""]);
    assert_eq!(good(&replaced)["version"], 4);
    let written = fs::read_to_string(house.postfax.config()).unwrap();
    assert!(written.ends_with("max_pages = 9\n"), "{written}");
    let elsewhere = json!({"file": "/etc/passwd", "text": ""});
    let elsewhere = house.json(&house.chief, "PUT", "/v1/config", &elsewhere, &[]);
    refused(&elsewhere, 400, "bad-request", "no file of the configuration");
    let neither = house.json(&house.chief, "POST", "/v1/config/check", &json!({}), &[]);
    refused(&neither, 400, "bad-request", "send changes");
}

#[test]
fn a_fax_that_nobody_has_got_is_assigned() {
    let lab = Lab::start(Servers::Stations, 1);
    let mut house = House::prepare(&lab.about, "");
    // Anna is not in paris: the route to her must not lead there.
    let config = fs::read_to_string(house.postfax.config()).unwrap();
    fs::write(house.postfax.config(), config.replace("to = [\"bob\"]", "to = [\"anna\"]")).unwrap();
    house.postfax.run();
    house.postfax.wait_for_servers();
    let to = format!("to={}", lab.number_of(1));
    assert_eq!(house.send(&house.anna, &["-F", &to, "-F", "text=who gets this"]).status, 201);
    let id = wait_for("the fax to arrive", 90, || {
        house.get(&house.chief, "/v1/inbound?limit=1")["jobs"][0]["job"].as_u64()
    });
    assert_eq!(house.get(&house.bob, "/v1/inbound")["jobs"], json!([]), "not for bob to see");
    let path = format!("/v1/inbound/{id}/assign");
    let assign = |token: &str, client: &str| {
        house.json(token, "POST", &path, &json!({"client": client}), &[])
    };
    refused(&assign(&house.bob, "bob"), 404, "no-such-job", "there is no job");
    refused(&assign(&house.chief, "a b"), 400, "bad-request", "name");
    // Groups hold for whoever assigns as well.
    let elsewhere = assign(&house.chief, "anna");
    assert_eq!(elsewhere.status, 409, "{}", elsewhere.json());
    assert_eq!(good(&assign(&house.chief, "bob"))["what"], "assigned");
    house.sink.wait("the fax", "bob@example.com", 60, |mail| mail.header("X-Fax-Pages").is_some());
    assert_eq!(house.get(&house.chief, "/v1/inbound")["jobs"], json!([]));
    assert_eq!(house.get(&house.bob, &format!("/v1/jobs/{id}"))["summary"]["kind"], "in");
}

/// How often something was done with success, by the audit log.
fn done(house: &House, request: &str) -> usize {
    let lines = house.get(&house.chief, &format!("/v1/audit?request={request}&limit=1000"));
    lines["lines"].as_array().unwrap().iter().filter(|l| l["verdict"] == "allowed").count()
}

#[test]
fn what_has_a_key_is_done_once_also_over_a_crash() {
    let mut house = House::start(&Description::unreachable(), "max_kept_answers = 5");
    let id = fax(&house);
    let ask = |house: &House, verb: &str, key: &str| {
        let key = format!("Idempotency-Key: {key}");
        let path = format!("/v1/jobs/{id}/{verb}");
        house.curl(&house.anna, &path, &["-X", "POST", "-H", &key])
    };
    // Answered before the power went: the next life gives the same answer.
    let first = good(&ask(&house, "hold", "one"));
    assert_eq!(good(&ask(&house, "hold", "one")), first);
    assert!(house.postfax.kill());
    house.postfax.run();
    assert_eq!(good(&ask(&house, "hold", "one")), first);
    assert_eq!(done(&house, "jobs.hold"), 1);
    refused(&ask(&house, "release", "one"), 422, "key-used", "another request");
    // Whose key it is matters.
    let body = json!({"changes": [{"key": "limits.max_pages", "value": "9"}]});
    let set = |house: &House| {
        house.json(&house.chief, "PATCH", "/v1/config", &body, &["-H", "Idempotency-Key: one"])
    };
    let changed = set(&house);
    assert_eq!((&good(&changed)["version"], changed.header("etag")), (&json!(2), Some("\"2\"")));
    assert!(house.postfax.kill());
    house.postfax.run();
    let again = set(&house);
    assert_eq!((good(&again), again.header("etag")), (changed.json(), Some("\"2\"")));

    // Done, and never answered.
    house.die_at("request done", |house| ask(house, "release", "two"));
    let where_to_look = format!("/v1/jobs/{id}");
    refused(&ask(&house, "release", "two"), 409, "outcome-unknown", &where_to_look);
    assert_eq!(done(&house, "jobs.release"), 1, "it was done, and not again");
    assert_eq!(house.get(&house.anna, &where_to_look)["summary"]["on_hold"], false);
    // Begun, and never done: nobody can tell the one from the other.
    house.die_at("request begun", |house| ask(house, "hold", "three"));
    refused(&ask(&house, "hold", "three"), 409, "outcome-unknown", "another key");
    assert_eq!(done(&house, "jobs.hold"), 1);
    assert_eq!(good(&ask(&house, "hold", "four"))["what"], "on-hold");
    // What was refused is not kept.
    refused(&ask(&house, "hold", "five"), 409, "wrong-state", "");
    assert_eq!(good(&ask(&house, "release", "five"))["what"], "released");
    refused(&ask(&house, "hold", "six"), 429, "too-many", "5 answers are kept");
    assert_eq!(done(&house, "jobs.hold"), 2);
}
