//! What the driver does with a device that behaves, and with one that does not: a fake
//! one. How a real server takes it is shown in `tests/ipp.rs`.

mod fake;

use std::{path::PathBuf, time::Duration};

use postfax_domain::{
    document::{Paper, Resolution},
    number::Number,
    outcome::Outcome,
    settings::{Change, Name, Value},
};
use tokio::sync::mpsc;

use self::fake::{
    BUSY, CANCEL_JOB, CREATE_JOB, Do, Fake, GET_JOB, GET_JOBS, GET_PRINTER, NO_ANSWER,
    SEND_DOCUMENT,
};
use super::{Ipp, Options};
use crate::{
    conformance::{Bench, suite},
    driver::{Call, Driver, DriverError, Ended, SettingsError, Ticket},
    pages::{
        bitmap::{Bitmap, Size},
        same_pixels, sheet,
        tiff::{self, CodedPage, FillOrder},
    },
};

/// Two pages in a file.
fn pages(folder: &std::path::Path) -> PathBuf {
    let size = Size::new(1728, 900).unwrap();
    let page = |line: u32| {
        let mut page = Bitmap::white(size);
        (0..40).for_each(|more| page.blacken(line + more, 100, 900 + more));
        CodedPage::mmr(&page, sheet::density(Resolution::Fine))
    };
    let path = folder.join("sent.tif");
    let octets = tiff::write(&[page(100), page(400)], FillOrder::HighestFirst);
    std::fs::write(&path, octets).unwrap();
    path
}

fn number(uri: &str) -> Number {
    uri.trim_start_matches("tel:").to_owned().try_into().unwrap()
}

fn call(folder: &tempfile::TempDir, tag: &str) -> Call {
    Call {
        tag: tag.to_owned(),
        number: number("tel:+15550101"),
        subaddress: None,
        pages: pages(folder.path()),
        pages_before: 0,
        resolution: Resolution::Fine,
        paper: Paper::A4,
        sender: "anna".into(),
        station_id: None,
        priority: 127,
        give_up_after: Duration::from_secs(60),
    }
}

async fn follow(driver: &Ipp, ticket: &Ticket) -> Result<Ended, DriverError> {
    let (tell, mut told) = mpsc::channel(64);
    let listen = async { while told.recv().await.is_some() {} };
    let follow = driver.follow(ticket, tell);
    let followed = async { tokio::join!(follow, listen).0 };
    tokio::time::timeout(Duration::from_secs(10), followed).await.unwrap()
}

#[tokio::test]
async fn the_driver_keeps_its_promises() {
    let fake = Fake::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let (driver, sent) = (fake.driver(), pages(folder.path()));
    let bench = Bench {
        folder: folder.path(),
        safe: folder.path(),
        run: "fake",
        pages: &sent,
        page_count: 2,
        resolution: Resolution::Fine,
        good: number("tel:+15550101"),
        busy: Some(number(BUSY)),
        no_answer: Some(number(NO_ANSWER)),
        receiver: None,
        same_pixels: &|one, other| same_pixels(one, other).map_err(|bad| bad.to_string()),
        call_limit: Duration::from_secs(10),
    };
    let steps = suite(&driver, &bench).await.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(steps.len(), 8, "{steps:#?}");
    let job = &fake.jobs()[0];
    assert_eq!(job.document.as_deref(), Some(&std::fs::read(&sent).unwrap()[..]));
    assert_eq!((job.format.as_str(), job.retries), ("image/tiff", Some(0)));
}

#[tokio::test]
async fn what_is_dialled_and_in_which_format() {
    let fake = Fake::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    for (formats, sent) in [
        (vec!["image/tiff", "application/pdf"], "image/tiff"),
        (vec!["image/pwg-raster", "application/pdf"], "application/pdf"),
        (vec!["image/pwg-raster", "image/jpeg"], "image/pwg-raster"),
    ] {
        fake.state.lock().unwrap().formats = formats;
        let driver = Ipp::new(Options {
            pre_dial: Some("9".into()),
            password: Some("secret".into()),
            ..fake.options()
        });
        let call = Call { subaddress: Some("4312".into()), ..call(&folder, "tag") };
        driver.submit(&call).await.unwrap();
        let job = fake.jobs().pop().unwrap();
        assert_eq!((job.to.as_str(), job.subaddress), ("tel:+15550101", Some(4312)));
        assert_eq!((job.before.as_deref(), job.format.as_str()), (Some("9"), sent));
        let start: &[u8] = match sent {
            "image/tiff" => b"II*\0",
            "application/pdf" => b"%PDF-",
            _ => b"RaS2PwgRaster\0",
        };
        assert!(job.document.unwrap().starts_with(start));
    }
    let login = fake.state.lock().unwrap().logins[0].clone();
    assert_eq!(login, "Basic cG9zdGZheDpzZWNyZXQ=");
    let sub = Call { subaddress: Some("007".into()), ..call(&folder, "other") };
    let refused = fake.driver().submit(&sub).await.unwrap_err();
    assert!(matches!(refused, DriverError::Refused { .. }), "{refused}");
}

/// What became of a submission.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Refused(Outcome),
    Unreachable,
    Unsure,
}

fn came(failed: &DriverError) -> Came {
    match failed {
        DriverError::Refused { outcome, .. } => Came::Refused(*outcome),
        DriverError::Unreachable { .. } => Came::Unreachable,
        DriverError::Unsure { .. } => Came::Unsure,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_submission_that_fails_leaves_nothing_that_could_be_dialled() {
    use Came::{Refused, Unreachable, Unsure};
    let folder = tempfile::tempdir().unwrap();
    for (operation, fault, expected) in [
        (GET_PRINTER, Do::Close, Unreachable),
        (GET_PRINTER, Do::Hang, Unreachable),
        (GET_PRINTER, Do::Flood, Unreachable),
        (GET_PRINTER, Do::Garble, Unreachable),
        (GET_PRINTER, Do::Http(401), Refused(Outcome::ServerMisconfigured)),
        (GET_PRINTER, Do::Http(500), Refused(Outcome::ServerFault)),
        (GET_PRINTER, Do::Refuse(0x0403), Refused(Outcome::ServerMisconfigured)),
        (CREATE_JOB, Do::Refuse(0x0507), Refused(Outcome::LinesBusy)),
        (CREATE_JOB, Do::Refuse(0x0500), Refused(Outcome::ServerFault)),
        (CREATE_JOB, Do::Ignore, Refused(Outcome::ServerMisconfigured)),
        (CREATE_JOB, Do::Close, Unsure),
        (CREATE_JOB, Do::ObeyAndClose, Unsure),
        (CREATE_JOB, Do::Hang, Unsure),
        (SEND_DOCUMENT, Do::Refuse(0x040a), Refused(Outcome::FormatUnsendable)),
        // It is seen to lack its document.
        (SEND_DOCUMENT, Do::Refuse(0x0507), Refused(Outcome::LinesBusy)),
        (SEND_DOCUMENT, Do::Http(500), Refused(Outcome::ServerFault)),
        (SEND_DOCUMENT, Do::Close, Unsure),
        (SEND_DOCUMENT, Do::CloseInUpload, Unsure),
    ] {
        let fake = Fake::start(&[(operation, fault)]).await;
        let driver = fake.driver();
        let failed = driver.submit(&call(&folder, "tag")).await.unwrap_err();
        assert_eq!(came(&failed), expected, "{operation:#x} {fault:?}: {failed}");
        fake.rules(&[]);
        assert_eq!(driver.find("tag").await.unwrap(), None, "{operation:#x} {fault:?}");
        let jobs = fake.jobs();
        assert!(jobs.iter().all(|job| job.document.is_none()), "{jobs:?}");
        // It is submitted again, and only that is dialled.
        let ticket = driver.submit(&call(&folder, "tag")).await.unwrap();
        assert_eq!(driver.find("tag").await.unwrap(), Some(ticket), "{operation:#x} {fault:?}");
        let dialled = fake.jobs().iter().filter(|job| job.document.is_some()).count();
        assert_eq!(dialled, 1);
    }
}

#[tokio::test]
async fn what_was_sent_is_found_whatever_was_heard_of_it_and_whoever_asks() {
    let fake = Fake::start(&[(SEND_DOCUMENT, Do::ObeyAndClose)]).await;
    let folder = tempfile::tempdir().unwrap();
    let failed = fake.driver().submit(&call(&folder, "tag")).await.unwrap_err();
    assert_eq!(came(&failed), Came::Unsure);
    // Another life.
    let ticket = fake.driver().find("tag").await.unwrap().expect("it was taken");
    assert_eq!(follow(&fake.driver(), &ticket).await.unwrap().outcome, Outcome::Delivered);
    // The notes are lost: the device knows it by its name.
    std::fs::remove_dir_all(fake.options().notes).unwrap();
    let ticket = fake.driver().find("tag").await.unwrap().expect("it is in the list");
    assert_eq!(follow(&fake.driver(), &ticket).await.unwrap().outcome, Outcome::Delivered);
    assert_eq!(fake.driver().find("ta").await.unwrap(), None);
    // The device has forgotten it: it may have been sent.
    fake.state.lock().unwrap().jobs.clear();
    let ticket = fake.driver().find("tag").await.unwrap().expect("it was noted");
    let gone = follow(&fake.driver(), &ticket).await.unwrap_err();
    assert!(matches!(gone, DriverError::Gone { .. }), "{gone}");
    fake.driver().forget(&ticket).await.unwrap();
    assert_eq!(fake.driver().find("tag").await.unwrap(), None);
}

#[tokio::test]
async fn a_device_that_calls_it_a_failure_may_have_the_fax_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for fault in [Do::ObeyAndRefuse(0x0500), Do::ObeyAndRefuse(0x0507), Do::ObeyAndHttp(504)] {
        for unseen in [None, Some((GET_JOB, Do::Close))] {
            let rules: Vec<_> = [(SEND_DOCUMENT, fault)].into_iter().chain(unseen).collect();
            let fake = Fake::start(&rules).await;
            let failed = fake.driver().submit(&call(&folder, "tag")).await.unwrap_err();
            assert_eq!(came(&failed), Came::Unsure, "{fault:?}: {failed}");
            fake.rules(&[]);
            let ticket = fake.driver().find("tag").await.unwrap().expect("it was taken");
            let ended = follow(&fake.driver(), &ticket).await.unwrap();
            assert_eq!(ended.outcome, Outcome::Delivered, "{fault:?}");
            assert_eq!(fake.heard(CANCEL_JOB), 0);
        }
    }
}

#[tokio::test]
async fn a_device_that_does_not_answer_is_asked_again_and_another_ones_job_is_not_ours() {
    let fake = Fake::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let driver = fake.driver();
    let ticket = driver.submit(&call(&folder, "tag")).await.unwrap();
    for fault in [Do::Close, Do::Hang, Do::Flood, Do::Garble] {
        fake.rules(&[(GET_JOB, fault), (GET_JOBS, fault)]);
        let failed = follow(&driver, &ticket).await.unwrap_err();
        assert_eq!(came(&failed), Came::Unreachable, "{fault:?}");
        assert!(driver.find("tag").await.is_err(), "{fault:?}");
    }
    fake.rules(&[(GET_JOB, Do::Rename)]);
    assert!(matches!(follow(&driver, &ticket).await, Err(DriverError::Gone { .. })));
    assert!(matches!(driver.cancel(&ticket).await, Err(DriverError::Gone { .. })));
    assert_eq!(fake.heard(CANCEL_JOB), 0, "a job of somebody else is not stopped");
}

#[tokio::test]
async fn a_device_that_does_not_tell_has_only_taken_it() {
    let folder = tempfile::tempdir().unwrap();
    let hiding = Fake::start(&[(GET_JOB, Do::Hide)]).await;
    let telling = Fake::start(&[]).await;
    let distrusted = Ipp::new(Options { confirms: false, ..telling.options() });
    for driver in [hiding.driver(), distrusted] {
        let ticket = driver.submit(&call(&folder, "tag")).await.unwrap();
        let ended = follow(&driver, &ticket).await.unwrap();
        assert_eq!((ended.outcome, ended.ledger.confirmed), (Outcome::Relayed, 0), "{ended:?}");
    }
    let spoiling = Fake::start(&[(GET_JOB, Do::Spoil)]).await;
    let ticket = spoiling.driver().submit(&call(&folder, "tag")).await.unwrap();
    let ended = follow(&spoiling.driver(), &ticket).await.unwrap();
    assert_eq!(ended.outcome, Outcome::GaveUp, "{ended:?}");
}

#[tokio::test]
async fn what_takes_too_long_at_the_device_is_stopped_there_and_followed_to_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let willing: &[_] = &[];
    let unwilling: &[_] = &[(CANCEL_JOB, Do::Refuse(0x0500))];
    // The job-state and transmission-status that it stays in.
    for (state, rules, expected) in [
        // In its queue, held, stopped.
        ((3, 3), willing, Outcome::NotDialled),
        ((4, 3), willing, Outcome::NotDialled),
        ((6, 5), willing, Outcome::NotDialled),
        ((4, 3), unwilling, Outcome::Unknown),
        // At work.
        ((5, 5), willing, Outcome::GaveUp),
        ((5, 5), unwilling, Outcome::Unknown),
        ((5, 9), unwilling, Outcome::Delivered),
        ((5, 8), unwilling, Outcome::GaveUp),
    ] {
        let fake = Fake::start(rules).await;
        let aftermath = Duration::from_millis(200);
        let driver = Ipp::new(Options { aftermath, ..fake.options() });
        driver.submit(&call(&folder, "tag")).await.unwrap();
        fake.state.lock().unwrap().keep(0, state);
        let long_ago = Ticket("1 2 1000 tag".into());
        let ended = follow(&driver, &long_ago).await.unwrap();
        assert_eq!(ended.outcome, expected, "{state:?} {ended:?}");
        assert_eq!(fake.heard(CANCEL_JOB), 1, "{state:?}");
    }
}

#[tokio::test]
async fn what_is_found_without_its_note_has_an_end_as_well() {
    let fake = Fake::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    fake.driver().submit(&call(&folder, "tag")).await.unwrap();
    fake.state.lock().unwrap().keep(0, (3, 3));
    std::fs::remove_dir_all(fake.options().notes).unwrap();
    let ticket = fake.driver().find("tag").await.unwrap().expect("it is in the list");
    let until: u64 = ticket.0.split(' ').nth(2).unwrap().parse().unwrap();
    assert!(until > 0, "{ticket:?}");
    assert_eq!(fake.driver().find("tag").await.unwrap(), Some(ticket));
}

#[tokio::test]
async fn settings_are_a_matter_of_those_that_let_them_be_set() {
    let fake = Fake::start(&[]).await;
    assert!(fake.driver().capabilities().schema.is_none());
    let admin = Some("secret".to_owned());
    let driver = Ipp::new(Options { admin_password: admin, ..fake.options() });
    assert!(driver.capabilities().schema.is_some());
    let folder = tempfile::tempdir().unwrap();
    let change =
        |name: &str, to: Value| [Change { name: Name::of_server(name), from: None, to: Some(to) }];
    let cellar = Value::Text("cellar".into());
    let held = driver.set(&change("location", cellar.clone()), folder.path()).await.unwrap();
    assert_eq!(held.get(&Name::of_server("location")), Some(&cellar));
    assert_eq!(fake.state.lock().unwrap().location, "cellar");
    for (name, value) in [
        ("retries", Value::Number(2)),
        ("location", Value::Number(2)),
        ("colour", Value::Flag(true)),
    ] {
        let undone = driver.set(&change(name, value), folder.path()).await.unwrap_err();
        assert!(matches!(undone, SettingsError::Undone(_)), "{name}: {undone}");
    }
    assert_eq!(driver.settings(folder.path()).await.unwrap(), held);
}
