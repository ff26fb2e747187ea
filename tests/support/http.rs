//! A daemon with an HTTP door, asked by real curl.

use std::{fs, process::Command};

use serde_json::Value;

use super::{
    lab::Description,
    postfax::{Postfax, free_port},
    sink::Sink,
    wait_for,
};

const CONFIG: &str = r#"
[http]
address = "127.0.0.1:@PORT@"
tokens_file = "tokens"
@HTTP@
[[role]]
name = "chief"
may = ["config.read", "config.write", "audit.see", "settings.read", "settings.write", "inbound.see", "jobs.see", "jobs.cancel", "book.write"]
[[client]]
name = "chief"
mail = ["chief@example.com"]
groups = ["london"]
roles = ["chief@supervisor"]
"#;

/// A daemon with an HTTP door, and the tokens of its clients.
pub struct House {
    pub postfax: Postfax,
    pub url: String,
    pub anna: String,
    pub bob: String,
    /// Who may everything.
    pub chief: String,
    pub sink: Sink,
}

/// What curl heard.
#[derive(Debug)]
pub struct Heard {
    pub status: u16,
    pub headers: String,
    pub body: Vec<u8>,
}

impl Heard {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|bad| panic!("{bad}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.headers.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next_back()
    }

    /// The code of a problem document, whose form is looked at.
    pub fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{}",
            self.headers
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{problem}");
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        problem["code"].as_str().unwrap().to_owned()
    }
}

pub fn token(postfax: &Postfax, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_postfax"))
        .arg("token")
        .args(arguments)
        .arg("--file")
        .arg(postfax.file("tokens"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Asks with a token.
pub fn curl(url: &str, token: &str, arguments: &[&str]) -> Heard {
    let (head, body) =
        (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "60", "-w", "%{http_code}", "-D"])
        .arg(head.path())
        .arg("-o")
        .arg(body.path())
        .args(["-H", &format!("Authorization: Bearer {token}")])
        .args(arguments)
        .arg(url)
        .output()
        .expect("curl runs");
    let status = String::from_utf8_lossy(&output.stdout).trim().parse();
    let status =
        status.unwrap_or_else(|_| panic!("{url}: {}", String::from_utf8_lossy(&output.stderr)));
    Heard {
        status,
        headers: fs::read_to_string(head.path()).unwrap().replace('\r', ""),
        body: fs::read(body.path()).unwrap(),
    }
}

impl House {
    /// Starts a daemon with these servers; `http` is added to the table of the door.
    pub fn start(servers: &Description, http: &str) -> Self {
        let mut house = Self::prepare(servers, http);
        house.postfax.run();
        house
    }

    /// The same without starting.
    pub fn prepare(servers: &Description, http: &str) -> Self {
        let sink = Sink::start();
        let port = free_port();
        let more = CONFIG.replace("@PORT@", &port.to_string()).replace("@HTTP@", http);
        let postfax = Postfax::prepare(servers, &sink, &more);
        let [anna, bob, chief] =
            ["anna", "bob", "chief"].map(|client| token(&postfax, &["create", client]));
        let scheme = if http.contains("tls = true") { "https" } else { "http" };
        Self { postfax, url: format!("{scheme}://127.0.0.1:{port}"), anna, bob, chief, sink }
    }

    /// Sends JSON.
    pub fn json(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: &Value,
        more: &[&str],
    ) -> Heard {
        let body = body.to_string();
        let all = ["-X", method, "-H", "Content-Type: application/json", "-d", &body];
        self.curl(token, path, &[&all[..], more].concat())
    }

    /// What a question is answered that must be answered.
    pub fn get(&self, token: &str, path: &str) -> Value {
        let heard = self.curl(token, path, &[]);
        assert_eq!(heard.status, 200, "{path}: {}", String::from_utf8_lossy(&heard.body));
        heard.json()
    }

    pub fn curl(&self, token: &str, path: &str, arguments: &[&str]) -> Heard {
        curl(&format!("{}{path}", self.url), token, arguments)
    }

    /// Kills the daemon at this point of a request, and starts it again.
    pub fn die_at(&mut self, point: &str, ask: impl Fn(&Self) -> Heard) {
        self.postfax.stop();
        self.postfax.environment(&[("POSTFAX_DIE_BEFORE", point)]);
        self.postfax.run();
        assert_eq!(ask(self).status, 0, "nobody answers");
        wait_for("it to die", 10, || self.postfax.has_ended().then_some(()));
        assert!(self.postfax.log().contains(&format!("killed before: {point}")));
        self.postfax.kill();
        self.postfax.environment(&[]);
        self.postfax.run();
    }

    pub fn send(&self, token: &str, more: &[&str]) -> Heard {
        self.curl(token, "/v1/faxes", more)
    }
}

/// What was answered, which must have this status.
#[track_caller]
pub fn is(heard: &Heard, status: u16) -> Value {
    assert_eq!(heard.status, status, "{}", String::from_utf8_lossy(&heard.body));
    heard.json()
}

/// Status, code, and whether the words are in the detail.
#[track_caller]
pub fn refused(heard: &Heard, status: u16, code: &str, words: &str) {
    assert_eq!((heard.status, heard.problem().as_str()), (status, code), "{}", heard.json());
    let detail = heard.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(words), "{detail}");
}
