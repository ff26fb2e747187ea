//! HylaFAX acts on what was set: a change is made at one of two servers, and calls to
//! it show it. What the driver does is tested elsewhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use postfax_domain::{
    document::{Paper, Resolution},
    number::{Country, Number},
    outcome::Outcome,
    settings::{Change, Name, Value},
};
use postfax_hw::{
    driver::{Call, Driver},
    exchange::Happening,
    hylafax::{Hylafax, Options as Login},
    lab::{Kind, Lab, Options, ServerDescription, hylafax},
    pages::{
        bitmap::{Bitmap, Size},
        sheet,
        tiff::{CodedPage, FillOrder, write},
    },
};
use tokio::{sync::mpsc, time::timeout};

/// How long a call may take.
const CALL_LIMIT: Duration = Duration::from_secs(90);
const IDENTITY: &str = "PARIS 2";

fn driver(server: &ServerDescription) -> Hylafax {
    let login = Login::new(&server.host, server.port, &server.user, &server.password);
    Hylafax::new(Login { admin_password: Some(server.admin_password.clone()), ..login })
}

fn files(server: &ServerDescription) -> BTreeMap<String, Vec<u8>> {
    let etc = server.spool.join("etc");
    let entries = fs::read_dir(etc).unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// Sends a page; what the answering machine calls itself, and how long it rang.
async fn call(lab: &Lab, tag: &str, pages: &Path) -> (String, Duration) {
    let [sender, receiver] = [0, 1].map(|server| &lab.description().servers[server]);
    let number = &receiver.numbers[0];
    let mut events = lab.exchange().subscribe();
    let driver = driver(sender);
    let ticket = driver
        .submit(&Call {
            tag: tag.to_owned(),
            number: Number::parse(number, "DE".parse::<Country>().unwrap()).unwrap(),
            subaddress: None,
            pages: pages.to_owned(),
            resolution: Resolution::Fine,
            pages_before: 0,
            paper: Paper::A4,
            sender: "settings".to_owned(),
            station_id: None,
            priority: 127,
            give_up_after: CALL_LIMIT,
        })
        .await
        .unwrap();
    let (tell, _told) = mpsc::channel(64);
    let ended = timeout(CALL_LIMIT, driver.follow(&ticket, tell)).await.unwrap().unwrap();
    assert_eq!(ended.outcome, Outcome::Delivered, "{ended:?}");
    let (mut rang, mut answered) = (Duration::ZERO, Duration::ZERO);
    while let Ok(event) = events.try_recv() {
        match event.what {
            Happening::Ringing => rang = event.after,
            Happening::Answered => answered = event.after,
            _ => {}
        }
    }
    (ended.ledger.remote_id.unwrap_or_default(), answered - rang)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faxgetty_answers_as_it_was_set_to() {
    if !(hylafax::installed() && hylafax::permitted()) {
        eprintln!("SKIPPED, NOT TESTED: faxgetty acts on settings (package, root)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        lines: 1,
        answering: 1,
        ..Options::new(folder.path().join("lab"), Kind::Hylafax)
    };
    let lab = Lab::start(options).await.unwrap();
    let [other, server] = [0, 1].map(|server| lab.description().servers[server].clone());
    let pages = folder.path().join("page.tif");
    let size = Size::new(1728, sheet::a4(Resolution::Fine)).unwrap();
    let page = CodedPage::mmr(&Bitmap::white(size), sheet::density(Resolution::Fine));
    fs::write(&pages, write(&[page], FillOrder::HighestFirst)).unwrap();

    let (identity, rang) = call(&lab, "before", &pages).await;
    assert_eq!(identity, server.name);
    let before = files(&other);
    let changes = [
        ("station_identity", Value::Text(IDENTITY.into())),
        ("rings_before_answer", Value::Number(3)),
    ]
    .map(|(key, to)| Change { name: Name::of_line("ttyFAX0", key), from: None, to: Some(to) });
    driver(&server).set(&changes, &folder.path().join("safe")).await.unwrap();
    assert_eq!(files(&other), before, "the other server is left alone");

    let (identity, rang_longer) = call(&lab, "after", &pages).await;
    eprintln!("it rang {rang:?}; then {rang_longer:?}");
    assert_eq!(identity, IDENTITY);
    assert!(rang_longer > rang + Duration::from_secs(4), "two rings more");
    assert_eq!(files(&other), before, "the other server is left alone");
    lab.stop().await;
}
