//! Octets to and from the far end, each with its time limit. Knows lines and
//! replies, but not what was asked.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    time::timeout,
};

use super::{Stage, Trouble, reply::Reply};

/// Octets of one reply line; RFC 5321 4.5.3.1.5 asks for 512.
const MAX_REPLY_LINE_BYTES: u64 = 4096;
/// Octets of one reply with all its lines.
const MAX_REPLY_BYTES: usize = 64 << 10;

/// A connection of any kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// An open connection.
pub(super) struct Wire(BufReader<Box<dyn Stream>>);

impl Wire {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self(BufReader::new(stream))
    }

    /// The connection below, to put TLS on it. Octets that came before the
    /// handshake could be anybody's, so there must be none.
    pub(super) fn into_stream(self) -> Result<Box<dyn Stream>, Trouble> {
        if self.0.buffer().is_empty() {
            Ok(self.0.into_inner())
        } else {
            Err(Trouble::Garbled(Stage::StartTls))
        }
    }

    pub(super) async fn send(
        &mut self,
        octets: &[u8],
        within: Duration,
        stage: Stage,
    ) -> Result<(), Trouble> {
        let sending = async {
            self.0.write_all(octets).await?;
            self.0.flush().await
        };
        match timeout(within, sending).await {
            Err(_) => Err(Trouble::Timeout(stage)),
            Ok(Err(_)) => Err(Trouble::Closed(stage)),
            Ok(Ok(())) => Ok(()),
        }
    }

    pub(super) async fn reply(&mut self, within: Duration, stage: Stage) -> Result<Reply, Trouble> {
        match timeout(within, self.read_reply()).await {
            Err(_) => Err(Trouble::Timeout(stage)),
            Ok(Err(_)) => Err(Trouble::Closed(stage)),
            Ok(Ok(None)) => Err(Trouble::Garbled(stage)),
            Ok(Ok(Some(reply))) => Ok(reply),
        }
    }

    /// Nothing if what came is no reply.
    async fn read_reply(&mut self) -> io::Result<Option<Reply>> {
        let mut text: Vec<u8> = Vec::new();
        loop {
            let begin = text.len();
            let mut limited = (&mut self.0).take(MAX_REPLY_LINE_BYTES);
            limited.read_until(b'\n', &mut text).await?;
            let line = &text[begin..];
            if line.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if !line.ends_with(b"\n") {
                let too_long = line.len() as u64 == MAX_REPLY_LINE_BYTES;
                return if too_long { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            let goes_on = line.get(3) == Some(&b'-');
            mend_end(&mut text);
            if text.len() > MAX_REPLY_BYTES {
                return Ok(None);
            }
            if !goes_on {
                return Ok(Reply::read(&String::from_utf8_lossy(&text)));
            }
        }
    }
}

/// Some hosts end replies with LF or leave the space after the code away.
fn mend_end(text: &mut Vec<u8>) {
    while matches!(text.last(), Some(b'\r' | b'\n')) {
        text.pop();
    }
    let line = text.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at + 1);
    if text.len() - line == 3 {
        text.push(b' ');
    }
    text.extend_from_slice(b"\r\n");
}
