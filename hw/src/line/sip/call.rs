//! One answered call: the session that is played in it, and how the two sides move it
//! from G.711 to T.38 and, where that fails, back. Every wait in it has an end.

mod moves;
mod record;

use std::{
    future::Future,
    net::{IpAddr, SocketAddr, UdpSocket},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use postfax_domain::outcome::Outcome;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use self::moves::Want;
pub(super) use self::record::now_s;
use super::{
    causes::Cause,
    leg::{Event, Leg},
    memory::{Known, Memory},
    options::{T38Use, TrunkOptions},
    play::{Media, Playing, Ports, kind},
    sdp::{Agreed, Local},
    trace::Traces,
};
use crate::{
    line::{
        Ended, Step,
        media::{Flow, Happening},
    },
    t30::Session,
};

/// When the other side has hung up, what it sent just before is still looked at.
const LAST_WORDS: Duration = Duration::from_millis(1_500);
/// A player that was told to stop says what came of it within this time.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// The player's own limit is asked first; ours is for a player that does not keep it.
const OVERTIME: Duration = Duration::from_secs(10);
/// Happenings that wait, at the most.
const HAPPENINGS: usize = 16;

/// What all calls of a trunk have in common.
pub(super) struct Terms {
    pub(super) options: TrunkOptions,
    /// Where media come to us, as the other side sees it.
    pub(super) address: IpAddr,
    pub(super) ports: Ports,
    pub(super) media: Arc<dyn Media>,
    pub(super) memory: Arc<Memory>,
    pub(super) traces: Option<Arc<Traces>>,
}

/// Who began a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// We called.
    Placed,
    /// We were called.
    Taken,
}

/// A call that was just answered.
pub(super) struct Answered {
    pub(super) leg: Leg,
    pub(super) side: Side,
    /// The other side's number, for the memory; empty where it is not known.
    pub(super) number: String,
    pub(super) session: Session,
    pub(super) limit: Duration,
    pub(super) local: Local,
    pub(super) agreed: Agreed,
    pub(super) remote: SocketAddr,
    pub(super) socket: UdpSocket,
    pub(super) steps: Option<mpsc::Sender<Step>>,
    pub(super) stop: watch::Receiver<bool>,
}

/// An offer of ours that is under way.
struct Pending {
    want: Want,
    local: Local,
    socket: UdpSocket,
    answer: Pin<Box<dyn Future<Output = Result<Vec<u8>, Cause>> + Send>>,
}

/// A T.38 flow of which nothing was heard yet.
struct Silent {
    socket: tokio::net::UdpSocket,
    until: Instant,
}

/// A call that goes on.
struct Conversation<'a> {
    terms: &'a Terms,
    leg: Leg,
    side: Side,
    number: String,
    known: Option<Known>,
    session: Session,
    limit: Duration,
    began: Instant,
    local: Local,
    agreed: Agreed,
    /// Where the other side is.
    remote: SocketAddr,
    player: Option<Box<dyn Playing>>,
    tell: mpsc::Sender<Happening>,
    steps: Option<mpsc::Sender<Step>>,
    pending: Option<Pending>,
    offer_at: Option<(Instant, Want)>,
    glares: u32,
    silent: Option<Silent>,
    /// T.38 was used or refused in this call.
    tried_t38: bool,
    /// It failed: the call stays with G.711.
    fallen: bool,
    /// What a session came to that may be tried once more over G.711.
    before: Option<Ended>,
    pages: u32,
    asked: bool,
    gone: Option<Cause>,
    cancelled: bool,
    stop_at: Option<Instant>,
    end_by: Instant,
}

/// What can happen next.
enum Next {
    Leg(Event),
    Media(Happening),
    Answer(Result<Vec<u8>, Cause>),
    Offer(Want),
    Heard,
    Silence,
    Cancel,
    StopPlayer,
    End,
}

/// Plays the session to its end and hangs up.
pub(super) async fn converse(terms: &Terms, answered: Answered) -> Ended {
    let (tell, mut happenings) = mpsc::channel(HAPPENINGS);
    let mut stop = answered.stop.clone();
    let flow =
        Flow { socket: answered.socket, remote: answered.remote, kind: kind(answered.agreed) };
    let now = Instant::now();
    let known = terms.memory.recall(&answered.number, now_s());
    let mut conversation = Conversation {
        terms,
        leg: answered.leg,
        side: answered.side,
        number: answered.number,
        known,
        session: answered.session,
        limit: answered.limit,
        began: now,
        local: answered.local,
        agreed: answered.agreed,
        remote: answered.remote,
        player: None,
        tell,
        steps: answered.steps,
        pending: None,
        offer_at: None,
        glares: 0,
        silent: None,
        tried_t38: answered.agreed.is_t38(),
        fallen: false,
        before: None,
        pages: 0,
        asked: false,
        gone: None,
        cancelled: false,
        stop_at: None,
        end_by: now + answered.limit + OVERTIME,
    };
    if let Some(ended) = conversation.start(flow) {
        conversation.leg.hang_up(Some(41));
        return ended;
    }
    let offers = conversation.side == Side::Placed || terms.options.t38 == T38Use::Offer;
    if conversation.known == Some(Known::AudioFails) && offers && conversation.may_t38() {
        conversation.offer_at = Some((now, Want::T38));
    }
    let ended = loop {
        let next = conversation.next(&mut happenings, &mut stop).await;
        if let Some(ended) = conversation.on(next).await {
            break ended;
        }
    };
    conversation.finish(ended)
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}

async fn answer(pending: &mut Option<Pending>) -> Result<Vec<u8>, Cause> {
    match pending {
        Some(pending) => pending.answer.as_mut().await,
        None => std::future::pending().await,
    }
}

/// The reader of the socket is the player; here it is only seen that something came.
async fn first_word(silent: &Option<Silent>) -> Next {
    let Some(silent) = silent else { return std::future::pending().await };
    tokio::select! {
        _ = silent.socket.readable() => Next::Heard,
        () = sleep_until(silent.until) => Next::Silence,
    }
}

impl Conversation<'_> {
    async fn next(
        &mut self,
        happenings: &mut mpsc::Receiver<Happening>,
        stop: &mut watch::Receiver<bool>,
    ) -> Next {
        let offer = self.offer_at;
        tokio::select! {
            biased;
            event = self.leg.next(), if self.gone.is_none() => Next::Leg(event),
            Some(happening) = happenings.recv() => Next::Media(happening),
            answer = answer(&mut self.pending) => Next::Answer(answer),
            next = first_word(&self.silent) => next,
            () = at(offer.map(|(when, _)| when)) => {
                offer.map_or(Next::End, |(_, want)| Next::Offer(want))
            }
            Ok(_) = stop.wait_for(|stop| *stop), if !self.cancelled => Next::Cancel,
            () = at(self.stop_at) => Next::StopPlayer,
            () = sleep_until(self.end_by) => Next::End,
        }
    }

    async fn on(&mut self, next: Next) -> Option<Ended> {
        match next {
            Next::Leg(Event::Offer(offer)) => self.offered(offer).await,
            Next::Leg(Event::Acknowledged(answer)) => self.acknowledged(&answer),
            Next::Leg(Event::Ended(cause)) => return self.left(cause),
            Next::Media(Happening::Ended(ended)) => return self.played(ended),
            Next::Media(happening) => self.happened(happening).await,
            Next::Answer(answer) => {
                let pending = self.pending.take()?;
                return self.answered(pending, answer);
            }
            Next::Offer(want) => {
                self.offer_at = None;
                let useful = want.is_t38() != self.agreed.is_t38();
                let possible = !want.is_t38() || self.may_t38();
                if self.pending.is_none() && useful && possible {
                    return self.offer(want);
                }
            }
            Next::Heard => self.silent = None,
            Next::Silence => {
                self.silent = None;
                return self.t38_is_dead("nothing came over T.38");
            }
            Next::Cancel => {
                self.cancelled = true;
                self.stop_now();
                return self.before.take();
            }
            Next::StopPlayer => self.stop_now(),
            Next::End => {
                let outcome = Outcome::Disconnected;
                return Some(Ended::failed(outcome, "the call went beyond its time"));
            }
        }
        None
    }

    /// Begins to play. What comes back is why that cannot be.
    fn start(&mut self, flow: Flow) -> Option<Ended> {
        let left = self.limit.saturating_sub(self.began.elapsed());
        let (session, tell) = (self.session.clone(), self.tell.clone());
        match self.terms.media.start(session, flow, left, tell) {
            Ok(player) => {
                self.player = Some(player);
                None
            }
            Err(error) => {
                let why = format!("the call cannot be played: {error}");
                Some(Ended::failed(Outcome::ServerFault, why))
            }
        }
    }

    fn stop_now(&mut self) {
        self.stop_at = None;
        if let Some(player) = &self.player {
            player.stop();
        }
        self.end_by = self.end_by.min(Instant::now() + STOP_LIMIT);
    }

    async fn happened(&mut self, happening: Happening) {
        match happening {
            Happening::FaxTone => self.tone(),
            Happening::Step(step) => {
                match step {
                    Step::Asked => self.asked = true,
                    Step::Pages { count, .. } => (self.asked, self.pages) = (false, count),
                    _ => {}
                }
                if let Some(steps) = &self.steps {
                    // Whoever ordered the call may not care any more.
                    let _ = steps.send(step).await;
                }
            }
            Happening::Quiet => {
                if self.agreed.is_t38() {
                    self.t38_is_dead("T.38 fell silent");
                }
            }
            // It is seen at the socket already that something came.
            Happening::Heard | Happening::Ended(_) => {}
        }
    }

    /// The other side is a fax machine: the called side offers T.38 at once, the calling
    /// one when the other has not after a while.
    fn tone(&mut self) {
        if self.agreed.is_t38() || !self.may_t38() || self.offer_at.is_some() {
            return;
        }
        let options = &self.terms.options;
        let wait = match self.side {
            Side::Taken => (options.t38 == T38Use::Offer).then_some(Duration::ZERO),
            Side::Placed => options.offer_t38_after_ms.map(Duration::from_millis),
        };
        self.offer_at = wait.map(|wait| (Instant::now() + wait, Want::T38));
    }

    fn may_t38(&self) -> bool {
        self.terms.options.t38 != T38Use::Never
            && self.known != Some(Known::T38Fails)
            && !self.fallen
            && self.pages == 0
    }

    /// The other side has hung up.
    fn left(&mut self, cause: Cause) -> Option<Ended> {
        self.note(&format!("the other side: {}", cause.said()));
        self.gone = Some(cause);
        (self.pending, self.offer_at, self.silent) = (None, None, None);
        self.stop_at = Some(Instant::now() + LAST_WORDS);
        self.before.take()
    }

    fn note(&self, what: &str) {
        tracing::debug!(side = ?self.side, what, "SIP call");
        if let Some(traces) = &self.terms.traces {
            traces.note(&self.leg.call_id(), what);
        }
    }
}
