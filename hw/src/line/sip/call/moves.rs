//! How a call moves between G.711 and T.38: offers of either side (RFC 3264), refusals,
//! offers that cross, and the way back when T.38 dies.

use std::time::Duration;

use postfax_domain::outcome::Outcome;
use tokio::time::Instant;

use super::{Conversation, Pending, Side, Silent, T38Use};
use crate::line::{
    Ended,
    media::Flow,
    sip::{
        causes::Cause,
        leg::Offer,
        memory::Known,
        play::kind,
        random,
        sdp::{self, Agreed, Choice, Local, T38, Taste},
    },
};

/// How often an offer is made that crosses one of the other side each time.
const MAX_GLARES: u32 = 4;

/// Where a call is to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    T38,
    Audio,
}

impl Want {
    pub(super) const fn is_t38(self) -> bool {
        matches!(self, Self::T38)
    }
}

/// How long to wait after offers have crossed (RFC 3261 14.1): those who called longer
/// than those who were called, so that they do not cross again.
fn glare_wait(side: Side) -> Duration {
    let (first_ms, more_ms) = match side {
        Side::Placed => (2_100, 1_900),
        Side::Taken => (0, 2_000),
    };
    Duration::from_millis(first_ms + u64::from(random()) % more_ms / 10 * 10)
}

impl Conversation<'_> {
    fn taste(&self) -> Taste {
        let options = &self.terms.options;
        // Once a page was confirmed a change would begin the document anew.
        let (t38, audio) = match self.pages == 0 && !self.asked {
            true => (self.may_t38(), true),
            false => (self.agreed.is_t38(), !self.agreed.is_t38()),
        };
        let max_bit_rate = options.t38_max_bit_rate;
        // Nothing is won by another coding in mid-call.
        let law = match self.agreed {
            Agreed::Audio { coding, .. } => coding.law,
            Agreed::T38(_) => options.law,
        };
        Taste { t38, audio, t38_first: true, law, max_bit_rate }
    }

    fn description(&self, local: Local, want: Want) -> String {
        let options = &self.terms.options;
        match want {
            Want::T38 => sdp::offer_t38(local, &T38::ours(options.t38_max_bit_rate)),
            Want::Audio => sdp::offer_audio(local, options.law),
        }
    }

    /// A place for media of a new kind, which our next description names.
    fn place(&self) -> std::io::Result<(Local, std::net::UdpSocket)> {
        let socket = self.terms.ports.open()?;
        let port = socket.local_addr()?.port();
        Ok((Local { port, version: self.local.version + 1, ..self.local }, socket))
    }

    /// Offers to move.
    pub(super) fn offer(&mut self, want: Want) -> Option<Ended> {
        let (local, socket) = match self.place() {
            Ok(place) => place,
            Err(error) => {
                self.note(&format!("no port for media: {error}"));
                return self.before.take();
            }
        };
        self.note(&format!("we offer {want:?}"));
        let answer = Box::pin(self.leg.offer(self.description(local, want)));
        self.pending = Some(Pending { want, local, socket, answer });
        None
    }

    /// Our offer was answered.
    pub(super) fn answered(
        &mut self,
        pending: Pending,
        answer: Result<Vec<u8>, Cause>,
    ) -> Option<Ended> {
        let want = pending.want;
        let refused = match answer {
            Ok(body) => {
                let choice = sdp::parse(&body).ok().and_then(|read| {
                    let is_t38 = want.is_t38();
                    read.choose(Taste { t38: is_t38, audio: !is_t38, ..self.taste() })
                });
                match choice {
                    Some(choice) if choice.remote.is_some() => {
                        return self.move_to(&choice, pending.local, pending.socket);
                    }
                    _ => Cause::of(488, "refused in the answer"),
                }
            }
            Err(cause) => cause,
        };
        self.note(&format!("{want:?} was not taken: {}", refused.said()));
        match refused.status {
            491 if self.glares < MAX_GLARES => {
                self.glares += 1;
                self.offer_at = Some((Instant::now() + glare_wait(self.side), want));
                None
            }
            // RFC 3261 12.2.1.2: the dialogue is gone.
            408 | 481 => self.left(refused),
            _ if want.is_t38() => {
                (self.tried_t38, self.fallen) = (true, true);
                if matches!(refused.status, 415 | 488 | 501 | 603 | 606) {
                    self.learn(Some(Known::T38Fails));
                }
                None
            }
            _ => self.before.take(),
        }
    }

    /// The other side offers to move, or only refreshes the session.
    pub(super) async fn offered(&mut self, offer: Offer) {
        if self.pending.is_some() {
            self.note("offers cross");
            return offer.refuse(491).await;
        }
        if offer.description().is_empty() {
            // We are to offer, and offer what is.
            let want = if self.agreed.is_t38() { Want::T38 } else { Want::Audio };
            return offer.accept(self.description(self.local, want)).await;
        }
        let read = sdp::parse(offer.description());
        let choice = read.as_ref().ok().and_then(|read| read.choose(self.taste()));
        let (Ok(read), Some(choice)) = (read, choice) else {
            self.note("the other side offers what cannot be");
            return offer.refuse(488).await;
        };
        if choice.agreed.is_t38() == self.agreed.is_t38() || choice.remote.is_none() {
            // A refresh, hold, or the same media at another place.
            self.local.version += 1;
            offer.accept(sdp::answer(self.local, &read, &choice)).await;
            return self.follow(&choice);
        }
        match self.place() {
            Ok((local, socket)) => {
                offer.accept(sdp::answer(local, &read, &choice)).await;
                self.offer_at = None;
                self.move_to(&choice, local, socket);
            }
            Err(_) => offer.refuse(500).await,
        }
    }

    /// The answer to an offer that the other side left to us, of the kind of media that was.
    pub(super) fn acknowledged(&mut self, answer: &[u8]) {
        let is_t38 = self.agreed.is_t38();
        let taste = Taste { t38: is_t38, audio: !is_t38, ..self.taste() };
        if let Some(choice) = sdp::parse(answer).ok().and_then(|read| read.choose(taste)) {
            self.follow(&choice);
        }
    }

    /// The other side keeps to the kind of media, but has them sent elsewhere, or coded in
    /// another way. On hold it names no place and stays where it was.
    fn follow(&mut self, choice: &Choice) {
        let (Some(remote), agreed) = (choice.remote, choice.agreed) else { return };
        if (remote, agreed) == (self.remote, self.agreed) {
            return;
        }
        self.note("the other side has moved");
        (self.remote, self.agreed) = (remote, agreed);
        if let Some(player) = &self.player {
            player.follow(remote, kind(agreed));
        }
    }

    /// Both sides agreed to move.
    fn move_to(
        &mut self,
        choice: &Choice,
        local: Local,
        socket: std::net::UdpSocket,
    ) -> Option<Ended> {
        let remote = choice.remote?;
        let is_t38 = choice.agreed.is_t38();
        self.note(if is_t38 { "over T.38" } else { "over G.711" });
        (self.local, self.agreed, self.remote) = (local, choice.agreed, remote);
        self.tried_t38 |= is_t38;
        // Whoever left T.38 does not go there again.
        self.fallen |= !is_t38;
        self.silent = is_t38.then(|| self.listen(&socket)).flatten();
        let flow = Flow { socket, remote, kind: kind(choice.agreed) };
        match &self.player {
            Some(player) => player.change(flow),
            None => {
                self.before = None;
                return self.start(flow);
            }
        }
        None
    }

    fn listen(&self, socket: &std::net::UdpSocket) -> Option<Silent> {
        let wait = Duration::from_secs(self.terms.options.t38_silence_s);
        let socket = socket.try_clone().ok()?;
        socket.set_nonblocking(true).ok()?;
        let socket = tokio::net::UdpSocket::from_std(socket).ok()?;
        Some(Silent { socket, until: Instant::now() + wait })
    }

    /// T.38 was agreed on, but nothing comes through: back to G.711 while there is time.
    pub(super) fn t38_is_dead(&mut self, why: &str) -> Option<Ended> {
        self.note(why);
        let hopeless = self.pages > 0 || self.asked || self.gone.is_some();
        if self.fallen || hopeless || self.pending.is_some() {
            return None;
        }
        self.fallen = true;
        self.learn(Some(Known::T38Fails));
        self.offer(Want::Audio)
    }

    /// The session is over.
    pub(super) fn played(&mut self, ended: Ended) -> Option<Ended> {
        self.player = None;
        let no_use = self.pages > 0 || self.asked || self.cancelled || self.gone.is_some();
        let try_audio = self.agreed.is_t38() && !self.fallen && self.side == Side::Placed;
        if no_use || !try_audio || !died_in_phase_b(ended.outcome) {
            return Some(ended);
        }
        self.before = Some(ended);
        match self.t38_is_dead("no fax got through over T.38") {
            None if self.pending.is_none() => self.before.take(),
            over => over,
        }
    }

    /// Whether T.38 was a choice in this call at all.
    pub(super) fn t38_was_open(&self) -> bool {
        self.terms.options.t38 != T38Use::Never && !self.tried_t38
    }
}

/// The machines did not come to terms (T.30 5.1).
pub(super) const fn died_in_phase_b(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::NoHandshake
            | Outcome::NoFaxMachine
            | Outcome::CannotTrain
            | Outcome::StoppedAnswering
            | Outcome::ProtocolError
    )
}
