//! What parent and child say to each other: headers in JSON, each with its
//! length in four bytes (little endian) before it, some with bytes after it.

use std::io;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::pages::{Look, kind::Kind, rasterise::Refusal};

/// Longest header in bytes.
pub(super) const MAX_HEADER_BYTES: u32 = 1 << 20;
/// Longest coded page in bytes.
pub(super) const MAX_PAGE_BYTES: u32 = 32 << 20;

/// The one thing that the parent says; what is to be drawn follows, and then fonts.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) look: Look,
    pub(super) max_pages: u32,
    /// Threads that may draw.
    pub(super) threads: u32,
    pub(super) input: Input,
    /// The size of each font in bytes.
    pub(super) fonts: Vec<u64>,
}

/// What follows.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Input {
    /// A document of so many bytes.
    Document { kind: Kind, bytes: u64 },
    /// Grey pages (binary PGM) until the input ends, in so many dots an inch, as another
    /// program has drawn them.
    Grey { across: u32, down: u32 },
    /// A TIFF-F of so many bytes, of which nothing is wanted but what its codes say.
    Codes { bytes: u64 },
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reply {
    /// So many more pages will come, unless the parent thinks that they are too many.
    Announces(u32),
    /// A page of MMR; its bytes follow.
    Page { width: u32, lines: u32, bytes: u32 },
    /// What a code on a page says.
    Code(String),
    /// The sender should know.
    Warning(String),
    /// The document cannot be drawn; the last word.
    Refused(Refusal),
    /// All is drawn; the last word.
    Done {
        /// There is no ink on any page.
        blank: bool,
    },
}

/// A header with its length before it.
pub(super) fn header<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(message)?;
    let length = u32::try_from(json.len()).ok().filter(|length| *length <= MAX_HEADER_BYTES);
    let length = length.ok_or_else(|| io::Error::other("a header is too long"))?;
    Ok([&length.to_le_bytes()[..], &json].concat())
}

/// A header without its length.
pub(super) fn parse<T: DeserializeOwned>(json: &[u8]) -> io::Result<T> {
    Ok(serde_json::from_slice(json)?)
}

/// The length that four bytes give, where it is allowed.
pub(super) fn length(bytes: [u8; 4]) -> io::Result<usize> {
    match u32::from_le_bytes(bytes) {
        length if length <= MAX_HEADER_BYTES => Ok(length as usize),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a header is too long")),
    }
}
