//! How long large files take. Run by hand: `cargo test -p postfax-cards --test speed -- --ignored --nocapture`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::{Duration, Instant};

use postfax_cards::{
    Book, Card, CardList, Fax, FaxPlace, Reading, ldif,
    table::{self, Style},
    vcard::{self, Options, Version},
};

const PLAIN: Options<'_> = Options { completion_domain: None };

fn book(cards: usize) -> Book {
    let card = |at: usize| Card {
        uid: Some(format!("{at:08x}-0000-4000-8000-000000000000")),
        name: format!("Müller & Söhne {at}"),
        family: "Müller".into(),
        company: "Beispiel GmbH".into(),
        faxes: vec![Fax {
            number: format!("+49 30 {at:07}"),
            place: FaxPlace::Work,
            ..Fax::default()
        }],
        alias: format!("m{at}"),
        note: "ruft, nach Tisch; zurück\n".repeat(3),
        tags: vec!["Kunde".into(), "Nord".into()],
        emails: vec![format!("m{at}@example.com")],
        rev: Some("20260101T000000Z".into()),
        ..Card::default()
    };
    let members = (0..1000).map(|at| format!("{at:08x}-0000-4000-8000-000000000000")).collect();
    let list = CardList { uid: Some("l".into()), name: "L".into(), members, ..Default::default() };
    Book { cards: (0..cards).map(card).collect(), lists: vec![list] }
}

type Read = fn(&[u8]) -> Reading;
type Write = fn(&Book) -> String;

#[test]
#[ignore = "takes a while and prints figures"]
fn a_hundred_thousand_cards() {
    let formats: [(&str, Write, Read); 4] = [
        ("vCard 3.0", |b| vcard::write(b, Version::V3, PLAIN), |b| vcard::read(b, PLAIN)),
        ("vCard 4.0", |b| vcard::write(b, Version::V4, PLAIN), |b| vcard::read(b, PLAIN)),
        ("CSV", |b| table::write(b, Style::default()), table::read),
        ("LDIF", ldif::write, ldif::read),
    ];
    for (name, write, read) in formats {
        let mut before = Duration::ZERO;
        for cards in [50_000, 100_000] {
            let book = book(cards);
            let start = Instant::now();
            let text = write(&book);
            let wrote = start.elapsed();
            let start = Instant::now();
            let reading = read(text.as_bytes());
            let took = start.elapsed();
            assert_eq!(reading.book.cards.len(), cards, "{:?}", reading.findings);
            let mib = text.len() / 1024 / 1024;
            println!("{name}: {cards} cards, {mib} MiB, read {took:?}, written {wrote:?}");
            assert!(took < Duration::from_secs(20), "{name} took {took:?}");
            assert!(before.is_zero() || took < 4 * before, "{name} is not linear");
            before = took;
        }
    }
}

/// One line, one head, one cell, one record as long as a file may be, or many empty ones:
/// shapes that make readers slow whose work is not linear.
#[test]
#[ignore = "takes a while and prints figures"]
fn files_made_to_be_slow() {
    let most = 16 * 1024 * 1024;
    let long = |head: &str, piece: &str, tail: &str| {
        format!("{head}{}{tail}", piece.repeat((most - head.len()) / piece.len()))
    };
    for (name, text) in [
        ("folds", long("BEGIN:VCARD\nFN:A\nNOTE:", "\n x", "\nEND:VCARD\n")),
        ("soft breaks", long("BEGIN:VCARD\nFN;QUOTED-PRINTABLE:", "=\n", "\nEND:VCARD\n")),
        ("parameters", long("BEGIN:VCARD\nFN:A\nTEL", ";a=b", ":1\nEND:VCARD\n")),
        ("begins", long("", "BEGIN:VCARD\n", "")),
        ("quotes", long("Name,Fax\n", "\"", "")),
        ("quoted lines", long("Name,Fax\n\"", "\n", "\"")),
        ("separators", long("Name,Fax\n", ",", "")),
        ("lists", long("Name,Lists\nA,", "a;", "")),
        ("empty lines", long("dn: cn=a\n", "\n", "")),
        ("comments", long("dn: cn=a\n", "#\n a\n", "")),
        ("dns", long("", "dn: cn=a\n\n", "")),
        ("backslashes", long("BEGIN:VCARD\nFN:", "\\", "\nEND:VCARD\n")),
    ] {
        let start = Instant::now();
        let readings = [
            vcard::read(text.as_bytes(), PLAIN),
            table::read(text.as_bytes()),
            ldif::read(text.as_bytes()),
        ];
        let took = start.elapsed();
        let found: usize = readings.iter().map(|r| r.findings.len() + r.findings_left_out).sum();
        println!("{name}: {took:?}, {found} findings");
        assert!(took < Duration::from_secs(20), "{name} took {took:?}");
    }
    // Inside of one card, whose size is bounded; `%` becomes the number of the line.
    for piece in [
        "TEL;TYPE=FAX:%\n",
        "EMAIL:FAX=+%@fax.example.com\nTEL;TYPE=FAX:-%\n",
        "EMAIL:%\n",
        "CATEGORIES:%\n",
        "i%.TEL:1\ni%.X-ABLabel:fax\n",
    ] {
        let lines: String = (0..250_000 / (piece.len() + 8))
            .map(|at| piece.replace('%', &format!("{at:05}")))
            .collect();
        let text = format!("BEGIN:VCARD\nVERSION:3.0\nFN:A\n{lines}END:VCARD\n");
        let options = Options { completion_domain: Some("fax.example.com") };
        let start = Instant::now();
        let mut reading = vcard::read(text.as_bytes(), options);
        let read = start.elapsed();
        let card = &mut reading.book.cards[0];
        card.faxes.reverse();
        card.emails.reverse();
        card.tags.push("b".into());
        let wrote = vcard::write(&reading.book, Version::V4, options).len();
        let took = start.elapsed();
        println!("one card of {piece:?}: read {read:?}, written after {took:?}, {wrote} bytes");
        assert!(took < Duration::from_secs(2), "{piece:?} took {took:?}");
    }
}
