//! A whole conversation, and the cable cut at every place of it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use postfax_domain::{
    document::{Paper, Resolution},
    number::Number,
    outcome::Outcome,
    settings::{Change, Name, Settings, Value},
};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use super::{
    Pair,
    cable::{Cable, Fate},
    memory::Memory,
    options, pair,
};
use crate::{
    driver::{Call, Driver, DriverError, Ended, Progress, SettingsError, Ticket},
    line::wire::{Remote, Versions},
};

/// How far the places are from each other at which the cable is closed, in octets, but for
/// the first ones. A prime, so that over many frames every part of one is hit.
const STRIDE: usize = 13;
/// Conversations that go on at once.
const AT_ONCE: usize = 32;
/// The longest that one may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Pages that take more than one piece.
fn pages() -> Vec<u8> {
    (0..70_000_u32).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect()
}

pub(super) fn call(tag: &str, pages: &Path) -> Call {
    Call {
        tag: tag.to_owned(),
        number: Number::parse("+442079460100", "GB".parse().unwrap()).unwrap(),
        subaddress: None,
        pages: pages.to_owned(),
        pages_before: 0,
        resolution: Resolution::Fine,
        paper: Paper::A4,
        sender: "anna".into(),
        station_id: Some("+44 20 7946 0100".into()),
        priority: 127,
        give_up_after: Duration::from_secs(60),
    }
}

/// What the supervisor does until it has a ticket.
async fn hand_over(remote: &Remote, call: &Call) -> Ticket {
    let mut doubt = false;
    loop {
        if doubt {
            match remote.find(&call.tag).await {
                Ok(Some(ticket)) => return ticket,
                Ok(None) => doubt = false,
                Err(DriverError::Unreachable { .. }) => {}
                Err(other) => panic!("{other}"),
            }
            continue;
        }
        match remote.submit(call).await {
            Ok(ticket) => return ticket,
            Err(DriverError::Unsure { .. }) => doubt = true,
            Err(DriverError::Unreachable { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

async fn followed(remote: &Remote, ticket: &Ticket) -> (Ended, Vec<Progress>) {
    loop {
        let (tell, mut told) = mpsc::channel(64);
        match remote.follow(ticket, tell).await {
            Ok(ended) => {
                let mut steps = Vec::new();
                while let Ok(step) = told.try_recv() {
                    steps.push(step);
                }
                return (ended, steps);
            }
            Err(DriverError::Unreachable { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

/// Everything that a supervisor asks, once.
async fn conversation(remote: &Remote, memory: &Memory, folder: &Path) {
    remote.condition().await.unwrap();
    let sent = folder.join("sent.tif");
    std::fs::write(&sent, pages()).unwrap();
    let call = call("pf-1", &sent);
    assert_eq!(remote.find("pf-0").await.unwrap(), None);
    let ticket = hand_over(remote, &call).await;
    let (ended, steps) = followed(remote, &ticket).await;
    assert_eq!((ended.outcome, ended.ledger.confirmed), (Outcome::Delivered, 2));
    assert!(steps.contains(&Progress::Dialling), "{steps:?}");
    remote.cancel(&ticket).await.unwrap();
    remote.forget(&ticket).await.unwrap();
    remote.arrival(Duration::from_millis(100)).await;
    let waiting = remote.waiting().await.unwrap();
    assert_eq!(waiting.len(), 1);
    let into = folder.join("fetched.tif");
    remote.fetch(&waiting[0], &into).await.unwrap();
    assert!(std::fs::read(&into).unwrap() == pages(), "other octets came");
    match remote.release(&waiting[0]).await {
        Ok(()) | Err(DriverError::Gone { .. }) => {}
        Err(other) => panic!("{other}"),
    }
    let name = Name::of_line("ttyACM0", "rings");
    let change = Change { name: name.clone(), from: None, to: Some(Value::Number(3)) };
    loop {
        match remote.set(std::slice::from_ref(&change), folder).await {
            Ok(_) => break,
            Err(SettingsError::Away(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    let settings = remote.settings(folder).await.unwrap();
    assert_eq!(settings, Settings([(name, Value::Number(3))].into()), "known ones alone");
    let (times, octets) = memory.taken("pf-1").unwrap();
    assert_eq!(times, 1, "it was taken more than once");
    assert!(octets == pages(), "other pages were taken");
    assert_eq!(memory.released("fax-1"), 1);
}

/// Which side goes away with its end of the cable.
#[derive(Debug, Clone, Copy)]
enum Gone {
    Neither,
    Asker,
    Asked,
}

/// Holds a conversation over a cable with this fate, and then over whole ones; how many
/// octets passed the first.
async fn hold(fate: Fate, gone: Gone) -> u64 {
    let Pair { memory, mut host, remote, folder } = pair();
    memory.receive("fax-1", &pages());
    let first = Arc::new(AtomicBool::new(true));
    let (counted, served, asks) = (mpsc::channel(1), memory.clone(), remote.clone());
    let (count, mut count_told) = counted;
    let hosts = folder.path().join("next");
    let connecting = async move {
        loop {
            let is_first = first.swap(false, Ordering::SeqCst);
            let (cable, left, right) = Cable::new(if is_first { fate } else { Fate::Whole });
            let (asked, asking) = (host.clone(), asks.clone());
            let mut sides = JoinSet::new();
            let serving = sides.spawn(async move { drop(asked.serve(right).await) });
            let adopting = sides.spawn(async move { drop(asking.adopt(left).await) });
            match gone {
                Gone::Neither => {}
                Gone::Asker => {
                    cable.cut.notified().await;
                    adopting.abort();
                }
                Gone::Asked => {
                    cable.cut.notified().await;
                    serving.abort();
                    // Another process, which knows nothing of the first.
                    host = super::Host::with(
                        served.clone(),
                        "branch-1",
                        &hosts,
                        super::QUICK,
                        Versions::OURS,
                    )
                    .unwrap();
                }
            }
            while sides.join_next().await.is_some() {}
            let _ = count.try_send(cable.passed());
        }
    };
    let talking = async {
        conversation(&remote, &memory, folder.path()).await;
    };
    let talked = async {
        tokio::select! {
            () = connecting => unreachable!("it never ends"),
            () = talking => {}
        }
    };
    let done = timeout(LIMIT, talked).await;
    assert!(done.is_ok(), "{fate:?} {gone:?}: the conversation did not end");
    count_told.try_recv().unwrap_or(0)
}

/// How many octets a whole conversation has, without what says that a side lives.
async fn octets() -> u64 {
    let Pair { memory, host, remote, folder } = pair();
    memory.receive("fax-1", &pages());
    let (cable, left, right) = Cable::new(Fate::Whole);
    let (asks, asked) = (remote.clone(), host.clone());
    let mut sides = JoinSet::new();
    sides.spawn(async move { drop(asks.adopt(left).await) });
    sides.spawn(async move { drop(asked.serve(right).await) });
    conversation(&remote, &memory, folder.path()).await;
    cable.passed()
}

async fn all(fates: impl Iterator<Item = (Fate, Gone)>) -> usize {
    let (mut under_way, mut done) = (JoinSet::new(), 0);
    for (fate, gone) in fates {
        if under_way.len() >= AT_ONCE {
            under_way.join_next().await.unwrap().unwrap();
            done += 1;
        }
        under_way.spawn(hold(fate, gone));
    }
    while let Some(end) = under_way.join_next().await {
        end.unwrap();
        done += 1;
    }
    done
}

/// Places in a conversation: the documents are long and all the same inside, so that of
/// their octets only some are taken.
fn places(octets: u64) -> Vec<u64> {
    let inside = |at: u64| (4000..octets.saturating_sub(4000)).contains(&at);
    (0..octets).step_by(STRIDE).filter(|at| !inside(*at) || at % 31 == 0).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cable_that_is_cut_anywhere_loses_nothing_and_doubles_nothing() {
    let octets = octets().await;
    assert!(octets > 140_000, "only {octets} octets passed");
    let places = places(octets);
    assert!(places.len() > 500, "only {} places", places.len());
    let closed = places.iter().map(|at| (Fate::Closed(*at), Gone::Neither));
    assert_eq!(all(closed).await, places.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_side_may_go_away_and_come_back() {
    let octets = octets().await;
    let some: Vec<u64> = places(octets).into_iter().step_by(5).collect();
    let gone = |side: Gone| some.iter().map(move |at| (Fate::Closed(*at), side));
    all(gone(Gone::Asker).chain(gone(Gone::Asked))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cable_that_is_silent_is_given_up() {
    let octets = octets().await;
    let some = places(octets).into_iter().step_by(12);
    all(some.map(|at| (Fate::Silent(at), Gone::Neither))).await;
}

#[tokio::test]
async fn without_a_connection_one_is_told_why() {
    let remote = Remote::new(super::Options {
        patience: Duration::from_millis(20),
        ..options(Versions::OURS)
    });
    remote.note("nobody is at home");
    let failed = remote.condition().await.unwrap_err();
    assert_eq!(failed.to_string(), "branch-1 cannot be reached: nobody is at home");
    let failed = remote.submit(&call("pf-1", Path::new("/nowhere"))).await.unwrap_err();
    assert!(matches!(failed, DriverError::Unreachable { .. }), "{failed}");
}
