//! The thread that plays one session over its socket, in real time.

use std::{io, sync::mpsc as std_mpsc, time::Duration};

use tokio::sync::mpsc;

use super::{Flow, Happening};
use crate::t30::Session;

/// One T.30 session on a thread of its own. Dropping it hangs up.
#[derive(Debug)]
pub struct Player {
    orders: std_mpsc::Sender<Order>,
}

/// What a player is told meanwhile.
#[derive(Debug)]
enum Order {
    Change(Flow),
    Stop,
}

impl Player {
    /// Starts a session over a flow. It ends by itself after `limit` at the latest, and
    /// tells [`Happening::Ended`] last, whatever happens.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(
        session: Session,
        flow: Flow,
        limit: Duration,
        tell: mpsc::Sender<Happening>,
    ) -> io::Result<Self> {
        let (orders, told) = std_mpsc::channel();
        std::thread::Builder::new()
            .name("fax-call".into())
            .spawn(move || drop((session, flow, limit, tell, told)))?;
        Ok(Self { orders })
    }

    /// Goes on over another flow, such as T.38 in place of audio: the session starts anew,
    /// as both sides do at a re-INVITE. Where pages have been confirmed already, it ends
    /// instead with what was sent.
    pub fn change(&self, flow: Flow) {
        // A session that is over cannot be changed any more.
        self.orders.send(Order::Change(flow)).ok();
    }

    /// Hangs up: the session ends as cancelled, unless it was over.
    pub fn stop(&self) {
        self.orders.send(Order::Stop).ok();
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.stop();
    }
}
