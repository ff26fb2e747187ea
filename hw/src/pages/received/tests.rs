//! Received files with poppler, qpdf and ghostscript as judges of the PDFs, where they
//! are installed.

use std::process::{Command, Output};

use super::*;
use crate::pages::{
    bitmap::{Bitmap, Size},
    ccitt::{self, Coding},
    pdf::Moment,
    tiff::Density,
};

/// Widths of papers with resolutions that go with them, and one of neither.
const SHAPES: [(u32, f32, f32); 6] = [
    (1728, 204.0, 98.0),
    (2048, 204.0, 196.0),
    (2432, 204.0, 391.0),
    (2592, 300.0, 300.0),
    (4864, 400.0, 400.0),
    (1001, 204.0, 196.0),
];
const LINES: u32 = 150;
const BOTH: Trim = Trim { blank: true, duplicate: true };

fn page(width: u32, lines: u32, seed: u32) -> Bitmap {
    let mut page = Bitmap::white(Size::new(width, lines).unwrap());
    for y in 0..lines {
        for x in (200..width - 100).filter(|x| (x / 9 + y / 11 + seed).is_multiple_of(7)) {
            page.set_black(x, y);
        }
        page.blacken(y, 100 + y * 2, 105 + y * 2);
    }
    page
}

fn coded(page: &Bitmap, coding: Coding, density: (f32, f32)) -> CodedPage {
    let bytes = ccitt::encode(page, coding);
    let density = Density { x: density.0, y: density.1 };
    CodedPage { size: page.size(), density, coding, inverted: false, bytes }
}

fn fine(page: &Bitmap, coding: Coding) -> CodedPage {
    coded(page, coding, (204.0, 196.0))
}

/// A fax in a folder.
struct Fax(tempfile::TempDir);

impl Fax {
    fn new(pages: &[CodedPage]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bytes = tiff::write(pages, FillOrder::LowestFirst);
        std::fs::write(folder.path().join("fax.tif"), bytes).unwrap();
        Self(folder)
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, trim: Trim) -> Received {
        Received::read(&self.at("fax.tif"), trim).unwrap()
    }

    /// Writes the PDF that is shown.
    fn show(&self, trim: Trim, words: &BTreeMap<usize, Vec<Word>>) -> std::path::PathBuf {
        let pdf = self.read(trim).pdf(&about(), words).unwrap();
        assert_eq!(pdf, self.read(trim).pdf(&about(), words).unwrap(), "the same bytes");
        std::fs::write(self.at("fax.pdf"), pdf).unwrap();
        self.at("fax.pdf")
    }

    /// Page `number` of the PDF, drawn by poppler pixel for pixel.
    fn drawn(&self, number: usize, size: Size) -> Option<Bitmap> {
        let (number, out) = (number.to_string(), self.at("page"));
        let (width, lines) = (size.width().to_string(), size.lines().to_string());
        let sides = ["-scale-to-x", &width, "-scale-to-y", &lines];
        let done = Command::new("pdftoppm")
            .args(["-mono", "-aa", "no", "-singlefile", "-f", &number, "-l", &number])
            .args(sides)
            .args([self.at("fax.pdf"), out])
            .output()
            .ok()?;
        assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
        let pbm = std::fs::read(self.at("page.pbm")).unwrap();
        let header = format!("P4\n{} {}\n", size.width(), size.lines());
        let rows = pbm.strip_prefix(header.as_bytes()).unwrap();
        let mut page = Bitmap::white(size);
        for (y, row) in rows.chunks_exact(size.stride()).enumerate() {
            page.set_row(y as u32, row);
        }
        Some(page)
    }
}

fn about() -> About {
    About {
        title: "Fax von Müller (見積), 3 Seiten".into(),
        language: "de".into(),
        created: Some(Moment { year: 2025, month: 7, day: 1, hour: 8, minute: 0, second: 9 }),
        id: "0123".into(),
    }
}

fn said(program: &str, arguments: &[&str], file: &Path) -> Option<Output> {
    Command::new(program).args(arguments).arg(file).output().ok()
}

/// No program finds anything to complain of.
fn is_sound(pdf: &Path) {
    if let Some(checked) = said("qpdf", &["--check"], pdf) {
        assert!(checked.status.success(), "{checked:?}");
        assert!(String::from_utf8_lossy(&checked.stdout).contains("No syntax or stream"));
    }
    let quiet = ["-q", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-sDEVICE=nullpage"];
    if let Some(drawn) = said("gs", &quiet, pdf) {
        assert!(drawn.status.success(), "{drawn:?}");
        assert!(drawn.stdout.is_empty() && drawn.stderr.is_empty(), "{drawn:?}");
    }
}

#[test]
fn every_coding_width_and_resolution_is_drawn_pixel_for_pixel() {
    let mut pages = Vec::new();
    for (at, coding) in (0..).zip(Coding::ALL) {
        for (seed, (width, x, y)) in (at..).zip(SHAPES) {
            pages.push((page(width, LINES, seed), coding, (x, y)));
        }
    }
    let all: Vec<CodedPage> = pages.iter().map(|(p, coding, d)| coded(p, *coding, *d)).collect();
    let fax = Fax::new(&all);
    is_sound(&fax.show(Trim::default(), &BTreeMap::new()));
    // Each coding and each shape, not each pair: poppler is started for each.
    for number in (0..pages.len()).step_by(SHAPES.len() + 1) {
        let (page, coding, density) = &pages[number];
        let Some(drawn) = fax.drawn(number + 1, page.size()) else { return };
        assert!(drawn == *page, "{coding:?} {density:?}");
    }
}

#[test]
fn the_pdf_says_what_it_is() {
    let fax = Fax::new(&[fine(&page(1728, LINES, 1), Coding::Mmr)]);
    let pdf = fax.show(Trim::default(), &BTreeMap::new());
    let Some(info) = said("pdfinfo", &["-isodates"], &pdf) else { return };
    let info = String::from_utf8(info.stdout).unwrap();
    for line in ["Fax von Müller (見積), 3 Seiten", "Postfax", "2025-07-01T08:00:09Z"] {
        assert!(info.contains(line), "{info}");
    }
    let bytes = std::fs::read(&pdf).unwrap();
    assert!(bytes.windows(9).any(|bytes| bytes == b"/Lang(de)" || bytes == b"/Lang (de"));
}

/// A page whose coded lines lose bits here and there.
fn damaged(page: &Bitmap, hits: usize) -> CodedPage {
    let mut coded = fine(page, Coding::Mh { aligned: true });
    let every = coded.bytes.len() / hits;
    (0..hits).for_each(|hit| coded.bytes[hit * every + every / 2] ^= 0x5a);
    coded
}

#[test]
fn damaged_lines_are_repaired_and_marked_in_the_margin() {
    let clean = page(1728, 1000, 2);
    let hit = damaged(&clean, 10);
    let decoded = hit.decode();
    assert!((4..=12).contains(&decoded.damage.bad_lines), "{:?}", decoded.damage);
    let mut cut = fine(&clean, Coding::Mmr);
    cut.bytes.truncate(cut.bytes.len() / 2);
    let fax = Fax::new(&[fine(&clean, Coding::Mmr), hit, cut.clone()]);
    let received = fax.read(BOTH);
    let [good, bad, short] = received.pages() else { panic!("three pages") };
    assert!(good.bad.is_empty() && bad.damage.bad_lines == decoded.damage.bad_lines);
    assert_eq!(short.bad.len(), 1, "one stretch to the end");
    assert_eq!(short.bad[0].end, 1000);
    is_sound(&fax.show(Trim::default(), &BTreeMap::new()));
    for (number, repaired) in [(1, clean), (2, decoded.page), (3, cut.decode().page)] {
        let Some(drawn) = fax.drawn(number, repaired.size()) else { return };
        let seen = &received.pages()[number - 1];
        let mut marked = 0;
        for y in 0..1000 {
            // The bar is in the first 4 points; nothing else differs.
            let bar = (0..12).any(|x| drawn.is_black(x, y));
            assert!((12..1728).all(|x| drawn.is_black(x, y) == repaired.is_black(x, y)), "{y}");
            let near = |lines: &Range<u32>| (lines.start..lines.end + 5).contains(&(y + 1));
            assert!(!bar || seen.bad.iter().any(near), "a bar beside good line {y}");
            marked += u32::from(bar);
        }
        assert_eq!(marked > 0, number > 1, "page {number}");
    }
}

#[test]
fn words_in_any_script_come_back() {
    let texts =
        ["Invoice", "Müller", "Ωμέγα", "Счёт", "見積書", "שלום", "سلام", "𝔘nicode", "a(b)\\c"];
    let word = |(at, text): (u32, &&str)| Word {
        text: (*text).to_owned(),
        left: 0.1,
        top: 0.1 * at as f32,
        width: 0.03 * text.chars().count() as f32,
        height: 0.02,
    };
    let mut words: Vec<Word> = (0..).zip(&texts).map(word).collect();
    let beside = Word { left: 0.33, text: "No.7".into(), ..words[0].clone() };
    words.insert(1, beside);
    let sheet = page(1728, 2286, 1);
    let fax = Fax::new(&[fine(&sheet, Coding::Mmr), fine(&sheet, Coding::Mmr)]);
    let pdf = fax.show(Trim::default(), &BTreeMap::from([(1, words)]));
    is_sound(&pdf);
    let Some(drawn) = fax.drawn(2, sheet.size()) else { return };
    assert!(drawn == sheet, "nobody sees the words");
    let done = Command::new("pdftotext").arg(&pdf).arg("-").output().unwrap();
    assert!(done.stderr.is_empty(), "{done:?}");
    let text = String::from_utf8(done.stdout).unwrap();
    for word in texts.iter().chain(&["Invoice No.7"]) {
        assert!(text.contains(word), "{word} is not in {text:?}");
    }
    assert!(text.starts_with('\u{c}'), "the first page has no words: {text:?}");
}

#[test]
fn pages_are_left_out_only_when_asked_and_never_all() {
    let (one, two) = (page(1728, 1000, 1), page(1728, 1000, 2));
    let blank = Bitmap::white(Size::new(1728, 1000).unwrap());
    let clean = |page: &Bitmap| fine(page, Coding::Mmr);
    // The second page was damaged and came again; then a blank one; then the first again,
    // which is no repeated page, since it does not follow itself.
    let pages = [clean(&one), damaged(&two, 10), clean(&two), clean(&blank), clean(&one)];
    let fax = Fax::new(&pages);
    let left_out =
        |trim| fax.read(trim).pages().iter().map(|page| page.left_out).collect::<Vec<_>>();
    assert_eq!(left_out(Trim::default()), [None; 5]);
    let (duplicate, empty) = (Some(LeftOut::Duplicate), Some(LeftOut::Blank));
    assert_eq!(left_out(BOTH), [None, duplicate, None, empty, None], "the better one stays");
    assert_eq!(left_out(Trim { blank: true, ..Trim::default() }), [None, None, None, empty, None]);
    let pdf = fax.show(BOTH, &BTreeMap::new());
    is_sound(&pdf);
    if let Some(info) = said("pdfinfo", &[], &pdf) {
        assert!(String::from_utf8_lossy(&info.stdout).contains("Pages:           3"));
    }
    assert_eq!(crate::pages::count(&fax.at("fax.tif")).unwrap(), 5, "the fax itself is whole");

    let nothing = Fax::new(&[clean(&blank), clean(&blank)]);
    let seen: Vec<_> = nothing.read(BOTH).pages().iter().map(|page| page.left_out).collect();
    assert_eq!(seen, [None, empty]);
    nothing.read(BOTH).preview().unwrap();
}
