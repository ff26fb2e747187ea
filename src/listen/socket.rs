//! Sockets that are open, and stay so while what is served through them changes: a
//! server gets a copy, and who connects between two servers waits in the queue.

use std::{
    fs, io,
    net::TcpListener,
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use postfax_gateway::server::Socket;

use super::inherited::Inherited;
use crate::config::{Address, Listener, Role, UnixAddress};

/// The port that LMTP must not be spoken on (RFC 2033 5).
const SMTP_PORT: u16 = 25;

/// An open socket.
#[derive(Debug)]
pub(super) enum Bound {
    Tcp(TcpListener),
    /// With its name in a folder, where it is ours.
    Unix(
        UnixListener,
        #[expect(dead_code, reason = "it is there to be dropped with the socket")] Option<Name>,
    ),
}

/// The name of a socket of ours, removed with it.
#[derive(Debug)]
pub(super) struct Name {
    path: PathBuf,
    inode: u64,
}

/// Opens the sockets of a listener.
///
/// # Errors
/// What the system says, or in words why the listener does not suit the socket.
pub(super) async fn open(listener: &Listener, inherited: &Inherited) -> io::Result<Vec<Bound>> {
    let sockets = match &listener.address {
        Address::Tcp(address) => {
            let socket = tokio::net::TcpListener::bind(address).await?;
            vec![Bound::Tcp(socket.into_std()?)]
        }
        Address::Unix(unix) => vec![bind(unix)?],
        Address::Systemd(name) => handed_over(name, inherited)?,
    };
    suit(listener, &sockets)?;
    Ok(sockets)
}

/// Whether a listener may use these sockets.
///
/// # Errors
/// Why not, in words.
pub(super) fn suit(listener: &Listener, sockets: &[Bound]) -> io::Result<()> {
    sockets.iter().try_for_each(|socket| suits(listener, socket))
}

fn handed_over(name: &str, inherited: &Inherited) -> io::Result<Vec<Bound>> {
    let sockets = inherited.named(name);
    if sockets.is_empty() {
        let names: Vec<_> = inherited.names().collect();
        let there = match names.is_empty() {
            true => "none at all".to_owned(),
            false => names.join(", "),
        };
        let why = format!("systemd hands over no socket of that name, but {there}");
        return Err(io::Error::new(io::ErrorKind::NotFound, why));
    }
    sockets.iter().map(Bound::copy).collect()
}

/// What could not be seen in the configuration: whether systemd hands over TCP or unix.
fn suits(listener: &Listener, socket: &Bound) -> io::Result<()> {
    let somebody = !listener.trust.is_empty() || !listener.verify.is_empty();
    let wrong = match (socket, listener.role) {
        (Bound::Tcp(socket), Role::Lmtp) if socket.local_addr()?.port() == SMTP_PORT => {
            "LMTP is never spoken on port 25"
        }
        (Bound::Tcp(_), _) if !listener.users.is_empty() => {
            "it is a TCP socket, and only behind a unix socket users are known: leave users out"
        }
        (Bound::Tcp(_), Role::Relay | Role::Lmtp) if !somebody => {
            "it is a TCP socket, and nobody could ever send here: add trust or verify"
        }
        (Bound::Unix(..), Role::Submission | Role::Submissions) => {
            "it is a unix socket, and mail clients come by TCP"
        }
        (Bound::Unix(..), _) if somebody || !listener.proxy.is_empty() => {
            "it is a unix socket, and no host comes by that: leave trust, verify and proxy out"
        }
        _ => return Ok(()),
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, wrong))
}

/// Nobody else can open the socket before it has its owner and its mode: the program
/// makes files for itself alone.
fn bind(unix: &UnixAddress) -> io::Result<Bound> {
    let path = &unix.path;
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is not a socket"));
        }
        Ok(_) if UnixStream::connect(path).is_ok() => {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody listens there"));
        }
        // An earlier life left it behind.
        Ok(_) => fs::remove_file(path)?,
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    let name = Name { path: path.clone(), inode: fs::symlink_metadata(path)?.ino() };
    let bound = Bound::Unix(listener, Some(name));
    admit(unix)?;
    Ok(bound)
}

/// Gives a socket to its owner, and its mode.
///
/// # Errors
/// Those of the system, most often that only root may give a file away.
pub(super) fn admit(unix: &UnixAddress) -> io::Result<()> {
    let told = |what: &str, failed: io::Error| {
        io::Error::new(failed.kind(), format!("its {what} cannot be set: {failed}"))
    };
    if unix.user.is_some() || unix.group.is_some() {
        chown(&unix.path, unix.user, unix.group).map_err(|failed| told("owner", failed))?;
    }
    let mode = fs::Permissions::from_mode(unix.mode);
    fs::set_permissions(&unix.path, mode).map_err(|failed| told("mode", failed))
}

impl Bound {
    /// The same socket once more.
    fn copy(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(socket) => Self::Tcp(socket.try_clone()?),
            Self::Unix(socket, _) => Self::Unix(socket.try_clone()?, None),
        })
    }

    /// A copy to serve through.
    pub(super) fn socket(&self) -> io::Result<Socket> {
        Ok(match self {
            Self::Tcp(socket) => {
                let socket = socket.try_clone()?;
                socket.set_nonblocking(true)?;
                tokio::net::TcpListener::from_std(socket)?.into()
            }
            Self::Unix(socket, _) => {
                let socket = socket.try_clone()?;
                socket.set_nonblocking(true)?;
                tokio::net::UnixListener::from_std(socket)?.into()
            }
        })
    }

    /// Its address, for a log.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Tcp(socket) => socket.local_addr().map(|a| a.to_string()).unwrap_or_default(),
            Self::Unix(socket, _) => {
                let address = socket.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                format!("unix:{}", path.unwrap_or(Path::new("")).display())
            }
        }
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        // Whoever took the name meanwhile keeps it.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(folder: &Path) -> UnixAddress {
        UnixAddress { path: folder.join("lmtp.sock"), mode: 0o620, user: None, group: None }
    }

    #[test]
    fn a_socket_has_its_mode_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let address = address(folder.path());
        let bound = bind(&address).unwrap();
        let mode = fs::metadata(&address.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o620);
        assert_eq!(bind(&address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(bound);
        assert!(!address.path.exists());
    }

    #[test]
    fn what_an_earlier_life_left_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let address = address(folder.path());
        drop(UnixListener::bind(&address.path).unwrap());
        assert!(address.path.exists(), "it was left behind");
        let first = bind(&address).unwrap();
        fs::remove_file(&address.path).unwrap();
        let _second = bind(&address).unwrap();
        drop(first);
        assert!(address.path.exists(), "it is another's now");
        fs::remove_file(&address.path).unwrap();
        fs::write(&address.path, "").unwrap();
        assert_eq!(bind(&address).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(address.path.exists());
    }
}
