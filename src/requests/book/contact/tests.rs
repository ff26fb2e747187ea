//! Cards as entries and back: samples by hand, and lines by chance.

use proptest::prelude::*;

use super::*;
use crate::requests::samples;

fn british() -> Setup {
    Setup { country: "GB".parse().unwrap(), ..samples::setup() }
}

fn entry(content: Content) -> Entry {
    Entry {
        id: EntryId(1),
        uid: "4fbe8971-0bc3-424c-9c26-36c3e1eff6b1".into(),
        version: 3,
        stamp: Stamp(1_795_424_400_123),
        owner: Owner::Supervisor,
        label: Label::Everyone,
        content,
    }
}

fn card(lines: &str) -> Card {
    let text = format!("BEGIN:VCARD\nVERSION:3.0\n{lines}\nEND:VCARD\n");
    let read = vcard::read(text.as_bytes(), vcard::Options::default());
    assert!(read.is_whole(), "{:?}", read.findings);
    read.book.cards[0].clone()
}

fn contact(lines: &str) -> Contact {
    read(&card(lines), &british()).unwrap()
}

fn text(card: &Card, version: Version) -> String {
    let mut text = String::new();
    vcard::write_card(card, version, vcard::Options::default(), &mut text);
    text
}

const THUNDERBIRD: &str = "FN:Anna Adams\nN:Adams;Anna;;;\nNICKNAME:anna\nORG:Acme;Accounts\n\
    TEL;TYPE=HOME,FAX:+44 20 7946 0199\nTEL;TYPE=WORK,FAX;PREF=1:020 7946 0100\n\
    TEL;TYPE=CELL:+44 7700 900123\nEMAIL:anna@example.com\nCATEGORIES:news,law\n\
    NOTE:Rings twice\\nthen faxes\nADR:;;1 High St;London;;;\nUID:u-1\nREV:20200101T000000Z";

#[test]
fn fields_are_read_and_the_rest_is_kept() {
    let Contact { uid, content, notes } = contact(THUNDERBIRD);
    assert_eq!(uid.as_deref(), Some("u-1"));
    assert_eq!(notes, []);
    assert_eq!((content.name.as_str(), content.company.as_str()), ("Anna Adams", "Acme"));
    assert_eq!(content.alias.as_deref(), Some("anna"));
    assert_eq!(content.note, "Rings twice\nthen faxes");
    assert_eq!(content.tags, ["law", "news"].map(str::to_owned).into());
    let Reach::Fax(line) = &content.reach else { panic!() };
    assert_eq!(line.number.as_str(), "+442079460100", "the fax at work");
    let kept: Vec<&str> = content.kept.lines().collect();
    assert_eq!(
        kept,
        [
            "N:Adams;Anna;;;",
            "ORG:;Accounts",
            "TEL;TYPE=fax;TYPE=home:+44 20 7946 0199",
            "TEL;TYPE=fax;TYPE=pref;TYPE=work:0",
            "TEL;TYPE=cell:+44 7700 900123",
            "EMAIL:anna@example.com",
            "ADR:;;1 High St;London;;;",
        ]
    );
}

#[test]
fn a_card_comes_back_with_what_was_written() {
    let setup = british();
    let content = contact(THUNDERBIRD).content;
    let written = text(&write(&entry(content.clone()), &setup), Version::V3);
    for line in [
        "FN:Anna Adams",
        "ORG:Acme;Accounts",
        "TEL;PREF=1;TYPE=WORK;TYPE=FAX:+442079460100",
        "TEL;TYPE=HOME,FAX:+44 20 7946 0199",
        "EMAIL:anna@fax.example.com",
        "EMAIL;TYPE=INTERNET:anna@example.com",
        "UID:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1",
        "REV:20261123T090000Z",
    ] {
        let value = line.rsplit_once(':').unwrap().1;
        assert!(written.contains(value), "{line} is not in {written}");
    }
    assert!(written.find("anna@fax.example.com") < written.find("anna@example.com"));
    let again = vcard::read(written.as_bytes(), vcard::Options::default());
    assert_eq!(read(&again.book.cards[0], &setup).unwrap().content, content);
}

#[test]
fn the_address_that_faxes_is_never_one_of_the_contact() {
    let setup = british();
    for email in [
        "acme@fax.example.com",
        "OLD-ALIAS@FAX.example.com",
        "+442079460100@fax.example.com",
        "FAX=+442079460100/T33S=4@fax.example.com",
        "0207946000@fax.example.com",
    ] {
        let read = contact(&format!("FN:A\nTEL;TYPE=WORK,FAX:0207 946 0100\nEMAIL:{email}"));
        assert_eq!(read.content.kept, "", "{email}");
    }
    for email in ["book@fax.example.com", "postmaster@fax.example.com", "a@example.com"] {
        let lines = format!("FN:A\nTEL;TYPE=WORK,FAX:0207 946 0100\nEMAIL:{email}");
        assert_eq!(contact(&lines).content.kept, format!("EMAIL:{email}"));
        let card = write(&entry(contact(&lines).content), &setup);
        assert_eq!(card.emails, ["+442079460100@fax.example.com", email]);
    }
}

#[test]
fn a_sub_address_survives_a_phone_that_drops_parameters() {
    let setup = british();
    let content = contact("FN:A\nNICKNAME:acme\nTEL;TYPE=FAX;X-SUBADDRESS=12:02079460100").content;
    let card = write(&entry(content.clone()), &setup);
    assert_eq!(card.emails, ["acme@fax.example.com", "+442079460100/T33S=12@fax.example.com"]);
    let written = text(&card, Version::V3).replace(";X-SUBADDRESS=\"12\"", "");
    assert!(!written.contains("X-SUBADDRESS"), "{written}");
    let again = vcard::read(written.as_bytes(), vcard::Options::default());
    assert_eq!(read(&again.book.cards[0], &setup).unwrap().content, content);
}

#[test]
fn what_cannot_be_an_entry_is_named() {
    let setup = british();
    let refused = |lines: &str| read(&card(lines), &setup).unwrap_err();
    assert_eq!(refused("FN:A\nTEL;TYPE=CELL:07700900123"), BadCard::NoFax);
    let bad = refused("FN:A\nTEL;TYPE=FAX:+44 20 7946 0100 ext 5");
    assert!(bad.to_string().contains("\"+44 20 7946 0100 ext 5\""), "{bad}");
    let bad = refused("FN:A\nTEL;TYPE=FAX;X-SUBADDRESS=\"12#3\":02079460100");
    assert_eq!(bad, BadCard::Entry(BadEntry::Subaddress));
    let long = format!("FN:A\nTEL;TYPE=FAX:02079460100\nX-LONG:{}", "x".repeat(9000));
    assert_eq!(refused(&long), BadCard::TooLarge(9000 + 7 + 1 + "TEL;TYPE=fax:0".len()));
    let photo =
        format!("FN:A\nTEL;TYPE=WORK,FAX:02079460100\nPHOTO;ENCODING=b:{}", "QUJD".repeat(4000));
    assert_eq!(
        (contact(&photo).notes, contact(&photo).content.kept),
        (vec![Note::Pictures], "".into())
    );
    for name in ["Big Bob", "12345", "settings"] {
        let read = contact(&format!("FN:A\nNICKNAME:{name}\nTEL;TYPE=WORK,FAX:02079460100"));
        assert_eq!(read.notes, [Note::NoAlias(name.into())]);
        assert_eq!((read.content.alias, read.content.kept), (None, format!("NICKNAME:{name}")));
    }
}

#[test]
fn numbers_are_read_as_address_books_have_them() {
    for written in [
        "+44 20 7946 0100",
        "+44 (0)20 7946 0100",
        "+44\u{a0}20\u{2011}7946\u{2013}0100",
        "020/7946-0100",
        "(020) 7946.0100",
        "0044 20 7946 0100",
    ] {
        let found = number(written, &british()).map(|number| number.to_string());
        assert_eq!(found.as_deref(), Ok("+442079460100"), "{written}");
    }
}

#[test]
fn lists_say_what_entries_say() {
    let setup = british();
    let text = "BEGIN:VCARD\nVERSION:3.0\nFN:Boards\nN:Boards;;;;\nNICKNAME:boards\n\
        X-ADDRESSBOOKSERVER-KIND:group\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:u-2\n\
        X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:u-1\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:gone\n\
        NOTE:All of them\nUID:u-9\nX-COLOUR:red\nEND:VCARD\n";
    let book = vcard::read(text.as_bytes(), vcard::Options::default()).book;
    let find = |uid: &str| uid.strip_prefix("u-")?.parse().ok().map(EntryId);
    let (contact, unknown) = read_list(&book.lists[0], &setup, find).unwrap();
    assert_eq!(contact.uid.as_deref(), Some("u-9"));
    assert_eq!(unknown, ["gone"]);
    let content = contact.content;
    assert_eq!(content.reach, Reach::List(vec![EntryId(2), EntryId(1)]));
    assert_eq!((content.alias.as_deref(), content.note.as_str()), (Some("boards"), "All of them"));
    assert_eq!(content.kept, "X-COLOUR:red");
    let list = write_list(&entry(content.clone()), ["u-2", "u-1"].into_iter(), &setup);
    assert_eq!(list.members, ["u-2", "u-1"]);
    for version in [Version::V3, Version::V4] {
        let book = Cards { cards: vec![], lists: vec![list.clone()] };
        let text = vcard::write(&book, version, vcard::Options::default());
        assert!(text.contains("boards@fax.example.com"), "{text}");
        let book = vcard::read(text.as_bytes(), vcard::Options::default()).book;
        let (again, _) = read_list(&book.lists[0], &setup, find).unwrap();
        assert_eq!(again.content, content);
    }
}

fn line() -> impl Strategy<Value = String> {
    let tel =
        |place: &'static str| "[1-9]{3}".prop_map(move |n| format!("TEL;{place}:020 7946 0{n}"));
    prop_oneof![
        "[a-z ]{1,8}".prop_map(|t| format!("ADR:;;{t};;;;")),
        "[a-zA-Z ,]{1,12}".prop_map(|t| format!("NICKNAME:{t}")),
        "[a-z,]{1,12}".prop_map(|t| format!("CATEGORIES:{t}")),
        "[a-z\\\\;, ]{1,12}".prop_map(|t| format!("NOTE:{t}")),
        "[a-z;]{1,12}".prop_map(|t| format!("ORG:{t}")),
        "[a-z;]{1,12}".prop_map(|t| format!("N:{t}")),
        "[a-z]{1,5}".prop_map(|t| format!("EMAIL;TYPE=HOME:{t}@example.com")),
        "[a-z0-9]{1,5}".prop_map(|t| format!("EMAIL:{t}@fax.example.com")),
        Just("EMAIL:+442079460123/T33S=7@fax.example.com".to_owned()),
        Just("X-POSTFAX-COVER:no".to_owned()),
        Just("X-POSTFAX-RESOLUTION:superfine".to_owned()),
        Just("item1.X-ABLabel:Fax".to_owned()),
        Just("KIND:individual".to_owned()),
        tel("TYPE=WORK,FAX"),
        tel("TYPE=HOME,FAX"),
        tel("TYPE=FAX"),
        tel("TYPE=\"fax,x-other\";PREF=1"),
        tel("TYPE=CELL"),
        Just("item1.TEL;type=pref:+4930123456".to_owned()),
        Just("TEL;TYPE=FAX:0".to_owned()),
        Just("TEL;TYPE=FAX;X-SUBADDRESS=77:02079460100".to_owned()),
    ]
}

proptest! {
    #[test]
    fn what_was_read_once_is_read_the_same_again(
        lines in prop::collection::vec(line(), 0..12),
        is_four in any::<bool>(),
    ) {
        let setup = british();
        let version = if is_four { Version::V4 } else { Version::V3 };
        let number = if is_four { "4.0" } else { "3.0" };
        let text = format!(
            "BEGIN:VCARD\nVERSION:{number}\nFN:A\n{}\nEND:VCARD\n", lines.join("\n")
        );
        let book = vcard::read(text.as_bytes(), vcard::Options::default()).book;
        let first = match read(&book.cards[0], &setup) {
            Ok(first) => first.content,
            Err(BadCard::NoFax | BadCard::Number { .. }) => return Ok(()),
            Err(other) => panic!("{other}"),
        };
        let mut content = first.clone();
        for _ in 0..2 {
            let card = write(&entry(content.clone()), &setup);
            let mut text = String::new();
            vcard::write_card(&card, version, vcard::Options::default(), &mut text);
            let back = vcard::read(text.as_bytes(), vcard::Options::default()).book;
            content = read(&back.cards[0], &setup).unwrap().content;
            prop_assert_eq!(&content, &first, "{}", text);
        }
        // Without the way through the text, and after a change of its fields.
        prop_assert_eq!(&settled(first.clone(), &setup), &first);
        let changed = Content { alias: Some("other".into()), company: "B".into(), ..first };
        let once = settled(changed, &setup);
        prop_assert_eq!(settled(once.clone(), &setup), once);
    }
}
