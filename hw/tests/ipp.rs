//! The suite that every driver passes, for the IPP driver against CUPS's own server,
//! which takes jobs as a device does and calls nobody.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../tests/support/ippeve.rs"]
mod ippeve;
#[path = "../../tests/support/programs.rs"]
#[expect(dead_code, reason = "it is shared")]
mod programs;

use std::time::{Duration, Instant};

use postfax_domain::document::Resolution;
use postfax_hw::{
    conformance::{Bench, suite},
    ipp::{Ipp, Options},
    pages::{
        bitmap::{Bitmap, Size},
        same_pixels, sheet,
        tiff::{CodedPage, FillOrder, write},
    },
};

use ippeve::Ippeve;

mod postfax {
    /// A port that nobody listens on.
    pub fn free_port() -> u16 {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    }
}

/// Waits until `seen` has a value.
fn wait_for<T>(what: &str, seconds: u64, mut seen: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(value) = seen() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {seconds} s in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test]
async fn the_driver_keeps_its_promises_with_a_real_server() {
    if !ippeve::is_there() {
        eprintln!(
            "SKIPPED, NOT TESTED: the IPP driver with ippeveprinter (root; packages \
             cups-ipp-utils, avahi-daemon, dbus)"
        );
        return;
    }
    let server = Ippeve::start();
    let folder = tempfile::tempdir().unwrap();
    let page = Bitmap::white(Size::new(1728, 300).unwrap());
    let page = CodedPage::mmr(&page, sheet::density(Resolution::Fine));
    let pages = folder.path().join("sent.tif");
    std::fs::write(&pages, write(&[page], FillOrder::HighestFirst)).unwrap();
    // It ends its jobs, and knows nothing of a transmission.
    let options = Options::new("localhost", server.port, "/ipp/print", folder.path().join("notes"));
    let driver =
        Ipp::new(Options { confirms: false, follow: Duration::from_millis(200), ..options });
    let bench = Bench {
        folder: folder.path(),
        safe: folder.path(),
        run: "ippeve",
        pages: &pages,
        page_count: 1,
        resolution: Resolution::Fine,
        good: "+15550101".to_owned().try_into().unwrap(),
        busy: None,
        no_answer: None,
        receiver: None,
        same_pixels: &|one, other| same_pixels(one, other).map_err(|bad| bad.to_string()),
        call_limit: Duration::from_secs(20),
    };
    let steps = suite(&driver, &bench).await.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(steps.len(), 6, "{steps:#?}");
    let sent = std::fs::read(&pages).unwrap();
    let documents = server.documents();
    assert!(!documents.is_empty());
    for document in documents {
        assert_eq!(std::fs::read(document).unwrap(), sent, "a document arrives as it is");
    }
    assert!(server.attributes().contains("tel:+15550101"), "{}", server.attributes());
}
