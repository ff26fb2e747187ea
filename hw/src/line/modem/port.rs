//! A serial line, or a pseudo-terminal: ours alone, raw, with hardware flow control. It
//! knows nothing of what is said on it.

use std::{
    fs, io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::FileTypeExt,
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
    io::Errno,
    termios::{
        ControlModes, OptionalActions, QueueSelector, Termios, ioctl_tiocexcl, tcflush, tcgetattr,
        tcsetattr,
    },
};

use super::lock::{Holder, Lock, NotLocked};

/// How long DTR stays down so that a modem sees it (V.250 6.1.2 leaves it to `S25`, of
/// which 50 ms is usual).
const DTR_DOWN: Duration = Duration::from_millis(400);
/// How long a modem takes to come to itself then.
const DTR_UP: Duration = Duration::from_millis(300);

/// Why a port cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum PortError {
    #[error("{0} is not there: the modem is unplugged, or has another name")]
    Missing(PathBuf),
    #[error("{0} may not be opened by this user: add it to the group of the device (dialout)")]
    Denied(PathBuf),
    #[error("{path} is in use by {}", said(.holder))]
    InUse { path: PathBuf, holder: Holder },
    #[error("{0} is no serial line")]
    NoTerminal(PathBuf),
    #[error("the lock file {0} cannot be made: {1}")]
    Lock(PathBuf, #[source] io::Error),
    #[error("{0} cannot be opened: {1}")]
    Open(PathBuf, #[source] io::Error),
    /// It was there, and is not any more.
    #[error("the modem was unplugged")]
    Gone,
}

fn said(holder: &Holder) -> String {
    match &holder.program {
        Some(program) => format!("{program} (process {})", holder.pid),
        None => format!("process {}", holder.pid),
    }
}

/// A serial line that is ours.
#[derive(Debug)]
pub(super) struct Port {
    line: OwnedFd,
    settings: Termios,
    // After the line is closed.
    _locks: Vec<Lock>,
}

/// What there is to do.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ready {
    /// Something can be read, or the line is gone.
    pub(super) read: bool,
    /// The bell rang.
    pub(super) bell: bool,
}

impl Port {
    /// Locks and opens a device.
    pub(super) fn open(device: &Path, speed: u32, locks: &Path) -> Result<Self, PortError> {
        let named = device.to_owned();
        let real = fs::canonicalize(device).map_err(|error| failed(device, error))?;
        let kind = fs::metadata(&real).map_err(|error| failed(device, error))?.file_type();
        if !kind.is_char_device() {
            return Err(PortError::NoTerminal(named));
        }
        // Under both of its names, since others know it by either.
        let mut names = vec![real.clone()];
        if named != real {
            names.push(named.clone());
        }
        let mut held = Vec::new();
        for name in names {
            held.push(Lock::take(locks, &name).map_err(|error| match error {
                NotLocked::Held(holder) => PortError::InUse { path: named.clone(), holder },
                NotLocked::Io(path, error) => PortError::Lock(path, error),
            })?);
        }
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let line = rustix::fs::open(&real, flags, Mode::empty())
            .map_err(|error| failed(device, error.into()))?;
        ioctl_tiocexcl(&line).map_err(|_| PortError::NoTerminal(named.clone()))?;
        let mut settings = tcgetattr(&line).map_err(|_| PortError::NoTerminal(named.clone()))?;
        settings.make_raw();
        settings.control_modes |= ControlModes::CREAD
            | ControlModes::CLOCAL
            | ControlModes::HUPCL
            | ControlModes::CRTSCTS;
        settings.set_speed(speed).map_err(|error| failed(device, error.into()))?;
        let mut port = Self { line, settings, _locks: held };
        port.apply().map_err(|error| failed(device, error.into()))?;
        port.discard();
        Ok(port)
    }

    /// Reads what is there; 0: nothing.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, PortError> {
        match rustix::io::read(&self.line, buffer) {
            // Hung up: a pseudo-terminal, or a USB device that was pulled.
            Ok(0) => Err(PortError::Gone),
            Ok(count) => Ok(count),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(_) => Err(PortError::Gone),
        }
    }

    /// Writes what goes; how many bytes that were.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, PortError> {
        match rustix::io::write(&self.line, bytes) {
            Ok(count) => Ok(count),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(_) => Err(PortError::Gone),
        }
    }

    /// Waits until something can be read, or written if that is wanted, or the bell rings, or
    /// the time has come.
    pub(super) fn wait(
        &self,
        write: bool,
        bell: Option<BorrowedFd<'_>>,
        until: Option<Instant>,
    ) -> Result<Ready, PortError> {
        let mut flags = PollFlags::IN;
        flags.set(PollFlags::OUT, write);
        let mut fds = vec![PollFd::from_borrowed_fd(self.line.as_fd(), flags)];
        fds.extend(bell.map(|bell| PollFd::from_borrowed_fd(bell, PollFlags::IN)));
        let timeout = until.map(|until| {
            let left = until.saturating_duration_since(Instant::now());
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() }
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return Err(PortError::Gone),
        }
        let events = fds[0].revents();
        if events.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
            && !events.contains(PollFlags::IN)
        {
            return Err(PortError::Gone);
        }
        Ok(Ready {
            read: events.contains(PollFlags::IN),
            bell: fds.get(1).is_some_and(|bell| !bell.revents().is_empty()),
        })
    }

    /// Throws away what waits in either direction.
    pub(super) fn discard(&mut self) {
        // There may be nothing to throw away.
        tcflush(&self.line, QueueSelector::IOFlush).ok();
    }

    /// Lets DTR drop for a while: a modem hangs up then, whatever it does. At a speed of 0
    /// it does so on every kind of line (POSIX, general terminal interface, 11.1.10).
    pub(super) fn drop_dtr(&mut self) -> Result<(), PortError> {
        self.discard();
        let mut down = self.settings.clone();
        if down.set_speed(0).is_ok() {
            tcsetattr(&self.line, OptionalActions::Now, &down).map_err(|_| PortError::Gone)?;
        }
        thread::sleep(DTR_DOWN);
        self.apply().map_err(|_| PortError::Gone)?;
        thread::sleep(DTR_UP);
        self.discard();
        Ok(())
    }

    /// Goes to another speed.
    pub(super) fn set_speed(&mut self, speed: u32) -> Result<(), PortError> {
        self.settings.set_speed(speed).map_err(|_| PortError::Gone)?;
        self.apply().map_err(|_| PortError::Gone)
    }

    fn apply(&mut self) -> rustix::io::Result<()> {
        tcsetattr(&self.line, OptionalActions::Now, &self.settings)
    }
}

fn failed(device: &Path, error: io::Error) -> PortError {
    let path = device.to_owned();
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => PortError::Missing(path),
        Some(Errno::ACCESS | Errno::PERM) => PortError::Denied(path),
        Some(Errno::NOTTY) => PortError::NoTerminal(path),
        // Opened exclusively by one who takes no locks.
        Some(Errno::BUSY) => {
            PortError::InUse { path, holder: Holder { pid: 0, program: Some("another".into()) } }
        }
        _ => PortError::Open(path, error),
    }
}
