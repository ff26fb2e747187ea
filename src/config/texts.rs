//! The texts of a configuration: which files it is made of, and what stands in them.
//! A change of several files that was cut short in the middle is read as if it had
//! come to its end ([`write::pending`]). Nothing is understood here.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{findings::Findings, write};

/// Largest file of a configuration in bytes.
const MAX_FILE_BYTES: u64 = 16 << 20;
/// Most files in `conf.d`.
const MAX_FILES: usize = 1000;

/// A file of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Text {
    /// Where it is.
    pub(crate) file: PathBuf,
    /// What stands in it.
    pub(crate) text: String,
}

/// The texts of the main file and of `conf.d` beside it, in the order in which they
/// are read; what cannot be read is reported and left out.
pub(super) fn read(main: &Path, findings: &mut Findings) -> Vec<Text> {
    let steps = write::pending(main);
    let mut texts = Vec::new();
    let mut files = files(main, findings);
    let made = steps.iter().filter(|step| step.from.is_some()).map(|step| &step.file);
    let made: Vec<PathBuf> =
        made.filter(|made| !files.iter().any(|file| is_same(file, made))).cloned().collect();
    files.extend(made);
    if let Some(more) = files.get_mut(1..) {
        more.sort();
    }
    for file in files {
        let step = steps.iter().find(|step| is_same(&file, &step.file));
        let from = match step.map(|step| &step.from) {
            Some(None) => continue,
            Some(Some(new)) if new.exists() => new,
            _ => &file,
        };
        match read_file(from) {
            Ok(text) => texts.push(Text { file, text }),
            Err(error) => {
                findings.unreadable(&file, &error.to_string(), "name a file that can be read");
            }
        }
    }
    texts
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other || std::path::absolute(one).is_ok_and(|one| one == other)
}

fn files(path: &Path, findings: &mut Findings) -> Vec<PathBuf> {
    let folder = path.with_file_name("conf.d");
    let mut more = Vec::new();
    match fs::read_dir(&folder) {
        Ok(entries) => {
            let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
            more.extend(paths.filter(|p| p.extension().is_some_and(|e| e == "toml")));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            findings.unreadable(&folder, &error.to_string(), "it must be a folder, or absent");
        }
    }
    if more.len() > MAX_FILES {
        let why = format!("it holds more than {MAX_FILES} files");
        findings.unreadable(&folder, &why, "put more into each file");
        more.clear();
    }
    more.sort();
    more.insert(0, path.to_owned());
    more
}

/// The text of a file that is not absurdly large.
pub(super) fn read_file(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_FILE_BYTES {
        return Err(io::Error::other("it is too large to be a configuration"));
    }
    fs::read_to_string(path)
}
