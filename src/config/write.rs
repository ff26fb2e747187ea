//! Writes the files of a configuration so that a crash at any moment leaves the old
//! one or the new one, whole. One file is replaced by a rename. Several files, and files
//! that come or go, are noted beside the main file first: from then on the new one
//! counts, for whoever reads it, and the next start brings it to its end ([`mend`]).
//! Symbolic links are followed; owner and mode of a file stay. What is written is not
//! looked at here.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};
use serde::{Deserialize, Serialize};

use super::texts::Text;
use crate::crash;

/// The bits of a mode that let somebody write.
const WRITERS: u32 = 0o222;
/// The bits of a mode that are kept.
const MODE: u32 = 0o7777;

/// What is done to one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Step {
    /// The file as the configuration knows it; absolute.
    pub(super) file: PathBuf,
    /// Where it really is.
    target: PathBuf,
    /// What takes its place; without, it goes.
    pub(super) from: Option<PathBuf>,
}

/// Replaces the texts `old`, which are there now, by `new`.
///
/// # Errors
/// Words that name the file and what can be done; then nothing has changed.
pub(crate) fn replace(main: &Path, old: &[Text], new: &[Text]) -> Result<(), String> {
    let mut steps = Vec::new();
    let done = prepare(main, old, new, &mut steps).and_then(|()| match &steps[..] {
        [] => Ok(()),
        // The rename is the moment.
        [Step { target, from: Some(from), .. }] => {
            crash::point("config one");
            fs::rename(from, target).map_err(|error| refused(target, &error))
        }
        _ => note(main, &steps),
    });
    if let Err(why) = done {
        for from in steps.iter().filter_map(|step| step.from.as_ref()) {
            let _ = fs::remove_file(from);
        }
        return Err(why);
    }
    // What counts is decided; what is left of it can be done again at any time.
    let ended = match &steps[..] {
        [] => Ok(()),
        [Step { target, from: Some(_), .. }] => sync_folder(target),
        _ => mend(main),
    };
    ended.map_err(|error| refused(main, &error))
}

/// The changes that were noted and are not all done yet.
pub(super) fn pending(main: &Path) -> Vec<Step> {
    let noted = fs::read(journal(main)).unwrap_or_default();
    // The note appears by a rename, whole or not at all.
    serde_json::from_slice(&noted).unwrap_or_default()
}

/// Brings a change of several files that was cut short to its end.
///
/// # Errors
/// What the system said; then it is as far as it was, and can be tried again.
pub(crate) fn mend(main: &Path) -> io::Result<()> {
    let steps = pending(main);
    if steps.is_empty() {
        return Ok(());
    }
    for Step { target, from, .. } in &steps {
        crash::point("config next");
        let done = match from {
            Some(from) => fs::rename(from, target),
            None => fs::remove_file(target),
        };
        match done {
            // It was done before the crash.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => done?,
        }
        sync_folder(target)?;
    }
    crash::point("config done");
    fs::remove_file(journal(main))?;
    sync_folder(main)
}

fn prepare(main: &Path, old: &[Text], new: &[Text], steps: &mut Vec<Step>) -> Result<(), String> {
    for Text { file, text } in new {
        let was = old.iter().find(|was| was.file == *file);
        if was.is_some_and(|was| was.text == *text) {
            continue;
        }
        let like = if was.is_some() { file.as_path() } else { main };
        let target = match was {
            Some(_) => fs::canonicalize(file).map_err(|error| refused(file, &error))?,
            None => whole(file)?,
        };
        let from = hidden(&target, "new");
        steps.push(Step { file: whole(file)?, target: target.clone(), from: Some(from.clone()) });
        crash::point("config draft");
        write(&from, text, like).map_err(|error| refused(&target, &error))?;
    }
    for was in old.iter().filter(|was| !new.iter().any(|text| text.file == was.file)) {
        steps.push(Step { file: whole(&was.file)?, target: whole(&was.file)?, from: None });
    }
    Ok(())
}

fn whole(file: &Path) -> Result<PathBuf, String> {
    std::path::absolute(file).map_err(|error| refused(file, &error))
}

/// Writes a file that has the owner and the mode of `like`, which must be writable.
fn write(path: &Path, text: &str, like: &Path) -> io::Result<()> {
    let data = fs::metadata(like)?;
    if data.mode() & WRITERS == 0 {
        let why = format!("it is read-only (mode {:04o})", data.mode() & MODE);
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    access(like, Access::WRITE_OK)?;
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (data.uid(), data.gid()) {
        std::os::unix::fs::fchown(&file, Some(data.uid()), Some(data.gid()))?;
    }
    file.set_permissions(Permissions::from_mode(data.mode() & MODE))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Notes the steps beside the main file: from then on they count.
fn note(main: &Path, steps: &[Step]) -> Result<(), String> {
    let journal = journal(main);
    let draft = journal.with_extension("draft");
    let noted = serde_json::to_string(steps).map_err(|bug| bug.to_string())?;
    let done = write(&draft, &noted, main).and_then(|()| {
        crash::point("config note");
        fs::rename(&draft, &journal)
    });
    // From here on it counts, whether the disk has it or not.
    done.inspect(|()| drop(sync_folder(&journal))).map_err(|error| refused(&journal, &error))
}

/// Where a change of several files is noted.
fn journal(main: &Path) -> PathBuf {
    hidden(main, "change")
}

/// A name beside the file that is no configuration.
fn hidden(file: &Path, what: &str) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    file.with_file_name(format!(".{name}.{what}"))
}

fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn refused(file: &Path, error: &io::Error) -> String {
    let folder = file.parent().unwrap_or(Path::new("/")).display();
    let help = match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "the user that runs Postfax must own it and be able to write it and its folder: \
             as root, chown postfax {folder} {file}, and chmod u+w where that is missing",
            file = file.display()
        ),
        io::ErrorKind::ReadOnlyFilesystem => {
            format!(
                "under systemd give the unit of Postfax ReadWritePaths={folder} (systemctl edit \
                 postfax, below [Service]) and restart it"
            )
        }
        _ => format!("nothing was changed; see to {folder}"),
    };
    format!("{} cannot be written: {error}; {help}", file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Vec<Text>) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("conf.d")).unwrap();
        let texts = files.iter().map(|(name, text)| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            Text { file, text: (*text).to_owned() }
        });
        let texts = texts.collect();
        (folder, texts)
    }

    fn found(main: &Path) -> Vec<Text> {
        crate::config::read_texts(main).unwrap()
    }

    fn names(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn owner_mode_and_links_stay() {
        let (folder, mut texts) = folder(&[("real.toml", "a = 1\n")]);
        let real = folder.path().join("real.toml");
        let main = folder.path().join("postfax.toml");
        std::os::unix::fs::symlink("real.toml", &main).unwrap();
        fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        texts[0].file.clone_from(&main);
        let new = [Text { file: main.clone(), text: "a = 2\n".into() }];
        replace(&main, &texts, &new).unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "a = 2\n");
        assert!(fs::symlink_metadata(&main).unwrap().is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().mode() & MODE, 0o640);
        assert_eq!(names(folder.path()), 3, "nothing is left behind");
    }

    #[test]
    fn files_come_change_and_go_together() {
        let (folder, old) =
            folder(&[("postfax.toml", "a"), ("conf.d/1.toml", "b"), ("conf.d/2.toml", "c")]);
        let main = folder.path().join("postfax.toml");
        let text =
            |name: &str, text: &str| Text { file: folder.path().join(name), text: text.into() };
        let new =
            [text("postfax.toml", "A"), text("conf.d/1.toml", "b"), text("conf.d/3.toml", "d")];
        replace(&main, &old, &new).unwrap();
        assert_eq!(found(&main), new);
        assert_eq!((names(folder.path()), names(&folder.path().join("conf.d"))), (2, 2));
    }

    #[test]
    fn what_was_noted_counts_and_is_brought_to_its_end() {
        let (folder, old) = folder(&[("postfax.toml", "a"), ("conf.d/1.toml", "b")]);
        let main = folder.path().join("postfax.toml");
        let text =
            |name: &str, text: &str| Text { file: folder.path().join(name), text: text.into() };
        let new = [text("postfax.toml", "A"), text("conf.d/2.toml", "d")];
        let mut steps = Vec::new();
        prepare(&main, &old, &new, &mut steps).unwrap();
        assert_eq!(found(&main), old, "drafts are not read");
        note(&main, &steps).unwrap();
        assert_eq!(found(&main), new, "what was noted is");
        // A crash after the first step.
        fs::rename(steps[0].from.as_ref().unwrap(), &steps[0].target).unwrap();
        assert_eq!(found(&main), new);
        mend(&main).unwrap();
        assert_eq!(found(&main), new);
        assert!(pending(&main).is_empty());
    }

    #[test]
    fn what_is_read_only_stays_and_is_named() {
        let (folder, old) = folder(&[("postfax.toml", "a"), ("conf.d/1.toml", "b")]);
        let main = folder.path().join("postfax.toml");
        let read_only = folder.path().join("conf.d/1.toml");
        fs::set_permissions(&read_only, Permissions::from_mode(0o444)).unwrap();
        let new: Vec<Text> =
            old.iter().map(|was| Text { text: "x".into(), ..was.clone() }).collect();
        let why = replace(&main, &old, &new).unwrap_err();
        assert!(why.contains("1.toml cannot be written") && why.contains("chmod"), "{why}");
        assert_eq!(found(&main), old);
        assert_eq!((names(folder.path()), names(&folder.path().join("conf.d"))), (2, 1));
    }
}
