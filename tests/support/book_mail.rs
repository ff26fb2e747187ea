//! A Postfax whose phone book is asked by mail, and what its answers say.

use std::{
    fs,
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::Value;

use super::{
    lab::Description,
    postfax::{LANGUAGES, PASSWORD, Postfax},
    programs,
    sink::{Mail, Sink},
    wait_for,
};

pub const BOOK: &str = "book@fax.example.com";

/// Carl keeps the public book.
const KEEPER: &str = "[[role]]\nname = \"keeper\"\nmay = [\"book.write\"]\n";

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A running Postfax, and its mailbox.
pub struct Site {
    pub postfax: Postfax,
    pub sink: Sink,
}

/// A mail that asks.
#[derive(Clone, Copy)]
pub struct Letter<'a> {
    pub client: &'a str,
    pub to: &'a str,
    pub subject: &'a str,
    pub headers: &'a str,
    pub body: &'a str,
}

impl Site {
    pub fn start(servers: &Description) -> Self {
        let sink = Sink::start();
        let mut postfax = Postfax::prepare(servers, &sink, &format!("{KEEPER}{LANGUAGES}"));
        let config = fs::read_to_string(postfax.config()).unwrap();
        let name = "name = \"carl\"";
        let granted = format!("{name}\nroles = [\"keeper@supervisor\"]");
        fs::write(postfax.config(), config.replace(name, &granted)).unwrap();
        postfax.run();
        Self { postfax, sink }
    }

    /// Sends it with swaks, logged in or, for those without a password, through the relay.
    /// Whether it was taken.
    pub fn send(&self, letter: &Letter<'_>, id: &str) -> bool {
        let Letter { client, to, subject, headers, body } = letter;
        let from = format!("{client}@example.com");
        let mail = format!(
            "From: {from}\nTo: {to}\nSubject: {subject}\nMessage-ID: {id}\n\
             MIME-Version: 1.0\n{headers}\n{body}"
        );
        let file = self.postfax.file("mail");
        fs::write(&file, mail).unwrap();
        let mut command = programs::program("swaks", "swaks");
        command.args(["--from", &from, "--to", to, "--timeout", "120"]);
        if ["anna", "bob", "carl"].contains(client) {
            let server = format!("127.0.0.1:{}", self.postfax.submission);
            command.args(["--server", &server, "--tls", "--auth", "PLAIN"]);
            command.args(["--auth-user", client, "--auth-password", PASSWORD]);
        } else {
            command.args(["--server", &format!("127.0.0.1:{}", self.postfax.relay)]);
        }
        command.args(["--data", &format!("@{}", file.display())]);
        command.output().unwrap().status.success()
    }

    /// The answer to the mail with this Message-ID.
    pub fn answer(&self, id: &str) -> Mail {
        let is_answer = |mail: &Mail| mail.header("In-Reply-To").as_deref() == Some(id);
        let found = || self.sink.mails().into_iter().find(is_answer);
        wait_for(&format!("the answer to {id}"), 60, found)
    }

    pub fn ask(&self, letter: Letter<'_>) -> Mail {
        let id = new_id();
        assert!(self.send(&letter, &id), "{} {}", letter.client, letter.subject);
        self.answer(&id)
    }

    /// Asks in the subject of a mail to `book@`.
    pub fn asked(&self, client: &str, subject: &str) -> Mail {
        self.ask(Letter { client, to: BOOK, subject, headers: "", body: "Good morning.\n" })
    }

    /// Asks in the subject, with a body.
    pub fn with(&self, client: &str, subject: &str, body: &str) -> Mail {
        self.ask(Letter { client, to: BOOK, subject, headers: "", body })
    }

    /// Replies to an answer, to where it wants replies to go.
    pub fn reply(&self, client: &str, to: &Mail, body: &str) -> Mail {
        let headers = format!("In-Reply-To: <{}>\n", to.message_id());
        let address = to.header("Reply-To").unwrap();
        self.ask(Letter { client, to: &address, subject: &to.subject(), headers: &headers, body })
    }

    /// Sends a mail with files attached, by Python's smtplib.
    pub fn attach(&self, client: &str, subject: &str, files: &[(&str, &str)]) -> Mail {
        let id = new_id();
        let mut command = Command::new("python3");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/attach.py"));
        command.args([&self.postfax.submission.to_string(), client, PASSWORD, BOOK, subject, &id]);
        for (name, text) in files {
            let file = self.postfax.file(name);
            fs::write(&file, text).unwrap();
            command.arg(file);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.answer(&id)
    }

    /// The names of the entries that this client finds.
    pub fn names(&self, client: &str, words: &str) -> Vec<String> {
        let found = json(&self.asked(client, &format!("find {words}")));
        let entries = found["book"]["entries"]["entries"].as_array().unwrap().clone();
        entries.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    }
}

pub fn new_id() -> String {
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    format!("<{number}.{}@reader.example.com>", std::process::id())
}

pub fn json(mail: &Mail) -> Value {
    let part = mail.part("application/json");
    let part = part.unwrap_or_else(|| panic!("no JSON: {}", String::from_utf8_lossy(&mail.raw)));
    serde_json::from_slice(&part).unwrap()
}

/// The entry that an answer shows.
pub fn entry(mail: &Mail) -> Value {
    json(mail)["book"]["entry"]["entry"].clone()
}

pub fn text(mail: &Mail) -> String {
    mail.text().replace("\r\n", "\n")
}

pub fn says(mail: &Mail, words: &str) {
    // Lines may be folded.
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = text(mail);
    assert!(flat(&said).contains(&flat(words)), "{words:?} is not in:\n{said}");
}

/// What a reader of mail makes of an answer when its user replies.
pub fn quoted(mail: &Mail) -> String {
    text(mail).lines().map(|line| format!("> {line}\n")).collect()
}
