//! Mails within mails, as Outlook, signatures and calendars wrap them.

use std::time::Instant;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::*;

/// A property of a message: its type, its number, what it holds.
type Property = (u16, u16, Vec<u8>);

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// As MS-OXTNEF 2.1.3.4 has them; a named one before all others, as Outlook writes it.
fn properties(all: &[Property]) -> Vec<u8> {
    let mut out = (all.len() as u32 + 1).to_le_bytes().to_vec();
    out.extend([0x0b, 0x00, 0x34, 0x85]);
    out.extend([7; 16]);
    out.extend([1, 0, 0, 0, 6, 0, 0, 0, b'a', 0, b'b', 0, 0, 0, 0, 0]);
    out.extend([1, 0, 0, 0]);
    for (kind, id, data) in all {
        out.extend(kind.to_le_bytes());
        out.extend(id.to_le_bytes());
        if matches!(kind, 0x1e | 0x1f | 0x102 | 0x0d) {
            out.extend(1_u32.to_le_bytes());
            out.extend((data.len() as u32).to_le_bytes());
        }
        out.extend(data);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    // What stands before is a multiple of four, so that filling up by the whole is right.
    out
}

fn attribute(level: u8, id: u32, data: &[u8]) -> Vec<u8> {
    let sum = data.iter().fold(0_u16, |sum, octet| sum.wrapping_add(u16::from(*octet)));
    let head = [&[level][..], &id.to_le_bytes(), &(data.len() as u32).to_le_bytes()].concat();
    [&head[..], data, &sum.to_le_bytes()].concat()
}

fn tnef(attributes: &[Vec<u8>]) -> Vec<u8> {
    let version = attribute(1, 0x0008_9006, &[0, 0, 1, 0]);
    let page = attribute(1, 0x0006_9007, &[0xe2, 0x04, 0, 0, 0, 0, 0, 0]);
    [&[0x78, 0x9f, 0x3e, 0x22, 1, 0][..], &version, &page, &attributes.concat()].concat()
}

fn message(all: &[Property]) -> Vec<u8> {
    attribute(1, 0x0006_9003, &properties(all))
}

fn attached(short: &[u8], data: &[u8], all: &[Property]) -> Vec<u8> {
    [
        attribute(2, 0x0006_9002, &[1, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]),
        attribute(2, 0x0001_8010, short),
        attribute(2, 0x0006_800f, data),
        attribute(2, 0x0006_9005, &properties(all)),
    ]
    .concat()
}

/// A mail of Exchange with these words, and with `octets` as its `winmail.dat`.
fn winmail(words: &str, octets: &[u8]) -> Message {
    parse(&format!(
        "From: anna@example.com\nContent-Type: multipart/mixed; boundary=b\n\n\
         --b\nContent-Type: text/plain\n\n{words}\n\
         --b\nContent-Type: application/ms-tnef; name=\"winmail.dat\"\n\
         Content-Transfer-Encoding: base64\n\n{}\n--b--\n",
        BASE64_STANDARD.encode(octets)
    ))
}

fn attachments(message: &Message) -> Vec<(String, String)> {
    message.attachments().map(|part| (part.title(), part.text())).collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

const RTF: &[u8] =
    b"\0\0\0\0\x31\0\0\0MELA\0\0\0\0{\\rtf1\\ansi\\ansicpg1252\\deff0 Gr\\'fc\\'dfe\\par two}  ";

#[test]
fn a_winmail_dat_gives_its_attachments_and_its_body_where_the_mail_has_none() {
    let outlook = tnef(&[
        attribute(1, 0x0001_8004, b"The offer\0"),
        message(&[(0x1f, 0x1000, utf16("words of Outlook"))]),
        attached(
            b"A_LONG~1.PDF\0",
            b"%PDF-1.4 x",
            &[
                (0x03, 0x3705, vec![1, 0, 0, 0]),
                (0x1f, 0x3707, utf16("a long name – with a dash.pdf")),
                (0x1e, 0x370e, b"application/pdf\0".to_vec()),
            ],
        ),
        attached(b"caf\xe9.txt\0", b"short", &[]),
    ]);
    let files = pairs(&[("a long name – with a dash.pdf", "%PDF-1.4 x"), ("café.txt", "short")]);
    let said = winmail("words of the mail", &outlook);
    assert_eq!((attachments(&said), said.text().trim()), (files.clone(), "words of the mail"));
    assert_eq!(said.attachments().next().unwrap().content_type, "application/pdf");
    let silent = winmail("", &outlook);
    assert_eq!((attachments(&silent), silent.text().trim()), (files, "words of Outlook"));
    // A body alone is all there is to fax; one that is packed is unpacked.
    for (body, expected) in [
        ((0x102, 0x1009, RTF.to_vec()), "Grüße\ntwo"),
        ((0x102, 0x1013, b"<p>Gr\xfc\xdfe</p>".to_vec()), "Grüße"),
        ((0x1e, 0x1000, b"Gr\xfc\xdfe\0".to_vec()), "Grüße"),
    ] {
        let alone = winmail("", &tnef(&[message(&[body])]));
        assert_eq!((alone.text().trim(), alone.attachments().count()), (expected, 0));
    }
}

#[test]
fn a_message_in_a_winmail_dat_is_a_forwarded_message() {
    let inner = tnef(&[
        message(&[
            (0x1f, 0x0037, utf16("The offer")),
            (0x1f, 0x0042, utf16("Bob")),
            (0x1f, 0x5d02, utf16("bob@example.com")),
            (0x1f, 0x0e04, utf16("Anna")),
            // 2026-11-24 09:30 UTC in tenths of microseconds since 1601.
            (
                0x40,
                0x0039,
                ((1_795_512_600_i64 + 11_644_473_600) * 10_000_000).to_le_bytes().into(),
            ),
            (0x1f, 0x1000, utf16("as we said")),
        ]),
        attached(b"report.docx\0", b"PK", &[]),
    ]);
    let object = [&[9; 16][..], &inner].concat();
    let outer = tnef(&[attached(
        b"The offer\0",
        b"",
        &[(0x03, 0x3705, vec![5, 0, 0, 0]), (0x0d, 0x3701, object)],
    )]);
    let mail = winmail("see below", &outer);
    let page = "From: Bob <bob@example.com>\nDate: 2026-11-24 09:30 UTC\nTo: Anna\nSubject: The offer\n\nas we said";
    assert_eq!(
        attachments(&mail),
        pairs(&[("The offer", page), ("report.docx in the mail 'The offer'", "PK")])
    );
    assert_eq!(mail.text().trim(), "see below");
}

#[test]
fn a_winmail_dat_that_is_broken_stays_what_it_is() {
    let whole = tnef(&[attached(b"a.pdf\0", b"%PDF-", &[])]);
    for octets in [&whole[..whole.len() - 1], &whole[..30], &whole[..6], b"no TNEF at all"] {
        let mail = winmail("words", octets);
        let name = mail.attachments().next().map(Part::title);
        let empty = octets.len() == 6;
        assert_eq!(name.as_deref(), (!empty).then_some("winmail.dat"), "{} octets", octets.len());
    }
    let many = tnef(&vec![attribute(2, 0x0006_9002, &[]); 600]);
    assert_eq!(winmail("words", &many).attachments().count(), 1);
}

/// A message in a message in a message: the limit holds in whatever they are wrapped.
#[test]
fn containers_in_containers_end() {
    let mut inner = tnef(&[message(&[(0x1f, 0x1000, utf16("deep"))])]);
    for level in 0..30 {
        let object = [&[9; 16][..], &inner].concat();
        inner = tnef(&[attached(b"x\0", b"", &[(0x0d, 0x3701, object)])]);
        let raw = format!(
            "Content-Type: application/ms-tnef\nContent-Transfer-Encoding: base64\n\n{}",
            BASE64_STANDARD.encode(&inner)
        );
        let read = Message::parse(raw.into(), &Limits::default());
        match read {
            Ok(mail) => assert!(level < 20 && mail.attachments().count() == 1, "{level}"),
            Err(MessageError::TooDeep { limit: 20 }) => assert!(level >= 18, "{level}"),
            Err(other) => panic!("{other}"),
        }
    }
}

fn signed(content: &[u8]) -> Vec<u8> {
    let value = |tag: u8, content: &[u8]| {
        [&[tag, 0x83], &(content.len() as u32).to_be_bytes()[1..], content].concat()
    };
    let object = |last| value(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, last]);
    let inner = value(0x30, &[object(1), value(0xa0, &value(4, content))].concat());
    let data = [value(2, &[1]), value(0x31, &[]), inner, value(0x31, &[])].concat();
    value(0x30, &[object(2), value(0xa0, &value(0x30, &data))].concat())
}

#[test]
fn what_is_inside_its_signature_is_read() {
    let p7m = |head: &str, content: &[u8]| {
        let octets = BASE64_STANDARD.encode(signed(content));
        parse(&format!("Content-Type: {head}\nContent-Transfer-Encoding: base64\n\n{octets}\n"))
    };
    let entity =
        b"Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\nthe words\r\n--i\r\n\
        Content-Type: application/pdf; name=a.pdf\r\n\r\n%PDF-\r\n--i--\r\n";
    for head in [
        "application/pkcs7-mime; smime-type=signed-data; name=smime.p7m",
        "application/x-pkcs7-mime; name=smime.p7m",
        "application/octet-stream; name=smime.p7m",
    ] {
        let mail = p7m(head, entity);
        assert_eq!(mail.protection(), Protection::None, "{head}");
        assert_eq!(mail.text().trim(), "the words", "{head}");
        assert_eq!(attachments(&mail), pairs(&[("a.pdf", "%PDF-")]), "{head}");
    }
    let contract = p7m("application/pkcs7-mime; name=\"contract.pdf.p7m\"", b"%PDF-1.4");
    assert_eq!(attachments(&contract), pairs(&[("contract.pdf", "%PDF-1.4")]));
}

#[test]
fn forwarded_parts_say_where_they_stood() {
    let mail = parse(
        "Content-Type: multipart/mixed; boundary=o\n\n--o\n\nsee below\n--o\n\
         Content-Type: message/rfc822\n\nSubject: Fwd: offer\nContent-Type: multipart/mixed; boundary=i\n\n\
         --i\n\nthe words\n--i\nContent-Type: application/zip; name=\"report.docx\"\n\nPK\n\
         --i\nContent-Type: message/rfc822\n\nContent-Type: application/zip\n\nZ\n--i--\n--o--\n",
    );
    let titles: Vec<String> = mail.attachments().map(Part::title).collect();
    assert_eq!(
        titles,
        [
            "Fwd: offer",
            "report.docx in the mail 'Fwd: offer'",
            "attachment 5 in the forwarded mail"
        ]
    );
}

#[test]
fn a_mail_that_is_a_file_is_forwarded_as_well() {
    let inner = "From: b@example.com\nSubject: offer\nContent-Type: multipart/mixed; boundary=i\n\n\
                 --i\n\nthe words\n--i\nContent-Type: application/pdf; name=\"a.pdf\"\n\n%PDF-1.4\n--i--\n";
    let titles = |name: &str, inner: &str| {
        let mail = parse(&format!(
            "Content-Type: multipart/mixed; boundary=o\n\n--o\n\nsee below\n--o\n\
             Content-Type: application/octet-stream; name=\"{name}\"\n\n{inner}\n--o--\n"
        ));
        mail.attachments().map(Part::title).collect::<Vec<_>>()
    };
    assert_eq!(titles("Offer.EML", inner), ["offer", "a.pdf in the mail 'offer'"]);
    assert_eq!(titles("offer.txt", inner), ["offer.txt"], "another name");
    assert_eq!(titles("offer.eml", "no header\n"), ["offer.eml"], "no mail");
}

#[test]
fn an_invitation_alone_is_read_out_and_beside_words_it_is_nothing() {
    let invitation = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:The offer\nDTSTART:20261124T090000Z\n\
        END:VEVENT\nEND:VCALENDAR\n";
    let alone = parse(&format!("Content-Type: text/calendar; method=REQUEST\n\n{invitation}"));
    let read = "Summary: The offer\nBegins: 2026-11-24 09:00 UTC\n";
    assert_eq!(attachments(&alone), pairs(&[("text/calendar", read)]));
    let beside = parse(&format!(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nplease come\n--b\n\
         Content-Type: text/calendar; name=invite.ics\n\n{invitation}\n--b--\n"
    ));
    assert_eq!(beside.attachments().count(), 0);
}

proptest::proptest! {
    /// Octets that are changed anywhere, and structures cut off anywhere.
    #[test]
    fn no_octets_break_the_reader_of_outlook(
        changes in proptest::collection::vec((0_usize..600, proptest::num::u8::ANY), 0..6),
        end in 0_usize..600,
    ) {
        let inner = tnef(&[message(&[(0x102, 0x1009, RTF.to_vec()), (0x1f, 0x0037, utf16("x"))])]);
        let object = [&[9; 16][..], &inner].concat();
        let mut octets = tnef(&[
            message(&[(0x1f, 0x1000, utf16("words"))]),
            attached(b"x\0", b"data", &[(0x0d, 0x3701, object), (0x1f, 0x3707, utf16("n"))]),
        ]);
        for (at, octet) in changes {
            if let Some(place) = octets.get_mut(at) {
                *place = octet;
            }
        }
        octets.truncate(end.max(6));
        let _ = winmail("", &octets).text();
    }
}

/// Half a megabyte of what looks like more than it is.
#[test]
fn no_winmail_dat_makes_the_reader_slow() {
    let many = [&[0xff, 0xff, 0, 0][..], &[1, 0, 0, 0x10].repeat(60_000)].concat();
    let floods = [
        tnef(&[attribute(1, 0x0006_9003, &many)]),
        tnef(&vec![attribute(1, 0x0006_9003, &[0, 0, 0, 0]); 40_000]),
        tnef(&vec![message(&[(0x102, 0x1009, RTF.to_vec())]); 3_000]),
    ];
    for octets in floods {
        let began = Instant::now();
        let _ = winmail("", &octets).text();
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    }
}
