//! The phone book is asked by mail, with a real mail client against the real program:
//! every verb, an entry edited in a reply, and files in and out.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::fmt::Write as _;

use support::{
    book::Caller,
    book_mail::{BOOK, Letter, Site, entry, json, new_id, quoted, says, text},
    lab::Description,
    sink::Mail,
    wait_for,
};

#[test]
fn every_verb_is_answered() {
    let site = Site::start(&Description::unreachable());
    let added = site.asked("anna", "add Acme Ltd (212) 555-0100 alias acme");
    let acme = entry(&added);
    assert_eq!((acme["name"].as_str(), acme["alias"].as_str()), (Some("Acme Ltd"), Some("acme")));
    assert_eq!(acme["number"], "+12125550100", "in the country of the supervisor");
    assert_eq!(added.header("Reply-To").as_deref(), Some("book@fax.example.com"));
    let lines = "Good morning.\n\nname: Bert, accounts\nfax: +44 20 7946 0101\ncompany: Acme \
                 Ltd\ntags: paper, supplier\n\n-- \nAnna\nalias: no\n";
    let bert = entry(&site.with("anna", "add", lines));
    assert_eq!((bert["company"].as_str(), bert.get("alias")), (Some("Acme Ltd"), None));
    assert_eq!(bert["tags"], serde_json::json!(["paper", "supplier"]));
    let list = site.asked("anna", "add Suppliers alias suppliers members acme, +44 20 7946 0101");
    assert_eq!(entry(&list)["members"], 2);
    assert_eq!(site.names("anna", "acme").len(), 2);
    assert_eq!(site.names("anna", "+44 20 7946 0101"), ["Bert, accounts"]);
    assert_eq!(site.names("anna", "").len(), 3);
    let changed = site.asked("anna", "change acme number=+44 20 7946 0102 note=after noon");
    assert_eq!(entry(&changed)["number"], "+442079460102");
    assert_eq!(entry(&changed)["note"], "after noon");
    says(&site.asked("anna", "change acme version=1 note="), "version 2");
    shared_and_deleted(&site);
}

/// Who sees an entry is changed, and it is deleted.
fn shared_and_deleted(site: &Site) {
    // Anna shares with bob; everybody else finds nothing.
    assert!(site.names("bob", "acme").is_empty());
    site.asked("anna", "share acme with bob, group paris");
    assert_eq!(site.names("bob", "acme"), ["Acme Ltd"]);
    site.asked("anna", "unshare acme with bob");
    assert_eq!(site.names("bob", "acme"), ["Acme Ltd"], "he is in paris");
    site.asked("anna", "unshare acme");
    assert!(site.names("bob", "acme").is_empty());
    // What is for everyone is written by those who may.
    says(&site.asked("anna", "share acme with everyone"), "book.write");
    let public = site.asked("carl", "add Fire brigade +44 20 7946 0112 alias fire public");
    assert_eq!(entry(&public)["rank"], "public");
    assert_eq!(site.names("bob", "fire"), ["Fire brigade"]);
    let gone = site.asked("anna", "delete acme");
    assert_eq!(json(&gone)["book"]["deleted"]["name"], "Acme Ltd");
    says(&site.asked("anna", "book show acme"), "acme");
    assert_eq!(site.names("anna", "acme"), ["Bert, accounts"]);
    // The noun tells verbs apart at other addresses.
    let ask = |subject| Letter {
        client: "anna",
        to: "jobs@fax.example.com",
        subject,
        headers: "",
        body: "\n",
    };
    assert_eq!(entry(&site.ask(ask("book show fire")))["name"], "Fire brigade");
    says(&site.ask(ask("show 4711")), "there is no job 4711");
    let many = (1..4).map(|n| format!("+44 20 7946 020{n}"));
    for (number, subject) in many.zip(["add", "add Nobody", "show"]) {
        let said = site.asked("anna", subject);
        says(&said, "This was not understood");
        assert!(!text(&said).contains(&number));
    }
}

#[test]
fn an_edited_entry_is_sent_back_and_nothing_of_others_is_overwritten() {
    let site = Site::start(&Description::unreachable());
    site.asked("anna", "add Acme Ltd +44 20 7946 0100 alias acme company Acme note Ask for Zoë");
    let shown = site.asked("anna", "show acme");
    says(&shown, "To change it, edit the text below in a reply.");
    let quotation = quoted(&shown);
    let number = "number = \"+442079460100\"";
    assert!(quotation.contains(number), "{quotation}");
    // Nothing is different.
    let same = site.reply("anna", &shown, &format!("Hello,\n\nFax wrote:\n{quotation}"));
    says(&same, "Nothing is different from what is registered");
    let edited = quotation
        .replace(number, "number = +44 20 7946 0101")
        .replace("> company = \"Acme\"\n", "")
        .replace("alias = \"acme\"", "alias = acme-ltd");
    let changed = entry(&site.reply("anna", &shown, &format!("Fax wrote:\n{edited}")));
    assert_eq!(changed["number"], "+442079460101");
    assert_eq!((changed.get("company"), changed["alias"].as_str()), (None, Some("acme-ltd")));
    assert_eq!(
        (changed["note"].as_str(), changed["version"].as_u64()),
        (Some("Ask for Zoë"), Some(2))
    );
    // The first text is of a version that is not the newest any more.
    let late = quotation.replace("note = \"Ask for Zo", "note = \"Do not ask for Zo");
    assert_ne!(late, quotation);
    let late = site.reply("anna", &shown, &late);
    says(&late, "version 2");
    says(&late, "note: Ask for Zoë -> Do not ask for Zoë");
    assert_eq!(entry(&site.asked("anna", "show acme-ltd"))["note"], "Ask for Zoë");
    // A quotation that was cut off does nothing.
    let cut: String =
        edited.split_inclusive('\n').take_while(|line| !line.contains("End of the")).collect();
    says(&site.reply("anna", &shown, &cut), "This was not understood");
    // Those who may not change it get no text to edit, and cannot send one.
    site.asked("anna", "share acme-ltd with bob");
    let seen = site.asked("bob", "show acme-ltd");
    assert!(!text(&seen).contains("phone-book entry"), "{}", text(&seen));
    let newest = quoted(&site.asked("anna", "show acme-ltd"));
    let version = entry(&site.asked("anna", "show acme-ltd"))["version"].clone();
    let stolen = newest.replace("Ask for Zo", "Never ask for Zo");
    says(&site.with("bob", "Re: show acme-ltd", &stolen), "only its owner changes");
    let strange = site.with("carl", "Re: show acme-ltd", &stolen);
    says(&strange, "there is no");
    assert_eq!(entry(&site.asked("anna", "show acme-ltd"))["version"], version);
}

#[test]
fn what_is_hidden_is_not_there_word_for_word() {
    let site = Site::start(&Description::unreachable());
    site.asked("anna", "add Acme Ltd +44 20 7946 0100 alias acme");
    let uid = entry(&site.asked("anna", "show acme"))["uid"].as_str().unwrap().to_owned();
    let bare = |mail: &Mail, word: &str, other: &str| text(mail).replace(word, other);
    for verb in
        ["show @", "change @ note=x", "share @ with carl", "unshare @", "delete @", "find @"]
    {
        for (there, not) in
            [("acme", "none"), ("+442079460100", "+442079460109"), (&*uid, "no-uid")]
        {
            let ask = |word: &str| site.asked("bob", &verb.replace('@', word));
            let (hidden, absent) = (ask(there), ask(not));
            assert_eq!(bare(&hidden, there, "X"), bare(&absent, not, "X"), "{verb} {there}");
            assert!(!text(&hidden).contains("Acme"), "{verb}: {}", text(&hidden));
        }
    }
    assert_eq!(entry(&site.asked("anna", "show acme"))["version"], 1);
    let export = site.asked("bob", "export csv visible");
    assert!(!String::from_utf8_lossy(&export.raw).contains("Acme"));
}

#[test]
fn a_mail_that_comes_twice_is_done_once() {
    let site = Site::start(&Description::unreachable());
    let id = new_id();
    let subject = "add Acme Ltd +44 20 7946 0100";
    let letter = Letter { client: "anna", to: BOOK, subject, headers: "", body: "\n" };
    assert!(site.send(&letter, &id) && site.send(&letter, &id));
    site.answer(&id);
    assert_eq!(site.names("anna", "acme"), ["Acme Ltd"]);
    let answers =
        site.sink.mails().iter().filter(|mail| mail.subject() == format!("Re: {subject}")).count();
    assert_eq!(answers, 1);
    // Thanks for an answer do nothing once more.
    let answer = site.answer(&id);
    says(&site.reply("anna", &answer, "Thank you!\n"), "not done once more");
    assert_eq!(site.names("anna", "acme").len(), 1);
    // Two files are two questions, whatever the subject.
    for name in ["Bert", "Carl"] {
        let letter = Letter {
            subject: "import",
            body: &format!("name,number\n{name},+44 20 7946 0101\n"),
            ..letter
        };
        let id = "<twice@reader.example.com>";
        assert!(site.send(&letter, id));
    }
    wait_for("both", 30, || (site.names("anna", "").len() == 3).then_some(()));
}

#[test]
fn files_come_in_and_go_out() {
    let site = Site::start(&Description::unreachable());
    let table = "name,company,number,alias\nAcme,Acme Ltd,+44 20 7946 0100,acme\nBert,,+44 20 7946 \
                 0101,bert\n";
    let tried = json(&site.attach("anna", "import dry-run", &[("contacts.csv", table)]));
    assert_eq!(
        (
            tried["book"]["imported"]["dry_run"].as_bool(),
            tried["book"]["imported"]["done"].as_bool()
        ),
        (Some(true), Some(false)),
        "{tried}"
    );
    assert_eq!(tried["book"]["imported"]["added"].as_array().unwrap().len(), 2);
    assert!(site.names("anna", "").is_empty(), "only tried");
    // A bad row is named, and nothing is half imported.
    let bad = table.to_owned() + "Carl,,12,carl\n";
    let refused = json(&site.attach("anna", "import", &[("contacts.csv", &bad)]));
    let errors = refused["book"]["imported"]["errors"].to_string();
    assert!(errors.contains('4'), "the row is named: {refused}");
    assert!(site.names("anna", "").is_empty());
    let done = json(&site.attach("anna", "import", &[("contacts.csv", table), ("logo.png", "x")]));
    assert_eq!(done["book"]["imported"]["done"], true, "{done}");
    assert_eq!(site.names("anna", ""), ["Acme", "Bert"]);
    let again = json(&site.with("anna", "import csv", table));
    assert_eq!(again["book"]["imported"]["same"], 2, "{again}");
    let card = "BEGIN:VCARD\nVERSION:4.0\nUID:carl\nFN:Carl\nTEL;TYPE=fax;VALUE=uri:tel:+442079460102\nEND:VCARD\n";
    let ldif = "dn: cn=Dora,ou=x\nobjectClass: person\nobjectClass: inetOrgPerson\ncn: Dora\nsn: D\nfacsimileTelephoneNumber: +442079460103\n";
    for (name, file) in [("carl.vcf", card), ("dora.ldif", ldif)] {
        let done = json(&site.attach("anna", "import", &[(name, file)]));
        assert_eq!(done["book"]["imported"]["done"], true, "{done}");
    }
    assert_eq!(site.names("anna", "").len(), 4);
    says(&site.attach("anna", "import", &[("a.csv", table), ("b.vcf", card)]), "send one");
    let odd = site.attach("anna", "import", &[("Kontakte.xlsx", "PK")]);
    says(&odd, "\"Kontakte.xlsx\" is no file of contacts");
    says(&site.asked("bob", "import word"), "none of dry-run, csv");
    for (format, content_type, begins) in [
        ("csv", "text/csv", "uid,"),
        ("vcard", "text/vcard", "BEGIN:VCARD"),
        ("vcard3", "text/vcard", "BEGIN:VCARD"),
        ("ldif", "text/x-ldif", "version: 1"),
    ] {
        let mail = site.asked("anna", &format!("export {format}"));
        says(&mail, "Entries in the attached file: 4.");
        let file = String::from_utf8(mail.part(content_type).unwrap()).unwrap();
        let start = file.trim_start_matches('\u{feff}').to_lowercase();
        assert!(start.starts_with(&begins.to_lowercase()), "{format}: {file}");
        // It is what another client can read.
        let read = json(&site.attach("bob", "import try", &[("file.txt", &file)]));
        assert_eq!(
            read["book"]["imported"]["added"].as_array().unwrap().len(),
            4,
            "{format} {read}"
        );
    }
}

#[test]
fn ten_thousand_entries_come_by_mail() {
    let site = Site::start(&Description::unreachable());
    let mut table = "name,number\n".to_owned();
    for number in 0..10_000 {
        writeln!(table, "Customer {number},+4420794{number:05}").unwrap();
    }
    let done = site.attach("anna", "import", &[("many.csv", &table)]);
    let job = site.postfax.jobs().pop().unwrap();
    let question = job["cause"]["answer"]["question"].as_str().unwrap();
    assert!(question.starts_with("import (file ") && question.len() < 100, "{question}");
    let added = json(&done)["book"]["imported"]["added"].as_array().unwrap().len();
    assert_eq!(added, 10_000, "{:.600}", text(&done));
    let mail = site.asked("anna", "export ldif");
    assert_eq!(
        String::from_utf8(mail.part("text/x-ldif").unwrap()).unwrap().matches("\ndn: ").count(),
        10_000
    );
}

#[test]
fn the_help_has_the_phone_book_in_every_language() {
    let site = Site::start(&Description::unreachable());
    for (client, words) in [
        ("anna", "PHONE BOOK"),
        ("greta", "TELEFONBUCH"),
        ("pierre", "CARNET D'ADRESSES"),
        ("yuki", "電話帳"),
    ] {
        for (to, subject) in [("help@fax.example.com", "hello"), (BOOK, "help")] {
            let mail = site.ask(Letter { client, to, subject, headers: "", body: "\n" });
            says(&mail, words);
            says(&mail, "add Acme Ltd +44 20 7946 0100 alias acme");
        }
    }
}

#[test]
fn the_sub_address_of_a_fax_is_saved_with_its_number() {
    let site = Site::start(&Description::unreachable());
    let mut caller = Caller::begin(&site.postfax, "anna");
    caller.rcpt("FAX=+442079460109/T33S=12");
    let job = caller.data("with-sub-address")[0];
    let to = format!("book+save.{job}@fax.example.com");
    let save = |subject| {
        let headers = "";
        entry(&site.ask(Letter { client: "anna", to: &to, subject, headers, body: "\n" }))
    };
    assert_eq!(save("Accounts alias accounts")["subaddress"], "12");
    assert_eq!(save("Sales alias sales subaddress 13")["subaddress"], "13");
}
