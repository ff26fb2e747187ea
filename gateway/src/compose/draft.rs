//! A mail while it is written: in memory as long as it is small, else in a file. Makes
//! nothing durable.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use super::ComposeError;
use crate::client::Body;

/// Octets of a mail that are held in memory. Most mails are a page and its picture.
const MAX_HELD_BYTES: usize = 256 << 10;

/// A mail of which the end is still to come.
pub(crate) struct Draft<'a> {
    path: &'a Path,
    /// None before the first octet is written.
    file: Option<File>,
    /// What is not in the file yet.
    held: Vec<u8>,
}

/// Writes a mail, a large one to a new file at `path`; after an error no file is left.
pub(crate) fn write_body(
    path: &Path,
    write: impl FnOnce(&mut Draft<'_>) -> Result<(), ComposeError>,
) -> Result<Body, ComposeError> {
    let mut draft = Draft { path, file: None, held: Vec::new() };
    let written = write(&mut draft).and_then(|()| Ok(draft.flush()?));
    match (written, draft.file) {
        (Ok(()), None) => Ok(Body::Bytes(draft.held.into())),
        (Ok(()), Some(_)) => Ok(Body::File(path.to_owned())),
        (Err(failed), file) => {
            if file.is_some() {
                let _ = fs::remove_file(path);
            }
            Err(failed)
        }
    }
}

impl Write for Draft<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.held.len() + octets.len() > MAX_HELD_BYTES {
            if self.file.is_none() {
                self.file = Some(File::create(self.path)?);
            }
            self.flush()?;
        }
        self.held.extend_from_slice(octets);
        Ok(octets.len())
    }

    /// What is in memory alone stays there.
    fn flush(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(&self.held)?;
        self.held.clear();
        Ok(())
    }
}
