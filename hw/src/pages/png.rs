//! A fax page as a PNG of its own size, for people who look at it on a screen.

use image::{
    ExtendedColorType, ImageEncoder,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};

use super::tiff::CodedPage;

/// The page as a grey PNG with square pixels, as many an inch as it has in its finer
/// direction: nothing of it is lost, and it is not squeezed.
#[must_use]
pub fn whole(page: &CodedPage) -> Vec<u8> {
    let (x, y) = (f64::from(page.density.x), f64::from(page.density.y));
    let finest = x.max(y);
    let sized = |dots: u32, density: f64| (f64::from(dots) * finest / density).round() as u32;
    let gray = page.decode().page.to_gray();
    let gray = gray.scaled(sized(gray.width(), x).max(1), sized(gray.height(), y).max(1));
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Up)
        .write_image(gray.pixels(), gray.width(), gray.height(), ExtendedColorType::L8)
        .expect("a grey picture is written to memory");
    bytes
}

#[cfg(test)]
mod tests {
    use postfax_domain::document::Resolution;

    use super::*;
    use crate::pages::{
        bitmap::{Bitmap, Size},
        sheet,
    };

    #[test]
    fn pixels_are_square() {
        for (resolution, width, lines, expected) in [
            (Resolution::Standard, 1728, 1143, (1728, 2379)),
            (Resolution::Superfine, 1728, 4573, (3312, 4573)),
            (Resolution::Dots300, 2592, 3507, (2592, 3507)),
        ] {
            let page = Bitmap::white(Size::new(width, lines).unwrap());
            let png = whole(&CodedPage::mmr(&page, sheet::density(resolution)));
            let read = image::load_from_memory(&png).unwrap();
            assert_eq!((read.width(), read.height()), expected, "{resolution:?}");
        }
    }
}
