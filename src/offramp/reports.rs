//! What is known of each mail to an off-ramp, durable, and a bell for those who wait for
//! a report. Shared by all off-ramps, and by the door where reports come in.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use postfax_domain::{outcome::Outcome, time::Timestamp};
use postfax_hw::notes::Notes;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// What is known of one mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// When it was begun to be sent.
    pub(super) at: Timestamp,
    /// Pages in it.
    pub(super) pages: u32,
    /// What the off-ramp said when it took it.
    pub(super) accepted: Option<String>,
    /// What was reported of it.
    pub(super) heard: Option<Heard>,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Heard {
    pub(super) outcome: Outcome,
    pub(super) said: String,
}

/// How far a mail has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may have been sent.
    Begun,
    /// The off-ramp has it.
    Accepted,
    /// It was reported on.
    Heard,
}

impl Record {
    pub(super) fn begun(at: Timestamp, pages: u32) -> Self {
        Self { at, pages, accepted: None, heard: None }
    }

    pub(super) fn standing(&self) -> Standing {
        match (&self.heard, &self.accepted) {
            (Some(_), _) => Standing::Heard,
            (None, Some(_)) => Standing::Accepted,
            (None, None) => Standing::Begun,
        }
    }
}

/// The records of all off-ramps.
#[derive(Debug)]
pub(crate) struct Reports {
    folder: PathBuf,
    notes: Notes,
    /// A report may come before the answer to the mail that it is about.
    writing: Mutex<()>,
    bell: watch::Sender<u64>,
    /// Mails on their way to an off-ramp at this moment.
    sending: AtomicUsize,
}

/// A mail is on its way for as long as this lives.
pub(super) struct Sending(Arc<Reports>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.sending.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Reports {
    /// The records in `folder`, which is made when the first is written.
    #[must_use]
    pub(crate) fn open(folder: PathBuf) -> Arc<Self> {
        let notes = Notes::new(&folder);
        notes.prune();
        let bell = watch::Sender::new(0);
        let sending = AtomicUsize::new(0);
        Arc::new(Self { folder, notes, writing: Mutex::new(()), bell, sending })
    }

    /// Says that a mail is on its way.
    pub(super) fn send(self: &Arc<Self>) -> Sending {
        self.sending.fetch_add(1, Ordering::Relaxed);
        Sending(Arc::clone(self))
    }

    /// Whether a mail is on its way: who stops now would never know whether it was taken.
    #[must_use]
    pub(crate) fn is_sending(&self) -> bool {
        self.sending.load(Ordering::Relaxed) > 0
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Rings when something was reported.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    pub(super) async fn get(self: &Arc<Self>, tag: &str) -> io::Result<Option<Record>> {
        let tag = tag.to_owned();
        self.on_disk(move |reports| reports.read(&tag)).await
    }

    /// Notes a mail before it is sent.
    pub(super) async fn begin(self: &Arc<Self>, tag: &str, record: Record) -> io::Result<()> {
        let tag = tag.to_owned();
        self.on_disk(move |reports| reports.write(&tag, &record)).await
    }

    /// Notes that it was taken; a report that came first stays.
    pub(super) async fn accepted(self: &Arc<Self>, tag: &str, reply: String) -> io::Result<()> {
        let tag = tag.to_owned();
        self.on_disk(move |reports| match reports.read(&tag)? {
            Some(record) => reports.write(&tag, &Record { accepted: Some(reply), ..record }),
            None => Ok(()),
        })
        .await
    }

    pub(super) async fn forget(self: &Arc<Self>, tag: &str) -> io::Result<()> {
        let tag = tag.to_owned();
        self.on_disk(move |reports| match reports.notes.remove(&tag) {
            Err(strange) if strange.kind() == io::ErrorKind::InvalidInput => Ok(()),
            removed => removed,
        })
        .await
    }

    /// Notes what was reported of a mail; whether anybody still waits for it. The first
    /// report stands.
    ///
    /// # Errors
    /// It is not durable, and is to be reported again.
    pub(crate) async fn heard(
        self: &Arc<Self>,
        tag: &str,
        (outcome, said): (Outcome, String),
    ) -> io::Result<bool> {
        let tag = tag.to_owned();
        let known = self
            .on_disk(move |reports| {
                let Some(record) = reports.read(&tag)? else { return Ok(false) };
                if record.heard.is_none() {
                    let heard = Some(Heard { outcome, said });
                    reports.write(&tag, &Record { heard, ..record })?;
                }
                Ok(true)
            })
            .await?;
        self.bell.send_modify(|rung| *rung += 1);
        Ok(known)
    }

    /// A tag that could not be noted never was: tickets and return paths come from outside.
    fn read(&self, tag: &str) -> io::Result<Option<Record>> {
        let text = match self.notes.get(tag) {
            Err(strange) if strange.kind() == io::ErrorKind::InvalidInput => None,
            read => read?,
        };
        text.map(|text| serde_json::from_str(&text).map_err(io::Error::other)).transpose()
    }

    fn write(&self, tag: &str, record: &Record) -> io::Result<()> {
        let text = serde_json::to_string(record).map_err(io::Error::other)?;
        self.notes.put(tag, &text)
    }

    async fn on_disk<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let reports = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let _alone = reports.writing.lock().unwrap_or_else(PoisonError::into_inner);
            work(&reports)
        });
        done.await.map_err(io::Error::other)?
    }
}
