//! A fax out, from a mail client to the paper of the other side, through two real
//! HylaFAX servers that are joined by the exchange; and everything that can go
//! wrong with the call.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{fs, process::Command};

use serde_json::Value;
use support::{
    lab::{Lab, Servers},
    pages,
    postfax::{PASSWORD, Postfax},
    sink::Sink,
    wait_for,
};

/// Every failure is tried once more after a second, so that its retry is seen.
const QUICK_RETRIES: &str = r#"
[retry]
busy = { delay_s = 1, tries = 2 }
no-answer = { delay_s = 1, tries = 2 }
no-fax-machine = { delay_s = 1, tries = 2 }
no-handshake = { delay_s = 1, tries = 2 }
no-dial-tone = { delay_s = 1, tries = 2 }
disconnected = { delay_s = 1, tries = 2 }
stopped-answering = { delay_s = 1, tries = 2 }
page-rejected = { delay_s = 1, tries = 2 }
page-unconfirmed = { delay_s = 1, tries = 2 }
protocol-error = { delay_s = 1, tries = 2 }
transmission-errors = { delay_s = 1, tries = 2 }
cannot-train = { delay_s = 1, tries = 2 }
remote-refused = { delay_s = 1, tries = 2 }
"#;

fn id_of(words: &str) -> u64 {
    words.rsplit(' ').next().and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("{words}"))
}

/// The newest job that a client sent to a number.
fn newest_to(postfax: &Postfax, number: &str) -> u64 {
    let jobs = postfax.jobs();
    let to = |job: &&Value| job["destination"]["fax"]["number"] == number;
    jobs.iter().rev().find(to).expect("the job is listed")["id"].as_u64().unwrap()
}

#[test]
fn a_mail_from_swaks_becomes_paper_and_a_receipt() {
    let lab = Lab::start(Servers::Hylafax, 1);
    let sink = Sink::start();
    let postfax = Postfax::start(&lab.about, &sink, "");
    postfax.wait_for_servers();
    let file = postfax.file("letter.pdf");
    fs::write(&file, pages::pdf(3, "sent by swaks")).unwrap();
    let to = lab.number_of(1);
    let swaks = Command::new("swaks")
        .args(["--server", "127.0.0.1", "--port", &postfax.submission.to_string()])
        .args(["--tls", "--auth", "PLAIN", "--auth-user", "anna", "--auth-password", PASSWORD])
        .args(["--from", "anna@example.com", "--to", &format!("FAX={to}@fax.example.com")])
        .args(["--header", "Subject: A letter", "--attach-type", "application/pdf"])
        .args(["--attach", &format!("@{}", file.display())])
        .output()
        .expect("swaks runs");
    let said = String::from_utf8_lossy(&swaks.stdout).into_owned();
    assert!(swaks.status.success(), "{said}");
    let reply = said.lines().find(|line| line.contains("queued as")).expect("the 250");
    let id = id_of(reply);

    let job = postfax.wait_for_end(id, 240);
    assert_eq!(job["state"]["ended"]["end"], "delivered", "{job:#}");
    assert_eq!(job["confirmed"], 3);
    assert_eq!(job["attempts"].as_array().unwrap().len(), 1);

    let receipt = sink.wait("the receipt", "anna@example.com", 30, |_| true);
    assert_eq!(receipt.from, "", "a receipt has the null reverse-path");
    assert!(receipt.subject().starts_with("Fax delivered"), "{}", receipt.subject());
    assert_eq!(receipt.status_field("Action").as_deref(), Some("delivered"));
    assert!(receipt.status_field("Status").unwrap().starts_with("2.1.5"));
    let recipient = receipt.status_field("Final-Recipient").unwrap();
    assert_eq!(recipient.replace(' ', ""), format!("rfc822;FAX={to}@fax.example.com"));
    assert_eq!(receipt.status_field("X-Fax-Pages").as_deref(), Some("3/3"));
    assert!(receipt.part("image/png").is_some(), "a picture of page one");

    let fax = sink.wait("the fax", "bob@example.com", 60, |_| true);
    assert_eq!(fax.header("X-Fax-Pages").as_deref(), Some("3"));
    assert!(fax.part("application/pdf").unwrap().starts_with(b"%PDF"));
    let arrived = postfax
        .jobs()
        .into_iter()
        .find_map(|job| {
            job["cause"].get("arrived")?;
            Some(job["document"]["digest"].as_str()?.to_owned())
        })
        .expect("the arrival is a job");
    let sent = job["document"]["digest"].as_str().unwrap();
    assert_eq!(
        pages::pixels(&postfax.document(sent)),
        pages::pixels(&postfax.document(&arrived)),
        "what was received is what was sent, bit by bit"
    );
}

#[test]
fn a_mail_from_python_becomes_paper_through_the_relay() {
    let lab = Lab::start(Servers::Hylafax, 1);
    let sink = Sink::start();
    let postfax = Postfax::start(&lab.about, &sink, "");
    postfax.wait_for_servers();
    let file = postfax.file("letter.pdf");
    fs::write(&file, pages::pdf(1, "sent by smtplib")).unwrap();
    let to = format!("FAX={}@fax.example.com", lab.number_of(0));
    let said = postfax.send("-", "bob@example.com", &to, Some(&file));
    assert!(said.accepted, "{}", said.words);
    let receipt = sink.wait("the receipt", "bob@example.com", 240, |_| true);
    assert_eq!(receipt.status_field("Action").as_deref(), Some("delivered"), "{}", receipt.text());
    let fax = sink.wait("the fax", "anna@example.com", 60, |_| true);
    assert_eq!(fax.header("X-Fax-Pages").as_deref(), Some("1"));
}

#[test]
fn what_may_not_be_faxed_is_refused_in_the_dialogue() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let barred = "[[server]]\nname = \"alone\"\nkind = \"hylafax\"\nurl = \"hylafax://x@127.0.0.1:9\"\n\
                  password_file = \"london.pw\"\ngroups = [\"paris\"]\n\
                  [[dial]]\nto = \"+49*\"\nvia = [\"alone\"]\n";
    let postfax = Postfax::start(&lab.about, &sink, barred);
    let pdf = postfax.file("letter.pdf");
    fs::write(&pdf, pages::pdf(1, "x")).unwrap();
    let broken = postfax.file("broken.pdf");
    fs::write(&broken, "this is no PDF").unwrap();
    let half = postfax.file("half.pdf");
    fs::write(&half, &pages::pdf(1, "x")[..40]).unwrap();
    let long = postfax.file("long.pdf");
    fs::write(&long, pages::pdf(201, "x")).unwrap();
    let strange = postfax.file("strange.bin");
    fs::write(&strange, [0u8, 1, 2, 3, 250]).unwrap();
    let good = "+15557654321@fax.example.com";
    for (login, from, to, file, words) in [
        ("anna", "bob@example.com", good, &pdf, "550 5.7.1 sender not authorised"),
        ("-", "stranger@example.com", good, &pdf, "550 5.7.1 sender not authorised"),
        (
            "anna",
            "anna@example.com",
            "+19005551234@fax.example.com",
            &pdf,
            "550 5.7.1 destination not permitted: premium-rate numbers are barred",
        ),
        (
            "anna",
            "anna@example.com",
            "+493012345678@fax.example.com",
            &pdf,
            "550 5.7.1 no fax server permitted for this sender",
        ),
        ("anna", "anna@example.com", "+1555x@fax.example.com", &pdf, "5.1.3"),
        ("anna", "anna@example.com", "+12@fax.example.com", &pdf, "553 5.1.3"),
        ("anna", "anna@example.com", "nobody-here@fax.example.com", &pdf, "550 5.1.1"),
        (
            "anna",
            "anna@example.com",
            "+15557654321@elsewhere.example.com",
            &pdf,
            "550 5.7.1 relaying denied",
        ),
        ("anna", "anna@example.com", good, &broken, "554 5.6.1"),
        ("anna", "anna@example.com", good, &half, "554 5.6.5"),
        ("anna", "anna@example.com", good, &long, "552 5.3.4"),
        ("anna", "anna@example.com", good, &strange, "554 5.6.1"),
        ("nobody", "anna@example.com", good, &pdf, "535 5.7.8"),
    ] {
        let said = postfax.send(login, from, to, Some(file));
        assert!(!said.accepted, "{from} to {to} with {} was accepted", file.display());
        assert!(said.words.contains(words), "{from} to {to}: {:?} has no {words:?}", said.words);
    }
    let named = postfax.send("anna", "anna@example.com", good, Some(&strange));
    assert!(named.words.contains("strange.bin"), "{}", named.words);
    assert!(postfax.jobs().is_empty(), "nothing that was refused is a job");
    assert!(sink.mails().is_empty(), "nothing that was refused is mailed about");
}

#[test]
fn every_failing_number_has_its_outcome_its_retries_and_its_receipt() {
    let lab = Lab::start(Servers::Hylafax, 4);
    let sink = Sink::start();
    let postfax = Postfax::start(&lab.about, &sink, QUICK_RETRIES);
    postfax.wait_for_servers();
    let file = postfax.file("letter.pdf");
    // Long enough for the line that drops in the middle of it.
    fs::write(&file, pages::pdf(30, "never to arrive")).unwrap();
    let cases: [(&str, &[&str], &[&str]); 6] = [
        ("busy", &["busy"], &["4.4.1"]),
        ("no-answer", &["no-answer"], &["4.4.1"]),
        ("no-dial-tone", &["no-dial-tone"], &["4.3.0"]),
        ("voice", &["no-fax-machine", "no-handshake"], &["5.1.1", "4.4.2"]),
        (
            "drop",
            &[
                "disconnected",
                "stopped-answering",
                "page-unconfirmed",
                "protocol-error",
                "transmission-errors",
            ],
            &["4.4.2", "4.5.0"],
        ),
        ("rtn", &["page-rejected"], &["4.4.2"]),
    ];
    for (behaviour, ..) in &cases {
        let to = format!("{}@fax.example.com", lab.number(behaviour));
        let said = postfax.send("anna", "anna@example.com", &to, Some(&file));
        assert!(said.accepted, "{behaviour}: {}", said.words);
    }
    for (behaviour, outcomes, statuses) in cases {
        let number = lab.number(behaviour);
        let job = postfax.wait_for_end(newest_to(&postfax, number), 600);
        let end = job["state"]["ended"]["end"]["failed"].as_str();
        let end = end.unwrap_or_else(|| panic!("{behaviour} failed: {job:#}"));
        assert!(outcomes.contains(&end), "{behaviour} ended as {end}: {job:#}");
        let attempts = job["attempts"].as_array().unwrap();
        assert!(attempts.len() >= 2, "{behaviour} was tried again: {job:#}");
        let receipt = sink.wait(behaviour, "anna@example.com", 30, |mail| {
            mail.status_field("Final-Recipient").is_some_and(|to| to.contains(number))
        });
        assert_eq!(receipt.status_field("Action").as_deref(), Some("failed"));
        let status = receipt.status_field("Status").unwrap();
        assert!(statuses.iter().any(|s| status.starts_with(s)), "{behaviour}: {status}");
        assert!(receipt.subject().starts_with("Fax NOT delivered"));
    }
}

#[test]
fn a_dead_server_is_passed_over_and_explain_says_why() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let more = format!(
        "[[server]]\nname = \"dead\"\nkind = \"hylafax\"\nurl = \"hylafax://x@127.0.0.1:9\"\n\
         password_file = \"{0}.pw\"\ngroups = [\"london\"]\n\
         [[dial]]\nto = \"+1555*\"\nvia = [\"dead\", \"{0}\"]\n",
        lab.about.servers[0].name
    );
    let postfax = Postfax::start(&lab.about, &sink, &more);
    wait_for("the dead server to be known", 30, || {
        let status = postfax.status();
        let servers = status["servers"].as_array()?.clone();
        let known = |s: &Value| s["live"]["health"].is_object();
        (servers.len() == 3 && servers.iter().all(known)).then_some(())
    });
    let to = lab.number_of(1);
    let before = postfax.ask(&["explain", "--from", "anna", "--to", to]);
    let words = String::from_utf8_lossy(&before.stdout).into_owned();
    assert!(words.contains("dead"), "{words}");
    let explained = postfax.ask_json(&["explain", "--from", "anna", "--to", to]);
    assert!(explained.to_string().contains(&lab.about.servers[0].name), "{explained}");
    let file = postfax.file("letter.pdf");
    fs::write(&file, pages::pdf(1, "x")).unwrap();
    let to = format!("{to}@fax.example.com");
    assert!(postfax.send("anna", "anna@example.com", &to, Some(&file)).accepted);
    let job = postfax.wait_for_end(1, 120);
    assert_eq!(job["state"]["ended"]["end"], "delivered", "{job:#}");
    assert_eq!(
        job["attempts"][0]["carrier"]["server"],
        Value::String(lab.about.servers[0].name.clone())
    );
    let after = postfax.ask(&["explain", "1"]);
    assert!(String::from_utf8_lossy(&after.stdout).contains("dead"));
}

#[test]
fn a_call_can_be_cancelled() {
    let lab = Lab::start(Servers::Hylafax, 1);
    let sink = Sink::start();
    let postfax = Postfax::start(&lab.about, &sink, "");
    postfax.wait_for_servers();
    let file = postfax.file("letter.pdf");
    fs::write(&file, pages::pdf(1, "x")).unwrap();
    let to = format!("{}@fax.example.com", lab.number("no-answer"));
    assert!(postfax.send("anna", "anna@example.com", &to, Some(&file)).accepted);
    wait_for("the call", 30, || postfax.job(1)["state"].get("carrying").map(drop));
    // HylaFAX takes some seconds until it dials, and then it rings for longer than that.
    std::thread::sleep(std::time::Duration::from_secs(8));
    assert!(postfax.ask(&["cancel", "1"]).status.success());
    let job = postfax.wait_for_end(1, 60);
    assert_eq!(job["state"]["ended"]["end"], "cancelled", "{job:#}");
    let receipt = sink.wait("the receipt", "anna@example.com", 30, |_| true);
    assert!(receipt.subject().starts_with("Fax cancelled"));
    assert_eq!(postfax.ask(&["cancel", "1"]).status.code(), Some(1));
}
