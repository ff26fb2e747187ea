//! Two agents: calls, offers both ways, ends both ways, and what is refused.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::timeout};

use super::super::{sdp::*, *};

pub(super) const SOON: Duration = Duration::from_secs(5);

pub(super) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn agent() -> (Arc<Agent>, mpsc::Receiver<Incoming>) {
    let options = AgentOptions {
        t1: Duration::from_millis(100),
        ..AgentOptions::new(loopback(), Allowed::Anyone)
    };
    Agent::start(options).await.unwrap()
}

fn audio(version: u64) -> String {
    let local = Local { id: 1, version, address: loopback().ip(), port: 4000 };
    offer_audio(local, Law::Pcma)
}

fn invitation(to: &Agent, number: &str) -> Invitation {
    Invitation {
        to: format!("sip:{number}@{}", to.address()),
        from: "sip:100@example.com".into(),
        display: Some("Office".into()),
        via: None,
        login: None,
        fields: vec![],
        offer: audio(1),
    }
}

async fn next_answer(calling: &mut Calling) -> Result<(Leg, Vec<u8>), Cause> {
    loop {
        match timeout(SOON, calling.next()).await.unwrap() {
            Progress::Trying | Progress::Ringing => {}
            Progress::Answered(leg, body) => return Ok((leg, body)),
            Progress::Failed(cause) => return Err(cause),
        }
    }
}

async fn ended(leg: &mut Leg) -> Cause {
    loop {
        match timeout(SOON, leg.next()).await.unwrap() {
            Event::Ended(cause) => return cause,
            Event::Acknowledged(_) => {}
            Event::Offer(_) => panic!("an offer"),
        }
    }
}

/// A call that stands, seen from both sides.
async fn call() -> (Leg, Leg, mpsc::Receiver<Incoming>) {
    let ((a, _a_calls), (b, mut calls)) = (agent().await, agent().await);
    let mut calling = a.invite(&invitation(&b, "200")).unwrap();
    let incoming = timeout(SOON, calls.recv()).await.unwrap().unwrap();
    assert_eq!(incoming.request().uri.user(), Some("200"));
    assert!(parse(incoming.offer()).is_ok());
    incoming.ring();
    let mut theirs = incoming.answer(audio(7)).unwrap();
    let (ours, answer) = next_answer(&mut calling).await.unwrap();
    assert_eq!(parse(&answer).unwrap().version, 7);
    assert!(matches!(timeout(SOON, theirs.next()).await.unwrap(), Event::Acknowledged(_)));
    (ours, theirs, calls)
}

#[tokio::test]
async fn a_call_is_answered_and_ended_by_either_side() {
    let (ours, mut theirs, _calls) = call().await;
    ours.hang_up(Some(16));
    let cause = ended(&mut theirs).await;
    assert_eq!((cause.q850, cause.phrase.as_str()), (Some(16), "hung up"));

    let (mut ours, theirs, _calls) = call().await;
    drop(theirs);
    assert_eq!(ended(&mut ours).await.q850, None);
}

#[tokio::test]
async fn offers_within_a_call_go_both_ways() {
    let (mut ours, mut theirs, _calls) = call().await;
    let offering = tokio::spawn(theirs.offer(audio(8)));
    let Event::Offer(offer) = timeout(SOON, async {
        loop {
            match ours.next().await {
                Event::Acknowledged(_) => {}
                event => return event,
            }
        }
    })
    .await
    .unwrap() else {
        panic!("no offer")
    };
    assert_eq!(parse(offer.description()).unwrap().version, 8);
    offer.accept(audio(9)).await;
    let answer = timeout(SOON, offering).await.unwrap().unwrap().unwrap();
    assert_eq!(parse(&answer).unwrap().version, 9);

    let offering = tokio::spawn(ours.offer(audio(10)));
    let Event::Offer(offer) = timeout(SOON, theirs.next()).await.unwrap() else {
        panic!("no offer")
    };
    offer.refuse(488).await;
    let refused = timeout(SOON, offering).await.unwrap().unwrap().unwrap_err();
    assert_eq!(refused.status, 488);
    ours.hang_up(None);
    ended(&mut theirs).await;
}
