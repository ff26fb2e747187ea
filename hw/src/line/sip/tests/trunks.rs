//! Two trunks, peer to peer: every way that a call may go, without a sound.

use std::{sync::atomic::Ordering, time::Duration};

use postfax_domain::outcome::Outcome;
use tokio::{
    net::UdpSocket,
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    super::*,
    agents::{self, SOON, loopback},
    stage::*,
};
use crate::line::{Line as _, LineSettings, LineState, Step};

const NUMBER: &str = "+44200200";

#[tokio::test]
async fn the_called_side_moves_the_call_to_t38() {
    let (mut a, mut b) = pair();
    (a.caller, a.caller_name) = (Some("+44100100".into()), Some("Office".into()));
    b.numbers = vec!["0044200200".into()];
    a.trace_folder = Some(tempfile::tempdir().unwrap().keep());
    let traces = a.trace_folder.clone().unwrap();
    let (a, b) = (Stage::new(a, WELL).await, Stage::new(b, WELL).await);
    let (ended, steps) = a.call(NUMBER).await;
    assert_eq!((ended.outcome, ended.said.as_str()), (Outcome::Delivered, "pretended, over T.38"));
    assert_eq!(steps, [Step::Dialling, Step::Ringing, Step::Connected]);
    assert_eq!(b.received(1).await[0].outcome, Outcome::Delivered);
    assert_eq!((a.played(), b.played()), (vec!["G.711", "T.38"], vec!["G.711", "T.38"]));
    let ring = b.desk.rang.lock().unwrap()[0].clone();
    assert_eq!((ring.line.as_str(), ring.called.as_deref()), ("b", Some(NUMBER)));
    assert_eq!(ring.caller.as_deref(), Some("+44100100"));
    assert_eq!(ring.caller_name.as_deref(), Some("Office"));
    a.until(|state| *state == LineState::Ready(0)).await;
    sleep(Duration::from_millis(1_300)).await;
    let trace = std::fs::read_dir(&traces).unwrap().next().unwrap().unwrap();
    let trace = std::fs::read_to_string(trace.path()).unwrap();
    for words in ["INVITE sip:+44200200@", "m=image", "over T.38", "BYE sip:"] {
        assert!(trace.contains(words), "{words}: {trace}");
    }
    std::fs::remove_dir_all(traces).unwrap();
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn the_calling_side_moves_it_when_the_called_side_does_not() {
    let (mut a, mut b) = pair();
    (a.offer_t38_after_ms, b.t38) = (Some(100), T38Use::Take);
    let (a, b) = (Stage::new(a, WELL).await, Stage::new(b, WELL).await);
    let (ended, _) = a.call(NUMBER).await;
    assert_eq!(ended.said, "pretended, over T.38");
    assert_eq!((a.played(), b.played()), (vec!["G.711", "T.38"], vec!["G.711", "T.38"]));
}

#[tokio::test]
async fn refused_t38_leaves_the_call_with_g711_and_is_remembered() {
    let (mut a, mut b) = pair();
    let folder = tempfile::tempdir().unwrap();
    (a.offer_t38_after_ms, a.state_folder) = (Some(50), Some(folder.path().to_owned()));
    b.t38 = T38Use::Never;
    let again = a.clone();
    let (a, b) = (Stage::new(a, WELL).await, Stage::new(b, WELL).await);
    let (ended, _) = a.call(NUMBER).await;
    assert_eq!((ended.outcome, ended.said.as_str()), (Outcome::Delivered, "pretended, over G.711"));
    assert_eq!((a.played(), b.played()), (vec!["G.711"], vec!["G.711"]));
    b.received(1).await;
    a.end().await;
    b.end().await;
    // Another process, and now the other side would take it: nobody asks.
    let mut b = options("b", again.server[10..].parse().unwrap(), again.bind.port());
    b.t38 = T38Use::Take;
    let (a, b) = (Stage::new(again, WELL).await, Stage::new(b, WELL).await);
    let (ended, _) = a.call(NUMBER).await;
    assert_eq!(ended.said, "pretended, over G.711");
    // What is known of one destination says nothing of another.
    let (ended, _) = a.call("+44300300").await;
    assert_eq!(ended.said, "pretended, over T.38");
    b.received(2).await;
}

#[tokio::test]
async fn t38_that_stays_silent_goes_back_to_g711_in_the_same_call() {
    let (a, b) = pair();
    let dead = Plan { t38: None, speaks_t38: false, ..WELL };
    let (a, b) = (Stage::new(a, dead).await, Stage::new(b, dead).await);
    let (ended, _) = a.call(NUMBER).await;
    assert_eq!((ended.outcome, ended.said.as_str()), (Outcome::Delivered, "pretended, over G.711"));
    assert_eq!(b.received(1).await[0].outcome, Outcome::Delivered);
    assert_eq!(a.played(), ["G.711", "T.38", "G.711"]);
    assert_eq!(b.played(), ["G.711", "T.38", "G.711"]);
    let (ended, _) = a.call(NUMBER).await;
    assert_eq!(ended.said, "pretended, over G.711");
    assert_eq!(a.played(), ["G.711"], "the next call starts right");
}

#[tokio::test]
async fn a_session_that_fails_over_t38_is_tried_over_g711_in_the_same_call() {
    let (a, b) = pair();
    let fails = Plan { t38: Some((200, Outcome::NoHandshake)), ..WELL };
    let waits = Plan { t38: None, ..WELL };
    let (a, b) = (Stage::new(a, fails).await, Stage::new(b, waits).await);
    let (ended, _) = a.call(NUMBER).await;
    assert_eq!((ended.outcome, ended.said.as_str()), (Outcome::Delivered, "pretended, over G.711"));
    assert_eq!(a.played(), ["G.711", "T.38", "G.711"]);
    assert_eq!(b.received(1).await.len(), 1);
}

#[tokio::test]
async fn where_g711_fails_the_next_call_moves_to_t38_at_once() {
    let (mut a, mut b) = pair();
    (a.offer_t38_after_ms, b.t38) = (None, T38Use::Take);
    let poor = Plan { tone_ms: None, audio: Some((150, Outcome::CannotTrain)), ..WELL };
    let patient = Plan { audio: None, ..WELL };
    let (a, b) = (Stage::new(a, poor).await, Stage::new(b, patient).await);
    let (ended, _) = a.call(NUMBER).await;
    assert_eq!(ended.outcome, Outcome::CannotTrain);
    // The other side hears of it by our hanging up.
    assert_eq!(b.received(1).await[0].outcome, Outcome::NoFaxMachine);
    a.played();
    let (ended, _) = a.call(NUMBER).await;
    assert_eq!(ended.said, "pretended, over T.38");
    assert_eq!(a.played(), ["G.711", "T.38"]);
}

#[tokio::test]
async fn media_that_move_are_followed() {
    let (agent, _calls) = agents::agent().await;
    let (port, never) = (free_port(), Plan { tone_ms: None, audio: None, ..WELL });
    let b = Stage::new(options("b", port, agent.address().port()), never).await;
    let (here, there) =
        (UdpSocket::bind(loopback()).await.unwrap(), UdpSocket::bind(loopback()).await.unwrap());
    let offer = |version, socket: &UdpSocket| {
        let port = socket.local_addr().unwrap().port();
        let local = sdp::Local { id: 1, version, address: loopback().ip(), port };
        sdp::offer_audio(local, Law::Pcma)
    };
    let mut invitation = agents::invitation(([127, 0, 0, 1], port).into(), "44200");
    invitation.offer = offer(1, &here);
    let mut calling = agent.invite(&invitation).unwrap();
    let (leg, _) = agents::next_answer(&mut calling).await.unwrap();
    let mut heard = [0; 99];
    let hears =
        |length: usize, heard: &[u8]| String::from_utf8_lossy(&heard[..length]).into_owned();
    let length = timeout(SOON, here.recv(&mut heard)).await.unwrap().unwrap();
    assert_eq!(hears(length, &heard), "something");
    // Only refreshed; then elsewhere; then in another coding.
    let mu = offer(4, &there).replace("AVP 8 0", "AVP 0");
    for (offer, moved) in
        [(offer(2, &here), None), (offer(3, &there), Some("moved")), (mu, Some("moved, mu-law"))]
    {
        b.played();
        timeout(SOON, leg.offer(offer)).await.unwrap().unwrap();
        if moved.is_some() {
            let length = timeout(SOON, there.recv(&mut heard)).await.unwrap().unwrap();
            assert_eq!(hears(length, &heard), "moved");
        }
        assert_eq!(b.played(), moved.into_iter().collect::<Vec<_>>());
    }
    leg.hang_up(None);
    b.received(1).await;
}

#[tokio::test]
async fn refusals_have_their_outcomes() {
    let (a, mut b) = pair();
    b.channels = 1;
    b.numbers = vec![NUMBER.into()];
    let a = Stage::new(a, WELL).await;
    let b = Stage::new(b, WELL).await;
    let (ended, steps) = a.call("+44999999").await;
    assert_eq!(ended.outcome, Outcome::NotInService, "{}", ended.said);
    assert_eq!(ended.said, "SIP 404 Not Found (Q.850 cause 1)");
    assert_eq!(steps, [Step::Dialling]);
    let first = async { a.call(NUMBER).await.0.outcome };
    let second = async {
        sleep(Duration::from_millis(200)).await;
        a.call(NUMBER).await.0.outcome
    };
    assert_eq!(tokio::join!(first, second), (Outcome::Delivered, Outcome::Busy));
    b.until(|state| *state == LineState::Ready(0)).await;
    // A line that only sends, and one that is switched off.
    b.trunk.configure(LineSettings { rings: 0, ..LineSettings::new() });
    assert_eq!(a.call(NUMBER).await.0.outcome, Outcome::NoAnswer);
    b.trunk.configure(LineSettings { on: false, ..LineSettings::new() });
    b.until(|state| *state == LineState::Off).await;
    assert_eq!(b.call(NUMBER).await.0.outcome, Outcome::NoDialTone);
    b.trunk.configure(LineSettings::new());
    b.until(|state| matches!(state, LineState::Ready(_))).await;
    assert_eq!(a.call(NUMBER).await.0.outcome, Outcome::Delivered);
    a.trunk.configure(LineSettings { max_calls: Some(0), ..LineSettings::new() });
    assert_eq!(a.call(NUMBER).await.0.outcome, Outcome::LinesBusy);
}

#[tokio::test]
async fn ringing_has_an_end() {
    let (mut a, b) = pair();
    a.ring_limit_s = 1;
    let slow = TestDesk { waits: Duration::from_secs(60), ..desk() };
    let a = Stage::new(a, WELL).await;
    let b = Stage::with_desk(b, WELL, slow).await;
    let (ended, _) = a.call(NUMBER).await;
    assert_eq!((ended.outcome, ended.said.as_str()), (Outcome::NoAnswer, "it rang too long"));
    // The other side has heard of it.
    b.until(|state| *state == LineState::Ready(0)).await;
    let (stop, stopped) = watch::channel(false);
    let call = a.call_until(NUMBER, stopped);
    let cancel = async {
        sleep(Duration::from_millis(150)).await;
        stop.send_replace(true);
    };
    let ((ended, steps), ()) = tokio::join!(call, cancel);
    assert_eq!(ended.outcome, Outcome::Cancelled);
    assert_eq!(steps, [Step::Dialling, Step::Ringing]);
    b.until(|state| *state == LineState::Ready(0)).await;
    assert!(b.desk.received.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_call_is_cancelled_in_the_middle() {
    let (a, b) = pair();
    let long = Plan { audio: None, t38: None, ..WELL };
    let (a, b) = (Stage::new(a, long).await, Stage::new(b, long).await);
    let (stop, stopped) = watch::channel(false);
    let call = a.call_until(NUMBER, stopped);
    let cancel = async {
        sleep(Duration::from_millis(400)).await;
        stop.send_replace(true);
    };
    let ((ended, steps), ()) = tokio::join!(call, cancel);
    assert_eq!((ended.outcome, steps.last()), (Outcome::Cancelled, Some(&Step::Connected)));
    assert_eq!(b.received(1).await[0].outcome, Outcome::NoFaxMachine);
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn strangers_get_no_answer() {
    let (mut a, mut b) = pair();
    a.ring_limit_s = 1;
    b.server = "192.0.2.1".into();
    let (a, b) = (Stage::new(a, WELL).await, Stage::new(b, WELL).await);
    let (ended, _) = a.call(NUMBER).await;
    assert_eq!(ended.outcome, Outcome::NoDialTone, "{}", ended.said);
    assert!(b.desk.rang.lock().unwrap().is_empty());
    assert_eq!(b.trunk.inner_busy(), 0);
}

impl Trunk {
    fn inner_busy(&self) -> usize {
        self.busy().load(Ordering::Acquire)
    }
}
