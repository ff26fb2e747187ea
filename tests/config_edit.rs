//! The configuration of a running Postfax is changed: what is written stays readable,
//! what is bad is refused before anything is written, what was can be had again, and a
//! daemon that is killed in the middle has the old one or the new one.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    process::Output,
};

use serde_json::Value;
use support::{lab::Description, postfax::Postfax, sink::Sink, wait_for};

/// Written by a person, with reasons.
const COMMENTED: &str = "
# Long contracts.
[limits]
max_pages = 300 # since May
";

fn start() -> (Postfax, Sink) {
    let sink = Sink::start();
    let mut postfax = Postfax::prepare(&Description::unreachable(), &sink, COMMENTED);
    fs::create_dir(postfax.file("conf.d")).unwrap();
    fs::write(postfax.file("conf.d/more.toml"), "# More.\n[[client]]\nname = \"dora\" # new\nmail = [\"dora@example.com\"]\ngroups = [\"paris\"]\n").unwrap();
    postfax.run();
    (postfax, sink)
}

fn main_text(postfax: &Postfax) -> String {
    fs::read_to_string(postfax.config()).unwrap()
}

fn more_text(postfax: &Postfax) -> String {
    fs::read_to_string(postfax.file("conf.d/more.toml")).unwrap()
}

fn set(postfax: &Postfax, changes: &[&str]) -> Output {
    postfax.ask(&[&["config", "set"], changes].concat())
}

fn words(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[track_caller]
fn good(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", words(output));
    words(output)
}

fn versions(postfax: &Postfax) -> Vec<Value> {
    postfax.ask_json(&["config", "history"])["config"]["history"].as_array().unwrap().clone()
}

#[test]
fn a_key_is_changed_and_everything_else_stays() {
    let (postfax, _sink) = start();
    let before = main_text(&postfax);
    assert_eq!(good(&postfax.ask(&["config", "get", "limits.max_pages"])), "300\n");
    let said = good(&set(&postfax, &["limits.max_pages=400", "--reason", "longer contracts"]));
    assert!(
        said.contains("-max_pages = 300 # since May\n+max_pages = 400 # since May\n"),
        "{said}"
    );
    assert!(said.contains("version 2: the configuration is in force"), "{said}");
    assert_eq!(main_text(&postfax), before.replace("max_pages = 300", "max_pages = 400"));
    let all = versions(&postfax);
    assert_eq!(
        (&all[0]["author"], &all[0]["reason"]),
        (&"the administrator".into(), &"longer contracts".into())
    );
    assert_eq!((all.len(), &all[1]["reason"]), (2, &"as it was found".into()));
    // A client moves, in the file that it is in; another comes and goes.
    let more = more_text(&postfax);
    good(&set(
        &postfax,
        &[
            "client.dora.mail=d@example.com",
            "client.emil={mail=[\"e@example.com\"], groups=[\"london\"]}",
        ],
    ));
    let added =
        "\n[[client]]\nname = \"emil\"\nmail = [\"e@example.com\"]\ngroups = [\"london\"]\n";
    assert_eq!(more_text(&postfax), more.replace("dora@", "d@") + added);
    good(&set(&postfax, &["client.emil="]));
    assert_eq!(more_text(&postfax), more.replace("dora@", "d@"));
}

#[test]
fn what_is_bad_is_refused_with_its_place_and_nothing_is_written() {
    let (postfax, _sink) = start();
    let (main, more) = (main_text(&postfax), more_text(&postfax));
    let line = more.lines().position(|line| line.starts_with("groups")).unwrap() + 1;
    for (changes, code, said) in [
        (&["client.dora.groups=nowhere"][..], 78, format!("more.toml:{line}:")),
        (&["limits.max_pages=many"], 78, "limits.max_pages".into()),
        (&["limits.max_pages=5", "client.dora.groups=nowhere"], 78, "there is no group".into()),
        (&["limits.max_page=5"], 2, "there is no key \"max_page\"".into()),
        (&["client.fritz.mail=x"], 2, "there is no client \"fritz\"".into()),
        (&["server.one.url=hylafax://u:geheim@10.0.0.1"], 78, "server.one.url".into()),
        // A port that somebody has: it is good, but cannot be put in force.
        (&["listener[1].address=\"127.0.0.1:@SINK@\""], 78, "taken back".into()),
        (&["limits.max_pages=5", "--version", "9"], 1, "version 1 is the last one".into()),
    ] {
        let changes: Vec<String> =
            changes.iter().map(|c| c.replace("@SINK@", &_sink.port.to_string())).collect();
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        let output = set(&postfax, &changes);
        let shown = words(&output);
        assert_eq!(output.status.code(), Some(code), "{changes:?}: {shown}");
        assert!(shown.contains(&said), "{changes:?}: {shown}");
        assert!(!shown.contains("geheim"), "{shown}");
        assert_eq!((main_text(&postfax), more_text(&postfax)), (main.clone(), more.clone()));
        assert_eq!(versions(&postfax).len(), 1, "{changes:?}");
    }
    let said = good(&set(&postfax, &["limits.max_pages=5", "--dry-run"]));
    assert!(said.contains("+max_pages = 5") && said.contains("this would be good"), "{said}");
    assert_eq!((main_text(&postfax), versions(&postfax).len()), (main, 1));
    let answer = postfax.ask_json(&["config", "set", "client.dora.groups=nowhere"]);
    assert_eq!(answer["problem"]["code"], "bad-configuration");
}

#[test]
fn whoever_comes_late_is_told_and_what_was_can_be_had_again() {
    let (postfax, _sink) = start();
    let before = main_text(&postfax);
    good(&set(&postfax, &["limits.max_pages=400", "--version", "1"]));
    let late = set(&postfax, &["limits.max_pages=500", "--version", "1"]);
    assert_eq!(late.status.code(), Some(1), "{}", words(&late));
    // By hand: what differs is a version of its own at the next reload.
    fs::write(postfax.config(), main_text(&postfax).replace("= 400", "= 450")).unwrap();
    good(&postfax.ask(&["reload"]));
    assert_eq!(versions(&postfax)[0]["reason"], "edited by hand");
    let diff = good(&postfax.ask(&["config", "diff", "1"]));
    assert!(diff.contains("-max_pages = 300") && diff.contains("+max_pages = 450"), "{diff}");
    // A file that came since goes again.
    fs::write(postfax.file("conf.d/late.toml"), "[letters]\nlanguage = \"de\"\n").unwrap();
    good(&postfax.ask(&["reload"]));
    good(&postfax.ask(&["config", "rollback", "1"]));
    assert_eq!(main_text(&postfax), before);
    assert!(!postfax.file("conf.d/late.toml").exists());
    let all = versions(&postfax);
    assert_eq!((all.len(), &all[0]["reason"]), (5, &"back to version 1".into()));
    let shown = postfax.ask_json(&["config", "show", "4"]);
    assert_eq!(shown["config"]["texts"]["texts"].as_array().unwrap().len(), 3);
    assert_eq!(postfax.ask(&["config", "show", "99"]).status.code(), Some(1));
}

#[test]
fn a_change_is_in_force_at_once() {
    let (postfax, _sink) = start();
    let name = postfax.status()["servers"][0]["name"].as_str().unwrap().to_owned();
    good(&set(
        &postfax,
        &[&format!("server.{name}.draining=true"), &format!("server.{name}.lines=7")],
    ));
    wait_for("the change to be seen", 10, || {
        let text = postfax.status()["servers"].to_string();
        (text.contains("\"draining\":true") && text.contains("\"lines\":7")).then_some(())
    });
}

#[test]
fn a_file_that_is_read_only_is_named() {
    let (postfax, _sink) = start();
    let file = postfax.file("conf.d/more.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).unwrap();
    let before = main_text(&postfax);
    let output = set(&postfax, &["limits.max_pages=5", "client.dora.mail=x@example.com"]);
    assert_eq!(output.status.code(), Some(74), "{}", words(&output));
    let said = words(&output).replace(['\n', '│', ' '], "");
    assert!(said.contains("more.toml") && said.contains("chmodu+w"), "{said}");
    assert_eq!(main_text(&postfax), before);
    assert_eq!(versions(&postfax).len(), 1, "what was not written is no version");
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o440);
}

#[test]
fn a_text_is_edited_until_it_is_good() {
    let (postfax, _sink) = start();
    let edit = |script: &str, answers: &str| {
        let editor = postfax.file("editor");
        fs::write(&editor, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_postfax"))
            .args(["config", "edit", "--socket"])
            .arg(postfax.file("control.sock"))
            .env("VISUAL", &editor)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, answers.as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    };
    assert!(good(&edit("true", "")).contains("nothing was changed"));
    // The first look breaks it, the second mends it.
    let script = "grep -q '= many' \"$1\" && exec sed -i 's/= many/= 7/' \"$1\"; sed -i 's/= 300/= many/' \"$1\"";
    let said = good(&edit(script, "y\n"));
    assert!(said.contains("Edit again?") && said.contains("+max_pages = 7 # since May"), "{said}");
    let given_up = edit("sed -i 's/= 7/= many/' \"$1\"", "n\n");
    assert_eq!(given_up.status.code(), Some(78));
    let said = words(&given_up);
    let kept = said.split_whitespace().find(|word| word.contains("/postfax-")).unwrap();
    fs::remove_file(kept).unwrap();
    assert!(main_text(&postfax).contains("max_pages = 7 # since May"));
}

/// Each version that somebody asked for has one line, also where Postfax was killed
/// between the change and the line.
fn each_is_in_the_audit_log(postfax: &Postfax) {
    let asked: Vec<String> = versions(postfax)
        .iter()
        .filter(|version| version["reason"] != "as it was found")
        .map(|version| format!("version {}\n", version["number"]))
        .collect();
    let lines = || -> Vec<String> {
        let output = postfax.ask(&["audit", "--limit", "1000", "--json"]);
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let after = |entry: &serde_json::Value| entry["line"]["after"].as_str().map(str::to_owned);
        told["audit"].as_array().unwrap().iter().filter_map(after).collect()
    };
    let of = |lines: &[String], asked: &String| {
        lines.iter().filter(|line| line.starts_with(asked.as_str())).count()
    };
    wait_for("each change to be on record", 10, || {
        let lines = lines();
        asked.iter().all(|asked| of(&lines, asked) > 0).then_some(())
    });
    let lines = lines();
    assert!(asked.iter().all(|asked| of(&lines, asked) == 1), "{asked:?} {lines:?}");
}

/// The steps of a change of two files.
const POINTS: [&str; 7] = [
    "config noted",
    "config draft",
    "config note",
    "config next",
    "config done",
    "config settle",
    "config settled",
];

/// Killed before each step of a change of two files: the next life has the old one or
/// the new one, whole, and its history says the same.
#[test]
fn killed_in_the_middle_it_is_the_old_one_or_the_new_one() {
    let (mut postfax, _sink) = start();
    let changes = |pages: usize| {
        vec![format!("limits.max_pages={pages}"), format!("client.dora.mail=d{pages}@example.com")]
    };
    let pages = |postfax: &Postfax| good(&postfax.ask(&["config", "get", "limits.max_pages"]));
    let mut last = 300;
    for (turn, point) in POINTS.into_iter().enumerate() {
        postfax.kill();
        postfax.environment(&[("POSTFAX_DIE_BEFORE", point)]);
        postfax.run();
        let want = 400 + turn;
        let typed = changes(want);
        let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
        let output = set(&postfax, &typed);
        assert_ne!(output.status.code(), Some(0), "{point}");
        wait_for("it to die", 10, || postfax.has_ended().then_some(()));
        assert!(postfax.log().contains(&format!("killed before: {point}")));
        // Whoever only reads has one of the two as well.
        let check = std::process::Command::new(env!("CARGO_BIN_EXE_postfax"))
            .arg("check")
            .arg(postfax.config())
            .output()
            .unwrap();
        assert_eq!(check.status.code(), Some(0), "{point}: {}", words(&check));
        postfax.kill();
        postfax.environment(&[]);
        postfax.run();
        let now: usize = pages(&postfax).trim().parse().unwrap();
        // From the note on it is the new one.
        let written = turn >= 3;
        assert_eq!(now, if written { want } else { last }, "{point}");
        assert_eq!(more_text(&postfax).contains(&format!("d{want}@")), written, "{point}");
        let reasons = versions(&postfax).into_iter().skip(1).count();
        assert_eq!(reasons, turn.saturating_sub(2), "{point}: {:?}", versions(&postfax));
        assert!(!versions(&postfax).iter().any(|v| v["reason"] == "edited by hand"), "{point}");
        each_is_in_the_audit_log(&postfax);
        last = now;
    }
    // One file needs no note.
    postfax.kill();
    postfax.environment(&[("POSTFAX_DIE_BEFORE", "config one")]);
    postfax.run();
    assert_ne!(set(&postfax, &["limits.max_pages=900"]).status.code(), Some(0));
    wait_for("it to die", 10, || postfax.has_ended().then_some(()));
    postfax.kill();
    postfax.environment(&[]);
    postfax.run();
    assert_eq!(pages(&postfax), format!("{last}\n"));
    assert_eq!(versions(&postfax)[0]["number"], versions(&postfax).len() + 3, "three never were");
    good(&set(&postfax, &["limits.max_pages=900"]));
    let left: Vec<_> = fs::read_dir(postfax.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".change"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A secret that somebody has typed where none belongs is shown to them, and
/// stays out of the log that is never deleted.
#[test]
fn what_stood_in_a_bad_configuration_is_not_on_record() {
    let (postfax, _sink) = start();
    let text = main_text(&postfax);
    for bad in ["password = \"hunter2", "token = \"hunter2\""] {
        let text = text.replacen("[limits]\n", &format!("[limits]\n{bad}\n"), 1);
        let ask = serde_json::json!({
            "ask": "config", "config": "replace", "file": "postfax.toml", "text": text
        });
        let mut socket = UnixStream::connect(postfax.file("control.sock")).unwrap();
        writeln!(socket, "{ask}").unwrap();
        let mut told = String::new();
        BufReader::new(socket).read_line(&mut told).unwrap();
        assert!(told.contains("bad-configuration") && told.contains("hunter2"), "{told}");
    }
    let audit = words(&postfax.ask(&["audit", "--json", "--request", "config.*"]));
    assert!(audit.contains("config.replace") && audit.contains("limits.token"), "{audit}");
    assert!(!audit.contains("hunter2"), "{audit}");
}
