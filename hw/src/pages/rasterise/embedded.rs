//! Pictures inside of HTML and covers, by the same decoders and with stricter limits
//! than a picture that is a document of its own.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::{Refusal, picture};
use crate::pages::{gray::Gray, kind::Kind};

/// What a decoder may allocate, in bytes.
const MAX_DECODER_BYTES: u64 = 256 << 20;
/// Pixels of one picture.
const MAX_PIXELS: u64 = 40_000_000;

/// Width and height of a picture, in pixels, by its header.
pub(crate) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    reader(bytes).ok()?.into_dimensions().ok()
}

/// A picture in grey, upright, on white.
///
/// # Errors
/// [`Refusal`]; also when it has more than `most` pixels.
pub(crate) fn decode(bytes: &[u8], most: u64) -> Result<Gray, Refusal> {
    let mut reader = reader(bytes)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(picture::refusal)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > most.min(MAX_PIXELS) {
        return Err(Refusal::TooLarge);
    }
    let orientation = decoder.orientation().map_err(picture::refusal)?;
    let decoded = DynamicImage::from_decoder(decoder).map_err(picture::refusal)?;
    let mut gray = DynamicImage::ImageLuma8(picture::on_white(decoded));
    gray.apply_orientation(orientation);
    let gray = gray.into_luma8();
    let (width, height) = gray.dimensions();
    Gray::from_pixels(width, height, gray.into_raw()).ok_or(Refusal::TooLarge)
}

fn reader(bytes: &[u8]) -> Result<ImageReader<Cursor<&[u8]>>, Refusal> {
    let format = match Kind::detect("", "", bytes) {
        Some(Kind::Png) => ImageFormat::Png,
        Some(Kind::Jpeg) => ImageFormat::Jpeg,
        Some(Kind::Gif) => ImageFormat::Gif,
        Some(Kind::Webp) => ImageFormat::WebP,
        Some(Kind::Bmp) => ImageFormat::Bmp,
        _ => return Err(Refusal::Unsupported("it is no PNG, JPEG, GIF, WebP or BMP".into())),
    };
    Ok(ImageReader::with_format(Cursor::new(bytes), format))
}
