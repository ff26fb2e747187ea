//! A supervisor and a line server as two processes: who dials whom, keys, kills, reloads,
//! and what is said of the file. Calls are placed in `calls`.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "lines/calls.rs"]
mod calls;
#[path = "lines/kills.rs"]
mod kills;
mod support;

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_postfax");
/// A key that nobody has.
const NOBODY: &str = "sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const BAD_CONFIGURATION: i32 = 78;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_for<T>(what: &str, seconds: u64, mut seen: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(seen) = seen() {
            return seen;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).env_remove("CREDENTIALS_DIRECTORY").output().unwrap()
}

/// A process of ours, killed when this is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    fn ended(&mut self) -> Option<i32> {
        self.0.try_wait().unwrap().map(|status| status.code().unwrap_or(-1))
    }
}

/// Where the two are, and who dials.
struct Place {
    folder: tempfile::TempDir,
    port: u16,
    dials_in: bool,
}

impl Place {
    /// Both have their keys, and neither runs.
    fn new(dials_in: bool) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), port: free_port(), dials_in };
        for state in ["state", "lines"] {
            fs::DirBuilder::new().mode(0o700).create(place.file(state)).unwrap();
        }
        place.write(NOBODY, NOBODY);
        let (supervisor, lines) = (place.key(true), place.key(false));
        assert!(supervisor.starts_with("sha256:") && supervisor != lines);
        assert_eq!(place.key(false), lines, "it is made once");
        place.write(&supervisor, &lines);
        place
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn path(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }

    fn key(&self, supervisor: bool) -> String {
        let (file, config) = (self.path("lines.toml"), self.path("postfax.toml"));
        let mut arguments = vec!["lines", "key", "--file", &file, "--config", &config];
        arguments.extend(supervisor.then_some("--supervisor"));
        let output = run(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Writes both files with these keys in them.
    fn write(&self, supervisor: &str, lines: &str) {
        let (port, folder) = (self.port, self.folder.path().display());
        let (door, way, meeting) = match self.dials_in {
            true => (
                format!("[lines]\nlisten = \"127.0.0.1:{port}\"\n"),
                "dials_in = true".to_owned(),
                format!("connect = \"127.0.0.1:{port}\""),
            ),
            false => (
                String::new(),
                format!("url = \"line://127.0.0.1:{port}\""),
                format!("listen = \"127.0.0.1:{port}\""),
            ),
        };
        let config = format!(
            r#"[supervisor]
domain = "fax.example.com"
country = "GB"
postmaster = "it@example.com"
state = "{folder}/state"
[[listener]]
address = "127.0.0.1:{}"
role = "relay"
trust = ["127.0.0.0/8"]
[delivery]
relay = "smtp://127.0.0.1:9"
from = "fax@fax.example.com"
[[group]]
name = "london"
{door}
[[server]]
name = "branch-1"
kind = "line"
{way}
key = "{lines}"
groups = ["london"]
[[client]]
name = "anna"
mail = ["anna@example.com"]
groups = ["london"]
"#,
            free_port()
        );
        fs::write(self.file("postfax.toml"), config).unwrap();
        let lines = format!(
            r#"[lines]
name = "branch"
country = "GB"
state = "{folder}/lines"
supervisor = "{supervisor}"
{meeting}
[[line]]
name = "ttyACM0"
kind = "modem"
device = "{folder}/no-modem"
"#
        );
        fs::write(self.file("lines.toml"), lines).unwrap();
    }

    fn spawn(&self, log: &str, arguments: &[&str]) -> Process {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.file(log)).unwrap();
        let child = Command::new(PROGRAM)
            .args(arguments)
            .env("RUST_LOG", "info")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        Process(child.unwrap())
    }

    fn supervisor(&self) -> Process {
        self.spawn("supervisor.log", &["serve", "--config", &self.path("postfax.toml")])
    }

    fn lines(&self) -> Process {
        self.spawn("lines.log", &["lines", "--file", &self.path("lines.toml")])
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    fn ask(&self, arguments: &[&str]) -> Option<Value> {
        let config = self.path("postfax.toml");
        let output = run(&[arguments, &["--json", "--config", &config]].concat());
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    /// What the supervisor says of the health of the line server.
    fn health(&self) -> Option<Value> {
        Some(self.ask(&["status"])?["status"]["servers"][0]["live"]["health"].clone())
    }

    fn wait_until_up(&self) {
        wait_for("the line server to be up", 40, || self.health()?.get("up").map(drop));
    }
}

/// Killed, started again, told to read a bad file and a good one, stopped.
fn live(dials_in: bool) {
    let place = Place::new(dials_in);
    let _supervisor = place.supervisor();
    let lines = place.lines();
    place.wait_until_up();
    // What is registered there is what is held here, also by another life.
    let set = place.ask(&["settings", "set", "branch-1", "max_send_pages=100"]);
    assert!(set.is_some(), "{}", place.log("supervisor.log"));
    wait_for("the settings to be held", 20, || {
        let sheet = place.ask(&["settings", "get", "branch-1"])?.to_string();
        (sheet.contains("applied") && sheet.contains("max_send_pages")).then_some(())
    });
    lines.signal("KILL");
    wait_for("the line server to be down", 40, || place.health()?.get("down").map(drop));
    drop(lines);
    let mut lines = place.lines();
    place.wait_until_up();
    // A reload of the supervisor leaves the connection alone.
    let connections = || place.log("supervisor.log").matches("a line server is connected").count();
    let before = connections();
    assert!(place.ask(&["reload"]).is_some());
    place.wait_until_up();
    assert_eq!(connections(), before, "{}", place.log("supervisor.log"));
    let good = fs::read_to_string(place.file("lines.toml")).unwrap();
    for (text, said) in [
        (good.replace("country = \"GB\"", "country = \"Britain\""), "stays in force"),
        (good.replace("[[line]]", "stop_after_s = 5\n[[line]]"), "the new file is in force"),
        (good.replace("no-modem", "another-modem"), "calls under way may come to their end"),
    ] {
        fs::write(place.file("lines.toml"), text).unwrap();
        lines.signal("HUP");
        wait_for(said, 10, || place.log("lines.log").contains(said).then_some(()));
    }
    place.wait_until_up();
    assert_eq!(lines.ended(), None, "{}", place.log("lines.log"));
    lines.signal("TERM");
    let code = wait_for("its end", 20, || lines.ended());
    assert_eq!(code, 0, "{}", place.log("lines.log"));
}

#[test]
fn a_line_server_that_is_dialled() {
    live(false);
}

#[test]
fn a_line_server_that_dials_in() {
    live(true);
}

#[test]
fn a_wrong_key_is_named_once_by_the_side_that_answers() {
    let place = Place::new(true);
    let (supervisor, lines) = (place.key(true), place.key(false));
    place.write(&supervisor, NOBODY);
    let _supervisor = place.supervisor();
    wait_for("the supervisor to answer", 20, || place.health());
    let _lines = place.lines();
    let refused = || place.log("supervisor.log").matches(&format!("key={lines}")).count();
    wait_for("the refusal", 20, || (refused() > 0).then_some(()));
    wait_for("the words for it", 20, || {
        place.log("lines.log").contains(&format!("does not accept our key {lines}")).then_some(())
    });
    thread::sleep(Duration::from_secs(3));
    assert_eq!(refused(), 1, "{}", place.log("supervisor.log"));
    // With the right one it comes in without a restart.
    place.write(&supervisor, &lines);
    assert!(place.ask(&["reload"]).is_some(), "{}", place.log("supervisor.log"));
    place.wait_until_up();
}

#[test]
fn a_bad_file_is_told_all_that_is_wrong() {
    let folder = root().join("tests/config/lines");
    let file = folder.join("bad.toml");
    let (text, json) = (
        run(&["lines", "check", file.to_str().unwrap()]),
        run(&["lines", "check", "--json", file.to_str().unwrap()]),
    );
    for output in [&text, &json] {
        assert_eq!(output.status.code(), Some(BAD_CONFIGURATION));
    }
    let text = String::from_utf8(text.stdout).unwrap();
    let problems: Vec<Value> = serde_json::from_slice(&json.stdout).unwrap();
    let found: BTreeSet<String> = problems
        .iter()
        .map(|problem| {
            assert!(problem["help"].as_str().is_some_and(|help| help.len() > 5), "{problem}");
            let key = problem["key"].as_str().unwrap();
            format!("bad.toml:{}:{} {key}", problem["line"], problem["column"])
        })
        .collect();
    let mut expected = BTreeSet::new();
    for line in fs::read_to_string(folder.join("bad.expect")).unwrap().lines() {
        match line.strip_prefix("at ") {
            Some(at) => drop(expected.insert(at.to_owned())),
            None => assert!(text.contains(line), "not so: {line}\n{text}"),
        }
    }
    let missing: Vec<_> = expected.difference(&found).collect();
    let unexpected: Vec<_> = found.difference(&expected).collect();
    assert!(missing.is_empty() && unexpected.is_empty(), "missing {missing:?} {unexpected:?}");
}

/// The blocks of the handbook that are in this language.
fn blocks(language: &str) -> Vec<String> {
    let page = fs::read_to_string(root().join("docs/lines.md")).unwrap();
    let fence = format!("```{language}\n");
    let parts = page.split(&fence).skip(1);
    parts.map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_files_of_the_handbook_are_good() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = blocks("toml");
    let [modem, supervisor, trunk] = &blocks[..] else { panic!("{} blocks", blocks.len()) };
    let file = folder.path().join("lines.toml");
    fs::write(folder.path().join("trunk.pw"), "secret\n").unwrap();
    for text in [modem.clone(), format!("{modem}{trunk}")] {
        fs::write(&file, &text).unwrap();
        let output = run(&["lines", "check", file.to_str().unwrap()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let minimal = fs::read_to_string(root().join("tests/config/good/minimal.toml")).unwrap();
    let group = "[[group]]\nname = \"london\"\n";
    let file = folder.path().join("postfax.toml");
    fs::write(&file, format!("{minimal}\n{group}{supervisor}")).unwrap();
    let output = run(&["check", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_unit_runs_commands_that_there_are_and_is_hardened() {
    let path = root().join("systemd/postfax-lines.service");
    let unit = fs::read_to_string(&path).unwrap();
    let lines = unit.lines().filter_map(|line| line.split_once("=/usr/local/bin/postfax "));
    let mut commands = 0;
    for (_, arguments) in lines {
        let arguments: Vec<&str> = arguments.split(' ').chain(["--help"]).collect();
        assert!(run(&arguments).status.success(), "{arguments:?}");
        commands += 1;
    }
    assert_eq!(commands, 2, "check and run");
    let analyze = ["security", "--offline=true", "--threshold=40", path.to_str().unwrap()];
    match Command::new("systemd-analyze").args(analyze).output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout))
        }
        Err(_) => eprintln!("SKIPPED, NOT TESTED: systemd-analyze is not installed"),
    }
}

/// Two network namespaces with a cable between them; they go when this is dropped.
struct Cable(String);

impl Drop for Cable {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

fn ip(arguments: &str) -> bool {
    let done = Command::new("ip").args(arguments.split(' ')).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}

impl Cable {
    /// None where that cannot be had.
    fn lay() -> Option<Self> {
        let name = format!("pfl{}", std::process::id() % 10_000);
        let cable = Self(name.clone());
        let laid = ip(&format!("netns add {name}"))
            && ip(&format!("link add {name}a type veth peer name {name}b netns {name}"))
            && ip(&format!("addr add 10.231.77.1/30 dev {name}a"))
            && ip(&format!("link set {name}a up"))
            && ip(&format!("-n {name} addr add 10.231.77.2/30 dev {name}b"))
            && ip(&format!("-n {name} link set {name}b up"))
            && ip(&format!("-n {name} link set lo up"));
        laid.then_some(cable)
    }

    fn set(&self, state: &str) {
        assert!(ip(&format!("link set {}a {state}", self.0)));
    }
}

#[test]
#[ignore = "two minutes: a cable is out for longer than a silent peer is believed"]
fn a_cable_that_is_cut_and_heals_joins_them_again() {
    let Some(cable) = Cable::lay() else {
        eprintln!("SKIPPED, NOT TESTED: no network namespaces can be made here");
        return;
    };
    let place = Place::new(false);
    for file in ["postfax.toml", "lines.toml"] {
        let text = fs::read_to_string(place.file(file)).unwrap();
        let there = format!("127.0.0.1:{}", place.port);
        let text = text.replace(&there, &format!("10.231.77.2:{}", place.port));
        fs::write(place.file(file), text).unwrap();
    }
    let _supervisor = place.supervisor();
    let file = place.path("lines.toml");
    let log = fs::File::create(place.file("lines.log")).unwrap();
    let lines = Command::new("ip")
        .args(["netns", "exec", &cable.0, PROGRAM, "lines", "--file", &file])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn();
    let _lines = Process(lines.unwrap());
    place.wait_until_up();
    // Shorter than a silent peer is believed: it is the same connection afterwards.
    let connections = || place.log("supervisor.log").matches("a line server is connected").count();
    let before = connections();
    cable.set("down");
    thread::sleep(Duration::from_secs(8));
    cable.set("up");
    place.wait_until_up();
    thread::sleep(Duration::from_secs(10));
    place.wait_until_up();
    assert_eq!(connections(), before, "{}", place.log("supervisor.log"));
    // Longer: both give it up, and meet again.
    cable.set("down");
    wait_for("the line server to be down", 60, || place.health()?.get("down").map(drop));
    thread::sleep(Duration::from_secs(5));
    cable.set("up");
    place.wait_until_up();
    assert!(connections() > before);
}
