//! Clients ask by mail, with real mail clients against the real program: what is
//! answered, to whom, how often, and to whom never.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{
    lab::{Description, Lab, Servers},
    pages,
    postfax::{LANGUAGES, PASSWORD, Postfax},
    programs,
    proof::Stage,
    relay::offer,
    sink::{Mail, Sink},
    wait_for,
};

const ANNA: &str = "anna@example.com";
const BOB: &str = "bob@example.com";

/// Asks with swaks, logged in; what the server said, and whether it took the mail.
fn swaks(
    postfax: &Postfax,
    client: &str,
    to: &str,
    subject: &str,
    more: &[&str],
) -> (bool, String) {
    let mut command = programs::program("swaks", "swaks");
    let server = format!("127.0.0.1:{}", postfax.submission);
    command.args(["--server", &server, "--tls", "--auth", "PLAIN", "--auth-user", client]);
    command.args(["--auth-password", PASSWORD, "--from", &format!("{client}@example.com")]);
    command.args([
        "--to",
        to,
        "--header",
        &format!("Subject: {subject}"),
        "--body",
        "Good morning.",
    ]);
    let output = command.args(more).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn asked(postfax: &Postfax, client: &str, to: &str, subject: &str) {
    let (taken, said) = swaks(postfax, client, to, subject, &[]);
    assert!(taken, "{to} {subject}: {said}");
}

/// Waits for the answer to a mail with this subject.
fn answer(sink: &Sink, to: &str, subject: &str) -> Mail {
    let wanted = format!("Re: {subject}");
    sink.wait(&wanted, to, 30, |mail| mail.subject() == wanted)
}

fn json(mail: &Mail) -> Value {
    let part = mail.part("application/json");
    let part = part.unwrap_or_else(|| panic!("no JSON: {}", String::from_utf8_lossy(&mail.raw)));
    serde_json::from_slice(&part).unwrap()
}

/// Sends a fax that stays in the queue.
fn fax(postfax: &Postfax, client: &str) -> u64 {
    let file = postfax.file("letter.pdf");
    fs::write(&file, pages::pdf(1, "x")).unwrap();
    let from = format!("{client}@example.com");
    let said = postfax.send(client, &from, "+442071234567@fax.example.com", Some(&file));
    assert!(said.accepted, "{}", said.words);
    newest(postfax, "sent")
}

fn newest(postfax: &Postfax, cause: &str) -> u64 {
    let jobs = postfax.jobs();
    let ours = jobs.iter().filter(|job| job["cause"].get(cause).is_some());
    ours.map(|job| job["id"].as_u64().unwrap()).max().unwrap()
}

fn answers(sink: &Sink) -> usize {
    sink.mails().iter().filter(|mail| mail.subject().starts_with("Re: ")).count()
}

#[test]
fn what_is_asked_by_mail_is_answered_by_mail() {
    let sink = Sink::start();
    let postfax = Postfax::start(&Description::unreachable(), &sink, "");
    let (own, others) = (fax(&postfax, "anna"), fax(&postfax, "bob"));
    asked(&postfax, "anna", "jobs@fax.example.com", "status");
    let mail = answer(&sink, ANNA, "status");
    assert!(json(&mail)["status"]["servers"].is_array());
    // RFC 3834 3: what marks an answer as one.
    assert_eq!((mail.from.as_str(), &mail.to[..]), ("", &[ANNA.to_owned()][..]));
    assert_eq!(mail.header("Auto-Submitted").as_deref(), Some("auto-replied"));
    assert!(mail.header("In-Reply-To").is_some_and(|id| id.starts_with('<')));
    assert_eq!(mail.header("In-Reply-To"), mail.header("References"));
    asked(&postfax, "anna", "jobs@fax.example.com", "list out");
    let listed = json(&answer(&sink, ANNA, "list out"));
    let listed: Vec<u64> =
        listed["jobs"].as_array().unwrap().iter().map(|job| job["job"].as_u64().unwrap()).collect();
    assert_eq!(listed, [own], "only what is anna's");
    asked(&postfax, "anna", &format!("jobs+{own}@fax.example.com"), "AW: Show");
    let shown = answer(&sink, ANNA, "AW: Show");
    assert!(shown.text().contains(&format!("Job {own}: a fax from anna")), "{}", shown.text());
    for verb in ["show", "cancel", "retry", "explain job"] {
        let subject = format!("{verb} {others}");
        asked(&postfax, "anna", "jobs@fax.example.com", &subject);
        let text = answer(&sink, ANNA, &subject).text();
        assert!(text.contains(&format!("there is no job {others}")), "{text}");
    }
    assert!(postfax.job(others)["state"].get("ended").is_none(), "bob's fax goes on");
    for (subject, words) in [
        ("show 4711", "there is no job 4711"),
        ("cancel", "the number of the job is missing"),
        ("tell me a joke", "none of list, show, cancel"),
        ("explain +442071234567", "+442071234567"),
        ("explain 12", "12"),
    ] {
        asked(&postfax, "anna", "settings@fax.example.com", subject);
        let text = answer(&sink, ANNA, subject).text();
        assert!(text.contains(words), "{subject}: {text}");
    }
    asked(&postfax, "anna", "jobs@fax.example.com", &format!("cancel {own}"));
    let text = answer(&sink, ANNA, &format!("cancel {own}")).text();
    assert!(text.contains(&format!("job {own} is cancelled")), "{text}");
    let job = postfax.wait_for_end(own, 10);
    assert_eq!(job["state"]["ended"]["end"], "cancelled");
}

#[test]
fn a_mail_to_a_number_and_to_jobs_does_both_and_one_to_jobs_is_no_fax() {
    let sink = Sink::start();
    let postfax = Postfax::start(&Description::unreachable(), &sink, "");
    let to = "jobs@fax.example.com,+442071234567@fax.example.com";
    let (taken, said) = swaks(&postfax, "anna", to, "list out", &[]);
    assert!(taken, "{said}");
    assert!(!json(&answer(&sink, ANNA, "list out"))["jobs"].as_array().unwrap().is_empty());
    asked(&postfax, "anna", "jobs@fax.example.com", "status");
    answer(&sink, ANNA, "status");
    let sent = postfax.jobs().iter().filter(|job| job["cause"].get("sent").is_some()).count();
    assert_eq!(sent, 1, "one fax");
}

#[test]
fn strangers_and_programs_are_refused() {
    let sink = Sink::start();
    let postfax = Postfax::start(&Description::unreachable(), &sink, "");
    let jobs = "jobs@fax.example.com";
    let text = "Subject: status\nFrom: anna@example.com\n\n";
    for (from, to, code) in [
        ("eve@example.org", jobs, "550 5.7.1"),
        ("eve@example.org", "help@fax.example.com", "550 5.7.1"),
        ("", jobs, "550 5.7.1"),
        (ANNA, "jobs+x@fax.example.com", "550 5.1.1"),
        (ANNA, jobs, "250"),
    ] {
        let said = offer(postfax.relay, from, &[to], text).recipients[0].clone();
        assert!(said.starts_with(code), "{from} {to}: {said}");
    }
    answer(&sink, ANNA, "status");
    for (what, field) in [
        ("an answer", "Auto-Submitted: auto-replied"),
        ("an odd answer", "X-Autoreply: yes"),
        ("a list", "List-Id: <l.example.com>"),
        ("bulk", "Precedence: bulk"),
        ("our own answer", "X-Fax-Id: x"),
    ] {
        let said = offer(postfax.relay, ANNA, &[jobs], &format!("{field}\n{text}")).message;
        assert!(said.starts_with('5'), "{what}: {said}");
    }
    // Our own answer, passed on by a mailbox.
    let mail = sink.mails().into_iter().next().unwrap();
    let raw = String::from_utf8(mail.raw).unwrap().replace("\r\n", "\n");
    let bare: String =
        raw.split_inclusive('\n').filter(|l| !l.starts_with("Auto-Submitted")).collect();
    for raw in [raw, bare] {
        let said = offer(postfax.relay, ANNA, &[jobs], &raw).message;
        assert!(said.starts_with('5'), "{said}");
    }
    let (taken, said) = swaks(&postfax, "anna", jobs, "status", &["--h-From", BOB]);
    assert!(!taken && said.contains("may not send as"), "{said}");
    // Whoever does not log in at the submission port.
    let mut command = programs::program("swaks", "swaks");
    let server = format!("127.0.0.1:{}", postfax.submission);
    let output = command.args(["--server", &server, "--from", ANNA, "--to", jobs]).output();
    assert!(!output.unwrap().status.success());
    assert_eq!(answers(&sink), 1, "{:?}", sink.mails());
}

#[test]
fn a_host_that_nobody_vouches_for_must_prove_who_asks() {
    let stage = Stage::set("");
    stage.domain("true.proofs.test", "ip4:127.0.0.1 -all", Some(""));
    stage.domain("false.proofs.test", "ip4:192.0.2.1 -all", Some(""));
    let ask = |domain: &str| {
        let from = format!("tess@{domain}");
        let text = format!("From: {from}\nSubject: list\n\n");
        (offer(stage.port, &from, &["jobs@fax.example.com"], &text).message, from)
    };
    let (said, _) = ask("false.proofs.test");
    assert!(said.starts_with("550"), "{said}");
    let (said, from) = ask("true.proofs.test");
    assert!(said.starts_with("250"), "{said}");
    answer(&stage.sink, &from, "list");
    assert_eq!(answers(&stage.sink), 1);
}

#[test]
fn help_speaks_the_language_of_the_client() {
    let sink = Sink::start();
    let mut postfax = Postfax::prepare(&Description::unreachable(), &sink, LANGUAGES);
    postfax.run();
    for (client, tag, words) in [
        ("anna", "en", "stop a fax"),
        ("greta", "de", "ein Fax anhalten"),
        ("pierre", "fr", "arrêter une télécopie"),
        ("yuki", "ja", "ファクスを中止する"),
    ] {
        let from = format!("{client}@example.com");
        let text = format!("Subject: ?\nFrom: {from}\nMessage-ID: <{client}@x>\n\n");
        let said = offer(postfax.relay, &from, &["help@fax.example.com"], &text).message;
        assert!(said.starts_with("250"), "{said}");
        let mail = answer(&sink, &from, "?");
        assert!(mail.text().contains(words), "{}", mail.text());
        assert!(mail.text().contains("cancel 12"), "{}", mail.text());
        assert_eq!(mail.header("Content-Language").as_deref(), Some(tag));
    }
}

#[test]
fn bodies_of_all_kinds_are_read() {
    let sink = Sink::start();
    let postfax = Postfax::start(&Description::unreachable(), &sink, "");
    let head = "From: anna@example.com\nMIME-Version: 1.0\n";
    let kinds = [
        ("plain", "Content-Type: text/plain\n\nstatus\n-- \nAnna\n"),
        ("flowed", "Content-Type: text/plain; format=flowed\n\n status \n"),
        ("html", "Content-Type: text/html\n\n<html><body><p>status</p></body></html>\n"),
        (
            "quoted-printable",
            "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\nst=61tus\n",
        ),
        ("base64", "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nc3RhdHVzCg==\n"),
    ];
    for (kind, body) in kinds {
        let text = format!("Subject: Re: {kind}\n{head}{body}");
        let said = offer(postfax.relay, ANNA, &["jobs@fax.example.com"], &text).message;
        assert!(said.starts_with("250"), "{kind}: {said}");
        let mail = answer(&sink, ANNA, kind);
        assert!(json(&mail)["status"].is_object(), "{kind}");
    }
}

#[test]
fn a_mail_that_comes_twice_is_answered_once() {
    let sink = Sink::start();
    let postfax = Postfax::start(&Description::unreachable(), &sink, "");
    let own = fax(&postfax, "anna");
    assert!(postfax.ask(&["cancel", &own.to_string()]).status.success());
    postfax.wait_for_end(own, 10);
    let text = format!("Subject: retry {own}\nFrom: {ANNA}\nMessage-ID: <twice@x>\n\n");
    for _ in 0..3 {
        let said = offer(postfax.relay, ANNA, &["jobs@fax.example.com"], &text).message;
        assert!(said.starts_with("250"), "{said}");
    }
    answer(&sink, ANNA, &format!("retry {own}"));
    asked(&postfax, "anna", "help@fax.example.com", "later");
    answer(&sink, ANNA, "later");
    assert_eq!(answers(&sink), 2);
    let sent = postfax.jobs().iter().filter(|job| job["cause"].get("sent").is_some()).count();
    assert_eq!(sent, 2, "sent again once");
}

/// Asks, and has the daemon killed before `point`; then the mail comes again.
fn killed(point: &str, verb: &str) -> (Sink, Postfax, u64) {
    let sink = Sink::start();
    let mut postfax = Postfax::start(&Description::unreachable(), &sink, "");
    let own = fax(&postfax, "anna");
    if verb == "retry" {
        assert!(postfax.ask(&["cancel", &own.to_string()]).status.success());
        postfax.wait_for_end(own, 10);
        sink.wait("the receipt", ANNA, 30, |mail| mail.subject().starts_with("Fax cancelled"));
    }
    postfax.stop();
    postfax.environment(&[("POSTFAX_DIE_BEFORE", point)]);
    postfax.run();
    let text = format!("Subject: {verb} {own}\nFrom: {ANNA}\nMessage-ID: <k@x>\n\n");
    let said = offer(postfax.relay, ANNA, &["jobs@fax.example.com"], &text).message;
    assert!(!said.starts_with("250") || point == "deliver", "{point}: {said}");
    wait_for("the end", 10, || postfax.has_ended().then_some(()));
    assert!(!postfax.kill(), "it has ended by itself");
    postfax.environment(&[]);
    postfax.run();
    if !said.starts_with("250") {
        let said = offer(postfax.relay, ANNA, &["jobs@fax.example.com"], &text).message;
        assert!(said.starts_with("250"), "{point}: {said}");
    }
    (sink, postfax, own)
}

#[test]
fn nothing_is_lost_or_done_twice_when_it_is_killed_in_between() {
    for (point, verb, words) in [
        ("asked", "show", "a fax from anna"),
        ("asked", "retry", "is not known"),
        ("reply", "retry", "is sent again"),
        ("deliver", "show", "a fax from anna"),
    ] {
        let (sink, postfax, own) = killed(point, verb);
        let mail = answer(&sink, ANNA, &format!("{verb} {own}"));
        assert!(mail.text().contains(words), "{point} {verb}: {}", mail.text());
        let sent = postfax.jobs().iter().filter(|job| job["cause"].get("sent").is_some()).count();
        assert_eq!(sent, if verb == "retry" { 2 } else { 1 }, "{point} {verb}");
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(answers(&sink), 1, "{point} {verb}");
    }
}

#[test]
fn replying_cancel_to_a_delay_notice_ends_the_call() {
    let lab = Lab::start(Servers::Hylafax, 1);
    let sink = Sink::start();
    let postfax = Postfax::start(&lab.about, &sink, "[limits]\ndelay_notice_s = 6\n");
    postfax.wait_for_servers();
    let file = postfax.file("letter.pdf");
    fs::write(&file, pages::pdf(1, "x")).unwrap();
    let to = format!("{}@fax.example.com", lab.number("no-answer"));
    assert!(postfax.send("anna", ANNA, &to, Some(&file)).accepted);
    wait_for("the call", 30, || postfax.job(1)["state"].get("carrying").map(drop));
    let notice = sink.wait("the notice", ANNA, 60, |mail| mail.subject().contains("delayed"));
    assert_eq!(notice.header("Reply-To").as_deref(), Some("jobs+1@fax.example.com"));
    // HylaFAX takes some seconds until it dials, and then it rings for longer than that.
    std::thread::sleep(Duration::from_secs(3));
    assert!(postfax.job(1)["state"].get("carrying").is_some(), "the call is under way");
    let began = Instant::now();
    reply(&postfax, &notice, "Cancel");
    let accepted = began.elapsed();
    let job = postfax.wait_for_end(1, 60);
    println!("accepted after {accepted:?}, the server's call ended after {:?}", began.elapsed());
    assert_eq!(job["state"]["ended"]["end"], "cancelled", "{job:#}");
    let text = sink.wait("the answer", ANNA, 30, |mail| mail.subject().starts_with("Re: ")).text();
    assert!(text.contains("job 1 is"), "{text}");
    // And to the receipt, which comes now: it is over already.
    let receipt = sink.wait("the receipt", ANNA, 30, |m| m.subject().starts_with("Fax cancelled"));
    reply(&postfax, &receipt, "cancel");
    sink.wait("the second answer", ANNA, 30, |mail| mail.text().contains("is over already"));
}

fn reply(postfax: &Postfax, to: &Mail, text: &str) {
    let file = postfax.file("mail.eml");
    fs::write(&file, &to.raw).unwrap();
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/reply.py"));
    let login = format!("anna:{PASSWORD}");
    let id = format!("<{}@client.example.com>", to.message_id().len() + to.raw.len());
    command.args([&postfax.submission.to_string(), &login, ANNA]).arg(&file).args([text, &id]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
