//! Notes: what a driver must know of a submission after a crash, one small file for each,
//! named by the tag. For servers that cannot be relied on to know a submission by its tag
//! later: what was noted before the hand-over is known whatever the server forgets.
//!
//! A note is on disk before [`Notes::put`] returns. Blocking; call it where that may be.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Largest note, in bytes.
const MAX_NOTE_BYTES: u64 = 64 << 10;
/// A note this old belongs to an attempt that nobody carries any more.
const KEPT: Duration = Duration::from_secs(60 * 24 * 3600);
/// What a note is called while it is written.
const UNFINISHED: &str = ".new";

/// The notes of one server, in a folder of their own.
#[derive(Debug, Clone)]
pub struct Notes {
    folder: PathBuf,
}

impl Notes {
    /// The notes in `folder`, which is made when the first is written.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The note about a tag, if there is one.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn get(&self, tag: &str) -> io::Result<Option<String>> {
        let path = self.path(tag)?;
        match fs::metadata(&path) {
            Ok(about) if about.len() > MAX_NOTE_BYTES => Err(ErrorKind::FileTooLarge.into()),
            Ok(_) => fs::read_to_string(&path).map(Some),
            Err(missing) if missing.kind() == ErrorKind::NotFound => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Writes the note about a tag in place of what was there.
    ///
    /// # Errors
    /// What the system said; then the old note still stands.
    pub fn put(&self, tag: &str, text: &str) -> io::Result<()> {
        let path = self.path(tag)?;
        let fresh = !self.folder.is_dir();
        fs::create_dir_all(&self.folder)?;
        if fresh && let Some(parent) = self.folder.parent() {
            sync_folder(parent)?;
        }
        let unfinished = self.folder.join(format!("{tag}{UNFINISHED}"));
        let mut file = File::create(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        sync_folder(&self.folder)
    }

    /// Drops the note about a tag, if there is one.
    ///
    /// # Errors
    /// What the system said.
    pub fn remove(&self, tag: &str) -> io::Result<()> {
        match fs::remove_file(self.path(tag)?) {
            Err(missing) if missing.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Drops what is so old that nobody asks for it any more. Whatever cannot be dropped
    /// stays.
    pub fn prune(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let now = SystemTime::now();
        for entry in entries.flatten() {
            let changed = entry.metadata().and_then(|about| about.modified());
            let age = changed.ok().and_then(|changed| now.duration_since(changed).ok());
            if age.is_some_and(|age| age > KEPT) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// The file of a tag. Tags are our own; one that is no plain name is a bug elsewhere,
    /// and must not become a path.
    fn path(&self, tag: &str) -> io::Result<PathBuf> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
        if tag.is_empty() || tag.starts_with('.') || !tag.bytes().all(plain) {
            return Err(io::Error::new(ErrorKind::InvalidInput, "the tag is no plain name"));
        }
        Ok(self.folder.join(tag))
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_stands_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes::new(folder.path().join("deep/notes"));
        assert_eq!(notes.get("pf-1-2-3").unwrap(), None);
        notes.remove("pf-1-2-3").unwrap();
        notes.put("pf-1-2-3", "first").unwrap();
        notes.put("pf-1-2-3", "second").unwrap();
        notes.prune();
        // Another life reads the same.
        let notes = Notes::new(folder.path().join("deep/notes"));
        assert_eq!(notes.get("pf-1-2-3").unwrap().as_deref(), Some("second"));
        assert_eq!(notes.get("pf-1-2-4").unwrap(), None);
        notes.remove("pf-1-2-3").unwrap();
        assert_eq!(notes.get("pf-1-2-3").unwrap(), None);
    }

    #[test]
    fn no_tag_leads_out_of_the_folder() {
        let notes = Notes::new("/nonexistent");
        for tag in ["", "..", "../x", "a/b", ".hidden", "a b", "ä"] {
            assert!(notes.put(tag, "x").is_err(), "{tag:?}");
            assert!(notes.get(tag).is_err(), "{tag:?}");
        }
    }
}
