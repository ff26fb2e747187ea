//! What is listened on, TCP or unix, and who came in by it. Knows no mail.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
};
use tracing::debug;

use crate::desk::Process;

/// A socket that connections are accepted from.
#[derive(Debug)]
pub enum Socket {
    /// An address and a port.
    Tcp(TcpListener),
    /// A path on this host. Whoever may open it may connect.
    Unix(UnixListener),
}

impl From<TcpListener> for Socket {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl From<UnixListener> for Socket {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}

/// Plain or encrypted.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Who is at the other end, before they said anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller {
    /// Loopback for a process behind a unix socket.
    pub(super) address: IpAddr,
    pub(super) process: Option<Process>,
}

impl Socket {
    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<(Box<dyn Stream>, Caller)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                let address = peer.ip().to_canonical();
                // Replies are small and waited for; a stall of 40 ms each would be all
                // that is seen.
                if let Err(error) = stream.set_nodelay(true) {
                    debug!(%address, %error, "no TCP_NODELAY");
                }
                Ok((Box::new(stream), Caller { address, process: None }))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let about = stream.peer_cred()?;
                let process = Some(Process { uid: about.uid(), gid: about.gid() });
                let address = Ipv4Addr::LOCALHOST.into();
                Ok((Box::new(stream), Caller { address, process }))
            }
        }
    }
}
