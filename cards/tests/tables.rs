//! Tables in the shapes in which spreadsheets and address books export them, and what is
//! said of bad rows.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use postfax_cards::{
    Book, Card, CardList, Fax, FaxPlace, Kept, Problem, Reading,
    table::{self, Style},
};

fn read(text: &str) -> Reading {
    table::read(text.as_bytes())
}

fn faxes(reading: &Reading) -> Vec<(&str, FaxPlace)> {
    let all = reading.book.cards.iter().flat_map(|card| &card.faxes);
    all.map(|fax| (fax.number.as_str(), fax.place)).collect()
}

#[test]
fn thunderbird() {
    let reading = read(
        "First Name,Last Name,Display Name,Nickname,Primary Email,Secondary Email,Screen Name,\
         Work Phone,Home Phone,Fax Number,Pager Number,Mobile Number,Organization,Notes\r\n\
         Anna,Rossi,Anna Rossi,acme,a@example.org,b@example.org,,040 9,,+39 040 1234,,,ACME,\"x\r\ny\"\r\n\
         ,,,,,,,,,040 77,,,,\r\n",
    );
    let unknown: Vec<_> =
        reading.findings.iter().filter_map(|found| found.place.column.as_deref()).collect();
    assert_eq!(
        unknown,
        ["Screen Name", "Work Phone", "Home Phone", "Pager Number", "Mobile Number"]
    );
    let card = &reading.book.cards[0];
    assert_eq!((&card.family[..], &card.given[..]), ("Rossi", "Anna"));
    assert_eq!((&card.alias[..], &card.company[..], &card.note[..]), ("acme", "ACME", "x\ny"));
    assert_eq!(card.emails, ["a@example.org", "b@example.org"]);
    assert_eq!(card.kept, Kept::Csv(vec![("Work Phone".into(), "040 9".into())]));
    assert_eq!(reading.book.cards[1].name, "040 77", "named by what there is");
    let out = table::write(&reading.book, Style::default());
    assert_eq!(read(&out).book, reading.book, "what was not understood is there again");
}

#[test]
fn thunderbird_in_german_and_french() {
    for heads in [
        "Vorname,Nachname,Anzeigename,Spitzname,Primäre E-Mail-Adresse,Sekundäre E-Mail-Adresse,\
         Fax-Nummer,Organisation,Notizen",
        "Prénom,Nom de famille,Nom à afficher,Surnom,Adresse électronique principale,\
         Adresse électronique secondaire,Fax,Société,Notes",
    ] {
        let reading = read(&format!("{heads}\nA,B,A B,ab,a@example.org,b@example.org,+1 1,C,n\n"));
        assert_eq!(reading.findings, [], "{heads}");
        let want = Card {
            name: "A B".into(),
            given: "A".into(),
            family: "B".into(),
            alias: "ab".into(),
            company: "C".into(),
            note: "n".into(),
            emails: vec!["a@example.org".into(), "b@example.org".into()],
            faxes: vec![Fax { number: "+1 1".into(), ..Fax::default() }],
            ..Card::default()
        };
        assert_eq!(reading.book.cards, [want]);
    }
}

#[test]
fn outlook_in_its_languages_and_encodings() {
    use FaxPlace::{Home, Unsaid, Work};
    let numbers = "A;B;C;+1 1;+1 2;+1 3;a@example.org;b@example.org";
    for heads in [
        "First Name;Last Name;Company;Business Fax;Home Fax;Other Fax;E-mail Address;E-mail 2 Address",
        "Vorname;Nachname;Firma;Fax geschäftlich;Fax privat;Weiteres Fax;E-Mail-Adresse;E-Mail 2: Adresse",
        "Prénom;Nom;Société;Télécopie (bureau);Télécopie (domicile);Télécopie (autre);Adresse de messagerie;Adresse de messagerie 2",
        "名;姓;会社名;会社 FAX;自宅 FAX;その他の FAX;電子メール アドレス;電子メール 2 アドレス",
    ] {
        let text = format!("{heads}\r\n{numbers}\r\n");
        let all = [
            text.as_bytes().to_vec(),
            format!("\u{feff}sep=;\r\n{text}").into_bytes(),
            text.replace(';', "\t").into_bytes(),
            text.replace(';', ",").into_bytes(),
            [&b"\xff\xfe"[..], &text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()]
                .concat(),
            encoding_rs::WINDOWS_1252.encode(&text).0.into_owned(),
            encoding_rs::SHIFT_JIS.encode(&text).0.into_owned(),
        ];
        for (at, bytes) in all.iter().enumerate() {
            // Each of the two old encodings has letters for its own languages.
            let is_japanese = heads.contains('姓');
            if (at == 5 && is_japanese) || (at == 6 && !is_japanese) {
                continue;
            }
            let reading = table::read(bytes);
            let bad = |problem: &Problem| !matches!(problem, Problem::ReadAs(_));
            assert!(!reading.findings.iter().any(|f| bad(&f.problem)), "{heads} {at}: {reading:?}");
            assert_eq!(faxes(&reading), [("+1 1", Work), ("+1 2", Home), ("+1 3", Unsaid)], "{at}");
            let card = &reading.book.cards[0];
            assert_eq!((&card.given[..], &card.family[..], &card.company[..]), ("A", "B", "C"));
            assert_eq!(card.emails, ["a@example.org", "b@example.org"]);
        }
    }
}

#[test]
fn google() {
    for label in ["Label", "Type"] {
        let reading = read(&format!(
            "Name,Given Name,Family Name,Nickname,Labels,E-mail 1 - Label,E-mail 1 - Value,\
             Phone 1 - {label},Phone 1 - Value,Phone 2 - {label},Phone 2 - Value,Organization Name\n\
             A B,A,B,,* myContacts ::: Fax,Work,a@example.org,Mobile,+1 9,Work Fax,+1 1 ::: +1 2,X\n"
        ));
        assert_eq!(faxes(&reading), [("+1 1", FaxPlace::Work), ("+1 2", FaxPlace::Work)]);
        let card = &reading.book.cards[0];
        assert_eq!(card.tags, ["myContacts", "Fax"]);
        let Kept::Csv(kept) = &card.kept else { panic!("{card:?}") };
        let kept: Vec<&str> = kept.iter().map(|(_, cell)| cell.as_str()).collect();
        assert_eq!(kept, ["Work", "Mobile", "+1 9"]);
    }
}

#[test]
fn our_own_table_carries_everything() {
    let fax = |number: &str, place, sub: &str| Fax {
        number: number.into(),
        place,
        sub_address: sub.into(),
    };
    let card = Card {
        uid: Some("1".into()),
        name: "A, \"B\"; C".into(),
        company: "ü€漢".into(),
        faxes: vec![fax("+1 1", FaxPlace::Work, "7"), fax("1", FaxPlace::Unsaid, "")],
        tags: vec!["a;b".into(), "c,d".into()],
        note: "x\ny\\n".into(),
        emails: vec!["a@example.org".into()],
        rev: Some("20260101".into()),
        ..Card::default()
    };
    let second = Card { name: "Nobody".into(), ..Card::default() };
    let list = |name: &str, members: &[&str]| CardList {
        name: name.into(),
        members: members.iter().map(|m| (*m).to_owned()).collect(),
        ..CardList::default()
    };
    let lists = vec![list("x;y", &["1", "Nobody"]), list("z", &["Nobody"])];
    let book = Book { cards: vec![card, second], lists };
    for separator in [b',', b';', b'\t'] {
        for byte_order_mark in [true, false] {
            let text = table::write(&book, Style { separator, byte_order_mark });
            let reading = read(&text);
            assert_eq!((reading.findings.as_slice(), &reading.book), (&[][..], &book), "{text}");
        }
    }
}

#[test]
fn a_bad_row_is_named_by_row_and_column_and_left_out() {
    let text = "Name,Fax 1,Fax 1 Place,Note\n\
        A,+1 1,work,\"two\nlines\"\n\
        \n\
        B,none,,\n\
        C,+1 2,attic,\n\
        D,+1 3,home,,more\n\
        ,,,only a note\n\
        E,+1 4,,fine\n\
        F,+1 5,,\"open\n\
        G,+1 6,,\n";
    let reading = read(text);
    let names: Vec<&str> = reading.book.cards.iter().map(|card| card.name.as_str()).collect();
    assert_eq!((names, reading.refused), (vec!["A", "E"], 5));
    assert!(!reading.is_whole());
    let said: Vec<String> = reading.findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "row 4, column \"Fax 1\": \"none\" is no number; \
             write the number with its digits, like +39 040 1234",
            "row 5, column \"Fax 1 Place\": \"attic\" is no place of a fax; work, home or nothing",
            "row 6: there are 5 cells under 4 headings; \
             put quotes around a cell with a separator in it",
            "row 7: there is neither a name nor a number nor an address; \
             give a name, a company, a fax number or an address",
            "row 9: a quote is opened or closed and not the other; \
             put a cell in quotes and write a quote in it twice",
        ]
    );
    assert_eq!(reading.findings[0].place.line, 5, "the line of the file counts every one");
}

#[test]
fn tables_that_are_none() {
    for (text, want) in [
        ("", Problem::NothingFound("a table")),
        ("1,2\n3,4\n", Problem::NoHeadings),
        ("Name,\"Fax\nA,1\n", Problem::BadQuotes),
    ] {
        let reading = read(text);
        assert!(reading.book.cards.is_empty(), "{text}");
        assert!(reading.findings.iter().any(|found| found.problem == want), "{text}: {reading:?}");
    }
    let wide = read(&("Name,".repeat(1001) + "\n"));
    assert_eq!(wide.findings[0].problem, Problem::TooManyColumns(1002));
    let doubled = read("Name,Display Name\nA,B\n");
    assert_eq!(doubled.findings[0].problem, Problem::DoubledColumn);
    assert!(doubled.is_whole() && !wide.is_whole());
    assert_eq!(
        doubled.book.cards[0].kept,
        Kept::Csv(vec![("Display Name (again)".into(), "B".into())])
    );
    let lone = read("Name,Sub-address\nA,12\n");
    assert_eq!(lone.findings[0].problem, Problem::SubAddressAlone("12".into()));
    let old_mac = read("Name,Fax\rA,1\rB,x\r");
    assert_eq!((old_mac.book.cards.len(), old_mac.findings[0].place.row), (1, Some(3)));
}
