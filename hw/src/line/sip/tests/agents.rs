//! Two agents: calls, offers both ways, ends both ways, and what is refused.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::timeout};

use super::super::{sdp::*, *};

pub(super) const SOON: Duration = Duration::from_secs(5);

pub(super) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub(super) async fn agent() -> (Arc<Agent>, mpsc::Receiver<Incoming>) {
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

pub(super) fn invitation(to: SocketAddr, number: &str) -> Invitation {
    Invitation {
        to: format!("sip:{number}@{to}"),
        from: "sip:100@example.com".into(),
        display: Some("Office".into()),
        via: None,
        login: None,
        fields: vec![],
        offer: audio(1),
    }
}

pub(super) async fn next_answer(calling: &mut Calling) -> Result<(Leg, Vec<u8>), Cause> {
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
    let mut calling = a.invite(&invitation(b.address(), "200")).unwrap();
    let incoming = timeout(SOON, calls.recv()).await.unwrap().unwrap();
    assert_eq!(incoming.request().uri.user(), Some("200"));
    assert!(parse(incoming.offer()).is_ok());
    incoming.ring();
    let mut theirs = incoming.answer(audio(7)).unwrap();
    let (ours, answer) = next_answer(&mut calling).await.unwrap();
    assert_eq!(parse(&answer).unwrap().version, 7);
    let more = timeout(Duration::from_millis(20), calling.next()).await;
    assert!(more.is_err(), "something came after the answer");
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

#[tokio::test]
async fn offers_that_cross_are_refused_and_made_again() {
    let (mut ours, mut theirs, _calls) = call().await;
    // Ours must have seen its own acknowledgement before.
    let crossing = [tokio::spawn(ours.offer(audio(2))), tokio::spawn(theirs.offer(audio(8)))];
    let refuse = async {
        for leg in [&mut ours, &mut theirs] {
            loop {
                match timeout(SOON, leg.next()).await.unwrap() {
                    Event::Acknowledged(_) => {}
                    Event::Offer(offer) => break offer.refuse(491).await,
                    Event::Ended(cause) => panic!("{cause:?}"),
                }
            }
        }
    };
    refuse.await;
    for offer in crossing {
        let cause = timeout(SOON, offer).await.unwrap().unwrap().unwrap_err();
        assert_eq!(cause.status, 491);
    }
    // When the refusals were acknowledged the next offer passes, and so does the end.
    let again = async {
        loop {
            match ours.offer(audio(3)).await {
                Err(Cause { status: 491, .. }) => tokio::time::sleep(T1 / 10).await,
                done => return done,
            }
        }
    };
    let take = async {
        let Event::Offer(offer) = theirs.next().await else { panic!("no offer") };
        offer.accept(audio(9)).await;
    };
    let (answer, ()) = timeout(SOON, async { tokio::join!(again, take) }).await.unwrap();
    assert_eq!(parse(&answer.unwrap()).unwrap().version, 9);
    ours.hang_up(None);
    ended(&mut theirs).await;
}

#[tokio::test]
async fn tls_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        Some(file)
    };
    let made = |name: &str| {
        let one = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let cert = write(&format!("{name}.pem"), one.cert.pem());
        (cert, write(&format!("{name}.key"), one.signing_key.serialize_pem()))
    };
    let ((cert, key), (other, _)) = (made("trunk"), made("other"));
    let start = |ca_file, cert_file, key_file| {
        let tls = TlsOptions { ca_file, cert_file, key_file, server_name: None };
        let options = AgentOptions::new(loopback(), Allowed::Anyone);
        Agent::start(AgentOptions { transport: Transport::Tls, tls, ..options })
    };
    let (trunk, mut calls) = start(cert.clone(), cert.clone(), key.clone()).await.unwrap();
    let (trusting, _a) = start(cert.clone(), None, None).await.unwrap();
    let (doubting, _b) = start(other, None, None).await.unwrap();
    assert!(matches!(start(None, cert, None).await, Err(AgentError::HalfACertificate)));
    let mut calling = trusting.invite(&invitation(trunk.address(), "200")).unwrap();
    let incoming = timeout(SOON, calls.recv()).await.unwrap().unwrap();
    let mut theirs = incoming.answer(audio(1)).unwrap();
    let (mut ours, _) = next_answer(&mut calling).await.unwrap();
    assert!(matches!(timeout(SOON, theirs.next()).await.unwrap(), Event::Acknowledged(_)));
    theirs.hang_up(None);
    ended(&mut ours).await;
    let refused = timeout(SOON, doubting.ask(&trunk.address().to_string())).await;
    assert!(!matches!(refused, Ok(Ok(()))), "a certificate of nobody's was believed");
}

#[tokio::test]
async fn what_is_asked_is_answered() {
    let ((a, _a), (b, mut calls)) = (agent().await, agent().await);
    timeout(SOON, a.ask(&b.address().to_string())).await.unwrap().unwrap();
    // An extension that nobody knows.
    let mut odd = invitation(b.address(), "200");
    odd.fields = vec![("Require".into(), "100rel, telepathy".into())];
    let mut calling = a.invite(&odd).unwrap();
    let cause = next_answer(&mut calling).await.err().unwrap();
    assert_eq!(cause.status, 420);
    // Session timers are left to the one who wants them.
    let mut timed = invitation(b.address(), "200");
    timed.fields = vec![
        ("Supported".into(), "timer".into()),
        ("Session-Expires".into(), "1800;refresher=uac".into()),
    ];
    let mut calling = a.invite(&timed).unwrap();
    let incoming = timeout(SOON, calls.recv()).await.unwrap().unwrap();
    let fields = super::super::leg::timer_fields(incoming.request());
    assert_eq!(fields[0].value(), "1800;refresher=uac");
    // Dropped: refused.
    drop(incoming);
    assert_eq!(next_answer(&mut calling).await.err().unwrap().status, 480);
}
