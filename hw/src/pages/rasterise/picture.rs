//! Pictures: PNG, JPEG, GIF, WebP, BMP, PNM and ICO. Of moving ones the first frame,
//! of icons the largest.

use std::io::Cursor;

use super::{Refusal, Sink, density, lay};
use crate::pages::{
    Look,
    gray::{self, Gray},
    kind::Kind,
    sheet::Inches,
    tiff::Density,
};
use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
    error::LimitErrorKind, metadata::Orientation,
};

/// What a decoder may allocate, in bytes.
const MAX_DECODER_BYTES: u64 = 512 << 20;

pub(super) fn draw(
    kind: Kind,
    bytes: &[u8],
    look: Look,
    sink: &mut dyn Sink,
) -> Result<(), Refusal> {
    sink.announce(1)?;
    let format = match kind {
        Kind::Png => ImageFormat::Png,
        Kind::Jpeg => ImageFormat::Jpeg,
        Kind::Gif => ImageFormat::Gif,
        Kind::Webp => ImageFormat::WebP,
        Kind::Pnm => ImageFormat::Pnm,
        Kind::Ico => ImageFormat::Ico,
        _ => ImageFormat::Bmp,
    };
    // Icons of today hold PNG, of which the decoder takes one kind of colour only.
    let (format, bytes) = match kind {
        Kind::Ico => largest_icon(bytes).map_or((format, bytes), |png| (ImageFormat::Png, png)),
        _ => (format, bytes),
    };
    // Its decoder draws what has not arrived as grey, and says nothing.
    if kind == Kind::Jpeg && jpeg_is_cut_off(bytes) {
        return Err(Refusal::Broken("it is cut off: the end of the picture is missing".into()));
    }
    let (picture, exif) = read(format, bytes)?;
    let density = match kind {
        Kind::Png => density::png(bytes),
        Kind::Jpeg => density::jpeg(bytes, exif.metadata.as_deref()),
        Kind::Webp => density::exif(exif.metadata.as_deref()),
        Kind::Bmp => density::bmp(bytes),
        _ => density::SCREEN,
    };
    lay_upright(picture, exif.orientation, density, look, sink)
}

/// The largest picture of an icon where it is a PNG. Each entry of the directory has its
/// width in one byte, 0 for 256, and ends with length and place.
fn largest_icon(bytes: &[u8]) -> Option<&[u8]> {
    let u32_at = |at: usize| {
        let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(four) as usize)
    };
    let count = usize::from(*bytes.get(4)?);
    let entries = (0..count).map(|i| 6 + 16 * i);
    let width = |at: usize| bytes.get(at).map_or(0, |width| width.wrapping_sub(1));
    let largest = entries.max_by_key(|at| width(*at))?;
    let (length, start) = (u32_at(largest + 8)?, u32_at(largest + 12)?);
    let picture = bytes.get(start..start.checked_add(length)?)?;
    picture.starts_with(b"\x89PNG").then_some(picture)
}

/// Whether a JPEG ends before the marker that ends it (EOI, T.81 B.1.1.3). Segments are
/// jumped over, because small pictures within them have ends of their own.
fn jpeg_is_cut_off(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let (Some(&mark), Some(&code)) = (bytes.get(at), bytes.get(at + 1)) {
        at += match (mark, code) {
            (0xff, 0xd9) => return false,
            // Coded data; a stuffed or filling byte; TEM, RSTn and SOI, which stand alone.
            (0..=0xfe, _) | (_, 0xff) => 1,
            (_, 0x00 | 0x01 | 0xd0..=0xd8) => 2,
            _ => match (bytes.get(at + 2), bytes.get(at + 3)) {
                (Some(high), Some(low)) => 2 + usize::from(u16::from_be_bytes([*high, *low])),
                _ => return true,
            },
        };
    }
    true
}

/// What a picture says of itself beside its pixels.
pub(super) struct Said {
    pub(super) orientation: Orientation,
    pub(super) metadata: Option<Vec<u8>>,
}

/// Grey, on white, not yet upright.
pub(super) fn read(format: ImageFormat, bytes: &[u8]) -> Result<(GrayImage, Said), Refusal> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > gray::MAX_PIXELS {
        return Err(Refusal::TooLarge);
    }
    let said = Said {
        orientation: decoder.orientation().map_err(refusal)?,
        metadata: decoder.exif_metadata().unwrap_or_default(),
    };
    let picture = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    Ok((on_white(picture), said))
}

/// Lays a picture of this density, before it was turned upright, on a sheet.
pub(super) fn lay_upright(
    picture: GrayImage,
    orientation: Orientation,
    density: Density,
    look: Look,
    sink: &mut dyn Sink,
) -> Result<(), Refusal> {
    let mut picture = DynamicImage::ImageLuma8(picture);
    picture.apply_orientation(orientation);
    let sideways = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let density = if sideways { Density { x: density.y, y: density.x } } else { density };
    let size = Inches {
        width: f64::from(picture.width()) / f64::from(density.x),
        height: f64::from(picture.height()) / f64::from(density.y),
    };
    lay(&to_gray(picture)?, size, look, sink)
}

/// The grey of an already grey picture.
pub(super) fn to_gray(picture: DynamicImage) -> Result<Gray, Refusal> {
    let (width, height) = (picture.width(), picture.height());
    Gray::from_pixels(width, height, picture.into_luma8().into_raw())
        .ok_or_else(|| Refusal::Broken("it has no pixels".into()))
}

/// Grey, with what is transparent turned to paper.
pub(super) fn on_white(picture: DynamicImage) -> GrayImage {
    if !picture.color().has_alpha() {
        return picture.into_luma8();
    }
    let with_alpha = picture.into_luma_alpha8();
    GrayImage::from_fn(with_alpha.width(), with_alpha.height(), |x, y| {
        let [level, alpha] = with_alpha.get_pixel(x, y).0;
        image::Luma([gray::on_white(level, alpha)])
    })
}

pub(super) fn refusal(error: ImageError) -> Refusal {
    match error {
        ImageError::Limits(limit) => match limit.kind() {
            LimitErrorKind::Unsupported { .. } => Refusal::Unsupported(limit.to_string()),
            _ => Refusal::TooLarge,
        },
        ImageError::Unsupported(what) => Refusal::Unsupported(what.to_string()),
        other => Refusal::Broken(other.to_string()),
    }
}
