//! What the pages of documents cost: size, sheet, ink, time on the line. The shape of
//! `postfax pages --json`; a key that is there stays there.

use std::path::PathBuf;

use postfax_hw::pages::{Look, line_time::line_time, sheet, tiff::CodedPage};
use serde::Serialize;

/// The rates that are told, in bit/s: V.17 and V.34 at their best.
pub(super) const RATES: [u32; 2] = [14_400, 33_600];
/// Formats by their length in millimetres, across A4 width.
const LENGTHS: [(&str, f64); 3] = [("letter", 279.4), ("a4", 297.0), ("legal", 355.6)];
const INCH_MM: f64 = 25.4;

/// What became of all documents.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The resolution, `fine`.
    pub(super) resolution: &'static str,
    /// The widest paper that was allowed, `a4`.
    pub(super) paper: &'static str,
    /// Each document in the order in which it was named.
    pub(super) documents: Vec<Document>,
    /// All pages together.
    pub(super) pages: usize,
    /// Their size in bytes.
    pub(super) bytes: u64,
    /// One call with all of them, from dialling to the end.
    pub(super) seconds: Seconds,
    /// The files that were written.
    pub(super) written: Vec<PathBuf>,
}

/// A document.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Document {
    /// As it was named.
    pub(super) file: String,
    /// The parts of it that are faxed, by their names.
    pub(super) parts: Vec<String>,
    /// Its pages; none where it is refused.
    pub(super) pages: Vec<Page>,
    /// What the sender should know.
    pub(super) warnings: Vec<String>,
    /// Why a mail with it would be refused.
    pub(super) refused: Option<String>,
}

/// A page.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Page {
    /// Counts from 1 in its document.
    pub(super) page: usize,
    /// `a4`, `letter`, `legal`, `b4`, `a3`, else its size: `215x123 mm`.
    pub(super) sheet: String,
    /// Pixels of a line.
    pub(super) width: u32,
    /// Lines.
    pub(super) lines: u32,
    /// Size in bytes, coded as MMR (T.6).
    pub(super) bytes: usize,
    /// The share of it that is black, 0 to 1.
    pub(super) black: f64,
    /// What it adds to a call.
    pub(super) seconds: Seconds,
}

/// Seconds on the line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Seconds {
    /// At 14,400 bit/s.
    #[serde(rename = "14400")]
    pub(super) usual: u64,
    /// At 33,600 bit/s.
    #[serde(rename = "33600")]
    pub(super) fast: u64,
}

impl Report {
    pub(super) fn of<'d>(
        look: Look,
        documents: impl Iterator<Item = &'d Document>,
        written: Vec<PathBuf>,
    ) -> Self {
        let documents: Vec<Document> = documents.cloned().collect();
        let pages = documents.iter().map(|one| one.pages.len()).sum();
        let bytes = documents.iter().flat_map(|one| &one.pages).map(|page| page.bytes as u64).sum();
        let on_line = |rate| match pages {
            0 => 0,
            _ => line_time(pages as u32, bytes, Some(rate)).as_secs(),
        };
        let seconds = Seconds { usual: on_line(RATES[0]), fast: on_line(RATES[1]) };
        let (resolution, paper) = (look.resolution.as_str(), look.paper.as_str());
        Self { resolution, paper, documents, pages, bytes, seconds, written }
    }

    /// Whether a mail with these documents would be refused.
    pub(super) fn is_refused(&self) -> bool {
        self.documents.iter().any(|document| document.refused.is_some())
    }
}

impl Document {
    pub(super) fn new(file: String) -> Self {
        let (parts, pages, warnings) = (Vec::new(), Vec::new(), Vec::new());
        Self { file, parts, pages, warnings, refused: None }
    }
}

/// The figures of the pages of one document.
pub(super) fn of(pages: &[CodedPage]) -> Vec<Page> {
    let one = |(at, coded): (usize, &CodedPage)| {
        let (width, lines) = (coded.size.width(), coded.size.lines());
        let all = f64::from(width) * f64::from(lines);
        let share = coded.decode().page.black_pixels() as f64 / all;
        Page {
            page: at + 1,
            sheet: sheet_of(coded),
            width,
            lines,
            bytes: coded.bytes.len(),
            black: (share * 10_000.0).round() / 10_000.0,
            seconds: added(coded.bytes.len() as u64),
        }
    };
    pages.iter().enumerate().map(one).collect()
}

/// What one page more costs in a call that is made anyway.
fn added(bytes: u64) -> Seconds {
    let more = |rate| {
        let call = line_time(0, 0, Some(rate));
        line_time(1, bytes, Some(rate)).saturating_sub(call).as_secs_f64().round() as u64
    };
    Seconds { usual: more(RATES[0]), fast: more(RATES[1]) }
}

fn sheet_of(page: &CodedPage) -> String {
    let resolution = sheet::nearest(page.density);
    let paper = sheet::paper(page.size.width(), resolution);
    let length_mm = f64::from(page.size.lines()) / f64::from(page.density.y) * INCH_MM;
    let near = |wanted: f64| (length_mm - wanted).abs() < 2.5;
    match paper.as_str() {
        "a4" => LENGTHS.iter().find(|(_, length)| near(*length)).map(|(name, _)| *name),
        "b4" => near(353.0).then_some("b4").or_else(|| near(364.0).then_some("b4")),
        other => near(420.0).then_some(other),
    }
    .map_or_else(
        || {
            let across = f64::from(page.size.width()) / f64::from(page.density.x) * INCH_MM;
            format!("{across:.0}x{length_mm:.0} mm")
        },
        str::to_owned,
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use postfax_domain::document::Resolution;
    use postfax_hw::pages::bitmap::{Bitmap, Size};

    use super::*;

    #[test]
    fn a_page_is_counted() {
        for (width, lines, resolution, expected) in [
            (1728, 2286, Resolution::Fine, "a4"),
            (1728, 1075, Resolution::Standard, "letter"),
            (1728, 2738, Resolution::Fine, "legal"),
            (2048, 2718, Resolution::Fine, "b4"),
            (2432, 3234, Resolution::Fine, "a3"),
            (2592, 3507, Resolution::Dots300, "a4"),
            (1728, 1000, Resolution::Fine, "215x130 mm"),
        ] {
            let mut page = Bitmap::white(Size::new(width, lines).unwrap());
            for y in 0..lines / 4 {
                page.blacken(y, 0, width);
            }
            let page = &of(&[CodedPage::mmr(&page, sheet::density(resolution))])[0];
            assert_eq!(page.sheet, expected);
            assert!((page.black - 0.25).abs() < 0.001, "{page:?}");
            assert_eq!(page.seconds, Seconds { usual: 3, fast: 3 });
        }
        assert_eq!(added(18_000), Seconds { usual: 13, fast: 7 });
    }
}
