//! A fax machine of the exchange as a [`Line`] of a line server: for the demonstration and
//! for tests, where no modem and no trunk is wanted in between.
//!
//! The machine answers by itself and tells of a fax when it is over, so that a desk that
//! wants no call cannot refuse it: what it would not have answered is dropped then. The
//! identity is the machine's own.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use postfax_domain::outcome::Outcome;
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tracing::warn;

use super::machine::{CallProgress, CallResult, Machine, ReceivedFax, Sending};
use crate::{
    line::{Desk, Ended, Line, LineSettings, LineState, Order, Ring, Step, stopped},
    t30::{Remote, Statistics},
};

/// Steps of a call that may wait to be told; what does not fit is dropped.
const MAX_STEPS: usize = 64;
/// How often it is looked whether the last call is over, when all is to end.
const DRAIN_EVERY: Duration = Duration::from_millis(50);

/// A fax machine of the exchange as a line.
#[derive(Debug)]
pub struct Extension {
    name: String,
    channels: usize,
    machine: Machine,
    received: Mutex<Option<mpsc::Receiver<ReceivedFax>>>,
    calls: AtomicUsize,
    on: watch::Sender<bool>,
    changes: watch::Sender<()>,
}

/// A call that is on the line until this is dropped.
struct Busy<'a>(&'a Extension);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
        self.0.changes.send_replace(());
    }
}

impl Extension {
    /// This machine as a line of this name, for so many calls at one time.
    #[must_use]
    pub fn new(name: &str, channels: usize, mut machine: Machine) -> Arc<Self> {
        let received = Mutex::new(machine.take_received());
        Arc::new(Self {
            name: name.to_owned(),
            channels,
            machine,
            received,
            calls: AtomicUsize::new(0),
            on: watch::channel(true).0,
            changes: watch::channel(()).0,
        })
    }

    /// Takes a channel, where one is free.
    fn occupy(&self) -> Option<Busy<'_>> {
        let more = |calls| (calls < self.channels).then_some(calls + 1);
        self.calls.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).ok()?;
        self.changes.send_replace(());
        Some(Busy(self))
    }

    /// Hands over a fax that the machine has received.
    async fn hand_over(&self, desk: &dyn Desk, fax: ReceivedFax) {
        let ring = Ring {
            line: self.name.clone(),
            called: Some(fax.called.clone()),
            caller: Some(fax.caller.clone()),
            caller_name: None,
            cadence: None,
        };
        let session = if *self.on.borrow() { desk.rings(&ring).await } else { None };
        let Some((session, into)) = session.and_then(|s| Some((s.clone(), s.receive?))) else {
            warn!(line = self.name, "the machine has answered what nobody wants");
            let _ = tokio::fs::remove_file(&fax.tiff).await;
            return;
        };
        if let Err(error) = tokio::fs::copy(&fax.tiff, &into).await {
            warn!(line = self.name, %error, "what the machine has received is not there");
        }
        let _ = tokio::fs::remove_file(&fax.tiff).await;
        desk.received(&ring, &session, ended_of(fax)).await;
    }

    /// Tells what happens in a call, until it is over.
    async fn follow(&self, order: &mut Order) -> CallResult {
        let (tell, mut told) = mpsc::channel(MAX_STEPS);
        let number = order.number.to_string();
        let Some(tiff) = order.session.send.clone() else {
            return CallResult::failed(Outcome::BadDocument);
        };
        let call = self.machine.call(Sending {
            number: &number,
            tiff: &tiff,
            subaddress: order.session.subaddress.as_deref(),
            ecm: order.session.station.ecm,
            progress: Some(tell),
        });
        let steps = order.steps.clone();
        let listen = async {
            let _ = steps.send(Step::Dialling).await;
            while let Some(progress) = told.recv().await {
                let step = match progress {
                    CallProgress::Ringing => Step::Ringing,
                    CallProgress::Connected => Step::Connected,
                    CallProgress::Page(count) => {
                        Step::Pages { count, statistics: Statistics::default() }
                    }
                };
                let _ = steps.send(step).await;
            }
        };
        let stop = async {
            tokio::select! {
                () = stopped(&mut order.stop) => {}
                () = sleep(order.limit) => {}
            }
            call.hang_up();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = listen => {}
            () = stop => {}
        }
        call.result().await
    }
}

fn ended_of(fax: ReceivedFax) -> Ended {
    let outcome = if fax.complete { Outcome::Delivered } else { Outcome::Disconnected };
    let statistics =
        Statistics { bit_rate: fax.bit_rate, pages_received: fax.pages, ..Statistics::default() };
    Ended {
        outcome,
        said: String::new(),
        pages: fax.pages,
        statistics,
        remote: Remote { identity: fax.tsi, subaddress: fax.subaddress, ..Remote::default() },
        duration: fax.duration,
    }
}

#[async_trait]
impl Line for Extension {
    fn name(&self) -> &str {
        &self.name
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn state(&self) -> LineState {
        if !*self.on.borrow() {
            return LineState::Off;
        }
        LineState::Ready(self.calls.load(Ordering::SeqCst))
    }

    fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    fn configure(&self, settings: LineSettings) {
        self.on.send_replace(settings.on);
        self.changes.send_replace(());
    }

    async fn run(&self, desk: Arc<dyn Desk>, mut stop: watch::Receiver<bool>) {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut received) = received {
            loop {
                tokio::select! {
                    fax = received.recv() => match fax {
                        Some(fax) => self.hand_over(&*desk, fax).await,
                        // The exchange has stopped.
                        None => break,
                    },
                    () = stopped(&mut stop) => break,
                }
            }
        }
        stopped(&mut stop).await;
        while self.calls.load(Ordering::SeqCst) > 0 {
            sleep(DRAIN_EVERY).await;
        }
    }

    async fn place(&self, mut order: Order) -> Ended {
        let Some(_busy) = self.occupy().filter(|_| *self.on.borrow()) else {
            return Ended::failed(Outcome::LinesBusy, "no channel is free");
        };
        let result = self.follow(&mut order).await;
        let stopped = *order.stop.borrow() && !result.outcome.is_success();
        let outcome = if stopped { Outcome::Cancelled } else { result.outcome };
        Ended {
            outcome,
            said: outcome.text().to_owned(),
            pages: result.pages_confirmed,
            statistics: Statistics {
                bit_rate: result.bit_rate,
                pages_sent: result.pages_confirmed,
                ..Statistics::default()
            },
            remote: Remote { identity: result.remote_id, ..Remote::default() },
            duration: result.duration,
        }
    }
}
