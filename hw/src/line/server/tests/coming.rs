//! Faxes that come in.

use super::*;

fn ring(line: &str) -> Ring {
    Ring {
        line: line.into(),
        called: Some("+442079460100".into()),
        caller: Some("+442079460199".into()),
        caller_name: Some("Example".into()),
        cadence: None,
    }
}

fn pages(session: &Session, from: &Call) -> PathBuf {
    let into = session.receive.clone().unwrap();
    fs::copy(&from.pages, &into).unwrap();
    into
}

fn came(outcome: Outcome, pages: u32) -> Ended {
    let remote = Remote {
        identity: Some("ACME".into()),
        subaddress: Some("12".into()),
        ..Remote::default()
    };
    Ended { pages, remote, duration: Duration::from_secs(40), ..Ended::failed(outcome, "") }
}

#[tokio::test]
async fn a_fax_comes_in_and_stays_until_it_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::new("a", 1);
    let house = House::open(options(&folder), &[&hand]);
    let desk = hand.desk().await;
    let session = desk.rings(&ring("a")).await.unwrap();
    assert!(!session.calling && session.send.is_none());
    let sent = fax(&folder, "sent", 1, 2);
    pages(&session, &sent);
    let arrival = house.server.arrival(SOON);
    let rung = ring("a");
    let received = desk.received(&rung, &session, came(Outcome::Delivered, 2));
    timeout(Duration::from_secs(5), async { tokio::join!(arrival, received) }).await.unwrap();
    let waiting = house.server.waiting().await.unwrap();
    let [one] = &waiting[..] else { panic!("{waiting:?}") };
    assert_eq!((one.pages, &one.error), (2, &None));
    assert_eq!(one.tsi.as_deref(), Some("ACME"));
    assert_eq!(one.caller.as_deref(), Some("+442079460199"));
    drop(desk);
    house.crash().await;
    let house = House::open(options(&folder), &[&hand]);
    // There is something that this life has told nobody of.
    timeout(SOON / 2, house.server.arrival(SOON)).await.unwrap();
    assert_eq!(house.server.waiting().await.unwrap(), waiting);
    let into = folder.path().join("fetched.tif");
    house.server.fetch(one, &into).await.unwrap();
    assert_eq!(fs::read(&into).unwrap(), fs::read(&sent.pages).unwrap());
    house.server.release(one).await.unwrap();
    assert!(matches!(house.server.release(one).await, Err(DriverError::Gone { .. })));
    assert!(matches!(house.server.fetch(one, &into).await, Err(DriverError::Gone { .. })));
    assert_eq!(house.server.waiting().await.unwrap(), []);
    assert_eq!(fs::read_dir(folder.path().join("spool/in")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_fax_that_breaks_off_is_marked_and_one_without_pages_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::new("a", 2);
    let house = House::open(options(&folder), &[&hand]);
    let desk = hand.desk().await;
    let session = desk.rings(&ring("a")).await.unwrap();
    pages(&session, &fax(&folder, "sent", 1, 1));
    desk.received(&ring("a"), &session, came(Outcome::Disconnected, 1)).await;
    let session = desk.rings(&ring("a")).await.unwrap();
    desk.received(&ring("a"), &session, came(Outcome::NoHandshake, 0)).await;
    let waiting = house.server.waiting().await.unwrap();
    let [one] = &waiting[..] else { panic!("{waiting:?}") };
    assert_eq!(one.error.as_deref(), Some(Outcome::Disconnected.text()));
}

#[tokio::test]
async fn what_a_crash_cut_off_is_kept_as_far_as_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::new("a", 9);
    let house = House::open(options(&folder), &[&hand]);
    let desk = hand.desk().await;
    let whole = fs::read(fax(&folder, "sent", 1, 3).pages).unwrap();
    for content in [&whole[..], &whole[..whole.len() - 40], b"II*\0\0\0\0\0lines of a page", b""] {
        let session = desk.rings(&ring("a")).await.unwrap();
        fs::write(session.receive.unwrap(), content).unwrap();
    }
    // Nothing was ever written, and something was that is no fax.
    desk.rings(&ring("a")).await.unwrap();
    let session = desk.rings(&ring("a")).await.unwrap();
    fs::write(session.receive.unwrap(), b"II*\0\xff\xff\xff\xff and so on").unwrap();
    assert_eq!(house.server.waiting().await.unwrap(), [], "none that is still coming in");
    drop(desk);
    house.crash().await;
    let house = House::open(options(&folder), &[&hand]);
    let waiting = house.server.waiting().await.unwrap();
    let mut counts: Vec<u32> = waiting.iter().map(|fax| fax.pages).collect();
    counts.sort_unstable();
    assert_eq!(counts, [2, 3]);
    assert!(waiting.iter().all(|fax| fax.error.as_ref().unwrap().contains("stopped")));
    assert_eq!(fs::read_dir(folder.path().join("spool/in")).unwrap().count(), 2);
    assert_eq!(fs::read_dir(folder.path().join("spool/aside")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_fax_that_the_disk_does_not_take_can_be_fetched_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::new("a", 1);
    let house = House::open(options(&folder), &[&hand]);
    let desk = hand.desk().await;
    let session = desk.rings(&ring("a")).await.unwrap();
    let tiff = pages(&session, &fax(&folder, "sent", 1, 1));
    // Nothing can be written where a folder is.
    fs::create_dir(tiff.with_file_name("fax.json.new")).unwrap();
    desk.received(&ring("a"), &session, came(Outcome::Delivered, 1)).await;
    let waiting = house.server.waiting().await.unwrap();
    assert_eq!(waiting.len(), 1);
    house.server.fetch(&waiting[0], &folder.path().join("fetched.tif")).await.unwrap();
    house.server.release(&waiting[0]).await.unwrap();
    assert_eq!(fs::read_dir(folder.path().join("spool/in")).unwrap().count(), 0);
}

#[tokio::test]
async fn who_must_not_answer_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::new("a", 1);
    for (settings, limits) in [
        (vec![("line.a.on", Value::Flag(false))], Limits { free_bytes: 0, ..Limits::default() }),
        (
            vec![("line.a.direction", Value::Text("send".into()))],
            Limits { free_bytes: 0, ..Limits::default() },
        ),
        (vec![], Limits { free_bytes: 0, received: 0, ..Limits::default() }),
        (vec![], Limits { free_bytes: u64::MAX, ..Limits::default() }),
    ] {
        let house = House::open(Options { limits, ..set(options(&folder), &settings) }, &[&hand]);
        let desk = hand.desk().await;
        assert_eq!(desk.rings(&ring("a")).await, None, "{settings:?} {limits:?}");
        assert_eq!(desk.rings(&ring("b")).await, None);
        drop(desk);
        house.crash().await;
    }
}
