//! Modems that say what a script tells them.

use std::time::Duration;

use postfax_domain::{document::Resolution, outcome::Outcome};
use tempfile::TempDir;

use super::{
    super::{Class, Class2, Out, fuzz},
    document, on_the_line, page,
};
use crate::{
    line::call::{Ended, Step},
    pages::tiff,
    t30::{Session, Station},
};

const LIMIT: Duration = Duration::from_secs(600);

/// What a modem answers to the first command that contains a text; each answer once.
type Script<'a> = &'a [(&'a str, &'a [u8])];

/// Runs a call. What the script lacks is answered with OK, and nothing where it says nothing.
fn run(call: Class2, script: Script<'_>) -> (Ended, Vec<Step>, Vec<String>) {
    let mut left: Vec<_> = script.to_vec();
    let mut told = Vec::new();
    let mut outs = fuzz::run(call, |outs| {
        let mut said = Vec::new();
        for out in outs {
            let Out::Write(bytes) = out else { continue };
            let text = String::from_utf8_lossy(bytes).into_owned();
            let found = left.iter().position(|(command, _)| text.contains(command));
            match found {
                Some(at) => said.extend_from_slice(left.remove(at).1),
                None if text.starts_with("AT") => said.extend_from_slice(b"\r\nOK\r\n"),
                None => {}
            }
            told.push(text);
        }
        said
    });
    let Some(Out::Ended(ended)) = outs.pop() else { panic!("it did not end") };
    let steps = outs.into_iter().filter_map(|out| match out {
        Out::Step(step) => Some(step),
        _ => None,
    });
    (ended, steps.collect(), told)
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn station() -> Station {
    Station::new("+44 20 7946 0001")
}

fn sending(class: Class, folder: &TempDir, pages: usize) -> Class2 {
    let file = document(folder, "sent.tif", &vec![(Resolution::Fine, 60); pages]);
    Class2::calling(class, Session::sending(station(), file), "123", LIMIT).unwrap()
}

fn receiving(class: Class, folder: &TempDir) -> Class2 {
    let file = folder.path().join("got.tif");
    Class2::answering(class, Session::receiving(station(), file), LIMIT).unwrap()
}

const MET: &[u8] = b"\r\n+FCON\r\n+FCSI:\"  4711\"\r\n+FDIS:1,5,0,2,1,0,0,0\r\n\r\nOK\r\n";
const MET_LATER: &[u8] = b"+FCO\r\n+FCI:\"4711\"\r\n+FIS:3,5,0,2,1,0,0,0\r\nOK\r\n";
const GO: &[u8] = b"+FDCS:1,5,0,2,1,0,0,0\r\nCONNECT\r\n\x11";
const GO_LATER: &[u8] = b"+FCS:1,5,0,2,1,0,0,0\r\nCONNECT\r\n";
const OK: &[u8] = b"\r\nOK\r\n";
const RTN: &[u8] = b"+FPTS:2\r\nOK\r\n";
const LAST: &[u8] = b"+FPTS:1\r\n+FHNG:0\r\nOK\r\n";
const ETX: &str = "\x10\x03";

#[test]
fn pages_that_are_refused_are_sent_again() {
    let folder = folder();
    let script: Script<'_> = &[
        ("DT123", MET),
        ("+FDT", GO),
        (ETX, OK),
        ("+FET=0", RTN),
        ("+FDT", GO),
        (ETX, OK),
        ("+FET=0", b"+FPTS:3\r\nOK\r\n"),
        ("+FDT", GO),
        (ETX, OK),
        ("+FET=2", RTN),
        ("+FDT", GO),
        (ETX, OK),
        ("+FET=2", LAST),
    ];
    let (ended, steps, told) = run(sending(Class::Two, &folder, 2), script);
    assert_eq!((ended.outcome, ended.pages), (Outcome::Delivered, 2), "{}", ended.said);
    assert_eq!(ended.remote.identity.as_deref(), Some("4711"));
    assert_eq!(ended.statistics.bit_rate, 14_400);
    let asked = steps.iter().filter(|step| **step == Step::Asked).count();
    let pages = steps.iter().filter(|step| matches!(step, Step::Pages { .. })).count();
    assert_eq!((asked, pages), (4, 2));
    assert!(told.iter().any(|text| text == "AT+FDIS=1,5,0,2,1,0,0,0\r"), "{told:?}");
}

#[test]
fn a_call_ends_for_the_reason_that_the_modem_gives() {
    let far = |code: &'static [u8]| [("DT123", MET), ("+FDT", GO), (ETX, OK), ("+FET=2", code)];
    let cases: [(Script<'_>, Outcome, u32); 16] = [
        (&[("DT123", b"BUSY\r\n")], Outcome::Busy, 0),
        (&[("DT123", b"NO DIALTONE\r\n")], Outcome::NoDialTone, 0),
        (&[("DT123", b"NO CARRIER\r\n")], Outcome::NoFaxMachine, 0),
        (&[("DT123", b"RING\r\n")], Outcome::LinesBusy, 0),
        (&[("DT123", b"+FHNG:11\r\nOK\r\n")], Outcome::NoHandshake, 0),
        (&[("DT123", b"+FCON\r\n+FHNG:22\r\nOK\r\n")], Outcome::RemoteRefused, 0),
        (&[("DT123", b"+FCON\r\n")], Outcome::NoHandshake, 0),
        (&[("DT123", b"+FCON\r\n+FDIS:a,b\r\n")], Outcome::ProtocolError, 0),
        (&[("DT123", MET), ("+FDT", b"+FHNG:27\r\nOK\r\n")], Outcome::CannotTrain, 0),
        (
            &[("DT123", MET), ("+FDT", b"CONNECT\r\n"), (ETX, b"+FHNG:40\r\n")],
            Outcome::ProtocolError,
            0,
        ),
        (&[("DT123", MET), ("+FDT", b"+FDCS:0,5,0,2\r\nCONNECT\r\n")], Outcome::FormatRefused, 0),
        (&far(b"+FHNG:54\r\nOK\r\n"), Outcome::PageUnconfirmed, 0),
        (&far(b"NO CARRIER\r\n"), Outcome::PageUnconfirmed, 0),
        // Nothing at all is said of the page.
        (&far(b""), Outcome::PageUnconfirmed, 0),
        // A normal end after EOP is a confirmation.
        (&far(b"+FHNG:0\r\nOK\r\n"), Outcome::Delivered, 1),
        (&[("+FLID", b"ERROR\r\n")], Outcome::ServerFault, 0),
    ];
    for (script, outcome, pages) in cases {
        let folder = folder();
        let (ended, steps, _) = run(sending(Class::Two, &folder, 1), script);
        assert_eq!((ended.outcome, ended.pages), (outcome, pages), "{script:?}: {}", ended.said);
        let asked = steps.contains(&Step::Asked);
        assert!(asked || outcome != Outcome::PageUnconfirmed);
    }
}

#[test]
fn a_page_that_is_refused_three_times_ends_the_call() {
    let folder = folder();
    let mut script = vec![("DT123", MET_LATER)];
    for _ in 0..3 {
        script.extend([("+FDT", GO_LATER), ("\x10.", &b"ERROR\r\n"[..])]);
    }
    let (ended, _, told) = run(sending(Class::TwoZero, &folder, 1), &script);
    assert_eq!((ended.outcome, ended.pages), (Outcome::PageRejected, 0));
    assert_eq!(told.last().unwrap(), "AT+FKS\r");
}

#[test]
fn the_ends_of_pages_say_what_comes() {
    let folder = folder();
    let pages = [Resolution::Fine, Resolution::Fine, Resolution::Standard];
    let file = document(&folder, "three.tif", &pages.map(|resolution| (resolution, 40)));
    let session = Session::sending(station(), file);
    let call = Class2::calling(Class::TwoOne, session, "123", LIMIT).unwrap();
    let script: Script<'_> = &[
        ("DT123", MET_LATER),
        ("+FDT", GO_LATER),
        ("\x10,", OK),
        ("+FDT", GO_LATER),
        ("\x10;", OK),
        ("+FDT", b"+FCS:0,5,0,2,1,0,0,0\r\nCONNECT\r\n"),
        ("\x10.", b"+FHS:00\r\nOK\r\n"),
    ];
    let (ended, _, told) = run(call, script);
    assert_eq!((ended.outcome, ended.pages), (Outcome::Delivered, 3), "{told:?}");
    assert!(told.iter().any(|text| text == "AT+FIS=0,5,0,2,1,0,0,0\r"));
}

#[test]
fn finer_pages_than_the_other_machine_takes_are_made_coarse() {
    let folder = folder();
    let met = b"+FCON\r\n+FDIS:0,3,0,2,0,0,0,3\r\nOK\r\n";
    let go = b"+FDCS:0,3,0,2,0,0,0,3\r\nCONNECT\r\n\x11";
    let script: Script<'_> = &[("DT123", met), ("+FDT", go), (ETX, OK), ("+FET=2", LAST)];
    let (ended, _, told) = run(sending(Class::Two, &folder, 1), script);
    assert_eq!((ended.outcome, ended.pages), (Outcome::Delivered, 1), "{told:?}");
    // 9,600 bit/s and 10 ms: no line has fewer than 96 bits.
    let data: usize = told.iter().filter(|text| !text.starts_with("AT")).map(String::len).sum();
    assert!(data >= 30 * 96 / 8, "{data} bytes");
}

#[test]
fn what_a_class_cannot_is_said_before_dialling() {
    let folder = folder();
    let file = document(&folder, "sent.tif", &[(Resolution::Fine, 10)]);
    let plain = Session::sending(station(), file.clone());
    let calling = |class, session, dial| Class2::calling(class, session, dial, LIMIT).err();
    let sub = Session { subaddress: Some("1".into()), ..plain.clone() };
    assert!(calling(Class::TwoZero, sub.clone(), "1").is_none());
    let refused = [
        (calling(Class::Two, sub, "1"), Outcome::FormatUnsendable),
        (calling(Class::Two, plain.clone(), "1\rATZ"), Outcome::BadDialString),
        (calling(Class::Two, plain.clone(), ""), Outcome::BadDialString),
        (
            calling(Class::Two, Session { receive: Some(file.clone()), ..plain.clone() }, "1"),
            Outcome::FormatUnsendable,
        ),
        (
            calling(
                Class::Two,
                Session { send: Some("/nonexistent".into()), ..plain.clone() },
                "1",
            ),
            Outcome::BadDocument,
        ),
        (
            calling(Class::Two, Session::sending(Station::new("a\"b"), file), "1"),
            Outcome::ServerMisconfigured,
        ),
    ];
    for (ended, outcome) in refused {
        let ended = ended.unwrap();
        assert_eq!(ended.outcome, outcome);
        assert!(!ended.said.is_empty());
    }
}

#[test]
fn a_bad_page_is_sent_back_and_a_good_one_kept() {
    let folder = folder();
    let good = data(&on_the_line(&page(1728, 60, 1)));
    let bad = data(&[0x55; 300]);
    let end = |next: u8| format!("\x10\x03\r\n+FPTS:1,60\r\n+FET:{next}\r\nOK\r\n").into_bytes();
    let answered = b"+FCON\r\n+FTSI:\"4711\"\r\n+FDCS:1,5,0,2,0,0,0,0\r\nOK\r\n";
    let (bad, good) = ([bad, end(2)].concat(), [good, end(2)].concat());
    let script: Script<'_> = &[
        ("ATA", answered),
        ("+FDR", b"CONNECT\r\n"),
        ("\x12", &bad),
        ("+FPTS=2", OK),
        ("+FDR", b"CONNECT\r\n"),
        ("\x12", &good),
        ("+FDR", b"+FHNG:0\r\nOK\r\n"),
    ];
    let (ended, _, told) = run(receiving(Class::Two, &folder), script);
    assert_eq!((ended.outcome, ended.pages), (Outcome::Delivered, 1), "{told:?} {}", ended.said);
    assert_eq!(ended.remote.identity.as_deref(), Some("4711"));
    let file = tiff::read(&folder.path().join("got.tif")).unwrap();
    assert!(file.decode(0).unwrap().page == page(1728, 60, 1));
}

#[test]
fn a_fax_that_breaks_off_keeps_what_was_confirmed() {
    let folder = folder();
    let first = [
        data(&on_the_line(&page(1728, 60, 1))),
        b"\x10\x03\r\n+FPS:1\r\n+FET:0\r\nOK\r\n".to_vec(),
    ];
    let first = first.concat();
    let second = [
        data(&on_the_line(&page(1728, 60, 2)))[..200].to_vec(),
        b"\x10\x03\r\n+FHS:90\r\nOK\r\n".to_vec(),
    ];
    let second = second.concat();
    let script: Script<'_> = &[
        ("ATA", b"+FCO\r\n+FTI:\"1\"\r\n+FSA:\"22\"\r\n+FCS:1,5,0,2,0,0,0,0\r\nOK\r\n"),
        ("+FDR", b"CONNECT\r\n"),
        ("\x12", &first),
        ("+FDR", b"CONNECT\r\n"),
        // This modem wants the other sign.
        ("\x12", b""),
        ("\x11", &second),
    ];
    let (ended, _, told) = run(receiving(Class::TwoZero, &folder), script);
    assert_eq!((ended.outcome, ended.pages), (Outcome::Disconnected, 1), "{told:?}");
    assert_eq!(ended.remote.subaddress.as_deref(), Some("22"));
    assert_eq!(tiff::read(&folder.path().join("got.tif")).unwrap().pages().len(), 1);
}

fn data(bytes: &[u8]) -> Vec<u8> {
    super::super::wire::stuffed(bytes)
}
