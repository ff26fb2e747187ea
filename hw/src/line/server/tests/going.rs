//! Faxes that go out.

use super::*;

#[tokio::test]
async fn a_fax_goes_out_once_and_all_who_follow_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut hand = Hand::new("a", 1);
    let house = House::open(options(&folder), &[&hand]);
    let call = fax(&folder, "one", 1, 2);
    let ticket = house.submit(&call).await;
    assert_eq!(house.submit(&call).await, ticket, "the same tag is the same fax");
    assert_eq!(house.server.find("one").await.unwrap(), Some(ticket.clone()));
    assert_eq!(house.server.find("two").await.unwrap(), None);
    let mut early = house.follow(&ticket);
    let placed = hand.placed().await;
    assert_eq!((placed.count(), placed.order.number.clone()), (2, call.number.clone()));
    placed.tell(Step::Dialling).await;
    assert_eq!(early.recv().await, Some(Progress::Dialling));
    drop(early);
    let mut late = house.follow(&ticket);
    placed.tell(Step::Connected).await;
    placed.tell(Step::Asked).await;
    placed.pages(1).await;
    placed.tell(Step::Asked).await;
    placed.end(Outcome::Delivered, 2);
    let ended = house.ended(&ticket).await;
    assert_eq!((ended.outcome, ended.ledger.confirmed), (Outcome::Delivered, 2));
    assert_eq!(ended.ledger.remote_id.as_deref(), Some("+44 1"));
    assert_eq!(ended.ledger.duration, Duration::from_secs(30));
    assert!(ended.ledger.quality.is_some());
    let mut told = vec![];
    while let Some(progress) = late.recv().await {
        told.push(progress);
    }
    assert_eq!(told.first(), Some(&Progress::Dialling), "who comes late is told where it stands");
    assert_eq!(house.submit(&call).await, ticket, "also when it is over");
    hand.no_call().await;
    house.server.forget(&ticket).await.unwrap();
    house.server.forget(&ticket).await.unwrap();
    assert_eq!(house.server.find("one").await.unwrap(), None);
    house.stop.send_replace(true);
    timeout(SOON, house.running).await.unwrap().unwrap();
}

#[tokio::test]
async fn those_who_share_a_call_have_each_their_own_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut hand = Hand::new("a", 1);
    let off = set(options(&folder), &[("line.a.on", Value::Flag(false))]);
    let house = House::open(off, &[&hand]);
    let mut tickets = vec![];
    for (tag, pages) in [("one", 2), ("two", 3), ("three", 1)] {
        tickets.push(house.submit(&fax(&folder, tag, 1, pages)).await);
    }
    switch(&house, "a", true).await;
    let placed = hand.placed().await;
    assert_eq!(placed.count(), 6, "all of them in one call");
    placed.tell(Step::Connected).await;
    placed.pages(1).await;
    placed.pages(2).await;
    placed.pages(3).await;
    placed.end(Outcome::Disconnected, 3);
    let ends = [house.ended(&tickets[0]).await, house.ended(&tickets[1]).await];
    let outcomes = ends.map(|end| (end.outcome, end.ledger.confirmed));
    assert_eq!(outcomes, [(Outcome::Delivered, 2), (Outcome::Disconnected, 1)]);
    // The third waits until the number may be called again.
    hand.no_call().await;
    let waiting = house.server.0.table.waiting();
    assert_eq!(waiting.iter().map(|one| &*one.tag).collect::<Vec<_>>(), ["three"]);
    assert!(waiting[0].not_before > spool::now());
}

#[tokio::test]
async fn those_that_come_one_after_the_other_share_a_call() {
    let folder = tempfile::tempdir().unwrap();
    let mut hand = Hand::new("a", 9);
    let waits = set(options(&folder), &[("batch_wait_ms", Value::Number(1000))]);
    let house = House::open(waits, &[&hand]);
    house.submit(&fax(&folder, "one", 1, 1)).await;
    hand.no_call().await;
    house.submit(&fax(&folder, "two", 1, 1)).await;
    let placed = hand.placed().await;
    assert_eq!(placed.count(), 2);
    placed.end(Outcome::Delivered, 2);
}

#[tokio::test]
async fn a_batch_can_be_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut hand = Hand::new("a", 9);
    let alone = set(options(&folder), &[("max_batch_jobs", Value::Number(1))]);
    let house = House::open(alone, &[&hand]);
    house.submit(&fax(&folder, "one", 1, 1)).await;
    house.submit(&fax(&folder, "two", 1, 1)).await;
    house.submit(&fax(&folder, "three", 2, 1)).await;
    let [first, other] = [hand.placed().await, hand.placed().await];
    assert_ne!(first.order.number, other.order.number, "one call to a number at a time");
    hand.no_call().await;
    assert_eq!([first.count(), other.count()], [1, 1]);
    first.end(Outcome::Delivered, 1);
    other.end(Outcome::Delivered, 1);
    hand.placed().await.end(Outcome::Delivered, 1);
}

#[tokio::test]
async fn a_line_that_is_rung_is_left_alone_and_another_one_calls() {
    let folder = tempfile::tempdir().unwrap();
    let (mut a, mut b) = (Hand::new("a", 1), Hand::new("b", 1));
    let house = House::open(options(&folder), &[&a, &b]);
    let ticket = house.submit(&fax(&folder, "one", 1, 1)).await;
    a.placed().await.end(Outcome::LinesBusy, 0);
    b.placed().await.end(Outcome::Delivered, 1);
    assert_eq!(house.ended(&ticket).await.outcome, Outcome::Delivered);
    a.no_call().await;
}

#[tokio::test]
async fn a_call_is_stopped_when_it_is_the_turn_of_who_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let mut hand = Hand::new("a", 1);
    let off = set(options(&folder), &[("line.a.on", Value::Flag(false))]);
    let house = House::open(off, &[&hand]);
    let mut tickets = vec![];
    for tag in ["one", "two", "three"] {
        tickets.push(house.submit(&fax(&folder, tag, 1, 1)).await);
    }
    switch(&house, "a", true).await;
    let mut placed = hand.placed().await;
    placed.tell(Step::Connected).await;
    house.server.cancel(&tickets[1]).await.unwrap();
    assert!(!*placed.order.stop.borrow(), "the first is not disturbed");
    placed.pages(1).await;
    timeout(SOON, placed.order.stop.wait_for(|stop| *stop)).await.unwrap().unwrap();
    placed.end(Outcome::Cancelled, 1);
    assert_eq!(house.ended(&tickets[0]).await.outcome, Outcome::Delivered);
    assert_eq!(house.ended(&tickets[1]).await.outcome, Outcome::Cancelled);
    // The third goes out by itself, and is stopped while it does.
    let mut placed = hand.placed().await;
    assert_eq!(placed.count(), 1);
    house.server.cancel(&tickets[2]).await.unwrap();
    timeout(SOON, placed.order.stop.wait_for(|stop| *stop)).await.unwrap().unwrap();
    placed.end(Outcome::Cancelled, 0);
    assert_eq!(house.ended(&tickets[2]).await.outcome, Outcome::Cancelled);
    house.server.cancel(&tickets[2]).await.unwrap();
    let foreign = house.server.cancel(&Ticket("none".into())).await;
    assert!(matches!(foreign, Err(DriverError::Gone { .. })));
}

#[tokio::test]
async fn what_has_no_time_or_no_line_is_not_dialled() {
    let folder = tempfile::tempdir().unwrap();
    let mut hand = Hand::new("a", 1);
    let answers = [("line.a.direction", Value::Text("receive".into()))];
    let house = House::open(set(options(&folder), &answers), &[&hand]);
    let soon = Call { give_up_after: A_WHILE, ..fax(&folder, "one", 1, 1) };
    let ticket = house.submit(&soon).await;
    assert_eq!(house.ended(&ticket).await.outcome, Outcome::NotDialled);
    hand.no_call().await;
    assert!(!house.server.condition().await.unwrap().lines[0].usable);
}

#[tokio::test]
async fn a_line_that_fails_by_a_bug_takes_nobody_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut hand = Hand::new("a", 1);
    let house = House::open(options(&folder), &[&hand]);
    let ticket = house.submit(&fax(&folder, "one", 1, 2)).await;
    let placed = hand.placed().await;
    placed.tell(Step::Connected).await;
    placed.pages(1).await;
    // The line panics, as nobody tells it the end.
    drop(placed);
    let ended = house.ended(&ticket).await;
    assert_eq!((ended.outcome, ended.ledger.confirmed), (Outcome::ServerFault, 1));
    let next = house.submit(&fax(&folder, "two", 1, 1)).await;
    assert_eq!(house.server.find("two").await.unwrap(), Some(next));
    // The number rests first, but another one is called.
    house.submit(&fax(&folder, "three", 2, 1)).await;
    hand.placed().await.end(Outcome::Delivered, 1);
}

#[tokio::test]
async fn nothing_is_dialled_of_which_no_note_can_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut hand = Hand::new("a", 1);
    let off = set(options(&folder), &[("line.a.on", Value::Flag(false))]);
    let house = House::open(off, &[&hand]);
    house.submit(&fax(&folder, "one", 1, 1)).await;
    // Nothing can be written where a folder is.
    let in_the_way = folder.path().join("spool/out/one/state.json.new");
    fs::create_dir(&in_the_way).unwrap();
    switch(&house, "a", true).await;
    hand.no_call().await;
    fs::remove_dir(&in_the_way).unwrap();
    assert!(house.server.0.table.waiting()[0].not_before > spool::now(), "it is tried again");
    house.submit(&fax(&folder, "two", 2, 1)).await;
    hand.placed().await.end(Outcome::Delivered, 1);
}

#[tokio::test]
async fn a_line_that_promises_too_much_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let mut hand = Hand::new("a", 1);
    let house = House::open(options(&folder), &[&hand]);
    let ticket = house.submit(&fax(&folder, "one", 1, 2)).await;
    hand.placed().await.end(Outcome::Delivered, 1);
    let ended = house.ended(&ticket).await;
    assert_eq!((ended.outcome, ended.ledger.confirmed), (Outcome::PageUnconfirmed, 1));
}

#[tokio::test]
async fn pages_get_their_header_line_and_the_call_its_identity() {
    let folder = tempfile::tempdir().unwrap();
    let mut hand = Hand::new("a", 1);
    let own = [
        ("line.a.fax_number", Value::Text("+442079460100".into())),
        ("line.a.header_line", Value::Flag(false)),
        ("line.a.ecm", Value::Flag(false)),
    ];
    let house = House::open(set(options(&folder), &own), &[&hand]);
    let lines = |placed: &Placed| {
        let file = tiff::read(placed.order.session.send.as_ref().unwrap()).unwrap();
        file.pages()[0].fax_size().unwrap().lines()
    };
    house.submit(&Call { subaddress: Some("12".into()), ..fax(&folder, "home", 1, 1) }).await;
    let placed = hand.placed().await;
    assert_eq!(lines(&placed), 60, "it is switched off");
    let session = &placed.order.session;
    assert_eq!(session.station.identity, "+442079460100");
    assert_eq!((session.station.ecm, session.subaddress.as_deref()), (false, Some("12")));
    placed.end(Outcome::Delivered, 1);
    let usa = Call {
        number: Number::try_from("+12025550123".to_owned()).unwrap(),
        station_id: Some("+44 20 ACME".into()),
        ..fax(&folder, "usa", 1, 1)
    };
    house.submit(&usa).await;
    let placed = hand.placed().await;
    assert_eq!(lines(&placed), 82, "the law asks for it");
    assert_eq!(placed.order.session.station.identity, "+44 20 ACME");
    placed.end(Outcome::Delivered, 1);
}

async fn switch(house: &House, line: &str, on: bool) {
    let name = Name::of_line(line, "on");
    let change = Change { name, from: None, to: Some(Value::Flag(on)) };
    house.server.set(&[change], Path::new("/nonexistent")).await.unwrap();
}
