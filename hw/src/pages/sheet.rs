//! The sheet: how large canonical pages are, and where a foreign page lies on
//! one, or on several when it is a roll. Pure geometry; nothing is drawn here.

use postfax_domain::document::{Paper, Resolution};

use super::{Look, tiff::Density};

/// Pixels of a line of A4 at 204 dots an inch: 215 mm at 8.04 a millimetre (T.4 table 1).
pub const WIDTH: u32 = 1728;
/// Dots an inch across of R8; other resolutions have their own.
pub const DOTS_PER_INCH: f32 = 204.0;
/// Millimetres of an inch.
pub const INCH_MM: f64 = 25.4;
const A4_MM: f64 = 297.0;
const LETTER_MM: f64 = 279.4;
const LEGAL_MM: f64 = 355.6;
/// B4 as T.30 bounds it, which is the Japanese one; ISO 216 has 353.
const B4_MM: f64 = 364.0;
const ISO_B4_MM: f64 = 353.0;
const A3_MM: f64 = 420.0;
/// Height by width up to which a page has the shape of A4.
const A4_SHAPE: f64 = 1.45;
/// How much a page may miss a format and still be taken for it.
const SLACK_MM: f64 = 3.0;
/// From here on a page is as good as at its true size: Letter is a hair wider than a line.
const FULL: f64 = 0.97;
/// A hair's gain is not worth a turn or a wider sheet.
const GAIN: f64 = 1.02;
/// A page that is so much longer than the longest sheet is a roll: a receipt, a web page.
const ROLL: f64 = 1.25;
/// A roll is cut only when its width stays readable; a poster is shrunk whole.
const ROLL_SCALE: f64 = 0.5;
/// Most sheets of a roll; a longer one is shrunk to so many.
const ROLL_SHEETS: u32 = 20;
/// What two sheets of a roll both show, so that each line is whole on one of them.
const OVERLAP_MM: f64 = 6.0;

/// The size of a foreign page, in inches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inches {
    /// Across.
    pub width: f64,
    /// Down.
    pub height: f64,
}

/// Where a foreign page, or a part of a roll, lies on its sheet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// A quarter turn to the right comes first.
    pub turned: bool,
    /// Then true size times this, at most 1.
    pub scale: f64,
    /// Inches of the page, before it is scaled, above what this sheet shows.
    pub skipped: f64,
    /// Inches of it that this sheet shows.
    pub shown: f64,
    /// Pixels left of it, a multiple of 8.
    pub left: u32,
    /// Lines above it.
    pub top: u32,
    /// Pixels that it covers.
    pub width: u32,
    /// Lines that it covers.
    pub height: u32,
    /// Pixels of a line of the sheet.
    pub across: u32,
    /// Lines of the sheet.
    pub lines: u32,
}

/// Dots an inch of canonical pages.
#[must_use]
pub fn density(resolution: Resolution) -> Density {
    Density { x: resolution.dots_per_inch() as f32, y: resolution.lines_per_inch() as f32 }
}

/// The resolution that is nearest to what a page claims.
#[must_use]
pub fn nearest(density: Density) -> Resolution {
    match (density.x, density.y) {
        (_, y) if y < 140.0 => Resolution::Standard,
        (x, _) if x > 350.0 => Resolution::Dots400,
        (x, y) if x > 250.0 && y < 350.0 => Resolution::Dots300,
        (_, y) if y < 290.0 => Resolution::Fine,
        _ => Resolution::Superfine,
    }
}

/// The narrowest paper that lines of so many pixels fit on.
#[must_use]
pub fn paper(width: u32, resolution: Resolution) -> Paper {
    let fits = |paper: &Paper| width <= paper.pixels(resolution);
    Paper::ALL.into_iter().find(fits).unwrap_or(Paper::A3)
}

/// Lines a millimetre as T.4 has them for the metric resolutions.
#[must_use]
pub fn lines_per_mm(resolution: Resolution) -> f64 {
    match resolution {
        Resolution::Standard => 3.85,
        Resolution::Fine => 7.7,
        Resolution::Superfine => 15.4,
        Resolution::Dots300 | Resolution::Dots400 => {
            f64::from(resolution.lines_per_inch()) / INCH_MM
        }
    }
}

/// Lines of a sheet of this length, as T.30 machines count them: 2286 for A4 at fine.
#[must_use]
pub fn lines(resolution: Resolution, length_mm: f64) -> u32 {
    let lines = length_mm * lines_per_mm(resolution);
    match resolution {
        // 4573 lines, not 4574, are what machines take for A4 at superfine.
        Resolution::Standard | Resolution::Fine | Resolution::Superfine => lines as u32,
        Resolution::Dots300 | Resolution::Dots400 => lines.round() as u32,
    }
}

/// Lines of the longest sheet of the narrowest paper.
#[must_use]
pub fn longest(resolution: Resolution) -> u32 {
    lines(resolution, LEGAL_MM)
}

/// Lines of an A4 sheet.
#[must_use]
pub fn a4(resolution: Resolution) -> u32 {
    lines(resolution, A4_MM)
}

/// What fits on a sheet of this paper at its true size, in inches.
#[must_use]
pub fn room(paper: Paper, resolution: Resolution) -> Inches {
    let dots = f64::from(resolution.dots_per_inch());
    let height = formats(paper)[0] / INCH_MM;
    Inches { width: f64::from(paper.pixels(resolution)) / dots, height }
}

/// The lengths that sheets of a paper have; what is shorter gets the first one.
fn formats(paper: Paper) -> &'static [f64] {
    match paper {
        Paper::A4 => &[A4_MM, LETTER_MM, LEGAL_MM],
        Paper::B4 => &[B4_MM, ISO_B4_MM],
        Paper::A3 => &[A3_MM],
    }
}

/// True size and centred, shrunk only when larger than the sheet, turned when
/// that lets it be larger. A wider paper than A4 only when the page is larger than
/// A4 and the look allows it. One sheet, but a roll has several.
#[must_use]
pub fn place(page: Inches, look: Look) -> Vec<Placement> {
    let turned_page = Inches { width: page.height, height: page.width };
    let mut best: Option<Fit> = None;
    for paper in Paper::ALL.into_iter().filter(|paper| *paper <= look.paper) {
        let upright = Fit::new(page, false, paper, look.resolution);
        let turned = Fit::new(turned_page, true, paper, look.resolution);
        let fit = if turned.scale > upright.scale * GAIN { turned } else { upright };
        if best.as_ref().is_none_or(|best| fit.scale > best.scale * GAIN) {
            best = Some(fit);
        }
        if best.as_ref().is_some_and(|best| best.scale >= FULL) {
            break;
        }
    }
    let fit = best.unwrap_or_else(|| Fit::new(page, false, Paper::A4, look.resolution));
    fit.sheets(look.resolution)
}

/// How a page that is turned already fits a paper.
struct Fit {
    page: Inches,
    turned: bool,
    paper: Paper,
    scale: f64,
    length_mm: f64,
    roll: bool,
}

impl Fit {
    fn new(page: Inches, turned: bool, paper: Paper, resolution: Resolution) -> Self {
        let by_width = (room(paper, resolution).width / page.width).min(1.0);
        let height_mm = page.height * by_width * INCH_MM;
        let formats = formats(paper);
        let longest = formats.iter().copied().fold(0.0, f64::max);
        // Rolls are read downwards; a banner is one picture and is shrunk.
        if !turned && by_width >= ROLL_SCALE && height_mm > longest * ROLL {
            let length_mm = formats[0];
            let most = f64::from(ROLL_SHEETS) * (length_mm - OVERLAP_MM) + OVERLAP_MM;
            let scale = by_width * (most / height_mm).min(1.0);
            return Self { page, turned, paper, scale, length_mm, roll: true };
        }
        let near = |format: f64| (height_mm - format).abs() <= SLACK_MM;
        let format = formats.iter().copied().find(|format| near(*format));
        // A larger sheet of A4's shape belongs on A4, where a little less width is no loss.
        let shrunk = by_width < FULL && page.height / page.width < A4_SHAPE;
        let length_mm = match format {
            Some(format) => format,
            None if height_mm < LETTER_MM || shrunk => formats[0],
            None => height_mm.min(longest),
        };
        let scale = by_width * (length_mm / height_mm).min(1.0);
        Self { page, turned, paper, scale, length_mm, roll: false }
    }

    fn sheets(&self, resolution: Resolution) -> Vec<Placement> {
        let height_mm = self.page.height * self.scale * INCH_MM;
        let step_mm = self.length_mm - OVERLAP_MM;
        let count = match self.roll {
            true => (((height_mm - OVERLAP_MM) / step_mm).ceil() as u32).clamp(1, ROLL_SHEETS),
            false => 1,
        };
        (0..count)
            .map(|i| {
                let skipped_mm = f64::from(i) * step_mm;
                let shown_mm = (height_mm - skipped_mm).min(self.length_mm);
                self.sheet(skipped_mm, shown_mm, resolution)
            })
            .collect()
    }

    fn sheet(&self, skipped_mm: f64, shown_mm: f64, resolution: Resolution) -> Placement {
        let across = self.paper.pixels(resolution);
        let lines = lines(resolution, self.length_mm);
        let dots = self.page.width * self.scale * f64::from(resolution.dots_per_inch());
        let width = (dots.round() as u32).clamp(1, across);
        let down = shown_mm * lines_per_mm(resolution);
        let height = (down.round() as u32).clamp(1, lines);
        let inches = |mm: f64| mm / INCH_MM / self.scale;
        Placement {
            turned: self.turned,
            scale: self.scale,
            skipped: inches(skipped_mm),
            shown: inches(shown_mm),
            left: (across - width) / 16 * 8,
            top: if self.roll { 0 } else { (lines - height) / 2 },
            width,
            height,
            across,
            lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn mm(width: f64, height: f64) -> Inches {
        Inches { width: width / INCH_MM, height: height / INCH_MM }
    }

    fn look(resolution: Resolution, paper: Paper) -> Look {
        Look { resolution, paper, ..Look::default() }
    }

    #[test]
    fn sheets_have_the_lines_that_machines_count() {
        let expected = [
            (A4_MM, [1143, 2286, 4573, 3508, 4677]),
            (B4_MM, [1401, 2802, 5605, 4299, 5732]),
            (ISO_B4_MM, [1359, 2718, 5436, 4169, 5559]),
            (A3_MM, [1617, 3234, 6468, 4961, 6614]),
            (LETTER_MM, [1075, 2151, 4302, 3300, 4400]),
            (LEGAL_MM, [1369, 2738, 5476, 4200, 5600]),
        ];
        for (length_mm, counts) in expected {
            let found = Resolution::ALL.map(|resolution| lines(resolution, length_mm));
            assert_eq!(found, counts, "{length_mm} mm");
        }
    }

    #[test]
    fn pages_are_placed() {
        for (page, turned, shrunk, lines, width) in [
            (mm(210.0, 297.0), false, false, 2286, 1687),
            (mm(215.9, 279.4), false, true, 2151, 1728),
            (mm(215.9, 355.6), false, true, 2738, 1728),
            (mm(297.0, 210.0), true, false, 2286, 1687),
            (mm(148.0, 105.0), false, false, 2286, 1189),
            (mm(85.0, 55.0), false, false, 2286, 683),
            (mm(297.0, 420.0), false, true, 2286, 1687),
            (mm(420.0, 297.0), true, true, 2286, 1687),
            (mm(5000.0, 5000.0), false, true, 2286, 1728),
            (mm(841.0, 1189.0), false, true, 2286, 1687),
            (mm(2000.0, 300.0), true, true, 2738, 428),
        ] {
            let sheets = place(page, Look::default());
            let [placed] = sheets[..] else { panic!("{page:?} has {} sheets", sheets.len()) };
            assert_eq!(placed.turned, turned, "{page:?}");
            assert_eq!(placed.scale < 0.999, shrunk, "{page:?} {placed:?}");
            assert_eq!((placed.lines, placed.width), (lines, width), "{page:?} {placed:?}");
            assert_eq!(placed.across, WIDTH);
        }
    }

    #[test]
    fn wider_paper_is_taken_where_it_is_allowed_and_needed() {
        use Paper::{A3, A4, B4};
        for (page, allowed, taken, turned, full, length_mm) in [
            (mm(210.0, 297.0), A3, A4, false, true, A4_MM),
            (mm(297.0, 210.0), A3, A4, true, true, A4_MM),
            (mm(215.9, 355.6), A3, A4, false, true, LEGAL_MM),
            (mm(257.0, 364.0), A3, B4, false, true, B4_MM),
            (mm(250.0, 353.0), B4, B4, false, true, ISO_B4_MM),
            (mm(297.0, 420.0), A3, A3, false, true, A3_MM),
            (mm(420.0, 297.0), A3, A3, true, true, A3_MM),
            (mm(279.4, 431.8), A3, A3, false, true, A3_MM),
            (mm(297.0, 420.0), B4, B4, false, false, B4_MM),
            (mm(297.0, 420.0), A4, A4, false, false, A4_MM),
            (mm(841.0, 1189.0), A3, A3, false, false, A3_MM),
        ] {
            for resolution in Resolution::ALL {
                let placed = place(page, look(resolution, allowed))[0];
                let found = (placed.across, placed.turned, placed.scale >= FULL, placed.lines);
                let expected =
                    (taken.pixels(resolution), turned, full, lines(resolution, length_mm));
                assert_eq!(found, expected, "{page:?} {allowed:?} {resolution:?} {placed:?}");
                assert!(
                    placed.left.is_multiple_of(8) && placed.left + placed.width <= placed.across
                );
                assert!(placed.top + placed.height <= placed.lines);
            }
        }
    }

    #[test]
    fn a_roll_is_cut_into_sheets_that_overlap() {
        let sheets = place(mm(80.0, 900.0), Look::default());
        assert_eq!(sheets.len(), 4);
        for two in sheets.windows(2) {
            assert_eq!((two[0].top, two[0].scale, two[0].height), (0, 1.0, 2286));
            let overlap_mm = (two[0].skipped + two[0].shown - two[1].skipped) * INCH_MM;
            assert!((overlap_mm - OVERLAP_MM).abs() < 0.01, "{overlap_mm}");
        }
        let last = sheets[3];
        assert!(((last.skipped + last.shown) * INCH_MM - 900.0).abs() < 0.01, "{last:?}");
        assert_eq!(place(mm(200.0, 1e6), Look::default()).len(), ROLL_SHEETS as usize);
        assert_eq!(place(mm(80.0, 400.0), Look::default()).len(), 1, "no roll yet");
    }
}
