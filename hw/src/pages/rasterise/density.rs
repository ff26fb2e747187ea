//! How large pictures are on paper: the dots an inch that they claim, where the claim
//! means something.
//!
//! Screens and cameras write 72 or 96 dots an inch into whatever they make, and most
//! pictures claim nothing. Those are taken for what a screen shows, 96 dots an inch: a
//! small logo stays small, a screenshot is as large as its letters were, and what is
//! larger than the sheet, as all photographs are, fills it. Any other claim is that of
//! a scanner or a drawing program, and its size is kept.

use crate::pages::tiff::Density;

/// What a picture without a claim is taken for (CSS Values 5.2).
pub(super) const SCREEN: Density = Density { x: 96.0, y: 96.0 };
/// What screens and cameras claim.
const MEANINGLESS: [f32; 2] = [72.0, 96.0];
/// How much such a claim is off when it was counted in metres or centimetres.
const ROUNDING: f32 = 0.6;
/// Claims outside are nonsense.
const SANE: std::ops::RangeInclusive<f32> = 30.0..=2400.0;
/// How much taller or wider than a square a pixel may be.
const MAX_SHAPE: f32 = 4.0;
const INCH_M: f32 = 0.0254;
const INCH_CM: f32 = 2.54;

/// A claim of so many dots an inch, or what stands in for one that means nothing.
pub(super) fn claimed(x: f32, y: f32) -> Density {
    let meaningless = |dots: f32| MEANINGLESS.iter().any(|usual| (usual - dots).abs() <= ROUNDING);
    if !SANE.contains(&x) || !SANE.contains(&y) || (meaningless(x) && meaningless(y)) {
        return SCREEN;
    }
    Density { x, y }
}

/// Where only the shape of a pixel is known.
fn shaped(x: f32, y: f32) -> Density {
    let shape = y / x;
    match (1.0 / MAX_SHAPE..=MAX_SHAPE).contains(&shape) {
        true => Density { x: SCREEN.x, y: SCREEN.x * shape },
        false => SCREEN,
    }
}

/// PNG's pHYs chunk (PNG 11.3.5.3).
pub(super) fn png(bytes: &[u8]) -> Density {
    let mut at = 8;
    while let (Some(length), Some(name)) = (u32_at(bytes, at), bytes.get(at + 4..at + 8)) {
        match name {
            b"pHYs" => {
                let dots = |at| Some(u32_at(bytes, at)? as f32);
                return match (dots(at + 8), dots(at + 12), bytes.get(at + 16)) {
                    (Some(x), Some(y), Some(1)) => claimed(x * INCH_M, y * INCH_M),
                    (Some(x), Some(y), _) => shaped(x, y),
                    _ => SCREEN,
                };
            }
            b"IDAT" | b"IEND" => break,
            _ => at = at.saturating_add(12).saturating_add(length as usize),
        }
    }
    SCREEN
}

/// JPEG's JFIF header (JFIF 1.02), else EXIF's. What a camera writes says nothing:
/// its pictures have no paper size.
pub(super) fn jpeg(bytes: &[u8], exif: Option<&[u8]>) -> Density {
    let exif = exif.and_then(Exif::read);
    if exif.as_ref().is_some_and(|exif| exif.camera) {
        return SCREEN;
    }
    let jfif = jfif(bytes).filter(|density| *density != SCREEN);
    jfif.or(exif.map(|exif| exif.density)).unwrap_or(SCREEN)
}

/// What EXIF alone claims, as of WebP.
pub(super) fn exif(exif: Option<&[u8]>) -> Density {
    let read = exif.and_then(Exif::read);
    read.filter(|exif| !exif.camera).map_or(SCREEN, |exif| exif.density)
}

/// The pixels a metre of a Windows bitmap's header.
pub(super) fn bmp(bytes: &[u8]) -> Density {
    let dots = |at: usize| {
        let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(four) as f32 * INCH_M)
    };
    // The oldest header, of 12 bytes, has none.
    match (bytes.get(14).is_some_and(|size| *size >= 40), dots(38), dots(42)) {
        (true, Some(x), Some(y)) => claimed(x, y),
        _ => SCREEN,
    }
}

/// The segment APP0, wherever it is before the picture.
fn jfif(bytes: &[u8]) -> Option<Density> {
    let mut at = 2;
    loop {
        let [0xff, marker, high, low] = *bytes.get(at..at + 4)? else { return None };
        let segment = bytes.get(at + 4..)?;
        match marker {
            0xe0 if segment.starts_with(b"JFIF\0") => {
                let dots = |at: usize| {
                    Some(f32::from(u16::from_be_bytes([*segment.get(at)?, *segment.get(at + 1)?])))
                };
                let (x, y) = (dots(8)?, dots(10)?);
                return Some(match segment.get(7)? {
                    1 => claimed(x, y),
                    2 => claimed(x * INCH_CM, y * INCH_CM),
                    _ => shaped(x, y),
                });
            }
            // The picture begins.
            0xc0..=0xcf | 0xda | 0xd9 => return None,
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
}

/// What EXIF says of size and origin (EXIF 2.3, 4.6.4).
struct Exif {
    density: Density,
    camera: bool,
}

impl Exif {
    fn read(bytes: &[u8]) -> Option<Self> {
        const FOCAL_POINTER: u16 = 0x8769;
        const MAKE: u16 = 0x010f;
        let big = match bytes.get(..4)? {
            b"II*\0" => false,
            b"MM\0*" => true,
            _ => return None,
        };
        let u16_at = |at: usize| {
            let two: [u8; 2] = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
            Some(if big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
        };
        let u32_at = |at: usize| {
            let four: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
            Some(if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
        };
        let directory = u32_at(4)? as usize;
        let (mut x, mut y, mut unit, mut maker, mut details) = (0.0, 0.0, 2, false, false);
        for i in 0..usize::from(u16_at(directory)?) {
            let entry = directory.checked_add(2 + 12 * i)?;
            let Some(tag) = u16_at(entry) else { break };
            let fraction = || {
                let at = u32_at(entry + 8)? as usize;
                Some(u32_at(at)? as f32 / u32_at(at.checked_add(4)?)? as f32)
            };
            match tag {
                MAKE => maker = true,
                FOCAL_POINTER => details = true,
                0x011a => x = fraction().unwrap_or(0.0),
                0x011b => y = fraction().unwrap_or(0.0),
                0x0128 => unit = u16_at(entry + 8).unwrap_or(2),
                _ => {}
            }
        }
        let per_inch = if unit == 3 { INCH_CM } else { 1.0 };
        Some(Self { density: claimed(x * per_inch, y * per_inch), camera: maker && details })
    }
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
            mut bytes in prop::collection::vec(any::<u8>(), 0..80), which in 0..4_usize,
        ) {
            let start: [&[u8]; 4] = [
                b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0\0\x10JFIF\0", b"II*\0\x08\0\0\0", b"BM",
            ];
            bytes.splice(0..0, start[which].iter().copied());
            for density in [png(&bytes), jpeg(&bytes, Some(&bytes)), exif(Some(&bytes)), bmp(&bytes)] {
                prop_assert!((20.0..=2400.0).contains(&density.x), "{density:?}");
                prop_assert!((20.0..=2400.0).contains(&density.y), "{density:?}");
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
            let density = png(&bytes);
            (density.x.round(), density.y.round())
        };
        assert_eq!(physical(11_811, 5_906, 1), (300.0, 150.0));
        assert_eq!(physical(1, 1, 0), (96.0, 96.0));
        assert_eq!(physical(2, 1, 0), (96.0, 48.0), "only the shape of a pixel");
        assert_eq!(physical(1, 1, 1), (96.0, 96.0));
        assert_eq!(physical(2835, 2835, 1), (96.0, 96.0), "72, as screens write it");
        assert_eq!(physical(3779, 3780, 1), (96.0, 96.0));
        assert_eq!(png(b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffabcd"), SCREEN);
        let header = |unit: u8, x: u8| {
            let start = b"\xff\xd8\xff\xe1\0\x02\xff\xe0\0\x10JFIF\0\x01\x01";
            jpeg(&[&start[..], &[unit, 0, x, 0, x, 0, 0]].concat(), None)
        };
        assert_eq!(header(1, 150), Density { x: 150.0, y: 150.0 });
        assert_eq!(header(1, 72), SCREEN);
        assert_eq!(header(0, 1), SCREEN);
        assert_eq!(jpeg(b"\xff\xd8", None), SCREEN);
    }

    #[test]
    fn a_scanner_is_believed_and_a_camera_is_not() {
        let exif_of = |tags: &[(u16, u16, u32)]| {
            let mut bytes = b"MM\0*\0\0\0\x10\0\0\x01\x2c\0\0\0\x01".to_vec();
            bytes.extend((tags.len() as u16).to_be_bytes());
            for (tag, kind, value) in tags {
                bytes.extend(tag.to_be_bytes());
                bytes.extend(kind.to_be_bytes());
                bytes.extend(1_u32.to_be_bytes());
                bytes.extend(value.to_be_bytes());
            }
            bytes
        };
        let size = [(0x011a, 5, 8), (0x011b, 5, 8), (0x0128, 3, 2 << 16)];
        let scanner = exif_of(&size);
        assert_eq!(exif(Some(&scanner)), Density { x: 300.0, y: 300.0 });
        let camera = exif_of(&[&[(0x010f, 2, 0)], &size[..], &[(0x8769, 4, 0)]].concat());
        assert_eq!(exif(Some(&camera)), SCREEN);
        let jfif = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\x01\0\xc8\0\xc8\0\0";
        assert_eq!(jpeg(jfif, Some(&scanner)), Density { x: 200.0, y: 200.0 });
        assert_eq!(jpeg(jfif, Some(&camera)), SCREEN);
    }
}
