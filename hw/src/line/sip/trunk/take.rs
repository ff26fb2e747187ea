//! Takes a call that came in over a trunk.

use std::{net::UdpSocket, sync::Arc, time::Duration};

use postfax_domain::outcome::Outcome;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    Inner, Running,
    place::{finish_trace, first, taste},
};
use crate::{
    line::{
        Desk, Ended, Ring,
        sip::{
            agent::Incoming,
            call::{Answered, Side, converse},
            leg::{Event, Leg},
            memory::Known,
            numbers,
            options::T38Use,
            sdp::{self, Agreed, Choice, Local, Taste},
        },
    },
    t30::Session,
};

/// How long an acknowledgement is waited for that brings the other side's description.
const ACK_LIMIT: Duration = Duration::from_secs(10);

/// A status and a cause of Q.850.
type Refusal = (u16, Option<u8>);

const NOT_OURS: Refusal = (404, Some(1));
const ALL_BUSY: Refusal = (486, Some(17));
const NOT_NOW: Refusal = (480, Some(31));
const NO_MEDIA: Refusal = (488, Some(88));
const NO_PORT: Refusal = (503, Some(41));

pub(super) async fn take(
    inner: Arc<Inner>,
    running: Running,
    desk: Arc<dyn Desk>,
    mut incoming: Incoming,
    stop: watch::Receiver<bool>,
) {
    let call_id = incoming.call_id();
    let refusal = answer(&inner, &running, &desk, &mut incoming, &stop).await;
    match refusal {
        Ok((taken, channel)) => {
            let (ring, session, ended) = talk(&running, incoming, taken).await;
            // Kept before the channel is free again: whoever stops the line waits for it.
            desk.received(&ring, &session, ended).await;
            drop(channel);
        }
        Err((status, q850)) => incoming.refuse(status, q850),
    }
    finish_trace(&running.terms, call_id);
}

/// A call that is to be answered.
struct Taken {
    ring: Ring,
    session: Session,
    local: Local,
    socket: UdpSocket,
    /// What was chosen of the other side's offer; `None`: we offer.
    choice: Option<(sdp::Description, Choice)>,
}

async fn answer(
    inner: &Arc<Inner>,
    running: &Running,
    desk: &Arc<dyn Desk>,
    incoming: &mut Incoming,
    stop: &watch::Receiver<bool>,
) -> Result<(Taken, super::Channel), Refusal> {
    let options = &inner.options;
    let called = numbers::called(incoming.request(), options.called_from);
    let is_ours = |number: &String| options.numbers.iter().any(|own| numbers::same(own, number));
    if !options.numbers.is_empty() && !called.as_ref().is_some_and(is_ours) {
        return Err(NOT_OURS);
    }
    if *stop.borrow() || inner.settings.borrow().rings == 0 {
        return Err(NOT_NOW);
    }
    let channel = inner.channel().ok_or(ALL_BUSY)?;
    let (caller, caller_name) = numbers::caller(incoming.request());
    let line = options.name.clone();
    let ring = Ring { line, called, caller, caller_name, cadence: None };
    let choice = choose(running, &ring, incoming.offer())?;
    let (local, socket) = first(&running.terms).map_err(|_| NO_PORT)?;
    incoming.ring();
    let limit = Duration::from_secs(options.ring_limit_s);
    let session = tokio::select! {
        session = desk.rings(&ring) => session.ok_or(NOT_NOW)?,
        () = incoming.given_up() => return Err(NOT_NOW),
        () = sleep(limit) => return Err(NOT_NOW),
    };
    Ok((Taken { ring, session, local, socket, choice }, channel))
}

fn choose(
    running: &Running,
    ring: &Ring,
    offer: &[u8],
) -> Result<Option<(sdp::Description, Choice)>, Refusal> {
    if offer.is_empty() {
        return Ok(None);
    }
    let terms = &running.terms;
    let number = ring.caller.as_deref().unwrap_or_default();
    let known = terms.memory.recall(number, crate::line::sip::call::now_s());
    // Audio first: T.38 from the first second on is only for those who offer nothing else.
    let t38 = terms.options.t38 != T38Use::Never && known != Some(Known::T38Fails);
    let read = sdp::parse(offer).map_err(|_| NO_MEDIA)?;
    let choice = read.choose(Taste { t38, ..taste(terms) }).ok_or(NO_MEDIA)?;
    Ok(Some((read, choice)))
}

/// Answers and plays the session.
async fn talk(running: &Running, incoming: Incoming, taken: Taken) -> (Ring, Session, Ended) {
    let terms = &running.terms;
    let Taken { ring, session, local, socket, choice } = taken;
    let description = match &choice {
        Some((offer, choice)) => sdp::answer(local, offer, choice),
        None => sdp::offer_audio(local, terms.options.law),
    };
    let Some(mut leg) = incoming.answer(description) else {
        let failed = Ended::failed(Outcome::Disconnected, "the caller gave up");
        return (ring, session, failed);
    };
    let agreed = match choice {
        Some((_, choice)) => choice.remote.map(|remote| (choice.agreed, remote)),
        None => acknowledged(running, &mut leg).await,
    };
    let Some((agreed, remote)) = agreed else {
        leg.hang_up(Some(88));
        let failed = Ended::failed(Outcome::Disconnected, "no media were agreed on");
        return (ring, session, failed);
    };
    let answered = Answered {
        leg,
        side: Side::Taken,
        number: ring.caller.clone().unwrap_or_default(),
        session: session.clone(),
        limit: Duration::from_secs(terms.options.call_limit_s),
        local,
        agreed,
        remote,
        socket,
        steps: None,
        // A call that goes on is not cut off when the line stops.
        stop: watch::channel(false).1,
    };
    let ended = converse(terms, answered).await;
    (ring, session, ended)
}

/// The other side's description came with its acknowledgement (RFC 3261 13.2.1).
async fn acknowledged(running: &Running, leg: &mut Leg) -> Option<(Agreed, std::net::SocketAddr)> {
    let body = timeout(ACK_LIMIT, async {
        loop {
            match leg.next().await {
                Event::Acknowledged(body) => return Some(body),
                Event::Ended(_) => return None,
                Event::Offer(offer) => offer.refuse(491).await,
            }
        }
    });
    let body = body.await.ok()??;
    let choice = sdp::parse(&body).ok()?.choose(taste(&running.terms))?;
    Some((choice.agreed, choice.remote?))
}
