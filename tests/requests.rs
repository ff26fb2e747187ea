//! Who may ask what of a running Postfax, through its socket as other users of this host,
//! and what its audit log says of it afterwards. Needs root, to be other users.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use support::{
    lab::Description,
    postfax::Postfax,
    sink::Sink,
    users::{admit, ask_as, code, said},
    wait_for,
};

/// Users of this host: the client anna, the client dora, and nobody that is known.
const ANNA: u32 = 64_001;
const DORA: u32 = 64_002;
const STRANGER: u32 = 64_003;

/// A Postfax whose fax servers cannot be reached, with clients that are users.
fn set_up() -> Postfax {
    let dora = format!(
        "[[client]]\nname = \"dora\"\nmail = [\"dora@example.com\"]\ngroups = [\"paris\"]\n\
         users = [\"{DORA}\"]\nroles = [\"keeper@server:one\", \"auditor@supervisor\"]\n\
         [[role]]\nname = \"keeper\"\nmay = [\"settings.write\"]\n\
         [[role]]\nname = \"auditor\"\nmay = [\"audit.see\"]\n"
    );
    let mut postfax = Postfax::prepare(&Description::unreachable(), &Sink::start(), &dora);
    let config = fs::read_to_string(postfax.config()).unwrap();
    let anna = format!("name = \"anna\"\nusers = [\"{ANNA}\"]");
    fs::write(postfax.config(), config.replace("name = \"anna\"", &anna)).unwrap();
    admit(&postfax);
    postfax.run();
    postfax
}

fn send(postfax: &Postfax, client: &str, number: &str) -> String {
    let to = format!("{number}@fax.example.com");
    let sent = postfax.send(client, &format!("{client}@example.com"), &to, None);
    assert!(sent.accepted, "{}", sent.words);
    let newest = postfax.ask_json(&["jobs", "--kind", "out", "--limit", "1"]);
    newest["jobs"][0]["job"].to_string()
}

#[test]
fn every_user_is_who_the_configuration_says() {
    let mut postfax = set_up();
    let annas = send(&postfax, "anna", "+12125550111");
    let bobs = send(&postfax, "bob", "+12125550122");

    let list = ask_as(&postfax, ANNA, &["jobs", "--json"]);
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    let list: Vec<&Value> = list["jobs"].as_array().unwrap().iter().collect();
    assert!(!list.is_empty() && list.iter().all(|job| job["from"] == "anna"), "{list:#?}");
    assert_eq!(code(&ask_as(&postfax, ANNA, &["show", &annas])), 0);
    let unseen = ask_as(&postfax, ANNA, &["show", &bobs]);
    let unknown = ask_as(&postfax, ANNA, &["show", "999"]);
    assert_eq!(code(&unseen), 1);
    assert_eq!(said(&unseen).replace(&bobs, "999"), said(&unknown), "the same words");
    assert_eq!(code(&ask_as(&postfax, ANNA, &["cancel", &bobs])), 1);
    assert_eq!(code(&ask_as(&postfax, ANNA, &["reload"])), 77);
    assert_eq!(code(&ask_as(&postfax, ANNA, &["servers", "drain", "one"])), 77);
    let refused = ask_as(&postfax, ANNA, &["audit"]);
    assert!(said(&refused).contains("audit.see on supervisor"), "{}", said(&refused));
    let stranger = ask_as(&postfax, STRANGER, &["status"]);
    assert_eq!(code(&stranger), 77);
    assert!(said(&stranger).contains(&format!("you are user {STRANGER}")), "{}", said(&stranger));

    // Orders hold over a restart, and over a reload.
    let ok = |output: Output| assert_eq!(code(&output), 0, "{}", said(&output));
    ok(ask_as(&postfax, ANNA, &["hold", &annas]));
    ok(ask_as(&postfax, ANNA, &["alter", &annas, "--priority", "-4", "--number", "+12125550133"]));
    ok(ask_as(&postfax, DORA, &["servers", "drain", "one"]));
    assert_eq!(code(&ask_as(&postfax, DORA, &["servers", "drain", "two"])), 77);
    ok(postfax.ask(&["reload"]));
    postfax.kill();
    // Read where no daemon is.
    let file = postfax.file("state/postfax.db").display().to_string();
    let alone = postfax.ask(&["audit", "verify", "--file", &file]);
    assert_eq!(code(&alone), 0, "{}", said(&alone));
    postfax.run();
    let job = postfax.job(annas.parse().unwrap());
    assert_eq!((&job["on_hold"], &job["priority"]), (&true.into(), &(-4).into()), "{job:#}");
    assert_eq!(job["destination"]["fax"]["number"], "+12125550133");
    let servers = postfax.ask_json(&["servers"])["servers"].clone();
    assert_eq!(servers[0]["status"]["drained"], true, "{servers:#}");
    assert_eq!(servers[1]["status"]["draining"], false, "{servers:#}");
    ok(ask_as(&postfax, DORA, &["servers", "resume", "one"]));
    ok(ask_as(&postfax, ANNA, &["release", &annas]));
    ok(ask_as(&postfax, ANNA, &["cancel", &annas]));
    audit_tells(&postfax, &annas);
}

/// The log of what was asked above, as the client reads it that may.
fn audit_tells(postfax: &Postfax, annas: &str) {
    let listed = ask_as(postfax, DORA, &["audit", "--who", "anna", "--limit", "100", "--json"]);
    let lines: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let lines = lines["audit"].as_array().unwrap();
    let told: Vec<String> = lines
        .iter()
        .rev()
        .map(|entry| {
            let verdict = &entry["line"]["verdict"];
            let kind = verdict.as_object().and_then(|map| map.keys().next().cloned());
            let kind = kind.unwrap_or_else(|| verdict.as_str().unwrap().to_owned());
            format!("{} {kind}", entry["line"]["request"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            "jobs.list allowed",
            "jobs.show allowed",
            "jobs.show failed",
            "jobs.show failed",
            "jobs.cancel failed",
            "config.reload refused",
            "servers.drain refused",
            "audit.list refused",
            "jobs.hold allowed",
            "jobs.alter allowed",
            "jobs.release allowed",
            "jobs.cancel allowed",
        ]
    );
    let alter = lines.iter().find(|entry| entry["line"]["request"] == "jobs.alter").unwrap();
    assert_eq!(alter["line"]["object"], format!("job:{annas}"));
    assert_eq!(alter["line"]["asker"]["from"], format!("uid {ANNA}"));
    let part = |name: &str| alter["line"][name].as_str().unwrap().to_owned();
    assert!(part("before").contains("+12125550111, priority 0"), "{}", part("before"));
    assert!(part("after").contains("+12125550133, priority -4"), "{}", part("after"));
    let whole = ask_as(postfax, DORA, &["audit", "verify", "--json"]);
    assert_eq!(code(&whole), 0, "{}", said(&whole));
    let chain: Value = serde_json::from_slice(&whole.stdout).unwrap();
    let head = &chain["chain"]["head"];
    let head = format!("{}:{}", head["seq"], head["hash"].as_str().unwrap());
    assert_eq!(code(&postfax.ask(&["audit", "verify", "--head", &head])), 0);
    let other = head.replace(head.chars().last().unwrap(), "f");
    let other = if other == head { head.replace('f', "e") } else { other };
    assert_ne!(code(&postfax.ask(&["audit", "verify", "--head", &other])), 0);
}

#[test]
fn a_log_that_was_changed_is_noticed_by_the_command() {
    let mut postfax = set_up();
    for _ in 0..3 {
        assert!(postfax.ask(&["status"]).status.success());
    }
    postfax.stop();
    let script = "import sqlite3, sys\n\
                  db = sqlite3.connect(sys.argv[1])\n\
                  db.execute(\"UPDATE audit SET body = replace(body, 'uid 0', 'uid 9') WHERE seq = 2\")\n\
                  db.commit()";
    let file = postfax.file("state/postfax.db");
    assert!(Command::new("python3").args(["-c", script]).arg(&file).status().unwrap().success());
    // Nobody runs, so the command reads the database that the configuration names.
    let config = postfax.config().display().to_string();
    let found = postfax.ask(&["audit", "verify", "--config", &config]);
    assert_eq!(code(&found), 1, "{}", said(&found));
    assert!(said(&found).contains("line 2 does not fit"), "{}", said(&found));
}

#[test]
fn who_asks_while_nothing_can_be_saved_is_told_so() {
    let postfax = set_up();
    let script = "import sqlite3, sys\n\
                  db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)\n\
                  db.execute('BEGIN IMMEDIATE')\n\
                  print('locked', flush=True)\n\
                  sys.stdin.read()";
    let mut lock = Command::new("python3")
        .args(["-c", script])
        .arg(postfax.file("state/postfax.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said_so = String::new();
    BufReader::new(lock.stdout.take().unwrap()).read_line(&mut said_so).unwrap();
    assert_eq!(said_so, "locked\n");
    let blind = postfax.ask(&["status"]);
    assert_eq!(code(&blind), 69, "{}", said(&blind));
    assert!(said(&blind).contains("nothing can be saved"), "{}", said(&blind));
    drop(lock.stdin.take());
    assert!(lock.wait().unwrap().success());
    wait_for("it to be well again", 30, || (code(&postfax.ask(&["status"])) == 0).then_some(()));
}
