//! What the receiver of a fax found wrong with a page, as TIFF-F keeps it (RFC 3949 4.4.5).

use super::{ifd::Ifd, tag};
use crate::pages::ccitt::Damage;

/// Whether a page has lines that are not what the sender sent (tag CleanFaxData).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CleanData {
    /// None.
    Clean,
    /// There were some, and the receiver has put others in their place.
    Regenerated,
    /// There are some.
    Bad,
}

/// What was wrong with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// What became of the bad lines.
    pub clean: CleanData,
    /// Lines that came damaged (tag BadFaxLines).
    pub bad_lines: u32,
    /// The longest stretch of them (tag ConsecutiveBadFaxLines).
    pub longest: u32,
}

impl Quality {
    /// Of a page that was decoded, its bad lines replaced, and coded again.
    #[must_use]
    pub fn repaired(damage: &Damage) -> Self {
        let clean = if damage.is_none() { CleanData::Clean } else { CleanData::Regenerated };
        // Missing lines are one stretch, at the end of the page.
        let longest = damage.longest.max(damage.missing_lines);
        Self { clean, bad_lines: damage.lines(), longest }
    }

    /// Of a page whose coded bytes stay as they came.
    #[must_use]
    pub fn kept(damage: &Damage) -> Self {
        let own = Self::repaired(damage);
        match own.clean {
            CleanData::Regenerated => Self { clean: CleanData::Bad, ..own },
            CleanData::Clean | CleanData::Bad => own,
        }
    }

    /// `None` where the file says nothing.
    pub(super) fn read(ifd: &Ifd<'_>) -> Option<Self> {
        let bad_lines = ifd.number(tag::BAD_FAX_LINES);
        let longest = ifd.number(tag::CONSECUTIVE_BAD_FAX_LINES);
        let clean = match ifd.number(tag::CLEAN_FAX_DATA) {
            Some(0) => CleanData::Clean,
            Some(1) => CleanData::Regenerated,
            Some(_) => CleanData::Bad,
            None if bad_lines.or(longest)? == 0 => CleanData::Clean,
            // RFC 3949 4.4.5: without the tag it is not known; the worse is safe.
            None => CleanData::Bad,
        };
        Some(Self { clean, bad_lines: bad_lines.unwrap_or(0), longest: longest.unwrap_or(0) })
    }
}
