//! Files of contacts in and out of the phone book, by HTTP, through the real program and
//! real curl.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{fs, process::Command};

use serde_json::{Value, json};
use support::{
    http::{Heard, House, is, refused},
    lab::Description,
    wait_for,
};

/// The names that a search finds, in their order.
fn found(house: &House, token: &str, query: &str) -> Vec<String> {
    let entries = house.get(token, &format!("/v1/book{query}"))["entries"].clone();
    let name = |entry: &Value| entry["name"].as_str().unwrap().to_owned();
    entries.as_array().unwrap().iter().map(name).collect()
}

const TABLE: &str = "Name,Company,Fax,Alias\r\n\
                     Acme,Acme Ltd,(212) 555-0100,acme\r\n\
                     \"Müller, Söhne\",,+49 30 901820,mueller\r\n";

fn import(house: &House, token: &str, query: &str, media: &str, octets: &[u8]) -> Heard {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), octets).unwrap();
    let (media, data) = (format!("Content-Type: {media}"), format!("@{}", file.path().display()));
    let path = format!("/v1/book/import{query}");
    house.curl(token, &path, &["-X", "POST", "-H", &media, "--data-binary", &data])
}

fn export(house: &House, token: &str, query: &str) -> Heard {
    let heard = house.curl(token, &format!("/v1/book/export{query}"), &[]);
    assert_eq!(heard.status, 200, "{}", String::from_utf8_lossy(&heard.body));
    heard
}

#[test]
fn files_are_taken_in_whole_and_given_out_again() {
    let house = House::start(&Description::unreachable(), "max_body_bytes = 65536");
    let table = TABLE.as_bytes();
    let tried = is(&import(&house, &house.anna, "?dry_run=true", "text/csv", table), 200);
    assert_eq!((&tried["dry_run"], tried["added"].as_array().unwrap().len()), (&json!(true), 2));
    assert_eq!(found(&house, &house.anna, ""), [""; 0], "it was only tried");
    let done = is(&import(&house, &house.anna, "", "text/csv; charset=utf-8", table), 200);
    assert_eq!((&done["done"], done["added"].as_array().unwrap().len()), (&json!(true), 2));
    assert_eq!(found(&house, &house.anna, ""), ["Acme", "Müller, Söhne"]);
    let again = is(&import(&house, &house.anna, "", "text/csv", table), 200);
    assert_eq!((&again["same"], &again["added"]), (&json!(2), &json!([])), "{again}");

    // One bad row, and nothing of the file is in the book.
    let bad = format!("{TABLE}Zed,,12,zed\r\nYew,,(212) 555-0177,yew\r\n");
    let wrong = import(&house, &house.anna, "", "text/csv", bad.as_bytes());
    refused(&wrong, 422, "refused", "nothing was imported");
    let errors = wrong.json()["errors"].clone();
    let first = errors[0].as_str().unwrap();
    assert!(errors.as_array().unwrap().len() == 1 && first.contains('4'), "{errors}");
    assert_eq!(found(&house, &house.anna, "").len(), 2);
    let tried = is(&import(&house, &house.anna, "?dry_run=true", "text/csv", bad.as_bytes()), 200);
    assert_eq!((&tried["errors"], &tried["done"]), (&errors, &json!(false)));
    files_of_each_format(&house);
    for (query, media, octets, status, code) in [
        ("", "application/json", &b"{}"[..], 415, "unsupported-media-type"),
        ("", "text/plain", table, 415, "unsupported-media-type"),
        ("?dry_run=maybe", "text/csv", table, 400, "bad-request"),
        ("?owner=anna", "text/csv", table, 400, "bad-request"),
        ("?share=bob", "text/csv", table, 400, "bad-request"),
        ("", "text/csv", &[b'x'; 100_000], 413, "too-large"),
    ] {
        let heard = import(&house, &house.anna, query, media, octets);
        assert_eq!((heard.status, heard.problem().as_str()), (status, code), "{query} {media}");
    }
    let denied = import(&house, &house.bob, "?owner=public", "text/csv", table);
    refused(&denied, 403, "not-permitted", "book.write on supervisor");
    let public = import(&house, &house.chief, "?owner=public&share=everyone", "text/csv", table);
    assert_eq!(is(&public, 200)["done"], true);
    for (query, lines) in [("", 3), ("?what=visible", 5)] {
        let given = String::from_utf8(export(&house, &house.bob, query).body).unwrap();
        assert_eq!(given.lines().count(), lines, "{given}");
    }
    what_a_format_cannot_hold_is_said(&house);
}

/// What anna gives out in each format, bob takes in.
fn files_of_each_format(house: &House) {
    for (query, media, file, sent_as) in [
        ("", "text/csv; charset=utf-8; header=present", "phone-book.csv", "text/csv"),
        (
            "?format=vcard3",
            "text/vcard; charset=utf-8; version=3.0",
            "phone-book.vcf",
            "text/directory",
        ),
        (
            "?format=vcard4",
            "text/vcard; charset=utf-8; version=4.0",
            "phone-book.vcf",
            "text/vcard",
        ),
        ("?format=ldif", "text/x-ldif; charset=utf-8", "phone-book.ldif", "text/x-ldif"),
        (
            "?format=vcard4&what=visible",
            "text/vcard; charset=utf-8; version=4.0",
            "phone-book.vcf",
            "application/octet-stream",
        ),
        (
            "?format=csv",
            "text/csv; charset=utf-8; header=present",
            "phone-book.csv",
            "application/octet-stream",
        ),
    ] {
        let given = export(house, &house.anna, query);
        assert_eq!(given.header("content-type"), Some(media));
        let disposition = format!("attachment; filename=\"{file}\"");
        assert_eq!(given.header("content-disposition"), Some(disposition.as_str()));
        assert!(String::from_utf8(given.body.clone()).unwrap().contains("acme"), "{query}");
        let taken = is(&import(house, &house.bob, "", sent_as, &given.body), 200);
        assert_eq!(taken["done"], true, "{query}: {taken}");
        assert_eq!(found(house, &house.bob, ""), ["Acme", "Müller, Söhne"], "{query}");
        let acme = house.get(&house.bob, "/v1/book/acme")["entry"].clone();
        assert_eq!(
            (&acme["number"], &acme["company"]),
            (&json!("+12125550100"), &json!("Acme Ltd"))
        );
        for named in ["acme", "mueller"] {
            is(&house.curl(&house.bob, &format!("/v1/book/{named}"), &["-X", "DELETE"]), 200);
        }
    }
    let is_known = is(&import(house, &house.bob, "", "text/csv", TABLE.as_bytes()), 200);
    assert_eq!(is_known["done"], true);
}

fn what_a_format_cannot_hold_is_said(house: &House) {
    let card = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Zoe\r\nTEL;TYPE=FAX:(212) 555-0144\r\n\
                ADR:;;1 High Street;London;;;UK\r\nEND:VCARD\r\n";
    let taken = is(&import(house, &house.anna, "", "text/vcard", card.as_bytes()), 200);
    assert_eq!((&taken["done"], &taken["added"][0]["name"]), (&json!(true), &json!("Zoe")));
    let table = export(house, &house.anna, "?format=csv");
    let lost = table.header("postfax-lost").unwrap();
    assert!(lost.starts_with('"') && lost.contains("postal addresses"), "{lost}");
    let cards = export(house, &house.anna, "?format=vcard4");
    assert_eq!(cards.header("postfax-lost"), None);
    assert!(String::from_utf8(cards.body).unwrap().contains("1 High Street"));
}

#[test]
fn only_so_many_files_are_read_at_once() {
    let house = House::start(&Description::unreachable(), "request_timeout_s = 30");
    let slow = |at: u16| {
        let file = house.postfax.file(&format!("slow-{at}.csv"));
        fs::write(&file, TABLE.repeat(1000)).unwrap();
        let child = Command::new("curl")
            .args(["-sS", "--limit-rate", "1k", "--max-time", "30", "-H", "Content-Type: text/csv"])
            .args(["-H", &format!("Authorization: Bearer {}", house.anna), "-o", "/dev/null"])
            .args(["--data-binary", &format!("@{}", file.display())])
            .arg(format!("{}/v1/book/import", house.url))
            .spawn();
        child.unwrap()
    };
    let mut children: Vec<_> = (0..4).map(slow).collect();
    let table = TABLE.as_bytes();
    let busy = wait_for("all places to be taken", 20, || {
        // One that found no place, since this try had it, comes again.
        for (at, child) in (0..).zip(&mut children) {
            if child.try_wait().unwrap().is_some() {
                *child = slow(at);
            }
        }
        let heard = import(&house, &house.bob, "?dry_run=true", "text/csv", table);
        (heard.status != 200).then_some(heard)
    });
    refused(&busy, 503, "busy", "too many files");
    assert!(busy.header("retry-after").is_some());
    assert_eq!(found(&house, &house.bob, ""), [""; 0], "others are answered");
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    wait_for("a place to be free", 20, || {
        (import(&house, &house.bob, "", "text/csv", table).status == 200).then_some(())
    });
}

#[test]
fn a_file_with_a_key_is_taken_in_once_also_over_a_crash() {
    let mut house = House::start(&Description::unreachable(), "");
    let file = house.postfax.file("contacts.csv");
    fs::write(&file, TABLE).unwrap();
    let data = format!("@{}", file.display());
    let post = ["-X", "POST", "-H", "Content-Type: text/csv", "--data-binary", &data];
    let take = |house: &House, key: &str| {
        let key = format!("Idempotency-Key: {key}");
        house.curl(&house.anna, "/v1/book/import", &[&post[..], &["-H", &key]].concat())
    };
    let first = is(&take(&house, "one"), 200);
    assert_eq!(first["added"].as_array().unwrap().len(), 2);
    assert!(house.postfax.kill());
    house.postfax.run();
    assert_eq!(is(&take(&house, "one"), 200), first, "and not that all is there already");
    assert_eq!(found(&house, &house.anna, "").len(), 2);
    fs::write(&file, "Name,Fax\r\nZoe,(212) 555-0144\r\n").unwrap();
    refused(&take(&house, "one"), 422, "key-used", "another request");
    // What was refused is not kept.
    fs::write(&file, "Name,Fax\r\nZoe,12\r\n").unwrap();
    refused(&take(&house, "two"), 422, "refused", "nothing was imported");
    fs::write(&file, "Name,Fax\r\nZoe,(212) 555-0144\r\n").unwrap();
    assert_eq!(is(&take(&house, "two"), 200)["added"][0]["name"], "Zoe");
}
