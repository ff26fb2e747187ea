//! SIP calls the exchange's machines, and they call SIP, in real time: over G.711, over
//! T.38 that either side offers, and what is refused.

use std::{
    net::{Ipv4Addr, UdpSocket},
    path::PathBuf,
    sync::Arc,
};

use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle};

use super::{super::*, door::kind, *};
use crate::{
    line::{
        Ended,
        media::{self, Player},
        sip::{
            Agent, AgentOptions, Cause, Event as Said, Incoming, Invitation, Leg, Progress,
            sdp::{self, Local, T38, Taste},
        },
    },
    pages::{
        self,
        bitmap::{Bitmap, Size},
        tiff::{self, CodedPage, Density, FillOrder},
    },
    t30::{Carrier, Session, Station},
};

const LIMIT: Duration = Duration::from_secs(180);
const MACHINE: &str = "+15551000002";

/// An exchange in SIP, and a fax in a file.
struct World {
    exchange: Exchange,
    address: SocketAddr,
    folder: TempDir,
    sent: PathBuf,
}

impl World {
    fn new(fax: SipFax) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let exchange = Exchange::start(Options::new(&folder.path().join("faxes"))).unwrap();
        let address = exchange.sip(SipOptions { fax, ..SipOptions::default() }).unwrap();
        let mut page = Bitmap::white(Size::new(1728, 120).unwrap());
        (0..100).for_each(|y| page.blacken(y, 200 + y * 3, 260 + y * 5));
        let page = CodedPage::mmr(&page, Density { x: 204.0, y: 98.0 });
        let sent = folder.path().join("sent.tif");
        std::fs::write(&sent, tiff::write(&[page], FillOrder::HighestFirst)).unwrap();
        Self { exchange, address, folder, sent }
    }

    fn assert_equal(&self, received: &Path) {
        assert!(pages::same_pixels(&self.sent, received).unwrap());
    }
}

/// Someone in SIP with a fax machine.
struct Phone {
    agent: Arc<Agent>,
    calls: mpsc::Receiver<Incoming>,
    /// Offers T.38 when it hears a fax machine.
    offers: bool,
}

/// T.38 that was offered: where it would come, and the answer.
type Offered = (UdpSocket, JoinHandle<Result<Vec<u8>, Cause>>);

const TASTE: Taste =
    Taste { t38: true, audio: true, t38_first: true, law: sdp::Law::Pcma, max_bit_rate: 14_400 };

fn socket(version: u64) -> (UdpSocket, Local) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, Local { id: 1, version, address: Ipv4Addr::LOCALHOST.into(), port })
}

fn agreed(socket: UdpSocket, description: &[u8]) -> media::Flow {
    let choice = sdp::parse(description).unwrap().choose(TASTE).unwrap();
    media::Flow { socket, remote: choice.remote.unwrap(), kind: kind(choice.agreed) }
}

impl Phone {
    async fn new(offers: bool) -> Self {
        let bind = (Ipv4Addr::LOCALHOST, 0).into();
        let (agent, calls) = Agent::start(AgentOptions::new(bind, Allowed::Anyone)).await.unwrap();
        Self { agent, calls, offers }
    }

    async fn call(&self, world: &World, number: &str) -> Result<Ended, Cause> {
        let (socket, local) = socket(1);
        let mut calling = self
            .agent
            .invite(&Invitation {
                to: format!("sip:{number}@{}", world.address),
                from: format!("sip:+15553000001@{}", self.agent.address()),
                display: None,
                via: None,
                login: None,
                fields: Vec::new(),
                offer: sdp::offer_audio(local, sdp::Law::Pcma),
            })
            .unwrap();
        let mut rang = false;
        loop {
            match calling.next().await {
                Progress::Trying => {}
                Progress::Ringing => rang = true,
                Progress::Failed(cause) => return Err(cause),
                Progress::Answered(leg, body) => {
                    assert!(rang);
                    let session = Session::sending(Station::new("IN SIP"), world.sent.clone());
                    return Ok(self.talk(leg, session, agreed(socket, &body)).await);
                }
            }
        }
    }

    async fn answer(&mut self, file: PathBuf) -> Ended {
        let call = self.calls.recv().await.unwrap();
        assert_eq!(call.request().uri.user(), Some("+15553000001"));
        call.ring();
        let (socket, local) = socket(1);
        let offer = sdp::parse(call.offer()).unwrap();
        let choice = offer.choose(TASTE).unwrap();
        let flow = agreed(socket, call.offer());
        let leg = call.answer(sdp::answer(local, &offer, &choice)).unwrap();
        self.talk(leg, Session::receiving(Station::new("IN SIP"), file), flow).await
    }

    async fn talk(&self, mut leg: Leg, session: Session, flow: media::Flow) -> Ended {
        let (tell, mut told) = mpsc::channel(64);
        let player = Player::start(session, flow, LIMIT, tell).unwrap();
        let mut offered: Option<Offered> = None;
        let mut gone = false;
        loop {
            let answer = async {
                match &mut offered {
                    Some((_, answer)) => answer.await.unwrap(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                said = leg.next(), if !gone => match said {
                    Said::Acknowledged(_) => {}
                    Said::Offer(offer) => {
                        let (socket, local) = socket(2);
                        let description = sdp::parse(offer.description()).unwrap();
                        let choice = description.choose(TASTE).unwrap();
                        player.change(agreed(socket, offer.description()));
                        offer.accept(sdp::answer(local, &description, &choice)).await;
                    }
                    Said::Ended(_) => gone = true,
                },
                answer = answer => {
                    let (socket, _) = offered.take().unwrap();
                    if let Ok(body) = answer {
                        player.change(agreed(socket, &body));
                    }
                }
                happening = told.recv() => match happening.unwrap() {
                    media::Happening::FaxTone if self.offers => {
                        let (socket, local) = socket(2);
                        let offer = leg.offer(sdp::offer_t38(local, &T38::ours(14_400)));
                        offered = Some((socket, tokio::spawn(offer)));
                    }
                    media::Happening::Ended(ended) => {
                        leg.hang_up(None);
                        return ended;
                    }
                    _ => {}
                },
            }
        }
    }
}

/// A call into the exchange, in which the phone and the exchange may offer T.38.
async fn in_call(fax: SipFax, phone_offers: bool, carrier: Carrier) {
    let world = World::new(fax);
    let mut machine = world.exchange.machine(MACHINE, 1, MACHINE).unwrap();
    let phone = Phone::new(phone_offers).await;
    let ended = phone.call(&world, MACHINE).await.unwrap();
    let what = format!("{fax:?} {phone_offers} {ended:?}");
    assert_eq!((ended.outcome, ended.pages), (Outcome::Delivered, 1), "{what}");
    assert_eq!(ended.statistics.carrier, Some(carrier), "{what}");
    let received = machine.received().await.unwrap();
    assert!(received.complete, "{what}");
    assert_eq!((received.caller.as_str(), received.called.as_str()), ("+15553000001", MACHINE));
    world.assert_equal(&received.tiff);
}

/// A call out of the exchange.
async fn out_call() {
    let world = World::new(SipFax::TakesT38);
    let machine = world.exchange.machine(MACHINE, 1, MACHINE).unwrap();
    let mut phone = Phone::new(true).await;
    let target = phone.agent.address().to_string();
    world.exchange.sip_number("+15553000001", 2, &target).unwrap();
    let file = world.folder.path().join("received.tif");
    let call = machine.call(Sending {
        number: "+15553000001",
        tiff: &world.sent,
        subaddress: None,
        ecm: true,
        progress: None,
    });
    let ended = phone.answer(file.clone()).await;
    assert_eq!((ended.outcome, ended.pages), (Outcome::Delivered, 1), "{ended:?}");
    assert_eq!(ended.statistics.carrier, Some(Carrier::T38));
    let sent = call.result().await;
    assert_eq!((sent.outcome, sent.pages_confirmed), (Outcome::Delivered, 1), "{sent:?}");
    world.assert_equal(&file);
}

async fn refused_calls() {
    let world = World::new(SipFax::TakesT38);
    world.exchange.number("5001", Behaviour::Busy).unwrap();
    let phone = Phone::new(false).await;
    for (number, status, outcome) in
        [("5001", 486, Outcome::Busy), ("5999", 503, Outcome::Congestion)]
    {
        let cause = phone.call(&world, number).await.unwrap_err();
        assert_eq!((cause.status, cause.outcome()), (status, outcome), "{cause:?}");
    }
    assert!(world.exchange.calls().unwrap().is_empty());
    let no_sip = Exchange::start(Options::new(world.folder.path())).unwrap();
    let refused = no_sip.sip_number("5555", 1, "127.0.0.1:5060");
    assert!(matches!(refused, Err(ExchangeError::NoSip)));
}

#[tokio::test]
async fn calls_that_cannot_be_are_refused() {
    refused_calls().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half a minute: cargo test --workspace --lib machines_and_sip -- --ignored"]
async fn machines_and_sip_fax_each_other() {
    tokio::join!(
        in_call(SipFax::AudioOnly, true, Carrier::G711),
        in_call(SipFax::OffersT38, false, Carrier::T38),
        in_call(SipFax::TakesT38, true, Carrier::T38),
        out_call(),
    );
}
