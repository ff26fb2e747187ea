//! The file of one call: the pages of all that goes out in it, each with its header line.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    line::header::{Header, Place},
    pages::tiff::{self, CodedPage, FillOrder, TiffError},
};

/// One of those that share a call.
#[derive(Debug)]
pub(super) struct Part {
    /// Its pages.
    pub pages: PathBuf,
    /// Pages of its document that went out before.
    pub before: u32,
    /// Its header line, where it gets one.
    pub header: Option<Header>,
}

impl Part {
    /// Which page of how many of its document this one is.
    fn number(&self, index: usize, count: usize) -> (u32, u32) {
        (self.before + index as u32 + 1, self.before + count as u32)
    }
}

/// Why there is no file.
#[derive(Debug)]
pub(super) enum NoDocument {
    /// One of the parts cannot be read.
    Part(usize, TiffError),
    /// The file cannot be written.
    File(TiffError),
}

/// Makes the file, and says how many pages each part has in it. Pages without a header
/// line are copied as they are coded.
pub(super) fn build(parts: &[Part], place: Place, out: &Path) -> Result<Vec<u32>, NoDocument> {
    let mut all: Vec<CodedPage> = vec![];
    let mut counts = vec![];
    for (at, part) in parts.iter().enumerate() {
        let before = all.len();
        read(part, place, &mut all).map_err(|error| NoDocument::Part(at, error))?;
        counts.push((all.len() - before) as u32);
    }
    let bytes = tiff::write(&all, FillOrder::HighestFirst);
    fs::write(out, bytes).map_err(TiffError::io(out)).map_err(NoDocument::File)?;
    Ok(counts)
}

fn read(part: &Part, place: Place, all: &mut Vec<CodedPage>) -> Result<(), TiffError> {
    let file = tiff::read(&part.pages)?;
    let count = file.pages().len();
    for index in 0..count {
        let Some(header) = &part.header else {
            all.push(file.coded(index)?);
            continue;
        };
        let density = file.pages()[index].density;
        let page = file.decode(index)?.page;
        let number = part.number(index, count);
        all.push(CodedPage::mmr(&header.stamp(&page, density, place, number), density));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use postfax_domain::document::Resolution;

    use super::*;
    use crate::pages::{
        bitmap::{Bitmap, Size},
        sheet,
    };

    #[test]
    fn the_pages_of_all_follow_each_other_and_only_the_header_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let density = sheet::density(Resolution::Fine);
        let file = |name: &str, inks: &[u32]| {
            let page = |ink: &u32| {
                let mut page = Bitmap::white(Size::new(1728, 100).unwrap());
                (0..100).for_each(|y| page.blacken(y, *ink, *ink + 9));
                CodedPage::mmr(&page, density)
            };
            let pages: Vec<CodedPage> = inks.iter().map(page).collect();
            let path = folder.path().join(name);
            fs::write(&path, tiff::write(&pages, FillOrder::HighestFirst)).unwrap();
            path
        };
        let header = Header {
            at: "2026-07-01 10:02 +0200".into(),
            from: "A".into(),
            from_number: String::new(),
            to: "+442079460100".into(),
        };
        let parts = [
            Part { pages: file("one", &[10, 20]), before: 0, header: None },
            Part { pages: file("two", &[30]), before: 2, header: Some(header) },
        ];
        assert_eq!([parts[0].number(1, 2), parts[1].number(0, 1)], [(2, 2), (3, 3)]);
        let out = folder.path().join("out.tif");
        assert_eq!(build(&parts, Place::Above, &out).unwrap(), [2, 1]);
        let made = tiff::read(&out).unwrap();
        let page = |index| made.decode(index).unwrap().page;
        for (index, ink) in [(0, 10), (1, 20)] {
            assert_eq!(page(index).size().lines(), 100);
            assert!(page(index).is_black(ink, 50) && !page(index).is_black(ink + 9, 50));
        }
        assert_eq!(page(2).size().lines(), 122);
        assert!(page(2).is_black(30, 60));
        let missing = Part { pages: folder.path().join("none"), before: 0, header: None };
        let [first, _] = parts;
        match build(&[first, missing], Place::Above, &out) {
            Err(NoDocument::Part(1, TiffError::Io { .. })) => {}
            other => panic!("{other:?}"),
        }
    }
}
