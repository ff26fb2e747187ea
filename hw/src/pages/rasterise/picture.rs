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
fn to_gray(picture: DynamicImage) -> Result<Gray, Refusal> {
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
