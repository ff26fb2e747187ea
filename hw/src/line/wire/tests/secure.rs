//! The whole way over sockets and TLS: who dials whom, with which key.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use super::{Pair, QUICK, options, pair};
use crate::{
    driver::Driver,
    line::wire::{Dialler, Door, Fingerprint, Identity, Peer, Remote, Versions},
};

fn identity() -> (Arc<Identity>, Fingerprint) {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::open(folder.path()).unwrap();
    let key = identity.fingerprint();
    (Arc::new(identity), key)
}

async fn door(us: &Identity) -> (Door, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let door = Door::open(listener, us, QUICK).unwrap();
    let port = door.address().port();
    (door, port)
}

fn at(port: u16, key: Fingerprint) -> Peer {
    Peer { host: "127.0.0.1".into(), port, key }
}

#[tokio::test]
async fn either_side_dials() {
    let (supervisor, supervisor_key) = identity();
    let (lines, lines_key) = identity();
    // The supervisor dials.
    let Pair { host, remote, .. } = pair();
    let (door, port) = door(&lines).await;
    door.admit_asker(supervisor_key, host.clone());
    let dialler = Dialler::asking(supervisor.clone(), at(port, lines_key), QUICK, remote.clone());
    assert_eq!(remote.condition().await.unwrap().banner, "in memory");
    // The door goes and comes back; who asks meanwhile waits.
    drop(door);
    // The task that had it needs a moment to leave.
    let listener = loop {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Ok(listener) => break listener,
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    };
    let door = Door::open(listener, &lines, QUICK).unwrap();
    door.admit_asker(supervisor_key, host.clone());
    assert_eq!(remote.condition().await.unwrap().banner, "in memory");
    drop((dialler, door));
    // The line server dials.
    let remote = Remote::new(options(Versions::OURS));
    let (door, port) = super::secure::door(&supervisor).await;
    door.admit_asked([(lines_key, remote.clone())]);
    let dialler = Dialler::asked(lines, at(port, supervisor_key), QUICK, host);
    assert_eq!(remote.condition().await.unwrap().banner, "in memory");
    // Another list of guests leaves those alone who are in.
    door.admit_asked([(lines_key, remote.clone())]);
    sleep(Duration::from_millis(50)).await;
    assert!(remote.is_up());
    // Behind the same key is somebody else now, who is reached as soon as it dials again.
    let renamed = Remote::new(options(Versions::OURS));
    door.admit_asked([(lines_key, renamed.clone())]);
    assert_eq!(renamed.condition().await.unwrap().banner, "in memory");
    assert!(!remote.is_up());
    drop(dialler);
}

#[tokio::test]
async fn a_supervisor_whose_key_is_withdrawn_has_to_leave() {
    let (supervisor, supervisor_key) = identity();
    let (lines, lines_key) = identity();
    let (_, other_key) = identity();
    let Pair { host, remote, .. } = pair();
    let (door, port) = door(&lines).await;
    door.admit_asker(supervisor_key, host.clone());
    let _dialler = Dialler::asking(supervisor, at(port, lines_key), QUICK, remote.clone());
    remote.condition().await.unwrap();
    door.admit_asker(supervisor_key, host.clone());
    sleep(Duration::from_millis(50)).await;
    assert!(remote.is_up(), "the same one stays");
    door.admit_asker(other_key, host);
    let why = why_not(&remote).await;
    assert!(why.contains(&format!("does not accept our key {supervisor_key}")), "{why}");
}

#[tokio::test]
async fn places_are_kept_for_networks_that_are_known() {
    let (supervisor, supervisor_key) = identity();
    let (lines, lines_key) = identity();
    let Pair { host, remote, .. } = pair();
    let (door, port) = door(&lines).await;
    door.admit_asker(supervisor_key, host);
    let dial = || Dialler::asking(supervisor.clone(), at(port, lines_key), QUICK, remote.clone());
    let dialler = dial();
    remote.condition().await.unwrap();
    drop(dialler);
    // Many hosts that say nothing.
    let mut strangers = Vec::new();
    for n in 0..80_u8 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 1, n + 1], 0).into()).unwrap();
        strangers.push(socket.connect(([127, 0, 0, 1], port).into()).await.unwrap());
    }
    let _dialler = dial();
    timeout(QUICK.handshake / 2, remote.condition()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_wrong_key_on_either_side_is_refused_in_words() {
    let (supervisor, supervisor_key) = identity();
    let (lines, lines_key) = identity();
    let (_, other_key) = identity();
    let Pair { host, .. } = pair();
    // The line server is another one than the supervisor expects.
    let (door, port) = door(&lines).await;
    door.admit_asker(supervisor_key, host.clone());
    let remote = Remote::new(options(Versions::OURS));
    let dialler = Dialler::asking(supervisor.clone(), at(port, other_key), QUICK, remote.clone());
    let why = why_not(&remote).await;
    assert!(why.contains(&format!("it has the key {lines_key}")), "{why}");
    drop(dialler);
    // The line server expects another supervisor.
    door.admit_asker(other_key, host);
    let remote = Remote::new(options(Versions::OURS));
    let dialler = Dialler::asking(supervisor, at(port, lines_key), QUICK, remote.clone());
    let why = why_not(&remote).await;
    assert!(why.contains(&format!("does not accept our key {supervisor_key}")), "{why}");
    drop(dialler);
}

/// Why there is no connection, once that is known.
async fn why_not(remote: &Remote) -> String {
    for _ in 0..100 {
        if let Ok(Err(failed)) = timeout(Duration::from_millis(50), remote.condition()).await {
            return failed.to_string();
        }
        let said = remote.why_away().unwrap_or_default();
        if said.contains("key") {
            return said;
        }
    }
    panic!("it was never said");
}

#[tokio::test]
async fn strangers_take_no_room_from_those_who_are_known() {
    let (supervisor, supervisor_key) = identity();
    let (lines, lines_key) = identity();
    let Pair { host, remote, .. } = pair();
    let (door, port) = door(&lines).await;
    door.admit_asker(supervisor_key, host);
    // More than may be in the lobby from one address; those too many are closed at once.
    let mut strangers = Vec::new();
    for _ in 0..12 {
        strangers.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    }
    let mut closed = 0;
    for stranger in &mut strangers {
        let mut octet = [0];
        let read = timeout(Duration::from_millis(100), stranger.read(&mut octet)).await;
        closed += u32::from(matches!(read, Ok(Ok(0) | Err(_))));
    }
    assert_eq!(closed, 4, "eight may wait");
    // They are given up in time, and then there is room again.
    for stranger in &mut strangers {
        let _ = stranger.write_all(b"\x16").await;
    }
    sleep(QUICK.handshake + Duration::from_millis(200)).await;
    let _dialler = Dialler::asking(supervisor, at(port, lines_key), QUICK, remote.clone());
    timeout(Duration::from_secs(3), remote.condition()).await.unwrap().unwrap();
}

#[tokio::test]
async fn tls_of_another_version_or_without_a_key_is_refused() {
    let (lines, _) = identity();
    let (_, supervisor_key) = identity();
    let Pair { host, .. } = pair();
    let (door, port) = door(&lines).await;
    door.admit_asker(supervisor_key, host);
    for arguments in [&["-tls1_2"][..], &["-tls1_3"]] {
        let output = tokio::process::Command::new("openssl")
            .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-ign_eof"])
            .args(arguments)
            .stdin(std::process::Stdio::null())
            .output();
        let output = timeout(Duration::from_secs(10), output).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("alert"), "{arguments:?}: {said}");
    }
}
