//! What is written can be read again, and nothing can be slipped in.

use proptest::prelude::*;

use super::*;
use crate::message::{AutoSubmitted, Kind, Limits, Message};

fn mailbox(name: &str, address: &str) -> Mailbox {
    Mailbox { name: (!name.is_empty()).then(|| name.to_owned()), address: address.to_owned() }
}

fn letter() -> Letter {
    Letter {
        head: Head {
            from: mailbox("Fax +39 040 1234", "FAX=+390401234@faxgw.example"),
            to: mailbox("", "anna@example.com"),
            subject: "Fax von Müller & Söhne, 3 Seiten".to_owned(),
            date: "2025-07-01T10:00:00+02:00[Europe/Rome]".parse().unwrap(),
            message_id: "17.4711@faxgw.example".to_owned(),
            in_reply_to: None,
            language: None,
            headers: vec![("X-Fax-Pages".to_owned(), "3".to_owned())],
        },
        automatic: Some(Automatic::Generated),
        text: "Ein Fax mit 3 Seiten.\nFrom here to there\n.\n-- \nPostfax".to_owned(),
        html: None,
        inline: Vec::new(),
        attachments: Vec::new(),
        delimiters: Delimiters::Seeded(7),
    }
}

fn attachment(name: &str, octets: &[u8]) -> Attachment {
    Attachment {
        name: name.to_owned(),
        content_type: "application/pdf".to_owned(),
        content_id: None,
        source: Source::Bytes(octets.to_vec().into()),
    }
}

fn written(letter: &Letter) -> Vec<u8> {
    let mut out = Vec::new();
    letter.write(&mut out).unwrap();
    out
}

fn read(letter: &Letter) -> Message {
    Message::parse(written(letter).into(), &Limits::default()).unwrap()
}

/// CRLF only, seven bits, no line beyond 998 octets.
fn is_clean(mail: &[u8]) -> bool {
    let text = String::from_utf8_lossy(mail);
    mail.is_ascii()
        && !text.replace("\r\n", "").contains(['\r', '\n', '\0'])
        && text.split("\r\n").all(|line| line.len() <= 998)
}

#[test]
fn a_fax_as_mail_is_as_in_the_golden_file() {
    let mut letter = letter();
    letter.html = Some("<p>Ein Fax</p><img src=\"cid:page1@faxgw.example\">".to_owned());
    letter.inline = vec![Attachment {
        content_type: "image/png".to_owned(),
        content_id: Some("page1@faxgw.example".to_owned()),
        ..attachment("Seite 1.png", b"\x89PNG\r\n\x1a\n")
    }];
    letter.attachments = vec![
        attachment("fax.pdf", &[b'%'; 100]),
        attachment("Größe – ein langer Name, der über eine Zeile hinausgeht, und mehr.pdf", b"x"),
    ];
    let mail = written(&letter);
    let golden = include_str!("../../tests/golden/letter.eml").replace('\n', "\r\n");
    assert_eq!(String::from_utf8_lossy(&mail), golden);
    let message = read(&letter);
    let kinds: Vec<Kind> = message.parts.iter().map(|part| part.kind).collect();
    let attached = Kind::Attachment;
    assert_eq!(kinds, [Kind::TextBody, Kind::HtmlBody, Kind::Inline, attached, attached]);
    assert_eq!(message.auto_submitted(), AutoSubmitted::Generated);
    assert_eq!(message.text(), letter.text.clone() + "\n");
    let names: Vec<_> = message.attachments().map(|part| part.name.clone().unwrap()).collect();
    assert_eq!(names, letter.attachments.iter().map(|a| a.name.clone()).collect::<Vec<_>>());
}

#[test]
fn values_cannot_add_fields() {
    let mut letter = letter();
    letter.head.subject = "x\r\nBcc: all@example.com\r\n\r\nbody".to_owned();
    letter.head.from.name = Some("a\"\r\nBcc: b@example.com".to_owned());
    letter.head.headers = vec![("X-A".to_owned(), "1\nBcc: c@example.com\r.".to_owned())];
    letter.attachments = vec![attachment("a\"; x=y\r\nBcc: d@example.com", b"")];
    letter.attachments[0].content_type = "text/plain\r\nBcc: e@example.com".to_owned();
    let mail = String::from_utf8(written(&letter)).unwrap();
    assert!(!mail.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc")), "{mail}");
    assert!(is_clean(mail.as_bytes()));
}

#[test]
fn bad_names_and_addresses_are_refused() {
    for name in ["X A", "X:A", "", "X\r\nBcc", "From", "content-type", "Ü"] {
        let mut letter = letter();
        letter.head.headers = vec![(name.to_owned(), "1".to_owned())];
        let error = letter.write(&mut Vec::new()).unwrap_err();
        assert!(matches!(error, ComposeError::FieldName(_)), "{name}");
    }
    for address in ["", "a@b\r\nBcc: c@d", "a@b> <c@d", "a b@c"] {
        let mut letter = letter();
        letter.head.to.address = address.to_owned();
        let error = letter.write(&mut Vec::new()).unwrap_err();
        assert!(matches!(error, ComposeError::Address { field: "To" }), "{address}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let mut letter = letter();
    letter.attachments = vec![attachment("a", b"")];
    letter.attachments[0].source = Source::File("/nonexistent/fax.pdf".into());
    let error = letter.write(&mut Vec::new()).unwrap_err().to_string();
    assert!(error.starts_with("/nonexistent/fax.pdf could not be read"), "{error}");
}

#[test]
fn a_large_file_passes_through() {
    let octets: Vec<u8> = (0..1_000_003_u32).map(|n| (n % 251) as u8).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fax.pdf");
    std::fs::write(&path, &octets).unwrap();
    let mut letter = letter();
    letter.attachments = vec![Attachment { source: Source::File(path), ..attachment("a", b"") }];
    let mail = folder.path().join("mail.eml");
    assert!(matches!(letter.write_body(&mail), Ok(Body::File(path)) if path == mail));
    let message = Message::read(&mail, &Limits::default()).unwrap();
    assert_eq!(&*message.parts[1].bytes(), &octets[..]);
    std::fs::remove_file(&mail).unwrap();
    letter.attachments.push(attachment("b", b""));
    letter.attachments[1].source = Source::File("/nonexistent/fax.pdf".into());
    assert!(letter.write_body(&mail).is_err() && !mail.exists(), "nothing is left of it");
}

#[test]
fn a_small_mail_needs_no_file() {
    let letter = letter();
    let body = letter.write_body(Path::new("/nonexistent/mail.eml")).unwrap();
    assert!(matches!(body, Body::Bytes(octets) if octets == written(&letter)));
}

proptest! {
    #[test]
    fn any_text_can_be_read_again(
        subject in "\\PC{0,120}",
        name in "\\PC{0,60}",
        value in any::<String>(),
        file in "[^/\\\\\\pC]{1,120}",
        text in "(\\PC{0,90}[\r\n.]{0,3}){0,12}",
        octets in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut letter = letter();
        letter.head.subject = subject.clone();
        letter.head.from.name = Some(name.clone());
        letter.head.headers = vec![("X-Any".to_owned(), value)];
        letter.text = text.clone();
        letter.attachments = vec![attachment(&file, &octets)];
        prop_assert!(is_clean(&written(&letter)));
        let message = read(&letter);
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        prop_assert_eq!(flat(&message.subject().unwrap_or_default()), flat(&subject));
        let from = message.from().unwrap();
        prop_assert_eq!(from.address, letter.head.from.address);
        prop_assert_eq!(flat(&from.name.unwrap_or_default()), flat(&name));
        let lines = encode::crlf_text(&text).replace("\r\n", "\n");
        // Without a text the document is all there is.
        if !text.is_empty() {
            prop_assert_eq!(message.parts[0].text(), lines);
        }
        let document = &message.parts[usize::from(!text.is_empty())];
        prop_assert_eq!(&*document.bytes(), &octets[..]);
        if file.chars().any(|c| !c.is_whitespace() && c != '.') && file.chars().count() < 60 {
            prop_assert_eq!(flat(document.name.as_deref().unwrap_or_default()), flat(&file));
        }
    }

    #[test]
    fn line_ends_come_out_as_crlf_however_they_are_cut(
        octets in prop::collection::vec(prop::sample::select(&b"\r\n.a"[..]), 0..40),
        size in 1_usize..7,
    ) {
        let mut lines = encode::Lines::default();
        let mut out = Vec::new();
        octets.chunks(size).for_each(|chunk| lines.push(chunk, &mut out));
        lines.finish(&mut out);
        let text = String::from_utf8(octets).unwrap().replace("\r\n", "\n").replace('\r', "\n");
        let mut expected = text.replace('\n', "\r\n");
        if !expected.is_empty() && !expected.ends_with("\r\n") {
            expected += "\r\n";
        }
        prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn an_address_in_utf_8_stays_as_it_is() {
    let mut letter = letter();
    letter.head.to.address = "j\u{f6}rn@b".to_owned();
    let mail = String::from_utf8(written(&letter)).unwrap();
    assert!(mail.contains("\r\nTo: j\u{f6}rn@b\r\n"), "{mail}");
    letter.head.message_id = "\u{fc}@b".to_owned();
    let error = letter.write(&mut Vec::new()).unwrap_err();
    assert!(matches!(error, ComposeError::Address { field: "Message-ID" }));
}
