//! Calls that come in: whether they are answered, and what is kept of what they bring.
//!
//! What a line has written is a foreign file. It is read by our own reader only, and not
//! changed.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use postfax_domain::{outcome::Outcome, redacted::Redacted};
use tokio::{sync::watch, time::Instant};
use tracing::{error, info, warn};

use super::{
    Core, crash, hold, off,
    record::Ringing,
    spool::{Came, Index, Spool, SpoolError, now},
};
use crate::{
    driver::Waiting,
    line::{Desk, Ended, Ring},
    pages,
    t30::Session,
};

/// How long a call may be on before it counts as one of which nobody told the end.
const LOST_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The faxes that were received and not yet released.
#[derive(Debug)]
pub(super) struct Received {
    faxes: Mutex<Index<Waiting>>,
    /// Calls that were to be answered, by their keys, and since when: the clock may be set
    /// while they last.
    coming: Mutex<BTreeMap<String, (Ringing, Instant)>>,
    /// How many have arrived in this life.
    arrived: watch::Sender<u64>,
    /// How many of them had arrived when somebody last looked.
    seen: watch::Sender<u64>,
}

impl Received {
    /// What the spool holds. Of a fax that a crash has cut off the pages that are there
    /// are kept.
    pub fn load(spool: &Spool) -> Result<Self, SpoolError> {
        let mut faxes = Index::new();
        for came in spool.received()? {
            let fax = match came {
                Came::Whole(fax) => Some(fax),
                Came::Cut(key, ring) => recover(spool, key, &ring)?,
            };
            faxes.extend(fax.map(|fax| (fax.name.clone(), fax)));
        }
        let arrived = watch::channel(faxes.len() as u64).0;
        let (faxes, coming) = (Mutex::new(faxes), Mutex::default());
        Ok(Self { faxes, coming, arrived, seen: watch::channel(0).0 })
    }

    /// All of them.
    pub fn all(&self) -> Vec<Waiting> {
        self.seen.send_replace(*self.arrived.borrow());
        hold(&self.faxes).values().cloned().collect()
    }

    /// Whether one of this name is there.
    pub fn has(&self, name: &str) -> bool {
        hold(&self.faxes).contains_key(name)
    }

    /// Takes one away that the spool has let go.
    pub fn remove(&self, name: &str) {
        hold(&self.faxes).remove(name);
    }

    fn add(&self, fax: Waiting) {
        hold(&self.faxes).insert(fax.name.clone(), fax);
        self.arrived.send_modify(|count| *count += 1);
    }

    /// Returns when there is one that nobody has looked at, or after `at_most`.
    pub async fn arrival(&self, at_most: Duration) {
        let mut arrived = self.arrived.subscribe();
        let seen = &self.seen;
        let new = arrived.wait_for(|count| *count > *seen.borrow());
        // After the time it may as well have come.
        let _ = tokio::time::timeout(at_most, new).await.map(drop);
    }
}

/// What is left of a fax that nobody has told the end of.
fn recover(spool: &Spool, key: String, ring: &Ringing) -> Result<Option<Waiting>, SpoolError> {
    let tiff = spool.tiff(&key);
    let pages = match pages_of(&tiff) {
        Ok(0) => {
            spool.release(&key)?;
            return Ok(None);
        }
        Ok(pages) => pages,
        Err(why) => {
            error!(key, why, "what a call has left cannot be read");
            spool.set_aside("in", &key, "it is no fax")?;
            return Ok(None);
        }
    };
    let fax = Waiting {
        pages,
        error: Some("the line server stopped while the fax came in".into()),
        ..blank(key, ring)
    };
    spool.keep(&fax)?;
    warn!(key = fax.key, pages, "kept what had come of a fax");
    Ok(Some(fax))
}

/// The whole pages of a file; none when there is no file, or nothing in it.
fn pages_of(tiff: &Path) -> Result<u32, String> {
    match std::fs::metadata(tiff) {
        Ok(about) if about.len() > HEADER_BYTES => {}
        Ok(_) => return Ok(0),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error.to_string()),
    }
    if no_page_begun(tiff) {
        return Ok(0);
    }
    pages::count(tiff).map_err(|error| error.to_string())
}

/// A TIFF header; what is not longer has no page.
const HEADER_BYTES: u64 = 8;

/// The header says that no page has been ended: the first directory is not there yet.
fn no_page_begun(tiff: &Path) -> bool {
    use std::io::Read;
    let mut header = [0; HEADER_BYTES as usize];
    let read = std::fs::File::open(tiff).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok()
        && (header.starts_with(b"II") || header.starts_with(b"MM"))
        && header[4..] == [0; 4]
}

fn blank(key: String, ring: &Ringing) -> Waiting {
    Waiting {
        name: key.clone(),
        key,
        line: Some(ring.line.clone()),
        called: ring.called.clone(),
        caller: ring.caller.clone(),
        caller_name: ring.caller_name.clone(),
        tsi: None,
        subaddress: None,
        pages: 0,
        received: ring.at,
        duration: Duration::ZERO,
        bit_rate: None,
        error: None,
    }
}

/// The desk of all lines of a server.
pub(super) struct Reception(pub Arc<Core>);

#[async_trait]
impl Desk for Reception {
    async fn rings(&self, ring: &Ring) -> Option<Session> {
        let meaning = self.0.meaning();
        let place = self.0.lines.iter().position(|line| line.name() == ring.line)?;
        let own = &meaning.lines[place];
        if !own.line.on || !own.direction.receives() {
            return None;
        }
        let ringing = Ringing::new(ring, now());
        match off(&self.0, move |core| core.expect(ringing)).await {
            Ok(path) => Some(Session::receiving(own.line.station.clone(), path)),
            Err(why) => {
                error!(line = ring.line, why, "a call is not answered");
                None
            }
        }
    }

    async fn received(&self, ring: &Ring, session: &Session, ended: Ended) {
        let (line, tiff) = (ring.line.clone(), session.receive.clone());
        let Some(tiff) = tiff else { return };
        let begun = Instant::now();
        off(&self.0, move |core| core.take(&tiff, &ended)).await;
        info!(line, after = ?begun.elapsed(), "what came in is kept");
        self.0.wake.notify_one();
    }
}

impl Core {
    /// Makes room for a fax, or says why there is none.
    pub(super) fn expect(&self, ring: Ringing) -> Result<std::path::PathBuf, String> {
        self.find_lost();
        let held = hold(&self.received.faxes).len() + hold(&self.received.coming).len();
        if held >= self.options.limits.received {
            return Err(format!("{held} received faxes wait to be fetched"));
        }
        if let Some(full) = self.spool.full(&self.options.limits, 0) {
            return Err(full);
        }
        crash::point("ring");
        let (key, path) = self.spool.expect(&ring).map_err(|error| error.to_string())?;
        hold(&self.received.coming).insert(key, (ring, Instant::now()));
        crash::point("answer");
        Ok(path)
    }

    /// Calls of which no line has told the end.
    fn find_lost(&self) {
        let lost: Vec<(String, (Ringing, Instant))> = {
            let mut coming = hold(&self.received.coming);
            let old = |since: &Instant| since.elapsed() > LOST_AFTER;
            let keys: Vec<String> = coming
                .iter()
                .filter(|(_, (_, since))| old(since))
                .map(|(key, _)| key.clone())
                .collect();
            keys.into_iter().filter_map(|key| coming.remove_entry(&key)).collect()
        };
        for (key, (ring, _)) in lost {
            match recover(&self.spool, key, &ring) {
                Ok(Some(fax)) => self.received.add(fax),
                Ok(None) => {}
                Err(failed) => error!(%failed, "a call of which nobody told the end"),
            }
        }
    }

    /// Keeps what a call has brought.
    pub(super) fn take(&self, tiff: &Path, ended: &Ended) {
        let known = self.spool.key_of(tiff).and_then(|key| {
            let (ring, _) = hold(&self.received.coming).remove(&key)?;
            Some((key, ring))
        });
        let Some((key, ring)) = known else {
            error!(tiff = %tiff.display(), "a line has received what it was not asked to");
            return;
        };
        if let Err(failed) = self.keep(key, &ring, tiff, ended) {
            error!(%failed, "what came in cannot be put away");
        }
    }

    fn keep(
        &self,
        key: String,
        ring: &Ringing,
        tiff: &Path,
        ended: &Ended,
    ) -> Result<(), SpoolError> {
        let pages = match pages_of(tiff) {
            Ok(0) if ended.pages > 0 => {
                error!(key, pages = ended.pages, "pages were confirmed that are not in the file");
                return self.spool.set_aside("in", &key, "its pages are missing");
            }
            Ok(0) => {
                let outcome = ended.outcome.name();
                info!(outcome, said = ended.said, "a call came in without a page");
                return self.spool.release(&key);
            }
            Ok(pages) => pages,
            Err(why) => {
                error!(key, why, "what a call has brought cannot be read");
                return self.spool.set_aside("in", &key, "it is no fax");
            }
        };
        let whole = ended.outcome == Outcome::Delivered && pages >= ended.pages;
        let said = if ended.said.is_empty() { ended.outcome.text() } else { &ended.said };
        let fax = Waiting {
            tsi: ended.remote.identity.clone(),
            subaddress: ended.remote.subaddress.clone(),
            pages,
            received: now(),
            duration: ended.duration,
            bit_rate: Some(ended.statistics.bit_rate).filter(|rate| *rate > 0),
            error: (!whole).then(|| said.to_owned()),
            ..blank(key, ring)
        };
        crash::point("received");
        if let Err(failed) = self.spool.keep(&fax) {
            // It can be fetched all the same; its pages and who called are in the spool,
            // where the next start would find them.
            error!(key = fax.key, %failed, "a received fax is not safe yet");
        }
        crash::point("kept");
        let from = fax.caller.as_ref().map(Redacted);
        info!(key = fax.key, pages, ?from, "a fax has come in");
        self.received.add(fax);
        Ok(())
    }
}
