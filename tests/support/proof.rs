//! A Postfax that believes nobody, a DNS server, and somebody who hands mails over:
//! signed by dkimpy or not, with every reply as it was.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use base64::Engine as _;
use serde_json::Value;

use super::{
    dns::Dns,
    lab::{Description, Server},
    postfax::{Postfax, free_port},
    sink::Sink,
};

/// Debian's, which has the package python3-dkim.
const PYTHON: &str = "/usr/bin/python3";
pub const NUMBER: &str = "+12025550100";

/// One fax server that is switched off: jobs are queued and stay.
fn no_servers() -> Description {
    let server = Server {
        name: "off".into(),
        host: "127.0.0.1".into(),
        port: free_port(),
        user: "postfax".into(),
        password: "x".into(),
        admin_password: "x".into(),
        numbers: vec![],
        lines: 1,
        spool: "/nonexistent".into(),
    };
    Description { servers: vec![server], numbers: vec![] }
}

/// A Postfax that knows the client `tess` of all domains below `proofs.test`, and a
/// port where nobody is trusted.
pub struct Stage {
    pub dns: Dns,
    pub postfax: Postfax,
    pub port: u16,
    pub sink: Sink,
}

impl Stage {
    pub fn set(more: &str) -> Self {
        let (dns, sink, port) = (Dns::start(), Sink::start(), free_port());
        let more = format!(
            r#"
[[client]]
name = "tess"
mail = ["*@*.proofs.test"]
groups = ["london"]

[[listener]]
address = "127.0.0.1:{port}"
role = "relay"
verify = ["dmarc"]

[dns]
servers = ["127.0.0.1:{}"]
timeout_s = 1
tries = 1
{more}"#,
            dns.port
        );
        let mut postfax = Postfax::prepare(&no_servers(), &sink, &more);
        for (name, kind) in [("rsa.pem", "RSA"), ("ed25519.pem", "ED25519")] {
            make_key(&postfax.file(name), kind);
        }
        postfax.run();
        Self { dns, postfax, port, sink }
    }

    /// `v=spf1 ip4:127.0.0.1 -all`, and a DMARC record with these tags.
    pub fn domain(&self, domain: &str, spf: &str, dmarc: Option<&str>) {
        if !spf.is_empty() {
            self.dns.txt(domain, &format!("v=spf1 {spf}"));
        }
        if let Some(tags) = dmarc {
            self.dns.txt(&format!("_dmarc.{domain}"), &format!("v=DMARC1; p=reject{tags}"));
        }
    }

    pub fn key(&self, domain: &str, selector: &str, kind: &str) {
        let file = self.postfax.file(&format!("{kind}.pem"));
        // With a note that makes the record of an RSA key too long for UDP.
        let note = "x".repeat(150);
        let value = format!("v=DKIM1; k={kind}; n={note}; p={}", public_key(&file, kind));
        self.dns.txt(&format!("{selector}._domainkey.{domain}"), &value);
    }

    /// Signs with dkimpy.
    pub fn sign(&self, mail: &str, domain: &str, kind: &str) -> String {
        self.sign_fields(mail, domain, kind, "From,To,Subject,Date")
    }

    pub fn sign_fields(&self, mail: &str, domain: &str, kind: &str, fields: &str) -> String {
        let file = self.postfax.file(&format!("{kind}.pem")).display().to_string();
        dkimpy(&["sign", domain, "s1", &file, kind, fields], mail.as_bytes())
    }

    /// Hands over one mail and gives the last reply, and the step that it answers.
    pub fn send(&self, from: &str, mail: &str) -> (Step, String) {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut client = BufReader::new(stream);
        reply(&mut client);
        let to = format!("FAX={NUMBER}@fax.example.com");
        let steps = [
            (Step::Helo, "EHLO mail.proofs.test".to_owned(), '2'),
            (Step::Mail, format!("MAIL FROM:<{from}>"), '2'),
            (Step::Rcpt, format!("RCPT TO:<{to}>"), '2'),
            (Step::Data, "DATA".to_owned(), '3'),
        ];
        for (step, command, expected) in steps {
            client.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
            let said = reply(&mut client);
            if !said.starts_with(expected) {
                return (step, said);
            }
        }
        client.get_mut().write_all(format!("{mail}.\r\n").as_bytes()).unwrap();
        (Step::End, reply(&mut client))
    }

    pub fn jobs(&self) -> Vec<Value> {
        let listed = self.postfax.ask_json(&["jobs", "--limit", "1000"]);
        listed["jobs"].as_array().unwrap().clone()
    }

    /// The mail must be refused with exactly this, and nothing be queued.
    #[track_caller]
    pub fn refused(&self, from: &str, mail: &str, step: Step, words: &str) {
        let before = self.jobs().len();
        assert_eq!(self.send(from, mail), (step, words.to_owned()));
        assert_eq!(self.jobs().len(), before, "nothing is queued");
    }

    /// The mail must become a job of the client; gives its number.
    #[track_caller]
    pub fn accepted(&self, from: &str, mail: &str, client: &str) -> u64 {
        let before = self.jobs().len();
        let (step, said) = self.send(from, mail);
        let id = said.strip_prefix("250 2.0.0 ").and_then(|said| said.rsplit(' ').next());
        assert!(step == Step::End && id.is_some(), "{step:?} {said}");
        let jobs = self.jobs();
        assert_eq!(jobs.len(), before + 1, "one job");
        let id = jobs[0]["job"].as_u64().unwrap();
        let job = self.postfax.job(id);
        assert_eq!(job["cause"]["sent"]["client"], client, "{job:#}");
        assert_eq!(job["destination"]["fax"]["number"], NUMBER);
        id
    }
}

/// What the last reply answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Helo,
    Mail,
    Rcpt,
    Data,
    End,
}

/// A reply; the lines of a long one are joined.
fn reply(client: &mut impl BufRead) -> String {
    let mut all = String::new();
    loop {
        let mut line = String::new();
        assert!(client.read_line(&mut line).unwrap() > 0, "hung up after {all:?}");
        let line = line.trim_end();
        if all.is_empty() {
            all.push_str(&line.replacen('-', " ", usize::from(line.as_bytes()[3] == b'-')));
        } else {
            let text = line[4..].split_once(' ').map_or("", |(_, text)| text);
            all.push_str(&format!(" {text}"));
        }
        if line.as_bytes()[3] == b' ' {
            return all;
        }
    }
}

pub fn dkimpy(arguments: &[&str], input: &[u8]) -> String {
    let mut child = Command::new(PYTHON)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/sign.py"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "python3-dkim is installed, with python3-nacl");
    String::from_utf8(output.stdout).unwrap()
}

fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).output().expect("openssl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn make_key(file: &Path, kind: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    openssl(&["genpkey", "-algorithm", kind, "-out", file.to_str().unwrap()]);
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// As it is published (RFC 6376 3.6.1, RFC 8463 4).
pub fn public_key(file: &Path, kind: &str) -> String {
    let der = openssl(&["pkey", "-in", file.to_str().unwrap(), "-pubout", "-outform", "DER"]);
    let key = if kind == "ed25519" { &der[der.len() - 32..] } else { &der };
    base64::engine::general_purpose::STANDARD.encode(key)
}

pub fn mail(from: &str) -> String {
    mail_with(&format!("From: {from}\r\n"))
}

/// No two mails are the same one.
pub fn mail_with(from: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    format!(
        "{from}To: fax@fax.example.com\r\nSubject: A proof\r\n\
         Date: Mon, 2 Mar 2026 10:00:00 +0000\r\nMessage-ID: <{number}@proofs.test>\r\n\r\n\
         Pages of a fax.\r\n"
    )
}
