//! Mails in the shapes in which real programs write them, each with a file beside it
//! that says what is faxed and what is not: read by the gateway, and through the real
//! program over SMTP. `GOLDEN=write` writes those files anew, to be read by a person.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use postfax_gateway::message::{Kind, Limits, Message, Part, Protection};
use proptest::prelude::*;
use serde_json::json;
use support::{lab::Description, pages, postfax::Postfax, sink::Sink};

/// A server that nobody reaches: jobs stay, and nothing is called.
const UNREACHABLE: &str = r#"
[[server]]
name = "away"
kind = "hylafax"
url = "hylafax://x@127.0.0.1:9"
password_file = "away.pw"
groups = ["london"]
"#;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Names and octets of all golden mails, with the line ends of SMTP.
fn mails() -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(folder()).unwrap().flatten().map(|file| file.path());
    let mut found: Vec<(String, Vec<u8>)> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let lines = fs::read(&path).unwrap();
            let lines = lines.split_inclusive(|octet| *octet == b'\n');
            let crlf = lines.flat_map(|line| match line.strip_suffix(b"\n") {
                Some(line) => [line, b"\r\n"].concat(),
                None => line.to_vec(),
            });
            (name, crlf.collect())
        })
        .collect();
    found.sort();
    assert!(found.len() > 40, "the golden mails are there");
    found
}

/// What the gateway makes of a mail, in words.
fn reading(mail: &[u8]) -> String {
    let message = Message::parse(mail.to_vec().into(), &Limits::default()).unwrap();
    let mut told = String::new();
    let named = |part: &Part| {
        let name = part.name.as_deref().unwrap_or("without a name");
        format!("{name} ({})", part.content_type)
    };
    match message.protection() {
        Protection::None => {}
        locked => writeln!(told, "protection: {locked:?}").unwrap(),
    }
    let documents: Vec<&Part> = message.attachments().collect();
    if !documents.is_empty() {
        told += "faxed:\n";
    }
    for part in &documents {
        writeln!(told, "  {}", named(part)).unwrap();
        if part.content_type == "text/plain" {
            quote(&mut told, &part.text());
        }
    }
    if documents.is_empty() {
        told += "faxed as text:\n";
        quote(&mut told, &message.text());
    }
    let left_out = |part: &&Part| match part.kind {
        Kind::Attachment => false,
        Kind::TextBody => !documents.is_empty(),
        _ => true,
    };
    let rest: Vec<&Part> = message.parts.iter().filter(left_out).collect();
    if !rest.is_empty() {
        told += "not faxed by itself:\n";
    }
    for part in rest {
        writeln!(told, "  {}: {:?}", named(part), part.kind).unwrap();
    }
    told
}

fn quote(told: &mut String, text: &str) {
    for line in text.trim_end().lines() {
        writeln!(told, "    |{line}").unwrap();
    }
}

/// A trusted mail server in front of the relay listener.
struct Client {
    input: BufReader<TcpStream>,
    output: TcpStream,
}

impl Client {
    fn connect(port: u16) -> Self {
        let output = TcpStream::connect(("127.0.0.1", port)).unwrap();
        output.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut client = Self { input: BufReader::new(output.try_clone().unwrap()), output };
        client.answer();
        client.say("EHLO mail.example.com");
        client
    }

    fn say(&mut self, line: &str) -> String {
        self.output.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.answer()
    }

    /// The last line of an answer.
    fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.input.read_line(&mut line).unwrap() > 0, "the server hung up");
            if line.as_bytes().get(3) != Some(&b'-') {
                return line.trim_end().to_owned();
            }
        }
    }

    fn send(&mut self, mail: &[u8]) -> String {
        for line in [
            "MAIL FROM:<anna@example.com> BODY=8BITMIME",
            "RCPT TO:<+15557654321@fax.example.com>",
            "DATA",
        ] {
            let said = self.say(line);
            assert!(said.starts_with(['2', '3']), "{line}: {said}");
        }
        for line in mail.split_inclusive(|octet| *octet == b'\n') {
            if line.starts_with(b".") {
                self.output.write_all(b".").unwrap();
            }
            self.output.write_all(line).unwrap();
        }
        let end = if mail.ends_with(b"\n") { "." } else { "\r\n." };
        self.say(end)
    }
}

#[test]
fn every_golden_mail_is_faxed_or_refused_as_written_beside_it() {
    let sink = Sink::start();
    let nobody = Description { servers: Vec::new(), numbers: Vec::new() };
    let mut postfax = Postfax::prepare(&nobody, &sink, UNREACHABLE);
    fs::write(postfax.file("away.pw"), "secret\n").unwrap();
    fs::set_permissions(postfax.file("away.pw"), fs::Permissions::from_mode(0o600)).unwrap();
    postfax.run();
    let mut client = Client::connect(postfax.relay);
    let mut wrong = String::new();
    for (name, mail) in mails() {
        let mut told = reading(&mail);
        let said = client.send(&mail);
        match said.rsplit_once("queued as ") {
            Some((_, id)) if said.starts_with("250") => {
                let shown = json!({"ask": "show", "job": id.parse::<u64>().unwrap()});
                let job = postfax.question(&shown).unwrap()["job"]["job"].clone();
                let digest = job["document"]["digest"].as_str().unwrap();
                let stored = pages::pixels(&postfax.document(digest)).len();
                assert_eq!(job["document"]["pages"], stored, "{name}: {job:#}");
                writeln!(told, "pages: {stored}").unwrap();
            }
            _ => writeln!(told, "refused: {said}").unwrap(),
        }
        let path = folder().join(format!("{name}.expect"));
        if std::env::var("GOLDEN").is_ok_and(|wish| wish == "write") {
            fs::write(&path, &told).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if told != expected {
            write!(wrong, "=== {name}: expected\n{expected}--- but is\n{told}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(sink.mails().is_empty(), "nothing is mailed about");
}

/// How a mail is damaged: where, in parts of its length, and with what.
fn damage() -> impl Strategy<Value = Vec<(f64, usize, Vec<u8>)>> {
    let pieces: [&[u8]; 12] = [
        b"",
        b"\0",
        b"\r\n\r\n",
        b"--",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"\r\nbegin 644 a\r\n",
        b"\xff\xfe\x80",
        b"=?iso-2022-jp?B?GyRC?=",
        b"<a href=\"cid:",
        b"; filename*1*=%",
    ];
    let piece = prop::sample::select(pieces.map(<[u8]>::to_vec).to_vec());
    prop::collection::vec((0.0..1.0, 0_usize..200, piece), 1..12)
}

fn damaged(mail: &[u8], damage: &[(f64, usize, Vec<u8>)]) -> Vec<u8> {
    let mut mail = mail.to_vec();
    for (place, length, piece) in damage {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place")]
        #[expect(clippy::cast_precision_loss, reason = "no mail is that long")]
        let at = (mail.len() as f64 * place) as usize;
        let end = mail.len().min(at + length);
        mail.splice(at..end, piece.iter().copied());
    }
    mail
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// However a mail is damaged, it is read or refused, and what comes out of it is
    /// not much more than what went in.
    #[test]
    fn damaged_mails_are_read_and_stay_small(which in 0_usize..1000, damage in damage()) {
        static MAILS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(mails);
        let mails = &*MAILS;
        let mail = damaged(&mails[which % mails.len()].1, &damage);
        let length = mail.len();
        let limits = Limits { max_parts: 50, max_depth: 8, ..Limits::default() };
        if let Ok(message) = Message::parse(mail.into(), &limits) {
            prop_assert!(message.parts.len() <= 2 * limits.max_parts);
            let decoded: usize = message.parts.iter().map(|part| part.bytes().len()).sum();
            // Each level of forwarding repeats its words once, as Unicode.
            prop_assert!(decoded <= 8 * length + 1000, "{decoded} octets out of {length}");
            let _ = (message.subject(), message.from(), message.date(), message.text());
            let _ = message.x_headers("x-fax-");
        }
    }
}
