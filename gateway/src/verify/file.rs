//! A message in a file, as far as DKIM needs it: the header fields in memory, and
//! of the body only its hashes (RFC 6376 3.4, 3.7).

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use mail_auth::{
    AuthenticatedMessage,
    common::crypto::{HashAlgorithm, HashContext as _, HashImpl as _, Sha256},
    dkim::{Canonicalization, canonicalize::BodyHasher},
};

/// Largest header section in octets; what is sorted into parts has the same limit.
pub(super) const MAX_FIELDS_BYTES: usize = 512 << 10;
/// How much is read at a time, in octets.
const READ_BYTES: usize = 64 << 10;
/// Between the header section and the body.
const BOUNDARY: &[u8] = b"\r\n\r\n";
/// A message without it has no body that must be hashed.
const SIGNATURE: &[u8] = b"\r\ndkim-signature";

/// The header fields of a message, and the SHA-256 of its body in both forms.
pub(super) struct Head {
    /// The header section with the empty line after it.
    pub(super) fields: Vec<u8>,
    relaxed: Vec<u8>,
    simple: Vec<u8>,
}

impl Head {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, or its header section is too large.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let (fields, rest) = fields(&mut file)?;
        let mut head = Self { fields, relaxed: Vec::new(), simple: Vec::new() };
        let lower = head.fields.to_ascii_lowercase();
        if !lower.windows(SIGNATURE.len()).any(|window| window == SIGNATURE) {
            return Ok(head);
        }
        let forms = [Canonicalization::Relaxed, Canonicalization::Simple];
        let mut hashers = forms.map(|form| BodyHasher::new(Sha256::hasher(), form, 0));
        let mut buffer = vec![0; READ_BYTES];
        hashers.iter_mut().for_each(|hasher| hasher.write(&rest));
        loop {
            let count = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hashers.iter_mut().for_each(|hasher| hasher.write(&buffer[..count]));
        }
        let hashes = hashers.map(|hasher| hasher.finish().0.complete().as_ref().to_vec());
        [head.relaxed, head.simple] = hashes;
        Ok(head)
    }

    /// Gives a message that was read from these fields the hashes of its body.
    pub(super) fn put_hashes(&self, message: &mut AuthenticatedMessage<'_>) {
        for (form, algorithm, _, hash) in &mut message.body_hashes {
            *hash = match (algorithm, form) {
                (HashAlgorithm::Sha256, Canonicalization::Relaxed) => self.relaxed.clone(),
                (HashAlgorithm::Sha256, Canonicalization::Simple) => self.simple.clone(),
                // Nothing that is signed with SHA-1 is looked at.
                (HashAlgorithm::Sha1, _) => Vec::new(),
            };
        }
    }
}

/// The header section with its empty line, and what was read of the body besides.
pub(super) fn fields(file: &mut impl Read) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut fields = Vec::with_capacity(READ_BYTES);
    loop {
        let before = fields.len();
        if file.by_ref().take(READ_BYTES as u64).read_to_end(&mut fields)? == 0 {
            return Ok((fields, Vec::new()));
        }
        let from = before.saturating_sub(BOUNDARY.len() - 1);
        let found = fields[from..].windows(BOUNDARY.len()).position(|window| window == BOUNDARY);
        if let Some(at) = found {
            let rest = fields.split_off(from + at + BOUNDARY.len());
            return Ok((fields, rest));
        }
        if fields.len() > MAX_FIELDS_BYTES {
            return Err(io::Error::other("its header fields are too large"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_begins_after_the_first_empty_line() {
        let long = format!("A: {}\r\n\r\nbody\r\n\r\nmore", "x".repeat(READ_BYTES - 6));
        for text in ["A: 1\r\nB: 2\r\n\r\nbody\r\n\r\nmore", &long, "A: 1\r\n\r\n", "A: 1\r\n"] {
            let (head, rest) = fields(&mut text.as_bytes()).unwrap();
            let (expected, body) = text.split_once("\r\n\r\n").unwrap_or((text.trim_end(), ""));
            assert_eq!(String::from_utf8(head).unwrap().trim_end(), expected);
            assert!(body.as_bytes().starts_with(&rest), "{rest:?}");
        }
        let endless = "A: 1\r\n".repeat(MAX_FIELDS_BYTES / 6 + READ_BYTES);
        assert!(fields(&mut endless.as_bytes()).is_err());
    }
}
