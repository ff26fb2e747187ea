//! What the thread that keeps a modem and those who use the line know of each other.

use std::sync::{Mutex, MutexGuard, PoisonError};

use postfax_domain::outcome::Outcome;
use tokio::sync::watch;

use crate::line::call::{Ended, LineSettings, LineState};

/// How a line is, and what is set of it.
#[derive(Debug)]
pub(super) struct Shared {
    inner: Mutex<Inner>,
    changes: watch::Sender<()>,
}

#[derive(Debug)]
struct Inner {
    state: LineState,
    settings: LineSettings,
}

impl Shared {
    /// A line that nobody keeps yet.
    pub(super) fn new() -> Self {
        let inner = Inner { state: LineState::Off, settings: LineSettings::new() };
        Self { inner: Mutex::new(inner), changes: watch::Sender::new(()) }
    }

    /// How it is.
    pub(super) fn state(&self) -> LineState {
        self.lock().state.clone()
    }

    /// Tells when that changes.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// It is so from now on.
    pub(super) fn set(&self, state: LineState) {
        let mut inner = self.lock();
        if inner.state != state {
            inner.state = state;
            drop(inner);
            self.changes.send_replace(());
        }
    }

    /// What is set of it.
    pub(super) fn settings(&self) -> LineSettings {
        self.lock().settings.clone()
    }

    /// Sets it; whether that is anything new.
    pub(super) fn configure(&self, settings: LineSettings) -> bool {
        let mut inner = self.lock();
        let new = inner.settings != settings;
        inner.settings = settings;
        new
    }

    /// Takes the line for a call; whether it was free.
    pub(super) fn reserve(&self) -> bool {
        let mut inner = self.lock();
        if inner.state != LineState::Ready(0) {
            return false;
        }
        inner.state = LineState::Ready(1);
        drop(inner);
        self.changes.send_replace(());
        true
    }

    /// What is said to an order that cannot be carried out now.
    pub(super) fn refusal(&self) -> Ended {
        match self.state() {
            LineState::Failed(why) => Ended::failed(Outcome::ServerFault, why),
            LineState::Off => Ended::failed(Outcome::ServerFault, "the line is switched off"),
            LineState::Starting => Ended::failed(Outcome::LinesBusy, "the modem is being set up"),
            LineState::Ready(_) => Ended::failed(Outcome::LinesBusy, "the line is in use"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
