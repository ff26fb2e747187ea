//! Documents over a connection: pieces with a digest at the end, as many at a time as the
//! receiver has asked for. What does not come whole is not kept.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sha2::{Digest as _, Sha256};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{Semaphore, mpsc},
};

use super::{
    frame::{Frame, Kind, MAX_CHUNK},
    link::Out,
    message::{self, End},
};

/// Pieces that may be on their way.
pub(super) const WINDOW: u32 = 8;
/// Most octets of one document.
pub(super) const MAX_DOCUMENT: u64 = 512 << 20;

/// What comes of a document.
#[derive(Debug)]
pub(super) enum Piece {
    /// Octets of it.
    Octets(Vec<u8>),
    /// All of it has come.
    End(End),
}

/// Why a document did not go over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// The file here.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What came is not what was sent.
    #[error("{0}")]
    Damaged(String),
    /// The connection is over.
    #[error("the connection broke in the middle of a document")]
    Lost,
}

/// A file that is removed unless it is kept.
pub(super) struct Temporary(pub(super) PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // It may have been put into its place.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Sends a file, as the receiver gives credit. `whole` becomes true before the end of it
/// can have gone out: from then on the other side may have all of it.
pub(super) async fn send(
    file: &Path,
    request: u32,
    out: &Out,
    credit: &Arc<Semaphore>,
    whole: &AtomicBool,
) -> Result<(), Failed> {
    let at = |source| Failed::File { path: file.to_owned(), source };
    let mut from = File::open(file).await.map_err(at)?;
    let (mut digest, mut length) = (Sha256::new(), 0);
    loop {
        let mut body = Vec::with_capacity(MAX_CHUNK);
        let read = (&mut from).take(MAX_CHUNK as u64).read_to_end(&mut body).await.map_err(at)?;
        if read == 0 {
            break;
        }
        digest.update(&body);
        length += read as u64;
        credit.acquire().await.map_err(|_| Failed::Lost)?.forget();
        if !out.send(Frame { kind: Kind::Chunk, request, body }).await {
            return Err(Failed::Lost);
        }
    }
    let sha256 = hex(&digest.finalize());
    whole.store(true, Ordering::SeqCst);
    let end = message::frame(Kind::End, request, &End { length, sha256 });
    if out.send(end).await { Ok(()) } else { Err(Failed::Lost) }
}

/// Receives a document into a new file and makes it durable there. What is not whole is
/// removed.
pub(super) async fn receive(
    pieces: &mut mpsc::Receiver<Piece>,
    request: u32,
    out: &Out,
    into: &Path,
) -> Result<(), Failed> {
    let at = |source| Failed::File { path: into.to_owned(), source };
    let mut file = File::create(into).await.map_err(at)?;
    let (mut digest, mut length) = (Sha256::new(), 0_u64);
    out.grant(request, WINDOW);
    let end = loop {
        match pieces.recv().await.ok_or(Failed::Lost)? {
            Piece::Octets(octets) => {
                length += octets.len() as u64;
                if length > MAX_DOCUMENT {
                    return Err(Failed::Damaged(format!("it has more than {MAX_DOCUMENT} octets")));
                }
                digest.update(&octets);
                file.write_all(&octets).await.map_err(at)?;
                out.grant(request, 1);
            }
            Piece::End(end) => break end,
        }
    };
    let came = hex(&digest.finalize());
    if (end.length, &end.sha256) != (length, &came) {
        let said = format!("{} octets with SHA-256 {}", end.length, end.sha256);
        return Err(Failed::Damaged(format!(
            "{length} octets with SHA-256 {came} came for {said}"
        )));
    }
    file.flush().await.map_err(at)?;
    file.sync_all().await.map_err(at)
}

/// Octets as hexadecimal digits.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
