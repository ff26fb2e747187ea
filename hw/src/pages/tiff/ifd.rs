//! The directories of a TIFF file, as numbers. Lenient where real fax software
//! is sloppy (odd offsets, SHORT for LONG, any order of tags), strict where a
//! file contradicts itself.

use std::{collections::HashSet, ops::Range};

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
            Some(b"II+\0" | b"MM\0+") => return Err(TiffError::BigTiff),
            _ => return Err(TiffError::NotTiff),
        };
        Ok(Self { all, big_endian })
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// A piece of the file, which is inside.
    pub(super) fn piece(&self, piece: Range<usize>) -> &'a [u8] {
        &self.all[piece]
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
    /// Its place in the file.
    pub(super) at: usize,
    tags: Vec<Tag>,
}

#[derive(Clone, Copy)]
struct Tag {
    number: u16,
    kind: u16,
    count: usize,
    /// Where its values are.
    at: usize,
    /// Where they are if there is but one.
    inline: usize,
}

/// What becomes of pages behind a place where the file ends too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CutOff {
    /// The file is refused: nothing may get lost without a word.
    Refused,
    /// The pages before that place are kept.
    Kept,
}

/// All directories in the order of the chain, wherever they are.
pub(super) fn chain(bytes: Bytes<'_>, cut_off: CutOff) -> Result<Vec<Ifd<'_>>, TiffError> {
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
        let Some((ifd, following)) = Ifd::read(bytes, next)? else {
            if cut_off == CutOff::Kept && !all.is_empty() {
                break;
            }
            return Err(TiffError::Broken("a page's tags are outside the file"));
        };
        all.push(ifd);
        next = following;
    }
    Ok(all)
}

impl<'a> Ifd<'a> {
    /// The directory and the place of the next one; `None` when it ends behind the file.
    fn read(bytes: Bytes<'a>, at: usize) -> Result<Option<(Self, usize)>, TiffError> {
        let Some(count) = bytes.u16(at).map(usize::from) else { return Ok(None) };
        if count > MAX_TAGS {
            return Err(TiffError::TooLarge("too many tags"));
        }
        let mut tags: Vec<Tag> = Vec::with_capacity(count);
        for i in 0..count {
            let entry = at + 2 + 12 * i;
            let (Some(number), Some(kind)) = (bytes.u16(entry), bytes.u16(entry + 2)) else {
                return Ok(None);
            };
            let (Some(count), Some(place)) = (bytes.u32(entry + 4), bytes.u32(entry + 8)) else {
                return Ok(None);
            };
            // None at all is one that was counted wrong.
            let (count, inline) = ((count as usize).max(1), entry + 8);
            if tags.iter().any(|tag| tag.number == number) {
                return Err(TiffError::Broken("a tag occurs twice"));
            }
            let Some(size) = size_of(kind) else { continue };
            let at = if count.saturating_mul(size) <= 4 { inline } else { place as usize };
            tags.push(Tag { number, kind, count, at, inline });
        }
        // Some writers leave the end of the chain out of the file.
        let next = bytes.u32(at + 2 + 12 * count).unwrap_or(0) as usize;
        Ok(Some((Self { bytes, at, tags }, next)))
    }

    fn tag(&self, number: u16) -> Option<Tag> {
        self.tags.iter().find(|tag| tag.number == number).copied()
    }

    /// The value of a tag that holds one whole number. It is in the entry, however many
    /// the entry says there are.
    pub(super) fn number(&self, number: u16) -> Option<u32> {
        let tag = self.tag(number)?;
        self.value(tag.kind, tag.inline)
    }

    /// The first value of a tag that may hold several whole numbers.
    pub(super) fn first(&self, number: u16) -> Option<u32> {
        let tag = self.tag(number)?;
        self.value(tag.kind, tag.at).or_else(|| self.value(tag.kind, tag.inline))
    }

    /// All values of a tag that holds whole numbers.
    pub(super) fn numbers(&self, number: u16) -> Result<Option<Vec<u32>>, TiffError> {
        let Some(tag) = self.tag(number) else { return Ok(None) };
        if tag.count > MAX_VALUES {
            return Err(TiffError::TooLarge("too many strips"));
        }
        let size = size_of(tag.kind).unwrap_or(1);
        let all: Option<Vec<u32>> =
            (0..tag.count).map(|i| self.value(tag.kind, tag.at.checked_add(i * size)?)).collect();
        all.ok_or(TiffError::Broken("a tag's values are outside the file")).map(Some)
    }

    /// The first value of a tag that holds fractions, or whole numbers by mistake.
    pub(super) fn fraction(&self, number: u16) -> Option<f32> {
        let tag = self.tag(number)?;
        if tag.kind != 5 {
            return self.number(number).map(|whole| whole as f32);
        }
        let (above, below) = (self.bytes.u32(tag.at)?, self.bytes.u32(tag.at.checked_add(4)?)?);
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
