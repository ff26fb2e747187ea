//! LDIF as Thunderbird and directories export it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use postfax_cards::{Card, Fax, Format, Loss, Problem, ldif, losses};

const THUNDERBIRD: &str = "version: 1
# a comment
#  that goes
 on

dn: cn=Anna Rossi,mail=anna@example.org
objectclass: top
objectclass: person
objectclass: organizationalPerson
objectclass: inetOrgPerson
objectclass: mozillaAbPersonAlpha
givenName: Anna
sn: Rossi
cn: Anna Rossi
mozillaNickname: acme
mail: anna@example.org
mozillaSecondEmail: b@example.org
modifytimestamp: 1700000000
telephoneNumber: 040 9
facsimiletelephonenumber: +39 040 1234
o:: QUNNRSDigqw=
description: a long line that goes on and on until it is folded, as director
 ies do it
jpegPhoto:: /9j/4AAQ

dn: cn=List,mail=
objectclass: top
objectclass: groupOfNames
cn: List
member: CN=Anna Rossi, mail=anna@example.org
member: cn=Elsewhere,mail=x@example.org
";

fn without_comments(text: &str) -> String {
    text.replace("# a comment\n#  that goes\n on\n\n", "")
}

#[test]
fn thunderbird_is_understood_and_comes_back() {
    let reading = ldif::read(THUNDERBIRD.as_bytes());
    assert_eq!(reading.findings, []);
    let card = &reading.book.cards[0];
    assert_eq!(
        (&card.name[..], &card.family[..], &card.alias[..]),
        ("Anna Rossi", "Rossi", "acme")
    );
    assert_eq!(card.company, "ACME €");
    assert_eq!(card.emails, ["anna@example.org", "b@example.org"]);
    assert_eq!(card.faxes, [Fax { number: "+39 040 1234".into(), ..Fax::default() }]);
    assert!(card.note.ends_with("as directories do it"), "{}", card.note);
    assert_eq!(card.uid.as_deref(), Some("cn=Anna Rossi,mail=anna@example.org"));
    let list = &reading.book.lists[0];
    assert_eq!(list.members[0], card.reference());
    assert_eq!(list.members[1], "cn=Elsewhere,mail=x@example.org");
    let out = ldif::write(&reading.book);
    let want = without_comments(THUNDERBIRD).replace("CN=Anna Rossi, mail=", "cn=Anna Rossi,mail=");
    assert_eq!(out, want);
    let crlf = ldif::read(THUNDERBIRD.replace('\n', "\r\n").as_bytes());
    assert_eq!(crlf.book.cards, reading.book.cards);
}

#[test]
fn what_is_changed_is_changed_and_nothing_else() {
    let mut reading = ldif::read(THUNDERBIRD.as_bytes());
    let card = &mut reading.book.cards[0];
    card.company = "ACME".into();
    card.faxes[0].number = "+39 040 5678".into();
    card.faxes.push(Fax { number: "040 2".into(), ..Fax::default() });
    card.alias.clear();
    card.tags = vec!["ä".into()];
    let out = ldif::write(&reading.book);
    let want = without_comments(THUNDERBIRD)
        .replace("CN=Anna Rossi, mail=", "cn=Anna Rossi,mail=")
        .replace("o:: QUNNRSDigqw=", "o: ACME")
        .replace("+39 040 1234", "+39 040 5678")
        .replace("mozillaNickname: acme\n", "")
        .replace(
            "/9j/4AAQ\n",
            "/9j/4AAQ\nfacsimileTelephoneNumber: 040 2\nbusinessCategory:: w6Q=\n",
        );
    assert_eq!(out, want);
    assert_eq!(ldif::read(out.as_bytes()).book.cards[0].bare(), reading.book.cards[0].bare());
}

#[test]
fn a_directory() {
    let text = "dn: uid=anna,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: anna\n\
        entryUUID: c0ffee\ncn;lang-de: Anna von\ncn: Anna\n\
        facsimileTelephoneNumber: +39 040 1$fineResolution$a3Width\n\
        facsimileTelephoneNumber: none\n";
    let reading = ldif::read(text.as_bytes());
    let card = &reading.book.cards[0];
    assert_eq!((card.uid.as_deref(), &card.name[..]), (Some("c0ffee"), "Anna"));
    assert_eq!(card.faxes.len(), 1);
    assert_eq!(card.faxes[0].number, "+39 040 1");
    assert_eq!(ldif::write(&reading.book), format!("version: 1\n{text}"));
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let good = "\ndn: cn=G\ncn: Good\n";
    for (bad, line, problem) in [
        ("dn: cn=A\ncn A\n", 2, Problem::NoColon),
        ("cn: A\nsn: B\n", 1, Problem::NoDn),
        ("dn: cn=A\ncn:: !!!\n", 1, Problem::BadBase64),
        ("dn: cn=A\ncn:: //8=\n", 1, Problem::BadCharset("UTF-8".into())),
        ("dn: cn=A\ncn: A\nphoto:< file:///etc/passwd\n", 1, Problem::ValueElsewhere),
        ("dn: cn=A\nchangetype: delete\n", 1, Problem::ChangeRecord("delete".into())),
        ("dn: cn=A\nb c: A\n", 2, Problem::BadName("b c".into())),
        ("dn: ou=A\nou: A\n", 1, Problem::Nameless),
    ] {
        let reading = ldif::read(format!("{bad}{good}").as_bytes());
        assert_eq!((reading.refused, reading.book.cards.len()), (1, 1), "{bad}: {reading:?}");
        assert_eq!(reading.book.cards[0].name, "Good");
        assert_eq!(
            (reading.findings[0].place.line, &reading.findings[0].problem),
            (line, &problem)
        );
    }
    let none = ldif::read(b"\n\n");
    assert_eq!(none.findings[0].problem, Problem::NothingFound("LDIF (dn:)"));
}

#[test]
fn what_each_format_cannot_carry_is_listed() {
    let mut card = Card { name: "A".into(), ..Card::default() };
    card.faxes = vec![Fax { number: "1".into(), sub_address: "2".into(), ..Fax::default() }];
    assert_eq!(losses(&card, Format::VCard), []);
    assert_eq!(losses(&card, Format::Csv), []);
    assert_eq!(losses(&card, Format::Ldif), [Loss::SubAddresses, Loss::NoUid]);
    let kept = &ldif::read(THUNDERBIRD.as_bytes()).book.cards[0];
    assert_eq!(losses(kept, Format::VCard), [Loss::Kept]);
    assert_eq!(losses(kept, Format::Ldif), []);
}

#[test]
fn formats_are_told_apart() {
    let utf16: Vec<u8> = "\u{feff}Name\tFax\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, want) in [
        (THUNDERBIRD.as_bytes(), Some(Format::Ldif)),
        (b"# x\ndn:: AA==\n", Some(Format::Ldif)),
        (b"\xef\xbb\xbf\r\nBegin:vCard\r\n", Some(Format::VCard)),
        (b"Name,Fax\n", Some(Format::Csv)),
        (&utf16, Some(Format::Csv)),
        (b"PK\x03\x04\0\0", None),
        (b"", None),
    ] {
        assert_eq!(Format::of(bytes), want, "{bytes:?}");
    }
}
