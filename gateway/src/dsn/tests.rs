//! Reports compared with golden files, which other mail readers have read too.

use super::*;
use crate::{
    compose::Source,
    message::{AutoSubmitted, Kind, Limits, Mailbox, Message},
};

fn report(original: Original) -> Report {
    Report {
        head: Head {
            from: Mailbox {
                name: Some("Postfax".to_owned()),
                address: "postmaster@faxgw.example".to_owned(),
            },
            to: Mailbox { name: None, address: "anna@example.com".to_owned() },
            subject: "Fax an +39 040 1234 gescheitert: besetzt".to_owned(),
            date: "2025-07-01T13:00:00+02:00[Europe/Rome]".parse().unwrap(),
            message_id: "r1@faxgw.example".to_owned(),
            in_reply_to: Some("0b1c@example.com".to_owned()),
            language: Some("de".to_owned()),
            headers: Vec::new(),
        },
        reporting_mta: "faxgw.example".to_owned(),
        envelope_id: Some("A17-66".to_owned()),
        gateway: None,
        received_from: None,
        arrival: Some("2025-07-01T10:00:00+02:00[Europe/Rome]".parse().unwrap()),
        deliver_by: None,
        future_release: None,
        recipients: vec![RecipientReport {
            original_recipient: Some(Typed::new("rfc822", "FAX=+390401234@gw.example")),
            final_recipient: "FAX=+390401234@gw.example".to_owned(),
            action: Action::Failed,
            status: "4.4.1".to_owned(),
            status_comment: Some("busy".to_owned()),
            remote_mta: Some(Typed::new("x-fax", "+390401234")),
            diagnostic: Some(Typed::new("x-t30", "E001 Busy signal detected; 12 attempts")),
            last_attempt: Some("2025-07-01T12:58:10+02:00[Europe/Rome]".parse().unwrap()),
            will_retry_until: Some("2025-07-01T12:58:10+02:00[Europe/Rome]".parse().unwrap()),
            final_log_id: Some("hyla2/4711".to_owned()),
            extensions: vec![("X-Fax-Pages".to_owned(), "2/5".to_owned())],
        }],
        text: "Die Nummer war bei allen 12 Versuchen besetzt.\n\n-- \nPostfax\n".to_owned(),
        html: None,
        inline: vec![Attachment {
            name: "page1.png".to_owned(),
            content_type: "image/png".to_owned(),
            content_id: None,
            source: Source::Bytes(b"\x89PNG\r\n\x1a\n"[..].into()),
        }],
        original,
        delimiters: Delimiters::Seeded(9),
    }
}

fn original(folder: &tempfile::TempDir, text: &[u8]) -> Source {
    let path = folder.path().join("original.eml");
    std::fs::write(&path, text).unwrap();
    Source::File(path)
}

fn written(report: &Report) -> String {
    let mut out = Vec::new();
    report.write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn golden(text: &str) -> String {
    text.replace('\n', "\r\n")
}

#[test]
fn a_failure_returns_the_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = original(
        &folder,
        b"From: anna@example.com\r\nSubject: Angebot\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n.\r\n",
    );
    let report = report(Original::Full(path));
    let text = written(&report);
    assert_eq!(text, golden(include_str!("../../tests/golden/failed.eml")));
    let message = Message::parse(text.into(), &Limits::default()).unwrap();
    assert!(message.is_report());
    assert_eq!(message.auto_submitted(), AutoSubmitted::Replied);
    assert_eq!(message.parts[0].kind, Kind::TextBody);
    let types: Vec<&str> = message.parts.iter().map(|part| part.content_type.as_str()).collect();
    let said = ["text/plain", "image/png", "message/delivery-status"];
    assert_eq!(types[..3], said);
    assert_eq!(types[3..], ["text/plain", "text/plain"], "the message is opened: page and body");
    assert_eq!(message.parts[4].text(), "Grüße\n.\n");
}

#[test]
fn a_success_returns_header_fields_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = original(&folder, b"From: anna@example.com\r\nSubject: Angebot\r\n\r\nsecret\r\n");
    let mut report = report(Original::Headers(path));
    report.html = Some("<p>Gesendet.</p><img src=\"cid:page1@faxgw.example\">".to_owned());
    report.inline[0].content_id = Some("page1@faxgw.example".to_owned());
    let second = RecipientReport {
        original_recipient: None,
        final_recipient: "FAX=+390401235@gw.example".to_owned(),
        action: Action::Delivered,
        status: "2.1.5".to_owned(),
        status_comment: None,
        remote_mta: None,
        diagnostic: None,
        last_attempt: None,
        will_retry_until: None,
        final_log_id: None,
        extensions: Vec::new(),
    };
    report.recipients = vec![second];
    let text = written(&report);
    assert_eq!(text, golden(include_str!("../../tests/golden/delivered.eml")));
    assert!(!text.contains("secret"));
}

#[test]
fn a_message_that_no_relay_takes_is_cut_to_its_fields() {
    let folder = tempfile::tempdir().unwrap();
    for body in [vec![b'x'; 5000], vec![0; 3]] {
        let mut text = b"Subject: Angebot\r\n\r\n".to_vec();
        text.extend(body);
        let text = written(&report(Original::Full(original(&folder, &text))));
        assert!(text.contains("text/rfc822-headers"));
        assert!(text.contains("Subject: Angebot\r\n"));
        assert!(!text.contains("message/rfc822;"));
    }
}

#[test]
fn fields_cannot_be_added_and_stay_in_seven_bits() {
    let mut report = report(Original::None);
    let one = &mut report.recipients[0];
    one.diagnostic =
        Some(Typed::new("smtp", "550 no\r\nAction: delivered\r\n\r\nFinal-Recipient: x \u{e9}"));
    one.final_log_id = Some("x\nStatus: 2.0.0".to_owned());
    one.status_comment = Some("a) (b".to_owned());
    report.envelope_id = Some("\r\n\r\nAction: relayed".to_owned());
    report.head.in_reply_to = Some("bad id>\r\nBcc: x@y".to_owned());
    let text = written(&report);
    assert!(text.is_ascii());
    let fields: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("Action:") || line.starts_with("Bcc"))
        .collect();
    assert_eq!(fields, ["Action: failed"]);
    assert!(!text.contains("\r\nStatus: 2"));
}

#[test]
fn a_status_must_be_one() {
    for bad in ["", "4.4", "3.1.1", "4.4.1 x", "4.4.1111", "a.b.c"] {
        let mut report = report(Original::None);
        report.recipients[0].status = bad.to_owned();
        assert!(matches!(report.write(&mut Vec::new()), Err(ComposeError::Status(_))), "{bad}");
    }
}

#[test]
fn a_retry_date_stands_with_delays_only() {
    let mut report = report(Original::None);
    assert!(!written(&report).contains("Will-Retry-Until"));
    report.recipients[0].action = Action::Delayed;
    assert!(written(&report).contains("Will-Retry-Until: Tue, 1 Jul 2025 12:58:10 +0200\r\n"));
}

#[test]
fn a_delay_is_as_in_the_golden_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = original(&folder, b"From: anna@example.com\r\nSubject: Angebot\r\n\r\nsecret\r\n");
    let mut report = report(Original::Headers(path));
    report.inline = Vec::new();
    report.deliver_by = Some("2025-07-01T12:30:00+02:00[Europe/Rome]".parse().unwrap());
    report.future_release = Some("for;3600".to_owned());
    report.received_from = Some(Typed::new("dns", "pc7.example"));
    report.gateway = Some(Typed::new("dns", "faxgw.example"));
    report.recipients[0].action = Action::Delayed;
    report.recipients[0].status = "4.4.7".to_owned();
    report.recipients[0].status_comment = Some("later than asked for".to_owned());
    let text = written(&report);
    assert_eq!(text, golden(include_str!("../../tests/golden/delayed.eml")));
}

#[test]
fn a_relayed_fax_is_as_in_the_golden_file() {
    let mut report = report(Original::None);
    report.inline = Vec::new();
    report.envelope_id = None;
    report.recipients[0].original_recipient = None;
    report.recipients[0].action = Action::Relayed;
    report.recipients[0].status = "2.0.0".to_owned();
    report.recipients[0].status_comment = None;
    report.recipients[0].diagnostic = None;
    let text = written(&report);
    assert_eq!(text, golden(include_str!("../../tests/golden/relayed.eml")));
}

#[test]
fn an_address_in_utf_8_makes_an_international_report() {
    let folder = tempfile::tempdir().unwrap();
    let path = original(&folder, "From: j\u{f6}rn@example.com\r\n\r\nHi\r\n".as_bytes());
    let mut report = report(Original::Full(path));
    report.inline = Vec::new();
    report.head.to.address = "j\u{f6}rn@example.com".to_owned();
    let one = &mut report.recipients[0];
    one.final_recipient = "FAX=+390401234@b\u{fc}ro.example".to_owned();
    one.original_recipient = Some(Typed::new("rfc822", "\"a\\b \u{fc}\"@b\u{fc}ro.example"));
    let text = written(&report);
    assert_eq!(text, golden(include_str!("../../tests/golden/international.eml")));
}

#[test]
fn a_header_field_in_utf_8_makes_an_international_report() {
    let folder = tempfile::tempdir().unwrap();
    for (octets, beyond) in [(&b"\xc3\xbc"[..], true), (b"\xfc", false), (b"=?utf-8?q?x?=", false)]
    {
        let mut text = b"Subject: ".to_vec();
        text.extend_from_slice(octets);
        text.extend_from_slice(b"\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n");
        let path = original(&folder, &text);
        let mut out = Vec::new();
        report(Original::Headers(Source::Bytes(text.into()))).write(&mut out).unwrap();
        let headers = String::from_utf8(out).unwrap();
        assert_eq!(headers.contains("message/global-headers\r\n"), beyond, "{headers}");
        assert_eq!(headers.contains("message/global-delivery-status\r\n"), beyond);
        assert_eq!(headers.contains("text/rfc822-headers;"), !beyond);
        assert!(!headers.contains("\u{df}"), "only the header fields");
        let mut out = Vec::new();
        report(Original::Full(path)).write(&mut out).unwrap();
        let full = String::from_utf8_lossy(&out);
        assert_eq!(full.contains("message/global\r\n"), beyond, "{full}");
        assert!(full.contains("Content-Transfer-Encoding: 8bit\r\n"));
    }
}

#[test]
fn a_gateway_is_named_only_when_it_is_told() {
    assert!(!written(&report(Original::None)).contains("DSN-Gateway"));
}

#[test]
fn nothing_from_outside_makes_a_line_that_no_host_takes() {
    let folder = tempfile::tempdir().unwrap();
    let head = format!("Subject: {}\r\n\r\nx\r\n", "\u{898b}".repeat(2000));
    let mut report = report(Original::Headers(original(&folder, head.as_bytes())));
    report.recipients[0].diagnostic = Some(Typed::new("x-t30", "\u{7a4d}".repeat(2000)));
    report.recipients[0].final_recipient = "FAX=+3904/ATTN=\u{898b}@gw.example".to_owned();
    let text = written(&report);
    assert!(text.contains("Content-Type: message/global-delivery-status"), "{text}");
    let longest = text.split("\r\n").map(str::len).max();
    assert!(longest <= Some(998), "RFC 5322 2.1.1: {longest:?}");
}
