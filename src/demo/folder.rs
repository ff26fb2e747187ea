//! Where everything lies, and what of it stays.
//!
//! ```text
//!  DIR/sent.pdf  receipt.eml  fax.eml  fax.pdf  fax-page-1.png    what came of it
//!  DIR/work/postfax.toml  passwords  cert.pem  ...  postfax.log   the setting
//!  DIR/work/state/  lab/  mail/NAME/new/                          what the parts keep
//! ```
//!
//! A folder that the user named stays as it is. A temporary one goes, but for the
//! results when a demonstration went well and ended by itself.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::cli::{Exit, Failure};

/// Lines of the log that are shown after a failure.
const LOG_END_LINES: usize = 12;

/// The folder of a demonstration.
pub(super) struct Folder {
    top: PathBuf,
    /// Removes a temporary folder, however we end.
    temporary: Option<TempDir>,
}

impl Folder {
    /// Opens the folder that the user named, or a temporary one.
    ///
    /// # Errors
    /// It cannot be made, or there is something in it.
    pub(super) fn open(named: Option<&Path>) -> Result<Self, Failure> {
        let folder = match named {
            Some(dir) => Self { top: empty(dir)?, temporary: None },
            None => {
                let made = tempfile::Builder::new().prefix("postfax-demo-").tempdir();
                let made = made.map_err(|failed| Failure::file("a temporary folder", &failed))?;
                Self { top: made.path().to_owned(), temporary: Some(made) }
            }
        };
        let work = folder.work();
        fs::create_dir(&work).map_err(|failed| Failure::file(work.display(), &failed))?;
        Ok(folder)
    }

    /// The folder itself.
    pub(super) fn top(&self) -> &Path {
        &self.top
    }

    /// A file that is a result.
    pub(super) fn result(&self, name: &str) -> PathBuf {
        self.top.join(name)
    }

    /// What the parts need.
    pub(super) fn work(&self) -> PathBuf {
        self.top.join("work")
    }

    /// A file or folder that some part needs.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.work().join(name)
    }

    /// The configuration of Postfax.
    pub(super) fn config(&self) -> PathBuf {
        self.file("postfax.toml")
    }

    /// The log of everything.
    pub(super) fn log(&self) -> PathBuf {
        self.file("postfax.log")
    }

    /// Where Postfax can be asked.
    pub(super) fn socket(&self) -> PathBuf {
        self.file("control.sock")
    }

    /// The pages of a document in the store of Postfax.
    pub(super) fn document(&self, digest: &postfax_domain::document::Digest) -> PathBuf {
        self.file("state/documents").join(format!("{digest}.tif"))
    }

    /// Whether the user named it.
    pub(super) fn stays(&self) -> bool {
        self.temporary.is_none()
    }

    /// The last lines of the log.
    pub(super) fn log_end(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_END_LINES)..].join("\n")
    }

    /// Removes what need not stay.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(super) fn leave(mut self, was_kept: bool, went_well: bool) -> Result<(), Failure> {
        let Some(mut temporary) = self.temporary.take() else { return Ok(()) };
        let removed = if went_well && !was_kept {
            temporary.disable_cleanup(true);
            fs::remove_dir_all(self.work())
        } else {
            temporary.close()
        };
        removed.map_err(|failed| Failure::file(self.top.display(), &failed))
    }
}

/// The folder as an absolute path, made if it was not there.
fn empty(dir: &Path) -> Result<PathBuf, Failure> {
    let failed = |failed: io::Error| Failure::file(dir.display(), &failed);
    fs::create_dir_all(dir).map_err(failed)?;
    if fs::read_dir(dir).map_err(failed)?.next().is_some() {
        let words = format!("{} is not empty", dir.display());
        return Err(Failure::new(Exit::Usage, words).advise("name a folder that is new or empty"));
    }
    fs::canonicalize(dir).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_results_stay_of_a_temporary_folder() {
        for (was_kept, went_well, stays) in
            [(false, true, true), (true, true, false), (false, false, false)]
        {
            let folder = Folder::open(None).unwrap();
            let top = folder.top().to_owned();
            fs::write(folder.result("fax.eml"), "x").unwrap();
            fs::write(folder.log(), "x").unwrap();
            folder.leave(was_kept, went_well).unwrap();
            assert_eq!(top.join("fax.eml").exists(), stays, "{was_kept} {went_well}");
            assert_eq!(top.exists(), stays, "{was_kept} {went_well}");
            assert!(!top.join("work").exists());
            let _ = fs::remove_dir_all(top);
        }
    }

    #[test]
    fn a_named_folder_stays_whole_and_is_never_mixed_with_anything() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("a/b");
        let folder = Folder::open(Some(&dir)).unwrap();
        fs::write(folder.log(), "1\n2\n").unwrap();
        assert_eq!(folder.log_end(), "1\n2");
        let log = folder.log();
        folder.leave(true, false).unwrap();
        assert!(log.exists());
        assert_eq!(Folder::open(Some(&dir)).err().unwrap().exit, Exit::Usage);
    }
}
