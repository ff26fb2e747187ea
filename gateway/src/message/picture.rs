//! How large a picture is, from its first octets: enough to tell a scanned page from
//! the logo of a signature. Draws nothing.

/// A picture with fewer pixels than this along one of its sides is a logo.
const MIN_PAGE_PIXELS: u32 = 400;

/// Whether the picture that begins with `head` is large enough to be a page. One whose
/// size cannot be told is not.
pub(super) fn is_large(head: &[u8]) -> bool {
    size(head).is_some_and(|(width, height)| width.min(height) >= MIN_PAGE_PIXELS)
}

fn size(head: &[u8]) -> Option<(u32, u32)> {
    let big = |at: usize| Some(u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?));
    let little = |at: usize| Some(u16::from_le_bytes(head.get(at..at + 2)?.try_into().ok()?));
    if head.starts_with(b"\x89PNG") {
        return Some((big(16)?, big(20)?));
    }
    if head.starts_with(b"GIF8") {
        return Some((little(6)?.into(), little(8)?.into()));
    }
    if head.starts_with(b"BM") {
        return Some((little(18)?.into(), little(22)?.into()));
    }
    head.starts_with(b"\xff\xd8").then(|| jpeg_size(head))?
}

/// The size is in the frame header (T.81 B.2.2), after segments that may be skipped.
/// One that stands behind a long segment, as a photograph's does behind its thumbnail,
/// is out of sight: such a picture is from a camera, and no logo.
fn jpeg_size(head: &[u8]) -> Option<(u32, u32)> {
    let word = |at: usize| Some(u16::from_be_bytes(head.get(at..at + 2)?.try_into().ok()?));
    let mut at = 2;
    while at + 4 <= head.len() {
        let (0xff, marker) = (head[at], head[at + 1]) else { return None };
        if matches!(marker, 0xc0..=0xc3) {
            return Some((word(at + 7)?.into(), word(at + 5)?.into()));
        }
        at += 2 + usize::from(word(at + 2)?);
    }
    Some((u32::MAX, u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_from_logos() {
        let png = |width: u32, height: u32| {
            let mut head = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
            head.extend(width.to_be_bytes());
            head.extend(height.to_be_bytes());
            head
        };
        let jpeg = |segment: u8| {
            let mut head = vec![0xff, 0xd8, 0xff, 0xe0, 0, segment];
            head.extend(vec![0; usize::from(segment) - 2]);
            head.extend([0xff, 0xc0, 0, 17, 8, 3, 0, 4, 0]);
            head
        };
        for (head, expected) in [
            (png(1728, 2200), true),
            (png(1200, 120), false),
            (png(399, 400), false),
            (b"GIF89a\x00\x02\x00\x02".to_vec(), true),
            (b"GIF89a\x20\x00\x20\x00".to_vec(), false),
            (jpeg(16), true),
            (jpeg(16)[..20].to_vec(), true),
            (b"\xff\xd8\xff\xe1\x60\x00Exif".to_vec(), true),
            (b"\xff\xd8\0\0\0\0".to_vec(), false),
            (b"\x89PNG".to_vec(), false),
            (Vec::new(), false),
        ] {
            assert_eq!(is_large(&head), expected, "{head:x?}");
        }
    }
}
