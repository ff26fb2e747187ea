//! Pictures: PNG, JPEG, GIF, WebP and BMP. Of moving ones the first frame.

use std::io::Cursor;

use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
    error::LimitErrorKind,
};
use postfax_domain::document::Resolution;

use super::{Refusal, Sink, density, lay};
use crate::pages::{
    gray::{self, Gray},
    kind::Kind,
    sheet::Inches,
    tiff::Density,
};

/// What a decoder may allocate, in bytes.
const MAX_DECODER_BYTES: u64 = 512 << 20;

pub(super) fn draw(
    kind: Kind,
    bytes: &[u8],
    resolution: Resolution,
    sink: &mut dyn Sink,
) -> Result<(), Refusal> {
    sink.announce(1)?;
    let (format, mut density) = match kind {
        Kind::Png => (ImageFormat::Png, density::png(bytes)),
        Kind::Jpeg => (ImageFormat::Jpeg, density::jpeg(bytes)),
        Kind::Gif => (ImageFormat::Gif, density::USUAL),
        Kind::Webp => (ImageFormat::WebP, density::USUAL),
        _ => (ImageFormat::Bmp, density::USUAL),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > gray::MAX_PIXELS {
        return Err(Refusal::TooLarge);
    }
    let orientation = decoder.orientation().map_err(refusal)?;
    let picture = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    let mut picture = DynamicImage::ImageLuma8(on_white(picture));
    picture.apply_orientation(orientation);
    if (picture.width(), picture.height()) != (width, height) {
        density = Density { x: density.y, y: density.x };
    }
    let picture = to_gray(picture)?;
    let size = Inches {
        width: f64::from(picture.width()) / f64::from(density.x),
        height: f64::from(picture.height()) / f64::from(density.y),
    };
    sink.page(&lay(&picture, size, resolution)?);
    Ok(())
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
        let [level, alpha] = with_alpha.get_pixel(x, y).0.map(u32::from);
        image::Luma([((level * alpha + 255 * (255 - alpha) + 127) / 255) as u8])
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
