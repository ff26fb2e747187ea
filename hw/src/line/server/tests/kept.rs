//! What is in the spool: limits, damage, restarts, settings.

use super::*;

#[tokio::test]
async fn what_cannot_be_kept_or_sent_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let mut hand = Hand::new("a", 1);
    let own = [("line.a.on", Value::Flag(false)), ("max_send_pages", Value::Number(3))];
    let limits = Limits { jobs: 1, bytes: 4096, ..options(&folder).limits };
    let house = House::open(Options { limits, ..set(options(&folder), &own) }, &[&hand]);
    let good = fax(&folder, "good", 1, 1);
    let no_tiff = folder.path().join("text.tif");
    fs::write(&no_tiff, "not a TIFF").unwrap();
    let long = "1".repeat(21);
    let refusals = [
        (Call { tag: "../x".into(), ..good.clone() }, Outcome::ServerRefused, "tag"),
        (Call { pages: no_tiff, ..good.clone() }, Outcome::BadDocument, "not a TIFF"),
        (fax(&folder, "long", 1, 4), Outcome::TooManyPages, "no more than 3"),
        (Call { subaddress: Some(long), ..good.clone() }, Outcome::ServerRefused, "20 characters"),
    ];
    for (call, wanted, words) in refusals {
        match house.server.submit(&call).await {
            Err(DriverError::Refused { reply, outcome, .. }) => {
                assert_eq!(outcome, wanted);
                assert!(reply.contains(words), "{reply}");
            }
            other => panic!("{other:?}"),
        }
    }
    let missing = Call { pages: folder.path().join("none"), ..good.clone() };
    assert!(matches!(house.server.submit(&missing).await, Err(DriverError::Local { .. })));
    house.submit(&good).await;
    match house.server.submit(&fax(&folder, "more", 1, 1)).await {
        Err(DriverError::Refused { reply, outcome: Outcome::ServerFault, .. }) => {
            assert!(reply.contains("the spool is full"), "{reply}");
        }
        other => panic!("{other:?}"),
    }
    let early = house.server.forget(&Ticket("good".into())).await;
    assert!(matches!(early, Err(DriverError::Refused { .. })), "it has not ended");
    hand.no_call().await;
    assert_eq!(fs::read_dir(folder.path().join("spool/out")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_restart_finds_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut hand = Hand::new("a", 2);
    let house = House::open(options(&folder), &[&hand]);
    let done = house.submit(&fax(&folder, "done", 1, 1)).await;
    hand.placed().await.end(Outcome::Busy, 0);
    assert_eq!(house.ended(&done).await.outcome, Outcome::Busy);
    let half = house.submit(&fax(&folder, "half", 2, 3)).await;
    let on = hand.placed().await;
    let queued = house.submit(&fax(&folder, "queued", 2, 1)).await;
    on.tell(Step::Connected).await;
    on.pages(1).await;
    on.tell(Step::Asked).await;
    let asked = |state: &record::State| matches!(state, record::State::Calling(at) if at.asked);
    let mut state = house.server.0.table.watch("half").unwrap();
    timeout(SOON, state.wait_for(asked)).await.unwrap().unwrap();
    drop(state);
    house.crash().await;
    let house = House::open(options(&folder), &[&hand]);
    assert_eq!(house.ended(&done).await.outcome, Outcome::Busy);
    let ended = house.ended(&half).await;
    assert_eq!((ended.outcome, ended.ledger.confirmed), (Outcome::PageUnconfirmed, 1));
    // What waited is called as if nothing had been.
    hand.placed().await.end(Outcome::Delivered, 1);
    assert_eq!(house.ended(&queued).await.outcome, Outcome::Delivered);
}

#[tokio::test]
async fn one_spool_has_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let first = LineServer::new(options(&folder), vec![]).unwrap();
    let said = LineServer::new(options(&folder), vec![]).err().unwrap().to_string();
    assert!(said.contains("another line server"), "{said}");
    drop(first);
    LineServer::new(options(&folder), vec![]).unwrap();
}

#[tokio::test]
async fn what_is_damaged_is_set_aside_and_told_as_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let off = || set(options(&folder), &[("line.a.on", Value::Flag(false))]);
    let hand = Hand::new("a", 1);
    let house = House::open(off(), &[&hand]);
    for tag in ["torn", "lost", "empty", "whole"] {
        house.submit(&fax(&folder, tag, 1, 1)).await;
    }
    house.crash().await;
    let spool = folder.path().join("spool");
    fs::write(spool.join("out/torn/state.json"), "{\"calling").unwrap();
    fs::remove_file(spool.join("out/lost/call.json")).unwrap();
    fs::write(spool.join("out/empty/call.json"), "").unwrap();
    fs::create_dir(spool.join("out/lost+found x")).unwrap();
    fs::write(spool.join("out/file"), "a file").unwrap();
    fs::create_dir(spool.join("in/foreign")).unwrap();
    fs::write(spool.join("settings.json"), "[]").unwrap();
    fs::create_dir(spool.join("new/unfinished")).unwrap();
    for _ in 0..2 {
        let house = House::open(off(), &[&hand]);
        for tag in ["torn", "lost", "empty"] {
            let ended = house.ended(&Ticket(tag.into())).await;
            assert_eq!(ended.outcome, Outcome::Unknown, "{tag}");
        }
        assert!(house.server.0.table.has("whole"));
        assert_eq!(fs::read_dir(spool.join("aside")).unwrap().count(), 7);
        assert_eq!(fs::read_dir(spool.join("new")).unwrap().count(), 0);
        house.crash().await;
    }
}

#[tokio::test]
async fn what_is_set_counts_from_the_next_call_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut hand = Hand::new("a", 1);
    let configured = || set(options(&folder), &[("line.a.ecm", Value::Flag(false))]);
    let house = House::open(configured(), &[&hand]);
    assert!(!hand.told.recv().await.unwrap().station.ecm);
    let ticket = house.submit(&fax(&folder, "one", 1, 1)).await;
    let placed = hand.placed().await;
    let change = |key: &str, to| {
        let name = Name::of_line("a", key);
        Change { name, from: None, to }
    };
    let changes = [
        change("ecm", Some(Value::Flag(true))),
        change("rings_before_answer", Some(Value::Number(4))),
        change("station_identity", Some(Value::Text("+44 7".into()))),
    ];
    let safe = Path::new("/nonexistent");
    let held = house.server.set(&changes, safe).await.unwrap();
    assert_eq!(held.get(&changes[1].name), Some(&Value::Number(4)));
    let told = hand.told.recv().await.unwrap();
    assert!(told.station.ecm && told.rings == 4);
    assert!(!*placed.order.stop.borrow(), "the call goes on");
    placed.end(Outcome::Delivered, 1);
    assert_eq!(house.ended(&ticket).await.outcome, Outcome::Delivered);
    house.submit(&fax(&folder, "two", 1, 1)).await;
    let placed = hand.placed().await;
    assert_eq!(placed.order.session.station.identity, "+44 7");
    placed.end(Outcome::Delivered, 1);
    house.crash().await;
    let house = House::open(configured(), &[&hand]);
    assert_eq!(house.server.settings(safe).await.unwrap(), held);
    assert_eq!(hand.told.recv().await.unwrap().rings, 4);
}

#[test]
fn names_of_lines_and_configured_settings_are_checked_first() {
    let folder = tempfile::tempdir().unwrap();
    let lines = |names: [&'static str; 2]| -> Vec<Arc<dyn Line>> {
        names.map(|name| Hand::new(name, 1).line as Arc<dyn Line>).into()
    };
    for (names, settings, said) in [
        (["a", "a"], vec![], "\"a\" cannot be the name"),
        (["a", "b/c"], vec![], "\"b/c\" cannot be the name"),
        (["a", "b"], vec![("line.c.ecm", Value::Flag(true))], "there is no line c"),
        (["a", "b"], vec![("line.a.hours", Value::Text("x".into()))], "are no hours"),
    ] {
        let error = LineServer::new(set(options(&folder), &settings), lines(names)).err().unwrap();
        assert!(error.to_string().contains(said), "{error}");
        assert!(!folder.path().join("spool").exists());
    }
}

/// Copies a folder with all that is in it, and names its files.
fn copied(from: &Path, to: &Path, files: &mut Vec<PathBuf>) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let into = to.join(entry.file_name());
        if entry.path().is_dir() {
            copied(&entry.path(), &into, files);
        } else {
            fs::copy(entry.path(), &into).unwrap();
            files.push(into);
        }
    }
    files.sort();
}

/// Spoils a file: cuts it, turns a bit, writes a digit over another, or removes it.
fn spoil(file: &Path, random: &mut impl FnMut() -> usize) {
    let mut bytes = fs::read(file).unwrap();
    let at = random() % bytes.len().max(1);
    match random() % 5 {
        0 => bytes.truncate(at),
        1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8)),
        2 => bytes.iter_mut().filter(|byte| byte.is_ascii_digit()).for_each(|byte| *byte = b'9'),
        3 => bytes = b"null".to_vec(),
        _ => return fs::remove_file(file).unwrap(),
    }
    fs::write(file, bytes).unwrap();
}

#[test]
fn no_damage_of_one_file_stops_the_server_or_loses_a_tag() {
    let folder = tempfile::tempdir().unwrap();
    let server = LineServer::new(options(&folder), vec![]).unwrap();
    let sent = fax(&folder, "sent", 1, 2);
    for tag in ["one", "two"] {
        server.0.submit(&Call { tag: tag.into(), ..sent.clone() }).unwrap();
    }
    let calling = record::Calling { begun: true, ..record::Calling::default() };
    let change = |_: &record::State| Some(record::State::Calling(calling));
    server.0.table.change(&server.0.spool, "two", change).unwrap();
    for end in [true, false] {
        let ring =
            Ring { line: "a".into(), called: None, caller: None, caller_name: None, cadence: None };
        let tiff = server.0.expect(record::Ringing::new(&ring, spool::now())).unwrap();
        fs::copy(&sent.pages, &tiff).unwrap();
        if end {
            let ended = Ended { pages: 2, ..Ended::failed(Outcome::Delivered, "") };
            server.0.take(&tiff, &ended);
        }
    }
    drop(server);
    let mut seed = 1_u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    for round in 0..100 {
        let spoilt = tempfile::tempdir().unwrap();
        let mut files = vec![];
        copied(&folder.path().join("spool"), &spoilt.path().join("spool"), &mut files);
        let file = &files[random() % files.len()];
        spoil(file, &mut random);
        for _ in 0..2 {
            let server = LineServer::new(options(&spoilt), vec![]);
            let server = server.unwrap_or_else(|error| panic!("{round} {file:?}: {error}"));
            for tag in ["one", "two"] {
                assert!(server.0.table.has(tag), "{round} {file:?}: {tag} is lost");
            }
            let (kept, aside) = (server.0.received.all().len(), spoilt.path().join("spool/aside"));
            let aside = fs::read_dir(aside).unwrap().count();
            // A file that was emptied never had a page.
            assert!(kept + aside >= 1, "{round} {file:?}");
        }
    }
}
