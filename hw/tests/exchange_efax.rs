//! efax, a fax program by other people, takes the modems of the exchange for real ones:
//! it sends to itself, to a machine of ours, and receives from one.
//!
//! efax puts its header above each page, a few white lines even when it has no text,
//! and sends what it was given behind that unchanged: so the last lines of what
//! arrives are compared, all of those that were sent.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod peers;

use std::path::Path;

use peers::{MACHINE, OTHER_PROGRAM, PROGRAM, World, coded, density, page};
use postfax_domain::outcome::Outcome;
use postfax_hw::{
    exchange::Sending,
    pages::{
        bitmap::Bitmap,
        tiff::{CodedPage, FillOrder, read, write},
    },
};

const EFAX: &str = "/usr/bin/efax";
/// Most lines of efax's header: its font has 16, and four above.
const HEADER_LINES: usize = 24;

#[test]
fn efax_sends_to_efax() {
    if !installed() {
        return;
    }
    // Both sides measure real time; at this speed they still agree.
    let world = World::new(4.0);
    let [from, to] = [PROGRAM, OTHER_PROGRAM].map(|number| modem(&world, number));
    let receiving = receive(&world, &to);
    let sending = send(&world, &from, OTHER_PROGRAM);
    let said = sending.succeeds();
    assert!(said.contains("received MCF - page OK"), "{said}");
    let said = receiving.succeeds();
    assert!(said.contains("received EOP - done"), "{said}");
    assert_arrived(&world.path("got.001"), 1..=HEADER_LINES);
}

#[test]
fn efax_sends_to_a_machine() {
    if !installed() {
        return;
    }
    let world = World::new(1.0);
    let from = modem(&world, PROGRAM);
    let mut machine = world.machine();
    send(&world, &from, MACHINE).succeeds();
    let fax = machine.wait_received().unwrap();
    assert_eq!((fax.pages, fax.complete, fax.bit_rate), (1, true, 14400));
    assert_eq!(fax.tsi.as_deref(), Some("+49 30 1234"));
    assert_arrived(&fax.tiff, 1..=HEADER_LINES);
}

#[test]
fn efax_receives_from_a_machine() {
    if !installed() {
        return;
    }
    let world = World::new(1.0);
    let to = modem(&world, OTHER_PROGRAM);
    let machine = world.machine();
    let receiving = receive(&world, &to);
    let sent = CodedPage::mmr(&page(), density());
    let tiff = world.write("sent.tif", &write(&[sent], FillOrder::HighestFirst));
    let sending =
        Sending { number: OTHER_PROGRAM, tiff: &tiff, subaddress: None, ecm: true, progress: None };
    let result = machine.call(sending).wait();
    assert_eq!((result.outcome, result.pages_confirmed), (Outcome::Delivered, 1));
    assert_eq!(result.remote_id.as_deref(), Some("+49 30 5678"));
    receiving.succeeds();
    assert_arrived(&world.path("got.001"), 0..=0);
}

fn installed() -> bool {
    let installed = Path::new(EFAX).exists();
    if !installed {
        eprintln!("SKIPPED, NOT TESTED: efax with the exchange: {EFAX} is not installed");
    }
    installed
}

fn modem(world: &World, number: &str) -> String {
    world.exchange.modem(number, None).unwrap().to_str().unwrap().to_owned()
}

/// The modem answers by itself, and efax finds it connected.
fn receive(world: &World, device: &str) -> peers::Running {
    let options = ["-o1", "-v", "ewin", "-l", "+49 30 5678", "-i", "S0=1", "-w", "-r", "got"];
    let running = world.run(Path::new(EFAX), &[&options[..], &["-d", device]].concat());
    // It sets the modem up first.
    std::thread::sleep(std::time::Duration::from_secs(3));
    running
}

fn send(world: &World, device: &str, number: &str) -> peers::Running {
    // A blank header: for an empty one efax adds up memory that it never wrote.
    let file = world.write("page.g3", &coded());
    let number = format!("T{number}");
    let options = ["-o1", "-v", "ewin", "-l", "+49 30 1234", "-h", " ", "-d", device, "-t"];
    let last = [number.as_str(), file.to_str().unwrap()];
    world.run(Path::new(EFAX), &[&options[..], &last[..]].concat())
}

/// The page arrived below so many white lines, and nothing else did.
fn assert_arrived(path: &Path, header: std::ops::RangeInclusive<usize>) {
    let file = read(path).unwrap();
    assert_eq!(file.pages().len(), 1);
    let arrived = file.decode(0).unwrap();
    assert!(arrived.damage.is_none(), "{:?}", arrived.damage);
    let (arrived, sent): (Vec<_>, Vec<_>) = (rows(&arrived.page), rows(&page()));
    let above = arrived.len().checked_sub(sent.len()).expect("all lines arrived");
    assert!(header.contains(&above), "{above} lines above the page");
    let (above, below) = arrived.split_at(above);
    assert!(above.iter().flatten().all(|byte| *byte == 0), "something is printed above the page");
    assert!(below == sent, "other pixels arrived");
}

fn rows(page: &Bitmap) -> Vec<Vec<u8>> {
    page.rows().map(<[u8]>::to_vec).collect()
}
