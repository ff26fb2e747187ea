//! Plain text: 80 columns by 66 lines in a fixed-width font. Glyphs stand on a
//! grid of whole pixels, so that every `e` is the same and codes small.

use std::collections::{BTreeSet, HashMap};

use ab_glyph::{Font, FontRef, Glyph, PxScale, point};
use postfax_domain::document::Resolution;

use super::{Refusal, Sink};
use crate::pages::{
    bitmap::{Bitmap, Size},
    sheet::{WIDTH, a4},
};

const COLUMNS: usize = 80;
const LINES: usize = 66;
const TAB: usize = 8;
/// Pixels between the columns: 80 of them leave 104 pixels (13 mm) at each side.
const ADVANCE: u32 = 19;
const LEFT: u32 = (WIDTH - ADVANCE * COLUMNS as u32) / 2;
/// Pages that a text may have whatever else is allowed.
const MAX_PAGES: usize = 10_000;
/// Missing characters that are named in the warning.
const MAX_NAMED: usize = 10;
/// Coverage from which a pixel is ink; less than half, or thin strokes break.
const INK: f32 = 0.4;

pub(super) fn draw(
    bytes: &[u8],
    resolution: Resolution,
    sink: &mut dyn Sink,
) -> Result<(), Refusal> {
    let (text, certain) = read(bytes);
    if !certain {
        sink.warn("the text is no UTF-8 and was read as Latin-1".into());
    }
    let pages = paginate(&text)?;
    sink.announce(pages.len())?;
    let mut pen = Pen::new(resolution);
    for page in &pages {
        sink.page(&pen.page(page));
    }
    if !pen.missing.is_empty() {
        let named: Vec<String> = pen
            .missing
            .iter()
            .take(MAX_NAMED)
            .map(|c| format!("{c} (U+{:04X})", *c as u32))
            .collect();
        sink.warn(format!("no glyph for {}", named.join(", ")));
    }
    Ok(())
}

/// The text, and whether it was UTF-8.
fn read(bytes: &[u8]) -> (String, bool) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), true),
        Err(_) => (bytes.iter().map(|byte| char::from(*byte)).collect(), false),
    }
}

type Line = Vec<char>;

/// Pages of lines of at most 80 characters. There is always one page.
fn paginate(text: &str) -> Result<Vec<Vec<Line>>, Refusal> {
    let mut pages = vec![Vec::new()];
    let sheets = text.strip_suffix('\u{c}').unwrap_or(text).split('\u{c}');
    for (i, sheet) in sheets.enumerate() {
        if i > 0 {
            pages.push(Vec::new());
        }
        // The line break before a form feed belongs to it.
        let sheet = sheet.strip_prefix("\r\n").or(sheet.strip_prefix('\n')).unwrap_or(sheet);
        for line in sheet.lines() {
            for part in wrapped(&expanded(line)) {
                if pages.len() > MAX_PAGES {
                    return Err(Refusal::TooLarge);
                }
                match pages.last_mut() {
                    Some(page) if page.len() < LINES => page.push(part),
                    _ => pages.push(vec![part]),
                }
            }
        }
    }
    Ok(pages)
}

/// Tabs become blanks, and what has no picture goes.
fn expanded(line: &str) -> Line {
    let mut out = Line::new();
    for c in line.chars() {
        match c {
            '\t' => out.resize((out.len() / TAB + 1) * TAB, ' '),
            '\u{a0}' | '\u{2007}' | '\u{202f}' => out.push(' '),
            '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'
            | '\u{feff}'
            | '\u{fe00}'..='\u{fe0f}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    let end = out.iter().rposition(|c| *c != ' ').map_or(0, |last| last + 1);
    out.truncate(end);
    out
}

/// Breaks at blanks, and anywhere where a word is wider than the page.
fn wrapped(line: &[char]) -> Vec<Line> {
    let mut parts = Vec::new();
    let mut rest = line;
    while rest.len() > COLUMNS {
        let blank = rest[..=COLUMNS].iter().rposition(|c| *c == ' ').filter(|at| *at > 0);
        let (part, after) = match blank {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => rest.split_at(COLUMNS),
        };
        parts.push(part.to_vec());
        rest = after;
    }
    parts.push(rest.to_vec());
    parts
}

/// Draws glyphs, each only once.
struct Pen {
    fonts: Vec<FontRef<'static>>,
    scale: PxScale,
    lines: u32,
    top: u32,
    glyphs: HashMap<char, Stamp>,
    missing: BTreeSet<char>,
}

/// The ink of a glyph, relative to its cell's origin on the base line.
#[derive(Default)]
struct Stamp {
    dots: Vec<(i32, i32)>,
}

impl Pen {
    fn new(resolution: Resolution) -> Self {
        let fonts = [dejavu::sans_mono::regular(), dejavu::sans::regular()];
        let fonts: Vec<FontRef<'static>> = fonts
            .into_iter()
            .map(|font| FontRef::try_from_slice(font).expect("the bundled fonts are sound"))
            .collect();
        // The advance of a letter is the width of a column; lines of the grid are
        // nearer or farther than its pixels, and must not run into each other.
        let mono = &fonts[0];
        let units = mono.h_advance_unscaled(mono.glyph_id('m'));
        let across = ADVANCE as f32 / units * mono.height_unscaled();
        let down = across * resolution.lines_per_inch() as f32 / crate::pages::sheet::DOTS_PER_INCH;
        let lines = a4(resolution);
        // The same margin above as at the side.
        let top = LEFT * resolution.lines_per_inch() / 204;
        let pitch = (lines - 2 * top) as f32 / LINES as f32;
        Self {
            fonts,
            scale: PxScale { x: across, y: down.min(pitch) },
            lines,
            top,
            glyphs: HashMap::new(),
            missing: BTreeSet::new(),
        }
    }

    fn page(&mut self, text: &[Line]) -> Bitmap {
        let size = Size::new(WIDTH, self.lines).expect("a sheet is within the limits");
        let mut page = Bitmap::white(size);
        let pitch = f64::from(self.lines - 2 * self.top) / LINES as f64;
        for (row, line) in text.iter().enumerate() {
            let base = self.top as i32 + ((row as f64 + 0.8) * pitch) as i32;
            for (column, c) in line.iter().enumerate().filter(|(_, c)| **c != ' ') {
                let left = (LEFT + ADVANCE * column as u32) as i32;
                for (dx, dy) in &self.stamp(*c).dots {
                    let (x, y) = (left + dx, base + dy);
                    if (0..WIDTH as i32).contains(&x) && (0..size.lines() as i32).contains(&y) {
                        page.set_black(x as u32, y as u32);
                    }
                }
            }
        }
        page
    }

    fn stamp(&mut self, c: char) -> &Stamp {
        if !self.glyphs.contains_key(&c) {
            let stamp = self.cut(c);
            self.glyphs.insert(c, stamp);
        }
        &self.glyphs[&c]
    }

    fn cut(&mut self, c: char) -> Stamp {
        let font = self.fonts.iter().find(|font| font.glyph_id(c).0 != 0);
        if font.is_none() {
            self.missing.insert(c);
        }
        // Glyph 0 is the box that stands for a missing one.
        let font = font.unwrap_or(&self.fonts[0]);
        let glyph = Glyph { id: font.glyph_id(c), scale: self.scale, position: point(0.0, 0.0) };
        let Some(outline) = font.outline_glyph(glyph) else { return Stamp::default() };
        let corner = outline.px_bounds().min;
        let mut stamp = Stamp::default();
        outline.draw(|x, y, coverage| {
            if coverage >= INK {
                stamp.dots.push((x as i32 + corner.x as i32, y as i32 + corner.y as i32));
            }
        });
        stamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<Vec<String>> {
        let pages = paginate(text).unwrap();
        pages.iter().map(|page| page.iter().map(|l| l.iter().collect()).collect()).collect()
    }

    #[test]
    fn lines_are_broken_where_it_reads_best() {
        let long = "a".repeat(170);
        let words = format!("{} {}", "b".repeat(70), "c".repeat(20));
        for (text, expected) in [
            ("", vec![vec![]]),
            ("one\r\ntwo\n", vec![vec!["one".into(), "two".into()]]),
            ("a\tb\t\tc", vec![vec!["a       b               c".to_owned()]]),
            ("one\n\u{c}two\u{c}", vec![vec!["one".into()], vec!["two".into()]]),
            (&long, vec![vec!["a".repeat(80), "a".repeat(80), "a".repeat(10)]]),
            (&words, vec![vec!["b".repeat(70), "c".repeat(20)]]),
            ("zero\u{200b}width\u{7}", vec![vec!["zerowidth".into()]]),
        ] {
            assert_eq!(lines(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_page_has_66_lines() {
        let pages = lines(&"x\n".repeat(67));
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [66, 1]);
    }

    #[test]
    fn missing_glyphs_are_known_and_present_ones_have_ink() {
        let mut pen = Pen::new(Resolution::Fine);
        for c in "Aé€Ж—".chars() {
            assert!(!pen.stamp(c).dots.is_empty(), "{c}");
        }
        assert!(pen.missing.is_empty());
        assert!(!pen.stamp('漢').dots.is_empty(), "a box stands for it");
        assert_eq!(pen.missing.iter().collect::<String>(), "漢");
    }

    #[test]
    fn the_last_line_and_column_are_on_the_page() {
        for resolution in [Resolution::Standard, Resolution::Fine, Resolution::Superfine] {
            let mut pen = Pen::new(resolution);
            let full: Vec<Line> = (0..LINES).map(|_| vec!['g'; COLUMNS]).collect();
            let one = pen.stamp('g').dots.len() as u64;
            let page = pen.page(&full);
            assert_eq!(page.black_pixels(), one * (LINES * COLUMNS) as u64, "{resolution:?}");
        }
    }
}
