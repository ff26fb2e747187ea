//! One T.30 session: what it is told before, and what is known of it afterwards.

use std::path::PathBuf;

use postfax_domain::document::{Paper, Resolution};
use serde::{Deserialize, Serialize};

/// Most characters of an identity, a sub-address or a password (T.30 5.3.6.2.4).
pub const MAX_IDENT: usize = 20;

/// A fax machine: what it calls itself, and what it can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Station {
    /// What it calls itself (TSI, CSI), at most [`MAX_IDENT`] characters of ASCII.
    pub identity: String,
    /// Whether it can correct errors (T.30 annex A).
    pub ecm: bool,
    /// How it modulates pages.
    pub modems: Modems,
    /// The finest resolution that it takes.
    pub finest: Resolution,
    /// The widest paper that it takes.
    pub widest: Paper,
}

impl Station {
    /// One that can do everything.
    #[must_use]
    pub fn new(identity: &str) -> Self {
        Self {
            identity: identity.to_owned(),
            ecm: true,
            modems: Modems::ALL,
            finest: Resolution::Dots400,
            widest: Paper::A3,
        }
    }
}

/// Modulations of page data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modems {
    /// 2,400 and 4,800 bit/s.
    pub v27ter: bool,
    /// 7,200 and 9,600 bit/s.
    pub v29: bool,
    /// 7,200 to 14,400 bit/s.
    pub v17: bool,
}

impl Modems {
    /// All of them.
    pub const ALL: Self = Self { v27ter: true, v29: true, v17: true };
}

/// What a session is for, seen from our side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// We called.
    pub calling: bool,
    /// We.
    pub station: Station,
    /// A TIFF-F file to send: as the caller, or to one who polls us.
    pub send: Option<PathBuf>,
    /// The TIFF-F file to make of what comes: as the called one, or from one whom we poll.
    pub receive: Option<PathBuf>,
    /// T.33 sub-address that we ask for (SUB).
    pub subaddress: Option<String>,
    /// Password that goes with it (PWD).
    pub password: Option<String>,
    /// Which document we would poll (SEP).
    pub poll: Option<String>,
}

impl Session {
    /// Calls and sends this file.
    #[must_use]
    pub fn sending(station: Station, file: PathBuf) -> Self {
        Self { send: Some(file), ..Self::blank(true, station) }
    }

    /// Answers and makes this file.
    #[must_use]
    pub fn receiving(station: Station, file: PathBuf) -> Self {
        Self { receive: Some(file), ..Self::blank(false, station) }
    }

    fn blank(calling: bool, station: Station) -> Self {
        let (send, receive, subaddress, password, poll) = (None, None, None, None, None);
        Self { calling, station, send, receive, subaddress, password, poll }
    }
}

/// How pages are coded on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Coding {
    /// T.4, one-dimensional.
    Mh,
    /// T.4, two-dimensional.
    Mr,
    /// T.6.
    Mmr,
}

/// What carried a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Carrier {
    /// A modem on a telephone line.
    #[serde(rename = "modem")]
    Modem,
    /// T.38 over UDPTL.
    #[serde(rename = "T.38")]
    T38,
    /// Audio over RTP.
    #[serde(rename = "G.711")]
    G711,
}

impl Carrier {
    /// What people call it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Modem => "modem",
            Self::T38 => "T.38",
            Self::G711 => "G.711",
        }
    }
}

/// What was counted in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Statistics {
    /// What carried it, as its line knows.
    pub carrier: Option<Carrier>,
    /// Signalling rate in bit/s; 0 when no rate was agreed.
    pub bit_rate: u32,
    /// Errors were corrected (T.30 annex A).
    pub ecm: bool,
    /// How pages were coded on the line.
    pub coding: Option<Coding>,
    /// Pages that were sent and confirmed.
    pub pages_sent: u32,
    /// Pages received and kept.
    pub pages_received: u32,
    /// Bad lines of the last page received without error correction.
    pub bad_rows: u32,
    /// The most of them in a row.
    pub longest_bad_run: u32,
    /// Frames that had to be sent again under error correction.
    pub resent_frames: u32,
}

/// What the other machine said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Remote {
    /// Its identity (TSI, CSI).
    pub identity: Option<String>,
    /// The sub-address that it asked for (SUB).
    pub subaddress: Option<String>,
    /// The password that it gave (PWD).
    pub password: Option<String>,
    /// Its maker, where its non-standard facilities name one.
    pub make: Option<String>,
    /// Its model, likewise.
    pub model: Option<String>,
}
