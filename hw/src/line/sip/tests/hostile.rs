//! Strangers at the socket of an agent: whatever they send, it still answers, and keeps
//! nothing of it.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, UdpSocket},
    time::timeout,
};

use super::{
    super::*,
    agents::{SOON, agent, invitation, loopback, next_answer},
};

const MESSAGES: [&str; 4] = [
    "INVITE sip:200@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKA;rport\r\n\
     From: \"x\" <sip:1@example.com>;tag=1\r\nTo: <sip:200@127.0.0.1>\r\nCall-ID: 1@x\r\n\
     CSeq: 1 INVITE\r\nContact: <sip:1@127.0.0.1:9>\r\nMax-Forwards: 70\r\nSupported: timer\r\n\
     Session-Expires: 1800;refresher=uac\r\nContent-Type: application/sdp\r\nContent-Length: 4\r\n\r\nv=0\n",
    "BYE sip:200@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKB\r\n\
     From: <sip:1@example.com>;tag=1\r\nTo: <sip:200@127.0.0.1>;tag=2\r\nCall-ID: 1@x\r\n\
     CSeq: 2 BYE\r\nReason: Q.850;cause=16\r\nContent-Length: 0\r\n\r\n",
    "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKC\r\n\
     From: <sip:1@example.com>;tag=1\r\nTo: <sip:200@127.0.0.1>;tag=2\r\nCall-ID: 1@x\r\n\
     CSeq: 1 INVITE\r\nWWW-Authenticate: Digest realm=\"x\", nonce=\"y\", algorithm=MD5\r\n\
     Content-Length: 0\r\n\r\n",
    "OPTIONS sip:127.0.0.1 SIP/2.0\r\nv: SIP/2.0/UDP [::1]:9;branch=z9hG4bKD;received=[::1]\r\n\
     f: <sip:1@example.com>;tag=1\r\nt: <sip:200@127.0.0.1>\r\ni: 1@x\r\nCSeq: 4294967295 OPTIONS\r\n\
     m: *\r\nl: 0\r\n\r\n",
];

/// A small source of chance that repeats itself.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % most.max(1)
    }

    fn message(&mut self) -> Vec<u8> {
        let mut text = MESSAGES[self.below(MESSAGES.len())].as_bytes().to_vec();
        for _ in 0..self.below(8) {
            let (at, byte) = (self.below(text.len()), self.below(256) as u8);
            match self.below(6) {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                2 => text.truncate(at.max(1)),
                3 => {
                    let piece = text[at..(at + 40).min(text.len())].to_vec();
                    text.splice(at..at, piece);
                }
                4 => {
                    let digits = b"99999999999999999999";
                    text.splice(at..at, digits[..self.below(20)].iter().copied());
                }
                _ => {
                    let end = (at + self.below(30)).min(text.len());
                    text.drain(at..end);
                }
            }
            if text.is_empty() {
                text.push(byte);
            }
        }
        text
    }
}

async fn attack(messages: usize, seed: u64) -> (Arc<Agent>, usize) {
    let options = AgentOptions {
        t1: Duration::from_millis(20),
        ..AgentOptions::new(loopback(), Allowed::Anyone)
    };
    let (agent, mut calls) = Agent::start(options).await.unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let refusing = tokio::spawn(async move {
        while let Some(incoming) = calls.recv().await {
            let _ = sdp::parse(incoming.offer());
            incoming.ring();
            incoming.refuse(486, Some(17));
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    let mut chance = Chance(seed);
    for sent in 0..messages {
        let message = chance.message();
        fuzz_one(&message);
        socket.send_to(&message, agent.address()).await.unwrap();
        if sent % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    // Another agent asks, and is answered.
    let (other, _none) =
        Agent::start(AgentOptions::new(loopback(), Allowed::Anyone)).await.unwrap();
    let asked = timeout(Duration::from_secs(5), other.ask(&agent.address().to_string())).await;
    assert!(matches!(asked, Ok(Ok(()))), "{asked:?}");
    assert!(timeout(Duration::from_millis(1), agent.died()).await.is_err());
    agent.close();
    refusing.abort();
    (agent, count.load(Ordering::Relaxed))
}

#[tokio::test]
async fn an_agent_survives_what_strangers_send() {
    let (_, calls) = attack(3_000, 1).await;
    assert!(calls > 20, "{calls} of them were calls");
}

#[tokio::test]
async fn strangers_with_invented_tags_leave_nothing_behind() {
    let peer = IpAddr::from([127, 0, 0, 2]);
    let allowed = Allowed::Only(vec![Net::from(peer)]);
    let options = AgentOptions::new(loopback(), allowed);
    let (agent, _calls) = Agent::start(options).await.unwrap();
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    for at in 0..1_500 {
        let message = MESSAGES[at % 2].replace("1@x", &format!("{at}@x"));
        let message = message.replace("<sip:200@127.0.0.1>\r", "<sip:200@127.0.0.1>;tag=2\r");
        socket.send_to(message.as_bytes(), agent.address()).await.unwrap();
        if at % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    let options = AgentOptions::new((peer, 0).into(), Allowed::Anyone);
    let (peer, _none) = Agent::start(options).await.unwrap();
    let asked = timeout(Duration::from_secs(5), peer.ask(&agent.address().to_string())).await;
    assert!(matches!(asked, Ok(Ok(()))), "{asked:?}");
    assert!(agent.transactions() <= 1, "{}", agent.transactions());
}

#[tokio::test]
async fn a_dialogue_goes_on_with_one_who_may_begin_nothing() {
    let ((a, _a_calls), (b, mut calls)) = (agent().await, agent().await);
    let mut calling = a.invite(&invitation(b.address(), "200")).unwrap();
    let incoming = timeout(SOON, calls.recv()).await.unwrap().unwrap();
    let offer = String::from_utf8(incoming.offer().to_vec()).unwrap();
    let mut theirs = incoming.answer(offer).unwrap();
    let (ours, _) = next_answer(&mut calling).await.unwrap();
    assert!(matches!(timeout(SOON, theirs.next()).await.unwrap(), Event::Acknowledged(_)));
    b.allow(Allowed::Only(vec![]));
    ours.hang_up(Some(16));
    let Event::Ended(cause) = timeout(SOON, theirs.next()).await.unwrap() else { panic!() };
    assert_eq!(cause.q850, Some(16));
}

#[tokio::test]
async fn strangers_hold_no_connection() {
    let allowed = Allowed::Only(vec![Net::from(IpAddr::from([127, 0, 0, 2]))]);
    let options = AgentOptions::new(loopback(), allowed);
    let (agent, _calls) =
        Agent::start(AgentOptions { transport: Transport::Tcp, ..options }).await.unwrap();
    let ask = "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKD\r\n\
        From: <sip:1@x>;tag=1\r\nTo: <sip:2@x>\r\nCall-ID: 1@x\r\nCSeq: 1 OPTIONS\r\n\
        Content-Length: 0\r\n\r\n";
    for (from, heard) in [([127, 0, 0, 1], false), ([127, 0, 0, 2], true)] {
        // The stack listens a little later.
        let mut stream = loop {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind((from, 0).into()).unwrap();
            match socket.connect(agent.address()).await {
                Ok(stream) => break stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let _ = stream.write_all(ask.as_bytes()).await;
        let mut answer = [0; 100];
        let read = timeout(SOON, stream.read(&mut answer)).await.unwrap();
        assert_eq!(matches!(read, Ok(1..)), heard, "{from:?} {read:?}");
    }
}

#[tokio::test]
#[ignore = "three minutes: cargo test --workspace --lib hostile -- --ignored --nocapture"]
async fn an_agent_survives_a_long_attack() {
    let began = std::time::Instant::now();
    let mut round = 0;
    while began.elapsed() < Duration::from_secs(180) {
        round += 1;
        let (agent, calls) = attack(20_000, round).await;
        let memory = std::fs::read_to_string("/proc/self/statm").unwrap();
        eprintln!("{round}: {calls} calls, {} transactions, pages {memory}", agent.transactions());
    }
}
