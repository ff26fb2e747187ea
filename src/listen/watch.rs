//! Notices when a certificate has changed on disk. Loads nothing.
//!
//! Why names and not files are watched: a renewal hardly ever writes into the file. It
//! puts another in its place, or turns a symbolic link on the way to it (certbot turns
//! that of the file, Kubernetes one of a folder before it). So every name that leads to
//! the file counts, and their folders are watched.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tracing::warn;

/// Most symbolic links on the way to one file, as the kernel has it.
const MAX_LINKS: usize = 40;

/// Watches some files.
pub(super) struct FileWatch {
    watcher: Option<RecommendedWatcher>,
    shared: Arc<Shared>,
    folders: BTreeSet<PathBuf>,
}

#[derive(Default)]
struct Shared {
    names: Mutex<BTreeSet<PathBuf>>,
    changed: Notify,
}

impl FileWatch {
    /// Watches nothing yet.
    pub(super) fn new() -> Self {
        let shared = Arc::new(Shared::default());
        let told = shared.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            told.hear(event);
        });
        let watcher = watcher.inspect_err(
            |failed| warn!(%failed, "certificates are not watched: a reload loads them again"),
        );
        Self { watcher: watcher.ok(), shared, folders: BTreeSet::new() }
    }

    /// Watches these files, as they are reached now.
    pub(super) fn watch<'a>(&mut self, files: impl Iterator<Item = &'a Path>) {
        let names: BTreeSet<PathBuf> = files.flat_map(names).collect();
        let parents = names.iter().filter_map(|name| name.parent().map(Path::to_owned));
        let folders: BTreeSet<PathBuf> = parents.collect();
        *self.shared.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
        let Some(watcher) = &mut self.watcher else { return };
        for folder in self.folders.difference(&folders) {
            // One that is gone is watched no more.
            let _ = watcher.unwatch(folder);
        }
        // All of them: one that was removed and made again is another.
        for folder in &folders {
            if let Err(failed) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                warn!(folder = %folder.display(), %failed, "a folder is not watched");
            }
        }
        self.folders = folders;
    }

    /// Ends when one of the files may have changed.
    pub(super) async fn changed(&self) {
        self.shared.changed.notified().await;
    }
}

impl Shared {
    fn hear(&self, event: notify::Result<notify::Event>) {
        let concerns = match event {
            // Our own look at a file is no change of it.
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => false,
            Ok(event) => {
                let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
                event.need_rescan() || event.paths.iter().any(|path| names.contains(path))
            }
            // What was missed is not known.
            Err(_) => true,
        };
        if concerns {
            self.changed.notify_one();
        }
    }
}

/// Every name that leads to a file, each by a path without symbolic links: those of the
/// links on the way, and its own.
fn names(path: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut links = 0;
    let mut at = PathBuf::from("/");
    let mut ahead: Vec<Step> = steps(path);
    while let Some(step) = ahead.pop() {
        match step {
            Step::Root => at = PathBuf::from("/"),
            Step::Up => drop(at.pop()),
            Step::Into(name) => {
                let next = at.join(name);
                let target = fs::read_link(&next).ok().filter(|_| links < MAX_LINKS);
                if target.is_some() || ahead.is_empty() {
                    found.insert(next.clone());
                }
                match target {
                    Some(target) => {
                        links += 1;
                        ahead.extend(steps(&target));
                    }
                    None => at = next,
                }
            }
        }
    }
    found
}

enum Step {
    Root,
    Up,
    Into(OsString),
}

/// The last step comes first.
fn steps(path: &Path) -> Vec<Step> {
    let step = |component: Component<'_>| match component {
        Component::RootDir => Some(Step::Root),
        Component::ParentDir => Some(Step::Up),
        Component::Normal(name) => Some(Step::Into(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(step).collect()
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, time::Duration};

    use tokio::time::timeout;

    use super::*;

    #[test]
    fn every_name_on_the_way_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        for name in ["..2026_1", "live", "archive"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        fs::write(root.join("..2026_1/tls.crt"), "").unwrap();
        symlink("..2026_1", root.join("..data")).unwrap();
        symlink("..data/tls.crt", root.join("tls.crt")).unwrap();
        fs::write(root.join("archive/cert1.pem"), "").unwrap();
        symlink("../archive/cert1.pem", root.join("live/cert.pem")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        for (file, expected) in [
            ("tls.crt", &["tls.crt", "..data", "..2026_1/tls.crt"][..]),
            ("live/cert.pem", &["live/cert.pem", "archive/cert1.pem"]),
            ("archive/cert1.pem", &["archive/cert1.pem"]),
            ("live/../none/here.pem", &["none/here.pem"]),
            ("loop", &["loop"]),
        ] {
            let expected: BTreeSet<_> = expected.iter().map(|name| root.join(name)).collect();
            assert_eq!(names(&root.join(file)), expected, "{file}");
        }
    }

    #[tokio::test]
    async fn changes_are_noticed_and_looks_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("cert.pem"), folder.path().join("log"));
        fs::write(&file, "old").unwrap();
        let mut watch = FileWatch::new();
        watch.watch([file.as_path()].into_iter());
        fs::read(&file).unwrap();
        fs::write(&other, "words").unwrap();
        let quiet = timeout(Duration::from_millis(300), watch.changed()).await;
        assert!(quiet.is_err(), "nothing has changed");
        fs::write(folder.path().join("new"), "new").unwrap();
        fs::rename(folder.path().join("new"), &file).unwrap();
        timeout(Duration::from_secs(10), watch.changed()).await.unwrap();
    }
}
