//! Faxes in: many at once and in both directions, to the right mailboxes, and what
//! happens when the mail server is away or nobody is there to take them.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{collections::HashSet, fs};

use support::{
    lab::{Lab, Servers},
    pages,
    postfax::Postfax,
    sink::{Mail, Sink},
    wait_for,
};

/// Text that tells the faxes apart: the first page of each has another picture.
fn letter(postfax: &Postfax, name: &str) -> std::path::PathBuf {
    let file = postfax.file(&format!("{name}.pdf"));
    fs::write(&file, pages::pdf(1, name)).unwrap();
    file
}

fn is_fax(mail: &Mail) -> bool {
    mail.header("X-Fax-Pages").is_some()
}

#[test]
fn twenty_faxes_in_both_directions_at_once() {
    let lab = Lab::start(Servers::Hylafax, 4);
    let sink = Sink::start();
    let postfax = Postfax::start(&lab.about, &sink, "");
    postfax.wait_for_servers();
    // The lines that only answer come first, each with a number of its own, so that
    // many calls can go on at once.
    let mut sent = 0;
    for turn in 0..10 {
        for (from, server) in [("anna", 1), ("bob", 0)] {
            let numbers = &lab.about.servers[server].numbers;
            let to = format!("{}@fax.example.com", numbers[turn % 4]);
            let file = letter(&postfax, &format!("{from}-{turn}"));
            let said = postfax.send(from, &format!("{from}@example.com"), &to, Some(&file));
            assert!(said.accepted, "{}", said.words);
            sent += 1;
        }
    }
    assert_eq!(sent, 20);
    wait_for("twenty faxes and twenty receipts", 900, || {
        let mails = sink.mails();
        let faxes = mails.iter().filter(|mail| is_fax(mail)).count();
        (faxes >= 20 && mails.len() - faxes >= 20).then_some(())
    });
    let mails = sink.mails();
    let (faxes, receipts): (Vec<&Mail>, Vec<&Mail>) = mails.iter().partition(|m| is_fax(m));
    assert_eq!((faxes.len(), receipts.len()), (20, 20), "each once");
    for receipt in receipts {
        assert_eq!(receipt.status_field("Action").as_deref(), Some("delivered"));
    }
    let jobs = postfax.jobs();
    let digests = |kind: &str| -> Vec<String> {
        let of_kind = jobs.iter().filter(|job| job["cause"].get(kind).is_some());
        of_kind.map(|job| job["document"]["digest"].as_str().unwrap().to_owned()).collect()
    };
    let pictures = |digests: Vec<String>| -> HashSet<Vec<u8>> {
        digests.iter().map(|d| pages::pixels(&postfax.document(d)).remove(0).2).collect()
    };
    let (out, arrived) = (pictures(digests("sent")), pictures(digests("arrived")));
    assert_eq!(out.len(), 20, "every letter looks different");
    assert_eq!(out, arrived, "every letter arrived as it was sent");
}

#[test]
fn a_fax_waits_for_the_mail_server_and_goes_to_the_operator_when_refused() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    // The second group gets an operator; bob's mailbox will refuse.
    let more = "[retry]\nmail-deferred = { delay_s = 1, tries = 1000 }\n";
    let postfax = Postfax::start(&lab.about, &sink, more);
    postfax.wait_for_servers();
    sink.refuse(451);
    let to = format!("{}@fax.example.com", lab.number_of(1));
    let file = letter(&postfax, "patience");
    assert!(postfax.send("anna", "anna@example.com", &to, Some(&file)).accepted);
    wait_for("the mail server to have refused twice", 90, || {
        let jobs = postfax.jobs();
        let fax = jobs.iter().find(|job| job["cause"].get("arrived").is_some())?;
        (fax["attempts"].as_array()?.len() >= 2).then_some(())
    });
    assert!(sink.mails().is_empty());
    sink.refuse(0);
    let fax = sink.wait("the fax", "bob@example.com", 60, is_fax);
    assert!(fax.part("application/pdf").is_some());

    sink.refuse(550);
    let file = letter(&postfax, "refused");
    assert!(postfax.send("anna", "anna@example.com", &to, Some(&file)).accepted);
    // Paris has no operator: the fax is held, and nothing is lost.
    wait_for("the fax to be held", 90, || {
        let jobs = postfax.jobs();
        let held = |job: &&serde_json::Value| job["state"] == "held";
        jobs.iter().find(held).map(drop)
    });
    assert_eq!(postfax.status()["unrouted"], 1);
}

#[test]
fn a_fax_that_nobody_may_have_is_kept_and_the_postmaster_told() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let postfax = Postfax::prepare(&lab.about, &sink, "");
    // Anna is not in paris: the route to her must not lead there.
    let config = fs::read_to_string(postfax.config()).unwrap();
    fs::write(postfax.config(), config.replace("to = [\"bob\"]", "to = [\"anna\"]")).unwrap();
    let mut postfax = postfax;
    postfax.run();
    postfax.wait_for_servers();
    let to = format!("{}@fax.example.com", lab.number_of(1));
    let file = letter(&postfax, "nobody");
    assert!(postfax.send("anna", "anna@example.com", &to, Some(&file)).accepted);
    let alarm = sink.wait("the alarm", "it@example.com", 90, |_| true);
    assert!(alarm.subject().contains("nobody to go to"), "{}", alarm.subject());
    let faxes = sink.mails().iter().filter(|mail| is_fax(mail)).count();
    assert_eq!(faxes, 0, "a fax never leaves its groups");
    assert_eq!(postfax.status()["unrouted"], 1);
}

/// Text that Tesseract reads, a code, and a page with nothing on it.
#[test]
fn a_fax_is_routed_by_its_code_trimmed_and_can_be_searched() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let mut postfax = Postfax::prepare(&lab.about, &sink, "");
    // The first route that fits decides, so that this one comes first.
    let config = fs::read_to_string(postfax.config()).unwrap();
    let rules = "[received]\ncodes = true\ntext = \"pdf\"\ntrim = [\"blank\"]\n\
                 [[route]]\ncode = \"inv-*\"\nto = [\"carl\"]\n[[route]]\n";
    fs::write(postfax.config(), config.replacen("[[route]]\n", rules, 1)).unwrap();
    postfax.run();
    postfax.wait_for_servers();
    let text = "BT /F1 24 Tf 72 760 Td (Confirmation of payment) Tj ET ";
    let file = postfax.file("invoice.pdf");
    fs::write(&file, pages::pdf_of(&[format!("{text}{}", pages::code()), String::new()])).unwrap();
    let to = format!("{}@fax.example.com", lab.number_of(1));
    assert!(postfax.send("anna", "anna@example.com", &to, Some(&file)).accepted);
    let mail = sink.wait("the fax", "carl@example.com", 90, is_fax);
    assert_eq!(mail.header("X-Fax-Code").as_deref(), Some("INV-2024-00817"));
    assert_eq!(mail.header("X-Fax-Pages").as_deref(), Some("2"), "the fax is whole");
    assert_eq!(mail.header("X-Fax-Quality").as_deref(), Some("clean"));
    assert_eq!(mail.header("X-Fax-Left-Out").as_deref(), Some("page=2; why=blank"));
    assert!(mail.text().contains("page 2: nothing is on it"), "{}", mail.text());
    assert!(mail.text().contains("Code: INV-2024-00817"), "{}", mail.text());
    let pdf = mail.part("application/pdf").unwrap();
    assert_eq!(pages::pixels_of_pdf(&pdf).len(), 1, "the blank page is left out of the PDF");
    let digest = postfax.jobs().iter().find_map(|job| {
        job["cause"].get("arrived")?;
        job["document"]["digest"].as_str().map(str::to_owned)
    });
    assert_eq!(pages::pixels(&postfax.document(&digest.unwrap())).len(), 2, "and nowhere else");
    // Words of ASCII lie in the PDF as they are.
    let words: Vec<&[u8]> = pdf.split(|octet| *octet == b'(' || *octet == b')').collect();
    let found = ["Confirmation ", "payment "].iter().filter(|w| words.contains(&w.as_bytes()));
    let expected = if std::path::Path::new("/usr/bin/tesseract").exists() { 2 } else { 0 };
    assert_eq!(found.count(), expected, "{:?}", mail.header("X-Fax-Text"));
}
