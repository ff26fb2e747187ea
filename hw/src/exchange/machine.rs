//! Fax machines within the exchange, as those who use them see them: they call,
//! and they hand over what they receive.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use postfax_domain::outcome::Outcome;
use tokio::sync::{mpsc, oneshot};

use super::engine::{Command, Desk};

/// Most received faxes that wait to be taken from a machine; one more is lost, with a warning.
pub(super) const MAX_RECEIVED: usize = 1024;

/// A fax to send.
#[derive(Debug, Clone)]
pub struct Sending<'a> {
    /// Whom to call: any spelling that the exchange knows.
    pub number: &'a str,
    /// The TIFF-F file.
    pub tiff: &'a Path,
    /// T.33 sub-address, at most 20 characters.
    pub subaddress: Option<&'a str>,
    /// Whether errors may be corrected (T.30 annex A).
    pub ecm: bool,
    /// Where the progress is told; what does not fit is dropped.
    pub progress: Option<mpsc::Sender<CallProgress>>,
}

/// How a call goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallProgress {
    /// It rings.
    Ringing,
    /// It was answered.
    Connected,
    /// So many pages are confirmed.
    Page(u32),
}

/// How a machine's call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallResult {
    /// How.
    pub outcome: Outcome,
    /// Pages that the other side confirmed.
    pub pages_confirmed: u32,
    /// What the other machine calls itself (CSI).
    pub remote_id: Option<String>,
    /// Signalling rate in bit/s; 0 when no rate was agreed.
    pub bit_rate: u32,
    /// How long the call took, in audio.
    pub duration: Duration,
}

impl CallResult {
    pub(super) fn failed(outcome: Outcome) -> Self {
        Self { outcome, pages_confirmed: 0, remote_id: None, bit_rate: 0, duration: Duration::ZERO }
    }
}

/// A fax that a machine received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedFax {
    /// The TIFF-F file in the exchange's folder. Whoever takes the fax owns it.
    pub tiff: PathBuf,
    /// The number that called.
    pub caller: String,
    /// The number that was called.
    pub called: String,
    /// What the sending machine calls itself.
    pub tsi: Option<String>,
    /// T.33 sub-address.
    pub subaddress: Option<String>,
    /// Pages in the file.
    pub pages: u32,
    /// Signalling rate in bit/s.
    pub bit_rate: u32,
    /// How long the call took, in audio.
    pub duration: Duration,
    /// Whether the last page of the document is there.
    pub complete: bool,
}

/// A fax machine with a number of its own. Dropping it does not unplug it.
#[derive(Debug)]
pub struct Machine {
    pub(super) number: String,
    pub(super) desk: Desk,
    pub(super) calls: Arc<AtomicU64>,
    pub(super) received: Option<mpsc::Receiver<ReceivedFax>>,
}

impl Machine {
    /// The number that it answers on, as it was registered.
    #[must_use]
    pub fn number(&self) -> &str {
        &self.number
    }

    /// Calls and sends. The call goes on whether or not the handle is kept.
    pub fn call(&self, sending: Sending<'_>) -> MachineCall {
        let id = self.calls.fetch_add(1, Ordering::Relaxed);
        let (result, outcome) = oneshot::channel();
        // Without the exchange the result's sender is dropped here, and the handle says so.
        self.desk
            .send(Command::Send {
                id,
                from: self.number.clone(),
                to: sending.number.to_owned(),
                tiff: sending.tiff.to_owned(),
                subaddress: sending.subaddress.map(str::to_owned),
                ecm: sending.ecm,
                progress: sending.progress,
                result,
            })
            .ok();
        MachineCall { id, desk: self.desk.clone(), outcome }
    }

    /// Waits for the next fax; `None` when the exchange has stopped.
    pub async fn received(&mut self) -> Option<ReceivedFax> {
        self.received.as_mut()?.recv().await
    }

    /// As [`Machine::received`], for threads outside tokio.
    pub fn wait_received(&mut self) -> Option<ReceivedFax> {
        self.received.as_mut()?.blocking_recv()
    }

    /// Gives the channel of received faxes away, so that one part of a program can send
    /// while another receives. It can be taken once.
    pub fn take_received(&mut self) -> Option<mpsc::Receiver<ReceivedFax>> {
        self.received.take()
    }
}

/// A call that a machine has placed.
#[derive(Debug)]
pub struct MachineCall {
    id: u64,
    desk: Desk,
    outcome: oneshot::Receiver<CallResult>,
}

impl MachineCall {
    /// The call's number in [`Event`](super::Event)s.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Hangs up, now. The result then tells how far it came.
    pub fn hang_up(&self) {
        self.desk.send(Command::HangUp(self.id)).ok();
    }

    /// Waits for the end. An exchange that has stopped meanwhile is a [`Outcome::ServerFault`].
    pub async fn result(self) -> CallResult {
        self.outcome.await.unwrap_or_else(|_| CallResult::failed(Outcome::ServerFault))
    }

    /// As [`MachineCall::result`], for threads outside tokio.
    #[must_use]
    pub fn wait(self) -> CallResult {
        self.outcome.blocking_recv().unwrap_or_else(|_| CallResult::failed(Outcome::ServerFault))
    }
}
