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
    /// Dots an inch.
    pub resolution: Resolution,
    /// The paper of its widest page.
    #[serde(default)]
    pub paper: Paper,
    /// Size of the coded pages in bytes, for forecasts.
    pub bytes: u64,
}

impl Document {
    /// What a fax server must be able to take.
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape { resolution: self.resolution, paper: self.paper }
    }
}

/// Dots an inch of the pages, across and down (T.30 table 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Resolution {
    /// R8: 204 dots an inch by 98 lines, 3.85 a millimetre.
    #[serde(rename = "standard")]
    Standard,
    /// R8: 204 by 196, 7.7 lines a millimetre.
    #[default]
    #[serde(rename = "fine")]
    Fine,
    /// R8: 204 by 391, 15.4 lines a millimetre.
    #[serde(rename = "superfine")]
    Superfine,
    /// 300 by 300.
    #[serde(rename = "300x300")]
    Dots300,
    /// 400 by 400; machines take it for R16, 408 by 391.
    #[serde(rename = "400x400")]
    Dots400,
}

impl Resolution {
    /// All of them, the coarsest first.
    pub const ALL: [Self; 5] =
        [Self::Standard, Self::Fine, Self::Superfine, Self::Dots300, Self::Dots400];

    /// What people call it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Fine => "fine",
            Self::Superfine => "superfine",
            Self::Dots300 => "300x300",
            Self::Dots400 => "400x400",
        }
    }

    /// What somebody called it: its name in any case, or its lines an inch.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        let text = text.trim();
        let by_name = Self::ALL.into_iter().find(|one| one.as_str().eq_ignore_ascii_case(text));
        by_name.or_else(|| {
            let lines: u32 = text.parse().ok()?;
            Self::ALL.into_iter().find(|one| one.lines_per_inch() == lines)
        })
    }

    /// Dots an inch of a line.
    #[must_use]
    pub fn dots_per_inch(self) -> u32 {
        match self {
            Self::Standard | Self::Fine | Self::Superfine => 204,
            Self::Dots300 => 300,
            Self::Dots400 => 400,
        }
    }

    /// Lines an inch.
    #[must_use]
    pub fn lines_per_inch(self) -> u32 {
        match self {
            Self::Standard => 98,
            Self::Fine => 196,
            Self::Superfine => 391,
            Self::Dots300 => 300,
            Self::Dots400 => 400,
        }
    }

    /// The next coarser one that every fax machine with this one has too.
    #[must_use]
    pub fn coarser(self) -> Option<Self> {
        match self {
            Self::Standard => None,
            Self::Fine => Some(Self::Standard),
            Self::Superfine | Self::Dots300 | Self::Dots400 => Some(Self::Fine),
        }
    }
}

/// What a fax server must be able to take of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Dots an inch.
    pub resolution: Resolution,
    /// The paper of its widest page.
    pub paper: Paper,
}

impl Shape {
    /// What every machine takes (T.30 table 2: nothing else is without a bit of its own).
    pub const PLAINEST: Self = Self { resolution: Resolution::Standard, paper: Paper::A4 };
}

/// How wide the lines of a page are (T.4 2.1).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Paper {
    /// 215 mm: A4, Letter, Legal. Every machine has it.
    #[default]
    A4,
    /// 255 mm.
    B4,
    /// 303 mm.
    A3,
}

impl Paper {
    /// All of them, the narrowest first.
    pub const ALL: [Self; 3] = [Self::A4, Self::B4, Self::A3];

    /// Pixels of a line.
    #[must_use]
    pub fn pixels(self, resolution: Resolution) -> u32 {
        let of = |a4, b4, a3| match self {
            Self::A4 => a4,
            Self::B4 => b4,
            Self::A3 => a3,
        };
        match resolution {
            Resolution::Standard | Resolution::Fine | Resolution::Superfine => of(1728, 2048, 2432),
            Resolution::Dots300 => of(2592, 3072, 3648),
            Resolution::Dots400 => of(3456, 4096, 4864),
        }
    }

    /// What people call it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A4 => "a4",
            Self::B4 => "b4",
            Self::A3 => "a3",
        }
    }

    /// What somebody called it, in any case.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str().eq_ignore_ascii_case(text.trim()))
    }
}

/// How grey becomes black and white.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tone {
    /// Photographs as dots, everything else by a threshold.
    #[default]
    Auto,
    /// Everything by a threshold: smallest, and sharpest for text.
    Text,
    /// Everything as dots: for pictures that are taken for text.
    Photo,
}

impl Tone {
    /// What somebody called it, in any case.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "auto" => Some(Self::Auto),
            "text" => Some(Self::Text),
            "photo" => Some(Self::Photo),
            _ => None,
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
    /// How well it went on the line, when the server tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
}

/// How well a call went on the line (T.30).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quality {
    /// What carried it: `modem`, `T.38` or `G.711`.
    pub carrier: String,
    /// Errors were corrected (T.30 annex A).
    pub ecm: bool,
    /// How the pages were coded on the line: `MH`, `MR` or `MMR`.
    pub coding: Option<String>,
    /// Frames that had to be sent again under error correction.
    pub resent_frames: u32,
    /// Bad lines of pages that came without error correction.
    pub bad_lines: u32,
    /// The remote machine's make and model, where it names them.
    pub remote_model: Option<String>,
}
