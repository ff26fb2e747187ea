//! The two things that a laboratory wants to know of a TIFF file. Everything else
//! about pages is done elsewhere.

/// Most pages that are counted.
const MAX_PAGES: u32 = 10_000;
/// Tag and types of TIFF 6.0.
const Y_RESOLUTION: usize = 283;
const RATIONAL: usize = 5;

struct Reader<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = match bytes.get(..4)? {
            b"II*\0" => false,
            b"MM\0*" => true,
            _ => return None,
        };
        Some(Self { bytes, big_endian })
    }

    fn number(&self, at: usize, size: usize) -> Option<usize> {
        let bytes = self.bytes.get(at..at.checked_add(size)?)?;
        let join = |value: usize, byte: &u8| value << 8 | usize::from(*byte);
        Some(if self.big_endian {
            bytes.iter().fold(0, join)
        } else {
            bytes.iter().rev().fold(0, join)
        })
    }
}

/// Counts the pages by walking the directories; `None` when it is no TIFF file.
pub(super) fn count_pages(bytes: &[u8]) -> Option<u32> {
    let tiff = Reader::new(bytes)?;
    let mut at = tiff.number(4, 4)?;
    let mut pages = 0;
    while at != 0 && pages < MAX_PAGES {
        let entries = tiff.number(at, 2)?;
        pages += 1;
        at = tiff.number(at.checked_add(2 + entries * 12)?, 4)?;
    }
    (pages > 0).then_some(pages)
}

/// The vertical resolution of the first page, in whole lines an inch.
pub(super) fn lines_an_inch(bytes: &[u8]) -> Option<u32> {
    let tiff = Reader::new(bytes)?;
    let first = tiff.number(4, 4)?;
    (0..tiff.number(first, 2)?)
        .map(|entry| first + 2 + entry * 12)
        .find(|at| {
            tiff.number(*at, 2) == Some(Y_RESOLUTION) && tiff.number(at + 2, 2) == Some(RATIONAL)
        })
        .and_then(|at| {
            let value = tiff.number(at + 8, 4)?;
            let lines = tiff.number(value, 4)?.checked_div(tiff.number(value + 4, 4)?)?;
            u32::try_from(lines).ok()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_and_loops_end() {
        let one = b"II*\0\x08\0\0\0\0\0\0\0\0\0";
        assert_eq!(count_pages(one), Some(1));
        let two = b"II*\0\x08\0\0\0\0\0\x0e\0\0\0\0\0\0\0\0\0";
        assert_eq!(count_pages(two), Some(2));
        let endless = b"MM\0*\0\0\0\x08\0\0\0\0\0\x08";
        assert_eq!(count_pages(endless), Some(MAX_PAGES));
        for bad in [&b""[..], b"II*\0", b"%PDF-1.4", b"II*\0\xff\xff\xff\xff"] {
            assert_eq!(count_pages(bad), None);
        }
    }

    #[test]
    fn the_resolution_is_found() {
        let mut tiff = b"II*\0\x08\0\0\0\x01\0".to_vec();
        tiff.extend(*b"\x1b\x01\x05\0\x01\0\0\0\x1a\0\0\0\0\0\0\0\xc4\0\0\0\x01\0\0\0");
        assert_eq!(lines_an_inch(&tiff), Some(196));
        assert_eq!(lines_an_inch(&tiff[..20]), None);
    }
}
