//! What is being replaced at a server, kept on our disk while it is: without it an
//! interrupted change could not be put right.
//!
//! The journal is written and synced before the first file of the server is touched, and
//! removed when all of them are what they should be. Whoever finds one knows that a
//! change has not come to its end.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// Its name in the folder.
const NAME: &str = "settings.journal";
/// The same while it is being written.
const UNFINISHED: &str = "settings.journal.new";

/// A file of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Replaced {
    /// What the server calls it: `/etc/config`.
    pub(super) path: String,
    /// What it held.
    pub(super) old: Vec<u8>,
    /// What it shall hold.
    pub(super) new: Vec<u8>,
}

/// How far a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It holds what it held.
    Old,
    /// It holds what it shall hold.
    New,
    /// It was cut off while it was written.
    Torn,
    /// It holds what somebody else has written since.
    Foreign,
}

impl Replaced {
    pub(super) fn stage(&self, octets: &[u8]) -> Stage {
        if octets == self.old {
            Stage::Old
        } else if octets == self.new {
            Stage::New
        } else if self.old.starts_with(octets) || self.new.starts_with(octets) {
            Stage::Torn
        } else {
            Stage::Foreign
        }
    }
}

/// The journal of a server, if there is one.
///
/// # Errors
/// What the system says; a journal that cannot be understood is an error too.
pub(super) fn load(folder: &Path) -> Result<Option<Vec<Replaced>>, (PathBuf, io::Error)> {
    let path = folder.join(NAME);
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err((path, error)),
        Ok(octets) => match serde_json::from_slice(&octets) {
            Ok(files) => Ok(Some(files)),
            Err(error) => Err((path, error.into())),
        },
    }
}

/// Makes the journal durable.
///
/// # Errors
/// What the system says; there is none then.
pub(super) fn keep(folder: &Path, files: &[Replaced]) -> Result<(), (PathBuf, io::Error)> {
    let path = folder.join(NAME);
    write(folder, files).map_err(|error| (path, error))
}

fn write(folder: &Path, files: &[Replaced]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let new = folder.join(UNFINISHED);
    let mut file = fs::File::create(&new)?;
    file.write_all(&serde_json::to_vec(files)?)?;
    file.sync_all()?;
    fs::rename(new, folder.join(NAME))?;
    fs::File::open(folder)?.sync_all()
}

/// Removes the journal.
///
/// # Errors
/// What the system says.
pub(super) fn remove(folder: &Path) -> Result<(), (PathBuf, io::Error)> {
    let path = folder.join(NAME);
    let gone = fs::remove_file(&path).and_then(|()| fs::File::open(folder)?.sync_all());
    gone.map_err(|error| (path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_there_until_it_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("safe");
        assert_eq!(load(&folder).unwrap(), None);
        let file =
            Replaced { path: "/etc/config".into(), old: b"a\xff".to_vec(), new: b"b".to_vec() };
        keep(&folder, std::slice::from_ref(&file)).unwrap();
        assert_eq!(load(&folder).unwrap(), Some(vec![file]));
        remove(&folder).unwrap();
        assert_eq!(load(&folder).unwrap(), None);
        fs::write(folder.join(NAME), "half").unwrap();
        assert!(load(&folder).is_err());
    }

    #[test]
    fn a_torn_file_is_told_from_one_that_somebody_wrote() {
        let file = Replaced {
            path: String::new(),
            old: b"A: 1\n".to_vec(),
            new: b"A: 1\nB: 2\n".to_vec(),
        };
        for (octets, stage) in [
            ("A: 1\n", Stage::Old),
            ("A: 1\nB: 2\n", Stage::New),
            ("", Stage::Torn),
            ("A: 1\nB", Stage::Torn),
            ("A: 7\n", Stage::Foreign),
        ] {
            assert_eq!(file.stage(octets.as_bytes()), stage, "{octets:?}");
        }
    }
}
