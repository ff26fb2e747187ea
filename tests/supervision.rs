//! The settings of two real HylaFAX servers, looked up and registered by clients of
//! different authority through every door; and the telephone calls that show that the
//! server acts on them.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use support::{
    http::{curl, token},
    lab::{Lab, Server, Servers},
    pages,
    postfax::{Postfax, free_port},
    programs,
    sink::Sink,
    text::{Settings, edited, in_text},
    users::{admit, ask_json_as},
    wait_for,
};

/// The server that everything is about; the other one is to notice nothing.
const SET: usize = 1;
const OTHER: usize = 0;
/// The most calls that HylaFAX may place for a job, as it is set here.
const MAX_DIALS: i64 = 2;
const RINGS: i64 = 5;
const IDENTITY: &str = "PARIS 2";
/// What four rings more take at the least: one every half second at ten times the speed.
const FOUR_RINGS: Duration = Duration::from_millis(1500);

/// A client, as each door knows it.
struct Person {
    name: &'static str,
    uid: u32,
}

const READER: Person = Person { name: "rita", uid: 64_011 };
const WRITER: Person = Person { name: "wendy", uid: 64_012 };
const NOBODY: Person = Person { name: "nora", uid: 64_013 };

/// A way to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// The command, as a user of this host.
    Command,
    /// A mail to `settings@`, from a host that vouches for its sender.
    Mail,
    /// HTTP, with a token.
    Http,
}

const DOORS: [Door; 3] = [Door::Command, Door::Mail, Door::Http];

struct House {
    lab: Lab,
    postfax: Postfax,
    sink: Sink,
    /// Where HTTP is.
    url: String,
    /// Of each client.
    tokens: BTreeMap<&'static str, String>,
}

impl House {
    fn start() -> Self {
        let lab = Lab::start(Servers::Hylafax, 1);
        let sink = Sink::start();
        let set = &lab.about.servers[SET].name;
        let port = free_port();
        let http = format!("[http]\naddress = \"127.0.0.1:{port}\"\ntokens_file = \"tokens\"\n");
        let mut more = "[[role]]\nname = \"reader\"\nmay = [\"settings.read\"]\n\
                        [[role]]\nname = \"writer\"\nmay = [\"settings.read\", \"settings.write\"]\n"
            .to_owned()
            + &http;
        for (person, role) in [(READER, "reader"), (WRITER, "writer"), (NOBODY, "")] {
            let Person { name, uid } = person;
            more += &format!(
                "[[client]]\nname = \"{name}\"\nmail = [\"{name}@example.com\"]\n\
                 groups = [\"paris\"]\nusers = [\"{uid}\"]\n"
            );
            if !role.is_empty() {
                more += &format!("roles = [\"{role}@server:{set}\"]\n");
            }
        }
        let mut postfax = Postfax::prepare(&lab.about, &sink, &more);
        admit(&postfax);
        let tokens =
            [READER, WRITER, NOBODY].map(|who| (who.name, token(&postfax, &["create", who.name])));
        postfax.run();
        postfax.wait_for_servers();
        let url = format!("http://127.0.0.1:{port}");
        let house = Self { lab, postfax, sink, url, tokens: tokens.into() };
        for server in [SET, OTHER] {
            let get = ["settings", "get", house.name(server)];
            wait_for("the settings to be read", 30, || {
                house.postfax.ask(&get).status.success().then_some(())
            });
        }
        house
    }

    fn server(&self, server: usize) -> &Server {
        &self.lab.about.servers[server]
    }

    fn name(&self, server: usize) -> &str {
        &self.server(server).name
    }

    /// All files of a server that settings could be in.
    fn files(&self, server: usize) -> BTreeMap<String, Vec<u8>> {
        let etc = self.server(server).spool.join("etc");
        let files = fs::read_dir(etc).unwrap().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.is_file());
        files
            .map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, fs::read(path).unwrap())
            })
            .collect()
    }

    /// What is registered for a server, or why it is not told.
    fn get(&self, door: Door, who: &Person, server: usize) -> Result<Settings, String> {
        let server = self.name(server);
        match door {
            Door::Command => {
                let answer = self.command(who, &["settings", "get", server])?;
                let settings = answer["settings"]["sheet"]["version"]["settings"].clone();
                Ok(serde_json::from_value(settings).unwrap())
            }
            Door::Http => {
                let answer = self.http(who, &["-X", "GET"], server)?;
                Ok(serde_json::from_value(answer["settings"].clone()).unwrap())
            }
            Door::Mail => self.mail(who, &format!("get {server}"), "").map(|text| in_text(&text)),
        }
    }

    /// Registers settings; what it became, or why it was refused.
    fn set(
        &self,
        door: Door,
        who: &Person,
        server: usize,
        set: &[(&str, Value)],
    ) -> Result<(), String> {
        let server = self.name(server);
        match door {
            Door::Command => {
                let plain = |value: &Value| match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let set: Vec<String> =
                    set.iter().map(|(key, value)| format!("{key}={}", plain(value))).collect();
                let set: Vec<&str> = set.iter().map(String::as_str).collect();
                let answer =
                    self.command(who, &[&["settings", "set", server], &set[..]].concat())?;
                let state = &answer["settings"]["registered"]["state"];
                assert!(state.get("applied").is_some(), "{answer:#}");
                Ok(())
            }
            Door::Http => {
                let set: BTreeMap<&str, &Value> = set.iter().map(|(k, v)| (*k, v)).collect();
                let body = serde_json::json!({ "set": set, "reason": "by HTTP" }).to_string();
                let json = ["-X", "PATCH", "-H", "Content-Type: application/json", "-d", &body];
                let answer = self.http(who, &json, server)?;
                assert_eq!(answer["state"]["state"], "applied", "{answer:#}");
                Ok(())
            }
            // As people do: they ask, edit the answer, and send it back.
            Door::Mail => {
                let text = match self.mail(who, &format!("get {server}"), "") {
                    Ok(text) => text,
                    // One who may not even see it can still try.
                    Err(_) => {
                        let (key, value) = &set[0];
                        let ask = format!("set {server} {key}={value}");
                        return self.mail(who, &ask, "").map(drop);
                    }
                };
                let edited = set.iter().fold(text, |text, (key, value)| edited(&text, key, value));
                let said = self.mail(who, &format!("Re: get {server}"), &edited)?;
                assert!(said.contains("is registered"), "{said}");
                Ok(())
            }
        }
    }

    fn command(&self, who: &Person, arguments: &[&str]) -> Result<Value, String> {
        match ask_json_as(&self.postfax, who.uid, arguments) {
            (0, answer) => Ok(answer),
            (77, answer) => Err(answer["problem"]["message"].as_str().unwrap().to_owned()),
            (code, answer) => panic!("{arguments:?} ended with {code}: {answer:#}"),
        }
    }

    fn http(&self, who: &Person, arguments: &[&str], server: &str) -> Result<Value, String> {
        let url = format!("{}/v1/servers/{server}/settings", self.url);
        let heard = curl(&url, &self.tokens[who.name], arguments);
        match heard.status {
            200 => Ok(heard.json()),
            403 => {
                assert_eq!(heard.problem(), "not-permitted");
                Err(heard.json()["detail"].as_str().unwrap().to_owned())
            }
            status => panic!("{status}: {:#}", heard.json()),
        }
    }

    /// What is answered to a mail, or the refusal in it.
    fn mail(&self, who: &Person, subject: &str, body: &str) -> Result<String, String> {
        let address = format!("{}@example.com", who.name);
        let answers = || {
            let mut mails = self.sink.mails();
            mails.retain(|mail| mail.to == [address.clone()] && mail.subject().starts_with("Re: "));
            mails
        };
        let before = answers().len();
        let file = self.postfax.file("body.txt");
        fs::write(&file, body).unwrap();
        let output = programs::program("swaks", "swaks")
            .args(["--server", &format!("127.0.0.1:{}", self.postfax.relay)])
            .args(["--from", &address, "--to", "settings@fax.example.com"])
            .args(["--header", &format!("Subject: {subject}")])
            .args(["--body", &format!("@{}", file.display())])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}");
        let text = wait_for(subject, 40, || answers().into_iter().nth(before)).text();
        // Mail is folded.
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if flat.contains("may not: that needs") { Err(flat) } else { Ok(text) }
    }

    /// A fax from the one server to the other: what the answering machine calls itself,
    /// how long it rang, and the pages.
    fn call(&self) -> (String, Duration, PathBuf) {
        let file = self.postfax.file("letter.pdf");
        fs::write(&file, pages::pdf(1, "settings")).unwrap();
        let to = format!("{}@fax.example.com", self.lab.number_of(SET));
        let said = self.postfax.send("anna", "anna@example.com", &to, Some(&file));
        assert!(said.accepted, "{}", said.words);
        let list = self.postfax.ask_json(&["jobs", "--kind", "out", "--limit", "1"]);
        let id = list["jobs"][0]["job"].as_u64().unwrap();
        let job = self.postfax.wait_for_end(id, 120);
        assert_eq!(job["state"]["ended"]["end"], "delivered", "{job:#}");
        let attempt = job["attempts"].as_array().unwrap().last().unwrap();
        let identity = attempt["ledger"]["remote_id"].as_str().unwrap().to_owned();
        let pages = self.postfax.document(job["document"]["digest"].as_str().unwrap());
        (identity, self.rang(), pages)
    }

    /// How long the newest call rang, as the calling server has it in its log: from the
    /// number that it dialled to the machine that it heard.
    fn rang(&self) -> Duration {
        let logs = fs::read_dir(self.server(OTHER).spool.join("log")).unwrap();
        let mut logs: Vec<PathBuf> = logs.map(|entry| entry.unwrap().path()).collect();
        logs.sort();
        let calls = logs.iter().rev().map(|path| fs::read_to_string(path).unwrap_or_default());
        let call = calls.into_iter().find(|log| log.contains("ATDT")).expect("a call");
        let mut lines = call.lines().skip_while(|line| !line.contains("ATDT"));
        let dialled = moment(lines.next().unwrap());
        let heard = moment(lines.find(|line| line.contains("CONNECT")).expect("an answer"));
        Duration::from_secs_f64((heard - dialled).rem_euclid(86_400.0))
    }

    /// Gives a fax to a number that is busy straight to the server, for up to twelve calls.
    fn submit_busy(&self, pages: &std::path::Path) -> Child {
        let server = self.server(SET);
        Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/dials.py"))
            .args([&server.port.to_string(), &server.user, &server.password])
            .arg(self.lab.number("busy"))
            .arg(pages)
            .args(["12", "120"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

/// The time of day of a line of HylaFAX's log: `Nov 23 12:34:56.78: [99]: ...`.
fn moment(line: &str) -> f64 {
    let time = line.split_whitespace().nth(2).unwrap().trim_end_matches(':');
    time.split(':').fold(0.0, |seconds, part| seconds * 60.0 + part.parse::<f64>().unwrap())
}

/// The lines of `one` that are not in `other`, by what stands before the colon.
fn tags_only_in(one: &[u8], other: &[u8]) -> Vec<String> {
    let lines = |octets: &[u8]| -> Vec<String> {
        String::from_utf8_lossy(octets).lines().map(str::to_owned).collect()
    };
    let others = lines(other);
    let only = lines(one).into_iter().filter(|line| !others.contains(line));
    only.map(|line| line.split(':').next().unwrap().to_owned()).collect()
}

fn changes() -> [(&'static str, Value); 4] {
    [
        ("max_dials", MAX_DIALS.into()),
        ("line.ttyFAX0.rings_before_answer", RINGS.into()),
        ("line.ttyFAX0.station_identity", IDENTITY.into()),
        // So that the second call to a number that is busy comes soon.
        ("line.ttyFAX1.delay_busy_s", 1.into()),
    ]
}

#[test]
fn settings_go_through_every_door_and_the_servers_act_on_them() {
    let house = House::start();
    all_doors_tell_the_same(&house);
    let untouched = house.files(OTHER);
    let (identity, rang, pages) = house.call();
    assert_eq!(identity, house.name(SET));
    refused_in_every_door(&house);
    let old = house.files(SET);
    registered_in_every_door(&house);
    only_these_lines_changed(&old, &house.files(SET));
    assert!(house.files(OTHER) == untouched, "the other server is left alone");
    // A line that was told to read its file is told again after 3 s.
    std::thread::sleep(Duration::from_secs(6));

    // faxq looks at its file for each job.
    let busy = house.submit_busy(&pages);
    let (now, longer, _) = house.call();
    eprintln!("{identity} after {rang:?}; then {now} after {longer:?}");
    assert_eq!(now, IDENTITY);
    assert!(longer > rang + FOUR_RINGS, "{longer:?} is four rings more than {rang:?}");
    let Output { stdout, stderr, .. } = busy.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&stdout).trim().to_owned();
    assert_eq!(said, format!("333 {MAX_DIALS}"), "{}", String::from_utf8_lossy(&stderr));
    assert!(house.files(OTHER) == untouched, "the other server is left alone");
    on_record(&house);
}

fn all_doors_tell_the_same(house: &House) {
    let mut told = Vec::new();
    for door in DOORS {
        for who in [READER, WRITER] {
            told.push((door, who.name, house.get(door, &who, SET).unwrap()));
        }
    }
    let first = &told[0].2;
    assert_eq!(first["line.ttyFAX0.station_identity"], house.name(SET), "{first:#?}");
    assert!(first.len() > 10, "{first:#?}");
    for (door, who, settings) in &told {
        assert_eq!(settings, first, "{door:?} {who}");
    }
}

fn refused_in_every_door(house: &House) {
    let change = [("max_dials", Value::from(9))];
    for door in DOORS {
        for (who, server, verb) in [
            (NOBODY, SET, "settings.read"),
            (READER, OTHER, "settings.read"),
            (WRITER, OTHER, "settings.read"),
        ] {
            let words = house.get(door, &who, server).unwrap_err();
            let wanted = format!("{verb} on server:{}", house.name(server));
            assert!(words.contains(&wanted), "{door:?} {}: {words}", who.name);
        }
        for (who, server) in [(NOBODY, SET), (READER, SET), (WRITER, OTHER)] {
            let words = house.set(door, &who, server, &change).unwrap_err();
            let wanted = format!("settings.write on server:{}", house.name(server));
            assert!(words.contains(&wanted), "{door:?} {}: {words}", who.name);
        }
    }
}

/// One after the other, and two in the same file: HylaFAX, which tells changes apart by
/// whole seconds, is to notice all of them.
fn registered_in_every_door(house: &House) {
    for (at, change) in changes().into_iter().enumerate() {
        let door = DOORS[at % DOORS.len()];
        house.set(door, &WRITER, SET, &[change]).unwrap();
    }
    for door in DOORS {
        let now = house.get(door, &READER, SET).unwrap();
        for (key, value) in changes() {
            assert_eq!(now[key], value, "{door:?} {key}");
        }
    }
}

fn only_these_lines_changed(old: &BTreeMap<String, Vec<u8>>, new: &BTreeMap<String, Vec<u8>>) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(old), names(new));
    for (file, new) in new {
        let (gone, come) = (tags_only_in(&old[file], new), tags_only_in(new, &old[file]));
        let wanted: (&[&str], &[&str]) = match file.as_str() {
            "config" => (&[], &["MaxDials"]),
            "config.ttyFAX0" => {
                let both = &["LocalIdentifier", "RingsBeforeAnswer"];
                (both, both)
            }
            "config.ttyFAX1" => (&[], &["JobReqBusy"]),
            _ => (&[], &[]),
        };
        assert_eq!(
            (gone.as_slice(), come.as_slice()),
            (&*owned(wanted.0), &*owned(wanted.1)),
            "{file}"
        );
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The audit log has all of it, with what was before and after, and it is whole.
fn on_record(house: &House) {
    let log = house.postfax.ask_json(&["audit", "--limit", "500"]);
    let lines: Vec<Value> =
        log["audit"].as_array().unwrap().iter().rev().map(|entry| entry["line"].clone()).collect();
    for door in DOORS {
        let door = format!("{door:?}").to_lowercase().replace("command", "socket");
        for (who, request, missing, count) in [
            (READER, "settings.get", None, 2),
            (READER, "settings.get", Some("settings.read"), 1),
            (READER, "settings.set", Some("settings.write"), 1),
            (WRITER, "settings.get", None, 1),
            (WRITER, "settings.get", Some("settings.read"), 1),
            (WRITER, "settings.set", Some("settings.write"), 1),
            (NOBODY, "settings.get", Some("settings.read"), 1),
            (NOBODY, "settings.set", Some("settings.write"), 1),
        ] {
            let is = |line: &&Value| {
                let asker = &line["asker"];
                let refused = line["verdict"]["refused"].as_str();
                asker["who"]["client"] == who.name
                    && asker["door"] == door.as_str()
                    && line["request"] == request
                    && refused.is_some() == missing.is_some()
                    && refused.is_none_or(|why| why.contains(missing.unwrap()))
            };
            let found: Vec<&Value> = lines.iter().filter(is).collect();
            // An answer that is edited and sent back was asked for first.
            assert!(found.len() >= count, "{door} {} {request}: {found:#?}", who.name);
        }
    }
    let done = lines
        .iter()
        .filter(|line| line["request"] == "settings.set" && line["verdict"] == "allowed");
    let done: Vec<&Value> = done.collect();
    assert_eq!(done.len(), changes().len(), "{done:#?}");
    for (line, (key, value)) in done.iter().zip(changes()) {
        assert_eq!(line["asker"]["who"]["client"], WRITER.name);
        assert_eq!(line["object"], format!("server:{}", house.name(SET)));
        let (before, after) = (line["before"].to_string(), line["after"].to_string());
        assert!(before.contains("version"), "{line:#}");
        let value = value.to_string().replace('"', "");
        assert!(
            after.contains(&format!("{key}: ")) && after.contains(&format!("-> {value}")),
            "{line:#}"
        );
    }
    assert!(house.postfax.ask(&["audit", "verify"]).status.success());
}
