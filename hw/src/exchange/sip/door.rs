//! The thread that speaks SIP for the exchange: one task for each call, which knows the
//! dialogue and the media that were agreed on, and nothing of the other side.

use std::{
    future::Future,
    io,
    net::{SocketAddr, UdpSocket},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc as std_mpsc,
    },
    time::Duration,
};

use postfax_domain::outcome::Outcome;
use rsipstack::sip::HeadersExt as _;
use tokio::sync::mpsc;

use super::{Order, Ring, Side, SipFax, SipOptions, Told};
use crate::{
    exchange::engine::{Command, Desk},
    line::{
        media::{AudioPlan, Flow, Kind, Law, T38Plan},
        sip::{
            Agent, AgentOptions, Calling, Cause, Event, Incoming, Invitation, Leg, Offer, Progress,
            sdp::{self, Agreed, Choice, Local, T38, Taste},
        },
    },
};

/// How long after the answer the exchange offers T.38, where it does.
const OFFER_AFTER: Duration = Duration::from_millis(1500);
/// Bit/s of pages over T.38.
const BIT_RATE: u32 = 14_400;
/// The most that we send in a datagram where the other side does not say.
const MAX_DATAGRAM: u32 = 400;

/// What every call needs.
struct Office {
    agent: Arc<Agent>,
    desk: Desk,
    ids: Arc<AtomicU64>,
    options: SipOptions,
}

/// Opens the door, and gives its address and where calls for numbers beyond it are handed in.
/// It closes when nobody can hand in any more.
pub(in crate::exchange) fn open(
    options: SipOptions,
    desk: Desk,
    ids: Arc<AtomicU64>,
) -> io::Result<(SocketAddr, mpsc::UnboundedSender<Ring>)> {
    let (ready, opened) = std_mpsc::sync_channel(1);
    let (rings, waiting) = mpsc::unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("exchange-sip".into()).spawn(move || {
        runtime.block_on(async move {
            let started =
                Agent::start(AgentOptions::new(options.bind, options.allowed.clone())).await;
            match started {
                Ok((agent, calls)) => {
                    let office = Arc::new(Office { agent, desk, ids, options });
                    // Whoever opened it waits.
                    ready.send(Ok(office.agent.address())).ok();
                    serve(office, calls, waiting).await;
                }
                Err(error) => drop(ready.send(Err(io::Error::other(error)))),
            }
        });
    })?;
    let address = opened.recv().map_err(|_| io::Error::other("the SIP thread ended"))??;
    Ok((address, rings))
}

async fn serve(
    office: Arc<Office>,
    mut calls: mpsc::Receiver<Incoming>,
    mut rings: mpsc::UnboundedReceiver<Ring>,
) {
    loop {
        tokio::select! {
            ring = rings.recv() => match ring {
                Some(ring) => drop(tokio::spawn(Arc::clone(&office).place(ring))),
                None => return office.agent.close(),
            },
            Some(call) = calls.recv() => drop(tokio::spawn(Arc::clone(&office).take(call))),
        }
    }
}

/// A call of ours in SIP, once it stands.
struct Standing {
    id: u64,
    side: Side,
    leg: Leg,
    told: mpsc::UnboundedReceiver<Told>,
    local: Local,
    t38: bool,
}

type Answer = Pin<Box<dyn Future<Output = Result<Vec<u8>, Cause>> + Send>>;

impl Office {
    fn order(&self, id: u64, order: Order) {
        // An exchange that has stopped takes its calls with it.
        self.desk.send(Command::Sip(id, order)).ok();
    }

    fn taste(&self) -> Taste {
        Taste {
            t38: self.options.fax != SipFax::AudioOnly,
            audio: true,
            t38_first: true,
            law: match self.options.law {
                Law::Pcma => sdp::Law::Pcma,
                Law::Pcmu => sdp::Law::Pcmu,
            },
            max_bit_rate: BIT_RATE,
        }
    }

    /// A socket for media, and how it is described.
    fn socket(&self, id: u64, version: u64) -> io::Result<(UdpSocket, Local)> {
        let address = self.agent.address().ip();
        let socket = UdpSocket::bind((address, 0))?;
        let port = socket.local_addr()?.port();
        Ok((socket, Local { id, version, address, port }))
    }

    /// Someone invites one of our numbers.
    async fn take(self: Arc<Self>, mut call: Incoming) {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let request = call.request();
        let Some(to) = request.uri.user().map(ToOwned::to_owned) else {
            return call.refuse(404, None);
        };
        let from = request.from_header().ok().and_then(|from| from.uri().ok());
        let from = from.and_then(|uri| uri.user().map(ToOwned::to_owned)).unwrap_or_default();
        let Ok(offer) = sdp::parse(call.offer()) else { return call.refuse(400, None) };
        let Some(choice) = offer.choose(self.taste()) else { return call.refuse(488, None) };
        let (Ok((socket, local)), Some(remote)) = (self.socket(id, 1), choice.remote) else {
            return call.refuse(503, None);
        };
        let flow = Flow { socket, remote, kind: kind(choice.agreed) };
        let (tell, mut told) = mpsc::unbounded_channel();
        self.order(id, Order::Calls { from, to, flow, tell });
        loop {
            tokio::select! {
                told = told.recv() => match told {
                    Some(Told::Ringing) => call.ring(),
                    Some(Told::Answered) => break,
                    Some(Told::Failed(outcome)) => return call.refuse(status(outcome), None),
                    Some(Told::Over) | None => return call.refuse(480, None),
                },
                () = call.given_up() => return self.order(id, Order::Left(Side::Caller)),
            }
        }
        match call.answer(sdp::answer(local, &offer, &choice)) {
            Some(leg) => {
                let t38 = choice.agreed.is_t38();
                self.follow(Standing { id, side: Side::Caller, leg, told, local, t38 }).await;
            }
            None => self.order(id, Order::Left(Side::Caller)),
        }
    }

    /// Someone calls a number that is beyond us.
    async fn place(self: Arc<Self>, ring: Ring) {
        let Ring { id, from, to, target, mut told } = ring;
        let begun = self.socket(id, 1).ok().and_then(|(socket, local)| {
            let calling = self.agent.invite(&Invitation {
                to: format!("sip:{to}@{target}"),
                from: format!("sip:{from}@{}", self.agent.address()),
                display: None,
                via: Some(target),
                login: None,
                fields: Vec::new(),
                offer: sdp::offer_audio(local, self.taste().law),
            });
            Some((socket, local, calling.ok()?))
        });
        let Some((socket, local, mut calling)) = begun else {
            return self.order(id, Order::Failed(Outcome::Congestion));
        };
        let Some((leg, body)) = self.answered(id, &mut calling, &mut told).await else { return };
        let choice = sdp::parse(&body).ok().and_then(|answer| answer.choose(self.taste()));
        let flow = choice.and_then(|choice| {
            Some(Flow { socket, remote: choice.remote?, kind: kind(choice.agreed) })
        });
        let Some(flow) = flow else {
            leg.hang_up(None);
            return self.order(id, Order::Failed(Outcome::ProtocolError));
        };
        self.order(id, Order::Answered(flow));
        self.follow(Standing { id, side: Side::Called, leg, told, local, t38: false }).await;
    }

    /// Waits for the answer. `None`: there is none, and the switch knows.
    async fn answered(
        &self,
        id: u64,
        calling: &mut Calling,
        told: &mut mpsc::UnboundedReceiver<Told>,
    ) -> Option<(Leg, Vec<u8>)> {
        loop {
            tokio::select! {
                progress = calling.next() => match progress {
                    Progress::Trying | Progress::Ringing => {}
                    Progress::Answered(leg, body) => return Some((leg, body)),
                    Progress::Failed(cause) => {
                        self.order(id, Order::Failed(cause.outcome()));
                        return None;
                    }
                },
                told = told.recv() => if matches!(told, Some(Told::Over) | None) {
                    calling.cancel();
                    return None;
                },
            }
        }
    }

    /// A call stands, until one side ends it.
    async fn follow(&self, mut call: Standing) {
        let offers = self.options.fax == SipFax::OffersT38 && !call.t38;
        let offer_at = tokio::time::sleep(OFFER_AFTER);
        tokio::pin!(offer_at);
        let (mut waits, mut offered) = (offers, None::<(UdpSocket, Answer)>);
        loop {
            let answer = async {
                match &mut offered {
                    Some((_, answer)) => answer.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = call.leg.next() => match event {
                    Event::Acknowledged(_) => {}
                    Event::Offer(offer) => {
                        waits = false;
                        self.agree(&mut call, offer).await;
                    }
                    Event::Ended(_) => return self.order(call.id, Order::Left(call.side)),
                },
                told = call.told.recv() => if matches!(told, Some(Told::Over) | None) {
                    return call.leg.hang_up(None);
                },
                answer = answer => {
                    let socket = offered.take().map(|(socket, _)| socket);
                    if let (Some(socket), Ok(body)) = (socket, answer) {
                        self.changed(&call, socket, &body);
                    }
                }
                () = &mut offer_at, if waits => {
                    waits = false;
                    offered = self.offer(&mut call);
                }
            }
        }
    }

    /// Offers T.38.
    fn offer(&self, call: &mut Standing) -> Option<(UdpSocket, Answer)> {
        let (socket, local) = self.socket(call.id, call.local.version + 1).ok()?;
        call.local = local;
        let answer = call.leg.offer(sdp::offer_t38(local, &T38::ours(BIT_RATE)));
        Some((socket, Box::pin(answer)))
    }

    /// Our offer was taken, perhaps.
    fn changed(&self, call: &Standing, socket: UdpSocket, answer: &[u8]) {
        let choice = sdp::parse(answer).ok().and_then(|answer| answer.choose(self.taste()));
        if let Some(Choice { remote: Some(remote), agreed, .. }) = choice {
            let flow = Flow { socket, remote, kind: kind(agreed) };
            self.order(call.id, Order::Media(call.side, flow));
        }
    }

    /// The other side offers something else.
    async fn agree(&self, call: &mut Standing, offer: Offer) {
        let Ok(description) = sdp::parse(offer.description()) else {
            return offer.refuse(400).await;
        };
        let choice = description.choose(self.taste());
        let Some((choice, remote)) = choice.and_then(|choice| Some((choice, choice.remote?)))
        else {
            return offer.refuse(488).await;
        };
        let Ok((socket, local)) = self.socket(call.id, call.local.version + 1) else {
            return offer.refuse(503).await;
        };
        call.local = local;
        let flow = Flow { socket, remote, kind: kind(choice.agreed) };
        self.order(call.id, Order::Media(call.side, flow));
        offer.accept(sdp::answer(local, &description, &choice)).await;
    }
}

/// What was agreed on, as the media know it.
pub(super) fn kind(agreed: Agreed) -> Kind {
    match agreed {
        Agreed::Audio { coding, ptime_ms } => Kind::Audio(AudioPlan {
            law: match coding.law {
                sdp::Law::Pcma => Law::Pcma,
                sdp::Law::Pcmu => Law::Pcmu,
            },
            payload_type: coding.payload_type,
            ptime_ms: u8::try_from(ptime_ms).unwrap_or(20),
        }),
        Agreed::T38(t38) => Kind::T38(T38Plan {
            version: t38.version,
            max_bit_rate: t38.max_bit_rate,
            max_datagram: u16::try_from(t38.max_datagram.unwrap_or(MAX_DATAGRAM))
                .unwrap_or(u16::MAX),
            fill_bit_removal: t38.fill_bit_removal,
            ..T38Plan::default()
        }),
    }
}

/// The status of SIP for what became of a call (RFC 3398 8.2.6.1).
fn status(outcome: Outcome) -> u16 {
    match outcome {
        Outcome::Busy => 486,
        Outcome::NoAnswer => 480,
        Outcome::NotInService => 404,
        _ => 503,
    }
}
