//! The file that a message is written to while it comes in. It is removed again
//! unless the message arrives whole.

use std::{io, path::PathBuf};

use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncWriteExt, BufWriter},
};

/// How much is written at a time, in octets.
const BUFFER_BYTES: usize = 64 << 10;

/// A message on its way to the disk.
#[derive(Debug)]
pub(super) struct Spool {
    place: Place,
    file: BufWriter<File>,
    bytes: u64,
}

/// A path whose file is removed when this is dropped.
#[derive(Debug)]
struct Place(Option<PathBuf>);

impl Spool {
    /// Makes the file, which must not exist yet, readable for its owner alone.
    pub(super) async fn create(path: PathBuf, head: &[u8]) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).await?;
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        let mut spool = Self { place: Place(Some(path)), file, bytes: 0 };
        spool.write(head).await?;
        Ok(spool)
    }

    pub(super) async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.bytes += octets.len() as u64;
        self.file.write_all(octets).await
    }

    /// Makes the file durable and gives it away. Its name is not: whoever takes it
    /// gives it another one.
    pub(super) async fn keep(mut self) -> io::Result<(PathBuf, u64)> {
        self.file.flush().await?;
        self.file.get_ref().sync_all().await?;
        let path = self.place.0.take().expect("only taken here");
        Ok((path, self.bytes))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(path) = self.0.take()
            && let Err(error) = std::fs::remove_file(&path)
        {
            tracing::warn!(path = %path.display(), %error, "cannot remove a refused message");
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
        let mut spool = Spool::create(path.clone(), b"head\r\n").await.unwrap();
        assert!(Spool::create(path.clone(), b"").await.is_err(), "never another's file");
        assert!(path.exists(), "and never removes it");
        spool.write(b"text\r\n").await.unwrap();
        assert_eq!(spool.keep().await.unwrap(), (path.clone(), 12));
        assert_eq!(std::fs::read(&path).unwrap(), b"head\r\ntext\r\n");
        let other = folder.path().join("two");
        drop(Spool::create(other.clone(), b"head").await.unwrap());
        assert!(!other.exists());
    }
}
