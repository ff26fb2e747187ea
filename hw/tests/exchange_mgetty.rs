//! mgetty and sendfax, fax programs by other people, take the modems of the exchange for
//! real ones: sendfax sends to a machine of ours, and mgetty, which opens the line as a
//! login program does and finds there its usual commands, answers one.
//!
//! Debian's mgetty is built without its Class 1 driver, so that
//! `hw/tests/peers/mgetty.sh FOLDER` builds one that has it; `POSTFAX_MGETTY=FOLDER` tells
//! this test where. Both tests read and write there, and so run one after the other.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod peers;

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use peers::{CODING, MACHINE, PROGRAM, World, coded, density, page};
use postfax_domain::outcome::Outcome;
use postfax_hw::{
    exchange::Sending,
    lab::hylafax::permitted,
    pages::{
        ccitt::decode,
        tiff::{CodedPage, FillOrder, read, write},
    },
};

/// How long mgetty may take until it waits for rings.
const READY: Duration = Duration::from_secs(20);

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn sendfax_sends_to_a_machine() {
    let Some(folder) = built() else { return };
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let world = World::new(1.0);
    let modem = world.exchange.modem(PROGRAM, None).unwrap();
    let mut machine = world.machine();
    let page_file = world.write("page.g3", &coded());
    let arguments = ["-C", "cls1", "-l", device(&modem), MACHINE, page_file.to_str().unwrap()];
    world.run(&folder.join("sendfax"), &arguments).succeeds();
    let fax = machine.wait_received().unwrap();
    assert_eq!((fax.pages, fax.complete, fax.bit_rate), (1, true, 14400));
    assert_eq!(fax.tsi.as_deref(), Some("49 30 1234"));
    let arrived = read(&fax.tiff).unwrap().decode(0).unwrap();
    assert!(arrived.damage.is_none(), "{:?}", arrived.damage);
    assert!(arrived.page == page(), "other pixels arrived");
}

#[test]
fn mgetty_receives_from_a_machine() {
    let Some(folder) = built() else { return };
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let world = World::new(1.0);
    let modem = world.exchange.modem(PROGRAM, None).unwrap();
    let machine = world.machine();
    for old in received(&folder) {
        std::fs::remove_file(old).unwrap();
    }
    let log = folder.join(format!("mgetty.{}.log", device(&modem).replace('/', "-")));
    // It may be there from an earlier run.
    std::fs::remove_file(&log).ok();
    let answering = world.run(&folder.join("mgetty"), &["-C", "cls1", "-b", device(&modem)]);
    wait_until_ready(&log);
    let sent = CodedPage::mmr(&page(), density());
    let tiff = world.write("sent.tif", &write(&[sent], FillOrder::HighestFirst));
    let sending =
        Sending { number: PROGRAM, tiff: &tiff, subaddress: None, ecm: true, progress: None };
    let result = machine.call(sending).wait();
    assert_eq!((result.outcome, result.pages_confirmed), (Outcome::Delivered, 1));
    assert_eq!(result.remote_id.as_deref(), Some("49 30 5678"));
    answering.succeeds();
    let received = received(&folder);
    assert_eq!(received.len(), 1, "{received:?}");
    let name = received[0].file_name().unwrap().to_str().unwrap();
    assert!(name.ends_with(&format!("{}.01", MACHINE.replace('+', "-"))), "the TSI is in {name}");
    let arrived = decode(&std::fs::read(&received[0]).unwrap(), CODING, page().size());
    assert!(arrived.damage.is_none(), "{:?}", arrived.damage);
    assert!(arrived.page == page(), "other pixels arrived");
}

/// Where mgetty is, with its Class 1 driver.
fn built() -> Option<PathBuf> {
    let folder = std::env::var_os("POSTFAX_MGETTY").map(PathBuf::from);
    let reason = match &folder {
        None => "POSTFAX_MGETTY names no folder that hw/tests/peers/mgetty.sh has filled",
        Some(_) if !permitted() => "it needs root",
        Some(folder) => {
            let there = ["mgetty", "sendfax"].iter().all(|name| folder.join(name).exists());
            assert!(there, "mgetty and sendfax are not in {}", folder.display());
            return Some(folder.clone());
        }
    };
    eprintln!("SKIPPED, NOT TESTED: mgetty with the exchange: {reason}");
    None
}

/// A device as mgetty wants it, without `/dev/`.
fn device(terminal: &Path) -> &str {
    terminal.strip_prefix("/dev").unwrap().to_str().unwrap()
}

fn received(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("spool")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn wait_until_ready(log: &Path) {
    let end = Instant::now() + READY;
    loop {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        if said.contains("waiting...") {
            return;
        }
        assert!(Instant::now() < end, "mgetty does not wait for rings:\n{said}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
