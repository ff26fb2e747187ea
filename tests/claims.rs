//! What a supervising server must do, one test for each claim, through the real
//! program over sockets.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "claims/phone_book.rs"]
mod phone_book;
mod support;

use std::{fs, path::PathBuf};

use serde_json::Value;
use support::{
    lab::{Lab, Servers},
    pages,
    postfax::Postfax,
    sink::{Mail, Sink},
    users::{admit, ask_as, ask_json_as, code, said},
    wait_for,
};

/// Users of this host, each a client of a name, with what they hold.
const CLIENTS: [(&str, u32, &str); 5] = [
    ("rita", 64_021, "reader@server:@LONDON@"),
    ("wendy", 64_022, "writer@server:@LONDON@"),
    ("paul", 64_023, "writer@group:paris"),
    ("chief", 64_024, "chief@supervisor"),
    ("nora", 64_025, ""),
];
const ROLES: &str = r#"
[[role]]
name = "reader"
may = ["settings.read"]
[[role]]
name = "writer"
may = ["settings.read", "settings.write"]
[[role]]
name = "chief"
may = ["config.read", "config.write"]
"#;

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

/// Fax servers with settings, and clients of different authority.
struct Supervised {
    lab: Lab,
    postfax: Postfax,
    _sink: Sink,
}

impl Supervised {
    fn start() -> Self {
        let lab = Lab::start(Servers::Stations, 1);
        let sink = Sink::start();
        let mut more = ROLES.to_owned();
        for (name, uid, role) in CLIENTS {
            let role = role.replace("@LONDON@", &lab.about.servers[0].name);
            let roles: Vec<String> =
                Some(role).filter(|role| !role.is_empty()).into_iter().collect();
            more += &format!(
                "[[client]]\nname = \"{name}\"\nmail = [\"{name}@example.com\"]\n\
                 groups = [\"london\"]\nusers = [\"{uid}\"]\nroles = {roles:?}\n"
            );
        }
        let mut postfax = Postfax::prepare(&lab.about, &sink, &more);
        admit(&postfax);
        postfax.run();
        let site = Self { lab, postfax, _sink: sink };
        for server in 0..2 {
            wait_for("the settings to be read", 30, || site.registered(server));
        }
        site
    }

    fn name(&self, server: usize) -> &str {
        &self.lab.about.servers[server].name
    }

    /// What is registered for a server, as the administrator sees it.
    fn registered(&self, server: usize) -> Option<Value> {
        let answer = self.postfax.ask_json(&["settings", "get", self.name(server)]);
        answer["settings"].get("sheet").cloned()
    }

    /// Asks as a client; what is refused panics.
    fn told(&self, client: &str, arguments: &[&str]) -> Value {
        let (code, answer) = ask_json_as(&self.postfax, uid(client), arguments);
        assert_eq!(code, 0, "{client} {arguments:?}: {answer}");
        answer
    }

    /// Asks as a client what it may not; what is missing.
    fn refused(&self, client: &str, arguments: &[&str]) -> String {
        let output = ask_as(&self.postfax, uid(client), arguments);
        assert_eq!(code(&output), 77, "{client} {arguments:?}: {}", said(&output));
        said(&output)
    }

    /// What a server's own files say of a key: of the server, or of its first line.
    fn file_says(&self, server: usize, file: &str, tag: &str) -> Option<String> {
        let etc = self.lab.about.servers[server].spool.join("etc");
        let text = fs::read_to_string(etc.join(file)).unwrap();
        text.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            (found == tag).then(|| value.trim().trim_matches('"').to_owned())
        })
    }
}

fn uid(client: &str) -> u32 {
    CLIENTS.iter().find(|(name, ..)| *name == client).unwrap().1
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
        wait_for(client, 240, || {
            let mails = site.sink.mails();
            let faxes = mails.iter().filter(|m| is_fax(m) && m.to == [client]).count();
            assert!(faxes <= count, "none twice");
            (faxes == count).then_some(())
        });
    }
}

/// The setting information of every server is registered in the supervisor.
#[test]
fn c5_the_settings_of_every_server_are_registered() {
    let site = Supervised::start();
    for server in 0..2 {
        let sheet = site.registered(server).unwrap();
        assert_eq!(sheet["server"], site.name(server));
        assert_eq!(sheet["version"]["number"], 1, "{sheet:#}");
        assert!(sheet["state"].get("applied").is_some(), "{sheet:#}");
        let settings = &sheet["version"]["settings"];
        assert_eq!(settings, &sheet["held"]["settings"]);
        for line in ["ttyFAX0", "ttyFAX1"] {
            let said = site.file_says(server, &format!("config.{line}"), "LocalIdentifier");
            let key = format!("line.{line}.station_identity");
            assert_eq!(settings[&key].as_str(), said.as_deref(), "{settings:#}");
        }
    }
}

/// A client asks for the settings of a named server and gets them.
#[test]
fn c6_a_client_gets_the_settings_of_a_named_server() {
    let site = Supervised::start();
    let told = site.told("rita", &["settings", "get", site.name(0)]);
    assert_eq!(told["settings"]["sheet"], site.registered(0).unwrap());
    let identity =
        &told["settings"]["sheet"]["version"]["settings"]["line.ttyFAX0.station_identity"];
    assert_eq!(*identity, site.name(0), "those of that server and of no other");
}

/// A client registers settings for a named server: the supervisor registers them and
/// has that server register them.
#[test]
fn c7_what_a_client_registers_the_server_registers() {
    let site = Supervised::start();
    let other = site.registered(1).unwrap()["version"].clone();
    assert_ne!(site.file_says(0, "config", "MaxDials").as_deref(), Some("7"));
    let why = ["--reason", "c7"];
    let set = ["settings", "set", site.name(0), "max_dials=7"];
    let told = site.told("wendy", &[&set[..], &why].concat());
    let done = &told["settings"]["registered"];
    assert_eq!(done["version"], 2, "{told:#}");
    assert!(done["state"].get("applied").is_some(), "{told:#}");
    let version = site.registered(0).unwrap()["version"].clone();
    assert_eq!(version["settings"]["max_dials"], 7);
    assert_eq!(version["author"]["who"]["client"], "wendy", "{version:#}");
    assert_eq!(version["reason"], "c7");
    assert_eq!(site.file_says(0, "config", "MaxDials").as_deref(), Some("7"));
    assert_eq!(site.registered(1).unwrap()["version"], other, "no other server");
    assert_ne!(site.file_says(1, "config", "MaxDials").as_deref(), Some("7"));
}

/// What was registered is what is read back, and what the server itself then holds.
#[test]
fn c8_what_is_registered_is_read_back_and_held() {
    let site = Supervised::start();
    let server = site.name(0);
    let text = [("max_dials", "7"), ("line.ttyFAX0.rings_before_answer", "4")];
    let set: Vec<String> = text.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let identity = "line.ttyFAX0.station_identity=+49 30 1234";
    site.told("wendy", &["settings", "set", server, &set[0], &set[1], identity]);
    for (client, turn) in [("rita", 1), ("wendy", 2)] {
        let sheet = site.told(client, &["settings", "get", server])["settings"]["sheet"].clone();
        for settings in [&sheet["version"]["settings"], &sheet["held"]["settings"]] {
            assert_eq!(settings["max_dials"], 7, "{turn}: {settings:#}");
            assert_eq!(settings["line.ttyFAX0.rings_before_answer"], 4);
            assert_eq!(settings["line.ttyFAX0.station_identity"], "+49 30 1234");
        }
    }
    assert_eq!(site.file_says(0, "config", "MaxDials").as_deref(), Some("7"));
    let line = |tag: &str| site.file_says(0, "config.ttyFAX0", tag);
    assert_eq!(line("RingsBeforeAnswer").as_deref(), Some("4"));
    assert_eq!(line("LocalIdentifier").as_deref(), Some("+49 30 1234"));
    // What is registered as no longer set, the server sets no longer.
    site.told("wendy", &["settings", "set", server, "max_dials="]);
    let sheet = site.told("rita", &["settings", "get", server])["settings"]["sheet"].clone();
    assert_eq!(sheet["version"]["settings"].get("max_dials"), None, "{sheet:#}");
    assert_eq!(site.file_says(0, "config", "MaxDials"), None);
}

/// Clients are authorised to administer the settings of the supervisor and of servers;
/// all others are refused.
#[test]
fn c9_whoever_is_not_authorised_is_refused() {
    let site = Supervised::start();
    let (server, before) = (site.name(0), site.registered(0).unwrap()["version"].clone());
    let config = fs::read_to_string(site.postfax.config()).unwrap();
    for (client, arguments, missing) in [
        ("nora", &["settings", "get", server][..], "settings.read"),
        ("nora", &["settings", "set", server, "max_dials=3"], "settings.write"),
        ("rita", &["settings", "set", server, "max_dials=3"], "settings.write"),
        ("rita", &["settings", "rollback", server, "1"], "settings.write"),
        ("nora", &["config", "get", "limits.max_pages"], "config.read on supervisor"),
        ("wendy", &["config", "set", "limits.max_pages=3"], "config.write on supervisor"),
    ] {
        let words = site.refused(client, arguments);
        assert!(words.contains(missing), "{client} {arguments:?}: {words}");
    }
    assert_eq!(site.registered(0).unwrap()["version"], before);
    assert_eq!(fs::read_to_string(site.postfax.config()).unwrap(), config);
    site.told("wendy", &["settings", "set", server, "max_dials=3"]);
    site.told("chief", &["config", "set", "limits.max_pages=150"]);
    assert!(fs::read_to_string(site.postfax.config()).unwrap().contains("max_pages = 150"));
}

/// Different clients hold different authority.
#[test]
fn c10_different_clients_hold_different_authority() {
    let site = Supervised::start();
    let (london, paris) = (site.name(0).to_owned(), site.name(1).to_owned());
    let mut found = Vec::new();
    for (turn, (client, uid, _)) in CLIENTS.iter().enumerate() {
        let (dials, pages) =
            (format!("max_dials={}", turn + 20), format!("limits.max_pages={}", turn + 100));
        let deeds: [&[&str]; 6] = [
            &["settings", "get", &london],
            &["settings", "set", &london, &dials],
            &["settings", "get", &paris],
            &["settings", "set", &paris, &dials],
            &["config", "get"],
            &["config", "set", &pages],
        ];
        let verdict = |deed: &&[&str]| {
            let output = ask_as(&site.postfax, *uid, deed);
            match code(&output) {
                0 => '+',
                77 => '-',
                _ => panic!("{client} {deed:?}: {}", said(&output)),
            }
        };
        found.push((*client, deeds.iter().map(verdict).collect::<String>()));
    }
    let held = [
        ("rita", "+-----"),
        ("wendy", "++----"),
        ("paul", "--++--"),
        ("chief", "----++"),
        ("nora", "------"),
    ];
    assert_eq!(found, held.map(|(client, verdicts)| (client, verdicts.to_owned())));
}

/// The supervising server alone: it holds the settings of every server, tells them and
/// registers them while no server can be reached, and over a restart.
#[test]
fn c11_the_supervisor_alone_holds_and_registers_settings() {
    let mut site = Supervised::start();
    let names = [0, 1].map(|server| site.name(server).to_owned());
    let before = [0, 1].map(|server| site.registered(server).unwrap()["version"].clone());
    names.iter().for_each(|name| site.lab.stop(name));
    site.postfax.stop();
    site.postfax.run();
    let told = |client: &str, server: &str| {
        site.told(client, &["settings", "get", server])["settings"]["sheet"].clone()
    };
    assert_eq!(told("rita", &names[0])["version"], before[0]);
    assert_eq!(told("paul", &names[1])["version"], before[1]);
    let (postfax, lab) = (&site.postfax, &mut site.lab);
    std::thread::scope(|scope| {
        let set = ["settings", "set", &names[0], "max_dials=7"];
        let setting = scope.spawn(move || postfax.ask_json(&set));
        wait_for("the settings to be registered", 10, || {
            let sheet =
                postfax.ask_json(&["settings", "get", &names[0]])["settings"]["sheet"].clone();
            (sheet["version"]["number"] == 2).then(|| {
                assert_eq!(sheet["version"]["settings"]["max_dials"], 7, "{sheet:#}");
                assert_eq!(sheet["state"], "pending", "{sheet:#}");
            })
        });
        lab.start_again(&names[0]);
        let done = setting.join().unwrap();
        assert!(done["settings"]["registered"]["state"].get("applied").is_some(), "{done:#}");
    });
    assert_eq!(site.file_says(0, "config", "MaxDials").as_deref(), Some("7"));
}

/// The supervising server alone: it decides who may administer what, its own settings as
/// well, and what it decided is on record.
#[test]
fn c12_the_supervisor_alone_decides_who_may() {
    let mut site = Supervised::start();
    let names = [0, 1].map(|server| site.name(server).to_owned());
    names.iter().for_each(|name| site.lab.stop(name));
    let get = |server: usize| ["settings", "get", names[server].as_str()];
    site.told("rita", &get(0));
    assert!(site.refused("rita", &get(1)).contains("settings.read on server:"));
    site.told("chief", &["config", "set", "limits.max_pages=150"]);
    assert!(site.refused("rita", &["config", "get"]).contains("config.read on supervisor"));
    // Authority is a setting of the supervisor, and counts from its change on.
    let grant = format!("client.rita.roles=[\"reader@server:{}\"]", names[1]);
    let refused = site.refused("wendy", &["config", "set", &grant]);
    assert!(refused.contains("config.write on supervisor"), "{refused}");
    assert_eq!(code(&site.postfax.ask(&["config", "set", &grant])), 0);
    assert!(site.refused("rita", &get(0)).contains("settings.read on server:"));
    site.told("rita", &get(1));
    let verdicts = site.postfax.ask_json(&["audit", "--who", "rita", "--limit", "100"]);
    let verdicts: Vec<String> = verdicts["audit"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|entry| {
            let verdict = &entry["line"]["verdict"];
            let refused = verdict.get("refused").is_some();
            format!(
                "{} {}",
                entry["line"]["request"].as_str().unwrap(),
                if refused { '-' } else { '+' }
            )
        })
        .collect();
    assert_eq!(
        verdicts,
        ["settings.get +", "settings.get -", "config.get -", "settings.get -", "settings.get +"]
    );
    assert_eq!(code(&site.postfax.ask(&["audit", "verify"])), 0);
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
