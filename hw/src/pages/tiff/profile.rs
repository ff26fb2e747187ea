//! The profiles of TIFF-F that mail between fax machines is allowed to use: S, which
//! every receiver reads (RFC 3949 3), and F (RFC 3949 4). Unlike [`super::write()`], which
//! writes what it is given, nothing comes out of here that a profile does not allow.

use super::{
    CodedPage, Density, FillOrder, Quality,
    write::{Tagged, put_all},
};
use crate::pages::ccitt::{self, Coding, Decoded};

/// Which profile a file is to follow.
#[derive(Debug, Clone, Copy)]
pub enum Profile<'a> {
    /// The least: MH, lowest bit first, A4 at standard or fine resolution, nothing that
    /// is not required.
    S,
    /// MH, MR and MMR at all sizes and resolutions, with the quality of each page.
    F {
        /// Which bit of a byte comes first.
        order: FillOrder,
        /// What the receiver found wrong with each page; where it says nothing, a page
        /// whose data turn out to be damaged is repaired and says so.
        quality: &'a [Option<Quality>],
    },
}

/// Why a page cannot be in a file of the profile.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum NotInProfile {
    /// No machine has that many pixels a line at that density.
    #[error("page {page} has {width} pixels a line at {} dots an inch", density.x)]
    Width {
        /// Counted from 1.
        page: usize,
        /// Pixels a line.
        width: u32,
        /// What it has.
        density: Density,
    },
    /// No machine has that density.
    #[error("page {page} has {} by {} dots an inch", density.x, density.y)]
    Density {
        /// Counted from 1.
        page: usize,
        /// What it has.
        density: Density,
    },
}

/// How far a density may be from one that machines have, in dots an inch: what comes
/// from dots a centimetre is not whole.
const NEAR: f32 = 1.0;

/// RFC 3949 4.2.2: dots across, lines that go with them, pixels of A4, B4 and A3.
type Grid = (&'static [u32], &'static [u32], [u32; 3]);
const GRIDS: [Grid; 3] = [
    (&[204, 200], &[98, 100, 196, 200, 391, 400], [1728, 2048, 2432]),
    (&[300], &[300], [2592, 3072, 3648]),
    (&[408, 400], &[391, 400], [3456, 4096, 4864]),
];
/// RFC 3949 3.2: the same for Profile S.
const GRID_S: [Grid; 1] = [(&[204, 200], &[98, 100, 196, 200], [1728, 1728, 1728])];

/// The bytes of a file of these pages that follows the profile. Pages are coded again
/// unless they are sound MMR in Profile F; their pixels stay.
///
/// # Errors
/// [`NotInProfile`] when a page has a size or density that the profile does not allow.
pub fn write_as(pages: &[CodedPage], profile: Profile<'_>) -> Result<Vec<u8>, NotInProfile> {
    let (grids, order): (&[Grid], _) = match profile {
        Profile::S => (&GRID_S, FillOrder::LowestFirst),
        Profile::F { order, .. } => (&GRIDS, order),
    };
    let mut all = Vec::with_capacity(pages.len());
    for (index, page) in pages.iter().enumerate() {
        let density = legal(index + 1, page, grids)?;
        let decoded = page.decode();
        let (coding, quality) = match profile {
            Profile::S => (Coding::Mh { aligned: false }, None),
            Profile::F { quality, .. } => {
                let known = quality.get(index).copied().flatten();
                let found = Quality::repaired(&decoded.damage);
                let quality = known.or((!decoded.damage.is_none()).then_some(found));
                // Compression 2 is not in the profile.
                let coding = match page.coding {
                    Coding::MhRows => Coding::Mmr,
                    coding => coding,
                };
                (coding, quality)
            }
        };
        all.push(Tagged { page: recoded(page, decoded, coding, density), quality });
    }
    Ok(put_all(&all, order))
}

/// The page with an EOL before each line and no RTC, or with EOFB.
fn recoded(page: &CodedPage, decoded: Decoded, coding: Coding, density: Density) -> CodedPage {
    let sound = decoded.damage.is_none() && decoded.damage.block_ended && !page.inverted;
    let bytes = match coding {
        Coding::Mmr if sound && page.coding == coding => page.bytes.clone(),
        _ => ccitt::encode(&decoded.page, coding),
    };
    CodedPage { size: page.size, density, coding, inverted: false, bytes }
}

fn legal(number: usize, page: &CodedPage, grids: &[Grid]) -> Result<Density, NotInProfile> {
    let density = page.density;
    let nearest = |all: &[u32], dots: f32| {
        let near = all.iter().map(|legal| *legal as f32).filter(|l| (l - dots).abs() <= NEAR);
        near.min_by(|a, b| (a - dots).abs().total_cmp(&(b - dots).abs()))
    };
    for (across, down, widths) in grids {
        let (Some(x), Some(y)) = (nearest(across, density.x), nearest(down, density.y)) else {
            continue;
        };
        let width = page.size.width();
        if !widths.contains(&width) {
            return Err(NotInProfile::Width { page: number, width, density });
        }
        return Ok(Density { x, y });
    }
    Err(NotInProfile::Density { page: number, density })
}
