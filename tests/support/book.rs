//! The phone book of a daemon, as the administrator and as clients ask for it, and mail
//! clients that only name recipients.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{postfax::Postfax, users::admit, wire::Wire};

/// Users of this host that are the clients of the stories.
pub const USERS: [(&str, u32); 3] = [("anna", 64_031), ("bob", 64_032), ("carl", 64_033)];

/// Debian's, which every user may run.
const PYTHON: &str = "/usr/bin/python3";
/// Puts questions to the socket, one line each, and prints the answers.
const ASK: &str = "
import socket, sys
for line in sys.stdin:
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(sys.argv[1])
        s.sendall(line.encode())
        print(s.makefile().readline(), end='')
";

/// Makes anna, bob and carl users of this host, before the daemon starts.
pub fn introduce(postfax: &Postfax) {
    let mut config = fs::read_to_string(postfax.config()).unwrap();
    for (client, uid) in USERS {
        let named = format!("name = \"{client}\"\n");
        assert!(config.contains(&named));
        config = config.replace(&named, &format!("{named}users = [\"{uid}\"]\n"));
    }
    fs::write(postfax.config(), config).unwrap();
    admit(postfax);
}

/// Asks the phone book as the administrator; a problem is an error.
pub fn ask(postfax: &Postfax, question: &Value) -> Result<Value, Value> {
    let mut question = question.clone();
    question["ask"] = "book".into();
    let answer = postfax.question(&question).expect("the daemon answers");
    match answer.get("problem") {
        Some(problem) => Err(problem.clone()),
        None => Ok(answer["book"].clone()),
    }
}

/// Asks as a client, many questions by one process.
pub fn ask_all_as(postfax: &Postfax, client: &str, questions: &[Value]) -> Vec<Value> {
    let uid = USERS.iter().find(|(name, _)| *name == client).unwrap().1.to_string();
    let mut child = Command::new("setpriv")
        .args(["--reuid", &uid, "--regid", &uid, "--clear-groups", PYTHON, "-c", ASK])
        .arg(postfax.file("control.sock"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let mut input = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> =
        answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), questions.len());
    answers
}

/// `anna` is a client, `@london` a group.
pub fn parties(names: &[&str]) -> Value {
    let party = |name: &&str| match name.strip_prefix('@') {
        Some(group) => json!({ "group": group }),
        None => json!({ "client": name }),
    };
    names.iter().map(party).collect()
}

/// Who else may refer to an entry: `["*"]` is everyone.
pub fn label(names: &[&str]) -> Value {
    match names {
        ["*"] => "everyone".into(),
        _ => json!({ "named": parties(names) }),
    }
}

/// Adds an entry of a client, or one that is nobody's where it is named `public`, with the
/// question of the administrator. Its unique identifier.
pub fn add(postfax: &Postfax, owner: &str, to: &[&str], fields: &Value) -> String {
    let owner = match owner {
        "public" => "public".into(),
        client => json!({ "client": client }),
    };
    let question = json!({ "do": "add", "owner": owner, "label": label(to), "fields": fields });
    let added = ask(postfax, &question).unwrap_or_else(|why| panic!("{fields}: {why}"));
    added["entry"]["entry"]["uid"].as_str().unwrap_or_else(|| panic!("{added}")).to_owned()
}

/// A fax machine.
pub fn fax(name: &str, alias: &str, number: &str) -> Value {
    json!({ "name": name, "alias": alias, "number": number })
}

/// A list.
pub fn list(name: &str, alias: &str, members: &[&str]) -> Value {
    json!({ "name": name, "alias": alias, "members": members })
}

/// Changes who sees an entry.
pub fn share(postfax: &Postfax, entry: &str, with: &Value) {
    ask(postfax, &json!({ "do": "share", "entry": entry, "with": with })).unwrap();
}

/// A mail client that is trusted to speak for a client, with a mail begun.
pub struct Caller(Wire);

impl Caller {
    pub fn begin(postfax: &Postfax, client: &str) -> Self {
        let mut wire = Wire::connect(postfax.relay);
        wire.hear("220");
        wire.ask("EHLO mail.example.com\r\n", "250");
        let mut caller = Self(wire);
        caller.mail(client);
        caller
    }

    pub fn mail(&mut self, client: &str) {
        self.0.ask(&format!("MAIL FROM:<{client}@example.com>\r\n"), "250");
    }

    /// Names a recipient of the fax domain; the whole reply, a line each.
    pub fn rcpt(&mut self, local: &str) -> Vec<String> {
        self.0.ask(&format!("RCPT TO:<{local}@fax.example.com>\r\n"), "")
    }

    pub fn reset(&mut self) {
        self.0.ask("RSET\r\n", "250");
    }

    /// Sends what a person writes; the numbers of the jobs.
    pub fn data(&mut self, message_id: &str) -> Vec<u64> {
        self.0.ask("DATA\r\n", "354");
        let mail = format!(
            "From: someone@example.com\r\nTo: fax\r\nSubject: A fax\r\n\
             Message-ID: <{message_id}@example.com>\r\n\r\nA few words.\r\n.\r\n"
        );
        let reply = self.0.ask(&mail, "250").join(" ");
        let names = reply.split_once("queued as ").unwrap().1;
        names.split(", ").map(|name| name.trim().parse().unwrap()).collect()
    }
}

/// What one recipient of a mail of its own is told, each line on one line.
pub fn told(postfax: &Postfax, client: &str, local: &str) -> String {
    Caller::begin(postfax, client).rcpt(local).join("\n")
}
