//! Documents of every kind, made here, and where their ink lands on the sheet.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Luma, LumaA, Rgb};
use pdf_writer::{Content, Finish, Pdf, Rect, Ref};
use postfax_domain::document::Resolution;

use super::*;
use crate::pages::{
    ccitt::{self, Coding},
    tiff::{CodedPage, Density, FillOrder, write},
};

#[derive(Default)]
struct Tray {
    pages: Vec<Bitmap>,
    warnings: Vec<String>,
}

impl Sink for Tray {
    fn announce(&mut self, _pages: usize) -> Result<(), Refusal> {
        Ok(())
    }

    fn page(&mut self, page: &Bitmap) {
        self.pages.push(page.clone());
    }

    fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }
}

fn draw_at(kind: Kind, bytes: Vec<u8>, resolution: Resolution) -> Result<Tray, Refusal> {
    let mut tray = Tray::default();
    rasterise(kind, bytes, Look { resolution, ..Look::default() }, &mut tray)?;
    Ok(tray)
}

fn draw(kind: Kind, bytes: Vec<u8>) -> Bitmap {
    let mut tray = draw_at(kind, bytes, Resolution::Fine).unwrap();
    assert_eq!((tray.pages.len(), tray.warnings.len()), (1, 0), "{:?}", tray.warnings);
    tray.pages.remove(0)
}

/// The box around all ink: left, top, right, bottom.
fn ink(page: &Bitmap) -> [u32; 4] {
    let size = page.size();
    let places = (0..size.lines()).flat_map(|y| (0..size.width()).map(move |x| (x, y)));
    let mut bounds = [u32::MAX, u32::MAX, 0, 0];
    for (x, y) in places.filter(|&(x, y)| page.is_black(x, y)) {
        let [left, top, right, bottom] = bounds;
        bounds = [left.min(x), top.min(y), right.max(x), bottom.max(y)];
    }
    bounds
}

fn assert_near(found: [u32; 4], expected: [u32; 4]) {
    let near = found.iter().zip(&expected).all(|(a, b)| a.abs_diff(*b) <= 4);
    assert!(near, "{found:?} is not near {expected:?}");
}

/// A page of this size in points with a black square of an inch at its upper left.
fn pdf(width: f32, height: f32, rotate: i32) -> Vec<u8> {
    let mut pdf = Pdf::new();
    let [catalog, tree, page, stream] = [1, 2, 3, 4].map(Ref::new);
    pdf.catalog(catalog).pages(tree);
    pdf.pages(tree).kids([page]).count(1);
    let mut dict = pdf.page(page);
    dict.media_box(Rect::new(0.0, 0.0, width, height)).parent(tree).contents(stream);
    dict.rotate(rotate);
    dict.finish();
    let mut content = Content::new();
    content.rect(0.0, height - 72.0, 72.0, 72.0).fill_nonzero();
    pdf.stream(stream, &content.finish());
    pdf.finish()
}

#[test]
fn pdf_pages_are_true_to_size_centred_and_turned() {
    // A4 is 1687 pixels wide and lies 16 from the left.
    for (bytes, lines, expected) in [
        (pdf(595.28, 841.89, 0), 2286, [16, 0, 219, 195]),
        // The upper left of a landscape page is the upper right of the turned one.
        (pdf(841.89, 595.28, 0), 2286, [1498, 0, 1702, 195]),
        (pdf(841.89, 595.28, 90), 2286, [1498, 0, 1702, 195]),
        // Letter is a hair too wide, keeps its length, and Legal too.
        (pdf(612.0, 792.0, 0), 2151, [0, 0, 203, 195]),
        (pdf(612.0, 1008.0, 0), 2738, [0, 0, 203, 195]),
        // A6 landscape fits as it is and lies in the middle.
        (pdf(419.5, 297.6, 0), 2286, [264, 738, 467, 933]),
    ] {
        let page = draw(Kind::Pdf, bytes);
        assert_eq!(page.size().lines(), lines);
        assert_near(ink(&page), expected);
    }
}

#[test]
fn resolutions_differ_in_lines_only() {
    for (resolution, lines, bottom) in [
        (Resolution::Standard, 1143, 97),
        (Resolution::Fine, 2286, 195),
        (Resolution::Superfine, 4573, 390),
    ] {
        let tray = draw_at(Kind::Pdf, pdf(595.28, 841.89, 0), resolution).unwrap();
        assert_eq!(tray.pages[0].size().lines(), lines);
        assert_near(ink(&tray.pages[0]), [16, 0, 219, bottom]);
    }
}

/// 400 by 300 pixels, black in the upper left quarter.
fn quarter() -> DynamicImage {
    let level = |x, y| if x < 200 && y < 150 { 0_u8 } else { 255 };
    DynamicImage::ImageRgb8(image::ImageBuffer::from_fn(400, 300, |x, y| Rgb([level(x, y); 3])))
}

fn saved(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn pictures_of_every_format_lie_alike() {
    // At 96 dots an inch: 850 by 611 pixels in the middle of the sheet.
    let expected = [432, 837, 856, 1142];
    for (kind, format) in [
        (Kind::Png, ImageFormat::Png),
        (Kind::Jpeg, ImageFormat::Jpeg),
        (Kind::Gif, ImageFormat::Gif),
        (Kind::Webp, ImageFormat::WebP),
        (Kind::Bmp, ImageFormat::Bmp),
        (Kind::Pnm, ImageFormat::Pnm),
    ] {
        let bytes = saved(&quarter(), format);
        assert_eq!(Kind::detect("", "", &bytes), Some(kind));
        assert_near(ink(&draw(kind, bytes)), expected);
    }
}

#[test]
fn a_phone_held_sideways_is_put_upright() {
    let plain = saved(&quarter(), ImageFormat::Jpeg);
    // EXIF orientation 3: upside down.
    let exif =
        b"\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0";
    let turned = [&plain[..2], exif, &plain[2..]].concat();
    assert_near(ink(&draw(Kind::Jpeg, turned)), [857, 1143, 1281, 1448]);
}

#[test]
fn transparent_is_paper() {
    let clear = image::ImageBuffer::from_pixel(100, 100, LumaA([0_u8, 0]));
    let png = saved(&DynamicImage::ImageLumaA8(clear), ImageFormat::Png);
    assert_eq!(draw(Kind::Png, png).black_pixels(), 0);
}

#[test]
fn large_pictures_are_shrunk_and_turned_to_the_sheet() {
    let wide = image::ImageBuffer::from_pixel(4000, 3000, Luma([0_u8]));
    let png = saved(&DynamicImage::ImageLuma8(wide), ImageFormat::Png);
    let page = draw(Kind::Png, png);
    let [left, top, right, bottom] = ink(&page);
    assert!(right - left > 1650 && bottom - top > 2100, "{left} {top} {right} {bottom}");
}

#[test]
fn ordinary_tiff_pages_are_pictures() {
    use ::tiff::encoder::{TiffEncoder, colortype};
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).unwrap();
    let rgb = quarter().into_rgb8();
    encoder.write_image::<colortype::RGB8>(400, 300, &rgb).unwrap();
    let gray: Vec<u16> = rgb.pixels().map(|p| u16::from(p.0[0]) << 8).collect();
    encoder.write_image::<colortype::Gray16>(400, 300, &gray).unwrap();
    let tray = draw_at(Kind::Tiff, file.into_inner(), Resolution::Fine).unwrap();
    assert_eq!(tray.pages.len(), 2);
    for page in &tray.pages {
        // Black covers a quarter of whatever size the file claims.
        let [left, top, right, bottom] = ink(page);
        let square = u64::from(right - left + 1) * u64::from(bottom - top + 1);
        assert!(page.black_pixels() * 100 > square * 97, "{page:?}");
    }
}

fn fax(page: &Bitmap, density: Density) -> Vec<u8> {
    let bytes = ccitt::encode(page, Coding::Mr { aligned: true });
    let coding = Coding::Mr { aligned: true };
    let page = CodedPage { size: page.size(), density, coding, inverted: false, bytes };
    write(&[page], FillOrder::LowestFirst)
}

#[test]
fn fax_pages_pass_pixel_for_pixel() {
    let mut page = Bitmap::white(Size::new(1728, 1100).unwrap());
    for y in 0..1100 {
        page.blacken(y, y, y + y % 9);
    }
    for (dots, lines, resolution, times) in [
        (204.0, 196.0, Resolution::Fine, 1),
        (200.0, 200.0, Resolution::Fine, 1),
        (204.0, 98.0, Resolution::Standard, 1),
        (204.0, 98.0, Resolution::Fine, 2),
        (204.0, 98.0, Resolution::Superfine, 4),
        (204.0, 196.0, Resolution::Superfine, 2),
        (204.0, 391.0, Resolution::Superfine, 1),
    ] {
        let bytes = fax(&page, Density { x: dots, y: lines });
        let drawn = draw_at(Kind::Tiff, bytes, resolution).unwrap().pages.remove(0);
        assert_eq!(drawn, page.lines_repeated(times).unwrap(), "{lines} {resolution:?}");
    }
    // Finer than wanted is drawn again.
    let bytes = fax(&page, Density { x: 204.0, y: 391.0 });
    let drawn = draw_at(Kind::Tiff, bytes, Resolution::Fine).unwrap().pages.remove(0);
    assert_eq!(drawn.size().lines(), 2286);
}

#[test]
fn damaged_fax_pages_are_told_or_refused() {
    let page = Bitmap::white(Size::new(1728, 1000).unwrap());
    let short = |lines: u32| {
        let part = Bitmap::white(Size::new(1728, lines).unwrap());
        let bytes = ccitt::encode(&part, Coding::Mmr);
        let density = Density { x: 204.0, y: 196.0 };
        let coding = Coding::Mmr;
        let coded = CodedPage { size: page.size(), density, coding, inverted: false, bytes };
        draw_at(Kind::Tiff, write(&[coded], FillOrder::HighestFirst), Resolution::Fine)
    };
    assert_eq!(short(990).unwrap().warnings, ["page 1 has 10 damaged lines"]);
    assert!(matches!(short(900), Err(Refusal::Broken(_))));
}
