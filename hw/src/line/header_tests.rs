//! What of a header line can be seen: its place, its height, and that it can be read.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;

use postfax_domain::document::{Paper, Resolution};

use super::*;
use crate::pages::{png, sheet, tiff::CodedPage};

fn header() -> Header {
    Header {
        at: "2026-07-01 10:02 +0200".into(),
        from: "Example Trading Limited".into(),
        from_number: "+39 040 1234567".into(),
        to: "+39 02 9990000".into(),
    }
}

/// A page with a bar down its whole length, but for so many white lines at its end.
fn page(resolution: Resolution, lines: u32, white: u32) -> Bitmap {
    let size = Size::new(Paper::A4.pixels(resolution), lines).unwrap();
    let mut page = Bitmap::white(size);
    for y in 0..lines - white {
        page.blacken(y, y % 300, y % 300 + 40);
    }
    page
}

fn height(resolution: Resolution) -> u32 {
    (BAND * resolution.lines_per_inch() as f32 / 196.0).round() as u32
}

#[test]
fn it_is_one_line_above_and_nothing_below_changes() {
    for resolution in Resolution::ALL {
        let density = sheet::density(resolution);
        let before = page(resolution, 400, 0);
        let after = header().stamp(&before, density, Place::Above, (2, 5));
        let band = (BAND * density.y / 196.0).round() as u32;
        assert!(band.abs_diff(height(resolution)) <= 1);
        assert_eq!(after.size().lines(), 400 + band, "{resolution:?}");
        for y in 0..400 {
            assert_eq!(after.row(y + band), before.row(y), "{resolution:?} line {y}");
        }
        let ink = (0..band).filter(|y| after.row(*y).iter().any(|byte| *byte != 0)).count() as u32;
        assert!(ink >= band * 6 / 10 && ink < band, "{resolution:?}: {ink} of {band} lines");
    }
}

#[test]
fn over_the_page_it_costs_only_the_first_lines() {
    let density = sheet::density(Resolution::Fine);
    let before = page(Resolution::Fine, 400, 0);
    let after = header().stamp(&before, density, Place::Over, (1, 1));
    assert_eq!(after.size(), before.size());
    for y in BAND as u32..400 {
        assert_eq!(after.row(y), before.row(y));
    }
    assert_ne!(after.row(10), before.row(10));
}

#[test]
fn a_page_as_long_as_the_paper_does_not_grow_while_its_end_is_white() {
    let density = sheet::density(Resolution::Fine);
    let a4 = sheet::a4(Resolution::Fine);
    for (lines, white, after) in
        [(a4, 100, a4), (a4, 10, a4 + 12), (a4, 0, a4 + 22), (a4 - 22, 100, a4), (50, 50, 72)]
    {
        let stamped =
            header().stamp(&page(Resolution::Fine, lines, white), density, Place::Above, (1, 1));
        assert_eq!(stamped.size().lines(), after, "{lines} {white}");
    }
}

#[test]
fn a_line_that_is_too_long_keeps_the_page_and_stays_on_it() {
    let density = sheet::density(Resolution::Standard);
    let long = Header { from: "Wide W ".repeat(60), ..header() };
    let blank = Bitmap::white(Size::new(1728, 100).unwrap());
    let one = long.stamp(&blank, density, Place::Above, (1, 9));
    let two = long.stamp(&blank, density, Place::Above, (2, 9));
    assert_eq!(one.size().width(), 1728);
    assert_ne!(one, two, "the number of the page is there");
    let odd = Header { from: "A\u{7}\u{4e00}\u{1f4e0}".into(), ..header() };
    let plain = Header { from: "A??".into(), ..header() };
    let stamp = |header: &Header| header.stamp(&blank, density, Place::Above, (1, 1));
    assert_eq!(stamp(&odd), stamp(&plain), "what has no letter is a question mark");
    let narrow = Bitmap::white(Size::new(8, 3).unwrap());
    for place in [Place::Above, Place::Over] {
        let stamped = long.stamp(&narrow, density, place, (1, 1));
        assert_eq!(stamped.size().width(), 8);
    }
}

#[test]
fn its_words_can_be_read() {
    if Command::new("tesseract").arg("--version").output().is_err() {
        eprintln!("SKIPPED, NOT TESTED: reading the header line (tesseract is not installed)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for resolution in [Resolution::Standard, Resolution::Fine, Resolution::Superfine] {
        let blank = Bitmap::white(Size::new(Paper::A4.pixels(resolution), 60).unwrap());
        let density = sheet::density(resolution);
        let stamped = header().stamp(&blank, density, Place::Above, (2, 5));
        let picture = folder.path().join("line.png");
        std::fs::write(&picture, png::whole(&CodedPage::mmr(&stamped, density))).unwrap();
        let mut read = Command::new("tesseract");
        read.arg(&picture).args(["-", "--psm", "6", "--dpi", "204"]);
        let text = String::from_utf8_lossy(&read.output().unwrap().stdout).into_owned();
        for word in ["2026-07-01", "10:02", "Example", "Trading", "Limited", "9990000", "2/5"] {
            assert!(text.contains(word), "{resolution:?}: {word} in {text:?}");
        }
    }
}
