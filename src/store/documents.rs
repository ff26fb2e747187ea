//! Documents and mails as files: written, made durable, and only then named. Their
//! names become durable with the commit that names them, once for a whole round.
//!
//! ```text
//! STATE/documents/DIGEST.tif   pages, named by their SHA-256
//! STATE/mail/NAME.eml          large mails as they came in; small ones are rows
//! STATE/mail/NAME.part         mails that are coming in; removed at each start
//! STATE/spool/                 what is being written; emptied at each start
//! ```

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use postfax_domain::{document::Digest, time::Timestamp};

use super::StoreError;

/// A file that no job names yet may be about to be named: it is kept so long.
const UNNAMED_GRACE: Duration = Duration::from_secs(24 * 3600);

/// The folders of documents and mails.
#[derive(Debug, Clone)]
pub struct Documents {
    state: PathBuf,
    /// Distinguishes the files of one start, and the starts from each other.
    started: u128,
    next: Arc<AtomicU64>,
    /// Whether each of [`KEPT`] has got names that may not outlive a crash yet.
    unsynced: Arc<[AtomicBool; KEPT.len()]>,
}

/// Less free space than this is kept for what was accepted before.
const MIN_FREE_BYTES: u64 = 32 << 20;

/// Where programs that convert documents work, below the state folder; emptied at each
/// start.
pub const SCRATCH: &str = "scratch";
/// The folders of what is kept.
const KEPT: [&str; 2] = ["documents", "mail"];

impl Documents {
    /// Opens the folders below `state`, and makes those that are absent.
    pub(super) fn open(state: &Path) -> Result<Self, StoreError> {
        // A life that was killed may have left what its converters worked on.
        let scratch = state.join(SCRATCH);
        match fs::remove_dir_all(&scratch) {
            Err(failed) if failed.kind() != io::ErrorKind::NotFound => {
                return Err(at(&scratch)(failed));
            }
            _ => {}
        }
        for folder in ["documents", "mail", "spool", SCRATCH] {
            let path = state.join(folder);
            fs::create_dir_all(&path).map_err(at(&path))?;
        }
        let spool = state.join("spool");
        for entry in fs::read_dir(&spool).map_err(at(&spool))? {
            let path = entry.map_err(at(&spool))?.path();
            fs::remove_file(&path).map_err(at(&path))?;
        }
        remove_parts(&state.join("mail"))?;
        let started = UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
        Ok(Self {
            state: state.to_owned(),
            started,
            next: Arc::default(),
            unsynced: Arc::default(),
        })
    }

    /// A name that no other file has or had.
    #[must_use]
    pub fn new_name(&self) -> String {
        format!("{:x}-{:x}", self.started, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Where something may be written that is not yet anything.
    #[must_use]
    pub fn spool(&self, name: &str) -> PathBuf {
        self.state.join("spool").join(name)
    }

    /// Where a mail is written to while it comes in: beside its later place, since to
    /// rename a file within its folder is the cheapest.
    #[must_use]
    pub fn coming_mail(&self, name: &str) -> PathBuf {
        self.state.join("mail").join(format!("{name}.part"))
    }

    /// Whether there is room for `bytes` more and for what follows from a mail. Who does
    /// not know takes the mail: what cannot be written is refused then.
    #[must_use]
    pub fn has_room_for(&self, bytes: u64) -> bool {
        rustix::fs::statvfs(&self.state).map_or(true, |disk| {
            disk.f_bavail.saturating_mul(disk.f_frsize) >= MIN_FREE_BYTES.saturating_add(bytes)
        })
    }

    /// The file of a document.
    #[must_use]
    pub fn document(&self, digest: &Digest) -> PathBuf {
        self.state.join("documents").join(format!("{digest}.tif"))
    }

    /// The file of a mail.
    #[must_use]
    pub fn mail(&self, name: &str) -> PathBuf {
        self.state.join("mail").join(format!("{name}.eml"))
    }

    /// Moves pages, durable already, from the spool to their place. The name outlives
    /// a crash from the next [`Documents::sync`] on.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn keep_document(&self, from: &Path, digest: &Digest) -> Result<(), StoreError> {
        self.keep(from, &self.document(digest), 0)
    }

    /// Moves a mail, durable already, from the spool to its place. The name outlives a
    /// crash from the next [`Documents::sync`] on.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn keep_mail(&self, from: &Path, name: &str) -> Result<(), StoreError> {
        self.keep(from, &self.mail(name), 1)
    }

    fn keep(&self, from: &Path, to: &Path, folder: usize) -> Result<(), StoreError> {
        fs::rename(from, to).map_err(at(to))?;
        self.unsynced[folder].store(true, Ordering::Release);
        Ok(())
    }

    /// Makes durable what files are called that were kept since the last time.
    ///
    /// # Errors
    /// [`StoreError::File`]; then the next call tries again.
    pub(super) async fn sync(&self) -> Result<(), StoreError> {
        for (folder, unsynced) in KEPT.iter().zip(self.unsynced.iter()) {
            if !unsynced.swap(false, Ordering::AcqRel) {
                continue;
            }
            let path = self.state.join(folder);
            let syncing = tokio::task::spawn_blocking(move || {
                fs::File::open(&path).and_then(|open| open.sync_all()).map_err(at(&path))
            });
            let synced = syncing.await.expect("to sync a folder does not panic");
            synced.inspect_err(|_| unsynced.store(true, Ordering::Release))?;
        }
        Ok(())
    }

    /// Removes the files that no job names any more.
    pub(super) fn prune(
        &self,
        named: &HashSet<String>,
        oldest: Timestamp,
    ) -> Result<(), StoreError> {
        let oldest = UNIX_EPOCH + Duration::from_millis(oldest.0.unsigned_abs());
        for folder in KEPT {
            let folder = self.state.join(folder);
            for entry in fs::read_dir(&folder).map_err(at(&folder))? {
                let path = entry.map_err(at(&folder))?.path();
                let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
                let modified = match fs::metadata(&path).and_then(|m| m.modified()) {
                    // A mail that was coming in has got its name meanwhile, or was refused.
                    Err(gone) if gone.kind() == io::ErrorKind::NotFound => continue,
                    modified => modified.map_err(at(&path))?,
                };
                let young = modified.elapsed().is_ok_and(|age| age < UNNAMED_GRACE);
                if !named.contains(name) && modified < oldest && !young {
                    fs::remove_file(&path).map_err(at(&path))?;
                }
            }
        }
        Ok(())
    }
}

/// Removes the mails that an earlier life never got whole.
fn remove_parts(folder: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "part") {
            fs::remove_file(&path).map_err(at(&path))?;
        }
    }
    Ok(())
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::File { path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_that_goes_meanwhile_stops_no_pruning() {
        let state = tempfile::tempdir().unwrap();
        let documents = Documents::open(state.path()).unwrap();
        let folder = state.path().join("mail");
        // To whoever asks for its age it is gone, as a mail is that has just got its name.
        for name in ["1.part", "3.part"] {
            symlink(folder.join("nothing"), folder.join(name)).unwrap();
        }
        let old = fs::File::create(folder.join("2.eml")).unwrap();
        old.set_modified(UNIX_EPOCH).unwrap();
        documents.prune(&HashSet::new(), Timestamp(1000)).unwrap();
        assert!(!folder.join("2.eml").exists());
    }
}
