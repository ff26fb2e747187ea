//! What was learnt about destinations: where T.38 does not work, and where only T.38
//! does. Bounded, for a limited time, and kept in a file so that a restart forgets
//! nothing. The clock is told.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

/// The most destinations that are remembered; those that end soonest go first.
const MAX_ENTRIES: usize = 2_000;
/// The longest file that is read, in octets.
const MAX_FILE: u64 = 1 << 20;
const DAY_S: u64 = 86_400;

/// What is known of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// T.38 is refused there, or dies: G.711 it is.
    T38Fails,
    /// G.711 gets nothing through: T.38 is offered as soon as the call stands.
    AudioFails,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    known: Known,
    until_s: u64,
}

/// What a trunk knows of its destinations.
#[derive(Debug)]
pub struct Memory {
    file: Option<PathBuf>,
    lifetime_s: u64,
    entries: Mutex<BTreeMap<String, Entry>>,
}

impl Memory {
    /// Reads the file, where there is one. One that cannot be read is as good as none.
    #[must_use]
    pub fn open(file: Option<PathBuf>, days: u32) -> Self {
        let read = file.as_ref().and_then(|file| {
            let length = fs::metadata(file).ok()?.len();
            let text = (length <= MAX_FILE).then(|| fs::read(file).ok())??;
            let entries = serde_json::from_slice(&text);
            entries.inspect_err(|error| tracing::warn!(%error, "the memory is begun anew")).ok()
        });
        let entries = Mutex::new(read.unwrap_or_default());
        Self { file, lifetime_s: u64::from(days) * DAY_S, entries }
    }

    /// What is known of a destination at this time (seconds since 1970).
    #[must_use]
    pub fn recall(&self, number: &str, now_s: u64) -> Option<Known> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(number).filter(|entry| entry.until_s > now_s)?;
        Some(entry.known)
    }

    /// Remembers something, or (`None`) forgets what was known. True when that changed
    /// what [`Memory::save`] would write.
    pub fn learn(&self, number: &str, known: Option<Known>, now_s: u64) -> bool {
        if number.is_empty() {
            return false;
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = known else { return entries.remove(number).is_some() };
        if self.lifetime_s == 0 {
            return false;
        }
        entries.retain(|_, entry| entry.until_s > now_s);
        let entry = Entry { known, until_s: now_s + self.lifetime_s };
        let before = entries.insert(number.to_owned(), entry);
        while entries.len() > MAX_ENTRIES {
            let first = entries.iter().filter(|(name, _)| *name != number);
            let Some(first) = first.min_by_key(|(_, entry)| entry.until_s) else { break };
            let first = first.0.clone();
            entries.remove(&first);
        }
        before != Some(entry)
    }

    /// Writes the file, so that it is either the old one or the new one. Waits for the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        // Held while writing: two that save at once must not mix. Nobody waits here but
        // those who have learnt something.
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = file.parent().unwrap_or_else(|| std::path::Path::new("."));
        fs::create_dir_all(folder)?;
        // A temporary file is readable for its owner only, and numbers are private.
        let mut written = tempfile::NamedTempFile::new_in(folder)?;
        written.write_all(&serde_json::to_vec(&*entries)?)?;
        written.as_file().sync_all()?;
        written.persist(file).map_err(|error| error.error)?;
        fs::File::open(folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[test]
    fn what_was_learnt_outlives_the_process_but_not_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state/memory.json");
        let memory = Memory::open(Some(file.clone()), 30);
        assert!(memory.learn("+1", Some(Known::T38Fails), 1_000));
        assert!(memory.learn("+2", Some(Known::AudioFails), 1_000));
        assert!(memory.learn("+3", Some(Known::T38Fails), 1_000));
        assert!(memory.learn("+3", None, 1_000) && !memory.learn("+3", None, 1_000));
        assert!(!memory.learn("", Some(Known::T38Fails), 1_000), "a hidden number is nobody's");
        memory.save().unwrap();
        let memory = Memory::open(Some(file.clone()), 30);
        assert_eq!(memory.recall("+1", 2_000), Some(Known::T38Fails));
        assert_eq!(memory.recall("+2", 2_000), Some(Known::AudioFails));
        assert_eq!(memory.recall("+3", 2_000), None);
        assert_eq!(memory.recall("+1", 1_000 + 30 * DAY_S), None);
        for broken in [&b"{"[..], b"[]", b"\xff", b"{\"+1\":{\"known\":\"x\",\"until_s\":1}}"] {
            fs::write(&file, broken).unwrap();
            assert_eq!(Memory::open(Some(file.clone()), 30).recall("+1", 0), None);
        }
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let memory = Memory::open(None, 1);
        for at in 0..3_000_u64 {
            memory.learn(&format!("+{at}"), Some(Known::T38Fails), at);
        }
        assert_eq!(memory.entries.lock().unwrap().len(), MAX_ENTRIES);
        assert_eq!(memory.recall("+2999", 3_000), Some(Known::T38Fails));
        assert_eq!(memory.recall("+0", 3_000), None, "the oldest went");
        assert!(!Memory::open(None, 0).learn("+1", Some(Known::T38Fails), 1), "switched off");
    }
}
