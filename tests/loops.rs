//! What must never go round: mail and faxes that come from here and are sent here, and
//! programs that answer each other. And what looks like it and is none: the reply of a
//! person to a received fax, which goes back to its caller.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::fs;

use support::{
    lab::{Lab, Servers},
    pages,
    postfax::Postfax,
    relay::offer,
    sink::{Mail, Sink},
    wait_for,
};

const HEAD: &str = "From: anna@example.com\nSubject: x\n";

/// Anna writes to the caller of a fax, or to whomever.
fn from_anna(postfax: &Postfax, to: &str, text: &str) -> String {
    let said = offer(postfax.relay, "anna@example.com", &[to], text);
    match said.recipients[0].starts_with("250") {
        true => said.message,
        false => said.recipients[0].clone(),
    }
}

/// The digest of the pages of the newest job, once it was accepted.
fn newest_digest(postfax: &Postfax) -> String {
    let jobs = postfax.jobs();
    let sent = jobs.iter().rev().find(|job| job["cause"].get("sent").is_some()).unwrap();
    sent["document"]["digest"].as_str().unwrap_or_else(|| panic!("no pages: {sent:#}")).to_owned()
}

fn wait_for_fax_mail(sink: &Sink, to: &str) -> Mail {
    sink.wait("the received fax", to, 60, |mail| mail.header("X-Fax-Id").is_some())
}

/// Bob sends a fax to anna's number, and anna has its mail.
fn a_fax_for_anna(lab: &Lab, sink: &Sink, postfax: &Postfax) -> Mail {
    let file = postfax.file("letter.pdf");
    fs::write(&file, pages::pdf(1, "to anna")).unwrap();
    let to = format!("{}@fax.example.com", lab.number_of(0));
    let said = postfax.send_as("bob", "bob@example.com", &to, Some(&file), "<x@y>", Some("NEVER"));
    assert!(said.accepted, "{}", said.words);
    wait_for_fax_mail(sink, "anna@example.com")
}

#[test]
fn what_a_program_wrote_or_was_here_before_is_refused_with_its_code() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let postfax = Postfax::start(&lab.about, &sink, "[limits]\nmax_received = 5\n");
    let to = format!("{}@fax.example.com", lab.number_of(1));
    let hop = "Received: from a by b with SMTP id 1; Mon, 23 Nov 2026 07:00:00 +0000\n";
    let ours = "Received: from a ([192.0.2.1])\n\tby fax1.example.com (Postfax) with ESMTP id 1;\n\
                \tMon, 23 Nov 2026 07:00:00 +0000\n";
    let beside = "Received: from a by fax1.example.com (Postfix) with ESMTP id 1; x\n";
    for (what, fields, expected) in [
        ("six hosts and us", hop.repeat(5), "554 5.4.6"),
        ("four hosts and us", hop.repeat(4), "250"),
        ("us twice", ours.to_owned(), "554 5.4.6"),
        ("a mail server beside us", beside.to_owned(), "250"),
        ("our mark", "X-Loop: <FAX@fax.example.com>\n".to_owned(), "554 5.4.6"),
        ("our mailbox", "Delivered-To: fax@fax.example.com\n".to_owned(), "554 5.4.6"),
        ("somebody's mailbox", "Delivered-To: bob@example.com\n".to_owned(), "250"),
        ("an answer", "Auto-Submitted: auto-replied; x=y\n".to_owned(), "550 5.7.1"),
        ("a notice", "Auto-Submitted: auto-generated\n".to_owned(), "550 5.7.1"),
        ("a person who says so", "Auto-Submitted: no\n".to_owned(), "250"),
        (
            "a report",
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n".to_owned(),
            "550 5.7.1",
        ),
        ("an old answer", "Precedence: junk\nIn-Reply-To: <a@b>\n".to_owned(), "550 5.7.1"),
        ("an odd answer", "X-Autoreply: yes\n".to_owned(), "550 5.7.1"),
        (
            "a list",
            "Precedence: list\nList-Id: <l.example.com>\nIn-Reply-To: <a@b>\n".to_owned(),
            "250",
        ),
        ("a fax of ours", "X-Fax-Id: london-1/fax00001.tif\n".to_owned(), "554 5.4.6"),
        ("an option", "X-Fax-Resolution: standard\n".to_owned(), "250"),
    ] {
        let said = from_anna(&postfax, &to, &format!("{fields}{HEAD}\nHello.\n"));
        assert!(said.starts_with(expected), "{what}: {said}");
    }
    let said = offer(postfax.relay, "", &[&to], &format!("{HEAD}\nHello.\n"));
    assert!(said.recipients[0].starts_with("550 5.7.1"), "the null path: {said:?}");
}

#[test]
fn a_received_fax_that_a_mailbox_passes_on_is_no_fax_again() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let postfax = Postfax::start(&lab.about, &sink, "");
    postfax.wait_for_servers();
    let mail = a_fax_for_anna(&lab, &sink, &postfax);
    let raw = String::from_utf8(mail.raw).unwrap().replace("\r\n", "\n");
    let to = format!("{}@fax.example.com", lab.number_of(1));
    let before = postfax.jobs().len();
    let said = from_anna(&postfax, &to, &raw);
    assert!(said.starts_with("554 5.4.6"), "passed on by Sieve: {said}");
    // Some forwarders take fields away; the Message-ID stays.
    let bare: String = raw
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("X-Fax-") && !line.starts_with("Auto-Submitted"))
        .collect();
    let said = from_anna(&postfax, &to, &bare);
    assert!(said.starts_with("554 5.4.6"), "with fields taken away: {said}");
    assert_eq!(postfax.jobs().len(), before, "nothing of it is a job");
}

/// What Thunderbird sends when somebody answers above or below a quotation.
fn thunderbird(original: &Mail, body: &str) -> String {
    let to = original.parsed().from().unwrap().first().unwrap().address().unwrap().to_owned();
    let id = original.message_id();
    format!(
        "Message-ID: <c1f5@example.com>\nDate: Mon, 23 Nov 2026 08:11:00 +0100\n\
         MIME-Version: 1.0\nUser-Agent: Mozilla Thunderbird\nSubject: Re: {}\n\
         To: Fax <{to}>\nReferences: <{id}>\nContent-Language: en-GB\n\
         From: Anna Adams <anna@example.com>\nIn-Reply-To: <{id}>\n\
         Content-Type: text/plain; charset=UTF-8; format=flowed\n\
         Content-Transfer-Encoding: 7bit\n\n{body}",
        original.subject()
    )
}

const OUTLOOK: &str = "From: Anna Adams <anna@example.com>\nTo: Fax <@TO@>\nSubject: RE: @SUBJECT@\n\
Thread-Topic: @SUBJECT@\nDate: Mon, 23 Nov 2026 07:11:00 +0000\n\
Message-ID: <AM0PR04@eurprd04.prod.outlook.com>\nReferences: <@ID@>\nIn-Reply-To: <@ID@>\n\
Accept-Language: en-GB, en-US\nX-MS-Has-Attach:\nMIME-Version: 1.0\n\
Content-Type: multipart/alternative;\n\tboundary=\"_000_AM0PR04_\"\n\n\
--_000_AM0PR04_\nContent-Type: text/plain; charset=\"iso-8859-1\"\n\
Content-Transfer-Encoding: quoted-printable\n\nThank you, we accept.\n\nKind regards\nAnna\n\n\
________________________________\nFrom: Fax <@TO@>\nSent: 23 November 2026 07:05\n\
To: anna@example.com <anna@example.com>\nSubject: @SUBJECT@\n\nA fax has arrived: 1 page.\n\n\
--_000_AM0PR04_\nContent-Type: text/html; charset=\"iso-8859-1\"\n\
Content-Transfer-Encoding: quoted-printable\n\n<html><body>Thank you, we accept.</body></html>\n\n\
--_000_AM0PR04_--\n";

#[test]
fn a_reply_to_a_received_fax_reaches_the_machine_of_its_caller() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let postfax = Postfax::start(&lab.about, &sink, "[convert]\nreply_quote = \"cut\"\n");
    postfax.wait_for_servers();
    let mail = a_fax_for_anna(&lab, &sink, &postfax);
    let to = mail.parsed().from().unwrap().first().unwrap().address().unwrap().to_owned();
    let caller = to.strip_prefix("FAX=").unwrap().strip_suffix("@fax.example.com").unwrap();
    assert!(lab.about.servers[1].numbers.iter().any(|number| number == caller), "{to}");
    // What the writer added, sent on its own: the pages of a reply must be the same.
    let alone = |text: &str| {
        let said = from_anna(&postfax, &to, &format!("{HEAD}\n{text}"));
        assert!(said.starts_with("250"), "{said}");
        newest_digest(&postfax)
    };
    let added = "Thank you, we accept.\n\nKind regards\nAnna\n";
    let expected = alone(added);
    let quotation = "On 23/11/2026 08:05, Fax +15551234567 (STATION \n2) wrote:\n> A fax has arrived: 1 page.\n>\n\
                     > From:      +15551234567\n";
    let outlook = OUTLOOK
        .replace("@TO@", &to)
        .replace("@ID@", &mail.message_id())
        .replace("@SUBJECT@", &mail.subject());
    for (what, text) in [
        ("above", thunderbird(&mail, &format!("{added}\n{quotation}"))),
        ("below", thunderbird(&mail, &format!("{quotation}\n{added}")).replace("c1f5", "c1f7")),
        ("Outlook", outlook),
    ] {
        let said = from_anna(&postfax, &to, &text);
        assert!(said.starts_with("250"), "{what}: {said}");
        assert_eq!(newest_digest(&postfax), expected, "{what}: only what was added is faxed");
    }
    let only = thunderbird(&mail, quotation).replace("c1f5", "c1f6");
    let said = from_anna(&postfax, &to, &only);
    assert!(said.starts_with("554 5.6.0"), "nothing was added: {said}");
    let fax = wait_for_fax_mail(&sink, "bob@example.com");
    let caller = fax.header("X-Fax-Caller").unwrap();
    assert!(lab.about.servers[0].numbers.contains(&caller), "{caller}");
    assert_eq!(fax.header("X-Fax-Called").as_deref(), to[4..].split('@').next());
    // All four go out, as four faxes.
    wait_for("four faxes for bob", 120, || {
        let faxes = sink
            .mails()
            .into_iter()
            .filter(|mail| mail.to == ["bob@example.com"] && mail.header("X-Fax-Id").is_some());
        (faxes.count() == 4).then_some(())
    });
}

#[test]
fn by_default_a_reply_is_faxed_with_what_it_quotes() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let postfax = Postfax::start(&lab.about, &sink, "");
    let to = format!("FAX={}@fax.example.com", lab.number_of(1));
    let send = |text: &str| {
        let said = from_anna(&postfax, &to, &format!("{HEAD}\n{text}"));
        assert!(said.starts_with("250"), "{said}");
        newest_digest(&postfax)
    };
    let reply = send("Yes.\n\nOn 1 May, FAX wrote:\n> May we?\n");
    assert_ne!(reply, send("Yes.\n"), "the quotation is on the page");
}

#[test]
fn nobody_answers_a_caller_who_withheld_the_number() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let postfax = Postfax::start(&lab.about, &sink, "");
    let said = from_anna(&postfax, "fax@fax.example.com", &format!("{HEAD}\nHello.\n"));
    assert!(said.starts_with("550 5.1.1") && said.contains("withheld"), "{said}");
}

#[test]
fn our_own_numbers_are_called_by_others_or_not_at_all() {
    let lab = Lab::start(Servers::Stations, 1);
    let (own, other) = (lab.number_of(0), lab.number_of(1));
    for (key, own_number, other_number) in [
        ("", "550 5.4.6", "250"),
        ("own_numbers = \"never\"\n", "550 5.4.6", "550 5.4.6"),
        ("own_numbers = \"always\"\n", "250", "250"),
    ] {
        let sink = Sink::start();
        let postfax = Postfax::start(&lab.about, &sink, &format!("[limits]\n{key}"));
        // Anna has only the server that answers on `own`.
        for (number, expected) in [(own, own_number), (other, other_number)] {
            let to = format!("{number}@fax.example.com");
            let said = from_anna(&postfax, &to, &format!("{HEAD}\nHello.\n"));
            assert!(said.starts_with(expected), "{key:?} {number}: {said}");
        }
    }
}

#[test]
fn a_number_gets_so_many_faxes_in_an_hour_and_no_more() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let limits = "[limits]\nmax_faxes_per_number_per_h = 2\n";
    let mut postfax = Postfax::start(&lab.about, &sink, limits);
    let number = format!("{}@fax.example.com", lab.number_of(1));
    let send = |postfax: &Postfax, to: &str, turn: u32| {
        from_anna(postfax, to, &format!("Message-ID: <{turn}@x>\n{HEAD}\nTurn {turn}.\n"))
    };
    for turn in 0..2 {
        let said = send(&postfax, &number, turn);
        assert!(said.starts_with("250"), "{said}");
    }
    let said = send(&postfax, &number, 2);
    assert!(said.starts_with("450 4.7.0") && said.contains("within an hour"), "{said}");
    let said = send(&postfax, "+15550001111@fax.example.com", 3);
    assert!(said.starts_with("250"), "another number: {said}");
    postfax.stop();
    postfax.run();
    let said = send(&postfax, &number, 4);
    assert!(said.starts_with("450 4.7.0"), "a restart forgets nothing: {said}");
}
