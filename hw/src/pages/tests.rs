//! Received files as the daemon uses them, with poppler as the judge of PDFs.

use std::{path::PathBuf, process::Command};

use super::{
    bitmap::{Bitmap, Size},
    ccitt::{self, Coding},
    tiff::Density,
    *,
};

const FINE: Density = Density { x: 204.0, y: 196.0 };
const LINES: u32 = 600;

fn page(seed: u32) -> Bitmap {
    let mut page = Bitmap::white(Size::new(1728, LINES).unwrap());
    for y in 0..LINES {
        for x in (0..1728).filter(|x| (x / 9 + y / 11 + seed).is_multiple_of(7)) {
            page.set_black(x, y);
        }
        page.blacken(y, y * 2, y * 2 + 5);
    }
    page
}

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, pages: &[CodedPage], order: FillOrder) -> PathBuf {
        std::fs::write(self.at(name), tiff::write(pages, order)).unwrap();
        self.at(name)
    }
}

fn coded(page: &Bitmap, coding: Coding) -> CodedPage {
    let bytes = ccitt::encode(page, coding);
    CodedPage { size: page.size(), density: FINE, coding, inverted: false, bytes }
}

/// The pictures in a PDF as `pdfimages` takes them out, bit for bit.
fn pictures(desk: &Desk, pdf: &Path) -> Option<Vec<Bitmap>> {
    let prefix = desk.at("picture");
    let done = Command::new("pdfimages").arg(pdf).arg(&prefix).output().ok()?;
    assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
    let mut all = Vec::new();
    while let Ok(pbm) = std::fs::read(desk.at(&format!("picture-{:03}.pbm", all.len()))) {
        let header = format!("P4\n1728 {LINES}\n");
        let rows = pbm.strip_prefix(header.as_bytes()).unwrap();
        let mut page = Bitmap::white(Size::new(1728, LINES).unwrap());
        for (y, row) in rows.chunks_exact(216).enumerate() {
            page.set_row(y as u32, row);
        }
        all.push(page);
    }
    Some(all)
}

#[test]
fn viewers_see_every_pixel_of_every_coding() {
    let (one, two) = (page(1), page(2));
    for coding in [
        Coding::MhRows,
        Coding::Mh { aligned: false },
        Coding::Mh { aligned: true },
        Coding::Mr { aligned: true },
        Coding::Mr { aligned: false },
        Coding::Mmr,
    ] {
        for order in [FillOrder::HighestFirst, FillOrder::LowestFirst] {
            let desk = Desk::new();
            let fax = desk.put("fax.tif", &[coded(&one, coding), coded(&two, coding)], order);
            std::fs::write(desk.at("fax.pdf"), show(&fax).unwrap().pdf).unwrap();
            let Some(seen) = pictures(&desk, &desk.at("fax.pdf")) else { return };
            assert!(seen == [one.clone(), two.clone()], "{coding:?} {order:?}");
        }
    }
}

#[test]
fn inverted_and_damaged_pages_are_seen_right() {
    let desk = Desk::new();
    let good = page(3);
    let mut inverted = coded(&good.clone().inverted(), Coding::Mmr);
    inverted.inverted = true;
    let mut damaged = coded(&good, Coding::Mmr);
    let middle = damaged.bytes.len() / 2;
    damaged.bytes[middle..middle + 6].fill(0);
    let repaired = damaged.decode();
    assert!(!repaired.damage.is_none());
    let fax = desk.put("fax.tif", &[inverted, damaged], FillOrder::LowestFirst);
    std::fs::write(desk.at("fax.pdf"), show(&fax).unwrap().pdf).unwrap();
    let Some(seen) = pictures(&desk, &desk.at("fax.pdf")) else { return };
    assert!(seen == [good, repaired.page]);
}

#[test]
fn a_resumed_fax_has_the_pages_that_are_left() {
    let desk = Desk::new();
    let pages: Vec<Bitmap> = (0..3).map(page).collect();
    let coded: Vec<CodedPage> =
        pages.iter().map(|page| coded(page, Coding::Mr { aligned: true })).collect();
    let all = desk.put("all.tif", &coded, FillOrder::LowestFirst);
    assert_eq!(count(&all).unwrap(), 3);
    assert_eq!(cut(&all, 1, &desk.at("left.tif")).unwrap(), 2);
    let rest = desk.put("rest.tif", &coded[1..], FillOrder::HighestFirst);
    assert!(same_pixels(&desk.at("left.tif"), &rest).unwrap());
    assert_eq!(
        std::fs::read(desk.at("left.tif")).unwrap(),
        std::fs::read(&rest).unwrap(),
        "copied unchanged"
    );
    assert!(!same_pixels(&all, &rest).unwrap());
    assert!(matches!(cut(&all, 3, &desk.at("none.tif")), Err(TiffError::NoSuchPage { pages: 3 })));
    assert!(!desk.at("none.tif").exists());
}

#[test]
fn a_single_pixel_makes_pages_different() {
    let desk = Desk::new();
    let one = page(1);
    let mut other = one.clone();
    let white = (0..1728).find(|&x| !one.is_black(x, 300)).unwrap();
    other.set_black(white, 300);
    let order = FillOrder::HighestFirst;
    let a = desk.put("a.tif", &[coded(&one, Coding::Mmr)], order);
    let b = desk.put("b.tif", &[coded(&other, Coding::Mmr)], order);
    let c = desk.put("c.tif", &[coded(&one, Coding::MhRows)], FillOrder::LowestFirst);
    assert!(!same_pixels(&a, &b).unwrap());
    assert!(same_pixels(&a, &c).unwrap());
}

#[test]
fn the_preview_is_a_small_picture_of_the_page() {
    let desk = Desk::new();
    let mut page = Bitmap::white(Size::new(1728, 1143).unwrap());
    for y in 0..500 {
        page.blacken(y, 0, 864);
    }
    let mut standard = coded(&page, Coding::Mmr);
    standard.density.y = 98.0;
    let fax = desk.put("fax.tif", &[standard], FillOrder::LowestFirst);
    let picture = image::load_from_memory(&preview::png(&fax, 0).unwrap()).unwrap().to_luma8();
    assert_eq!(picture.dimensions(), (400, 551), "true to the shape of the sheet");
    assert_eq!(picture.get_pixel(50, 50).0, [0]);
    assert_eq!(picture.get_pixel(350, 50).0, [255]);
    assert!(preview::png(&fax, 1).is_err());
}
