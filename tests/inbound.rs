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
