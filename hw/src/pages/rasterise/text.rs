//! Plain text, in one of two ways.
//!
//! **The grid**: 80 columns by 66 lines in a fixed-width font, each glyph on a grid of
//! whole pixels. It is exact and codes small, and columns stay columns. Everything that
//! can be drawn so, is.
//!
//! **The layout** of [`crate::pages::layout`]: for a text that has
//! - letters that must be shaped or are wider than a column (Arabic, Hebrew, the scripts
//!   of India and South-East Asia, Chinese, Japanese, Korean, combining marks), or
//! - a line longer than the page that is made of words, as programs write that leave the
//!   breaking of lines to the reader, or of columns, which are set smaller then.
//!
//! There prose is set in a proportional font, and lines in columns stay in fixed width.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use ab_glyph::{Font, FontRef, Glyph, PxScale, point};
use postfax_domain::document::{Paper, Resolution};

use super::{Refusal, Sink};
use crate::pages::{
    bitmap::{Bitmap, Size},
    layout::{Typesetter, prose},
    sheet::a4,
};

const COLUMNS: usize = 80;
const LINES: usize = 66;
const TAB: usize = 8;
/// Pixels between the columns at 204 dots an inch: 80 of them leave 104 pixels (13 mm)
/// at each side.
const ADVANCE: u32 = 19;
/// Pages that a text may have whatever else is allowed.
const MAX_PAGES: usize = 10_000;
/// Characters of a line that are looked at together.
const MAX_LINE: usize = 64 << 10;
/// Missing characters that are named in the warning.
const MAX_NAMED: usize = 10;
/// Coverage from which a pixel is ink; less than half, or thin strokes break.
const INK: f32 = 0.4;
/// Words from which a line that is too long is prose.
const PROSE_WORDS: usize = 8;

pub(super) fn draw(
    bytes: &[u8],
    resolution: Resolution,
    fonts: &[Vec<u8>],
    sink: &mut dyn Sink,
) -> Result<(), Refusal> {
    let (text, warning) = read(bytes);
    if let Some(warning) = warning {
        sink.warn(warning);
    }
    if needs_layout(&text) {
        let mut setter = Typesetter::new(fonts, resolution);
        return setter.run(prose::blocks(&text), resolution, sink);
    }
    let pages = paginate(&text);
    sink.announce(pages.len())?;
    if pages.len() > MAX_PAGES {
        return Err(Refusal::TooLarge);
    }
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

/// The text, and what is to be said of its character set: UTF-8, UTF-16 when a byte
/// order mark says so, else Windows-1252.
pub(super) fn read(bytes: &[u8]) -> (Cow<'_, str>, Option<String>) {
    if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(bytes) {
        let (text, damaged) = encoding.decode_without_bom_handling(&bytes[mark..]);
        let said = || format!("the text is damaged {}: some characters are lost", encoding.name());
        return (text, damaged.then(said));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.into(), None),
        Err(_) => {
            let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes);
            (text, Some("the text is no UTF-8 and was read as Windows-1252".into()))
        }
    }
}

/// Whether the grid would lose something.
fn needs_layout(text: &str) -> bool {
    if !text.chars().all(fits_a_column) {
        return true;
    }
    text.split(['\n', '\u{c}']).any(|line| {
        let line = line.trim_end();
        let long = line.len() > COLUMNS && line.chars().count() > COLUMNS;
        long && (prose::in_columns(line)
            || line.split_whitespace().take(PROSE_WORDS).count() == PROSE_WORDS)
    })
}

/// Whether a character is one column wide and looks the same beside all others: those
/// of alphabets that run from left to right, and signs. Pictographs too: they are drawn
/// as boxes where no font has them.
fn fits_a_column(c: char) -> bool {
    matches!(c,
        '\0'..='\u{2ff}' | '\u{370}'..='\u{482}' | '\u{48a}'..='\u{58f}'
        | '\u{10a0}'..='\u{10ff}' | '\u{1d00}'..='\u{1dbf}' | '\u{1e00}'..='\u{20cf}'
        | '\u{2100}'..='\u{2bff}' | '\u{2c60}'..='\u{2c7f}' | '\u{fb00}'..='\u{fb06}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fffd}' | '\u{1d400}'..='\u{1d7ff}'
        | '\u{1f000}'..='\u{1faff}')
        // Marks that turn the direction are only written where there is one to turn.
        && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

type Line = Vec<char>;

/// Pages of lines of at most 80 characters. There is always one page, and one more than
/// there may be when there are too many.
fn paginate(text: &str) -> Vec<Vec<Line>> {
    let mut pages = vec![Vec::new()];
    let sheets = text.strip_suffix('\u{c}').unwrap_or(text).split('\u{c}');
    for (i, sheet) in sheets.enumerate() {
        if i > 0 {
            pages.push(Vec::new());
        }
        // The line break before a form feed belongs to it.
        let sheet = sheet.strip_prefix("\r\n").or(sheet.strip_prefix('\n')).unwrap_or(sheet);
        for part in sheet.lines().flat_map(pieces).flat_map(|line| wrapped(&expanded(line))) {
            match pages.last_mut() {
                Some(page) if page.len() < LINES => page.push(part),
                _ => pages.push(vec![part]),
            }
            if pages.len() > MAX_PAGES {
                break;
            }
        }
        if pages.len() > MAX_PAGES {
            break;
        }
    }
    pages
}

/// A line in parts that are not too long to be looked at.
fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest.take()?;
        let end = line.char_indices().nth(MAX_LINE).map(|(at, _)| at);
        let (part, after) = line.split_at(end.unwrap_or(line.len()));
        rest = (!after.is_empty()).then_some(after);
        Some(part)
    })
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
    size: Size,
    advance: u32,
    left: u32,
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
        let (dots, lines_per_in) = (resolution.dots_per_inch(), resolution.lines_per_inch());
        let advance = ADVANCE * dots / Resolution::Fine.dots_per_inch();
        let across = advance as f32 / units * mono.height_unscaled();
        let down = across * lines_per_in as f32 / dots as f32;
        let size = Size::new(Paper::A4.pixels(resolution), a4(resolution))
            .expect("a sheet is within the limits");
        let left = (size.width() - advance * COLUMNS as u32) / 2;
        // The same margin above as at the side.
        let top = left * lines_per_in / dots;
        let pitch = (size.lines() - 2 * top) as f32 / LINES as f32;
        Self {
            fonts,
            scale: PxScale { x: across, y: down.min(pitch) },
            size,
            advance,
            left,
            top,
            glyphs: HashMap::new(),
            missing: BTreeSet::new(),
        }
    }

    fn page(&mut self, text: &[Line]) -> Bitmap {
        let size = self.size;
        let mut page = Bitmap::white(size);
        let pitch = f64::from(size.lines() - 2 * self.top) / LINES as f64;
        for (row, line) in text.iter().enumerate() {
            let base = self.top as i32 + ((row as f64 + 0.8) * pitch) as i32;
            for (column, c) in line.iter().enumerate().filter(|(_, c)| **c != ' ') {
                let left = (self.left + self.advance * column as u32) as i32;
                for (dx, dy) in &self.stamp(*c).dots {
                    let (x, y) = (left + dx, base + dy);
                    if (0..size.width() as i32).contains(&x)
                        && (0..size.lines() as i32).contains(&y)
                    {
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
        let pages = paginate(text);
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
        for resolution in Resolution::ALL {
            let mut pen = Pen::new(resolution);
            let full: Vec<Line> = (0..LINES).map(|_| vec!['g'; COLUMNS]).collect();
            let one = pen.stamp('g').dots.len() as u64;
            let page = pen.page(&full);
            assert_eq!(page.black_pixels(), one * (LINES * COLUMNS) as u64, "{resolution:?}");
        }
    }
}
