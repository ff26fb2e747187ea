//! Messages as real clients shape them.

mod containers;

use super::*;

fn parse(text: &str) -> Message {
    let raw = text.replace('\n', "\r\n");
    Message::parse(raw.into(), &Limits::default()).unwrap()
}

fn shape(message: &Message) -> Vec<(Kind, &str, Option<&str>)> {
    let parts = message.parts.iter();
    parts.map(|part| (part.kind, part.content_type.as_str(), part.name.as_deref())).collect()
}

const THUNDERBIRD: &str = include_str!("../../tests/golden/mails/thunderbird.eml");
const OUTLOOK: &str = include_str!("../../tests/golden/mails/outlook.eml");
const APPLE: &str = include_str!("../../tests/golden/mails/apple.eml");

#[test]
fn thunderbird_with_flowed_text_inline_picture_and_attachments() {
    let message = parse(THUNDERBIRD);
    assert_eq!(
        shape(&message),
        [
            (Kind::TextBody, "text/plain", None),
            (Kind::HtmlBody, "text/html", None),
            (Kind::Inline, "image/png", Some("logo.png")),
            (Kind::Attachment, "application/pdf", Some("Angebot für Müller & Söhne.pdf")),
            (Kind::Attachment, "image/tiff", Some("a rather long name which is continued.tif")),
        ]
    );
    assert_eq!(message.subject().as_deref(), Some("Angebot für Müller – bitte faxen"));
    assert_eq!(message.message_id().as_deref(), Some("0b1c@example.com"));
    let from = message.from().unwrap();
    assert_eq!(from.name.as_deref(), Some("Anna Müller"));
    assert_eq!(from.address, "anna@example.com");
    assert_eq!(message.date().unwrap().to_string(), "2025-07-01T08:00:00Z");
    assert_eq!(
        message.text(),
        "Guten Tag, dies ist ein Absatz, der beim Senden umgebrochen wurde.\n\n> zitiert und weiter\n\n-- \nAnna\n"
    );
    assert_eq!(&*message.parts[3].bytes(), b"%PDF-1.4\n%test\n");
    assert_eq!(message.x_headers("x-fax-"), [("X-Fax-Cover".to_owned(), "on".to_owned())]);
    assert_eq!(message.received_count(), 2);
    assert_eq!(message.received_by("faxgw.example"), 1);
    assert_eq!(message.auto_submitted(), AutoSubmitted::No);
    assert_eq!(message.precedence(), Precedence::Ordinary);
}

#[test]
fn outlook_with_folded_names_and_a_tiff_without_disposition() {
    let message = parse(OUTLOOK);
    assert_eq!(
        shape(&message),
        [
            (Kind::TextBody, "text/plain", None),
            (Kind::HtmlBody, "text/html", None),
            (Kind::Inline, "image/png", Some("image001.png")),
            (Kind::Attachment, "application/pdf", Some("folded after equals.pdf")),
            (Kind::Attachment, "image/tiff", Some("Fax Seite.tif")),
            // What was attached to the forwarded message.
            (Kind::Attachment, "application/pdf", None),
        ]
    );
    assert_eq!(message.text(), "Déjà vu – 5 €\n");
    assert_eq!(&*message.parts[5].bytes(), b"x");
}

#[test]
fn apple_mail_puts_documents_between_its_bodies() {
    let message = parse(APPLE);
    assert_eq!(
        shape(&message),
        [
            (Kind::TextBody, "text/plain", None),
            (Kind::HtmlBody, "text/html", None),
            (Kind::Attachment, "application/pdf", Some("scan.pdf")),
            (Kind::HtmlBody, "text/html", None),
            (Kind::Signature, "application/pkcs7-signature", Some("smime.p7s")),
        ]
    );
    assert_eq!(message.protection(), Protection::None);
}

#[test]
fn html_alone_is_read_as_text() {
    let message =
        parse("Content-Type: text/html; charset=utf-8\n\n<p>Hello &amp; good <b>day</b></p>");
    assert_eq!(message.text().trim(), "Hello & good day");
}

#[test]
fn a_fax_that_is_the_whole_message_is_an_attachment() {
    let message = parse(
        "Content-Type: image/tiff; application=faxbw\nContent-Transfer-Encoding: base64\n\nSUkqAA==\n",
    );
    assert_eq!(shape(&message), [(Kind::Attachment, "image/tiff", None)]);
    assert_eq!(&*message.parts[0].bytes(), b"II*\0");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.tif");
    message.parts[0].write_to(&path).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), b"II*\0");
}

#[test]
fn of_two_forms_of_a_document_the_last_is_taken() {
    let message = parse(
        "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: image/tiff\n\nT\n--b\nContent-Type: application/pdf\n\nP\n--b--\n",
    );
    let kinds: Vec<Kind> = message.parts.iter().map(|part| part.kind).collect();
    assert_eq!(kinds, [Kind::Alternative, Kind::Attachment]);
}

#[test]
fn what_nobody_may_read_is_said() {
    let cases = [
        (
            "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nx",
            Protection::Encrypted,
        ),
        ("Content-Type: application/pkcs7-mime; smime-type=signed-data\n\nx", Protection::Opaque),
        (
            "Content-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--\n",
            Protection::Encrypted,
        ),
        ("Subject: x\n\n-----BEGIN PGP MESSAGE-----\n\nabc\n", Protection::Encrypted),
        ("Subject: x\n\nhello\n", Protection::None),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).protection(), expected, "{text}");
    }
}

#[test]
fn automatic_mail_is_known_as_such() {
    let report = parse(
        "Auto-Submitted: auto-replied (vacation)\nPrecedence: Bulk\nList-Id: <x.y>\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nx\n--b--\n",
    );
    assert_eq!(report.auto_submitted(), AutoSubmitted::Replied);
    assert!(report.auto_submitted().is_automatic());
    assert_eq!(report.precedence(), Precedence::Bulk);
    assert!(report.is_from_list());
    assert!(report.is_report());
    assert_eq!(parse("Auto-Submitted: no\n\n").auto_submitted(), AutoSubmitted::No);
}

#[test]
fn charsets_of_the_world() {
    let cases: [(&str, &[u8], &str); 4] = [
        ("iso-8859-1", b"caf\xe9", "café"),
        ("shift_jis", b"\x83t\x83@\x83b\x83N\x83X", "ファックス"),
        ("koi8-r", b"\xc6\xc1\xcb\xd3", "факс"),
        ("no-such-set", "é".as_bytes(), "é"),
    ];
    for (charset, octets, expected) in cases {
        let mut raw = format!("Content-Type: text/plain; charset={charset}\r\n\r\n").into_bytes();
        raw.extend_from_slice(octets);
        assert_eq!(Message::parse(raw.into(), &Limits::default()).unwrap().text(), expected);
    }
}

#[test]
fn every_limit_is_an_error_with_its_name() {
    let many = "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned()
        + &"--b\r\n\r\n\r\n".repeat(10_000);
    let mut deep = String::new();
    for level in 0..50 {
        deep += &format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n");
    }
    let wide = "X: y\r\n".repeat(200_000) + "\r\n";
    let folded = format!("X: y\r\n{}\r\n", " z\r\n".repeat(200_000));
    let long = "a".repeat(65 << 20);
    let read = |text: String| Message::parse(text.into(), &Limits::default()).unwrap_err();
    assert!(matches!(read(many), MessageError::TooManyParts { limit: 500 }));
    assert!(matches!(read(deep), MessageError::TooDeep { limit: 20 }));
    assert!(matches!(read(wide), MessageError::HeadersTooLarge { .. }));
    assert!(matches!(read(folded), MessageError::HeadersTooLarge { .. }));
    assert!(matches!(read(long), MessageError::TooLarge { .. }));
}

#[test]
fn names_from_outside_are_only_names() {
    let cases = [
        ("../../etc/passwd", Some("passwd")),
        (r"C:\\Users\\a\\b.pdf", Some("b.pdf")),
        ("..", None),
        ("  ", None),
    ];
    for (written, expected) in cases {
        let text = format!(
            "Content-Type: application/pdf\nContent-Disposition: attachment; filename=\"{written}\"\n\nx"
        );
        assert_eq!(parse(&text).parts[0].name.as_deref(), expected, "{written}");
    }
}

#[test]
fn damaged_contents_are_read_as_far_as_they_go() {
    let part = |encoding: &str, body: &str| {
        let text = format!(
            "Content-Type: application/pdf\nContent-Transfer-Encoding: {encoding}\n\n{body}"
        );
        parse(&text).parts[0].bytes().into_owned()
    };
    assert_eq!(part("base64", "SGVs\n!bG8="), b"Hello");
    assert_eq!(part("base64", "SGVsbG8"), b"Hello");
    assert_eq!(part("base64", "SGVsbG8=SGVsbG8="), b"HelloHello");
    assert_eq!(part("base64", "SGVsb"), b"Hel");
    assert_eq!(part("quoted-printable", "a=3Db=\n c =zz=4"), b"a=b c =zz=4");
}

proptest::proptest! {
    #[test]
    fn nothing_that_arrives_can_break_the_reader(raw in proptest::collection::vec(
        proptest::sample::select(&b"-b=\r\n :;\"ac/\xffAZ"[..]), 0..400)) {
        let mut message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec();
        message.extend_from_slice(&raw);
        for text in [raw, message] {
            if let Ok(message) = Message::parse(text.into(), &Limits::default()) {
                let _ = message.text();
                let _ = message.subject();
                let _ = message.from();
                let _ = message.date();
            }
        }
    }
}

/// Where the library goes wrong with which we read values: each of these once lost
/// something or took too much.
#[test]
fn traps_of_the_parser_are_avoided() {
    let mixed = |parts: &str| {
        parse(&format!("Content-Type: multipart/mixed; boundary=b\n\n{parts}\n--b--\n"))
    };
    let folded = mixed(
        "--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=\n \"a b.pdf\"\n\nx",
    );
    assert_eq!(shape(&folded), [(Kind::Attachment, "application/pdf", Some("a b.pdf"))]);
    let undisposed = mixed("--b\n\nwords\n--b\nContent-Type: image/tiff\n\nII*");
    assert_eq!(undisposed.attachments().count(), 1, "a picture is no body");
    let plain = parse("Subject: x\n\nonly words");
    assert_eq!(shape(&plain), [(Kind::TextBody, "text/plain", None)], "no HTML is invented");
    let tnef = mixed("--b\nContent-Type: application/ms-tnef; name=winmail.dat\n\nx");
    let named = [(Kind::Attachment, "application/ms-tnef", Some("winmail.dat"))];
    assert_eq!(shape(&tnef), named, "it is not left out, so that it is refused by name");
    // Five hundred thousand parts cost nothing: reading ends at the first too many.
    let many = "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned()
        + &"--b\r\n\r\nx\r\n".repeat(500_000);
    let began = std::time::Instant::now();
    let many = Message::parse(many.into(), &Limits::default()).unwrap_err();
    assert!(matches!(many, MessageError::TooManyParts { limit: 500 }));
    assert!(began.elapsed().as_secs() < 5);
}

#[test]
fn forwarded_messages_are_opened_at_any_depth_that_is_allowed() {
    let nested = |levels: usize| {
        let mut text = String::new();
        for level in 0..levels {
            text += &format!("Subject: {level}\nContent-Type: message/rfc822\n\n");
        }
        text + "Subject: last\n\nthe words\n"
    };
    let three = parse(&nested(3));
    assert_eq!(three.subject().as_deref(), Some("0"), "it is itself and no other");
    let pages: Vec<String> = three.attachments().map(Part::text).collect();
    assert_eq!(pages, ["Subject: last\n\nthe words\n"]);
    assert_eq!(three.text(), "", "the sender said nothing");
    let deep = Message::parse(nested(21).into(), &Limits::default()).unwrap_err();
    assert!(matches!(deep, MessageError::TooDeep { limit: 20 }));
    // `Subject: x`, an empty line and `hi`, encoded although RFC 2046 forbids it.
    let encoded = parse(
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAoKaGkK\n",
    );
    assert_eq!(encoded.attachments().next().unwrap().text(), "Subject: x\n\nhi\n");
    let empty = parse("Content-Type: message/rfc822\n\n");
    assert_eq!((empty.attachments().count(), empty.text().as_str()), (0, ""));
}

#[test]
fn uuencoded_files_are_taken_out_and_what_only_looks_so_is_not() {
    for (text, words, files) in [
        ("a\nbegin 644 cat.txt\n#0V%T\n`\nend\nb\n", "a\nb\n", &[("cat.txt", &b"Cat"[..])][..]),
        ("begin 0755 ../x\n#0V%T\n \nend\n", "", &[("x", b"Cat")]),
        ("begin 644 cut.txt\n#0V%T\n", "begin 644 cut.txt\n#0V%T\n", &[]),
        ("begin 644 a\nno code at all\nend\n", "begin 644 a\nno code at all\nend\n", &[]),
        ("begin with me\nend\n", "begin with me\nend\n", &[]),
    ] {
        let message = parse(&format!("Subject: x\n\n{text}"));
        assert_eq!(message.text(), words, "{text}");
        let found: Vec<_> = message
            .attachments()
            .map(|part| (part.name.clone().unwrap(), part.bytes().into_owned()))
            .collect();
        let expected: Vec<_> =
            files.iter().map(|(name, octets)| ((*name).to_owned(), octets.to_vec())).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_text_file_is_written_in_utf_8_and_a_mislabelled_document_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for (head, octets, expected) in [
        ("text/plain; charset=windows-1252", &b"5 \x80\r\n"[..], "5 €\n".as_bytes()),
        ("text/plain; charset=windows-1252", b"%PDF-1.4\r\n\xe4", b"%PDF-1.4\r\n\xe4"),
        ("text/plain; charset=windows-1252", b"II*\0\xe4\r\n", b"II*\0\xe4\r\n"),
        ("text/html; charset=windows-1252", b"\x80\r\n", b"\x80\r\n"),
    ] {
        let mut raw = format!("Content-Type: {head}\r\n\r\n").into_bytes();
        raw.extend_from_slice(octets);
        let message = Message::parse(raw.into(), &Limits::default()).unwrap();
        let path = folder.path().join("x");
        message.parts[0].write_to(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), expected, "{head}");
    }
}

/// Half a megabyte of one trick after another: nothing in here takes longer than in
/// proportion to what came.
#[test]
fn no_trick_makes_the_reader_slow() {
    const OCTETS: usize = 512 << 10;
    let kinds = [
        "text/plain",
        "text/plain; format=flowed; delsp=yes",
        "text/html",
        "message/rfc822",
        "multipart/alternative; boundary=b",
    ];
    let tricks = [
        "cid:",
        "<",
        "<li>",
        "</div>",
        "<a href=\"cid:x",
        "&",
        "<!--",
        "begin 644 a\r\n",
        "begin 644 a\r\n\r\n",
        "[cid:x]\r\n",
        "> \r\n",
        ">",
        "-----BEGIN PGP SIGNED MESSAGE-----\r\n",
        "-----BEGIN PGP SIGNATURE-----\r\n-----END PGP SIGNATURE-----\r\n",
        "--b",
        "=",
        " \r\n",
    ];
    for kind in kinds {
        for trick in tricks {
            let mut text = format!("Content-Type: {kind}\r\n\r\n");
            text += &trick.repeat(OCTETS / trick.len());
            let began = std::time::Instant::now();
            if let Ok(message) = Message::parse(text.into(), &Limits::default()) {
                let _ = message.text();
            }
            let took = began.elapsed();
            assert!(took.as_secs() < 10, "{trick:?} in {kind} took {took:?}");
        }
    }
}
