//! Mail out: what a relay may do to a mail, what becomes of it then, and what comes
//! back. A received fax is delivered when somebody has it, and not before.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{fs, net::TcpListener};

use serde_json::Value;
use support::{
    lab::{Lab, Servers},
    pages,
    postfax::Postfax,
    relay::{Manner, Relay, offer},
    sink::{Mail, Sink},
    wait_for,
};

/// A mail is tried three times, a second apart.
const QUICK: &str = "[retry]\nmail-deferred = { delay_s = 1, tries = 3 }\n";

/// A Postfax whose relay is at `port`; carl is the operator of the group of anna when
/// `operator` says so.
fn start(lab: &Lab, port: u16, operator: bool, more: &str) -> Postfax {
    let sink = Sink::start();
    let mut postfax = Postfax::prepare(&lab.about, &sink, more);
    let mut config = fs::read_to_string(postfax.config()).unwrap();
    config = config
        .replace(&format!("smtp://127.0.0.1:{}", sink.port), &format!("smtp://127.0.0.1:{port}"));
    if operator {
        config =
            config.replacen("name = \"london\"\n", "name = \"london\"\noperator = \"carl\"\n", 1);
    }
    fs::write(postfax.config(), config).unwrap();
    postfax.run();
    postfax.wait_for_servers();
    postfax
}

/// Bob sends a fax to anna's number.
fn fax_to_anna(lab: &Lab, postfax: &Postfax) {
    let file = postfax.file("letter.pdf");
    fs::write(&file, pages::pdf(1, "to anna")).unwrap();
    let to = format!("{}@fax.example.com", lab.number_of(0));
    let said = postfax.send_as("bob", "bob@example.com", &to, Some(&file), "<x@y>", Some("NEVER"));
    assert!(said.accepted, "{}", said.words);
}

/// The job of the fax that arrived.
fn arrived(postfax: &Postfax) -> Option<Value> {
    postfax.jobs().into_iter().find(|job| job["cause"].get("arrived").is_some())
}

fn mail_to(relay: &Relay, to: &str) -> Option<Mail> {
    relay.mails().into_iter().find(|mail| mail.to.iter().any(|t| t == to))
}

fn wait_for_mail(relay: &Relay, to: &str) -> Mail {
    wait_for(&format!("a mail to {to}"), 60, || mail_to(relay, to))
}

/// A report as Postfix writes it.
fn report(action: &str, status: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mail.example.com (Mail Delivery System)\n\
         Subject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\n\
         MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status;\n\
         \tboundary=\"4F0C2.1/mail\"\n\n\
         --4F0C2.1/mail\nContent-Type: text/plain\n\nI'm sorry to have to inform you.\n\n\
         --4F0C2.1/mail\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; mail.example.com\nX-Postfix-Queue-ID: 4F0C2\n\n\
         Final-Recipient: rfc822; anna@example.com\nAction: {action}\nStatus: {status}\n\
         Diagnostic-Code: smtp; 550 5.1.1 anna has left us\n\n\
         --4F0C2.1/mail--\n"
    )
}

#[test]
fn a_fax_mail_that_comes_back_goes_to_the_operator() {
    let lab = Lab::start(Servers::Stations, 1);
    let relay = Relay::start(&[], Manner::Take);
    let mut postfax = start(&lab, relay.port, true, "");
    fax_to_anna(&lab, &postfax);
    let mail = wait_for_mail(&relay, "anna@example.com");
    let path = mail.from.clone();
    assert!(path.starts_with("fax-return+") && path.ends_with("@fax.example.com"), "{path}");
    wait_for("the delivery to be noted", 20, || arrived(&postfax)?["state"].get("ended").map(drop));
    let id = arrived(&postfax).unwrap()["id"].as_u64().unwrap();

    let forged = path.replace("fax-return+", "fax-return+1");
    let said = offer(postfax.relay, "", &[&forged], &report("failed", "5.1.1"));
    assert!(said.recipients[0].starts_with("550 5.1.1"), "{said:?}");
    let away = "Subject: I am away\nAuto-Submitted: auto-replied\n\nUntil Monday.\n";
    for from in ["", "anna@example.com", "stranger@elsewhere.example"] {
        let said = offer(postfax.relay, from, &[&path], away);
        assert!(said.message.starts_with("250"), "{said:?}");
    }
    let said = offer(postfax.relay, "", &[&path], &report("delayed", "4.4.1"));
    assert!(said.message.starts_with("250"), "{said:?}");
    let job = postfax.job(id);
    assert_eq!(job["state"]["ended"]["end"], "delivered", "nothing has failed yet: {job:#}");
    assert!(job.to_string().contains("delayed 4.4.1"), "it is noted: {job:#}");

    // What was said yes to is done, whatever becomes of us.
    let said = offer(postfax.relay, "", &[&path.to_uppercase()], &report("failed", "5.1.1"));
    assert!(said.message.starts_with("250"), "{said:?}");
    postfax.kill();
    postfax.run();
    let again = wait_for_mail(&relay, "carl@example.com");
    assert_eq!(again.part("application/pdf"), mail.part("application/pdf"), "the same pages");
    assert_ne!(again.from, path, "another delivery, another return path");
    let alarm = wait_for_mail(&relay, "it@example.com");
    assert!(alarm.subject().contains("came back"), "{}", alarm.subject());
    let shown = postfax.ask(&["show", &id.to_string()]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("anna has left us"), "{shown}");

    // The same report once more speaks of what was dealt with.
    wait_for("the second delivery", 20, || postfax.job(id)["state"].get("ended").map(drop));
    let before = (relay.mails().len(), postfax.jobs().len());
    let said = offer(postfax.relay, "", &[&path], &report("failed", "5.1.1"));
    assert!(said.message.starts_with("250"), "{said:?}");
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!((relay.mails().len(), postfax.jobs().len()), before);

    // When the operator's mail comes back as well, an administrator has it.
    let said = offer(postfax.relay, "", &[&again.from], &report("failed", "5.2.2"));
    assert!(said.message.starts_with("250"), "{said:?}");
    wait_for("the fax to be held", 20, || (postfax.job(id)["state"] == "held").then_some(()));
    assert_eq!(postfax.status()["unrouted"], 1);
}

#[test]
fn what_is_asked_of_the_relay() {
    let lab = Lab::start(Servers::Stations, 1);
    let relay = Relay::start(&[], Manner::Take);
    let postfax = start(&lab, relay.port, false, "");
    let file = postfax.file("letter.pdf");
    fs::write(&file, pages::pdf(1, "to anna")).unwrap();
    let to = format!("{}@fax.example.com", lab.number_of(0));
    assert!(postfax.send("bob", "bob@example.com", &to, Some(&file)).accepted);
    wait_for_mail(&relay, "anna@example.com");
    wait_for_mail(&relay, "bob@example.com");
    let sender = |from: &str| {
        let begin = format!("MAIL FROM:<{from}");
        relay.commands("MAIL").into_iter().find(|line| line.starts_with(&begin)).unwrap()
    };
    let recipient = |to: &str| {
        let begin = format!("RCPT TO:<{to}>");
        relay.commands("RCPT").into_iter().find(|line| line.starts_with(&begin)).unwrap()
    };
    let fax = sender("fax-return+");
    assert!(fax.contains(" SIZE=") && fax.contains(" RET=HDRS ENVID="), "{fax}");
    assert!(recipient("anna@example.com").ends_with(" NOTIFY=FAILURE"));
    let receipt = sender(">");
    assert!(!receipt.contains("RET=") && !receipt.contains("ENVID="), "{receipt}");
    assert!(!receipt.contains("BODY="), "it has seven bits: {receipt}");
    assert!(recipient("bob@example.com").ends_with(" NOTIFY=NEVER"));
    for mail in relay.mails() {
        let bare = mail.raw.windows(2).any(|w| (w[1] == b'\n') != (w[0] == b'\r'));
        assert!(!bare && mail.raw.is_ascii(), "CRLF and seven bits, nothing else");
    }
}

#[test]
fn a_relay_that_comes_round_gets_every_mail() {
    let lab = Lab::start(Servers::Stations, 1);
    // The first try is put off, the second ends in the middle of the message.
    let relay = Relay::start(&[Manner::Later, Manner::CloseInData], Manner::Take);
    let postfax = start(&lab, relay.port, false, QUICK);
    fax_to_anna(&lab, &postfax);
    wait_for_mail(&relay, "anna@example.com");
    let job = wait_for("the end", 20, || {
        arrived(&postfax).filter(|job| job["state"].get("ended").is_some())
    });
    let outcomes: Vec<&str> = job["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["ended"]["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["mail-deferred", "mail-deferred", "mail-accepted"], "{job:#}");
    assert_eq!(relay.mails().len(), 1, "once");
}

#[test]
fn a_mail_that_nobody_takes_is_held_with_an_alarm() {
    for manner in [Manner::RefuseRecipient, Manner::RefuseMessage, Manner::Later] {
        let lab = Lab::start(Servers::Stations, 1);
        let relay = Relay::start(&[], manner);
        let postfax = start(&lab, relay.port, true, QUICK);
        fax_to_anna(&lab, &postfax);
        let job = wait_for("the fax to be held", 60, || {
            arrived(&postfax).filter(|job| job["state"] == "held")
        });
        let tried: Vec<String> = relay.commands("RCPT");
        let to = |who: &str| tried.iter().filter(|line| line.contains(who)).count();
        let each = if manner == Manner::Later { 3 } else { 1 };
        assert_eq!((to("anna@"), to("carl@")), (each, each), "{manner:?}: {job:#}");
        assert_eq!(postfax.status()["unrouted"], 1);
        let listed = postfax.ask(&["jobs"]);
        assert!(String::from_utf8_lossy(&listed.stdout).contains("held"));
        relay.always(Manner::Take);
        let retried =
            |kind: &str| postfax.jobs().into_iter().find(|job| job["cause"].get(kind).is_some());
        let alarm = retried("alarm").expect("the alarm is a job");
        if manner == Manner::Later {
            wait_for_mail(&relay, "it@example.com");
        }
        assert_eq!(alarm["destination"]["mailbox"]["address"], "it@example.com");
        let id = job["id"].as_u64().unwrap().to_string();
        assert!(postfax.ask(&["retry", &id]).status.success());
        wait_for_mail(&relay, "anna@example.com");
    }
}

#[test]
fn a_relay_that_is_away_is_waited_for_or_another_is_asked() {
    let lab = Lab::start(Servers::Stations, 1);
    let away = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = away.local_addr().unwrap().port();
    drop(away);
    let second = Relay::start(&[], Manner::Take);
    let postfax = start(&lab, port, false, QUICK);
    let config = fs::read_to_string(postfax.config()).unwrap();
    fax_to_anna(&lab, &postfax);
    let job = wait_for("a first try", 60, || {
        arrived(&postfax).filter(|job| job["attempts"][0]["ended"].is_object())
    });
    assert!(job["attempts"][0].to_string().contains("no connection"), "{job:#}");
    let fallback = format!("[delivery]\nfallback = [\"smtp://127.0.0.1:{}\"]\n", second.port);
    fs::write(postfax.config(), config.replace("[delivery]\n", &fallback)).unwrap();
    let reload = postfax.ask(&["reload"]);
    assert!(reload.status.success(), "{}", String::from_utf8_lossy(&reload.stderr));
    let id = job["id"].as_u64().unwrap().to_string();
    postfax.ask(&["retry", &id]);
    wait_for_mail(&second, "anna@example.com");
}

#[test]
fn everybody_reaches_the_postmaster() {
    let lab = Lab::start(Servers::Stations, 1);
    let relay = Relay::start(&[], Manner::Take);
    let postfax = start(&lab, relay.port, false, "");
    let letter =
        "From: someone@elsewhere.example\nSubject: your faxes\nMessage-ID: <a@b>\n\n.Stop!\n";
    let stranger = "someone@elsewhere.example";
    for to in ["postmaster", "PostMaster@fax.example.com", "postmaster@FAX.example.com."] {
        let said = offer(postfax.relay, stranger, &[to], letter);
        assert!(said.message.starts_with("250"), "{to}: {said:?}");
    }
    let said =
        offer(postfax.relay, "", &["postmaster@fax.example.com"], &report("failed", "5.0.0"));
    assert!(said.message.starts_with("250"), "{said:?}");
    let mails = wait_for("four mails", 30, || {
        let mails = relay.mails();
        (mails.len() == 4).then_some(mails)
    });
    let first = mails.iter().find(|mail| mail.from == stranger).unwrap();
    assert_eq!(first.to, ["it@example.com"]);
    let text = String::from_utf8(first.raw.clone()).unwrap();
    assert!(text.starts_with("Received: from mail.elsewhere.example"), "{text}");
    assert!(text.ends_with(&letter.replace('\n', "\r\n")), "as it came: {text}");
    assert_eq!(mails.iter().filter(|mail| mail.from.is_empty()).count(), 1);

    // It comes home: the postmaster's mail is delivered to us again.
    let said = offer(postfax.relay, stranger, &["postmaster"], &text.replace("\r\n", "\n"));
    assert!(said.message.starts_with("554 5.4.6"), "{said:?}");
    // A stranger still faxes nothing.
    let number = format!("{}@fax.example.com", lab.number_of(0));
    let said = offer(postfax.relay, stranger, &[&number, "postmaster"], letter);
    assert!(said.recipients[0].starts_with("550 5.7.1"), "{said:?}");
    assert!(said.message.starts_with("250"), "{said:?}");
    // A client writes to both.
    let text = letter.replace("<a@b>", "<c@d>");
    let said = offer(postfax.relay, "bob@example.com", &["postmaster", &number], &text);
    assert!(said.message.starts_with("250"), "{said:?}");
    wait_for("the sixth for the postmaster", 30, || {
        let to = relay.mails().iter().filter(|mail| mail.to == ["it@example.com"]).count();
        (to == 6).then_some(())
    });
    wait_for_mail(&relay, "anna@example.com");
}
