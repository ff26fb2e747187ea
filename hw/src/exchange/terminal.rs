//! A pseudo-terminal as the serial line between a program and a modem.
//!
//! Between calls we keep the program's side open ourselves, so that programs come
//! and go and the terminal stays raw. During a call we let go of it: then the
//! terminal tells when the program has closed it, which is how a modem's DTR
//! drops here. A program may also drop DTR by setting the speed to 0.

use std::{
    fs, io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::PermissionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{OptionalActions, QueueSelector, tcflush, tcgetattr, tcsetattr},
};

/// Most bytes that wait for a program that does not read. What comes after is lost, as on a
/// serial line without flow control.
const MAX_WAITING: usize = 256 * 1024;

/// What came from the program.
#[derive(Debug)]
pub(super) enum Input {
    /// Nothing now.
    Nothing,
    /// So many bytes.
    Bytes(usize),
    /// It closed the terminal, or set the speed to 0.
    Closed,
}

/// The modem's side of a pseudo-terminal.
pub(super) struct Terminal {
    master: OwnedFd,
    path: PathBuf,
    link: Option<PathBuf>,
    held: Option<OwnedFd>,
    waiting: Vec<u8>,
}

impl Terminal {
    /// Opens a new one, raw, for everyone to use, with a symbolic link on request. A link that
    /// is there is replaced; another file is not.
    pub(super) fn open(link: Option<&Path>) -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(name.as_bytes()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
        let mut terminal = Self { master, path, link: None, held: None, waiting: Vec::new() };
        terminal.hold()?;
        if let Some(link) = link {
            if link.symlink_metadata().is_ok_and(|there| there.is_symlink()) {
                fs::remove_file(link)?;
            }
            std::os::unix::fs::symlink(&terminal.path, link)?;
            terminal.link = Some(link.to_owned());
        }
        Ok(terminal)
    }

    /// Where programs open it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// For polling.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }

    /// Keeps the program's side open and raw from now on.
    pub(super) fn hold(&mut self) -> io::Result<()> {
        if self.held.is_some() {
            return Ok(());
        }
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let slave = rustix::fs::open(&self.path, flags, Mode::empty())?;
        let mut settings = tcgetattr(&slave)?;
        // A program that is there already has made its own settings.
        if settings.local_modes.contains(rustix::termios::LocalModes::ECHO) {
            settings.make_raw();
            tcsetattr(&slave, OptionalActions::Now, &settings)?;
        }
        self.held = Some(slave);
        Ok(())
    }

    /// Lets the closing of the program's side be seen.
    pub(super) fn let_go(&mut self) {
        self.held = None;
    }

    /// Forgets what no program has read.
    pub(super) fn forget_unread(&mut self) {
        self.waiting.clear();
        if let Some(slave) = &self.held {
            // Failing leaves some old RINGs for the next program, which is harmless.
            tcflush(slave, QueueSelector::IFlush).ok();
        }
    }

    /// Whether the program set the speed to 0.
    pub(super) fn is_dropped(&self) -> bool {
        tcgetattr(&self.master).is_ok_and(|settings| settings.output_speed() == 0)
    }

    /// Reads what the program wrote.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Input {
        match rustix::io::read(&self.master, buffer) {
            Ok(0) | Err(Errno::IO) => Input::Closed,
            Ok(n) => Input::Bytes(n),
            Err(_) => Input::Nothing,
        }
    }

    /// Whether something waits until the program reads.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Writes to the program now, or as soon as it reads.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        let room = MAX_WAITING - self.waiting.len();
        self.waiting.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.flush();
    }

    /// Writes what waits, as far as the program lets us.
    pub(super) fn flush(&mut self) {
        while !self.waiting.is_empty() {
            match rustix::io::write(&self.master, &self.waiting) {
                Ok(n) if n > 0 => drop(self.waiting.drain(..n)),
                _ => break,
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            // It may have been replaced or removed meanwhile.
            if fs::read_link(link).is_ok_and(|target| target == self.path) {
                fs::remove_file(link).ok();
            }
        }
    }
}
