//! Lock files of serial lines, as UUCP, HylaFAX, mgetty and minicom have them: `LCK..name`
//! with a process id in ten characters.

use std::{
    collections::BTreeSet,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::process::{Pid, test_kill_process};

/// Longest lock file that is looked at, in bytes.
const MAX_LOCK: usize = 64;

/// The locks of this process. One with our process id that is not among them was left by an
/// earlier life: in a container the ids begin anew.
static OURS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn ours() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    OURS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A line that is ours. Dropping it lets go of it.
#[derive(Debug)]
pub(super) struct Lock(PathBuf);

/// Why a line is not ours.
#[derive(Debug)]
pub(super) enum NotLocked {
    /// Another process has it.
    Held(Holder),
    /// The lock file cannot be made.
    Io(PathBuf, io::Error),
}

/// Who has a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process.
    pub pid: i32,
    /// What it is called, where it can be seen.
    pub program: Option<String>,
}

impl Lock {
    /// Locks a device, or takes the lock over of a process that is gone.
    pub(super) fn take(folder: &Path, device: &Path) -> Result<Self, NotLocked> {
        let path = folder.join(name(device));
        let error = |error| NotLocked::Io(path.clone(), error);
        let mut fresh =
            tempfile::Builder::new().prefix("TMP.").tempfile_in(folder).map_err(error)?;
        writeln!(fresh, "{:>10}", std::process::id()).map_err(error)?;
        // Others have to read who we are.
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(fresh.path(), readable).map_err(error)?;
        // A link either is there before, or is made: nobody sees an empty lock.
        let mut ours = ours();
        for _ in 0..2 {
            match fs::hard_link(fresh.path(), &path) {
                Ok(()) => {
                    ours.insert(path.clone());
                    return Ok(Self(path));
                }
                Err(exists) if exists.kind() == io::ErrorKind::AlreadyExists => {
                    let lives = |holder: &Holder| Some(holder.pid) != own() || ours.contains(&path);
                    if let Some(holder) = holder(&path).filter(lives) {
                        return Err(NotLocked::Held(holder));
                    }
                    match fs::remove_file(&path) {
                        Err(gone) if gone.kind() != io::ErrorKind::NotFound => {
                            return Err(error(gone));
                        }
                        _ => {}
                    }
                }
                Err(other) => return Err(error(other)),
            }
        }
        Err(error(io::ErrorKind::AlreadyExists.into()))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut ours = ours();
        ours.remove(&self.0);
        // It may have been taken over, or removed by hand.
        if holder(&self.0).is_some_and(|holder| Some(holder.pid) == own()) {
            fs::remove_file(&self.0).ok();
        }
    }
}

fn own() -> Option<i32> {
    i32::try_from(std::process::id()).ok()
}

/// `LCK..ttyACM0`, `LCK..pts_3`.
fn name(device: &Path) -> String {
    let name = device.strip_prefix("/dev").unwrap_or(device).to_string_lossy();
    format!("LCK..{}", name.trim_start_matches('/').replace('/', "_"))
}

/// The process that holds a lock, if it lives.
pub(super) fn holder(path: &Path) -> Option<Holder> {
    let bytes = fs::read(path).ok()?;
    let pid = pid(&bytes[..bytes.len().min(MAX_LOCK)])?;
    // One that we may not signal lives nevertheless.
    let lives = !matches!(test_kill_process(Pid::from_raw(pid)?), Err(rustix::io::Errno::SRCH));
    let program = fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    lives.then(|| Holder { pid, program: program.map(|name| name.trim().to_owned()) })
}

/// In ten characters, or four bytes of this machine, as old programs have it.
fn pid(bytes: &[u8]) -> Option<i32> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        let pid = i32::from_ne_bytes(four);
        if !bytes.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_whitespace()) {
            return (pid > 0).then_some(pid);
        }
    }
    let text = std::str::from_utf8(bytes).ok()?;
    text.split_whitespace().next()?.parse().ok().filter(|pid| *pid > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    #[test]
    fn one_process_has_a_line_and_a_dead_one_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let device = Path::new("/dev/pts/77");
        let file = folder.path().join("LCK..pts_77");
        let lock = Lock::take(folder.path(), device).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("{:>10}\n", std::process::id()));
        let Err(NotLocked::Held(holder)) = Lock::take(folder.path(), device) else { panic!() };
        assert_eq!(Some(holder.pid), own());
        assert!(holder.program.is_some());
        drop(lock);
        assert!(!file.exists());
        let gone = i32::MAX - 7;
        let earlier = format!("{:>10}\n", std::process::id());
        let gone_in_text = format!("{gone:>10}\n");
        for stale in [earlier.into(), gone_in_text.into(), gone.to_ne_bytes().to_vec(), vec![]] {
            fs::write(&file, &stale).unwrap();
            drop(Lock::take(folder.path(), device).unwrap());
        }
        fs::write(&file, "         1 init\n").unwrap();
        assert!(matches!(Lock::take(folder.path(), device), Err(NotLocked::Held(h)) if h.pid == 1));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "files are left over");
    }
}
