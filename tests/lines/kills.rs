//! The line server is killed in the middle of a call, on either side of it: no page is
//! lost, none counts as sent that was not, and none is sent again that was confirmed.

use std::{fs, path::Path};

use postfax_domain::document::Resolution;
use postfax_hw::{
    exchange::{CallProgress, ReceivedFax, Sending},
    pages::{
        bitmap::{Bitmap, Size},
        sheet,
        tiff::{self, CodedPage, FillOrder},
    },
};
use tokio::sync::mpsc;

use super::{
    calls::{CALL_S, House, MODEM},
    support::{pages, wait_for},
};

const FAR: &str = "+12125550111";
/// What is lost by a kill is called again at once, also while the old call still rings out.
const AT_ONCE: &str = "
[retry]
server-fault = { delay_s = 1, tries = 20 }
page-unconfirmed = { delay_s = 1, tries = 20 }
busy = { delay_s = 1, tries = 20 }
no-dial-tone = { delay_s = 1, tries = 20 }
";

/// Two pages: a black bar stands high on the first and low on the second.
fn document() -> Vec<u8> {
    pages::pdf_of(&[600, 150].map(|y| format!("72 {y} 400 60 re f")))
}

/// Which of these pages are in a file.
fn pages_of(fax: &Path) -> Vec<usize> {
    let file = tiff::read(fax).unwrap();
    let which = |at| {
        let page = file.decode(at).unwrap().page;
        let black = |row: &[u8]| row.iter().map(|byte| byte.count_ones()).sum::<u32>();
        let bar = page.rows().position(|row| black(row) > page.size().width() / 2);
        let bar = bar.expect("a page has a bar") as u32;
        if bar < page.size().lines() / 2 { 1 } else { 2 }
    };
    (0..file.pages().len()).map(which).collect()
}

/// Sends the two pages through a line server that is killed before it does this; then they
/// are in its books so far.
fn sends(killed_before: &str, confirmed: usize) {
    let house = House::open(false, AT_ONCE);
    let mut machine = house.exchange.machine(FAR, 2, "far").unwrap();
    let mut received = machine.take_received().unwrap();
    let mut lines = house.lines(killed_before);
    house.wait_until_up();
    house.mail_pdf("anna", FAR, "two", &document());
    wait_for("its end", CALL_S, || lines.ended());
    let _lines = house.lines("");
    let job = house.postfax.wait_for_end(1, 2 * CALL_S);
    let story = || format!("killed before {killed_before}: {job:#}");
    assert_eq!(job["state"]["ended"]["end"], "delivered", "{}", story());
    assert_eq!(job["confirmed"], 2, "{}", story());
    house.delivered("anna");
    let mut faxes: Vec<ReceivedFax> = vec![];
    wait_for("the whole fax", 30, || {
        faxes.extend(std::iter::from_fn(|| received.try_recv().ok()));
        faxes.last().is_some_and(|fax| fax.complete).then_some(())
    });
    let last = faxes.pop().unwrap();
    let before: Vec<usize> = faxes.iter().flat_map(|fax| pages_of(&fax.tiff)).collect();
    eprintln!("killed before {killed_before}: {before:?}, then {:?}", pages_of(&last.tiff));
    let attempts = job["attempts"].as_array().unwrap();
    assert_eq!(attempts[0]["ledger"]["confirmed"], confirmed.min(2), "{}", story());
    if confirmed == 2 {
        assert_eq!(attempts.len(), 1, "nobody calls again: {}", story());
        assert_eq!(pages_of(&last.tiff), [1, 2]);
        return;
    }
    // What was confirmed has come, and only the rest comes then.
    assert!(before.starts_with(&[1, 2][..confirmed]), "{before:?} {}", story());
    assert_eq!(pages_of(&last.tiff), [1, 2][confirmed..], "{}", story());
}

#[test]
fn killed_while_it_notes_a_second_page_it_sends_only_that_one_again() {
    sends("asked#2", 1);
}

#[test]
#[ignore = "six times two calls: cargo test --workspace --test lines -- --ignored kills"]
fn killed_anywhere_in_a_call_it_loses_and_repeats_nothing() {
    for (killed_before, confirmed) in [
        ("dialling", 0),
        ("connected", 0),
        ("asked", 0),
        ("confirmed", 0),
        ("confirmed#2", 1),
        ("end", 2),
    ] {
        sends(killed_before, confirmed);
    }
}

#[test]
fn killed_while_a_fax_comes_in_it_keeps_what_it_has_confirmed() {
    let house = House::open(false, "");
    let machine = house.exchange.machine(FAR, 1, "far").unwrap();
    let lines = house.lines("");
    house.wait_until_up();
    let tiff = house.postfax.file("two.tif");
    let page = |_| {
        let page = Bitmap::white(Size::new(1728, 2200).unwrap());
        CodedPage::mmr(&page, sheet::density(Resolution::Fine))
    };
    let both: Vec<CodedPage> = (0..2).map(page).collect();
    fs::write(&tiff, tiff::write(&both, FillOrder::HighestFirst)).unwrap();
    let (tell, mut told) = mpsc::channel(16);
    let sending =
        Sending { number: MODEM, tiff: &tiff, subaddress: None, ecm: true, progress: Some(tell) };
    let call = machine.call(sending);
    while told.blocking_recv().expect("a page is confirmed") != CallProgress::Page(1) {}
    drop(lines);
    let ended = call.wait();
    assert_eq!(ended.pages_confirmed, 1, "{ended:?}");
    let _lines = house.lines("");
    let came = |mail: &super::support::sink::Mail| mail.header("X-Fax-Called").is_some();
    let mail = house.sink.wait("the fax", "anna@example.com", 60, came);
    assert_eq!(mail.header("X-Fax-Pages").as_deref(), Some("1"));
    assert!(mail.subject().contains("ncomplete"), "{}", mail.subject());
}
