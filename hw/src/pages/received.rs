//! A received fax as it is shown to people: which pages are damaged, which say nothing,
//! and what becomes of all that as PDF. The file itself is never changed.
//!
//! Pages are decoded one by one and not kept: a fax may have two thousand.

use std::{collections::BTreeMap, ops::Range, path::Path};

use postfax_domain::setup::Trim;

use super::{
    ccitt::{Damage, Decoded},
    pdf::{About, Book, Sheet},
    preview,
    tiff::{self, CodedPage, File, FillOrder, TiffError},
    trim,
    words::{self, Word},
};

/// A received fax, looked through.
pub struct Received {
    file: File,
    pages: Vec<Seen>,
}

/// What there is to say of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its lines.
    pub lines: u32,
    /// What was wrong with it.
    pub damage: Damage,
    /// Where: stretches of lines, counted from 0, that were repaired.
    pub bad: Vec<Range<u32>>,
    /// Why it is not shown, when it is not.
    pub left_out: Option<LeftOut>,
}

/// Why a page is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// Nothing is on it.
    Blank,
    /// The page beside it is the same, and no worse.
    Duplicate,
}

impl Received {
    /// Reads a file and looks at every page.
    ///
    /// # Errors
    /// [`TiffError`] when it cannot be read. Damaged lines are no error.
    pub fn read(path: &Path, trim: Trim) -> Result<Self, TiffError> {
        let file = tiff::read(path)?;
        let mut pages: Vec<Seen> = Vec::with_capacity(file.pages().len());
        // The last page that is shown, and its place.
        let mut last: Option<(usize, Decoded)> = None;
        for index in 0..file.pages().len() {
            let decoded = file.decode(index)?;
            let left_out = match &last {
                _ if trim.blank && is_blank(&file, index, &decoded) => Some(LeftOut::Blank),
                Some((before, other)) if trim.duplicate && trim::is_same(other, &decoded) => {
                    let better = decoded.damage.lines() < other.damage.lines();
                    if better {
                        pages[*before].left_out = Some(LeftOut::Duplicate);
                    }
                    (!better).then_some(LeftOut::Duplicate)
                }
                _ => None,
            };
            pages.push(Seen {
                lines: decoded.page.size().lines(),
                damage: decoded.damage,
                bad: decoded.bad.clone(),
                left_out,
            });
            if left_out.is_none() {
                last = Some((index, decoded));
            }
        }
        // A fax of nothing but blank pages is still a fax.
        if pages.iter().all(|page| page.left_out.is_some())
            && let Some(first) = pages.first_mut()
        {
            first.left_out = None;
        }
        Ok(Self { file, pages })
    }

    /// All pages in their order.
    #[must_use]
    pub fn pages(&self) -> &[Seen] {
        &self.pages
    }

    /// The pages that are shown, counted from 0.
    pub fn shown(&self) -> impl Iterator<Item = usize> + '_ {
        let shown = self.pages.iter().enumerate().filter(|(_, page)| page.left_out.is_none());
        shown.map(|(index, _)| index)
    }

    /// Page `index` as a picture from which words can be read.
    ///
    /// # Errors
    /// When there is no such page.
    pub fn picture(&self, index: usize) -> Result<Vec<u8>, TiffError> {
        let decoded = self.file.decode(index)?;
        Ok(words::picture(&decoded.page, self.file.pages()[index].density))
    }

    /// The pages that are shown as PDF, with the words that were read from some of them.
    ///
    /// # Errors
    /// [`TiffError`] when a page is no fax page.
    pub fn pdf(
        &self,
        about: &About,
        words: &BTreeMap<usize, Vec<Word>>,
    ) -> Result<Vec<u8>, TiffError> {
        let mut book = Book::new();
        for index in self.shown() {
            let seen = &self.pages[index];
            let page = match seen.damage.is_none() {
                true => self.file.coded(index)?,
                false => self.repaired(index)?,
            };
            let words = words.get(&index).map_or(&[][..], Vec::as_slice);
            book.put(&Sheet { page, bad: &seen.bad, words });
        }
        Ok(book.finish(about))
    }

    fn repaired(&self, index: usize) -> Result<CodedPage, TiffError> {
        let density = self.file.pages()[index].density;
        Ok(CodedPage::mmr(&self.file.decode(index)?.page, density))
    }

    /// A small picture of the first page that is shown, as PNG.
    ///
    /// # Errors
    /// [`TiffError`] when it is no fax page.
    pub fn preview(&self) -> Result<Vec<u8>, TiffError> {
        preview::of(&self.file, self.shown().next().unwrap_or(0))
    }

    /// The first pages alone as a file, repaired: for whoever looks for codes on them.
    ///
    /// # Errors
    /// [`TiffError`] when one of them is no fax page.
    pub fn first_pages(path: &Path, most: usize) -> Result<Vec<u8>, TiffError> {
        let file = tiff::read(path)?;
        let count = file.pages().len().min(most);
        let pages = (0..count).map(|index| file.coded(index)).collect::<Result<Vec<_>, _>>()?;
        Ok(tiff::write(&pages, FillOrder::HighestFirst))
    }
}

fn is_blank(file: &File, index: usize, decoded: &Decoded) -> bool {
    // What is missing may not have been blank.
    decoded.damage.lines() <= decoded.page.size().lines() / 10
        && trim::is_blank(&decoded.page, file.pages()[index].density)
}

#[cfg(test)]
mod tests;
