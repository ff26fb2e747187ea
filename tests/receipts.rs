//! What senders are told of their faxes: receipts in every language, read by the
//! mail parser of Python; NOTIFY to the letter; delays; disposition notifications;
//! and nothing at all to the null return path.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use support::{
    lab::{Lab, Servers},
    postfax::{PASSWORD, Postfax},
    sink::{Mail, Sink},
    wait_for,
};

/// A client for each language, and one call for each fax.
const CLIENTS: &str = r#"
[retry]
busy = { delay_s = 600, tries = 1 }
[[client]]
name = "en"
mail = ["en@example.com"]
groups = ["london"]
[[client]]
name = "de"
mail = ["de@example.com"]
groups = ["london"]
receive = { language = "de" }
[[client]]
name = "fr"
mail = ["fr@example.com"]
groups = ["london"]
receive = { language = "fr" }
[[client]]
name = "ja"
mail = ["ja@example.com"]
groups = ["london"]
receive = { language = "ja" }
"#;

/// Submits with parameters; the number of the job.
fn submit(postfax: &Postfax, from: &str, to: &str, subject: &str, more: &[&str]) -> u64 {
    let (port, login) = match from {
        "" | "anna@example.com" => (postfax.submission, format!("anna:{PASSWORD}")),
        _ => (postfax.relay, "-".to_owned()),
    };
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/submit.py"));
    command.args([&port.to_string(), &login, from, to, subject]).args(more);
    let output = command.output().expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{subject}: {said} {error}");
    said.rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{said}"))
}

/// The mail as Python reads it.
fn read(mail: &Mail) -> Value {
    let mut child = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/report.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&mail.raw).unwrap();
    let output = child.wait_with_output().unwrap();
    let read: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|bad| panic!("{bad}: {}", String::from_utf8_lossy(&mail.raw)));
    assert_eq!(read["defects"], Value::Array(vec![]), "{}", String::from_utf8_lossy(&mail.raw));
    assert_eq!(mail.from, "", "a report has the null return path");
    assert_eq!(read["automatic"], "auto-replied");
    read
}

/// Waits for the report on a mail, which has the subject of that mail in its own.
fn report(sink: &Sink, to: &str, subject: &str) -> Value {
    let about = |mail: &Mail| mail.subject().contains(subject);
    read(&sink.wait(&format!("the report on {subject}"), to, 60, about))
}

fn contains(value: &Value, text: &str) {
    assert!(value.as_str().unwrap().contains(text), "{text:?} is not in {value:#}");
}

/// How a language says it: subjects, a sentence, a fact.
struct Said {
    language: &'static str,
    delivered: [&'static str; 3],
    failed: [&'static str; 3],
}

const SAID: [Said; 4] = [
    Said {
        language: "en",
        delivered: ["Fax delivered: ", "Your fax of 1 page was delivered", "To: "],
        failed: ["Fax NOT delivered: ", "Your fax was NOT delivered: the line is busy.", "To: "],
    },
    Said {
        language: "de",
        delivered: ["Fax zugestellt: ", "Ihr Fax mit 1 Seite wurde zugestellt", "An: "],
        failed: ["Fax NICHT zugestellt: ", "NICHT zugestellt: die Leitung ist besetzt.", "An: "],
    },
    Said {
        language: "fr",
        delivered: ["Fax remis : ", "Votre fax de 1 page a été remis", "À : "],
        failed: ["Fax NON remis : ", "n’a PAS été remis : la ligne est occupée.", "À : "],
    },
    Said {
        language: "ja",
        delivered: ["ファクス送信完了：", "ファクス（1 ページ）を送信しました。", "宛先："],
        failed: ["ファクス送信失敗：", "原因：話し中。", "宛先："],
    },
];

#[test]
fn receipts_speak_the_language_of_the_client() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let postfax = Postfax::start(&lab.about, &sink, CLIENTS);
    postfax.wait_for_servers();
    let (fax, busy) = (lab.number_of(1), lab.number("busy"));
    for Said { language, .. } in SAID {
        let from = format!("{language}@example.com");
        for (number, what) in [(fax, "Angebot für Müller 見積"), (busy, "Nein, besetzt 話し中")]
        {
            let to = format!("FAX={number}@fax.example.com");
            let original = format!("rcpt:ORCPT=rfc822;FAX+3D+2B{}@old.example.com", &number[1..]);
            let more = ["mail:RET=FULL", "mail:ENVID=A+2B17", &original];
            submit(&postfax, &from, &to, &format!("{what} {language}"), &more);
        }
    }
    for Said { language, delivered, failed } in SAID {
        let to = format!("{language}@example.com");
        let receipt = report(&sink, &to, &format!("Angebot für Müller 見積 {language}"));
        check(&receipt, language, &delivered, fax);
        assert_eq!(receipt["ascii"], true, "nothing of it needs eight bits");
        assert_eq!(receipt["recipients"][0]["Action"], "delivered");
        contains(&receipt["recipients"][0]["Status"], "2.1.5");
        assert_eq!(receipt["recipients"][0]["X-Fax-Pages"], "1/1");
        assert_eq!(receipt["returned"], Value::Null, "the whole mail only after a failure");
        contains(&receipt["headers"], "Message-ID:");

        let receipt = report(&sink, &to, &format!("Nein, besetzt 話し中 {language}"));
        check(&receipt, language, &failed, busy);
        assert_eq!(receipt["recipients"][0]["Action"], "failed");
        assert_eq!(receipt["recipients"][0]["Status"], "4.4.1 (the line is busy)");
        assert_eq!(receipt["recipients"][0]["X-Fax-Pages"], "0/1");
        contains(&receipt["recipients"][0]["Diagnostic-Code"], "x-t30; ");
        assert_eq!(receipt["returned"], format!("Nein, besetzt 話し中 {language}"));
        assert_eq!(receipt["returned_text"], "Grüße aus Köln.\n");
    }
    assert_eq!(sink.mails().iter().filter(|mail| mail.from.is_empty()).count(), 8);
}

/// What every receipt of a fax has.
fn check(receipt: &Value, language: &str, said: &[&str; 3], number: &str) {
    let [subject, sentence, fact] = said;
    assert_eq!(receipt["report"], "delivery-status");
    assert_eq!(receipt["language"], language);
    assert!(receipt["subject"].as_str().unwrap().starts_with(subject), "{receipt:#}");
    contains(&receipt["text"], sentence);
    contains(&receipt["text"], &format!("\n{fact}{number}\n"));
    contains(&receipt["html"], &format!("<html lang=\"{language}\">"));
    contains(&receipt["html"], sentence);
    let picture = receipt["picture"].as_str().expect("a picture of page one");
    contains(&receipt["html"], &format!("<img src=\"cid:{picture}\""));
    let message = &receipt["message"];
    assert_eq!(message["Reporting-MTA"], "dns; fax1.example.com");
    assert_eq!(message["Original-Envelope-Id"], "A+17");
    contains(&message["Arrival-Date"], "+0000");
    assert_eq!(message.get("DSN-Gateway"), None);
    let recipient = &receipt["recipients"][0];
    let original = format!("rfc822; FAX={number}@old.example.com");
    assert_eq!(recipient["Original-Recipient"], original);
    assert_eq!(recipient["Final-Recipient"], format!("rfc822; FAX={number}@fax.example.com"));
    assert_eq!(recipient["Remote-MTA"], format!("x-fax; {number}"));
    assert_eq!(recipient["X-Fax-Server"], "london");
    contains(&recipient["Final-Log-ID"], "@london");
    contains(&recipient["Last-Attempt-Date"], "+0000");
}

#[test]
fn a_fax_that_takes_long_is_reported_once() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let more = CLIENTS.replace("tries = 1", "tries = 5") + "[limits]\ndelay_notice_s = 3\n";
    let postfax = Postfax::start(&lab.about, &sink, &more);
    postfax.wait_for_servers();
    let to = format!("{}@fax.example.com", lab.number("busy"));
    let (from, mailbox) = ("de@example.com", "de@example.com");
    let unsaid = submit(&postfax, from, &to, "unsaid", &["mail:RET=FULL"]);
    let failure = submit(&postfax, from, &to, "only-failure", &["rcpt:NOTIFY=FAILURE"]);
    let delay = submit(&postfax, from, &to, "only-delay", &["rcpt:NOTIFY=DELAY"]);
    for subject in ["unsaid", "only-delay"] {
        let delayed = report(&sink, mailbox, subject);
        contains(&delayed["subject"], "Fax verzögert: ");
        contains(&delayed["text"], "Ihr Fax ist noch nicht zugestellt.");
        contains(&delayed["text"], "\nLetzte Ursache: die Leitung ist besetzt\n");
        contains(&delayed["text"], "\nNächster Versuch: ");
        assert_eq!(delayed["recipients"][0]["Action"], "delayed");
        contains(&delayed["recipients"][0]["Status"], "4.4.1");
        contains(&delayed["recipients"][0]["Will-Retry-Until"], "+0000");
        assert_eq!(delayed["returned"], Value::Null, "nothing has failed");
    }
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(sink.mails().len(), 2, "one for each that may be told");
    for id in [unsaid, failure, delay] {
        assert!(postfax.ask(&["cancel", &id.to_string()]).status.success());
    }
    for (subject, whole) in [("unsaid", true), ("only-failure", false)] {
        let about = |mail: &Mail| mail.subject().starts_with("Fax abgebrochen: ");
        let about = |mail: &Mail| about(mail) && mail.subject().contains(subject);
        let failed = read(&sink.wait("the receipt", mailbox, 30, about));
        assert_eq!(failed["recipients"][0]["Action"], "failed");
        assert_eq!(failed["recipients"][0].get("Will-Retry-Until"), None);
        assert_eq!(failed["returned"].is_string(), whole, "RET");
    }
    settled(&postfax);
    assert_eq!(sink.mails().len(), 4, "who wants to know of delays hears of nothing else");
}

/// Waits until every job is over, receipts included.
fn settled(postfax: &Postfax) -> Vec<Value> {
    wait_for("all jobs to be over", 90, || {
        let jobs = postfax.jobs();
        jobs.iter().all(|job| job["state"].get("ended").is_some()).then_some(jobs)
    })
}

#[test]
fn everybody_is_told_what_they_asked_for_and_nothing_else() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let letters = "[letters]\nlanguage = \"de\"\nfolder = \"words\"\nmdn = \"on-request\"\n";
    let mut postfax = Postfax::prepare(&lab.about, &sink, &format!("{CLIENTS}{letters}"));
    fs::create_dir(postfax.file("words")).unwrap();
    let own =
        "[receipt]\nsender = \"Our Faxes – 1\"\ndelivered = \"{last} of {total}, {{done}}\"\n";
    fs::write(postfax.file("words").join("fr.toml"), own).unwrap();
    postfax.run();
    postfax.wait_for_servers();
    let (fax, busy) = (lab.number_of(1).to_owned(), lab.number("busy").to_owned());
    let asks = "head:Disposition-Notification-To: fr@example.com";
    let other = "head:Disposition-Notification-To: de@example.com";
    let cases: [(&str, &str, &[&str], bool, bool); 8] = [
        ("fr", "never", &["rcpt:NOTIFY=NEVER"], false, false),
        ("fr", "success", &["rcpt:NOTIFY=SUCCESS"], true, false),
        ("fr", "failure", &["rcpt:NOTIFY=FAILURE", asks], false, true),
        ("fr", "delay", &["rcpt:NOTIFY=DELAY"], false, false),
        ("fr", "both", &["rcpt:NOTIFY=SUCCESS,FAILURE", asks], true, true),
        ("fr", "disposition", &["rcpt:NOTIFY=NEVER", asks], true, true),
        ("fr", "elsewhere", &["rcpt:NOTIFY=NEVER", other], false, false),
        ("", "null-path", &[], false, false),
    ];
    for (from, subject, more, ..) in cases {
        let from = if from.is_empty() { String::new() } else { format!("{from}@example.com") };
        for (number, what) in [(&fax, "sent"), (&busy, "lost")] {
            let to = format!("{number}@fax.example.com");
            submit(&postfax, &from, &to, &format!("{subject}-{what}"), more);
        }
    }
    let jobs = settled(&postfax);
    let faxes = jobs.iter().filter(|job| job["cause"].get("sent").is_some()).count();
    assert_eq!(faxes, 16);
    let about = |subject: &str| {
        let mails = sink.mails().into_iter();
        mails.filter(|mail| mail.subject().contains(subject)).collect::<Vec<_>>()
    };
    for (_, subject, _, sent, lost) in cases {
        for (wanted, what) in [(sent, "sent"), (lost, "lost")] {
            let got = about(&format!("({subject}-{what})"));
            assert_eq!(got.len(), usize::from(wanted), "{subject}-{what}: {got:?}");
        }
    }
    let delivered = report(&sink, "fr@example.com", "(success-sent)");
    assert_eq!(delivered["from"], "Our Faxes – 1");
    contains(&delivered["text"], "1 of 1, {done}");
    contains(&delivered["text"], "\nÀ : ");
    dispositions(&sink, &fax);
    // What is lost and cannot be told the sender is told the postmaster, in his language.
    let lost = jobs.iter().find(|job| job["cause"]["sent"]["subject"] == "null-path-lost").unwrap();
    let alarms: Vec<Mail> =
        sink.mails().into_iter().filter(|mail| mail.to == ["it@example.com"]).collect();
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    contains(
        &alarms[0].subject().into(),
        &format!(
            "Ein Fax ist gescheitert, und sein Absender ist nicht zu erreichen (Auftrag {})",
            lost["id"]
        ),
    );
    assert_eq!(alarms[0].header("Content-Language").as_deref(), Some("de"));
}

/// RFC 8098, as far as it may be sent by itself.
fn dispositions(sink: &Sink, fax: &str) {
    let sent = report(sink, "fr@example.com", "(disposition-sent)");
    assert_eq!(sent["report"], "disposition-notification");
    let fields = &sent["disposition"];
    assert_eq!(fields["Disposition"], "automatic-action/MDN-sent-automatically; dispatched");
    assert_eq!(fields["Final-Recipient"], format!("rfc822; {fax}@fax.example.com"));
    assert_eq!(sent["sender"], format!("{fax}@fax.example.com"));
    contains(&fields["Original-Message-ID"], "@client.example.com>");
    assert_eq!(fields["Reporting-UA"], "fax1.example.com; Postfax");
    let lost = report(sink, "fr@example.com", "(disposition-lost)");
    let fields = &lost["disposition"];
    assert_eq!(fields["Disposition"], "automatic-action/MDN-sent-automatically; processed/error");
    assert_eq!(fields["Error"], "4.4.1 the line is busy");
    contains(&lost["text"], "la ligne est occupée");
}

#[test]
fn the_times_that_a_sender_gave_are_in_its_receipts() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let more = CLIENTS.replace("tries = 1", "tries = 5");
    let postfax = Postfax::start(&lab.about, &sink, &more);
    postfax.wait_for_servers();
    let busy = format!("{}@fax.example.com", lab.number("busy"));
    let fax = format!("{}@fax.example.com", lab.number_of(1));
    let from = "en@example.com";
    let warned = submit(&postfax, from, &busy, "warned", &["mail:BY=5;N"]);
    // The next try would come after that time, so that nobody waits for it.
    submit(&postfax, from, &busy, "given-back", &["mail:BY=60;R"]);
    // Only who logs in may have a mail held (RFC 4865 3).
    submit(&postfax, "anna@example.com", &fax, "held", &["mail:HOLDFOR=3"]);
    let late = report(&sink, from, "(warned)");
    assert_eq!(late["recipients"][0]["Action"], "delayed");
    contains(&late["recipients"][0]["Status"], "4.4.7");
    contains(&late["message"]["Deliver-By-Date"], "+0000");
    assert!(postfax.job(warned)["state"].get("ended").is_none(), "it is still tried");
    let back = report(&sink, from, "(given-back)");
    assert_eq!(back["recipients"][0]["Action"], "failed");
    contains(&back["recipients"][0]["Status"], "5.4.7");
    let held = report(&sink, "anna@example.com", "(held)");
    assert_eq!(held["message"]["Future-Release-Request"], "for;3");
}
