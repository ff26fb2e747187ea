//! The spool: what the line server keeps, as folders and files. No database, so that an
//! administrator sees with `ls` what there is, and a disk that was torn away loses no
//! more than one fax.
//!
//! ```text
//! new/RANDOM/                       a fax that is being written; emptied at each start
//! out/TAG/   call.json pages.tif state.json
//! in/KEY/    ring.json fax.tif [fax.json: it came to its end]
//! calls/     the files of calls that go on; emptied at each start
//! gone/      what is being deleted; emptied at each start
//! aside/     what could not be understood; never touched again
//! settings.json
//! lock
//! ```
//! A folder appears under its name whole and synced, by a rename, and goes by a rename.
//! A file is replaced by a rename. What a function has returned from is on disk.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use postfax_domain::time::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use tracing::{info, warn};

use super::{
    Limits,
    record::{Ringing, State, Submission, is_tag},
};
use crate::driver::Waiting;

const CALL: &str = "call.json";
const STATE: &str = "state.json";
const PAGES: &str = "pages.tif";
const RING: &str = "ring.json";
const FAX: &str = "fax.json";
const TIFF: &str = "fax.tif";
const SETTINGS: &str = "settings.json";
/// Largest file of ours that is read into memory, in bytes.
const MAX_RECORD_BYTES: u64 = 1 << 20;

/// What went wrong with a file of the spool.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct SpoolError {
    /// Which.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

fn of(path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
    move |source| SpoolError { path: path.to_owned(), source }
}

/// A submission that the spool holds.
#[derive(Debug)]
pub(super) struct Kept {
    /// Its tag.
    pub tag: String,
    /// What was submitted; it may be damaged when all is over.
    pub call: Option<Submission>,
    /// How far it has come; `None`: that cannot be read any more.
    pub state: Option<State>,
}

/// A received fax that the spool holds.
#[derive(Debug)]
pub(super) enum Came {
    /// It came to its end.
    Whole(Waiting),
    /// It was cut off by a crash.
    Cut(String, Ringing),
}

/// Whether a submission was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    Now,
    Before,
}

/// The folder of a line server. All of its functions block.
#[derive(Debug)]
pub(super) struct Spool {
    root: PathBuf,
    count: AtomicU64,
    _lock: File,
}

impl Spool {
    /// Makes what is missing, and clears what an earlier life had not finished.
    ///
    /// # Errors
    /// What the system says; also when another line server uses the folder.
    pub fn open(root: &Path) -> Result<Self, SpoolError> {
        // Faxes are nobody else's business.
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(root);
        made.map_err(of(root))?;
        for name in ["new", "out", "in", "calls", "gone", "aside"] {
            let path = root.join(name);
            fs::create_dir_all(&path).map_err(of(&path))?;
        }
        let path = root.join("lock");
        let lock = File::create(&path).map_err(of(&path))?;
        lock.try_lock().map_err(|error| {
            of(&path)(match error {
                TryLockError::Error(error) => error,
                TryLockError::WouldBlock => {
                    io::Error::new(io::ErrorKind::WouldBlock, "another line server uses this spool")
                }
            })
        })?;
        for name in ["new", "calls", "gone"] {
            let path = root.join(name);
            fs::remove_dir_all(&path).and_then(|()| fs::create_dir(&path)).map_err(of(&path))?;
        }
        sync(root)?;
        Ok(Self { root: root.to_owned(), count: AtomicU64::new(0), _lock: lock })
    }

    /// Why no more than what is there may be kept; `None` when there is room for this.
    pub fn full(&self, limits: &Limits, bytes: u64) -> Option<String> {
        let free = match rustix::fs::statvfs(&self.root) {
            Ok(about) => about.f_bavail.saturating_mul(about.f_frsize),
            Err(error) => return Some(format!("{}: {error}", self.root.display())),
        };
        let needed = limits.free_bytes.saturating_add(bytes);
        (free < needed).then(|| {
            format!(
                "the disk of {} has {free} bytes left, {needed} are needed",
                self.root.display()
            )
        })
    }

    /// A name that nothing else has.
    fn unique(&self) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", random())
    }

    // ---- to send ------------------------------------------------------------------

    /// Writes a submission beside the others; [`Spool::enter`] makes it one of them.
    pub fn stage(&self, call: &Submission, pages: &Path) -> Result<PathBuf, SpoolError> {
        let folder = self.root.join("new").join(self.unique());
        fs::create_dir(&folder).map_err(of(&folder))?;
        let into = folder.join(PAGES);
        fs::copy(pages, &into).map_err(of(&into))?;
        sync(&into)?;
        put(&folder.join(CALL), call)?;
        put(&folder.join(STATE), &State::Queued { cancelled: false })?;
        sync(&folder)?;
        Ok(folder)
    }

    /// Makes a staged submission durable under its tag.
    pub fn enter(&self, staged: &Path, tag: &str) -> Result<Entered, SpoolError> {
        let out = self.root.join("out");
        match fs::rename(staged, out.join(tag)) {
            Ok(()) => sync(&out).map(|()| Entered::Now),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                self.discard(staged);
                Ok(Entered::Before)
            }
            Err(error) => Err(of(staged)(error)),
        }
    }

    /// Makes durable how far a submission has come.
    pub fn write_state(&self, tag: &str, state: &State) -> Result<(), SpoolError> {
        replace(&self.root.join("out").join(tag), STATE, state)
    }

    /// The pages of a submission.
    pub fn pages(&self, tag: &str) -> PathBuf {
        self.root.join("out").join(tag).join(PAGES)
    }

    /// The pages of a submission are not needed any more.
    pub fn drop_pages(&self, tag: &str) {
        // What stays is deleted with its folder.
        let _ = fs::remove_file(self.pages(tag));
    }

    /// Deletes a submission.
    pub fn forget(&self, tag: &str) -> Result<(), SpoolError> {
        self.delete("out", tag)
    }

    /// The file for a call; whoever made it deletes it.
    pub fn call_file(&self) -> PathBuf {
        self.root.join("calls").join(format!("{}.tif", self.unique()))
    }

    /// All submissions. A folder that is none is set aside; of one that is damaged the
    /// tag is kept, and a copy set aside.
    pub fn submissions(&self) -> Result<Vec<Kept>, SpoolError> {
        let mut all = vec![];
        for tag in self.names("out")? {
            let folder = self.root.join("out").join(&tag);
            if !is_tag(&tag) || !folder.is_dir() {
                self.set_aside("out", &tag, "it is no submission")?;
                continue;
            }
            let call = read::<Submission>(&folder.join(CALL)).filter(|call| call.tag == tag);
            let state = read::<State>(&folder.join(STATE));
            let whole = match (&call, &state) {
                (_, Some(State::Ended(_))) => true,
                (Some(_), Some(_)) => folder.join(PAGES).is_file(),
                _ => false,
            };
            if whole {
                all.push(Kept { tag, call, state });
            } else {
                self.set_aside("out", &tag, "it is damaged")?;
                all.push(Kept { tag, call: None, state: None });
            }
        }
        Ok(all)
    }

    /// Keeps how a damaged submission is reported, without anything else of it.
    pub fn tombstone(&self, tag: &str, state: &State) -> Result<(), SpoolError> {
        let folder = self.root.join("new").join(self.unique());
        fs::create_dir(&folder).map_err(of(&folder))?;
        put(&folder.join(STATE), state)?;
        sync(&folder)?;
        self.enter(&folder, tag).map(drop)
    }

    // ---- received -----------------------------------------------------------------

    /// Makes room for a fax that is about to come in: its key, and the file to be made.
    pub fn expect(&self, ring: &Ringing) -> Result<(String, PathBuf), SpoolError> {
        let key = format!("{:013}-{}", ring.at.0, random());
        let (staged, within) = (self.root.join("new").join(&key), self.root.join("in"));
        fs::create_dir(&staged).map_err(of(&staged))?;
        put(&staged.join(RING), ring)?;
        sync(&staged)?;
        fs::rename(&staged, within.join(&key)).map_err(of(&staged))?;
        sync(&within)?;
        let tiff = self.tiff(&key);
        Ok((key, tiff))
    }

    /// The pages of a received fax.
    pub fn tiff(&self, key: &str) -> PathBuf {
        self.root.join("in").join(key).join(TIFF)
    }

    /// The key of the fax whose pages these are.
    pub fn key_of(&self, tiff: &Path) -> Option<String> {
        let key = tiff.parent()?.file_name()?.to_str()?.to_owned();
        (self.tiff(&key) == tiff).then_some(key)
    }

    /// Makes a received fax durable.
    pub fn keep(&self, fax: &Waiting) -> Result<(), SpoolError> {
        let folder = self.root.join("in").join(&fax.name);
        sync(&folder.join(TIFF))?;
        replace(&folder, FAX, fax)
    }

    /// Deletes a received fax, or what a call without pages has left.
    pub fn release(&self, key: &str) -> Result<(), SpoolError> {
        self.delete("in", key)
    }

    /// All received faxes. What is none is set aside.
    pub fn received(&self) -> Result<Vec<Came>, SpoolError> {
        let mut all = vec![];
        for key in self.names("in")? {
            let folder = self.root.join("in").join(&key);
            let ring = read::<Ringing>(&folder.join(RING));
            let fax = read::<Waiting>(&folder.join(FAX)).filter(|fax| fax.name == key);
            match (fax, ring) {
                (Some(fax), _) if folder.join(TIFF).is_file() => all.push(Came::Whole(fax)),
                (_, Some(ring)) => all.push(Came::Cut(key, ring)),
                (_, None) => self.set_aside("in", &key, "it is no received fax")?,
            }
        }
        Ok(all)
    }

    // ---- settings -----------------------------------------------------------------

    /// What was set over the configuration.
    pub fn settings<T: DeserializeOwned + Default>(&self) -> Result<T, SpoolError> {
        let path = self.root.join(SETTINGS);
        if !path.exists() {
            return Ok(T::default());
        }
        match read(&path) {
            Some(settings) => Ok(settings),
            None => {
                self.set_aside("", SETTINGS, "it cannot be read: the configuration counts")?;
                Ok(T::default())
            }
        }
    }

    /// Makes durable what is set over the configuration.
    pub fn write_settings(&self, settings: &impl Serialize) -> Result<(), SpoolError> {
        replace(&self.root, SETTINGS, settings)
    }

    // ---- common -------------------------------------------------------------------

    fn names(&self, within: &str) -> Result<Vec<String>, SpoolError> {
        let path = self.root.join(within);
        let mut names = vec![];
        for entry in fs::read_dir(&path).map_err(of(&path))? {
            let name = entry.map_err(of(&path))?.file_name();
            match name.into_string() {
                Ok(name) => names.push(name),
                Err(name) => warn!(?name, "not a name that the line server gives; left alone"),
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Moves something out of the way, by a name that tells where it was.
    pub fn set_aside(&self, within: &str, name: &str, why: &str) -> Result<(), SpoolError> {
        let from = self.root.join(within).join(name);
        let to = self.root.join("aside").join(format!("{within}-{name}-{}", random()));
        warn!(from = %from.display(), to = %to.display(), "{why}; set aside");
        fs::rename(&from, &to).map_err(of(&from))?;
        sync(&self.root.join("aside"))?;
        sync(&self.root.join(within))
    }

    /// Deletes a folder: at once as far as the others can see, the rest when it comes.
    fn delete(&self, within: &str, name: &str) -> Result<(), SpoolError> {
        let (from, within) = (self.root.join(within).join(name), self.root.join(within));
        let to = self.root.join("gone").join(self.unique());
        match fs::rename(&from, &to) {
            Ok(()) => sync(&within)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(of(&from)(error)),
        }
        self.discard(&to);
        Ok(())
    }

    fn discard(&self, folder: &Path) {
        if let Err(error) = fs::remove_dir_all(folder) {
            info!(folder = %folder.display(), %error, "deleted at the next start");
        }
    }
}

/// How many hexadecimal digits make a name unique.
const RANDOM_BYTES: usize = 8;

fn random() -> String {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut bytes = [0_u8; RANDOM_BYTES];
    SystemRandom::new().fill(&mut bytes).expect("the kernel has random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes a file or folder durable as it is.
fn sync(path: &Path) -> Result<(), SpoolError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(of(path))
}

/// Writes a file that nobody sees yet.
fn put(path: &Path, value: &impl Serialize) -> Result<(), SpoolError> {
    let write = || -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(&serde_json::to_vec_pretty(value)?)?;
        file.sync_all()
    };
    write().map_err(of(path))
}

/// Replaces a file by a rename.
fn replace(folder: &Path, name: &str, value: &impl Serialize) -> Result<(), SpoolError> {
    let new = folder.join(format!("{name}.new"));
    put(&new, value)?;
    let path = folder.join(name);
    fs::rename(&new, &path).map_err(of(&path))?;
    sync(folder)
}

/// A file of ours; `None` when it is missing, too large, or not what we write.
fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let about = fs::metadata(path).ok()?;
    if !about.is_file() || about.len() > MAX_RECORD_BYTES {
        return None;
    }
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Copies a file so that it is durable under its name, or not there at all.
pub(super) fn copy(from: &Path, into: &Path) -> Result<(), SpoolError> {
    let mut part = into.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let copied = fs::copy(from, &part).map_err(of(&part)).and_then(|_| sync(&part));
    if copied.is_err() {
        let _ = fs::remove_file(&part);
    }
    copied?;
    fs::rename(&part, into).map_err(of(into))?;
    let folder = into.parent().filter(|folder| !folder.as_os_str().is_empty());
    sync(folder.unwrap_or(Path::new(".")))
}

/// What the spool is asked for at a start, by tag and by key.
pub(super) type Index<T> = BTreeMap<String, T>;

/// When something happened, from the system's clock.
pub(super) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}
