//! The sheet: how large canonical pages are, and where a foreign page lies on
//! one. Pure geometry; nothing is drawn here.

use postfax_domain::document::{Paper, Resolution};

use super::tiff::Density;

/// Pixels of a line: 215 mm at 8.04 a millimetre (T.4 table 1).
pub const WIDTH: u32 = 1728;
/// Dots an inch across.
pub const DOTS_PER_INCH: f32 = 204.0;
/// Millimetres of an inch.
const INCH_MM: f64 = 25.4;
const A4_MM: f64 = 297.0;
/// Pages from Letter to Legal keep their own length.
const LETTER_MM: f64 = 279.4;
const LEGAL_MM: f64 = 355.6;
/// Height by width up to which a page has the shape of A4.
const A4_SHAPE: f64 = 1.45;
/// How much a page may miss a format and still be taken for it.
const SLACK_MM: f64 = 3.0;

/// The size of a foreign page, in inches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inches {
    /// Across.
    pub width: f64,
    /// Down.
    pub height: f64,
}

/// Where a foreign page lies on its sheet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// A quarter turn to the right comes first.
    pub turned: bool,
    /// Then true size times this, at most 1.
    pub scale: f64,
    /// Pixels left of it, a multiple of 8.
    pub left: u32,
    /// Lines above it.
    pub top: u32,
    /// Pixels that it covers.
    pub width: u32,
    /// Lines that it covers.
    pub height: u32,
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

/// Lines of a sheet of this length, as T.30 machines count them: 2286 for A4 at fine.
#[must_use]
pub fn lines(resolution: Resolution, length_mm: f64) -> u32 {
    let per_mm = match resolution {
        Resolution::Standard => 3.85,
        Resolution::Fine => 7.7,
        Resolution::Superfine => 15.4,
        Resolution::Dots300 | Resolution::Dots400 => {
            f64::from(resolution.lines_per_inch()) / INCH_MM
        }
    };
    // 4573 lines, not 4574, are what machines take for A4 at superfine.
    (length_mm * per_mm) as u32
}

/// Lines of the longest sheet.
#[must_use]
pub fn longest(resolution: Resolution) -> u32 {
    lines(resolution, LEGAL_MM)
}

/// Lines of an A4 sheet.
#[must_use]
pub fn a4(resolution: Resolution) -> u32 {
    lines(resolution, A4_MM)
}

/// True size and centred, shrunk only when larger than the sheet, turned when
/// that lets it be larger.
#[must_use]
pub fn place(page: Inches, resolution: Resolution) -> Placement {
    let turned_page = Inches { width: page.height, height: page.width };
    let (upright, turned) = (fit(page), fit(turned_page));
    // A hair's gain is not worth a turn.
    let turn = turned.0 > upright.0 * 1.02;
    let (size, (scale, length_mm)) = if turn { (turned_page, turned) } else { (page, upright) };
    let lines = lines(resolution, length_mm);
    let across = size.width * scale * f64::from(DOTS_PER_INCH);
    let down = size.height * scale * f64::from(resolution.lines_per_inch());
    let width = (across.round() as u32).clamp(1, WIDTH);
    let height = (down.round() as u32).clamp(1, lines);
    Placement {
        turned: turn,
        scale,
        left: (WIDTH - width) / 16 * 8,
        top: (lines - height) / 2,
        width,
        height,
        lines,
    }
}

/// Scale and length of the sheet for a page that is not turned.
fn fit(page: Inches) -> (f64, f64) {
    let by_width = (f64::from(WIDTH) / f64::from(DOTS_PER_INCH) / page.width).min(1.0);
    let height_mm = page.height * by_width * INCH_MM;
    let near = |format: f64| (height_mm - format).abs() <= SLACK_MM;
    let format = [A4_MM, LETTER_MM, LEGAL_MM].into_iter().find(|format| near(*format));
    // A larger sheet of A4's shape belongs on A4, where a little less width is no loss.
    let shrunk = by_width < 1.0 && page.height / page.width < A4_SHAPE;
    let length_mm = match format {
        Some(format) => format,
        None if height_mm < LETTER_MM || shrunk => A4_MM,
        None => height_mm.min(LEGAL_MM),
    };
    let by_length = (length_mm / height_mm).min(1.0);
    (by_width * by_length, length_mm)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn mm(width: f64, height: f64) -> Inches {
        Inches { width: width / INCH_MM, height: height / INCH_MM }
    }

    #[test]
    fn sheets_have_the_lines_that_machines_count() {
        for (resolution, length_mm, expected) in [
            (Resolution::Standard, A4_MM, 1143),
            (Resolution::Fine, A4_MM, 2286),
            (Resolution::Superfine, A4_MM, 4573),
            (Resolution::Fine, LETTER_MM, 2151),
            (Resolution::Fine, LEGAL_MM, 2738),
        ] {
            assert_eq!(lines(resolution, length_mm), expected);
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
            (mm(297.0, 420.0), false, true, 2286, 1687),
            (mm(420.0, 297.0), true, true, 2286, 1687),
            (mm(80.0, 900.0), false, true, 2738, 254),
            (mm(5000.0, 5000.0), false, true, 2286, 1728),
        ] {
            let placed = place(page, Resolution::Fine);
            assert_eq!(placed.turned, turned, "{page:?}");
            assert_eq!(placed.scale < 0.999, shrunk, "{page:?} {placed:?}");
            assert_eq!((placed.lines, placed.width), (lines, width), "{page:?} {placed:?}");
            assert!(placed.left + placed.width <= WIDTH && placed.top + placed.height <= lines);
        }
    }
}
