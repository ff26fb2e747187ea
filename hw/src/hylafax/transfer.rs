//! Data connections: files and listings, both ways.
//!
//! We connect to the port that the server names, always at the host of the control
//! connection: what the server says about its own address is not believed.
//!
//! Why a refused transfer keeps its connection as a *spare*: hfaxd goes on listening
//! where it told us to connect, and takes the connection that waits there for the
//! next transfer. After `PASV` a new one would never be served.

use std::{net::SocketAddr, path::Path, time::Duration};

use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    session::Session,
    wire::{Fault, Reply},
};

/// Longest silence on a data connection, in seconds.
const SILENCE_S: u64 = 60;
/// Size of the pieces that are read and written, in bytes.
const PIECE_BYTES: usize = 32 * 1024;

const SILENCE: Duration = Duration::from_secs(SILENCE_S);

impl Session {
    /// Runs a command that sends us a file, and copies it to `sink`.
    ///
    /// # Errors
    /// More than `max_bytes`, or another number than the server announced, is an
    /// error too.
    pub(super) async fn receive_file<W: AsyncWrite + Unpin>(
        &mut self,
        command: &str,
        sink: &mut W,
        max_bytes: u64,
    ) -> Result<(), Fault> {
        let (reply, got) = self.receive(command, 0, sink, max_bytes).await?;
        match announced(&reply) {
            Some(size) if size != got => {
                Err(Fault::broken(format!("{got} of {size} bytes were transferred")))
            }
            _ => Ok(()),
        }
    }

    /// Runs a command that sends us text. The size that the server announces is not
    /// looked at: of files that change it is an old one.
    pub(super) async fn receive_text(
        &mut self,
        command: &str,
        max_bytes: u64,
    ) -> Result<String, Fault> {
        self.receive_end(command, 0, max_bytes).await
    }

    /// The same, beginning with the byte `from`.
    pub(super) async fn receive_end(
        &mut self,
        command: &str,
        from: u64,
        max_bytes: u64,
    ) -> Result<String, Fault> {
        let mut text = Vec::new();
        self.receive(command, from, &mut text, max_bytes).await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Uploads a file that the server forgets with the session unless a job takes
    /// it (`STOT`), and returns what the server calls it.
    pub(super) async fn store_temporary(&mut self, path: &Path) -> Result<String, Fault> {
        let local = |error| Fault::Local(path.to_owned(), error);
        let mut file = File::open(path).await.map_err(local)?;
        let (mut data, reply) = self.begin("STOT", 0).await?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let n = file.read(&mut piece).await.map_err(local)?;
            if n == 0 {
                break;
            }
            timeout(SILENCE, data.write_all(&piece[..n]))
                .await
                .map_err(|_| Fault::broken("the server stopped in the middle of a transfer"))?
                .map_err(Fault::broken)?;
        }
        data.shutdown().await.map_err(Fault::broken)?;
        self.finish().await?;
        stored_name(&reply).ok_or_else(|| Fault::broken("the server did not name the upload"))
    }

    /// Runs a command that sends us a file, and takes it only when it is whole: a
    /// connection that ends too early looks like an end.
    pub(super) async fn receive_whole(
        &mut self,
        command: &str,
        max_bytes: u64,
    ) -> Result<Vec<u8>, Fault> {
        let mut octets = Vec::new();
        let (reply, got) = self.receive(command, 0, &mut octets, max_bytes).await?;
        match announced(&reply) {
            Some(size) if size == got => Ok(octets),
            Some(size) => Err(Fault::broken(format!("{got} of {size} bytes were transferred"))),
            None => Err(Fault::broken("the server does not say how long the file is")),
        }
    }

    /// Runs a command that takes a file from us. All of it is sent before the command
    /// is, so that a server that has the command waits for nothing.
    pub(super) async fn store(&mut self, command: &str, octets: &[u8]) -> Result<(), Fault> {
        let mut data = match self.spare.take() {
            Some(spare) => spare,
            None => self.open_data().await?,
        };
        let sent = async {
            data.write_all(octets).await?;
            data.shutdown().await
        };
        timeout(SILENCE, sent)
            .await
            .map_err(|_| Fault::broken("the server takes no data"))?
            .map_err(Fault::broken)?;
        let reply = self.control.ask(command).await?;
        if reply.is_preliminary() {
            self.finish().await
        } else {
            // What was sent waits at the server: the next transfer would get it.
            self.stale = true;
            Err(Fault::Refused(reply))
        }
    }

    async fn receive<W: AsyncWrite + Unpin>(
        &mut self,
        command: &str,
        from: u64,
        sink: &mut W,
        max_bytes: u64,
    ) -> Result<(Reply, u64), Fault> {
        let (mut data, reply) = self.begin(command, from).await?;
        let mut piece = vec![0; PIECE_BYTES];
        let mut got: u64 = 0;
        loop {
            let n = timeout(SILENCE, data.read(&mut piece))
                .await
                .map_err(|_| Fault::broken("the server stopped in the middle of a transfer"))?
                .map_err(Fault::broken)?;
            if n == 0 {
                break;
            }
            got += n as u64;
            if got > max_bytes {
                return Err(Fault::broken("the server sends more than is allowed"));
            }
            sink.write_all(&piece[..n]).await.map_err(|error| Fault::Local("".into(), error))?;
        }
        drop(data);
        self.finish().await?;
        Ok((reply, got))
    }

    /// The data connection and the preliminary reply of a transfer that has begun.
    async fn begin(&mut self, command: &str, from: u64) -> Result<(TcpStream, Reply), Fault> {
        let data = match self.spare.take() {
            Some(spare) => spare,
            None => self.open_data().await?,
        };
        if from > 0 {
            // Any command between this one and the transfer would undo it.
            let mark = self.control.ask(&format!("REST {from}")).await?;
            if mark.code != 350 {
                self.spare = Some(data);
                return Err(Fault::Refused(mark));
            }
        }
        let reply = self.control.ask(command).await?;
        if reply.is_preliminary() {
            Ok((data, reply))
        } else {
            self.spare = Some(data);
            Err(Fault::Refused(reply))
        }
    }

    async fn finish(&mut self) -> Result<(), Fault> {
        let reply = self.control.reply().await?;
        if reply.is_done() { Ok(()) } else { Err(Fault::Refused(reply)) }
    }

    async fn open_data(&mut self) -> Result<TcpStream, Fault> {
        let extended = self.control.ask("EPSV").await?;
        let port = if extended.code == 229 {
            extended_port(extended.text())
        } else {
            passive_port(self.control.demand("PASV").await?.text())
        };
        let port = port.ok_or_else(|| Fault::broken("the server names no data port"))?;
        let address = SocketAddr::new(self.control.peer()?.ip(), port);
        let data = timeout(self.connect_limit, TcpStream::connect(address))
            .await
            .map_err(|_| Fault::broken(format!("data port {port} does not answer")))?
            .map_err(|error| Fault::broken(format!("data port {port}: {error}")))?;
        data.set_nodelay(true).map_err(Fault::broken)?;
        Ok(data)
    }
}

/// `Entering Extended Passive Mode (|||5282|)` (RFC 2428 3).
fn extended_port(text: &str) -> Option<u16> {
    let inner = text.rsplit_once('(')?.1.split(')').next()?;
    let mark = inner.chars().next()?;
    inner.trim_matches(mark).parse().ok().filter(|port| *port != 0)
}

/// `Entering passive mode (127,0,0,1,20,162)`; the host is not looked at.
fn passive_port(text: &str) -> Option<u16> {
    let inner = text.rsplit_once('(')?.1.split(')').next()?;
    let numbers: Vec<u8> = inner.split(',').filter_map(|n| n.trim().parse().ok()).collect();
    match numbers[..] {
        [_, _, _, _, high, low] => Some(u16::from_be_bytes([high, low])).filter(|port| *port != 0),
        _ => None,
    }
}

/// `... for /recvq/fax00001.tif (18663 bytes).`
fn announced(reply: &Reply) -> Option<u64> {
    let inner = reply.text().rsplit_once('(')?.1;
    inner.split_once(" bytes)")?.0.parse().ok()
}

/// `FILE: /tmp/doc123.ps (Opening new data connection).`
fn stored_name(reply: &Reply) -> Option<String> {
    let name = reply.text().split_once("FILE: ")?.1.split_whitespace().next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    (name.starts_with('/') && name.chars().all(plain)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply { code: 150, lines: vec![text.to_owned()] }
    }

    #[test]
    fn ports_are_read() {
        for (text, port) in [
            ("Entering Extended Passive Mode (|||5282|)", Some(5282)),
            ("Entering Extended Passive Mode (!!!1!)", Some(1)),
            ("Entering Extended Passive Mode (|||0|)", None),
            ("Entering Extended Passive Mode (|||99999|)", None),
            ("Entering Extended Passive Mode", None),
            ("()", None),
        ] {
            assert_eq!(extended_port(text), port, "{text}");
        }
        for (text, port) in [
            ("Entering passive mode (127,0,0,1,20,162)", Some(20 * 256 + 162)),
            ("Entering passive mode (10,9,8,7,0,0)", None),
            ("Entering passive mode (127,0,0,1,20)", None),
            ("Entering passive mode (127,0,0,1,20,300)", None),
        ] {
            assert_eq!(passive_port(text), port, "{text}");
        }
    }

    #[test]
    fn what_the_server_says_of_a_transfer_is_read() {
        let of = "Opening new data connection for /recvq/fax1.tif (18663 bytes).";
        assert_eq!(announced(&reply(of)), Some(18663));
        assert_eq!(announced(&reply("Opening new data connection for \"/sendq\".")), None);
        let name = stored_name(&reply("FILE: /tmp/doc1.ps (Opening new data connection)."));
        assert_eq!(name.as_deref(), Some("/tmp/doc1.ps"));
        assert_eq!(stored_name(&reply("FILE: /tmp/a\"b (Opening).")), None);
        assert_eq!(stored_name(&reply("Opening.")), None);
    }
}
