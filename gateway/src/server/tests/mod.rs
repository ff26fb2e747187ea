//! Dialogs over real loopback sockets, with a desk that records.

mod doors;
mod house;

use tokio::net::TcpStream;

use super::*;
use crate::desk::Identity;
use house::{ENVELOPE, House, certificate};

#[tokio::test]
async fn a_message_lies_on_disk_as_it_came() {
    let house = House::open(Role::Relay, |_| {}).await;
    let mut guest = house.guest().await;
    guest.say(&format!("{ENVELOPE}RCPT TO:<bad@fax.example>\r\nDATA\r\n")).await;
    for code in [250, 250, 550, 354] {
        guest.hear(code).await;
    }
    guest.ask("Subject: x\r\n\r\n..\r\ntext\r\n.\r\n", 250).await;
    guest.ask("QUIT\r\n", 221).await;
    assert_eq!(guest.rest().await, "");
    let (peer, envelope) = house.desk.messages.lock().unwrap().pop().unwrap();
    assert_eq!((peer.helo.as_str(), peer.identity), ("my_printer", None));
    assert_eq!(envelope.rcpts.len(), 1);
    let file = std::fs::read_to_string(&envelope.path).unwrap();
    assert_eq!(file.len() as u64, envelope.bytes);
    let (received, message) = file.split_at(file.find("Subject").unwrap());
    assert!(received.starts_with(
        "Received: from my_printer ([127.0.0.1])\r\n\tby fax.example (Postfax) with ESMTP id m0\r\n\
         \tfor <+44@fax.example>;\r\n\t"
    ));
    assert_eq!(message, "Subject: x\r\n\r\n.\r\ntext\r\n");
}

#[tokio::test]
async fn submission_by_starttls_and_login() {
    let house = House::open(Role::Submission, |_| {}).await;
    let mut guest = house.guest().await;
    guest.ask("MAIL FROM:<a@b.example>\r\n", 530).await;
    guest.ask("STARTTLS\r\n", 220).await;
    let mut guest = guest.secure(&house).await;
    let ehlo = guest.ask("EHLO again\r\n", 250).await;
    assert!(ehlo.contains("AUTH PLAIN LOGIN") && !ehlo.contains("STARTTLS"), "{ehlo}");
    guest.ask("AUTH PLAIN AGFubmEAd3Jvbmc=\r\n", 535).await;
    guest.ask("AUTH LOGIN\r\n", 334).await;
    guest.ask("YW5uYQ==\r\n", 334).await;
    guest.ask("c2VjcmV0\r\n", 235).await;
    guest.say(&format!("{ENVELOPE}DATA\r\n")).await;
    for code in [250, 250, 354] {
        guest.hear(code).await;
    }
    guest.ask("text\r\n.\r\n", 250).await;
    let (peer, envelope) = house.desk.messages.lock().unwrap().pop().unwrap();
    assert_eq!(peer.identity, Some(Identity("anna".into())));
    let file = std::fs::read_to_string(envelope.path).unwrap();
    assert!(file.contains("from again") && file.contains("with ESMTPSA"), "{file}");
}

#[tokio::test]
async fn submissions_speak_tls_at_once() {
    let house = House::open(Role::Submissions, |_| {}).await;
    let mut guest = house.visit().await.secure(&house).await;
    guest.hear(220).await;
    guest.ask("EHLO x\r\n", 250).await;
    guest.ask("AUTH PLAIN AGFubmEAc2VjcmV0\r\n", 235).await;
    guest.ask("MAIL FROM:<a@b.example>\r\n", 250).await;
    let mut plain = house.visit().await;
    plain.say("EHLO x\r\n").await;
    assert!(!plain.rest().await.contains("220"));
}

#[tokio::test]
async fn nothing_said_before_the_handshake_is_done_after_it() {
    let house = House::open(Role::Submission, |_| {}).await;
    let mut guest = house.guest().await;
    guest.say("STARTTLS\r\nNOOP\r\nRSET\r\n").await;
    assert_eq!(guest.rest().await.matches("\r\n").count(), 1, "one refusal");
    // In a packet of its own it spoils the handshake.
    let mut guest = house.guest().await;
    guest.ask("STARTTLS\r\n", 220).await;
    guest.say("NOOP\r\nRSET\r\nNOOP\r\n").await;
    assert!(!guest.rest().await.contains("250"));
}

#[tokio::test]
async fn early_talkers_are_turned_away() {
    let house = House::open(Role::Relay, |o| o.timeouts.greeting_wait_ms = 500).await;
    let mut guest = house.visit().await;
    guest.say("EHLO x\r\nMAIL FROM:<a@b>\r\n").await;
    let rest = guest.rest().await;
    assert!(rest.starts_with("554 ") && rest.matches("\r\n").count() == 1, "{rest}");
}

#[tokio::test]
async fn smuggled_messages_are_refused_in_any_packets() {
    let house = House::open(Role::Relay, |o| {
        o.timeouts.greeting_wait_ms = 0;
        o.census = Census::new(500, 500);
    })
    .await;
    for end in ["\n.\n", "\n.\r\n", "\r.\r", "\r\n.\n", "\r\n.\r", "\r.\r\n"] {
        let text = format!("x{end}{ENVELOPE}DATA\r\nforged\r\n.\r\n");
        for split in [1, 2, 3, 4, 5, text.len() - 3] {
            let mut guest = house.guest().await;
            guest.say(&format!("{ENVELOPE}DATA\r\n")).await;
            for code in [250, 250, 354] {
                guest.hear(code).await;
            }
            guest.say(&text[..split]).await;
            tokio::task::yield_now().await;
            guest.say(&text[split..]).await;
            assert_eq!(
                guest.rest().await,
                "550 5.5.2 bare <CR> or <LF> not allowed\r\n",
                "{end:?}"
            );
        }
    }
    assert!(house.desk.messages.lock().unwrap().is_empty());
    assert_eq!(house.desk.files(), 0);
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing_behind_and_cancels_nothing() {
    let slow = Duration::from_millis(300);
    let house = House::with_slow_desk(Role::Relay, slow, |_| {}).await;
    let mut guest = house.guest().await;
    guest.say(&format!("{ENVELOPE}DATA\r\n")).await;
    guest.hear(250).await;
    guest.hear(250).await;
    guest.hear(354).await;
    guest.say("half a mess").await;
    drop(guest);
    let mut guest = house.guest().await;
    guest.say(&format!("{ENVELOPE}DATA\r\n")).await;
    guest.hear(250).await;
    guest.hear(250).await;
    guest.hear(354).await;
    guest.say("a whole one\r\n.\r\n").await;
    drop(guest);
    // A stop waits for the desk, too.
    sleep(Duration::from_millis(100)).await;
    house.stop.send_replace(true);
    house.serving.await.unwrap().unwrap();
    assert_eq!(house.desk.messages.lock().unwrap().len(), 1);
    assert_eq!(house.desk.files(), 1);
}

#[tokio::test]
async fn a_stop_lets_messages_finish_and_sends_idlers_home() {
    let house = House::open(Role::Relay, |_| {}).await;
    let mut idle = house.guest().await;
    let mut busy = house.guest().await;
    busy.say(&format!("{ENVELOPE}DATA\r\n")).await;
    for code in [250, 250, 354] {
        busy.hear(code).await;
    }
    busy.say("te").await;
    house.stop.send_replace(true);
    idle.hear(421).await;
    assert_eq!(idle.rest().await, "");
    busy.ask("xt\r\n.\r\n", 250).await;
    busy.hear(421).await;
    drop(busy);
    house.serving.await.unwrap().unwrap();
    assert!(TcpStream::connect(house.address).await.is_err());
    assert_eq!(house.desk.messages.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let house = House::open(Role::Relay, |o| o.timeouts.drain_s = 1).await;
    let mut busy = house.guest().await;
    busy.say(&format!("{ENVELOPE}DATA\r\n")).await;
    for code in [250, 250, 354] {
        busy.hear(code).await;
    }
    house.stop.send_replace(true);
    busy.hear(421).await;
    drop(busy);
    house.serving.await.unwrap().unwrap();
    assert_eq!(house.desk.files(), 0);
}

#[tokio::test]
async fn slow_clients_lose_their_place() {
    let house = House::open(Role::Relay, |o| {
        o.timeouts.command_s = 1;
        o.timeouts.data_block_s = 1;
    })
    .await;
    let mut silent = house.guest().await;
    let mut stuck = house.guest().await;
    stuck.say(&format!("{ENVELOPE}DATA\r\n")).await;
    for code in [250, 250, 354] {
        stuck.hear(code).await;
    }
    let mut dripping = house.guest().await;
    for _ in 0..13 {
        dripping.say("N").await;
        sleep(Duration::from_millis(100)).await;
    }
    // The time of its line is over although it never paused for a second.
    timeout(Duration::from_millis(600), dripping.hear(421)).await.expect("told already");
    silent.hear(421).await;
    stuck.hear(421).await;
    drop(stuck);
    house.stop.send_replace(true);
    house.serving.await.unwrap().unwrap();
    assert_eq!(house.desk.files(), 0);
}

#[tokio::test]
async fn places_are_few() {
    let house = House::open(Role::Relay, |o| o.census = Census::new(500, 2)).await;
    let (first, _second) = (house.guest().await, house.guest().await);
    house.visit().await.hear(421).await;
    drop(first);
    sleep(Duration::from_millis(100)).await;
    house.guest().await;
}

#[tokio::test]
async fn a_message_that_cannot_be_written_is_refused_and_none_of_it_is_executed() {
    let house = House::open(Role::Relay, |_| {}).await;
    let mut guest = house.guest().await;
    guest.ask("MAIL FROM:<nowhere@b.example>\r\n", 250).await;
    guest.ask("RCPT TO:<+44@fax.example>\r\n", 250).await;
    guest.ask("DATA\r\n", 354).await;
    guest.ask("NOOP\r\n\r\nRSET\r\n.\r\n", 452).await;
    guest.ask("RSET\r\n", 250).await;
}

#[tokio::test]
async fn a_bug_of_the_desk_ends_one_connection() {
    let house = House::open(Role::Relay, |_| {}).await;
    let mut guest = house.guest().await;
    guest.say("MAIL FROM:<a@b>\r\nRCPT TO:<bug@fax.example>\r\n").await;
    guest.rest().await;
    house.guest().await;
}

#[tokio::test]
async fn submission_without_a_certificate_does_not_start() {
    let house = House::open(Role::Submission, |o| o.tls = None).await;
    let ended = house.serving.await.unwrap();
    assert!(matches!(ended, Err(ServeError::NeedsCertificate(Role::Submission))));
}

#[tokio::test]
async fn a_new_certificate_counts_for_new_handshakes() {
    let house = House::open(Role::Submissions, |_| {}).await;
    let mut old = house.visit().await.secure(&house).await;
    old.hear(220).await;
    let (config, trust) = certificate();
    house.certificates.send_replace(config);
    assert!(house.visit().await.try_to_secure(&house.trust).await.is_err());
    house.visit().await.try_to_secure(&trust).await.unwrap().hear(220).await;
    old.ask("EHLO x\r\n", 250).await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_handshakes() {
    let house = House::open(Role::Submissions, |_| {}).await;
    let _silent = house.visit().await;
    sleep(Duration::from_millis(100)).await;
    house.stop.send_replace(true);
    timeout(Duration::from_secs(5), house.serving).await.expect("soon").unwrap().unwrap();
}
