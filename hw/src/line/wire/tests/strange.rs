//! Peers that are not as they should be: other versions, garbage, too much, nothing at all.

use std::{sync::Arc, time::Duration};

use postfax_domain::settings::{Change, Name, Value};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{Pair, QUICK, cuts::call, memory::Memory, options, pair};
use crate::{
    driver::{Driver, DriverError, SettingsError, Ticket},
    line::wire::{Broken, Host, Remote, Versions, fuzz_one},
};

const HELLO: &str = r#"{"protocol":"postfax-line","oldest":1,"newest":1,"role":"supervisor","name":"x","software":"y"}"#;

fn frame(kind: u8, request: u32, body: &[u8]) -> Vec<u8> {
    let mut octets = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    octets.push(kind);
    octets.extend(request.to_be_bytes());
    octets.extend(body);
    octets
}

/// What the served side says of octets, and why it stops.
async fn served(octets: Vec<u8>) -> (Broken, Vec<u8>) {
    let pair = pair();
    let (near, mut far) = duplex(1 << 20);
    let talking = async {
        far.write_all(&octets).await.unwrap();
        let mut said = Vec::new();
        // Cut off, it may not be a clean end.
        let _ = far.read_to_end(&mut said).await;
        said
    };
    let (broken, said) = tokio::join!(pair.host.serve(near), talking);
    (broken, said)
}

#[tokio::test]
async fn versions_that_do_not_meet_are_both_named() {
    let pair = pair();
    let newer = Remote::new(options(Versions { oldest: 3, newest: 4 }));
    let (left, right) = duplex(1 << 16);
    let (asked, asking) = tokio::join!(pair.host.serve(right), newer.adopt(left));
    let words = "fax.example.com (postfax 0.1.0) speaks versions 3 to 4 of the line protocol and \
                 this Postfax speaks version 1: update the older one";
    assert_eq!(asked.to_string(), words);
    let asking = asking.to_string();
    assert!(asking.contains("versions 3 to 4") && asking.contains("version 1"), "{asking}");
    let failed = newer.condition().await.unwrap_err().to_string();
    assert!(failed.contains("versions 3 to 4"), "{failed}");
    // One that speaks the old one as well is understood.
    let both = Remote::new(options(Versions { oldest: 1, newest: 4 }));
    let (left, right) = duplex(1 << 16);
    tokio::select! {
        broken = pair.host.serve(right) => panic!("{broken}"),
        broken = both.adopt(left) => panic!("{broken}"),
        condition = both.condition() => drop(condition.unwrap()),
    }
}

#[tokio::test]
async fn what_is_no_line_protocol_is_refused() {
    let hello = frame(0, 0, HELLO.as_bytes());
    let more = |rest: Vec<u8>| [hello.clone(), rest].concat();
    let other = HELLO.replace("postfax-line", "telnet");
    let lines = HELLO.replace("supervisor", "lines");
    for (octets, why) in [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), "no frame of kind 47"),
        (frame(77, 0, b""), "there is no frame of kind 77"),
        (frame(1, 1, b"\"condition\""), "Ask came before a hello"),
        (frame(0, 0, b"{}"), "missing field"),
        (frame(0, 0, other.as_bytes()), "speaks \"telnet\" and not postfax-line"),
        (frame(0, 0, lines.as_bytes()), "both sides are a line server"),
        (more(frame(0, 0, HELLO.as_bytes())), "a second hello"),
        (more(frame(1, 1, b"\"frobnicate\"")), "unknown variant"),
        (more(frame(2, 1, b"\"done\"")), "nothing that an asker sends"),
        (more(u32::MAX.to_be_bytes().into_iter().chain([1, 0, 0, 0, 1]).collect()), "4294967295"),
        (
            more([arrival(1), frame(6, 1, &u32::MAX.to_be_bytes())].concat()),
            "may be let come at once",
        ),
        (more([arrival(1), arrival(1)].concat()), "a request 1 already"),
        (more([arrival(1), frame(4, 1, b"x").repeat(20)].concat()), "more pieces came"),
    ] {
        let (broken, _) = served(octets.clone()).await;
        let why = (why, broken.to_string());
        assert!(matches!(broken, Broken::Protocol(_)), "{why:?}");
        assert!(why.1.contains(why.0), "{why:?}");
    }
}

fn arrival(request: u32) -> Vec<u8> {
    frame(1, request, br#"{"arrival":{"at_most_ms":5000}}"#)
}

#[tokio::test]
async fn who_says_nothing_or_says_it_slowly_is_given_up() {
    let pair = pair();
    let (near, _far) = duplex(1 << 16);
    let silent = timeout(QUICK.handshake * 2, pair.host.serve(near)).await.unwrap();
    assert!(matches!(silent, Broken::Silent(_)), "{silent}");
    // An octet now and then is no frame in time.
    let (near, mut far) = duplex(1 << 16);
    far.write_all(&frame(0, 0, HELLO.as_bytes())).await.unwrap();
    let dripping = async {
        for octet in frame(1, 1, b"\"condition\"").into_iter().cycle() {
            sleep(Duration::from_millis(50)).await;
            if far.write_all(&[octet]).await.is_err() {
                return std::future::pending().await;
            }
        }
    };
    let broken = tokio::select! {
        broken = timeout(QUICK.dead * 5, pair.host.serve(near)) => broken.unwrap(),
        () = dripping => unreachable!("it has no end"),
    };
    assert!(matches!(broken, Broken::Silent(_)), "{broken}");
}

#[tokio::test]
async fn a_document_with_another_digest_is_not_kept() {
    let pair = pair();
    let (near, mut far) = duplex(1 << 20);
    let fax = r#"{"submit":{"tag":"pf-9","number":"+442079460100","subaddress":null,
        "resolution":"fine","paper":"a4","sender":"anna","station_id":null,"priority":127,
        "give_up_after_ms":60000}}"#;
    let end = format!(r#"{{"length":4,"sha256":"{}"}}"#, "0".repeat(64));
    let octets = [
        frame(0, 0, HELLO.as_bytes()),
        frame(1, 5, fax.as_bytes()),
        frame(4, 5, b"II*\0"),
        frame(5, 5, end.as_bytes()),
    ];
    far.write_all(&octets.concat()).await.unwrap();
    tokio::select! {
        broken = pair.host.serve(near) => panic!("{broken}"),
        answer = answer_to(&mut far, 5) => assert!(answer.contains("damaged"), "{answer}"),
    }
    assert_eq!(pair.memory.taken("pf-9"), None);
    let scratch = pair.folder.path().join("host/scratch");
    assert_eq!(std::fs::read_dir(scratch).unwrap().count(), 0, "nothing of it is kept");
}

/// The answer to a request, among all that is said.
async fn answer_to(far: &mut DuplexStream, request: u32) -> String {
    loop {
        let mut start = [0; 9];
        far.read_exact(&mut start).await.unwrap();
        let length = u32::from_be_bytes(start[..4].try_into().unwrap());
        let mut body = vec![0; length as usize];
        far.read_exact(&mut body).await.unwrap();
        if start[4] == 2 && start[5..] == request.to_be_bytes() {
            return String::from_utf8(body).unwrap();
        }
    }
}

#[tokio::test]
async fn a_call_that_lasts_holds_up_nothing_and_who_no_longer_follows_stops_it() {
    let memory = Arc::new(Memory::holding());
    let folder = tempfile::tempdir().unwrap();
    let host = Host::with(memory.clone(), "b", folder.path(), QUICK, Versions::OURS).unwrap();
    let remote = Remote::new(options(Versions::OURS));
    let (left, right) = duplex(1 << 16);
    let serving = tokio::spawn(async move { host.serve(right).await });
    let asks = remote.clone();
    let asking = tokio::spawn(async move { asks.adopt(left).await });
    let file = folder.path().join("pages.tif");
    std::fs::write(&file, b"II*\0").unwrap();
    let mut follows = Vec::new();
    for n in 0..50 {
        let ticket = remote.submit(&call(&format!("pf-{n}"), &file)).await.unwrap();
        let (remote, (tell, told)) = (remote.clone(), mpsc::channel(1));
        // Of these nobody reads the progress: it waits, and holds up nobody else.
        let follow = tokio::spawn(async move { remote.follow(&ticket, tell).await });
        follows.push((follow, told));
    }
    sleep(QUICK.dead * 2).await;
    timeout(Duration::from_secs(2), remote.condition()).await.unwrap().unwrap();
    remote.cancel(&Ticket("ticket of pf-3".into())).await.unwrap();
    assert_eq!(memory.cancelled(), ["ticket of pf-3"]);
    // Whoever goes away leaves nothing behind; the others hear the end.
    follows.truncate(10);
    for (follow, told) in follows {
        drop(told);
        memory.hold.as_ref().unwrap().notify_waiters();
        let mut follow = follow;
        let ended = loop {
            match timeout(Duration::from_millis(50), &mut follow).await {
                Ok(ended) => break ended.unwrap().unwrap(),
                Err(_) => memory.hold.as_ref().unwrap().notify_waiters(),
            }
        };
        assert_eq!(ended.ledger.confirmed, 2);
    }
    assert!(!serving.is_finished() && !asking.is_finished(), "it was one connection");
    serving.abort();
    asking.abort();
}

#[tokio::test]
async fn a_newer_connection_takes_the_place_of_an_older_one() {
    let Pair { host, remote, .. } = pair();
    let mut ends = Vec::new();
    for _ in 0..3 {
        let (left, right) = duplex(1 << 16);
        let (host, asks) = (host.clone(), remote.clone());
        ends.push((
            tokio::spawn(async move { host.serve(right).await }),
            tokio::spawn(async move { asks.adopt(left).await }),
        ));
        timeout(Duration::from_secs(2), remote.condition()).await.unwrap().unwrap();
    }
    let last = ends.pop().unwrap();
    for (served, adopted) in ends {
        timeout(Duration::from_secs(2), served).await.unwrap().unwrap();
        timeout(Duration::from_secs(2), adopted).await.unwrap().unwrap();
    }
    assert!(!last.0.is_finished() && !last.1.is_finished());
    timeout(Duration::from_secs(2), remote.condition()).await.unwrap().unwrap();
    last.0.abort();
    last.1.abort();
}

#[tokio::test]
async fn errors_keep_their_meaning_on_the_way() {
    let Pair { host, remote, folder, .. } = pair();
    let (left, right) = duplex(1 << 16);
    let asks = remote.clone();
    let sides = [
        tokio::spawn(async move { drop(host.serve(right).await) }),
        tokio::spawn(async move { drop(asks.adopt(left).await) }),
    ];
    let (tell, _told) = mpsc::channel(1);
    let gone = remote.follow(&Ticket("none".into()), tell).await.unwrap_err();
    assert!(matches!(gone, DriverError::Gone { .. }), "{gone}");
    let to = Some(Value::Number(99));
    let change = Change { name: Name::of_line("ttyACM0", "rings"), from: None, to };
    let undone = remote.set(&[change], folder.path()).await.unwrap_err();
    assert!(matches!(undone, SettingsError::Undone(_)), "{undone}");
    let local = remote.submit(&call("pf-1", folder.path().join("none").as_path())).await;
    assert!(matches!(local, Err(DriverError::Local { .. })), "{local:?}");
    let into = folder.path().join("fetched.tif");
    let gone = remote.fetch(&Memory::waits("fax-1"), &into).await.unwrap_err();
    assert!(matches!(gone, DriverError::Gone { .. }), "{gone}");
    assert!(!into.exists(), "what is not whole is not kept");
    remote.condition().await.unwrap();
    assert!(sides.iter().all(|side| !side.is_finished()), "it was one connection");
    sides.iter().for_each(tokio::task::JoinHandle::abort);
}

#[expect(clippy::await_holding_lock, reason = "the copy waits for it in a thread of its own")]
#[tokio::test]
async fn a_copy_that_nobody_waits_for_any_more_is_removed_when_it_is_made() {
    let Pair { host, remote, memory, folder } = pair();
    memory.receive("fax-1", b"II*\0");
    let (left, right) = duplex(1 << 16);
    let asks = remote.clone();
    let sides = [
        tokio::spawn(async move { drop(host.serve(right).await) }),
        tokio::spawn(async move { drop(asks.adopt(left).await) }),
    ];
    let copying = Arc::clone(&memory.copying);
    let copies = || Arc::strong_count(&copying) > 2;
    let held = copying.lock().unwrap();
    let into = folder.path().join("fetched.tif");
    {
        let waiting = Memory::waits("fax-1");
        let fetching = remote.fetch(&waiting, &into);
        let begun = async {
            while !copies() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            fetched = fetching => panic!("{fetched:?}"),
            () = begun => {}
        }
    }
    // It has been told to stop when it answers something else.
    remote.condition().await.unwrap();
    drop(held);
    while copies() {
        sleep(Duration::from_millis(5)).await;
    }
    let scratch = folder.path().join("host/scratch");
    let gone = async {
        while std::fs::read_dir(&scratch).unwrap().count() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(2), gone).await.expect("nothing of it is kept");
    sides.iter().for_each(tokio::task::JoinHandle::abort);
}

proptest::proptest! {
    #[test]
    fn whatever_comes_reading_it_ends(octets: Vec<u8>) {
        fuzz_one(&octets);
        fuzz_one(&frame(octets.first().map_or(0, |n| n % 12), 1, &octets));
    }

    #[test]
    fn a_message_that_was_changed_is_read_or_refused(at in 0..HELLO.len(), to: u8) {
        let mut octets = frame(0, 0, HELLO.as_bytes());
        octets[9 + at] = to;
        fuzz_one(&octets);
    }
}
