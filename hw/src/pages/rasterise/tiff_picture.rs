//! Pages of TIFF files that are pictures: grey, colour, palettes, any number of bits.
//! The decoder knows neither palettes, CIE L*a*b* nor bits in the order of modems; what
//! is changed here in a copy of the file makes them things that it knows.

use std::io::Cursor;

use image::{GrayImage, ImageFormat};
use tiff::{
    ColorType, TiffError as PictureError,
    decoder::{Decoder, DecodingResult},
    tags::Tag,
};

use super::{Refusal, picture};
use crate::pages::{
    ccitt::reverse_bits,
    gray::{self, luma, on_white},
    tiff::Density,
};

/// Photometric interpretations (TIFF 6.0 sections 3 to 6, 20 to 23).
const BLACK_IS_ZERO: u16 = 1;
const RGB: u16 = 2;
const PALETTE: u16 = 3;
const LAB: [u16; 3] = [8, 9, 10];
/// Compression of the first, withdrawn JPEG (TIFF 6.0 section 22).
const OLD_JPEG: u16 = 6;
/// The tag where such a page's whole JPEG begins, and its length.
const JPEG_START: u16 = 513;
const JPEG_LENGTH: u16 = 514;

type File<'a> = Decoder<Cursor<&'a [u8]>>;

/// Grey, not yet upright, and the dots an inch where only the picture itself says so.
pub(super) fn read(bytes: &[u8], index: usize) -> Result<(GrayImage, Option<Density>), Refusal> {
    let mut decoder = open(bytes, index)?;
    let number = |decoder: &mut File<'_>, tag| {
        decoder.find_tag_unsigned::<u16>(tag).ok().flatten().unwrap_or(0)
    };
    if number(&mut decoder, Tag::Compression) == OLD_JPEG {
        return Ok((old_jpeg(bytes, &mut decoder)?, None));
    }
    let photometric = number(&mut decoder, Tag::PhotometricInterpretation);
    let reversed = number(&mut decoder, Tag::FillOrder) == 2;
    let known = match photometric {
        PALETTE => BLACK_IS_ZERO,
        lab if LAB.contains(&lab) => RGB,
        other => other,
    };
    if known == photometric && !reversed {
        return Ok((pixels(&mut decoder, None)?, None));
    }
    let palette = match photometric {
        PALETTE => Some(palette(&mut decoder)?),
        _ => None,
    };
    let mut copy = bytes.to_vec();
    let ifd = decoder.ifd_pointer().map_or(0, |at| at.0) as usize;
    put(&mut copy, ifd, Tag::PhotometricInterpretation.to_u16(), known);
    if reversed {
        put(&mut copy, ifd, Tag::FillOrder.to_u16(), 1);
        reverse(&mut copy, &mut decoder);
    }
    let mut decoder = open(&copy, index)?;
    if known == RGB && photometric != RGB {
        return Ok((lightness(&mut decoder)?, None));
    }
    Ok((pixels(&mut decoder, palette.as_deref())?, None))
}

fn broken(error: PictureError) -> Refusal {
    match error {
        PictureError::LimitsExceeded => Refusal::TooLarge,
        PictureError::UnsupportedError(what) => Refusal::Unsupported(what.to_string()),
        other => Refusal::Broken(other.to_string()),
    }
}

fn open(bytes: &[u8], index: usize) -> Result<File<'_>, Refusal> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(broken)?;
    decoder.seek_to_image(index).map_err(broken)?;
    Ok(decoder)
}

/// Replaces the value of a tag of one short number, where the directory has it.
fn put(bytes: &mut [u8], ifd: usize, tag: u16, value: u16) {
    let big = bytes.first() == Some(&b'M');
    let short = |number: u16| if big { number.to_be_bytes() } else { number.to_le_bytes() };
    let count = match bytes.get(ifd..ifd + 2) {
        Some(&[a, b]) if big => u16::from_be_bytes([a, b]),
        Some(&[a, b]) => u16::from_le_bytes([a, b]),
        _ => 0,
    };
    for i in 0..usize::from(count) {
        let entry = ifd + 2 + 12 * i;
        let Some(entry) = bytes.get_mut(entry..entry + 12) else { return };
        if entry[..2] == short(tag) {
            entry[2..4].copy_from_slice(&short(3));
            entry[8..10].copy_from_slice(&short(value));
        }
    }
}

/// Turns the bits of each byte of the page's strips or tiles around.
fn reverse(bytes: &mut [u8], decoder: &mut File<'_>) {
    let mut numbers = |tag| {
        let found = decoder.find_tag_unsigned_vec::<u64>(tag);
        found.ok().flatten().unwrap_or_default()
    };
    let mut parts: Vec<(u64, u64)> = Vec::new();
    for (offsets, counts) in
        [(Tag::StripOffsets, Tag::StripByteCounts), (Tag::TileOffsets, Tag::TileByteCounts)]
    {
        parts.extend(numbers(offsets).into_iter().zip(numbers(counts)));
    }
    // Parts that overlap would be turned twice.
    parts.sort_unstable();
    parts.dedup();
    for (start, count) in parts {
        let end = start.saturating_add(count).min(bytes.len() as u64) as usize;
        if let Some(part) = bytes.get_mut(start as usize..end) {
            reverse_bits(part);
        }
    }
}

/// The greys of a palette: all reds come first, then all greens, then all blues.
fn palette(decoder: &mut File<'_>) -> Result<Vec<u8>, Refusal> {
    let map = decoder.get_tag_u16_vec(Tag::ColorMap).map_err(broken)?;
    let third = map.len() / 3;
    // Some writers fill only the lower bytes.
    let shift = if map.iter().all(|level| *level < 256) { 0 } else { 8 };
    let level = |at: usize| (map[at] >> shift) as u8;
    Ok((0..third).map(|i| luma(level(i), level(third + i), level(2 * third + i))).collect())
}

fn old_jpeg(bytes: &[u8], decoder: &mut File<'_>) -> Result<GrayImage, Refusal> {
    let number = |decoder: &mut File<'_>, tag| {
        let found = decoder.find_tag_unsigned::<u64>(Tag::from_u16_exhaustive(tag));
        found.ok().flatten().map(|number| number as usize)
    };
    let (start, length) = (number(decoder, JPEG_START), number(decoder, JPEG_LENGTH));
    let jpeg = start.and_then(|start| {
        let end = start.saturating_add(length.unwrap_or(usize::MAX)).min(bytes.len());
        bytes.get(start..end).filter(|jpeg| jpeg.starts_with(b"\xff\xd8\xff"))
    });
    let jpeg = jpeg.ok_or_else(|| {
        Refusal::Unsupported("a page has the withdrawn JPEG of TIFF 6.0; save it anew".into())
    })?;
    Ok(picture::read(ImageFormat::Jpeg, jpeg)?.0)
}

/// The lightness of CIE L*a*b*, which is nearly what a grey of the same level shows.
fn lightness(decoder: &mut File<'_>) -> Result<GrayImage, Refusal> {
    let (width, height) = size(decoder)?;
    let samples = samples(decoder)?;
    picture_of(width, height, samples.chunks_exact(3).map(|pixel| pixel[0]).collect())
}

fn size(decoder: &mut File<'_>) -> Result<(u32, u32), Refusal> {
    let (width, height) = decoder.dimensions().map_err(broken)?;
    match u64::from(width) * u64::from(height) > gray::MAX_PIXELS {
        true => Err(Refusal::TooLarge),
        false => Ok((width, height)),
    }
}

fn picture_of(width: u32, height: u32, pixels: Vec<u8>) -> Result<GrayImage, Refusal> {
    GrayImage::from_raw(width, height, pixels)
        .ok_or_else(|| Refusal::Broken("a page has too few pixels".into()))
}

/// Samples of 8 bits; smaller ones stay packed.
fn samples(decoder: &mut File<'_>) -> Result<Vec<u8>, Refusal> {
    let floats = |all: &mut dyn Iterator<Item = f64>| {
        let all: Vec<f64> = all.map(|s| if s.is_finite() { s } else { 0.0 }).collect();
        // From 0 to 1 as is usual, or to whatever is the most.
        let most = all.iter().copied().fold(1.0, f64::max);
        all.into_iter().map(|s| (s / most * 255.0).clamp(0.0, 255.0) as u8).collect()
    };
    Ok(match decoder.read_image().map_err(broken)? {
        DecodingResult::U8(samples) => samples,
        DecodingResult::U16(samples) => samples.into_iter().map(|s| (s >> 8) as u8).collect(),
        DecodingResult::U32(samples) => samples.into_iter().map(|s| (s >> 24) as u8).collect(),
        DecodingResult::F32(samples) => floats(&mut samples.into_iter().map(f64::from)),
        DecodingResult::F64(samples) => floats(&mut samples.into_iter()),
        _ => return Err(Refusal::Unsupported("its samples are no colours".into())),
    })
}

fn pixels(decoder: &mut File<'_>, palette: Option<&[u8]>) -> Result<GrayImage, Refusal> {
    let (width, height) = size(decoder)?;
    let colour = decoder.colortype().map_err(broken)?;
    let planar = decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).ok().flatten();
    let mut samples = samples(decoder)?;
    let area = width as usize * height as usize;
    let planes = usize::from(colour.num_samples());
    if planar == Some(2) && planes > 1 {
        if samples.len() < area * planes {
            return Err(Refusal::Unsupported("its colours lie in planes".into()));
        }
        let plane = |i: usize| &samples[i % planes * area..];
        samples = (0..area * planes).map(|i| plane(i)[i / planes]).collect();
    }
    let pixels = match (palette, colour) {
        (palette, ColorType::Gray(bits @ (1 | 2 | 4))) => {
            let levels: Vec<u8> = match palette {
                Some(palette) => palette.to_vec(),
                None => (0..1_u32 << bits).map(|i| (i * 255 / ((1 << bits) - 1)) as u8).collect(),
            };
            unpacked(&samples, width as usize, bits, &levels)
        }
        (Some(palette), ColorType::Gray(8)) => {
            samples.iter().map(|i| palette.get(usize::from(*i)).copied().unwrap_or(255)).collect()
        }
        (_, colour) => levels(colour, &samples)
            .ok_or_else(|| Refusal::Unsupported(format!("TIFF colours of {colour:?}")))?,
    };
    picture_of(width, height, pixels)
}

/// The levels of samples of less than 8 bits; each row begins with a byte.
fn unpacked(samples: &[u8], width: usize, bits: u8, levels: &[u8]) -> Vec<u8> {
    let each = 8 / usize::from(bits);
    let level = |row: &[u8], x: usize| {
        let byte = row.get(x / each).copied().unwrap_or(0);
        let shift = 8 - bits as usize * (x % each + 1);
        let value = usize::from(byte >> shift) & ((1 << bits) - 1);
        levels.get(value).copied().unwrap_or(255)
    };
    let rows = samples.chunks(width.div_ceil(each));
    rows.flat_map(|row| (0..width).map(move |x| level(row, x))).collect()
}

/// Grey levels of samples of 8 bits; `None` for kinds of colour that cannot be read.
fn levels(colour: ColorType, samples: &[u8]) -> Option<Vec<u8>> {
    let cmyk = |p: &[u8]| {
        let part = |ink: u8| (u32::from(255 - ink) * u32::from(255 - p[3]) / 255) as u8;
        luma(part(p[0]), part(p[1]), part(p[2]))
    };
    let each = samples.chunks_exact(usize::from(colour.num_samples()).max(1));
    Some(match colour {
        _ if colour.bit_depth() < 8 => return None,
        ColorType::Gray(_) => samples.to_vec(),
        ColorType::GrayA(_) => each.map(|p| on_white(p[0], p[1])).collect(),
        ColorType::RGB(_) => each.map(|p| luma(p[0], p[1], p[2])).collect(),
        ColorType::RGBA(_) => each.map(|p| on_white(luma(p[0], p[1], p[2]), p[3])).collect(),
        ColorType::CMYK(_) => each.map(cmyk).collect(),
        ColorType::CMYKA(_) => each.map(|p| on_white(cmyk(p), p[4])).collect(),
        // The luma, or the lightness, comes first of each pixel.
        ColorType::YCbCr(_) | ColorType::Lab(_) => each.map(|p| p[0]).collect(),
        _ => return None,
    })
}
