//! Documents: pages at rest, and the ledger of what became of them on a call.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// The digest that names a document's file: 64 hexadecimal digits of SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub String);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Pages at rest: a TIFF-F file of bi-level pages in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Names the file.
    pub digest: Digest,
    /// How many pages it has, at least 1.
    pub pages: u32,
    /// Lines an inch.
    pub resolution: Resolution,
    /// Size of the coded pages in bytes, for forecasts.
    pub bytes: u64,
}

/// Vertical resolution of the pages (T.30 table 2); always 204 dots an inch across.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// 98 lines an inch, 3.85 a millimetre.
    Standard,
    /// 196 lines an inch, 7.7 a millimetre.
    #[default]
    Fine,
    /// 391 lines an inch, 15.4 a millimetre.
    Superfine,
}

impl Resolution {
    /// Lines an inch.
    #[must_use]
    pub fn lines_per_inch(self) -> u32 {
        match self {
            Self::Standard => 98,
            Self::Fine => 196,
            Self::Superfine => 391,
        }
    }
}

/// What a call has confirmed, page by page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PageLedger {
    /// Pages that the remote machine confirmed, counted from the first page of the attempt.
    pub confirmed: u32,
    /// What the remote machine calls itself (CSI), when it said so.
    pub remote_id: Option<String>,
    /// Signalling rate in bit/s, when known.
    pub bit_rate: Option<u32>,
    /// How long the call has lasted.
    pub duration: Duration,
}
