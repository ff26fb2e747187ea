//! A message while it comes in: in memory as long as it is small, else in a file, which
//! is removed again unless the message arrives whole.
//!
//! Why not always in a file: most messages are small, and who takes a message may have
//! a cheaper way to make it durable than a file, its name and a sync of their own.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use bytes::Bytes;
use tokio::task::spawn_blocking;

/// How much is held in memory and written at a time, in octets.
const BUFFER_BYTES: usize = 64 << 10;

/// A message on its way to the disk.
#[derive(Debug)]
pub(super) struct Spool {
    place: Place,
    /// What is not in the file yet.
    buffer: Vec<u8>,
    bytes: u64,
}

/// A message that came whole.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) path: PathBuf,
    /// The message, when no file was made.
    pub(super) held: Option<Bytes>,
    pub(super) bytes: u64,
}

/// A file that is removed when this is dropped.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    /// None before the first octet is written.
    file: Option<File>,
    kept: bool,
}

impl Spool {
    /// A message that will lie at `path`, where no file may be, readable for its owner
    /// alone; `head` is its beginning.
    pub(super) fn new(path: PathBuf, head: &[u8]) -> Self {
        let place = Place { path, file: None, kept: false };
        Self { place, buffer: head.to_vec(), bytes: head.len() as u64 }
    }

    pub(super) async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.bytes += octets.len() as u64;
        self.buffer.extend_from_slice(octets);
        if self.buffer.len() < BUFFER_BYTES {
            return Ok(());
        }
        self.with_file(|place, buffer| place.append(buffer)).await
    }

    /// Gives the message away: a small one as it is, a large one in a file, which is made
    /// durable. Its name is not: whoever takes it gives it another one.
    pub(super) async fn keep(mut self) -> io::Result<Kept> {
        let held = self.place.file.is_none().then(|| std::mem::take(&mut self.buffer).into());
        if held.is_none() {
            self.with_file(|place, buffer| {
                place.append(buffer)?;
                place.file.as_ref().map_or(Ok(()), File::sync_data)
            })
            .await?;
        }
        self.place.kept = true;
        Ok(Kept { path: self.place.path.clone(), held, bytes: self.bytes })
    }

    /// Works on the file where nobody waits, and empties the buffer.
    async fn with_file(
        &mut self,
        work: impl FnOnce(&mut Place, &[u8]) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let nothing = Place { path: PathBuf::new(), file: None, kept: true };
        let mut place = std::mem::replace(&mut self.place, nothing);
        let mut buffer = std::mem::take(&mut self.buffer);
        let worked = spawn_blocking(move || {
            let done = work(&mut place, &buffer);
            buffer.clear();
            (place, buffer, done)
        });
        let (place, buffer, done) = worked.await.map_err(io::Error::other)?;
        (self.place, self.buffer) = (place, buffer);
        done
    }
}

impl Place {
    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            let mut new = OpenOptions::new();
            self.file = Some(new.write(true).create_new(true).mode(0o600).open(&self.path)?);
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(octets))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.kept || self.file.is_none() {
            return;
        }
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a refused message");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_is_kept_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one");
        let mut spool = Spool::new(path.clone(), b"head\r\n");
        spool.write(b"text\r\n").await.unwrap();
        let kept = spool.keep().await.unwrap();
        assert_eq!((kept.held.as_deref(), kept.bytes), (Some(&b"head\r\ntext\r\n"[..]), 12));
        assert!(!path.exists(), "a small message needs no file");
        let mut large = Spool::new(path.clone(), b"head");
        large.write(&[b'x'; BUFFER_BYTES]).await.unwrap();
        let kept = large.keep().await.unwrap();
        assert_eq!((kept.held, kept.bytes), (None, BUFFER_BYTES as u64 + 4));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), kept.bytes);
        let mut other = Spool::new(path.clone(), b"");
        assert!(other.write(&[0; BUFFER_BYTES]).await.is_err(), "never another's file");
        drop(other);
        assert!(path.exists(), "and never removes it");
        let other = folder.path().join("two");
        let mut large = Spool::new(other.clone(), b"head");
        for _ in 0..3 {
            large.write(&[b'x'; BUFFER_BYTES - 1]).await.unwrap();
        }
        assert!(std::fs::metadata(&other).unwrap().len() > BUFFER_BYTES as u64);
        assert!(large.buffer.len() < BUFFER_BYTES, "little is held in memory");
        drop(large);
        assert!(!other.exists());
    }
}
