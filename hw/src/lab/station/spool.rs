//! The station's disk: jobs, documents and received faxes, in the folders that
//! HylaFAX has too. A job is a small JSON file, replaced as a whole and synced, so
//! that whatever a client was told survives the end of this process.
//!
//! Nothing here knows the protocol or the telephone.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::job::{Job, State};

/// The folders, and whether only an administrator may read them.
pub(super) const FOLDERS: [(&str, bool); 8] = [
    ("sendq", false),
    ("doneq", false),
    ("docq", true),
    ("recvq", false),
    ("tmp", false),
    ("status", false),
    ("log", true),
    ("etc", true),
];
/// Most jobs kept in the done queue; the oldest go first.
const MAX_DONE: usize = 10_000;

/// A fax that was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Received {
    /// The file in `recvq`.
    pub(super) file: String,
    pub(super) line: String,
    pub(super) tsi: String,
    pub(super) caller: String,
    pub(super) called: String,
    pub(super) subaddress: String,
    pub(super) pages: u32,
    pub(super) seconds: u64,
    pub(super) bit_rate: u32,
    /// Lines an inch.
    pub(super) resolution: u32,
    pub(super) size: u64,
    pub(super) received_s: i64,
    pub(super) error: String,
}

/// Numbers that only ever grow.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Counters {
    job: u32,
    document: u32,
    call: u32,
    received: u32,
}

#[derive(Debug, Default)]
struct Inner {
    counters: Counters,
    jobs: BTreeMap<u32, Job>,
    received: BTreeMap<String, Received>,
}

/// The station's disk.
#[derive(Debug)]
pub(super) struct Spool {
    dir: PathBuf,
    inner: Mutex<Inner>,
}

/// Seconds since 1970.
pub(super) fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

impl Spool {
    /// Opens the folder and reads what is in it. A job whose call was under way
    /// waits for another one, as HylaFAX has it.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        for (folder, _) in FOLDERS {
            fs::create_dir_all(dir.join(folder))?;
        }
        fs::create_dir_all(dir.join("info"))?;
        let mut inner = Inner {
            counters: load(&dir.join("counters"))?.unwrap_or_default(),
            ..Inner::default()
        };
        for folder in ["sendq", "doneq"] {
            for mut job in load_all::<Job>(&dir.join(folder))? {
                if job.state == State::Active {
                    job.state = State::Pending;
                }
                inner.counters.job = inner.counters.job.max(job.id);
                inner.jobs.insert(job.id, job);
            }
        }
        for fax in load_all::<Received>(&dir.join("info"))? {
            if dir.join("recvq").join(&fax.file).exists() {
                inner.received.insert(fax.file.clone(), fax);
            }
        }
        Ok(Self { dir: dir.to_owned(), inner: Mutex::new(inner) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // What is in memory is replaced as a whole; a panic elsewhere leaves it whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn path(&self, folder: &str, file: &str) -> PathBuf {
        self.dir.join(folder).join(file)
    }

    /// A new job number.
    pub(super) fn next_job(&self) -> io::Result<u32> {
        self.count(|counters| {
            counters.job += 1;
            counters.job
        })
    }

    /// A new number for an uploaded document.
    pub(super) fn next_document(&self) -> io::Result<u32> {
        self.count(|counters| {
            counters.document += 1;
            counters.document
        })
    }

    /// A new number for a call.
    pub(super) fn next_call(&self) -> io::Result<u32> {
        self.count(|counters| {
            counters.call += 1;
            counters.call
        })
    }

    /// A new name for a received fax.
    pub(super) fn next_received(&self) -> io::Result<String> {
        let number = self.count(|counters| {
            counters.received += 1;
            counters.received
        })?;
        Ok(format!("fax{number:09}.tif"))
    }

    fn count(&self, take: impl FnOnce(&mut Counters) -> u32) -> io::Result<u32> {
        let mut inner = self.inner();
        let number = take(&mut inner.counters);
        save(&self.dir.join("counters"), &inner.counters)?;
        Ok(number)
    }

    pub(super) fn job(&self, id: u32) -> Option<Job> {
        self.inner().jobs.get(&id).cloned()
    }

    /// The jobs that have ended, or those that have not.
    pub(super) fn jobs(&self, ended: bool) -> Vec<Job> {
        self.inner().jobs.values().filter(|job| job.state.has_ended() == ended).cloned().collect()
    }

    /// Makes a job durable as it is now.
    pub(super) fn put(&self, job: Job) -> io::Result<()> {
        let mut inner = self.inner();
        self.store(&mut inner, job)
    }

    /// Changes a job, if it is there and `change` agrees, and makes it durable.
    /// `None` when there is no such job.
    pub(super) fn change<T>(
        &self,
        id: u32,
        change: impl FnOnce(&mut Job) -> T,
    ) -> io::Result<Option<T>> {
        let mut inner = self.inner();
        let Some(mut job) = inner.jobs.get(&id).cloned() else { return Ok(None) };
        let result = change(&mut job);
        self.store(&mut inner, job)?;
        Ok(Some(result))
    }

    fn store(&self, inner: &mut Inner, job: Job) -> io::Result<()> {
        let file = format!("q{}", job.id);
        let (here, other) =
            if job.state.has_ended() { ("doneq", "sendq") } else { ("sendq", "doneq") };
        save(&self.path(here, &file), &job)?;
        let old = self.path(other, &file);
        if old.exists() {
            fs::remove_file(old)?;
        }
        inner.jobs.insert(job.id, job);
        let ended: Vec<u32> =
            inner.jobs.values().filter(|job| job.state.has_ended()).map(|job| job.id).collect();
        for id in ended.iter().take(ended.len().saturating_sub(MAX_DONE)) {
            self.erase(inner, *id)?;
        }
        Ok(())
    }

    /// Forgets a job and its document.
    pub(super) fn remove(&self, id: u32) -> io::Result<()> {
        let mut inner = self.inner();
        self.erase(&mut inner, id)
    }

    fn erase(&self, inner: &mut Inner, id: u32) -> io::Result<()> {
        let Some(job) = inner.jobs.remove(&id) else { return Ok(()) };
        let file = format!("q{id}");
        for path in ["sendq", "doneq"].map(|folder| self.path(folder, &file)) {
            if path.exists() {
                fs::remove_file(path)?;
            }
        }
        match job.document {
            Some(document) if self.path("docq", &document).exists() => {
                fs::remove_file(self.path("docq", &document))
            }
            _ => Ok(()),
        }
    }

    /// The received faxes that are complete.
    pub(super) fn received(&self) -> Vec<Received> {
        self.inner().received.values().cloned().collect()
    }

    /// Takes a fax in whose file is in `recvq` already, and makes it durable.
    pub(super) fn receive(&self, fax: Received) -> io::Result<()> {
        fs::File::open(self.path("recvq", &fax.file))?.sync_all()?;
        let mut inner = self.inner();
        save(&self.path("info", &fax.file), &fax)?;
        inner.received.insert(fax.file.clone(), fax);
        Ok(())
    }

    /// Adds a line to the accounting log.
    pub(super) fn log(&self, line: &str) -> io::Result<()> {
        let path = self.path("log", "xferfaxlog");
        let mut log = fs::OpenOptions::new().create(true).append(true).open(path)?;
        io::Write::write_all(&mut log, line.as_bytes())
    }

    /// Deletes a file of a folder.
    pub(super) fn delete(&self, folder: &str, file: &str) -> io::Result<()> {
        fs::remove_file(self.path(folder, file))?;
        if folder == "recvq" && self.inner().received.remove(file).is_some() {
            fs::remove_file(self.path("info", file))?;
        }
        Ok(())
    }

    /// Names and sizes of the files in a folder, by name.
    pub(super) fn files(&self, folder: &str) -> io::Result<Vec<(String, u64)>> {
        let mut files = vec![];
        for entry in fs::read_dir(self.dir.join(folder))? {
            let entry = entry?;
            let about = entry.metadata()?;
            if about.is_file() {
                files.push((entry.file_name().to_string_lossy().into_owned(), about.len()));
            }
        }
        files.sort();
        Ok(files)
    }
}

fn save<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::File::create(&new)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::File::open(folder)?.sync_all()
}

fn load<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn load_all<T: DeserializeOwned>(folder: &Path) -> io::Result<Vec<T>> {
    let mut all = vec![];
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "new") {
            // A replacement that was not finished: the old file still stands.
            fs::remove_file(path)?;
        } else {
            all.extend(load(&path)?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fax(file: &str) -> Received {
        Received {
            file: file.into(),
            line: "ttyFAX0".into(),
            tsi: "+1".into(),
            caller: String::new(),
            called: String::new(),
            subaddress: String::new(),
            pages: 1,
            seconds: 1,
            bit_rate: 14400,
            resolution: 196,
            size: 3,
            received_s: 1,
            error: String::new(),
        }
    }

    #[test]
    fn everything_is_there_again_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let (id, name);
        {
            let spool = Spool::open(dir.path()).unwrap();
            id = spool.next_job().unwrap();
            let mut job = Job::new(id, "x");
            job.state = State::Active;
            spool.put(job).unwrap();
            let mut done = Job::new(spool.next_job().unwrap(), "x");
            done.state = State::Done;
            spool.put(done).unwrap();
            name = spool.next_received().unwrap();
            fs::write(spool.path("recvq", &name), b"fax").unwrap();
            spool.receive(fax(&name)).unwrap();
            fs::write(spool.path("sendq", "q9.new"), b"{half").unwrap();
        }
        let spool = Spool::open(dir.path()).unwrap();
        assert_eq!(spool.job(id).unwrap().state, State::Pending);
        assert_eq!(spool.jobs(true).len(), 1);
        assert_eq!(spool.next_job().unwrap(), id + 2);
        assert_eq!(spool.received(), [fax(&name)]);
        assert_ne!(spool.next_received().unwrap(), name);
        spool.delete("recvq", &name).unwrap();
        spool.remove(id).unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        assert!(spool.received().is_empty() && spool.job(id).is_none());
    }
}
