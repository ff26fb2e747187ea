//! The side that is asked: any [`Driver`], for one asker at a time.
//!
//! What makes *asked again* safe after a connection has broken:
//! - A new connection of the asker ends the old one, and nothing of the old one is read any
//!   more before the new one is answered.
//! - What changes something is carried through once it is begun, whether anybody still
//!   listens or not. A submission is looked up by its tag first, one at a time for each
//!   tag, so that no answer to [`Ask::Find`] passes a submission on its way.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Mutex as Turn, OwnedMutexGuard, watch},
};
use tracing::{info, warn};

use super::{
    link::{self, Broken, Timing, Us, Versions},
    message::{Able, Answer, Ask, Fault, Hello, PROTOCOL, Role, words},
    session::Session,
};
use crate::driver::{Driver, DriverError};

/// Most received faxes that one answer lists; the rest is listed when these are gone.
const MAX_WAITING: usize = 500;

/// A driver, and where it is asked.
pub struct Host {
    pub(super) driver: Arc<dyn Driver>,
    name: String,
    /// Where documents are while they come and go.
    scratch: PathBuf,
    /// What the driver keeps of settings that it replaces.
    safe: PathBuf,
    pub(super) timing: Timing,
    versions: Versions,
    tags: Mutex<HashMap<String, Arc<Turn<()>>>>,
    /// One reads or sets settings at a time.
    settings: Arc<Turn<()>>,
    current: Mutex<Option<Current>>,
    next_file: AtomicU64,
}

/// The connection that is served.
#[derive(Clone)]
struct Current {
    stop: Arc<watch::Sender<bool>>,
    ended: watch::Receiver<bool>,
}

impl Host {
    /// Serves this driver. `name` is what it is called in messages; `folder` is ours alone,
    /// and what an earlier life left half-way in it is removed.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(driver: Arc<dyn Driver>, name: &str, folder: &Path) -> io::Result<Arc<Self>> {
        Self::with(driver, name, folder, Timing::default(), Versions::OURS)
    }

    /// The same with other patience, and other versions of the protocol.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn with(
        driver: Arc<dyn Driver>,
        name: &str,
        folder: &Path,
        timing: Timing,
        versions: Versions,
    ) -> io::Result<Arc<Self>> {
        let (scratch, safe) = (folder.join("scratch"), folder.join("settings"));
        match fs::remove_dir_all(&scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(&scratch)?;
        fs::create_dir_all(&safe)?;
        Ok(Arc::new(Self {
            driver,
            name: name.to_owned(),
            scratch,
            safe,
            timing,
            versions,
            tags: Mutex::default(),
            settings: Arc::default(),
            current: Mutex::new(None),
            next_file: AtomicU64::new(1),
        }))
    }

    fn us(&self) -> Us {
        let able = self.driver.capabilities();
        let hello = Hello {
            protocol: PROTOCOL.to_owned(),
            oldest: self.versions.oldest,
            newest: self.versions.newest,
            role: Role::Lines,
            name: self.name.clone(),
            software: super::SOFTWARE.to_owned(),
            able: Some(Able {
                confirms: able.confirms,
                finds: able.finds,
                cancels: able.cancels,
                receives: able.receives,
                batches: able.batches,
                settable: able.schema.is_some(),
            }),
        };
        Us { hello, timing: self.timing }
    }

    /// Answers on this connection, whose other side has proved who it is, until it is over.
    pub async fn serve<S>(self: &Arc<Self>, stream: S) -> Broken
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        self.serve_until(stream, std::future::pending()).await
    }

    /// The same, until the other side is shown out.
    pub(super) async fn serve_until<S>(
        self: &Arc<Self>,
        stream: S,
        shown_out: impl Future<Output = ()> + Send,
    ) -> Broken
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let joined = match link::join(stream, &self.us()).await {
            Ok(joined) => joined,
            Err(broken) => return broken,
        };
        let (mut stopped, over) = self.take_over().await;
        info!(peer = %joined.peer.name, software = %joined.peer.software, "the supervisor is connected");
        let mut session = Session::new(self.clone(), joined);
        let broken = tokio::select! {
            // Whoever is shown out while it comes in asks nothing.
            biased;
            () = shown_out => Broken::Withdrawn,
            _ = stopped.wait_for(|stop| *stop) => Broken::Replaced,
            broken = session.run() => broken,
        };
        session.end().await;
        over.send_replace(true);
        broken
    }

    /// Ends the connection that is served, and waits until nothing of it goes on. Whoever
    /// is replaced while it waits is replaced when it begins.
    async fn take_over(&self) -> (watch::Receiver<bool>, watch::Sender<bool>) {
        let (stop, stopped) = watch::channel(false);
        let (over, ended) = watch::channel(false);
        let ours = Current { stop: Arc::new(stop), ended };
        let last = self.current.lock().unwrap_or_else(PoisonError::into_inner).replace(ours);
        if let Some(mut last) = last {
            last.stop.send_replace(true);
            // Closed: it has ended as well.
            let _ = last.ended.wait_for(|ended| *ended).await;
        }
        (stopped, over)
    }

    /// A new file for a document on its way.
    pub(super) fn file(&self) -> PathBuf {
        let number = self.next_file.fetch_add(1, Ordering::Relaxed);
        self.scratch.join(format!("{number}.tif"))
    }

    /// Has the tag for itself.
    pub(super) async fn tag(&self, tag: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
            tags.retain(|_, turn| Arc::strong_count(turn) > 1);
            tags.entry(tag.to_owned()).or_default().clone()
        };
        turn.lock_owned().await
    }

    /// Does what one request and one answer are enough for. What is begun goes on when
    /// nobody waits for it any more.
    pub(super) async fn answer(self: &Arc<Self>, ask: Ask) -> Answer {
        let held = match &ask {
            Ask::Find { tag } => Some(self.tag(tag).await),
            Ask::Settings | Ask::Set { .. } => Some(self.settings.clone().lock_owned().await),
            _ => None,
        };
        let host = self.clone();
        let doing = tokio::spawn(async move {
            let _held = held;
            host.done(ask).await
        });
        doing.await.unwrap_or_else(|bug| {
            warn!(%bug, "a request could not be answered");
            Answer::Failed(Fault::Failed { why: words(bug) })
        })
    }

    async fn done(&self, ask: Ask) -> Answer {
        let driver = &self.driver;
        match ask {
            Ask::Condition => said(driver.condition().await, Answer::Condition),
            Ask::Find { tag } => said(driver.find(&tag).await, Answer::Ticket),
            Ask::Cancel { ticket } => said(driver.cancel(&ticket).await, |()| Answer::Done),
            Ask::Forget { ticket } => said(driver.forget(&ticket).await, |()| Answer::Done),
            Ask::Release { fax } => said(driver.release(&fax).await, |()| Answer::Done),
            Ask::Waiting => said(driver.waiting().await, |mut waiting| {
                waiting.truncate(MAX_WAITING);
                Answer::Waiting(waiting)
            }),
            Ask::Settings => match driver.settings(&self.safe).await {
                Ok(settings) => Answer::Settings(settings),
                Err(failed) => Answer::NotSet(failed.into()),
            },
            Ask::Set { changes } => match driver.set(&changes, &self.safe).await {
                Ok(settings) => Answer::Settings(settings),
                Err(failed) => Answer::NotSet(failed.into()),
            },
            Ask::Submit(_) | Ask::Follow { .. } | Ask::Arrival { .. } | Ask::Fetch { .. } => {
                unreachable!("these are answered by the session")
            }
        }
    }
}

/// An answer, or why there is none.
pub(super) fn said<T>(result: Result<T, DriverError>, answer: impl FnOnce(T) -> Answer) -> Answer {
    match result {
        Ok(value) => answer(value),
        Err(error) => Answer::Failed(error.into()),
    }
}
