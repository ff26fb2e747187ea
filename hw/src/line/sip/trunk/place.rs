//! Places a call over a trunk.

use std::{net::UdpSocket, sync::Arc, time::Duration};

use postfax_domain::{outcome::Outcome, redacted::Redacted};
use tokio::time::{Instant, sleep_until};

use super::{Inner, Running, Terms};
use crate::line::{
    Ended, LineState, Order, Step,
    sip::{
        agent::{Invitation, Login},
        call::{Answered, Side, converse},
        causes::Cause,
        leg::{Leg, Progress},
        random,
        sdp::{self, Local, Taste},
    },
};

/// A call that is cancelled ends within this time, whatever the trunk says.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// Why ringing ended without an answer.
enum Unanswered {
    Failed(Cause),
    Cancelled,
    RangTooLong,
}

pub(super) async fn place(inner: &Arc<Inner>, order: Order) -> Ended {
    if let LineState::Off = inner.state() {
        return Ended::failed(Outcome::NoDialTone, "the line is switched off");
    }
    let Some(running) = inner.running() else {
        return Ended::failed(Outcome::NoDialTone, "the trunk is not set up");
    };
    // Without a registration the trunk would refuse; without an answer to a question
    // it may still take calls.
    if let (LineState::Failed(why), false) = (inner.state(), inner.options.registrations.is_empty())
    {
        return Ended::failed(Outcome::NoDialTone, why);
    }
    let Some(_channel) = inner.channel() else {
        return Ended::failed(Outcome::LinesBusy, "all channels of the trunk are in use");
    };
    match dial(inner, &running, &order).await {
        Ok((leg, answer, local, socket)) => {
            talk(&running, order, leg, &answer, local, socket).await
        }
        Err(ended) => ended,
    }
}

/// The new session's first description.
pub(super) fn first(terms: &Terms) -> std::io::Result<(Local, UdpSocket)> {
    let socket = terms.ports.open()?;
    let port = socket.local_addr()?.port();
    let id = u64::from(random());
    Ok((Local { id, version: 1, address: terms.address, port }, socket))
}

pub(super) fn taste(terms: &Terms) -> Taste {
    let options = &terms.options;
    Taste {
        t38: false,
        audio: true,
        t38_first: false,
        law: options.law,
        max_bit_rate: options.t38_max_bit_rate,
    }
}

fn invitation(inner: &Inner, order: &Order, offer: String) -> Invitation {
    let options = &inner.options;
    let (domain, number) = (inner.domain(), options.dial.dial(&order.number, "+"));
    let registered = options.registrations.first();
    let user = registered.map(|one| one.user.as_str()).or(options.caller.as_deref());
    let identity = options.caller.as_ref().filter(|_| registered.is_some());
    let parameters = options.dial_parameters.iter().map(|more| format!(";{more}"));
    Invitation {
        to: format!("sip:{number}@{domain}{}", parameters.collect::<String>()),
        from: format!("sip:{}@{domain}", user.unwrap_or("anonymous")),
        display: options.caller_name.clone(),
        via: Some(inner.server()),
        login: registered.map(|one| Login {
            user: one.auth_user.clone().unwrap_or_else(|| one.user.clone()),
            password: one.password.clone(),
        }),
        // RFC 3325 9.2: the trunk may show this number in place of the account.
        fields: identity
            .map(|caller| ("P-Preferred-Identity".to_owned(), format!("<sip:{caller}@{domain}>")))
            .into_iter()
            .collect(),
        offer,
    }
}

/// Calls and waits for the answer.
async fn dial(
    inner: &Inner,
    running: &Running,
    order: &Order,
) -> Result<(Leg, Vec<u8>, Local, UdpSocket), Ended> {
    let fault = |why: String| Ended::failed(Outcome::ServerFault, why);
    let (local, socket) =
        first(&running.terms).map_err(|error| fault(format!("no port for media: {error}")))?;
    let offer = sdp::offer_audio(local, inner.options.law);
    tracing::debug!(number = %Redacted(&order.number), "SIP call placed");
    let calling = running.agent.invite(&invitation(inner, order, offer));
    let mut calling =
        calling.map_err(|error| Ended::failed(Outcome::ServerMisconfigured, error.to_string()))?;
    let _ = order.steps.send(Step::Dialling).await;
    let call_id = calling.call_id();
    let limit = Instant::now() + Duration::from_secs(inner.options.ring_limit_s);
    let (mut end_by, mut stop) = (limit, order.stop.clone());
    let mut given_up = None;
    let why = loop {
        let progress = tokio::select! {
            biased;
            progress = calling.next() => progress,
            Ok(_) = stop.wait_for(|stop| *stop), if given_up.is_none() => {
                given_up = Some(Unanswered::Cancelled);
                calling.cancel();
                end_by = Instant::now() + CANCEL_LIMIT;
                continue;
            }
            () = sleep_until(end_by) => match given_up {
                Some(why) => break why,
                None => {
                    given_up = Some(Unanswered::RangTooLong);
                    calling.cancel();
                    end_by = Instant::now() + CANCEL_LIMIT;
                    continue;
                }
            },
        };
        match progress {
            Progress::Trying => {}
            Progress::Ringing => {
                let _ = order.steps.send(Step::Ringing).await;
            }
            Progress::Answered(leg, body) => match given_up {
                None => return Ok((leg, body, local, socket)),
                // An answer that came too late is hung up again as it is dropped.
                Some(why) => break why,
            },
            Progress::Failed(cause) => break given_up.unwrap_or(Unanswered::Failed(cause)),
        }
    };
    let heard = calling.heard();
    drop(calling);
    finish_trace(&running.terms, call_id);
    Err(match why {
        Unanswered::Failed(cause) => Ended::failed(cause.outcome(), cause.said()),
        Unanswered::Cancelled => Ended::failed(Outcome::Cancelled, "cancelled while it rang"),
        Unanswered::RangTooLong if !heard => {
            Ended::failed(Outcome::NoDialTone, "the trunk does not answer")
        }
        Unanswered::RangTooLong => Ended::failed(Outcome::NoAnswer, "it rang too long"),
    })
}

/// Plays the session.
async fn talk(
    running: &Running,
    order: Order,
    leg: Leg,
    answer: &[u8],
    local: Local,
    socket: UdpSocket,
) -> Ended {
    let terms = &running.terms;
    let _ = order.steps.send(Step::Connected).await;
    let call_id = leg.call_id();
    let choice = sdp::parse(answer).ok().and_then(|read| read.choose(taste(terms)));
    let ended = match choice.and_then(|choice| Some((choice.agreed, choice.remote?))) {
        Some((agreed, remote)) => {
            let answered = Answered {
                leg,
                side: Side::Placed,
                number: order.number.to_string(),
                session: order.session,
                limit: order.limit,
                local,
                agreed,
                remote,
                socket,
                steps: Some(order.steps),
                stop: order.stop,
            };
            converse(terms, answered).await
        }
        None => {
            // Q.850 88: incompatible.
            leg.hang_up(Some(88));
            Ended::failed(Outcome::ServerMisconfigured, "the answer names no media that we know")
        }
    };
    finish_trace(terms, call_id);
    ended
}

/// Writes the trace of a call that is over, once its last messages have passed.
pub(super) fn finish_trace(terms: &Terms, call_id: String) {
    if let Some(traces) = terms.traces.clone() {
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let written = tokio::task::spawn_blocking(move || traces.finish(&call_id)).await;
            if let Ok(Err(error)) = written {
                tracing::warn!(%error, "the trace of a call cannot be written");
            }
        });
    }
}
