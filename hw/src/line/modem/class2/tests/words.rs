//! What modems say, and what is made of it.

use postfax_domain::{
    document::{Paper, Resolution},
    outcome::Outcome,
};
use proptest::prelude::*;

use super::super::{
    answer::{Answer, Failure, Next, Verdict},
    codes,
    dialect::Class,
    document, fuzz_one,
    params::{Params, Ranges},
    wire::{Data, Lines, More, Piece, stuffed},
};
use super::page;
use crate::{
    pages::ccitt::{MinScanTime, reverse_bits},
    t30::{Coding, Modems, Station},
};

fn params(values: [u8; 8]) -> Params {
    let text = values.map(|value| value.to_string()).join(",");
    Params::parse(&text, false).unwrap()
}

#[test]
fn sessions_are_read_in_the_numbers_of_their_class() {
    for (text, hexadecimal, values) in [
        ("1,5,0,2,1,0,0,0", false, Some([1, 5, 0, 2, 1, 0, 0, 0])),
        (" 0, 3 ,2,2,0,0,0,7 ", false, Some([0, 3, 2, 2, 0, 0, 0, 7])),
        ("1,13,0,2,3,2,0,0", false, Some([1, 13, 0, 2, 3, 2, 0, 0])),
        ("7F,D,2,2,3,1,0,0", true, Some([127, 13, 2, 2, 3, 1, 0, 0])),
        ("03,5,0,2,1,0,0,0,0", true, Some([3, 5, 0, 2, 1, 0, 0, 0])),
        // A speed that is none in hexadecimal is one in decimal.
        ("1,13,0,2,3,1,0,0", true, Some([1, 13, 0, 2, 3, 1, 0, 0])),
        ("1,3", false, Some([1, 3, 0, 0, 0, 0, 0, 0])),
        ("1,,0,2", false, Some([1, 0, 0, 2, 0, 0, 0, 0])),
        ("", false, None),
        (",,,,,,,", false, None),
        ("1,14,0,2,0,0,0,0", false, None),
        ("1,FF,0,2,0,0,0,0", true, None),
        ("300,5,0,2,0,0,0,0", false, None),
        ("fine,5", false, None),
        ("-1,5,0", false, None),
    ] {
        let read = Params::parse(text, hexadecimal);
        assert_eq!(read, values.map(params), "{text}");
    }
}

#[test]
fn answers_are_told_apart() {
    let text = |text: &str| text.to_owned();
    for (line, answer) in [
        ("OK", Answer::Ok),
        (" ok ", Answer::Ok),
        ("ERROR", Answer::Error),
        ("ERROR: 3", Answer::Error),
        ("CONNECT", Answer::Connect),
        ("NO DIAL TONE", Answer::Failed(Failure::NoDialTone)),
        ("NO CARRIER", Answer::Failed(Failure::NoCarrier)),
        ("BUSY", Answer::Failed(Failure::Busy)),
        ("DELAYED 00:05:00", Answer::Failed(Failure::Refused)),
        ("+FCON", Answer::Fax),
        ("+FCO", Answer::Fax),
        ("+FCSI:\"     +44 20 7946 0001\"", Answer::Identity(text("+44 20 7946 0001"))),
        ("+FCI: \"\"", Answer::Identity(text(""))),
        ("+FTSI:\"123456789012345678901234\"", Answer::Identity(text("12345678901234567890"))),
        ("+FSA: \"4711\"", Answer::SubAddress(text("4711"))),
        ("+FDCS:1,5,0,2,0,0,0,0", Answer::Agreed(Some(params([1, 5, 0, 2, 0, 0, 0, 0])))),
        ("+FCS: what", Answer::Agreed(None)),
        ("+FPTS:1,1143,0,0,0", Answer::Page(Some(Verdict::Good))),
        ("+FPS: 2", Answer::Page(Some(Verdict::Bad))),
        ("+FPTS: 9", Answer::Page(None)),
        ("+FET:0", Answer::Next(Some(Next::Page))),
        ("+FET: 2", Answer::Next(Some(Next::Nothing))),
        ("+FET:5", Answer::Next(Some(Next::Document))),
        ("+FET:x", Answer::Next(None)),
        ("+FHNG:0", Answer::HungUp(Some(0))),
        ("+FHNG: 54", Answer::HungUp(Some(54))),
        ("+FHNG:", Answer::HungUp(None)),
        ("+FHS:00", Answer::HungUp(Some(0))),
        ("+FHS: 54", Answer::HungUp(Some(54))),
        ("+FHS:A1", Answer::HungUp(Some(101))),
        ("+FHS:zz", Answer::HungUp(None)),
        ("+FPO", Answer::HasDocument),
        ("+FNSF:00 11 22", Answer::Other(text("+FNSF:00 11 22"))),
        ("RING", Answer::Other(text("RING"))),
    ] {
        assert_eq!(Answer::parse(line, false), answer, "{line}");
    }
}

#[test]
fn a_modem_is_told_no_more_than_it_can() {
    let station = Station::new("+44 20 7946 0001");
    let of = |class: Class, ranges: &str| {
        let dialect = class.dialect();
        let ranges = Ranges::parse(ranges, dialect.hexadecimal).unwrap();
        Params::of_station(&station, dialect).within(&ranges, dialect).text(dialect.hexadecimal)
    };
    for (class, ranges, told) in [
        (Class::Two, "(0,1),(0-5),(0-2),(0-2),(0-3),(0-2),(0),(0-7)", "1,5,2,2,3,2,0,0"),
        (Class::Two, "+FDCC: (0,1),(0-3),(0),(0-2),(0),(0),(0),(0-7)", "1,3,0,2,0,0,0,0"),
        (Class::Two, "(0),(0-3),0,(0-2),(0-3),(0),(0),(0)", "0,3,0,2,1,0,0,0"),
        (Class::TwoZero, "(0-7F),(0-D),(0-4),(0-2),(0-3),(0-2),(0-3),(0-7)", "47,5,2,2,3,1,0,0"),
        (Class::TwoOne, "(00,01,02,03),(0-5),(0-2),(0-2),(0-1),(0),(0),(0)", "3,5,2,2,1,0,0,0"),
        // One that lists the bits and not their sums.
        (Class::TwoZero, "(0,1,2,4,8,10,20,40),(0-5),(0),(0),(0),(0),(0),(0)", "40,5,0,0,0,0,0,0"),
    ] {
        assert_eq!(of(class, ranges), told, "{ranges}");
    }
    for bad in ["", "OK", "(0,1", "(a-z)", "(5-", "+FDCC:"] {
        assert_eq!(Ranges::parse(bad, false), None, "{bad}");
    }
    let slow = Modems { v17: false, v29: false, v27ter: true };
    let slow = Station { ecm: false, modems: slow, ..Station::new("1") };
    let params = Params::of_station(&slow, Class::Two.dialect());
    assert_eq!(params.text(false), "1,1,2,2,1,0,0,0");
}

#[test]
fn a_page_goes_as_well_as_both_can() {
    use Resolution::{Dots300, Fine, Standard, Superfine};
    let two = [1, 5, 2, 2, 3, 2, 0, 0];
    let later = [0x47, 5, 2, 2, 3, 1, 0, 0];
    for (class, ours, theirs, page, chosen) in [
        (Class::Two, two, [1, 3, 0, 2, 1, 0, 0, 3], (Fine, Paper::A4), Some("1,3,0,2,1,0,0,3")),
        (Class::Two, two, [1, 5, 0, 2, 3, 2, 0, 0], (Standard, Paper::A4), Some("0,5,0,2,3,2,0,0")),
        // T.6 only with error correction.
        (Class::Two, two, [1, 5, 0, 2, 3, 0, 0, 0], (Fine, Paper::A4), Some("1,5,0,2,1,0,0,0")),
        (Class::Two, two, [0, 5, 0, 2, 3, 0, 0, 0], (Fine, Paper::A4), None),
        (Class::Two, two, [1, 5, 0, 2, 3, 0, 0, 0], (Fine, Paper::B4), None),
        (Class::Two, two, [1, 5, 1, 2, 0, 0, 0, 0], (Fine, Paper::B4), Some("1,5,1,2,0,0,0,0")),
        (Class::Two, two, [1, 5, 0, 2, 3, 0, 0, 0], (Superfine, Paper::A4), None),
        (
            Class::TwoZero,
            later,
            [0x43, 13, 0, 2, 3, 1, 0, 0],
            (Dots300, Paper::A4),
            Some("40,5,0,2,3,1,0,0"),
        ),
        (Class::TwoZero, later, [0x41, 5, 0, 2, 0, 0, 0, 0], (Superfine, Paper::A4), None),
    ] {
        let [ours, theirs] = [ours, theirs].map(params);
        let dialect = class.dialect();
        let found = Params::for_page(ours, theirs, page, dialect);
        let found = found.map(|params| params.text(dialect.hexadecimal));
        assert_eq!(found.as_deref(), chosen, "{page:?}");
    }
}

#[test]
fn what_was_agreed_has_a_meaning() {
    let agreed = params([1, 5, 0, 2, 1, 0, 0, 4]);
    assert_eq!((agreed.bit_rate(), agreed.coding()), (14_400, Coding::Mr));
    assert_eq!(agreed.page().map(|(_, width)| width), Some(1728));
    assert_eq!(agreed.min_scan_time(), MinScanTime::Ms10);
    let standard = Params { resolution: 0, ..agreed };
    assert_eq!(standard.min_scan_time(), MinScanTime::Ms20);
    assert!(Params { resolution: 0x33, ..agreed }.page().is_none());
    assert!(Params { width: 7, ..agreed }.page().is_none());
}

#[test]
fn a_hang_up_has_a_cause() {
    for (code, outcome) in [
        (0, Outcome::Disconnected),
        (4, Outcome::NoAnswer),
        (5, Outcome::NoFaxMachine),
        (11, Outcome::NoHandshake),
        (21, Outcome::PollingOnly),
        (22, Outcome::RemoteRefused),
        (25, Outcome::StoppedAnswering),
        (27, Outcome::CannotTrain),
        (51, Outcome::Disconnected),
        (54, Outcome::PageUnconfirmed),
        (58, Outcome::OperatorInterrupt),
        (94, Outcome::TransmissionErrors),
        (199, Outcome::ProtocolError),
    ] {
        assert_eq!(codes::outcome(code), outcome, "{code}");
        assert!(codes::words(code).contains(&code.to_string()));
    }
}

#[test]
fn a_page_is_read_in_either_order_of_bits() {
    let sent = page(1728, 120, 0);
    let agreed = params([1, 5, 0, 2, 0, 0, 0, 0]);
    let mut bytes = super::on_the_line(&sent);
    for _ in 0..2 {
        let page = document::read_page(&bytes, agreed).unwrap();
        assert!(page.is_good() && page.damage.is_none(), "{:?}", page.damage);
        reverse_bits(&mut bytes);
    }
    assert!(document::read_page(b"", agreed).is_none());
    assert!(document::read_page(&[0xFF; 40], agreed).is_none_or(|page| !page.is_good()));
    // A tenth of the lines may be bad, a half may not.
    for (every, good) in [(400, true), (12, false)] {
        let mut damaged = bytes.clone();
        damaged.iter_mut().step_by(every).for_each(|byte| *byte ^= 0x55);
        let page = document::read_page(&damaged, agreed).unwrap();
        assert!(!page.damage.is_none());
        assert_eq!(page.is_good(), good, "{:?}", page.damage);
    }
}

#[test]
fn data_pass_unchanged() {
    let all: Vec<u8> = (0..=255).chain([0x10, 0x10, 0x03]).collect();
    let mut data = Data::default();
    for byte in stuffed(&all) {
        assert_eq!(data.push(byte), More::Yes);
    }
    // DLE SUB is two of them; what is unknown is none.
    for byte in [0x10, 0x1A, 0x10, b'X'] {
        data.push(byte);
    }
    assert_eq!((data.push(0x10), data.push(0x03)), (More::Yes, More::Ended));
    assert_eq!(data.take(), [&all[..], &[0x10, 0x10]].concat());
    assert!(data.is_empty());
}

#[test]
fn lines_end_and_have_a_limit() {
    let mut lines = Lines::default();
    let said = [&b"\r\n+FCON\r\n\x11"[..], &[b'x'; 1000], b"\r\n\xff\0OK\r"].concat();
    let pieces: Vec<Piece> = said.iter().filter_map(|byte| lines.push(*byte)).collect();
    assert_eq!(pieces.len(), 4);
    assert_eq!(pieces[0], Piece::Line("+FCON".into()));
    assert_eq!(pieces[1], Piece::Xon);
    assert!(matches!(&pieces[2], Piece::Line(long) if long.len() == 256));
    assert!(matches!(&pieces[3], Piece::Line(odd) if odd.ends_with("OK")));
}

/// Things that a modem may say at any time.
fn sayings() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        "OK",
        "ERROR",
        "CONNECT",
        "NO CARRIER",
        "BUSY",
        "RING",
        "+FCON",
        "+FCO",
        "+FPOLL",
        "+FPO",
        "+FDIS:1,5,0,2,1,0,0,0",
        "+FIS:47,5,2,2,3,1,0,0",
        "+FDCS:1,5,0,2,0,0,0,0",
        "+FCS:99,1,9,9,9,9,9,9",
        "+FCS:",
        "+FDTC:1,5",
        "+FPTS:1",
        "+FPS:2,5",
        "+FPS:q",
        "+FET:0",
        "+FET:2",
        "+FET:",
        "+FHNG:0",
        "+FHS:54",
        "+FHS:G",
        "+FTSI:\"1\"",
        "+FSA:\"\"",
        "(0,1),(0-5),(0-2)",
        "+FDCC:(((",
        "\x11",
        "\x18",
        "\x10\x03",
        "\x10\x1a\x10\x03",
        "\x10",
    ]);
    let said = prop_oneof![
        4 => line.prop_map(|line| format!("\r\n{line}\r\n").into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..64),
    ];
    let choice = any::<u8>().prop_map(|byte| vec![byte]);
    (choice, prop::collection::vec(said, 0..60))
        .prop_map(|(first, rest)| [first, rest.concat()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn whatever_a_modem_says_the_call_ends(said in sayings()) {
        fuzz_one(&said);
    }
}
