//! What parent and child say to each other: headers in JSON, each with its
//! length in four bytes (little endian) before it, some with bytes after it.

use std::io;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::pages::{Look, kind::Kind, rasterise::Refusal};

/// Longest header in bytes.
pub(super) const MAX_HEADER_BYTES: u32 = 1 << 20;
/// Longest coded page in bytes.
pub(super) const MAX_PAGE_BYTES: u32 = 32 << 20;

/// The one thing that the parent says; the documents follow in order.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    #[serde(default)]
    pub(super) task: Task,
    pub(super) look: Look,
    pub(super) memory_bytes: u64,
    pub(super) cpu_s: u64,
    pub(super) max_pages: u32,
    pub(super) documents: Vec<Document>,
}

/// What is to become of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Task {
    /// Pages.
    #[default]
    Draw,
    /// The texts of the codes on them; they are fax pages already.
    Codes,
}

/// A document that follows.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Document {
    pub(super) kind: Kind,
    pub(super) bytes: u64,
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reply {
    /// It turns to the next document.
    Begins,
    /// A page of MMR; its bytes follow.
    Page { width: u32, lines: u32, bytes: u32 },
    /// What a code on a page says.
    Code(String),
    /// The sender should know.
    Warning(String),
    /// The current document cannot be drawn; the last word.
    Refused(Refusal),
    /// All are drawn; the last word.
    Done,
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
