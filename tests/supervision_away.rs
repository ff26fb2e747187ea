//! Settings of two real HylaFAX servers when something is in the way: a server that is
//! away, somebody who edits its files behind our back, a daemon that is killed between
//! its promise and the server. What was registered gets there without a hand, and what
//! somebody changed is told.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{
    lab::{Lab, Servers},
    postfax::Postfax,
    sink::{Mail, Sink},
    wait_for,
};

/// How often the servers are read, in seconds.
const READ_BACK_S: u64 = 2;
/// How long after that a change is told at the latest, on a machine that has much to do.
const GRACE: Duration = Duration::from_secs(3);

struct House {
    lab: Lab,
    postfax: Postfax,
    sink: Sink,
}

impl House {
    /// Drift at the first server is reported, at the second it is undone.
    fn start() -> Self {
        let lab = Lab::start(Servers::Hylafax, 1);
        let sink = Sink::start();
        let more = format!("[limits]\nread_back_s = {READ_BACK_S}\n");
        let mut postfax = Postfax::prepare(&lab.about, &sink, &more);
        let second = format!("name = \"{}\"\nkind", lab.about.servers[1].name);
        let config = fs::read_to_string(postfax.config()).unwrap();
        let pushes = format!("on_drift = \"push\"\n{second}");
        fs::write(postfax.config(), config.replace(&second, &pushes)).unwrap();
        postfax.run();
        let house = Self { lab, postfax, sink };
        for server in 0..2 {
            house.wait_until(server, "applied", 30);
        }
        house
    }

    fn name(&self, server: usize) -> String {
        self.lab.about.servers[server].name.clone()
    }

    fn file(&self, server: usize) -> PathBuf {
        self.lab.about.servers[server].spool.join("etc/config")
    }

    fn text(&self, server: usize) -> String {
        fs::read_to_string(self.file(server)).unwrap()
    }

    /// What the server's own file says.
    fn dials(&self, server: usize) -> Option<String> {
        let text = self.text(server);
        let value = text.lines().find_map(|line| line.strip_prefix("MaxDials:"));
        value.map(|value| value.trim().to_owned())
    }

    /// Somebody edits a file on the server.
    fn edit(&self, server: usize, dials: u32) {
        let text = self.text(server);
        let others = text.lines().filter(|line| !line.starts_with("MaxDials:"));
        let others: String = others.map(|line| format!("{line}\n")).collect();
        fs::write(self.file(server), format!("{others}MaxDials: {dials}\n")).unwrap();
    }

    fn sheet(&self, server: usize) -> Option<Value> {
        let answer = self.postfax.ask_json(&["settings", "get", &self.name(server)]);
        answer["settings"].get("sheet").cloned()
    }

    /// Waits for a state of the newest version.
    fn wait_until(&self, server: usize, state: &str, seconds: u64) -> Value {
        wait_for(&format!("{} to be {state}", self.name(server)), seconds, || {
            let sheet = self.sheet(server)?;
            (sheet["state"] == state || sheet["state"].get(state).is_some()).then_some(sheet)
        })
    }

    /// The mails that tell of a drift at a server.
    fn told_of(&self, server: usize) -> Vec<Mail> {
        let name = self.name(server);
        let is = |mail: &Mail| {
            mail.to == ["it@example.com"]
                && mail.subject().contains("settings of ")
                && mail.subject().contains(&name)
        };
        self.sink.mails().into_iter().filter(is).collect()
    }
}

#[test]
fn what_is_registered_gets_there_and_what_was_changed_behind_our_back_is_told() {
    let mut house = House::start();
    a_server_that_was_away_gets_its_settings(&mut house);
    drift_is_reported_and_adopted_or_pushed(&house);
    a_daemon_that_was_killed_brings_what_it_promised(&mut house);
    assert!(house.postfax.ask(&["audit", "verify"]).status.success());
}

/// Stopped, registered, started: applied, by nobody's hand. Meanwhile somebody edits the
/// other server, which gets back what is registered for it.
fn a_server_that_was_away_gets_its_settings(house: &mut House) {
    let (away, there) = (house.name(0), 1);
    let before = house.dials(there);
    house.lab.stop(&away);
    let postfax = &house.postfax;
    let said = thread::scope(|scope| {
        let set = ["settings", "set", &away, "max_dials=5", "--reason", "while away"];
        // The command waits for the server as long as it has the patience.
        let setting = scope.spawn(move || postfax.ask_json(&set));
        wait_for("the settings to be registered", 10, || {
            let sheet = house.sheet(0)?;
            (sheet["version"]["number"] == 2 && sheet["state"] == "pending").then_some(())
        });
        house.edit(there, 99);
        let begun = Instant::now();
        wait_for("what is registered to be brought back", 30, || {
            (house.dials(there) == before).then_some(())
        });
        eprintln!("undone after {:?}", begun.elapsed());
        wait_for("the postmaster to be told", 30, || {
            (house.told_of(there).len() == 1).then_some(())
        });
        house.wait_until(there, "applied", 10);
        assert_eq!(house.sheet(there).unwrap()["version"]["number"], 1);
        setting.join().unwrap()
    });
    assert_eq!(said["settings"]["registered"]["state"], "pending", "{said:#}");
    assert_eq!(house.dials(0), None);
    house.lab.start_again(&away);
    let begun = Instant::now();
    let sheet = house.wait_until(0, "applied", 60);
    eprintln!("applied {:?} after the server was there again", begun.elapsed());
    assert_eq!(sheet["version"]["reason"], "while away");
    assert_eq!(house.dials(0).as_deref(), Some("5"));
}

fn drift_is_reported_and_adopted_or_pushed(house: &House) {
    let name = house.name(0);
    for (turn, (order, dials)) in [("adopt", 7), ("push", 9)].into_iter().enumerate() {
        let before = house.sheet(0).unwrap()["version"].clone();
        let registered = before["settings"]["max_dials"].clone();
        house.edit(0, dials);
        let (edited, begun) = (house.text(0), Instant::now());
        let sheet = house.wait_until(0, "drifted", 30);
        let noticed = begun.elapsed();
        eprintln!("drift noticed after {noticed:?}");
        assert!(noticed < Duration::from_secs(READ_BACK_S) + GRACE, "{noticed:?}");
        let changes = &sheet["state"]["drifted"]["changes"];
        assert_eq!(changes[0]["name"], "max_dials", "{sheet:#}");
        assert_eq!((&changes[0]["from"], &changes[0]["to"]), (&registered, &dials.into()));
        let diff = house.postfax.ask(&["settings", "diff", &name]);
        let diff = String::from_utf8_lossy(&diff.stdout).into_owned();
        assert!(diff.contains(&format!("max_dials: {registered} -> {dials}")), "{diff}");
        let mail =
            wait_for("the postmaster to be told", 30, || house.told_of(0).into_iter().nth(turn));
        let words = format!("max_dials: {registered} -> {dials}");
        assert!(mail.text().contains(&words), "{}", mail.text());
        // Nothing is done without an order.
        thread::sleep(Duration::from_secs(READ_BACK_S + 1));
        assert_eq!(house.text(0), edited);
        assert_eq!(house.told_of(0).len(), turn + 1, "told once");

        let done = house.postfax.ask_json(&["settings", order, &name]);
        assert!(done["settings"]["registered"]["state"].get("applied").is_some(), "{done:#}");
        let after = house.sheet(0).unwrap()["version"].clone();
        if order == "adopt" {
            assert_eq!(after["settings"]["max_dials"], dials);
            assert_eq!(after["number"].as_u64(), before["number"].as_u64().map(|n| n + 1));
            assert_eq!(house.text(0), edited, "the server is left as it is");
        } else {
            assert_eq!(after, before);
            assert_eq!(house.dials(0), Some(registered.to_string()));
        }
    }
}

/// Killed after it has registered, and before it has brought anything to the server.
fn a_daemon_that_was_killed_brings_what_it_promised(house: &mut House) {
    let name = house.name(1);
    let before = house.text(1);
    house.postfax.stop();
    house.postfax.environment(&[("POSTFAX_DIE_BEFORE", "push settings")]);
    house.postfax.run();
    house.wait_until(1, "applied", 30);
    let cut = house.postfax.ask(&["settings", "set", &name, "max_dials=11"]);
    assert!(!cut.status.success());
    wait_for("the daemon to be killed", 20, || house.postfax.has_ended().then_some(()));
    house.postfax.kill();
    assert!(house.postfax.log().contains("killed before: push settings"));
    assert_eq!(house.text(1), before, "nothing has come to the server yet");
    house.postfax.environment(&[]);
    house.postfax.run();
    let begun = Instant::now();
    let sheet = wait_for("what was promised", 30, || {
        let sheet = house.sheet(1)?;
        (sheet["version"]["number"] == 2 && sheet["state"].get("applied").is_some())
            .then_some(sheet)
    });
    eprintln!("applied {:?} after the restart", begun.elapsed());
    assert_eq!(sheet["version"]["settings"]["max_dials"], 11);
    assert_eq!(house.dials(1).as_deref(), Some("11"));
}
