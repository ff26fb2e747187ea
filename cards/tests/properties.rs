//! What holds for every file and every card: no bytes make a reader panic, what was read
//! is read again after writing, and a card comes back from each format as far as
//! `losses` says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use postfax_cards::{
    Book, Card, CardList, Fax, FaxPlace, Format, Kept, Loss, Reading, ldif, losses,
    table::{self, Style},
    vcard::{self, Options, Version},
};
use proptest::{collection::vec, option, prelude::*, sample::select};

const PLAIN: Options<'_> = Options { completion_domain: None };
const OURS: Options<'_> = Options { completion_domain: Some("fax.example.com") };

/// Texts that try what formats treat in a way of their own.
fn text() -> impl Strategy<Value = String> {
    let pieces = vec![
        "a",
        "B",
        "7",
        " ",
        "\n",
        ",",
        ";",
        ":",
        "\\",
        "\"",
        "^",
        "=",
        "+",
        "#",
        "<",
        "n",
        "é",
        "漢",
        "𝄞",
        "\t",
        ".",
        "/",
        "$",
        "%",
        "BEGIN:VCARD",
        "\\n",
        " ::: ",
        "-",
        "uid=",
        "\u{85}",
    ];
    vec(select(pieces), 0..40).prop_map(|pieces| pieces.concat())
}

fn trimmed() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.trim().to_owned())
}

fn full() -> impl Strategy<Value = String> {
    text().prop_map(|text| format!("x{text}y"))
}

fn fax() -> impl Strategy<Value = Fax> {
    let number = prop_oneof!["\\+[0-9]{1,15}", "[0-9][-0-9 ()/,;.]{0,20}[0-9]"];
    let place = select(vec![FaxPlace::Unsaid, FaxPlace::Work, FaxPlace::Home]);
    let sub_address = prop_oneof![Just(String::new()), "[0-9#*]{1,20}".prop_map(String::from)];
    (number, sub_address, place).prop_map(|(number, sub_address, place)| Fax {
        number,
        sub_address,
        place,
    })
}

prop_compose! {
    fn card()(
        uid in option::of("[-a-z0-9:.@]{1,20}"),
        name in full(), family in trimmed(), given in trimmed(), company in trimmed(),
        faxes in vec(fax(), 0..4), alias in trimmed(), note in trimmed(),
        tags in vec(full(), 0..4), emails in vec("[a-z]{1,5}@example\\.com", 0..4),
        rev in option::of("[0-9TZ]{1,16}"),
    ) -> Card {
        let kept = Kept::Nothing;
        Card { uid, name, family, given, company, faxes, alias, note, tags, emails, rev, kept }
    }
}

fn book() -> impl Strategy<Value = Book> {
    let lists = vec((full(), vec("[a-z0-9]{1,8}", 0..4)), 0..3);
    (vec(card(), 0..4), lists).prop_map(|(cards, lists)| {
        let lists = lists.into_iter().enumerate().map(|(at, (name, members))| CardList {
            uid: Some(format!("list{at}")),
            name,
            members,
            ..CardList::default()
        });
        Book { cards, lists: lists.collect() }
    })
}

fn bare(cards: &[Card]) -> Vec<Card> {
    cards.iter().map(Card::bare).collect()
}

fn bare_lists(lists: &[CardList]) -> Vec<CardList> {
    lists.iter().map(|list| CardList { kept: Kept::Nothing, ..list.clone() }).collect()
}

/// Lines that a card can be made of, good ones and odd ones.
const VCARD_LINES: [&str; 36] = [
    "VERSION:2.1",
    "VERSION:3.0",
    "VERSION:4.0",
    "FN:A",
    "FN:",
    "FN;CHARSET=ISO-8859-1;QUOTED-PRINTABLE:M=FC=\r\nx",
    "N:a;b\\;;c",
    "N:;",
    "TEL;TYPE=\"work,fax\":+1",
    "TEL;TYPE=fax;PREF=1;VALUE=uri:tel:+1;x=y",
    "item1.TEL:2",
    "item1.X-ABLabel:fax",
    "ITEM1.TEL;type=pref;TYPE=FAX:3 4",
    "EMAIL:FAX=+1/T33S=2@fax.example.com",
    "EMAIL;PREF=2:a@b",
    "email:",
    "KIND:group",
    "X-ADDRESSBOOKSERVER-KIND:group",
    "MEMBER:urn:uuid:a",
    "X-ADDRESSBOOKSERVER-MEMBER:x",
    "UID:u",
    "UID;VALUE=uri:urn:uuid:u",
    "PHOTO;ENCODING=b;TYPE=JPEG:AAAA",
    "PHOTO:data:image/png;base64,AAAA",
    "PHOTO;ENCODING=BASE64:AA",
    "KEY;TYPE=PREF;ENCODING=\"B\":AAAA",
    "CATEGORIES:a,,b\\,c",
    "CATEGORIES:",
    "NICKNAME:,x",
    "NICKNAME:y,z",
    "REV:1",
    "ORG:;x",
    "X-P;;quoted-printable;b;\"c:d\":1=",
    "A.B.C;=;\"x;y\"=z:\\",
    "NOTE:a\r\n \tb",
    "BEGIN:X",
];

const LDIF_LINES: [&str; 20] = [
    "cn: A",
    "cn:: w6Q=",
    "cn:",
    "cn;lang-de: x",
    "sn: B ",
    "objectClass: groupOfNames",
    "member: cn=A",
    "member: CN=a, uid=1",
    "uniqueMember: uid=a\\2c",
    "facsimileTelephoneNumber: 1$x",
    "fax: none",
    "fax:2",
    "mail: a@b",
    "mozillaSecondEmail: c",
    "uid: 1",
    "entryUUID: 2",
    "description:: YQpi",
    "jpegPhoto:: /9j/",
    "businessCategory: t\n u",
    "o: x\n  y",
];

const CELLS: [&str; 16] = [
    "",
    "",
    "A",
    "+1 2",
    "1 ::: 2",
    "work",
    "home",
    "x;y\\;z",
    "\"a,b\"",
    "\"a\nb\"",
    "\"a\"\"b\"",
    "Work Fax",
    "* x ::: y",
    " c ",
    "\u{e4}",
    "7",
];

const HEADINGS: [&str; 20] = [
    "Name",
    "UID",
    "Fax",
    "Business Fax",
    "Fax 1",
    "Fax 1 Place",
    "Fax 2",
    "Sub-address",
    "Fax 1 Sub-address",
    "Phone 1 - Type",
    "Phone 1 - Value",
    "E-mail 1",
    "E-mail 2 - Value",
    "Labels",
    "Tags",
    "Lists",
    "Odd",
    "Odd",
    "",
    "Display Name",
];

/// Files that are mostly good.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let card = vec(select(VCARD_LINES.to_vec()), 0..12).prop_map(|lines| {
        format!("BEGIN:VCARD\r\nVERSION:4.0\r\n{}\r\nEND:VCARD\r\n", lines.join("\r\n"))
    });
    let record = (0..5, vec(select(LDIF_LINES.to_vec()), 1..12))
        .prop_map(|(at, lines)| format!("dn: cn=A,uid={at}\n{}\n\n", lines.join("\n")));
    let row = || vec(select(CELLS.to_vec()), 1..9).prop_map(|cells| cells.join(",") + "\r\n");
    let table = (vec(select(HEADINGS.to_vec()), 1..9), vec(row(), 0..6))
        .prop_map(|(headings, rows)| format!("{}\r\n{}", headings.join(","), rows.concat()));
    prop_oneof![
        vec(card, 1..4).prop_map(|cards| cards.concat()),
        vec(record, 1..4).prop_map(|records| records.concat()),
        table,
    ]
    .prop_map(String::into_bytes)
}

/// Files that were good once: a few bytes are others.
fn spoilt() -> impl Strategy<Value = Vec<u8>> {
    let bytes: Vec<u8> = b"\n\r:;,\"=\\ \t.\xff\xc3\x95\0ab1#<".to_vec();
    let spoil = vec((any::<prop::sample::Index>(), select(bytes), any::<bool>()), 1..6);
    (likely(), spoil).prop_map(|(mut file, spoil)| {
        for (at, byte, is_more) in spoil {
            let at = at.index(file.len() + 1);
            match file.get_mut(at) {
                Some(place) if !is_more => *place = byte,
                _ => file.insert(at, byte),
            }
        }
        file
    })
}

fn vcards(bytes: &[u8]) -> Reading {
    vcard::read(bytes, PLAIN)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn any_bytes(bytes in prop_oneof![vec(any::<u8>(), 0..400), likely(), spoilt()]) {
        for reading in [vcards(&bytes), vcard::read(&bytes, OURS), table::read(&bytes), ldif::read(&bytes)] {
            prop_assert!(reading.book.cards.iter().all(|card| !card.name.is_empty()));
            for version in [Version::V3, Version::V4] {
                let text = vcard::write(&reading.book, version, OURS);
                prop_assert!(text.split("\r\n").all(|line| line.len() <= 75));
                let again = vcards(text.as_bytes());
                prop_assert_eq!(again.refused, 0, "{}", text);
                prop_assert_eq!(again.book.cards.len(), reading.book.cards.len());
            }
            let text = table::write(&reading.book, Style::default());
            prop_assert_eq!(table::read(text.as_bytes()).refused, 0, "{}", text);
            let text = ldif::write(&reading.book);
            prop_assert_eq!(ldif::read(text.as_bytes()).refused, 0, "{}", text);
        }
    }

    #[test]
    fn what_was_read_is_read_again(bytes in prop_oneof![likely(), spoilt()]) {
        let first = vcards(&bytes);
        for version in [Version::V3, Version::V4] {
            let text = vcard::write(&first.book, version, PLAIN);
            let again = vcards(text.as_bytes());
            prop_assert_eq!(bare(&again.book.cards), bare(&first.book.cards), "{}", &text);
            prop_assert_eq!(vcard::write(&again.book, version, PLAIN), text, "stable");
        }
        let first = ldif::read(&bytes);
        let text = ldif::write(&first.book);
        prop_assert_eq!(bare(&ldif::read(text.as_bytes()).book.cards), bare(&first.book.cards), "{}", &text);
        let first = table::read(&bytes);
        let text = table::write(&first.book, Style::default());
        prop_assert_eq!(&table::read(text.as_bytes()).book.cards, &first.book.cards, "{}", &text);
    }

    #[test]
    fn cards_and_lists_come_back_from_vcard(book in book()) {
        for version in [Version::V3, Version::V4] {
            let text = vcard::write(&book, version, PLAIN);
            let reading = vcards(text.as_bytes());
            prop_assert!(reading.findings.is_empty() || book == Book::default(), "{}", &text);
            prop_assert_eq!(bare(&reading.book.cards), book.cards.clone(), "{}", &text);
            prop_assert_eq!(bare_lists(&reading.book.lists), book.lists.clone(), "{}", &text);
            let text = vcard::write(&book, version, OURS);
            let ours = vcard::read(text.as_bytes(), OURS);
            prop_assert_eq!(bare(&ours.book.cards), book.cards.clone(), "{}", &text);
        }
    }

    #[test]
    fn a_changed_card_comes_back_and_what_is_not_understood_stays(was in card(), is in card()) {
        let stays = "item9.X-ODD;X-P=\"a:b\":x\\;y\r\nitem9.X-ABLabel:odd\r\nADR;TYPE=HOME:;;a\\,b;;;;\r\n";
        for version in [Version::V3, Version::V4] {
            let mut text = String::new();
            vcard::write_card(&was, version, PLAIN, &mut text);
            let text = text.replace("END:VCARD", &format!("{stays}END:VCARD"));
            let read = vcards(text.as_bytes()).book.cards.remove(0);
            let changed = Card { kept: read.kept, ..is.clone() };
            for to in [Version::V3, Version::V4] {
                let mut text = String::new();
                vcard::write_card(&changed, to, PLAIN, &mut text);
                prop_assert!(text.contains(stays), "{}", text);
                prop_assert_eq!(vcards(text.as_bytes()).book.cards[0].bare(), is.clone(), "{}", &text);
            }
        }
    }

    #[test]
    fn cards_come_back_from_tables(book in book()) {
        let text = table::write(&book, Style::default());
        let reading = table::read(text.as_bytes());
        prop_assert_eq!(&reading.findings, &[], "{}", &text);
        for (got, want) in reading.book.cards.iter().zip(&book.cards) {
            let is_whole = losses(want, Format::Csv).is_empty();
            prop_assert!(!is_whole || got == want, "{:?} {:?} {}", got, want, text);
        }
        prop_assert_eq!(reading.book.cards.len(), book.cards.len());
    }

    #[test]
    fn cards_come_back_from_ldif(was in card(), is in card()) {
        let without_loss = |mut card: Card| {
            for loss in losses(&card, Format::Ldif) {
                match loss {
                    Loss::NoUid => card.uid = Some("u".into()),
                    _ => card.faxes.iter_mut().for_each(|fax| {
                        *fax = Fax { number: fax.number.clone(), ..Fax::default() };
                    }),
                }
            }
            card
        };
        let (was, is) = (without_loss(was), without_loss(is));
        prop_assert_eq!(losses(&was, Format::Ldif), vec![]);
        let text = ldif::write(&Book { cards: vec![was.clone()], lists: vec![] });
        prop_assert!(text.split('\n').all(|line| line.len() <= 76));
        let read = ldif::read(text.as_bytes()).book.cards.remove(0);
        prop_assert_eq!(read.bare(), was, "{}", &text);
        let changed = Card { kept: read.kept, ..is.clone() };
        let text = ldif::write(&Book { cards: vec![changed], lists: vec![] });
        prop_assert_eq!(ldif::read(text.as_bytes()).book.cards[0].bare(), is, "{}", &text);
    }
}
