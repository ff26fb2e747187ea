//! Tests: what modems say (`words`), modems that say what a script tells them (`scripts`),
//! and modems of the telephone exchange, with programs by other people at the far end
//! (`peers`, `foreign`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod foreign;
mod peers;
mod port;
mod scripts;
mod words;

use std::path::{Path, PathBuf};

use postfax_domain::document::Resolution;
use tempfile::TempDir;

use crate::pages::{
    bitmap::{Bitmap, Size},
    ccitt::Coding,
    sheet,
    tiff::{self, CodedPage, FillOrder},
};

/// A short page with something on every line.
fn page(width: u32, lines: u32, seed: u32) -> Bitmap {
    let mut page = Bitmap::white(Size::new(width, lines).unwrap());
    for y in 0..lines {
        page.blacken(y, 40 + seed + y, 60 + seed + 2 * y);
        page.blacken(y, 1500, 1500 + (y + seed) % 200 + 1);
    }
    page
}

/// A file of pages of these resolutions.
fn document(folder: &TempDir, name: &str, pages: &[(Resolution, u32)]) -> PathBuf {
    let coded: Vec<CodedPage> = pages
        .iter()
        .enumerate()
        .map(|(at, (resolution, lines))| {
            CodedPage::mmr(&page(1728, *lines, at as u32 * 3), sheet::density(*resolution))
        })
        .collect();
    let path = folder.path().join(name);
    std::fs::write(&path, tiff::write(&coded, FillOrder::HighestFirst)).unwrap();
    path
}

/// Both files show the same pages at the same resolutions.
fn assert_same(one: &Path, other: &Path) {
    let [one, other] = [one, other].map(|path| tiff::read(path).unwrap());
    assert_eq!(one.pages().len(), other.pages().len());
    for index in 0..one.pages().len() {
        let [left, right] = [&one, &other].map(|file| file.decode(index).unwrap());
        assert!(right.damage.is_none(), "page {index}: {:?}", right.damage);
        assert!(left.page == right.page, "other pixels arrived on page {index}");
        let [left, right] = [&one, &other].map(|file| sheet::nearest(file.pages()[index].density));
        assert_eq!(left, right, "the resolution of page {index}");
    }
}

/// A page as it goes over the line, with RTC behind it.
fn on_the_line(page: &Bitmap) -> Vec<u8> {
    let mut coded = crate::pages::ccitt::encode(page, Coding::Mh { aligned: false });
    coded.extend([0x00, 0x10, 0x01].repeat(3));
    coded
}
