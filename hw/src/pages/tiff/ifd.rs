//! The directories of a TIFF file, as numbers. Lenient where real fax software
//! is sloppy (odd offsets, SHORT for LONG, any order of tags), strict where a
//! file contradicts itself.

use std::collections::HashSet;

use super::{MAX_PAGES, TiffError};

/// Most tags of a page.
const MAX_TAGS: usize = 512;
/// Most values of a tag that is read whole: strips of a page.
const MAX_VALUES: usize = 65_536;

/// The bytes of a file and their order.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a> {
    all: &'a [u8],
    big_endian: bool,
}

impl<'a> Bytes<'a> {
    /// Reads the byte order and the magic number.
    pub(super) fn open(all: &'a [u8]) -> Result<Self, TiffError> {
        let big_endian = match all.get(..4) {
            Some(b"II*\0") => false,
            Some(b"MM\0*") => true,
            _ => return Err(TiffError::NotTiff),
        };
        Ok(Self { all, big_endian })
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let two: [u8; 2] = self.all.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let four: [u8; 4] = self.all.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    }
}

/// One directory: the tags of a page.
pub(super) struct Ifd<'a> {
    bytes: Bytes<'a>,
    /// Number, type, count and the place of the values.
    tags: Vec<(u16, u16, usize, usize)>,
}

/// All directories in the order of the chain.
pub(super) fn chain(bytes: Bytes<'_>) -> Result<Vec<Ifd<'_>>, TiffError> {
    let mut all = Vec::new();
    let mut seen = HashSet::new();
    let mut next = bytes.u32(4).ok_or(TiffError::Broken("it ends in the header"))? as usize;
    while next != 0 {
        if !seen.insert(next) {
            return Err(TiffError::Broken("its pages go round in a circle"));
        }
        if all.len() == MAX_PAGES {
            return Err(TiffError::TooLarge("too many pages"));
        }
        let (ifd, following) = Ifd::read(bytes, next)?;
        all.push(ifd);
        next = following;
    }
    Ok(all)
}

impl<'a> Ifd<'a> {
    fn read(bytes: Bytes<'a>, at: usize) -> Result<(Self, usize), TiffError> {
        const OUTSIDE: TiffError = TiffError::Broken("a page's tags are outside the file");
        let count = usize::from(bytes.u16(at).ok_or(OUTSIDE)?);
        if count > MAX_TAGS {
            return Err(TiffError::TooLarge("too many tags"));
        }
        let mut tags: Vec<(u16, u16, usize, usize)> = Vec::with_capacity(count);
        for i in 0..count {
            let entry = at + 2 + 12 * i;
            let number = bytes.u16(entry).ok_or(OUTSIDE)?;
            let kind = bytes.u16(entry + 2).ok_or(OUTSIDE)?;
            let values = bytes.u32(entry + 4).ok_or(OUTSIDE)? as usize;
            let inline = bytes.u32(entry + 8).ok_or(OUTSIDE)? as usize;
            if tags.iter().any(|tag| tag.0 == number) {
                return Err(TiffError::Broken("a tag occurs twice"));
            }
            let Some(size) = size_of(kind) else { continue };
            let place = if values.saturating_mul(size) <= 4 { entry + 8 } else { inline };
            tags.push((number, kind, values, place));
        }
        // Some writers leave the end of the chain out of the file.
        let next = bytes.u32(at + 2 + 12 * count).unwrap_or(0) as usize;
        Ok((Self { bytes, tags }, next))
    }

    /// The first value of a tag that holds whole numbers.
    pub(super) fn number(&self, tag: u16) -> Option<u32> {
        let &(_, kind, count, at) = self.tags.iter().find(|t| t.0 == tag)?;
        (count > 0).then(|| self.value(kind, at)).flatten()
    }

    /// All values of a tag that holds whole numbers.
    pub(super) fn numbers(&self, tag: u16) -> Result<Option<Vec<u32>>, TiffError> {
        let Some(&(_, kind, count, at)) = self.tags.iter().find(|t| t.0 == tag) else {
            return Ok(None);
        };
        if count > MAX_VALUES {
            return Err(TiffError::TooLarge("too many strips"));
        }
        let size = size_of(kind).unwrap_or(1);
        let all: Option<Vec<u32>> = (0..count).map(|i| self.value(kind, at + i * size)).collect();
        all.ok_or(TiffError::Broken("a tag's values are outside the file")).map(Some)
    }

    /// The first value of a tag that holds fractions, or whole numbers by mistake.
    pub(super) fn fraction(&self, tag: u16) -> Option<f32> {
        let &(_, kind, count, at) = self.tags.iter().find(|t| t.0 == tag)?;
        if count == 0 {
            return None;
        }
        if kind != 5 {
            return self.value(kind, at).map(|whole| whole as f32);
        }
        let (above, below) = (self.bytes.u32(at)?, self.bytes.u32(at.checked_add(4)?)?);
        (below != 0).then(|| above as f32 / below as f32)
    }

    fn value(&self, kind: u16, at: usize) -> Option<u32> {
        match kind {
            1 => self.bytes.all.get(at).map(|byte| u32::from(*byte)),
            3 => self.bytes.u16(at).map(u32::from),
            4 | 13 => self.bytes.u32(at),
            _ => None,
        }
    }
}

/// Bytes of one value of a type, where the type is known (TIFF 6.0 section 2).
fn size_of(kind: u16) -> Option<usize> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 => Some(8),
        _ => None,
    }
}
