//! vCards in the shapes in which phones, mail programs and servers write them, and what
//! must become of them: read, changed, written back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use postfax_cards::{
    Card, Fax, FaxPlace, Kept, Problem, Reading,
    vcard::{self, FaxAddress, Options, Version},
};

const PLAIN: Options<'_> = Options { completion_domain: None };
const OURS: Options<'_> = Options { completion_domain: Some("fax.example.com") };

fn read(text: &str) -> Reading {
    vcard::read(text.as_bytes(), PLAIN)
}

fn one(text: &str) -> Card {
    let reading = read(text);
    assert_eq!((reading.findings.as_slice(), reading.is_whole()), (&[][..], true), "{text}");
    let [card] = &reading.book.cards[..] else { panic!("{reading:?}") };
    card.clone()
}

fn written(card: &Card, version: Version, options: Options<'_>) -> String {
    let mut out = String::new();
    vcard::write_card(card, version, options, &mut out);
    out
}

fn fax(number: &str, place: FaxPlace) -> Fax {
    Fax { number: number.into(), place, ..Fax::default() }
}

/// Lines without their ends, for samples that are easier to read than CRLF.
fn crlf(text: &str) -> String {
    text.replace('\n', "\r\n")
}

const MACOS: &str = "BEGIN:VCARD
VERSION:3.0
PRODID:-//Apple Inc.//macOS 14.5//EN
N:Rossi;Anna;Maria;Dott.;
FN:Dott. Anna Maria Rossi
NICKNAME:acme,anna
ORG:ACME S.p.A.;Acquisti
EMAIL;type=INTERNET;type=HOME;type=pref:anna@example.org
TEL;type=WORK;type=FAX;type=pref:+39 040 1234
item1.TEL:+39 040 99
item1.X-ABLabel:Telefax Lager
TEL;type=CELL;type=VOICE:+39 333 1
item2.ADR;type=HOME;type=pref:;;Via Roma 1;Trieste;TS;34100;Italia
item2.X-ABADR:it
NOTE:Prima riga\\nseconda\\, con virgola
CATEGORIES:Clienti,Nord\\, Est
X-ABUID:1A2B:ABPerson
UID:0a1b2c3d-0000-4000-8000-1234567890ab
REV:2026-01-31T12:00:00Z
END:VCARD
";

#[test]
fn a_card_of_macos_is_understood_and_comes_back_letter_by_letter() {
    let card = one(&crlf(MACOS));
    let want = Card {
        uid: Some("0a1b2c3d-0000-4000-8000-1234567890ab".into()),
        name: "Dott. Anna Maria Rossi".into(),
        family: "Rossi".into(),
        given: "Anna".into(),
        company: "ACME S.p.A.".into(),
        faxes: vec![fax("+39 040 1234", FaxPlace::Work), fax("+39 040 99", FaxPlace::Unsaid)],
        alias: "acme".into(),
        note: "Prima riga\nseconda, con virgola".into(),
        tags: vec!["Clienti".into(), "Nord, Est".into()],
        emails: vec!["anna@example.org".into()],
        rev: Some("2026-01-31T12:00:00Z".into()),
        kept: Kept::Nothing,
    };
    assert_eq!(card.bare(), want);
    assert_eq!(written(&card, Version::V3, PLAIN), crlf(MACOS));
    assert_eq!(one(MACOS), card, "LF alone");
    assert_eq!(one(&format!("\u{feff}{MACOS}")), card, "with a mark");
}

#[test]
fn what_is_changed_is_changed_and_nothing_else() {
    let mut card = one(&crlf(MACOS));
    card.company = "ACME; Italia".into();
    card.given = "Anna Lucia".into();
    card.alias = "rossi".into();
    card.faxes[0].number = "+39 040 5678".into();
    card.faxes.remove(1);
    card.note.clear();
    card.tags.push("Fax".into());
    card.emails.insert(0, "rossi@example.com".into());
    card.rev = Some("20260201T080000Z".into());
    let want = crlf(MACOS)
        .replace("Rossi;Anna;Maria", "Rossi;Anna Lucia;Maria")
        .replace("ORG:ACME S.p.A.;", "ORG:ACME\\; Italia;")
        .replace("NICKNAME:acme", "NICKNAME:rossi")
        .replace(
            "TEL;type=WORK;type=FAX;type=pref:+39 040 1234",
            "TEL;TYPE=WORK;TYPE=FAX;TYPE=PREF:+39 040 5678",
        )
        .replace("item1.TEL:+39 040 99\r\nitem1.X-ABLabel:Telefax Lager\r\n", "")
        .replace("NOTE:Prima riga\\nseconda\\, con virgola\r\n", "")
        .replace("CATEGORIES:Clienti,Nord\\, Est", "CATEGORIES:Clienti,Nord\\, Est,Fax")
        .replace(
            "EMAIL;type=INTERNET;type=HOME;type=pref:anna@example.org",
            "EMAIL;TYPE=INTERNET:rossi@example.com",
        )
        .replace("REV:2026-01-31T12:00:00Z", "REV:20260201T080000Z");
    let want = want.replace(
        "END:VCARD",
        "EMAIL;type=INTERNET;type=HOME;type=pref:anna@example.org\r\nEND:VCARD",
    );
    let out = written(&card, Version::V3, PLAIN);
    assert_eq!(out, want);
    assert_eq!(one(&out).bare(), card.bare());
}

#[test]
fn numbers_that_fax_in_every_shape() {
    for (tel, want) in [
        ("TEL;TYPE=WORK,FAX:+39 040 1", Some(("+39 040 1", FaxPlace::Work))),
        ("TEL;TYPE=WORK;TYPE=FAX:+39 040 1", Some(("+39 040 1", FaxPlace::Work))),
        ("TEL;VALUE=uri;TYPE=\"work,fax\":tel:+390401", Some(("+390401", FaxPlace::Work))),
        ("TEL;TYPE=\"home,fax\";VALUE=uri:tel:+390401;isub=2", Some(("+390401", FaxPlace::Home))),
        ("TEL;TYPE=\"FAX,HOME\":0401", Some(("0401", FaxPlace::Home))),
        ("TEL;VALUE=TEXT;TYPE=fax;PREF=1:040 1", Some(("040 1", FaxPlace::Unsaid))),
        ("TEL;WORK;FAX:+39 040 1", Some(("+39 040 1", FaxPlace::Work))),
        ("TEL;FAX;HOME;PREF:0401", Some(("0401", FaxPlace::Home))),
        ("TEL;TYPE=fax:040\\,1", Some(("040,1", FaxPlace::Unsaid))),
        ("tel;type=x-otherfax:0401", Some(("0401", FaxPlace::Unsaid))),
        ("x.TEL;TYPE=FAX:0401", Some(("0401", FaxPlace::Unsaid))),
        ("TEL;TYPE=WORK,VOICE:0401", None),
        ("TEL;TYPE=FAX:", None),
        ("TEL;TYPE=FAX:ask", None),
        ("EMAIL;TYPE=FAX:a@example.org", None),
    ] {
        let card = one(&format!("BEGIN:VCARD\nVERSION:3.0\nFN:A\n{tel}\nEND:VCARD\n"));
        let got = card.faxes.first().map(|fax| (fax.number.as_str(), fax.place));
        assert_eq!(got, want, "{tel}");
    }
}

#[test]
fn version_2_1_as_outlook_and_old_phones_write_it() {
    let text = "BEGIN:VCARD\r\nVERSION:2.1\r\n\
        N;LANGUAGE=de;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller;J=F6rg\r\n\
        FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=B6rg M=\r\n=C3=BCller\r\n\
        ORG:Beispiel GmbH;Einkauf\r\n\
        TEL;WORK;FAX:+49 (30) 1234\r\n\
        NOTE;ENCODING=QUOTED-PRINTABLE:erste=0D=0A=\r\nzweite\r\n\
        PHOTO;TYPE=JPEG;ENCODING=BASE64:\r\n /9j/4AAQ\r\n SkZJRg==\r\n\r\n\
        X-MS-OL-DEFAULT-POSTAL-ADDRESS:0\r\nEND:VCARD\r\n";
    let card = one(text);
    assert_eq!((card.family.as_str(), card.given.as_str()), ("Müller", "Jörg"));
    assert_eq!(card.name, "Jörg Müller");
    assert_eq!(card.faxes, [fax("+49 (30) 1234", FaxPlace::Work)]);
    assert_eq!(card.note, "erste\nzweite");
    let out = written(&card, Version::V3, PLAIN);
    assert!(out.contains("PHOTO;TYPE=JPEG;ENCODING=b:/9j/4AAQSkZJRg==\r\n"), "{out}");
    assert!(out.contains("X-MS-OL-DEFAULT-POSTAL-ADDRESS:0\r\n"), "{out}");
    assert!(out.contains("TEL;TYPE=WORK;TYPE=FAX:+49 (30) 1234\r\n"), "{out}");
    assert_eq!(one(&out), card);
    let four = written(&card, Version::V4, PLAIN);
    assert!(four.contains("PHOTO:data:image/jpeg;base64,/9j/4AAQSkZJRg==\r\n"), "{four}");
}

#[test]
fn android_thunderbird_and_nextcloud_lose_nothing_between_the_versions() {
    // DAVx5 and Nextcloud write 4.0 and 3.0 with groups of labels; Thunderbird 4.0.
    let text = crlf(
        "BEGIN:VCARD
VERSION:4.0
PRODID:+//IDN bitfire.at//DAVx5/4.4-ose ez-vcard/0.12.1
UID:urn:uuid:c0ffee00-0000-4000-8000-000000000001
FN;PREF=1:Björn Ågren
N:Ågren;Björn;;;
EMAIL;PREF=1:bjorn@example.org
group1.TEL;TYPE=work,fax;PREF=1:tel:+4681234
group1.X-ABLABEL:Huvudfax
TZ;VALUE=TEXT:Europe/Stockholm
PHOTO:data:image/png;base64,iVBORw0KGgo=
X-CUSTOM1;VALUE=TEXT:ett
GEO:geo:59.3,18.1
END:VCARD
",
    );
    let card = one(&text);
    assert_eq!(card.uid.as_deref(), Some("c0ffee00-0000-4000-8000-000000000001"));
    assert_eq!(card.faxes, [fax("+4681234", FaxPlace::Work)]);
    assert_eq!(written(&card, Version::V4, PLAIN), text);
    let three = written(&card, Version::V3, PLAIN);
    for line in [
        "FN;TYPE=pref:Björn Ågren\r\n",
        "PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=\r\n",
        "X-CUSTOM1;VALUE=TEXT:ett\r\n",
        "group1.X-ABLABEL:Huvudfax\r\n",
    ] {
        assert!(three.contains(line), "{line} is not in\n{three}");
    }
    assert_eq!(one(&three).bare(), card.bare());
}

#[test]
fn lines_are_folded_at_75_octets_and_no_letter_is_torn() {
    let card = Card { name: "ä€𝄞".repeat(60), note: "€".repeat(400), ..Card::default() };
    let out = written(&card, Version::V4, PLAIN);
    let lines: Vec<&str> = out.split("\r\n").collect();
    assert!(lines.iter().all(|line| line.len() <= 75), "{out}");
    assert!(lines.iter().any(|line| line.len() >= 73), "{out}");
    assert_eq!(one(&out).bare(), card);
}

#[test]
fn a_number_is_written_again_as_the_address_that_faxes() {
    let mut card = Card { name: "ACME".into(), ..Card::default() };
    card.faxes = vec![fax("+39 (040) 12-34", FaxPlace::Work), fax("ask Anna: 12", FaxPlace::Home)];
    card.faxes[0].sub_address = "77".into();
    let out = written(&card, Version::V3, OURS);
    assert_eq!(
        out,
        "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:ACME\r\nN:;;;;\r\n\
         TEL;TYPE=WORK;TYPE=FAX;X-SUBADDRESS=\"77\":+39 (040) 12-34\r\n\
         TEL;TYPE=HOME;TYPE=FAX:ask Anna: 12\r\n\
         EMAIL;TYPE=INTERNET:FAX=+390401234/T33S=77@fax.example.com\r\nEND:VCARD\r\n"
    );
    let back = vcard::read(out.as_bytes(), OURS).book.cards.remove(0);
    assert_eq!(back.bare(), card, "our own address is no second number");
    assert_eq!(written(&back, Version::V3, OURS), out);
    let mut changed = back;
    changed.faxes[0].number = "+39 040 99".into();
    let out = written(&changed, Version::V3, OURS);
    assert!(out.contains("FAX=+3904099/T33S=77@") && !out.contains("+390401234"), "{out}");
    // A phone that drops what it does not know leaves the address, and that has it all.
    let dropped = out.replace(";X-SUBADDRESS=\"77\"", "");
    let back = vcard::read(dropped.as_bytes(), OURS).book.cards.remove(0);
    assert_eq!(back.faxes, changed.faxes);
    assert_eq!(written(&back, Version::V3, OURS), out);
    // A number that somebody typed on a phone, as an address that faxes.
    let typed = "BEGIN:VCARD\nVERSION:3.0\nFN:A\nEMAIL:fax=+1-202-555@FAX.example.com\nEMAIL:FAX=+1@example.org\nEND:VCARD\n";
    let card = vcard::read(typed.as_bytes(), OURS).book.cards.remove(0);
    assert_eq!(card.faxes, [fax("+1202555", FaxPlace::Unsaid)]);
    assert_eq!(card.emails, ["FAX=+1@example.org"], "another domain is none of ours");
}

#[test]
fn addresses_that_fax_are_parsed() {
    for (address, want) in [
        ("FAX=+390401234@fax.example.com", Some(("+390401234", "", "fax.example.com"))),
        ("fax=+39-040/T33S=12@a.example.com", Some(("+39040", "12", "a.example.com"))),
        ("\"FAX=+39/T33S=1\"@a.example.com", Some(("+39", "1", "a.example.com"))),
        ("FAX=@a.example.com", None),
        ("FAX=+39", None),
        ("anna@example.com", None),
        ("é€@example.com", None),
    ] {
        let got = FaxAddress::parse(address);
        let got = got.as_ref().map(|a| (&a.number[..], &a.sub_address[..], &a.domain[..]));
        assert_eq!(got, want, "{address}");
    }
}

#[test]
fn lists_of_apple_and_of_version_4() {
    let three = crlf(
        "BEGIN:VCARD
VERSION:3.0
PRODID:-//Apple Inc.//iCloud//EN
N:Händler
FN:Händler
X-ADDRESSBOOKSERVER-KIND:group
X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:AAAA
X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:BBBB
UID:LIST-1
END:VCARD
",
    );
    let mut reading = read(&three);
    let list = &reading.book.lists[0];
    assert_eq!((list.uid.as_deref(), list.name.as_str()), (Some("LIST-1"), "Händler"));
    assert_eq!(list.members, ["AAAA", "BBBB"]);
    assert_eq!(vcard::write(&reading.book, Version::V3, PLAIN), three);
    let four = vcard::write(&reading.book, Version::V4, PLAIN);
    assert!(four.contains("\r\nKIND:group\r\nMEMBER:urn:uuid:AAAA\r\n"), "{four}");
    assert_eq!(read(&four).book.lists[0].members, list.members);
    reading.book.lists[0].members = vec!["BBBB".into(), "mailto:c@example.com".into()];
    let out = vcard::write(&reading.book, Version::V3, PLAIN);
    assert_eq!(read(&out).book.lists[0].members, ["BBBB", "mailto:c@example.com"]);
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_nothing_is_half_read() {
    let good = "BEGIN:VCARD\nVERSION:3.0\nFN:Good\nEND:VCARD\n";
    for (bad, line, problem) in [
        ("BEGIN:VCARD\nVERSION:3.0\nFN:A\nnot folded\nEND:VCARD\n", 4, Problem::NoColon),
        ("BEGIN:VCARD\nVERSION:5.0\nFN:A\nEND:VCARD\n", 2, Problem::BadVersion("5.0".into())),
        ("BEGIN:VCARD\nFN:A\nTE L:1\nEND:VCARD\n", 3, Problem::BadName("TE L".into())),
        ("BEGIN:VCARD\nFN:A\n", 1, Problem::Unclosed),
        ("BEGIN:VCARD\nVERSION:3.0\nEND:VCARD\n", 1, Problem::Nameless),
        (
            "BEGIN:VCARD\nFN;CHARSET=klingon;ENCODING=QUOTED-PRINTABLE:A=FF\nEND:VCARD\n",
            2,
            Problem::BadCharset("klingon".into()),
        ),
    ] {
        let reading = read(&format!("{bad}{good}"));
        assert_eq!(reading.book.cards.len(), 1, "{bad}");
        assert_eq!((reading.refused, reading.book.cards[0].name.as_str()), (1, "Good"), "{bad}");
        assert_eq!(reading.findings[0].place.line, line, "{bad}");
        assert_eq!(reading.findings[0].problem, problem);
    }
    let said = read("BEGIN:VCARD\nFN:A\nnot folded\nEND:VCARD\n").findings[0].to_string();
    let want = "line 3: this line is no `name:value`; \
        a long value goes on in a line that begins with a space";
    assert_eq!(said, want);
    let stray = read(&format!("TEL:1\n{good}"));
    assert_eq!((stray.book.cards.len(), &stray.findings[0].problem), (1, &Problem::OutsideCard));
}

#[test]
fn limits_are_named() {
    let large = format!("BEGIN:VCARD\nFN:A\nNOTE:{}\nEND:VCARD\n", "x".repeat(256 * 1024));
    let reading = read(&format!("{large}BEGIN:VCARD\nFN:B\nEND:VCARD\n"));
    assert!(matches!(reading.findings[0].problem, Problem::CardTooLarge(_)), "{reading:?}");
    assert_eq!(reading.book.cards.len(), 1);
    let zeros = vec![b' '; postfax_cards::FILE_BYTES_MOST + 1];
    let reading = vcard::read(&zeros, PLAIN);
    assert_eq!(reading.findings[0].problem, Problem::FileTooLarge(zeros.len()));
    let many = "BEGIN:VCARD\nFN:A\nEND:VCARD\n".repeat(postfax_cards::CARDS_MOST + 1);
    let reading = read(&many);
    assert_eq!(reading.book.cards.len(), postfax_cards::CARDS_MOST);
    assert_eq!(reading.findings[0].problem, Problem::TooManyCards);
    assert!(!reading.is_whole());
    let noise = read(&"x\n".repeat(5000));
    assert_eq!((noise.findings.len(), noise.findings_left_out), (1000, 4000));
    for (bytes, want) in [
        (&b"PK\x03\x04\0\0"[..], Problem::NoText),
        (b"", Problem::NothingFound("a vCard (BEGIN:VCARD)")),
    ] {
        assert_eq!(vcard::read(bytes, PLAIN).findings[0].problem, want);
    }
}
