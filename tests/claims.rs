//! What a supervising server must do, one test for each claim, through the real
//! program over sockets.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{fs, path::PathBuf};

use support::{
    lab::{Lab, Servers},
    pages,
    postfax::Postfax,
    sink::{Mail, Sink},
};

struct Site {
    lab: Lab,
    sink: Sink,
    postfax: Postfax,
}

impl Site {
    fn start() -> Self {
        let lab = Lab::start(Servers::Stations, 2);
        let sink = Sink::start();
        let postfax = Postfax::start(&lab.about, &sink, "");
        postfax.wait_for_servers();
        Self { lab, sink, postfax }
    }

    fn letter(&self, name: &str) -> PathBuf {
        let file = self.postfax.file(&format!("{name}.pdf"));
        fs::write(&file, pages::pdf(1, name)).unwrap();
        file
    }

    fn fax(&self, from: &str, to_server: usize, name: &str) {
        let to = format!("{}@fax.example.com", self.lab.number_of(to_server));
        let file = self.letter(name);
        let said = self.postfax.send(from, &format!("{from}@example.com"), &to, Some(&file));
        assert!(said.accepted, "{}", said.words);
    }
}

fn is_fax(mail: &Mail) -> bool {
    mail.header("X-Fax-Pages").is_some()
}

/// A plurality of fax servers and of clients, joined only through the supervisor.
#[test]
fn c1_servers_and_clients_are_joined_through_the_supervisor() {
    let site = Site::start();
    let status = site.postfax.status();
    let servers: Vec<_> =
        status["servers"].as_array().unwrap().iter().map(|s| s["name"].clone()).collect();
    assert_eq!(servers.len(), 2, "{servers:?}");
    for (from, to) in [("anna", 1), ("bob", 0)] {
        site.fax(from, to, from);
    }
    site.sink.wait("bob's fax", "bob@example.com", 90, is_fax);
    site.sink.wait("anna's fax", "anna@example.com", 90, is_fax);
}

/// Data and a recipient from a client: the supervisor selects a proper server and
/// has it call.
#[test]
fn c2_the_supervisor_selects_a_server_and_has_it_call() {
    let site = Site::start();
    site.fax("anna", 1, "c2");
    let job = site.postfax.wait_for_end(1, 90);
    assert_eq!(job["state"]["ended"]["end"], "delivered", "{job:#}");
    let by = job["attempts"][0]["carrier"]["server"].as_str().unwrap();
    assert_eq!(by, site.lab.about.servers[0].name, "the only one that anna's group permits");
}

/// Data from a server: the supervisor selects a proper client and transfers it.
#[test]
fn c3_the_supervisor_selects_the_client_of_a_received_fax() {
    let site = Site::start();
    site.fax("anna", 1, "c3");
    let fax = site.sink.wait("the fax", "bob@example.com", 90, is_fax);
    assert_eq!(fax.to, ["bob@example.com"]);
    assert!(fax.part("application/pdf").is_some());
    let from = fax.parsed().from().and_then(|f| f.first()?.address().map(str::to_owned));
    assert!(from.is_some_and(|from| from.ends_with("@fax.example.com")));
}

/// Both at once, many of each in flight.
#[test]
fn c4_many_faxes_go_out_and_come_in_at_once() {
    let site = Site::start();
    for turn in 0..5 {
        site.fax("anna", 1, &format!("anna-{turn}"));
        site.fax("bob", 0, &format!("bob-{turn}"));
    }
    for (client, count) in [("anna@example.com", 5), ("bob@example.com", 5)] {
        support::wait_for(client, 240, || {
            let mails = site.sink.mails();
            let faxes = mails.iter().filter(|m| is_fax(m) && m.to == [client]).count();
            assert!(faxes <= count, "none twice");
            (faxes == count).then_some(())
        });
    }
}

/// Servers and clients are divided and stored as groups.
#[test]
fn c13_servers_and_clients_are_divided_into_groups() {
    let site = Site::start();
    let explained = |from: &str| {
        // A number that is none of our own, since no server calls itself.
        let to = site.lab.number("busy");
        site.postfax.ask_json(&["explain", "--from", from, "--to", to]).to_string()
    };
    let (london, paris) = (&site.lab.about.servers[0].name, &site.lab.about.servers[1].name);
    let chosen = |name: &str| format!("\"chosen\":\"{name}\"");
    assert!(explained("anna").contains(&chosen(london)), "{}", explained("anna"));
    assert!(explained("bob").contains(&chosen(paris)), "{}", explained("bob"));
}

/// Data passes only inside a shared group, in both directions, also when a rule
/// says otherwise.
#[test]
fn c14_data_passes_only_inside_a_shared_group() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let paris = &lab.about.servers[1].name;
    let rule = format!("[[dial]]\nto = \"+49*\"\nvia = [\"{paris}\"]\n");
    let mut postfax = Postfax::prepare(&lab.about, &sink, &rule);
    let config = fs::read_to_string(postfax.config()).unwrap();
    fs::write(postfax.config(), config.replace("to = [\"bob\"]", "to = [\"anna\"]")).unwrap();
    postfax.run();
    postfax.wait_for_servers();
    let file = postfax.file("letter.pdf");
    fs::write(&file, pages::pdf(1, "c14")).unwrap();
    // Out: the rule leads to paris, where anna is not.
    let said =
        postfax.send("anna", "anna@example.com", "+493012345678@fax.example.com", Some(&file));
    assert!(said.words.contains("550 5.7.1 no fax server permitted"), "{}", said.words);
    // In: the route leads from paris to anna.
    let to = format!("{}@fax.example.com", lab.number_of(1));
    assert!(postfax.send("anna", "anna@example.com", &to, Some(&file)).accepted);
    sink.wait("the alarm", "it@example.com", 90, |_| true);
    assert!(!sink.mails().iter().any(is_fax));
}
