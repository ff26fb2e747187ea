//! Where pages lie on papers of every width, at every resolution.

use postfax_domain::document::Paper;

use super::*;
use crate::pages::sheet;

const MM: f32 = 72.0 / 25.4;

fn on(paper: Paper, resolution: Resolution) -> Look {
    Look { resolution, paper, ..Look::default() }
}

#[test]
fn an_inch_is_an_inch_on_every_paper_at_every_resolution() {
    for resolution in Resolution::ALL {
        for (paper, width, length) in
            [(Paper::A4, 210.0, 297.0), (Paper::B4, 250.0, 353.0), (Paper::A3, 297.0, 420.0)]
        {
            let bytes = pdf(width * MM, length * MM, 0);
            let page = draw_as(Kind::Pdf, bytes, on(Paper::A3, resolution), 1).unwrap();
            let page = &page.pages[0];
            assert_eq!(page.size().width(), paper.pixels(resolution));
            assert_eq!(page.size().lines(), sheet::lines(resolution, f64::from(length)));
            let [left, top, right, bottom] = ink(page);
            let (across, down) = (right - left + 1, bottom - top + 1);
            assert!(across.abs_diff(resolution.dots_per_inch()) <= 2, "{across} {resolution:?}");
            assert!(down.abs_diff(resolution.lines_per_inch()) <= 2, "{down} {resolution:?}");
        }
    }
}

#[test]
fn what_is_larger_than_the_paper_is_shrunk_and_turned() {
    let plan = || pdf(420.0 * MM, 297.0 * MM, 0);
    let a3 = draw_as(Kind::Pdf, plan(), on(Paper::A3, Resolution::Fine), 1).unwrap();
    assert_eq!((a3.pages[0].size().width(), a3.pages[0].size().lines()), (2432, 3234));
    // The upper left corner is the upper right one of the sheet.
    assert_near(ink(&a3.pages[0]), [2201, 0, 2404, 195]);
    let a4 = draw_as(Kind::Pdf, plan(), on(Paper::A4, Resolution::Fine), 1).unwrap();
    assert_eq!((a4.pages[0].size().width(), a4.pages[0].size().lines()), (1728, 2286));
    let [left, top, right, bottom] = ink(&a4.pages[0]);
    assert!((140..150).contains(&(right - left)) && (134..142).contains(&(bottom - top)));
}

#[test]
fn a_unit_of_the_user_makes_pages_larger() {
    let bytes = pdf(200.0, 200.0, 0);
    let at = bytes.windows(5).position(|five| five == b"/Type").unwrap();
    let page = bytes.windows(10).position(|ten| ten == b"/MediaBox ").unwrap();
    assert!(page > at);
    let larger = [&bytes[..page], b"/UserUnit 2 ", &bytes[page..]].concat();
    let [left, top, right, bottom] = ink(&draw(Kind::Pdf, larger));
    assert!((right - left).abs_diff(408) <= 3 && (bottom - top).abs_diff(391) <= 3);
}

#[test]
fn a_roll_goes_on_several_sheets_and_loses_nothing() {
    // A line every 20 mm of a receipt of 900 mm.
    let mut content = Content::new();
    for i in 0..45_u8 {
        content.rect(10.0, 10.0 + f32::from(i) * 20.0 * MM, 200.0, 5.0).fill_nonzero();
    }
    let bytes = pdf_of(80.0 * MM, 900.0 * MM, &content.finish());
    let tray = draw_as(Kind::Pdf, bytes, Look::default(), 2).unwrap();
    assert_eq!(tray.pages.len(), 4);
    let lines = |page: &Bitmap| {
        let inked: Vec<bool> = page.rows().map(|row| row.iter().any(|byte| *byte != 0)).collect();
        inked.windows(2).filter(|two| two[0] && !two[1]).count()
    };
    let all: usize = tray.pages.iter().map(lines).sum();
    // What two sheets share may show a line twice.
    assert!((45..=48).contains(&all), "{all}");
    // A picture as long as a roll is cut as well.
    let tall = image::ImageBuffer::from_pixel(700, 9000, Luma([0_u8]));
    let png = saved(&DynamicImage::ImageLuma8(tall), ImageFormat::Png);
    let tray = draw_at(Kind::Png, png, Resolution::Standard).unwrap();
    assert_eq!(tray.pages.len(), 9);
    assert!(tray.pages.iter().all(|page| page.black_pixels() > 250_000));
}
