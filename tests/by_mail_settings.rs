//! Settings, configuration, jobs and servers are seen and changed by mail, with a real
//! mail client against the real program: replies as mail programs write them, two who
//! are in each other's way, those who may not, and a kill in between.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::Value;
use support::{
    lab::{Description, Lab, Servers},
    pages,
    postfax::{PASSWORD, Postfax},
    programs,
    sink::{Mail, Sink},
    wait_for,
};

/// Who may what: anna sets the server of london, bob reads everything, carl keeps
/// Postfax itself and what has arrived.
const ROLES: &str = r#"
[[role]]
name = "keeper"
may = ["settings.read", "settings.write"]
[[role]]
name = "reader"
may = ["settings.read"]
[[role]]
name = "chief"
may = ["config.read", "config.write", "audit.see", "inbound.see"]
"#;
const GRANTED: [(&str, &str); 3] =
    [("anna", "keeper@group:london"), ("bob", "reader@supervisor"), ("carl", "chief@supervisor")];

static NEXT: AtomicU64 = AtomicU64::new(1);

fn start(servers: &Description, sink: &Sink) -> Postfax {
    let mut postfax = Postfax::prepare(servers, sink, ROLES);
    let mut config = fs::read_to_string(postfax.config()).unwrap();
    for (client, role) in GRANTED {
        let name = format!("name = \"{client}\"");
        config = config.replace(&name, &format!("{name}\nroles = [\"{role}\"]"));
    }
    fs::write(postfax.config(), config).unwrap();
    postfax.run();
    postfax
}

/// A mail that asks: header fields and a body of its own.
struct Letter<'a> {
    client: &'a str,
    subject: &'a str,
    headers: &'a str,
    body: &'a str,
}

impl Letter<'_> {
    /// Sends it with swaks, logged in. Its Message-ID, and whether it was taken.
    fn send(&self, postfax: &Postfax) -> (String, bool) {
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let id = format!("<{number}.{}@reader.example.com>", std::process::id());
        let taken = self.send_as(postfax, &id);
        (id, taken)
    }

    fn send_as(&self, postfax: &Postfax, id: &str) -> bool {
        let Self { client, subject, headers, body } = self;
        let (from, to) = (format!("{client}@example.com"), "settings@fax.example.com");
        let mail = format!(
            "From: {from}\nTo: {to}\nSubject: {subject}\nMessage-ID: {id}\n\
             MIME-Version: 1.0\n{headers}\n{body}"
        );
        let file = postfax.file("mail");
        fs::write(&file, mail).unwrap();
        let mut command = programs::program("swaks", "swaks");
        let server = format!("127.0.0.1:{}", postfax.submission);
        command.args(["--server", &server, "--tls", "--auth", "PLAIN", "--auth-user", client]);
        command.args(["--auth-password", PASSWORD, "--from", &from, "--to", to, "--timeout", "60"]);
        command.args(["--data", &format!("@{}", file.display())]);
        command.output().unwrap().status.success()
    }

    /// Sends it, and waits for the answer.
    fn ask(&self, postfax: &Postfax, sink: &Sink) -> Mail {
        let (id, taken) = self.send(postfax);
        assert!(taken, "{} {}", self.client, self.subject);
        answer(sink, &id)
    }
}

/// The answer to the mail with this Message-ID.
fn answer(sink: &Sink, id: &str) -> Mail {
    let is_answer = |mail: &Mail| mail.header("In-Reply-To").as_deref() == Some(id);
    wait_for(&format!("the answer to {id}"), 60, || sink.mails().into_iter().find(is_answer))
}

/// Asks in the subject; the words of the answer.
fn asked(postfax: &Postfax, sink: &Sink, client: &str, subject: &str) -> Mail {
    Letter { client, subject, headers: "", body: "Good morning.\n" }.ask(postfax, sink)
}

/// Replies to an answer with a body of plain text.
fn reply(postfax: &Postfax, sink: &Sink, client: &str, to: &Mail, body: &str) -> Mail {
    let headers = format!("In-Reply-To: <{}>\n", to.message_id());
    Letter { client, subject: &to.subject(), headers: &headers, body }.ask(postfax, sink)
}

fn json(mail: &Mail) -> Value {
    let part = mail.part("application/json");
    let part = part.unwrap_or_else(|| panic!("no JSON: {}", String::from_utf8_lossy(&mail.raw)));
    serde_json::from_slice(&part).unwrap()
}

fn said(mail: &Mail, words: &[&str]) {
    let text = mail.text().replace("\r\n", "\n");
    for words in words {
        assert!(text.contains(words), "\"{words}\" is not in:\n{text}");
    }
}

fn quoted(text: &str) -> String {
    let lines = text.lines().map(|line| format!("> {}\n", line.trim_end_matches('\r')));
    format!("On Monday, Fax wrote:\n{}", lines.collect::<String>())
}

/// The text with this key set to something else, whether it was set or not.
fn edited(text: &str, key: &str, value: &str) -> String {
    let (set, unset) = (format!("{key} = "), format!("# {key} ="));
    let mut found = false;
    let line = |line: &str| {
        let line = line.trim_end_matches('\r');
        match !found && (line.starts_with(&set) || line == unset) {
            true => {
                found = true;
                format!("{key} = {value}\n")
            }
            false => format!("{line}\n"),
        }
    };
    let edited = text.lines().map(line).collect();
    assert!(found, "{key} is not in:\n{text}");
    edited
}

/// What is registered, by the command line.
fn sheet(postfax: &Postfax, server: &str) -> Value {
    postfax.ask_json(&["settings", "get", server])["settings"]["sheet"].clone()
}

/// Lines of the audit log with this request, oldest first: who, verdict, line.
fn logged(postfax: &Postfax, request: &str) -> Vec<(String, String, Value)> {
    let listed = postfax.ask_json(&["audit", "--request", request, "--limit", "100"]);
    let line = |entry: &Value| {
        let line = entry["line"].clone();
        let verdict = line["verdict"].as_object().and_then(|map| map.keys().next().cloned());
        let verdict = verdict.unwrap_or_else(|| line["verdict"].as_str().unwrap_or("").to_owned());
        (line["asker"]["who"].to_string(), verdict, line)
    };
    listed["audit"].as_array().unwrap().iter().rev().map(line).collect()
}

#[test]
fn settings_are_got_edited_and_sent_back() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let postfax = start(&lab.about, &sink);
    postfax.wait_for_servers();
    let server = lab.about.servers[0].name.as_str();
    wait_for("the settings to be read", 30, || {
        postfax.ask(&["settings", "get", server]).status.success().then_some(())
    });
    let got = asked(&postfax, &sink, "anna", &format!("get {server}"));
    said(&got, &["You asked: get", "version = 1", "# End of the settings of"]);
    assert_eq!(json(&got)["settings"]["sheet"]["version"]["number"], 1);

    let body = format!(
        "Hello,\nbecause the carrier blocks more\n\n{}\n-- \nAnna\n",
        quoted(&edited(&got.text(), "max_dials", "7"))
    );
    let done = reply(&postfax, &sink, "anna", &got, &body);
    said(&done, &["version 2 is registered", "max_dials: ", " -> 7", "The server holds it"]);
    let now = sheet(&postfax, server);
    assert_eq!(now["version"]["settings"]["max_dials"], 7, "{now:#}");
    assert_eq!(now["held"]["settings"]["max_dials"], 7, "the server has it: {now:#}");
    assert_eq!(now["version"]["reason"], "the carrier blocks more");

    // The same answer once more, which is of version 1: another key, and nothing is lost.
    let late = edited(&got.text(), "max_tries", "2");
    let refused = reply(&postfax, &sink, "anna", &got, &quoted(&late));
    said(
        &refused,
        &[
            "version 1 is not the newest",
            "Since version 1 this has changed:\n  max_dials: ",
            "It had wanted this, compared with version 1:\n  max_tries: ",
            " -> 2",
            "version = 2",
        ],
    );
    assert_eq!(sheet(&postfax, server)["version"]["number"], 2);
    let again = quoted(&edited(&refused.text(), "max_tries", "2"));
    let done = reply(&postfax, &sink, "anna", &refused, &again);
    said(&done, &["version 3 is registered", "max_tries: "]);
    let now = sheet(&postfax, server);
    let set = &now["version"]["settings"];
    assert_eq!((&set["max_dials"], &set["max_tries"]), (&7.into(), &2.into()), "{now:#}");

    // What says nothing new is no change, also from one who may only read.
    let got = asked(&postfax, &sink, "bob", &format!("get {server}"));
    let same = reply(&postfax, &sink, "bob", &got, &quoted(&got.text()));
    said(&same, &["Nothing is different", "version = 3"]);
    let wish = quoted(&edited(&got.text(), "max_dials", "99"));
    let refused = reply(&postfax, &sink, "bob", &got, &wish);
    said(&refused, &["settings.write", &format!("server:{server}")]);
    let refused = asked(&postfax, &sink, "bob", &format!("set {server} max_dials=99"));
    said(&refused, &["settings.write", &format!("server:{server}")]);
    assert_eq!(sheet(&postfax, server)["version"]["number"], 3);
    audit_tells(&postfax, server);
    one_line_is_enough(&postfax, &sink, server);
}

fn audit_tells(postfax: &Postfax, server: &str) {
    let lines = logged(postfax, "settings.set");
    let told: Vec<(&str, &str)> =
        lines.iter().map(|(who, verdict, _)| (who.trim_matches('"'), verdict.as_str())).collect();
    let verdicts: Vec<&str> = told.iter().map(|(_, verdict)| *verdict).collect();
    assert_eq!(verdicts, ["allowed", "failed", "allowed", "refused", "refused"], "{told:?}");
    for (who, _, line) in &lines {
        let is_bob = who.contains("bob");
        assert_eq!(is_bob, line["verdict"].get("refused").is_some(), "{line:#}");
        assert_eq!(line["asker"]["door"], "mail");
        assert!(line["asker"]["from"].as_str().unwrap().ends_with("@reader.example.com>"));
        assert_eq!(line["object"], format!("server:{server}"));
    }
    let (before, after) = (&lines[0].2["before"], &lines[0].2["after"]);
    assert!(before.as_str().unwrap().starts_with("version 1"), "{before}");
    let after = after.as_str().unwrap();
    assert!(after.starts_with("version 2; max_dials: ") && after.contains("-> 7"), "{after}");
    let why = lines[1].2["verdict"]["failed"].as_str().unwrap();
    assert!(why.contains("version 1 is not the newest"), "{why}");
}

/// The other verbs of settings.
fn one_line_is_enough(postfax: &Postfax, sink: &Sink, server: &str) {
    for (words, parts) in [
        (
            "set SERVER max_dials=9 max_tries= because it is Monday",
            ["version 4 is registered", "max_tries: 2 -> (not set)"],
        ),
        ("history SERVER", ["version 4, ", ": it is Monday"]),
        ("diff SERVER 3 4", ["from version 3 to version 4", "max_dials: 7 -> 9"]),
        ("diff SERVER", ["version 4 and what the server holds are the same", "\n"]),
        ("rollback SERVER 3 because it is Tuesday", ["version 5 is registered", "9 -> 7"]),
        ("push SERVER", ["version 5 is registered", "The server holds it"]),
        ("adopt SERVER", ["version 5 says that already", "\n"]),
        ("set SERVER max_dials=0", ["max_dials", "1 to 999"]),
        ("set SERVER nonsense=1", ["nonsense", "\n"]),
        ("get nowhere", ["settings.read", "supervisor"]),
    ] {
        let mail = asked(postfax, sink, "anna", &words.replace("SERVER", server));
        said(&mail, &parts);
    }
    assert_eq!(sheet(postfax, server)["version"]["number"], 5);
}

/// Columns after which lines are broken.
const BROKEN_AT: usize = 60;

/// A body, its header fields, made of a text.
type Manner = fn(&str) -> (String, String);

/// As the entities of HTML, with a hard space for every second one, as editors do it.
fn html(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace(" = ", "&nbsp;= ").replace('"', "&quot;")
}

/// Replies as mail programs write them.
const MANNERS: [(&str, Manner); 6] = [
    ("format=flowed", |text| {
        let mut body = String::new();
        for line in text.lines() {
            // RFC 3676 4.2: broken at a space, which stays at the end of the line.
            match line.split_at_checked(BROKEN_AT).and_then(|(_, rest)| rest.find(' ')) {
                Some(at) => {
                    let (one, two) = line.split_at(BROKEN_AT + at + 1);
                    body += &format!("> {one}\n> {two}\n");
                }
                None => body += &format!("> {line}\n"),
            }
        }
        ("Content-Type: text/plain; charset=utf-8; format=flowed\n".into(), body)
    }),
    ("broken lines", |text| {
        let mut body = String::new();
        for line in text.lines() {
            match line.split_at_checked(BROKEN_AT).and_then(|(_, rest)| rest.find(' ')) {
                Some(at) => {
                    let (one, two) = line.split_at(BROKEN_AT + at);
                    body += &format!("> > {one}\n> {}\n", two.trim_start());
                }
                None => body += &format!("> > {line}\n"),
            }
        }
        ("Content-Type: text/plain\n".into(), body)
    }),
    ("HTML, a block for each line", |text| {
        let lines = text.lines().map(|line| format!("<div>{}</div>\n", html(line)));
        let body: String = lines.collect();
        let head = "Content-Type: text/html; charset=utf-8\n".into();
        (
            head,
            format!("<html><body><p>Hello,</p><blockquote>\n{body}</blockquote></body></html>\n"),
        )
    }),
    ("HTML, preformatted", |text| {
        let head = "Content-Type: text/html; charset=utf-8\n".into();
        (head, format!("<html><body><pre class=\"quote\">{}</pre></body></html>\n", html(text)))
    }),
    ("hard spaces and CRLF", |text| {
        let body = text.replace(" = ", "\u{a0}= ").replace("# ", "#\u{a0}").replace('\n', "\r\n");
        ("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n".into(), body)
    }),
    ("quoted-printable", |text| {
        let encoded = text.replace('=', "=3D").replace("ma", "m=\na");
        let head = "Content-Type: text/plain; charset=utf-8\n\
                    Content-Transfer-Encoding: quoted-printable\n";
        (head.into(), encoded)
    }),
];

#[test]
fn replies_of_all_mail_programs_are_read() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let postfax = start(&lab.about, &sink);
    postfax.wait_for_servers();
    let server = lab.about.servers[0].name.as_str();
    wait_for("the settings to be read", 30, || {
        postfax.ask(&["settings", "get", server]).status.success().then_some(())
    });
    let before = sheet(&postfax, server)["version"]["settings"].clone();
    for (turn, (manner, treat)) in MANNERS.iter().enumerate() {
        let got = asked(&postfax, &sink, "anna", &format!("get {server}"));
        let text = edited(&got.text(), "max_dials", &(20 + turn).to_string());
        // A value that mail programs take for a link, and a text with spaces.
        let text = edited(&text, "header_line_format", &format!("\"From {turn} a@example.com\""));
        let linked = text.replace("a@example.com", "a@example.com<mailto:a@example.com>");
        let (headers, body) = treat(if manner.starts_with("HTML") { &text } else { &linked });
        let headers = format!("In-Reply-To: <{}>\n{headers}", got.message_id());
        let subject = got.subject();
        let letter = Letter { client: "anna", subject: &subject, headers: &headers, body: &body };
        said(&letter.ask(&postfax, &sink), &["is registered", &format!(" -> {}", 20 + turn)]);
        let mut now = sheet(&postfax, server)["version"]["settings"].clone();
        let line = now.as_object().unwrap().keys().find(|key| key.ends_with("header_line_format"));
        let line = line.unwrap_or_else(|| panic!("{manner}: {now:#}")).clone();
        assert_eq!(now[&line], format!("From {turn} a@example.com"), "{manner}");
        assert_eq!(now["max_dials"], 20 + turn, "{manner}");
        // Nothing else has changed.
        for key in ["max_dials", line.as_str()] {
            match before.get(key) {
                Some(value) => now[key] = value.clone(),
                None => drop(now.as_object_mut().unwrap().remove(key)),
            }
        }
        assert_eq!(now, before, "{manner}");
    }
}

#[test]
fn what_was_begun_when_it_was_killed_is_not_done_twice() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let mut postfax = start(&lab.about, &sink);
    postfax.wait_for_servers();
    let server = lab.about.servers[0].name.as_str();
    wait_for("the settings to be read", 30, || {
        postfax.ask(&["settings", "get", server]).status.success().then_some(())
    });
    let got = asked(&postfax, &sink, "anna", &format!("get {server}"));
    postfax.stop();
    postfax.environment(&[("POSTFAX_DIE_BEFORE", "asked")]);
    postfax.run();
    let body = quoted(&edited(&got.text(), "max_dials", "7"));
    let headers = format!("In-Reply-To: <{}>\n", got.message_id());
    let subject = got.subject();
    let letter = Letter { client: "anna", subject: &subject, headers: &headers, body: &body };
    let (id, taken) = letter.send(&postfax);
    assert!(!taken, "it was killed before the answer");
    wait_for("the end", 10, || postfax.has_ended().then_some(()));
    assert!(!postfax.kill(), "it has ended by itself");
    postfax.environment(&[]);
    postfax.run();
    assert!(letter.send_as(&postfax, &id), "the mail server brings it again");
    said(&answer(&sink, &id), &["set ", "is not known"]);
    assert_eq!(sheet(&postfax, server)["version"]["number"], 2, "set once");
    assert_eq!(logged(&postfax, "settings.set").len(), 1);
    // Another text in a mail with the same Message-ID is another question.
    let other = quoted(&edited(&got.text(), "max_dials", "8"));
    let other = Letter { body: &other, ..letter };
    assert!(other.send_as(&postfax, &id));
    sink.wait("the second answer", "anna@example.com", 30, |mail| {
        mail.text().contains("version 1 is not the newest")
    });
}

#[test]
fn postfax_and_its_jobs_and_servers_are_changed_by_mail() {
    let sink = Sink::start();
    let postfax = start(&Description::unreachable(), &sink);
    let file = postfax.file("letter.pdf");
    fs::write(&file, pages::pdf(1, "x")).unwrap();
    let to = "+442071234567@fax.example.com";
    assert!(postfax.send("anna", "anna@example.com", to, Some(&file)).accepted);
    let ask = |client: &str, subject: &str, words: &[&str]| {
        let mail = asked(&postfax, &sink, client, subject);
        said(&mail, words);
        mail
    };
    let job = 1;
    assert!(postfax.job(job)["cause"].get("sent").is_some());
    let held = ask("anna", &format!("hold {job}"), &["on hold"]);
    assert_eq!(held.header("Reply-To"), Some(format!("jobs+{job}@fax.example.com")));
    assert_eq!(postfax.job(job)["on_hold"], true);
    let change = format!("alter {job} priority=-4 number=+442071230000 tries=5 due=+2h");
    ask("anna", &change, &["is altered"]);
    let altered = postfax.job(job);
    assert_eq!(altered["priority"], -4, "{altered:#}");
    assert_eq!(altered["destination"]["fax"]["number"], "+442071230000");
    ask("anna", &format!("release {job}"), &["job 1"]);
    assert_eq!(postfax.job(job)["on_hold"], false, "released");
    ask("bob", &format!("hold {job}"), &["there is no job 1"]);
    assert!(logged(&postfax, "jobs.alter")[0].2["after"].as_str().unwrap().contains("-4"));

    ask("anna", "servers", &["SERVER", "one"]);
    ask("anna", "drain one", &["one gets no new calls"]);
    assert_eq!(postfax.ask_json(&["servers"])["servers"][0]["status"]["drained"], true);
    ask("anna", "drain two", &["settings.write", "server:two"]);
    ask("anna", "resume one", &["one gets calls"]);
    ask("anna", "give-up one", &["one"]);

    ask("anna", "config set limits.max_pages = 7", &["config.write", "supervisor"]);
    let set = ask("carl", "config set limits.max_pages = 77 because of paper", &["max_pages = 77"]);
    assert!(json(&set)["config"]["changed"]["version"].is_number());
    assert!(fs::read_to_string(postfax.config()).unwrap().contains("max_pages = 77"));
    ask("carl", "config get limits.max_pages", &["77"]);
    ask("carl", "config history", &["of paper", "carl"]);
    ask("carl", "config diff 1", &["+max_pages = 77"]);
    ask("carl", "config set limits.max_pages = many", &["max_pages"]);
    ask("carl", "config rollback 1", &["-max_pages = 77"]);
    assert!(!fs::read_to_string(postfax.config()).unwrap().contains("max_pages = 77"));
    ask("carl", "reload", &["You asked: reload"]);

    ask("anna", "audit", &["audit.see", "supervisor"]);
    ask("carl", "audit who=anna request=servers.drain 20", &["servers.drain", "refused"]);
    ask("carl", "audit verify", &["whole"]);
    let help = ask("anna", "help", &["settings@fax.example.com", "alter 12", "give-up"]);
    assert!(help.text().contains("SETTINGS OF THE FAX SERVERS"), "{}", help.text());
}

#[test]
fn a_fax_that_nobody_has_got_is_given_to_a_client_by_mail() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let mut postfax = Postfax::prepare(&lab.about, &sink, ROLES);
    let mut config = fs::read_to_string(postfax.config()).unwrap();
    config = config.replace("to = [\"bob\"]", "to = [\"anna\"]");
    config = config.replace("name = \"carl\"", "name = \"carl\"\nroles = [\"chief@supervisor\"]");
    fs::write(postfax.config(), config).unwrap();
    postfax.run();
    postfax.wait_for_servers();
    let to = format!("{}@fax.example.com", lab.number_of(1));
    let file = postfax.file("letter.pdf");
    fs::write(&file, pages::pdf(1, "x")).unwrap();
    assert!(postfax.send("anna", "anna@example.com", &to, Some(&file)).accepted);
    sink.wait("the alarm", "it@example.com", 90, |mail| mail.subject().contains("nobody to go to"));
    let listed = asked(&postfax, &sink, "carl", "inbound");
    let jobs = json(&listed)["jobs"].clone();
    let job = jobs[0]["job"].as_u64().unwrap_or_else(|| panic!("{}", listed.text()));
    let none = json(&asked(&postfax, &sink, "anna", "inbound"));
    assert_eq!(none["jobs"].as_array().unwrap().len(), 0, "she may not see it");
    let refused = asked(&postfax, &sink, "bob", &format!("assign {job} bob"));
    said(&refused, &["there is no job"]);
    let given = asked(&postfax, &sink, "carl", &format!("assign {job} bob"));
    said(&given, &[&format!("job {job}")]);
    let fax =
        sink.wait("the fax", "bob@example.com", 60, |mail| mail.header("X-Fax-Pages").is_some());
    assert!(fax.part("application/pdf").is_some());
    assert_eq!(logged(&postfax, "inbound.assign").len(), 2);
}
