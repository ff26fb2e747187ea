//! The dots an inch that pictures claim, which the picture decoders drop.

use crate::pages::tiff::Density;

/// What a picture without a claim is taken for.
pub(super) const USUAL: Density = Density { x: 200.0, y: 200.0 };
/// Claims outside are nonsense.
const SANE: std::ops::RangeInclusive<f32> = 30.0..=2400.0;
const INCH_M: f32 = 0.0254;

/// PNG's pHYs chunk (PNG 11.3.5.3).
pub(super) fn png(bytes: &[u8]) -> Density {
    let mut at = 8;
    while let (Some(length), Some(name)) = (u32_at(bytes, at), bytes.get(at + 4..at + 8)) {
        match name {
            b"pHYs" => {
                let dots = |at| Some(u32_at(bytes, at)? as f32 * INCH_M);
                let metre = bytes.get(at + 16) == Some(&1);
                return match (dots(at + 8), dots(at + 12)) {
                    (Some(x), Some(y)) if metre => sane(x, y),
                    _ => USUAL,
                };
            }
            b"IDAT" | b"IEND" => break,
            _ => at = at.saturating_add(12).saturating_add(length as usize),
        }
    }
    USUAL
}

/// JPEG's JFIF header (JFIF 1.02), where it comes first as it must. A phone's
/// 72 dots an inch says nothing: such pictures have no paper size.
pub(super) fn jpeg(bytes: &[u8]) -> Density {
    let Some(header) = bytes.get(2..18) else { return USUAL };
    if header[..2] != [0xff, 0xe0] || &header[4..9] != b"JFIF\0" {
        return USUAL;
    }
    let dots = |at: usize| f32::from(u16::from_be_bytes([header[at], header[at + 1]]));
    let per_inch = match header[11] {
        1 => 1.0,
        2 => 2.54,
        _ => return USUAL,
    };
    match (dots(12), dots(14)) {
        (72.0, 72.0) => USUAL,
        (x, y) => sane(x * per_inch, y * per_inch),
    }
}

fn sane(x: f32, y: f32) -> Density {
    if SANE.contains(&x) && SANE.contains(&y) { Density { x, y } } else { USUAL }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_header_breaks_the_readers(
            mut bytes in prop::collection::vec(any::<u8>(), 0..80), png_like in any::<bool>(),
        ) {
            let start: &[u8] = if png_like { b"\x89PNG\r\n\x1a\n" } else { b"\xff\xd8\xff\xe0\0\x10JFIF\0" };
            bytes.splice(0..0, start.iter().copied());
            for density in [png(&bytes), jpeg(&bytes)] {
                prop_assert!(SANE.contains(&density.x) && SANE.contains(&density.y));
            }
        }
    }

    #[test]
    fn claims_are_read_and_nonsense_is_not_believed() {
        let physical = |x: u32, y: u32, unit: u8| {
            let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x09pHYs".to_vec();
            bytes.extend_from_slice(&x.to_be_bytes());
            bytes.extend_from_slice(&y.to_be_bytes());
            bytes.push(unit);
            png(&bytes)
        };
        assert_eq!(physical(11_811, 5_906, 1).x.round(), 300.0);
        assert_eq!(physical(11_811, 5_906, 1).y.round(), 150.0);
        assert_eq!(physical(1, 1, 0), USUAL);
        assert_eq!(physical(1, 1, 1), USUAL);
        assert_eq!(png(b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffabcd"), USUAL);
        let header = |unit: u8, x: u8| {
            jpeg(&[
                0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F', 0, 1, 1, unit, 0, x, 0, x,
            ])
        };
        assert_eq!(header(1, 150), Density { x: 150.0, y: 150.0 });
        assert_eq!(header(1, 72), USUAL);
        assert_eq!(header(0, 1), USUAL);
        assert_eq!(jpeg(b"\xff\xd8"), USUAL);
    }
}
