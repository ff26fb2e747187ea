//! Numbers that are not in the phone book are saved by a mail to the address that the mail
//! of a fax or its receipt names, and both name the entry afterwards: end to end, with
//! fax servers, a real mail client and the real program.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{fs, path::Path};

use support::{
    book_mail::{Letter, Site, entry, says, text},
    lab::{Lab, Servers},
    pages,
    sink::Mail,
    wait_for,
};

/// The address of the mail that saves the number.
fn saves(mail: &Mail) -> Option<String> {
    let text = text(mail);
    let word = text
        .split(|c: char| c.is_whitespace() || c == ',')
        .find(|word| word.starts_with("book+save."))?;
    Some(word.to_owned())
}

/// Sends a fax from anna to bob: her receipt, and his mail.
fn exchange(site: &Site, number: &str, file: &Path) -> (Mail, Mail) {
    let before = site.sink.mails().len();
    let to = format!("{number}@fax.example.com");
    let said = site.postfax.send("anna", "anna@example.com", &to, Some(file));
    assert!(said.accepted, "{}", said.words);
    let of = |to: &str| {
        wait_for(&format!("a mail to {to}"), 90, || {
            let mails = site.sink.mails();
            mails[before..].iter().find(|mail| mail.to == [to.to_owned()]).cloned()
        })
    };
    (of("anna@example.com"), of("bob@example.com"))
}

/// Nobody else may use the address, and it tells them nothing.
fn is_for_nobody_else(site: &Site, address: &str) {
    let save = |to: &str| {
        let subject = "Acme Ltd alias acme";
        site.ask(Letter { client: "carl", to, subject, headers: "", body: "\n" })
    };
    let job = address.trim_start_matches("book+save.").split('@').next().unwrap();
    let strange = save(address);
    says(&strange, &format!("there is no job {job}"));
    let absent = text(&save("book+save.4711@fax.example.com"));
    assert_eq!(text(&strange).replace(job, "4711"), absent);
}

#[test]
fn numbers_are_learnt_from_faxes_and_receipts() {
    // With one line, whose number is the same at every call.
    let lab = Lab::start(Servers::Stations, 1);
    let site = Site::start(&lab.about);
    site.postfax.wait_for_servers();
    let number = lab.number_of(1);
    let file = site.postfax.file("letter.pdf");
    fs::write(&file, pages::pdf(1, "x")).unwrap();
    let fax = || exchange(&site, number, &file);
    let (receipt, fax_in) = fax();
    // The receipt, and its address.
    let address = saves(&receipt).unwrap_or_else(|| panic!("{}", text(&receipt)));
    says(&receipt, &format!("{number} is not in your phone book. To save it"));
    let html = String::from_utf8(receipt.part("text/html").unwrap()).unwrap();
    assert!(html.contains(&format!("mailto:{address}?subject=save%20%2B")), "{html}");
    is_for_nobody_else(&site, &address);
    let save = |client, to: &str, subject| {
        site.ask(Letter { client, to, subject, headers: "", body: "\n" })
    };
    // With the subject that is ready in the link, and the name below it.
    let subject = format!("save {number}");
    let mail = Letter {
        client: "anna",
        to: &address,
        subject: &subject,
        headers: "",
        body: "Show Room Ltd alias acme\n",
    };
    let saved = entry(&site.ask(mail));
    assert_eq!(
        (saved["name"].as_str(), saved["alias"].as_str()),
        (Some("Show Room Ltd"), Some("acme"))
    );
    assert_eq!(saved["number"], number);
    assert!(site.names("bob", "acme").is_empty(), "it is anna's");
    // The fax that came, to bob, who does not know that anna knows it.
    let caller = fax_in.header("X-Fax-Caller").or_else(|| fax_in.header("X-Fax-TSI")).unwrap();
    let address = saves(&fax_in).unwrap_or_else(|| panic!("{caller}: {}", text(&fax_in)));
    assert!(!text(&fax_in).contains("Show Room"));
    let saved = entry(&save("bob", &address, "London office, company Acme Ltd"));
    assert_eq!(
        (saved["name"].as_str(), saved["company"].as_str()),
        (Some("London office"), Some("Acme Ltd"))
    );
    // Both are known now, each to whoever has saved it.
    let (receipt, fax_in) = fax();
    for known in [&receipt, &fax_in] {
        assert!(
            saves(known).is_none(),
            "{caller} {:?}: {}",
            known.header("X-Fax-Caller"),
            text(known)
        );
    }
    assert!(receipt.subject().contains("(Show Room Ltd)"), "{}", receipt.subject());
    says(&fax_in, "London office, Acme Ltd");
    assert!(fax_in.subject().contains("London office"), "{}", fax_in.subject());
    // A reply to a receipt saves as well.
    site.asked("anna", "delete acme");
    let (receipt, _) = fax();
    let saved = entry(&site.reply("anna", &receipt, "save Acme again alias again\n"));
    assert_eq!(
        (saved["name"].as_str(), saved["number"].as_str()),
        (Some("Acme again"), Some(number))
    );
}
